//! Recognizes a rollback that is under way, and one that has no hope.

use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{
    CrashThreshold, Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, StoppedTask,
};
use jiff::{SignedDuration, Timestamp};

/// True if the service is rolling back. A deployment begun now would have no rollback target and could stall
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>).
///
/// ECS's own rollback shows in its records, or in the reason of the primary deployment; one by `UpdateService` shows as a
/// rollout under way to an earlier revision than one that is listed beside it, if that `may_be_left`, or to one made for a
/// rollback.
pub(crate) fn is_rolling_back(
    service: &Service,
    primary: &Deployment,
    rolls_back: bool,
    history: Option<&[ServiceDeployment]>,
    may_be_left: impl Fn(&TaskDefinitionArn) -> bool,
) -> bool {
    let newest = history.and_then(<[_]>::first);
    let is_recorded = |status| newest.is_some_and(|newest| newest.status == status);
    if is_recorded(ServiceDeploymentStatus::RollingBack) {
        return true;
    }
    // Where ECS tells no state, a deployment that is alone may have to settle still.
    let is_under_way = match primary.rollout_state {
        Some(state) => state == RolloutState::InProgress,
        None => service.deployments.len() > 1 || is_recorded(ServiceDeploymentStatus::UnderWay),
    };
    if !is_under_way {
        return false;
    }
    // Also from one that ECS calls complete: its tasks may have crashed since.
    let goes_to_earlier = service.deployments.iter().any(|other| {
        !other.is_primary
            && other.task_definition.is_later_than(&primary.task_definition)
            && may_be_left(&other.task_definition)
    });
    primary.says_rollback() || goes_to_earlier || rolls_back
}

/// True if a rollback under way has no hope of an end, so that nobody should wait for it: its tasks crash as often as those of a
/// rollout that failed, or it has had the time that a rollback may take. Tasks that end well are no crashes: a service may run
/// nothing else.
#[must_use]
pub(crate) fn is_lost(
    rollback: &Deployment,
    threshold: CrashThreshold,
    stopped: &[StoppedTask],
    now: Timestamp,
    rollout_timeout: SignedDuration,
) -> bool {
    let crashed = stopped
        .iter()
        .filter(|task| task.started_by == rollback.id && task.crashed() && task.succeeded().is_none())
        .count();
    crashed >= threshold.tasks(rollback.desired_count) || now.duration_since(rollback.created_at) >= rollout_timeout
}

#[cfg(test)]
mod tests;
