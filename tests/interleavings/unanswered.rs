//! That nobody can answer is no verdict: a throttled Lambda, a function that runs out of time, an ECS that does not answer. Each
//! state tries for as long as a rollout may take, and only then it ends; the message says so, and blames no image.

use crate::situations::config;
use crate::support::all;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use walker::account::{Account, list};
use walker::caller::{Caller, Grain};
use walker::machine::{Execution, Thrown};
use walker::run;

/// Every state that invokes a function on the way of a push whose image is good, and of one whose image is bad.
const STATES: [(&str, &str); 8] = [
    ("Find task definitions", "v2"),
    ("Register revision", "v2"),
    ("Update service", "v2"),
    ("Check stability", "v2"),
    ("Sum up", "v2"),
    ("Conclude", "crash"),
    ("Roll back", "crash"),
    ("Check rollback", "crash"),
];

/// How long a rollout may take by default, in milliseconds.
const ROLLOUT: i64 = 30 * 60 * 1000;

/// The end of a push to `web`, which is on `web:1`.
struct Walked {
    ended: Result<Value, Thrown>,
    service: Option<Result<Value, Thrown>>,
    account: Arc<Account>,
    /// The states that were entered.
    path: Vec<String>,
    /// The attempts that were refused.
    refused: u32,
}

/// Walks a push; from the first time that it comes to `state`, that state's function is refused for so many milliseconds.
async fn walk(tag: &str, state: &str, error: &str, milliseconds: i64) -> Walked {
    let account = Account::new();
    account.seed_web("v1", &json!({}));
    account.pass(5_000);
    let event = account.push(tag);
    let caller = Caller::new(&account, Grain::Alone, None);
    let (until, refused, path) = (Cell::new(None), Cell::new(0), RefCell::default());
    let execution = Execution {
        entering: Box::new(|name| Vec::push(&mut path.borrow_mut(), name.to_owned())),
        refusing: Box::new(|name| {
            if name != state {
                return None;
            }
            let now = account.now();
            let end = until.get().unwrap_or(now + milliseconds);
            until.set(Some(end));
            (now < end).then(|| {
                refused.set(refused.get() + 1);
                Thrown {
                    error: error.to_owned(),
                    cause: "Rate Exceeded.".to_owned(),
                }
            })
        }),
        ..Execution::new(
            caller,
            Config {
                sends_messages: true,
                writes_parameters: true,
                ..config()
            },
        )
    };
    let ended = execution.deploy(&event).await;
    let service = execution.services.take().pop().map(|(_, ended)| ended);
    drop(execution);
    Walked {
        ended,
        service,
        path: path.take(),
        refused: refused.get(),
        account,
    }
}

fn message(thrown: &Thrown) -> String {
    let cause: Value = serde_json::from_str(&thrown.cause).unwrap_or_default();
    cause["errorMessage"].as_str().unwrap_or(&thrown.cause).to_owned()
}

#[test]
fn in_every_state_a_minute_and_a_whole_rollout_without_an_answer_change_nothing_in_the_end() {
    let cases: Vec<(&str, &str, &str, i64)> = STATES
        .iter()
        .flat_map(|(state, tag)| {
            let errors = Error::PASSING
                .into_iter()
                .map(move |error| (*state, *tag, error, 60_000));
            errors.chain([(*state, *tag, "Lambda.TooManyRequestsException", ROLLOUT)])
        })
        .collect();
    all(
        &cases,
        |case| case.0,
        |(state, tag, error, milliseconds)| {
            let walked = run(walk(tag, state, error, *milliseconds));
            let at = format!("{error} for {milliseconds} ms, {} attempts", walked.refused);
            if walked.refused < 2 {
                return Err(format!("{at}: nothing was refused"));
            }
            let outcome = match &walked.service {
                Some(Ok(output)) => output["outcome"].as_str().unwrap_or_default().to_owned(),
                Some(Err(thrown)) => thrown.error.clone(),
                None => String::new(),
            };
            let wanted = if *tag == "v2" { "DEPLOYED" } else { "Deploy.RolledBack" };
            if outcome != wanted {
                return Err(format!("{at}: {outcome} {:?} {:?}", walked.service, walked.ended));
            }
            Ok(())
        },
    );
}

