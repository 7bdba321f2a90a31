//! Installs and builds what a task needs before it can run, in the project's own folder: nothing else on the machine
//! changes. And the [`table`] in which the tasks print.

mod error;
pub mod prerequisites;
pub mod process;
pub mod table;
pub mod tools;

pub use error::Error;
