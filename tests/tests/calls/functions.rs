//! The functions from a push to the last `UpdateService`, called in the order and at the times at which the state machine
//! calls them.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::config::Config;
use shared::contract::Execution;
use shared::ecs::Ecs;
use shared::error::Error;
use shared::executions::Executions;
use shared::runtime::Request;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// The functions, warm: as many sandboxes of each as were ever busy at once.
pub(crate) struct Functions {
    /// The client of find-task-definitions.
    pub(crate) find: Ecs,
    client: Box<dyn Fn() -> Ecs>,
    now: Box<dyn Fn() -> Timestamp>,
    idle: Mutex<Vec<Sandbox>>,
    config: Config,
    executions: Arc<StepFunctions>,
    /// Step Functions as find-task-definitions asks it.
    pushes: Executions,
}

/// What a function keeps from one invocation to the next.
struct Sandbox {
    ecs: Ecs,
    executions: Executions,
}

impl Functions {
    pub(crate) fn new(client: impl Fn() -> Ecs + 'static, now: impl Fn() -> Timestamp + 'static) -> Self {
        let executions = Arc::new(StepFunctions::default());
        Self {
            find: client(),
            pushes: executions.client(),
            executions,
            client: Box::new(client),
            now: Box::new(now),
            idle: Mutex::new(Vec::new()),
            config: Config::default(),
        }
    }

    /// Invokes a function in a sandbox of its own, as Lambda does.
    async fn in_sandbox<T>(&self, invocation: impl AsyncFnOnce(&Sandbox, &Config) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let sandbox = idle().pop();
        let sandbox = sandbox.unwrap_or_else(|| Sandbox {
            ecs: (self.client)(),
            executions: self.executions.client(),
        });
        let answer = invocation(&sandbox, &self.config).await;
        idle().push(sandbox);
        answer
    }

    pub(crate) async fn find(&self, event: &Value) -> Result<Value, Error> {
        let request = self.request("deploy-image", event);
        let (execution, now) = (request.execution.id.clone(), request.now);
        let pushes = async || self.pushes.begun_lately(&execution, now).await;
        // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
        value(Box::pin(find_task_definitions::handle(&self.find, &self.config, pushes, request)).await)
    }

    pub(crate) async fn register(&self, input: &Value) -> Result<Value, Error> {
        let request = self.request("deploy-image", input);
        self.in_sandbox(async |sandbox, config| {
            value(Box::pin(register_revision::handle(&sandbox.ecs, config, request)).await)
        })
        .await
    }

    pub(crate) async fn update(&self, input: &Value) -> Result<Value, Error> {
        let request = self.request("deploy-service", input);
        self.executions.begun.fetch_add(1, Ordering::Relaxed);
        self.in_sandbox(async |sandbox, config| {
            let execution = request.execution.id.clone();
            let running = sandbox.executions.running(&execution, request.now);
            value(Box::pin(update_service::handle(&sandbox.ecs, config, running, request)).await)
        })
        .await
    }

    /// How often Step Functions was asked for its executions since this was called last.
    pub(crate) fn listed(&self) -> u64 {
        self.executions.listed.swap(0, Ordering::Relaxed)
    }

    fn request(&self, state_machine: &str, input: &Value) -> Request<Value> {
        let execution = Execution {
            id: format!("arn:aws:states:eu-west-1:123456789012:execution:{state_machine}:push"),
            redrive_count: 0,
        };
        Request {
            execution,
            now: (self.now)(),
            input: input.clone(),
        }
    }

    /// Finds, registers and updates as the state machine does: everything at once, but each no sooner than the plan says.
    pub(crate) async fn deploy(&self, event: &Value) -> Result<(), Error> {
        let plan = repeated(|| self.find(event)).await?;
        let image = &plan["image"];
        let revisions = list(&plan["revisions"]).iter();
        let deployed = revisions.map(async |planned| {
            after(planned).await;
            let input = json!({"image": image, "taskDefinition": planned["taskDefinition"]});
            let registered = repeated(|| self.register(&input)).await?;
            // Trouble is each one's own, and told at the end.
            let updates = list(&planned["services"]).iter().map(async |id| {
                after(id).await;
                let input = json!({
                    "image": image, "cluster": id["cluster"], "service": id["service"], "deadline": null,
                    "taskDefinition": registered["taskDefinition"], "source": registered["source"], "turn": "FIRST",
                    "services": plan["services"],
                });
                repeated(|| self.update(&input)).await.map(drop)
            });
            join_all(updates).await.into_iter().collect()
        });
        join_all(deployed).await.into_iter().collect()
    }
}

