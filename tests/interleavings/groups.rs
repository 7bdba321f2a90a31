//! A push on many task definitions and services, worked on in groups: whatever their number, each service comes to the
//! image, each failure is told of its own service, and the states entered are those that are needed.

use crate::situations::config;
use serde_json::{Value, json};
use simulated_ecs::Seed;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use walker::account::{Account, CLUSTER, list};
use walker::caller::{Caller, Grain};
use walker::machine::{Execution, Thrown};
use walker::run;

/// The end of a push, the state of the account afterwards, and how often each state was entered.
struct Walked {
    ended: Result<Value, Thrown>,
    standing: Value,
    entered: BTreeMap<String, usize>,
}

/// Services and families, of which some run alone, and a push that is worked on in so many groups of so many.
async fn walk(seed: Seed, denied: Option<&str>, groups: u32, at_once: u32) -> Walked {
    let account = Account::new();
    account.push("v1");
    account.seed(Seed {
        service_name: "web".to_owned(),
        ..seed
    });
    account.pass(5_000);
    let event = account.push("v2");
    if let Some(service) = denied {
        account.weather(&json!({"faults": [{"fault": "deny", "operation": "UpdateService", "subject": service}]}));
    }
    let (ended, entered) = deploy(&account, &event, groups, at_once).await;
    account.settle();
    Walked {
        ended,
        standing: account.standing(),
        entered,
    }
}

async fn deploy(
    account: &Arc<Account>,
    event: &Value,
    groups: u32,
    at_once: u32,
) -> (Result<Value, Thrown>, BTreeMap<String, usize>) {
    let caller = Caller::new(account, Grain::Alone, None);
    let entered = RefCell::new(BTreeMap::new());
    let execution = Execution {
        entering: Box::new(|state| *entered.borrow_mut().entry(state.to_owned()).or_default() += 1),
        ..Execution::new(caller, config())
    };
    let ended = execution.deploy_in(groups, at_once, event).await;
    drop(execution);
    (ended, entered.into_inner())
}

/// Eleven services on five families, and two families without a service.
fn several() -> Seed {
    Seed {
        services: 11,
        families: Some(5),
        standalone_families: 2,
        ..Seed::default()
    }
}

#[test]
fn in_however_many_groups_the_same_comes_of_it() {
    let in_one = run(walk(several(), None, 10, 40));
    let ended = in_one.ended.unwrap();
    let message = "app:v2 is deployed to 11 services and registered for 2 families without a service";
    assert_eq!(ended["message"], message);
    assert_eq!(list(&ended["services"]).len(), 11);
    for (groups, at_once) in [(1, 1), (2, 2), (3, 1), (40, 1), (2, 5)] {
        let walked = run(walk(several(), None, groups, at_once));
        assert_eq!(walked.ended, Ok(ended.clone()), "{groups} groups of {at_once}");
        assert_eq!(walked.standing, in_one.standing, "{groups} groups of {at_once}");
    }
}

#[test]
fn in_however_many_groups_a_failure_is_told_of_the_service_that_failed() {
    for (groups, at_once) in [(10, 40), (1, 1), (2, 2), (40, 1)] {
        let walked = run(walk(several(), Some("web-7"), groups, at_once));
        let thrown = walked.ended.unwrap_err();
        assert_eq!(thrown.error, "Deploy.ServicesFailed");
        let cause: Value = serde_json::from_str(&thrown.cause).unwrap();
        let lines: Vec<&str> = cause["errorMessage"].as_str().unwrap().lines().collect();
        assert_eq!(lines[0], "app:v2: 1 of 11 services failed.");
        let told = format!("- web-7 in {CLUSTER} was not updated to ");
        assert!(lines[1].starts_with(&told), "{groups} groups of {at_once}: {lines:?}");
        assert!(lines[2].starts_with("Redrive"), "{lines:?}");
    }
}

#[test]
fn a_push_that_nothing_runs_enters_no_group() {
    let account = Account::new();
    let event = account.push("v2");
    let (ended, entered) = run(deploy(&account, &event, 10, 40));
    assert!(
        ended.unwrap()["message"]
            .as_str()
            .unwrap()
            .starts_with("nothing to deploy")
    );
    let names: Vec<&str> = entered.keys().map(String::as_str).collect();
    let expected = [
        "Deploy wave",
        "Find task definitions",
        "Only the plan?",
        "Read hold",
        "Sum up",
        "Tell how it ended",
        "What is left to do?",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_states_that_are_entered_grow_with_the_services_and_with_nothing_else() {
    for (services, families) in [(1, None), (10, None), (100, None), (10, Some(1)), (100, Some(1))] {
        let seed = Seed {
            services,
            families,
            ..Seed::default()
        };
        let Walked { ended, entered, .. } = run(walk(seed, None, 10, 40));
        assert!(ended.is_ok(), "{ended:?}");
        let of = |state: &str| entered.get(state).copied().unwrap_or_default();
        let reads = of("Check stability");
        assert!((services..=services * 20).contains(&reads), "{reads} reads");
        assert_eq!((of("Wait for rollout"), of("Rollout stable?")), (reads, reads));
        let all: usize = entered.values().sum();
        let groups = services.div_ceil(40);
        // Of each group and service: with a task definition of its own, which is registered in the service's own execution, and
        // with one that all share, which is registered once.
        let of_each = if families.is_some() && services > 1 {
            5 + groups + (1 + 8) * services
        } else {
            groups + (2 + 9) * services
        };
        // Of the push, and of each read.
        assert_eq!(all, 8 + of_each + 3 * reads, "{entered:#?}");
    }
}

/// The last of sixty updates are due some seconds after the first, when the rollouts before them have ended long ago.
#[test]
fn a_time_that_is_over_when_a_service_begins_passes_at_once() {
    let account = Account::new();
    account.push("v1");
    account.seed(Seed {
        service_name: "web".to_owned(),
        services: 60,
        families: Some(1),
        ..Seed::default()
    });
    account.pass(5_000);
    let event = account.push("v2");
    let begun = RefCell::new(0);
    let waited = RefCell::new(Vec::new());
    let entering = |state: &str| match state {
        "Begin" => *begun.borrow_mut() = account.now(),
        "Revision registered?" => waited.borrow_mut().push(account.now() - *begun.borrow()),
        _ => (),
    };
    let execution = Execution {
        entering: Box::new(entering),
        ..Execution::new(Caller::new(&account, Grain::Alone, None), config())
    };
    let ended = run(execution.deploy_in(1, 1, &event));
    drop(execution);
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(waited.into_inner(), [0; 60]);
}
