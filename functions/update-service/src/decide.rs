//! The decision of "Update service": to start a rollout, or why not.

use crate::earlier::{EarlierRollout, may_have_been_deployed, was_taken_back, went_back};
use crate::rolling_back::is_rolling_back;
use ecr_deploy::contract::UpdateInput;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{
    Controller, Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus,
};
use ecr_deploy::domain::task_definition::Standing;

/// The decision about a service that is to be moved to a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Update it to `revision`, by force when it is on it already and has failed there.
    Update {
        /// The revision to move to.
        revision: TaskDefinitionArn,
        /// True if a new deployment has to be forced.
        force: bool,
    },
    /// It is on the image already, or on its way there, by this revision.
    AlreadyDeployed(TaskDefinitionArn),
    /// It is on this revision, of a newer push.
    Superseded(TaskDefinitionArn),
    /// It is rolling back to this revision; wait until that is over.
    RollingBack(TaskDefinitionArn),
    /// A rollout of this revision, of the push, has begun since the read of the service; read again.
    Begun(TaskDefinitionArn),
    /// The push was deployed here before, and another deployment has taken the service to this revision since.
    TakenOn(TaskDefinitionArn),
    /// The push was deployed here before, and the service is back on this revision.
    RolledBack {
        /// The revision that the service is on.
        to: TaskDefinitionArn,
        /// Why, in ECS's words without the last full stop, if it says.
        why: Option<String>,
    },
    /// It is on this revision now, which does not have the image: another one has to be made from it.
    Rebase(TaskDefinitionArn),
    /// It is on hold, by these words: it stays on what it runs.
    OnHold(String),
    /// It cannot be updated.
    Refused(String),
}

/// The facts about a service, beside the read of it, that the decision stands on.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all of them may hold at once"
)]
pub struct Facts {
    /// Why it is on hold, by its own tag; `None` where it is not.
    pub hold: Option<String>,
    /// How the revision of its primary deployment stands to the push; needed unless that is the wanted revision, or its
    /// source and complete.
    pub primary_standing: Option<Standing>,
    /// The revision that it was made from, if it was one of ours.
    pub primary_source: Option<TaskDefinitionArn>,
    /// True if that revision is of the push and records a newer push of a repository than the wanted one does.
    pub has_newer: bool,
    /// True if that revision was made to roll another one back.
    pub rolls_back: bool,
    /// True if the revision that would be made from it, which is of an older push, is the wanted one: nothing else has changed.
    pub leads_to_wanted: bool,
    /// True if a rollback under way has no hope.
    pub rollback_is_lost: bool,
    /// ECS's records of the service's rollouts, newest first, where they are needed and ECS tells them.
    pub history: Option<Vec<ServiceDeployment>>,
    /// The revisions in those records that were registered for this push; needed where the push may have been deployed here
    /// before.
    pub of_push: Vec<TaskDefinitionArn>,
    /// The revisions in those records that were registered to roll another one back; needed as `of_push` is.
    pub for_rollbacks: Vec<TaskDefinitionArn>,
    /// True if the wanted revision was registered under another tag of the image, and the service is on a push that came
    /// between the two tags: then the rollout of the wanted revision is not this push's, and another revision has to be made.
    pub is_overtaken: bool,
}

/// Decides what to do with a service. It is not moved while it is on hold, whatever the plan says: the plan may be days old. An image
/// that is there already is watched all the same.
#[must_use]
pub fn decide(wanted: &UpdateInput, service: &Service, facts: &Facts) -> Start {
    match (regardless_of_hold(wanted, service, facts), &facts.hold) {
        // The image is there, by a rollout that lacks somebody's change: the hold came after the image.
        (start @ Start::Update { force: false, .. }, _) if facts.primary_standing == Some(Standing::Ours) => start,
        (Start::Update { .. } | Start::Rebase(_), Some(text)) => Start::OnHold(text.clone()),
        (start, _) => start,
    }
}

/// The decision where nobody holds the service. It is never moved to another family's revision: where it is on another family than
/// the wanted revision, somebody has moved it there.
fn regardless_of_hold(wanted: &UpdateInput, service: &Service, facts: &Facts) -> Start {
    if service.controller != Controller::Ecs {
        return Start::Refused(format!("{} is not deployed by ECS itself", service.title()));
    }
    let update = || Start::Update {
        revision: wanted.task_definition.clone(),
        force: false,
    };
    let Some(primary) = service.primary() else {
        return update();
    };
    match start(wanted, service, facts, primary).unwrap_or_else(update) {
        Start::Update { revision, .. } if revision.family() != primary.task_definition.family() => {
            Start::Refused(format!(
                "{} runs {}, and {} is of another family",
                service.title(),
                primary.task_definition.short(),
                revision.short()
            ))
        }
        start => start,
    }
}

