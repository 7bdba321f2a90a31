//! The step "Conclude": see the library.

use shared::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    shared::runtime::serve(async |request| conclude::handle(&config, request)).await
}
