//! Deployed means that the pushed image runs, by its digest, whatever a tag stands for by then.

use crate::redrive::TAGGING;
use crate::support::{BY_DIGEST, Deployed, Ending, PATIENT, Scene, object, scenarios};
use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::images::Push;
use serde_json::{Value, json};
use simulated_ecs::{Seed, Weather};

scenarios![
    a_tag_that_is_pushed_over_before_its_tasks_start_is_superseded_by_what_runs,
    a_tag_that_is_pushed_over_is_seen_in_the_tasks_where_ecs_keeps_no_records,
    a_tag_that_is_pushed_over_is_seen_in_the_tasks_where_each_pulls_by_itself,
    a_tag_that_is_pushed_over_changes_nothing_where_revisions_name_digests,
    an_image_that_does_not_run_gets_no_tag,
    a_multi_architecture_image_is_deployed_whatever_platform_its_tasks_are_of,
    a_multi_architecture_image_whose_tag_is_pushed_over_is_superseded,
];

/// Pushes `v2`, and once more before the deployment of the first starts.
async fn pushed_over(scene: &Scene, push: impl Fn() -> Push) -> ([Push; 2], Ending) {
    let first = push();
    scene.hold("RegisterTaskDefinition", &scene.prefix());
    let parent = scene.start(&first).await;
    let is_registered = |scene: &Scene| scene.revisions(&scene.family()).len() == 2;
    scene.until("the registration", is_registered).await;
    let second = push();
    scene.release(&scene.prefix());
    let end = scene.end(&parent).await;
    ([first, second], end)
}

/// The first push says what runs in its place; the second one, whose event comes then, is deployed.
async fn is_superseded(scene: &Scene, push: impl Fn() -> Push) -> Ending {
    let ([first, second], end) = pushed_over(scene, push).await;
    assert_eq!(end.outcome(), "SUPERSEDED", "{end:#?}");
    assert_eq!(end.parent.status, ExecutionStatus::Succeeded, "{end:#?}");
    let (message, runs) = (end.message(), scene.state()["imageDigests"].clone());
    let runs = runs[0].as_str().unwrap();
    assert!(
        message.contains(&format!("its tasks run {runs} and not {}", first.digest)),
        "{message}"
    );
    assert_eq!(scene.changes(&scene.service()).len(), 1, "nothing is taken back");

    let next = scene.end(&scene.start(&second).await).await;
    assert_eq!(next.outcome(), "DEPLOYED", "{next:#?}");
    end
}

fn plain(on: &'static Deployed, name: &'static str, container: Value) -> Scene {
    let scene = Scene::on(on, name);
    scene.seed(Seed {
        container: object(container),
        desired_count: 2,
        ..Seed::default()
    });
    scene
}

/// How often the running tasks were asked for, and the manifest of the pushed image.
fn asked(scene: &Scene) -> (usize, usize) {
    let tasks = scene.calls("ListTasks");
    let running = tasks
        .iter()
        .filter(|call| call["parameters"]["desiredStatus"] == "RUNNING");
    (running.count(), scene.calls("BatchGetImage").len())
}

async fn a_tag_that_is_pushed_over_before_its_tasks_start_is_superseded_by_what_runs() {
    let scene = plain(&PATIENT, "bits-record", json!({}));
    let end = is_superseded(&scene, || scene.push("v2")).await;
    assert!(end.message().contains("which was pushed as"), "{}", end.message());
    assert_eq!(asked(&scene), (0, 1), "once for the first, not at all for the second");
}

async fn a_tag_that_is_pushed_over_is_seen_in_the_tasks_where_ecs_keeps_no_records() {
    let scene = plain(&PATIENT, "bits-unrecorded", json!({}));
    scene.weather(scene.without_service_deployments());
    is_superseded(&scene, || scene.push("v2")).await;
    assert_eq!(
        asked(&scene),
        (2, 1),
        "the tasks of each, and the manifest of the first"
    );
}

async fn a_tag_that_is_pushed_over_is_seen_in_the_tasks_where_each_pulls_by_itself() {
    let scene = plain(&PATIENT, "bits-inconsistent", json!({"versionConsistency": "disabled"}));
    is_superseded(&scene, || scene.push("v2")).await;
    assert_eq!(
        asked(&scene),
        (2, 1),
        "the tasks of each, and the manifest of the first"
    );
}

async fn a_tag_that_is_pushed_over_changes_nothing_where_revisions_name_digests() {
    for (name, weather) in [
        ("bits-digest", None),
        (
            "bits-pinned",
            Some(Scene::without_service_deployments as fn(&Scene) -> Weather),
        ),
    ] {
        let scene = plain(&BY_DIGEST, name, json!({}));
        if let Some(weather) = weather {
            scene.weather(weather(&scene));
        }
        let ([first, _], end) = pushed_over(&scene, || scene.push("v2")).await;
        assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
        assert_eq!(scene.state()["imageDigests"], json!([first.digest]));
        assert_eq!(asked(&scene), (0, 0), "there is nothing to be asked");
    }
}

/// Neither the tag of a stage nor `latest`: an image that is on no service is none that was tried.
async fn an_image_that_does_not_run_gets_no_tag() {
    let scene = Scene::on(&TAGGING, "bits-tags");
    scene.seed_named(
        "staging",
        Seed {
            family: Some(scene.family()),
            ..Seed::default()
        },
    );
    scene.hold("RegisterTaskDefinition", &scene.prefix());
    let parent = scene.start(&scene.push("v2")).await;
    let is_registered = |scene: &Scene| scene.revisions(&scene.family()).len() == 2;
    scene.until_any("the registration", is_registered).await;
    scene.push("v2");
    scene.release(&scene.prefix());

    let end = scene.end(&parent).await;
    assert_eq!(end.outcome(), "SUPERSEDED", "{end:#?}");
    assert_eq!(end.parent.status, ExecutionStatus::Succeeded, "{end:#?}");
    let entered = scene.states(&end.parent).await;
    assert!(!entered.iter().any(|state| state == "Read manifest"), "{entered:?}");
}

async fn a_multi_architecture_image_is_deployed_whatever_platform_its_tasks_are_of() {
    let scene = plain(&PATIENT, "bits-index", json!({}));
    let push = scene.push_index("v2");
    let end = scene.end(&scene.start(&push).await).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let runs = scene.state()["imageDigests"].clone();
    assert_ne!(runs, json!([push.digest]), "the image of a platform, not the index");
    assert_eq!(asked(&scene), (0, 1), "one call more");
}

async fn a_multi_architecture_image_whose_tag_is_pushed_over_is_superseded() {
    let scene = plain(&PATIENT, "bits-overindex", json!({}));
    is_superseded(&scene, || scene.push_index("v2")).await;
    assert_eq!(asked(&scene), (0, 2));
}
