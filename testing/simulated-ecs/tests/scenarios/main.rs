//! The promises of the simulated ECS to the tests that stand on it.

#![allow(clippy::unwrap_used)] // only functions marked #[test] are exempt by themselves

mod account;
mod conformance;
mod ecr;
mod faults;
mod going_back;
mod hooks;
mod requests;
mod rollouts;
mod server;
mod weather;
