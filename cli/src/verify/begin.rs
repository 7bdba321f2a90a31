//! Decides if a run may begin, before it makes anything: the settings of the installation, and what the cluster has.
//! Pure.

use super::NAME;
use super::policy::Place;
use crate::arguments::VerifyArguments;
use crate::error::Error;
use crate::health::matches_arn;
use crate::installation::Installation;
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::domain::stage::RollbackSetting;
use find_task_definitions::stage::{Candidate, Owner, Stage, Stages};

/// The tags of the pushes of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// Of the good push.
    pub good: ImageTag,
    /// Of the broken one.
    pub broken: ImageTag,
}

impl Tags {
    /// The tags by a pattern with one star, which stands for the number of the push.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`].
    pub fn of(pattern: &str) -> Result<Self, Error> {
        let tag = |number: &str| {
            let tag: Option<ImageTag> = pattern.replace('*', number).parse().ok();
            tag.filter(|_| pattern.matches('*').count() == 1).ok_or_else(|| {
                Error::Usage(format!(
                    "{pattern:?} is no pattern of tags: name a tag with one star for the number of the push, as --tag 'v1.0.*'"
                ))
            })
        };
        Ok(Self {
            good: tag("1")?,
            broken: tag("2")?,
        })
    }
}

/// The cluster, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// True if it is ACTIVE.
    pub is_active: bool,
    /// How many container instances it has.
    pub instances: u32,
    /// True if services have a capacity provider without naming one.
    pub has_providers: bool,
}

/// Everything that was read.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The arguments.
    pub arguments: &'a VerifyArguments,
    /// The tags.
    pub tags: &'a Tags,
    /// The installation.
    pub installation: &'a Installation,
    /// Its stages.
    pub stages: &'a Stages,
    /// The text that holds everything.
    pub hold: Option<&'a str>,
    /// The cluster; `None` where there is none of this name.
    pub cluster: Option<&'a Cluster>,
    /// The ones that are there of what a run makes, see [`Part`].
    pub there: &'a [Part],
    /// Where everything is.
    pub place: &'a Place,
}

/// A part of what a run makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The service.
    Service,
    /// A revision, by its number.
    Revision(u64),
    /// The repository.
    Repository,
    /// The SSM parameters that the installation writes of the service.
    Parameters,
}

impl Part {
    /// Its name for a person.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Service => format!("the service {NAME}"),
            Self::Revision(number) => format!("the revision {NAME}:{number}"),
            Self::Repository => format!("the repository {NAME}"),
            Self::Parameters => "its SSM parameters".to_owned(),
        }
    }

    /// The command of the AWS CLI that removes it.
    #[must_use]
    pub fn command(&self, place: &Place) -> String {
        let (cluster, region) = (&place.cluster, &place.region);
        match self {
            Self::Service => {
                format!("aws ecs delete-service --region {region} --cluster {cluster} --service {NAME} --force")
            }
            Self::Revision(number) => {
                format!("aws ecs deregister-task-definition --region {region} --task-definition {NAME}:{number}")
            }
            Self::Repository => format!("aws ecr delete-repository --region {region} --repository-name {NAME} --force"),
            Self::Parameters => format!(
                "aws ssm delete-parameters --region {region} --names {}",
                parameters(cluster).join(" ")
            ),
        }
    }
}

/// The names of the parameters that an installation with the setting `parameters` writes of the service.
#[must_use]
pub fn parameters(cluster: &str) -> Vec<String> {
    ["push", "image", "digest", "tag", "revision"]
        .map(|name| format!("/ecr-deploy/{cluster}/{NAME}/{NAME}/{name}"))
        .to_vec()
}

/// Why a run may not begin; `None` where it may.
#[must_use]
pub fn refusal(facts: &Facts<'_>) -> Option<Error> {
    arguments(facts)
        .or_else(|| cluster(facts))
        .or_else(|| settings(facts))
        .or_else(|| stage(facts))
        .or_else(|| left(facts))
}

