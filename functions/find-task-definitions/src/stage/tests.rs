//! Every kind of pattern, every override, and what holds of any stages.

use super::*;
use ecr_deploy::domain::stage::pattern::lower;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The rules that the construct's tests read, too: which can be read, and which tags they take.
const TAG_RULES: &str = include_str!("../../../../cdk/test/tag-rules.json");

fn stages(settings: &Value) -> Result<Stages, Error> {
    Stages::read(&Config {
        stages: serde_json::from_value(settings.clone()).unwrap(),
        ..Config::default()
    })
}

fn stage(tags: &Value) -> Result<Stages, Error> {
    stages(&json!([{"name": "all", "tags": tags}]))
}

/// The service `web` of the cluster `production`, of the family `shop-web`, that runs `team/web`.
const WEB: Candidate<'static> = Candidate {
    service: Some(("production", "web")),
    family: "shop-web",
    repository: "team/web",
    own: None,
};

/// A family without a service, that runs `team/web`.
const NIGHTLY: Candidate<'static> = Candidate {
    service: None,
    family: "nightly",
    ..WEB
};

/// The owner's name, or why there is none.
fn owner(stages: &Stages, candidate: Candidate<'_>) -> String {
    match stages.owner(&candidate) {
        Owner::Stage(stage) => stage.name.to_string(),
        Owner::Off => "(off)".to_owned(),
        Owner::Nobody => "(nobody)".to_owned(),
        Owner::Unknown => "(unknown)".to_owned(),
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}

#[test]
fn a_rule_is_read_or_refused_as_the_construct_does() {
    let rules: Value = serde_json::from_str(TAG_RULES).unwrap();
    for rule in texts(&rules["accepted"]) {
        stage(&json!(["*", rule])).unwrap_or_else(|error| panic!("{rule}: {error}"));
    }
    for rule in texts(&rules["refused"]) {
        // The construct refuses more: what JavaScript's regexes and the crate's do not read alike.
        if rule.starts_with("regex:") && TagRule::read(rule).is_ok() {
            continue;
        }
        let error = stage(&json!(["*", rule])).expect_err(rule);
        assert_eq!(error.name(), "Deploy.InvalidInput");
        let message = error.to_string();
        assert!(
            message.contains("stage all") && message.contains(&format!("{rule:?}")),
            "{message}"
        );
    }
    for tags in rules["refusedTogether"].as_array().unwrap() {
        let message = stage(tags).unwrap_err().to_string();
        assert!(
            message.contains("stage all of the settings cannot be used"),
            "{message}"
        );
    }
}

#[test]
fn the_last_rule_that_matches_decides() {
    let rules: Value = serde_json::from_str(TAG_RULES).unwrap();
    for row in rules["decided"].as_array().unwrap() {
        let stages = stage(&row["tags"]).unwrap();
        let stage = stages.iter().next().unwrap();
        for tag in texts(&row["takes"]) {
            assert!(stage.decide(tag).takes(), "{tag}: {row}");
        }
        for tag in texts(&row["leaves"]) {
            assert!(!stage.decide(tag).takes(), "{tag}: {row}");
        }
    }
}

#[test]
fn a_decision_names_its_rule() {
    let stages = stage(&json!(["*", "!pr-*", "semver:>=1.0.0"])).unwrap();
    let stage = stages.iter().next().unwrap();
    let rule = |tag| stage.decide(tag).rule.map(TagRule::text);
    assert_eq!(rule("main"), Some("*"));
    assert_eq!(rule("pr-42"), Some("!pr-*"));
    assert_eq!(rule("v1.0.0"), Some("semver:>=1.0.0"));
    assert!(stage.decide("v1.0.0").is_by_version() && !stage.decide("main").is_by_version());
    let none = super::tests::stage(&json!(["pr-*"])).unwrap();
    assert!(none.iter().next().unwrap().decide("main").rule.is_none());
}

#[test]
fn the_first_stage_that_selects_a_service_owns_it() {
    for (selector, is_selected) in [
        (json!({}), true),
        (json!({"clusters": ["production"]}), true),
        (json!({"clusters": ["prod*", "x"]}), true),
        (json!({"clusters": ["prod"]}), false),
        (json!({"clusters": ["production2"]}), false),
        (json!({"services": ["we?"]}), true),
        (json!({"services": ["api"]}), false),
        (json!({"families": ["shop-*"]}), true),
        (json!({"families": ["web"]}), false),
        (json!({"repositories": ["team/*"]}), true),
        (json!({"repositories": ["*web"]}), true),
        (json!({"repositories": ["web"]}), false),
        (json!({"clusters": ["production"], "services": ["api"]}), false),
        (json!({"optIn": true}), false),
    ] {
        let mut first = selector.clone();
        first["name"] = json!("first");
        first["tags"] = json!(["*"]);
        let stages = stages(&json!([first, {"name": "rest", "tags": ["*"]}])).unwrap();
        assert_eq!(
            owner(&stages, WEB),
            if is_selected { "first" } else { "rest" },
            "{selector}"
        );
    }
    let only = stages(&json!([{"name": "only", "clusters": ["staging"], "tags": ["*"]}])).unwrap();
    assert_eq!(owner(&only, WEB), "(nobody)");
}

#[test]
fn a_family_without_a_service_is_in_no_cluster_and_no_service() {
    for (selector, is_selected) in [
        (json!({}), true),
        (json!({"clusters": ["*"]}), false),
        (json!({"services": ["*"]}), false),
        (json!({"families": ["night*"]}), true),
        (json!({"repositories": ["team/web"]}), true),
    ] {
        let mut only = selector.clone();
        only["name"] = json!("only");
        only["tags"] = json!(["*"]);
        let stages = stages(&json!([only])).unwrap();
        assert_eq!(
            owner(&stages, NIGHTLY),
            if is_selected { "only" } else { "(nobody)" },
            "{selector}"
        );
    }
}

#[test]
fn the_services_own_tag_beats_what_stages_select() {
    let stages = stages(&json!([
        {"name": "all", "tags": ["*"]},
        {"name": "asked", "optIn": true, "tags": ["*"]},
        {"name": "elsewhere", "clusters": ["staging"], "tags": ["*"]},
    ]))
    .unwrap();
    for (own, expected) in [
        (None, "all"),
        (Some("asked"), "asked"),
        (Some("elsewhere"), "elsewhere"),
        (Some("off"), "(off)"),
        (Some("Asked"), "(unknown)"),
        (Some("produktion"), "(unknown)"),
        (Some(""), "(unknown)"),
    ] {
        assert_eq!(owner(&stages, Candidate { own, ..WEB }), expected);
    }
}

/// The stages by their tags and what each gives on success; which of them its own tag would move, if any.
#[test]
fn a_stage_that_its_own_tag_would_be_a_push_to_is_refused() {
    for (of_stages, refused) in [
        (&[("a", "main-*", Some("tried"))][..], None),
        (&[("a", "*", Some("tried"))], Some("a")),
        (&[("a", "*", Some("tried")), ("b", "none", None)], Some("a")),
        (&[("a", "main-*", Some("tried")), ("b", "tried", Some("live"))], None),
        (
            &[("a", "main-*", Some("tried")), ("b", "tried", Some("main-stable"))],
            Some("a"),
        ),
        (
            &[("a", "x", Some("y")), ("b", "y", Some("z")), ("c", "z", Some("x"))],
            Some("a"),
        ),
        (
            &[("a", "x", Some("y")), ("b", "y", Some("z")), ("c", "z", Some("z"))],
            Some("c"),
        ),
    ] {
        let all: Vec<Value> = of_stages
            .iter()
            .map(|(name, tags, gives)| {
                let mut stage = json!({"name": name, "tags": [tags], "clusters": [name]});
                if let Some(gives) = gives {
                    stage["tagOnSuccess"] = json!(gives);
                }
                stage
            })
            .collect();
        let read = stages(&json!(all));
        match refused {
            None => assert!(read.is_ok(), "{of_stages:?}: {read:?}"),
            Some(stage) => {
                let message = read.unwrap_err().to_string();
                let says = format!("the stage {stage} of the settings cannot be used: it gives images the tag");
                assert!(message.contains(&says), "{message}");
            }
        }
    }
}

#[test]
fn a_stage_that_is_there_twice_or_takes_latest_beside_tag_latest_is_refused() {
    let twice = stages(&json!([{"name": "a", "tags": ["*"]}, {"name": "a", "tags": ["*"]}]));
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("stage a of the settings cannot be used: it is there twice")
    );
    for (tags, is_refused) in [
        (json!(["*"]), true),
        (json!(["*", "!latest"]), false),
        (json!(["latest"]), true),
    ] {
        let config = Config {
            stages: serde_json::from_value(json!([{"name": "a", "tags": tags}])).unwrap(),
            tag_latest: true,
            ..Config::default()
        };
        let read = Stages::read(&config);
        assert_eq!(
            read.is_err_and(|error| error.to_string().contains("choose one")),
            is_refused,
            "{tags}"
        );
    }
}

