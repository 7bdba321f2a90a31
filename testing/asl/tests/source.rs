//! How the definitions are written, so that a person can read and change them.

use std::collections::BTreeMap;

/// A piece of an expression that is longer stands once, and has an anchor or a variable where it is needed twice.
const LONGEST_TWICE: usize = 60;

/// The expressions of a text, each on one line. They are those of the source: what an alias stands for is not among them.
fn expressions(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
    let words = words.join(" ");
    let found = words.split("{%").skip(1).filter_map(|rest| rest.split("%}").next());
    found.map(|expression| expression.trim().to_owned()).collect()
}

/// The pieces of so many characters that stand twice in the expressions.
fn twice(expressions: &[String], length: usize) -> Vec<String> {
    let mut pieces: BTreeMap<&[u8], usize> = BTreeMap::new();
    for piece in expressions
        .iter()
        .flat_map(|expression| expression.as_bytes().windows(length))
    {
        *pieces.entry(piece).or_default() += 1;
    }
    let twice = pieces.into_iter().filter(|(_, count)| *count > 1);
    twice
        .map(|(piece, _)| String::from_utf8_lossy(piece).into_owned())
        .collect()
}

#[test]
fn no_expression_stands_twice_in_the_definitions() {
    let sources = asl::MACHINES.map(|machine| asl::source(machine).unwrap());
    let all: Vec<String> = sources.iter().flat_map(|source| expressions(source)).collect();
    assert!(all.len() > 50, "{}", all.len());
    assert_eq!(twice(&all, LONGEST_TWICE).first(), None);
}

#[test]
fn an_expression_that_stands_twice_would_be_found_however_it_is_folded() {
    let text = "
a: \"{% $exists($first) ? $first : 0 %}\"
# b: \"{% $exists($third) ? $third : 0 %}\"
c: >-
  {% 1 + ($exists($first)
  ? $first : 0) %}
d: *a
";
    let found = expressions(text);
    assert_eq!(
        found,
        ["$exists($first) ? $first : 0", "1 + ($exists($first) ? $first : 0)"]
    );
    assert_eq!(twice(&found, 28), ["$exists($first) ? $first : 0"]);
    assert_eq!(twice(&found, 29), Vec::<String>::new());
}

#[test]
fn no_line_is_longer_than_a_screen_is_wide() {
    for machine in asl::MACHINES {
        for (number, line) in (1..).zip(asl::source(machine).unwrap().lines()) {
            assert!(line.chars().count() <= 120, "{machine}.asl.yaml, line {number}");
        }
    }
}
