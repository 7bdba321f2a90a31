//! The policy says what is not deployed, and why: every reason, in the order in which they are asked.
//!
//! | asked of | reasons |
//! |---|---|
//! | the event: [`nothing_pushed`], [`not_an_image`] | `UNTAGGED`, `FAILED_PUSH`, `NOT_AN_IMAGE` |
//! | the push: [`push`] | `TAG_NOT_TAKEN` by any stage, `CDK_ASSETS`, `PUSHED_BY_ECR` |
//! | a cluster: [`cluster_not_found`] | `CLUSTER_NOT_FOUND` |
//! | a service: [`service_not_found`], [`service`], [`revision_not_found`] | `SERVICE_NOT_ACTIVE`, `CODE_DEPLOY_CONTROLLER`, `EXTERNAL_CONTROLLER`, `UNKNOWN_CONTROLLER`, `TASK_DEFINITION_NOT_FOUND` |
//! | a service's stage, or a family's: [`stage()`] | `UNKNOWN_STAGE`, `STAGE_OFF`, `NO_STAGE`, `TAG_NOT_TAKEN`, `ALL_ON_HOLD`, `ON_HOLD`, `LOWER_VERSION` |
//! | a revision: [`revision`] | `SUPERSEDED` |
//! | all of them: [`not_in_use`] | `NOT_IN_USE` |
//! | a revision that is deployed all the same: [`warnings`] | `PUSH_TIME_IGNORED`, `TAGS_LEFT_OUT` |
//! | the stages in their order: [`not_promoted`], [`not_tagged`] | `NOT_PROMOTED`, `NOT_TAGGED` |
//!
//! `SERVICE_DELETED` comes after the plan: conclude says it of a service that was deleted since.

mod missing;

use crate::stage::{Candidate, Owner, Stage, Stages};
use ecr_deploy::contract::{SkipReason, Skipped};
use ecr_deploy::domain::arn::{ClusterName, TaskDefinitionArn};
use ecr_deploy::domain::artifact::Artifact;
use ecr_deploy::domain::hold::hold;
use ecr_deploy::domain::image::{EcrRegistry, RepositoryName};
use ecr_deploy::domain::push::{NothingPushed, PushedImage, Pusher};
use ecr_deploy::domain::records::MOST_TAGS;
use ecr_deploy::domain::service::{Controller, Service, ServiceStatus, ServiceTags};
use ecr_deploy::domain::stage::pattern::lower;
use ecr_deploy::domain::task_definition::{Outline, SOURCE_TAG, Standing};
use ecr_deploy::function::config::Config;
use jiff::Timestamp;
pub use missing::{Missing, not_promoted, not_tagged};
use std::fmt::Display;

/// Why an event without a tagged image has nothing to deploy.
#[must_use]
pub fn nothing_pushed(nothing: &NothingPushed) -> Skipped {
    match nothing {
        NothingPushed::Untagged { repository } => skipped(
            repository,
            SkipReason::Untagged,
            format!(
                "nothing to deploy: the push to {repository} has no tag; parts of multi-architecture images, attestations and signatures are pushed so"
            ),
        ),
        NothingPushed::Artifact { pushed, artifact } => not_an_image(pushed, artifact),
        NothingPushed::Cached { repository } => skipped(
            repository,
            SkipReason::PushedByEcr,
            format!(
                "nothing to deploy: ECR brought an image into {repository} by a pull-through cache; nobody pushed it"
            ),
        ),
        NothingPushed::Failed { repository, cause } => skipped(
            repository,
            SkipReason::FailedPush,
            format!("nothing to deploy: the push to {repository} failed ({cause})"),
        ),
    }
}

/// Says that what was pushed cannot be deployed, and what it is.
#[must_use]
pub fn not_an_image(pushed: &PushedImage, artifact: &Artifact) -> Skipped {
    let message = format!("nothing to deploy: {pushed} is {artifact}, not an image");
    skipped(pushed, SkipReason::NotAnImage, message)
}

