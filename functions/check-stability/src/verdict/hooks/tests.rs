//! Hooks that hold a rollout: for how long, and with which message. In every case `web:2` is ours and has been watched
//! since 12:00:02.

use super::*;
use ecr_deploy::quota::poll::{Waiting, wait};
use ecr_deploy::testing::{at, rollout};
use proptest::prelude::*;

const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/2";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:smoke-test:live";
const DAY: i64 = 86_400;

fn pause(status: HookStatus, expires: Option<i64>, timeout_action: Option<HookAction>) -> Hook {
    Hook {
        id: "ecs-pause-1".to_owned(),
        status,
        function: None,
        expires_at: expires.map(at),
        timeout_action,
    }
}

fn lambda(status: HookStatus, expires: Option<i64>, timeout_action: Option<HookAction>) -> Hook {
    Hook {
        id: "ecs-lambda-1".to_owned(),
        function: Some(FUNCTION.to_owned()),
        ..pause(status, expires, timeout_action)
    }
}

fn lifecycle(hooks: impl IntoIterator<Item = Hook>) -> Lifecycle {
    Lifecycle {
        service_deployment: ARN.to_owned(),
        stage: Some("POST_TEST_TRAFFIC_SHIFT".to_owned()),
        hooks: hooks.into_iter().collect(),
    }
}

#[test]
fn a_hook_that_waits_holds_the_rollout_until_it_expires_and_says_how_to_go_on() {
    use HookAction::{Continue, RollBack};
    use HookStatus::{AwaitingAction, Failed, InProgress, Succeeded, TimedOut, Unknown};
    let command = |action: &str| {
        format!(
            ": aws ecs continue-service-deployment --service-deployment-arn {ARN} --hook-id ecs-pause-1 --action {action}"
        )
    };
    let to_continue = |until: &str| {
        let command = command("CONTINUE");
        format!("waits at POST_TEST_TRAFFIC_SHIFT for somebody to continue it{until}{command}")
    };
    let hour = Some(3600);
    // The limit: 28 days after 12:00:02.
    let limit = 2 + 28 * DAY;
    for (hooks, until, says) in [
        (
            vec![pause(AwaitingAction, hour, Some(RollBack))],
            Some(3600),
            to_continue(" until 2026-05-04 13:00 UTC, when ECS rolls it back"),
        ),
        (
            vec![pause(AwaitingAction, hour, Some(Continue))],
            Some(3600),
            to_continue(" until 2026-05-04 13:00 UTC, when ECS continues it"),
        ),
        (
            vec![pause(AwaitingAction, hour, None)],
            Some(3600),
            to_continue(" until 2026-05-04 13:00 UTC"),
        ),
        (vec![pause(AwaitingAction, None, None)], Some(limit), to_continue("")),
        (
            vec![lambda(InProgress, hour, Some(RollBack))],
            Some(3600),
            "waits at POST_TEST_TRAFFIC_SHIFT for the Lambda function smoke-test until 2026-05-04 13:00 UTC, when ECS rolls it back"
                .to_owned(),
        ),
        (
            vec![lambda(InProgress, None, None)],
            Some(limit),
            "waits at POST_TEST_TRAFFIC_SHIFT for the Lambda function smoke-test".to_owned(),
        ),
        (
            vec![pause(Unknown, hour, None)],
            Some(3600),
            "waits at POST_TEST_TRAFFIC_SHIFT for lifecycle hook ecs-pause-1 until 2026-05-04 13:00 UTC".to_owned(),
        ),
        (
            vec![lambda(InProgress, Some(700), None), pause(AwaitingAction, hour, Some(RollBack))],
            Some(3600),
            format!(
                "waits at POST_TEST_TRAFFIC_SHIFT for the Lambda function smoke-test until 2026-05-04 12:11 UTC; {}",
                to_continue(" until 2026-05-04 13:00 UTC, when ECS rolls it back")
            ),
        ),
        // It has expired, and ECS is about to say so.
        (vec![pause(AwaitingAction, Some(600), Some(RollBack))], None, String::new()),
        (vec![pause(AwaitingAction, Some(601), None)], Some(601), to_continue(" until 2026-05-04 12:10 UTC")),
        (vec![lambda(InProgress, Some(600), None)], None, String::new()),
        (vec![pause(Unknown, None, None)], None, String::new()),
        (vec![pause(Unknown, Some(600), None)], None, String::new()),
        (vec![pause(Succeeded, hour, None)], None, String::new()),
        (vec![lambda(Failed, hour, None)], None, String::new()),
        (vec![pause(TimedOut, hour, None)], None, String::new()),
        (vec![], None, String::new()),
    ] {
        let hold = hold(&lifecycle(hooks.clone()), &rollout("web:2"), Some(Continue), at(600));
        let person = says.contains("for somebody").then(|| "ecs-pause-1".to_owned());
        let expected = until.map(|until| Hold {
            until: at(until),
            says,
            person,
        });
        assert_eq!(hold, expected, "{hooks:?}");
    }
}

