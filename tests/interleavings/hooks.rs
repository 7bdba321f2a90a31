//! Rollouts and rollbacks that wait at a lifecycle hook for a person, walked through the real state machines.

use crate::situations::{config, deploy_sidecar};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use walker::account::{Account, list, short};
use walker::caller::{Caller, Grain};
use walker::machine::{Execution, Thrown};
use walker::run;

const HOUR: i64 = 3_600_000;

/// A service whose deployments wait for so many hours, and then go on.
fn account(hours: u32) -> Arc<Account> {
    let account = Account::new();
    let hook = json!({
        "targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"],
        "timeoutConfiguration": {"timeoutInMinutes": hours * 60, "action": "CONTINUE"},
    });
    let strategy = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, "lifecycleHooks": [hook]});
    account.seed_web("v1", &json!({"deploymentConfiguration": strategy}));
    account.pass(5_000);
    account
}

/// Walks the push of a tag. Returns how it ended.
async fn deployed(account: &Arc<Account>, tag: &str, entering: impl Fn(&str)) -> Result<Value, Thrown> {
    let event = account.push(tag);
    let caller = Caller::new(account, Grain::Alone, None);
    let execution = Execution {
        entering: Box::new(entering),
        ..Execution::new(caller, config())
    };
    execution.deploy(&event).await
}

/// The revisions of the rollouts of `web`.
fn rollouts(account: &Account) -> Vec<String> {
    let web = account.web();
    let revisions = list(&web["history"])
        .iter()
        .map(|rollout| short(&rollout["taskDefinition"]).to_owned());
    revisions.collect()
}

#[test]
fn a_push_that_is_displaced_after_hours_at_a_hook_brings_its_image_in_again() {
    run(async {
        let account = account(6);
        let (begun, is_displaced) = (account.now(), Cell::new(false));
        let end = deployed(&account, "v2", |state| {
            if state == "Check stability" && account.now() > begun + 3 * HOUR && !is_displaced.replace(true) {
                deploy_sidecar(&account);
            }
        });
        let end = end.await.unwrap();
        assert_eq!(end["services"][0]["outcome"], "DEPLOYED", "{end}");
        assert_eq!(rollouts(&account), ["web:1", "web:2", "web:3", "web:4"]);
    });
}

#[test]
fn a_rollback_that_waits_at_a_hook_for_a_person_is_told_once() {
    run(async {
        let account = account(1);
        let (path, is_gone) = (RefCell::new(Vec::new()), Cell::new(false));
        let end = deployed(&account, "crash-later", |state| {
            path.borrow_mut().push(state.to_owned());
            if state == "Roll back" && !is_gone.replace(true) {
                // Then ECS cannot be told to stop the rollout: the service is updated to a copy.
                account.ecs("DeregisterTaskDefinition", &json!({"taskDefinition": "web:1"}));
            }
        });
        let thrown = end.await.unwrap_err();
        assert!(thrown.cause.contains("did not become stable"), "{thrown:?}");
        let path = path.borrow();
        let entered = |name: &str| path.iter().filter(|state| *state == name).count();
        assert_eq!(entered("Tell that it waits"), 1, "{path:?}");
        assert_eq!(entered("Tell that the rollback waits"), 1, "{path:?}");
        assert!(entered("Check rollback") > 3, "{path:?}");
        assert_eq!(rollouts(&account), ["web:1", "web:2", "web:3"]);
    });
}
