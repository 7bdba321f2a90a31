//! The rules by which a rollout begins. In every case `web:2`, made from `web:1`, is the revision of the second push.

use super::*;
use crate::at_rest::tests::{any_deployment, without_state};
use ecr_deploy::domain::service::ServiceDeploymentStatus::{
    RollbackFailed, RolledBack, RollingBack, Stopped, Successful, UnderWay,
};
use ecr_deploy::domain::service::ServiceEvent;
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::testing::{arn, at, deployment, given_up, pushed, record, rolling, service, service_id};
use proptest::prelude::*;

fn wanted() -> UpdateInput {
    UpdateInput {
        image: pushed(2),
        cluster: service_id().cluster,
        service: service_id().service,
        task_definition: arn("web:2"),
        source: arn("web:1"),
        deadline: None,
        wanted_since: None,
        repeated: false,
        services: 1,
        settings: RolloutSettings::default(),
    }
}

/// Returns the decision for the service with these deployments, the primary one first.
fn decided(deployments: impl IntoIterator<Item = Deployment>, standing: Option<Standing>) -> Start {
    decide(
        &wanted(),
        &service(deployments),
        &Facts {
            primary_standing: standing,
            ..Facts::default()
        },
    )
}

fn update(force: bool) -> Start {
    Start::Update {
        revision: arn("web:2"),
        force,
    }
}

fn because_of(reason: &str, deployment: Deployment) -> Deployment {
    Deployment {
        rollout_state_reason: Some(reason.to_owned()),
        ..deployment
    }
}

#[test]
fn a_service_on_the_source_is_updated() {
    assert_eq!(decided([deployment("web:1")], None), update(false));
    assert_eq!(decided([], None), update(false));
}

#[test]
fn a_service_that_somebody_has_moved_to_another_family_is_not_moved_out_of_it() {
    let moved = decided([deployment("admin:7")], Some(Standing::Unrecorded));
    assert_eq!(
        moved,
        Start::Rebase(arn("admin:7")),
        "a revision of that family is made"
    );
    let by_hand = UpdateInput {
        source: arn("admin:7"),
        ..wanted()
    };
    let on_source = service([deployment("admin:7")]);
    let refused = decide(&by_hand, &on_source, &Facts::default());
    let says = "web in production runs admin:7, and web:2 is of another family";
    assert_eq!(refused, Start::Refused(says.to_owned()));
}

#[test]
fn a_service_that_is_there_or_on_its_way_is_left_alone() {
    for on in [deployment("web:2"), rolling("web:2"), without_state(rolling("web:2"))] {
        assert_eq!(
            decided([on, deployment("web:1")], None),
            Start::AlreadyDeployed(arn("web:2"))
        );
    }
}

#[test]
fn a_service_on_hold_is_not_moved_but_what_it_is_on_already_is_told() {
    let held = || Start::OnHold("ann - freeze".to_owned());
    for (on, standing, wanted_since, expected) in [
        (vec![deployment("web:1")], None, None, held()),
        (vec![], None, None, held()),
        (vec![deployment("web:4")], Some(Standing::Unrecorded), None, held()),
        // Somebody who redrives the push may not know of the hold.
        (vec![deployment("web:1")], None, Some(at(90)), held()),
        (vec![given_up("web:2")], None, Some(at(90)), held()),
        (
            vec![deployment("web:2")],
            None,
            None,
            Start::AlreadyDeployed(arn("web:2")),
        ),
        (
            vec![deployment("web:5")],
            Some(Standing::Newer),
            None,
            Start::Superseded(arn("web:5")),
        ),
        (
            vec![rolling("web:1"), deployment("web:5")],
            Some(Standing::Older),
            None,
            Start::RollingBack(arn("web:1")),
        ),
    ] {
        let service = service(on);
        let facts = Facts {
            hold: Some("ann - freeze".to_owned()),
            primary_standing: standing,
            ..Facts::default()
        };
        let wanted = UpdateInput {
            wanted_since,
            ..wanted()
        };
        assert_eq!(decide(&wanted, &service, &facts), expected, "{:?}", service.deployments);
    }
}

#[test]
fn a_later_revision_of_the_same_push_counts_as_there() {
    let on_later = decided([deployment("web:3")], Some(Standing::Ours));
    assert_eq!(on_later, Start::AlreadyDeployed(arn("web:3")));
}

