//! The base of a new revision. In every case `web:5` runs, of ours, with the push of `app:v1`, and descends from
//! `web:3`.

use super::*;
use ecr_deploy::domain::task_definition::ImageForm;
use ecr_deploy::testing::{REGISTRY, definition, described, digest, pushed};
use serde_json::{Value, json};

const FAMILY: Descent = Descent { base: 3, seen: 7 };

/// A revision of somebody else's, with the image of long ago.
fn somebodys(short: &str) -> Value {
    described(short, "app:v0", &[("team", "shop")])
}

fn running() -> Value {
    let tags = [
        ("ecr-deploy:source", "web:4 base 3 seen 4"),
        ("ecr-deploy:push/app", "2026-05-04T12:00:01Z 0a1b"),
        ("ecr-deploy:push/log", "2026-05-04T11:00:00Z 0a1c"),
        ("team", "shop"),
    ];
    let mut running = described("web:5", "app:v1", &tags);
    let log = json!({"name": "log", "image": format!("{REGISTRY}/log:v8"), "essential": false});
    containers(&mut running).push(log);
    running
}

fn containers(described: &mut Value) -> &mut Vec<Value> {
    described["taskDefinition"]["containerDefinitions"]
        .as_array_mut()
        .unwrap()
}

fn decided(newest: Option<&Value>) -> Base {
    let found = Found {
        newest: newest.map(definition),
        descent: FAMILY,
    };
    decide(&definition(&running()), found, &pushed(2))
}

/// The changes to the running document, and the names of the members that are told.
#[test]
fn what_a_newer_document_has_is_taken_and_what_differs_is_named_without_any_value() {
    let log = || json!({"name": "log", "image": format!("{REGISTRY}/log:v1"), "essential": false});
    let with = |change: &dyn Fn(&mut Value)| {
        let mut newest = somebodys("web:7");
        containers(&mut newest).push(log());
        change(&mut newest);
        newest
    };
    for (newest, expected) in [
        (with(&|_| ()), vec![]),
        (
            with(&|it| it["taskDefinition"]["memory"] = json!("1024")),
            vec!["memory"],
        ),
        (
            with(&|it| {
                it["taskDefinition"]["memory"] = json!("1024");
                containers(it)[0]["environment"] = json!([{"name": "TOKEN", "value": "hush"}]);
                containers(it).push(json!({"name": "proxy", "image": "envoy:1"}));
            }),
            vec!["memory", "environment of web", "container proxy, which is new"],
        ),
        (
            with(&|it| drop(containers(it).pop())),
            vec!["container log, which is gone"],
        ),
        (
            with(&|it| containers(it)[1]["image"] = json!("fluent/fluent-bit:3")),
            vec!["image of log"],
        ),
        (
            with(&|it| {
                it["taskDefinition"].as_object_mut().unwrap().remove("networkMode");
            }),
            vec!["networkMode"],
        ),
    ] {
        let base = decided(Some(&newest));
        let note = base.note.unwrap();
        assert_eq!(note.differs, expected);
        assert_eq!(note.task_definition.as_str(), "web:7");
        assert_eq!(base.descent, Descent { base: 7, seen: 7 });
        assert!(
            note.message
                .starts_with("it was made from web:7, which somebody else registered since")
        );
        assert!(
            !note.message.contains("hush") && !note.message.contains("1024"),
            "{}",
            note.message
        );
        assert_eq!(base.newest.unwrap().arn().short(), "web:7");
    }
}

#[test]
fn of_many_members_that_differ_some_are_named_and_the_rest_is_counted() {
    let mut newest = somebodys("web:7");
    for number in 0..30 {
        newest["taskDefinition"][format!("member{number:02}")] = json!(true);
    }
    let note = decided(Some(&newest)).note.unwrap();
    assert_eq!(note.differs.len(), NAMED);
    assert!(note.message.ends_with("member19 and 11 more"), "{}", note.message);
}

#[test]
fn where_nothing_newer_is_there_nothing_is_told() {
    let base = decided(None);
    assert!(base.newest.is_none() && base.note.is_none());
    assert_eq!(base.descent, FAMILY);
}

#[test]
fn a_newer_document_that_does_not_run_the_repository_is_not_taken_and_asked_again_next_time() {
    let mut newest = somebodys("web:7");
    containers(&mut newest)[0]["image"] = json!(format!("{REGISTRY}/other:v1"));
    let base = decided(Some(&newest));
    assert!(base.newest.is_none());
    assert_eq!(base.descent, Descent { base: 3, seen: 6 });
    let note = base.note.unwrap();
    let says =
        "web:7 was registered since by somebody else, and no container of it runs app: so web:5 was copied, which runs";
    assert_eq!((note.message.as_str(), note.task_definition.as_str()), (says, "web:5"));
}

/// The document that is registered of a newer one.
#[test]
fn the_new_revision_has_the_newer_members_the_pushed_image_and_the_other_images_as_they_run() {
    let mut newest = somebodys("web:7");
    newest["taskDefinition"]["memory"] = json!("1024");
    newest["tags"] = json!([{"key": "team", "value": "checkout"}, {"key": "cost", "value": "7"}]);
    let more = [
        json!({"name": "log", "image": format!("{REGISTRY}/log:v1")}),
        json!({"name": "proxy", "image": "envoy:1"}),
        json!({"name": "job", "image": format!("{REGISTRY}/app:v0")}),
    ];
    containers(&mut newest).extend(more);
    let base = decided(Some(&newest));
    let made = definition(&running()).with_image_on(base.newest.as_ref(), base.descent, &pushed(2), ImageForm::Tag);
    let sent: Value = serde_json::from_slice(&made.to_register_request().unwrap()).unwrap();
    let images: Vec<&str> = sent["containerDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| container["image"].as_str().unwrap())
        .collect();
    let [app, log] = ["app:v2", "log:v8"].map(|image| format!("{REGISTRY}/{image}"));
    assert_eq!(images, [&app, &log, "envoy:1", &app]);
    assert_eq!(sent["memory"], "1024");
    let tag = |key: &str, value: &str| json!({"key": key, "value": value});
    let tags = [
        tag("cost", "7"),
        tag(
            "ecr-deploy:push/app",
            &format!("2026-05-04T12:00:02Z 0a1b {} v2", digest(2)),
        ),
        tag("ecr-deploy:push/log", "2026-05-04T11:00:00Z 0a1c"),
        tag("ecr-deploy:source", "web:5 base 7 seen 7"),
        tag("team", "checkout"),
    ];
    assert_eq!(sent["tags"], json!(tags));
    assert_eq!(made.source().unwrap().short(), "web:5", "it is what ran");
    assert_eq!(made.descent(), Some(Descent { base: 7, seen: 7 }));
    // The running revision is copied as ever, and tells up to where the family is known.
    let copied = definition(&running()).with_image_on(None, FAMILY, &pushed(2), ImageForm::Tag);
    assert!(copied.is_same_document(&definition(&running()).with_image(&pushed(2), ImageForm::Tag)));
    assert_eq!(copied.descent(), Some(FAMILY));
}
