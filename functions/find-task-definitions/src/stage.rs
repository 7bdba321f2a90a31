//! A stage is a named set of services, with the rule that says which tags may move them.
//!
//! All decisions are here, over plain data: which stage owns a service ([`Stages::owner`]), whether a stage takes a tag, and
//! by which rule ([`Stage::decide`]). The settings' own type is [`ecr_deploy::function::config::StageSettings`].

use ecr_deploy::contract::Hold;
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::domain::stage::pattern::{Decision, Selector, TagRule, TagRules};
use ecr_deploy::domain::stage::{RolloutSettings, StageName};
use ecr_deploy::domain::task_definition::ImageForm;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::{Config, StageSettings};
use std::fmt::Display;

/// The value of a service's own tag that keeps it out of every stage.
const OFF: &str = "off";

/// The stages of an installation, in the order of the settings.
#[derive(Debug, Clone)]
pub struct Stages {
    all: Vec<Stage>,
    /// The hold on all of them, as it was read; `None` where nobody has read it.
    pub hold: Option<Hold>,
}

/// A stage, ready to decide.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name.
    pub name: StageName,
    clusters: Selector,
    services: Selector,
    families: Selector,
    repositories: Selector,
    is_opt_in: bool,
    tags: TagRules,
    /// True if a lower version than the running one is deployed, too.
    pub allows_lower: bool,
    /// The stage whose services must be stable first.
    pub after: Option<StageName>,
    /// How many seconds they must stay stable.
    pub soak: u32,
    /// How its services are deployed.
    pub settings: RolloutSettings,
    /// The tag that an image gets once all of its services are stable on it.
    pub tag_on_success: Option<ImageTag>,
}

/// The subject of a stage's choice: a service that runs a repository, or a family without a service.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The cluster and the name of the service; `None` for a family without one.
    pub service: Option<(&'a str, &'a str)>,
    /// The family of the revision that runs.
    pub family: &'a str,
    /// The repository that was pushed to.
    pub repository: &'a str,
    /// The service's own tag, [`ecr_deploy::domain::service::ServiceTags::STAGE`].
    pub own: Option<&'a str>,
}

/// Whose a service is.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// This stage's.
    Stage(&'a Stage),
    /// Nobody's, by its own tag.
    Off,
    /// Nobody's: no stage selects it.
    Nobody,
    /// Its own tag names a stage that there is not.
    Unknown,
}

impl Stages {
    /// Reads the stages of the settings.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput` that names the stage which has a pattern that cannot be read, is there twice, takes
    /// `latest` although `tagLatest` is on, comes after a stage that there is not or after itself, or would get a push
    /// by its own tag on success.
    pub fn read(config: &Config) -> Result<Self, Error> {
        let mut stages: Vec<Stage> = Vec::new();
        for settings in &config.stages {
            let stage = Stage::read(config, settings)?;
            if stages.iter().any(|other| other.name == stage.name) {
                return Err(refused(&stage.name, "it is there twice"));
            }
            if config.tag_latest && stage.decide("latest").takes() {
                return Err(refused(
                    &stage.name,
                    "it takes the tag latest, and tagLatest is on: every image would be deployed a second time as latest; \
                     choose one",
                ));
            }
            stages.push(stage);
        }
        let stages = Self {
            all: stages,
            hold: None,
        };
        for stage in stages.iter() {
            if let Some(after) = stage.after.as_ref().filter(|after| stages.find(after).is_none()) {
                return Err(refused(
                    &stage.name,
                    format_args!("it comes after {after}, and there is no such stage"),
                ));
            }
            if stages.before(stage).any(|before| before.name == stage.name) {
                return Err(refused(
                    &stage.name,
                    "it comes after itself, by way of the stages before it",
                ));
            }
            if let Some(tag) = stage.tag_on_success.as_ref().filter(|_| stages.moves_itself(stage)) {
                return Err(refused(
                    &stage.name,
                    format_args!("it gives images the tag {tag}, by which they would be deployed to it once more"),
                ));
            }
        }
        Ok(stages)
    }

    /// True if the tag that a stage gives is a push to that stage, at once or by the tags that other stages then give.
    fn moves_itself(&self, stage: &Stage) -> bool {
        let mut moved = vec![stage];
        let mut at = 0;
        while let Some(next) = moved.get(at).copied() {
            at += 1;
            let Some(tag) = &next.tag_on_success else { continue };
            for other in self.iter().filter(|other| other.decide(tag.as_str()).takes()) {
                if other.name == stage.name {
                    return true;
                }
                if moved.iter().all(|known| known.name != other.name) {
                    moved.push(other);
                }
            }
        }
        false
    }

