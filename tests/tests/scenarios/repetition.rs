//! The same event more than once.

use crate::support::{PLAIN, STANDARD, run, summary};
use local_aws::images::Behaviour::Healthy;

/// EventBridge delivers at least once, and an operator may start an execution by hand with the input of another: one
/// revision and one deployment come of it all the same.
#[test]
fn the_same_event_again_and_the_same_input_by_hand_change_nothing_more() {
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

        it.aws.dispatch(&first.input).unwrap();
        let delivered_again = it.pushes("again/web", 3).await.remove(2);
        let input = first.input.to_string();
        let by_hand = it
            .aws
            .sfn()
            .start_execution()
            .state_machine_arn(&it.stack.deploy_image)
            .input(input);
        by_hand.send().await.unwrap();
        let by_hand = it.pushes("again/web", 4).await.remove(3);

        summary(&delivered_again);
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

/// Two deliveries at once are two executions side by side. Both may register the revision in the same moment; then the duplicate
/// stays, and both deploy the one with the lower number.
#[test]
fn the_same_event_twice_at_once_moves_the_service_once_to_the_lowest_revision() {
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

        it.aws.dispatch(&event).unwrap();
        it.aws.dispatch(&event).unwrap();
        let executions = it.pushes("twice/web", 3).await;

        executions[1..].iter().for_each(|it| drop(summary(it).clone()));
        let service = it.describe("twice", "web").await;
        let on = service.task_definition().unwrap_or_default();
        assert!(on.ends_with("/twice-web:2"), "{on}");
        assert_eq!(it.images(on).await, std::slice::from_ref(&web));
        let revisions = it.revisions("twice-web").await;
        assert!(
            ["twice-web:1", "twice-web:2", "twice-web:3"]
                .starts_with(&revisions.iter().map(String::as_str).collect::<Vec<_>>()),
            "at most one for each delivery: {revisions:?}"
        );
        for registered in &revisions[1..] {
            assert_eq!(it.images(registered).await, std::slice::from_ref(&web), "{registered}");
        }
    });
}