/// The decision about a service whose primary deployment is `primary`; `None` when it is to be updated to the wanted revision.
fn start(wanted: &UpdateInput, service: &Service, facts: &Facts, primary: &Deployment) -> Option<Start> {
    let on = &primary.task_definition;
    let is_of_our_push = facts.primary_standing == Some(Standing::Ours);
    if *on == wanted.task_definition || (is_of_our_push && !lacks_something(wanted, facts, on)) {
        // Where the push was deployed under another tag of its image, whoever watches that rollout takes it back.
        let has_failed = primary.rollout_state == Some(RolloutState::Failed);
        let is_tried_again = has_failed && !may_have_been_deployed(wanted, service);
        return Some(if is_tried_again {
            Start::Update {
                revision: on.clone(),
                force: true,
            }
        } else {
            Start::AlreadyDeployed(on.clone())
        });
    }
    if facts.primary_standing == Some(Standing::Newer) {
        return Some(Start::Superseded(on.clone()));
    }
    // A rollout that an older read began may take a service from somebody's change to a revision of ours: that is no
    // rollback, but the wanted revision was made to mend it.
    let may_be_left = |later: &TaskDefinitionArn| !is_of_our_push || *later == wanted.task_definition;
    let history = facts.history.as_deref();
    if !facts.rollback_is_lost && is_rolling_back(service, primary, facts.rolls_back, history, may_be_left) {
        return Some(Start::RollingBack(on.clone()));
    }
    if is_of_our_push {
        return None;
    }
    if facts.is_overtaken {
        return Some(Start::Rebase(on.clone()));
    }
    let is_made_from_it = *on == wanted.source || facts.leads_to_wanted;
    deployed_before(wanted, service, facts, primary).or_else(|| (!is_made_from_it).then(|| Start::Rebase(on.clone())))
}

/// True if `on`, a revision of our push, was made from an older state than the wanted one, and so lacks somebody's
/// change. False if `on` has a newer image of another repository: the two pushes would replace each other for ever.
fn lacks_something(wanted: &UpdateInput, facts: &Facts, on: &TaskDefinitionArn) -> bool {
    let is_of_older_state = |source| wanted.source.is_later_than(source);
    wanted.task_definition.is_later_than(on)
        && !facts.has_newer
        && facts.primary_source.as_ref().is_none_or(is_of_older_state)
        && !went_back(&wanted.task_definition, on, facts.history.as_deref())
        && !was_taken_back(&wanted.source, facts.history.as_deref())
}

/// The decision where the push was deployed to the service before, which is not on it any more; `None` when that does not
/// count.
fn deployed_before(wanted: &UpdateInput, service: &Service, facts: &Facts, primary: &Deployment) -> Option<Start> {
    let on = &primary.task_definition;
    let earlier = EarlierRollout::of_push(wanted, service, facts.history.as_deref(), &facts.of_push)?;
    if was_replaced_unseen(&earlier, on, facts, wanted) {
        return None;
    }
    let record = earlier.record;
    // The newest record is this one, of a later deployment than the one that is shown: the service is shown as it was.
    let is_not_shown_yet = record.status == ServiceDeploymentStatus::Successful
        && earlier.replaced_by().is_none()
        && primary.created_at <= record.created_at;
    if record.status == ServiceDeploymentStatus::UnderWay || is_not_shown_yet {
        return Some(Start::Begun(record.target.clone()));
    }
    let is_rollback =
        |next: &ServiceDeployment| earlier.was_good_before(&next.target) || facts.for_rollbacks.contains(&next.target);
    let was_taken_on = match record.status {
        // ECS calls a rollout successful whose tasks crash soon after, and it was taken back then.
        ServiceDeploymentStatus::Successful => earlier.replaced_by().is_none_or(|next| !is_rollback(next)),
        // Another deployment replaced it: a newer push or a person's, unless that went back.
        ServiceDeploymentStatus::Stopped => earlier.replaced_by().is_some_and(|next| !is_rollback(next)),
        _ => false,
    };
    if !was_taken_on {
        return Some(Start::RolledBack {
            to: on.clone(),
            why: earlier.why_it_failed(service),
        });
    }
    // Where this execution has had a rollout here, a deployment without the image that replaced it has to give way.
    wanted.wanted_since.is_none().then(|| Start::TakenOn(on.clone()))
}

/// True if the earlier rollout was cut short by an execution of another push that had read before it: the service is on that
/// one's revision since, which was made from no later state than the wanted one and so lacks the image. The other execution
/// may not know that it replaced ours: ECS does not list a deployment any more that has no task yet.
fn was_replaced_unseen(
    earlier: &EarlierRollout<'_>,
    on: &TaskDefinitionArn,
    facts: &Facts,
    wanted: &UpdateInput,
) -> bool {
    let is_of_older_state = |source: &TaskDefinitionArn| !source.is_later_than(&wanted.source);
    earlier.record.status == ServiceDeploymentStatus::Stopped
        && earlier.replaced_by().is_some_and(|next| next.target == *on)
        && facts.primary_standing == Some(Standing::Older)
        && facts.primary_source.as_ref().is_some_and(is_of_older_state)
        && !facts.rolls_back
        && !earlier.was_good_before(on)
}

#[cfg(test)]
mod tests;
