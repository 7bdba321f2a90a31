//! The step "Roll back": see the library.

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::function::config::Config;
use ecr_deploy::quota::executions::Executions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env();
    let ecr = aws_sdk_ecr::Client::new(&ecr_deploy::aws::environment::aws_config("ECR"));
    let executions = Executions::from_env();
    ecr_deploy::function::runtime::serve(async |request| {
        let execution = request.execution.id.clone();
        let running = executions.running(&execution, request.now);
        roll_back::handle(&ecs, &ecr, &config, running, request).await
    })
    .await
}
