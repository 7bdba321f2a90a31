//! How a push's execution ends: which services and families are on the image, what failed, and what is next.

mod failure;
mod tags;
mod wave;

use ecr_deploy::contract::{
    ImageConclusion, ImageEnd, PlannedResult, RevisionResult, ServiceOutcome, ServiceResult, SkipReason, Skipped,
};
use ecr_deploy::domain::arn::RevisionName;
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::title;
use ecr_deploy::error::Error;
pub(crate) use failure::of_result;
use failure::{Failure, failures, message, retry, share};
use std::collections::BTreeSet;
pub use tags::tagged_only;
use tags::{StageTags, gets_latest, stage_tags};
pub use wave::next_wave;
use wave::{not_reached, stages};

/// How many services that failed, or were deleted, are named; the rest is counted.
const NAMED: usize = 10;

/// Concludes a push's execution.
///
/// `tag_latest` is the setting; the image is to be tagged only when there are services or families on it, every one
/// of them ended there, and none was skipped that should follow. The tag of a stage is put on it as soon as all of that
/// stage ended there: also where another stage has failed, and then this is asked once more, and fails.
///
/// # Errors
///
/// `Deploy.ServicesFailed`, naming each service and why, unless the execution was redriven since: then what failed is
/// returned as `retry`. A service whose own tag names no stage has failed too, and a redrive does not help it.
/// `Deploy.InvalidInput` when something that was planned has no result: it is never taken for deployed.
pub fn conclude(end: &ImageEnd, redrive_count: u32, tag_latest: bool) -> Result<ImageConclusion, Error> {
    let planned = end.planned as usize;
    let is_told = end.settings.is_empty() || end.settings.len() == planned;
    if end.results.len() != planned || !is_told {
        return Err(Error::InvalidInput(format!(
            "the state machine tells what came of {} task definitions, and {planned} were to be deployed: it does not fit its \
             functions. Install both anew, then push again",
            end.results.len()
        )));
    }
    let services: Vec<ServiceResult> = done(end).cloned().collect();
    let is_last = end.later.is_empty() || services.iter().any(keeps_back);
    let failed = failures(end, is_last);
    if failed.is_empty() {
        Ok(succeeded(end, services, tag_latest))
    } else {
        some_failed(end, redrive_count, services, &failed)
    }
}

/// The conclusion of a push that fails: all stays as it was, and Conclude finds in `end` what is to be done again.
pub(crate) fn unchanged(end: &ImageEnd, message: String) -> ImageConclusion {
    let tags = StageTags {
        now: Vec::new(),
        pending: end.tags.clone(),
    };
    ImageConclusion {
        message,
        ..so_far(end, tags)
    }
}

/// Returns the conclusion of an execution that has done nothing since its last one.
fn so_far(end: &ImageEnd, StageTags { now, pending }: StageTags) -> ImageConclusion {
    ImageConclusion {
        image: end.image.clone(),
        message: String::new(),
        services: end.services.clone(),
        families: end.families.clone(),
        skipped: end.skipped.clone(),
        retry: Vec::new(),
        later: end.later.clone(),
        tagged: end.tagged.iter().chain(&now).cloned().collect(),
        tags: now,
        pending,
        failed: false,
    }
}

