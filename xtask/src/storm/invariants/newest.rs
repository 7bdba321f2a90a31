//! The newer push wins.

use super::Violation;
use crate::storm::aftermath::{Aftermath, Deed, Execution, Service, short};
use shared::push::PushId;
use std::collections::BTreeMap;

const NEWEST: &str = "no service is below the newest push that succeeded for it";

/// For each repository, a service is on the newest push that succeeded for it, or on a newer one. The order of pushes is
/// that of the pushes themselves, which the revisions carry in their tags.
///
/// A push has succeeded for a service when the last of its executions for the service said so: after a doubled event, the
/// second execution may find what became of it later. A service that somebody else moved since the execution of that push
/// began is where he put it. And a push that the service never ran without one of another repository goes back with that
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
        let moves = |deed: &Deed| {
            let moves =
                deed.request.get("taskDefinition").is_some() || deed.request.get("forceNewDeployment").is_some();
            moves && deed.at >= execution.started
        };
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

/// Whether the service never completed a rollout of this push without one of another repository that was rolled back.
fn goes_back_with_another(aftermath: &Aftermath, service: &Service, repository: &str, push: &PushId) -> bool {
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

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, child, deed, red, rolled_back};
    use super::*;
    use serde_json::json;

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
        let mut doubled = red(3, "Deploy.RolledBack", ROLLED_BACK);
        doubled.ended = Some(39_000);
        aftermath.executions.push(doubled);
        assert_eq!(no_service_is_below_its_newest_success(&aftermath), []);
        let mut again = child(3);
        again.ended = Some(40_000);
        aftermath.executions.push(again);
        assert_eq!(no_service_is_below_its_newest_success(&aftermath).len(), 1);
    }

    #[test]
    fn a_push_that_never_ran_alone_goes_back_with_the_other_and_only_then() {
        let mut aftermath = on(2);
        let tag = super::super::sample::tag("ecr-deploy:push/ops/agent", &super::super::sample::push(4).to_string());
        aftermath.after.revisions[2].tags.push(tag);
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
        assert!(excused(32_500, json!({"forceNewDeployment": true})));
        assert!(!excused(25_000, json!({"taskDefinition": "web:2"})), "before the push");
        assert!(!excused(50_000, json!({"desiredCount": 4})), "does not move it");
    }
}
