//! The commands of the pages, typed as they stand there, and what docs/cli.md shows of their output. `UPDATE_GOLDEN=1` writes the
//! latter.

use crate::support::Person::Operator;
use crate::support::{Installed, Said, run};
use local_aws::tools;
use simulated_ecs::Behaviour;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The commands that the page shows, one after the other, with the exit code of each.
const SHOWN: [(&str, i32); 7] = [
    ("plan shop/web:v2", 0),
    ("deploy shop/web:v2", 3),
    ("why shop/web:v2", 0),
    ("history", 0),
    ("status", 0),
    ("doctor", 0),
    ("rollback internal/api --why 'v2 is slow'", 0),
];

#[test]
fn the_commands_of_the_pages_do_what_the_pages_say() {
    run(async {
        let it = &Installed::anew();
        it.services("shop/web", "web", &["production"]).await;
        it.services("shop/api", "api", &["internal"]).await;
        it.aws.push_simulated("shop/api", "v2", None).unwrap();
        it.types(Operator, "deploy shop/api:v2").ended(0);
        it.aws.push_simulated("shop/web", "v2", Some(Behaviour::Crash)).unwrap();

        it.trail();
        let mut shown = String::new();
        for (command, code) in SHOWN {
            let words: Vec<&str> = command.split('\'').enumerate().flat_map(words_of).collect();
            let Said { text, .. } = it.says_to(Operator, &words).ended(code);
            let _ = writeln!(shown, "$ ecr-deploy {command}\n{}\n", text.trim_end());
        }
        it.services("shop/checkout", "checkout", &["production"]).await;
        it.aws.push_simulated("shop/checkout", "v2", None).unwrap();
        it.types(Operator, "deploy shop/checkout:v2").ended(0);
        for page in ["docs/cli.md", "docs/operations.md"] {
            let blocks = blocks(page, "command");
            assert!(!blocks.is_empty(), "{page}");
            it.bash(Operator, &blocks.concat());
        }
        assert_shown(shown.trim_end());
    });
}

/// The words of a part of a command. Every second part stood between quotes, and is one word.
fn words_of((place, part): (usize, &'static str)) -> Vec<&'static str> {
    if place % 2 == 1 {
        vec![part]
    } else {
        part.split_whitespace().collect()
    }
}

/// The blocks of a page whose first line has this mark behind `sh`.
fn blocks(page: &str, mark: &str) -> Vec<String> {
    let page = std::fs::read_to_string(tools::workspace().join(page)).unwrap();
    let begin = format!("```sh {mark}\n");
    let blocks = page.split(&begin).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// Compares the words of the page with those of a run: times, digests and ids are other ones each time, and so is where a line breaks.
fn assert_shown(run: &str) {
    const BEGIN: &str = "<!-- shown -->\n\n```text\n";
    let path = tools::workspace().join("docs/cli.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once("\n```").unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{run}\n```{after}")).unwrap();
        return;
    }
    assert_eq!(
        words(shown),
        words(run),
        "docs/cli.md is stale: run this test with UPDATE_GOLDEN=1\n{run}"
    );
}

/// The words of letters only. How often a task had crashed at a poll is a matter of luck.
fn words(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| letter.is_whitespace() || "():;,.".contains(letter));
    words
        .filter(|word| word.len() > 1 && word.chars().all(char::is_alphabetic) && *word != "times")
        .collect()
}
