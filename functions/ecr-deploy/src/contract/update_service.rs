//! The input and the output of update-service.

use crate::contract::common::Rollout;
use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::push::PushedImage;
use crate::domain::stage::RolloutSettings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What update-service takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateService {
    /// The pushed image.
    pub image: PushedImage,
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// The revision to move it to.
    pub task_definition: TaskDefinitionArn,
    /// The revision that `task_definition` was made from. A service that has moved on from it gets a new revision
    /// first, so that nobody's change is undone.
    pub source: TaskDefinitionArn,
    /// Until when to wait for its turn; `None` the first time.
    pub deadline: Option<Timestamp>,
    /// Since when the image is wanted again, although it may have failed here before: the time of a redrive, or when this
    /// execution last began or found a rollout, whose place something may have taken that has to give way. `None` where it is
    /// wanted since its push only.
    pub wanted_since: Option<Timestamp>,
    /// Whether the family had a revision of the push, as [`crate::contract::RegisteredRevision`] says. Another execution of the push, under
    /// another tag of the image or started by a person, may have deployed it here then, and it is not tried again.
    pub repeated: bool,
    /// How many services the push deploys to: the more, the less often each is read.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// What update-service returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceUpdate {
    /// What came of it.
    pub outcome: UpdateOutcome,
    /// The rollout to watch, with `STARTED` and `ALREADY_DEPLOYED`.
    pub rollout: Option<Rollout>,
    /// The last good revision: what to go back to. `None` when there is none.
    pub previous: Option<TaskDefinitionArn>,
    /// The revision that the service is on now, with `REBASE`: what a new revision has to be made from.
    pub source: Option<TaskDefinitionArn>,
    /// Until when it may take: for the rollout, or for the wait with `ROLLING_BACK` and `REBASE`.
    pub deadline: Timestamp,
    /// In how many seconds to read it.
    pub wait: u32,
    /// For a person.
    pub message: String,
}

/// What came of an attempt to update a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpdateOutcome {
    /// A rollout has begun.
    Started,
    /// The service is on the image already, or on its way there.
    AlreadyDeployed,
    /// A newer push is there.
    Superseded,
    /// A rollback is under way; a deployment now would have nothing to go back to.
    RollingBack,
    /// The service has moved to another revision since the plan was made.
    Rebase,
    /// The service, or its cluster, is not there.
    ServiceDeleted,
}
