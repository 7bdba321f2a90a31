//! The newer push wins.

use super::Violation;
use super::permits::{may_move, reads};
use crate::aftermath::{
    Aftermath, Deed, Deployment, Execution, Pushed, Revision, Service, StoppedTask, repository_of, short,
};
use crate::push::PushId;
use serde_json::{Map, Value};
use simulated_ecs::Behaviour;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

const NEWEST: &str = "no service is below the newest push that succeeded for it";
const GOOD: &str = "the newest push of a repository is not rolled back where its image is good";

/// The hosts of each cluster of a storm.
const HOSTS: u32 = 3;

/// For each repository, a service is on the newest push that succeeded for it, or on a newer one. The order of pushes is
/// that of the pushes themselves, which the revisions carry in their tags.
///
/// A push has succeeded for a service when the last of its executions for the service said so: after a duplicate event, the
/// second execution may find what became of it later. A service that somebody else moved to a revision since its last rollout
/// of that push completed is where he put it. And a push that the service never ran without one of another repository goes back with that
/// one, when its red execution says so.
pub(super) fn no_service_is_below_its_newest_success(aftermath: &Aftermath) -> Vec<Violation> {
    let services = aftermath.after.services.iter();
    let ours = services.filter(|service| service.is_active() && service.is_deployed_by_ecs());
    ours.flat_map(|service| below(aftermath, service)).collect()
}

fn below(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    let id = service.id();
    let Some(on) = aftermath.after.revision(&service.task_definition) else {
        return vec![Violation::of_service(
            NEWEST,
            id,
            format!("there is no revision {}", service.task_definition),
        )];
    };
    let mut newest: BTreeMap<&str, (&PushId, &Execution)> = BTreeMap::new();
    for (push, execution) in last_executions(aftermath, service) {
        let repository = execution.image.split(':').next().unwrap_or_default();
        if execution.says_deployed() && newest.get(repository).is_none_or(|(known, _)| *known < push) {
            newest.insert(repository, (push, execution));
        }
    }
    let missed = newest.into_iter().filter(|(repository, (push, execution))| {
        let is_there = on.push_of(repository).is_some_and(|now| now >= **push);
        let completed = service.history.iter().rfind(|rollout| {
            let revision = aftermath.after.revision(&rollout.task_definition);
            rollout.status == "SUCCESSFUL" && revision.and_then(|it| it.push_of(repository)).as_ref() == Some(push)
        });
        let since = completed.and_then(|rollout| rollout.finished_at);
        let since = since.unwrap_or(execution.started);
        // A deployment that is only forced is one of the revision that the service is on.
        let moves = |deed: &Deed| deed.request.get("taskDefinition").is_some() && deed.at >= since;
        !is_there
            && !aftermath.deeds_on(&id).any(moves)
            && !goes_back_with_another(aftermath, service, repository, push)
    });
    missed
        .map(|(_, (push, execution))| {
            let on = short(&service.task_definition);
            let what = format!(
                "it is on {on}, which is older than {} ({push}), which succeeded",
                execution.image
            );
            Violation {
                execution: Some(execution.name.clone()),
                ..Violation::of_service(NEWEST, service.id(), what)
            }
        })
        .collect()
}

/// True if the service never completed a rollout of this push without one of another repository that was rolled back.
pub(super) fn goes_back_with_another(
    aftermath: &Aftermath,
    service: &Service,
    repository: &str,
    push: &PushId,
) -> bool {
    let id = service.id();
    let red = aftermath
        .executions_of(&id)
        .filter(|it| it.error.as_deref() == Some("Deploy.RolledBack"));
    let mut others = red
        .filter(|it| it.image.split(':').next() != Some(repository))
        .filter_map(|it| it.push.clone());
    let completed = service.history.iter().filter(|rollout| rollout.status == "SUCCESSFUL");
    let revisions = completed.filter_map(|rollout| aftermath.after.revision(&rollout.task_definition));
    let with_it: Vec<_> = revisions
        .filter(|revision| revision.push_of(repository).as_ref() == Some(push))
        .collect();
    others.any(|other| {
        with_it
            .iter()
            .all(|revision| revision.pushes().any(|(_, recorded)| recorded == other))
    })
}

