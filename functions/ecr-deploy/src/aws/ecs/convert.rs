//! From the SDK's types to the plain ones. An enum value that the SDK does not know is read as "not finished".

use crate::domain::arn::{ClusterName, TaskDefinitionArn};
use crate::domain::image::ImageReference;
use crate::domain::service::{
    ContainerDigest, Controller, CrashThreshold, Deployment, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceEvent, ServiceStatus, ServiceTags, StoppedContainer, StoppedTask, Strategy,
};
use crate::error::Error;
use aws_sdk_ecs::types;
use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp};

pub(super) fn service(cluster: &ClusterName, service: types::Service) -> Result<Service, Error> {
    let name = super::parse(service.service_name.unwrap_or_default(), "DescribeServices")?;
    let own = service.task_definition.into_iter();
    let of_task_sets = service
        .task_sets
        .unwrap_or_default()
        .into_iter()
        .filter_map(|set| set.task_definition);
    // A deployment whose revision ECS does not tell is none that anything can be said of.
    let deployments = service.deployments.unwrap_or_default().into_iter();
    let deployments = deployments.filter(|deployment| deployment.task_definition.is_some());
    let deployments: Vec<Deployment> = deployments.map(deployment).collect::<Result<_, _>>()?;
    let configuration = service.deployment_configuration.as_ref();
    let events = service.events.unwrap_or_default().into_iter();
    let mut task_definitions: Vec<TaskDefinitionArn> = own
        .chain(of_task_sets)
        .filter(|arn| !arn.is_empty())
        .map(|arn| super::parse(arn, "DescribeServices"))
        .collect::<Result<_, _>>()?;
    if task_definitions.is_empty() {
        // Of a service in Express Mode, ECS names the revision only in the primary deployment.
        let primary = deployments.iter().find(|deployment| deployment.is_primary);
        task_definitions.extend(primary.map(|primary| primary.task_definition.clone()));
    }
    Ok(Service {
        cluster: cluster.clone(),
        name,
        status: match service.status.as_deref() {
            Some("DRAINING") => ServiceStatus::Draining,
            Some("INACTIVE") => ServiceStatus::Inactive,
            _ => ServiceStatus::Active,
        },
        controller: match service.deployment_controller.map(|controller| controller.r#type) {
            None | Some(types::DeploymentControllerType::Ecs) => Controller::Ecs,
            Some(types::DeploymentControllerType::CodeDeploy) => Controller::CodeDeploy,
            Some(types::DeploymentControllerType::External) => Controller::External,
            Some(_) => Controller::Unknown,
        },
        task_definitions,
        tags: service_tags(service.tags.unwrap_or_default()),
        desired_count: count(service.desired_count),
        running_count: count(service.running_count),
        pending_count: count(service.pending_count),
        crash_threshold: crash_threshold(configuration),
        planned_wait: planned_wait(configuration),
        completes_early: configuration
            .and_then(|configuration| configuration.early_success_criteria.as_ref())
            .is_some_and(|criteria| criteria.enable),
        has_lifecycle_hooks: configuration.is_some_and(|configuration| !configuration.lifecycle_hooks().is_empty()),
        is_express: service.resource_management_type == Some(types::ResourceManagementType::Ecs),
        deployments,
        events: events
            .map(|event| ServiceEvent {
                at: timestamp(event.created_at),
                message: event.message.unwrap_or_default(),
            })
            .collect(),
    })
}

/// How long ECS waits in a deployment by plan; by ECS's own numbers where the service names none.
fn planned_wait(configuration: Option<&types::DeploymentConfiguration>) -> SignedDuration {
    let Some(configuration) = configuration else {
        return SignedDuration::ZERO;
    };
    let (percent, minutes) = Strategy::LINEAR;
    let linear = configuration.linear_configuration();
    let canary = configuration.canary_configuration();
    let strategy = match configuration.strategy {
        Some(types::DeploymentStrategy::Linear) => Strategy::Linear {
            step_percent: linear.and_then(|it| it.step_percent).unwrap_or(percent),
            step_minutes: linear
                .and_then(|it| it.step_bake_time_in_minutes)
                .map_or(minutes, count),
        },
        Some(types::DeploymentStrategy::Canary) => Strategy::Canary {
            minutes: canary
                .and_then(|it| it.canary_bake_time_in_minutes)
                .map_or(Strategy::CANARY, count),
        },
        _ => Strategy::AtOnce,
    };
    strategy.planned_wait(configuration.bake_time_in_minutes.map_or(0, count))
}

