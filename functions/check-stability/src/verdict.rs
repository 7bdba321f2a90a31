//! A verdict says how a rollout stands, from one read of it.
//!
//! Only a completed rollout of *our* revision is stable. That ECS calls a service stable says nothing: it is that after
//! a rollback too.

pub mod contents;
pub mod hooks;
mod launch;

use crate::crash::{describe, failed_containers, sentence};
use ecr_deploy::contract::{Check, CheckStability, Rollout, Verdict};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::lifecycle::{HookAction, Lifecycle};
use ecr_deploy::domain::service::{
    Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, StoppedTask,
};
use ecr_deploy::domain::stage::BaseSetting;
use ecr_deploy::domain::task_definition::{OtherRevision, Standing};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long after an update a read may still show the service as it was before it.
const STALE: SignedDuration = SignedDuration::from_secs(30);
/// How far our clock and AWS's may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How long a completed rollout in which a task crashed must have been quiet.
const QUIET: SignedDuration = SignedDuration::from_secs(60);
/// Of so many tasks one may die in that time: a large service always has some that do.
const DEATHS_ARE_NORMAL: u32 = 100;
/// How many reasons are told.
const REASONS: usize = 5;

/// What one read shows.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// The service.
    pub service: &'a Service,
    /// ECS's records of the service's rollouts since ours began, newest first, where ECS tells them.
    pub history: Option<&'a [ServiceDeployment]>,
    /// How the lifecycle hooks stand of the rollout that counts, see [`has_hooks`]; where ECS tells.
    pub lifecycle: Option<&'a Lifecycle>,
    /// The tasks that stopped lately, of whatever deployment.
    pub stopped: &'a [StoppedTask],
    /// What the revision of the primary deployment is to the push, where that is another revision than ours.
    pub primary: Option<OtherRevision>,
    /// How the revision stands to the push whose rollout [`came_between`].
    pub between: Option<Standing>,
    /// The containers of our revision that run the pushed repository, where the primary deployment's is of the push too.
    pub image_containers: &'a [String],
    /// The essential containers of our revision, where one of its tasks [was partly stopped](StoppedTask::was_partly_stopped).
    pub essential: &'a [String],
    /// When the read was taken.
    pub now: Timestamp,
}

/// Whether ECS's records of the service's rollouts are worth a call: only where the deployments alone do not tell.
#[must_use]
pub fn needs_history(service: &Service, rollout: &Rollout) -> bool {
    match service.primary() {
        Some(primary) if primary.task_definition == rollout.task_definition => {
            // Nothing is being started while one goes on that somebody has stopped.
            service.has_lifecycle_hooks
                || primary.rollout_state != Some(RolloutState::InProgress)
                || primary.pending_count == 0
        }
        _ => true,
    }
}

/// The ARN of the service deployment whose lifecycle hooks are worth a call: the one of our rollout, or of ECS's way back from
/// it. `None` where the service has no hooks, or that one is over and went well, or another one replaced it.
#[must_use]
pub fn has_hooks<'a>(
    service: &Service,
    history: Option<&'a [ServiceDeployment]>,
    asked: &CheckStability,
) -> Option<&'a str> {
    use ServiceDeploymentStatus::{Stopped, Successful};
    let record = our_record(history, asked).filter(|_| service.has_lifecycle_hooks)?;
    (!matches!(record.status, Successful | Stopped)).then_some(record.arn.as_str())
}

/// The hold by lifecycle hooks, where the rollout waits at any.
#[must_use]
pub fn held(snapshot: &Snapshot<'_>, asked: &CheckStability) -> Option<hooks::Hold> {
    let record = our_record(snapshot.history, asked)?;
    let is_there = snapshot
        .service
        .primary()
        .is_some_and(|primary| primary.task_definition == record.target);
    let end_of_pause = if is_rollback(record.status) {
        is_there.then_some(HookAction::RollBack)
    } else {
        Some(HookAction::Continue)
    };
    hooks::hold(snapshot.lifecycle?, &asked.rollout, end_of_pause, snapshot.now)
}

