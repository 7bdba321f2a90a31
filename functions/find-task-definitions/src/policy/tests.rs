//! Every reason, by what it is decided from. The push is that of `app:v2`.

use super::*;
use ecr_deploy::contract::Hold;
use ecr_deploy::domain::artifact::Kind;
use ecr_deploy::testing::{
    arn, at, definition, deployment, described, described_of_push, digest, pushed, service as web,
};
use serde_json::{Value, json};

const ASSETS: &str = "cdk-hnb659fds-container-assets-123456789012-eu-west-1";

/// A row of the table.
struct Row {
    /// The entry that is skipped for the reason; `None` for a reason that is not decided here.
    skipped: Option<Skipped>,
    resource: &'static str,
    says: &'static str,
    /// The reason of the next row: so the compiler asks for a row of each reason.
    next: Option<SkipReason>,
}

impl Row {
    fn of(
        skipped: impl Into<Option<Skipped>>,
        resource: &'static str,
        says: &'static str,
        next: impl Into<Option<SkipReason>>,
    ) -> Self {
        Self {
            skipped: skipped.into(),
            resource,
            says,
            next: next.into(),
        }
    }
}

fn stages(settings: &Value) -> Stages {
    let config = Config {
        stages: serde_json::from_value(settings.clone()).unwrap(),
        ..Config::default()
    };
    Stages::read(&config).unwrap()
}

/// The one stage of an installation that names none.
fn all() -> Stages {
    Stages::read(&Config::default()).unwrap()
}

