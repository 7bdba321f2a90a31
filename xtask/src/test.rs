//! Every check and every test, from the cheapest to the dearest.

use crate::Failure;
use local_aws::tools;
use prepare::prerequisites;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Small storms, of some minutes in all. The seed of the day is told where it is played.
const STORMS: [&str; 13] = [
    "cargo",
    "xtask",
    "storm",
    "--services",
    "40",
    "--seed",
    "1",
    "--seed",
    "2",
    "--seed",
    "3",
    "--seed",
    "today",
];

/// Runs everything and ends at the first failure.
///
/// # Errors
///
/// Names the step that failed; what it said stands above.
pub(crate) fn run() -> Result<(), Failure> {
    prerequisites::check()?;
    prerequisites::check_fuzzing()?;
    let python = tools::python_with_tools().map_err(|error| error.to_string())?;
    tools::node_modules().map_err(|error| error.to_string())?;
    let root = tools::workspace();
    let bin = python.parent().unwrap_or(Path::new("/")).to_owned();
    let began = Instant::now();
    let steps: [(&str, &Path, &[&str]); 10] = [
        ("formatting", root, &["cargo", "fmt", "--all", "--check"]),
        (
            "dependency policy",
            root,
            &["cargo-deny", "--locked", "check", "bans", "licenses", "sources"],
        ),
        (
            "lints",
            root,
            &[
                "cargo",
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "--deny",
                "warnings",
            ],
        ),
        (
            "documentation",
            root,
            &["cargo", "doc", "--locked", "--workspace", "--no-deps", "--quiet"],
        ),
        (
            "the CDK app and the state machines",
            &root.join("cdk"),
            &["npm", "test"],
        ),
        (
            "Rust: unit, contract, end to end",
            root,
            &["cargo", "test", "--locked", "--workspace"],
        ),
        ("the demo", root, &["cargo", "xtask", "demo"]),
        (
            "the demo where no Docker engine answers",
            root,
            &["env", "DOCKER_HOST=unix:///no-engine.sock", "cargo", "xtask", "demo"],
        ),
        (
            "storms: three that are always the same, and that of the day",
            root,
            &STORMS,
        ),
        ("fuzzing", root, &["cargo", "xtask", "fuzz", "--seconds", "12"]),
    ];
    for (name, folder, words) in steps {
        step(name, folder, words, &bin)?;
    }
    eprintln!("\nEverything passed in {} s.", began.elapsed().as_secs());
    Ok(())
}

fn step(name: &str, folder: &Path, words: &[&str], bin: &Path) -> Result<(), Failure> {
    eprintln!("\n== {name}: {}", words.join(" "));
    let began = Instant::now();
    let path = std::env::var("PATH").unwrap_or_default();
    let status = Command::new(words[0])
        .args(&words[1..])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("ECR_DEPLOY_PYTHON", bin.join("python"))
        .env("RUSTDOCFLAGS", "--deny warnings")
        .status();
    match status {
        Ok(status) if status.success() => {
            eprintln!("== {name}: passed in {} s", began.elapsed().as_secs());
            Ok(())
        }
        Ok(status) => Err(format!(
            "{name} failed ({status}); run it alone with: cd {} && {}",
            folder.display(),
            words.join(" ")
        )),
        Err(error) => Err(format!("{name}: {} does not run: {error}", words[0])),
    }
}
