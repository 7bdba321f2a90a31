//! Clusters and services: read them by the ten, update one.

use super::{CONCURRENT_CALLS, Ecs, PAGE, convert, parse};
use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::service::{Service, ServiceStatus, title};
use crate::error::Error;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::types::ServiceField;
use futures::stream::{self, Stream, TryStreamExt};

/// How many services `DescribeServices` takes.
pub const SERVICES_PER_CALL: usize = 10;

/// A read of services by name, some of which may not be there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribedServices {
    /// Those that are there.
    pub services: Vec<Service>,
    /// Those that are not, with ECS's reason (`MISSING`).
    pub missing: Vec<(String, String)>,
}

impl Ecs {
    /// The names of all clusters of the account and region.
    ///
    /// # Errors
    ///
    /// `Deploy.Unavailable`, `Deploy.Rejected`; `Deploy.InvalidInput` when ECS's answer cannot be read.
    pub async fn clusters(&self) -> Result<Vec<ClusterName>, Error> {
        let arns = self
            .client
            .list_clusters()
            .max_results(PAGE)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>();
        let arns = arns.await.map_err(|error| Error::from_aws("ListClusters", &error))?;
        arns.into_iter().map(|arn| parse(arn, "ListClusters")).collect()
    }

    /// A read of every service of `cluster`, in whatever state, with its tags, ten a call, in ECS's order. The next names are
    /// listed while services are described.
    ///
    /// Each item fails with `Deploy.NotFound` when the cluster is gone, else as [`Ecs::clusters`].
    pub fn services<'a>(
        &'a self,
        cluster: &'a ClusterName,
    ) -> impl Stream<Item = Result<DescribedServices, Error>> + 'a {
        let pages = stream::try_unfold(Some(None), async move |page| {
            let Some(token) = page else { return Ok(None) };
            let (names, next) = self.service_names(cluster, token).await?;
            Ok::<_, Error>(Some((names, next.map(Some))))
        });
        let batches = pages.map_ok(|names| {
            let batches: Vec<_> = names.chunks(SERVICES_PER_CALL).map(<[_]>::to_vec).collect();
            stream::iter(batches.into_iter().map(Ok))
        });
        batches
            .try_flatten()
            .map_ok(async move |batch: Vec<ServiceName>| self.describe_tagged_services(cluster, &batch).await)
            .try_buffered(CONCURRENT_CALLS)
    }

    /// One page of the names of the services of `cluster`, and the token of the next one.
    async fn service_names(
        &self,
        cluster: &ClusterName,
        token: Option<String>,
    ) -> Result<(Vec<ServiceName>, Option<String>), Error> {
        let call = || format!("ListServices of cluster {cluster}");
        self.service_reads.wait().await;
        let request = self.client.list_services().cluster(cluster.as_str());
        let request = request.max_results(PAGE).set_next_token(token);
        let page = request.send().await.map_err(|error| Error::from_aws(&call(), &error))?;
        let arns = page.service_arns.unwrap_or_default().into_iter();
        let names = arns.map(|arn| parse(arn, &call())).collect::<Result<_, _>>()?;
        Ok((names, page.next_token.filter(|token| !token.is_empty())))
    }

    /// Reads a batch with its tags. A service from before 2019 may have an old ARN without tags, and ECS then refuses
    /// the whole batch. Such a batch is read service by service, so that no other service loses its tags. A service
    /// with an old ARN is read without tags, with a warning.
    async fn describe_tagged_services(
        &self,
        cluster: &ClusterName,
        batch: &[ServiceName],
    ) -> Result<DescribedServices, Error> {
        let tags = Some(ServiceField::Tags);
        let refused = match self.describe_service_batch(cluster, batch, tags).await {
            Err(refused) if is_of_old_arn(&refused) => refused,
            described => return described,
        };
        if let [name] = batch {
            tracing::warn!(
                "{} has an ARN of the old form, so it can have no tags: none of its own holds it or names its stage. Migrate the \
                 service to the long ARN format to tag it ({refused})",
                title(cluster, name)
            );
            return self.describe_service_batch(cluster, batch, None).await;
        }
        let mut all = DescribedServices::default();
        for name in batch {
            let one = self.describe_tagged_services(cluster, std::slice::from_ref(name));
            let described = Box::pin(one).await?;
            all.services.extend(described.services);
            all.missing.extend(described.missing);
        }
        Ok(all)
    }

    /// A read of up to [`SERVICES_PER_CALL`] services of a cluster.
    ///
    /// # Errors
    ///
    /// `Deploy.NotFound` when the cluster is gone, else as [`Ecs::clusters`].
    pub async fn describe_service_batch(
        &self,
        cluster: &ClusterName,
        batch: &[ServiceName],
        include: Option<ServiceField>,
    ) -> Result<DescribedServices, Error> {
        self.service_reads.wait().await;
        let names = batch.iter().map(|name| name.as_str().to_owned()).collect();
        let request = self
            .client
            .describe_services()
            .cluster(cluster.as_str())
            .set_services(Some(names))
            .set_include(include.map(|field| vec![field]));
        let response = request.send().await;
        let call = format!("DescribeServices in cluster {cluster}");
        let response = response.map_err(|error| Error::from_aws(&call, &error))?;
        let services = response.services.unwrap_or_default().into_iter();
        let failures = response.failures.unwrap_or_default().into_iter();
        Ok(DescribedServices {
            services: services
                .map(|service| convert::service(cluster, service))
                .collect::<Result<_, _>>()?,
            missing: failures
                .map(|failure| (failure.arn.unwrap_or_default(), failure.reason.unwrap_or_default()))
                .collect(),
        })
    }

    /// A read of one service.
    ///
    /// # Errors
    ///
    /// [`Error::ServiceDeleted`] when the service or its cluster is gone, or is being deleted: ECS tells of such a service for a
    /// while. Else as [`Ecs::clusters`].
    pub async fn describe_service(&self, cluster: &ClusterName, service: &ServiceName) -> Result<Service, Error> {
        let one = std::slice::from_ref(service);
        let described = self.describe_service_batch(cluster, one, None).await;
        only(cluster, service, described)
    }

    /// A read of one service with its tags, by the same call.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn describe_tagged_service(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
    ) -> Result<Service, Error> {
        let one = std::slice::from_ref(service);
        let described = self.describe_tagged_services(cluster, one).await;
        only(cluster, service, described)
    }

    /// Returns what was done to a service; `deleted`, with the words for people, if that failed because the service itself is
    /// gone. After a `NotFound` the service is read once for that. Any other error is returned as it is.
    ///
    /// # Errors
    ///
    /// That of `done`.
    pub async fn unless_deleted<T>(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        done: Result<T, Error>,
        deleted: impl FnOnce(String) -> T,
    ) -> Result<T, Error> {
        let read = match done {
            Err(Error::NotFound(_)) => self.describe_service(cluster, service).await.err(),
            _ => None,
        };
        match (done, read) {
            (Err(Error::ServiceDeleted(says)), _) | (_, Some(Error::ServiceDeleted(says))) => Ok(deleted(says)),
            (done, _) => done,
        }
    }

    /// Moves a service to `revision`; with `force`, by a new deployment even when the service is on that revision.
    /// Nothing else about the service is sent, so nothing else about it changes.
    ///
    /// It is sent once, since what it stands on grows old: whoever wants it again reads first, as
    /// [`crate::change::mover`] says. After `Deploy.Unavailable` it may have taken effect all the same.
    ///
    /// # Errors
    ///
    /// `Deploy.NotFound` when the service is gone, `Deploy.Rejected` when ECS refuses; else as [`Ecs::clusters`].
    pub async fn update_service(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        revision: &TaskDefinitionArn,
        force: bool,
    ) -> Result<Service, Error> {
        let request = self
            .client
            .update_service()
            .cluster(cluster.as_str())
            .service(service.as_str());
        let request = request
            .task_definition(revision.as_str())
            .set_force_new_deployment(force.then_some(true));
        let call = format!("UpdateService of {} to {}", title(cluster, service), revision.short());
        let once = aws_sdk_ecs::Config::builder().retry_config(RetryConfig::disabled());
        let sent = request.customize().config_override(once).send().await;
        let response = sent.map_err(|error| Error::from_aws(&call, &error))?;
        let updated = response
            .service
            .ok_or_else(|| Error::Unavailable(format!("{call}: the answer holds no service")))?;
        convert::service(cluster, updated)
    }
}

/// The one service that was asked for, if it is there.
fn only(
    cluster: &ClusterName,
    service: &ServiceName,
    described: Result<DescribedServices, Error>,
) -> Result<Service, Error> {
    let gone = |reason: &str| {
        Error::ServiceDeleted(format!(
            "{} is not there (DescribeServices: {reason}): it was deleted, or its name is mistyped. Nothing is left to do",
            title(cluster, service)
        ))
    };
    let described = described.map_err(|error| match error {
        Error::NotFound(_) => gone("the cluster is not there"),
        error => error,
    })?;
    let reason = match described.services.into_iter().next() {
        Some(service) if service.status == ServiceStatus::Active => return Ok(service),
        Some(service) if service.status == ServiceStatus::Draining => "DRAINING".to_owned(),
        Some(_) => "INACTIVE".to_owned(),
        None => described
            .missing
            .into_iter()
            .next()
            .map_or_else(|| "not in the answer".to_owned(), |(_, reason)| reason),
    };
    Err(gone(&reason))
}

/// True if ECS refuses to return tags, since a service has an ARN of the old form:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids>.
fn is_of_old_arn(refused: &Error) -> bool {
    matches!(refused, Error::Rejected(message) if message.to_ascii_lowercase().contains("long arn format"))
}
