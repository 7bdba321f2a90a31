//! Operations on service deployments and service revisions.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::hooks::Hook;
use crate::names::{Milliseconds, digits, resource_path, timestamp};
use crate::operations::{batch, page, text, texts};
use crate::rollout::count;
use crate::service::{RevisionContainer, Service, ServiceDeployment, ServiceRevision};
use crate::services::OF_A_DEPLOYMENT;
use crate::settings::Settings;
use crate::simulation::Simulation;
use crate::task_definitions::TaskDefinition;

impl Service {
    /// Adds a service revision of a task definition with the configuration the service has now; returns its place.
    pub(crate) fn add_revision(
        &mut self,
        definition: &TaskDefinition,
        settings: &Settings,
        now: Milliseconds,
    ) -> usize {
        let container = |container: &Value| RevisionContainer {
            name: text(container, "name").to_owned(),
            image: text(container, "image").to_owned(),
            essential: container.get("essential").is_none_or(|essential| essential != false),
            is_consistent: text(container, "versionConsistency") != "disabled",
            digest: None,
            behaviour: crate::behaviour::Behaviour::Good,
        };
        let place = self.revisions.len();
        let copied = OF_A_DEPLOYMENT
            .iter()
            .copied()
            .chain(["loadBalancers", "serviceRegistries"]);
        let copied = copied.filter_map(|member| Some((member.to_owned(), self.config.get(member)?.clone())));
        let path = format!("{}:{}", definition.family, definition.revision);
        self.revisions.push(ServiceRevision {
            id: digits(settings.seed, &[&self.arn, "revision", &place.to_string()]),
            task_definition: settings.names().arn("task-definition", &path),
            created_at: now,
            resolved: false,
            containers: definition.containers().map(container).collect(),
            has_health_check: definition
                .containers()
                .any(|container| container.get("healthCheck").is_some()),
            has_host_port: definition
                .containers()
                .flat_map(|container| container["portMappings"].as_array().into_iter().flatten())
                .any(|mapping| mapping["hostPort"].as_u64().is_some_and(|port| port > 0)),
            config: copied.collect(),
        });
        place
    }
}

impl Simulation {
    /// The ARN of a service deployment.
    pub(crate) fn service_deployment_arn(&self, service: &Service, deployment: &ServiceDeployment) -> String {
        let path = format!("{}/{}/{}", service.cluster, service.name, deployment.id);
        self.names.arn("service-deployment", &path)
    }

    /// The ARN of a service revision, by its place in the service.
    pub(crate) fn service_revision_arn(&self, service: &Service, revision: usize) -> String {
        let path = format!(
            "{}/{}/{}",
            service.cluster, service.name, service.revisions[revision].id
        );
        self.names.arn("service-revision", &path)
    }

    /// How many tasks of a revision there are, and should be.
    pub(crate) fn revision_summary(&self, service: &Service, revision: usize) -> Value {
        let live = || {
            service
                .tasks
                .iter()
                .filter(|task| task.is_live() && task.revision == revision)
        };
        let pending = count(live().filter(|task| task.is_pending()));
        let of_revision = service.tasks.iter().filter(|task| task.revision == revision);
        let draining = count(of_revision.filter(|task| task.is_draining()));
        let is_primary = service
            .deployments
            .first()
            .is_some_and(|primary| primary.revision == revision);
        let requested = if is_primary {
            service.wanted(&self.world.settings)
        } else {
            count(live())
        };
        json!({
            "arn": self.service_revision_arn(service, revision),
            "requestedTaskCount": requested,
            "runningTaskCount": count(live()) - pending + draining,
            "pendingTaskCount": pending,
        })
    }

