//! The details of the events that are put on EventBridge: `docs/events.md`. Others read them, so a member is added and
//! never changed; [`VERSION`] says which schema it is.

use crate::contract::common::SkipReason;
use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::push::PushedImage;
use serde::{Deserialize, Serialize};

/// The version of the events' schema.
pub const VERSION: &str = "1";

/// The detail of a "Service State Change".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceStateChange {
    /// [`VERSION`].
    pub version: String,
    /// The state of the service, in one word.
    pub state: ServiceState,
    /// The pushed image.
    pub image: PushedImage,
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// The last good revision before; `None` when there is none, or it was not read.
    pub from: Option<TaskDefinitionArn>,
    /// The revision that it is to run; `None` when none was registered.
    pub to: Option<TaskDefinitionArn>,
    /// For a person.
    pub message: String,
    /// The name of the error; `None` where there is none.
    pub error: Option<String>,
    /// How many seconds this attempt took; `None` where it has not ended.
    pub seconds: Option<u64>,
    /// The ARN of the execution that tells it.
    pub execution: String,
    /// How often that execution was redriven before.
    pub attempt: u32,
}

/// The state of a service in a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceState {
    /// It stays as it is: it is on hold, or everything is.
    Held,
    /// A rollout has begun.
    Started,
    /// The rollout, or its rollback, waits at a lifecycle hook for a person.
    Waiting,
    /// It is stable on the image.
    Deployed,
    /// It was on the image before.
    AlreadyDeployed,
    /// Another deployment counts.
    Superseded,
    /// It, or its cluster, is not there any more.
    ServiceDeleted,
    /// It is back on the last good revision: it did not become stable, or an operator has taken it back.
    RolledBack,
    /// It is not on the image, or nobody knows.
    Failed,
    /// It runs an older image than one that its stage takes: the sweep has found that, and changes nothing.
    Missed,
}

/// The detail of a "Push State Change".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushStateChange {
    /// [`VERSION`].
    pub version: String,
    /// The state of the push, in one word.
    pub state: PushState,
    /// The pushed image; `None` where the event held none.
    pub image: Option<PushedImage>,
    /// How many services ended in which way.
    pub services: PushServices,
    /// How many services, families and pushes are skipped.
    pub skipped: u32,
    /// Why, each reason once.
    pub reasons: Vec<SkipReason>,
    /// For a person.
    pub message: String,
    /// The name of the error; `None` where there is none.
    pub error: Option<String>,
    /// How many seconds this attempt took; `None` where it has not ended.
    pub seconds: Option<u64>,
    /// The ARN of the push's execution.
    pub execution: String,
    /// How often that execution was redriven before.
    pub attempt: u32,
}

/// The state of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PushState {
    /// There is something to deploy, and that begins.
    Started,
    /// Everything that was to be deployed is stable on the image.
    Deployed,
    /// Other deployments count everywhere.
    Superseded,
    /// Nothing was deployed, since it is on hold.
    Held,
    /// Nothing was to be deployed.
    Skipped,
    /// At least one service failed, or a step of the push itself.
    Failed,
    /// Somebody stopped its execution.
    Stopped,
}

/// How many services of a push ended in which way. Before its end: how many are planned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushServices {
    /// The services that are neither done nor failed: they are to come, or were not reached.
    pub planned: u32,
    /// Those that are stable on the image.
    pub deployed: u32,
    /// Those on which another deployment counts.
    pub superseded: u32,
    /// Those that failed, families without a service among them.
    pub failed: u32,
}

/// The detail of either event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StateChange {
    /// Of a service.
    Service(ServiceStateChange),
    /// Of a push.
    Push(PushStateChange),
}
