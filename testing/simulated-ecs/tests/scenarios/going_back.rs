//! Going back: which revision, which contents, and who may ask for it.

use serde_json::{Value, json};
use simulated_ecs::Seed;

use crate::account::{Account, image};

fn with_rollback() -> Value {
    json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}})
}

fn stop(account: &mut Account, stop_type: &str) -> Result<Value, simulated_ecs::ApiError> {
    let arn = account.service_deployment()["serviceDeploymentArn"].clone();
    account.try_call(
        "StopServiceDeployment",
        &json!({"serviceDeploymentArn": arn, "stopType": stop_type}),
    )
}

#[test]
fn a_newer_deployment_replaces_the_one_under_way() {
    let mut account = Account::with_service(2, &json!({}));
    account.deploy("crash");
    account.wait(60);
    let third = account.deploy("v3");
    let listed = account.call("ListServiceDeployments", json!({"service": "web"}));
    let replaced = &listed["serviceDeployments"][1];
    assert_eq!(replaced["status"], json!("STOPPED"));
    assert_eq!(replaced["statusReason"], json!("Replaced by a new service deployment."));
    account.wait(300);
    assert_eq!(account.statuses(), ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]);
    assert!(
        account
            .tasks("RUNNING")
            .iter()
            .all(|task| task["taskDefinitionArn"] == json!(third))
    );
}

#[test]
fn a_replaced_deployment_is_shown_for_as_long_as_it_has_tasks() {
    let mut account = Account::with_service(1, &json!({}));
    for _ in 0..5 {
        account.deploy("v2");
    }
    assert_eq!(
        account.service()["deployments"].as_array().unwrap().len(),
        2,
        "the newest, and the one that runs"
    );
    account.wait(60);
    account.deploy("crash");
    account.wait(60);
    account.deploy("v3");
    assert_eq!(account.service()["deployments"].as_array().unwrap().len(), 3);
}

#[test]
fn ecs_goes_back_to_the_last_revision_that_completed_not_to_the_one_before() {
    let mut account = Account::with_service(1, &with_rollback());
    account.deploy("crash");
    account.wait(60);
    account.deploy("exit-early");
    account.wait(600);
    assert_eq!(account.statuses(), ["ROLLBACK_SUCCESSFUL", "STOPPED", "SUCCESSFUL"]);
    assert!(
        account.service()["taskDefinition"]
            .as_str()
            .unwrap()
            .ends_with("/web:1")
    );
}

#[test]
fn a_deployment_begun_during_a_rollback_has_nothing_to_go_back_to() {
    let mut account = Account::with_service(1, &with_rollback());
    account.deploy("exit-early");
    while account.statuses()[0] != "ROLLBACK_IN_PROGRESS" {
        account.wait(1);
    }
    account.deploy("nopull");
    account.wait(600);
    assert_eq!(account.statuses(), ["STOPPED", "ROLLBACK_FAILED", "SUCCESSFUL"]);
    assert_eq!(account.service()["deployments"][0]["rolloutState"], json!("FAILED"));
}

#[test]
fn stopping_a_deployment_goes_back_to_the_old_bits_also_after_the_tag_moved() {
    let mut account = Account::new();
    account.call("CreateRepository", json!({"repositoryName": "web"}));
    let old = account.simulation.push(account.now, "web", Some("v1"), None);
    account.seed(1, &json!({}));
    let new = account.simulation.push(account.now, "web", Some("v1"), None);
    assert_ne!(old, new);
    account.call("UpdateService", json!({"service": "web", "forceNewDeployment": true}));
    account.wait(10);
    let target = account.service_deployment()["targetServiceRevision"]["arn"].clone();
    assert_eq!(account.digest_of_revision(&target), new);
    stop(&mut account, "ROLLBACK").unwrap();
    assert_eq!(account.statuses()[0], "ROLLBACK_REQUESTED");
    account.wait(120);
    let deployment = account.service_deployment();
    assert_eq!(deployment["status"], json!("ROLLBACK_SUCCESSFUL"));
    assert_eq!(
        account.digest_of_revision(&deployment["rollback"]["serviceRevisionArn"]),
        old
    );
    assert!(
        account
            .tasks("RUNNING")
            .iter()
            .all(|task| task["containers"][0]["imageDigest"] == json!(old))
    );
}

#[test]
fn updating_to_an_old_revision_runs_the_bits_its_tag_has_now() {
    let mut account = Account::new();
    account.call("CreateRepository", json!({"repositoryName": "web"}));
    account.simulation.push(account.now, "web", Some("v1"), None);
    account.seed(1, &json!({}));
    account.simulation.push(account.now, "web", Some("v2"), None);
    account.deploy("v2");
    account.wait(120);
    let new = account.simulation.push(account.now, "web", Some("v1"), None);
    account.call("UpdateService", json!({"service": "web", "taskDefinition": "web:1"}));
    account.wait(120);
    assert!(
        account
            .tasks("RUNNING")
            .iter()
            .all(|task| task["containers"][0]["imageDigest"] == json!(new))
    );
}