/// Why no service is to be moved to an image, whatever runs its repository; `None` when nothing speaks against it.
///
/// A repository that the setting `repositories` names is meant to be deployed, whatever its name and whoever pushes.
#[must_use]
pub fn push(image: &PushedImage, config: &Config, stages: &Stages) -> Option<Skipped> {
    let skipped = |reason, message| Some(skipped(image, reason, format!("nothing to deploy: {image} {message}")));
    let tag = image.tag.as_str();
    if !stages.iter().any(|stage| stage.decide(tag).takes()) {
        let decided: Vec<String> = stages.iter().map(|stage| decided(stage, tag)).collect();
        let message = format!("is taken by no stage: {}", decided.join("; "));
        return skipped(SkipReason::TagNotTaken, message);
    }
    if config.repositories.contains(&image.repository) {
        return None;
    }
    let name_it = format!(
        "name {} in the setting repositories to deploy it all the same",
        image.repository
    );
    if is_of_cdk(&image.registry(), &image.repository) {
        let message =
            format!("is an asset of the AWS CDK, which keeps the images of all its apps in one repository; {name_it}");
        return skipped(SkipReason::CdkAssets, message);
    }
    let role = image.by.as_ref().and_then(role_of_ecr)?;
    let message = format!("was pushed by ECR itself ({role}), not by a person or a pipeline; {name_it}");
    skipped(SkipReason::PushedByEcr, message)
}

/// True if a repository is that in which `cdk bootstrap` has the CDK put the images of all its apps:
/// `cdk-<qualifier>-container-assets-<account>-<region>`.
#[must_use]
pub fn is_of_cdk(registry: &EcrRegistry, repository: &RepositoryName) -> bool {
    let place = format!("-container-assets-{}-{}", registry.account, registry.region);
    let name = repository.as_str();
    let qualifier = name.strip_prefix("cdk-").and_then(|name| name.strip_suffix(&place));
    qualifier.is_some_and(|qualifier| !qualifier.is_empty() && !qualifier.contains('/'))
}

/// The service-linked roles by which ECR pushes: from an upstream registry, and from another region or account.
/// See <https://docs.aws.amazon.com/AmazonECR/latest/userguide/using-service-linked-roles.html>.
const ROLES_OF_ECR: [&str; 2] = [
    "AWSServiceRoleForECRPullThroughCache",
    "AWSServiceRoleForECRReplication",
];

/// The role by which ECR pushed, if it was ECR: a session of it, `…:assumed-role/<role>/<session>`, or the role itself.
fn role_of_ecr(by: &Pusher) -> Option<&'static str> {
    ROLES_OF_ECR
        .into_iter()
        .find(|role| by.as_str().split('/').any(|part| part == *role))
}

/// Says that a cluster of the setting `clusters` is not there. `answer` is that of ECS.
#[must_use]
pub fn cluster_not_found(cluster: &ClusterName, answer: &str) -> Skipped {
    skipped(
        format_args!("cluster {cluster}"),
        SkipReason::ClusterNotFound,
        format!("{answer}; if the cluster was deleted on purpose, take it out of the setting clusters"),
    )
}

/// Says that a service was listed and is not described. `answer` is the reason that ECS gives.
#[must_use]
pub fn service_not_found(arn: &str, answer: &str) -> Skipped {
    skipped(
        arn,
        SkipReason::ServiceNotActive,
        format!("the service was listed but is not described ({answer}): it was deleted meanwhile"),
    )
}

