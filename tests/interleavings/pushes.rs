//! Two pushes of one repository, in any order of arrival, each delivered once or twice, or started once more by a person, in
//! any interleaving.

use crate::at_once::interleave;
use crate::situations::{config, outcome};
use ecr_deploy::domain::push::name::{is_of, is_of_repository};
use ecr_deploy_cli::report::name_of_execution;
use futures::future::LocalBoxFuture;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use std::sync::Arc;
use walker::account::{Account, list, short};
use walker::caller::{Caller, Grain};
use walker::machine::{Execution, Thrown, execution_of};
use walker::run;

/// An event that is delivered.
#[derive(Debug, Clone)]
struct Delivery {
    /// True if it tells of the newer push.
    is_newer: bool,
    /// When, in seconds after both pushes.
    after: i64,
    /// True if a person starts deploy-image with it, and not the launcher.
    is_by_hand: bool,
}

/// Two pushes and what is chosen by chance.
#[derive(Debug, Clone)]
struct Pushes {
    older: &'static str,
    newer: &'static str,
    deliveries: Vec<Delivery>,
    /// Which of those that can go on goes on.
    choices: Vec<u8>,
    by_calls: bool,
    breaker: Option<bool>,
}

fn pushes() -> impl Strategy<Value = Pushes> {
    let delivery = |is_newer| {
        let delivered = (0..240_i64, any::<bool>());
        delivered.prop_map(move |(after, is_by_hand)| Delivery {
            is_newer,
            after,
            is_by_hand,
        })
    };
    let deliveries = (
        proptest::collection::vec(delivery(false), 1..=2),
        proptest::collection::vec(delivery(true), 1..=2),
    );
    (
        prop_oneof![3 => Just("older"), 1 => Just("crash-older"), 1 => Just("exit-early-older")],
        prop_oneof![3 => Just("newer"), 1 => Just("crash-newer"), 1 => Just("exit-early-newer")],
        deliveries.prop_map(|(older, newer)| [older, newer].concat()),
        proptest::collection::vec(any::<u8>(), 64),
        any::<bool>(),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(older, newer, deliveries, choices, by_calls, breaker)| Pushes {
            older,
            newer,
            deliveries,
            choices,
            by_calls,
            breaker,
        })
}

/// How an execution ended: `None` when it did not deploy to the service. None where nothing was started, since the event had
/// come before.
type Ended = Option<(bool, Option<String>, Vec<(String, Result<Value, Thrown>)>)>;

async fn play(pushes: &Pushes) -> (Arc<Account>, Vec<Ended>) {
    let account = Account::new();
    let service = pushes.breaker.map_or(json!({}), |rollback| {
        json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}}})
    });
    account.seed_web("v1", &service);
    account.pass(5_000);
    let older = account.push(pushes.older);
    account.pass(3_000);
    let newer = account.push(pushes.newer);
    let begun = account.now();
    let grain = if pushes.by_calls { Grain::Calls } else { Grain::Steps };
    let acts = pushes.deliveries.iter().enumerate().map(|(place, delivery)| {
        let caller = Caller::new(&account, grain, None);
        let event = if delivery.is_newer { &newer } else { &older };
        let walker = caller.clone();
        let act: LocalBoxFuture<'_, Ended> = Box::pin(async move {
            walker.wait_until(begun + delivery.after * 1000).await;
            let execution = Execution::new(walker, config());
            let ended = if delivery.is_by_hand {
                execution.deploy_by_hand(&format!("by-hand-{place}"), event).await
            } else {
                execution.deploy(event).await
            };
            // It ends with a conclusion, or with what the launcher says.
            if ended.is_ok_and(|end| end.get("execution").is_some()) {
                return None;
            }
            let services = execution.services.take();
            Some((delivery.is_newer, outcome(&services), services))
        });
        (caller, act)
    });
    let mut choices = pushes.choices.iter().cycle();
    let choose = |options: usize| choices.next().map_or(0, |choice| usize::from(*choice) % options);
    let ended = interleave(&account, acts.collect(), choose).await;
    account.settle();
    (account, ended)
}