/// Returns the decision where `web:4`, made from `web:3`, is wanted of the push, and the service is on an earlier one
/// of its own.
fn decided_on_earlier(deployments: Vec<Deployment>, history: Option<&[ServiceDeployment]>) -> Start {
    let history = history.map(<[_]>::to_vec);
    decided_on_earlier_by(
        deployments,
        Facts {
            history,
            ..Facts::default()
        },
    )
}

fn decided_on_earlier_by(deployments: Vec<Deployment>, facts: Facts) -> Start {
    let wanted = UpdateInput {
        task_definition: arn("web:4"),
        source: arn("web:3"),
        ..wanted()
    };
    let facts = Facts {
        primary_standing: Some(Standing::Ours),
        ..facts
    };
    decide(&wanted, &service(deployments), &facts)
}

fn to_later() -> Start {
    Start::Update {
        revision: arn("web:4"),
        force: false,
    }
}

#[test]
fn an_earlier_revision_of_the_same_push_gives_way_to_the_one_made_to_keep_what_came_in_between() {
    let on_earlier = |deployments| decided_on_earlier(deployments, None);
    assert_eq!(
        on_earlier(vec![rolling("web:2"), rolling("web:3"), deployment("web:1")]),
        to_later()
    );
    assert_eq!(on_earlier(vec![rolling("web:2"), deployment("web:3")]), to_later());
    assert_eq!(on_earlier(vec![deployment("web:2")]), to_later());
    assert_eq!(
        on_earlier(vec![deployment("other:2")]),
        Start::AlreadyDeployed(arn("other:2"))
    );
    // The hold came after the image.
    let on_hold = Facts {
        hold: Some("ann - freeze".to_owned()),
        ..Facts::default()
    };
    assert_eq!(decided_on_earlier_by(vec![deployment("web:2")], on_hold), to_later());
    // The rollout that an older read began has replaced the wanted one, which had never been there alone.
    let overtaken = [
        record("web:2", Successful),
        record("web:4", Stopped),
        record("web:1", Successful),
    ];
    assert_eq!(
        decided_on_earlier(vec![deployment("web:2")], Some(&overtaken)),
        to_later()
    );
}

#[test]
fn a_rollback_to_an_earlier_revision_of_the_same_push_is_waited_for() {
    let returning = Start::RollingBack(arn("web:2"));
    let failed = because_of("tasks failed to start", deployment("web:4"));
    let goes_back = because_of("rolling back to deploymentId ecs-svc/2.", rolling("web:2"));
    for beside in [rolling("web:4"), given_up("web:4"), failed] {
        let listed = vec![goes_back.clone(), beside];
        assert_eq!(decided_on_earlier(listed, None), returning, "by its reason");
    }
    for beside in [rolling("web:4"), given_up("web:4"), without_state(rolling("web:4"))] {
        let listed = vec![rolling("web:2"), beside];
        assert_eq!(decided_on_earlier(listed, None), returning, "by what it leaves");
    }
    // Where ECS lists nothing beside it any more, nobody can tell a rollback by that.
    assert_eq!(decided_on_earlier(vec![rolling("web:2")], None), to_later());
}

#[test]
fn what_was_taken_back_to_an_earlier_revision_of_the_same_push_is_not_brought_in_once_more() {
    let there = Start::AlreadyDeployed(arn("web:2"));
    let before = vec![record("web:2", Successful), record("web:1", Successful)];
    for (records, was_taken_back) in [
        (vec![record("web:4", RollingBack)], true),
        (vec![record("web:4", RolledBack)], true),
        (vec![record("web:2", UnderWay), record("web:4", Stopped)], true),
        (vec![record("web:2", Successful), record("web:4", Stopped)], true),
        (vec![record("web:2", Successful), record("web:4", RollbackFailed)], true),
        (
            vec![
                record("web:2", Successful),
                record("web:5", Stopped),
                record("web:4", Stopped),
            ],
            true,
        ),
        (vec![record("web:4", Stopped)], false),
        (vec![record("web:4", UnderWay)], false),
        (vec![record("web:9", RolledBack)], false),
        // The source of the wanted revision.
        (vec![record("web:3", RolledBack)], true),
        (vec![record("web:4", UnderWay), record("web:4", RolledBack)], false),
    ] {
        let history = [records, before.clone()].concat();
        let expected = if was_taken_back { there.clone() } else { to_later() };
        for on in [deployment("web:2"), rolling("web:2")] {
            let decided = decided_on_earlier(vec![on], Some(&history));
            assert_eq!(decided, expected, "{history:#?}");
        }
    }
}

