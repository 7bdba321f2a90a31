//! An error as AWS sends it: a code that a client matches on, a message that a person reads.

use std::fmt;

use serde_json::{Value, json};

/// The error of an operation, which it answers instead of its result.
///
/// Codes are those of AWS's model for the operation, or the ones every operation shares (`ThrottlingException`,
/// `AccessDeniedException`, `SerializationException`, `UnknownOperationException`). The conformance test checks that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The name a client matches on, as `ClusterNotFoundException`.
    pub code: String,
    /// The text for a person, AWS's own where it is known.
    pub message: String,
    /// HTTP status: 400 for what the caller did, 500 for what the service did.
    pub status: u16,
}

impl ApiError {
    /// An error of the caller: HTTP status 400.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status: 400,
        }
    }

    /// `InvalidParameterException` with this message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// `ClientException` with this message.
    pub fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    /// `ServerException`, HTTP status 500.
    #[must_use]
    pub fn server() -> Self {
        Self {
            status: 500,
            ..Self::new("ServerException", "Service Unavailable. Please try again later.")
        }
    }

    /// `ThrottlingException`, as every bucket and quota answers it.
    #[must_use]
    pub fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    /// The body of the HTTP answer, in the form of awsJson1.1.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({"__type": self.code, "message": self.message})
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}
