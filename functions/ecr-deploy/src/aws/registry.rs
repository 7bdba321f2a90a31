//! The little of ECR that a rollout needs: whether an image is still there and can be pulled, by which tags, and which images it
//! lists.

use crate::domain::artifact::{INDEXES, MANIFESTS, listed_in};
use crate::domain::image::{ImageDigest, ImageTag};
use crate::domain::push::PushedImage;
use crate::error::Error;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::Region;
use aws_sdk_ecr::types::{ImageIdentifier, ImageStatus};
use serde_json::Value;
use std::collections::BTreeSet;

/// The state of an image in ECR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is there, under these tags.
    Tagged(Vec<String>),
    /// It is there, but no task can pull it before somebody has restored it, which takes up to 20 minutes
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/archive-image.html>).
    Archived,
    /// Somebody restores it, which takes up to 20 minutes; no task can pull it until then.
    Restoring,
    /// It is gone.
    Gone,
    /// Nobody has said that it is gone: the registry is another account's, which does not let us ask, or another region's.
    Untold(String),
}

impl Stored {
    /// True if `tag` is known to stand for other contents by now.
    #[must_use]
    pub fn has_lost(&self, tag: &ImageTag) -> bool {
        matches!(self, Self::Tagged(tags) if tags.iter().all(|stored| stored != tag.as_str()))
    }
}

/// The key by which an image is requested.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// Its contents.
    Digest(&'a ImageDigest),
    /// A name that it may have lost to others.
    Tag(&'a ImageTag),
}

/// As it stands in a reference, behind the repository: `@sha256:…` or `:v1`.
impl std::fmt::Display for By<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "@{digest}"),
            Self::Tag(tag) => write!(f, ":{tag}"),
        }
    }
}

/// The advice for an image that is [`Stored::Restoring`].
pub const RESTORED_SOON: &str = "that takes up to 20 minutes; redrive this execution then";

/// Returns the advice for an image that is [`Stored::Archived`], with the command that restores it.
#[must_use]
pub fn restore(image: &PushedImage, by: By<'_>) -> String {
    let id = match by {
        By::Digest(digest) => format!("imageDigest={digest}"),
        By::Tag(tag) => format!("imageTag={tag}"),
    };
    format!(
        "restore it first (aws ecr update-image-storage-class --repository-name {} --image-id {id} --target-storage-class STANDARD, \
         up to 20 minutes)",
        image.repository
    )
}

/// Asks ECR for an image of the repository of `image`, where that is the ECR of `here`, the region of the services. No other
/// region's is asked: this one would say of an image there that it is not there.
///
/// # Errors
///
/// `Deploy.Unavailable`.
pub async fn look_up(ecr: &Client, here: &str, image: &PushedImage, by: By<'_>) -> Result<Stored, Error> {
    if image.region.as_str() != here {
        return Ok(Stored::Untold(format!(
            "{}{by} is in the registry of {}, and only that of {here} can be asked",
            image.repository, image.region
        )));
    }
    let id = match by {
        By::Digest(digest) => ImageIdentifier::builder().image_digest(digest.as_str()),
        By::Tag(tag) => ImageIdentifier::builder().image_tag(tag.as_str()),
    };
    let request = ecr
        .describe_images()
        .registry_id(image.registry_id.as_str())
        .repository_name(image.repository.as_str());
    let sent = request.image_ids(id.build()).send().await;
    let call = format!("DescribeImages of {}{by}", image.repository);
    let described = match sent.map_err(|error| Error::from_aws(&call, &error)) {
        Ok(described) => described,
        Err(Error::NotFound(_)) => return Ok(Stored::Gone),
        Err(Error::Rejected(message)) => return Ok(Stored::Untold(message)),
        Err(error) => return Err(error),
    };
    let Some(detail) = described.image_details.unwrap_or_default().into_iter().next() else {
        return Ok(Stored::Gone);
    };
    Ok(match detail.image_status {
        Some(ImageStatus::Archived) => Stored::Archived,
        Some(ImageStatus::Activating) => Stored::Restoring,
        _ => Stored::Tagged(detail.image_tags.unwrap_or_default()),
    })
}

/// The images that another image lists, by ECR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Those of an index, one for each platform; none where the image is no index.
    Images(BTreeSet<ImageDigest>),
    /// Nothing, and why.
    Untold(String),
}

/// Asks the registry of `image`, which may be of another account or region, for the images that it lists.
///
/// See <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html>.
///
/// # Errors
///
/// `Deploy.Unavailable`.
pub async fn listed_by(ecr: &Client, image: &PushedImage) -> Result<Listed, Error> {
    let id = ImageIdentifier::builder().image_digest(image.digest.as_str()).build();
    // These are asked for as they were pushed; ECR would turn others into them.
    let accepted = [MANIFESTS, INDEXES].concat().into_iter().map(str::to_owned);
    let request = ecr
        .batch_get_image()
        .registry_id(image.registry_id.as_str())
        .repository_name(image.repository.as_str())
        .image_ids(id)
        .set_accepted_media_types(Some(accepted.collect()))
        .customize()
        .config_override(aws_sdk_ecr::config::Builder::default().region(Region::new(image.region.to_string())));
    let call = format!("BatchGetImage of {}@{}", image.repository, image.digest);
    let sent = request.send().await;
    let answer = match sent.map_err(|error| Error::from_aws(&call, &error)) {
        Ok(answer) => answer,
        Err(Error::NotFound(message) | Error::Rejected(message)) => return Ok(Listed::Untold(message)),
        Err(error) => return Err(error),
    };
    let manifest = answer
        .images()
        .first()
        .and_then(|found| serde_json::from_str::<Value>(found.image_manifest()?).ok());
    Ok(match (manifest, answer.failures().first()) {
        (Some(manifest), _) => Listed::Images(listed_in(&manifest)),
        (None, Some(failure)) => Listed::Untold(format!("{call}: {}", failure.failure_reason().unwrap_or_default())),
        (None, None) => Listed::Untold(format!("{call}: the answer holds no manifest")),
    })
}
