//! The roles of a stack, read off its CloudFormation template: what each may do, and who has which.

use std::collections::BTreeMap;

use serde_json::Value;

use super::policy::Statement;
use crate::names::Names;

/// A role of a stack.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    /// Its logical id in the template.
    pub(crate) id: String,
    /// Its name in the account.
    pub(crate) name: String,
    pub(crate) statements: Vec<Statement>,
}

/// A stack, as far as IAM is concerned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stack {
    roles: BTreeMap<String, Role>,
    /// The logical id of the role of each function, state machine and rule, by theirs. A managed policy that no role has is for
    /// people: whoever has just that policy is called as it is.
    role_of: BTreeMap<String, String>,
    /// The resources in the account, by logical id.
    physical: BTreeMap<String, String>,
    /// True if it is limited to some clusters, so that its statements are other ones.
    pub(crate) is_narrow: bool,
}

impl Stack {
    /// Reads a template.
    ///
    /// `physical` holds what CloudFormation made of each resource: a name, an ARN or a URL, by logical id. A resource that it
    /// does not hold goes by its logical id.
    ///
    /// # Errors
    /// A sentence that names the resource and what is not understood about it.
    pub(crate) fn read(
        names: &Names,
        stack: &str,
        template: &Value,
        physical: BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let resources = template["Resources"]
            .as_object()
            .ok_or("the template has no resources")?;
        let context = Context {
            names,
            stack,
            resources,
            physical: &physical,
        };
        let (mut roles, mut role_of, mut is_narrow) = (BTreeMap::new(), BTreeMap::new(), false);
        for (id, resource) in resources {
            let properties = &resource["Properties"];
            match resource["Type"].as_str().unwrap_or_default() {
                "AWS::IAM::Role" => {
                    for member in ["ManagedPolicyArns", "Policies"] {
                        if properties.get(member).is_some() {
                            return Err(format!("{id}: the member {member} of a role is not understood"));
                        }
                    }
                    let role = roles.entry(id.clone()).or_insert_with(Role::default);
                    context.physical(id).clone_into(&mut role.name);
                }
                "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" => {
                    let statements = context.statements(&properties["PolicyDocument"]);
                    let statements = statements.map_err(|problem| format!("{id}: {problem}"))?;
                    let attached = properties["Roles"].as_array();
                    if attached.is_none() {
                        let (name, statements) = (context.physical(id).to_owned(), statements.clone());
                        let person = roles.entry(id.clone()).or_insert_with(Role::default);
                        (person.name, person.statements) = (name, statements);
                        role_of.insert(id.clone(), id.clone());
                    }
                    for role in attached.into_iter().flatten() {
                        let role = logical_id(role).ok_or_else(|| format!("{id}: {role} is no role of the stack"))?;
                        let role: &mut Role = roles.entry(role.to_owned()).or_default();
                        role.statements.extend(statements.clone());
                    }
                }
                "AWS::Lambda::Function" => {
                    let settings = properties
                        .pointer("/Environment/Variables/SETTINGS")
                        .and_then(Value::as_str);
                    let settings = settings.and_then(|text| serde_json::from_str::<Value>(text).ok());
                    let clusters = settings.as_ref().and_then(|settings| settings["clusters"].as_array());
                    is_narrow |= clusters.is_some_and(|clusters| !clusters.is_empty());
                    role_of.extend(logical_id(&properties["Role"]).map(|role| (id.clone(), role.to_owned())));
                }
                "AWS::StepFunctions::StateMachine" => {
                    role_of.extend(logical_id(&properties["RoleArn"]).map(|role| (id.clone(), role.to_owned())));
                }
                "AWS::Events::Rule" => {
                    let roles = properties["Targets"].as_array().into_iter().flatten();
                    let roles = roles.filter_map(|target| logical_id(&target["RoleArn"]));
                    role_of.extend(roles.map(|role| (id.clone(), role.to_owned())));
                }
                _ => {}
            }
        }
        for (id, role) in &mut roles {
            role.id.clone_from(id);
            if role.name.is_empty() {
                return Err(format!(
                    "{id}: a policy is for this role, and the stack has no such role"
                ));
            }
        }
        Ok(Self {
            roles,
            role_of,
            physical,
            is_narrow,
        })
    }

