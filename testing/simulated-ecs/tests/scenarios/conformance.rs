//! The official client, boto3, drives every operation, and holds every answer to botocore's own model.

use std::path::Path;
use std::process::Command;

use prepare::tools;
use simulated_ecs::{Settings, SimulatedEcs};

#[test]
fn boto3_drives_every_operation_and_finds_every_answer_as_botocore_models_it() {
    let server = SimulatedEcs::start(Settings {
        speed: 200.0,
        ..Settings::default()
    })
    .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/drive.py");
    let output = Command::new(tools::python_with_tools().unwrap())
        .arg(script)
        .arg(server.url())
        .output()
        .unwrap();
    let (out, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{error}");
    assert!(out.contains("every operation"), "{out}");
}
