//! The settings of one installation, as the construct hands them to every function: one JSON document in the environment
//! variable `SETTINGS`, read once, when a function starts.
//!
//! The tests read what the construct writes: a CDK test keeps `cdk/test/golden/settings-*.json` current.

use crate::domain::arn::ClusterName;
use crate::domain::image::{ImageTag, RepositoryName};
use crate::domain::is_default;
use crate::domain::stage::{self, BaseSetting, RollbackSetting, RolloutSettings, StageName};
use crate::domain::sweep::SweepSettings;
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
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
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
    /// True if an image gets the tag `latest` once every service is stable on it. Then no stage takes `latest`.
    pub tag_latest: bool,
    /// How a new revision names the image, `tag` or `digest`, where its stage does not say it.
    pub image_reference: ImageForm,
    /// True if families without a service get a new revision too.
    pub scan_families: bool,
    /// The most services that one push may move, in all its waves. A push that would move more is refused.
    pub max_services: u32,
    /// True if a message is sent for each push, to the topic of the state machines.
    pub sends_messages: bool,
    /// True if SSM parameters tell the image of each service.
    pub writes_parameters: bool,
    /// The reaction to the pushes that a sweep finds to be missed.
    pub sweep: SweepSettings,
    /// How long a rollout, or a rollback, may take where its stage does not say it: `rolloutTimeoutSeconds`, above 0.
    #[serde(rename = "rolloutTimeoutSeconds", with = "stage::seconds")]
    pub rollout_timeout: SignedDuration,
    /// How long to wait at least between two polls of a rollout: `pollIntervalSeconds`, above 0.
    #[serde(rename = "pollIntervalSeconds", with = "stage::seconds")]
    pub poll_interval: SignedDuration,
}

/// A stage as the settings have it: texts. The step that decides by stages reads the patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// True if it owns only services and families that name it by a tag of their own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub opt_in: bool,
    /// The rules for tags. The last one that matches a tag decides.
    pub tags: Vec<String>,
    /// True if a lower version than the running one is deployed, too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_lower: bool,
    /// The stage whose services must be stable on an image before those of this one get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<StageName>,
    /// How many seconds they must stay stable.
    #[serde(default, skip_serializing_if = "is_default")]
    pub soak_seconds: u32,
    /// How many seconds a rollout, or a rollback, may take; `None` for [`Config::rollout_timeout`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_timeout_seconds: Option<NonZeroU32>,
    /// How a new revision names the image; `None` for [`Config::image_reference`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_reference: Option<ImageForm>,
    /// The reaction to a rollout that failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rollback: RollbackSetting,
    /// The tag that an image gets once every service of the stage is stable on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_on_success: Option<ImageTag>,
    /// Which revision a new one is made from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub base: BaseSetting,
}

impl StageSettings {
    /// The one stage of an installation that names none: it owns everything, and takes tags by `rules`.
    #[must_use]
    pub fn all(rules: &[&str]) -> Self {
        Self {
            tags: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            ..Self::default()
        }
    }
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
            max_services: 10_000,
            sends_messages: false,
            writes_parameters: false,
            sweep: SweepSettings::default(),
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

    /// How the services of `stage` are deployed. The tags are left to the step that reads their rules.
    #[must_use]
    pub fn rollout_settings(&self, stage: &StageSettings) -> RolloutSettings {
        let own_timeout = stage.rollout_timeout_seconds;
        RolloutSettings {
            rollout_timeout: own_timeout
                .map_or(self.rollout_timeout, |own| SignedDuration::from_secs(own.get().into())),
            image_reference: stage.image_reference.unwrap_or(self.image_reference),
            rollback: stage.rollback,
            base: stage.base,
            tags: None,
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
mod tests;
