//! The right image to the right service: stages, holds, and the order of stages.

use super::Violation;
use super::permits::{owners, permit, reads};
use crate::aftermath::{Aftermath, Deployment, Execution, Found, Machine, Recorded, Service, ServiceId, short};
use crate::stages::{Stage, version};
use std::collections::BTreeSet;

const TAKEN: &str = "no service gets an image that its stage does not take or its hold forbids";
const LOWER: &str = "no service gets a lower version than it runs, where its stage takes ranges of versions";

/// - No execution of deploy-service was started for a service whose stage did not take the tag, or that was on hold, when the
///   push's execution looked for services.
/// - No rollout of ours brought a service an image that it had not had before and that no tag of its push could bring it.
///   An image that somebody else rolled out there is one that it has had: it is his choice.
pub(super) fn only_what_a_stage_takes_is_rolled_out(aftermath: &Aftermath) -> Vec<Violation> {
    let children = aftermath.redriven.iter().chain(&aftermath.executions);
    let refused = children.filter_map(|child| {
        let (_, tag) = child.image.split_once(':')?;
        let why = permit(aftermath, child.service.as_ref()?, tag, read_of(aftermath, child)?).refusal()?;
        Some(Violation::of_execution(
            TAKEN,
            child,
            format!("{}, but {why}", child.image),
        ))
    });
    let services = aftermath.after.services.iter();
    refused
        .chain(services.flat_map(|service| not_taken(aftermath, service)))
        .collect()
}

/// When the execution that started one of deploy-service looked for services.
fn read_of<'a>(aftermath: &'a Aftermath, child: &Execution) -> Option<&'a Found> {
    let is_parent = |it: &&Execution| it.machine == Machine::DeployImage && Some(&it.name) == child.parent.as_ref();
    aftermath.executions.iter().find(is_parent)?.found.as_ref()
}

fn not_taken(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    wrongly_brought(aftermath, service, TAKEN, |rollout, push| {
        refusal(aftermath, &service.id(), rollout, push).map(|why| format!(", but {why}"))
    })
}

