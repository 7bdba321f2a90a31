//! How an execution ends: what its steps have come to, in one word and one message.

use shared::contract::{
    ImageConclusion, ImageEnd, PlannedRevision, RollbackMethod, ServiceConclusion, ServiceEnd, ServiceId,
    ServiceOutcome, ServiceResult, SkipReason, StateError, UpdateOutcome, Verdict,
};
use shared::error::Error;
use shared::service::title;
use std::collections::{BTreeMap, BTreeSet};

/// How many failed services a message names; the rest is counted.
const NAMED_FAILURES: usize = 10;

/// Concludes one service's execution.
///
/// `redrive_count` is how often the execution has been redriven by now. When it is higher than the count with which
/// the failure came about, an operator wants the service again: then it is put out as `retry`.
///
/// # Errors
///
/// `Deploy.RolledBack` and `Deploy.RollBackFailed` after a rollout that failed; the update's own error when nothing was
/// changed, `Deploy.ServicesFailed` when that was none of ours.
pub fn conclude_service(end: &ServiceEnd, redrive_count: u32) -> Result<ServiceConclusion, Error> {
    let conclusion = |outcome, message, retry| ServiceConclusion {
        cluster: end.cluster.clone(),
        service: end.service.clone(),
        outcome,
        from: end.update.as_ref().and_then(|update| update.previous.clone()),
        to: end.task_definition.clone(),
        message,
        retry,
    };
    match service_outcome(end) {
        Ok((outcome, message)) => Ok(conclusion(Some(outcome), message, Vec::new())),
        Err(_) if redrive_count > end.attempt => {
            let service = ServiceId {
                cluster: end.cluster.clone(),
                service: end.service.clone(),
            };
            let message = format!(
                "{} is deployed again after a redrive",
                title(&end.cluster, &end.service)
            );
            Ok(conclusion(None, message, vec![service]))
        }
        Err(error) => Err(error),
    }
}

fn service_outcome(end: &ServiceEnd) -> Result<(ServiceOutcome, String), Error> {
    let name = title(&end.cluster, &end.service);
    let image = &end.image;
    // The revision that was watched: another one of the push may have been there.
    let watched = end.update.as_ref().and_then(|update| update.rollout.as_ref());
    let to = watched
        .map_or(&end.task_definition, |rollout| &rollout.task_definition)
        .short();
    let retry = "or redrive this execution to try the same image again";
    let Some(update) = &end.update else {
        return Err(unchanged(end, &format!("{name} was not updated to {to} for {image}")));
    };
    match (update.outcome, &end.check, &end.error) {
        (UpdateOutcome::Superseded, _, _) => return Ok((ServiceOutcome::Superseded, update.message.clone())),
        (UpdateOutcome::Busy | UpdateOutcome::Moved, _, _) => {
            return Err(unchanged(end, &format!("{name} was not updated to {to} for {image}")));
        }
        (_, Some(check), None) if check.verdict == Verdict::Stable => {
            let message = format!("{name} is stable on {to}: {}", check.message);
            let was_there = update.outcome == UpdateOutcome::AlreadyDeployed;
            let outcome = if was_there {
                ServiceOutcome::AlreadyDeployed
            } else {
                ServiceOutcome::Deployed
            };
            return Ok((outcome, message));
        }
        (_, Some(check), None) if check.verdict == Verdict::Superseded => {
            return Ok((ServiceOutcome::Superseded, format!("{name}: {}", check.message)));
        }
        _ => {}
    }
    let why = match (&end.error, &end.check) {
        (Some(error), _) => format!("{}: {}", error.error, readable(error)),
        (None, Some(check)) => check.message.clone(),
        (None, None) => "it was never looked at".to_owned(),
    };
    let failed = format!("{name} did not become stable on {to} with {image}: {why}.");
    if let Some(error) = end.roll_back_error.as_ref().filter(|error| is_gone(error)) {
        return Err(Error::NotFound(format!(
            "{failed} Then {}",
            and_nothing_to_do(&readable(error))
        )));
    }
    if let Some(error) = &end.roll_back_error {
        let readable = readable(error);
        return Err(Error::RollBackFailed(format!(
            "{failed} The rollback failed too ({}: {readable}). Look at the service now; push a good image, {retry}",
            error.error
        )));
    }
    let Some(rollback) = &end.roll_back else {
        return Err(if end.error.as_ref().is_some_and(is_gone) {
            Error::NotFound(and_nothing_to_do(&format!("{failed} There is no service to roll back")))
        } else {
            Error::RollBackFailed(format!(
                "{failed} It was not rolled back. Look at the service now; push a good image, {retry}"
            ))
        });
    };
    let displaced = |message: &str| {
        Err(Error::RolledBack(format!(
            "{failed} It is not on it any more: {message}. Fix the image and push again, {retry}"
        )))
    };
    match rollback.method {
        RollbackMethod::Superseded => {
            return Ok((
                ServiceOutcome::RollBackSuperseded,
                format!("{failed} {}", rollback.message),
            ));
        }
        RollbackMethod::Displaced => return displaced(&rollback.message),
        _ => {}
    }
    let back = rollback
        .rollout
        .as_ref()
        .map_or("the last good revision", |rollout| rollout.task_definition.short());
    match end
        .roll_back_check
        .as_ref()
        .map(|check| (check.verdict, &check.message))
    {
        Some((Verdict::Stable, _)) if rollback.has_image => Ok((
            ServiceOutcome::Deployed,
            format!("{failed} It is stable on {back}, which has the image too"),
        )),
        Some((Verdict::Stable, _)) => Err(Error::RolledBack(format!(
            "{failed} It is back on {back} and stable. Fix the image and push again, {retry}"
        ))),
        Some((Verdict::Superseded, message)) => Ok((ServiceOutcome::RollBackSuperseded, format!("{failed} {message}"))),
        Some((Verdict::Displaced, message)) => displaced(message),
        other => {
            let why = other.map_or("it was never looked at", |(_, message)| message.as_str());
            Err(Error::RollBackFailed(format!(
                "{failed} The rollback to {back} failed too: {why}. Look at the service now; push a good image, {retry}"
            )))
        }
    }
}

