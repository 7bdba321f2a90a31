//! The roles of the stack's functions, read off its synthesized template: also where no stack is deployed, for functions
//! that run inside of a test.

use crate::process::{read, run};
use crate::{Error, tools};
use serde_json::{Value, json};
use simulated_ecs::iam::{Call, Grant, Iam};
use simulated_ecs::{Settings, Simulation};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// The name of the stack, where nobody has deployed it.
const STACK: &str = "ecr-deploy";

tokio::task_local! {
    /// The function that runs in this task.
    static FUNCTION: String;
}

/// Runs a function of the stack inside of this process, so that its calls can tell whose they are. It goes by its
/// placeholder in the definitions of the state machines: `updateService`.
pub async fn as_function<T>(placeholder: &str, invocation: impl Future<Output = T>) -> T {
    FUNCTION.scope(placeholder.to_owned(), invocation).await
}

/// The function that runs in this task, if one does.
#[must_use]
pub fn current_function() -> Option<String> {
    FUNCTION.try_with(Clone::clone).ok()
}

/// The folder in which every test process writes down what its calls needed of the policies.
#[must_use]
pub fn record() -> PathBuf {
    tools::workspace().join("target/iam")
}

/// The roles of a stack that is not deployed, for the account that [`simulated_ecs::Settings`] has by default. Everything in
/// the stack goes by its logical id.
#[derive(Debug, Clone)]
pub struct Roles {
    iam: Iam,
    /// The logical id of each function and of each state machine: by the placeholder of the one, by the name of the file of
    /// the other.
    ids: BTreeMap<String, String>,
}

impl Roles {
    /// Those of the stack with the settings that narrow nothing. Its calls are recorded, see [`record`].
    ///
    /// # Errors
    ///
    /// Those of [`template`].
    pub fn by_default() -> Result<Arc<Self>, Error> {
        static ROLES: OnceLock<Arc<Roles>> = OnceLock::new();
        let props = json!({
            "passRoles": [format!("arn:aws:iam::{}:role/app-*", crate::ACCOUNT)],
            "tagLatest": true,
            "notificationTopic": true,
            "parameters": true,
        });
        Self::once(&ROLES, &props)
    }

    /// Those of the stack with every setting that narrows a statement: the cluster `production`, the repository `app`, the two
    /// roles that seeded services have. Its calls are recorded too.
    ///
    /// # Errors
    ///
    /// Those of [`template`].
    pub fn narrow() -> Result<Arc<Self>, Error> {
        static ROLES: OnceLock<Arc<Roles>> = OnceLock::new();
        Self::once(&ROLES, &narrow_props())
    }

    fn once(roles: &OnceLock<Arc<Self>>, props: &Value) -> Result<Arc<Self>, Error> {
        if let Some(roles) = roles.get() {
            return Ok(roles.clone());
        }
        let mut read = Self::of(&template(props)?)?;
        read.iam.record_in(record());
        Ok(roles.get_or_init(|| Arc::new(read)).clone())
    }