#[test]
fn in_a_rollback_a_pause_holds_only_what_has_not_begun_to_go_back_and_a_function_holds_both() {
    use HookAction::RollBack;
    let paused = lifecycle([pause(HookStatus::AwaitingAction, Some(3600), None)]);
    let not_begun = hold(&paused, &rollout("web:1"), Some(RollBack), at(600)).unwrap();
    assert_eq!(
        not_begun.says,
        format!(
            "waits at POST_TEST_TRAFFIC_SHIFT for somebody to take it back until 2026-05-04 13:00 UTC: aws ecs \
             continue-service-deployment --service-deployment-arn {ARN} --hook-id ecs-pause-1 --action ROLLBACK"
        )
    );
    assert_eq!(hold(&paused, &rollout("web:1"), None, at(600)), None);
    let invoked = lifecycle([lambda(HookStatus::InProgress, Some(3600), None)]);
    assert!(hold(&invoked, &rollout("web:1"), Some(RollBack), at(600)).is_some());
    assert!(hold(&invoked, &rollout("web:1"), None, at(600)).is_some());
}

#[test]
fn where_ecs_does_not_say_the_stage_a_hook_is_told_of_all_the_same() {
    let paused = Lifecycle {
        stage: None,
        ..lifecycle([pause(HookStatus::AwaitingAction, Some(3600), None)])
    };
    let hold = hold(&paused, &rollout("web:2"), Some(HookAction::Continue), at(600)).unwrap();
    assert!(
        hold.says.starts_with("waits at a lifecycle hook for somebody"),
        "{hold:?}"
    );
}

#[test]
fn no_rollout_is_held_for_more_than_four_weeks() {
    let paused = lifecycle([pause(HookStatus::AwaitingAction, Some(40 * DAY), None)]);
    let held = |now| hold(&paused, &rollout("web:2"), Some(HookAction::Continue), at(now)).map(|hold| hold.until);
    let limit = 2 + 28 * DAY;
    assert_eq!(held(600), Some(at(limit)));
    assert_eq!(held(limit - 1), Some(at(limit)));
    assert_eq!(held(limit), None);
}

#[test]
fn why_a_hook_made_ecs_go_back_is_told() {
    use HookAction::{Continue, RollBack};
    use HookStatus::{AwaitingAction, Failed, InProgress, Succeeded, TimedOut, Unknown};
    for (hook, reason) in [
        (
            pause(TimedOut, Some(3600), Some(RollBack)),
            Some("nobody continued lifecycle hook ecs-pause-1 until 2026-05-04 13:00 UTC"),
        ),
        (
            pause(TimedOut, None, None),
            Some("nobody continued lifecycle hook ecs-pause-1"),
        ),
        (
            pause(Failed, Some(3600), Some(RollBack)),
            Some("lifecycle hook ecs-pause-1 was not continued but rolled back"),
        ),
        (
            lambda(Failed, Some(3600), None),
            Some("the Lambda function smoke-test of a lifecycle hook failed"),
        ),
        (
            lambda(TimedOut, Some(3600), Some(RollBack)),
            Some("the Lambda function smoke-test of a lifecycle hook was not done by 2026-05-04 13:00 UTC"),
        ),
        (pause(TimedOut, Some(3600), Some(Continue)), None),
        (lambda(TimedOut, Some(3600), Some(Continue)), None),
        (pause(AwaitingAction, Some(3600), None), None),
        (lambda(InProgress, None, None), None),
        (lambda(Succeeded, None, None), None),
        (pause(Unknown, None, None), None),
    ] {
        let told: Vec<String> = reason.into_iter().map(str::to_owned).collect();
        assert_eq!(failures(&lifecycle([hook.clone()])), told, "{hook:?}");
    }
}