/// The revision of a rollout that replaced ours and is over too, by ECS's records: one that began after ours and
/// is neither of our revision nor of the one that the service is on now.
#[must_use]
pub fn came_between<'a>(
    service: &Service,
    history: &'a [ServiceDeployment],
    asked: &CheckStability,
) -> Option<&'a TaskDefinitionArn> {
    let ours = record_of_rollout(history, asked)?;
    let on = &service.primary()?.task_definition;
    let later = history.iter().take_while(|record| *record != ours);
    later
        .map(|record| &record.target)
        .find(|target| *target != on && *target != &ours.target)
}

/// Judges a rollout.
#[must_use]
pub fn judge(snapshot: &Snapshot<'_>, asked: &CheckStability) -> Check {
    let rollout = &asked.rollout;
    let crashes = failed_tasks(snapshot, asked);
    let judged = match snapshot.service.primary() {
        Some(primary) if primary.task_definition == rollout.task_definition => {
            judge_ours(snapshot, asked, primary, &crashes)
        }
        Some(primary) if asked.rolls_back.is_some() => judge_displaced_rollback(snapshot, asked, primary),
        Some(primary) => judge_displaced(snapshot, asked, primary, &crashes),
        None => {
            let message = format!("{} shows no deployment of its own", snapshot.service.title());
            ended_by_deadline(snapshot, asked, check(Verdict::InProgress, message, Vec::new(), 0, 0))
        }
    };
    Check {
        failed_containers: failed_containers(&crashes),
        ..judged
    }
}

/// Our revision is what the service is on, or moving to.
fn judge_ours(
    snapshot: &Snapshot<'_>,
    asked: &CheckStability,
    primary: &Deployment,
    crashes: &[&StoppedTask],
) -> Check {
    let rollout = &asked.rollout;
    let record = our_record(snapshot.history, asked);
    let reasons = reasons(crashes, snapshot, rollout, record);
    let draining = draining(snapshot, primary);
    let mut progress = progress(primary, crashes.len(), &reasons);
    if draining > 0 {
        let tasks = if draining == 1 { "old task" } else { "old tasks" };
        progress.extend(["; ", &draining.to_string(), " ", tasks, " still draining"]);
    }
    let ended = |verdict, message: String| {
        check(
            verdict,
            message,
            reasons.clone(),
            primary.running_count,
            primary.desired_count,
        )
    };
    match record.map(|record| record.status) {
        Some(ServiceDeploymentStatus::RolledBack | ServiceDeploymentStatus::RollingBack)
            if asked.rolls_back.is_none() =>
        {
            return ended(
                Verdict::Failed,
                format!("ECS is rolling back: {}", because(record, primary, &progress)),
            );
        }
        Some(ServiceDeploymentStatus::RollbackFailed) => {
            return ended(
                Verdict::Failed,
                format!("ECS could not roll back: {}", because(record, primary, &progress)),
            );
        }
        Some(ServiceDeploymentStatus::Stopped) if asked.rolls_back.is_none() && is_newest(snapshot, record) => {
            return ended(
                Verdict::Failed,
                format!("the deployment was stopped: {}", because(record, primary, &progress)),
            );
        }
        _ => {}
    }
    if primary.rollout_state == Some(RolloutState::Failed) {
        return ended(
            Verdict::Failed,
            format!("ECS has given the rollout up: {}", because(record, primary, &progress)),
        );
    }
    if crashes.len() >= snapshot.service.crash_threshold.tasks(primary.desired_count) {
        return ended(Verdict::Failed, progress);
    }
    if launch::fails(snapshot, asked, primary) {
        return ended(Verdict::Failed, progress);
    }
    let may_lag = record.is_none() && tells_of_others(snapshot) && snapshot.now < later(rollout.watched_since, STALE);
    if !may_lag
        && is_complete(snapshot, rollout.deadline, primary, record)
        && is_quiet(snapshot, rollout, primary, crashes)
    {
        return ended(Verdict::Stable, progress);
    }
    // Nothing that could go wrong with ours is left to wait for, and to go back would change nothing.
    let is_held = held(snapshot, asked).is_some();
    if draining > 0 && !is_held && snapshot.now >= rollout.deadline && is_quiet(snapshot, rollout, primary, crashes) {
        return ended(Verdict::Stable, progress);
    }
    ended_by_deadline(snapshot, asked, ended(Verdict::InProgress, progress))
}

