//! One read of a rollout: stable, in progress, failed, superseded.

mod crash;
mod failed;
pub mod soak;
pub mod verdict;

use crash::logged_container;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::aws::registry::listed_by;
use ecr_deploy::contract::{Check, CheckStability, Rollout, StillStableInput, StillStableOutput, Verdict};
use ecr_deploy::domain::service::{Service, ServiceDeployment, StoppedTask};
use ecr_deploy::domain::task_definition::{ImageForm, LogStream, Standing};
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image, log_service};
use ecr_deploy::quota::poll::{self, Waiting};
use failed::with_times;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use soak::still_stable;
use verdict::contents::{Contents, judge_contents};
use verdict::hooks::moved;
use verdict::{Snapshot, came_between, first_crash, has_hooks, held, judge, needs_history, record_of_rollout};

/// How long before a rollout ECS's records are read, since clocks differ.
const RECORDS_BEFORE: SignedDuration = SignedDuration::from_mins(2);

/// What this function returns, by the step that asks.
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
/// `Deploy.NotFound`, `Deploy.Rejected`, `Deploy.Unavailable` by ECS; `Deploy.Unavailable` by ECR.
pub async fn handle(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    config: &Config,
    running: impl Future<Output = Option<u32>>,
    request: Request<Value>,
) -> Result<Answer, Error> {
    if request.input.get("soaked").is_some() {
        let asked = request.typed::<StillStableInput>()?.input;
        log_image(&asked.image);
        return still_stable(ecs, &asked).await.map(Answer::StillStable);
    }
    let Request {
        now, input: mut asked, ..
    } = request.typed::<CheckStability>()?;
    asked.rollout.deadline = asked.deadline.unwrap_or(asked.rollout.deadline);
    let rollout = &asked.rollout;
    log_image(&asked.image);
    log_service(&ecr_deploy::domain::service::title(&rollout.cluster, &rollout.service));
    let (read, running) = tokio::join!(read(ecs, ecr, &asked, now), running);
    let (check, held_until) = match read {
        Ok(read) => read,
        Err(error) => match ecs.failed_at(&rollout.cluster, &rollout.service, error).await {
            Error::ServiceDeleted(message) => (deleted(message), None),
            error => return Err(error),
        },
    };
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
    let check = Check {
        wait,
        deadline: held_until
            .map(|until| moved(rollout.deadline, now, wait, until))
            .or(asked.deadline),
        ..check
    };
    tracing::info!(verdict = ?check.verdict, task_definition = rollout.task_definition.short(), "{}", check.message);
    Ok(Answer::Check(check))
}

/// There is no rollout any more.
fn deleted(message: String) -> Check {
    Check {
        verdict: Verdict::ServiceDeleted,
        message,
        reasons: Vec::new(),
        failed_containers: Vec::new(),
        running: 0,
        desired: 0,
        wait: 0,
        deadline: None,
    }
}

/// The verdict, and until when lifecycle hooks hold the rollout where it goes on and they do.
async fn read(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    asked: &CheckStability,
    now: Timestamp,
) -> Result<(Check, Option<Timestamp>), Error> {
    let rollout = &asked.rollout;
    let service = ecs.describe_service(&rollout.cluster, &rollout.service).await?;
    let stopped = ecs.stopped_tasks(&rollout.cluster, &rollout.service).await?;
    let history = if needs_history(&service, rollout) {
        let since = rollout.started_at.saturating_sub(RECORDS_BEFORE).ok();
        // A rollback by ECS is told by the record of the rollout that failed, which is older.
        let since = if asked.rolls_back.is_some() { None } else { since };
        ecs.service_deployments(&rollout.cluster, &rollout.service, since)
            .await?
    } else {
        None
    };
    let lifecycle = match has_hooks(&service, history.as_deref(), asked) {
        Some(service_deployment) => ecs.lifecycle(service_deployment).await?,
        None => None,
    };
    let other = service
        .primary()
        .map(|primary| &primary.task_definition)
        .filter(|on| **on != rollout.task_definition);
    let primary = match other {
        Some(on) => Some(ecs.describe_task_definition(on.as_str()).await?.beside(
            &rollout.task_definition,
            &asked.image,
            now,
        )),
        None => None,
    };
    let between = history
        .as_deref()
        .filter(|_| other.is_some() && asked.rolls_back.is_none())
        .and_then(|history| came_between(&service, history, asked));
    let between = match between {
        Some(between) => Some(
            ecs.describe_task_definition(between.as_str())
                .await?
                .standing(&asked.image, now),
        ),
        None => None,
    };
    let ours = match primary {
        Some(primary) if primary.standing == Standing::Ours => ecs.outline_of(&rollout.task_definition).await?,
        _ => None,
    };
    let essential = if stopped.iter().any(StoppedTask::was_partly_stopped) {
        let ours = ecs.outline_of(&rollout.task_definition).await?;
        ours.map_or_else(Vec::new, |ours| ours.essential().to_vec())
    } else {
        Vec::new()
    };
    let image_containers = ours.map_or_else(Vec::new, |ours| ours.containers_of(&asked.image));
    let snapshot = Snapshot {
        service: &service,
        history: history.as_deref(),
        lifecycle: lifecycle.as_ref(),
        stopped: &stopped,
        primary,
        between,
        image_containers: &image_containers,
        essential: &essential,
        now,
    };
    let check = judge(&snapshot, asked);
    match check.verdict {
        Verdict::InProgress => {
            let hold = held(&snapshot, asked);
            Ok((check, hold.map(|hold| hold.until)))
        }
        Verdict::Failed => {
            let first = first_crash(&snapshot, asked);
            let log = match first {
                Some(first) => log_of(ecs, rollout, first).await,
                None => None,
            };
            Ok((with_times(check, rollout, now, first, log.as_ref()), None))
        }
        Verdict::Stable if asked.rolls_back.is_none() => {
            let contents = contents(ecs, asked, &service, history.as_deref(), check.running).await?;
            let Contents::Others(others) = contents else {
                return Ok((check, None));
            };
            let listed = listed_by(ecr, &asked.image).await?;
            Ok((judge_contents(check, &asked.image, &others, &listed), None))
        }
        _ => Ok((check, None)),
    }
}

/// Where the log of a task of a rollout is that crashed. That ECS does not tell is no reason to do without a verdict.
async fn log_of(ecs: &Ecs, rollout: &Rollout, task: &StoppedTask) -> Option<LogStream> {
    let container = logged_container(task)?;
    match ecs.describe_task_definition(rollout.task_definition.as_str()).await {
        Ok(revision) => revision.log_stream(container, &task.id),
        Err(error) => {
            tracing::warn!("where the log of the task is, is not told: {error}");
            None
        }
    }
}

/// What a stable rollout runs of the pushed repository: by ECS's record of it, which has been read by then; else, where revisions
/// name the image by its tag, by its tasks.
async fn contents(
    ecs: &Ecs,
    asked: &CheckStability,
    service: &Service,
    history: Option<&[ServiceDeployment]>,
    running: u32,
) -> Result<Contents, Error> {
    let record = history.and_then(|history| record_of_rollout(history, asked));
    let recorded = record.map_or(Contents::Untold, |record| Contents::recorded(record, &asked.image));
    let is_by_tag = asked.settings.image_reference == ImageForm::Tag;
    match service.primary().filter(|_| is_by_tag && running > 0) {
        Some(primary) if recorded == Contents::Untold => {
            let Service { cluster, name, .. } = service;
            let images = ecs.running_digests(cluster, name, &primary.id).await?;
            Ok(Contents::of(&images, &asked.image))
        }
        _ => Ok(recorded),
    }
}
