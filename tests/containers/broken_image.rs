//! A push of an image that cannot run.

use crate::support::{Deployed, LIMIT, PLAIN, STANDARD, Setup, containers, run};
use local_aws::executions::Execution;
use local_aws::images::Behaviour::{Broken, Healthy};

/// Two services, of which only the first one runs the repository that gets the broken image; a third container keeps
/// them apart. Returns the failed execution.
async fn push_broken(it: &Deployed, name: &str, setup: Setup) -> Execution {
    let repository = format!("{name}/web");
    let web = it.repository(&repository).await;
    it.cluster(name).await;
    it.register(&format!("{name}-web"), &[("web", &web)]).await;
    it.service(name, "web", &format!("{name}-web:1"), setup).await;
    it.stable(name, "web").await;

    it.aws.push(&repository, "bad", Broken).await.unwrap();
    it.pushes(&repository, 2).await.remove(1)
}

/// The service is back on the revision it came from, and runs; the execution says which service failed and why.
async fn assert_rolled_back(it: &Deployed, name: &str, execution: &Execution) {
    assert_eq!(execution.status.as_str(), "FAILED", "{execution:#?}");
    assert_eq!(execution.error.as_deref(), Some("Deploy.ServicesFailed"));
    let message = execution.error_message().unwrap();
    assert!(
        message.contains("web") && message.contains(name),
        "it names the service: {message}"
    );
    assert!(message.contains("exited with code 1"), "it says why: {message}");

    it.stable(name, "web").await;
    let service = it.describe(name, "web").await;
    assert!(
        service.task_definition().unwrap().ends_with(&format!("{name}-web:1")),
        "{service:#?}"
    );
    assert_eq!(service.running_count(), service.desired_count());
    let children = it.children(execution).await;
    assert_eq!(children.len(), 1);
    assert_eq!(children[0].error.as_deref(), Some("Deploy.RolledBack"), "{children:#?}");
}

#[test]
fn without_a_circuit_breaker_a_broken_image_is_rolled_back() {
    run(async {
        if containers() {
            let execution = push_broken(&STANDARD, "no-breaker", PLAIN).await;
            assert_rolled_back(&STANDARD, "no-breaker", &execution).await;
        }
    });
}

#[test]
fn with_a_circuit_breaker_that_only_stops_a_broken_image_is_rolled_back() {
    run(async {
        if containers() {
            let setup = Setup {
                circuit_breaker: Some(false),
                ..PLAIN
            };
            let execution = push_broken(&STANDARD, "breaker", setup).await;
            assert_rolled_back(&STANDARD, "breaker", &execution).await;
        }
    });
}

#[test]
fn a_rollback_by_ecs_itself_is_watched_and_reported_as_a_failure() {
    run(async {
        if containers() {
            let setup = Setup {
                circuit_breaker: Some(true),
                ..PLAIN
            };
            let execution = push_broken(&STANDARD, "ecs-rollback", setup).await;
            assert_rolled_back(&STANDARD, "ecs-rollback", &execution).await;
        }
    });
}

/// The broken image runs in one service and not in the other: its command is overridden there. So one fails and is
/// rolled back, and its sibling in the same push stays on the new image.
#[test]
fn a_healthy_sibling_stays_on_the_new_image() {
    run(async {
        if !containers() {
            return;
        }
        let it = &*STANDARD;
        let web = it.repository("sibling/web").await;
        it.cluster("sibling").await;
        it.register("sibling-web", &[("web", &web)]).await;
        it.register_idle("sibling-idle", "web", &web).await;
        it.service("sibling", "web", "sibling-web", PLAIN).await;
        it.service("sibling", "idle", "sibling-idle", PLAIN).await;
        it.stable("sibling", "web").await;
        it.stable("sibling", "idle").await;

        it.aws.push("sibling/web", "bad", Broken).await.unwrap();
        let execution = it.pushes("sibling/web", 2).await.remove(1);

        let message = execution.error_message().unwrap_or_default();
        assert_eq!(
            execution.error.as_deref(),
            Some("Deploy.ServicesFailed"),
            "{execution:#?}"
        );
        assert!(!message.contains("idle"), "only what failed is named: {message}");
        assert_eq!(
            it.service_images("sibling", "idle").await,
            [it.aws.image("sibling/web", "bad")]
        );
        assert_eq!(it.service_images("sibling", "web").await, [web]);
        it.stable("sibling", "web").await;
        it.stable("sibling", "idle").await;
    });
}

