//! The parts that a run makes in the account: one repository, one family, one service, all of one name.
//!
//! Before a part is made it is noted, so that also what was made by a call without an answer is removed.

use super::begin::{Cluster, Part};
use super::image::{Built, INDEX, Kind, MANIFEST, build};
use super::policy::Place;
use super::{MADE_BY, NAME};
use crate::arguments::VerifyArguments;
use crate::aws::{Account, pause};
use crate::error::Error;
use crate::execution::time;
use crate::progress::Progress;
use aws_sdk_ecr::operation::complete_layer_upload::CompleteLayerUploadError;
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types::Tag as RepositoryTag;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, Compatibility, ContainerDefinition, LaunchType, NetworkConfiguration,
    NetworkMode, Tag, TaskDefinitionStatus,
};
use aws_smithy_types::Blob;
use ecr_deploy::domain::arn::{ClusterName, ServiceName};
use ecr_deploy::domain::service::{Deployment, RolloutState, Service, ServiceTags};
use ecr_deploy::error::Error as OfAws;
use jiff::Timestamp;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// How long the service may take to come to rest.
const LIMIT: Duration = Duration::from_mins(10);
/// Time between two polls.
const POLL: Duration = Duration::from_secs(2);

/// The sandbox.
#[derive(Debug)]
pub(crate) struct Sandbox<'a> {
    pub(crate) account: &'a Account,
    pub(crate) arguments: &'a VerifyArguments,
    pub(crate) place: Place,
    pub(crate) cluster: ClusterName,
    pub(crate) service: ServiceName,
    pub(super) has_repository: Cell<bool>,
    pub(super) has_family: Cell<bool>,
    pub(super) has_service: Cell<bool>,
    /// The executions that were seen to begin.
    pub(crate) executions: RefCell<Vec<String>>,
}

impl<'a> Sandbox<'a> {
    /// One in which nothing was made yet.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where the cluster has no name that there can be.
    pub(crate) fn new(account: &'a Account, arguments: &'a VerifyArguments, place: Place) -> Result<Self, Error> {
        let unreadable = |name: &str| Error::Usage(format!("{name:?} is no name of a cluster"));
        Ok(Self {
            account,
            arguments,
            place,
            cluster: arguments.cluster.parse().map_err(|_| unreadable(&arguments.cluster))?,
            service: NAME.parse().map_err(|_| unreadable(NAME))?,
            has_repository: Cell::new(false),
            has_family: Cell::new(false),
            has_service: Cell::new(false),
            executions: RefCell::default(),
        })
    }

    /// The cluster; `None` where there is none.
    pub(crate) async fn read_cluster(&self) -> Result<Option<Cluster>, Error> {
        let request = self.account.ecs().describe_clusters().clusters(self.cluster.as_str());
        let described = request.send().await;
        let described = described.map_err(|error| OfAws::from_aws("DescribeClusters", &error))?;
        Ok(described.clusters().first().map(|it| Cluster {
            is_active: it.status() == Some("ACTIVE"),
            instances: u32::try_from(it.registered_container_instances_count()).unwrap_or_default(),
            has_providers: !it.default_capacity_provider_strategy().is_empty(),
        }))
    }

