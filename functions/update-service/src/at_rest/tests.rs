//! The rules by which a service is at rest, and by which a revision is the last good one.

use super::*;
use ecr_deploy::domain::service::ServiceDeploymentStatus::{
    RollbackFailed, RolledBack, RollingBack, Stopped, Successful, UnderWay,
};
use ecr_deploy::testing::{arn, at, deployment, given_up, record, rolling, service};
use proptest::prelude::*;

pub(crate) fn without_state(deployment: Deployment) -> Deployment {
    Deployment {
        rollout_state: None,
        ..deployment
    }
}

#[test]
fn steady_is_one_complete_deployment() {
    assert!(is_steady(&service([deployment("web:1")])));
    assert!(is_steady(&service([without_state(deployment("web:1"))])));
    for deployments in [
        vec![],
        vec![rolling("web:1")],
        vec![given_up("web:1")],
        vec![without_state(rolling("web:1"))],
        vec![deployment("web:2"), deployment("web:1")],
    ] {
        assert!(!is_steady(&service(deployments.clone())), "{deployments:?}");
    }
    let drained = Service {
        deployments: vec![deployment("web:1")],
        ..service([])
    };
    assert!(!is_steady(&drained), "without a primary deployment");
}

/// ECS may call a rollout successful days before the tasks that it replaced are gone.
#[test]
fn a_service_whose_replaced_tasks_only_drain_is_steady() {
    let draining = |desired_count: u32| Deployment {
        desired_count,
        ..deployment("web:1")
    };
    let is_steady_on = |primary: Deployment, old: Deployment| {
        let service = service([primary, old]);
        assert_eq!(tells_everything(&service), is_steady(&service));
        is_steady(&service)
    };
    assert!(is_steady_on(deployment("web:2"), draining(0)));
    assert!(!is_steady_on(deployment("web:2"), draining(1)), "a bake time keeps it");
    assert!(!is_steady_on(rolling("web:2"), draining(0)));
    assert!(!is_steady_on(without_state(deployment("web:2")), draining(1)));
    let failed = Deployment {
        rollout_state: Some(RolloutState::Failed),
        ..draining(0)
    };
    assert!(!is_steady_on(deployment("web:2"), failed), "it was rolled back");
    let off = Deployment {
        desired_count: 0,
        ..deployment("web:2")
    };
    assert!(
        !is_steady_on(off, draining(0)),
        "all that a service without tasks has looks drained"
    );
}

#[test]
fn a_read_tells_everything_where_ecs_says_that_the_one_deployment_is_complete() {
    assert!(tells_everything(&service([deployment("web:1")])));
    for deployments in [
        vec![without_state(deployment("web:1"))],
        vec![rolling("web:1")],
        vec![deployment("web:2"), deployment("web:1")],
    ] {
        assert!(!tells_everything(&service(deployments.clone())), "{deployments:?}");
    }
}

// The revision for a rollback.

fn good(deployments: Vec<Deployment>, history: Option<&[ServiceDeployment]>) -> Option<String> {
    last_good(&[&service(deployments)], &arn("web:9"), history, |_| false).map(|good| good.short().to_owned())
}

#[test]
fn peer_3_three_pushes_the_second_bad_the_third_superseding_it_back_to_the_first() {
    let deployments = vec![rolling("web:3"), given_up("web:2"), deployment("web:1")];
    assert_eq!(good(deployments, None).as_deref(), Some("web:1"));
    let history = [
        record("web:3", UnderWay),
        record("web:2", Stopped),
        record("web:1", Successful),
    ];
    assert_eq!(
        good(vec![rolling("web:3"), rolling("web:2")], Some(&history)).as_deref(),
        Some("web:1")
    );
}

#[test]
fn the_newest_of_several_good_deployments_is_the_last_good_one() {
    assert_eq!(
        good(vec![deployment("web:2"), deployment("web:1")], None).as_deref(),
        Some("web:2")
    );
    let back = Deployment {
        created_at: at(50),
        ..deployment("web:1")
    };
    assert_eq!(good(vec![back, deployment("web:2")], None).as_deref(), Some("web:1"));
    let history = [record("web:2", Successful), record("web:1", Successful)];
    assert_eq!(good(vec![rolling("web:3")], Some(&history)).as_deref(), Some("web:2"));
}

#[test]
fn what_runs_counts_before_what_is_recorded() {
    let history = [record("web:5", Successful)];
    assert_eq!(
        good(vec![deployment("web:1")], Some(&history)).as_deref(),
        Some("web:1")
    );
}

#[test]
fn ours_is_never_what_it_goes_back_to() {
    assert_eq!(
        good(vec![deployment("web:9"), deployment("web:1")], None).as_deref(),
        Some("web:1")
    );
    let history = [record("web:9", Successful), record("web:1", Successful)];
    assert_eq!(
        good(vec![deployment("web:9")], Some(&history)).as_deref(),
        Some("web:1")
    );
}

