//! The steps of `cargo xtask check` and `cargo xtask test`: commands, each with a name, and what to do where a machine lacks
//! what one of them needs.

use crate::{Failure, fuzz};
use local_aws::{containers, tools};
use prepare::prerequisites;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// A command that must succeed.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    name: &'static str,
    folder: PathBuf,
    words: Vec<&'static str>,
}

impl Step {
    /// A command in the root of the workspace, its words with spaces between them.
    pub(crate) fn new(name: &'static str, command: &'static str) -> Self {
        Self {
            name,
            folder: tools::workspace().to_owned(),
            words: command.split(' ').collect(),
        }
    }

    /// The same command in a folder of the workspace.
    pub(crate) fn in_folder(self, folder: &str) -> Self {
        Self {
            folder: tools::workspace().join(folder),
            ..self
        }
    }

    /// The same command with more words.
    pub(crate) fn with(mut self, words: impl IntoIterator<Item = &'static str>) -> Self {
        self.words.extend(words);
        self
    }

    /// Runs it where everybody sees what it says.
    ///
    /// # Errors
    ///
    /// Names the step and the command that repeats it.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        eprintln!("\n== {}: {}", self.name, self.words.join(" "));
        let begun = Instant::now();
        let ended = self.command()?.status();
        match ended {
            Ok(status) if status.success() => {
                eprintln!("== {}: passed in {} s", self.name, begun.elapsed().as_secs());
                Ok(())
            }
            Ok(status) => Err(self.failed(&status.to_string())),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    /// Runs it beside others: what it says is shown when it fails, but for the storms that pass, since a seed is that of the day.
    ///
    /// # Errors
    ///
    /// The same, and what it said.
    pub(crate) fn run_quietly(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        let tell = |line: &str| {
            if line.starts_with("seed ") && line.ends_with("passed") {
                eprintln!("{line}");
            }
        };
        prepare::process::run(&mut self.command()?, &tell)
            .map_err(|error| format!("{error}\n{}", self.failed("see above")))?;
        eprintln!(
            "== {}: passed in {} s, beside the others",
            self.name,
            begun.elapsed().as_secs()
        );
        Ok(())
    }

    /// The command, with the tools of the project's Python before all others where they are installed.
    fn command(&self) -> Result<Command, Failure> {
        let python = tools::python().map_err(|error| error.to_string())?;
        let bin = python.parent().unwrap_or(&self.folder).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(self.words[0]);
        command
            .args(&self.words[1..])
            .current_dir(&self.folder)
            .env("PATH", format!("{bin}:{path}"))
            .env("RUSTDOCFLAGS", "--deny warnings");
        Ok(command)
    }

    fn failed(&self, how: &str) -> Failure {
        format!(
            "{} failed ({how}); run it alone with: cd {} && {}",
            self.name,
            self.folder.display(),
            self.words.join(" ")
        )
    }
}

/// The things that cannot be run on this machine.
pub(crate) struct Lacking {
    /// Why no container runs.
    pub(crate) containers: Option<&'static str>,
    /// True if there is no C++ compiler.
    pub(crate) compiler: bool,
}

impl Lacking {
    /// Reads the machine.
    pub(crate) fn here() -> Self {
        Self {
            containers: containers::available().err(),
            compiler: prerequisites::check_fuzzing().is_err(),
        }
    }

    /// One line for each thing that is not run, with how much it is and why.
    pub(crate) fn lines(&self) -> Vec<String> {
        let containers = self.containers.map(|reason| {
            let count = containers::SCENARIOS.len();
            format!("not run: what {count} scenarios and the demo do with real containers, because {reason}")
        });
        let compiler = self.compiler.then(|| {
            format!(
                "not run: the fuzzing of {} targets, and the replay of what it found before, because there is no C++ compiler \
                 (on Debian the package g++)",
                fuzz::targets().map_or(0, |targets| targets.len())
            )
        });
        containers.into_iter().chain(compiler).collect()
    }

    /// The words that leave out of a cargo command what needs a C++ compiler.
    pub(crate) fn exclude(&self) -> impl Iterator<Item = &'static str> + use<> {
        let words: &[&str] = if self.compiler { &["--exclude", "fuzz"] } else { &[] };
        words.iter().copied()
    }
}

/// The formatting of the Rust code.
pub(crate) fn formatting() -> Step {
    Step::new("formatting", "cargo fmt --all --check")
}

/// The feature with which whoever installs the command builds it. The tests run without, and the functions are deployed without.
const EVERY_WAY_TO_SIGN_IN: [&str; 2] = ["--features", "ecr-deploy-cli/sso"];

/// Clippy on everything.
pub(crate) fn lints(lacking: &Lacking) -> Step {
    Step::new("lints", "cargo clippy --locked --workspace --all-targets --quiet")
        .with(EVERY_WAY_TO_SIGN_IN)
        .with(lacking.exclude())
        .with(["--", "--deny", "warnings"])
}

/// The pages of the crates. It uses what the lints have checked.
pub(crate) fn documentation(lacking: &Lacking) -> Step {
    Step::new("documentation", "cargo doc --locked --workspace --no-deps --quiet")
        .with(EVERY_WAY_TO_SIGN_IN)
        .with(lacking.exclude())
}

/// Everything of the CDK app: lints, types, templates, state machines.
pub(crate) fn cdk() -> Step {
    Step::new("the CDK app and the state machines", "npm test").in_folder("cdk")
}

/// The Rust tests that start no local AWS.
pub(crate) fn unit_tests(lacking: &Lacking) -> Step {
    // With the walker, though it has no test of its own: by its features, all tests and tasks share one build of the AWS crates.
    let command = "cargo test --locked --workspace --exclude local-aws --exclude storm --exclude tests --exclude xtask";
    Step::new("Rust: unit and contract", command).with(lacking.exclude())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LACKS_ALL: Lacking = Lacking {
        containers: Some("no Docker engine answers"),
        compiler: true,
    };

    #[test]
    fn what_is_not_run_is_told_with_its_number_and_its_reason() {
        let [containers, compiler] = LACKS_ALL.lines().try_into().unwrap();
        assert!(
            containers.contains(&containers::SCENARIOS.len().to_string()),
            "{containers}"
        );
        assert!(containers.ends_with("because no Docker engine answers"), "{containers}");
        assert!(compiler.contains("7 targets") && compiler.contains("g++"), "{compiler}");
    }

    #[test]
    fn where_nothing_is_missing_nothing_is_told_or_skipped() {
        let lacking = Lacking {
            containers: None,
            compiler: false,
        };
        assert!(lacking.lines().is_empty());
        assert_eq!(lacking.exclude().count(), 0);
    }
}
