//! The commands of README.md and docs/ that are tasks of this program: each is one that it takes.

use crate::Arguments;
use clap::Parser;
use local_aws::tools::workspace;

/// The commands `cargo xtask …` on the pages, in blocks and in the text.
fn commands() -> Vec<String> {
    let pages = std::fs::read_dir(workspace().join("docs")).unwrap();
    let pages = pages
        .map(|page| page.unwrap().path())
        .chain([workspace().join("README.md")]);
    let texts = pages
        .filter(|page| page.extension().is_some_and(|extension| extension == "md"))
        .map(|page| std::fs::read_to_string(page).unwrap());
    texts
        .flat_map(|text| {
            let rests = text.split("cargo xtask ").skip(1);
            let commands = rests.map(|rest| {
                rest.split(['`', '#', '\n'])
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            });
            commands.collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_task_on_the_pages_is_one_with_these_options() {
    let commands = commands();
    assert!(commands.len() > 5, "{commands:?}");
    for command in commands {
        let words = ["cargo xtask"].into_iter().chain(command.split_whitespace());
        if let Err(error) = Arguments::try_parse_from(words) {
            panic!("cargo xtask {command}: {error}");
        }
    }
}
