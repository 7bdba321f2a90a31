//! The outcomes of the step, with their messages.

use crate::Attempt;
use crate::at_rest::{is_steady, last_good};
use crate::read::Reading;
use ecr_deploy::contract::{Rollout, UpdateOutcome, UpdateOutput, WatchedUpdate};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{Service, ServiceTags};
use ecr_deploy::error::Error;
use jiff::{SignedDuration, Timestamp};

/// There is no service to move.
pub(crate) fn deleted(now: Timestamp, message: String) -> UpdateOutput {
    UpdateOutput {
        outcome: UpdateOutcome::ServiceDeleted {},
        deadline: now,
        wait: 0,
        message,
    }
}

impl Attempt<'_> {
    /// A rollout to `revision` has begun, as `after` shows.
    pub(crate) fn rollout_begun(
        &self,
        after: &Service,
        revision: &TaskDefinitionArn,
        previous: Option<TaskDefinitionArn>,
    ) -> UpdateOutput {
        let message = match &previous {
            Some(previous) => format!("from {} to {}", previous.short(), revision.short()),
            None => format!("to {}; nothing good is known to go back to", revision.short()),
        };
        let rollout = self.rollout(after, revision);
        let watched = WatchedUpdate { rollout, previous };
        self.outcome(UpdateOutcome::Started(watched), &message)
    }

    pub(crate) fn already_deployed(&self, reading: &Reading, revision: &TaskDefinitionArn) -> UpdateOutput {
        let service = &reading.read.service;
        let mut rollout = self.rollout(service, revision);
        // Another execution is watching it, and this one is to see the same. But if its rollout is over, maybe for
        // days, or if an operator wants it again, tasks that crashed until now are no reason to go back.
        if !is_steady(service) && !self.only_drains(service) && self.input.wanted_since.is_none() {
            rollout.watched_since = rollout.started_at;
        }
        let only_drains = |service: &Service| self.only_drains(service);
        let previous = last_good(&[service], revision, reading.facts.history.as_deref(), only_drains);
        let outcome = UpdateOutcome::AlreadyDeployed(WatchedUpdate { rollout, previous });
        self.outcome(outcome, &format!("is on {} already", revision.short()))
    }

    /// True if the rollout that a read shows had all its time, and only old tasks that drain are left of it.
    pub(crate) fn only_drains(&self, service: &Service) -> bool {
        service.only_drains(self.now, self.input.settings.rollout_timeout)
    }

    pub(crate) fn superseded(&self, by: &TaskDefinitionArn) -> UpdateOutput {
        let what = format!("is on {}, of a newer push", by.short());
        self.outcome(UpdateOutcome::Superseded {}, &what)
    }

    pub(crate) fn on_hold(&self, text: &str) -> UpdateOutput {
        let what = format!(
            "stays as it is: its tag {} was set after the plan was made: {text:?}",
            ServiceTags::HOLD
        );
        self.outcome(UpdateOutcome::OnHold {}, &what)
    }

    pub(crate) fn taken_on(&self, to: &TaskDefinitionArn) -> UpdateOutput {
        let what = format!(
            "was on this push before, and another deployment has taken it to {}",
            to.short()
        );
        self.outcome(UpdateOutcome::Superseded {}, &what)
    }

    pub(crate) fn rolled_back(&self, to: &TaskDefinitionArn, why: Option<&str>) -> Error {
        let why = why.map(|why| format!(" ({why})"));
        Error::RolledBack(format!(
            "{} was on {} before, for this push. That rollout did not become stable{}. The service is on {} now",
            self.mover.title(),
            self.input.task_definition.short(),
            why.unwrap_or_default(),
            to.short()
        ))
    }

    /// The service is read again later.
    pub(crate) fn rolling_back(&self, what: &str) -> Result<UpdateOutput, Error> {
        Ok(UpdateOutput {
            deadline: self.wait_until(what)?,
            ..self.outcome(UpdateOutcome::RollingBack {}, what)
        })
    }

    /// The service gets a revision that is made from `source`.
    pub(crate) fn rebase(&self, source: TaskDefinitionArn, what: &str) -> Result<UpdateOutput, Error> {
        Ok(UpdateOutput {
            deadline: self.wait_until(what)?,
            ..self.outcome(UpdateOutcome::Rebase { source }, what)
        })
    }

    /// Until when the service may be asked for again.
    fn wait_until(&self, what: &str) -> Result<Timestamp, Error> {
        let deadline = self.input.deadline.unwrap_or(self.deadline);
        if self.now <= deadline {
            return Ok(deadline);
        }
        Err(Error::Rejected(format!(
            "{} {what}, and could not be updated until {deadline}; find out why the service does not come to rest, then redrive this execution",
            self.mover.title()
        )))
    }

    fn rollout(&self, service: &Service, revision: &TaskDefinitionArn) -> Rollout {
        let deployment = service.deployment_of(revision);
        // A rollout has all of its time, also where ECS took long to answer the update that began it; and so have the reads that
        // may still show the service as it was before.
        let late = deployment.map_or(SignedDuration::ZERO, |it| it.created_at.duration_since(self.now));
        let late = late.max(SignedDuration::ZERO);
        let time = service.rollout_time(self.input.settings.rollout_timeout);
        let deadline = self.now.saturating_add(time.saturating_add(late));
        Rollout {
            cluster: self.mover.cluster.clone(),
            service: self.mover.service.clone(),
            task_definition: revision.clone(),
            deployment: deployment.map(|deployment| deployment.id.clone()),
            started_at: deployment.map_or(self.now, |deployment| deployment.created_at),
            watched_since: self.now.saturating_add(late).unwrap_or(Timestamp::MAX),
            deadline: deadline.unwrap_or(Timestamp::MAX),
        }
    }

    fn outcome(&self, outcome: UpdateOutcome, what: &str) -> UpdateOutput {
        UpdateOutput {
            outcome,
            deadline: self.deadline,
            wait: 0,
            message: format!("{} {what}", self.mover.title()),
        }
    }
}
