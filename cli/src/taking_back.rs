//! Takes a service back on an operator's word: the decision whether that may begin, and the input of the execution. Pure.

use crate::error::Error;
use crate::execution::{Newest, Status};
use crate::report::Deployed;
use ecr_deploy::contract::Rollout;
use ecr_deploy::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use ecr_deploy::domain::image::{EcrRegistry, ImageReference};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{Deployment, Service};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::domain::task_definition::TaskDefinition;
use ecr_deploy::function::config::Config;
use find_task_definitions::stage::{Candidate, Owner, Stages};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The task of an execution of deploy-service that only takes a service back.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The cluster.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
    /// The push of the revision that it runs.
    pub image: PushedImage,
    /// The deployment that it is taken back from.
    pub from: Deployment,
    /// The revision that the operator names.
    pub to: Option<TaskDefinitionArn>,
    /// How its stage deploys.
    pub settings: RolloutSettings,
    /// Who wants it, and why.
    pub why: String,
    /// The time.
    pub now: Timestamp,
}

impl Asked {
    /// The input of the execution: as deploy-image makes it, with the rollout that the service goes back from.
    #[must_use]
    pub fn input(&self) -> Value {
        let deadline = self.now.saturating_add(self.settings.rollout_timeout);
        let deadline = deadline.unwrap_or(Timestamp::MAX);
        let rollout = Rollout {
            cluster: self.cluster.clone(),
            service: self.service.clone(),
            task_definition: self.from.task_definition.clone(),
            deployment: Some(self.from.id.clone()),
            started_at: self.from.created_at,
            watched_since: self.now,
            deadline,
        };
        json!({
            "image": self.image,
            "cluster": self.cluster,
            "service": self.service,
            "taskDefinition": null,
            "source": self.from.task_definition,
            "settings": self.settings,
            "base": null,
            "at": null,
            "again": false,
            "repeated": false,
            "services": 1,
            "back": {"rollout": rollout, "to": self.to, "why": self.why},
        })
    }
}

/// The newest push that a revision records, of the images in `here` that it runs; `None` where it records none.
#[must_use]
pub fn pushed(running: &TaskDefinition, here: &EcrRegistry) -> Option<PushedImage> {
    let pushed = |reference: &ImageReference| {
        let repository = reference.repository();
        Some(PushedImage {
            registry_id: here.account.clone(),
            region: here.region.clone(),
            repository: repository.clone(),
            tag: running.recorded_tag(repository).or_else(|| reference.tag().cloned())?,
            digest: running.recorded_digest(repository)?,
            push: running.recorded_push(repository)?,
            by: running.pushed_by().and_then(|by| by.parse().ok()),
        })
    };
    let of_here = running.images().filter(|(_, image)| image.registry() == Some(here));
    of_here
        .filter_map(|(_, image)| pushed(image))
        .max_by(|one, other| one.push.cmp(&other.push))
}

/// How the stage of a service deploys; as an installation without stages, where no stage owns it.
#[must_use]
pub fn settings(
    stages: &Stages,
    config: &Config,
    running: &TaskDefinition,
    service: &Service,
    here: &EcrRegistry,
) -> RolloutSettings {
    let image = pushed(running, here);
    let owner = image.as_ref().map(|image| {
        stages.owner(&Candidate {
            service: Some((service.cluster.as_str(), service.name.as_str())),
            family: running.arn().family(),
            repository: image.repository.as_str(),
            own: service.tags.stage.as_deref(),
        })
    });
    match owner {
        Some(Owner::Stage(stage)) => stage.settings.clone(),
        _ => RolloutSettings {
            rollout_timeout: config.rollout_timeout,
            ..RolloutSettings::default()
        },
    }
}

/// The facts by which it is decided whether a service may be taken back.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The service.
    pub service: &'a Service,
    /// The revision that it is on.
    pub running: &'a TaskDefinition,
    /// The revision that the operator names.
    pub to: Option<&'a TaskDefinitionArn>,
    /// The last good revision.
    pub good: Option<&'a TaskDefinitionArn>,
    /// The newest execution of deploy-service for it, as far as that is known.
    pub newest: &'a Newest,
}

/// Why a service may not be taken back now, before anything was changed; `None` where it may.
#[must_use]
pub fn refusal(facts: &Facts<'_>) -> Option<Error> {
    let Facts {
        service,
        running,
        to,
        good,
        newest,
    } = *facts;
    let name = format!("{}/{}", service.cluster, service.name);
    let runs = running.arn().short();
    let family = running.arn().family();
    match to {
        Some(to) if to == running.arn() => return Some(Error::Usage(format!("{name} is on {runs} already"))),
        Some(to) if to.family() != family => {
            return Some(Error::Usage(format!(
                "{} is of another family than {runs}, which {name} runs: name one of its own revisions",
                to.short()
            )));
        }
        _ => {}
    }
    if let (Newest::Unknown, None) = (newest, to) {
        return Some(Error::Rejected(format!(
            "no deployment of {name} goes on, and its last one is older than the executions that were read. So it is not known \
             whether it went back already. Name the revision by --to"
        )));
    }
    if let Newest::Found(newest) = newest {
        let deployed = Deployed::by(service.cluster.as_str(), service.name.as_str(), newest);
        let image = serde_json::from_value::<PushedImage>(newest.input["image"].clone()).ok();
        let is_its_rollout = image.as_ref().is_some_and(|image| running.is_of_push(image));
        let of = image.map(|image| image.to_string()).unwrap_or_default();
        if newest.status == Status::Running && (to.is_some() || !is_its_rollout || !newest.input["back"].is_null()) {
            return Some(Error::Rejected(format!(
                "{name} is being deployed or taken back by the execution {}, which would go on afterwards. Wait for its end. Or have it \
                 stopped first by somebody who may do that, which the policies of the stack do not allow (docs/operations.md, Stop):\n  \
                 aws stepfunctions stop-execution --execution-arn {}",
                newest.name, newest.arn
            )));
        }
        let went_back = matches!(deployed.outcome.as_str(), "Deploy.RolledBack" | "ROLLED_BACK");
        if went_back && to.is_none() && !is_its_rollout {
            return Some(Error::Usage(format!(
                "{name} went back from {of} already, and is on {runs}. To go further back, name the revision by --to"
            )));
        }
    }
    if to.is_none() && good.is_none() {
        return Some(Error::NotFound(format!(
            "ECS remembers no revision but {runs} on which {name} was stable. Name one by --to. Of each push of the service its story \
             tells from which revision of {family} it came:\n  ecr-deploy history {name} --name-is service\n  ecr-deploy why PUSH {name}"
        )));
    }
    None
}

#[cfg(test)]
mod tests;
