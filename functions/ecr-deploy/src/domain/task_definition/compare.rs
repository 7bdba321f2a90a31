//! In which members two documents differ, whatever the spelling of their JSON.

use super::{Container, Document, TaskDefinition};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeSet;

impl TaskDefinition {
    /// The names of the members in which this document differs from `other`: `cpu`, `environment of web`, `container log`. Never
    /// a value.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Vec<String> {
        let mut differs = differing(&self.members, &other.members);
        for container in &self.containers {
            let name = &container.name;
            match other.container(name) {
                None => differs.push(format!("container {name}, which is new")),
                Some(before) => {
                    let members = differing(&container.members, &before.members);
                    differs.extend(members.into_iter().map(|member| format!("{member} of {name}")));
                }
            }
        }
        let gone = other
            .containers
            .iter()
            .filter(|container| self.container(&container.name).is_none());
        differs.extend(gone.map(|container| format!("container {}, which is gone", container.name)));
        differs
    }

    pub(super) fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// True if ECS would have made this revision of `other`: the same document with the same tags, those of AWS not
    /// counted.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        self.own_tags().eq(other.own_tags()) && self.is_same_document(other)
    }

    /// True if `other` would run the same: every member equal, whatever the spelling of the JSON and the tags.
    #[must_use]
    pub fn is_same_document(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Container, &Container)| differing(&one.members, &other.members).is_empty();
        differing(&self.members, &other.members).is_empty()
            && self.containers.len() == other.containers.len()
            && self.containers.iter().zip(&other.containers).all(is_same)
    }
}

/// The names of the members that two objects do not have alike.
fn differing(one: &Document, other: &Document) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let value = |of: &Document, name: &String| of.get(name).map(|raw| to_value(raw));
    let differing = names.into_iter().filter(|name| value(one, name) != value(other, name));
    differing.cloned().collect()
}

/// Raw values come out of a parser, so they always parse; the fallback keeps the text, and so the comparison honest.
fn to_value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| Value::String(raw.get().to_owned()))
}
