//! Sweeps while a storm blows: they deploy what is missed, and nothing that has been on a service before.

use super::Violation;
use crate::aftermath::{Aftermath, Execution, Machine, Service};

const ENDS: &str = "a sweep ends well";
const BACK: &str = "a sweep deploys nothing that was on the service before";

/// No sweep fails, however much is throttled or refused for a while.
pub(super) fn every_sweep_ends_well(aftermath: &Aftermath) -> Vec<Violation> {
    let failed = aftermath.failed_sweeps.iter();
    failed.map(|sweep| Violation::general(ENDS, sweep.clone())).collect()
}

/// A rollout of a push that a sweep began is of an image that the service did not have until then: an image that was there was rolled
/// back since, or replaced by somebody. Also where it is there still, it is not rolled out once more.
pub(super) fn a_sweep_brings_nothing_back(aftermath: &Aftermath) -> Vec<Violation> {
    let executions = aftermath.executions.iter();
    // An operator may want it again.
    let is_redriven = |it: &Execution| aftermath.redriven_at.is_some_and(|at| at <= it.started);
    let by_sweep = executions.filter(|it| it.by_sweep && it.machine == Machine::DeployService && !is_redriven(it));
    let brought = by_sweep.filter_map(|execution| {
        let service = aftermath.after.service(execution.service.as_ref()?)?;
        Some(Violation::of_execution(
            BACK,
            execution,
            brings_back(aftermath, execution, service)?,
        ))
    });
    brought.collect()
}

/// The first rollout of an execution, where the service had its image before.
fn brings_back(aftermath: &Aftermath, execution: &Execution, service: &Service) -> Option<String> {
    let repository = execution.repository();
    let until = execution.ended.unwrap_or(i64::MAX);
    let is_of_push = |place: &usize| {
        let rollout = &service.history[*place];
        let revision = aftermath.after.revision(&rollout.task_definition);
        (execution.started..=until).contains(&rollout.created_at)
            && revision.is_some_and(|it| it.push_of(repository) == execution.push)
            && !aftermath.is_of_others(&service.id(), rollout)
    };
    // Its later ones may be made anew after somebody's change.
    let first = (0..service.history.len()).find(is_of_push)?;
    let digest = service.history[first].digests_of(repository).next()?;
    let earlier = &service.history[..first];
    let had = earlier
        .iter()
        .any(|it| it.digests_of(repository).any(|had| had == digest));
    had.then(|| format!("{repository}@{digest}"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::calm;
    use super::*;

    #[test]
    fn a_sweep_that_failed_is_found() {
        let mut aftermath = calm();
        assert_eq!(every_sweep_ends_well(&aftermath), []);
        aftermath.failed_sweeps = vec!["0a1b (FAILED): no".to_owned()];
        assert_eq!(every_sweep_ends_well(&aftermath).len(), 1);
    }

    #[test]
    fn an_image_that_a_sweep_brings_back_is_found_and_one_that_is_new_is_none() {
        let mut aftermath = calm();
        for execution in &mut aftermath.executions {
            execution.by_sweep = true;
        }
        assert_eq!(a_sweep_brings_nothing_back(&aftermath), []);
        let service = &mut aftermath.after.services[0];
        service.history[0].images = service.history[2].images.clone();
        assert_eq!(a_sweep_brings_nothing_back(&aftermath).len(), 1);
        for execution in &mut aftermath.executions {
            execution.by_sweep = false;
        }
        assert_eq!(a_sweep_brings_nothing_back(&aftermath), []);
    }
}
