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

use arguments::Arguments;
use std::process::ExitCode;

/// Runs what was typed, prints the result or the error, and returns the exit code, see [`exit::Exit`].
pub async fn run(arguments: Arguments) -> ExitCode {
    let form = arguments.shared.output;
    // It removes what it has made before it ends.
    let ends_by_itself = matches!(arguments.command, arguments::Command::Verify(_));
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
            output::note("Interrupted. What has begun in AWS goes on.");
            exit::Exit::Interrupted
        }
    };
    exit.into()
}

/// Waits for Ctrl-C. Without a handler for it, that ends the process at once, and that is fine, too.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
