//! How a result is printed: for people as text of at most 80 columns, unless the terminal is wider; for programs as JSON.

use crate::arguments::Form;
use crate::error::Error;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// How many columns there are where nobody knows.
const WIDTH: u16 = 80;

/// The result of a command.
pub trait Document: Serialize {
    /// The text for people.
    fn text(&self, now: Timestamp) -> String;
}

/// The judgement that a text is shown with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Somebody should know of it.
    Notable,
    /// It failed.
    Bad,
    /// Neither.
    Plain,
}

/// A cell of a table.
#[must_use]
pub fn cell(text: impl ToString, tone: Tone) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Good => cell.fg(Color::Green),
        Tone::Notable => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red),
        Tone::Plain => cell,
    }
}

/// A table that fits the terminal. Colours are on a terminal only, and never where `NO_COLOR` is set. On a terminal names are broken only
/// where the last column would have no room else; elsewhere never, since a program reads the lines.
#[must_use]
pub fn table(head: &[&str], rows: Vec<Vec<Cell>>) -> String {
    /// The least room for the text in the last column.
    const ROOM: u16 = 30;
    let is_terminal = std::io::stdout().is_terminal();
    let longest = rows.iter().filter_map(|row| row.last());
    let longest = longest.map(|cell| longest_word(&cell.content())).max();
    let mut table = plain();
    if head.iter().any(|name| !name.is_empty()) {
        table.set_header(head.iter().map(|name| Cell::new(name.to_uppercase())));
    }
    table.add_rows(rows);
    let width = table.width().unwrap_or(WIDTH);
    let widths = table.column_max_content_widths();
    let (last, names) = widths
        .split_last()
        .map_or((0, [].as_slice()), |(last, names)| (*last, names));
    let taken: u16 = names.iter().map(|width| width + 2).sum();
    let room = last.min(ROOM).max(longest.unwrap_or_default());
    let fits = taken + last.min(ROOM) <= width;
    if !is_terminal {
        table.set_width(width.max(taken.saturating_add(room)));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        let is_last = at + 1 == widths.len();
        column.set_padding((0, if is_last { 0 } else { 2 }));
        if (fits || !is_terminal) && !is_last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

/// Text that is wrapped where the terminal ends. A word that is longer, such as an ARN, stays whole, so that it can be copied.
#[must_use]
pub fn wrapped(text: &str) -> String {
    let mut table = plain();
    let width = table.width().unwrap_or(WIDTH);
    table.set_width(width.max(longest_word(text)));
    table.add_row([text]);
    for column in table.column_iter_mut() {
        column.set_padding((0, 0));
    }
    table.trim_fmt()
}

/// The width of the longest word of a text.
fn longest_word(text: &str) -> u16 {
    let longest = text.split_whitespace().map(|word| word.chars().count()).max();
    u16::try_from(longest.unwrap_or_default()).unwrap_or(u16::MAX)
}

/// A table without lines, as wide as the terminal.
fn plain() -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    // A terminal that nobody has told its size has none.
    let width = table.width().filter(|width| table.is_tty() && *width > 0);
    let width = width.unwrap_or(WIDTH);
    table.set_width(width);
    if std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty()) {
        table.force_no_tty();
    }
    table
}

/// A text that somebody else wrote, for a terminal: in one line, without what moves the cursor or changes colours, and not without end.
#[must_use]
pub fn printable(text: &str) -> String {
    const MOST: usize = 500;
    let mut characters = text.chars();
    let shown = characters.by_ref().take(MOST);
    let mut shown: String = shown.map(|it| if it == '\t' { ' ' } else { it }).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.replace(char::is_control, "\u{fffd}")
}

/// Paragraphs: those that are not empty, with an empty line between two.
#[must_use]
pub fn paragraphs(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

/// Prints a result to standard output. False where nobody reads it any more.
///
/// # Errors
///
/// [`Error::OtherVersion`] where it cannot be written as JSON, which no result is, and those of [`written`].
pub fn print(form: Form, document: &impl Document, now: Timestamp) -> Result<bool, Error> {
    let text = match form {
        Form::Table => document.text(now),
        Form::Json => {
            serde_json::to_string_pretty(document).map_err(|problem| Error::other_version("the result", problem))?
        }
    };
    line(&text)
}

/// Prints a line to standard output. False where nobody reads it any more.
///
/// # Errors
///
/// Those of [`written`].
pub fn line(text: &str) -> Result<bool, Error> {
    let mut output = anstream::stdout();
    written(writeln!(output, "{text}").and_then(|()| output.flush()))
}

/// Clears the terminal, and has the cursor in its first place. That is no colour: it is done also where `NO_COLOR` is set.
///
/// # Errors
///
/// Those of [`written`].
pub fn clear() -> Result<bool, Error> {
    let mut output = std::io::stdout().lock();
    written(write!(output, "\u{1b}[2J\u{1b}[H").and_then(|()| output.flush()))
}

/// Judges how standard output was written. False where whoever reads it has read enough: then there is nobody to tell.
///
/// # Errors
///
/// [`Error::Unwritten`] where it could not be written for another reason.
pub fn written(result: std::io::Result<()>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(problem) if problem.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(problem) => Err(Error::Unwritten(problem.to_string())),
    }
}

/// Says something beside the result, on standard error.
pub fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints an error to standard error.
pub fn print_error(form: Form, error: &Error) {
    match form {
        Form::Table => {
            let red = anstyle::AnsiColor::Red.on_default();
            note(&format!("{red}error{red:#}: {error}"));
        }
        Form::Json => note(&serde_json::json!({"error": error.name(), "message": error.to_string()}).to_string()),
    }
}

