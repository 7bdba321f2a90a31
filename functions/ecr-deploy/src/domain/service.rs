//! A service is what a read of ECS shows of it: its deployments, its service deployments, its stopped tasks. Plain data
//! for the decisions; [`crate::aws::ecs`] reads it.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html>.

mod event;
mod record;
mod stopped;
mod strategy;

use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
pub use event::ServiceEvent;
use jiff::{SignedDuration, Timestamp};
pub use record::{ContainerDigest, ServiceDeployment, ServiceDeploymentStatus, good, last_good};
pub use stopped::{StoppedContainer, StoppedTask};
pub use strategy::Strategy;

/// One read of a service, by `DescribeServices`.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The cluster it is in.
    pub cluster: ClusterName,
    /// Its name.
    pub name: ServiceName,
    /// Its status, as far as a deployment asks for it.
    pub status: ServiceStatus,
    /// The controller that deploys it.
    pub controller: Controller,
    /// The revisions it names: its own, or those of its task sets under the controllers `EXTERNAL` and `CODE_DEPLOY`.
    pub task_definitions: Vec<TaskDefinitionArn>,
    /// The tags by which its owner tells what may move it. Empty where they were not asked for.
    pub tags: ServiceTags,
    /// How many tasks it should run.
    pub desired_count: u32,
    /// How many tasks it runs, of all its deployments.
    pub running_count: u32,
    /// How many tasks it is starting.
    pub pending_count: u32,
    /// Its deployments, in AWS's order. Only filled under the controller `ECS`.
    pub deployments: Vec<Deployment>,
    /// At how many crashed tasks a deployment counts as a crash loop.
    pub crash_threshold: CrashThreshold,
    /// How long ECS waits in a deployment of it by plan, whatever its tasks do: see [`Strategy::planned_wait`].
    pub planned_wait: SignedDuration,
    /// True if ECS may call a rollout complete before all of its tasks run: `earlySuccessCriteria`.
    pub completes_early: bool,
    /// True if its deployments may wait at lifecycle hooks, for a person or a Lambda function.
    pub has_lifecycle_hooks: bool,
    /// True if ECS manages it in Express Mode. ECS may then refuse calls that it takes for other services.
    pub is_express: bool,
    /// The service's events, in ECS's words, newest first.
    pub events: Vec<ServiceEvent>,
}

impl Service {
    /// The deployment that ECS is moving the service to, or has moved it to.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.is_primary)
    }

    /// The newest deployment of `revision`, if there is one.
    #[must_use]
    pub fn deployment_of(&self, revision: &TaskDefinitionArn) -> Option<&Deployment> {
        let of_revision = self
            .deployments
            .iter()
            .filter(|deployment| deployment.task_definition == *revision);
        of_revision.max_by_key(|deployment| (deployment.is_primary, deployment.created_at))
    }

    /// True if it has changed since `before`: another deployment has begun or is gone, is the primary one, is of
    /// another revision or in another state. The number of tasks says nothing: they come and go.
    #[must_use]
    pub fn has_moved_since(&self, before: &Self) -> bool {
        let is_in = |deployments: &[Deployment], it: &Deployment| {
            deployments.iter().any(|other| {
                (&other.id, other.is_primary, &other.task_definition, other.rollout_state)
                    == (&it.id, it.is_primary, &it.task_definition, it.rollout_state)
            })
        };
        before.deployments.len() != self.deployments.len()
            || !before.deployments.iter().all(|it| is_in(&self.deployments, it))
    }

    /// True if this read shows the rollout of a record, or a later one: a deployment is of its revision, or began no earlier.
    #[must_use]
    pub fn shows(&self, record: &ServiceDeployment) -> bool {
        let mut deployments = self.deployments.iter();
        deployments.any(|it| it.task_definition == record.target || it.created_at >= record.created_at)
    }

    /// True if its newest rollout is complete and all of its tasks run.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.primary().is_some_and(|primary| {
            matches!(primary.rollout_state, None | Some(RolloutState::Completed))
                && primary.running_count >= primary.desired_count
        })
    }

    /// How many tasks of other deployments only drain, where ECS has all that it wants of the primary one and wants none of theirs.
    /// Task protection keeps a task up to 48 hours, and deregistration from a target up to one. Zero while ECS wants any of them
    /// still: then the new ones run, but do not count for it yet.
    #[must_use]
    pub fn draining(&self) -> u32 {
        let others = || self.deployments.iter().filter(|other| !other.is_primary);
        let is_there = self
            .primary()
            .is_some_and(|primary| primary.running_count >= primary.desired_count && primary.pending_count == 0);
        if !is_there || others().any(|other| other.desired_count > 0) {
            return 0;
        }
        others().map(|other| other.running_count).sum()
    }

    /// True if the primary deployment began at least one `rollout_timeout` before `now`, and only old tasks that drain are left of
    /// its rollout. Such a rollout was called stable, though ECS has not completed it.
    #[must_use]
    pub fn only_drains(&self, now: Timestamp, rollout_timeout: SignedDuration) -> bool {
        let age = |primary: &Deployment| now.duration_since(primary.created_at);
        self.draining() > 0 && self.primary().is_some_and(|primary| age(primary) >= rollout_timeout)
    }

    /// How long a rollout, or a rollback, of it may take: `rollout_timeout`, and the waits that ECS plans by its strategy.
    #[must_use]
    pub fn rollout_time(&self, rollout_timeout: SignedDuration) -> SignedDuration {
        strategy::rollout_time(rollout_timeout, self.planned_wait)
    }

    /// "web in production", as messages name it.
    #[must_use]
    pub fn title(&self) -> String {
        title(&self.cluster, &self.name)
    }
}

