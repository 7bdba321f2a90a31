//! The record of a run in docs/: the end of what it showed, as text and as the picture on the first screen of the README.

use super::{HEADER, NAME_WIDTH, QUEUE_REPOSITORY, REPOSITORY, WORKLOADS};
use crate::terminal::{self, Colour, Line};
use crate::{Failure, page};
use std::collections::HashSet;

/// The record, and its picture.
const TEXT: &str = "docs/demo.txt";
const PICTURE: &str = "docs/demo.svg";
/// The title of the window.
const TITLE: &str = "the end of: cargo xtask demo";
/// The command that records anew.
const ANEW: &str = "run `cargo xtask demo --write`";

/// Words that every run shows. Which polls a run shows besides depends on the second at which it reads the service.
const SHOWN: [&str; 6] = [
    "web in staging from staging-web:3 to staging-web:4",
    "of 2 tasks running",
    "web exited with code 1",
    "It is back on staging-web:3 and stable",
    "still draining",
    "not reached: 2 services of production",
];

/// The words that the picture colours, besides the first words of a line.
const COLOURED: [(&str, Colour); 9] = [
    ("DEPLOYED", Colour::Green),
    ("It is back on staging-web:3 and stable", Colour::Green),
    ("goes back by itself", Colour::Yellow),
    ("still draining", Colour::Yellow),
    ("NOT_REACHED", Colour::Yellow),
    ("not reached", Colour::Yellow),
    ("TAG_NOT_TAKEN", Colour::Yellow),
    ("Deploy.RolledBack", Colour::Red),
    ("web exited with code 1", Colour::Red),
];

/// Records the end of what a run showed.
///
/// # Errors
///
/// When a file cannot be written.
pub(super) fn write(shown: &str) -> Result<(), Failure> {
    page::write_whole(TEXT, &format!("{}\n", excerpt(shown)))?;
    draw()
}

/// Draws the picture of what is recorded.
///
/// # Errors
///
/// When the record cannot be read, or the picture cannot be written.
pub(crate) fn draw() -> Result<(), Failure> {
    page::write_whole(PICTURE, &picture(&page::read(TEXT)?))
}

/// Compares what a run showed with the record. Times, the names of executions and the polls between are not compared.
///
/// # Errors
///
/// When they differ: names the lines, and the command that records anew.
pub(super) fn compare(shown: &str) -> Result<(), Failure> {
    differences(&page::read(TEXT)?, &excerpt(shown))
}

fn differences(recorded: &str, shown: &str) -> Result<(), Failure> {
    let (was, is) = (comparable(recorded), comparable(shown));
    let missing = SHOWN.into_iter().filter(|words| !shown.contains(words));
    let missing = missing.map(|words| format!("- … {words} …"));
    let gone = was
        .iter()
        .filter(|line| !is.contains(line))
        .map(|line| format!("- {line}"));
    let new = is
        .iter()
        .filter(|line| !was.contains(line))
        .map(|line| format!("+ {line}"));
    let lines: Vec<String> = gone.chain(missing).chain(new).collect();
    if was == is && lines.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{TEXT} is not what the demo shows today; {ANEW}:\n{}",
        lines.join("\n")
    ))
}

/// The lines that are alike in every run, with the rest of them masked.
fn comparable(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| line.split_once(" s  ").is_none_or(|(time, _)| !is_number(time)))
        .map(masked)
        .collect();
    // Services that are deployed at the same time stand in any order.
    if let Some(table) = lines.iter().position(|line| line.starts_with(HEADER[0])) {
        lines[table..].sort();
    }
    lines
}

/// A line without the seconds in its last column, without what the last poll of a service said, and without who pushed.
fn masked(line: &str) -> String {
    let line = match line.rsplit_once(' ') {
        Some((before, last)) if is_number(last) => before.trim_end().to_owned() + " …",
        _ => line.to_owned(),
    };
    let line = match (line.find(": "), line.find(". It is back")) {
        (Some(from), Some(to)) if from < to => format!("{}: …{}", &line[..from], &line[to..]),
        _ => line,
    };
    match line.split_once("arn:") {
        Some((before, _)) => format!("{before}…"),
        None => line,
    }
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok()
}

