//! Green is green, and nothing that failed is kept silent about.

use super::Violation;
use super::reads::may_have_no_records;
use crate::aftermath::{Aftermath, Deployment, Execution, Revision, Service, short};
use crate::push::PushId;

const SILENT: &str = "what failed on a service is told by a red execution that names the service";
const GONE: &str = "what is called rolled back is not on the service";
const DELETED: &str = "what is called deleted is not there";
const BITS: &str = "what is called deployed runs the pushed image, by its digest";
const DEPLOYED: &str = "what is called deployed has completed its rollout";

/// A rollout of ours that did not go well is told: by a red execution of deploy-service that ended after the rollout began,
/// names the service, and is of the push that the revision was made for, or names the revision. A rollback to a revision that was made
/// for no push is told by the execution of the push that it takes back. That concerns
///
/// - the last rollout of a service, when it has not ended well or is still under way,
/// - the rollout of the newest push that a service ever got, when the service is now on an older one.
///
/// A rollout that brought along the image of another push, which had failed here before, and was begun where the service's records
/// told nothing of that: then the red execution of that push has told already.
///
/// Not a rollout that somebody else began, or that somebody else's came after. Nor one that ended well and whose tasks
/// crash only later: nobody watches a service for ever, which is what alarms and bake times are for. Nor one whose old
/// tasks drain for longer than a rollout may take, and which a green execution calls deployed.
pub(super) fn nothing_is_left_failing_in_silence(aftermath: &Aftermath) -> Vec<Violation> {
    let services = aftermath.after.services.iter();
    let ours = services.filter(|service| service.is_active() && service.is_deployed_by_ecs());
    let silent = ours.flat_map(|service| {
        failed(aftermath, service)
            .filter(|(rollout, _)| !is_told(aftermath, service, rollout))
            .map(|(rollout, why)| {
                let what = format!(
                    "{} {why}, and no red execution says so",
                    short(&rollout.task_definition)
                );
                Violation::of_service(SILENT, service.id(), what)
            })
    });
    silent.collect()
}

fn failed<'a>(
    aftermath: &'a Aftermath,
    service: &'a Service,
) -> impl Iterator<Item = (&'a Deployment, &'static str)> + use<'a> {
    let id = service.id();
    let last_of_others = service.history.iter().rposition(|it| aftermath.is_of_others(&id, it));
    let ours = &service.history[last_of_others.map_or(0, |place| place + 1)..];
    let is_draining = |rollout: &Deployment| {
        let mut executions = aftermath.executions_of(&id);
        executions.any(|it| it.says_deployed() && only_drains(aftermath, service, it, rollout))
    };
    let last = ours
        .last()
        .filter(|last| last.status != "SUCCESSFUL" && !is_draining(last));
    let below = newest_below(aftermath, service, ours);
    last.map(|rollout| (rollout, "did not end well"))
        .into_iter()
        .chain(below.map(|rollout| (rollout, "was taken back")))
}

/// The rollout of a newer push than the service is on now, if there was one.
fn newest_below<'a>(aftermath: &Aftermath, service: &Service, ours: &'a [Deployment]) -> Option<&'a Deployment> {
    let on = aftermath.after.revision(&service.task_definition)?;
    ours.iter().rev().find(|rollout| {
        let revision = aftermath.after.revision(&rollout.task_definition);
        let mut pushes = revision.into_iter().flat_map(Revision::pushes);
        pushes.any(|(repository, push)| on.push_of(repository).is_none_or(|now| now < push))
    })
}

