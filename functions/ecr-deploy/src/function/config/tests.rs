use super::*;
use serde_json::{Value, json};

/// The settings as the construct writes them: without any setting, with many, with `tagLatest`, and with stages.
const DEFAULT: &str = include_str!("../../../../../cdk/test/golden/settings-default.json");
const GIVEN: &str = include_str!("../../../../../cdk/test/golden/settings-given.json");
const TAG_LATEST: &str = include_str!("../../../../../cdk/test/golden/settings-tag-latest.json");
const STAGES: &str = include_str!("../../../../../cdk/test/golden/settings-stages.json");

/// The construct's defaults with one member changed, or without it.
fn with(member: &str, value: Option<Value>) -> Result<Config, Error> {
    let mut settings: serde_json::Map<String, Value> = serde_json::from_str(DEFAULT).unwrap();
    match value {
        Some(value) => settings.insert(member.to_owned(), value),
        None => settings.remove(member),
    };
    Config::parse(&Value::Object(settings).to_string())
}

#[track_caller]
fn refused(settings: Result<Config, Error>, says: &[&str]) {
    let error = settings.unwrap_err();
    assert_eq!(error.name(), "Deploy.InvalidInput");
    for says in says {
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
}

#[test]
fn what_the_construct_writes_is_read_member_by_member() {
    assert_eq!(Config::parse(DEFAULT).unwrap(), Config::default());
    assert_eq!(
        Config::parse(GIVEN).unwrap(),
        Config {
            clusters: ["production", "staging"].map(|name| name.parse().unwrap()).to_vec(),
            repositories: ["web", "team/worker"].map(|name| name.parse().unwrap()).to_vec(),
            stages: vec![StageSettings::all(&["*"])],
            image_reference: ImageForm::Digest,
            scan_families: false,
            rollout_timeout: SignedDuration::from_mins(5),
            poll_interval: SignedDuration::from_secs(10),
            ..Config::default()
        }
    );
    let tag_latest = Config {
        tag_latest: true,
        ..Config::default()
    };
    assert_eq!(Config::parse(TAG_LATEST).unwrap(), tag_latest);
}

#[test]
fn the_settings_are_written_as_the_construct_writes_them() {
    for text in [DEFAULT, GIVEN, TAG_LATEST, STAGES] {
        let written = serde_json::to_value(Config::parse(text).unwrap()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
    }
}

#[test]
fn a_member_that_is_missing_unreadable_or_unknown_is_named() {
    let settings: serde_json::Map<String, Value> = serde_json::from_str(DEFAULT).unwrap();
    for name in settings.keys() {
        refused(with(name, None), &[name, "deployed together?"]);
        for value in [json!("?"), json!(null), json!({"a": 1}), json!(-1)] {
            refused(with(name, Some(value)), &[name]);
        }
    }
    refused(with("tagLatests", Some(json!(true))), &["unknown field `tagLatests`"]);
}

#[test]
fn what_a_member_may_be_is_said() {
    for seconds in ["rolloutTimeoutSeconds", "pollIntervalSeconds"] {
        refused(with(seconds, Some(json!(0))), &[seconds, "nonzero"]);
    }
    refused(
        with("clusters", Some(json!(["a", ""]))),
        &["clusters[1]", "is not the name or ARN of a cluster"],
    );
    refused(
        with("repositories", Some(json!(["a", "A"]))),
        &["repositories[1]", "\"A\" is not a repository name"],
    );
    refused(
        with("imageReference", Some(json!("sha"))),
        &["imageReference", "`tag` or `digest`"],
    );
}

#[test]
fn a_cluster_that_is_named_twice_is_refused_also_by_its_arn() {
    let twice = json!(["production", "arn:aws:ecs:eu-west-1:123456789012:cluster/production"]);
    refused(
        with("clusters", Some(twice)),
        &["clusters", "production is there twice"],
    );
}

#[test]
fn stages_are_read_as_the_construct_writes_them() {
    let stages = Config::parse(STAGES).unwrap().stages;
    let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["previews", "staging", "asked", "production"]);
    let production = StageSettings {
        name: "production".parse().unwrap(),
        clusters: vec!["production".to_owned()],
        services: vec!["web-*".to_owned()],
        families: vec!["shop-*".to_owned()],
        repositories: vec!["team/*".to_owned()],
        allow_lower: true,
        after: Some("staging".parse().unwrap()),
        soak_seconds: 900,
        rollout_timeout_seconds: NonZeroU32::new(3600),
        image_reference: Some(ImageForm::Digest),
        rollback: RollbackSetting::None,
        tag_on_success: Some("released".parse().unwrap()),
        base: BaseSetting::Newest,
        ..StageSettings::all(&["semver:>=1.0.0", "!*-dirty"])
    };
    assert_eq!(stages[3], production);
    assert!(stages[2].opt_in && !stages[0].opt_in);
}

#[test]
fn what_a_stage_does_not_say_is_as_the_installation_has_it() {
    let config = Config::parse(STAGES).unwrap();
    let expected = RolloutSettings {
        rollout_timeout: SignedDuration::from_mins(60),
        image_reference: ImageForm::Digest,
        rollback: RollbackSetting::None,
        base: BaseSetting::Newest,
        tags: None,
    };
    assert_eq!(config.rollout_settings(&config.stages[3]), expected);
    assert_eq!(config.rollout_settings(&config.stages[0]), RolloutSettings::default());
    let given = Config::parse(GIVEN).unwrap();
    let of_all = RolloutSettings {
        rollout_timeout: SignedDuration::from_mins(5),
        image_reference: ImageForm::Digest,
        rollback: RollbackSetting::Automatic,
        base: BaseSetting::Running,
        tags: None,
    };
    assert_eq!(given.rollout_settings(&given.stages[0]), of_all);
}

#[test]
fn a_stage_that_cannot_be_read_is_named_with_its_member() {
    for (stages, says) in [
        (json!([]), "stages: there is none"),
        (json!([{"tags": ["*"]}]), "stages[0]: missing field `name`"),
        (json!([{"name": "a"}]), "stages[0]: missing field `tags`"),
        (
            json!([{"name": "off", "tags": ["*"]}]),
            "stages[0].name: \"off\" is not the name of a stage",
        ),
        (json!([{"name": "a b", "tags": ["*"]}]), "is not the name of a stage"),
        (
            json!([{"name": "a", "tags": ["*"], "cluster": ["b"]}]),
            "unknown field `cluster`",
        ),
        (json!([{"name": "a", "tags": "*"}]), "stages[0].tags"),
        (
            json!([{"name": "a", "tags": ["*"], "rollback": "never"}]),
            "`automatic` or `none`",
        ),
        (
            json!([{"name": "a", "tags": ["*"], "rolloutTimeoutSeconds": 0}]),
            "nonzero",
        ),
        (
            json!([{"name": "a", "tags": ["*"], "tagOnSuccess": "a b"}]),
            "is not an image tag",
        ),
    ] {
        refused(with("stages", Some(stages)), &[says]);
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["", "[]", "null", "[[], [], false, false]"] {
        refused(Config::parse(text), &[VARIABLE, "they are no JSON object"]);
    }
    for text in ["{", "{}{}"] {
        refused(Config::parse(text), &[VARIABLE]);
    }
    refused(Config::parse(&format!("{DEFAULT} 1")), &["trailing characters"]);
}
