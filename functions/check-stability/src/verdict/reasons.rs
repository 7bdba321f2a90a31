//! Which tasks of a rollout crashed, and how the reasons are told.

use super::records::is_rollback;
use super::{CLOCK_SKEW, Snapshot, earlier, hooks, later, launch, ours_of};
use crate::crash::{describe, sentence};
use ecr_deploy::contract::{CheckStability, Rollout};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{self, Deployment, ServiceDeployment, StoppedTask};
use ecr_deploy::domain::stage::RollbackSetting;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many reasons are told.
const REASONS: usize = 5;

/// The task of our rollout that crashed first by itself while it was watched.
#[must_use]
pub fn first_crash<'a>(snapshot: &'a Snapshot, asked: &CheckStability) -> Option<&'a StoppedTask> {
    failed_tasks(snapshot, asked)
        .into_iter()
        .min_by_key(|task| task.stopped_at)
}

/// The tasks of our rollout that crashed by themselves while it was watched.
///
/// A service may run work that ends well and is started again, by ECS, for ever: where tasks of the last good revision
/// ended so, it is no failure that ours do. Where the push found its revision here, by a rollout that was over, the tasks of that
/// rollout tell it too: ECS has forgotten those of the revision before after an hour.
pub(super) fn failed_tasks<'a>(snapshot: &'a Snapshot, asked: &CheckStability) -> Vec<&'a StoppedTask> {
    let rollout = &asked.rollout;
    // During a rollback the deployment that was good before may be listed still.
    let counts = |deployment: &&Deployment| asked.rolls_back.is_none() || deployment.is_primary;
    let revision = snapshot
        .service
        .deployments
        .iter()
        .filter(|deployment| deployment.task_definition == rollout.task_definition)
        .filter(counts);
    let ids: Vec<&str> = revision
        .map(|deployment| deployment.id.as_str())
        .chain(rollout.deployment.as_deref())
        .collect();
    let since = earlier(rollout.watched_since, CLOCK_SKEW);
    let is_ours = |task: &&StoppedTask| ids.contains(&task.started_by.as_str());
    // A rollback goes to what was good before.
    let good = match asked.rolls_back {
        Some(_) => Some(&rollout.task_definition),
        None => asked.previous.as_ref().or_else(|| good_before(snapshot, rollout)),
    };
    let was_here = was_here(asked);
    let tells = |task: &&StoppedTask| {
        if is_ours(task) {
            was_here
        } else {
            good.is_some() && task.task_definition.as_ref() == good
        }
    };
    let before = snapshot.stopped.iter().filter(tells);
    let good_ends: Vec<&StoppedTask> = before.filter(|task| task.succeeded().is_some()).collect();
    let ended_as_well = |task: &StoppedTask| {
        good_ends
            .iter()
            .any(|good| ends_as_well(task, good, &snapshot.essential))
    };
    let ours = snapshot.stopped.iter().filter(is_ours);
    ours.filter(|task| task.stopped_at.is_none_or(|at| at >= since))
        .filter(|task| task.crashed() && !ended_as_well(task))
        .collect()
}

/// True if the push found its revision here, by a rollout that began longer ago than a rollout may take and than clocks differ: it was
/// over, and no step of this push began it. It is watched from the push on then, see `already_deployed` of update-service. Where a stage
/// leaves what failed as it is, that rollout may have failed.
fn was_here(asked: &CheckStability) -> bool {
    let rollout = &asked.rollout;
    let may_take = rollout.deadline.duration_since(rollout.watched_since);
    asked.rolls_back.is_none()
        && asked.settings.rollback == RollbackSetting::Automatic
        && later(rollout.started_at, CLOCK_SKEW.max(may_take)) < rollout.watched_since
}