fn is_told(aftermath: &Aftermath, service: &Service, rollout: &Deployment) -> bool {
    let id = service.id();
    let name = id.to_string();
    let revision = aftermath.after.revision(&rollout.task_definition);
    let mut made_for = revision.map_or_else(Vec::new, |revision| aftermath.made_for(revision));
    if made_for.is_empty() {
        let place = service.history.iter().position(|it| it == rollout);
        let before = place.and_then(|place| service.history[..place].last());
        let taken_back = before.and_then(|it| aftermath.after.revision(&it.task_definition));
        made_for.extend(taken_back.into_iter().flat_map(|revision| aftermath.made_for(revision)));
    }
    let is_under_way = |push: &PushId| {
        aftermath.executions_of(&id).any(|execution| {
            let has_begun = execution.started <= rollout.created_at;
            let goes_on = execution.ended.is_none_or(|ended| ended >= rollout.created_at);
            execution.push.as_ref() == Some(push) && has_begun && goes_on
        })
    };
    let pushes = revision.into_iter().flat_map(Revision::pushes);
    // A revision is used again, too: for a push that has all of it.
    let mut brought_along: Vec<_> = pushes
        .filter(|push| !made_for.contains(push) || !is_under_way(&push.1))
        .collect();
    if !may_have_no_records(aftermath, service, rollout) {
        brought_along.clear();
    }
    aftermath.executions_of(&id).any(|execution| {
        let after = execution.ended.is_none_or(|ended| ended >= rollout.created_at);
        let message = execution.message.as_deref().unwrap_or_default();
        let is_of_it = made_for.iter().any(|(_, push)| execution.push.as_ref() == Some(push))
            || names(message, short(&rollout.task_definition));
        let was_told = brought_along
            .iter()
            .any(|(_, push)| execution.push.as_ref() == Some(push));
        execution.is_red() && ((after && is_of_it) || was_told) && message.contains(&name)
    })
}

