//! The verdict on a rollout, end to end: what fails and when, what does not, and the message.

use crate::redrive::{child, until_entered};
use crate::support::{DEADLINE, IMPATIENT, Scene, message, object, outcome, scenarios, short};
use local_aws::executions::Execution;
use local_aws::pause;
use serde_json::{Value, json};
use simulated_ecs::{Fault, Kind, Scheduled, Seed, Weather};
use std::time::Duration;

scenarios![
    a_crash_before_running_fails_at_the_third_task,
    a_crash_after_running_fails_at_the_third_task,
    a_task_that_is_never_healthy_fails_at_the_third,
    an_image_that_cannot_be_pulled_fails_at_the_third_task,
    a_task_out_of_memory_fails_at_the_third,
    a_task_that_cannot_be_placed_fails_long_before_the_deadline,
    a_task_that_cannot_be_launched_fails_long_before_the_deadline_and_says_why,
    a_failure_says_after_how_long_and_in_which_log_to_look,
    half_of_the_tasks_of_a_larger_service_have_to_crash,
    a_services_own_circuit_breaker_tells_how_many_tasks_may_crash,
    old_tasks_that_only_drain_are_no_reason_to_go_back,
    work_that_ends_well_and_whose_sidecar_is_stopped_is_no_crash_loop,
    after_an_early_success_every_task_has_to_run,
    a_service_in_express_mode_is_deployed_and_taken_back,
    a_sixth_deployment_waits_until_one_of_five_has_gone,
    one_task_that_crashes_once_and_is_replaced_is_no_failure,
    slow_is_not_broken,
    blue_green_linear_and_canary_are_deployed_only_after_their_bake_time,
    an_alarm_in_the_bake_time_fails_the_rollout,
    a_bad_image_fails_blue_green_before_any_traffic_moves,
    tasks_that_crash_in_the_bake_time_take_blue_green_back_to_blue,
    scaling_during_the_rollout_is_followed,
    no_desired_task_is_stable_at_once,
    a_daemon_service_is_deployed_and_taken_back,
    every_answer_about_service_deployments_leads_to_the_same_end,
    more_than_a_minute_in_which_lambda_throttles_takes_no_good_rollout_back,
    a_service_deleted_half_way_is_skipped_and_leaves_its_siblings_alone,
    a_cluster_deleted_half_way_skips_all_its_services_and_no_others,
    a_service_that_is_being_deleted_is_left_alone,
    a_person_who_deploys_another_revision_in_the_middle_is_not_overruled,
    a_person_who_takes_the_service_back_in_the_middle_makes_it_fail,
    a_person_who_stops_the_deployment_makes_it_fail,
    a_service_that_was_never_good_has_nowhere_to_go_back_to,
    the_deadline_ends_what_makes_no_progress,
    an_outage_of_ecs_during_the_rollout_is_waited_out,
    two_repositories_of_one_task_definition_pushed_together_end_with_both_images,
];

async fn a_crash_before_running_fails_at_the_third_task() {
    fails_fast("fast-exit-early", "exit-early", "app exited with code 1").await;
}

async fn a_crash_after_running_fails_at_the_third_task() {
    fails_fast("fast-crash", "crash", "app exited with code 1").await;
}

async fn a_task_that_is_never_healthy_fails_at_the_third() {
    fails_fast("fast-unhealthy", "unhealthy", "health check").await;
}

async fn an_image_that_cannot_be_pulled_fails_at_the_third_task() {
    fails_fast("fast-nopull", "nopull", "CannotPullContainerError").await;
}

async fn a_task_out_of_memory_fails_at_the_third() {
    fails_fast("fast-oom", "oom", "OutOfMemoryError").await;
}

async fn a_task_that_cannot_be_placed_fails_long_before_the_deadline() {
    fails_fast("fast-noplace", "noplace", "unable to place a task").await;
}

async fn a_task_that_cannot_be_launched_fails_long_before_the_deadline_and_says_why() {
    fails_fast("fast-nolaunch", "nolaunch", "ECS was unable to assume the role").await;
}

