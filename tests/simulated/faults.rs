//! Faults around a rollout that are none of its image, and no reason to go back.

use crate::support::{DEADLINE, IMPATIENT, Scene, object, scenarios, short};
use serde_json::json;
use simulated_ecs::{Scheduled, Seed, Weather};

scenarios![
    connections_that_drain_for_longer_than_a_rollout_may_take_are_no_reason_to_go_back,
    room_that_is_being_made_is_waited_for,
    tasks_that_a_host_takes_with_it_are_no_crash_loop,
];

/// The target group's deregistration delay is an hour at most; here it is 15 seconds, and a rollout may take ten.
async fn connections_that_drain_for_longer_than_a_rollout_may_take_are_no_reason_to_go_back() {
    let scene = Scene::on(&IMPATIENT, "connections");
    let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web-drains-300/73e2d6bc24d8a067";
    let balancer = json!({"targetGroupArn": group, "containerName": "app", "containerPort": 80});
    scene.seed(Seed {
        desired_count: 2,
        service: object(json!({"loadBalancers": [balancer]})),
        ..Seed::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let says = "2 of 2 tasks running; 2 old tasks still draining";
    assert!(end.message().contains(says), "{}", end.message());
    assert_eq!(short(&scene.state()["taskDefinition"]), "connections-web:2");
    assert_eq!(scene.changes("connections-web").len(), 1, "nothing was taken back");
}

/// Each task takes a port of its host, and there are as many hosts as tasks: ECS tries again five minutes after it found no room.
async fn room_that_is_being_made_is_waited_for() {
    let scene = Scene::new("room");
    let ports = json!([{"containerPort": 80, "hostPort": 8080}]);
    scene.seed(Seed {
        desired_count: 3,
        container: object(json!({"portMappings": ports})),
        service: object(json!({"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 200}})),
        ..Seed::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert!(!end.message().contains(DEADLINE), "{}", end.message());
    assert_eq!(scene.state()["readyCount"], 3);
    assert_eq!(scene.changes("room-web").len(), 1, "nothing was taken back");
}

async fn tasks_that_a_host_takes_with_it_are_no_crash_loop() {
    let scene = Scene::new("host");
    scene.seed(Seed {
        desired_count: 2,
        ..Seed::default()
    });
    let failures = (1..=4).map(|number| Scheduled {
        at_milliseconds: None,
        after: Some(scene.after("UpdateService", 1_200 * number)),
        operation: "_BreakHost".to_owned(),
        request: json!({}),
    });
    scene.weather(Weather {
        schedule: failures.collect(),
        ..Weather::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let state = scene.state();
    let stopped = state["stoppedTasks"].as_array().into_iter().flatten();
    let lost = stopped
        .filter(|task| task["stopCode"] == "InfrastructureHealth")
        .count();
    assert!(lost >= 3, "as many as make a crash loop: {state:#}");
    assert_eq!(scene.changes("host-web").len(), 1, "nothing was taken back");
}