#[test]
fn a_service_that_failed_on_our_revision_is_started_there_again_by_force() {
    assert_eq!(decided([given_up("web:2"), deployment("web:1")], None), update(true));
    let force_later = Start::Update {
        revision: arn("web:3"),
        force: true,
    };
    let again = decided_as([false, true], given_up("web:3"), Standing::Ours, None);
    assert_eq!(again, force_later, "a person wants it again");
}

#[test]
fn a_rollout_that_failed_under_another_tag_of_its_image_is_watched_and_not_tried_once_more() {
    for [repeated, again] in [[true, false], [false, false], [false, true], [true, true]] {
        let decided = decided_as([repeated, again], given_up("web:2"), Standing::Ours, None);
        let expected = if repeated && !again {
            Start::AlreadyDeployed(arn("web:2"))
        } else {
            update(true)
        };
        assert_eq!(decided, expected, "{repeated} {again}");
    }
}

/// The execution that registered `web:2` comes late to the service: another tag's execution has moved it there since the push.
#[test]
fn a_push_may_have_had_its_turn_where_the_service_was_deployed_to_since() {
    let since = |seconds: i64, [repeated, again]: [bool; 2]| {
        let of_then = Deployment {
            created_at: at(2 + seconds),
            ..deployment("web:1")
        };
        let wanted = UpdateInput {
            wanted_since: again.then(|| at(60)),
            repeated,
            ..wanted()
        };
        may_have_been_deployed(&wanted, &service([of_then]))
    };
    for (seconds, repeated, expected) in [(0, false, false), (1, false, true), (0, true, true), (1, true, true)] {
        assert_eq!(since(seconds, [repeated, false]), expected, "{seconds} {repeated}");
        assert!(!since(seconds, [repeated, true]), "a person wants it again");
    }
    let back = Deployment {
        created_at: at(9),
        ..deployment("web:1")
    };
    let history = [
        record("web:1", Successful),
        record("web:2", RolledBack),
        record("web:1", Successful),
    ];
    let decided = decided_as([false, false], back, Standing::Unrecorded, Some(&history));
    assert!(matches!(decided, Start::RolledBack { .. }), "{decided:?}");
}

#[test]
fn a_rollout_that_another_execution_of_the_push_began_and_that_failed_is_not_tried_once_more() {
    let failed = Deployment {
        created_at: at(3),
        ..given_up("web:2")
    };
    let decided = decided([failed], Some(Standing::Ours));
    assert_eq!(decided, Start::AlreadyDeployed(arn("web:2")));
}

#[test]
fn peer_13_a_newer_push_is_never_overwritten_by_an_older_one() {
    for on in [deployment("web:3"), rolling("web:3"), given_up("web:3")] {
        assert_eq!(
            decided([on, rolling("web:4")], Some(Standing::Newer)),
            Start::Superseded(arn("web:3"))
        );
    }
}

#[test]
fn a_service_that_has_moved_on_gets_the_image_on_top() {
    for standing in [Standing::Older, Standing::Unrecorded] {
        assert_eq!(
            decided([deployment("web:3")], Some(standing)),
            Start::Rebase(arn("web:3"))
        );
        assert_eq!(
            decided([rolling("web:3"), deployment("web:1")], Some(standing)),
            Start::Rebase(arn("web:3"))
        );
    }
}

#[test]
fn a_service_that_an_older_push_has_moved_from_the_same_revision_is_updated_at_once() {
    let of_older = |on: Deployment| {
        let on = service([on, deployment("web:1")]);
        let facts = Facts {
            primary_standing: Some(Standing::Older),
            leads_to_wanted: true,
            ..Facts::default()
        };
        decide(&wanted(), &on, &facts)
    };
    let update = Start::Update {
        revision: arn("web:2"),
        force: false,
    };
    assert_eq!(of_older(deployment("web:3")), update);
    assert_eq!(of_older(rolling("web:3")), update);
    let back = Deployment {
        rollout_state_reason: Some("rolling back to deploymentId ecs-svc/3.".to_owned()),
        ..rolling("web:3")
    };
    assert_eq!(
        of_older(back),
        Start::RollingBack(arn("web:3")),
        "but not in the middle of a rollback"
    );
}