/// Without a circuit breaker, with one that only stops, and with one that rolls back: the same end, with the reason, in
/// no more time than the third stopped task takes.
async fn fails_fast(name: &'static str, tag: &str, reason: &str) {
    let scene = Scene::new(name);
    let kinds = [
        ("plain", json!({})),
        (
            "stops",
            json!({"deploymentCircuitBreaker": {"enable": true, "rollback": false}}),
        ),
        (
            "rolls-back",
            json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}}),
        ),
    ];
    for (kind, configuration) in &kinds {
        let service = object(json!({"deploymentConfiguration": configuration}));
        let seed = Seed {
            service,
            ..Seed::default()
        };
        scene.seed_named(kind, seed);
    }

    let end = scene.deploy(tag).await;

    for (kind, _) in kinds {
        let service = format!("{name}-{kind}");
        let child = end.child(&service);
        assert_eq!(outcome(child), "Deploy.RolledBack", "{child:#?}");
        let message = message(child);
        assert!(message.contains(reason), "{kind}: {message}");
        let state = scene.state_of(&service);
        assert_eq!(short(&state["taskDefinition"]), format!("{service}:1"), "{state:#}");
        assert_eq!(state["rolloutState"], "COMPLETED");
        assert!(!message.contains(DEADLINE), "{kind}: {message}");
        let third = third_stopped(&state, &format!("{service}:2"));
        let is_launched = !["noplace", "nolaunch"].contains(&tag);
        assert_eq!(third.is_some(), is_launched, "three tasks had to stop: {state:#}");
        if let Some(third) = third {
            // One may have begun before the task had stopped, and read it after that: so not even always one.
            let reads = scene.entered(child, "Check stability").await;
            let late = reads.iter().filter(|snapshot| **snapshot > third).count();
            assert!(late <= 1, "{kind}: {late} reads after the third stopped task");
        }
    }
    assert_eq!(scene.changes(&format!("{name}-plain")).len(), 2, "there and back");
}

/// When the third task of a revision had stopped, in milliseconds; `None` for an image of which no task starts.
fn third_stopped(state: &Value, revision: &str) -> Option<i64> {
    let stopped = state["stoppedTasks"].as_array()?;
    let of_revision = stopped.iter().filter(|task| short(&task["taskDefinition"]) == revision);
    let mut times: Vec<i64> = of_revision.filter_map(|task| task["stoppedAt"].as_i64()).collect();
    times.sort_unstable();
    times.get(2).copied()
}

