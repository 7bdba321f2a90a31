use super::*;
use crate::testing::{arn, at, deployment, given_up, record, rolling, service};

#[test]
fn as_many_tasks_may_crash_as_the_services_own_circuit_breaker_tolerates() {
    use CrashThreshold::{BoundedPercent, Count, UnboundedPercent};
    for (threshold, desired, tasks) in [
        (BoundedPercent(50), 0, 3),
        (BoundedPercent(50), 6, 3),
        (BoundedPercent(50), 7, 4),
        (BoundedPercent(50), 1_000, 200),
        (BoundedPercent(10), 1_000, 100),
        (BoundedPercent(100), 5, 5),
        (UnboundedPercent(50), 0, 1),
        (UnboundedPercent(50), 1, 1),
        (UnboundedPercent(50), 1_000, 500),
        (UnboundedPercent(200), 10, 20),
        (UnboundedPercent(33), 10, 4),
        (Count(1), 1_000, 1),
        (Count(40), 1, 40),
        (Count(0), 1, 1),
        (UnboundedPercent(u32::MAX), u32::MAX, 184_467_440_651_196_171),
    ] {
        assert_eq!(threshold.tasks(desired), tasks, "{threshold:?} of {desired}");
    }
    assert_eq!(CrashThreshold::default(), BoundedPercent(50));
}

#[test]
fn a_service_has_moved_when_its_deployments_are_others_or_stand_otherwise_not_when_its_tasks_come_and_go() {
    let before = || [rolling("web:2"), deployment("web:1")];
    let moved = |change: fn(&mut Vec<Deployment>)| {
        let (before, mut after) = (service(before()), service(before()));
        change(&mut after.deployments);
        assert_eq!(after.has_moved_since(&before), before.has_moved_since(&after));
        after.has_moved_since(&before)
    };
    assert!(moved(|it| it.push(given_up("web:3"))));
    assert!(moved(|it| drop(it.pop())));
    assert!(moved(|it| it[0].id = "ecs-svc/50".to_owned()));
    assert!(moved(|it| it[0].task_definition = arn("web:5")));
    assert!(moved(|it| it[0].rollout_state = Some(RolloutState::Failed)));
    assert!(moved(|it| it[0].rollout_state = None));
    assert!(moved(|it| {
        it[0].is_primary = false;
        it[1].is_primary = true;
    }));
    assert!(!moved(|_| ()));
    assert!(!moved(|it| it.reverse()), "ECS lists them in any order");
    assert!(!moved(|it| {
        it[0].running_count = 1;
        it[0].pending_count = 1;
        it[0].failed_tasks = 1;
    }));
}

#[test]
fn a_read_shows_a_recorded_rollout_by_a_deployment_of_its_revision_or_by_one_that_began_no_earlier() {
    let shows = |short, seconds| {
        service([rolling("web:2"), deployment("web:1")]).shows(&ServiceDeployment {
            created_at: at(seconds),
            ..record(short, ServiceDeploymentStatus::UnderWay)
        })
    };
    assert!(shows("web:2", 3) && shows("web:1", 3));
    assert!(shows("web:3", 1) && shows("web:3", 2));
    assert!(!shows("web:3", 3));
}

/// Two tasks are desired. ECS completes the rollout only when the last old task is gone.
#[test]
fn only_old_tasks_drain_where_ecs_has_all_that_it_wants_and_wants_none_of_the_others() {
    let draining = |running_count, pending_count, wanted, old_tasks| {
        let ours = Deployment {
            running_count,
            pending_count,
            ..rolling("web:2")
        };
        let old = Deployment {
            desired_count: wanted,
            running_count: old_tasks,
            ..deployment("web:1")
        };
        service([ours, old]).draining()
    };
    assert_eq!(draining(2, 0, 0, 3), 3);
    assert_eq!(draining(3, 0, 0, 1), 1, "more than are desired");
    assert_eq!(draining(1, 0, 0, 3), 0, "ECS wants one of ours still");
    assert_eq!(draining(2, 1, 0, 3), 0);
    assert_eq!(draining(2, 0, 1, 3), 0, "a bake time keeps them");
    assert_eq!(service([deployment("web:2")]).draining(), 0);
    assert_eq!(service([]).draining(), 0);
}

#[test]
fn a_rollout_of_which_only_old_tasks_are_left_is_over_when_it_had_its_time() {
    let ours = Deployment {
        running_count: 2,
        pending_count: 0,
        ..rolling("web:2")
    };
    let began = ours.created_at;
    let old = Deployment {
        desired_count: 0,
        ..deployment("web:1")
    };
    let time = SignedDuration::from_mins(30);
    let is_over = |service: &Service, seconds| service.only_drains(began + SignedDuration::from_secs(seconds), time);
    let drains = service([ours.clone(), old]);
    assert!(!is_over(&drains, 1799));
    assert!(is_over(&drains, 1800));
    assert!(!is_over(&service([ours]), 1800), "it bakes, or waits for an alarm");
}
