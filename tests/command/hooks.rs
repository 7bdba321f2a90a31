//! `continue` and `cancel`.

use crate::support::Person::{Operator, Reader};
use crate::support::{INSTALLED, LIMIT, run};
use ecr_deploy_cli::commands::{Answer, Answered, Status};
use local_aws::pause;
use serde_json::json;
use simulated_ecs::Seed;
use std::time::{Duration, Instant};

/// A blue/green service that pauses before it shifts the traffic, on an image of its own.
async fn blue_green(cluster: &str) {
    let it = &*INSTALLED;
    let repository = format!("{cluster}/web");
    it.aws.create_repository(&repository).await.unwrap();
    it.aws.push_simulated(&repository, "v1", None).unwrap();
    let timeout = json!({"timeoutInMinutes": 60, "action": "ROLLBACK"});
    let hook = json!({
        "targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"], "timeoutConfiguration": timeout,
    });
    let configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [hook]});
    let service = json!({"deploymentConfiguration": configuration});
    let seed = Seed {
        cluster: cluster.to_owned(),
        service_name: "web".to_owned(),
        family: Some(format!("{cluster}-web")),
        image: Some(it.aws.image(&repository, "v1")),
        service: service.as_object().cloned().unwrap(),
        ..Seed::default()
    };
    it.aws
        .simulated_ecs()
        .unwrap()
        .with(|ecs, now| ecs.seed(now, &seed))
        .unwrap();
    it.aws.push_simulated(&repository, "v2", None).unwrap();
    it.types(Operator, &format!("deploy {repository}:v2 --no-wait"))
        .ended(0);
    until(cluster, |status| !status.services[0].waits.is_empty()).await;
}

/// Waits until the status of a cluster is so.
async fn until(cluster: &str, is_so: impl Fn(&Status) -> bool) {
    let begun = Instant::now();
    loop {
        let status: Status = INSTALLED
            .types(Reader, &format!("status {cluster} --output json"))
            .ended(0)
            .document();
        if is_so(&status) {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{status:#?}");
        pause(Duration::from_millis(500)).await;
    }
}

fn last(status: &Status) -> &str {
    status.services[0]
        .last
        .as_ref()
        .map_or("", |last| last.outcome.as_str())
}

#[test]
fn a_rollout_that_waits_for_a_person_is_continued() {
    run(async {
        let it = &*INSTALLED;
        blue_green("paused").await;
        it.types(Reader, "status paused/web").ended(0).says(&[
            "waits    POST_TEST_TRAFFIC_SHIFT until 20",
            "when ECS rolls",
            "ecr-deploy continue paused/web",
        ]);
        let refused = it.types(Reader, "continue paused/web").ended(1);
        assert!(refused.notes.contains("OperatorsPolicyArn"), "{}", refused.notes);
        it.types(Operator, "continue paused/web").ended(0).says(&[
            "paused/web  CONTINUED",
            "to paused-web:2",
            "POST_TEST_TRAFFIC_SHIFT until 20",
            "paused-web-v2-",
            "ECS goes on with the rollout",
            "ecr-deploy why ",
        ]);
        until("paused", |status| last(status) == "DEPLOYED").await;
        let stable = it.types(Operator, "continue paused/web").ended(1);
        assert!(
            stable
                .notes
                .contains("paused/web does not wait for a person: it is stable on paused-web:2"),
            "{}",
            stable.notes
        );
        let missing = it.types(Operator, "continue paused/nothing").ended(1);
        assert!(
            missing
                .notes
                .contains("there is no service nothing in a cluster paused"),
            "{}",
            missing.notes
        );
    });
}

#[test]
fn a_rollout_that_waits_for_a_person_is_taken_back() {
    run(async {
        let it = &*INSTALLED;
        blue_green("cancelled").await;
        let said: Answered = it
            .types(Operator, "cancel cancelled/web --output json")
            .ended(0)
            .document();
        assert_eq!(said.answer, Answer::Cancelled);
        assert_eq!(said.revision, "cancelled-web:2");
        assert_eq!(said.hooks[0].stage, "POST_TEST_TRAFFIC_SHIFT");
        assert!(said.push.is_some_and(|push| push.starts_with("cancelled-web-v2-")));
        until("cancelled", |status| last(status) == "Deploy.RolledBack").await;
        let refused = it.types(Operator, "cancel web").ended(2);
        assert!(refused.notes.contains("production/web"), "{}", refused.notes);
    });
}
