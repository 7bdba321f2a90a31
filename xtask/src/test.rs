//! Every check and every test, from the cheapest to the dearest.

use crate::Failure;
use crate::iam;
use crate::steps::{self, Lacking, Step};
use prepare::prerequisites;
use std::thread;
use std::time::Instant;

/// Small storms, of some minutes in all, which exercise every rule about stages. The seed of the day is told where it is played.
const STORMS: &str = "cargo xtask storm --services 40 --exercise --seed 3 --seed 5 --seed 13 --seed today";

/// Makes the package for the processor of this machine. It yields to whatever runs beside it.
const PACKAGE: &str = if cfg!(target_arch = "aarch64") {
    "nice -n 19 cargo xtask package --processor arm64"
} else {
    "nice -n 19 cargo xtask package --processor x86_64"
};

/// Runs everything and ends at the first failure.
///
/// # Errors
///
/// Names the step that failed; what it said stands above. Where `CI` is set also when this machine lacks anything.
pub(crate) fn run() -> Result<(), Failure> {
    prerequisites::check()?;
    let begun = Instant::now();
    let lacking = Lacking::here();
    let not_run = lacking.lines();
    if !not_run.is_empty() && std::env::var_os("CI").is_some() {
        return Err(format!(
            "CI is set, so everything must run, but:\n{}",
            not_run.join("\n")
        ));
    }
    for line in &not_run {
        eprintln!("{line}");
    }

    iam::begin()?;
    steps::formatting().run()?;
    Step::new("dependency policy", "cargo-deny --locked check bans licenses sources").run()?;
    steps::lints(&lacking).run()?;
    steps::documentation(&lacking).run()?;
    steps::cdk().run()?;
    steps::unit_tests(&lacking).run()?;
    // The scenarios wait most of the time.
    let package = thread::spawn(|| Step::new("the package", PACKAGE).run_quietly());
    Step::new(
        "Rust: end to end",
        "cargo test --locked --package local-aws --package storm --package tests --package xtask",
    )
    .run()?;
    if lacking.containers.is_none() {
        Step::new("the demo", "cargo xtask demo").run()?;
    }
    Step::new("storms: three that are always the same, and that of the day", STORMS).run()?;
    if !lacking.compiler {
        Step::new("fuzzing", "cargo xtask fuzz --seconds 12").run()?;
    }
    eprintln!("\nwaiting for the package");
    package.join().map_err(|_| "the making of the package panicked")??;
    Step::new(
        "the demo with the functions as they are released, where no Docker engine answers",
        "env DOCKER_HOST=unix:///no-engine.sock cargo xtask demo --release",
    )
    .run()?;
    eprintln!("\n== permissions: each was needed by some call, and no call was refused");
    iam::compare()?;

    eprintln!(
        "\nEverything that can run here passed in {} s.",
        begun.elapsed().as_secs()
    );
    for line in &not_run {
        eprintln!("{line}");
    }
    Ok(())
}
