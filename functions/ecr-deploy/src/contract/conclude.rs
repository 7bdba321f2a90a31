//! The input and the output of conclude: one variant for each state that invokes it.

use crate::contract::check_stability::Check;
use crate::contract::common::{Hold, ServiceId, Skipped};
use crate::contract::find_task_definitions::{PlannedRevision, PlannedService, StageTag, Wave};
use crate::contract::parameters::ParametersFound;
use crate::contract::push_ended::PushEnded;
use crate::contract::register_revision::BaseNote;
use crate::contract::roll_back::RollBackOutput;
use crate::contract::sum_up::SumUp;
use crate::contract::update_service::UpdateOutput;
use crate::domain::arn::{ClusterName, RevisionName, ServiceName, TaskDefinitionArn};
use crate::domain::image::ImageTag;
use crate::domain::push::PushedImage;
use crate::domain::stage::RolloutSettings;
use crate::error::Error;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An error as Step Functions hands it to a Catch. Cause is a text, often JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StateError {
    /// The error's name.
    pub error: String,
    /// Its text.
    #[serde(default)]
    pub cause: String,
    /// When the state was entered that failed with it: since then it has been tried, where it is one that passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl StateError {
    /// True if it only says that nobody could answer, see [`Error::PASSING`].
    #[must_use]
    pub fn is_passing(&self) -> bool {
        Error::PASSING.contains(&self.error.as_str())
    }
}

/// The input of conclude, by the state that invokes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Conclude {
    /// One service's execution ends.
    Service(ServiceEnd),
    /// A push's execution ends.
    Image(ImageEnd),
    /// A push's next wave is due.
    Wave(WaveDue),
    /// One of the first two, before it ends: the step "Sum up".
    SumUp(SumUp),
    /// One service's execution is about to write parameters.
    Parameters(ParametersFound),
    /// A push's execution has ended without telling it.
    Ended(PushEnded),
}

/// The end of one service's execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceEnd {
    /// The pushed image.
    pub image: PushedImage,
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// The revision that it was to run; `None` when none was registered.
    pub task_definition: Option<TaskDefinitionArn>,
    /// A note about the revision that it was made from.
    pub base: Option<BaseNote>,
    /// The output of the update, if it came to that.
    pub update: Option<UpdateOutput>,
    /// The last read of the rollout.
    pub check: Option<Check>,
    /// The error that ended the rollout.
    pub error: Option<StateError>,
    /// The output of the rollback, if it came to that.
    pub roll_back: Option<RollBackOutput>,
    /// The last read of the rollback.
    pub roll_back_check: Option<Check>,
    /// The error that ended the rollback.
    pub roll_back_error: Option<StateError>,
    /// How the stage deploys.
    pub settings: RolloutSettings,
    /// The redrive count with which all this came about. A higher one now means that an operator wants it again.
    pub attempt: u32,
}

/// The output of a service's execution that succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceConclusion {
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// How it ended; `None` when it is to be done again.
    pub outcome: Option<ServiceOutcome>,
    /// The last good revision before.
    pub from: Option<TaskDefinitionArn>,
    /// The revision it was to run; `None` when none was registered and it is to be done again.
    pub to: Option<TaskDefinitionArn>,
    /// The newer revision of somebody else's that its members are of, where that was taken.
    pub base: Option<RevisionName>,
    /// For a person.
    pub message: String,
    /// The service, when it is to be deployed again after a redrive; else empty.
    pub retry: Vec<ServiceId>,
}

/// How a service's deployment ended, when it did not end in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceOutcome {
    /// It runs the new revision and is stable.
    Deployed,
    /// It was there before.
    AlreadyDeployed,
    /// Another deployment replaced it.
    Superseded,
    /// The rollout failed, and a newer push took over before or while it went back.
    RollBackSuperseded,
    /// Its tag `ecr-deploy:hold` keeps it as it is: somebody has set that since the plan was made.
    OnHold,
    /// An operator wanted it back, and it is stable there. No push ends so.
    RolledBack,
    /// The service, or its cluster, is not there: it was deleted since the plan was made, or an execution that was started by
    /// hand names one that never was.
    ServiceDeleted,
}

