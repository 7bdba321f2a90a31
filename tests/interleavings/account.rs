//! An account of AWS inside of this process: the simulated ECS and ECR on a clock that only the test moves, and a wire to
//! it on which every call can be held up, cut, or be the last thing that an invocation did.

use super::machine::renamed;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ecr_deploy::aws::ecs::Ecs;
use jiff::Timestamp;
use local_aws::roles::{Roles, current_function};
use serde_json::{Map, Value, json};
use simulated_ecs::{Api, ApiError, Behaviour, Seed, Settings, Simulation, Weather};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The repository that pushes go to.
pub(crate) const REPOSITORY: &str = "app";

/// The cluster of the services.
pub(crate) const CLUSTER: &str = "production";

/// The registry of the account.
pub(crate) const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// How long a call takes, in milliseconds.
const CALL: i64 = 15;

/// A moment to begin with, in milliseconds since 1970.
const BEGINNING: i64 = 1_780_000_000_000;

/// An account on a clock of its own, as fast as AWS.
#[derive(Debug)]
pub(crate) struct Account {
    simulation: Mutex<Simulation>,
    roles: Arc<Roles>,
    /// In milliseconds since 1970; of no use where the clock is tokio's.
    clock: AtomicI64,
    /// The moment on tokio's clock at which this began.
    begun: Option<Instant>,
    pushes: AtomicI64,
    deploying: AtomicU32,
    pushing: AtomicU32,
    /// The input of each execution of deploy-image that has a name of the launcher's, as long as it runs.
    executions: Mutex<BTreeMap<String, Option<Value>>>,
    hold: Mutex<Option<String>>,
}

/// What comes of a start of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is started.
    Now,
    /// One of this name and this input runs already.
    Running,
    /// The name was used before.
    Taken,
}

impl Account {
    pub(crate) fn new() -> Arc<Self> {
        Self::with_roles(Roles::by_default().unwrap())
    }

    /// An account whose functions have these roles.
    pub(crate) fn with_roles(roles: Arc<Roles>) -> Arc<Self> {
        let settings = Settings {
            speed: 1.0,
            ..Settings::default()
        };
        Self::with_settings(settings, None, roles)
    }

    /// An account on tokio's clock, so that many can act at the same time, each for as long as it takes. In a test that
    /// clock stands still, and goes on when all wait for it.
    pub(crate) fn on_tokios_clock(settings: Settings) -> Arc<Self> {
        Self::with_settings(settings, Some(Instant::now()), Roles::by_default().unwrap())
    }

    fn with_settings(settings: Settings, begun: Option<Instant>, roles: Arc<Roles>) -> Arc<Self> {
        let mut simulation = Simulation::new(settings, BEGINNING);
        roles.rule(&mut simulation);
        Arc::new(Self {
            simulation: Mutex::new(simulation),
            roles,
            clock: AtomicI64::new(BEGINNING),
            begun,
            pushes: AtomicI64::new(0),
            deploying: AtomicU32::new(0),
            pushing: AtomicU32::new(0),
            executions: Mutex::default(),
            hold: Mutex::default(),
        })
    }

