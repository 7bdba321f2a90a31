//! The order of stages. In every case `production` comes after `staging`, which the push may take or not.

use super::*;
use crate::plan::plan;
use ecr_deploy::contract::SkipReason;
use ecr_deploy::domain::service::{Deployment, ServiceTags};
use ecr_deploy::function::config::Config;
use ecr_deploy::testing::{at, definition, deployment, described, described_of_push, pushed, rolling, service};
use serde_json::{Value, json};

fn stages(settings: &Value) -> Stages {
    Stages::read(&Config {
        stages: serde_json::from_value(settings.clone()).unwrap(),
        ..Config::default()
    })
    .unwrap()
}

/// Staging takes `v2` or not; production takes it, after staging.
fn two(staging: &[&str]) -> Stages {
    stages(&json!([
        {"name": "staging", "clusters": ["staging"], "tags": staging},
        {"name": "production", "clusters": ["production"], "tags": ["*"], "after": "staging", "soakSeconds": 900},
    ]))
}

/// A service of a cluster with this deployment.
fn on(cluster: &str, name: &str, deployment: Deployment) -> Service {
    Service {
        cluster: cluster.parse().unwrap(),
        name: name.parse().unwrap(),
        ..service([deployment])
    }
}

/// Returns the waves, and the entries that are not promoted: of `web:1` of the first push and `web:2` of this one.
fn put_in_order(stages: &Stages, services: &[Service]) -> (Vec<String>, Vec<Skipped>) {
    let ordered = ordered(stages, services);
    (lines(&ordered), ordered.skipped)
}

fn ordered(stages: &Stages, services: &[Service]) -> Waves {
    let known = [described_of_push("web:1", 1), described_of_push("web:2", 2)].map(|described| definition(&described));
    let known = known.map(|definition| (definition.arn().clone(), Some(definition.outline())));
    let definitions = BTreeMap::from(known);
    let standalone = [definition(&described("nightly:1", "app:v1", &[])).outline()];
    let planned = plan(stages, &pushed(2), services, &definitions, &standalone, at(600));
    waves(stages, &pushed(2), services, &definitions, &planned)
}

/// Each wave with its stages, its soak, and its revisions with their services; behind a revision, by which settings it is deployed
/// where those are not the first.
fn lines(ordered: &Waves) -> Vec<String> {
    let line = |wave: &Wave| {
        let revisions = wave.revisions.iter().map(|revision| {
            let services = revision
                .services
                .iter()
                .map(|service| format!(" {}/{}", service.cluster, service.service));
            let settings = match revision.settings {
                0 => String::new(),
                other => format!("#{other}"),
            };
            format!("{}{settings}{}", revision.task_definition, services.collect::<String>())
        });
        let names: Vec<&str> = wave.stages.iter().map(StageName::as_str).collect();
        let revisions: Vec<String> = revisions.collect();
        format!("{} {}: {}", names.join(","), wave.soak, revisions.join("; "))
    };
    ordered.waves.iter().map(line).collect()
}

#[test]
fn without_an_order_all_is_one_wave() {
    let one = stages(&json!([{"name": "all", "tags": ["*"]}]));
    let services = [
        on("staging", "web", deployment("web:1")),
        on("production", "web", deployment("web:1")),
    ];
    let (waves, skipped) = put_in_order(&one, &services);
    assert_eq!(waves, ["all 0: web:1 production/web staging/web; nightly:1"]);
    assert_eq!(skipped, []);
    let nothing = stages(&json!([{"name": "all", "tags": ["none"]}]));
    assert_eq!(put_in_order(&nothing, &services).0, Vec::<String>::new());
}

#[test]
fn a_stage_comes_after_another_one_that_takes_the_tag_too() {
    let services = [
        on("staging", "web", deployment("web:1")),
        on("production", "web", deployment("web:1")),
        on("production", "api", deployment("web:1")),
    ];
    let (waves, skipped) = put_in_order(&two(&["v*"]), &services);
    let expected = [
        "staging 0: web:1 staging/web",
        "production 900: web:1#1 production/api production/web",
    ];
    assert_eq!((waves, skipped), (expected.map(str::to_owned).to_vec(), vec![]));
}

