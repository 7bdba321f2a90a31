//! A task definition goes from `DescribeTaskDefinition` to `RegisterTaskDefinition` without losing a member.
//!
//! `fixtures/task-definition.json` has every member of AWS's own model, and some that no SDK knows;
//! `fixtures/make_task_definition.py` makes it.

use crate::{busybox, json, push, text};
use ecr_deploy::domain::image::RepositoryName;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::task_definition::{ImageForm, OUTPUT_ONLY_MEMBERS, SOURCE_TAG, Standing, TaskDefinition};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const DESCRIBED: &str = "functions/ecr-deploy/tests/fixtures/task-definition.json";
const MEMBERS: &str = "functions/ecr-deploy/tests/fixtures/task-definition-members.json";
const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn read(response: &Value) -> TaskDefinition {
    TaskDefinition::from_response(response.to_string().as_bytes()).unwrap()
}

fn request_of(document: &TaskDefinition) -> Value {
    serde_json::from_slice(&document.to_register_request().unwrap()).unwrap()
}

/// The answer of `DescribeTaskDefinition` for web:41 with these containers' images, in their order, and these tags.
fn response(images: &[&str], tags: &Value) -> Value {
    let containers: Vec<Value> = images
        .iter()
        .enumerate()
        .map(|(index, image)| json!({"name": format!("c{index}"), "image": image}))
        .collect();
    json!({
        "taskDefinition": {
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:41",
            "family": "web",
            "containerDefinitions": containers,
        },
        "tags": tags,
    })
}

fn images_of(request: &Value) -> Vec<&str> {
    let containers = request["containerDefinitions"].as_array().unwrap();
    containers
        .iter()
        .map(|container| container["image"].as_str().unwrap())
        .collect()
}

