//! Reads what the decision needs of a service.

use crate::Attempt;
use crate::decide::{Facts, Way, decide, ecs_goes_to, good_before, on};
use ecr_deploy::change::mover::Read;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::Service;
use ecr_deploy::error::Error;

/// A service, and what else was read for the decision.
pub(crate) struct Reading {
    pub(crate) read: Read,
    /// The facts that were read beside the service.
    pub(crate) facts: Facts,
    /// True if a container of the pushed image crashed.
    pub(crate) image_failed: bool,
}

/// The revision that an operator wants is of the family that the service runs. So nobody who starts an execution by hand can move
/// a service to another family's revision, and to its roles.
fn of_one_family(service: &Service, to: Option<&TaskDefinitionArn>) -> Result<(), Error> {
    match (service.primary(), to) {
        (Some(on), Some(to)) if on.task_definition.family() != to.family() => Err(Error::InvalidInput(format!(
            "{} runs {}, and {} is of another family. It is left as it is",
            service.title(),
            on.task_definition.short(),
            to.short()
        ))),
        _ => Ok(()),
    }
}

impl Attempt<'_> {
    pub(crate) async fn read(&self) -> Result<Reading, Error> {
        let Self { mover, input, .. } = self;
        let failed = &input.rollout;
        let read = mover.read().await?;
        of_one_family(&read.service, input.to.as_ref())?;
        let history = mover
            .ecs
            .service_deployments(&mover.cluster, &mover.service, None)
            .await?;
        let on = on(&read.service, history.as_deref(), failed);
        let primary = match on.filter(|on| **on != failed.task_definition) {
            Some(on) => {
                let revision = mover.ecs.describe_task_definition(on.as_str()).await?;
                Some(revision.beside(&failed.task_definition, &input.image, self.now))
            }
            None => None,
        };
        let good = good_before(history.as_deref(), &failed.task_definition, input.previous.as_ref());
        let image_failed = self.image_failed().await?;
        let without_image = if image_failed {
            self.first_without_image(&good).await?
        } else {
            None
        };
        let last_good = ecs_goes_to(history.as_deref(), &failed.task_definition, &good).cloned();
        let newest_good = good.into_iter().next();
        let facts = Facts {
            last_good,
            previous: input.to.clone().or(without_image).or(newest_good),
            primary,
            history,
        };
        Ok(Reading {
            read,
            facts,
            image_failed,
        })
    }

    /// Decides by one reading. `may_stop` says whether `StopServiceDeployment` is still worth trying.
    pub(crate) fn decide(&self, reading: &Reading, may_stop: bool) -> Way {
        decide(&reading.read.service, &self.input.rollout, &reading.facts, may_stop)
    }

    /// True if `revision` was registered for the push.
    pub(crate) async fn has_image(&self, revision: &TaskDefinitionArn) -> Result<bool, Error> {
        let read = self.mover.ecs.outline_of(revision).await?;
        Ok(read.is_some_and(|read| read.is_of_push(&self.input.image)))
    }

    async fn image_failed(&self) -> Result<bool, Error> {
        let input = self.input;
        let failed = input.check.as_ref().map_or(&[][..], |check| &check.failed_containers);
        if failed.is_empty() {
            return Ok(false);
        }
        let revision = self.mover.ecs.outline_of(&input.rollout.task_definition).await?;
        let of_image = revision.map_or_else(Vec::new, |revision| revision.containers_of(&input.image));
        Ok(failed.iter().any(|container| of_image.contains(container)))
    }

    /// The first revision of `good` that was not registered for the push: a rollout with the image may have been successful
    /// before its tasks crashed.
    async fn first_without_image(&self, good: &[TaskDefinitionArn]) -> Result<Option<TaskDefinitionArn>, Error> {
        for revision in good {
            if !self.has_image(revision).await? {
                return Ok(Some(revision.clone()));
            }
        }
        Ok(None)
    }
}
