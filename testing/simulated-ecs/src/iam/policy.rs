//! The statements of a policy, and whether one allows a call.
//!
//! Only what this project's policies use is understood. Anything else is an error when the policy is read: a
//! statement never allows by being misread.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>

use std::collections::BTreeMap;

use serde_json::Value;

/// One statement that allows something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its `Sid`; where it has none, its actions.
    pub sid: String,
    /// The actions as written.
    pub actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// One thing that AWS checks of a call: one action on one resource, with the condition keys that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As `ecs:UpdateService`.
    pub action: String,
    /// An ARN, or `*` where the action has no resource.
    pub resource: String,
    /// The condition keys that the call has, in lower case.
    pub context: BTreeMap<String, String>,
}

impl Need {
    /// An action on a resource, without condition keys.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            context: BTreeMap::new(),
        }
    }

    /// The same with a condition key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.insert(key.to_ascii_lowercase(), value.into());
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    operator: Operator,
    /// True if a call that does not have the key passes.
    if_exists: bool,
    /// True if the call may have several values of the key, and each must match; see [`several`].
    for_all: bool,
    /// In lower case, as keys are compared without regard to case.
    key: String,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringLike,
    /// `ArnEquals` and `ArnLike`, which AWS treats alike.
    Arn,
}

impl Statement {
    /// Reads a statement of which every reference was resolved.
    ///
    /// # Errors
    /// A sentence that names what is not understood: another effect than `Allow`, an unknown member, an unknown operator, a
    /// policy variable, or something that is no text.
    pub fn parse(statement: &Value) -> Result<Self, String> {
        let members = statement.as_object().ok_or("a statement is no object")?;
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        if let Some(member) = members.keys().find(|member| !known.contains(&member.as_str())) {
            return Err(format!("the member {member} of a statement is not understood"));
        }
        if statement["Effect"] != "Allow" {
            return Err(format!("the effect {} is not understood", statement["Effect"]));
        }
        let actions = texts(&statement["Action"])?;
        let resources = texts(&statement["Resource"])?;
        let mut conditions = Vec::new();
        for (operator, keys) in statement
            .get("Condition")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let (name, for_all) = match operator.strip_prefix("ForAllValues:") {
                Some(name) => (name, true),
                None => (operator.as_str(), false),
            };
            // No value at all is allowed by AWS, too: all of none match.
            let (name, if_exists) = match name.strip_suffix("IfExists") {
                Some(name) => (name, true),
                None => (name, for_all),
            };
            let operator = match name {
                "StringEquals" => Operator::StringEquals,
                "StringLike" => Operator::StringLike,
                "ArnEquals" | "ArnLike" => Operator::Arn,
                _ => return Err(format!("the operator {operator} is not understood")),
            };
            let keys = keys.as_object().ok_or("a condition is no object")?;
            for (key, values) in keys {
                conditions.push(Condition {
                    operator,
                    if_exists,
                    for_all,
                    key: key.to_ascii_lowercase(),
                    values: texts(values)?,
                });
            }
        }
        let sid = statement["Sid"]
            .as_str()
            .map_or_else(|| actions.join(", "), str::to_owned);
        Ok(Self {
            sid,
            actions,
            resources,
            conditions,
        })
    }

    /// Its resources and conditions, as a text by which two statements can be compared.
    pub(crate) fn scope(&self) -> String {
        format!("{:?} {:?}", self.resources, self.conditions)
    }

    /// The action of this statement that allows what is needed, as written here; None if it does not.
    #[must_use]
    pub fn allows(&self, need: &Need) -> Option<&str> {
        let action = self
            .actions
            .iter()
            .find(|action| glob(&action.to_ascii_lowercase(), &need.action.to_ascii_lowercase()))?;
        let on_resource = self
            .resources
            .iter()
            .any(|pattern| is_resource(pattern, &need.resource));
        let holds = on_resource && self.conditions.iter().all(|condition| condition.holds(need));
        Some(action.as_str()).filter(|_| holds)
    }
}

impl Condition {
    fn holds(&self, need: &Need) -> bool {
        let Some(value) = need.context.get(&self.key) else {
            return self.if_exists;
        };
        let matches = |value: &str| {
            self.values.iter().any(|wanted| match self.operator {
                Operator::StringEquals => wanted == value,
                Operator::StringLike => glob(wanted, value),
                Operator::Arn => is_arn_like(wanted, value),
            })
        };
        if self.for_all {
            value.split(BETWEEN).all(matches)
        } else {
            matches(value)
        }
    }
}

