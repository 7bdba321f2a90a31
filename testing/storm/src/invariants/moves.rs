//! Where a person moves a service, it stays, until something new is pushed.

use super::Violation;
use super::one_at_a_time::{goes_back, is_right_by_an_old_read};
use super::reads::may_be_from_before;
use crate::aftermath::{Aftermath, Call, Deployment, Execution, Recorded, Service, short};
use std::collections::BTreeSet;

const MOVES: &str = "a push that somebody has taken a service away from does not come back";

/// Once somebody's rollout has moved a service to a revision without a push that it had a rollout of ours for, no later rollout
/// of ours brings that push back, be it to the same revision or to one made from it. Except
///
/// - when an operator has redriven an execution, which asks for the push again;
/// - when ours stood on a read from before the move: there is such a read, shortly before the update, or ECS showed the
///   service as it had been;
/// - when ours goes back to what was good last, while the move never became stable;
/// - when the push's own execution was still watching its rollout, and the move looked like the work of an execution with an
///   older plan: to a revision with an older push of the repository, or after another rollout had replaced ours. Then
///   the image is put on top (the verdict DISPLACED of "Check stability");
/// - when the revision that somebody moved it to has the push that ours was made for: what else the wanted revision was made to
///   keep is then taken for lost ("Update service");
/// - when a list of the service's rollouts was empty or denied: nothing else tells that the push was deployed there.
pub(super) fn moves_of_others_stay(aftermath: &Aftermath) -> Vec<Violation> {
    let services = aftermath.after.services.iter();
    services.flat_map(|service| undone(aftermath, service)).collect()
}

fn undone(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    let id = service.id();
    let mut violations = Vec::new();
    // The pushes that the service had rollouts of ours for.
    let mut had: BTreeSet<Recorded<'_>> = BTreeSet::new();
    let mut moved = None;
    for (place, rollout) in service.history.iter().enumerate() {
        let Some(revision) = aftermath.after.revision(&rollout.task_definition) else {
            continue;
        };
        if aftermath.is_of_others(&id, rollout) {
            // From one that ECS took back the service returned to where it was.
            if rollout.status.starts_with("ROLLBACK") {
                continue;
            }
            let has_now: BTreeSet<Recorded<'_>> = revision.pushes().collect();
            moved = Some((place, &had - &has_now));
            continue;
        }
        if let Some((at, taken_away)) = &mut moved {
            let back: Vec<Recorded<'_>> = revision.pushes().filter(|push| taken_away.contains(push)).collect();
            let wrong = back
                .iter()
                .find(|push| !is_explained(aftermath, service, [*at, place], push));
            if let Some((repository, push)) = wrong {
                let (to, from) = (
                    short(&service.history[*at].task_definition),
                    short(&rollout.task_definition),
                );
                let what = format!("somebody moved it to {to}, and {from} brought {repository} {push} back");
                violations.push(Violation::of_service(MOVES, id.clone(), what));
            }
            // From now on it is there, and what is built on it has it.
            taken_away.retain(|push| !back.contains(push));
        }
        had.extend(aftermath.made_for(revision));
    }
    violations
}

/// True if there is a reason that the rollout at the place `to` brings a push back which the one at the place `moved` took away.
fn is_explained(aftermath: &Aftermath, service: &Service, [moved, to]: [usize; 2], push: &Recorded<'_>) -> bool {
    let id = service.id();
    let (by_hand, rollout) = (&service.history[moved], &service.history[to]);
    let is_redriven = aftermath.redriven_at.is_some_and(|at| at <= rollout.created_at);
    let is_list = |call: &&Call| {
        let since = by_hand.created_at;
        call.operation == "ListServiceDeployments" && call.is_of(&id) && (since..=rollout.created_at).contains(&call.at)
    };
    let is_untold = aftermath.calls.iter().filter(is_list).any(Call::tells_nothing);
    let is_rollback = by_hand.status != "SUCCESSFUL" && goes_back(aftermath, service, to - 1, to);
    is_redriven
        || may_be_from_before(aftermath, service, by_hand.created_at, rollout)
        || is_untold
        || is_rollback
        || is_right_by_an_old_read(aftermath, service, to)
        || has_what_ours_was_made_for(aftermath, by_hand, rollout)
        || is_displaced(aftermath, service, [moved, to], push)
}

