//! A rollout that a lifecycle hook has ended is told so.

use super::Violation;
use crate::aftermath::{Aftermath, Call, Deployment, Execution, Service, short};

const TOLD: &str = "what a lifecycle hook has taken back is told so";

/// The operations without which nothing is known of a hook.
const RECORDS: [&str; 3] = [
    "ListServiceDeployments",
    "DescribeServiceRevisions",
    "DescribeServiceDeployments",
];

/// Where ECS went back since a hook failed, or was not over in time, the execution that was watching the rollout names the hook.
///
/// Nothing is asked of a rollout of others, or with an image that is not good or was archived, or during which others did something: there may be
/// another reason. Nor where ECS kept any of its records to itself in this storm.
pub(super) fn what_a_hook_has_ended_is_told(aftermath: &Aftermath) -> Vec<Violation> {
    let mut records = aftermath
        .calls
        .iter()
        .filter(|call| RECORDS.contains(&call.operation.as_str()));
    if records.any(Call::tells_nothing) {
        return Vec::new();
    }
    let services = aftermath.after.services.iter();
    services.flat_map(|service| untold(aftermath, service)).collect()
}

fn untold(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    let id = service.id();
    let ours = service.history.iter().filter(|rollout| {
        let revision = aftermath.after.revision(&rollout.task_definition);
        rollout.was_ended_by_a_hook()
            && !aftermath.is_of_others(&id, rollout)
            && revision.is_some_and(|revision| !revision.images().any(|image| aftermath.is_bad(image)))
            && !aftermath.lost_an_image(service, rollout)
    });
    let wrong = ours.flat_map(|rollout| {
        let watching = aftermath
            .executions_of(&id)
            .filter(|it| is_watching(aftermath, it, rollout));
        let silent = watching.filter(|it| {
            let message = it.message.as_deref().unwrap_or_default();
            let mut deeds = aftermath.deeds_on(&id);
            let is_of_others = deeds.any(|deed| (it.started..=it.ended.unwrap_or(i64::MAX)).contains(&deed.at));
            !message.contains("lifecycle hook") && !is_of_others
        });
        silent.map(|it| {
            let (revision, hooks) = (short(&rollout.task_definition), &rollout.lifecycle_hooks);
            let what = format!(
                "{revision} was ended by {hooks:?}, and {:?} does not say so",
                it.message
            );
            Violation::of_execution(TOLD, it, what)
        })
    });
    wrong.collect()
}

/// True if an execution of the push that a rollout was begun for has told that it was rolled back, and was there from its begin to
/// its end.
fn is_watching(aftermath: &Aftermath, execution: &Execution, rollout: &Deployment) -> bool {
    let revision = aftermath.after.revision(&rollout.task_definition);
    let made_for = revision.map_or_else(Vec::new, |revision| aftermath.made_for(revision));
    let is_of_it = made_for.iter().any(|(_, push)| execution.push.as_ref() == Some(push));
    let was_there = execution.started <= rollout.created_at
        && rollout
            .finished_at
            .is_some_and(|at| execution.ended.is_some_and(|ended| at <= ended));
    is_of_it && was_there && execution.error.as_deref() == Some("Deploy.RolledBack")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{REPOSITORY, digest, rolled_back, update};
    use super::*;
    use crate::aftermath::{Archived, Hook};
    use simulated_ecs::Behaviour;

    fn ended_by(status: &str, timeout_action: &str, message: &str) -> Aftermath {
        let mut aftermath = rolled_back();
        aftermath.pushes[1].behaviour = Some(Behaviour::Good);
        let service = &mut aftermath.after.services[0];
        service.history.truncate(3);
        let rollout = &mut service.history[2];
        rollout.status = "ROLLBACK_SUCCESSFUL".to_owned();
        rollout.lifecycle_hooks.push(Hook {
            target_type: "PAUSE".to_owned(),
            status: status.to_owned(),
            timeout_action: timeout_action.to_owned(),
        });
        let red = aftermath
            .executions
            .iter_mut()
            .find(|it| it.service.is_some() && it.is_red());
        red.unwrap().message = Some(message.to_owned());
        aftermath
    }

    #[test]
    fn a_red_execution_that_is_silent_about_the_hook_is_found() {
        let found = |aftermath: &Aftermath| what_a_hook_has_ended_is_told(aftermath).len();
        assert_eq!(
            found(&ended_by("TIMED_OUT", "ROLLBACK", "web in north did not become stable")),
            1
        );
        assert_eq!(
            found(&ended_by("FAILED", "ROLLBACK", "web in north did not become stable")),
            1
        );
        assert_eq!(
            found(&ended_by("TIMED_OUT", "ROLLBACK", "nobody continued lifecycle hook x")),
            0
        );
        assert_eq!(found(&ended_by("TIMED_OUT", "CONTINUE", "not this one")), 0);
        assert_eq!(found(&ended_by("SUCCEEDED", "ROLLBACK", "not this one")), 0);
        let mut untold = ended_by("FAILED", "ROLLBACK", "silent");
        untold.calls.push(Call {
            operation: "DescribeServiceDeployments".to_owned(),
            applied: false,
            ..update(3, 3)
        });
        assert_eq!(found(&untold), 0, "ECS did not tell us either");
        let mut bad = ended_by("FAILED", "ROLLBACK", "silent");
        bad.pushes[1].behaviour = Some(Behaviour::Crash);
        assert_eq!(found(&bad), 0, "there may be another reason");
        let mut lost = ended_by("FAILED", "ROLLBACK", "silent");
        lost.archived.push(Archived {
            at: 0,
            repository: REPOSITORY.to_owned(),
            digest: digest(3),
        });
        assert_eq!(found(&lost), 0, "there may be another reason");
    }
}
