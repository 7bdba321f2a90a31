//! An error is what ends a step: its name is what the state machine matches, its message is what an operator reads.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use lambda_runtime::Diagnostic;

/// Why a step failed. The variant is the part of the contract that the state machines match (see [`Error::name`]).
///
/// In progress, failed, superseded, busy and nothing to deploy are values of the steps' outputs, not errors.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An event, a setting or a document cannot be read. Trying again cannot help.
    #[error("{0}")]
    InvalidInput(String),
    /// A cluster, a revision or an image is gone.
    #[error("{0}")]
    NotFound(String),
    /// The service, or its cluster, is gone. The steps put it out as an outcome: where a service was deleted there is nothing to
    /// do, and nothing has failed.
    #[error("{0}")]
    ServiceDeleted(String),
    /// AWS did not do its part, after the SDK's own retries: throttling, 5xx, a timeout, a concurrent registration.
    /// The state machine tries again.
    #[error("{0}")]
    Unavailable(String),
    /// AWS refuses: access denied, a quota, an invalid parameter.
    #[error("{0}")]
    Rejected(String),
    /// The service did not become stable on the new revision and is back on the last good one.
    #[error("{0}")]
    RolledBack(String),
    /// The service did not become stable on the new revision, and is not back on a good one either.
    #[error("{0}")]
    RollBackFailed(String),
    /// The service did not become stable on the new revision and stays there, as the `rollback` of its stage says.
    #[error("{0}")]
    NotRolledBack(String),
    /// At least one service of the push did not end as it should.
    #[error("{0}")]
    ServicesFailed(String),
}

impl Error {
    /// An `InvalidInput` of at most about [`EXCERPT_LENGTH`] bytes, whatever `message` quotes from outside.
    pub fn invalid_input(message: impl std::fmt::Display) -> Self {
        Self::InvalidInput(excerpt(message.to_string()))
    }

    /// The stable name that `ErrorEquals` matches in the state machines and that the console shows.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "Deploy.InvalidInput",
            Self::NotFound(_) | Self::ServiceDeleted(_) => "Deploy.NotFound",
            Self::Unavailable(_) => "Deploy.Unavailable",
            Self::Rejected(_) => "Deploy.Rejected",
            Self::RolledBack(_) => "Deploy.RolledBack",
            Self::RollBackFailed(_) => "Deploy.RollBackFailed",
            Self::NotRolledBack(_) => "Deploy.NotRolledBack",
            Self::ServicesFailed(_) => "Deploy.ServicesFailed",
        }
    }

    /// The errors that pass by themselves, by the names that the state machines see: the state is run again for as long as a
    /// rollout may take, and when it ends with one of these all the same, nobody could answer. That is no verdict about an
    /// image or a service.
    ///
    /// The first is this program's own; the second is a function that ran out of time; the others are of Lambda, which
    /// could not start one. See <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>,
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception> and, for the last,
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html>.
    pub const PASSING: [&'static str; 7] = [
        "Deploy.Unavailable",
        "Sandbox.Timedout",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.ClientExecutionTimeoutException",
    ];

    /// Every name that a step can throw: the names that the state machines may match.
    pub const NAMES: [&'static str; 8] = [
        "Deploy.InvalidInput",
        "Deploy.NotFound",
        "Deploy.Unavailable",
        "Deploy.Rejected",
        "Deploy.RolledBack",
        "Deploy.RollBackFailed",
        "Deploy.NotRolledBack",
        "Deploy.ServicesFailed",
    ];

    /// Names what AWS answered to `call` (an operation and its subject, "`UpdateService` of web in production").
    ///
    /// The AWS error code and request id stay in the message. What can pass by itself becomes `Unavailable`, what is gone
    /// becomes `NotFound`, every other refusal `Rejected`.
    ///
    /// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html>.
    pub fn from_aws<E>(call: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let Some(service_error) = error.as_service_error() else {
            return Self::from_unanswered(call, error);
        };
        let code = service_error.meta().code().unwrap_or("no error code");
        let text = service_error.meta().message().unwrap_or("no message");
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let request_id = error
            .raw_response()
            .and_then(|response| response.headers().get("x-amzn-requestid"))
            .unwrap_or("none");
        let message = format!("{call}: {code}: {text} (request id {request_id})");
        match classify(code, text, status) {
            Class::Passing => Self::Unavailable(message),
            Class::Gone => Self::NotFound(message),
            Class::Refused => Self::Rejected(message),
        }
    }

    fn from_unanswered<E>(call: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + 'static,
    {
        let chain = error_chain(error);
        match error {
            SdkError::ConstructionFailure(_) => {
                Self::Rejected(format!("{call}: the request could not be made: {chain}"))
            }
            _ => Self::Unavailable(format!("{call}: no usable answer from AWS: {chain}")),
        }
    }
}

