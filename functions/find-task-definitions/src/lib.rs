//! A push in, what is to be deployed out.

pub mod limits;
pub mod plan;

use futures::future::try_join;
use limits::plan_within;
use plan::plan;
use serde_json::Value;
use shared::arn::{ClusterName, TaskDefinitionArn};
use shared::config::Config;
use shared::contract::{Plan, SkipReason, Skipped};
use shared::ecs::{DescribedServices, Ecs};
use shared::error::Error;
use shared::push::{Push, PushedImage, parse_push};
use shared::runtime::{Request, log_image};
use shared::service::Service;
use shared::task_definition::TaskDefinition;
use std::collections::{BTreeMap, HashSet};

/// Finds what runs the repository of a pushed image: the step "Find task definitions".
///
/// The input is the raw EventBridge event. The plan lists each revision in use with its services, then the newest
/// revision of each family without a service; it changes nothing.
///
/// # Errors
///
/// `Deploy.InvalidInput` when the event cannot be read, or when the plan is too large for one execution; `Deploy.Unavailable` and `Deploy.Rejected` by ECS.
pub async fn handle(ecs: &Ecs, config: &Config, request: Request<Value>) -> Result<Plan, Error> {
    let image = match parse_push(&request.input)? {
        Push::Tagged(image) => image,
        Push::Nothing(nothing) => {
            let skipped = vec![plan::nothing_pushed(&nothing)];
            return plan_within(config, None, Vec::new(), skipped);
        }
    };
    log_image(&image);
    if image.tag.is_latest() && !config.deploy_latest {
        let skipped = vec![plan::latest_is_off(&image)];
        return plan_within(config, Some(image), Vec::new(), skipped);
    }
    let (services, mut skipped) = look_at_services(ecs, config).await?;
    let standalone = async {
        if config.scan_families {
            look_at_families(ecs, &services).await
        } else {
            Ok(Vec::new())
        }
    };
    let (definitions, standalone) = try_join(look_at_definitions(ecs, &services), standalone).await?;
    let planned = plan(&image, &services, &definitions, &standalone);
    skipped.extend(planned.skipped);
    if planned.revisions.is_empty() && skipped.is_empty() {
        skipped.push(plan::not_in_use(&image));
    }
    log_plan(&image, &services, &planned.revisions, &skipped);
    plan_within(config, Some(image), planned.revisions, plan::bounded(skipped))
}

/// Every service of the configured clusters, and the clusters and services that were not there.
async fn look_at_services(ecs: &Ecs, config: &Config) -> Result<(Vec<Service>, Vec<Skipped>), Error> {
    let clusters = if config.clusters.is_empty() {
        ecs.clusters().await?
    } else {
        config.clusters.clone()
    };
    let mut services = Vec::new();
    let mut skipped = Vec::new();
    for cluster in &clusters {
        match look_at_cluster(ecs, cluster).await {
            Ok(described) => {
                services.extend(described.services);
                skipped.extend(described.missing.into_iter().map(|(arn, reason)| Skipped {
                    message: format!(
                        "the service was listed but is not described ({reason}): it was deleted meanwhile"
                    ),
                    count: 1,
                    resource: arn,
                    reason: SkipReason::ServiceNotActive,
                }));
            }
            Err(Error::NotFound(message)) => skipped.push(Skipped {
                resource: format!("cluster {cluster}"),
                reason: SkipReason::ClusterNotFound,
                message: format!(
                    "{message}; if the cluster was deleted on purpose, take it out of the setting clusters"
                ),
                count: 1,
            }),
            Err(error) => return Err(error),
        }
    }
    Ok((services, skipped))
}

async fn look_at_cluster(ecs: &Ecs, cluster: &ClusterName) -> Result<DescribedServices, Error> {
    let names = ecs.services(cluster).await?;
    ecs.describe_services(cluster, &names).await
}

/// The revisions that services run, each described once.
async fn look_at_definitions(
    ecs: &Ecs,
    services: &[Service],
) -> Result<BTreeMap<TaskDefinitionArn, Option<TaskDefinition>>, Error> {
    let distinct: HashSet<&TaskDefinitionArn> = services.iter().flat_map(|service| &service.task_definitions).collect();
    let arns: Vec<&TaskDefinitionArn> = distinct.into_iter().collect();
    let names: Vec<&str> = arns.iter().map(|arn| arn.as_str()).collect();
    let described = ecs.describe_task_definitions(&names).await?;
    Ok(arns.into_iter().cloned().zip(described).collect())
}

/// The newest ACTIVE revision of every family that no service is on.
async fn look_at_families(ecs: &Ecs, services: &[Service]) -> Result<Vec<TaskDefinition>, Error> {
    let of_services = services.iter().flat_map(|service| &service.task_definitions);
    let in_service: HashSet<&str> = of_services.map(TaskDefinitionArn::family).collect();
    let families = ecs.families().await?;
    let standalone: Vec<&str> = families
        .iter()
        .map(String::as_str)
        .filter(|family| !in_service.contains(family))
        .collect();
    Ok(ecs
        .describe_task_definitions(&standalone)
        .await?
        .into_iter()
        .flatten()
        .collect())
}

fn log_plan(
    image: &PushedImage,
    seen: &[Service],
    revisions: &[shared::contract::PlannedRevision],
    skipped: &[Skipped],
) {
    let services: usize = revisions.iter().map(|revision| revision.services.len()).sum();
    tracing::info!(
        services_seen = seen.len(),
        revisions = revisions.len(),
        services,
        skipped = skipped.len(),
        "planned the deployment of {image}"
    );
    for Skipped {
        resource,
        reason,
        message,
        ..
    } in skipped
    {
        tracing::info!(%resource, ?reason, "left out: {message}");
    }
}
