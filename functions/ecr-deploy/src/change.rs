//! Changes of ECS, each made exactly once: ECS has no conditional call, and an answer can be lost. Uses all other wings.
//!
//! - [`registration`]: a revision is registered once, whoever asks and however often
//! - [`mover`]: a service is moved by one update for each read, and a deployment that the update has replaced unseen is found

mod attempts;
mod lost_update;
pub mod mover;
pub mod registration;

pub use lost_update::LostUpdate;
