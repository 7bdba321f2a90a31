//! A service, and the pushes that wait for it: pure, over the answers of ECS and ECR, and the executions.

use crate::lifecycle::Pause;
use crate::scope::Scope;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::hold;
use ecr_deploy::domain::service::Service;
use ecr_deploy::domain::stage::pattern::lower;
use ecr_deploy::domain::task_definition::TaskDefinition;
use find_task_definitions::stage::{Candidate, Owner, Stage, Stages};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a service stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceStatus {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// The revision that it is on: `web:42`.
    pub revision: String,
    /// How many of its tasks run.
    pub running: u32,
    /// How many should.
    pub desired: u32,
    /// True if its newest deployment is complete and all of its tasks run.
    pub steady: bool,
    /// The images of ECR that its containers run.
    pub images: Vec<Running>,
    /// The text that holds the service.
    pub hold: Option<String>,
    /// The lifecycle hooks at which its rollout waits for a person.
    pub waits: Vec<Pause>,
    /// Its newest deployment by ecr-deploy that is remembered: Step Functions forgets one after 90 days.
    pub last: Option<Last>,
}

/// The image that a container runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Running {
    /// The container.
    pub container: String,
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest that was pushed.
    pub digest: Option<String>,
    /// When that push was; `null` where somebody else registered the revision.
    #[schemars(with = "Option<String>")]
    pub pushed_at: Option<Timestamp>,
    /// The id of the push, as in the name of its execution.
    pub push: Option<String>,
    /// Who pushed.
    pub by: Option<String>,
    /// The stage that owns it; `off` or `nobody`, or `unknown` where the service's own tag names no stage; or `not here`, where the
    /// settings keep its repository or its cluster from being deployed.
    pub stage: String,
    /// The newest image of the repository that the stage would take, where it is newer than what runs.
    pub waiting: Option<Waiting>,
}

/// An image that is newer than what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiting {
    /// Its tag.
    pub tag: String,
    /// Its digest.
    pub digest: String,
    /// When ECR got it.
    #[schemars(with = "String")]
    pub pushed_at: Timestamp,
}

/// A deployment of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Last {
    /// How it ended, as in docs/operations.md.
    pub outcome: String,
    /// The image.
    pub image: String,
    /// The name of its push.
    pub push: String,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// Its message.
    pub message: Option<String>,
}

/// An image with a tag that is in ECR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// Its digest.
    pub digest: String,
    /// Its tags by which it may be deployed.
    pub tags: Vec<String>,
    /// When ECR got it.
    pub pushed_at: Timestamp,
}

/// The revision that a service is on.
#[must_use]
pub fn revision(service: &Service) -> Option<&str> {
    service.task_definitions.first().map(TaskDefinitionArn::as_str)
}

/// How a service stands, without its past and its hooks; `None` where it runs nothing of this registry.
#[must_use]
pub fn status(
    service: &Service,
    definition: &TaskDefinition,
    scope: &Scope<'_>,
    stored: &BTreeMap<String, Vec<Available>>,
    now: Timestamp,
) -> Option<ServiceStatus> {
    let images: Vec<_> = definition
        .images()
        .filter(|(_, reference)| reference.registry() == Some(scope.here))
        .map(|(container, reference)| {
            let (running, owner) = running(service, definition, scope, container, reference);
            let stored = stored.get(&running.repository).map(Vec::as_slice).unwrap_or_default();
            let waiting = owner.and_then(|stage| waiting(stage, &running, stored));
            Running { waiting, ..running }
        })
        .collect();
    let hold = service.tags.hold.as_deref().and_then(|text| hold::hold(text, now));
    (!images.is_empty()).then(|| ServiceStatus {
        cluster: service.cluster.to_string(),
        service: service.name.to_string(),
        revision: definition.arn().short().to_owned(),
        running: service.running_count,
        desired: service.desired_count,
        steady: service.is_steady(),
        images,
        hold: hold.map(str::to_owned),
        waits: Vec::new(),
        last: None,
    })
}

/// Returns the image that a container runs, and the stage that owns it.
fn running<'a>(
    service: &Service,
    definition: &TaskDefinition,
    scope: &Scope<'a>,
    container: &str,
    reference: &ecr_deploy::domain::image::ImageReference,
) -> (Running, Option<&'a Stage>) {
    let repository = reference.repository();
    let recorded = definition.recorded_push(repository);
    let stages: &'a Stages = scope.stages;
    let owner = stages.owner(&Candidate {
        service: Some((service.cluster.as_str(), service.name.as_str())),
        family: definition.arn().family(),
        repository: repository.as_str(),
        own: service.tags.stage.as_deref(),
    });
    let is_here = scope.has_repository(repository) && scope.has_cluster(service.cluster.as_str());
    let (stage, owner) = match owner {
        _ if !is_here => ("not here".to_owned(), None),
        Owner::Stage(stage) => (stage.name.to_string(), Some(stage)),
        Owner::Off => ("off".to_owned(), None),
        Owner::Nobody => ("nobody".to_owned(), None),
        Owner::Unknown => ("unknown".to_owned(), None),
    };
    let digest = definition
        .recorded_digest(repository)
        .as_ref()
        .or(reference.digest())
        .map(ToString::to_string);
    let running = Running {
        container: container.to_owned(),
        repository: repository.to_string(),
        tag: definition
            .recorded_tag(repository)
            .as_ref()
            .or(reference.tag())
            .map(ToString::to_string),
        digest,
        pushed_at: recorded.as_ref().map(ecr_deploy::domain::push::PushId::at),
        push: recorded.as_ref().map(crate::event::id_of),
        by: definition.pushed_by().filter(|_| recorded.is_some()).map(str::to_owned),
        stage,
        waiting: None,
    };
    (running, owner)
}