/// Which push a revision of `web` was registered for: 0 for none, 1 for the older one, 2 for the newer one.
fn push_of(account: &Account, pushes: &Pushes, revision: &str) -> u8 {
    let state = account.with(|it, _| it.state());
    let found = list(&state["families"]["web"])
        .iter()
        .find(|it| format!("web:{}", it["revision"]) == revision)
        .map(|it| it["images"].to_string())
        .unwrap_or_default();
    if found.contains(&format!(":{}\"", pushes.newer)) {
        2
    } else {
        u8::from(found.contains(&format!(":{}\"", pushes.older)))
    }
}

fn is_good(tag: &str) -> bool {
    tag.starts_with("older") || tag.starts_with("newer")
}

fn check(pushes: &Pushes) -> Result<(), TestCaseError> {
    let (account, ended) = run(play(pushes));
    let web = account.web();
    let rollouts: Vec<(String, u8, i64)> = list(&web["history"])
        .iter()
        .map(|rollout| {
            let revision = short(&rollout["taskDefinition"]).to_owned();
            let push = push_of(&account, pushes, &revision);
            (revision, push, rollout["createdAt"].as_i64().unwrap_or_default())
        })
        .collect();
    let on = push_of(&account, pushes, short(&web["taskDefinition"]));
    let told = format!("{ended:#?}\n{:#}", account.standing());

    if is_good(pushes.newer) {
        prop_assert_eq!(on, 2, "the service is on the newer push: {}", told);
    } else {
        prop_assert_ne!(on, 2, "the service is not on an image that is broken: {}", told);
    }
    prop_assert!(
        on != 1 || is_good(pushes.older),
        "the service is not on an image that is broken: {}",
        told
    );
    prop_assert_eq!(&web["readyCount"], 2, "it runs: {}", told);

    for is_newer in [false, true] {
        let of_push = |delivery: &&Delivery| delivery.is_newer == is_newer;
        let delivered = pushes.deliveries.iter().filter(of_push);
        let by_hand = delivered.clone().filter(|delivery| delivery.is_by_hand).count();
        let executions = by_hand + usize::from(delivered.count() > by_hand);
        let started = ended.iter().flatten().filter(|(newer, ..)| *newer == is_newer).count();
        prop_assert_eq!(started, executions, "an event starts one execution: {}", told);
    }
    for (is_newer, outcome, _) in ended.iter().flatten() {
        let allowed: &[&str] = match (is_newer, is_good(if *is_newer { pushes.newer } else { pushes.older })) {
            (true, true) => &["DEPLOYED", "ALREADY_DEPLOYED"],
            (true, false) => &["Deploy.RolledBack"],
            (false, true) => &["DEPLOYED", "ALREADY_DEPLOYED", "SUPERSEDED"],
            (false, false) => &["SUPERSEDED", "ROLL_BACK_SUPERSEDED", "Deploy.RolledBack"],
        };
        let is_allowed = match outcome {
            Some(outcome) => allowed.contains(&outcome.as_str()),
            // The newer push was there when it was planned.
            None => !is_newer,
        };
        prop_assert!(
            is_allowed,
            "{:?} of the push that is newer: {}: {}",
            outcome,
            is_newer,
            told
        );
    }

    // Never back from the newer push to the older one, unless the newer one is broken. Call by call, an update can come
    // after a read that is outdated: then it is put back at once.
    for three in rollouts.windows(3).filter(|_| is_good(pushes.newer)) {
        let flaps = three[0].1 == 2 && three[1].1 == 1 && three[2].1 == 2;
        let is_put_right = pushes.by_calls && three[2].2 - three[1].2 < 2_000;
        prop_assert!(!flaps || is_put_right, "no flapping: {:?} {}", rollouts, told);
    }
    let attempts = rollouts.iter().filter(|rollout| rollout.1 == 2).count();
    prop_assert!(
        is_good(pushes.newer) || pushes.by_calls || attempts <= 1,
        "a broken image is tried once, however often its event comes: {:?} {}",
        rollouts,
        told
    );

    // At most one revision for each (revision in use, push), and of the others none is left.
    let standing = account.standing();
    let mut made: Vec<String> = list(&standing["families"]["web"])
        .iter()
        .filter(|revision| revision["active"] == true && !list(&revision["tags"]).is_empty())
        .map(|revision| revision["tags"].to_string())
        .collect();
    made.sort();
    let all = made.len();
    made.dedup();
    prop_assert_eq!(made.len(), all, "each revision once: {}", told);
    Ok(())
}

