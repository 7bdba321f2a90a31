//! Never two rollouts of ours at once on a service.

use super::Violation;
use super::reads::{READ, is_listed, may_be_from_before, may_have_no_records};
use super::rollbacks::is_given_up;
use crate::aftermath::{Aftermath, Call, Deployment, Execution, Revision, Service, short};
use std::collections::BTreeMap;

const ONE: &str = "never two rollouts of ours at once on a service";

/// How long a call of ours may take, in milliseconds: what is not answered by then is looked after.
const CALL: i64 = 10_000;
/// How soon what was replaced unseen has to be put back, in milliseconds. Whoever replaced it sees that in the answer
/// to his update or, where none comes, by a read after it: one call, a pause of a second at most, and a read with what
/// it reads besides.
const PUT_BACK: i64 = CALL + 5_000;
/// How soon both images have to come in one revision instead, in milliseconds: that revision is registered, and the
/// service read at once more.
const BOTH_IN_ONE: i64 = PUT_BACK + 5_000;

/// The service deployments count that calls of ours began, in their order; a repeated call that ECS takes as done
/// begins none. Of two in a row, the second may begin while the first is under way only for one of seven reasons.
///
/// Three are meant to be:
///
/// - a newer push: each push recorded on the first is on the second too, or a newer one of that repository, and at
///   least one is newer or was not recorded at all;
/// - a rollback of the first: to a revision that was made to roll it back (or to roll back one with the same failed
///   image), or to one that had completed on the service before, when an execution tells of the rollback. Behind a
///   Classic Load Balancer, where ECS tells no `rolloutState`, also to one that merely ran, where no record tells of a
///   better one;
/// - ECS goes back from the first, and that rollback has had all its time: nobody waits for it any more.
///
/// Four are excuses, since ECS has no conditional update:
///
/// - the first one is itself put back at once. Two executions read at the same moment; one updated, and the other
///   replaced it unseen. Where an update of theirs was refused or not answered, a revision with both images follows
///   instead;
/// - the second one puts back at once, and once only, what the first one replaced unseen;
/// - the second one could not see the first: its read is from before that, it was right by that read, and the answer to
///   its update did not list the first, which had no task yet. Whoever was replaced then finds that himself;
/// - the read before the second one was old: ECS still showed the service as it was before a write, and the second one
///   was right by that. The simulation has reads do so for some seconds after some writes.
///
/// A deployment that somebody else began ends the row: what follows it follows his. So does an operator's redrive, who
/// may redrive several executions of one service at once.
pub(super) fn one_rollout_of_ours_at_a_time(aftermath: &Aftermath) -> Vec<Violation> {
    aftermath
        .after
        .services
        .iter()
        .flat_map(|service| of_service(aftermath, service))
        .collect()
}

fn of_service(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    let without = |place: &usize| reason(aftermath, service, *place).is_none();
    let violation = |place: usize| {
        let [first, second] = [place, place + 1].map(|place| short(&service.history[place].task_definition));
        let what = format!("{second} was begun while {first} was under way, without a reason");
        Violation::of_service(ONE, service.id(), what)
    };
    cut_short(aftermath, service).filter(without).map(violation).collect()
}

/// The places of the rollouts of ours that were under way when the next one began, also one of ours.
fn cut_short<'a>(aftermath: &'a Aftermath, service: &'a Service) -> impl Iterator<Item = usize> + 'a {
    let is_ours = move |rollout: &Deployment| !aftermath.is_of_others(&service.id(), rollout);
    let pairs = service.history.windows(2).enumerate().skip(1);
    let pairs = pairs.filter(move |(_, pair)| {
        let [first, second] = pair else { return false };
        let was_over = first.finished_at.is_some_and(|at| at < second.created_at);
        let is_redriven = aftermath.redriven_at.is_some_and(|at| at <= second.created_at);
        !was_over && !is_redriven && is_ours(first) && is_ours(second)
    });
    pairs.map(|(place, _)| place)
}

