//! The rules of a plan. The push is that of `app:v2`.

use super::*;
use ecr_deploy::contract::SkipReason;
use ecr_deploy::domain::service::{Controller, ServiceStatus, ServiceTags};
use ecr_deploy::function::config::Config;
use ecr_deploy::testing::{REGISTRY, arn, at, definition, deployment, described, described_of_push, pushed, service};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A service by this name on this revision.
fn on(name: &str, short: &str) -> Service {
    Service {
        name: name.parse().unwrap(),
        ..service([deployment(short)])
    }
}

fn known(described: &[Value]) -> Outlines {
    let definitions = described.iter().map(definition);
    definitions
        .map(|definition| (definition.arn().clone(), Some(definition.outline())))
        .collect()
}

fn planned(services: &[Service], described: &[Value]) -> Planned {
    plan(&all(), &pushed(2), services, &known(described), &[], at(600))
}

/// The one stage of an installation that names none.
fn all() -> Stages {
    Stages::read(&Config::default()).unwrap()
}

/// The revisions of a plan with their services: `web:1: web, api`.
fn lines(planned: &Planned) -> Vec<String> {
    let services = |revision: &PlannedRevision| {
        let names = revision.services.iter().map(|id| id.service.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let revisions = planned.revisions.iter();
    revisions
        .map(|revision| format!("{}: {}", revision.task_definition, services(revision)))
        .collect()
}

#[track_caller]
fn skips(planned: &Planned, resource: &str, reason: SkipReason, says: &str) {
    assert!(planned.revisions.is_empty(), "{planned:?}");
    let [skipped] = planned.skipped.as_slice() else {
        panic!("{planned:?}")
    };
    assert_eq!((skipped.resource.as_str(), skipped.reason), (resource, reason));
    assert!(skipped.message.contains(says), "{}", skipped.message);
}

#[test]
fn a_service_that_runs_the_repository_is_planned_with_its_revision() {
    let planned = planned(&[on("web", "web:1")], &[described_of_push("web:1", 1)]);
    let revision = PlannedRevision {
        task_definition: "web:1".parse().unwrap(),
        after: 0,
        settings: 0,
        services: vec![PlannedService {
            cluster: ecr_deploy::testing::service_id().cluster,
            service: ecr_deploy::testing::service_id().service,
            stage: None,
            after: 0,
        }],
    };
    assert_eq!(
        planned,
        Planned {
            revisions: vec![revision],
            stages: BTreeMap::from([(ecr_deploy::testing::service_id(), "all".parse().unwrap())]),
            families: BTreeMap::new(),
            skipped: vec![]
        }
    );
}

#[test]
fn peer_14_repositories_match_exactly() {
    for image in ["app-worker:v1", "team/app:v1", "ap:v1", "app/web:v1"] {
        assert_eq!(
            planned(&[on("web", "web:1")], &[described("web:1", image, &[])]),
            Planned::default(),
            "{image}"
        );
    }
    for image in [
        "app",
        "app:v1",
        "app:v2",
        "app@sha256:0000000000000000000000000000000000000000000000000000000000000001",
    ] {
        let planned = planned(&[on("web", "web:1")], &[described("web:1", image, &[])]);
        assert_eq!(lines(&planned), ["web:1: web"], "{image}");
    }
}

#[test]
fn peer_14_registries_match_exactly_whatever_the_host_name() {
    let of_host = |host: &str| {
        let mut described = described("web:1", "app:v1", &[]);
        described["taskDefinition"]["containerDefinitions"][0]["image"] = json!(format!("{host}/app:v1"));
        planned(&[on("web", "web:1")], &[described]).revisions.len()
    };
    for host in [
        REGISTRY,
        "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com",
        "123456789012.dkr-ecr.eu-west-1.on.aws",
    ] {
        assert_eq!(of_host(host), 1, "{host}");
    }
    for host in [
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-west-2.amazonaws.com",
        "docker.io",
    ] {
        assert_eq!(of_host(host), 0, "{host}");
    }
}

#[test]
fn only_the_containers_of_the_repository_are_to_change() {
    let mut described = described("web:1", "app:v1", &[]);
    let container = |name: &str, image: &str| json!({"name": name, "image": image});
    described["taskDefinition"]["containerDefinitions"] = json!([
        container("proxy", &format!("{REGISTRY}/proxy:v1")),
        container("web", &format!("{REGISTRY}/app:v1")),
        container("placeholder", "<IMAGE1_NAME>"),
        container("worker", &format!("{REGISTRY}/app:v0")),
    ]);
    assert_eq!(
        definition(&described).outline().containers_of(&pushed(2)),
        ["web", "worker"]
    );
    assert_eq!(lines(&planned(&[on("web", "web:1")], &[described])), ["web:1: web"]);
}

#[test]
fn services_on_one_revision_share_it_and_every_other_revision_has_its_own_entry() {
    let services = [on("web", "web:2"), on("batch", "web:1"), on("api", "web:2")];
    let described = [described_of_push("web:1", 1), described_of_push("web:2", 1)];
    assert_eq!(
        lines(&planned(&services, &described)),
        ["web:1: batch", "web:2: api, web"]
    );
}

#[test]
fn a_service_that_is_being_deleted_is_skipped() {
    for status in [ServiceStatus::Draining, ServiceStatus::Inactive] {
        let service = Service {
            status,
            ..on("web", "web:1")
        };
        let planned = planned(&[service], &[described_of_push("web:1", 1)]);
        skips(
            &planned,
            "web in production",
            SkipReason::ServiceNotActive,
            "being deleted",
        );
    }
}

#[test]
fn a_service_that_ecs_does_not_deploy_itself_is_skipped_with_what_to_do() {
    for (controller, reason, says) in [
        (
            Controller::CodeDeploy,
            SkipReason::CodeDeployController,
            "start one with app:v2",
        ),
        (
            Controller::External,
            SkipReason::ExternalController,
            "give its own deployer app:v2",
        ),
        (
            Controller::Unknown,
            SkipReason::UnknownController,
            "deploy it by its own means",
        ),
    ] {
        let service = Service {
            controller,
            ..on("web", "web:1")
        };
        skips(
            &planned(&[service], &[described_of_push("web:1", 1)]),
            "web in production",
            reason,
            says,
        );
    }
}

#[test]
fn a_service_is_read_through_every_one_of_its_task_sets() {
    let service = Service {
        controller: Controller::External,
        task_definitions: vec![arn("proxy:1"), arn("web:1")],
        ..on("web", "web:1")
    };
    let described = [described("proxy:1", "proxy:v1", &[]), described_of_push("web:1", 1)];
    skips(
        &planned(&[service], &described),
        "web in production",
        SkipReason::ExternalController,
        "app:v2",
    );
}

#[test]
fn what_runs_other_repositories_is_no_ones_business_in_whatever_state() {
    for (status, controller) in [
        (ServiceStatus::Draining, Controller::Ecs),
        (ServiceStatus::Active, Controller::External),
    ] {
        let service = Service {
            status,
            controller,
            ..on("web", "web:1")
        };
        assert_eq!(
            planned(&[service], &[described("web:1", "other:v1", &[])]),
            Planned::default()
        );
    }
}

#[test]
fn peer_13_a_service_that_a_newer_push_is_on_is_skipped() {
    let planned = planned(&[on("web", "web:3")], &[described_of_push("web:3", 3)]);
    let says = "web:3, of a newer push (2026-05-04T12:00:03Z 0a1b) than this one (2026-05-04T12:00:02Z 0a1b)";
    skips(&planned, "web in production", SkipReason::Superseded, says);
}

#[test]
fn the_same_push_again_is_planned_again() {
    assert_eq!(
        lines(&planned(&[on("web", "web:2")], &[described_of_push("web:2", 2)])),
        ["web:2: web"]
    );
}

#[test]
fn a_service_whose_revision_is_not_described_any_more_is_skipped() {
    let gone = BTreeMap::from([(arn("web:1"), None)]);
    let planned = plan(&all(), &pushed(2), &[on("web", "web:1")], &gone, &[], at(600));
    skips(
        &planned,
        "web in production",
        SkipReason::TaskDefinitionNotFound,
        "ECS does not describe web:1 any more",
    );
    let planned = plan(
        &all(),
        &pushed(2),
        &[on("web", "web:1")],
        &BTreeMap::new(),
        &[],
        at(600),
    );
    skips(
        &planned,
        "web in production",
        SkipReason::TaskDefinitionNotFound,
        "runs app",
    );
}

#[test]
fn a_service_without_a_task_definition_is_skipped() {
    let service = Service {
        task_definitions: vec![],
        ..on("web", "web:1")
    };
    skips(
        &planned(&[service], &[]),
        "web in production",
        SkipReason::TaskDefinitionNotFound,
        "names no task definition",
    );
}

#[test]
fn a_family_without_a_service_is_planned_when_it_runs_the_repository() {
    let standalone = [described_of_push("nightly:4", 1), described("other:1", "other:v1", &[])]
        .map(|each| definition(&each).outline());
    let planned = plan(&all(), &pushed(2), &[], &BTreeMap::new(), &standalone, at(600));
    assert_eq!(
        (lines(&planned), planned.skipped.len()),
        (vec!["nightly:4: ".to_owned()], 0)
    );
}

#[test]
fn peer_13_a_family_that_a_newer_push_is_on_is_skipped() {
    let planned = plan(
        &all(),
        &pushed(2),
        &[],
        &BTreeMap::new(),
        &[definition(&described_of_push("nightly:4", 3)).outline()],
        at(600),
    );
    skips(
        &planned,
        "family nightly",
        SkipReason::Superseded,
        "nightly:4, of a newer push",
    );
}

#[test]
fn a_push_that_a_revision_records_as_of_a_time_to_come_keeps_nothing_out_and_is_warned_of() {
    let of_tomorrow = described(
        "web:1",
        "app:v1",
        &[("ecr-deploy:push/app", "2062-05-04T12:00:00Z 0a1b")],
    );
    let planned = planned(&[on("web", "web:1")], std::slice::from_ref(&of_tomorrow));
    assert_eq!(lines(&planned), ["web:1: web"]);
    let [warning] = planned.skipped.as_slice() else {
        panic!("{planned:?}");
    };
    assert_eq!(
        (warning.resource.as_str(), warning.reason),
        ("web:1", SkipReason::PushTimeIgnored)
    );
    let says = "a push of the future (2062-05-04T12:00:00Z 0a1b). The record is ignored, and app:v2 is deployed";
    assert!(warning.message.contains(says), "{}", warning.message);
    let standalone = [definition(&of_tomorrow).outline()];
    let planned = plan(&all(), &pushed(2), &[], &BTreeMap::new(), &standalone, at(600));
    assert_eq!(
        (lines(&planned), planned.skipped.len()),
        (vec!["web:1: ".to_owned()], 1)
    );
}

#[test]
fn tags_of_ours_for_which_there_is_no_room_are_told_of() {
    for (own, without_room) in [
        (47, None),
        (48, Some("ecr-deploy:by")),
        (49, Some("ecr-deploy:push/app, ecr-deploy:by")),
        (50, Some("ecr-deploy:source, ecr-deploy:push/app, ecr-deploy:by")),
    ] {
        let names: Vec<String> = (0..own).map(|number| format!("team-{number}")).collect();
        let tags: Vec<(&str, &str)> = names
            .iter()
            .map(|name| (name.as_str(), "shop"))
            .chain([("aws:x", "1")])
            .collect();
        let definition = definition(&described("web:1", "app:v1", &tags)).outline();
        let image = PushedImage {
            by: Some("arn:aws:iam::123456789012:user/ann".parse().unwrap()),
            ..pushed(2)
        };
        let known = BTreeMap::from([(arn("web:1"), Some(definition))]);
        let planned = plan(&all(), &image, &[on("web", "web:1")], &known, &[], at(600));
        assert_eq!(lines(&planned), ["web:1: web"], "{own}");
        let says = without_room.map(|without_room| {
            let says = format!("its own tags leave no room on its new revision for {without_room}; ECS takes 50 tags");
            let unrecorded = ". Nothing then says which push it is of, so an older push whose event arrives late would replace it; \
                              remove a tag";
            says + if own == 50 { unrecorded } else { "" }
        });
        let said: Vec<String> = planned.skipped.into_iter().map(|skipped| skipped.message).collect();
        assert_eq!(said, Vec::from_iter(says), "{own}");
    }
}

#[test]
fn one_services_trouble_leaves_the_others_in_the_plan() {
    let draining = Service {
        status: ServiceStatus::Draining,
        ..on("old", "web:1")
    };
    let planned = planned(&[draining, on("web", "web:1")], &[described_of_push("web:1", 1)]);
    assert_eq!(
        (lines(&planned), planned.skipped.len()),
        (vec!["web:1: web".to_owned()], 1)
    );
}

/// A stage for the service `web`, for `api`, or for both, with one to three of these rules. Each rule stands with what it says of
/// the tag `v2`, if it says anything.
fn any_stage() -> impl Strategy<Value = (Option<&'static str>, Vec<(&'static str, Option<bool>)>)> {
    let rules = vec![
        ("*", Some(true)),
        ("v*", Some(true)),
        ("v2", Some(true)),
        ("semver:>=1.0.0", None),
        ("regex:v[0-9]", Some(true)),
        ("pr-*", None),
        ("!v2", Some(false)),
        ("!*", Some(false)),
        ("!main-*", None),
    ];
    let selects = prop::sample::select(vec![None, Some("web"), Some("api")]);
    (selects, prop::collection::vec(prop::sample::select(rules), 1..4))
}

proptest! {
    #[test]
    fn a_plan_never_contains_what_its_stage_does_not_take_or_a_hold_forbids(
        drawn in prop::collection::vec(any_stage(), 1..4),
        tags in prop::collection::vec(
            (prop::sample::select(vec![None, Some("off"), Some("stage-0"), Some("stage-9")]), any::<bool>()), 2..3),
    ) {
        let settings = drawn.iter().enumerate().map(|(number, (selects, rules))| {
            // No exclusion may be the first rule, and none of everything the last: another tag's rule, which says nothing of `v2`.
            let drawn = rules.iter().map(|(rule, _)| *rule);
            let tags: Vec<&str> = ["other"].into_iter().chain(drawn).chain(["other"]).collect();
            let mut stage = json!({"name": format!("stage-{number}"), "tags": tags});
            if let Some(service) = selects {
                stage["services"] = json!([service]);
            }
            stage
        });
        let settings = settings.map(|stage| serde_json::from_value(stage).unwrap()).collect();
        let stages = Stages::read(&Config { stages: settings, ..Config::default() }).unwrap();
        let takes = |name: &str, (own, held): &(Option<&str>, bool)| {
            let place = match own {
                Some(own) => own.strip_prefix("stage-").and_then(|number| number.parse().ok()),
                None => drawn.iter().position(|(selects, _)| selects.is_none_or(|selects| selects == name)),
            };
            let rules = place.and_then(|place: usize| drawn.get(place)).map(|(_, rules)| rules);
            let last = rules.and_then(|rules| rules.iter().filter_map(|(_, says)| *says).next_back());
            last == Some(true) && !held
        };
        let named = ["web", "api"].into_iter().zip(&tags);
        let services: Vec<Service> = named.clone().map(|(name, (own, held))| Service {
            tags: ServiceTags {
                stage: own.map(str::to_owned),
                hold: held.then(|| "by ops".to_owned()),
            },
            ..on(name, "web:1")
        }).collect();
        let described = known(&[described_of_push("web:1", 1)]);
        let planned = plan(&stages, &pushed(2), &services, &described, &[], at(600));
        let expected: Vec<&str> = named.filter(|(name, tags)| takes(name, tags)).map(|(name, _)| name).collect();
        let revisions = planned.revisions.iter();
        let mut services: Vec<&str> =
            revisions.flat_map(|revision| revision.services.iter().map(|id| id.service.as_str())).collect();
        services.sort_unstable_by(|a, b| b.cmp(a));
        prop_assert_eq!(services, expected);
    }

    #[test]
    fn the_plan_does_not_depend_on_the_order_of_ecss_answers(order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()) {
        let all = [on("a", "web:1"), on("b", "web:1"), on("c", "api:2"), on("d", "api:3"), on("e", "web:1"), on("f", "job:1")];
        let described = [
            described_of_push("web:1", 1),
            described("api:2", "app:v1", &[]),
            described("api:3", "app:v1", &[]),
            described("job:1", "other:v1", &[]),
        ];
        let shuffled: Vec<Service> = order.into_iter().map(|index| all[index].clone()).collect();
        prop_assert_eq!(lines(&planned(&shuffled, &described)), ["api:2: c", "api:3: d", "web:1: a, b, e"]);
    }
}

#[test]
fn of_what_is_skipped_for_one_reason_twenty_are_named_and_the_rest_is_counted() {
    let skipped = |reason, number: usize| Skipped {
        resource: format!("web-{number} in production"),
        reason,
        message: "it is on web:3".to_owned(),
        count: 1,
    };
    let newer = (0..45).map(|number| skipped(SkipReason::Superseded, number));
    let few = (0..20).map(|number| skipped(SkipReason::ServiceNotActive, number));
    let bounded = bounded(newer.chain(few).collect());
    let of = |reason| bounded.iter().filter(move |skipped| skipped.reason == reason);
    assert_eq!(of(SkipReason::ServiceNotActive).count(), 20);
    assert_eq!(of(SkipReason::Superseded).count(), 21);
    let last = of(SkipReason::Superseded).next_back().unwrap();
    assert_eq!((last.resource.as_str(), last.count), ("25 more", 25));
    assert_eq!(bounded.iter().map(|skipped| skipped.count).sum::<u32>(), 65);
}