/// ECS's own where the service names none, or one of a kind that is not known.
fn crash_threshold(configuration: Option<&types::DeploymentConfiguration>) -> CrashThreshold {
    let breaker = configuration.and_then(|configuration| configuration.deployment_circuit_breaker.as_ref());
    let Some(threshold) = breaker.and_then(|breaker| breaker.threshold_configuration.as_ref()) else {
        return CrashThreshold::default();
    };
    let value = count(threshold.value);
    match threshold.r#type {
        types::ThresholdType::BoundedPercent => CrashThreshold::BoundedPercent(value),
        types::ThresholdType::UnboundedPercent => CrashThreshold::UnboundedPercent(value),
        types::ThresholdType::Count => CrashThreshold::Count(value),
        _ => CrashThreshold::default(),
    }
}

fn service_tags(tags: Vec<types::Tag>) -> ServiceTags {
    let mut ours = ServiceTags::default();
    for tag in tags {
        match tag.key.as_deref() {
            Some(ServiceTags::STAGE) => ours.stage = Some(tag.value.unwrap_or_default()),
            Some(ServiceTags::HOLD) => ours.hold = Some(tag.value.unwrap_or_default()),
            _ => {}
        }
    }
    ours
}

fn deployment(deployment: types::Deployment) -> Result<Deployment, Error> {
    Ok(Deployment {
        is_primary: deployment.status.as_deref() == Some("PRIMARY"),
        task_definition: super::parse(deployment.task_definition.unwrap_or_default(), "DescribeServices")?,
        rollout_state: deployment.rollout_state.map(|state| match state {
            types::DeploymentRolloutState::Completed => RolloutState::Completed,
            types::DeploymentRolloutState::Failed => RolloutState::Failed,
            _ => RolloutState::InProgress,
        }),
        rollout_state_reason: deployment.rollout_state_reason.filter(|reason| !reason.is_empty()),
        desired_count: count(deployment.desired_count),
        running_count: count(deployment.running_count),
        pending_count: count(deployment.pending_count),
        failed_tasks: count(deployment.failed_tasks),
        created_at: timestamp(deployment.created_at),
        id: deployment.id.unwrap_or_default(),
    })
}

/// Joins a service deployment with the revision it targets. One whose revision ECS does not describe is skipped.
pub(super) fn service_deployment(
    brief: &types::ServiceDeploymentBrief,
    revisions: &[types::ServiceRevision],
) -> Option<ServiceDeployment> {
    let target = revisions
        .iter()
        .find(|revision| revision.service_revision_arn == brief.target_service_revision_arn)?;
    let images = || target.container_images.iter().flatten();
    let digest = |image: &types::ContainerImage| match &image.image_digest {
        Some(digest) => digest.parse().ok(),
        // An image that is named by its digest has nothing to be resolved.
        None => image.image.as_ref()?.parse::<ImageReference>().ok()?.digest().cloned(),
    };
    Some(ServiceDeployment {
        arn: brief.service_deployment_arn.clone()?,
        status: status(brief.status.as_ref()),
        status_reason: brief.status_reason.clone().filter(|reason| !reason.is_empty()),
        target: target
            .task_definition
            .clone()
            .and_then(|arn| TaskDefinitionArn::try_from(arn).ok())?,
        target_digests: images()
            .filter_map(|image| {
                Some(ContainerDigest {
                    container: image.container_name.clone()?,
                    image: image.image.clone()?,
                    digest: digest(image)?,
                })
            })
            .collect(),
        unresolved: images()
            .filter(|image| digest(image).is_none())
            .filter_map(|image| image.image.clone())
            .collect(),
        created_at: timestamp(brief.created_at),
    })
}