/// The first reason, and so the first row.
const FIRST: SkipReason = SkipReason::Untagged;

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn row(reason: SkipReason) -> Row {
    let image = pushed(2);
    let of_service = |change: fn(&mut Service)| {
        let mut service = web([deployment("web:1")]);
        change(&mut service);
        service
    };
    let of_push = |change: fn(&mut PushedImage)| {
        let mut image = pushed(2);
        change(&mut image);
        push(&image, &Config::default(), &all())
    };
    let staged = |change: fn(&mut Value, &mut Service)| {
        let (mut stage, mut service) = (json!({"name": "only", "tags": ["*"]}), web([deployment("web:1")]));
        change(&mut stage, &mut service);
        let definition = definition(&described_of_push("web:1", 1)).outline();
        super::stage(&stages(&json!([stage])), &image, Some(&service), &definition, at(600)).err()
    };
    let warning = |tags: &[(&str, &str)]| {
        let definition = definition(&described("web:1", "app:v1", tags)).outline();
        let mut warnings: Vec<Skipped> = warnings(&image, &definition, at(600)).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        warnings.remove(0)
    };
    match reason {
        SkipReason::Untagged => Row::of(
            nothing_pushed(&NothingPushed::Untagged {
                repository: "app".parse().unwrap(),
            }),
            "app",
            "nothing to deploy: the push to app has no tag",
            SkipReason::FailedPush,
        ),
        SkipReason::FailedPush => Row::of(
            nothing_pushed(&NothingPushed::Failed {
                repository: "app".to_owned(),
                cause: "Denied: no".to_owned(),
            }),
            "app",
            "nothing to deploy: the push to app failed (Denied: no)",
            SkipReason::NotAnImage,
        ),
        SkipReason::NotAnImage => {
            let signature = "application/vnd.dev.cosign.artifact.sig.v1+json";
            let Kind::Artifact(artifact) = ecr_deploy::domain::artifact::of_media_types(None, Some(signature)) else {
                panic!("{signature} is an image");
            };
            let told = nothing_pushed(&NothingPushed::Artifact {
                pushed: image.clone(),
                artifact: artifact.clone(),
            });
            assert_eq!(told, not_an_image(&image, &artifact), "by the event, and by ECR");
            Row::of(told, "app:v2", "not an image", SkipReason::CdkAssets)
        }
        SkipReason::CdkAssets => Row::of(
            of_push(|image| image.repository = ASSETS.parse().unwrap()),
            "cdk-hnb659fds-container-assets-123456789012-eu-west-1:v2",
            "is an asset of the AWS CDK",
            SkipReason::PushedByEcr,
        ),
        SkipReason::PushedByEcr => {
            let cached = nothing_pushed(&NothingPushed::Cached {
                repository: "docker-hub/redis".to_owned(),
            });
            assert_eq!((cached.reason, &*cached.resource), (reason, "docker-hub/redis"));
            assert!(
                cached.message.contains("by a pull-through cache; nobody pushed it"),
                "{cached:?}"
            );
            Row::of(
                of_push(|image| {
                    let session = "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForECRReplication/session";
                    image.by = Some(session.parse().unwrap());
                }),
                "app:v2",
                "was pushed by ECR itself (AWSServiceRoleForECRReplication)",
                SkipReason::TagNotTaken,
            )
        }
        SkipReason::TagNotTaken => {
            let of_push = of_push(|image| image.tag = "latest".parse().unwrap()).unwrap();
            assert_eq!((of_push.reason, &*of_push.resource), (reason, "app:latest"));
            let says = "nothing to deploy: app:latest is taken by no stage: all by its rule \"!latest\"";
            assert_eq!(of_push.message, says);
            Row::of(
                staged(|stages, _| stages["tags"] = json!(["main-*", "!v*"])),
                "web in production",
                "its stage does not take the tag v2: only by its rule \"!v*\"",
                SkipReason::NoStage,
            )
        }
        SkipReason::NoStage => Row::of(
            staged(|stage, _| stage["clusters"] = json!(["staging"])),
            "web in production",
            "no stage selects it; there are only. Let one select it, or set its tag ecr-deploy:stage",
            SkipReason::StageOff,
        ),
        SkipReason::StageOff => Row::of(
            staged(|_, service| service.tags.stage = Some("off".to_owned())),
            "web in production",
            "its tag ecr-deploy:stage is off; remove the tag to have it deployed",
            SkipReason::UnknownStage,
        ),
        SkipReason::UnknownStage => Row::of(
            staged(|_, service| service.tags.stage = Some("onyl".to_owned())),
            "web in production",
            "Deploy.InvalidInput: its tag ecr-deploy:stage is \"onyl\", and there is no such stage; there are only, and off",
            SkipReason::OnHold,
        ),
        SkipReason::OnHold => {
            let over = staged(|_, service| service.tags.hold = Some("until 2026-05-04T12:10:00Z audit".to_owned()));
            assert_eq!(over, None, "the time has come");
            Row::of(
                staged(|_, service| service.tags.hold = Some("until 2026-05-04T12:10:01Z audit".to_owned())),
                "web in production",
                "its tag ecr-deploy:hold keeps it as it is: \"until 2026-05-04T12:10:01Z audit\"",
                SkipReason::AllOnHold,
            )
        }
        SkipReason::AllOnHold => {
            let held = |value: &str, service: Option<&Service>| {
                let hold = Hold {
                    parameter: "/ecr-deploy/shop/hold".to_owned(),
                    value: value.to_owned(),
                };
                let mut everything = all();
                everything.hold = Some(hold);
                let definition = definition(&described_of_push("web:1", 1)).outline();
                super::stage(&everything, &image, service, &definition, at(600)).err()
            };
            let web = web([deployment("web:1")]);
            for over in ["none", "until 2026-05-04T12:10:00Z audit"] {
                assert_eq!(held(over, Some(&web)), None, "{over}");
            }
            let of_family = held("ann - audit", None).unwrap();
            assert_eq!((of_family.resource.as_str(), of_family.reason), ("family web", reason));
            Row::of(
                held("ann - audit", Some(&web)),
                "web in production",
                "everything is on hold by the parameter /ecr-deploy/shop/hold: \"ann - audit\". When that is lifted,",
                SkipReason::LowerVersion,
            )
        }
        SkipReason::LowerVersion => {
            let allowed = |allow: bool| {
                let stage = json!([{"name": "only", "tags": ["semver:*"], "allowLower": allow}]);
                let definition = definition(&described("web:1", "app:v1.4.0", &[])).outline();
                let image = PushedImage {
                    tag: "1.3.9".parse().unwrap(),
                    ..pushed(2)
                };
                let service = web([deployment("web:1")]);
                super::stage(&stages(&stage), &image, Some(&service), &definition, at(600)).err()
            };
            assert_eq!(allowed(true), None);
            Row::of(
                allowed(false),
                "web in production",
                "v1.4.0 runs, and 1.3.9 is a lower version. A range of versions decided: the stage only by its rule \"semver:*\". Set allowLower",
                SkipReason::NotInUse,
            )
        }
        SkipReason::NotInUse => Row::of(
            not_in_use(&image),
            "app:v2",
            "no family runs the repository app of 123456789012 in eu-west-1",
            SkipReason::ClusterNotFound,
        ),
        SkipReason::ClusterNotFound => Row::of(
            cluster_not_found(&"staging".parse().unwrap(), "ListServices of cluster staging: no"),
            "cluster staging",
            "ListServices of cluster staging: no; if the cluster was deleted on purpose, take it out of the setting",
            SkipReason::ServiceNotActive,
        ),
        SkipReason::ServiceNotActive => {
            let gone = service_not_found("arn:aws:ecs:…:service/production/web", "MISSING");
            assert!(gone.message.contains("is not described (MISSING)"), "{gone:?}");
            let inactive = of_service(|service| service.status = ServiceStatus::Inactive);
            assert_eq!(service(&image, &inactive).unwrap().reason, reason);
            let draining = of_service(|service| service.status = ServiceStatus::Draining);
            Row::of(
                service(&image, &draining),
                "web in production",
                "being deleted",
                SkipReason::CodeDeployController,
            )
        }
        SkipReason::CodeDeployController => Row::of(
            service(
                &image,
                &of_service(|service| service.controller = Controller::CodeDeploy),
            ),
            "web in production",
            "start one with app:v2",
            SkipReason::ExternalController,
        ),
        SkipReason::ExternalController => Row::of(
            service(&image, &of_service(|service| service.controller = Controller::External)),
            "web in production",
            "give its own deployer app:v2",
            SkipReason::UnknownController,
        ),
        SkipReason::UnknownController => Row::of(
            service(&image, &of_service(|service| service.controller = Controller::Unknown)),
            "web in production",
            "deploy it by its own means",
            SkipReason::Superseded,
        ),
        SkipReason::Superseded => {
            let newer = definition(&described_of_push("web:3", 3)).outline();
            Row::of(
                revision(&image, "web in production", &newer, at(600)),
                "web in production",
                "web:3, of a newer push (2026-05-04T12:00:03Z 0a1b) than this one (2026-05-04T12:00:02Z 0a1b)",
                SkipReason::TaskDefinitionNotFound,
            )
        }
        SkipReason::TaskDefinitionNotFound => {
            let service = web([deployment("web:1")]);
            let none = revision_not_found(&image, &service, None);
            assert!(none.message.contains("names no task definition"), "{none:?}");
            Row::of(
                revision_not_found(&image, &service, Some(&arn("web:1"))),
                "web in production",
                "ECS does not describe web:1 any more",
                SkipReason::PushTimeIgnored,
            )
        }
        SkipReason::PushTimeIgnored => Row::of(
            warning(&[("ecr-deploy:push/app", "2062-05-04T12:00:00Z 0a1b")]),
            "web:1",
            "a push of the future (2062-05-04T12:00:00Z 0a1b). The record is ignored, and app:v2 is deployed",
            SkipReason::TagsLeftOut,
        ),
        SkipReason::TagsLeftOut => {
            let names: Vec<String> = (0..50).map(|number| format!("team-{number}")).collect();
            let own: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "shop")).collect();
            Row::of(
                warning(&own),
                "web:1",
                "its own tags leave no room on its new revision for",
                SkipReason::NotPromoted,
            )
        }
        SkipReason::NotPromoted => Row::of(
            not_promoted(
                &image,
                "web in production",
                [&"production".parse().unwrap(), &"staging".parse().unwrap()],
                &missing(2),
            ),
            "web in production",
            "its stage production comes after staging, and web in staging (and 2 more services) is not stable on this image",
            SkipReason::NotTagged,
        ),
        SkipReason::NotTagged => Row::of(
            not_tagged(
                &image,
                &"tried".parse().unwrap(),
                &"staging".parse().unwrap(),
                &missing(1),
            ),
            "app:v2",
            "the stage staging does not give it the tag tried: web in staging (and one more service) is not stable on this image",
            SkipReason::ServiceDeleted,
        ),
        // These two by conclude, after the plan.
        SkipReason::ServiceDeleted => Row::of(None, "", "", SkipReason::NotReached),
        SkipReason::NotReached => Row::of(None, "", "", None),
    }
}

