//! The tools of the local AWS, installed into the project's own folder: nothing else on the machine changes.

use crate::Error;
use crate::process::{read, run};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    // The manifest of this package is in `tests/`.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// The Python that has everything in `tests/ministack/requirements.txt`: the one that `ECR_DEPLOY_PYTHON` names, or that
/// of the project's virtual environment, `target/venv`, which is made when it is missing or out of date.
///
/// # Errors
///
/// When it cannot be made. What `pip` says is shown while it works.
pub fn python() -> Result<PathBuf, Error> {
    if let Some(given) = std::env::var_os("ECR_DEPLOY_PYTHON") {
        return Ok(given.into());
    }
    let venv = workspace().join("target/venv");
    let python = venv.join("bin/python");
    let requirements = workspace().join("tests/ministack/requirements.txt");
    installed(&venv, &requirements, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--requirement"];
        run(Command::new(&python).args(pip).arg(&requirements))
    })?;
    Ok(python)
}

/// Installs what the CDK app needs into `cdk/node_modules`, when it is missing or out of date.
///
/// # Errors
///
/// When it cannot be installed. What `npm` says is shown while it works.
pub fn node_modules() -> Result<(), Error> {
    let cdk = workspace().join("cdk");
    installed(&cdk.join("node_modules"), &cdk.join("package-lock.json"), || {
        run(Command::new("npm")
            .args(["ci", "--no-fund", "--no-audit"])
            .current_dir(&cdk))
    })
}

/// The version of the Docker engine, if one answers. Asked once.
pub fn engine() -> Option<&'static str> {
    static ENGINE: OnceLock<Option<String>> = OnceLock::new();
    let ask = || read(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"])).ok();
    ENGINE.get_or_init(ask).as_deref()
}

/// Installs into a folder what a file asks for, unless exactly that is there: a copy of the file, put into the folder at
/// the end, says so. Of several processes that want the same, one installs and the others wait.
fn installed(folder: &Path, asked_for: &Path, install: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let wanted = fs::read(asked_for).map_err(Error::file(format!("reading {}", asked_for.display())))?;
    let stamp = folder.join(".installed");
    let is_there = || fs::read(&stamp).is_ok_and(|installed| installed == wanted);
    if is_there() {
        return Ok(());
    }
    let _lock = lock(&folder.file_name().unwrap_or_default().to_string_lossy())?;
    if is_there() {
        return Ok(());
    }
    install()?;
    fs::write(&stamp, &wanted).map_err(Error::file(format!("writing {}", stamp.display())))
}

/// Waits until nobody else on this machine, in this process or another, does what `name` stands for, and keeps them waiting
/// as long as the value lives.
pub(crate) fn lock(name: &str) -> Result<File, Error> {
    let locks = workspace().join("target");
    let path = locks.join(name).with_extension("lock");
    let problem = || Error::file(format!("locking {}", path.display()));
    fs::create_dir_all(&locks).map_err(problem())?;
    let lock = File::create(&path).map_err(problem())?;
    lock.lock().map_err(problem())?;
    Ok(lock)
}
