//! The candidates: which service runs an older image than one that its stage takes. Why that is so is for
//! [`crate::judge()`] to say.
//!
//! The rule for what a stage takes is the plan of a push: an image is missing where a push of it would move the
//! service.

use ecr_deploy::contract::ServiceId;
use ecr_deploy::domain::image::{EcrRegistry, ImageDigest, ImageReference, ImageTag, RepositoryName};
use ecr_deploy::domain::push::{PushId, PushedImage};
use ecr_deploy::domain::service::{Service, ServiceStatus};
use ecr_deploy::domain::stage::StageName;
use ecr_deploy::domain::task_definition::{Outline, Outlines};
use ecr_deploy::function::config::Config;
use find_task_definitions::plan::{id_of, id_of_planned, plan, running};
use find_task_definitions::policy;
use find_task_definitions::stage::Stages;
use find_task_definitions::waves::waves;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// An image that is younger is not missed yet: its event may be on its way, and the execution of its push may begin.
/// Where a rollout may take less, that counts.
const SETTLED: SignedDuration = SignedDuration::from_mins(10);

/// How many of the newest images of a repository are considered.
const CONSIDERED: usize = 100;

/// A repository that a container runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    /// Its registry.
    pub registry: EcrRegistry,
    /// Its name.
    pub name: RepositoryName,
}

/// An image that ECR holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its contents.
    pub digest: ImageDigest,
    /// Its names.
    pub tags: Vec<ImageTag>,
    /// When ECR got it. A tag that it gets later does not change that.
    pub pushed_at: Timestamp,
}

/// The part of an account that a sweep reads.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The settings.
    pub config: &'a Config,
    /// Which service is whose, and what is on hold.
    pub stages: &'a Stages,
    /// Every service of the clusters read, with its primary deployment.
    pub services: &'a [Service],
    /// The revisions that they run; `None` where ECS does not describe one any more.
    pub definitions: &'a Outlines,
    /// The time of the sweep.
    pub now: Timestamp,
}

/// A service and the image that it misses.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The service.
    pub service: &'a Service,
    /// The revision that it runs.
    pub running: &'a Outline,
    /// The stage that owns it.
    pub stage: StageName,
    /// The image. Its push is of the time at which ECR got it.
    pub image: PushedImage,
    /// All tags of the image.
    pub tags: Vec<ImageTag>,
}

impl Candidate<'_> {
    /// The service by its names.
    #[must_use]
    pub fn id(&self) -> ServiceId {
        id_of(self.service)
    }
}

/// The push of an image that happened at `at`, as the event with this id would tell it.
#[must_use]
pub fn push_of(repository: &Repository, digest: &ImageDigest, tag: &ImageTag, push: PushId) -> PushedImage {
    PushedImage {
        registry_id: repository.registry.account.clone(),
        region: repository.registry.region.clone(),
        repository: repository.name.clone(),
        tag: tag.clone(),
        digest: digest.clone(),
        push,
        by: None,
    }
}

impl<'a> Account<'a> {
    /// The repositories of ECR that services run, of those that the settings name.
    #[must_use]
    pub fn repositories(&self) -> BTreeSet<Repository> {
        let references = self.definitions.values().flatten().flat_map(Outline::references);
        let of_ecr = references.filter_map(|reference| {
            Some(Repository {
                registry: reference.registry()?.clone(),
                name: reference.repository().clone(),
            })
        });
        let named = &self.config.repositories;
        of_ecr
            .filter(|repository| named.is_empty() || named.contains(&repository.name))
            .collect()
    }

