//! A task definition and an image in, a revision out.

use serde_json::Value;
use shared::arn::TaskDefinitionArn;
use shared::config::Config;
use shared::contract::{RegisterRevision, RegisteredRevision};
use shared::ecs::Ecs;
use shared::error::Error;
use shared::push::PushedImage;
use shared::runtime::{Request, log_image};
use shared::task_definition::{Standing, TaskDefinition};

/// How many of a family's newest revisions are searched for one that was registered for this push before.
const REVISIONS_SEARCHED: i32 = 10;
/// How many revisions between the newest one before and the one just registered are looked at.
const GAP_SEARCHED: usize = 10;

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
    let found = find(ecs, &wanted, &source, newest.as_ref(), &image).await?;
    let (revision, reused) = if let Some(found) = found {
        (found, true)
    } else {
        register(ecs, newest.as_ref(), &wanted, &image).await?
    };
    let registered = RegisteredRevision {
        task_definition: revision,
        source: task_definition,
        reused,
        services,
    };
    tracing::info!(
        task_definition = registered.task_definition.short(),
        source = registered.source.short(),
        reused = registered.reused,
        "the revision is there"
    );
    Ok(registered)
}

/// Whether `candidate` is the revision that is wanted for `image`'s push.
#[must_use]
pub fn is_wanted(candidate: &TaskDefinition, wanted: &TaskDefinition, image: &PushedImage) -> bool {
    candidate.standing(image) == Standing::Ours && candidate.is_same_document(wanted)
}

/// Searches the family for the wanted revision. Only where somebody registered something after `source`, or `source` was
/// itself made by a rollback, can there be one further down; else the newest revision says it all.
async fn find(
    ecs: &Ecs,
    wanted: &TaskDefinition,
    source: &TaskDefinition,
    newest: Option<&TaskDefinition>,
    image: &PushedImage,
) -> Result<Option<TaskDefinitionArn>, Error> {
    if is_wanted(source, wanted, image) {
        return Ok(Some(source.arn().clone()));
    }
    let seen: Vec<&TaskDefinition> = newest.into_iter().chain([source]).collect();
    if let Some(found) = seen.iter().find(|candidate| is_wanted(candidate, wanted, image)) {
        return lowest(ecs, found.arn().clone(), source, wanted, image).await.map(Some);
    }
    let source_is_newest = newest.is_some_and(|newest| newest.arn() == source.arn());
    if source_is_newest && source.rolled_back().is_none() {
        return Ok(None);
    }
    for arn in ecs.newest_revisions(source.arn().family(), REVISIONS_SEARCHED).await? {
        if seen.iter().any(|seen| *seen.arn() == arn) {
            continue;
        }
        let candidate = ecs.describe_task_definition(arn.as_str()).await?;
        if is_wanted(&candidate, wanted, image) {
            return lowest(ecs, arn, source, wanted, image).await.map(Some);
        }
    }
    Ok(None)
}

/// Registers the wanted revision; says which one counts, and whether that was there already.
async fn register(
    ecs: &Ecs,
    newest: Option<&TaskDefinition>,
    wanted: &TaskDefinition,
    image: &PushedImage,
) -> Result<(TaskDefinitionArn, bool), Error> {
    let registered = ecs.register_task_definition(wanted).await?.arn().clone();
    let mut same = all_in_gap(ecs, &registered, newest, wanted, image).await?.into_iter();
    let Some(first) = same.next() else {
        return Ok((registered, false));
    };
    for doubled in same.chain([registered]) {
        withdraw(ecs, &doubled).await;
    }
    Ok((first, true))
}

/// Somebody else may have registered the very same between the look and the registration: an execution of a doubled
/// event, or this one, when the answers to its first attempts were lost. Of all the lowest one counts, so that all who ask
/// agree, and nobody uses another. Only a gap in the numbers, between the newest revision before and the one just
/// registered, can hold one. They are returned lowest first.
async fn all_in_gap(
    ecs: &Ecs,
    registered: &TaskDefinitionArn,
    newest: Option<&TaskDefinition>,
    wanted: &TaskDefinition,
    image: &PushedImage,
) -> Result<Vec<TaskDefinitionArn>, Error> {
    let Some(before) = newest.map(|newest| newest.arn().revision()) else {
        return Ok(Vec::new());
    };
    let mut same = Vec::new();
    for revision in (before + 1..registered.revision()).take(GAP_SEARCHED) {
        same.extend(wanted_at(ecs, registered.at_revision(revision), wanted, image).await?);
    }
    Ok(same)
}

/// The lowest of the revisions in a row that are all the wanted one: the others are about to be withdrawn.
async fn lowest(
    ecs: &Ecs,
    mut found: TaskDefinitionArn,
    source: &TaskDefinition,
    wanted: &TaskDefinition,
    image: &PushedImage,
) -> Result<TaskDefinitionArn, Error> {
    while found.revision() > 1 && found.revision() - 1 != source.arn().revision() {
        match wanted_at(ecs, found.at_revision(found.revision() - 1), wanted, image).await? {
            Some(lower) => found = lower,
            None => break,
        }
    }
    Ok(found)
}

async fn wanted_at(
    ecs: &Ecs,
    arn: TaskDefinitionArn,
    wanted: &TaskDefinition,
    image: &PushedImage,
) -> Result<Option<TaskDefinitionArn>, Error> {
    match ecs.describe_task_definition(arn.as_str()).await {
        Ok(candidate) => Ok(Some(arn).filter(|_| candidate.is_active() && is_wanted(&candidate, wanted, image))),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes back a revision that was registered besides the one that counts, and that nobody uses. If that fails, it is only left over.
async fn withdraw(ecs: &Ecs, registered: &TaskDefinitionArn) {
    if let Err(error) = ecs.deregister_task_definition(registered).await {
        tracing::warn!(
            task_definition = registered.short(),
            "the doubled revision could not be withdrawn: {error}"
        );
    }
}
