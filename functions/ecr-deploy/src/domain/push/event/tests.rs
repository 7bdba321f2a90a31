use super::*;
use serde_json::json;

const DIGEST: &str = "sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb";

fn cloud_trail() -> Value {
    example("put-image-event")
}

fn image_action() -> Value {
    example("image-action-event")
}

fn example(name: &str) -> Value {
    let path = format!("{}/../../statemachine/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// `event` with the member at `pointer` replaced, or taken out when there is no `value`.
fn with(mut event: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(member.to_owned(), value),
        None => parent.remove(member),
    };
    event
}

fn tagged(event: &Value) -> PushedImage {
    match parse_push(event).unwrap() {
        Push::Tagged(image) => image,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_forms_tell_of_the_same_image() {
    let image = tagged(&cloud_trail());
    assert_eq!(image.registry_id.as_str(), "123456789012");
    assert_eq!(image.region.as_str(), "eu-west-1");
    assert_eq!(image.to_string(), "busybox:v1");
    assert_eq!(image.digest.as_str(), DIGEST);
    assert_eq!(
        image.push.to_string(),
        "2018-03-18T00:00:00Z 04caef66-e52b-4c4d-bbb5-547b85fec1f8"
    );
    let native = tagged(&image_action());
    assert_eq!(
        PushedImage {
            push: image.push.clone(),
            by: image.by.clone(),
            ..native
        },
        image
    );
}

#[test]
fn cloud_trail_tells_who_pushed_and_ecr_does_not() {
    const ROLE: &str = "arn:aws:sts::123456789012:assumed-role/ci-push/run-42";
    let by = |event: &Value| tagged(event).by.map(String::from);
    assert_eq!(by(&cloud_trail()).as_deref(), Some(ROLE));
    assert_eq!(by(&image_action()), None);
    // A caller of another account, and a service of AWS, have no ARN there.
    assert_eq!(by(&with(cloud_trail(), "/detail/userIdentity/arn", None)), None);
    assert_eq!(by(&with(cloud_trail(), "/detail/userIdentity", None)), None);
    let long = format!("{ROLE}{}", "x".repeat(1000));
    let kept = by(&with(cloud_trail(), "/detail/userIdentity/arn", Some(json!(long))));
    assert_eq!(kept.as_deref(), Some(&long[..256]));
}

#[test]
fn nothing_else_of_who_pushed_is_kept() {
    let event = cloud_trail();
    for secret in ["/accessKeyId", "/principalId", "/sessionContext"] {
        let place = format!("/detail/userIdentity{secret}");
        assert!(event.pointer(&place).is_some(), "the example has {place}");
    }
    let kept = serde_json::to_value(tagged(&event)).unwrap();
    let members: Vec<_> = kept.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        ["registryId", "region", "repository", "tag", "digest", "push", "by"]
    );
}

#[test]
fn the_registry_is_the_one_of_the_image_not_of_the_event() {
    let event = with(cloud_trail(), "/account", Some(json!("999999999999")));
    assert_eq!(tagged(&event).registry_id.as_str(), "123456789012");
}

#[test]
fn without_response_elements_the_request_says_it_all() {
    let event = with(cloud_trail(), "/detail/responseElements", Some(Value::Null));
    let event = with(event, "/detail/requestParameters/imageDigest", Some(json!(DIGEST)));
    assert_eq!(tagged(&event), tagged(&cloud_trail()));
}

#[test]
fn a_push_without_a_tag_is_nothing_to_deploy() {
    let untagged = Push::Nothing(NothingPushed::Untagged {
        repository: "busybox".parse().unwrap(),
    });
    let event = with(cloud_trail(), "/detail/requestParameters/imageTag", None);
    let event = with(event, "/detail/responseElements/image/imageId/imageTag", None);
    assert_eq!(parse_push(&event).unwrap(), untagged);
    let event = with(image_action(), "/detail/image-tag", Some(json!("")));
    assert_eq!(parse_push(&event).unwrap(), untagged);
    let event = with(image_action(), "/detail/image-tag", None);
    assert_eq!(parse_push(&event).unwrap(), untagged);
}

#[test]
fn a_signature_a_cache_and_a_chart_are_no_image_in_either_form() {
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let image = "application/vnd.oci.image.config.v1+json";
    let signature = format!("sha256-{}.sig", "e".repeat(64));
    let fallback = format!("sha256-{}", "e".repeat(64));
    for (tag, media_type, config, says) in [
        (signature.as_str(), oci, image, "a signature"),
        (
            &fallback,
            "application/vnd.oci.image.index.v1+json",
            "",
            "the list of what refers to an image",
        ),
        (
            "buildcache",
            oci,
            "application/vnd.buildkit.cacheconfig.v0",
            "a build cache",
        ),
        ("1.2.3", oci, "application/vnd.cncf.helm.config.v1+json", "a Helm chart"),
    ] {
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": {"mediaType": config}});
        let recorded = with(
            cloud_trail(),
            "/detail/requestParameters/imageManifest",
            Some(json!(manifest.to_string())),
        );
        let recorded = with(
            recorded,
            "/detail/responseElements/image/imageId/imageTag",
            Some(json!(tag)),
        );
        let native = with(image_action(), "/detail/image-tag", Some(json!(tag)));
        let native = with(native, "/detail/manifest-media-type", Some(json!(media_type)));
        let native = with(native, "/detail/artifact-media-type", Some(json!(config)));
        for event in [recorded, native] {
            match parse_push(&event).unwrap() {
                Push::Nothing(NothingPushed::Artifact { pushed, artifact }) => {
                    assert_eq!((pushed.tag.as_str(), artifact.to_string().as_str()), (tag, says));
                }
                other => panic!("{tag}: {other:?}"),
            }
        }
    }
}

#[test]
fn what_an_event_does_not_tell_ecr_is_to_be_asked() {
    let manifest = "/detail/requestParameters/imageManifest";
    let media_type = "/detail/requestParameters/imageManifestMediaType";
    let index = Some(json!("application/vnd.oci.image.index.v1+json"));
    let skipped = with(cloud_trail(), manifest, None);
    let cut_off = with(cloud_trail(), manifest, Some(json!("{\"schemaVersion\": 2, \"conf")));
    let config_untold = with(image_action(), "/detail/artifact-media-type", None);
    let untold = with(config_untold.clone(), "/detail/manifest-media-type", None);
    for event in [
        &skipped,
        &cut_off,
        &with(skipped.clone(), media_type, None),
        &config_untold,
        &untold,
    ] {
        assert!(matches!(parse_push(event).unwrap(), Push::Untold(_)), "{event}");
    }
    for event in [
        with(skipped, media_type, index.clone()),
        with(config_untold, "/detail/manifest-media-type", index),
    ] {
        assert!(matches!(parse_push(&event).unwrap(), Push::Tagged(_)), "{event}");
    }
}

#[test]
fn a_failed_push_is_nothing_to_deploy() {
    let event = with(cloud_trail(), "/detail/responseElements", Some(Value::Null));
    let event = with(
        event,
        "/detail/errorCode",
        Some(json!("ImageTagAlreadyExistsException")),
    );
    assert_eq!(
        parse_push(&event).unwrap(),
        Push::Nothing(NothingPushed::Failed {
            repository: "busybox".to_owned(),
            cause: "ImageTagAlreadyExistsException".to_owned()
        })
    );
    let event = with(image_action(), "/detail/result", Some(json!("FAILURE")));
    assert!(matches!(
        parse_push(&event).unwrap(),
        Push::Nothing(NothingPushed::Failed { .. })
    ));
}

#[test]
fn what_ecr_brings_into_a_pull_through_cache_is_nothing_to_deploy() {
    let cached = json!({
        "id": "85fc3613-e913-7fc4-a80c-a3753e4aa9ae",
        "detail-type": "ECR Pull Through Cache Action",
        "source": "aws.ecr",
        "account": "123456789012",
        "time": "2026-11-01T02:36:48Z",
        "region": "eu-west-1",
        "detail": {
            "sync-status": "SUCCESS",
            "ecr-repository-prefix": "docker-hub",
            "repository-name": "docker-hub/library/redis",
            "image-tag": "8",
        },
    });
    let repository = "docker-hub/library/redis".to_owned();
    assert_eq!(
        parse_push(&cached).unwrap(),
        Push::Nothing(NothingPushed::Cached { repository })
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    for (event, says) in [
        (json!({}), "missing field"),
        (json!("push"), "the event cannot be read"),
        (Value::Null, "the event cannot be read"),
        (
            with(cloud_trail(), "/source", Some(json!("aws.s3"))),
            "source is \"aws.s3\"",
        ),
        (
            with(cloud_trail(), "/detail-type", Some(json!("Other"))),
            "detail-type is \"Other\"",
        ),
        (with(cloud_trail(), "/detail", Some(json!([]))), "detail cannot be read"),
        (
            with(
                image_action(),
                "/detail",
                Some(json!(["SUCCESS", "PUSH", "busybox", DIGEST, "v1"])),
            ),
            "detail cannot be read: it is a list",
        ),
        (
            with(
                cloud_trail(),
                "/detail/responseElements/image/imageId",
                Some(json!([DIGEST, "v1"])),
            ),
            "imageId cannot be read: it is a list",
        ),
        (
            with(cloud_trail(), "/detail/userIdentity/arn", Some(json!("somebody"))),
            "\"somebody\" is not the ARN of an IAM user or role",
        ),
        (
            with(
                cloud_trail(),
                "/detail/userIdentity",
                Some(json!(["arn:aws:iam::123456789012:root"])),
            ),
            "userIdentity cannot be read: it is a list",
        ),
        (
            with(cloud_trail(), "/detail/eventName", Some(json!("BatchDeleteImage"))),
            "\"BatchDeleteImage\"",
        ),
        (
            with(cloud_trail(), "/detail/eventTime", Some(json!("yesterday"))),
            "eventTime: ",
        ),
        (
            with(cloud_trail(), "/detail/eventID", Some(json!("a b"))),
            "not an event id",
        ),
        (
            with(
                cloud_trail(),
                "/detail/responseElements/image/imageId/imageDigest",
                None,
            ),
            "no digest for busybox:v1",
        ),
        (
            with(
                cloud_trail(),
                "/detail/responseElements/image/repositoryName",
                Some(json!("UPPER")),
            ),
            "UPPER",
        ),
        (
            with(image_action(), "/detail/action-type", Some(json!("DELETE"))),
            "\"DELETE\"",
        ),
        (
            with(image_action(), "/detail/image-tag", Some(json!("not a tag"))),
            "not a tag",
        ),
        (
            with(image_action(), "/detail/image-digest", Some(json!("sha256:12"))),
            "sha256:12",
        ),
    ] {
        let error = parse_push(&event).unwrap_err();
        assert_eq!(error.name(), "Deploy.InvalidInput", "{event}");
        assert!(error.to_string().contains(says), "{error} should say {says}");
    }
}

#[test]
fn what_is_quoted_from_an_event_is_short_however_long_it_was() {
    let hostile = json!("ü".repeat(1_000_000));
    let error = parse_push(&with(image_action(), "/source", Some(hostile.clone()))).unwrap_err();
    let message = error.to_string();
    assert!(message.len() < 1100, "{}", message.len());
    assert!(
        message.contains("the event's source is \"ü") && message.ends_with("not \"aws.ecr\""),
        "{message}"
    );
    let failed = with(image_action(), "/detail/result", Some(json!("FAILURE")));
    let failed = with(failed, "/detail/repository-name", Some(hostile));
    assert!(format!("{:?}", parse_push(&failed).unwrap()).len() < 1200);
}
