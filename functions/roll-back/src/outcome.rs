//! The outcomes of the step, with their messages.

use crate::read::Reading;
use crate::{Attempt, Back};
use ecr_deploy::change::mover::Sent;
use ecr_deploy::contract::{Rollback, RollbackCopy, RollbackMethod, RollbackRevision, Rollout};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::image::ImageDigest;
use ecr_deploy::domain::service::Service;
use ecr_deploy::domain::task_definition::{Standing, TaskDefinition};
use ecr_deploy::error::Error;

/// There is no service to take back.
pub(crate) fn deleted(message: String) -> Rollback {
    Rollback {
        method: RollbackMethod::ServiceDeleted,
        rollout: None,
        register: None,
        has_image: false,
        image_failed: false,
        message,
        wait: 0,
    }
}

impl Attempt<'_> {
    /// The update back has begun a rollout, as `after` shows.
    pub(crate) fn begun(&self, after: &Service, sent: &Sent<Back>) -> Rollback {
        let deployment = after.deployment_of(&sent.revision);
        let id = deployment.map(|deployment| deployment.id.clone());
        let Back {
            method,
            has_image,
            image_failed,
            ..
        } = sent.decision;
        let rollback = self.watched(method, &sent.revision, id);
        // By ECS's clock, where it tells: what is compared with it is ECS's too.
        let started_at = deployment.map_or(self.now, |deployment| deployment.created_at);
        let rollout = rollback.rollout.map(|rollout| Rollout { started_at, ..rollout });
        Rollback {
            rollout,
            has_image,
            image_failed,
            ..rollback
        }
    }

    pub(crate) fn watched(
        &self,
        method: RollbackMethod,
        to: &TaskDefinitionArn,
        deployment: Option<String>,
    ) -> Rollback {
        let how = match method {
            RollbackMethod::StoppedDeployment => "ECS was told to go back to",
            RollbackMethod::UpdatedService => "updated back to",
            RollbackMethod::PinnedRevision => "updated back, by its old digest, to",
            RollbackMethod::CopiedRevision => "updated back, by a copy of its deregistered revision, to",
            RollbackMethod::Watching
            | RollbackMethod::Superseded
            | RollbackMethod::Displaced
            | RollbackMethod::RegistrationNeeded
            | RollbackMethod::ServiceDeleted => "goes back by itself to",
        };
        let Self {
            mover, now, deadline, ..
        } = self;
        Rollback {
            method,
            wait: 0,
            has_image: false,
            image_failed: false,
            register: None,
            message: format!("{}: {how} {}", mover.title(), to.short()),
            rollout: Some(Rollout {
                cluster: mover.cluster.clone(),
                service: mover.service.clone(),
                task_definition: to.clone(),
                deployment,
                started_at: *now,
                watched_since: *now,
                deadline: *deadline,
            }),
        }
    }

    pub(crate) fn superseded(&self, by: &TaskDefinitionArn) -> Rollback {
        let what = format!("is on {}, of a newer push, which is not touched", by.short());
        self.left(RollbackMethod::Superseded, &what)
    }

    pub(crate) fn displaced(&self, by: &TaskDefinitionArn) -> Rollback {
        let what = format!("is on {} by another deployment, which is not touched", by.short());
        self.left(RollbackMethod::Displaced, &what)
    }

    /// The service is put back on the deployment that the update has replaced.
    pub(crate) fn given_way(&self, to: &TaskDefinitionArn, standing: Standing) -> Rollback {
        let (method, of) = match standing {
            Standing::Newer => (RollbackMethod::Superseded, ", of a newer push,"),
            _ => (RollbackMethod::Displaced, ""),
        };
        let to = to.short();
        self.left(
            method,
            &format!("was moved to {to}{of} at the same moment, and is put back there"),
        )
    }

    /// Nothing is touched before a copy of `previous` is registered.
    pub(crate) fn registration_needed(
        &self,
        reading: &Reading,
        previous: &TaskDefinition,
        digest: Option<ImageDigest>,
    ) -> Rollback {
        let of = previous.arn().short();
        let what = match &digest {
            Some(digest) => {
                format!("goes back to a copy of {of}, pinned to its old digest {digest}, which is registered first")
            }
            None => format!("goes back to a copy of {of}, which was deregistered: the copy is registered first"),
        };
        let rolls_back = self.input.rollout.task_definition.clone();
        Rollback {
            has_image: previous.is_of_push(&self.input.image),
            image_failed: reading.image_failed,
            register: Some(RollbackRevision {
                task_definition: previous.arn().name(),
                rollback: RollbackCopy { digest, rolls_back },
            }),
            ..self.left(RollbackMethod::RegistrationNeeded, &what)
        }
    }

    /// There is no rollback to be watched.
    fn left(&self, method: RollbackMethod, what: &str) -> Rollback {
        Rollback {
            method,
            ..deleted(format!("{} {what}", self.mover.title()))
        }
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
            "{} has moved while its way back was made ready",
            self.mover.title()
        ))
    }
}
