//! Does what was decided, and tells what came of it.

use crate::decide::Way;
use crate::old_image::OldImage;
use crate::outcome::{COPIED, PINNED, STOPPED, UPDATED, WATCHING};
use crate::read::Reading;
use crate::{Attempt, Back};
use ecr_deploy::change::mover::{Interrupted, Sent};
use ecr_deploy::contract::{RollBackOutput, Rollout, WatchedRollback};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{Service, ServiceDeployment};
use ecr_deploy::domain::task_definition::{OtherRevision, Standing};
use ecr_deploy::error::Error;

impl Attempt<'_> {
    /// Goes back, or says why not. `sent` is the last update whose answer is lost, and then this one.
    ///
    /// ECS is told to stop the rollout where that is possible. That may be done on any read, since it names the rollout.
    pub(crate) async fn act(
        &self,
        mut reading: Reading,
        sent: &mut Option<Sent<Back>>,
    ) -> Result<RollBackOutput, Interrupted> {
        if let Way::Stop { service_deployment, to } = self.decide(&reading, true) {
            let old = self.old_image(&to, &reading).await?;
            if self.comes_back(&old, &reading) {
                match self.mover.ecs.stop_service_deployment(&service_deployment).await {
                    Ok(()) => {
                        let watched = WatchedRollback {
                            rollout: self.rollout(&to, None),
                            has_image: old.revision().is_of_push(&self.input.image),
                            image_failed: reading.image_failed,
                            from: self.later_revision(&reading, &to),
                        };
                        return Ok(self.watched(STOPPED, watched));
                    }
                    // It ended between the read and the call: the service is read again, and goes the other way.
                    Err(Error::NotFound(message) | Error::Rejected(message)) => {
                        tracing::warn!("the deployment could not be stopped: {message}");
                        reading = self.read().await?;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        match self.decide(&reading, false) {
            Way::Update(to) | Way::Stop { to, .. } => self.update(&to, reading, sent).await,
            Way::Watch(to) => match sent.as_mut().filter(|sent| sent.revision == to) {
                Some(sent) => {
                    let records = reading.facts.history.as_deref();
                    Ok(self.updated(sent, &reading.read.service, records).await?)
                }
                None => Ok(self.goes_back_by_itself(&to, &reading).await?),
            },
            Way::Superseded(by) => Ok(self.superseded(&by)),
            Way::Displaced(by) => Ok(self.displaced(&by)),
            Way::Nowhere => Err(self.nowhere().into()),
        }
    }

    async fn update(
        &self,
        to: &TaskDefinitionArn,
        reading: Reading,
        sent: &mut Option<Sent<Back>>,
    ) -> Result<RollBackOutput, Interrupted> {
        let old = self.old_image(to, &reading).await?;
        let previous = old.revision();
        let (is_copied, digest, means) = match &old {
            OldImage::InPlace(previous) if previous.is_active() => (false, None, UPDATED),
            OldImage::InPlace(_) => (true, None, COPIED),
            OldImage::Overwritten(_, digest) => (true, Some(digest), PINNED),
            OldImage::Lost(_) => return Err(self.lost(to).into()),
        };
        let target = if is_copied {
            self.registered(previous, digest).await?
        } else {
            Some(to.clone())
        };
        // Also before a revision is registered that nobody would use.
        let records = reading.facts.history.as_deref();
        if self.mover.moved_since(&reading.read, records).await?.is_some() {
            return Err(Interrupted::Moved(self.has_moved()));
        }
        let Some(target) = target else {
            return Ok(self.registration_needed(previous, digest.cloned()));
        };
        let back = Back {
            means,
            has_image: previous.is_of_push(&self.input.image),
            image_failed: reading.image_failed,
            from: self.later_revision(&reading, to),
            good: reading.facts.last_good.iter().chain([to]).cloned().collect(),
        };
        let (sent, answer) = self.mover.send(sent, reading.read, target, false, back).await;
        Ok(self.updated(sent, &answer?, None).await?)
    }

    /// The update has taken effect, as `after` shows, and ECS's records where `after` is a later read. A deployment that the
    /// read did not show is newer than the failed one: it is put back, and that is all.
    async fn updated(
        &self,
        sent: &mut Sent<Back>,
        after: &Service,
        records: Option<&[ServiceDeployment]>,
    ) -> Result<RollBackOutput, Error> {
        let replaced = sent.lost_update(after, records).map(|it| it.revision.clone());
        match replaced.filter(|replaced| !sent.decision.good.contains(replaced)) {
            Some(replaced) if let Some(given_way) = self.give_way(&replaced).await? => Ok(given_way),
            _ => Ok(self.begun(after, sent)),
        }
    }

    /// Puts back the deployment that the update has replaced. Returns `None` if that is of the push that failed, or is a
    /// rollback itself.
    async fn give_way(&self, to: &TaskDefinitionArn) -> Result<Option<RollBackOutput>, Error> {
        let failed = &self.input.rollout.task_definition;
        let revision = self.mover.ecs.describe_task_definition(to.as_str()).await?;
        let OtherRevision {
            standing,
            rolls_ours_back,
        } = revision.beside(failed, &self.input.image, self.now);
        if standing == Standing::Ours || rolls_ours_back || !revision.is_active() {
            return Ok(None);
        }
        self.mover.put_back(to).await?;
        Ok(Some(self.given_way(to, standing)))
    }

    /// Nothing is to be done but to watch.
    async fn goes_back_by_itself(&self, to: &TaskDefinitionArn, reading: &Reading) -> Result<RollBackOutput, Error> {
        let deployment = reading.read.service.deployment_of(to);
        let failed_since = self.input.rollout.started_at;
        // By ECS's clock, as that of an update. A deployment from before the failed one is not the rollback's own: ECS is about to
        // begin that.
        let own = deployment.filter(|deployment| deployment.created_at > failed_since);
        let watched = WatchedRollback {
            rollout: Rollout {
                started_at: own.map_or(self.now, |own| own.created_at),
                ..self.rollout(to, deployment)
            },
            // Not by the deployment that the service shows: ECS may be about to go there.
            has_image: self.has_image(to).await?,
            image_failed: reading.image_failed,
            from: None,
        };
        Ok(self.watched(WATCHING, watched))
    }
}
