//! Weather: each fault, and the second deployer.

use serde_json::{Value, json};
use simulated_ecs::{Api, Reply, Settings, Weather};

use crate::account::{Account, image};

fn under(weather: &Value) -> Account {
    let mut account = Account::with_service(1, &json!({}));
    account.register(&image("v2"));
    account
        .simulation
        .set_weather(account.now, serde_json::from_value(weather.clone()).unwrap())
        .unwrap();
    account
}

impl Account {
    fn receive(&mut self, operation: &str, request: &Value) -> Reply {
        self.simulation.receive(self.now, Api::Ecs, operation, request)
    }

    fn outcome(&mut self, operation: &str, request: &Value) -> String {
        match self.receive(operation, request).answer {
            None => "cut".to_owned(),
            Some(Ok(_)) => "ok".to_owned(),
            Some(Err(error)) => format!("{} {}", error.status, error.code),
        }
    }

    fn revision_in_place(&mut self) -> String {
        self.simulation.state()["services"][0]["taskDefinition"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn update() -> Value {
    json!({"service": "web", "taskDefinition": "web:2"})
}

#[test]
fn each_fault_has_its_outcome_and_is_applied_or_not() {
    let table = [
        ("throttle", "400 ThrottlingException", false),
        ("serverError", "500 ServerException", false),
        ("deny", "400 AccessDeniedException", false),
        ("tooManyConcurrent", "400 ClientException", false),
        ("cutBefore", "cut", false),
        ("cutAfter", "cut", true),
        ("slow", "ok", true),
        ("stale", "ok", true),
    ];
    for (fault, outcome, applied) in table {
        let mut account = under(&json!({"faults": [{"fault": fault, "operation": "UpdateService", "times": 1}]}));
        assert_eq!(account.outcome("UpdateService", &update()), outcome, "{fault}");
        assert_eq!(account.revision_in_place().ends_with(":2"), applied, "{fault}");
        assert_eq!(account.outcome("UpdateService", &update()), "ok", "{fault}: once only");
    }
}

#[test]
fn the_service_deployments_api_can_answer_with_nothing() {
    let mut account = under(&json!({"faults": [
        {"fault": "empty", "operation": "ListServiceDeployments"},
        {"fault": "empty", "operation": "DescribeServiceRevisions"},
    ]}));
    let arns = json!({"serviceRevisionArns": ["arn:aws:ecs:eu-west-1:1:service-revision/default/web/1"]});
    let listed = account
        .receive("ListServiceDeployments", &json!({"service": "web"}))
        .answer;
    assert_eq!(listed.unwrap().unwrap(), json!({"serviceDeployments": []}));
    let described = account.receive("DescribeServiceRevisions", &arns).answer;
    assert_eq!(
        described.unwrap().unwrap(),
        json!({"serviceRevisions": [], "failures": []})
    );
    let weather: Weather =
        serde_json::from_value(json!({"faults": [{"fault": "empty", "operation": "ListTasks"}]})).unwrap();
    assert!(weather.check().unwrap_err().contains("ListTasks"));
}

#[test]
fn a_fault_strikes_where_and_when_it_is_told_to() {
    let read = json!({"services": ["web"]});
    let table = [
        (json!({"operation": "UpdateService"}), ["ok", "ok", "ok", "ok"]),
        (json!({"subject": "other"}), ["ok", "ok", "ok", "ok"]),
        (json!({"subject": "web"}), ["500", "500", "500", "500"]),
        (json!({"skip": 1, "times": 2}), ["ok", "500", "500", "ok"]),
        (
            json!({"fromMilliseconds": 1000, "untilMilliseconds": 3000}),
            ["ok", "500", "500", "ok"],
        ),
        (json!({"chance": 0.0}), ["ok", "ok", "ok", "ok"]),
    ];
    for (more, expected) in table {
        let mut fault = json!({"fault": "serverError"});
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut account = under(&json!({"faults": [fault]}));
        for outcome in expected {
            assert!(
                account.outcome("DescribeServices", &read).starts_with(outcome),
                "{more}"
            );
            account.wait(1);
        }
    }
}

#[test]
fn chance_replays_with_the_seed() {
    let run = |seed: u64| {
        let weather: Weather =
            serde_json::from_value(json!({"faults": [{"fault": "serverError", "chance": 0.5}]})).unwrap();
        let mut account = Account::with(Settings {
            seed,
            weather,
            ..Settings::default()
        });
        (0..64)
            .map(|_| account.outcome("ListClusters", &json!({})))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    let struck = run(1).iter().filter(|outcome| *outcome != "ok").count();
    assert!((16..=48).contains(&struck), "{struck} of 64");
}

#[test]
fn a_slow_answer_says_how_slow() {
    let mut account = under(&json!({"faults": [{"fault": "slow", "milliseconds": 700}]}));
    assert_eq!(account.receive("UpdateService", &update()).delay_milliseconds, 700);
}

#[test]
fn reads_after_a_stale_write_show_what_was_before_for_a_while() {
    let mut account =
        under(&json!({"faults": [{"fault": "stale", "operation": "UpdateService", "milliseconds": 3000}]}));
    account.receive("UpdateService", &update());
    assert!(account.service()["taskDefinition"].as_str().unwrap().ends_with(":1"));
    assert_eq!(account.statuses().len(), 1);
    account.wait(4);
    assert!(account.service()["taskDefinition"].as_str().unwrap().ends_with(":2"));
    assert_eq!(account.statuses().len(), 2);
}

#[test]
fn reads_after_a_stale_registration_show_the_revision_by_its_number_only() {
    let mut account =
        under(&json!({"faults": [{"fault": "stale", "operation": "RegisterTaskDefinition", "milliseconds": 3000}]}));
    for family in ["web", "new"] {
        let document = json!({"family": family, "containerDefinitions": [{"name": "app", "image": "x"}]});
        account.receive("RegisterTaskDefinition", &document);
    }
    let shown = |account: &mut Account| {
        let mut member = |operation: &str, request: Value, path: &str| {
            account.call(operation, request).pointer(path).unwrap().to_string()
        };
        let revision = "/taskDefinition/revision";
        (
            member("DescribeTaskDefinition", json!({"taskDefinition": "web"}), revision),
            member("DescribeTaskDefinition", json!({"taskDefinition": "web:3"}), revision),
            member("ListTaskDefinitions", json!({}), "/taskDefinitionArns")
                .matches(":task-definition/")
                .count(),
            member("ListTaskDefinitionFamilies", json!({}), "/families"),
            account
                .try_call("DescribeTaskDefinition", &json!({"taskDefinition": "new"}))
                .is_ok(),
        )
    };
    let expected = |newest: &str, count: usize, families: &str, described: bool| {
        (newest.to_owned(), "3".to_owned(), count, families.to_owned(), described)
    };
    assert_eq!(shown(&mut account), expected("2", 2, r#"["web"]"#, false));
    account.wait(3);
    assert_eq!(shown(&mut account), expected("3", 4, r#"["new","web"]"#, true));
}

#[test]
fn reads_after_a_stale_deed_show_what_was_before_for_a_while() {
    let mut account = under(&json!({
        "faults": [{"fault": "staleDeed", "operation": "UpdateService", "milliseconds": 3000}],
        "schedule": [{"atMilliseconds": 1000, "operation": "UpdateService",
                      "request": {"service": "web", "taskDefinition": "web:2"}}],
    }));
    account.wait(2);
    assert!(account.revision_in_place().ends_with(":2"));
    assert!(account.service()["taskDefinition"].as_str().unwrap().ends_with(":1"));
    account.wait(3);
    assert!(account.service()["taskDefinition"].as_str().unwrap().ends_with(":2"));
    account.receive("UpdateService", &json!({"service": "web", "desiredCount": 2}));
    assert_eq!(
        account.service()["desiredCount"],
        json!(2),
        "of clients nothing is stale"
    );
}

/// AWS's table: the calls that share a bucket, how many of them at once, how many a second afterwards.
const BUCKETS: [(&[&str], usize, usize); 9] = [
    (
        &[
            "RegisterTaskDefinition",
            "DeregisterTaskDefinition",
            // Of this one it is not known whose it is.
            "DeleteTaskDefinitions",
        ],
        20,
        1,
    ),
    (
        &[
            "DescribeTaskDefinition",
            "ListTaskDefinitions",
            "ListTaskDefinitionFamilies",
        ],
        50,
        20,
    ),
    (
        &[
            "CreateService",
            "UpdateService",
            "DeleteService",
            "StopServiceDeployment",
        ],
        50,
        5,
    ),
    (&["DescribeServices", "ListServices"], 100, 20),
    (&["ListServiceDeployments", "DescribeServiceDeployments"], 50, 20),
    (&["DescribeServiceRevisions"], 50, 20),
    (&["CreateCluster", "DeleteCluster"], 20, 1),
    (&["DescribeClusters", "ListClusters"], 50, 20),
    (&["ListTasks", "DescribeTasks"], 100, 20),
];

impl Account {
    fn throttled() -> Self {
        Self::with(Settings {
            throttling: true,
            ..Settings::default()
        })
    }

    /// How many calls get a token at once; 300: nothing limits them.
    fn tokens(&mut self, operation: &str) -> usize {
        (0..300).take_while(|_| self.has_token(operation)).count()
    }

    /// True if a call gets a token, with a request that need not be right: a refused one is a call too.
    fn has_token(&mut self, operation: &str) -> bool {
        self.outcome(operation, &json!({})) != "400 ThrottlingException"
    }
}

#[test]
fn buckets_hold_so_many_calls_and_fill_at_so_many_a_second() {
    for (operations, burst, per_second) in BUCKETS {
        let mut account = Account::throttled();
        assert_eq!(account.tokens(operations[0]), burst, "{operations:?} at once");
        account.wait(2);
        assert_eq!(
            account.tokens(operations[0]),
            per_second * 2,
            "{operations:?} after two seconds"
        );
    }
}

#[test]
fn the_calls_of_a_category_share_a_bucket_and_no_others_do() {
    let models: Value = serde_json::from_str(include_str!("../../src/shapes.json")).unwrap();
    let all: Vec<&String> = models["ecs"]["operations"].as_object().unwrap().keys().collect();
    for (sharing, ..) in BUCKETS {
        for drain in sharing {
            let mut account = Account::throttled();
            account.tokens(drain);
            for other in &all {
                assert_eq!(
                    account.has_token(other),
                    !sharing.contains(&other.as_str()),
                    "{other} after {drain}"
                );
            }
        }
    }
    let is_listed = |operation: &&&String| {
        BUCKETS
            .iter()
            .any(|(sharing, ..)| sharing.contains(&operation.as_str()))
    };
    for free in all.iter().filter(|operation| !is_listed(operation)) {
        assert_eq!(Account::throttled().tokens(free), 300, "{free}");
    }
}

#[test]
fn a_second_deployer_acts_at_a_time_or_after_a_call() {
    let mut timed = under(&json!({"schedule": [
        {"atMilliseconds": 5000, "operation": "UpdateService", "request": {"service": "web", "desiredCount": 0}},
    ]}));
    timed.wait(4);
    assert_eq!(timed.service()["desiredCount"], json!(1));
    timed.wait(2);
    assert_eq!(timed.service()["desiredCount"], json!(0));

    let mut triggered = under(&json!({"schedule": [
        {"after": {"operation": "UpdateService", "milliseconds": 500},
         "operation": "UpdateService", "request": {"taskDefinition": "web:1"}},
    ]}));
    triggered.receive("UpdateService", &update());
    assert!(triggered.revision_in_place().ends_with(":2"));
    triggered.wait(1);
    assert!(
        triggered.revision_in_place().ends_with(":1"),
        "the service is the one of the call before"
    );
    triggered.receive("UpdateService", &update());
    triggered.wait(60);
    assert!(triggered.revision_in_place().ends_with(":2"), "once only");
    assert_eq!(
        triggered.simulation.state()["secondDeployers"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_service_or_a_cluster_can_vanish_half_way() {
    for (operation, service, cluster) in [("_RemoveService", "MISSING", "ok"), ("_RemoveCluster", "", "400")] {
        let mut account = under(&json!({"schedule": [
            {"after": {"operation": "UpdateService"}, "operation": operation},
        ]}));
        account.receive("UpdateService", &update());
        account.wait(1);
        let read = json!({"services": ["web"]});
        assert!(
            account.outcome("DescribeServices", &read).starts_with(cluster),
            "{operation}"
        );
        if !service.is_empty() {
            assert_eq!(
                account.call("DescribeServices", read)["failures"][0]["reason"],
                json!(service)
            );
        }
    }
}

#[test]
fn weather_that_makes_no_sense_is_refused() {
    let table = [
        (json!({"faults": [{"fault": "slow", "chance": 2}]}), "chance"),
        (
            json!({"faults": [{"fault": "slow", "operation": "UpdateServise"}]}),
            "UpdateServise",
        ),
        (json!({"faults": [{"fault": "stale"}]}), "every operation"),
        (
            json!({"faults": [{"fault": "stale", "operation": "DeleteService"}]}),
            "DeleteService",
        ),
        (
            json!({"faults": [{"fault": "staleDeed", "operation": "ListServices"}]}),
            "ListServices",
        ),
        (json!({"schedule": [{"operation": "UpdateService"}]}), "atMilliseconds"),
        (
            json!({"schedule": [{"atMilliseconds": 1, "operation": "Nothing"}]}),
            "Nothing",
        ),
        (
            json!({"schedule": [{"atMilliseconds": 1, "operation": "UpdateService", "request": "web"}]}),
            "not a structure",
        ),
        (
            json!({"schedule": [{"atMilliseconds": 1, "operation": "UpdateService", "request": {}}]}),
            "\"service\"",
        ),
        (
            json!({"schedule": [{"atMilliseconds": 1, "operation": "UpdateService",
                                 "request": {"service": "web", "taskDef": "web:1"}}]}),
            "taskDef",
        ),
        (
            json!({"schedule": [{"after": {"operation": "UpdateService"}, "operation": "_RemoveCluster",
                                 "request": {"clustr": "default"}}]}),
            "clustr",
        ),
        (
            json!({"schedule": [{"after": {"operation": "RegisterTaskDefinition"}, "operation": "UpdateService"}]}),
            "\"service\"",
        ),
    ];
    for (weather, word) in table {
        let weather: Weather = serde_json::from_value(weather).unwrap();
        let message = weather.check().unwrap_err();
        assert!(message.contains(word), "{message}");
    }
    assert!(serde_json::from_value::<Weather>(json!({"faults": [{"fault": "rain"}]})).is_err());
}