/// The parent is redriven after the image was mended by a push of the same tag: only the failed service is deployed
/// again, in a new execution.
#[test]
fn a_redrive_deploys_only_the_failed_services_again() {
    run(async {
        if !containers() {
            return;
        }
        let it = &*STANDARD;
        let web = it.repository("redrive/web").await;
        it.cluster("redrive").await;
        it.register("redrive-web", &[("web", &web)]).await;
        it.register_idle("redrive-idle", "web", &web).await;
        it.service("redrive", "web", "redrive-web", PLAIN).await;
        it.service("redrive", "idle", "redrive-idle", PLAIN).await;
        it.stable("redrive", "web").await;
        it.stable("redrive", "idle").await;
        it.aws.push("redrive/web", "bad", Broken).await.unwrap();
        let failed = it.pushes("redrive/web", 2).await.remove(1);
        assert_eq!(failed.error.as_deref(), Some("Deploy.ServicesFailed"), "{failed:#?}");
        let before = it.children(&failed).await;
        assert_eq!(before.len(), 2);

        it.aws
            .sfn()
            .redrive_execution()
            .execution_arn(&failed.arn)
            .send()
            .await
            .unwrap();
        let again = it.pushes("redrive/web", 2).await.remove(1);

        assert_eq!((again.arn.as_str(), again.redrive_count), (failed.arn.as_str(), 1));
        let after = it.children(&failed).await;
        assert_eq!(after.len(), 3, "one more: {after:#?}");
        let new = after
            .iter()
            .find(|child| before.iter().all(|known| known.arn != child.arn))
            .unwrap();
        assert_eq!(new.input["service"], "web");
    });
}

/// The child of the failed service is redriven: it deploys that service again, and as the image is still broken, it is
/// rolled back once more. The parent, its other child and their service stay as they are.
#[test]
fn a_redriven_child_deploys_its_service_again_and_touches_nothing_else() {
    run(async {
        if !containers() {
            return;
        }
        let it = &*STANDARD;
        let web = it.repository("redrive-child/web").await;
        it.cluster("redrive-child").await;
        it.register("redrive-child-web", &[("web", &web)]).await;
        it.register_idle("redrive-child-idle", "web", &web).await;
        it.service("redrive-child", "web", "redrive-child-web", PLAIN).await;
        it.service("redrive-child", "idle", "redrive-child-idle", PLAIN).await;
        it.stable("redrive-child", "web").await;
        it.stable("redrive-child", "idle").await;
        it.aws.push("redrive-child/web", "bad", Broken).await.unwrap();
        let parent = it.pushes("redrive-child/web", 2).await.remove(1);
        let before = it.children(&parent).await;
        assert_eq!(before.len(), 2, "{before:#?}");
        let of_web = |child: &&Execution| child.input["service"] == "web";
        let failed = before.iter().find(of_web).unwrap();
        assert_eq!(failed.error.as_deref(), Some("Deploy.RolledBack"), "{failed:#?}");
        let rollouts = it.deployments_with_tasks("redrive-child", "redrive-child-web:2").await;
        assert_eq!(rollouts.len(), 1, "{rollouts:?}");
        let sibling = it.deployment_ids("redrive-child", "idle").await;

        let redrive = it.aws.sfn().redrive_execution().execution_arn(&failed.arn);
        redrive.send().await.unwrap();
        let machine = &it.stack.deploy_service;
        let again = it
            .aws
            .ended_executions(machine, 1, None, |it| it.arn == failed.arn, LIMIT)
            .await
            .unwrap()
            .remove(0);

        assert_eq!(again.redrive_count, 1);
        assert_eq!(again.error.as_deref(), Some("Deploy.RolledBack"), "{again:#?}");
        let again = it.deployments_with_tasks("redrive-child", "redrive-child-web:2").await;
        assert!(again.is_superset(&rollouts), "{again:?}");
        assert_eq!(again.len(), 2, "deployed a second time: {again:?}");
        it.stable("redrive-child", "web").await;
        assert_eq!(it.service_images("redrive-child", "web").await, [web]);

        assert_eq!(it.deployment_ids("redrive-child", "idle").await, sibling);
        assert_eq!(
            it.revisions("redrive-child-web").await,
            ["redrive-child-web:1", "redrive-child-web:2"]
        );
        let parents = it.pushes("redrive-child/web", 2).await;
        assert_eq!((parents.len(), parents[1].redrive_count), (2, 0));
        let after = it.children(&parent).await;
        let redriven = |children: &[Execution]| -> Vec<(String, i32)> {
            children.iter().map(|it| (it.arn.clone(), it.redrive_count)).collect()
        };
        let expected = before
            .iter()
            .map(|it| (it.arn.clone(), i32::from(it.arn == failed.arn)));
        assert_eq!(redriven(&after), expected.collect::<Vec<_>>(), "no other execution");
    });
}

/// A good push after a broken one is deployed like any other.
#[test]
fn after_a_rollback_the_next_good_push_is_deployed() {
    run(async {
        if !containers() {
            return;
        }
        let it = &*STANDARD;
        let execution = push_broken(it, "mended", PLAIN).await;
        assert_rolled_back(it, "mended", &execution).await;

        it.aws.push("mended/web", "v2", Healthy).await.unwrap();
        let execution = it.pushes("mended/web", 3).await.remove(2);

        assert_eq!(execution.status.as_str(), "SUCCEEDED", "{execution:#?}");
        assert_eq!(
            it.service_images("mended", "web").await,
            [it.aws.image("mended/web", "v2")]
        );
    });
}
