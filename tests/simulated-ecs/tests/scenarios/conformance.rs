//! The official client, boto3, drives every operation, and holds every answer to botocore's own model.

use std::path::{Path, PathBuf};
use std::process::Command;

use simulated_ecs::{Settings, SimulatedEcs};

/// `ECR_DEPLOY_PYTHON`, else the workspace's virtual environment.
fn python() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let default = || package.join("../../target/venv/bin/python");
    let python = std::env::var_os("ECR_DEPLOY_PYTHON").map_or_else(default, PathBuf::from);
    assert!(
        python.exists(),
        "{} is not there: install boto3 into a virtual environment and set ECR_DEPLOY_PYTHON to its python",
        python.display()
    );
    python
}

#[test]
fn boto3_drives_every_operation_and_finds_every_answer_as_botocore_models_it() {
    let server = SimulatedEcs::start(Settings {
        speed: 200.0,
        ..Settings::default()
    })
    .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/drive.py");
    let output = Command::new(python()).arg(script).arg(server.url()).output().unwrap();
    let (out, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{error}");
    assert!(out.contains("every operation"), "{out}");
}
