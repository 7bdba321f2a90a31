//! The clients of AWS, with the profile and the region that were named.

mod sign_in;

use crate::arguments::Shared;
use crate::calls::Calls;
use crate::error::Error;
use crate::installation::{Installation, parameter};
use crate::parameters::Parameters;
use aws_config::SdkConfig;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::domain::image::{EcrRegistry, Region};
use ecr_deploy::error::Error as OfAws;
use jiff::{SignedDuration, Timestamp};

/// The account and the region, as somebody who has signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    config: SdkConfig,
    /// The profile that was named, by an option or by the environment.
    profile: Option<String>,
    /// The region.
    pub region: String,
}

impl SignedIn {
    /// Takes the profile and the region that were named. No call.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where the profile does not exist, or no region is set.
    pub async fn new(shared: &Shared) -> Result<Self, Error> {
        let named = shared.profile.clone();
        let profile = named.or_else(sign_in::profile_of_environment);
        let config = sign_in::config(shared.profile.as_deref(), shared.region.as_deref()).await?;
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        if region.parse::<Region>().is_err() {
            let is_none = if region.is_empty() {
                String::new()
            } else {
                format!(" ({region:?} is none)")
            };
            return Err(Error::Usage(format!(
                "no region is set{is_none}: name it by --region, by AWS_REGION, or in the profile"
            )));
        }
        Ok(Self {
            config,
            profile,
            region,
        })
    }

    /// Step Functions.
    #[must_use]
    pub fn sfn(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    /// The parameters of Systems Manager.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        Parameters(self.calls(&self.region))
    }

    /// ECS.
    #[must_use]
    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        aws_sdk_ecs::Client::new(&self.config)
    }

    /// ECS as the steps read it: by its rates, batch by batch. But with the patience of a person: a step waits longer for an answer.
    #[must_use]
    pub fn reader(&self) -> Ecs {
        Ecs::with_client(self.ecs())
    }

    /// ECR.
    #[must_use]
    pub fn ecr(&self) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&self.config)
    }

    /// Calls of the services that have no client here, in a region.
    #[must_use]
    pub fn calls(&self, region: &str) -> Calls {
        Calls::new(self.config.clone(), region)
    }

    /// Who signed in: the ARN of a user, or of a session of a role. Everybody may ask that.
    ///
    /// # Errors
    ///
    /// When AWS does not know.
    pub async fn caller(&self) -> Result<String, Error> {
        let sts = aws_sdk_sts::Client::new(&self.config);
        let known = sts.get_caller_identity().send().await;
        let known = known.map_err(|error| OfAws::from_aws("GetCallerIdentity", &error))?;
        Ok(known.arn.unwrap_or_default())
    }

    /// The registry of this region in the account that an ARN names.
    ///
    /// # Errors
    ///
    /// [`Error::OtherVersion`] where it names none.
    pub fn registry(&self, arn: &str) -> Result<EcrRegistry, Error> {
        let id = arn.split(':').nth(4).unwrap_or_default();
        let unreadable = || Error::other_version("the account", format_args!("{arn} is no ARN"));
        Ok(EcrRegistry {
            account: id.parse().map_err(|_| unreadable())?,
            region: self.region.parse().map_err(|_| unreadable())?,
        })
    }
}

/// The account and the region, and the installation in it.
#[derive(Debug)]
pub struct Account {
    signed_in: SignedIn,
    /// The name of its stack.
    pub stack: String,
    /// The installation.
    pub installation: Installation,
    /// When the stack told of itself last: at its first deployment, or when a setting changed.
    pub installed_at: Option<Timestamp>,
    /// By so much the clock of AWS is ahead of the one of this machine.
    ahead: SignedDuration,
}

impl std::ops::Deref for Account {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.signed_in
    }
}

impl Account {
    /// Signs in, and finds the installation. One call.
    ///
    /// # Errors
    ///
    /// [`Error::NoInstallation`], and whatever AWS refuses.
    pub async fn open(shared: &Shared) -> Result<Self, Error> {
        Self::of(SignedIn::new(shared).await?, &shared.stack).await
    }

    /// Finds the installation of a stack. One call.
    ///
    /// # Errors
    ///
    /// [`Error::NoInstallation`], and whatever AWS refuses.
    pub async fn of(signed_in: SignedIn, stack: &str) -> Result<Self, Error> {
        let name = parameter(stack);
        let read = signed_in.parameters().get(&name).await;
        let Some(found) = read.map_err(|error| not_read(stack, error))? else {
            return Err(Error::NoInstallation {
                stack: stack.to_owned(),
                profile: signed_in.profile.unwrap_or_else(|| "that is the default".to_owned()),
                region: signed_in.region,
            });
        };
        Ok(Self {
            installation: Installation::parse(stack, &found.value)?,
            stack: stack.to_owned(),
            installed_at: found.modified,
            ahead: found.read_at.map_or(SignedDuration::ZERO, |at| ahead(at, now())),
            signed_in,
        })
    }

    /// The time by the clock of AWS, where it is `now` here. Pushes are ordered by their times: one by a clock that is behind would give
    /// way to an older one.
    #[must_use]
    pub fn time(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.ahead).unwrap_or(now)
    }

    /// The registry of this account and region, whose images may be deployed. The account is that of the installation.
    ///
    /// # Errors
    ///
    /// [`Error::OtherVersion`] where the installation names no account.
    pub fn here(&self) -> Result<EcrRegistry, Error> {
        self.registry(&self.installation.deploy_image)
    }
}

/// By how much the clock of AWS, which answered at `at`, is ahead of one on which it is `now`. An answer tells its time to the second, and
/// takes a moment: so little is no difference.
fn ahead(at: Timestamp, now: Timestamp) -> SignedDuration {
    const EXACT: SignedDuration = SignedDuration::from_secs(3);
    let ahead = at.duration_since(now);
    if ahead.abs() <= EXACT {
        SignedDuration::ZERO
    } else {
        ahead
    }
}

/// The error where the installation cannot be read. Who has the policy of one installation may not ask for another, be it there or
/// not.
fn not_read(stack: &str, error: OfAws) -> Error {
    match error {
        OfAws::Rejected(message) if message.contains("AccessDenied") => Error::Rejected(format!(
            "you may not read of an ecr-deploy in the stack {stack}. If it has another name, name it by --stack; if not, ask for the \
             policy that its output ReadersPolicyArn names. {message}"
        )),
        error => error.into(),
    }
}

/// The time now: the one place where the command reads the clock.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the command: everything behind it is told the time"
)]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Waits before the next read of an execution.
pub async fn pause(time: std::time::Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a person waits for the state machine, and the command with them"
    )]
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_by_more_than_an_answer_takes_is_corrected() {
        let at: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        for (now, expected) in [
            ("2026-11-29T10:00:01.5Z", 0),
            ("2026-11-29T09:59:58Z", 0),
            ("2026-11-29T09:56:00Z", 240),
            ("2026-11-29T10:01:00Z", -60),
        ] {
            assert_eq!(ahead(at, now.parse().unwrap()).as_secs(), expected, "{now}");
        }
    }
}
