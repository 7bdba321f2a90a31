//! The functions of the steps, called directly by the states that invoke them.

use crate::caller::Caller;
use crate::machine::machine_of;
use crate::step_functions::StepFunctions;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::Request;
use ecr_deploy::quota::executions::Executions;
use ecr_deploy::quota::schedule::Share;
use futures::future::FutureExt;
use jiff::Timestamp;
use local_aws::roles::{as_function, current_function};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The bytes around an answer of Lambda or of a child's execution: its headers twice, its status and ids. None of it is
/// walked with, so it is estimated.
///
/// See <https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html>.
const BYTES_AROUND_ANSWER: usize = 1100;

/// The functions, with the clients and settings that they keep from one invocation to the next.
pub struct Functions {
    caller: Arc<Caller>,
    ecs: Ecs,
    ecr: aws_sdk_ecr::Client,
    config: Config,
    /// Where the executions of all pushes are listed. Without it, how many run is told at once: nothing that AWS does hangs
    /// on that call.
    pub(crate) list: Option<Arc<Sandboxes>>,
    logged: AtomicU64,
}

/// The sandboxes of all functions.
#[derive(Debug)]
pub struct Sandboxes {
    /// Lists the executions.
    pub step_functions: Arc<StepFunctions>,
    /// Those that are idle, by their function.
    idle: Mutex<HashMap<String, Vec<Sandbox>>>,
}

/// The clients that a function keeps from one invocation to the next, with what they have read.
#[derive(Debug)]
struct Sandbox {
    executions: Executions,
    ecs: Ecs,
}

impl Sandboxes {
    /// Sandboxes whose functions list the executions of this Step Functions.
    pub fn new(step_functions: Arc<StepFunctions>) -> Arc<Self> {
        Arc::new(Self {
            step_functions,
            idle: Mutex::default(),
        })
    }

    /// One that is idle, or a new one. Who calls by it does not matter: an account knows each call by its function.
    fn take(&self, function: &str, caller: &Arc<Caller>) -> Sandbox {
        let mut idle = self.idle.lock().unwrap();
        let sandbox = idle.get_mut(function).and_then(Vec::pop);
        sandbox.unwrap_or_else(|| Sandbox {
            executions: self.step_functions.client(),
            ecs: caller.ecs(),
        })
    }

    fn put_back(&self, function: &str, sandbox: Sandbox) {
        let mut idle = self.idle.lock().unwrap();
        idle.entry(function.to_owned()).or_default().push(sandbox);
    }
}

impl Functions {
    /// The functions, which call AWS as this caller.
    pub fn new(caller: &Arc<Caller>, config: Config) -> Self {
        Self {
            caller: caller.clone(),
            ecs: caller.ecs(),
            ecr: caller.ecr(),
            config,
            list: None,
            logged: AtomicU64::new(0),
        }
    }

    /// The bytes of what the executions were given, assigned and returned, as their log has it: JSON as text in JSON. To that come
    /// the events themselves.
    pub(crate) fn logged(&self) -> u64 {
        self.logged.load(Ordering::Relaxed)
    }

