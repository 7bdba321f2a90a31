//! A plan says what a push is to change: which revisions in use run its repository, which services run those, and what
//! is left out.

use jiff::Timestamp;
use shared::arn::TaskDefinitionArn;
use shared::artifact::Artifact;
use shared::config::Config;
use shared::contract::{PlannedRevision, PlannedService, SkipReason, Skipped};
use shared::push::{NothingPushed, PushedImage, Pusher};
use shared::records::MOST_TAGS;
use shared::service::{Controller, Service, ServiceStatus};
use shared::task_definition::{Outline, SOURCE_TAG, Standing};
use std::collections::BTreeMap;

/// What is planned and what is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// One entry per revision in use that runs the image's repository, in the order of their ARNs.
    pub revisions: Vec<PlannedRevision>,
    /// What is left out, with its reason.
    pub skipped: Vec<Skipped>,
}

/// Plans the deployment of `image`.
///
/// What counts is what runs: a service takes part when a revision that it runs has a container of the image's
/// repository; so does a family without a service by its newest revision. Everything else that runs the repository,
/// or of which that cannot be known, is `skipped` with its reason; what runs other repositories is no one's business.
///
/// What has services comes first: somebody waits for that. Else the order is that of the ARNs.
///
/// - `services`: every service of the clusters looked at, in whatever state, in any order
/// - `definitions`: the revisions that the services run; `None` where ECS does not describe one any more
/// - `standalone`: the newest ACTIVE revision of each family without a service
/// - `now`: a push that is recorded as of a time after it is ignored, with a warning among what is skipped
#[must_use]
pub fn plan(
    image: &PushedImage,
    services: &[Service],
    definitions: &BTreeMap<TaskDefinitionArn, Option<Outline>>,
    standalone: &[Outline],
    now: Timestamp,
) -> Planned {
    let mut revisions: BTreeMap<TaskDefinitionArn, PlannedRevision> = BTreeMap::new();
    let mut skipped = Vec::new();
    for service in services {
        match place(image, service, definitions, now) {
            Place::Elsewhere => {}
            Place::Skipped(reason, message) => {
                skipped.push(Skipped {
                    resource: service.title(),
                    reason,
                    message,
                    count: 1,
                });
            }
            Place::On(definition) => {
                let service = PlannedService {
                    cluster: service.cluster.clone(),
                    service: service.name.clone(),
                    after: 0,
                };
                let planned = revisions
                    .entry(definition.arn().clone())
                    .or_insert_with(|| planned(definition));
                planned.services.push(service);
            }
        }
    }
    for definition in standalone
        .iter()
        .filter(|definition| !definition.containers_of(image).is_empty())
    {
        if definition.standing(image, now) == Standing::Newer {
            let resource = format!("family {}", definition.arn().family());
            skipped.push(Skipped {
                resource,
                reason: SkipReason::Superseded,
                message: superseded(image, definition),
                count: 1,
            });
        } else {
            revisions
                .entry(definition.arn().clone())
                .or_insert_with(|| planned(definition));
        }
    }
    for planned in revisions.values_mut() {
        planned
            .services
            .sort_by(|one, other| (&one.cluster, &one.service).cmp(&(&other.cluster, &other.service)));
    }
    let planned = definitions.values().flatten().chain(standalone);
    let planned = planned.filter(|definition| revisions.contains_key(definition.arn()));
    let planned: BTreeMap<_, _> = planned.map(|definition| (definition.arn(), definition)).collect();
    for definition in planned.into_values() {
        skipped.extend(push_to_come(image, definition, now));
        skipped.extend(tags_left_out(image, definition));
    }
    let (in_service, standalone): (Vec<_>, Vec<_>) = revisions
        .into_values()
        .partition(|planned| !planned.services.is_empty());
    Planned {
        revisions: in_service.into_iter().chain(standalone).collect(),
        skipped,
    }
}

/// Where a service stands towards a push.
enum Place<'a> {
    /// It does not run the repository.
    Elsewhere,
    /// It does, or may, but cannot be deployed to.
    Skipped(SkipReason, String),
    /// It is to be deployed to, from this revision.
    On(&'a Outline),
}

