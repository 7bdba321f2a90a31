//! When a rollback has no hope. [`crate::decide`]'s tests show which deployments are rollbacks.

use super::*;
use ecr_deploy::testing::{at, crash, rolling};

#[test]
fn a_rollback_has_no_hope_when_its_tasks_crash_or_its_time_is_over() {
    let timeout = SignedDuration::from_mins(30);
    let threshold = CrashThreshold::default();
    let lost = |stopped: &[StoppedTask], seconds| is_lost(&rolling("web:1"), threshold, stopped, at(seconds), timeout);
    let scheduled = StoppedTask {
        stop_code: "ServiceSchedulerInitiated".to_owned(),
        ..crash("web:1", 9)
    };
    assert!(lost(&[crash("web:1", 9), crash("web:1", 10), crash("web:1", 11)], 60));
    assert!(!lost(&[crash("web:1", 9), crash("web:1", 10), scheduled], 60));
    assert!(!lost(&[crash("web:1", 9), crash("web:1", 10), crash("web:5", 11)], 60));
    let done = |seconds| {
        let mut done = crash("web:1", seconds);
        for container in &mut done.containers {
            container.exit_code = Some(0);
        }
        done
    };
    assert!(!lost(&[done(9), done(10), done(11)], 60));
    assert!(!lost(&[], 1 + 30 * 60 - 1));
    assert!(lost(&[], 1 + 30 * 60));
}