#[test]
fn a_service_on_hold_in_the_stage_before_keeps_the_stage_back() {
    let held = Service {
        tags: ServiceTags {
            hold: Some("ann: audit".to_owned()),
            ..ServiceTags::default()
        },
        ..on("staging", "api", deployment("web:1"))
    };
    let services = [
        on("staging", "web", deployment("web:1")),
        held,
        on("production", "web", deployment("web:1")),
    ];
    let (waves, skipped) = put_in_order(&two(&["v*"]), &services);
    assert_eq!(waves, ["staging 0: web:1 staging/web"]);
    let [skipped] = skipped.as_slice() else {
        panic!("{skipped:?}")
    };
    assert_eq!(
        (skipped.resource.as_str(), skipped.reason),
        ("web in production", SkipReason::NotPromoted)
    );
    let says = "its stage production comes after staging, and api in staging is not stable on this image (sha256:";
    assert!(skipped.message.contains(says), "{}", skipped.message);
}

/// Staging does not take the tag: it had the image under another one.
#[test]
fn an_image_is_promoted_that_every_service_of_the_stage_before_has_had_stable() {
    let not_taken = two(&["main-*"]);
    let production = || on("production", "web", deployment("web:1"));
    for (staging, promoted) in [
        (vec![on("staging", "web", deployment("web:2"))], true),
        (vec![], true),
        (vec![on("staging", "web", rolling("web:2"))], false),
        (vec![on("staging", "web", deployment("web:1"))], false),
        (
            vec![
                on("staging", "web", deployment("web:2")),
                on("staging", "api", deployment("web:1")),
            ],
            false,
        ),
        (
            vec![Service {
                tags: ServiceTags {
                    stage: Some("off".to_owned()),
                    ..ServiceTags::default()
                },
                ..on("staging", "api", deployment("web:1"))
            }],
            true,
        ),
    ] {
        let services: Vec<Service> = staging.clone().into_iter().chain([production()]).collect();
        let (waves, skipped) = put_in_order(&not_taken, &services);
        let expected: &[&str] = if promoted {
            &["production 900: web:1 production/web"]
        } else {
            &[]
        };
        assert_eq!(waves, expected, "{staging:?}");
        assert_eq!(skipped.len(), usize::from(!promoted), "{skipped:?}");
    }
}

#[test]
fn a_stage_behind_one_that_is_kept_back_is_kept_back_too() {
    let three = stages(&json!([
        {"name": "production", "clusters": ["production"], "tags": ["*"], "after": "canary"},
        {"name": "canary", "clusters": ["canary"], "tags": ["*"], "after": "staging"},
        {"name": "staging", "clusters": ["staging"], "tags": ["main-*"]},
    ]));
    let services = ["staging", "canary", "production"].map(|cluster| on(cluster, "web", deployment("web:1")));
    let (waves, skipped) = put_in_order(&three, &services);
    assert_eq!(waves, Vec::<String>::new());
    let resources: Vec<&str> = skipped.iter().map(|skipped| skipped.resource.as_str()).collect();
    assert_eq!(resources, ["web in canary", "web in production"]);
}