/// What is to be done about something that is gone, unless `message` says it.
fn and_nothing_to_do(message: &str) -> String {
    let hint = "if it was deleted on purpose, there is nothing to do";
    if message.contains(hint) {
        message.to_owned()
    } else {
        format!("{message}; {hint}")
    }
}

fn is_gone(error: &StateError) -> bool {
    error.error == "Deploy.NotFound"
}

/// The error of a service that was not changed: by the name under which the update threw it.
fn unchanged(end: &ServiceEnd, what: &str) -> Error {
    let Some(error) = &end.error else {
        return Error::ServicesFailed(format!("{what}; redrive this execution to try again"));
    };
    let says = format!("{what}: {}. Nothing was changed", readable(error));
    let message = format!("{says}; redrive this execution to try again");
    match error.error.as_str() {
        "Deploy.RolledBack" => Error::RolledBack(format!(
            "{says}; fix the image and push again, or redrive this execution to try the same image again"
        )),
        "Deploy.NotFound" => Error::NotFound(message),
        "Deploy.Rejected" => Error::Rejected(message),
        "Deploy.InvalidInput" => Error::InvalidInput(message),
        _ => Error::ServicesFailed(message),
    }
}

/// What an error's cause says to a person. Lambda puts a JSON object there, with the message in it.
#[must_use]
pub fn readable(error: &StateError) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(&error.cause).ok();
    let message = parsed
        .as_ref()
        .and_then(|cause| cause.get("errorMessage"))
        .and_then(|message| message.as_str());
    match message.unwrap_or(&error.cause) {
        "" => error.error.clone(),
        message => message.to_owned(),
    }
}

/// Concludes a push's execution.
///
/// `tag_latest` is the setting; the image is to be tagged only when there are services or families on it, every one
/// of them ended there, and none was left out because a newer push is on it.
///
/// # Errors
///
/// `Deploy.ServicesFailed`, naming each service and why, unless the execution was redriven since: then what failed is
/// put out as `retry`.
pub fn conclude_image(end: &ImageEnd, redrive_count: u32, tag_latest: bool) -> Result<ImageConclusion, Error> {
    let ends = ends(end);
    let failed: Vec<&End<'_>> = ends.iter().filter(|end| end.failure.is_some()).collect();
    let succeeded: Vec<ServiceResult> = ends
        .iter()
        .filter_map(|end| end.result.cloned())
        .filter(|result| result.error.is_none())
        .collect();
    if failed.is_empty() {
        let families: Vec<_> = families(end);
        let is_deployed = |result: &ServiceResult| {
            matches!(
                result.outcome,
                Some(ServiceOutcome::Deployed | ServiceOutcome::AlreadyDeployed)
            )
        };
        let everything_stable = end.image.as_ref().is_some_and(|image| !image.tag.is_latest())
            && !end.revisions.is_empty()
            && succeeded.iter().all(is_deployed)
            // Where a newer push is deployed already, `latest` is that one's.
            && end.skipped.iter().all(|skipped| skipped.reason != SkipReason::Superseded);
        return Ok(ImageConclusion {
            image: end.image.clone(),
            message: summary(end, &succeeded, families.len()),
            services: succeeded,
            families,
            skipped: end.skipped.clone(),
            retry: Vec::new(),
            tag_latest: tag_latest && everything_stable,
        });
    }
    if redrive_count > end.attempt {
        return Ok(ImageConclusion {
            image: end.image.clone(),
            message: format!("{} of {} are deployed again after a redrive", failed.len(), ends.len()),
            services: succeeded,
            families: families(end),
            skipped: end.skipped.clone(),
            retry: retry(end, &failed),
            tag_latest: false,
        });
    }
    Err(Error::ServicesFailed(failure(end, &failed, ends.len())))
}

