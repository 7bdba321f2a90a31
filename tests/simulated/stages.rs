//! Which tag goes to which service: the stages of the settings, and the services' own tags.

use crate::support::{Ending, OPT_IN, STAGED, Scene, object, scenarios, short};
use local_aws::executions::Execution;
use local_aws::images::Push;
use local_aws::{ACCOUNT, REGION};
use serde_json::{Value, json};
use simulated_ecs::{Behaviour, Seed};

scenarios![
    a_tag_moves_only_the_services_of_the_stages_that_take_it,
    a_tag_that_no_stage_takes_is_skipped_as_a_whole,
    what_is_on_hold_stays_until_the_hold_is_lifted,
    an_opt_in_stage_owns_what_asks_for_it_and_off_is_off,
    a_mistyped_stage_is_red_for_its_service_alone,
    a_lower_version_than_what_runs_is_skipped,
    a_lower_version_is_known_by_the_tag_that_is_recorded_where_a_digest_runs,
    where_rollback_is_none_a_failed_rollout_stays_and_the_next_push_goes_on_from_it,
    a_newer_document_of_somebody_elses_goes_live_with_the_next_push,
    whenever_somebody_applies_a_document_it_ends_on_that_with_the_newest_image,
    a_plan_that_is_asked_for_alone_names_stages_and_changes_nothing,
    a_release_passes_through_staging_and_a_broken_one_stops_there,
    an_image_that_staging_has_stable_is_promoted_by_a_new_tag,
    a_service_that_is_not_stable_after_the_soak_keeps_production_back_until_it_is,
    everything_stays_on_hold_until_the_hold_is_lifted_and_one_in_a_soak_spares_production,
    a_service_that_is_put_on_hold_while_its_push_soaks_stays_as_it_is,
    a_push_that_no_stage_takes_starts_no_execution,
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
    // The service's own tag beats what stages select, also from one stage to another.
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

async fn a_lower_version_is_known_by_the_tag_that_is_recorded_where_a_digest_runs() {
    let scene = scene("recorded", &["pinned"]);
    let release = scene.push("v1.4.0");
    assert_eq!(moved(&scene, &deployed(&scene, &release).await), ["pinned"]);
    let revisions = scene.revisions("recorded-pinned");
    let image = revisions[1]["images"][0].as_str().unwrap();
    assert!(image.ends_with(&format!("app@{}", release.digest)), "{image}");
    let end = deployed(&scene, &scene.push("v1.3.9")).await;
    assert_eq!(skipped(&scene, &end.parent), pairs(&[("pinned", "LOWER_VERSION")]));
    let broken = scene.push_as("v1.5.0", Some(Behaviour::Crash));
    let end = deployed(&scene, &broken).await;
    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let end = deployed(&scene, &scene.push("v1.3.8")).await;
    assert_eq!(
        skipped(&scene, &end.parent),
        pairs(&[("pinned", "LOWER_VERSION")]),
        "v1.4.0 is back"
    );
    assert_eq!(
        moved(&scene, &deployed(&scene, &scene.push("v1.4.1")).await),
        ["pinned"]
    );
}

async fn where_rollback_is_none_a_failed_rollout_stays_and_the_next_push_goes_on_from_it() {
    let scene = scene("stays", &["kept", "staging"]);
    let broken = scene.push_as("main-1", Some(Behaviour::Crash));
    let arn = scene.start(&broken).await;
    let end = scene.end(&arn).await;
    assert_eq!(end.outcome_of("stays-kept"), "Deploy.NotRolledBack", "{end:#?}");
    assert_eq!(end.outcome_of("stays-staging"), "Deploy.RolledBack", "{end:#?}");
    let message = end.message_of("stays-kept");
    let says = "ecr-deploy rollback stays-cluster/stays-kept --why";
    assert!(
        message.contains("It stays on stays-kept:2") && message.contains(says),
        "{message}"
    );
    assert!(
        end.parent.message().unwrap().contains("It stays on stays-kept:2"),
        "{end:#?}"
    );
    assert_eq!(scene.changes("stays-kept").len(), 1, "one update, and nothing after it");
    assert_eq!(short(&scene.state_of("stays-kept")["taskDefinition"]), "stays-kept:2");
    let states = scene.states(end.child("stays-kept")).await;
    let last = [
        "Rollout stable?",
        "Rollback wanted?",
        "Sum up",
        "Failed?",
        "Tell that it failed",
        "Conclude",
    ];
    assert!(states.ends_with(&last.map(str::to_owned)), "{states:?}");
    // How long it may take is the stage's own.
    let seconds = |service: &str| {
        let rollout = &end.child(service).input["settings"];
        rollout["rolloutTimeoutSeconds"].as_u64().unwrap()
    };
    assert_eq!((seconds("stays-kept"), seconds("stays-staging")), (200, 240));

    let good = scene.push("main-2");
    let end = deployed(&scene, &good).await;
    assert_eq!(end.outcome_of("stays-kept"), "DEPLOYED", "{end:#?}");
    let kept = scene.state_of("stays-kept");
    assert_eq!(
        (short(&kept["taskDefinition"]), &kept["imageDigests"]),
        ("stays-kept:3", &json!([good.digest]))
    );
}

/// Registers what infrastructure as code would: more memory, an environment, a container, and the image of long ago. Where it
/// `moves` the service too, it does that at once. Returns the revision's number.
fn apply(scene: &Scene, service: &str, moves: bool) -> u64 {
    let service = format!("{}{service}", scene.prefix());
    let app = json!({
        "name": "app", "image": scene.image("v1"), "essential": true, "environment": [{"name": "LEVEL", "value": "debug"}],
    });
    let log = json!({"name": "log", "image": scene.image("v1"), "essential": false});
    let mut document = json!({"family": service, "memory": "1024", "containerDefinitions": [app, log]});
    for role in ["executionRoleArn", "taskRoleArn"] {
        document[role] = scene.revisions(&service)[0]["document"][role].clone();
    }
    let registered = scene.ecs("RegisterTaskDefinition", &document);
    let revision = registered["taskDefinition"]["revision"].as_u64().unwrap();
    if moves {
        let update = json!({
            "cluster": scene.cluster(), "service": service, "taskDefinition": format!("{service}:{revision}"),
        });
        scene.ecs("UpdateService", &update);
    }
    revision
}

/// True if the revision that the service is on has what was applied, and this image in the container `app`.
fn has_both(scene: &Scene, service: &str, image: &str) -> bool {
    let service = format!("{}{service}", scene.prefix());
    let on = scene.state_of(&service)["taskDefinition"].clone();
    let number: usize = short(&on).rsplit(':').next().unwrap().parse().unwrap();
    let revision = scene.revisions(&service)[number - 1].clone();
    revision["document"]["memory"] == "1024"
        && revision["document"]["containerDefinitions"][0]["environment"][0]["name"] == "LEVEL"
        && revision["images"][0]
            .as_str()
            .is_some_and(|named| named.ends_with(image))
}

async fn a_newer_document_of_somebody_elses_goes_live_with_the_next_push() {
    let scene = scene("fresh", &["fresh"]);
    assert_eq!(deployed(&scene, &scene.push("main-1")).await.outcome(), "DEPLOYED");
    apply(&scene, "fresh", false);
    let push = scene.push("main-2");
    let end = deployed(&scene, &push).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert!(
        has_both(&scene, "fresh", ":main-2"),
        "{:#}",
        scene.state_of("fresh-fresh")
    );
    let message = end.message();
    let says = "it was made from fresh-fresh:3, which somebody else registered since, and which differs from fresh-fresh:2 in memory, \
                environment of app, container log, which is new";
    assert!(
        message.contains(says) && !message.contains("debug") && !message.contains("1024"),
        "{message}"
    );
    assert_eq!(
        end.child("fresh-fresh").output.as_ref().unwrap()["base"],
        "fresh-fresh:3"
    );
    let revisions = scene.revisions("fresh-fresh").len();
    let again = deployed(&scene, &push).await;
    assert_eq!(
        (&*again.outcome(), scene.revisions("fresh-fresh").len()),
        ("ALREADY_DEPLOYED", revisions)
    );

    // A bad image goes back to what was good, and the next one has the document still.
    let broken = scene.push_as("main-3", Some(Behaviour::Crash));
    assert_eq!(deployed(&scene, &broken).await.outcome(), "Deploy.RolledBack");
    assert!(has_both(&scene, "fresh", ":main-2"));
    let end = deployed(&scene, &scene.push("main-4")).await;
    assert_eq!(
        (&*end.outcome(), has_both(&scene, "fresh", ":main-4")),
        ("DEPLOYED", true)
    );
    assert!(
        !end.message().contains("it was made from"),
        "there is nothing newer: {}",
        end.message()
    );
}

/// A document that is applied with the service: before the push is registered, between that and its update, while it rolls out;
/// and while it goes back.
async fn whenever_somebody_applies_a_document_it_ends_on_that_with_the_newest_image() {
    let scene = scene("applied", &["early-fresh", "between-fresh", "late-fresh"]);
    apply(&scene, "early-fresh", true);
    scene.hold("RegisterTaskDefinition", "applied-between-fresh");
    scene.hold_tasks(&scene.image("main-1"));
    let push = scene.push("main-1");
    let arn = scene.start(&push).await;
    let has_registered = |scene: &Scene, service: &str| scene.revisions(service).len() > 1;
    scene
        .until_any("the registration", |scene| {
            has_registered(scene, "applied-between-fresh")
        })
        .await;
    apply(&scene, "between-fresh", true);
    scene.release("applied-between-fresh");
    scene
        .until_any("the update", |scene| scene.changes("applied-late-fresh").len() == 1)
        .await;
    apply(&scene, "late-fresh", true);
    scene.release_tasks(&scene.image("main-1"));
    let end = scene.end(&arn).await;
    for service in ["early-fresh", "between-fresh", "late-fresh"] {
        let full = format!("applied-{service}");
        assert_eq!(end.outcome_of(&full), "DEPLOYED", "{end:#?}");
        assert!(
            has_both(&scene, service, ":main-1"),
            "{service}: {:#}",
            scene.state_of(&full)
        );
        assert_eq!(
            scene.state_of(&full)["imageDigests"].as_array().map(Vec::is_empty),
            Some(false)
        );
    }

    // An apply while a broken image goes back stays, and the push is red.
    let broken = scene.push_as("main-2", Some(Behaviour::Crash));
    let arn = scene.start(&broken).await;
    scene
        .until_any("the rollback", |scene| scene.changes("applied-late-fresh").len() > 3)
        .await;
    let applied = apply(&scene, "late-fresh", true);
    let end = scene.end(&arn).await;
    assert_eq!(end.outcome_of("applied-late-fresh"), "Deploy.RolledBack", "{end:#?}");
    let on = scene.state_of("applied-late-fresh")["taskDefinition"].clone();
    assert_eq!(short(&on), format!("applied-late-fresh:{applied}"), "it is not touched");
    let end = deployed(&scene, &scene.push("main-3")).await;
    assert_eq!(end.outcome_of("applied-late-fresh"), "DEPLOYED", "{end:#?}");
    assert!(has_both(&scene, "late-fresh", ":main-3"));
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

/// The services of the calls of `UpdateService`, in order, without the scene's name.
fn updates(scene: &Scene) -> Vec<String> {
    let calls = scene.calls("UpdateService");
    let services = calls.iter().map(|call| call["parameters"]["service"].as_str().unwrap());
    services
        .map(|service| service.rsplit(&scene.prefix()).next().unwrap().to_owned())
        .collect()
}

async fn a_release_passes_through_staging_and_a_broken_one_stops_there() {
    let scene = scene("release", &["staging", "other-staging", "production"]);
    let release = scene.push("v1.4.0");
    let end = deployed(&scene, &release).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    assert_eq!(moved(&scene, &end), ["other-staging", "production", "staging"]);
    assert_eq!(updates(&scene).last().map(String::as_str), Some("production"));
    let states = scene.states(&end.parent).await;
    let wave = ["Deploy wave", "Soak", "Still stable?", "Next wave"];
    let entered: Vec<&str> = states
        .iter()
        .map(String::as_str)
        .filter(|state| wave.contains(state))
        .collect();
    assert_eq!(
        entered,
        ["Deploy wave", "Soak", "Still stable?", "Next wave", "Deploy wave"]
    );
    let [soak, deployed_next] = ["Soak", "Deploy wave"].map(|state| scene.entered(&end.parent, state));
    let (soak, waves) = (soak.await, deployed_next.await);
    assert!(
        waves[1] - soak[0] >= 2_500,
        "a soak of three seconds: {soak:?} {waves:?}"
    );

    let broken = scene.push_as("v1.5.0", Some(Behaviour::Crash));
    let end = deployed(&scene, &broken).await;
    assert_eq!(end.parent.error.as_deref(), Some("Deploy.ServicesFailed"), "{end:#?}");
    let message = end.parent.message().unwrap();
    assert!(message.contains("- not reached: 1 service of production"), "{message}");
    assert_eq!(moved(&scene, &end), ["other-staging", "staging"]);
    let production = scene.state_of("release-production");
    assert_eq!(production["imageDigests"], json!([release.digest]));
    assert_eq!(
        updates(&scene)
            .iter()
            .filter(|service| *service == "production")
            .count(),
        1
    );
}

async fn an_image_that_staging_has_stable_is_promoted_by_a_new_tag() {
    let scene = scene("promotion", &["staging", "promoted"]);
    let tried = scene.push("main-7");
    assert_eq!(moved(&scene, &deployed(&scene, &tried).await), ["staging"]);
    let again = scene.on.aws.push_again(&scene.repository(), "release-1", &tried.digest);
    let end = deployed(&scene, &again.unwrap()).await;
    assert_eq!(moved(&scene, &end), ["promoted"], "staging is not touched");
    assert_eq!(
        scene.state_of("promotion-promoted")["imageDigests"],
        json!([tried.digest])
    );

    let end = deployed(&scene, &scene.push("release-2")).await;
    let expected = pairs(&[("promoted", "NOT_PROMOTED"), ("staging", "TAG_NOT_TAKEN")]);
    assert_eq!((moved(&scene, &end), skipped(&scene, &end.parent)), (vec![], expected));
    let output = end.parent.output.unwrap();
    let of_promoted = output["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["reason"] == "NOT_PROMOTED");
    let message = of_promoted.unwrap()["message"].as_str().unwrap();
    let says = "promoted comes after staging, and promotion-staging in promotion-cluster is not stable on this image";
    assert!(message.contains(says), "{message}");
}

async fn a_service_that_is_not_stable_after_the_soak_keeps_production_back_until_it_is() {
    let scene = scene("soak", &["staging", "production"]);
    let release = scene.push("v1.4.0");
    let arn = scene.start(&release).await;
    let is_steady_on = |scene: &Scene, revision: &str| {
        let state = scene.state_of("soak-staging");
        let newest = state["history"]
            .as_array()
            .and_then(|all| all.last().cloned())
            .unwrap_or_default();
        newest["taskDefinition"]
            .as_str()
            .is_some_and(|on| on.ends_with(revision))
            && newest["status"] == "SUCCESSFUL"
    };
    scene
        .until("the rollout of staging", |scene| is_steady_on(scene, "soak-staging:2"))
        .await;
    let update = |revision: &str| {
        let (cluster, service) = (scene.cluster(), "soak-staging");
        let request = json!({"cluster": cluster, "service": service, "taskDefinition": revision});
        scene.ecs("UpdateService", &request)
    };
    // The step that checks the rollout may not have read yet: it concludes, and the soak begins.
    while !scene.has_entered(&arn, "Soak").await {
        local_aws::pause(std::time::Duration::from_millis(100)).await;
    }
    update("soak-staging:1");
    let end = scene.end(&arn).await;
    assert_eq!(end.parent.error.as_deref(), Some("Deploy.NotStable"), "{end:#?}");
    let message = end.parent.message().unwrap();
    let says = "soak-staging in soak-cluster: it is on soak-staging:1, which has another image";
    assert!(
        message.contains("after the soak 1 of 1 services") && message.contains(says),
        "{message}"
    );
    assert_eq!(moved(&scene, &end), ["staging"]);

    update("soak-staging:2");
    scene
        .until("the rollback", |scene| is_steady_on(scene, "soak-staging:2"))
        .await;
    let sfn = scene.on.aws.sfn();
    sfn.redrive_execution().execution_arn(&arn).send().await.unwrap();
    let end = scene.end(&arn).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    assert_eq!(moved(&scene, &end), ["production", "staging"]);
    assert_eq!(
        scene.state_of("soak-production")["imageDigests"],
        json!([release.digest])
    );
}

/// A service of staging and one of production, each by its own tag.
fn seed_staging_and_production(scene: &Scene) {
    for stage in ["staging", "production"] {
        scene.seed_named(
            stage,
            Seed {
                service: object(json!({"tags": [{"key": "ecr-deploy:stage", "value": stage}]})),
                ..Seed::default()
            },
        );
    }
}

async fn everything_stays_on_hold_until_the_hold_is_lifted_and_one_in_a_soak_spares_production() {
    let scene = Scene::on(&OPT_IN, "all-held");
    seed_staging_and_production(&scene);
    let hold = |text| scene.on.aws.hold_everything(&scene.on.stack, text).unwrap();
    let text = "ann - no deployments until the audit is over";
    let says = format!(
        "everything is on hold by the parameter /ecr-deploy/ecr-deploy/hold: {text:?}. When that is lifted, the next sweep \
         deploys it; or push again, or start the event by hand"
    );
    let message = |end: &Ending| end.parent.output.as_ref().unwrap()["message"].clone();

    hold(Some(text));
    let release = scene.push("v1.4.0");
    let end = deployed(&scene, &release).await;
    assert_eq!((&end.parent.error, message(&end)), (&None, json!(says)), "{end:#?}");
    let both = pairs(&[("production", "ALL_ON_HOLD"), ("staging", "ALL_ON_HOLD")]);
    assert_eq!((moved(&scene, &end), skipped(&scene, &end.parent)), (vec![], both));

    hold(None);
    let end = deployed(&scene, &release).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    assert_eq!(
        moved(&scene, &end),
        ["production", "staging"],
        "the same push, once it is lifted"
    );

    let next = scene.push("v1.5.0");
    let soaking = scene.hold_answers("\"soaked\"");
    let arn = scene.start(&next).await;
    while !scene.has_entered(&arn, "Still stable?").await {
        local_aws::pause(std::time::Duration::from_millis(50)).await;
    }
    hold(Some(text));
    drop(soaking);
    let end = scene.end(&arn).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    assert_eq!(moved(&scene, &end), ["staging"]);
    let output = end.parent.output.as_ref().unwrap();
    let not_reached = json!([{"resource": "1 service of production", "reason": "ALL_ON_HOLD", "message": says}]);
    assert_eq!(output["skipped"], not_reached);
    let state = scene.state_of("all-held-production");
    assert_eq!(state["imageDigests"], json!([release.digest]));

    hold(Some("until 2020-01-01T00:00:00Z long over"));
    let end = deployed(&scene, &next).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    let state = scene.state_of("all-held-production");
    assert_eq!(state["imageDigests"], json!([next.digest]), "its time has come");
    hold(None);
}

/// Production was planned before somebody set its hold.
async fn a_service_that_is_put_on_hold_while_its_push_soaks_stays_as_it_is() {
    let scene = Scene::on(&OPT_IN, "soak-held");
    seed_staging_and_production(&scene);
    let before = scene.state_of("soak-held-production")["imageDigests"].clone();
    let soaking = scene.hold_answers("\"soaked\"");
    let arn = scene.start(&scene.push("v1.4.0")).await;
    while !scene.has_entered(&arn, "Still stable?").await {
        local_aws::pause(std::time::Duration::from_millis(50)).await;
    }
    tag(&scene, "production", "ecr-deploy:hold", Some("ann - v1.4.0 is slow"));
    drop(soaking);
    let end = scene.end(&arn).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    assert_eq!(end.outcome_of("soak-held-production"), "ON_HOLD", "{end:#?}");
    assert_eq!(skipped(&scene, &end.parent), pairs(&[("production", "ON_HOLD")]));
    assert_eq!(scene.state_of("soak-held-production")["imageDigests"], before);
}

/// The stages of the stack take `main-*` and versions.
async fn a_push_that_no_stage_takes_starts_no_execution() {
    let scene = Scene::on(&OPT_IN, "unstarted");
    for tag in ["pr-1", "latest", "v1.4", "main-1", "v1.4.0"] {
        scene.on.aws.dispatch(&scene.push(tag).event).unwrap();
    }
    let repository = scene.repository();
    for machine in [&scene.on.stack.push, &scene.on.stack.deploy_image] {
        let of_repository = |it: &Execution| it.is_of_push_to(&repository);
        let limit = crate::support::LIMIT;
        let ended = scene
            .on
            .aws
            .ended_executions(machine, 2, None, of_repository, limit)
            .await
            .unwrap();
        let mut tags: Vec<&str> = ended
            .iter()
            .map(|it| it.input["detail"]["requestParameters"]["imageTag"].as_str().unwrap())
            .collect();
        tags.sort_unstable();
        assert_eq!(tags, ["main-1", "v1.4.0"]);
    }
}
