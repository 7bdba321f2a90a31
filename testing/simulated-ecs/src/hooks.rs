//! The lifecycle hooks of deployments that shift traffic: at their stages ECS waits for somebody, or for a Lambda function.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html>

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::names::{Milliseconds, digits, timestamp};
use crate::operations::{text, texts};
use crate::service::{DeploymentStatus, Service, ServiceDeployment, Stage, World};
use crate::settings::Settings;
use crate::simulation::Simulation;

/// AWS: "Default: 1440 (24 hours)".
const DEFAULT_TIMEOUT_MINUTES: f64 = 1440.0;
/// How long a function takes.
const INVOCATION_SECONDS: f64 = 10.0;
/// How long one takes whose name begins with `slow`: it asks again and again to be invoked once more.
const SLOW_SECONDS: f64 = 600.0;

/// One run of a hook.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    id: String,
    /// The ARN of the function that it invokes; none for a pause.
    function: Option<String>,
    pub(crate) status: HookStatus,
    expires_at: Milliseconds,
    /// True if the deployment goes on when the time is over, and not back.
    continues: bool,
    /// How and when the function ends; none for one that never does, and for a pause.
    ends: Option<(Milliseconds, HookStatus)>,
}

/// `lifecycleHookDetails[].status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum HookStatus {
    /// A pause: somebody has to continue it.
    AwaitingAction,
    /// The function has not ended.
    InProgress,
    Succeeded,
    /// The function failed, or somebody chose to go back. AWS does not document the second case.
    Failed,
    TimedOut,
}

impl Hook {
    fn is_open(&self) -> bool {
        matches!(self.status, HookStatus::AwaitingAction | HookStatus::InProgress)
    }

    /// Ends it if its time has come. When that is, otherwise.
    fn step(&mut self, now: Milliseconds) -> Milliseconds {
        match self.ends {
            Some((at, status)) if at <= self.expires_at => {
                if at <= now {
                    self.status = status;
                }
                at
            }
            _ => {
                if self.expires_at <= now {
                    self.status = HookStatus::TimedOut;
                }
                self.expires_at
            }
        }
    }

    /// Why the deployment has to go back because of it.
    fn failure(&self) -> Option<String> {
        match self.status {
            HookStatus::TimedOut if !self.continues => Some(format!("lifecycle hook {} timed out", self.id)),
            HookStatus::Failed => Some(format!("lifecycle hook {} failed", self.id)),
            _ => None,
        }
    }

    pub(crate) fn describe(&self) -> Value {
        let mut body = json!({
            "hookId": self.id,
            "targetType": if self.function.is_some() { "AWS_LAMBDA" } else { "PAUSE" },
            "status": self.status,
            "expiresAt": timestamp(self.expires_at),
            "timeoutAction": if self.continues { "CONTINUE" } else { "ROLLBACK" },
        });
        if let Some(function) = &self.function {
            body["targetArn"] = function.clone().into();
        }
        body
    }
}

/// The behaviour of a function, by the beginning of its name: `slow` takes ten minutes, `fail` fails, `endless` never
/// ends; any other succeeds soon.
fn end_of(settings: &Settings, now: Milliseconds, arn: &str) -> Option<(Milliseconds, HookStatus)> {
    let name = arn.split(':').nth(6).unwrap_or_default();
    let soon = settings.after(now, INVOCATION_SECONDS);
    if name.starts_with("endless") {
        None
    } else if name.starts_with("slow") {
        Some((settings.after(now, SLOW_SECONDS), HookStatus::Succeeded))
    } else if name.starts_with("fail") {
        Some((soon, HookStatus::Failed))
    } else {
        Some((soon, HookStatus::Succeeded))
    }
}