    /// The time, in milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        match self.begun {
            Some(begun) => BEGINNING + i64::try_from(begun.elapsed().as_millis()).unwrap(),
            None => self.clock.load(Ordering::Relaxed),
        }
    }

    /// Whether many act at the same time.
    pub(crate) fn is_on_tokios_clock(&self) -> bool {
        self.begun.is_some()
    }

    /// The executions of deploy-service that run: how many there are.
    pub(crate) fn deploying(&self) -> &AtomicU32 {
        &self.deploying
    }

    /// The text of the parameter that holds everything, if there is one.
    pub(crate) fn hold(&self) -> Option<String> {
        self.hold.lock().unwrap().clone()
    }

    /// Sets that parameter, or removes it.
    #[allow(dead_code, reason = "the tests of steps use it")]
    pub(crate) fn set_hold(&self, text: Option<&str>) {
        *self.hold.lock().unwrap() = text.map(str::to_owned);
    }

    /// The same of deploy-image.
    pub(crate) fn pushing(&self) -> &AtomicU32 {
        &self.pushing
    }

    /// Lets a call take its time.
    async fn take(&self, milliseconds: i64) {
        if self.is_on_tokios_clock() {
            local_aws::pause(Duration::from_millis(milliseconds.unsigned_abs())).await;
        } else {
            self.pass(milliseconds);
        }
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now()).unwrap()
    }

    pub(crate) fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Lets the time be this, unless it is later already.
    pub(crate) fn pass_until(&self, moment: i64) {
        self.clock.fetch_max(moment, Ordering::Relaxed);
    }

    /// Takes the name of an execution, unless it is taken.
    pub(crate) fn begin_execution(&self, name: &str, input: &Value) -> Begun {
        let mut executions = lock(&self.executions);
        match executions.get(name) {
            None => {
                executions.insert(name.to_owned(), Some(input.clone()));
                Begun::Now
            }
            Some(Some(running)) if running == input => Begun::Running,
            Some(_) => Begun::Taken,
        }
    }

    /// An execution is over. Its name stays taken.
    pub(crate) fn end_execution(&self, name: &str) {
        lock(&self.executions).insert(name.to_owned(), None);
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Simulation, i64) -> T) -> T {
        let now = self.now();
        let mut simulation = lock(&self.simulation);
        simulation.advance(now);
        act(&mut simulation, now)
    }

    /// A call of another client of ECS: a person, or a pipeline.
    pub(crate) fn ecs(&self, operation: &str, request: &Value) -> Value {
        self.with(|it, now| it.call(now, Api::Ecs, operation, request)).unwrap()
    }

    /// A call of another client of ECR.
    pub(crate) fn ecr(&self, operation: &str, request: &Value) -> Value {
        self.with(|it, now| it.call(now, Api::Ecr, operation, request)).unwrap()
    }

    /// Lets IAM judge what a state machine or a function does at a service that is not simulated; it must be allowed.
    pub(crate) fn may(&self, caller: &str, service: &str, operation: &str, target: &str) {
        let call = self.roles.call(caller, service, operation, target).unwrap();
        self.with(|it, _| it.judge(&call)).unwrap();
    }

    /// A call of a state machine's own integration with ECR; its role must allow it.
    pub(crate) fn ecr_of_machine(&self, machine: &str, operation: &str, arguments: &Value) -> Result<Value, ApiError> {
        let caller = self.roles.caller(machine).unwrap();
        let request = renamed(arguments, &char::to_ascii_lowercase);
        let reply = self.with(|it, now| it.receive_from(now, Some(&caller), Api::Ecr, operation, &request));
        let answer = reply.answer.unwrap()?;
        Ok(renamed(&answer, &char::to_ascii_uppercase))
    }

    /// Services that have been running for long.
    pub(crate) fn seed(&self, seed: Seed) {
        let seed = Seed {
            cluster: CLUSTER.to_owned(),
            ..seed
        };
        self.with(|it, now| it.seed(now, &seed)).unwrap();
    }

    /// A service `web` of two tasks, with these members of `CreateService`, on `web:1`, which runs `app:<tag>`.
    pub(crate) fn seed_web(&self, tag: &str, service: &Value) {
        self.push(tag);
        let service: Map<String, Value> = service.as_object().cloned().unwrap_or_default();
        let image = Some(format!("{REGISTRY}/{REPOSITORY}:{tag}"));
        self.seed(Seed {
            image,
            desired_count: 2,
            service,
            ..Seed::default()
        });
    }

    pub(crate) fn weather(&self, weather: &Value) {
        let weather: Weather = serde_json::from_value(weather.clone()).unwrap();
        self.with(|it, now| it.add_weather(now, weather)).unwrap();
    }

    /// Pushes an image, which behaves as its tag says. Returns the event that tells of it, in ECR's own form. Of two
    /// pushes in one second the later one has the higher id.
    pub(crate) fn push(&self, tag: &str) -> Value {
        self.push_as(tag, None)
    }

    /// The same with a behaviour that the tag does not say.
    pub(crate) fn push_as(&self, tag: &str, behaviour: Option<Behaviour>) -> Value {
        self.push_to(REPOSITORY, tag, behaviour)
    }

    /// The same to a repository of this name.
    pub(crate) fn push_to(&self, repository: &str, tag: &str, behaviour: Option<Behaviour>) -> Value {
        let number = self.pushes.fetch_add(1, Ordering::Relaxed) + 1;
        let digest = self.with(|it, now| it.push(now, repository, Some(tag), behaviour));
        let time = self.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        json!({
            "version": "0", "id": format!("{number:08}-328b-6117-af20-0e5566167482"), "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": time, "region": "eu-west-1", "resources": [],
            "detail": {
                "result": "SUCCESS", "repository-name": repository, "image-digest": digest, "action-type": "PUSH",
                "image-tag": tag, "manifest-media-type": "application/vnd.docker.distribution.manifest.v2+json",
                "artifact-media-type": "application/vnd.docker.container.image.v1+json",
            },
        })
    }

    /// Lets everything come to its end that has begun.
    pub(crate) fn settle(&self) {
        self.pass(90 * 60 * 1000);
        self.with(|_, _| ());
    }

    /// What there is, without ids and times: each service with its rollouts, each family with its revisions. They are
    /// numbered without duplicates: registered twice at the same moment, and never used.
    pub(crate) fn standing(&self) -> Value {
        let state = self.with(|it, _| it.state());
        let is_used = |name: &str| {
            let mut rollouts = list(&state["services"])
                .iter()
                .flat_map(|service| list(&service["history"]));
            rollouts.any(|rollout| short(&rollout["taskDefinition"]) == name)
        };
        let mut numbered: BTreeMap<String, String> = BTreeMap::new();
        let mut families = Map::new();
        for (family, revisions) in state["families"].as_object().into_iter().flatten() {
            let name = |revision: &Value| format!("{family}:{}", revision["revision"]);
            let is_duplicate = |place: usize| {
                let same = |lower: &Value| {
                    (&lower["images"], &lower["tags"])
                        == (&list(revisions)[place]["images"], &list(revisions)[place]["tags"])
                };
                let is_made = !list(&list(revisions)[place]["tags"]).is_empty();
                is_made && list(revisions)[..place].iter().any(same)
            };
            let mut seen = Vec::new();
            let counting = list(revisions).iter().enumerate();
            let counting = counting.filter(|(place, revision)| !is_duplicate(*place) || is_used(&name(revision)));
            for (place, (_, revision)) in counting.enumerate() {
                numbered.insert(name(revision), format!("{family}:{}", place + 1));
                let tags = list(&revision["tags"]).iter().map(|tag| {
                    let value = tag["value"].as_str().unwrap_or_default();
                    json!([tag["key"], numbered.get(value).map_or(value, String::as_str)])
                });
                let tags: Vec<Value> = tags.collect();
                seen.push(json!({"active": revision["active"], "images": revision["images"], "tags": tags}));
            }
            families.insert(family.clone(), seen.into());
        }
        let number = |revision: &Value| numbered.get(short(revision)).cloned().unwrap_or_default();
        let services = list(&state["services"]).iter().map(|service| {
            if service["status"] != "ACTIVE" {
                return json!({"service": service["serviceName"], "taskDefinition": number(&service["taskDefinition"])});
            }
            let history = list(&service["history"]).iter();
            let history = history.map(|entry| json!([number(&entry["taskDefinition"]), entry["status"]]));
            json!({
                "service": service["serviceName"],
                "taskDefinition": number(&service["taskDefinition"]),
                "rolloutState": service["rolloutState"],
                "askedCount": service["askedCount"],
                // While a crash loop goes on, that changes from second to second.
                "readyCount": Some(&service["readyCount"]).filter(|_| service["rolloutState"] == "COMPLETED"),
                "imageDigests": service["imageDigests"],
                "rollouts": history.collect::<Vec<_>>(),
            })
        });
        json!({"services": services.collect::<Vec<_>>(), "families": families})
    }

    /// The service `web` as it is.
    pub(crate) fn web(&self) -> Value {
        let state = self.with(|it, _| it.state());
        let found = list(&state["services"])
            .iter()
            .rfind(|service| service["serviceName"] == "web");
        found.cloned().unwrap()
    }
}