/// Returns the decision for a push that may have been deployed before. ECS keeps these records; `web:7` is of it too.
fn decided_again(on: Deployment, standing: Standing, history: Option<&[ServiceDeployment]>) -> Start {
    decided_as([true, false], on, standing, history)
}

/// The same where the push is `[repeated, again]`.
fn decided_as(
    [repeated, again]: [bool; 2],
    on: Deployment,
    standing: Standing,
    history: Option<&[ServiceDeployment]>,
) -> Start {
    let wanted = UpdateInput {
        wanted_since: again.then(|| at(60)),
        repeated,
        ..wanted()
    };
    decide(
        &wanted,
        &service([on]),
        &Facts {
            primary_standing: Some(standing),
            history: history.map(<[_]>::to_vec),
            of_push: vec![arn("web:7")],
            ..Facts::default()
        },
    )
}

#[test]
fn a_push_that_was_rolled_back_is_not_tried_again_because_it_is_started_once_more() {
    let because = |record| ServiceDeployment {
        status_reason: Some("it failed".to_owned()),
        ..record
    };
    let good = record("web:1", Successful);
    for of_push in ["web:2", "web:7"] {
        for (status, on, standing) in [
            (RolledBack, "web:1", Standing::Older),
            (RolledBack, "web:3", Standing::Unrecorded),
            (RollbackFailed, "web:3", Standing::Unrecorded),
            // By `UpdateService`, which ECS takes for any other deployment.
            (Stopped, "web:1", Standing::Unrecorded),
            (Stopped, "web:3", Standing::Older),
            (Stopped, "web:3", Standing::Unrecorded),
        ] {
            let back = Start::RolledBack {
                to: arn(on),
                why: Some("it failed".to_owned()),
            };
            let history = [
                record("web:9", Successful),
                record("web:1", Stopped),
                because(record(of_push, status)),
                record("web:8", Stopped),
                good.clone(),
            ];
            let decided = decided_again(deployment(on), standing, Some(&history));
            assert_eq!(decided, back, "{of_push} {status:?}, on {on}");
        }
    }
}

/// ECS called its rollout successful: its tasks crashed only after they had run for a moment.
#[test]
fn a_push_that_ecs_called_successful_and_that_was_taken_back_was_rolled_back() {
    let then = |next: &str| {
        let history = [
            record(next, Successful),
            record("web:2", Successful),
            record("web:1", Successful),
        ];
        decided_again(deployment(next), Standing::Unrecorded, Some(&history))
    };
    let (to, why) = (arn("web:1"), None);
    assert_eq!(then("web:1"), Start::RolledBack { to, why });
    assert_eq!(then("web:3"), Start::TakenOn(arn("web:3")));
}

#[test]
fn a_push_that_was_rolled_back_tells_ecs_reason_and_the_newest_failure_to_launch_a_task_of_its_own_time() {
    const NO_ROOM: &str =
        "(service web) was unable to place a task because no container instance met all requirements.";
    let event = |seconds: i64, message: &str| ServiceEvent {
        at: at(seconds),
        message: message.to_owned(),
    };
    let history = |reason: Option<&str>| {
        let made = |target, seconds, status| ServiceDeployment {
            created_at: at(seconds),
            ..record(target, status)
        };
        let ours = ServiceDeployment {
            status_reason: reason.map(str::to_owned),
            ..made("web:2", 60, RolledBack)
        };
        [made("web:3", 300, Successful), ours, made("web:1", 0, Successful)]
    };
    let no_room = NO_ROOM.trim_end_matches('.');
    for (reason, events, expected) in [
        (None, vec![], None),
        (Some("It broke."), vec![], Some("It broke".to_owned())),
        (None, vec![event(90, NO_ROOM)], Some(no_room.to_owned())),
        (
            Some("It broke."),
            vec![
                event(120, "(service web) has started 1 tasks."),
                event(90, NO_ROOM),
                event(70, "failed to launch a task."),
            ],
            Some(format!("It broke; {no_room}")),
        ),
        // Of the rollout after it, and of the one before it.
        (
            Some("It broke."),
            vec![event(300, NO_ROOM), event(59, NO_ROOM)],
            Some("It broke".to_owned()),
        ),
    ] {
        let on = Service {
            events,
            ..service([deployment("web:3")])
        };
        let history = history(reason);
        let earlier = EarlierRollout::of_push(
            &UpdateInput {
                repeated: true,
                ..wanted()
            },
            &on,
            Some(&history),
            &[],
        )
        .unwrap();
        assert_eq!(earlier.why_it_failed(&on), expected);
    }
}