/// "web in production", as messages name a service.
#[must_use]
pub fn title(cluster: &ClusterName, service: &ServiceName) -> String {
    format!("{service} in {cluster}")
}

/// The tags of a service that tell what may move it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceTags {
    /// Of `ecr-deploy:stage`: the name of a stage, or `off`.
    pub stage: Option<String>,
    /// Of `ecr-deploy:hold`: why it stays as it is, and until when.
    pub hold: Option<String>,
}

impl ServiceTags {
    /// The tag that names a service's stage, or says `off`. It beats what stages select.
    pub const STAGE: &'static str = "ecr-deploy:stage";
    /// The tag that keeps a service as it is: a text for people, or `until <time> <text>`.
    pub const HOLD: &'static str = "ecr-deploy:hold";
}

/// The status of a service, as far as a deployment asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceStatus {
    /// It runs, or is in a state that is not known: not gone.
    Active,
    /// It is being deleted.
    Draining,
    /// It is deleted.
    Inactive,
}

/// The controller that deploys a service.
///
/// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentController.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// ECS itself: rolling, and native blue/green, linear and canary.
    Ecs,
    /// `CodeDeploy`. ECS refuses a new task definition from anyone else.
    CodeDeploy,
    /// A deployer of the user's own, by task sets.
    External,
    /// One that is not known.
    Unknown,
}

/// One entry of a service's `deployments[]`.
///
/// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html>.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// `ecs-svc/1234567890123456789`; the tasks it starts carry it as `startedBy`.
    pub id: String,
    /// True if this is the most recent deployment.
    pub is_primary: bool,
    /// The revision it runs.
    pub task_definition: TaskDefinitionArn,
    /// How far it is. `None` where ECS does not say: behind a Classic Load Balancer, and on old services.
    pub rollout_state: Option<RolloutState>,
    /// Why it is so.
    pub rollout_state_reason: Option<String>,
    /// How many tasks it should run.
    pub desired_count: u32,
    /// How many tasks it runs.
    pub running_count: u32,
    /// How many tasks it is starting.
    pub pending_count: u32,
    /// How many of its tasks failed to reach RUNNING since the last one that did. ECS counts those, too, that it could not
    /// launch at all, of which no stopped task tells.
    pub failed_tasks: u32,
    /// When it began.
    pub created_at: Timestamp,
}

impl Deployment {
    /// True if ECS says that it began this deployment to roll another one back.
    #[must_use]
    pub fn says_rollback(&self) -> bool {
        self.rollout_state_reason.as_deref().is_some_and(|reason| {
            let reason = reason.to_ascii_lowercase();
            reason.contains("rollback") || reason.contains("rolling back")
        })
    }
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutState {
    /// Under way, or in a state that is not known: not finished.
    InProgress,
    /// Every task runs and, with alarms, the bake time is over.
    Completed,
    /// The circuit breaker or an alarm stopped it.
    Failed,
}

/// The number of crashed tasks at which a deployment counts as a crash loop: the threshold of the service's own circuit breaker,
/// also where that is off
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ThresholdConfiguration.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashThreshold {
    /// This part of the desired tasks, in percent; at least 3 tasks, at most 200.
    BoundedPercent(u32),
    /// This part of the desired tasks, in percent.
    UnboundedPercent(u32),
    /// So many.
    Count(u32),
}

impl Default for CrashThreshold {
    /// ECS's own: half of the desired tasks.
    fn default() -> Self {
        Self::BoundedPercent(50)
    }
}

impl CrashThreshold {
    /// How many tasks that is where `desired_count` are desired; at least one.
    #[must_use]
    pub fn tasks(self, desired_count: u32) -> usize {
        // ECS was observed to round up for the default; for another percentage it is not documented.
        let part = |percent: u32| (u64::from(desired_count) * u64::from(percent)).div_ceil(100);
        let tasks = match self {
            Self::BoundedPercent(percent) => part(percent).clamp(3, 200),
            Self::UnboundedPercent(percent) => part(percent).max(1),
            Self::Count(count) => u64::from(count).max(1),
        };
        usize::try_from(tasks).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests;