    pub(crate) fn log(&self, value: &Value) {
        let text = value.to_string();
        let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        let is_answer = ["Payload", "Output"].iter().any(|member| value.get(member).is_some());
        let around = if is_answer { BYTES_AROUND_ANSWER } else { 0 };
        let bytes = u64::try_from(text.len() + escaped + around).unwrap();
        self.logged.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many executions run of the state machine that `execution` is one of.
    async fn running(&self, client: Option<&Executions>, execution: &str, now: Timestamp) -> Option<u32> {
        self.may_list(execution);
        match client {
            None => Some(self.caller.account().deploying().load(Ordering::Relaxed)),
            Some(client) => client.running(execution, now).await,
        }
    }

    /// The share of `execution` among those of its state machine that have begun a short while ago.
    async fn begun_lately(&self, client: Option<&Executions>, execution: &str, now: Timestamp) -> Option<Share> {
        self.may_list(execution);
        match client {
            None => {
                let pushes = self.caller.account().pushing().load(Ordering::Relaxed);
                let ahead = pushes.saturating_sub(1);
                Some(Share { pushes, ahead })
            }
            Some(client) => client.begun_lately(execution, now).await,
        }
    }

    fn may_list(&self, execution: &str) {
        let function = current_function().unwrap();
        let account = self.caller.account();
        account.may(&function, "states", "ListExecutions", machine_of(execution));
    }

    /// Runs an execution, which is listed by its name as long as it runs.
    pub(crate) async fn listed<T>(&self, name: &str, execution: impl Future<Output = T>) -> T {
        let account = self.caller.account();
        let count = if name.starts_with("deploy-image:") {
            account.pushing()
        } else {
            account.deploying()
        };
        count.fetch_add(1, Ordering::Relaxed);
        let begun = self
            .list
            .as_ref()
            .map(|it| it.step_functions.begin(name, account.timestamp()));
        let ended = execution.await;
        if let (Some(list), Some(begun)) = (&self.list, begun) {
            list.step_functions.end(begun);
        }
        count.fetch_sub(1, Ordering::Relaxed);
        ended
    }

    /// Invokes a function, by its placeholder, with the arguments of the Task.
    ///
    /// # Errors
    ///
    /// The function's own.
    pub async fn invoke(&self, arguments: &Value, now: Timestamp) -> Result<Value, Error> {
        let request = Request::open(arguments["Payload"].clone(), now).unwrap();
        let Self { ecs, ecr, config, .. } = self;
        let function = arguments["FunctionName"].as_str().unwrap_or_default();
        // Invocations at the same time run in different sandboxes.
        let warm = self.list.as_ref().map(|it| it.take(function, &self.caller));
        let is_cold = warm.is_none() && self.caller.account().is_on_tokios_clock();
        let fresh = is_cold.then(|| self.caller.ecs());
        let sandbox = warm.as_ref().map(|it| &it.ecs).or(fresh.as_ref()).unwrap_or(ecs);
        let client = warm.as_ref().map(|it| &it.executions);
        let execution = request.execution.id.clone();
        let answer = {
            let running = self.running(client, &execution, now);
            let pushes = async || self.begun_lately(client, &execution, now).await;
            let invoked = async || match function {
                "${findTaskDefinitions}" => {
                    let stored = async |image: &PushedImage| find_task_definitions::registry::kind_of(ecr, image).await;
                    value(find_task_definitions::handle(ecs, config, pushes, stored, request).await)
                }
                "${findMissedPushes}" => {
                    let stored = async |repository: &_| find_missed_pushes::images::stored_in(ecr, repository).await;
                    let begun = async |machine: &str, since| {
                        let account = self.caller.account();
                        let name = machine.rsplit(':').next().unwrap_or_default();
                        account.may("findMissedPushes", "states", "ListExecutions", name);
                        Ok(account.begun_since(since))
                    };
                    value(find_missed_pushes::handle(ecs, config, stored, begun, request).await)
                }
                "${registerRevision}" => value(register_revision::handle(sandbox, request).await),
                "${updateService}" => value(update_service::handle(sandbox, ecr, config, running, request).await),
                "${checkStability}" => value(check_stability::handle(sandbox, ecr, config, running, request).await),
                "${rollBack}" => value(roll_back::handle(sandbox, ecr, config, running, request).await),
                "${conclude}" => value(conclude::handle(config, request, |_| ())),
                other => panic!("{other} is no function"),
            };
            as_function(function.trim_matches(['$', '{', '}']), invoked().boxed_local()).await
        };
        if let (Some(list), Some(warm)) = (&self.list, warm) {
            list.put_back(function, warm);
        }
        answer
    }
}

fn value(answer: Result<impl Serialize, Error>) -> Result<Value, Error> {
    answer.map(|answer| serde_json::to_value(answer).unwrap())
}
