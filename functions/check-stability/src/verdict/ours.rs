//! The verdict on a rollout whose revision is what the service is on, or moving to.

use super::reasons::{because, progress, reasons};
use super::records::{is_newest, our_record};
use super::{STALE, Snapshot, check, held, later, launch};
use ecr_deploy::contract::{Check, CheckStability, Rollout, Verdict};
use ecr_deploy::domain::service::{Deployment, RolloutState, ServiceDeployment, ServiceDeploymentStatus, StoppedTask};
use jiff::{SignedDuration, Timestamp};

/// How long a completed rollout in which a task crashed must have been quiet.
const QUIET: SignedDuration = SignedDuration::from_secs(60);
/// Of so many tasks one may crash in that time: a large service always has some that do.
const CRASHES_ARE_NORMAL: u32 = 100;

/// Judges it.
pub(super) fn judge(
    snapshot: &Snapshot,
    asked: &CheckStability,
    primary: &Deployment,
    crashes: &[&StoppedTask],
) -> Check {
    let record = our_record(snapshot.history.as_deref(), asked);
    let reasons = reasons(crashes, snapshot, &asked.rollout, record);
    let mut progress = progress(primary, crashes.len(), &reasons);
    let draining = snapshot.service.draining();
    if draining > 0 {
        let tasks = if draining == 1 { "old task" } else { "old tasks" };
        progress.extend(["; ", &draining.to_string(), " ", tasks, " still draining"]);
    }
    let is_crash_loop = crashes.len() >= snapshot.service.crash_threshold.tasks(primary.desired_count);
    let (verdict, message) = if let Some(ended) = given_up(snapshot, asked, primary, record) {
        (
            Verdict::Failed,
            format!("{ended}: {}", because(record, primary, &progress)),
        )
    } else if is_crash_loop || launch::fails(snapshot, asked, primary) {
        (Verdict::Failed, progress)
    } else if is_quiet(snapshot, &asked.rollout, primary, crashes) && is_over(snapshot, asked, primary, record) {
        (Verdict::Stable, progress)
    } else {
        (Verdict::InProgress, progress)
    };
    check(verdict, message, reasons, primary.running_count, primary.desired_count)
}

/// How the rollout was given up, by ECS or by a person who stopped it.
fn given_up(
    snapshot: &Snapshot,
    asked: &CheckStability,
    primary: &Deployment,
    record: Option<&ServiceDeployment>,
) -> Option<&'static str> {
    use ServiceDeploymentStatus::{RollbackFailed, RolledBack, RollingBack, Stopped};
    let is_forward = asked.rolls_back.is_none();
    match record.map(|record| record.status) {
        Some(RolledBack | RollingBack) if is_forward => Some("ECS is rolling back"),
        Some(RollbackFailed) => Some("ECS could not roll back"),
        Some(Stopped) if is_forward && is_newest(snapshot, record) => Some("the deployment was stopped"),
        _ => (primary.rollout_state == Some(RolloutState::Failed)).then_some("ECS has given the rollout up"),
    }
}

/// True if nothing of the rollout is left to wait for.
fn is_over(
    snapshot: &Snapshot,
    asked: &CheckStability,
    primary: &Deployment,
    record: Option<&ServiceDeployment>,
) -> bool {
    let Rollout {
        deadline,
        watched_since,
        ..
    } = asked.rollout;
    let may_lag = record.is_none() && tells_of_others(snapshot) && snapshot.now < later(watched_since, STALE);
    if !may_lag && is_complete(snapshot, deadline, primary, record) {
        return true;
    }
    // It may wait at a hook of which ECS does not tell, and go back from there.
    let may_wait = snapshot.service.has_lifecycle_hooks && snapshot.lifecycle.is_none();
    // While old tasks drain, nothing that could go wrong with ours is left to wait for, and to go back would change nothing.
    snapshot.service.draining() > 0 && snapshot.now >= deadline && !may_wait && held(snapshot, asked).is_none()
}

/// True if the rollout is over and went well. ECS's own record counts where there is one, since the deployment may read
/// COMPLETED while a blue/green bake time is still running.
fn is_complete(
    snapshot: &Snapshot,
    deadline: Timestamp,
    primary: &Deployment,
    record: Option<&ServiceDeployment>,
) -> bool {
    // ECS goes on to start tasks after an early success, and undoes nothing any more: at the deadline it is over all the same.
    let is_early = snapshot.service.completes_early
        && snapshot.now < deadline
        && (primary.running_count < primary.desired_count || primary.pending_count > 0);
    if is_early {
        return false;
    }
    if let Some(record) = record {
        match record.status {
            ServiceDeploymentStatus::Successful => return true,
            ServiceDeploymentStatus::UnderWay => return false,
            _ => {}
        }
    }
    match primary.rollout_state {
        Some(state) => state == RolloutState::Completed,
        // Behind a Classic Load Balancer ECS tells no state: then it is what runs that counts.
        None => {
            snapshot.service.deployments.len() == 1
                && primary.running_count >= primary.desired_count
                && primary.pending_count == 0
        }
    }
}

/// True if ECS keeps records of this service's rollouts: then ours is about to show among them.
fn tells_of_others(snapshot: &Snapshot) -> bool {
    snapshot.newest_record().is_some()
}

/// True if no task has crashed, or all tasks run and hardly any has crashed for a while: a crash that comes only some
/// time after RUNNING completes a rollout again and again. At the deadline, crashes that make no crash loop are no
/// reason to go back.
fn is_quiet(snapshot: &Snapshot, rollout: &Rollout, primary: &Deployment, crashes: &[&StoppedTask]) -> bool {
    let is_late = |task: &&&StoppedTask| task.stopped_at.is_some_and(|at| snapshot.now < later(at, QUIET));
    let late = u32::try_from(crashes.iter().filter(is_late).count()).unwrap_or(u32::MAX);
    let is_normal = late <= primary.desired_count / CRASHES_ARE_NORMAL || snapshot.now >= rollout.deadline;
    crashes.is_empty() || (primary.running_count >= primary.desired_count && is_normal)
}
