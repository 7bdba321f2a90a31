//! Backpressure: many pushes at the same time, with the rate limits that AWS documents for ECS and for Step Functions. The state
//! machines are walked to their ends, all at the same time.

use ecr_deploy::function::config::Config;
use futures::future::join_all;
use serde_json::Value;
use simulated_ecs::{Seed, Settings};
use std::sync::Arc;
use std::time::Duration;
use walker::account::{Account, REGISTRY, REPOSITORY, list};
use walker::caller::{Caller, Grain};
use walker::functions::Sandboxes;
use walker::machine::Execution;
use walker::run;
use walker::step_functions::{AT_ONCE, Listed, StepFunctions};

const PUSHES: usize = 20;
const SERVICES: usize = 50;

/// Twenty of them are within a second.
const APART: Duration = Duration::from_millis(50);

fn account() -> Arc<Account> {
    Account::on_tokios_clock(Settings {
        throttling: true,
        ..Settings::default()
    })
}

/// So many services that run a repository, named after it, on so many families.
fn seed(account: &Account, repository: &str, services: usize, families: usize) {
    account.push_to(repository, "v0", None);
    account.seed(Seed {
        services,
        families: Some(families),
        service_name: repository.to_owned(),
        image: Some(format!("{REGISTRY}/{repository}:v0")),
        ..Seed::default()
    });
}

/// Pushes an image of each name, one so long after the other, walks every push to its end, and checks that each goes well.
/// Returns how often Step Functions was asked for its executions.
async fn deploy(account: &Arc<Account>, images: &[(String, String)], apart: Duration, lists_left: f64) -> Listed {
    local_aws::pause(Duration::from_hours(1)).await;
    account.with(|it, _| it.reset_calls());
    let sandboxes = Sandboxes::new(StepFunctions::with_lists_left(lists_left));
    let walks = images.iter().zip(0_u32..).map(async |((repository, tag), number)| {
        local_aws::pause(apart * number).await;
        let event = account.push_to(repository, tag, None);
        let caller = Caller::new(account, Grain::Alone, None);
        let execution = Execution::among(&sandboxes, caller, Config::default());
        let ended = execution.deploy(&event).await;
        assert!(ended.is_ok(), "{repository}:{tag}: {ended:?}");
    });
    join_all(walks).await;
    sandboxes.step_functions.listed()
}

