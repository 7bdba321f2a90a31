//! The state machines, walked inside of this process: their own definitions and JSONata, with the functions called
//! directly. Only what they are made of is known here: Task, Map, Choice, Wait, Pass and Succeed, and of the services that
//! a Task can call only Lambda, ECR, SSM for parameters, EventBridge, SNS, and another state machine's execution.
//!
//! See <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html>.

use crate::account::{Begun, list};
use crate::caller::Caller;
use crate::functions::{Functions, Sandboxes};
use crate::scope::Scope;
use ecr_deploy::contract::{PushStateChange, ServiceStateChange};
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::quota::executions::BegunStatus;
use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// How many groups are worked on at once, and how many of each: the default of the setting.
const AT_ONCE: (u32, u32) = (10, 40);

/// The parameter that holds everything, by the name of the stack that the roles are of.
pub const HOLD: &str = "/ecr-deploy/ecr-deploy/hold";

/// A state machine.
#[derive(Debug)]
struct Machine(Value);

static PUSH: LazyLock<Machine> = LazyLock::new(|| Machine::read("push", AT_ONCE));
static DEPLOY_IMAGE: LazyLock<Machine> = LazyLock::new(|| Machine::read("deploy-image", AT_ONCE));
static SWEEP: LazyLock<Machine> = LazyLock::new(|| Machine::read("sweep", AT_ONCE));
static DEPLOY_SERVICE: LazyLock<Machine> = LazyLock::new(|| Machine::read("deploy-service", AT_ONCE));

impl Machine {
    fn read(name: &str, (groups, at_once): (u32, u32)) -> Self {
        let text = asl::read(name).unwrap().to_string();
        let text = text.replace("${groups}", &groups.to_string());
        let text = text.replace("${atOnce}", &at_once.to_string());
        let deploy_image = "arn:aws:states:eu-west-1:123456789012:stateMachine:deploy-image";
        let text = text.replace("${deployImage}", deploy_image);
        let push = "arn:aws:states:eu-west-1:123456789012:stateMachine:push";
        let text = text.replace("${push}", push);
        let text = text.replace("${hold}", HOLD);
        let text = text.replace("${topic}", "topic");
        let text = text.replace("${version}", ecr_deploy::domain::VERSION);
        Self(serde_json::from_str(&text).unwrap())
    }
}

/// An error that ends a state, by the name that the state machine matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thrown {
    /// The name of the error.
    pub error: String,
    /// The cause, for most errors a JSON document.
    pub cause: String,
}

impl Thrown {
    fn by_function(error: &Error) -> Self {
        Self {
            error: error.name().to_owned(),
            cause: json!({"errorType": error.name(), "errorMessage": error.to_string()}).to_string(),
        }
    }

    /// The error of a function that was killed:
    /// <https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html>.
    fn by_killing() -> Self {
        Self {
            error: "Sandbox.Timedout".to_owned(),
            cause: json!({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 60.00 seconds"})
                .to_string(),
        }
    }
}

/// The error of an execution that came to the state that it was to stop at. Its cause is what the state's function would
/// have been called with.
pub const STOPPED: &str = "Stopped";

/// Tells, by the name of a state, the error with which Lambda refuses to invoke its function; `None`: it does not refuse.
type Refusing<'a> = Box<dyn Fn(&str) -> Option<Thrown> + 'a>;

/// The name of the execution of deploy-image that the output of the launcher names.
#[must_use]
pub fn execution_of(launched: &Value) -> &str {
    let arn = launched["execution"].as_str().unwrap_or_default();
    arn.split(':').nth(7).unwrap_or_default()
}

/// The execution of one push, with the executions of its services.
pub struct Execution<'a> {
    /// Makes its calls.
    pub caller: Arc<Caller>,
    /// Invoked by its Tasks.
    pub functions: Functions,
    /// The state before which it stops.
    pub stop_at: Option<&'static str>,
    /// Called with the name of each state that is entered, in the order of time.
    pub entering: Box<dyn Fn(&str) + 'a>,
    /// The error that Lambda returns instead of invoking the function of a state, if any.
    pub refusing: Refusing<'a>,
    /// How each service's execution ended, in the order of time.
    pub services: std::cell::RefCell<Vec<(String, Result<Value, Thrown>)>>,
    /// The names of the executions of deploy-image that the launcher has begun, and that are not walked yet.
    pub begun: std::cell::RefCell<BTreeSet<String>>,
    /// The events that a sweep has given to the launcher, and that are not walked yet.
    pub swept: std::cell::RefCell<Vec<Value>>,
}

impl Execution<'_> {
    /// An execution that nobody stops or watches.
    pub fn new(caller: Arc<Caller>, config: Config) -> Self {
        Self {
            functions: Functions::new(&caller, config),
            caller,
            stop_at: None,
            entering: Box::new(|_| ()),
            refusing: Box::new(|_| None),
            services: std::cell::RefCell::default(),
            begun: std::cell::RefCell::default(),
            swept: std::cell::RefCell::default(),
        }
    }

