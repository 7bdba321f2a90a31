//! Step Functions, as far as it lists executions, with the rate limit that AWS documents for that.
//!
//! See <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>.

use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use aws_sdk_sfn::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ecr_deploy::quota::executions::Executions;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long it takes to list.
const LATENCY: Duration = Duration::from_millis(15);

/// How many lists AWS grants at once, and how many a second then, in most regions; in us-east-1 it is 200 and 5.
pub const AT_ONCE: f64 = 100.0;
const PER_SECOND: f64 = 2.0;

/// The executions that run, and who lists them.
#[derive(Debug)]
pub struct StepFunctions(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The state machine and the name of each that runs, with a colon between them, and when it was begun, in the order of that.
    running: BTreeMap<u64, (String, Timestamp)>,
    begun: u64,
    tokens: f64,
    at: Instant,
    listed: Listed,
}

/// How often Step Functions was asked for its executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// And answered.
    pub granted: u64,
    /// And refused, since it was asked too often.
    pub refused: u64,
}

impl StepFunctions {
    /// Nobody has listed yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_lists_left(AT_ONCE)
    }

    /// Others have listed so often that only so many more are granted at once.
    #[must_use]
    pub fn with_lists_left(tokens: f64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            running: BTreeMap::new(),
            begun: 0,
            tokens,
            at: Instant::now(),
            listed: Listed::default(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an execution, `deploy-image:push` for instance, which runs until [`StepFunctions::end`].
    pub fn begin(&self, execution: &str, now: Timestamp) -> u64 {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.running.insert(number, (execution.to_owned(), now));
        number
    }

    /// Ends an execution, by the number that [`StepFunctions::begin`] returned.
    pub fn end(&self, execution: u64) {
        self.state().running.remove(&execution);
    }

    /// How often it was asked since this was called last.
    pub fn listed(&self) -> Listed {
        std::mem::take(&mut self.state().listed)
    }

    /// A client, as a function has it.
    pub fn client(self: &Arc<Self>) -> Executions {
        let limits = TimeoutConfig::builder().operation_timeout(Duration::from_secs(2));
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "a walk"))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(300)))
            .timeout_config(limits.build())
            .http_client(Wire(self.clone()));
        Executions::with_client(aws_sdk_sfn::Client::from_conf(config.build()))
    }

    fn answer(&self, request: &Value) -> (u16, Value) {
        let mut state = self.state();
        let now = Instant::now();
        let filled = now.duration_since(state.at).as_secs_f64() * PER_SECOND;
        (state.tokens, state.at) = ((state.tokens + filled).min(AT_ONCE), now);
        if state.tokens < 1.0 {
            state.listed.refused += 1;
            return (
                400,
                json!({"__type": "ThrottlingException", "message": "Rate exceeded"}),
            );
        }
        state.tokens -= 1.0;
        state.listed.granted += 1;
        (200, state.page(request))
    }
}

impl State {
    /// A page of the executions of a state machine, the newest first; the next one is asked for by how many came before.
    fn page(&self, request: &Value) -> Value {
        let state_machine = request["stateMachineArn"].as_str().unwrap_or_default();
        let name = state_machine.rsplit(':').next().unwrap_or_default();
        let number = |member: &Value| usize::try_from(member.as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
        let before = request["nextToken"].as_str().and_then(|token| token.parse().ok());
        let (before, most): (usize, usize) = (before.unwrap_or_default(), number(&request["maxResults"]));
        let is_of_machine = |execution: &str| execution.split(':').next() == Some(name);
        let running = self
            .running
            .iter()
            .rev()
            .filter(|(_, (execution, _))| is_of_machine(execution));
        let executions: Vec<Value> = running
            .skip(before)
            .take(most)
            .map(|(number, (execution, begun))| {
                json!({
                    "executionArn": format!("arn:aws:states:eu-west-1:123456789012:execution:{execution}"),
                    "name": number.to_string(), "stateMachineArn": state_machine, "status": "RUNNING",
                    "startDate": begun.as_duration().as_secs_f64(),
                })
            })
            .collect();
        let next = (executions.len() == most).then(|| (before + most).to_string());
        json!({"executions": executions, "nextToken": next})
    }
}

#[derive(Debug, Clone)]
struct Wire(Arc<StepFunctions>);

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let step_functions = self.0.clone();
        HttpConnectorFuture::new(async move {
            local_aws::pause(LATENCY).await;
            let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
            let (status, answer) = step_functions.answer(&body);
            let status = status
                .try_into()
                .map_err(|error| ConnectorError::other(Box::new(error), None))?;
            Ok(HttpResponse::new(status, SdkBody::from(answer.to_string())))
        })
    }
}
