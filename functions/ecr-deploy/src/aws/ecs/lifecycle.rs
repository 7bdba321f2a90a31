//! The lifecycle hooks of a service deployment, by `DescribeServiceDeployments`.

use super::Ecs;
use super::convert::timestamp;
use crate::domain::lifecycle::{Hook, HookAction, HookStatus, Lifecycle};
use crate::error::Error;
use aws_sdk_ecs::types;

impl Ecs {
    /// How the hooks of one service deployment stand.
    ///
    /// `None` where ECS does not tell: not permitted, not supported, or the service deployment is not there.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn lifecycle(&self, service_deployment: &str) -> Result<Option<Lifecycle>, Error> {
        match self.told_lifecycle(service_deployment).await {
            Err(Error::Rejected(message) | Error::NotFound(message)) => {
                tracing::warn!("doing without the lifecycle hooks: {message}");
                Ok(None)
            }
            told => told,
        }
    }

    /// The same for a person, who wants to hear why ECS does not tell. `None` where its answer holds no such service deployment.
    ///
    /// # Errors
    ///
    /// `Deploy.Rejected` and `Deploy.NotFound` too.
    pub async fn told_lifecycle(&self, service_deployment: &str) -> Result<Option<Lifecycle>, Error> {
        let request = self.client.describe_service_deployments();
        let sent = request.service_deployment_arns(service_deployment).send().await;
        let call = format!("DescribeServiceDeployments of {service_deployment}");
        let described = sent.map_err(|error| Error::from_aws(&call, &error))?;
        let mut deployments = described.service_deployments.unwrap_or_default().into_iter();
        let is_it = |it: &types::ServiceDeployment| it.service_deployment_arn() == Some(service_deployment);
        Ok(deployments.find(is_it).map(|it| read(service_deployment, it)))
    }
}

fn read(arn: &str, deployment: types::ServiceDeployment) -> Lifecycle {
    let hooks = deployment.lifecycle_hook_details.unwrap_or_default().into_iter();
    Lifecycle {
        service_deployment: arn.to_owned(),
        stage: deployment.lifecycle_stage.map(|stage| stage.as_str().to_owned()),
        hooks: hooks.map(hook).collect(),
    }
}

fn hook(hook: types::DeploymentLifecycleHookDetail) -> Hook {
    use types::DeploymentLifecycleHookStatus as Aws;
    Hook {
        id: hook.hook_id.unwrap_or_default(),
        status: match hook.status {
            Some(Aws::AwaitingAction) => HookStatus::AwaitingAction,
            Some(Aws::InProgress) => HookStatus::InProgress,
            Some(Aws::Succeeded) => HookStatus::Succeeded,
            Some(Aws::Failed) => HookStatus::Failed,
            Some(Aws::TimedOut) => HookStatus::TimedOut,
            _ => HookStatus::Unknown,
        },
        function: hook.target_arn.filter(|arn| !arn.is_empty()),
        expires_at: hook.expires_at.map(|at| timestamp(Some(at))),
        timeout_action: match hook.timeout_action {
            Some(types::DeploymentLifecycleHookAction::Continue) => Some(HookAction::Continue),
            Some(types::DeploymentLifecycleHookAction::Rollback) => Some(HookAction::RollBack),
            _ => None,
        },
    }
}
