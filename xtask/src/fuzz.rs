//! Looks for an input that is taken wrongly, by libFuzzer, for every target or for one.

use crate::Failure;
use local_aws::tools;
use prepare::prerequisites;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// Runs each target for `seconds`, as many at once as there are processors, from the committed corpus and what earlier runs have grown from it.
///
/// # Errors
///
/// Names the target that failed. The input that it failed on stands above, and its input in the corpus, where `cargo test -p fuzz`
/// replays it from then on.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<(), Failure> {
    prerequisites::check_fuzzing()?;
    let package = tools::workspace().join("fuzz");
    let mut targets = targets()?;
    if let Some(wanted) = target {
        let all = targets.join(", ");
        targets.retain(|name| name == wanted);
        if targets.is_empty() {
            return Err(format!("there is no target {wanted:?}; there are {all}"));
        }
    }
    let program = build(&package)?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    for together in targets.chunks(processors) {
        let ended: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = together
                .iter()
                .map(|name| (name, scope.spawn(|| fuzz(&program, &package, name, seconds))))
                .collect();
            let ended = running.into_iter().map(|(name, it)| (name, it.join()));
            ended.collect()
        });
        for (name, ended) in ended {
            let summary = ended.map_err(|_| format!("{name}: the thread of this target panicked"))??;
            eprintln!("{name}, for {seconds} s\n  {summary}");
        }
    }
    Ok(())
}

/// Runs one target. Returns the line with what was done.
fn fuzz(program: &Path, package: &Path, name: &str, seconds: u32) -> Result<String, Failure> {
    let grown = tools::workspace().join("target/fuzz").join(name);
    std::fs::create_dir_all(&grown).map_err(|error| format!("{}: {error}", grown.display()))?;
    let seeds = package.join("corpus").join(name);
    let output = Command::new(program)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-dict={}", package.join("dictionary").display()))
        .arg(format!("-artifact_prefix={}/", seeds.display()))
        .arg("-timeout=10")
        .args([&grown, &seeds, &tools::workspace().join("statemachine/examples")])
        .env("FUZZ_TARGET", name)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("{said}");
        return Err(format!(
            "{name} failed ({}); its input, if there is one, is now in {}",
            output.status,
            seeds.display()
        ));
    }
    let summary = said.lines().find(|line| line.contains("DONE"));
    Ok(summary.unwrap_or("no summary").to_owned())
}

/// Builds the targets with the dependencies that this task was built with: only the workspace's own crates are built
/// anew, to be instrumented.
fn build(package: &Path) -> Result<PathBuf, Failure> {
    let status = Command::new("cargo")
        .args([
            "build",
            "--locked",
            "--quiet",
            "--package",
            "xtask",
            "--package",
            "fuzz",
            "--bin",
            "fuzz",
        ])
        .current_dir(package)
        .env("RUSTC_WORKSPACE_WRAPPER", package.join("instrumented-rustc"))
        .status();
    match status {
        Ok(status) if status.success() => Ok(tools::workspace().join("target/debug/fuzz")),
        other => Err(format!("the fuzz targets cannot be built: {other:?}")),
    }
}

/// The names of the targets, each of which has a folder of `fuzz/corpus`.
///
/// # Errors
///
/// When the corpus cannot be read.
pub(crate) fn targets() -> Result<Vec<String>, Failure> {
    let corpus = tools::workspace().join("fuzz/corpus");
    folders(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))
}

fn folders(path: &Path) -> std::io::Result<Vec<String>> {
    let names = path
        .read_dir()?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<std::io::Result<_>>()?;
    names.sort();
    Ok(names)
}
