//! The outcomes of the step, with their messages.

use crate::read::Reading;
use crate::{Attempt, Back};
use ecr_deploy::change::mover::Sent;
use ecr_deploy::contract::{RollBackOutput, RollbackCopy, RollbackMethod, RollbackRevision, Rollout, WatchedRollback};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::image::ImageDigest;
use ecr_deploy::domain::service::{Deployment, Service};
use ecr_deploy::domain::task_definition::{Standing, TaskDefinition};
use ecr_deploy::error::Error;

/// How a rollback that is to be watched has begun, and how that is told.
pub(crate) type Means = (fn(WatchedRollback) -> RollbackMethod, &'static str);

pub(crate) const STOPPED: Means = (RollbackMethod::StoppedDeployment, "ECS was told to go back to");
pub(crate) const UPDATED: Means = (RollbackMethod::UpdatedService, "updated back to");
pub(crate) const PINNED: Means = (RollbackMethod::PinnedRevision, "updated back, by its old digest, to");
pub(crate) const COPIED: Means = (
    RollbackMethod::CopiedRevision,
    "updated back, by a copy of its deregistered revision, to",
);
pub(crate) const WATCHING: Means = (RollbackMethod::Watching, "goes back by itself to");

fn output(method: RollbackMethod, message: String) -> RollBackOutput {
    RollBackOutput {
        method,
        message,
        wait: 0,
    }
}

/// There is no service to take back.
pub(crate) fn deleted(message: String) -> RollBackOutput {
    output(RollbackMethod::ServiceDeleted {}, message)
}

impl Attempt<'_> {
    /// The update back has begun a rollout, as `after` shows.
    pub(crate) fn begun(&self, after: &Service, sent: &Sent<Back>) -> RollBackOutput {
        let back = &sent.decision;
        let deployment = after.deployment_of(&sent.revision);
        let watched = WatchedRollback {
            rollout: self.rollout(&sent.revision, deployment),
            has_image: back.has_image,
            image_failed: back.image_failed,
            from: back.from.clone(),
        };
        self.watched(back.means, watched)
    }

    pub(crate) fn watched(&self, (method, says): Means, watched: WatchedRollback) -> RollBackOutput {
        let to = watched.rollout.task_definition.short();
        let message = format!("{}: {says} {to}", self.mover.title());
        output(method(watched), message)
    }

    /// The revision that the service leaves, where another push has moved it on from the one that failed.
    pub(crate) fn later_revision(&self, reading: &Reading, to: &TaskDefinitionArn) -> Option<TaskDefinitionArn> {
        let on = &reading.read.service.primary()?.task_definition;
        (*on != self.input.rollout.task_definition && on != to).then(|| on.clone())
    }

    /// A rollout to `to` that began with `deployment`, or that begins now.
    pub(crate) fn rollout(&self, to: &TaskDefinitionArn, deployment: Option<&Deployment>) -> Rollout {
        Rollout {
            cluster: self.mover.cluster.clone(),
            service: self.mover.service.clone(),
            task_definition: to.clone(),
            deployment: deployment.map(|deployment| deployment.id.clone()),
            // By ECS's clock, where it tells: it is compared with other times of ECS.
            started_at: deployment.map_or(self.now, |deployment| deployment.created_at),
            watched_since: self.now,
            deadline: self.deadline,
        }
    }

    pub(crate) fn superseded(&self, by: &TaskDefinitionArn) -> RollBackOutput {
        let what = format!("is on {}, of a newer push, which is not touched", by.short());
        self.left(RollbackMethod::Superseded {}, &what)
    }

    pub(crate) fn displaced(&self, by: &TaskDefinitionArn) -> RollBackOutput {
        let what = format!("is on {} by another deployment, which is not touched", by.short());
        self.left(RollbackMethod::Displaced {}, &what)
    }

    /// The service is put back on the deployment that the update has replaced.
    pub(crate) fn given_way(&self, to: &TaskDefinitionArn, standing: Standing) -> RollBackOutput {
        let (method, of) = match standing {
            Standing::Newer => (RollbackMethod::Superseded {}, ", of a newer push,"),
            _ => (RollbackMethod::Displaced {}, ""),
        };
        let to = to.short();
        self.left(
            method,
            &format!("was moved to {to}{of} at the same moment, and is put back there"),
        )
    }

    /// Nothing is touched before a copy of `previous` is registered.
    pub(crate) fn registration_needed(&self, previous: &TaskDefinition, digest: Option<ImageDigest>) -> RollBackOutput {
        let of = previous.arn().short();
        let what = match &digest {
            Some(digest) => {
                format!("goes back to a copy of {of}, pinned to its old digest {digest}, which is registered first")
            }
            None => format!("goes back to a copy of {of}, which was deregistered: the copy is registered first"),
        };
        let rolls_back = self.input.rollout.task_definition.clone();
        let register = RollbackRevision {
            task_definition: previous.arn().name(),
            rollback: RollbackCopy { digest, rolls_back },
        };
        self.left(RollbackMethod::RegistrationNeeded { register }, &what)
    }

    /// There is no rollback to be watched.
    fn left(&self, method: RollbackMethod, what: &str) -> RollBackOutput {
        output(method, format!("{} {what}", self.mover.title()))
    }

    pub(crate) fn nowhere(&self) -> Error {
        Error::Rejected(format!(
            "{} has no revision that ever became stable, so there is nothing to go back to; it stays on {}. Fix the image and push again",
            self.mover.title(),
            self.input.rollout.task_definition.short()
        ))
    }

    pub(crate) fn lost(&self, to: &TaskDefinitionArn) -> Error {
        Error::Rejected(format!(
            "{} cannot go back to {}: nothing tells which digest its tag {} stood for, and that is the failed image now. Nothing was touched; push a good image",
            self.mover.title(),
            to.short(),
            self.input.image.tag
        ))
    }

    pub(crate) fn has_moved(&self) -> Error {
        Error::Unavailable(format!(
            "{} got another deployment while its rollback was prepared",
            self.mover.title()
        ))
    }
}
