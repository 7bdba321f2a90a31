//! The rules of going back. In every case `web:2` has failed and `web:1` was good before it.

use super::*;
use ecr_deploy::domain::service::ServiceDeploymentStatus::{
    RollbackFailed, RolledBack, RollingBack, Stopped, Successful, UnderWay,
};
use ecr_deploy::domain::service::{Deployment, RolloutState};
use ecr_deploy::testing::{arn, deployment, given_up, record, rolling, rollout, service};
use proptest::prelude::*;

const ANOTHER: OtherRevision = OtherRevision {
    standing: Standing::Unrecorded,
    rolls_ours_back: false,
};

/// How the service with these deployments, the primary one first, goes back; `primary` where that is not `web:2`.
fn way(
    deployments: impl IntoIterator<Item = Deployment>,
    primary: Option<OtherRevision>,
    history: &[ServiceDeployment],
) -> Way {
    let facts = Facts {
        primary,
        history: Some(history.to_vec()),
        ..good(Some(&arn("web:1")))
    };
    decide(&service(deployments), &rollout("web:2"), &facts, true)
}

/// Where nothing is known but what was good before.
fn good(good: Option<&TaskDefinitionArn>) -> Facts {
    Facts {
        last_good: good.cloned(),
        previous: good.cloned(),
        ..Facts::default()
    }
}

fn still_on_ours(history: &[ServiceDeployment]) -> Way {
    way([rolling("web:2"), deployment("web:1")], None, history)
}

#[test]
fn a_rollout_under_way_is_stopped_by_ecs() {
    let history = [record("web:2", UnderWay), record("web:1", Successful)];
    let stop = Way::Stop {
        service_deployment: history[0].arn.clone(),
        to: arn("web:1"),
    };
    assert_eq!(still_on_ours(&history), stop);
}

#[test]
fn a_rollout_that_cannot_be_stopped_any_more_is_updated_back() {
    for status in [Successful, Stopped, RollbackFailed] {
        assert_eq!(
            still_on_ours(&[record("web:2", status)]),
            Way::Update(arn("web:1")),
            "{status:?}"
        );
    }
    assert_eq!(
        still_on_ours(&[record("web:1", UnderWay)]),
        Way::Update(arn("web:1")),
        "no record of ours"
    );
    let service = service([given_up("web:2"), deployment("web:1")]);
    let (failed, without_api) = (rollout("web:2"), good(Some(&arn("web:1"))));
    assert_eq!(decide(&service, &failed, &without_api, true), Way::Update(arn("web:1")));
    let tried = Facts {
        history: Some(vec![record("web:2", UnderWay)]),
        ..without_api
    };
    assert_eq!(decide(&service, &failed, &tried, false), Way::Update(arn("web:1")));
}

#[test]
fn of_two_records_of_ours_the_newer_one_counts() {
    let forced = record("web:2", Stopped);
    assert_eq!(
        still_on_ours(&[forced, record("web:2", UnderWay)]),
        Way::Update(arn("web:1"))
    );
}

#[test]
fn peer_1_a_rollback_by_ecs_is_watched_and_not_done_twice() {
    for status in [RollingBack, RolledBack] {
        assert_eq!(
            still_on_ours(&[record("web:2", status)]),
            Way::Watch(arn("web:1")),
            "{status:?}"
        );
    }
    assert_eq!(
        way([rolling("web:1"), given_up("web:2")], Some(ANOTHER), &[]),
        Way::Watch(arn("web:1"))
    );
    for words in ["rolling back to deploymentId ecs-svc/7.", "Rollback in progress"] {
        let back = Deployment {
            rollout_state_reason: Some(words.to_owned()),
            ..rolling("web:7")
        };
        assert_eq!(way([back], Some(ANOTHER), &[]), Way::Watch(arn("web:7")), "{words}");
    }
}

