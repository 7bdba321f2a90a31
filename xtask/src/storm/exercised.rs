//! What of the rules about stages a storm exercised, counted: so that one in which none of it happened is seen to be one.

use super::aftermath::{Aftermath, Execution};
use std::fmt;
use std::ops::AddAssign;

/// Each rule, and how often it decided something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exercised([(&'static str, u64); 4]);

impl Exercised {
    /// Nothing yet.
    pub(crate) const NONE: Self = Self([
        ("services skipped by tag", 0),
        ("on hold", 0),
        ("of a lower version", 0),
        ("of no stage", 0),
    ]);

    /// Counts what a storm exercised.
    pub(crate) fn by(aftermath: &Aftermath) -> Self {
        let mut exercised = Self::NONE;
        for execution in &aftermath.executions {
            exercised += Self::NONE.counting([
                skipped(execution, &["TAG_NOT_TAKEN"]),
                skipped(execution, &["ON_HOLD"]),
                skipped(execution, &["LOWER_VERSION"]),
                skipped(execution, &["NO_STAGE", "STAGE_OFF", "UNKNOWN_STAGE"]),
            ]);
        }
        exercised
    }

    fn counting(mut self, counts: [u64; 4]) -> Self {
        for ((_, known), count) in self.0.iter_mut().zip(counts) {
            *known += count;
        }
        self
    }

    /// The rules that decided nothing.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let none = self.0.iter().filter(|(_, count)| *count == 0);
        none.map(|(rule, _)| *rule).collect()
    }
}

fn skipped(execution: &Execution, reasons: &[&str]) -> u64 {
    let skipped = execution.found.as_ref().map(|found| &found.skipped);
    let of_reasons = reasons.iter().filter_map(|reason| skipped?.get(*reason));
    of_reasons.sum()
}

impl AddAssign for Exercised {
    fn add_assign(&mut self, other: Self) {
        *self = self.counting(other.0.map(|(_, count)| count));
    }
}

impl fmt::Display for Exercised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.0.iter().map(|(rule, count)| format!("{count} {rule}")).collect();
        formatter.write_str(&counts.join(", "))
    }
}
