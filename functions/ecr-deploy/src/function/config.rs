//! The settings of one installation, as the construct hands them to every function: one JSON document in the environment
//! variable `SETTINGS`, read once, when a function starts.
//!
//! The tests read what the construct writes: a CDK test keeps `cdk/test/golden/settings-*.json` current.

use crate::domain::arn::ClusterName;
use crate::domain::image::{ImageTag, RepositoryName};
use crate::domain::stage::{self, BaseSetting, RollbackSetting, RolloutSettings, StageName};
use crate::domain::task_definition::ImageForm;
use crate::error::Error;
use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::num::NonZeroU32;

/// The environment variable that holds the settings.
pub const VARIABLE: &str = "SETTINGS";

/// The settings of one installation. Nothing falls back in silence: the construct hands over every member, and one that is
/// missing, or that is not known, is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The clusters whose services are deployed to, each once: of a cluster that is named twice, each service would be
    /// deployed twice at the same time. Empty means all.
    #[serde(deserialize_with = "distinct")]
    pub clusters: Vec<ClusterName>,
    /// The repositories whose pushes are deployed, each once. Empty means all but those that no one pushes to on purpose.
    #[serde(deserialize_with = "distinct")]
    pub repositories: Vec<RepositoryName>,
    /// The stages, in the order in which they select: at least one.
    #[serde(deserialize_with = "some")]
    pub stages: Vec<StageSettings>,
    /// Whether an image gets the tag `latest` once every service is stable on it. Then no stage takes `latest`.
    pub tag_latest: bool,
    /// How a new revision names the image, `tag` or `digest`, where its stage does not say it.
    pub image_reference: ImageForm,
    /// Whether families without a service get a new revision too.
    pub scan_families: bool,
    /// How long a rollout, or a rollback, may take where its stage does not say it: `rolloutTimeoutSeconds`, above 0.
    #[serde(rename = "rolloutTimeoutSeconds", with = "stage::seconds")]
    pub rollout_timeout: SignedDuration,
    /// How long to wait at least between two polls of a rollout: `pollIntervalSeconds`, above 0.
    #[serde(rename = "pollIntervalSeconds", with = "stage::seconds")]
    pub poll_interval: SignedDuration,
}

/// A stage as the settings have it: texts. The step that decides by stages reads the patterns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StageSettings {
    /// Its name, which no other stage has.
    pub name: StageName,
    /// The clusters whose services it selects, by names or globs. Empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// The services that it selects, by names or globs. Empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// The families that it selects, by names or globs. Empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<String>,
    /// The repositories that it selects, by names or globs. Empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Whether it owns only what names it by a tag of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opt_in: bool,
    /// The rules for tags. The last one that matches a tag decides.
    pub tags: Vec<String>,
    /// Whether a lower version than what runs is deployed, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_lower: bool,
    /// The stage whose services must be stable on an image before those of this one get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<StageName>,
    /// How many seconds they must stay stable.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub soak_seconds: u32,
    /// How many seconds a rollout, or a rollback, may take; `None` for [`Config::rollout_timeout`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_timeout_seconds: Option<NonZeroU32>,
    /// How a new revision names the image; `None` for [`Config::image_reference`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_reference: Option<ImageForm>,
    /// Whether a rollout that failed is rolled back.
    #[serde(default, skip_serializing_if = "RollbackSetting::is_default")]
    pub rollback: RollbackSetting,
    /// The tag that an image gets once every service of the stage is stable on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_on_success: Option<ImageTag>,
    /// Which revision a new one is made from.
    #[serde(default, skip_serializing_if = "BaseSetting::is_default")]
    pub base: BaseSetting,
}