/// A push of which anything failed: first a stage gets its tag that is all on the image; then the push fails, or after a redrive
/// does again what failed.
fn some_failed(
    end: &ImageEnd,
    redrive_count: u32,
    services: Vec<ServiceResult>,
    failed: &[Failure<'_>],
) -> Result<ImageConclusion, Error> {
    let families = families(end);
    let share = share(failed, &services, families.len());
    let so_far = so_far(end, stage_tags(end));
    if !so_far.tags.is_empty() {
        return Ok(ImageConclusion {
            message: format!("{share} failed, which is told next"),
            failed: true,
            ..so_far
        });
    }
    let retry = retry(end);
    if redrive_count <= end.attempt || retry.is_empty() {
        return Err(Error::ServicesFailed(message(end, failed, &share, !retry.is_empty())));
    }
    Ok(ImageConclusion {
        message: format!("{share} are deployed again after a redrive"),
        services,
        families,
        retry,
        ..so_far
    })
}

/// A push of which nothing failed: it ends, or goes on with the next wave.
fn succeeded(end: &ImageEnd, services: Vec<ServiceResult>, tag_latest: bool) -> ImageConclusion {
    let families = families(end);
    let mut later = end.later.clone();
    let kept_back: Vec<Skipped> = match services.iter().find(|service| keeps_back(service)) {
        Some(before) => later.drain(..).map(|wave| not_reached(&wave, before)).collect(),
        None => Vec::new(),
    };
    let (deleted, services): (Vec<_>, Vec<_>) = services.into_iter().partition(is_deleted);
    let (held, services): (Vec<_>, Vec<_>) = services.into_iter().partition(is_held);
    let not_moved = skipped(&deleted, &DELETED).chain(skipped(&held, &HELD));
    let skipped: Vec<Skipped> = end.skipped.iter().cloned().chain(not_moved).chain(kept_back).collect();
    let mut message = summary(end.image.as_ref(), &services, families.len(), &skipped);
    if let Some(next) = later.first() {
        message.extend(["; next: ", &stages(next)]);
    }
    let is_all = services.len() + families.len() > 0 && services.iter().all(is_deployed) && later.is_empty();
    let mut tags = stage_tags(end);
    if tag_latest && is_all && gets_latest(end.image.as_ref(), &skipped) {
        tags.now.push(ImageTag::latest());
    }
    ImageConclusion {
        message,
        services,
        families,
        skipped,
        later,
        ..so_far(end, tags)
    }
}

pub(crate) fn is_deployed(service: &ServiceResult) -> bool {
    matches!(
        service.outcome,
        ServiceOutcome::Deployed | ServiceOutcome::AlreadyDeployed
    )
}

pub(crate) fn is_superseded(service: &ServiceResult) -> bool {
    matches!(
        service.outcome,
        ServiceOutcome::Superseded | ServiceOutcome::RollBackSuperseded
    )
}

fn is_deleted(service: &ServiceResult) -> bool {
    service.outcome == ServiceOutcome::ServiceDeleted
}

fn is_held(service: &ServiceResult) -> bool {
    service.outcome == ServiceOutcome::OnHold
}

/// True if nothing is promoted past this service: it does not run the image, and no redrive changes that.
fn keeps_back(service: &ServiceResult) -> bool {
    is_superseded(service) || is_held(service)
}

/// Why services are skipped after the plan was made: the reason, the message on each, and that on those that are not named.
struct NotMoved {
    reason: SkipReason,
    message: &'static str,
    of_more: &'static str,
}

const DELETED: NotMoved = NotMoved {
    reason: SkipReason::ServiceDeleted,
    message: "the service was deleted after the push had begun",
    of_more: "deleted too; the executions of deploy-service name each",
};

const HELD: NotMoved = NotMoved {
    reason: SkipReason::OnHold,
    message: "its tag ecr-deploy:hold was set after the push had begun, and keeps it as it is; its execution of deploy-service has \
              the words",
    of_more: "on hold too; the executions of deploy-service name each",
};

/// The services that were deleted, or put on hold, after the plan was made. They take hardly more room than among the services
/// that are done, since of many only some are named.
fn skipped(services: &[ServiceResult], why: &NotMoved) -> impl Iterator<Item = Skipped> {
    let skipped = |resource, message: &str, count| Skipped {
        resource,
        reason: why.reason,
        message: message.to_owned(),
        count,
    };
    let named = services
        .iter()
        .take(NAMED)
        .map(move |service| skipped(title(&service.cluster, &service.service), why.message, 1));
    let more = services.len().saturating_sub(NAMED);
    let count = u32::try_from(more).unwrap_or(u32::MAX);
    let more = (more > 0).then(|| skipped(format!("{more} more"), why.of_more, count));
    named.chain(more)
}

/// The services of a push that ended without an error, also before a redrive.
pub(crate) fn done(end: &ImageEnd) -> impl Iterator<Item = &ServiceResult> {
    end.services.iter().chain(ended(&end.results))
}

/// The services that ended without an error.
fn ended(results: &[RevisionResult]) -> impl Iterator<Item = &ServiceResult> {
    let services = results.iter().flat_map(|result| match result {
        RevisionResult::Services { services, .. } => services.as_slice(),
        RevisionResult::Registered { .. } | RevisionResult::Failed { .. } => &[],
    });
    services.filter_map(|service| match service {
        PlannedResult::Ended(ended) => Some(ended),
        PlannedResult::Failed { .. } => None,
    })
}

/// The revisions registered for families without a service.
fn families(end: &ImageEnd) -> Vec<RevisionName> {
    let registered = end.results.iter().filter_map(|result| match result {
        RevisionResult::Registered { registered } => Some(registered.clone()),
        _ => None,
    });
    let registered: BTreeSet<_> = end.families.iter().cloned().chain(registered).collect();
    registered.into_iter().collect()
}

fn summary(image: Option<&PushedImage>, services: &[ServiceResult], families: usize, skipped: &[Skipped]) -> String {
    let has_begun = families + services.len() > 0;
    let Some(image) = image.filter(|_| has_begun) else {
        // Many services are skipped by the same words.
        let mut told = BTreeSet::new();
        let reasons = skipped.iter().map(|skipped| skipped.message.as_str());
        let reasons: Vec<&str> = reasons.filter(|reason| told.insert(*reason)).collect();
        return if reasons.is_empty() {
            "nothing to deploy".to_owned()
        } else {
            reasons.join("; ")
        };
    };
    let superseded = services.iter().filter(|service| is_superseded(service)).count();
    let mut message = format!(
        "{image} is deployed to {}",
        counted(services.len() - superseded, "service", "services")
    );
    if families > 0 {
        let families = counted(families, "family without a service", "families without a service");
        message.extend([" and registered for ", &families]);
    }
    if superseded > 0 {
        let superseded = counted(superseded, "service was", "services were");
        message.extend(["; ", &superseded, " superseded by another deployment"]);
    }
    if !skipped.is_empty() {
        let skipped: u32 = skipped.iter().map(|skipped| skipped.count).sum();
        message.extend(["; ", &skipped.to_string(), " skipped"]);
    }
    if let Some(held) = skipped.iter().find(|skipped| skipped.reason == SkipReason::AllOnHold) {
        message.extend(["; ", &held.message]);
    }
    if let Some(by) = &image.by {
        message.extend(["; pushed by ", by.as_str()]);
    }
    message
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
