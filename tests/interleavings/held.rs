//! A hold of everything, walked through the real state machines.

use crate::situations::config;
use ecr_deploy::function::config::Config;
use serde_json::{Value, json};
use simulated_ecs::Seed;
use std::cell::RefCell;
use std::sync::Arc;
use walker::account::{Account, REGISTRY, REPOSITORY, list, short};
use walker::caller::{Caller, Grain};
use walker::machine::{Execution, Thrown};
use walker::run;

const AUDIT: &str = "ann - no deployments until the audit is over";

/// The message of a push that is held.
fn says(text: &str) -> String {
    format!(
        "everything is on hold by the parameter /ecr-deploy/ecr-deploy/hold: {text:?}. When that is lifted, the next \
         sweep deploys it; or push again, or start the event by hand"
    )
}

fn account() -> Arc<Account> {
    let account = Account::new();
    account.seed_web("v1", &json!({}));
    account.pass(5_000);
    account
}

async fn deployed(account: &Arc<Account>, event: &Value) -> Value {
    let caller = Caller::new(account, Grain::Alone, None);
    Execution::new(caller, config()).deploy(event).await.unwrap()
}

/// The revisions of the rollouts of `web`.
fn rollouts(account: &Account) -> Vec<String> {
    let web = account.web();
    let history = list(&web["history"]);
    history
        .iter()
        .map(|rollout| short(&rollout["taskDefinition"]).to_owned())
        .collect()
}

#[test]
fn a_push_is_held_in_green_as_long_as_the_parameter_is_there_and_then_deployed() {
    run(async {
        let account = account();
        for (tag, text) in [
            ("v2", AUDIT),
            ("v3", "until 2100-01-01T00:00:00Z"),
            ("v4", "until tomorrow"),
        ] {
            account.set_hold(Some(text));
            let end = deployed(&account, &account.push(tag)).await;
            assert_eq!(end["message"], says(text), "{tag}");
            assert_eq!(
                (&end["skipped"][0]["resource"], &end["skipped"][0]["reason"]),
                (&json!("web in production"), &json!("ALL_ON_HOLD"))
            );
            assert_eq!(rollouts(&account), ["web:1"], "{tag}");
        }
        let held = account.push("v5");
        deployed(&account, &held).await;
        assert_eq!(rollouts(&account), ["web:1"]);
        account.set_hold(None);
        let caller = Caller::new(&account, Grain::Alone, None);
        let by_hand = Execution::new(caller, config());
        by_hand.deploy_by_hand("by-hand", &held).await.unwrap();
        assert_eq!(
            rollouts(&account),
            ["web:1", "web:2"],
            "what was held is started by hand"
        );
        for (tag, text) in [("v6", "none"), ("v7", "until 2020-01-01T00:00:00Z long over")] {
            account.set_hold(Some(text));
            account.pass(60_000);
            let end = deployed(&account, &account.push(tag)).await;
            assert_eq!(end["services"][0]["outcome"], "DEPLOYED", "{tag}");
        }
    });
}

#[test]
fn a_plan_that_is_asked_for_alone_tells_what_is_held() {
    run(async {
        let account = account();
        account.set_hold(Some(AUDIT));
        let mut event = account.push("v2");
        event["plan"] = json!(true);
        let end = deployed(&account, &event).await;
        let skipped = json!([{"resource": "web in production", "reason": "ALL_ON_HOLD", "message": says(AUDIT)}]);
        assert_eq!((&end["revisions"], &end["skipped"]), (&json!([]), &skipped));
    });
}

/// As much of a text is told as a service's tag can have.
#[test]
fn a_long_text_is_cut() {
    run(async {
        let account = account();
        account.set_hold(Some(&"x".repeat(8192)));
        let end = deployed(&account, &account.push("v2")).await;
        assert_eq!(end["message"], says(&"x".repeat(256)));
    });
}

