//! An account of AWS inside of this process: the simulated ECS and ECR on a clock that only the test moves.

use crate::machine::renamed;
use ecr_deploy::quota::executions::{Begun as Listed, BegunStatus, Listing};
use jiff::Timestamp;
use local_aws::roles::Roles;
use serde_json::{Map, Value, json};
use simulated_ecs::{Api, ApiError, Behaviour, Seed, Settings, Simulation, Weather};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The repository that pushes go to.
pub const REPOSITORY: &str = "app";

/// The cluster of the services.
pub const CLUSTER: &str = "production";

/// The registry of the account.
pub const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A moment to begin with, in milliseconds since 1970.
const BEGINNING: i64 = 1_780_000_000_000;

/// An account on a clock of its own, as fast as AWS.
#[derive(Debug)]
pub struct Account {
    simulation: Mutex<Simulation>,
    pub(crate) roles: Arc<Roles>,
    /// In milliseconds since 1970; of no use where the clock is tokio's.
    clock: AtomicI64,
    /// The moment on tokio's clock at which this began.
    begun: Option<Instant>,
    pushes: AtomicI64,
    deploying: AtomicU32,
    pushing: AtomicU32,
    /// The input of each execution of deploy-image that has a name of the launcher's, as long as it runs.
    executions: Mutex<BTreeMap<String, Option<Value>>>,
    /// The executions of deploy-image that the launcher has begun, the first one first.
    begun_pushes: Mutex<Vec<Listed>>,
    hold: Mutex<Option<String>>,
    parameters: Mutex<BTreeMap<String, String>>,
}

