//! The weather: what goes wrong on the way, and who else deploys. All its times are real milliseconds, whatever the speed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::buckets::Buckets;
use crate::error::ApiError;
use crate::names::{Milliseconds, chance, last_segment};
use crate::operations;
use crate::service_deployments;
use crate::settings::Settings;
use crate::shapes::MODELS;

/// Faults and second deployers, as given at the start or to `POST /_simulation/faults`.
///
/// ```json
/// {
///   "faults": [{"fault": "cutAfter", "operation": "UpdateService", "subject": "web", "times": 1},
///              {"fault": "serverError", "chance": 0.05}],
///   "schedule": [{"after": {"operation": "UpdateService", "milliseconds": 300},
///                 "operation": "UpdateService", "request": {"taskDefinition": "web:1"}}]
/// }
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Weather {
    /// Looked through in order for each call; the first that ends the call wins, slowness and staleness add up.
    pub faults: Vec<Fault>,
    /// A deed of somebody else, and its time.
    pub schedule: Vec<Scheduled>,
}

/// The fault that a call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// `ThrottlingException`, not applied.
    Throttle,
    /// `ServerException` with status 500, not applied.
    ServerError,
    /// `AccessDeniedException`, not applied.
    Deny,
    /// Lists answer as if there were nothing, not applied: for `ListServiceDeployments`, `DescribeServiceDeployments` and
    /// `DescribeServiceRevisions`, which answer so where the API is not offered.
    Empty,
    /// `ClientException`: "Too many concurrent attempts to create a new revision of the specified family", not applied.
    TooManyConcurrent,
    /// The connection ends without an answer; not applied.
    CutBefore,
    /// The connection ends without an answer; applied.
    CutAfter,
    /// Applied at once, answered `milliseconds` later.
    Slow,
    /// For `milliseconds` afterwards, reads show what was before: after `UpdateService` and `StopServiceDeployment` the
    /// service; after `RegisterTaskDefinition` lists, and what the family's name stands for, without the new revision.
    Stale,
    /// The same for what second deployers do.
    StaleDeed,
}

/// A fault: which calls, and what befalls them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The fault that the call meets.
    pub fault: Kind,
    /// Calls of this operation only.
    #[serde(default)]
    pub operation: Option<String>,
    /// Calls whose request contains this text only.
    #[serde(default)]
    pub subject: Option<String>,
    /// How likely it is, for each such call: 0 to 1.
    #[serde(default = "always")]
    pub chance: f64,
    /// How many such calls are let through first.
    #[serde(default)]
    pub skip: u64,
    /// How often at most; without it, always.
    #[serde(default)]
    pub times: Option<u64>,
    /// Not before this long after the weather began.
    #[serde(default)]
    pub from_milliseconds: Milliseconds,
    /// Not from this long after the weather began.
    #[serde(default)]
    pub until_milliseconds: Option<Milliseconds>,
    /// How long, for `slow`, `stale` and `staleDeed`.
    #[serde(default = "two_seconds")]
    pub milliseconds: Milliseconds,
}

fn always() -> f64 {
    1.0
}

fn two_seconds() -> Milliseconds {
    2_000
}

/// A call by a second deployer: a person, Terraform, a deletion half-way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scheduled {
    /// So long after the weather began, once. Exclusive with `after`.
    #[serde(default)]
    pub at_milliseconds: Option<Milliseconds>,
    /// After a client's call that succeeded.
    #[serde(default)]
    pub after: Option<Trigger>,
    /// The operation: one of ECS's, or `_RemoveService`, `_RemoveCluster` for what is gone at once, or
    /// `_BreakHost` for the host of a service's newest task that runs, which fails.
    pub operation: String,
    /// Its request, as AWS's model has it (for what is gone at once, that of the deletion). After a trigger, `cluster` and
    /// `service` are those of the triggering call unless they are given.
    #[serde(default)]
    pub request: Value,
}

/// The calls of clients that a second deployer acts after.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trigger {
    /// Calls of this operation.
    pub operation: String,
    /// Calls whose request contains this text only.
    #[serde(default)]
    pub subject: Option<String>,
    /// How likely it is: 0 to 1.
    #[serde(default = "always")]
    pub chance: f64,
    /// How many such calls are passed over first.
    #[serde(default)]
    pub skip: u64,
    /// How often at most: once, unless said.
    #[serde(default = "once")]
    pub times: u64,
    /// How long after the call.
    #[serde(default)]
    pub milliseconds: Milliseconds,
}

