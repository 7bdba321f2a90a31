//! The step "Check stability": see the library.

use shared::config::Config;
use shared::ecs::Ecs;
use shared::executions::Executions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env();
    let ecr = aws_sdk_ecr::Client::new(&shared::runtime::aws_config("ECR"));
    let executions = Executions::from_env();
    shared::runtime::serve(async |request| {
        let execution = request.execution.id.clone();
        let running = executions.running(&execution, request.now);
        check_stability::handle(&ecs, &ecr, &config, running, request).await
    })
    .await
}
