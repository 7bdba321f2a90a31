//! A stage: its name, and how its services are deployed.

pub mod pattern;

use crate::domain::image::ImageTag;
use crate::domain::task_definition::ImageForm;
use crate::domain::text::parsed_text;
use jiff::SignedDuration;
use pattern::TagRules;
use serde::{Deserialize, Serialize};

/// Which revision a new one is made from: a stage's `base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BaseSetting {
    /// The one that runs.
    #[default]
    Running,
    /// The family's newest one that somebody else has registered, where that is newer than what the running one descends from.
    Newest,
}

/// The reaction to a rollout that failed: a stage's `rollback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RollbackSetting {
    /// It is.
    #[default]
    Automatic,
    /// The service stays as it is: a person decides.
    None,
}

/// How the services of a stage are deployed. It stands in the plan, and goes from there to each step: so a redrive goes by what was
/// set when the push began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutSettings {
    /// How long a rollout, or a rollback, may take: `rolloutTimeoutSeconds`, above 0.
    #[serde(rename = "rolloutTimeoutSeconds", with = "seconds")]
    pub rollout_timeout: SignedDuration,
    /// How a new revision names the image.
    pub image_reference: ImageForm,
    /// The reaction to a rollout that failed.
    pub rollback: RollbackSetting,
    /// Which revision a new one is made from.
    pub base: BaseSetting,
    /// By which tags a revision of its services may name an image. `None` for any tag: there is one stage, or revisions name
    /// images by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagRules>,
}

impl RolloutSettings {
    /// True if its services may run a revision that names the image by this tag.
    #[must_use]
    pub fn may_name(&self, tag: &ImageTag) -> bool {
        let rules = self.tags.as_ref();
        rules.is_none_or(|rules| rules.decide(tag.as_str()).takes())
    }
}

/// How an installation deploys that sets nothing: images by tag, half an hour for a rollout.
impl Default for RolloutSettings {
    fn default() -> Self {
        Self {
            rollout_timeout: SignedDuration::from_mins(30),
            image_reference: ImageForm::Tag,
            rollback: RollbackSetting::default(),
            base: BaseSetting::default(),
            tags: None,
        }
    }
}

parsed_text!(
    /// The name of a stage, `staging`.
    StageName,
    |text| Some(text).filter(|text| is_stage_name(text)),
    "the name of a stage (1 to 32 letters, digits, hyphens and underscores; not off)"
);

/// The name of the one stage of an installation that names none.
impl Default for StageName {
    fn default() -> Self {
        Self("all".to_owned())
    }
}

fn is_stage_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=32).contains(&text.len()) && text.bytes().all(is_plain) && text != "off"
}

/// A duration as a whole number of seconds above 0.
pub(crate) mod seconds {
    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::num::NonZeroU32;

    pub(crate) fn serialize<S: Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(duration.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
        let seconds = NonZeroU32::deserialize(deserializer)?;
        Ok(SignedDuration::from_secs(seconds.get().into()))
    }
}
