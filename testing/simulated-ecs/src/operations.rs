//! The table of operations: a name, the bucket its calls are taken from, the function that carries it out.

use serde_json::Value;

use crate::buckets::Category;
use crate::error::ApiError;
use crate::names::Milliseconds;
use crate::simulation::{Api, Simulation};
use crate::{clusters, ecr, hooks, layers, service_deployments, services, tags, task_definitions, tasks};

/// Carries out a request that fits AWS's model, at a moment.
type Handler = fn(&mut Simulation, &Value, Milliseconds) -> Result<Value, ApiError>;

const ECS: [(&str, Category, Handler); 30] = [
    ("CreateCluster", Category::ClusterModify, clusters::create),
    ("DeleteCluster", Category::ClusterModify, clusters::delete),
    ("DescribeClusters", Category::ClusterRead, clusters::describe),
    ("ListClusters", Category::ClusterRead, clusters::list),
    ("CreateService", Category::ServiceModify, services::create),
    ("DeleteService", Category::ServiceModify, services::delete),
    ("UpdateService", Category::ServiceModify, services::update),
    ("DescribeServices", Category::ServiceRead, services::describe),
    ("ListServices", Category::ServiceRead, services::list),
    (
        "RegisterTaskDefinition",
        Category::TaskDefinitionModify,
        task_definitions::register,
    ),
    (
        "DeregisterTaskDefinition",
        Category::TaskDefinitionModify,
        task_definitions::deregister,
    ),
    (
        "DeleteTaskDefinitions",
        Category::TaskDefinitionModify,
        task_definitions::delete,
    ),
    (
        "DescribeTaskDefinition",
        Category::TaskDefinitionRead,
        task_definitions::describe,
    ),
    (
        "ListTaskDefinitions",
        Category::TaskDefinitionRead,
        task_definitions::list,
    ),
    (
        "ListTaskDefinitionFamilies",
        Category::TaskDefinitionRead,
        task_definitions::list_families,
    ),
    ("ListTasks", Category::ClusterResourceRead, tasks::list),
    ("DescribeTasks", Category::ClusterResourceRead, tasks::describe),
    ("RunTask", Category::Unlimited, tasks::run),
    ("StopTask", Category::Unlimited, tasks::stop),
    (
        "ListServiceDeployments",
        Category::ServiceDeploymentRead,
        service_deployments::list,
    ),
    (
        "DescribeServiceDeployments",
        Category::ServiceDeploymentRead,
        service_deployments::describe,
    ),
    (
        "DescribeServiceRevisions",
        Category::ServiceRevisionRead,
        service_deployments::describe_revisions,
    ),
    (
        "StopServiceDeployment",
        Category::ServiceModify,
        service_deployments::stop,
    ),
    (
        "ContinueServiceDeployment",
        // AWS's table of rates does not have it.
        Category::Unlimited,
        hooks::proceed,
    ),
    ("TagResource", Category::Unlimited, tags::tag),
    ("UntagResource", Category::Unlimited, tags::untag),
    ("ListTagsForResource", Category::Unlimited, tags::list),
    // A schedule can do this and no API: a host that fails; gone at once, with everything in it.
    ("_BreakHost", Category::Unlimited, services::break_host),
    ("_RemoveService", Category::Unlimited, services::remove),
    ("_RemoveCluster", Category::Unlimited, clusters::remove),
];

const ECR: [(&str, Category, Handler); 11] = [
    ("CreateRepository", Category::Unlimited, ecr::create_repository),
    ("DeleteRepository", Category::Unlimited, ecr::delete_repository),
    ("DescribeRepositories", Category::Unlimited, ecr::describe_repositories),
    ("DescribeImages", Category::Unlimited, ecr::describe_images),
    ("ListImages", Category::Unlimited, ecr::list_images),
    ("BatchGetImage", Category::Unlimited, ecr::batch_get_image),
    ("BatchDeleteImage", Category::Unlimited, ecr::batch_delete_image),
    ("PutImage", Category::Unlimited, ecr::put_image),
    ("InitiateLayerUpload", Category::Unlimited, layers::initiate),
    ("UploadLayerPart", Category::Unlimited, layers::upload_part),
    ("CompleteLayerUpload", Category::Unlimited, layers::complete),
];

