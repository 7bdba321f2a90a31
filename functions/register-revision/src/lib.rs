//! A task definition and an image in, a revision out.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::arn::TaskDefinitionArn;
use shared::config::Config;
use shared::contract::{RegisterRevision, RegisteredRevision};
use shared::ecs::Ecs;
use shared::error::Error;
use shared::push::PushedImage;
use shared::registration::Registration;
use shared::runtime::{Request, log_image};
use shared::task_definition::{Standing, TaskDefinition};

/// How many of a family's newest revisions are searched for one that was registered for this push before.
const REVISIONS_SEARCHED: i32 = 10;
/// How far the clocks of ECS and of ECR may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Registers the revision with the new image, or finds the one that is there: the step "Register revision".
///
/// One revision is made per (revision in use, push), whoever asks and however often: a family's revision that was
/// registered for this push and has the wanted document is used again.
///
/// # Errors
///
/// `Deploy.InvalidInput` when no container of the revision runs the repository; `Deploy.NotFound` when the revision is
/// gone; `Deploy.Rejected` when ECS refuses the new one; `Deploy.Unavailable`.
pub async fn handle(ecs: &Ecs, config: &Config, request: Request<Value>) -> Result<RegisteredRevision, Error> {
    let RegisterRevision {
        image,
        task_definition,
        services,
    } = request.typed()?.input;
    log_image(&image);
    let newest = match ecs.describe_task_definition(task_definition.family()).await {
        Ok(newest) => Some(newest),
        // Every revision of the family is deregistered; the one in use can be read all the same.
        Err(Error::NotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let source = match &newest {
        Some(newest) if *newest.arn() == task_definition => newest.clone(),
        _ => ecs.describe_task_definition(task_definition.as_str()).await?,
    };
    if source.containers_of(&image).is_empty() {
        return Err(Error::InvalidInput(format!(
            "no container of {} runs the repository {} of {} in {}",
            task_definition.short(),
            image.repository,
            image.registry_id,
            image.region
        )));
    }
    let wanted = source.with_image(&image, config.image_reference);
    let registration = Registration {
        ecs,
        wanted: &wanted,
        is_wanted: &|candidate| is_wanted(candidate, &wanted, &image),
    };
    let found = find(&registration, &source, newest.as_ref(), &image).await?;
    let (revision, repeated) = if let Some(wanted) = found.wanted {
        (wanted, true)
    } else {
        let (revision, was_there) = registration.register(newest.as_ref()).await?;
        (revision, was_there || found.repeated)
    };
    let registered = RegisteredRevision {
        task_definition: revision,
        source: task_definition,
        repeated,
        services,
    };
    tracing::info!(
        task_definition = registered.task_definition.short(),
        source = registered.source.short(),
        repeated = registered.repeated,
        "the revision is there"
    );
    Ok(registered)
}

/// Whether `candidate` is the revision that is wanted for `image`'s push.
#[must_use]
pub fn is_wanted(candidate: &TaskDefinition, wanted: &TaskDefinition, image: &PushedImage) -> bool {
    candidate.standing(image) == Standing::Ours
        && candidate.is_same_document(wanted)
        && candidate.records_same_pushes(wanted)
}

/// What a family has of a push already.
struct Found {
    /// The wanted revision.
    wanted: Option<TaskDefinitionArn>,
    /// Whether any revision of it was registered for this push.
    repeated: bool,
}

/// Searches the family for the wanted revision, and for another one of this push. Only where somebody registered something
/// after `source` or since the push, or `source` was itself made by a rollback, can there be one further down; else the
/// newest revision says it all.
async fn find(
    registration: &Registration<'_>,
    source: &TaskDefinition,
    newest: Option<&TaskDefinition>,
    image: &PushedImage,
) -> Result<Found, Error> {
    let found = |arn: TaskDefinitionArn| Found {
        wanted: Some(arn),
        repeated: true,
    };
    if (registration.is_wanted)(source) {
        return Ok(found(source.arn().clone()));
    }
    let seen: Vec<&TaskDefinition> = newest.into_iter().chain([source]).collect();
    if let Some(wanted) = seen.iter().find(|candidate| (registration.is_wanted)(candidate)) {
        return registration.lowest(wanted.arn().clone()).await.map(found);
    }
    let mut repeated = seen.iter().any(|seen| seen.standing(image) == Standing::Ours);
    let is_newest = newest.is_some_and(|newest| newest.arn() == source.arn());
    if is_newest && source.rolled_back().is_none() && is_from_before(source, image) {
        return Ok(Found { wanted: None, repeated });
    }
    let ecs = registration.ecs;
    for arn in ecs.newest_revisions(source.arn().family(), REVISIONS_SEARCHED).await? {
        if seen.iter().any(|seen| *seen.arn() == arn) {
            continue;
        }
        let candidate = ecs.describe_task_definition(arn.as_str()).await?;
        if (registration.is_wanted)(&candidate) {
            return registration.lowest(arn).await.map(found);
        }
        repeated |= candidate.standing(image) == Standing::Ours;
    }
    Ok(Found { wanted: None, repeated })
}

/// Whether a revision was registered before the push, by clocks that are both AWS's.
fn is_from_before(revision: &TaskDefinition, image: &PushedImage) -> bool {
    let limit = image.push.at().saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
    revision.registered_at().is_some_and(|at| at < limit)
}
