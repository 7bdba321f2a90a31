//! The command `ecr-deploy`, typed as an operator types it, with the policies that the stack has for operators and readers.
//!
//! One local AWS with a simulated ECS for nearly all: the scenarios have clusters and repositories of their own.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot go on has failed")]

mod deploying;
mod doctor;
mod everything;
mod going_back;
mod hooks;
mod page;
mod reading;
mod refused;
mod support;
mod sweeping;
mod verifying;
