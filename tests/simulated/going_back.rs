//! The rollback: to the last good revision and contents, once, and never against somebody else.

use crate::redrive::{self, redrive};
use crate::support::{DEADLINE, Ending, IMPATIENT, Scene, message, object, outcome, scenarios, short};
use local_aws::images::Push;
use serde_json::{Value, json};
use simulated_ecs::{Behaviour, Fault, Kind, Scheduled, Seed, Weather};

scenarios![
    three_pushes_of_which_the_second_and_the_third_are_bad_end_on_the_first,
    a_bad_push_after_one_that_was_rolled_back_goes_back_to_the_same_good_one,
    a_bad_latest_goes_back_to_the_old_digest_by_stopping_the_deployment,
    a_bad_latest_goes_back_to_the_old_digest_by_a_pinned_revision_without_service_deployments,
    a_bad_latest_goes_back_to_the_old_digest_where_service_deployments_are_denied,
    a_bad_latest_on_a_service_that_no_push_of_ours_was_on_never_goes_back_to_the_bad_contents,
    a_good_latest_after_a_pinned_rollback_is_deployed_by_its_tag,
    a_rollback_by_ecs_is_watched_and_nothing_is_done_twice,
    a_push_that_arrives_during_a_rollback_waits_and_then_deploys,
    a_push_that_arrives_during_a_rollback_by_ecs_waits_and_then_deploys,
    a_bad_push_that_arrives_during_a_rollback_goes_back_to_the_same_good_revision,
    a_bad_push_that_arrives_during_a_rollback_by_an_update_goes_back_to_the_same_good_revision,
    a_rollback_whose_old_image_breaks_too_says_that_it_failed,
    a_good_push_gets_through_when_the_rollback_never_ends,
    a_good_push_gets_through_when_the_rollback_by_an_update_never_ends,
    a_rollback_by_ecs_that_fails_says_so,
    a_rollback_that_takes_too_long_says_so,
    a_rollback_that_a_newer_push_overtakes_has_its_own_outcome,
    a_rollback_that_a_person_overtakes_stays_red,
    the_old_image_by_tag_is_gone_and_nothing_is_touched,
    the_old_image_is_archived_and_nothing_is_touched_until_it_is_restored,
    a_pushed_image_that_was_archived_since_is_not_started_by_a_redrive,
    back_to_a_revision_that_was_deregistered_meanwhile_is_back_to_a_copy_of_it,
    a_rollback_leaves_every_revision_registered,
    each_service_goes_back_to_its_own_last_good_revision,
    a_failed_deployment_that_a_service_was_left_on_is_not_what_it_goes_back_to,
    a_bad_latest_that_ecs_rolls_back_runs_the_old_digest,
    a_lost_answer_to_the_stop_of_a_deployment_is_no_second_rollback,
    a_lost_answer_to_the_update_back_is_no_second_rollback,
    of_two_repositories_pushed_together_only_the_bad_one_goes_back,
    an_image_that_crashes_after_it_was_stable_goes_back_to_the_last_good_revision_without_it,
];

/// Old tasks are stopped before new ones are started, so that a rollback has to start tasks, too.
fn stop_first() -> Value {
    json!({"minimumHealthyPercent": 0, "maximumPercent": 100})
}

async fn three_pushes_of_which_the_second_and_the_third_are_bad_end_on_the_first() {
    let scene = Scene::new("three");
    scene.seed(Seed::default());
    let first = scene.push("v2");
    let execution = scene.start(&first).await;
    assert_eq!(scene.end(&execution).await.outcome(), "DEPLOYED");

    // The second one has not failed yet when the third one comes, and never gets to.
    scene.hold_tasks(&scene.image("exit-early"));
    let second = scene.start(&scene.push("exit-early")).await;
    scene
        .until("the second rollout", |it| it.changes(&it.service()).len() == 2)
        .await;
    let third = scene.start(&scene.push("crash")).await;
    let (second, third) = (scene.end(&second).await, scene.end(&third).await);

    assert_eq!(second.outcome(), "SUPERSEDED", "{second:#?}");
    assert_eq!(third.outcome(), "Deploy.RolledBack", "{third:#?}");
    let state = scene.state();
    assert_eq!(state["imageDigests"], json!([first.digest]));
    assert_eq!(short(&state["taskDefinition"]), "three-web:2");
    assert_eq!(state["rolloutState"], "COMPLETED");
}

