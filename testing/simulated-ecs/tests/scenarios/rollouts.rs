//! Rollouts: what becomes of a service for each behaviour of the new image, and of the service itself.

use serde_json::{Value, json};

use crate::account::{Account, image};

fn breaker(enable: bool, rollback: bool) -> Value {
    json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": enable, "rollback": rollback}}})
}

/// The state of a deployment of two tasks after ten minutes: the revision in place, its rollout state, the status of
/// the newest service deployment.
fn after_ten_minutes(tag: &str, service: &Value) -> (u64, String, String) {
    let mut account = Account::with_service(2, service);
    account.deploy(tag);
    account.wait(600);
    let service = account.service();
    let primary = &service["deployments"][0];
    let revision = service["taskDefinition"]
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let state = primary["rolloutState"].as_str().unwrap().to_owned();
    (
        revision,
        state,
        account.service_deployment()["status"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn a_rollout_ends_as_its_image_behaves_and_the_circuit_breaker_is_set() {
    let (off, on, back) = (breaker(false, false), breaker(true, false), breaker(true, true));
    let table = [
        ("v2", &off, (2, "COMPLETED", "SUCCESSFUL")),
        ("v2", &back, (2, "COMPLETED", "SUCCESSFUL")),
        ("slow", &back, (2, "COMPLETED", "SUCCESSFUL")),
        ("once", &back, (2, "COMPLETED", "SUCCESSFUL")),
        ("crash-later", &back, (2, "COMPLETED", "SUCCESSFUL")),
        ("exit-early", &off, (2, "IN_PROGRESS", "IN_PROGRESS")),
        ("exit-early", &on, (2, "FAILED", "STOPPED")),
        ("exit-early", &back, (1, "COMPLETED", "ROLLBACK_SUCCESSFUL")),
        ("nopull", &off, (2, "IN_PROGRESS", "IN_PROGRESS")),
        ("nopull", &on, (2, "FAILED", "STOPPED")),
        ("nopull", &back, (1, "COMPLETED", "ROLLBACK_SUCCESSFUL")),
        ("unhealthy", &off, (2, "IN_PROGRESS", "IN_PROGRESS")),
        ("unhealthy", &back, (1, "COMPLETED", "ROLLBACK_SUCCESSFUL")),
        ("noplace", &off, (2, "IN_PROGRESS", "IN_PROGRESS")),
        ("noplace", &back, (1, "COMPLETED", "ROLLBACK_SUCCESSFUL")),
        // A task that exits after RUNNING is not counted: the endless crash loop of containers-roadmap#1206.
        ("crash", &back, (2, "IN_PROGRESS", "IN_PROGRESS")),
        ("oom", &back, (2, "IN_PROGRESS", "IN_PROGRESS")),
    ];
    for (tag, service, (revision, state, status)) in table {
        let expected = (revision, state.to_owned(), status.to_owned());
        assert_eq!(after_ten_minutes(tag, service), expected, "{tag} with {service}");
    }
}

#[test]
fn tasks_that_are_held_stay_pending_until_they_are_released() {
    let mut account = Account::with_service(2, &breaker(false, false));
    let image = image("v2");
    account.simulation.hold_tasks(&image);
    account.deploy("v2");
    account.wait(3600);
    let held = account.service();
    assert_eq!(held["deployments"][0]["rolloutState"], "IN_PROGRESS", "{held:#}");
    assert_eq!(held["deployments"][0]["pendingCount"], 2, "{held:#}");
    let now = account.now;
    account.simulation.release_tasks(now, &image);
    account.wait(60);
    let released = account.service();
    assert_eq!(released["deployments"][0]["rolloutState"], "COMPLETED", "{released:#}");
}

#[test]
fn a_stopped_task_says_why() {
    let table = [
        ("exit-early", "EssentialContainerExited", Some(1), ""),
        ("crash", "EssentialContainerExited", Some(1), ""),
        ("oom", "EssentialContainerExited", Some(137), "OutOfMemoryError"),
        ("nopull", "TaskFailedToStart", None, "CannotPullContainerError"),
        ("unhealthy", "ServiceSchedulerInitiated", Some(137), ""),
    ];
    for (tag, stop_code, exit_code, reason) in table {
        let mut account = Account::with_service(1, &json!({}));
        let revision = account.deploy(tag);
        account.wait(120);
        let stopped = account.tasks("STOPPED");
        let task = stopped
            .iter()
            .find(|task| task["taskDefinitionArn"] == json!(revision))
            .expect(tag);
        let container = &task["containers"][0];
        assert_eq!(task["stopCode"], json!(stop_code), "{tag}");
        assert_eq!(container["exitCode"].as_i64(), exit_code, "{tag}");
        assert!(
            container["reason"].as_str().unwrap_or_default().starts_with(reason),
            "{tag}: {container}"
        );
        assert_eq!(
            task["startedAt"].is_number(),
            !["exit-early", "nopull"].contains(&tag),
            "{tag}"
        );
        let started_by = task["startedBy"].as_str().unwrap();
        assert!(started_by.starts_with("ecs-svc/"), "{tag}: {started_by}");
    }
}

#[test]
fn a_task_ends_as_the_first_of_its_containers_does_in_whatever_order_they_are_listed() {
    for (one, other, culprit) in [
        ("protected-v1", "nopull", "nopull"),
        ("slow-v1", "exit-early", "exit-early"),
        ("unhealthy", "crash", "crash"),
        ("crash", "nopull", "nopull"),
    ] {
        for tags in [[one, other], [other, one]] {
            let mut account = Account::with_service(1, &json!({}));
            let containers = tags.map(|tag| json!({"name": tag, "image": image(tag), "essential": true}));
            let revision = account.call(
                "RegisterTaskDefinition",
                json!({"family": "web", "containerDefinitions": containers}),
            );
            let revision = &revision["taskDefinition"]["taskDefinitionArn"];
            account.call("UpdateService", json!({"service": "web", "taskDefinition": revision}));
            account.wait(600);
            let stopped = account.tasks("STOPPED");
            let task = stopped.iter().find(|task| task["taskDefinitionArn"] == *revision);
            let containers = task.expect(one)["containers"].as_array().unwrap();
            let ended: Vec<&Value> = containers
                .iter()
                .filter(|container| container["exitCode"] == 1 || container["reason"].is_string())
                .map(|container| &container["name"])
                .collect();
            assert_eq!(ended, [culprit], "{tags:?}: {containers:?}");
        }
    }
}

#[test]
fn a_protected_task_stays_but_is_wanted_only_where_the_minimum_needs_it() {
    for (minimum, wanted) in [(0, 0), (50, 1), (100, 2)] {
        let mut account = Account::with_service(
            2,
            &json!({"deploymentConfiguration": {"minimumHealthyPercent": minimum, "maximumPercent": 200}}),
        );
        account.deploy("protected-v1");
        account.wait(300);
        account.deploy("noplace");
        account.wait(60);
        let old = &account.service()["deployments"][1];
        assert_eq!(
            (&old["runningCount"], &old["desiredCount"]),
            (&json!(2), &json!(wanted)),
            "{minimum}: {old}"
        );
    }
}

#[test]
fn an_image_that_cannot_be_placed_leaves_an_event_and_no_task() {
    let mut account = Account::with_service(1, &json!({}));
    let revision = account.deploy("noplace");
    account.wait(60);
    assert!(
        account
            .tasks("STOPPED")
            .iter()
            .all(|task| task["taskDefinitionArn"] != json!(revision))
    );
    let service = account.service();
    assert!(
        service["events"][0]["message"]
            .as_str()
            .unwrap()
            .contains("was unable to place a task"),
        "{service}"
    );
    assert!(service["deployments"][0]["failedTasks"].as_u64().unwrap() > 0);
}

#[test]
fn that_no_task_can_be_placed_is_told_again_after_six_hours_or_once_none_was_missing() {
    let mut account = Account::with_service(1, &json!({}));
    let told = |account: &mut Account, seconds: i64| {
        account.wait(seconds);
        let service = account.service();
        let events = service["events"].as_array().unwrap().iter();
        events
            .filter(|event| event["message"].as_str().unwrap().contains("unable to place"))
            .count()
    };
    account.deploy("noplace");
    assert_eq!((told(&mut account, 10), told(&mut account, 5 * 3600)), (1, 1));
    account.deploy("noplace-2");
    assert_eq!((told(&mut account, 10), told(&mut account, 2 * 3600)), (1, 2));
    account.deploy("crash");
    account.wait(60);
    account.deploy("noplace-3");
    assert_eq!((told(&mut account, 10), told(&mut account, 3600)), (3, 3));
    account.call("UpdateService", json!({"service": "web", "desiredCount": 0}));
    account.wait(60);
    account.call("UpdateService", json!({"service": "web", "desiredCount": 1}));
    assert_eq!((told(&mut account, 10), told(&mut account, 3600)), (4, 4));
}

#[test]
fn another_reason_why_no_task_starts_is_told_at_once() {
    let mut account = Account::with_service(1, &json!({}));
    let mut told = |tag: &str| {
        account.deploy(tag);
        account.wait(10);
        let service = account.service();
        let events = service["events"].as_array().unwrap().iter();
        let messages = events.map(|event| event["message"].as_str().unwrap());
        let count = |words: &str| messages.clone().filter(|message| message.contains(words)).count();
        (count("unable to place a task"), count("failed to launch a task"))
    };
    assert_eq!(told("nolaunch"), (0, 1));
    assert_eq!(told("nolaunch-2"), (0, 1), "the same reason");
    assert_eq!(told("noplace"), (1, 1));
}

#[test]
fn a_rolling_update_keeps_to_the_minimum_and_the_maximum() {
    for (minimum, maximum, least, most) in [(100, 200, 4, 8), (50, 100, 2, 4), (100, 125, 4, 5), (0, 100, 0, 4)] {
        let bounds = json!({"minimumHealthyPercent": minimum, "maximumPercent": maximum});
        let mut account = Account::with_service(4, &json!({"deploymentConfiguration": bounds}));
        account.deploy("v2");
        let (mut fewest, mut largest) = (u64::MAX, 0);
        for _ in 0..300 {
            account.wait(1);
            let service = account.service();
            let count = |member: &str| service[member].as_u64().unwrap();
            fewest = fewest.min(count("runningCount"));
            largest = largest.max(count("runningCount") + count("pendingCount"));
        }
        assert_eq!((fewest, largest), (least, most), "{minimum} % to {maximum} %");
        assert_eq!(
            account.statuses(),
            ["SUCCESSFUL", "SUCCESSFUL"],
            "{minimum} % to {maximum} %"
        );
    }
}

#[test]
fn the_circuit_breaker_counts_half_of_the_tasks_but_at_least_3_and_at_most_200() {
    for (desired, threshold) in [(1, 3), (6, 3), (25, 13), (300, 150), (1000, 200)] {
        let mut account = Account::with_service(desired, &breaker(true, true));
        assert_eq!(
            account.service_deployment()["deploymentCircuitBreaker"]["threshold"],
            json!(threshold),
            "{desired}"
        );
    }
}

#[test]
fn the_circuit_breaker_ends_a_rollout_with_the_failure_that_reaches_the_threshold() {
    let share = |kind: &str, value: u32| json!({"thresholdConfiguration": {"type": kind, "value": value}});
    let table = [
        (25, json!({}), 13),
        (2, json!({}), 3),
        (25, share("COUNT", 5), 5),
        (25, share("BOUNDED_PERCENT", 20), 5),
        (25, share("BOUNDED_PERCENT", 8), 3),
        (25, share("UNBOUNDED_PERCENT", 8), 2),
    ];
    for (desired, more, threshold) in table {
        let mut service = breaker(true, false);
        let settings = &mut service["deploymentConfiguration"]["deploymentCircuitBreaker"];
        settings
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let mut account = Account::with_service(desired, &service);
        account.deploy("exit-early");
        account.wait(600);
        let deployment = account.service_deployment();
        let expected = json!({"status": "TRIGGERED", "failureCount": threshold, "threshold": threshold});
        assert_eq!(deployment["deploymentCircuitBreaker"], expected, "{desired} {more}");
        let failed = account.tasks("STOPPED");
        let mut failed: Vec<f64> = failed.iter().map(|task| task["stoppingAt"].as_f64().unwrap()).collect();
        failed.sort_by(f64::total_cmp);
        let finished_at = deployment["finishedAt"].as_f64().unwrap();
        let before = failed.iter().filter(|at| **at < finished_at).count();
        assert_eq!(
            (before + 1, failed[before]),
            (threshold, finished_at),
            "{desired} {more}"
        );
    }
}

#[test]
fn the_circuit_breaker_forgets_the_failures_before_a_healthy_task_unless_it_is_to_keep_them() {
    for (resets, count, status) in [(true, 1, "IN_PROGRESS"), (false, 3, "STOPPED")] {
        let mut service = breaker(true, false);
        service["deploymentConfiguration"]["deploymentCircuitBreaker"]["resetOnHealthyTask"] = json!(resets);
        let mut account = Account::new();
        account.call("CreateRepository", json!({"repositoryName": "web"}));
        account.simulation.push(account.now, "web", Some("v1"), None);
        account.seed(1, &service);
        account.deploy("v2");
        while account.service_deployment()["deploymentCircuitBreaker"]["failureCount"] != json!(2) {
            account.wait(1);
        }
        let pushed = account.simulation.push(account.now, "web", Some("v2"), None);
        while account.service()["deployments"][0]["runningCount"] != json!(1) {
            account.wait(1);
        }
        let images = json!({"repositoryName": "web", "imageIds": [{"imageDigest": pushed}]});
        account.call("BatchDeleteImage", images);
        let running = account.tasks("RUNNING").into_iter();
        let mut running = running.filter(|task| task["taskDefinitionArn"].as_str().unwrap().ends_with(":2"));
        account.call("StopTask", json!({"task": running.next().unwrap()["taskArn"]}));
        account.wait(20);
        let deployment = account.service_deployment();
        let counted = &deployment["deploymentCircuitBreaker"]["failureCount"];
        assert_eq!(
            (counted, &deployment["status"]),
            (&json!(count), &json!(status)),
            "{resets}"
        );
    }
}

#[test]
fn behind_a_classic_load_balancer_there_is_no_rollout_state() {
    let classic =
        json!({"loadBalancers": [{"loadBalancerName": "classic", "containerName": "app", "containerPort": 80}]});
    let mut account = Account::with_service(1, &classic);
    assert_eq!(account.service()["deployments"][0].get("rolloutState"), None);
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
}

#[test]
fn a_service_of_no_tasks_completes() {
    let mut account = Account::with_service(0, &json!({}));
    account.deploy("crash");
    account.wait(60);
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
}

#[test]
fn a_change_of_the_desired_count_is_no_deployment() {
    let mut account = Account::with_service(2, &json!({}));
    account.call("UpdateService", json!({"service": "web", "desiredCount": 5}));
    account.wait(60);
    let service = account.service();
    assert_eq!(
        (&service["desiredCount"], &service["runningCount"]),
        (&json!(5), &json!(5))
    );
    assert_eq!(account.statuses().len(), 1);
    account.call("UpdateService", json!({"service": "web", "desiredCount": 0}));
    account.wait(60);
    assert_eq!(account.service()["runningCount"], json!(0));
}

#[test]
fn a_daemon_runs_once_on_each_container_instance() {
    let mut account = Account::with_service(0, &json!({"schedulingStrategy": "DAEMON"}));
    account.deploy("v2");
    account.wait(120);
    let service = account.service();
    assert_eq!(
        (&service["desiredCount"], &service["runningCount"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
}

#[test]
fn an_alarm_during_the_bake_time_ends_the_rollout() {
    let alarms = |rollback: bool| {
        let alarms = json!({"enable": true, "rollback": rollback, "alarmNames": ["errors"]});
        json!({"deploymentConfiguration": {"alarms": alarms}})
    };
    for (rollback, status) in [(true, "ROLLBACK_SUCCESSFUL"), (false, "STOPPED")] {
        let mut account = Account::with_service(1, &alarms(rollback));
        account.deploy("v2");
        account.wait(120);
        assert_eq!(
            account.service()["deployments"][0]["rolloutState"],
            json!("IN_PROGRESS"),
            "bakes"
        );
        account.simulation.set_alarm(account.now, "errors", true);
        account.wait(900);
        let deployment = account.service_deployment();
        assert_eq!(deployment["status"], json!(status));
        assert_eq!(deployment["alarms"]["triggeredAlarmNames"], json!(["errors"]));
    }
    let mut after = Account::with_service(1, &alarms(true));
    after.simulation.set_alarm(after.now, "errors", true);
    after.deploy("v2");
    after.wait(900);
    assert_eq!(
        after.statuses()[0],
        "SUCCESSFUL",
        "an alarm from before may be what the deployment is to end"
    );
    let mut calm = Account::with_service(1, &alarms(true));
    calm.deploy("v2");
    calm.wait(900);
    assert_eq!(calm.statuses()[0], "SUCCESSFUL");
}

#[test]
fn a_blue_green_deployment_bakes_beside_the_old_tasks_and_goes_through_every_stage() {
    let configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60});
    let mut account = Account::with_service(2, &json!({"deploymentConfiguration": configuration}));
    account.deploy("v2");
    let mut stages = Vec::new();
    for _ in 0..600 {
        account.wait(1);
        let stage = account.service_deployment()["lifecycleStage"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    let expected = [
        "",
        "PRE_SCALE_UP",
        "SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
    ];
    assert_eq!(stages, expected);
    let service = account.service();
    assert_eq!(service["runningCount"], json!(4), "blue and green");
    assert_eq!(service["deployments"][0]["rolloutState"], json!("IN_PROGRESS"));
    account.wait(3600);
    assert_eq!(account.service()["runningCount"], json!(2));
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
}

#[test]
fn linear_and_canary_deployments_take_as_long_as_their_steps() {
    let linear =
        json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 10}});
    let canary =
        json!({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 30}});
    for configuration in [linear, canary] {
        let mut account = Account::with_service(1, &json!({"deploymentConfiguration": configuration}));
        account.deploy("v2");
        account.wait(29 * 60);
        assert_eq!(account.statuses()[0], "IN_PROGRESS", "{configuration}");
        account.wait(5 * 60);
        assert_eq!(account.statuses()[0], "SUCCESSFUL", "{configuration}");
    }
}

#[test]
fn scaling_in_during_a_blue_green_deployment_does_not_hold_it_up() {
    let configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5});
    let mut account = Account::with_service(4, &json!({"deploymentConfiguration": configuration}));
    account.deploy("v2");
    account.wait(60);
    account.call("UpdateService", json!({"service": "web", "desiredCount": 1}));
    account.wait(600);
    assert_eq!(
        (account.statuses()[0].as_str(), account.tasks("RUNNING").len()),
        ("SUCCESSFUL", 1)
    );
}

