//! A push waits for a rollback: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>.

use super::Violation;
use super::one_at_a_time::{goes_back, is_right_by_an_old_read, puts_back};
use super::reads::{is_listed, may_be_from_before, may_have_no_records};
use crate::aftermath::{Aftermath, Call, Deployment, Revision, Service, StoppedTask, short};

const WAITS: &str = "no rollout of ours begins while the service is rolling back";

/// The setting `rolloutTimeout` of a storm, in milliseconds: a rollback that takes longer is waited for no more.
const ROLLOUT_TIMEOUT: i64 = 90_000;
/// The least number of crashed tasks that makes a crash loop: how many tasks the service was to have at a moment is not recorded.
const LEAST_CRASHES: usize = 3;

/// A service that is rolling back.
struct Rollback<'a> {
    /// Since when that could be seen.
    since: i64,
    /// The ARN of the revision that it goes back to; empty where that is not known.
    to: &'a str,
}

/// No rollout of ours, to whatever revision, replaces a rollback: of one by ECS, whose record then is
/// `ROLLBACK_FAILED`, or of one by our `UpdateService`. ECS's records say so where it is one of ECS's; one of ours shows as a
/// rollout to a copy that was made for a rollback, or to an earlier revision than one that is listed still.
///
/// It may, where
///
/// - the rollback has no hope: so many of its tasks crashed as make a crash loop, or it took longer than a rollout may;
/// - the update stood on a read from before the rollback began: there is such a read, shortly before the update (ECS has no
///   update on a condition), or ECS showed the service as it had been;
/// - nothing showed it: for the moment between `StopServiceDeployment` and what comes of it there is nothing but the list of
///   service deployments, which may be empty. Behind a Classic Load Balancer, where ECS tells no `rolloutState`, there is nothing
///   but that list for the whole of a rollback, unless what is gone back from is listed beside an earlier revision.
pub(super) fn no_rollout_cuts_into_a_rollback(aftermath: &Aftermath) -> Vec<Violation> {
    let services = aftermath.after.services.iter();
    services.flat_map(|service| cuts(aftermath, service)).collect()
}

fn cuts(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    let id = service.id();
    let mut violations = Vec::new();
    for (place, pair) in service.history.windows(2).enumerate() {
        let [first, second] = pair else { continue };
        let takes_its_place = first.finished_at == Some(second.created_at);
        if !takes_its_place || aftermath.is_of_others(&id, second) {
            continue;
        }
        let Some(rollback) =
            rollback_of_ecs(aftermath, service, place).or_else(|| our_rollback(aftermath, service, place))
        else {
            continue;
        };
        let may_begin = is_lost(service, &rollback, second)
            || may_be_from_before(aftermath, service, rollback.since, second)
            || is_right_by_an_old_read(aftermath, service, place + 1);
        if !may_begin {
            let (second, to) = (short(&second.task_definition), short(rollback.to));
            violations.push(Violation::of_service(
                WAITS,
                id.clone(),
                format!("{second} was begun during the rollback to {to}"),
            ));
        }
    }
    violations
}

/// The rollback by ECS, from the rollout at this place, that the next one has replaced.
fn rollback_of_ecs<'a>(aftermath: &Aftermath, service: &'a Service, place: usize) -> Option<Rollback<'a>> {
    let (failed, next) = (&service.history[place], &service.history[place + 1]);
    if failed.status != "ROLLBACK_FAILED" {
        return None;
    }
    let good = service.history[..place].iter().rfind(|it| it.status == "SUCCESSFUL");
    let to = good.map_or("", |good| &good.task_definition);
    let is_recorded = || !may_have_no_records(aftermath, service, next);
    let stops = |call: &&Call| {
        call.operation == "StopServiceDeployment"
            && call.applied
            && call.parameter("serviceDeploymentArn") == failed.service_deployment_arn
    };
    let stop = aftermath.calls.iter().find(stops);
    let is_shown = || {
        let revision = |arn: &str| aftermath.after.revision(arn);
        let ways = [to, &failed.task_definition, &next.task_definition].map(revision);
        let [Some(there), Some(left), Some(wanted)] = ways else {
            return false;
        };
        // A deployment that ECS gave up by itself is listed until the service is back.
        let is_listed = stop.is_none() || is_listed(service, failed, next);
        goes_to_earlier(there, left) && is_listed && !has_push_of(aftermath, there, wanted)
    };
    let since = match failed.rolling_back_since {
        Some(since) => {
            let is_told = !service.is_behind_classic_load_balancer() || is_recorded() || is_shown();
            Some(since).filter(|_| is_told)
        }
        None => stop.map(|stop| stop.at).filter(|_| is_recorded()),
    };
    Some(Rollback { since: since?, to })
}

