//! Reads the state machines of `statemachine/`, for tests and tools. No function needs them.
//!
//! They are written in YAML, so that an expression stands once and has an anchor where it is needed twice. The keys at
//! the top that begin with `x-` hold such anchors, and are no part of the machine. `cdk/app/asl.ts` is the same reader
//! for the template.
//!
//! See <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html>.

use serde_json::Value;
use std::path::PathBuf;

/// The names of all state machines.
pub const MACHINES: [&str; 5] = ["push", "deploy-image", "deploy-service", "tell-end", "sweep"];

/// A definition that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file, or it is no text.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// It is not YAML, or more than JSON can hold.
    #[error("the definition of a state machine: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
    /// It is no mapping, or a merge key is left in it.
    #[error("the definition of a state machine: {0}")]
    Shape(&'static str),
}

/// The definition of the machine `statemachine/<machine>.asl.yaml`, as Step Functions knows it.
///
/// # Errors
///
/// When the file cannot be read, or is no definition.
pub fn read(machine: &str) -> Result<Value, Error> {
    parse(&source(machine)?)
}

/// The text of that file.
///
/// # Errors
///
/// When it cannot be read.
pub fn source(machine: &str) -> Result<String, Error> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../statemachine");
    let path = PathBuf::from(folder).join(format!("{machine}.asl.yaml"));
    std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })
}

/// The definition that a text holds: anchors and merge keys resolved, and without the keys at the top that begin with `x-`.
///
/// # Errors
///
/// When it is not YAML, no mapping, or merges a mapping that merges another one itself.
pub fn parse(text: &str) -> Result<Value, Error> {
    let mut document: serde_yaml_ng::Value = serde_yaml_ng::from_str(text)?;
    document.apply_merge()?;
    let definition: Value = serde_yaml_ng::from_value(document)?;
    if has_merge_key(&definition) {
        return Err(Error::Shape("it merges a mapping that has a merge key of its own"));
    }
    let Value::Object(mut members) = definition else {
        return Err(Error::Shape("it is no mapping"));
    };
    members.retain(|name, _| !name.starts_with("x-"));
    Ok(Value::Object(members))
}

fn has_merge_key(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_merge_key),
        Value::Object(members) => members.contains_key("<<") || members.values().any(has_merge_key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn anchors_and_merge_keys_are_resolved_and_what_holds_them_is_dropped() {
        let text = "
x-task: &task { Type: Task, Retry: [&retrier { MaxAttempts: 6 }] }
StartAt: Read
States:
  Read: { <<: *task, Comment: Reads., Next: Done? }
  Read again: { Retry: [*retrier], <<: [*task, { Type: Pass, End: true }] }
  Done?:
    Condition: >-
      {% $a = 'B'
      and $c %}
";
        assert_eq!(
            parse(text).unwrap(),
            json!({
                "StartAt": "Read",
                "States": {
                    "Read": {"Type": "Task", "Retry": [{"MaxAttempts": 6}], "Comment": "Reads.", "Next": "Done?"},
                    "Read again": {"Type": "Task", "Retry": [{"MaxAttempts": 6}], "End": true},
                    "Done?": {"Condition": "{% $a = 'B' and $c %}"},
                },
            })
        );
    }

    #[test]
    fn a_text_that_is_no_definition_is_an_error_that_says_why() {
        for (text, says) in [
            ("States: [", "line"),
            ("- States", "no mapping"),
            ("States: *nothing", "anchor"),
            (
                "x-a: &a { b: 1 }\nx-c: &c { <<: *a }\nStates: { <<: *c }",
                "a merge key of its own",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = read("deploy-nothing").unwrap_err().to_string();
        assert!(error.contains("deploy-nothing.asl.yaml"), "{error}");
    }
}