async fn a_bad_push_after_one_that_was_rolled_back_goes_back_to_the_same_good_one() {
    let scene = Scene::new("twice");
    scene.seed(Seed::default());

    for tag in ["exit-early", "crash"] {
        let end = scene.deploy(tag).await;
        assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
        assert_eq!(short(&scene.state()["taskDefinition"]), "twice-web:1");
    }
}

/// A service on `latest` by its tag, which was last deployed by a push of ours; then a bad `latest`. Ends on the old contents.
async fn bad_latest(scene: &Scene, weather: Weather) {
    scene.push("latest");
    scene.seed(Seed {
        image: Some(scene.image("latest")),
        ..Seed::default()
    });
    let good = scene.push("latest");
    let execution = scene.start(&good).await;
    let end = scene.end(&execution).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([good.digest]));
    scene.weather(weather);

    let bad = scene.push_as("latest", Some(Behaviour::Crash));
    let execution = scene.start(&bad).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let state = scene.state();
    assert_eq!(
        state["imageDigests"],
        json!([good.digest]),
        "the old contents: {state:#}"
    );
    assert_eq!(state["rolloutState"], "COMPLETED");
}

async fn a_bad_latest_goes_back_to_the_old_digest_by_stopping_the_deployment() {
    let scene = Scene::new("latest-stop");
    bad_latest(&scene, Weather::default()).await;
    let changes = scene.changes(&scene.service());
    let operations: Vec<&Value> = changes.iter().map(|change| &change["operation"]).collect();
    assert_eq!(operations, ["UpdateService", "UpdateService", "StopServiceDeployment"]);
}

async fn a_bad_latest_goes_back_to_the_old_digest_by_a_pinned_revision_without_service_deployments() {
    let scene = Scene::new("latest-pin");
    bad_latest(&scene, scene.without_service_deployments()).await;
    pinned(&scene);
}

async fn a_bad_latest_goes_back_to_the_old_digest_where_service_deployments_are_denied() {
    let scene = Scene::new("latest-deny");
    let operations = [
        "ListServiceDeployments",
        "DescribeServiceDeployments",
        "DescribeServiceRevisions",
        "StopServiceDeployment",
    ];
    let deny = |operation: &str| Fault {
        operation: Some(operation.to_owned()),
        ..scene.fault(Kind::Deny)
    };
    let weather = Weather {
        faults: operations.map(deny).to_vec(),
        ..Weather::default()
    };
    bad_latest(&scene, weather).await;
    pinned(&scene);
}

/// The service is on a revision that names its image by digest, and says what it is there for.
fn pinned(scene: &Scene) {
    let state = scene.state();
    let on = short(&state["taskDefinition"]).to_owned();
    let revisions = scene.revisions(&scene.family());
    let revision = revisions.last().unwrap();
    assert_eq!(on, format!("{}:{}", scene.family(), revision["revision"]));
    let image = revision["images"][0].as_str().unwrap();
    let digest = state["imageDigests"][0].as_str().unwrap();
    assert!(image.ends_with(&format!("@{digest}")), "{image}");
    let tags = revision["tags"].to_string();
    assert!(tags.contains("ecr-deploy:rolled-back"), "{tags}");
}