/// No service of the canary runs the repository: production comes after staging then.
#[test]
fn behind_a_stage_without_services_the_one_before_that_keeps_the_stage_back() {
    let three = |staging: &[&str]| {
        stages(&json!([
            {"name": "production", "clusters": ["production"], "tags": ["*"], "after": "canary"},
            {"name": "canary", "clusters": ["canary"], "tags": ["*"], "after": "staging"},
            {"name": "staging", "clusters": ["staging"], "tags": staging},
        ]))
    };
    let production = || on("production", "web", deployment("web:1"));
    let held = Service {
        tags: ServiceTags {
            hold: Some("ann: audit".to_owned()),
            ..ServiceTags::default()
        },
        ..on("staging", "web", deployment("web:1"))
    };
    for (tags, staging) in [
        ("main-*", on("staging", "web", deployment("web:1"))),
        ("main-*", on("staging", "web", rolling("web:2"))),
        ("v*", held),
    ] {
        let (waves, skipped) = put_in_order(&three(&[tags]), &[staging.clone(), production()]);
        assert_eq!(waves, Vec::<String>::new(), "{staging:?}");
        let [skipped] = skipped.as_slice() else {
            panic!("{skipped:?}")
        };
        let says = "its stage production comes after staging, and web in staging is not stable on this image";
        assert!(skipped.message.starts_with(says), "{}", skipped.message);
    }
    let stable = [on("staging", "web", deployment("web:2")), production()];
    let (waves, skipped) = put_in_order(&three(&["main-*"]), &stable);
    assert_eq!(
        (waves.as_slice(), skipped),
        (["production 0: web:1 production/web".to_owned()].as_slice(), vec![])
    );
    let (waves, skipped) = put_in_order(&three(&["main-*"]), &[production()]);
    assert_eq!(
        (waves.as_slice(), skipped),
        (["production 0: web:1 production/web".to_owned()].as_slice(), vec![])
    );
    let in_push = [on("staging", "web", deployment("web:1")), production()];
    let (waves, _) = put_in_order(&three(&["v*"]), &in_push);
    assert_eq!(
        waves,
        ["staging 0: web:1#1 staging/web", "production 0: web:1 production/web"]
    );
}

#[test]
fn a_service_of_the_stage_before_that_is_being_deleted_keeps_nothing_back() {
    use ecr_deploy::domain::service::ServiceStatus::{Draining, Inactive};
    for status in [Draining, Inactive] {
        let deleted = Service {
            status,
            ..on("staging", "web", deployment("web:1"))
        };
        let (waves, skipped) = put_in_order(&two(&["v*"]), &[deleted, on("production", "web", deployment("web:1"))]);
        assert_eq!(waves, ["production 900: web:1 production/web"], "{status:?}");
        assert_eq!(skipped, [], "{status:?}");
    }
}

/// ECS shows no deployments of such a service, so it is never stable, whatever it runs.
#[test]
fn for_a_service_of_another_deployer_in_the_stage_before_the_advice_is_to_take_it_out_of_its_stage() {
    use ecr_deploy::domain::service::Controller::{CodeDeploy, External};
    for controller in [CodeDeploy, External] {
        let other = Service {
            controller,
            deployments: Vec::new(),
            ..on("staging", "web", deployment("web:2"))
        };
        let services = [
            on("staging", "api", rolling("web:2")),
            other,
            on("production", "web", deployment("web:1")),
        ];
        let (waves, skipped) = put_in_order(&two(&["main-*"]), &services);
        assert_eq!(waves, Vec::<String>::new(), "{controller:?}");
        let says = "ECS does not deploy web in staging, so no push moves it: set its tag ecr-deploy:stage to off";
        assert!(skipped[0].message.contains(says), "{}", skipped[0].message);
    }
}

/// ECS does not describe `gone:1`, so nobody knows whether it runs the repository.
#[test]
fn a_service_of_the_stage_before_that_cannot_be_read_keeps_the_stage_back() {
    let production = || on("production", "web", deployment("web:1"));
    let gone = on("staging", "web", deployment("gone:1"));
    let deleted = Service {
        status: ecr_deploy::domain::service::ServiceStatus::Draining,
        ..gone.clone()
    };
    let external = Service {
        controller: ecr_deploy::domain::service::Controller::External,
        ..gone.clone()
    };
    let off = Service {
        tags: ServiceTags {
            stage: Some("off".to_owned()),
            ..ServiceTags::default()
        },
        ..gone.clone()
    };
    for unknown in [gone, external] {
        let (waves, skipped) = put_in_order(&two(&["v*"]), &[unknown.clone(), production()]);
        assert_eq!(waves, Vec::<String>::new(), "{unknown:?}");
        let [skipped] = skipped.as_slice() else {
            panic!("{skipped:?}")
        };
        assert_eq!(
            (skipped.resource.as_str(), skipped.reason),
            ("web in production", SkipReason::NotPromoted)
        );
    }
    for spared in [deleted, off] {
        let (waves, skipped) = put_in_order(&two(&["v*"]), &[spared.clone(), production()]);
        assert_eq!(waves, ["production 900: web:1 production/web"], "{spared:?}");
        assert_eq!(skipped, []);
    }
}