/// The newest image that the stage would take, where it is newer than what runs. Of what runs it must be known since when.
#[must_use]
pub fn waiting(stage: &Stage, running: &Running, stored: &[Available]) -> Option<Waiting> {
    let of_running = |it: &&Available| {
        running.digest.as_ref().map_or_else(
            || running.tag.as_ref().is_some_and(|tag| it.tags.contains(tag)),
            |digest| it.digest == *digest,
        )
    };
    let own = stored.iter().find(of_running);
    let since = running.pushed_at.or(own.map(|own| own.pushed_at))?;
    let is_taken = |tag: &&String| {
        let decision = stage.decide(tag);
        let is_lower = || running.tag.as_ref().is_some_and(|running| lower(tag, running));
        decision.takes() && (stage.allows_lower || !decision.is_by_version() || !is_lower())
    };
    let newer = stored
        .iter()
        .filter(|it| it.pushed_at > since && own.is_none_or(|own| own.digest != it.digest));
    let taken = newer.filter_map(|it| Some((it, it.tags.iter().find(is_taken)?)));
    let (newest, tag) = taken.max_by_key(|(it, _)| it.pushed_at)?;
    Some(Waiting {
        tag: tag.clone(),
        digest: newest.digest.clone(),
        pushed_at: newest.pushed_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::function::config::{Config, StageSettings};

    fn stages(rules: &[&str]) -> Stages {
        let stages = vec![StageSettings::all(rules)];
        Stages::read(&Config {
            stages,
            ..Config::default()
        })
        .unwrap()
    }

    fn at(hour: u32) -> Timestamp {
        format!("2026-11-29T{hour:02}:00:00Z").parse().unwrap()
    }

    fn image(tags: &[&str], hour: u32) -> Available {
        Available {
            digest: format!("sha256:{hour:064}"),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            pushed_at: at(hour),
        }
    }

    fn on(tag: &str, hour: u32, pushed_at: Option<Timestamp>) -> Running {
        Running {
            container: "web".to_owned(),
            repository: "shop/web".to_owned(),
            tag: Some(tag.to_owned()),
            digest: Some(format!("sha256:{hour:064}")),
            pushed_at,
            push: None,
            by: None,
            stage: "all".to_owned(),
            waiting: None,
        }
    }

    #[test]
    fn the_newest_image_waits_that_the_stage_takes_and_that_is_newer_than_what_runs() {
        let stored = [
            image(&["v1"], 1),
            image(&["v2"], 2),
            image(&["latest"], 3),
            image(&["pr-7", "v3"], 4),
            image(&["x"], 5),
        ];
        for (rules, running, expected) in [
            (vec!["v*"], on("v1", 1, Some(at(1))), Some("v3")),
            (vec!["v*", "!v3"], on("v1", 1, Some(at(1))), Some("v2")),
            (vec!["v*"], on("v3", 4, Some(at(4))), None),
            // An old image was pushed once more: what came before that waits no longer.
            (vec!["v*"], on("v1", 1, Some(at(6))), None),
            // Somebody else's revision: since when it could be there, ECR says.
            (vec!["v*"], on("v2", 2, None), Some("v3")),
            (vec!["v*"], on("v0", 0, None), None),
            (vec!["none-*"], on("v1", 1, Some(at(1))), None),
        ] {
            let stages = stages(&rules);
            let stage = stages.iter().next().unwrap();
            let found = waiting(stage, &running, &stored);
            assert_eq!(
                found.as_ref().map(|it| it.tag.as_str()),
                expected,
                "{rules:?} {running:?}"
            );
        }
    }

    #[test]
    fn a_lower_version_does_not_wait() {
        let stored = [image(&["2.0.0"], 1), image(&["1.9.0"], 2)];
        let stages = stages(&["semver:*"]);
        let stage = stages.iter().next().unwrap();
        assert_eq!(waiting(stage, &on("2.0.0", 1, Some(at(1))), &stored), None);
        assert_eq!(
            waiting(stage, &on("1.8.0", 0, Some(at(0))), &stored).unwrap().tag,
            "1.9.0"
        );
    }
}
