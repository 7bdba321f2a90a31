//! The program of every function. Lambda names the one to serve by its handler, which `cdk/lib/step.ts` sets to the name of
//! the step; the steps themselves are the libraries beside this one.
//!
//! All functions share one program, so that a release holds the AWS SDK once and Lambda keeps one package.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>.

use aws_sdk_ecr::Client;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::aws::environment::aws_config;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{log_metrics, serve};
use ecr_deploy::quota::executions::Executions;
use find_missed_pushes::images::stored_in;
use find_task_definitions::registry::kind_of;
use lambda_runtime::Error;
use std::env;

/// A release is linked with musl, whose own allocator would make a start longer by a third.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let handler = env::var("_HANDLER").unwrap_or_default();
    match handler.as_str() {
        "find-missed-pushes" => find_missed_pushes().await,
        "find-task-definitions" => find_task_definitions().await,
        "register-revision" => register_revision().await,
        "update-service" => update_service().await,
        "check-stability" => check_stability().await,
        "roll-back" => roll_back().await,
        "conclude" => conclude().await,
        _ => Err(format!("there is no function {handler:?}: the handler of a function is the name of its step").into()),
    }
}

async fn find_missed_pushes() -> Result<(), Error> {
    let (config, ecs, ecr) = (Config::from_env()?, Ecs::from_env().patient(), ecr());
    let executions = Executions::from_env();
    serve(async |request| {
        let stored = async |repository: &_| stored_in(&ecr, repository).await;
        let begun = async |machine: &str, since| executions.begun_since(machine, since).await;
        find_missed_pushes::handle(&ecs, &config, stored, begun, request).await
    })
    .await
}

async fn find_task_definitions() -> Result<(), Error> {
    let (config, ecs, executions) = (Config::from_env()?, Ecs::from_env(), Executions::from_env());
    serve(async |request| {
        let (execution, now) = (request.execution.id.clone(), request.now);
        let pushes = async || executions.begun_lately(&execution, now).await;
        // A client is made only for the few pushes of which the event does not tell enough: it would cost every start.
        let stored = async |image: &PushedImage| kind_of(&ecr(), image).await;
        find_task_definitions::handle(&ecs, &config, pushes, stored, request).await
    })
    .await
}

async fn register_revision() -> Result<(), Error> {
    let ecs = Ecs::from_env();
    serve(async |request| register_revision::handle(&ecs, request).await).await
}

async fn update_service() -> Result<(), Error> {
    let (config, ecs, ecr, executions) = (Config::from_env()?, Ecs::from_env(), ecr(), Executions::from_env());
    serve(async |request| {
        let execution = request.execution.id.clone();
        let running = executions.running(&execution, request.now);
        update_service::handle(&ecs, &ecr, &config, running, request).await
    })
    .await
}

async fn check_stability() -> Result<(), Error> {
    let (config, ecs, ecr, executions) = (Config::from_env()?, Ecs::from_env(), ecr(), Executions::from_env());
    serve(async |request| {
        let execution = request.execution.id.clone();
        let running = executions.running(&execution, request.now);
        check_stability::handle(&ecs, &ecr, &config, running, request).await
    })
    .await
}

async fn roll_back() -> Result<(), Error> {
    let (config, ecs, ecr, executions) = (Config::from_env()?, Ecs::from_env(), ecr(), Executions::from_env());
    serve(async |request| {
        let execution = request.execution.id.clone();
        let running = executions.running(&execution, request.now);
        roll_back::handle(&ecs, &ecr, &config, running, request).await
    })
    .await
}

async fn conclude() -> Result<(), Error> {
    let config = Config::from_env()?;
    serve(async |request| conclude::handle(&config, request, log_metrics)).await
}

fn ecr() -> Client {
    Client::new(&aws_config("ECR"))
}
