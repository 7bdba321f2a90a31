//! A service and what belongs to it: deployments, service deployments, service revisions, tasks, events.

use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::behaviour::Behaviour;
use crate::hooks::Hook;
use crate::names::Milliseconds;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::task::Task;

/// The things that services share: the settings, the registry, which alarms are in ALARM, and of which images no task
/// starts for now.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) alarms: BTreeSet<String>,
    pub(crate) held_images: BTreeSet<String>,
    /// Clusters and families that no list has any more.
    pub(crate) unlisted: BTreeSet<String>,
}

/// `deployments[].rolloutState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RolloutState {
    /// On its way, for ever if need be.
    InProgress,
    /// The service reached a steady state on it.
    Completed,
    /// The circuit breaker or an alarm ended it: it starts no more tasks.
    Failed,
}

/// The status of a service deployment, as `ListServiceDeployments` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DeploymentStatus {
    /// Accepted, not begun.
    Pending,
    /// Under way.
    InProgress,
    /// The target revision runs alone.
    Successful,
    /// A stop without a rollback was asked for.
    StopRequested,
    /// Ended: replaced by another deployment, stopped, or failed without a rollback.
    Stopped,
    /// A rollback was asked for.
    RollbackRequested,
    /// Going back to the source revision.
    RollbackInProgress,
    /// The source revision runs alone again.
    RollbackSuccessful,
    /// The rollback did not get there.
    RollbackFailed,
}

impl DeploymentStatus {
    /// True if anything can still happen to it.
    pub(crate) fn is_under_way(self) -> bool {
        use DeploymentStatus as Status;
        matches!(
            self,
            Status::Pending
                | Status::InProgress
                | Status::StopRequested
                | Status::RollbackRequested
                | Status::RollbackInProgress
        )
    }

    /// True if it is rolling back.
    pub(crate) fn is_rolling_back(self) -> bool {
        matches!(self, Self::RollbackRequested | Self::RollbackInProgress)
    }
}

/// A container of a service revision: its image, and the digest it stood for when the deployment started. Without
/// version consistency it has none: each task pulls what the tag stands for by then.
#[derive(Debug, Clone)]
pub(crate) struct RevisionContainer {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) essential: bool,
    pub(crate) is_consistent: bool,
    pub(crate) digest: Option<String>,
    pub(crate) behaviour: Behaviour,
}

/// The subject of a deployment: a task definition with the digests that its tags had.
#[derive(Debug, Clone)]
pub(crate) struct ServiceRevision {
    pub(crate) id: String,
    pub(crate) task_definition: String,
    pub(crate) created_at: Milliseconds,
    /// True if tags have been resolved. Done once, when the first deployment of it starts.
    pub(crate) resolved: bool,
    pub(crate) containers: Vec<RevisionContainer>,
    pub(crate) has_health_check: bool,
    /// True if a container takes a port of its host, so that no two tasks fit on one container instance.
    pub(crate) has_host_port: bool,
    /// The members of the service that are copied into the revision, as they were.
    pub(crate) config: Map<String, Value>,
}

/// A stage of a blue/green, linear or canary deployment, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Stage {
    ReconcileService,
    PreScaleUp,
    ScaleUp,
    PostScaleUp,
    TestTrafficShift,
    PostTestTrafficShift,
    PreProductionTrafficShift,
    ProductionTrafficShift,
    PostProductionTrafficShift,
    BakeTime,
    CleanUp,
}

/// An entry of `deployments[]`.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) number: u32,
    pub(crate) id: String,
    pub(crate) revision: usize,
    /// The service deployment it belongs to, by its place in the history.
    pub(crate) history: usize,
    pub(crate) created_at: Milliseconds,
    pub(crate) updated_at: Milliseconds,
    /// When it leaves PENDING and resolves its tags; None once it has.
    pub(crate) starts_at: Option<Milliseconds>,
    pub(crate) rollout: RolloutState,
    pub(crate) reason: String,
    pub(crate) is_rollback: bool,
    /// Alarms that were in ALARM when it began, which end it no more: it may be the way out.
    pub(crate) ignored_alarms: Vec<String>,
    /// Starts no more tasks.
    pub(crate) stalled: bool,
    pub(crate) failed_tasks: u32,
    pub(crate) breaker_failures: u32,
    pub(crate) launched: u32,
    pub(crate) next_launch_at: Option<Milliseconds>,
    /// Since when exactly its tasks, all ready, are what runs.
    pub(crate) settled_since: Option<Milliseconds>,
    pub(crate) stage: Option<(Stage, Option<Milliseconds>)>,
    /// How often production traffic has been shifted.
    pub(crate) shifts: u32,
}

