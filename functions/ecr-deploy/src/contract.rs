//! The contract is the JSON on every arrow between the steps: one type an arrow, read and written in camelCase.
//!
//! An example of each stands in `statemachine/examples/<arrow>.json`, beside variants (`<arrow>.<variant>.json`) where
//! they matter; `tests/contract` reads every one of them and writes it back. Unknown members are refused: a state machine and functions that do not fit each other fail at
//! once, by name.

use crate::domain::arn::{ClusterName, RevisionName, ServiceName, TaskDefinitionArn};
use crate::domain::hold;
use crate::domain::image::{ImageDigest, ImageTag};
use crate::domain::push::PushedImage;
use crate::domain::stage::{RolloutSettings, StageName};
use crate::error::Error;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The payload that every function is invoked with: which execution asks, and the step's own input.
///
/// ```json
/// {"execution": {"id": "arn:aws:states:…:execution:…", "redriveCount": 0}, "input": {}}
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The execution that invokes the function.
    pub execution: Execution,
    /// The step's input: one of the types below, or the raw event for find-task-definitions.
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

/// What find-task-definitions puts out: what is to be deployed, and what is left out and why.
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
    /// What follows when all of that is stable: the waves of the stages that come `after` others.
    pub later: Vec<Wave>,
    /// The tags that the image gets once the services of a stage are stable on it.
    pub tags: Vec<StageTag>,
    /// What is left out. When `revisions` is empty, the reason stands here.
    pub skipped: Vec<Skipped>,
    /// How many services it deploys to.
    pub services: u32,
    /// How many characters of an error are kept for "Conclude": the more services, the fewer, so that what all their
    /// failures take stays within what a state may be given. All of it stands in the service's own execution.
    pub error_length: u32,
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

/// What a push deploys at once, when the waves before it are stable.
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
    /// How many seconds after the begin the new one may be registered, see [`crate::quota::pace`]. Left out when it is
    /// 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after: u32,
    /// By which of the plan's settings it is deployed. Left out when it is by the first.
    #[serde(default, skip_serializing_if = "is_zero")]
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
    /// The stage that owns it, in a plan that was asked for alone. Else it is left out: with it, fewer services would fit into
    /// what a state may be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// How many seconds after the begin it may be updated, see [`crate::quota::pace`]. Left out when that is as soon as
    /// its revision is registered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Something that is left out of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// What: "web in production", "cluster staging", "busybox:v1".
    pub resource: String,
    /// Why, for a program.
    pub reason: SkipReason,
    /// Why, for a person, and what to do.
    pub message: String,
    /// How many it stands for: more than one in the last entry of a reason that has too many to name each. Left out when
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

/// Why something is left out of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SkipReason {
    /// The push has no tag.
    Untagged,
    /// The push failed.
    FailedPush,
    /// What was pushed is no image: a signature, a build cache, a Helm chart.
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
    /// The service is being deleted, or was deleted while it was looked at.
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
    /// Its stage comes after another one, where another deployment took over.
    NotReached,
    /// A warning; nothing is skipped but a stage's tag on the image, since a service of the stage is neither in this push nor runs the image.
    NotTagged,
    /// A warning; nothing is skipped but what a revision's tag says: it is of a push whose time is still to come.
    PushTimeIgnored,
    /// A warning; nothing is skipped but tags of ours, for which the revision's own leave no room.
    TagsLeftOut,
}

/// What register-revision takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterRevision {
    /// The pushed image.
    pub image: PushedImage,
    /// The revision that the new one is made from.
    pub task_definition: RevisionName,
    /// How the stage deploys.
    pub settings: RolloutSettings,
    /// What the new one is for, when it is not for the push but for a rollback.
    #[serde(default)]
    pub rollback: Option<RollbackCopy>,
}

/// What a revision for a rollback has in place of the pushed image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackCopy {
    /// The digest that the containers of the image's repository are pinned to; `None` when they stay as they are, since the
    /// revision was only deregistered.
    pub digest: Option<ImageDigest>,
    /// The revision that is rolled back.
    pub rolls_back: TaskDefinitionArn,
}

