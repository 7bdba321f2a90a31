//! What a task needs before it can run, installed or built into the project's own folder: nothing else on the machine changes.

mod error;
pub mod prerequisites;
pub mod process;
pub mod tools;

pub use error::Error;
