//! The sweep finds pushes that services have missed. Here is the operator's word on what is done then: the setting
//! `sweep`.

use serde::{Deserialize, Serialize};

/// The reaction to a push that a service has missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SweepAction {
    /// It is deployed, by an ordinary push.
    Deploy,
    /// It is told, and nothing else.
    Report,
}

/// The reaction, by the reason for which a push was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSettings {
    /// Where its event was lost, or where it was held and is not any more.
    pub lost: SweepAction,
    /// Where the service ran it, and somebody has put another revision there.
    pub reverted: SweepAction,
}

impl Default for SweepSettings {
    fn default() -> Self {
        Self {
            lost: SweepAction::Deploy,
            reverted: SweepAction::Report,
        }
    }
}
