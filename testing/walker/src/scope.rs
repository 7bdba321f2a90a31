//! The data of an execution, and the expressions in JSONata that the definitions make of it.

use crate::caller::Caller;
use bumpalo::Bump;
use jsonata_rs::{ArrayFlags, FunctionContext, JsonAta};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The data of a state: the time, the variables and the context of its execution.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) caller: Arc<Caller>,
    pub(crate) variables: Map<String, Value>,
    pub(crate) context: Value,
}

impl Scope {
    pub(crate) fn evaluate(&self, template: &Value, states: &Value) -> Value {
        match template {
            Value::String(text) => match text.strip_prefix("{% ").and_then(|rest| rest.strip_suffix(" %}")) {
                Some(expression) => self.expression(expression, states),
                None => template.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.evaluate(item, states)).collect(),
            Value::Object(members) => {
                let evaluated = members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.evaluate(value, states)));
                evaluated.collect()
            }
            _ => template.clone(),
        }
    }

    /// The value of a path such as `$update.rollout` or `$states.input.retry`, as long as it leads through objects:
    /// most expressions are no more than that, and this JSONata would take `$error` for a function of its own.
    fn member<'s>(&'s self, expression: &str, states: &'s Value) -> Option<&'s Value> {
        let path: Vec<&str> = expression.strip_prefix('$')?.split('.').collect();
        match path.as_slice() {
            ["states", "context", rest @ ..] => rest.iter().try_fold(&self.context, |value, name| value.get(*name)),
            ["states", rest @ ..] => rest.iter().try_fold(states, |value, name| value.get(*name)),
            [variable, rest @ ..] => {
                let value = self.variables.get(*variable)?;
                rest.iter().try_fold(value, |value, name| value.get(*name))
            }
            [] => None,
        }
    }

    fn expression(&self, expression: &str, states: &Value) -> Value {
        if let Some(value) = self.member(expression, states) {
            return value.clone();
        }
        // This JSONata would tell the time of the machine that it runs on.
        if expression == "$millis()" {
            return self.caller.account().now().into();
        }
        let arena = Bump::new();
        let parsed = JsonAta::new(expression, &arena).unwrap_or_else(|error| panic!("{expression}: {error}"));
        parsed.register_function("parse", 1, |context, arguments| {
            let value = serde_json::from_str(&arguments[0].as_str()).unwrap_or_default();
            Ok(jsonata_value(&context, &value))
        });
        // Only that different things have different names is of interest here.
        parsed.register_function("hash", 2, |context, arguments| {
            let sum = arguments[0]
                .as_str()
                .bytes()
                .fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            Ok(jsonata_value(&context, &format!("{sum:020}").into()))
        });
        parsed.register_function("partition", 2, |context, arguments| {
            let chunks = jsonata_rs::Value::array(context.arena, ArrayFlags::empty());
            let mut chunk = jsonata_rs::Value::array(context.arena, ArrayFlags::empty());
            for item in arguments[0].members() {
                chunk.push(item);
                if chunk.len() >= arguments[1].as_usize() {
                    chunks.push(chunk);
                    chunk = jsonata_rs::Value::array(context.arena, ArrayFlags::empty());
                }
            }
            if !chunk.is_empty() {
                chunks.push(chunk);
            }
            Ok(chunks)
        });
        let mut states = states.clone();
        states["context"] = self.context.clone();
        let mut bindings: HashMap<&str, &Value> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        bindings.insert("states", &states);
        let evaluated = parsed
            .evaluate(None, Some(&bindings))
            .unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert!(!evaluated.is_undefined(), "{expression} is undefined: {states:#}");
        serde_json::from_str(&evaluated.serialize(false)).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    pub(crate) fn assign(&mut self, state: &Value, states: &Value) {
        let Some(assigned) = state["Assign"].as_object() else {
            return;
        };
        let values: Vec<(String, Value)> = assigned
            .iter()
            .map(|(name, value)| (name.clone(), self.evaluate(value, states)))
            .collect();
        self.variables.extend(values);
    }

    pub(crate) fn output(&self, state: &Value, states: &Value, otherwise: Value) -> Value {
        state
            .get("Output")
            .map_or(otherwise, |output| self.evaluate(output, states))
    }
}

fn jsonata_value<'a>(context: &FunctionContext<'a, '_>, value: &Value) -> &'a mut jsonata_rs::Value<'a> {
    use jsonata_rs::Value as Jsonata;
    match value {
        Value::Null => Jsonata::null(context.arena),
        Value::Bool(value) => context.arena.alloc(Jsonata::Bool(*value)),
        Value::Number(number) => Jsonata::number(context.arena, number.as_f64().unwrap_or_default()),
        Value::String(text) => Jsonata::string(context.arena, text),
        Value::Array(items) => {
            let array = Jsonata::array(context.arena, ArrayFlags::empty());
            for item in items {
                array.push(jsonata_value(context, item));
            }
            array
        }
        Value::Object(members) => {
            let object = Jsonata::object(context.arena);
            for (name, member) in members {
                object.insert(name, jsonata_value(context, member));
            }
            object
        }
    }
}
