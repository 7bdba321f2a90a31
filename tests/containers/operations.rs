//! The commands of docs/operations.md, typed as they stand there, one after the other into one shell.

use crate::support::{Deployed, PLAIN, run};
use crate::typed::{blocks, shell};
use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::executions::Execution;
use local_aws::images::Behaviour::Broken;
use local_aws::{LocalAws, Options, Settings};

#[test]
fn the_commands_of_the_page_find_the_failed_push_and_redrive_stop_and_start_it() {
    run(async {
        let options = Options {
            simulated_ecs: Some(simulated_ecs::Settings::default()),
            ..Options::default()
        };
        let aws = LocalAws::start(&options).unwrap();
        let stack = aws.deploy(&Settings::default()).unwrap();
        let it = Deployed { aws, stack };
        let image = it.repository("shop/web").await;
        it.cluster("production").await;
        it.register("web", &[("web", &image)]).await;
        it.service("production", "web", "web", PLAIN).await;
        it.stable("production", "web").await;
        it.aws.push("shop/web", "v2", Broken).await.unwrap();
        let executions = it.pushes("shop/web", 2).await;
        let failed = executions.last().unwrap();
        assert_eq!(failed.status, ExecutionStatus::Failed);
        let folder = tempfile::tempdir().unwrap();
        let queue = ("QUEUE", it.stack.dead_letter_queue.as_str());
        // One that never came to the launcher.
        let mut unheard = failed.input.clone();
        unheard["id"] = "0a1b2c3d-0000-4000-8000-00000000d0d0".into();
        let lose = "aws sqs send-message --queue-url \"$QUEUE\" --message-body \"$EVENT\"";
        shell(&it.aws, folder.path(), lose, &[queue, ("EVENT", &unheard.to_string())]);

        let said = shell(
            &it.aws,
            folder.path(),
            &blocks("docs/operations.md", "operate").concat(),
            &[],
        );

        for expected in [
            "Deploy.ServicesFailed",
            "web exited with code 1",
            "redriveDate",
            "stopDate",
            "\"image\":\"shop/web:v2\"",
            // The service with its revision, what runs in it, its rollouts, and the revisions to go back to.
            "web\tarn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
            "dkr.ecr.us-east-1.amazonaws.com/shop/web:v1",
            "\tROLLBACK_SUCCESSFUL",
            "task-definition/web:2\tarn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
            "CREATE_COMPLETE",
        ] {
            assert!(said.contains(expected), "no {expected:?} in:\n{said}");
        }
        // It went back by hand, to where it was, and its hold is lifted.
        let service = it.aws.describe_service("production", "web").await.unwrap();
        assert!(service.task_definition().is_some_and(|on| on.ends_with("/web:1")));
        let service_arn = service.service_arn().unwrap();
        let tags = it.aws.ecs().list_tags_for_resource().resource_arn(service_arn).send();
        let tags = tags.await.unwrap().tags.unwrap_or_default();
        assert!(!tags.iter().any(|tag| tag.key() == Some("ecr-deploy:hold")), "{tags:?}");
        // Three more of the same push: the one that was started by hand, its plan, and the one that was lost.
        let executions = it.pushes("shop/web", 5).await;
        let redriven = it.aws.execution(&failed.arn).await.unwrap();
        assert_eq!(redriven.status, ExecutionStatus::Aborted);
        assert!(
            executions
                .iter()
                .filter(|it| it.arn != failed.arn)
                .all(Execution::has_ended)
        );
        let count = "aws sqs get-queue-attributes --queue-url \"$QUEUE\" --attribute-names ApproximateNumberOfMessages";
        assert!(shell(&it.aws, folder.path(), count, &[queue]).contains("\"0\""));
    });
}