fn find(api: Api, operation: &str) -> Option<&'static (&'static str, Category, Handler)> {
    let table: &[_] = match api {
        Api::Ecs => &ECS,
        Api::Ecr => &ECR,
    };
    table.iter().find(|(name, ..)| *name == operation)
}

/// The bucket that a call of this operation is taken from.
pub(crate) fn category(api: Api, operation: &str) -> Category {
    find(api, operation).map_or(Category::Unlimited, |(_, category, _)| *category)
}

/// Carries out a request.
///
/// # Errors
/// The error that AWS would answer.
pub(crate) fn run(
    simulation: &mut Simulation,
    api: Api,
    operation: &str,
    request: &Value,
    now: Milliseconds,
) -> Result<Value, ApiError> {
    match find(api, operation) {
        Some((_, _, handler)) => handler(simulation, request, now),
        None => Err(unknown(operation)),
    }
}

/// The answer to an operation that AWS may have and this has not.
pub(crate) fn unknown(operation: &str) -> ApiError {
    ApiError::new("UnknownOperationException", format!("{operation} is not simulated"))
}

/// True if a schedule may name this operation.
pub(crate) fn is_known(operation: &str) -> bool {
    find(Api::Ecs, operation)
        .or_else(|| find(Api::Ecr, operation))
        .is_some()
}

/// A text member of a request; empty if it is not there.
pub(crate) fn text<'a>(request: &'a Value, member: &str) -> &'a str {
    request.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a list member of a request.
pub(crate) fn texts<'a>(request: &'a Value, member: &str) -> Vec<&'a str> {
    request
        .get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// A list member that must hold from 1 up to so many names.
///
/// # Errors
/// `InvalidParameterException`, in AWS's words.
pub(crate) fn batch<'a>(request: &'a Value, member: &str, most: usize) -> Result<Vec<&'a str>, ApiError> {
    let names = texts(request, member);
    let mut title = member.to_owned();
    title[..1].make_ascii_uppercase();
    match names.len() {
        0 => Err(ApiError::invalid(format!("{title} cannot be empty."))),
        count if count > most => Err(ApiError::invalid(format!(
            "{title} cannot have more than {most} elements."
        ))),
        _ => Ok(names),
    }
}

/// A page of a list, and what to ask for the next one with.
///
/// A token holds where to go on, not what was asked for: filters have to be given on every page, as with AWS.
///
/// # Errors
/// `InvalidParameterException` for a page size outside 1 to 100 and for a token that is none.
pub(crate) fn page<T>(
    request: &Value,
    default_size: usize,
    items: impl Iterator<Item = T>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    page_up_to(request, default_size, 100, items)
}

/// The same where a page may have `most` items.
pub(crate) fn page_up_to<T>(
    request: &Value,
    default_size: usize,
    most: usize,
    items: impl Iterator<Item = T>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = match request.get("maxResults").filter(|size| !size.is_null()) {
        None => default_size,
        Some(size) => match size.as_u64().and_then(|size| usize::try_from(size).ok()) {
            Some(size) if (1..=most).contains(&size) => size,
            _ => {
                let message = format!("Invalid maxResults: must be between 1 and {most}.");
                return Err(ApiError::invalid(message));
            }
        },
    };
    let start = match request.get("nextToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => match token
            .strip_prefix("page-")
            .and_then(|start| usize::from_str_radix(start, 16).ok())
        {
            Some(start) => start,
            None => return Err(ApiError::invalid("Invalid token.")),
        },
    };
    let mut rest = items.skip(start);
    let found: Vec<T> = rest.by_ref().take(size).collect();
    let token = rest.next().map(|_| format!("page-{:x}", start + size));
    Ok((found, token))
}