/// Nothing recorded which contents its revision stood for, and ECS does not tell: the tasks that run tell.
async fn a_bad_latest_on_a_service_that_no_push_of_ours_was_on_never_goes_back_to_the_bad_contents() {
    let scene = Scene::new("latest-first");
    let old = scene.push("latest");
    scene.seed(Seed {
        image: Some(scene.image("latest")),
        service: object(json!({"deploymentConfiguration": stop_first()})),
        ..Seed::default()
    });
    scene.weather(scene.without_service_deployments());

    let bad = scene.push_as("latest", Some(Behaviour::Crash));
    let execution = scene.start(&bad).await;
    let end = scene.end(&execution).await;

    let state = scene.state();
    match end.outcome().as_str() {
        "Deploy.RolledBack" => assert_eq!(state["imageDigests"], json!([old.digest]), "{state:#}"),
        // Where nothing tells which contents were good, that has to be said, and the bad ones not called good.
        "Deploy.RollBackFailed" => {
            let message = end.message();
            assert!(message.contains("digest"), "{message}");
        }
        other => panic!("{other}: {end:#?}"),
    }
}

async fn a_good_latest_after_a_pinned_rollback_is_deployed_by_its_tag() {
    let scene = Scene::new("latest-again");
    bad_latest(&scene, scene.without_service_deployments()).await;

    let good = scene.push("latest");
    let execution = scene.start(&good).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([good.digest]));
    let revisions = scene.revisions(&scene.family());
    let newest = revisions.last().unwrap();
    assert_eq!(newest["images"], json!([scene.image("latest")]));
    assert!(
        !newest["tags"].to_string().contains("ecr-deploy:rolled-back"),
        "{newest:#}"
    );
}

async fn a_rollback_by_ecs_is_watched_and_nothing_is_done_twice() {
    let scene = Scene::new("watched");
    let mut configuration = stop_first();
    configuration["deploymentCircuitBreaker"] = json!({"enable": true, "rollback": true});
    let old = scene.push("slow-v0");
    scene.seed(Seed {
        image: Some(scene.image("slow-v0")),
        service: object(json!({"deploymentConfiguration": configuration})),
        ..Seed::default()
    });

    let end = scene.deploy("exit-early").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let changes = scene.changes(&scene.service());
    assert_eq!(changes.len(), 1, "only the update to the new revision: {changes:#?}");
    // To the end: the old image takes its time to start.
    let state = scene.state();
    assert_eq!(state["imageDigests"], json!([old.digest]));
    assert_eq!(state["readyCount"], 1);
    assert_eq!(scene.statuses(), ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL"]);
}

async fn a_push_that_arrives_during_a_rollback_waits_and_then_deploys() {
    waits_for_the_rollback("waits", stop_first()).await;
}

async fn a_push_that_arrives_during_a_rollback_by_ecs_waits_and_then_deploys() {
    let mut configuration = stop_first();
    configuration["deploymentCircuitBreaker"] = json!({"enable": true, "rollback": true});
    waits_for_the_rollback("waits-for-ecs", configuration).await;
}

async fn waits_for_the_rollback(name: &'static str, configuration: Value) {
    let scene = Scene::new(name);
    scene.seed(Seed {
        service: object(json!({"deploymentConfiguration": configuration})),
        ..Seed::default()
    });
    scene.hold_tasks(&scene.image("v1"));

    let bad = scene.start(&scene.push("exit-early")).await;
    scene
        .until("the rollback", |it| {
            it.state()["history"][1]["status"] == "ROLLBACK_IN_PROGRESS"
        })
        .await;
    let next = scene.push("v2");
    let good = scene.start(&next).await;
    scene.until_waiting_or_ended(&good).await;
    scene.release_tasks(&scene.image("v1"));
    let (bad, good) = (scene.end(&bad).await, scene.end(&good).await);

    assert!(has_gone_back(&bad), "{bad:#?}");
    assert_eq!(good.outcome(), "DEPLOYED", "{good:#?}");
    let entered = scene.states(&good.children[0]).await;
    assert!(entered.contains(&"Wait for running rollback".to_owned()), "{entered:?}");
    assert_eq!(scene.state()["imageDigests"], json!([next.digest]));
    assert_eq!(scene.statuses(), ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]);
}