#[test]
fn a_push_replaced_by_a_revision_made_to_roll_it_back_was_rolled_back_wherever_the_service_went_since() {
    let wanted = UpdateInput {
        repeated: true,
        services: 1,
        ..wanted()
    };
    let for_rollback = [arn("web:3")];
    let decided = |on: &str, history: &[ServiceDeployment], for_rollbacks: &[TaskDefinitionArn]| {
        let on = service([deployment(on)]);
        let facts = Facts {
            primary_standing: Some(Standing::Unrecorded),
            history: Some(history.to_vec()),
            for_rollbacks: for_rollbacks.to_vec(),
            ..Facts::default()
        };
        decide(&wanted, &on, &facts)
    };
    let mut history = vec![record("web:3", Successful), record("web:2", Stopped)];
    for on in ["web:3", "web:4"] {
        let (to, why) = (arn(on), None);
        let rolled_back = Start::RolledBack { to, why };
        assert_eq!(decided(on, &history, &for_rollback), rolled_back, "{on}");
        assert_eq!(decided(on, &history, &[]), Start::TakenOn(arn(on)));
        // Another repository's push has taken it on from there since.
        history.insert(0, record("web:4", Successful));
    }
}

/// `web:4` is made from `web:3`; the service is on `web:2`, of the same push.
#[test]
fn a_revision_of_the_same_push_does_not_give_way_to_one_made_from_what_was_taken_back() {
    let good = || record("web:1", Successful);
    let here = Start::AlreadyDeployed(arn("web:2"));
    let decided = |history: &[ServiceDeployment]| decided_on_earlier(vec![deployment("web:2")], Some(history));
    for status in [RollingBack, RolledBack] {
        let history = [record("web:2", Successful), record("web:3", status), good()];
        assert_eq!(decided(&history), here, "{status:?}");
    }
    let updated_back = [
        record("web:2", Successful),
        record("web:1", Successful),
        record("web:3", Stopped),
        good(),
    ];
    assert_eq!(decided(&updated_back), here);
    for kept in [
        vec![record("web:2", Successful), record("web:3", Successful), good()],
        vec![
            record("web:2", Successful),
            record("web:3", Stopped),
            record("web:1", Stopped),
        ],
        vec![record("web:2", Successful), good()],
    ] {
        assert_eq!(decided(&kept), to_later(), "{kept:?}");
    }
}

/// `web:2` was replaced as soon as it had begun, by `web:3` of another repository's push, which was made from `source`.
fn decided_when_replaced(source: &str, standing: Standing, status: ServiceDeploymentStatus, before: &str) -> Start {
    let history = [
        record("web:3", UnderWay),
        record("web:2", status),
        record(before, Successful),
    ];
    let wanted = UpdateInput {
        repeated: true,
        ..wanted()
    };
    decide(
        &wanted,
        &service([rolling("web:3")]),
        &Facts {
            primary_standing: Some(standing),
            primary_source: Some(arn(source)),
            history: Some(history.to_vec()),
            ..Facts::default()
        },
    )
}

#[test]
fn a_push_that_was_replaced_unseen_by_one_of_another_repository_that_had_read_before_it_comes_on_top() {
    let on_top = Start::Rebase(arn("web:3"));
    assert_eq!(
        decided_when_replaced("web:1", Standing::Older, Stopped, "web:1"),
        on_top
    );
    let taken_on = Start::TakenOn(arn("web:3"));
    for (source, standing, status) in [
        ("web:2", Standing::Older, Stopped),
        ("web:1", Standing::Unrecorded, Stopped),
        ("web:1", Standing::Older, Successful),
    ] {
        let start = decided_when_replaced(source, standing, status, "web:1");
        assert_eq!(start, taken_on, "{source} {standing:?} {status:?}");
    }
    // It was good before: that is a rollback.
    let back = decided_when_replaced("web:1", Standing::Older, Stopped, "web:3");
    assert!(matches!(back, Start::RolledBack { .. }), "{back:?}");
}

