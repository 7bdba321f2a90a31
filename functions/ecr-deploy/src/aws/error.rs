//! Names what AWS answers: what can pass by itself, what is gone, and what is refused.

use crate::error::Error;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

impl Error {
    /// Names what AWS answered to `call` (an operation and its subject, "`UpdateService` of web in production").
    ///
    /// The AWS error code and request id stay in the message. A failure that can pass by itself becomes `Unavailable`,
    /// a resource that is gone `NotFound`, every other refusal `Rejected`.
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
        Self::from_answer(code, text, status, message)
    }

    fn from_unanswered<E>(call: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + 'static,
    {
        let chain = error_chain(error);
        // A proxy or a load balancer on the way answers with a page of its own, of which the SDK tells nothing.
        let status = error.raw_response().map(|response| response.status().as_u16());
        let status = status.map(|status| format!("HTTP {status}: ")).unwrap_or_default();
        match error {
            SdkError::ConstructionFailure(_) => {
                Self::Rejected(format!("{call}: the request could not be made: {chain}"))
            }
            _ => Self::Unavailable(format!("{call}: no usable answer from AWS: {status}{chain}")),
        }
    }

    /// Takes an error answer of AWS as one that passes, as one of something gone, or as a refusal; `message` is its words.
    fn from_answer(code: &str, text: &str, status: u16, message: String) -> Self {
        if status >= 500 || is_too_many_concurrent_attempts(text) || is_full_of_deployments(text) {
            return Self::Unavailable(message);
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
            | "UpdateInProgressException" => Self::Unavailable(message),
            "ClusterNotFoundException"
            | "ServiceNotFoundException"
            | "ServiceNotActiveException"
            | "ServiceDeploymentNotFoundException"
            | "RepositoryNotFoundException"
            | "ImageNotFoundException" => Self::NotFound(message),
            "ClientException" | "InvalidParameterException" if text.contains("Unable to describe task definition") => {
                Self::NotFound(message)
            }
            _ => Self::Rejected(message),
        }
    }
}

/// True if ECS refused a registration only because another one of the same family was under way.
///
/// It comes as a `ClientException`, which no SDK takes for something that passes.
#[must_use]
pub(crate) fn is_too_many_concurrent_attempts(message: &str) -> bool {
    message.contains("Too many concurrent attempts")
}

/// True if ECS refused an update only because the service has its maximum of deployments: "5 active deployments exist,
/// unable to create new deployment." It comes as a 400, whose code is not documented, and passes as the older ones end.
fn is_full_of_deployments(message: &str) -> bool {
    message.contains("active deployments exist")
}

/// An error and its causes, outermost first, each once.
fn error_chain(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut parts: Vec<String> = chain.map(ToString::to_string).collect();
    parts.dedup();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::config::retry::RetryConfig;
    use aws_sdk_ecs::config::{BehaviorVersion, Builder, Credentials, Region};
    use aws_smithy_http_client::test_util::infallible_client_fn;

    #[tokio::test]
    async fn of_an_answer_that_is_not_of_aws_the_http_status_is_told() {
        let page = "<html><body>Forbidden</body></html>";
        for (status, body) in [(403, page), (503, page), (403, ""), (503, "{}")] {
            let client = infallible_client_fn(move |_| http::Response::builder().status(status).body(body).unwrap());
            let config = Builder::default()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-west-1"))
                .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
                .retry_config(RetryConfig::disabled())
                .http_client(client);
            let ecs = aws_sdk_ecs::Client::from_conf(config.build());
            let refused = ecs.list_clusters().send().await.unwrap_err();
            let error = Error::from_aws("ListClusters", &refused);
            assert_eq!(error.name(), "Deploy.Unavailable", "{error}");
            let says = format!("ListClusters: no usable answer from AWS: HTTP {status}: response error: ");
            assert!(error.to_string().starts_with(&says), "{error}");
        }
    }

    #[test]
    fn an_answer_is_passing_gone_or_refused() {
        let (passing, gone, refused) = ("Deploy.Unavailable", "Deploy.NotFound", "Deploy.Rejected");
        let table = [
            ("ThrottlingException", "Rate exceeded", 400, passing),
            ("ServerException", "", 500, passing),
            ("Unheard", "", 503, passing),
            (
                "ClientException",
                "Too many concurrent attempts to create a new revision of the specified family.",
                400,
                passing,
            ),
            (
                "InvalidParameterException",
                "5 active deployments exist, unable to create new deployment.",
                400,
                passing,
            ),
            ("ClusterNotFoundException", "Cluster not found.", 400, gone),
            ("ServiceNotFoundException", "", 400, gone),
            ("ServiceNotActiveException", "Service was not ACTIVE.", 400, gone),
            ("ClientException", "Unable to describe task definition.", 400, gone),
            ("AccessDeniedException", "not authorized", 400, refused),
            ("InvalidParameterException", "TaskDefinition is inactive", 400, refused),
            ("LimitExceededException", "", 400, refused),
            ("ClientException", "Tags can not be more than 50.", 400, refused),
        ];
        for (code, text, status, name) in table {
            let error = Error::from_answer(code, text, status, "words".to_owned());
            assert_eq!(
                (error.name(), error.to_string().as_str()),
                (name, "words"),
                "{code}: {text}"
            );
        }
    }
}
