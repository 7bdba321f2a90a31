//! The setting `tagLatest`: the tag `latest` follows what is stable.

use crate::support::{Deployed, PLAIN, TAG_LATEST_BY_DIGEST, containers, run, summary};
use aws_sdk_ecr::types::ImageIdentifier;
use local_aws::images::Behaviour::{Broken, Healthy};

/// The digest that has the tag `latest`, if there is one.
async fn latest(it: &Deployed, repository: &str) -> Option<String> {
    let id = ImageIdentifier::builder().image_tag("latest").build();
    let described = it
        .aws
        .ecr()
        .describe_images()
        .repository_name(repository)
        .image_ids(id)
        .send()
        .await
        .ok()?;
    described.image_details.unwrap_or_default().pop()?.image_digest
}

/// Not before the services are stable, not after a failure, and that push deploys nothing itself.
#[test]
fn the_image_is_tagged_latest_when_every_service_is_stable_on_it() {
    run(async {
        let it = &*TAG_LATEST_BY_DIGEST;
        let web = it.repository("tag-latest/web").await;
        it.cluster("tag-latest").await;
        it.register("tag-latest-web", &[("web", &web)]).await;
        it.service("tag-latest", "web", "tag-latest-web", PLAIN).await;
        it.stable("tag-latest", "web").await;
        assert_eq!(latest(it, "tag-latest/web").await, None, "nobody was deployed");

        let good = it.aws.push("tag-latest/web", "v2", Healthy).await.unwrap();
        let executions = it.pushes("tag-latest/web", 2).await;

        assert_eq!(summary(&executions[1])["services"][0]["outcome"], "DEPLOYED");
        assert_eq!(latest(it, "tag-latest/web").await, Some(good.clone()));
        let history = it.aws.history(&executions[1].arn).await.unwrap();
        let entered = |name: &str| {
            let position = |event: &aws_sdk_sfn::types::HistoryEvent| {
                event
                    .state_entered_event_details()
                    .is_some_and(|details| details.name() == name)
            };
            history.iter().position(position)
        };
        assert!(entered("Tag on success") > entered("Sum up"), "after all are stable");

        if containers() {
            it.aws.push("tag-latest/web", "bad", Broken).await.unwrap();
            let executions = it.pushes("tag-latest/web", 3).await;
            assert_eq!(executions.len(), 3, "the tag latest has started none");
            assert_eq!(executions[2].status.as_str(), "FAILED");
            assert_eq!(latest(it, "tag-latest/web").await, Some(good), "not after a failure");
        }
    });
}