    /// A service deployment as `DescribeServiceDeployments` shows it.
    pub(crate) fn describe_deployment(&self, service: &Service, entry: &ServiceDeployment) -> Value {
        let setting = |path: &str| entry.config.pointer(path);
        let enabled = |path: &str| setting(path) == Some(&true.into());
        let over = !entry.status.is_under_way();
        let monitor = |enabled: bool, triggered: bool| match (enabled, triggered, over) {
            (false, ..) => "DISABLED",
            (_, true, _) => "TRIGGERED",
            (_, _, true) => "MONITORING_COMPLETE",
            _ => "MONITORING",
        };
        let mut body = json!({
            "serviceDeploymentArn": self.service_deployment_arn(service, entry),
            "serviceArn": service.arn,
            "clusterArn": self.names.arn("cluster", &service.cluster),
            "createdAt": timestamp(entry.created_at),
            "updatedAt": timestamp(entry.updated_at),
            "sourceServiceRevisions":
                entry.sources.iter().map(|source| self.revision_summary(service, *source)).collect::<Vec<_>>(),
            "targetServiceRevision": self.revision_summary(service, entry.target),
            "status": entry.status,
            "deploymentConfiguration": if entry.config.is_null() { json!({}) } else { entry.config.clone() },
            "deploymentCircuitBreaker": {
                "status": monitor(enabled("/deploymentCircuitBreaker/enable"), entry.breaker_triggered),
                "failureCount": entry.breaker_failures,
                "threshold": service.breaker_threshold(service.wanted(&self.world.settings)),
            },
            "alarms": {
                "status": monitor(enabled("/alarms/enable"), !entry.triggered_alarms.is_empty()),
                "alarmNames": setting("/alarms/alarmNames").cloned().unwrap_or_else(|| json!([])),
                "triggeredAlarmNames": entry.triggered_alarms,
            },
        });
        let moments = [
            ("startedAt", entry.started_at),
            ("finishedAt", entry.finished_at),
            ("stoppedAt", entry.stopped_at),
        ];
        for (member, at) in moments {
            if let Some(at) = at {
                body[member] = timestamp(at);
            }
        }
        if let Some(reason) = &entry.status_reason {
            body["statusReason"] = reason.clone().into();
        }
        if let Some((reason, at, target)) = &entry.rollback {
            let arn = self.service_revision_arn(service, *target);
            body["rollback"] = json!({"reason": reason, "startedAt": timestamp(*at), "serviceRevisionArn": arn});
        }
        let runs = service
            .deployments
            .first()
            .filter(|primary| std::ptr::eq(&raw const service.history[primary.history], entry));
        if let Some((stage, _)) = runs.and_then(|primary| primary.stage) {
            body["lifecycleStage"] = json!(stage);
        }
        if !entry.hooks.is_empty() {
            body["lifecycleHookDetails"] = entry.hooks.iter().map(Hook::describe).collect();
        }
        body
    }

    /// The service of a `service-deployment` or `service-revision` ARN, and the id at its end.
    fn find_by_arn<'a>(&self, arn: &'a str, kind: &str) -> Option<(u32, &'a str)> {
        let mut path = resource_path(arn, kind).split('/');
        let (cluster, name, id) = (path.next()?, path.next()?, path.next()?);
        if !arn.starts_with("arn:") || path.next().is_some() {
            return None;
        }
        let cluster = self.clusters.get(cluster).filter(|cluster| cluster.active)?;
        Some((self.find_service(cluster, name)?, id))
    }

    /// The service deployment an ARN names: the service, and the place in its history.
    ///
    /// # Errors
    /// `ServiceDeploymentNotFoundException`.
    pub(crate) fn find_deployment(&self, arn: &str) -> Result<(u32, usize), ApiError> {
        let found = self.find_by_arn(arn, "service-deployment").and_then(|(index, id)| {
            let mut history = self.services[index as usize].history.iter();
            Some((index, history.position(|entry| entry.id == id)?))
        });
        found.ok_or_else(|| {
            ApiError::new(
                "ServiceDeploymentNotFoundException",
                "The service deployment was not found.",
            )
        })
    }
}

/// The answer of an operation on service deployments or revisions that finds nothing; None for another operation.
pub(crate) fn nothing(operation: &str) -> Option<Value> {
    match operation {
        "ListServiceDeployments" => Some(json!({"serviceDeployments": []})),
        "DescribeServiceDeployments" => Some(json!({"serviceDeployments": [], "failures": []})),
        "DescribeServiceRevisions" => Some(json!({"serviceRevisions": [], "failures": []})),
        _ => None,
    }
}