#[test]
fn a_push_from_which_somebody_took_the_service_on_is_not_deployed_again_because_it_is_started_once_more() {
    for (status, standing) in [
        (Successful, Standing::Unrecorded),
        (Successful, Standing::Older),
        (Stopped, Standing::Unrecorded),
        (Stopped, Standing::Older),
    ] {
        let history = [
            record("web:3", Successful),
            record("web:2", status),
            record("web:1", Successful),
        ];
        let taken_on = decided_again(deployment("web:3"), standing, Some(&history));
        assert_eq!(taken_on, Start::TakenOn(arn("web:3")), "{status:?} {standing:?}");
    }
}

#[test]
fn a_push_is_deployed_when_it_never_had_its_turn_or_is_wanted_again() {
    let had = [record("web:2", RolledBack), record("web:1", Successful)];
    let others = [record("web:1", Successful)];
    let decided = |how, history| decided_as(how, deployment("web:1"), Standing::Older, history);
    assert_eq!(decided([true, false], Some(&others[..])), update(false));
    assert_eq!(decided([true, false], None), update(false));
    for how in [[false, false], [false, true], [true, true]] {
        assert_eq!(decided(how, Some(&had[..])), update(false), "{how:?}");
    }
}

/// This execution began web:2 at 12:00:05. Another push replaced it by web:7, which has the image too.
#[test]
fn an_image_that_failed_inside_a_later_rollout_of_its_service_is_not_begun_once_more() {
    let came = |short: &str, seconds: i64, status| ServiceDeployment {
        created_at: at(seconds),
        ..record(short, status)
    };
    let ended = |on: &str, records: &[ServiceDeployment]| {
        let wanted = UpdateInput {
            wanted_since: Some(at(5)),
            ..wanted()
        };
        let on = service([Deployment {
            created_at: at(9),
            ..deployment(on)
        }]);
        let facts = Facts {
            primary_standing: Some(Standing::Older),
            history: Some(records.to_vec()),
            of_push: vec![arn("web:7")],
            ..Facts::default()
        };
        decide(&wanted, &on, &facts)
    };
    let [first, good] = [came("web:2", 5, Stopped), came("web:1", 1, Successful)];
    let moved = |on: &str| Start::Rebase(arn(on));
    let rolled_back = Start::RolledBack {
        to: arn("web:1"),
        why: None,
    };
    let by_ecs = [came("web:7", 7, RolledBack), first.clone(), good.clone()];
    assert_eq!(ended("web:1", &by_ecs), rolled_back);
    let by_an_update = [
        came("web:1", 9, Successful),
        came("web:7", 7, Stopped),
        first.clone(),
        good.clone(),
    ];
    assert_eq!(ended("web:1", &by_an_update), rolled_back);
    // Its own rollout only gave way, and what is there now lacks the image.
    assert_eq!(
        ended("web:1", &[came("web:1", 9, Successful), first.clone(), good.clone()]),
        update(false)
    );
    assert_eq!(
        ended("web:3", &[came("web:3", 9, Successful), first.clone(), good.clone()]),
        moved("web:3")
    );
    // So did the later one, which had the image.
    let later_gave_way = [came("web:3", 9, Successful), came("web:7", 7, Stopped), first, good];
    assert_eq!(ended("web:3", &later_gave_way), moved("web:3"));
}

#[test]
fn an_image_that_gets_a_tag_after_another_push_came_between_is_deployed_for_that_tag() {
    let on = service([deployment("web:3")]);
    let history = [
        record("web:3", Successful),
        record("web:2", Stopped),
        record("web:1", Successful),
    ];
    let decided = |is_overtaken| {
        let wanted = UpdateInput {
            repeated: true,
            ..wanted()
        };
        let facts = Facts {
            primary_standing: Some(Standing::Older),
            history: Some(history.to_vec()),
            is_overtaken,
            ..Facts::default()
        };
        decide(&wanted, &on, &facts)
    };
    assert_eq!(decided(true), Start::Rebase(arn("web:3")));
    assert_eq!(decided(false), Start::TakenOn(arn("web:3")));
}

