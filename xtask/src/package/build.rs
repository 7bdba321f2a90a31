//! The programs of a release: the functions as Lambda takes them, and the command.

use super::{folder, output, run_quietly, text};
use crate::Failure;
use clap::ValueEnum;
use local_aws::{Compression, tools};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package of the command.
pub(super) const COMMAND: &str = "ecr-deploy-cli";
/// The profile that it is released with.
const COMMAND_PROFILE: &str = "command";
/// The package of the program that all functions share.
pub(super) const FUNCTIONS: &str = "bootstrap";

/// A processor that functions and the command are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Processor {
    /// That of AWS Graviton.
    Arm64,
    /// That of Intel and AMD.
    #[value(name = "x86_64")]
    X86,
}

impl Processor {
    /// The processor of this machine.
    pub(crate) fn here() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::Arm64
        } else {
            Self::X86
        }
    }

    /// The name that the setting `architecture` has for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }

    /// The target of what is released: every Linux, that of Lambda too, since everything is linked in.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-musl",
            Self::X86 => "x86_64-unknown-linux-musl",
        }
    }
}

/// Builds the program of the functions for one processor as it is deployed, by cargo-lambda, and puts its zip into `dist/`. Returns the
/// program.
///
/// # Errors
///
/// When it does not compile.
pub(crate) fn functions(python: &Path, processor: Processor) -> Result<PathBuf, Failure> {
    let folder = tools::workspace().join("target/package").join(processor.name());
    let words = ["lambda", "build", "--release", "--locked", "--package", FUNCTIONS];
    let mut build = released(python, &words, processor)?;
    build.arg("--lambda-dir").arg(&folder);
    run_quietly(&mut build)?;
    let program = folder.join("bootstrap").join("bootstrap");
    local_aws::zip(&program, &binaries(processor), Compression::Small).map_err(text)?;
    is_small(&binaries(processor).join("bootstrap.zip"))?;
    Ok(program)
}

/// The most bytes of the zip for a processor: it has 3,125,000 for x86-64, and 3,263,000 for arm64.
const LARGEST_ZIP: u64 = 3_300_000;

/// Refuses a zip that has grown: a flag may have lost its effect by a new version of a tool, which nothing else would tell.
fn is_small(zip: &Path) -> Result<(), Failure> {
    let bytes = zip
        .metadata()
        .map_err(|error| format!("{}: {error}", zip.display()))?
        .len();
    if bytes <= LARGEST_ZIP {
        return Ok(());
    }
    Err(format!(
        "{} has {bytes} bytes, and may have {LARGEST_ZIP}. A flag in .cargo/config.toml may have lost its effect: \
         docs/decisions/0003-linked-for-a-small-zip.md says how much each one gains",
        zip.display()
    ))
}

/// Builds the functions for this machine as they are released. Returns the folder with their zip, for the setting `binaries`.
///
/// # Errors
///
/// When they do not compile.
pub(crate) fn functions_for_here() -> Result<PathBuf, Failure> {
    let python = tools::python_with_tools().map_err(text)?;
    functions(&python, Processor::here())?;
    Ok(binaries(Processor::here()))
}

/// The folder with the zip of the functions for one processor.
pub(crate) fn binaries(processor: Processor) -> PathBuf {
    folder().join("functions").join(processor.name())
}

/// Builds the command, with every way to sign in.
pub(super) fn command(python: &Path, processor: Processor) -> Result<(), Failure> {
    let words = [
        "zigbuild",
        "--profile",
        COMMAND_PROFILE,
        "--locked",
        "--package",
        COMMAND,
    ];
    run_quietly(released(python, &words, processor)?.args(["--features", "sso"]))?;
    let linked = tools::workspace()
        .join("target")
        .join(processor.target())
        .join(COMMAND_PROFILE)
        .join("ecr-deploy");
    let program = folder().join(format!("ecr-deploy-linux-{}", processor.name()));
    fs::copy(&linked, &program).map_err(|error| format!("{}: {error}", linked.display()))?;
    if processor == Processor::here() {
        says_its_version(&program)?;
    }
    Ok(())
}

/// Checks that the command starts, and is of the version that is released.
fn says_its_version(program: &Path) -> Result<(), Failure> {
    let said = output(Command::new(program).arg("--version"))?;
    let expected = format!("ecr-deploy {}", ecr_deploy::domain::VERSION);
    if said.trim() == expected {
        Ok(())
    } else {
        Err(format!("{} says {said:?} instead of {expected:?}", program.display()))
    }
}

/// A call of cargo that compiles what is released, for the target of a processor. No path of this machine gets into a program, so
/// that the same source makes the same bytes elsewhere, too; `.cargo/config.toml` has the other flags.
fn released(python: &Path, words: &[&str], processor: Processor) -> Result<Command, Failure> {
    let target = processor.target();
    add_target(target)?;
    let bin = python.parent().unwrap_or(Path::new("/")).display().to_string();
    let path = env::var("PATH").unwrap_or_default();
    let home = env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    );
    let without = |folder: &Path, name| format!("'--remap-path-prefix={}={name}'", folder.display());
    let flags = [without(tools::workspace(), "/ecr-deploy"), without(&home, "/cargo")];
    let mut command = Command::new("cargo");
    command
        .current_dir(tools::workspace())
        .env("PATH", format!("{bin}:{path}"))
        .args(words)
        .args(["--target", target, "--config"])
        .arg(format!("target.{target}.rustflags=[{}]", flags.join(", ")));
    Ok(command)
}

/// Adds the standard library for a target, where rustup keeps the toolchain and it is not there yet.
fn add_target(target: &str) -> Result<(), Failure> {
    let root = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if Path::new(root.trim())
        .join("lib/rustlib")
        .join(target)
        .join("lib")
        .is_dir()
    {
        return Ok(());
    }
    run_quietly(Command::new("rustup").args(["target", "add", target]))
}