/// For each push, the execution for this service that ended last.
fn last_executions<'a>(aftermath: &'a Aftermath, service: &Service) -> BTreeMap<&'a PushId, &'a Execution> {
    let id = service.id();
    let mut last: BTreeMap<&PushId, &Execution> = BTreeMap::new();
    for execution in aftermath
        .executions
        .iter()
        .filter(|it| it.service.as_ref() == Some(&id))
    {
        let Some(push) = &execution.push else { continue };
        if last.get(push).is_none_or(|known| known.ended <= execution.ended) {
            last.insert(push, execution);
        }
    }
    last
}

/// The execution of the newest push of a repository does not say that it was rolled back, or not even that, where its image is
/// good. Unless, since the push first came to the service, under whichever of its tags,
///
/// - somebody else did something to the service: what comes of that is his, also that ours failed with it;
/// - from our first rollout on, a revision with an image that is not good was rolled out: beside ours in one revision it fails
///   both, and after ours it is taken back to where the service was before, which may be before ours. Whatever went on until then
///   is no reason: ours replaces it. Nor is that its tasks end well, if tasks of the good revision before had ended so;
/// - from our first rollout on, a revision was rolled out of which somebody archived an image;
/// - a lifecycle hook of a rollout failed, was not over in time, or somebody chose there to go back. That a hook took long is no
///   reason.
///
/// Nor where somebody has asked for more tasks than there are hosts, of which each takes a port of its own: nothing could be stable
/// then. Nor where the tasks of the service ended well, nothing tells of a revision that was good before, and the execution says so.
///
/// A service that is gone is gone. That AWS was slow, throttled or did not answer is no reason, and none of the services of a
/// storm is set up so that nothing could be rolled out on it. (A push that no permit lets come to the service is none for it.)
pub(super) fn no_good_newest_push_is_rolled_back(aftermath: &Aftermath) -> Vec<Violation> {
    let ends = aftermath.redriven.iter().chain(&aftermath.executions);
    let rolled_back =
        ends.filter(|it| matches!(it.error.as_deref(), Some("Deploy.RolledBack" | "Deploy.RollBackFailed")));
    let wrong = rolled_back.filter_map(|execution| {
        let push = newest_of(aftermath, execution)?;
        let service = aftermath.after.service(execution.service.as_ref()?)?;
        let is_wrong = service.is_active() && push.runs() && !is_explained(aftermath, service, execution, push);
        is_wrong.then(|| {
            let message = execution.message.as_deref().unwrap_or_default();
            Violation::of_execution(GOOD, execution, message)
        })
    });
    wrong.collect()
}

/// The push of an execution, if it is the newest one of its repository that could come to the service.
fn newest_of<'a>(aftermath: &'a Aftermath, execution: &Execution) -> Option<&'a Pushed> {
    let repository = execution.image.split(':').next()?;
    let id = execution.service.as_ref()?;
    // One that nobody told of yet may come.
    let comes = |push: &&Pushed| {
        let is_unknown = reads(aftermath, repository, &push.id).next().is_none();
        is_unknown && push.tag != "latest" || may_move(aftermath, id, repository, &push.id)
    };
    let pushes = aftermath.pushes.iter();
    let of_repository = pushes.filter(|push| push.repository == repository).filter(comes);
    of_repository
        .max_by_key(|push| &push.id)
        .filter(|newest| execution.push.as_ref() == Some(&newest.id))
}

