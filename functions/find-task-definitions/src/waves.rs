//! The order of a plan: a stage that comes `after` another one waits for it, or for an image that it has had stable.
//!
//! What is planned for stages that wait for none is the first wave; each later one begins when all before it is stable.

use crate::policy;
use crate::stage::{Candidate, Owner, Stage, Stages};
use shared::arn::{RevisionName, TaskDefinitionArn};
use shared::config::StageName;
use shared::contract::{PlannedRevision, ServiceId, Skipped, Wave};
use shared::push::PushedImage;
use shared::service::Service;
use shared::task_definition::Outline;
use std::collections::{BTreeMap, BTreeSet};

/// What is planned in waves, and what is skipped of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Waves {
    /// The waves, the first one first. None is empty; the first one may be of a stage that comes after another one.
    pub waves: Vec<Wave>,
    /// What is not promoted: its stage comes after one that has not had this image stable.
    pub skipped: Vec<Skipped>,
}

/// The stage of each thing that is planned.
#[derive(Debug, Clone, Copy)]
pub struct Owners<'a> {
    /// The stage of each planned service.
    pub of_services: &'a BTreeMap<ServiceId, StageName>,
    /// The stage of each planned family without a service, by the family's revision.
    pub of_families: &'a BTreeMap<RevisionName, StageName>,
}

/// Puts a plan in order.
///
/// A stage waits for the services of the stage before it that run the repository. Each of them must be in an earlier wave of
/// this plan, or run this very digest in a complete rollout: so an image is promoted by a new tag. Where one does neither,
/// nothing of the stage is deployed. A stage before it without such a service keeps nothing back.
///
/// - `services`: every service of the clusters looked at, with its primary deployment
/// - `definitions`: the revisions that they run
/// - `planned`: one entry per revision in use that is to be deployed
#[must_use]
pub fn waves(
    stages: &Stages,
    image: &PushedImage,
    services: &[Service],
    definitions: &BTreeMap<TaskDefinitionArn, Option<Outline>>,
    planned: Vec<PlannedRevision>,
    owners: &Owners<'_>,
) -> Waves {
    if stages.iter().all(|stage| stage.after().is_none()) {
        return Waves {
            waves: wave(stages, 0, owners, planned).into_iter().collect(),
            skipped: Vec::new(),
        };
    }
    let running = running(stages, image, services, definitions);
    let mut skipped = Vec::new();
    let mut kept_back: BTreeSet<&StageName> = BTreeSet::new();
    for stage in by_level(stages) {
        let Some(before) = stage.after() else { continue };
        let is_planned =
            |of: &Running<'_>| !kept_back.contains(before) && owners.of_services.get(&of.id()) == Some(before);
        let missing: Vec<&Running<'_>> = running
            .iter()
            .filter(|of| of.stage == before && !is_planned(of) && !of.is_stable_on_image)
            .collect();
        if let [first, rest @ ..] = missing.as_slice() {
            kept_back.insert(stage.name());
            skipped.push((stage.name(), before, first.service.title(), rest.len()));
        }
    }
    let is_kept_back = |stage: Option<&StageName>| stage.is_some_and(|stage| kept_back.contains(stage));
    let mut not_promoted = Vec::new();
    let mut levels: BTreeMap<usize, Vec<PlannedRevision>> = BTreeMap::new();
    for revision in planned {
        let mut of_levels: BTreeMap<usize, PlannedRevision> = BTreeMap::new();
        let empty = || PlannedRevision {
            services: Vec::new(),
            ..revision.clone()
        };
        if revision.services.is_empty() {
            let stage = owners.of_families.get(&revision.task_definition);
            if is_kept_back(stage) {
                not_promoted
                    .extend(stage.map(|stage| (format!("family {}", revision.task_definition.family()), stage)));
            } else {
                of_levels.insert(level(stages, stage), empty());
            }
        }
        for service in &revision.services {
            let id = ServiceId {
                cluster: service.cluster.clone(),
                service: service.service.clone(),
            };
            let stage = owners.of_services.get(&id);
            if is_kept_back(stage) {
                let title = shared::service::title(&service.cluster, &service.service);
                not_promoted.extend(stage.map(|stage| (title, stage)));
            } else {
                let of_level = of_levels.entry(level(stages, stage)).or_insert_with(empty);
                of_level.services.push(service.clone());
            }
        }
        for (level, revision) in of_levels {
            levels.entry(level).or_default().push(revision);
        }
    }
    let not_promoted = not_promoted.into_iter().filter_map(|(resource, stage)| {
        let (_, before, first, more) = skipped.iter().find(|(name, ..)| *name == stage)?;
        Some(policy::not_promoted(image, resource, [stage, before], first, *more))
    });
    let not_promoted = not_promoted.collect();
    let waves = levels
        .into_iter()
        .filter_map(|(level, revisions)| wave(stages, level, owners, revisions));
    Waves {
        waves: waves.collect(),
        skipped: not_promoted,
    }
}

/// A service that runs the repository, in a stage.
struct Running<'a> {
    service: &'a Service,
    stage: &'a StageName,
    is_stable_on_image: bool,
}

impl Running<'_> {
    fn id(&self) -> ServiceId {
        ServiceId {
            cluster: self.service.cluster.clone(),
            service: self.service.name.clone(),
        }
    }
}

fn running<'a>(
    stages: &'a Stages,
    image: &PushedImage,
    services: &'a [Service],
    definitions: &BTreeMap<TaskDefinitionArn, Option<Outline>>,
) -> Vec<Running<'a>> {
    let of_each = services.iter().filter_map(|service| {
        let known = service.task_definitions.iter();
        let mut known = known.filter_map(|revision| definitions.get(revision)?.as_ref());
        let definition = known.find(|known| !known.containers_of(image).is_empty())?;
        let candidate = Candidate {
            service: Some((service.cluster.as_str(), service.name.as_str())),
            family: definition.arn().family(),
            repository: image.repository.as_str(),
            own: service.tags.stage.as_deref(),
        };
        let Owner::Stage(stage) = stages.owner(&candidate) else {
            return None;
        };
        Some(Running {
            service,
            stage: stage.name(),
            is_stable_on_image: service.is_steady()
                && service
                    .primary()
                    .is_some_and(|primary| primary.task_definition == *definition.arn())
                && definition.has_digest(image),
        })
    });
    of_each.collect()
}

/// Every stage, those first that others come after.
fn by_level(stages: &Stages) -> Vec<&Stage> {
    let mut all: Vec<&Stage> = stages.iter().collect();
    all.sort_by_key(|stage| stages.level(stage.name()));
    all
}

fn level(stages: &Stages, stage: Option<&StageName>) -> usize {
    stage.map_or(0, |stage| stages.level(stage))
}

/// The wave of a level, whose soak is the longest of its stages; `None` where it holds nothing.
fn wave(stages: &Stages, level: usize, owners: &Owners<'_>, revisions: Vec<PlannedRevision>) -> Option<Wave> {
    let of_level = |stage: &&Stage| stages.level(stage.name()) == level;
    let planned: BTreeSet<&StageName> = owners.of_services.values().chain(owners.of_families.values()).collect();
    let all: Vec<&Stage> = stages.iter().filter(of_level).collect();
    let named = all.iter().filter(|stage| planned.contains(stage.name()));
    (!revisions.is_empty()).then(|| Wave {
        stages: named.map(|stage| stage.name().clone()).collect(),
        soak: all.iter().map(|stage| stage.soak()).max().unwrap_or_default(),
        revisions,
    })
}

#[cfg(test)]
mod tests;
