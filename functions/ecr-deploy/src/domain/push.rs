//! A push is what starts everything: an image got a tag in an ECR repository.
//!
//! EventBridge tells of it in two forms, CloudTrail's `PutImage` and ECR's own `ECR Image Action`; both are read into
//! one [`PushedImage`].
//!
//! See <https://docs.aws.amazon.com/AmazonECR/latest/userguide/logging-using-cloudtrail.html> and
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>.

use crate::domain::artifact::{self, Artifact, Kind};
use crate::domain::image::{AccountId, EcrRegistry, ImageDigest, ImageReference, ImageTag, Region, RepositoryName};
use crate::domain::text::parsed_text;
use crate::error::{Error, excerpt};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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

impl PushedImage {
    /// The registry of the repository.
    #[must_use]
    pub fn registry(&self) -> EcrRegistry {
        EcrRegistry {
            account: self.registry_id.clone(),
            region: self.region.clone(),
        }
    }

    /// Whether a container that names `reference` runs this repository, at whatever tag or digest.
    #[must_use]
    pub fn is_repository_of(&self, reference: &ImageReference) -> bool {
        reference.is_of(&self.registry(), &self.repository)
    }
}

/// How far a push's time may lie in the future: by so much do AWS's clocks and ours differ at most.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

impl PushedImage {
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
        let is_id = (1..=64).contains(&event_id.len())
            && event_id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_id {
            Ok(Self {
                at,
                event_id: event_id.to_owned(),
            })
        } else {
            Err(format!("{event_id:?} is not an event id"))
        }
    }

    /// When the image was pushed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether its time has not come at `now`, by more than clocks may differ.
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

/// What an event turned out to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// A tagged image was pushed.
    Tagged(PushedImage),
    /// Something was pushed under a tag; the event does not tell whether it is an image. ECR knows.
    Untold(PushedImage),
    /// The event is well-formed, but nothing was pushed under a tag.
    Nothing(NothingPushed),
}

/// Why a well-formed event has no image to deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NothingPushed {
    /// A manifest without a tag: a part of a multi-architecture image, an attestation, a signature.
    Untagged {
        /// The repository that was pushed to.
        repository: RepositoryName,
    },
    /// It is no image: a signature, a build cache, a Helm chart.
    Artifact {
        /// What was pushed, read as if it were an image.
        pushed: PushedImage,
        /// What it is.
        artifact: Artifact,
    },
    /// ECR brought it in from an upstream registry, by a pull-through cache.
    Cached {
        /// The repository of the cache.
        repository: String,
    },
    /// The push failed.
    Failed {
        /// The repository that should have been pushed to, as far as the event says.
        repository: String,
        /// What the event says about the failure.
        cause: String,
    },
}

#[derive(Deserialize)]
struct Envelope {
    id: String,
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    account: AccountId,
    region: Region,
    time: Timestamp,
    detail: Value,
}

/// CloudTrail's record of an API call. Members over 100 KB are omitted from it, so the manifest may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloudTrailRecord {
    event_name: String,
    #[serde(rename = "eventID")]
    event_id: String,
    event_time: Timestamp,
    aws_region: Option<Region>,
    error_code: Option<String>,
    error_message: Option<String>,
    user_identity: Option<UserIdentity>,
    request_parameters: Option<RequestParameters>,
    response_elements: Option<ResponseElements>,
}

#[derive(Deserialize)]
struct UserIdentity {
    arn: Option<Pusher>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    repository_name: Option<String>,
    registry_id: Option<AccountId>,
    image_tag: Option<String>,
    image_digest: Option<ImageDigest>,
    image_manifest: Option<String>,
    image_manifest_media_type: Option<String>,
}

