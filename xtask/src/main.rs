//! `cargo xtask`: what is done with the whole repository, each by one command that installs what it needs into the
//! project's own folder.

mod bench;
mod check;
mod demo;
#[cfg(test)]
mod docs;
mod fuzz;
mod iam;
mod lambda;
#[cfg(test)]
mod lengths;
mod package;
mod page;
mod picture;
mod steps;
mod storm;
mod terminal;
mod test;
#[cfg(test)]
mod words;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A task with the whole repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check what every save should keep: formatting, lints, unit tests, contracts, the CDK app. Starts no local AWS.
    Check,
    /// Show it: a local AWS, a real `cdk deploy`, stages, a pull request, a release, a broken release, and the rollback.
    Demo(demo::Arguments),
    /// Run every check and every test: what CI runs.
    Test,
    /// Measure what a push costs: time and calls beside what AWS's limits allow and beside ecs-deploy, cold starts, growth.
    Bench {
        /// One part instead of all.
        part: Option<bench::Part>,
        /// Write the results into docs/performance.md.
        #[arg(long, conflicts_with = "part")]
        write: bool,
        /// Measure instead how long the demo takes in a fresh clone of what is committed, cold and then warm.
        #[arg(long, conflicts_with_all = ["part", "write"])]
        first_run: bool,
    },
    /// Look for an input from outside that is taken wrongly: events, ARNs, images, task definitions, settings.
    Fuzz {
        /// One target instead of all: a folder of fuzz/corpus.
        target: Option<String>,
        /// How long to read, for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Make what a release consists of, in dist/: the functions, the command, their parts and licences, notes, checksums.
    Package {
        /// One processor instead of both.
        #[arg(long)]
        processor: Option<package::Processor>,
    },
    /// Draw the state machines anew in docs/architecture.md, and docs/demo.svg from docs/demo.txt.
    Picture,
    /// Play storms: hundreds of services, faults, second deployers, overlapping pushes; and check what must hold afterwards.
    Storm(storm::Arguments),
}

/// Why a task failed, for the person at the terminal.
type Failure = String;

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Check => check::run(),
        Task::Demo(arguments) => demo::run(arguments),
        Task::Test => test::run(),
        Task::Bench { first_run: true, .. } => bench::first_run(),
        Task::Bench { part, write, .. } => bench::run(part, write),
        Task::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Task::Package { processor } => package::run(processor),
        Task::Picture => picture::write(),
        Task::Storm(arguments) => storm::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}
