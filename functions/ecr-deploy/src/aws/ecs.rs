//! The thin client of ECS: paging, batching, bounded concurrency, retries. It reads into the plain types of
//! [`crate::domain::service`] and [`crate::domain::task_definition`] and decides nothing.

mod cache;
mod convert;
mod lifecycle;
mod rate;
mod raw;
mod retry;
mod service_deployments;
mod services;
mod task_definitions;
mod tasks;

use crate::error::Error;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
pub use aws_sdk_ecs::types::DesiredStatus;
use cache::Cache;
use rate::Rate;
use retry::{ConcurrentRegistrations, Throttled, retries, without_quota};
pub use service_deployments::RECORDS;
pub use services::{DescribedServices, SERVICES_PER_CALL};
use std::time::Duration;

/// How many calls of one kind are under way at once: enough to hide the latency of each, few enough to stay polite.
const CONCURRENT_CALLS: usize = 8;

/// The longest page that the list operations give.
const PAGE: i32 = 100;

/// ECS, as the steps use it.
#[derive(Debug)]
pub struct Ecs {
    client: Client,
    service_reads: Rate,
    task_definition_reads: Rate,
    outlines: Cache,
    throttled: Throttled,
}

impl Ecs {
    /// A client from the environment of the function.
    #[must_use]
    pub fn from_env() -> Self {
        Self::with_config(Builder::from(&crate::aws::environment::aws_config("ECS")))
    }

    /// A client with `config`, to which the retries and time limits of this project are added.
    ///
    /// The SDK repeats what passes by itself, with exponential backoff and jitter; to that counts the refusal to
    /// register two revisions of one family at once, which ECS reports as a client's error.
    #[must_use]
    pub fn with_config(config: Builder) -> Self {
        let throttled = Throttled::default();
        let config = config
            .interceptor(throttled.clone())
            .retry_config(retries())
            .retry_partition(without_quota())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .build(),
            )
            .retry_classifier(ConcurrentRegistrations)
            .build();
        Self {
            throttled,
            ..Self::with_client(Client::from_conf(config))
        }
    }

    /// A client over an SDK client that is already set up.
    #[must_use]
    pub fn with_client(client: Client) -> Self {
        Self {
            client,
            service_reads: Rate::new(Rate::SERVICE_READS),
            task_definition_reads: Rate::new(Rate::TASK_DEFINITION_READS),
            outlines: Cache::default(),
            throttled: Throttled::default(),
        }
    }

    /// The same client for reads that nobody waits for: they take a quarter of what AWS grants the account, so that a push which
    /// comes meanwhile finds what it needs.
    #[must_use]
    pub fn patient(self) -> Self {
        Self {
            service_reads: Rate::new(Rate::PATIENT_SERVICE_READS),
            task_definition_reads: Rate::new(Rate::PATIENT_TASK_DEFINITION_READS),
            ..self
        }
    }

    /// Returns true if ECS has throttled a call since the last question, even if the SDK's retry succeeded.
    pub fn was_throttled(&self) -> bool {
        self.throttled.take()
    }

    /// Shares what a search may read among so many searches, from now on.
    pub fn share_among(&self, searches: u32) {
        self.service_reads.share(searches);
        self.task_definition_reads.share(searches);
    }
}

fn parse<T: TryFrom<String, Error: std::fmt::Display>>(text: String, call: &str) -> Result<T, Error> {
    text.try_into()
        .map_err(|error| Error::InvalidInput(format!("{call}: ECS's answer cannot be read: {error}")))
}
