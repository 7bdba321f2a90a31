//! `cargo xtask`: what is done with the whole repository, each by one command that installs what it needs into the
//! project's own folder.

mod picture;
mod prerequisites;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// What is done with the whole repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check and every test: what CI runs.
    Test,
    /// Draw the state machines anew in the README.
    Picture,
}

/// Why a task failed, for the person at the terminal.
type Failure = String;

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test => test::run(),
        Task::Picture => picture::write(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}