/// The result of a start of an execution.
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
    /// An account whose functions have the roles of the stack with its default settings.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_roles(Roles::by_default().unwrap())
    }

    /// An account whose functions have these roles.
    #[must_use]
    pub fn with_roles(roles: Arc<Roles>) -> Arc<Self> {
        let settings = Settings {
            speed: 1.0,
            ..Settings::default()
        };
        Self::with_settings(settings, None, roles)
    }

    /// An account on tokio's clock, so that many can act at the same time, each for as long as it takes. In a test that
    /// clock stands still, and goes on when all wait for it.
    #[must_use]
    pub fn on_tokios_clock(settings: Settings) -> Arc<Self> {
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
            begun_pushes: Mutex::default(),
            hold: Mutex::default(),
            parameters: Mutex::default(),
        })
    }

    /// The time, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        match self.begun {
            Some(begun) => BEGINNING + i64::try_from(begun.elapsed().as_millis()).unwrap(),
            None => self.clock.load(Ordering::Relaxed),
        }
    }

    /// True if many act at the same time.
    pub(crate) fn is_on_tokios_clock(&self) -> bool {
        self.begun.is_some()
    }

    /// The executions of deploy-service that run: how many there are.
    pub(crate) fn deploying(&self) -> &AtomicU32 {
        &self.deploying
    }

    /// The value of a parameter that tells the image of a service.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.lock().unwrap().get(name).cloned()
    }

    /// Writes such a parameter.
    pub fn put_parameter(&self, name: &str, value: &str) {
        self.parameters
            .lock()
            .unwrap()
            .insert(name.to_owned(), value.to_owned());
    }

    /// The text of the parameter that holds everything, if there is one.
    pub(crate) fn hold(&self) -> Option<String> {
        self.hold.lock().unwrap().clone()
    }

    /// Sets that parameter, or removes it.
    pub fn set_hold(&self, text: Option<&str>) {
        *self.hold.lock().unwrap() = text.map(str::to_owned);
    }

    /// The executions of deploy-image that run: how many there are.
    pub(crate) fn pushing(&self) -> &AtomicU32 {
        &self.pushing
    }

    /// Lets a call take its time.
    pub(crate) async fn take(&self, milliseconds: i64) {
        if self.is_on_tokios_clock() {
            local_aws::pause(Duration::from_millis(milliseconds.unsigned_abs())).await;
        } else {
            self.pass(milliseconds);
        }
    }

    /// The time.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now()).unwrap()
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Lets the time be this, unless it is later already.
    pub fn pass_until(&self, moment: i64) {
        self.clock.fetch_max(moment, Ordering::Relaxed);
    }

    /// Takes the name of an execution, unless it is taken.
    pub(crate) fn begin_execution(&self, name: &str, input: &Value) -> Begun {
        let mut executions = lock(&self.executions);
        match executions.get(name) {
            None => {
                executions.insert(name.to_owned(), Some(input.clone()));
                lock(&self.begun_pushes).push(Listed {
                    name: name.to_owned(),
                    at: self.timestamp(),
                    status: BegunStatus::Running,
                });
                Begun::Now
            }
            Some(Some(running)) if running == input => Begun::Running,
            Some(_) => Begun::Taken,
        }
    }

    /// An execution is over. Its name stays taken.
    pub(crate) fn end_execution(&self, name: &str, status: BegunStatus) {
        lock(&self.executions).insert(name.to_owned(), None);
        let mut begun = lock(&self.begun_pushes);
        if let Some(it) = begun.iter_mut().find(|it| it.name == name) {
            it.status = status;
        }
    }

    /// The executions of deploy-image that the launcher has begun since a time, the newest one first.
    pub(crate) fn begun_since(&self, since: Timestamp) -> Listing {
        let begun = lock(&self.begun_pushes);
        let begun = begun.iter().rev().filter(|it| it.at >= since).cloned();
        Listing {
            since,
            begun: begun.collect(),
        }
    }

    /// Reads or changes the simulation as it is now, in milliseconds since 1970.
    pub fn with<T>(&self, act: impl FnOnce(&mut Simulation, i64) -> T) -> T {
        let now = self.now();
        let mut simulation = lock(&self.simulation);
        simulation.advance(now);
        act(&mut simulation, now)
    }

    /// A call of another client of ECS: a person, or a pipeline.
    pub fn ecs(&self, operation: &str, request: &Value) -> Value {
        self.with(|it, now| it.call(now, Api::Ecs, operation, request)).unwrap()
    }

    /// A call of another client of ECR.
    pub fn ecr(&self, operation: &str, request: &Value) -> Value {
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
    pub fn seed(&self, seed: Seed) {
        let seed = Seed {
            cluster: CLUSTER.to_owned(),
            ..seed
        };
        self.with(|it, now| it.seed(now, &seed)).unwrap();
    }

    /// A service `web` of two tasks, with these members of `CreateService`, on `web:1`, which runs `app:<tag>`.
    pub fn seed_web(&self, tag: &str, service: &Value) {
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

    /// Adds weather: faults, outages, and others that deploy.
    pub fn weather(&self, weather: &Value) {
        let weather: Weather = serde_json::from_value(weather.clone()).unwrap();
        self.with(|it, now| it.add_weather(now, weather)).unwrap();
    }

    /// Pushes an image, which behaves as its tag says. Returns the event that tells of it, in ECR's own form. Of two
    /// pushes in one second the later one has the higher id.
    pub fn push(&self, tag: &str) -> Value {
        self.push_as(tag, None)
    }

    /// The same with a behaviour that the tag does not say.
    pub fn push_as(&self, tag: &str, behaviour: Option<Behaviour>) -> Value {
        self.push_to(REPOSITORY, tag, behaviour)
    }

    /// The same to a repository of this name.
    pub fn push_to(&self, repository: &str, tag: &str, behaviour: Option<Behaviour>) -> Value {
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
    pub fn settle(&self) {
        self.pass(90 * 60 * 1000);
        self.with(|_, _| ());
    }

    /// The state of the account, without ids and times: each service with its rollouts, each family with its revisions.
    /// They are numbered without duplicates: registered twice at the same moment, and never used.
    pub fn standing(&self) -> Value {
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
    pub fn web(&self) -> Value {
        let state = self.with(|it, _| it.state());
        let found = list(&state["services"])
            .iter()
            .rfind(|service| service["serviceName"] == "web");
        found.cloned().unwrap()
    }
}

/// The elements of a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The part of a revision's ARN that tells it: `web:2`.
#[must_use]
pub fn short(task_definition: &Value) -> &str {
    let arn = task_definition.as_str().unwrap_or_default();
    arn.rsplit('/').next().unwrap_or(arn)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