fn is_explained(aftermath: &Aftermath, service: &Service, execution: &Execution, push: &Pushed) -> bool {
    let id = service.id();
    let until = execution.ended.unwrap_or(i64::MAX);
    // One digest is one rollout, under whichever of its tags that began.
    let same = aftermath
        .pushes
        .iter()
        .filter(|other| (&other.repository, &other.digest) == (&push.repository, &push.digest));
    let same: Vec<&PushId> = same.map(|other| &other.id).collect();
    let is_same = |id: &Option<PushId>| id.as_ref().is_some_and(|id| same.contains(&id));
    let of_digest = aftermath.executions_of(&id).filter(|it| is_same(&it.push));
    let since = of_digest.map(|it| it.started).min().unwrap_or(execution.started);
    let during = since..=until;
    if aftermath.deeds_on(&id).any(|deed| during.contains(&deed.at)) {
        return true;
    }
    if has_no_room(aftermath, service) || may_wait_unseen(aftermath, service, &during) {
        return true;
    }
    let message = execution.message.as_deref().unwrap_or_default();
    let first = service.history.first();
    let first = first.and_then(|it| aftermath.after.revision(&it.task_definition));
    let ends_well = first.is_some_and(|first| first.images().any(|image| image.ends_with(":job-v1")));
    if ends_well && message.contains("has no revision that ever became stable") {
        return true;
    }
    let mut at_hooks = service.history.iter().filter(|it| it.was_ended_by_a_hook());
    if at_hooks.any(|it| during.contains(&it.created_at)) {
        return true;
    }
    let revision = |rollout: &Deployment| aftermath.after.revision(&rollout.task_definition);
    let is_ours = |rollout: &&Deployment| is_same(&revision(rollout).and_then(|it| it.push_of(&push.repository)));
    let mut rollouts = service.history.iter().filter(|it| during.contains(&it.created_at));
    let first = rollouts.find(is_ours);
    let mut since_ours = first.into_iter().chain(rollouts);
    since_ours.any(|rollout| {
        let mut images = revision(rollout).into_iter().flat_map(Revision::images);
        images.any(|image| aftermath.is_bad(image))
            || aftermath.lost_an_image(service, rollout)
            || brings_unknown_work(aftermath, service, rollout, since, until)
    })
}

/// True if a rollout of a service may have waited at a lifecycle hook, and ECS told nothing of its rollouts: so not of that either.
fn may_wait_unseen(aftermath: &Aftermath, service: &Service, during: &RangeInclusive<i64>) -> bool {
    let configuration = service.config.get("deploymentConfiguration");
    let hooks = configuration.and_then(|it| it["lifecycleHooks"].as_array());
    let id = service.id();
    let mut calls = aftermath.calls.iter().filter(|call| during.contains(&call.at));
    hooks.is_some_and(|hooks| !hooks.is_empty())
        && calls.any(|call| call.operation == "ListServiceDeployments" && call.is_of(&id) && call.tells_nothing())
}

/// True if a service is to run more tasks than there are hosts, and each takes a port of its host.
fn has_no_room(aftermath: &Aftermath, service: &Service) -> bool {
    let takes_port = |container: &Map<String, Value>| {
        let ports = container.get("portMappings").and_then(Value::as_array);
        let mut ports = ports.into_iter().flatten();
        ports.any(|port| port["hostPort"].as_u64().is_some_and(|port| port > 0))
    };
    let on = aftermath.after.revision(&service.task_definition);
    service.asked_count > HOSTS && on.is_some_and(|on| on.containers().any(takes_port))
}

