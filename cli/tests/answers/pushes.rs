//! `deploy`, `retry` and `why`.

use crate::support::{Aws, DIGEST, arn, image, refused};
use ecr_deploy_cli::report::name_of_execution;
use serde_json::{Value, json};

/// The name of the push.
const PUSH: &str = "shop-web-v2-6a69650c-1fc1-4eb1-8c94-cfb37be29cff";

/// The name of the execution of `production/web` in the push, before a redrive.
fn name() -> String {
    format!(
        "{}0",
        name_of_execution(&arn("Image-1", PUSH), "v2", "production", "web")
    )
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
        let told = ["shop/web:v2 ROLLED_BACK", "production/web Deploy.RolledBack"];
        for words in ["why shop/web:v2", "why shop/web:v2 web"] {
            rolled_back(failures).types(words).ended(0).says(&told);
        }
    }
}

#[test]
fn a_push_behind_ten_thousand_executions_of_services_tells_how_each_of_its_own_ended() {
    let later: Vec<Value> = (0..1000)
        .map(|number| {
            let name = format!("api-v7-{number:010}-0");
            json!({
                "executionArn": arn("Service-1", &name), "name": name, "status": "SUCCEEDED",
                "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:Service-1",
                "startDate": 1_797_000_000, "stopDate": 1_797_000_030,
            })
        })
        .collect();
    let told = ["shop/web:v2 ROLLED_BACK", "production/web Deploy.RolledBack"];
    rolled_back(0)
        .instead(move |operation, input| {
            let is_of_services = input["stateMachineArn"]
                .as_str()
                .is_some_and(|it| it.ends_with("Service-1"));
            let page = json!({"executions": later, "nextToken": "next"});
            (operation == "ListExecutions" && is_of_services).then_some((200, page))
        })
        .types("why shop/web:v2")
        .ended(0)
        .says(&told);
}

#[test]
fn the_execution_of_a_plan_is_told_from_a_push() {
    let name = "0a69650c-1fc1-4eb1-8c94-cfb37be29cff";
    let mut event = event();
    event["plan"] = true.into();
    Aws::new()
        .execution("Image-1", name, "SUCCEEDED", &json!({"input": event, "output": {}}))
        .types(&format!("why {name}"))
        .ended(2)
        .says(&["is the execution of a plan", "ecr-deploy plan shop/web:v2"]);
}

#[test]
fn a_push_is_found_by_its_whole_name_also_among_many_that_contain_it() {
    let mut aws = Aws::new();
    for number in 0..12 {
        aws = aws.execution(
            "Image-1",
            &format!("shop-web-v2-by-hand-{number}"),
            "RUNNING",
            &json!({"input": event()}),
        );
    }
    aws.execution("Image-1", "shop-web-v2-by-hand", "ABORTED", &json!({"input": event()}))
        .types("why shop-web-v2-by-hand")
        .ended(0)
        .says(&["shop/web:v2 STOPPED"]);
}

/// An account in which `DescribeExecution` of the push answers by the number of the call.
fn described(aws: Aws, mut answer: impl FnMut(usize) -> Option<(u16, Value)> + Send + 'static) -> Aws {
    let mut reads = 0;
    aws.instead(move |operation, input| {
        let is_read = operation == "DescribeExecution" && input["executionArn"] == arn("Image-1", PUSH);
        reads += usize::from(is_read);
        if is_read { answer(reads) } else { None }
    })
}

#[test]
fn the_failure_before_a_redrive_is_not_taken_for_its_result() {
    let redriven = |status: &str| {
        json!({
            "executionArn": arn("Image-1", PUSH), "name": PUSH, "status": status, "startDate": 1_796_000_000,
            "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:Image-1", "input": event().to_string(),
            "redriveCount": 1,
        })
    };
    // It is read to find it by its image, and before it is redriven.
    let goes_on = move |reads| match reads {
        0..=4 => None,
        5..=6 => Some((200, redriven("RUNNING"))),
        _ => Some((200, redriven("ABORTED"))),
    };
    described(rolled_back(0), goes_on).types("retry shop/web:v2").ended(7);
    // It ended once more before it was read.
    let has_ended = move |reads| (reads > 4).then(|| (200, redriven("ABORTED")));
    described(rolled_back(0), has_ended).types("retry shop/web:v2").ended(7);
}

