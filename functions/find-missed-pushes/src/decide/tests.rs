//! Which pushes are started. The services are on revisions of their names; `app:v2` is missed by some of them.

use super::*;
use crate::candidates::tests::{app, known, on, stored};
use ecr_deploy::domain::service::Service;
use ecr_deploy::function::config::Config;
use ecr_deploy::quota::executions::BegunStatus;
use ecr_deploy::testing::{at, described_of_push};
use find_task_definitions::stage::Stages;

const LOST: Judged = Judged::Missed(WhyMissed::Lost);
const HELD: Judged = Judged::Missed(WhyMissed::Held);
const REVERTED: Judged = Judged::Missed(WhyMissed::Reverted);

fn settings(lost: SweepAction, reverted: SweepAction) -> SweepSettings {
    SweepSettings { lost, reverted }
}

/// Everything is deployed.
fn deploying() -> SweepSettings {
    settings(SweepAction::Deploy, SweepAction::Deploy)
}

/// The services by their names, each with its judgement.
fn decided(settings: SweepSettings, services: &[(&str, Judged)], begun: &[Begun]) -> Decided {
    decided_of(settings, services, begun, |_| ())
}

fn decided_of(
    settings: SweepSettings,
    judged: &[(&str, Judged)],
    begun: &[Begun],
    change: impl Fn(&mut Service),
) -> Decided {
    let services: Vec<Service> = judged
        .iter()
        .map(|(name, _)| {
            let mut service = on(name, &format!("{name}:1"));
            change(&mut service);
            service
        })
        .collect();
    let described: Vec<_> = judged
        .iter()
        .map(|(name, _)| described_of_push(&format!("{name}:1"), 1))
        .collect();
    let config = Config::default();
    let stages = Stages::read(&config).unwrap();
    let account = Account {
        config: &config,
        stages: &stages,
        services: &services,
        definitions: &known(&described),
        now: at(3600),
    };
    let candidates = account.candidates(&app(), &[stored(2, &[])]);
    let found: Vec<Found<'_>> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let (_, judged) = judged
                .iter()
                .find(|(name, _)| *name == candidate.service.name.as_str())?;
            let judged = *judged;
            Some(Found { candidate, judged })
        })
        .collect();
    decide(&account, settings, &found, begun)
}

/// The decision on each service: `web LOST deploy`.
fn lines(decided: &Decided) -> Vec<String> {
    let line = |it: &MissedPush| {
        let text = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let (why, action) = (
            serde_json::to_value(it.why).unwrap(),
            serde_json::to_value(it.action).unwrap(),
        );
        format!("{} {} {}", it.service, text(why), text(action))
    };
    decided.missed.iter().map(line).collect()
}

/// When the pushes that are started were, in seconds after noon.
fn times(decided: &Decided) -> Vec<i64> {
    let pushes = decided.pushes.iter();
    pushes
        .map(|push| push.push.at().duration_since(at(0)).as_secs())
        .collect()
}

#[test]
fn the_setting_of_its_reason_says_whether_a_push_is_deployed() {
    use SweepAction::{Deploy, Report};
    use WhyMissed::{Lost, Reverted, Unrecorded};
    for (settings, judged, expected, started) in [
        (settings(Deploy, Report), LOST, vec!["web LOST deploy"], vec![2]),
        (settings(Deploy, Report), HELD, vec!["web HELD deploy"], vec![2]),
        (settings(Report, Deploy), LOST, vec!["web LOST report"], vec![]),
        (settings(Report, Deploy), HELD, vec!["web HELD report"], vec![]),
        (settings(Deploy, Report), REVERTED, vec!["web REVERTED report"], vec![]),
        // It was deployed before, so it is a push of its own.
        (
            settings(Report, Deploy),
            REVERTED,
            vec!["web REVERTED deploy"],
            vec![3600],
        ),
        (deploying(), Judged::Unsure(Lost), vec!["web LOST report"], vec![]),
        (
            deploying(),
            Judged::Unsure(Reverted),
            vec!["web REVERTED report"],
            vec![],
        ),
        (
            deploying(),
            Judged::Unsure(Unrecorded),
            vec!["web UNRECORDED report"],
            vec![],
        ),
        (deploying(), Judged::FailedBefore, vec![], vec![]),
        (deploying(), Judged::NotYet, vec![], vec![]),
    ] {
        let decided = decided(settings, &[("web", judged)], &[]);
        assert_eq!(lines(&decided), expected, "{judged:?}");
        assert_eq!(times(&decided), started, "{judged:?}");
    }
}

