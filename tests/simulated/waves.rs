//! "Redrive from failure" at the states between two waves: where it goes on, and that nothing is deployed twice.
//!
//! The stages that come after another one wait for all services of that one, and for a soak of three seconds.

use crate::redrive::{execution, redrive, rollouts, since_redrive, stop, until_entered, until_in};
use crate::support::{Ending, STAGED, Scene, outcome, scenarios};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use futures::future::join_all;
use local_aws::pause;
use serde_json::json;
use simulated_ecs::{Fault, Kind, Seed, Weather};
use std::time::Duration;

scenarios![
    a_push_stopped_in_its_soak_and_redriven_at_once_waits_until_the_same_time,
    a_push_stopped_in_its_soak_and_redriven_when_that_is_over_does_not_wait,
    a_push_stopped_while_it_asks_whether_all_is_stable_still_asks_again,
    a_push_stopped_in_any_state_between_two_waves_goes_on_there,
    a_push_stopped_while_its_second_wave_is_deployed_deploys_only_what_was_not_done,
    a_push_stopped_while_it_concludes_its_first_wave_goes_on_with_the_second,
    a_push_whose_first_wave_failed_deploys_what_failed_and_then_the_second_wave,
    a_push_whose_second_wave_failed_does_not_touch_the_first_again,
];

/// The states before a later wave by which it does not begin while everything is on hold.
const ASKS_FOR_HOLD: [&str; 3] = ["Read hold again", "On hold?", "Does it follow?"];

/// Only the payload of "Still stable?" has this.
const ASKS_AGAIN: &str = r#""soaked": ["#;

/// Only the payload of a push's Sum up has this.
const CONCLUDES: &str = r#""scope": "IMAGE""#;

/// A scene with services of staging and of production.
fn scene(name: &'static str) -> Scene {
    let scene = Scene::on(&STAGED, name);
    for service in ["staging", "other-staging", "production"] {
        scene.seed_named(service, Seed::default());
    }
    scene
}

/// The services for which executions were started, in order and without the scene's name; of each, the redrive count in its
/// execution's name.
fn started(scene: &Scene, end: &Ending) -> Vec<String> {
    let mut started: Vec<String> = end
        .children
        .iter()
        .map(|child| {
            let service = child.input["service"].as_str().unwrap();
            let count = child.name.rsplit('-').next().unwrap();
            format!("{} {count}", service.trim_start_matches(&scene.prefix()))
        })
        .collect();
    started.sort();
    started
}

const ONCE: [&str; 3] = ["other-staging 0", "production 0", "staging 0"];

/// Every service was moved to the second revision of its family, once.
fn is_deployed_once(scene: &Scene) {
    for service in ["staging", "other-staging", "production"] {
        let name = format!("{}{service}", scene.prefix());
        let expected = [format!("{name}:1"), format!("{name}:2")];
        assert_eq!(rollouts(&scene.state_of(&name)), expected);
    }
}

fn is_green(end: &Ending) {
    assert_eq!(end.parent.status, ExecutionStatus::Succeeded, "{end:#?}");
}

