//! Shared by the scenarios: the local AWS, and the ways to set up and to read services.

use aws_sdk_ecs::types::{ContainerDefinition, DeploymentControllerType, DesiredStatus, Service, Task};
use local_aws::executions::Execution;
use local_aws::images::Behaviour;
use local_aws::{LocalAws, Options, Settings, Stack, containers, services};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::runtime::Runtime;

/// One runtime for all: the connections of an SDK client live in the runtime that made them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// How long an execution may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(20);

/// A local AWS with the stack in it.
pub(crate) struct Deployed {
    pub(crate) aws: LocalAws,
    pub(crate) stack: Stack,
}

/// The stack with its defaults.
pub(crate) static STANDARD: LazyLock<Deployed> = LazyLock::new(|| Deployed::with(&Settings::default()));

/// A stack for some clusters, which takes ECR's own events and deploys `latest`: settings that leave each other alone share
/// a stack.
pub(crate) static NAMED_CLUSTERS: LazyLock<Deployed> = LazyLock::new(|| {
    let settings = Settings::default()
        .with("clusters", "named,named-deleted,image-action,deploy-latest,production")
        .with("parameters", "true")
        .with("trigger", "imageAction")
        .with("deployLatest", "true");
    Deployed::with(&settings)
});

/// A stack that names images by digest, tags with `latest` what is stable, and has stages for two clusters.
pub(crate) static TAG_LATEST_BY_DIGEST: LazyLock<Deployed> = LazyLock::new(|| {
    let settings = Settings::default()
        .with("tagLatest", "true")
        .with("imageReference", "digest")
        .with("stages", STAGES);
    Deployed::with(&settings)
});

/// Two stages with a cluster each, and one for all other services.
const STAGES: &str = r#"[
    {"name": "previews", "clusters": ["staged-preview"], "tags": ["pr-*"]},
    {"name": "production", "clusters": ["staged-production"], "tags": ["semver:>=1.0.0"]},
    {"name": "rest", "tags": ["*", "!latest"]}
]"#;

/// Runs a scenario.
pub(crate) fn run(scenario: impl Future<Output = ()>) {
    RUNTIME.block_on(scenario);
}

/// True if a scenario with containers can run. Where it cannot, that is said, and where `CI` is set it is a failure.
pub(crate) fn containers() -> bool {
    let scenario = std::thread::current().name().unwrap_or_default().to_owned();
    assert!(
        // Tests that run one after the other have no thread of their own.
        scenario == "main" || containers::SCENARIOS.contains(&scenario.as_str()),
        "{scenario} needs containers: add it to local_aws::containers::SCENARIOS"
    );
    let Err(reason) = containers::available() else {
        return true;
    };
    assert!(std::env::var_os("CI").is_none(), "not run, because {reason}");
    eprintln!("{scenario}: not run, because {reason}");
    false
}

#[test]
fn every_scenario_that_is_named_as_one_with_containers_is_there() {
    let modules = [
        ("broken_image", include_str!("broken_image.rs")),
        ("new_tag", include_str!("new_tag.rs")),
        ("settings", include_str!("settings.rs")),
        ("tag_latest", include_str!("tag_latest.rs")),
    ];
    for scenario in containers::SCENARIOS {
        let (module, function) = scenario.split_once("::").unwrap();
        let source = modules
            .iter()
            .find(|(name, _)| *name == module)
            .map(|(_, source)| *source);
        assert!(
            source.is_some_and(|it| it.contains(&format!("fn {function}("))),
            "{scenario}"
        );
    }
}

/// How a service is set up.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) desired: i32,
    /// The circuit breaker, and whether it rolls back.
    pub(crate) circuit_breaker: Option<bool>,
    pub(crate) controller: Controller,
}

/// Who deploys a service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Ecs,
    CodeDeploy,
    External,
}

impl From<Setup> for services::Setup {
    fn from(setup: Setup) -> Self {
        Self {
            desired_count: setup.desired,
            circuit_breaker: setup.circuit_breaker,
            controller: match setup.controller {
                Controller::Ecs => DeploymentControllerType::Ecs,
                Controller::CodeDeploy => DeploymentControllerType::CodeDeploy,
                Controller::External => DeploymentControllerType::External,
            },
            ..Self::default()
        }
    }
}