#[test]
fn the_current_service_deployment_lags_behind_an_update() {
    let mut account = Account::with_service(1, &json!({}));
    let before = account.service()["currentServiceDeployment"].clone();
    account.deploy("v2");
    assert_eq!(account.service()["currentServiceDeployment"], before);
    account.wait(5);
    assert_ne!(account.service()["currentServiceDeployment"], before);
}

#[test]
fn a_stopped_task_is_forgotten_after_an_hour() {
    let mut account = Account::with_service(1, &json!({}));
    let running = account.tasks("RUNNING")[0]["taskArn"].clone();
    account.call("StopTask", json!({"task": running}));
    account.wait(3500);
    assert_eq!(account.tasks("STOPPED").len(), 1);
    account.wait(200);
    assert_eq!(account.tasks("STOPPED").len(), 0);
    let described = account.call("DescribeTasks", json!({"tasks": [running]}));
    assert_eq!(described["failures"][0]["reason"], json!("MISSING"));
}

#[test]
fn a_deleted_service_drains_and_is_then_inactive() {
    let mut account = Account::with_service(2, &json!({}));
    let refused = account
        .try_call("DeleteService", &json!({"service": "web"}))
        .unwrap_err();
    assert_eq!(refused.code, "InvalidParameterException");
    let deleted = account.call("DeleteService", json!({"service": "web", "force": true}));
    assert_eq!(deleted["service"]["status"], json!("DRAINING"));
    account.wait(60);
    assert_eq!(account.service()["status"], json!("INACTIVE"));
    let error = account
        .try_call("UpdateService", &json!({"service": "web", "desiredCount": 1}))
        .unwrap_err();
    assert_eq!(error.code, "ServiceNotActiveException");
    assert_eq!(account.call("ListServices", json!({}))["serviceArns"], json!([]));
    account.wait(3600);
    let described = account.call("DescribeServices", json!({"services": ["web"]}));
    assert_eq!(described["failures"][0]["reason"], json!("MISSING"));
}
