//! Never two rollouts of ours at once on a service.

use super::Violation;
use crate::storm::aftermath::{Aftermath, Deployment, Revision, Service, short};

const ONE: &str = "never two rollouts of ours at once on a service";

/// How soon a newer push that was overrun has to be put back, in milliseconds: an update, looked at and answered by another.
const PUT_BACK: i64 = 60_000;

/// What counts are the service deployments that calls of ours began, in their order; a repeated call that ECS takes as
/// done begins none. Of two in a row, the second may begin while the first is under way only
///
/// - for a newer push: each push recorded on the first is on the second too, or a newer one of that repository, and at
///   least one is newer or was not recorded at all;
/// - to go back from the first: to a revision that was made to roll the first one's revision back, or to one that had
///   completed on the service before, when a rollback of the service is told by a red execution or by one that says the
///   rollback was overtaken;
/// - when it is itself at once overrun: two executions looked at the same moment, the older push's update came last, and
///   the newer push was put back within a minute. (ECS has no update on a condition.)
///
/// A deployment that somebody else began ends the row: what follows it follows his.
pub(super) fn one_rollout_of_ours_at_a_time(aftermath: &Aftermath) -> Vec<Violation> {
    aftermath
        .after
        .services
        .iter()
        .flat_map(|service| of_service(aftermath, service))
        .collect()
}

fn of_service(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    let id = service.id();
    let is_ours = |rollout: &Deployment| !aftermath.is_of_others(&id, rollout);
    let mut violations = Vec::new();
    for (place, pair) in service.history.windows(2).enumerate() {
        let [first, second] = pair else { continue };
        let was_over = first.finished_at.is_some_and(|at| at < second.created_at);
        if place == 0 || was_over || !is_ours(first) || !is_ours(second) {
            continue;
        }
        let is_fine = is_newer(aftermath, first, second)
            || goes_back(aftermath, service, place)
            || is_put_back(aftermath, first, second, service.history.get(place + 2));
        if !is_fine {
            let (first, second) = (short(&first.task_definition), short(&second.task_definition));
            let what = format!("{second} was begun while {first} was under way, without a reason");
            violations.push(Violation::of_service(ONE, id.clone(), what));
        }
    }
    violations
}

fn revision<'a>(aftermath: &'a Aftermath, rollout: &Deployment) -> Option<&'a Revision> {
    aftermath.after.revision(&rollout.task_definition)
}

/// Whether `second` has every push of `first` or a newer one.
fn keeps(first: &Revision, second: &Revision) -> bool {
    first
        .pushes()
        .all(|(repository, push)| second.push_of(repository).is_some_and(|other| other >= push))
}

fn is_newer(aftermath: &Aftermath, first: &Deployment, second: &Deployment) -> bool {
    let revisions = revision(aftermath, first).zip(revision(aftermath, second));
    revisions.is_some_and(|(first, second)| keeps(first, second) && !keeps(second, first))
}

fn goes_back(aftermath: &Aftermath, service: &Service, place: usize) -> bool {
    let (first, second) = (&service.history[place], &service.history[place + 1]);
    let made_for_it =
        revision(aftermath, second).and_then(Revision::rolled_back) == Some(short(&first.task_definition));
    let completed = service.history[..place]
        .iter()
        .any(|earlier| earlier.task_definition == second.task_definition && earlier.status == "SUCCESSFUL");
    made_for_it || (completed && is_rollback_told(aftermath, service, second))
}

fn is_rollback_told(aftermath: &Aftermath, service: &Service, back: &Deployment) -> bool {
    let id = service.id();
    aftermath.executions_of(&id).any(|execution| {
        let during =
            execution.started <= back.created_at && execution.ended.is_none_or(|ended| ended >= back.created_at);
        let rolled_back = matches!(
            execution.error.as_deref(),
            Some("Deploy.RolledBack" | "Deploy.RollBackFailed")
        );
        during && (rolled_back || execution.outcome() == Some("ROLL_BACK_SUPERSEDED"))
    })
}

fn is_put_back(aftermath: &Aftermath, first: &Deployment, second: &Deployment, third: Option<&Deployment>) -> bool {
    let Some(third) = third.filter(|third| third.created_at - second.created_at <= PUT_BACK) else {
        return false;
    };
    let revisions = revision(aftermath, first).zip(revision(aftermath, third));
    revisions.is_some_and(|(first, third)| keeps(first, third))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, deed, red, rolled_back, rollout, update};
    use super::*;
    use serde_json::json;

    /// `web:2` is rolled out, and `revision` while that is under way.
    fn overlapping(revision: u32) -> Aftermath {
        let mut aftermath = calm();
        let history = &mut aftermath.after.services[0].history;
        history[1].finished_at = Some(32_000);
        history[1].status = "STOPPED".to_owned();
        history[2] = rollout(revision, 3, "SUCCESSFUL");
        aftermath.calls[1] = update(revision, 3);
        aftermath
    }

    #[test]
    fn a_newer_push_may_take_the_place_of_an_older_one_and_nothing_else() {
        assert_eq!(one_rollout_of_ours_at_a_time(&overlapping(3)), []);
        assert_eq!(
            one_rollout_of_ours_at_a_time(&overlapping(2)).len(),
            1,
            "the same again"
        );
        assert_eq!(one_rollout_of_ours_at_a_time(&overlapping(1)).len(), 1, "an older one");
    }

    #[test]
    fn a_rollout_after_another_is_over_is_none_of_this() {
        let mut aftermath = overlapping(2);
        aftermath.after.services[0].history[1].finished_at = Some(31_000);
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
    }

    #[test]
    fn going_back_is_told() {
        let mut aftermath = overlapping(1);
        let mut told = red(2, "Deploy.RolledBack", ROLLED_BACK);
        told.ended = Some(40_000);
        aftermath.executions[1] = told;
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
        let mut too_early = aftermath.clone();
        too_early.executions[1].ended = Some(31_000);
        assert_eq!(one_rollout_of_ours_at_a_time(&too_early).len(), 1);
        assert_eq!(one_rollout_of_ours_at_a_time(&rolled_back()), []);
    }

    #[test]
    fn a_newer_push_that_was_overrun_is_put_back_soon() {
        let mut aftermath = calm();
        let history = &mut aftermath.after.services[0].history;
        let (newer, mut older, mut again) = (
            rollout(3, 3, "STOPPED"),
            rollout(2, 3, "STOPPED"),
            rollout(3, 3, "SUCCESSFUL"),
        );
        older.created_at += 1_000;
        again.created_at += 2_000;
        let mut calls = [update(2, 3), update(3, 3)];
        calls[0].at = older.created_at;
        calls[1].at = again.created_at;
        aftermath.calls.extend(calls);
        history.truncate(1);
        history.extend([newer, older]);
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath).len(), 1, "it is not put back");
        aftermath.after.services[0].history.push(again);
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
    }

    #[test]
    fn what_follows_somebody_elses_deployment_follows_his() {
        let mut aftermath = overlapping(1);
        aftermath.others.push(deed(32_000, &json!({"taskDefinition": "web:1"})));
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
    }
}
