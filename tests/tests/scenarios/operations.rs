//! The commands of docs/operations.md, typed as they stand there, one after the other into one shell.

use crate::support::{Deployed, PLAIN, run};
use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::executions::Execution;
use local_aws::images::Behaviour::Broken;
use local_aws::{LocalAws, Options, Settings, tools};
use std::fmt::Write;
use std::process::Command;

/// The page's blocks whose first line has this mark behind `sh`, as one script.
fn script(page: &str, mark: &str) -> String {
    let page = std::fs::read_to_string(tools::workspace().join(page)).unwrap();
    let begin = format!("```sh {mark}\n");
    let blocks = page.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.fold(String::new(), |mut script, block| {
        writeln!(script, "{block}").unwrap();
        script
    })
}

/// Version 1 of the AWS CLI, which comes with the Python packages, asks AWS itself for a queue whatever the environment says,
/// unless this option is given.
const QUEUES_ARE_HERE: &str = "aws() { if [ \"$1\" = sqs ]; then command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; else command aws \"$@\"; fi; }";

/// What bash says to a script in an empty folder, with the AWS CLI and this AWS.
fn shell(it: &Deployed, script: &str, variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let tools = tools::python_with_tools().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("{QUEUES_ARE_HERE}\n{script}")])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", tools.parent().unwrap().display()))
        .envs(it.aws.environment())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{script}\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

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
        let queue = ("QUEUE", it.stack.dead_letter_queue.as_str());
        let lose = "aws sqs send-message --queue-url \"$QUEUE\" --message-body \"$EVENT\"";
        shell(&it, lose, &[queue, ("EVENT", &failed.input.to_string())]);

        let said = shell(&it, &script("docs/operations.md", "operate"), &[]);

        for expected in [
            "Deploy.ServicesFailed",
            "web exited with code 1",
            "redriveDate",
            "stopDate",
        ] {
            assert!(said.contains(expected), "no {expected:?} in:\n{said}");
        }
        // Two more of the same event: the one that was started by hand, and the one that was lost.
        let executions = it.pushes("shop/web", 4).await;
        let redriven = it.aws.execution(&failed.arn).await.unwrap();
        assert_eq!(redriven.status, ExecutionStatus::Aborted);
        assert!(
            executions
                .iter()
                .filter(|it| it.arn != failed.arn)
                .all(Execution::has_ended)
        );
        let count = "aws sqs get-queue-attributes --queue-url \"$QUEUE\" --attribute-names ApproximateNumberOfMessages";
        assert!(shell(&it, count, &[queue]).contains("\"0\""));
    });
}
