//! Reads every service of the configured clusters.

use crate::policy;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::Skipped;
use ecr_deploy::domain::arn::{ClusterName, TaskDefinitionArn};
use ecr_deploy::domain::service::Service;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use futures::channel::mpsc::UnboundedSender;
use futures::stream::TryStreamExt;
use std::collections::HashSet;
use std::pin::pin;

/// The services that were read of the clusters.
#[derive(Debug, Default)]
pub struct Seen {
    /// Each with its primary deployment alone, and without its events.
    pub services: Vec<Service>,
    /// The clusters and services that were not there.
    pub skipped: Vec<Skipped>,
}

/// Every service of the configured clusters. The revisions that they run are told to `found`, each once, which is
/// closed at the end.
///
/// # Errors
///
/// As [`Ecs::clusters`].
pub async fn read_services(
    ecs: &Ecs,
    config: &Config,
    found: UnboundedSender<TaskDefinitionArn>,
) -> Result<Seen, Error> {
    let clusters = if config.clusters.is_empty() {
        ecs.clusters().await?
    } else {
        config.clusters.clone()
    };
    let mut seen = Seen::default();
    let mut told = HashSet::new();
    for cluster in &clusters {
        match read_cluster(ecs, cluster, &mut told, &found).await {
            Ok(of_cluster) => {
                seen.services.extend(of_cluster.services);
                seen.skipped.extend(of_cluster.skipped);
            }
            Err(Error::NotFound(answer)) => seen.skipped.push(policy::cluster_not_found(cluster, &answer)),
            Err(error) => return Err(error),
        }
    }
    Ok(seen)
}

async fn read_cluster(
    ecs: &Ecs,
    cluster: &ClusterName,
    told: &mut HashSet<TaskDefinitionArn>,
    found: &UnboundedSender<TaskDefinitionArn>,
) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let mut batches = pin!(ecs.services(cluster));
    while let Some(batch) = batches.try_next().await? {
        for mut service in batch.services {
            for revision in &service.task_definitions {
                if told.insert(revision.clone()) {
                    // Nobody listens any more when reading a revision has failed, and then this read fails too.
                    let _failed = found.unbounded_send(revision.clone());
                }
            }
            // A plan asks of the primary deployment alone whether it is steady, and a service may have a hundred
            // events. All services of the account are kept, so none keeps the room of the answer that it was read from.
            service.deployments.retain(|deployment| deployment.is_primary);
            service.deployments.shrink_to_fit();
            service.task_definitions.shrink_to_fit();
            service.events = Vec::new();
            seen.services.push(service);
        }
        let missing = batch.missing.into_iter();
        seen.skipped
            .extend(missing.map(|(arn, answer)| policy::service_not_found(&arn, &answer)));
    }
    Ok(seen)
}