#[test]
fn a_selector_that_an_opt_in_would_leave_without_effect_is_refused() {
    for member in ["clusters", "services", "families", "repositories"] {
        let error = stages(&json!([{"name": "a", "optIn": true, member: ["web"], "tags": ["*"]}])).unwrap_err();
        let says =
            format!("stage a of the settings cannot be used: it is optIn, and its {member} would narrow nothing");
        assert!(error.to_string().contains(&says), "{error}");
    }
}

#[test]
fn a_selector_that_cannot_be_read_is_named() {
    for member in ["clusters", "services", "families", "repositories"] {
        let error = stages(&json!([{"name": "a", member: ["ok", "a[b"], "tags": ["*"]}])).unwrap_err();
        let says = format!("its {member}: \"a[b\" is no name or glob");
        assert!(error.to_string().contains(&says), "{error}");
    }
}

#[test]
fn versions_are_lower_by_their_precedence() {
    for (tag, running, expected) in [
        ("1.3.9", "1.4.0", true),
        ("v1.3.9", "1.4.0", true),
        ("1.3.9", "v1.4.0", true),
        ("1.4.0-rc.1", "1.4.0", true),
        ("1.4.0", "1.4.0", false),
        ("1.10.0", "1.9.0", false),
        ("1.3.9", "main-7", false),
        ("main-7", "1.4.0", false),
        ("1.3", "1.4.0", false),
    ] {
        assert_eq!(lower(tag, running), expected, "{tag} beside {running}");
    }
}

