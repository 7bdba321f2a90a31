//! The npm package: a CDK app in TypeScript.

use crate::dist::{ARCHITECTURE, file};
use crate::support::{commands, deploys_and_rolls_back, empty_folder, local_aws, run, shell};
use local_aws::tools;
use serde_json::Value;
use std::fs;

/// The versions of the repository in place of the newest ones, so that a release of somebody else's changes no test.
fn pinned(script: &str) -> String {
    let package = fs::read_to_string(tools::workspace().join("cdk/package.json")).unwrap();
    let package: Value = serde_json::from_str(&package).unwrap();
    let all = ["dependencies", "devDependencies"].map(|kind| package[kind].as_object().unwrap());
    let words = script.split_inclusive(char::is_whitespace).map(|word| {
        let name = word.trim_end();
        let version = all.iter().find_map(|some| some.get(name)).and_then(Value::as_str);
        version.map_or(word.to_owned(), |it| format!("{name}@{it}{}", &word[name.len()..]))
    });
    words.collect()
}

#[test]
fn five_lines_of_a_cdk_app_install_it_from_the_tarball() {
    run(async {
        let aws = local_aws();
        let (_parent, folder) = empty_folder();
        let package = file("ecr-deploy-", ".tgz");
        fs::copy(&package, folder.join(package.file_name().unwrap())).unwrap();
        let app = fs::read_to_string(tools::workspace().join("examples/short/app.ts")).unwrap();
        // The functions are for the processor of this machine.
        let (begin, roles) = app.split_once("passRoles").unwrap();
        let app = format!(
            "import {{ Architecture }} from \"aws-cdk-lib/aws-lambda\";\n{begin}architecture: Architecture.{}, passRoles{roles}",
            if ARCHITECTURE == "arm64" { "ARM_64" } else { "X86_64" }
        );
        fs::write(folder.join("app.ts"), app).unwrap();

        shell(&aws, &folder, &pinned(&commands("docs/getting-started.md", "npm")), &[]);

        deploys_and_rolls_back(&aws, "ecr-deploy").await;
    });
}

#[test]
fn versions_are_pinned_word_by_word() {
    let script = pinned("npm install ./ecr-deploy-0.1.0.tgz aws-cdk-lib constructs\nnpx cdk deploy\n");
    assert!(script.contains(" aws-cdk-lib@2."), "{script}");
    assert!(script.contains(" constructs@10."), "{script}");
    assert!(script.ends_with("\nnpx cdk deploy\n"), "{script}");
}
