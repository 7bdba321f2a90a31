//! The thin client of ECS: paging, batching, bounded concurrency, retries. It reads into the plain types of
//! [`crate::domain::service`] and [`crate::domain::task_definition`] and decides nothing.

mod cache;
mod convert;
mod lifecycle;
mod rate;
mod raw;

use crate::aws::error::is_too_many_concurrent_attempts;
use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::service::{ContainerDigest, Service, ServiceDeployment, ServiceStatus, StoppedTask, title};
use crate::domain::task_definition::{Outline, TaskDefinition};
use crate::error::Error;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::Builder;
use aws_sdk_ecs::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::types::{
    CreatedAt, DesiredStatus, ServiceDeploymentBrief, ServiceField, StopServiceDeploymentStopType, Task,
    TaskDefinitionFamilyStatus, TaskDefinitionField,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{FinalizerInterceptorContextRef, InterceptorContext};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use cache::Cache;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use rate::Rate;
use raw::RawResponse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many calls of one kind are under way at once: enough to hide the latency of each, few enough to stay polite.
const CONCURRENT_CALLS: usize = 8;
/// How many services `DescribeServices` takes.
pub const SERVICES_PER_CALL: usize = 10;
/// How many tasks `DescribeTasks` takes.
const TASKS_PER_CALL: usize = 100;
/// How many service revisions `DescribeServiceRevisions` takes.
const REVISIONS_PER_CALL: usize = 20;
/// The longest page that the list operations give.
const PAGE: i32 = 100;

/// ECS, as the steps use it.
#[derive(Debug)]
pub struct Ecs {
    client: Client,
    service_reads: Rate,
    task_definition_reads: Rate,
    outlines: Cache,
    throttled: Throttled,
}

/// A read of services by name, some of which may not be there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribedServices {
    /// Those that are there.
    pub services: Vec<Service>,
    /// Those that are not, with ECS's reason (`MISSING`).
    pub missing: Vec<(String, String)>,
}

impl Ecs {
    /// A client from the environment of the function.
    #[must_use]
    pub fn from_env() -> Self {
        Self::with_config(Builder::from(&crate::aws::environment::aws_config("ECS")))
    }

