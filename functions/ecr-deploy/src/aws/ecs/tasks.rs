//! The tasks of a service: which stopped, and which contents they run.

use super::{CONCURRENT_CALLS, Ecs, PAGE, convert};
use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::service::{ContainerDigest, StoppedTask, title};
use crate::error::Error;
use aws_sdk_ecs::types::{DesiredStatus, Task};
use futures::stream::{self, StreamExt, TryStreamExt};

/// How many tasks `DescribeTasks` takes.
const TASKS_PER_CALL: usize = 100;

impl Ecs {
    /// The tasks of the service that have stopped lately (ECS tells of them for about an hour), of whatever deployment.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn stopped_tasks(&self, cluster: &ClusterName, service: &ServiceName) -> Result<Vec<StoppedTask>, Error> {
        let stopped = self.tasks(cluster, service, DesiredStatus::Stopped).await?;
        Ok(stopped.into_iter().map(convert::stopped_task).collect())
    }

    /// Returns the digests of a revision's images in a service's tasks: in those that run, else in those that stopped
    /// within the hour. Empty when there are none.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn task_digests(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        revision: &TaskDefinitionArn,
    ) -> Result<Vec<ContainerDigest>, Error> {
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let tasks = self.tasks(cluster, service, status).await?;
            let of_revision = tasks
                .into_iter()
                .filter(|task| task.task_definition_arn() == Some(revision.as_str()));
            let digests: Vec<ContainerDigest> = of_revision.flat_map(convert::task_digests).collect();
            if !digests.is_empty() {
                return Ok(digests);
            }
        }
        Ok(Vec::new())
    }

    /// Returns the digests of the images in the tasks of one of a service's deployments, `ecs-svc/…`, as far as ECS says: in
    /// those that run, or in those that stopped within the hour.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn deployment_digests(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        deployment: &str,
        status: DesiredStatus,
    ) -> Result<Vec<ContainerDigest>, Error> {
        let tasks = self.tasks(cluster, service, status).await?;
        let of_deployment = tasks.into_iter().filter(|task| task.started_by() == Some(deployment));
        Ok(of_deployment.flat_map(convert::task_digests).collect())
    }

    async fn tasks(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        status: DesiredStatus,
    ) -> Result<Vec<Task>, Error> {
        let request = self
            .client
            .list_tasks()
            .cluster(cluster.as_str())
            .service_name(service.as_str());
        let request = request.desired_status(status).max_results(PAGE);
        let call = format!("ListTasks of {}", title(cluster, service));
        let arns = request
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        let arns = arns.map_err(|error| Error::from_aws(&call, &error))?;
        let described = stream::iter(arns.chunks(TASKS_PER_CALL)).map(async |batch| {
            let request = self
                .client
                .describe_tasks()
                .cluster(cluster.as_str())
                .set_tasks(Some(batch.to_vec()));
            let call = format!("DescribeTasks of {}", title(cluster, service));
            let response = request.send().await.map_err(|error| Error::from_aws(&call, &error))?;
            Ok::<_, Error>(response.tasks.unwrap_or_default())
        });
        described.buffered(CONCURRENT_CALLS).try_concat().await
    }
}
