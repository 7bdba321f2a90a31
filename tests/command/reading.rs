//! `history`, `why`, `retry`, `status`, `hold` and `unhold`.

use crate::support::Person::{Operator, Reader, ReaderOfLogs};
use crate::support::{INSTALLED, Installed, LIMIT, run};
use aws_sdk_ecs::types::{ContainerDefinition, LogConfiguration, LogDriver};
use ecr_deploy_cli::commands::{Held, History, Status, Why};
use ecr_deploy_cli::push::Push;
use ecr_deploy_cli::report::Outcome;
use local_aws::services::Setup;
use local_aws::{ACCOUNT, REGION};
use serde_json::json;
use simulated_ecs::Behaviour;

#[test]
fn a_failed_push_is_found_told_and_tried_again() {
    run(async {
        let it = &*INSTALLED;
        it.services("told/web", "web", &["told"]).await;
        it.aws.push_simulated("told/web", "v2", Some(Behaviour::Crash)).unwrap();
        it.types(Operator, "deploy told/web:v2").ended(3);

        // As one who may only read.
        it.types(Reader, "history told/web")
            .ended(0)
            .says(&["told/web:v2", "FAILED", "root", "Times are UTC."]);
        let history: History = it.types(Reader, "history told/web --output json").ended(0).document();
        let [entry] = history.entries.as_slice() else {
            panic!("{history:?}")
        };
        let nothing = it.types(Reader, "history nobody/web").ended(1);
        assert!(
            nothing.notes.contains("no push to a repository nobody/web"),
            "{}",
            nothing.notes
        );

        let said = it.types(Reader, "why told/web:v2").ended(0);
        said.says(&[
            "told/web:v2  ROLLED_BACK",
            "AFTER",
            "Update service",
            "web in told from told-web:1 to told-web:2",
            "web exited with code 1",
            "Roll back",
            "Conclude",
            "Deploy.RolledBack: web in told did not become",
        ]);
        let why: Why = it
            .types(Reader, &format!("why {} web --output json", entry.push))
            .ended(0)
            .document();
        assert_eq!(why.push.as_ref().unwrap().outcome, Outcome::RolledBack);
        let [story] = why.stories.as_slice() else {
            panic!("{why:?}")
        };
        assert!(story.steps.len() > 3, "{story:?}");
        // The execution of the service alone leads to the same.
        let execution = story.deployed.execution.clone().unwrap();
        let same: Why = it
            .says_to(Reader, &["why", &execution, "--output", "json"])
            .ended(0)
            .document();
        assert_eq!(same.push.unwrap().push, why.push.unwrap().push);
        it.types(Reader, "why told/web:v9").ended(1);
        it.types(Reader, "why told/web:v2 other").ended(1);

        let refused = it.types(Reader, "retry told/web:v2").ended(1);
        assert!(refused.notes.contains("OperatorsPolicyArn"), "{}", refused.notes);
        let retried: Push = it
            .types(Operator, "retry told/web:v2 --output json")
            .ended(3)
            .document();
        assert_eq!(retried.push, entry.push);
        assert_eq!(retried.services[0].outcome, "Deploy.RolledBack");
    });
}

#[test]
fn the_status_tells_what_runs_since_which_push_and_what_waits_and_a_hold_keeps_it() {
    run(async {
        let it = &*INSTALLED;
        it.services("shown/web", "web", &["shown"]).await;
        it.aws.push_simulated("shown/web", "v2", None).unwrap();
        it.types(Operator, "deploy shown/web:v2").ended(0);

        it.types(Reader, "status shown/web").ended(0).says(&[
            "shown/web:v2",
            "shown-web:2",
            "1 of 1 running",
            "rest",
            "root",
            "DEPLOYED of shown/web:v2",
        ]);
        it.types(Reader, "status")
            .ended(0)
            .says(&["SERVICE", "shown/web", "v2", "DEPLOYED"]);

        let refused = it.says_to(Reader, &["hold", "shown/web", "--why", "audit"]).ended(1);
        assert!(refused.notes.contains("OperatorsPolicyArn"), "{}", refused.notes);
        it.says_to(Operator, &["hold", "shown/web", "--why", "until the cause is found"])
            .ended(0)
            .says(&["shown/web is on hold: root - until the cause is found"]);
        it.aws.push_simulated("shown/web", "v3", None).unwrap();
        it.types(Operator, "deploy shown/web:v3").ended(5).says(&[
            "NOTHING_TO_DEPLOY",
            "ON_HOLD",
            "the cause is found",
        ]);
        it.types(Reader, "history shown/web")
            .ended(0)
            .says(&["shown/web:v3", "ON_HOLD", "DEPLOYED"]);
        let status: Status = it.types(Reader, "status shown/web --output json").ended(0).document();
        let [service] = status.services.as_slice() else {
            panic!("{status:?}")
        };
        assert_eq!(service.hold.as_deref(), Some("root - until the cause is found"));
        assert_eq!(service.images[0].waiting.as_ref().unwrap().tag, "v3");
        it.types(Reader, "status shown").ended(0).says(&["on hold", "v3"]);

        let lifted: Held = it.types(Operator, "unhold shown/web --output json").ended(0).document();
        assert_eq!(lifted.before.as_deref(), Some("root - until the cause is found"));
        it.types(Operator, "unhold shown/web")
            .ended(0)
            .says(&["shown/web was not on hold"]);
        it.types(Operator, "deploy shown/web:v3").ended(0);
        it.types(Reader, "history shown/web --name-is service")
            .ended(0)
            .says(&["shown/web: v3", "DEPLOYED"]);
        it.types(Reader, "status nowhere").ended(1);
    });
}

