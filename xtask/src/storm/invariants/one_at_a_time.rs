//! Never two rollouts of ours at once on a service.

use super::Violation;
use crate::storm::aftermath::{Aftermath, Deployment, Revision, Service, short};

const ONE: &str = "never two rollouts of ours at once on a service";

/// How soon a newer push that was overrun has to be put back, in milliseconds: an update, looked at and answered by another.
const PUT_BACK: i64 = 60_000;
/// How long an update may come after the look that it stands on, in milliseconds.
pub(super) const LOOK: i64 = 3_000;

/// What counts are the service deployments that calls of ours began, in their order; a repeated call that ECS takes as
/// done begins none. Of two in a row, the second may begin while the first is under way only
///
/// - for a newer push: each push recorded on the first is on the second too, or a newer one of that repository, and at
///   least one is newer or was not recorded at all;
/// - to go back from the first: to a revision that was made to roll the first one's revision back, or to one that had
///   completed on the service before, when a rollback of the service is told by a red execution or by one that says the
///   rollback was overtaken;
/// - when it is itself at once overrun, or puts back what was: two executions looked at the same moment, one updated and the
///   other overran it, and put it back within a minute, once (ECS has no update on a condition);
/// - when the look before it was old: ECS still showed the service as it had been before an update, which the simulation
///   has reads do for some seconds after some updates.
///
/// A deployment that somebody else began ends the row: what follows it follows his. So does an operator's redrive, who may
/// redrive several executions of one service at once.
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
        let is_redriven = aftermath.redriven_at.is_some_and(|at| at <= second.created_at);
        if place == 0 || was_over || is_redriven || !is_ours(first) || !is_ours(second) {
            continue;
        }
        let is_fine = is_newer(aftermath, first, second)
            || goes_back(aftermath, service, place)
            || is_put_back(aftermath, first, second, service.history.get(place + 2))
            || puts_back(&service.history[..place], first, second)
            || is_after_an_old_look(aftermath, service, second);
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

pub(super) fn goes_back(aftermath: &Aftermath, service: &Service, place: usize) -> bool {
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
        during && (execution.is_red() || execution.outcome() == Some("ROLL_BACK_SUPERSEDED"))
    })
}

fn is_put_back(aftermath: &Aftermath, first: &Deployment, second: &Deployment, third: Option<&Deployment>) -> bool {
    let Some(third) = third.filter(|third| third.created_at - second.created_at <= PUT_BACK) else {
        return false;
    };
    let revisions = revision(aftermath, first).zip(revision(aftermath, third));
    revisions.is_some_and(|(first, third)| keeps(first, third))
}

/// Whether the look before a rollout may have shown the service as it was before an update.
pub(super) fn is_after_an_old_look(aftermath: &Aftermath, service: &Service, rollout: &Deployment) -> bool {
    let id = service.id();
    let updates = aftermath
        .calls
        .iter()
        .filter(|call| call.operation == "UpdateService" && call.applied && call.is_of(&id));
    let mut stale = updates.filter(|call| call.stale_milliseconds > 0 && call.at < rollout.created_at);
    stale.any(|call| call.at + call.stale_milliseconds + LOOK >= rollout.created_at)
}

/// Whether `second` is what `first` took the place of. Not when that was put back already.
fn puts_back(before: &[Deployment], first: &Deployment, second: &Deployment) -> bool {
    let is = |rollout: Option<&Deployment>, other: &Deployment| {
        rollout.is_some_and(|rollout| rollout.task_definition == other.task_definition)
    };
    let overrun = before
        .last()
        .filter(|overrun| overrun.finished_at == Some(first.created_at));
    let is_first_time = !is(before.iter().rev().nth(1), first);
    is(overrun, second) && is_first_time && second.created_at - first.created_at <= PUT_BACK
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, deed, red, rolled_back, rollout, update};
    use super::*;
    use crate::storm::aftermath::Call;
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
    fn what_was_overrun_is_put_back_once() {
        let mut aftermath = calm();
        let history = &mut aftermath.after.services[0].history;
        history.truncate(1);
        // web:3, overrun by web:2, put back, and so on.
        for number in 0..6 {
            let mut next = rollout(3 - number % 2, 3, "STOPPED");
            next.created_at += i64::from(number) * 1_000;
            next.finished_at = Some(next.created_at + 1_000);
            aftermath.calls.push(Call {
                at: next.created_at,
                ..update(3 - number % 2, 3)
            });
            history.push(next);
        }
        let found = |count: usize| {
            let mut aftermath = aftermath.clone();
            aftermath.after.services[0].history.truncate(1 + count);
            one_rollout_of_ours_at_a_time(&aftermath).len()
        };
        assert_eq!([found(2), found(3), found(4)], [1, 0, 1]);
    }

    #[test]
    fn an_old_look_is_an_excuse_for_as_long_as_it_may_be_old() {
        let mut aftermath = overlapping(1);
        aftermath.calls[0].stale_milliseconds = 7_000;
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
        aftermath.calls[0].stale_milliseconds = 6_999;
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath).len(), 1);
    }

    #[test]
    fn what_an_operator_redrives_begins_when_he_says_so() {
        let mut aftermath = overlapping(2);
        aftermath.redriven_at = Some(32_000);
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
        aftermath.redriven_at = Some(32_001);
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath).len(), 1);
    }

    #[test]
    fn what_follows_somebody_elses_deployment_follows_his() {
        let mut aftermath = overlapping(1);
        aftermath.others.push(deed(32_000, &json!({"taskDefinition": "web:1"})));
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
    }
}
