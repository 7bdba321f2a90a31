//! Task definitions: registered as they come, member by member, and never changed but for their status and tags.

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::names::{Milliseconds, resource_path, timestamp};
use crate::operations::{batch, page, text, texts};
use crate::simulation::Simulation;
use crate::tags;

/// A revision of a family.
#[derive(Debug, Clone)]
pub(crate) struct TaskDefinition {
    pub(crate) family: String,
    pub(crate) revision: usize,
    /// The document as it was registered, without the tags: also members that no model knows.
    pub(crate) document: Map<String, Value>,
    pub(crate) tags: Vec<Value>,
    pub(crate) active: bool,
    pub(crate) registered_at: Milliseconds,
    /// From when lists, and the family's name, show it.
    shown_at: Milliseconds,
    pub(crate) deregistered_at: Option<Milliseconds>,
    /// True once it was deleted: nothing shows it any more. Its number is not given again.
    deleted: bool,
}

impl TaskDefinition {
    /// Its containers, as registered.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Value> {
        self.document
            .get("containerDefinitions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    /// Its task role and its execution role, as registered.
    pub(crate) fn roles(&self) -> Vec<String> {
        let roles = ["taskRoleArn", "executionRoleArn"].map(|member| self.document.get(member)?.as_str());
        roles.into_iter().flatten().map(str::to_owned).collect()
    }
}

impl Simulation {
    /// The ARN of a revision.
    pub(crate) fn task_definition_arn(&self, definition: &TaskDefinition) -> String {
        self.names.arn(
            "task-definition",
            &format!("{}:{}", definition.family, definition.revision),
        )
    }

    /// The revision that a family, `family:revision` or ARN names. A family alone stands for its newest ACTIVE revision.
    pub(crate) fn find_task_definition(&self, given: &str) -> Option<&TaskDefinition> {
        self.find_shown(given, Milliseconds::MAX)
    }

    /// The same, but a family alone stands for the newest ACTIVE revision that reads show at this moment.
    fn find_shown(&self, given: &str, now: Milliseconds) -> Option<&TaskDefinition> {
        let path = resource_path(given, "task-definition");
        match path.split_once(':') {
            None => self
                .families
                .get(path)?
                .iter()
                .rev()
                .find(|definition| definition.active && definition.shown_at <= now),
            Some((family, revision)) => {
                let place = revision.parse::<usize>().ok()?.checked_sub(1)?;
                self.families.get(family)?.get(place).filter(|found| !found.deleted)
            }
        }
    }

    /// The revision that a service or a task is to run.
    ///
    /// # Errors
    /// `ClientException` if there is none or if it is INACTIVE.
    pub(crate) fn runnable(&self, given: &str) -> Result<&TaskDefinition, ApiError> {
        let found = self
            .find_task_definition(given)
            .ok_or_else(|| ApiError::client("TaskDefinition not found."))?;
        if found.active {
            Ok(found)
        } else {
            Err(ApiError::client("TaskDefinition is inactive"))
        }
    }

    /// `taskDefinition` of an answer: the document, and what ECS adds to it.
    fn described(&self, definition: &TaskDefinition) -> Value {
        let mut body = definition.document.clone();
        let required = definition
            .document
            .get("requiresCompatibilities")
            .and_then(Value::as_array);
        let fargate = required.is_some_and(|required| required.contains(&"FARGATE".into()));
        let added = json!({
            "taskDefinitionArn": self.task_definition_arn(definition),
            "revision": definition.revision,
            "status": if definition.active { "ACTIVE" } else { "INACTIVE" },
            "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.ecr-auth"}],
            "compatibilities": if fargate { json!(["EC2", "FARGATE"]) } else { json!(["EC2"]) },
            "registeredAt": timestamp(definition.registered_at),
            "registeredBy": self.names.caller(),
        });
        body.extend(added.as_object().cloned().unwrap_or_default());
        if let Some(at) = definition.deregistered_at {
            body.insert("deregisteredAt".to_owned(), timestamp(at));
        }
        Value::Object(body)
    }

    /// Registers a document that was checked, and returns its revision.
    fn add_revision(&mut self, mut document: Map<String, Value>, now: Milliseconds) -> &TaskDefinition {
        let tags = document
            .remove("tags")
            .and_then(|tags| tags.as_array().cloned())
            .unwrap_or_default();
        let family = document
            .get("family")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let revisions = self.families.entry(family.clone()).or_default();
        let revision = revisions.len() + 1;
        let added = TaskDefinition {
            family,
            revision,
            document,
            tags,
            active: true,
            registered_at: now,
            shown_at: now + self.sky.stale,
            deregistered_at: None,
            deleted: false,
        };
        revisions.push(added);
        &revisions[revision - 1]
    }
}