/// The end of a push's execution.
///
/// Nothing is said twice, since all of it has to fit into what a state may be given: what was planned comes back with what
/// came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageEnd {
    /// The pushed image, if the event held one.
    pub image: Option<PushedImage>,
    /// How many revisions were planned, or after a redrive how many were left of them.
    pub planned: u32,
    /// By which of the plan's settings each of them was deployed. Empty where each was by the first.
    pub settings: Vec<u32>,
    /// The result of each, in their order.
    pub results: Vec<RevisionResult>,
    /// The services that were done before a redrive.
    pub services: Vec<ServiceResult>,
    /// The revisions registered before a redrive for families without a service.
    pub families: Vec<RevisionName>,
    /// The services and families that were skipped.
    pub skipped: Vec<Skipped>,
    /// The waves that are still to come.
    pub later: Vec<Wave>,
    /// The tags of stages that the image has not got yet.
    pub tags: Vec<StageTag>,
    /// The tags that it has got.
    pub tagged: Vec<ImageTag>,
    /// The redrive count with which all this came about.
    pub attempt: u32,
}

/// A wave that is due: all before it is stable, and has been for its soak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaveDue {
    /// The pushed image.
    pub image: PushedImage,
    /// The waves that are still to come, this one first.
    pub later: Vec<Wave>,
    /// The hold of everything, as it was read just now.
    pub hold: Hold,
}

/// Which waves may still come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NextWave {
    /// Those that were due; none where everything is on hold.
    pub later: Vec<Wave>,
    /// An entry for each of them that is skipped then.
    pub skipped: Vec<Skipped>,
}

/// The result of one planned revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum RevisionResult {
    /// The results of its services, in their order.
    Services {
        /// The planned revision.
        task_definition: RevisionName,
        /// Each of its services.
        services: Vec<PlannedResult>,
    },
    /// Of a family without a service.
    Registered {
        /// The revision that was registered or used again.
        registered: RevisionName,
    },
    /// None was registered.
    Failed {
        /// The planned revision.
        task_definition: RevisionName,
        /// Its services, which stay as they are.
        services: Vec<PlannedService>,
        /// Why: the error's name, a colon, and what it says, cut to the plan's `error_length`.
        failed: String,
    },
}

/// The result of one planned service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum PlannedResult {
    /// How it ended, when its execution succeeded.
    Ended(ServiceResult),
    /// It did not.
    Failed {
        /// Its cluster.
        cluster: ClusterName,
        /// Its name.
        service: ServiceName,
        /// Why: the error's name, a colon, and what it says, cut to the plan's `error_length`.
        failed: String,
    },
}

/// How one service ended, when its execution succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceResult {
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// How it ended.
    pub outcome: ServiceOutcome,
}

/// The output of a push's execution that succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageConclusion {
    /// The pushed image, if the event held one.
    pub image: Option<PushedImage>,
    /// For a person: "busybox:v1 is deployed to 3 services".
    pub message: String,
    /// Each service that is done, and how it ended.
    pub services: Vec<ServiceResult>,
    /// The revisions registered for families without a service.
    pub families: Vec<RevisionName>,
    /// The services and families that were skipped.
    pub skipped: Vec<Skipped>,
    /// The plan for a redrive, narrowed to what failed, with a schedule of its own. Empty without one.
    pub retry: Vec<PlannedRevision>,
    /// The waves that are still to come: the next one now, or after what is done again.
    pub later: Vec<Wave>,
    /// The tags that the image is to get now.
    pub tags: Vec<ImageTag>,
    /// All tags that it has got by then.
    pub tagged: Vec<ImageTag>,
    /// The tags of stages that it may get later.
    pub pending: Vec<StageTag>,
    /// True if something has failed beside the stages that are to be tagged now: "Conclude" is called once more then, and throws it.
    pub failed: bool,
}
