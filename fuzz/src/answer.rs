//! An answer of ECS about a service and its tasks is read as it says, whatever else stands in it, or refused by an error of ours.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::{Config, Credentials, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use ecr_deploy::domain::lifecycle::{HookAction, HookStatus, Lifecycle};
use ecr_deploy::domain::service::{CrashThreshold, Service, ServiceDeployment, ServiceDeploymentStatus, StoppedTask};
use ecr_deploy::error::Error;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::{Arc, LazyLock};

/// The input: what ECS answers of one service, each part as it stands there.
#[derive(Deserialize)]
struct Input<'a> {
    /// An entry of `services` of `DescribeServices`.
    #[serde(borrow)]
    service: Option<&'a RawValue>,
    /// The `tasks` of `DescribeTasks`.
    tasks: Option<&'a RawValue>,
    /// The `serviceDeployments` of `ListServiceDeployments`.
    records: Option<&'a RawValue>,
    /// The `serviceRevisions` of `DescribeServiceRevisions`.
    revisions: Option<&'a RawValue>,
    /// The `serviceDeployments` of `DescribeServiceDeployments`, with their lifecycle hooks.
    lifecycle: Option<&'a RawValue>,
}

/// The members of a service that are read, by their plain meaning. A member that does not fit is not compared: AWS sends none such.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldService {
    deployment_configuration: Option<ToldConfiguration>,
    deployments: Option<Vec<ToldDeployment>>,
    resource_management_type: Option<String>,
    task_definition: Option<String>,
    task_sets: Option<Vec<ToldTaskSet>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldTaskSet {
    task_definition: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldConfiguration {
    deployment_circuit_breaker: Option<ToldBreaker>,
    early_success_criteria: Option<ToldCriteria>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldBreaker {
    threshold_configuration: Option<ToldThreshold>,
}

#[derive(Deserialize)]
struct ToldThreshold {
    #[serde(rename = "type")]
    kind: String,
    value: i32,
}

#[derive(Deserialize)]
struct ToldCriteria {
    enable: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldDeployment {
    status: Option<String>,
    task_definition: Option<String>,
    desired_count: Option<i32>,
    running_count: Option<i32>,
    pending_count: Option<i32>,
    failed_tasks: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldTask {
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    containers: Option<Vec<ToldContainer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldContainer {
    exit_code: Option<i32>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct ToldRecord {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldLifecycle {
    service_deployment_arn: Option<String>,
    lifecycle_stage: Option<String>,
    lifecycle_hook_details: Option<Vec<ToldHook>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldHook {
    hook_id: Option<String>,
    status: Option<String>,
    target_arn: Option<String>,
    timeout_action: Option<String>,
}

/// Answers each operation with what the input has for it.
#[derive(Debug, Clone)]
struct Wire(Arc<Vec<(&'static str, String)>>);

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next();
        let found = self.0.iter().find(|(known, _)| Some(*known) == operation);
        let body = found.map_or_else(|| "{}".to_owned(), |(_, body)| body.clone());
        let status = StatusCode::try_from(200).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

/// The service deployment that is asked for.
const DEPLOYMENT: &str = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/1";

static CLUSTER: LazyLock<ClusterName> = LazyLock::new(|| "production".to_owned().try_into().expect("a name"));
static SERVICE: LazyLock<ServiceName> = LazyLock::new(|| "web".to_owned().try_into().expect("a name"));

fn ecs(input: &Input<'_>) -> Ecs {
    let text = |raw: Option<&RawValue>, otherwise: &str| raw.map_or(otherwise, RawValue::get).to_owned();
    let answers = vec![
        (
            "DescribeServices",
            format!(r#"{{"services":[{}]}}"#, text(input.service, "{}")),
        ),
        (
            "ListTasks",
            r#"{"taskArns":["arn:aws:ecs:eu-west-1:123456789012:task/production/1"]}"#.to_owned(),
        ),
        ("DescribeTasks", format!(r#"{{"tasks":{}}}"#, text(input.tasks, "[]"))),
        (
            "ListServiceDeployments",
            format!(r#"{{"serviceDeployments":{}}}"#, text(input.records, "[]")),
        ),
        (
            "DescribeServiceRevisions",
            format!(r#"{{"serviceRevisions":{}}}"#, text(input.revisions, "[]")),
        ),
        (
            "DescribeServiceDeployments",
            format!(r#"{{"serviceDeployments":{}}}"#, text(input.lifecycle, "[]")),
        ),
    ];
    let config = Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("fuzz", "fuzz", None, None, "fuzz"))
        .retry_config(RetryConfig::disabled())
        .http_client(Wire(Arc::new(answers)));
    Ecs::with_client(Client::from_conf(config.build()))
}

/// `input` is a JSON object with the parts of [`Input`].
pub(crate) fn check(input: &[u8]) {
    let Ok(input) = serde_json::from_slice::<Input<'_>>(input) else {
        return;
    };
    let ecs = ecs(&input);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        match ecs.describe_service(&CLUSTER, &SERVICE).await {
            Ok(service) => check_service(&service, told(input.service)),
            Err(error) => assert_ours(&error),
        }
        match ecs.stopped_tasks(&CLUSTER, &SERVICE).await {
            Ok(tasks) => check_tasks(&tasks, told(input.tasks)),
            Err(error) => assert_ours(&error),
        }
        match ecs.service_deployments(&CLUSTER, &SERVICE, None).await {
            Ok(records) => check_records(&records.unwrap_or_default(), told(input.records)),
            Err(error) => assert_ours(&error),
        }
        match ecs.lifecycle(DEPLOYMENT).await {
            Ok(lifecycle) => check_lifecycle(lifecycle, told(input.lifecycle)),
            Err(error) => assert!(error.to_string().contains(DEPLOYMENT), "{error}"),
        }
    });
}

fn told<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn assert_ours(error: &Error) {
    let message = error.to_string();
    assert!(Error::NAMES.contains(&error.name()), "{message}");
    assert!(
        message.contains("web in production") || message.contains("DescribeServices"),
        "{message}"
    );
}

fn check_service(service: &Service, told: Option<ToldService>) {
    let Some(told) = told else { return };
    let configuration = told.deployment_configuration.as_ref();
    let breaker = configuration.and_then(|it| it.deployment_circuit_breaker.as_ref());
    let threshold = breaker.and_then(|it| it.threshold_configuration.as_ref());
    let threshold = threshold.map(|it| (it.kind.as_str(), u32::try_from(it.value).unwrap_or(0)));
    let wanted = match threshold {
        Some(("COUNT", value)) => CrashThreshold::Count(value),
        Some(("UNBOUNDED_PERCENT", value)) => CrashThreshold::UnboundedPercent(value),
        Some(("BOUNDED_PERCENT", value)) => CrashThreshold::BoundedPercent(value),
        // One that is not known yet, or none: ECS's default.
        _ => CrashThreshold::BoundedPercent(50),
    };
    assert_eq!(service.crash_threshold, wanted);
    let criteria = configuration.and_then(|it| it.early_success_criteria.as_ref());
    assert_eq!(service.completes_early, criteria.is_some_and(|it| it.enable));
    assert_eq!(
        service.is_express,
        told.resource_management_type.as_deref() == Some("ECS")
    );

    let deployments = told.deployments.unwrap_or_default();
    let told_deployments: Vec<&ToldDeployment> = deployments.iter().filter(|it| it.task_definition.is_some()).collect();
    assert_eq!(service.deployments.len(), told_deployments.len());
    let count = |count: Option<i32>| u32::try_from(count.unwrap_or(0)).unwrap_or(0);
    for (read, told) in service.deployments.iter().zip(&told_deployments) {
        let wanted = [
            told.desired_count,
            told.running_count,
            told.pending_count,
            told.failed_tasks,
        ]
        .map(count);
        assert_eq!(
            [
                read.desired_count,
                read.running_count,
                read.pending_count,
                read.failed_tasks
            ],
            wanted
        );
        assert_eq!(Some(read.task_definition.as_str()), told.task_definition.as_deref());
        assert_eq!(read.is_primary, told.status.as_deref() == Some("PRIMARY"));
    }
    // In Express Mode the primary deployment alone names the revision.
    let of_sets = told
        .task_sets
        .into_iter()
        .flatten()
        .filter_map(|set| set.task_definition);
    let mut named: Vec<String> = told
        .task_definition
        .into_iter()
        .chain(of_sets)
        .filter(|arn| !arn.is_empty())
        .collect();
    if named.is_empty() {
        let mut primaries = told_deployments
            .iter()
            .filter(|it| it.status.as_deref() == Some("PRIMARY"));
        named.extend(primaries.next().and_then(|primary| primary.task_definition.clone()));
    }
    let read: Vec<&str> = service.task_definitions.iter().map(TaskDefinitionArn::as_str).collect();
    assert_eq!(read, named);
}

fn check_tasks(tasks: &[StoppedTask], told: Option<Vec<ToldTask>>) {
    let Some(told) = told else { return };
    assert_eq!(tasks.len(), told.len());
    for (task, told) in tasks.iter().zip(told) {
        let containers = told.containers.unwrap_or_default();
        let is_signal = |it: &ToldContainer| {
            matches!(it.exit_code, Some(137 | 143)) && it.reason.as_deref().unwrap_or_default().is_empty()
        };
        let failed = |it: &ToldContainer| it.exit_code.is_some_and(|code| code != 0) && !is_signal(it);
        let reason = told.stopped_reason.unwrap_or_default().to_ascii_lowercase();
        let code = told.stop_code.unwrap_or_default();
        let crashed = match code.as_str() {
            "EssentialContainerExited" | "TaskFailedToStart" => true,
            "ServiceSchedulerInitiated" => reason.contains("health check") || reason.contains("unhealthy"),
            // A person, and the hardware.
            "UserInitiated" | "SpotInterruption" | "TerminationNotice" | "InfrastructureHealth" => false,
            _ => containers.iter().any(failed),
        };
        assert_eq!(task.crashed(), crashed, "{code}");
        let well = containers.iter().filter(|it| it.exit_code == Some(0)).count();
        let all_well = containers.iter().all(|it| it.exit_code == Some(0) || is_signal(it));
        let ended_well = code == "EssentialContainerExited" && all_well && well > 0;
        assert_eq!(task.succeeded().is_some(), ended_well, "{code}");
        assert!(!task.was_partly_stopped() || (ended_well && well < containers.len()));
    }
}

fn check_records(records: &[ServiceDeployment], told: Option<Vec<ToldRecord>>) {
    use ServiceDeploymentStatus::{RollbackFailed, RolledBack, RollingBack, Stopped, Successful, UnderWay};
    let Some(told) = told else { return };
    assert!(records.len() <= told.len());
    for record in records {
        let fits = |told: &ToldRecord| {
            let wanted = match told.status.as_deref() {
                Some("SUCCESSFUL") => Successful,
                Some("STOP_REQUESTED" | "STOPPED") => Stopped,
                Some("ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS") => RollingBack,
                Some("ROLLBACK_SUCCESSFUL") => RolledBack,
                Some("ROLLBACK_FAILED") => RollbackFailed,
                _ => UnderWay,
            };
            record.status == wanted
        };
        assert!(told.iter().any(fits), "{record:?}");
    }
}

fn check_lifecycle(lifecycle: Option<Lifecycle>, told: Option<Vec<ToldLifecycle>>) {
    let Some(told) = told else { return };
    let mut told = told.into_iter();
    let told = told.find(|it| it.service_deployment_arn.as_deref() == Some(DEPLOYMENT));
    assert_eq!(lifecycle.is_some(), told.is_some());
    let (Some(read), Some(told)) = (lifecycle, told) else {
        return;
    };
    assert_eq!(read.stage, told.lifecycle_stage);
    let told = told.lifecycle_hook_details.unwrap_or_default();
    assert_eq!(read.hooks.len(), told.len());
    for (hook, told) in read.hooks.iter().zip(told) {
        let status = match told.status.as_deref() {
            Some("AWAITING_ACTION") => HookStatus::AwaitingAction,
            Some("IN_PROGRESS") => HookStatus::InProgress,
            Some("SUCCEEDED") => HookStatus::Succeeded,
            Some("FAILED") => HookStatus::Failed,
            Some("TIMED_OUT") => HookStatus::TimedOut,
            _ => HookStatus::Unknown,
        };
        let action = match told.timeout_action.as_deref() {
            Some("CONTINUE") => Some(HookAction::Continue),
            Some("ROLLBACK") => Some(HookAction::RollBack),
            _ => None,
        };
        assert_eq!((hook.status, hook.timeout_action), (status, action));
        assert_eq!(hook.id, told.hook_id.unwrap_or_default());
        assert_eq!(hook.function, told.target_arn.filter(|arn| !arn.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_part_of_an_answer_is_read_from_some_input_of_the_corpus() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/answer");
        let (mut services, mut tasks, mut records, mut hooks) = (0, 0, 0, 0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        for input in corpus.read_dir().unwrap() {
            let input = std::fs::read(input.unwrap().path()).unwrap();
            let Ok(input) = serde_json::from_slice::<Input<'_>>(&input) else {
                continue;
            };
            let ecs = ecs(&input);
            runtime.block_on(async {
                services += usize::from(ecs.describe_service(&CLUSTER, &SERVICE).await.is_ok());
                tasks += ecs
                    .stopped_tasks(&CLUSTER, &SERVICE)
                    .await
                    .map_or(0, |tasks| tasks.len());
                let read = ecs.service_deployments(&CLUSTER, &SERVICE, None).await;
                records += read.ok().flatten().map_or(0, |records| records.len());
                let read = ecs.lifecycle(DEPLOYMENT).await;
                hooks += read.ok().flatten().map_or(0, |lifecycle| lifecycle.hooks.len());
            });
        }
        assert!(
            services >= 8 && tasks >= 8 && records >= 6 && hooks >= 8,
            "{services} services, {tasks} tasks, {records} records, {hooks} hooks"
        );
    }
}