/// Adds what AWS adds to a document that does not say it. A document that was described and registered again stays as it is.
fn fill_in(document: &mut Map<String, Value>) {
    for list in ["volumes", "placementConstraints"] {
        document.entry(list).or_insert_with(|| json!([]));
    }
    let containers = document.get_mut("containerDefinitions").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
        for list in [
            "environment",
            "mountPoints",
            "portMappings",
            "systemControls",
            "volumesFrom",
        ] {
            container.entry(list).or_insert_with(|| json!([]));
        }
        container.entry("cpu").or_insert_with(|| json!(0));
        container.entry("essential").or_insert_with(|| json!(true));
    }
}

fn check(request: &Value) -> Result<(), ApiError> {
    let family = text(request, "family");
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if family.is_empty() || family.len() > 255 || !family.chars().all(legal) {
        return Err(ApiError::client("Family contains invalid characters."));
    }
    let containers = request
        .get("containerDefinitions")
        .and_then(Value::as_array)
        .map(Vec::as_slice);
    let containers = containers.filter(|containers| !containers.is_empty());
    let containers = containers.ok_or_else(|| ApiError::client("Container list cannot be empty."))?;
    let mut names = Vec::with_capacity(containers.len());
    for container in containers {
        let name = text(container, "name");
        if name.is_empty() {
            return Err(ApiError::client("Container.name should not be null or empty."));
        }
        if text(container, "image").is_empty() {
            return Err(ApiError::client("Container.image should not be null or empty."));
        }
        if names.contains(&name) {
            return Err(ApiError::client(
                "Container names should be unique within a task definition.",
            ));
        }
        names.push(name);
    }
    let essential = |container: &Value| container.get("essential").is_none_or(|essential| essential != false);
    if !containers.iter().any(essential) {
        return Err(ApiError::client("At least one container must be marked essential."));
    }
    if request.get("tags").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid("Tags cannot be empty."));
    }
    tags::check(request)
}

pub(crate) fn register(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    check(request)?;
    let mut document = request.as_object().cloned().unwrap_or_default();
    fill_in(&mut document);
    let definition = simulation.add_revision(document, now).clone();
    let mut answer = json!({"taskDefinition": simulation.described(&definition)});
    if !definition.tags.is_empty() {
        answer["tags"] = definition.tags.into();
    }
    Ok(answer)
}

pub(crate) fn deregister(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let given = text(request, "taskDefinition");
    let missing = || ApiError::client("The specified task definition does not exist.");
    if !resource_path(given, "task-definition").contains(':') {
        return Err(ApiError::invalid("Invalid revision number. Number: null"));
    }
    let found = simulation.find_task_definition(given).ok_or_else(missing)?;
    let (family, place) = (found.family.clone(), found.revision - 1);
    let revision = simulation
        .families
        .get_mut(&family)
        .and_then(|revisions| revisions.get_mut(place));
    let revision = revision.ok_or_else(missing)?;
    revision.active = false;
    revision.deregistered_at.get_or_insert(now);
    let revision = revision.clone();
    Ok(json!({"taskDefinition": simulation.described(&revision)}))
}

