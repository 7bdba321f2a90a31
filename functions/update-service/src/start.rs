//! Whether to start a rollout on a service, and what it would go back to.

use jiff::{SignedDuration, Timestamp};
use shared::arn::TaskDefinitionArn;
use shared::contract::{Turn, UpdateService};
use shared::service::{
    Controller, Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, StoppedTask,
    crash_threshold,
};
use shared::task_definition::Standing;

/// What to do with a service that is to be moved to a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Update it to `revision`, by force when it is on it already and has failed there.
    Update {
        /// The revision to move to.
        revision: TaskDefinitionArn,
        /// Whether a new deployment has to be forced.
        force: bool,
    },
    /// It is on the image already, or on its way there, by this revision.
    AlreadyDeployed(TaskDefinitionArn),
    /// It is on this revision, of a newer push.
    Superseded(TaskDefinitionArn),
    /// It is on its way back to this revision; wait until that is over.
    Busy(TaskDefinitionArn),
    /// A rollout of this revision, of the push, has begun since the look at the service; look again.
    Begun(TaskDefinitionArn),
    /// The push has had its turn here and was stable; another deployment has taken the service to this revision since.
    TakenOn(TaskDefinitionArn),
    /// The push has had its turn here, and the service is back on this revision.
    RolledBack {
        /// The revision that the service is on.
        to: TaskDefinitionArn,
        /// Why, in ECS's words, if it says.
        why: Option<String>,
    },
    /// It is on this revision now, which does not have the image: another one has to be made from it.
    Moved(TaskDefinitionArn),
    /// It cannot be updated.
    Refused(String),
}

/// What is known before the decision.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The service.
    pub service: &'a Service,
    /// How the revision of its primary deployment stands to the push; needed unless that is the wanted revision, or its
    /// source and complete.
    pub primary_standing: Option<Standing>,
    /// The revision that it was made from, if it was one of ours.
    pub primary_source: Option<&'a TaskDefinitionArn>,
    /// Whether that revision was made to roll another one back.
    pub rolls_back: bool,
    /// Whether what would be made from that revision, which is of an older push, is the wanted one: nothing else has changed.
    pub leads_to_wanted: bool,
    /// Whether a rollback under way has no hope: [`is_lost`].
    pub rollback_is_lost: bool,
    /// ECS's records of the service's rollouts, newest first, where they are needed and ECS tells them.
    pub history: Option<&'a [ServiceDeployment]>,
    /// The revisions in those records that were registered for this push; needed with [`Turn::Repeated`].
    pub of_push: &'a [TaskDefinitionArn],
}

/// Decides what to do with a service.
#[must_use]
pub fn decide(wanted: &UpdateService, seen: &Seen<'_>) -> Start {
    let Seen {
        service,
        primary_standing,
        primary_source,
        rolls_back,
        leads_to_wanted,
        rollback_is_lost,
        history,
        of_push,
    } = *seen;
    if service.controller != Controller::Ecs {
        return Start::Refused(format!("{} is not deployed by ECS itself", service.title()));
    }
    let update = Start::Update {
        revision: wanted.task_definition.clone(),
        force: false,
    };
    let Some(primary) = service.primary() else {
        return update;
    };
    let on = &primary.task_definition;
    let is_of_our_push = primary_standing == Some(Standing::Ours);
    // A revision of ours that was made from an older state than the wanted one lacks what the wanted one was made to keep:
    // somebody's change that came in between.
    let lacks_something = wanted.task_definition.is_later_than(on)
        && primary_source.is_none_or(|source| wanted.source.is_later_than(source))
        && !went_back(&wanted.task_definition, on, history);
    if *on == wanted.task_definition || (is_of_our_push && !lacks_something) {
        return if primary.rollout_state == Some(RolloutState::Failed) {
            Start::Update {
                revision: on.clone(),
                force: true,
            }
        } else {
            Start::AlreadyDeployed(on.clone())
        };
    }
    if primary_standing == Some(Standing::Newer) {
        return Start::Superseded(on.clone());
    }
    // A rollout that an older look began may take a service from somebody's change to a revision of ours: that is no way
    // back, but what the wanted revision was made to mend.
    let may_be_left = |later: &TaskDefinitionArn| !is_of_our_push || *later == wanted.task_definition;
    if !rollback_is_lost && is_rolling_back(service, primary, rolls_back, history, may_be_left) {
        return Start::Busy(on.clone());
    }
    if is_of_our_push {
        return update;
    }
    if let Some(past) = past_turn(wanted, history, of_push) {
        let record = past.record;
        if record.status == ServiceDeploymentStatus::UnderWay {
            return Start::Begun(record.target.clone());
        }
        let is_way_back = |next: &ServiceDeployment| {
            let was_good = |record: &ServiceDeployment| {
                record.status == ServiceDeploymentStatus::Successful && record.target == next.target
            };
            past.before.iter().any(was_good) || (rolls_back && next.target == *on)
        };
        let was_taken_on = match record.status {
            ServiceDeploymentStatus::Successful => true,
            // Another deployment took its place: a newer push or a person's, unless that went back.
            ServiceDeploymentStatus::Stopped => past.replaced_by.is_some_and(|next| !is_way_back(next)),
            _ => false,
        };
        return if was_taken_on {
            Start::TakenOn(on.clone())
        } else {
            Start::RolledBack {
                to: on.clone(),
                why: record.status_reason.clone(),
            }
        };
    }
    if *on == wanted.source || leads_to_wanted {
        update
    } else {
        Start::Moved(on.clone())
    }
}

