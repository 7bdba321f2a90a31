//! Whether to start a rollout on a service, and what it would go back to.

use ecr_deploy::contract::UpdateService;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{
    Controller, CrashThreshold, Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus,
    StoppedTask,
};
use ecr_deploy::domain::task_definition::Standing;
use jiff::{SignedDuration, Timestamp};

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
    RollingBack(TaskDefinitionArn),
    /// A rollout of this revision, of the push, has begun since the read of the service; read again.
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
    Rebase(TaskDefinitionArn),
    /// It cannot be updated.
    Refused(String),
}

/// What is known before the decision.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all of them may hold at once"
)]
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
    /// The revisions in those records that were registered for this push; needed where the push
    /// [`may_have_had_its_turn`].
    pub of_push: &'a [TaskDefinitionArn],
    /// Whether the wanted revision was registered under another tag of the image, and the service is on a push that came
    /// between the two tags: then the wanted revision's turn is not this push's, and another one has to be made.
    pub is_overtaken: bool,
}

/// Decides what to do with a service. It is never moved to another family's revision: where it is on another family than the wanted
/// revision, somebody has moved it there.
#[must_use]
pub fn decide(wanted: &UpdateService, seen: &Seen<'_>) -> Start {
    match (way(wanted, seen), seen.service.primary()) {
        (Start::Update { revision, .. }, Some(primary)) if revision.family() != primary.task_definition.family() => {
            Start::Refused(format!(
                "{} runs {}, and {} is of another family",
                seen.service.title(),
                primary.task_definition.short(),
                revision.short()
            ))
        }
        (start, _) => start,
    }
}