/// One task and no circuit breaker.
pub(crate) const PLAIN: Setup = Setup {
    desired: 1,
    circuit_breaker: None,
    controller: Controller::Ecs,
};

impl Deployed {
    pub(crate) fn with(settings: &Settings) -> Self {
        let aws = LocalAws::start(&Options::default()).expect("a local AWS");
        let stack = aws.deploy(settings).expect("the stack");
        Self { aws, stack }
    }

    /// Makes a repository with a healthy image `v1` in it, which nobody runs yet. Returns the image's name.
    pub(crate) async fn repository(&self, name: &str) -> String {
        self.aws.create_repository(name).await.expect("a repository");
        self.aws.push(name, "v1", Behaviour::Healthy).await.expect("a push");
        // Its execution has read everything before there is something to find.
        self.pushes(name, 1).await;
        self.aws.image(name, "v1")
    }

    pub(crate) async fn cluster(&self, name: &str) {
        self.aws.create_cluster(name).await.expect("a cluster");
    }

    /// Registers a revision with these containers, each a name and an image. Returns its ARN.
    pub(crate) async fn register(&self, family: &str, containers: &[(&str, &str)]) -> String {
        self.aws.register(family, containers).await.expect("a revision")
    }

    /// Registers a revision whose container idles whatever its image would run. Returns its ARN.
    pub(crate) async fn register_idle(&self, family: &str, container: &str, image: &str) -> String {
        let idle = "trap 'exit 0' TERM; while :; do /bin/busybox sleep 3600 & wait; done";
        let container = ContainerDefinition::builder()
            .name(container)
            .image(image)
            .memory(32)
            .essential(true);
        let container = container.set_command(Some(["/bin/busybox", "sh", "-c", idle].map(str::to_owned).to_vec()));
        let register = self.aws.ecs().register_task_definition().family(family);
        let registered = register
            .container_definitions(container.build())
            .send()
            .await
            .expect("a revision");
        registered
            .task_definition
            .and_then(|revision| revision.task_definition_arn)
            .expect("the revision's ARN")
    }

    pub(crate) async fn service(&self, cluster: &str, name: &str, task_definition: &str, setup: Setup) {
        let setup = setup.into();
        self.aws
            .create_service(cluster, name, task_definition, &setup)
            .await
            .expect("a service");
    }

    /// Waits until a service runs all its tasks on its one deployment.
    pub(crate) async fn stable(&self, cluster: &str, service: &str) {
        self.aws
            .stable(cluster, service, LIMIT)
            .await
            .expect("a stable service");
    }

    pub(crate) async fn describe(&self, cluster: &str, service: &str) -> Service {
        self.aws.describe_service(cluster, service).await.expect("the service")
    }

    /// The images that a revision's containers run, in order of the containers.
    pub(crate) async fn images(&self, task_definition: &str) -> Vec<String> {
        self.aws.images_of(task_definition).await.expect("the revision")
    }

    /// The revisions of a family that were ever registered, the first one first: `["web:1"]`.
    pub(crate) async fn revisions(&self, family: &str) -> Vec<String> {
        let listed = self
            .aws
            .ecs()
            .list_task_definitions()
            .family_prefix(family)
            .send()
            .await
            .expect("a list");
        let arns = listed.task_definition_arns.unwrap_or_default();
        arns.iter()
            .filter_map(|arn| arn.rsplit('/').next())
            .map(str::to_owned)
            .collect()
    }

    /// The ids of a service's deployments.
    pub(crate) async fn deployment_ids(&self, cluster: &str, service: &str) -> Vec<String> {
        let deployments = self.describe(cluster, service).await.deployments.unwrap_or_default();
        deployments.into_iter().filter_map(|deployment| deployment.id).collect()
    }

    /// The images that a service runs.
    pub(crate) async fn service_images(&self, cluster: &str, service: &str) -> Vec<String> {
        let it = self.describe(cluster, service).await;
        self.images(it.task_definition().expect("a revision")).await
    }

