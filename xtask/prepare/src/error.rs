//! The errors before anything runs. Their text is for the person at the terminal.

use std::fmt;

/// Something that could not be prepared.
#[derive(Debug)]
pub struct Error {
    /// The deed: a command as one would type it, or something with a file.
    what: String,
    /// The reason, in the words of whoever knows it.
    problem: String,
}

impl Error {
    /// A file that could not be read or written.
    pub(crate) fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        |source| Self {
            what: what.into(),
            problem: source.to_string(),
        }
    }

    /// A command that could not be started or failed, with what it said.
    pub(crate) fn command(command: &str, problem: impl Into<String>) -> Self {
        Self {
            what: format!("`{command}`"),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.what, self.problem)
    }
}

impl std::error::Error for Error {}
