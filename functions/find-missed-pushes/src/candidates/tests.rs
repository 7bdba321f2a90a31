//! Which service misses which image. `app:v<number>` was pushed that many seconds after noon; the sweep is an hour
//! later.

use super::*;
use ecr_deploy::contract::Hold;
use ecr_deploy::domain::service::ServiceTags;
use ecr_deploy::testing::{at, definition, deployment, described, described_of_push, digest, service};
use serde_json::{Value, json};

/// `app`, in the registry of the tests.
pub(crate) fn app() -> Repository {
    let image = ecr_deploy::testing::pushed(1);
    Repository {
        registry: image.registry(),
        name: image.repository,
    }
}

/// `app:v<number>`, with more tags.
pub(crate) fn stored(number: u32, more: &[&str]) -> StoredImage {
    let tags = std::iter::once(format!("v{number}")).chain(more.iter().map(|tag| (*tag).to_owned()));
    StoredImage {
        digest: digest(number),
        tags: tags.map(|tag| tag.parse().unwrap()).collect(),
        pushed_at: at(number.into()),
    }
}

/// A service by this name on this revision.
pub(crate) fn on(name: &str, short: &str) -> Service {
    Service {
        name: name.parse().unwrap(),
        ..service([deployment(short)])
    }
}

pub(crate) fn known(described: &[Value]) -> Outlines {
    let definitions = described.iter().map(definition);
    definitions
        .map(|definition| (definition.arn().clone(), Some(definition.outline())))
        .collect()
}

fn stages(stages: &Value) -> Config {
    Config {
        stages: serde_json::from_value(stages.clone()).unwrap(),
        ..Config::default()
    }
}

/// The candidates among these services, so many seconds after noon: `web v2`.
fn found_at(
    seconds: i64,
    config: &Config,
    services: &[Service],
    described: &[Value],
    images: &[StoredImage],
) -> Vec<String> {
    let stages = Stages::read(config).unwrap();
    let account = Account {
        config,
        stages: &stages,
        services,
        definitions: &known(described),
        now: at(seconds),
    };
    let candidates = account.candidates(&app(), images);
    let mut lines: Vec<String> = candidates
        .iter()
        .map(|it| format!("{} {}", it.service.name, it.image.tag))
        .collect();
    lines.sort();
    lines
}

fn found(config: &Config, services: &[Service], described: &[Value], images: &[StoredImage]) -> Vec<String> {
    found_at(3600, config, services, described, images)
}

#[test]
fn a_service_misses_the_newest_image_that_is_newer_than_its_push() {
    let config = Config::default();
    let (one, two, three) = (stored(1, &[]), stored(2, &[]), stored(3, &[]));
    let images = [two.clone(), three, one.clone()];
    for (revision, images, expected) in [
        (described_of_push("web:1", 1), &images[..], vec!["web v3"]),
        (described_of_push("web:1", 3), &images, vec![]),
        (described_of_push("web:1", 2), &[one.clone(), two], vec![]),
        // An old image was deployed once more by a later push.
        (described_of_push("web:1", 4), &images, vec![]),
        // By digest.
        (described("web:1", &format!("app@{}", digest(3)), &[]), &images, vec![]),
        // Somebody else's: as old as what it names.
        (described("web:1", "app:v3", &[]), &images, vec![]),
        (described("web:1", "app:v2", &[]), &images, vec!["web v3"]),
        (described("web:1", "app:gone", &[]), &images, vec!["web v3"]),
        (described("web:1", "other:v1", &[]), &images, vec![]),
        (described_of_push("web:1", 1), &[], vec![]),
    ] {
        let lines = found(&config, &[on("web", "web:1")], std::slice::from_ref(&revision), images);
        assert_eq!(lines, expected, "{revision}");
    }
}

#[test]
fn an_image_that_is_young_is_not_missed_yet_and_nor_is_an_older_one_beside_it() {
    let images = [stored(1, &[]), stored(2, &[]), stored(300, &[])];
    let revision = [described_of_push("web:1", 1)];
    for (seconds, expected) in [(601, vec![]), (899, vec![]), (900, vec!["web v300"])] {
        let lines = found_at(seconds, &Config::default(), &[on("web", "web:1")], &revision, &images);
        assert_eq!(lines, expected, "{seconds}");
    }
}

#[test]
fn where_a_rollout_takes_less_an_image_is_not_young_for_longer() {
    let images = [stored(1, &[]), stored(300, &[])];
    let revision = [described_of_push("web:1", 1)];
    for (minutes, seconds, expected) in [
        (1, 359, vec![]),
        (1, 360, vec!["web v300"]),
        (30, 899, vec![]),
        (30, 900, vec!["web v300"]),
    ] {
        let config = Config {
            rollout_timeout: SignedDuration::from_mins(minutes),
            ..Config::default()
        };
        let lines = found_at(seconds, &config, &[on("web", "web:1")], &revision, &images);
        assert_eq!(lines, expected, "{minutes} {seconds}");
    }
}

