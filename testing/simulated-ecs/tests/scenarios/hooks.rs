//! Lifecycle hooks: where a deployment waits, for whom, for how long, and what comes then.

use serde_json::{Value, json};
use simulated_ecs::ApiError;

use crate::account::Account;

/// A blue/green service with this hook, deployed to and waiting.
fn at_hook(hook: &Value) -> Account {
    let configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, "lifecycleHooks": [hook]});
    let mut account = Account::with_service(2, &json!({"deploymentConfiguration": configuration}));
    account.deploy("v2");
    account.wait(120);
    account
}

fn pause(stage: &str, timeout: &Value) -> Value {
    json!({"targetType": "PAUSE", "lifecycleStages": [stage], "timeoutConfiguration": timeout})
}

fn lambda(function: &str, timeout: &Value) -> Value {
    json!({
        "hookTargetArn": format!("arn:aws:lambda:eu-west-1:123456789012:function:{function}"),
        "roleArn": "arn:aws:iam::123456789012:role/hooks",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": timeout,
    })
}

fn hook(account: &mut Account) -> Value {
    account.service_deployment()["lifecycleHookDetails"][0].clone()
}

fn proceed(account: &mut Account, hook: &Value, action: Option<&str>) -> Result<Value, ApiError> {
    let mut request = json!({
        "serviceDeploymentArn": account.service_deployment()["serviceDeploymentArn"],
        "hookId": hook["hookId"],
    });
    if let Some(action) = action {
        request["action"] = action.into();
    }
    account.try_call("ContinueServiceDeployment", &request)
}

fn image_of_tasks(account: &mut Account) -> Vec<String> {
    let tasks = account.tasks("RUNNING");
    let mut images: Vec<String> = tasks
        .iter()
        .map(|task| task["containers"][0]["image"].as_str().unwrap().to_owned())
        .collect();
    images.dedup();
    images
}

#[test]
fn a_pause_waits_until_somebody_continues_it() {
    for action in [None, Some("CONTINUE")] {
        let mut account = at_hook(&pause("POST_TEST_TRAFFIC_SHIFT", &Value::Null));
        let begun = account.now - 120_000;
        account.wait(23 * 3600);
        let paused = account.service_deployment();
        assert_eq!(paused["status"], "IN_PROGRESS");
        assert_eq!(paused["lifecycleStage"], "POST_TEST_TRAFFIC_SHIFT");
        let hook = hook(&mut account);
        assert_eq!(
            (&hook["targetType"], &hook["status"], &hook["timeoutAction"]),
            (&json!("PAUSE"), &json!("AWAITING_ACTION"), &json!("ROLLBACK"))
        );
        assert_eq!(hook.get("targetArn"), None);
        #[allow(clippy::cast_precision_loss)]
        let after = hook["expiresAt"].as_f64().unwrap() - begun as f64 / 1000.0;
        assert!((86_400.0..86_460.0).contains(&after), "24 hours by default: {after}");

        let answer = proceed(&mut account, &hook, action).unwrap();
        assert_eq!(answer, json!({"serviceDeploymentArn": paused["serviceDeploymentArn"]}));
        account.wait(120);
        assert_eq!(account.statuses()[0], "SUCCESSFUL");
        assert_eq!(
            account.service_deployment()["lifecycleHookDetails"][0]["status"],
            "SUCCEEDED"
        );
    }
}

#[test]
fn somebody_may_take_a_paused_deployment_back() {
    let mut account = at_hook(&pause("POST_TEST_TRAFFIC_SHIFT", &Value::Null));
    let hook = hook(&mut account);
    proceed(&mut account, &hook, Some("ROLLBACK")).unwrap();
    account.wait(120);
    let deployment = account.service_deployment();
    assert_eq!(deployment["status"], "ROLLBACK_SUCCESSFUL");
    let reason = deployment["statusReason"].as_str().unwrap();
    assert!(reason.contains("lifecycle hook ecs-pause-"), "{reason}");
    assert_eq!(image_of_tasks(&mut account), [crate::account::image("v1")]);
}