/// Why the rollout at this place was cut short, if there is a reason: the three that are meant to be, and the four
/// excuses.
fn reason(aftermath: &Aftermath, service: &Service, place: usize) -> Option<&'static str> {
    let (first, second) = (&service.history[place], &service.history[place + 1]);
    let reasons: [(&str, &dyn Fn() -> bool); 7] = [
        ("newer push", &|| is_newer(aftermath, first, second)),
        ("rollback", &|| goes_back(aftermath, service, place, place + 1)),
        ("given up", &|| is_given_up(aftermath, service, place)),
        ("itself put back", &|| is_put_back(aftermath, service, place)),
        ("puts back", &|| {
            puts_back(aftermath, service, &service.history[..place], first, second)
        }),
        ("could not see it", &|| replaced_unseen(aftermath, service, place)),
        ("old read", &|| is_right_by_an_old_read(aftermath, service, place + 1)),
    ];
    let found = reasons.into_iter().find(|(_, holds)| holds());
    found.map(|(name, _)| name)
}

/// How many rollouts of ours were cut short by ours for each reason, as the first one that holds; those without any by
/// "none".
pub(crate) fn reasons(aftermath: &Aftermath) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for service in &aftermath.after.services {
        for place in cut_short(aftermath, service) {
            let name = reason(aftermath, service, place).unwrap_or("none");
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

fn revision<'a>(aftermath: &'a Aftermath, rollout: &Deployment) -> Option<&'a Revision> {
    aftermath.after.revision(&rollout.task_definition)
}

/// True if `second` has every push of `first` or a newer one.
fn keeps(first: &Revision, second: &Revision) -> bool {
    first
        .pushes()
        .all(|(repository, push)| second.push_of(repository).is_some_and(|other| other >= push))
}

pub(super) fn is_newer(aftermath: &Aftermath, first: &Deployment, second: &Deployment) -> bool {
    let revisions = revision(aftermath, first).zip(revision(aftermath, second));
    revisions.is_some_and(|(first, second)| keeps(first, second) && !keeps(second, first))
}

/// True if the rollout at the place `to` goes back from the one at the place `from`.
pub(super) fn goes_back(aftermath: &Aftermath, service: &Service, from: usize, to: usize) -> bool {
    let (first, second) = (&service.history[from], &service.history[to]);
    let mut before = service.history[..from]
        .iter()
        .filter(|earlier| earlier.task_definition == second.task_definition);
    let was_good = before.clone().any(|earlier| earlier.status == "SUCCESSFUL")
        || (before.next().is_some() && counts_as_good(aftermath, service, from, second));
    is_made_to_go_back(aftermath, first, second) || (was_good && is_rollback_told(aftermath, service, second))
}

/// True if the revision of `second` was made to roll back that of `first`, or another one whose failed image `first`
/// has too: a push of another repository came on top of that one before anybody went back from it.
fn is_made_to_go_back(aftermath: &Aftermath, first: &Deployment, second: &Deployment) -> bool {
    let revisions = revision(aftermath, first).zip(revision(aftermath, second));
    let Some((on, made)) = revisions else { return false };
    let Some(failed) = made.rolled_back() else { return false };
    let has_failed_image = |failed: &Revision| {
        failed.pushes().any(|(repository, push)| {
            let push = Some(push);
            on.push_of(repository) == push && made.push_of(repository) != push
        })
    };
    failed == short(&first.task_definition) || aftermath.after.revision(failed).is_some_and(has_failed_image)
}

/// True if "Roll back" takes the revision of `back` for good though no rollout to it was successful: behind a Classic
/// Load Balancer, where its tasks ran when the rollout at the place `from` was begun, and either the records of the
/// service told nothing when it went back, or none of them tells of a better revision.
fn counts_as_good(aftermath: &Aftermath, service: &Service, from: usize, back: &Deployment) -> bool {
    let failed = &service.history[from];
    let is_better =
        |earlier: &Deployment| earlier.status == "SUCCESSFUL" && earlier.task_definition != failed.task_definition;
    // A service without tasks runs all that it should.
    let ran = service.asked_count == 0
        || service.stopped_tasks.iter().any(|task| {
            let until = task.stopped_at.unwrap_or(i64::MAX);
            task.task_definition == back.task_definition && until >= failed.created_at - READ
        });
    service.is_behind_classic_load_balancer()
        && ran
        && (may_have_no_records(aftermath, service, back) || !service.history[..from].iter().any(is_better))
}

fn is_rollback_told(aftermath: &Aftermath, service: &Service, back: &Deployment) -> bool {
    let id = service.id();
    aftermath.executions_of(&id).any(|execution| {
        let during =
            execution.started <= back.created_at && execution.ended.is_none_or(|ended| ended >= back.created_at);
        during && tells_of_rollback(execution)
    })
}

