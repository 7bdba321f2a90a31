//! The simulation: plain data that moves when it is told what time it is. No I/O and no clock of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::iam::{self, Iam};
use crate::names::{Milliseconds, Names, hash, resource_path};
use crate::operations;
use crate::receive::Calls;
use crate::registry::Registry;
use crate::service::{Service, ServiceStatus, World};
use crate::settings::Settings;
use crate::shapes::MODELS;
use crate::task::Task;
use crate::task_definitions::TaskDefinition;
use crate::weather::Sky;

/// A cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) active: bool,
    /// Members of `CreateCluster` that are returned as they came.
    pub(crate) config: Map<String, Value>,
    pub(crate) tags: Vec<Value>,
    /// Service name to its place in [`Simulation::services`]. A service that was created again is found here, the one
    /// before it is not.
    pub(crate) services: BTreeMap<String, u32>,
}

/// Stands for the tasks of no service where a service's place is wanted.
pub(crate) const STANDALONE: u32 = u32::MAX;

/// Which of the two APIs a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `AmazonEC2ContainerServiceV20141113`.
    Ecs,
    /// `AmazonEC2ContainerRegistry_V20150921`.
    Ecr,
}

/// A simulated ECS and ECR: every operation is a call, time passes by [`Simulation::advance`].
#[derive(Debug)]
pub struct Simulation {
    pub(crate) world: World,
    pub(crate) names: Names,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) services: Vec<Service>,
    /// Family name to its revisions; revision 1 is the first.
    pub(crate) families: BTreeMap<String, Vec<TaskDefinition>>,
    pub(crate) standalone: Vec<Task>,
    pub(crate) sky: Sky,
    pub(crate) calls: Calls,
    pub(crate) iam: Iam,
    wakes: BTreeSet<(Milliseconds, u32)>,
    planned: Vec<Option<Milliseconds>>,
    now: Milliseconds,
}

