//! The functions from a push to the last `UpdateService`, called in the order and at the times at which the state machine
//! calls them.

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::config::Config;
use shared::contract::Execution;
use shared::ecs::Ecs;
use shared::error::Error;
use shared::runtime::Request;
use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The functions, warm: as many sandboxes of each as were ever busy at once.
pub(crate) struct Functions {
    /// The client of find-task-definitions.
    pub(crate) find: Ecs,
    client: Box<dyn Fn() -> Ecs>,
    now: Box<dyn Fn() -> Timestamp>,
    idle: Mutex<Vec<Ecs>>,
    config: Config,
}

impl Functions {
    pub(crate) fn new(client: impl Fn() -> Ecs + 'static, now: impl Fn() -> Timestamp + 'static) -> Self {
        Self {
            find: client(),
            client: Box::new(client),
            now: Box::new(now),
            idle: Mutex::new(Vec::new()),
            config: Config::default(),
        }
    }

    /// Invokes a function in a sandbox of its own, as Lambda does.
    async fn in_sandbox<T>(&self, invocation: impl AsyncFnOnce(&Ecs, &Config) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let sandbox = idle().pop();
        let sandbox = sandbox.unwrap_or_else(|| (self.client)());
        let answer = invocation(&sandbox, &self.config).await;
        idle().push(sandbox);
        answer
    }

    pub(crate) async fn find(&self, event: &Value) -> Result<Value, Error> {
        // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
        value(
            Box::pin(find_task_definitions::handle(
                &self.find,
                &self.config,
                async || None,
                self.request(event),
            ))
            .await,
        )
    }

    pub(crate) async fn register(&self, input: &Value) -> Result<Value, Error> {
        self.in_sandbox(async |ecs, config| {
            value(Box::pin(register_revision::handle(ecs, config, self.request(input))).await)
        })
        .await
    }

    pub(crate) async fn update(&self, input: &Value) -> Result<Value, Error> {
        self.in_sandbox(async |ecs, config| {
            value(Box::pin(update_service::handle(ecs, config, ready(None), self.request(input))).await)
        })
        .await
    }

    fn request(&self, input: &Value) -> Request<Value> {
        let execution = Execution {
            id: "arn:aws:states:eu-west-1:123456789012:execution:deploy-image:push".to_owned(),
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

/// Repeats what AWS did not answer as the state machine's Retry does: at most 6 times, after at most 2 seconds at first and
/// twice that each time, up to a minute, with full jitter.
async fn repeated<T>(mut invoke: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut limit = 2.0;
    for _ in 0..6 {
        match invoke().await {
            Err(Error::Unavailable(_)) => {
                local_aws::pause(Duration::from_secs_f64(fastrand::f64() * limit)).await;
                limit = f64::min(limit * 2.0, 60.0);
            }
            answer => return answer,
        }
    }
    invoke().await
}