/// Of the stages that come after equally many, only those soak that this push deploys to.
#[test]
fn a_stage_that_is_not_in_the_push_does_not_prolong_the_soak() {
    let of = |bank: &str, after: &str| {
        stages(&json!([
            {"name": "staging", "clusters": ["staging"], "tags": ["v*"]},
            {"name": "preview", "clusters": ["preview"], "tags": ["pr-*"]},
            {"name": "eu", "clusters": ["eu"], "tags": ["v*"], "after": "staging", "soakSeconds": 900},
            {"name": "bank", "clusters": ["bank"], "tags": [bank], "after": after, "soakSeconds": 604_800},
        ]))
    };
    let services = ["staging", "preview", "eu", "bank"].map(|cluster| on(cluster, "web", deployment("web:1")));
    let eu_alone = ["staging 0: web:1 staging/web", "eu 900: web:1 eu/web"];
    let (waves, _) = put_in_order(&of("bank-*", "staging"), &services);
    assert_eq!(waves, eu_alone, "the bank does not take the tag");
    let (waves, skipped) = put_in_order(&of("v*", "preview"), &services);
    assert_eq!(waves, eu_alone, "the bank is kept back by the preview");
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    let (waves, _) = put_in_order(&of("v*", "staging"), &services[..3]);
    assert_eq!(waves, eu_alone, "no service of the bank runs the repository");
    let (waves, _) = put_in_order(&of("v*", "staging"), &services);
    assert_eq!(waves, [eu_alone[0], "eu,bank 604800: web:1 bank/web eu/web"]);
}

/// The services `web` of three clusters run one revision; so do three stages, each with what it says of itself.
fn three_of(members: [Value; 3]) -> Stages {
    let named = ["preview", "staging", "production"]
        .iter()
        .zip(members)
        .map(|(name, members)| {
            let mut stage = json!({"name": name, "clusters": [name], "tags": ["v*"]});
            stage
                .as_object_mut()
                .unwrap()
                .extend(members.as_object().unwrap().clone());
            stage
        });
    stages(&json!(named.collect::<Vec<_>>()))
}

fn in_three() -> [Service; 3] {
    ["preview", "staging", "production"].map(|cluster| on(cluster, "web", deployment("web:1")))
}

/// How each of [`three_of`] deploys that sets nothing.
fn by_tag() -> RolloutSettings {
    RolloutSettings {
        tags: Some(serde_json::from_value(json!(["v*"])).unwrap()),
        ..RolloutSettings::default()
    }
}

#[test]
fn a_revision_is_planned_for_each_stage_that_takes_other_tags_where_it_names_the_image_by_tag() {
    let planned = |image_reference: &str| {
        let stage = |tags: &[&str]| json!({"tags": tags, "imageReference": image_reference});
        lines(&ordered(
            &three_of([stage(&["v*"]), stage(&["v*", "main"]), stage(&["v*"])]),
            &in_three(),
        ))
    };
    let expected = ["preview,staging,production 0: web:1 preview/web production/web; web:1#1 staging/web"];
    assert_eq!(planned("tag"), expected);
    let expected = ["preview,staging,production 0: web:1 preview/web production/web staging/web"];
    assert_eq!(planned("digest"), expected);
}

