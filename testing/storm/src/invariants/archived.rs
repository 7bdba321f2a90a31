//! No rollout starts with an image that no task can pull.

use super::Violation;
use crate::aftermath::{AFTER_ARCHIVING, Aftermath, Archived, Call, Execution, ServiceId};

const ARCHIVED: &str = "no rollout is begun of an image that is archived";

/// No call of ours moves a service to a revision whose image of the pushed repository was archived some time before: neither back,
/// nor once more after a redrive. That concerns services that one execution alone, of that repository, is at work on.
pub(super) fn nothing_archived_is_started(aftermath: &Aftermath) -> Vec<Violation> {
    let updates = aftermath
        .calls
        .iter()
        .filter(|call| call.operation == "UpdateService" && call.applied);
    let begun = updates.filter_map(|call| {
        let id = ServiceId {
            cluster: call.parameter("cluster").to_owned(),
            service: call.parameter("service").to_owned(),
        };
        let mut at_work = aftermath.executions_of(&id).filter(|it| is_at_work(it, call.at));
        let execution = at_work
            .next()
            .filter(|execution| at_work.all(|it| it.name == execution.name))?;
        let is_it = |archived: &&Archived| {
            archived.repository == execution.repository()
                && archived.at + AFTER_ARCHIVING < call.at
                && runs(aftermath, &id, call, archived)
        };
        let archived = aftermath.archived.iter().find(is_it)?;
        let what = format!(
            "{} was begun, and {}@{} is archived",
            call.parameter("taskDefinition"),
            archived.repository,
            archived.digest
        );
        Some(Violation::of_execution(ARCHIVED, execution, what))
    });
    begun.collect()
}

fn is_at_work(execution: &Execution, at: i64) -> bool {
    execution.started <= at && execution.ended.is_none_or(|ended| ended >= at)
}

/// True if the revision that a call moves a service to stands for an image, by its record or by what it resolved to.
fn runs(aftermath: &Aftermath, id: &ServiceId, call: &Call, archived: &Archived) -> bool {
    let to = call.parameter("taskDefinition");
    let recorded = aftermath
        .after
        .revision(to)
        .and_then(|it| it.digest_of(&archived.repository));
    let history = aftermath
        .after
        .service(id)
        .into_iter()
        .flat_map(|service| &service.history);
    let resolved = history
        .filter(|rollout| rollout.task_definition == to)
        .find_map(|rollout| rollout.digests_of(&archived.repository).next());
    recorded.or(resolved) == Some(&archived.digest)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{REPOSITORY, calm, digest, rolled_back};
    use super::*;

    fn archived(number: u32, at: i64) -> Archived {
        Archived {
            at,
            repository: REPOSITORY.to_owned(),
            digest: digest(number),
        }
    }

    #[test]
    fn a_rollout_of_an_image_that_was_archived_long_before_is_found() {
        let with = |mut aftermath: Aftermath, archived: Archived| {
            aftermath.archived = vec![archived];
            nothing_archived_is_started(&aftermath)
        };
        let at = calm().calls[1].at;
        assert_eq!(with(calm(), archived(3, at - AFTER_ARCHIVING - 1)).len(), 1);
        assert_eq!(with(calm(), archived(3, at - AFTER_ARCHIVING)), []);
        assert_eq!(with(calm(), archived(2, at - AFTER_ARCHIVING - 1)), []);
        let elsewhere = Archived {
            repository: "shop/sidecar".to_owned(),
            ..archived(3, 0)
        };
        assert_eq!(with(calm(), elsewhere), []);

        // By what it resolved to.
        let mut unrecorded = calm();
        unrecorded.after.revisions[2].tags.clear();
        assert_eq!(with(unrecorded, archived(3, 0)).len(), 1);

        let back = rolled_back();
        let goes_back = back.calls.last().unwrap().at;
        assert_eq!(with(back, archived(2, goes_back - AFTER_ARCHIVING - 1)).len(), 1);
    }

    #[test]
    fn where_two_executions_are_at_work_nobody_can_tell_whose_rollout_it_is() {
        let mut aftermath = calm();
        aftermath.archived = vec![archived(3, 0)];
        let mut other = aftermath.executions[3].clone();
        other.name = "sidecar-v3".to_owned();
        aftermath.executions.push(other);
        assert_eq!(nothing_archived_is_started(&aftermath), []);
    }
}
