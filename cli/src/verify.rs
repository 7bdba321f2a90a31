//! Verifies in an account what only an account can show: a service of its own, four pushes, and everything removed
//! again. The command is [`crate::commands`]'s `verify`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`facts`] | the facts that nobody has seen, and the judgement by what a run saw. Pure |
//! | [`begin`] | whether a run may begin. Pure |
//! | [`image`] | the images, byte by byte. Pure |
//! | [`policy`] | the IAM policy that a run needs. Pure |
//! | `sandbox`, `removal` | what it makes, and its removal |
//! | `pushes` | the pushes |

pub mod begin;
pub mod facts;
pub mod image;
pub mod policy;
pub(crate) mod pushes;
pub(crate) mod removal;
pub(crate) mod sandbox;

/// The name of everything that a run makes: a repository, a family, a service, and its container. It is always the
/// same, so that a policy can name it, and so that what an earlier run may have left is found.
pub const NAME: &str = "ecr-deploy-verify";

/// The tag of everything that a run makes.
pub const MADE_BY: (&str, &str) = ("made-by", "ecr-deploy verify");
