//! `docs/cli.md`, `docs/cli.schema.json` and the open facts of `docs/limits.md` say what the command says of itself. `UPDATE_GOLDEN=1` writes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot read a page has failed")]

use clap::{Command, CommandFactory};
use ecr_deploy_cli::arguments::Arguments;
use ecr_deploy_cli::commands::Documents;
use ecr_deploy_cli::exit::Exit;
use ecr_deploy_cli::verify::facts::OPEN;
use std::fmt::Write;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

/// Compares a file with what it should be, or writes it.
fn assert_current(name: &str, expected: &str) {
    let path = file(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    // The order of the members of JSON depends on the features that `serde_json` is built with.
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    assert!(
        found == expected || json(&found).is_some_and(|found| Some(found) == json(expected)),
        "docs/{name} is stale: run the test with UPDATE_GOLDEN=1"
    );
}

/// The page with `content` between the two marks of a name.
fn between(page: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    format!("{before}{begin}\n{}\n\n{end}{after}", content.trim())
}

/// The help of a command, as it prints it, without the options of every command.
fn help(command: &Command) -> String {
    let mut command = command.clone().term_width(80).mut_arg("help", |it| it.hide(true));
    let help = command.render_help().to_string();
    let (own, _) = help.split_once("Options of every command:").unwrap();
    own.trim().to_owned()
}

fn exit_codes() -> String {
    let mut table = "| code | meaning |\n|---|---|\n".to_owned();
    for (exit, meaning) in Exit::ALL {
        let _ = writeln!(table, "| {} | {meaning} |", exit.code());
    }
    table
}

fn commands() -> String {
    let mut command = Arguments::command();
    command.build();
    let mut table = "| command | what it does |\n|---|---|\n".to_owned();
    let mut sections = String::new();
    // The page is the help of every command itself.
    for it in command.get_subcommands().filter(|it| it.get_name() != "help") {
        let (name, about) = (it.get_name(), it.get_about().unwrap().to_string());
        let _ = writeln!(table, "| [`{name}`](#{name}) | {about} |");
        let usage = help(it);
        let _ = write!(sections, "\n### {name}\n\n```text\n{usage}\n```\n");
    }
    table + &sections
}

fn shared() -> String {
    let mut table = "| option | meaning |\n|---|---|\n".to_owned();
    for it in Arguments::command().get_arguments().filter(|it| it.is_global_set()) {
        let value = it
            .get_value_names()
            .and_then(|names| names.first().cloned())
            .unwrap_or_default();
        let default = it
            .get_default_values()
            .first()
            .map(|it| format!(" [default: {}]", it.display()));
        let _ = writeln!(
            table,
            "| `--{} {}` | {}{} |",
            it.get_long().unwrap(),
            value.replace('|', "\\|"),
            it.get_help().unwrap(),
            default.unwrap_or_default()
        );
    }
    table
}

#[test]
fn the_page_has_the_commands_their_options_and_the_exit_codes() {
    let page = std::fs::read_to_string(file("cli.md")).unwrap();
    let page = between(&page, "commands", &commands());
    let page = between(&page, "options", &shared());
    let page = between(&page, "exit codes", &exit_codes());
    assert_current("cli.md", &page);
}

fn open_facts() -> String {
    let mut table = "| fact | where it does not hold | seen by |\n|---|---|---|\n".to_owned();
    for it in OPEN {
        let told = if it.told.is_some() { "`verify`" } else { "-" };
        let _ = writeln!(table, "| {} | {} | {told} |", it.sentence, it.otherwise);
    }
    table
}

#[test]
fn the_page_of_the_limits_has_the_open_facts_of_the_command() {
    let page = std::fs::read_to_string(file("limits.md")).unwrap();
    assert_current("limits.md", &between(&page, "open facts", &open_facts()));
}

#[test]
fn the_schema_is_that_of_the_documents() {
    let schema = schemars::schema_for!(Documents);
    let text = serde_json::to_string_pretty(&schema).unwrap();
    assert_current("cli.schema.json", &format!("{text}\n"));
}