/// The picture of a record.
fn picture(text: &str) -> String {
    let lines: Vec<Line> = text.lines().map(line).collect();
    terminal::draw(TITLE, &lines)
}

/// A line in its colours.
fn line(text: &str) -> Line {
    let step = text.split_once(" s  ").filter(|(time, _)| is_number(time));
    let whole = match text {
        _ if text.starts_with("▸ FAILED") => Colour::Red,
        _ if text.starts_with("▸ SUCCEEDED") => Colour::Green,
        _ if text.starts_with("▸ docker push") => Colour::Blue,
        _ if text.starts_with(HEADER[0]) => Colour::Dim,
        _ => Colour::Plain,
    };
    let mut characters: Vec<(char, Colour)> = text.chars().map(|character| (character, whole)).collect();
    let mut paint = |from: usize, length: usize, colour: Colour| {
        for (_, of) in characters.iter_mut().skip(from).take(length) {
            *of = colour;
        }
    };
    if let Some((time, _)) = step {
        paint(0, time.chars().count() + 2, Colour::Dim);
    }
    for (words, colour) in COLOURED {
        for (at, _) in text.match_indices(words) {
            paint(text[..at].chars().count(), words.chars().count(), colour);
        }
    }
    let indent = match step {
        Some((time, _)) => time.chars().count() + 4 + NAME_WIDTH + 5,
        None => 2,
    };
    Line { characters, indent }
}

