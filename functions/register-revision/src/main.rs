//! The step "Register revision": see the library.

use ecr_deploy::aws::ecs::Ecs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let ecs = Ecs::from_env();
    ecr_deploy::function::runtime::serve(async |request| register_revision::handle(&ecs, request).await).await
}
