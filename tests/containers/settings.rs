//! The effect of each setting.

use crate::support::{
    Deployed, NAMED_CLUSTERS, PLAIN, Setup, TAG_LATEST_BY_DIGEST, all_skipped, containers, outcomes, run, summary,
};
use local_aws::images::Behaviour::Healthy;
use serde_json::json;

const NO_TASKS: Setup = Setup { desired: 0, ..PLAIN };

/// A cluster and a service in it that runs a new repository with the name of the cluster. Returns the image that it runs.
async fn service(it: &Deployed, cluster: &str, setup: Setup) -> String {
    let web = it.repository(&format!("{cluster}/web")).await;
    let family = format!("{cluster}-web");
    it.cluster(cluster).await;
    it.register(&family, &[("web", &web)]).await;
    it.service(cluster, "web", &family, setup).await;
    it.stable(cluster, "web").await;
    web
}

/// `clusters`: a cluster that is named and not there any more is skipped with its reason; one that is not named is as if
/// it were not there.
#[test]
fn of_the_named_clusters_a_deleted_one_is_skipped_and_one_that_is_not_named_is_not_touched() {
    run(async {
        let it = &*NAMED_CLUSTERS;
        let web = service(it, "named", NO_TASKS).await;
        it.cluster("not-named").await;
        it.register("not-named-web", &[("web", &web)]).await;
        it.service("not-named", "other", "not-named-web", NO_TASKS).await;
        it.stable("not-named", "other").await;
        let not_named = it.deployment_ids("not-named", "other").await;
        it.cluster("named-deleted").await;
        let delete = it.aws.ecs().delete_cluster().cluster("named-deleted");
        delete.send().await.unwrap();

        it.aws.push("named/web", "v2", Healthy).await.unwrap();
        let executions = it.pushes("named/web", 2).await;

        let conclusion = summary(&executions[1]);
        assert_eq!(outcomes(conclusion), [("web".to_owned(), "DEPLOYED".to_owned())]);
        assert_eq!(
            it.service_images("named", "web").await,
            [it.aws.image("named/web", "v2")]
        );
        let deleted = ("cluster named-deleted".to_owned(), "CLUSTER_NOT_FOUND".to_owned());
        assert!(all_skipped(conclusion).contains(&deleted), "{conclusion:#}");
        assert!(
            all_skipped(conclusion)
                .iter()
                .all(|(skipped, _)| !skipped.contains("not-named")),
            "{conclusion:#}"
        );
        assert_eq!(it.service_images("not-named", "other").await, [web]);
        assert_eq!(it.deployment_ids("not-named", "other").await, not_named);
    });
}

/// `trigger=imageAction`: the event that ECR itself sends starts one execution, that of CloudTrail none.
#[test]
fn with_the_image_action_as_trigger_a_push_starts_one_execution_and_is_deployed() {
    run(async {
        let it = &*NAMED_CLUSTERS;
        service(it, "image-action", NO_TASKS).await;

        let digest = it.aws.push("image-action/web", "v2", Healthy).await.unwrap();
        let execution = it.pushes("image-action/web", 2).await.remove(1);

        let event = &execution.input;
        assert_eq!(event["detail-type"], "ECR Image Action");
        assert_eq!(event["detail"]["image-digest"], digest);
        assert_eq!(
            outcomes(summary(&execution)),
            [("web".to_owned(), "DEPLOYED".to_owned())]
        );
        assert_eq!(
            it.service_images("image-action", "web").await,
            [it.aws.image("image-action/web", "v2")]
        );

        // Events reach the rule in the order in which they are sent: that the second one has come shows that the first
        // one started nothing.
        let mut untagged = event.clone();
        untagged["detail"]["image-tag"] = json!("");
        it.aws.dispatch(&untagged).unwrap();
        let mut again = event.clone();
        again["id"] = json!("0a1b2c3d-0000-4000-8000-00000000d0d0");
        it.aws.dispatch(&again).unwrap();
        let executions = it.pushes("image-action/web", 3).await;

        let tags = executions.iter().map(|it| &it.input["detail"]["image-tag"]);
        assert_eq!(
            tags.collect::<Vec<_>>(),
            ["v1", "v2", "v2"],
            "one for each tagged event"
        );
        summary(&executions[2]);
    });
}

