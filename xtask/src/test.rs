//! Every check and every test, from the cheapest to the dearest.

use crate::Failure;
use crate::iam;
use crate::steps::{self, Lacking, Step};
use prepare::prerequisites;
use std::thread;
use std::time::Instant;

/// The tests that start a local AWS, and those of the tasks; but for those with real containers.
const SCENARIOS: &str = "cargo test --locked --package local-aws --package storm --package tests --package xtask --lib --bins \
    --test command --test cost --test interleavings --test package --test simulated";

/// The scenarios with real containers, which wait for them most of the time.
const CONTAINERS: &str =
    "cargo test --locked --package local-aws --package storm --package tests --package xtask --test containers";

/// Small storms, of some minutes in all, which exercise every rule about stages. The seed of the day is told where it is played.
const STORMS: &str = "cargo xtask storm --services 40 --exercise --seed 3 --seed 5 --seed 13 --seed today";

/// Makes the package for the processor of this machine. It yields to whatever runs beside it.
const PACKAGE: &str = if cfg!(target_arch = "aarch64") {
    "nice -n 5 cargo xtask package --processor arm64"
} else {
    "nice -n 5 cargo xtask package --processor x86_64"
};

/// Each target for a while, on what the package leaves.
const FUZZING: &str = "nice -n 5 cargo xtask fuzz --seconds 12";

/// Runs everything and ends at the first failure; where steps run side by side, when all of them have ended.
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
    let released = Step::new(
        "the demo with the functions as they are released, where no Docker engine answers",
        "env DOCKER_HOST=unix:///no-engine.sock cargo xtask demo --release",
    );
    let fuzzing = (!lacking.compiler).then(|| Step::new("fuzzing", FUZZING));
    let package = [Some(Step::new("the package", PACKAGE)), Some(released), fuzzing];
    // The longest of all, and what it yields to often waits: for a linker, for Node.js, for a state machine.
    side_by_side(
        || on_the_sources(&lacking),
        vec![package.into_iter().flatten().collect()],
    )?;
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

/// The CDK app, lints, documentation, and every test of Rust.
fn on_the_sources(lacking: &Lacking) -> Result<(), Failure> {
    steps::cdk().run()?;
    steps::lints(lacking).run()?;
    steps::documentation(lacking).run()?;
    steps::unit_tests(lacking).run()?;
    let scenarios = Step::new("Rust: end to end", SCENARIOS);
    let containers = Step::new("Rust: end to end, with real containers", CONTAINERS);
    let storms = Step::new("storms: three that are always the same, and that of the day", STORMS);
    let demo = lacking
        .containers
        .is_none()
        .then(|| Step::new("the demo", "cargo xtask demo"));
    // All of them wait most of the time.
    let storms = [Some(storms), demo].into_iter().flatten().collect();
    side_by_side(|| scenarios.run(), vec![vec![containers], storms])
}

/// Runs what everybody sees, and lists of steps beside it. A failure of the first is told at once.
///
/// # Errors
///
/// Each failure, once all have ended.
fn side_by_side(seen: impl FnOnce() -> Result<(), Failure>, beside: Vec<Vec<Step>>) -> Result<(), Failure> {
    let ends = thread::scope(|scope| {
        let beside: Vec<_> = beside
            .into_iter()
            .map(|steps| scope.spawn(move || steps.iter().try_for_each(Step::run_quietly)))
            .collect();
        let ended = seen();
        if let Err(failure) = &ended
            && beside.iter().any(|it| !it.is_finished())
        {
            eprintln!("\n{failure}\nWhat runs beside it goes on to its end.");
        }
        let others = beside
            .into_iter()
            .map(|it| it.join().unwrap_or_else(|_| Err("a step panicked".to_owned())));
        [ended].into_iter().chain(others).collect::<Vec<_>>()
    });
    let failures: Vec<Failure> = ends.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use local_aws::tools;

    #[test]
    fn each_failure_of_steps_that_run_side_by_side_is_told() {
        let step = |command| Step::new("a step", command);
        let ended = side_by_side(
            || step("false").run(),
            vec![vec![step("true"), step("false a")], vec![step("false b")]],
        );
        let said = ended.unwrap_err();
        assert_eq!(said.matches("a step failed").count(), 3, "{said}");
        assert!(said.contains("&& false a") && said.contains("&& false b"), "{said}");
    }

    #[test]
    fn every_suite_of_scenarios_is_run_once() {
        let manifest = std::fs::read_to_string(tools::workspace().join("tests/Cargo.toml")).unwrap();
        let named = |block: &str| Some(block.split_once("name = \"")?.1.split_once('"')?.0.to_owned());
        let suites: Vec<String> = manifest.split("[[test]]").skip(1).filter_map(named).collect();
        assert!(suites.len() > 5, "{suites:?}");
        for suite in suites {
            let is_run = |command: &str| format!("{command} ").contains(&format!(" --test {suite} "));
            assert!(is_run(SCENARIOS) != is_run(CONTAINERS), "{suite}");
        }
    }

    #[test]
    fn steps_that_run_side_by_side_pass_where_all_do() {
        let step = |command| Step::new("a step", command);
        side_by_side(|| step("true").run(), vec![vec![step("true"), step("true")], vec![]]).unwrap();
    }
}