/// The service `web` of staging, and so many more.
fn missing(more: usize) -> Missing {
    Missing {
        first: "web in staging".to_owned(),
        more,
        is_of_other_deployer: false,
    }
}

#[test]
fn every_reason_is_told_by_its_name_with_its_resource_and_with_what_to_do() {
    let (mut reason, mut count) = (FIRST, 1);
    loop {
        let row = row(reason);
        if let Some(skipped) = &row.skipped {
            assert_eq!(
                (skipped.reason, &*skipped.resource, skipped.count),
                (reason, row.resource, 1)
            );
            assert!(skipped.message.contains(row.says), "{}", skipped.message);
        }
        let Some(next) = row.next else { break };
        (reason, count) = (next, count + 1);
        assert!(count < 100, "the rows go round");
    }
    // The table above has a row for each reason; that the loop has been at each is shown by their number.
    let contract = include_str!("../../../ecr-deploy/src/contract/common.rs");
    let (_, variants) = contract.split_once("pub enum SkipReason {").unwrap();
    let (variants, _) = variants.split_once("\n}").unwrap();
    let variants = variants
        .lines()
        .filter(|line| line.ends_with(',') && !line.contains("//"));
    assert_eq!(variants.count(), count);
}

#[test]
fn nothing_speaks_against_an_active_service_of_ecs_on_an_older_revision() {
    let image = pushed(2);
    assert_eq!(push(&image, &Config::default(), &all()), None);
    assert_eq!(service(&image, &web([deployment("web:1")])), None);
    for same_or_older in [1, 2] {
        let definition = definition(&described_of_push("web:1", same_or_older)).outline();
        assert_eq!(revision(&image, "web", &definition, at(600)), None);
        assert_eq!(warnings(&image, &definition, at(600)).count(), 0);
    }
    // A push that is recorded as of a time to come keeps nothing out.
    let to_come = definition(&described_of_push("web:1", 3_000)).outline();
    assert_eq!(revision(&image, "web", &to_come, at(600)), None);
}