/// True if a service deployment has begun and is not over.
pub(super) fn is_under_way(brief: &types::ServiceDeploymentBrief) -> bool {
    status(brief.status.as_ref()) == ServiceDeploymentStatus::UnderWay
}

fn status(status: Option<&types::ServiceDeploymentStatus>) -> ServiceDeploymentStatus {
    use types::ServiceDeploymentStatus as Aws;
    match status {
        Some(Aws::Successful) => ServiceDeploymentStatus::Successful,
        Some(Aws::StopRequested | Aws::Stopped) => ServiceDeploymentStatus::Stopped,
        Some(Aws::RollbackRequested | Aws::RollbackInProgress) => ServiceDeploymentStatus::RollingBack,
        Some(Aws::RollbackSuccessful) => ServiceDeploymentStatus::RolledBack,
        Some(Aws::RollbackFailed) => ServiceDeploymentStatus::RollbackFailed,
        _ => ServiceDeploymentStatus::UnderWay,
    }
}

/// Returns the digests to which the images of a task resolved.
pub(super) fn task_digests(task: types::Task) -> Vec<ContainerDigest> {
    let containers = task.containers.unwrap_or_default().into_iter();
    let digests = containers.filter_map(|container| {
        Some(ContainerDigest {
            container: container.name?,
            image: container.image?,
            digest: container.image_digest?.parse().ok()?,
        })
    });
    digests.collect()
}

pub(super) fn stopped_task(task: types::Task) -> StoppedTask {
    let containers = task.containers.unwrap_or_default().into_iter();
    let arn = task.task_arn.unwrap_or_default();
    StoppedTask {
        id: arn.rsplit('/').next().unwrap_or_default().to_owned(),
        started_by: task.started_by.unwrap_or_default(),
        task_definition: task.task_definition_arn.and_then(|arn| arn.try_into().ok()),
        stop_code: task.stop_code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        reason: task.stopped_reason.unwrap_or_default(),
        is_stopping: task.last_status.is_some_and(|status| status != "STOPPED"),
        stopped_at: task.stopped_at.or(task.stopping_at).map(|at| timestamp(Some(at))),
        containers: containers
            .map(|container| StoppedContainer {
                name: StoppedContainer::told_name(container.name.unwrap_or_default()),
                exit_code: container.exit_code,
                reason: container.reason.filter(|reason| !reason.is_empty()),
            })
            .collect(),
    }
}

fn count(count: i32) -> u32 {
    u32::try_from(count).unwrap_or(0)
}

pub(super) fn timestamp(at: Option<DateTime>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn to_date_time(at: Timestamp) -> DateTime {
    DateTime::from_nanos(at.as_nanosecond()).unwrap_or_else(|_| DateTime::from_secs(at.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{CanaryConfiguration, DeploymentConfiguration, DeploymentStrategy, LinearConfiguration};

    #[test]
    fn a_deployment_waits_as_its_service_says_and_else_by_ecs_own_numbers() {
        let of = || DeploymentConfiguration::builder().bake_time_in_minutes(5);
        let linear = LinearConfiguration::builder().step_percent(25.0);
        let linear = linear.step_bake_time_in_minutes(2).build();
        let canary = CanaryConfiguration::builder().canary_bake_time_in_minutes(20).build();
        for (configuration, minutes) in [
            (DeploymentConfiguration::builder(), 0),
            (of(), 5),
            (of().strategy(DeploymentStrategy::BlueGreen), 5),
            (of().strategy(DeploymentStrategy::Linear), 59),
            (
                of().strategy(DeploymentStrategy::Linear).linear_configuration(linear),
                11,
            ),
            (of().strategy(DeploymentStrategy::Canary), 15),
            (
                of().strategy(DeploymentStrategy::Canary).canary_configuration(canary),
                25,
            ),
        ] {
            let configuration = configuration.build();
            let wait = planned_wait(Some(&configuration));
            assert_eq!(wait, SignedDuration::from_mins(minutes), "{configuration:?}");
        }
        assert_eq!(planned_wait(None), SignedDuration::ZERO);
    }
}