/// Another revision than ours is what the service is on.
fn judge_displaced(
    snapshot: &Snapshot<'_>,
    asked: &CheckStability,
    primary: &Deployment,
    crashes: &[&StoppedTask],
) -> Check {
    let rollout = &asked.rollout;
    let there = primary.task_definition.short();
    let ours = ours(snapshot.service, rollout);
    let record = our_record(snapshot.history, asked);
    let reasons = reasons(crashes, snapshot, rollout, record);
    let (running, desired) = ours.map_or((0, primary.desired_count), |ours| {
        (ours.running_count, ours.desired_count)
    });
    let says = |verdict, message: String| check(verdict, message, reasons.clone(), running, desired);

    let gave_up = record.is_some_and(|record| is_rollback(record.status));
    if primary.created_at < rollout.started_at && !primary.says_rollback() && is_about_to_show(snapshot, asked) {
        let waits = format!("the rollout of {} does not show yet", rollout.task_definition.short());
        return ended_by_deadline(snapshot, asked, says(Verdict::InProgress, waits));
    }
    let standing = snapshot.primary.map(|primary| primary.standing);
    if standing == Some(Standing::Newer) {
        return says(Verdict::Superseded, format!("{there}, of a newer push, replaced it"));
    }
    if !gave_up && snapshot.between == Some(Standing::Newer) {
        return says(
            Verdict::Superseded,
            format!("a newer push replaced it, and it is on {there} now"),
        );
    }
    let is_previous = asked.previous.as_ref() == Some(&primary.task_definition);
    // Nothing else tells it where ECS shows no records, and a shift of traffic ended before the primary deployment was another
    // one. To begin ours once more would fail as often as it is begun.
    let is_back_after_crashes = standing == Some(Standing::Ours) && is_previous && !crashes.is_empty();
    let went_back = gave_up
        || ours.is_some_and(|ours| ours.rollout_state == Some(RolloutState::Failed))
        || primary.says_rollback()
        || is_back_after_crashes;
    let failed = failed_containers(crashes);
    let image_failed = failed
        .iter()
        .any(|container| snapshot.image_containers.contains(container));
    if went_back && standing == Some(Standing::Ours) && !image_failed {
        // What failed is what came in with another push.
        let message = format!("ECS went back to {there}, which has the image too");
        return if primary.rollout_state == Some(RolloutState::Completed) {
            says(Verdict::Stable, message)
        } else {
            ended_by_deadline(snapshot, asked, says(Verdict::InProgress, message))
        };
    }
    if went_back {
        let failed = ours.unwrap_or(primary);
        let why = because(record, failed, &progress(failed, crashes.len(), &reasons));
        return says(Verdict::Failed, format!("ECS went back to {there}: {why}"));
    }
    if standing == Some(Standing::Ours) {
        return says(
            Verdict::Displaced,
            format!("{there}, which has the image too, replaced it"),
        );
    }
    let is_back = is_previous || snapshot.primary.is_some_and(|primary| primary.rolls_ours_back);
    if is_back && snapshot.between.is_none() {
        let why = reasons.first().map_or("ECS or a person took it back", String::as_str);
        return says(Verdict::Failed, format!("it is back on {there}: {why}"));
    }
    // Where nothing good is known, nobody can have gone back to it.
    let is_later = asked
        .previous
        .as_ref()
        .is_none_or(|previous| primary.task_definition.is_later_than(previous));
    if is_back || (standing == Some(Standing::Older) && is_later) {
        return says(
            Verdict::Displaced,
            format!("{there}, made from an older state, replaced it"),
        );
    }
    // Infrastructure as code has changed the document, and names an image of its own.
    if asked.settings.base == BaseSetting::Newest && standing == Some(Standing::Unrecorded) && is_later {
        return says(
            Verdict::Displaced,
            format!("{there}, which somebody else registered, replaced it: it is to have the image too"),
        );
    }
    says(
        Verdict::Superseded,
        format!("another deployment, of {there}, replaced it"),
    )
}

