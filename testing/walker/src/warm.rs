//! The functions from a push to the last `UpdateService`, called in the order and at the times at which the state machine
//! calls them.

use crate::step_functions::StepFunctions;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::Execution;
use ecr_deploy::domain::artifact::Kind;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::Request;
use ecr_deploy::quota::executions::Executions;
use futures::future::join_all;
use jiff::Timestamp;
use local_aws::roles::as_function;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The functions, warm: as many sandboxes of each as were ever busy at once.
pub struct Functions {
    /// The client of find-task-definitions.
    pub find: Ecs,
    client: Box<dyn Fn() -> Ecs>,
    now: Box<dyn Fn() -> Timestamp>,
    idle: Mutex<Vec<Sandbox>>,
    /// The settings of the functions.
    pub config: Config,
    executions: Arc<StepFunctions>,
    /// Step Functions as find-task-definitions asks it.
    pushes: Executions,
}

/// The clients that a function keeps from one invocation to the next.
struct Sandbox {
    ecs: Ecs,
    /// It has no region: an ordinary push asks ECR for nothing.
    ecr: aws_sdk_ecr::Client,
    executions: Executions,
}

impl Functions {
    /// Functions whose sandboxes get their client of ECS from `client`, and the time from `now`.
    pub fn new(client: impl Fn() -> Ecs + 'static, now: impl Fn() -> Timestamp + 'static) -> Self {
        let executions = StepFunctions::new();
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
            ecr: aws_sdk_ecr::Client::from_conf(
                aws_sdk_ecr::Config::builder()
                    .behavior_version(aws_sdk_ecr::config::BehaviorVersion::latest())
                    .build(),
            ),
            executions: self.executions.client(),
        });
        let answer = invocation(&sandbox, &self.config).await;
        idle().push(sandbox);
        answer
    }

    /// Invokes find-task-definitions.
    ///
    /// # Errors
    ///
    /// The function's own.
    pub async fn find(&self, event: &Value) -> Result<Value, Error> {
        let request = self.request("deploy-image", event);
        let (execution, now) = (request.execution.id.clone(), request.now);
        let pushes = async || self.pushes.begun_lately(&execution, now).await;
        let push = self.executions.begin("deploy-image:push", now);
        // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
        let stored = async |image: &PushedImage| -> Kind { panic!("an ordinary push asks ECR for {image}") };
        let plan = find_task_definitions::handle(&self.find, &self.config, pushes, stored, request);
        let plan = as_function("findTaskDefinitions", Box::pin(plan)).await;
        self.executions.end(push);
        value(plan)
    }

    /// Invokes register-revision.
    ///
    /// # Errors
    ///
    /// The function's own.
    pub async fn register(&self, input: &Value) -> Result<Value, Error> {
        let request = self.request("deploy-image", input);
        self.in_sandbox(async |sandbox, _config| {
            let registered = Box::pin(register_revision::handle(&sandbox.ecs, request));
            value(as_function("registerRevision", registered).await)
        })
        .await
    }

    /// Invokes update-service.
    ///
    /// # Errors
    ///
    /// The function's own.
    pub async fn update(&self, input: &Value) -> Result<Value, Error> {
        let request = self.request("deploy-service", input);
        // It waits for the rollout, longer than anything that is called here.
        self.executions.begin("deploy-service:push", request.now);
        self.in_sandbox(async |sandbox, config| {
            let execution = request.execution.id.clone();
            let running = sandbox.executions.running(&execution, request.now);
            let updated = Box::pin(update_service::handle(
                &sandbox.ecs,
                &sandbox.ecr,
                config,
                running,
                request,
            ));
            value(as_function("updateService", updated).await)
        })
        .await
    }

    /// How often Step Functions was asked for its executions since this was called last.
    pub fn listed(&self) -> u64 {
        let listed = self.executions.listed();
        listed.granted + listed.refused
    }

    fn request(&self, state_machine: &str, input: &Value) -> Request<Value> {
        let execution = Execution {
            id: format!("arn:aws:states:eu-west-1:123456789012:execution:{state_machine}:push"),
            redrive_count: 0,
            version: ecr_deploy::domain::VERSION.to_owned(),
        };
        Request {
            execution,
            now: (self.now)(),
            input: input.clone(),
        }
    }

    /// Finds, registers and updates as the state machine does: everything at once, but each no sooner than the plan says.
    ///
    /// # Errors
    ///
    /// Those of the first function that fails for good.
    pub async fn deploy(&self, event: &Value) -> Result<(), Error> {
        let plan = repeated(|| self.find(event)).await?;
        let begin = Instant::now();
        let image = &plan["image"];
        let revisions = list(&plan["revisions"]).iter();
        let deployed = revisions.map(async |planned| {
            after(begin, planned).await;
            let input = json!({
                "image": image, "taskDefinition": planned["taskDefinition"], "settings": plan["settings"][0],
            });
            let registered = repeated(|| self.register(&input)).await?;
            // Trouble is each one's own, and told at the end.
            let updates = list(&planned["services"]).iter().map(async |id| {
                after(begin, id).await;
                let input = json!({
                    "image": image, "cluster": id["cluster"], "service": id["service"], "deadline": null,
                    "taskDefinition": registered["taskDefinition"], "source": registered["source"], "wantedSince": null, "repeated": false,
                    "services": plan["services"], "settings": plan["settings"][0],
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

/// Waits until the time that the plan says, counted from `begin`.
async fn after(begin: Instant, planned: &Value) {
    let due = Duration::from_secs_f64(planned["after"].as_f64().unwrap_or_default());
    local_aws::pause(due.saturating_sub(begin.elapsed())).await;
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
    let machine = asl::read("deploy-image").unwrap_or_default();
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
