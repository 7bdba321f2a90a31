//! The command in front of answers that AWS gives seldom: many executions, outages, refusals in the middle of a command.

#![allow(clippy::unwrap_used, reason = "a test that cannot run the command has failed")]

mod going_back;
mod pushes;
mod services;
mod support;