/// True if an execution says that its rollout was taken back, or was to be.
pub(super) fn tells_of_rollback(execution: &Execution) -> bool {
    let message = execution.output.as_ref().and_then(|output| output["message"].as_str());
    execution.is_red()
        || execution.outcome() == Some("ROLL_BACK_SUPERSEDED")
        || message.is_some_and(|message| message.contains("did not become stable"))
}

/// True if the rollout after the one at this place was at once taken back for it, or for one that has the pushes of
/// both.
fn is_put_back(aftermath: &Aftermath, service: &Service, place: usize) -> bool {
    let (first, second) = (&service.history[place], &service.history[place + 1]);
    let Some(third) = service.history.get(place + 2) else {
        return false;
    };
    let lasted = third.created_at - second.created_at;
    let is_unanswered = lasted >= CALL || is_update_lost(aftermath, service, first.created_at, third.created_at);
    let [Some(first), Some(second), Some(third)] = [first, second, third].map(|it| revision(aftermath, it)) else {
        return false;
    };
    let is_of_both = third.pushes().all(|(repository, push)| {
        [first, second]
            .iter()
            .any(|it| it.push_of(repository).as_ref() == Some(&push))
    });
    let is_fine = if keeps(third, first) {
        lasted <= PUT_BACK
    } else {
        keeps(second, third) && is_of_both && is_unanswered && lasted <= BOTH_IN_ONE
    };
    keeps(first, third) && is_fine
}

/// True if one of our updates of a service was refused in this time, or its answer was lost on the way.
fn is_update_lost(aftermath: &Aftermath, service: &Service, from: i64, to: i64) -> bool {
    let id = service.id();
    let mut calls = aftermath.calls.iter();
    calls.any(|call| {
        let is_update = call.operation == "UpdateService" && call.is_of(&id);
        is_update && call.outcome != "ok" && (from..=to).contains(&call.at)
    })
}

/// True if the rollout at this place was replaced unseen by one that could not see it.
fn replaced_unseen(aftermath: &Aftermath, service: &Service, place: usize) -> bool {
    let (first, second) = (&service.history[place], &service.history[place + 1]);
    let is_right = place.checked_sub(1).is_some_and(|shown| {
        is_newer(aftermath, &service.history[shown], second) || goes_back(aftermath, service, shown, place + 1)
    });
    is_right && may_be_from_before(aftermath, service, first.created_at, second) && !is_listed(service, first, second)
}

/// True if the read before the rollout at this place may have shown the service as it was before a write, and the
/// rollout would have been right then.
pub(super) fn is_right_by_an_old_read(aftermath: &Aftermath, service: &Service, place: usize) -> bool {
    let rollout = &service.history[place];
    let path = format!("/{}/{}/", service.cluster, service.name);
    let is_write = |call: &Call| match call.operation.as_str() {
        "UpdateService" => call.is_of(&service.id()),
        "StopServiceDeployment" => call.parameter("serviceDeploymentArn").contains(&path),
        _ => false,
    };
    let hides = |call: &&Call| {
        let until = call.at + call.stale_milliseconds + READ;
        call.stale_milliseconds > 0 && call.applied && (call.at + 1..=until).contains(&rollout.created_at)
    };
    let mut hidden_since = aftermath
        .calls
        .iter()
        .filter(|call| is_write(call))
        .filter(hides)
        .map(|call| call.at);
    hidden_since.any(|since| {
        let shown = service.history[..place].iter().rposition(|it| it.created_at < since);
        shown.is_some_and(|shown| {
            is_newer(aftermath, &service.history[shown], rollout) || goes_back(aftermath, service, shown, place)
        })
    })
}

/// True if `second` is what `first` replaced without having seen it. Not when that was put back already.
pub(super) fn puts_back(
    aftermath: &Aftermath,
    service: &Service,
    before: &[Deployment],
    first: &Deployment,
    second: &Deployment,
) -> bool {
    let is = |rollout: Option<&Deployment>, other: &Deployment| {
        rollout.is_some_and(|rollout| rollout.task_definition == other.task_definition)
    };
    let lost_update = before
        .last()
        .filter(|lost_update| lost_update.finished_at == Some(first.created_at));
    let is_lost = lost_update.is_some_and(|lost_update| {
        aftermath.is_of_others(&service.id(), lost_update) || !stands_for(aftermath, lost_update, first)
    });
    let is_first_time = !is(before.iter().rev().nth(1), first);
    is(lost_update, second) && is_lost && is_first_time && second.created_at - first.created_at <= PUT_BACK
}