fn once() -> u64 {
    1
}

/// The writes that reads can be behind.
const STALE: [&str; 3] = ["RegisterTaskDefinition", "UpdateService", "StopServiceDeployment"];

/// The part of a call that a second deployer takes for his own.
const OF_THE_CALL: [&str; 2] = ["cluster", "service"];

impl Scheduled {
    /// The operation of AWS's model that takes the same request.
    fn modelled(&self) -> String {
        match self.operation.as_str() {
            "_BreakHost" => "DeleteService".to_owned(),
            operation => operation.replace("_Remove", "Delete"),
        }
    }

    /// The request after a call: completed by what the operation takes of it.
    fn request_after(&self, call: &Value) -> Value {
        let mut request = object(&self.request);
        for member in OF_THE_CALL {
            let given = call.get(member).filter(|_| MODELS.ecs.takes(&self.modelled(), member));
            if let Some((value, members)) = given.zip(request.as_object_mut()) {
                members.entry(member).or_insert_with(|| value.clone());
            }
        }
        request
    }
}

impl Weather {
    /// Checks what types cannot: operations that exist and that the fault can befall, chances from 0 to 1; for each entry of the
    /// schedule one time, and a request that fits AWS's model.
    ///
    /// # Errors
    /// A sentence that names the entry.
    pub fn check(&self) -> Result<(), String> {
        let known = |operation: &str| {
            if operations::is_known(operation) {
                Ok(())
            } else {
                Err(format!("{operation} is not simulated"))
            }
        };
        let likely = |chance: f64| {
            if (0.0..=1.0).contains(&chance) {
                Ok(())
            } else {
                Err(format!("chance {chance} is not from 0 to 1"))
            }
        };
        for fault in &self.faults {
            likely(fault.chance)?;
            fault.operation.as_deref().map_or(Ok(()), known)?;
            let operation = fault.operation.as_deref().unwrap_or("every operation");
            let befalls = match fault.fault {
                Kind::Empty => service_deployments::nothing(operation).is_some(),
                Kind::Stale | Kind::StaleDeed => STALE.contains(&operation),
                _ => true,
            };
            if !befalls {
                return Err(format!("{} does not befall {operation}", json!(fault.fault)));
            }
        }
        for entry in &self.schedule {
            known(&entry.operation)?;
            if entry.at_milliseconds.is_some() == entry.after.is_some() {
                return Err(format!(
                    "schedule of {}: give either atMilliseconds or after",
                    entry.operation
                ));
            }
            let mut call = Map::new();
            if let Some(trigger) = &entry.after {
                known(&trigger.operation)?;
                likely(trigger.chance)?;
                let given = OF_THE_CALL
                    .iter()
                    .filter(|member| MODELS.ecs.takes(&trigger.operation, member));
                call.extend(given.map(|member| ((*member).to_owned(), "given".into())));
            }
            MODELS
                .ecs
                .check(&entry.modelled(), &entry.request_after(&call.into()))
                .map_err(|error| format!("schedule of {}: {error}", entry.operation))?;
        }
        Ok(())
    }
}

/// The weather that a call meets.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) refusal: Option<ApiError>,
    pub(crate) empty: bool,
    pub(crate) cut: Option<Kind>,
    pub(crate) slow: Milliseconds,
    pub(crate) stale: Milliseconds,
}

/// A call of a second deployer that is due at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    pub(crate) operation: String,
    pub(crate) request: Value,
}

/// The number of calls that met a fault or a trigger.
#[derive(Debug, Clone, Copy)]
struct Strikes {
    /// When it became part of the weather.
    began_at: Milliseconds,
    /// How many calls it has seen.
    seen: u64,
    /// How often it struck.
    struck: u64,
}

