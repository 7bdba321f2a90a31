//! The tools of the tasks, of the local AWS and of the CDK app, installed into the project's own folder.
//!
//! Each function is called by whoever needs its tool, whenever: it does nothing where all is there and up to date.

use crate::Error;
use crate::process::run;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The root of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    // The manifest of this package is in `xtask/prepare/`.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(Path::new("/"))
}

/// The Python that runs the local AWS: the one that `ECR_DEPLOY_PYTHON` names, or that of the project's virtual environment,
/// `target/venv`, which is made when it is missing or out of date.
///
/// # Errors
///
/// When it cannot be made.
pub fn python() -> Result<PathBuf, Error> {
    python_telling(&say)
}

/// The same Python, and beside it whatever the tests, the benchmark and a release build use:
/// `testing/local-aws/ministack/tools.txt`.
///
/// # Errors
///
/// When they cannot be installed.
pub fn python_with_tools() -> Result<PathBuf, Error> {
    python_with_tools_telling(&say)
}

/// [`python`], with somebody who hears what `pip` says.
///
/// # Errors
///
/// The same.
pub fn python_telling(tell: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    if let Some(given) = std::env::var_os("ECR_DEPLOY_PYTHON") {
        return Ok(given.into());
    }
    let venv = workspace().join("target/venv");
    let python = venv.join("bin/python");
    let requirements = requirements("requirements.txt");
    installed(&venv.join(".installed"), &requirements, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), tell)?;
        pip(&python, &requirements, tell)
    })?;
    Ok(python)
}

/// [`python_with_tools`], with somebody who hears what `pip` says.
///
/// # Errors
///
/// The same.
pub fn python_with_tools_telling(tell: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let python = python_telling(tell)?;
    if std::env::var_os("ECR_DEPLOY_PYTHON").is_none() {
        let stamp = workspace().join("target/venv/.installed-tools");
        let requirements = requirements("tools.txt");
        installed(&stamp, &requirements, || pip(&python, &requirements, tell))?;
    }
    Ok(python)
}

fn requirements(name: &str) -> PathBuf {
    workspace().join("testing/local-aws/ministack").join(name)
}

fn pip(python: &Path, requirements: &Path, tell: &dyn Fn(&str)) -> Result<(), Error> {
    let arguments = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--require-hashes",
        "--requirement",
    ];
    run(Command::new(python).args(arguments).arg(requirements), tell)
}

/// Installs what the CDK app needs into `cdk/node_modules`, when it is missing or out of date.
///
/// # Errors
///
/// When it cannot be installed.
pub fn node_modules() -> Result<(), Error> {
    node_modules_telling(&say)
}

/// [`node_modules`], with somebody who hears what `npm` says.
///
/// # Errors
///
/// The same.
pub fn node_modules_telling(tell: &dyn Fn(&str)) -> Result<(), Error> {
    let cdk = workspace().join("cdk");
    let stamp = cdk.join("node_modules/.installed");
    installed(&stamp, &cdk.join("package-lock.json"), || {
        run(
            Command::new("npm")
                .args(["ci", "--no-fund", "--no-audit"])
                .current_dir(&cdk),
            tell,
        )
    })
}

/// Compiles the CDK app into `cdk/dist`, unless that is newer than every source of it.
///
/// # Errors
///
/// When it does not compile, or [`node_modules`] fails.
pub fn cdk_app() -> Result<(), Error> {
    cdk_app_telling(&say)
}

/// [`cdk_app`], with somebody who hears what the compiler says.
///
/// # Errors
///
/// The same.
pub fn cdk_app_telling(tell: &dyn Fn(&str)) -> Result<(), Error> {
    node_modules_telling(tell)?;
    let cdk = workspace().join("cdk");
    let stamp = cdk.join("dist/.compiled");
    let problem = || Error::file(format!("checking whether {} is up to date", cdk.join("dist").display()));
    let is_there = || -> Result<bool, Error> {
        let compiled = fs::metadata(&stamp).and_then(|stamp| stamp.modified()).ok();
        let changed = changed(workspace()).map_err(problem())?;
        Ok(compiled.is_some_and(|compiled| compiled > changed))
    };
    if is_there()? {
        return Ok(());
    }
    let _lock = lock("cdk-app")?;
    if is_there()? {
        return Ok(());
    }
    // Whatever is changed while it is compiled is newer than this.
    let begun = cdk.join("dist/.compiling");
    fs::create_dir_all(cdk.join("dist"))
        .and_then(|()| fs::write(&begun, ""))
        .map_err(problem())?;
    run(Command::new("npm").args(["run", "build"]).current_dir(&cdk), tell)?;
    fs::rename(&begun, &stamp).map_err(problem())
}

