//! End to end with containers: pushes into a local AWS with the real stack in it, and their results.
//!
//! The scenarios of one setting share one local AWS; each has its own cluster and its own repositories, and deploys to
//! nobody else's services. Containers need a Docker engine: where none answers, the scenarios of
//! [`local_aws::containers::SCENARIOS`] show less or nothing, and say so; where `CI` is set they fail.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot go on has failed")]

mod broken_image;
mod installation;
mod new_tag;
mod nothing_to_do;
mod operations;
mod repetition;
mod scale;
mod settings;
mod skipped;
mod support;
mod tag_latest;
mod typed;
