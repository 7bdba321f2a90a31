//! The commands of the documentation, typed into a shell as they stand there.

use local_aws::{LocalAws, tools};
use std::path::Path;
use std::process::Command;

/// The blocks of a page whose first line has this mark behind `sh`.
pub(crate) fn blocks(page: &str, mark: &str) -> Vec<String> {
    let page = std::fs::read_to_string(tools::workspace().join(page)).unwrap();
    let begin = format!("```sh {mark}\n");
    let blocks = page.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(str::to_owned).collect()
}

/// Version 1 of the AWS CLI, which comes with the Python packages, asks AWS itself for a queue whatever the environment says,
/// unless this option is given.
const QUEUES_ARE_HERE: &str = "aws() { if [ \"$1\" = sqs ]; then command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; else command aws \"$@\"; fi; }";

/// The output of a script in bash, in a folder, with the AWS CLI and this AWS.
pub(crate) fn shell(aws: &LocalAws, folder: &Path, script: &str, variables: &[(&str, &str)]) -> String {
    let tools = tools::python_with_tools().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("{QUEUES_ARE_HERE}\n{script}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", tools.parent().unwrap().display()))
        .envs(aws.environment())
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