/// It is taken back, since nobody knows whether it is well; the rollback is tried for as long, and blames no image.
#[test]
fn a_rollout_that_nobody_could_read_until_its_time_was_over_is_rolled_back_and_told_so() {
    let walked = run(walk(
        "v2",
        "Check stability",
        "Lambda.TooManyRequestsException",
        i64::MAX / 2,
    ));
    let begun = walked.account.now();
    let thrown = walked.service.unwrap().unwrap_err();
    assert_eq!(thrown.error, "Deploy.RolledBack");
    let message = message(&thrown);
    for says in [
        "web in production is not known to be stable on web:2 with app:v2: nobody could read it until its time was over \
         (Lambda.TooManyRequestsException: Rate Exceeded.; tried since 2026-",
        "That is no verdict on the image. It is back on web:1 and stable. Redrive this execution",
    ] {
        assert!(message.contains(says), "{message}");
    }
    assert!(!message.contains("Fix the image"), "{message}");
    assert!(begun > ROLLOUT);
    let attempts = walked.path.iter().filter(|state| *state == "Check stability").count();
    assert_eq!(attempts, 1, "it is one visit: {:?}", walked.path);
    let web = walked.account.web();
    let rollouts: Vec<&str> = list(&web["history"])
        .iter()
        .map(|rollout| walker::account::short(&rollout["taskDefinition"]))
        .collect();
    assert_eq!(rollouts, ["web:1", "web:2", "web:1"]);
}

#[test]
fn a_rollback_that_nobody_could_begin_says_since_when_it_was_tried() {
    let walked = run(walk("crash", "Roll back", "Lambda.ServiceException", i64::MAX / 2));
    let thrown = walked.service.unwrap().unwrap_err();
    assert_eq!(thrown.error, "Deploy.RollBackFailed");
    let message = message(&thrown);
    assert!(message.contains("app exited with code 1"), "{message}");
    assert!(
        message.contains("The rollback failed too (Lambda.ServiceException: Rate Exceeded.; tried since 2026-"),
        "{message}"
    );
}

/// Nothing hangs on an event, on a message or on a parameter: a green push stays green, and a red one red.
#[test]
fn news_that_cannot_be_sent_changes_nothing() {
    let events = [
        ("Tell what begins", "v2"),
        ("Tell that it started", "v2"),
        ("Tell how it ended", "v2"),
        ("Tell that it failed", "crash"),
    ];
    let messages = [("Send message", "v2"), ("Send message", "crash")];
    let of_events = events.into_iter().flat_map(|(state, tag)| {
        [
            "EventBridge.FailedEntry",
            "EventBridge.AmazonEventBridgeException",
            "EventBridge.EventBridgeException",
            "EventBridge.AccessDeniedException",
        ]
        .map(|error| (state, tag, error))
    });
    let of_messages = messages.into_iter().flat_map(|(state, tag)| {
        [
            "SNS.ThrottledException",
            "SNS.AmazonSNSException",
            "SNS.SnsException",
            "SNS.AuthorizationErrorException",
        ]
        .map(|error| (state, tag, error))
    });
    let parameters = [
        ("Read parameters", "v2"),
        ("Write parameters?", "v2"),
        ("Write parameter", "v2"),
        ("Write parameter", "crash"),
    ];
    let of_parameters = parameters.map(|(state, tag)| (state, tag, "Ssm.AccessDeniedException"));
    let cases: Vec<(&str, &str, &str)> = of_events.chain(of_messages).chain(of_parameters).collect();
    all(
        &cases,
        |case| case.2,
        |(state, tag, error)| {
            let walked = run(walk(tag, state, error, i64::MAX / 2));
            let is_passing = !["AccessDeniedException", "AuthorizationErrorException"]
                .iter()
                .any(|it| error.ends_with(it));
            let least = if is_passing { 5 } else { 1 };
            if walked.refused < least {
                return Err(format!("{state}: refused {} times", walked.refused));
            }
            match (*tag, &walked.service, &walked.ended) {
                ("v2", Some(Ok(service)), Ok(_)) if service["outcome"] == "DEPLOYED" => Ok(()),
                ("crash", Some(Err(service)), Err(push))
                    if service.error == "Deploy.RolledBack" && push.error == "Deploy.ServicesFailed" =>
                {
                    Ok(())
                }
                other => Err(format!("{state}: {other:?}")),
            }
        },
    );
}

/// AWS documents few of these names, so each may be the one that is thrown.
#[test]
fn an_execution_of_a_service_that_cannot_be_started_for_a_quarter_of_an_hour_is_started_then() {
    let errors = [
        "StepFunctions.ExecutionLimitExceeded",
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.KmsThrottlingException",
        "StepFunctions.SdkClientException",
        "StepFunctions.AWSStepFunctionsException",
        "StepFunctions.SfnException",
    ];
    all(
        &errors,
        |error| error,
        |error| {
            let walked = run(walk("v2", "Deploy the only service", error, ROLLOUT / 2));
            match (&walked.service, &walked.ended) {
                (Some(Ok(service)), Ok(_)) if service["outcome"] == "DEPLOYED" && walked.refused > 5 => Ok(()),
                other => Err(format!("refused {} times: {other:?}", walked.refused)),
            }
        },
    );
}
