//! The step "Conclude": see the library.

use ecr_deploy::function::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    ecr_deploy::function::runtime::serve(async |request| conclude::handle(&config, request)).await
}
