//! Which tag goes to which service: the stages of the settings, and the services' own tags.

use crate::support::{Ending, STAGED, Scene, object, scenarios};
use local_aws::executions::Execution;
use local_aws::images::Push;
use local_aws::{ACCOUNT, REGION};
use serde_json::{Value, json};
use simulated_ecs::Seed;

scenarios![
    a_tag_moves_only_the_services_of_the_stages_that_take_it,
    a_tag_that_no_stage_takes_is_skipped_as_a_whole,
    what_is_on_hold_stays_until_the_hold_is_lifted,
    an_opt_in_stage_owns_what_asks_for_it_and_off_is_off,
    a_mistyped_stage_is_red_for_its_service_alone,
    a_lower_version_than_what_runs_is_skipped,
    a_plan_that_is_asked_for_alone_names_stages_and_changes_nothing,
];

/// A scene with a service for each of these names, in the stage that the end of the name tells.
fn scene(name: &'static str, services: &[&str]) -> Scene {
    let scene = Scene::on(&STAGED, name);
    for service in services {
        scene.seed_named(service, Seed::default());
    }
    scene
}

async fn deployed(scene: &Scene, push: &Push) -> Ending {
    scene.end(&scene.start(push).await).await
}

/// The services that were moved, without the scene's name.
fn moved(scene: &Scene, end: &Ending) -> Vec<String> {
    let names = end
        .children
        .iter()
        .map(|child| child.input["service"].as_str().unwrap());
    let mut moved: Vec<String> = names
        .map(|name| name.trim_start_matches(&scene.prefix()).to_owned())
        .collect();
    moved.sort();
    moved
}

/// Each thing that was skipped, without the scene's name: what, and why.
fn skipped(scene: &Scene, execution: &Execution) -> Vec<(String, String)> {
    let skipped = execution.output.as_ref().unwrap_or_else(|| panic!("{execution:#?}"))["skipped"].clone();
    let text = |value: &Value| value.as_str().unwrap().trim_start_matches(&scene.prefix()).to_owned();
    let of_scene = |it: &Value| {
        text(&it["resource"])
            .split(" in ")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let mut skipped: Vec<(String, String)> = skipped
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (of_scene(it), text(&it["reason"])))
        .collect();
    skipped.sort();
    skipped
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = expected
        .iter()
        .map(|(what, why)| ((*what).to_owned(), (*why).to_owned()));
    owned.collect()
}

/// Sets a tag of a service, or takes it away.
fn tag(scene: &Scene, service: &str, key: &str, value: Option<&str>) {
    let name = format!("{}/{}{service}", scene.cluster(), scene.prefix());
    let arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{name}");
    match value {
        Some(value) => scene.ecs(
            "TagResource",
            &json!({"resourceArn": arn, "tags": [{"key": key, "value": value}]}),
        ),
        None => scene.ecs("UntagResource", &json!({"resourceArn": arn, "tagKeys": [key]})),
    };
}

async fn a_tag_moves_only_the_services_of_the_stages_that_take_it() {
    let scene = scene("stages", &["preview", "staging", "production", "elsewhere"]);
    let not_taken = "TAG_NOT_TAKEN";
    for (tag, moves, skips) in [
        (
            "pr-42",
            vec!["preview"],
            vec![("production", not_taken), ("staging", not_taken)],
        ),
        (
            "main-7",
            vec!["staging"],
            vec![("preview", not_taken), ("production", not_taken)],
        ),
        ("v1.4.0", vec!["production", "staging"], vec![("preview", not_taken)]),
    ] {
        let push = scene.push(tag);
        let end = deployed(&scene, &push).await;
        assert_eq!(moved(&scene, &end), moves, "{tag}");
        let mut expected = pairs(&skips);
        expected.push(("elsewhere".to_owned(), "NO_STAGE".to_owned()));
        expected.sort();
        assert_eq!(skipped(&scene, &end.parent), expected, "{tag}");
        for service in moves {
            let state = scene.state_of(&format!("{}{service}", scene.prefix()));
            assert_eq!(state["imageDigests"], json!([push.digest]), "{service} on {tag}");
        }
    }
    let output = deployed(&scene, &scene.push("pr-43")).await.parent.output.unwrap();
    let of_production = output["skipped"].as_array().unwrap().iter().find(|it| {
        let resource = it["resource"].as_str().unwrap_or_default();
        resource.starts_with("stages-production")
    });
    let message = of_production.unwrap()["message"].as_str().unwrap();
    assert_eq!(
        message,
        "its stage does not take the tag pr-43: production has no rule for it"
    );
}

async fn a_tag_that_no_stage_takes_is_skipped_as_a_whole() {
    let scene = scene("untaken", &["preview"]);
    let end = deployed(&scene, &scene.push("feature-1")).await;
    assert_eq!(end.parent.error, None);
    assert_eq!(
        skipped(&scene, &end.parent),
        pairs(&[("repository/app:feature-1", "TAG_NOT_TAKEN")])
    );
}

