//! End to end, whatever ECS does: the real state machines and functions against the simulated ECS, which
//! has the service deployments, the rollbacks and the weather that no other stand-in has.
//!
//! The scenarios share one simulation and one stack; each has its own cluster, repositories and families, and weather
//! that meets only its own calls. They wait most of the time, so that many run at once, whatever the processors:
//! `--test-threads` says how many.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot go on has failed")]

mod contents;
mod faults;
mod going_back;
mod hooks;
mod peers;
mod pushes;
mod redrive;
mod repetition;
mod stages;
mod support;
mod swept;
mod told;
mod upgrade;
mod verdicts;
mod waves;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(support::AT_ONCE);
    let scenarios = [
        peers::SCENARIOS,
        pushes::SCENARIOS,
        verdicts::SCENARIOS,
        contents::SCENARIOS,
        faults::SCENARIOS,
        going_back::SCENARIOS,
        hooks::SCENARIOS,
        redrive::SCENARIOS,
        repetition::SCENARIOS,
        stages::SCENARIOS,
        swept::SCENARIOS,
        told::SCENARIOS,
        upgrade::SCENARIOS,
        waves::SCENARIOS,
    ]
    .concat();
    let trial = |(name, scenario): (&'static str, fn())| {
        Trial::test(name.trim_start_matches("simulated::"), move || {
            scenario();
            Ok(())
        })
    };
    libtest_mimic::run(&arguments, scenarios.into_iter().map(trial).collect()).exit_code()
}
