//! One read of a rollout: stable, in progress, failed, superseded.

mod crash;
mod failed;
mod read;
pub mod soak;
pub mod verdict;

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::{Check, CheckStability, Rollout, StillStableInput, StillStableOutput, Verdict};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::title;
use ecr_deploy::domain::task_definition::ContainerImage;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image, log_service};
use ecr_deploy::quota::poll::{self, Waiting};
use read::read_and_judge;
use serde::Serialize;
use serde_json::Value;
use soak::still_stable;
use verdict::check;
use verdict::hooks::moved;

/// The output of this function, by the step that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To "Check stability" and "Check rollback".
    Check(Check),
    /// To "Still stable?".
    StillStable(StillStableOutput),
}

/// Reads a rollout, or a rollback, once and judges it: the step "Check stability"; or, after a soak, all services that a push
/// has deployed: the step "Still stable?". It changes nothing.
///
/// While lifecycle hooks hold the rollout, its deadline moves on with the clock, and it is read less and less often.
///
/// `running` is how many services are waited for, see [`ecr_deploy::quota::executions`]: the more, the later is the
/// next read.
///
/// # Errors
///
/// `Deploy.NotFound`, `Deploy.Rejected`, `Deploy.Unavailable` by ECS; `Deploy.Unavailable` by ECR. `Deploy.NotStable`
/// at "Still stable?" when a service is not stable on the image any more, and `Deploy.Unavailable` while it may only lack tasks for a
/// moment. `Deploy.InvalidInput` when the input cannot be read.
pub async fn handle(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    config: &Config,
    running: impl Future<Output = Option<u32>>,
    request: Request<Value>,
) -> Result<Answer, Error> {
    if request.input.get("soaked").is_some() {
        let Request { now, input: asked, .. } = request.typed::<StillStableInput>()?;
        log_image(&asked.image);
        return still_stable(ecs, &asked, now).await.map(Answer::StillStable);
    }
    let Request {
        now, input: mut asked, ..
    } = request.typed::<CheckStability>()?;
    asked.rollout.deadline = asked.deadline.unwrap_or(asked.rollout.deadline);
    let rollout = &asked.rollout;
    log_image(&asked.image);
    log_service(&title(&rollout.cluster, &rollout.service));
    let (read, running) = tokio::join!(read_and_judge(ecs, ecr, &asked, now), running);
    let deleted = |message| (check(Verdict::ServiceDeleted, message, Vec::new(), 0, 0), None);
    let read = ecs
        .unless_deleted(&rollout.cluster, &rollout.service, read, deleted)
        .await;
    let (check, held_until) = read?;
    let waiting = Waiting {
        cluster: &rollout.cluster,
        service: &rollout.service,
        services: asked.services,
        running,
        // Not since it began: one that is found under way, maybe for days, is told of as soon as any other.
        age: now.duration_since(rollout.watched_since),
        left: held_until.unwrap_or(rollout.deadline).duration_since(now),
        is_held: held_until.is_some(),
    };
    let wait = poll::wait(config.poll_interval, now, &waiting);
    let containers = if config.writes_parameters && check.verdict == Verdict::Stable {
        containers(ecs, rollout, &asked.image).await
    } else {
        Vec::new()
    };
    let check = Check {
        containers,
        wait,
        deadline: held_until
            .map(|until| moved(rollout.deadline, now, wait, until))
            .or(asked.deadline),
        ..check
    };
    tracing::info!(verdict = ?check.verdict, task_definition = rollout.task_definition.short(), "{}", check.message);
    Ok(Answer::Check(check))
}

/// The containers of a stable rollout that run the pushed repository. Where ECS does not tell them, the rollout is stable
/// all the same, and no parameter tells of it.
async fn containers(ecs: &Ecs, rollout: &Rollout, image: &PushedImage) -> Vec<ContainerImage> {
    match ecs.outline_of(&rollout.task_definition).await {
        Ok(outline) => outline.map_or_else(Vec::new, |outline| outline.images_of(image)),
        Err(error) => {
            tracing::warn!("the images of the revision are not told: {error}");
            Vec::new()
        }
    }
}