fn way(wanted: &UpdateService, seen: &Seen<'_>) -> Start {
    let Seen {
        service,
        primary_standing,
        primary_source,
        rolls_back,
        leads_to_wanted,
        rollback_is_lost,
        history,
        of_push,
        is_overtaken,
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
        && !went_back(&wanted.task_definition, on, history)
        && !was_taken_back(&wanted.source, history);
    if *on == wanted.task_definition || (is_of_our_push && !lacks_something) {
        // Under another tag of its image it had its turn, and whoever watches that takes it back: it is no reason to try once more.
        let has_failed = primary.rollout_state == Some(RolloutState::Failed);
        return if has_failed && !may_have_had_its_turn(wanted, service) {
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
    // A rollout that an older read began may take a service from somebody's change to a revision of ours: that is no way
    // back, but what the wanted revision was made to mend.
    let may_be_left = |later: &TaskDefinitionArn| !is_of_our_push || *later == wanted.task_definition;
    if !rollback_is_lost && is_rolling_back(service, primary, rolls_back, history, may_be_left) {
        return Start::RollingBack(on.clone());
    }
    if is_of_our_push {
        return update;
    }
    if is_overtaken {
        return Start::Rebase(on.clone());
    }
    let past = past_turn(wanted, service, history, of_push);
    if let Some(past) = past.filter(|past| !was_replaced_unseen(past, on, seen, wanted)) {
        let record = past.record;
        // The newest record is this one, of a later deployment than the one that is shown: the service is shown as it was.
        let is_not_shown_yet = record.status == ServiceDeploymentStatus::Successful
            && past.replaced_by.is_none()
            && primary.created_at <= record.created_at;
        if record.status == ServiceDeploymentStatus::UnderWay || is_not_shown_yet {
            return Start::Begun(record.target.clone());
        }
        let is_way_back =
            |next: &ServiceDeployment| past.was_good_before(&next.target) || (rolls_back && next.target == *on);
        let was_taken_on = match record.status {
            // ECS calls a rollout successful whose tasks crash soon after, and it was taken back then.
            ServiceDeploymentStatus::Successful => past.replaced_by.is_none_or(|next| !is_way_back(next)),
            // Another deployment replaced it: a newer push or a person's, unless that went back.
            ServiceDeploymentStatus::Stopped => past.replaced_by.is_some_and(|next| !is_way_back(next)),
            _ => false,
        };
        if !was_taken_on {
            return Start::RolledBack {
                to: on.clone(),
                why: record.status_reason.clone(),
            };
        }
        // Where this execution has had a rollout here, what replaced it without the image has to give way.
        if wanted.wanted_since.is_none() {
            return Start::TakenOn(on.clone());
        }
    }
    if *on == wanted.source || leads_to_wanted {
        update
    } else {
        Start::Rebase(on.clone())
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

/// Whether the service was on `revision` and was taken back from it, by ECS or to what was good before it: what was made from it
/// keeps nothing that is wanted.
fn was_taken_back(revision: &TaskDefinitionArn, history: Option<&[ServiceDeployment]>) -> bool {
    let history = history.unwrap_or_default();
    let newest = history.iter().position(|record| record.target == *revision);
    let Some((after, [left, before @ ..])) = newest.map(|newest| history.split_at(newest)) else {
        return false;
    };
    let was_good = |target: &TaskDefinitionArn| {
        let mut good = before
            .iter()
            .filter(|record| record.status == ServiceDeploymentStatus::Successful);
        good.any(|record| record.target == *target)
    };
    match left.status {
        ServiceDeploymentStatus::RollingBack | ServiceDeploymentStatus::RolledBack => true,
        _ => after.iter().any(|record| was_good(&record.target)),
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

impl PastTurn<'_> {
    fn was_good_before(&self, revision: &TaskDefinitionArn) -> bool {
        let was_good = |record: &ServiceDeployment| {
            record.status == ServiceDeploymentStatus::Successful && record.target == *revision
        };
        self.before.iter().any(was_good)
    }
}

/// Whether the turn was cut short by an execution of another push that had read before it: the service is on that one's
/// revision since, which was made from no later state than the wanted one and so lacks the image. The other execution may not
/// have seen that it replaced ours: what has no task yet is not listed any more.
fn was_replaced_unseen(past: &PastTurn<'_>, on: &TaskDefinitionArn, seen: &Seen<'_>, wanted: &UpdateService) -> bool {
    let is_of_older_state = seen
        .primary_source
        .is_some_and(|source| !source.is_later_than(&wanted.source));
    past.record.status == ServiceDeploymentStatus::Stopped
        && past.replaced_by.is_some_and(|next| next.target == *on)
        && seen.primary_standing == Some(Standing::Older)
        && is_of_older_state
        && !seen.rolls_back
        && !past.was_good_before(on)
}

/// Whether the image of this push may have been here since it is wanted: its revision was there before this execution asked for
/// it; or the service was deployed to since then, which may have been by another execution with the image, and back.
#[must_use]
pub fn may_have_had_its_turn(wanted: &UpdateService, service: &Service) -> bool {
    let since = wanted.wanted_since.unwrap_or(wanted.image.push.at());
    let is_moved = service.primary().is_some_and(|primary| primary.created_at > since);
    is_moved || (wanted.repeated && wanted.wanted_since.is_none())
}

/// The turn that this push has had here, by ECS's records. Its image may get another tag after it has failed here, or a
/// person may start the push once more: that is no reason to try it again.
fn past_turn<'a>(
    wanted: &UpdateService,
    service: &Service,
    history: Option<&'a [ServiceDeployment]>,
    of_push: &[TaskDefinitionArn],
) -> Option<PastTurn<'a>> {
    let history = history.filter(|_| may_have_had_its_turn(wanted, service))?;
    let is_of_push =
        |record: &ServiceDeployment| record.target == wanted.task_definition || of_push.contains(&record.target);
    let counts = |record: &ServiceDeployment| wanted.wanted_since.is_none_or(|since| record.created_at > since);
    let its_turn = |record: &ServiceDeployment| is_of_push(record) && counts(record);
    let (after, before) = history.split_at(history.iter().position(its_turn)?);
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

/// Whether a rollback under way has no hope of an end, so that nobody should wait for it: its tasks crash as those of a rollout
/// that has failed do, or it has had the time that a rollback may take. Tasks that end well may be all that its service runs.
#[must_use]
pub fn is_lost(
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

/// Whether one read tells everything: one deployment, and ECS says that it is complete. Else ECS's records are worth a call: where
/// it tells no rollout state, tasks that all run may be those of a rollback that is under way, or of a rollout that never completes.
#[must_use]
pub fn tells_everything(service: &Service) -> bool {
    is_steady(service) && service.primary().is_some_and(|only| only.rollout_state.is_some())
}

/// Whether a service is at rest, as far as one read tells: one deployment is complete, and ECS wants no task of any other, which
/// may still drain (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentEarlySuccessCriteria.html>).
#[must_use]
pub fn is_steady(service: &Service) -> bool {
    let Some(primary) = service.primary() else {
        return false;
    };
    let only_drains = |other: &Deployment| {
        other.rollout_state == Some(RolloutState::Completed) && other.desired_count == 0 && primary.desired_count > 0
    };
    let mut deployments = service.deployments.iter();
    is_complete(service, primary) && deployments.all(|it| it.is_primary || only_drains(it))
}

/// Whether a deployment is over and went well. Where ECS tells no rollout state it is when all its tasks run, and one of them at
/// least where the service is to run any: one that drains has none left.
fn is_complete(service: &Service, deployment: &Deployment) -> bool {
    if let Some(state) = deployment.rollout_state {
        return state == RolloutState::Completed;
    }
    let needed = deployment.desired_count.max(service.desired_count.min(1));
    deployment.running_count >= needed && deployment.pending_count == 0
}

/// The last good revision: that of the newest deployment that completed, other than one of `ours`, of the first of these `reads`
/// that lists one; where none does, by the records ([`ecr_deploy::domain::service::last_good`]).
///
/// A deployment without a rollout state counts only then before the records when its own does not tell otherwise: that its tasks
/// run for a moment makes no revision good. `None` when nothing ever completed.
#[must_use]
pub fn last_good(
    reads: &[&Service],
    ours: &TaskDefinitionArn,
    history: Option<&[ServiceDeployment]>,
) -> Option<TaskDefinitionArn> {
    let is_told_otherwise = |deployment: &Deployment| {
        let mut records = history.into_iter().flatten();
        let record = records.find(|record| record.target == deployment.task_definition);
        deployment.rollout_state.is_none()
            && record.is_some_and(|record| record.status != ServiceDeploymentStatus::Successful)
    };
    let listed = |counts: &dyn Fn(&Deployment) -> bool| {
        reads.iter().find_map(|service| {
            let good = service.deployments.iter().filter(|deployment| {
                deployment.task_definition != *ours && is_complete(service, deployment) && counts(deployment)
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
mod tests;
