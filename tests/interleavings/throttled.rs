//! Calls that ECS throttles while others act.

use crate::situations::{Played, SITUATIONS};
use futures::future::LocalBoxFuture;
use futures::poll;
use serde_json::{Value, json};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use walker::account::{list, short};
use walker::caller::{Caller, Grain, Stage};
use walker::machine::STOPPED;
use walker::run;

/// The input of "Update service" for the push, with another `repeated`.
async fn asked(played: &Played<'_>, repeated: bool) -> Value {
    let stopped = played.walk_to(Some("Update service"), None).await.ended.unwrap_err();
    assert_eq!(stopped.error, STOPPED, "{stopped:?}");
    let mut arguments: Value = serde_json::from_str(&stopped.cause).unwrap();
    arguments["Payload"]["input"]["repeated"] = repeated.into();
    arguments
}

/// Lets an invocation go on until it has made so many calls and is about to make the next one, or to its end.
async fn go_on<T>(caller: &Arc<Caller>, act: &mut LocalBoxFuture<'_, T>, calls: usize) -> Option<T> {
    loop {
        if let Poll::Ready(end) = poll!(&mut *act) {
            return Some(end);
        }
        if caller.stage() == Stage::Going {
            tokio::time::advance(Duration::from_millis(100)).await;
        } else if caller.calls().len() == calls {
            return None;
        } else {
            caller.permit();
        }
    }
}

/// Makes an execution late.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Late {
    /// ECS turns its update away.
    Update,
    /// The last call of its read is throttled, again and again, for some seconds.
    Snapshot,
}

/// One execution reads the service; the other one deploys the image, which crashes, and takes it back, while the first one
/// is late. Returns what that returns, and the rollouts that there were.
async fn meets_the_rollback(repeated: bool, late: Late) -> (Value, Vec<String>) {
    let situation = SITUATIONS
        .iter()
        .find(|it| it.name == "a broken image without a circuit breaker")
        .unwrap();
    let smooth = situation.play();
    let arguments = asked(&smooth, repeated).await;
    let caller = Caller::new(&smooth.account, Grain::Alone, None);
    let functions = smooth.functions(&caller);
    functions.invoke(&arguments, smooth.account.timestamp()).await.unwrap();
    let reads = caller
        .calls()
        .iter()
        .position(|call| call.operation == "UpdateService")
        .unwrap();

    let played = situation.play();
    let arguments = asked(&played, repeated).await;
    let caller = Caller::new(&played.account, Grain::Calls, None);
    let functions = played.functions(&caller);
    let mut first: LocalBoxFuture<'_, _> = Box::pin(functions.invoke(&arguments, played.account.timestamp()));
    let made = if late == Late::Update { reads } else { reads - 1 };
    assert!(go_on(&caller, &mut first, made).await.is_none(), "it goes on");
    let other = played.walk_by_hand(Some("Check rollback")).await;
    assert_eq!(other.ended.unwrap_err().error, STOPPED);
    match late {
        Late::Update => {
            let throttle = json!({"fault": "throttle", "operation": "UpdateService", "times": 1});
            played.account.weather(&json!({"faults": [throttle]}));
        }
        Late::Snapshot => tokio::time::advance(Duration::from_secs(7)).await,
    }
    let returned = go_on(&caller, &mut first, usize::MAX).await.unwrap().unwrap();
    let next = &caller.calls()[reads].operation;
    assert_eq!(next == "UpdateService", late == Late::Update, "{next}");
    played.account.settle();
    let web = played.account.web();
    let rollouts = list(&web["history"]).iter();
    let rollouts = rollouts.map(|rollout| short(&rollout["taskDefinition"]).to_owned());
    (returned, rollouts.collect())
}

#[test]
fn an_update_that_is_throttled_while_another_execution_takes_the_bad_image_back_does_not_deploy_it_again() {
    for repeated in [false, true] {
        let (returned, rollouts) = run(meets_the_rollback(repeated, Late::Update));
        assert_eq!(returned["outcome"], "ROLLING_BACK", "{repeated}: {returned:#}");
        assert_eq!(rollouts, ["web:1", "web:2"], "{repeated}: {returned:#}");
    }
}

#[test]
fn a_read_during_which_the_bad_image_is_deployed_and_taken_back_does_not_deploy_it_again() {
    let (returned, rollouts) = run(meets_the_rollback(true, Late::Snapshot));
    assert_eq!(returned["outcome"], "ROLLING_BACK", "{returned:#}");
    assert_eq!(rollouts, ["web:1", "web:2"], "{returned:#}");
}
