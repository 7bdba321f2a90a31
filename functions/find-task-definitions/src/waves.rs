//! The order of a plan: a stage that comes `after` another one waits for it, or for an image that it has had stable.
//!
//! The first wave has the services whose stages wait for none; each later wave begins when all before it is stable.

use crate::plan::{self, Planned, id_of, id_of_planned};
use crate::policy::{self, Missing};
use crate::stage::{Candidate, Owner, Stage, Stages};
use ecr_deploy::contract::{PlannedRevision, PlannedService, Skipped, StageTag, Wave};
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{Service, ServiceStatus, title};
use ecr_deploy::domain::stage::{RolloutSettings, StageName};
use ecr_deploy::domain::task_definition::Outlines;
use std::collections::{BTreeMap, BTreeSet};

/// A plan in waves, and the entries skipped from it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Waves {
    /// The waves, the first one first. None is empty; the first one may be of a stage that comes after another one.
    pub waves: Vec<Wave>,
    /// By which settings what is planned is deployed, each named by its place.
    pub settings: Vec<RolloutSettings>,
    /// The tags that the image gets once a stage is stable on it.
    pub tags: Vec<StageTag>,
    /// The entries that are not promoted, since their stage comes after one that has not had this image stable; and the
    /// tags that the image does not get.
    pub skipped: Vec<Skipped>,
}

/// Puts a plan in order.
///
/// A stage waits for the services of the stage before it that run the repository. Each of them must be in an earlier wave of
/// this plan, or run this very digest in a complete rollout: so an image is promoted by a new tag. Where one does neither,
/// nothing of the stage is deployed; nor where ECS does not describe its revision. A stage before it without such a service
/// keeps nothing back by itself: then the nearest one before that which has some is asked. By the same rule a stage gives the
/// image its tag only where none of its own services is missing.
///
/// A revision that services of several stages run is planned once for each way in which these deploy.
///
/// - `services`: every service of the clusters read, with its primary deployment
/// - `definitions`: the revisions that they run
/// - `planned`: what is to be deployed, with the stage of each
#[must_use]
pub fn waves(
    stages: &Stages,
    image: &PushedImage,
    services: &[Service],
    definitions: &Outlines,
    planned: &Planned,
) -> Waves {
    let asks_what_runs = |stage: &Stage| stage.after.is_some() || stage.tag_on_success.is_some();
    let running = if stages.iter().any(asks_what_runs) {
        running(stages, image, services, definitions)
    } else {
        Vec::new()
    };
    let kept_back = kept_back(stages, &running, planned);
    let named = planned.stages.values().chain(planned.families.values());
    let planned_stages: BTreeSet<&StageName> = named.filter(|stage| !kept_back.contains_key(stage)).collect();
    let ways = Ways::of(stages.iter().filter(|stage| planned_stages.contains(&stage.name)));
    let mut skipped = Vec::new();
    let mut levels: BTreeMap<usize, Vec<PlannedRevision>> = BTreeMap::new();
    for revision in &planned.revisions {
        // Those that are deployed together, in the same way.
        let mut parts: BTreeMap<(usize, u32), PlannedRevision> = BTreeMap::new();
        for (resource, stage, service) in members(revision, planned) {
            if let Some((stage, kept)) = stage.and_then(|stage| kept_back.get_key_value(stage)) {
                let stages = [stage, kept.before];
                skipped.push(policy::not_promoted(image, resource, stages, &kept.missing));
                continue;
            }
            let (level, settings) = (level(stages, stage), ways.place(stage));
            let part = parts.entry((level, settings)).or_insert_with(|| PlannedRevision {
                settings,
                services: Vec::new(),
                ..revision.clone()
            });
            part.services.extend(service.cloned());
        }
        for ((level, _), revision) in parts {
            levels.entry(level).or_default().push(revision);
        }
    }
    let mut tags = Vec::new();
    for (stage, settings, tag) in ways.tags {
        let is_planned = |of: &Running<'_>| planned.stages.get(&id_of(of.service)) == Some(stage);
        match missing(&running, stage, is_planned) {
            Some(missing) => skipped.push(policy::not_tagged(image, tag, stage, &missing)),
            None => tags.push(StageTag {
                settings,
                tag: tag.clone(),
            }),
        }
    }
    let waves = levels
        .into_iter()
        .filter_map(|(level, revisions)| wave(stages, level, &planned_stages, revisions));
    Waves {
        waves: waves.collect(),
        settings: ways.all,
        tags,
        skipped,
    }
}

/// Why a stage is kept back: of the stage `before` it, these services are `missing`.
struct KeptBack<'a> {
    before: &'a StageName,
    missing: Missing,
}

/// The stages that do not get the image by this push, since one before them has not had it stable.
fn kept_back<'a>(
    stages: &'a Stages,
    running: &[Running<'_>],
    planned: &Planned,
) -> BTreeMap<&'a StageName, KeptBack<'a>> {
    let mut kept_back: BTreeMap<&StageName, KeptBack<'_>> = BTreeMap::new();
    for stage in by_level(stages) {
        let has_services = |before: &&Stage| running.iter().any(|of| *of.stage == before.name);
        let Some(before) = stages.before(stage).find(has_services).map(|before| &before.name) else {
            continue;
        };
        let is_planned = |of: &Running<'_>| {
            !kept_back.contains_key(before) && planned.stages.get(&id_of(of.service)) == Some(before)
        };
        if let Some(missing) = missing(running, before, is_planned) {
            kept_back.insert(&stage.name, KeptBack { before, missing });
        }
    }
    kept_back
}