/// Reads of a service may be seconds old where its records are not.
#[test]
fn a_service_that_is_shown_as_before_its_newest_successful_rollout_is_read_again() {
    let history = [record("web:2", Successful), record("web:1", Successful)];
    let on = |created: i64| Deployment {
        created_at: at(created),
        ..deployment("web:1")
    };
    let decided = |created| decided_again(on(created), Standing::Unrecorded, Some(&history));
    assert_eq!(decided(1), Start::Begun(arn("web:2")));
    assert_eq!(
        decided(3),
        Start::TakenOn(arn("web:1")),
        "it was deployed to after that rollout"
    );
}

#[test]
fn a_rollout_of_the_push_that_began_since_the_read_is_read_again() {
    let history = [record("web:2", UnderWay), record("web:1", Successful)];
    let reads_again = decided_again(deployment("web:1"), Standing::Older, Some(&history));
    assert_eq!(reads_again, Start::Begun(arn("web:2")));
}

#[test]
fn a_push_that_a_newer_one_superseded_is_superseded_whatever_came_of_that() {
    let history = [
        record("web:1", Successful),
        record("web:3", RolledBack),
        record("web:2", Stopped),
        record("web:1", Successful),
    ];
    let taken_on = decided_again(deployment("web:1"), Standing::Older, Some(&history));
    assert_eq!(taken_on, Start::TakenOn(arn("web:1")));
}

#[test]
fn a_revision_of_the_same_push_made_from_a_newer_state_is_not_replaced_by_one_made_from_an_older() {
    let decided = |wanted_source: &str, on_source: &str, has_newer: bool| {
        let wanted = UpdateInput {
            task_definition: arn("web:5"),
            source: arn(wanted_source),
            ..wanted()
        };
        let (on, on_source) = (service([rolling("web:4")]), arn(on_source));
        let facts = Facts {
            primary_standing: Some(Standing::Ours),
            primary_source: Some(on_source),
            has_newer,
            ..Facts::default()
        };
        decide(&wanted, &on, &facts)
    };
    assert_eq!(decided("web:1", "web:2", false), Start::AlreadyDeployed(arn("web:4")));
    assert_eq!(decided("web:2", "web:2", false), Start::AlreadyDeployed(arn("web:4")));
    let update = Start::Update {
        revision: arn("web:5"),
        force: false,
    };
    assert_eq!(decided("web:3", "web:2", false), update);
    // The newer image of another repository came on top of the wanted revision, by one that was there: that push would move it back.
    assert_eq!(decided("web:3", "web:2", true), Start::AlreadyDeployed(arn("web:4")));
}

#[test]
fn a_push_that_is_started_once_more_waits_for_the_rollback_before_it_says_how_that_push_ended() {
    let history = [record("web:2", RollingBack)];
    let waits = decided_again(rolling("web:1"), Standing::Older, Some(&history));
    assert_eq!(waits, Start::RollingBack(arn("web:1")));
}

#[test]
fn a_service_that_cannot_be_updated_is_refused() {
    for controller in [Controller::CodeDeploy, Controller::External, Controller::Unknown] {
        let service = Service {
            controller,
            ..service([deployment("web:1")])
        };
        let says = "web in production is not deployed by ECS itself".to_owned();
        assert_eq!(
            decide(&wanted(), &service, &Facts::default()),
            Start::Refused(says),
            "{controller:?}"
        );
    }
}

#[test]
fn a_rollback_under_way_is_waited_for() {
    let returning = Start::RollingBack(arn("web:1"));
    let back = || rolling("web:1");
    assert_eq!(decided([back(), given_up("web:5")], None), returning);
    assert_eq!(decided([back(), rolling("web:5")], None), returning);
    for words in ["rolling back to deploymentId ecs-svc/1.", "Rollback started"] {
        assert_eq!(decided([because_of(words, back())], None), returning);
    }
    assert_eq!(
        decide(
            &wanted(),
            &service([back()]),
            &Facts {
                rolls_back: true,
                ..Facts::default()
            }
        ),
        returning
    );
    let told = [record("web:5", RollingBack), record("web:1", Successful)];
    for on in [back(), deployment("web:1")] {
        assert_eq!(
            decide(
                &wanted(),
                &service([on]),
                &Facts {
                    history: Some(told.to_vec()),
                    ..Facts::default()
                }
            ),
            returning
        );
    }
}

