//! The input and the output of update-service.

use crate::contract::common::Rollout;
use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::push::PushedImage;
use crate::domain::stage::RolloutSettings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The input of update-service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateInput {
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
    /// Until when the service may be tried again; `None` the first time.
    pub deadline: Option<Timestamp>,
    /// Since when the image is wanted again, although it may have failed here before: the time of a redrive, or when the rollout
    /// began that this execution last began or found, since a deployment that has replaced that one may have to give way. `None`
    /// where the image is wanted since its push only.
    pub wanted_since: Option<Timestamp>,
    /// True if the family had a revision of the push, as [`crate::contract::RegisteredRevision`] says. Another execution of the push, under
    /// another tag of the image or started by a person, may have deployed it here then, and it is not tried again.
    pub repeated: bool,
    /// How many services the push deploys to: the more, the less often each is read.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// The output of update-service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateOutput {
    /// The outcome. It also refuses unknown members of the whole output.
    #[serde(flatten)]
    pub outcome: UpdateOutcome,
    /// Until when it may take: for the rollout, or for the wait with `ROLLING_BACK` and `REBASE`.
    pub deadline: Timestamp,
    /// In how many seconds to read the service.
    pub wait: u32,
    /// For a person.
    pub message: String,
}

/// The outcome of an attempt to update a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "SCREAMING_SNAKE_CASE",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum UpdateOutcome {
    /// A rollout has begun.
    Started(WatchedUpdate),
    /// The service is on the image already, or on its way there.
    AlreadyDeployed(WatchedUpdate),
    /// A newer push is there.
    Superseded {},
    /// Its tag `ecr-deploy:hold` keeps it as it is: somebody has set that since the plan was made.
    OnHold {},
    /// A rollback is under way; a deployment now would have nothing to go back to.
    RollingBack {},
    /// The service has moved to another revision since the plan was made.
    Rebase {
        /// The revision that the service is on now: a new revision has to be made from it.
        source: TaskDefinitionArn,
    },
    /// The service, or its cluster, is not there.
    ServiceDeleted {},
    /// An operator wants the service back from a rollout. No step returns this: an execution that only takes a service back begins
    /// with it.
    RollBack(WatchedUpdate),
}

/// The rollout of a service that is on the image, or on its way there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchedUpdate {
    /// The rollout to watch.
    pub rollout: Rollout,
    /// The last good revision: the one to go back to. `None` when there is none.
    pub previous: Option<TaskDefinitionArn>,
}

impl UpdateOutcome {
    /// Its name, for the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started(_) => "Started",
            Self::AlreadyDeployed(_) => "AlreadyDeployed",
            Self::Superseded {} => "Superseded",
            Self::OnHold {} => "OnHold",
            Self::RollingBack {} => "RollingBack",
            Self::Rebase { .. } => "Rebase",
            Self::ServiceDeleted {} => "ServiceDeleted",
            Self::RollBack(_) => "RollBack",
        }
    }

    /// The update whose rollout is, or was, to be watched; `None` when the service was left as it is.
    #[must_use]
    pub fn watched(&self) -> Option<&WatchedUpdate> {
        match self {
            Self::Started(watched) | Self::AlreadyDeployed(watched) | Self::RollBack(watched) => Some(watched),
            Self::Superseded {}
            | Self::OnHold {}
            | Self::RollingBack {}
            | Self::Rebase { .. }
            | Self::ServiceDeleted {} => None,
        }
    }
}