/// True if the tasks of a rollout end by themselves, and none of the good revision before it had ended so until then, or ECS did not
/// tell which one that was: that this is no crash loop can be told only by those.
fn brings_unknown_work(aftermath: &Aftermath, service: &Service, rollout: &Deployment, since: i64, until: i64) -> bool {
    let id = service.id();
    let mut calls = aftermath.calls.iter().filter(|call| (since..=until).contains(&call.at));
    let has_no_records =
        calls.any(|call| call.operation == "ListServiceDeployments" && call.is_of(&id) && call.tells_nothing());
    let is_work = |image: &str| {
        let tag = image.rsplit(':').next().unwrap_or_default();
        let mut pushes = aftermath
            .pushes
            .iter()
            .filter(|push| repository_of(image) == Some(&push.repository));
        tag.starts_with("job") || pushes.any(|push| push.behaviour == Some(Behaviour::Job))
    };
    let revision = aftermath.after.revision(&rollout.task_definition);
    let before = service
        .history
        .iter()
        .take_while(|it| it.created_at < rollout.created_at);
    let good = before.filter(|it| it.status == "SUCCESSFUL").last();
    let has_ended = |task: &StoppedTask| {
        task.stop_code.as_deref() == Some("EssentialContainerExited")
            && good.is_some_and(|good| task.task_definition == good.task_definition)
            && task.stopped_at.is_some_and(|at| at < until)
    };
    revision.is_some_and(|revision| revision.images().any(is_work))
        && (has_no_records || !service.stopped_tasks.iter().any(has_ended))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, child, deed, digest, red, rolled_back, rollout, tag};
    use super::*;
    use crate::aftermath::{Archived, Call, ResolvedImage};
    use serde_json::json;

    /// The third push, which is good, was rolled back.
    fn wrongly_rolled_back() -> Aftermath {
        let mut aftermath = rolled_back();
        aftermath.pushes[1].behaviour = Some(Behaviour::Good);
        aftermath
    }

    #[test]
    fn a_good_push_is_rolled_back_where_more_tasks_are_asked_for_than_there_are_hosts_with_that_port() {
        for (asked, port, expected) in [(4, 8017, 0), (3, 8017, 1), (4, 0, 1)] {
            let mut aftermath = wrongly_rolled_back();
            let service = &mut aftermath.after.services[0];
            service.asked_count = asked;
            let on = service.task_definition.clone();
            for revision in aftermath
                .after
                .revisions
                .iter_mut()
                .filter(|it| on.ends_with(&it.name()))
            {
                let containers = json!([{"portMappings": [{"containerPort": 80, "hostPort": port}]}]);
                revision.document.insert("containerDefinitions".to_owned(), containers);
            }
            let found = no_good_newest_push_is_rolled_back(&aftermath).len();
            assert_eq!(found, expected, "{asked} {port}");
        }
    }

    #[test]
    fn a_rollout_that_may_have_waited_at_a_hook_of_which_ecs_told_nothing_explains_that_it_was_rolled_back() {
        let found = |hooks: &Value, applied: bool| {
            let mut aftermath = wrongly_rolled_back();
            let configuration = json!({"lifecycleHooks": hooks});
            let config = &mut aftermath.after.services[0].config;
            config.insert("deploymentConfiguration".to_owned(), configuration);
            aftermath.calls.push(Call {
                operation: "ListServiceDeployments".to_owned(),
                at: aftermath.executions[3].started + 1,
                applied,
                ..aftermath.calls[0].clone()
            });
            no_good_newest_push_is_rolled_back(&aftermath).len()
        };
        let pause = json!([{"targetType": "PAUSE"}]);
        assert_eq!(found(&pause, false), 0);
        assert_eq!(found(&pause, true), 1, "ECS told of them");
        assert_eq!(found(&json!([]), false), 1);
    }

    #[test]
    fn a_good_newest_push_that_was_rolled_back_is_found() {
        assert_eq!(no_good_newest_push_is_rolled_back(&rolled_back()), [], "it is bad");
        assert_eq!(no_good_newest_push_is_rolled_back(&wrongly_rolled_back()).len(), 1);
        let mut failed = wrongly_rolled_back();
        failed.executions[3].error = Some("Deploy.RollBackFailed".to_owned());
        assert_eq!(no_good_newest_push_is_rolled_back(&failed).len(), 1);
        let mut gone = wrongly_rolled_back();
        gone.after.services[0].status = "INACTIVE".to_owned();
        assert_eq!(no_good_newest_push_is_rolled_back(&gone), []);
        let mut older = wrongly_rolled_back();
        let mut newer = older.pushes[1].clone();
        newer.id = super::super::sample::push(4);
        older.pushes.push(newer);
        assert_eq!(no_good_newest_push_is_rolled_back(&older), [], "it is not the newest");
        older.pushes[2].tag = "latest".to_owned();
        assert_eq!(no_good_newest_push_is_rolled_back(&older).len(), 1);
        let mut redriven = wrongly_rolled_back();
        let first_end = std::mem::replace(&mut redriven.executions[3], child(3));
        redriven.redriven.push(first_end);
        assert_eq!(no_good_newest_push_is_rolled_back(&redriven).len(), 1);
    }

    #[test]
    fn a_rollout_that_another_tag_of_the_image_began_explains_that_it_was_rolled_back() {
        let found = |digest_of_newest: u32| {
            let mut aftermath = wrongly_rolled_back();
            aftermath.pushes[1].behaviour = Some(Behaviour::Job);
            let newest = super::super::sample::push(4);
            aftermath.pushes.push(Pushed {
                tag: "main".to_owned(),
                digest: digest(digest_of_newest),
                id: newest.clone(),
                ..aftermath.pushes[1].clone()
            });
            aftermath.executions.push(Execution {
                push: Some(newest),
                started: aftermath.after.services[0].history[2].created_at + 1_000,
                ..red(4, "Deploy.RolledBack", ROLLED_BACK)
            });
            no_good_newest_push_is_rolled_back(&aftermath).len()
        };
        assert_eq!(found(3), 0);
        assert_eq!(found(4), 1, "another image");
    }

    #[test]
    fn where_work_ends_well_and_nothing_tells_of_a_good_revision_its_end_explains_the_failure_if_that_is_said() {
        let found = |image: &str, message: &str| {
            let mut aftermath = wrongly_rolled_back();
            aftermath.after.revisions[0].document["containerDefinitions"][0]["image"] = image.into();
            aftermath.executions[3].message = Some(message.to_owned());
            no_good_newest_push_is_rolled_back(&aftermath).len()
        };
        let job = "1.dkr.ecr.us-east-1.amazonaws.com/shop/app:job-v1";
        let says = "web in production has no revision that ever became stable, so there is nothing to go back to";
        assert_eq!(found(job, says), 0);
        assert_eq!(found(job, "it is back on web:1 and stable"), 1);
        assert_eq!(found("1.dkr.ecr.us-east-1.amazonaws.com/shop/app:v1", says), 1);
    }

    #[test]
    fn what_somebody_did_meanwhile_explains_that_a_good_push_was_rolled_back() {
        let found = |at| {
            let mut aftermath = wrongly_rolled_back();
            aftermath.others.push(deed(at, &json!({"taskDefinition": "web:1"})));
            no_good_newest_push_is_rolled_back(&aftermath).len()
        };
        assert_eq!([30_999, 31_000, 35_000, 35_001].map(found), [1, 0, 0, 1]);
    }

    #[test]
    fn a_bad_image_beside_a_good_push_or_after_it_explains_that_it_was_rolled_back() {
        let with_sidecar = |behaviour, revision: u32, rollout_of: u32| {
            let mut aftermath = wrongly_rolled_back();
            let mut pushed = aftermath.pushes[0].clone();
            (pushed.repository, pushed.behaviour) = ("ops/log".to_owned(), Some(behaviour));
            pushed.tag = "v9".to_owned();
            aftermath.pushes.push(pushed);
            let image = "1.dkr.ecr.us-east-1.amazonaws.com/ops/log:v9";
            let place = revision as usize - 1;
            aftermath.after.revisions[place].document["containerDefinitions"][1]["image"] = image.into();
            let mut after = rollout(rollout_of, 3, "STOPPED");
            after.created_at += 1_000;
            aftermath.after.services[0].history.push(after);
            no_good_newest_push_is_rolled_back(&aftermath).len()
        };
        assert_eq!(with_sidecar(Behaviour::Crash, 3, 3), 0, "beside it");
        assert_eq!(with_sidecar(Behaviour::Good, 3, 3), 1);
        assert_eq!(with_sidecar(Behaviour::Crash, 1, 1), 0, "after it");
        let mut before = wrongly_rolled_back();
        before.pushes[0].behaviour = Some(Behaviour::Crash);
        before.after.services[0].history.truncate(3);
        assert_eq!(no_good_newest_push_is_rolled_back(&before).len(), 1, "before it");
    }

    #[test]
    fn an_image_beside_a_good_push_that_was_archived_explains_that_it_was_rolled_back() {
        let found = |at: i64, resolved: Option<u32>, archived: u32| {
            let mut aftermath = wrongly_rolled_back();
            let image = "1.dkr.ecr.us-east-1.amazonaws.com/ops/log:v1";
            let history = &mut aftermath.after.services[0].history;
            for (place, resolved) in [(0, Some(8)), (2, resolved)] {
                history[place].images.push(ResolvedImage {
                    image: image.to_owned(),
                    digest: resolved.map(digest),
                });
            }
            aftermath.archived.push(Archived {
                at,
                repository: "ops/log".to_owned(),
                digest: digest(archived),
            });
            no_good_newest_push_is_rolled_back(&aftermath).len()
        };
        let over = wrongly_rolled_back().after.services[0].history[2].finished_at.unwrap();
        assert_eq!(found(over, Some(8), 8), 0);
        assert_eq!(found(over + 1, Some(8), 8), 1, "the rollout was over");
        assert_eq!(found(over, None, 8), 0, "not found any more");
        assert_eq!(found(over, Some(9), 8), 1, "another image");
        assert_eq!(found(over, None, 9), 1, "another image");
    }

    fn on(revision: u32) -> Aftermath {
        let mut aftermath = calm();
        aftermath.after.services[0].task_definition = format!("task-definition/web:{revision}");
        aftermath
    }

    #[test]
    fn a_service_on_an_older_push_than_one_that_succeeded_or_on_none_is_found() {
        for revision in [1, 2, 9] {
            assert_eq!(
                no_service_is_below_its_newest_success(&on(revision)).len(),
                1,
                "web:{revision}"
            );
        }
        assert_eq!(no_service_is_below_its_newest_success(&on(3)), []);
    }

    #[test]
    fn what_arrived_later_is_not_what_is_newer() {
        let mut aftermath = on(2);
        // The second push's execution began and ended after the third's.
        aftermath.executions[1].started = 90_000;
        aftermath.executions[1].ended = Some(95_000);
        assert_eq!(no_service_is_below_its_newest_success(&aftermath).len(), 1);
    }

    #[test]
    fn a_push_that_failed_does_not_count_and_going_back_too_far_is_found() {
        assert_eq!(no_service_is_below_its_newest_success(&rolled_back()), []);
        let mut too_far = rolled_back();
        too_far.after.services[0].task_definition = "task-definition/web:1".to_owned();
        assert_eq!(no_service_is_below_its_newest_success(&too_far).len(), 1);
    }

    #[test]
    fn of_two_executions_of_one_push_the_later_one_says_how_it_ended() {
        let mut aftermath = on(2);
        let mut duplicate = red(3, "Deploy.RolledBack", ROLLED_BACK);
        duplicate.ended = Some(39_000);
        aftermath.executions.push(duplicate);
        assert_eq!(no_service_is_below_its_newest_success(&aftermath), []);
        let mut again = child(3);
        again.ended = Some(40_000);
        aftermath.executions.push(again);
        assert_eq!(no_service_is_below_its_newest_success(&aftermath).len(), 1);
    }

    #[test]
    fn a_push_that_never_ran_alone_goes_back_with_the_other_and_only_then() {
        let mut aftermath = on(2);
        let more = tag("ecr-deploy:push/ops/agent", &super::super::sample::push(4).to_string());
        aftermath.after.revisions[2].tags.push(more);
        let mut other = red(4, "Deploy.RolledBack", ROLLED_BACK);
        other.image = "ops/agent:v4".to_owned();
        aftermath.executions.push(other);
        assert_eq!(no_service_is_below_its_newest_success(&aftermath), []);
        aftermath.after.revisions[2].tags.pop();
        assert_eq!(
            no_service_is_below_its_newest_success(&aftermath).len(),
            1,
            "it ran alone"
        );
    }

    #[test]
    fn only_somebody_who_moved_the_service_since_is_an_excuse() {
        let excused = |at, request| {
            let mut aftermath = on(2);
            aftermath.others.push(deed(at, &request));
            no_service_is_below_its_newest_success(&aftermath).is_empty()
        };
        assert!(excused(50_000, json!({"taskDefinition": "web:2"})));
        assert!(excused(34_000, json!({"taskDefinition": "web:2"})));
        assert!(
            !excused(33_999, json!({"taskDefinition": "web:2"})),
            "before our rollout completed"
        );
        assert!(
            !excused(50_000, json!({"forceNewDeployment": true})),
            "does not move it"
        );
        assert!(!excused(50_000, json!({"desiredCount": 4})), "does not move it");
    }
}
