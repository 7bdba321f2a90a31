//! `rollback`, `continue` and `cancel`.

use crate::support::{Answer, Aws, arn, image, refused};
use serde_json::{Value, json};

/// An account with executions of services whose names begin as those of `production/web`, and that of a push behind them.
fn behind(admins: usize, others: usize, status: &str) -> Aws {
    let mut aws = Aws::new();
    for number in 0..admins + others {
        let admin = if number < admins { "web-admin" } else { "api" };
        let input = json!({"cluster": "production", "service": admin, "image": image("v7")});
        aws = aws.execution(
            "Service-1",
            &format!("{admin}-v7-{number:010}-0"),
            "SUCCEEDED",
            &json!({"input": input}),
        );
    }
    let mut newer = image("v3");
    newer["push"] = "2026-11-29T11:00:00Z 7a69650c-1fc1-4eb1-8c94-cfb37be29cff".into();
    let input = json!({
        "cluster": "production", "service": "web", "image": newer, "back": null,
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": arn("Image-1", "shop-web-v3-7a69650c"),
    });
    aws.execution("Service-1", "web-v3-0123456789-0", status, &json!({"input": input}))
}

const ROLLBACK: [&str; 4] = ["rollback", "production/web", "--why", "broken"];

fn has_started(calls: &[(String, Value)]) -> bool {
    calls
        .iter()
        .any(|(operation, _)| ["StartExecution", "TagResource"].contains(&operation.as_str()))
}

#[test]
fn a_newer_push_that_waits_is_found_behind_those_of_services_with_a_similar_name() {
    // So many that all are read, and more than that.
    for (admins, others) in [(25, 0), (25, 5000), (1001, 0)] {
        let (said, calls) = behind(admins, others, "RUNNING").says_to(&ROLLBACK);
        said.ended(1)
            .says(&["web-v3-0123456789-0, which would go on afterwards"]);
        assert!(!has_started(&calls));
    }
    behind(25, 0, "FAILED")
        .types("status production/web")
        .ended(0)
        .says(&["UNKNOWN of shop/web:v3"]);
}

#[test]
fn where_the_search_for_a_deployment_gave_up_that_is_told_and_nothing_is_begun() {
    for (admins, others) in [(25, 5000), (1008, 0)] {
        let (said, calls) = behind(admins, others, "FAILED").says_to(&ROLLBACK);
        said.ended(1)
            .says(&["older than the executions that were read", "Name the revision by --to"]);
        assert!(!has_started(&calls));
        behind(admins, others, "FAILED")
            .types("status production/web")
            .ended(0)
            .says(&["older executions were not read"]);
    }
    behind(25, 0, "FAILED")
        .types("status production/web")
        .ended(0)
        .says_nothing_of(&["older executions"]);
}