async fn a_bad_push_that_arrives_during_a_rollback_goes_back_to_the_same_good_revision() {
    second_bad_push("second-bad", false).await;
}

async fn a_bad_push_that_arrives_during_a_rollback_by_an_update_goes_back_to_the_same_good_revision() {
    second_bad_push("second-bad-update", true).await;
}

/// While the rollback is under way, no deployment that `DescribeServices` lists has completed.
async fn second_bad_push(name: &'static str, is_by_update: bool) {
    let scene = Scene::new(name);
    let good = scene.push("v0");
    scene.seed(Seed {
        image: Some(scene.image("v0")),
        service: object(json!({"deploymentConfiguration": stop_first()})),
        ..Seed::default()
    });
    scene.hold_tasks(&scene.image("v0"));
    if is_by_update {
        scene.weather(scene.without_service_deployments());
    }

    let first = scene.start(&scene.push("exit-early")).await;
    scene
        .until("the rollback", |it| it.changes(&it.service()).len() == 2)
        .await;
    let second = scene.start(&scene.push("exit-early-too")).await;
    scene.until_waiting_or_ended(&second).await;
    scene.release_tasks(&scene.image("v0"));
    let (first, second) = (scene.end(&first).await, scene.end(&second).await);

    let state = scene.state();
    assert_eq!(second.outcome(), "Deploy.RolledBack", "{second:#?}");
    assert_eq!(state["imageDigests"], json!([good.digest]), "{state:#}");
    assert_eq!(state["rolloutState"], "COMPLETED", "{state:#}");
    assert!(has_gone_back(&first), "{first:#?}");
}

/// The newer push may update the service before the older one has read the end of its own rollback.
fn has_gone_back(end: &Ending) -> bool {
    ["Deploy.RolledBack", "ROLL_BACK_SUPERSEDED"].contains(&end.outcome().as_str())
}

async fn a_rollback_whose_old_image_breaks_too_says_that_it_failed() {
    let scene = Scene::new("breaks-too");
    // It has been running for long, and would not start again today.
    scene.push("exit-early-v0");
    scene.seed(Seed {
        image: Some(scene.image("exit-early-v0")),
        service: object(json!({"deploymentConfiguration": stop_first()})),
        ..Seed::default()
    });

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
    let said = end.message();
    for part in [
        "breaks-too-web in breaks-too-cluster",
        "breaks-too-web:2",
        "breaks-too-web:1",
        "exited with code 1",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let parent = message(&end.parent);
    assert!(parent.contains("rollback"), "{parent}");
}

async fn a_good_push_gets_through_when_the_rollback_never_ends() {
    gets_through("stuck", false).await;
}

async fn a_good_push_gets_through_when_the_rollback_by_an_update_never_ends() {
    gets_through("stuck-update", true).await;
}

/// Without a circuit breaker ECS tries for ever to start the old image. A good image helps, as the error says; its
/// push must not wait for a rollback that ends never.
async fn gets_through(name: &'static str, is_by_update: bool) {
    let scene = Scene::on(&IMPATIENT, name);
    scene.push("exit-early-v0");
    scene.seed(Seed {
        image: Some(scene.image("exit-early-v0")),
        service: object(json!({"deploymentConfiguration": stop_first()})),
        ..Seed::default()
    });
    if is_by_update {
        scene.weather(scene.without_service_deployments());
    }
    let end = scene.deploy("exit-early").await;
    assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
    let message = end.message();
    assert!(message.contains("push a good image"), "{message}");

    let good = scene.push("v2");
    let execution = scene.start(&good).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([good.digest]));
}

