//! The step "Find task definitions": see the library.

use shared::config::Config;
use shared::ecs::Ecs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env();
    shared::runtime::serve(async |request| find_task_definitions::handle(&ecs, &config, request).await).await
}
