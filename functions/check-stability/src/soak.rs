//! A soak is over when everything that a push has deployed so far is stable on its image still: the step "Still stable?".

use ecr_deploy::aws::ecs::{Ecs, SERVICES_PER_CALL};
use ecr_deploy::contract::{ServiceOutcome, StillStableInput, StillStableOutput};
use ecr_deploy::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{RolloutState, Service, ServiceStatus, title};
use ecr_deploy::domain::task_definition::Outline;
use ecr_deploy::error::Error;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeMap;

/// How many services are named; the rest is counted.
const NAMED: usize = 10;
/// How many calls are under way at once.
const CONCURRENT_CALLS: usize = 10;

/// Asks whether every service that was deployed so far is stable on the image. It changes nothing.
///
/// # Errors
///
/// `Deploy.NotStable` that names those which are not, and what each does instead; as [`Ecs::clusters`] by ECS.
pub async fn still_stable(ecs: &Ecs, asked: &StillStableInput) -> Result<StillStableOutput, Error> {
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
    let unstable: Vec<String> = services
        .iter()
        .filter_map(|service| {
            let revision = service
                .primary()
                .and_then(|primary| revisions.get(&primary.task_definition));
            let why = unstable(service, revision.and_then(Option::as_ref), &asked.image)?;
            Some(format!("- {}: {why}", title(&service.cluster, &service.name)))
        })
        .collect();
    if unstable.is_empty() {
        let stable = u32::try_from(services.len()).unwrap_or(u32::MAX);
        return Ok(StillStableOutput { stable });
    }
    let told = unstable.iter().take(NAMED).map(String::as_str);
    let more = unstable.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("- and {more} more"));
    let lines: Vec<&str> = told.chain(more.as_deref()).collect();
    Err(Error::NotStable(format!(
        "{}: after the soak {} of {} services are not stable on it any more, so the stages behind them were not reached.\n{}\nLook \
         at them; redrive this execution to ask again and go on",
        asked.image,
        unstable.len(),
        services.len(),
        lines.join("\n")
    )))
}

/// Why a service is not stable on the image; `None` where it is, or is being deleted.
fn unstable(service: &Service, revision: Option<&Outline>, image: &PushedImage) -> Option<String> {
    if service.status != ServiceStatus::Active {
        return None;
    }
    let Some(primary) = service.primary() else {
        return Some("it shows no deployment of its own".to_owned());
    };
    let on = primary.task_definition.short();
    match revision {
        Some(revision) if revision.has_digest(image) => {}
        _ => return Some(format!("it is on {on}, which has another image")),
    }
    let (running, desired) = (primary.running_count, primary.desired_count);
    let is_complete = matches!(primary.rollout_state, None | Some(RolloutState::Completed)) || service.draining() > 0;
    let incomplete = if is_complete {
        ""
    } else {
        ", and its rollout is not complete"
    };
    (running < desired || !is_complete).then(|| format!("{running} of {desired} tasks of {on} running{incomplete}"))
}

#[cfg(test)]
mod tests;