async fn a_rollback_by_ecs_that_fails_says_so() {
    let scene = Scene::new("ecs-fails");
    let mut configuration = stop_first();
    configuration["deploymentCircuitBreaker"] = json!({"enable": true, "rollback": true});
    scene.push("exit-early-v0");
    scene.seed(Seed {
        image: Some(scene.image("exit-early-v0")),
        service: object(json!({"deploymentConfiguration": configuration})),
        ..Seed::default()
    });

    let end = scene.deploy("nopull").await;

    assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
    let message = end.message();
    assert!(
        message.contains("CannotPullContainerError"),
        "what was wrong at first: {message}"
    );
    assert!(message.contains("exited with code 1"), "what is wrong now: {message}");
}

async fn a_rollback_that_takes_too_long_says_so() {
    let scene = Scene::on(&IMPATIENT, "too-long");
    scene.seed_service(json!({"deploymentConfiguration": stop_first()}));
    scene.hold_tasks(&scene.image("v1"));

    let end = scene.deploy("exit-early").await;

    assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
    let message = end.message();
    assert!(message.contains(DEADLINE), "{message}");
    assert!(message.contains("exited with code 1"), "{message}");
}

/// Two executions of one service's pushes never roll out at once, but the newer push may have been deployed by somebody
/// else's hand.
async fn a_rollback_that_a_newer_push_overtakes_has_its_own_outcome() {
    let scene = Scene::new("overtaken");
    let bad = scene.push("exit-early");
    let newer = scene.push("v2");
    let detail = &newer.event["detail"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let push = format!("{} {}", text(&detail["eventTime"]), text(&detail["eventID"]));
    let record = format!("{push} {} v2", newer.digest);
    let tags = json!([{"key": format!("ecr-deploy:push/{}", scene.repository()), "value": record}]);

    let end = overtaken(&scene, &bad, tags, "v2").await;

    assert_eq!(end.outcome(), "ROLL_BACK_SUPERSEDED", "{end:#?}");
    let message = end.message();
    assert!(message.contains("overtaken-web:2"), "what overtook it: {message}");
    assert!(message.contains("exited with code 1"), "what had failed: {message}");
    assert_eq!(scene.state()["imageDigests"], json!([newer.digest]));
}

/// A person's deployment is not touched then, but the push has failed and nothing newer made up for it.
async fn a_rollback_that_a_person_overtakes_stays_red() {
    let scene = Scene::new("barged");
    let bad = scene.push("exit-early");

    let end = overtaken(&scene, &bad, json!([]), "v1").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let message = end.message();
    assert!(message.contains("barged-web:2"), "what overtook it: {message}");
    assert!(message.contains("exited with code 1"), "what had failed: {message}");
}

/// A bad push whose rollback is overtaken by a deployment of a revision with these tags on it and this image in it; that
/// stays.
async fn overtaken(scene: &Scene, bad: &Push, tags: Value, tag: &str) -> Ending {
    scene.push("slow-v0");
    scene.seed(Seed {
        image: Some(scene.image("slow-v0")),
        service: object(json!({"deploymentConfiguration": stop_first()})),
        ..Seed::default()
    });
    let theirs = scene.register(&scene.family(), tag);
    if tags != json!([]) {
        scene.ecs("TagResource", &json!({"resourceArn": theirs, "tags": tags}));
    }
    scene.weather(Weather {
        schedule: vec![Scheduled {
            at_milliseconds: None,
            after: Some(scene.after("StopServiceDeployment", 1_500)),
            operation: "UpdateService".to_owned(),
            request: json!({
                "cluster": scene.cluster(),
                "service": scene.service(),
                "taskDefinition": theirs,
            }),
        }],
        ..Weather::default()
    });

    let execution = scene.start(bad).await;
    let end = scene.end(&execution).await;

    scene
        .until("their deployment", |it| it.state()["rolloutState"] == "COMPLETED")
        .await;
    assert_eq!(scene.state()["taskDefinition"], theirs.as_str());
    assert_eq!(scene.changes(&scene.service()).len(), 2, "theirs is not touched");
    end
}

async fn the_old_image_by_tag_is_gone_and_nothing_is_touched() {
    let scene = Scene::new("gone");
    let old = scene.push("v0").digest;
    scene.seed(Seed {
        image: Some(scene.image("v0")),
        ..Seed::default()
    });
    let images = json!({"repositoryName": scene.repository(), "imageIds": [{"imageDigest": old}]});
    scene.ecr("BatchDeleteImage", &images);

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
    let message = end.message();
    assert!(message.contains("gone from ECR"), "{message}");
    assert!(message.contains(&old), "which image: {message}");
    assert_eq!(scene.changes(&scene.service()).len(), 1, "no rollback was begun");
}

/// By ECS's own stop, and by our update where ECS keeps no records.
async fn the_old_image_is_archived_and_nothing_is_touched_until_it_is_restored() {
    for (name, keeps_records) in [("archive-recorded", true), ("archive-unrecorded", false)] {
        let scene = Scene::new(name);
        let old = scene.push("v0").digest;
        scene.seed(Seed {
            image: Some(scene.image("v0")),
            ..Seed::default()
        });
        if !keeps_records {
            scene.weather(scene.without_service_deployments());
        }
        scene.archive(&old, true);

        let end = scene.deploy("crash").await;

        assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
        let message = end.message();
        let says = format!("{}@{old} is archived", scene.repository());
        assert!(
            message.contains(&says) && message.contains("restore it first"),
            "{message}"
        );
        assert_eq!(scene.changes(&scene.service()).len(), 1, "no rollback was begun");

        scene.archive(&old, false);
        redrive(&scene, &end.children[0].arn).await;
        let again = redrive::end(&scene, &end.children[0].arn).await;
        assert_eq!(outcome(&again), "Deploy.RolledBack", "{again:#?}");
        assert_eq!(scene.state()["imageDigests"], json!([old]));
    }
}

/// A rule of ECR's may archive what nobody has pulled for long, and an operator may come late.
async fn a_pushed_image_that_was_archived_since_is_not_started_by_a_redrive() {
    let scene = Scene::new("archive-since");
    scene.seed(Seed::default());
    let push = scene.push("crash");
    let failed = scene.end(&scene.start(&push).await).await;
    assert_eq!(failed.outcome(), "Deploy.RolledBack", "{failed:#?}");
    let (before, child) = (scene.changes(&scene.service()).len(), &failed.children[0].arn);

    scene.archive(&push.digest, true);
    redrive(&scene, child).await;
    let again = redrive::end(&scene, child).await;
    assert_eq!(outcome(&again), "Deploy.Rejected", "{again:#?}");
    let says = format!(
        "{}@{} is archived, and no task can pull it: restore it first",
        scene.repository(),
        push.digest
    );
    assert!(message(&again).contains(&says), "{}", message(&again));
    assert_eq!(scene.changes(&scene.service()).len(), before, "nothing is started");

    scene.archive(&push.digest, false);
    redrive(&scene, child).await;
    let again = redrive::end(&scene, child).await;
    assert_eq!(outcome(&again), "Deploy.RolledBack", "it is tried again: {again:#?}");
    assert!(scene.changes(&scene.service()).len() > before);
}

/// ECS starts no deployment of a deregistered revision, but its document is still there.
async fn back_to_a_revision_that_was_deregistered_meanwhile_is_back_to_a_copy_of_it() {
    let scene = Scene::new("inactive");
    let old = scene.push("v0").digest;
    scene.seed(Seed {
        image: Some(scene.image("v0")),
        container: object(json!({"environment": [{"name": "KEPT", "value": "yes"}]})),
        ..Seed::default()
    });
    scene.ecs("DeregisterTaskDefinition", &json!({"taskDefinition": "inactive-web:1"}));
    // So that it is up to the functions.
    scene.weather(scene.without_service_deployments());

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let entered = scene.states(&end.children[0]).await;
    let back = entered.iter().position(|state| state == "Roll back").unwrap();
    assert_eq!(
        entered[back..][..4],
        [
            "Roll back",
            "Rollback started?",
            "Register rollback revision",
            "Roll back"
        ],
        "no step both registers and starts"
    );
    let state = scene.state();
    assert_eq!(state["imageDigests"], json!([old]));
    assert_eq!(state["rolloutState"], "COMPLETED");
    assert_eq!(short(&state["taskDefinition"]), "inactive-web:3");
    let revisions = scene.revisions(&scene.family());
    let environment = "/containerDefinitions/0/environment";
    let (first, copy) = (&revisions[0]["document"], &revisions[2]["document"]);
    assert_eq!(first.pointer(environment), copy.pointer(environment));
}

async fn a_rollback_leaves_every_revision_registered() {
    let scene = Scene::new("registered");
    bad_latest(&scene, scene.without_service_deployments()).await;
    let end = scene.deploy("exit-early").await;
    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");

    assert_eq!(scene.calls("DeregisterTaskDefinition"), Vec::<Value>::new());
    let revisions = scene.revisions(&scene.family());
    assert!(
        revisions.iter().all(|revision| revision["active"] == true),
        "{revisions:#?}"
    );
}

/// Services that share a family but not a revision.
async fn each_service_goes_back_to_its_own_last_good_revision() {
    let scene = Scene::new("each");
    let family = scene.family();
    scene.seed_named(
        "first",
        Seed {
            family: Some(family.clone()),
            ..Seed::default()
        },
    );
    scene.push("v1b");
    scene.seed_named(
        "second",
        Seed {
            family: Some(family.clone()),
            image: Some(scene.image("v1b")),
            ..Seed::default()
        },
    );

    let end = scene.deploy("exit-early").await;

    for (service, back) in [("each-first", 1), ("each-second", 2)] {
        assert_eq!(end.outcome_of(service), "Deploy.RolledBack", "{end:#?}");
        let state = scene.state_of(service);
        assert_eq!(short(&state["taskDefinition"]), format!("{family}:{back}"));
        let message = message(end.child(service));
        assert!(message.contains(&format!("back on {family}:{back}")), "{message}");
    }
}

/// As a pipeline with a circuit breaker that only stops leaves it.
async fn a_failed_deployment_that_a_service_was_left_on_is_not_what_it_goes_back_to() {
    let scene = Scene::new("left-on");
    scene.seed_service(json!({
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": false}},
    }));
    let theirs = scene.register(&scene.family(), "exit-early-theirs");
    scene.ecs(
        "UpdateService",
        &json!({"cluster": scene.cluster(), "service": scene.service(), "taskDefinition": theirs}),
    );
    scene
        .until("its failure", |it| it.state()["rolloutState"] == "FAILED")
        .await;

    let end = scene.deploy("exit-early").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "left-on-web:1", "{state:#}");
    assert_eq!(state["rolloutState"], "COMPLETED");
}

