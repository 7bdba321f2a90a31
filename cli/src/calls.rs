//! Calls of services that the command asks one or two things of: JSON over HTTP, signed and retried as the SDK does it.
//!
//! A client of the SDK for each of them would add minutes to the first build, for a handful of operations.

use crate::execution::time;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::ErrorMetadata;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use aws_types::service_config::ServiceConfigKey;
use ecr_deploy::error::Error;
use jiff::Timestamp;
use serde_json::Value;

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The beginning of its host, and the name that requests are signed with.
    pub name: &'static str,
    /// The name of its section in a configuration file.
    pub id: &'static str,
    /// The beginning of the header that names an operation, where it has one: the version of its API.
    pub target: Option<&'static str>,
}

/// Systems Manager.
pub const PARAMETERS: Service = Service {
    name: "ssm",
    id: "SSM",
    target: Some("AmazonSSM"),
};
/// `CloudWatch` Logs.
pub const LOGS: Service = Service {
    name: "logs",
    id: "CloudWatch Logs",
    target: Some("Logs_20140328"),
};
/// `EventBridge`.
pub const EVENTS: Service = Service {
    name: "events",
    id: "EventBridge",
    target: Some("AWSEvents"),
};
/// `EventBridge` Scheduler.
pub const SCHEDULER: Service = Service {
    name: "scheduler",
    id: "Scheduler",
    target: None,
};
/// `CloudTrail`.
pub const TRAILS: Service = Service {
    name: "cloudtrail",
    id: "CloudTrail",
    target: Some("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
};
/// Service Quotas.
pub const QUOTAS: Service = Service {
    name: "servicequotas",
    id: "Service Quotas",
    target: Some("ServiceQuotasV20190624"),
};

/// Calls in one region, as somebody who has signed in.
#[derive(Debug, Clone)]
pub struct Calls {
    config: SdkConfig,
    region: String,
}

impl Calls {
    /// Calls with these credentials. No call yet.
    #[must_use]
    pub fn new(config: SdkConfig, region: impl Into<String>) -> Self {
        Self {
            config,
            region: region.into(),
        }
    }

    /// Sends an operation with its input.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses, or that it does not answer. `subject` names the call in the message.
    pub async fn post(&self, service: Service, operation: &str, subject: &str, input: &Value) -> Result<Value, Error> {
        Ok(self.post_dated(service, operation, subject, input).await?.document)
    }

    /// The same, with the time at which AWS answered.
    ///
    /// # Errors
    ///
    /// As [`Calls::post`].
    pub async fn post_dated(
        &self,
        service: Service,
        operation: &str,
        subject: &str,
        input: &Value,
    ) -> Result<Answered, Error> {
        let mut request = HttpRequest::new(SdkBody::from(input.to_string()));
        let target = format!("{}.{operation}", service.target.unwrap_or_default());
        let is_made = request.set_method("POST").is_ok() && request.set_uri("/").is_ok();
        request
            .headers_mut()
            .insert("content-type", "application/x-amz-json-1.1");
        let is_named = request.headers_mut().try_insert("x-amz-target", target).is_ok();
        self.send(service, operation, subject, (is_made && is_named).then_some(request))
            .await
    }

    /// Reads what is at a path, which may have a query.
    ///
    /// # Errors
    ///
    /// As [`Calls::post`].
    pub async fn get(&self, service: Service, operation: &str, subject: &str, path: &str) -> Result<Value, Error> {
        let mut request = HttpRequest::new(SdkBody::empty());
        let is_made = request.set_method("GET").is_ok() && request.set_uri(path).is_ok();
        let answered = self.send(service, operation, subject, is_made.then_some(request));
        Ok(answered.await?.document)
    }

    async fn send(
        &self,
        service: Service,
        operation: &str,
        subject: &str,
        request: Option<HttpRequest>,
    ) -> Result<Answered, Error> {
        let call = format!("{operation}{}{subject}", if subject.is_empty() { "" } else { " of " });
        let unsendable = || Error::Rejected(format!("{call}: the request could not be made: correct the name"));
        let request = request.ok_or_else(unsendable)?;
        let made = Operation::builder()
            .service_name(service.name)
            .operation_name(operation.to_owned())
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint(service))
            .standard_retry(&self.retries())
            .timeout_config(self.limits())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .runtime_plugin(self.signature(service))
            .serializer(move |(): ()| request.try_clone().ok_or_else(|| BoxError::from("the body is gone")))
            .deserializer(answer)
            .build();
        made.invoke(()).await.map_err(|error| Error::from_aws(&call, &error))
    }

    /// The signature of a request: with which credentials, and for which service and region.
    fn signature(&self, service: Service) -> StaticRuntimePlugin {
        let mut config = Layer::new("signature");
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(self.region.clone()))),
            name: Some(SigningName::from(service.name)),
            ..SigV4OperationSigningConfig::default()
        });
        let mut components = RuntimeComponentsBuilder::new("signature")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_cache(self.config.identity_cache());
        if let Some(credentials) = self.config.credentials_provider() {
            components.set_identity_resolver(SCHEME_ID, credentials);
        }
        if let Some(client) = self.config.http_client() {
            components.set_http_client(Some(client));
        }
        StaticRuntimePlugin::new()
            .with_config(config.freeze())
            .with_runtime_components(components)
    }

    /// How often a call is sent.
    fn retries(&self) -> RetryConfig {
        let configured = self.config.retry_config().cloned();
        configured.unwrap_or_else(RetryConfig::standard)
    }

    /// How long a call may take.
    fn limits(&self) -> TimeoutConfig {
        let configured = self.config.timeout_config().cloned();
        configured.unwrap_or_else(TimeoutConfig::disabled)
    }

    /// The address of a service: the one that is configured, else AWS's.
    fn endpoint(&self, service: Service) -> String {
        let key = ServiceConfigKey::builder()
            .service_id(service.id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let of_service = || self.config.service_config()?.load_config(key.ok()?);
        let of_all = || self.config.endpoint_url().map(str::to_owned);
        of_service().or_else(of_all).unwrap_or_else(|| {
            let fips = if self.config.use_fips() == Some(true) {
                "-fips"
            } else {
                ""
            };
            let suffix = if self.region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://{}{fips}.{}.amazonaws.com{suffix}", service.name, self.region)
        })
    }
}

