//! Changes of ECS, each made exactly once: ECS has no conditional call, and an answer can be lost. Uses all other wings.
//!
//! - [`registration`]: a revision is registered once, whoever asks and however often
//! - [`attempts`]: what is sent once is read again before it is sent again
//! - [`lost_update`]: what an update has replaced without having seen it

pub mod attempts;
pub mod lost_update;
pub mod registration;