/// Deletes revisions that were deregistered. AWS keeps one for as long as a task or a service refers to it, as
/// `DELETE_IN_PROGRESS`; here it is gone at once.
pub(crate) fn delete(simulation: &mut Simulation, request: &Value, _: Milliseconds) -> Result<Value, ApiError> {
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for given in batch(request, "taskDefinitions", 10)? {
        let found = simulation
            .find_task_definition(given)
            .map(|found| (found.active, found.family.clone(), found.revision - 1));
        let Some((false, family, place)) = found else {
            let reason =
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again.";
            let reason = if found.is_some() { reason } else { "MISSING" };
            failures.push(json!({"arn": given, "reason": reason}));
            continue;
        };
        let revisions = simulation.families.get_mut(&family);
        let Some(revision) = revisions.and_then(|revisions| revisions.get_mut(place)) else {
            continue;
        };
        revision.deleted = true;
        let revision = revision.clone();
        let mut body = simulation.described(&revision);
        body["status"] = "DELETE_IN_PROGRESS".into();
        deleted.push(body);
    }
    Ok(json!({"taskDefinitions": deleted, "failures": failures}))
}

pub(crate) fn describe(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let found = simulation.find_shown(text(request, "taskDefinition"), now);
    let found = found.ok_or_else(|| ApiError::client("Unable to describe task definition."))?;
    let mut answer = json!({"taskDefinition": simulation.described(found)});
    if texts(request, "include").contains(&"TAGS") {
        answer["tags"] = found.tags.clone().into();
    }
    Ok(answer)
}

fn wanted_status<'a>(request: &'a Value, default: &'a str) -> &'a str {
    request.get("status").and_then(Value::as_str).unwrap_or(default)
}

pub(crate) fn list(simulation: &mut Simulation, request: &Value, now: Milliseconds) -> Result<Value, ApiError> {
    let status = wanted_status(request, "ACTIVE");
    if status == "DELETE_IN_PROGRESS" {
        return Ok(json!({"taskDefinitionArns": []}));
    }
    let family = request.get("familyPrefix").and_then(Value::as_str);
    let families = simulation
        .families
        .iter()
        .filter(|(name, _)| family.is_none_or(|family| family == *name));
    let revisions = families.flat_map(|(_, revisions)| revisions);
    let mut found: Vec<&TaskDefinition> = revisions
        .filter(|it| it.shown_at <= now && !it.deleted && it.active == (status == "ACTIVE"))
        .collect();
    if text(request, "sort") == "DESC" {
        found.reverse();
    }
    let arns = found
        .into_iter()
        .map(|definition| simulation.task_definition_arn(definition));
    let (arns, token) = page(request, 100, arns)?;
    Ok(json!({"taskDefinitionArns": arns, "nextToken": token}))
}

pub(crate) fn list_families(
    simulation: &mut Simulation,
    request: &Value,
    now: Milliseconds,
) -> Result<Value, ApiError> {
    // AWS: "By default, both ACTIVE and INACTIVE task definition families are listed."
    let (status, prefix) = (wanted_status(request, "ALL"), text(request, "familyPrefix"));
    let fits = |revisions: &Vec<TaskDefinition>| {
        let mut shown = revisions
            .iter()
            .filter(|definition| definition.shown_at <= now && !definition.deleted)
            .peekable();
        shown.peek().is_some()
            && match status {
                "ACTIVE" => shown.any(|definition| definition.active),
                "INACTIVE" => !shown.any(|definition| definition.active),
                _ => true,
            }
    };
    let families = simulation
        .families
        .iter()
        .filter(|(name, revisions)| name.starts_with(prefix) && fits(revisions))
        .filter(|(name, _)| !simulation.world.unlisted.contains(*name));
    let (families, token) = page(request, 100, families.map(|(name, _)| name))?;
    Ok(json!({"families": families, "nextToken": token}))
}
