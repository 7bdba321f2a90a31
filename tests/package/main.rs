//! The artefacts of a release, each installed into an empty folder outside of the repository, without Rust, and used:
//! a push ends deployed, and one is rolled back.
//!
//! `ECR_DEPLOY_DIST` names the folder that `cargo xtask package` has filled. Without it one is made here, of the library and of
//! functions that are built quickly for this machine.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot go on has failed")]

mod dist;
mod npm;
mod support;
mod template;
mod wheel;
