//! The first run: from a fresh clone to the end of the demo, with nothing there but what the registries' own caches hold; and
//! the second run after it.

use super::place;
use crate::Failure;
use local_aws::tools;
use prepare::process;
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The beginning of a line that says what happens next.
const MARK: &str = "▸ ";

/// Something that was printed: when, and what.
type Printed = (Duration, String);

/// Clones this repository, as it is committed, into a folder that is removed afterwards, and runs the demo there twice.
///
/// # Errors
///
/// When it cannot be cloned, or the demo fails.
pub(crate) fn measure() -> Result<String, Failure> {
    let folder = tempfile::tempdir().map_err(|error| format!("making a folder for the clone: {error}"))?;
    let clone = folder.path().join("ecr-deploy");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"]).arg(tools::workspace()).arg(&clone);
    process::run(&mut git, &|line| eprintln!("{line}")).map_err(|error| error.to_string())?;
    let mut text = place() + "\n\n";
    for run in ["first", "second"] {
        eprintln!("\n== the {run} run, in {}", clone.display());
        text += &table(run, &demo(&clone)?);
    }
    Ok(text)
}

/// Runs the demo in a clone. Gives what it printed, with an empty line for its end.
fn demo(clone: &Path) -> Result<Vec<Printed>, Failure> {
    let mut demo = Command::new("cargo");
    demo.args(["xtask", "demo"]).current_dir(clone);
    // These point at the tools that are there already.
    for shared in ["ECR_DEPLOY_PYTHON", "CARGO_TARGET_DIR"] {
        demo.env_remove(shared);
    }
    let begun = Instant::now();
    let printed = RefCell::new(Vec::new());
    let ended = process::run(&mut demo, &|line| {
        eprintln!("{:>6.1} {line}", begun.elapsed().as_secs_f64());
        printed.borrow_mut().push((begun.elapsed(), line.to_owned()));
    });
    ended.map_err(|error| error.to_string())?;
    let mut printed = printed.into_inner();
    printed.push((begun.elapsed(), String::new()));
    Ok(printed)
}

/// Where the time went, when the first line came, and how long the longest silence was.
fn table(run: &str, printed: &[Printed]) -> String {
    let end = printed.last().map(|(at, _)| *at).unwrap_or_default();
    let first = printed.first().map(|(at, _)| *at).unwrap_or_default();
    let (silence, before) = longest_silence(printed);
    let mut table = format!(
        "**The {run} run of `cargo xtask demo`: {:.0} s; the first line after {:.1} s; the longest silence {:.0} s, before {before:?}**\n\n\
         | step | seconds |\n|---|---|\n",
        end.as_secs_f64(),
        first.as_secs_f64(),
        silence.as_secs_f64(),
    );
    let line = |(step, time): (String, Duration)| format!("| {step} | {:.1} |\n", time.as_secs_f64());
    table.extend(steps(printed).into_iter().map(line));
    table + "\n"
}

/// Each announced thing, and how long it took until the next one was. A line about several things side by side is no
/// step.
fn steps(printed: &[Printed]) -> Vec<(String, Duration)> {
    let end = printed.last().map(|(at, _)| *at).unwrap_or_default();
    let mut begun = Duration::ZERO;
    let mut name = "cargo compiles the first program".to_owned();
    let mut steps = Vec::new();
    for (at, line) in printed {
        let step = line.strip_prefix(MARK).filter(|step| !is_progress(step));
        if let Some(step) = step {
            steps.push((
                std::mem::replace(&mut name, step.replace('|', "/")),
                at.saturating_sub(begun),
            ));
            begun = *at;
        }
    }
    steps.push((name, end.saturating_sub(begun)));
    steps
}

/// `12 s  Rust: 143/242`
fn is_progress(line: &str) -> bool {
    line.trim_start()
        .split_once(" s  ")
        .is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

/// The longest time without a line, and the line that ended it.
fn longest_silence(printed: &[Printed]) -> (Duration, &str) {
    let mut last = Duration::ZERO;
    let mut longest = (Duration::ZERO, "");
    for (at, line) in printed {
        let silence = at.saturating_sub(last);
        if silence > longest.0 {
            longest = (silence, line);
        }
        last = *at;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed() -> Vec<Printed> {
        [
            (2, "▸ installing and building: Rust, Python"),
            (7, "▸   5 s  Rust: 10/242  |  Python: Collecting botocore"),
            (50, "▸ Python is ready after 48 s"),
            (100, "▸ Rust is ready after 98 s"),
            (101, "▸ starting a local AWS"),
            (131, "it answers"),
            (140, ""),
        ]
        .map(|(at, line)| (Duration::from_secs(at), line.to_owned()))
        .to_vec()
    }

    #[test]
    fn a_step_lasts_until_the_next_one_is_announced() {
        let seconds: Vec<(String, u64)> = steps(&printed())
            .into_iter()
            .map(|(name, time)| (name, time.as_secs()))
            .collect();

        let expected = [
            ("cargo compiles the first program", 2),
            ("installing and building: Rust, Python", 48),
            ("Python is ready after 48 s", 50),
            ("Rust is ready after 98 s", 1),
            ("starting a local AWS", 39),
        ];
        assert_eq!(seconds, expected.map(|(name, time)| (name.to_owned(), time)));
    }

    #[test]
    fn the_longest_silence_is_told_with_the_line_that_ended_it() {
        assert_eq!(
            longest_silence(&printed()),
            (Duration::from_secs(50), "▸ Rust is ready after 98 s")
        );
    }
}