fn has_what_ours_was_made_for(aftermath: &Aftermath, by_hand: &Deployment, rollout: &Deployment) -> bool {
    let revision = |rollout: &Deployment| aftermath.after.revision(&rollout.task_definition);
    let (Some(there), Some(ours)) = (revision(by_hand), revision(rollout)) else {
        return false;
    };
    let made_for = aftermath.made_for(ours);
    there.pushes().any(|push| made_for.contains(&push))
}

fn is_displaced(
    aftermath: &Aftermath,
    service: &Service,
    [moved, to]: [usize; 2],
    (repository, push): &Recorded<'_>,
) -> bool {
    let id = service.id();
    let (by_hand, rollout) = (&service.history[moved], &service.history[to]);
    let watches = |it: &Execution| {
        let until = it.ended.unwrap_or(i64::MAX);
        it.push.as_ref() == Some(push) && it.started <= by_hand.created_at && until >= rollout.created_at
    };
    let push_of = |rollout: &Deployment| aftermath.after.revision(&rollout.task_definition)?.push_of(repository);
    let is_to_older = push_of(by_hand).is_some_and(|older| older < *push);
    let last = service.history[..moved]
        .iter()
        .rposition(|it| push_of(it).as_ref() == Some(push));
    let came_between = last.is_some_and(|last| last + 1 < moved);
    (is_to_older || came_between) && aftermath.executions_of(&id).any(watches)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, deed, push, red, rollout, tag, update};
    use super::*;
    use serde_json::json;

    fn begin(aftermath: &mut Aftermath, revision: u32, number: u32) {
        let history = &mut aftermath.after.services[0].history;
        history.push(rollout(revision, number, "SUCCESSFUL"));
        aftermath.calls.push(update(revision, number));
    }

    /// Somebody moves the service from `web:3` to `revision` in the second 42.
    fn moved_to(revision: u32) -> Aftermath {
        let mut aftermath = calm();
        let history = &mut aftermath.after.services[0].history;
        history.push(rollout(revision, 4, "SUCCESSFUL"));
        let request = json!({"taskDefinition": format!("web:{revision}")});
        aftermath.others.push(deed(42_000, &request));
        aftermath
    }

    /// And in the second 52 it is on `web:3` again.
    fn undone() -> Aftermath {
        let mut aftermath = moved_to(1);
        begin(&mut aftermath, 3, 5);
        aftermath
    }

    fn call(operation: &str, at: i64) -> Call {
        Call {
            operation: operation.to_owned(),
            at,
            ..update(3, 5)
        }
    }

    #[test]
    fn a_push_that_comes_back_after_somebody_took_the_service_away_from_it_is_found() {
        assert_eq!(moves_of_others_stay(&moved_to(1)), []);
        assert_eq!(moves_of_others_stay(&undone()).len(), 1);
        let mut made_from_it = moved_to(1);
        let mut newer = made_from_it.after.revisions[2].clone();
        newer.number = 4;
        newer
            .tags
            .retain(|tag| !matches!(tag.key.as_str(), "ecr-deploy:source" | "ecr-deploy:push/shop/web"));
        newer.tags.push(tag("ecr-deploy:source", "web:1"));
        newer.tags.push(tag("ecr-deploy:push/ops/agent", &push(5).to_string()));
        made_from_it.after.revisions.push(newer);
        begin(&mut made_from_it, 4, 5);
        assert_eq!(moves_of_others_stay(&made_from_it), [], "a push of another repository");
        made_from_it.after.revisions[3]
            .tags
            .push(tag("ecr-deploy:push/shop/web", &push(3).to_string()));
        assert_eq!(moves_of_others_stay(&made_from_it).len(), 1, "and the old one with it");
        begin(&mut made_from_it, 3, 6);
        assert_eq!(moves_of_others_stay(&made_from_it).len(), 1, "told once");
        let mut newest = calm();
        newest.others.push(deed(22_000, &json!({"taskDefinition": "web:2"})));
        assert_eq!(moves_of_others_stay(&newest), [], "a new push");
    }

    #[test]
    fn a_move_that_ecs_took_back_is_none() {
        let mut aftermath = undone();
        aftermath.after.services[0].history[3].status = "ROLLBACK_SUCCESSFUL".to_owned();
        assert_eq!(moves_of_others_stay(&aftermath), []);
    }

    #[test]
    fn what_an_operator_redrives_comes_back() {
        let mut aftermath = undone();
        aftermath.redriven_at = Some(52_000);
        assert_eq!(moves_of_others_stay(&aftermath), []);
        aftermath.redriven_at = Some(52_001);
        assert_eq!(moves_of_others_stay(&aftermath).len(), 1);
    }

    #[test]
    fn only_a_read_from_before_the_move_and_shortly_before_the_update_is_an_excuse() {
        let found = |moved: i64, snapshot: i64| {
            let mut aftermath = undone();
            aftermath.after.services[0].history[3].created_at = moved;
            aftermath.others[0].at = moved;
            aftermath.calls.push(call("DescribeServices", snapshot));
            moves_of_others_stay(&aftermath).len()
        };
        assert_eq!([found(51_000, 51_000), found(51_000, 49_000)], [0, 0]);
        assert_eq!([found(51_000, 51_001), found(51_000, 48_999)], [1, 1]);
        let mut stale = undone();
        let mut between = update(2, 5);
        (between.at, between.stale_milliseconds) = (51_000, 2_000);
        stale.calls.push(between);
        assert_eq!(moves_of_others_stay(&stale), [], "it still showed what is older");
    }

    #[test]
    fn where_no_list_tells_that_the_push_has_had_its_turn_it_may_have_another() {
        let found = |at, applied| {
            let mut aftermath = undone();
            let mut list = call("ListServiceDeployments", at);
            list.applied = applied;
            aftermath.calls.push(list);
            moves_of_others_stay(&aftermath).len()
        };
        assert_eq!(
            [found(51_000, false), found(51_000, true), found(41_999, false)],
            [0, 1, 1]
        );
    }

    #[test]
    fn a_rollback_may_lead_there_where_the_move_never_became_stable() {
        let mut aftermath = undone();
        let mut told = red(5, "Deploy.RolledBack", ROLLED_BACK);
        told.ended = Some(60_000);
        aftermath.executions.push(told);
        assert_eq!(moves_of_others_stay(&aftermath).len(), 1);
        aftermath.after.services[0].history[3].status = "STOPPED".to_owned();
        assert_eq!(moves_of_others_stay(&aftermath), []);
        aftermath.executions.pop();
        assert_eq!(moves_of_others_stay(&aftermath).len(), 1);
    }

    #[test]
    fn a_move_that_reads_like_the_work_of_an_older_plan_is_built_on_while_the_push_is_watched() {
        let watched = |revision: u32, until: i64| {
            let mut aftermath = moved_to(revision);
            begin(&mut aftermath, 3, 5);
            aftermath.executions[3].ended = Some(until);
            moves_of_others_stay(&aftermath).len()
        };
        assert_eq!([watched(2, 52_000), watched(2, 51_999)], [0, 1], "to an older push");
        assert_eq!(watched(1, 52_000), 1, "to none");
        let mut after_another = undone();
        after_another.executions[3].ended = Some(52_000);
        let mut between = rollout(2, 4, "STOPPED");
        between.created_at -= 1_000;
        after_another.after.services[0].history.insert(3, between.clone());
        after_another.calls.push(Call {
            at: between.created_at,
            ..update(2, 4)
        });
        assert_eq!(moves_of_others_stay(&after_another), []);
    }

    #[test]
    fn a_move_to_a_revision_with_the_push_itself_may_lack_what_else_the_wanted_one_keeps() {
        let mut aftermath = undone();
        let mut newer = aftermath.after.revisions[2].clone();
        newer.number = 4;
        newer.tags.retain(|tag| tag.key != "ecr-deploy:source");
        newer.tags.push(tag("ecr-deploy:source", "web:3"));
        newer.tags.push(tag("ecr-deploy:push/ops/agent", &push(4).to_string()));
        aftermath.after.revisions.push(newer);
        let to = update(4, 5).parameter("taskDefinition").to_owned();
        aftermath.after.services[0].history[4].task_definition = to;
        assert_eq!(moves_of_others_stay(&aftermath).len(), 1);
        aftermath.after.revisions[0]
            .tags
            .push(tag("ecr-deploy:push/ops/agent", &push(4).to_string()));
        assert_eq!(moves_of_others_stay(&aftermath), []);
    }
}