fn brief(whole: &Value) -> Value {
    const MEMBERS: [&str; 8] = [
        "serviceDeploymentArn",
        "serviceArn",
        "clusterArn",
        "startedAt",
        "createdAt",
        "finishedAt",
        "status",
        "statusReason",
    ];
    let mut body = json!({"targetServiceRevisionArn": whole["targetServiceRevision"]["arn"]});
    for member in MEMBERS {
        if let Some(value) = whole.get(member) {
            body[member] = value.clone();
        }
    }
    body
}

pub(crate) fn list(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let index = simulation.service(request)?;
    let service = &simulation.services[index as usize];
    let statuses = texts(request, "status");
    let moment = |path: &str| request.pointer(path).and_then(Value::as_f64);
    let (after, before) = (moment("/createdAt/after"), moment("/createdAt/before"));
    let stale = service.stale.as_ref().filter(|stale| stale.until > now);
    let held = match stale {
        Some(stale) => stale.service_deployments.clone(),
        None => service
            .history
            .iter()
            .rev()
            .map(|entry| simulation.describe_deployment(service, entry))
            .collect(),
    };
    let found = held.into_iter().filter(|entry| {
        let created = entry["createdAt"].as_f64().unwrap_or_default();
        let status = entry["status"].as_str().unwrap_or_default();
        (statuses.is_empty() || statuses.contains(&status))
            && after.is_none_or(|after| created > after)
            && before.is_none_or(|before| created < before)
    });
    let (found, token) = page(request, 20, found)?;
    Ok(json!({"serviceDeployments": found.iter().map(brief).collect::<Vec<_>>(), "nextToken": token}))
}

pub(crate) fn describe(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in batch(request, "serviceDeploymentArns", 20)? {
        let Ok((index, place)) = simulation.find_deployment(arn) else {
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
            continue;
        };
        let service = &simulation.services[index as usize];
        let stale = service.stale.as_ref().filter(|stale| stale.until > now);
        let old = stale.and_then(|stale| {
            stale
                .service_deployments
                .iter()
                .find(|entry| entry["serviceDeploymentArn"].as_str() == Some(arn))
                .cloned()
        });
        found.push(old.unwrap_or_else(|| simulation.describe_deployment(service, &service.history[place])));
    }
    Ok(json!({"serviceDeployments": found, "failures": failures}))
}

pub(crate) fn describe_revisions(
    simulation: &mut Simulation,
    request: &Value,
    _: Milliseconds,
) -> Result<Value, ApiError> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in batch(request, "serviceRevisionArns", 20)? {
        let named = simulation.find_by_arn(arn, "service-revision");
        let revision = named.and_then(|(index, id)| {
            let service = &simulation.services[index as usize];
            service
                .revisions
                .iter()
                .find(|revision| revision.id == id)
                .map(|revision| (service, revision))
        });
        let Some((service, revision)) = revision else {
            failures.push(json!({"arn": arn, "reason": "MISSING"}));
            continue;
        };
        let image = |container: &RevisionContainer| {
            let mut body = json!({"containerName": container.name, "image": container.image});
            if let Some(digest) = &container.digest {
                body["imageDigest"] = digest.clone().into();
            }
            body
        };
        let mut body = json!({
            "serviceRevisionArn": arn,
            "serviceArn": service.arn,
            "clusterArn": simulation.names.arn("cluster", &service.cluster),
            "taskDefinition": revision.task_definition,
            "containerImages": revision.containers.iter().map(image).collect::<Vec<_>>(),
            "guardDutyEnabled": false,
            "createdAt": timestamp(revision.created_at),
        });
        for (member, value) in &revision.config {
            body[member] = value.clone();
        }
        found.push(body);
    }
    Ok(json!({"serviceRevisions": found, "failures": failures}))
}

pub(crate) fn stop(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let arn = text(request, "serviceDeploymentArn");
    let (index, place) = simulation.find_deployment(arn)?;
    let roll_back = text(request, "stopType") != "ABORT";
    simulation.keep_for_stale_reads(index, now);
    let Simulation { services, world, .. } = simulation;
    services[index as usize].request_stop(world, now, place, roll_back)?;
    simulation.plan(index);
    Ok(json!({"serviceDeploymentArn": arn}))
}
