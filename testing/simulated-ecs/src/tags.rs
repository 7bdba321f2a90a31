//! Tags of services, task definitions and clusters.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::names::{Milliseconds, resource_path};
use crate::operations::{text, texts};
use crate::simulation::Simulation;

const MOST_TAGS: usize = 50;

/// Checks the `tags` of a request, if it has any: at most 50, each key once, none of AWS's own.
///
/// # Errors
/// `InvalidParameterException`.
pub(crate) fn check(request: &Value) -> Result<(), ApiError> {
    let tags = request
        .get("tags")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if tags.len() > MOST_TAGS {
        return Err(ApiError::invalid("Tags cannot have more than 50 elements."));
    }
    let mut keys: Vec<&str> = tags.iter().map(|tag| text(tag, "key")).collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err(ApiError::invalid("Tag key cannot be empty."));
    }
    if keys.iter().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(ApiError::invalid("Tag keys and values cannot start with aws:."));
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ApiError::invalid("Duplicate tag keys."));
    }
    Ok(())
}

fn find<'a>(simulation: &'a mut Simulation, request: &Value) -> Result<&'a mut Vec<Value>, ApiError> {
    let arn = text(request, "resourceArn");
    let missing = || ApiError::invalid("The specified resource is not found.");
    let kind = arn
        .splitn(6, ':')
        .nth(5)
        .and_then(|resource| resource.split('/').next())
        .unwrap_or_default();
    let path = resource_path(arn, kind);
    match kind {
        "cluster" => simulation.clusters.get_mut(path).map(|cluster| &mut cluster.tags),
        "service" => {
            let (cluster, name) = path.split_once('/').ok_or_else(missing)?;
            let place = simulation
                .clusters
                .get(cluster)
                .and_then(|cluster| cluster.services.get(name))
                .copied();
            place.map(|place| &mut simulation.services[place as usize].tags)
        }
        "task-definition" => {
            let found = simulation
                .find_task_definition(arn)
                .map(|found| (found.family.clone(), found.revision - 1));
            let (family, place) = found.ok_or_else(missing)?;
            let revisions = simulation.families.get_mut(&family);
            revisions
                .and_then(|revisions| revisions.get_mut(place))
                .map(|revision| &mut revision.tags)
        }
        _ => None,
    }
    .ok_or_else(missing)
}

pub(crate) fn tag(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    check(request)?;
    let held = find(simulation, request)?;
    for tag in request.get("tags").and_then(Value::as_array).into_iter().flatten() {
        held.retain(|other| text(other, "key") != text(tag, "key"));
        held.push(tag.clone());
    }
    Ok(json!({}))
}

pub(crate) fn untag(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let keys = texts(request, "tagKeys");
    find(simulation, request)?.retain(|tag| !keys.contains(&text(tag, "key")));
    Ok(json!({}))
}

pub(crate) fn list(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    Ok(json!({"tags": find(simulation, request)?.clone()}))
}