/// True if a message names a revision: `web:4`, which `web:42` does not.
fn names(message: &str, revision: &str) -> bool {
    let mut ends = message
        .match_indices(revision)
        .map(|(at, _)| &message[at + revision.len()..]);
    ends.any(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// The setting `rolloutTimeout` of a storm, in milliseconds, less what clocks may differ and what a slow answer to the update takes: the
/// time begins before the update.
const ROLLOUT_TIMEOUT: i64 = 85_000;

/// True if a rollout of the push of an execution had all the time that it may take when the execution ended, and was not over since
/// the service's old tasks drained for longer than that, by the settings of its target group.
#[expect(clippy::cast_precision_loss, reason = "the milliseconds of a storm")]
fn only_drains(aftermath: &Aftermath, service: &Service, execution: &Execution, rollout: &Deployment) -> bool {
    let repository = execution.image.split(':').next().unwrap_or_default();
    let revision = aftermath.after.revision(&rollout.task_definition);
    let is_of_push = revision.and_then(|revision| revision.push_of(repository)) == execution.push;
    let ended = execution.ended.unwrap_or(i64::MAX);
    let is_later = |at: Option<i64>| at.is_none_or(|at| at > ended);
    let goes_on = is_later(rollout.finished_at) && is_later(rollout.rolling_back_since);
    let took = ended - rollout.created_at;
    is_of_push && goes_on && took >= ROLLOUT_TIMEOUT && service.drains_for() >= ROLLOUT_TIMEOUT as f64
}

/// Where deploy-service says DEPLOYED or `ALREADY_DEPLOYED`, a rollout of a revision with that very push had completed by
/// then, by ECS's own record; or only its old tasks drained still, for longer than a rollout may take.
pub(super) fn deployed_means_completed(aftermath: &Aftermath) -> Vec<Violation> {
    let claims = aftermath
        .executions
        .iter()
        .filter(|execution| execution.says_deployed());
    let wrong = claims.filter(|execution| !has_completed(aftermath, execution));
    wrong
        .map(|execution| {
            let outcome = execution.outcome().unwrap_or_default();
            Violation::of_execution(
                DEPLOYED,
                execution,
                format!("{outcome}, but no rollout of the push had completed"),
            )
        })
        .collect()
}

fn has_completed(aftermath: &Aftermath, execution: &Execution) -> bool {
    let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
    let mut rollouts = service.into_iter().flat_map(|service| &service.history);
    let is_draining = |rollout: &Deployment| service.is_some_and(|it| only_drains(aftermath, it, execution, rollout));
    rollouts.any(is_draining) || completed(aftermath, execution).next().is_some()
}

/// The rollouts of a revision with an execution's very push that had completed when it ended.
fn completed<'a>(aftermath: &'a Aftermath, execution: &'a Execution) -> impl Iterator<Item = &'a Deployment> {
    let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
    let rollouts = service.into_iter().flat_map(|service| &service.history);
    let of_push = rollouts.filter(|rollout| {
        let revision = aftermath.after.revision(&rollout.task_definition);
        revision.and_then(|revision| revision.push_of(execution.repository())) == execution.push
    });
    of_push.filter(|rollout| {
        let by_then = rollout
            .finished_at
            .zip(execution.ended)
            .is_some_and(|(at, ended)| at <= ended);
        rollout.status == "SUCCESSFUL" && by_then
    })
}

/// Where deploy-service says DEPLOYED or `ALREADY_DEPLOYED`, the images of the repository had resolved to the pushed digest in one
/// of the rollouts that had completed by then. Not of a service that wants no task, of which nothing runs.
pub(super) fn deployed_means_the_pushed_image_runs(aftermath: &Aftermath) -> Vec<Violation> {
    let mut wrong = Vec::new();
    for execution in aftermath.executions.iter().filter(|it| it.says_deployed()) {
        let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
        let is_idle = service.is_none_or(|service| service.asked_count == 0);
        let mut pushes = aftermath.pushes.iter();
        let Some(push) = pushes.find(|push| Some(&push.id) == execution.push.as_ref()) else {
            continue;
        };
        let repository = execution.repository();
        let mut rollouts = completed(aftermath, execution).peekable();
        let runs_pushed = |rollout: &Deployment| rollout.digests_of(repository).all(|digest| digest == push.digest);
        if is_idle || rollouts.peek().is_none() || rollouts.any(runs_pushed) {
            continue;
        }
        let resolved = completed(aftermath, execution).flat_map(|rollout| rollout.digests_of(repository));
        let runs: Vec<&str> = resolved.collect();
        let outcome = execution.outcome().unwrap_or_default();
        let what = format!(
            "{outcome}, but {} runs, and {} was pushed",
            runs.join(", "),
            push.digest
        );
        wrong.push(Violation::of_execution(BITS, execution, what));
    }
    wrong
}

/// Where the last execution of a push for a service says `Deploy.RolledBack`, the service is not, in the end, on a
/// completed rollout of that very push; unless somebody else moved it. Nor where tasks of the image do crash, and it
/// says that it went back to a revision that has the image too, while the service's records told of none that has not.
pub(super) fn rolled_back_means_gone(aftermath: &Aftermath) -> Vec<Violation> {
    let claims = aftermath.executions.iter().filter(|execution| {
        let later = |other: &&Execution| other.service == execution.service && other.push == execution.push;
        let last = aftermath
            .executions
            .iter()
            .filter(later)
            .max_by_key(|other| other.ended);
        execution.error.as_deref() == Some("Deploy.RolledBack") && last.is_some_and(|last| last.name == execution.name)
    });
    let wrong = claims.filter(|execution| is_there(aftermath, execution) && !says_it_is_there(aftermath, execution));
    wrong
        .map(|execution| {
            Violation::of_execution(GONE, execution, "red, but the service is on this very push and stable")
        })
        .collect()
}

/// True if an execution says rightly that the service went back to a revision with an image whose tasks crash.
fn says_it_is_there(aftermath: &Aftermath, execution: &Execution) -> bool {
    let message = execution.message.as_deref().unwrap_or_default();
    let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
    let is_without_records = service.is_some_and(|service| {
        let back = service.history.last();
        back.is_some_and(|back| may_have_no_records(aftermath, service, back))
    });
    let crashes = aftermath.pushed(execution).is_some_and(|push| !push.runs());
    crashes && is_without_records && message.contains(", which was stable before but has the image too")
}

/// Where deploy-service says `SERVICE_DELETED`, which is green, the service is gone.
pub(super) fn deleted_means_gone(aftermath: &Aftermath) -> Vec<Violation> {
    let claims = aftermath
        .executions
        .iter()
        .filter(|execution| execution.outcome() == Some("SERVICE_DELETED"));
    let is_active = |execution: &&Execution| {
        let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
        service.is_some_and(Service::is_active)
    };
    claims
        .filter(is_active)
        .map(|execution| Violation::of_execution(DELETED, execution, "the service is there"))
        .collect()
}

fn is_there(aftermath: &Aftermath, execution: &Execution) -> bool {
    let (repository, _) = execution.image.split_once(':').unwrap_or_default();
    let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
    service.filter(|service| service.is_active()).is_some_and(|service| {
        let id = service.id();
        let on = aftermath.after.revision(&service.task_definition);
        let is_on_it = on.and_then(|on| on.push_of(repository)) == execution.push;
        let ended = execution.ended.unwrap_or(i64::MAX);
        // A rollout that only began afterwards is none of it: an operator's, or one of another repository's push.
        let mut later = service.history.iter().filter(|rollout| rollout.created_at > ended);
        let is_stable = service.rollout_state.as_deref() == Some("COMPLETED") && later.next().is_none();
        let is_ours = service
            .history
            .iter()
            .skip(1)
            .all(|rollout| !aftermath.is_of_others(&id, rollout));
        is_on_it && is_stable && is_ours
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, child, deed, digest, push, red, rolled_back, tag, update, web};
    use super::*;
    use crate::aftermath::Call;
    use serde_json::json;

    #[test]
    fn a_last_rollout_that_failed_or_goes_on_for_ever_is_found_unless_a_red_execution_names_the_service() {
        for status in ["STOPPED", "IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"] {
            let mut aftermath = calm();
            aftermath.after.services[0].history[2].status = status.to_owned();
            let found = nothing_is_left_failing_in_silence(&aftermath);
            assert_eq!(found.len(), 1, "{status}");
            assert_eq!(found[0].service, Some(web()));
            aftermath.executions.push(red(3, "Deploy.RollBackFailed", ROLLED_BACK));
            assert_eq!(nothing_is_left_failing_in_silence(&aftermath), [], "{status}");
        }
    }

    #[test]
    fn what_is_called_deployed_and_runs_another_image_is_found_unless_no_task_is_wanted() {
        let mut aftermath = calm();
        assert_eq!(deployed_means_the_pushed_image_runs(&aftermath), []);
        let rollout = &mut aftermath.after.services[0].history[2];
        rollout.images[0].digest = Some(digest(9));
        let found = deployed_means_the_pushed_image_runs(&aftermath);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].execution.as_deref(), Some("web-v3"));
        assert!(
            found[0].what.contains(&digest(9)) && found[0].what.contains(&digest(3)),
            "{found:?}"
        );

        let mut idle = aftermath.clone();
        idle.after.services[0].asked_count = 0;
        assert_eq!(deployed_means_the_pushed_image_runs(&idle), []);
        let mut of_another_repository = aftermath.clone();
        of_another_repository.after.services[0].history[2].images[0].image = "public.ecr.aws/log:1".to_owned();
        assert_eq!(deployed_means_the_pushed_image_runs(&of_another_repository), []);
        let mut superseded = aftermath;
        superseded.executions[3].output = Some(json!({"outcome": "SUPERSEDED"}));
        assert_eq!(deployed_means_the_pushed_image_runs(&superseded), []);
    }

    #[test]
    fn a_rollback_is_found_when_its_execution_is_green_or_names_another_service() {
        let mut aftermath = rolled_back();
        aftermath.executions[3] = red(3, "Deploy.RolledBack", "shop in north is back");
        assert_eq!(nothing_is_left_failing_in_silence(&aftermath).len(), 1);
        aftermath.executions[3] = child(3);
        assert_eq!(nothing_is_left_failing_in_silence(&aftermath).len(), 1);
    }

    #[test]
    fn a_rollback_that_ecs_rolled_back_in_turn_is_told_by_the_push_that_it_takes_back() {
        let found = |execution: Execution| {
            let mut aftermath = rolled_back();
            let service = &mut aftermath.after.services[0];
            service.history[3].task_definition = service.history[0].task_definition.clone();
            service.history[3].status = "ROLLBACK_SUCCESSFUL".to_owned();
            service.task_definition = service.history[0].task_definition.clone();
            let before = aftermath.executions[3].clone();
            aftermath.executions[3] = Execution {
                ended: Some(before.ended.unwrap() + 10_000),
                ..execution
            };
            let found = nothing_is_left_failing_in_silence(&aftermath);
            found
                .iter()
                .filter(|it| it.what.contains("web:1 did not end well"))
                .count()
        };
        let says = "web in north did not become stable on web:3: another deployment took over during the rollback";
        assert_eq!(found(red(3, "Deploy.RolledBack", says)), 0);
        assert_eq!(found(red(2, "Deploy.RolledBack", says)), 1, "of another push");
        assert_eq!(found(child(3)), 1, "green");
    }

    #[test]
    fn a_red_execution_of_another_push_tells_only_of_the_revision_that_it_names() {
        let found = |message: &str| {
            let mut aftermath = calm();
            aftermath.after.services[0].history[2].status = "STOPPED".to_owned();
            let mut other = red(2, "Deploy.RollBackFailed", message);
            other.ended = Some(50_000);
            aftermath.executions.push(other);
            nothing_is_left_failing_in_silence(&aftermath).len()
        };
        assert_eq!(found("web in north did not become stable on web:2: it crashed"), 1);
        assert_eq!(found("web in north did not become stable on web:34: it crashed"), 1);
        assert_eq!(found("web in north: the rollback to web:3 failed too"), 0);
    }

    #[test]
    fn an_image_that_failed_before_and_is_brought_along_where_no_record_tells_of_that_has_been_told() {
        let found = |list_is_told: bool, image_of: u32| {
            let mut aftermath = calm();
            aftermath.after.services[0].history[2].status = "ROLLBACK_SUCCESSFUL".to_owned();
            let record = tag("ecr-deploy:push/ops/agent", &push(1).to_string());
            // It is on what `web:3` was made from too.
            for revision in &mut aftermath.after.revisions[1..] {
                revision.tags.push(record.clone());
            }
            let mut before = red(
                image_of,
                "Deploy.RolledBack",
                "web in north did not become stable on web:9",
            );
            before.ended = Some(15_000);
            aftermath.executions.push(before);
            let list = Call {
                operation: "ListServiceDeployments".to_owned(),
                at: 31_000,
                applied: list_is_told,
                ..update(3, 3)
            };
            aftermath.calls.push(list);
            nothing_is_left_failing_in_silence(&aftermath).len()
        };
        assert_eq!(found(false, 1), 0);
        assert_eq!(found(true, 1), 1, "the records told");
        assert_eq!(found(false, 3), 1, "its own push failed again");
        assert_eq!(found(false, 9), 1, "another push");
    }

    #[test]
    fn a_revision_that_failed_and_is_used_again_for_another_push_where_no_record_tells_of_that_has_been_told() {
        let found = |list_is_told: bool, its_own_execution_goes_on: bool| {
            let mut aftermath = calm();
            aftermath.after.services[0].history[2].status = "ROLLBACK_SUCCESSFUL".to_owned();
            let own = aftermath
                .executions
                .iter_mut()
                .filter(|it| it.push == Some(push(3)) && it.service.is_some());
            for own in own {
                *own = red(3, "Deploy.RolledBack", "web in north did not become stable on web:9");
                own.started = 10_000;
                own.ended = Some(15_000);
                if its_own_execution_goes_on {
                    let goes_on = Execution {
                        status: "SUCCEEDED".to_owned(),
                        ended: Some(99_000),
                        ..own.clone()
                    };
                    aftermath.executions.push(goes_on);
                    break;
                }
            }
            let list = Call {
                operation: "ListServiceDeployments".to_owned(),
                at: aftermath.after.services[0].history[2].created_at - 100,
                applied: list_is_told,
                ..update(3, 3)
            };
            aftermath.calls.push(list);
            nothing_is_left_failing_in_silence(&aftermath).len()
        };
        assert_eq!(found(false, false), 0);
        assert_eq!(found(true, false), 1, "the records told");
        assert_eq!(found(false, true), 1, "its own push failed again");
    }

    #[test]
    fn a_rollout_that_goes_on_since_old_tasks_drain_for_longer_than_it_may_take_is_deployed_when_its_time_is_over() {
        let found = |drains: u32, took: i64| {
            let mut aftermath = calm();
            let service = &mut aftermath.after.services[0];
            let group = format!("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web-drains-{drains}/1");
            let balancers = json!([{"targetGroupArn": group}]);
            service.config.insert("loadBalancers".to_owned(), balancers);
            let last = &mut service.history[2];
            (last.status, last.finished_at) = ("IN_PROGRESS".to_owned(), None);
            let ended = last.created_at + took;
            let own = aftermath.executions.iter_mut().rfind(|it| it.service.is_some());
            own.unwrap().ended = Some(ended);
            let silent = nothing_is_left_failing_in_silence(&aftermath).len();
            (silent, deployed_means_completed(&aftermath).len())
        };
        assert_eq!(found(3_600, 90_000), (0, 0));
        assert_eq!(found(3_600, 80_000), (1, 1), "it had more time");
        assert_eq!(found(300, 90_000), (1, 1), "it drains for ten seconds only");
    }

    #[test]
    fn a_rollout_that_only_drained_when_it_was_called_deployed_may_be_replaced_later() {
        let found = |replaced_after: i64, goes_back_after: Option<i64>| {
            let mut aftermath = calm();
            let service = &mut aftermath.after.services[0];
            let group = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web-drains-3600/1";
            let balancers = json!([{"targetGroupArn": group}]);
            service.config.insert("loadBalancers".to_owned(), balancers);
            let last = &mut service.history[2];
            let ended = last.created_at + 90_000;
            (last.status, last.finished_at) = ("STOPPED".to_owned(), Some(ended + replaced_after));
            last.rolling_back_since = goes_back_after.map(|after| ended + after);
            let own = aftermath.executions.iter_mut().rfind(|it| it.service.is_some());
            own.unwrap().ended = Some(ended);
            deployed_means_completed(&aftermath).len()
        };
        assert_eq!(found(5_000, None), 0);
        assert_eq!(found(5_000, Some(1)), 0);
        assert_eq!(found(-5_000, None), 1, "it was replaced before");
        assert_eq!(found(5_000, Some(-1)), 1, "ECS went back from it before");
    }

    #[test]
    fn what_somebody_else_began_is_his() {
        let mut aftermath = calm();
        aftermath.after.services[0].history[2].status = "STOPPED".to_owned();
        aftermath.calls.pop();
        aftermath.others.push(deed(32_000, &json!({"taskDefinition": "web:3"})));
        assert_eq!(nothing_is_left_failing_in_silence(&aftermath), []);
    }

    #[test]
    fn a_push_that_is_called_rolled_back_and_is_there_is_found() {
        let mut aftermath = calm();
        aftermath.executions[3] = red(3, "Deploy.RolledBack", ROLLED_BACK);
        assert_eq!(rolled_back_means_gone(&aftermath).len(), 1);
        assert_eq!(rolled_back_means_gone(&rolled_back()), []);
        let mut later = aftermath.clone();
        later.executions.push(child(3));
        later.executions[4].name = "web-v3-again".to_owned();
        later.executions[4].ended = Some(60_000);
        assert_eq!(rolled_back_means_gone(&later), [], "its last execution is green");
        aftermath.after.services[0].rollout_state = Some("IN_PROGRESS".to_owned());
        assert_eq!(rolled_back_means_gone(&aftermath), []);
    }

    #[test]
    fn a_service_back_on_an_image_whose_tasks_crash_is_found_unless_that_is_said_and_no_record_told_of_another() {
        use simulated_ecs::Behaviour::{Good, Once};
        let found = |behaviour, list_is_told: bool, says: &str| {
            let mut aftermath = calm();
            aftermath.pushes[1].behaviour = Some(behaviour);
            let message = format!("web in north did not become stable on web:4: it crashed. It is back on web:3{says}");
            aftermath.executions[3] = red(3, "Deploy.RolledBack", &message);
            aftermath.calls.push(Call {
                operation: "ListServiceDeployments".to_owned(),
                at: 31_000,
                applied: list_is_told,
                ..update(3, 3)
            });
            rolled_back_means_gone(&aftermath).len()
        };
        let has_image = ", which was stable before but has the image too. Push again";
        assert_eq!(found(Once, false, has_image), 0);
        assert_eq!(found(Once, true, has_image), 1, "the records told of web:2");
        assert_eq!(found(Good, false, has_image), 1, "no task of it crashes");
        assert_eq!(found(Once, false, " and stable. Push again"), 1);
    }

    #[test]
    fn an_execution_that_says_that_its_service_was_deleted_is_found_unless_that_is_gone() {
        let mut aftermath = calm();
        aftermath.executions[3].output = Some(json!({"outcome": "SERVICE_DELETED"}));
        assert_eq!(deleted_means_gone(&aftermath).len(), 1);
        aftermath.after.services[0].status = "INACTIVE".to_owned();
        assert_eq!(deleted_means_gone(&aftermath), []);
        assert_eq!(deleted_means_gone(&calm()), []);
    }

    #[test]
    fn an_execution_that_says_deployed_before_its_rollout_has_completed_or_though_it_failed_is_found() {
        let mut early = calm();
        early.after.services[0].history[2].finished_at = Some(36_000);
        assert_eq!(deployed_means_completed(&early).len(), 1);
        let mut never = calm();
        never.after.services[0].history[2].finished_at = None;
        assert_eq!(deployed_means_completed(&never).len(), 1);
        for status in ["ROLLBACK_SUCCESSFUL", "STOPPED", "IN_PROGRESS"] {
            let mut failed = calm();
            failed.after.services[0].history[2].status = status.to_owned();
            assert_eq!(deployed_means_completed(&failed).len(), 1, "{status}");
        }
        let mut other = calm();
        other.after.services[0].history[2].task_definition = "task-definition/web:1".to_owned();
        assert_eq!(deployed_means_completed(&other).len(), 1);
    }
}
