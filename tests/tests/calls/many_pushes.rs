//! Backpressure: twenty pushes within a second, with the rate limits that AWS documents. The state machines are walked to
//! their ends, all at the same time.

use crate::account::{Account, Caller, Grain, REGISTRY, REPOSITORY, list};
use crate::machine::Execution;
use crate::support::run;
use futures::future::join_all;
use serde_json::Value;
use shared::config::Config;
use simulated_ecs::{Seed, Settings};
use std::sync::Arc;
use std::time::Duration;

const PUSHES: usize = 20;
const SERVICES: usize = 50;

fn account() -> Arc<Account> {
    Account::on_tokios_clock(Settings {
        throttling: true,
        ..Settings::default()
    })
}

/// Fifty services that run a repository, named after it, on so many families.
fn seed(account: &Account, repository: &str, families: usize) {
    account.push_to(repository, "v0", None);
    account.seed(Seed {
        services: SERVICES,
        families: Some(families),
        service_name: repository.to_owned(),
        image: Some(format!("{REGISTRY}/{repository}:v0")),
        ..Seed::default()
    });
}

/// Walks every push to its end, and puts out whether each went well.
async fn deploy(account: &Arc<Account>, events: &[Value]) -> Vec<bool> {
    let walks = events.iter().map(async |event| {
        let caller = Caller::new(account, Grain::Alone, None);
        let execution = Execution::new(caller, Config::default());
        let ended = execution.deploy(event).await;
        if let Err(thrown) = &ended {
            eprintln!("{thrown:?}");
        }
        ended.is_ok()
    });
    join_all(walks).await
}

/// The image that each service's tasks run, as its revision names it, and how its rollout stands.
fn standing(account: &Account) -> Vec<(String, String, String)> {
    let state = account.with(|it, _| it.state());
    let services = list(&state["services"]).iter().map(|service| {
        let revision = crate::account::short(&service["taskDefinition"]);
        let (family, number) = revision.split_once(':').unwrap();
        let mut revisions = list(&state["families"][family]).iter();
        let found = revisions
            .find(|it| it["revision"].as_u64() == number.parse().ok())
            .unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (
            text(&service["serviceName"]),
            text(&found["images"][0]),
            text(&service["rolloutState"]),
        )
    });
    services.collect()
}

/// What was granted and refused, by bucket, stays within what leaves room for others: what is changed is paced, so that hardly
/// anything is refused, and of reads fewer are refused than are granted by half.
fn assert_the_limits_hold(account: &Account) {
    let (_, report) = account.with(|it, now| it.administer(now, "GET", "calls", "", b""));
    for (bucket, report) in report["buckets"].as_object().unwrap() {
        let number = |name: &str| report[name].as_u64().unwrap();
        let (taken, refused) = (number("taken"), number("withoutToken"));
        let most = if bucket.ends_with("Modify") {
            taken / 20
        } else {
            taken / 2
        };
        assert!(refused <= most, "{bucket}: {taken} granted, {refused} refused");
    }
}

#[test]
fn of_twenty_pushes_within_a_second_to_the_same_services_the_newest_wins() {
    run(async {
        let account = account();
        seed(&account, REPOSITORY, SERVICES);
        local_aws::pause(Duration::from_hours(1)).await;
        let mut events = Vec::new();
        for push in 1..=PUSHES {
            events.push(account.push(&format!("v{push}")));
            local_aws::pause(Duration::from_millis(50)).await;
        }
        let ended = deploy(&account, &events).await;
        assert_eq!(ended, [true; PUSHES]);
        for (service, image, rollout) in standing(&account) {
            assert_eq!(
                (image, rollout.as_str()),
                (format!("{REGISTRY}/app:v{PUSHES}"), "COMPLETED"),
                "{service}"
            );
        }
        assert_the_limits_hold(&account);
    });
}

#[test]
fn twenty_pushes_within_a_second_to_different_services_all_arrive() {
    run(async {
        let account = account();
        let repositories: Vec<String> = (1..=PUSHES).map(|number| format!("app-{number}")).collect();
        for repository in &repositories {
            seed(&account, repository, 5);
        }
        local_aws::pause(Duration::from_hours(1)).await;
        let mut events = Vec::new();
        for repository in &repositories {
            events.push(account.push_to(repository, "v1", None));
            local_aws::pause(Duration::from_millis(50)).await;
        }
        let ended = deploy(&account, &events).await;
        assert_eq!(ended, [true; PUSHES]);
        let standing = standing(&account);
        assert_eq!(standing.len(), PUSHES * SERVICES);
        for (service, image, rollout) in standing {
            assert!(
                image.ends_with(":v1") && rollout == "COMPLETED",
                "{service}: {image} {rollout}"
            );
        }
        assert_the_limits_hold(&account);
    });
}