/// The weather as it goes: what has struck how often, and what is planned.
#[derive(Debug)]
pub(crate) struct Sky {
    seed: u64,
    caller: String,
    pub(crate) weather: Weather,
    pub(crate) buckets: Buckets,
    /// How often each fault of the weather was met.
    faults: Vec<Strikes>,
    /// How often each entry of its schedule that waits for a call was met.
    triggers: Vec<Strikes>,
    /// How many calls there were of an operation on a subject: what chance depends on.
    seen: BTreeMap<(String, String), u64>,
    planned: BTreeMap<(Milliseconds, u64), Action>,
    plan_count: u64,
    /// The deeds of second deployers.
    pub(crate) done: Vec<Value>,
    /// How long reads stay behind the write that is being carried out.
    pub(crate) stale: Milliseconds,
    /// Which calls are held up: of an operation, whose request contains a text; and whether they are refused.
    held: Vec<(String, String, bool)>,
}

impl Sky {
    pub(crate) fn new(settings: &Settings, now: Milliseconds) -> Self {
        let mut sky = Self {
            seed: settings.seed,
            caller: settings.names().caller(),
            weather: Weather::default(),
            buckets: Buckets::default(),
            faults: Vec::new(),
            triggers: Vec::new(),
            seen: BTreeMap::new(),
            planned: BTreeMap::new(),
            plan_count: 0,
            done: Vec::new(),
            stale: 0,
            held: Vec::new(),
        };
        sky.change(settings.weather.clone(), now);
        sky
    }

    /// Another weather from now on. The plans of the one before it are forgotten.
    pub(crate) fn change(&mut self, weather: Weather, now: Milliseconds) {
        self.faults.clear();
        self.triggers.clear();
        self.planned.clear();
        self.weather = Weather::default();
        self.add(weather, now);
    }

    /// More weather, which begins now; what there is goes on.
    pub(crate) fn add(&mut self, weather: Weather, now: Milliseconds) {
        let none = Strikes {
            began_at: now,
            seen: 0,
            struck: 0,
        };
        self.faults.extend(vec![none; weather.faults.len()]);
        self.triggers.extend(vec![none; weather.schedule.len()]);
        for entry in &weather.schedule {
            if let Some(at) = entry.at_milliseconds {
                self.plan_count += 1;
                let action = Action {
                    operation: entry.operation.clone(),
                    request: object(&entry.request),
                };
                self.planned.insert((now + at, self.plan_count), action);
            }
        }
        self.weather.faults.extend(weather.faults);
        self.weather.schedule.extend(weather.schedule);
    }

    /// See [`crate::Simulation::hold`] and [`crate::Simulation::refuse`].
    pub(crate) fn hold(&mut self, operation: &str, subject: &str, refuse: bool) {
        self.held.push((operation.to_owned(), subject.to_owned(), refuse));
    }

    /// See [`crate::Simulation::release`].
    pub(crate) fn release(&mut self, subject: &str) {
        self.held.retain(|(_, held, _)| held != subject);
    }

    /// True if the answer to a call is held back now, or (`refused`) the call is refused.
    pub(crate) fn is_held(&self, operation: &str, request: &Value, refused: bool) -> bool {
        let mut held = self
            .held
            .iter()
            .filter(|(held, _, refuse)| held == operation && *refuse == refused);
        held.any(|(_, subject, _)| contains(request, Some(subject)))
    }

    /// The weather that a call meets: a client's, or (`is_deed`) one of a second deployer.
    pub(crate) fn meet(&mut self, now: Milliseconds, is_deed: bool, operation: &str, request: &Value) -> Met {
        let mut met = Met::default();
        if self.weather.faults.is_empty() && self.weather.schedule.is_empty() {
            return met;
        }
        let subject = subject(request);
        let counted = format!("{}{operation}", if is_deed { "deed " } else { "" });
        let number = self.seen.entry((counted, subject.clone())).or_default();
        *number += 1;
        let number = number.to_string();
        for (place, (fault, strikes)) in self.weather.faults.iter().zip(&mut self.faults).enumerate() {
            let age = now - strikes.began_at;
            let concerns = is_deed == (fault.fault == Kind::StaleDeed)
                && fault.operation.as_deref().is_none_or(|wanted| wanted == operation)
                && contains(request, fault.subject.as_deref())
                && age >= fault.from_milliseconds
                && fault.until_milliseconds.is_none_or(|until| age < until);
            if !concerns {
                continue;
            }
            strikes.seen += 1;
            let parts = ["fault", &place.to_string(), operation, &subject, &number];
            let strikes_now = strikes.seen > fault.skip
                && fault.times.is_none_or(|times| strikes.struck < times)
                && chance(self.seed, &parts) < fault.chance;
            if !strikes_now {
                continue;
            }
            strikes.struck += 1;
            match fault.fault {
                Kind::Slow => met.slow = met.slow.max(fault.milliseconds),
                Kind::Stale | Kind::StaleDeed => met.stale = met.stale.max(fault.milliseconds),
                Kind::Empty => {
                    met.empty = true;
                    break;
                }
                Kind::CutBefore | Kind::CutAfter => {
                    met.cut = Some(fault.fault);
                    break;
                }
                kind => {
                    met.refusal = Some(refusal(kind, &self.caller, operation));
                    break;
                }
            }
        }
        met
    }

