//! The same event more than once.

use crate::support::{PLAIN, STANDARD, run, summary};
use local_aws::images::Behaviour::Healthy;

/// EventBridge delivers at least once: the launcher names the execution after the event, and a name is used once. An operator
/// may start an execution by hand with the input of another: no revision and no deployment come of it.
#[test]
fn the_same_event_again_starts_nothing_and_the_same_input_by_hand_changes_nothing() {
    run(async {
        let it = &*STANDARD;
        let web = it.repository("again/web").await;
        it.cluster("again").await;
        it.register("again-web", &[("web", &web)]).await;
        it.service("again", "web", "again-web", PLAIN).await;
        it.stable("again", "web").await;
        it.aws.push("again/web", "v2", Healthy).await.unwrap();
        let first = it.pushes("again/web", 2).await.remove(1);
        summary(&first);
        let deployment = it.deployment_ids("again", "web").await;

        let id = first.input["id"].as_str().unwrap();
        assert_eq!(first.name, format!("again-web-v2-{id}"));

        it.aws.dispatch(&first.input).unwrap();
        let delivered_again = it.launches("again/web", 3).await.remove(2);
        let said = summary(&delivered_again);
        assert_eq!(said["execution"], first.arn);
        let message = said["message"].as_str().unwrap();
        assert!(
            message.starts_with("nothing is started") && message.contains(&first.name),
            "{message}"
        );
        let input = first.input.to_string();
        let by_hand = it
            .aws
            .sfn()
            .start_execution()
            .state_machine_arn(&it.stack.deploy_image)
            .input(input);
        by_hand.send().await.unwrap();
        let by_hand = it.pushes("again/web", 3).await.remove(2);

        summary(&by_hand);
        assert_eq!(
            it.deployment_ids("again", "web").await,
            deployment,
            "no second deployment"
        );
        assert_eq!(
            it.revisions("again-web").await,
            ["again-web:1", "again-web:2"],
            "no second revision"
        );
    });
}

/// A person's execution and the launcher's run side by side. Both may register the revision in the same moment; then the
/// duplicate stays, and both deploy the one with the lower number. Two deliveries at once are one execution.
#[test]
fn an_event_twice_at_once_starts_one_execution_and_beside_one_by_hand_the_service_moves_once() {
    run(async {
        let it = &*STANDARD;
        let web = it.repository("twice/web").await;
        let event = it.pushes("twice/web", 1).await.remove(0).input;
        it.cluster("twice").await;
        it.register("twice-web", &[("web", &web.replace(":v1", ":v0"))]).await;
        it.service(
            "twice",
            "web",
            "twice-web",
            crate::support::Setup { desired: 0, ..PLAIN },
        )
        .await;
        it.stable("twice", "web").await;

        let mut event = event;
        event["id"] = "0a1b2c3d-0000-4000-8000-00000000d0d0".into();
        it.aws.dispatch(&event).unwrap();
        it.aws.dispatch(&event).unwrap();
        let by_hand = it
            .aws
            .sfn()
            .start_execution()
            .state_machine_arn(&it.stack.deploy_image)
            .input(event.to_string());
        by_hand.send().await.unwrap();
        let launches = it.launches("twice/web", 3).await;
        let executions = it.pushes("twice/web", 3).await;

        assert_eq!(executions.len(), 3, "{executions:#?}");
        let named = executions
            .iter()
            .find(|it| it.name == "twice-web-v1-0a1b2c3d-0000-4000-8000-00000000d0d0");
        for launched in &launches[1..] {
            assert_eq!(summary(launched)["execution"], named.unwrap().arn, "{launched:#?}");
        }
        executions[1..].iter().for_each(|it| drop(summary(it).clone()));
        let service = it.describe("twice", "web").await;
        let on = service.task_definition().unwrap_or_default();
        assert!(on.ends_with("/twice-web:2"), "{on}");
        assert_eq!(it.images(on).await, std::slice::from_ref(&web));
        let revisions = it.revisions("twice-web").await;
        assert!(
            ["twice-web:1", "twice-web:2", "twice-web:3"]
                .starts_with(&revisions.iter().map(String::as_str).collect::<Vec<_>>()),
            "at most one for each execution: {revisions:?}"
        );
        for registered in &revisions[1..] {
            assert_eq!(it.images(registered).await, std::slice::from_ref(&web), "{registered}");
        }
    });
}
