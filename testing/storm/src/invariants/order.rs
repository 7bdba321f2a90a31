//! The order of stages: what comes after a stage gets only what that stage has had stable.

use super::Violation;
use super::permits::{owners, permit, reads};
use super::stages::wrongly_brought;
use crate::aftermath::{Aftermath, Deployment, Execution, Found, Recorded, Service, ServiceId};
use crate::stages::Stage;
use std::collections::BTreeSet;

const ORDER: &str = "a stage gets a digest only when the stage it comes after has had it stable";

/// No rollout of ours brings a service of a stage that comes after another one a digest that it has not had before, unless every
/// service of that other stage which runs the repository has completed a rollout of this very digest by then, by ECS's own records;
/// and for as long as the soak lasts, where the same execution deployed both.
///
/// A service that is gone by the end keeps nothing back. One that somebody moves from stage to stage while the execution reads is
/// of neither.
pub(super) fn a_stage_follows_the_one_before_it(aftermath: &Aftermath) -> Vec<Violation> {
    let services = aftermath.after.services.iter();
    services.flat_map(|service| too_early(aftermath, service)).collect()
}

fn too_early(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    wrongly_brought(aftermath, service, ORDER, |rollout, push| {
        kept_back_by(aftermath, &service.id(), rollout, push).map(|late| format!(" before {late} had it"))
    })
}

/// The service of the stage before that should have kept a rollout back, by each execution of the push that may have begun it.
fn kept_back_by(
    aftermath: &Aftermath,
    id: &ServiceId,
    rollout: &Deployment,
    (repository, push): &Recorded<'_>,
) -> Option<ServiceId> {
    let mut late = None;
    for (execution, tag, found) in reads(aftermath, repository, push) {
        if found.from > rollout.created_at || permit(aftermath, id, tag, found).is_refused() {
            continue;
        }
        let before = stage_before(aftermath, id, found)?;
        let is_there = |other: &&Service| aftermath.after.service(&other.id()).is_some_and(Service::is_active);
        let mut all = services_of(aftermath, before, repository, found).filter(is_there);
        late = Some(
            all.find(|other| !has_had(aftermath, execution, id, other, rollout, repository))?
                .id(),
        );
    }
    late
}

/// The stage that a service's own stage comes after, if there is no doubt about either.
pub(super) fn stage_before<'a>(aftermath: &'a Aftermath, id: &ServiceId, found: &Found) -> Option<&'a Stage> {
    let of_each = owners(aftermath, id, found);
    let names: BTreeSet<Option<&String>> = of_each
        .iter()
        .map(|stage| stage.and_then(|it| it.after.as_ref()))
        .collect();
    let mut names = names.into_iter();
    let name = names.next().flatten().filter(|_| names.next().is_none())?;
    aftermath.stages().iter().find(|stage| stage.name == *name)
}

/// The services that were certainly of a stage and ran a repository before the storm, also those that are gone by the end.
pub(super) fn services_of<'a>(
    aftermath: &'a Aftermath,
    stage: &'a Stage,
    repository: &'a str,
    found: &'a Found,
) -> impl Iterator<Item = &'a Service> {
    aftermath.before.services.iter().filter(move |service| {
        let id = service.id();
        let runs = aftermath
            .before
            .revision(&service.task_definition)
            .is_some_and(|it| it.runs(repository));
        let is_of_stage = |owner: Option<&Stage>| owner.is_some_and(|it| it.name == stage.name);
        let is_watched = aftermath.is_watched(&service.cluster);
        runs && is_watched && owners(aftermath, &id, found).into_iter().all(is_of_stage)
    })
}

