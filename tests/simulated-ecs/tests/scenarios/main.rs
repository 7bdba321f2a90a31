//! What the simulated ECS promises to the tests that stand on it.

mod account;
mod conformance;
mod ecr;
mod going_back;
mod requests;
mod rollouts;
mod server;
mod weather;
