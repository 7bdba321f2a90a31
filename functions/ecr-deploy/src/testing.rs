//! Test data for the steps: a push, revisions, services and ECS's answers, each in as few words as a case needs. Only
//! there with the feature `test-util`.
//!
//! A case names what it is about and takes the rest from here:
//! `Deployment { rollout_state: Some(RolloutState::Failed), ..deployment("web:2") }`.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that builds nonsense should panic"
)]

mod log;
mod wire;

use crate::contract::{Execution, Rollout, ServiceId};
use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::ImageDigest;
use crate::domain::push::{PushId, PushedImage};
use crate::domain::service::{
    ContainerDigest, Controller, CrashThreshold, Deployment, RolloutState, Service, ServiceDeployment,
    ServiceDeploymentStatus, ServiceStatus, ServiceTags, StoppedContainer, StoppedTask,
};
use crate::domain::task_definition::TaskDefinition;
use crate::function::runtime::Request;
use jiff::{SignedDuration, Timestamp};
pub use log::KeptLog;
use serde::Serialize;
use serde_json::{Value, json};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
pub use wire::{Wire, answer, described_services, listed_deployments, refusal, wire};

/// The registry that pushes of the tests go to.
pub const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// `seconds` after the noon at which every test begins.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    "2026-05-04T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// The revision `web:2`.
#[must_use]
pub fn arn(short: &str) -> TaskDefinitionArn {
    format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{short}")
        .parse()
        .unwrap()
}

/// The digest of the image `v<number>`.
#[must_use]
pub fn digest(number: u32) -> ImageDigest {
    format!("sha256:{number:064x}").parse().unwrap()
}

/// The push of `app:v<number>`: a higher number was pushed later.
#[must_use]
pub fn pushed(number: u32) -> PushedImage {
    PushedImage {
        registry_id: "123456789012".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        repository: "app".parse().unwrap(),
        tag: format!("v{number}").parse().unwrap(),
        digest: digest(number),
        push: PushId::new(at(i64::from(number)), "0a1b").unwrap(),
        by: None,
    }
}

/// Returns ECS's answer to a description of `short`, with one container, `web`, of `image` (`app:v1`), and `tags`.
#[must_use]
pub fn described(short: &str, image: &str, tags: &[(&str, &str)]) -> Value {
    let tags: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    json!({
        "taskDefinition": {
            "taskDefinitionArn": arn(short),
            "family": arn(short).family(),
            "revision": arn(short).revision(),
            "status": "ACTIVE",
            "registeredAt": at(-3600).as_second(),
            "networkMode": "awsvpc",
            "containerDefinitions": [{"name": "web", "image": format!("{REGISTRY}/{image}"), "essential": true}],
        },
        "tags": tags,
    })
}

/// [`described`] as it was registered for the push of `app:v<number>`.
#[must_use]
pub fn described_of_push(short: &str, number: u32) -> Value {
    let tag = format!("v{number}");
    let record = format!("{} {} {tag}", pushed(number).push, digest(number));
    described(short, &format!("app:{tag}"), &[("ecr-deploy:push/app", &record)])
}

/// A description, read.
#[must_use]
pub fn definition(described: &Value) -> TaskDefinition {
    TaskDefinition::from_response(described.to_string().as_bytes()).unwrap()
}

/// The deployment `ecs-svc/<revision>` of a revision: complete, two tasks of two, begun that many seconds after noon.
#[must_use]
pub fn deployment(short: &str) -> Deployment {
    let task_definition = arn(short);
    let number = task_definition.revision();
    Deployment {
        id: format!("ecs-svc/{number}"),
        is_primary: false,
        task_definition,
        rollout_state: Some(RolloutState::Completed),
        rollout_state_reason: None,
        desired_count: 2,
        running_count: 2,
        pending_count: 0,
        failed_tasks: 0,
        created_at: at(i64::try_from(number).unwrap()),
    }
}

/// [`deployment`], under way and without a running task.
#[must_use]
pub fn rolling(short: &str) -> Deployment {
    Deployment {
        rollout_state: Some(RolloutState::InProgress),
        running_count: 0,
        pending_count: 2,
        ..deployment(short)
    }
}