/// How an error answer of AWS is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Passing,
    Gone,
    Refused,
}

fn classify(code: &str, message: &str, status: u16) -> Class {
    if status >= 500 || is_too_many_concurrent_attempts(message) || is_full_of_deployments(message) {
        return Class::Passing;
    }
    match code {
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "ServerException"
        | "ServiceUnavailable"
        | "InternalFailure"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "RequestExpired"
        | "UpdateInProgressException" => Class::Passing,
        "ClusterNotFoundException"
        | "ServiceNotFoundException"
        | "ServiceNotActiveException"
        | "ServiceDeploymentNotFoundException"
        | "RepositoryNotFoundException"
        | "ImageNotFoundException" => Class::Gone,
        "ClientException" | "InvalidParameterException" if message.contains("Unable to describe task definition") => {
            Class::Gone
        }
        _ => Class::Refused,
    }
}

/// Whether ECS refused a registration only because another one of the same family was under way.
///
/// It comes as a `ClientException`, which no SDK takes for something that passes.
#[must_use]
pub fn is_too_many_concurrent_attempts(message: &str) -> bool {
    message.contains("Too many concurrent attempts")
}

/// Whether ECS refused an update only because the service has as many deployments as it may have at once: "5 active deployments
/// exist, unable to create new deployment." It comes as a 400, whose code is not documented, and passes as the older ones end.
fn is_full_of_deployments(message: &str) -> bool {
    message.contains("active deployments exist")
}

/// How long a text may be that quotes what came from outside, in bytes: enough for any that a person wrote.
pub const EXCERPT_LENGTH: usize = 1000;

/// The text itself, or its beginning and its end when it is longer than [`EXCERPT_LENGTH`]: a message begins with the
/// part that cannot be read and ends with what it should be, and what is quoted stands between.
pub(crate) fn excerpt(text: String) -> String {
    if text.len() <= EXCERPT_LENGTH {
        return text;
    }
    let head = text.floor_char_boundary(EXCERPT_LENGTH / 2);
    let tail = text.ceil_char_boundary(text.len() - EXCERPT_LENGTH / 2);
    format!(
        "{} … ({} bytes left out) … {}",
        &text[..head],
        tail - head,
        &text[tail..]
    )
}

/// An error and its causes, outermost first, each once.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Diagnostic {
            error_type: error.name().to_owned(),
            error_message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_passing_gone_or_refused() {
        use Class::{Gone, Passing, Refused};
        let table = [
            ("ThrottlingException", "Rate exceeded", 400, Passing),
            ("ServerException", "", 500, Passing),
            ("Unheard", "", 503, Passing),
            (
                "ClientException",
                "Too many concurrent attempts to create a new revision of the specified family.",
                400,
                Passing,
            ),
            (
                "InvalidParameterException",
                "5 active deployments exist, unable to create new deployment.",
                400,
                Passing,
            ),
            ("ClusterNotFoundException", "Cluster not found.", 400, Gone),
            ("ServiceNotFoundException", "", 400, Gone),
            ("ServiceNotActiveException", "Service was not ACTIVE.", 400, Gone),
            ("ClientException", "Unable to describe task definition.", 400, Gone),
            ("AccessDeniedException", "not authorized", 400, Refused),
            ("InvalidParameterException", "TaskDefinition is inactive", 400, Refused),
            ("LimitExceededException", "", 400, Refused),
            ("ClientException", "Tags can not be more than 50.", 400, Refused),
        ];
        for (code, message, status, class) in table {
            assert_eq!(classify(code, message, status), class, "{code}: {message}");
        }
    }

    #[test]
    fn the_name_of_every_variant_is_listed() {
        let all = [
            Error::InvalidInput(String::new()),
            Error::NotFound(String::new()),
            Error::Unavailable(String::new()),
            Error::Rejected(String::new()),
            Error::RolledBack(String::new()),
            Error::RollBackFailed(String::new()),
            Error::NotRolledBack(String::new()),
            Error::ServicesFailed(String::new()),
        ];
        assert_eq!(all.map(|error| error.name()), Error::NAMES);
    }
}