/// The rollback by us that is the rollout at this place, where the read of the service showed it; unless the next one goes back
/// further, or puts back what this one has replaced unseen.
fn our_rollback<'a>(aftermath: &Aftermath, service: &'a Service, place: usize) -> Option<Rollback<'a>> {
    let failed = &service.history[place.checked_sub(1)?];
    let (back, next) = (&service.history[place], &service.history[place + 1]);
    let is_rollback = !aftermath.is_of_others(&service.id(), back) && goes_back(aftermath, service, place - 1, place);
    if !is_rollback
        || goes_back(aftermath, service, place, place + 1)
        || puts_back(aftermath, service, &service.history[..place], back, next)
    {
        return None;
    }
    let revision = |rollout: &Deployment| aftermath.after.revision(&rollout.task_definition);
    let (there, left, wanted) = (revision(back)?, revision(failed)?, revision(next)?);
    let is_listed = is_listed(service, failed, next);
    let is_under_way =
        !service.is_behind_classic_load_balancer() || is_listed || !may_have_no_records(aftermath, service, next);
    let is_shown = (there.rolled_back().is_some() && is_under_way) || (goes_to_earlier(there, left) && is_listed);
    (is_shown && !has_push_of(aftermath, there, wanted)).then_some(Rollback {
        since: back.created_at,
        to: &back.task_definition,
    })
}

/// True if ECS went back from the rollout at this place, and nobody had to wait for that any more when the next one began.
pub(super) fn is_given_up(aftermath: &Aftermath, service: &Service, place: usize) -> bool {
    let rollback = rollback_of_ecs(aftermath, service, place);
    rollback.is_some_and(|rollback| is_lost(service, &rollback, &service.history[place + 1]))
}

fn goes_to_earlier(there: &Revision, left: &Revision) -> bool {
    there.family == left.family && there.number < left.number
}

/// True if the push that `wanted` was made for is on the revision gone back to: that is not taken for a rollback then,
/// but for what lacks somebody's change.
fn has_push_of(aftermath: &Aftermath, there: &Revision, wanted: &Revision) -> bool {
    let made_for = aftermath.made_for(wanted);
    there.pushes().any(|push| made_for.contains(&push))
}

