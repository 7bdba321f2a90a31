//! `deploy`, `retry` and `why`.

use crate::support::{Aws, DIGEST, arn, image};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// The name of the push.
const PUSH: &str = "shop-web-v2-6a69650c-1fc1-4eb1-8c94-cfb37be29cff";

/// The name of the execution of `production/web` in the push, before a redrive.
fn name() -> String {
    let hash = Sha1::digest(format!("{}/production/web", arn("Image-1", PUSH)));
    let hash: String = hash.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("web-v2-{hash}-0")
}

/// The event of the push.
fn event() -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../../../statemachine/examples/put-image-event.json")).unwrap();
    let image = json!({"imageDigest": DIGEST, "imageTag": "v2"});
    event["detail"]["requestParameters"]["repositoryName"] = "shop/web".into();
    event["detail"]["requestParameters"]["imageTag"] = "v2".into();
    event["detail"]["responseElements"]["image"]["repositoryName"] = "shop/web".into();
    event["detail"]["responseElements"]["image"]["imageId"] = image;
    event
}

/// The error of an execution.
fn failure(error: &str, message: &str) -> Value {
    json!({"input": event(), "error": error, "cause": {"errorMessage": message}})
}

/// The events of a push whose search failed so often, and then made a plan for `production/web`.
fn events(failures: usize) -> Vec<Value> {
    let plan = json!({
        "image": image("v2"), "settings": [], "later": [], "tags": [], "skipped": [], "services": 1, "errorLength": 1000,
        "told": [], "revisions": [{"taskDefinition": "web:41", "services": [{"cluster": "production", "service": "web"}]}],
    });
    let failed = |id: usize| {
        let details =
            json!({"resourceType": "lambda", "resource": "invoke", "error": "Deploy.Unavailable", "cause": "{}"});
        json!({"timestamp": 1_796_000_000, "type": "TaskFailed", "id": id + 1, "taskFailedEventDetails": details})
    };
    let details = json!({"name": "Find task definitions", "output": plan.to_string()});
    let made = json!({
        "timestamp": 1_796_000_000, "type": "TaskStateExited", "id": failures + 1, "stateExitedEventDetails": details,
    });
    (0..failures).map(failed).chain([made]).collect()
}

/// A push that failed, and its service, which was rolled back.
fn rolled_back(failures: usize) -> Aws {
    let mut service = failure("Deploy.RolledBack", "web in production is back on web:41");
    service["input"] = json!({"cluster": "production", "service": "web", "image": image("v2")});
    Aws::new()
        .execution("Service-1", &name(), "FAILED", &service)
        .execution(
            "Image-1",
            PUSH,
            "FAILED",
            &failure("Deploy.ServicesFailed", "1 of 1 service failed"),
        )
        .events(PUSH, events(failures))
}

#[test]
fn a_push_whose_search_was_retried_often_has_a_plan_nevertheless() {
    for failures in [0, 250] {
        let push = || rolled_back(failures);
        push()
            .types("retry shop/web:v2 --no-wait")
            .ended(3)
            .says(&["production/web Deploy.RolledBack"]);
        push()
            .types("why shop/web:v2 web")
            .ended(0)
            .says(&["production/web Deploy.RolledBack"]);
    }
}
