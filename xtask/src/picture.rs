//! The pictures of the state machines in docs/architecture.md, drawn from their definitions.

use crate::Failure;
use local_aws::tools::workspace;
use serde_json::{Map, Value};
use std::fmt::Write;

const MACHINES: [&str; 2] = ["deploy-image", "deploy-service"];
/// The page with the pictures.
const PAGE: &str = "docs/architecture.md";

/// Draws both pictures anew.
///
/// # Errors
///
/// When a definition or the page cannot be read or written.
pub(crate) fn write() -> Result<(), Failure> {
    let path = workspace().join(PAGE);
    let page = read(&path)?;
    std::fs::write(&path, with_pictures(&page)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The page with the part between each machine's markers drawn anew.
fn with_pictures(page: &str) -> Result<String, Failure> {
    MACHINES.iter().try_fold(page.to_owned(), |page, machine| {
        let path = workspace().join(format!("statemachine/{machine}.asl.json"));
        let definition: Value =
            serde_json::from_str(&read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        let (begin, end) = (format!("<!-- {machine} -->\n"), format!("<!-- /{machine} -->"));
        let (before, rest) = page
            .split_once(&begin)
            .ok_or_else(|| format!("{PAGE} has no line {begin:?}"))?;
        let (_, after) = rest.split_once(&end).ok_or_else(|| format!("{PAGE} has no {end:?}"))?;
        Ok(format!(
            "{before}{begin}```mermaid\n{}```\n{end}{after}",
            draw(&definition)
        ))
    })
}

/// Draws a machine as a Mermaid flowchart: a Task is a box, a Choice a diamond, a Wait a rounded box; a Catch is dotted.
fn draw(definition: &Value) -> String {
    let mut text = "flowchart TD\n".to_owned();
    let mut names = Names::default();
    draw_states(definition, &mut names, 1, &mut text);
    text
}

/// A short name for every state, since Mermaid's names hold no spaces and two Maps may use one name.
#[derive(Default)]
struct Names(usize);

fn draw_states(machine: &Value, names: &mut Names, depth: usize, text: &mut String) {
    let empty = Map::new();
    let states = machine["States"].as_object().unwrap_or(&empty);
    let scope = names.0;
    names.0 += 1;
    let id = |name: &str| {
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("s{scope}{letters}")
    };
    let indent = "  ".repeat(depth);
    let start = machine["StartAt"].as_str().unwrap_or_default();
    for name in in_order(start, states) {
        let state = &states[name];
        let own = id(name);
        let line = match state["Type"].as_str() {
            Some("Choice") => format!("{own}{{\"{name}\"}}"),
            Some("Wait" | "Pass") => format!("{own}(\"{name}\")"),
            Some("Succeed") => format!("{own}([\"{name}\"])"),
            Some("Map") => {
                let _ = writeln!(text, "{indent}subgraph {own}[\"{name}\"]");
                draw_states(&state["ItemProcessor"], names, depth + 1, text);
                let _ = writeln!(text, "{indent}end");
                continue;
            }
            _ => format!("{own}[\"{name}\"]"),
        };
        let _ = writeln!(text, "{indent}{line}");
    }
    for name in in_order(start, states) {
        let state = &states[name];
        let own = id(name);
        for choice in state["Choices"].as_array().into_iter().flatten() {
            if let Some(next) = choice["Next"].as_str() {
                let _ = writeln!(
                    text,
                    "{indent}{own} -- \"{}\" --> {}",
                    label(&choice["Condition"]),
                    id(next)
                );
            }
        }
        for next in [&state["Next"], &state["Default"]]
            .into_iter()
            .filter_map(Value::as_str)
        {
            let _ = writeln!(text, "{indent}{own} --> {}", id(next));
        }
        for catch in state["Catch"].as_array().into_iter().flatten() {
            if let (Some(next), Some(error)) = (catch["Next"].as_str(), catch["ErrorEquals"][0].as_str()) {
                let label = if error == "States.ALL" { "error" } else { error };
                let _ = writeln!(text, "{indent}{own} -. \"{label}\" .-> {}", id(next));
            }
        }
    }
}

/// The states in the order in which they are reached, so that the picture reads from top to bottom.
fn in_order<'a>(start: &'a str, states: &'a Map<String, Value>) -> Vec<&'a str> {
    let mut order: Vec<&str> = Vec::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        if order.contains(&name) || !states.contains_key(name) {
            continue;
        }
        order.push(name);
        let state = &states[name];
        let choices = state["Choices"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|choice| &choice["Next"]);
        let catches = state["Catch"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|catch| &catch["Next"]);
        let mut next: Vec<&str> = [&state["Next"]]
            .into_iter()
            .chain(choices)
            .chain([&state["Default"]])
            .chain(catches)
            .filter_map(Value::as_str)
            .collect();
        next.reverse();
        open.extend(next);
    }
    order
}

/// What a Choice asks for, without the JSONata around it: `STARTED` of `{% $update.outcome = 'STARTED' %}`.
fn label(condition: &Value) -> String {
    let text = condition.as_str().unwrap_or_default();
    match text.split('\'').nth(1) {
        Some(literal) => literal.to_owned(),
        None => text
            .trim_start_matches("{%")
            .trim_end_matches("%}")
            .trim()
            .replace('"', "'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_are_current() {
        let page = read(&workspace().join(PAGE)).unwrap();
        assert!(page == with_pictures(&page).unwrap(), "run `cargo xtask picture`");
    }

    #[test]
    fn every_state_is_drawn_and_every_way_to_it() {
        let machine = serde_json::json!({
            "StartAt": "Look",
            "States": {
                "Look": {"Type": "Task", "Next": "Good?", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]},
                "Good?": {"Type": "Choice", "Choices": [{"Condition": "{% $x = 'NO' %}", "Next": "Look"}], "Default": "Done"},
                "Done": {"Type": "Succeed"},
            },
        });
        assert_eq!(
            draw(&machine),
            "flowchart TD\n  s0Look[\"Look\"]\n  s0Good{\"Good?\"}\n  s0Done([\"Done\"])\n  s0Look --> s0Good\n  \
             s0Look -. \"error\" .-> s0Done\n  s0Good -- \"NO\" --> s0Look\n  s0Good --> s0Done\n"
        );
    }
}
