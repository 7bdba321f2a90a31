//! The share of Step Functions and Lambda that a push takes, counted on a walk of the real state machines.

use crate::account::Account;
use crate::caller::{Caller, Grain};
use crate::machine::Execution;
use ecr_deploy::function::config::Config;
use simulated_ecs::{Seed, Settings};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// The share that a push took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// From the event to the end of its execution, in seconds.
    pub seconds: i64,
    /// Steps that were executed, of all its executions: what is billed.
    pub transitions: u32,
    /// Events in the history of the push's own execution, of which there can be 25,000.
    pub events: u32,
    /// Events in the history of the longest execution of a service.
    pub service_events: u32,
    /// Events in the histories of all its executions: each is logged.
    pub all_events: u32,
    /// The bytes of what those events tell, besides themselves.
    pub logged_bytes: u64,
    /// How often each state invoked its function, and for how many milliseconds in all.
    pub invocations: BTreeMap<String, (u32, i64)>,
    /// How often each state was entered.
    pub entered: BTreeMap<String, u32>,
}

/// How long an account takes for rollouts: five times as long as the simulation does by itself, about three minutes.
const SPEED: f64 = 0.2;

/// Pushes an image that `services` services run, each on a family of its own, with the rate limits that AWS documents, and
/// walks the push to its end. To be called on a clock of tokio's that stands still.
pub async fn walk(services: u32) -> Walked {
    walk_with(services, Config::default()).await
}

/// The same with other settings.
pub async fn walk_with(services: u32, config: Config) -> Walked {
    let account = Account::on_tokios_clock(Settings {
        speed: SPEED,
        throttling: true,
        ..Settings::default()
    });
    account.seed(Seed {
        services: usize::try_from(services).unwrap(),
        service_name: "web".to_owned(),
        ..Seed::default()
    });
    local_aws::pause(Duration::from_hours(1)).await;
    let caller = Caller::new(&account, Grain::Alone, None);
    let entered = RefCell::new(BTreeMap::new());
    let execution = Execution {
        entering: Box::new(|state| *entered.borrow_mut().entry(state.to_owned()).or_default() += 1),
        ..Execution::new(caller.clone(), config)
    };
    let begun = account.now();
    let ended = execution.deploy(&account.push("v2")).await;
    assert!(ended.is_ok(), "{ended:?}");
    let mut invocations: BTreeMap<String, (u32, i64)> = BTreeMap::new();
    for (state, milliseconds) in caller.invocations() {
        let (count, time) = invocations.entry(state).or_default();
        *count += 1;
        *time += milliseconds;
    }
    let histories = caller.histories();
    let events = |machine: &str| {
        let of_machine = histories.iter().filter(|(id, _)| id.contains(machine));
        of_machine.map(|(_, history)| history.events).max().unwrap_or_default()
    };
    let logged_bytes = execution.functions.logged();
    drop(execution);
    Walked {
        seconds: (account.now() - begun) / 1000,
        transitions: histories.values().map(|history| history.steps).sum(),
        events: events(":deploy-image:"),
        service_events: events(":deploy-service:"),
        all_events: histories.values().map(|history| history.events).sum(),
        logged_bytes,
        invocations,
        entered: entered.into_inner(),
    }
}
