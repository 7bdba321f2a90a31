//! IAM: whether the role of a function, or of a state machine, may do what it asks for.
//!
//! [`Iam`] knows the roles of each stack from the stack's own template. A call that tells who makes it is judged: by the
//! action, the resource as AWS forms it and the condition keys, and so is everything that the call implies. A call that does
//! not tell is one of the account's administrator: a person's, or a test's.
//!
//! Not judged: permission boundaries, policies of resources, session policies, service control policies.

mod policy;
mod request;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ApiError;
use crate::names::Names;
pub use policy::{Need, Statement};
use request::Known;
use template::Stack;

/// The roles of an account's stacks.
#[derive(Debug, Clone, Default)]
pub struct Iam {
    stacks: BTreeMap<String, Arc<Stack>>,
    refused: Vec<String>,
    record: Option<PathBuf>,
    recorded: BTreeSet<Grant>,
}

/// An action of a statement of a role: what a call needed, or what a template grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// True if the stack is limited to some clusters, which makes its statements other ones.
    pub narrow: bool,
    /// The logical id of the role.
    pub role: String,
    /// The statement's `Sid`; where it has none, its actions.
    pub statement: String,
    /// As written in the statement.
    pub action: String,
}

/// A call that tells who makes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// `<stack>/<logical id>` of a function, a state machine or a rule. Of a person, `<stack>/<logical id>+<logical id>`: those of
    /// the managed policies that the person has.
    pub caller: String,
    /// The prefix of the actions, as `ecs`.
    pub service: String,
    /// As `UpdateService`.
    pub operation: String,
    /// The thing asked for.
    pub request: Value,
    /// The task role and the execution role of the revision that the request names, as registered.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The tags of the service that the request changes.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Each grant that any call of this process has needed: each is written once.
static WRITTEN: Mutex<BTreeSet<(PathBuf, Grant)>> = Mutex::new(BTreeSet::new());

impl Iam {
    /// Writes each grant that a call needs, and each refusal, into a file of its own in this folder.
    pub fn record_in(&mut self, folder: PathBuf) {
        self.record = Some(folder);
    }

