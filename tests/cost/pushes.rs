//! The calls from a push to the last `UpdateService`.

use serde_json::{Value, json};
use simulated_ecs::{Seed, Settings};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use walker::account::Account;
use walker::caller::{Caller, Grain};
use walker::run;
use walker::warm::Functions;

/// How large an account is.
#[derive(Debug, Clone, Copy)]
struct Size {
    services: usize,
    /// Those that the services are on.
    families: usize,
    /// How many of all families run the image, from the first.
    matching: usize,
    /// How many more families there are.
    standalone: usize,
}

impl Size {
    /// Without families that no service is on.
    fn of_services((services, families, matching): (usize, usize, usize)) -> Self {
        Self {
            services,
            families,
            matching,
            standalone: 0,
        }
    }
}

/// An account of this size; seeded long ago, with the rate limits that AWS documents.
async fn account(size: Size) -> (Arc<Account>, Functions) {
    let account = Account::on_tokios_clock(Settings {
        throttling: true,
        call_log: true,
        ..Settings::default()
    });
    account.seed(Seed {
        services: size.services,
        families: Some(size.families),
        matching: Some(size.matching),
        standalone_families: size.standalone,
        service_name: "web".to_owned(),
        ..Seed::default()
    });
    local_aws::pause(Duration::from_hours(1)).await;
    let caller = Caller::new(&account, Grain::Alone, None);
    let clock = account.clone();
    let functions = Functions::new(move || caller.ecs(), move || clock.timestamp());
    (account, functions)
}

/// The report on what was called since the last one: of ECS, and how often of Step Functions.
fn report(account: &Account, functions: &Functions) -> Value {
    let mut report = account.with(|it, now| {
        let (_, report) = it.administer(now, "GET", "calls", "", b"");
        it.reset_calls();
        report
    });
    match functions.listed() {
        0 => {}
        listed => report["operations"]["ListExecutions"] = json!({"calls": listed, "errors": {}}),
    }
    report
}

fn calls(report: &Value) -> BTreeMap<&str, u64> {
    let operations = report["operations"].as_object().unwrap().iter();
    operations
        .map(|(operation, count)| (operation.as_str(), count["calls"].as_u64().unwrap()))
        .collect()
}

/// Checks the calls of a push to a cold search, and those of the search for a next push by the same function, warm. None is
/// throttled. Returns the report on the first.
#[track_caller]
fn check(of: (usize, usize, usize), cold: &[(&str, u64)], warm: &[(&str, u64)]) -> Value {
    check_of(Size::of_services(of), cold, warm)
}

/// The same of an account that may have more families.
#[track_caller]
fn check_of(size: Size, cold: &[(&str, u64)], warm: &[(&str, u64)]) -> Value {
    let (first, next) = run(async {
        let (account, functions) = account(size).await;
        report(&account, &functions);
        functions.deploy(&account.push("v2")).await.unwrap();
        let first = report(&account, &functions);
        local_aws::pause(Duration::from_hours(1)).await;
        functions.find(&account.push("v3")).await.unwrap();
        (first, report(&account, &functions))
    });
    assert_eq!(calls(&first), cold.iter().copied().collect());
    assert_eq!(calls(&next), warm.iter().copied().collect(), "warm");
    for (operation, count) in first["operations"].as_object().unwrap() {
        assert_eq!(count["errors"], json!({}), "{operation}");
    }
    first
}

/// Checks that others could have taken half of each bucket of reads at any time, in whole calls.
#[track_caller]
fn check_half_full(report: &Value) {
    for bucket in ["serviceRead", "taskDefinitionRead"] {
        let report = &report["buckets"][bucket];
        let (lowest, burst) = (report["lowest"].as_f64().unwrap(), report["burst"].as_f64().unwrap());
        assert!(lowest.round() >= burst / 2.0, "{bucket}: {report}");
    }
}

#[test]
fn eight_services_on_eight_families() {
    let report = check(
        (8, 8, 8),
        &[
            ("ListClusters", 1),
            ("ListServices", 1),
            ("DescribeServices", 1 + 8),
            ("ListTaskDefinitionFamilies", 1),
            ("DescribeTaskDefinition", 8 + 8),
            ("RegisterTaskDefinition", 8),
            ("UpdateService", 8),
            // By the search; then at most once in ten seconds and sandbox.
            ("ListExecutions", 1 + 8),
        ],
        &[
            ("ListClusters", 1),
            ("ListServices", 1),
            ("DescribeServices", 1),
            ("ListTaskDefinitionFamilies", 1),
            // The new revisions.
            ("DescribeTaskDefinition", 8),
            ("ListExecutions", 1),
        ],
    );
    check_half_full(&report);
}

#[test]
fn a_hundred_services_on_a_hundred_families() {
    check(
        (100, 100, 100),
        &[
            ("ListClusters", 1),
            ("ListServices", 1),
            ("DescribeServices", 10 + 100),
            ("ListTaskDefinitionFamilies", 1),
            ("DescribeTaskDefinition", 100 + 100),
            ("RegisterTaskDefinition", 100),
            ("UpdateService", 100),
            // By the search, twice since it is long; then at most once in ten seconds and sandbox.
            ("ListExecutions", 2 + 26),
        ],
        &[
            ("ListClusters", 1),
            ("ListServices", 1),
            ("DescribeServices", 10),
            ("ListTaskDefinitionFamilies", 1),
            ("DescribeTaskDefinition", 100),
            ("ListExecutions", 2),
        ],
    );
}