#[test]
fn a_function_is_named_as_its_owner_knows_it() {
    for (arn, name) in [
        (FUNCTION, "smoke-test"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:smoke-test",
            "smoke-test",
        ),
        ("smoke-test", "smoke-test"),
    ] {
        assert_eq!(function_name(arn), name);
    }
}

#[test]
fn the_deadline_moves_on_with_the_clock_while_the_rollout_is_held() {
    for (deadline, now, wait, until, moved_to, rule) in [
        (1800, 600, 30, 3600, 1830, "by the time until the next read"),
        (1800, 600, 300, 700, 1900, "not beyond the end of the hook"),
        (1800, 600, 30, 600, 1800, "the hook has expired"),
        (1800, 600, 30, 500, 1800, "the hook has expired"),
        (1800, 2000, 30, 3600, 2030, "nobody has looked for long"),
    ] {
        assert_eq!(moved(at(deadline), at(now), wait, at(until)), at(moved_to), "{rule}");
    }
}

/// The seconds of the reads of a rollout that a hook holds for so long, and the deadline at the end.
fn reads_while_held(poll_interval: i64, lasts: i64, left: i64) -> (Vec<i64>, Timestamp) {
    let rollout = rollout("web:2");
    let begun = 100;
    let until = at(begun + lasts);
    let (mut now, mut reads) = (begun, Vec::new());
    let mut deadline = at(begun + left);
    while at(now) < until {
        reads.push(now);
        let waiting = Waiting {
            cluster: &rollout.cluster,
            service: &rollout.service,
            services: 1,
            running: None,
            age: at(now).duration_since(rollout.watched_since),
            left: until.duration_since(at(now)),
            is_held: true,
        };
        let wait = wait(SignedDuration::from_secs(poll_interval), at(now), &waiting);
        deadline = moved(deadline, at(now), wait, until);
        now += i64::from(wait);
    }
    (reads, deadline)
}

proptest! {
    #[test]
    fn however_long_a_hook_waits_the_time_that_is_left_stays(
        poll_interval in 1_i64..3600, lasts in 1_i64..14 * DAY, left in 1_i64..7 * DAY,
    ) {
        let (_, deadline) = reads_while_held(poll_interval, lasts, left);
        prop_assert_eq!(deadline, at(100 + lasts + left));
    }
}

#[test]
fn a_hook_that_waits_for_weeks_is_read_some_hundred_times_and_the_events_of_an_execution_are_enough() {
    const EVENTS_A_POLL: usize = 9;
    // The settings allow so many polls for a rollout, as many for the wait for another's rollback before it, and for a rollback.
    const POLLS: usize = 3 * 800;
    let count = |poll_interval, days| reads_while_held(poll_interval, days * DAY, 1800).0.len();
    assert!((100..150).contains(&count(15, 1)), "{}", count(15, 1));
    assert!(count(15, 14) < 400, "{}", count(15, 14));
    // A rollout that is read more often than every 756 seconds may not last for seven days, and its age makes its reads rare.
    for poll_interval in [756, 1000, 3600] {
        let events = (count(poll_interval, 28) + POLLS) * EVENTS_A_POLL;
        assert!(events < 25_000, "{poll_interval}: {events}");
    }
}
