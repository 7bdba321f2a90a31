//! An error is what ends a command early: a stable name for programs, and a message that says what to do.

use crate::exit::Exit;
use ecr_deploy::error::Error as OfAws;
use std::fmt::Display;

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments cannot be understood.
    #[error("{0}")]
    Usage(String),
    /// There is no installation of this name in the region.
    #[error(
        "there is no ecr-deploy in the stack {stack} in {region}. Name the stack by --stack, and the region by --region; \
         if it was installed before this command came, deploy the stack once more"
    )]
    NoInstallation {
        /// The stack that was named.
        stack: String,
        /// The region that was asked.
        region: String,
    },
    /// The data of the installation, or its answer, is not in a form that this version of the command can read.
    #[error(
        "{what} cannot be read: {problem}. Use the command of the version that is installed, or deploy the stack again"
    )]
    OtherVersion {
        /// The data that was read.
        what: String,
        /// The problem with it.
        problem: String,
    },
    /// Nothing of that name is there.
    #[error("{0}")]
    NotFound(String),
    /// AWS refuses.
    #[error("{0}")]
    Rejected(String),
    /// Standard output takes nothing.
    #[error("the result cannot be written to standard output: {0}. Make room for it, or write it to another place")]
    Unwritten(String),
    /// AWS does not answer.
    #[error("{0}. Try again")]
    Unavailable(String),
}

impl Error {
    /// Of something that was read and is not as this version expects it.
    pub fn other_version(what: impl Display, problem: impl Display) -> Self {
        Self::OtherVersion {
            what: what.to_string(),
            problem: problem.to_string(),
        }
    }

    /// The stable name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "Command.Usage",
            Self::NoInstallation { .. } => "Command.NoInstallation",
            Self::OtherVersion { .. } => "Command.OtherVersion",
            Self::NotFound(_) => "Command.NotFound",
            Self::Rejected(_) => "Command.Rejected",
            Self::Unwritten(_) => "Command.Unwritten",
            Self::Unavailable(_) => "Command.Unavailable",
        }
    }

    /// The exit code it ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// An error of AWS, with the next step for a person.
impl From<OfAws> for Error {
    fn from(error: OfAws) -> Self {
        let message = error.to_string();
        match error {
            _ if message.contains("cargo feature(s) enabled: credentials-login") => Self::Rejected(format!(
                "{message}. This command cannot sign in by aws login: put the credentials into the environment by aws configure \
                 export-credentials, or name another profile by --profile"
            )),
            _ if message.contains("cargo feature(s) enabled") => Self::Rejected(format!(
                "{message}. This build of the command cannot sign in as the profile says: install it with --features sso, or name \
                 another profile by --profile"
            )),
            _ if is_unsigned(&message) => Self::Rejected(format!(
                "{message}. There are no valid credentials: sign in first (aws sso login), or name a profile by --profile"
            )),
            OfAws::NotFound(_) | OfAws::ServiceDeleted(_) => Self::NotFound(message),
            OfAws::Unavailable(_) => Self::Unavailable(message),
            _ if message.contains("AccessDenied") => Self::Rejected(format!(
                "{message}. The outputs ReadersPolicyArn and OperatorsPolicyArn of the stack name the policies that the \
                 command needs: the first to read, both to act"
            )),
            _ => Self::Rejected(message),
        }
    }
}

/// True if a call did not get so far that AWS could judge it, or AWS does not know who calls.
fn is_unsigned(message: &str) -> bool {
    const SIGNS: [&str; 8] = [
        "provided credentials",
        "credential provider was not enabled",
        "credentials provider was not properly configured",
        "credentials provider timed out",
        "loading credentials",
        "ExpiredToken",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_aws_says_what_to_do() {
        for (answered, name, advice) in [
            (
                OfAws::Unavailable(
                    "ListExecutions: no usable answer from AWS: the credential provider was not enabled: no \
                    providers in chain provided credentials"
                        .to_owned(),
                ),
                "Command.Rejected",
                "aws sso login",
            ),
            (
                OfAws::Unavailable(
                    "ListExecutions: no usable answer from AWS: the credential provider was not enabled".to_owned(),
                ),
                "Command.Rejected",
                "name a profile by --profile",
            ),
            (
                OfAws::Unavailable(
                    "ListExecutions: no usable answer from AWS: an error occurred while loading credentials: ProfileFile provider \
                     could not be built: This behavior requires following cargo feature(s) enabled: sso. "
                        .to_owned(),
                ),
                "Command.Rejected",
                "install it with --features sso",
            ),
            (
                OfAws::Rejected("ListExecutions: AccessDeniedException: not authorized".to_owned()),
                "Command.Rejected",
                "ReadersPolicyArn",
            ),
            (
                OfAws::Unavailable("ListExecutions: ThrottlingException: rate exceeded".to_owned()),
                "Command.Unavailable",
                "Try again",
            ),
            (
                OfAws::NotFound("there is no cluster".to_owned()),
                "Command.NotFound",
                "there is no cluster",
            ),
        ] {
            let error = Error::from(answered);
            assert_eq!(error.name(), name);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