#[test]
fn the_story_of_a_crash_ends_with_what_the_task_wrote_where_that_may_be_read() {
    run(async {
        let it = &*INSTALLED;
        logged_service(it).await;
        it.aws
            .push_simulated("logged/web", "v2", Some(Behaviour::Crash))
            .unwrap();
        it.types(Operator, "deploy logged/web:v2").ended(3);

        // The policy for readers does not reach into the logs of applications.
        let why: Why = it.types(Reader, "why logged/web:v2 --output json").ended(0).document();
        let log = why.stories[0].log.clone().unwrap();
        let place = &log.place;
        assert_eq!((place.group.as_str(), place.region.as_str()), ("/ecs/logged", REGION));
        assert!(place.stream.starts_with("app/web/"), "{place:?}");
        assert_eq!(log.lines, []);
        let lacks = format!("logs:GetLogEvents on arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ecs/logged:*;");
        assert!(log.unread.as_ref().unwrap().contains(&lacks), "{log:?}");
        it.types(Reader, "why logged/web:v2")
            .ended(0)
            .says(&["Without the lines of log stream app/web/", "you may not read them"]);

        // With the policy of the page: there is no such stream yet, then it has lines.
        it.allow_logs();
        it.types(ReaderOfLogs, "why logged/web:v2")
            .ended(0)
            .says(&["the log group /ecs/logged has no such stream"]);
        wrote(it, &place.group, &place.stream);
        let said = it.types(ReaderOfLogs, "why logged/web:v2").ended(0);
        said.says(&[
            "UTC",
            "12:00:21.021  line 21",
            "12:00:30.030  panic: no\u{fffd}[31m database",
        ]);
        assert!(!said.text.contains("line 10"), "{}", said.text);
        let why: Why = it
            .types(ReaderOfLogs, "why logged/web:v2 --output json")
            .ended(0)
            .document();
        let lines = &why.stories[0].log.as_ref().unwrap().lines;
        assert_eq!(lines.len(), 20, "{lines:#?}");
        assert_eq!(lines[0].text, "line 11");
        assert_eq!(lines[19].text, "panic: no\u{1b}[31m database");
    });
}

/// A stable service whose container logs by `awslogs`.
async fn logged_service(it: &Installed) {
    it.aws.create_repository("logged/web").await.unwrap();
    it.aws.push_simulated("logged/web", "v1", None).unwrap();
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", "/ecs/logged")
        .options("awslogs-region", REGION)
        .options("awslogs-stream-prefix", "app")
        .build()
        .unwrap();
    let container = ContainerDefinition::builder()
        .name("web")
        .image(it.aws.image("logged/web", "v1"))
        .memory(32)
        .essential(true)
        .log_configuration(log);
    let registered = it
        .aws
        .ecs()
        .register_task_definition()
        .family("logged-web")
        .container_definitions(container.build())
        .send()
        .await
        .unwrap();
    let revision = registered.task_definition().unwrap().task_definition_arn().unwrap();
    it.aws.create_cluster("logged").await.unwrap();
    it.aws
        .create_service("logged", "web", revision, &Setup::default())
        .await
        .unwrap();
    it.aws.stable("logged", "web", LIMIT).await.unwrap();
}

/// Thirty lines of a task, at noon.
fn wrote(it: &Installed, group: &str, stream: &str) {
    let lines = (1..=30).map(|number| {
        let text = if number == 30 {
            "panic: no\u{1b}[31m database".to_owned()
        } else {
            format!("line {number}")
        };
        json!({"timestamp": 1_796_040_000_000_i64 + number * 1001, "message": text})
    });
    let lines = serde_json::Value::from(lines.collect::<Vec<_>>()).to_string();
    let place = ["--log-group-name", group, "--log-stream-name", stream];
    it.aws
        .cli(&["logs", "create-log-group", "--log-group-name", group])
        .unwrap();
    it.aws
        .cli(&[&["logs", "create-log-stream"], &place[..]].concat())
        .unwrap();
    it.aws
        .cli(&[&["logs", "put-log-events"], &place[..], &["--log-events", &lines]].concat())
        .unwrap();
}
