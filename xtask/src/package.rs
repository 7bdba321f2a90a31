//! `cargo xtask package`: everything that a release consists of, into `dist/`. The same source makes the same bytes.
//!
//! | file of `dist/` | |
//! |---|---|
//! | `ecr-deploy-<version>.tgz`, `ecr_deploy-<version>-py3-none-any.whl` | the construct with the functions, for npm and for Python |
//! | `ecr-deploy-template.tar.gz` | the CloudFormation templates, with the zips that they name |
//! | `ecr-deploy-linux-<processor>` | the command, a program that needs no library of its machine |
//! | `ecr-deploy-functions.tar.gz` | the program of the functions for each processor, as Lambda takes it |
//! | `API.md` | the page of the construct |
//! | `ecr-deploy.cdx.json`, `LICENSES.txt` | the parts that others wrote, and their licences |
//! | `SHA256SUMS` | the checksums of all of these |
//! | `NOTES.md` | the text of the release: which file is for whom, and the newest section of CHANGELOG.md |
//!
//! The folders `functions/` and `template/` hold what the two archives do. They are no files of the release.

mod build;

pub(crate) use build::{Processor, binaries, functions, functions_for_here};

use crate::Failure;
use build::{COMMAND, FUNCTIONS};
use clap::ValueEnum;
use local_aws::tools;
use prepare::{process, table};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file with the licences of what others wrote.
const LICENSES: &str = "LICENSES.txt";

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
    let processors = processor.map_or(Processor::value_variants().to_vec(), |one| vec![one]);
    let dist = folder();
    clear(&dist)?;
    for processor in &processors {
        eprintln!("\n== the functions and the command for {}", processor.name());
        functions(&python, *processor)?;
        build::command(&python, *processor)?;
    }
    eprintln!("\n== parts and licences");
    parts(&python, &processors)?;
    eprintln!("\n== the construct for npm and for Python, and the templates");
    construct(&processors)?;
    eprintln!("\n== archives, notes, checksums");
    archive(&python, "functions")?;
    archive(&python, "template")?;
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

/// Makes of the construct and the functions what `cdk/package` makes of them.
fn construct(processors: &[Processor]) -> Result<(), Failure> {
    // Not by npm: others may read what is compiled at the same time.
    tools::cdk_app().map_err(text)?;
    // It installs tools of its own.
    let _lock = tools::lock("package").map_err(text)?;
    let mut make = Command::new("npm");
    make.args(["run", "--silent", "package", "--", "--functions"])
        .arg(folder().join("functions"))
        .arg("--out")
        .arg(folder())
        .arg("--licenses")
        .arg(folder().join(LICENSES))
        .current_dir(tools::workspace().join("cdk"));
    for processor in processors {
        make.args(["--architecture", processor.name()]);
    }
    run_quietly(&mut make)
}

/// Lists the parts that others wrote, and their licences.
fn parts(python: &Path, processors: &[Processor]) -> Result<(), Failure> {
    let work = tools::workspace().join("target/package");
    let mut tree = String::new();
    for processor in processors {
        // The features of what is built together decide which crates are in it.
        for package in [FUNCTIONS, COMMAND] {
            let mut cargo = Command::new("cargo");
            cargo
                .args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{l}"])
                .args([
                    "--edges",
                    "normal,no-proc-macro",
                    "--target",
                    processor.target(),
                    "--package",
                    package,
                ])
                .current_dir(tools::workspace());
            if package == COMMAND {
                cargo.args(["--features", "sso"]);
            }
            tree += &output(&mut cargo)?;
        }
    }
    write(&work.join("tree"), &tree)?;
    let mut metadata = Command::new("cargo");
    metadata
        .args(["metadata", "--locked", "--format-version", "1", "--all-features"])
        .current_dir(tools::workspace());
    write(&work.join("metadata.json"), &output(&mut metadata)?)?;
    let mut list = Command::new(python);
    list.arg(script("parts.py"))
        .arg(ecr_deploy::domain::VERSION)
        .args(["tree", "metadata.json"].map(|file| work.join(file)))
        .arg(tools::workspace().join("Cargo.lock"))
        .arg(tools::workspace().join("cdk/package.json"));
    run_quietly(list.arg(folder()))
}