/// Why a service that runs the repository, or may run it, is not moved, whatever revision it is on: it is being deleted, or
/// ECS does not deploy it.
#[must_use]
pub fn service(image: &PushedImage, service: &Service) -> Option<Skipped> {
    let skipped = |reason, message| Some(skipped(service.title(), reason, message));
    if service.status != ServiceStatus::Active {
        let message = "the service is being deleted; it keeps what it runs until it is gone".to_owned();
        return skipped(SkipReason::ServiceNotActive, message);
    }
    match service.controller {
        Controller::Ecs => None,
        Controller::CodeDeploy => skipped(
            SkipReason::CodeDeployController,
            format!(
                "the service is deployed by CodeDeploy, which takes a new image only by a CodeDeploy deployment; start one with {image}"
            ),
        ),
        Controller::External => skipped(
            SkipReason::ExternalController,
            format!("the service is deployed from outside ECS by task sets; give its own deployer {image}"),
        ),
        Controller::Unknown => skipped(
            SkipReason::UnknownController,
            "the service has a deployment controller that ecr-deploy does not know; deploy it by its own means"
                .to_owned(),
        ),
    }
}

/// Says that nobody can tell whether a service runs the repository: ECS does not describe its revision `gone`, or it names
/// none.
#[must_use]
pub fn revision_not_found(image: &PushedImage, service: &Service, gone: Option<&TaskDefinitionArn>) -> Skipped {
    let repository = &image.repository;
    let message = match gone {
        Some(gone) => format!(
            "ECS does not describe {} any more, so it cannot be known whether the service runs {repository}",
            gone.short()
        ),
        None => {
            format!("the service names no task definition, so it cannot be known whether it runs {repository}")
        }
    };
    skipped(service.title(), SkipReason::TaskDefinitionNotFound, message)
}

/// Which rule of a stage decided on a tag: `production by "!*-dirty"`.
fn decided(stage: &Stage, tag: &str) -> String {
    match stage.decide(tag).rule {
        Some(rule) => format!("{} by its rule {:?}", stage.name, rule.text()),
        None => format!("{} has no rule for it", stage.name),
    }
}

/// The stage that owns a service, or a family without one, or why that is not moved: it is nobody's, its stage does not take
/// the tag, it or everything is on hold at `now`, a higher version runs, or it is on a newer push.
///
/// # Errors
///
/// Why it is skipped.
pub fn stage<'a>(
    stages: &'a Stages,
    image: &PushedImage,
    service: Option<&Service>,
    definition: &Outline,
    now: Timestamp,
) -> Result<&'a Stage, Skipped> {
    let title = service.map_or_else(|| format!("family {}", definition.arn().family()), Service::title);
    let skipped = |(reason, message)| skipped(&title, reason, message);
    let stage = owner(stages, image, service, definition).map_err(skipped)?;
    let kept = kept(stages, stage, image, service, definition, now).map(skipped);
    match kept.or_else(|| revision(image, &title, definition, now)) {
        Some(why) => Err(why),
        None => Ok(stage),
    }
}

/// The stage that owns a service or a family, or why none does.
fn owner<'a>(
    stages: &'a Stages,
    image: &PushedImage,
    service: Option<&Service>,
    definition: &Outline,
) -> Result<&'a Stage, (SkipReason, String)> {
    let own = service.and_then(|service| service.tags.stage.as_deref());
    let owner = stages.owner(&Candidate {
        service: service.map(|service| (service.cluster.as_str(), service.name.as_str())),
        family: definition.arn().family(),
        repository: image.repository.as_str(),
        own,
    });
    let (tag, names) = (ServiceTags::STAGE, stages.names());
    match owner {
        Owner::Stage(stage) => Ok(stage),
        Owner::Off => Err((
            SkipReason::StageOff,
            format!("its tag {tag} is off; remove the tag to have it deployed"),
        )),
        Owner::Unknown => Err((
            SkipReason::UnknownStage,
            format!(
                "Deploy.InvalidInput: its tag {tag} is {:?}, and there is no such stage; there are {names}, and off. Correct \
                 the tag, then push again or start this execution anew",
                own.unwrap_or_default()
            ),
        )),
        Owner::Nobody => Err((
            SkipReason::NoStage,
            format!("no stage selects it; there are {names}. Let one select it, or set its tag {tag}"),
        )),
    }
}

