//! The rules by which the old contents are known. In every case `web:2` has failed and `web:1` was good before it.

use super::*;
use ecr_deploy::domain::service::ServiceDeploymentStatus::{RolledBack, Successful, UnderWay};
use ecr_deploy::testing::{REGISTRY, arn, definition, described, described_of_push, digest, pushed, record};

fn contents(previous: &serde_json::Value, history: Option<&[ServiceDeployment]>) -> Contents {
    old_contents(
        &definition(previous),
        &pushed(2),
        &recorded_digests(history, &arn("web:1")),
    )
}

fn tagged(tag: &str, number: u32) -> Contents {
    Contents::Tagged(tag.parse().unwrap(), digest(number))
}

#[test]
fn a_revision_that_names_its_image_by_digest_is_always_the_same_contents() {
    assert_eq!(
        contents(&described("web:1", &format!("app@{}", digest(1)), &[]), None),
        Contents::Pinned
    );
    assert_eq!(
        contents(&described("web:1", &format!("app:v1@{}", digest(1)), &[]), None),
        Contents::Pinned
    );
    assert_eq!(
        contents(&described("web:1", "other:v1", &[]), None),
        Contents::Pinned,
        "it does not run the repository"
    );
}

#[test]
fn what_a_tag_stood_for_is_told_by_ecss_record_of_the_rollout() {
    let history = [record("web:2", UnderWay), record("web:1", Successful)];
    assert_eq!(
        contents(&described("web:1", "app:v1", &[]), Some(&history)),
        tagged("v1", 1)
    );
    let latest = described("web:1", "app", &[]);
    assert_eq!(
        contents(&latest, Some(&history)),
        tagged("latest", 1),
        "no tag means latest"
    );
}

#[test]
fn contents_that_failed_under_the_same_tag_are_not_the_old_ones() {
    let of_digest = |number: u32, status| {
        let mut record = record("web:1", status);
        record.target_digests[0].digest = digest(number);
        record
    };
    let history = [of_digest(7, RolledBack), of_digest(1, Successful)];
    let previous = described("web:1", "app:latest", &[]);
    assert_eq!(contents(&previous, Some(&history)), tagged("latest", 1));
    let untold = contents(&previous, Some(&[of_digest(7, RolledBack)]));
    assert_eq!(untold, Contents::Unknown("latest".parse().unwrap()));
}

#[test]
fn ecs_brings_back_the_old_bits_of_what_it_has_resolved() {
    let keeps = |image: &str, history: &[ServiceDeployment]| {
        let resolved = recorded_digests(Some(history), &arn("web:1"));
        keeps_old_contents(&definition(&described("web:1", image, &[])), &pushed(2), &resolved)
    };
    assert!(keeps("app:latest", &[record("web:1", Successful)]));
    let unresolved = ServiceDeployment {
        target_digests: Vec::new(),
        ..record("web:1", Successful)
    };
    assert!(!keeps("app:latest", &[unresolved]));
    assert!(keeps(&format!("app@{}", digest(1)), &[]));
    assert!(keeps("other:latest", &[]), "it does not run the repository");
}

#[test]
fn else_by_what_was_recorded_on_the_revision() {
    let previous = described_of_push("web:1", 1);
    assert_eq!(contents(&previous, None), tagged("v1", 1));
    assert_eq!(contents(&previous, Some(&[record("web:2", UnderWay)])), tagged("v1", 1));
    let mut of_a_sidecar = record("web:1", Successful);
    of_a_sidecar.target_digests[0].image = format!("{REGISTRY}/sidecar:v7");
    of_a_sidecar.target_digests[0].digest = digest(7);
    assert_eq!(contents(&previous, Some(&[of_a_sidecar.clone()])), tagged("v1", 1));
    of_a_sidecar.target_digests[0].image = "public.ecr.aws/x/app:v7".to_owned();
    assert_eq!(contents(&previous, Some(&[of_a_sidecar])), tagged("v1", 1));
}

#[test]
fn where_nothing_tells_the_digest_it_is_unknown() {
    assert_eq!(
        contents(&described("web:1", "app:v1", &[]), None),
        Contents::Unknown("v1".parse().unwrap())
    );
}
