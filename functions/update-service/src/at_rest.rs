//! Tells a service at rest from one that moves, and finds its last good revision.

use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus};

/// True if one read tells everything: there is one deployment, and ECS says that it is complete. Otherwise ECS's records are worth
/// a call: if ECS tells no rollout state, tasks that all run may be those of a rollback, or of a rollout that never completes.
#[must_use]
pub(crate) fn tells_everything(service: &Service) -> bool {
    is_steady(service) && service.primary().is_some_and(|only| only.rollout_state.is_some())
}

/// True if a service is at rest, as far as one read tells: one deployment is complete, and ECS wants no task of any other, which
/// may still drain (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentEarlySuccessCriteria.html>).
#[must_use]
pub(crate) fn is_steady(service: &Service) -> bool {
    let Some(primary) = service.primary() else {
        return false;
    };
    let only_drains = |other: &Deployment| {
        other.rollout_state == Some(RolloutState::Completed) && other.desired_count == 0 && primary.desired_count > 0
    };
    let mut deployments = service.deployments.iter();
    is_complete(service, primary) && deployments.all(|it| it.is_primary || only_drains(it))
}

/// True if a deployment is over and went well. If ECS tells no rollout state, all its tasks must run, and at least one if the
/// service is to run any: a deployment that drains has none left.
fn is_complete(service: &Service, deployment: &Deployment) -> bool {
    if let Some(state) = deployment.rollout_state {
        return state == RolloutState::Completed;
    }
    let needed = deployment.desired_count.max(service.desired_count.min(1));
    deployment.running_count >= needed && deployment.pending_count == 0
}

/// The last good revision: that of the newest deployment that completed, other than one of `ours`, of the first of these `reads`
/// that lists one; where none does, by the records ([`ecr_deploy::domain::service::last_good`]). A deployment of a read that
/// `only_drains` counts like one that completed ([`Service::only_drains`]).
///
/// A deployment without a rollout state counts before the records only if its own record does not say otherwise: no revision is
/// good because its tasks run for a moment. `None` when nothing ever completed.
#[must_use]
pub(crate) fn last_good(
    reads: &[&Service],
    ours: &TaskDefinitionArn,
    history: Option<&[ServiceDeployment]>,
    only_drains: impl Fn(&Service) -> bool,
) -> Option<TaskDefinitionArn> {
    // Deployments keep their ids from read to read.
    let drains: Option<&Deployment> = reads
        .iter()
        .find(|service| only_drains(service))
        .and_then(|it| it.primary());
    let is_over = |service: &Service, deployment: &Deployment| {
        is_complete(service, deployment) || drains.is_some_and(|drains| drains.id == deployment.id)
    };
    let is_told_otherwise = |deployment: &Deployment| {
        let mut records = history.into_iter().flatten();
        let record = records.find(|record| record.target == deployment.task_definition);
        deployment.rollout_state.is_none()
            && record.is_some_and(|record| record.status != ServiceDeploymentStatus::Successful)
    };
    let listed = |counts: &dyn Fn(&Deployment) -> bool| {
        reads.iter().find_map(|service| {
            let good = service.deployments.iter().filter(|deployment| {
                deployment.task_definition != *ours && is_over(service, deployment) && counts(deployment)
            });
            let newest = good.max_by_key(|deployment| deployment.created_at)?;
            Some(&newest.task_definition)
        })
    };
    listed(&|deployment| !is_told_otherwise(deployment))
        .or_else(|| ecr_deploy::domain::service::last_good(history?, ours))
        .or_else(|| listed(&|_| true))
        .cloned()
}

#[cfg(test)]
pub(crate) mod tests;