/// What register-revision puts out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisteredRevision {
    /// The revision with the new image.
    pub task_definition: TaskDefinitionArn,
    /// The revision that it was made from.
    pub source: TaskDefinitionArn,
    /// The names of the containers that run the image's repository. Never empty, but for a rollback.
    pub containers: Vec<String>,
    /// Whether the family had a revision of this push already, this one or another.
    pub repeated: bool,
    /// What there is to tell of a newer revision that somebody else has registered; `None` where there is none, or where the stage
    /// does not ask for one.
    pub base: Option<BaseNote>,
}

/// What there is to tell of the family's newest revision that somebody else has registered.
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
    /// Whether the family had a revision of the push, as [`RegisteredRevision`] says. Another execution of the push, under
    /// another tag of the image or started by a person, may have deployed it here then, and it is not tried again.
    pub repeated: bool,
    /// How many services the push deploys to: the more, the less often each is looked at.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// What update-service puts out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceUpdate {
    /// What came of it.
    pub outcome: UpdateOutcome,
    /// The rollout to watch, with `STARTED` and `ALREADY_DEPLOYED`.
    pub rollout: Option<Rollout>,
    /// The last good revision: what to go back to. `None` when there is none.
    pub previous: Option<TaskDefinitionArn>,
    /// The revision that the service is on now, with `MOVED`: what a new revision has to be made from.
    pub source: Option<TaskDefinitionArn>,
    /// Until when it may take: for the rollout, or for the wait with `BUSY` and `MOVED`.
    pub deadline: Timestamp,
    /// In how many seconds to look at it.
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
    Busy,
    /// The service has moved to another revision since the plan was made.
    Moved,
    /// The service, or its cluster, is not there.
    ServiceDeleted,
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
    /// Since when it is watched, by our clock: a task that died before, by more than clocks differ, is no reason to give it
    /// up now.
    pub watched_since: Timestamp,
    /// Until when it must be stable.
    pub deadline: Timestamp,
}

/// What check-stability takes at the step "Still stable?": services that were stable on the image some time ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StillStableInput {
    /// The pushed image.
    pub image: PushedImage,
    /// Every service that the push has deployed so far.
    pub soaked: Vec<ServiceResult>,
}

/// What check-stability returns at the step "Still stable?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StillStableOutput {
    /// How many services are stable on the image still: all of them, since it fails otherwise.
    pub stable: u32,
}

/// What check-stability takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckStability {
    /// The pushed image.
    pub image: PushedImage,
    /// The rollout to look at.
    pub rollout: Rollout,
    /// The last good revision.
    pub previous: Option<TaskDefinitionArn>,
    /// The revision that is rolled back, when the rollout is a rollback.
    pub rolls_back: Option<TaskDefinitionArn>,
    /// The deadline that the last look told, since a lifecycle hook held the rollout; `None`: the rollout's own.
    pub deadline: Option<Timestamp>,
    /// How many services the push deploys to: the more, the less often each is looked at.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// What check-stability puts out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// How the rollout stands.
    pub verdict: Verdict,
    /// For a person, in one line: "2 of 3 tasks running; 1 stopped: web exited with code 1".
    pub message: String,
    /// Why, one reason a line, most telling first. Empty when all is well.
    pub reasons: Vec<String>,
    /// The containers that its tasks died of, each once, as far as ECS tells.
    pub failed_containers: Vec<String>,
    /// How many tasks of the rollout run.
    pub running: u32,
    /// How many should.
    pub desired: u32,
    /// In how many seconds to look again while it goes on.
    pub wait: u32,
    /// Until when the rollout must be stable from now on, for the next look: the time during which it waits at a lifecycle hook
    /// does not count. `None` while the rollout's own deadline counts.
    pub deadline: Option<Timestamp>,
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
    /// Another deployment took its place, and that one counts.
    Superseded,
    /// A deployment that does not have our image took its place, of an older push or of another repository's push made
    /// from the same old revision: ours has to be brought in again. Of a rollback: one that is of no newer push.
    Displaced,
    /// The service, or its cluster, is not there any more.
    ServiceDeleted,
}

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
    /// The last look at the rollout; `None` when there was none.
    pub check: Option<Check>,
    /// The revision that was registered for the rollback, when one was needed.
    #[serde(default)]
    pub registered: Option<TaskDefinitionArn>,
    /// How many services the push deploys to: the more, the less often each is looked at.
    pub services: u32,
    /// How the stage deploys.
    pub settings: RolloutSettings,
}