#[test]
fn a_revision_is_planned_once_for_each_way_in_which_its_stages_deploy() {
    let by_digest =
        json!({"imageReference": "digest", "rollback": "none", "rolloutTimeoutSeconds": 60, "base": "newest"});
    let two_ways = ordered(&three_of([by_digest.clone(), json!({}), by_digest]), &in_three());
    let expected = ["preview,staging,production 0: web:1 preview/web production/web; web:1#1 staging/web"];
    assert_eq!(lines(&two_ways), expected);
    let settings = RolloutSettings {
        rollout_timeout: jiff::SignedDuration::from_secs(60),
        image_reference: ecr_deploy::domain::task_definition::ImageForm::Digest,
        rollback: ecr_deploy::domain::stage::RollbackSetting::None,
        base: ecr_deploy::domain::stage::BaseSetting::Newest,
        tags: None,
    };
    assert_eq!((two_ways.settings, two_ways.tags), (vec![settings, by_tag()], vec![]));

    let same = ordered(
        &three_of([json!({}), json!({"rollback": "automatic"}), json!({"soakSeconds": 0})]),
        &in_three(),
    );
    assert_eq!(
        lines(&same),
        ["preview,staging,production 0: web:1 preview/web production/web staging/web"]
    );
    assert_eq!(same.settings, [by_tag()]);
    let nothing = ordered(&three_of([json!({}), json!({}), json!({})]), &[]);
    assert_eq!((nothing.settings, nothing.waves), (vec![], vec![]));
}

#[test]
fn a_stage_that_tags_the_image_is_told_from_every_other() {
    let tags = |name: &str| json!({"tagOnSuccess": name});
    let all = ordered(&three_of([json!({}), tags("tried"), tags("live")]), &in_three());
    let expected = ["preview,staging,production 0: web:1 preview/web; web:1#1 staging/web; web:1#2 production/web"];
    assert_eq!(lines(&all), expected);
    let given: Vec<(u32, &str)> = all
        .tags
        .iter()
        .map(|given| (given.settings, given.tag.as_str()))
        .collect();
    assert_eq!(given, [(1, "tried"), (2, "live")]);
    assert_eq!(all.settings, vec![by_tag(); 3]);
    let first = ordered(&three_of([tags("tried"), json!({}), json!({})]), &in_three());
    let expected = ["preview,staging,production 0: web:1 preview/web; web:1#1 production/web staging/web"];
    assert_eq!(lines(&first), expected);
    let without_staging = ordered(&three_of([json!({}), tags("tried"), tags("live")]), &in_three()[2..]);
    let given: Vec<(u32, &str)> = without_staging
        .tags
        .iter()
        .map(|given| (given.settings, given.tag.as_str()))
        .collect();
    assert_eq!(given, [(0, "live")], "nothing of staging is in the push");
}

#[test]
fn a_stage_of_which_a_service_is_missing_gives_no_tag_and_says_which() {
    let staging =
        stages(&json!([{"name": "staging", "clusters": ["staging"], "tags": ["v*"], "tagOnSuccess": "tried"}]));
    let held = Service {
        tags: ServiceTags {
            hold: Some("ann: audit".to_owned()),
            ..ServiceTags::default()
        },
        ..on("staging", "api", deployment("web:1"))
    };
    let on_image = Service {
        deployments: service([deployment("web:2")]).deployments,
        task_definitions: service([deployment("web:2")]).task_definitions,
        ..held.clone()
    };
    let web = on("staging", "web", deployment("web:1"));
    let elsewhere = on("production", "web", deployment("web:1"));
    let missing = ordered(&staging, &[web.clone(), held, elsewhere.clone()]);
    assert_eq!(
        (lines(&missing), missing.tags),
        (vec!["staging 0: web:1 staging/web".to_owned()], vec![])
    );
    let [skipped] = missing.skipped.as_slice() else {
        panic!("{:?}", missing.skipped)
    };
    assert_eq!(
        (skipped.resource.as_str(), skipped.reason),
        ("app:v2", SkipReason::NotTagged)
    );
    let says = "the stage staging does not give it the tag tried: api in staging is not stable on this image";
    assert!(skipped.message.contains(says), "{}", skipped.message);
    let none_missing = ordered(&staging, &[web, on_image, elsewhere]);
    assert_eq!((none_missing.tags.len(), none_missing.skipped), (1, vec![]));
}
