//! Services and rollouts as ECS writes them, and what a client sends.

use crate::domain::service::{
    Controller, CrashThreshold, Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus,
    ServiceStatus, ServiceTags,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// AWS's answer `body`.
#[must_use]
pub fn answer(body: &Value) -> HttpResponse {
    HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body.to_string()))
}

/// AWS's refusal by the error `code`.
#[must_use]
pub fn refusal(code: &str, message: &str) -> HttpResponse {
    let body = json!({"__type": code, "message": message}).to_string();
    HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body))
}

/// A service as ECS writes it.
#[must_use]
pub fn wire(service: &Service) -> Value {
    let deployments: Vec<Value> = service.deployments.iter().map(wire_deployment).collect();
    let tags = [
        (ServiceTags::STAGE, &service.tags.stage),
        (ServiceTags::HOLD, &service.tags.hold),
    ];
    let tags = tags
        .into_iter()
        .filter_map(|(key, value)| Some(json!({"key": key, "value": value.as_ref()?})));
    let (kind, value) = match service.crash_threshold {
        CrashThreshold::BoundedPercent(percent) => ("BOUNDED_PERCENT", percent),
        CrashThreshold::UnboundedPercent(percent) => ("UNBOUNDED_PERCENT", percent),
        CrashThreshold::Count(count) => ("COUNT", count),
    };
    let threshold = json!({"type": kind, "value": value});
    let pause = json!({"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]});
    let hooks = if service.has_lifecycle_hooks {
        vec![pause]
    } else {
        Vec::new()
    };
    json!({
        "tags": tags.collect::<Vec<_>>(),
        "serviceName": service.name,
        "clusterArn": format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{}", service.cluster),
        "status": match service.status {
            ServiceStatus::Active => "ACTIVE",
            ServiceStatus::Draining => "DRAINING",
            ServiceStatus::Inactive => "INACTIVE",
        },
        "deploymentController": {"type": match service.controller {
            Controller::Ecs => "ECS",
            Controller::CodeDeploy => "CODE_DEPLOY",
            Controller::External => "EXTERNAL",
            Controller::Unknown => "SOMETHING_NEW",
        }},
        "taskDefinition": service.task_definitions.first().filter(|_| !service.is_express),
        "resourceManagementType": if service.is_express { "ECS" } else { "CUSTOMER" },
        "deploymentConfiguration": {
            "bakeTimeInMinutes": service.planned_wait.as_mins(),
            "deploymentCircuitBreaker": {"enable": true, "rollback": true, "thresholdConfiguration": threshold},
            "earlySuccessCriteria": {"enable": service.completes_early, "healthyPercent": 50},
            "lifecycleHooks": hooks,
        },
        "desiredCount": service.desired_count,
        "runningCount": service.running_count,
        "pendingCount": service.pending_count,
        "deployments": deployments,
    })
}

fn wire_deployment(deployment: &Deployment) -> Value {
    let mut wire = json!({
        "id": deployment.id,
        "status": if deployment.is_primary { "PRIMARY" } else { "ACTIVE" },
        "taskDefinition": deployment.task_definition,
        "desiredCount": deployment.desired_count,
        "runningCount": deployment.running_count,
        "pendingCount": deployment.pending_count,
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at.as_second(),
        "rolloutStateReason": deployment.rollout_state_reason.as_deref().unwrap_or_default(),
    });
    if let Some(state) = deployment.rollout_state {
        wire["rolloutState"] = json!(match state {
            RolloutState::InProgress => "IN_PROGRESS",
            RolloutState::Completed => "COMPLETED",
            RolloutState::Failed => "FAILED",
        });
    }
    wire
}

/// Returns ECS's answer to `DescribeServices` of `services`.
#[must_use]
pub fn described_services<'a>(services: impl IntoIterator<Item = &'a Service>) -> Value {
    let services: Vec<Value> = services.into_iter().map(wire).collect();
    json!({"services": services, "failures": []})
}

/// Returns ECS's answers to `ListServiceDeployments`, and to `DescribeServiceRevisions` after it.
#[must_use]
pub fn listed_deployments(records: &[ServiceDeployment]) -> (Value, Value) {
    let revision = |record: &ServiceDeployment| {
        let number = record.target.revision();
        format!("arn:aws:ecs:eu-west-1:123456789012:service-revision/production/web/{number}")
    };
    let status = |record: &ServiceDeployment| match record.status {
        ServiceDeploymentStatus::UnderWay => "IN_PROGRESS",
        ServiceDeploymentStatus::Successful => "SUCCESSFUL",
        ServiceDeploymentStatus::Stopped => "STOPPED",
        ServiceDeploymentStatus::RollingBack => "ROLLBACK_IN_PROGRESS",
        ServiceDeploymentStatus::RolledBack => "ROLLBACK_SUCCESSFUL",
        ServiceDeploymentStatus::RollbackFailed => "ROLLBACK_FAILED",
    };
    let deployments = records.iter().map(|record| {
        json!({
            "serviceDeploymentArn": record.arn,
            "status": status(record),
            "statusReason": record.status_reason.as_deref().unwrap_or_default(),
            "createdAt": record.created_at.as_second(),
            "targetServiceRevisionArn": revision(record),
        })
    });
    let revisions = records.iter().map(|record| {
        let images = record
            .target_digests
            .iter()
            .map(|image| json!({"containerName": image.container, "image": image.image, "imageDigest": image.digest}));
        let unresolved = record
            .unresolved
            .iter()
            .map(|image| json!({"containerName": "web", "image": image}));
        json!({
            "serviceRevisionArn": revision(record),
            "taskDefinition": record.target,
            "containerImages": images.chain(unresolved).collect::<Vec<_>>(),
        })
    });
    (
        json!({"serviceDeployments": deployments.collect::<Vec<_>>()}),
        json!({"serviceRevisions": revisions.collect::<Vec<_>>()}),
    )
}

/// Sees what a client really sends: mocks match the SDK's own types, which a document passes by.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<Mutex<Vec<(String, Value)>>>);

impl Wire {
    /// The bodies that were sent to `operation`, oldest first.
    #[must_use]
    pub fn bodies(&self, operation: &str) -> Vec<Value> {
        let sent = self.0.lock().unwrap();
        let matching = sent
            .iter()
            .filter(|(target, _)| target.ends_with(&format!(".{operation}")));
        matching.map(|(_, body)| body.clone()).collect()
    }

    /// The operations that were called, in order.
    #[must_use]
    pub fn operations(&self) -> Vec<String> {
        let sent = self.0.lock().unwrap();
        let name = |target: &String| {
            target
                .rsplit_once('.')
                .map_or(target.clone(), |(_, name)| name.to_owned())
        };
        sent.iter().map(|(target, _)| name(target)).collect()
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Wire {
    fn name(&self) -> &'static str {
        "wire"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default())?;
        self.0.lock().unwrap().push((target, body));
        Ok(())
    }
}
