//! The input and the output of conclude for a push's execution that could not tell its own end: it was stopped, or one
//! of its steps failed that nothing follows.

use crate::contract::events::PushStateChange;
use crate::contract::message::Message;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The end of an execution, as EventBridge tells it. A state picks these members of the event.
///
/// See <https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushEnded {
    /// The ARN of the execution.
    pub execution: String,
    /// `ABORTED`, `FAILED` or `TIMED_OUT`.
    pub status: String,
    /// The execution's input as text; `None` where it is too long for an event.
    pub input: Option<String>,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How often it was redriven before.
    pub attempt: u32,
    /// The name of its error, or that which a person gave who stopped it.
    pub error: Option<String>,
    /// The text of the error.
    pub cause: Option<String>,
}

/// The news of that end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndOfPush {
    /// The event for others; `None` where there is nothing to tell: of a plan, or where the execution told it itself.
    pub detail: Option<PushStateChange>,
    /// The message for people; `None` where no topic is set, or nothing to tell.
    pub message: Option<Message>,
}
