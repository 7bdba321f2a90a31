//! The sweep: what a service has missed is found, and deployed or told; what failed there, or is on hold, is not.

use crate::support::{Ending, LIMIT, SWEPT, Scene, scenarios, short};
use futures::future::join;
use futures::lock::Mutex;
use local_aws::executions::Execution;
use local_aws::images::Push;
use local_aws::pause;
use serde_json::{Value, json};
use simulated_ecs::Seed;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

scenarios![
    a_push_whose_event_was_lost_is_deployed_and_then_there_is_nothing_left,
    a_push_that_was_held_is_deployed_when_the_hold_is_lifted,
    what_is_on_hold_is_left_alone,
    an_image_that_somebodys_apply_took_away_is_told_or_brought_back,
    what_was_rolled_back_is_never_deployed_again,
    an_image_of_a_sidecar_that_ecr_itself_may_have_brought_in_is_only_told,
    two_sweeps_at_once_start_one_push,
    a_schedule_sweeps_by_itself,
];

/// A sweep is of all clusters of its stack: what one scenario has missed another one's sweep would deploy.
static ONE_AT_A_TIME: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

/// Starts an execution of a state machine and waits for its end.
async fn run(scene: &Scene, machine: &str, input: &Value) -> Execution {
    let start = scene.on.aws.sfn().start_execution().state_machine_arn(machine);
    let started = start.input(input.to_string()).send().await.unwrap().execution_arn;
    let begun = Instant::now();
    loop {
        let execution = scene.on.aws.execution(&started).await.unwrap();
        if execution.has_ended() {
            return execution;
        }
        assert!(begun.elapsed() < LIMIT, "{execution:#?}");
        pause(Duration::from_millis(200)).await;
    }
}

/// Delivers an event as EventBridge does, and waits for what comes of it.
async fn deliver(scene: &Scene, event: &Value) -> Ending {
    let launched = run(scene, &scene.on.stack.push, event).await;
    let output = launched.output.unwrap_or_else(|| panic!("{:?}", launched.cause));
    scene.end(output["execution"].as_str().unwrap()).await
}

/// A service that ecr-deploy has moved to `v2`, two hours ago.
async fn deployed(scene: &Scene) -> Push {
    scene.seed(Seed::default());
    let push = scene.push_before("v2", 120);
    let end = deliver(scene, &push.event).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    push
}

/// Sweeps, and returns what was found of this scene, `LOST deploy`, and the pushes that were started for it, at their
/// ends.
async fn sweep(scene: &Scene, input: Value) -> (Vec<String>, Vec<Ending>) {
    let execution = run(scene, &scene.on.stack.sweep, &input).await;
    let output = execution.output.unwrap_or_else(|| panic!("{:?}", execution.cause));
    assert_eq!(scene.on.aws.refused(), Vec::<String>::new(), "refused by IAM");
    let of_scene = |it: &&Value| it["cluster"] == scene.cluster();
    let missed = output["missed"].as_array().unwrap().iter().filter(of_scene);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let missed = missed.map(|it| {
        format!(
            "{} {} {}",
            text(&it["image"]["tag"]),
            text(&it["why"]),
            text(&it["action"])
        )
    });
    let mut ends = Vec::new();
    for started in output["started"].as_array().unwrap() {
        if text(&started["image"]).starts_with(&scene.repository()) {
            let launched = text(&started["execution"]);
            let begun = Instant::now();
            let output = loop {
                let launched = scene.on.aws.execution(&launched).await.unwrap();
                if let Some(output) = launched.output {
                    break output;
                }
                assert!(!launched.has_ended() && begun.elapsed() < LIMIT, "{launched:#?}");
                pause(Duration::from_millis(200)).await;
            };
            ends.push(scene.end(&text(&output["execution"])).await);
        }
    }
    (missed.collect(), ends)
}

