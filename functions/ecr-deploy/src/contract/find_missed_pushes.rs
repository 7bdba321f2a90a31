//! The input and the output of find-missed-pushes: the sweep.

use crate::contract::common::Hold;
use crate::contract::events::ServiceStateChange;
use crate::domain::arn::{ClusterName, RevisionName, ServiceName};
use crate::domain::push::PushedImage;
use crate::domain::stage::StageName;
use crate::domain::sweep::SweepAction;
use serde::{Deserialize, Serialize};

/// The input of find-missed-pushes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindMissedPushes {
    /// The hold of everything, as the state before has read it.
    pub hold: Hold,
    /// The ARN of the state machine whose executions tell which pushes came.
    pub deploy_image: String,
    /// True if everything that is missed is only reported, whatever the settings say.
    pub only_report: bool,
}

/// The output of find-missed-pushes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MissedPushes {
    /// The pushes to start. One that deploys a reverted image anew has the time of this sweep; any other has the time
    /// at which ECR got the image.
    pub pushes: Vec<PushedImage>,
    /// The services that miss a push, with what is done about it: those first whose push is started.
    pub missed: Vec<MissedPush>,
    /// How many services more miss a push than `missed` has room for.
    pub more: u32,
    /// How many services were read.
    pub services: u32,
    /// The events of what is only reported, for EventBridge: at most ten, since one call takes no more.
    pub told: Vec<ServiceStateChange>,
}

/// A push that a service has missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissedPush {
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// The stage that owns it.
    pub stage: StageName,
    /// The revision that it runs.
    pub from: RevisionName,
    /// The image that it misses.
    pub image: PushedImage,
    /// Why it does.
    pub why: WhyMissed,
    /// The reaction to it.
    pub action: SweepAction,
    /// For a person.
    pub message: String,
}

/// Why a service does not run an image that its stage takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WhyMissed {
    /// No push of it is known: its event was lost.
    Lost,
    /// Its push skipped the service: it was on hold, or was not to be deployed then.
    Held,
    /// The service ran it, and somebody has put another revision there since.
    Reverted,
    /// Nothing tells that the service ever had an image of this repository by ecr-deploy.
    Unrecorded,
}
