//! The command `ecr-deploy`: an operator's view of an installation.
//!
//! It reads the state machines, ECS and ECR, and starts what a push starts. It decides nothing that a function decides: what would
//! be deployed, the installed state machine says.
//!
//! | module | what it holds |
//! |---|---|
//! | [`arguments`], [`typed`] | what can be typed, and how it is understood |
//! | [`installation`], [`aws`], [`calls`] | where the installation is, the clients for it, and calls of services without a client |
//! | [`image`], [`event`] | the image that is named, and the push that is made of it |
//! | [`execution`], [`named`], [`report`], [`push`], [`story`], [`service`], [`scope`], [`lifecycle`], [`taking_back`] | an execution as it was read, and what it says of a push or a service |
//! | [`logs`] | the last lines of a task that crashed |
//! | [`health`] | the findings of `doctor` |
//! | [`verify`] | the facts that only an account can show, and the pushes of `verify` |
//! | [`commands`] | one file for each command |
//! | [`output`], [`progress`] | how it is printed |

pub mod arguments;
pub mod aws;
pub mod calls;
pub mod commands;
pub mod error;
pub mod event;
pub mod execution;
pub mod exit;
pub mod health;
pub mod image;
pub mod installation;
pub mod lifecycle;
pub mod logs;
pub mod named;
pub mod output;
pub mod parameters;
pub mod progress;
pub mod push;
pub mod report;
pub mod scope;
pub mod service;
pub mod story;
pub mod taking_back;
pub mod typed;
pub mod verify;

use arguments::{Arguments, Command};
use exit::Exit;
use std::process::ExitCode;

/// Runs what was typed, prints the result or the error, and returns the exit code, see [`exit::Exit`].
pub async fn run(arguments: Arguments) -> ExitCode {
    let form = arguments.shared.output;
    // It removes what it has made before it ends.
    let ends_by_itself = matches!(arguments.command, Command::Verify(_));
    let (said, at_interrupt) = interruption(&arguments.command);
    let stopped = async {
        if ends_by_itself {
            std::future::pending::<()>().await;
        }
        interrupted().await;
    };
    let exit = tokio::select! {
        done = commands::run(arguments) => done.unwrap_or_else(|error| {
            output::print_error(form, &error);
            error.exit()
        }),
        () = stopped => {
            if !said.is_empty() {
                output::note(&said);
            }
            at_interrupt
        }
    };
    exit.into()
}

/// The words after Ctrl-C, and how the command ends then: one that starts nothing leaves nothing behind.
fn interruption(command: &Command) -> (String, Exit) {
    let said = match command {
        // It has no other end.
        Command::Status(it) if it.watch => return (String::new(), Exit::Done),
        Command::Status(_) | Command::History(_) | Command::Why(_) | Command::Doctor(_) | Command::Completions(_) => {
            "Interrupted.".to_owned()
        }
        Command::Rollback(it) => format!(
            "Interrupted. {0} may be on hold, and what has begun in AWS goes on. To see how it stands:\n  ecr-deploy status {0}",
            it.service
        ),
        _ => "Interrupted. What has begun in AWS goes on.".to_owned(),
    };
    (said, Exit::Interrupted)
}

/// Waits for Ctrl-C. Without a handler for it, that ends the process at once, and that is fine, too.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn what_an_interrupted_command_has_begun_is_told_only_where_it_begins_something() {
        for (words, said, code) in [
            ("status", "Interrupted.", 130),
            ("status --watch", "", 0),
            ("history", "Interrupted.", 130),
            ("deploy shop/web:v2", "Interrupted. What has begun in AWS goes on.", 130),
            (
                "rollback production/web --why x",
                "Interrupted. production/web may be on hold, and what has begun in AWS goes on. To see how it stands:\n  \
                 ecr-deploy status production/web",
                130,
            ),
        ] {
            let words = std::iter::once("ecr-deploy").chain(words.split(' '));
            let (told, exit) = interruption(&Arguments::parse_from(words).command);
            assert_eq!((told.as_str(), exit.code()), (said, code));
        }
    }
}
