//! The lifecycle hooks at which a rollout waits for a person: how they are found, and how they are answered.

use crate::aws::Account;
use crate::error::Error;
use crate::output;
use aws_sdk_ecs::types::{DeploymentLifecycleHookAction, ServiceDeploymentBrief, ServiceDeploymentStatus};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::domain::lifecycle::{Hook, HookAction, HookStatus, Lifecycle};
use ecr_deploy::domain::service::Service;
use ecr_deploy::error::Error as OfAws;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A hook that waits for a person, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pause {
    /// The id of the hook.
    pub id: String,
    /// The stage at which the rollout waits, in ECS's word.
    pub stage: String,
    /// When ECS ends it, where ECS says so.
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// The action that ECS takes then, where ECS says so: `CONTINUE` or `ROLLBACK`.
    pub then: Option<String>,
}

impl Pause {
    /// `POST_TEST_TRAFFIC_SHIFT until 2026-11-30 10:00:00 UTC, when ECS rolls it back`.
    #[must_use]
    pub fn text(&self) -> String {
        let then = match self.then.as_deref() {
            Some("CONTINUE") => ", when ECS continues it",
            Some(_) => ", when ECS rolls it back",
            None => "",
        };
        let until = self.until.map(|at| format!(" until {}{then}", output::time(at)));
        format!("{}{}", self.stage, until.unwrap_or_default())
    }
}

/// The newest service deployment of a service that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderWay {
    /// Its status, in ECS's word.
    pub status: String,
    /// Its hooks.
    pub lifecycle: Lifecycle,
}

impl UnderWay {
    /// Reads it, in two calls; `None` where none is under way.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn read(account: &Account, ecs: &Ecs, service: &Service) -> Result<Option<Self>, Error> {
        use ServiceDeploymentStatus::{InProgress, Pending, RollbackInProgress, RollbackRequested, StopRequested};
        let title = format!("{}/{}", service.cluster, service.name);
        let (cluster, name) = (service.cluster.as_str(), service.name.as_str());
        let request = account.ecs().list_service_deployments().cluster(cluster).service(name);
        let statuses = [
            Pending,
            InProgress,
            StopRequested,
            RollbackRequested,
            RollbackInProgress,
        ];
        let listed = request.set_status(Some(statuses.to_vec())).send().await;
        let listed = listed.map_err(|error| OfAws::from_aws(&format!("ListServiceDeployments of {title}"), &error))?;
        let age = |it: &ServiceDeploymentBrief| it.created_at.map(|at| (at.secs(), at.subsec_nanos()));
        let newest = listed.service_deployments().iter().max_by_key(|it| age(it));
        let Some((arn, newest)) = newest.and_then(|it| Some((it.service_deployment_arn()?, it))) else {
            return Ok(None);
        };
        let lifecycle = ecs.told_lifecycle(arn).await?;
        let status = newest.status().map(|it| it.as_str().to_owned()).unwrap_or_default();
        Ok(lifecycle.map(|lifecycle| Self { status, lifecycle }))
    }

    /// The hooks that wait for a person now.
    #[must_use]
    pub fn pauses(&self, now: Timestamp) -> Vec<Pause> {
        let waits = |hook: &&Hook| {
            hook.status == HookStatus::AwaitingAction && hook.expires_at.is_none_or(|at| now < at) && !self.goes_back()
        };
        let stage = self.lifecycle.stage.as_deref().unwrap_or("a lifecycle hook");
        let pause = |hook: &Hook| Pause {
            id: hook.id.clone(),
            stage: stage.to_owned(),
            until: hook.expires_at,
            then: hook.timeout_action.map(|action| {
                let action = match action {
                    HookAction::Continue => DeploymentLifecycleHookAction::Continue,
                    HookAction::RollBack => DeploymentLifecycleHookAction::Rollback,
                };
                action.as_str().to_owned()
            }),
        };
        self.lifecycle.hooks.iter().filter(waits).map(pause).collect()
    }

    /// True if ECS is taking the service back.
    #[must_use]
    pub fn goes_back(&self) -> bool {
        self.status.starts_with("ROLLBACK") || self.status == "STOP_REQUESTED"
    }
}

/// The hooks at which the rollout of a service waits for a person. One that has no hooks, or no rollout, is not asked.
///
/// # Errors
///
/// Whatever AWS refuses.
pub async fn pauses(account: &Account, ecs: &Ecs, service: &Service, now: Timestamp) -> Result<Vec<Pause>, Error> {
    if !service.has_lifecycle_hooks || service.is_steady() {
        return Ok(Vec::new());
    }
    let under_way = UnderWay::read(account, ecs, service).await?;
    Ok(under_way.map(|it| it.pauses(now)).unwrap_or_default())
}

