//! The invariants: what holds after every storm. Each is a function from an aftermath to what breaks it.

mod archived;
mod ended;
mod ends;
mod errors;
mod hooks;
mod leaks;
mod moves;
mod newest;
mod one_at_a_time;
mod one_digest;
mod order;
mod permits;
mod rate;
mod reads;
mod rollbacks;
mod stable;
mod stages;
mod superseded;
mod sweeps;
mod untouched;
mod winners;

#[cfg(test)]
mod sample;

use super::aftermath::{Aftermath, ServiceId};
use std::fmt;

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Which invariant it breaks, in words.
    pub(crate) invariant: &'static str,
    /// The service it is about.
    pub(crate) service: Option<ServiceId>,
    /// The name of the execution it is about.
    pub(crate) execution: Option<String>,
    /// The finding.
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VIOLATED {}", self.invariant)?;
        if let Some(service) = &self.service {
            write!(formatter, ": {service}")?;
        }
        if let Some(execution) = &self.execution {
            write!(formatter, ": execution {execution}")?;
        }
        write!(formatter, ": {}", self.what)
    }
}

impl Violation {
    fn of_service(invariant: &'static str, service: ServiceId, what: impl Into<String>) -> Self {
        Self {
            invariant,
            service: Some(service),
            execution: None,
            what: what.into(),
        }
    }

    fn of_execution(invariant: &'static str, execution: &super::aftermath::Execution, what: impl Into<String>) -> Self {
        Self {
            invariant,
            service: execution.service.clone(),
            execution: Some(execution.name.clone()),
            what: what.into(),
        }
    }

    fn general(invariant: &'static str, what: impl Into<String>) -> Self {
        Self {
            invariant,
            service: None,
            execution: None,
            what: what.into(),
        }
    }
}

/// Every invariant.
const INVARIANTS: [fn(&Aftermath) -> Vec<Violation>; 35] = [
    ended::every_execution_ends,
    ended::every_event_is_heard,
    ended::every_deed_is_done,
    stable::nothing_is_left_failing_in_silence,
    stable::deployed_means_completed,
    stable::deployed_means_the_pushed_image_runs,
    stable::rolled_back_means_gone,
    stable::deleted_means_gone,
    ends::what_cannot_run_is_not_deployed,
    ends::thresholds_are_the_services_own,
    ends::an_early_success_is_not_the_end,
    ends::five_deployments_are_waited_for,
    ends::what_cannot_be_launched_says_why,
    newest::no_service_is_below_its_newest_success,
    newest::no_good_newest_push_is_rolled_back,
    archived::nothing_archived_is_started,
    superseded::only_a_newer_push_supersedes,
    superseded::every_push_reaches_its_services,
    untouched::services_keep_what_is_not_ours,
    untouched::others_are_not_undone,
    moves::moves_of_others_stay,
    untouched::revisions_keep_what_is_not_ours,
    leaks::no_revision_leaks,
    errors::every_error_says_what_to_do,
    hooks::what_a_hook_has_ended_is_told,
    one_at_a_time::one_rollout_of_ours_at_a_time,
    one_digest::one_digest_is_rolled_out_once,
    rollbacks::no_rollout_cuts_into_a_rollback,
    stages::only_what_a_stage_takes_is_rolled_out,
    stages::no_version_is_lowered,
    order::a_stage_follows_the_one_before_it,
    sweeps::every_sweep_ends_well,
    sweeps::a_sweep_brings_nothing_back,
    winners::there_is_one_winner,
    rate::nothing_is_lost_to_throttling,
];

/// The violations of all invariants. The tags of one push are one to all of them.
pub(crate) fn judge(aftermath: &Aftermath) -> Vec<Violation> {
    let aftermath = aftermath.with_one_id_for_each_push();
    INVARIANTS.iter().flat_map(|invariant| invariant(&aftermath)).collect()
}

/// Why rollouts of ours were cut short by rollouts of ours, and how often, in words.
pub(crate) fn cut_short(aftermath: &Aftermath) -> String {
    let reasons = one_at_a_time::reasons(&aftermath.with_one_id_for_each_push());
    let told: Vec<String> = reasons.iter().map(|(name, count)| format!("{count} {name}")).collect();
    format!("rollouts of ours that ours cut short: {}", told.join(", "))
}
