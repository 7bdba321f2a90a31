//! `cargo xtask`: says at once what happens, prepares what the task needs side by side, and hands over to it.
//!
//! The tasks themselves, the package xtask, are compiled with the SDKs of AWS, which takes minutes at first. This is compiled
//! in a second.

use prepare::process::run;
use prepare::{Error, prerequisites, tools};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The packages that are built in one call: cargo unifies features over the packages of a call only, and another set of
/// them would mean another compilation of every dependency.
const PACKAGES: [&str; 8] = [
    "xtask",
    "find-missed-pushes",
    "find-task-definitions",
    "register-revision",
    "update-service",
    "check-stability",
    "roll-back",
    "conclude",
];

/// How long nothing is said when all is there already.
const SOON: Duration = Duration::from_secs(2);
/// How often a line says how far it is, where there is no terminal to move a line on.
const LINE: Duration = Duration::from_secs(5);
/// How often the line of a terminal moves.
const FRAME: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let failure = match prepare(&arguments) {
        Ok(()) => hand_over(&arguments),
        Err(failure) => failure,
    };
    eprintln!("\n{failure}");
    ExitCode::FAILURE
}

/// Something that is prepared beside the others, with somebody who hears how far it is.
type Work = fn(&dyn Fn(&str)) -> Result<(), Error>;

/// News of one of them.
enum News {
    Said(String),
    Ended(Result<(), Error>),
}

/// The things that a task needs, beside a read of what is on the machine.
fn needs(arguments: &[OsString]) -> Vec<(&'static str, Work)> {
    let word = |number: usize| arguments.get(number).and_then(|word| word.to_str()).unwrap_or_default();
    let python: Work = |tell| tools::python_telling(tell).map(drop);
    let tools: Work = |tell| tools::python_with_tools_telling(tell).map(drop);
    let mut needs: Vec<(&str, Work)> = vec![("Rust", build)];
    let asks_for_help = arguments.iter().any(|word| word == "--help" || word == "-h");
    match word(0) {
        _ if asks_for_help => {}
        "demo" if word(1) == "--keep" => needs.extend([("Python", tools), ("Node.js", tools::cdk_app_telling as Work)]),
        "demo" | "storm" => needs.extend([("Python", python), ("Node.js", tools::cdk_app_telling as Work)]),
        "bench" if word(1) == "--first-run" => {}
        "bench" => needs.push(("Python", tools)),
        "check" | "test" => needs.extend([("Python", tools), ("Node.js", tools::node_modules_telling as Work)]),
        _ => {}
    }
    needs
}

/// Prepares all that the task needs, side by side, and says how far it is.
fn prepare(arguments: &[OsString]) -> Result<(), String> {
    let needs = needs(arguments);
    if needs.len() > 1 {
        prerequisites::check()?;
    }
    let (sender, receiver) = channel();
    for (number, (_, work)) in needs.iter().enumerate() {
        let (sender, work): (Sender<(usize, News)>, Work) = (sender.clone(), *work);
        thread::spawn(move || {
            // Nobody listens any more when another one has failed.
            let tell = |line: &str| drop(sender.send((number, News::Said(line.to_owned()))));
            let ended = work(&tell);
            drop(sender.send((number, News::Ended(ended))));
        });
    }
    drop(sender);
    let names: Vec<&str> = needs.iter().map(|(name, _)| *name).collect();
    // Where nothing has been built yet it takes minutes, so that it is said at once.
    let quiet = if tasks().is_ok_and(|tasks| tasks.exists()) {
        SOON
    } else {
        Duration::ZERO
    };
    watch(&names, &receiver, quiet)
}

/// Shows how far each one is until all have ended, or one has failed; nothing of it in the time that is to be quiet.
fn watch(names: &[&str], news: &Receiver<(usize, News)>, quiet: Duration) -> Result<(), String> {
    let terminal = std::io::stderr().is_terminal();
    let begun = Instant::now();
    let mut states: Vec<Option<String>> = vec![Some("begins".to_owned()); names.len()];
    let mut shown = None;
    while states.iter().any(Option::is_some) {
        match news.recv_timeout(FRAME) {
            Ok((number, News::Said(line))) => states[number] = Some(shorten(&line)),
            Ok((number, News::Ended(Ok(())))) => {
                states[number] = None;
                if shown.is_some() {
                    clear(terminal);
                    eprintln!("▸ {} is ready after {} s", names[number], begun.elapsed().as_secs());
                }
            }
            Ok((_, News::Ended(Err(error)))) => {
                clear(terminal);
                return Err(error.to_string());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err("a preparation ended without a word".to_owned()),
        }
        let due = match shown {
            None => begun.elapsed() >= quiet,
            Some(last) => last + if terminal { FRAME } else { LINE } <= Instant::now(),
        };
        if due {
            if shown.is_none() {
                eprintln!(
                    "▸ installing and building into the project's own folder, side by side: {}",
                    names.join(", ")
                );
            }
            shown = Some(Instant::now());
            show(names, &states, begun.elapsed(), terminal);
        }
    }
    clear(terminal);
    Ok(())
}

fn show(names: &[&str], states: &[Option<String>], elapsed: Duration, terminal: bool) {
    let each = names.iter().zip(states);
    let working: Vec<String> = each
        .filter_map(|(name, state)| state.as_ref().map(|state| format!("{name}: {state}")))
        .collect();
    let line = format!("▸ {:>3} s  {}", elapsed.as_secs(), working.join("  |  "));
    if terminal {
        clear(terminal);
        eprint!("{line}");
    } else {
        eprintln!("{line}");
    }
}

/// Makes room for another line, on a terminal.
fn clear(terminal: bool) {
    if terminal {
        eprint!("\r\x1b[K");
    }
}

/// As much of what a program says as has room beside the others.
fn shorten(line: &str) -> String {
    // The bar of cargo: "Building [====>    ] 143/242: aws-sdk-ecs, tokio".
    let text = match (line.starts_with("Building ["), line.split_once("] ")) {
        (true, Some((_, count))) => count,
        _ => line,
    };
    text.chars().take(48).collect()
}

/// Builds the tasks and the functions.
fn build(tell: &dyn Fn(&str)) -> Result<(), Error> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "--bins"]);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    cargo
        .current_dir(tools::workspace())
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "100");
    run(&mut cargo, tell)
}

/// Becomes the task; says why not, if that fails.
fn hand_over(arguments: &[OsString]) -> String {
    match tasks() {
        Ok(tasks) => {
            let problem = Command::new(&tasks).args(arguments).exec();
            format!("{} does not run: {problem}", tasks.display())
        }
        Err(problem) => format!("the folder of this program is not known: {problem}"),
    }
}

/// The program with the tasks: cargo puts it into the folder where this one is.
fn tasks() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("xtask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_bar_of_cargo_the_count_is_shown() {
        assert_eq!(
            shorten("Building [==>   ] 143/242: aws-sdk-ecs, tokio"),
            "143/242: aws-sdk-ecs, tokio"
        );
        assert_eq!(shorten("Collecting botocore"), "Collecting botocore");
    }

    #[test]
    fn a_task_that_starts_no_local_aws_needs_no_python() {
        let names = |words: &[&str]| -> Vec<&str> {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            needs(&words).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(&["demo"]), ["Rust", "Python", "Node.js"]);
        assert_eq!(names(&["picture"]), ["Rust"]);
        assert_eq!(names(&["demo", "--help"]), ["Rust"]);
        assert_eq!(names(&[]), ["Rust"]);
    }
}