fn arguments(facts: &Facts<'_>) -> Option<Error> {
    let it = facts.arguments;
    let usage = |text: &str| Some(Error::Usage(text.to_owned()));
    if it.subnets.is_empty() {
        if !it.security_groups.is_empty() || it.public_ip || it.execution_role.is_some() {
            return usage(
                "--security-groups, --public-ip and --execution-role are for a task on Fargate: name its --subnets, too",
            );
        }
        return None;
    }
    let Some(role) = &it.execution_role else {
        return usage("a task on Fargate needs a role to pull its image: name its ARN by --execution-role");
    };
    let allowed = facts.installation.pass_roles.as_deref()?;
    if allowed.iter().any(|pattern| matches_arn(pattern, role)) {
        return None;
    }
    Some(Error::Rejected(format!(
        "{role} is not in passRoles, so the push could not be deployed: add it to the setting, and deploy the stack; or name \
         another by --execution-role"
    )))
}

fn cluster(facts: &Facts<'_>) -> Option<Error> {
    let name = &facts.arguments.cluster;
    let Some(cluster) = facts.cluster.filter(|cluster| cluster.is_active) else {
        return Some(Error::NotFound(format!(
            "there is no cluster {name} in {}. Make it, or correct the name",
            facts.place.region
        )));
    };
    let has_room = cluster.instances > 0 || cluster.has_providers;
    (facts.arguments.subnets.is_empty() && !has_room).then(|| {
        Error::Rejected(format!(
            "the cluster {name} has neither container instances nor a capacity provider, so no task could run. Name the subnets for \
             a task on Fargate by --subnets"
        ))
    })
}

fn settings(facts: &Facts<'_>) -> Option<Error> {
    let (name, settings) = (&facts.arguments.cluster, &facts.installation.settings);
    let refused = |text: String| Some(Error::Rejected(text));
    if let Some(hold) = facts.hold {
        return refused(format!(
            "everything is on hold, so no push would be deployed: {hold}. Lift it by ecr-deploy unhold --all"
        ));
    }
    let list = |names: Vec<String>| names.join(", ");
    if !settings.clusters.is_empty() && settings.clusters.iter().all(|it| it.as_str() != name) {
        let known = list(settings.clusters.iter().map(ToString::to_string).collect());
        return refused(format!(
            "the installation deploys to the clusters {known} alone: name one of them, or add {name} to the setting clusters"
        ));
    }
    if !settings.repositories.is_empty() && settings.repositories.iter().all(|it| it.as_str() != NAME) {
        return refused(format!(
            "the installation does not deploy pushes to {NAME}: add it to the setting repositories for this run"
        ));
    }
    None
}

fn stage(facts: &Facts<'_>) -> Option<Error> {
    let refused = |text: String| Some(Error::Rejected(text));
    let candidate = Candidate {
        service: Some((facts.arguments.cluster.as_str(), NAME)),
        family: NAME,
        repository: NAME,
        own: facts.arguments.stage.as_deref(),
    };
    match facts.stages.owner(&candidate) {
        Owner::Stage(stage) => of_stage(facts, stage),
        Owner::Off => Some(Error::Usage(
            "--stage off would keep the service out of every stage".to_owned(),
        )),
        Owner::Unknown => Some(Error::Usage(format!(
            "there is no stage {}; there are {}",
            facts.arguments.stage.as_deref().unwrap_or_default(),
            facts.stages.names()
        ))),
        Owner::Nobody => refused(format!(
            "no stage selects the service {NAME} in {}. Name one by --stage: {}",
            facts.arguments.cluster,
            facts.stages.names()
        )),
    }
}

fn of_stage(facts: &Facts<'_>, stage: &Stage) -> Option<Error> {
    let name = &stage.name;
    for tag in [&facts.tags.good, &facts.tags.broken] {
        if !stage.decide(tag.as_str()).takes() {
            return Some(Error::Rejected(format!(
                "the stage {name} does not take the tag {tag}: name tags that it takes by --tag, as --tag 'main-*', or another stage \
                 by --stage"
            )));
        }
    }
    (stage.settings.rollback == RollbackSetting::None).then(|| {
        Error::Rejected(format!(
            "the stage {name} takes nothing back (rollback is none), so a rollback could not be seen: name another stage by --stage"
        ))
    })
}

fn left(facts: &Facts<'_>) -> Option<Error> {
    if facts.there.is_empty() {
        return None;
    }
    let names: Vec<String> = facts.there.iter().map(Part::name).collect();
    let commands: Vec<String> = facts.there.iter().map(|part| part.command(facts.place)).collect();
    Some(Error::Rejected(format!(
        "there is something of the name {NAME} already, maybe of a run that was ended: {}. Remove it first:\n  {}",
        names.join(", "),
        commands.join("\n  ")
    )))
}

#[cfg(test)]
mod tests;
