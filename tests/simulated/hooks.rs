//! A rollout that waits at lifecycle hooks, for a person or for a Lambda function: longer than it may take itself.

use crate::redrive::{child, execution, redrive, stop, until_entered};
use crate::support::{DEADLINE, IMPATIENT, LIMIT, Scene, message, object, outcome, scenarios, short};
use local_aws::executions::Execution;
use local_aws::pause;
use serde_json::{Value, json};
use simulated_ecs::{Fault, Kind, Seed, Weather};
use std::time::{Duration, Instant};

scenarios![
    a_rollout_that_waits_for_somebody_outlasts_its_deadline_and_says_how_to_go_on,
    hooks_that_end_by_themselves_or_are_taken_back_end_the_rollout_and_are_told,
    tasks_that_crash_while_a_hook_waits_take_the_service_back,
    where_ecs_stops_nothing_that_is_paused_the_rollback_waits_at_the_hook_too,
    an_execution_that_is_redriven_long_after_the_deadline_goes_on_to_wait_at_the_hook,
    a_newer_push_takes_the_place_of_a_rollout_that_waits_at_a_hook,
    where_ecs_does_not_tell_of_the_hooks_the_deadline_takes_the_service_back,
];

/// As long as no scenario lasts.
const A_DAY: u32 = 1440;

/// Blue/green without a bake time, with this hook.
fn blue_green(hook: &Value) -> serde_json::Map<String, Value> {
    let configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [hook]});
    object(json!({"deploymentConfiguration": configuration}))
}

pub(crate) fn pause_at(stage: &str, minutes: u32, action: &str) -> Value {
    let timeout = json!({"timeoutInMinutes": minutes, "action": action});
    json!({"targetType": "PAUSE", "lifecycleStages": [stage], "timeoutConfiguration": timeout})
}

fn function(name: &str, minutes: u32) -> Value {
    json!({
        "hookTargetArn": format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
        "roleArn": "arn:aws:iam::123456789012:role/hooks",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": minutes},
    })
}

pub(crate) fn seed(scene: &Scene, hook: &Value) {
    scene.seed_service(Value::Object(blue_green(hook)));
}

/// The newest hook of a service's newest service deployment, and the ARN of that.
fn newest_hook(scene: &Scene, service: &str) -> (Value, Value) {
    let state = scene.state_of(service);
    let newest = state["history"].as_array().and_then(|all| all.last()).cloned();
    let newest = newest.unwrap_or_default();
    let hook = newest["lifecycleHooks"].as_array().and_then(|all| all.last()).cloned();
    (newest["serviceDeploymentArn"].clone(), hook.unwrap_or_default())
}

fn is_paused(scene: &Scene, service: &str) -> bool {
    newest_hook(scene, service).1["status"] == "AWAITING_ACTION"
}

/// Somebody continues what is paused, or takes it back.
pub(crate) fn end_pause(scene: &Scene, service: &str, action: &str) {
    let (arn, hook) = newest_hook(scene, service);
    let request = json!({"serviceDeploymentArn": arn, "hookId": hook["hookId"], "action": action});
    scene.ecs("ContinueServiceDeployment", &request);
}

/// The messages of the reads of a rollout or rollback, the first one first.
async fn reads(scene: &Scene, child: &Execution) -> Vec<String> {
    let history = scene.on.aws.history(&child.arn).await.unwrap();
    let outputs = history.iter().filter_map(|event| {
        let output = event.task_succeeded_event_details.as_ref()?.output.as_deref()?;
        let output: Value = serde_json::from_str(output).ok()?;
        let payload = &output["Payload"];
        payload.get("verdict")?;
        payload["message"].as_str().map(str::to_owned)
    });
    outputs.collect()
}

/// Waits until a read has said something.
async fn until_said(scene: &Scene, child: &Execution, words: &str) -> String {
    let begun = Instant::now();
    loop {
        let said = reads(scene, child).await;
        if let Some(message) = said.iter().find(|message| message.contains(words)) {
            return message.clone();
        }
        assert!(begun.elapsed() < LIMIT, "no read said {words}: {said:#?}");
        pause(Duration::from_millis(200)).await;
    }
}

/// The value of an option of a command.
fn option<'a>(command: &'a str, name: &str) -> &'a str {
    let rest = command.split_once(&format!("--{name} ")).map_or("", |(_, rest)| rest);
    rest.split(' ').next().unwrap_or_default()
}

