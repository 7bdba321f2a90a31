//! A red execution tells a person which service, why, and what to do.

use super::Violation;
use crate::aftermath::{Aftermath, Execution, Machine, Service, ServiceId};
use std::collections::{BTreeMap, BTreeSet};

const ERRORS: &str = "every error names the service, the reason and the next step";

/// The words by which a message says what to do next.
const NEXT_STEPS: [&str; 5] = ["redrive", "push a good image", "push again", "nothing to do", "read"];

/// How many services the message of a push names at most; it counts the rest.
const NAMED: usize = 10;

/// - The message of deploy-service names its service, gives a reason and a next step.
/// - The message of deploy-image does so for each service whose execution failed, or for ten and counts the rest. Whatever it
///   names, a service or a family, it gives a reason for; it names one at least. It counts by stages the services that it did not reach.
pub(super) fn every_error_says_what_to_do(aftermath: &Aftermath) -> Vec<Violation> {
    let red = aftermath.executions.iter().filter(|execution| execution.is_red());
    let wrong = red.filter_map(|execution| {
        let lacks = match execution.machine {
            Machine::DeployService => lacks(execution, execution.service.iter()),
            Machine::DeployImage => lacks_of_push(aftermath, execution).or_else(|| lacks_in_list(aftermath, execution)),
        };
        lacks.map(|what| Violation::of_execution(ERRORS, execution, what))
    });
    wrong.collect()
}

fn lacks_of_push(aftermath: &Aftermath, parent: &Execution) -> Option<String> {
    let message = parent.message.as_deref().unwrap_or_default();
    if !message.contains("\n- and ") {
        return lacks(parent, failed_children(aftermath, parent).into_iter());
    }
    // Which ten are named is the message's own affair.
    let children = aftermath
        .executions
        .iter()
        .filter(|it| it.parent.as_ref() == Some(&parent.name));
    // A service whose own tag names no stage has failed without an execution of its own.
    let there: Vec<ServiceId> = aftermath.after.services.iter().map(Service::id).collect();
    let of_children = children.filter_map(|child| child.service.as_ref());
    let services: BTreeSet<&ServiceId> = of_children.chain(&there).collect();
    let named = services.iter().filter(|service| message.contains(&service.to_string()));
    match named.count() {
        NAMED.. => lacks(parent, [].iter()),
        few => Some(format!("names {few} services and only counts the rest: {message:?}")),
    }
}

/// The service that the list of failures in the message of a push lacks, if any.
fn lacks_in_list(aftermath: &Aftermath, parent: &Execution) -> Option<String> {
    // Another error is of the push as a whole.
    if !matches!(
        parent.error.as_deref(),
        Some("Deploy.ServicesFailed" | "Deploy.NotStable")
    ) {
        return None;
    }
    let message = parent.message.as_deref().unwrap_or_default();
    let failures: Vec<&str> = message
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .filter(|failure| !failure.starts_with("and ") && !counts_a_stage(aftermath, failure))
        .collect();
    if failures.is_empty() {
        return Some(format!("names nothing that failed: {message:?}"));
    }
    let services = aftermath.before.services.iter().map(|service| service.id().to_string());
    let families = aftermath
        .before
        .revisions
        .iter()
        .map(|it| format!("family {}", it.family));
    let known: BTreeSet<String> = services.chain(families).collect();
    failures.into_iter().find_map(|failure| {
        let after = |name: &String| {
            let rest = failure.strip_prefix(name.as_str())?;
            rest.starts_with([' ', ':']).then_some(rest)
        };
        match known.iter().find_map(after) {
            None => Some(format!("names neither a service nor a family: {failure:?}")),
            Some(rest) => rest
                .split_once(": ")
                .is_none_or(|(_, reason)| reason.trim().is_empty())
                .then(|| format!("gives no reason: {failure:?}")),
        }
    })
}

/// True if a line counts what was not reached of a stage that there is: "not reached: 2 services of production".
fn counts_a_stage(aftermath: &Aftermath, line: &str) -> bool {
    let counted = line
        .strip_prefix("not reached: ")
        .and_then(|rest| rest.split_once(" of "));
    counted.is_some_and(|(count, stages)| {
        let is_stage = |name: &str| aftermath.stages().iter().any(|stage| stage.name == name);
        count.starts_with(|first: char| first.is_ascii_digit()) && stages.split(" and ").all(is_stage)
    })
}

/// The services of a push whose own executions failed, at their last end: a redriven push starts new ones.
fn failed_children<'a>(aftermath: &'a Aftermath, parent: &Execution) -> BTreeSet<&'a ServiceId> {
    let children = aftermath
        .executions
        .iter()
        .filter(|it| it.parent.as_ref() == Some(&parent.name));
    let mut last: BTreeMap<&ServiceId, &Execution> = BTreeMap::new();
    for child in children {
        if let Some(service) = &child.service {
            last.insert(service, child);
        }
    }
    last.retain(|_, child| child.is_red());
    last.into_keys().collect()
}