/// A time, to the second: `2026-11-29 10:43:12 UTC`.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time in a column that names its zone: `11-29 10:43`, or the day alone where that may be of another year.
#[must_use]
pub fn short_time(at: Timestamp, now: Timestamp) -> String {
    const HOURS: i64 = 300 * 24;
    let is_recent = now.duration_since(at).as_hours() < HOURS;
    at.strftime(if is_recent { "%m-%d %H:%M" } else { "%Y-%m-%d" })
        .to_string()
}

/// How long something took, or takes, in at most two units: `2 min 10 s`.
#[must_use]
pub fn duration(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// The seconds between two times, for programs.
#[must_use]
pub fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    let took = to.duration_since(from);
    let whole = i32::try_from(took.as_secs()).unwrap_or(i32::MAX);
    f64::from(whole) + f64::from(took.subsec_millis()) / 1000.0
}

/// The beginning of a digest that tells it from others: `sha256:eaa261b73dcc`.
#[must_use]
pub fn short(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}

/// How many there are of something: `1 service`, `2 services`.
#[must_use]
pub fn count(number: usize, of: &str) -> String {
    if number == 1 {
        format!("1 {of}")
    } else {
        format!("{number} {of}s")
    }
}

/// Who it was, without the beginning that is the same for all: `ci-push/run-42` of a role's session.
#[must_use]
pub fn who(arn: &str) -> &str {
    let name = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    name.strip_prefix("assumed-role/")
        .or_else(|| name.strip_prefix("user/"))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_at_most_two_units() {
        let from: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        for (to, expected) in [
            ("2026-11-29T09:59:59Z", "0 s"),
            ("2026-11-29T10:00:59.9Z", "59 s"),
            ("2026-11-29T10:02:10Z", "2 min 10 s"),
            ("2026-11-29T13:05:59Z", "3 h 5 min"),
            ("2026-12-01T12:00:00Z", "2 d 2 h"),
        ] {
            assert_eq!(duration(from, to.parse().unwrap()), expected);
        }
    }

    #[test]
    fn the_seconds_between_two_times_are_exact_also_after_months() {
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (to, expected) in [
            ("2026-01-01T00:00:01.25Z", 1.25),
            ("2025-12-31T23:59:58.5Z", -1.5),
            ("2026-03-02T00:00:00.5Z", 5_184_000.5),
        ] {
            let took = seconds(from, to.parse().unwrap());
            assert!((took - expected).abs() < 1e-9, "{took}");
        }
    }

    #[test]
    fn a_time_of_another_year_tells_its_year() {
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-29T09:59:59Z", "11-29 09:59"),
            ("2026-02-03T10:00:01Z", "02-03 10:00"),
            ("2026-02-02T10:00:00Z", "2026-02-02"),
            ("2025-11-29T09:59:59Z", "2025-11-29"),
        ] {
            assert_eq!(short_time(at.parse().unwrap(), now), expected);
        }
    }

    #[test]
    fn who_it_was_is_told_without_the_account() {
        for (arn, expected) in [
            (
                "arn:aws:sts::123456789012:assumed-role/ci-push/run-42",
                "ci-push/run-42",
            ),
            ("arn:aws:iam::123456789012:user/ann", "ann"),
            ("arn:aws:iam::123456789012:root", "root"),
            ("ann", "ann"),
        ] {
            assert_eq!(who(arn), expected);
        }
    }

    #[test]
    fn what_a_container_wrote_cannot_move_the_cursor() {
        for (written, shown) in [
            ("panic:\tno\u{1b}[31m red", "panic: no\u{fffd}[31m red".to_owned()),
            ("one\r\ntwo", "one\u{fffd}\u{fffd}two".to_owned()),
            (&"é".repeat(501), format!("{}…", "é".repeat(500))),
        ] {
            assert_eq!(printable(written), shown);
        }
    }

    #[test]
    fn a_table_fits_80_columns_whatever_is_in_it() {
        let long =
            "the service is deployed by CodeDeploy, which takes a new image only by a CodeDeploy deployment; start one";
        let rows = vec![vec![
            cell("legacy in production", Tone::Plain),
            cell(long, Tone::Notable),
        ]];
        let text = table(&["what", "why"], rows);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.lines().count() > 2);
        assert!(
            text.contains("legacy in production  the service"),
            "names are not broken: {text}"
        );
        assert!(wrapped(long).lines().all(|line| line.chars().count() <= 80));
        assert!(!text.contains('\u{1b}'), "no colours where nobody sees them");
    }

    #[test]
    fn a_name_is_never_broken_where_no_person_reads_it() {
        let long = "production-eu-central/payments-checkout-service";
        let row = |last: &str| {
            let names = [long, "platform/payments/checkout-service:v2.13.1-rc.4", last];
            names.map(|name| cell(name, Tone::Plain)).to_vec()
        };
        for last in [
            "Deploy.RollBackFailed",
            "checkout-service-rollback-0123456789abcdef-0123456789abcdef",
        ] {
            let text = table(&["service", "image", "last"], vec![row(last)]);
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{text}");
            assert!(lines[1].starts_with(long) && lines[1].ends_with(last), "{text}");
        }
        let arn = format!("arn:aws:states:eu-west-1:123456789012:execution:{}", "a".repeat(80));
        let text = wrapped(&format!(
            "stop it first: aws stepfunctions stop-execution --execution-arn {arn}"
        ));
        assert!(text.lines().any(|line| line.contains(&arn)), "{text}");
    }
}
