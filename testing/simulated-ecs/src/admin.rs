//! The administration of a simulation over HTTP: everything under `/_simulation/`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::hooks::Hook;
use crate::names::Milliseconds;
use crate::seed::Seed;
use crate::service::Service;
use crate::simulation::Simulation;
use crate::task_definitions::TaskDefinition;
use crate::weather::Weather;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Push {
    repository: String,
    tag: Option<String>,
    behaviour: Option<Behaviour>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Alarm {
    name: String,
    in_alarm: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Speed {
    speed: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeployedStack {
    name: String,
    template: Value,
    /// The name or ARN of each resource, by logical id.
    physical: BTreeMap<String, String>,
}

/// The answer; or an HTTP status and the body that says what is wrong.
type Answer<T> = Result<T, (u16, Value)>;

fn parse<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| (400, json!({"error": error.to_string()})))
}

fn revision_state(revision: &TaskDefinition) -> Value {
    let images: Vec<&Value> = revision.containers().map(|container| &container["image"]).collect();
    json!({
        "revision": revision.revision,
        "active": revision.active,
        "images": images,
        "tags": revision.tags,
        "registeredAt": revision.registered_at,
        "deregisteredAt": revision.deregistered_at,
        "document": revision.document,
    })
}

impl Simulation {
    /// Answers a request to `/_simulation/<path>`: the HTTP status and the body.
    pub fn administer(
        &mut self,
        now: Milliseconds,
        method: &str,
        path: &str,
        query: &str,
        body: &[u8],
    ) -> (u16, Value) {
        self.advance(now);
        self.answer(now, method, path, query, body)
            .map_or_else(|error| error, |body| (200, body))
    }

    fn answer(&mut self, now: Milliseconds, method: &str, path: &str, query: &str, body: &[u8]) -> Answer<Value> {
        let refused = |message: String| (400, json!({"error": message}));
        match (method, path) {
            ("GET", "calls") => {
                let mut report = json!({"operations": self.calls.report(), "buckets": self.sky.buckets.report()});
                if query == "log=true" {
                    report["log"] = self.calls.log().into();
                }
                return Ok(report);
            }
            ("POST", "stacks") => {
                let DeployedStack {
                    name,
                    template,
                    physical,
                } = parse(body)?;
                self.deploy_stack(&name, &template, physical).map_err(refused)?;
            }
            ("POST", "judge") => {
                let refusal = self.judge(&parse(body)?).err().map(|error| error.message);
                return Ok(json!({"refusal": refusal}));
            }
            ("DELETE", "calls") => self.reset_calls(),
            ("GET", "state") => return Ok(self.state()),
            ("GET", "faults") => return Ok(json!(self.sky.weather)),
            ("POST", "faults") => self.set_weather(now, parse(body)?).map_err(refused)?,
            ("POST", "services") => {
                let seed: Seed = parse(body)?;
                let made = self
                    .seed(now, &seed)
                    .map_err(|error| (400, json!({"error": error.to_string()})))?;
                return Ok(json!({"services": made.services, "taskDefinitions": made.task_definitions}));
            }
            ("POST", "images") => {
                let Push {
                    repository,
                    tag,
                    behaviour,
                } = parse(body)?;
                return Ok(json!({"imageDigest": self.push(now, &repository, tag.as_deref(), behaviour)}));
            }
            ("POST", "alarms") => {
                let Alarm { name, in_alarm } = parse(body)?;
                self.set_alarm(now, &name, in_alarm);
            }
            ("POST", "speed") => {
                let Speed { speed } = parse(body)?;
                if !speed.is_finite() || speed <= 0.0 {
                    return Err(refused(format!("speed {speed} is not above 0")));
                }
                self.set_speed(speed);
            }
            _ => return Err((404, json!({"error": format!("no {method} /_simulation/{path}")}))),
        }
        Ok(json!({}))
    }

    /// Another weather from now on.
    ///
    /// # Errors
    /// Says what is wrong with it; then the weather stays as it is.
    pub fn set_weather(&mut self, now: Milliseconds, weather: Weather) -> Result<(), String> {
        weather.check()?;
        self.advance(now);
        self.sky.change(weather, now);
        Ok(())
    }

    /// More weather from now on: what there is goes on, so that tests side by side can have each their own.
    ///
    /// # Errors
    /// Says what is wrong with it; then nothing is added.
    pub fn add_weather(&mut self, now: Milliseconds, weather: Weather) -> Result<(), String> {
        weather.check()?;
        self.advance(now);
        self.sky.add(weather, now);
        Ok(())
    }

    /// Everything, as it is, without paging, staleness or limits: what a test compares with.
    ///
    /// Services by ARN (with what was asked for, history and the digests that run), families by name with each revision and
    /// its document, what second deployers did.
    #[must_use]
    pub fn state(&self) -> Value {
        let services = self
            .services
            .iter()
            .map(|service| self.service_state(service))
            .collect::<Vec<_>>();
        let families = self.families.keys();
        let families = families.map(|family| (family.clone(), self.state_of_family(family).into()));
        json!({
            "services": services,
            "families": Value::Object(families.collect()),
            "secondDeployers": self.sky.done,
        })
    }

    /// The part of [`Simulation::state`] about the newest service with this ARN.
    #[must_use]
    pub fn state_of_service(&self, arn: &str) -> Option<Value> {
        let found = self.services.iter().rfind(|service| service.arn == arn);
        found.map(|service| self.service_state(service))
    }

    /// The part of [`Simulation::state`] about a family: its revisions, the first one first.
    #[must_use]
    pub fn state_of_family(&self, family: &str) -> Vec<Value> {
        let revisions = self.families.get(family).into_iter().flatten();
        revisions.map(revision_state).collect()
    }

    /// Each call since the start or the last reset, where the settings ask for a log: as `GET /_simulation/calls?log=true`
    /// shows it.
    #[must_use]
    pub fn call_log(&self) -> &[Value] {
        self.calls.log()
    }

    fn service_state(&self, service: &Service) -> Value {
        let live = || service.tasks.iter().filter(|task| task.is_live());
        let mut digests: Vec<&str> = live()
            .flat_map(|task| &task.containers)
            .filter_map(|container| container.digest.as_deref())
            .collect();
        digests.sort_unstable();
        digests.dedup();
        let history = service.history.iter().map(|entry| {
            let (target, status) = (&service.revisions[entry.target], entry.status);
            let images = target.containers.iter();
            let images = images.map(|container| json!({"image": container.image, "digest": container.digest}));
            json!({
                "serviceDeploymentArn": self.service_deployment_arn(service, entry),
                "taskDefinition": target.task_definition,
                "status": status,
                "statusReason": entry.status_reason,
                "createdAt": entry.created_at,
                "finishedAt": entry.finished_at,
                "lifecycleHooks": entry.hooks.iter().map(Hook::describe).collect::<Vec<_>>(),
                "images": images.collect::<Vec<_>>(),
            })
        });
        let stopped = service.stopped.iter().map(|task| {
            json!({
                "taskDefinition": task.task_definition,
                "stopCode": task.stop.as_ref().map(|stop| stop.code),
                "stoppedAt": task.stopped_at,
            })
        });
        json!({
            "serviceArn": service.arn,
            "cluster": service.cluster,
            "serviceName": service.name,
            "status": service.status,
            "config": service.config,
            "isExpress": service.is_express,
            "tags": service.tags,
            "askedCount": service.desired_count,
            "taskDefinition": service.task_definition,
            "rolloutState": service.deployments.first().map(|primary| primary.rollout),
            "desiredCount": service.wanted(self.settings()),
            "readyCount": live().filter(|task| task.ready).count(),
            "liveCount": live().count(),
            "runningTaskDefinitions": live().map(|task| &task.task_definition).collect::<std::collections::BTreeSet<_>>(),
            "imageDigests": digests,
            "history": history.collect::<Vec<_>>(),
            "stoppedTasks": stopped.collect::<Vec<_>>(),
        })
    }
}