/// When a source of the CDK app was changed last, below the root of the workspace.
fn changed(root: &Path) -> std::io::Result<SystemTime> {
    let mut files = vec![root.join("cdk/tsconfig.json"), root.join("cdk/package-lock.json")];
    for folder in ["cdk/app", "cdk/bin", "cdk/lib", "cdk/package", "statemachine"] {
        for entry in fs::read_dir(root.join(folder))? {
            let path = entry?.path();
            // Not a folder of packages, which changes whenever some are installed.
            if path.is_file() {
                files.push(path);
            }
        }
    }
    let mut newest = SystemTime::UNIX_EPOCH;
    for file in files {
        newest = newest.max(fs::metadata(file)?.modified()?);
    }
    Ok(newest)
}

/// The version of the Docker engine, if one answers. Asked once.
pub fn engine() -> Option<&'static str> {
    static ENGINE: OnceLock<Option<String>> = OnceLock::new();
    let ask = || {
        let output = Command::new("docker")
            .args(["version", "--format", "{{.Server.Version}}"])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(version)
    };
    ENGINE.get_or_init(ask).as_deref()
}

/// Installs what a file asks for, unless exactly that is there: a copy of the file, which the stamp is at the end, says so.
/// Of several processes that want the same, one installs and the others wait.
fn installed(stamp: &Path, asked_for: &Path, install: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let wanted = fs::read(asked_for).map_err(Error::file(format!("reading {}", asked_for.display())))?;
    let is_there = || fs::read(stamp).is_ok_and(|installed| installed == wanted);
    if is_there() {
        return Ok(());
    }
    let folder = stamp.parent().and_then(Path::file_name).unwrap_or_default();
    let _lock = lock(&folder.to_string_lossy())?;
    if is_there() {
        return Ok(());
    }
    install()?;
    fs::write(stamp, &wanted).map_err(Error::file(format!("writing {}", stamp.display())))
}

/// Waits until nobody else on this machine, in this process or another, does what `name` stands for, and keeps them waiting
/// as long as the value lives.
///
/// # Errors
///
/// When the file of the lock cannot be made.
pub fn lock(name: &str) -> Result<File, Error> {
    let locks = workspace().join("target");
    let path = locks.join(name).with_extension("lock");
    let problem = || Error::file(format!("locking {}", path.display()));
    fs::create_dir_all(&locks).map_err(problem())?;
    let lock = File::create(&path).map_err(problem())?;
    lock.lock().map_err(problem())?;
    Ok(lock)
}

fn say(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    #[test]
    fn what_is_there_is_installed_again_only_when_something_else_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (stamp, asked_for) = (folder.path().join(".installed"), folder.path().join("requirements.txt"));
        let installations = Cell::new(0);
        let install = || {
            installed(&stamp, &asked_for, || {
                installations.set(installations.get() + 1);
                Ok(())
            })
        };

        fs::write(&asked_for, "ministack==1").unwrap();
        install().unwrap();
        install().unwrap();
        assert_eq!(installations.get(), 1);

        fs::write(&asked_for, "ministack==2").unwrap();
        install().unwrap();
        assert_eq!(installations.get(), 2);
    }

    #[test]
    fn what_could_not_be_installed_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (stamp, asked_for) = (folder.path().join(".installed"), folder.path().join("requirements.txt"));
        fs::write(&asked_for, "ministack==1").unwrap();

        installed(&stamp, &asked_for, || Err(Error::command("pip", "failed"))).unwrap_err();
        let tried_again = Cell::new(false);
        installed(&stamp, &asked_for, || {
            tried_again.set(true);
            Ok(())
        })
        .unwrap();

        assert!(tried_again.get());
    }

    #[test]
    fn the_app_is_as_new_as_the_newest_of_its_sources() {
        let root = tempfile::tempdir().unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let definition = "statemachine/push.asl.yaml";
        for file in [
            "cdk/tsconfig.json",
            "cdk/package-lock.json",
            "cdk/app/stack.ts",
            "cdk/bin/app.ts",
            "cdk/lib/step.ts",
            "cdk/package/assemble.ts",
            definition,
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(&path).unwrap().set_modified(old).unwrap();
        }
        fs::create_dir(root.path().join("cdk/package/node_modules")).unwrap();
        assert_eq!(
            changed(root.path()).unwrap(),
            old,
            "packages that are installed are no source"
        );

        for (file, later) in [("cdk/lib/step.ts", 1), (definition, 2)] {
            let new = old + Duration::from_secs(later);
            File::create(root.path().join(file)).unwrap().set_modified(new).unwrap();
            assert_eq!(changed(root.path()).unwrap(), new);
        }
    }
}
