//! The step "Roll back": see the library.

use shared::config::Config;
use shared::ecs::Ecs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env();
    let ecr = aws_sdk_ecr::Client::new(&shared::runtime::aws_config("ECR"));
    shared::runtime::serve(async |request| roll_back::handle(&ecs, &ecr, &config, request).await).await
}
