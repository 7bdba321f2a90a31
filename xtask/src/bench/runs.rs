//! Runs are repetitions of one measurement, each on an account of its own.

use super::account::{Calls, levels};
use super::table::{Spread, numbers};
use std::time::Duration;

/// One repetition.
pub(crate) struct Run {
    pub(crate) time: Duration,
    pub(crate) calls: Calls,
}

/// Repetitions, never none, the fastest first.
pub(crate) struct Runs(Vec<Run>);

impl Runs {
    pub(crate) fn of(mut runs: Vec<Run>) -> Self {
        runs.sort_by_key(|run| run.time);
        Self(runs)
    }

    pub(crate) fn times(&self) -> Spread {
        let times: Vec<Duration> = self.0.iter().map(|run| run.time).collect();
        Spread::of(&times)
    }

    /// The calls of the run that took the median time.
    pub(crate) fn calls(&self) -> Calls {
        let median = self.0.get(self.0.len() / 2);
        median.map(|run| run.calls.clone()).unwrap_or_default()
    }

    /// How many calls there were: one number, or several where the runs differ.
    pub(crate) fn totals(&self) -> String {
        numbers(self.0.iter().map(|run| run.calls.total()).collect())
    }

    /// The same of those that were throttled.
    pub(crate) fn throttled(&self) -> String {
        numbers(self.0.iter().map(|run| run.calls.throttled()).collect())
    }

    /// How low each bucket was in any run.
    pub(crate) fn levels(&self) -> String {
        let runs: Vec<&Calls> = self.0.iter().map(|run| &run.calls).collect();
        levels(&runs)
    }
}