    /// Notes a client's call that succeeded: somebody may act after it.
    pub(crate) fn note_done(&mut self, now: Milliseconds, operation: &str, request: &Value) {
        for (place, (entry, strikes)) in self.weather.schedule.iter().zip(&mut self.triggers).enumerate() {
            let Some(trigger) = entry.after.as_ref().filter(|trigger| trigger.operation == operation) else {
                continue;
            };
            if !contains(request, trigger.subject.as_deref()) {
                continue;
            }
            strikes.seen += 1;
            let subject = subject(request);
            let number = self
                .seen
                .get(&(operation.to_owned(), subject.clone()))
                .copied()
                .unwrap_or(strikes.seen)
                .to_string();
            let parts = ["trigger", &place.to_string(), operation, &subject, &number];
            let is_early = strikes.seen <= trigger.skip;
            if is_early || strikes.struck >= trigger.times || chance(self.seed, &parts) >= trigger.chance {
                continue;
            }
            strikes.struck += 1;
            self.plan_count += 1;
            let action = Action {
                operation: entry.operation.clone(),
                request: entry.request_after(request),
            };
            self.planned
                .insert((now + trigger.milliseconds.max(1), self.plan_count), action);
        }
    }

    /// When somebody else acts next.
    pub(crate) fn next_scheduled(&self) -> Option<Milliseconds> {
        self.planned.keys().next().map(|(at, _)| *at)
    }

    /// Takes what is due at this moment off the plan.
    pub(crate) fn take_scheduled(&mut self, at: Milliseconds) -> Option<Action> {
        let entry = self.planned.first_entry().filter(|entry| entry.key().0 <= at)?;
        Some(entry.remove())
    }

    /// Notes what became of it.
    pub(crate) fn note_scheduled(&mut self, at: Milliseconds, action: &Action, error: Option<ApiError>) {
        let error = error.map(|error| error.to_string());
        self.done
            .push(json!({"at": at, "operation": action.operation, "request": action.request, "error": error}));
    }
}

fn object(request: &Value) -> Value {
    if request.is_null() { json!({}) } else { request.clone() }
}

fn contains(request: &Value, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| request.to_string().contains(wanted))
}

fn refusal(kind: Kind, caller: &str, operation: &str) -> ApiError {
    match kind {
        Kind::Throttle => ApiError::throttled(),
        Kind::Deny => ApiError::new(
            "AccessDeniedException",
            format!(
                "User: {caller} is not authorized to perform: ecs:{operation} because no identity-based policy allows the ecs:{operation} action"
            ),
        ),
        Kind::TooManyConcurrent => {
            ApiError::client("Too many concurrent attempts to create a new revision of the specified family.")
        }
        _ => ApiError::server(),
    }
}

/// The subject of a request, for chance and for the log of calls: the service, family, task definition, image … it
/// names.
pub(crate) fn subject(request: &Value) -> String {
    const MEMBERS: [&str; 15] = [
        "service",
        "serviceName",
        "services",
        "family",
        "taskDefinition",
        "serviceDeploymentArn",
        "serviceDeploymentArns",
        "serviceRevisionArns",
        "tasks",
        "task",
        "familyPrefix",
        "resourceArn",
        "repositoryName",
        "clusterName",
        "cluster",
    ];
    let named = |value: &Value| {
        value
            .as_str()
            .or_else(|| value.get(0)?.as_str())
            .map(|name| last_segment(name).to_owned())
    };
    MEMBERS
        .iter()
        .find_map(|member| request.get(*member).and_then(named))
        .unwrap_or_default()
}