/// An account in which the rollout of `production/web` waits at two hooks; `fails` refuses an operation at a call of it.
fn waiting(fails: (&'static str, usize)) -> Aws {
    let mut called = 0;
    behind(0, 0, "RUNNING").instead(move |operation, _| {
        called += usize::from(operation == fails.0);
        if operation == fails.0 && called >= fails.1 {
            return Some(refused("AccessDeniedException", "not authorized"));
        }
        waits(operation)
    })
}

fn waits(operation: &str) -> Option<Answer> {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/2";
    let waits = |id: &str| json!({"hookId": id, "status": "AWAITING_ACTION", "expiresAt": 4_000_000_000_i64, "timeoutAction": "ROLLBACK"});
    let under_way = json!({
        "serviceDeploymentArn": arn, "status": "IN_PROGRESS", "createdAt": 1_796_000_000,
        "lifecycleStage": "POST_SCALE_UP", "lifecycleHookDetails": [waits("one"), waits("two")],
    });
    match operation {
        "ListServiceDeployments" | "DescribeServiceDeployments" => {
            Some((200, json!({"serviceDeployments": [under_way]})))
        }
        "ContinueServiceDeployment" => Some((200, json!({}))),
        _ => None,
    }
}

#[test]
fn hooks_that_were_answered_are_told_also_where_the_push_cannot_be_read() {
    for (word, answer) in [("continue", "CONTINUED"), ("cancel", "CANCELLED")] {
        let words = format!("{word} production/web");
        waiting(("", 0))
            .types(&words)
            .ended(0)
            .says(&[answer, "ecr-deploy why"]);
        waiting(("ListExecutions", 1)).types(&words).ended(0).says(&[
            answer,
            "It is not known whether a push watches it",
            "not authorized",
            "ecr-deploy status production/web",
        ]);
    }
    waiting(("ContinueServiceDeployment", 2))
        .types("continue production/web")
        .ended(1)
        .says(&["1 of 2 hooks of production/web were answered", "not authorized"]);
    waiting(("ContinueServiceDeployment", 1))
        .types("continue production/web")
        .ended(1)
        .says_nothing_of(&["were answered"]);
}

#[test]
fn a_hook_that_a_colleague_has_answered_meanwhile_is_told() {
    let mut is_answered = false;
    behind(0, 0, "RUNNING")
        .instead(move |operation, _| match operation {
            "ContinueServiceDeployment" => {
                is_answered = true;
                Some(refused("InvalidParameterException", "The hook is not awaiting action."))
            }
            "ListServiceDeployments" if is_answered => Some((200, json!({"serviceDeployments": []}))),
            _ => waits(operation),
        })
        .types("continue production/web")
        .ended(1)
        .says(&["somebody has answered it", "ecr-deploy status production/web"]);
}

#[test]
fn a_hold_that_a_rollback_replaces_is_told_and_so_is_one_that_it_leaves_behind() {
    let held = |hold: &str| {
        let back = json!({"input": {"cluster": "production", "service": "web", "image": image("v2"), "back": {}}});
        // Its name is made anew each time.
        let arn = arn("Service-1", "web-rollback-1");
        Aws::new()
            .execution("Service-1", "web-rollback-1", "RUNNING", &back)
            .tag("ecr-deploy:hold", hold)
            .instead(move |operation, _| match operation {
                "ListExecutions" => Some((200, json!({"executions": []}))),
                "StartExecution" => Some((200, json!({"executionArn": arn, "startDate": 1_796_000_000}))),
                _ => None,
            })
    };
    let words = [&ROLLBACK[..], &["--no-wait"]].concat();
    let (said, _) = held("bob - audit freeze").says_to(&words);
    let said = said.ended(0).says(&["It was before: bob - audit freeze"]);
    assert!(said.text.contains("before     bob - audit freeze"), "{}", said.text);
    let (said, _) = held("until 2020-01-01T00:00:00Z bob - audit freeze").says_to(&words);
    said.ended(0).says_nothing_of(&["audit freeze"]);

    let (said, _) = Aws::new()
        .tag("ecr-deploy:hold", "bob - audit freeze")
        .instead(|operation, _| (operation == "StartExecution").then(|| refused("AccessDeniedException", "not yours")))
        .says_to(&ROLLBACK);
    said.ended(1).says(&[
        "production/web was not taken back, and stays on hold: operator/ann - broken",
        "It was before: bob - audit freeze",
        "ecr-deploy unhold production/web",
        "not yours",
    ]);
}

#[test]
fn the_execution_of_a_rollback_is_told_and_not_offered_for_a_retry() {
    let name = "web-rollback-81311c67-0";
    let aws = || {
        let members = json!({
            "input": {"cluster": "production", "service": "web", "image": image("v2"), "back": {"why": "ann - slow"}},
            "error": "Deploy.RollBackFailed", "cause": {"errorMessage": "web in production is not back on web:41"},
        });
        let details = json!({"name": "Roll back", "output": json!({"message": "ECS was told to go back"}).to_string()});
        let told =
            json!({"timestamp": 1_796_000_001, "type": "TaskStateExited", "id": 1, "stateExitedEventDetails": details});
        Aws::new()
            .execution("Service-1", name, "FAILED", &members)
            .events(name, vec![told])
    };
    let why = format!("why {name}");
    aws()
        .types(&why)
        .ended(0)
        .says(&["Deploy.RollBackFailed", "ECS was told to go back", "part of no push"]);
    let retry = format!("retry {name}");
    aws()
        .types(&retry)
        .ended(2)
        .says(&["somebody took production/web back by it"]);
    let history = "history production/web --name-is service";
    aws()
        .types(history)
        .ended(0)
        .says(&[name, "Why: ecr-deploy why PUSH."])
        .says_nothing_of(&["retry"]);
}