#[test]
fn a_rollback_that_has_no_hope_is_not_waited_for() {
    let service = service([rolling("web:1"), given_up("web:5")]);
    let facts = Facts {
        rollback_is_lost: true,
        ..Facts::default()
    };
    assert_eq!(decide(&wanted(), &service, &facts), update(false));
}

#[test]
fn a_rollback_that_is_over_is_not_waited_for() {
    let over = [record("web:5", RolledBack), record("web:4", RollingBack)];
    assert_eq!(
        decide(
            &wanted(),
            &service([deployment("web:1")]),
            &Facts {
                history: Some(over.to_vec()),
                ..Facts::default()
            }
        ),
        update(false)
    );
    assert_eq!(
        decide(
            &wanted(),
            &service([deployment("web:1")]),
            &Facts {
                rolls_back: true,
                ..Facts::default()
            }
        ),
        update(false)
    );
    assert_eq!(
        decided(
            [because_of("rolling back", deployment("web:1")), given_up("web:5")],
            None
        ),
        update(false)
    );
}

#[test]
fn a_rollout_forward_or_of_another_family_or_one_that_is_over_is_no_rollback() {
    assert_eq!(decided([rolling("web:1"), given_up("other:5")], None), update(false));
    assert_eq!(decided([deployment("web:1"), deployment("web:5")], None), update(false));
    assert_eq!(decided([rolling("web:1"), again("web:1")], None), update(false));
    assert_eq!(
        decided([because_of("ECS deployment in progress.", rolling("web:1"))], None),
        update(false)
    );
    assert_eq!(
        decided([without_state(because_of("rollback", rolling("web:1")))], None),
        update(false),
        "it is alone, so it is over"
    );
}

#[test]
fn a_rollback_from_what_ecs_called_complete_is_waited_for_also_where_it_tells_no_state() {
    let returning = Start::RollingBack(arn("web:1"));
    assert_eq!(decided([rolling("web:1"), deployment("web:5")], None), returning);
    let stateless = [rolling("web:1"), deployment("web:5")].map(without_state);
    assert_eq!(decided(stateless, None), returning);
}

#[test]
fn a_rollback_that_runs_alone_and_has_to_settle_is_waited_for_where_only_its_record_tells() {
    let alone = service([without_state(deployment("web:1"))]);
    let decided = |rolls_back, newest| {
        let history = [newest, record("web:5", Stopped), record("web:1", Successful)];
        decide(
            &wanted(),
            &alone,
            &Facts {
                rolls_back,
                history: Some(history.to_vec()),
                ..Facts::default()
            },
        )
    };
    let returning = Start::RollingBack(arn("web:1"));
    assert_eq!(decided(false, record("web:5", RollingBack)), returning);
    assert_eq!(decided(true, record("web:1", UnderWay)), returning);
    assert_eq!(decided(true, record("web:1", Successful)), update(false));
    assert_eq!(
        decided(false, record("web:1", UnderWay)),
        update(false),
        "it is no rollback"
    );
}

fn again(short: &str) -> Deployment {
    Deployment {
        id: "ecs-svc/99".to_owned(),
        created_at: at(99),
        ..given_up(short)
    }
}

// Whatever ECS answers.

proptest! {
    #[test]
    fn whatever_ecs_answers_a_newer_push_is_not_overwritten(
        deployments in prop::collection::vec(any_deployment(), 1..4),
        rolls_back in any::<bool>(),
        newest in prop::option::of(prop::sample::select(vec![UnderWay, Successful, RollingBack, RolledBack])),
    ) {
        let on_another = |primary: &Deployment| primary.task_definition != arn("web:2");
        let service = service(deployments.into_iter().skip_while(|it| !on_another(it)));
        prop_assume!(service.primary().is_some());
        let history = newest.map(|status| vec![record("web:5", status)]);
        let start = decide(&wanted(), &service, &Facts { primary_standing: Some(Standing::Newer), rolls_back, history, ..Facts::default() });
        prop_assert_eq!(start, Start::Superseded(service.deployments[0].task_definition.clone()));
    }
}