/// Each rollout of ours that brought a service a push which it had not had, where `wrong` says in words why it should not have.
pub(super) fn wrongly_brought(
    aftermath: &Aftermath,
    service: &Service,
    rule: &'static str,
    wrong: impl Fn(&Deployment, &Recorded<'_>) -> Option<String>,
) -> Vec<Violation> {
    let id = service.id();
    let mut had: BTreeSet<Recorded<'_>> = BTreeSet::new();
    let mut violations = Vec::new();
    for rollout in &service.history {
        let Some(revision) = aftermath.after.revision(&rollout.task_definition) else {
            continue;
        };
        let pushes: BTreeSet<Recorded<'_>> = revision.pushes().collect();
        if !aftermath.is_of_others(&id, rollout) {
            let brought = pushes
                .difference(&had)
                .find_map(|push| Some((push, wrong(rollout, push)?)));
            if let Some(((repository, push), why)) = brought {
                let revision = short(&rollout.task_definition);
                let what = format!("{revision} brought it {repository} {push}{why}");
                violations.push(Violation::of_service(rule, id.clone(), what));
            }
        }
        had.extend(pushes);
    }
    violations
}

/// Why no tag of a push could bring a service its image by then, if so.
fn refusal(
    aftermath: &Aftermath,
    id: &ServiceId,
    rollout: &Deployment,
    (repository, push): &Recorded<'_>,
) -> Option<String> {
    let mut why = "no execution of the push had read".to_owned();
    for (_, tag, found) in reads(aftermath, repository, push).filter(|(_, _, found)| found.from <= rollout.created_at) {
        why = permit(aftermath, id, tag, found).refusal()?;
    }
    Some(why)
}

/// No execution of deploy-service was started for a version that is lower than the one that the service had been running,
/// complete and without another rollout, since before the push's execution read, where all stages that may have owned
/// it take the tag by a range.
pub(super) fn no_version_is_lowered(aftermath: &Aftermath) -> Vec<Violation> {
    let children = aftermath.redriven.iter().chain(&aftermath.executions);
    let wrong = children.filter_map(|child| {
        let id = child.service.as_ref()?;
        let (repository, tag) = child.image.split_once(':')?;
        let found = read_of(aftermath, child)?;
        let by_version = |stage: Option<&Stage>| stage.is_some_and(|it| it.takes_by_version(tag));
        if !owners(aftermath, id, found).into_iter().all(by_version) {
            return None;
        }
        let on = settled_on(aftermath.after.service(id)?, found)?;
        let running = aftermath.after.revision(&on.task_definition)?;
        let higher = running
            .tags_of(repository)
            .find(|running| version(running) > version(tag))?;
        let what = format!("{} was planned though {higher} ran, on {}", child.image, running.name());
        Some(Violation::of_execution(LOWER, child, what))
    });
    wrong.collect()
}

/// The rollout that a service had completed before an execution read, if no other began until it had read.
fn settled_on<'a>(service: &'a Service, found: &Found) -> Option<&'a Deployment> {
    let last = service.history.iter().rfind(|rollout| rollout.created_at <= found.to)?;
    let is_over = last.status == "SUCCESSFUL" && last.finished_at.is_some_and(|at| at < found.from);
    is_over.then_some(last)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, deed, hold, production, push, rollout, tag, update};
    use super::*;
    use serde_json::json;

    fn found(aftermath: &Aftermath) -> usize {
        only_what_a_stage_takes_is_rolled_out(aftermath).len()
    }

    #[test]
    fn an_execution_and_a_rollout_for_a_tag_that_the_stage_does_not_take_are_found() {
        let taking = |tags: &[&str]| {
            let mut aftermath = calm();
            production(&mut aftermath, tags);
            aftermath
        };
        assert_eq!(found(&calm()), 0, "without stages");
        assert_eq!(found(&taking(&["v*"])), 0);
        assert_eq!(found(&taking(&["v2"])), 2);
        let mut only_rolled_out = taking(&["v2"]);
        only_rolled_out
            .executions
            .retain(|it| it.image != "shop/web:v3" || it.service.is_none());
        assert_eq!(found(&only_rolled_out), 1);
        let mut only_started = taking(&["v2"]);
        only_started.after.services[0].history.pop();
        assert_eq!(found(&only_started), 1);
    }

    #[test]
    fn an_execution_and_a_rollout_for_a_service_that_was_on_hold_are_found() {
        let held = |set, lifted| {
            let mut aftermath = calm();
            hold(&mut aftermath, set, lifted);
            found(&aftermath)
        };
        assert_eq!(held(21_100, None), 2);
        assert_eq!(held(21_100, Some(50_000)), 2);
        assert_eq!(held(31_100, None), 0, "set after the read");
    }

    #[test]
    fn another_tag_of_the_same_image_is_as_good_and_so_is_what_somebody_else_brought() {
        let mut other_tag = super::super::sample::under_two_tags(calm()).with_one_id_for_each_push();
        production(&mut other_tag, &["v2", "main"]);
        other_tag.executions.remove(3);
        assert_eq!(found(&other_tag), 0);

        let mut by_hand = calm();
        production(&mut by_hand, &["v2"]);
        by_hand.executions.truncate(3);
        by_hand.calls.pop();
        by_hand.others.push(deed(32_000, &json!({"taskDefinition": "web:3"})));
        assert_eq!(found(&by_hand), 0);
        let mut more = by_hand.after.revisions[2].clone();
        more.number = 4;
        by_hand.after.revisions.push(more);
        by_hand.after.services[0].history.push(rollout(4, 4, "SUCCESSFUL"));
        by_hand.calls.push(update(4, 4));
        assert_eq!(found(&by_hand), 0, "what is built on it keeps it");
        let strange = tag("ecr-deploy:push/ops/agent", &push(9).to_string());
        by_hand.after.revisions[3].tags.push(strange);
        assert_eq!(found(&by_hand), 1, "but a push that nobody looked for");
    }

    #[test]
    fn a_lower_version_that_is_planned_is_found_where_it_is_certain_that_a_higher_one_ran() {
        let mut aftermath = calm();
        production(&mut aftermath, &["semver:*"]);
        let versioned = |aftermath: &mut Aftermath, [second, third]: [&str; 2]| {
            let image = format!("1.dkr.ecr.us-east-1.amazonaws.com/shop/web:{second}");
            aftermath.after.revisions[1].document["containerDefinitions"][0]["image"] = image.into();
            aftermath.executions[2].image = format!("shop/web:{third}");
            aftermath.executions[3].image = format!("shop/web:{third}");
        };
        versioned(&mut aftermath, ["v1.2.0", "v1.10.0"]);
        assert_eq!(no_version_is_lowered(&aftermath), []);
        versioned(&mut aftermath, ["v1.2.0", "v1.1.9"]);
        assert_eq!(no_version_is_lowered(&aftermath).len(), 1);
        let mut by_name = aftermath.clone();
        production(&mut by_name, &["v*"]);
        assert_eq!(no_version_is_lowered(&by_name), []);
        let mut not_over = aftermath.clone();
        not_over.after.services[0].history[1].finished_at = Some(30_000);
        assert_eq!(no_version_is_lowered(&not_over), []);
        aftermath.after.services[0].history[1].status = "STOPPED".to_owned();
        assert_eq!(no_version_is_lowered(&aftermath), []);
    }
}