    /// Adds a managed policy for people that the template does not have.
    ///
    /// # Errors
    /// A sentence that says what of it is not understood.
    pub(crate) fn add_for_people(&mut self, id: &str, document: &Value) -> Result<(), String> {
        let statements = document["Statement"]
            .as_array()
            .ok_or("a policy has no list of statements")?;
        let statements: Result<_, _> = statements.iter().map(Statement::parse).collect();
        let policy = Role {
            id: id.to_owned(),
            name: id.to_owned(),
            statements: statements?,
        };
        self.roles.insert(id.to_owned(), policy);
        self.role_of.insert(id.to_owned(), id.to_owned());
        Ok(())
    }

    /// The role of a function, a state machine or a rule, and the name of its session, by the logical id. Of a managed policy for
    /// people, what it allows.
    pub(crate) fn principal<'a>(&'a self, id: &'a str) -> Option<(&'a Role, &'a str)> {
        let role = self.roles.get(self.role_of.get(id)?)?;
        let physical = self.physical.get(id).map_or(id, String::as_str);
        Some((role, physical.rsplit([':', '/']).next().unwrap_or(physical)))
    }

    /// True if that is a managed policy for people.
    pub(crate) fn is_for_people(&self, id: &str) -> bool {
        self.role_of.get(id).is_some_and(|role| role == id)
    }

    /// Every role.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }
}

/// The logical id that a reference names: `Ref`, or `Fn::GetAtt` of an ARN.
fn logical_id(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str())
}

/// The values for a template's references.
struct Context<'a> {
    names: &'a Names,
    stack: &'a str,
    resources: &'a serde_json::Map<String, Value>,
    physical: &'a BTreeMap<String, String>,
}