    /// Those of a template. Calls by them are not recorded.
    ///
    /// # Errors
    ///
    /// When something in the template is not understood.
    pub fn of(template: &Value) -> Result<Self, Error> {
        let mut simulation = Simulation::new(Settings::default(), 0);
        simulation
            .deploy_stack(STACK, template, BTreeMap::new())
            .map_err(Error::Call)?;
        let mut ids = BTreeMap::new();
        for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
            let placeholders = &resource["Properties"]["DefinitionSubstitutions"];
            let Some(placeholders) = placeholders.as_object() else {
                continue;
            };
            let machine = if placeholders.contains_key("findMissedPushes") {
                "sweep"
            } else if placeholders.contains_key("topic") && !placeholders.contains_key("hold") {
                "tell-end"
            } else if placeholders.contains_key("deployImage") {
                "push"
            } else if placeholders.contains_key("findTaskDefinitions") {
                "deploy-image"
            } else {
                "deploy-service"
            };
            ids.insert(machine.to_owned(), id.clone());
            let functions = placeholders.iter().filter_map(|(placeholder, value)| {
                // The definition names a version of the function.
                let version = &template["Resources"][value["Ref"].as_str()?];
                let function = version["Properties"]["FunctionName"]["Ref"].as_str()?;
                Some((placeholder.clone(), function.to_owned()))
            });
            ids.extend(functions);
            let topic = placeholders.get("topic").and_then(|topic| topic["Ref"].as_str());
            ids.extend(topic.map(|id| ("topic".to_owned(), id.to_owned())));
        }
        Ok(Self {
            iam: std::mem::take(simulation.iam()),
            ids,
        })
    }

    /// Each action of each statement, with what the statement applies to.
    #[must_use]
    pub fn grants(&self) -> Vec<(Grant, String)> {
        self.iam.grants().collect()
    }

    /// Lets these roles be those of an account.
    pub fn rule(&self, simulation: &mut Simulation) {
        *simulation.iam() = self.iam.clone();
    }

    /// Who a function or a state machine is to IAM; None if the stack has none that is called so.
    #[must_use]
    pub fn caller(&self, name: &str) -> Option<String> {
        self.ids.get(name).map(|id| format!("{STACK}/{id}"))
    }

    /// A call that a state machine or a function makes to a service that is not simulated: `target` is the function or the
    /// state machine that is called, by the name that [`Roles::caller`] takes; the parameter that is read; the topic; or the event bus.
    #[must_use]
    pub fn call(&self, caller: &str, service: &str, operation: &str, target: &str) -> Option<Call> {
        let call = |request: Value| {
            Some(Call {
                caller: self.caller(caller)?,
                service: service.to_owned(),
                operation: operation.to_owned(),
                request,
                roles: Vec::new(),
                tags: BTreeMap::new(),
            })
        };
        let (member, kind, service_of_arn) = match service {
            "ssm" if operation == "PutParameter" => return call(json!({"name": target})),
            "ssm" => return call(json!({"names": [target]})),
            "sns" => {
                let (region, account, name) = (Settings::default().region, crate::ACCOUNT, self.ids.get(target)?);
                return call(json!({"topicArn": format!("arn:aws:sns:{region}:{account}:{name}")}));
            }
            "events" => return call(json!({"entries": [{"Source": "ecr-deploy", "EventBusName": target}]})),
            "lambda" => ("functionName", "function", "lambda"),
            _ => ("stateMachineArn", "stateMachine", "states"),
        };
        let (region, account) = (Settings::default().region, crate::ACCOUNT);
        // A definition names a version of each function, and of the state machine that it runs and waits for.
        let version = if service == "lambda" || (target == "deploy-service" && operation.starts_with("StartExecution"))
        {
            ":1"
        } else {
            ""
        };
        let arn = format!(
            "arn:aws:{service_of_arn}:{region}:{account}:{kind}:{}{version}",
            self.ids.get(target)?
        );
        call(json!({member: arn, "name": "execution"}))
    }
}

/// The CloudFormation template of the CDK app with these props. It is synthesized once for each state of the sources.
///
/// # Errors
///
/// When the CDK cannot be installed, or the app cannot be compiled or synthesized.
pub fn template(props: &Value) -> Result<Value, Error> {
    let root = tools::workspace();
    let folder = root.join("target/templates");
    let path = folder.join(format!("{:016x}.json", fingerprint(root, props)?));
    let parse = |text: String| serde_json::from_str(&text).map_err(Error::call);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return parse(text);
    }
    tools::node_modules()?;
    // The deployment of a stack compiles the app too.
    let _building = tools::lock("deploy")?;
    if let Ok(text) = std::fs::read_to_string(&path) {
        return parse(text);
    }
    let cdk = root.join("cdk");
    run(Command::new("npm").args(["run", "--silent", "build"]).current_dir(&cdk))?;
    let text = read(
        Command::new("node")
            .args(["dist/test/template.js", &props.to_string()])
            .current_dir(&cdk),
    )?;
    let problem = || Error::file(format!("writing {}", path.display()));
    std::fs::create_dir_all(&folder).map_err(problem())?;
    std::fs::write(&path, &text).map_err(problem())?;
    parse(text)
}

/// The props of [`Roles::narrow`].
#[must_use]
pub fn narrow_props() -> Value {
    let role = |name: &str| format!("arn:aws:iam::{}:role/{name}", crate::ACCOUNT);
    json!({
        "passRoles": [role("app-task"), role("app-execution")],
        "clusters": ["production"],
        "repositories": ["app"],
        "tagLatest": true,
        "notificationTopic": true,
        "parameters": true,
    })
}

/// A number that differs where anything does that the template is made from.
fn fingerprint(root: &Path, props: &Value) -> Result<u64, Error> {
    let mut hasher = DefaultHasher::new();
    props.to_string().hash(&mut hasher);
    for folder in ["cdk/app", "cdk/lib", "cdk/test", "statemachine"] {
        let folder = root.join(folder);
        let problem = || Error::file(format!("reading {}", folder.display()));
        let entries = std::fs::read_dir(&folder).map_err(problem())?;
        let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = paths.map_err(problem())?;
        paths.sort();
        for path in paths.iter().filter(|path| path.is_file()) {
            path.hash(&mut hasher);
            let problem = Error::file(format!("reading {}", path.display()));
            std::fs::read(path).map_err(problem)?.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}