fn value(answer: Result<impl serde::Serialize, Error>) -> Result<Value, Error> {
    answer.and_then(|answer| serde_json::to_value(answer).map_err(|error| Error::InvalidInput(error.to_string())))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Waits as long as the plan says that this is to wait.
async fn after(planned: &Value) {
    local_aws::pause(Duration::from_secs_f64(planned["after"].as_f64().unwrap_or_default())).await;
}

/// How a state machine retries what AWS did not answer.
#[derive(Debug, Clone, Copy)]
struct Retry {
    attempts: u64,
    first_seconds: f64,
    backoff: f64,
    longest_seconds: f64,
}

/// That of "Find task definitions", which all steps have.
static RETRY: LazyLock<Retry> = LazyLock::new(|| {
    let machine: Value =
        serde_json::from_str(include_str!("../../../statemachine/deploy-image.asl.json")).unwrap_or_default();
    let retriers = list(&machine["States"]["Find task definitions"]["Retry"]).iter();
    let of_unavailable = |it: &&Value| list(&it["ErrorEquals"]).contains(&json!("Deploy.Unavailable"));
    let retrier = retriers.clone().find(of_unavailable).unwrap_or(&Value::Null);
    let number = |member: &str| retrier[member].as_f64().unwrap_or_default();
    Retry {
        attempts: retrier["MaxAttempts"].as_u64().unwrap_or_default(),
        first_seconds: number("IntervalSeconds"),
        backoff: number("BackoffRate"),
        longest_seconds: number("MaxDelaySeconds"),
    }
});

/// Repeats what AWS did not answer as the state machine's own Retry does, with full jitter.
async fn repeated<T>(mut invoke: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut limit = RETRY.first_seconds;
    for _ in 0..RETRY.attempts {
        match invoke().await {
            Err(Error::Unavailable(_)) => {
                local_aws::pause(Duration::from_secs_f64(fastrand::f64() * limit)).await;
                limit = f64::min(limit * RETRY.backoff, RETRY.longest_seconds);
            }
            answer => return answer,
        }
    }
    invoke().await
}

/// Step Functions, as far as it lists executions: those of the services that were begun run on, and no other push does.
#[derive(Debug, Default)]
struct StepFunctions {
    begun: AtomicU64,
    listed: AtomicU64,
}

/// How long it takes to list.
const LATENCY: Duration = Duration::from_millis(15);

impl StepFunctions {
    fn client(self: &Arc<Self>) -> Executions {
        use aws_sdk_sfn::config::{BehaviorVersion, Builder, Credentials, Region};
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "a walk"))
            .http_client(Wire(self.clone()));
        Executions::with_client(aws_sdk_sfn::Client::from_conf(config.build()))
    }

    /// One page, which has room for all that the cases begin.
    fn list(&self, request: &Value) -> Value {
        self.listed.fetch_add(1, Ordering::Relaxed);
        let state_machine = request["stateMachineArn"].as_str().unwrap_or_default();
        let running = if state_machine.ends_with(":deploy-service") {
            self.begun.load(Ordering::Relaxed)
        } else {
            1
        };
        let execution = json!({
            "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:deploy-service:web", "name": "web",
            "stateMachineArn": state_machine, "status": "RUNNING", "startDate": Timestamp::MAX.as_second(),
        });
        let count = usize::try_from(running).unwrap_or(usize::MAX).min(1000);
        json!({"executions": vec![execution; count]})
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
        let executions = self.0.clone();
        HttpConnectorFuture::new(async move {
            local_aws::pause(LATENCY).await;
            let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
            let answer = executions.list(&body).to_string();
            let ok = 200
                .try_into()
                .map_err(|error| ConnectorError::other(Box::new(error), None))?;
            Ok(HttpResponse::new(ok, SdkBody::from(answer)))
        })
    }
}