/// The part that a message lacks, if any.
fn lacks<'a>(execution: &Execution, mut services: impl Iterator<Item = &'a ServiceId>) -> Option<String> {
    let message = execution.message.as_deref().unwrap_or_default();
    let lower = message.to_lowercase();
    if let Some(service) = services.find(|service| !message.contains(&service.to_string())) {
        return Some(format!("does not name {service}: {message:?}"));
    }
    if !NEXT_STEPS.iter().any(|step| lower.contains(step)) {
        return Some(format!("says nothing to do next: {message:?}"));
    }
    // The words after the first colon are the reason: "web in north did not become stable on web:3: 0 of 1 tasks
    // running".
    let reason = message.split_once(": ").map(|(_, reason)| reason.trim());
    if reason.is_none_or(str::is_empty) {
        return Some(format!("gives no reason: {message:?}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, production, red, rolled_back};
    use super::*;

    #[test]
    fn a_message_without_service_reason_or_next_step_is_found() {
        let bad = [
            "",
            "shop in north did not become stable: it crashed. Redrive this execution",
            "web in north did not become stable: it crashed",
            "web in north failed; redrive this execution",
        ];
        for message in bad {
            let mut aftermath = calm();
            aftermath.executions[3] = red(3, "Deploy.RolledBack", message);
            assert_eq!(every_error_says_what_to_do(&aftermath).len(), 1, "{message:?}");
        }
        assert_eq!(every_error_says_what_to_do(&rolled_back()), []);
    }

    #[test]
    fn a_push_that_does_not_name_a_service_that_failed_is_found() {
        let mut aftermath = rolled_back();
        aftermath.executions[2].message = Some("shop/web:v3: 1 failed. Redrive this execution".to_owned());
        assert_eq!(every_error_says_what_to_do(&aftermath).len(), 1);
    }

    #[test]
    fn a_push_whose_list_is_empty_names_what_is_not_there_or_gives_no_reason_is_found() {
        let found = |list: &str| {
            let mut aftermath = rolled_back();
            production(&mut aftermath, &["*"]);
            // Only the list counts.
            aftermath.executions.truncate(3);
            aftermath.executions[2].message = Some(format!(
                "shop/web:v3: 1 of 2 services failed.\n{list}\nRedrive this execution"
            ));
            every_error_says_what_to_do(&aftermath).len()
        };
        for good in [
            format!("- {ROLLED_BACK}"),
            "- web in north: it was never tried".to_owned(),
            "- family web: Deploy.Rejected".to_owned(),
            "- web in north: it crashed\n- not reached: 2 services of production".to_owned(),
        ] {
            assert_eq!(found(&good), 0, "{good}");
        }
        for bad in [
            "",
            "- and 3 more: see the executions of deploy-service",
            "- web in north",
            "- web in north: ",
            "- web in north did not become stable on web:3",
            "- family web",
            "- shop in north: it crashed",
            "- web in northern: it crashed",
            "- web in north: it crashed\n- family web: ",
            "- not reached: 2 services of production",
            "- web in north: it crashed\n- not reached: 2 services of nowhere",
            "- web in north: it crashed\n- not reached: some of production",
        ] {
            assert_eq!(found(bad), 1, "{bad}");
        }
    }

    #[test]
    fn a_push_names_ten_and_counts_the_rest() {
        let mut aftermath = rolled_back();
        for number in 0..11 {
            let mut child = red(
                3,
                "Deploy.RolledBack",
                &ROLLED_BACK.replace("web in", &format!("web-{number} in")),
            );
            child.service = child.service.map(|id| ServiceId {
                service: format!("web-{number}"),
                ..id
            });
            aftermath.executions.push(child);
            let mut service = aftermath.before.services[0].clone();
            service.name = format!("web-{number}");
            aftermath.before.services.push(service);
        }
        assert_eq!(
            every_error_says_what_to_do(&aftermath).len(),
            1,
            "none of eleven is named"
        );
        let message = |named: usize| {
            let names: Vec<String> = (0..named)
                .map(|number| format!("- web-{number} in north: it crashed"))
                .collect();
            Some(format!(
                "12 failed.\n{}\n- and some more: see there. Redrive this",
                names.join("\n")
            ))
        };
        aftermath.executions[2].message = message(9);
        assert_eq!(every_error_says_what_to_do(&aftermath).len(), 1);
        aftermath.executions[2].message = message(10);
        assert_eq!(every_error_says_what_to_do(&aftermath), []);
    }

    #[test]
    fn what_a_redriven_push_has_put_right_need_not_be_named() {
        let mut aftermath = rolled_back();
        aftermath.executions[2].message =
            Some("shop/web:v3: 1 failed.\n- family web: refused\nRedrive this execution".to_owned());
        let mut again = calm().executions.remove(3);
        again.started += 50_000;
        aftermath.executions.push(again);
        assert_eq!(every_error_says_what_to_do(&aftermath), []);
    }
}
