//! With which credentials, in which region, and for how long AWS is called.

use crate::error::Error;
use aws_config::profile::{self, ProfileFileCredentialsProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::sdk_config::SharedCredentialsProvider;
use std::time::Duration;

/// How long a call may take: a person waits for it.
fn limits() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_secs(50))
        .build()
}

/// How often a call is sent: an account that is busy may turn down several in a row, and a person has a few seconds for that.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(6)
}

/// The configuration of the SDK. A profile that is named goes before the credentials in the environment, as in the AWS CLI. No call.
pub(super) async fn config(profile: Option<&str>, region: Option<&str>) -> Result<SdkConfig, Error> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(limits())
        .retry_config(retries());
    // Without this one that AWS_PROFILE names and that is not there would be none at all, and the default region or credentials be
    // missed instead.
    match (profile, &profile_of_environment()) {
        (Some(profile), _) => exists(profile, "--profile").await?,
        (None, Some(profile)) => exists(profile, "AWS_PROFILE").await?,
        (None, None) => {}
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let config = loader.load().await;
    let Some(profile) = profile else {
        return Ok(config);
    };
    let around = ProviderConfig::without_region().with_region(config.region().cloned());
    let credentials = ProfileFileCredentialsProvider::builder()
        .configure(&around)
        .profile_name(profile)
        .build();
    let credentials = SharedCredentialsProvider::new(credentials);
    Ok(config.into_builder().credentials_provider(credentials).build())
}

/// The profile that the environment names.
pub(super) fn profile_of_environment() -> Option<String> {
    Env::real().get("AWS_PROFILE").ok().filter(|name| !name.is_empty())
}

/// The error where no file has a profile.
async fn exists(profile: &str, named_by: &str) -> Result<(), Error> {
    let read = profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None).await;
    let profiles = read.map_err(|problem| Error::Usage(format!("the AWS configuration cannot be read: {problem}")))?;
    if profiles.get_profile(profile).is_some() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "there is no profile {profile:?} in the AWS configuration: correct {named_by}, or make it by aws configure --profile"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_answer_ends_within_a_minute() {
        let limits = limits();
        assert!(limits.operation_timeout() < Some(Duration::from_mins(1)));
        assert!(limits.operation_attempt_timeout() < limits.operation_timeout());
        assert!(limits.connect_timeout().is_some());
    }
}