/// How one service, or one family without a service, ended.
struct End<'a> {
    revision: &'a PlannedRevision,
    service: Option<&'a ServiceId>,
    result: Option<&'a ServiceResult>,
    failure: Option<String>,
}

fn ends(end: &ImageEnd) -> Vec<End<'_>> {
    let mut services: BTreeMap<(&str, &str), &ServiceResult> = BTreeMap::new();
    let mut revisions = BTreeMap::new();
    for result in &end.results {
        revisions.insert(&result.source, result);
        for service in &result.services {
            services.insert((service.cluster.as_str(), service.service.as_str()), service);
        }
    }
    let mut ends = Vec::new();
    for planned in &end.revisions {
        let revision = revisions.get(&planned.task_definition).copied();
        let unregistered = match revision {
            None => Some("it was never tried".to_owned()),
            Some(result) => result.error.as_ref().map(readable),
        };
        if planned.services.is_empty() {
            ends.push(End {
                revision: planned,
                service: None,
                result: None,
                failure: unregistered.clone(),
            });
        }
        for id in &planned.services {
            let result = services.get(&(id.cluster.as_str(), id.service.as_str())).copied();
            let failure = match result {
                Some(result) => match (&result.outcome, &result.error) {
                    (_, Some(error)) => Some(readable(error)),
                    (Some(_), None) => None,
                    (None, None) => Some("it has no outcome".to_owned()),
                },
                None => unregistered.clone().or_else(|| Some("it was never tried".to_owned())),
            };
            ends.push(End {
                revision: planned,
                service: Some(id),
                result,
                failure,
            });
        }
    }
    ends
}

/// The plan, narrowed to what failed.
fn retry(end: &ImageEnd, failed: &[&End<'_>]) -> Vec<PlannedRevision> {
    let is_failed = |planned: &PlannedRevision, service: Option<&ServiceId>| {
        failed
            .iter()
            .any(|failed| std::ptr::eq(failed.revision, planned) && failed.service == service)
    };
    let narrowed = end.revisions.iter().filter_map(|planned| {
        let services: Vec<ServiceId> = planned
            .services
            .iter()
            .filter(|service| is_failed(planned, Some(service)))
            .cloned()
            .collect();
        let family_failed = planned.services.is_empty() && is_failed(planned, None);
        (family_failed || !services.is_empty()).then(|| PlannedRevision {
            services,
            ..planned.clone()
        })
    });
    narrowed.collect()
}

/// The revisions registered for families without a service.
fn families(end: &ImageEnd) -> Vec<shared::arn::TaskDefinitionArn> {
    let standalone: BTreeSet<_> = end
        .revisions
        .iter()
        .filter(|planned| planned.services.is_empty())
        .map(|planned| &planned.task_definition)
        .collect();
    let results = end.results.iter().filter(|result| standalone.contains(&result.source));
    let registered: BTreeSet<_> = results.filter_map(|result| result.task_definition.clone()).collect();
    registered.into_iter().collect()
}

fn summary(end: &ImageEnd, services: &[ServiceResult], families: usize) -> String {
    let Some(image) = end.image.as_ref().filter(|_| !end.revisions.is_empty()) else {
        let reasons: Vec<&str> = end.skipped.iter().map(|skipped| skipped.message.as_str()).collect();
        return if reasons.is_empty() {
            "nothing to deploy".to_owned()
        } else {
            reasons.join("; ")
        };
    };
    let superseded = services
        .iter()
        .filter(|service| {
            matches!(
                service.outcome,
                Some(ServiceOutcome::Superseded | ServiceOutcome::RollBackSuperseded)
            )
        })
        .count();
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
    if !end.skipped.is_empty() {
        message.extend(["; ", &end.skipped.len().to_string(), " left out"]);
    }
    message
}

fn failure(end: &ImageEnd, failed: &[&End<'_>], all: usize) -> String {
    let image = end.image.as_ref().map(ToString::to_string).unwrap_or_default();
    let named = failed.iter().take(NAMED_FAILURES).map(|end| {
        let why = end.failure.as_deref().unwrap_or_default();
        let resource = match end.service {
            Some(id) => title(&id.cluster, &id.service),
            None => format!("family {}", end.revision.family),
        };
        if why.starts_with(&resource) {
            format!("- {why}")
        } else {
            format!("- {resource}: {why}")
        }
    });
    let mut message = format!(
        "{image}: {} of {all} failed.\n{}",
        failed.len(),
        named.collect::<Vec<_>>().join("\n")
    );
    if failed.len() > NAMED_FAILURES {
        let more = (failed.len() - NAMED_FAILURES).to_string();
        message.extend(["\n- and ", &more, " more: see the executions of deploy-service"]);
    }
    message + "\nRedrive this execution to deploy the same image again to what failed, and only to that."
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
