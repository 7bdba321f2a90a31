//! The document of a new revision, made from one that is there: with a pushed image, pinned to a digest, or as it is.

use super::{Container, ImageForm, Tag, TaskDefinition};
use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::{ImageDigest, ImageReference};
use crate::domain::push::PushedImage;
use crate::domain::records::{self, Descent};
use serde_json::value::to_raw_value;

impl TaskDefinition {
    /// The document with `image` in every container that runs its repository, and with tags that say where it came
    /// from: the push, its digest, its tag, who pushed, the revision it was made from. Every other member and tag stays as it is.
    /// ECS takes [`records::MOST_TAGS`]: see [`Self::tags_without_room`].
    #[must_use]
    pub fn with_image(&self, image: &PushedImage, form: ImageForm) -> Self {
        let new_reference = |reference: &ImageReference| match form {
            ImageForm::Tag => reference.at_tag(image.tag.clone()),
            ImageForm::Digest => reference.at_digest(image.digest.clone()),
        };
        let document = self.with_references(image, new_reference);
        let descent = records::descent(&self.tags);
        document.with_tags(records::for_push(&self.tags, &self.arn, descent, image))
    }

    /// [`Self::with_image`], of the members and the user's own tags of `newest`, if it is given, with the other containers' images
    /// as this one has them. The tags of ours are this one's, and tell up to where the family is known.
    #[must_use]
    pub fn with_image_on(&self, newest: Option<&Self>, descent: Descent, image: &PushedImage, form: ImageForm) -> Self {
        let Some(newest) = newest else {
            let document = self.with_image(image, form);
            return document.with_tags(records::for_push(&self.tags, &self.arn, Some(descent), image));
        };
        let is_ours = |tag: &&Tag| records::is_ours(&tag.key);
        let own = newest.tags.iter().filter(|tag| !is_ours(tag));
        let tags: Vec<Tag> = self.tags.iter().filter(is_ours).chain(own).cloned().collect();
        let document = Self {
            arn: self.arn.clone(),
            ..newest.with_images_of(self).with_image(image, form)
        };
        document.with_tags(records::for_push(&tags, &self.arn, Some(descent), image))
    }

    /// The document with the image of each container as `other` has it in the container of that name, where that is of the same
    /// repository.
    #[must_use]
    pub fn with_images_of(&self, other: &Self) -> Self {
        let mut document = self.clone();
        for container in &mut document.containers {
            let same = other.container(&container.name);
            let is_of_same = |running: &&Container| match (&running.image, &container.image) {
                (Some(running), Some(own)) => {
                    running.registry() == own.registry() && running.repository() == own.repository()
                }
                _ => false,
            };
            if let Some(running) = same.filter(is_of_same)
                && let Some(image) = running.members.get("image")
            {
                container.members.insert("image".to_owned(), image.clone());
                container.image.clone_from(&running.image);
            }
        }
        document
    }

    /// The document with every container that runs the repository of `image` pinned to `digest`, the contents it ran
    /// before its tag was overwritten. Its tags stay, and say besides which revision it was made from and that it was
    /// made to roll back `failed`.
    #[must_use]
    pub fn pinned(&self, image: &PushedImage, digest: &ImageDigest, failed: &TaskDefinitionArn) -> Self {
        let document = self.with_references(image, |reference| reference.at_digest(digest.clone()));
        let recorded = records::image_tag_of(&self.tags, &image.repository);
        let named = self.references_of(image).find_map(ImageReference::tag);
        let pinned = Some(records::Pinned {
            repository: &image.repository,
            digest,
            tag: named.or(recorded.as_ref()),
        });
        document.with_tags(records::for_rollback(&self.tags, &self.arn, pinned, failed))
    }

    /// The document as it is, to be registered once more since this revision was deregistered. Its tags stay, and say
    /// besides which revision it was made from and that it was made to roll back `failed`.
    #[must_use]
    pub fn copy_for_rollback(&self, failed: &TaskDefinitionArn) -> Self {
        self.clone()
            .with_tags(records::for_rollback(&self.tags, &self.arn, None, failed))
    }

    fn with_tags(self, records::Written { tags, without_room }: records::Written) -> Self {
        Self {
            tags,
            tags_without_room: without_room,
            ..self
        }
    }

    /// The keys of the tags that this document was to get and has not: the user's own leave no room for them.
    #[must_use]
    pub fn tags_without_room(&self) -> &[String] {
        &self.tags_without_room
    }

    fn with_references(&self, image: &PushedImage, new: impl Fn(&ImageReference) -> ImageReference) -> Self {
        let mut document = self.clone();
        for container in &mut document.containers {
            let named = container.image.as_ref();
            let reference = named.filter(|named| image.is_repository_of(named)).map(&new);
            if let Some(reference) = reference
                && let Ok(raw) = to_raw_value(&reference.to_string())
            {
                container.members.insert("image".to_owned(), raw);
                container.image = Some(reference);
            }
        }
        document
    }
}