async fn what_is_on_hold_stays_until_the_hold_is_lifted() {
    let scene = scene("hold", &["staging", "other-staging"]);
    tag(
        &scene,
        "staging",
        "ecr-deploy:hold",
        Some("ann - freeze until the audit"),
    );
    let end = deployed(&scene, &scene.push("main-1")).await;
    assert_eq!(moved(&scene, &end), ["other-staging"]);
    assert_eq!(skipped(&scene, &end.parent), pairs(&[("staging", "ON_HOLD")]));
    assert!(
        end.parent
            .output
            .unwrap()
            .to_string()
            .contains("freeze until the audit")
    );

    tag(
        &scene,
        "staging",
        "ecr-deploy:hold",
        Some("until 2020-01-01T00:00:00Z long over"),
    );
    let end = deployed(&scene, &scene.push("main-2")).await;
    assert_eq!(moved(&scene, &end), ["other-staging", "staging"], "its time has come");

    tag(&scene, "staging", "ecr-deploy:hold", Some(""));
    assert_eq!(
        moved(&scene, &deployed(&scene, &scene.push("main-3")).await),
        ["other-staging"]
    );
    tag(&scene, "staging", "ecr-deploy:hold", None);
    let end = deployed(&scene, &scene.push("main-4")).await;
    assert_eq!(moved(&scene, &end), ["other-staging", "staging"], "it was lifted");
}

async fn an_opt_in_stage_owns_what_asks_for_it_and_off_is_off() {
    let scene = scene("opt-in", &["asks", "silent", "staging"]);
    tag(&scene, "asks", "ecr-deploy:stage", Some("asked"));
    tag(&scene, "staging", "ecr-deploy:stage", Some("off"));
    let end = deployed(&scene, &scene.push("main-1")).await;
    assert_eq!(moved(&scene, &end), ["asks"]);
    assert_eq!(
        skipped(&scene, &end.parent),
        pairs(&[("silent", "NO_STAGE"), ("staging", "STAGE_OFF")])
    );
    // What stages select is beaten by the service's own tag, also from one stage to another.
    tag(&scene, "staging", "ecr-deploy:stage", Some("previews"));
    let end = deployed(&scene, &scene.push("pr-1")).await;
    assert_eq!(moved(&scene, &end), ["asks", "staging"]);
}

async fn a_mistyped_stage_is_red_for_its_service_alone() {
    let scene = scene("mistyped", &["staging", "other-staging"]);
    tag(&scene, "staging", "ecr-deploy:stage", Some("stagign"));
    let push = scene.push("main-1");
    let arn = scene.start(&push).await;
    let end = scene.end(&arn).await;
    assert_eq!(moved(&scene, &end), ["other-staging"]);
    let state = scene.state_of("mistyped-other-staging");
    assert_eq!(state["imageDigests"], json!([push.digest]), "the others go on");
    assert_eq!(end.parent.error.as_deref(), Some("Deploy.ServicesFailed"), "{end:#?}");
    let message = end.parent.message().unwrap();
    assert!(message.contains("1 of 2 services failed"), "{message}");
    let says =
        "mistyped-staging in mistyped-cluster: its tag ecr-deploy:stage is \"stagign\", and there is no such stage";
    assert!(message.contains(says), "{message}");

    tag(&scene, "staging", "ecr-deploy:stage", Some("staging"));
    let end = deployed(&scene, &push).await;
    assert_eq!(
        end.parent.error, None,
        "the same push again, once the tag is right: {end:#?}"
    );
    assert_eq!(scene.state_of("mistyped-staging")["imageDigests"], json!([push.digest]));
}

async fn a_lower_version_than_what_runs_is_skipped() {
    let scene = Scene::on(&STAGED, "lower");
    let image = scene.image("v1.4.0");
    scene.push("v1.4.0");
    scene.seed_named(
        "production",
        Seed {
            image: Some(image),
            service: object(json!({"tags": [{"key": "team", "value": "shop"}]})),
            ..Seed::default()
        },
    );
    for tag in ["v1.3.9", "1.4.0-rc.1"] {
        let end = deployed(&scene, &scene.push(tag)).await;
        assert_eq!(end.children.len(), 0, "{tag}: {end:#?}");
    }
    let end = deployed(&scene, &scene.push("v1.3.8")).await;
    assert_eq!(skipped(&scene, &end.parent), pairs(&[("production", "LOWER_VERSION")]));
    let end = deployed(&scene, &scene.push("1.5.0")).await;
    assert_eq!(moved(&scene, &end), ["production"]);
}

async fn a_plan_that_is_asked_for_alone_names_stages_and_changes_nothing() {
    let scene = scene("plan", &["staging", "production"]);
    let mut push = scene.push("main-1");
    push.event["plan"] = json!(true);
    let end = deployed(&scene, &push).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    assert_eq!(skipped(&scene, &end.parent), pairs(&[("production", "TAG_NOT_TAKEN")]));
    let output = end.parent.output.clone().unwrap();
    let planned = json!([{"cluster": "plan-cluster", "service": "plan-staging", "stage": "staging"}]);
    assert_eq!(output["revisions"][0]["services"], planned, "{output}");
    assert_eq!(output["revisions"][0]["taskDefinition"], "plan-staging:1");
    assert_eq!(end.children.len(), 0);
    let changes = ["UpdateService", "RegisterTaskDefinition", "StopServiceDeployment"];
    assert!(
        changes.iter().all(|operation| scene.calls(operation).is_empty()),
        "{:#?}",
        scene.calls("")
    );
}
