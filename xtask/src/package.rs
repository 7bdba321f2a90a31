//! `cargo xtask package`: everything that a release consists of, into `dist/`. The same source makes the same bytes.
//!
//! | in `dist/` | |
//! |---|---|
//! | `functions/<processor>/<name>.zip` | each function, as Lambda takes it |
//! | `ecr-deploy-linux-<processor>` | the command, a program that needs no library of its machine |
//! | `ecr-deploy.cdx.json`, `LICENSES.txt` | the parts that others wrote, and their licences |
//! | `NOTES.md` | the release notes: the newest section of CHANGELOG.md |
//! | `SHA256SUMS` | the checksums of all of it |

use crate::Failure;
use clap::ValueEnum;
use local_aws::tools;
use prepare::{process, table};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The toolchain that releases are built with: another one makes other bytes. `.github/workflows/release.yml` installs it.
const TOOLCHAIN: &str = "1.95.0";

/// The packages that are released as programs, but for the functions: the command.
const COMMAND: &str = "ecr-deploy-cli";

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

    /// The target of a function: the Linux of Lambda.
    fn lambda(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86 => "x86_64-unknown-linux-gnu",
        }
    }

    /// The target of the command: every Linux, since everything is linked in.
    fn anywhere(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-musl",
            Self::X86 => "x86_64-unknown-linux-musl",
        }
    }
}

/// The folder with everything that is released.
pub(crate) fn folder() -> PathBuf {
    tools::workspace().join("dist")
}

/// Makes everything anew, for one processor or for both, and prints how large each file is.
///
/// # Errors
///
/// When something cannot be built, or is not what it should be.
pub(crate) fn run(processor: Option<Processor>) -> Result<(), Failure> {
    prepare::prerequisites::check()?;
    let python = tools::python_with_tools().map_err(text)?;
    tell_of_other_toolchain()?;
    let processors = processor.map_or(Processor::value_variants().to_vec(), |one| vec![one]);
    let dist = folder();
    clear(&dist)?;
    for processor in &processors {
        eprintln!("\n== the functions and the command for {}", processor.name());
        functions(&python, *processor)?;
        command(&python, *processor)?;
    }
    eprintln!("\n== parts, licences, notes");
    parts(&python, &processors)?;
    write(
        &dist.join("NOTES.md"),
        &notes(&read(&tools::workspace().join("CHANGELOG.md"))?)?,
    )?;
    checksums(&dist)?;
    for line in table::lines(&sizes(&dist)?) {
        eprintln!("{line}");
    }
    Ok(())
}

/// Builds each function for one processor as it is deployed, by cargo-lambda: `target/package/<processor>/<name>/bootstrap`, and
/// its zip in `dist/`. Returns the folder with the programs.
///
/// # Errors
///
/// When they do not compile.
pub(crate) fn functions(python: &Path, processor: Processor) -> Result<PathBuf, Failure> {
    add_target(processor.lambda())?;
    let programs = tools::workspace().join("target/package").join(processor.name());
    let mut build = released(python, "cargo");
    build
        .args(["lambda", "build", "--release", "--locked"])
        .args(["--target", processor.lambda(), "--lambda-dir"])
        .arg(&programs);
    run_quietly(&mut build)?;
    let mut zip = Command::new(python);
    run_quietly(zip.arg(script("zips.py")).arg(&programs).arg(zips(processor)))?;
    Ok(programs)
}

/// Builds the functions for this machine as they are released. Returns the folder with their zips, for the setting `binaries`.
///
/// # Errors
///
/// When they do not compile.
pub(crate) fn zips_for_here() -> Result<PathBuf, Failure> {
    let python = tools::python_with_tools().map_err(text)?;
    functions(&python, Processor::here())?;
    Ok(zips(Processor::here()))
}

/// The folder with the zips of the functions for one processor.
pub(crate) fn zips(processor: Processor) -> PathBuf {
    folder().join("functions").join(processor.name())
}

