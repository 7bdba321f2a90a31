//! How executions are summed up. In every case `app:v2` was to run on `web:2`, and `web:1` was good before it.

use super::*;
use ecr_deploy::contract::{Conclude, Skipped};
use ecr_deploy::testing::{at, pushed};
use serde_json::{Value, json};

/// An example of what an execution has come to.
fn example(name: &str) -> Value {
    let path = format!("{}/../../statemachine/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn service(name: &str) -> ServiceSummary {
    let Conclude::Service(end) = serde_json::from_value(example(name)).unwrap() else {
        panic!("{name} is of no service")
    };
    sum_up_service(&end, at(0), at(94))
}

fn image(end: &ImageEnd) -> ImageSummary {
    sum_up_image(end, false, at(0), at(94), |conclusion| conclusion)
}

fn push(name: &str) -> ImageSummary {
    let Conclude::Image(end) = serde_json::from_value(example(name)).unwrap() else {
        panic!("{name} is of no push")
    };
    image(&end)
}

#[test]
fn a_service_has_a_state_and_an_error_only_where_it_is_red() {
    use ServiceState::{Deployed, Failed, RolledBack};
    for (name, state, error) in [
        ("conclude-service", Deployed, None),
        ("conclude-service.rolled-back", RolledBack, Some("Deploy.RolledBack")),
        (
            "conclude-service.rollback-failed",
            Failed,
            Some("Deploy.RollBackFailed"),
        ),
        ("conclude-service.not-rolled-back", Failed, Some("Deploy.NotRolledBack")),
        ("conclude-service.not-updated", Failed, Some("Deploy.NotFound")),
        ("conclude-service.not-registered", Failed, Some("Deploy.Rejected")),
    ] {
        let summary = service(name);
        assert_eq!((summary.state, summary.error.as_deref()), (state, error), "{name}");
        assert_eq!(summary.conclusion.is_some(), error.is_none(), "{name}");
        assert_eq!(summary.seconds, 94, "{name}");
        assert!(!summary.message.is_empty(), "{name}");
    }
}

#[test]
fn every_outcome_of_a_service_has_a_state() {
    for (outcome, state) in [
        (ServiceOutcome::Deployed, ServiceState::Deployed),
        (ServiceOutcome::AlreadyDeployed, ServiceState::AlreadyDeployed),
        (ServiceOutcome::Superseded, ServiceState::Superseded),
        (ServiceOutcome::RollBackSuperseded, ServiceState::Superseded),
        (ServiceOutcome::OnHold, ServiceState::Held),
        (ServiceOutcome::ServiceDeleted, ServiceState::ServiceDeleted),
    ] {
        assert_eq!(state_of(outcome), state);
    }
}

#[test]
fn an_image_that_had_failed_there_before_is_no_rollback() {
    let mut end = example("conclude-service.not-updated");
    end["error"] = json!({"Error": "Deploy.RolledBack", "Cause": "it failed there before"});
    let Conclude::Service(end) = serde_json::from_value(end).unwrap() else {
        unreachable!()
    };
    let summary = sum_up_service(&end, at(0), at(1));
    assert_eq!(
        (summary.state, summary.error.as_deref()),
        (ServiceState::Failed, Some("Deploy.RolledBack"))
    );
}

#[test]
fn what_is_summed_up_is_what_conclude_throws() {
    let Conclude::Image(end) = serde_json::from_value(example("conclude-image.failed")).unwrap() else {
        unreachable!()
    };
    let summary = image(&end);
    let error = push::conclude(&end, end.attempt, false).unwrap_err();
    assert_eq!(summary.error.as_deref(), Some(error.name()));
    assert_eq!(summary.conclusion.message, error.to_string());
    assert_eq!(summary.state, Some(PushState::Failed));
    // A redrive finds what it needs.
    let again = ImageEnd {
        services: summary.conclusion.services,
        families: summary.conclusion.families,
        skipped: summary.conclusion.skipped,
        later: summary.conclusion.later,
        tags: summary.conclusion.pending,
        tagged: summary.conclusion.tagged,
        ..end.clone()
    };
    assert_eq!(again, end);
}

#[test]
fn a_push_counts_its_services() {
    let counts = |services: PushServices| {
        (
            services.planned,
            services.deployed,
            services.superseded,
            services.failed,
        )
    };
    assert_eq!(counts(push("conclude-image").services), (0, 2, 0, 0));
    let wave = push("conclude-image.wave");
    assert_eq!((counts(wave.services), wave.state), ((1, 1, 0, 0), None), "it goes on");
    assert_eq!(push("conclude-image").skipped, 1);
    assert_eq!(push("conclude-image").reasons, [SkipReason::CodeDeployController]);
}

/// A push of which these are skipped, and these services done.
fn ended(reasons: &[SkipReason], outcomes: &[ServiceOutcome]) -> ImageSummary {
    let skipped = reasons.iter().map(|reason| Skipped {
        resource: "web in production".to_owned(),
        reason: *reason,
        message: "skipped".to_owned(),
        count: 2,
    });
    let services = outcomes.iter().map(|outcome| ServiceResult {
        cluster: "production".parse().unwrap(),
        service: "web".parse().unwrap(),
        outcome: *outcome,
    });
    image(&ImageEnd {
        image: Some(pushed(2)),
        planned: 0,
        settings: vec![],
        results: vec![],
        services: services.collect(),
        families: vec![],
        skipped: skipped.collect(),
        later: vec![],
        tags: vec![],
        tagged: vec![],
        attempt: 0,
    })
}

#[test]
fn a_push_that_deploys_nothing_says_whether_that_is_for_a_hold_a_newer_push_or_another_reason() {
    use ServiceOutcome::{Deployed, OnHold, RollBackSuperseded, ServiceDeleted, Superseded};
    use SkipReason as Reason;
    for (reasons, outcomes, state) in [
        (&[][..], &[][..], PushState::Skipped),
        (&[Reason::TagNotTaken], &[], PushState::Skipped),
        (&[Reason::NotInUse, Reason::OnHold], &[], PushState::Held),
        (&[Reason::AllOnHold], &[], PushState::Held),
        (&[Reason::Superseded], &[], PushState::Superseded),
        (&[Reason::Superseded, Reason::OnHold], &[], PushState::Held),
        (&[Reason::AllOnHold], &[Deployed], PushState::Deployed),
        (&[], &[Superseded, RollBackSuperseded], PushState::Superseded),
        (&[], &[Superseded, Deployed], PushState::Deployed),
        (&[], &[ServiceDeleted], PushState::Skipped),
        (&[], &[OnHold], PushState::Held),
        (&[], &[OnHold, Deployed], PushState::Deployed),
    ] {
        let summary = ended(reasons, outcomes);
        assert_eq!(summary.state, Some(state), "{reasons:?} {outcomes:?}");
        let of_reasons = 2 * u32::try_from(reasons.len()).unwrap();
        assert!(summary.skipped >= of_reasons, "{summary:?}");
    }
    let twice = ended(&[Reason::OnHold, Reason::OnHold], &[]);
    assert_eq!(twice.reasons, [Reason::OnHold]);
}

#[test]
fn clocks_that_differ_make_no_negative_time() {
    assert_eq!(seconds(at(10), at(5)), 0);
    assert_eq!(seconds(at(5), at(10)), 5);
}