    /// An execution that is listed with those of other pushes, whose functions run in the same sandboxes.
    pub fn among(sandboxes: &Arc<Sandboxes>, caller: Arc<Caller>, config: Config) -> Self {
        let mut execution = Self::new(caller, config);
        execution.functions.list = Some(sandboxes.clone());
        execution
    }
}

impl Execution<'_> {
    /// Walks the launcher's execution for an event that EventBridge delivers, and then the execution of deploy-image that it
    /// starts. Where it starts none, since the event came before, this is the launcher's own end.
    ///
    /// # Errors
    ///
    /// The error with which the execution ends.
    pub async fn deploy(&self, event: &Value) -> Result<Value, Thrown> {
        let launched = self.launch(event).await?;
        let name = execution_of(&launched);
        if !self.begun.borrow_mut().remove(name) {
            return Ok(launched);
        }
        let ended = self.deploy_by_hand(name, event).await;
        let status = match ended {
            Ok(_) => BegunStatus::Succeeded,
            Err(_) => BegunStatus::Failed,
        };
        self.caller.account().end_execution(name, status);
        ended
    }

    /// Walks the launcher's execution alone, and returns its output.
    ///
    /// # Errors
    ///
    /// The error with which the execution ends.
    pub async fn launch(&self, event: &Value) -> Result<Value, Thrown> {
        self.start(&PUSH, "push:event", event).await
    }

    /// Walks a sweep, and returns its output. The pushes that it starts are left in [`Execution::swept`], for whoever walks them.
    ///
    /// # Errors
    ///
    /// The error with which the execution ends.
    pub async fn sweep(&self, input: &Value) -> Result<Value, Thrown> {
        self.start(&SWEEP, "sweep:sweep", input).await
    }

    /// Walks an execution of deploy-image to its end that a person has started.
    ///
    /// # Errors
    ///
    /// The error with which the execution ends.
    pub async fn deploy_by_hand(&self, name: &str, event: &Value) -> Result<Value, Thrown> {
        let name = format!("deploy-image:{name}");
        let execution = self.start(&DEPLOY_IMAGE, &name, event);
        self.functions.listed(&name, execution).await
    }

    /// The same with another number of groups that are worked on at once, and of those of a group.
    ///
    /// # Errors
    ///
    /// The error with which the execution ends.
    pub async fn deploy_in(&self, groups: u32, at_once: u32, event: &Value) -> Result<Value, Thrown> {
        let machine = Machine::read("deploy-image", (groups, at_once));
        self.start(&machine, "deploy-image:push", event).await
    }

    fn start<'s>(
        &'s self,
        machine: &'s Machine,
        name: &'s str,
        input: &'s Value,
    ) -> LocalBoxFuture<'s, Result<Value, Thrown>> {
        async move {
            let id = format!("arn:aws:states:eu-west-1:123456789012:execution:{name}");
            let mut scope = Scope {
                caller: self.caller.clone(),
                variables: Map::new(),
                context: json!({"Execution": {"Id": id, "Input": input, "Name": name.rsplit(':').next()}}),
            };
            // It is started, and ends.
            self.note(&scope, 0, 2);
            self.functions.log(input);
            let output = self.walk(&machine.0, &mut scope, input.clone()).await?;
            self.functions.log(&output);
            Ok(output)
        }
        .boxed_local()
    }

    /// Counts steps and events of an execution's history.
    fn note(&self, scope: &Scope, steps: u32, events: u32) {
        let execution = scope.context["Execution"]["Id"].as_str().unwrap_or_default();
        self.caller.note_history(execution, steps, events);
    }

    fn walk<'s>(
        &'s self,
        states: &'s Value,
        scope: &'s mut Scope,
        mut input: Value,
    ) -> LocalBoxFuture<'s, Result<Value, Thrown>> {
        async move {
            let mut name = states["StartAt"].as_str().unwrap_or_default();
            loop {
                let state = &states["States"][name];
                (self.entering)(name);
                let entered = self.caller.account().timestamp();
                scope.context["State"] = json!({"Name": name, "EnteredTime": entered.to_string()});
                self.note(scope, 1, events_of(state));
                self.functions.log(&input);
                let (output, next) = self.step(name, state, scope, input).await?;
                self.functions.log(&output);
                match next {
                    Some(next) => (name, input) = (next, output),
                    None => return Ok(output),
                }
            }
        }
        .boxed_local()
    }

    async fn step<'s>(
        &self,
        name: &str,
        state: &'s Value,
        scope: &mut Scope,
        input: Value,
    ) -> Result<(Value, Option<&'s str>), Thrown> {
        let given = json!({"input": input});
        let done = match state["Type"].as_str().unwrap_or_default() {
            "Pass" => Ok(input.clone()),
            "Succeed" => return Ok((scope.output(state, &given, input), None)),
            "Wait" => {
                let until = if let Some(timestamp) = state.get("Timestamp") {
                    let until: Timestamp = serde_json::from_value(scope.evaluate(timestamp, &given)).unwrap();
                    until.as_millisecond()
                } else {
                    let seconds = scope.evaluate(&state["Seconds"], &given).as_i64().unwrap();
                    self.caller.account().now() + seconds * 1000
                };
                self.caller.wait_until(until).await;
                Ok(input.clone())
            }
            "Choice" => {
                let chosen = list(&state["Choices"])
                    .iter()
                    .find(|choice| scope.evaluate(&choice["Condition"], &given) == true);
                let next = chosen.map_or(&state["Default"], |choice| &choice["Next"]);
                return Ok((input, next.as_str()));
            }
            "Map" => self.map(state, scope, &given).await,
            "Task" => self.task(name, state, scope, &given).await,
            other => panic!("{name} is a {other}"),
        };
        match done {
            Ok(result) => {
                let is_plain = matches!(state["Type"].as_str(), Some("Pass" | "Wait"));
                let states = json!({"input": input, "result": result});
                let output = scope.output(state, &states, if is_plain { input } else { result });
                self.assign(scope, state, &states);
                Ok((output, state["Next"].as_str()))
            }
            Err(thrown) => {
                let is_caught = |catcher: &&Value| matches(catcher, &thrown);
                let Some(catcher) = list(&state["Catch"]).iter().find(is_caught) else {
                    return Err(thrown);
                };
                let error = json!({"Error": thrown.error, "Cause": thrown.cause});
                let states = json!({"input": input, "errorOutput": error});
                let output = scope.output(catcher, &states, error);
                self.assign(scope, catcher, &states);
                Ok((output, catcher["Next"].as_str()))
            }
        }
    }

    fn assign(&self, scope: &mut Scope, rule: &Value, states: &Value) {
        scope.assign(rule, states);
        let names = rule["Assign"].as_object().into_iter().flat_map(Map::keys);
        names.for_each(|name| self.functions.log(&scope.variables[name]));
    }

    async fn map(&self, state: &Value, scope: &Scope, given: &Value) -> Result<Value, Thrown> {
        let items = scope.evaluate(&state["Items"], given);
        // Each iteration is started, and ends.
        self.note(scope, 0, 2 * u32::try_from(list(&items).len()).unwrap());
        let walked = stream::iter(list(&items).iter().enumerate()).map(async |(index, item)| {
            let mut inside = scope.clone();
            let input = match state.get("ItemSelector") {
                None => item.clone(),
                Some(selector) => {
                    let mut selecting = scope.clone();
                    selecting.context["Map"] = json!({"Item": {"Index": index, "Value": item}});
                    selecting.evaluate(selector, given)
                }
            };
            self.walk(&state["ItemProcessor"], &mut inside, input).await
        });
        // Elsewhere one after the other, so that what happens is the same each time.
        let at_once = if self.caller.account().is_on_tokios_clock() {
            scope.evaluate(&state["MaxConcurrency"], given).as_u64().unwrap()
        } else {
            1
        };
        let at_once = usize::try_from(at_once).unwrap();
        let results: Vec<Value> = walked.buffered(at_once).try_collect().await?;
        Ok(results.into())
    }

    /// A Task with its retries.
    async fn task(&self, name: &str, state: &Value, scope: &Scope, given: &Value) -> Result<Value, Thrown> {
        let mut attempts = vec![0_u32; list(&state["Retry"]).len()];
        loop {
            let arguments = scope.evaluate(&state["Arguments"], given);
            self.functions.log(&arguments);
            let thrown = match self.attempt(name, state, scope, &arguments).await {
                Ok(result) => {
                    self.functions.log(&result);
                    return Ok(result);
                }
                Err(thrown) => thrown,
            };
            let retrier = list(&state["Retry"])
                .iter()
                .position(|retrier| matches(retrier, &thrown));
            let Some(place) = retrier else { return Err(thrown) };
            let retrier = &list(&state["Retry"])[place];
            if u64::from(attempts[place]) >= retrier["MaxAttempts"].as_u64().unwrap() {
                return Err(thrown);
            }
            let longest = retrier["MaxDelaySeconds"].as_i64().unwrap();
            // It has reached the longest by then.
            let doublings = attempts[place].min(20);
            let seconds = (retrier["IntervalSeconds"].as_i64().unwrap() << doublings).min(longest);
            attempts[place] += 1;
            // A retry is a step too; the attempt before was scheduled, started, and failed.
            self.note(scope, 1, 3);
            let now = self.caller.account().now();
            // Where many retry at the same time it matters that they do so with jitter: FULL.
            let milliseconds = if self.caller.account().is_on_tokios_clock() {
                fastrand::i64(0..=seconds * 1000)
            } else {
                seconds * 1000
            };
            self.caller.wait_until(now + milliseconds).await;
        }
    }

    async fn attempt(&self, name: &str, state: &Value, scope: &Scope, arguments: &Value) -> Result<Value, Thrown> {
        let account = self.caller.account();
        let machine = machine_of(scope.context["Execution"]["Id"].as_str().unwrap_or_default());
        let resource = state["Resource"].as_str().unwrap_or_default();
        if resource.ends_with(":startExecution.sync:2") {
            account.may(machine, "states", "StartExecution.sync", "deploy-service");
            if let Some(refused) = (self.refusing)(name) {
                return Err(refused);
            }
            let input = &arguments["Input"];
            let child = format!("deploy-service:{}", arguments["Name"].as_str().unwrap());
            let execution = self.start(&DEPLOY_SERVICE, &child, input);
            let ended = self.functions.listed(&child, execution).await;
            let service = input["service"].as_str().unwrap_or_default().to_owned();
            self.services.borrow_mut().push((service, ended.clone()));
            return match ended {
                Ok(output) => Ok(json!({"Output": output})),
                Err(stopped) if stopped.error == STOPPED => Err(stopped),
                Err(Thrown { error, cause }) => Err(Thrown {
                    error: "States.TaskFailed".to_owned(),
                    cause: json!({"Status": "FAILED", "Error": error, "Cause": cause}).to_string(),
                }),
            };
        }
        if machine == "sweep" && resource.ends_with(":states:startExecution") {
            account.may(machine, "states", "StartExecution", "push");
            self.swept.borrow_mut().push(arguments["Input"].clone());
            let arn = "arn:aws:states:eu-west-1:123456789012:execution:push:event";
            return Ok(json!({"ExecutionArn": arn, "StartDate": account.timestamp()}));
        }
        if resource.ends_with(":states:startExecution") {
            account.may(machine, "states", "StartExecution", "deploy-image");
            return self.begin(arguments);
        }
        if let Some((_, operation)) = resource.split_once(":aws-sdk:ecr:") {
            return account
                .ecr_of_machine(machine, &with_initials(operation, char::to_ascii_uppercase), arguments)
                .map_err(|error| Thrown {
                    error: format!("Ecr.{}", error.code),
                    cause: error.message,
                });
        }
        if resource.ends_with(":aws-sdk:ssm:putParameter")
            || arguments["Names"].as_array().is_some_and(|names| names[0] != HOLD)
        {
            return self.parameter(name, machine, arguments);
        }
        if resource.ends_with(":aws-sdk:ssm:getParameters") {
            assert_eq!(arguments, &json!({"Names": [HOLD]}));
            account.may(machine, "ssm", "GetParameters", HOLD);
            if let Some(refused) = (self.refusing)(name) {
                return Err(refused);
            }
            return Ok(match account.hold() {
                Some(text) => json!({"Parameters": [{"Name": HOLD, "Value": text}], "InvalidParameters": []}),
                None => json!({"Parameters": [], "InvalidParameters": [HOLD]}),
            });
        }
        if resource.ends_with(":sns:publish") {
            return self.publish(name, machine, arguments);
        }
        if resource.ends_with(":events:putEvents") {
            return self.put_events(name, machine, arguments);
        }
        assert!(resource.ends_with(":lambda:invoke"), "{name} is a Task of {resource}");
        let function = arguments["FunctionName"].as_str().unwrap_or_default();
        account.may(
            machine,
            "lambda",
            "InvokeFunction",
            function.trim_matches(['$', '{', '}']),
        );
        if self.stop_at == Some(name) {
            return Err(Thrown {
                error: STOPPED.to_owned(),
                cause: arguments.to_string(),
            });
        }
        if let Some(refused) = (self.refusing)(name) {
            return Err(refused);
        }
        self.caller.begin(name).await;
        let begun = self.caller.account().now();
        // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
        let answer = self
            .functions
            .invoke(arguments, self.caller.account().timestamp())
            .boxed_local();
        let answer = tokio::select! {
            biased;
            answer = answer => match answer {
                Ok(payload) => Ok(json!({"Payload": payload})),
                Err(error) => Err(Thrown::by_function(&error)),
            },
            () = self.caller.killed() => Err(Thrown::by_killing()),
        };
        self.caller.note_invocation(name, self.caller.account().now() - begun);
        answer
    }
}