/// True if nobody has to wait for a rollback any more, by the rules of "Update service".
fn is_lost(service: &Service, rollback: &Rollback<'_>, until: &Deployment) -> bool {
    let crashes = |task: &&StoppedTask| {
        let by_itself = matches!(
            task.stop_code.as_deref(),
            Some("EssentialContainerExited" | "TaskFailedToStart")
        );
        let during = task
            .stopped_at
            .is_some_and(|at| (rollback.since..=until.created_at).contains(&at));
        by_itself && during && task.task_definition == rollback.to
    };
    let count = service.stopped_tasks.iter().filter(crashes).count();
    count >= LEAST_CRASHES || until.created_at - rollback.since >= ROLLOUT_TIMEOUT
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, deed, red, rollout, tag, update};
    use super::*;
    use serde_json::json;

    /// ECS is on its way from `web:2` back to `web:1` since the second 25, and `web:3` is begun in the second 32.
    fn cut() -> Aftermath {
        let mut aftermath = calm();
        let failed = &mut aftermath.after.services[0].history[1];
        failed.status = "ROLLBACK_FAILED".to_owned();
        failed.finished_at = Some(32_000);
        failed.rolling_back_since = Some(25_000);
        aftermath
    }

    fn call(operation: &str, at: i64) -> Call {
        Call {
            operation: operation.to_owned(),
            at,
            ..update(2, 2)
        }
    }

    fn stopped(revision: u32, stop_code: &str, at: i64) -> StoppedTask {
        StoppedTask {
            task_definition: update(revision, 0).parameter("taskDefinition").to_owned(),
            stop_code: Some(stop_code.to_owned()),
            stopped_at: Some(at),
        }
    }

    #[test]
    fn a_newer_push_that_does_not_wait_for_a_rollback_by_ecs_is_found() {
        assert_eq!(no_rollout_cuts_into_a_rollback(&cut()).len(), 1);
        let mut after_it = cut();
        after_it.after.services[0].history[1].finished_at = Some(31_999);
        assert_eq!(no_rollout_cuts_into_a_rollback(&after_it), []);
        let mut of_somebody = cut();
        of_somebody.calls.pop();
        of_somebody
            .others
            .push(deed(32_000, &json!({"taskDefinition": "web:3"})));
        assert_eq!(no_rollout_cuts_into_a_rollback(&of_somebody), []);
    }

    /// The same behind a Classic Load Balancer, where the list of service deployments is empty just before the last rollout.
    fn without_state(mut aftermath: Aftermath) -> Aftermath {
        let service = &mut aftermath.after.services[0];
        let balancers = json!([{"loadBalancerName": "web"}]);
        service.config.insert("loadBalancers".to_owned(), balancers);
        let mut empty = call(
            "ListServiceDeployments",
            service.history.last().unwrap().created_at - 100,
        );
        empty.applied = false;
        aftermath.calls.push(empty);
        aftermath
    }

    #[test]
    fn behind_a_classic_load_balancer_a_rollback_by_ecs_shows_in_its_records_or_by_what_is_listed_beside_it() {
        let mut untold = without_state(cut());
        assert_eq!(
            no_rollout_cuts_into_a_rollback(&untold).len(),
            1,
            "ECS gave web:2 up by itself"
        );
        let mut stop = call("StopServiceDeployment", 24_000);
        let failed = &untold.after.services[0].history[1];
        let arn = json!({"serviceDeploymentArn": failed.service_deployment_arn});
        stop.parameters = arn.as_object().cloned().unwrap();
        untold.calls.insert(0, stop);
        assert_eq!(no_rollout_cuts_into_a_rollback(&untold), []);
        let mut recorded = untold.clone();
        recorded.calls.last_mut().unwrap().applied = true;
        assert_eq!(no_rollout_cuts_into_a_rollback(&recorded).len(), 1);
        let mut listed = untold.clone();
        listed.after.services[0].stopped_tasks = vec![stopped(2, "ServiceSchedulerInitiated", 32_001)];
        assert_eq!(no_rollout_cuts_into_a_rollback(&listed).len(), 1);
        let on_it = listed.after.revisions[2].tags.clone();
        listed.after.revisions[0].tags = on_it;
        assert_eq!(no_rollout_cuts_into_a_rollback(&listed), [], "it has the push of web:3");
        let mut unlisted = untold;
        unlisted.after.services[0].stopped_tasks = vec![stopped(2, "ServiceSchedulerInitiated", 31_999)];
        assert_eq!(no_rollout_cuts_into_a_rollback(&unlisted), []);
    }

    #[test]
    fn behind_a_classic_load_balancer_a_rollback_by_us_shows_as_under_way_by_its_record_or_by_what_is_listed_beside_it()
    {
        let mut aftermath = without_state(cut_by_update());
        assert_eq!(no_rollout_cuts_into_a_rollback(&aftermath).len(), 1, "web:3 is listed");
        aftermath.after.services[0].stopped_tasks[0].stopped_at = Some(41_999);
        assert_eq!(no_rollout_cuts_into_a_rollback(&aftermath), []);
        let copy = tag("ecr-deploy:rolled-back", "web:3");
        aftermath.after.revisions[0].tags.push(copy);
        assert_eq!(no_rollout_cuts_into_a_rollback(&aftermath), [], "it may be over");
        aftermath.calls.last_mut().unwrap().applied = true;
        assert_eq!(no_rollout_cuts_into_a_rollback(&aftermath).len(), 1);
    }

    #[test]
    fn a_rollback_that_we_asked_for_shows_in_the_list_from_then_on() {
        let mut aftermath = cut();
        let failed = &mut aftermath.after.services[0].history[1];
        failed.rolling_back_since = None;
        let arn = json!({"serviceDeploymentArn": failed.service_deployment_arn});
        assert_eq!(
            no_rollout_cuts_into_a_rollback(&aftermath),
            [],
            "nobody knows since when"
        );
        let mut stop = call("StopServiceDeployment", 31_500);
        stop.parameters = arn.as_object().cloned().unwrap();
        aftermath.calls.push(stop);
        assert_eq!(no_rollout_cuts_into_a_rollback(&aftermath).len(), 1);
        let mut empty = call("ListServiceDeployments", 31_900);
        empty.applied = false;
        aftermath.calls.push(empty);
        assert_eq!(no_rollout_cuts_into_a_rollback(&aftermath), []);
    }

    #[test]
    fn only_a_read_from_before_the_rollback_and_shortly_before_the_update_is_an_excuse() {
        let found = |since, snapshot| {
            let mut aftermath = cut();
            aftermath.after.services[0].history[1].rolling_back_since = Some(since);
            aftermath.calls.push(call("DescribeServices", snapshot));
            no_rollout_cuts_into_a_rollback(&aftermath).len()
        };
        assert_eq!([found(31_000, 31_000), found(31_000, 29_000)], [0, 0]);
        assert_eq!([found(31_000, 31_001), found(31_000, 28_999)], [1, 1]);
        let mut stale = cut();
        stale.calls[0].stale_milliseconds = 7_000;
        assert_eq!(no_rollout_cuts_into_a_rollback(&stale), []);
    }

    #[test]
    fn a_rollback_without_hope_is_not_waited_for() {
        let found = |tasks: &[StoppedTask]| {
            let mut aftermath = cut();
            aftermath.after.services[0].stopped_tasks = tasks.to_vec();
            no_rollout_cuts_into_a_rollback(&aftermath).len()
        };
        let crashed = stopped(1, "EssentialContainerExited", 26_000);
        assert_eq!(found(&[crashed.clone(), crashed.clone(), crashed.clone()]), 0);
        assert_eq!(found(&[crashed.clone(), crashed.clone()]), 1);
        for other in [
            stopped(2, "EssentialContainerExited", 26_000),
            stopped(1, "ServiceSchedulerInitiated", 26_000),
            stopped(1, "TaskFailedToStart", 24_999),
        ] {
            assert_eq!(
                found(&[crashed.clone(), crashed.clone(), other.clone()]),
                1,
                "{other:?}"
            );
        }
        let mut long = cut();
        long.after.services[0].history[1].rolling_back_since = Some(32_000 - ROLLOUT_TIMEOUT);
        assert_eq!(no_rollout_cuts_into_a_rollback(&long), []);
    }

    /// `web:3` failed, `web:1` is what we went back to in the second 34, and `web:4`, of another push, is begun in the second
    /// 42.
    fn cut_by_update() -> Aftermath {
        let mut aftermath = calm();
        let mut newer = aftermath.after.revisions[2].clone();
        newer.number = 4;
        newer.tags.push(tag(
            "ecr-deploy:push/ops/agent",
            &super::super::sample::push(4).to_string(),
        ));
        aftermath.after.revisions.push(newer);
        let mut back = rollout(1, 3, "STOPPED");
        back.created_at = 34_000;
        back.finished_at = Some(42_000);
        let service = &mut aftermath.after.services[0];
        service.history[2].status = "STOPPED".to_owned();
        service.history.extend([back, rollout(4, 4, "SUCCESSFUL")]);
        service.stopped_tasks = vec![stopped(3, "ServiceSchedulerInitiated", 42_001)];
        let mut calls = [update(1, 3), update(4, 4)];
        calls[0].at = 34_000;
        aftermath.calls.extend(calls);
        aftermath.executions[3] = red(3, "Deploy.RolledBack", ROLLED_BACK);
        aftermath
    }

    #[test]
    fn a_push_that_does_not_wait_for_a_rollback_by_us_is_found_where_it_showed() {
        assert_eq!(no_rollout_cuts_into_a_rollback(&cut_by_update()).len(), 1);
        let mut unlisted = cut_by_update();
        unlisted.after.services[0].stopped_tasks[0].stopped_at = Some(41_999);
        assert_eq!(no_rollout_cuts_into_a_rollback(&unlisted), []);
        unlisted.after.revisions[0]
            .tags
            .push(tag("ecr-deploy:rolled-back", "web:3"));
        assert_eq!(
            no_rollout_cuts_into_a_rollback(&unlisted).len(),
            1,
            "it is a copy made for it"
        );
        let mut complete = cut_by_update();
        complete.after.services[0].history[3].finished_at = Some(41_000);
        assert_eq!(no_rollout_cuts_into_a_rollback(&complete), []);
    }

    #[test]
    fn going_back_further_and_putting_back_what_was_replaced_unseen_cut_into_nothing() {
        let next_is = |revision: u32, lasted: i64| {
            let mut aftermath = cut_by_update();
            aftermath.after.revisions[0]
                .tags
                .push(tag("ecr-deploy:rolled-back", "web:3"));
            let history = &mut aftermath.after.services[0].history;
            let arn = |revision| update(revision, 0).parameter("taskDefinition").to_owned();
            history[3].finished_at = Some(history[3].created_at + lasted);
            history[4].created_at = history[3].created_at + lasted;
            history[4].task_definition = arn(revision);
            let at = history[4].created_at;
            aftermath.calls.truncate(3);
            aftermath.calls.push(Call {
                at,
                ..update(revision, 4)
            });
            aftermath.executions[3].ended = Some(60_000);
            no_rollout_cuts_into_a_rollback(&aftermath).len()
        };
        assert_eq!(next_is(4, 8_000), 1);
        assert_eq!(
            next_is(2, 8_000),
            0,
            "web:2 was good before it, and the third push is told as failed"
        );
        assert_eq!(
            [next_is(3, 1_000), next_is(3, 15_001)],
            [0, 1],
            "web:3 was replaced unseen"
        );
    }

    #[test]
    fn a_push_that_is_on_the_revision_gone_back_to_need_not_wait() {
        let mut aftermath = cut_by_update();
        let of_the_push = tag("ecr-deploy:push/ops/agent", &super::super::sample::push(4).to_string());
        aftermath.after.revisions[0].tags.push(of_the_push);
        assert_eq!(no_rollout_cuts_into_a_rollback(&aftermath), []);
    }
}