/// True if nothing of `lost_update` is lost with `first` in its place: it has its pushes or newer ones, and was made
/// from it, or from what it was made from.
fn stands_for(aftermath: &Aftermath, lost_update: &Deployment, first: &Deployment) -> bool {
    let revisions = revision(aftermath, lost_update).zip(revision(aftermath, first));
    revisions.is_some_and(|(lost_update, first)| {
        let is_made_from_it = first
            .source()
            .is_some_and(|source| source == lost_update.name() || Some(source) == lost_update.source());
        is_made_from_it && keeps(lost_update, first)
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{
        ROLLED_BACK, calm, child, deed, plain, push, red, rolled_back, rollout, tag, update, web,
    };
    use super::*;
    use crate::aftermath::{Call, StoppedTask, Tag};
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
    fn each_rollout_that_is_cut_short_is_counted_by_its_reason() {
        assert_eq!(reasons(&overlapping(3)), BTreeMap::from([("newer push", 1)]));
        assert_eq!(reasons(&overlapping(2)), BTreeMap::from([("none", 1)]));
        assert_eq!(reasons(&rolled_back()), BTreeMap::from([("rollback", 1)]));
        assert_eq!(reasons(&calm()), BTreeMap::new());
    }

    #[test]
    fn a_rollout_after_another_is_over_is_none_of_this() {
        let mut aftermath = overlapping(2);
        aftermath.after.services[0].history[1].finished_at = Some(31_000);
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
    }

    #[test]
    fn a_rollback_by_ecs_that_had_all_its_time_is_waited_for_no_more() {
        let found = |rolling_back_for: i64| {
            let mut aftermath = overlapping(1);
            let [.., first, second] = &mut *aftermath.after.services[0].history else {
                unreachable!()
            };
            first.status = "ROLLBACK_FAILED".to_owned();
            first.finished_at = Some(second.created_at);
            first.rolling_back_since = Some(second.created_at - rolling_back_for);
            one_rollout_of_ours_at_a_time(&aftermath).len()
        };
        assert_eq!(found(90_000), 0);
        assert_eq!(found(80_000), 1);
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
        let mut elsewhere = aftermath.clone();
        let mut stable = child(2);
        stable.ended = Some(40_000);
        elsewhere.executions[1] = stable.clone();
        assert_eq!(one_rollout_of_ours_at_a_time(&elsewhere).len(), 1);
        let message = "web in north did not become stable on web:2 with shop/web:v2: 0 of 1 tasks running. It is stable on web:1, \
             which has the image too";
        stable.output = Some(json!({"outcome": "DEPLOYED", "message": message}));
        elsewhere.executions[1] = stable;
        assert_eq!(one_rollout_of_ours_at_a_time(&elsewhere), []);
        elsewhere.after.services[0].history[0].status = "STOPPED".to_owned();
        assert_eq!(
            one_rollout_of_ours_at_a_time(&elsewhere).len(),
            1,
            "web:1 was never good"
        );
    }

    #[test]
    fn what_came_on_top_of_a_failed_image_is_taken_back_with_it() {
        let with = |on_top: u32, made: u32| {
            let mut aftermath = overlapping(4);
            let revisions = &mut aftermath.after.revisions;
            let app = |number: u32| tag("ecr-deploy:push/shop/web", &push(number).to_string());
            let of = |number: u32, tags: Vec<Tag>| Revision {
                tags,
                ..plain(number, ":v1")
            };
            revisions.retain(|known| known.number < 2);
            revisions.push(of(2, vec![app(2)]));
            let agent = tag("ecr-deploy:push/ops/agent", &push(3).to_string());
            revisions.push(of(3, vec![app(on_top), agent]));
            revisions.push(of(4, vec![app(made), tag("ecr-deploy:rolled-back", "web:2")]));
            let second = rollout(3, 2, "STOPPED");
            aftermath.after.services[0].history[1].task_definition = second.task_definition;
            one_rollout_of_ours_at_a_time(&aftermath).len()
        };
        assert_eq!(with(2, 1), 0);
        assert_eq!(with(3, 1), 1, "it has another image of the repository");
        assert_eq!(with(2, 2), 1, "the failed image is not taken back");
    }

    /// `web:1` was good, `web:2` never completed, `web:3` is rolled out on top of it in the second 32 and is taken back
    /// to `web:2` in the second 42, which is told, behind a Classic Load Balancer. Its list of service deployments is
    /// empty then.
    fn back_to_what_ran() -> Aftermath {
        let mut aftermath = calm();
        let service = &mut aftermath.after.services[0];
        service.history[1].status = "STOPPED".to_owned();
        service.history[1].finished_at = Some(32_000);
        service.history[2].status = "STOPPED".to_owned();
        service.history[2].finished_at = Some(42_000);
        service.history.push(rollout(2, 4, "SUCCESSFUL"));
        service.stopped_tasks = vec![StoppedTask {
            task_definition: update(2, 0).parameter("taskDefinition").to_owned(),
            stop_code: Some("ServiceSchedulerInitiated".to_owned()),
            stopped_at: Some(33_000),
        }];
        let balancers = json!([{"loadBalancerName": "web"}]);
        service.config.insert("loadBalancers".to_owned(), balancers);
        let list = Call {
            operation: "ListServiceDeployments".to_owned(),
            at: 41_000,
            applied: false,
            ..update(2, 4)
        };
        aftermath.calls.extend([list, update(2, 4)]);
        aftermath.executions[3] = red(3, "Deploy.RolledBack", ROLLED_BACK);
        aftermath.executions[3].ended = Some(60_000);
        aftermath
    }

    #[test]
    fn what_merely_ran_is_gone_back_to_only_where_neither_a_state_nor_a_record_tells_of_a_better_one() {
        let found = |change: fn(&mut Aftermath)| {
            let mut aftermath = back_to_what_ran();
            change(&mut aftermath);
            one_rollout_of_ours_at_a_time(&aftermath).len()
        };
        assert_eq!(found(|_| ()), 0);
        let records = |aftermath: &mut Aftermath| aftermath.calls[2].applied = true;
        assert_eq!(found(records), 1, "web:1 is known to be better");
        let no_better = |aftermath: &mut Aftermath| {
            aftermath.calls[2].applied = true;
            aftermath.after.services[0].history[0].status = "STOPPED".to_owned();
        };
        assert_eq!(found(no_better), 0);
        let a_state = |aftermath: &mut Aftermath| aftermath.after.services[0].config.clear();
        assert_eq!(found(a_state), 1);
        let ran_before = |aftermath: &mut Aftermath| {
            aftermath.after.services[0].stopped_tasks[0].stopped_at = Some(28_999);
        };
        assert_eq!(found(ran_before), 1, "none of its tasks was left");
        let without_tasks = |aftermath: &mut Aftermath| {
            aftermath.after.services[0].stopped_tasks.clear();
            aftermath.after.services[0].asked_count = 0;
        };
        assert_eq!(found(without_tasks), 0);
        let never_there = |aftermath: &mut Aftermath| {
            aftermath.after.services[0].history.remove(1);
        };
        assert_eq!(found(never_there), 1);
        let untold = |aftermath: &mut Aftermath| aftermath.executions[3] = child(3);
        assert_eq!(found(untold), 1);
    }

    #[test]
    fn a_newer_push_that_was_replaced_unseen_is_put_back_soon() {
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
        let last = |aftermath: &mut Aftermath, later: i64| {
            let service = &mut aftermath.after.services[0];
            let (replaced, again) = (service.history[2].created_at, service.history.last_mut().unwrap());
            again.created_at = replaced + later;
            aftermath.calls.last_mut().unwrap().at = replaced + later;
        };
        let (mut soon, mut late) = (aftermath.clone(), aftermath.clone());
        last(&mut soon, PUT_BACK);
        last(&mut late, PUT_BACK + 1);
        assert_eq!(
            [&soon, &late].map(|it| one_rollout_of_ours_at_a_time(it).is_empty()),
            [true, false]
        );
        // With a push of another repository on top.
        let more = tag("ecr-deploy:push/ops/agent", &push(4).to_string());
        let mut on_top = aftermath.after.revisions[2].clone();
        on_top.number = 4;
        on_top.tags.push(more.clone());
        aftermath.after.revisions.push(on_top);
        let put_back = aftermath.calls.last_mut().unwrap();
        *put_back = Call {
            at: put_back.at,
            ..update(4, 3)
        };
        let again = aftermath.after.services[0].history.last_mut().unwrap();
        again.task_definition = update(4, 3).parameter("taskDefinition").to_owned();
        assert_eq!(
            one_rollout_of_ours_at_a_time(&aftermath).len(),
            1,
            "more than it is put back"
        );
        // web:2, which replaced web:3.
        aftermath.after.revisions[1].tags.push(more);
        assert_eq!(
            one_rollout_of_ours_at_a_time(&aftermath).len(),
            1,
            "it could have been put back"
        );
        let mut unanswered = aftermath.clone();
        let replaced = unanswered.calls.iter().rposition(|call| call.is_of(&web())).unwrap() - 1;
        unanswered.calls[replaced].outcome = "cut".to_owned();
        assert_eq!(
            one_rollout_of_ours_at_a_time(&unanswered),
            [],
            "both have their images in one"
        );
        let found = |later| {
            let mut aftermath = aftermath.clone();
            last(&mut aftermath, later);
            one_rollout_of_ours_at_a_time(&aftermath).len()
        };
        assert_eq!(
            [found(CALL - 1), found(CALL), found(BOTH_IN_ONE), found(BOTH_IN_ONE + 1)],
            [1, 0, 0, 1]
        );
    }

    #[test]
    fn what_was_replaced_unseen_is_put_back_once() {
        let mut aftermath = calm();
        let history = &mut aftermath.after.services[0].history;
        history.truncate(1);
        // web:3, replaced unseen by web:2, put back, and so on.
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

    /// `web:2` is rolled out, which some reads do not show yet, then `web:4`, made from `web:1` for a push of another
    /// repository.
    fn unseen() -> Aftermath {
        let mut aftermath = overlapping(4);
        let mut other = plain(4, ":v1");
        other.tags.push(tag("ecr-deploy:push/ops/agent", &push(3).to_string()));
        aftermath.after.revisions.push(other);
        aftermath.calls[0].stale_milliseconds = 7_000;
        aftermath
    }

    #[test]
    fn an_old_read_is_an_excuse_for_as_long_as_it_may_be_old_and_for_what_would_have_been_right() {
        assert_eq!(one_rollout_of_ours_at_a_time(&unseen()), []);
        let mut too_late = unseen();
        too_late.calls[0].stale_milliseconds = 6_999;
        assert_eq!(one_rollout_of_ours_at_a_time(&too_late).len(), 1);
        let mut wrong_even_so = overlapping(1);
        wrong_even_so.calls[0].stale_milliseconds = 7_000;
        assert_eq!(one_rollout_of_ours_at_a_time(&wrong_even_so).len(), 1);
    }

    #[test]
    fn what_came_in_after_the_read_and_had_no_task_yet_is_replaced_unseen() {
        let mut seen = overlapping(4);
        seen.after.revisions = unseen().after.revisions;
        let read = |at| Call {
            operation: "DescribeServices".to_owned(),
            at,
            ..update(2, 2)
        };
        let found = |aftermath: &Aftermath, began: i64, at: i64| {
            let mut aftermath = aftermath.clone();
            aftermath.after.services[0].history[1].created_at = began;
            aftermath.calls[0].at = began;
            aftermath.calls.insert(0, read(at));
            one_rollout_of_ours_at_a_time(&aftermath).len()
        };
        // The second one began in the second 32.
        assert_eq!(found(&seen, 31_900, 31_900), 0);
        assert_eq!(found(&seen, 31_900, 31_901), 1, "it was shown");
        assert_eq!(found(&seen, 31_900, 28_999), 1, "it was read once more");
        assert_eq!(found(&overlapping(1), 31_900, 31_900), 1, "it was wrong even so");
        seen.after.services[0].stopped_tasks = vec![StoppedTask {
            task_definition: update(2, 0).parameter("taskDefinition").to_owned(),
            stop_code: Some("ServiceSchedulerInitiated".to_owned()),
            stopped_at: Some(32_001),
        }];
        assert_eq!(found(&seen, 31_900, 31_900), 1, "the answer to the update listed it");
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
        aftermath.others.push(deed(32_000, &json!({"desiredCount": 2})));
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath).len(), 1, "he began none");
        aftermath.others.push(deed(32_000, &json!({"taskDefinition": "web:1"})));
        assert_eq!(one_rollout_of_ours_at_a_time(&aftermath), []);
    }
}
