//! A rollout that waits at lifecycle hooks, and one that hooks have ended.

use super::*;
use ecr_deploy::domain::lifecycle::{Hook, HookStatus};

/// A pause that waits until one o'clock; ECS then goes back.
fn pause(status: HookStatus) -> Hook {
    Hook {
        id: "ecs-pause-1".to_owned(),
        status,
        function: None,
        expires_at: Some(at(3600)),
        timeout_action: Some(HookAction::RollBack),
    }
}

/// The run of a function that ends at one o'clock at the latest.
fn invocation(status: HookStatus) -> Hook {
    Hook {
        function: Some("arn:aws:lambda:eu-west-1:123456789012:function:smoke-test".to_owned()),
        ..pause(status)
    }
}

impl Case {
    /// The rollout, or the rollback, that counts has this hook.
    fn hook(self, hook: Hook) -> Self {
        Self {
            service: Service {
                has_lifecycle_hooks: true,
                ..self.service
            },
            lifecycle: Some(Lifecycle {
                service_deployment: "arn:of:it".to_owned(),
                stage: Some("POST_TEST_TRAFFIC_SHIFT".to_owned()),
                hooks: vec![hook],
            }),
            ..self
        }
    }
}

impl Case {
    /// The hooks that wait for a person, as the event about it names them.
    fn waits_for(&self) -> Option<String> {
        self.judged().waits_for
    }
}

const CONTINUE: &str = "waits at POST_TEST_TRAFFIC_SHIFT for somebody to continue it until 2026-05-04 13:00 UTC, when ECS rolls it \
                        back: aws ecs continue-service-deployment --service-deployment-arn arn:of:it --hook-id ecs-pause-1 --action \
                        CONTINUE";

/// All tasks of ours run beside the old ones, and ECS goes no further.
fn paused() -> Case {
    let beside = Deployment {
        rollout_state: Some(RolloutState::InProgress),
        ..deployment("web:2")
    };
    case([beside, deployment("web:1")])
        .history([record("web:2", UnderWay)])
        .hook(pause(HookStatus::AwaitingAction))
}

#[test]
fn the_hook_is_named_that_waits_for_a_person_and_no_other() {
    assert_eq!(paused().now(300).waits_for().as_deref(), Some("ecs-pause-1"));
    assert_eq!(
        paused().hook(invocation(HookStatus::InProgress)).now(300).waits_for(),
        None
    );
    assert_eq!(paused().now(3600).waits_for(), None, "its time is over");
}

#[test]
fn a_rollout_that_waits_at_a_hook_goes_on_after_its_deadline_until_the_hook_expires() {
    for seconds in [300, 1801, 1802, 3599] {
        paused()
            .now(seconds)
            .says(InProgress, &format!("2 of 2 tasks running; {CONTINUE}"));
    }
    let expired = paused().now(3600);
    expired.says(Failed, "not stable by 2026-05-04T12:30:02Z: 2 of 2 tasks running");
    let by_function = paused().hook(invocation(HookStatus::InProgress)).now(3599);
    by_function.says(
        InProgress,
        "2 of 2 tasks running; waits at POST_TEST_TRAFFIC_SHIFT for the Lambda function smoke-test until 2026-05-04 13:00 UTC, when \
         ECS rolls it back",
    );
    paused().hook(pause(HookStatus::Succeeded)).now(1802).is(Failed);
    let untold = Case {
        lifecycle: None,
        ..paused()
    };
    untold.now(1802).is(Failed);
}

#[test]
fn a_rollout_that_waits_where_it_does_not_show_yet_goes_on_too() {
    // It is open whether ECS shows the new deployment before the first stage is over.
    let case = case([deployment("web:1")])
        .history([record("web:2", UnderWay)])
        .hook(pause(HookStatus::AwaitingAction));
    case.now(1802).says(
        InProgress,
        &format!("the rollout of web:2 does not show yet; {CONTINUE}"),
    );
}

#[test]
fn tasks_that_crash_while_a_hook_waits_are_a_failure_all_the_same() {
    paused().stopped(crashes(3)).is(Failed);
    paused().stopped(crashes(2)).is(InProgress);
}

#[test]
fn old_tasks_that_only_drain_end_nothing_while_a_hook_waits() {
    let draining = Deployment {
        desired_count: 0,
        ..deployment("web:1")
    };
    let draining = Case {
        service: Service {
            deployments: vec![paused().service.deployments[0].clone(), draining],
            ..paused().service
        },
        ..paused()
    };
    draining.clone().now(1802).is(InProgress);
    draining.hook(pause(HookStatus::Succeeded)).now(1802).is(Stable);
}

