//! The errors of a local AWS. Their text is for the person who runs a test or the demo.

use aws_sdk_sfn::error::DisplayErrorContext;
use std::time::Duration;

/// An error of the local AWS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tool could not be started or failed. Its output has been shown, or stands in the message.
    #[error("`{command}` {problem}")]
    Tool {
        /// The command, as one would type it.
        command: String,
        /// The reason, in the words of whoever knows it.
        problem: String,
    },
    /// A tool could not be installed.
    #[error(transparent)]
    Preparing(#[from] prepare::Error),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    File {
        /// The deed, and the file.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The server did not become healthy.
    #[error("the local AWS did not start: {problem}\nIts log:\n{log}")]
    Start {
        /// The reason, in the words of whoever knows it.
        problem: String,
        /// Its log, as far as it came.
        log: String,
    },
    /// A call was refused.
    #[error("{0}")]
    Call(String),
    /// Something did not happen in time.
    #[error("{what} did not happen within {} s; last seen: {seen}", limit.as_secs())]
    Late {
        /// The thing that was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// The thing that was there instead.
        seen: String,
    },
}

impl Error {
    /// A refused call, with the whole chain of its causes.
    pub(crate) fn call(error: impl std::error::Error) -> Self {
        Self::Call(DisplayErrorContext(error).to_string())
    }

    /// A file that could not be read or written.
    pub(crate) fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        |source| Self::File {
            what: what.into(),
            source,
        }
    }
}
