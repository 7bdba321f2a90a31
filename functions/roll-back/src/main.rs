//! The step "Roll back": see the library.

use shared::config::Config;
use shared::ecs::Ecs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env().await;
    let ecr = aws_sdk_ecr::Client::new(&aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await);
    shared::runtime::serve(async |request| roll_back::handle(&ecs, &ecr, &config, request).await).await
}
