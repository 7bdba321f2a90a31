//! A crash is a task that stopped by itself: why it crashed, in words that an operator understands.

use ecr_deploy::domain::service::{StoppedContainer, StoppedTask};
use std::collections::BTreeSet;

/// The container whose crash stopped a task, as far as ECS tells; else one that tells something. One that AWS adds to tasks is
/// named only where no other one tells anything, or where it alone failed by itself.
fn culprit(task: &StoppedTask) -> Option<&StoppedContainer> {
    let is_bad = |container: &&StoppedContainer| container.exit_code.is_some_and(|code| code != 0);
    // The first one that ended takes the others with it, which ECS then stops.
    let is_bad_by_itself = |container: &&StoppedContainer| is_bad(container) && !container.was_stopped();
    let own = || task.own();
    let all = || task.containers.iter();
    own()
        .find(is_bad_by_itself)
        .or_else(|| all().find(is_bad_by_itself))
        .or_else(|| own().find(is_bad))
        .or_else(|| own().find(|container| container.reason.is_some()))
        .or_else(|| own().find(|container| container.exit_code.is_some()))
        .or_else(|| all().find(|container| container.exit_code.is_some() || container.reason.is_some()))
}

/// The containers whose crash stopped tasks, each once. A task that ECS stopped, since it was unhealthy, does not tell.
pub(crate) fn failed_containers(crashes: &[&StoppedTask]) -> Vec<String> {
    let names: BTreeSet<&str> = crashes
        .iter()
        .filter(|task| task.stop_code != "ServiceSchedulerInitiated")
        .filter_map(|task| culprit(task))
        .map(|container| container.name.as_str())
        .collect();
    names.into_iter().map(str::to_owned).collect()
}

/// The container whose crash stopped a task, where it ran: only then it may have written a log.
pub(crate) fn logged_container(task: &StoppedTask) -> Option<&str> {
    let culprit = culprit(task).filter(|container| container.exit_code.is_some());
    culprit.map(|container| container.name.as_str())
}

/// Why one task crashed: "web exited with code 1 (`OutOfMemoryError`: Container killed due to memory usage)".
pub(crate) fn describe(task: &StoppedTask) -> String {
    let reason = |text: &Option<String>| text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
    match (task.stop_code.as_str(), culprit(task)) {
        ("ServiceSchedulerInitiated" | "TaskFailedToStart", _) if !task.reason.is_empty() => sentence(&task.reason),
        (_, Some(container)) => match container.exit_code {
            Some(code) => format!(
                "{} exited with code {code}{}",
                container.name,
                reason(&container.reason)
            ),
            None => format!("{} did not start{}", container.name, reason(&container.reason)),
        },
        _ if task.reason.is_empty() => format!("a task stopped ({})", task.stop_code),
        _ => sentence(&task.reason),
    }
}

/// ECS's words, to be gone on from.
pub(crate) fn sentence(words: &str) -> String {
    words.trim_end_matches('.').to_owned()
}
