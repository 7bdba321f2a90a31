//! The benchmark: what a push costs. Time and calls from its event to the last `UpdateService` beside the least that AWS's
//! limits allow, the same work by another tool, cold starts, growth, and money.
//!
//! Nothing here is a test: it prints a part of docs/performance.md, and fails only when it cannot measure.

mod account;
mod ecs_deploy;
mod first_run;
mod growth;
mod plot;
mod price;
mod push;
mod runs;
mod start;
mod table;

use crate::{Failure, page};
use clap::ValueEnum;
use jiff::Timestamp;
use local_aws::tools::workspace;
use prepare::prerequisites;
use std::process::Command;

/// The page with the results.
const PAGE: &str = "docs/performance.md";
/// The part of the page that holds them.
const PART: &str = "bench";

/// A part that can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// From a push to the last update, beside what AWS's limits allow.
    Push,
    /// The same work by ecs-deploy.
    EcsDeploy,
    /// Cold start, memory and size of each function.
    Start,
    /// The cost of a search in larger and larger accounts.
    Growth,
    /// State transitions, history events, gigabyte-seconds, and what they cost.
    Price,
}

/// Measures one part, or everything, and prints it; with `keep` it also writes them onto the page.
///
/// # Errors
///
/// When the functions cannot be built or do not answer, or the page cannot be written.
pub(crate) fn run(part: Option<Part>, keep: bool) -> Result<(), Failure> {
    prerequisites::check()?;
    if cfg!(debug_assertions) {
        return optimized();
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let mut text = heading();
    for one in Part::value_variants() {
        if part.is_none_or(|part| part == *one) {
            let measured = match one {
                Part::Push => runtime.block_on(pushes()),
                Part::EcsDeploy => runtime.block_on(ecs_deploy::compare()),
                Part::Start => start::measure(&runtime),
                Part::Growth => growth::measure(),
                Part::Price => Ok(price::measure()),
            }?;
            eprintln!("{measured}");
            text += &measured;
        }
    }
    if keep {
        page::write(PAGE, &[(PART, text)])
    } else {
        Ok(())
    }
}

/// Runs this once more, optimized as the functions are.
fn optimized() -> Result<(), Failure> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--locked", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .current_dir(workspace())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("the benchmark did not end well: {other:?}")),
    }
}

/// Measures how long the demo takes in a fresh clone, and prints where the time goes.
///
/// # Errors
///
/// When the demo fails there.
pub(crate) fn first_run() -> Result<(), Failure> {
    prerequisites::check()?;
    eprintln!("\n{}", first_run::measure()?);
    Ok(())
}

/// When and where it was measured.
fn place() -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name\t: "));
    format!(
        "Measured on {} by `cargo xtask bench` on {processors} processors ({}).",
        now().strftime("%Y-%m-%d"),
        model.unwrap_or("of unknown make").trim(),
    )
}

/// When and where it was measured, and how.
fn heading() -> String {
    format!(
        "{} The functions run against a simulated ECS. Each call to it takes {} ms, and it throttles calls beyond the token \
         buckets that AWS documents; the buckets are full at the beginning. The functions are warm, but have read no revision \
         before. Three numbers are minimum, median and maximum. Each run has an account of its own. The runs with 8 services are \
         made one after the other; the runs with more services, which wait for the buckets nearly all the time, at the same \
         time.\n\n",
        place(),
        account::LATENCY,
    )
}

async fn pushes() -> Result<String, Failure> {
    let mut table = "**From the push to the last `UpdateService`**\n\n\
        | account | least that AWS allows | time | ratio | calls | throttled | lowest level of each bucket |\n\
        |---|---|---|---|---|---|---|\n"
        .to_owned();
    let mut calls = String::new();
    for case in push::cases() {
        let (line, of_case) = case.measure().await?;
        eprintln!("{line}\n{of_case}");
        table.extend([line.as_str(), "\n"]);
        calls.extend([of_case.as_str(), "\n"]);
    }
    Ok(format!(
        "{table}\n{}\n\n{calls}\n{}\n\n",
        push::chain(),
        push::too_large().await?
    ))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is an edge")]
fn now() -> Timestamp {
    Timestamp::now()
}
