//! Starts a rollout, or says why not: the step "Update service".
//!
//! An attempt reads the service (`read.rs`), decides (`decide.rs`) and acts (`act.rs`). How often there is another attempt, and
//! how a lost update is found, is the same for each step that moves a service: see [`ecr_deploy::change::mover`].

mod act;
mod at_rest;
pub mod decide;
mod earlier;
mod outcome;
mod read;
mod rolling_back;

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::change::mover::{Mover, Sent, attempts};
use ecr_deploy::contract::{UpdateInput, UpdateOutput};
use ecr_deploy::domain::service::ServiceDeployment;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image, log_service};
use ecr_deploy::quota::poll::{self, Waiting};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Moves a service to the revision with the new image. Leaves it as it is if it runs the image already, if a newer push is
/// there, or if it is rolling back.
///
/// A repeated call finds its own deployment and starts no second one. If the image is wanted again, it may have been archived
/// or deleted since its push: then nothing is started.
///
/// `running` is how many services are waited for, see [`ecr_deploy::quota::executions`]: the more, the later is the
/// first read.
///
/// # Errors
///
/// `Deploy.RolledBack` when the service was rolled back from this push before and nobody asks for it again;
/// `Deploy.Rejected` when ECS refuses, when no task can pull an image that is wanted again, or when the service could not be
/// updated before the deadline; `Deploy.Unavailable`.
pub async fn handle(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    config: &Config,
    running: impl Future<Output = Option<u32>>,
    request: Request<Value>,
) -> Result<UpdateOutput, Error> {
    let Request { now, input, .. } = request.typed::<UpdateInput>()?;
    let mover = Mover {
        ecs,
        cluster: input.cluster.clone(),
        service: input.service.clone(),
    };
    log_image(&input.image);
    log_service(&mover.title());
    of_one_family(&mover, &input)?;
    let services = input.services;
    let (update, running) = tokio::join!(update(&mover, ecr, now, input), running);
    let deleted = |message| outcome::deleted(now, message);
    let update = ecs
        .unless_deleted(&mover.cluster, &mover.service, update, deleted)
        .await?;
    let watched = update.outcome.watched();
    let until = watched.map_or(update.deadline, |watched| watched.rollout.deadline);
    let waiting = Waiting {
        cluster: &mover.cluster,
        service: &mover.service,
        services,
        running,
        age: SignedDuration::ZERO,
        left: until.duration_since(now),
        is_held: false,
    };
    tracing::info!(outcome = update.outcome.name(), "{}", update.message);
    Ok(UpdateOutput {
        wait: poll::wait(config.poll_interval, now, &waiting),
        ..update
    })
}

/// A revision is always of the family that it was made from. So nobody who starts an execution by hand can move a service to
/// another family's revision, and to its roles.
fn of_one_family(mover: &Mover<'_>, input: &UpdateInput) -> Result<(), Error> {
    let (source, made) = (&input.source, &input.task_definition);
    if source.family() == made.family() {
        return Ok(());
    }
    Err(Error::InvalidInput(format!(
        "{} is not made from {}: a service stays in the family of its task definition. {} is left as it is",
        made.short(),
        source.short(),
        mover.title()
    )))
}

/// One attempt at a service.
struct Attempt<'a> {
    mover: &'a Mover<'a>,
    ecr: &'a aws_sdk_ecr::Client,
    input: &'a mut UpdateInput,
    now: Timestamp,
    /// Until when a rollout that begins now may take.
    deadline: Timestamp,
}

/// An update, and ECS's records by which it was decided.
type Update = Sent<Option<Vec<ServiceDeployment>>>;

async fn update(
    mover: &Mover<'_>,
    ecr: &aws_sdk_ecr::Client,
    now: Timestamp,
    mut input: UpdateInput,
) -> Result<UpdateOutput, Error> {
    attempts(now, async |now, sent: &mut Option<Update>| {
        let deadline = now.saturating_add(input.settings.rollout_timeout);
        // The update whose answer is lost may have deployed the push since the step began, and so may another execution.
        input.repeated |= sent.is_some();
        let mut attempt = Attempt {
            mover,
            ecr,
            input: &mut input,
            now,
            deadline: deadline.unwrap_or(Timestamp::MAX),
        };
        let (reading, start) = attempt.read().await?;
        Ok(attempt.act(reading, start, sent).await?)
    })
    .await
}
