//! An error is what ends a step: its name is what the state machine matches, its message is what an operator reads.

/// Why a step failed. The variant is the part of the contract that the state machines match (see [`Error::name`]).
///
/// In progress, failed, superseded, rolling back and nothing to deploy are values of the steps' outputs, not errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub enum Error {
    /// An event, a setting or a document cannot be read. Trying again cannot help.
    InvalidInput(String),
    /// A cluster, a revision or an image is gone.
    NotFound(String),
    /// The service, or its cluster, is gone. The steps return it as an outcome: where a service was deleted there is
    /// nothing to do, and nothing has failed.
    ServiceDeleted(String),
    /// AWS did not do its part, after the SDK's own retries: throttling, 5xx, a timeout, a concurrent registration.
    /// The state machine tries again.
    Unavailable(String),
    /// AWS refuses: access denied, a quota, an invalid parameter.
    Rejected(String),
    /// The service did not become stable on the new revision and is back on the last good one.
    RolledBack(String),
    /// The service did not become stable on the new revision, and is not back on a good one either.
    RollBackFailed(String),
    /// The service did not become stable on the new revision and stays there, as the `rollback` of its stage says.
    NotRolledBack(String),
    /// At least one service of the push did not end as it should.
    ServicesFailed(String),
    /// At the end of a soak a service is not stable on the image any more, so what comes after it was not reached.
    NotStable(String),
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
            Self::NotStable(_) => "Deploy.NotStable",
        }
    }

    /// The errors that pass by themselves, by the names that the state machines see: the state is run again for as long as a
    /// rollout may take, and when it ends with one of these all the same, nobody could answer. That is no verdict about an
    /// image or a service.
    ///
    /// The first is this program's own; the second is a function that ran out of time; the last two are one that crashed or was
    /// killed, say for want of memory; the others are of Lambda, which could not start one. See
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>,
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception> and, for
    /// `ClientExecutionTimeoutException`, <https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html>.
    pub const PASSING: [&'static str; 9] = [
        "Deploy.Unavailable",
        "Sandbox.Timedout",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Runtime.ExitError",
    ];

    /// Every name that a step can throw: the names that the state machines may match.
    pub const NAMES: [&'static str; 9] = [
        "Deploy.InvalidInput",
        "Deploy.NotFound",
        "Deploy.Unavailable",
        "Deploy.Rejected",
        "Deploy.RolledBack",
        "Deploy.RollBackFailed",
        "Deploy.NotRolledBack",
        "Deploy.ServicesFailed",
        "Deploy.NotStable",
    ];
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
        "{} … ({} bytes omitted) … {}",
        &text[..head],
        tail - head,
        &text[tail..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
            Error::NotStable(String::new()),
        ];
        assert_eq!(all.map(|error| error.name()), Error::NAMES);
    }
}