#[test]
fn a_thousand_services_on_twenty_families() {
    let report = check(
        (1000, 20, 20),
        &[
            ("ListClusters", 1),
            ("ListServices", 10),
            ("DescribeServices", 100 + 1000),
            ("ListTaskDefinitionFamilies", 1),
            ("DescribeTaskDefinition", 20 + 20),
            ("RegisterTaskDefinition", 20),
            ("UpdateService", 1000),
            // By the search, twice since it is long; then at most once in ten seconds and sandbox.
            ("ListExecutions", 2 + 142),
        ],
        &[
            ("ListClusters", 1),
            ("ListServices", 10),
            ("DescribeServices", 100),
            ("ListTaskDefinitionFamilies", 1),
            ("DescribeTaskDefinition", 20),
            ("ListExecutions", 2),
        ],
    );
    check_half_full(&report);
}

#[test]
fn five_thousand_services_on_two_thousand_families_of_which_ten_match() {
    let report = check(
        (5000, 2000, 10),
        &[
            ("ListClusters", 1),
            ("ListServices", 50),
            // Each of the ten families has three services.
            ("DescribeServices", 500 + 30),
            ("ListTaskDefinitionFamilies", 20),
            ("DescribeTaskDefinition", 2000 + 10),
            ("RegisterTaskDefinition", 10),
            ("UpdateService", 30),
            // By the search, twice since it lasts; then at most once in ten seconds and sandbox.
            ("ListExecutions", 2 + 30),
        ],
        &[
            ("ListClusters", 1),
            ("ListServices", 50),
            ("DescribeServices", 500),
            ("ListTaskDefinitionFamilies", 20),
            // The 1,990 revisions that are still in use are not read again, so nothing lasts after the services are seen.
            ("DescribeTaskDefinition", 10),
            ("ListExecutions", 1),
        ],
    );
    check_half_full(&report);
}

#[test]
fn five_thousand_services_that_all_match_are_refused_before_anything_is_changed() {
    let (error, report) = run(async {
        let (account, functions) = account(Size::of_services((5000, 100, 100))).await;
        report(&account, &functions);
        let error = functions.find(&account.push("v2")).await.unwrap_err();
        (error, report(&account, &functions))
    });
    assert_eq!(error.name(), "Deploy.InvalidInput");
    let message = error.to_string();
    for part in ["5000 services", "100 task definitions", "clusters or repositories"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(
        calls(&report),
        BTreeMap::from([
            ("ListClusters", 1),
            ("ListServices", 50),
            ("DescribeServices", 500),
            ("ListTaskDefinitionFamilies", 1),
            ("DescribeTaskDefinition", 100),
            ("ListExecutions", 2),
        ])
    );
    check_half_full(&report);
}

/// Families that no service is on: for scheduled and one-off tasks. Half of them run the image.
const WITH_STANDALONE_FAMILIES: Size = Size {
    services: 8,
    families: 8,
    matching: 28,
    standalone: 40,
};

#[test]
fn eight_services_on_eight_families_and_forty_families_without_a_service() {
    check_of(
        WITH_STANDALONE_FAMILIES,
        &[
            ("ListClusters", 1),
            ("ListServices", 1),
            ("DescribeServices", 1 + 8),
            ("ListTaskDefinitionFamilies", 1),
            // Each once by the search, and those that match once more by its registration.
            ("DescribeTaskDefinition", 48 + 28),
            ("RegisterTaskDefinition", 28),
            ("UpdateService", 8),
            // By the search, twice since it is long; then at most once in ten seconds and sandbox.
            ("ListExecutions", 2 + 8),
        ],
        &[
            ("ListClusters", 1),
            ("ListServices", 1),
            ("DescribeServices", 1),
            ("ListTaskDefinitionFamilies", 1),
            // The new revisions of the services, and every other family, since which revision is its newest is asked each time.
            ("DescribeTaskDefinition", 8 + 40),
            ("ListExecutions", 2),
        ],
    );
}

#[test]
fn the_revisions_that_services_are_on_are_read_before_other_families() {
    let log = run(async {
        let (account, functions) = account(WITH_STANDALONE_FAMILIES).await;
        report(&account, &functions);
        functions.find(&account.push("v2")).await.unwrap();
        account.with(|it, _| it.call_log().to_vec())
    });
    let read = log.iter().filter(|call| call["operation"] == "DescribeTaskDefinition");
    let read: Vec<&str> = read
        .map(|call| call["parameters"]["taskDefinition"].as_str().unwrap())
        .collect();
    let (of_services, of_families) = read.split_at(8);
    for (place, revision) in of_services.iter().enumerate() {
        let is_of_a_service = (1..=8).any(|number| revision.ends_with(&format!("/web-{number}:1")));
        assert!(is_of_a_service, "number {place} is {revision}");
    }
    // By their names: ECS knows which of their revisions is the newest.
    let mut families: Vec<String> = (9..=48).map(|number| format!("web-{number}")).collect();
    families.sort();
    let mut read = of_families.to_vec();
    read.sort_unstable();
    assert_eq!(read, families);
}