impl Service {
    /// Begins the hooks that the PRIMARY deployment has at a stage: as they were configured when it began.
    pub(crate) fn begin_hooks(&mut self, world: &World, now: Milliseconds, stage: Stage) {
        let stage = json!(stage);
        let stage = stage.as_str().unwrap_or_default();
        let entry = &mut self.history[self.deployments[0].history];
        let configured = entry.config.pointer("/lifecycleHooks").and_then(Value::as_array);
        let at_stage: Vec<Value> = configured
            .into_iter()
            .flatten()
            .filter(|hook| texts(hook, "lifecycleStages").contains(&stage))
            .cloned()
            .collect();
        for hook in at_stage {
            let number = entry.hooks.len().to_string();
            let unique = digits(world.settings.seed, &[&self.arn, &entry.id, "hook", &number]);
            let is_pause = is_pause(&hook);
            let timeout = hook
                .pointer("/timeoutConfiguration/timeoutInMinutes")
                .and_then(Value::as_f64);
            let function = (!is_pause).then(|| text(&hook, "hookTargetArn").to_owned());
            entry.hooks.push(Hook {
                id: format!("ecs-{}-{unique}", if is_pause { "pause" } else { "lambda" }),
                status: if is_pause {
                    HookStatus::AwaitingAction
                } else {
                    HookStatus::InProgress
                },
                expires_at: world
                    .settings
                    .after(now, timeout.unwrap_or(DEFAULT_TIMEOUT_MINUTES) * 60.0),
                continues: hook.pointer("/timeoutConfiguration/action") == Some(&"CONTINUE".into()),
                ends: function.as_ref().and_then(|arn| end_of(&world.settings, now, arn)),
                function,
            });
        }
    }

    /// True if the PRIMARY deployment waits at a hook, or has to go back because of one: then it goes no further.
    pub(crate) fn waits_at_hooks(&mut self, now: Milliseconds) -> bool {
        let entry = &mut self.history[self.deployments[0].history];
        let mut next: Option<Milliseconds> = None;
        for hook in entry.hooks.iter_mut().filter(|hook| hook.is_open()) {
            let at = hook.step(now);
            if hook.is_open() {
                next = next.into_iter().chain([at]).min();
            } else {
                entry.updated_at = now;
            }
        }
        let is_over = entry.hook_failure().is_some();
        if let Some(at) = next {
            self.wake_at(at);
        }
        next.is_some() || is_over
    }
}

impl ServiceDeployment {
    /// Nobody waits any more: another deployment replaces it, or it goes back.
    pub(crate) fn close_hooks(&mut self) {
        self.hooks.retain(|hook| !hook.is_open());
    }

    /// Why it has to go back because of a hook.
    pub(crate) fn hook_failure(&self) -> Option<String> {
        self.hooks.iter().find_map(Hook::failure)
    }
}

fn is_pause(hook: &Value) -> bool {
    text(hook, "targetType") == "PAUSE"
}

/// Checks the hooks that a request configures.
///
/// # Errors
/// `InvalidParameterException` for a pause at a stage where AWS has none, and for a function that is not named. AWS documents
/// no words.
pub(crate) fn check(request: &Value) -> Result<(), ApiError> {
    let hooks = request
        .pointer("/deploymentConfiguration/lifecycleHooks")
        .and_then(Value::as_array);
    for hook in hooks.into_iter().flatten() {
        let stages = texts(hook, "lifecycleStages");
        let unpausable = ["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"];
        if stages.is_empty() {
            return Err(ApiError::invalid("A lifecycle hook must have lifecycleStages."));
        }
        if is_pause(hook) && stages.iter().any(|stage| unpausable.contains(stage)) {
            return Err(ApiError::invalid(
                "PAUSE lifecycle hooks are not supported at TEST_TRAFFIC_SHIFT and PRODUCTION_TRAFFIC_SHIFT.",
            ));
        }
        if !is_pause(hook) && text(hook, "hookTargetArn").is_empty() {
            return Err(ApiError::invalid(
                "AWS_LAMBDA lifecycle hooks must have a hookTargetArn.",
            ));
        }
    }
    Ok(())
}

/// `ContinueServiceDeployment`.
///
/// AWS documents which errors there are and not which is when: a hook that is not there is taken for a wrong parameter, one that
/// does not wait for somebody for a client's error.
pub(crate) fn proceed(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let arn = text(request, "serviceDeploymentArn");
    let (index, place) = simulation.find_deployment(arn)?;
    let goes_back = text(request, "action") == "ROLLBACK";
    let entry = &mut simulation.services[index as usize].history[place];
    let status = entry.status;
    let id = text(request, "hookId");
    let hook = entry.hooks.iter_mut().find(|hook| hook.id == id);
    let hook = hook.ok_or_else(|| ApiError::invalid("The lifecycle hook was not found."))?;
    if status != DeploymentStatus::InProgress || hook.status != HookStatus::AwaitingAction {
        return Err(ApiError::new(
            "ClientException",
            "The lifecycle hook is not in AWAITING_ACTION status.",
        ));
    }
    hook.status = if goes_back {
        HookStatus::Failed
    } else {
        HookStatus::Succeeded
    };
    entry.updated_at = now;
    simulation.touch(index, now);
    Ok(json!({"serviceDeploymentArn": arn}))
}
