//! The table of judgements. The service `web` misses `app:v2`.

use super::*;
use crate::candidates::tests::{app, known, on, stored};
use crate::candidates::{Account, Candidate};
use ecr_deploy::domain::service::{RolloutState, Service};
use ecr_deploy::domain::task_definition::Outline;
use ecr_deploy::function::config::Config;
use ecr_deploy::testing::{arn, at, described, described_of_push, record};
use find_task_definitions::stage::Stages;
use serde_json::Value;

/// Judges `web`, which is on this revision.
fn judged(running: &Value, change: impl FnOnce(&mut Service), facts: &Facts<'_>) -> Judged {
    let definitions = known(std::slice::from_ref(running));
    let outline: &Outline = definitions.values().flatten().next().unwrap();
    let mut services = [on("web", outline.arn().short())];
    let config = Config::default();
    let stages = Stages::read(&config).unwrap();
    let account = Account {
        config: &config,
        stages: &stages,
        services: &services,
        definitions: &definitions,
        now: at(3600),
    };
    let found: Vec<Candidate<'_>> = account.candidates(&app(), &[stored(2, &[])]);
    let image = found[0].image.clone();
    let stage = found[0].stage.clone();
    change(&mut services[0]);
    let candidate = Candidate {
        service: &services[0],
        running: outline,
        stage,
        image,
        tags: Vec::new(),
    };
    judge(&candidate, facts)
}

fn plain(_: &mut Service) {}

#[test]
fn on_a_revision_of_ours_the_pushes_and_the_rollouts_decide() {
    use ServiceDeploymentStatus::{RolledBack, Stopped, Successful};
    let ours = described_of_push("web:1", 1);
    let made = [arn("web:2")];
    let (here, elsewhere) = ([record("web:2", Successful)], [record("web:1", Successful)]);
    let (back, stopped) = ([record("web:2", RolledBack)], [record("web:2", Stopped)]);
    let lost = Judged::Missed(WhyMissed::Lost);
    let held = Judged::Missed(WhyMissed::Held);
    for (of_image, history, pushes, expected) in [
        (&[][..], Some(&elsewhere[..]), Some(Pushes::None), lost),
        (&[], None, Some(Pushes::None), lost),
        (&[], Some(&elsewhere), Some(Pushes::EndedWell), held),
        // Another service of the family has it.
        (&made, Some(&elsewhere), Some(Pushes::EndedWell), held),
        (&made, Some(&elsewhere), Some(Pushes::None), lost),
        // Where ECS tells no rollouts, it may have been this one.
        (&made, None, Some(Pushes::None), Judged::FailedBefore),
        (&made, Some(&here), Some(Pushes::EndedWell), Judged::FailedBefore),
        (&made, Some(&back), Some(Pushes::EndedWell), Judged::FailedBefore),
        (&made, Some(&stopped), Some(Pushes::None), Judged::FailedBefore),
        (&made, Some(&here), None, Judged::FailedBefore),
        (&[], Some(&elsewhere), Some(Pushes::Failed), Judged::FailedBefore),
        (&[], Some(&elsewhere), Some(Pushes::Running), Judged::NotYet),
        (&made, Some(&here), Some(Pushes::Running), Judged::NotYet),
        (&[], Some(&elsewhere), None, Judged::Unsure(WhyMissed::Lost)),
    ] {
        let facts = Facts {
            ours: &made,
            of_image,
            history,
            pushes,
            ..Facts::default()
        };
        assert_eq!(judged(&ours, plain, &facts), expected, "{facts:?}");
    }
}

#[test]
fn where_the_records_have_a_gap_an_image_that_was_taken_back_is_not_taken_for_one_that_was_missed() {
    use ServiceDeploymentStatus::{RolledBack, Successful};
    let ours = described_of_push("web:1", 1);
    let made = [arn("web:2")];
    let (elsewhere, back) = ([record("web:1", Successful)], [record("web:2", RolledBack)]);
    for (history, pushes, expected) in [
        (&elsewhere, Pushes::EndedWell, Judged::Unsure(WhyMissed::Held)),
        (&elsewhere, Pushes::None, Judged::Unsure(WhyMissed::Lost)),
        (&elsewhere, Pushes::Failed, Judged::FailedBefore),
        (&back, Pushes::EndedWell, Judged::FailedBefore),
    ] {
        let facts = Facts {
            ours: &made,
            of_image: &made,
            history: Some(history),
            has_gap: true,
            pushes: Some(pushes),
        };
        assert_eq!(judged(&ours, plain, &facts), expected, "{facts:?}");
    }
}

#[test]
fn records_have_a_gap_that_do_not_reach_back_to_the_push_or_name_a_revision_that_was_not_read() {
    let records = |seconds: &[i64], revision: &str| -> Vec<ServiceDeployment> {
        let records = seconds.iter().map(|second| ServiceDeployment {
            created_at: at(*second),
            ..record(revision, ServiceDeploymentStatus::Successful)
        });
        records.collect()
    };
    let many: Vec<i64> = (0..20).map(|number| 100 - number).collect();
    let all_but_one = &many[..19];
    for (seconds, revision, pushed_at, expected) in [
        (&many[..], "web:1", 80, true),
        (&many, "web:1", 82, false),
        (all_but_one, "web:1", 80, false),
        (&[], "web:1", 80, false),
        (&[90, 70], "web:7", 80, true),
        (&[70], "web:7", 80, false),
    ] {
        let is_known = |target: &TaskDefinitionArn| *target == arn("web:1");
        let gap = omits(&records(seconds, revision), at(pushed_at), is_known);
        assert_eq!(gap, expected, "{seconds:?} of {revision}, pushed at {pushed_at}");
    }
}

