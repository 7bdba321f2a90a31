//! The step "Find task definitions": see the library.

use aws_sdk_ecr::Client;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::aws::environment::aws_config;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::function::config::Config;
use ecr_deploy::quota::executions::Executions;
use find_task_definitions::registry::kind_of;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Config::from_env()?;
    let ecs = Ecs::from_env();
    let executions = Executions::from_env();
    ecr_deploy::function::runtime::serve(async |request| {
        let (execution, now) = (request.execution.id.clone(), request.now);
        let pushes = async || executions.begun_lately(&execution, now).await;
        // A client is made only for the few pushes of which the event does not tell enough: it would cost every start.
        let stored = async |image: &PushedImage| kind_of(&Client::new(&aws_config("ECR")), image).await;
        find_task_definitions::handle(&ecs, &config, pushes, stored, request).await
    })
    .await
}
