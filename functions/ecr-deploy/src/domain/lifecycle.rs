//! The lifecycle hooks of a service deployment: at some stages ECS waits for a person or for a Lambda function.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html>.

use jiff::Timestamp;

/// The hooks of one service deployment, by `DescribeServiceDeployments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// The service deployment's ARN.
    pub service_deployment: String,
    /// The stage that it is at, in ECS's word. AWS's model does not know all of them.
    pub stage: Option<String>,
    /// Its hooks: those that wait, and those that ended as far as ECS still tells them.
    pub hooks: Vec<Hook>,
}

/// One run of a hook.
///
/// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentLifecycleHookDetail.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// By this id somebody continues it.
    pub id: String,
    /// How it stands.
    pub status: HookStatus,
    /// The ARN of the function that it invokes; `None` for one that only pauses.
    pub function: Option<String>,
    /// When ECS ends it, where ECS says so.
    pub expires_at: Option<Timestamp>,
    /// The action that ECS takes then, where ECS says so.
    pub timeout_action: Option<HookAction>,
}

/// How a hook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookStatus {
    /// `AWAITING_ACTION`: somebody has to continue it.
    AwaitingAction,
    /// `IN_PROGRESS`: its function has not come to an end, or asks to be invoked again.
    InProgress,
    /// SUCCEEDED: the deployment goes on.
    Succeeded,
    /// FAILED: its function failed, or somebody chose to go back.
    Failed,
    /// `TIMED_OUT`: it was not over in time.
    TimedOut,
    /// A status that is not known.
    Unknown,
}

/// How a deployment goes on after a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookAction {
    /// To the next stage.
    Continue,
    /// Back to the revision before.
    RollBack,
}
