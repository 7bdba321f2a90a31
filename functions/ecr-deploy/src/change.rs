//! Changes of ECS, each made exactly once: ECS has no conditional call, and an answer can be lost. Uses all other wings.
//!
//! - [`registration`]: a revision is registered once, whoever asks and however often
//! - [`tries`]: what is sent once is looked at again before it is sent again
//! - [`overrun`]: what an update has taken the place of without having seen it

pub mod overrun;
pub mod registration;
pub mod tries;