    /// A client with `config`, to which the retries and time limits of this project are added.
    ///
    /// The SDK repeats what passes by itself, with exponential backoff and jitter; to that counts the refusal to
    /// register two revisions of one family at once, which ECS reports as a client's error.
    #[must_use]
    pub fn with_config(config: Builder) -> Self {
        let throttled = Throttled::default();
        let config = config
            .interceptor(throttled.clone())
            .retry_config(retries())
            .retry_partition(without_quota())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .build(),
            )
            .retry_classifier(ConcurrentRegistrations)
            .build();
        Self {
            throttled,
            ..Self::with_client(Client::from_conf(config))
        }
    }

    /// A client over an SDK client that is already set up.
    #[must_use]
    pub fn with_client(client: Client) -> Self {
        Self {
            client,
            service_reads: Rate::of_service_reads(),
            task_definition_reads: Rate::of_task_definition_reads(),
            outlines: Cache::default(),
            throttled: Throttled::default(),
        }
    }

    /// Whether ECS has turned a call away because there were too many, since this was asked last: also one that the SDK has
    /// repeated since.
    pub fn was_throttled(&self) -> bool {
        self.throttled.0.swap(false, Ordering::Relaxed)
    }

    /// Shares what a search may read among so many searches, from now on.
    pub fn share_among(&self, searches: u32) {
        self.service_reads.share(searches);
        self.task_definition_reads.share(searches);
    }

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

    /// With their tags. A service that was made before 2019 may have an ARN of the old form, which can have no tags, and ECS
    /// refuses to tell the tags of a batch with one. Such a batch is read service by service, so that no other loses a tag that
    /// holds it, and the one is read without, with a warning.
    async fn describe_tagged_services(
        &self,
        cluster: &ClusterName,
        batch: &[ServiceName],
    ) -> Result<DescribedServices, Error> {
        match self
            .describe_service_batch(cluster, batch, Some(ServiceField::Tags))
            .await
        {
            Err(refused) if is_of_old_arn(&refused) => {}
            described => return described,
        }
        let mut all = DescribedServices::default();
        for name in batch {
            let one = std::slice::from_ref(name);
            let with_tags = self
                .describe_service_batch(cluster, one, Some(ServiceField::Tags))
                .await;
            let described = match with_tags {
                Err(refused) if is_of_old_arn(&refused) => {
                    tracing::warn!(
                        "{} has an ARN of the old form, so it can have no tags: none of its own holds it or names its stage. \
                         Migrate the service to the long ARN format to tag it",
                        crate::domain::service::title(cluster, name)
                    );
                    self.describe_service_batch(cluster, one, None).await?
                }
                described => described?,
            };
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
        let gone = |reason: &str| {
            Error::ServiceDeleted(format!(
                "{} is not there (DescribeServices: {reason}): it was deleted, or its name is mistyped. Nothing is left to do",
                title(cluster, service)
            ))
        };
        let described = self
            .describe_service_batch(cluster, std::slice::from_ref(service), None)
            .await;
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

    /// The error of a step that failed at a service: where a part of it was not found any more, it may be the service itself that
    /// is gone, which is read once more.
    pub async fn failed_at(&self, cluster: &ClusterName, service: &ServiceName, error: Error) -> Error {
        if !matches!(error, Error::NotFound(_)) {
            return error;
        }
        match self.describe_service(cluster, service).await {
            Err(deleted @ Error::ServiceDeleted(_)) => deleted,
            _ => error,
        }
    }

    /// The families that have an ACTIVE revision.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn families(&self) -> Result<Vec<String>, Error> {
        let mut families = Vec::new();
        let mut next_token = None;
        loop {
            self.task_definition_reads.wait().await;
            let request = self
                .client
                .list_task_definition_families()
                .status(TaskDefinitionFamilyStatus::Active);
            let page = request.max_results(PAGE).set_next_token(next_token).send().await;
            let page = page.map_err(|error| Error::from_aws("ListTaskDefinitionFamilies", &error))?;
            families.extend(page.families.unwrap_or_default());
            next_token = page.next_token.filter(|token| !token.is_empty());
            if next_token.is_none() {
                return Ok(families);
            }
        }
    }

    /// A page of the ACTIVE revisions of `family`, newest first, 100 at most, and what to ask for the next page with, if there
    /// is one. The first page is asked for with `None`.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn newest_revisions(
        &self,
        family: &str,
        page: Option<String>,
    ) -> Result<(Vec<TaskDefinitionArn>, Option<String>), Error> {
        self.task_definition_reads.wait().await;
        let request = self
            .client
            .list_task_definitions()
            .family_prefix(family)
            .sort(aws_sdk_ecs::types::SortOrder::Desc);
        let request = request
            .status(aws_sdk_ecs::types::TaskDefinitionStatus::Active)
            .max_results(PAGE)
            .set_next_token(page);
        let call = format!("ListTaskDefinitions of family {family}");
        let page = request.send().await.map_err(|error| Error::from_aws(&call, &error))?;
        let revisions = page.task_definition_arns.unwrap_or_default().into_iter();
        let revisions = revisions.map(|arn| parse(arn, &call)).collect::<Result<_, _>>()?;
        Ok((revisions, page.next_token.filter(|token| !token.is_empty())))
    }

    /// A revision with its tags, whole: by its ARN, or by its family for the newest ACTIVE one.
    ///
    /// # Errors
    ///
    /// `Deploy.NotFound` when there is none, else as [`Ecs::clusters`].
    pub async fn describe_task_definition(&self, arn_or_family: &str) -> Result<TaskDefinition, Error> {
        self.task_definition_reads.wait().await;
        let raw = RawResponse::default();
        let request = self
            .client
            .describe_task_definition()
            .task_definition(arn_or_family)
            .include(TaskDefinitionField::Tags);
        let response = request.customize().interceptor(raw.clone()).send().await;
        response.map_err(|error| Error::from_aws(&format!("DescribeTaskDefinition of {arn_or_family}"), &error))?;
        TaskDefinition::from_response(&raw.body())
    }

    /// [`Ecs::describe_task_definition`] of each of `arns_or_families`, in the order given. Those that are gone are `None`.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn describe_task_definitions(
        &self,
        arns_or_families: &[&str],
    ) -> Result<Vec<Option<TaskDefinition>>, Error> {
        let described =
            stream::iter(arns_or_families).map(async |name| match self.describe_task_definition(name).await {
                Ok(task_definition) => Ok(Some(task_definition)),
                Err(Error::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            });
        described.buffered(CONCURRENT_CALLS).try_collect().await
    }

    /// What a plan reads of each of `revisions`, as they come, in any order. Those that are gone are `None`.
    ///
    /// A revision that this client has read before is not read again. That is safe for a plan, and for nothing else: the
    /// containers of a revision never change, and the tags that a plan reads are set when it is registered. Whether it is
    /// ACTIVE, and what else may change about it, no outline tells; the steps that act on a plan read it for themselves.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn outlines_of(
        &self,
        revisions: impl Stream<Item = TaskDefinitionArn>,
    ) -> Result<BTreeMap<TaskDefinitionArn, Option<Outline>>, Error> {
        let described = revisions.map(async |revision| {
            let outline = self.outline_of(&revision).await?;
            Ok::<_, Error>((revision, outline))
        });
        described.buffer_unordered(CONCURRENT_CALLS).try_collect().await
    }

    /// What a plan reads of the newest ACTIVE revision of each of `families`, in their order, but for those that have
    /// none any more. Which one is the newest is asked every time.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn newest_outlines(&self, families: &[&str]) -> Result<Vec<Outline>, Error> {
        let described = stream::iter(families).map(async |family| self.outline(family).await);
        let outlines = described.buffered(CONCURRENT_CALLS);
        outlines.try_filter_map(async |outline| Ok(outline)).try_collect().await
    }

    /// The images and the records of `revision`, as [`Ecs::outlines_of`] reads them; `None` when it is gone.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn outline_of(&self, revision: &TaskDefinitionArn) -> Result<Option<Outline>, Error> {
        match self.outlines.get(revision) {
            Some(known) => Ok(Some(known)),
            None => self.outline(revision.as_str()).await,
        }
    }

    async fn outline(&self, arn_or_family: &str) -> Result<Option<Outline>, Error> {
        match self.describe_task_definition(arn_or_family).await {
            Ok(task_definition) => {
                let outline = task_definition.outline();
                self.outlines.keep(&outline);
                Ok(Some(outline))
            }
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Registers `document` as a new revision of its family. What is sent is its text, member by member.
    ///
    /// # Errors
    ///
    /// `Deploy.Unavailable` when another registration of the family is under way, even after retries; `Deploy.Rejected`
    /// when ECS refuses the document; else as [`Ecs::clusters`].
    pub async fn register_task_definition(&self, document: &TaskDefinition) -> Result<TaskDefinition, Error> {
        let body = document.to_register_request()?;
        let response = RawResponse::default();
        // The family is there for the client's own checks; the body that is signed and sent is the document's.
        let request = self
            .client
            .register_task_definition()
            .family(document.arn().family())
            .set_container_definitions(Some(Vec::new()));
        let sent = request
            .customize()
            .interceptor(response.clone())
            .mutate_request(move |request| raw::replace_body(request, &body));
        let call = format!("RegisterTaskDefinition of family {}", document.arn().family());
        sent.send().await.map_err(|error| Error::from_aws(&call, &error))?;
        TaskDefinition::from_response(&response.body())
    }

    /// Moves a service to `revision`; with `force`, by a new deployment even when the service is on that revision.
    /// Nothing else about the service is sent, so nothing else about it changes.
    ///
    /// It is sent once, since what it stands on grows old: whoever wants it again reads first, as
    /// [`crate::change::attempts`] says. After `Deploy.Unavailable` it may have taken effect all the same.
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

    /// ECS's own records of the service's rollouts that were asked for after `after`, newest first, at most 20.
    ///
    /// `None` where the service deployments API does not answer: not permitted, not supported, or empty, as it is for a
    /// service that was last deployed before ECS kept these records.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn service_deployments(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        after: Option<Timestamp>,
    ) -> Result<Option<Vec<ServiceDeployment>>, Error> {
        let mut briefs = match self.service_deployment_briefs(cluster, service, after).await {
            Ok(briefs) => briefs,
            Err(Error::Rejected(message)) => {
                tracing::warn!("doing without the service deployments API: {message}");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        briefs.sort_by_key(|brief| std::cmp::Reverse(brief.created_at.map(|at| (at.secs(), at.subsec_nanos()))));
        briefs.truncate(REVISIONS_PER_CALL);
        let mut targets: Vec<String> = briefs
            .iter()
            .filter_map(|brief| brief.target_service_revision_arn.clone())
            .collect();
        targets.sort();
        targets.dedup();
        if targets.is_empty() {
            return Ok(None);
        }
        let request = self
            .client
            .describe_service_revisions()
            .set_service_revision_arns(Some(targets));
        let call = format!("DescribeServiceRevisions of {}", title(cluster, service));
        let revisions = match request.send().await {
            Ok(described) => described.service_revisions.unwrap_or_default(),
            Err(error) => match Error::from_aws(&call, &error) {
                Error::Rejected(message) => {
                    tracing::warn!("doing without the service deployments API: {message}");
                    return Ok(None);
                }
                error => return Err(error),
            },
        };
        Ok(Some(
            briefs
                .iter()
                .filter_map(|brief| convert::service_deployment(brief, &revisions))
                .collect(),
        ))
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

    /// The tasks of the service that have stopped lately (ECS tells of them for about an hour), of whatever deployment.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn stopped_tasks(&self, cluster: &ClusterName, service: &ServiceName) -> Result<Vec<StoppedTask>, Error> {
        let stopped = self.tasks(cluster, service, DesiredStatus::Stopped).await?;
        Ok(stopped.into_iter().map(convert::stopped_task).collect())
    }

    /// What the images of a revision resolved to in a service's tasks: in those that run, else in those that stopped
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

    /// What the images of the running tasks of one of a service's deployments, `ecs-svc/…`, resolved to, as far as ECS says.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn running_digests(
        &self,
        cluster: &ClusterName,
        service: &ServiceName,
        deployment: &str,
    ) -> Result<Vec<ContainerDigest>, Error> {
        let tasks = self.tasks(cluster, service, DesiredStatus::Running).await?;
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
        let described: Vec<Vec<Task>> = described.buffered(CONCURRENT_CALLS).try_collect().await?;
        Ok(described.into_iter().flatten().collect())
    }
}

/// How often the SDK repeats a call, and how soon: for a minute or so, as long as it may take until the account's rate
/// has one left when twenty pushes come at once. A step that is given up begins anew, and has to make all its calls again.
/// Whether ECS refuses to tell tags, since a service has an ARN of the old form:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids>.
fn is_of_old_arn(refused: &Error) -> bool {
    matches!(refused, Error::Rejected(message) if message.to_ascii_lowercase().contains("long arn format"))
}

fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(12)
        .with_initial_backoff(Duration::from_millis(400))
        .with_max_backoff(Duration::from_secs(20))
}

