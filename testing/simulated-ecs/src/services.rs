//! Operations on services: create, update, delete, describe, list.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::hooks;
use crate::names::{Milliseconds, resource_path, timestamp};
use crate::operations::{batch, page, text, texts};
use crate::rollout::count;
use crate::service::{Controller, Deployment, Service, ServiceStatus};
use crate::simulation::Simulation;
use crate::tags;
use crate::task::Task;

/// Members of a request that make the service itself, not its configuration.
const NOT_CONFIGURATION: [&str; 10] = [
    "cluster",
    "service",
    "serviceName",
    "taskDefinition",
    "desiredCount",
    "clientToken",
    "tags",
    "forceNewDeployment",
    "role",
    "monitoring",
];
/// How many deployments a service may have at once. The code of the refusal is not documented.
const MOST_DEPLOYMENTS: usize = 5;
/// Members of `UpdateService` that start a deployment when they change.
const DEPLOYING: [&str; 8] = [
    "networkConfiguration",
    "platformVersion",
    "capacityProviderStrategy",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];
/// Members that a service revision and an entry of `deployments[]` carry.
pub(crate) const OF_A_DEPLOYMENT: [&str; 7] = [
    "networkConfiguration",
    "platformVersion",
    "capacityProviderStrategy",
    "launchType",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];
/// Members that `DescribeServices` returns as they were given.
const RETURNED: [&str; 15] = [
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "deploymentController",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "launchType",
    "loadBalancers",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "platformVersion",
    "propagateTags",
    "serviceRegistries",
];

fn configuration(request: &Value) -> Map<String, Value> {
    let members = request.as_object().cloned().unwrap_or_default();
    members
        .into_iter()
        .filter(|(key, value)| !NOT_CONFIGURATION.contains(&key.as_str()) && !value.is_null())
        .collect()
}