#[test]
fn nothing_that_never_became_stable_is_good() {
    assert_eq!(good(vec![rolling("web:1"), given_up("web:2")], None), None);
    for status in [UnderWay, Stopped, RollingBack, RolledBack, RollbackFailed] {
        assert_eq!(good(vec![rolling("web:1")], Some(&[record("web:2", status)])), None);
    }
}

#[test]
fn without_a_rollout_state_a_deployment_is_good_when_all_its_tasks_run() {
    let stateless = without_state(deployment("web:1"));
    assert_eq!(good(vec![stateless.clone()], None).as_deref(), Some("web:1"));
    assert_eq!(
        good(
            vec![Deployment {
                running_count: 1,
                ..stateless.clone()
            }],
            None
        ),
        None
    );
    assert_eq!(
        good(
            vec![Deployment {
                pending_count: 1,
                ..stateless.clone()
            }],
            None
        ),
        None
    );
    let draining = Deployment {
        desired_count: 0,
        running_count: 0,
        ..without_state(deployment("web:2"))
    };
    let three = vec![without_state(rolling("web:3")), draining.clone(), stateless];
    assert_eq!(good(three, None).as_deref(), Some("web:1"));
    assert_eq!(
        good(vec![draining], None).as_deref(),
        Some("web:2"),
        "the service is scaled to zero"
    );
}

#[test]
fn without_a_rollout_state_what_ran_for_a_moment_is_not_good_where_its_record_tells() {
    let both = || {
        ["web:2", "web:1"]
            .map(|short| without_state(deployment(short)))
            .to_vec()
    };
    let first = record("web:1", Successful);
    for (history, expected) in [
        (vec![record("web:2", UnderWay), first.clone()], "web:1"),
        (vec![record("web:2", Stopped), first.clone()], "web:1"),
        (vec![record("web:2", Successful), first], "web:2"),
        (vec![], "web:2"),
        // Where ECS calls no such rollout successful, what runs is all that there is.
        (vec![record("web:2", UnderWay), record("web:1", UnderWay)], "web:2"),
    ] {
        assert_eq!(good(both(), Some(&history)).as_deref(), Some(expected), "{history:?}");
    }
}

#[test]
fn with_a_rollout_state_no_record_is_asked() {
    let history = [record("web:2", UnderWay), record("web:1", Successful)];
    let both = vec![deployment("web:2"), deployment("web:1")];
    assert_eq!(good(both, Some(&history)).as_deref(), Some("web:2"));
}

#[test]
fn the_first_read_that_lists_something_good_counts() {
    let completed_meanwhile = service([rolling("web:9"), deployment("web:2")]);
    let before = service([rolling("web:2"), deployment("web:1")]);
    let good = |reads: &[&Service]| last_good(reads, &arn("web:9"), None, |_| false);
    assert_eq!(good(&[&completed_meanwhile, &before]), Some(arn("web:2")));
    let nothing = service([rolling("web:9")]);
    assert_eq!(good(&[&nothing, &before]), Some(arn("web:1")));
}

/// A protected task may keep a rollout from being complete for two days.
#[test]
fn a_rollout_that_had_its_time_and_only_drains_is_good() {
    let drains = || Deployment {
        running_count: 2,
        pending_count: 0,
        created_at: at(60),
        ..rolling("web:2")
    };
    let old = || Deployment {
        desired_count: 0,
        ..deployment("web:1")
    };
    let before = service([drains(), old()]);
    let updated = service([rolling("web:9"), drains(), old()]);
    let good = |reads: &[&Service], has_had_its_time: bool| {
        last_good(reads, &arn("web:9"), None, |service| {
            has_had_its_time && service.draining() > 0
        })
    };
    assert_eq!(good(&[&before], false), Some(arn("web:1")));
    assert_eq!(good(&[&before], true), Some(arn("web:2")));
    assert_eq!(good(&[&updated, &before], true), Some(arn("web:2")));
    assert_eq!(
        last_good(&[&before], &arn("web:2"), None, |_| true),
        Some(arn("web:1")),
        "ours"
    );
}

pub(crate) fn any_deployment() -> impl Strategy<Value = Deployment> {
    let kind = prop::sample::select(vec![deployment as fn(&str) -> Deployment, rolling, given_up]);
    (1u32..6, kind, any::<bool>()).prop_map(|(number, kind, is_stateless)| {
        let deployment = kind(&format!("web:{number}"));
        if is_stateless {
            without_state(deployment)
        } else {
            deployment
        }
    })
}

proptest! {
    #[test]
    fn the_last_good_revision_is_never_ours_nor_one_that_failed(deployments in prop::collection::vec(any_deployment(), 0..5)) {
        let service = service(deployments);
        if let Some(good) = last_good(&[&service], &arn("web:2"), None, |_| false) {
            prop_assert_ne!(&good, &arn("web:2"));
            let of_it = service.deployments.iter().filter(|deployment| deployment.task_definition == good);
            let never_failed = of_it.into_iter().any(|deployment| deployment.rollout_state != Some(RolloutState::Failed));
            prop_assert!(never_failed);
        }
    }
}
