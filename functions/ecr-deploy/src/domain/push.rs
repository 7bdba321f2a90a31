//! A push is what starts everything: an image got a tag in an ECR repository.
//!
//! EventBridge tells of it in two forms, CloudTrail's `PutImage` and ECR's own `ECR Image Action`; both are read into
//! one [`PushedImage`].
//!
//! See <https://docs.aws.amazon.com/AmazonECR/latest/userguide/logging-using-cloudtrail.html> and
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>.

mod event;
pub mod name;

use crate::domain::image::{AccountId, EcrRegistry, ImageDigest, ImageReference, ImageTag, Region, RepositoryName};
use crate::domain::text::parsed_text;
use crate::error::Error;
pub use event::{NothingPushed, Push, parse_push};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An image that was pushed with a tag: what is to be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushedImage {
    /// The registry's account. It may be another one than the account the event arrived in.
    pub registry_id: AccountId,
    /// The registry's region.
    pub region: Region,
    /// The repository that was pushed to.
    pub repository: RepositoryName,
    /// The tag that was put on the image.
    pub tag: ImageTag,
    /// The digest of the image; of the index, for a multi-architecture image.
    pub digest: ImageDigest,
    /// When the push happened and which one it was.
    pub push: PushId,
    /// Who pushed it; `None` where the event does not say. ECR's own event never does, and CloudTrail names no ARN for
    /// a caller of another account.
    pub by: Option<Pusher>,
}

parsed_text!(
    /// Who pushed an image: the ARN of the IAM user or of the role's session, as CloudTrail records it, for example
    /// `arn:aws:sts::123456789012:assumed-role/ci/run-42`. Only the first 256 characters are kept.
    ///
    /// It is for people to read. Nothing else of the caller's identity is kept: no access key, no address.
    ///
    /// See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>.
    Pusher,
    |text| Some(text)
        .filter(|text| text.starts_with("arn:") && text.bytes().all(|byte| byte.is_ascii_graphic()))
        .and_then(|text| text.get(..text.len().min(Pusher::LONGEST))),
    "the ARN of an IAM user or role"
);

impl Pusher {
    /// How many characters of an ARN are kept: as many as the value of a tag may have.
    const LONGEST: usize = 256;
}

/// How far a push's time may lie in the future: by so much do AWS's clocks and ours differ at most.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

impl PushedImage {
    /// The registry of the repository.
    #[must_use]
    pub fn registry(&self) -> EcrRegistry {
        EcrRegistry {
            account: self.registry_id.clone(),
            region: self.region.clone(),
        }
    }

    /// True if a container that names `reference` runs this repository, at whatever tag or digest.
    #[must_use]
    pub fn is_repository_of(&self, reference: &ImageReference) -> bool {
        reference.is_of(&self.registry(), &self.repository)
    }

    /// Refuses a push whose time has not come at `now`. Pushes are ordered by their time: one from the future would keep
    /// every later push from being deployed.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput` with both times.
    pub fn refuse_from_the_future(&self, now: Timestamp) -> Result<(), Error> {
        let at = self.push.at();
        if !self.push.is_to_come(now) {
            return Ok(());
        }
        Err(Error::InvalidInput(format!(
            "{self} was pushed at {at} by its event, and it is {now}: a push from the future would keep every later one from \
             being deployed. Nothing was changed. If you started this execution by hand, correct the event's time and start it again"
        )))
    }
}

impl fmt::Display for PushedImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.repository, self.tag)
    }
}

/// Which push it was. Pushes are ordered by the time of the `PutImage` itself, then by the event's id: not by arrival,
/// which EventBridge does not order, and not by the age of the image, since promoting an old image is a new push.
///
/// Written as `<RFC 3339 time> <event id>`, the form it has in a revision's tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PushId {
    at: Timestamp,
    event_id: String,
}

impl PushId {
    /// A push at `at`, told of by the event `event_id` (letters, digits, hyphens).
    ///
    /// # Errors
    ///
    /// A message when the id is empty, longer than 64, or has other characters.
    pub fn new(at: Timestamp, event_id: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=64).contains(&event_id.len()) || !event_id.bytes().all(is_plain) {
            return Err(format!("{event_id:?} is not an event id"));
        }
        let event_id = event_id.to_owned();
        Ok(Self { at, event_id })
    }

    /// When the image was pushed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// True if its time is later than `now`, by more than clocks may differ.
    #[must_use]
    pub fn is_to_come(&self, now: Timestamp) -> bool {
        self.at.duration_since(now) > CLOCK_SKEW
    }
}

impl fmt::Display for PushId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.at, self.event_id)
    }
}

impl From<PushId> for String {
    fn from(push: PushId) -> Self {
        push.to_string()
    }
}

impl TryFrom<String> for PushId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (at, event_id) = text
            .split_once(' ')
            .ok_or_else(|| format!("{text:?} is not <time> <event id>"))?;
        let at = at.parse().map_err(|error| format!("{at:?} is not a time: {error}"))?;
        Self::new(at, event_id)
    }
}

#[cfg(test)]
mod tests;