#[test]
fn a_push_is_started_only_if_it_moves_nothing_else() {
    let unsure = Judged::Unsure(WhyMissed::Unrecorded);
    for (beside, expected, started) in [
        (LOST, vec!["api LOST deploy", "web LOST deploy"], 1),
        (HELD, vec!["api HELD deploy", "web LOST deploy"], 1),
        (Judged::FailedBefore, vec!["web LOST report"], 0),
        (unsure, vec!["api UNRECORDED report", "web LOST report"], 0),
        // The next sweep asks again.
        (Judged::NotYet, vec![], 0),
    ] {
        let decided = decided(deploying(), &[("web", LOST), ("api", beside)], &[]);
        assert_eq!(lines(&decided), expected, "{beside:?}");
        assert_eq!(decided.pushes.len(), started, "{beside:?}");
    }
    let decided = decided(
        deploying(),
        &[("web", LOST), ("api", Judged::FailedBefore), ("job", unsure)],
        &[],
    );
    let says = "A push of it would move api in production and 1 more as well, so none is started. If that is meant, run ecr-deploy deploy app:v2";
    let message = &decided
        .missed
        .iter()
        .find(|it| it.service.as_str() == "web")
        .unwrap()
        .message;
    assert!(message.ends_with(says), "{message}");
}

#[test]
fn what_is_deployed_stands_before_what_is_only_told() {
    let told = settings(SweepAction::Report, SweepAction::Report);
    let mut decided_of_both = decided(told, &[("api", LOST), ("job", LOST)], &[]);
    let deployed = decided(deploying(), &[("web", LOST), ("queue", LOST)], &[]);
    decided_of_both.missed.extend(deployed.missed);
    put_in_order(&mut decided_of_both.missed);
    assert_eq!(
        lines(&decided_of_both),
        [
            "queue LOST deploy",
            "web LOST deploy",
            "api LOST report",
            "job LOST report"
        ]
    );
}

#[test]
fn of_one_image_what_was_reverted_and_what_was_lost_are_one_push() {
    let decided = decided(deploying(), &[("web", REVERTED), ("api", LOST)], &[]);
    assert_eq!(lines(&decided), ["api LOST deploy", "web REVERTED deploy"]);
    assert_eq!(times(&decided), [3600]);
}

#[test]
fn the_same_is_found_by_the_same_id_until_a_service_has_another_deployment() {
    let id = |change: fn(&mut Service), judged: &[(&str, Judged)]| {
        let decided = decided_of(deploying(), judged, &[], change);
        let id = decided.pushes[0].push.to_string();
        id.split_once(' ').unwrap().1.to_owned()
    };
    let both = [("web", LOST), ("api", LOST)];
    let first = id(|_| (), &both);
    assert_eq!(first, id(|_| (), &[both[1], both[0]]), "in any order");
    assert_ne!(first, id(|_| (), &both[..1]));
    assert_ne!(
        first,
        id(|service| service.deployments[0].id = "ecs-svc/7".to_owned(), &both)
    );

    let begun = [Begun {
        name: format!("app-v2-{first}"),
        at: at(3000),
        status: BegunStatus::Succeeded,
    }];
    let again = decided(deploying(), &both, &begun);
    assert_eq!(lines(&again), ["api LOST report", "web LOST report"]);
    assert!(again.pushes.is_empty());
    let message = &again.missed[0].message;
    assert!(message.contains("A sweep has deployed it before"), "{message}");
}

#[test]
fn a_message_says_what_runs_what_is_missed_why_and_what_to_do() {
    let message =
        |settings: SweepSettings, judged: Judged| decided(settings, &[("web", judged)], &[]).missed[0].message.clone();
    let begins = "web in production runs web:1 and not app:v2, which is newer (2026-05-04T12:00:02Z) and which its stage all takes: ";
    let to_deploy = "To deploy it, run ecr-deploy deploy app:v2";
    for (settings, judged, says) in [
        (
            deploying(),
            LOST,
            "no push of it is known here, so its event was lost. It is deployed now".to_owned(),
        ),
        (
            deploying(),
            HELD,
            "its push skipped the service: the service was on hold, or a setting was different. It is deployed now"
                .to_owned(),
        ),
        (
            SweepSettings::default(),
            REVERTED,
            format!("the service ran it, and somebody has put web:1 there since. {to_deploy}"),
        ),
        (
            deploying(),
            Judged::Unsure(WhyMissed::Reverted),
            format!(
                "web:1 has replaced an image that ecr-deploy deployed: by somebody's apply, or by a rollback. {to_deploy}"
            ),
        ),
        (
            deploying(),
            Judged::Unsure(WhyMissed::Lost),
            format!(
                "nobody can tell any more whether a push of it came, or whether it was rolled out there before. {to_deploy}"
            ),
        ),
        (
            deploying(),
            Judged::Unsure(WhyMissed::Held),
            format!(
                "its push skipped the service, or it was rolled out there and taken back: so many rollouts ago that nobody can tell. \
                 {to_deploy}"
            ),
        ),
        (
            deploying(),
            Judged::Unsure(WhyMissed::Unrecorded),
            format!("web:1 is somebody else's, and ecr-deploy has deployed nothing there yet. {to_deploy}"),
        ),
    ] {
        assert_eq!(message(settings, judged), format!("{begins}{says}"));
    }
}
