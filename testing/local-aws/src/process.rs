//! Other programs, run to their end.

use crate::Error;
use std::process::{Command, Stdio};

/// Runs a command and lets everybody see what it says, on standard error.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let name = name_of(command);
    let status = command
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| failed(&name, format!("could not be started: {error}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(&name, format!("failed: {status}")))
    }
}

/// Runs a command, gives what it wrote to standard output, and lets everybody see what it says on standard error.
pub(crate) fn listen(command: &mut Command) -> Result<String, Error> {
    let name = name_of(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&name, format!("could not be started: {error}")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(failed(&name, format!("failed: {}", output.status)))
    }
}

/// Runs a command and gives what it wrote to standard output; what it says on standard error is in the error.
pub(crate) fn read(command: &mut Command) -> Result<String, Error> {
    let name = name_of(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(&name, format!("could not be started: {error}")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(failed(&name, format!("failed: {}\n{}", output.status, said.trim())))
    }
}

fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn failed(command: &str, problem: String) -> Error {
    Error::Tool {
        command: command.to_owned(),
        problem,
    }
}