impl Execution<'_> {
    /// Puts events on the bus: each is what the contract says, and kept for the test.
    fn put_events(&self, name: &str, machine: &str, arguments: &Value) -> Result<Value, Thrown> {
        let entries = list(&arguments["Entries"]);
        assert!((1..=10).contains(&entries.len()), "{name}: {arguments}");
        for entry in entries {
            assert_eq!(entry["Source"], "ecr-deploy");
            let detail = entry["Detail"].clone();
            match entry["DetailType"].as_str() {
                Some("Service State Change") => {
                    serde_json::from_value::<ServiceStateChange>(detail)
                        .unwrap_or_else(|error| panic!("{name}: {error}: {entry}"));
                }
                Some("Push State Change") => {
                    serde_json::from_value::<PushStateChange>(detail)
                        .unwrap_or_else(|error| panic!("{name}: {error}: {entry}"));
                }
                other => panic!("{name}: {other:?} is no event of ours"),
            }
        }
        self.caller.account().may(machine, "events", "PutEvents", "default");
        if let Some(refused) = (self.refusing)(name) {
            return Err(refused);
        }
        Ok(json!({"FailedEntryCount": 0, "Entries": []}))
    }

    /// Reads the parameters that tell the images of services, or writes one.
    fn parameter(&self, name: &str, machine: &str, arguments: &Value) -> Result<Value, Thrown> {
        let account = self.caller.account();
        let names = list(&arguments["Names"]).iter().filter_map(Value::as_str);
        names.for_each(|name| account.may(machine, "ssm", "GetParameters", name));
        let written = arguments["Name"].as_str();
        if let Some(name) = written {
            account.may(machine, "ssm", "PutParameter", name);
        }
        if let Some(refused) = (self.refusing)(name) {
            return Err(refused);
        }
        let Some(written) = written else {
            let read = |name: &Value| {
                let value = account.parameter(name.as_str().unwrap())?;
                Some(json!({"Name": name, "Value": value}))
            };
            let found: Vec<Value> = list(&arguments["Names"]).iter().filter_map(read).collect();
            return Ok(json!({"Parameters": found, "InvalidParameters": []}));
        };
        assert_eq!(
            (&arguments["Type"], &arguments["Overwrite"]),
            (&json!("String"), &json!(true))
        );
        account.put_parameter(
            written,
            arguments["Value"].as_str().filter(|it| !it.is_empty()).unwrap(),
        );
        Ok(json!({"Version": 1, "Tier": "Standard"}))
    }

    /// Sends a message: to mail in words, to all else as a card of Amazon Q Developer in chat applications.
    fn publish(&self, name: &str, machine: &str, arguments: &Value) -> Result<Value, Thrown> {
        assert_eq!(arguments["MessageStructure"], "json");
        let subject = arguments["Subject"].as_str().unwrap();
        let is_subject =
            (1..=100).contains(&subject.len()) && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        assert!(is_subject, "{name}: {subject}");
        let by_protocol: Value = serde_json::from_str(arguments["Message"].as_str().unwrap()).unwrap();
        let [card, words] = ["default", "email"].map(|protocol| by_protocol[protocol].as_str().unwrap());
        let card: Value = serde_json::from_str(card).unwrap();
        assert_eq!((&card["version"], &card["source"]), (&json!("1.0"), &json!("custom")));
        let text = card["content"]["description"].as_str().unwrap();
        assert!(!text.is_empty() && words.starts_with(text), "{name}: {by_protocol}");
        self.caller.account().may(machine, "sns", "Publish", "topic");
        if let Some(refused) = (self.refusing)(name) {
            return Err(refused);
        }
        Ok(json!({"MessageId": "00000000-0000-0000-0000-000000000000"}))
    }

    /// The answer of Step Functions to a start of deploy-image by its own integration. One with the name and the input
    /// of an execution that runs starts nothing, and is answered with that one; any other with a name that was used is
    /// refused.
    ///
    /// See <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>.
    fn begin(&self, arguments: &Value) -> Result<Value, Thrown> {
        let name = arguments["Name"].as_str().unwrap();
        let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        assert!(name.len() <= 80 && name.chars().all(is_allowed), "{name}");
        let arn = format!("arn:aws:states:eu-west-1:123456789012:execution:deploy-image:{name}");
        match self.caller.account().begin_execution(name, &arguments["Input"]) {
            Begun::Now => {
                self.begun.borrow_mut().insert(name.to_owned());
            }
            Begun::Running => (),
            Begun::Taken => {
                return Err(Thrown {
                    error: "StepFunctions.ExecutionAlreadyExistsException".to_owned(),
                    cause: format!("Execution Already Exists: '{arn}'"),
                });
            }
        }
        Ok(json!({"ExecutionArn": arn, "StartDate": self.caller.account().timestamp()}))
    }
}

