//! A soak is over when everything that a push has deployed so far is stable on its image still: the step "Still stable?".
//!
//! A service may lack a task for a moment: its host is gone, or it has just been scaled out. So one that lacks nothing else is asked
//! for again for a while, by an error that the state machine retries.

use ecr_deploy::aws::ecs::{Ecs, SERVICES_PER_CALL};
use ecr_deploy::contract::{ServiceOutcome, StillStableInput, StillStableOutput};
use ecr_deploy::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{RolloutState, Service, ServiceStatus, StoppedTask, title};
use ecr_deploy::domain::task_definition::Outline;
use ecr_deploy::error::Error;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How many services are named; the rest is counted.
const NAMED: usize = 10;
/// How many calls are under way at once.
const CONCURRENT_CALLS: usize = 10;
/// For how long a service may lack tasks, and for how long a crash is the reason.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// A service that is not stable on the image.
#[derive(Debug, PartialEq, Eq)]
struct Unstable {
    /// Why.
    why: String,
    /// True if it only lacks tasks, which ECS may be about to start.
    lacks_tasks: bool,
}

/// Asks whether every service that was deployed so far is stable on the image. It changes nothing.
///
/// # Errors
///
/// `Deploy.NotStable` that names those which are not, and what each does instead; `Deploy.Unavailable` while they only lack tasks;
/// as [`Ecs::clusters`] by ECS.
pub async fn still_stable(ecs: &Ecs, asked: &StillStableInput, now: Timestamp) -> Result<StillStableOutput, Error> {
    let mut names: BTreeMap<&ClusterName, Vec<ServiceName>> = BTreeMap::new();
    for service in &asked.soaked {
        if service.outcome != ServiceOutcome::ServiceDeleted {
            names.entry(&service.cluster).or_default().push(service.service.clone());
        }
    }
    let batches = names
        .iter()
        .flat_map(|(cluster, names)| names.chunks(SERVICES_PER_CALL).map(move |batch| (*cluster, batch)));
    let described = stream::iter(batches)
        .map(
            async |(cluster, batch)| match ecs.describe_service_batch(cluster, batch, None).await {
                Ok(described) => Ok(described.services),
                // Its services went with it.
                Err(Error::NotFound(_)) => Ok(Vec::new()),
                Err(error) => Err(error),
            },
        )
        .buffered(CONCURRENT_CALLS);
    let services: Vec<Service> = described.try_concat().await?;
    let revisions: Vec<TaskDefinitionArn> = services
        .iter()
        .filter_map(|service| Some(service.primary()?.task_definition.clone()))
        .collect();
    let revisions = ecs.outlines_of(stream::iter(revisions)).await?;
    let unstable: Vec<(&Service, Unstable)> = services
        .iter()
        .filter_map(|service| {
            let revision = service
                .primary()
                .and_then(|primary| revisions.get(&primary.task_definition));
            let unstable = unstable(service, revision.and_then(Option::as_ref), &asked.image)?;
            Some((service, unstable))
        })
        .collect();
    if unstable.is_empty() {
        let stable = u32::try_from(services.len()).unwrap_or(u32::MAX);
        return Ok(StillStableOutput { stable });
    }
    let says = says(asked, &unstable, services.len());
    let may_pass = now.duration_since(asked.since) < PATIENCE && unstable.iter().all(|(_, it)| it.lacks_tasks);
    if may_pass && !any_crashed(ecs, &unstable, now).await? {
        return Err(Error::Unavailable(says));
    }
    Err(Error::NotStable(format!(
        "{says}\nLook at them; redrive this execution to ask again and go on"
    )))
}

/// Which services are not stable, and what each does instead.
fn says(asked: &StillStableInput, unstable: &[(&Service, Unstable)], services: usize) -> String {
    let told = unstable.iter().take(NAMED);
    let told = told.map(|(service, it)| format!("- {}: {}", title(&service.cluster, &service.name), it.why));
    let more = unstable.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("- and {more} more"));
    let lines: Vec<String> = told.chain(more).collect();
    format!(
        "{}: after the soak {} of {services} services are not stable on it any more, so the stages behind them were not reached.\n{}",
        asked.image,
        unstable.len(),
        lines.join("\n")
    )
}

/// True if a task of what any of the services is on has crashed lately.
async fn any_crashed(ecs: &Ecs, unstable: &[(&Service, Unstable)], now: Timestamp) -> Result<bool, Error> {
    let mut read = stream::iter(unstable)
        .map(async |(service, _)| {
            let stopped = ecs.stopped_tasks(&service.cluster, &service.name).await?;
            Ok::<_, Error>(stopped.iter().any(|task| crashed_lately(service, task, now)))
        })
        .buffered(CONCURRENT_CALLS);
    while let Some(crashed) = read.try_next().await? {
        if crashed {
            return Ok(true);
        }
    }
    Ok(false)
}

fn crashed_lately(service: &Service, task: &StoppedTask, now: Timestamp) -> bool {
    let is_late = task.stopped_at.is_none_or(|at| now.duration_since(at) < PATIENCE);
    let is_of_primary = service.primary().is_some_and(|primary| primary.id == task.started_by);
    is_late && is_of_primary && task.crashed()
}

/// Why a service is not stable on the image; `None` where it is, or is being deleted.
fn unstable(service: &Service, revision: Option<&Outline>, image: &PushedImage) -> Option<Unstable> {
    let otherwise = |why: String| Unstable {
        why,
        lacks_tasks: false,
    };
    if service.status != ServiceStatus::Active {
        return None;
    }
    let Some(primary) = service.primary() else {
        return Some(otherwise("it shows no deployment of its own".to_owned()));
    };
    let on = primary.task_definition.short();
    match revision {
        Some(revision) if revision.has_digest(image) => {}
        _ => return Some(otherwise(format!("it is on {on}, which has another image"))),
    }
    let (running, desired) = (primary.running_count, primary.desired_count);
    let is_complete = matches!(primary.rollout_state, None | Some(RolloutState::Completed)) || service.draining() > 0;
    let incomplete = if is_complete {
        ""
    } else {
        ", and its rollout is not complete"
    };
    (running < desired || !is_complete).then(|| Unstable {
        why: format!("{running} of {desired} tasks of {on} running{incomplete}"),
        lacks_tasks: is_complete,
    })
}

#[cfg(test)]
mod tests;
