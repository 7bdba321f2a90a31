//! The input and the output of register-revision.

use crate::domain::arn::{RevisionName, TaskDefinitionArn};
use crate::domain::image::ImageDigest;
use crate::domain::push::PushedImage;
use crate::domain::stage::RolloutSettings;
use serde::{Deserialize, Serialize};

/// The input of register-revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterRevision {
    /// The pushed image.
    pub image: PushedImage,
    /// The revision that the new one is made from.
    pub task_definition: RevisionName,
    /// How the stage deploys.
    pub settings: RolloutSettings,
    /// The rollback that the new one is for; `None` when it is for the push.
    #[serde(default)]
    pub rollback: Option<RollbackCopy>,
}

/// The image of a revision for a rollback, in place of the pushed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackCopy {
    /// The digest that the containers of the image's repository are pinned to; `None` when they stay as they are, since the
    /// revision was only deregistered.
    pub digest: Option<ImageDigest>,
    /// The revision that is rolled back.
    pub rolls_back: TaskDefinitionArn,
}

/// The output of register-revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisteredRevision {
    /// The revision with the new image.
    pub task_definition: TaskDefinitionArn,
    /// The revision that it was made from.
    pub source: TaskDefinitionArn,
    /// True if the family had a revision of this push already, this one or another.
    pub repeated: bool,
    /// A note about a newer revision that somebody else has registered; `None` where there is none, or where the stage
    /// does not ask for one.
    pub base: Option<BaseNote>,
}

/// A note about the family's newest revision that somebody else has registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BaseNote {
    /// The revision whose members the new one has.
    pub task_definition: RevisionName,
    /// The members by which it differs from the one that runs, by their names: `cpu`, `environment of web`. Images that pushes move
    /// are not among them.
    pub differs: Vec<String>,
    /// For a person.
    pub message: String,
}
