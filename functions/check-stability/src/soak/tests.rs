//! The rule by which a soak is over.

use super::*;
use ecr_deploy::domain::service::Deployment;
use ecr_deploy::testing::{at, crash, definition, deployment, described_of_push, pushed, rolling, service};

#[test]
fn a_service_is_stable_still_when_a_complete_rollout_of_the_image_has_all_its_tasks() {
    let ours = definition(&described_of_push("web:2", 2)).outline();
    let other = definition(&described_of_push("web:3", 3)).outline();
    let failed = Deployment {
        rollout_state: Some(RolloutState::Failed),
        ..deployment("web:2")
    };
    let crashed = Deployment {
        running_count: 1,
        ..deployment("web:2")
    };
    let complete_but_for_the_old = Deployment {
        rollout_state: Some(RolloutState::InProgress),
        ..deployment("web:2")
    };
    let old = |desired_count| Deployment {
        is_primary: false,
        desired_count,
        ..deployment("web:1")
    };
    for (deployments, revision, why) in [
        (vec![deployment("web:2")], Some(&ours), None),
        (
            vec![deployment("web:3")],
            Some(&other),
            Some("it is on web:3, which has another image"),
        ),
        (
            vec![deployment("web:2")],
            None,
            Some("it is on web:2, which has another image"),
        ),
        (
            vec![rolling("web:2")],
            Some(&ours),
            Some("0 of 2 tasks of web:2 running, and its rollout is not complete"),
        ),
        (
            vec![failed],
            Some(&ours),
            Some("2 of 2 tasks of web:2 running, and its rollout is not complete"),
        ),
        (vec![crashed], Some(&ours), Some("1 of 2 tasks of web:2 running")),
        (vec![complete_but_for_the_old, old(0)], Some(&ours), None),
        (
            vec![rolling("web:2"), old(0)],
            Some(&ours),
            Some("0 of 2 tasks of web:2 running, and its rollout is not complete"),
        ),
        (vec![], None, Some("it shows no deployment of its own")),
    ] {
        let service = service(deployments.clone());
        assert_eq!(
            unstable(&service, revision, &pushed(2)).map(|it| it.why).as_deref(),
            why,
            "{deployments:?}"
        );
    }
    let draining = Service {
        status: ServiceStatus::Draining,
        ..service([])
    };
    assert_eq!(unstable(&draining, None, &pushed(2)), None);
}

#[test]
fn a_complete_rollout_of_the_image_without_all_its_tasks_lacks_only_tasks() {
    let ours = definition(&described_of_push("web:2", 2)).outline();
    let lacks = |primary: Deployment, revision| {
        let found = unstable(&service([primary]), revision, &pushed(2));
        found.map(|it| it.lacks_tasks)
    };
    let one_runs = || Deployment {
        running_count: 1,
        ..deployment("web:2")
    };
    assert_eq!(lacks(one_runs(), Some(&ours)), Some(true));
    assert_eq!(lacks(one_runs(), None), Some(false), "of another image");
    assert_eq!(lacks(rolling("web:2"), Some(&ours)), Some(false), "under way");
}

#[test]
fn a_crash_counts_that_is_of_what_the_service_is_on_and_not_older_than_one_may_lack_tasks() {
    let web = service([deployment("web:2")]);
    let lately = |task: StoppedTask, seconds| crashed_lately(&web, &task, at(seconds));
    assert!(lately(crash("web:2", 100), 399));
    assert!(!lately(crash("web:2", 100), 400));
    assert!(!lately(crash("web:1", 100), 101), "of an old deployment");
    let interrupted = StoppedTask {
        stop_code: "SpotInterruption".to_owned(),
        ..crash("web:2", 100)
    };
    assert!(!lately(interrupted, 101));
    let timeless = StoppedTask {
        stopped_at: None,
        ..crash("web:2", 100)
    };
    assert!(lately(timeless, 101));
}
