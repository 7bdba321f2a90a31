//! Finds out whether the last good revision still means its old image, and whether tasks can pull that.

use crate::Attempt;
use crate::contents::{Contents, keeps_old_contents, old_contents, recorded_digests, serves};
use crate::read::Reading;
use ecr_deploy::aws::registry::{By, RESTORED_SOON, Stored, look_up, restore};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::image::{ImageDigest, ImageTag};
use ecr_deploy::domain::task_definition::TaskDefinition;
use ecr_deploy::error::Error;

/// The last good revision, and whether it still means its old contents.
pub(crate) enum OldImage {
    /// It does.
    InPlace(TaskDefinition),
    /// Its tag stands for other contents; this is the digest to pin it to.
    Overwritten(TaskDefinition, ImageDigest),
    /// Its tag is the pushed one, and nothing tells what it stood for: only ECS can go back to it.
    Lost(TaskDefinition),
}

impl OldImage {
    pub(crate) fn revision(&self) -> &TaskDefinition {
        match self {
            Self::InPlace(revision) | Self::Overwritten(revision, _) | Self::Lost(revision) => revision,
        }
    }
}

impl Attempt<'_> {
    /// Makes sure, before anything is touched, that the old image can still be started.
    pub(crate) async fn old_image(&self, to: &TaskDefinitionArn, reading: &Reading) -> Result<OldImage, Error> {
        let Self { mover, input, .. } = self;
        let image = &input.image;
        let previous = match mover.ecs.describe_task_definition(to.as_str()).await {
            // Not found would say that the service is gone.
            Err(Error::NotFound(message)) => return Err(Error::Rejected(message)),
            described => described?,
        };
        let mut contents = old_contents(
            &previous,
            image,
            &recorded_digests(reading.facts.history.as_deref(), to),
        );
        if let Contents::Unknown(_) = contents {
            let digests = mover.ecs.task_digests(&mover.cluster, &mover.service, to).await?;
            contents = old_contents(&previous, image, &digests);
        }
        match contents {
            Contents::Tagged(tag, digest) => {
                let stored = self.require(By::Digest(&digest), to).await?;
                let was_pushed_over = tag == image.tag && digest != image.digest;
                let has_lost = stored.has_lost(&tag) && !self.recorded_has(&previous, &digest, &tag).await?;
                if has_lost || was_pushed_over {
                    return Ok(OldImage::Overwritten(previous, digest));
                }
            }
            Contents::Pinned => {
                let mut references = previous.references_of(image);
                if let Some(digest) = references.find_map(|reference| reference.digest().cloned()) {
                    self.require(By::Digest(&digest), to).await?;
                }
            }
            Contents::Unknown(tag) if tag == image.tag => return Ok(OldImage::Lost(previous)),
            Contents::Unknown(tag) => {
                tracing::warn!(to = to.short(), "the old digest is not known; going back by the tag");
                self.require(By::Tag(&tag), to).await?;
            }
        }
        Ok(OldImage::InPlace(previous))
    }

    /// True if `tag` stands still for what a revision was registered for, where that is not `resolved`: of an index, ECS may tell the
    /// image for a task's platform, which has no tags of its own.
    async fn recorded_has(
        &self,
        previous: &TaskDefinition,
        resolved: &ImageDigest,
        tag: &ImageTag,
    ) -> Result<bool, Error> {
        let image = &self.input.image;
        let recorded = previous.recorded_digest(&image.repository);
        let Some(recorded) = recorded.filter(|recorded| recorded != resolved) else {
            return Ok(false);
        };
        let stored = look_up(self.ecr, previous.arn().region(), image, By::Digest(&recorded)).await?;
        Ok(matches!(stored, Stored::Tagged(_)) && !stored.has_lost(tag))
    }

    async fn require(&self, by: By<'_>, to: &TaskDefinitionArn) -> Result<Stored, Error> {
        let image = &self.input.image;
        let stored = look_up(self.ecr, to.region(), image, by).await?;
        let (why, what_to_do) = match &stored {
            Stored::Gone => ("gone from ECR (a lifecycle policy?)", "push a good image".to_owned()),
            Stored::Archived => (
                "archived, and no task can pull it",
                format!(
                    "{} and redrive this execution, or push a good image",
                    restore(image, by)
                ),
            ),
            Stored::Restoring => (
                "being restored from the archive, and no task can pull it yet",
                format!("{RESTORED_SOON}, or push a good image"),
            ),
            Stored::Untold(message) => {
                tracing::warn!("going back without asking ECR for the old image: {message}");
                return Ok(stored);
            }
            Stored::Tagged(_) => return Ok(stored),
        };
        Err(Error::Rejected(format!(
            "{} cannot go back to {}: its image {}{by} is {why}. Nothing was touched; {what_to_do}",
            self.mover.title(),
            to.short(),
            image.repository,
        )))
    }

    /// True if ECS, told to stop the rollout, would bring back the old contents of a revision: also where its tag was pushed
    /// over. ECS moves no service to a revision that was deregistered.
    pub(crate) fn comes_back(&self, old: &OldImage, reading: &Reading) -> bool {
        let keeps = match old {
            OldImage::Overwritten(previous, _) => {
                let resolved = recorded_digests(reading.facts.history.as_deref(), previous.arn());
                keeps_old_contents(previous, &self.input.image, &resolved)
            }
            OldImage::InPlace(_) | OldImage::Lost(_) => true,
        };
        old.revision().is_active() && keeps
    }

    /// The copy that was registered for this rollback, if it was, and still serves.
    pub(crate) async fn registered(
        &self,
        previous: &TaskDefinition,
        digest: Option<&ImageDigest>,
    ) -> Result<Option<TaskDefinitionArn>, Error> {
        let Some(registered) = &self.input.registered else {
            return Ok(None);
        };
        let failed = &self.input.rollout.task_definition;
        let found = self.mover.ecs.find_task_definition(registered.as_str()).await?;
        let serves = found.is_some_and(|found| serves(&found, previous.arn(), digest, &self.input.image, failed));
        Ok(serves.then(|| registered.clone()))
    }
}
