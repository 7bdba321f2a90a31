//! Counts what a storm exercised: so that one in which something never happened shows.

mod faults;
mod hooks;
mod images;
mod stages;

use super::aftermath::{Aftermath, Execution};
use prepare::table;
use std::fmt;
use std::ops::AddAssign;

/// Something that a storm is to meet.
struct Rule {
    name: &'static str,
    /// How often it decided something.
    count: fn(&Aftermath) -> u64,
}

/// Only a storm with several stages meets these.
const OF_STAGES: [Rule; 9] = stages::RULES;
/// Every storm of enough services meets these.
const OF_FAULTS: [Rule; 17] = faults::RULES;
const OF_HOOKS: [Rule; 4] = hooks::RULES;
/// Changes of images meanwhile: in every storm of enough services, too.
const OF_IMAGES: [Rule; 3] = images::RULES;
const COUNT: usize = OF_STAGES.len() + OF_FAULTS.len() + OF_HOOKS.len() + OF_IMAGES.len();

fn rules() -> impl Iterator<Item = Rule> {
    OF_STAGES.into_iter().chain(OF_FAULTS).chain(OF_HOOKS).chain(OF_IMAGES)
}

/// How often each rule decided something, in the order of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exercised([u64; COUNT]);

impl Exercised {
    /// Nothing yet.
    pub(crate) const NONE: Self = Self([0; COUNT]);

    /// Counts what a storm exercised.
    pub(crate) fn by(aftermath: &Aftermath) -> Self {
        let mut exercised = Self::NONE;
        for (known, rule) in exercised.0.iter_mut().zip(rules()) {
            *known = (rule.count)(aftermath);
        }
        exercised
    }

    /// True if no rule about stages decided anything.
    pub(crate) fn has_no_stages(&self) -> bool {
        self.0[..OF_STAGES.len()].iter().all(|count| *count == 0)
    }

    /// The names of those that were never met.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let none = self.0.iter().zip(rules()).filter(|(count, _)| **count == 0);
        none.map(|(_, rule)| rule.name).collect()
    }
}

impl AddAssign for Exercised {
    fn add_assign(&mut self, other: Self) {
        for (known, more) in self.0.iter_mut().zip(other.0) {
            *known += more;
        }
    }
}

impl fmt::Display for Exercised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.iter().zip(rules());
        let rows = counts.map(|(count, rule)| [count.to_string(), rule.name.to_owned()]);
        let header = ["count", "exercised"].map(str::to_owned);
        let rows: Vec<[String; 2]> = std::iter::once(header).chain(rows).collect();
        formatter.write_str(&table::lines(&rows).join("\n"))
    }
}

/// The sum over all executions, at their last end.
fn sum(aftermath: &Aftermath, of_one: impl Fn(&Execution) -> u64) -> u64 {
    aftermath.executions.iter().map(of_one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_what_was_never_met_is_missing() {
        let nothing = Exercised::by(&Aftermath::default());
        let names: std::collections::BTreeSet<&str> = rules().map(|rule| rule.name).collect();
        assert_eq!(names.len(), COUNT);
        assert_eq!(nothing.missing().len(), COUNT);
        assert!(nothing.has_no_stages());
        let mut once = Exercised::NONE;
        once.0[0] = 1;
        once += once;
        assert_eq!(once.missing().len(), COUNT - 1);
        assert!(!once.has_no_stages());
        let table = once.to_string();
        assert!(
            table.starts_with("count  exercised\n2      services skipped by tag\n0 "),
            "{table}"
        );
    }
}