/// Why a push of this tag into this repository by this caller is skipped, where the setting names these repositories.
fn skipped_for(repository: &str, tag: &str, by: Option<&str>, named: &[&str]) -> Option<(SkipReason, String)> {
    let image = PushedImage {
        repository: repository.parse().unwrap(),
        tag: tag.parse().unwrap(),
        by: by.map(|by| by.parse().unwrap()),
        ..pushed(2)
    };
    let config = Config {
        repositories: named.iter().map(|name| name.parse().unwrap()).collect(),
        ..Config::default()
    };
    push(&image, &config, &all()).map(|skipped| (skipped.reason, skipped.message))
}

#[test]
fn an_asset_of_the_cdk_is_deployed_only_where_its_repository_is_named() {
    let (reason, message) = skipped_for(ASSETS, "cccc", None, &[]).unwrap();
    assert_eq!(reason, SkipReason::CdkAssets);
    assert!(
        message.contains("the setting repositories") && message.contains(ASSETS),
        "{message}"
    );
    assert!(skipped_for(ASSETS, "cccc", None, &["other"]).is_some());
    assert_eq!(skipped_for(ASSETS, "cccc", None, &["other", ASSETS]), None);
    for other in [
        "app",
        "cdk-container-assets-123456789012-eu-west-1",
        "cdk--container-assets-123456789012-eu-west-1",
        "cdk-team/web-container-assets-123456789012-eu-west-1",
        "cdk-hnb659fds-container-assets-123456789012-us-east-1",
        "cdk-hnb659fds-container-assets-210987654321-eu-west-1",
        "team/cdk-hnb659fds-container-assets-123456789012-eu-west-1",
        "cdk-hnb659fds-assets-123456789012-eu-west-1",
    ] {
        assert_eq!(skipped_for(other, "cccc", None, &[]), None, "{other}");
    }
}

#[test]
fn what_ecr_brings_in_by_itself_is_no_push_of_anybody() {
    let session = |role: &str| format!("arn:aws:sts::123456789012:assumed-role/{role}/session");
    let redis = "docker-hub/library/redis";
    for role in [
        "AWSServiceRoleForECRPullThroughCache",
        "AWSServiceRoleForECRReplication",
    ] {
        let (reason, message) = skipped_for(redis, "8", Some(&session(role)), &[]).unwrap();
        assert_eq!(reason, SkipReason::PushedByEcr);
        assert!(message.contains(role), "{message}");
        let itself = format!("arn:aws:iam::123456789012:role/aws-service-role/ecr.amazonaws.com/{role}");
        assert!(skipped_for(redis, "8", Some(&itself), &[]).is_some());
        assert_eq!(skipped_for(redis, "8", Some(&session(role)), &[redis]), None);
    }
    for by in [
        None,
        Some("arn:aws:iam::123456789012:user/ci"),
        Some(&*session("ci-push")),
    ] {
        assert_eq!(skipped_for(redis, "8", by, &[]), None, "{by:?}");
    }
    let similar = session("AWSServiceRoleForECRPullThroughCacheOfOurs");
    assert_eq!(skipped_for(redis, "8", Some(&similar), &[]), None);
}