#[derive(Deserialize)]
struct ResponseElements {
    image: Option<ResponseImage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponseImage {
    repository_name: Option<String>,
    registry_id: Option<AccountId>,
    image_id: Option<ImageId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageId {
    image_digest: Option<ImageDigest>,
    image_tag: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageAction {
    result: String,
    action_type: String,
    repository_name: String,
    image_digest: Option<ImageDigest>,
    image_tag: Option<String>,
    manifest_media_type: Option<String>,
    artifact_media_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PullThroughCacheAction {
    repository_name: String,
}

/// What is an object in the event, as JSON pointers. Serde alone would also take the list of its members' values for it.
const OBJECTS: [&str; 7] = [
    "",
    "/detail",
    "/detail/userIdentity",
    "/detail/requestParameters",
    "/detail/responseElements",
    "/detail/responseElements/image",
    "/detail/responseElements/image/imageId",
];

/// Reads an EventBridge event, in either form, into the push that it tells of.
///
/// `event` is the whole event as EventBridge delivers it. Members that are not known are passed over, since AWS adds
/// some at any time.
///
/// # Errors
///
/// `Deploy.InvalidInput`, saying which part cannot be read, when the event is neither form or lacks what a deployment
/// needs.
pub fn parse_push(event: &Value) -> Result<Push, Error> {
    if let Some(place) = OBJECTS
        .iter()
        .find(|place| event.pointer(place).is_some_and(Value::is_array))
    {
        return Err(invalid(format_args!("the event{place} cannot be read: it is a list")));
    }
    let envelope: Envelope = read(event, "the event")?;
    if envelope.source != "aws.ecr" {
        return Err(invalid(format_args!(
            "the event's source is {:?}, not \"aws.ecr\"",
            envelope.source
        )));
    }
    match envelope.detail_type.as_str() {
        "AWS API Call via CloudTrail" => from_cloud_trail(&envelope),
        "ECR Image Action" => from_image_action(&envelope),
        // The rule does not take it; who starts an execution with it is told what it is.
        "ECR Pull Through Cache Action" => {
            let action: PullThroughCacheAction = read(&envelope.detail, "the event's detail")?;
            let repository = excerpt(action.repository_name);
            Ok(Push::Nothing(NothingPushed::Cached { repository }))
        }
        other => Err(invalid(format_args!(
            "the event's detail-type is {other:?}; it should be \"AWS API Call via CloudTrail\" or \"ECR Image Action\""
        ))),
    }
}

fn from_cloud_trail(envelope: &Envelope) -> Result<Push, Error> {
    let record: CloudTrailRecord = read(&envelope.detail, "the event's detail")?;
    if record.event_name != "PutImage" {
        return Err(invalid(format_args!(
            "the event tells of {:?}, not of \"PutImage\"",
            record.event_name
        )));
    }
    let request = record.request_parameters.unwrap_or_default();
    if let Some(code) = record.error_code {
        return Ok(failed(
            request
                .repository_name
                .unwrap_or_else(|| "an unnamed repository".to_owned()),
            record
                .error_message
                .map_or(code.clone(), |message| format!("{code}: {message}")),
        ));
    }
    let image = record.response_elements.and_then(|response| response.image);
    let (repository, registry_id, id) = match image {
        Some(image) => (image.repository_name, image.registry_id, image.image_id),
        None => (None, None, None),
    };
    let (digest, tag) = id.map_or((None, None), |id| (id.image_digest, id.image_tag));
    let media_type = request.image_manifest_media_type.as_deref();
    // What is no JSON tells nothing: ECR took it, so there is more to it than the event says.
    let manifest = request.image_manifest.as_deref();
    let manifest = manifest.and_then(|manifest| serde_json::from_str::<Value>(manifest).ok());
    let kind = manifest.map_or_else(
        || artifact::of_media_types(media_type, None),
        |manifest| artifact::of_manifest(&manifest, media_type),
    );
    tagged_push(Told {
        registry_id: registry_id
            .or(request.registry_id)
            .unwrap_or_else(|| envelope.account.clone()),
        region: record.aws_region.unwrap_or_else(|| envelope.region.clone()),
        repository: repository
            .or(request.repository_name)
            .ok_or_else(|| invalid("the event names no repository (requestParameters.repositoryName)"))?,
        tag: tag.or(request.image_tag),
        digest: digest.or(request.image_digest),
        at: record.event_time,
        event_id: &record.event_id,
        kind,
        by: record.user_identity.and_then(|identity| identity.arn),
    })
}

fn from_image_action(envelope: &Envelope) -> Result<Push, Error> {
    let action: ImageAction = read(&envelope.detail, "the event's detail")?;
    if action.action_type != "PUSH" {
        return Err(invalid(format_args!(
            "the event's action-type is {:?}, not \"PUSH\"",
            action.action_type
        )));
    }
    if action.result != "SUCCESS" {
        let cause = format!("the event's result is {:?}", action.result);
        return Ok(failed(action.repository_name, cause));
    }
    tagged_push(Told {
        registry_id: envelope.account.clone(),
        region: envelope.region.clone(),
        repository: action.repository_name,
        tag: action.image_tag,
        digest: action.image_digest,
        at: envelope.time,
        event_id: &envelope.id,
        kind: artifact::of_media_types(
            action.manifest_media_type.as_deref(),
            action.artifact_media_type.as_deref(),
        ),
        by: None,
    })
}

/// What failed is told in few words, however many the event has.
fn failed(repository: String, cause: String) -> Push {
    Push::Nothing(NothingPushed::Failed {
        repository: excerpt(repository),
        cause: excerpt(cause),
    })
}

/// What either form tells of a push that succeeded, before it is known to have a tag.
struct Told<'a> {
    registry_id: AccountId,
    region: Region,
    repository: String,
    tag: Option<String>,
    digest: Option<ImageDigest>,
    at: Timestamp,
    event_id: &'a str,
    kind: Kind,
    by: Option<Pusher>,
}

fn tagged_push(told: Told<'_>) -> Result<Push, Error> {
    let repository: RepositoryName = told.repository.parse().map_err(invalid)?;
    // CloudTrail leaves the tag out of an untagged push, the native event has an empty one.
    let Some(tag) = told.tag.filter(|tag| !tag.is_empty()) else {
        return Ok(Push::Nothing(NothingPushed::Untagged { repository }));
    };
    let pushed = PushedImage {
        registry_id: told.registry_id,
        region: told.region,
        tag: tag.parse().map_err(invalid)?,
        digest: told.digest.ok_or_else(|| {
            invalid(format_args!(
                "the event tells of no digest for {repository}:{tag}, so the image cannot be known"
            ))
        })?,
        repository,
        push: PushId::new(told.at, told.event_id).map_err(invalid)?,
        by: told.by,
    };
    let kind = artifact::of_tag(&pushed.tag).map_or(told.kind, Kind::Artifact);
    Ok(match kind {
        Kind::Image => Push::Tagged(pushed),
        Kind::Unknown => Push::Untold(pushed),
        Kind::Artifact(artifact) => Push::Nothing(NothingPushed::Artifact { pushed, artifact }),
    })
}

fn read<T: serde::de::DeserializeOwned>(value: &Value, what: &str) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| invalid(format_args!("{what} cannot be read: {error}")))
}

fn invalid(message: impl fmt::Display) -> Error {
    Error::invalid_input(format_args!("not a push event of ECR: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DIGEST: &str = "sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb";

    fn cloud_trail() -> Value {
        example("put-image-event")
    }

    fn image_action() -> Value {
        example("image-action-event")
    }

    fn example(name: &str) -> Value {
        let path = format!("{}/../../statemachine/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// `event` with the member at `pointer` replaced, or taken out when there is no `value`.
    fn with(mut event: Value, pointer: &str, value: Option<Value>) -> Value {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => parent.insert(member.to_owned(), value),
            None => parent.remove(member),
        };
        event
    }

    fn tagged(event: &Value) -> PushedImage {
        match parse_push(event).unwrap() {
            Push::Tagged(image) => image,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_forms_tell_of_the_same_image() {
        let image = tagged(&cloud_trail());
        assert_eq!(image.registry_id.as_str(), "123456789012");
        assert_eq!(image.region.as_str(), "eu-west-1");
        assert_eq!(image.to_string(), "busybox:v1");
        assert_eq!(image.digest.as_str(), DIGEST);
        assert_eq!(
            image.push.to_string(),
            "2018-03-18T00:00:00Z 04caef66-e52b-4c4d-bbb5-547b85fec1f8"
        );
        let native = tagged(&image_action());
        assert_eq!(
            PushedImage {
                push: image.push.clone(),
                by: image.by.clone(),
                ..native
            },
            image
        );
    }

    #[test]
    fn cloud_trail_tells_who_pushed_and_ecr_does_not() {
        const ROLE: &str = "arn:aws:sts::123456789012:assumed-role/ci-push/run-42";
        let by = |event: &Value| tagged(event).by.map(String::from);
        assert_eq!(by(&cloud_trail()).as_deref(), Some(ROLE));
        assert_eq!(by(&image_action()), None);
        // A caller of another account, and a service of AWS, have no ARN there.
        assert_eq!(by(&with(cloud_trail(), "/detail/userIdentity/arn", None)), None);
        assert_eq!(by(&with(cloud_trail(), "/detail/userIdentity", None)), None);
        let long = format!("{ROLE}{}", "x".repeat(1000));
        let kept = by(&with(cloud_trail(), "/detail/userIdentity/arn", Some(json!(long))));
        assert_eq!(kept.as_deref(), Some(&long[..256]));
    }

    #[test]
    fn nothing_else_of_who_pushed_is_kept() {
        let event = cloud_trail();
        for secret in ["/accessKeyId", "/principalId", "/sessionContext"] {
            let place = format!("/detail/userIdentity{secret}");
            assert!(event.pointer(&place).is_some(), "the example has {place}");
        }
        let kept = serde_json::to_value(tagged(&event)).unwrap();
        let members: Vec<_> = kept.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            members,
            ["registryId", "region", "repository", "tag", "digest", "push", "by"]
        );
    }

    #[test]
    fn the_registry_is_the_one_of_the_image_not_of_the_event() {
        let event = with(cloud_trail(), "/account", Some(json!("999999999999")));
        assert_eq!(tagged(&event).registry_id.as_str(), "123456789012");
    }

    #[test]
    fn without_response_elements_the_request_says_it_all() {
        let event = with(cloud_trail(), "/detail/responseElements", Some(Value::Null));
        let event = with(event, "/detail/requestParameters/imageDigest", Some(json!(DIGEST)));
        assert_eq!(tagged(&event), tagged(&cloud_trail()));
    }

    #[test]
    fn a_push_without_a_tag_is_nothing_to_deploy() {
        let untagged = Push::Nothing(NothingPushed::Untagged {
            repository: "busybox".parse().unwrap(),
        });
        let event = with(cloud_trail(), "/detail/requestParameters/imageTag", None);
        let event = with(event, "/detail/responseElements/image/imageId/imageTag", None);
        assert_eq!(parse_push(&event).unwrap(), untagged);
        let event = with(image_action(), "/detail/image-tag", Some(json!("")));
        assert_eq!(parse_push(&event).unwrap(), untagged);
        let event = with(image_action(), "/detail/image-tag", None);
        assert_eq!(parse_push(&event).unwrap(), untagged);
    }

    #[test]
    fn a_signature_a_cache_and_a_chart_are_no_image_in_either_form() {
        let oci = "application/vnd.oci.image.manifest.v1+json";
        let image = "application/vnd.oci.image.config.v1+json";
        let signature = format!("sha256-{}.sig", "e".repeat(64));
        let fallback = format!("sha256-{}", "e".repeat(64));
        for (tag, media_type, config, says) in [
            (signature.as_str(), oci, image, "a signature"),
            (
                &fallback,
                "application/vnd.oci.image.index.v1+json",
                "",
                "the list of what refers to an image",
            ),
            (
                "buildcache",
                oci,
                "application/vnd.buildkit.cacheconfig.v0",
                "a build cache",
            ),
            ("1.2.3", oci, "application/vnd.cncf.helm.config.v1+json", "a Helm chart"),
        ] {
            let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": {"mediaType": config}});
            let recorded = with(
                cloud_trail(),
                "/detail/requestParameters/imageManifest",
                Some(json!(manifest.to_string())),
            );
            let recorded = with(
                recorded,
                "/detail/responseElements/image/imageId/imageTag",
                Some(json!(tag)),
            );
            let native = with(image_action(), "/detail/image-tag", Some(json!(tag)));
            let native = with(native, "/detail/manifest-media-type", Some(json!(media_type)));
            let native = with(native, "/detail/artifact-media-type", Some(json!(config)));
            for event in [recorded, native] {
                match parse_push(&event).unwrap() {
                    Push::Nothing(NothingPushed::Artifact { pushed, artifact }) => {
                        assert_eq!((pushed.tag.as_str(), artifact.to_string().as_str()), (tag, says));
                    }
                    other => panic!("{tag}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_an_event_does_not_tell_ecr_is_to_be_asked() {
        let manifest = "/detail/requestParameters/imageManifest";
        let media_type = "/detail/requestParameters/imageManifestMediaType";
        let index = Some(json!("application/vnd.oci.image.index.v1+json"));
        let skipped = with(cloud_trail(), manifest, None);
        let cut_off = with(cloud_trail(), manifest, Some(json!("{\"schemaVersion\": 2, \"conf")));
        let config_untold = with(image_action(), "/detail/artifact-media-type", None);
        let untold = with(config_untold.clone(), "/detail/manifest-media-type", None);
        for event in [
            &skipped,
            &cut_off,
            &with(skipped.clone(), media_type, None),
            &config_untold,
            &untold,
        ] {
            assert!(matches!(parse_push(event).unwrap(), Push::Untold(_)), "{event}");
        }
        for event in [
            with(skipped, media_type, index.clone()),
            with(config_untold, "/detail/manifest-media-type", index),
        ] {
            assert!(matches!(parse_push(&event).unwrap(), Push::Tagged(_)), "{event}");
        }
    }

    #[test]
    fn a_push_from_the_future_is_refused_with_both_times() {
        let image = tagged(&cloud_trail());
        let now = |text: &str| text.parse::<Timestamp>().unwrap();
        for at in ["2018-03-17T23:55:00Z", "2018-03-18T00:00:00Z", "2026-01-01T00:00:00Z"] {
            image.refuse_from_the_future(now(at)).unwrap();
        }
        let error = image.refuse_from_the_future(now("2018-03-17T23:54:59Z")).unwrap_err();
        assert_eq!(error.name(), "Deploy.InvalidInput");
        let message = error.to_string();
        assert!(
            message.contains("2018-03-18T00:00:00Z") && message.contains("2018-03-17T23:54:59Z"),
            "{message}"
        );
    }

    #[test]
    fn a_failed_push_is_nothing_to_deploy() {
        let event = with(cloud_trail(), "/detail/responseElements", Some(Value::Null));
        let event = with(
            event,
            "/detail/errorCode",
            Some(json!("ImageTagAlreadyExistsException")),
        );
        assert_eq!(
            parse_push(&event).unwrap(),
            Push::Nothing(NothingPushed::Failed {
                repository: "busybox".to_owned(),
                cause: "ImageTagAlreadyExistsException".to_owned()
            })
        );
        let event = with(image_action(), "/detail/result", Some(json!("FAILURE")));
        assert!(matches!(
            parse_push(&event).unwrap(),
            Push::Nothing(NothingPushed::Failed { .. })
        ));
    }

    #[test]
    fn what_ecr_brings_into_a_pull_through_cache_is_nothing_to_deploy() {
        let cached = json!({
            "id": "85fc3613-e913-7fc4-a80c-a3753e4aa9ae",
            "detail-type": "ECR Pull Through Cache Action",
            "source": "aws.ecr",
            "account": "123456789012",
            "time": "2026-11-01T02:36:48Z",
            "region": "eu-west-1",
            "detail": {
                "sync-status": "SUCCESS",
                "ecr-repository-prefix": "docker-hub",
                "repository-name": "docker-hub/library/redis",
                "image-tag": "8",
            },
        });
        let repository = "docker-hub/library/redis".to_owned();
        assert_eq!(
            parse_push(&cached).unwrap(),
            Push::Nothing(NothingPushed::Cached { repository })
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (event, says) in [
            (json!({}), "missing field"),
            (json!("push"), "the event cannot be read"),
            (Value::Null, "the event cannot be read"),
            (
                with(cloud_trail(), "/source", Some(json!("aws.s3"))),
                "source is \"aws.s3\"",
            ),
            (
                with(cloud_trail(), "/detail-type", Some(json!("Other"))),
                "detail-type is \"Other\"",
            ),
            (with(cloud_trail(), "/detail", Some(json!([]))), "detail cannot be read"),
            (
                with(
                    image_action(),
                    "/detail",
                    Some(json!(["SUCCESS", "PUSH", "busybox", DIGEST, "v1"])),
                ),
                "detail cannot be read: it is a list",
            ),
            (
                with(
                    cloud_trail(),
                    "/detail/responseElements/image/imageId",
                    Some(json!([DIGEST, "v1"])),
                ),
                "imageId cannot be read: it is a list",
            ),
            (
                with(cloud_trail(), "/detail/userIdentity/arn", Some(json!("somebody"))),
                "\"somebody\" is not the ARN of an IAM user or role",
            ),
            (
                with(
                    cloud_trail(),
                    "/detail/userIdentity",
                    Some(json!(["arn:aws:iam::123456789012:root"])),
                ),
                "userIdentity cannot be read: it is a list",
            ),
            (
                with(cloud_trail(), "/detail/eventName", Some(json!("BatchDeleteImage"))),
                "\"BatchDeleteImage\"",
            ),
            (
                with(cloud_trail(), "/detail/eventTime", Some(json!("yesterday"))),
                "eventTime: ",
            ),
            (
                with(cloud_trail(), "/detail/eventID", Some(json!("a b"))),
                "not an event id",
            ),
            (
                with(
                    cloud_trail(),
                    "/detail/responseElements/image/imageId/imageDigest",
                    None,
                ),
                "no digest for busybox:v1",
            ),
            (
                with(
                    cloud_trail(),
                    "/detail/responseElements/image/repositoryName",
                    Some(json!("UPPER")),
                ),
                "UPPER",
            ),
            (
                with(image_action(), "/detail/action-type", Some(json!("DELETE"))),
                "\"DELETE\"",
            ),
            (
                with(image_action(), "/detail/image-tag", Some(json!("not a tag"))),
                "not a tag",
            ),
            (
                with(image_action(), "/detail/image-digest", Some(json!("sha256:12"))),
                "sha256:12",
            ),
        ] {
            let error = parse_push(&event).unwrap_err();
            assert_eq!(error.name(), "Deploy.InvalidInput", "{event}");
            assert!(error.to_string().contains(says), "{error} should say {says}");
        }
    }

    #[test]
    fn what_is_quoted_from_an_event_is_short_however_long_it_was() {
        let hostile = json!("ü".repeat(1_000_000));
        let error = parse_push(&with(image_action(), "/source", Some(hostile.clone()))).unwrap_err();
        let message = error.to_string();
        assert!(message.len() < 1100, "{}", message.len());
        assert!(
            message.contains("the event's source is \"ü") && message.ends_with("not \"aws.ecr\""),
            "{message}"
        );
        let failed = with(image_action(), "/detail/result", Some(json!("FAILURE")));
        let failed = with(failed, "/detail/repository-name", Some(hostile));
        assert!(format!("{:?}", parse_push(&failed).unwrap()).len() < 1200);
    }

    #[test]
    fn pushes_are_ordered_by_their_own_time_then_by_event() {
        let push = |text: &str| PushId::try_from(text.to_owned()).unwrap();
        assert!(push("2026-01-01T00:00:00Z b") < push("2026-01-01T00:00:01Z a"));
        assert!(push("2026-01-01T00:00:00Z a") < push("2026-01-01T00:00:00Z b"));
        assert!(push("2026-01-01T00:00:00.5Z a") > push("2026-01-01T00:00:00Z b"));
        assert!(PushId::try_from("2026-01-01T00:00:00Z".to_owned()).is_err());
    }
}
