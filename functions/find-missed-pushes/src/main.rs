//! The step "Find missed pushes": see the library.

use aws_sdk_ecr::Client;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::aws::environment::aws_config;
use ecr_deploy::function::config::Config;
use ecr_deploy::quota::executions::Executions;
use find_missed_pushes::images::stored_in;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env().patient();
    let ecr = Client::new(&aws_config("ECR"));
    let executions = Executions::from_env();
    ecr_deploy::function::runtime::serve(async |request| {
        let stored = async |repository: &_| stored_in(&ecr, repository).await;
        let begun = async |machine: &str, since| executions.begun_since(machine, since).await;
        find_missed_pushes::handle(&ecs, &config, stored, begun, request).await
    })
    .await
}