#[test]
fn a_sweep_under_a_hold_of_everything_says_that_it_looked_for_nothing() {
    let swept = |services: u32| {
        let output = json!({"services": services, "missed": [], "more": 0, "started": []});
        Aws::new().execution("Sweep-1", "started", "SUCCEEDED", &json!({"output": output}))
    };
    let hold = "/ecr-deploy/ecr-deploy/hold";
    swept(0)
        .parameter(hold, "bob - audit")
        .types("sweep")
        .ended(5)
        .says(&[
            "Everything is on hold: bob - audit. Nothing was looked for",
            "ecr-deploy unhold --all",
        ])
        .says_nothing_of(&["none misses"]);
    // It was set after the sweep had read it, or is over.
    swept(2)
        .parameter(hold, "bob - audit")
        .types("sweep")
        .ended(0)
        .says(&["Of 2 services none misses a push."]);
    let over = "until 2020-01-01T00:00:00Z bob - audit";
    swept(0)
        .parameter(hold, over)
        .types("sweep")
        .ended(0)
        .says(&["none misses a push."]);
}

/// An account in which `deploy` begins the push.
fn deployed() -> Aws {
    let launched = json!({"output": {"execution": arn("Image-1", PUSH)}});
    let running = json!({"input": event()});
    Aws::new()
        .execution("Push-1", "started", "SUCCEEDED", &launched)
        .execution("Image-1", PUSH, "RUNNING", &running)
        .events(PUSH, events(0))
}

#[test]
fn an_execution_that_has_begun_may_not_be_there_at_once() {
    let missing = |reads| (reads < 4).then(|| refused("ExecutionDoesNotExist", "Execution Does Not Exist"));
    described(deployed(), missing)
        .types("deploy shop/web:v2 --no-wait")
        .ended(0)
        .says(&["shop/web:v2 RUNNING"]);
}

#[test]
fn a_push_that_can_be_followed_no_longer_goes_on_and_that_is_told() {
    let expired = |reads| (reads > 2).then(|| refused("ExpiredTokenException", "the token is expired"));
    let told = [
        "goes on in AWS",
        "ecr-deploy why 6a69650c",
        "the token is expired",
        "sign in first",
    ];
    described(deployed(), expired)
        .types("deploy shop/web:v2")
        .ended(1)
        .says(&told);
    let said = described(deployed(), expired)
        .types("deploy shop/web:v2 --output json")
        .ended(1);
    let notes = said.notes.lines().find(|line| line.starts_with('{')).unwrap();
    let error: Value = serde_json::from_str(notes).unwrap();
    assert_eq!(error["error"], "Command.Rejected", "{notes}");
}

#[test]
fn a_push_that_a_sweep_could_not_start_is_not_told_as_deployed() {
    let missed: Value =
        serde_json::from_str(include_str!("../../../statemachine/examples/missed-pushes.json")).unwrap();
    let swept = |status: &str, launched: &Value| {
        let started = json!([{"image": "busybox:v2", "execution": arn("Push-1", "launched")}]);
        let output = json!({"services": 2, "missed": missed["missed"], "more": 0, "started": started});
        Aws::new()
            .execution("Sweep-1", "started", "SUCCEEDED", &json!({"output": output}))
            .execution("Push-1", "launched", status, launched)
    };
    let launched = json!({"output": {"execution": arn("Image-1", PUSH)}});
    swept("SUCCEEDED", &launched)
        .types("sweep")
        .ended(0)
        .says(&["LOST, deployed", "ecr-deploy why 6a69650c"]);
    let refused = json!({"error": "StepFunctions.AccessDenied", "cause": "not authorized"});
    swept("FAILED", &refused)
        .types("sweep")
        .ended(1)
        .says(&[
            "busybox:v2: its push could not be started: StepFunctions.AccessDenied: not authorized",
            "ecr-deploy deploy busybox:v2",
        ])
        .says_nothing_of(&["LOST, deployed", "started. To see"]);
}
