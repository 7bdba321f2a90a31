//! The folder of what is released.

use local_aws::{program, tools, zipped};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The processor of this machine, as AWS calls it.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

/// The folder.
pub(crate) static DIST: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::var_os("ECR_DEPLOY_DIST").map_or_else(
        || assembled("dist"),
        |given| {
            let given = PathBuf::from(given);
            assert!(
                given.is_absolute(),
                "ECR_DEPLOY_DIST has to be an absolute path: {}",
                given.display()
            );
            given
        },
    )
});

/// Makes a folder like that of `cargo xtask package`, for this machine alone.
fn assembled(name: &str) -> PathBuf {
    let folder = tools::workspace().join("target/package-test");
    let (zips, out) = (folder.join("functions"), folder.join(name));
    zipped(&program().unwrap(), &zips.join(ARCHITECTURE)).unwrap();
    tools::cdk_app().unwrap();
    let _lock = tools::lock("package").unwrap();
    succeeds(
        Command::new("npm")
            .args([
                "run",
                "--silent",
                "package",
                "--",
                "--architecture",
                ARCHITECTURE,
                "--functions",
            ])
            .arg(&zips)
            .arg("--out")
            .arg(&out)
            .current_dir(tools::workspace().join("cdk")),
    );
    out
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
}

/// The one file that begins and ends so.
pub(crate) fn file(begin: &str, end: &str) -> PathBuf {
    let entries = std::fs::read_dir(DIST.as_path()).unwrap();
    let mut found = entries.map(|entry| entry.unwrap().path()).filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(begin) && name.ends_with(end)
    });
    let one = found
        .next()
        .unwrap_or_else(|| panic!("there is no {begin}…{end} in {}", DIST.display()));
    assert_eq!(found.next(), None, "only one {begin}…{end} is expected");
    one
}

#[test]
fn the_same_sources_and_functions_give_the_same_bytes() {
    let one = match std::env::var_os("ECR_DEPLOY_DIST") {
        // It may be older than the sources.
        Some(_) => assembled("dist"),
        None => DIST.clone(),
    };
    let other = assembled("dist-again");
    let bytes = |folder: &Path| {
        let mut files = Vec::new();
        collect(folder, folder, &mut files);
        files.sort();
        files
    };
    let (one, other) = (bytes(&one), bytes(&other));
    for end in ["API.md", ".tgz", ".whl", ".json", "bootstrap.zip"] {
        assert!(one.iter().any(|(name, _)| name.ends_with(end)), "there is no {end}");
    }
    for (a, b) in one.iter().zip(&other) {
        assert_eq!(a.0, b.0);
        assert!(a.1 == b.1, "{} differs", a.0);
    }
    assert_eq!(one.len(), other.len());
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

#[test]
fn docs_api_is_what_the_construct_says() {
    let page = tools::workspace().join("docs/api.md");
    let written = std::fs::read_to_string(DIST.join("API.md")).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&page, &written).unwrap();
    }
    assert!(
        std::fs::read_to_string(&page).unwrap_or_default() == written,
        "docs/api.md is stale: run UPDATE_GOLDEN=1 cargo test --package tests --test package docs_api"
    );
}
