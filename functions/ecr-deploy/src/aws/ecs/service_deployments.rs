//! ECS's own records of the rollouts of a service; stop one.

use super::{Ecs, PAGE, convert};
use crate::domain::arn::{ClusterName, ServiceName};
use crate::domain::service::{ServiceDeployment, title};
use crate::error::Error;
use aws_sdk_ecs::types::{CreatedAt, ServiceDeploymentBrief, StopServiceDeploymentStopType};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// How many records are read: so many service revisions `DescribeServiceRevisions` takes.
pub const RECORDS: usize = 20;

impl Ecs {
    /// ECS's own records of the service's rollouts that were asked for after `after`, newest first, at most [`RECORDS`].
    ///
    /// `None` where the service deployments API does not answer: not permitted, not supported, or empty, as it is for a
    /// service that was last deployed before ECS kept these records.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`]; `Deploy.Unavailable` also while the newest one is under way and ECS does not describe its
    /// revision yet.
    pub async fn service_deployments(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        after: Option<Timestamp>,
    ) -> Result<Option<Vec<ServiceDeployment>>, Error> {
        match self.told_service_deployments(cluster, service, after).await {
            Err(Error::Rejected(message)) => {
                tracing::warn!("doing without the service deployments API: {message}");
                Ok(None)
            }
            read => read,
        }
    }

    /// The same for a person, who wants to hear why ECS does not tell.
    ///
    /// # Errors
    ///
    /// `Deploy.Rejected` too.
    pub async fn told_service_deployments(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        after: Option<Timestamp>,
    ) -> Result<Option<Vec<ServiceDeployment>>, Error> {
        let mut briefs = self.service_deployment_briefs(cluster, service, after).await?;
        briefs.sort_by_key(|brief| Reverse(brief.created_at.map(|at| (at.secs(), at.subsec_nanos()))));
        briefs.truncate(RECORDS);
        let targets = briefs
            .iter()
            .filter_map(|brief| brief.target_service_revision_arn.clone());
        let targets: BTreeSet<String> = targets.collect();
        if targets.is_empty() {
            return Ok(None);
        }
        let request = self.client.describe_service_revisions();
        let targets = targets.into_iter().collect();
        let sent = request.set_service_revision_arns(Some(targets)).send().await;
        let call = format!("DescribeServiceRevisions of {}", title(cluster, service));
        let described = sent.map_err(|error| Error::from_aws(&call, &error))?;
        let revisions = described.service_revisions.unwrap_or_default();
        let join = |brief| convert::service_deployment(brief, &revisions);
        // The next one would count as the newest then. Of one that is over, ECS has nothing more to tell.
        let newest = briefs.first().filter(|newest| convert::is_under_way(newest));
        if let Some(newest) = newest.filter(|newest| join(newest).is_none()) {
            return Err(Error::Unavailable(format!(
                "{call}: {} of the newest service deployment is not told yet",
                newest.target_service_revision_arn.as_deref().unwrap_or("the revision")
            )));
        }
        Ok(Some(briefs.iter().filter_map(join).collect()))
    }

    /// All pages, since AWS does not say in which order they come.
    async fn service_deployment_briefs(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        after: Option<Timestamp>,
    ) -> Result<Vec<ServiceDeploymentBrief>, Error> {
        let created = after.map(|after| CreatedAt::builder().after(convert::to_date_time(after)).build());
        let request = self.client.list_service_deployments().cluster(cluster.as_str());
        let request = request
            .service(service.as_str())
            .max_results(PAGE)
            .set_created_at(created);
        let mut briefs = Vec::new();
        let mut next_token = None;
        loop {
            let page = request.clone().set_next_token(next_token).send().await;
            let page = page.map_err(|error| {
                Error::from_aws(
                    &format!("ListServiceDeployments of {}", title(cluster, service)),
                    &error,
                )
            })?;
            briefs.extend(page.service_deployments.unwrap_or_default());
            next_token = page.next_token.filter(|token| !token.is_empty());
            if next_token.is_none() {
                return Ok(briefs);
            }
        }
    }

    /// Tells ECS to stop a service deployment that is under way and to go back to what ran before it.
    ///
    /// # Errors
    ///
    /// `Deploy.NotFound` or `Deploy.Rejected` when it is not under way any more or cannot be stopped; else as
    /// [`Ecs::clusters`].
    pub async fn stop_service_deployment(&self, arn: &str) -> Result<(), Error> {
        let request = self.client.stop_service_deployment().service_deployment_arn(arn);
        let stopped = request.stop_type(StopServiceDeploymentStopType::Rollback).send().await;
        stopped
            .map(drop)
            .map_err(|error| Error::from_aws(&format!("StopServiceDeployment of {arn}"), &error))
    }
}
