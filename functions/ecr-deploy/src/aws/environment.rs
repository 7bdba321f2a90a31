//! The configuration of AWS clients from a function's environment.

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::SharedCredentialsProvider;

/// Returns the configuration of AWS clients from the environment that Lambda sets: the region and the credentials; and
/// the endpoint of `service` (`ECS`) where somebody has set one, as tests do.
///
/// The SDK's own search would look at more places, none of which a function has, and sets up a client of STS for that, with
/// TLS and all: a tenth of the start, and code that is never run.
///
/// See <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.
#[must_use]
pub fn aws_config(service: &str) -> SdkConfig {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let endpoint = variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL"));
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials);
    config.set_region(variable("AWS_REGION").map(Region::new));
    config.set_endpoint_url(endpoint);
    config.build()
}
