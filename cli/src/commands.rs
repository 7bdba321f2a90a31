//! The commands, one file each.

mod completions;
mod deploy;
mod doctor;
mod history;
mod hold;
mod hooks;
mod plan;
mod retry;
mod rollback;
mod status;
mod sweep;
mod verify;
mod why;

use crate::arguments::{Arguments, Command};
use crate::error::Error;
use crate::exit::Exit;
use crate::push::Push;
use schemars::JsonSchema;

pub use doctor::Doctor;
pub use history::{Entry, History};
pub use hold::Held;
pub(crate) use hold::Named;
pub use hooks::{Answer, Answered};
pub use plan::PlanDocument;
pub(crate) use plan::ended;
pub use rollback::Rollback;
pub use status::Status;
pub use sweep::{Missed, NotStarted, Swept};
pub use verify::{Left, MadePush, Verified};
pub use why::{Story, Why};

/// The documents that the commands print with `--output json`, by their names: the schema of `docs/cli.schema.json`.
#[derive(Debug, JsonSchema)]
#[allow(dead_code, reason = "it stands for its schema")]
pub struct Documents {
    plan: PlanDocument,
    deploy: Push,
    retry: Push,
    history: History,
    why: Why,
    status: Status,
    sweep: Swept,
    hold: Held,
    unhold: Held,
    rollback: Rollback,
    r#continue: Answered,
    cancel: Answered,
    doctor: Doctor,
    verify: Verified,
    error: Problem,
}

/// The document on standard error where a command fails.
#[derive(Debug, JsonSchema)]
#[allow(dead_code, reason = "it stands for its schema")]
pub struct Problem {
    /// The stable name: `Command.NotFound`.
    error: String,
    /// The failure, and what to do.
    message: String,
}

/// Runs the command that was typed.
///
/// # Errors
///
/// Why it could not do what was asked.
pub async fn run(arguments: Arguments) -> Result<Exit, Error> {
    let shared = arguments.shared;
    match arguments.command {
        Command::Plan(it) => plan::run(&shared, &it).await,
        Command::Deploy(it) => deploy::run(&shared, &it).await,
        Command::History(it) => history::run(&shared, &it).await,
        Command::Why(it) => why::run(&shared, &it).await,
        Command::Retry(it) => retry::run(&shared, &it).await,
        Command::Status(it) => status::run(&shared, &it).await,
        Command::Sweep(it) => sweep::run(&shared, &it).await,
        Command::Hold(it) => hold::hold(&shared, &it).await,
        Command::Unhold(it) => hold::unhold(&shared, &it).await,
        Command::Rollback(it) => rollback::run(&shared, &it).await,
        Command::Continue(it) => hooks::proceed(&shared, &it).await,
        Command::Cancel(it) => hooks::cancel(&shared, &it).await,
        Command::Doctor(it) => doctor::run(&shared, &it).await,
        Command::Verify(it) => verify::run(&shared, &it).await,
        Command::Completions(it) => completions::run(&it),
    }
}
