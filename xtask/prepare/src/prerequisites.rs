//! The tools that must be on the machine before anything else: Rust (which runs this), Node, Python.

use std::process::Command;

/// Checks that Node and Python are there and new enough.
///
/// # Errors
///
/// One message that names all that is missing and what to install.
pub fn check() -> Result<(), String> {
    let missing: Vec<String> = [
        require(
            "node",
            &["--version"],
            (20, 19),
            "Node.js 20.19 or newer with npm (https://nodejs.org, or the package nodejs)",
        ),
        require("npm", &["--version"], (9, 0), "npm 9 or newer (it comes with Node.js)"),
        require(
            "python3",
            &["--version"],
            (3, 10),
            "Python 3.10 or newer (https://python.org, or the package python3)",
        ),
        works(
            "python3",
            &["-c", "import ensurepip, venv"],
            "Python's venv (on Debian the package python3-venv)",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("Please install first:\n{}", missing.join("\n")))
    }
}

/// Checks that there is a C++ compiler, which libFuzzer is built with.
///
/// # Errors
///
/// The package to install.
pub fn check_fuzzing() -> Result<(), String> {
    let missing = works(
        "c++",
        &["--version"],
        "A C++ compiler, for libFuzzer (on Debian the package g++)",
    );
    missing.map_or(Ok(()), |missing| Err(format!("Please install first:\n{missing}")))
}

fn require(program: &str, arguments: &[&str], least: (u32, u32), install: &str) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success());
    let Some(output) = output else {
        return Some(format!("- {install}: `{program}` does not run"));
    };
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match version(&text) {
        Some(version) if version >= least => None,
        _ => Some(format!("- {install}: `{program}` says {text:?}")),
    }
}

fn works(program: &str, arguments: &[&str], install: &str) -> Option<String> {
    let works = Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success());
    (!works).then(|| format!("- {install}"))
}

/// The first two numbers in what a program says of itself: "v20.20.2" and "Python 3.11.7".
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text
        .split(|character: char| !character.is_ascii_digit())
        .filter(|part| !part.is_empty());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_a_program_says() {
        assert_eq!(version("v20.20.2"), Some((20, 20)));
        assert_eq!(version("Python 3.11.7"), Some((3, 11)));
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_install() {
        let says = require("no-such-program", &[], (1, 0), "the thing").unwrap();
        assert!(says.contains("the thing") && says.contains("no-such-program"));
    }
}