async fn a_rollout_that_waits_for_somebody_outlasts_its_deadline_and_says_how_to_go_on() {
    let scene = Scene::on(&IMPATIENT, "paused");
    seed(&scene, &pause_at("POST_TEST_TRAFFIC_SHIFT", A_DAY, "ROLLBACK"));

    let parent = scene.start(&scene.push("v2")).await;
    let child = child(&scene, &parent).await;
    let said = until_said(&scene, &child, "waits at").await;
    // A rollout may take ten seconds here.
    pause(Duration::from_secs(15)).await;
    assert!(!execution(&scene, &child.arn).await.has_ended(), "it waits");
    assert!(
        said.contains("waits at POST_TEST_TRAFFIC_SHIFT for somebody to continue it until 20"),
        "{said}"
    );
    assert!(
        said.contains(" UTC, when ECS rolls it back: aws ecs continue-service-deployment "),
        "{said}"
    );
    let request = json!({
        "serviceDeploymentArn": option(&said, "service-deployment-arn"),
        "hookId": option(&said, "hook-id"),
        "action": option(&said, "action"),
    });
    assert_eq!(request["action"], "CONTINUE", "{said}");
    scene.ecs("ContinueServiceDeployment", &request);
    let end = scene.end(&parent).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let states = scene.states(end.child(&scene.service())).await;
    assert!(
        states.iter().filter(|state| *state == "Check stability").count() > 5,
        "{states:?}"
    );
    assert_eq!(scene.changes(&scene.service()).len(), 1, "the update, and nothing back");
}

async fn hooks_that_end_by_themselves_or_are_taken_back_end_the_rollout_and_are_told() {
    let scene = Scene::on(&IMPATIENT, "ended");
    // Five minutes are fifteen seconds here, and ten thirty: a rollout may take ten.
    let tested = "POST_TEST_TRAFFIC_SHIFT";
    let hooks = [
        ("goes-on", pause_at(tested, 5, "CONTINUE")),
        ("goes-back", pause_at(tested, 5, "ROLLBACK")),
        ("refused", pause_at(tested, A_DAY, "CONTINUE")),
        ("slow", function("slow-check", 60)),
        ("too-slow", function("slow-check", 5)),
        ("fails", function("fail-check", 60)),
        ("checks", function("check", 60)),
    ];
    for (name, hook) in &hooks {
        scene.seed_named(
            name,
            Seed {
                service: blue_green(hook),
                ..Seed::default()
            },
        );
    }

    let parent = scene.start(&scene.push("v2")).await;
    scene
        .until_any("a pause", |scene| is_paused(scene, "ended-refused"))
        .await;
    end_pause(&scene, "ended-refused", "ROLLBACK");
    let end = scene.end(&parent).await;

    for (name, why) in [
        ("goes-on", None),
        ("goes-back", Some("nobody continued lifecycle hook ecs-pause-")),
        ("refused", Some("was not continued but rolled back")),
        ("slow", None),
        (
            "too-slow",
            Some("the Lambda function slow-check of a lifecycle hook was not done by 20"),
        ),
        (
            "fails",
            Some("the Lambda function fail-check of a lifecycle hook failed"),
        ),
        ("checks", None),
    ] {
        let service = format!("ended-{name}");
        let child = end.child(&service);
        let (expected, revision) = match why {
            Some(_) => ("Deploy.RolledBack", 1),
            None => ("DEPLOYED", 2),
        };
        assert_eq!(outcome(child), expected, "{child:#?}");
        let said = message(child);
        assert!(
            said.contains(why.unwrap_or_default()) && !said.contains(DEADLINE),
            "{name}: {said}"
        );
        let state = scene.state_of(&service);
        assert_eq!(
            short(&state["taskDefinition"]),
            format!("{service}:{revision}"),
            "{state:#}"
        );
        assert_eq!(state["rolloutState"], "COMPLETED", "{state:#}");
        assert_eq!(scene.changes(&service).len(), 1, "ECS goes back by itself");
    }
    let held = reads(&scene, end.child("ended-slow")).await;
    let waits = "waits at POST_TEST_TRAFFIC_SHIFT for the Lambda function slow-check until 20";
    assert!(held.iter().any(|message| message.contains(waits)), "{held:#?}");
}

/// Three tasks that run for three minutes and crash then, while nobody continues the rollout.
async fn crash_while_paused(scene: &Scene) -> (String, Execution) {
    scene.seed(Seed {
        desired_count: 3,
        service: blue_green(&pause_at("POST_SCALE_UP", A_DAY, "CONTINUE")),
        ..Seed::default()
    });
    let parent = scene.start(&scene.push("crash-later")).await;
    let child = child(scene, &parent).await;
    until_said(scene, &child, "waits at POST_SCALE_UP").await;
    (parent, child)
}

async fn tasks_that_crash_while_a_hook_waits_take_the_service_back() {
    let scene = Scene::new("crash-at-hook");

    let (parent, _) = crash_while_paused(&scene).await;
    let end = scene.end(&parent).await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let said = end.message();
    assert!(
        said.contains("app exited with code 1") && !said.contains(DEADLINE),
        "{said}"
    );
    assert_eq!(scene.statuses().last().unwrap(), "ROLLBACK_SUCCESSFUL");
    let changes = scene.changes(&scene.service());
    let operations: Vec<&Value> = changes.iter().map(|call| &call["operation"]).collect();
    assert_eq!(operations, ["UpdateService", "StopServiceDeployment"]);
    assert_eq!(short(&scene.state()["taskDefinition"]), "crash-at-hook-web:1");
}

