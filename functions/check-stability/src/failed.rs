//! The times and the log in the message of a rollout that failed.

use ecr_deploy::contract::{Check, Rollout};
use ecr_deploy::domain::service::StoppedTask;
use ecr_deploy::domain::task_definition::LogStream;
use jiff::{SignedDuration, Timestamp};

/// Adds to the message of a rollout that failed at `now` after how long that was, when the `first` of its tasks crashed, and where that
/// task's log is.
#[must_use]
pub(crate) fn with_times(
    failed: Check,
    rollout: &Rollout,
    now: Timestamp,
    first: Option<&StoppedTask>,
    log: Option<&LogStream>,
) -> Check {
    let mut message = format!("{}; failed after {}", failed.message, lasted(rollout.started_at, now));
    if let Some((first, at)) = first.and_then(|first| Some((first, first.stopped_at?))) {
        message.extend([", first crash ", &lasted(rollout.started_at, at), " after start"]);
        if !first.id.is_empty() {
            message.extend([": task ", &first.id]);
        }
        if let Some(log) = log {
            message.extend([", ", &log.to_string()]);
        }
    }
    Check { message, ..failed }
}

/// "2m 10s", in whole seconds; AWS's clock and ours may differ by a few.
fn lasted(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    format!("{:#}", SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::contract::Verdict;
    use ecr_deploy::testing::{at, crash, rollout};

    #[test]
    fn a_failure_says_after_how_long_and_where_the_first_crash_is_logged() {
        let log = LogStream {
            group: "/ecs/web".to_owned(),
            name: "app/web/3f2a16".to_owned(),
            other_region: None,
        };
        let nameless = StoppedTask {
            id: String::new(),
            ..crash("web:2", 16)
        };
        let timeless = StoppedTask {
            stopped_at: None,
            ..crash("web:2", 16)
        };
        // The rollout began two seconds after noon.
        for (first, log, now, says) in [
            (None, None, 132, "; failed after 2m 10s"),
            (None, None, 2 + 3_600 + 61, "; failed after 1h 1m 1s"),
            (None, None, 1, "; failed after 0s"),
            (
                Some(crash("web:2", 16)),
                None,
                132,
                "; failed after 2m 10s, first crash 14s after start: task 3f2a16",
            ),
            (
                Some(crash("web:2", 16)),
                Some(&log),
                132,
                "; failed after 2m 10s, first crash 14s after start: task 3f2a16, log stream app/web/3f2a16 of log group /ecs/web",
            ),
            (
                Some(nameless),
                None,
                132,
                "; failed after 2m 10s, first crash 14s after start",
            ),
            (Some(timeless), None, 132, "; failed after 2m 10s"),
        ] {
            let failed = Check {
                verdict: Verdict::Failed,
                message: "0 of 2 tasks running".to_owned(),
                reasons: Vec::new(),
                failed_containers: Vec::new(),
                running: 0,
                desired: 2,
                deadline: None,
                waits_for: None,
                containers: Vec::new(),
                wait: 0,
            };
            let told = with_times(failed, &rollout("web:2"), at(now), first.as_ref(), log);
            assert_eq!(told.message, format!("0 of 2 tasks running{says}"));
        }
    }
}
