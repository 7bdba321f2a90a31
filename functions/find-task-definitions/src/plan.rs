//! A plan says what a push is to change: which revisions in use run its repository, which services run those, and what
//! is skipped. Why something is skipped is for [`crate::policy`] to say.

use crate::policy;
use crate::stage::{Stage, Stages};
use ecr_deploy::contract::{PlannedRevision, PlannedService, ServiceId, Skipped};
use ecr_deploy::domain::arn::{RevisionName, TaskDefinitionArn};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::Service;
use ecr_deploy::domain::stage::StageName;
use ecr_deploy::domain::task_definition::{Outline, Outlines};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The planned revisions, and the skipped services.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// One entry per revision in use that runs the image's repository, in the order of their ARNs.
    pub revisions: Vec<PlannedRevision>,
    /// The stage that owns each planned service.
    pub stages: BTreeMap<ServiceId, StageName>,
    /// The stage that owns each planned family without a service, by the family's revision.
    pub families: BTreeMap<RevisionName, StageName>,
    /// The skipped services and families, each with its reason.
    pub skipped: Vec<Skipped>,
}

/// Plans the deployment of `image`.
///
/// A service takes part when a revision that it runs has a container of the image's repository; so does a family
/// without a service by its newest revision. Everything else that runs the repository, or may run it, is `skipped` with
/// its reason. Services of other repositories are not mentioned.
///
/// Revisions with services come first: somebody waits for them. Else the order is that of the ARNs.
///
/// - `stages`: what says whose a service is, and which tags may move it
/// - `services`: every service of the clusters read, in whatever state, in any order
/// - `definitions`: the revisions that the services run; `None` where ECS does not describe one any more
/// - `standalone`: the newest ACTIVE revision of each family without a service
/// - `now`: a push that is recorded as of a time after it is ignored, with a warning among what is skipped
#[must_use]
pub fn plan(
    stages: &Stages,
    image: &PushedImage,
    services: &[Service],
    definitions: &Outlines,
    standalone: &[Outline],
    now: Timestamp,
) -> Planned {
    let mut revisions: BTreeMap<TaskDefinitionArn, PlannedRevision> = BTreeMap::new();
    let (mut of_services, mut of_families, mut skipped) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for service in services {
        match place(stages, image, service, definitions, now) {
            Ok(None) => {}
            Err(why) => skipped.push(why),
            Ok(Some((definition, stage))) => {
                of_services.insert(id_of(service), stage.name.clone());
                let service = PlannedService {
                    cluster: service.cluster.clone(),
                    service: service.name.clone(),
                    stage: None,
                    after: 0,
                };
                let planned = revisions
                    .entry(definition.arn().clone())
                    .or_insert_with(|| planned(definition));
                planned.services.push(service);
            }
        }
    }
    let runs_it = |definition: &&Outline| !definition.containers_of(image).is_empty();
    for definition in standalone.iter().filter(runs_it) {
        match policy::stage(stages, image, None, definition, now) {
            Err(why) => skipped.push(why),
            Ok(stage) => {
                of_families.insert(definition.arn().name(), stage.name.clone());
                revisions
                    .entry(definition.arn().clone())
                    .or_insert_with(|| planned(definition));
            }
        }
    }
    for planned in revisions.values_mut() {
        planned.services.sort_by_cached_key(id_of_planned);
    }
    let known = definitions.values().flatten().chain(standalone);
    let known: BTreeMap<_, _> = known.map(|definition| (definition.arn(), definition)).collect();
    let planned = revisions.keys().filter_map(|revision| known.get(revision));
    skipped.extend(planned.flat_map(|definition| policy::warnings(image, definition, now)));
    let (in_service, standalone): (Vec<_>, Vec<_>) = revisions
        .into_values()
        .partition(|planned| !planned.services.is_empty());
    Planned {
        revisions: in_service.into_iter().chain(standalone).collect(),
        stages: of_services,
        families: of_families,
        skipped,
    }
}

/// The revision by which a service runs the repository, and the stage by which it is deployed to; `None` where it does not run it.
/// The error says why it is skipped although it does, or may.
fn place<'a>(
    stages: &'a Stages,
    image: &PushedImage,
    service: &Service,
    definitions: &'a Outlines,
    now: Timestamp,
) -> Result<Option<(&'a Outline, &'a Stage)>, Skipped> {
    let (running, unknown) = (running(service, definitions, image), unknown(service, definitions));
    if running.is_none() && unknown.is_none() && !service.task_definitions.is_empty() {
        return Ok(None);
    }
    if let Some(skipped) = policy::service(image, service) {
        return Err(skipped);
    }
    let Some(definition) = running else {
        return Err(policy::revision_not_found(image, service, unknown));
    };
    let stage = policy::stage(stages, image, Some(service), definition, now)?;
    Ok(Some((definition, stage)))
}

/// The first revision by which a service runs the repository of an image.
#[must_use]
pub fn running<'a>(service: &Service, definitions: &'a Outlines, image: &PushedImage) -> Option<&'a Outline> {
    let named = service.task_definitions.iter();
    let mut known = named.filter_map(|revision| definitions.get(revision)?.as_ref());
    known.find(|known| !known.containers_of(image).is_empty())
}

/// The first revision of a service that ECS does not describe.
pub(crate) fn unknown<'a>(service: &'a Service, definitions: &Outlines) -> Option<&'a TaskDefinitionArn> {
    let mut named = service.task_definitions.iter();
    named.find(|revision| definitions.get(*revision).is_none_or(Option::is_none))
}

/// A service by its names.
#[must_use]
pub fn id_of(service: &Service) -> ServiceId {
    ServiceId {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
    }
}

/// The same of a service that is planned.
#[must_use]
pub fn id_of_planned(service: &PlannedService) -> ServiceId {
    ServiceId {
        cluster: service.cluster.clone(),
        service: service.service.clone(),
    }
}

fn planned(definition: &Outline) -> PlannedRevision {
    PlannedRevision {
        task_definition: definition.arn().name(),
        after: 0,
        settings: 0,
        services: Vec::new(),
    }
}

/// How many of what is skipped for one reason are named; the rest is counted.
const NAMED_SKIPPED: usize = 20;

/// Bounds what is skipped, so that it never keeps the rest from fitting into an execution: of each reason, what is more
/// than twenty becomes one entry that has its number.
#[must_use]
pub fn bounded(skipped: Vec<Skipped>) -> Vec<Skipped> {
    let mut bounded: Vec<Skipped> = Vec::new();
    let mut more: Vec<Skipped> = Vec::new();
    for skipped in skipped {
        let of_reason = |other: &&Skipped| other.reason == skipped.reason;
        if bounded.iter().filter(of_reason).count() < NAMED_SKIPPED {
            bounded.push(skipped);
            continue;
        }
        let place = more.iter().position(|other| other.reason == skipped.reason);
        let place = place.unwrap_or_else(|| {
            more.push(Skipped {
                resource: String::new(),
                message: "skipped for the same reason; the log of find-task-definitions names each".to_owned(),
                count: 0,
                reason: skipped.reason,
            });
            more.len() - 1
        });
        more[place].count += skipped.count;
        more[place].resource = format!("{} more", more[place].count);
    }
    bounded.extend(more);
    bounded
}

#[cfg(test)]
mod tests;
