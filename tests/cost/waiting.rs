//! The reads of services whose rollouts are slow, after the last of them has begun.

use ecr_deploy::function::config::Config;
use serde_json::{Value, json};
use simulated_ecs::{Seed, Settings};
use std::time::Duration;
use walker::account::Account;
use walker::caller::{Caller, Grain};
use walker::functions::Sandboxes;
use walker::machine::Execution;
use walker::run;
use walker::step_functions::StepFunctions;

const SERVICES: u32 = 300;

/// Rollouts take a quarter of an hour.
const SPEED: f64 = 0.04;

fn report(account: &Account) -> Value {
    let (_, report) = account.with(|it, now| it.administer(now, "GET", "calls", "", b""));
    report
}

#[test]
fn three_hundred_services_that_wait_leave_three_quarters_of_the_service_reads() {
    let waited = run(async {
        let account = Account::on_tokios_clock(Settings {
            speed: SPEED,
            throttling: true,
            ..Settings::default()
        });
        account.seed(Seed {
            services: usize::try_from(SERVICES).unwrap(),
            families: Some(10),
            service_name: "web".to_owned(),
            ..Seed::default()
        });
        local_aws::pause(Duration::from_hours(1)).await;
        account.with(|it, _| it.reset_calls());
        let sandboxes = Sandboxes::new(StepFunctions::new());
        let caller = Caller::new(&account, Grain::Alone, None);
        let execution = Execution::among(&sandboxes, caller, Config::default());
        let event = account.push("v2");
        let last_update = async {
            while report(&account)["operations"]["UpdateService"]["calls"] != SERVICES {
                local_aws::pause(Duration::from_secs(1)).await;
            }
            // From here on, they only wait.
            account.with(|it, _| it.reset_calls());
        };
        let (ended, ()) = futures::join!(execution.deploy(&event), last_update);
        assert!(ended.is_ok(), "{ended:?}");
        report(&account)
    });
    let bucket = &waited["buckets"]["serviceRead"];
    assert!(bucket["lowest"].as_f64().unwrap() >= 75.0, "{bucket}");
    let calls = waited["operations"].as_object().unwrap().iter();
    let calls: Vec<(&str, u64)> = calls
        .map(|(operation, count)| (operation.as_str(), count["calls"].as_u64().unwrap()))
        .collect();
    // About one a minute for each service, and one at the end.
    assert_eq!(
        calls,
        [
            ("DescribeServiceRevisions", 2888),
            ("DescribeServices", 4642),
            ("DescribeTasks", 2794),
            ("ListServiceDeployments", 2888),
            ("ListTasks", 4642),
        ]
    );
}

/// A rollout may take half an hour; a pause of two weeks is the longest that ECS has.
#[test]
fn a_pause_of_days_is_read_less_and_less_often_and_does_not_count_for_the_deadline() {
    for (days, reads) in [(1, 110..=170), (14, 300..=400)] {
        let report = run(async {
            let account = Account::on_tokios_clock(Settings {
                speed: 1.0,
                ..Settings::default()
            });
            let timeout = json!({"timeoutInMinutes": days * 1440, "action": "CONTINUE"});
            let hook =
                json!({"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"], "timeoutConfiguration": timeout});
            let configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, "lifecycleHooks": [hook]});
            let service = json!({"deploymentConfiguration": configuration});
            account.seed(Seed {
                service_name: "web".to_owned(),
                service: service.as_object().cloned().unwrap_or_default(),
                ..Seed::default()
            });
            account.with(|it, _| it.reset_calls());
            let sandboxes = Sandboxes::new(StepFunctions::new());
            let caller = Caller::new(&account, Grain::Alone, None);
            let execution = Execution::among(&sandboxes, caller, Config::default());
            let ended = execution.deploy(&account.push("v2")).await;
            assert!(ended.is_ok(), "{ended:?}");
            report(&account)
        });
        let calls = |operation: &str| report["operations"][operation]["calls"].as_u64().unwrap_or_default();
        assert_eq!(calls("UpdateService"), 1, "the update, and nothing back: {report:#}");
        assert!(
            reads.contains(&calls("DescribeServiceDeployments")),
            "{days} days: {report:#}"
        );
    }
}
