//! The step "Find task definitions": see the library.

use shared::config::Config;
use shared::ecs::Ecs;
use shared::executions::Executions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env();
    let executions = Executions::from_env();
    shared::runtime::serve(async |request| {
        let (execution, now) = (request.execution.id.clone(), request.now);
        let pushes = async || executions.begun_lately(&execution, now).await;
        find_task_definitions::handle(&ecs, &config, pushes, request).await
    })
    .await
}
