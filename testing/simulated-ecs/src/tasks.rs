//! Operations on tasks: list, describe, run, stop.

use serde_json::{Value, json};

use crate::behaviour::{Behaviour, Fate};
use crate::error::ApiError;
use crate::names::{Milliseconds, hash, last_segment, resource_path, timestamp};
use crate::operations::{batch, page, text};
use crate::service::Service;
use crate::simulation::{STANDALONE, Simulation};
use crate::task::{Container, Phase, STOPPED_TASK_SECONDS, Task};

fn service_tasks(service: &Service) -> impl Iterator<Item = &Task> {
    service.tasks.iter().chain(&service.stopped)
}

impl Simulation {
    /// True if a task can still be seen: running, or stopped within the hour.
    fn is_remembered(&self, task: &Task) -> bool {
        let settings = self.settings();
        task.stopped_at
            .is_none_or(|at| settings.after(at, STOPPED_TASK_SECONDS) > self.now())
    }

    /// Where a task is: the service it belongs to stands at the beginning of its id.
    fn find_task(&self, cluster: &str, name_or_arn: &str) -> Option<&Task> {
        let id = last_segment(name_or_arn);
        let index = u32::from_str_radix(id.get(..8)?, 16).ok()?;
        let fits = |task: &&Task| task.id == id && task.cluster == cluster && self.is_remembered(task);
        match self.services.get(index as usize) {
            Some(service) => service_tasks(service).find(fits),
            None => self.standalone.iter().find(fits),
        }
    }

    fn task_arn(&self, task: &Task) -> String {
        self.names.arn("task", &format!("{}/{}", task.cluster, task.id))
    }

    fn launch_type(&self, task: &Task) -> String {
        let index = u32::from_str_radix(&task.id[..8], 16).unwrap_or(STANDALONE);
        let service = self.services.get(index as usize);
        let held = service
            .and_then(|service| service.config.get("launchType"))
            .and_then(Value::as_str);
        held.unwrap_or("EC2").to_owned()
    }

    fn describe_task(&self, task: &Task) -> Value {
        let arn = self.task_arn(task);
        let status = match task.phase {
            Phase::Provisioning => "PROVISIONING",
            Phase::Pending => "PENDING",
            Phase::Running => "RUNNING",
            Phase::Draining => "DEACTIVATING",
            Phase::Stopping if task.containers.iter().any(|it| task.still_runs(it)) => "STOPPING",
            Phase::Stopping => "DEPROVISIONING",
            Phase::Stopped => "STOPPED",
        };
        let never_healthy = matches!(task.plan.fate, Fate::NeverHealthy { .. });
        let health = match (task.has_health_check, task.ready) {
            (true, true) => "HEALTHY",
            (true, false) if never_healthy && task.stop.is_some() => "UNHEALTHY",
            _ => "UNKNOWN",
        };
        let container_status = |container: &Container| match task.phase {
            Phase::Stopping if task.still_runs(container) => "RUNNING",
            Phase::Stopping | Phase::Stopped => "STOPPED",
            Phase::Running | Phase::Draining => "RUNNING",
            Phase::Provisioning | Phase::Pending => "PENDING",
        };
        let container = |container: &Container| {
            let mut body = json!({
                "containerArn": self.names.arn("container", &format!("{}/{}/{}", task.cluster, task.id, container.name)),
                "taskArn": arn,
                "name": container.name,
                "image": container.image,
                "lastStatus": container_status(container),
                "networkInterfaces": [],
                "healthStatus": health,
            });
            put(&mut body, "imageDigest", container.digest.clone());
            put(&mut body, "exitCode", container.exit_code);
            put(&mut body, "reason", container.reason.clone());
            body
        };
        let mut body = json!({
            "taskArn": arn,
            "clusterArn": self.names.arn("cluster", &task.cluster),
            "taskDefinitionArn": task.task_definition,
            "group": task.group,
            "launchType": self.launch_type(task),
            "lastStatus": status,
            "desiredStatus": if task.stop.is_some() { "STOPPED" } else { "RUNNING" },
            "healthStatus": health,
            "containers": task.containers.iter().map(container).collect::<Vec<_>>(),
            "attachments": [],
            "tags": [],
            "version": 1,
            "createdAt": timestamp(task.created_at),
        });
        put(&mut body, "startedBy", task.started_by.clone());
        let moments = [
            ("pullStartedAt", task.pull_started_at),
            ("startedAt", task.started_at),
            ("stoppingAt", task.stopping_at),
            ("stoppedAt", task.stopped_at),
        ];
        for (member, at) in moments {
            put(&mut body, member, at.map(timestamp));
        }
        if let Some(stop) = &task.stop {
            body["stopCode"] = stop.code.into();
            body["stoppedReason"] = stop.reason.clone().into();
        }
        body
    }
}

fn put(body: &mut Value, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body[member] = value.into();
    }
}

