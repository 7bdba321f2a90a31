//! How a revision stands to a push: by the push that its tags record, and by the revision that it was made from.

use super::{Tag, TaskDefinition};
use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::{ImageDigest, ImageTag, RepositoryName};
use crate::domain::push::{PushId, PushedImage};
use crate::domain::records::{self, Descent};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;

/// How long after each other the tags of one image are put on it by one pipeline. Tags that come within this time are one
/// push, whichever event arrives first: the image is rolled out once, and once only also where it is bad. The same image
/// under a tag that comes later is a push of its own: a promotion.
pub const ONE_PUSH: SignedDuration = SignedDuration::from_mins(1);

/// How a revision stands to a push of a repository that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was registered for this very push.
    Ours,
    /// It was registered for a newer push of the repository.
    Newer,
    /// It was registered for an older push of the repository, or for a push of another one before any of this.
    Older,
    /// No push of the repository is recorded on it: a person or another tool registered it.
    Unrecorded,
}

/// The relation of a revision to a push, where a service is on it and the push is to run another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherRevision {
    /// How it stands to the push.
    pub standing: Standing,
    /// True if it was made to roll back the revision of the push.
    pub rolls_ours_back: bool,
}

impl TaskDefinition {
    /// How this revision stands to `image`'s push, by the tag it was registered with. A push whose time is still to come is none:
    /// a mistyped year, or a tag of somebody else's, would keep every later push out.
    #[must_use]
    pub fn standing(&self, image: &PushedImage, now: Timestamp) -> Standing {
        standing(&self.tags, image, now)
    }

    /// True if this revision was registered for `image`'s push, under this tag or another one: see [`ONE_PUSH`].
    #[must_use]
    pub fn is_of_push(&self, image: &PushedImage) -> bool {
        is_of_push(&self.tags, image)
    }

    /// The push that this revision was registered for, where that is one with `image`'s: the same digest, which came with it
    /// under another tag. Else `image` itself.
    #[must_use]
    pub fn push_of(&self, image: &PushedImage) -> PushedImage {
        let recorded = self.recorded_push(&image.repository);
        let Some(push) = recorded.filter(|_| self.is_of_push(image)) else {
            return image.clone();
        };
        let tag = self.references_of(image).find_map(|reference| reference.tag().cloned());
        PushedImage {
            tag: tag.filter(|_| push != image.push).unwrap_or_else(|| image.tag.clone()),
            push,
            ..image.clone()
        }
    }

    /// True if the push of `other` came between this revision's and `image`'s, which have one digest. These then count
    /// as two pushes, since the newest push counts.
    #[must_use]
    pub fn is_overtaken(&self, other: &Self, image: &PushedImage) -> bool {
        let [own, between] = [self, other].map(|of| of.recorded_push(&image.repository));
        match (own, between) {
            (Some(own), Some(between)) => own < between && between < image.push && !other.is_of_push(image),
            _ => false,
        }
    }

    /// Returns the relation of this revision to `image`'s push, whose own revision is `ours`.
    #[must_use]
    pub fn beside(&self, ours: &TaskDefinitionArn, image: &PushedImage, now: Timestamp) -> OtherRevision {
        OtherRevision {
            standing: self.standing(image, now),
            rolls_ours_back: self.rolls_back(ours),
        }
    }

    /// The push of `repository` that this revision was registered for, if it was one of ours.
    #[must_use]
    pub fn recorded_push(&self, repository: &RepositoryName) -> Option<PushId> {
        recorded_push(&self.tags, repository)
    }

    /// Who made the last push that this revision was registered for, where that is recorded.
    #[must_use]
    pub fn pushed_by(&self) -> Option<&str> {
        records::by(&self.tags)
    }

    /// The tag of the image of `repository` that this revision was registered for, where that is recorded.
    #[must_use]
    pub fn recorded_tag(&self, repository: &RepositoryName) -> Option<ImageTag> {
        records::image_tag_of(&self.tags, repository)
    }

    /// The digest of `repository` that this revision was registered for, if it was one of ours.
    #[must_use]
    pub fn recorded_digest(&self, repository: &RepositoryName) -> Option<ImageDigest> {
        records::digest_of(&self.tags, repository)
    }

    /// True if `other` records the same pushes, of whatever repositories.
    #[must_use]
    pub fn records_same_pushes(&self, other: &Self) -> bool {
        records::pushes(&self.tags) == records::pushes(&other.tags)
    }

    /// True if it records a newer push of a repository than `other` does: to move a service from this one to `other` would take that
    /// image back.
    #[must_use]
    pub fn records_newer_push(&self, other: &Self) -> bool {
        let others = records::pushes(&other.tags);
        let is_newer = |(repository, push)| others.get(repository).is_some_and(|older| push > *older);
        records::pushes(&self.tags).into_iter().any(is_newer)
    }

    /// True if we made it, by the tag that names its source.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        records::source(&self.tags).is_some()
    }

    /// Up to where the family was known when this revision was made, if that is recorded.
    #[must_use]
    pub fn descent(&self) -> Option<Descent> {
        records::descent(&self.tags)
    }

    /// The revision that this one was made from, if it was one of ours.
    #[must_use]
    pub fn source(&self) -> Option<TaskDefinitionArn> {
        let (family, revision) = records::source(&self.tags)?.rsplit_once(':')?;
        // Of a name that is too long for a tag, the end is there.
        let revision = revision.parse().ok().filter(|_| self.arn.family().ends_with(family))?;
        Some(self.arn.at_revision(revision))
    }

    /// The revision that this one was made to roll back, `web:42`, if it was made for that.
    #[must_use]
    pub fn rolled_back(&self) -> Option<&str> {
        records::rolled_back(&self.tags)
    }

    /// True if this one was made to roll `failed` back.
    #[must_use]
    pub fn rolls_back(&self, failed: &TaskDefinitionArn) -> bool {
        self.rolled_back() == Some(records::name_of(failed))
    }
}

pub(super) fn standing(tags: &[Tag], image: &PushedImage, now: Timestamp) -> Standing {
    if is_of_push(tags, image) {
        return Standing::Ours;
    }
    let recorded = recorded_push(tags, &image.repository).filter(|push| !push.is_to_come(now));
    match recorded.map(|recorded| recorded.cmp(&image.push)) {
        Some(Ordering::Equal) => Standing::Ours,
        Some(Ordering::Greater) => Standing::Newer,
        Some(Ordering::Less) => Standing::Older,
        // Made by us for another repository, from a revision that had no push of this one.
        None if records::source(tags).is_some() => Standing::Older,
        None => Standing::Unrecorded,
    }
}

/// True if the tags record the push of `image`, or that of the same digest under another tag.
pub(super) fn is_of_push(tags: &[Tag], image: &PushedImage) -> bool {
    let Some(recorded) = recorded_push(tags, &image.repository) else {
        return false;
    };
    recorded == image.push
        || (recorded.at().duration_since(image.push.at()).abs() <= ONE_PUSH
            && records::digest_of(tags, &image.repository).as_ref() == Some(&image.digest))
}

pub(super) fn recorded_push(tags: &[Tag], repository: &RepositoryName) -> Option<PushId> {
    records::record_of(tags, repository).map(|record| record.push)
}