/// The rollback is then a deployment of its own, which pauses as any other does.
async fn where_ecs_stops_nothing_that_is_paused_the_rollback_waits_at_the_hook_too() {
    let scene = Scene::on(&IMPATIENT, "back-at-hook");
    scene.weather(Weather {
        faults: vec![Fault {
            operation: Some("StopServiceDeployment".to_owned()),
            ..scene.fault(Kind::Deny)
        }],
        ..Weather::default()
    });

    let (parent, child) = crash_while_paused(&scene).await;
    until_entered(&scene, &child.arn, "Wait for rollback").await;
    scene.until("the pause", |it| is_paused(it, &it.service())).await;
    // Longer than a rollback may take.
    pause(Duration::from_secs(13)).await;
    assert!(!execution(&scene, &child.arn).await.has_ended(), "it waits");
    let said = reads(&scene, &child).await.pop().unwrap_or_default();
    assert!(
        said.contains("waits at POST_SCALE_UP for somebody to continue it"),
        "{said}"
    );
    end_pause(&scene, &scene.service(), "CONTINUE");
    let end = scene.end(&parent).await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert!(end.message().contains("app exited with code 1"), "{}", end.message());
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "back-at-hook-web:1");
    assert_eq!(
        (&state["rolloutState"], &state["readyCount"]),
        (&json!("COMPLETED"), &json!(3))
    );
}

async fn an_execution_that_is_redriven_long_after_the_deadline_goes_on_to_wait_at_the_hook() {
    let scene = Scene::on(&IMPATIENT, "redriven-at-hook");
    seed(&scene, &pause_at("POST_TEST_TRAFFIC_SHIFT", A_DAY, "ROLLBACK"));

    let parent = scene.start(&scene.push("v2")).await;
    let child = child(&scene, &parent).await;
    until_said(&scene, &child, "waits at").await;
    stop(&scene, &child.arn).await;
    scene.end(&parent).await;
    pause(Duration::from_secs(12)).await;
    let before = reads(&scene, &child).await.len();
    redrive(&scene, &child.arn).await;
    let begun = Instant::now();
    while reads(&scene, &child).await.len() < before + 2 {
        assert!(begun.elapsed() < LIMIT, "nobody reads");
        pause(Duration::from_millis(200)).await;
    }
    end_pause(&scene, &scene.service(), "CONTINUE");
    let ended = until_ended(&scene, &child.arn).await;

    assert_eq!(outcome(&ended), "DEPLOYED", "{ended:#?}");
    assert_eq!(scene.changes(&scene.service()).len(), 1, "the update, and nothing back");
}

async fn until_ended(scene: &Scene, arn: &str) -> Execution {
    let begun = Instant::now();
    loop {
        let now = execution(scene, arn).await;
        if now.has_ended() {
            return now;
        }
        assert!(begun.elapsed() < LIMIT, "{now:#?} does not end");
        pause(Duration::from_millis(200)).await;
    }
}

async fn a_newer_push_takes_the_place_of_a_rollout_that_waits_at_a_hook() {
    let scene = Scene::new("newer-at-hook");
    seed(&scene, &pause_at("POST_TEST_TRAFFIC_SHIFT", A_DAY, "ROLLBACK"));

    let first = scene.start(&scene.push("v2")).await;
    scene.until("the pause", |it| is_paused(it, &it.service())).await;
    let (replaced, _) = newest_hook(&scene, &scene.service());
    let second = scene.start(&scene.push("v3")).await;
    let is_next = |it: &Scene| is_paused(it, &it.service()) && newest_hook(it, &it.service()).0 != replaced;
    scene.until("the next pause", is_next).await;
    let first = scene.end(&first).await;
    end_pause(&scene, &scene.service(), "CONTINUE");
    let second = scene.end(&second).await;

    assert_eq!(first.outcome(), "SUPERSEDED", "{first:#?}");
    assert_eq!(second.outcome(), "DEPLOYED", "{second:#?}");
    assert_eq!(scene.statuses(), ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]);
}

async fn where_ecs_does_not_tell_of_the_hooks_the_deadline_takes_the_service_back() {
    let scene = Scene::on(&IMPATIENT, "untold-hook");
    seed(&scene, &pause_at("POST_TEST_TRAFFIC_SHIFT", A_DAY, "ROLLBACK"));
    scene.weather(Weather {
        faults: vec![Fault {
            operation: Some("DescribeServiceDeployments".to_owned()),
            ..scene.fault(Kind::Empty)
        }],
        ..Weather::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert!(end.message().contains(DEADLINE), "{}", end.message());
    assert_eq!(short(&scene.state()["taskDefinition"]), "untold-hook-web:1");
}
