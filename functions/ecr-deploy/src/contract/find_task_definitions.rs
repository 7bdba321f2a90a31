//! The output of find-task-definitions: the plan. Its input is the event as it came.

use crate::contract::common::Skipped;
use crate::contract::events::StateChange;
use crate::domain::arn::{ClusterName, RevisionName, ServiceName};
use crate::domain::image::ImageTag;
use crate::domain::is_default;
use crate::domain::push::PushedImage;
use crate::domain::stage::{RolloutSettings, StageName};
use serde::{Deserialize, Serialize};

/// The output of find-task-definitions: the services to deploy, and those that are skipped, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The pushed image; `None` when the event holds none, and then there is nothing to deploy.
    pub image: Option<PushedImage>,
    /// How what is planned is deployed: each planned revision names one of these by its place.
    pub settings: Vec<RolloutSettings>,
    /// One entry per revision in use that runs the image's repository, and for each of its stages that are deployed in another way.
    /// May be empty.
    pub revisions: Vec<PlannedRevision>,
    /// The next waves, when all of that is stable: those of the stages that come `after` others.
    pub later: Vec<Wave>,
    /// The tags that the image gets once the services of a stage are stable on it.
    pub tags: Vec<StageTag>,
    /// The services and families that are skipped. When `revisions` is empty, the reason stands here.
    pub skipped: Vec<Skipped>,
    /// How many services it deploys to.
    pub services: u32,
    /// How many characters of an error are kept for "Conclude": the more services, the fewer, so that what all their
    /// failures take stays within what a state may be given. All of it stands in the service's own execution.
    pub error_length: u32,
    /// The events of its begin, for EventBridge: the push has started, and these services are on hold. At most ten
    /// entries, since one call takes no more; none in a plan that was asked for alone.
    pub told: Vec<StateChange>,
}

/// A tag that the image gets once all that is deployed by some settings is stable on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageTag {
    /// The place of the settings in the plan. Only one stage has these.
    pub settings: u32,
    /// The stage's `tagOnSuccess`.
    pub tag: ImageTag,
}

/// The services that a push deploys at once, when the waves before are stable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// The stages whose services it holds, in the order of the settings.
    pub stages: Vec<StageName>,
    /// How many seconds what was deployed before must stay stable first.
    pub soak: u32,
    /// One entry per revision in use that runs the image's repository.
    pub revisions: Vec<PlannedRevision>,
}

/// A revision in use and the services that run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedRevision {
    /// The revision that the new one is made from.
    pub task_definition: RevisionName,
    /// How many seconds after the begin the new one may be registered, see [`crate::quota::schedule`]. Omitted when it
    /// is 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after: u32,
    /// By which of the plan's settings it is deployed. Omitted when it is by the first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: u32,
    /// The services on it. Empty for a family of scheduled or one-off tasks.
    pub services: Vec<PlannedService>,
}

/// A service that is to be deployed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedService {
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name.
    pub service: ServiceName,
    /// The stage that owns it, in a plan that was asked for alone. Else it is absent: with it, fewer services would fit into
    /// what a state may be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// How many seconds after the begin it may be updated, see [`crate::quota::schedule`]. Omitted when that is as soon
    /// as its revision is registered.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after: u32,
}
