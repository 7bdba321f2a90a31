//! The step "Conclude": see the library.

use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{log_metrics, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    serve(async |request| conclude::handle(&config, request, log_metrics)).await
}
