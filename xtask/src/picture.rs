//! The pictures of the state machines in docs/architecture.md, drawn from their definitions; and that of the demo, from its record.

use crate::demo::record;
use crate::{Failure, page};
use serde_json::{Map, Value};
use std::fmt::Write;

/// The page with the pictures.
const PAGE: &str = "docs/architecture.md";

/// Draws all pictures anew.
///
/// # Errors
///
/// When a definition or the record cannot be read, or a file cannot be written.
pub(crate) fn write() -> Result<(), Failure> {
    page::write(PAGE, &pictures()?)?;
    record::draw()
}

/// The picture of each machine.
fn pictures() -> Result<Vec<(&'static str, String)>, Failure> {
    let picture = |machine: &&'static str| {
        let definition = asl::read(machine).map_err(|error| error.to_string())?;
        Ok((*machine, format!("```mermaid\n{}```\n", draw(&definition))))
    };
    asl::MACHINES.iter().map(picture).collect()
}

/// Draws a machine as a Mermaid flowchart: a Task is a box, a Choice a diamond, a Wait a rounded box; a Catch is dotted.
/// The comment on a rule of a Choice is the label of its arrow.
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
                    choice["Comment"].as_str().unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_are_current() {
        let text = page::read(PAGE).unwrap();
        let drawn = page::with_parts(PAGE, &text, &pictures().unwrap()).unwrap();
        assert!(text == drawn, "run `cargo xtask picture`");
    }

    #[test]
    fn every_state_is_drawn_and_every_way_to_it() {
        let machine = serde_json::json!({
            "StartAt": "Look",
            "States": {
                "Look": {"Type": "Task", "Next": "Good?", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]},
                "Good?": {"Type": "Choice", "Choices": [{"Comment": "no", "Next": "Look"}], "Default": "Done"},
                "Done": {"Type": "Succeed"},
            },
        });
        assert_eq!(
            draw(&machine),
            "flowchart TD\n  s0Look[\"Look\"]\n  s0Good{\"Good?\"}\n  s0Done([\"Done\"])\n  s0Look --> s0Good\n  \
             s0Look -. \"error\" .-> s0Done\n  s0Good -- \"no\" --> s0Look\n  s0Good --> s0Done\n"
        );
    }
}
