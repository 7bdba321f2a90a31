//! The commands of docs/getting-started.md that install, typed as they stand there into one shell, in a fresh checkout.

use crate::typed::{blocks, shell};
use local_aws::{ACCOUNT, LocalAws, Options, tools};
use std::process::Command;

/// What the page leaves to the reader after the settings file was made: roles, here beside functions that are built already.
const EDIT: &str = r#"python3 - <<'EOF'
import json, os
with open("ecr-deploy.json") as file:
    settings = json.load(file)
settings["passRoles"] = [f"arn:aws:iam::{os.environ['ACCOUNT']}:role/app-*"]
settings["binaries"] = os.environ["BINARIES"]
with open("ecr-deploy.json", "w") as file:
    json.dump(settings, file)
EOF
"#;

#[test]
fn the_commands_of_the_page_install_the_stack_in_the_order_in_which_they_stand() {
    let aws = LocalAws::start(&Options {
        simulated_ecs: Some(simulated_ecs::Settings::default()),
        ..Options::default()
    })
    .unwrap();
    let binaries = aws.functions().unwrap();
    let checkout = tempfile::tempdir().unwrap();
    // With what is not committed yet, and without what .gitignore names: no packages, nothing compiled.
    let copied = Command::new("bash")
        .args(["-euo", "pipefail", "-c"])
        .arg("git ls-files -z --cached --others --exclude-standard --deduplicate | xargs -0 cp --parents -t \"$0\"")
        .arg(checkout.path())
        .current_dir(tools::workspace())
        .status()
        .unwrap();
    assert!(copied.success());

    let mut script = String::new();
    for block in blocks("docs/getting-started.md", "install") {
        script += &block;
        if block.contains("ecr-deploy.example.json") {
            script += EDIT;
        }
    }
    assert!(script.contains(EDIT), "no settings file is made");
    let binaries = binaries.to_string_lossy();
    // Nobody is there whom the CDK could ask.
    let variables = [
        ("CDK_REQUIRE_APPROVAL", "never"),
        ("ACCOUNT", ACCOUNT),
        ("BINARIES", &binaries),
    ];
    shell(&aws, checkout.path(), &script, &variables);

    let outputs =
        "aws cloudformation describe-stacks --stack-name ecr-deploy --query 'Stacks[0].[StackStatus, Outputs]'";
    let told = shell(&aws, checkout.path(), outputs, &[]);
    for expected in [
        "CREATE_COMPLETE",
        "DeployImageArn",
        "DeployServiceArn",
        "DeadLetterQueueUrl",
    ] {
        assert!(told.contains(expected), "no {expected} in {told}");
    }
}
