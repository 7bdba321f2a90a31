//! The settings: each is read as it says or refused by its name, and nothing falls back in silence.

use crate::arn::cluster_name;
use crate::image::REPOSITORY;
use crate::{assert_clear, pattern};
use ecr_deploy::function::config::Config;
use regex_lite::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The construct writes this without any setting.
const DEFAULT: &str = include_str!("../../cdk/test/golden/settings-default.json");

/// A value that a setting may have: as it is written back, or `None` when it cannot be read.
type Rule = fn(&Value) -> Option<Value>;

/// The settings with a grammar here, and what each may be. Of any other it is only asked that it is read or refused clearly.
const RULES: [(&str, Rule); 9] = [
    ("clusters", |value| names(value, cluster_name)),
    ("repositories", |value| names(value, repository_name)),
    ("tagLatest", flag),
    ("imageReference", image_reference),
    ("scanFamilies", flag),
    ("sendsMessages", flag),
    ("writesParameters", flag),
    ("rolloutTimeoutSeconds", seconds),
    ("pollIntervalSeconds", seconds),
];

fn flag(value: &Value) -> Option<Value> {
    value.is_boolean().then(|| value.clone())
}

fn seconds(value: &Value) -> Option<Value> {
    let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    seconds.filter(|seconds| *seconds > 0).map(Value::from)
}

fn image_reference(value: &Value) -> Option<Value> {
    // Serde takes a variant's name for a text, and for an object with that name.
    let name = match value {
        Value::Object(variant) if variant.len() == 1 && variant.values().all(Value::is_null) => {
            variant.keys().next()?
        }
        _ => value.as_str()?,
    };
    ["tag", "digest"].contains(&name).then(|| Value::from(name))
}

/// Names, each once, as `read` reads them.
fn names(value: &Value, read: fn(&str) -> Option<&str>) -> Option<Value> {
    let names = value.as_array()?.iter().map(|name| name.as_str().and_then(read));
    let names: Vec<&str> = names.collect::<Option<_>>()?;
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    (distinct.len() == names.len()).then(|| names.into())
}

fn repository_name(name: &str) -> Option<&str> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(REPOSITORY));
    NAME.is_match(name).then_some(name)
}

/// `input` is a JSON object with what differs from the construct's defaults: a member is replaced, or taken out where it is
/// null. So an input stays one when a setting is added.
pub(crate) fn check(input: &[u8]) {
    let defaults: Map<String, Value> = serde_json::from_str(DEFAULT).expect("the construct's defaults");
    let Ok(Value::Object(changes)) = serde_json::from_slice(input) else {
        let error = Config::parse(&String::from_utf8_lossy(input)).expect_err("no JSON object");
        return assert_clear(&error);
    };
    let mut settings = defaults.clone();
    for (name, value) in changes {
        match value {
            Value::Null => settings.remove(&name),
            value => settings.insert(name, value),
        };
    }
    let missing = defaults.keys().filter(|name| !settings.contains_key(*name));
    let unknown = settings.keys().filter(|name| !defaults.contains_key(*name));
    let unreadable = RULES
        .iter()
        .filter(|(name, rule)| settings.get(*name).is_some_and(|value| rule(value).is_none()));
    let unreadable = unreadable.map(|(name, _)| *name);
    let at_fault: Vec<&str> = missing.chain(unknown).map(String::as_str).chain(unreadable).collect();
    let has_a_rule = |name: &String| RULES.iter().any(|(known, _)| name == known);
    let is_judged = settings
        .iter()
        .all(|(name, value)| has_a_rule(name) || defaults.get(name).is_none_or(|default| default == value));

    let text = Value::Object(settings.clone()).to_string();
    let config = match Config::parse(&text) {
        Ok(config) => config,
        Err(error) => {
            assert_clear(&error);
            let message = error.to_string();
            // A name that is too long to be quoted is cut.
            let expected = at_fault.iter().any(|name| message.contains(name) || name.len() > 100);
            return assert!(expected || !is_judged, "{at_fault:?} at fault: {message}");
        }
    };
    assert!(at_fault.is_empty() || !is_judged, "accepted with {at_fault:?} at fault");
    let written = serde_json::to_value(&config).expect("settings");
    for (name, rule) in RULES {
        assert_eq!(Some(&written[name]), rule(&settings[name]).as_ref(), "{name}");
    }
    assert_eq!(Config::parse(&written.to_string()).ok(), Some(config), "{written}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_of_the_corpus_that_is_an_object_changes_a_setting() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/settings");
        let defaults: Map<String, Value> = serde_json::from_str(DEFAULT).unwrap();
        let (mut objects, mut accepted) = (0, 0);
        for input in corpus.read_dir().unwrap() {
            let input = std::fs::read(input.unwrap().path()).unwrap();
            let Ok(Value::Object(changes)) = serde_json::from_slice(&input) else {
                continue;
            };
            objects += 1;
            let mut settings = defaults.clone();
            settings.extend(changes);
            accepted += usize::from(Config::parse(&Value::Object(settings).to_string()).is_ok());
        }
        assert!(
            objects >= 20 && accepted >= 8,
            "{objects} objects, {accepted} of them accepted"
        );
    }
}