/// [`deployment`], given up by the circuit breaker.
#[must_use]
pub fn given_up(short: &str) -> Deployment {
    Deployment {
        rollout_state: Some(RolloutState::Failed),
        pending_count: 0,
        ..rolling(short)
    }
}

/// The service `web in production` with `deployments`, the primary one first.
#[must_use]
pub fn service(deployments: impl IntoIterator<Item = Deployment>) -> Service {
    let mut deployments: Vec<Deployment> = deployments.into_iter().collect();
    if let Some(primary) = deployments.first_mut() {
        primary.is_primary = true;
    }
    Service {
        cluster: "production".parse().unwrap(),
        name: "web".parse().unwrap(),
        status: ServiceStatus::Active,
        controller: Controller::Ecs,
        task_definitions: deployments
            .iter()
            .take(1)
            .map(|on| on.task_definition.clone())
            .collect(),
        tags: ServiceTags::default(),
        desired_count: deployments.first().map_or(2, |primary| primary.desired_count),
        running_count: deployments.iter().map(|deployment| deployment.running_count).sum(),
        pending_count: deployments.iter().map(|deployment| deployment.pending_count).sum(),
        deployments,
        crash_threshold: CrashThreshold::default(),
        planned_wait: jiff::SignedDuration::ZERO,
        completes_early: false,
        has_lifecycle_hooks: false,
        is_express: false,
        events: Vec::new(),
    }
}

/// `web in production`, by its two names.
#[must_use]
pub fn service_id() -> ServiceId {
    ServiceId {
        cluster: "production".parse().unwrap(),
        service: "web".parse().unwrap(),
    }
}

/// The rollout of [`deployment`]`(short)`, with half an hour to become stable.
#[must_use]
pub fn rollout(short: &str) -> Rollout {
    let deployment = deployment(short);
    Rollout {
        cluster: service_id().cluster,
        service: service_id().service,
        task_definition: deployment.task_definition,
        deployment: Some(deployment.id),
        started_at: deployment.created_at,
        watched_since: deployment.created_at,
        deadline: deployment.created_at + SignedDuration::from_mins(30),
    }
}

/// ECS's record of the rollout of [`deployment`]`(short)`, whose image `app:v<revision>` resolved to its digest.
#[must_use]
pub fn record(short: &str, status: ServiceDeploymentStatus) -> ServiceDeployment {
    let deployment = deployment(short);
    let number = deployment.task_definition.revision();
    ServiceDeployment {
        arn: format!("arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/{number}"),
        status,
        status_reason: None,
        target_digests: vec![ContainerDigest {
            container: "web".to_owned(),
            image: format!("{REGISTRY}/app:v{number}"),
            digest: digest(u32::try_from(number).unwrap()),
        }],
        unresolved: Vec::new(),
        target: deployment.task_definition,
        created_at: deployment.created_at,
    }
}

/// The task `3f2a<seconds>` of [`deployment`]`(short)`, whose container `web` exited with code 1 so many seconds after noon.
#[must_use]
pub fn crash(short: &str, seconds: i64) -> StoppedTask {
    StoppedTask {
        id: format!("3f2a{seconds}"),
        started_by: deployment(short).id,
        task_definition: Some(arn(short)),
        stop_code: "EssentialContainerExited".to_owned(),
        reason: "Essential container in task exited".to_owned(),
        is_stopping: false,
        stopped_at: Some(at(seconds)),
        containers: vec![StoppedContainer {
            name: "web".to_owned(),
            exit_code: Some(1),
            reason: None,
        }],
    }
}

/// Lets a call take so long, on a clock of tokio's that stands still.
///
/// # Panics
///
/// On any other clock.
pub fn pass(seconds: u64) {
    let passing = pin!(tokio::time::advance(Duration::from_secs(seconds)));
    assert!(passing.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Returns a handler's request with `input`, `seconds` after noon, before any redrive.
#[must_use]
pub fn request(input: &impl Serialize, seconds: i64) -> Request<Value> {
    Request {
        execution: Execution {
            id: "arn:aws:states:eu-west-1:123456789012:execution:deploy-service:web".to_owned(),
            redrive_count: 0,
            version: crate::domain::VERSION.to_owned(),
        },
        now: at(seconds),
        input: serde_json::to_value(input).unwrap(),
    }
}
