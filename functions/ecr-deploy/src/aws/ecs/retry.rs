//! Which calls the SDK repeats, how often and how soon, and whether any was throttled.

use crate::aws::error::is_too_many_concurrent_attempts;
use aws_sdk_ecs::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{FinalizerInterceptorContextRef, InterceptorContext};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the SDK repeats a call, and how soon: for a minute or so, as long as it may take until the account's rate
/// has one left when twenty pushes come at once. A step that is given up begins anew, and has to make all its calls again.
pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(12)
        .with_initial_backoff(Duration::from_millis(400))
        .with_max_backoff(Duration::from_secs(20))
}

/// The SDK counts the repetitions of all calls of a client together, and gives up after a hundred in a row: a search of
/// thousands of revisions has more calls than that throttled when other searches go on.
pub(super) fn without_quota() -> RetryPartition {
    RetryPartition::custom("ecr-deploy")
        .token_bucket(TokenBucket::unlimited())
        .build()
}

/// Notes that a call was throttled because there were too many.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttled(Arc<AtomicBool>);

impl Throttled {
    /// Returns true if a call was throttled since the last question.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Throttled {
    fn name(&self) -> &'static str {
        "throttled"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let refused = context
            .response()
            .filter(|response| response.status().is_client_error());
        let body = refused.and_then(|response| response.body().bytes()).unwrap_or_default();
        if String::from_utf8_lossy(body).contains("ThrottlingException") {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Has the SDK repeat, with its backoff and jitter, a registration that was refused only because another one of the
/// same family was under way. (Reported by users of many tools, such as terraform-provider-aws issue 9777.)
#[derive(Debug)]
pub(super) struct ConcurrentRegistrations;

impl ClassifyRetry for ConcurrentRegistrations {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_operation_error());
        let message = error
            .and_then(|error| error.downcast_ref::<RegisterTaskDefinitionError>())
            .and_then(|error| error.meta().message());
        if message.is_some_and(is_too_many_concurrent_attempts) {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "concurrent registrations of one family"
    }
}