async fn a_bad_latest_that_ecs_rolls_back_runs_the_old_digest() {
    let scene = Scene::new("latest-ecs");
    let old = scene.push("latest");
    scene.seed(Seed {
        image: Some(scene.image("latest")),
        service: object(json!({
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        })),
        ..Seed::default()
    });

    let bad = scene.push_as("latest", Some(Behaviour::ExitEarly));
    let execution = scene.start(&bad).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([old.digest]));
    assert_eq!(scene.changes(&scene.service()).len(), 1);
}

async fn a_lost_answer_to_the_stop_of_a_deployment_is_no_second_rollback() {
    let scene = Scene::new("lost-stop");
    scene.seed(Seed::default());
    scene.weather(Weather {
        faults: vec![Fault {
            operation: Some("StopServiceDeployment".to_owned()),
            times: Some(1),
            ..scene.fault(Kind::CutAfter)
        }],
        ..Weather::default()
    });

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(scene.statuses(), ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL"]);
    assert_eq!(scene.calls("UpdateService").len(), 1);
}

async fn a_lost_answer_to_the_update_back_is_no_second_rollback() {
    let scene = Scene::new("lost-back");
    let cut = Fault {
        operation: Some("UpdateService".to_owned()),
        // The updates to the good and to the bad image are answered.
        skip: 1,
        times: Some(1),
        ..scene.fault(Kind::CutAfter)
    };
    let mut weather = scene.without_service_deployments();
    weather.faults.push(cut);
    bad_latest(&scene, weather).await;
    pinned(&scene);
    assert_eq!(scene.revisions(&scene.family()).len(), 4, "one pinned revision");
}

/// The good one may have been undone with the bad one for a while; it is brought in again.
async fn of_two_repositories_pushed_together_only_the_bad_one_goes_back() {
    let (app, agent) = (Scene::new("mixed"), Scene::new("mixed-agent"));
    app.seed(Seed {
        sidecar_image: Some(agent.image("v1")),
        desired_count: 2,
        ..Seed::default()
    });
    let before = app.state()["imageDigests"].clone();
    let (good, bad) = (app.push("v2"), agent.push("crash"));

    let (first, second) = (app.start(&good).await, app.start(&bad).await);
    let (first, second) = (app.end(&first).await, app.end(&second).await);

    let state = app.state();
    let digests = state["imageDigests"].as_array().unwrap();
    assert!(!digests.contains(&json!(bad.digest)), "{state:#}");
    assert_eq!(state["rolloutState"], "COMPLETED", "{state:#}");
    assert!(second.parent.error.is_some(), "the bad push is red: {second:#?}");
    match first.parent.error {
        None => assert!(digests.contains(&json!(good.digest)), "green, and not there: {state:#}"),
        // It was undone together with the bad one, and says so.
        Some(_) => assert_eq!(state["imageDigests"], before, "{state:#}"),
    }
}

/// `:2` has the image and was successful; a person copies it to `:3`, tags and all, and there the image crashes.
async fn an_image_that_crashes_after_it_was_stable_goes_back_to_the_last_good_revision_without_it() {
    let scene = Scene::new("crashes");
    scene.seed(Seed::default());
    let before = scene.state()["imageDigests"].clone();
    let image = scene.image("v2");
    // The push's first read sees the rollout under way, and lasts until the person has been here.
    scene.hold_tasks(&image);
    scene.hold("ListTasks", &scene.prefix());
    let execution = scene.start(&scene.push("v2")).await;
    scene
        .until("the first read", |scene| !scene.calls("ListTasks").is_empty())
        .await;
    scene.release_tasks(&image);
    let is_successful = |scene: &Scene| scene.statuses().last().is_some_and(|last| last == "SUCCESSFUL");
    scene.until("the rollout", is_successful).await;

    scene.push_as("v2", Some(Behaviour::ExitEarly));
    let family = json!({"taskDefinition": scene.family(), "include": ["TAGS"]});
    let ours = scene.ecs("DescribeTaskDefinition", &family);
    let copy = json!({
        "family": scene.family(),
        "containerDefinitions": ours["taskDefinition"]["containerDefinitions"],
        "tags": ours["tags"],
    });
    let copy = &scene.ecs("RegisterTaskDefinition", &copy)["taskDefinition"]["taskDefinitionArn"];
    let update = json!({"cluster": scene.cluster(), "service": scene.service(), "taskDefinition": copy});
    scene.ecs("UpdateService", &update);
    scene.release(&scene.prefix());

    let end = scene.end(&execution).await;
    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "crashes-web:1", "{state:#}");
    assert_eq!(state["imageDigests"], before);
    assert_eq!(state["rolloutState"], "COMPLETED");
}