/// The elements of a list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The part of a revision's ARN that tells it: `web:2`.
pub(crate) fn short(task_definition: &Value) -> &str {
    let arn = task_definition.as_str().unwrap_or_default();
    arn.rsplit('/').next().unwrap_or(arn)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What befalls one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The invocation is killed before the call arrives.
    KilledBefore,
    /// The invocation is killed when the call has taken effect and before its answer arrives.
    KilledAfter,
    /// The call takes effect and its answer is lost: the SDK asks again.
    AnswerLost,
}

/// A call that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// The state that the caller was in.
    pub(crate) state: String,
    /// AWS's operation.
    pub(crate) operation: String,
}

/// Where a caller is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It goes on.
    Going,
    /// It is about to begin a step.
    AtStep,
    /// It is about to make a call.
    AtCall,
    /// It waits for a moment, in milliseconds since 1970.
    Until(i64),
}

/// How finely callers that act at the same time are interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grain {
    /// Not at all: nobody is held up.
    Alone,
    /// Step by step; what a step does is one thing.
    Steps,
    /// Call by call.
    Calls,
}

/// How a caller is held up.
#[derive(Debug)]
struct Held {
    stage: Stage,
    /// How much is held up: a step may make several calls at once.
    count: usize,
    /// Whether one may go on.
    permit: bool,
    wakers: Vec<Waker>,
}

