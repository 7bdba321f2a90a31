//! Plain data and pure rules, in the words of ECS and ECR: no call, no clock, no environment. Uses nothing but itself and
//! [`crate::error`].
//!
//! - [`image`]: image references, and how a container's image matches a push
//! - [`push`]: both forms of ECR's push event, read into one [`push::PushedImage`]
//! - [`artifact`]: whether what was pushed is an image, or a signature, a cache, a chart
//! - [`task_definition`]: a task definition as a document of which no member is lost
//! - [`records`]: the tags by which a revision tells of which pushes it is
//! - [`service`]: what a read of an ECS service shows: its deployments and its stopped tasks
//! - [`lifecycle`]: the hooks at which ECS makes a deployment wait
//! - [`stage`]: a stage's name, and how its services are deployed
//! - [`hold`]: whether a service, or everything, is to stay as it is
//! - [`sweep`]: what is done about a push that a service has missed
//! - [`text`], [`arn`]: names and ARNs, each parsed once

pub mod arn;
pub mod artifact;
pub mod hold;
pub mod image;
pub mod lifecycle;
pub mod push;
pub mod records;
pub mod service;
pub mod stage;
pub mod sweep;
pub mod task_definition;
pub mod text;

/// The version of ecr-deploy that this is a part of: `1.2.3`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// True for a value that JSON omits, since whoever reads it falls back to that.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