fn place<'a>(
    image: &PushedImage,
    service: &Service,
    definitions: &'a BTreeMap<TaskDefinitionArn, Option<Outline>>,
    now: Timestamp,
) -> Place<'a> {
    let known = service
        .task_definitions
        .iter()
        .map(|arn| (arn, definitions.get(arn).and_then(Option::as_ref)));
    let known: Vec<_> = known.collect();
    let running = known
        .iter()
        .find_map(|(_, definition)| definition.filter(|known| !known.containers_of(image).is_empty()));
    let unknown = known
        .iter()
        .find(|(_, definition)| definition.is_none())
        .map(|(arn, _)| *arn);
    if running.is_none() && unknown.is_none() && !known.is_empty() {
        return Place::Elsewhere;
    }
    if service.status != ServiceStatus::Active {
        return Place::Skipped(
            SkipReason::ServiceNotActive,
            "the service is being deleted; it keeps what it runs until it is gone".to_owned(),
        );
    }
    match service.controller {
        Controller::Ecs => {}
        Controller::CodeDeploy => {
            return Place::Skipped(
                SkipReason::CodeDeployController,
                format!(
                    "the service is deployed by CodeDeploy, which takes a new image only by a CodeDeploy deployment; start one with {image}"
                ),
            );
        }
        Controller::External => {
            return Place::Skipped(
                SkipReason::ExternalController,
                format!("the service is deployed from outside ECS by task sets; give its own deployer {image}"),
            );
        }
        Controller::Unknown => {
            return Place::Skipped(
                SkipReason::UnknownController,
                "the service has a deployment controller that ecr-deploy does not know; deploy it by its own means"
                    .to_owned(),
            );
        }
    }
    match (running, unknown) {
        (Some(definition), _) if definition.standing(image, now) == Standing::Newer => {
            Place::Skipped(SkipReason::Superseded, superseded(image, definition))
        }
        (Some(definition), _) => Place::On(definition),
        (None, Some(gone)) => Place::Skipped(
            SkipReason::TaskDefinitionNotFound,
            format!(
                "ECS does not describe {} any more, so it cannot be known whether the service runs {}",
                gone.short(),
                image.repository
            ),
        ),
        (None, None) => Place::Skipped(
            SkipReason::TaskDefinitionNotFound,
            format!(
                "the service names no task definition, so it cannot be known whether it runs {}",
                image.repository
            ),
        ),
    }
}

fn planned(definition: &Outline) -> PlannedRevision {
    PlannedRevision {
        task_definition: definition.arn().name(),
        after: 0,
        services: Vec::new(),
    }
}

/// A warning where there is no room for all tags of ours.
fn tags_left_out(image: &PushedImage, definition: &Outline) -> Option<Skipped> {
    let left_out = definition.tags_left_out(image);
    let is_recorded = !left_out.iter().any(|key| key == SOURCE_TAG);
    let message = || {
        let message = format!(
            "its own tags leave no room on its new revision for {}; ECS takes {MOST_TAGS} tags",
            left_out.join(", ")
        );
        if is_recorded {
            message
        } else {
            message
                + ". Nothing then says which push it is of, so an older push whose event arrives late would replace it; remove a tag"
        }
    };
    (!left_out.is_empty()).then(|| Skipped {
        resource: definition.arn().short().to_owned(),
        reason: SkipReason::TagsLeftOut,
        message: message(),
        count: 1,
    })
}

/// A warning where the push that a revision records is ignored.
fn push_to_come(image: &PushedImage, definition: &Outline, now: Timestamp) -> Option<Skipped> {
    let push = definition.push_to_come(&image.repository, now)?;
    Some(Skipped {
        resource: definition.arn().short().to_owned(),
        reason: SkipReason::PushTimeIgnored,
        message: format!(
            "its tag says that it is of a push that is still to come ({push}); that is ignored, and {image} is deployed. Look who \
             sets its tag ecr-deploy:push/{}",
            image.repository
        ),
        count: 1,
    })
}

