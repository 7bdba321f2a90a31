//! The input and the output of roll-back.

use crate::contract::check_stability::Check;
use crate::contract::common::Rollout;
use crate::contract::register_revision::RollbackCopy;
use crate::domain::arn::{RevisionName, TaskDefinitionArn};
use crate::domain::push::PushedImage;
use crate::domain::stage::RolloutSettings;
use serde::{Deserialize, Serialize};

/// The input of roll-back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollBackInput {
    /// The pushed image.
    pub image: PushedImage,
    /// The rollout that failed.
    pub rollout: Rollout,
    /// The last good revision.
    pub previous: Option<TaskDefinitionArn>,
    /// The last read of the rollout; `None` when there was none.
    pub check: Option<Check>,
    /// The revision that was registered for the rollback, when one was needed.
    #[serde(default)]
    pub registered: Option<TaskDefinitionArn>,
    /// The revision that an operator wants, in place of the last good one: of the family that the service runs.
    #[serde(default)]
    pub to: Option<TaskDefinitionArn>,
    /// How many services the push deploys to: the more, the less often each is read.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// The output of roll-back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollBackOutput {
    /// How the service goes back. It also refuses unknown members of the whole output.
    #[serde(flatten)]
    pub method: RollbackMethod,
    /// For a person.
    pub message: String,
    /// In how many seconds to read the service.
    pub wait: u32,
}

/// How a service goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "method",
    rename_all = "SCREAMING_SNAKE_CASE",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum RollbackMethod {
    /// ECS was told to stop the deployment and to go back to what ran before, contents and all.
    StoppedDeployment(WatchedRollback),
    /// The service was updated to the last good revision.
    UpdatedService(WatchedRollback),
    /// The service was updated to a copy of the last good revision that is pinned to its old contents.
    PinnedRevision(WatchedRollback),
    /// The service was updated to a copy of the last good revision, which itself was deregistered.
    CopiedRevision(WatchedRollback),
    /// It goes back by itself, or is back; it is only watched.
    Watching(WatchedRollback),
    /// Nothing was touched: the revision to go back to has to be registered first, which no step may that moves services.
    RegistrationNeeded {
        /// The revision to register.
        register: RollbackRevision,
    },
    /// A newer push is there, which is not touched.
    Superseded {},
    /// Another deployment, of no newer push, is there, which is not touched.
    Displaced {},
    /// The service, or its cluster, is not there any more.
    ServiceDeleted {},
}

impl RollbackMethod {
    /// Its name, for the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StoppedDeployment(_) => "StoppedDeployment",
            Self::UpdatedService(_) => "UpdatedService",
            Self::PinnedRevision(_) => "PinnedRevision",
            Self::CopiedRevision(_) => "CopiedRevision",
            Self::Watching(_) => "Watching",
            Self::RegistrationNeeded { .. } => "RegistrationNeeded",
            Self::Superseded {} => "Superseded",
            Self::Displaced {} => "Displaced",
            Self::ServiceDeleted {} => "ServiceDeleted",
        }
    }

    /// The rollback to watch; `None` where nothing goes back.
    #[must_use]
    pub fn watched(&self) -> Option<&WatchedRollback> {
        match self {
            Self::StoppedDeployment(watched)
            | Self::UpdatedService(watched)
            | Self::PinnedRevision(watched)
            | Self::CopiedRevision(watched)
            | Self::Watching(watched) => Some(watched),
            Self::RegistrationNeeded { .. } | Self::Superseded {} | Self::Displaced {} | Self::ServiceDeleted {} => {
                None
            }
        }
    }
}

/// A rollback to watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchedRollback {
    /// Its rollout.
    pub rollout: Rollout,
    /// True if the revision that it goes back to was registered for the push too.
    pub has_image: bool,
    /// True if a container with the pushed repository crashed. If false while `has_image` is true, another push brought
    /// in the failure, and the service keeps this image.
    pub image_failed: bool,
    /// The revision that the service leaves, if another push made it after the failed one. It has the image too, and
    /// that push is taken back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<TaskDefinitionArn>,
}

/// A revision that has to be registered before a service can be rolled back to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRevision {
    /// The last good revision, which it is made from.
    pub task_definition: RevisionName,
    /// Its image, in place of the pushed one.
    pub rollback: RollbackCopy,
}
