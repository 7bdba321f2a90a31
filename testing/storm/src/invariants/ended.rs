//! Every event is heard, every execution ends by itself, by a name of ours if it is red, and every deed of others is done.

use super::Violation;
use crate::aftermath::{Aftermath, Execution, Machine, Pushed};

const ENDS: &str = "every execution ends, and by a name of ours if it is red";
const DEEDS: &str = "what others do is done, unless what it is about is gone";
/// The errors by which an execution may fail: the README says of each what to do.
const NAMES: [&str; 9] = [
    "Deploy.InvalidInput",
    "Deploy.NotFound",
    "Deploy.NotRolledBack",
    "Deploy.NotStable",
    "Deploy.Rejected",
    "Deploy.RollBackFailed",
    "Deploy.RolledBack",
    "Deploy.ServicesFailed",
    "Deploy.Unavailable",
];
const HEARD: &str = "every event has one execution, however often it is delivered";

/// No execution is still running, was aborted or timed out, or failed by an error that none of the functions throws: so
/// none by `States.Runtime` or `States.DataLimitExceeded`.
pub(super) fn every_execution_ends(aftermath: &Aftermath) -> Vec<Violation> {
    let bad = |execution: &&Execution| match (execution.status.as_str(), &execution.error) {
        ("SUCCEEDED", _) => false,
        ("FAILED", Some(error)) => !NAMES.contains(&error.as_str()),
        _ => true,
    };
    let violation = |execution: &Execution| {
        let error = execution.error.as_deref().unwrap_or("no error");
        Violation::of_execution(ENDS, execution, format!("{} by {error}", execution.status))
    };
    aftermath.executions.iter().filter(bad).map(violation).collect()
}

/// A push has one execution of deploy-image, each tag of it for itself: an event that is delivered again starts none. A tag that no
/// stage takes need have none.
pub(super) fn every_event_is_heard(aftermath: &Aftermath) -> Vec<Violation> {
    let count = |push: &Pushed| {
        let image = format!("{}:{}", push.repository, push.tag);
        let of_push = |it: &&Execution| {
            it.machine == Machine::DeployImage
                && !it.by_sweep
                && it.push.as_ref() == Some(&push.id)
                && it.image == image
        };
        aftermath.executions.iter().filter(of_push).count()
    };
    let pushes = aftermath.pushes.iter();
    let is_taken = |push: &Pushed| aftermath.stages().iter().any(|stage| stage.takes(&push.tag));
    let unheard = pushes.filter(|push| match (count(push), push.deliveries.min(1)) {
        (0, _) => push.deliveries > 0 && is_taken(push),
        (count, wanted) => count != wanted,
    });
    let violations = unheard.map(|push| {
        let (count, deliveries) = (count(push), push.deliveries);
        let what = format!(
            "{}:{} ({}): {count} executions, {deliveries} deliveries",
            push.repository, push.tag, push.id
        );
        Violation::general(HEARD, what)
    });
    violations.collect()
}

/// Each deed of others is done, or refused since what it is about is gone, or not active any more, or has five
/// deployments. Else it is not what the scenario means, and a storm without it.
pub(super) fn every_deed_is_done(aftermath: &Aftermath) -> Vec<Violation> {
    const GONE: [&str; 5] = [
        "not found",
        "NotFoundException",
        "NotActiveException",
        "inactive",
        "active deployments exist",
    ];
    let refused = aftermath
        .others
        .iter()
        .filter_map(|deed| Some((deed, deed.error.as_ref()?)));
    let wrong = refused.filter(|(_, error)| !GONE.iter().any(|gone| error.contains(gone)));
    wrong
        .map(|(deed, error)| Violation::general(DEEDS, format!("{} {}: {error}", deed.operation, deed.request)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, deed, production, red};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deed_that_was_refused_is_found_unless_what_it_is_about_is_gone() {
        let found = |error: Option<&str>| {
            let mut aftermath = calm();
            let mut deed = deed(40_000, &json!({"desiredCount": 3}));
            deed.error = error.map(str::to_owned);
            aftermath.others.push(deed);
            every_deed_is_done(&aftermath).len()
        };
        for fine in [
            None,
            Some("ServiceNotFoundException: Service not found."),
            Some("ClusterNotFoundException: Cluster not found."),
            Some("ServiceNotActiveException: Service was not ACTIVE."),
            Some("ClientException: TaskDefinition is inactive"),
            Some("ClientException: TaskDefinition not found."),
            Some("ClientException: 5 active deployments exist, unable to create new deployment."),
        ] {
            assert_eq!(found(fine), 0, "{fine:?}");
        }
        assert_eq!(
            found(Some("InvalidParameterException: desiredCount cannot be negative.")),
            1
        );
    }

    #[test]
    fn an_execution_that_runs_was_aborted_or_failed_by_a_name_that_is_not_ours_is_found() {
        let running = |status: &str| Execution {
            status: status.to_owned(),
            ended: None,
            output: None,
            ..calm().executions.remove(1)
        };
        let unnamed = Execution {
            error: None,
            ..red(2, "", "")
        };
        let bad = [
            running("RUNNING"),
            running("ABORTED"),
            running("TIMED_OUT"),
            red(2, "States.Runtime", "undefined"),
            red(2, "States.DataLimitExceeded", "too long"),
            red(2, "Runtime.ExitError", "signal"),
            unnamed,
        ];
        for execution in bad {
            let mut aftermath = calm();
            aftermath.executions[1] = execution.clone();
            assert_eq!(every_execution_ends(&aftermath).len(), 1, "{execution:?}");
        }
        let mut aftermath = calm();
        aftermath.executions[1] = red(2, "Deploy.RolledBack", "web in north");
        assert_eq!(every_execution_ends(&aftermath), []);
    }

    #[test]
    fn an_event_that_started_no_execution_or_two_is_found() {
        let found = |change: &dyn Fn(&mut Aftermath)| {
            let mut aftermath = calm();
            change(&mut aftermath);
            every_event_is_heard(&aftermath).len()
        };
        assert_eq!(found(&|aftermath| aftermath.pushes[0].deliveries = 2), 0);
        assert_eq!(found(&|aftermath| aftermath.pushes[0].deliveries = 0), 1);
        let is_of_first = |aftermath: &Aftermath, it: &Execution| {
            it.machine == Machine::DeployImage && it.push.as_ref() == Some(&aftermath.pushes[0].id)
        };
        let none = |aftermath: &mut Aftermath| {
            let first = aftermath.executions.iter().position(|it| is_of_first(aftermath, it));
            aftermath.executions.remove(first.unwrap());
        };
        let two = |aftermath: &mut Aftermath| {
            let first = aftermath.executions.iter().find(|it| is_of_first(aftermath, it));
            let first = first.unwrap().clone();
            aftermath.executions.push(first);
        };
        assert_eq!((found(&none), found(&two)), (1, 1));
        let not_taken = |aftermath: &mut Aftermath| {
            production(aftermath, &["v3"]);
            none(aftermath);
        };
        assert_eq!(found(&not_taken), 0);
    }
}