/// The last good revision before a rollout, by ECS's records: where "Update service" was not told of any.
fn good_before<'a>(snapshot: &'a Snapshot, rollout: &Rollout) -> Option<&'a TaskDefinitionArn> {
    let history = snapshot.history.as_deref()?;
    let ours = &rollout.task_definition;
    let place = history.iter().position(|record| record.target == *ours)?;
    service::last_good(&history[place..], ours)
}

/// True if a task ended as well as `good`, one of the last good revision: every container of both exited with code 0;
/// or all those that did in `good` did so here, an essential one among them. An app that is killed for want of memory
/// also leaves a sidecar that exits with 0, and that is no good end.
fn ends_as_well(task: &StoppedTask, good: &StoppedTask, essential: &[String]) -> bool {
    let (Some(here), Some(there)) = (task.succeeded(), good.succeeded()) else {
        return false;
    };
    let is_essential = |name: &&str| essential.iter().any(|essential| essential == name);
    (!task.was_partly_stopped() && !good.was_partly_stopped())
        || (there.is_subset(&here) && (!task.was_partly_stopped() || there.iter().any(is_essential)))
}

/// Why tasks crashed, each reason once with how often, the most frequent first; then why none could be placed; then which lifecycle
/// hooks failed, where ECS went back.
pub(super) fn reasons(
    crashes: &[&StoppedTask],
    snapshot: &Snapshot,
    rollout: &Rollout,
    record: Option<&ServiceDeployment>,
) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for task in crashes {
        *counts.entry(describe(task)).or_default() += 1;
    }
    let mut counted: Vec<(String, usize)> = counts.into_iter().collect();
    counted.sort_by_key(|(_, count)| Reverse(*count));
    let sentences = counted.into_iter().map(|(reason, count)| {
        if count == 1 {
            reason
        } else {
            format!("{reason} ({count} times)")
        }
    });
    let unplaced = unplaced(crashes, snapshot, rollout);
    let went_back = record.is_some_and(|record| is_rollback(record.status));
    let hooks = snapshot.lifecycle.as_ref().filter(|_| went_back).map(hooks::failures);
    sentences
        .chain(unplaced)
        .take(REASONS)
        .chain(hooks.unwrap_or_default())
        .collect()
}

/// Why ECS cannot launch tasks, unless it could meanwhile: all of them run, or some were launched and crashed.
fn unplaced(crashes: &[&StoppedTask], snapshot: &Snapshot, rollout: &Rollout) -> Option<String> {
    let all_run = ours_of(&snapshot.service, rollout)
        .is_some_and(|ours| ours.desired_count > 0 && ours.running_count >= ours.desired_count);
    let failure = launch::failure(snapshot, rollout).filter(|_| !all_run)?;
    let is_over = !crashes.is_empty() && launch::is_past(snapshot, failure);
    (!is_over).then(|| sentence(&failure.message))
}

/// "2 of 3 tasks running; 1 stopped: web exited with code 1".
pub(super) fn progress(deployment: &Deployment, stopped: usize, reasons: &[String]) -> String {
    let running = format!(
        "{} of {} tasks running",
        deployment.running_count, deployment.desired_count
    );
    if stopped > 0 && deployment.desired_count == 0 {
        // It has been given up, so nothing of it should run any more.
        return format!("{stopped} stopped: {}", reasons.join("; "));
    }
    match (stopped, reasons) {
        (0, []) => running,
        (0, reasons) => format!("{running}: {}", reasons.join("; ")),
        (stopped, reasons) => format!("{running}; {stopped} stopped: {}", reasons.join("; ")),
    }
}

/// Why a rollout was given up: why its tasks crashed if that is known, and ECS's own words.
pub(super) fn because(record: Option<&ServiceDeployment>, deployment: &Deployment, progress: &str) -> String {
    let words = record
        .and_then(|record| record.status_reason.as_deref())
        .or(deployment.rollout_state_reason.as_deref());
    words.map_or_else(
        || progress.to_owned(),
        |words| format!("{progress} ({})", words.trim_end_matches('.')),
    )
}
