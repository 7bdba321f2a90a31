//! The settings and the entry point of a Lambda function. Uses [`crate::domain`] and [`crate::contract`].
//!
//! - [`config`]: the settings of one installation, from the environment
//! - [`runtime`]: the envelope, the clock, the log

pub mod config;
pub mod runtime;
