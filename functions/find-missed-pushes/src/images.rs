//! The images that ECR holds of a repository.

use crate::candidates::{Repository, StoredImage};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::Region;
use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatus, TagStatus};
use ecr_deploy::domain::artifact::{self, Kind};
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::error::Error;
use jiff::Timestamp;

/// The longest page.
const PAGE: i32 = 1000;

/// Returns the tagged images of a repository that a task can pull, in any order: no signatures, no caches, none in the
/// archive.
///
/// `None` where ECR refuses, as it does for the registry of another account that does not let us ask, or where there is
/// no such repository. The log says so.
///
/// See <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>.
///
/// # Errors
///
/// `Deploy.Unavailable`.
pub async fn stored_in(ecr: &Client, repository: &Repository) -> Result<Option<Vec<StoredImage>>, Error> {
    let tagged = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged);
    let (account, region) = (&repository.registry.account, &repository.registry.region);
    let mut stored = Vec::new();
    let mut next_token = None;
    loop {
        let request = ecr
            .describe_images()
            .registry_id(account.as_str())
            .repository_name(repository.name.as_str())
            .filter(tagged.clone().build())
            .max_results(PAGE)
            .set_next_token(next_token)
            .customize()
            .config_override(aws_sdk_ecr::config::Builder::default().region(Region::new(region.to_string())));
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) => {
                return match Error::from_aws(&format!("DescribeImages of {}", repository.name), &error) {
                    Error::NotFound(message) | Error::Rejected(message) => {
                        tracing::warn!("the images of {} are not known: {message}", repository.name);
                        Ok(None)
                    }
                    error => Err(error),
                };
            }
        };
        stored.extend(page.image_details.iter().flatten().filter_map(image));
        next_token = page.next_token.filter(|token| !token.is_empty());
        if next_token.is_none() {
            return Ok(Some(stored));
        }
    }
}

/// An image as ECR describes it; `None` for what no task can run. The command judges by it, too, what waits for a service.
#[must_use]
pub fn image(detail: &ImageDetail) -> Option<StoredImage> {
    let is_stored = !matches!(
        detail.image_status(),
        Some(ImageStatus::Archived | ImageStatus::Activating)
    );
    let kind = artifact::of_media_types(detail.image_manifest_media_type(), detail.artifact_media_type());
    if !is_stored || matches!(kind, Kind::Artifact(_)) {
        return None;
    }
    let tags = detail.image_tags().iter().filter_map(|tag| tag.parse().ok());
    let at = detail.image_pushed_at()?;
    Some(StoredImage {
        digest: detail.image_digest()?.parse().ok()?,
        tags: tags.filter(|tag: &ImageTag| artifact::of_tag(tag).is_none()).collect(),
        pushed_at: Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()?,
    })
}
