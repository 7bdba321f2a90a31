//! Other programs, run to their end while somebody hears what they say.

use crate::Error;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Runs a command and tells each line that it writes, to standard output or standard error; a line may also end with a
/// carriage return, as that of a progress bar does.
///
/// # Errors
///
/// When it cannot be started or fails. Everything that it said stands in the error, without its progress.
pub fn run(command: &mut Command, tell: &dyn Fn(&str)) -> Result<(), Error> {
    let name = name_of(command);
    let failed = |problem: std::io::Error| Error::command(&name, format!("could not be run: {problem}"));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    command.stdin(Stdio::null());
    command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // The pipe ends when nobody can write into it any more: also not this process, through the command.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let said = listen(BufReader::new(reader), tell).map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::command(&name, format!("failed: {status}\n{said}")))
    }
}

/// Tells each line; returns those that end with a newline, without the packages that cargo compiles.
fn listen(reader: impl BufRead, tell: &dyn Fn(&str)) -> std::io::Result<String> {
    let mut said = String::new();
    let mut line = Vec::new();
    for byte in reader.bytes() {
        match byte? {
            end @ (b'\n' | b'\r') => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim();
                if !text.is_empty() {
                    tell(text);
                    if end == b'\n' && !text.starts_with("Compiling ") {
                        said.extend([text, "\n"]);
                    }
                }
                line.clear();
            }
            other => line.push(other),
        }
    }
    Ok(said)
}

/// A command as one would type it.
#[must_use]
pub fn name_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn heard(script: &str) -> (Vec<String>, Result<(), Error>) {
        let lines = RefCell::new(Vec::new());
        let ended = run(Command::new("sh").args(["-c", script]), &|line| {
            lines.borrow_mut().push(line.to_owned());
        });
        (lines.into_inner(), ended)
    }

    #[test]
    fn each_line_is_told_also_those_of_a_progress_bar() {
        let (lines, ended) = heard(r"printf '1 of 2\r2 of 2\rdone\n'; echo warned >&2");

        assert_eq!(lines, ["1 of 2", "2 of 2", "done", "warned"]);
        ended.unwrap();
    }

    #[test]
    fn the_error_of_a_command_has_what_it_said_but_not_its_progress() {
        let (_, ended) =
            heard(r"printf '%d of 2\r' 1; echo '   Compiling syn v2' >&2; echo 'no such thing' >&2; exit 3");

        let error = ended.unwrap_err().to_string();
        assert!(
            error.contains("no such thing") && error.contains("exit status: 3"),
            "{error}"
        );
        assert!(!error.contains("1 of 2") && !error.contains("\nCompiling"), "{error}");
    }
}
