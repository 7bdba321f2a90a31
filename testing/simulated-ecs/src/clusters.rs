//! Clusters: create, delete, describe, list.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::names::{Milliseconds, resource_path};
use crate::operations::{page, texts};
use crate::service::ServiceStatus;
use crate::simulation::{Cluster, Simulation};

fn view(simulation: &Simulation, cluster: &Cluster, include: &[&str]) -> Value {
    let (mut active, mut running, mut pending) = (0, 0, 0);
    for index in cluster.services.values() {
        let service = &simulation.services[*index as usize];
        active += u32::from(service.status == ServiceStatus::Active);
        running += service
            .tasks
            .iter()
            .filter(|task| task.is_live() && !task.is_pending())
            .count();
        pending += service
            .tasks
            .iter()
            .filter(|task| task.is_live() && task.is_pending())
            .count();
    }
    let mut body = json!({
        "clusterArn": simulation.names.arn("cluster", &cluster.name),
        "clusterName": cluster.name,
        "status": if cluster.active { "ACTIVE" } else { "INACTIVE" },
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": active,
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": cluster.config.get("capacityProviders").unwrap_or(&json!([])),
        "defaultCapacityProviderStrategy": cluster.config.get("defaultCapacityProviderStrategy").unwrap_or(&json!([])),
    });
    if include.contains(&"TAGS") {
        body["tags"] = cluster.tags.clone().into();
    }
    if include.contains(&"SETTINGS") {
        body["settings"] = cluster.config.get("settings").cloned().unwrap_or_else(|| json!([]));
    }
    if include.contains(&"CONFIGURATIONS")
        && let Some(configuration) = cluster.config.get("configuration")
    {
        body["configuration"] = configuration.clone();
    }
    body
}

pub(crate) fn create(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let name = request
        .get("clusterName")
        .and_then(Value::as_str)
        .unwrap_or("default")
        .to_owned();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 255 || !name.chars().all(legal) {
        return Err(ApiError::invalid("Identifier is an unexpected format."));
    }
    simulation.ensure_cluster(&name, request);
    let cluster = &simulation.clusters[&name];
    Ok(json!({"cluster": view(simulation, cluster, &["TAGS", "SETTINGS", "CONFIGURATIONS"])}))
}

impl Simulation {
    /// Lists a cluster no more, nor the families of its services. All else knows them still, so that a search that has listed
    /// them before ends as it would have.
    pub fn unlist_cluster(&mut self, name: &str) {
        let services = self
            .clusters
            .get(name)
            .into_iter()
            .flat_map(|cluster| cluster.services.values());
        let on = services.map(|index| self.services[*index as usize].task_definition.clone());
        let families = on.filter_map(|on| Some(self.find_task_definition(&on)?.family.clone()));
        let families: Vec<String> = families.collect();
        self.world.unlisted.extend(families);
        self.world.unlisted.insert(name.to_owned());
    }

    /// Creates a cluster with the members of a `CreateCluster` request, unless it is there already.
    pub(crate) fn ensure_cluster(&mut self, name: &str, request: &Value) {
        if self.clusters.get(name).is_some_and(|cluster| cluster.active) {
            return;
        }
        let members: Map<String, Value> = request.as_object().cloned().unwrap_or_default();
        let tags = members
            .get("tags")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let cluster = Cluster {
            name: name.to_owned(),
            active: true,
            config: members,
            tags,
            services: BTreeMap::new(),
        };
        self.clusters.insert(name.to_owned(), cluster);
    }
}

pub(crate) fn delete(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?;
    let services: Vec<u32> = cluster.services.values().copied().collect();
    let name = cluster.name.clone();
    let status = |index: &u32| simulation.services[*index as usize].status;
    if services.iter().any(|index| status(index) == ServiceStatus::Active) {
        let message = "The Cluster cannot be deleted while Services are active.";
        return Err(ApiError::new("ClusterContainsServicesException", message));
    }
    if services.iter().any(|index| status(index) == ServiceStatus::Draining) {
        let message = "The Cluster cannot be deleted while Tasks are active.";
        return Err(ApiError::new("ClusterContainsTasksException", message));
    }
    if let Some(cluster) = simulation.clusters.get_mut(&name) {
        cluster.active = false;
    }
    Ok(json!({"cluster": view(simulation, &simulation.clusters[&name], &[])}))
}

/// Only a schedule can do this: the cluster and everything in it are gone at once.
pub(crate) fn remove(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let cluster = simulation.cluster(request)?;
    let (name, services) = (
        cluster.name.clone(),
        cluster.services.values().copied().collect::<Vec<_>>(),
    );
    for index in services {
        simulation.remove_service(index);
    }
    if let Some(cluster) = simulation.clusters.get_mut(&name) {
        cluster.active = false;
    }
    Ok(json!({}))
}

pub(crate) fn describe(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let mut names = texts(request, "clusters");
    if names.len() > 100 {
        return Err(ApiError::invalid("Clusters cannot have more than 100 elements."));
    }
    if names.is_empty() {
        names.push("default");
    }
    let include = texts(request, "include");
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for given in names {
        let name = resource_path(given, "cluster");
        match simulation.clusters.get(name) {
            Some(cluster) => clusters.push(view(simulation, cluster, &include)),
            None => failures.push(json!({"arn": simulation.names.arn("cluster", name), "reason": "MISSING"})),
        }
    }
    Ok(json!({"clusters": clusters, "failures": failures}))
}

pub(crate) fn list(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let active = simulation.clusters.values().filter(|cluster| cluster.active);
    let listed = active.filter(|cluster| !simulation.world.unlisted.contains(&cluster.name));
    let (clusters, token) = page(request, 100, listed)?;
    let arns: Vec<String> = clusters
        .iter()
        .map(|cluster| simulation.names.arn("cluster", &cluster.name))
        .collect();
    Ok(json!({"clusterArns": arns, "nextToken": token}))
}
