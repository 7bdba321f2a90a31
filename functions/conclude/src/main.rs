//! The step "Conclude": see the library.

use ecr_deploy::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    ecr_deploy::runtime::serve(async |request| conclude::handle(&config, request)).await
}