/// Says of a service at which nobody waits for a person how it stands instead, as the end of a sentence that begins with its name.
#[must_use]
pub fn instead(service: &Service, under_way: Option<&UnderWay>) -> String {
    let tasks = format!("{} of {} tasks running", service.running_count, service.desired_count);
    let revision = service.primary().map_or("no revision", |it| it.task_definition.short());
    let function = under_way.and_then(|it| {
        let hooks = &it.lifecycle.hooks;
        let invoked = hooks.iter().find(|hook| hook.status == HookStatus::InProgress)?;
        invoked.function.as_deref()
    });
    match (under_way, function) {
        (Some(it), _) if it.goes_back() => format!("ECS is taking it back to the revision before: {tasks}"),
        (Some(_), Some(function)) => format!(
            "its rollout to {revision} waits for the Lambda function {}, which ends the wait by itself: {tasks}",
            function.split(':').nth(6).unwrap_or(function)
        ),
        (Some(_), None) => format!("its rollout to {revision} goes on: {tasks}"),
        (None, _) if service.is_steady() => format!("it is stable on {revision}: {tasks}"),
        (None, _) => format!("it is on {revision}: {tasks}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::domain::service::{
        Controller, CrashThreshold, Deployment, RolloutState, ServiceStatus, ServiceTags,
    };

    fn at(hour: u32) -> Timestamp {
        format!("2026-11-29T{hour:02}:00:00Z").parse().unwrap()
    }

    fn hook(status: HookStatus, function: Option<&str>, expires_at: Option<Timestamp>) -> Hook {
        Hook {
            id: "ecs-pause-1".to_owned(),
            status,
            function: function.map(str::to_owned),
            expires_at,
            timeout_action: Some(HookAction::RollBack),
        }
    }

    fn under_way(status: &str, hook: Hook) -> UnderWay {
        UnderWay {
            status: status.to_owned(),
            lifecycle: Lifecycle {
                service_deployment: "arn".to_owned(),
                stage: Some("POST_SCALE_UP".to_owned()),
                hooks: vec![hook],
            },
        }
    }

    #[test]
    fn only_a_hook_that_waits_for_a_person_can_be_answered() {
        use HookStatus::{AwaitingAction, InProgress, Succeeded, Unknown};
        for (status, hook, expected) in [
            ("IN_PROGRESS", hook(AwaitingAction, None, Some(at(12))), true),
            ("IN_PROGRESS", hook(AwaitingAction, None, None), true),
            ("IN_PROGRESS", hook(AwaitingAction, None, Some(at(10))), false),
            ("IN_PROGRESS", hook(InProgress, Some("check"), Some(at(12))), false),
            ("IN_PROGRESS", hook(Succeeded, None, Some(at(12))), false),
            ("IN_PROGRESS", hook(Unknown, None, Some(at(12))), false),
            ("ROLLBACK_IN_PROGRESS", hook(AwaitingAction, None, Some(at(12))), false),
            ("STOP_REQUESTED", hook(AwaitingAction, None, Some(at(12))), false),
        ] {
            let it = under_way(status, hook);
            assert_eq!(!it.pauses(at(11)).is_empty(), expected, "{it:?}");
        }
        let pause = &under_way("IN_PROGRESS", hook(AwaitingAction, None, Some(at(12)))).pauses(at(11))[0];
        let expected = "POST_SCALE_UP until 2026-11-29 12:00:00 UTC, when ECS rolls it back";
        assert_eq!(pause.text(), expected);
    }

    #[test]
    fn where_nothing_waits_for_a_person_the_service_says_how_it_stands() {
        let service = |rollout_state| Service {
            cluster: "production".parse().unwrap(),
            name: "web".parse().unwrap(),
            status: ServiceStatus::Active,
            controller: Controller::Ecs,
            task_definitions: Vec::new(),
            tags: ServiceTags::default(),
            desired_count: 3,
            running_count: 3,
            pending_count: 0,
            deployments: vec![Deployment {
                id: "ecs-svc/1".to_owned(),
                is_primary: true,
                task_definition: "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:2"
                    .parse()
                    .unwrap(),
                rollout_state: Some(rollout_state),
                rollout_state_reason: None,
                desired_count: 3,
                running_count: 3,
                pending_count: 0,
                failed_tasks: 0,
                created_at: at(9),
            }],
            crash_threshold: CrashThreshold::default(),
            planned_wait: jiff::SignedDuration::ZERO,
            completes_early: false,
            has_lifecycle_hooks: true,
            is_express: false,
            events: Vec::new(),
        };
        let check = "arn:aws:lambda:eu-west-1:123456789012:function:check:live";
        let (completed, moves) = (RolloutState::Completed, RolloutState::InProgress);
        let invoked = hook(HookStatus::InProgress, Some(check), None);
        let passed = hook(HookStatus::Succeeded, None, None);
        for (state, under_way, expected) in [
            (completed, None, "it is stable on web:2: 3 of 3"),
            (moves, None, "it is on web:2: 3 of 3"),
            (
                moves,
                Some(under_way("IN_PROGRESS", passed.clone())),
                "its rollout to web:2 goes on",
            ),
            (
                moves,
                Some(under_way("IN_PROGRESS", invoked.clone())),
                "waits for the Lambda function check, which",
            ),
            (
                moves,
                Some(under_way("ROLLBACK_IN_PROGRESS", invoked)),
                "ECS is taking it back",
            ),
        ] {
            let said = instead(&service(state), under_way.as_ref());
            assert!(said.contains(expected), "{said}");
        }
    }
}
