//! The verdict on a rollout, or a rollback, where the service is on another revision than ours.

use super::reasons::{because, progress};
use super::records::{is_newest, is_rollback};
use super::{Grounds, STALE, check, later, ours_of};
use crate::crash::failed_containers;
use ecr_deploy::contract::{Check, Verdict};
use ecr_deploy::domain::service::{Deployment, RolloutState, ServiceDeploymentStatus};
use ecr_deploy::domain::stage::BaseSetting;
use ecr_deploy::domain::task_definition::Standing;

impl Grounds<'_> {
    /// Judges a rollout.
    pub(super) fn judge_displaced(self) -> Check {
        let (verdict, message) = self.verdict();
        let running = self.ours().map_or(0, |ours| ours.running_count);
        let desired = self.ours().unwrap_or(self.primary).desired_count;
        check(verdict, message, self.reasons, running, desired)
    }

    /// Our deployment, where the service has it still.
    fn ours(&self) -> Option<&Deployment> {
        ours_of(&self.snapshot.service, &self.asked.rollout)
    }

    fn verdict(&self) -> (Verdict, String) {
        let there = self.primary.task_definition.short();
        let rollout = &self.asked.rollout;
        let is_before = self.primary.created_at < rollout.started_at && !self.primary.says_rollback();
        if is_before && self.is_about_to_show() {
            let ours = rollout.task_definition.short();
            return (Verdict::InProgress, format!("the rollout of {ours} does not show yet"));
        }
        if self.is_of(Standing::Newer) {
            return (Verdict::Superseded, format!("{there}, of a newer push, replaced it"));
        }
        if !self.gave_up() && self.snapshot.between == Some(Standing::Newer) {
            let message = format!("a newer push replaced it, and it is on {there} now");
            return (Verdict::Superseded, message);
        }
        if self.went_back() {
            self.judge_return()
        } else {
            self.judge_replacement()
        }
    }

    fn is_of(&self, standing: Standing) -> bool {
        self.snapshot
            .primary
            .is_some_and(|primary| primary.standing == standing)
    }

    /// True if the service is on the last good revision again.
    fn is_on_previous(&self) -> bool {
        self.asked.previous.as_ref() == Some(&self.primary.task_definition)
    }

    /// True if ECS records that it is rolling back, has rolled back, or could not.
    fn gave_up(&self) -> bool {
        self.record.is_some_and(|record| is_rollback(record.status))
    }

    /// True if ECS rolled ours back. A rollback that began after another rollout had replaced ours is one of that.
    fn went_back(&self) -> bool {
        // Nothing else tells it where ECS shows no records, and a shift of traffic ended before the primary deployment was
        // another one. To begin ours once more would fail as often as it is begun.
        let is_back_after_crashes = self.is_of(Standing::Ours) && self.is_on_previous() && !self.crashes.is_empty();
        self.gave_up()
            || self
                .ours()
                .is_some_and(|ours| ours.rollout_state == Some(RolloutState::Failed))
            || (self.primary.says_rollback() && self.snapshot.between.is_none())
            || is_back_after_crashes
    }

    /// True if tasks of ours crashed and the service is on a revision from before the last good one: another push went back from
    /// that one, and nobody but us tells of our own crashes.
    fn is_back_beyond(&self) -> bool {
        let previous = self.asked.previous.as_ref();
        let is_beyond = previous.is_some_and(|previous| previous.is_later_than(&self.primary.task_definition));
        is_beyond && !self.crashes.is_empty()
    }

    /// True if the rollout right after ours took the service back to the last good revision: ours had failed by then, whatever was
    /// begun since. ECS does not list a rollout any more that its circuit breaker has stopped.
    fn was_taken_back(&self) -> bool {
        let records = self.snapshot.history.as_deref().unwrap_or_default();
        let ours = records.iter().position(|record| Some(record) == self.record);
        let next = ours.and_then(|ours| records[..ours].last());
        next.is_some_and(|next| Some(&next.target) == self.asked.previous.as_ref())
    }

    fn judge_return(&self) -> (Verdict, String) {
        let there = self.primary.task_definition.short();
        let failed = failed_containers(self.crashes);
        let image_failed = failed
            .iter()
            .any(|container| self.snapshot.image_containers.contains(container));
        if self.is_of(Standing::Ours) && !image_failed {
            // The failed containers are those that another push changed.
            let is_there = self.primary.rollout_state == Some(RolloutState::Completed);
            let verdict = if is_there { Verdict::Stable } else { Verdict::InProgress };
            return (verdict, format!("ECS went back to {there}, which has the image too"));
        }
        let failed = self.ours().unwrap_or(self.primary);
        let progress = progress(failed, self.crashes.len(), &self.reasons);
        let why = because(self.record, failed, &progress);
        (Verdict::Failed, format!("ECS went back to {there}: {why}"))
    }

    /// Somebody replaced our rollout. It had failed by then only where it was taken back.
    fn judge_replacement(&self) -> (Verdict, String) {
        let there = self.primary.task_definition.short();
        let displaced = |by: &str| (Verdict::Displaced, format!("{there}, {by}"));
        if self.is_of(Standing::Ours) {
            return displaced("which has the image too, replaced it");
        }
        let rolls_ours_back = self.snapshot.primary.is_some_and(|primary| primary.rolls_ours_back);
        let is_back = self.is_on_previous() || rolls_ours_back || self.is_back_beyond();
        let was_taken_back = self.was_taken_back();
        if was_taken_back || (is_back && self.snapshot.between.is_none()) {
            let (back, untold) = if is_back {
                ("it is back", "ECS or a person took it back")
            } else {
                ("it was taken back, and is", "ECS tells no reason")
            };
            let why = self.reasons.first().map_or(untold, String::as_str);
            return (Verdict::Failed, format!("{back} on {there}: {why}"));
        }
        // Where nothing good is known, nobody can have gone back to it.
        let previous = self.asked.previous.as_ref();
        let is_later = previous.is_none_or(|previous| self.primary.task_definition.is_later_than(previous));
        if is_back || (self.is_of(Standing::Older) && is_later) {
            return displaced("made from an older state, replaced it");
        }
        // Infrastructure as code has changed the document, and names an image of its own.
        if self.asked.settings.base == BaseSetting::Newest && self.is_of(Standing::Unrecorded) && is_later {
            return displaced("which somebody else registered, replaced it: it is to have the image too");
        }
        (
            Verdict::Superseded,
            format!("another deployment, of {there}, replaced it"),
        )
    }

    /// True if the service is shown as it was before our rollout, which is in none of its deployments: nothing tells of
    /// ours yet, or ECS's newest record tells that it goes on, or went well.
    fn is_about_to_show(&self) -> bool {
        let may_be_old = self.may_be_old();
        match self.record.map(|record| record.status) {
            None => self.ours().is_none() && may_be_old,
            Some(ServiceDeploymentStatus::UnderWay) => is_newest(self.snapshot, self.record),
            Some(ServiceDeploymentStatus::Successful) => is_newest(self.snapshot, self.record) && may_be_old,
            Some(_) => false,
        }
    }

    /// True if the service may be shown as it was before our rollout.
    fn may_be_old(&self) -> bool {
        self.snapshot.now < later(self.asked.rollout.watched_since, STALE)
    }

    /// Judges a rollback: the service is not on the revision it was rolled back to.
    pub(super) fn judge_rollback(&self) -> Check {
        let Self {
            snapshot,
            asked,
            primary,
            ..
        } = self;
        let there = primary.task_definition.short();
        let newest = snapshot.newest_record().map(|record| record.status);
        let may_be_old = self.may_be_old();
        let does_not_show_yet = primary.created_at < asked.rollout.started_at && may_be_old;
        let (verdict, message) = if newest == Some(ServiceDeploymentStatus::RollbackFailed) && !may_be_old {
            let message = format!("ECS could not roll back: the service is still on {there}");
            (Verdict::Failed, message)
        } else if asked.rolls_back.as_ref() == Some(&primary.task_definition) || does_not_show_yet {
            (Verdict::InProgress, format!("the service is still on {there}"))
        } else if self.is_of(Standing::Newer) {
            let message = format!("{there}, of a newer push, took over during the rollback");
            (Verdict::Superseded, message)
        } else {
            // Also one that has our image: whoever brought it in judges that, but nobody else tells that ours has failed.
            let message = format!("another deployment, of {there}, took over during the rollback");
            (Verdict::Displaced, message)
        };
        let (running, desired) = (primary.running_count, primary.desired_count);
        check(verdict, message, Vec::new(), running, desired)
    }
}
