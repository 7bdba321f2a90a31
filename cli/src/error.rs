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
        "there is no ecr-deploy in the stack {stack} in {region}, in the account of the profile {profile} (aws sts \
         get-caller-identity tells which that is). Name the stack by --stack, the region by --region, and the account by --profile; \
         if it was installed before this command came, deploy the stack once more"
    )]
    NoInstallation {
        /// The stack that was named.
        stack: String,
        /// The region that was asked.
        region: String,
        /// The profile by which it was asked.
        profile: String,
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
    /// Nothing gives credentials that can be used, so AWS was not asked.
    #[error("no usable credentials were found: {advice}\n{detail}")]
    NoCredentials {
        /// The ways to give some.
        advice: &'static str,
        /// The places that were read, and the problem with each.
        detail: String,
    },
    /// AWS refuses.
    #[error("{0}")]
    Rejected(String),
    /// Standard output takes nothing.
    #[error("the result cannot be written to standard output: {0}. Make room for it, or write it to another place")]
    Unwritten(String),
    /// AWS does not answer.
    #[error("{0}. Try again")]
    Unavailable(String),
    /// It ended the command after something was changed, or has begun.
    #[error("{said}\n{error}")]
    After {
        /// How that stands, and what to do.
        said: String,
        /// The error that ended the command.
        error: Box<Error>,
    },
}

impl Error {
    /// Of something that was read and is not as this version expects it.
    pub fn other_version(what: impl Display, problem: impl Display) -> Self {
        Self::OtherVersion {
            what: what.to_string(),
            problem: problem.to_string(),
        }
    }

    /// The same, after something was changed or has begun: `said` tells how that stands.
    #[must_use]
    pub fn after(self, said: impl Into<String>) -> Self {
        Self::After {
            said: said.into(),
            error: Box::new(self),
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
            Self::NoCredentials { .. } => "Command.NoCredentials",
            Self::Rejected(_) => "Command.Rejected",
            Self::Unwritten(_) => "Command.Unwritten",
            Self::Unavailable(_) => "Command.Unavailable",
            Self::After { error, .. } => error.name(),
        }
    }

    /// The exit code it ends the command with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::After { error, .. } => error.exit(),
            _ => Exit::Failed,
        }
    }
}

/// An error of AWS, with the next step for a person.
impl From<OfAws> for Error {
    fn from(error: OfAws) -> Self {
        let message = error.to_string();
        match error {
            _ if is_without_credentials(&message) => Self::NoCredentials {
                advice: advice(&message),
                detail: detail(&message).to_owned(),
            },
            _ if is_unknown(&message) => Self::Rejected(format!(
                "{message}. The credentials are not valid, or not any more: sign in first (aws sso login), or name another profile \
                 by --profile"
            )),
            _ if message.contains("InvalidSignatureException") || message.contains("SignatureDoesNotMatch") => {
                Self::Rejected(format!(
                    "{message}. The secret access key is not that of the access key, or the clock of this machine is wrong: correct it"
                ))
            }
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

/// True if a call did not get so far that AWS could judge it, since nothing gave credentials.
fn is_without_credentials(message: &str) -> bool {
    const SIGNS: [&str; 6] = [
        "cargo feature(s) enabled",
        "provided credentials",
        "credential provider was not enabled",
        "credentials provider was not properly configured",
        "credentials provider timed out",
        "loading credentials",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// True if AWS does not know who calls.
fn is_unknown(message: &str) -> bool {
    const SIGNS: [&str; 3] = ["ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"];
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// The ways to give credentials, which a build without single sign-on has fewer of.
fn advice(message: &str) -> &'static str {
    if message.contains("cargo feature(s) enabled: credentials-login") {
        "this command cannot sign in by aws login, so put the credentials into the environment by aws configure \
         export-credentials, or name another profile by --profile or AWS_PROFILE."
    } else if message.contains("cargo feature(s) enabled") {
        "this build of the command cannot sign in as the profile says, so install it with --features sso, or name another \
         profile by --profile or AWS_PROFILE."
    } else {
        "sign in first (aws sso login), name a profile by --profile or AWS_PROFILE, or put AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY into the environment."
    }
}

/// The message from the credentials on. The SDK has them as a call without an answer, but AWS was not called.
fn detail(message: &str) -> &str {
    let (_, detail) = message
        .split_once("no usable answer from AWS: ")
        .unwrap_or(("", message));
    detail.trim_start_matches("dispatch failure: other: ")
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
                "Command.NoCredentials",
                "aws sso login",
            ),
            (
                OfAws::Unavailable(
                    "ListExecutions: no usable answer from AWS: the credential provider was not enabled".to_owned(),
                ),
                "Command.NoCredentials",
                "name a profile by --profile or AWS_PROFILE",
            ),
            (
                OfAws::Unavailable(
                    "ListExecutions: no usable answer from AWS: an error occurred while loading credentials: ProfileFile provider \
                     could not be built: This behavior requires following cargo feature(s) enabled: sso. "
                        .to_owned(),
                ),
                "Command.NoCredentials",
                "install it with --features sso",
            ),
            (
                OfAws::Rejected("ListExecutions: ExpiredTokenException: the token is expired".to_owned()),
                "Command.Rejected",
                "sign in first",
            ),
            (
                OfAws::Rejected("ListExecutions: InvalidSignatureException: Signature expired".to_owned()),
                "Command.Rejected",
                "the clock of this machine is wrong",
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

    #[test]
    fn an_error_without_credentials_begins_with_what_to_do_and_ends_with_the_detail() {
        let error = Error::from(OfAws::Unavailable(
            "GetParameters: no usable answer from AWS: dispatch failure: other: the credential provider was not enabled: \
             no credentials found in chain. Attempted:\n  Profile: the credential provider was not enabled"
                .to_owned(),
        ));
        let text = error.to_string();
        let (sentence, detail) = text.split_once('\n').unwrap();
        assert!(
            sentence.starts_with("no usable credentials were found: sign in first"),
            "{text}"
        );
        assert!(detail.starts_with("the credential provider was not enabled"), "{text}");
        assert!(
            detail.ends_with("Profile: the credential provider was not enabled"),
            "{text}"
        );
        assert!(!text.contains("answer from AWS"), "{text}");
        assert_eq!(error.exit(), Exit::Failed);
    }
}
