//! Counts the images that were pushed over, or archived, in a storm.

use super::{Rule, sum};
use crate::aftermath::Execution;

pub(super) const RULES: [Rule; 3] = [
    Rule {
        name: "superseded by another image of their tag",
        count: |aftermath| sum(aftermath, |it| u64::from(runs_another_image(it))),
    },
    Rule {
        name: "not started since the image is archived",
        count: |aftermath| sum(aftermath, |it| u64::from(is_archived(it))),
    },
    Rule {
        name: "deployed by a sweep, while the storm blew",
        count: |aftermath| {
            let by_sweep = aftermath.executions.iter().filter(|it| it.by_sweep);
            by_sweep.filter(|it| it.outcome() == Some("DEPLOYED")).count() as u64
        },
    },
];

/// True if an execution found that another image runs than the pushed one, since the tag was pushed over.
fn runs_another_image(execution: &Execution) -> bool {
    let output = execution.output.as_ref();
    let message = output.and_then(|output| output["message"].as_str());
    execution.outcome() == Some("SUPERSEDED")
        && message.is_some_and(|message| message.contains("its tasks run sha256:"))
}

/// True if an execution went neither on nor back, since no task could pull the image.
fn is_archived(execution: &Execution) -> bool {
    let message = execution.message.as_deref().filter(|_| execution.service.is_some());
    message.is_some_and(|message| message.contains("is archived, and no task can pull it"))
}