/// The answer of AWS.
#[derive(Debug)]
pub struct Answered {
    /// The document.
    pub document: Value,
    /// When it was sent, by the clock of AWS, to the second.
    pub at: Option<Timestamp>,
}

/// The answer of AWS, or the error.
fn answer(response: &HttpResponse) -> Result<Answered, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    let document = serde_json::from_slice::<Value>(body);
    if response.status().is_success() {
        let date = response.headers().get("date");
        let at = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        return match document {
            Ok(document) => Ok(Answered {
                document,
                at: at.as_ref().map(time),
            }),
            Err(problem) => Err(OrchestratorError::other(problem)),
        };
    }
    let document = document.unwrap_or_default();
    let member = |names: [&str; 2]| names.iter().find_map(|name| document[*name].as_str());
    let code = response.headers().get("x-amzn-errortype");
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code.or_else(|| member(["__type", "code"])) {
        error = error.code(short_code(code));
    }
    if let Some(message) = member(["message", "Message"]) {
        error = error.message(message);
    }
    Err(OrchestratorError::operation(error.build()))
}

/// The code of an error alone, without the namespace before and the address behind:
/// <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization>.
fn short_code(code: &str) -> &str {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.split_once('#').map_or(code, |(_, code)| code)
}

/// A text as a part of a path or of a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%", &format!("{byte:02X}")]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, header: Option<&'static str>, body: &str) -> Result<Value, String> {
        let status = aws_smithy_runtime_api::http::StatusCode::try_from(status).unwrap();
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        if let Some(code) = header {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        answer(&response).map(|it| it.document).map_err(|error| {
            let of_aws = error.as_operation_error();
            of_aws.map_or_else(
                || "no answer".to_owned(),
                |it| format!("{}: {}", it.code().unwrap_or("-"), it.message().unwrap_or("-")),
            )
        })
    }

    #[test]
    fn an_answer_is_a_document_or_an_error_with_its_code() {
        assert_eq!(answered(200, None, r#"{"a": 1}"#), Ok(serde_json::json!({"a": 1})));
        for (header, body, expected) in [
            (
                None,
                r#"{"__type": "com.amazonaws.logs#ResourceNotFoundException", "message": "no such stream"}"#,
                "ResourceNotFoundException: no such stream",
            ),
            (
                Some("AccessDeniedException:http://internal.amazon.com/"),
                r#"{"Message": "not you"}"#,
                "AccessDeniedException: not you",
            ),
            (None, "<html>", "-: -"),
        ] {
            assert_eq!(answered(400, header, body), Err(expected.to_owned()));
        }
        assert_eq!(answered(200, None, "<html>"), Err("no answer".to_owned()));
    }

    #[test]
    fn an_answer_tells_the_time_of_aws_where_it_has_a_date() {
        for (date, expected) in [
            (
                Some("Sun, 29 Nov 2026 10:00:00 GMT"),
                Some("2026-11-29T10:00:00Z".parse().unwrap()),
            ),
            (Some("today"), None),
            (None, None),
        ] {
            let status = aws_smithy_runtime_api::http::StatusCode::try_from(200).unwrap();
            let mut response = HttpResponse::new(status, SdkBody::from("{}"));
            date.map(|date| response.headers_mut().insert("date", date));
            assert_eq!(answer(&response).unwrap().at, expected, "{date:?}");
        }
    }

    #[test]
    fn the_address_is_the_configured_one_or_that_of_the_region() {
        let calls = |config: aws_types::sdk_config::Builder, region: &str| Calls::new(config.build(), region);
        let own = SdkConfig::builder().endpoint_url("http://127.0.0.1:4566");
        assert_eq!(calls(own, "eu-west-1").endpoint(LOGS), "http://127.0.0.1:4566");
        for (region, fips, expected) in [
            ("eu-west-1", false, "https://logs.eu-west-1.amazonaws.com"),
            ("us-gov-west-1", true, "https://logs-fips.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", false, "https://logs.cn-north-1.amazonaws.com.cn"),
        ] {
            let config = SdkConfig::builder().use_fips(fips);
            assert_eq!(calls(config, region).endpoint(LOGS), expected);
        }
    }

    #[tokio::test]
    async fn a_call_without_an_answer_ends() {
        // It takes connections, and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let keys = aws_sdk_ecs::config::Credentials::new("key", "secret", None, None, "test");
        let limits = TimeoutConfig::builder().operation_timeout(std::time::Duration::from_millis(200));
        let config = SdkConfig::builder()
            .endpoint_url(format!("http://{}", silent.local_addr().unwrap()))
            .credentials_provider(aws_sdk_ecs::config::SharedCredentialsProvider::new(keys))
            .timeout_config(limits.build())
            .build();
        let answer = Calls::new(config, "eu-west-1").get(LOGS, "Read", "it", "/").await;
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("timeout"), "{error}");
    }

    #[test]
    fn a_name_in_a_path_keeps_only_what_a_path_may_hold() {
        assert_eq!(encoded("a-b_c.d~1 /é"), "a-b_c.d~1%20%2F%C3%A9");
    }
}
