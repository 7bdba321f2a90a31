//! The old contents of the last good revision: which digest its tag stood for, and whether a revision brings that back.

use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::image::{ImageDigest, ImageReference, ImageTag};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{ContainerDigest, ServiceDeployment, ServiceDeploymentStatus};
use ecr_deploy::domain::task_definition::TaskDefinition;

/// The old contents of the last good revision, as far as they are at risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contents {
    /// The revision names the repository by digest, so it is always the same contents.
    Pinned,
    /// It names the repository by this tag, which stood for this digest.
    Tagged(ImageTag, ImageDigest),
    /// It names the repository by this tag, and nothing tells which digest that stood for.
    Unknown(ImageTag),
}

/// The contents that the last good revision ran: by the digests its images `resolved` to, else by its own tags.
#[must_use]
pub(crate) fn old_contents(previous: &TaskDefinition, image: &PushedImage, resolved: &[ContainerDigest]) -> Contents {
    let Some(reference) = previous
        .references_of(image)
        .find(|reference| reference.digest().is_none())
    else {
        return Contents::Pinned;
    };
    let tag = reference.tag().cloned().unwrap_or_else(ImageTag::latest);
    let digest = digest_of(reference, resolved).or_else(|| previous.recorded_digest(&image.repository));
    match digest {
        Some(digest) => Contents::Tagged(tag, digest),
        None => Contents::Unknown(tag),
    }
}

/// True if ECS goes back to the old contents of a revision by itself: it has resolved the pushed image of it. ECS does not do so
/// for a container whose `versionConsistency` is `disabled`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>).
#[must_use]
pub(crate) fn keeps_old_contents(previous: &TaskDefinition, image: &PushedImage, resolved: &[ContainerDigest]) -> bool {
    previous
        .references_of(image)
        .all(|reference| reference.digest().is_some() || digest_of(reference, resolved).is_some())
}

fn digest_of(reference: &ImageReference, resolved: &[ContainerDigest]) -> Option<ImageDigest> {
    let is_same = |image: &str| {
        image
            .parse::<ImageReference>()
            .is_ok_and(|image| image.registry() == reference.registry() && image.repository() == reference.repository())
    };
    resolved
        .iter()
        .find(|image| is_same(&image.image))
        .map(|image| image.digest.clone())
}

/// True if a revision was registered for this very rollback: of `failed`, to `previous`, whose containers of the image's
/// repository are pinned to `digest` if that is needed; and can still be deployed.
#[must_use]
pub(crate) fn serves(
    registered: &TaskDefinition,
    previous: &TaskDefinitionArn,
    digest: Option<&ImageDigest>,
    image: &PushedImage,
    failed: &TaskDefinitionArn,
) -> bool {
    registered.is_active()
        && registered.arn().family() == previous.family()
        && registered.rolls_back(failed)
        && registered.source().is_none_or(|source| source == *previous)
        && digest.is_none_or(|digest| {
            let mut references = registered.references_of(image);
            references.all(|reference| reference.digest() == Some(digest))
        })
}

/// The digests that the images of a revision resolved to in its successful rollouts, by ECS's records, newest first. The same
/// revision may have failed with other contents since, when its tag was pushed over.
#[must_use]
pub(crate) fn recorded_digests(
    history: Option<&[ServiceDeployment]>,
    revision: &TaskDefinitionArn,
) -> Vec<ContainerDigest> {
    let of_revision = history
        .into_iter()
        .flatten()
        .filter(|record| record.target == *revision && record.status == ServiceDeploymentStatus::Successful);
    of_revision.flat_map(|record| record.target_digests.clone()).collect()
}

#[cfg(test)]
mod tests;