impl StageSettings {
    /// The one stage of an installation that names none: it owns everything, and takes tags by `rules`.
    #[must_use]
    pub fn all(rules: &[&str]) -> Self {
        Self {
            name: StageName::all(),
            clusters: Vec::new(),
            services: Vec::new(),
            families: Vec::new(),
            repositories: Vec::new(),
            opt_in: false,
            tags: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            allow_lower: false,
            after: None,
            soak_seconds: 0,
            rollout_timeout_seconds: None,
            image_reference: None,
            rollback: RollbackSetting::default(),
            tag_on_success: None,
            base: BaseSetting::default(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The settings of an installation that sets none: all clusters, images by tag, families too, half an hour for a rollout.
/// A test compares them with the construct's defaults.
impl Default for Config {
    fn default() -> Self {
        let rollout = RolloutSettings::default();
        Self {
            clusters: Vec::new(),
            repositories: Vec::new(),
            stages: vec![StageSettings::all(&["*", "!latest"])],
            tag_latest: false,
            image_reference: rollout.image_reference,
            scan_families: true,
            rollout_timeout: rollout.rollout_timeout,
            poll_interval: SignedDuration::from_secs(15),
        }
    }
}

impl Config {
    /// Reads the settings from the text of a JSON object.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput` that names the member which is missing, unknown or cannot be read.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |problem: &dyn Display| {
            Error::invalid_input(format_args!(
                "the settings in {VARIABLE} cannot be read: {problem}; were the construct and the functions deployed together?"
            ))
        };
        // Serde alone would also take the list of the members' values for the object.
        if !text.trim_start().starts_with('{') {
            return Err(refused(&"they are no JSON object"));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let config: Self = serde_path_to_error::deserialize(&mut json).map_err(|error| refused(&error))?;
        json.end().map_err(|error| refused(&error))?;
        Ok(config)
    }

    /// How the services of `stage` are deployed.
    #[must_use]
    pub fn rollout_settings(&self, stage: &StageSettings) -> RolloutSettings {
        let own_timeout = stage.rollout_timeout_seconds;
        RolloutSettings {
            rollout_timeout: own_timeout
                .map_or(self.rollout_timeout, |own| SignedDuration::from_secs(own.get().into())),
            image_reference: stage.image_reference.unwrap_or(self.image_reference),
            rollback: stage.rollback,
            base: stage.base,
        }
    }

    /// Reads the settings from the environment of the process.
    ///
    /// # Errors
    ///
    /// As [`Config::parse`].
    pub fn from_env() -> Result<Self, Error> {
        let text = std::env::var(VARIABLE);
        Self::parse(&text.map_err(|error| Error::InvalidInput(format!("{VARIABLE} in the environment: {error}")))?)
    }
}

/// A list whose items are different.
fn distinct<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Display + Ord,
{
    let items = Vec::<T>::deserialize(deserializer)?;
    let mut seen = BTreeSet::new();
    match items.iter().find(|item| !seen.insert(*item)) {
        Some(twice) => Err(D::Error::custom(format_args!(
            "{twice} is there twice; it should be there once"
        ))),
        None => Ok(items),
    }
}

/// A list that is not empty.
fn some<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let items = Vec::<T>::deserialize(deserializer)?;
    if items.is_empty() {
        return Err(D::Error::custom("there is none; there should be one at least"));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What the construct writes without any setting, with many, with `tagLatest`, and with stages.
    const DEFAULT: &str = include_str!("../../../../cdk/test/golden/settings-default.json");
    const GIVEN: &str = include_str!("../../../../cdk/test/golden/settings-given.json");
    const TAG_LATEST: &str = include_str!("../../../../cdk/test/golden/settings-tag-latest.json");
    const STAGES: &str = include_str!("../../../../cdk/test/golden/settings-stages.json");

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
                tag_latest: false,
                image_reference: ImageForm::Digest,
                scan_families: false,
                rollout_timeout: SignedDuration::from_mins(5),
                poll_interval: SignedDuration::from_secs(10),
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
        };
        assert_eq!(config.rollout_settings(&config.stages[3]), expected);
        assert_eq!(config.rollout_settings(&config.stages[0]), RolloutSettings::default());
        let given = Config::parse(GIVEN).unwrap();
        let of_all = RolloutSettings {
            rollout_timeout: SignedDuration::from_mins(5),
            image_reference: ImageForm::Digest,
            rollback: RollbackSetting::Automatic,
            base: BaseSetting::Running,
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
        for text in [
            "",
            "[]",
            "null",
            "{",
            "{}{}",
            "[[],[],false,false,\"tag\",true,1800,15]",
        ] {
            refused(Config::parse(text), &[VARIABLE]);
        }
        refused(Config::parse(&format!("{DEFAULT} 1")), &["trailing characters"]);
    }
}