impl Context<'_> {
    fn statements(&self, document: &Value) -> Result<Vec<Statement>, String> {
        let statements = document["Statement"]
            .as_array()
            .ok_or("a policy has no list of statements")?;
        statements
            .iter()
            .map(|statement| Statement::parse(&self.resolve(statement)?))
            .collect()
    }

    fn physical<'b>(&'b self, id: &'b str) -> &'b str {
        self.physical.get(id).map_or(id, String::as_str)
    }

    /// The value with its references resolved.
    fn resolve(&self, value: &Value) -> Result<Value, String> {
        let members = match value {
            Value::Array(items) => return items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(members) => members,
            other => return Ok(other.clone()),
        };
        let intrinsic = members.iter().next().filter(|_| members.len() == 1);
        match intrinsic.map(|(name, argument)| (name.as_str(), argument)) {
            Some(("Ref", id)) => self.reference(id.as_str().unwrap_or_default()).map(Value::String),
            Some(("Fn::GetAtt", argument)) => {
                let part = |place: usize| argument[place].as_str().unwrap_or_default();
                self.attribute(part(0), part(1)).map(Value::String)
            }
            Some(("Fn::Join", argument)) => {
                let parts = self.resolve(&argument[1])?;
                let parts: Option<Vec<&str>> = parts.as_array().and_then(|it| it.iter().map(Value::as_str).collect());
                let (separator, parts) = argument[0].as_str().zip(parts).ok_or("an Fn::Join is not understood")?;
                Ok(Value::String(parts.join(separator)))
            }
            Some((name, _)) if name.starts_with("Fn::") => Err(format!("{name} is not understood")),
            _ => members
                .iter()
                .map(|(name, member)| Ok((name.clone(), self.resolve(member)?)))
                .collect(),
        }
    }

    fn reference(&self, id: &str) -> Result<String, String> {
        let names = self.names;
        Ok(match id {
            "AWS::Partition" => names.partition.clone(),
            "AWS::Region" => names.region.clone(),
            "AWS::AccountId" => names.account.clone(),
            "AWS::StackName" => self.stack.to_owned(),
            _ if ["AWS::StepFunctions::StateMachine", "AWS::SNS::Topic"]
                .map(Some)
                .contains(&self.kind(id)) =>
            {
                return self.attribute(id, "Arn");
            }
            _ if self.resources.contains_key(id) => self.physical(id).to_owned(),
            _ => return Err(format!("the reference to {id} is not understood")),
        })
    }

    fn kind(&self, id: &str) -> Option<&str> {
        self.resources.get(id)?["Type"].as_str()
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<String, String> {
        let names = self.names;
        let kind = self.kind(id).ok_or_else(|| format!("there is no resource {id}"))?;
        let physical = self.physical(id);
        let name = physical.rsplit([':', '/']).next().unwrap_or(physical);
        let arn = |service: &str, resource: &str| {
            let (partition, region, account) = (&names.partition, &names.region, &names.account);
            format!("arn:{partition}:{service}:{region}:{account}:{resource}")
        };
        Ok(match (kind, attribute) {
            ("AWS::StepFunctions::StateMachine", "Name") => name.to_owned(),
            ("AWS::StepFunctions::StateMachine", "Arn") => arn("states", &format!("stateMachine:{name}")),
            ("AWS::Lambda::Function", "Arn") => arn("lambda", &format!("function:{name}")),
            ("AWS::Logs::LogGroup", "Arn") => arn("logs", &format!("log-group:{physical}:*")),
            ("AWS::SQS::Queue", "Arn") => arn("sqs", name),
            ("AWS::SNS::Topic", "Arn") => arn("sns", name),
            // No call that is judged names it: a text that is nobody's ARN.
            _ => format!("{id}.{attribute}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Need;
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        Names {
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
        }
    }

    fn template(resource: &Value) -> Value {
        json!({"Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
            "Step": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}},
            "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}},
            "Policy": {"Type": "AWS::IAM::Policy", "Properties": {
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": {"Statement": [
                    {"Sid": "It", "Effect": "Allow", "Action": "a:B", "Resource": resource},
                ]},
            }},
        }})
    }

    #[test]
    fn references_are_resolved_as_cloudformation_resolves_them() {
        let physical = BTreeMap::from([
            ("Step".to_owned(), "stack-Step-1X".to_owned()),
            (
                "Machine".to_owned(),
                "arn:aws:states:eu-west-1:123456789012:stateMachine:Machine-2Y".to_owned(),
            ),
        ]);
        for (resource, expected) in [
            (json!("*"), "*"),
            (
                json!({"Fn::GetAtt": ["Step", "Arn"]}),
                "arn:aws:lambda:eu-west-1:123456789012:function:stack-Step-1X",
            ),
            (
                json!({"Ref": "Machine"}),
                "arn:aws:states:eu-west-1:123456789012:stateMachine:Machine-2Y",
            ),
            (
                json!({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":states:", {"Ref": "AWS::Region"}, ":",
                    {"Ref": "AWS::AccountId"}, ":execution:", {"Fn::GetAtt": ["Machine", "Name"]}, ":*"]]}),
                "arn:aws:states:eu-west-1:123456789012:execution:Machine-2Y:*",
            ),
        ] {
            let stack = Stack::read(&names(), "stack", &template(&resource), physical.clone()).unwrap();
            let (role, session) = stack.principal("Step").unwrap();
            assert_eq!((role.id.as_str(), session), ("Role", "stack-Step-1X"));
            assert_eq!(stack.principal("Machine").unwrap().1, "Machine-2Y");
            assert_eq!(
                role.statements[0].allows(&Need::new("a:B", expected)),
                Some("a:B"),
                "{expected}"
            );
        }
    }

    #[test]
    fn a_managed_policy_that_no_role_has_is_for_people() {
        let mut template = template(&json!("*"));
        let statement = json!({"Sid": "Read", "Effect": "Allow", "Action": "c:D", "Resource": "*"});
        template["Resources"]["Readers"] = json!({
            "Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [statement]}},
        });
        let stack = Stack::read(&names(), "stack", &template, BTreeMap::new()).unwrap();
        assert!(stack.is_for_people("Readers"));
        assert!(!stack.is_for_people("Step"));
        assert!(!stack.is_for_people("Role"));
        let (readers, _) = stack.principal("Readers").unwrap();
        assert_eq!(readers.statements[0].allows(&Need::new("c:D", "*")), Some("c:D"));
    }

    #[test]
    fn a_template_that_is_not_understood_is_an_error() {
        for (resource, problem) in [
            (
                json!({"Ref": "Missing"}),
                "Policy: the reference to Missing is not understood",
            ),
            (
                json!({"Fn::GetAtt": ["Missing", "Arn"]}),
                "Policy: there is no resource Missing",
            ),
            (json!({"Fn::Sub": "x"}), "Policy: Fn::Sub is not understood"),
        ] {
            let read = Stack::read(&names(), "stack", &template(&resource), BTreeMap::new());
            assert_eq!(read.unwrap_err(), problem);
        }
        let mut managed = template(&json!("*"));
        managed["Resources"]["Role"]["Properties"]["ManagedPolicyArns"] = json!(["arn:aws:iam::aws:policy/Admin"]);
        let read = Stack::read(&names(), "stack", &managed, BTreeMap::new());
        assert_eq!(
            read.unwrap_err(),
            "Role: the member ManagedPolicyArns of a role is not understood"
        );
    }
}