/// Whether the service was on `from` and went back to `to`, by ECS's records: what came in with `from` was taken back, and is
/// not to be brought in once more.
fn went_back(from: &TaskDefinitionArn, to: &TaskDefinitionArn, history: Option<&[ServiceDeployment]>) -> bool {
    let history = history.unwrap_or_default();
    let newest = history.iter().position(|record| record.target == *from);
    let Some((after, [left, before @ ..])) = newest.map(|newest| history.split_at(newest)) else {
        return false;
    };
    let was_good =
        |record: &ServiceDeployment| record.target == *to && record.status == ServiceDeploymentStatus::Successful;
    match left.status {
        ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack => true,
        _ => after.iter().any(|record| record.target == *to) && before.iter().any(was_good),
    }
}

/// The turn that a push has had at a service.
struct PastTurn<'a> {
    /// ECS's record of its rollout.
    record: &'a ServiceDeployment,
    /// The record of what came next.
    replaced_by: Option<&'a ServiceDeployment>,
    /// The records up to its own.
    before: &'a [ServiceDeployment],
}

/// The turn that this push has had here, by ECS's records: EventBridge may deliver an event once more long after the image
/// has failed, and that is no reason to try it again.
fn past_turn<'a>(
    wanted: &UpdateService,
    history: Option<&'a [ServiceDeployment]>,
    of_push: &[TaskDefinitionArn],
) -> Option<PastTurn<'a>> {
    let history = history.filter(|_| wanted.turn == Turn::Repeated)?;
    let is_of_push =
        |record: &ServiceDeployment| record.target == wanted.task_definition || of_push.contains(&record.target);
    let (after, before) = history.split_at(history.iter().position(is_of_push)?);
    Some(PastTurn {
        record: before.first()?,
        replaced_by: after.last(),
        before,
    })
}

/// Whether the service is on its way back. A deployment begun now would have no rollback target and could stall
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>).
///
/// ECS's own rollback shows in its records, or in the reason of the primary deployment; one by `UpdateService` shows as a
/// rollout under way to an earlier revision than one that is listed beside it, if that `may_be_left`, or to one made for a
/// rollback.
fn is_rolling_back(
    service: &Service,
    primary: &Deployment,
    rolls_back: bool,
    history: Option<&[ServiceDeployment]>,
    may_be_left: impl Fn(&TaskDefinitionArn) -> bool,
) -> bool {
    if history
        .and_then(<[_]>::first)
        .is_some_and(|newest| newest.status == ServiceDeploymentStatus::RollingBack)
    {
        return true;
    }
    if primary.rollout_state != Some(RolloutState::InProgress) {
        return false;
    }
    let goes_to_earlier = service.deployments.iter().any(|other| {
        !other.is_primary
            && other.rollout_state != Some(RolloutState::Completed)
            && other.task_definition.is_later_than(&primary.task_definition)
            && may_be_left(&other.task_definition)
    });
    primary.says_rollback() || goes_to_earlier || rolls_back
}