async fn a_failure_says_after_how_long_and_in_which_log_to_look() {
    let scene = Scene::new("logged");
    let options =
        json!({"awslogs-group": "/ecs/logged", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"});
    scene.seed(Seed {
        container: object(json!({"logConfiguration": {"logDriver": "awslogs", "options": options}})),
        ..Seed::default()
    });

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let said = end.message();
    let (_, times) = said.split_once("; failed after ").expect(&said);
    let (_, first) = times.split_once("s, first crash ").expect(&said);
    let (_, first) = first.split_once("s after start: task ").expect(&said);
    let (task, log) = first.split_once(", ").expect(&said);
    let named = format!("log stream web/app/{task} of log group /ecs/logged");
    assert!(log.starts_with(&named), "{said}");
    let described = scene.ecs("DescribeTasks", &json!({"cluster": scene.cluster(), "tasks": [task]}));
    let described = &described["tasks"][0];
    assert_eq!(short(&described["taskDefinitionArn"]), "logged-web:2", "{said}");
    assert_eq!(
        described["containers"][0]["exitCode"], 1,
        "it is one that crashed: {described}"
    );
}

async fn half_of_the_tasks_of_a_larger_service_have_to_crash() {
    let scene = Scene::new("threshold");
    scene.seed(Seed {
        desired_count: 10,
        ..Seed::default()
    });

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "threshold-web:1");
    assert_eq!(state["readyCount"], 10);
}

async fn a_services_own_circuit_breaker_tells_how_many_tasks_may_crash() {
    let scene = Scene::new("own-threshold");
    for (name, kind, value) in [("first", "COUNT", 1), ("all", "UNBOUNDED_PERCENT", 200)] {
        let threshold = json!({"type": kind, "value": value});
        let breaker = json!({"enable": false, "rollback": false, "thresholdConfiguration": threshold});
        scene.seed_named(
            name,
            Seed {
                desired_count: 4,
                service: object(json!({"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}})),
                ..Seed::default()
            },
        );
    }

    // The first task of each deployment crashes once, every later one is good.
    let end = scene.deploy("once").await;

    assert_eq!(end.outcome_of("own-threshold-first"), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(end.outcome_of("own-threshold-all"), "DEPLOYED", "{end:#?}");
}

/// Task protection keeps an old task for hours, and ECS calls the rollout complete only when it is gone.
async fn old_tasks_that_only_drain_are_no_reason_to_go_back() {
    let scene = Scene::on(&IMPATIENT, "drain");
    scene.push("protected-v1");
    scene.seed(Seed {
        image: Some(scene.image("protected-v1")),
        desired_count: 2,
        ..Seed::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let says = "2 of 2 tasks running; 2 old tasks still draining";
    assert!(end.message().contains(says), "{}", end.message());
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "drain-web:2");
    assert_eq!(scene.changes("drain-web").len(), 1, "nothing was taken back");

    // ECS has not completed that rollout, and would go back past it.
    let bad = scene.deploy("crash").await;

    assert_eq!(bad.outcome(), "Deploy.RolledBack", "{bad:#?}");
    let says = "It is back on drain-web:2 and stable";
    assert!(bad.message().contains(says), "{}", bad.message());
    assert_eq!(short(&scene.state()["taskDefinition"]), "drain-web:2");
}

async fn work_that_ends_well_and_whose_sidecar_is_stopped_is_no_crash_loop() {
    let scene = Scene::new("work");
    scene.push("job-v1");
    scene.seed(Seed {
        image: Some(scene.image("job-v1")),
        sidecar_image: Some("public.ecr.aws/log:1".to_owned()),
        desired_count: 3,
        ..Seed::default()
    });
    until_three_have_ended(&scene, "work-web:1").await;

    let good = scene.deploy("job-v2").await;

    assert_eq!(good.outcome(), "DEPLOYED", "{good:#?}");
    until_three_have_ended(&scene, "work-web:2").await;
    let bad = scene.deploy("crash").await;
    assert_eq!(bad.outcome(), "Deploy.RolledBack", "{bad:#?}");
}

/// Waits until as many tasks of a revision have ended by themselves as make a crash loop.
async fn until_three_have_ended(scene: &Scene, revision: &str) {
    let has_ended = |scene: &Scene| {
        let state = scene.state();
        let stopped = state["stoppedTasks"].as_array().into_iter().flatten();
        let of_revision = stopped.filter(|task| short(&task["taskDefinition"]) == revision);
        of_revision
            .filter(|task| task["stopCode"] == "EssentialContainerExited")
            .count()
            >= 3
    };
    scene.until("three tasks have ended", has_ended).await;
}

async fn after_an_early_success_every_task_has_to_run() {
    let scene = Scene::new("early");
    scene.push("protected-v1");
    let criteria = json!({"enable": true, "healthyPercent": 25, "sourceServiceRevisionCleanup": "DEFERRED"});
    scene.seed(Seed {
        image: Some(scene.image("protected-v1")),
        desired_count: 4,
        service: object(json!({
            "deploymentConfiguration": {"earlySuccessCriteria": criteria, "maximumPercent": 125, "minimumHealthyPercent": 25}
        })),
        ..Seed::default()
    });

    let push = scene.push("v2");
    let execution = scene.start(&push).await;
    let is_early = |scene: &Scene| scene.statuses() == ["SUCCESSFUL", "SUCCESSFUL"] && scene.state()["readyCount"] == 5;
    scene.until("ECS calls it successful", is_early).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert!(end.message().contains("4 of 4 tasks running"), "{}", end.message());
}

async fn a_service_in_express_mode_is_deployed_and_taken_back() {
    let scene = Scene::new("express");
    scene.seed(Seed {
        express: true,
        ..Seed::default()
    });

    let good = scene.deploy("v2").await;

    assert_eq!(good.outcome(), "DEPLOYED", "{good:#?}");
    let bad = scene.deploy("crash").await;
    assert_eq!(bad.outcome(), "Deploy.RolledBack", "{bad:#?}");
    assert_eq!(scene.changes("express-web").len(), 3, "there, and there and back");
}

/// ECS refuses a deployment of a service that has five with tasks.
async fn a_sixth_deployment_waits_until_one_of_five_has_gone() {
    let scene = Scene::new("sixth");
    scene.push("protected-v1");
    scene.seed(Seed {
        image: Some(scene.image("protected-v1")),
        service: object(json!({"deploymentConfiguration": {"maximumPercent": 1000}})),
        ..Seed::default()
    });
    for number in 2..=5 {
        let tag = format!("protected-v{number}");
        scene.push(&tag);
        let revision = scene.register("sixth-web", &tag);
        let request = json!({"cluster": scene.cluster(), "service": scene.service(), "taskDefinition": revision});
        scene.ecs("UpdateService", &request);
        scene
            .until("its task runs", |scene| scene.state()["readyCount"] == number)
            .await;
    }

    let end = scene.deploy("v6").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let refused = scene.calls("UpdateService").into_iter();
    let refused = refused.filter(|call| call["outcome"] == "ClientException").count();
    assert!(refused > 0, "five deployments were there");
}

async fn one_task_that_crashes_once_and_is_replaced_is_no_failure() {
    let scene = Scene::new("once");
    scene.seed(Seed {
        desired_count: 3,
        ..Seed::default()
    });
    let push = scene.push("once");

    let execution = scene.start(&push).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let state = scene.state();
    assert_eq!(state["imageDigests"], json!([push.digest]));
    let crashed = |task: &&Value| task["stopCode"] == "EssentialContainerExited";
    let stopped = state["stoppedTasks"].as_array().unwrap();
    assert_eq!(stopped.iter().filter(crashed).count(), 1, "{state:#}");
    assert_eq!(scene.changes(&scene.service()).len(), 1);
}

async fn slow_is_not_broken() {
    let scene = Scene::new("slow");
    scene.seed(Seed {
        desired_count: 2,
        ..Seed::default()
    });

    let end = scene.deploy("slow").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.changes(&scene.service()).len(), 1);
    assert_eq!(scene.statuses(), ["SUCCESSFUL", "SUCCESSFUL"]);
}

/// The strategies that shift traffic, and rolling with alarms: all their tasks run long before the bake time is over.
async fn blue_green_linear_and_canary_are_deployed_only_after_their_bake_time() {
    let scene = Scene::new("bake");
    let alarms = json!({"enable": true, "rollback": true, "alarmNames": ["bake-errors"]});
    let kinds = [
        ("blue-green", json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5})),
        (
            "linear",
            json!({
                "strategy": "LINEAR",
                "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": 2},
                "bakeTimeInMinutes": 3,
            }),
        ),
        (
            "canary",
            json!({
                "strategy": "CANARY",
                "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 2},
                "bakeTimeInMinutes": 3,
            }),
        ),
        ("rolling", json!({"alarms": alarms, "bakeTimeInMinutes": 5})),
    ];
    for (kind, configuration) in &kinds {
        let seed = Seed {
            service: object(json!({"deploymentConfiguration": configuration})),
            desired_count: 2,
            ..Seed::default()
        };
        scene.seed_named(kind, seed);
    }
    let push = scene.push("v2");

    let execution = scene.start(&push).await;
    let end = scene.end(&execution).await;

    for (kind, _) in kinds {
        let service = format!("bake-{kind}");
        let child = end.child(&service);
        assert_eq!(outcome(child), "DEPLOYED", "{child:#?}");
        let state = scene.state_of(&service);
        assert_eq!(state["imageDigests"], json!([push.digest]), "{kind}");
        let record = &state["history"][1];
        assert_eq!(record["status"], "SUCCESSFUL");
        let finished = record["finishedAt"].as_f64().unwrap() / 1000.0;
        assert!(
            ended(child) >= finished,
            "{kind} was called deployed while it was baking"
        );
        // Five minutes, twenty times as fast.
        let began = record["createdAt"].as_f64().unwrap() / 1000.0;
        assert!(finished - began >= 15.0, "{kind} baked for {} s", finished - began);
    }
}

fn ended(execution: &Execution) -> f64 {
    execution.ended.map_or(0.0, |ended| ended.as_secs_f64())
}

/// ECS goes back by itself then, or only stops.
async fn an_alarm_in_the_bake_time_fails_the_rollout() {
    let scene = Scene::new("alarm");
    let alarms = |rollback: bool| json!({"enable": true, "rollback": rollback, "alarmNames": ["alarm-errors"]});
    let kinds = [
        ("rolling", json!({"alarms": alarms(true), "bakeTimeInMinutes": 20})),
        (
            "rolling-stops",
            json!({"alarms": alarms(false), "bakeTimeInMinutes": 20}),
        ),
        (
            "blue-green",
            json!({"strategy": "BLUE_GREEN", "alarms": alarms(true), "bakeTimeInMinutes": 20}),
        ),
    ];
    for (kind, configuration) in &kinds {
        let seed = Seed {
            service: object(json!({"deploymentConfiguration": configuration})),
            ..Seed::default()
        };
        scene.seed_named(kind, seed);
    }
    let push = scene.push("v2");

    let execution = scene.start(&push).await;
    scene
        .until("all bake", |it| {
            let rolled = |kind: &str| it.state_of(&format!("alarm-{kind}"))["imageDigests"] == json!([push.digest]);
            rolled("rolling") && rolled("rolling-stops") && it.stage("alarm-blue-green") == "BAKE_TIME"
        })
        .await;
    // It stays in ALARM for longer than the rollback takes, as alarms do.
    scene.alarm("alarm-errors");
    let end = scene.end(&execution).await;

    for (kind, _) in kinds {
        let service = format!("alarm-{kind}");
        let child = end.child(&service);
        assert_eq!(outcome(child), "Deploy.RolledBack", "{child:#?}");
        let message = message(child);
        assert!(message.contains("alarm-errors"), "{kind}: which alarm: {message}");
        let state = scene.state_of(&service);
        assert_eq!(short(&state["taskDefinition"]), format!("{service}:1"), "{state:#}");
        assert_eq!(state["rolloutState"], "COMPLETED", "{kind}");
    }
    assert_eq!(scene.changes("alarm-rolling").len(), 1, "ECS went back by itself");
    assert_eq!(scene.changes("alarm-blue-green").len(), 1, "ECS went back by itself");
}

async fn a_bad_image_fails_blue_green_before_any_traffic_moves() {
    let scene = Scene::new("green");
    scene.seed_service(json!({
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5},
    }));

    let end = scene.deploy("nopull").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let message = end.message();
    assert!(message.contains("CannotPullContainerError"), "{message}");
    assert!(!message.contains(DEADLINE), "{message}");
    assert_eq!(short(&scene.state()["taskDefinition"]), "green-web:1");
}

/// They run for minutes, the rollout has long shifted all traffic to them, and ECS has no alarm to tell it.
async fn tasks_that_crash_in_the_bake_time_take_blue_green_back_to_blue() {
    let scene = Scene::new("blue");
    scene.seed(Seed {
        desired_count: 4,
        service: object(json!({
            "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 30},
        })),
        ..Seed::default()
    });
    let blue = scene.state()["imageDigests"].clone();

    let end = scene.deploy("crash-later").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let message = end.message();
    assert!(message.contains("app exited with code 1"), "{message}");
    let state = scene.state();
    assert_eq!(state["imageDigests"], blue);
    assert_eq!(state["readyCount"], 4);
    assert_eq!(scene.statuses(), ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL"]);
}

async fn scaling_during_the_rollout_is_followed() {
    let scene = Scene::new("scaling");
    for (name, desired_count) in [("to-zero", 2), ("out", 1)] {
        let seed = Seed {
            desired_count,
            ..Seed::default()
        };
        scene.seed_named(name, seed);
    }
    let push = scene.push("slow");

    let execution = scene.start(&push).await;
    for (name, desired_count) in [("scaling-to-zero", 0), ("scaling-out", 5)] {
        scene.until("the update", |it| !it.changes(name).is_empty()).await;
        let request = json!({"cluster": scene.cluster(), "service": name, "desiredCount": desired_count});
        scene.ecs("UpdateService", &request);
    }
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome_of("scaling-to-zero"), "DEPLOYED", "{end:#?}");
    assert_eq!(end.outcome_of("scaling-out"), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.state_of("scaling-to-zero")["liveCount"], 0);
    let out = scene.state_of("scaling-out");
    assert_eq!(out["readyCount"], 5);
    assert_eq!(out["imageDigests"], json!([push.digest]));
}

async fn no_desired_task_is_stable_at_once() {
    let scene = Scene::new("zero");
    scene.seed(Seed {
        desired_count: 0,
        ..Seed::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "zero-web:2");
    assert_eq!(state["askedCount"], 0);
}

async fn a_daemon_service_is_deployed_and_taken_back() {
    let scene = Scene::new("daemon");
    scene.seed_service(json!({"schedulingStrategy": "DAEMON"}));
    let good = scene.push("v2");

    let execution = scene.start(&good).await;
    let end = scene.end(&execution).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.state()["readyCount"], 3, "one on each instance");

    let end = scene.deploy("crash").await;
    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let state = scene.state();
    assert_eq!(state["imageDigests"], json!([good.digest]));
    assert_eq!(state["readyCount"], 3);
}

/// There, not there, forbidden, and behind.
async fn every_answer_about_service_deployments_leads_to_the_same_end() {
    let scene = Scene::new("records");
    let names = ["answered", "empty", "denied", "behind"];
    for name in names {
        scene.seed_named(name, Seed::default());
    }
    let reads = [
        "ListServiceDeployments",
        "DescribeServiceDeployments",
        "DescribeServiceRevisions",
    ];
    let fault = |name: &str, operation: &str, kind: Kind| Fault {
        operation: Some(operation.to_owned()),
        subject: Some(format!("records-{name}")),
        milliseconds: 3_000,
        ..scene.fault(kind)
    };
    let mut faults = reads.map(|operation| fault("empty", operation, Kind::Empty)).to_vec();
    faults.extend(reads.map(|operation| fault("denied", operation, Kind::Deny)));
    faults.push(fault("denied", "StopServiceDeployment", Kind::Deny));
    faults.push(fault("behind", "UpdateService", Kind::Stale));
    faults.push(fault("behind", "StopServiceDeployment", Kind::Stale));
    scene.weather(Weather {
        faults,
        ..Weather::default()
    });
    let good = scene.push("v2");

    let execution = scene.start(&good).await;
    let end = scene.end(&execution).await;
    for name in names {
        assert_eq!(end.outcome_of(&format!("records-{name}")), "DEPLOYED", "{end:#?}");
    }

    let end = scene.deploy("crash").await;
    for name in names {
        let service = format!("records-{name}");
        assert_eq!(end.outcome_of(&service), "Deploy.RolledBack", "{end:#?}");
        let message = end.message_of(&service);
        assert!(message.contains("app exited with code 1"), "{message}");
        let state = scene.state_of(&service);
        assert_eq!(state["imageDigests"], json!([good.digest]), "{state:#}");
        assert_eq!(state["rolloutState"], "COMPLETED", "{state:#}");
    }
}

/// That nobody could read it is no verdict. Six attempts, one, two, four … seconds apart, are over after 63 seconds.
async fn more_than_a_minute_in_which_lambda_throttles_takes_no_good_rollout_back() {
    let scene = Scene::new("throttled");
    scene.seed_service(json!({}));
    let push = scene.push("v2");
    let image = scene.image("v2");
    scene.hold_tasks(&image);
    let parent = scene.start(&push).await;
    let first = child(&scene, &parent).await;
    until_entered(&scene, &first.arn, "Wait for rollout").await;
    let throttled = scene.throttle_functions();
    scene.release_tasks(&image);
    until_entered(&scene, &first.arn, "Check stability").await;
    pause(Duration::from_secs(66)).await;
    drop(throttled);

    let end = scene.end(&parent).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let history = scene.on.aws.history(&first.arn).await.unwrap();
    let refused = history.iter().filter(|event| {
        let failed = event.task_failed_event_details();
        failed.is_some_and(|failed| failed.error() == Some("Lambda.TooManyRequestsException"))
    });
    assert!(refused.count() >= 3, "it was throttled: {history:#?}");
    assert_eq!(scene.changes(&scene.service()).len(), 1, "the update, and nothing back");
}

async fn a_service_deleted_half_way_is_skipped_and_leaves_its_siblings_alone() {
    let scene = Scene::new("deleted");
    scene.seed(Seed {
        services: 3,
        families: Some(1),
        ..Seed::default()
    });
    let mut after = scene.after("UpdateService", 200);
    after.subject = Some("deleted-web-2".to_owned());
    scene.weather(Weather {
        schedule: vec![Scheduled {
            at_milliseconds: None,
            after: Some(after),
            operation: "_RemoveService".to_owned(),
            request: Value::Null,
        }],
        ..Weather::default()
    });
    let push = scene.push("v2");

    let execution = scene.start(&push).await;
    let end = scene.end(&execution).await;

    for sibling in ["deleted-web-1", "deleted-web-3"] {
        assert_eq!(end.outcome_of(sibling), "DEPLOYED", "{end:#?}");
        assert_eq!(scene.state_of(sibling)["imageDigests"], json!([push.digest]));
    }
    assert_eq!(end.outcome_of("deleted-web-2"), "SERVICE_DELETED", "{end:#?}");
    let summary = end.parent.output.as_ref().unwrap();
    // The cluster of another scenario may go while this one is planned.
    let is_of_another =
        |it: &&Value| it["reason"] == "CLUSTER_NOT_FOUND" && it["resource"] != "cluster deleted-cluster";
    let skipped = summary["skipped"].as_array().unwrap();
    let skipped: Vec<_> = skipped.iter().filter(|it| !is_of_another(it)).collect();
    assert_eq!(skipped.len(), 1, "{summary:#}");
    assert_eq!(skipped[0]["resource"], "deleted-web-2 in deleted-cluster");
    assert_eq!(skipped[0]["reason"], "SERVICE_DELETED");
    assert_eq!(summary["services"].as_array().unwrap().len(), 2, "{summary:#}");
}

async fn a_cluster_deleted_half_way_skips_all_its_services_and_no_others() {
    let scene = Scene::new("torn-down");
    let elsewhere = Scene::beside("torn-elsewhere", &scene);
    scene.seed(Seed {
        services: 2,
        families: Some(1),
        ..Seed::default()
    });
    elsewhere.seed(Seed {
        image: Some(scene.image("v1")),
        ..Seed::default()
    });
    scene.weather(Weather {
        schedule: vec![Scheduled {
            at_milliseconds: None,
            after: Some(scene.after("UpdateService", 500)),
            operation: "_RemoveCluster".to_owned(),
            request: json!({"cluster": scene.cluster()}),
        }],
        ..Weather::default()
    });

    let end = scene.deploy("slow").await;

    assert_eq!(end.outcome_of("torn-elsewhere-web"), "DEPLOYED", "{end:#?}");
    for service in ["torn-down-web-1", "torn-down-web-2"] {
        assert_eq!(end.outcome_of(service), "SERVICE_DELETED", "{end:#?}");
        let message = end.message_of(service);
        assert!(
            message.contains(&format!("{service} in torn-down-cluster")),
            "{message}"
        );
    }
}

async fn a_service_that_is_being_deleted_is_left_alone() {
    let scene = Scene::new("draining");
    scene.seed_named("stays", Seed::default());
    scene.seed_named("goes", Seed::default());
    scene.ecs(
        "DeleteService",
        &json!({"cluster": scene.cluster(), "service": "draining-goes", "force": true}),
    );

    let end = scene.deploy("v2").await;

    assert_eq!(end.parent.error, None, "{end:#?}");
    assert_eq!(end.outcome(), "DEPLOYED", "only one was deployed to: {end:#?}");
    assert_eq!(scene.changes("draining-goes"), Vec::<Value>::new());
}

async fn a_person_who_deploys_another_revision_in_the_middle_is_not_overruled() {
    let scene = Scene::new("person");
    scene.seed(Seed::default());
    let theirs = scene.register(&scene.family(), "v1");
    scene.weather(Weather {
        schedule: vec![Scheduled {
            at_milliseconds: None,
            after: Some(scene.after("UpdateService", 500)),
            operation: "UpdateService".to_owned(),
            request: json!({"taskDefinition": theirs}),
        }],
        ..Weather::default()
    });

    let end = scene.deploy("slow").await;

    assert_eq!(end.outcome(), "SUPERSEDED", "{end:#?}");
    let message = end.message();
    assert!(message.contains("person-web:2"), "what replaced it: {message}");
    let state = scene.state();
    assert_eq!(state["taskDefinition"], theirs.as_str());
    assert_eq!(scene.changes(&scene.service()).len(), 1);
}

/// It may be right that the person did, but the service does not run the image: that is not a success.
async fn a_person_who_takes_the_service_back_in_the_middle_makes_it_fail() {
    let scene = Scene::new("taken-back");
    scene.seed(Seed::default());
    scene.weather(Weather {
        schedule: vec![Scheduled {
            at_milliseconds: None,
            after: Some(scene.after("UpdateService", 500)),
            operation: "UpdateService".to_owned(),
            request: json!({"taskDefinition": scene.family() + ":1"}),
        }],
        ..Weather::default()
    });

    let end = scene.deploy("slow").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(short(&scene.state()["taskDefinition"]), "taken-back-web:1");
    assert_eq!(
        scene.changes(&scene.service()).len(),
        1,
        "the person's deployment is not touched"
    );
}

async fn a_person_who_stops_the_deployment_makes_it_fail() {
    let scene = Scene::new("aborted");
    scene.seed(Seed::default());
    scene.hold_tasks(&scene.image("v2"));

    let execution = scene.start(&scene.push("v2")).await;
    scene
        .until("the rollout", |it| it.state()["history"][1]["status"] == "IN_PROGRESS")
        .await;
    let deployment = scene.state()["history"][1]["serviceDeploymentArn"].clone();
    scene.ecs(
        "StopServiceDeployment",
        &json!({"serviceDeploymentArn": deployment, "stopType": "ABORT"}),
    );
    // A rollout that has been started goes on.
    scene.release_tasks(&scene.image("v2"));
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let message = end.message();
    assert!(message.contains("stopped"), "{message}");
    assert!(!message.contains(DEADLINE), "{message}");
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "aborted-web:1");
    assert_eq!(state["rolloutState"], "COMPLETED");
}

