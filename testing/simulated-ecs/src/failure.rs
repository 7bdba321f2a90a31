//! How a rollout fails and goes back: the circuit breaker, alarms, `StopServiceDeployment`.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>,
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html>

use serde_json::Value;

use crate::behaviour::Behaviour;
use crate::error::ApiError;
use crate::names::Milliseconds;
use crate::service::{DeploymentStatus, RolloutState, Service, ServiceRevision, World};

/// From a request to stop until ECS acts on it.
const REQUEST_SECONDS: f64 = 2.0;

/// The reason that ends a rollout, and the words for it.
struct Failure {
    /// For `rolloutStateReason` of the deployment that failed.
    failed: String,
    /// For `rolloutStateReason` of the one that replaces it; the id of the deployment gone back to follows.
    rolling_back: &'static str,
    /// For the event of the service.
    event: &'static str,
    /// For `statusReason` of the service deployment.
    cause: String,
}

impl Service {
    /// After how many failed tasks the circuit breaker acts: half of the wanted tasks, at least 3, at most 200, unless
    /// `thresholdConfiguration` says otherwise.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // percentages of a task count: small, not negative
    pub(crate) fn breaker_threshold(&self, wanted: u32) -> u32 {
        let value = self
            .number("/deploymentCircuitBreaker/thresholdConfiguration/value")
            .unwrap_or(50.0);
        let share = (f64::from(wanted) * value / 100.0).ceil() as u32;
        match self
            .setting("/deploymentCircuitBreaker/thresholdConfiguration/type")
            .and_then(Value::as_str)
        {
            Some("COUNT") => value as u32,
            Some("UNBOUNDED_PERCENT") => share.max(1),
            _ => share.clamp(3, 200),
        }
    }

    /// Ends the rollout if the circuit breaker or an alarm says so. True if a rollback was begun by it.
    pub(crate) fn detect_failure(&mut self, world: &World, now: Milliseconds) -> bool {
        let wanted = self.wanted(&world.settings);
        let primary = &self.deployments[0];
        if primary.rollout != RolloutState::InProgress || primary.stalled || primary.starts_at.is_some() {
            return false;
        }
        let history = primary.history;
        let failures = primary.breaker_failures;
        self.history[history].breaker_failures = failures;
        if self.flag("/deploymentCircuitBreaker/enable") && failures >= self.breaker_threshold(wanted) {
            self.history[history].breaker_triggered = true;
            let failure = Failure {
                failed: "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
                rolling_back: "ECS deployment circuit breaker: rolling back to deploymentId",
                event: "tasks failed to start",
                cause: "circuit breaker threshold was exceeded".to_owned(),
            };
            return self.fail(world, now, &failure, self.flag("/deploymentCircuitBreaker/rollback"));
        }
        let by_hook = self.history[history]
            .hook_failure()
            .filter(|_| !self.deployments[0].is_rollback);
        if let Some(cause) = by_hook {
            let failure = Failure {
                failed: format!("ECS deployment failed: {cause}."),
                rolling_back: "ECS deployment lifecycle hook: rolling back to deploymentId",
                event: "lifecycle hook failed",
                cause,
            };
            return self.fail(world, now, &failure, true);
        }
        let triggered = self.triggered_alarms(world);
        if triggered.is_empty() {
            return false;
        }
        let failure = Failure {
            failed: format!("ECS deployment failed: alarm {} is in ALARM.", triggered.join(", ")),
            rolling_back: "ECS deployment alarm: rolling back to deploymentId",
            event: "alarm detected",
            cause: format!("alarm {} was triggered", triggered.join(", ")),
        };
        self.history[history].triggered_alarms = triggered;
        self.fail(world, now, &failure, self.flag("/alarms/rollback"))
    }

    /// The alarms that end a deployment of this service.
    pub(crate) fn alarm_names(&self) -> impl Iterator<Item = String> {
        let names = self.setting("/alarms/alarmNames").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
    }

    /// The alarms of this service that have gone to ALARM since the deployment began, or that its image raises.
    fn triggered_alarms(&self, world: &World) -> Vec<String> {
        if !self.flag("/alarms/enable") {
            return Vec::new();
        }
        let primary = &self.deployments[0];
        let raises = self.revisions[primary.revision]
            .containers
            .iter()
            .any(|c| c.behaviour == Behaviour::Alarm)
            && self.live(primary.number).any(|task| task.ready);
        let is_new = |name: &String| world.alarms.contains(name) && !primary.ignored_alarms.contains(name);
        self.alarm_names().filter(|name| raises || is_new(name)).collect()
    }

