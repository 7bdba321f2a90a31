//! A task definition and an image in, a revision out.

pub mod base;

use base::Base;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::change::registration::{Kin, Registration};
use ecr_deploy::contract::{RegisterRevision, RegisteredRevision, RollbackCopy};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::stage::{BaseSetting, RolloutSettings};
use ecr_deploy::domain::task_definition::{ONE_PUSH, TaskDefinition};
use ecr_deploy::error::Error;
use ecr_deploy::function::runtime::{Request, log_image};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// How far the clocks of ECS and of ECR may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Registers the revision with the new image, or finds the one that is there: the step "Register revision"; or the one that a
/// service is rolled back to: the step "Register rollback revision".
///
/// Where its stage says so, it has the members of a newer revision that somebody else has registered since: see [`base`].
///
/// One revision is made per (revision in use, push), whoever asks and however often: a family's revision that was
/// registered for this push and has the wanted document is used again, unless it was deregistered: no service can be moved
/// to it then.
///
/// # Errors
///
/// `Deploy.InvalidInput` when no container of the revision runs the repository; `Deploy.NotFound` when the revision is
/// gone; `Deploy.Rejected` when ECS refuses the new one; `Deploy.Unavailable`.
pub async fn handle(ecs: &Ecs, request: Request<Value>) -> Result<RegisteredRevision, Error> {
    let RegisterRevision {
        image,
        task_definition,
        settings,
        rollback,
    } = request.typed()?.input;
    log_image(&image);
    // Where every revision of the family is deregistered, the one in use can be read all the same.
    let newest = ecs.find_task_definition(task_definition.family()).await?;
    let source = match &newest {
        Some(newest) if newest.arn().name() == task_definition => newest.clone(),
        _ => ecs.describe_task_definition(task_definition.as_str()).await?,
    };
    let is_pinned = rollback.as_ref().is_none_or(|rollback| rollback.digest.is_some());
    if is_pinned && source.containers_of(&image).is_empty() {
        return Err(Error::InvalidInput(format!(
            "no container of {task_definition} runs the repository {} of {} in {}",
            image.repository, image.registry_id, image.region
        )));
    }
    let base = match &newest {
        Some(newest) if rollback.is_none() && settings.base == BaseSetting::Newest => {
            Some(base::decide(&source, base::find(ecs, &source, newest).await?, &image))
        }
        _ => None,
    };
    let (revision, repeated) = match &rollback {
        Some(rollback) => for_rollback(ecs, &image, &source, newest.as_ref(), rollback).await?,
        None => for_push(ecs, settings, base.as_ref(), &image, &source, newest.as_ref()).await?,
    };
    let registered = RegisteredRevision {
        task_definition: revision,
        source: source.arn().clone(),
        repeated,
        base: base.and_then(|base| base.note),
    };
    if let Some(note) = &registered.base {
        tracing::info!("{}", note.message);
    }
    tracing::info!(
        task_definition = registered.task_definition.short(),
        source = registered.source.short(),
        repeated = registered.repeated,
        "the revision is there"
    );
    Ok(registered)
}