/// The service is not on the revision it was rolled back to.
fn judge_displaced_rollback(snapshot: &Snapshot<'_>, asked: &CheckStability, primary: &Deployment) -> Check {
    let rollout = &asked.rollout;
    let there = primary.task_definition.short();
    let says = |verdict, message| {
        check(
            verdict,
            message,
            Vec::new(),
            primary.running_count,
            primary.desired_count,
        )
    };
    let newest = snapshot.history.and_then(<[_]>::first).map(|record| record.status);
    let may_be_old = snapshot.now < later(rollout.watched_since, STALE);
    if newest == Some(ServiceDeploymentStatus::RollbackFailed) && !may_be_old {
        return says(
            Verdict::Failed,
            format!("ECS could not roll back: the service is still on {there}"),
        );
    }
    let does_not_show_yet = primary.created_at < rollout.started_at && may_be_old;
    if asked.rolls_back.as_ref() == Some(&primary.task_definition) || does_not_show_yet {
        let waits = says(Verdict::InProgress, format!("the service is still on {there}"));
        return ended_by_deadline(snapshot, asked, waits);
    }
    match snapshot.primary.map(|primary| primary.standing) {
        Some(Standing::Newer) => says(
            Verdict::Superseded,
            format!("{there}, of a newer push, took over during the rollback"),
        ),
        // Also one that has our image: whoever brought it in judges that, but nobody else tells that ours has failed.
        _ => says(
            Verdict::Displaced,
            format!("another deployment, of {there}, took over during the rollback"),
        ),
    }
}

fn check(verdict: Verdict, message: String, reasons: Vec<String>, running: u32, desired: u32) -> Check {
    Check {
        verdict,
        message,
        reasons,
        failed_containers: Vec::new(),
        running,
        desired,
        wait: 0,
        deadline: None,
    }
}

/// The deadline ends what is still in progress, and nothing else; nor what waits at a lifecycle hook.
fn ended_by_deadline(snapshot: &Snapshot<'_>, asked: &CheckStability, check: Check) -> Check {
    let deadline = asked.rollout.deadline;
    if let Some(hold) = held(snapshot, asked) {
        return Check {
            message: format!("{}; {}", check.message, hold.says),
            ..check
        };
    }
    if snapshot.now < deadline {
        return check;
    }
    Check {
        verdict: Verdict::Failed,
        message: format!("not stable by {deadline}: {}", check.message),
        ..check
    }
}