#[test]
fn latest_is_taken_only_by_a_stage_that_says_so_whatever_repositories_are_named() {
    for named in [&[][..], &["app"]] {
        let (reason, message) = skipped_for("app", "latest", None, named).unwrap();
        assert_eq!(reason, SkipReason::TagNotTaken);
        assert!(
            message.ends_with("is taken by no stage: all by its rule \"!latest\""),
            "{message}"
        );
    }
    assert_eq!(skipped_for("app", "latest1", None, &[]), None);
    let latest = PushedImage {
        tag: "latest".parse().unwrap(),
        ..pushed(2)
    };
    let takes_it = stages(&json!([{"name": "a", "tags": ["v*"]}, {"name": "b", "tags": ["*"]}]));
    assert_eq!(push(&latest, &Config::default(), &takes_it), None);
}

#[test]
fn a_family_without_a_service_has_a_stage_and_no_tags() {
    let definition = definition(&described_of_push("nightly:1", 1)).outline();
    let of_family = |settings: &Value| stage(&stages(settings), &pushed(2), None, &definition, at(600)).err();
    assert_eq!(of_family(&json!([{"name": "all", "tags": ["*"]}])), None);
    let skipped = of_family(&json!([{"name": "a", "clusters": ["*"], "tags": ["*"]}])).unwrap();
    assert_eq!(
        (&*skipped.resource, skipped.reason),
        ("family nightly", SkipReason::NoStage)
    );
}

/// A running revision by its image and what its tags record, and whether the push of `1.3.9` is a lower version than what runs.
#[test]
fn a_version_is_compared_with_the_tag_that_the_running_revision_names_or_records() {
    let by_version = stages(&json!([{"name": "all", "tags": ["semver:*"]}]));
    let image = PushedImage {
        tag: "1.3.9".parse().unwrap(),
        ..pushed(2)
    };
    let by_digest = |number: u32| format!("app@{}", digest(number));
    let push = |behind: &str| format!("{} {}{behind}", pushed(1).push, digest(1));
    let (v4, v3) = (push(" v1.4.0"), push(" v1.3.0 arn:aws:iam::123456789012:user/ci"));
    let apart = format!("{} v1.4.0", digest(1));
    for (runs, record, is_lower, why) in [
        ("app:v1.4.0".to_owned(), None, true, "it names the tag"),
        (
            by_digest(1),
            Some(("ecr-deploy:push/app", v4.as_str())),
            true,
            "it records it",
        ),
        (
            by_digest(1),
            Some(("ecr-deploy:push/app", &v3)),
            false,
            "it records a lower one",
        ),
        (
            by_digest(1),
            Some(("ecr-deploy:digest/app", &apart)),
            true,
            "a copy for a rollback records it",
        ),
        (
            "app:v1.3.0".to_owned(),
            Some(("ecr-deploy:push/app", &v4)),
            false,
            "the tag that it names is what runs",
        ),
        (
            by_digest(3),
            Some(("ecr-deploy:push/app", &v4)),
            false,
            "the record is of another digest",
        ),
        (
            by_digest(1),
            Some(("ecr-deploy:push/app", &push(""))),
            false,
            "an earlier version recorded no tag",
        ),
        (
            by_digest(1),
            Some(("ecr-deploy:push/other", &v4)),
            false,
            "of another repository",
        ),
        (by_digest(1), None, false, "nothing is recorded"),
    ] {
        let tags: Vec<(&str, &str)> = record.into_iter().collect();
        let definition = definition(&described("web:1", &runs, &tags)).outline();
        let skipped = stage(&by_version, &image, None, &definition, at(600)).err();
        let reason = skipped.map(|skipped| skipped.reason);
        assert_eq!(reason, is_lower.then_some(SkipReason::LowerVersion), "{why}");
    }
}

#[test]
fn a_lower_version_is_deployed_where_no_range_of_versions_decides() {
    let definition = definition(&described("web:1", "app:v1.4.0", &[])).outline();
    let image = PushedImage {
        tag: "v1.3.9".parse().unwrap(),
        ..pushed(2)
    };
    let by_glob = stages(&json!([{"name": "all", "tags": ["semver:*", "v1.*"]}]));
    assert!(stage(&by_glob, &image, None, &definition, at(600)).is_ok());
}
