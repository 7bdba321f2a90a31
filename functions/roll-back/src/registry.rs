//! The little of ECR that a rollback needs: whether an image is still there, and by which tags.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier, ImageStatus};
use shared::error::Error;
use shared::image::{ImageDigest, ImageTag};
use shared::push::PushedImage;

/// What ECR says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is there, under these tags.
    Tagged(Vec<String>),
    /// It is there, but no task can pull it before somebody has restored it, which takes up to 20 minutes
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/archive-image.html>).
    Archived,
    /// It is gone.
    Gone,
    /// Nobody has said that it is gone: the registry is another account's, which does not let us ask, or another region's.
    Untold(String),
}

impl Stored {
    /// Whether `tag` is known to stand for other bits by now.
    #[must_use]
    pub fn has_lost(&self, tag: &ImageTag) -> bool {
        matches!(self, Self::Tagged(tags) if tags.iter().all(|stored| stored != tag.as_str()))
    }
}

/// What an image is asked for by.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// Its bits.
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
    match request.image_ids(id.build()).send().await {
        Ok(described) => match described.image_details.unwrap_or_default().into_iter().next() {
            Some(ImageDetail {
                image_status: Some(ImageStatus::Archived | ImageStatus::Activating),
                ..
            }) => Ok(Stored::Archived),
            Some(detail) => Ok(Stored::Tagged(detail.image_tags.unwrap_or_default())),
            None => Ok(Stored::Gone),
        },
        Err(error) => match Error::from_aws(&format!("DescribeImages of {}{by}", image.repository), &error) {
            Error::NotFound(_) => Ok(Stored::Gone),
            Error::Rejected(message) => Ok(Stored::Untold(message)),
            error => Err(error),
        },
    }
}