/// Whether a rollback under way has no hope of an end, so that nobody should wait for it: its tasks die as those of a rollout
/// that has failed do, or it has had the time that a rollback may take.
#[must_use]
pub fn is_lost(
    rollback: &Deployment,
    stopped: &[StoppedTask],
    now: Timestamp,
    rollout_timeout: SignedDuration,
) -> bool {
    let died = stopped
        .iter()
        .filter(|task| task.started_by == rollback.id && task.died())
        .count();
    died >= crash_threshold(rollback.desired_count) || now.duration_since(rollback.created_at) >= rollout_timeout
}

/// Whether one look tells everything: one deployment, and it is complete. Else ECS's records are worth a call.
#[must_use]
pub fn is_steady(service: &Service) -> bool {
    matches!(service.deployments.as_slice(), [only] if only.is_primary && only.rollout_state == Some(RolloutState::Completed))
}

/// The last good revision: that of the newest deployment that completed, other than one of `ours`; where none is listed, by
/// the records ([`shared::service::last_good`]).
///
/// A deployment without a rollout state counts as complete when all its tasks run, and one of them at least where the
/// service is to run any: one that drains has none left. `None` when nothing ever completed.
#[must_use]
pub fn last_good(
    service: &Service,
    ours: &TaskDefinitionArn,
    history: Option<&[ServiceDeployment]>,
) -> Option<TaskDefinitionArn> {
    let is_good = |deployment: &&Deployment| match deployment.rollout_state {
        Some(RolloutState::Completed) => true,
        Some(_) => false,
        None => {
            let needed = deployment.desired_count.max(service.desired_count.min(1));
            deployment.running_count >= needed && deployment.pending_count == 0
        }
    };
    let others = service
        .deployments
        .iter()
        .filter(|deployment| deployment.task_definition != *ours);
    let live = others
        .filter(is_good)
        .max_by_key(|deployment| deployment.created_at)
        .map(|good| &good.task_definition);
    let recorded = || shared::service::last_good(history?, ours);
    live.or_else(recorded).cloned()
}

/// A deployment that the look did not show, and that the update has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrun {
    /// Its revision.
    pub revision: TaskDefinitionArn,
    /// Whether it came in between the look and the update. Else the look was old, as a read may be for some seconds after
    /// a write, and the deployment had begun before it.
    pub came_between: bool,
}

/// The newest deployment that is listed after the update, was not there before, and is not of `ours`.
///
/// `lasted` is how long look and update took together: what came in between them began no longer before ours.
#[must_use]
pub fn overrun(before: &Service, after: &Service, ours: &TaskDefinitionArn, lasted: SignedDuration) -> Option<Overrun> {
    let is_new = |deployment: &&Deployment| before.deployments.iter().all(|known| known.id != deployment.id);
    let others = after
        .deployments
        .iter()
        .filter(|deployment| deployment.task_definition != *ours);
    let overrun = others.filter(is_new).max_by_key(|deployment| deployment.created_at)?;
    let began = after.deployment_of(ours).map(|ours| ours.created_at);
    Some(Overrun {
        revision: overrun.task_definition.clone(),
        came_between: began.is_none_or(|began| began.duration_since(overrun.created_at) <= lasted),
    })
}

/// The same by ECS's records of the service's rollouts, newest first, where a later look tells of the update: a deployment
/// without tasks is not listed any more as soon as another one takes its place.
#[must_use]
pub fn overrun_by_records(
    before: &Service,
    newest_first: &[ServiceDeployment],
    ours: &TaskDefinitionArn,
    lasted: SignedDuration,
) -> Option<Overrun> {
    let place = newest_first.iter().position(|record| record.target == *ours)?;
    let (began, earlier) = (newest_first[place].created_at, &newest_first[place..]);
    let overrun = earlier.iter().find(|record| record.target != *ours)?;
    let was_there =
        |known: &Deployment| known.task_definition == overrun.target || known.created_at >= overrun.created_at;
    (!before.deployments.iter().any(was_there)).then(|| Overrun {
        revision: overrun.target.clone(),
        came_between: began.duration_since(overrun.created_at) <= lasted,
    })
}

#[cfg(test)]
mod tests;
