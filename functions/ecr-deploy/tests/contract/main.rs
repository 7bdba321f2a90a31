//! The contract between the parts of ecr-deploy: the JSON on every arrow, the state machines that send it, the task
//! definitions that go through, and the calls to ECS as they go over the wire.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its own material should panic"
)]

mod client;
mod examples;
mod task_definition;
mod walk;
mod wings;

use ecr_deploy::domain::push::{PushId, PushedImage};
use serde_json::Value;
use std::path::PathBuf;

/// A file of the repository, by its path from the root.
fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The JSON of a file of the repository.
fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The example `statemachine/examples/<name>.json`.
fn example(name: &str) -> Value {
    json(&format!("statemachine/examples/{name}.json"))
}

/// The image of the examples, busybox:v1.
fn busybox() -> PushedImage {
    serde_json::from_value(example("plan")["image"].take()).unwrap()
}

/// Any push, by its time and event.
fn push(text: &str) -> PushId {
    text.to_owned().try_into().unwrap()
}