#[test]
fn each_stage_has_the_newest_image_that_it_takes_by_any_of_its_tags() {
    let config = stages(&json!([
        {"name": "staging", "services": ["staging"], "tags": ["main-*"]},
        {"name": "production", "services": ["production"], "tags": ["semver:>=1.0.0"]},
    ]));
    let images = [
        stored(1, &[]),
        stored(2, &["1.2.0"]),
        stored(3, &["main-3", "2.0.0-rc.1"]),
        stored(4, &["pr-4"]),
        stored(5, &["1.1.0"]),
    ];
    let services = ["staging", "production", "preview"].map(|name| on(name, "web:1"));
    let lines = found(&config, &services, &[described_of_push("web:1", 1)], &images);
    assert_eq!(lines, ["production 1.1.0", "staging main-3"]);
    // A lower version than the running one is not missed, and a higher one before it is.
    let running = described("web:1", "app:1.1.5", &[("ecr-deploy:source", "web:0")]);
    assert_eq!(
        found(&config, &services[1..2], &[running], &images),
        ["production 1.2.0"]
    );
}

#[test]
fn what_is_on_hold_off_or_of_no_stage_misses_nothing() {
    let config = stages(&json!([{"name": "all", "services": ["web", "held"], "tags": ["*"]}]));
    let tagged = |name: &str, stage: Option<&str>, hold: Option<&str>| Service {
        tags: ServiceTags {
            stage: stage.map(str::to_owned),
            hold: hold.map(str::to_owned),
        },
        ..on(name, "web:1")
    };
    let services = [
        tagged("held", None, Some("ann - audit")),
        tagged("lifted", Some("all"), Some("until 2026-05-04T12:30:00Z audit")),
        tagged("off", Some("off"), None),
        tagged("nobody", None, None),
        tagged("web", None, None),
    ];
    let revision = [described_of_push("web:1", 1)];
    let images = [stored(2, &[])];
    assert_eq!(found(&config, &services, &revision, &images), ["lifted v2", "web v2"]);

    let mut held = Stages::read(&config).unwrap();
    held.hold = Some(Hold {
        parameter: "/hold".to_owned(),
        value: "ann - freeze".to_owned(),
    });
    let account = Account {
        config: &config,
        stages: &held,
        services: &services,
        definitions: &known(&revision),
        now: at(3600),
    };
    assert!(account.candidates(&app(), &images).is_empty());
}

#[test]
fn a_stage_that_comes_after_another_misses_what_that_one_misses_too_or_has_stable() {
    let config = stages(&json!([
        {"name": "staging", "services": ["staging"], "tags": ["*"]},
        {"name": "production", "services": ["production"], "tags": ["*"], "after": "staging"},
    ]));
    let (one, two) = (described_of_push("web:1", 1), described_of_push("web:2", 2));
    let images = [stored(1, &[]), stored(2, &[])];
    let on_hold = |service: Service| Service {
        tags: ServiceTags {
            hold: Some("ann - audit".to_owned()),
            stage: None,
        },
        ..service
    };
    let production = on("production", "web:1");
    for (staging, expected) in [
        (on("staging", "web:1"), vec!["production v2", "staging v2"]),
        (on("staging", "web:2"), vec!["production v2"]),
        (on_hold(on("staging", "web:1")), vec![]),
    ] {
        let services = [staging, production.clone()];
        let lines = found(&config, &services, &[one.clone(), two.clone()], &images);
        assert_eq!(lines, expected, "{:?}", services[0].tags);
    }
}

#[test]
fn the_repositories_are_those_that_run_and_that_the_settings_name() {
    let definitions = known(&[
        described("web:1", "app:v1", &[]),
        described("api:1", "shop/api:v1", &[]),
        described("hub:1", "app:v1", &[]),
    ]);
    let services = [on("web", "web:1")];
    for (named, expected) in [(vec![], vec!["app", "shop/api"]), (vec!["shop/api"], vec!["shop/api"])] {
        let config = Config {
            repositories: named.iter().map(|name| name.parse().unwrap()).collect(),
            ..Config::default()
        };
        let account = Account {
            config: &config,
            stages: &Stages::read(&config).unwrap(),
            services: &services,
            definitions: &definitions,
            now: at(0),
        };
        let found: Vec<String> = account.repositories().iter().map(|it| it.name.to_string()).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_push_moves_what_it_plans_and_what_is_not_on_its_image() {
    let config = Config::default();
    let stages = Stages::read(&config).unwrap();
    let services = [on("old", "web:1"), on("current", "web:2"), on("newer", "web:3")];
    let definitions = known(&[1, 2, 3].map(|number| described_of_push(&format!("web:{number}"), number)));
    let account = Account {
        config: &config,
        stages: &stages,
        services: &services,
        definitions: &definitions,
        now: at(3600),
    };
    let moved = |seconds: i64| -> Vec<String> {
        let push = PushId::new(at(seconds), "sweep").unwrap();
        let image = push_of(&app(), &digest(2), &"v2".parse().unwrap(), push);
        let moved = account.moved(&image).into_iter();
        moved.map(|id| id.service.to_string()).collect()
    };
    assert_eq!(moved(2), ["old"]);
    assert_eq!(moved(3500), ["newer", "old"], "a later push takes a newer image back");
}
