//! The verdict on a rollout whose revision is what the service is on, or moving to.

use super::reasons::{because, progress};
use super::records::is_newest;
use super::{Grounds, STALE, check, held, later, launch};
use ecr_deploy::contract::{Check, Verdict};
use ecr_deploy::domain::service::{RolloutState, ServiceDeploymentStatus, StoppedTask};
use jiff::SignedDuration;

/// How long a completed rollout in which a task crashed must have been quiet.
const QUIET: SignedDuration = SignedDuration::from_secs(60);
/// Of so many tasks one may crash in that time: a large service always has some that do.
const CRASHES_ARE_NORMAL: u32 = 100;

impl Grounds<'_> {
    /// Judges it.
    pub(super) fn judge_ours(self) -> Check {
        let primary = self.primary;
        let mut progress = progress(primary, self.crashes.len(), &self.reasons);
        let draining = self.snapshot.service.draining();
        if draining > 0 {
            let tasks = if draining == 1 { "old task" } else { "old tasks" };
            progress.extend(["; ", &draining.to_string(), " ", tasks, " still draining"]);
        }
        let threshold = self.snapshot.service.crash_threshold;
        let is_crash_loop = self.crashes.len() >= threshold.tasks(primary.desired_count);
        let (verdict, message) = if let Some(ended) = self.given_up() {
            let because = because(self.record, primary, &progress);
            (Verdict::Failed, format!("{ended}: {because}"))
        } else if is_crash_loop || launch::fails(self.snapshot, self.asked, primary) {
            (Verdict::Failed, progress)
        } else if self.is_quiet() && self.is_over() {
            (Verdict::Stable, progress)
        } else {
            (Verdict::InProgress, progress)
        };
        let (running, desired) = (primary.running_count, primary.desired_count);
        check(verdict, message, self.reasons, running, desired)
    }

    /// How the rollout was given up, by ECS or by a person who stopped it.
    fn given_up(&self) -> Option<&'static str> {
        use ServiceDeploymentStatus::{RollbackFailed, RolledBack, RollingBack, Stopped};
        let is_forward = self.asked.rolls_back.is_none();
        match self.record.map(|record| record.status) {
            Some(RolledBack | RollingBack) if is_forward => Some("ECS is rolling back"),
            Some(RollbackFailed) => Some("ECS could not roll back"),
            Some(Stopped) if is_forward && is_newest(self.snapshot, self.record) => Some("the deployment was stopped"),
            _ => (self.primary.rollout_state == Some(RolloutState::Failed)).then_some("ECS has given the rollout up"),
        }
    }

    /// True if nothing of the rollout is left to wait for.
    fn is_over(&self) -> bool {
        let Self { snapshot, asked, .. } = self;
        // Where ECS keeps records of this service's rollouts, ours is about to show among them.
        let may_lag = self.record.is_none()
            && snapshot.newest_record().is_some()
            && snapshot.now < later(asked.rollout.watched_since, STALE);
        if !may_lag && self.is_complete() {
            return true;
        }
        // It may wait at a hook of which ECS does not tell, and go back from there.
        let may_wait = snapshot.service.has_lifecycle_hooks && snapshot.lifecycle.is_none();
        // While old tasks drain, nothing that could go wrong with ours is left to wait for, and to go back would change nothing.
        let is_late = snapshot.now >= asked.rollout.deadline;
        snapshot.service.draining() > 0 && is_late && !may_wait && held(snapshot, asked).is_none()
    }

    /// True if the rollout is over and went well. ECS's own record counts where there is one, since the deployment may read
    /// COMPLETED while a blue/green bake time is still running.
    fn is_complete(&self) -> bool {
        let Self { snapshot, primary, .. } = self;
        // ECS goes on to start tasks after an early success, and undoes nothing any more: at the deadline it is over all the same.
        let is_early = snapshot.service.completes_early
            && snapshot.now < self.asked.rollout.deadline
            && (primary.running_count < primary.desired_count || primary.pending_count > 0);
        if is_early {
            return false;
        }
        match self.record.map(|record| record.status) {
            Some(ServiceDeploymentStatus::Successful) => return true,
            // Of a rollback that ECS has not ended, it may still say that it could not.
            Some(ServiceDeploymentStatus::UnderWay | ServiceDeploymentStatus::RollingBack) => return false,
            _ => {}
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

    /// True if no task has crashed, or all tasks run and hardly any has crashed for a while: a crash that comes only some
    /// time after RUNNING completes a rollout again and again. At the deadline, crashes that make no crash loop are no
    /// reason to go back.
    fn is_quiet(&self) -> bool {
        let Self { snapshot, primary, .. } = self;
        let is_late = |task: &&&StoppedTask| task.stopped_at.is_some_and(|at| snapshot.now < later(at, QUIET));
        let late = u32::try_from(self.crashes.iter().filter(is_late).count()).unwrap_or(u32::MAX);
        let is_at_deadline = snapshot.now >= self.asked.rollout.deadline;
        let is_normal = late <= primary.desired_count / CRASHES_ARE_NORMAL || is_at_deadline;
        self.crashes.is_empty() || (primary.running_count >= primary.desired_count && is_normal)
    }
}