fn superseded(image: &PushedImage, definition: &Outline) -> String {
    let newer = definition
        .recorded_push(&image.repository)
        .map(|push| push.to_string())
        .unwrap_or_default();
    format!(
        "it is on {}, of a newer push ({newer}) than this one ({})",
        definition.arn().short(),
        image.push
    )
}

/// Says why an event without a tagged image has nothing to deploy.
#[must_use]
pub fn nothing_pushed(nothing: &NothingPushed) -> Skipped {
    match nothing {
        NothingPushed::Untagged { repository } => Skipped {
            resource: repository.to_string(),
            reason: SkipReason::Untagged,
            message: format!(
                "nothing to deploy: the push to {repository} has no tag; parts of multi-architecture images, attestations and signatures are pushed so"
            ),
            count: 1,
        },
        NothingPushed::Artifact { pushed, artifact } => not_an_image(pushed, artifact),
        NothingPushed::Cached { repository } => Skipped {
            resource: repository.clone(),
            reason: SkipReason::PushedByEcr,
            message: format!(
                "nothing to deploy: ECR brought an image into {repository} by a pull-through cache; nobody pushed it"
            ),
            count: 1,
        },
        NothingPushed::Failed { repository, cause } => Skipped {
            resource: repository.clone(),
            reason: SkipReason::FailedPush,
            message: format!("nothing to deploy: the push to {repository} failed ({cause})"),
            count: 1,
        },
    }
}

/// Says that what was pushed cannot be deployed, and what it is.
#[must_use]
pub fn not_an_image(pushed: &PushedImage, artifact: &Artifact) -> Skipped {
    Skipped {
        resource: pushed.to_string(),
        reason: SkipReason::NotAnImage,
        message: format!("nothing to deploy: {pushed} is {artifact}, not an image"),
        count: 1,
    }
}

/// Why no service is to be moved to an image, whatever runs its repository; `None` when nothing speaks against it.
///
/// A repository that the setting `repositories` names is meant to be deployed, whatever its name and whoever pushes.
#[must_use]
pub fn skipped_push(image: &PushedImage, config: &Config) -> Option<Skipped> {
    let skipped = |reason, message| {
        Some(Skipped {
            resource: image.to_string(),
            reason,
            message: format!("nothing to deploy: {image} {message}"),
            count: 1,
        })
    };
    if image.tag.is_latest() && !config.deploy_latest {
        return skipped(
            SkipReason::LatestTag,
            "is deployed only when the setting deployLatest is on".to_owned(),
        );
    }
    if config.repositories.contains(&image.repository) {
        return None;
    }
    let name_it = format!(
        "name {} in the setting repositories to deploy it all the same",
        image.repository
    );
    if is_of_cdk(image) {
        let message =
            format!("is an asset of the AWS CDK, which keeps the images of all its apps in one repository; {name_it}");
        return skipped(SkipReason::CdkAssets, message);
    }
    let role = image.by.as_ref().and_then(role_of_ecr)?;
    let message = format!("was pushed by ECR itself ({role}), not by a person or a pipeline; {name_it}");
    skipped(SkipReason::PushedByEcr, message)
}

/// Whether an image lies where `cdk bootstrap` has the CDK put the images of all its apps:
/// `cdk-<qualifier>-container-assets-<account>-<region>`.
fn is_of_cdk(image: &PushedImage) -> bool {
    let place = format!("-container-assets-{}-{}", image.registry_id, image.region);
    let name = image.repository.as_str();
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

/// Says that nothing runs the repository.
#[must_use]
pub fn not_in_use(image: &PushedImage) -> Skipped {
    Skipped {
        resource: image.to_string(),
        reason: SkipReason::NotInUse,
        message: format!(
            "nothing to deploy: no service of the configured clusters and no family runs the repository {} of {} in {}",
            image.repository, image.registry_id, image.region
        ),
        count: 1,
    }
}

/// How many of what is left out for one reason are named; the rest is counted.
const NAMED_SKIPPED: usize = 20;

/// Bounds what is left out, so that it never keeps the rest from fitting into an execution: of each reason, what is more
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
                message: "left out for the same reason; the log of find-task-definitions names each".to_owned(),
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