#[test]
fn a_pause_that_nobody_ends_times_out_and_the_deployment_goes_on_or_back() {
    for (action, ended) in [("CONTINUE", "SUCCESSFUL"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")] {
        let timeout = json!({"timeoutInMinutes": 10, "action": action});
        let mut account = at_hook(&pause("POST_SCALE_UP", &timeout));
        assert_eq!(account.statuses()[0], "IN_PROGRESS");
        assert_eq!(hook(&mut account)["timeoutAction"], action);
        account.wait(600);
        assert_eq!(hook(&mut account)["status"], "TIMED_OUT");
        account.wait(120);
        assert_eq!(account.statuses()[0], ended);
    }
}

#[test]
fn a_function_ends_its_hook_by_itself_or_runs_out_of_time() {
    let minutes = |minutes: u32| json!({"timeoutInMinutes": minutes});
    for (function, timeout, running, status, ended) in [
        ("check", minutes(10), "SUCCEEDED", "SUCCEEDED", "SUCCESSFUL"),
        ("slow-check", minutes(60), "IN_PROGRESS", "SUCCEEDED", "SUCCESSFUL"),
        (
            "slow-check",
            minutes(5),
            "IN_PROGRESS",
            "TIMED_OUT",
            "ROLLBACK_SUCCESSFUL",
        ),
        ("endless", minutes(5), "IN_PROGRESS", "TIMED_OUT", "ROLLBACK_SUCCESSFUL"),
        ("fail", minutes(10), "FAILED", "FAILED", "ROLLBACK_SUCCESSFUL"),
    ] {
        let mut account = at_hook(&lambda(function, &timeout));
        let begun = hook(&mut account);
        assert_eq!(
            (&begun["targetType"], &begun["status"]),
            (&json!("AWS_LAMBDA"), &json!(running)),
            "{function}"
        );
        assert!(begun["targetArn"].as_str().unwrap().ends_with(function), "{begun}");
        if running == "IN_PROGRESS" {
            let refused = proceed(&mut account, &begun, None).unwrap_err();
            assert_eq!(refused.code, "ClientException", "only a pause waits for somebody");
        }
        account.wait(2000);
        assert_eq!(hook(&mut account)["status"], status, "{function}");
        assert_eq!(account.statuses()[0], ended, "{function}");
    }
}

#[test]
fn at_each_step_of_a_linear_deployment_it_pauses_anew() {
    let configuration = json!({
        "strategy": "LINEAR",
        "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 1},
        "lifecycleHooks": [pause("PRE_PRODUCTION_TRAFFIC_SHIFT", &Value::Null)],
    });
    let mut account = Account::with_service(1, &json!({"deploymentConfiguration": configuration}));
    account.deploy("v2");
    let mut ids = Vec::new();
    for step in 0..2 {
        account.wait(120);
        let deployment = account.service_deployment();
        assert_eq!(deployment["lifecycleStage"], "PRE_PRODUCTION_TRAFFIC_SHIFT");
        let hook = deployment["lifecycleHookDetails"][step].clone();
        assert_eq!(hook["status"], "AWAITING_ACTION", "{deployment}");
        proceed(&mut account, &hook, None).unwrap();
        ids.push(hook["hookId"].clone());
    }
    assert_ne!(ids[0], ids[1]);
    account.wait(120);
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
}

#[test]
fn before_the_new_tasks_are_started_none_starts_while_it_pauses() {
    let mut account = at_hook(&pause("PRE_SCALE_UP", &Value::Null));
    assert_eq!(account.tasks("RUNNING").len(), 2);
    let hook = hook(&mut account);
    proceed(&mut account, &hook, None).unwrap();
    account.wait(30);
    assert_eq!(account.tasks("RUNNING").len(), 4);
}

#[test]
fn only_a_pause_that_waits_can_be_continued() {
    let mut account = at_hook(&pause("POST_TEST_TRAFFIC_SHIFT", &Value::Null));
    let paused = hook(&mut account);
    let refusal = |account: &mut Account, hook: &Value| proceed(account, hook, None).unwrap_err().code;
    assert_eq!(
        refusal(&mut account, &json!({"hookId": "none"})),
        "InvalidParameterException"
    );
    let nowhere = json!({"serviceDeploymentArn": "arn:aws:ecs:eu-west-1:123456789012:service-deployment/default/web/0", "hookId": "x"});
    let refused = account.try_call("ContinueServiceDeployment", &nowhere).unwrap_err();
    assert_eq!(refused.code, "ServiceDeploymentNotFoundException");
    let unknown = proceed(&mut account, &paused, Some("WAIT")).unwrap_err();
    assert_eq!(unknown.code, "InvalidParameterException");
    proceed(&mut account, &paused, None).unwrap();
    assert_eq!(refusal(&mut account, &paused), "ClientException");
}

#[test]
fn a_paused_deployment_can_be_stopped_or_replaced_and_then_nobody_can_continue_it() {
    let mut account = at_hook(&pause("POST_TEST_TRAFFIC_SHIFT", &Value::Null));
    let paused = hook(&mut account);
    let arn = account.service_deployment()["serviceDeploymentArn"].clone();
    account.call("StopServiceDeployment", json!({"serviceDeploymentArn": arn}));
    let refused = proceed(&mut account, &paused, None).unwrap_err();
    assert_eq!(refused.code, "ClientException", "it is about to go back");
    account.wait(120);
    let stopped = account.service_deployment();
    assert_eq!(stopped["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(stopped.get("lifecycleHookDetails"), None);

    let mut account = at_hook(&pause("POST_TEST_TRAFFIC_SHIFT", &Value::Null));
    let replaced = account.service_deployment()["serviceDeploymentArn"].clone();
    account.deploy("v3");
    account.wait(120);
    assert_eq!(account.statuses()[..2], ["IN_PROGRESS", "STOPPED"]);
    assert_eq!(
        hook(&mut account)["status"],
        "AWAITING_ACTION",
        "it pauses as the one before did"
    );
    let request = json!({"serviceDeploymentArn": replaced, "hookId": "ecs-pause"});
    let refused = account.try_call("ContinueServiceDeployment", &request).unwrap_err();
    assert_eq!(refused.code, "InvalidParameterException");
}

#[test]
fn a_hook_that_aws_would_not_take_is_refused() {
    for wrong in [
        pause("TEST_TRAFFIC_SHIFT", &Value::Null),
        pause("PRODUCTION_TRAFFIC_SHIFT", &Value::Null),
        pause("BAKE_TIME", &Value::Null),
        pause("POST_SCALE_UP", &json!({"timeoutInMinutes": 20_161})),
        pause("POST_SCALE_UP", &json!({"timeoutInMinutes": 0})),
        json!({"targetType": "PAUSE", "lifecycleStages": []}),
        json!({"targetType": "SQS", "lifecycleStages": ["POST_SCALE_UP"]}),
        json!({"lifecycleStages": ["POST_SCALE_UP"]}),
    ] {
        let mut account = Account::with_service(1, &json!({}));
        let configuration = json!({"strategy": "BLUE_GREEN", "lifecycleHooks": [wrong]});
        let update = json!({"service": "web", "deploymentConfiguration": configuration});
        let refused = account.try_call("UpdateService", &update).unwrap_err();
        assert_eq!(refused.code, "InvalidParameterException", "{wrong}");
    }
}