#[test]
fn where_ecs_goes_back_the_hook_that_made_it_is_told() {
    let why = "nobody continued lifecycle hook ecs-pause-1 until 2026-05-04 13:00 UTC";
    for (status, hook, said) in [
        (RollingBack, pause(HookStatus::TimedOut), why),
        (RolledBack, pause(HookStatus::TimedOut), why),
        (
            RolledBack,
            pause(HookStatus::Failed),
            "lifecycle hook ecs-pause-1 was not continued but rolled back",
        ),
        (
            RolledBack,
            invocation(HookStatus::Failed),
            "the Lambda function smoke-test of a lifecycle hook failed",
        ),
    ] {
        let ours = case([deployment("web:2"), deployment("web:1")])
            .history([record("web:2", status)])
            .hook(hook.clone());
        ours.says(Failed, &format!("ECS is rolling back: 2 of 2 tasks running: {said}"));
        let back = case([deployment("web:1")])
            .history([record("web:2", status)])
            .hook(hook);
        let check = back.judged();
        assert_eq!(
            (check.verdict, check.reasons),
            (Failed, vec![said.to_owned()]),
            "{}",
            check.message
        );
        assert!(check.message.contains(said), "{}", check.message);
    }
    // ECS went on after it, and what made it go back is something else.
    let went_on = Hook {
        timeout_action: Some(HookAction::Continue),
        ..pause(HookStatus::TimedOut)
    };
    let ours = case([deployment("web:2"), deployment("web:1")]);
    ours.history([record("web:2", RollingBack)])
        .hook(went_on)
        .says(Failed, "ECS is rolling back: 2 of 2 tasks running");
    // It goes on still.
    paused()
        .hook(pause(HookStatus::TimedOut))
        .says(InProgress, "2 of 2 tasks running");
}

#[test]
fn a_rollback_by_an_update_waits_at_hooks_as_a_rollout_does() {
    let begun = ServiceDeployment {
        created_at: at(3),
        ..record("web:1", UnderWay)
    };
    let beside = again(
        3,
        Deployment {
            rollout_state: Some(RolloutState::InProgress),
            ..deployment("web:1")
        },
    );
    rollback([beside, deployment("web:2")])
        .history([begun, record("web:2", Stopped)])
        .hook(pause(HookStatus::AwaitingAction))
        .now(1802)
        .says(InProgress, &format!("2 of 2 tasks running; {CONTINUE}"));
}

#[test]
fn a_deployment_that_is_to_be_stopped_and_pauses_still_waits_for_somebody_to_take_it_back() {
    // It is open whether ECS stops a deployment that is paused.
    let take_back = CONTINUE
        .replace("continue it until", "take it back until")
        .replace("action CONTINUE", "action ROLLBACK");
    let beside = Deployment {
        rollout_state: Some(RolloutState::InProgress),
        ..deployment("web:2")
    };
    let stopping = rollback([beside, deployment("web:1")])
        .history([record("web:2", RollingBack)])
        .hook(pause(HookStatus::AwaitingAction));
    stopping
        .now(1802)
        .says(InProgress, &format!("the service is still on web:2; {take_back}"));
    // Nothing pauses once it goes back, whatever ECS still tells of the hook.
    let back = again(3, rolling("web:1"));
    let going_back = rollback([back, deployment("web:2")])
        .history([record("web:2", RollingBack)])
        .hook(pause(HookStatus::AwaitingAction));
    going_back.clone().now(1800).says(InProgress, "0 of 2 tasks running");
    going_back.clone().now(1802).is(Failed);
    going_back
        .hook(invocation(HookStatus::InProgress))
        .now(1802)
        .is(InProgress);
}

#[test]
fn hooks_are_read_only_of_a_rollout_under_way_or_taken_back_of_a_service_that_has_any() {
    let asked = |case: &Case| has_hooks(&case.service, case.history.as_deref(), &case.asked).map(str::to_owned);
    let arn = record("web:2", UnderWay).arn;
    assert_eq!(asked(&paused()), Some(arn.clone()));
    for status in [RollingBack, RolledBack, RollbackFailed] {
        assert_eq!(
            asked(&paused().history([record("web:2", status)])),
            Some(arn.clone()),
            "{status:?}"
        );
    }
    for status in [Successful, Stopped] {
        assert_eq!(asked(&paused().history([record("web:2", status)])), None, "{status:?}");
    }
    let without = Case {
        service: Service {
            has_lifecycle_hooks: false,
            ..paused().service
        },
        ..paused()
    };
    assert_eq!(asked(&without), None);
    assert!(!needs_history(&rolling_service(false), &without.asked.rollout));
    assert!(needs_history(&rolling_service(true), &without.asked.rollout));
    let no_history = Case {
        history: None,
        ..paused()
    };
    assert_eq!(asked(&no_history), None);
}

fn rolling_service(has_lifecycle_hooks: bool) -> Service {
    Service {
        has_lifecycle_hooks,
        ..service([rolling("web:2"), deployment("web:1")])
    }
}