#[test]
fn asked_again_it_watches_the_rollback_that_it_began() {
    let pinned = OtherRevision {
        rolls_ours_back: true,
        ..ANOTHER
    };
    assert_eq!(
        way([rolling("web:3"), rolling("web:2")], Some(pinned), &[]),
        Way::Watch(arn("web:3"))
    );
    let older = OtherRevision {
        standing: Standing::Older,
        ..ANOTHER
    };
    assert_eq!(
        way([rolling("web:1"), rolling("web:2")], Some(older), &[]),
        Way::Watch(arn("web:1"))
    );
}

#[test]
fn peer_13_another_deployment_is_not_touched() {
    let (superseded, displaced) = (Way::Superseded(arn("web:3")), Way::Displaced(arn("web:3")));
    for (standing, expected) in [
        (Standing::Newer, superseded),
        (Standing::Older, displaced.clone()),
        (Standing::Unrecorded, displaced.clone()),
    ] {
        let primary = Some(OtherRevision { standing, ..ANOTHER });
        let history = [record("web:3", UnderWay), record("web:2", UnderWay)];
        let way = way(
            [rolling("web:3"), rolling("web:2"), deployment("web:1")],
            primary,
            &history,
        );
        assert_eq!(way, expected, "{standing:?}");
    }
    let words = Some("ECS deployment ecs-svc/3 in progress.".to_owned());
    let newer = Deployment {
        rollout_state_reason: words,
        ..rolling("web:3")
    };
    assert_eq!(way([newer], Some(ANOTHER), &[]), displaced);
}

#[test]
fn where_the_service_is_shown_as_it_was_some_seconds_ago_the_newer_record_counts() {
    let ours = record("web:2", Stopped);
    let on = |deployments: Vec<Deployment>, history: &[ServiceDeployment]| {
        on(&service(deployments), Some(history), &rollout("web:2")).map(|on| on.short().to_owned())
    };
    let shows_ours = || vec![rolling("web:2"), deployment("web:1")];
    for status in [UnderWay, Successful, Stopped] {
        let moved = [record("web:3", status), ours.clone()];
        assert_eq!(on(shows_ours(), &moved).as_deref(), Some("web:3"), "{status:?}");
        let way = way(shows_ours(), Some(ANOTHER), &moved);
        assert_eq!(way, Way::Displaced(arn("web:3")), "{status:?}");
    }
    for status in [RollingBack, RolledBack, RollbackFailed] {
        let moved = [record("web:3", status), ours.clone()];
        assert_eq!(on(shows_ours(), &moved).as_deref(), Some("web:2"), "{status:?}");
    }
    let earlier = [record("web:1", Successful), ours.clone()];
    assert_eq!(on(shows_ours(), &earlier).as_deref(), Some("web:2"), "older than ours");
    let at_once = ServiceDeployment {
        created_at: ours.created_at,
        ..record("web:3", UnderWay)
    };
    let at_once = [at_once, ours.clone()];
    assert_eq!(
        on(shows_ours(), &at_once).as_deref(),
        Some("web:2"),
        "not later than ours"
    );
    let history = [record("web:3", UnderWay), ours];
    assert_eq!(
        on(vec![rolling("web:4")], &history).as_deref(),
        Some("web:4"),
        "as shown"
    );
    assert_eq!(on(vec![], &history), None);
}

#[test]
fn where_a_service_is_shown_as_it_was_before_the_failed_rollout_that_still_goes_on_that_one_counts() {
    let shown = |deployment: Deployment, newest: ServiceDeployment| {
        let history = [newest, record("web:1", Successful)];
        let shown = service([deployment]);
        on(&shown, Some(&history), &rollout("web:2")).map(|on| on.short().to_owned())
    };
    let goes_on = || record("web:2", UnderWay);
    assert_eq!(shown(deployment("web:1"), goes_on()).as_deref(), Some("web:2"));
    let went_back = Deployment {
        created_at: goes_on().created_at,
        ..deployment("web:1")
    };
    assert_eq!(shown(went_back, goes_on()).as_deref(), Some("web:1"));
    for newest in [
        record("web:2", Stopped),
        record("web:2", RollingBack),
        record("web:1", UnderWay),
    ] {
        assert_eq!(shown(deployment("web:1"), newest).as_deref(), Some("web:1"));
    }
    let stop = Way::Stop {
        service_deployment: goes_on().arn,
        to: arn("web:1"),
    };
    assert_eq!(way([deployment("web:1")], None, &[goes_on()]), stop);
}

