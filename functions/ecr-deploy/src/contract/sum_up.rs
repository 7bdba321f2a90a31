//! The input and the output of conclude at the step "Sum up": how an execution ends, before it ends, so that others are
//! told of a red end too.

use crate::contract::common::SkipReason;
use crate::contract::conclude::{ImageConclusion, ImageEnd, ServiceConclusion, ServiceEnd};
use crate::contract::events::{PushServices, PushState, ServiceState};
use crate::contract::message::Message;
use crate::contract::parameters::ServiceParameters;
use crate::domain::arn::TaskDefinitionArn;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The input of conclude at the step "Sum up".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SumUp {
    /// When this attempt began: the execution, or its last redrive from the end.
    pub started_at: Timestamp,
    /// The outcomes of the steps: the input of "Conclude".
    pub end: End,
}

/// The outcomes of an execution's steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a process, and it is taken apart at once"
)]
pub enum End {
    /// One service's execution.
    Service(ServiceEnd),
    /// A push's execution.
    Image(ImageEnd),
}

/// How one service's execution ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSummary {
    /// In one word.
    pub state: ServiceState,
    /// For a person: the message of the conclusion, or of the error.
    pub message: String,
    /// The name of the error that "Conclude" throws; `None` where it is green.
    pub error: Option<String>,
    /// How many seconds this attempt took.
    pub seconds: u64,
    /// The last good revision before.
    pub from: Option<TaskDefinitionArn>,
    /// The revision that it was to run; `None` when none was registered.
    pub to: Option<TaskDefinitionArn>,
    /// The output of the execution; `None` where it is red.
    pub conclusion: Option<ServiceConclusion>,
    /// The parameters that tell its image; `None` where none are to be written: it is not stable, or nobody wants them.
    pub parameters: Option<ServiceParameters>,
}

/// How a push's execution ends, or goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSummary {
    /// In one word; `None` where it goes on with another wave, or with a tag before a failure is told.
    pub state: Option<PushState>,
    /// The name of the error that "Conclude" throws; `None` where it is green.
    pub error: Option<String>,
    /// The version of ecr-deploy that did it.
    pub version: String,
    /// How many seconds this attempt took so far.
    pub seconds: u64,
    /// How many services ended in which way.
    pub services: PushServices,
    /// How many services, families and pushes are skipped.
    pub skipped: u32,
    /// Why, each reason once.
    pub reasons: Vec<SkipReason>,
    /// The message for people; `None` where no topic is set, while the push goes on, and where nothing was to be deployed.
    pub message: Option<Message>,
    /// The conclusion so far. Where it is red: the one before, with the error's message.
    pub conclusion: ImageConclusion,
}