/// One who calls: an execution with all its steps.
#[derive(Debug)]
pub(crate) struct Caller {
    account: Arc<Account>,
    grain: Grain,
    held: Mutex<Held>,
    mishap: Option<(usize, Mishap)>,
    killed: Notify,
    state: Mutex<String>,
    calls: Mutex<Vec<Call>>,
    invocations: Mutex<Vec<(String, i64)>>,
    histories: Mutex<BTreeMap<String, History>>,
}

/// How long an execution's history is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Steps that were executed.
    pub(crate) steps: u32,
    /// Events.
    pub(crate) events: u32,
}

impl Caller {
    /// A caller whose call number `mishap.0`, counted from 0, meets `mishap.1`.
    pub(crate) fn new(account: &Arc<Account>, grain: Grain, mishap: Option<(usize, Mishap)>) -> Arc<Self> {
        Arc::new(Self {
            account: account.clone(),
            grain,
            held: Mutex::new(Held {
                stage: Stage::Going,
                count: 0,
                permit: false,
                wakers: Vec::new(),
            }),
            mishap,
            killed: Notify::new(),
            state: Mutex::new(String::new()),
            calls: Mutex::new(Vec::new()),
            invocations: Mutex::new(Vec::new()),
            histories: Mutex::new(BTreeMap::new()),
        })
    }

    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    pub(crate) fn stage(&self) -> Stage {
        lock(&self.held).stage
    }