#[test]
fn another_revision_that_has_the_failed_image_too_is_taken_back() {
    let ours = Some(OtherRevision {
        standing: Standing::Ours,
        ..ANOTHER
    });
    assert_eq!(
        way([rolling("web:3"), rolling("web:2")], ours, &[record("web:2", Stopped)]),
        Way::Update(arn("web:1"))
    );
}

#[test]
fn peer_3_without_anything_that_ever_became_stable_there_is_nowhere_to_go() {
    for history in [
        vec![],
        vec![record("web:2", UnderWay)],
        vec![record("web:2", RollingBack)],
    ] {
        let facts = Facts {
            history: Some(history),
            ..Facts::default()
        };
        let way = decide(&service([rolling("web:2")]), &rollout("web:2"), &facts, true);
        assert_eq!(way, Way::Nowhere);
    }
    let way = decide(&service([]), &rollout("web:2"), &Facts::default(), true);
    assert_eq!(way, Way::Nowhere);
}

/// `web:1` has the failed image too, so the rollback is to `old:7`.
#[test]
fn ecs_is_not_told_to_go_back_to_a_revision_with_the_image_that_failed_but_watched_when_it_does() {
    let way = |deployments: Vec<Deployment>, primary, history: &[ServiceDeployment]| {
        let facts = Facts {
            last_good: Some(arn("web:1")),
            previous: Some(arn("old:7")),
            primary,
            history: Some(history.to_vec()),
        };
        decide(&service(deployments), &rollout("web:2"), &facts, true)
    };
    let on_ours = || vec![rolling("web:2"), deployment("web:1")];
    for status in [UnderWay, Successful, Stopped, RollbackFailed] {
        let way = way(on_ours(), None, &[record("web:2", status)]);
        assert_eq!(way, Way::Update(arn("old:7")), "{status:?}");
    }
    for status in [RollingBack, RolledBack] {
        let way = way(on_ours(), None, &[record("web:2", status)]);
        assert_eq!(way, Way::Watch(arn("web:1")), "{status:?}");
    }
    let ours = Some(OtherRevision {
        standing: Standing::Ours,
        ..ANOTHER
    });
    let on_the_last_good = way(vec![rolling("web:1")], ours, &[record("web:2", Stopped)]);
    assert_eq!(on_the_last_good, Way::Update(arn("old:7")));
    let by_ecs = Deployment {
        rollout_state_reason: Some("Rollback in progress".to_owned()),
        ..rolling("web:1")
    };
    assert_eq!(way(vec![by_ecs], ours, &[]), Way::Watch(arn("web:1")));
    let back = way(vec![rolling("old:7")], Some(ANOTHER), &[]);
    assert_eq!(back, Way::Watch(arn("old:7")), "asked again");
}

#[test]
fn good_is_what_was_successful_before_the_failed_one_the_newest_first() {
    let all = |records: &[ServiceDeployment]| {
        let good = good_before(Some(records), &arn("web:4"), None).into_iter();
        good.map(|good| good.short().to_owned()).collect::<Vec<_>>()
    };
    let good = |records: &[ServiceDeployment]| all(records).into_iter().next();
    let completed_since_the_read = [
        record("web:5", Successful),
        record("web:4", UnderWay),
        record("web:4", Successful),
        record("web:3", RolledBack),
        record("web:2", Successful),
        record("web:1", Successful),
    ];
    assert_eq!(all(&completed_since_the_read), ["web:2", "web:1"]);
    assert_eq!(good(&[record("web:4", UnderWay), record("web:2", Stopped)]), None);
    assert_eq!(good(&[record("web:2", Successful)]), None, "ours does not show");
    assert_eq!(good_before(None, &arn("web:4"), None), []);
}

