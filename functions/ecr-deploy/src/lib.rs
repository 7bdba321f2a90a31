//! The library of ecr-deploy: what two or more of its steps need, and nothing else.
//!
//! It has six wings. A wing uses those above it, never one below; a test holds them to that.
//!
//! | wing | what it holds | what it uses |
//! |---|---|---|
//! | [`domain`] | plain data and pure rules | nothing |
//! | [`contract`] | the JSON on every arrow between the steps | `domain` |
//! | [`aws`] | the clients of AWS | `domain` |
//! | [`quota`] | how fast a push goes, and how often it reads | `domain`, `contract`, `aws` |
//! | [`function`] | the settings, and the one entry point of every function | `domain`, `contract` |
//! | [`change`] | what changes ECS, exactly once | all |
//!
//! Each of them may fail with an [`error`], which uses none of them. With the feature `test-util` there is `testing`,
//! too: what the steps' tests are made of.

pub mod aws;
pub mod change;
pub mod contract;
pub mod domain;
pub mod error;
pub mod function;
pub mod quota;
#[cfg(any(test, feature = "test-util"))]
pub mod testing;
