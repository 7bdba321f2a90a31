//! A push is an image, once, under however many tags.

use crate::redrive::rollouts;
use crate::support::{BY_DIGEST, STAGED, Scene, outcome, scenarios, short};
use futures::future::join_all;
use local_aws::images::Push;
use serde_json::{Value, json};
use simulated_ecs::Seed;

scenarios![
    what_is_pushed_after_an_image_and_is_none_changes_nothing,
    one_image_under_several_tags_at_once_is_rolled_out_once,
    a_tag_that_comes_while_its_image_rolls_out_or_runs_finds_it_there,
    a_tag_that_comes_while_its_image_rolls_out_finds_it_there_where_revisions_name_digests,
    one_image_under_the_tags_of_two_stages_is_named_in_each_by_a_tag_that_moves_it,
    a_bad_image_is_not_tried_again_under_its_next_tag,
    fifty_tags_of_the_users_own_are_kept_and_keep_no_image_out,
];

/// The manifest of something with this config and this layer.
fn manifest(config: &str, layer: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": config, "size": 2},
        "layers": [{"mediaType": layer, "size": 2}],
    })
}

async fn what_is_pushed_after_an_image_and_is_none_changes_nothing() {
    let scene = Scene::new("no-image");
    scene.seed(Seed::default());
    let image = scene.push("v2");
    assert_eq!(scene.end(&scene.start(&image).await).await.outcome(), "DEPLOYED");

    let signature = format!("{}.sig", image.digest.replace(':', "-"));
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let cache = manifest("application/vnd.buildkit.cacheconfig.v0", tar);
    let signed = manifest(
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.dev.cosign.simplesigning.v1+json",
    );
    let chart = manifest("application/vnd.cncf.helm.config.v1+json", tar);
    for (tag, manifest, is_skipped, says) in [
        (signature.as_str(), &signed, false, "is a signature, not an image"),
        ("buildcache", &cache, false, "is a build cache, not an image"),
        // Of more than 100 KB: CloudTrail leaves it out, and ECR tells.
        ("cache-main", &cache, true, "is a build cache, not an image"),
        ("1.2.3", &chart, false, "is a Helm chart, not an image"),
    ] {
        let mut push = scene.on.aws.push_manifest(&scene.repository(), tag, manifest).unwrap();
        if is_skipped {
            push.event["detail"]["requestParameters"]["imageManifest"].take();
        }
        let end = scene.end(&scene.start(&push).await).await;
        assert_eq!(end.parent.error, None, "{end:#?}");
        let output = end.parent.output.clone().unwrap_or_default();
        let message = output["message"].as_str().unwrap_or_default();
        assert!(message.contains(says) && message.contains(tag), "{message}");
        assert_eq!(output["skipped"].as_array().map(Vec::len), Some(1), "{output}");
    }
    assert_eq!(scene.calls("UpdateService").len(), 1);
    assert_eq!(scene.state()["imageDigests"], json!([image.digest]));
    assert_eq!(scene.revisions(&scene.family()).len(), 2);
}

/// One image, pushed under these tags.
fn pushed_under(scene: &Scene, tags: &[&str]) -> Vec<Push> {
    let (first, rest) = tags.split_first().unwrap();
    let pushed = scene.push(first);
    let again = rest.iter().map(|tag| {
        scene
            .on
            .aws
            .push_again(&scene.repository(), tag, &pushed.digest)
            .unwrap()
    });
    let again: Vec<Push> = again.collect();
    [pushed].into_iter().chain(again).collect()
}

async fn one_image_under_several_tags_at_once_is_rolled_out_once() {
    let scene = Scene::new("tags");
    scene.seed(Seed::default());
    let mut pushes = pushed_under(&scene, &["1.2.3", "1.2", "sha-abc", "main"]);
    // EventBridge promises no order.
    pushes.reverse();
    let ends = join_all(
        pushes
            .iter()
            .map(async |push| scene.end(&scene.start(push).await).await),
    )
    .await;

    // Of two that read at the same moment both may call it theirs, as with an event that comes twice: ECS sees one rollout.
    for end in &ends {
        assert!(["DEPLOYED", "ALREADY_DEPLOYED"].contains(&&*end.outcome()), "{end:#?}");
    }
    let state = scene.state();
    assert_eq!(rollouts(&state).len(), 2, "what ran before, and one rollout: {state}");
    assert_eq!(state["imageDigests"], json!([pushes[0].digest]));
}

async fn a_tag_that_comes_while_its_image_rolls_out_or_runs_finds_it_there() {
    let scene = Scene::new("next-tags");
    scene.seed(Seed::default());
    let pushes = pushed_under(&scene, &["1.2.3", "1.2", "main"]);
    let [rolls_out, meanwhile, after] = &pushes[..] else {
        panic!("{pushes:#?}")
    };
    scene.hold_tasks(&scene.image("1.2.3"));
    let first = scene.start(rolls_out).await;
    scene
        .until("the rollout", |it| !it.calls("UpdateService").is_empty())
        .await;
    let second = scene.start(meanwhile).await;
    scene.until_waiting_or_ended(&second).await;
    scene.release_tasks(&scene.image("1.2.3"));
    assert_eq!(scene.end(&first).await.outcome(), "DEPLOYED");
    assert_eq!(scene.end(&second).await.outcome(), "ALREADY_DEPLOYED");
    let third = scene.start(after).await;
    assert_eq!(scene.end(&third).await.outcome(), "ALREADY_DEPLOYED");
    assert_eq!(scene.calls("UpdateService").len(), 1, "one rollout");
    assert_eq!(scene.revisions(&scene.family()).len(), 2, "one revision");
}