/// An entry of the history that `ListServiceDeployments` shows.
#[derive(Debug, Clone)]
pub(crate) struct ServiceDeployment {
    pub(crate) id: String,
    pub(crate) created_at: Milliseconds,
    pub(crate) started_at: Option<Milliseconds>,
    pub(crate) finished_at: Option<Milliseconds>,
    pub(crate) stopped_at: Option<Milliseconds>,
    pub(crate) updated_at: Milliseconds,
    pub(crate) sources: Vec<usize>,
    pub(crate) target: usize,
    /// The revision a rollback goes to: the last that completed. None for the first deployment of a service and for
    /// one begun while a rollback is under way.
    pub(crate) rollback_target: Option<usize>,
    pub(crate) status: DeploymentStatus,
    pub(crate) status_reason: Option<String>,
    pub(crate) rollback: Option<(String, Milliseconds, usize)>,
    pub(crate) breaker_triggered: bool,
    pub(crate) breaker_failures: u32,
    pub(crate) triggered_alarms: Vec<String>,
    /// When a requested stop or rollback is carried out.
    pub(crate) request_due_at: Option<Milliseconds>,
    /// The hooks that have begun, unless they were open when nobody could wait for them any more.
    pub(crate) hooks: Vec<Hook>,
    pub(crate) config: Value,
}

/// ACTIVE, then DRAINING while its tasks stop, then INACTIVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ServiceStatus {
    Active,
    Draining,
    Inactive,
}

/// Who moves the service to another task definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Ecs,
    CodeDeploy,
    External,
}

/// The state that reads show for a while after a write that they have not caught up with.
#[derive(Debug, Clone)]
pub(crate) struct Stale {
    pub(crate) until: Milliseconds,
    pub(crate) service: Value,
    pub(crate) service_deployments: Vec<Value>,
}

/// A service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) index: u32,
    pub(crate) cluster: String,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) status: ServiceStatus,
    pub(crate) inactive_at: Option<Milliseconds>,
    pub(crate) created_at: Milliseconds,
    pub(crate) desired_count: u32,
    pub(crate) controller: Controller,
    pub(crate) is_daemon: bool,
    /// In Express Mode.
    pub(crate) is_express: bool,
    pub(crate) task_definition: String,
    /// Members of `CreateService` and `UpdateService` that are returned as they came.
    pub(crate) config: Map<String, Value>,
    pub(crate) tags: Vec<Value>,
    /// The PRIMARY first, then what it replaces, newest first.
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) revisions: Vec<ServiceRevision>,
    pub(crate) history: Vec<ServiceDeployment>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) stopped: VecDeque<Task>,
    pub(crate) events: VecDeque<(String, Milliseconds, String)>,
    pub(crate) event_count: u64,
    /// When an event said that no task can be placed or launched, and why. None: not yet, or one could be since.
    pub(crate) told_unplaced: Option<(Milliseconds, &'static str)>,
    pub(crate) deployment_count: u32,
    pub(crate) task_count: u64,
    pub(crate) last_completed: Option<usize>,
    pub(crate) stale: Option<Stale>,
    pub(crate) steady: bool,
    /// When the scheduler has to read again, apart from what its tasks wait for.
    pub(crate) wake: Option<Milliseconds>,
}

const KEPT_EVENTS: usize = 100;

impl Service {
    /// A member of `deploymentConfiguration`, by its path.
    pub(crate) fn setting(&self, path: &str) -> Option<&Value> {
        self.config.get("deploymentConfiguration")?.pointer(path)
    }

    pub(crate) fn flag(&self, path: &str) -> bool {
        self.setting(path).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn number(&self, path: &str) -> Option<f64> {
        self.setting(path).and_then(Value::as_f64)
    }

    /// ROLLING, `BLUE_GREEN`, LINEAR or CANARY.
    pub(crate) fn strategy(&self) -> &str {
        self.setting("/strategy").and_then(Value::as_str).unwrap_or("ROLLING")
    }

    /// How long its load balancer takes to take a task out: the `deregistration_delay.timeout_seconds` of its target group, which
    /// belongs to another API. A target group whose name ends with `-drains-300` has one of 300 seconds, any other none.
    pub(crate) fn deregistration_seconds(&self) -> f64 {
        let balancers = self.config.get("loadBalancers").and_then(Value::as_array);
        let seconds = balancers.into_iter().flatten().filter_map(|balancer| {
            let name = balancer.get("targetGroupArn")?.as_str()?.split('/').nth(1)?;
            name.rsplit_once("-drains-")?.1.parse::<f64>().ok()
        });
        seconds.fold(0.0, f64::max)
    }

    /// How many tasks should run: the desired count, or one on each container instance.
    pub(crate) fn wanted(&self, settings: &Settings) -> u32 {
        if self.is_daemon {
            settings.container_instances
        } else {
            self.desired_count
        }
    }

    pub(crate) fn event(&mut self, settings: &Settings, now: Milliseconds, message: &str) {
        self.event_count += 1;
        let id = crate::simulation::uuid(settings.seed, &[&self.arn, "event", &self.event_count.to_string()]);
        self.events
            .push_front((id, now, format!("(service {}) {message}", self.name)));
        self.events.truncate(KEPT_EVENTS);
    }

    /// Asks for another read this moment at the latest.
    pub(crate) fn wake_at(&mut self, at: Milliseconds) {
        self.wake = Some(self.wake.map_or(at, |earlier| earlier.min(at)));
    }

    /// When the service has to be read next; None: never, if nobody touches it.
    pub(crate) fn next_wake(&self) -> Option<Milliseconds> {
        self.tasks.iter().filter_map(|task| task.next_at).chain(self.wake).min()
    }

    /// Live tasks of a deployment.
    pub(crate) fn live(&self, deployment: u32) -> impl Iterator<Item = &Task> {
        self.tasks
            .iter()
            .filter(move |task| task.is_live() && task.deployment == deployment)
    }
}
