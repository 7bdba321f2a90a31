//! A verdict says how a rollout stands, from one read of it.
//!
//! Only a completed rollout of *our* revision is stable. That ECS calls a service stable says nothing: it is that after
//! a rollback too.

pub mod contents;
mod displaced;
pub mod hooks;
mod launch;
mod ours;
mod reasons;
mod records;

use crate::crash::failed_containers;
use ecr_deploy::contract::{Check, CheckStability, Rollout, Verdict};
use ecr_deploy::domain::lifecycle::{HookAction, Lifecycle};
use ecr_deploy::domain::service::{Deployment, Service, ServiceDeployment, StoppedTask};
use ecr_deploy::domain::task_definition::{OtherRevision, Standing};
use jiff::{SignedDuration, Timestamp};
pub use reasons::first_crash;
use reasons::{failed_tasks, reasons};
pub use records::{came_between, has_hooks, needs_history, record_of_rollout};
use records::{is_rollback, our_record};

/// How long after an update a read may still show the service as it was before it.
const STALE: SignedDuration = SignedDuration::from_secs(30);

/// How far our clock and AWS's may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// The result of one read.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The service.
    pub service: Service,
    /// ECS's records of the service's rollouts since ours began, newest first, where ECS tells them.
    pub history: Option<Vec<ServiceDeployment>>,
    /// How the lifecycle hooks stand of the rollout that counts, see [`has_hooks`]; where ECS tells.
    pub lifecycle: Option<Lifecycle>,
    /// The tasks that stopped lately, of whatever deployment.
    pub stopped: Vec<StoppedTask>,
    /// The relation of the primary deployment's revision to the push, where that is another revision than ours.
    pub primary: Option<OtherRevision>,
    /// How the revision stands to the push whose rollout [`came_between`].
    pub between: Option<Standing>,
    /// The containers of our revision that run the pushed repository, where the primary deployment's is of the push too.
    pub image_containers: Vec<String>,
    /// The essential containers of our revision, where one of its tasks [was partly stopped](StoppedTask::was_partly_stopped).
    pub essential: Vec<String>,
    /// When the read was taken.
    pub now: Timestamp,
}

impl Snapshot {
    /// The newest of ECS's records, where it tells any.
    fn newest_record(&self) -> Option<&ServiceDeployment> {
        self.history.as_deref()?.first()
    }
}

/// The grounds of a verdict, where the service shows a deployment of its own.
struct Grounds<'a> {
    snapshot: &'a Snapshot,
    asked: &'a CheckStability,
    /// The deployment that the service is on, or is moving to.
    primary: &'a Deployment,
    /// ECS's record that tells how our rollout goes.
    record: Option<&'a ServiceDeployment>,
    /// The tasks of our rollout that crashed.
    crashes: &'a [&'a StoppedTask],
    reasons: Vec<String>,
}

impl Grounds<'_> {
    fn judge(self) -> Check {
        if self.primary.task_definition == self.asked.rollout.task_definition {
            self.judge_ours()
        } else if self.asked.rolls_back.is_some() {
            self.judge_rollback()
        } else {
            self.judge_displaced()
        }
    }
}

/// Judges a rollout. The deadline ends what is still in progress.
#[must_use]
pub fn judge(snapshot: &Snapshot, asked: &CheckStability) -> Check {
    let crashes = failed_tasks(snapshot, asked);
    let judged = if let Some(primary) = snapshot.service.primary() {
        let record = our_record(snapshot.history.as_deref(), asked);
        let grounds = Grounds {
            snapshot,
            asked,
            primary,
            record,
            crashes: &crashes,
            reasons: reasons(&crashes, snapshot, &asked.rollout, record),
        };
        grounds.judge()
    } else {
        let message = format!("{} shows no deployment of its own", snapshot.service.title());
        check(Verdict::InProgress, message, Vec::new(), 0, 0)
    };
    let judged = match judged.verdict {
        Verdict::InProgress => ended_by_deadline(snapshot, asked, judged),
        _ => judged,
    };
    Check {
        failed_containers: failed_containers(&crashes),
        ..judged
    }
}

/// The hold by lifecycle hooks, where the rollout waits at any.
#[must_use]
pub fn held(snapshot: &Snapshot, asked: &CheckStability) -> Option<hooks::Hold> {
    let record = our_record(snapshot.history.as_deref(), asked)?;
    let is_there = snapshot
        .service
        .primary()
        .is_some_and(|primary| primary.task_definition == record.target);
    let end_of_pause = if is_rollback(record.status) {
        is_there.then_some(HookAction::RollBack)
    } else {
        Some(HookAction::Continue)
    };
    hooks::hold(snapshot.lifecycle.as_ref()?, &asked.rollout, end_of_pause, snapshot.now)
}

/// A verdict of which nothing else is known.
pub(crate) fn check(verdict: Verdict, message: String, reasons: Vec<String>, running: u32, desired: u32) -> Check {
    Check {
        verdict,
        message,
        reasons,
        failed_containers: Vec::new(),
        running,
        desired,
        wait: 0,
        deadline: None,
        waits_for: None,
        containers: Vec::new(),
    }
}

/// The deadline ends what is still in progress, and nothing else; nor what waits at a lifecycle hook.
fn ended_by_deadline(snapshot: &Snapshot, asked: &CheckStability, check: Check) -> Check {
    let deadline = asked.rollout.deadline;
    if let Some(hold) = held(snapshot, asked) {
        return Check {
            message: format!("{}; {}", check.message, hold.says),
            waits_for: hold.person,
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

/// The deployment that is ours: by its id, else by its revision.
fn ours_of<'a>(service: &'a Service, rollout: &Rollout) -> Option<&'a Deployment> {
    let by_id = service
        .deployments
        .iter()
        .find(|deployment| rollout.deployment.as_ref() == Some(&deployment.id));
    by_id.or_else(|| service.deployment_of(&rollout.task_definition))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
