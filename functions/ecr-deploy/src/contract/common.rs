//! The parts of several arrows: the envelope, a service, a rollout, an entry that is skipped, and the hold of everything.

use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::hold;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The payload that every function is invoked with: which execution asks, and the step's own input.
///
/// ```json
/// {"execution": {"id": "arn:aws:states:…:execution:…", "redriveCount": 0, "version": "0.1.0"}, "input": {}}
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The execution that invokes the function.
    pub execution: Execution,
    /// The step's input: one of the types of this wing, or the raw event for find-task-definitions.
    pub input: serde_json::Value,
}

/// The execution that invokes a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Execution {
    /// Its ARN, `$states.context.Execution.Id`.
    pub id: String,
    /// How often it has been redriven, `$states.context.Execution.RedriveCount`; 0 before the first time.
    pub redrive_count: u32,
    /// The version of ecr-deploy whose state machine this is. A function of another version refuses to work for it.
    pub version: String,
}

/// A service, by the two names that tell it from every other in the account and region.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceId {
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name.
    pub service: ServiceName,
}

/// Something that is skipped in a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// Its name: "web in production", "cluster staging", "busybox:v1".
    pub resource: String,
    /// Why, for a program.
    pub reason: SkipReason,
    /// Why, for a person, and what to do.
    pub message: String,
    /// How many it stands for: more than one in the last entry of a reason that has too many to name each. Omitted when
    /// it is 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

/// Why something is skipped in a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SkipReason {
    /// The push has no tag.
    Untagged,
    /// The push failed.
    FailedPush,
    /// The push is no image: a signature, a build cache, a Helm chart.
    NotAnImage,
    /// The repository is where the AWS CDK keeps the images of all its apps.
    CdkAssets,
    /// ECR brought the image in by itself: from an upstream registry or another region.
    PushedByEcr,
    /// The stage does not take the tag; or no stage does, and then nothing was searched.
    TagNotTaken,
    /// No stage selects the service or the family.
    NoStage,
    /// The service's own tag `ecr-deploy:stage` is `off`.
    StageOff,
    /// The service's own tag `ecr-deploy:stage` names a stage that there is not. The push fails by it, after all others.
    UnknownStage,
    /// The service's own tag `ecr-deploy:hold` keeps it as it is.
    OnHold,
    /// The parameter of the stack keeps everything as it is.
    AllOnHold,
    /// The stage takes ranges of versions, and a higher version runs.
    LowerVersion,
    /// No service and no family runs the repository.
    NotInUse,
    /// A configured cluster is not there.
    ClusterNotFound,
    /// The service is being deleted, or was deleted while it was read.
    ServiceNotActive,
    /// The service is deployed by `CodeDeploy`.
    CodeDeployController,
    /// The service is deployed from outside ECS, by task sets.
    ExternalController,
    /// The service is deployed by a controller that is not known.
    UnknownController,
    /// A newer push of the repository is deployed already.
    Superseded,
    /// The revision cannot be described any more.
    TaskDefinitionNotFound,
    /// The service was deleted after the plan was made.
    ServiceDeleted,
    /// Its stage comes after another one, which has not had this image stable.
    NotPromoted,
    /// Its stage comes after another one, where another deployment took over, or a service was put on hold.
    NotReached,
    /// A warning; nothing is skipped but a stage's tag on the image, since a service of the stage is neither in this push nor runs the image.
    NotTagged,
    /// A warning; nothing is skipped but what a revision's tag says: it is of a push whose time is still to come.
    PushTimeIgnored,
    /// A warning; nothing is skipped but tags of ours, for which the revision's own leave no room.
    TagsLeftOut,
}

impl SkipReason {
    /// The reasons for what is skipped, each once, in their order.
    #[must_use]
    pub fn all_of(skipped: &[Skipped]) -> Vec<Self> {
        let mut reasons = Vec::new();
        for Skipped { reason, .. } in skipped {
            if !reasons.contains(reason) {
                reasons.push(*reason);
            }
        }
        reasons
    }
}

/// A rollout that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// The revision that it should end on.
    pub task_definition: TaskDefinitionArn,
    /// The id of the deployment, `ecs-svc/…`, if ECS told one.
    pub deployment: Option<String>,
    /// When it began, by ECS's clock where ECS tells it.
    pub started_at: Timestamp,
    /// Since when it is watched, by our clock: a task that crashed before, by more than clocks differ, is no reason to give it
    /// up now.
    pub watched_since: Timestamp,
    /// Until when it must be stable.
    pub deadline: Timestamp,
}

/// A hold of everything, as it was read: see [`crate::domain::hold`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hold {
    /// The name of the parameter.
    pub parameter: String,
    /// The beginning of its text; [`crate::domain::hold::NONE`] where there is no such parameter.
    pub value: String,
}

impl Hold {
    /// Why everything is on hold at `now`, and what to do, for a person; `None` where it is not.
    #[must_use]
    pub fn reason(&self, now: Timestamp) -> Option<String> {
        let text = hold::hold(&self.value, now)?;
        Some(format!(
            "everything is on hold by the parameter {}: {text:?}. When that is lifted, the next sweep deploys it; or push again, or start the event by hand",
            self.parameter
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_of_everything_tells_its_text_and_what_lifts_it() {
        let now: Timestamp = "2026-12-24T06:00:00Z".parse().unwrap();
        let held = |value: &str| Hold {
            parameter: "/ecr-deploy/shop/hold".to_owned(),
            value: value.to_owned(),
        };
        assert_eq!(held("none").reason(now), None);
        let says = "everything is on hold by the parameter /ecr-deploy/shop/hold: \"ann - audit\". When that is \
                    lifted, the next sweep deploys it; or push again, or start the event by hand";
        assert_eq!(held("ann - audit").reason(now).unwrap(), says);
    }
}