pub(crate) fn list(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?;
    if request.get("containerInstance").is_some() {
        return Err(ApiError::invalid(
            "containerInstance: container instances are not simulated.",
        ));
    }
    let candidates: Box<dyn Iterator<Item = &Task>> =
        if let Some(name) = request.get("serviceName").and_then(Value::as_str) {
            let index = simulation.find_service(cluster, name);
            let missing = || ApiError::new("ServiceNotFoundException", "Service not found.");
            Box::new(service_tasks(&simulation.services[index.ok_or_else(missing)? as usize]))
        } else {
            let services = cluster
                .services
                .values()
                .map(|index| &simulation.services[*index as usize]);
            let standalone = simulation.standalone.iter().filter(|task| task.cluster == cluster.name);
            Box::new(services.flat_map(service_tasks).chain(standalone))
        };
    let stopped = match text(request, "desiredStatus") {
        "PENDING" => return Ok(json!({"taskArns": []})), // AWS: ECS never sets a desired status of PENDING
        status => status == "STOPPED",
    };
    let asked = |member: &str| request.get(member).and_then(Value::as_str);
    let (family, started_by, launch_type) = (asked("family"), asked("startedBy"), asked("launchType"));
    let family_of = |task: &Task| {
        let path = resource_path(&task.task_definition, "task-definition");
        path.split(':').next().unwrap_or_default().to_owned()
    };
    let found = candidates.filter(|task| {
        task.stop.is_some() == stopped
            && simulation.is_remembered(task)
            && family.is_none_or(|family| family == family_of(task))
            && started_by.is_none_or(|id| task.started_by.as_deref() == Some(id))
            && launch_type.is_none_or(|wanted| wanted == simulation.launch_type(task))
    });
    let (found, token) = page(request, 100, found)?;
    let arns: Vec<String> = found.iter().map(|task| simulation.task_arn(task)).collect();
    Ok(json!({"taskArns": arns, "nextToken": token}))
}

pub(crate) fn describe(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?.name.clone();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in batch(request, "tasks", 100)? {
        if let Some(task) = simulation.find_task(&cluster, name) {
            found.push(simulation.describe_task(task));
        } else {
            let arn = simulation
                .names
                .arn("task", &format!("{cluster}/{}", last_segment(name)));
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
        }
    }
    Ok(json!({"tasks": found, "failures": failures}))
}

pub(crate) fn run(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?.name.clone();
    let definition = simulation.runnable(text(request, "taskDefinition"))?.clone();
    let count = request.get("count").and_then(Value::as_u64).unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(ApiError::invalid("Count must be between 1 and 10."));
    }
    let task_definition = simulation.task_definition_arn(&definition);
    let mut started = Vec::new();
    for _ in 0..count {
        let number = simulation.standalone.len();
        let unique = hash(simulation.settings().seed, &["standalone", &number.to_string()]);
        let mut plan = Behaviour::Good.plan(true);
        let (mut culprit, mut containers) = (0, Vec::new());
        for (place, container) in definition.containers().enumerate() {
            let image = text(container, "image").to_owned();
            let pulled = simulation.world.registry.pull(&image, now);
            let both = plan.beside(pulled.behaviour.plan(true));
            if both.fate != plan.fate {
                culprit = place;
            }
            plan = both;
            let name = text(container, "name").to_owned();
            containers.push(Container {
                name,
                image,
                digest: pulled.digest,
                exit_code: None,
                reason: None,
            });
        }
        let task = Task {
            id: format!("{STANDALONE:08x}{unique:016x}{number:08x}"),
            cluster: cluster.clone(),
            task_definition: task_definition.clone(),
            started_by: request.get("startedBy").and_then(Value::as_str).map(str::to_owned),
            group: format!("family:{}", definition.family),
            has_health_check: definition
                .containers()
                .any(|container| container.get("healthCheck").is_some()),
            plan,
            culprit,
            containers,
            ..Task::default()
        }
        .launched(simulation.settings(), now);
        started.push(simulation.describe_task(&task));
        simulation.standalone.push(task);
    }
    simulation.plan_standalone();
    Ok(json!({"tasks": started, "failures": []}))
}

pub(crate) fn stop(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?.name.clone();
    let missing = || ApiError::invalid("The referenced task was not found.");
    let id = simulation
        .find_task(&cluster, text(request, "task"))
        .ok_or_else(missing)?
        .id
        .clone();
    let index = u32::from_str_radix(&id[..8], 16).unwrap_or(STANDALONE);
    let reason = request
        .get("reason")
        .and_then(Value::as_str)
        .unwrap_or("Task stopped by user")
        .to_owned();
    let settings = simulation.world.settings.clone();
    let (tasks, deregistration_seconds) = match simulation.services.get_mut(index as usize) {
        Some(service) => {
            let seconds = service.deregistration_seconds();
            (&mut service.tasks, seconds)
        }
        None => (&mut simulation.standalone, 0.0),
    };
    if let Some(task) = tasks.iter_mut().find(|task| task.id == id) {
        task.stop(&settings, now, "UserInitiated", reason, deregistration_seconds);
    }
    if index == STANDALONE {
        simulation.plan_standalone();
    } else {
        simulation.touch(index, now);
    }
    let task = simulation.find_task(&cluster, &id).ok_or_else(missing)?;
    Ok(json!({"task": simulation.describe_task(task)}))
}