    /// The digests of the containers that run for a service now.
    pub(crate) async fn running_digests(&self, cluster: &str, service: &str) -> Vec<String> {
        let ecs = self.aws.ecs();
        let listed = ecs
            .list_tasks()
            .cluster(cluster)
            .service_name(service)
            .send()
            .await
            .expect("a list");
        let tasks = listed.task_arns.unwrap_or_default();
        if tasks.is_empty() {
            return Vec::new();
        }
        let described = ecs
            .describe_tasks()
            .cluster(cluster)
            .set_tasks(Some(tasks))
            .send()
            .await
            .expect("tasks");
        let tasks = described.tasks.unwrap_or_default();
        let running = tasks.into_iter().filter(|task| task.last_status() == Some("RUNNING"));
        let containers = running.flat_map(|task| task.containers.unwrap_or_default());
        containers.filter_map(|container| container.image_digest).collect()
    }

    /// The ids of the deployments that ever started a task of a revision, such as `web:2`, which has stopped since.
    pub(crate) async fn deployments_with_tasks(&self, cluster: &str, revision: &str) -> BTreeSet<String> {
        let ecs = self.aws.ecs();
        let stopped = ecs.list_tasks().cluster(cluster).desired_status(DesiredStatus::Stopped);
        let mut ids = BTreeSet::new();
        let mut pages = stopped.into_paginator().send();
        while let Some(page) = pages.next().await {
            let arns = page.expect("a list").task_arns.unwrap_or_default();
            if arns.is_empty() {
                continue;
            }
            let described = ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns)).send().await;
            let tasks = described.expect("tasks").tasks.unwrap_or_default();
            let of_revision = |task: &Task| {
                let arn = task.task_definition_arn().unwrap_or_default();
                arn.ends_with(&format!("/{revision}"))
            };
            ids.extend(tasks.into_iter().filter(of_revision).filter_map(|task| task.started_by));
        }
        ids
    }

    /// Waits for the end of the executions of the pushes to a repository.
    pub(crate) async fn pushes(&self, repository: &str, count: usize) -> Vec<Execution> {
        let of_repository = |it: &Execution| it.is_of_push_to(repository);
        let ended = self
            .aws
            .ended_executions(&self.stack.deploy_image, count, None, of_repository, LIMIT)
            .await;
        assert_eq!(self.aws.refused(), Vec::<String>::new(), "refused by IAM");
        ended.expect("executions that end")
    }

    /// Waits for the end of the launcher's executions for the events of a repository.
    pub(crate) async fn launches(&self, repository: &str, count: usize) -> Vec<Execution> {
        let of_repository = |it: &Execution| it.is_of_push_to(repository);
        let ended = self
            .aws
            .ended_executions(&self.stack.push, count, None, of_repository, LIMIT)
            .await;
        assert_eq!(self.aws.refused(), Vec::<String>::new(), "refused by IAM");
        ended.expect("executions that end")
    }

    /// The executions that another one started.
    pub(crate) async fn children(&self, parent: &Execution) -> Vec<Execution> {
        self.aws.children(&self.stack, parent).await.expect("the children")
    }
}

/// The summary of an execution that must have succeeded.
pub(crate) fn summary(execution: &Execution) -> &Value {
    match (&execution.output, execution.status.as_str()) {
        (Some(output), "SUCCEEDED") => output,
        _ => panic!("{} did not succeed: {execution:#?}", execution.name),
    }
}

/// The services of a summary and how they ended, in the order of their names: `[("web", "DEPLOYED")]`.
pub(crate) fn outcomes(summary: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let services = summary["services"].as_array().cloned().unwrap_or_default();
    let mut outcomes: Vec<_> = services
        .iter()
        .map(|it| (text(&it["service"]), text(&it["outcome"])))
        .collect();
    outcomes.sort();
    outcomes
}

/// The services that a summary names as skipped, each with the reason, in the order of the names.
pub(crate) fn all_skipped(summary: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let skipped = summary["skipped"].as_array().cloned().unwrap_or_default();
    let mut skipped: Vec<_> = skipped
        .iter()
        .map(|it| (text(&it["resource"]), text(&it["reason"])))
        .collect();
    skipped.sort();
    skipped
}
