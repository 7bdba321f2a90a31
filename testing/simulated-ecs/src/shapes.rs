//! A request held to AWS's own model: the members an operation knows, their types, what is required, bounds, enums.
//!
//! `shapes.json` is extracted from botocore by `conformance/extract_shapes.py`. AWS passes over members it does not know;
//! this refuses them, so that a typing error of a client under test is seen. A task definition is the exception: members
//! that no model knows are kept, because AWS adds members before its clients know them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::error::ApiError;

/// AWS's model of one service, as far as it is served here.
#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    /// The part before the dot in `X-Amz-Target`.
    pub(crate) target: String,
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    input: String,
    errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Shape {
    members: Option<BTreeMap<String, String>>,
    #[serde(default)]
    required: Vec<String>,
    list: Option<String>,
    map: Option<String>,
    #[serde(rename = "type")]
    scalar: Option<String>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    min: Option<f64>,
    max: Option<f64>,
}

/// The models of ECS and of ECR.
#[derive(Debug, Deserialize)]
pub(crate) struct Models {
    pub(crate) ecs: Model,
    pub(crate) ecr: Model,
}

/// The content of `shapes.json`.
#[allow(clippy::expect_used)] // compiled in and read by every test: it cannot fail where the tests passed
pub(crate) static MODELS: LazyLock<Models> =
    LazyLock::new(|| serde_json::from_str(include_str!("shapes.json")).expect("shapes.json is not what is read here"));

/// Task definitions carry members that the model does not know.
const OPEN: [&str; 1] = ["RegisterTaskDefinition"];
/// The members that `DescribeTaskDefinition` adds and `RegisterTaskDefinition` does not take.
const OUTPUT_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

impl Model {
    /// True if AWS's model lists this error for the operation.
    pub(crate) fn models_error(&self, operation: &str, code: &str) -> bool {
        self.operations
            .get(operation)
            .is_some_and(|operation| operation.errors.iter().any(|error| error == code))
    }

    /// True if the operation's input shape has this member.
    pub(crate) fn takes(&self, operation: &str, member: &str) -> bool {
        let input = self.operations.get(operation).map(|operation| &operation.input);
        let members = input.and_then(|input| self.shapes.get(input)?.members.as_ref());
        members.is_some_and(|members| members.contains_key(member))
    }

    /// Checks a request against the operation's input shape.
    ///
    /// # Errors
    /// `SerializationException` for a wrong type, `InvalidParameterException` for everything else.
    pub(crate) fn check(&self, operation: &str, request: &Value) -> Result<(), ApiError> {
        let Some(found) = self.operations.get(operation) else {
            return Err(ApiError::new(
                "UnknownOperationException",
                format!("{operation} is not simulated"),
            ));
        };
        let open = OPEN.contains(&operation);
        if open && let Some(member) = OUTPUT_ONLY.iter().find(|member| request.get(**member).is_some()) {
            return Err(ApiError::invalid(format!(
                "Unknown parameter in input: \"{member}\": output only"
            )));
        }
        Check { model: self, open }.value(request, &found.input, operation)
    }
}

struct Check<'a> {
    model: &'a Model,
    open: bool,
}

impl Check<'_> {
    fn value(&self, value: &Value, shape: &str, path: &str) -> Result<(), ApiError> {
        let Some(named) = self.model.shapes.get(shape) else {
            return scalar(value, shape, path);
        };
        if let Some(members) = &named.members {
            self.structure(value, named, members, path)
        } else if let Some(member) = &named.list {
            let items = value.as_array().ok_or_else(|| wrong_type(path, "a list"))?;
            bounds(items.len(), named, path, "elements")?;
            items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| self.value(item, member, &format!("{path}[{index}]")))
        } else if let Some(member) = &named.map {
            let entries = value.as_object().ok_or_else(|| wrong_type(path, "a map"))?;
            entries
                .iter()
                .try_for_each(|(key, item)| self.value(item, member, &format!("{path}.{key}")))
        } else {
            scalar(value, named.scalar.as_deref().unwrap_or("string"), path)?;
            bounded(value, named, path)
        }
    }

    fn structure(
        &self,
        value: &Value,
        shape: &Shape,
        members: &BTreeMap<String, String>,
        path: &str,
    ) -> Result<(), ApiError> {
        let given = value.as_object().ok_or_else(|| wrong_type(path, "a structure"))?;
        for required in &shape.required {
            if given.get(required).is_none_or(Value::is_null) {
                return Err(ApiError::invalid(format!(
                    "Missing required parameter in {path}: \"{required}\""
                )));
            }
        }
        for (key, item) in given {
            match members.get(key) {
                Some(_) if item.is_null() => {}
                Some(member) => self.value(item, member, &format!("{path}.{key}"))?,
                None if self.open => {}
                None => return Err(ApiError::invalid(format!("Unknown parameter in {path}: \"{key}\""))),
            }
        }
        Ok(())
    }
}

fn scalar(value: &Value, kind: &str, path: &str) -> Result<(), ApiError> {
    let fits = match kind {
        "string" | "blob" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" | "long" => value.is_i64(),
        _ => value.is_number(),
    };
    if fits { Ok(()) } else { Err(wrong_type(path, kind)) }
}

fn bounded(value: &Value, shape: &Shape, path: &str) -> Result<(), ApiError> {
    if let Some(text) = value.as_str() {
        if !shape.values.is_empty() && !shape.values.iter().any(|allowed| allowed == text) {
            let allowed = shape.values.join(", ");
            return Err(ApiError::invalid(format!(
                "{path} should be one of {allowed}, not \"{text}\""
            )));
        }
        return bounds(text.chars().count(), shape, path, "characters");
    }
    let number = value.as_f64().unwrap_or_default();
    if shape.min.is_some_and(|min| number < min) || shape.max.is_some_and(|max| number > max) {
        return Err(ApiError::invalid(format!("{path} is out of range: {number}")));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // lengths of requests are far below 2^53
fn bounds(length: usize, shape: &Shape, path: &str, unit: &str) -> Result<(), ApiError> {
    let length = length as f64;
    if shape.min.is_some_and(|min| length < min) || shape.max.is_some_and(|max| length > max) {
        return Err(ApiError::invalid(format!("{path} cannot have {length} {unit}")));
    }
    Ok(())
}

fn wrong_type(path: &str, expected: &str) -> ApiError {
    ApiError::new("SerializationException", format!("{path} is not {expected}"))
}