/// Why a service, or a family, stays as it is although a stage owns it.
fn kept(
    stages: &Stages,
    stage: &Stage,
    image: &PushedImage,
    service: Option<&Service>,
    definition: &Outline,
    now: Timestamp,
) -> Option<(SkipReason, String)> {
    let tag = image.tag.as_str();
    let decision = stage.decide(tag);
    if !decision.takes() {
        let message = format!("its stage does not take the tag {tag}: {}", decided(stage, tag));
        return Some((SkipReason::TagNotTaken, message));
    }
    if let Some(message) = stages.hold.as_ref().and_then(|hold| hold.reason(now)) {
        return Some((SkipReason::AllOnHold, message));
    }
    if let Some(text) = service.and_then(|service| hold(service.tags.hold.as_deref()?, now)) {
        let message = format!("its tag {} keeps it as it is: {text:?}", ServiceTags::HOLD);
        return Some((SkipReason::OnHold, message));
    }
    let running = definition.image_tags(image);
    let higher = running.iter().find(|running| lower(tag, running.as_str()));
    let higher = higher.filter(|_| decision.is_by_version() && !stage.allows_lower)?;
    let message = format!(
        "{higher} runs, and {tag} is a lower version. A range of versions decided: the stage {}. Set allowLower of the stage to deploy lower versions too",
        decided(stage, tag)
    );
    Some((SkipReason::LowerVersion, message))
}

/// Why what runs a revision, `resource`, is not moved on from it: it is of a newer push. A push that is recorded as of a time
/// after `now` is ignored.
#[must_use]
pub fn revision(image: &PushedImage, resource: impl Display, definition: &Outline, now: Timestamp) -> Option<Skipped> {
    if definition.standing(image, now) != Standing::Newer {
        return None;
    }
    let newer = definition.recorded_push(&image.repository);
    let newer = newer.map(|push| push.to_string()).unwrap_or_default();
    let message = format!(
        "it is on {}, of a newer push ({newer}) than this one ({})",
        definition.arn().short(),
        image.push
    );
    Some(skipped(resource, SkipReason::Superseded, message))
}

/// Returns the warnings about a revision that is deployed all the same: parts of it are ignored or skipped.
pub fn warnings(image: &PushedImage, definition: &Outline, now: Timestamp) -> impl Iterator<Item = Skipped> {
    let revision = definition.arn().short();
    let to_come = definition.push_to_come(&image.repository, now).map(|push| {
        let message = format!(
            "its tag ecr-deploy:push/{} records a push of the future ({push}). The record is ignored, and {image} is deployed. \
             Find out who sets this tag",
            image.repository
        );
        skipped(revision, SkipReason::PushTimeIgnored, message)
    });
    let without_room = definition.tags_without_room(image);
    let no_room = (!without_room.is_empty()).then(|| {
        let mut message = format!(
            "its own tags leave no room on its new revision for {}; ECS takes {MOST_TAGS} tags",
            without_room.join(", ")
        );
        if without_room.iter().any(|key| key == SOURCE_TAG) {
            message.push_str(
                ". Nothing then says which push it is of, so an older push whose event arrives late would replace it; remove a tag",
            );
        }
        skipped(revision, SkipReason::TagsLeftOut, message)
    });
    to_come.into_iter().chain(no_room)
}

/// Says that nothing runs the repository.
#[must_use]
pub fn not_in_use(image: &PushedImage) -> Skipped {
    let message = format!(
        "nothing to deploy: no service of the configured clusters and no family runs the repository {} of {} in {}",
        image.repository, image.registry_id, image.region
    );
    skipped(image, SkipReason::NotInUse, message)
}

fn skipped(resource: impl Display, reason: SkipReason, message: String) -> Skipped {
    Skipped {
        resource: resource.to_string(),
        reason,
        message,
        count: 1,
    }
}

#[cfg(test)]
mod tests;