/// Whether the rollout is over and went well. ECS's own record counts where there is one, since the deployment may read
/// COMPLETED while a blue/green bake time is still running.
fn is_complete(
    snapshot: &Snapshot<'_>,
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

/// Whether ECS keeps records of this service's rollouts: then ours is about to show among them.
fn tells_of_others(snapshot: &Snapshot<'_>) -> bool {
    snapshot.history.is_some_and(|history| !history.is_empty())
}

/// Whether no task has crashed, or all tasks run and hardly any has crashed for a while: a crash that comes only some time after
/// RUNNING completes a rollout again and again. At the deadline, crashes that make no crash loop are no reason to go back.
fn is_quiet(snapshot: &Snapshot<'_>, rollout: &Rollout, primary: &Deployment, crashes: &[&StoppedTask]) -> bool {
    let is_late = |task: &&&StoppedTask| task.stopped_at.is_some_and(|at| snapshot.now < later(at, QUIET));
    let late = u32::try_from(crashes.iter().filter(is_late).count()).unwrap_or(u32::MAX);
    let is_normal = late <= primary.desired_count / DEATHS_ARE_NORMAL || snapshot.now >= rollout.deadline;
    crashes.is_empty() || (primary.running_count >= primary.desired_count && is_normal)
}

/// The deployment that is ours: by its id, else by its revision.
fn ours<'a>(service: &'a Service, rollout: &Rollout) -> Option<&'a Deployment> {
    let by_id = service
        .deployments
        .iter()
        .find(|deployment| rollout.deployment.as_ref() == Some(&deployment.id));
    by_id.or_else(|| service.deployment_of(&rollout.task_definition))
}

/// Whether the service is shown as it was before our rollout, which is in none of its deployments: nothing tells of ours yet, or
/// ECS's newest record tells that it goes on, or went well.
fn is_about_to_show(snapshot: &Snapshot<'_>, asked: &CheckStability) -> bool {
    let rollout = &asked.rollout;
    let may_be_old = snapshot.now < later(rollout.watched_since, STALE);
    let record = our_record(snapshot.history, asked);
    match record.map(|record| record.status) {
        None => ours(snapshot.service, rollout).is_none() && may_be_old,
        Some(ServiceDeploymentStatus::UnderWay) => is_newest(snapshot, record),
        Some(ServiceDeploymentStatus::Successful) => is_newest(snapshot, record) && may_be_old,
        Some(_) => false,
    }
}

/// ECS's record that tells how our rollout goes. A rollback by ECS has no record of its own: there it is the newest one.
fn our_record<'a>(history: Option<&'a [ServiceDeployment]>, asked: &CheckStability) -> Option<&'a ServiceDeployment> {
    let history = history?;
    let of_rollout = record_of_rollout(history, asked);
    if asked.rolls_back.is_none() {
        return of_rollout;
    }
    let newest = history.first()?;
    (of_rollout == Some(newest) || is_rollback(newest.status)).then_some(newest)
}

/// The newest record of our revision since the rollout began. Its time is AWS's, as is the rollout's when ECS told the
/// deployment; else that is ours.
#[must_use]
pub fn record_of_rollout<'a>(
    history: &'a [ServiceDeployment],
    asked: &CheckStability,
) -> Option<&'a ServiceDeployment> {
    let rollout = &asked.rollout;
    let slack = if rollout.deployment.is_some() {
        SignedDuration::from_secs(5)
    } else {
        CLOCK_SKEW
    };
    let since = earlier(rollout.started_at, slack);
    history
        .iter()
        .find(|record| record.target == rollout.task_definition && record.created_at >= since)
}

/// Whether no rollout began after this record's. One that another rollout follows was stopped by that, not by a person: if
/// the service still shows ours, it is shown as it was some seconds ago.
fn is_newest(snapshot: &Snapshot<'_>, record: Option<&ServiceDeployment>) -> bool {
    snapshot.history.and_then(<[_]>::first) == record
}

/// Whether ECS is going back, went back, or could not.
fn is_rollback(status: ServiceDeploymentStatus) -> bool {
    use ServiceDeploymentStatus::{RollbackFailed, RolledBack, RollingBack};
    matches!(status, RollingBack | RolledBack | RollbackFailed)
}

/// The task of our rollout that crashed first by itself while it was watched.
#[must_use]
pub fn first_crash<'a>(snapshot: &Snapshot<'a>, asked: &CheckStability) -> Option<&'a StoppedTask> {
    failed_tasks(snapshot, asked)
        .into_iter()
        .min_by_key(|task| task.stopped_at)
}

