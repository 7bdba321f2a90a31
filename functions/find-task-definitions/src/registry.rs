//! Asks ECR about an image where the event of its push does not tell: CloudTrail omits a manifest over 100 KB.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::Region;
use aws_sdk_ecr::types::ImageIdentifier;
use ecr_deploy::domain::artifact::{self, Kind};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::error::Error;

/// Returns the kind of the pushed image, by the media types under which ECR keeps it.
///
/// It asks the registry of the image, which may be of another account or region. [`Kind::Unknown`] where ECR does not
/// answer, refuses, or does not know the image: that nobody can tell is no reason to keep an image from being deployed.
/// The log says so.
///
/// See <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>.
pub async fn kind_of(ecr: &Client, image: &PushedImage) -> Kind {
    let id = ImageIdentifier::builder().image_digest(image.digest.as_str()).build();
    let request = ecr
        .describe_images()
        .registry_id(image.registry_id.as_str())
        .repository_name(image.repository.as_str())
        .image_ids(id)
        .customize()
        .config_override(aws_sdk_ecr::config::Builder::default().region(Region::new(image.region.to_string())));
    let details = match request.send().await {
        Ok(answer) => answer.image_details.unwrap_or_default(),
        Err(error) => {
            let error = Error::from_aws("DescribeImages", &error);
            tracing::warn!("ECR does not tell whether {image} is an image: it is deployed as one ({error})");
            return Kind::Unknown;
        }
    };
    let Some(detail) = details.first() else {
        return Kind::Unknown;
    };
    artifact::of_media_types(detail.image_manifest_media_type(), detail.artifact_media_type())
}