/// A name with another initial.
fn with_initials(name: &str, change: impl Fn(&char) -> char) -> String {
    let mut letters = name.chars();
    let initial = letters.next().map(|letter| change(&letter));
    initial.into_iter().chain(letters).collect()
}

/// A document with other initials of the names in it: the integrations of Step Functions write `ImageIds` where the API has
/// `imageIds`.
pub(crate) fn renamed(value: &Value, change: &impl Fn(&char) -> char) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| renamed(item, change)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (with_initials(name, change), renamed(member, change)))
            .collect(),
        other => other.clone(),
    }
}

/// The name of the state machine that an execution is one of.
pub(crate) fn machine_of(execution: &str) -> &str {
    execution.split(':').nth(6).unwrap_or_default()
}

/// How many events a state writes into the history of its execution when it goes well: it is entered and exited; a Task is
/// scheduled, started and succeeds besides, and the child's execution is submitted; a Map is started and succeeds.
///
/// See <https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html>.
fn events_of(state: &Value) -> u32 {
    let resource = state["Resource"].as_str().unwrap_or_default();
    match state["Type"].as_str() {
        Some("Task") if resource.ends_with(".sync:2") => 6,
        Some("Task") => 5,
        Some("Map") => 4,
        _ => 2,
    }
}

fn matches(rule: &Value, thrown: &Thrown) -> bool {
    let mut names = list(&rule["ErrorEquals"]).iter();
    thrown.error != STOPPED && names.any(|name| name == "States.ALL" || *name == thrown.error)
}