/// When an execution was redriven for the last time, in milliseconds since 1970.
async fn redriven_at(scene: &Scene, arn: &str) -> i64 {
    let history = scene.on.aws.history(arn).await.unwrap();
    let redriven = history
        .iter()
        .rfind(|event| event.r#type == HistoryEventType::ExecutionRedriven);
    redriven.unwrap().timestamp.to_millis().unwrap()
}

/// Stops a push in its soak, and redrives it so much later. Returns when it was asked whether all is stable still: after the begin
/// of the soak, and after the redrive, in milliseconds.
async fn stopped_in_soak(scene: &Scene, later: Duration) -> [i64; 2] {
    let kept = scene.keep_in("Soak");
    let parent = scene.start(&scene.push("v1.4.0")).await;
    until_in(scene, &parent, "Soak").await;
    stop(scene, &parent).await;
    drop(kept);
    let stopped = execution(scene, &parent).await;
    assert_eq!(scene.states(&stopped).await.last().map(String::as_str), Some("Soak"));
    pause(later).await;

    redrive(scene, &parent).await;

    let end = scene.end(&parent).await;
    is_green(&end);
    let entered = since_redrive(scene, &parent).await;
    assert_eq!(
        entered[..7],
        [
            &["Soak", "Still stable?"],
            ASKS_FOR_HOLD.as_slice(),
            &["Next wave", "Deploy wave"]
        ]
        .concat(),
        "{entered:?}"
    );
    assert_eq!(started(scene, &end), ["other-staging 0", "production 1", "staging 0"]);
    is_deployed_once(scene);
    let (soak, asked) = (
        scene.entered(&end.parent, "Soak").await,
        scene.entered(&end.parent, "Still stable?").await,
    );
    [asked[0] - soak[0], asked[0] - redriven_at(scene, &parent).await]
}

async fn a_push_stopped_in_its_soak_and_redriven_at_once_waits_until_the_same_time() {
    let [since_soak, _] = stopped_in_soak(&scene("soak-stop"), Duration::ZERO).await;
    assert!(since_soak >= 2_500, "a soak of three seconds: {since_soak}");
}

async fn a_push_stopped_in_its_soak_and_redriven_when_that_is_over_does_not_wait() {
    let [_, since_redrive] = stopped_in_soak(&scene("soak-over"), Duration::from_secs(4)).await;
    assert!(since_redrive < 2_500, "it waited once more: {since_redrive}");
}

async fn a_push_stopped_while_it_asks_whether_all_is_stable_still_asks_again() {
    let scene = scene("ask-stop");
    let asking = scene.hold_answers(ASKS_AGAIN);
    let parent = scene.start(&scene.push("v1.4.0")).await;
    until_in(&scene, &parent, "Still stable?").await;
    stop(&scene, &parent).await;
    drop(asking);
    // Since then somebody has taken a service away.
    let name = "ask-stop-other-staging";
    let away = json!({"cluster": scene.cluster(), "service": name, "taskDefinition": "ask-stop-other-staging:1"});
    scene.ecs("UpdateService", &away);

    redrive(&scene, &parent).await;

    let end = scene.end(&parent).await;
    assert_eq!(since_redrive(&scene, &parent).await, ["Still stable?"]);
    assert_eq!(end.parent.error.as_deref(), Some("Deploy.NotStable"), "{end:#?}");
    assert!(end.parent.message().unwrap().contains(name), "{end:#?}");
    assert_eq!(started(&scene, &end), ["other-staging 0", "staging 0"]);

    let back = json!({"cluster": scene.cluster(), "service": name, "taskDefinition": "ask-stop-other-staging:2"});
    scene.ecs("UpdateService", &back);
    let is_back = |scene: &Scene| {
        let state = scene.state_of("ask-stop-other-staging");
        state["history"][3]["status"] == "SUCCESSFUL"
    };
    scene.until("the rollback", is_back).await;
    redrive(&scene, &parent).await;
    let end = scene.end(&parent).await;
    is_green(&end);
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(
        entered[..6],
        [
            &["Still stable?"],
            ASKS_FOR_HOLD.as_slice(),
            &["Next wave", "Deploy wave"]
        ]
        .concat(),
        "{entered:?}"
    );
    assert_eq!(started(&scene, &end), ["other-staging 0", "production 2", "staging 0"]);
}

async fn a_push_stopped_in_any_state_between_two_waves_goes_on_there() {
    let between = [
        ("between-read", "Read hold again"),
        ("between-asked", "On hold?"),
        ("between-choice", "Does it follow?"),
        ("between-next", "Next wave"),
    ];
    join_all(between.map(async |(name, state)| {
        let scene = scene(name);
        let kept = scene.keep_in(state);
        let parent = scene.start(&scene.push("v1.4.0")).await;
        until_in(&scene, &parent, state).await;
        stop(&scene, &parent).await;
        drop(kept);

        redrive(&scene, &parent).await;

        let end = scene.end(&parent).await;
        is_green(&end);
        let entered = since_redrive(&scene, &parent).await;
        let states = [ASKS_FOR_HOLD.as_slice(), &["Next wave", "Deploy wave"]].concat();
        let rest: Vec<&str> = states.into_iter().skip_while(|it| *it != state).collect();
        assert_eq!(entered[..rest.len()], rest, "{state}: {entered:?}");
        assert_eq!(started(&scene, &end), ["other-staging 0", "production 1", "staging 0"]);
        is_deployed_once(&scene);
    }))
    .await;
}

async fn a_push_stopped_while_its_second_wave_is_deployed_deploys_only_what_was_not_done() {
    let scene = scene("wave-stop");
    scene.hold("UpdateService", "wave-stop-production");
    let parent = scene.start(&scene.push("v1.4.0")).await;
    let is_updating = |scene: &Scene| {
        let calls = scene.calls("UpdateService");
        calls
            .iter()
            .any(|call| call["parameters"]["service"] == "wave-stop-production")
    };
    scene.until("the update of production", is_updating).await;
    stop(&scene, &parent).await;
    scene.release("wave-stop-production");

    redrive(&scene, &parent).await;

    let end = scene.end(&parent).await;
    is_green(&end);
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(entered[0], "Deploy wave", "{entered:?}");
    let others = ["Soak", "Still stable?", "Next wave"];
    assert!(
        !entered.iter().any(|state| others.contains(&state.as_str())),
        "{entered:?}"
    );
    let expected = ["other-staging 0", "production 0", "production 1", "staging 0"];
    assert_eq!(started(&scene, &end), expected);
    assert_eq!(outcome(end.children.last().unwrap()), "ALREADY_DEPLOYED", "{end:#?}");
    is_deployed_once(&scene);
}

async fn a_push_stopped_while_it_concludes_its_first_wave_goes_on_with_the_second() {
    let scene = scene("wave-end");
    let concluding = scene.hold_answers(CONCLUDES);
    let parent = scene.start(&scene.push("v1.4.0")).await;
    until_in(&scene, &parent, "Sum up").await;
    stop(&scene, &parent).await;
    drop(concluding);

    redrive(&scene, &parent).await;

    let end = scene.end(&parent).await;
    is_green(&end);
    let entered = since_redrive(&scene, &parent).await;
    let expected = [
        "Sum up",
        "What is left to do?",
        "Soak",
        "Still stable?",
        "Read hold again",
        "On hold?",
        "Does it follow?",
        "Next wave",
        "Deploy wave",
    ];
    assert_eq!(entered[..9], expected, "{entered:?}");
    assert_eq!(started(&scene, &end), ["other-staging 0", "production 1", "staging 0"]);
    is_deployed_once(&scene);
}

/// Lets ECS refuse the next update of a service.
fn refuse_update(scene: &Scene, service: &str) {
    let deny = Fault {
        operation: Some("UpdateService".to_owned()),
        subject: Some(format!("{}{service}", scene.prefix())),
        times: Some(1),
        ..scene.fault(Kind::Deny)
    };
    scene.weather(Weather {
        faults: vec![deny],
        ..Weather::default()
    });
}

async fn a_push_whose_first_wave_failed_deploys_what_failed_and_then_the_second_wave() {
    let scene = scene("wave-red");
    refuse_update(&scene, "other-staging");
    let parent = scene.start(&scene.push("v1.4.0")).await;
    let red = scene.end(&parent).await;
    assert_eq!(red.parent.error.as_deref(), Some("Deploy.ServicesFailed"), "{red:#?}");
    let message = red.parent.message().unwrap();
    assert!(message.contains("- not reached: 1 service of production"), "{message}");
    assert_eq!(started(&scene, &red), ["other-staging 0", "staging 0"]);

    redrive(&scene, &parent).await;

    let end = scene.end(&parent).await;
    is_green(&end);
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(
        entered[..3],
        ["Conclude", "What is left to do?", "Deploy wave"],
        "{entered:?}"
    );
    let waits = entered
        .iter()
        .filter(|state| ["Soak", "Still stable?", "Next wave"].contains(&state.as_str()));
    assert_eq!(waits.collect::<Vec<_>>(), ["Soak", "Still stable?", "Next wave"]);
    let expected = ["other-staging 0", "other-staging 1", "production 1", "staging 0"];
    assert_eq!(started(&scene, &end), expected);
    is_deployed_once(&scene);
}

async fn a_push_whose_second_wave_failed_does_not_touch_the_first_again() {
    let scene = scene("last-red");
    refuse_update(&scene, "production");
    let parent = scene.start(&scene.push("v1.4.0")).await;
    until_entered(&scene, &parent, "Next wave").await;
    let red = scene.end(&parent).await;
    assert_eq!(red.parent.error.as_deref(), Some("Deploy.ServicesFailed"), "{red:#?}");
    assert_eq!(started(&scene, &red), ONCE);

    redrive(&scene, &parent).await;

    let end = scene.end(&parent).await;
    is_green(&end);
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(
        entered[..3],
        ["Conclude", "What is left to do?", "Deploy wave"],
        "{entered:?}"
    );
    assert!(!entered.iter().any(|state| state == "Soak"), "{entered:?}");
    let expected = ["other-staging 0", "production 0", "production 1", "staging 0"];
    assert_eq!(started(&scene, &end), expected);
    is_deployed_once(&scene);
}