    /// Lets it go on to where it is held up next.
    pub(crate) fn permit(&self) {
        let mut held = lock(&self.held);
        held.permit = true;
        held.wakers.drain(..).for_each(Waker::wake);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// Each invocation of a function that has ended, by its state, and how many milliseconds it took.
    pub(crate) fn invocations(&self) -> Vec<(String, i64)> {
        lock(&self.invocations).clone()
    }

    pub(crate) fn note_invocation(&self, state: &str, milliseconds: i64) {
        lock(&self.invocations).push((state.to_owned(), milliseconds));
    }

    /// The history of each execution, by its id.
    pub(crate) fn histories(&self) -> BTreeMap<String, History> {
        lock(&self.histories).clone()
    }

    pub(crate) fn note_history(&self, execution: &str, steps: u32, events: u32) {
        let mut histories = lock(&self.histories);
        let history = histories.entry(execution.to_owned()).or_default();
        history.steps += steps;
        history.events += events;
    }

    /// Says which state the calls that follow are made in.
    pub(crate) async fn begin(&self, state: &str) {
        state.clone_into(&mut lock(&self.state));
        if self.grain == Grain::Steps {
            self.hold(Stage::AtStep).await;
        }
    }

    /// Waits until a moment, in milliseconds since 1970.
    pub(crate) async fn wait_until(&self, moment: i64) {
        if self.account.is_on_tokios_clock() {
            self.account.take((moment - self.account.now()).max(0)).await;
        } else if self.grain == Grain::Alone {
            self.account.pass_until(moment);
        } else {
            self.hold(Stage::Until(moment)).await;
        }
    }

    async fn hold(&self, stage: Stage) {
        {
            let mut held = lock(&self.held);
            held.stage = stage;
            held.count += 1;
        }
        poll_fn(|context| {
            let mut held = lock(&self.held);
            if std::mem::take(&mut held.permit) {
                held.count -= 1;
                if held.count == 0 {
                    held.stage = Stage::Going;
                }
                Poll::Ready(())
            } else {
                held.wakers.push(context.waker().clone());
                Poll::Pending
            }
        })
        .await;
    }

    /// Ready when the invocation that goes on is to be killed.
    pub(crate) async fn killed(&self) {
        self.killed.notified().await;
    }

    /// A client of ECS, as a function has it.
    pub(crate) fn ecs(self: &Arc<Self>) -> Ecs {
        Ecs::with_config(
            aws_sdk_ecs::config::Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .credentials_provider(Credentials::new("local", "local", None, None, "the tests"))
                .http_client(Wire(self.clone())),
        )
    }

    /// A client of ECR, as a function has it.
    pub(crate) fn ecr(self: &Arc<Self>) -> aws_sdk_ecr::Client {
        let config = aws_sdk_ecr::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "the tests"))
            .http_client(Wire(self.clone()));
        aws_sdk_ecr::Client::from_conf(config.build())
    }

    async fn call(&self, api: Api, operation: &str, request: &Value) -> Result<HttpResponse, ConnectorError> {
        if self.grain == Grain::Calls {
            self.hold(Stage::AtCall).await;
        }
        let number = {
            let mut calls = lock(&self.calls);
            calls.push(Call {
                state: lock(&self.state).clone(),
                operation: operation.to_owned(),
            });
            calls.len() - 1
        };
        let mishap = self.mishap.filter(|(at, _)| *at == number).map(|(_, mishap)| mishap);
        if mishap == Some(Mishap::KilledBefore) {
            self.killed.notify_one();
            pending::<()>().await;
        }
        self.account.take(CALL).await;
        let function = current_function().unwrap();
        let function = self.account.roles.caller(&function).unwrap();
        let reply = self
            .account
            .with(|it, now| it.receive_from(now, Some(&function), api, operation, request));
        if mishap == Some(Mishap::KilledAfter) {
            self.killed.notify_one();
            pending::<()>().await;
        }
        match reply.answer.filter(|_| mishap != Some(Mishap::AnswerLost)) {
            None => Err(ConnectorError::io("the connection ended without an answer".into())),
            Some(Ok(answer)) => Ok(response(200, &answer)),
            Some(Err(error)) => Ok(response(error.status, &error.body())),
        }
    }
}

fn response(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()))
}

/// What the SDK sends its requests over.
#[derive(Debug, Clone)]
struct Wire(Arc<Caller>);

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let caller = self.0.clone();
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        HttpConnectorFuture::new(async move {
            let (service, operation) = target.split_once('.').unwrap();
            let api = if service.contains("Registry") {
                Api::Ecr
            } else {
                Api::Ecs
            };
            caller.call(api, operation, &body).await
        })
    }
}