async fn a_tag_that_comes_while_its_image_rolls_out_finds_it_there_where_revisions_name_digests() {
    let scene = Scene::on(&BY_DIGEST, "digest-tags");
    scene.seed(Seed::default());
    let pushes = pushed_under(&scene, &["1.2.3", "main"]);
    let [rolls_out, meanwhile] = &pushes[..] else {
        panic!("{pushes:#?}")
    };
    let by_tag = scene.image("1.2.3");
    let by_digest = by_tag.replace(":1.2.3", &format!("@{}", rolls_out.digest));
    scene.hold_tasks(&by_digest);
    let first = scene.start(rolls_out).await;
    scene
        .until("the rollout", |it| !it.calls("UpdateService").is_empty())
        .await;
    let second = scene.start(meanwhile).await;
    scene.until_waiting_or_ended(&second).await;
    scene.release_tasks(&by_digest);
    assert_eq!(scene.end(&first).await.outcome(), "DEPLOYED");
    assert_eq!(scene.end(&second).await.outcome(), "ALREADY_DEPLOYED");
    assert_eq!(scene.calls("UpdateService").len(), 1, "one rollout");
    let revisions = scene.revisions(&scene.family());
    assert_eq!(revisions.len(), 2, "one revision");
    let container = &revisions[1]["document"]["containerDefinitions"][0];
    assert_eq!(container["image"], by_digest);
}

/// Both services are of one family: a preview on the tag of staging would follow it, whatever is pushed under it next.
async fn one_image_under_the_tags_of_two_stages_is_named_in_each_by_a_tag_that_moves_it() {
    let scene = Scene::on(&STAGED, "own-tags");
    for service in ["preview", "staging"] {
        let seed = Seed {
            family: Some(scene.family()),
            ..Seed::default()
        };
        scene.seed_named(service, seed);
    }
    for push in pushed_under(&scene, &["main-7", "pr-7"]) {
        assert_eq!(scene.end(&scene.start(&push).await).await.outcome(), "DEPLOYED");
    }
    let revisions = scene.revisions(&scene.family());
    let image_of = |update: &Value| {
        let arn = update["parameters"]["taskDefinition"].as_str().unwrap_or_default();
        let is_it = |it: &&Value| arn.ends_with(&format!(":{}", it["revision"]));
        let made = revisions.iter().find(is_it);
        made.map(|made| made["images"].to_string()).unwrap_or_default()
    };
    let moved: Vec<String> = scene.calls("UpdateService").iter().map(image_of).collect();
    assert_eq!(moved.len(), 2, "{revisions:#?}");
    assert!(moved[0].contains(&scene.image("main-7")), "{moved:?}");
    assert!(moved[1].contains(&scene.image("pr-7")), "{moved:?}");
}

async fn a_bad_image_is_not_tried_again_under_its_next_tag() {
    let scene = Scene::new("bad-tags");
    scene.seed(Seed::default());
    let pushes = pushed_under(&scene, &["crash-1", "main"]);
    for push in &pushes {
        let end = scene.end(&scene.start(push).await).await;
        let [child] = &end.children[..] else { panic!("{end:#?}") };
        assert_eq!(outcome(child), "Deploy.RolledBack", "{end:#?}");
    }
    let calls = scene.calls("UpdateService");
    let to: Vec<&str> = calls
        .iter()
        .map(|call| short(&call["parameters"]["taskDefinition"]))
        .collect();
    let attempts = to.iter().filter(|to| **to != "bad-tags-web:1").count();
    assert_eq!(attempts, 1, "{to:?}");
    assert_eq!(short(&scene.state()["taskDefinition"]), "bad-tags-web:1");
}

/// ECS takes 50 tags, so none of ours has room. A revision is then known by its document and its time.
async fn fifty_tags_of_the_users_own_are_kept_and_keep_no_image_out() {
    let scene = Scene::new("fifty-tags");
    scene.seed(Seed::default());
    let first = format!("{}:1", scene.family());
    let arn =
        scene.ecs("DescribeTaskDefinition", &json!({"taskDefinition": first}))["taskDefinition"]["taskDefinitionArn"]
            .clone();
    let tags: Vec<Value> = (0..50)
        .map(|number| json!({"key": format!("team-{number}"), "value": "shop"}))
        .collect();
    scene.ecs("TagResource", &json!({"resourceArn": arn, "tags": tags}));

    let image = scene.push("v2");
    let end = scene.end(&scene.start(&image).await).await;
    assert_eq!(
        (end.parent.error.as_deref(), end.outcome().as_str()),
        (None, "DEPLOYED"),
        "{end:#?}"
    );
    let skipped = end.parent.output.clone().unwrap_or_default()["skipped"].clone();
    assert_eq!(skipped[0]["reason"], "TAGS_LEFT_OUT", "{skipped}");
    assert_eq!(scene.state()["imageDigests"], json!([image.digest]));

    // The same push by hand once more: it runs already.
    let again = scene.end(&scene.start(&image).await).await;
    assert_eq!(
        (again.parent.error.as_deref(), again.outcome().as_str()),
        (None, "ALREADY_DEPLOYED"),
        "{again:#?}"
    );
    assert_eq!(scene.revisions(&scene.family()).len(), 2);

    let bad = scene.push("crash-v3");
    let end = scene.end(&scene.start(&bad).await).await;
    assert_eq!(end.parent.error.as_deref(), Some("Deploy.ServicesFailed"), "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([image.digest]));

    let next = scene.push("v4");
    let end = scene.end(&scene.start(&next).await).await;
    assert_eq!(
        (end.parent.error.as_deref(), end.outcome().as_str()),
        (None, "DEPLOYED"),
        "{end:#?}"
    );
    let newest = scene.revisions(&scene.family()).pop().unwrap();
    assert_eq!(newest["tags"].as_array().map(Vec::len), Some(50), "{newest}");
}