/// `deployLatest`: a push of `latest` is deployed, and a later one with other contents too, though the image's name is the same.
#[test]
fn with_deploy_latest_every_push_of_latest_is_deployed() {
    run(async {
        if !containers() {
            return;
        }
        let it = &*NAMED_CLUSTERS;
        service(it, "deploy-latest", PLAIN).await;

        let mut deployments = it.deployment_ids("deploy-latest", "web").await;
        let mut digests = Vec::new();
        for push in [1, 2] {
            let digest = it.aws.push("deploy-latest/web", "latest", Healthy).await.unwrap();
            let execution = it.pushes("deploy-latest/web", 1 + push).await.remove(push);

            assert_eq!(
                outcomes(summary(&execution)),
                [("web".to_owned(), "DEPLOYED".to_owned())],
                "push {push}"
            );
            it.stable("deploy-latest", "web").await;
            assert_eq!(
                it.service_images("deploy-latest", "web").await,
                [it.aws.image("deploy-latest/web", "latest")]
            );
            assert_eq!(
                it.running_digests("deploy-latest", "web").await,
                [digest.as_str()],
                "push {push}"
            );
            let now = it.deployment_ids("deploy-latest", "web").await;
            assert_ne!(now, deployments, "push {push}");
            deployments = now;
            digests.push(digest);
        }
        assert_ne!(digests[0], digests[1]);
        assert_eq!(
            it.revisions("deploy-latest-web").await,
            ["deploy-latest-web:1", "deploy-latest-web:2", "deploy-latest-web:3"],
            "a revision for each"
        );
    });
}

/// `imageReference=digest`: the new revision names the image by its digest, and that is what runs.
#[test]
fn with_digest_as_reference_the_new_revision_names_the_digest() {
    run(async {
        let it = &*TAG_LATEST_BY_DIGEST;
        let setup = if containers() { PLAIN } else { NO_TASKS };
        let web = service(it, "by-digest", setup).await;

        let digest = it.aws.push("by-digest/web", "v2", Healthy).await.unwrap();
        let execution = it.pushes("by-digest/web", 2).await.remove(1);

        summary(&execution);
        it.stable("by-digest", "web").await;
        let repository = web.strip_suffix(":v1").unwrap();
        assert_eq!(
            it.service_images("by-digest", "web").await,
            [format!("{repository}@{digest}")]
        );
        if containers() {
            assert_eq!(it.running_digests("by-digest", "web").await, [digest]);
        }
    });
}