/// The names in a list of the model's members.
fn members(list: &str) -> BTreeSet<String> {
    serde_json::from_value(json(MEMBERS)[list].clone()).unwrap()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_fixture_has_every_member_of_awss_model_and_some_of_tomorrow() {
    let described = &json(DESCRIBED)["taskDefinition"];
    let unknown = members("unknown");
    assert_eq!(unknown.len(), 2);
    assert_eq!(keys(described), &members("DescribeTaskDefinition") | &unknown);
    for container in described["containerDefinitions"].as_array().unwrap() {
        assert_eq!(keys(container), &members("ContainerDefinition") | &unknown);
    }
    let registered = members("RegisterTaskDefinition");
    assert_eq!(registered.len(), 18);
    assert!(unknown.is_disjoint(&registered));
}

#[test]
fn the_output_only_members_are_those_that_aws_returns_and_does_not_take() {
    let difference = &members("DescribeTaskDefinition") - &members("RegisterTaskDefinition");
    assert_eq!(difference, OUTPUT_ONLY_MEMBERS.map(str::to_owned).into());
}

/// An hour after the push of busybox.
fn now() -> jiff::Timestamp {
    "2018-03-18T01:00:00Z".parse().unwrap()
}

#[test]
fn a_push_that_is_recorded_as_of_a_time_to_come_makes_no_other_one_old() {
    for (tags, standing) in [
        (
            json!([{"key": "ecr-deploy:push/busybox", "value": "2018-03-18T01:05:00Z 1"}]),
            Standing::Newer,
        ),
        (
            json!([{"key": "ecr-deploy:push/busybox", "value": "2018-03-18T01:05:01Z 1"}]),
            Standing::Unrecorded,
        ),
        (
            json!([{"key": "ecr-deploy:push/busybox", "value": "2081-03-18T01:05:00Z 1"}, {"key": SOURCE_TAG, "value": "web:1"}]),
            Standing::Older,
        ),
    ] {
        let revision = read(&response(&[&format!("{REGISTRY}/busybox:v0")], &tags));
        assert_eq!(revision.standing(&busybox(), now()), standing, "{tags}");
        assert_eq!(revision.outline().standing(&busybox(), now()), standing, "{tags}");
        let is_to_come = revision.outline().push_to_come(&busybox().repository, now()).is_some();
        assert_eq!(is_to_come, standing != Standing::Newer, "{tags}");
    }
}

/// Returns a revision's record of the push of busybox: when and which, the digest, the tag, and who.
fn recorded() -> String {
    let PushedImage {
        push, digest, tag, by, ..
    } = busybox();
    format!("{push} {digest} {tag} {}", by.unwrap().as_str())
}

#[test]
fn a_new_revision_is_the_old_one_but_for_the_image_and_the_tags() {
    let mut expected = json(DESCRIBED)["taskDefinition"].take();
    let object = expected.as_object_mut().unwrap();
    for member in OUTPUT_ONLY_MEMBERS {
        assert!(object.remove(member).is_some(), "{member}");
    }
    object["containerDefinitions"][0]["image"] = json!(format!("{REGISTRY}/busybox:v1"));
    object.insert(
        "tags".to_owned(),
        json!([
            {"key": "ecr-deploy:by", "value": busybox().by},
            {"key": "ecr-deploy:push/busybox", "value": recorded()},
            {"key": SOURCE_TAG, "value": "web:41"},
            {"key": "team", "value": "shop"},
        ]),
    );

    let document = TaskDefinition::from_response(text(DESCRIBED).as_bytes()).unwrap();
    assert_eq!(document.containers_of(&busybox()), ["web"]);
    let request = request_of(&document.with_image(&busybox(), ImageForm::Tag));
    assert_eq!(request, expected);
    assert_eq!(keys(&request), &members("RegisterTaskDefinition") | &members("unknown"));
}

#[test]
fn by_digest_the_image_is_pinned_to_the_pushed_contents() {
    let document = read(&response(&[&format!("{REGISTRY}/busybox:v0")], &json!([])));
    let request = request_of(&document.with_image(&busybox(), ImageForm::Digest));
    assert_eq!(
        images_of(&request),
        [format!("{REGISTRY}/busybox@{}", busybox().digest)]
    );
}

#[test]
fn every_container_of_the_repository_changes_and_no_other() {
    let old = [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/busybox:v0",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/busybox-worker:v0",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/busybox:v0",
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com/busybox:v0",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/busybox:v0",
        "public.ecr.aws/docker/library/busybox:v0",
        "busybox:v0",
        "<IMAGE1_NAME>",
        "123456789012.dkr-ecr.eu-west-1.on.aws/busybox",
    ];
    let document = read(&response(&old, &json!([])));
    assert_eq!(document.containers_of(&busybox()), ["c0", "c8"]);
    let mut new = old;
    new[0] = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/busybox:v1";
    new[8] = "123456789012.dkr-ecr.eu-west-1.on.aws/busybox:v1";
    assert_eq!(
        images_of(&request_of(&document.with_image(&busybox(), ImageForm::Tag))),
        new
    );
}

#[test]
fn a_container_without_a_readable_image_is_left_alone() {
    let mut response = response(&[&format!("{REGISTRY}/busybox:v0"), "", "a b"], &json!([]));
    let containers = response["taskDefinition"]["containerDefinitions"]
        .as_array_mut()
        .unwrap();
    containers.push(json!({"name": "without"}));
    containers.push(json!({"name": "odd", "image": 7}));
    let request = request_of(&read(&response).with_image(&busybox(), ImageForm::Tag));
    let mut expected = response["taskDefinition"]["containerDefinitions"].clone();
    expected[0]["image"] = json!(format!("{REGISTRY}/busybox:v1"));
    assert_eq!(request["containerDefinitions"], expected);
}

#[test]
fn numbers_keep_their_spelling_byte_for_byte() {
    let spelled = "[1.0,1e3,12345678901234567890,0.10,-0,1E-7,123456789012345678901234567890.123456789]";
    let body = format!(
        r#"{{"taskDefinition":{{"taskDefinitionArn":"arn:aws:ecs:eu-west-1:123456789012:task-definition/web:41",
        "family":"web","numbers":{spelled},"text":"\u00fc\/",
        "containerDefinitions":[{{"name":"web","image":"{REGISTRY}/busybox:v0","numbers":{spelled}}}]}}}}"#
    );
    let document = TaskDefinition::from_response(body.as_bytes())
        .unwrap()
        .with_image(&busybox(), ImageForm::Tag);
    let request = String::from_utf8(document.to_register_request().unwrap()).unwrap();
    assert_eq!(
        request.matches(&format!(r#""numbers":{spelled}"#)).count(),
        2,
        "{request}"
    );
    assert!(request.contains(r#""text":"\u00fc\/""#), "{request}");
}

#[test]
fn tags_are_carried_but_for_those_that_only_aws_may_set() {
    let image = format!("{REGISTRY}/busybox:v0");
    let tags = json!([
        {"key": "team", "value": "shop"},
        {"key": "without-value"},
        {"key": "aws:ecs:clusterName", "value": "x"},
        {"key": "awsome", "value": "kept"},
        {"key": "ecr-deploy:push/other", "value": "2018-03-17T00:00:00Z 1"},
        {"key": "ecr-deploy:push/busybox", "value": "2018-03-17T00:00:00Z 2"},
        {"key": "ecr-deploy:rolled-back", "value": "web:40"},
    ]);
    let request = request_of(&read(&response(&[&image], &tags)).with_image(&busybox(), ImageForm::Tag));
    assert_eq!(
        request["tags"],
        json!([
            {"key": "awsome", "value": "kept"},
            {"key": "ecr-deploy:by", "value": busybox().by},
            {"key": "ecr-deploy:push/busybox", "value": recorded()},
            {"key": "ecr-deploy:push/other", "value": "2018-03-17T00:00:00Z 1"},
            {"key": SOURCE_TAG, "value": "web:41"},
            {"key": "team", "value": "shop"},
            {"key": "without-value", "value": ""},
        ])
    );
}

#[test]
fn a_request_has_one_list_of_tags_wherever_ecs_answers_another() {
    let mut response = response(&["busybox:v0"], &json!([{"key": "team", "value": "shop"}]));
    response["taskDefinition"]["tags"] = json!([{"key": "inside"}]);
    let request = String::from_utf8(read(&response).to_register_request().unwrap()).unwrap();
    assert_eq!(request.matches("\"tags\"").count(), 1, "{request}");
    assert!(request.contains("shop"), "{request}");
}

#[test]
fn an_empty_list_of_tags_is_skipped_since_ecs_refuses_one() {
    for tags in [json!([]), json!([{"key": "aws:ecs:clusterName", "value": "x"}])] {
        let request = request_of(&read(&response(&["busybox:v0"], &tags)));
        assert_eq!(
            keys(&request),
            ["containerDefinitions", "family"].map(str::to_owned).into(),
            "{tags}"
        );
    }
}

#[test]
fn a_pinned_revision_runs_the_old_bits_and_says_what_it_rolls_back() {
    let image = format!("{REGISTRY}/busybox:latest");
    let tags = json!([{"key": "ecr-deploy:push/busybox", "value": "2018-03-17T00:00:00Z 2"}]);
    let old = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        .parse()
        .unwrap();
    let failed = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:42"
        .parse()
        .unwrap();
    let pinned = read(&response(&[&image, "busybox:v0"], &tags)).pinned(&busybox(), &old, &failed);
    assert_eq!(
        images_of(&request_of(&pinned)),
        [format!("{REGISTRY}/busybox@{old}"), "busybox:v0".to_owned()]
    );
    assert_eq!(pinned.rolled_back(), Some("web:42"));
    assert_eq!(pinned.recorded_digest(&busybox().repository), Some(old));
    assert_eq!(
        pinned.recorded_push(&busybox().repository),
        Some(push("2018-03-17T00:00:00Z 2"))
    );
    assert_eq!(
        pinned.with_image(&busybox(), ImageForm::Tag).rolled_back(),
        None,
        "a new push is no rollback"
    );
}

#[test]
fn two_documents_are_the_same_whatever_their_spelling_revision_and_tags() {
    let same = |one: &str, other: &str| {
        let read = |revision: u32, members: &str, tag: &str| {
            let body = format!(
                r#"{{"tags":[{{"key":"t","value":"{tag}"}}],"taskDefinition":{{"taskDefinitionArn":
                "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:{revision}","revision":{revision},{members}}}}}"#
            );
            TaskDefinition::from_response(body.as_bytes()).unwrap()
        };
        read(41, one, "a").is_same_document(&read(42, other, "b"))
    };
    let containers = r#""containerDefinitions":[{"name":"web","cpu":1,"unknown":{"a":1,"b":"ü"}}]"#;
    for (one, other, is_same) in [
        (containers, containers, true),
        (
            containers,
            r#""containerDefinitions":[ {"unknown":{"b":"\u00fc", "a":1}, "cpu":1, "name":"web"} ]"#,
            true,
        ),
        (
            containers,
            r#""containerDefinitions":[{"name":"web","cpu":2,"unknown":{"a":1,"b":"ü"}}]"#,
            false,
        ),
        (
            containers,
            r#""containerDefinitions":[{"name":"web","cpu":1,"unknown":{"a":1,"b":"u"}}]"#,
            false,
        ),
        (containers, r#""containerDefinitions":[{"name":"web","cpu":1}]"#, false),
        (containers, r#""containerDefinitions":[]"#, false),
        (r#""cpu":"256","memory":"512""#, r#""memory":"512","cpu":"256""#, true),
        (r#""cpu":"256""#, r#""cpu":"256","memory":"512""#, false),
        (r#""unknown":1"#, r#""unknown":2"#, false),
        (
            r#""containerDefinitions":[{"name":"a"},{"name":"b"}]"#,
            r#""containerDefinitions":[{"name":"b"},{"name":"a"}]"#,
            false,
        ),
    ] {
        assert_eq!(same(one, other), is_same, "{one} and {other}");
    }
}

#[test]
fn a_revision_stands_to_a_push_as_its_tag_says() {
    for (tag, standing) in [
        (None, Standing::Unrecorded),
        (Some("not a push"), Standing::Unrecorded),
        (Some("2018-03-17T23:59:59Z ffffffff"), Standing::Older),
        (
            Some("2018-03-18T00:00:00Z 04caef66-e52b-4c4d-bbb5-547b85fec1f7"),
            Standing::Older,
        ),
        (
            Some("2018-03-18T00:00:00Z 04caef66-e52b-4c4d-bbb5-547b85fec1f8"),
            Standing::Ours,
        ),
        (
            Some("2018-03-18T00:00:00Z 04caef66-e52b-4c4d-bbb5-547b85fec1f9"),
            Standing::Newer,
        ),
        (Some("2018-03-18T00:00:01Z 00000000"), Standing::Newer),
    ] {
        let tags = tag.map_or(
            json!([]),
            |value| json!([{"key": "ecr-deploy:push/busybox", "value": value}]),
        );
        let revision = read(&response(&[&format!("{REGISTRY}/busybox:v0")], &tags));
        assert_eq!(revision.standing(&busybox(), now()), standing, "{tag:?}");
    }
    let of_another_repository = json!([{"key": "ecr-deploy:source", "value": "web:41"}]);
    let revision = read(&response(&[&format!("{REGISTRY}/busybox:v0")], &of_another_repository));
    assert_eq!(revision.standing(&busybox(), now()), Standing::Older);
}

#[test]
fn one_digest_under_several_tags_within_a_minute_is_one_push_and_later_it_is_another() {
    let other_digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    let digest = busybox().digest.to_string();
    for (at, digest, standing) in [
        ("2018-03-18T00:00:00Z", digest.as_str(), Standing::Ours),
        ("2018-03-18T00:00:02Z", &digest, Standing::Ours),
        ("2018-03-17T23:59:58Z", &digest, Standing::Ours),
        ("2018-03-18T00:01:00Z", &digest, Standing::Ours),
        ("2018-03-18T00:01:01Z", &digest, Standing::Newer),
        ("2018-03-17T23:58:59Z", &digest, Standing::Older),
        ("2018-03-18T00:00:02Z", other_digest, Standing::Newer),
        ("2018-03-17T23:59:58Z", other_digest, Standing::Older),
    ] {
        let tags = json!([
            {"key": "ecr-deploy:push/busybox", "value": format!("{at} 99999999 {digest}")},
        ]);
        let revision = read(&response(&[&format!("{REGISTRY}/busybox:sha-abc")], &tags));
        assert_eq!(revision.standing(&busybox(), now()), standing, "{at} {digest}");
        let push_of = revision.push_of(&busybox());
        if standing == Standing::Ours {
            assert_eq!(push_of.tag.as_str(), "sha-abc");
            assert_eq!(Some(push_of.push), revision.recorded_push(&busybox().repository));
        } else {
            assert_eq!(push_of, busybox());
        }
    }
}

#[test]
fn a_push_that_came_between_two_tags_of_an_image_tells_them_apart() {
    let of = |at: &str, digest: &str| {
        let tags = json!([
            {"key": "ecr-deploy:push/busybox", "value": format!("{at} 1 {digest}")},
        ]);
        read(&response(&[&format!("{REGISTRY}/busybox:v0")], &tags))
    };
    let other = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    let digest = busybox().digest.to_string();
    let first = of("2018-03-17T23:59:58Z", &digest);
    assert!(first.is_overtaken(&of("2018-03-17T23:59:59Z", other), &busybox()));
    for besides in [
        of("2018-03-17T23:59:57Z", other),
        of("2018-03-18T00:00:01Z", other),
        of("2018-03-17T23:59:59Z", &digest),
    ] {
        assert!(!first.is_overtaken(&besides, &busybox()));
    }
}

#[test]
fn what_a_revision_was_registered_for_can_be_read_off_it_again() {
    let document = read(&response(&[&format!("{REGISTRY}/busybox:v0")], &json!([])));
    let other: RepositoryName = "other".parse().unwrap();
    assert_eq!(document.recorded_push(&busybox().repository), None);
    assert_eq!(document.recorded_digest(&busybox().repository), None);
    let mut registered = request_of(&document.with_image(&busybox(), ImageForm::Tag));
    let tags = registered["tags"].take();
    let registered = read(&response(&[&format!("{REGISTRY}/busybox:v1")], &tags));
    assert_eq!(registered.standing(&busybox(), now()), Standing::Ours);
    assert_eq!(registered.recorded_push(&busybox().repository), Some(busybox().push));
    assert_eq!(
        registered.recorded_digest(&busybox().repository),
        Some(busybox().digest)
    );
    assert_eq!(registered.recorded_push(&other), None);
}

#[test]
fn a_tag_fits_ecs_however_long_the_repositorys_name_and_is_that_repositorys_alone() {
    let keys_for = |name: &str| -> Vec<String> {
        let repository: RepositoryName = name.parse().unwrap();
        let image = PushedImage {
            repository,
            ..busybox()
        };
        let document =
            read(&response(&[&format!("{REGISTRY}/{name}:v0")], &json!([]))).with_image(&image, ImageForm::Tag);
        assert_eq!(document.standing(&image, now()), Standing::Ours, "{name}");
        document
            .tags()
            .iter()
            .map(|tag| tag.key.clone())
            .filter(|key| key.starts_with("ecr-deploy:push/"))
            .collect()
    };
    // Their ends are alike as far as they are kept, and so are their lengths.
    let long = |middle: &str| format!("{}{middle}{}", "a".repeat(127), "z".repeat(128));
    let (one, other) = (keys_for(&long("m")), keys_for(&long("n")));
    assert_eq!(one.len(), 1);
    for (one, other) in one.iter().zip(&other) {
        assert_ne!(one, other);
    }
    for length in 1..=256 {
        for key in keys_for(&"a".repeat(length)) {
            assert!(key.len() <= 128, "{length}: {key}");
            // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
            let is_allowed = |character: char| character.is_ascii_alphanumeric() || "+-=._:/@".contains(character);
            assert!(key.chars().all(is_allowed), "{key}");
        }
    }
}

#[test]
fn what_is_no_answer_of_ecs_is_refused_as_invalid_input() {
    for (body, says) in [
        ("", "EOF"),
        ("null", "null"),
        ("{}", "no taskDefinitionArn"),
        (r#"{"taskDefinition":[]}"#, "taskDefinition: "),
        (r#"{"taskDefinition":{}}"#, "no taskDefinitionArn"),
        (r#"{"taskDefinition":{"taskDefinitionArn":7}}"#, "taskDefinitionArn: "),
        (r#"{"taskDefinition":{"taskDefinitionArn":"web:41"}}"#, "web:41"),
        (
            r#"{"taskDefinition":{"taskDefinitionArn":ARN,"containerDefinitions":{}}}"#,
            "containerDefinitions: ",
        ),
        (r#"{"taskDefinition":{"taskDefinitionArn":ARN},"tags":{}}"#, "tags: "),
        (r#"{"taskDefinition":{"taskDefinitionArn":ARN}"#, "EOF"),
        (r#"[{"taskDefinitionArn":ARN},[]]"#, "sequence"),
    ] {
        let body = body.replace("ARN", "\"arn:aws:ecs:eu-west-1:123456789012:task-definition/web:41\"");
        let error = TaskDefinition::from_response(body.as_bytes()).unwrap_err();
        assert_eq!(error.name(), "Deploy.InvalidInput", "{body}");
        assert!(error.to_string().contains(says), "{error} should say {says}");
    }
}

/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no other numbers", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Any members that are not known today.
fn unknown_members() -> impl Strategy<Value = Map<String, Value>> {
    // A name that AWS could give, and none that the document has or omits already.
    prop::collection::hash_map("unknown[A-Za-z0-9 \"\\\\é]{0,8}", any_json(), 0..4)
        .prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn any_unknown_member_survives_at_the_top_and_inside_a_container(top in unknown_members(), inside in unknown_members()) {
        let mut response = response(&[&format!("{REGISTRY}/busybox:v0")], &json!([]));
        let document = response["taskDefinition"].as_object_mut().unwrap();
        document.extend(top.clone());
        document["containerDefinitions"][0].as_object_mut().unwrap().extend(inside.clone());

        let mut request = request_of(&read(&response).with_image(&busybox(), ImageForm::Tag));
        let container = request["containerDefinitions"][0].take();
        let mut expected: Map<String, Value> = inside;
        expected.insert("name".to_owned(), json!("c0"));
        expected.insert("image".to_owned(), json!(format!("{REGISTRY}/busybox:v1")));
        prop_assert_eq!(container, Value::Object(expected));
        let mut rest = request.as_object().unwrap().clone();
        for known in ["containerDefinitions", "tags", "family"] {
            prop_assert!(rest.remove(known).is_some());
        }
        prop_assert_eq!(rest, top);
    }
}
