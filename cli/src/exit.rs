//! The exit codes: what a script learns without reading a word.

use std::process::ExitCode;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did as asked. Of a push: every service of it runs the image, stable.
    Done,
    /// It could not do it: there were no credentials, AWS refused or did not answer, or what was named is not there. Or the push failed, and
    /// no rollout of a service did. The message says what to do.
    Failed,
    /// The arguments cannot be understood, or no profile or region belongs to them.
    Usage,
    /// The push failed. Every service that failed is stable again on its last good revision.
    RolledBack,
    /// The push failed, and a service may not be on a good revision, or is not stable any more: look at it now.
    NeedsAttention,
    /// Nothing is deployed, or would be: the push was skipped for everything that runs the repository. Or everything was on hold when a
    /// later wave of it was to begin. Or a sweep looked for nothing, since everything is on hold.
    NothingToDeploy,
    /// Nothing failed, but another deployment took over before a service was stable on the image.
    Superseded,
    /// Somebody stopped the push.
    Stopped,
    /// `doctor` found that a service cannot be deployed, or that no push arrives; `verify` that a fact does not hold.
    Ill,
    /// The command was interrupted. The executions that it has started go on.
    Interrupted,
}

impl Exit {
    /// All of them, in the order of their codes, each with its meaning for the documentation.
    pub const ALL: [(Self, &'static str); 10] = [
        (
            Self::Done,
            "done as asked; of a push: every service of it runs the image, stable",
        ),
        (
            Self::Failed,
            "the command failed: nothing gave credentials that can be used (a profile whose `source_profile` is not there, say), AWS \
             refused or did not answer, or what was named is not there; of a push: it failed, and no rollout of a service did",
        ),
        (
            Self::Usage,
            "what was typed cannot be understood, the profile that was named is not there, or no region is set",
        ),
        (
            Self::RolledBack,
            "the push failed; every service that failed is stable again on its last good revision, or was not changed",
        ),
        (
            Self::NeedsAttention,
            "the push failed, and a service may not be on a good revision, or is not stable any more: look at it now",
        ),
        (
            Self::NothingToDeploy,
            "nothing is deployed, or would be: everything is skipped, with its reason, or a sweep looked for nothing; of a push in stages: \
             everything was on hold when a later one was to begin",
        ),
        (
            Self::Superseded,
            "nothing failed, but another deployment took over at a service",
        ),
        (Self::Stopped, "somebody stopped the push"),
        (
            Self::Ill,
            "`doctor` found that a service cannot be deployed, or that no push arrives; `verify`, that a fact does not hold",
        ),
        (
            Self::Interrupted,
            "the command was interrupted; what it has started goes on, and what `verify` has made is removed",
        ),
    ];

    /// The code, for a shell.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            // That of clap.
            Self::Usage => 2,
            Self::RolledBack => 3,
            Self::NeedsAttention => 4,
            Self::NothingToDeploy => 5,
            Self::Superseded => 6,
            Self::Stopped => 7,
            Self::Ill => 8,
            // 128 and the number of the signal, as shells have it.
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_of_its_own_and_they_are_in_order() {
        let codes = Exit::ALL.map(|(exit, _)| exit.code());
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    }
}