/// Packs a folder of [`folder`] into a file beside it, since a release has files alone.
fn archive(python: &Path, name: &str) -> Result<(), Failure> {
    let mut pack = Command::new(python);
    pack.arg(script("tar.py"))
        .arg(folder().join(name))
        .arg(folder().join(format!("ecr-deploy-{name}.tar.gz")));
    run_quietly(&mut pack)
}

/// The text of a release: which file is for whom, and the newest section of the changelog without its heading. A link to a file
/// of the repository becomes the words that it stands behind: the text is read elsewhere.
fn notes(changelog: &str) -> Result<String, Failure> {
    let mut sections = changelog.split("\n## ").skip(1);
    let newest = sections.next().and_then(|section| section.split_once('\n'));
    let version = ecr_deploy::domain::VERSION;
    let link = regex_lite::Regex::new(r"\[([^\]]+)\]\((?:\.\./)*[a-zA-Z]+(?:[./][^):]*)?\)").map_err(text)?;
    match newest {
        Some((_, notes)) if !notes.trim().is_empty() => Ok(format!(
            "# ecr-deploy {version}\n\n\
             | file | for |\n|---|---|\n\
             | `ecr-deploy-{version}.tgz` | a CDK app in TypeScript or JavaScript: `npm install ./ecr-deploy-{version}.tgz` |\n\
             | `ecr_deploy-{version}-py3-none-any.whl` | a CDK app in Python: `pip install ./ecr_deploy-{version}-py3-none-any.whl` |\n\
             | `ecr-deploy-template.tar.gz` | CloudFormation alone, SAM, Terraform |\n\
             | `ecr-deploy-linux-arm64`, `ecr-deploy-linux-x86_64` | the command: make it executable, and name it `ecr-deploy` |\n\
             | `ecr-deploy-functions.tar.gz` | the setting `binaries` |\n\n\
             Check what you have downloaded: `sha256sum --check --ignore-missing SHA256SUMS`.\n\n{}\n",
            link.replace_all(notes.trim(), "$1")
        )),
        _ => Err("CHANGELOG.md has no section with a text: write what the release brings".to_owned()),
    }
}

/// Writes `SHA256SUMS`, which `sha256sum --check` reads where all files of a release lie in one folder.
fn checksums(dist: &Path) -> Result<(), Failure> {
    let mut sum = Command::new("sha256sum");
    sum.args(released(dist)?.iter().filter_map(|file| file.file_name()))
        .current_dir(dist);
    let sums = output(&mut sum)?;
    write(&dist.join("SHA256SUMS"), &sums)
}

/// Each file with its size, below the names of the columns.
fn sizes(dist: &Path) -> Result<Vec<[String; 2]>, Failure> {
    let mut rows = vec![["file".to_owned(), "size".to_owned()]];
    for file in released(dist)? {
        let bytes = fs::metadata(&file).map_err(text)?.len();
        let kilobytes = bytes.div_ceil(1000);
        let shown = file.strip_prefix(dist).unwrap_or(&file).display().to_string();
        rows.push([shown, format!("{}.{:03} MB", kilobytes / 1000, kilobytes % 1000)]);
    }
    Ok(rows)
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

/// The files that a release consists of, in order; but for their checksums, and for the text that a release is shown with.
fn released(dist: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = entries(dist)?;
    files.retain(|file| {
        file.is_file()
            && !["SHA256SUMS", "NOTES.md"]
                .map(OsStr::new)
                .contains(&file.file_name().unwrap_or_default())
    });
    files.sort();
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    entries.map(|entry| Ok(entry.map_err(text)?.path())).collect()
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
    fn the_notes_say_which_file_is_for_whom_and_end_with_the_newest_section_of_the_changelog() {
        let changelog = "# Changelog\n\nHow it is written.\n\n## 0.2.0\n\n- New: [the\n  page](docs/a.md#b), and \
                         [why](https://example.com/a.md).\n\n## 0.1.0\n\n- Old.\n";
        let notes_of = notes(changelog).unwrap();
        let ends = "SHA256SUMS`.\n\n- New: the\n  page, and [why](https://example.com/a.md).\n";
        assert!(notes_of.ends_with(ends), "{notes_of}");
        assert!(notes_of.starts_with(&format!("# ecr-deploy {}\n", ecr_deploy::domain::VERSION)));
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
}
