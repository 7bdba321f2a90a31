//! ECR's push event, in both forms, is read into one [`Push`].

use super::{PushId, PushedImage, Pusher};
use crate::domain::artifact::{self, Artifact, Kind};
use crate::domain::image::{AccountId, ImageDigest, Region, RepositoryName};
use crate::error::{Error, excerpt};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// The push that an event tells.
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
        /// The artifact, read as if it were an image.
        pushed: PushedImage,
        /// The kind of the artifact.
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
        /// The failure, in the event's words.
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

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ResponseImage {
    repository_name: Option<String>,
    registry_id: Option<AccountId>,
    image_id: Option<ImageId>,
}

#[derive(Deserialize, Default)]
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

/// The members of an event that must be objects, as JSON pointers. Serde alone would also accept an array of their
/// values.
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
    let image = image.unwrap_or_default();
    let id = image.image_id.unwrap_or_default();
    let media_type = request.image_manifest_media_type.as_deref();
    // A manifest that is no JSON tells nothing: ECR took it, so there is more to it than the event says.
    let manifest = request.image_manifest.as_deref();
    let manifest = manifest.and_then(|manifest| serde_json::from_str::<Value>(manifest).ok());
    let kind = manifest.map_or_else(
        || artifact::of_media_types(media_type, None),
        |manifest| artifact::of_manifest(&manifest, media_type),
    );
    tagged_push(Told {
        registry_id: image
            .registry_id
            .or(request.registry_id)
            .unwrap_or_else(|| envelope.account.clone()),
        region: record.aws_region.unwrap_or_else(|| envelope.region.clone()),
        repository: image
            .repository_name
            .or(request.repository_name)
            .ok_or_else(|| invalid("the event names no repository (requestParameters.repositoryName)"))?,
        tag: id.image_tag.or(request.image_tag),
        digest: id.image_digest.or(request.image_digest),
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

/// Returns a failed push, with its texts cut short: an event may have long ones.
fn failed(repository: String, cause: String) -> Push {
    Push::Nothing(NothingPushed::Failed {
        repository: excerpt(repository),
        cause: excerpt(cause),
    })
}

/// The members of a push that succeeded, of either form of event, before it is known to have a tag.
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
mod tests;