/// A service or a family by its name in a message, with its stage; the service as it is planned.
type Member<'a> = (String, Option<&'a StageName>, Option<&'a PlannedService>);

/// Returns the services that a planned revision is deployed to, or its family where it has none.
fn members<'a>(revision: &'a PlannedRevision, planned: &'a Planned) -> Vec<Member<'a>> {
    if revision.services.is_empty() {
        let family = format!("family {}", revision.task_definition.family());
        return vec![(family, planned.families.get(&revision.task_definition), None)];
    }
    let member = |service: &'a PlannedService| {
        let title = title(&service.cluster, &service.service);
        (title, planned.stages.get(&id_of_planned(service)), Some(service))
    };
    revision.services.iter().map(member).collect()
}

/// The ways in which the stages of a plan deploy. Stages of the same settings share one, but a stage that tags the image has its
/// own: so it can be told when it is stable.
#[derive(Default)]
struct Ways<'a> {
    all: Vec<RolloutSettings>,
    of_stages: BTreeMap<&'a StageName, u32>,
    tags: Vec<(&'a StageName, u32, &'a ImageTag)>,
}

impl<'a> Ways<'a> {
    fn of(stages: impl Iterator<Item = &'a Stage>) -> Self {
        let mut ways = Self::default();
        for stage in stages {
            let is_shared = |place: &u32| ways.tags.iter().all(|(_, tagged, _)| tagged != place);
            let mut places = (0..).zip(&ways.all);
            let same = places.find(|(place, settings)| **settings == stage.settings && is_shared(place));
            let same = same.filter(|_| stage.tag_on_success.is_none()).map(|(place, _)| place);
            let place = same.unwrap_or_else(|| {
                ways.all.push(stage.settings.clone());
                u32::try_from(ways.all.len() - 1).unwrap_or(u32::MAX)
            });
            ways.of_stages.insert(&stage.name, place);
            let tag = stage.tag_on_success.as_ref();
            ways.tags.extend(tag.map(|tag| (&stage.name, place, tag)));
        }
        ways
    }

    fn place(&self, stage: Option<&StageName>) -> u32 {
        stage
            .and_then(|stage| self.of_stages.get(stage))
            .copied()
            .unwrap_or_default()
    }
}

/// The services of `stage` that run the repository and neither are in the plan nor have the image stable.
fn missing(running: &[Running<'_>], stage: &StageName, is_planned: impl Fn(&Running<'_>) -> bool) -> Option<Missing> {
    let of_stage = running.iter().filter(|of| of.stage == stage);
    let missing = of_stage.filter(|of| !is_planned(of) && !of.is_stable_on_image);
    let missing: Vec<&Service> = missing.map(|of| of.service).collect();
    Missing::of(&missing)
}

/// A service that runs the repository, or may, in a stage.
struct Running<'a> {
    service: &'a Service,
    stage: &'a StageName,
    is_stable_on_image: bool,
}

fn running<'a>(
    stages: &'a Stages,
    image: &PushedImage,
    services: &'a [Service],
    definitions: &Outlines,
) -> Vec<Running<'a>> {
    // One that is being deleted never comes to the image, and a stage that waits for it would wait for ever.
    let there = services
        .iter()
        .filter(|service| service.status == ServiceStatus::Active);
    let of_each = there.filter_map(|service| {
        let definition = plan::running(service, definitions, image);
        // A service that is there may run the repository: the order does not rest on what nobody knows.
        let unknown = || plan::unknown(service, definitions);
        let family = match definition {
            Some(definition) => definition.arn().family(),
            None => unknown()?.family(),
        };
        let candidate = Candidate {
            service: Some((service.cluster.as_str(), service.name.as_str())),
            family,
            repository: image.repository.as_str(),
            own: service.tags.stage.as_deref(),
        };
        let Owner::Stage(stage) = stages.owner(&candidate) else {
            return None;
        };
        Some(Running {
            service,
            stage: &stage.name,
            is_stable_on_image: definition.is_some_and(|definition| {
                service.is_steady()
                    && service
                        .primary()
                        .is_some_and(|primary| primary.task_definition == *definition.arn())
                    && definition.has_digest(image)
            }),
        })
    });
    of_each.collect()
}

/// Every stage, those first that others come after.
fn by_level(stages: &Stages) -> Vec<&Stage> {
    let mut all: Vec<&Stage> = stages.iter().collect();
    all.sort_by_key(|stage| stages.level(&stage.name));
    all
}

fn level(stages: &Stages, stage: Option<&StageName>) -> usize {
    stage.map_or(0, |stage| stages.level(stage))
}

/// The wave of a level, whose soak is the longest of those of its stages that are `in_push`; `None` where it holds nothing.
fn wave(
    stages: &Stages,
    level: usize,
    in_push: &BTreeSet<&StageName>,
    revisions: Vec<PlannedRevision>,
) -> Option<Wave> {
    let of_level = |stage: &&Stage| stages.level(&stage.name) == level && in_push.contains(&stage.name);
    let all: Vec<&Stage> = stages.iter().filter(of_level).collect();
    (!revisions.is_empty()).then(|| Wave {
        stages: all.iter().map(|stage| stage.name.clone()).collect(),
        soak: all.iter().map(|stage| stage.soak).max().unwrap_or_default(),
        revisions,
    })
}

#[cfg(test)]
mod tests;