    fn find(&self, name: &StageName) -> Option<&Stage> {
        self.iter().find(|stage| stage.name == *name)
    }

    /// The stages that come before a stage, the nearest first. In a circle it ends when each was there.
    pub fn before<'a>(&'a self, stage: &'a Stage) -> impl Iterator<Item = &'a Stage> {
        let next = |stage: &&'a Stage| self.find(stage.after.as_ref()?);
        std::iter::successors(next(&stage), next).take(self.all.len())
    }

    /// After how many others a stage comes. Zero for one that there is not.
    #[must_use]
    pub fn level(&self, name: &StageName) -> usize {
        self.find(name).map_or(0, |stage| self.before(stage).count())
    }

    /// The stage that owns a service or a family: the one that its own tag names, else the first one that selects it.
    #[must_use]
    pub fn owner(&self, candidate: &Candidate<'_>) -> Owner<'_> {
        match candidate.own {
            Some(OFF) => Owner::Off,
            Some(own) => {
                let named = self.all.iter().find(|stage| stage.name.as_str() == own);
                named.map_or(Owner::Unknown, Owner::Stage)
            }
            None => {
                let first = self.all.iter().find(|stage| stage.selects(candidate));
                first.map_or(Owner::Nobody, Owner::Stage)
            }
        }
    }

    /// Every stage, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Stage> {
        self.all.iter()
    }

    /// The names of all stages, for a message: `staging, production`.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.all.iter().map(|stage| stage.name.as_str()).collect();
        names.join(", ")
    }
}

impl Stage {
    fn read(config: &Config, settings: &StageSettings) -> Result<Self, Error> {
        let refused = |problem: String| refused(&settings.name, problem);
        let selector = |member: &str, patterns: &[String]| {
            if settings.opt_in && !patterns.is_empty() {
                return Err(refused(format!("it is optIn, and its {member} would narrow nothing")));
            }
            Selector::read(patterns).map_err(|problem| refused(format!("its {member}: {problem}")))
        };
        let tags = settings.tags.iter().map(|text| {
            let rule = TagRule::read(text);
            rule.map_err(|problem| refused(format!("its tag rule {text:?}: {problem}")))
        });
        let tags: Vec<TagRule> = tags.collect::<Result<_, _>>()?;
        if let Some(first) = tags.first().filter(|rule| rule.is_exclusion()) {
            let rule = first.text();
            return Err(refused(format!(
                "its first tag rule {rule:?} excludes before anything is taken"
            )));
        }
        if tags.last().is_some_and(|rule| rule.text() == "!*") {
            return Err(refused("its last tag rule excludes every tag".to_owned()));
        }
        let tags = TagRules(tags);
        let rollout = config.rollout_settings(settings);
        let is_by_tag = rollout.image_reference == ImageForm::Tag;
        Ok(Self {
            name: settings.name.clone(),
            clusters: selector("clusters", &settings.clusters)?,
            services: selector("services", &settings.services)?,
            families: selector("families", &settings.families)?,
            repositories: selector("repositories", &settings.repositories)?,
            is_opt_in: settings.opt_in,
            settings: RolloutSettings {
                tags: Some(&tags).filter(|_| config.stages.len() > 1 && is_by_tag).cloned(),
                ..rollout
            },
            tags,
            allows_lower: settings.allow_lower,
            after: settings.after.clone(),
            soak: settings.soak_seconds,
            tag_on_success: settings.tag_on_success.clone(),
        })
    }

    /// True if it selects a candidate that does not name a stage itself. A family without a service is in no cluster:
    /// only a stage that names neither clusters nor services selects it.
    fn selects(&self, candidate: &Candidate<'_>) -> bool {
        let of_service = match candidate.service {
            Some((cluster, service)) => self.clusters.selects(cluster) && self.services.selects(service),
            None => self.clusters.is_empty() && self.services.is_empty(),
        };
        !self.is_opt_in
            && of_service
            && self.families.selects(candidate.family)
            && self.repositories.selects(candidate.repository)
    }

    /// Which rule decides on a tag: the last one that matches it.
    #[must_use]
    pub fn decide(&self, tag: &str) -> Decision<'_> {
        self.tags.decide(tag)
    }
}

fn refused(stage: &StageName, problem: impl Display) -> Error {
    Error::invalid_input(format_args!(
        "the stage {stage} of the settings cannot be used: {problem}; the construct checks stages, so were it and the \
         functions deployed together?"
    ))
}

#[cfg(test)]
mod tests;