/// The tasks of our rollout that crashed by themselves while it was watched.
///
/// A service may run work that ends well and is started again, by ECS, for ever: where tasks of the last good revision
/// ended so, it is no failure that ours do.
fn failed_tasks<'a>(snapshot: &Snapshot<'a>, asked: &CheckStability) -> Vec<&'a StoppedTask> {
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
        None => asked.previous.as_ref(),
    };
    let before = snapshot
        .stopped
        .iter()
        .filter(|task| !is_ours(task) && good.is_some() && task.task_definition.as_ref() == good);
    let good_ends: Vec<&StoppedTask> = before.filter(|task| task.succeeded().is_some()).collect();
    let ended_as_well = |task: &StoppedTask| {
        good_ends
            .iter()
            .any(|good| ends_as_well(task, good, snapshot.essential))
    };
    let ours = snapshot.stopped.iter().filter(is_ours);
    ours.filter(|task| task.stopped_at.is_none_or(|at| at >= since))
        .filter(|task| task.crashed() && !ended_as_well(task))
        .collect()
}

/// Whether a task ended as well as `good`, one of the last good revision: every container of both exited with code 0; or all
/// those that did in `good` did so here, an essential one among them. An app that is killed for want of memory also leaves a
/// sidecar that exits with 0, and that is no good end.
fn ends_as_well(task: &StoppedTask, good: &StoppedTask, essential: &[String]) -> bool {
    let (Some(here), Some(there)) = (task.succeeded(), good.succeeded()) else {
        return false;
    };
    let is_essential = |name: &&str| essential.iter().any(|essential| essential == name);
    (!task.was_partly_stopped() && !good.was_partly_stopped())
        || (there.is_subset(&here) && (!task.was_partly_stopped() || there.iter().any(is_essential)))
}

/// How many tasks of other deployments are only still draining, where ECS has all that it wants of ours and wants none of theirs.
/// Task protection keeps a task up to 48 hours, and deregistration from a target up to one.
/// Zero while ECS wants any of them still: then ours run, but do not count for it yet.
fn draining(snapshot: &Snapshot<'_>, primary: &Deployment) -> u32 {
    let others = || {
        snapshot
            .service
            .deployments
            .iter()
            .filter(|other| other.id != primary.id)
    };
    let is_there = primary.running_count >= primary.desired_count && primary.pending_count == 0;
    if !is_there || others().any(|other| other.desired_count > 0) {
        return 0;
    }
    others().map(|other| other.running_count).sum()
}

/// Why tasks crashed, each reason once with how often, the most frequent first; then why none could be placed; then which lifecycle
/// hooks failed, where ECS went back.
fn reasons(
    crashes: &[&StoppedTask],
    snapshot: &Snapshot<'_>,
    rollout: &Rollout,
    record: Option<&ServiceDeployment>,
) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for task in crashes {
        *counts.entry(describe(task)).or_default() += 1;
    }
    let mut counted: Vec<(String, usize)> = counts.into_iter().collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let sentences = counted.into_iter().map(|(reason, count)| {
        if count == 1 {
            reason
        } else {
            format!("{reason} ({count} times)")
        }
    });
    let unplaced = launch::failure(snapshot, rollout).map(|failure| sentence(&failure.message));
    let went_back = record.is_some_and(|record| is_rollback(record.status));
    let hooks = snapshot.lifecycle.filter(|_| went_back).map(hooks::failures);
    sentences
        .chain(unplaced)
        .take(REASONS)
        .chain(hooks.unwrap_or_default())
        .collect()
}

/// "2 of 3 tasks running; 1 stopped: web exited with code 1".
fn progress(deployment: &Deployment, stopped: usize, reasons: &[String]) -> String {
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
fn because(record: Option<&ServiceDeployment>, deployment: &Deployment, progress: &str) -> String {
    let words = record
        .and_then(|record| record.status_reason.as_deref())
        .or(deployment.rollout_state_reason.as_deref());
    words.map_or_else(
        || progress.to_owned(),
        |words| format!("{progress} ({})", words.trim_end_matches('.')),
    )
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
