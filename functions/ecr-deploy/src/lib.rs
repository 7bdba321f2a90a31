//! The domain of ecr-deploy: what two or more of its steps need, and nothing else.
//!
//! - [`image`]: image references, and how a container's image matches a push
//! - [`push`]: both forms of ECR's push event, read into one [`push::PushedImage`]
//! - [`artifact`]: whether what was pushed is an image, or a signature, a cache, a chart
//! - [`task_definition`]: a task definition as a document of which no member is lost
//! - [`service`]: what a look at an ECS service shows: its deployments and its stopped tasks
//! - [`lifecycle`]: the hooks at which ECS makes a deployment wait
//! - [`hold`]: whether a service, or everything, is to stay as it is
//! - [`text`], [`arn`]: names and ARNs, each parsed once
//! - [`contract`]: the JSON on every arrow between the steps
//! - [`ecs`]: the thin client: paging, batching, bounded concurrency, retries
//! - [`pace`], [`poll`], [`executions`]: how fast a push goes, and how often it looks, so that the account's other tools can
//!   work too
//! - [`registration`]: a revision is registered once, whoever asks and however often
//! - [`registry`]: what ECR tells of an image
//! - [`overrun`]: what an update has taken the place of without having seen it
//! - [`tries`]: what is sent once is looked at again before it is sent again
//! - [`config`], [`error`], [`runtime`]: settings, the errors' names, the one entry point
//! - `testing`, with the feature `test-util`: what the steps' tests are made of

pub mod arn;
pub mod artifact;
pub mod config;
pub mod contract;
pub mod ecs;
pub mod error;
pub mod executions;
pub mod hold;
pub mod image;
pub mod lifecycle;
pub mod overrun;
pub mod pace;
pub mod poll;
pub mod push;
pub mod records;
pub mod registration;
pub mod registry;
pub mod runtime;
pub mod service;
pub mod task_definition;
#[cfg(any(test, feature = "test-util"))]
pub mod testing;
pub mod text;
pub mod tries;
