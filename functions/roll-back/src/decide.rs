//! Where a service goes back to, and how.

use ecr_deploy::contract::Rollout;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{self, Deployment, Service, ServiceDeployment, ServiceDeploymentStatus};
use ecr_deploy::domain::task_definition::{OtherRevision, Standing};

/// How to go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Tell ECS to stop this service deployment and to go back; the service ends on `to`.
    Stop {
        /// The service deployment's ARN.
        service_deployment: String,
        /// The revision it ends on.
        to: TaskDefinitionArn,
    },
    /// Update the service to this revision.
    Update(TaskDefinitionArn),
    /// It goes back to this revision by itself, or is there.
    Watch(TaskDefinitionArn),
    /// A newer push, of this revision, is there and is not touched.
    Superseded(TaskDefinitionArn),
    /// Another deployment, of this revision, is there and is not touched.
    Displaced(TaskDefinitionArn),
    /// There is nothing good to go back to.
    Nowhere,
}

/// The revision that `service` is on, or is moving to.
///
/// ECS may show a service as it was some seconds ago. Where it shows the revision that `failed`, but ECS's records (`history`,
/// newest first, listed after it) have a later rollout of another one, that one counts; after a later rollout that was rolled
/// back, the service may be on the failed revision again. Where it shows a deployment from before the failed one, whose rollout
/// still goes on by the newest record, the failed one counts, unless ECS says that it is a rollback.
#[must_use]
pub fn on<'a>(
    service: &'a Service,
    history: Option<&'a [ServiceDeployment]>,
    failed: &Rollout,
) -> Option<&'a TaskDefinitionArn> {
    use ServiceDeploymentStatus::{Stopped, Successful, UnderWay};
    let primary = service.primary()?;
    let shown = &primary.task_definition;
    let is_later = |newest: &ServiceDeployment| {
        newest.created_at > failed.started_at && matches!(newest.status, UnderWay | Successful | Stopped)
    };
    let goes_on = |newest: &ServiceDeployment| {
        newest.target == failed.task_definition
            && newest.status == UnderWay
            && primary.created_at < failed.started_at
            && !primary.says_rollback()
    };
    match history.and_then(<[_]>::first) {
        Some(newest) if *shown == failed.task_definition && is_later(newest) => Some(&newest.target),
        Some(newest) if goes_on(newest) => Some(&newest.target),
        _ => Some(shown),
    }
}

/// The facts, beside the read of the service, that the decision stands on.
#[derive(Debug, Default)]
pub struct Facts {
    /// Where ECS goes back to, told to or by itself.
    pub last_good: Option<TaskDefinitionArn>,
    /// Where to go back to: the last good revision, or one before it when that has the image that failed.
    pub previous: Option<TaskDefinitionArn>,
    /// The facts about the revision that the service is [`on`]; `None` when that is the failed one.
    pub primary: Option<OtherRevision>,
    /// ECS's records of the service's rollouts, newest first, where ECS tells them.
    pub history: Option<Vec<ServiceDeployment>>,
}

/// Decides how a service goes back from a rollout that `failed`. `may_stop` says whether `StopServiceDeployment` is still worth
/// trying.
#[must_use]
pub fn decide(service: &Service, failed: &Rollout, facts: &Facts, may_stop: bool) -> Way {
    use ServiceDeploymentStatus::{RolledBack, RollingBack, UnderWay};
    let history = facts.history.as_deref();
    let previous = facts.previous.as_ref();
    if let (Some(on), Some(primary)) = (on(service, history, failed), facts.primary) {
        let deployment = service.primary().filter(|deployment| deployment.task_definition == *on);
        let says_rollback = deployment.is_some_and(Deployment::says_rollback);
        let is_back = previous == Some(on) || primary.rolls_ours_back || says_rollback;
        if is_back {
            return Way::Watch(on.clone());
        }
        match primary.standing {
            Standing::Newer => return Way::Superseded(on.clone()),
            Standing::Older | Standing::Unrecorded => return Way::Displaced(on.clone()),
            Standing::Ours => {}
        }
    }
    let Some(previous) = previous else { return Way::Nowhere };
    let last_good = facts.last_good.as_ref();
    let mut records = history.into_iter().flatten();
    let ours = records.find(|record| record.target == failed.task_definition);
    match ours.map(|record| (record.status, &record.arn)) {
        Some((RollingBack | RolledBack, _)) => Way::Watch(last_good.unwrap_or(previous).clone()),
        Some((UnderWay, arn)) if may_stop && last_good == Some(previous) => Way::Stop {
            service_deployment: arn.clone(),
            to: previous.clone(),
        },
        _ => Way::Update(previous.clone()),
    }
}

/// The revisions that were good before the `failed` one, newest first: by ECS's records as they are now, since a rollout may
/// have become successful after the read that the update stood on; and the one that was known at the update, at the place of its
/// own record. ECS may not have completed that one, if only old tasks were left to drain.
#[must_use]
pub fn good_before(
    history: Option<&[ServiceDeployment]>,
    failed: &TaskDefinitionArn,
    previous: Option<&TaskDefinitionArn>,
) -> Vec<TaskDefinitionArn> {
    use ServiceDeploymentStatus::{Stopped, Successful, UnderWay};
    let is_good = |record: &&ServiceDeployment| match record.status {
        Successful => record.target != *failed,
        UnderWay | Stopped => Some(&record.target) == previous,
        _ => false,
    };
    let recorded = before(history, failed)
        .iter()
        .filter(is_good)
        .map(|record| &record.target);
    let mut good: Vec<TaskDefinitionArn> = Vec::new();
    for revision in recorded.chain(previous) {
        if !good.contains(revision) {
            good.push(revision.clone());
        }
    }
    good
}

/// The revision to which ECS itself goes back from the `failed` one: by its records; if they tell of none, the first of the `good` ones.
#[must_use]
pub fn ecs_goes_to<'a>(
    history: Option<&'a [ServiceDeployment]>,
    failed: &TaskDefinitionArn,
    good: &'a [TaskDefinitionArn],
) -> Option<&'a TaskDefinitionArn> {
    service::last_good(before(history, failed), failed).or_else(|| good.first())
}

/// The records from the newest one of the `failed` revision on.
fn before<'a>(history: Option<&'a [ServiceDeployment]>, failed: &TaskDefinitionArn) -> &'a [ServiceDeployment] {
    let history = history.unwrap_or_default();
    let of_failed = history.iter().position(|record| record.target == *failed);
    of_failed.map(|of_failed| &history[of_failed..]).unwrap_or_default()
}

#[cfg(test)]
mod tests;