/// The image that each service's tasks run, as its revision names it, and how its rollout stands.
fn standing(account: &Account) -> Vec<(String, String, String)> {
    let state = account.with(|it, _| it.state());
    let services = list(&state["services"]).iter().map(|service| {
        let revision = walker::account::short(&service["taskDefinition"]);
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

/// Checks that each of so many services runs the image with this tag, of the repository that it runs.
fn assert_all_are_on(account: &Account, services: usize, tag: &str) {
    let standing = standing(account);
    assert_eq!(standing.len(), services);
    for (service, image, rollout) in standing {
        assert!(
            image.ends_with(&format!(":{tag}")) && rollout == "COMPLETED",
            "{service}: {image} {rollout}"
        );
    }
}

/// The calls that these buckets granted, and those that they refused.
fn taken(account: &Account, is_meant: impl Fn(&str) -> bool) -> Vec<(String, u64, u64)> {
    let (_, report) = account.with(|it, now| it.administer(now, "GET", "calls", "", b""));
    let meant = report["buckets"].as_object().unwrap().iter();
    let meant = meant.filter(|(bucket, _)| is_meant(bucket)).map(|(bucket, report)| {
        let number = |name: &str| report[name].as_u64().unwrap();
        (bucket.clone(), number("taken"), number("withoutToken"))
    });
    meant.collect()
}

fn is_of_changes(bucket: &str) -> bool {
    bucket.ends_with("Modify")
}

/// Checks that no bucket of calls that change something refused more than this part of what it granted.
#[track_caller]
fn assert_few_changes_are_refused(account: &Account, part: f64) {
    for (bucket, taken, refused) in taken(account, is_of_changes) {
        let most = f64::from(u32::try_from(taken).unwrap()) * part;
        assert!(
            f64::from(u32::try_from(refused).unwrap()) <= most,
            "{bucket}: {taken} granted, {refused} refused"
        );
    }
}

/// Calls that change something are scheduled: hardly any is refused.
const HARDLY_ANY: f64 = 0.05;

/// The numbers of granted and refused calls leave room for others: of changes hardly any is refused, and of reads
/// fewer are refused than are granted by half.
fn assert_the_limits_hold(account: &Account) {
    assert_few_changes_are_refused(account, HARDLY_ANY);
    for (bucket, taken, refused) in taken(account, |bucket| !is_of_changes(bucket)) {
        assert!(refused <= taken / 2, "{bucket}: {taken} granted, {refused} refused");
    }
}

/// Images of twenty repositories.
fn of_twenty_repositories() -> Vec<(String, String)> {
    let numbers = 1..=PUSHES;
    numbers
        .map(|number| (format!("app-{number}"), "v1".to_owned()))
        .collect()
}

#[test]
fn of_twenty_pushes_within_a_second_to_the_same_services_the_newest_wins() {
    run(async {
        let account = account();
        seed(&account, REPOSITORY, SERVICES, SERVICES);
        let images = (1..=PUSHES).map(|push| (REPOSITORY.to_owned(), format!("v{push}")));
        let images: Vec<_> = images.collect();
        let listed = deploy(&account, &images, APART, AT_ONCE).await;
        assert_all_are_on(&account, SERVICES, &format!("v{PUSHES}"));
        assert_the_limits_hold(&account);
        assert_eq!(listed.refused, 0, "{listed:?}");
    });
}

#[test]
fn twenty_pushes_within_a_second_to_different_services_all_arrive() {
    run(async {
        let account = account();
        let images = of_twenty_repositories();
        for (repository, _) in &images {
            seed(&account, repository, SERVICES, 5);
        }
        let listed = deploy(&account, &images, APART, AT_ONCE).await;
        assert_all_are_on(&account, PUSHES * SERVICES, "v1");
        assert_the_limits_hold(&account);
        assert_eq!(listed.refused, 0, "{listed:?}");
    });
}

/// Twenty pushes within a second, each to so many services on as many families. Returns the account as it is then, and
/// how often Step Functions was asked, which grants so many lists at once.
async fn small_pushes(services: usize, lists_left: f64) -> (Arc<Account>, Listed) {
    let account = account();
    let images = of_twenty_repositories();
    for (repository, _) in &images {
        seed(&account, repository, services, services);
    }
    let listed = deploy(&account, &images, APART, lists_left).await;
    assert_all_are_on(&account, PUSHES * services, "v1");
    (account, listed)
}

fn check_small_pushes(services: usize) {
    let (account, listed) = run(small_pushes(services, AT_ONCE));
    assert_few_changes_are_refused(&account, HARDLY_ANY);
    // Nobody needs the count of those that wait at once: what is refused is asked again later.
    assert!(listed.refused <= listed.granted, "{listed:?}");
}

#[test]
fn twenty_pushes_of_one_service_each_share_what_is_granted() {
    check_small_pushes(1);
}

#[test]
fn twenty_pushes_of_five_services_each_share_what_is_granted() {
    check_small_pushes(5);
}

#[test]
fn twenty_pushes_of_ten_services_each_share_what_is_granted() {
    check_small_pushes(10);
}

#[test]
fn twenty_pushes_of_eighteen_services_each_share_what_is_granted() {
    check_small_pushes(18);
}

#[test]
fn where_step_functions_does_not_tell_how_many_there_are_all_arrive_though_more_is_refused() {
    let (account, listed) = run(small_pushes(5, 10.0));
    assert!(listed.refused > 0, "{listed:?}");
    // A push that does not know of others takes all that is granted at once, as the others do.
    assert_few_changes_are_refused(&account, 8.0);
}

/// Two pushes of thirty families each, which are more than is registered at once.
async fn two_pushes(apart: Duration) -> Arc<Account> {
    let account = account();
    let images = ["app-1", "app-2"].map(|repository| (repository.to_owned(), "v1".to_owned()));
    for (repository, _) in &images {
        seed(&account, repository, 30, 30);
    }
    deploy(&account, &images, apart, AT_ONCE).await;
    assert_all_are_on(&account, 60, "v1");
    account
}

#[test]
fn of_two_pushes_five_seconds_apart_the_second_one_finds_the_bucket_of_registrations_empty() {
    let account = run(two_pushes(Duration::from_secs(5)));
    // The first one, which was alone, has taken what is granted at once, and takes what is granted a second; the second one
    // takes half of both.
    assert_few_changes_are_refused(&account, 2.0);
}

#[test]
fn of_two_pushes_a_minute_apart_none_is_refused() {
    let account = run(two_pushes(Duration::from_secs(65)));
    assert_few_changes_are_refused(&account, 0.0);
}