async fn a_service_that_was_never_good_has_nowhere_to_go_back_to() {
    let scene = Scene::new("never-good");
    let bad = scene.register(&scene.family(), "exit-early");
    scene.ecs("CreateCluster", &json!({"clusterName": scene.cluster()}));
    scene.ecs(
        "CreateService",
        &json!({
            "cluster": scene.cluster(),
            "serviceName": scene.service(),
            "taskDefinition": bad,
            "desiredCount": 1,
        }),
    );

    let end = scene.deploy("exit-early-too").await;

    assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
    let message = end.message();
    assert!(message.contains("nothing to go back to"), "{message}");
    assert!(message.contains("app exited with code 1"), "{message}");

    // And a good image brings it up.
    let end = scene.deploy("v2").await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
}

async fn the_deadline_ends_what_makes_no_progress() {
    let scene = Scene::on(&IMPATIENT, "deadline");
    scene.seed(Seed::default());
    scene.hold_tasks(&scene.image("v2"));

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let message = end.message();
    assert!(message.contains(DEADLINE), "{message}");
    assert_eq!(short(&scene.state()["taskDefinition"]), "deadline-web:1");
}

async fn an_outage_of_ecs_during_the_rollout_is_waited_out() {
    let scene = Scene::new("outage");
    scene.seed(Seed::default());
    let push = scene.push("v2");
    scene.hold_tasks(&scene.image("v2"));

    let execution = scene.start(&push).await;
    scene
        .until("the update", |it| !it.changes(&it.service()).is_empty())
        .await;
    // More than one read, with all that an SDK tries again.
    scene.weather(Weather {
        faults: vec![Fault {
            times: Some(10),
            ..scene.fault(Kind::ServerError)
        }],
        ..Weather::default()
    });
    let refused = |it: &Scene| {
        let calls = it.calls("");
        let refused = calls.iter().filter(|call| call["outcome"] == "ServerException");
        refused.count()
    };
    scene.until("the end of the outage", |it| refused(it) == 10).await;
    scene.release_tasks(&scene.image("v2"));
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([push.digest]));
}

/// As a build of a repository with several images does.
async fn two_repositories_of_one_task_definition_pushed_together_end_with_both_images() {
    let (app, agent) = (Scene::new("pair"), Scene::new("pair-agent"));
    app.seed(Seed {
        sidecar_image: Some(agent.image("v1")),
        desired_count: 2,
        ..Seed::default()
    });
    let pushes = [app.push("v2"), agent.push("v2")];

    let (first, second) = (app.start(&pushes[0]).await, app.start(&pushes[1]).await);
    let (first, second) = (app.end(&first).await, app.end(&second).await);

    assert_eq!(first.parent.error, None, "{first:#?}");
    assert_eq!(second.parent.error, None, "{second:#?}");
    let state = app.state();
    let mut digests = pushes.map(|push| push.digest);
    digests.sort_unstable();
    assert_eq!(state["imageDigests"], json!(digests), "{state:#}");
    assert_eq!(state["rolloutState"], "COMPLETED");
}