    /// The services that miss an image of a repository, each with the newest one that its stage takes. `stored` are its
    /// images, in any order.
    ///
    /// A service that a newer image would move is not asked about older ones, also where the newer one is too young to
    /// be missed.
    #[must_use]
    pub fn candidates(&self, repository: &Repository, stored: &[StoredImage]) -> Vec<Candidate<'a>> {
        let mut newest_first: Vec<&StoredImage> = stored.iter().collect();
        newest_first.sort_by_key(|image| (Reverse(image.pushed_at), &image.digest));
        let settled = SETTLED.min(self.config.rollout_timeout);
        let beside = self.beside(repository);
        let mut asked: BTreeSet<ServiceId> = BTreeSet::new();
        let mut candidates = Vec::new();
        for image in newest_first.into_iter().take(CONSIDERED) {
            for tag in &image.tags {
                let Ok(push) = PushId::new(image.pushed_at, "sweep") else {
                    continue;
                };
                let pushed = push_of(repository, &image.digest, tag, push);
                for (id, stage) in self.moved_among(&beside, &pushed) {
                    if !asked.insert(id.clone()) || image.pushed_at + settled > self.now {
                        continue;
                    }
                    let running = self.running(&id, &pushed);
                    candidates.extend(running.filter(|(_, running)| !is_as_new(running, &pushed, stored)).map(
                        |(service, running)| Candidate {
                            service,
                            running,
                            stage,
                            image: pushed.clone(),
                            tags: image.tags.clone(),
                        },
                    ));
                }
            }
        }
        candidates
    }

    /// The services that a push would move to its image, that is, those that it plans and that are not on the image.
    #[must_use]
    pub fn moved(&self, image: &PushedImage) -> BTreeSet<ServiceId> {
        let repository = Repository {
            registry: image.registry(),
            name: image.repository.clone(),
        };
        let planned = self.moved_among(&self.beside(&repository), image).into_keys();
        planned
            .filter(|id| {
                let running = self.running(id, image);
                running.is_none_or(|(_, running)| !running.has_digest(image))
            })
            .collect()
    }

    /// The services that run a repository, or may.
    fn beside(&self, repository: &Repository) -> Vec<Service> {
        let runs = |service: &&Service| {
            service.task_definitions.iter().any(|revision| {
                let known = self.definitions.get(revision).and_then(Option::as_ref);
                known.is_none_or(|known| {
                    known
                        .references()
                        .any(|reference| reference.is_of(&repository.registry, &repository.name))
                })
            })
        };
        self.services.iter().filter(runs).cloned().collect()
    }

    /// The services that a push plans, of whatever wave, each with its stage.
    fn moved_among(&self, services: &[Service], image: &PushedImage) -> BTreeMap<ServiceId, StageName> {
        if policy::push(image, self.config, self.stages).is_some() {
            return BTreeMap::new();
        }
        let planned = plan(self.stages, image, services, self.definitions, &[], self.now);
        let waves = waves(self.stages, image, services, self.definitions, &planned).waves;
        let revisions = waves.into_iter().flat_map(|wave| wave.revisions);
        let services = revisions.flat_map(|revision| revision.services);
        services
            .filter_map(|service| planned.stages.get_key_value(&id_of_planned(&service)))
            .map(|(id, stage)| (id.clone(), stage.clone()))
            .collect()
    }

    /// A service, and the revision by which it runs the repository of an image.
    fn running(&self, id: &ServiceId, image: &PushedImage) -> Option<(&'a Service, &'a Outline)> {
        let mut services = self.services.iter();
        let service = services.find(|service| {
            (&service.cluster, &service.name) == (&id.cluster, &id.service) && service.status == ServiceStatus::Active
        })?;
        Some((service, running(service, self.definitions, image)?))
    }
}

/// True if a revision is on an image, or on a newer one. Where no push is recorded on it, what it names in ECR tells
/// that: a tag may have stood for an older image when its tasks were started, and nobody can tell.
fn is_as_new(running: &Outline, image: &PushedImage, stored: &[StoredImage]) -> bool {
    if running.recorded_push(&image.repository).is_some() {
        return running.has_digest(image);
    }
    let at = image.push.at();
    let is_named = |stored: &StoredImage, by: &ImageReference| match (by.digest(), by.tag()) {
        (Some(digest), _) => stored.digest == *digest,
        (None, Some(tag)) => stored.tags.contains(tag),
        (None, None) => false,
    };
    let named = running.references().filter(|by| image.is_repository_of(by));
    named
        .flat_map(|by| stored.iter().filter(move |stored| is_named(stored, by)))
        .any(|stored| stored.pushed_at >= at)
}

#[cfg(test)]
pub(crate) mod tests;
