//! Counts the rules about stages that a storm exercised.

use super::{Rule, sum};
use crate::aftermath::{Aftermath, Execution, Found};
use crate::stages::{Owner, Stage, owner};

pub(super) const RULES: [Rule; 9] = [
    Rule {
        name: "services skipped by tag",
        count: |aftermath| skipped(aftermath, &["TAG_NOT_TAKEN"]),
    },
    Rule {
        name: "on hold",
        count: |aftermath| skipped(aftermath, &["ON_HOLD"]),
    },
    Rule {
        name: "of a lower version",
        count: |aftermath| skipped(aftermath, &["LOWER_VERSION"]),
    },
    Rule {
        name: "of no stage",
        count: |aftermath| skipped(aftermath, &["NO_STAGE", "STAGE_OFF", "UNKNOWN_STAGE"]),
    },
    Rule {
        name: "deployed since they ask for it",
        count: |aftermath| {
            sum(aftermath, |execution| {
                u64::from(deployed_in(aftermath, execution).is_some_and(|stage| stage.opt_in))
            })
        },
    },
    Rule {
        name: "not promoted",
        count: |aftermath| skipped(aftermath, &["NOT_PROMOTED"]),
    },
    Rule {
        name: "promoted by a new tag",
        count: |aftermath| sum(aftermath, |execution| u64::from(is_promoted(aftermath, execution))),
    },
    Rule {
        name: "waves after another one",
        count: |aftermath| waves(aftermath, |found| found.begun.saturating_sub(1)),
    },
    Rule {
        name: "waves not reached",
        count: |aftermath| waves(aftermath, |found| found.waves.saturating_sub(found.begun)),
    },
];

fn skipped(aftermath: &Aftermath, reasons: &[&str]) -> u64 {
    sum(aftermath, |execution| {
        let skipped = execution.found.as_ref().map(|found| &found.skipped);
        reasons.iter().filter_map(|reason| skipped?.get(*reason)).sum()
    })
}

fn waves(aftermath: &Aftermath, count: impl Fn(&Found) -> usize) -> u64 {
    sum(aftermath, |execution| {
        let found = execution.found.as_ref();
        found
            .and_then(|found| u64::try_from(count(found)).ok())
            .unwrap_or_default()
    })
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

/// True if an execution deployed an image to a service whose stage comes after one that does not take its tag.
fn is_promoted(aftermath: &Aftermath, execution: &Execution) -> bool {
    let before = deployed_in(aftermath, execution).and_then(|stage| stage.after.as_ref());
    let mut stages = aftermath.stages().iter();
    let before = before.and_then(|before| stages.find(|stage| stage.name == *before));
    let tag = execution.image.split_once(':').map_or("", |(_, tag)| tag);
    before.is_some_and(|before| !before.takes(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aftermath::{Account, Machine, Service, ServiceId};
    use crate::stages::all;
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
            by_sweep: false,
            parent: None,
            found,
        }
    }

    #[test]
    fn each_rule_counts_what_it_decided() {
        let counts = |aftermath: &Aftermath| RULES.map(|rule| (rule.count)(aftermath));
        assert_eq!(counts(&Aftermath::default()), [0; 9]);
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
        assert_eq!(counts(&aftermath), [2, 2, 2, 2, 2, 2, 2, 1, 1]);
    }
}
