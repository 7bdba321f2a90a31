use super::*;

fn push(error: &str) -> Execution {
    Execution {
        arn: String::new(),
        name: String::new(),
        status: Status::Failed,
        input: Value::Null,
        output: None,
        failure: Some(Failure {
            error: error.to_owned(),
            message: String::new(),
        }),
        started: "2026-11-29T10:00:00Z".parse().unwrap(),
        ended: None,
        redrives: 0,
    }
}

#[test]
fn a_failed_push_is_judged_by_its_services_and_calls_for_attention_only_where_one_is_at_risk() {
    let service = |outcome: &&str| Deployed {
        outcome: (*outcome).to_owned(),
        execution: (*outcome != "NOT_STARTED").then(String::new),
        ..Deployed::not_started("production", "web")
    };
    for (error, services, expected, code) in [
        (
            "Deploy.ServicesFailed",
            ["Deploy.RolledBack", "DEPLOYED"],
            Outcome::RolledBack,
            3,
        ),
        (
            "Deploy.ServicesFailed",
            ["Deploy.RolledBack", "STOPPED"],
            Outcome::NeedsAttention,
            4,
        ),
        (
            "Deploy.ServicesFailed",
            ["Deploy.RollBackFailed", "NOT_STARTED"],
            Outcome::NeedsAttention,
            4,
        ),
        (
            "Deploy.NotStable",
            ["DEPLOYED", "NOT_STARTED"],
            Outcome::NeedsAttention,
            4,
        ),
        // AWS refused before anything was changed.
        (
            "Deploy.ServicesFailed",
            ["Deploy.Rejected", "Deploy.NotFound"],
            Outcome::Failed,
            1,
        ),
        (
            "Deploy.ServicesFailed",
            ["Deploy.InvalidInput", "NOT_STARTED"],
            Outcome::Failed,
            1,
        ),
        (
            "Deploy.ServicesFailed",
            ["Deploy.Rejected", "Deploy.RolledBack"],
            Outcome::RolledBack,
            3,
        ),
        // An update may have been made, and nobody could tell.
        (
            "Deploy.ServicesFailed",
            ["Deploy.Rejected", "Deploy.Unavailable"],
            Outcome::NeedsAttention,
            4,
        ),
        // The revision could not be registered.
        (
            "Deploy.ServicesFailed",
            ["NOT_STARTED", "NOT_STARTED"],
            Outcome::Failed,
            1,
        ),
        // The tag of another service names no stage.
        ("Deploy.ServicesFailed", ["DEPLOYED", "DEPLOYED"], Outcome::Failed, 1),
        // The image does not get its tag.
        ("Ecr.EcrException", ["DEPLOYED", "ALREADY_DEPLOYED"], Outcome::Failed, 1),
        ("Sandbox.Timedout", ["RUNNING", "NOT_STARTED"], Outcome::Failed, 1),
        (
            "Deploy.InvalidInput",
            ["NOT_STARTED", "NOT_STARTED"],
            Outcome::Refused,
            1,
        ),
    ] {
        let services: Vec<Deployed> = services.iter().map(service).collect();
        let judged = outcome(&push(error), None, &services);
        assert_eq!((judged, judged.exit().code()), (expected, code), "{error} {services:?}");
    }
    assert_eq!(outcome(&push("Deploy.InvalidInput"), None, &[]), Outcome::Refused);
}

#[test]
fn a_push_whose_later_wave_met_a_hold_of_everything_is_not_deployed() {
    let conclusion = include_str!("../../../statemachine/examples/image-conclusion.json");
    let conclusion: ImageConclusion = serde_json::from_str(conclusion).unwrap();
    assert!(!conclusion.services.is_empty());
    let skipped = |reason| Skipped {
        reason,
        resource: "web in production".to_owned(),
        message: String::new(),
        count: 1,
    };
    let ended = Execution {
        status: Status::Succeeded,
        failure: None,
        ..push("")
    };
    for (reason, expected, code) in [
        (SkipReason::AllOnHold, Outcome::Held, 5),
        (SkipReason::OnHold, Outcome::Deployed, 0),
        (SkipReason::TagNotTaken, Outcome::Deployed, 0),
    ] {
        let conclusion = ImageConclusion {
            skipped: vec![skipped(reason)],
            ..conclusion.clone()
        };
        let judged = outcome(&ended, Some(&conclusion), &[]);
        assert_eq!((judged, judged.exit().code()), (expected, code), "{reason:?}");
    }
}
