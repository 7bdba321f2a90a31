//! Rate limits cost time and nothing else.

use super::Violation;
use crate::aftermath::Aftermath;

const RATE: &str = "nothing is lost to rate limits and faults that pass";

/// No execution is red because AWS did not answer for a while: none ends by `Deploy.Unavailable`, and none tells of a
/// refusal that passes as its reason.
pub(super) fn nothing_is_lost_to_throttling(aftermath: &Aftermath) -> Vec<Violation> {
    const PASSING: [&str; 4] = [
        "Deploy.Unavailable",
        "ThrottlingException",
        "ServerException",
        "Too many concurrent attempts",
    ];
    let red = aftermath.executions.iter().filter(|execution| execution.is_red());
    let lost = red.filter_map(|execution| {
        let message = execution.message.as_deref().unwrap_or_default();
        let told = PASSING
            .iter()
            .find(|passing| execution.error.as_deref() == Some(passing) || message.contains(*passing));
        told.map(|told| Violation::of_execution(RATE, execution, format!("red by {told}: {message}")))
    });
    lost.collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, red, rolled_back};
    use super::*;

    #[test]
    fn a_red_execution_that_ends_by_what_passes_is_found() {
        let bad = [
            red(3, "Deploy.Unavailable", "web in north: no usable answer from AWS"),
            red(
                3,
                "Deploy.RollBackFailed",
                "web in north: UpdateService: ThrottlingException: Rate exceeded",
            ),
            red(
                3,
                "Deploy.ServicesFailed",
                "web in north: Deploy.Unavailable: no usable answer",
            ),
        ];
        for execution in bad {
            let mut aftermath = calm();
            aftermath.executions[3] = execution.clone();
            assert_eq!(nothing_is_lost_to_throttling(&aftermath).len(), 1, "{execution:?}");
        }
        assert_eq!(nothing_is_lost_to_throttling(&rolled_back()), []);
    }
}