/// What roll-back puts out.
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
    /// Whether tasks died of a container that runs the pushed repository. If not, and the revision that it goes back to has
    /// the image, then what failed came in with another push, and the service has the image when it is back.
    pub image_failed: bool,
    /// For a person.
    pub message: String,
    /// In how many seconds to look at it.
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
    /// ECS was told to stop the deployment and to go back to what ran before, bits and all.
    StoppedDeployment,
    /// The service was updated to the last good revision.
    UpdatedService,
    /// The service was updated to a copy of the last good revision that is pinned to its old bits.
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

/// An error as Step Functions hands it to a Catch. Cause is a text, often JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StateError {
    /// The error's name.
    pub error: String,
    /// What it says.
    #[serde(default)]
    pub cause: String,
    /// When the state was entered that failed with it: since then it has been tried, where it is one that passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl StateError {
    /// Whether it only says that nobody could answer, see [`Error::PASSING`].
    #[must_use]
    pub fn is_passing(&self) -> bool {
        Error::PASSING.contains(&self.error.as_str())
    }
}

/// What conclude takes: the end of one service's execution, of a whole push's, or of the time before a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a process, and it is taken apart at once"
)]
pub enum Conclude {
    /// One service's execution ends.
    Service(ServiceEnd),
    /// A push's execution ends.
    Image(ImageEnd),
    /// A push's next wave is due.
    Wave(WaveDue),
}

/// What one service's execution has come to.
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
    /// What there is to tell of the revision that it was made from.
    pub base: Option<BaseNote>,
    /// What came of the update, if it came to that.
    pub update: Option<ServiceUpdate>,
    /// The last look at the rollout.
    pub check: Option<Check>,
    /// What ended the rollout with an error.
    pub error: Option<StateError>,
    /// How it was rolled back.
    pub roll_back: Option<Rollback>,
    /// The last look at the rollback.
    pub roll_back_check: Option<Check>,
    /// What ended the rollback with an error.
    pub roll_back_error: Option<StateError>,
    /// How the stage deploys.
    pub settings: RolloutSettings,
    /// The redrive count with which all this came about. A higher one now means that an operator wants it again.
    pub attempt: u32,
}

/// What a service's execution puts out when it succeeds.
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
    /// Another deployment took its place.
    Superseded,
    /// The rollout failed, and a newer push took over before or while it went back.
    RollBackSuperseded,
    /// The service, or its cluster, is not there: it was deleted since the plan was made, or an execution that was started by
    /// hand names one that never was.
    ServiceDeleted,
}

/// What a push's execution has come to.
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
    /// What came of each, in their order.
    pub results: Vec<RevisionResult>,
    /// The services that were done before a redrive.
    pub services: Vec<ServiceResult>,
    /// The revisions registered before a redrive for families without a service.
    pub families: Vec<RevisionName>,
    /// What was left out.
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
    /// Whether everything is on hold, as it was read just now.
    pub hold: Hold,
}

/// Which waves may still come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NextWave {
    /// Those that were due; none where everything is on hold.
    pub later: Vec<Wave>,
    /// What is left out of them then: an entry for each.
    pub skipped: Vec<Skipped>,
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
            "everything is on hold by the parameter {}: {text:?}. Push again, or start the event by hand, when that is lifted",
            self.parameter
        ))
    }
}

/// What came of one planned revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum RevisionResult {
    /// What came of its services, in their order.
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

/// What came of one planned service.
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

/// What a push's execution puts out when it succeeds.
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
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// What is to be done again after a redrive: the plan, narrowed to what failed, at a pace of its own. Else empty.
    pub retry: Vec<PlannedRevision>,
    /// The waves that are still to come: the next one now, or after what is done again.
    pub later: Vec<Wave>,
    /// The tags that the image is to get now.
    pub tags: Vec<ImageTag>,
    /// All tags that it has got by then.
    pub tagged: Vec<ImageTag>,
    /// The tags of stages that it may get later.
    pub pending: Vec<StageTag>,
    /// Whether something has failed beside what is to be tagged now: "Conclude" is asked once more then, and throws it.
    pub failed: bool,
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
        let says = "everything is on hold by the parameter /ecr-deploy/shop/hold: \"ann - audit\". Push again, or start \
                    the event by hand, when that is lifted";
        assert_eq!(held("ann - audit").reason(now).unwrap(), says);
    }
}
