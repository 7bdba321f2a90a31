//! The command `ecr-deploy`.

use clap::Parser;
use ecr_deploy_cli::arguments::Arguments;
use ecr_deploy_cli::typed::not_understood;
use std::process::ExitCode;

/// Runs the command. One thread is enough: it waits for AWS nearly all of its time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => ecr_deploy_cli::run(arguments).await,
        Err(error) => not_understood(&error, &std::env::args_os().collect::<Vec<_>>()).into(),
    }
}
