//! Faults around a rollout that are none of its image: tasks that drain, ports that are taken, hosts that fail.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use simulated_ecs::{Api, Scheduled, Weather};

use crate::account::{Account, image};

fn count(deployment: &Value, member: &str) -> u64 {
    deployment[member].as_u64().unwrap()
}

#[test]
fn a_task_that_its_target_group_drains_is_running_until_that_is_over_and_the_rollout_is_not_complete() {
    let group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web-drains-300/73e2d6bc24d8a067";
    let balancer = json!({"targetGroupArn": group, "containerName": "app", "containerPort": 80});
    let mut account = Account::with_service(2, &json!({"loadBalancers": [balancer]}));
    account.deploy("v2");
    account.wait(120);
    let service = account.service();
    let [new, old] = service["deployments"].as_array().unwrap().as_slice() else {
        panic!("{service:#}")
    };
    assert_eq!(new["rolloutState"], "IN_PROGRESS", "{service:#}");
    assert_eq!((count(new, "runningCount"), count(new, "desiredCount")), (2, 2));
    assert_eq!((count(old, "runningCount"), count(old, "desiredCount")), (2, 0));
    assert_eq!(count(&service, "runningCount"), 4);
    let draining = account.tasks("STOPPED");
    assert_eq!(draining.len(), 2);
    for task in draining {
        assert_eq!(task["lastStatus"], "DEACTIVATING", "{task:#}");
        assert_eq!(task["containers"][0]["exitCode"], Value::Null, "{task:#}");
    }
    account.wait(300);
    let service = account.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1, "{service:#}");
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED", "{service:#}");
    let stopped = account.tasks("STOPPED");
    assert!(
        stopped.iter().all(|task| task["lastStatus"] == "STOPPED"),
        "{stopped:#?}"
    );
    assert!(
        stopped.iter().all(|task| task["containers"][0]["exitCode"] == 143),
        "{stopped:#?}"
    );
}

/// <https://github.com/fabfuel/ecs-deploy/issues/21>: three container instances, a port of the host, three tasks.
#[test]
fn a_task_that_takes_a_port_of_its_host_is_placed_five_minutes_after_there_was_no_room() {
    let mut account = Account::new();
    let mut register = |tag: &str| {
        let ports = json!([{"containerPort": 80, "hostPort": 8080}]);
        let container = json!({"name": "app", "image": image(tag), "portMappings": ports});
        account.call(
            "RegisterTaskDefinition",
            json!({"family": "web", "containerDefinitions": [container]}),
        );
    };
    register("v1");
    register("v2");
    account.call("CreateCluster", json!({}));
    let create = json!({
        "serviceName": "web",
        "taskDefinition": "web:1",
        "desiredCount": 3,
        "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 200},
    });
    account.simulation.settled_service(account.now, &create).unwrap();
    account.call("UpdateService", json!({"service": "web", "taskDefinition": "web:2"}));
    account.wait(60);
    let service = account.service();
    let new = &service["deployments"][0];
    let counts = ["runningCount", "pendingCount", "failedTasks"].map(|member| count(new, member));
    assert_eq!(counts, [0, 0, 1], "{service:#}");
    let told = service["events"].as_array().unwrap().iter();
    let told = told.filter(|event| {
        let message = event["message"].as_str().unwrap();
        message.contains("unable to place a task") && message.contains("already using a port required by your task")
    });
    assert_eq!(told.count(), 1, "{service:#}");
    account.wait(220);
    assert_eq!(account.service()["deployments"][0]["pendingCount"], 0);
    account.wait(120);
    let service = account.service();
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED", "{service:#}");
    assert_eq!(service["runningCount"], 3);
}

#[test]
fn a_task_whose_host_fails_is_replaced_and_says_so_and_is_no_failure() {
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    let mut account = Account::with_service(2, &json!({"deploymentConfiguration": breaker}));
    let revision = account.deploy("v2");
    let schedule = (0..4).map(|number| Scheduled {
        at_milliseconds: Some(20_000 + 20_000 * number),
        after: None,
        operation: "_BreakHost".to_owned(),
        request: json!({"cluster": "default", "service": "web"}),
    });
    let weather = Weather {
        schedule: schedule.collect(),
        ..Weather::default()
    };
    account.simulation.set_weather(account.now, weather).unwrap();
    account.wait(300);
    let stopped = account.tasks("STOPPED");
    let lost: Vec<&Value> = stopped
        .iter()
        .filter(|task| task["stopCode"] == "InfrastructureHealth")
        .collect();
    assert_eq!(lost.len(), 4, "{stopped:#?}");
    assert!(
        lost.iter().all(|task| task["containers"][0]["exitCode"] == 1),
        "{lost:#?}"
    );
    assert!(lost.iter().any(|task| task["taskDefinitionArn"] == json!(revision)));
    let service = account.service();
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED", "{service:#}");
    assert_eq!(service["deployments"][0]["taskDefinition"], json!(revision));
    assert_eq!(service["deployments"][0]["failedTasks"], 0);
}

#[test]
fn a_service_in_express_mode_tells_its_revision_by_its_deployment_alone() {
    let mut account = Account::new();
    account.register(&image("v1"));
    account.call("CreateCluster", json!({}));
    let create = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
    account
        .simulation
        .settled_in_express_mode(account.now, &create)
        .unwrap();
    let service = account.service();
    assert_eq!(service["resourceManagementType"], "ECS");
    assert_eq!(service.get("taskDefinition"), None, "{service:#}");
    let revision = service["deployments"][0]["taskDefinition"].as_str().unwrap();
    assert!(revision.ends_with("/web:1"), "{revision}");
    let call = account
        .simulation
        .call(account.now, Api::Ecs, "_BreakHost", &json!({"service": "web"}));
    assert_eq!(
        call.unwrap_err().code,
        "UnknownOperationException",
        "only a schedule breaks a host"
    );
}

#[test]
fn a_container_that_its_task_takes_with_it_runs_until_it_heeds_the_signal_or_is_killed() {
    let mut account = Account::with_service(8, &json!({}));
    let containers = json!([{"name": "app", "image": image("job-v2")}, {"name": "router", "image": image("v1")}]);
    account.call(
        "RegisterTaskDefinition",
        json!({"family": "web", "containerDefinitions": containers}),
    );
    account.call("UpdateService", json!({"service": "web", "taskDefinition": "web:2"}));
    let (mut statuses, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..300 {
        account.wait(1);
        let stopped = account.tasks("STOPPED").into_iter();
        for task in stopped.filter(|task| task["stopCode"] == "EssentialContainerExited") {
            let [app, router] = [0, 1].map(|place| &task["containers"][place]);
            assert_eq!((&app["exitCode"], &app["lastStatus"]), (&json!(0), &json!("STOPPED")));
            let state = [&task["lastStatus"], &router["lastStatus"]].map(|it| it.as_str().unwrap().to_owned());
            statuses.insert((state, router["exitCode"].is_null()));
            codes.extend(router["exitCode"].as_i64());
        }
    }
    let states = [(["STOPPED", "STOPPED"], false), (["STOPPING", "RUNNING"], true)];
    let states = states.map(|(state, is_untold)| (state.map(str::to_owned), is_untold));
    assert_eq!((statuses, codes), (states.into(), [137, 143].into()));
}
