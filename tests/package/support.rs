//! Shared by the scenarios: the local AWS, a shell without Rust, and the pushes that an installation has to pass.

use local_aws::images::Behaviour::{self, Broken, Healthy};
use local_aws::{LocalAws, Options, services, tools};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// One runtime for all: the connections of an SDK client live in the runtime that made them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(10);

/// Runs a scenario.
pub(crate) fn run(scenario: impl Future<Output = ()>) {
    RUNTIME.block_on(scenario);
}

/// A local AWS on the simulated ECS, which is many times as fast as the real one.
pub(crate) fn local_aws() -> LocalAws {
    let simulated = simulated_ecs::Settings {
        speed: 20.0,
        ..simulated_ecs::Settings::default()
    };
    LocalAws::start(&Options {
        simulated_ecs: Some(simulated),
        ..Options::default()
    })
    .unwrap()
}

/// An empty folder outside of the repository, with a name that npm takes for a package.
pub(crate) fn empty_folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("my-app");
    std::fs::create_dir(&folder).unwrap();
    (parent, folder)
}

/// The blocks of a page whose first line has this mark behind `sh`, as one script.
pub(crate) fn commands(page: &str, mark: &str) -> String {
    let text = std::fs::read_to_string(tools::workspace().join(page)).unwrap();
    let begin = format!("```sh {mark}\n");
    let blocks: Vec<&str> = text
        .split(&begin)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(!blocks.is_empty(), "{page} has no block marked {mark}");
    blocks.concat()
}

/// Types a script into bash, in a folder, with this AWS and the AWS CLI. There is no Rust on the path.
pub(crate) fn shell(aws: &LocalAws, folder: &Path, script: &str, variables: &[(&str, &str)]) -> String {
    let python = tools::python_with_tools().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", python.parent().unwrap().display());
    let lacks_rust = "if command -v cargo || command -v rustc; then echo 'Rust is on the path' >&2; exit 1; fi";
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("{lacks_rust}\n{script}")])
        .current_dir(folder)
        .envs(aws.environment())
        .env("PATH", path)
        .env("CDK_DISABLE_CLI_TELEMETRY", "true")
        .env("CDK_REQUIRE_APPROVAL", "never")
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

/// The parameter by which an installation tells the command of itself.
pub(crate) fn installation(aws: &LocalAws, stack: &str) -> Value {
    let name = format!("/ecr-deploy/{stack}/installation");
    let words = [
        "ssm",
        "get-parameter",
        "--name",
        &name,
        "--query",
        "Parameter.Value",
        "--output",
        "text",
    ];
    serde_json::from_str(&aws.cli(&words).unwrap()).unwrap()
}

/// Pushes a good image, which has to be deployed, and then a broken one, which has to be rolled back, by the stack of this name.
pub(crate) async fn deploys_and_rolls_back(aws: &LocalAws, stack: &str) {
    let installation = installation(aws, stack);
    let machine = installation["deployImage"].as_str().unwrap();
    aws.create_repository("shop/web").await.unwrap();
    push(aws, machine, "v1", Healthy, 1).await;
    aws.create_cluster("production").await.unwrap();
    let first = aws.image("shop/web", "v1");
    aws.register("web", &[("web", &first)]).await.unwrap();
    let setup = services::Setup::default();
    aws.create_service("production", "web", "web", &setup).await.unwrap();
    aws.stable("production", "web", LIMIT).await.unwrap();

    let deployed = push(aws, machine, "v2", Healthy, 2).await;
    assert_eq!(deployed.error, None, "{deployed:#?}");
    assert_eq!(deployed.output.unwrap()["services"][0]["outcome"], "DEPLOYED");
    assert_eq!(runs(aws).await, [aws.image("shop/web", "v2")]);

    let broken = push(aws, machine, "v3", Broken, 3).await;
    assert_eq!(broken.error.as_deref(), Some("Deploy.ServicesFailed"), "{broken:#?}");
    let message = broken.message().unwrap();
    assert!(message.contains("It is back on web:2 and stable"), "{message}");
    assert_eq!(runs(aws).await, [aws.image("shop/web", "v2")]);
    assert_eq!(aws.refused(), Vec::<String>::new(), "refused by IAM");
}

/// Pushes an image and waits for the end of its execution, the last of so many.
async fn push(
    aws: &LocalAws,
    machine: &str,
    tag: &str,
    behaviour: Behaviour,
    count: usize,
) -> local_aws::executions::Execution {
    aws.push("shop/web", tag, behaviour).await.unwrap();
    let of_repository = |it: &local_aws::executions::Execution| it.is_of_push_to("shop/web");
    let ended = aws.ended_executions(machine, count, None, of_repository, LIMIT).await;
    ended.unwrap().pop().unwrap()
}

/// The images that the service runs.
async fn runs(aws: &LocalAws) -> Vec<String> {
    let service = aws.describe_service("production", "web").await.unwrap();
    aws.images_of(service.task_definition().unwrap()).await.unwrap()
}
