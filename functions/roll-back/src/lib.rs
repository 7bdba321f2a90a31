//! Takes a service back to its last good revision and contents: the step "Roll back".
//!
//! An attempt reads the service (`read.rs`), decides (`decide.rs`) and acts (`act.rs`). How often there is another attempt, and
//! how a lost update is found, is the same for each step that moves a service: see [`ecr_deploy::change::mover`].

mod act;
mod contents;
pub mod decide;
mod old_image;
mod outcome;
mod read;

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::change::mover::{Mover, Sent, attempts};
use ecr_deploy::contract::{RollBackInput, RollBackOutput};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image, log_service};
use ecr_deploy::quota::poll::{self, Waiting};
use jiff::{SignedDuration, Timestamp};
use outcome::Means;
use serde_json::Value;

/// Takes a service back from a rollout that failed.
///
/// If ECS goes back by itself, or is back, nothing is done. If the rollout can still be stopped, ECS is told to stop it, and
/// goes back. Otherwise the service is updated to the last good revision. It is updated to a copy of that revision if the
/// revision was deregistered, or if its tag stands for other contents by now: then the copy names the old digest. This step may
/// not register the copy, since no role may both register a revision and start it. It returns what is to be registered, and
/// is called again with the copy.
///
/// A newer deployment is never touched. One that began between the read and the update is put back.
///
/// `running` is how many services are waited for, see [`ecr_deploy::quota::executions`]: the more, the later is the
/// first read.
///
/// # Errors
///
/// `Deploy.Rejected` when there is nothing good to go back to, when the old image is gone from ECR, or when ECS refuses;
/// `Deploy.Unavailable`.
pub async fn handle(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    config: &Config,
    running: impl Future<Output = Option<u32>>,
    request: Request<Value>,
) -> Result<RollBackOutput, Error> {
    let Request { now, input, .. } = request.typed::<RollBackInput>()?;
    let mover = Mover {
        ecs,
        cluster: input.rollout.cluster.clone(),
        service: input.rollout.service.clone(),
    };
    log_image(&input.image);
    log_service(&mover.title());
    let (rollback, running) = tokio::join!(roll_back(&mover, ecr, now, &input), running);
    let waiting = Waiting {
        cluster: &mover.cluster,
        service: &mover.service,
        services: input.services,
        running,
        age: SignedDuration::ZERO,
        left: input.settings.rollout_timeout,
        is_held: false,
    };
    let rollback = ecs
        .unless_deleted(&mover.cluster, &mover.service, rollback, outcome::deleted)
        .await?;
    tracing::info!(method = rollback.method.name(), "{}", rollback.message);
    Ok(RollBackOutput {
        wait: poll::wait(config.poll_interval, now, &waiting),
        ..rollback
    })
}

/// One attempt at a service.
struct Attempt<'a> {
    mover: &'a Mover<'a>,
    ecr: &'a aws_sdk_ecr::Client,
    input: &'a RollBackInput,
    now: Timestamp,
    /// Until when a rollback that begins now may take.
    deadline: Timestamp,
}

/// How an update takes the service back.
struct Back {
    means: Means,
    /// True if the revision that it goes back to was registered for the push too.
    has_image: bool,
    image_failed: bool,
    from: Option<TaskDefinitionArn>,
    /// The good revision that it goes to, and the one where ECS would go.
    good: Vec<TaskDefinitionArn>,
}

async fn roll_back(
    mover: &Mover<'_>,
    ecr: &aws_sdk_ecr::Client,
    now: Timestamp,
    input: &RollBackInput,
) -> Result<RollBackOutput, Error> {
    attempts(now, async |now, sent: &mut Option<Sent<Back>>| {
        let mut attempt = Attempt {
            mover,
            ecr,
            input,
            now,
            deadline: now,
        };
        let reading = attempt.read().await?;
        // An update back is a deployment by the service's own strategy, too.
        let time = reading.read.service.rollout_time(input.settings.rollout_timeout);
        attempt.deadline = now.saturating_add(time).unwrap_or(Timestamp::MAX);
        attempt.act(reading, sent).await
    })
    .await
}
