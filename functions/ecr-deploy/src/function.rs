//! What makes a handler a Lambda function: its settings and its entry point. Uses [`crate::domain`] and
//! [`crate::contract`].
//!
//! - [`config`]: the settings of one installation, from the environment
//! - [`runtime`]: the envelope, the clock, the log

pub mod config;
pub mod runtime;
