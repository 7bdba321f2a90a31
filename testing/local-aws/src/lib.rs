//! A local AWS (`MiniStack`) with the real stack deployed into it.
//!
//! [`LocalAws`] is one AWS account in one region, on a free port of the loopback interface, that lives as long as its
//! value, or as long as the process that started it. [`LocalAws::deploy`] puts the real CDK app into it, with the real
//! functions. [`images`] pushes to its ECR, [`executions`] reads what its Step Functions did, and the SDK's own clients
//! do the rest.
//!
//! Its additions to `MiniStack` are in `testing/local-aws/ministack/`.

pub mod containers;
mod error;
pub mod executions;
pub mod images;
mod process;
pub mod roles;
mod server;
pub mod services;
mod stack;
mod zip;

pub use error::Error;
pub use prepare::tools;
pub use server::{ACCOUNT, HeldAnswers, KeptIn, LocalAws, Options, REGION, Throttled};
pub use stack::{Settings, Stack, command, program, zipped};
pub use zip::{Compression, zip};

use std::time::Duration;

/// Waits before the next read of something that is not there yet.
pub async fn pause(time: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test waits for another process, which tells nobody when it is done"
    )]
    tokio::time::sleep(time).await;
}
