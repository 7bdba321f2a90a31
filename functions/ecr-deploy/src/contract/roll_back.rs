//! The input and the output of roll-back.

use crate::contract::check_stability::Check;
use crate::contract::common::Rollout;
use crate::contract::register_revision::RollbackCopy;
use crate::domain::arn::{RevisionName, TaskDefinitionArn};
use crate::domain::push::PushedImage;
use crate::domain::stage::RolloutSettings;
use serde::{Deserialize, Serialize};

/// What roll-back takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollBack {
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
    /// How many services the push deploys to: the more, the less often each is read.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// What roll-back returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// How it goes back.
    pub method: RollbackMethod,
    /// The rollout to watch; `None` when there is nothing to go back from, or with `REGISTRATION_NEEDED`.
    pub rollout: Option<Rollout>,
    /// The revision to register, with `REGISTRATION_NEEDED`.
    #[serde(default)]
    pub register: Option<RollbackRevision>,
    /// Whether the revision that it goes back to was registered for the push too.
    pub has_image: bool,
    /// Whether tasks stopped since a container crashed that runs the pushed repository. If not, and the revision that it goes back to has
    /// the image, then what failed came in with another push, and the service has the image when it is back.
    pub image_failed: bool,
    /// For a person.
    pub message: String,
    /// In how many seconds to read it.
    pub wait: u32,
}

/// A revision that has to be registered before a service can be rolled back to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackRevision {
    /// The last good revision, which it is made from.
    pub task_definition: RevisionName,
    /// What it has in place of the pushed image.
    pub rollback: RollbackCopy,
}

/// How a service goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RollbackMethod {
    /// ECS was told to stop the deployment and to go back to what ran before, contents and all.
    StoppedDeployment,
    /// The service was updated to the last good revision.
    UpdatedService,
    /// The service was updated to a copy of the last good revision that is pinned to its old contents.
    PinnedRevision,
    /// The service was updated to a copy of the last good revision, which itself was deregistered.
    CopiedRevision,
    /// Nothing was touched: the revision to go back to has to be registered first, which no step may that moves services.
    RegistrationNeeded,
    /// It goes back by itself, or is back; it is only watched.
    Watching,
    /// A newer push is there, which is not touched.
    Superseded,
    /// Another deployment, of no newer push, is there, which is not touched.
    Displaced,
    /// The service, or its cluster, is not there any more.
    ServiceDeleted,
}