    /// The parts of this name that are there.
    pub(crate) async fn there(&self) -> Result<Vec<Part>, Error> {
        let mut there = Vec::new();
        if self.status().await?.is_some_and(|status| status != "INACTIVE") {
            there.push(Part::Service);
        }
        there.extend(
            self.revisions(TaskDefinitionStatus::Active)
                .await?
                .into_iter()
                .map(Part::Revision),
        );
        let request = self.account.ecr().describe_repositories().repository_names(NAME);
        match request
            .send()
            .await
            .map_err(|error| OfAws::from_aws("DescribeRepositories", &error))
        {
            Ok(_) => there.push(Part::Repository),
            Err(OfAws::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(there)
    }

    /// The status of the service, in ECS's word; `None` where ECS knows none, or no cluster.
    async fn status(&self) -> Result<Option<String>, Error> {
        let request = self.account.ecs().describe_services().cluster(self.cluster.as_str());
        let described = request.services(self.service.as_str()).send().await;
        match described.map_err(|error| OfAws::from_aws(&format!("DescribeServices of {NAME}"), &error)) {
            Ok(described) => Ok(described
                .services()
                .first()
                .and_then(|it| it.status())
                .map(str::to_owned)),
            Err(OfAws::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The numbers of the family's revisions.
    pub(super) async fn revisions(&self, status: TaskDefinitionStatus) -> Result<Vec<u64>, Error> {
        let request = self
            .account
            .ecs()
            .list_task_definitions()
            .family_prefix(NAME)
            .status(status);
        let arns = request
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        let arns = arns.map_err(|error| OfAws::from_aws(&format!("ListTaskDefinitions of {NAME}"), &error))?;
        let number = |arn: &String| arn.rsplit(':').next()?.parse().ok();
        Ok(arns.iter().filter_map(number).collect())
    }

    /// Makes the repository. Returns when that was, by the clock of AWS.
    pub(crate) async fn make_repository(&self) -> Result<Timestamp, Error> {
        self.has_repository.set(true);
        let tag = RepositoryTag::builder().key(MADE_BY.0).value(MADE_BY.1).build();
        let tag = tag.map_err(|problem| Error::other_version("the tag of the repository", problem))?;
        let request = self.account.ecr().create_repository().repository_name(NAME).tags(tag);
        let made = request.send().await;
        let made = made.map_err(|error| OfAws::from_aws("CreateRepository", &error));
        let made = made.inspect_err(|error| of_others(error, &self.has_repository))?;
        let at = made.repository().and_then(|it| it.created_at()).map(time);
        at.ok_or_else(|| Error::other_version("ECR's answer to CreateRepository", "it does not tell when that was"))
    }

    /// Uploads an image with all that it needs, and puts it under the tag. Without a tag it is no push. Returns what
    /// was put.
    pub(crate) async fn push(&self, kind: Kind, tag: Option<&str>) -> Result<Built, Error> {
        let built = build(kind);
        for blob in &built.blobs {
            self.upload(&blob.digest, &blob.bytes).await?;
        }
        for image in &built.images {
            self.put(&image.text(), MANIFEST, None).await?;
        }
        self.put(&built.index.text(), INDEX, tag).await?;
        Ok(built)
    }

    async fn upload(&self, digest: &str, bytes: &[u8]) -> Result<(), Error> {
        let ecr = self.account.ecr();
        let begun = ecr.initiate_layer_upload().repository_name(NAME).send().await;
        let begun = begun.map_err(|error| OfAws::from_aws("InitiateLayerUpload", &error))?;
        let id = begun.upload_id().unwrap_or_default();
        let last = i64::try_from(bytes.len()).unwrap_or(i64::MAX) - 1;
        let part = ecr.upload_layer_part().repository_name(NAME).upload_id(id);
        let part = part
            .part_first_byte(0)
            .part_last_byte(last)
            .layer_part_blob(Blob::new(bytes));
        let sent = part.send().await;
        sent.map_err(|error| OfAws::from_aws("UploadLayerPart", &error))?;
        let complete = ecr.complete_layer_upload().repository_name(NAME).upload_id(id);
        match complete.layer_digests(digest).send().await {
            Ok(_) => Ok(()),
            // The layer is the same in each image.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CompleteLayerUploadError::is_layer_already_exists_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(OfAws::from_aws("CompleteLayerUpload", &error).into()),
        }
    }

    async fn put(&self, manifest: &str, media_type: &str, tag: Option<&str>) -> Result<(), Error> {
        let request = self.account.ecr().put_image().repository_name(NAME);
        let request = request.image_manifest(manifest).image_manifest_media_type(media_type);
        let put = request.set_image_tag(tag.map(str::to_owned)).send().await;
        match put {
            Ok(_) => Ok(()),
            // An answer got lost, and the SDK has asked again.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutImageError::is_image_already_exists_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(OfAws::from_aws("PutImage", &error).into()),
        }
    }

    /// Makes the service on the first image, and waits until it is at rest.
    pub(crate) async fn make_service(&self, first: &Built) -> Result<(), Error> {
        let revision = self.register(&first.index.digest).await?;
        self.has_service.set(true);
        let request = self.account.ecs().create_service().cluster(self.cluster.as_str());
        let request = request.service_name(NAME).task_definition(revision).desired_count(1);
        let mut request = request.tags(tag(MADE_BY.0, MADE_BY.1));
        if let Some(stage) = &self.arguments.stage {
            request = request.tags(tag(ServiceTags::STAGE, stage));
        }
        if !self.arguments.subnets.is_empty() {
            request = request
                .launch_type(LaunchType::Fargate)
                .network_configuration(self.network()?);
        }
        let made = request.send().await;
        let made = made.map_err(|error| OfAws::from_aws("CreateService", &error));
        made.inspect_err(|error| of_others(error, &self.has_service))?;
        self.at_rest("it was made on its first image").await
    }

    fn network(&self) -> Result<NetworkConfiguration, Error> {
        let it = self.arguments;
        let address = if it.public_ip {
            AssignPublicIp::Enabled
        } else {
            AssignPublicIp::Disabled
        };
        let groups = Some(it.security_groups.clone()).filter(|groups| !groups.is_empty());
        let configuration = AwsVpcConfiguration::builder()
            .set_subnets(Some(it.subnets.clone()))
            .set_security_groups(groups)
            .assign_public_ip(address)
            .build();
        let configuration = configuration.map_err(|problem| Error::Usage(problem.to_string()))?;
        Ok(NetworkConfiguration::builder()
            .awsvpc_configuration(configuration)
            .build())
    }

    /// Registers the first revision. Returns its ARN.
    async fn register(&self, digest: &str) -> Result<String, Error> {
        self.has_family.set(true);
        let here = self.account.here()?;
        let suffix = if self.place.partition == "aws-cn" { ".cn" } else { "" };
        let image = format!(
            "{}.dkr.ecr.{}.amazonaws.com{suffix}/{NAME}@{digest}",
            here.account, here.region
        );
        // Nothing of it has to be saved when it stops.
        let container = ContainerDefinition::builder()
            .name(NAME)
            .image(image)
            .memory(64)
            .stop_timeout(2);
        let request = self.account.ecs().register_task_definition().family(NAME);
        let mut request = request
            .container_definitions(container.essential(true).build())
            .set_execution_role_arn(self.arguments.execution_role.clone())
            .tags(tag(MADE_BY.0, MADE_BY.1));
        if !self.arguments.subnets.is_empty() {
            request = request
                .requires_compatibilities(Compatibility::Fargate)
                .network_mode(NetworkMode::Awsvpc);
            request = request.cpu("256").memory("512");
        }
        let registered = request.send().await;
        let registered = registered.map_err(|error| OfAws::from_aws("RegisterTaskDefinition", &error))?;
        let arn = registered.task_definition().and_then(|it| it.task_definition_arn());
        let arn = arn.map(str::to_owned);
        arn.ok_or_else(|| Error::other_version("ECS's answer to RegisterTaskDefinition", "it has no ARN"))
    }

    /// Waits until nothing of an older rollout is left. Before that a rollout is not one that ECS would go back to.
    pub(crate) async fn at_rest(&self, after: &str) -> Result<(), Error> {
        let progress = Progress::new("the service comes to rest");
        let polls = LIMIT.as_secs() / POLL.as_secs();
        let mut event = None;
        for _ in 0..polls {
            let service = self.read().await?;
            let is_complete =
                |it: &Deployment| it.rollout_state == Some(RolloutState::Completed) && it.running_count > 0;
            let is_over = |it: &Deployment| it.running_count + it.pending_count == 0;
            let rests = |it: &Deployment| if it.is_primary { is_complete(it) } else { is_over(it) };
            if !service.deployments.is_empty() && service.deployments.iter().all(rests) {
                return Ok(());
            }
            event = service.events.into_iter().next().map(|it| it.message);
            if let Some(event) = &event {
                progress.say(event.clone());
            }
            pause(POLL).await;
        }
        Err(Error::Rejected(format!(
            "the service {NAME} did not come to rest within {} minutes after {after}. ECS says: {}",
            LIMIT.as_secs() / 60,
            event.as_deref().unwrap_or("nothing")
        )))
    }

    /// The service as it is.
    pub(crate) async fn read(&self) -> Result<Service, Error> {
        let read = self
            .account
            .reader()
            .describe_service(&self.cluster, &self.service)
            .await;
        Ok(read?)
    }
}

/// Notes that a part was not made, where it was there before: another run has made it meanwhile, and it is not ours to remove. Where an
/// answer got lost, the part may be ours all the same, and stays: whoever reads the error removes it.
fn of_others(error: &OfAws, is_made: &Cell<bool>) {
    let message = error.to_string();
    if message.contains("RepositoryAlreadyExistsException") || message.contains("not idempotent") {
        is_made.set(false);
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_another_run_has_made_is_not_removed() {
        for (error, expected) in [
            (
                OfAws::Rejected("CreateRepository: RepositoryAlreadyExistsException: it exists".to_owned()),
                false,
            ),
            (
                OfAws::Rejected(
                    "CreateService: InvalidParameterException: Creation of service was not idempotent.".to_owned(),
                ),
                false,
            ),
            (OfAws::Unavailable("CreateRepository: timeout".to_owned()), true),
            (
                OfAws::Rejected("CreateService: AccessDeniedException: not authorized".to_owned()),
                true,
            ),
        ] {
            let is_made = Cell::new(true);
            of_others(&error, &is_made);
            assert_eq!(is_made.get(), expected, "{error}");
        }
    }
}