/// The separator between two values of one key.
const BETWEEN: char = '\n';

/// Several values of one key, as [`Need::with`] takes them.
pub(crate) fn several<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    values.into_iter().collect::<Vec<_>>().join(&BETWEEN.to_string())
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let listed = match value {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let read = |item: &Value| match item.as_str() {
        Some(text) if text.contains("${") => Err(format!("the policy variable in {text} is not understood")),
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("{item} is no text")),
    };
    let texts: Vec<String> = listed.iter().map(read).collect::<Result<_, _>>()?;
    if texts.is_empty() {
        return Err("a list is empty".to_owned());
    }
    Ok(texts)
}

/// True if the pattern of a `Resource` is the resource of a call. A call without a resource, `*`, is allowed by `*` only.
fn is_resource(pattern: &str, resource: &str) -> bool {
    pattern == "*" || (resource != "*" && is_arn_like(pattern, resource))
}

/// Compares two ARNs part by part: a `*` stays within its part, but the last part may hold slashes and colons.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
fn is_arn_like(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == 6 && parts.len() == 6 && patterns.iter().zip(parts).all(|(pattern, part)| glob(pattern, part))
}

/// True if a text is what a pattern says, in which `*` stands for any characters and `?` for one.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where the last star is, and up to where it has taken the text.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(expected) if *expected == '?' || *expected == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SERVICE: &str = "arn:aws:ecs:eu-west-1:123456789012:service/production/web";

    fn allows(statement: &Value, need: &Need) -> bool {
        Statement::parse(statement).unwrap().allows(need).is_some()
    }

    #[test]
    fn with_for_all_values_each_value_must_match_and_none_is_allowed_too() {
        let statement = json!({
            "Effect": "Allow", "Action": "a:B", "Resource": "*",
            "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["hold", "stage"]}},
        });
        let statement = Statement::parse(&statement).unwrap();
        for (keys, expected) in [
            (Some(vec!["hold"]), true),
            (Some(vec!["hold", "stage"]), true),
            (Some(vec!["hold", "owner"]), false),
            (Some(vec!["owner"]), false),
            (None, true),
        ] {
            let need = Need::new("a:B", "*");
            let need = match &keys {
                Some(keys) => need.with("aws:TagKeys", several(keys.iter().copied())),
                None => need,
            };
            assert_eq!(statement.allows(&need).is_some(), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_resource_is_matched_by_its_pattern() {
        let of = |resource: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{resource}");
        for (pattern, resource, expected) in [
            ("*".to_owned(), SERVICE.to_owned(), true),
            ("*".to_owned(), "*".to_owned(), true),
            (of("*"), "*".to_owned(), false),
            (of("service/*"), SERVICE.to_owned(), true),
            (of("service/*"), of("service-deployment/production/web/1"), false),
            (of("service/production/*"), SERVICE.to_owned(), true),
            (of("service/production/*"), of("service/web"), false),
            (of("service/production/*"), of("service/production-eu/web"), false),
            // A star at the end of a name goes on over the slash.
            (of("service/prod*"), SERVICE.to_owned(), true),
            (of("service/prod*"), of("service/prod-eu/web"), true),
            (of("service/prod*"), of("service/staging/prod"), false),
            (of("service/production/w?b"), SERVICE.to_owned(), true),
            (of("service/production/w?b"), of("service/production/wb"), false),
            (of("service/production/W?b"), SERVICE.to_owned(), false),
            (of("task-definition/*:*"), of("task-definition/web:*"), true),
            (of("task-definition/*:*"), of("task-definition/web:7"), true),
            (of("task-definition/*:*"), of("task-definition/web"), false),
            // A star of one part does not reach into the next one.
            (
                "arn:aws:ecs:*:service/production/web".to_owned(),
                SERVICE.to_owned(),
                false,
            ),
            (
                "arn:aws:ecs:*:*:service/production/web".to_owned(),
                SERVICE.to_owned(),
                true,
            ),
            ("arn:aws:ecs:us-*:*:service/*".to_owned(), SERVICE.to_owned(), false),
        ] {
            let statement = json!({"Effect": "Allow", "Action": "ecs:UpdateService", "Resource": pattern});
            assert_eq!(
                allows(&statement, &Need::new("ecs:UpdateService", &resource)),
                expected,
                "{pattern} on {resource}"
            );
        }
    }

    #[test]
    fn an_action_is_matched_whatever_its_case() {
        for (action, expected) in [
            ("ecs:UpdateService", true),
            ("ECS:updateservice", true),
            ("ecs:Update*", true),
            ("ecs:UpdateServic?", true),
            ("ecs:UpdateServicePrimaryTaskSet", false),
            ("ecr:UpdateService", false),
        ] {
            let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
            assert_eq!(
                allows(&statement, &Need::new("ecs:UpdateService", SERVICE)),
                expected,
                "{action}"
            );
        }
    }

    #[test]
    fn every_condition_must_hold_and_one_of_its_values() {
        let cluster = |name: &str| format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{name}");
        let of_production = Need::new("ecs:ListTasks", "*").with("ecs:cluster", cluster("production"));
        for (condition, need, expected) in [
            (
                json!({"StringEquals": {"ecs:cluster": cluster("production")}}),
                &of_production,
                true,
            ),
            (
                json!({"StringEquals": {"ecs:cluster": cluster("prod*")}}),
                &of_production,
                false,
            ),
            (
                json!({"StringEquals": {"ECS:Cluster": cluster("production")}}),
                &of_production,
                true,
            ),
            (
                json!({"StringLike": {"ecs:cluster": cluster("prod*")}}),
                &of_production,
                true,
            ),
            (
                json!({"StringLike": {"ecs:cluster": cluster("stag*")}}),
                &of_production,
                false,
            ),
            (
                json!({"ArnEquals": {"ecs:cluster": cluster("production")}}),
                &of_production,
                true,
            ),
            (
                json!({"ArnEquals": {"ecs:cluster": cluster("prod*")}}),
                &of_production,
                true,
            ),
            (
                json!({"ArnLike": {"ecs:cluster": cluster("staging")}}),
                &of_production,
                false,
            ),
            (
                json!({"ArnEquals": {"ecs:cluster": [cluster("staging"), cluster("production")]}}),
                &of_production,
                true,
            ),
            (
                json!({"ArnEquals": {"ecs:cluster": cluster("*")}, "StringEquals": {"ecs:other": "1"}}),
                &of_production,
                false,
            ),
            // A key that the call does not have.
            (
                json!({"StringEquals": {"ecs:cluster": "x"}}),
                &Need::new("ecs:ListTasks", "*"),
                false,
            ),
            (
                json!({"StringEqualsIfExists": {"ecs:cluster": "x"}}),
                &Need::new("ecs:ListTasks", "*"),
                true,
            ),
            (
                json!({"StringLike": {"ecs:cluster": "*"}}),
                &Need::new("ecs:ListTasks", "*"),
                false,
            ),
            (
                json!({"ArnLikeIfExists": {"ecs:cluster": cluster("staging")}}),
                &of_production,
                false,
            ),
        ] {
            let statement =
                json!({"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*", "Condition": condition});
            assert_eq!(allows(&statement, need), expected, "{condition}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let base = json!({"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*"});
        for (member, value, problem) in [
            ("Effect", json!("Deny"), "the effect \"Deny\" is not understood"),
            (
                "NotAction",
                json!("x"),
                "the member NotAction of a statement is not understood",
            ),
            (
                "Principal",
                json!("*"),
                "the member Principal of a statement is not understood",
            ),
            ("Resource", json!({"Ref": "X"}), "{\"Ref\":\"X\"} is no text"),
            ("Resource", json!([]), "a list is empty"),
            ("Action", Value::Null, "null is no text"),
            (
                "Resource",
                json!("arn:aws:s3:::${aws:username}"),
                "the policy variable in arn:aws:s3:::${aws:username} is not understood",
            ),
            (
                "Condition",
                json!({"NumericEquals": {"a:b": "1"}}),
                "the operator NumericEquals is not understood",
            ),
            (
                "Condition",
                json!({"ForAnyValue:StringEquals": {"a:b": "1"}}),
                "the operator ForAnyValue:StringEquals is not understood",
            ),
            (
                "Condition",
                json!({"StringNotEquals": {"a:b": "1"}}),
                "the operator StringNotEquals is not understood",
            ),
        ] {
            let mut statement = base.clone();
            statement[member] = value;
            assert_eq!(Statement::parse(&statement), Err(problem.to_owned()));
        }
    }

    #[test]
    fn a_statement_without_a_sid_goes_by_its_actions() {
        let statement = json!({"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"});
        let statement = Statement::parse(&statement).unwrap();
        assert_eq!(statement.sid, "xray:PutTraceSegments, xray:PutTelemetryRecords");
    }
}
