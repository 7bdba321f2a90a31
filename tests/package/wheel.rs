//! The wheel: a CDK app in Python.

use crate::dist::{ARCHITECTURE, file};
use crate::support::{commands, deploys_and_rolls_back, empty_folder, local_aws, run, shell};
use local_aws::tools;
use std::fs;

#[test]
fn five_lines_of_a_cdk_app_in_python_install_it_from_the_wheel() {
    run(async {
        let aws = local_aws();
        let (_parent, folder) = empty_folder();
        let wheel = file("ecr_deploy-", ".whl");
        fs::copy(&wheel, folder.join(wheel.file_name().unwrap())).unwrap();
        let app = fs::read_to_string(tools::workspace().join("examples/short/app.py")).unwrap();
        // The functions are for the processor of this machine.
        let (begin, roles) = app.split_once("pass_roles").unwrap();
        let app = format!(
            "from aws_cdk.aws_lambda import Architecture\n{begin}architecture=Architecture.{}, pass_roles{roles}",
            if ARCHITECTURE == "arm64" { "ARM_64" } else { "X86_64" }
        );
        fs::write(folder.join("app.py"), app).unwrap();

        shell(&aws, &folder, &commands("docs/getting-started.md", "python"), &[]);

        deploys_and_rolls_back(&aws, "ecr-deploy").await;
    });
}