/// Some stages, each with a name of its own, that select by what [`WEB`] and others have.
fn any_stages() -> impl Strategy<Value = Vec<Value>> {
    let selector = prop::sample::select(vec![
        json!({}),
        json!({"clusters": ["production"]}),
        json!({"clusters": ["staging"]}),
        json!({"services": ["web"]}),
        json!({"families": ["shop-*"]}),
        json!({"repositories": ["other"]}),
        json!({"optIn": true}),
    ]);
    prop::collection::vec(selector, 1..6).prop_map(|selectors| {
        let named = selectors.into_iter().enumerate().map(|(number, mut stage)| {
            stage["name"] = json!(format!("stage-{number}"));
            stage["tags"] = json!(["*"]);
            stage
        });
        named.collect()
    })
}

proptest! {
    #[test]
    fn adding_a_stage_behind_others_changes_nothing_for_what_they_own(settings in any_stages(), more in any_stages()) {
        let before = stages(&json!(settings)).unwrap();
        let mut longer = settings.clone();
        longer.extend(more.into_iter().enumerate().map(|(number, mut stage)| {
            stage["name"] = json!(format!("more-{number}"));
            stage
        }));
        let after = stages(&json!(longer)).unwrap();
        for own in [None, Some("off"), Some("stage-0")] {
            for candidate in [WEB, NIGHTLY, Candidate { service: Some(("staging", "api")), ..WEB }] {
                let candidate = Candidate { own, ..candidate };
                let owned = owner(&before, candidate);
                if !owned.starts_with('(') || owned == "(off)" {
                    prop_assert_eq!(owner(&after, candidate), owned);
                }
            }
        }
    }

    #[test]
    fn an_owner_is_the_one_named_or_the_first_that_selects(settings in any_stages()) {
        let all = stages(&json!(settings)).unwrap();
        let owned = owner(&all, WEB);
        let alone = |stage: &Value| owner(&stages(&json!([stage])).unwrap(), WEB);
        let first = settings.iter().map(alone).find(|owner| owner != "(nobody)");
        prop_assert_eq!(owned, first.unwrap_or_else(|| "(nobody)".to_owned()));
    }

    #[test]
    fn no_tag_makes_a_rule_slow_or_fail(tag in "[A-Za-z0-9._-]{0,128}") {
        let stages = stage(&json!(["*a*b*c*d*e*f*g*", "regex:(a*)*b", "semver:*", "!?*?*?"])).unwrap();
        let _decided = stages.iter().next().unwrap().decide(&tag).takes();
    }
}

#[test]
fn a_stage_comes_after_as_many_others_as_stand_before_it() {
    let stages = stages(&json!([
        {"name": "production", "tags": ["*"], "after": "canary", "soakSeconds": 900},
        {"name": "staging", "tags": ["*"]},
        {"name": "canary", "tags": ["*"], "after": "staging"},
    ]))
    .unwrap();
    let levels: Vec<(&str, usize, u32)> = stages
        .iter()
        .map(|stage| (stage.name.as_str(), stages.level(&stage.name), stage.soak))
        .collect();
    assert_eq!(levels, [("production", 2, 900), ("staging", 0, 0), ("canary", 1, 0)]);
}

#[test]
fn a_stage_that_comes_after_none_that_there_is_or_after_itself_is_refused() {
    let refused = |settings: &Value| stages(settings).unwrap_err().to_string();
    let unknown = refused(&json!([{"name": "production", "tags": ["*"], "after": "stagign"}]));
    let says =
        "the stage production of the settings cannot be used: it comes after stagign, and there is no such stage";
    assert!(unknown.contains(says), "{unknown}");
    for circle in [
        json!([{"name": "a", "tags": ["*"], "after": "a"}]),
        json!([{"name": "a", "tags": ["*"], "after": "b"}, {"name": "b", "tags": ["*"], "after": "a"}]),
        json!([
            {"name": "c", "tags": ["*"], "after": "a"},
            {"name": "a", "tags": ["*"], "after": "b"},
            {"name": "b", "tags": ["*"], "after": "a"},
        ]),
    ] {
        let refused = refused(&circle);
        assert!(refused.contains("it comes after itself"), "{refused}");
    }
}
