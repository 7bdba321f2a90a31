//! An outline is what a plan reads of a revision.

use super::standing::{is_of_push, recorded_push, standing};
use super::{Container, Standing, Tag, TaskDefinition};
use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::{ImageDigest, ImageReference, ImageTag, RepositoryName};
use crate::domain::push::{PushId, PushedImage};
use crate::domain::records;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The part of a revision that a plan reads: its images, and the records in its tags. Not the document, which is much
/// larger and of which an account may have thousands; so an outline cannot be registered.
#[derive(Debug, Clone)]
pub struct Outline {
    arn: TaskDefinitionArn,
    /// The name of each container with its image, where that can be read as a reference.
    images: Vec<(String, ImageReference)>,
    /// The essential ones: a task ends with each of them.
    essential: Vec<String>,
    /// Those of this project.
    tags: Vec<Tag>,
    /// How many others there are that count.
    other_tags: usize,
}

/// The outlines of revisions; `None` for one that ECS does not describe any more.
pub type Outlines = BTreeMap<TaskDefinitionArn, Option<Outline>>;

/// The image of a container, as far as its revision tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerImage {
    /// The container's name.
    pub container: String,
    /// Its image.
    pub image: String,
    /// The digest; `None` where the revision names a tag, and nobody has recorded what it stood for.
    pub digest: Option<ImageDigest>,
    /// The tag; `None` where the revision names a digest, and nobody has recorded its tag.
    pub tag: Option<ImageTag>,
}

impl TaskDefinition {
    /// Returns the part that a plan reads.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let (ours, others): (Vec<_>, Vec<_>) = self.own_tags().partition(|tag| records::is_ours(&tag.key));
        let is_essential = |container: &&Container| {
            let essential = container.members.get("essential");
            essential.is_none_or(|essential| essential.get() != "false")
        };
        let essential = self.containers.iter().filter(is_essential);
        Outline {
            arn: self.arn.clone(),
            essential: essential.map(|container| container.name.clone()).collect(),
            images: self
                .images()
                .map(|(container, reference)| (container.to_owned(), reference.clone()))
                .collect(),
            tags: ours.into_iter().cloned().collect(),
            other_tags: others.len(),
        }
    }
}

impl Outline {
    /// Which revision this is.
    #[must_use]
    pub fn arn(&self) -> &TaskDefinitionArn {
        &self.arn
    }

    /// The images that its containers name, as far as they can be read.
    pub fn references(&self) -> impl Iterator<Item = &ImageReference> {
        self.images.iter().map(|(_, reference)| reference)
    }

    /// The name of each container that runs the repository of `image`, with its own image.
    fn running(&self, image: &PushedImage) -> impl Iterator<Item = &(String, ImageReference)> {
        let images = self.images.iter();
        images.filter(|(_, reference)| image.is_repository_of(reference))
    }

    /// As [`TaskDefinition::is_ours`].
    #[must_use]
    pub fn is_ours(&self) -> bool {
        records::source(&self.tags).is_some()
    }

    /// As [`TaskDefinition::containers_of`].
    #[must_use]
    pub fn containers_of(&self, image: &PushedImage) -> Vec<String> {
        self.running(image).map(|(container, _)| container.clone()).collect()
    }

    /// True if this revision runs the very image: it was registered for its digest, or its containers name that.
    #[must_use]
    pub fn has_digest(&self, image: &PushedImage) -> bool {
        if let Some(recorded) = records::digest_of(&self.tags, &image.repository) {
            return recorded == image.digest;
        }
        let mut digests = self.running(image).map(|(_, of)| of.digest()).peekable();
        digests.peek().is_some() && digests.all(|digest| digest == Some(&image.digest))
    }

    /// The tags by which this revision names the repository of `image`. Where it names digests, the tag that is recorded for that
    /// digest, if one is.
    #[must_use]
    pub fn image_tags(&self, image: &PushedImage) -> Vec<ImageTag> {
        let references: Vec<&ImageReference> = self.running(image).map(|(_, of)| of).collect();
        let named: Vec<ImageTag> = references.iter().filter_map(|of| of.tag().cloned()).collect();
        let recorded = records::digest_of(&self.tags, &image.repository);
        let is_of_record = references.iter().all(|of| of.digest() == recorded.as_ref());
        if !named.is_empty() || references.is_empty() || !is_of_record {
            return named;
        }
        records::image_tag_of(&self.tags, &image.repository)
            .into_iter()
            .collect()
    }

    /// The images of the containers that run the repository of `image`, each with the digest and the tag that it names, or
    /// that are recorded of what it names.
    #[must_use]
    pub fn images_of(&self, image: &PushedImage) -> Vec<ContainerImage> {
        let recorded = records::digest_of(&self.tags, &image.repository);
        let recorded_tag = records::image_tag_of(&self.tags, &image.repository);
        let running = self.running(image).map(|(container, of)| {
            let is_of_record = match (of.digest(), of.tag()) {
                (Some(digest), _) => Some(digest) == recorded.as_ref(),
                (None, tag) => tag.is_some() && tag == recorded_tag.as_ref(),
            };
            ContainerImage {
                container: container.clone(),
                image: of.to_string(),
                digest: of.digest().or(recorded.as_ref().filter(|_| is_of_record)).cloned(),
                tag: of.tag().or(recorded_tag.as_ref().filter(|_| is_of_record)).cloned(),
            }
        });
        running.collect()
    }

    /// The names of the essential containers: all that do not say otherwise.
    /// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>.
    #[must_use]
    pub fn essential(&self) -> &[String] {
        &self.essential
    }

    /// As [`TaskDefinition::standing`].
    #[must_use]
    pub fn standing(&self, image: &PushedImage, now: Timestamp) -> Standing {
        standing(&self.tags, image, now)
    }

    /// The keys of our tags for which a revision with `image`, made from this one, has no room: [`TaskDefinition::tags_without_room`].
    #[must_use]
    pub fn tags_without_room(&self, image: &PushedImage) -> Vec<String> {
        records::without_room(&self.tags, self.other_tags, &self.arn, image)
    }

    /// As [`TaskDefinition::is_of_push`].
    #[must_use]
    pub fn is_of_push(&self, image: &PushedImage) -> bool {
        is_of_push(&self.tags, image)
    }

    /// True if this revision was registered for another push of the repository than `image`'s, which is one under all its tags.
    #[must_use]
    pub fn is_of_another_push(&self, image: &PushedImage) -> bool {
        self.recorded_push(&image.repository).is_some() && !is_of_push(&self.tags, image)
    }

    /// The push of `repository` that is recorded, if its time is still to come: such a record is ignored.
    #[must_use]
    pub fn push_to_come(&self, repository: &RepositoryName, now: Timestamp) -> Option<PushId> {
        recorded_push(&self.tags, repository).filter(|push| push.is_to_come(now))
    }

    /// As [`TaskDefinition::recorded_push`].
    #[must_use]
    pub fn recorded_push(&self, repository: &RepositoryName) -> Option<PushId> {
        recorded_push(&self.tags, repository)
    }
}
