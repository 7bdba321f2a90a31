//! Events that change nothing, and say why.

use crate::support::{Deployed, LIMIT, STANDARD, all_skipped, run, summary};
use local_aws::executions::Execution;
use local_aws::images::Behaviour::Healthy;
use serde_json::{Value, json};

/// The event of a push to a repository of its own that nobody runs.
async fn event(it: &Deployed, repository: &str) -> Value {
    it.repository(repository).await;
    it.pushes(repository, 1).await.remove(0).input
}

/// Starts an execution by hand with this input and waits for its end.
async fn execution_with(it: &Deployed, input: &Value) -> Execution {
    let machine = &it.stack.deploy_image;
    let started = it
        .aws
        .sfn()
        .start_execution()
        .state_machine_arn(machine)
        .input(input.to_string());
    let arn = started.send().await.unwrap().execution_arn;
    it.aws
        .ended_executions(machine, 1, None, |it| it.arn == arn, LIMIT)
        .await
        .unwrap()
        .remove(0)
}

fn reasons(execution: &Execution) -> Vec<String> {
    all_skipped(summary(execution))
        .into_iter()
        .map(|(_, reason)| reason)
        .collect()
}

#[test]
fn an_untagged_push_deploys_nothing() {
    run(async {
        let mut event = event(&STANDARD, "untagged/web").await;
        event["detail"]["requestParameters"]
            .as_object_mut()
            .unwrap()
            .remove("imageTag");
        event["detail"]["responseElements"]["image"]["imageId"]
            .as_object_mut()
            .unwrap()
            .remove("imageTag");
        assert_eq!(reasons(&execution_with(&STANDARD, &event).await), ["UNTAGGED"]);
    });
}

/// The rule lets no failed push through; one that gets in all the same, by hand or by another rule, does no harm.
#[test]
fn a_push_that_failed_starts_nothing_and_deploys_nothing() {
    run(async {
        let it = &*STANDARD;
        let mut event = event(it, "failed-push/web").await;
        event["detail"]["responseElements"] = Value::Null;
        event["detail"]["errorCode"] = json!("ImageTagAlreadyExistsException");
        event["detail"]["errorMessage"] = json!("the tag is taken");
        event["id"] = json!("0a1b2c3d-0000-4000-8000-00000000d0d0");
        it.aws.dispatch(&event).unwrap();
        assert_eq!(reasons(&execution_with(it, &event).await), ["FAILED_PUSH"]);
        assert_eq!(
            it.pushes("failed-push/web", 2).await.len(),
            2,
            "the rule started none of its own"
        );
    });
}

#[test]
fn a_repository_that_nobody_runs_deploys_nothing() {
    run(async {
        let it = &*STANDARD;
        it.repository("unused/web").await;
        assert_eq!(reasons(&it.pushes("unused/web", 1).await[0]), ["NOT_IN_USE"]);
    });
}

#[test]
fn the_tag_latest_starts_nothing_unless_it_is_set() {
    run(async {
        let it = &*STANDARD;
        it.repository("latest-off/web").await;
        it.aws.push("latest-off/web", "latest", Healthy).await.unwrap();
        it.aws.push("latest-off/web", "v2", Healthy).await.unwrap();
        let executions = it.pushes("latest-off/web", 2).await;
        let tags: Vec<&Value> = executions
            .iter()
            .map(|it| &it.input["detail"]["requestParameters"]["imageTag"])
            .collect();
        assert_eq!(tags, ["v1", "v2"]);
        assert_eq!(it.launches("latest-off/web", 2).await.len(), 2);

        // A person who starts it is told why nothing is deployed.
        let mut by_hand = executions[1].input.clone();
        by_hand["id"] = json!("0a1b2c3d-0000-4000-8000-000000001a7e");
        by_hand["detail"]["requestParameters"]["imageTag"] = json!("latest");
        by_hand["detail"]["responseElements"]["image"]["imageId"]["imageTag"] = json!("latest");
        assert_eq!(reasons(&execution_with(it, &by_hand).await), ["TAG_NOT_TAKEN"]);
    });
}

#[test]
fn a_malformed_event_fails_and_says_what_is_wrong() {
    run(async {
        let it = &*STANDARD;
        let good = event(it, "malformed/web").await;
        let mut of_another_kind = good.clone();
        of_another_kind["detail-type"] = json!("Scheduled Event");
        let mut without_repository = good.clone();
        without_repository["detail"]["requestParameters"]
            .as_object_mut()
            .unwrap()
            .remove("repositoryName");
        without_repository["detail"]["responseElements"]["image"]
            .as_object_mut()
            .unwrap()
            .remove("repositoryName");
        let mut other_digest = good.clone();
        other_digest["detail"]["responseElements"]["image"]["imageId"]["imageDigest"] = json!("md5:1");
        let cases = [
            (json!({}), "missing field `id`"),
            (of_another_kind, "Scheduled Event"),
            (without_repository, "repositoryName"),
            (other_digest, "md5:1"),
        ];
        for (event, named) in cases {
            let execution = execution_with(it, &event).await;
            assert_eq!(
                execution.error.as_deref(),
                Some("Deploy.InvalidInput"),
                "{execution:#?}"
            );
            let message = execution.error_message().unwrap_or_default();
            assert!(message.contains(named), "{named} is named: {message}");
        }
    });
}