    /// True if any stack's roles are known.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        !self.stacks.is_empty()
    }

    /// Takes the roles of a stack from its template; those that were known of a stack of this name are forgotten.
    ///
    /// # Errors
    /// A sentence that says what of the template is not understood.
    pub(crate) fn deploy(
        &mut self,
        names: &Names,
        stack: &str,
        template: &Value,
        physical: BTreeMap<String, String>,
    ) -> Result<(), String> {
        let read =
            Stack::read(names, stack, template, physical).map_err(|problem| format!("stack {stack}: {problem}"))?;
        self.stacks.insert(stack.to_owned(), Arc::new(read));
        Ok(())
    }

    /// Lets people have a managed policy that their administrator wrote, beside those of a stack: as one more logical id
    /// of it.
    ///
    /// # Errors
    /// A sentence that says that the stack is not known, or what of the policy is not understood.
    pub fn add_policy(&mut self, stack: &str, id: &str, document: &Value) -> Result<(), String> {
        let known = self
            .stacks
            .get_mut(stack)
            .ok_or_else(|| format!("there is no stack {stack}"))?;
        Arc::make_mut(known).add_for_people(id, document)
    }

    /// Every action of every statement of every role, with the resources and conditions of the statement.
    pub fn grants(&self) -> impl Iterator<Item = (Grant, String)> {
        self.stacks.values().flat_map(|stack| {
            let statements = stack
                .roles()
                .flat_map(|role| role.statements.iter().map(move |statement| (role, statement)));
            statements.flat_map(|(role, statement)| {
                statement.actions.iter().map(|action| {
                    let grant = Grant {
                        narrow: stack.is_narrow,
                        role: role.id.clone(),
                        statement: statement.sid.clone(),
                        action: action.clone(),
                    };
                    (grant, statement.scope())
                })
            })
        })
    }

    /// The grants that calls have needed so far.
    pub fn needed(&self) -> impl Iterator<Item = &Grant> {
        self.recorded.iter()
    }

    /// The calls refused so far, in AWS's words.
    #[must_use]
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Judges a call.
    ///
    /// # Errors
    /// `AccessDeniedException`, in AWS's words for what is missing.
    pub(crate) fn judge(&mut self, names: &Names, call: &Call) -> Result<(), ApiError> {
        let granted = self.granted(names, call);
        match granted {
            Ok(granted) => {
                for grant in granted {
                    if self.recorded.insert(grant.clone()) {
                        self.write(&grant);
                    }
                }
                Ok(())
            }
            Err(message) => {
                // A person may be refused. The stack's own functions may not be: a test would have found a statement that lacks.
                if !self.is_person(&call.caller) {
                    self.refused.push(message.clone());
                    self.append("refused", &message);
                }
                let mut error = std::io::stderr().lock();
                let _ = error.write_all(format!("IAM refuses: {message}\n").as_bytes());
                Err(ApiError::new("AccessDeniedException", message))
            }
        }
    }

    /// The statements that allow a call; or the refusal.
    fn granted(&self, names: &Names, call: &Call) -> Result<Vec<Grant>, String> {
        let Call {
            caller,
            service,
            operation,
            request,
            roles,
            tags,
        } = call;
        let principals = caller.split_once('/').and_then(|(stack, ids)| {
            let stack = self.stacks.get(stack)?;
            let roles: Option<Vec<_>> = ids.split('+').map(|id| stack.principal(id)).collect();
            Some((stack, roles?))
        });
        let Some((stack, roles_of_caller)) = principals else {
            return Err(format!(
                "{caller}, who asks for {service}:{operation}, has no role in any stack that was deployed"
            ));
        };
        let Some(needs) = request::needs(names, service, operation, request, &Known { roles, tags }) else {
            return Err(format!(
                "{caller} asks for {service}:{operation}, of which is not known what AWS checks: \
                 add it to testing/simulated-ecs/src/iam/request.rs"
            ));
        };
        let grant = |need: &Need| {
            let statements = roles_of_caller
                .iter()
                .flat_map(|(role, _)| role.statements.iter().map(move |statement| (role, statement)));
            let mut allowing =
                statements.filter_map(|(role, statement)| Some((role, statement, statement.allows(need)?)));
            let (role, statement, action) = allowing.next().ok_or_else(|| {
                let (partition, account) = (&names.partition, &names.account);
                let (role, session) = roles_of_caller[0];
                format!(
                    "User: arn:{partition}:sts::{account}:assumed-role/{}/{session} is not authorized to perform: {} on \
                     resource: {} because no identity-based policy allows the {} action",
                    role.name, need.action, need.resource, need.action
                )
            })?;
            Ok(Grant {
                narrow: stack.is_narrow,
                role: role.id.clone(),
                statement: statement.sid.clone(),
                action: action.to_owned(),
            })
        };
        needs.iter().map(grant).collect()
    }

    /// True if a caller has managed policies, and is no resource of a stack with a role.
    fn is_person(&self, caller: &str) -> bool {
        let stack_and_ids = caller.split_once('/');
        stack_and_ids.is_some_and(|(stack, ids)| {
            let stack = self.stacks.get(stack);
            stack.is_some_and(|stack| ids.split('+').all(|id| stack.is_for_people(id)))
        })
    }

    fn write(&self, grant: &Grant) {
        let Some(folder) = &self.record else { return };
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        if written.insert((folder.clone(), grant.clone())) {
            self.append("needed", &serde_json::to_string(grant).unwrap_or_default());
        }
    }

    /// Appends a line to this process's file of that kind.
    fn append(&self, kind: &str, line: &str) {
        let Some(folder) = &self.record else { return };
        let path = folder.join(format!("{kind}-{}", std::process::id()));
        let appended = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::OpenOptions::new().create(true).append(true).open(&path))
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(problem) = appended {
            let mut error = std::io::stderr().lock();
            let _ = writeln!(error, "{}: {problem}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Api, Seed, Settings, Simulation};
    use serde_json::json;

    const PASS: &str = "arn:aws:iam::123456789012:role/app-*";

    /// An account with a service `production/web` and a stack with one function, `Step`, that may do this.
    fn account(statements: &Value) -> Simulation {
        let mut simulation = Simulation::new(Settings::default(), 0);
        let template = json!({"Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
            "Step": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}},
            "Policy": {"Type": "AWS::IAM::Policy", "Properties": {
                "Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": statements},
            }},
        }});
        let physical = BTreeMap::from([("Role".to_owned(), "the-role".to_owned())]);
        simulation.deploy_stack("stack", &template, physical).unwrap();
        let cluster = "production".to_owned();
        simulation
            .seed(
                0,
                &Seed {
                    cluster,
                    ..Seed::default()
                },
            )
            .unwrap();
        simulation
    }

    fn answered(simulation: &mut Simulation, caller: Option<&str>, operation: &str, request: &Value) -> String {
        let reply = simulation.receive_from(0, caller, Api::Ecs, operation, request);
        reply
            .answer
            .unwrap()
            .map_or_else(|error| error.to_string(), |_| "ok".to_owned())
    }

    fn statement(action: &str, resource: &str) -> Value {
        json!({"Sid": action.replace(':', ""), "Effect": "Allow", "Action": action, "Resource": resource})
    }

    #[test]
    fn a_refusal_says_who_may_not_do_what_on_what_in_aws_s_words() {
        let services = "arn:aws:ecs:eu-west-1:123456789012:service/production/*";
        let moved = json!({"cluster": "production", "service": "web", "taskDefinition": "web:1"});
        let refused = |action: &str, resource: &str| {
            format!(
                "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/the-role/Step is not authorized to \
                 perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
            )
        };
        for (statements, expected) in [
            (
                json!([]),
                refused(
                    "ecs:UpdateService",
                    "arn:aws:ecs:eu-west-1:123456789012:service/production/web",
                ),
            ),
            (
                json!([statement("ecs:UpdateService", services)]),
                refused("iam:PassRole", "arn:aws:iam::123456789012:role/app-task"),
            ),
            (
                json!([
                    statement("ecs:UpdateService", services),
                    statement("iam:PassRole", "arn:aws:iam::123456789012:role/app-task")
                ]),
                refused("iam:PassRole", "arn:aws:iam::123456789012:role/app-execution"),
            ),
            (
                json!([
                    statement("ecs:UpdateService", services),
                    statement("iam:PassRole", PASS)
                ]),
                "ok".to_owned(),
            ),
        ] {
            let mut simulation = account(&statements);
            assert_eq!(
                answered(&mut simulation, Some("stack/Step"), "UpdateService", &moved),
                expected
            );
            let refusals: Vec<String> = expected
                .strip_prefix("AccessDeniedException: ")
                .map(str::to_owned)
                .into_iter()
                .collect();
            assert_eq!(simulation.iam().refused(), refusals);
        }
    }

    #[test]
    fn who_does_not_say_who_he_is_is_the_administrator_and_who_says_what_nobody_is_may_do_nothing() {
        let mut simulation = account(&json!([statement("ecs:ListClusters", "*")]));
        for (caller, expected) in [
            (None, "ok"),
            (Some("stack/Step"), "ok"),
            (
                Some("stack/Other"),
                "AccessDeniedException: stack/Other, who asks for ecs:ListClusters, has no role in any stack that was deployed",
            ),
            (
                Some("other/Step"),
                "AccessDeniedException: other/Step, who asks for ecs:ListClusters, has no role in any stack that was deployed",
            ),
        ] {
            assert_eq!(answered(&mut simulation, caller, "ListClusters", &json!({})), expected);
        }
    }

    #[test]
    fn an_operation_of_which_is_not_known_what_aws_checks_is_refused() {
        let mut simulation = account(&json!([statement("*", "*")]));
        let deleted = json!({"cluster": "production"});
        let refused = answered(&mut simulation, Some("stack/Step"), "DeleteCluster", &deleted);
        assert!(
            refused.contains("ecs:DeleteCluster, of which is not known what AWS checks"),
            "{refused}"
        );
    }

    #[test]
    fn a_policy_that_somebody_adds_allows_what_it_says_and_is_for_people() {
        let mut simulation = account(&json!([]));
        let document = json!({"Statement": [statement("ecs:ListClusters", "*")]});
        assert!(simulation.iam().add_policy("other", "Own", &document).is_err());
        simulation.iam().add_policy("stack", "Own", &document).unwrap();
        let own = Some("stack/Own");
        assert_eq!(answered(&mut simulation, own, "ListClusters", &json!({})), "ok");
        let described = json!({"cluster": "production", "services": ["web"]});
        let refused = answered(&mut simulation, own, "DescribeServices", &described);
        assert!(
            refused.contains("not authorized to perform: ecs:DescribeServices"),
            "{refused}"
        );
        assert_eq!(simulation.iam().refused(), Vec::<String>::new());
    }

    #[test]
    fn what_was_needed_is_written_down_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("iam-{}", std::process::id()));
        let mut simulation = account(&json!([
            {"Sid": "Read", "Effect": "Allow", "Action": ["ecs:ListClusters", "ecs:ListServices"], "Resource": "*"},
            statement("ecs:DescribeServices", "*"),
        ]));
        simulation.iam().record_in(folder.clone());
        for _ in 0..2 {
            answered(&mut simulation, Some("stack/Step"), "ListClusters", &json!({}));
        }
        answered(
            &mut simulation,
            None,
            "DescribeServices",
            &json!({"cluster": "production", "services": ["web"]}),
        );
        answered(
            &mut simulation,
            Some("stack/Step"),
            "ListTasks",
            &json!({"cluster": "production"}),
        );

        let written =
            |kind: &str| std::fs::read_to_string(folder.join(format!("{kind}-{}", std::process::id()))).unwrap();
        let (needed, refused) = (written("needed"), written("refused"));
        std::fs::remove_dir_all(&folder).unwrap();
        let needed: Vec<Grant> = needed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let grant = |statement: &str, action: &str| Grant {
            narrow: false,
            role: "Role".to_owned(),
            statement: statement.to_owned(),
            action: action.to_owned(),
        };
        assert_eq!(needed, [grant("Read", "ecs:ListClusters")]);
        assert!(
            refused.contains("ecs:ListTasks") && refused.lines().count() == 1,
            "{refused}"
        );
        let granted: Vec<Grant> = simulation.iam().grants().map(|(grant, _)| grant).collect();
        assert_eq!(
            granted,
            [
                grant("Read", "ecs:ListClusters"),
                grant("Read", "ecs:ListServices"),
                grant("ecsDescribeServices", "ecs:DescribeServices"),
            ]
        );
    }
}
