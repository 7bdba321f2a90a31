//! ECS's own records of a rollout: of ours, of one that came between, of ECS's rollback.

use super::{CLOCK_SKEW, Snapshot, earlier};
use ecr_deploy::contract::{CheckStability, Rollout};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus};
use jiff::SignedDuration;

/// True if ECS's records of the service's rollouts are worth a call: only where the deployments alone do not tell.
#[must_use]
pub fn needs_history(service: &Service, rollout: &Rollout) -> bool {
    match service.primary() {
        Some(primary) if primary.task_definition == rollout.task_definition => {
            // Nothing is being started while one goes on that somebody has stopped.
            service.has_lifecycle_hooks
                || primary.rollout_state != Some(RolloutState::InProgress)
                || primary.pending_count == 0
        }
        _ => true,
    }
}

/// The ARN of the service deployment whose lifecycle hooks are worth a call: the one of our rollout, or of ECS's
/// rollback of it. `None` where the service has no hooks, or that one is over and went well, or another one replaced
/// it.
#[must_use]
pub fn has_hooks<'a>(
    service: &Service,
    history: Option<&'a [ServiceDeployment]>,
    asked: &CheckStability,
) -> Option<&'a str> {
    use ServiceDeploymentStatus::{Stopped, Successful};
    let record = our_record(history, asked).filter(|_| service.has_lifecycle_hooks)?;
    (!matches!(record.status, Successful | Stopped)).then_some(record.arn.as_str())
}

/// The revision of a rollout that replaced ours and is over too, by ECS's records: one that began after ours and
/// is neither of our revision nor of the one that the service is on now.
#[must_use]
pub fn came_between<'a>(
    service: &Service,
    history: &'a [ServiceDeployment],
    asked: &CheckStability,
) -> Option<&'a TaskDefinitionArn> {
    let ours = record_of_rollout(history, asked)?;
    let on = &service.primary()?.task_definition;
    let later = history.iter().take_while(|record| *record != ours);
    later
        .map(|record| &record.target)
        .find(|target| *target != on && *target != &ours.target)
}

/// ECS's record that tells how our rollout goes. A rollback by ECS has no record of its own: there it is the newest one.
pub(super) fn our_record<'a>(
    history: Option<&'a [ServiceDeployment]>,
    asked: &CheckStability,
) -> Option<&'a ServiceDeployment> {
    let history = history?;
    let of_rollout = record_of_rollout(history, asked);
    if asked.rolls_back.is_none() {
        return of_rollout;
    }
    let newest = history.first()?;
    (of_rollout == Some(newest) || is_rollback(newest.status)).then_some(newest)
}

/// The newest record of our revision since the rollout began. Its time is AWS's, as is the rollout's when ECS told the
/// deployment; else that is ours.
#[must_use]
pub fn record_of_rollout<'a>(
    history: &'a [ServiceDeployment],
    asked: &CheckStability,
) -> Option<&'a ServiceDeployment> {
    let rollout = &asked.rollout;
    let slack = if rollout.deployment.is_some() {
        SignedDuration::from_secs(5)
    } else {
        CLOCK_SKEW
    };
    let since = earlier(rollout.started_at, slack);
    history
        .iter()
        .find(|record| record.target == rollout.task_definition && record.created_at >= since)
}

/// True if no rollout began after this record's. A rollout that another one follows was stopped by that, not by a
/// person: if the service still shows ours, it is shown as it was some seconds ago.
pub(super) fn is_newest(snapshot: &Snapshot, record: Option<&ServiceDeployment>) -> bool {
    snapshot.newest_record() == record
}

/// True if ECS is rolling back, has rolled back, or could not.
pub(super) fn is_rollback(status: ServiceDeploymentStatus) -> bool {
    use ServiceDeploymentStatus::{RollbackFailed, RolledBack, RollingBack};
    matches!(status, RollingBack | RolledBack | RollbackFailed)
}
