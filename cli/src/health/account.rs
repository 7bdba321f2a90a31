//! The findings about the rest of the account: trails, schedules and quotas.

use super::{Facts, Finding, Level, Subject, finding, owners};
use find_task_definitions::stage::{Candidate, Owner};

/// A trail of `CloudTrail` that covers the region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Its name.
    pub name: String,
    /// True if it is switched on.
    pub is_logging: bool,
    /// True if it records the events of pushes.
    pub has_pushes: bool,
}

/// A schedule, or a rule, that runs a certain revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name in a sentence: `the schedule default/nightly`.
    pub name: String,
    /// The family that it runs.
    pub family: String,
    /// The revision that it names: `report:3`.
    pub revision: String,
    /// The repositories of this account whose images that revision has.
    pub repositories: Vec<String>,
}

/// A quota.
#[derive(Debug, Clone, PartialEq)]
pub struct Quota {
    /// Its code in Service Quotas.
    pub code: String,
    /// Its value here.
    pub value: f64,
}

/// The quotas that a push meets, where they are known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quotas {
    /// How many functions of Lambda run at once.
    pub functions: Option<Quota>,
    /// How many state transitions of Step Functions there may be at once.
    pub transitions_at_once: Option<Quota>,
    /// How many more of them each second.
    pub transitions_a_second: Option<Quota>,
}

impl Quotas {
    /// True if all are known.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.functions.is_some() && self.transitions_at_once.is_some() && self.transitions_a_second.is_some()
    }
}

/// How many state transitions a service takes from the push to the wait for its rollout.
const TRANSITIONS: usize = 12;
/// So long a push may wait for state transitions, in seconds, before that is worth a word.
const PATIENCE: f64 = 10.0;

/// The trigger `putImage` without a trail that brings it.
pub(super) fn trails(facts: &Facts<'_>) -> Option<Finding> {
    let trails = facts.trails.filter(|_| facts.trigger == Some("putImage"))?;
    if trails.iter().any(|it| it.is_logging && it.has_pushes) {
        return None;
    }
    let stopped = trails.iter().find(|it| it.has_pushes);
    let others: Vec<&str> = trails.iter().map(|it| it.name.as_str()).collect();
    let (says, fix) = match (stopped, others.as_slice()) {
        (Some(trail), _) => (
            format!("the trail {} is switched off", trail.name),
            format!(
                "aws cloudtrail start-logging --name {}; or set the trigger to imageAction",
                trail.name
            ),
        ),
        (None, []) => (
            "no trail of CloudTrail covers this region".to_owned(),
            "make a trail that records management events, or set the trigger to imageAction".to_owned(),
        ),
        (None, others) => (
            format!(
                "no trail records management events that write to ECR: {}",
                others.join(", ")
            ),
            "let one of them record management events, or set the trigger to imageAction".to_owned(),
        ),
    };
    let says = format!("no push arrives: the trigger is putImage, and {says}");
    Some(finding(Level::Error, "trails", says, fix, Vec::new()))
}

/// Schedules that stay on a revision, though a stage takes pushes to what they run.
pub(super) fn schedules(facts: &Facts<'_>) -> Vec<Finding> {
    let each = facts.schedules.iter().filter_map(|schedule| {
        let Schedule {
            name,
            family,
            revision,
            repositories,
        } = schedule;
        let is_taken = |owner: Owner<'_>| matches!(owner, Owner::Stage(_));
        let of_services = facts.services.iter().filter(|it| it.family == *family);
        let has_service = of_services
            .clone()
            .any(|it| owners(facts, it).any(|(_, owner)| is_taken(owner)));
        let is_alone = of_services.count() == 0
            && repositories.iter().any(|repository| {
                let candidate = Candidate {
                    service: None,
                    family,
                    repository,
                    own: None,
                };
                is_taken(facts.stages.owner(&candidate))
            });
        let fix = if has_service {
            "give it a family that no service runs, and name that without a number: a push registers its newest revision".to_owned()
        } else if is_alone {
            format!("name the family {family} without a number: then it runs the newest revision, which a push registers")
        } else {
            return None;
        };
        let says = format!("{name} runs {revision} with {}, and no push moves it", repositories.join(", "));
        Some(finding(Level::Warning, "schedules", says, fix, Vec::new()))
    });
    each.collect()
}

/// Quotas that a push to everything would wait for.
pub(super) fn quotas(facts: &Facts<'_>) -> Vec<Finding> {
    let is_deployed = |subject: &Subject| owners(facts, subject).any(|(_, owner)| matches!(owner, Owner::Stage(_)));
    let services = facts.services.iter().filter(|it| is_deployed(it)).count();
    let number = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let warn = |says: String, service: &str, quota: &Quota, wanted: f64| {
        let fix = format!(
            "such a push is only slower; for more: aws service-quotas request-service-quota-increase --service-code {service} \
             --quota-code {} --desired-value {wanted}",
            quota.code
        );
        finding(Level::Warning, "quotas", says, fix, Vec::new())
    };
    let mut found = Vec::new();
    if let Some(functions) = facts.quotas.functions.as_ref().filter(|it| it.value < number(services)) {
        let says = format!(
            "the quota of functions of Lambda that run at once is {} here, and a push to all {services} services begins with one for \
             each",
            functions.value
        );
        found.push(warn(says, "lambda", functions, number(services).max(1000.0)));
    }
    let transitions = facts.quotas.transitions_at_once.as_ref();
    if let Some((at_once, a_second)) = transitions.zip(facts.quotas.transitions_a_second.as_ref()) {
        let needed = number(services * TRANSITIONS);
        if at_once.value + PATIENCE * a_second.value < needed {
            let says = format!(
                "the quota of state transitions of Step Functions is {} at once and {} more a second here, and a push to all \
                 {services} services begins with {needed}",
                at_once.value, a_second.value
            );
            found.push(warn(says, "states", a_second, needed / PATIENCE));
        }
    }
    found
}

#[cfg(test)]
mod tests;