async fn a_push_whose_event_was_lost_is_deployed_and_then_there_is_nothing_left() {
    let _one = ONE_AT_A_TIME.lock().await;
    let scene = Scene::aged(&SWEPT, "swept-lost");
    deployed(&scene).await;
    let lost = scene.push_before("v3", 60);
    // Its event may be on its way.
    scene.push("v4");

    let (missed, _) = sweep(&scene, json!({})).await;
    assert_eq!(missed, Vec::<String>::new(), "v4 is too young, and newer than v3");

    scene.ecr(
        "BatchDeleteImage",
        &json!({"repositoryName": scene.repository(), "imageIds": [{"imageTag": "v4"}]}),
    );
    let (missed, _) = sweep(&scene, json!({"report": true})).await;
    assert_eq!(missed, ["v3 LOST report"]);
    let (missed, ends) = sweep(&scene, json!({})).await;
    assert_eq!(missed, ["v3 LOST deploy"]);
    assert_eq!(ends[0].outcome(), "DEPLOYED", "{ends:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([lost.digest]));

    // The event comes after all.
    let late = deliver(&scene, &lost.event).await;
    assert_eq!(late.outcome(), "ALREADY_DEPLOYED", "{late:#?}");
    let (missed, _) = sweep(&scene, json!({})).await;
    assert_eq!(missed, Vec::<String>::new());
    assert_eq!(scene.calls("UpdateService").len(), 2);
}

/// Sets the tag that holds the scene's service, or removes it.
fn hold(scene: &Scene, text: Option<&str>) {
    let (region, account) = (local_aws::REGION, local_aws::ACCOUNT);
    let path = format!("service/{}/{}", scene.cluster(), scene.service());
    let arn = format!("arn:aws:ecs:{region}:{account}:{path}");
    match text {
        Some(text) => {
            let tags = json!([{"key": "ecr-deploy:hold", "value": text}]);
            scene.ecs("TagResource", &json!({"resourceArn": arn, "tags": tags}))
        }
        None => scene.ecs(
            "UntagResource",
            &json!({"resourceArn": arn, "tagKeys": ["ecr-deploy:hold"]}),
        ),
    };
}

async fn a_push_that_was_held_is_deployed_when_the_hold_is_lifted() {
    let _one = ONE_AT_A_TIME.lock().await;
    let scene = Scene::aged(&SWEPT, "swept-held");
    deployed(&scene).await;
    hold(&scene, Some("ann - audit"));
    let held = scene.push_before("v3", 60);
    let end = deliver(&scene, &held.event).await;
    assert!(end.children.is_empty(), "{end:#?}");
    let (missed, _) = sweep(&scene, json!({})).await;
    assert_eq!(missed, Vec::<String>::new(), "it is on hold");

    hold(&scene, None);
    let (missed, ends) = sweep(&scene, json!({})).await;

    assert_eq!(missed, ["v3 HELD deploy"]);
    assert_eq!(ends[0].outcome(), "DEPLOYED", "{ends:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([held.digest]));
}

async fn what_is_on_hold_is_left_alone() {
    let _one = ONE_AT_A_TIME.lock().await;
    let scene = Scene::aged(&SWEPT, "swept-hold");
    let running = deployed(&scene).await;
    scene.push_before("v3", 60);
    hold(&scene, Some("ann - audit"));

    let (missed, ends) = sweep(&scene, json!({})).await;

    assert!(missed.is_empty() && ends.is_empty(), "{missed:?} {ends:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([running.digest]));
}

async fn an_image_that_somebodys_apply_took_away_is_told_or_brought_back() {
    let _one = ONE_AT_A_TIME.lock().await;
    let scene = Scene::aged(&SWEPT, "swept-reverted");
    let ours = deployed(&scene).await;
    let old = scene.register(&scene.family(), "v1");
    let moved = json!({"cluster": scene.cluster(), "service": scene.service(), "taskDefinition": old});
    scene.ecs("UpdateService", &moved);
    scene
        .until("the apply", |it| {
            let state = it.state();
            short(&state["taskDefinition"]) == "swept-reverted-web:3" && state["rolloutState"] == "COMPLETED"
        })
        .await;

    let (missed, ends) = sweep(&scene, json!({"report": true})).await;
    assert_eq!(missed, ["v2 REVERTED report"]);
    assert!(ends.is_empty(), "{ends:#?}");

    let (missed, ends) = sweep(&scene, json!({})).await;
    assert_eq!(missed, ["v2 REVERTED deploy"]);
    assert_eq!(ends[0].outcome(), "DEPLOYED", "{ends:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([ours.digest]));
    let (missed, _) = sweep(&scene, json!({})).await;
    assert_eq!(missed, Vec::<String>::new());
}

async fn what_was_rolled_back_is_never_deployed_again() {
    let _one = ONE_AT_A_TIME.lock().await;
    let scene = Scene::aged(&SWEPT, "swept-crash");
    let good = deployed(&scene).await;
    let bad = scene.push_before("crash-3", 60);
    let end = deliver(&scene, &bad.event).await;
    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");

    let (missed, ends) = sweep(&scene, json!({})).await;

    assert!(missed.is_empty() && ends.is_empty(), "{missed:?} {ends:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([good.digest]));
}

async fn an_image_of_a_sidecar_that_ecr_itself_may_have_brought_in_is_only_told() {
    let _one = ONE_AT_A_TIME.lock().await;
    let (scene, cache) = (Scene::aged(&SWEPT, "swept-app"), Scene::aged(&SWEPT, "swept-cache"));
    scene.seed(Seed {
        sidecar_image: Some(cache.image("v1")),
        ..Seed::default()
    });
    let push = scene.push_before("v2", 120);
    let end = deliver(&scene, &push.event).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    // As a pull-through cache does: there is no event of a push.
    let brought = cache.push_before("v2", 60);
    let before = scene.state();

    let (missed, _) = sweep(&scene, json!({})).await;
    assert_eq!(missed, ["v2 UNRECORDED report"]);
    assert_eq!(scene.state()["taskDefinition"], before["taskDefinition"]);

    // Once a push of it was deployed here, the next one whose event is lost is known.
    let end = deliver(&scene, &brought.event).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    cache.push_before("v3", 30);
    let (missed, _) = sweep(&scene, json!({})).await;
    assert_eq!(missed, ["v3 LOST deploy"]);
}

async fn two_sweeps_at_once_start_one_push() {
    let _one = ONE_AT_A_TIME.lock().await;
    let scene = Scene::aged(&SWEPT, "swept-twice");
    deployed(&scene).await;
    let lost = scene.push_before("v3", 60);
    // Both have read before either starts a push.
    let held = scene.on.aws.hold_answers(&["\"onlyReport\": false"]).unwrap();
    let release = async {
        pause(Duration::from_secs(5)).await;
        drop(held);
    };

    let ((one, other), ()) = join(join(sweep(&scene, json!({})), sweep(&scene, json!({}))), release).await;

    for (missed, _) in [&one, &other] {
        assert_eq!(*missed, ["v3 LOST deploy"]);
    }
    let names = |ends: &[Ending]| -> Vec<String> { ends.iter().map(|it| it.parent.name.clone()).collect() };
    assert_eq!(names(&one.1), names(&other.1), "one execution");
    assert_eq!(scene.state()["imageDigests"], json!([lost.digest]));
    assert_eq!(scene.calls("UpdateService").len(), 2);
}

async fn a_schedule_sweeps_by_itself() {
    let scene = Scene::aged(&SWEPT, "swept-schedule");
    scene.seed_service(json!({}));
    // By the stack of the schedule, which has this cluster.
    let push = scene.push_before("v2", 120);
    scene.on.aws.dispatch(&push.event).unwrap();
    let runs = |it: &Scene, digest: &str| it.state()["imageDigests"] == json!([digest]);
    scene.until("the push", |it| runs(it, &push.digest)).await;
    let is_complete = |it: &Scene| it.state()["rolloutState"] == "COMPLETED";
    scene.until("its end", is_complete).await;

    let lost = scene.push_before("v3", 60);

    scene
        .until("the sweep", |it| runs(it, &lost.digest) && is_complete(it))
        .await;
    assert_eq!(scene.on.aws.refused(), Vec::<String>::new(), "refused by IAM");
}
