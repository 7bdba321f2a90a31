//! The rollouts that a service has had before, by ECS's records: whether the push was deployed here already, and which
//! revisions the service was taken back from.

use ecr_deploy::contract::UpdateInput;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{Service, ServiceDeployment, ServiceDeploymentStatus};

/// A rollout in ECS's records.
pub(crate) struct EarlierRollout<'a> {
    /// Its record.
    pub(crate) record: &'a ServiceDeployment,
    /// The records of the rollouts after it, newest first.
    after: &'a [ServiceDeployment],
    /// The records up to its own, newest first.
    before: &'a [ServiceDeployment],
}

impl<'a> EarlierRollout<'a> {
    /// The newest rollout for which `is_meant` holds.
    fn newest(
        newest_first: Option<&'a [ServiceDeployment]>,
        is_meant: impl Fn(&ServiceDeployment) -> bool,
    ) -> Option<Self> {
        let records = newest_first?;
        let (after, before) = records.split_at(records.iter().position(is_meant)?);
        let record = before.first()?;
        Some(Self { record, after, before })
    }

    /// The rollout of this push that the service has had since the image is wanted. The image may get another tag after it has
    /// failed here, or a person may start the push once more: that is no reason to try it again.
    pub(crate) fn of_push(
        wanted: &UpdateInput,
        service: &Service,
        history: Option<&'a [ServiceDeployment]>,
        of_push: &[TaskDefinitionArn],
    ) -> Option<Self> {
        let history = history.filter(|_| may_have_been_deployed(wanted, service));
        let is_of_push =
            |record: &ServiceDeployment| record.target == wanted.task_definition || of_push.contains(&record.target);
        let counts = |record: &ServiceDeployment| wanted.wanted_since.is_none_or(|since| record.created_at > since);
        Self::newest(history, |record| is_of_push(record) && counts(record))
    }

    /// The record of the next rollout.
    pub(crate) fn replaced_by(&self) -> Option<&'a ServiceDeployment> {
        self.after.last()
    }

    /// Why it did not become stable, in ECS's words, where ECS still tells it: the reason of its record, and the newest failure
    /// to launch a task until the next rollout.
    pub(crate) fn why_it_failed(&self, service: &Service) -> Option<String> {
        let until = self.replaced_by().map(|next| next.created_at);
        let mut during = service
            .events
            .iter()
            .filter(|event| event.at >= self.record.created_at && until.is_none_or(|until| event.at < until));
        let launch = during
            .find(|event| event.is_launch_failure())
            .map(|event| &event.message);
        let words: Vec<&str> = self
            .record
            .status_reason
            .iter()
            .chain(launch)
            .map(|text| text.trim_end_matches('.'))
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// True if a rollout to `revision` was successful before.
    pub(crate) fn was_good_before(&self, revision: &TaskDefinitionArn) -> bool {
        let was_good = |record: &ServiceDeployment| {
            record.status == ServiceDeploymentStatus::Successful && record.target == *revision
        };
        self.before.iter().any(was_good)
    }

    /// True if the service was taken back from it: by ECS, or to a revision that was good before and for which `is_meant` holds.
    fn was_taken_back(&self, is_meant: impl Fn(&TaskDefinitionArn) -> bool) -> bool {
        use ServiceDeploymentStatus::{RolledBack, RollingBack};
        let mut targets = self.after.iter().map(|next| &next.target);
        matches!(self.record.status, RollingBack | RolledBack)
            || targets.any(|target| is_meant(target) && self.was_good_before(target))
    }
}

/// True if the image of this push may have been here since it is wanted: its revision was there before this execution asked for
/// it; or the service was deployed to since then, which may have been by another execution with the image, and back.
pub(crate) fn may_have_been_deployed(wanted: &UpdateInput, service: &Service) -> bool {
    let since = wanted.wanted_since.unwrap_or(wanted.image.push.at());
    let is_moved = service.primary().is_some_and(|primary| primary.created_at > since);
    is_moved || (wanted.repeated && wanted.wanted_since.is_none())
}

/// True if the service was on `from` and went back to `to`: what came in with `from` was taken back, and is not to be brought
/// in once more.
pub(crate) fn went_back(
    from: &TaskDefinitionArn,
    to: &TaskDefinitionArn,
    history: Option<&[ServiceDeployment]>,
) -> bool {
    let left = EarlierRollout::newest(history, |record| record.target == *from);
    left.is_some_and(|left| left.was_taken_back(|target| target == to))
}

/// True if the service was on `revision` and was taken back from it: a revision that was made from it keeps nothing that is
/// wanted.
pub(crate) fn was_taken_back(revision: &TaskDefinitionArn, history: Option<&[ServiceDeployment]>) -> bool {
    let left = EarlierRollout::newest(history, |record| record.target == *revision);
    left.is_some_and(|left| left.was_taken_back(|_| true))
}