/// The part of a run that is recorded: of the last push what the steps of its first service have said, each thing once; its end;
/// and the table without the executions' names.
fn excerpt(shown: &str) -> String {
    let last = shown.rfind("▸ docker push").unwrap_or_default();
    let mut lines: Vec<&str> = Vec::new();
    let mut said = HashSet::new();
    let header = HEADER[0];
    for line in shown[last..].lines() {
        let line = match line.split_once(" s  ") {
            Some((_, told)) => {
                let of_interest = [&*WORKLOADS[0].title(), "deploy-image"]
                    .iter()
                    .any(|name| told.starts_with(name));
                let is_said = told.get(NAME_WIDTH + 2..).is_some_and(|text| text.starts_with("   "));
                if !(of_interest && is_said && said.insert(told)) {
                    continue;
                }
                line
            }
            None => line,
        };
        lines.push(line);
    }
    let executions = lines
        .iter()
        .find(|line| line.starts_with(header))
        .and_then(|line| line.find(HEADER[6]));
    let is_row =
        |line: &str| line.starts_with(header) || line.starts_with(REPOSITORY) || line.starts_with(QUEUE_REPOSITORY);
    let cut = |line: &str| match executions {
        Some(at) if is_row(line) => line.get(..at).unwrap_or(line).trim_end().to_owned(),
        _ => line.to_owned(),
    };
    lines.into_iter().map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::{FIRST, PUSHES, QUEUE, QUEUE_TAG};
    use super::*;

    const RUN: &str = "\
▸ docker push shop/web:v2, a good image
    0.5 s  staging/web        Update service
    0.9 s  staging/web           web in staging from web:1 to web:2
▸ SUCCEEDED: shop/web:v2 is deployed to 2 services
▸ docker push shop/web:v3, a broken image
    1.1 s  staging/web        Check stability
    3.0 s  staging/web           0 of 2 tasks running
    3.5 s  staging/worker        0 of 2 tasks running
    4.0 s  staging/web           0 of 2 tasks running
▸ FAILED Deploy.ServicesFailed: shop/web:v3: 1 of 2 failed.

push         service      outcome   seconds  execution
shop/web:v2  staging/web  DEPLOYED  17.3     web-v2-a36686fdb2-0";

    #[test]
    fn the_record_is_what_the_first_service_of_the_last_push_has_said_and_the_table() {
        assert_eq!(
            excerpt(RUN),
            "\
▸ docker push shop/web:v3, a broken image
    3.0 s  staging/web           0 of 2 tasks running
▸ FAILED Deploy.ServicesFailed: shop/web:v3: 1 of 2 failed.

push         service      outcome   seconds
shop/web:v2  staging/web  DEPLOYED  17.3"
        );
    }

    #[test]
    fn the_picture_is_that_of_the_record() {
        let drawn = picture(&page::read(TEXT).unwrap());
        assert!(page::read(PICTURE).unwrap() == drawn, "run `cargo xtask picture`");
    }

    #[test]
    fn the_record_has_the_pushes_the_services_and_the_outcomes_of_the_demo_and_no_other() {
        let recorded = page::read(TEXT).unwrap();
        assert_eq!(format!("{}\n", excerpt(&recorded)), recorded, "{ANEW}");
        let last = PUSHES.last().unwrap();
        let begin = format!("▸ docker push {REPOSITORY}:{}, {}\n", last.tag, last.what);
        assert!(recorded.starts_with(&begin), "{ANEW}");
        let mut rows = recorded.lines().skip_while(|line| !line.starts_with(HEADER[0]));
        let header: Vec<&str> = rows.next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(header, HEADER[..6], "{ANEW}");
        let mut outcomes: Vec<[String; 3]> = rows
            .map(|row| row.split_whitespace().collect::<Vec<_>>())
            .map(|row| [row[0], row[1], row[4]].map(str::to_owned))
            .collect();
        outcomes.sort();
        let services = WORKLOADS.iter().filter(|workload| workload.runs_repository());
        let mut expected: Vec<[String; 3]> = services
            .flat_map(|workload| {
                PUSHES.iter().map(|push| {
                    let is_staging = workload.cluster == "staging";
                    let outcome = if is_staging { push.staging } else { push.production };
                    [
                        format!("{REPOSITORY}:{}", push.tag),
                        workload.title(),
                        outcome.to_owned(),
                    ]
                })
            })
            .chain([[
                format!("{QUEUE_REPOSITORY}:{QUEUE_TAG}"),
                QUEUE.title(),
                "DEPLOYED".to_owned(),
            ]])
            .collect();
        expected.sort();
        assert_eq!(outcomes, expected, "{ANEW}");
        assert!(!recorded.contains(&format!("{REPOSITORY}:{FIRST}\n")));
        for words in SHOWN {
            assert!(recorded.contains(words), "no {words:?}; {ANEW}");
        }
    }

    /// The record as another run shows it: at other times, with other polls, by somebody else.
    fn again(recorded: &str) -> String {
        recorded
            .replace(" s  staging/web  ", "1 s  staging/web  ")
            .replace("22.", "31.")
            .replace(":root.", ":role/ci.")
            .replace(". It is back", "; 9 stopped. It is back")
    }

    #[test]
    fn a_run_differs_from_the_record_by_its_words_and_outcomes_and_not_by_times_and_polls() {
        let recorded = page::read(TEXT).unwrap();
        let shown = again(&recorded);
        assert_ne!(shown, recorded);
        assert_eq!(differences(&recorded, &shown), Ok(()));
        for (from, to) in [
            ("NOT_REACHED", "SKIPPED"),
            ("▸ FAILED", "▸ SUCCEEDED"),
            ("a broken release", "a release"),
            ("Redrive this execution", "Push again"),
            ("web exited with code 1", "web stopped"),
            ("outcome ", "ended   "),
        ] {
            let difference = differences(&recorded, &shown.replace(from, to)).unwrap_err();
            assert!(difference.contains(ANEW) && difference.contains("\n- "), "{difference}");
        }
    }

    #[test]
    fn services_that_are_deployed_at_the_same_time_may_stand_in_any_order() {
        let table = "push  service\na     web  1.2\na     worker  -\n";
        let other = "push  service\na     worker  -\na     web  3.4\n";
        assert_eq!(comparable(table), comparable(other));
    }

    #[test]
    fn a_step_is_told_by_its_time_and_indented_behind_the_name_of_its_service() {
        let step = line("    3.9 s  staging/web           1 stopped: web exited with code 1");
        assert_eq!(step.indent, 33);
        assert_eq!(step.characters[6], ('9', Colour::Dim));
        assert_eq!(step.characters[11], ('s', Colour::Plain));
        assert_eq!(step.characters.last(), Some(&('1', Colour::Red)));
        assert_eq!(line("this s  no time").indent, 2);
    }
}
