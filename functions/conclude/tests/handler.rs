//! The step as a whole: its two scopes, its setting, and the redrive count of the execution that asks.

#![allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]

use conclude::{Conclusion, handle};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::Request;
use ecr_deploy::testing::{arn, pushed, request};
use serde_json::{Value, json};

fn service_end() -> Value {
    json!({
        "scope": "SERVICE", "image": pushed(2), "cluster": "production", "service": "web", "taskDefinition": arn("web:2"),
        "base": null, "update": null, "check": null, "error": {"Error": "Deploy.Rejected", "Cause": "no"}, "rollBack": null,
        "rollBackCheck": null, "rollBackError": null, "settings": RolloutSettings::default(), "attempt": 0,
    })
}

fn image_end() -> Value {
    json!({
        "scope": "IMAGE", "image": pushed(2), "planned": 1, "settings": [], "results": [{"registered": "nightly:5"}],
        "services": [], "families": [], "skipped": [], "later": [], "tags": [], "tagged": [], "attempt": 0,
    })
}

fn concluded(input: &Value, redrives: u32, tag_latest: bool) -> Result<Value, Error> {
    let asked = request(input, 0);
    let execution = ecr_deploy::contract::Execution {
        redrive_count: redrives,
        ..asked.execution
    };
    let config = Config {
        tag_latest,
        ..Config::default()
    };
    let conclusion: Conclusion = handle(&config, Request { execution, ..asked }, |_| ())?;
    Ok(serde_json::to_value(conclusion).unwrap())
}

#[test]
fn a_services_execution_throws_until_it_is_redriven() {
    assert_eq!(
        concluded(&service_end(), 0, false).unwrap_err().name(),
        "Deploy.Rejected"
    );
    let again = concluded(&service_end(), 1, false).unwrap();
    assert_eq!(again["retry"], json!([{"cluster": "production", "service": "web"}]));
}

#[test]
fn a_pushs_execution_says_whether_latest_is_to_be_tagged() {
    for set in [true, false] {
        let done = concluded(&image_end(), 0, set).unwrap();
        let tags = if set { json!(["latest"]) } else { json!([]) };
        assert_eq!((&done["tags"], &done["retry"]), (&tags, &json!([])));
    }
}

#[test]
fn input_that_does_not_fit_the_contract_is_named() {
    let mut unknown = service_end();
    unknown["surprise"] = json!(1);
    for input in [unknown, json!({"scope": "NEITHER"}), json!(null)] {
        assert_eq!(concluded(&input, 0, false).unwrap_err().name(), "Deploy.InvalidInput");
    }
}