/// `stages`: the image of a pull request goes to the previews alone, a version to production alone, and a service on hold stays.
#[test]
fn with_stages_a_tag_goes_only_to_the_services_whose_stage_takes_it() {
    run(async {
        let it = &*TAG_LATEST_BY_DIGEST;
        let web = it.repository("staged/web").await;
        let (preview, production) = ("staged-preview", "staged-production");
        for cluster in [preview, production] {
            let family = format!("{cluster}-web");
            it.cluster(cluster).await;
            it.register(&family, &[("web", &web)]).await;
            it.service(cluster, "web", &family, NO_TASKS).await;
            it.stable(cluster, "web").await;
        }
        let repository = web.strip_suffix(":v1").unwrap();
        let at = |digest: &str| [format!("{repository}@{digest}")];

        let of_request = it.aws.push("staged/web", "pr-42", Healthy).await.unwrap();
        let execution = it.pushes("staged/web", 2).await.remove(1);
        let skipped = ("web in staged-production".to_owned(), "TAG_NOT_TAKEN".to_owned());
        assert!(all_skipped(summary(&execution)).contains(&skipped), "{execution:#?}");
        let deployed = ("web".to_owned(), "DEPLOYED".to_owned());
        assert_eq!(outcomes(summary(&execution)), [deployed], "{execution:#?}");
        assert_eq!(it.service_images(preview, "web").await, at(&of_request));
        assert_eq!(it.service_images(production, "web").await, std::slice::from_ref(&web));

        let release = it.aws.push("staged/web", "v1.4.0", Healthy).await.unwrap();
        summary(&it.pushes("staged/web", 3).await[2]);
        assert_eq!(it.service_images(preview, "web").await, at(&of_request));
        assert_eq!(it.service_images(production, "web").await, at(&release));

        let described = it.describe(production, "web").await;
        let hold = aws_sdk_ecs::types::Tag::builder()
            .key("ecr-deploy:hold")
            .value("audit")
            .build();
        let tag = it
            .aws
            .ecs()
            .tag_resource()
            .resource_arn(described.service_arn().unwrap());
        tag.tags(hold).send().await.unwrap();
        it.aws.push("staged/web", "v1.5.0", Healthy).await.unwrap();
        let execution = it.pushes("staged/web", 4).await.remove(3);
        let on_hold = ("web in staged-production".to_owned(), "ON_HOLD".to_owned());
        assert!(all_skipped(summary(&execution)).contains(&on_hold), "{execution:#?}");
        assert_eq!(it.service_images(production, "web").await, at(&release));
    });
}

/// `parameters`: the CloudFormation template of the example reads the image, so an update of its stack after a push keeps it.
#[test]
fn an_update_of_a_stack_that_reads_the_parameter_keeps_the_image_of_the_last_push() {
    run(async {
        let it = &*NAMED_CLUSTERS;
        it.cluster("production").await;
        let first = it.repository("as-code/web").await;
        let parameter = |name: &str| {
            let name = format!("/ecr-deploy/production/web/app/{name}");
            let query = ["--query", "Parameter.Value", "--output", "text"];
            let get = ["ssm", "get-parameter", "--name", &name];
            it.aws.cli(&[&get[..], &query].concat()).unwrap().trim().to_owned()
        };
        let put = ["ssm", "put-parameter", "--name", "/ecr-deploy/production/web/app/image"];
        it.aws
            .cli(&[&put[..], &["--type", "String", "--value", &first]].concat())
            .unwrap();
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/cloudformation/service.yaml");
        let role = format!(
            "ExecutionRole=arn:aws:iam::{}:role/app-web-execution",
            local_aws::ACCOUNT
        );
        let deploy = |memory: &str| {
            let deploy = [
                "cloudformation",
                "deploy",
                "--stack-name",
                "as-code",
                "--template-file",
                template,
            ];
            let memory = format!("Memory={memory}");
            let parameters = [
                "--parameter-overrides",
                &role,
                "Subnets=subnet-0a1b",
                "DesiredCount=0",
                &memory,
            ];
            it.aws.cli(&[&deploy[..], &parameters].concat()).unwrap();
        };
        deploy("512");
        assert_eq!(it.service_images("production", "web").await, [first]);

        let digest = it.aws.push("as-code/web", "v2", Healthy).await.unwrap();
        let pushed = it.pushes("as-code/web", 2).await.remove(1);

        assert_eq!(outcomes(summary(&pushed)), [("web".to_owned(), "DEPLOYED".to_owned())]);
        let image = it.aws.image("as-code/web", "v2");
        assert_eq!(
            it.service_images("production", "web").await,
            std::slice::from_ref(&image)
        );
        assert_eq!(
            ["image", "digest", "tag"].map(parameter),
            [image.clone(), digest, "v2".to_owned()]
        );
        let on = it.describe("production", "web").await.task_definition.unwrap();
        assert_eq!(parameter("revision"), on);

        deploy("1024");

        let moved = it.describe("production", "web").await.task_definition.unwrap();
        assert_ne!(moved, on, "the stack has moved it");
        assert_eq!(it.service_images("production", "web").await, [image]);
    });
}
