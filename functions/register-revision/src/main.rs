//! The step "Register revision": see the library.

use shared::ecs::Ecs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let ecs = Ecs::from_env();
    shared::runtime::serve(async |request| register_revision::handle(&ecs, request).await).await
}
