//! A summary is how an execution ends, said before it ends: one that is red ends in an error, and tells nobody any more.

use crate::{parameters, push, service};
use ecr_deploy::contract::{
    ImageConclusion, ImageEnd, ImageSummary, PushServices, PushState, ServiceEnd, ServiceOutcome, ServiceResult,
    ServiceState, ServiceSummary, SkipReason,
};
use ecr_deploy::error::Error;
use jiff::Timestamp;

/// Sums up one service's execution, whose attempt began at `started_at`.
#[must_use]
pub fn sum_up_service(end: &ServiceEnd, started_at: Timestamp, now: Timestamp) -> ServiceSummary {
    let watched = end.update.as_ref().and_then(|update| update.outcome.watched());
    let from = watched.and_then(|watched| watched.previous.clone());
    let to = watched.map(|watched| watched.rollout.task_definition.clone());
    let (from, to) = service::taken_back::way(end).unwrap_or((from, to));
    let summary = |state, message, error, conclusion| ServiceSummary {
        state,
        message,
        error,
        seconds: seconds(started_at, now),
        from,
        to: to.or_else(|| end.task_definition.clone()),
        conclusion,
        parameters: parameters::of_end(end),
    };
    // Nobody has redriven it since: an error is an error.
    match service::conclude(end, end.attempt) {
        Ok(conclusion) => {
            let state = conclusion.outcome.map_or(ServiceState::Failed, state_of);
            summary(state, conclusion.message.clone(), None, Some(conclusion))
        }
        Err(error) => {
            let went_back = matches!(error, Error::RolledBack(_)) && end.roll_back.is_some();
            let state = if went_back {
                ServiceState::RolledBack
            } else {
                ServiceState::Failed
            };
            summary(state, error.to_string(), Some(error.name().to_owned()), None)
        }
    }
}

fn state_of(outcome: ServiceOutcome) -> ServiceState {
    match outcome {
        ServiceOutcome::Deployed => ServiceState::Deployed,
        ServiceOutcome::AlreadyDeployed => ServiceState::AlreadyDeployed,
        ServiceOutcome::Superseded | ServiceOutcome::RollBackSuperseded => ServiceState::Superseded,
        ServiceOutcome::OnHold => ServiceState::Held,
        ServiceOutcome::ServiceDeleted => ServiceState::ServiceDeleted,
        ServiceOutcome::RolledBack => ServiceState::RolledBack,
    }
}

/// Sums up a push's execution, or one of its waves; the attempt began at `started_at`. `concluded` is the conclusion as
/// the account and region of the execution can have it.
#[must_use]
pub fn sum_up_image(
    end: &ImageEnd,
    tag_latest: bool,
    started_at: Timestamp,
    now: Timestamp,
    concluded: impl FnOnce(ImageConclusion) -> ImageConclusion,
) -> ImageSummary {
    // Nobody has redriven it since: an error is an error.
    let (state, error, conclusion) = match push::conclude(end, end.attempt, tag_latest) {
        Ok(conclusion) => (state_of_push(&conclusion), None, concluded(conclusion)),
        Err(error) => (
            Some(PushState::Failed),
            Some(error.name().to_owned()),
            push::unchanged(end, error.to_string()),
        ),
    };
    ImageSummary {
        state,
        error,
        version: ecr_deploy::domain::VERSION.to_owned(),
        seconds: seconds(started_at, now),
        services: services(end),
        skipped: conclusion.skipped.iter().map(|skipped| skipped.count).sum(),
        reasons: SkipReason::all_of(&conclusion.skipped),
        message: None,
        conclusion,
    }
}

/// Returns the state of a push that is over without a failure; `None` where it goes on, or failed.
fn state_of_push(conclusion: &ImageConclusion) -> Option<PushState> {
    if conclusion.failed || !conclusion.later.is_empty() {
        return None;
    }
    let is_skipped = |reasons: &[SkipReason]| conclusion.skipped.iter().any(|it| reasons.contains(&it.reason));
    let has_families = !conclusion.families.is_empty();
    Some(
        if conclusion.services.iter().any(|it| !push::is_superseded(it)) || has_families {
            PushState::Deployed
        } else if !conclusion.services.is_empty() {
            PushState::Superseded
        } else if is_skipped(&[SkipReason::AllOnHold, SkipReason::OnHold]) {
            PushState::Held
        } else if is_skipped(&[SkipReason::Superseded]) {
            PushState::Superseded
        } else {
            PushState::Skipped
        },
    )
}

/// How many services of a push ended in which way so far.
fn services(end: &ImageEnd) -> PushServices {
    let count = |is_meant: fn(&ServiceResult) -> bool| number(push::done(end).filter(|it| is_meant(it)).count());
    let later = end.later.iter().flat_map(|wave| &wave.revisions);
    PushServices {
        planned: number(later.map(|revision| revision.services.len()).sum()),
        deployed: count(push::is_deployed),
        superseded: count(push::is_superseded),
        failed: number(end.results.iter().flat_map(push::of_result).count()),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The whole seconds from one time to another; 0 where clocks differ and the other is earlier.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