/// Builds the command, with every way to sign in.
fn command(python: &Path, processor: Processor) -> Result<(), Failure> {
    let target = processor.anywhere();
    add_target(target)?;
    let mut build = released(python, "cargo");
    build
        .args(["zigbuild", "--release", "--locked", "--package", COMMAND])
        .args(["--features", "sso", "--target", target]);
    run_quietly(&mut build)?;
    let linked = tools::workspace()
        .join("target")
        .join(target)
        .join("release/ecr-deploy");
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

/// Lists the parts that others wrote, and their licences.
fn parts(python: &Path, processors: &[Processor]) -> Result<(), Failure> {
    let work = tools::workspace().join("target/package");
    let mut tree = String::new();
    for processor in processors {
        // The features of what is built together decide which crates are in it.
        for (target, packages) in [
            (processor.lambda(), function_names()?),
            (processor.anywhere(), vec![COMMAND.to_owned()]),
        ] {
            let mut cargo = Command::new("cargo");
            cargo
                .args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{l}"])
                .args(["--edges", "normal,no-proc-macro", "--target", target])
                .current_dir(tools::workspace());
            for package in &packages {
                cargo.args(["--package", package]);
            }
            if packages == [COMMAND] {
                cargo.args(["--features", "sso"]);
            }
            tree += &output(&mut cargo)?;
        }
    }
    write(&work.join("tree"), &tree)?;
    let mut metadata = Command::new("cargo");
    metadata
        .args(["metadata", "--locked", "--format-version", "1"])
        .current_dir(tools::workspace());
    write(&work.join("metadata.json"), &output(&mut metadata)?)?;
    let mut npm = Command::new("npm");
    npm.args(["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--omit", "peer"])
        .current_dir(tools::workspace().join("cdk"));
    write(&work.join("npm.json"), &output(&mut npm)?)?;
    let mut list = Command::new(python);
    list.arg(script("parts.py"))
        .arg(ecr_deploy::domain::VERSION)
        .args(["tree", "metadata.json"].map(|file| work.join(file)))
        .arg(tools::workspace().join("Cargo.lock"))
        .arg(work.join("npm.json"));
    run_quietly(list.arg(folder()))
}

/// The packages in `functions/` with a program.
pub(crate) fn function_names() -> Result<Vec<String>, Failure> {
    let functions = tools::workspace().join("functions");
    let mut names: Vec<String> = entries(&functions)?
        .into_iter()
        .filter(|package| package.join("src/main.rs").is_file())
        .map(|package| name(&package))
        .collect();
    names.sort();
    Ok(names)
}

/// The newest section of the changelog, without its heading.
fn notes(changelog: &str) -> Result<String, Failure> {
    let mut sections = changelog.split("\n## ").skip(1);
    let newest = sections.next().and_then(|section| section.split_once('\n'));
    match newest {
        Some((_, notes)) if !notes.trim().is_empty() => Ok(format!("{}\n", notes.trim())),
        _ => Err("CHANGELOG.md has no section with a text: write what the release brings".to_owned()),
    }
}

/// Writes `SHA256SUMS`, which `sha256sum --check` reads.
fn checksums(dist: &Path) -> Result<(), Failure> {
    let mut sum = Command::new("sha256sum");
    sum.args(files(dist)?.iter().filter_map(|file| file.strip_prefix(dist).ok()))
        .current_dir(dist);
    let sums = output(&mut sum)?;
    write(&dist.join("SHA256SUMS"), &sums)
}

/// Each file with its size, below the names of the columns.
fn sizes(dist: &Path) -> Result<Vec<[String; 2]>, Failure> {
    let mut rows = vec![["file".to_owned(), "size".to_owned()]];
    for file in files(dist)? {
        let bytes = fs::metadata(&file).map_err(text)?.len();
        let kilobytes = bytes.div_ceil(1000);
        let shown = file.strip_prefix(dist).unwrap_or(&file).display().to_string();
        rows.push([shown, format!("{}.{:03} MB", kilobytes / 1000, kilobytes % 1000)]);
    }
    Ok(rows)
}

/// A command that compiles what is released. No path of this machine gets into a program, so that the same source makes the same
/// bytes elsewhere, too.
fn released(python: &Path, program: &str) -> Command {
    let bin = python.parent().unwrap_or(Path::new("/")).display().to_string();
    let path = env::var("PATH").unwrap_or_default();
    let home = env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    );
    let mut command = Command::new(program);
    command
        .current_dir(tools::workspace())
        .env("PATH", format!("{bin}:{path}"))
        .env(
            "RUSTFLAGS",
            format!(
                "--remap-path-prefix={}=/ecr-deploy --remap-path-prefix={}=/cargo",
                tools::workspace().display(),
                home.display()
            ),
        );
    command
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

/// Tells where the bytes will not be those of a release.
fn tell_of_other_toolchain() -> Result<(), Failure> {
    let version = output(Command::new("rustc").arg("--version"))?;
    if version.split(' ').nth(1) != Some(TOOLCHAIN) {
        eprintln!(
            "releases are built with Rust {TOOLCHAIN}, and this is {}: the bytes will differ",
            version.trim()
        );
    }
    Ok(())
}

fn run_quietly(command: &mut Command) -> Result<(), Failure> {
    eprintln!("{}", process::name_of(command));
    process::run(command, &|_| {}).map_err(text)
}

/// Runs a command and returns its output.
fn output(command: &mut Command) -> Result<String, Failure> {
    let name = process::name_of(command);
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn script(name: &str) -> PathBuf {
    tools::workspace().join("xtask/src/package").join(name)
}

fn clear(dist: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(dist) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", dist.display()));
        }
        _ => {}
    }
    for folder in [dist.to_owned(), tools::workspace().join("target/package")] {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

/// All files below a folder, in order, but for the checksums.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if entry.file_name() != Some(OsStr::new("SHA256SUMS")) {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    entries.map(|entry| Ok(entry.map_err(text)?.path())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, content: &str) -> Result<(), Failure> {
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err calls it so")]
fn text(error: impl ToString) -> Failure {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_notes_are_the_newest_section_of_the_changelog() {
        let changelog = "# Changelog\n\nHow it is written.\n\n## 0.2.0\n\n- New.\n\n## 0.1.0\n\n- Old.\n";
        assert_eq!(notes(changelog).unwrap(), "- New.\n");
        assert!(
            notes("# Changelog\n\n## Unreleased\n\n")
                .unwrap_err()
                .contains("CHANGELOG.md")
        );
    }

    #[test]
    fn the_package_of_npm_and_the_crates_have_one_version() {
        let package = read(&tools::workspace().join("cdk/package.json")).unwrap();
        let package: Value = serde_json::from_str(&package).unwrap();
        assert_eq!(package["version"], ecr_deploy::domain::VERSION);
    }

    #[test]
    fn a_release_is_built_with_the_toolchain_that_this_names() {
        let workflow = read(&tools::workspace().join(".github/workflows/release.yml")).unwrap();
        assert!(
            workflow.contains(&format!("rustup toolchain install {TOOLCHAIN}")),
            "{workflow}"
        );
    }

    #[test]
    fn the_functions_are_the_packages_with_a_program() {
        let names = function_names().unwrap();
        assert!(names.contains(&"conclude".to_owned()), "{names:?}");
        assert!(!names.contains(&"ecr-deploy".to_owned()), "{names:?}");
    }
}