/// True if a service of the stage before had completed a rollout of the digest before another one began; and long enough before
/// it, where both are of one execution.
fn has_had(
    aftermath: &Aftermath,
    execution: &Execution,
    of: &ServiceId,
    other: &Service,
    rollout: &Deployment,
    repository: &str,
) -> bool {
    let revision = |it: &Deployment| aftermath.after.revision(&it.task_definition);
    let digest = |it: &Deployment| revision(it).and_then(|it| it.digest_of(repository));
    let id = other.id();
    let is_child = |child: &&Execution| child.parent.as_ref() == Some(&execution.name);
    let is_of_one_execution =
        aftermath.executions_of(&id).any(|it| is_child(&it)) && aftermath.executions_of(of).any(|it| is_child(&it));
    let stage = execution
        .found
        .as_ref()
        .and_then(|found| owners(aftermath, of, found).into_iter().flatten().next());
    let soak = stage
        .filter(|_| is_of_one_execution)
        .map_or(0, Stage::soak_milliseconds);
    let after = aftermath.after.service(&id);
    let mut history = after.into_iter().flat_map(|service| &service.history);
    history.any(|it| {
        let in_time = it.finished_at.is_some_and(|at| at + soak <= rollout.created_at);
        it.status == "SUCCESSFUL" && in_time && digest(it).is_some() && digest(it) == digest(rollout)
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, deed, digest, in_order, tag};
    use super::*;
    use crate::aftermath::Machine;
    use serde_json::json;

    fn found(change: impl FnOnce(&mut Aftermath)) -> usize {
        let mut aftermath = in_order();
        change(&mut aftermath);
        a_stage_follows_the_one_before_it(&aftermath).len()
    }

    /// The rollout of the third push in the stage before.
    fn before(aftermath: &mut Aftermath) -> &mut Deployment {
        &mut aftermath.after.services[1].history[2]
    }

    #[test]
    fn a_digest_that_comes_before_the_stage_before_has_had_it_stable_is_found() {
        assert_eq!(a_stage_follows_the_one_before_it(&calm()), [], "no order");
        assert_eq!(found(|_| {}), 0);
        assert_eq!(found(|it| before(it).status = "STOPPED".to_owned()), 1);
        assert_eq!(found(|it| before(it).status = "ROLLBACK_SUCCESSFUL".to_owned()), 1);
        assert_eq!(found(|it| before(it).finished_at = None), 1);
        assert_eq!(
            found(|it| drop(it.after.services[1].history.pop())),
            1,
            "it never came there"
        );
        let other_digest = |it: &mut Aftermath| {
            let mut other = it.after.revisions[2].clone();
            other.number = 9;
            let record = other
                .tags
                .iter_mut()
                .find(|tag| tag.key == "ecr-deploy:push/shop/web")
                .unwrap();
            record.value = record.value.replace(&digest(3), &digest(9));
            it.after.revisions.push(other);
            before(it).task_definition = "task-definition/web:9".to_owned();
        };
        assert_eq!(found(other_digest), 1);
        assert_eq!(
            found(|it| it.after.services[1].status = "INACTIVE".to_owned()),
            0,
            "it is gone"
        );
        assert_eq!(found(|it| it.stages[1].after = None), 0);
    }

    #[test]
    fn a_soak_counts_where_one_execution_deployed_both_stages() {
        // It completes in the second 34, and the next stage begins in the second 36.
        assert_eq!(found(|it| before(it).finished_at = Some(35_000)), 0);
        assert_eq!(found(|it| before(it).finished_at = Some(35_001)), 1);
        let promoted = |it: &mut Aftermath| {
            before(it).finished_at = Some(35_999);
            let is_there = |it: &Execution| {
                it.machine == Machine::DeployService
                    && it.image.ends_with(":v3")
                    && it.service.as_ref().unwrap().cluster == "south"
            };
            it.executions.retain(|it| !is_there(it));
        };
        assert_eq!(found(promoted), 0);
    }

    #[test]
    fn what_somebody_else_brought_and_what_was_there_is_not_judged() {
        let by_hand = |it: &mut Aftermath| {
            before(it).status = "STOPPED".to_owned();
            let at = it.after.services[0].history[2].created_at;
            it.calls
                .retain(|call| call.at != at || call.parameter("cluster") != "north");
            it.others.push(deed(at, &json!({"taskDefinition": "web:3"})));
        };
        assert_eq!(found(by_hand), 0);
        let off = |it: &mut Aftermath| {
            before(it).status = "STOPPED".to_owned();
            it.before.services[1].tags = json!([{"key": "ecr-deploy:stage", "value": "off"}]);
        };
        assert_eq!(found(off), 0, "the service before is of no stage");
        let again = |it: &mut Aftermath| {
            before(it).status = "STOPPED".to_owned();
            let push = it.after.revisions[2]
                .tag("ecr-deploy:push/shop/web")
                .unwrap()
                .to_owned();
            it.after.revisions[0].tags.push(tag("ecr-deploy:push/shop/web", &push));
        };
        assert_eq!(found(again), 0, "it has run the digest before the storm");
    }
}
