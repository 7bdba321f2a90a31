//! A read is what an update stands on: ECS has no update on a condition, so what comes in between is replaced unseen.

use crate::aftermath::{Aftermath, Call, Deployment, Service};

/// How long an update may come after the read that it stands on, in milliseconds.
pub(super) const READ: i64 = 3_000;
/// The same where reads are throttled for long: then "Update service" takes its third read as it is.
const SLOW_READ: i64 = 60_000;

/// True if a rollout may stand on a read from before a moment: somebody of ours read the service then, and so shortly before
/// the update that this may have been the read, or reads have been throttled in between.
pub(super) fn may_be_from_before(aftermath: &Aftermath, service: &Service, since: i64, rollout: &Deployment) -> bool {
    let id = service.id();
    let is_within =
        |call: &Call, milliseconds: i64| (rollout.created_at - milliseconds..=rollout.created_at).contains(&call.at);
    let is_throttled = |call: &Call| {
        let is_read = call.is_of(&id)
            || matches!(
                call.operation.as_str(),
                "DescribeTaskDefinition" | "DescribeServiceRevisions"
            );
        is_read && !matches!(call.outcome.as_str(), "ok" | "AccessDeniedException")
    };
    let mut reads = aftermath.calls.iter().enumerate().filter(|(_, call)| {
        call.operation == "DescribeServices" && call.outcome == "ok" && call.is_of(&id) && call.at <= since
    });
    reads.any(|(place, snapshot)| {
        let after = aftermath.calls[place..].iter();
        let mut until_update = after.take_while(|call| call.at <= rollout.created_at);
        is_within(snapshot, READ) || (is_within(snapshot, SLOW_READ) && until_update.any(is_throttled))
    })
}

/// True if ECS's records of a service may have told nothing to the read that a rollout stands on: shortly before it, the list of
/// them was empty or denied, or what is in it was.
///
/// A call for what is in a list does not name the service; it follows on that service's list.
pub(super) fn may_have_no_records(aftermath: &Aftermath, service: &Service, rollout: &Deployment) -> bool {
    let id = service.id();
    let shortly_before = rollout.created_at - READ..=rollout.created_at;
    let mut is_listed = false;
    let mut calls = aftermath.calls.iter().filter(|call| shortly_before.contains(&call.at));
    calls.any(|call| match call.operation.as_str() {
        "ListServiceDeployments" if call.is_of(&id) => {
            is_listed = true;
            call.tells_nothing()
        }
        "DescribeServiceRevisions" => is_listed && call.tells_nothing(),
        _ => false,
    })
}

/// True if a rollout that was replaced was certainly listed until `next` began: it was given up by ECS, or had tasks left.
pub(super) fn is_listed(service: &Service, replaced: &Deployment, next: &Deployment) -> bool {
    let reason = replaced.status_reason.as_deref().unwrap_or_default();
    let again = service
        .history
        .iter()
        .find(|it| it.created_at >= next.created_at && it.task_definition == replaced.task_definition);
    let until = again.map_or(i64::MAX, |again| again.created_at);
    let mut stopped = service.stopped_tasks.iter();
    reason.starts_with("Service deployment stopped because")
        || stopped.any(|task| {
            let at = task.stopped_at.unwrap_or_default();
            task.task_definition == replaced.task_definition && (next.created_at..until).contains(&at)
        })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, update};
    use super::*;

    #[test]
    fn a_read_may_be_older_where_reads_were_throttled_since() {
        let call = |operation: &str, at, outcome: &str| Call {
            operation: operation.to_owned(),
            at,
            outcome: outcome.to_owned(),
            ..update(3, 3)
        };
        let may_be = |calls: &[Call]| {
            let mut aftermath = calm();
            aftermath.calls = calls.to_vec();
            let service = &aftermath.after.services[0];
            // Of the second 32.
            may_be_from_before(&aftermath, service, 31_000, &service.history[2])
        };
        let read = |at| call("DescribeServices", at, "ok");
        assert!(may_be(&[read(29_000)]));
        assert!(may_be(&[read(31_000)]));
        assert!(!may_be(&[read(31_001)]));
        assert!(!may_be(&[read(28_999)]));
        assert!(!may_be(&[call("DescribeServices", 30_000, "cut")]));
        let throttled = |at| call("ListServiceDeployments", at, "ThrottlingException");
        assert!(may_be(&[read(20_000), throttled(25_000)]));
        assert!(!may_be(&[throttled(19_000), read(20_000)]));
        assert!(!may_be(&[read(20_000), throttled(32_001)]));
        assert!(!may_be(&[read(-28_001), throttled(25_000)]));
    }

    #[test]
    fn records_tell_nothing_where_the_list_of_this_service_or_what_is_in_it_is_empty_or_denied() {
        let call = |operation: &str, at, applied| Call {
            operation: operation.to_owned(),
            at,
            applied,
            ..update(3, 3)
        };
        let may_have_none = |calls: &[Call]| {
            let mut aftermath = calm();
            aftermath.calls = calls.to_vec();
            let service = &aftermath.after.services[0];
            // Of the second 32.
            may_have_no_records(&aftermath, service, &service.history[2])
        };
        let list = |at, applied| call("ListServiceDeployments", at, applied);
        let revisions = |at, applied| call("DescribeServiceRevisions", at, applied);
        assert!(may_have_none(&[list(29_000, false)]));
        assert!(may_have_none(&[list(31_000, true), list(31_500, false)]));
        assert!(may_have_none(&[list(31_000, true), revisions(31_100, false)]));
        let denied = Call {
            outcome: "AccessDeniedException".to_owned(),
            ..list(31_000, false)
        };
        assert!(may_have_none(&[denied]));
        assert!(!may_have_none(&[list(28_999, false), list(32_001, false)]));
        assert!(!may_have_none(&[list(31_000, true), revisions(31_100, true)]));
        assert!(
            !may_have_none(&[revisions(31_000, false), list(31_100, true)]),
            "of another service"
        );
        let mut of_another = list(31_000, false);
        of_another.subject = "other".to_owned();
        assert!(!may_have_none(&[of_another]));
        let throttled = Call {
            outcome: "ThrottlingException".to_owned(),
            ..list(31_000, false)
        };
        assert!(!may_have_none(&[throttled]), "it is asked again");
    }
}
