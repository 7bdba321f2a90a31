//! The command `ecr-deploy`.

use clap::Parser;
use ecr_deploy_cli::arguments::Arguments;
use std::process::ExitCode;

/// Runs the command. One thread is enough: it waits for AWS nearly all of its time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ecr_deploy_cli::run(Arguments::parse()).await
}