/// A random UUID, the same for the same seed and parts.
pub(crate) fn uuid(seed: u64, parts: &[&str]) -> String {
    let (high, low) = (hash(seed, parts), hash(seed ^ 1, parts));
    let digits = format!("{high:016x}{low:016x}");
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

impl Simulation {
    /// An empty account at a moment.
    #[must_use]
    pub fn new(settings: Settings, now: Milliseconds) -> Self {
        Self {
            names: settings.names(),
            sky: Sky::new(&settings, now),
            calls: Calls::default(),
            iam: Iam::default(),
            world: World {
                settings,
                registry: Registry::default(),
                alarms: BTreeSet::new(),
                held_images: BTreeSet::new(),
                unlisted: BTreeSet::new(),
            },
            clusters: BTreeMap::new(),
            services: Vec::new(),
            families: BTreeMap::new(),
            standalone: Vec::new(),
            wakes: BTreeSet::new(),
            planned: Vec::new(),
            now,
        }
    }

    /// The settings that it was started with; the speed may have been changed since.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.world.settings
    }

    /// Takes the roles of a stack from its CloudFormation template: from now on they are what its functions and state
    /// machines may do. `physical` holds the name or ARN of each resource by its logical id; one that it does not hold goes by
    /// its logical id.
    ///
    /// # Errors
    /// A sentence that says what of the template is not understood.
    pub fn deploy_stack(
        &mut self,
        name: &str,
        template: &Value,
        physical: BTreeMap<String, String>,
    ) -> Result<(), String> {
        self.iam.deploy(&self.names, name, template, physical)
    }

    /// Judges a call that is made to another service than these.
    ///
    /// # Errors
    /// `AccessDeniedException`, in AWS's words.
    pub fn judge(&mut self, call: &iam::Call) -> Result<(), ApiError> {
        self.iam.judge(&self.names, call)
    }

    /// Who may do what.
    #[must_use]
    pub fn iam(&mut self) -> &mut Iam {
        &mut self.iam
    }

    /// Changes how fast simulated time passes, for everything that begins from now on.
    pub fn set_speed(&mut self, speed: f64) {
        self.world.settings.speed = speed;
    }

    /// Lets everything happen that is due up to this moment, each thing at its own time. Time never goes back.
    pub fn advance(&mut self, now: Milliseconds) {
        loop {
            let wake = self.wakes.first().map(|(at, _)| *at);
            let scheduled = self.sky.next_scheduled();
            match [wake, scheduled].into_iter().flatten().min() {
                Some(at) if at <= now => {
                    self.now = self.now.max(at);
                    if wake == Some(at) {
                        if let Some((_, index)) = self.wakes.pop_first() {
                            self.step(index, at);
                        }
                    } else {
                        self.act_by_schedule(at);
                    }
                }
                _ => break,
            }
        }
        self.now = self.now.max(now);
    }

    /// Does what the second deployer had planned for this moment. A refusal by ECS is his own affair.
    fn act_by_schedule(&mut self, at: Milliseconds) {
        if let Some(action) = self.sky.take_scheduled(at) {
            self.sky.stale = self.sky.meet(at, true, &action.operation, &action.request).stale;
            let outcome = operations::run(self, Api::Ecs, &action.operation, &action.request, at);
            self.sky.stale = 0;
            self.sky.note_scheduled(at, &action, outcome.err());
        }
    }

    fn step(&mut self, index: u32, now: Milliseconds) {
        if index == STANDALONE {
            for task in &mut self.standalone {
                task.step(&self.world.settings, now);
            }
            let next = self.standalone.iter().filter_map(|task| task.next_at).min();
            self.wakes.extend(next.map(|at| (at, STANDALONE)));
            return;
        }
        self.planned[index as usize] = None;
        self.services[index as usize].step(&mut self.world, now);
        self.plan(index);
    }

    /// Notes when a service has to be read next. To be called after anything was done to it.
    pub(crate) fn plan(&mut self, index: u32) {
        let next = self.services[index as usize].next_wake();
        let planned = &mut self.planned[index as usize];
        if *planned != next {
            if let Some(at) = planned.take() {
                self.wakes.remove(&(at, index));
            }
            if let Some(at) = next {
                self.wakes.insert((at, index));
            }
            *planned = next;
        }
    }

    /// Has a service read now, because something about it or around it changed.
    pub(crate) fn touch(&mut self, index: u32, now: Milliseconds) {
        self.services[index as usize].step(&mut self.world, now);
        self.plan(index);
    }

    pub(crate) fn plan_standalone(&mut self) {
        let next = self.standalone.iter().filter_map(|task| task.next_at).min();
        self.wakes.extend(next.map(|at| (at, STANDALONE)));
    }

    /// Adds a service, and makes its name stand for it.
    pub(crate) fn add_service(&mut self, service: Service) -> u32 {
        let index = service.index;
        if let Some(cluster) = self.clusters.get_mut(&service.cluster) {
            cluster.services.insert(service.name.clone(), index);
        }
        self.services.push(service);
        self.planned.push(None);
        self.plan(index);
        index
    }

    /// The place the next service will have.
    pub(crate) fn next_index(&self) -> u32 {
        u32::try_from(self.services.len()).unwrap_or(STANDALONE - 1)
    }

    /// Makes an alarm go to ALARM or back to OK, and lets every rollout see it.
    pub fn set_alarm(&mut self, now: Milliseconds, name: &str, in_alarm: bool) {
        self.advance(now);
        if in_alarm {
            self.world.alarms.insert(name.to_owned());
        } else {
            self.world.alarms.remove(name);
        }
        for index in 0..self.next_index() {
            if self.services[index as usize]
                .history
                .last()
                .is_some_and(|last| last.status.is_under_way())
            {
                self.touch(index, now);
            }
        }
    }

    /// One call of an operation, checked against AWS's model. Weather is not applied: see [`Simulation::receive`].
    ///
    /// # Errors
    /// The errors that AWS would answer, by AWS's codes.
    pub fn call(&mut self, now: Milliseconds, api: Api, operation: &str, request: &Value) -> Result<Value, ApiError> {
        self.advance(now);
        let model = match api {
            Api::Ecs => &MODELS.ecs,
            Api::Ecr => &MODELS.ecr,
        };
        model.check(operation, request)?;
        let now = self.now;
        let answer = operations::run(self, api, operation, request, now);
        debug_assert!(
            answer
                .as_ref()
                .err()
                .is_none_or(|error| model.models_error(operation, &error.code)),
            "{operation} does not answer {answer:?}"
        );
        if answer.is_ok() {
            self.sky.note_done(now, operation, request);
        }
        let mut answer = answer?;
        if let Some(members) = answer.as_object_mut() {
            members.retain(|_, value| !value.is_null()); // a last page has no token, not a token that is null
        }
        Ok(answer)
    }

    /// The moment it has been advanced to.
    pub(crate) fn now(&self) -> Milliseconds {
        self.now
    }

    /// The cluster a request names, by name or ARN; `default` if it names none.
    ///
    /// # Errors
    /// `ClusterNotFoundException`, also for a deleted cluster.
    pub(crate) fn cluster(&self, request: &Value) -> Result<&Cluster, ApiError> {
        let given = request.get("cluster").and_then(Value::as_str).unwrap_or("default");
        let found = self
            .clusters
            .get(resource_path(given, "cluster"))
            .filter(|cluster| cluster.active);
        found.ok_or_else(|| ApiError::new("ClusterNotFoundException", "Cluster not found."))
    }

    /// The place of a service of a cluster, by name or ARN. A service that has been INACTIVE for an hour is forgotten.
    pub(crate) fn find_service(&self, cluster: &Cluster, name_or_arn: &str) -> Option<u32> {
        let path = resource_path(name_or_arn, "service");
        let name = match path.split_once('/') {
            Some((named, name)) => Some(name).filter(|_| named == cluster.name),
            None => Some(path),
        };
        let index = *cluster.services.get(name?)?;
        Some(index).filter(|index| !self.is_forgotten(&self.services[*index as usize]))
    }

    fn is_forgotten(&self, service: &Service) -> bool {
        let settings = &self.world.settings;
        service
            .inactive_at
            .is_some_and(|at| settings.after(at, crate::task::STOPPED_TASK_SECONDS) <= self.now)
    }

    /// The place of the service that a request names in `service`.
    ///
    /// # Errors
    /// `ClusterNotFoundException`, `ServiceNotFoundException`.
    pub(crate) fn service(&self, request: &Value) -> Result<u32, ApiError> {
        let cluster = self.cluster(request)?;
        let name = request.get("service").and_then(Value::as_str).unwrap_or_default();
        let found = self.find_service(cluster, name);
        found.ok_or_else(|| ApiError::new("ServiceNotFoundException", "Service not found."))
    }

    /// Removes a service as if it had never been: what a deletion half-way looks like an hour later.
    pub(crate) fn remove_service(&mut self, index: u32) {
        let service = &mut self.services[index as usize];
        service.status = ServiceStatus::Inactive;
        service.inactive_at = Some(0);
        service.deployments.clear();
        service.tasks.clear();
        service.stopped.clear();
        service.wake = None;
        self.plan(index);
    }
}
