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

    /// Whether no rule decided anything.
    pub(crate) fn is_nothing(&self) -> bool {
        self.missing().len() == self.0.len()
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

#[cfg(test)]
mod tests {
    use super::super::aftermath::{Account, Found, Machine, Service, ServiceId};
    use super::super::stages::all;
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn execution(machine: Machine, found: Option<Found>) -> Execution {
        Execution {
            machine,
            name: "web".to_owned(),
            status: "SUCCEEDED".to_owned(),
            started: 1,
            ended: Some(2),
            error: None,
            message: None,
            output: Some(json!({"outcome": "DEPLOYED"})),
            push: None,
            image: "shop/web:release-1".to_owned(),
            service: Some(ServiceId {
                cluster: "north".to_owned(),
                service: "web".to_owned(),
            }),
            parent: None,
            found,
        }
    }

    #[test]
    fn each_rule_is_counted_and_what_decided_nothing_is_missing() {
        assert!(Exercised::by(&Aftermath::default()).is_nothing());
        let reasons = ["TAG_NOT_TAKEN", "ON_HOLD", "LOWER_VERSION", "STAGE_OFF", "NOT_PROMOTED"];
        let found = Found {
            skipped: BTreeMap::from(reasons.map(|reason| (reason.to_owned(), 2))),
            waves: 3,
            begun: 2,
            ..Found::default()
        };
        let staging = Stage {
            name: "staging".to_owned(),
            tags: vec!["main".to_owned()],
            ..all()
        };
        let production = Stage {
            name: "production".to_owned(),
            opt_in: true,
            after: Some("staging".to_owned()),
            ..all()
        };
        let service: Service = serde_json::from_value(json!({
            "cluster": "north", "serviceName": "web", "status": "ACTIVE", "config": {}, "askedCount": 1,
            "tags": [{"key": "ecr-deploy:stage", "value": "production"}],
            "taskDefinition": "", "rolloutState": null, "history": [],
        }))
        .unwrap();
        let aftermath = Aftermath {
            stages: vec![staging, production],
            before: Account {
                services: vec![service],
                revisions: Vec::new(),
            },
            executions: vec![
                execution(Machine::DeployImage, Some(found)),
                execution(Machine::DeployService, None),
            ],
            ..Aftermath::default()
        };
        let mut exercised = Exercised::by(&aftermath);
        assert_eq!(exercised.missing(), Vec::<&str>::new(), "{exercised}");
        exercised += Exercised::by(&aftermath);
        let twice = exercised.to_string();
        assert!(twice.starts_with("4 services skipped by tag, 4 on hold"), "{twice}");
        assert!(
            twice.ends_with("2 waves after another one, 2 waves not reached"),
            "{twice}"
        );
    }
}