#[test]
fn what_was_good_at_the_update_comes_last_and_counts_where_no_record_tells() {
    let good = |history: Option<&[ServiceDeployment]>, previous| {
        let good = good_before(history, &arn("web:4"), Some(&arn(previous))).into_iter();
        good.map(|good| good.short().to_owned()).collect::<Vec<_>>()
    };
    let history = [
        record("web:4", UnderWay),
        record("web:2", Successful),
        record("web:1", Successful),
        record("web:2", Successful),
    ];
    assert_eq!(good(Some(&history), "web:3"), ["web:2", "web:1", "web:3"]);
    assert_eq!(good(Some(&history), "web:1"), ["web:2", "web:1"]);
    assert_eq!(good(Some(&[]), "web:3"), ["web:3"]);
    assert_eq!(good(None, "web:3"), ["web:3"]);
}

/// ECS has not completed the rollout of web:3, since old tasks of it drain for days.
#[test]
fn a_rollout_that_was_good_at_the_update_and_that_the_failed_one_cut_short_comes_before_older_ones() {
    let history = |status| {
        [
            record("web:4", UnderWay),
            record("web:3", status),
            record("web:1", Successful),
        ]
    };
    let good = |status| {
        let good = good_before(Some(&history(status)), &arn("web:4"), Some(&arn("web:3"))).into_iter();
        good.map(|good| good.short().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(good(Stopped), ["web:3", "web:1"]);
    assert_eq!(good(UnderWay), ["web:3", "web:1"]);
    assert_eq!(good(RolledBack), ["web:1", "web:3"]);
    let goes_to = |history: Option<&[ServiceDeployment]>, good: &[TaskDefinitionArn]| {
        ecs_goes_to(history, &arn("web:4"), good).map(|to| to.short().to_owned())
    };
    let both = [arn("web:3"), arn("web:1")];
    assert_eq!(goes_to(Some(&history(Stopped)), &both).as_deref(), Some("web:1"));
    assert_eq!(goes_to(None, &both).as_deref(), Some("web:3"));
    assert_eq!(goes_to(None, &[]), None);
}

proptest! {
    #[test]
    fn whatever_ecs_answers_nothing_is_touched_that_is_neither_ours_nor_a_revision_of_our_push(
        number in 3u32..6,
        state in prop::option::of(prop::sample::select(vec![RolloutState::InProgress, RolloutState::Completed])),
        standing in prop::sample::select(vec![Standing::Newer, Standing::Older, Standing::Unrecorded]),
        statuses in prop::collection::vec(prop::sample::select(vec![UnderWay, Successful, Stopped, RollingBack, RolledBack]), 0..4),
        last_good in prop::option::of(Just(arn("web:1"))),
        previous in prop::option::of(prop::sample::select(vec![arn("web:1"), arn("old:7")])),
        may_stop in any::<bool>(),
    ) {
        let on = format!("web:{number}");
        let service = service([Deployment { rollout_state: state, ..deployment(&on) }, rolling("web:2")]);
        let primary = Some(OtherRevision { standing, rolls_ours_back: false });
        let history: Vec<_> = statuses.into_iter().map(|status| record("web:2", status)).collect();
        let facts = Facts { last_good, previous, primary, history: Some(history) };
        let way = decide(&service, &rollout("web:2"), &facts, may_stop);
        let expected = if standing == Standing::Newer { Way::Superseded(arn(&on)) } else { Way::Displaced(arn(&on)) };
        prop_assert_eq!(way, expected);
    }
}
