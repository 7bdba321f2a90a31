//! The CloudFormation template: the AWS CLI alone.

use crate::dist::{ARCHITECTURE, DIST};
use crate::support::{commands, deploys_and_rolls_back, installation, local_aws, run, shell};
use local_aws::LocalAws;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A folder with the templates and their zips, as they are after a download.
fn downloaded() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(DIST.join("template"))
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    folder
}

/// The commands of the page, for the processor of this machine.
fn install(aws: &LocalAws, folder: &Path, more: &str) {
    let script = commands("docs/getting-started.md", "template");
    let template = if ARCHITECTURE == "arm64" {
        "template.json".to_owned()
    } else {
        format!("template-{ARCHITECTURE}.json")
    };
    let script = script.replace("template/template.json", &format!("template/{template}"));
    shell(aws, folder, &format!("{}{more}\n", script.trim_end()), &[]);
}

#[test]
fn the_template_is_installed_by_the_aws_cli_alone() {
    run(async {
        let aws = local_aws();
        let folder = downloaded();

        install(&aws, folder.path(), "");

        assert_eq!(installation(&aws, "ecr-deploy")["settings"]["clusters"], json!([]));
        deploys_and_rolls_back(&aws, "ecr-deploy").await;
    });
}

#[test]
fn the_template_takes_a_cluster_and_stages() {
    run(async {
        let aws = local_aws();
        let folder = downloaded();
        let stages = json!([{"name": "production", "tags": ["v*"], "rolloutTimeoutSeconds": 600}]);

        let parameters = format!(" Cluster=production 'Stages={stages}'");
        install(&aws, folder.path(), &parameters);

        let installation = installation(&aws, "ecr-deploy");
        assert_eq!(installation["settings"]["clusters"], json!(["production"]));
        assert_eq!(installation["settings"]["stages"], stages);
        let roles = json!(["arn:aws:iam::123456789012:role/app-*"]);
        assert_eq!(installation["passRoles"], roles);
        deploys_and_rolls_back(&aws, "ecr-deploy").await;
    });
}

#[test]
fn each_function_of_a_template_is_in_the_zip_beside_it() {
    let folder = DIST.join("template");
    let text = fs::read_to_string(folder.join(if ARCHITECTURE == "arm64" {
        "template.json"
    } else {
        "template-x86_64.json"
    }));
    let template: Value = serde_json::from_str(&text.unwrap()).unwrap();
    let resources = template["Resources"].as_object().unwrap().values();
    let functions: Vec<&Value> = resources.filter(|it| it["Type"] == "AWS::Lambda::Function").collect();
    assert!(functions.len() >= 6, "{}", functions.len());
    for function in functions {
        let code = function["Properties"]["Code"].as_str().unwrap();
        assert!(folder.join(code).is_file(), "{code}");
        assert_eq!(function["Properties"]["Architectures"], json!([ARCHITECTURE]));
    }
}
