//! The thin clients of AWS: they read into the types of [`crate::domain`] and decide nothing. Uses [`crate::domain`].
//!
//! - [`ecs`]: paging, batching, bounded concurrency, retries
//! - [`registry`]: what ECR tells of an image
//! - [`environment`]: the region, the credentials and the endpoints that a function has
//!
//! AWS's errors get their names here, too: [`Error::from_aws`](crate::error::Error::from_aws).

pub mod ecs;
pub mod environment;
mod error;
pub mod registry;