fn deployment(service: &Service, deployment: &Deployment, wanted: u32) -> Value {
    let is_primary = deployment.number == service.deployments[0].number;
    let live = count(service.live(deployment.number));
    let pending = count(service.live(deployment.number).filter(|task| task.is_pending()));
    let of_deployment = service.tasks.iter().filter(|task| task.deployment == deployment.number);
    let draining = count(of_deployment.filter(|task| task.is_draining()));
    let revision = &service.revisions[deployment.revision];
    // ECS wants no task to stay that the minimum does not need; it may be protected still.
    let ready = count(service.tasks.iter().filter(|task| task.ready));
    let spare = ready.saturating_sub(service.limits(wanted).0);
    let is_protected = |task: &&Task| task.protected_until.is_some();
    let old = live - count(service.live(deployment.number).filter(is_protected)).min(spare);
    let mut body = json!({
        "id": deployment.id,
        "status": if is_primary { "PRIMARY" } else { "ACTIVE" },
        "taskDefinition": revision.task_definition,
        "desiredCount": if is_primary { wanted } else { old },
        "pendingCount": pending,
        "runningCount": live - pending + draining,
        "failedTasks": deployment.failed_tasks,
        "createdAt": timestamp(deployment.created_at),
        "updatedAt": timestamp(deployment.updated_at),
    });
    for member in OF_A_DEPLOYMENT {
        if let Some(value) = revision.config.get(member) {
            body[member] = value.clone();
        }
    }
    let balancers = service
        .config
        .get("loadBalancers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    // AWS: "The rolloutState of a service is only returned for services that use a rolling update deployment type that
    // aren't behind a Classic Load Balancer."
    if !balancers
        .into_iter()
        .any(|balancer| balancer.get("loadBalancerName").is_some())
    {
        body["rolloutState"] = json!(deployment.rollout);
        body["rolloutStateReason"] = deployment.reason.clone().into();
    }
    body
}

impl Simulation {
    /// A service as `DescribeServices` shows it, with its tags.
    pub(crate) fn describe_service(&self, service: &Service) -> Value {
        let wanted = service.wanted(&self.world.settings);
        let live = || service.tasks.iter().filter(|task| task.is_live());
        let pending = count(live().filter(|task| task.is_pending()));
        let draining = count(service.tasks.iter().filter(|task| task.is_draining()));
        let deployments: Vec<Value> = service
            .deployments
            .iter()
            .map(|entry| deployment(service, entry, wanted))
            .collect();
        let event = |(id, at, message): &(String, Milliseconds, String)| json!({"id": id, "createdAt": timestamp(*at), "message": message});
        let mut body = json!({
            "serviceArn": service.arn,
            "serviceName": service.name,
            "clusterArn": self.names.arn("cluster", &service.cluster),
            "status": service.status,
            "desiredCount": if service.status == ServiceStatus::Active { wanted } else { 0 },
            "runningCount": count(live()) - pending + draining,
            "pendingCount": pending,
            "taskDefinition": service.task_definition,
            "deployments": deployments,
            "events": service.events.iter().map(event).collect::<Vec<_>>(),
            "createdAt": timestamp(service.created_at),
            "createdBy": self.names.caller(),
            "roleArn": self.names.service_role(),
            "schedulingStrategy": if service.is_daemon { "DAEMON" } else { "REPLICA" },
            "deploymentController": {"type": "ECS"},
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            "enableECSManagedTags": false,
            "enableExecuteCommand": false,
            "propagateTags": "NONE",
            "tags": service.tags,
        });
        for member in RETURNED {
            if let Some(value) = service.config.get(member) {
                body[member] = value.clone();
            }
        }
        body["resourceManagementType"] = if service.is_express { "ECS" } else { "CUSTOMER" }.into();
        if let Some(members) = body.as_object_mut().filter(|_| service.is_express) {
            members.remove("taskDefinition");
        }
        // Right after UpdateService it is still the deployment before, as with AWS.
        let begun = service.history.iter().rev().find(|entry| entry.started_at.is_some());
        if let Some(last) = begun.or(service.history.last()) {
            body["currentServiceDeployment"] = self.service_deployment_arn(service, last).into();
        }
        let current = service
            .deployments
            .iter()
            .map(|deployment| self.revision_summary(service, deployment.revision));
        body["currentServiceRevisions"] = current.collect();
        body
    }

    /// Adds a service from the members of a `CreateService` request. A settled one is what has been running for long.
    ///
    /// # Errors
    /// Those of `CreateService`.
    pub(crate) fn create_service(
        &mut self,
        request: &Value,
        now: Milliseconds,
        settled: bool,
    ) -> Result<u32, ApiError> {
        let cluster = self.cluster(request)?;
        let (cluster_name, name) = (cluster.name.clone(), text(request, "serviceName"));
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 255 || !name.chars().all(legal) {
            return Err(ApiError::invalid("Invalid service name."));
        }
        match cluster
            .services
            .get(name)
            .map(|place| self.services[*place as usize].status)
        {
            Some(ServiceStatus::Active) => return Err(ApiError::invalid("Creation of service was not idempotent.")),
            Some(ServiceStatus::Draining) => {
                return Err(ApiError::invalid("Unable to Start a service that is still Draining."));
            }
            Some(ServiceStatus::Inactive) | None => {}
        }
        tags::check(request)?;
        hooks::check(request)?;
        let controller = match request.pointer("/deploymentController/type").and_then(Value::as_str) {
            Some("CODE_DEPLOY") => Controller::CodeDeploy,
            Some("EXTERNAL") => Controller::External,
            _ => Controller::Ecs,
        };
        let is_daemon = text(request, "schedulingStrategy") == "DAEMON";
        let desired_count = desired_count(request)?;
        if desired_count.is_none() && !is_daemon && controller != Controller::External {
            return Err(ApiError::invalid(
                "The desired count should not be null for a REPLICA service.",
            ));
        }
        let given = text(request, "taskDefinition");
        if given.is_empty() && controller != Controller::External {
            return Err(ApiError::invalid("TaskDefinition cannot be empty."));
        }
        let definition = if given.is_empty() {
            None
        } else {
            Some(self.runnable(given)?)
        };
        let task_definition = definition
            .map(|found| self.task_definition_arn(found))
            .unwrap_or_default();
        let mut service = Service {
            index: self.next_index(),
            arn: self.names.arn("service", &format!("{cluster_name}/{name}")),
            cluster: cluster_name,
            name: name.to_owned(),
            status: ServiceStatus::Active,
            inactive_at: None,
            created_at: now,
            desired_count: desired_count.unwrap_or(0),
            controller,
            is_daemon,
            is_express: false,
            config: configuration(request),
            tags: request
                .get("tags")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            deployments: Vec::new(),
            revisions: Vec::new(),
            history: Vec::new(),
            tasks: Vec::new(),
            stopped: VecDeque::new(),
            events: VecDeque::new(),
            event_count: 0,
            told_unplaced: None,
            deployment_count: 0,
            task_count: 0,
            last_completed: None,
            stale: None,
            steady: false,
            wake: None,
            task_definition,
        };
        if let Some(definition) = definition.filter(|_| controller == Controller::Ecs) {
            let revision = service.add_revision(definition, &self.world.settings, now);
            service.deploy(&self.world, now, revision);
            if settled {
                service.settle(&mut self.world, now);
            }
        }
        Ok(self.add_service(service))
    }
}

fn desired_count(request: &Value) -> Result<Option<u32>, ApiError> {
    let Some(given) = request.get("desiredCount").filter(|given| !given.is_null()) else {
        return Ok(None);
    };
    let count = given.as_u64().and_then(|count| u32::try_from(count).ok());
    count
        .map(Some)
        .ok_or_else(|| ApiError::invalid("desiredCount cannot be negative."))
}

pub(crate) fn create(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let index = simulation.create_service(request, now, false)?;
    Ok(json!({"service": simulation.describe_service(&simulation.services[index as usize])}))
}

pub(crate) fn update(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let index = simulation.service(request)?;
    let place = index as usize;
    if simulation.services[place].status != ServiceStatus::Active {
        return Err(ApiError::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    hooks::check(request)?;
    let given = text(request, "taskDefinition");
    let force = request.get("forceNewDeployment") == Some(&true.into());
    let desired_count = desired_count(request)?;
    let controller = simulation.services[place].controller;
    if controller != Controller::Ecs && (force || !given.is_empty()) {
        return Err(ApiError::invalid(match controller {
            Controller::CodeDeploy => {
                "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS \
                 CodeDeploy to trigger a new deployment."
            }
            _ => "Unable to update task definition on services with a EXTERNAL deployment controller.",
        }));
    }
    let wanted = if given.is_empty() {
        simulation.services[place].task_definition.clone()
    } else {
        given.to_owned()
    };
    let target = if given.is_empty() && !force {
        None
    } else {
        Some(simulation.runnable(&wanted)?)
    };
    let known = &simulation.services[place];
    let has_tasks = |deployment: &&Deployment| {
        let mut tasks = known.tasks.iter().filter(|task| task.deployment == deployment.number);
        tasks.any(|task| task.is_live() || task.is_draining())
    };
    let active = known.deployments.iter().filter(has_tasks).count();
    if active >= MOST_DEPLOYMENTS && target.is_some() && controller == Controller::Ecs {
        return Err(ApiError::new(
            "ClientException",
            format!("{MOST_DEPLOYMENTS} active deployments exist, unable to create new deployment."),
        ));
    }
    let target = target.cloned();
    let arn = target
        .as_ref()
        .map(|definition| simulation.task_definition_arn(definition));
    simulation.keep_for_stale_reads(index, now);
    let changed = configuration(request);
    let service = &mut simulation.services[place];
    let deploys = |(key, value): (&String, &Value)| {
        DEPLOYING.contains(&key.as_str()) && service.config.get(key).is_none_or(|held| held != value)
    };
    let moved = arn.as_ref().is_some_and(|arn| *arn != service.task_definition);
    let starts = controller == Controller::Ecs && (force || moved || changed.iter().any(deploys));
    service.config.extend(changed);
    service.desired_count = desired_count.unwrap_or(service.desired_count);
    if let Some(arn) = arn {
        service.task_definition = arn;
    }
    if starts {
        let held = service.task_definition.clone();
        let definition = match target {
            Some(definition) => definition,
            None => simulation.runnable(&held)?.clone(),
        };
        let Simulation { services, world, .. } = simulation;
        let service = &mut services[place];
        let revision = service.add_revision(&definition, &world.settings, now);
        service.deploy(world, now, revision);
    } else {
        service.steady = false;
    }
    simulation.touch(index, now);
    Ok(json!({"service": simulation.describe_service(&simulation.services[place])}))
}

pub(crate) fn delete(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let index = simulation.service(request)?;
    let service = &mut simulation.services[index as usize];
    if service.status != ServiceStatus::Active {
        // The model of this call has no error for a service that is being deleted, as that of UpdateService has.
        return Err(ApiError::new("ServiceNotFoundException", "Service not found."));
    }
    let force = request.get("force") == Some(&true.into());
    if service.desired_count > 0 && !service.is_daemon && !force {
        return Err(ApiError::invalid(
            "The service cannot be stopped while it is scaled above 0.",
        ));
    }
    service.status = ServiceStatus::Draining;
    simulation.touch(index, now);
    Ok(json!({"service": simulation.describe_service(&simulation.services[index as usize])}))
}

/// Only a schedule can do this: the host of the service's newest running task fails, and takes the task with it.
pub(crate) fn break_host(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let index = simulation.service(request)?;
    let Simulation { services, world, .. } = simulation;
    let mut running = services[index as usize].tasks.iter_mut().filter(|task| task.ready);
    if let Some(task) = running.next_back() {
        task.lose_host(&world.settings, now);
    }
    simulation.touch(index, now);
    Ok(json!({}))
}

/// Only a schedule can do this: the service is gone at once.
pub(crate) fn remove(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let index = simulation.service(request)?;
    simulation.remove_service(index);
    Ok(json!({}))
}

pub(crate) fn describe(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?;
    let with_tags = texts(request, "include").contains(&"TAGS");
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for name in batch(request, "services", 10)? {
        let Some(index) = simulation.find_service(cluster, name) else {
            let path = resource_path(name, "service");
            let path = if path.contains('/') {
                path.to_owned()
            } else {
                format!("{}/{path}", cluster.name)
            };
            failures.push(json!({"arn": simulation.names.arn("service", &path), "reason": "MISSING"}));
            continue;
        };
        let service = &simulation.services[index as usize];
        let stale = service.stale.as_ref().filter(|stale| stale.until > now);
        let mut body = stale.map_or_else(|| simulation.describe_service(service), |stale| stale.service.clone());
        if let Some(members) = body.as_object_mut().filter(|_| !with_tags) {
            members.remove("tags");
        }
        services.push(body);
    }
    Ok(json!({"services": services, "failures": failures}))
}

pub(crate) fn list(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?;
    let fits = |service: &&Service| {
        let launch_type = service
            .config
            .get("launchType")
            .and_then(Value::as_str)
            .unwrap_or("EC2");
        let strategy = if service.is_daemon { "DAEMON" } else { "REPLICA" };
        let asked = |member: &str, held: &str| {
            request
                .get(member)
                .and_then(Value::as_str)
                .is_none_or(|wanted| wanted == held)
        };
        service.status != ServiceStatus::Inactive
            && asked("launchType", launch_type)
            && asked("schedulingStrategy", strategy)
    };
    let services = cluster
        .services
        .values()
        .map(|index| &simulation.services[*index as usize]);
    let (services, token) = page(request, 10, services.filter(fits))?;
    let arns: Vec<&str> = services.iter().map(|service| service.arn.as_str()).collect();
    Ok(json!({"serviceArns": arns, "nextToken": token}))
}
