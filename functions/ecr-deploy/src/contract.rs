//! The contract is the JSON on every arrow between the steps: one type an arrow, read and written in camelCase. There is
//! one file per step, and one for the parts of several arrows. Uses [`crate::domain`] and nothing else.
//!
//! An example of each stands in `statemachine/examples/<arrow>.json`, beside variants (`<arrow>.<variant>.json`) where
//! they matter; `tests/contract` reads every one of them and writes it back. Unknown members are refused: a state machine
//! and functions that do not fit each other fail at once, by name.

mod check_stability;
mod common;
mod conclude;
mod events;
mod find_missed_pushes;
mod find_task_definitions;
mod message;
mod parameters;
mod push_ended;
mod register_revision;
mod roll_back;
mod sum_up;
mod update_service;

pub use check_stability::{Check, CheckStability, StillStableInput, StillStableOutput, Verdict};
pub use common::{Envelope, Execution, Hold, Rollout, ServiceId, SkipReason, Skipped};
pub use conclude::{
    Conclude, ImageConclusion, ImageEnd, NextWave, PlannedResult, RevisionResult, ServiceConclusion, ServiceEnd,
    ServiceOutcome, ServiceResult, StateError, WaveDue,
};
pub use events::{PushServices, PushState, PushStateChange, ServiceState, ServiceStateChange, StateChange, VERSION};
pub use find_missed_pushes::{FindMissedPushes, MissedPush, MissedPushes, WhyMissed};
pub use find_task_definitions::{Plan, PlannedRevision, PlannedService, StageTag, Wave};
pub use message::{Card, CardContent, CardMetadata, Message};
pub use parameters::{Parameter, ParametersFound, ParametersToWrite, ServiceParameters};
pub use push_ended::{EndOfPush, PushEnded};
pub use register_revision::{BaseNote, RegisterRevision, RegisteredRevision, RollbackCopy};
pub use roll_back::{RollBackInput, RollBackOutput, RollbackMethod, RollbackRevision, WatchedRollback};
pub use sum_up::{End, ImageSummary, ServiceSummary, SumUp};
pub use update_service::{UpdateInput, UpdateOutcome, UpdateOutput, WatchedUpdate};
