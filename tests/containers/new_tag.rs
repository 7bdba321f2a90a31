//! A push of a new tag.

use crate::support::{PLAIN, STANDARD, Setup, containers, outcomes, run, summary};
use local_aws::images::Behaviour::Healthy;

/// Every service of every cluster that runs the repository ends on the new image, stable; other containers, other
/// repositories and their services stay as they are.
#[test]
fn a_new_tag_reaches_every_service_that_runs_the_repository_and_nothing_else() {
    run(async {
        if !containers() {
            return;
        }
        let it = &*STANDARD;
        let image = |repository: &str, tag: &str| it.aws.image(repository, tag);
        let web = it.repository("new-tag/web").await;
        let worker = it.repository("new-tag/web-worker").await;
        let proxy = it.repository("new-tag/proxy").await;
        it.cluster("new-tag-a").await;
        it.cluster("new-tag-b").await;
        it.register("new-tag-web", &[("web", &web), ("proxy", &proxy)]).await;
        it.register("new-tag-worker", &[("worker", &worker)]).await;
        it.register("new-tag-job", &[("job", &web)]).await;
        let two = Setup { desired: 2, ..PLAIN };
        it.service("new-tag-a", "front", "new-tag-web", two).await;
        it.service("new-tag-a", "back", "new-tag-web", PLAIN).await;
        it.service("new-tag-b", "other-cluster", "new-tag-web", PLAIN).await;
        it.service("new-tag-b", "worker", "new-tag-worker", PLAIN).await;
        let services = [
            ("new-tag-a", "front"),
            ("new-tag-a", "back"),
            ("new-tag-b", "other-cluster"),
        ];
        for (cluster, service) in services {
            it.stable(cluster, service).await;
        }

        let digest = it.aws.push("new-tag/web", "v2", Healthy).await.unwrap();
        let executions = it.pushes("new-tag/web", 2).await;

        let conclusion = summary(&executions[1]);
        let deployed = |service: &str| (service.to_owned(), "DEPLOYED".to_owned());
        assert_eq!(
            outcomes(conclusion),
            [deployed("back"), deployed("front"), deployed("other-cluster")]
        );
        assert_eq!(conclusion["image"]["digest"], digest);
        for (cluster, service) in services {
            assert_eq!(
                it.service_images(cluster, service).await,
                [image("new-tag/web", "v2"), proxy.clone()]
            );
            // MiniStack calls the rollout complete a moment before it stops the old tasks.
            it.stable(cluster, service).await;
            assert!(it.running_digests(cluster, service).await.contains(&digest));
        }
        assert_eq!(it.service_images("new-tag-b", "worker").await, [worker]);
        let shared = it.describe("new-tag-a", "front").await.task_definition;
        assert_eq!(
            it.describe("new-tag-a", "back").await.task_definition,
            shared,
            "one revision for all"
        );
        assert_eq!(it.images("new-tag-job:2").await, [image("new-tag/web", "v2")]);
        let children = it.children(&executions[1]).await;
        assert_eq!(children.len(), 3);
        assert!(children.iter().all(|child| child.status.as_str() == "SUCCEEDED"));
    });
}
