//! What of the rules about stages a storm exercised, counted: so that one in which none of it happened is seen to be one.

use super::aftermath::{Aftermath, Execution, Found};
use super::stages::{Owner, Stage, owner};
use std::fmt;
use std::ops::AddAssign;

/// Each rule, and how often it decided something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exercised([(&'static str, u64); 9]);

impl Exercised {
    /// Nothing yet.
    pub(crate) const NONE: Self = Self([
        ("services skipped by tag", 0),
        ("on hold", 0),
        ("of a lower version", 0),
        ("of no stage", 0),
        ("deployed since they ask for it", 0),
        ("not promoted", 0),
        ("promoted by a new tag", 0),
        ("waves after another one", 0),
        ("waves not reached", 0),
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
                u64::from(deployed_in(aftermath, execution).is_some_and(|stage| stage.opt_in)),
                skipped(execution, &["NOT_PROMOTED"]),
                u64::from(is_promoted(aftermath, execution)),
                waves(execution, |found| found.begun.saturating_sub(1)),
                waves(execution, |found| found.waves.saturating_sub(found.begun)),
            ]);
        }
        exercised
    }

    fn counting(mut self, counts: [u64; 9]) -> Self {
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

fn waves(execution: &Execution, count: impl Fn(&Found) -> usize) -> u64 {
    let found = execution.found.as_ref();
    found
        .and_then(|found| u64::try_from(count(found)).ok())
        .unwrap_or_default()
}

/// The stage of the service that an execution deployed to, by the service's tags when it began.
fn deployed_in<'a>(aftermath: &'a Aftermath, execution: &Execution) -> Option<&'a Stage> {
    let service = execution.service.as_ref().filter(|_| execution.says_deployed())?;
    let tags = aftermath
        .tags_during(service, execution.started, execution.started)
        .pop()?;
    match owner(aftermath.stages(), &service.cluster, &tags) {
        Owner::Stage(stage) => Some(stage),
        Owner::Nobody => None,
    }
}

/// Whether an execution deployed an image to a service whose stage comes after one that does not take its tag.
fn is_promoted(aftermath: &Aftermath, execution: &Execution) -> bool {
    let before = deployed_in(aftermath, execution).and_then(|stage| stage.after.as_ref());
    let mut stages = aftermath.stages().iter();
    let before = before.and_then(|before| stages.find(|stage| stage.name == *before));
    let tag = execution.image.split_once(':').map_or("", |(_, tag)| tag);
    before.is_some_and(|before| !before.takes(tag))
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