    fn fail(&mut self, world: &World, now: Milliseconds, failure: &Failure, may_roll_back: bool) -> bool {
        let primary = &mut self.deployments[0];
        primary.rollout = RolloutState::Failed;
        primary.reason.clone_from(&failure.failed);
        primary.updated_at = now;
        primary.stalled = true;
        let (id, history, is_rollback) = (primary.id.clone(), primary.history, primary.is_rollback);
        self.event(
            &world.settings,
            now,
            &format!("(deployment {id}) deployment failed: {}.", failure.event),
        );
        let entry = &mut self.history[history];
        entry.close_hooks();
        if let Some(target) = entry.rollback_target.filter(|_| may_roll_back && !is_rollback) {
            entry.status_reason = Some(format!("Service deployment rolled back because the {}.", failure.cause));
            self.roll_back(
                world,
                now,
                target,
                failure.rolling_back,
                &format!("The {}.", failure.cause),
            );
            return true;
        }
        entry.status = if is_rollback {
            DeploymentStatus::RollbackFailed
        } else {
            DeploymentStatus::Stopped
        };
        entry.status_reason = Some(format!("Service deployment stopped because the {}.", failure.cause));
        entry.stopped_at = Some(now);
        entry.finished_at = Some(now);
        entry.updated_at = now;
        false
    }

    /// Begins to go back to a revision, within the same service deployment. Its tasks that still run after a blue/green
    /// deployment is taken over.
    fn roll_back(&mut self, world: &World, now: Milliseconds, target: usize, words: &str, reason: &str) {
        let history = self.deployments[0].history;
        let was = self.deployments.iter().find(|deployment| deployment.revision == target);
        let was = was.map(|deployment| (deployment.number, deployment.id.clone()));
        let entry = &mut self.history[history];
        entry.status = DeploymentStatus::RollbackInProgress;
        entry.rollback = Some((reason.to_owned(), now, target));
        entry.request_due_at = None;
        entry.updated_at = now;
        self.begin(world, now, target, history);
        let takes_over = self.strategy() != "ROLLING";
        let primary = &mut self.deployments[0];
        primary.is_rollback = true;
        let (number, task_definition) = (primary.number, self.revisions[target].task_definition.clone());
        let to = was.as_ref().map_or_else(|| primary.id.clone(), |(_, id)| id.clone());
        primary.reason = format!("{words} {to}.");
        if let Some((old, _)) = was.filter(|_| takes_over) {
            for task in self.tasks.iter_mut().filter(|task| task.deployment == old) {
                task.deployment = number;
            }
        }
        self.task_definition = task_definition;
        self.event(&world.settings, now, &format!("rolling back to deployment {to}."));
    }

    /// `StopServiceDeployment`: notes the request, which is carried out a little later.
    ///
    /// # Errors
    /// `ConflictException` if the deployment is over, is being stopped or rolled back, or has nothing to go back to.
    pub(crate) fn request_stop(
        &mut self,
        world: &World,
        now: Milliseconds,
        history: usize,
        roll_back: bool,
    ) -> Result<(), ApiError> {
        let conflict = |message: &str| Err(ApiError::new("ConflictException", message));
        let entry = &mut self.history[history];
        if !matches!(entry.status, DeploymentStatus::Pending | DeploymentStatus::InProgress) {
            return conflict("The service deployment is not in a state that can be stopped.");
        }
        if roll_back && entry.rollback_target.is_none() {
            return conflict("The service deployment has no source service revision to roll back to.");
        }
        entry.status = if roll_back {
            DeploymentStatus::RollbackRequested
        } else {
            DeploymentStatus::StopRequested
        };
        let due_at = world.settings.after(now, REQUEST_SECONDS);
        entry.request_due_at = Some(due_at);
        entry.updated_at = now;
        self.wake_at(due_at);
        Ok(())
    }

    /// Carries out a stop or rollback that was asked for, once it is due.
    pub(crate) fn carry_out_request(&mut self, world: &World, now: Milliseconds) {
        let history = self.deployments[0].history;
        let entry = &mut self.history[history];
        let Some(due_at) = entry.request_due_at else { return };
        if due_at > now {
            self.wake_at(due_at);
            return;
        }
        entry.request_due_at = None;
        let primary = &mut self.deployments[0];
        primary.stalled = true;
        primary.updated_at = now;
        entry.close_hooks();
        if entry.status == DeploymentStatus::StopRequested {
            entry.status = DeploymentStatus::Stopped;
            entry.status_reason = Some("Service deployment stopped by a StopServiceDeployment call.".to_owned());
            entry.stopped_at = Some(now);
            entry.finished_at = Some(now);
            entry.updated_at = now;
        } else if let Some(target) = entry.rollback_target {
            let cause = "Service deployment rolled back by a StopServiceDeployment call.";
            entry.status_reason = Some(cause.to_owned());
            primary.rollout = RolloutState::Failed;
            primary.reason = format!("ECS deployment {} stopped: rollback requested.", primary.id);
            self.roll_back(
                world,
                now,
                target,
                "ECS deployment stopped: rolling back to deploymentId",
                cause,
            );
        }
    }
}

impl ServiceRevision {
    /// Turns the tags of the revision's images into digests, once and for all.
    pub(crate) fn resolve(&mut self, world: &mut World, now: Milliseconds) {
        if self.resolved {
            return;
        }
        self.resolved = true;
        for container in &mut self.containers {
            let pulled = world.registry.pull(&container.image, now);
            container.digest = pulled.digest.filter(|_| container.is_consistent);
            container.behaviour = pulled.behaviour;
        }
    }
}