/// The SDK counts the repetitions of all calls of a client together, and gives up after a hundred in a row: a search of
/// thousands of revisions has more calls than that throttled when other searches go on.
fn without_quota() -> RetryPartition {
    RetryPartition::custom("ecr-deploy")
        .token_bucket(TokenBucket::unlimited())
        .build()
}

fn parse<T: TryFrom<String, Error: std::fmt::Display>>(text: String, call: &str) -> Result<T, Error> {
    text.try_into()
        .map_err(|error| Error::InvalidInput(format!("{call}: ECS's answer cannot be read: {error}")))
}

/// Notes that a call was throttled because there were too many.
#[derive(Debug, Clone, Default)]
struct Throttled(Arc<AtomicBool>);

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Throttled {
    fn name(&self) -> &'static str {
        "throttled"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let refused = context
            .response()
            .filter(|response| response.status().is_client_error());
        let body = refused.and_then(|response| response.body().bytes()).unwrap_or_default();
        if String::from_utf8_lossy(body).contains("ThrottlingException") {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Has the SDK repeat, with its backoff and jitter, a registration that was refused only because another one of the
/// same family was under way. (Reported by users of many tools, such as terraform-provider-aws issue 9777.)
#[derive(Debug)]
struct ConcurrentRegistrations;

impl ClassifyRetry for ConcurrentRegistrations {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_operation_error());
        let message = error
            .and_then(|error| {
                error.downcast_ref::<aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionError>()
            })
            .and_then(|error| error.meta().message());
        if message.is_some_and(is_too_many_concurrent_attempts) {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "concurrent registrations of one family"
    }
}