#[test]
fn an_image_of_a_repository_of_which_no_push_is_recorded_may_be_brought_in_by_ecr_itself() {
    use ServiceDeploymentStatus::{RolledBack, Successful};
    let running = described("web:1", "app:v1", &[("ecr-deploy:source", "web:0")]);
    let made = [arn("web:2")];
    let elsewhere = [record("web:1", Successful)];
    let back = [record("web:1", Successful), record("web:2", RolledBack)];
    let unrecorded = Judged::Unsure(WhyMissed::Unrecorded);
    for (ours, of_image, history, pushes, expected) in [
        (&[][..], &[][..], &elsewhere[..], Some(Pushes::None), unrecorded),
        // The push of a cache was skipped.
        (&[], &[], &elsewhere, Some(Pushes::EndedWell), unrecorded),
        (&[], &[], &elsewhere, None, unrecorded),
        (&[], &[], &elsewhere, Some(Pushes::Failed), Judged::FailedBefore),
        (&[], &[], &elsewhere, Some(Pushes::Running), Judged::NotYet),
        // The family has a revision of another push of it.
        (
            &made,
            &[],
            &elsewhere,
            Some(Pushes::None),
            Judged::Missed(WhyMissed::Lost),
        ),
        (
            &made,
            &[],
            &back,
            Some(Pushes::EndedWell),
            Judged::Missed(WhyMissed::Held),
        ),
        (&made, &made, &back, Some(Pushes::EndedWell), Judged::FailedBefore),
    ] {
        let facts = Facts {
            ours,
            of_image,
            history: Some(history),
            pushes,
            ..Facts::default()
        };
        assert_eq!(judged(&running, plain, &facts), expected, "{facts:?}");
    }
}

#[test]
fn somebody_elses_revision_that_came_after_ours_was_put_there() {
    use ServiceDeploymentStatus::{RollbackFailed, RolledBack, RollingBack, Stopped, Successful, UnderWay};
    let made = [arn("web:2")];
    let (before, after) = (described("web:1", "app:v1", &[]), described("web:3", "app:v1", &[]));
    let reverted = Judged::Missed(WhyMissed::Reverted);
    let unsure = Judged::Unsure(WhyMissed::Reverted);
    for (running, status, pushes, expected) in [
        (&after, Some(Successful), Some(Pushes::EndedWell), reverted),
        (&after, Some(Successful), Some(Pushes::None), unsure),
        (&after, Some(Successful), Some(Pushes::Failed), unsure),
        (&after, Some(Successful), None, unsure),
        // Our own rollback leads there.
        (&before, Some(Successful), Some(Pushes::EndedWell), unsure),
        (&after, Some(RolledBack), Some(Pushes::EndedWell), Judged::FailedBefore),
        (
            &after,
            Some(RollbackFailed),
            Some(Pushes::EndedWell),
            Judged::FailedBefore,
        ),
        (&after, Some(Stopped), Some(Pushes::EndedWell), Judged::FailedBefore),
        (&after, Some(UnderWay), Some(Pushes::EndedWell), Judged::NotYet),
        (&after, Some(RollingBack), Some(Pushes::EndedWell), Judged::NotYet),
        (&after, Some(Successful), Some(Pushes::Running), Judged::NotYet),
        (&after, None, Some(Pushes::EndedWell), unsure),
        (&before, None, Some(Pushes::None), unsure),
    ] {
        let records: Vec<_> = status.into_iter().map(|status| record("web:2", status)).collect();
        let facts = Facts {
            ours: &made,
            of_image: &made,
            history: Some(&records),
            pushes,
            ..Facts::default()
        };
        assert_eq!(
            judged(running, plain, &facts),
            expected,
            "{} {facts:?}",
            running["taskDefinition"]["revision"]
        );
    }
    for (ours, expected) in [(&made[..], unsure), (&[], Judged::Unsure(WhyMissed::Unrecorded))] {
        let facts = Facts {
            ours,
            pushes: Some(Pushes::None),
            ..Facts::default()
        };
        assert_eq!(judged(&before, plain, &facts), expected);
    }
}

#[test]
fn the_newest_rollout_of_the_image_counts() {
    use ServiceDeploymentStatus::{RolledBack, Successful};
    let made = [arn("web:2")];
    let after = described("web:3", "app:v1", &[]);
    let newest_first = [
        record("web:3", Successful),
        record("web:2", RolledBack),
        record("web:2", Successful),
    ];
    let facts = Facts {
        ours: &made,
        of_image: &made,
        history: Some(&newest_first),
        pushes: Some(Pushes::EndedWell),
        ..Facts::default()
    };
    assert_eq!(judged(&after, plain, &facts), Judged::FailedBefore);
}

#[test]
fn a_service_that_is_on_its_way_is_not_judged() {
    let facts = Facts {
        pushes: Some(Pushes::None),
        ..Facts::default()
    };
    let rolling = |service: &mut Service| service.deployments[0].rollout_state = Some(RolloutState::InProgress);
    let starting = |service: &mut Service| service.deployments[0].running_count = 1;
    for running in [described_of_push("web:1", 1), described("web:3", "app:v1", &[])] {
        assert_eq!(judged(&running, rolling, &facts), Judged::NotYet);
        assert_eq!(judged(&running, starting, &facts), Judged::NotYet);
    }
}