/// The same cases in every run, unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` says others.
fn cases() -> ProptestConfig {
    let mut config = ProptestConfig {
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 48;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_service_ends_on_the_newer_push_whatever_the_order_and_the_interleaving(pushes in pushes()) {
        check(&pushes)?;
    }
}

#[test]
fn a_push_that_was_superseded_by_a_broken_one_ends_superseded_too_when_a_person_starts_it_once_more() {
    let delivery = |is_newer, after| Delivery {
        is_newer,
        after,
        is_by_hand: after == 240,
    };
    let pushes = Pushes {
        older: "older",
        newer: "crash-newer",
        deliveries: vec![delivery(false, 16), delivery(true, 20), delivery(false, 240)],
        choices: vec![0],
        by_calls: false,
        breaker: Some(false),
    };
    check(&pushes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..cases() })]

    /// The command and the sweep find a push by it.
    #[test]
    fn the_name_of_an_execution_tells_the_repository_and_the_tag_of_its_push(
        repository in "[a-z0-9]{1,20}(/[a-z0-9._-]{0,20}[a-z0-9]){0,3}",
        tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,60}",
        id in prop_oneof!["[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "sweep-[0-9a-f]{16}", "[a-z-]{1,79}"],
        is_of_cloudtrail in any::<bool>(),
    ) {
        let detail = if is_of_cloudtrail {
            json!({"requestParameters": {"repositoryName": repository, "imageTag": tag}})
        } else {
            json!({"repository-name": repository, "image-tag": tag})
        };
        let account = Account::new();
        let execution = Execution::new(Caller::new(&account, Grain::Alone, None), config());
        let launched = run(execution.launch(&json!({"id": id, "detail": detail}))).unwrap();
        let name = execution_of(&launched);
        prop_assert!((1..=80).contains(&name.len()), "{}", name);
        prop_assert!(is_of(name, &repository, &tag), "{}", name);
        let is_whole = name.len() < 80;
        prop_assert!(!is_whole || is_of_repository(name, &repository), "{}", name);
        prop_assert!(!is_whole || !is_of(name, "another", &tag) , "{}", name);
    }

    /// The command finds the execution of a service by it. Its log takes no other characters.
    #[test]
    fn the_name_of_a_services_execution_is_that_of_the_command_and_one_for_cloudwatch_logs(
        tag in "older[A-Za-z0-9._-]{0,60}",
    ) {
        let account = Account::new();
        account.seed_web("v1", &json!({}));
        account.pass(5_000);
        let event = account.push(&tag);
        let execution = Execution {
            stop_at: Some("Update service"),
            ..Execution::new(Caller::new(&account, Grain::Alone, None), config())
        };
        let stopped = run(execution.deploy(&event)).unwrap_err();
        let invocation: Value = serde_json::from_str(&stopped.cause).unwrap();
        let id = invocation["Payload"]["execution"]["id"].as_str().unwrap();
        let name = id.rsplit(':').next().unwrap();
        let expected = name_of_execution("", &tag, "", "web");
        // The walker has another hash.
        let (expected, _) = expected.split_at(expected.len() - 11);
        prop_assert!(name.starts_with(expected), "{} {}", name, expected);
        prop_assert!(name.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it)), "{}", name);
    }
}