/// Walks a push while SSM refuses to answer for so many milliseconds. Returns how it ended, the states, and the account.
async fn unread(milliseconds: i64) -> (Result<Value, Thrown>, Vec<String>, Arc<Account>) {
    let account = account();
    let event = account.push("v2");
    let begun = account.now();
    let path = RefCell::new(Vec::new());
    let execution = Execution {
        entering: Box::new(|name| path.borrow_mut().push(name.to_owned())),
        refusing: Box::new(|name| {
            let is_refused = name == "Read hold" && account.now() < begun + milliseconds;
            is_refused.then(|| Thrown {
                error: "Ssm.ThrottlingException".to_owned(),
                cause: "Rate exceeded".to_owned(),
            })
        }),
        ..Execution::new(Caller::new(&account, Grain::Alone, None), config())
    };
    let ended = execution.deploy_by_hand("by-hand", &event).await;
    drop(execution);
    (ended, path.into_inner(), account)
}

#[test]
fn what_ssm_does_not_answer_is_asked_for_as_long_as_a_rollout_may_take_and_then_nothing_is_deployed() {
    let (ended, _, account) = run(unread(30 * 60 * 1000));
    assert_eq!(ended.unwrap()["services"][0]["outcome"], "DEPLOYED");
    assert_eq!(rollouts(&account), ["web:1", "web:2"]);

    let (ended, path, account) = run(unread(i64::MAX / 2));
    assert_eq!(ended.unwrap_err().error, "Ssm.ThrottlingException");
    assert_eq!(path, ["Read hold"], "a redrive reads it again");
    assert_eq!(rollouts(&account), ["web:1"]);
}

/// `web` is in production, which comes after staging; `staging-web` is in staging.
fn staged() -> Config {
    let stages = json!([
        {"name": "staging", "services": ["staging-*"], "tags": ["v*"]},
        {"name": "production", "services": ["web"], "tags": ["v*"], "after": "staging", "soakSeconds": 600},
    ]);
    Config {
        stages: serde_json::from_value(stages).unwrap(),
        ..config()
    }
}

#[test]
fn a_hold_that_is_set_during_a_soak_keeps_production_as_it_is() {
    for (text, expected) in [(None, "DEPLOYED"), (Some(AUDIT), "")] {
        run(async {
            let account = account();
            account.seed(Seed {
                image: Some(format!("{REGISTRY}/{REPOSITORY}:v1")),
                service_name: "staging-web".to_owned(),
                ..Seed::default()
            });
            let event = account.push("v2");
            let path = RefCell::new(Vec::new());
            let execution = Execution {
                entering: Box::new(|name| {
                    path.borrow_mut().push(name.to_owned());
                    if name == "Soak" {
                        account.set_hold(text);
                    }
                }),
                ..Execution::new(Caller::new(&account, Grain::Alone, None), staged())
            };
            let end = execution.deploy(&event).await.unwrap();
            drop(execution);
            let outcomes: Vec<&str> = list(&end["services"])
                .iter()
                .filter(|it| it["service"] == "web")
                .filter_map(|it| it["outcome"].as_str())
                .collect();
            assert_eq!(outcomes.concat(), expected, "{end}");
            let path = path.into_inner();
            let soaked = path.iter().skip_while(|state| *state != "Soak");
            let soaked: Vec<&str> = soaked.map(String::as_str).take(6).collect();
            let before = [
                "Soak",
                "Still stable?",
                "Read hold again",
                "On hold?",
                "Does it follow?",
            ];
            let next = if text.is_some() { "Sum up" } else { "Next wave" };
            assert_eq!(soaked, [before.as_slice(), &[next]].concat());
            if let Some(text) = text {
                assert_eq!(rollouts(&account), ["web:1"]);
                let says = format!("app:v2 is deployed to 1 service; 1 skipped; {}", says(text));
                assert_eq!(end["message"], says);
                let skipped = json!([{"resource": "1 service of production", "reason": "ALL_ON_HOLD", "message": self::says(text)}]);
                assert_eq!(end["skipped"], skipped);
            }
        });
    }
}
