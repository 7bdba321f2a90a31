//! Reads a rollout and judges it.

use crate::crash::logged_container;
use crate::failed::with_times;
use crate::verdict::contents::{Contents, judge_contents};
use crate::verdict::{Snapshot, came_between, first_crash, has_hooks, held, judge, needs_history, record_of_rollout};
use ecr_deploy::aws::ecs::{DesiredStatus, Ecs};
use ecr_deploy::aws::registry::listed_by;
use ecr_deploy::contract::{Check, CheckStability, Rollout, Verdict};
use ecr_deploy::domain::service::{Deployment, Service, ServiceDeployment, StoppedTask};
use ecr_deploy::domain::task_definition::{ImageForm, LogStream, OtherRevision, Standing};
use ecr_deploy::error::Error;
use jiff::{SignedDuration, Timestamp};

/// How long before a rollout ECS's records are read, since clocks differ.
const RECORDS_BEFORE: SignedDuration = SignedDuration::from_mins(2);

/// The verdict, and until when lifecycle hooks hold the rollout where it goes on and they do.
pub(crate) async fn read_and_judge(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    asked: &CheckStability,
    now: Timestamp,
) -> Result<(Check, Option<Timestamp>), Error> {
    let snapshot = read(ecs, asked, now).await?;
    let check = judge(&snapshot, asked);
    match check.verdict {
        Verdict::InProgress => {
            let hold = held(&snapshot, asked);
            Ok((check, hold.map(|hold| hold.until)))
        }
        Verdict::Failed => {
            let first = first_crash(&snapshot, asked);
            let log = match first {
                Some(first) => log_of(ecs, &asked.rollout, first).await,
                None => None,
            };
            Ok((with_times(check, &asked.rollout, now, first, log.as_ref()), None))
        }
        Verdict::Stable if asked.rolls_back.is_none() => {
            let check = match contents(ecs, asked, &snapshot, check.running).await? {
                None => Check {
                    verdict: Verdict::InProgress,
                    message: "none of its tasks runs any more: the service has moved while it was read".to_owned(),
                    ..check
                },
                Some(Contents::Others(others)) => {
                    let listed = listed_by(ecr, &asked.image).await?;
                    judge_contents(check, &asked.image, &others, &listed)
                }
                Some(_) => check,
            };
            Ok((check, None))
        }
        _ => Ok((check, None)),
    }
}

/// Reads a rollout once: no more of it than the verdict needs.
async fn read(ecs: &Ecs, asked: &CheckStability, now: Timestamp) -> Result<Snapshot, Error> {
    let rollout = &asked.rollout;
    let (cluster, name) = (&rollout.cluster, &rollout.service);
    let service = ecs.describe_service(cluster, name).await?;
    let stopped = ecs.stopped_tasks(cluster, name).await?;
    let history = if needs_history(&service, rollout) {
        let since = rollout.started_at.saturating_sub(RECORDS_BEFORE).ok();
        // A rollback by ECS is told by the record of the rollout that failed, which is older.
        // The last good revision is older, too, where it is not known yet.
        let since = since.filter(|_| asked.rolls_back.is_none() && asked.previous.is_some());
        ecs.service_deployments(cluster, name, since).await?
    } else {
        None
    };
    let lifecycle = match has_hooks(&service, history.as_deref(), asked) {
        Some(service_deployment) => ecs.lifecycle(service_deployment).await?,
        None => None,
    };
    let (primary, between) = others(ecs, asked, &service, history.as_deref(), now).await?;
    let is_of_push = primary.is_some_and(|primary| primary.standing == Standing::Ours);
    let was_partly_stopped = stopped.iter().any(StoppedTask::was_partly_stopped);
    let outline = if is_of_push || was_partly_stopped {
        ecs.outline_of(&rollout.task_definition).await?
    } else {
        None
    };
    let of_push = outline.as_ref().filter(|_| is_of_push);
    let of_stopped = outline.as_ref().filter(|_| was_partly_stopped);
    Ok(Snapshot {
        image_containers: of_push.map_or_else(Vec::new, |ours| ours.containers_of(&asked.image)),
        essential: of_stopped.map_or_else(Vec::new, |ours| ours.essential().to_vec()),
        service,
        history,
        lifecycle,
        stopped,
        primary,
        between,
        now,
    })
}

/// Returns the relation of the service's revision to the push, where it is another one than ours; and the standing of
/// that revision to the push which came between the two.
async fn others(
    ecs: &Ecs,
    asked: &CheckStability,
    service: &Service,
    history: Option<&[ServiceDeployment]>,
    now: Timestamp,
) -> Result<(Option<OtherRevision>, Option<Standing>), Error> {
    let ours = &asked.rollout.task_definition;
    let Some(primary) = service.primary().filter(|primary| primary.task_definition != *ours) else {
        return Ok((None, None));
    };
    let on = ecs.describe_task_definition(primary.task_definition.as_str()).await?;
    let on = on.beside(ours, &asked.image, now);
    let history = history.filter(|_| asked.rolls_back.is_none());
    let between = match history.and_then(|history| came_between(service, history, asked)) {
        Some(between) => Some(ecs.describe_task_definition(between.as_str()).await?),
        None => None,
    };
    let standing = between.map(|between| between.standing(&asked.image, now));
    Ok((Some(on), standing))
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

/// Returns the pushed repository's contents that a stable rollout runs. ECS's record tells them. Otherwise, and if
/// revisions name the image by its tag, the running tasks tell them, or where none runs, the tasks that stopped within
/// the hour. `None` if the service has moved meanwhile: if ECS throttles, the tasks are read long after the service.
async fn contents(
    ecs: &Ecs,
    asked: &CheckStability,
    snapshot: &Snapshot,
    running: u32,
) -> Result<Option<Contents>, Error> {
    let history = snapshot.history.as_deref();
    let record = history.and_then(|history| record_of_rollout(history, asked));
    let recorded = record.map_or(Contents::Untold, |record| Contents::recorded(record, &asked.image));
    let is_by_tag = asked.settings.image_reference == ImageForm::Tag;
    let Service { cluster, name, .. } = &snapshot.service;
    let primary = snapshot.service.primary().filter(|_| is_by_tag);
    let has_stopped = |primary: &Deployment| snapshot.stopped.iter().any(|task| task.started_by == primary.id);
    let (primary, status) = match primary.filter(|_| recorded == Contents::Untold) {
        Some(primary) if running > 0 => (primary, DesiredStatus::Running),
        Some(primary) if has_stopped(primary) => (primary, DesiredStatus::Stopped),
        _ => return Ok(Some(recorded)),
    };
    let images = ecs.deployment_digests(cluster, name, &primary.id, status).await?;
    let moved = async || {
        let now = ecs.describe_service(cluster, name).await?;
        Ok::<_, Error>(now.has_moved_since(&snapshot.service))
    };
    if running > 0 && images.is_empty() && moved().await? {
        return Ok(None);
    }
    Ok(Some(Contents::of(&images, &asked.image)))
}
