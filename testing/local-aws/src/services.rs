//! Clusters, revisions and services to deploy to.

use crate::{ACCOUNT, Error, LocalAws, pause};
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentController,
    DeploymentControllerType, DeploymentRolloutState, LoadBalancer, Service,
};
use std::time::{Duration, Instant};

/// How a service is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// How many tasks it runs.
    pub desired_count: i32,
    /// `Some` if it has ECS's circuit breaker; true if that rolls back.
    pub circuit_breaker: Option<bool>,
    /// Its deployment controller.
    pub controller: DeploymentControllerType,
    /// The ARN of the target group that its first container is behind.
    pub target_group: Option<String>,
}

impl Default for Setup {
    /// One task, no circuit breaker, deployed by ECS.
    fn default() -> Self {
        Self {
            desired_count: 1,
            circuit_breaker: None,
            controller: DeploymentControllerType::Ecs,
            target_group: None,
        }
    }
}

impl LocalAws {
    /// Makes a cluster.
    ///
    /// # Errors
    ///
    /// When ECS refuses.
    pub async fn create_cluster(&self, cluster: &str) -> Result<(), Error> {
        self.ecs()
            .create_cluster()
            .cluster_name(cluster)
            .send()
            .await
            .map(drop)
            .map_err(Error::call)
    }

    /// Registers a revision with these containers, each a name and an image. Returns its ARN.
    ///
    /// # Errors
    ///
    /// When ECS refuses.
    pub async fn register(&self, family: &str, containers: &[(&str, &str)]) -> Result<String, Error> {
        self.register_stopping(family, containers, None).await
    }

    /// The same, with containers that may take so many seconds to stop.
    ///
    /// # Errors
    ///
    /// When ECS refuses.
    pub async fn register_stopping(
        &self,
        family: &str,
        containers: &[(&str, &str)],
        stop_timeout: Option<i32>,
    ) -> Result<String, Error> {
        let ecs = self.ecs();
        let mut register = ecs
            .register_task_definition()
            .family(family)
            .task_role_arn(format!("arn:aws:iam::{ACCOUNT}:role/app-task"))
            .execution_role_arn(format!("arn:aws:iam::{ACCOUNT}:role/app-execution"))
            .requires_compatibilities(Compatibility::Ec2);
        for (name, image) in containers {
            let container = ContainerDefinition::builder()
                .name(*name)
                .image(*image)
                .memory(32)
                .set_stop_timeout(stop_timeout)
                .essential(true);
            register = register.container_definitions(container.build());
        }
        let registered = register.send().await.map_err(Error::call)?.task_definition;
        let arn = registered.and_then(|revision| revision.task_definition_arn);
        arn.ok_or_else(|| Error::Call(format!("ECS registered {family} and did not say as what")))
    }

    /// Makes a service on a revision, or on the newest revision of a family.
    ///
    /// # Errors
    ///
    /// When ECS refuses.
    pub async fn create_service(
        &self,
        cluster: &str,
        name: &str,
        task_definition: &str,
        setup: &Setup,
    ) -> Result<(), Error> {
        let create = self
            .ecs()
            .create_service()
            .cluster(cluster)
            .service_name(name)
            .task_definition(task_definition);
        let mut create = create.desired_count(setup.desired_count);
        if let Some(rollback) = setup.circuit_breaker {
            let breaker = DeploymentCircuitBreaker::builder()
                .enable(true)
                .rollback(rollback)
                .build();
            let configuration = DeploymentConfiguration::builder()
                .deployment_circuit_breaker(breaker)
                .build();
            create = create.deployment_configuration(configuration);
        }
        if let Some(arn) = &setup.target_group {
            let balancer = LoadBalancer::builder().target_group_arn(arn).container_name(name);
            create = create.load_balancers(balancer.container_port(80).build());
        }
        if setup.controller != DeploymentControllerType::Ecs {
            let controller = DeploymentController::builder().r#type(setup.controller.clone()).build();
            create = create.deployment_controller(controller.map_err(Error::call)?);
        }
        create.send().await.map(drop).map_err(Error::call)
    }

    /// A service as it is now.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn describe_service(&self, cluster: &str, service: &str) -> Result<Service, Error> {
        let described = self
            .ecs()
            .describe_services()
            .cluster(cluster)
            .services(service)
            .send()
            .await;
        let services = described.map_err(Error::call)?.services.unwrap_or_default();
        services
            .into_iter()
            .next()
            .ok_or_else(|| Error::Call(format!("there is no service {service} in {cluster}")))
    }

    /// Waits until a service runs all its tasks on a complete deployment.
    ///
    /// # Errors
    ///
    /// [`Error::Late`] when that takes longer than `limit`.
    pub async fn stable(&self, cluster: &str, service: &str, limit: Duration) -> Result<Service, Error> {
        let begun = Instant::now();
        loop {
            let it = self.describe_service(cluster, service).await?;
            let primary = it
                .deployments()
                .iter()
                .find(|deployment| deployment.status() == Some("PRIMARY"));
            let is_complete = primary.and_then(|it| it.rollout_state()) == Some(&DeploymentRolloutState::Completed);
            if is_complete && it.running_count() == it.desired_count() {
                return Ok(it);
            }
            if begun.elapsed() > limit {
                let what = format!("{service} becoming stable");
                return Err(Error::Late {
                    what,
                    limit,
                    seen: format!("{:?}", it.deployments()),
                });
            }
            pause(Duration::from_millis(100)).await;
        }
    }

    /// The images of a revision, in the order of its containers.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn images_of(&self, task_definition: &str) -> Result<Vec<String>, Error> {
        let described = self
            .ecs()
            .describe_task_definition()
            .task_definition(task_definition)
            .send()
            .await;
        let revision = described
            .map_err(Error::call)?
            .task_definition
            .unwrap_or_else(|| aws_sdk_ecs::types::TaskDefinition::builder().build());
        let containers = revision.container_definitions.unwrap_or_default();
        Ok(containers.into_iter().filter_map(|container| container.image).collect())
    }
}
