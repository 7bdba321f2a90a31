//! The input and the output of check-stability: at each read of a rollout, and after the soak before a wave.

use crate::contract::common::Rollout;
use crate::contract::conclude::ServiceResult;
use crate::domain::arn::TaskDefinitionArn;
use crate::domain::push::PushedImage;
use crate::domain::stage::RolloutSettings;
use crate::domain::task_definition::ContainerImage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The input of check-stability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckStability {
    /// The pushed image.
    pub image: PushedImage,
    /// The rollout to read.
    pub rollout: Rollout,
    /// The last good revision.
    pub previous: Option<TaskDefinitionArn>,
    /// The revision that is rolled back, when the rollout is a rollback.
    pub rolls_back: Option<TaskDefinitionArn>,
    /// The deadline that the last read told, since a lifecycle hook held the rollout; `None`: the rollout's own.
    pub deadline: Option<Timestamp>,
    /// How many services the push deploys to: the more, the less often each is read.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// The output of check-stability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// How the rollout stands.
    pub verdict: Verdict,
    /// For a person, in one line: "2 of 3 tasks running; 1 stopped: web exited with code 1".
    pub message: String,
    /// Why, one reason a line, most telling first. Empty when all is well.
    pub reasons: Vec<String>,
    /// The containers whose crash stopped its tasks, each once, as far as ECS tells.
    pub failed_containers: Vec<String>,
    /// How many tasks of the rollout run.
    pub running: u32,
    /// How many should.
    pub desired: u32,
    /// In how many seconds to read again while it goes on.
    pub wait: u32,
    /// Until when the rollout must be stable from now on, for the next read: the time during which it waits at a lifecycle hook
    /// does not count. `None` while the rollout's own deadline counts.
    pub deadline: Option<Timestamp>,
    /// The ids of the lifecycle hooks at which it waits for a person, with a blank between them; `None` where it waits for
    /// nobody.
    pub waits_for: Option<String>,
    /// The containers that run the pushed repository. Empty unless it is stable, and SSM parameters are to tell them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerImage>,
}

/// How a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// The rollout of our revision is complete.
    Stable,
    /// It goes on.
    InProgress,
    /// It cannot become stable, or ECS has given it up.
    Failed,
    /// Another deployment replaced it, and that one counts.
    Superseded,
    /// A deployment that does not have our image replaced it, of an older push or of another repository's push made
    /// from the same old revision: ours has to be brought in again. Of a rollback: one that is of no newer push.
    Displaced,
    /// The service, or its cluster, is not there any more.
    ServiceDeleted,
}

/// The input of check-stability at the step "Still stable?": services that were stable on the image some time ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StillStableInput {
    /// The pushed image.
    pub image: PushedImage,
    /// Every service that the push has deployed so far.
    pub soaked: Vec<ServiceResult>,
    /// Since when that is asked: a service that only lacks tasks is asked for again for a while.
    pub since: Timestamp,
}

/// The output of check-stability at the step "Still stable?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StillStableOutput {
    /// How many services are stable on the image still: all of them, since it fails otherwise.
    pub stable: u32,
}