#[test]
fn a_tag_that_moves_during_a_deployment_changes_nothing_in_it() {
    let mut account = Account::new();
    account.call("CreateRepository", json!({"repositoryName": "web"}));
    let before = account.simulation.push(account.now, "web", Some("v1"), None);
    account.seed(4, &json!({"deploymentConfiguration": {"maximumPercent": 125}}));
    account.call("UpdateService", json!({"service": "web", "forceNewDeployment": true}));
    account.wait(10);
    account.simulation.push(account.now, "web", Some("v1"), None);
    account.wait(300);
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
    assert!(
        account
            .tasks("RUNNING")
            .iter()
            .all(|task| task["containers"][0]["imageDigest"] == json!(before))
    );
}

#[test]
fn without_version_consistency_each_task_runs_what_its_tag_stands_for_when_it_starts() {
    let mut account = Account::new();
    account.call("CreateRepository", json!({"repositoryName": "web"}));
    account.simulation.push(account.now, "web", Some("v1"), None);
    let container = json!({"versionConsistency": "disabled"});
    let seed = Seed {
        image: Some(image("v1")),
        container: container.as_object().unwrap().clone(),
        ..Seed::default()
    };
    account.simulation.seed(account.now, &seed).unwrap();
    let revision = account.service_deployment()["targetServiceRevision"]["arn"].clone();
    let described = account.call("DescribeServiceRevisions", json!({"serviceRevisionArns": [revision]}));
    assert_eq!(
        described["serviceRevisions"][0]["containerImages"],
        json!([{"containerName": "app", "image": image("v1")}])
    );
    let moved_to = account.simulation.push(account.now, "web", Some("v1"), None);
    let running = account.tasks("RUNNING")[0]["taskArn"].clone();
    account.call("StopTask", json!({"task": running}));
    account.wait(60);
    assert_eq!(
        account.tasks("RUNNING")[0]["containers"][0]["imageDigest"],
        json!(moved_to)
    );
}

#[test]
fn only_a_deployment_that_is_under_way_can_be_stopped() {
    let mut account = Account::with_service(1, &json!({}));
    assert_eq!(stop(&mut account, "ROLLBACK").unwrap_err().code, "ConflictException");
    account.deploy("crash");
    account.wait(30);
    stop(&mut account, "ABORT").unwrap();
    assert_eq!(stop(&mut account, "ROLLBACK").unwrap_err().code, "ConflictException");
    account.wait(30);
    assert_eq!(account.statuses()[0], "STOPPED");
    let unknown = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/default/web/nothing";
    let error = account
        .try_call("StopServiceDeployment", &json!({"serviceDeploymentArn": unknown}))
        .unwrap_err();
    assert_eq!(error.code, "ServiceDeploymentNotFoundException");
}

#[test]
fn a_rollback_whose_image_is_gone_fails() {
    let mut account = Account::new();
    account.call("CreateRepository", json!({"repositoryName": "web"}));
    let old = account.simulation.push(account.now, "web", Some("v1"), None);
    account.simulation.push(account.now, "web", Some("exit-early"), None);
    account.seed(1, &with_rollback());
    account.deploy("exit-early");
    account.call(
        "BatchDeleteImage",
        json!({"repositoryName": "web", "imageIds": [{"imageDigest": old}]}),
    );
    let running = account.tasks("RUNNING")[0]["taskArn"].clone();
    account.call("StopTask", json!({"task": running}));
    account.wait(1200);
    assert_eq!(account.statuses()[0], "ROLLBACK_FAILED");
}

#[test]
fn a_blue_green_deployment_goes_back_to_tasks_that_still_run() {
    let configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60});
    let mut account = Account::with_service(2, &json!({"deploymentConfiguration": configuration}));
    let old = account.tasks("RUNNING");
    account.deploy("v2");
    account.wait(600);
    stop(&mut account, "ROLLBACK").unwrap();
    account.wait(120);
    assert_eq!(account.statuses()[0], "ROLLBACK_SUCCESSFUL");
    let arns = |tasks: Vec<Value>| tasks.iter().map(|task| task["taskArn"].clone()).collect::<Vec<_>>();
    assert_eq!(arns(account.tasks("RUNNING")), arns(old));
}

#[test]
fn an_inactive_revision_keeps_running_but_no_service_moves_to_it() {
    let mut account = Account::with_service(1, &json!({}));
    let second = account.register(&image("v2"));
    account.call("DeregisterTaskDefinition", json!({"taskDefinition": second}));
    let error = account
        .try_call("UpdateService", &json!({"service": "web", "taskDefinition": second}))
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("ClientException", "TaskDefinition is inactive")
    );
    account.call("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"}));
    account.wait(60);
    assert_eq!(account.service()["runningCount"], json!(1));
}