/// The revision with the pushed image, and whether the family had one of the push already.
async fn for_push(
    ecs: &Ecs,
    settings: RolloutSettings,
    base: Option<&Base>,
    image: &PushedImage,
    source: &TaskDefinition,
    newest: Option<&TaskDefinition>,
) -> Result<(TaskDefinitionArn, bool), Error> {
    let made = |image: &PushedImage| match base {
        Some(base) => source.with_image_on(base.newest.as_ref(), base.descent, image, settings.image_reference),
        None => source.with_image(image, settings.image_reference),
    };
    let wanted = made(image);
    log_tags_without_room(&wanted);
    let kin = |candidate: &TaskDefinition| {
        // A revision whose tags have no room for the push is known by its document and its time alone.
        if !wanted.is_of_push(image) && candidate.is_copy_of(&wanted) && !is_from_before(candidate, image) {
            return Kin::Wanted;
        }
        let is_ours = candidate.is_of_push(image) && !candidate.is_overtaken(source, image);
        // A revision of the same digest under another tag is used again as it is, with that tag, if the stage takes it. Else the
        // services would run what is pushed under another stage's tag next, as soon as their tasks are started anew.
        let named = candidate.push_of(image);
        let may_be_named = named.tag == image.tag || settings.may_name(&named.tag);
        if is_ours && may_be_named && is_wanted(candidate, &made(&named), image) {
            Kin::Wanted
        } else if is_ours {
            Kin::Related
        } else if is_from_before_all_tags(candidate, image) {
            Kin::Before
        } else {
            Kin::Other
        }
    };
    let registration = Registration {
        ecs,
        wanted: &wanted,
        after: Some(source.arn()).filter(|_| is_from_before_all_tags(source, image)),
        kin: &kin,
        push: Some(image).filter(|image| wanted.is_of_push(image)),
    };
    let of_source = kin(source);
    if of_source == Kin::Wanted && source.is_active() {
        return Ok((source.arn().clone(), true));
    }
    let found = registration.find(newest).await?;
    let is_known = found.related || matches!(of_source, Kin::Wanted | Kin::Related);
    if let Some(wanted) = found.wanted {
        return Ok((wanted, true));
    }
    let (revision, was_there) = registration.register(newest).await?;
    Ok((revision, was_there || is_known))
}

/// The revision that a service is rolled back to, and whether it was there already.
async fn for_rollback(
    ecs: &Ecs,
    image: &PushedImage,
    source: &TaskDefinition,
    newest: Option<&TaskDefinition>,
    RollbackCopy { digest, rolls_back }: &RollbackCopy,
) -> Result<(TaskDefinitionArn, bool), Error> {
    let wanted = match digest {
        Some(digest) => source.pinned(image, digest, rolls_back),
        None => source.copy_for_rollback(rolls_back),
    };
    log_tags_without_room(&wanted);
    let kin = |candidate: &TaskDefinition| {
        if candidate.rolled_back() == wanted.rolled_back() && candidate.is_same_document(&wanted) {
            Kin::Wanted
        } else {
            Kin::Other
        }
    };
    // It is made for the failed revision and from its source, so after both; they may be of different families.
    let after = if rolls_back.is_later_than(source.arn()) {
        rolls_back
    } else {
        source.arn()
    };
    let registration = Registration {
        ecs,
        wanted: &wanted,
        after: Some(after),
        kin: &kin,
        push: None,
    };
    match registration.find(newest).await?.wanted {
        Some(found) => Ok((found, true)),
        None => registration.register(newest).await,
    }
}

/// Logs which tags of ours the user's own leave no room for. The plan tells the operator.
fn log_tags_without_room(wanted: &TaskDefinition) {
    let without_room = wanted.tags_without_room();
    if !without_room.is_empty() {
        tracing::warn!(
            source = wanted.arn().short(),
            "there is no room for the tags {}",
            without_room.join(", ")
        );
    }
}

/// True if `candidate` is the revision that is wanted for `image`'s push.
#[must_use]
pub fn is_wanted(candidate: &TaskDefinition, wanted: &TaskDefinition, image: &PushedImage) -> bool {
    candidate.is_of_push(image) && candidate.is_same_document(wanted) && candidate.records_same_pushes(wanted)
}

/// True if a revision was registered before the push, by clocks that are both AWS's.
fn is_from_before(revision: &TaskDefinition, image: &PushedImage) -> bool {
    is_older(revision, image, CLOCK_SKEW)
}

/// True if it was registered before all tags of the push, of which the first may have come up to [`ONE_PUSH`] earlier.
fn is_from_before_all_tags(revision: &TaskDefinition, image: &PushedImage) -> bool {
    is_older(revision, image, ONE_PUSH + CLOCK_SKEW)
}

fn is_older(revision: &TaskDefinition, image: &PushedImage, than: SignedDuration) -> bool {
    let limit = image.push.at().saturating_sub(than).unwrap_or(Timestamp::MIN);
    revision.registered_at().is_some_and(|at| at < limit)
}
