//! The service scheduler: keeps the wanted number of tasks and replaces old ones by new ones, a step at a time.
//!
//! Rolling updates as AWS documents them: up to `maximumPercent` of the desired count may be PENDING or RUNNING, at least
//! `minimumHealthyPercent` stays healthy.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>

use std::fmt::Write as _;

use crate::behaviour::Behaviour;
use crate::names::{Milliseconds, digits, hash};
use crate::service::{
    Controller, Deployment, DeploymentStatus, RolloutState, Service, ServiceDeployment, ServiceStatus, World,
};
use crate::task::{Change, Container, STOPPED_TASK_SECONDS, Task};

/// How long ECS waits until it tries again to place a task for which there was no room. Seen, not documented.
const PLACEMENT_SECONDS: f64 = 300.0;
/// From an accepted deployment to the first task, when tags are resolved.
const START_SECONDS: f64 = 2.0;
/// How long everything has to be as it should before ECS says COMPLETED.
const SETTLE_SECONDS: f64 = 20.0;
/// Bake time of a rolling deployment with alarms that does not set one.
const ALARM_BAKE_SECONDS: f64 = 300.0;
/// AWS: "duplicate event messages are omitted until either the cause is resolved or six hours passes."
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages.html>
const REPEATED_EVENT_SECONDS: f64 = 6.0 * 3600.0;
const BACK_OFF_SECONDS: f64 = 5.0;
/// ECS's words where another task has the port.
const PORT_IN_USE: &str = "was unable to place a task because no container instance met all of its requirements. The closest matching \
     (container-instance 5c1d5cf8b4e94d1f8a0d6f5c1a2b3c4d) is already using a port required by your task. For more information, see \
     the Troubleshooting section of the Amazon ECS Developer Guide.";
const LONGEST_BACK_OFF_SECONDS: f64 = 120.0;

impl Service {
    /// Does everything that is due at this moment. Afterwards [`Service::next_wake`] says when to call again.
    pub(crate) fn step(&mut self, world: &mut World, now: Milliseconds) {
        self.wake = None;
        self.step_tasks(world, now);
        match self.status {
            ServiceStatus::Draining => self.drain(world, now),
            ServiceStatus::Active if self.controller == Controller::Ecs && !self.deployments.is_empty() => {
                self.start_deployment(world, now);
                self.carry_out_request(world, now);
                self.reconcile(world, now);
                if self.detect_failure(world, now) {
                    self.start_deployment(world, now);
                    self.reconcile(world, now);
                }
                self.forget_replaced();
                self.complete(world, now);
            }
            _ => {}
        }
    }

    /// A deployment that was replaced before it came to anything is shown for as long as it has tasks.
    fn forget_replaced(&mut self) {
        let (primary, tasks) = (self.deployments[0].number, &self.tasks);
        self.deployments.retain(|deployment| {
            deployment.number == primary
                || deployment.rollout != RolloutState::InProgress
                || tasks.iter().any(|task| task.deployment == deployment.number)
        });
    }

    fn step_tasks(&mut self, world: &World, now: Milliseconds) {
        let settings = &world.settings;
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            let number = task.deployment;
            if task.is_due_to_start(now) && task.runs_one_of(&world.held_images) {
                task.next_at = None;
            }
            if let Some(change) = task.step(settings, now) {
                let resets = self.setting("/deploymentCircuitBreaker/resetOnHealthyTask") != Some(&false.into());
                if let Some(deployment) = self
                    .deployments
                    .iter_mut()
                    .find(|deployment| deployment.number == number)
                {
                    deployment.note(change, resets, settings, now);
                }
                self.steady = false;
            }
        }
        let (ended, running): (Vec<Task>, Vec<Task>) = std::mem::take(&mut self.tasks)
            .into_iter()
            .partition(|task| task.stopped_at.is_some());
        self.tasks = running;
        self.stopped.extend(ended);
        let forgotten = |task: &Task| {
            task.stopped_at
                .is_none_or(|stopped_at| settings.after(stopped_at, STOPPED_TASK_SECONDS) <= now)
        };
        while self.stopped.front().is_some_and(forgotten) {
            self.stopped.pop_front();
        }
    }

    /// Begins a deployment of a revision: it is the PRIMARY one from now on.
    pub(crate) fn begin(&mut self, world: &World, now: Milliseconds, revision: usize, history: usize) {
        self.deployment_count += 1;
        let number = self.deployment_count;
        let seed = world.settings.seed;
        let id = format!(
            "ecs-svc/{}",
            digits(seed, &[&self.arn, "deployment", &number.to_string()])
        );
        let starts_at = world.settings.after(now, START_SECONDS);
        let ignored_alarms = self.alarm_names().filter(|name| world.alarms.contains(name)).collect();
        self.deployments.insert(
            0,
            Deployment {
                number,
                reason: format!("ECS deployment {id} in progress."),
                id,
                revision,
                history,
                created_at: now,
                updated_at: now,
                starts_at: Some(starts_at),
                rollout: RolloutState::InProgress,
                is_rollback: false,
                ignored_alarms,
                stalled: false,
                failed_tasks: 0,
                breaker_failures: 0,
                launched: 0,
                next_launch_at: None,
                settled_since: None,
                stage: None,
                shifts: 0,
            },
        );
        self.steady = false;
        self.wake_at(starts_at);
    }

    /// Begins a service deployment of a revision: a deployment, and its entry in the history. One that is still under way is
    /// replaced by it.
    pub(crate) fn deploy(&mut self, world: &World, now: Milliseconds, revision: usize) {
        let rolling_back = self.history.last().is_some_and(|last| last.status.is_rolling_back());
        if let Some(last) = self.history.last_mut().filter(|last| last.status.is_under_way()) {
            last.status = if rolling_back {
                DeploymentStatus::RollbackFailed
            } else {
                DeploymentStatus::Stopped
            };
            last.close_hooks();
            last.status_reason = Some("Replaced by a new service deployment.".to_owned());
            last.stopped_at = Some(now);
            last.finished_at = Some(now);
            last.updated_at = now;
        }
        let number = self.history.len().to_string();
        let mut sources: Vec<usize> = self.deployments.iter().map(|deployment| deployment.revision).collect();
        sources.dedup();
        self.history.push(ServiceDeployment {
            id: format!(
                "{:021x}",
                hash(world.settings.seed, &[&self.arn, "service-deployment", &number])
            ),
            created_at: now,
            started_at: None,
            finished_at: None,
            stopped_at: None,
            updated_at: now,
            sources,
            target: revision,
            rollback_target: self.last_completed.filter(|_| !rolling_back),
            status: DeploymentStatus::Pending,
            status_reason: None,
            rollback: None,
            breaker_triggered: false,
            breaker_failures: 0,
            triggered_alarms: Vec::new(),
            request_due_at: None,
            hooks: Vec::new(),
            config: self.config.get("deploymentConfiguration").cloned().unwrap_or_default(),
        });
        self.begin(world, now, revision, self.history.len() - 1);
    }

    /// PENDING to `IN_PROGRESS`. Now, and only the first time a revision is deployed, its tags become digests.
    fn start_deployment(&mut self, world: &mut World, now: Milliseconds) {
        let Some(starts_at) = self.deployments[0].starts_at else {
            return;
        };
        if starts_at > now {
            self.wake_at(starts_at);
            return;
        }
        let primary = &mut self.deployments[0];
        primary.starts_at = None;
        let (index, history) = (primary.revision, primary.history);
        let entry = &mut self.history[history];
        entry.started_at = entry.started_at.or(Some(now));
        if entry.status == DeploymentStatus::Pending {
            entry.status = DeploymentStatus::InProgress;
        }
        self.revisions[index].resolve(world, now);
    }

    fn reconcile(&mut self, world: &mut World, now: Milliseconds) {
        let primary = &self.deployments[0];
        if primary.starts_at.is_some() {
            return;
        }
        let rolling = self.strategy() == "ROLLING" || primary.is_rollback;
        if rolling || primary.rollout != RolloutState::InProgress {
            self.roll(world, now);
        } else {
            self.shift(world, now);
        }
    }

    /// One step of a rolling update, which is also how a finished one is kept as it is.
    fn roll(&mut self, world: &mut World, now: Milliseconds) {
        let wanted = self.wanted(&world.settings);
        let (minimum, maximum) = self.limits(wanted);
        let number = self.deployments[0].number;
        self.scale_in(world, now, number, wanted);
        let own = count(self.live(number));
        let live = count(self.tasks.iter().filter(|task| task.is_live()));
        self.launch(world, now, wanted.saturating_sub(own).min(maximum.saturating_sub(live)));
        if self.deployments[0].stalled {
            return;
        }
        let ready = count(self.tasks.iter().filter(|task| task.ready));
        let mut spare = ready.saturating_sub(minimum);
        let (mut replaced, mut protected_until) = (Vec::new(), None);
        for (index, task) in self.tasks.iter().enumerate() {
            if task.is_live() && task.deployment != number {
                if let Some(until) = task.protected_until.filter(|until| *until > now) {
                    protected_until = protected_until.into_iter().chain([until]).min();
                    continue;
                }
                if task.ready && spare == 0 {
                    continue;
                }
                spare -= u32::from(task.ready);
                replaced.push(index);
            }
        }
        self.stop_tasks(world, now, &replaced);
        if let Some(until) = protected_until {
            self.wake_at(until);
        }
    }

    /// The least that stays healthy, and the most that may be there, of so many wanted tasks.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // percentages of a task count: small, not negative
    pub(crate) fn limits(&self, wanted: u32) -> (u32, u32) {
        let (least, most) = if self.is_daemon { (0.0, 100.0) } else { (100.0, 200.0) };
        let minimum = self.number("/minimumHealthyPercent").unwrap_or(least);
        let maximum = self.number("/maximumPercent").unwrap_or(most);
        let share = |percent: f64| f64::from(wanted) * percent / 100.0;
        (share(minimum).ceil() as u32, share(maximum).floor() as u32)
    }

    /// Stops what a deployment has too many, newest first.
    pub(crate) fn scale_in(&mut self, world: &World, now: Milliseconds, number: u32, wanted: u32) {
        let own: Vec<usize> = (0..self.tasks.len())
            .filter(|index| self.tasks[*index].is_live() && self.tasks[*index].deployment == number)
            .collect();
        if let Some(surplus) = own.get(wanted as usize..) {
            self.stop_tasks(world, now, surplus);
        }
    }

    pub(crate) fn stop_tasks(&mut self, world: &World, now: Milliseconds, indexes: &[usize]) {
        let Some(first) = indexes.first() else { return };
        let owner = self.tasks[*first].started_by.clone().unwrap_or_default();
        let deregistration_seconds = self.deregistration_seconds();
        let mut names = String::new();
        for index in indexes {
            let task = &mut self.tasks[*index];
            let reason = format!("Scaling activity initiated by (deployment {owner})");
            task.stop(
                &world.settings,
                now,
                "ServiceSchedulerInitiated",
                reason,
                deregistration_seconds,
            );
            let _ = write!(names, " (task {})", task.id);
        }
        let message = format!("has stopped {} running tasks:{names}.", indexes.len());
        self.event(&world.settings, now, &message);
    }

    /// Starts up to so many tasks of the PRIMARY deployment, unless it is stalled or has to wait after failures.
    pub(crate) fn launch(&mut self, world: &mut World, now: Milliseconds, missing: u32) {
        if missing == 0 || self.deployments[0].stalled {
            return;
        }
        if let Some(at) = self.deployments[0].next_launch_at.filter(|at| *at > now) {
            self.wake_at(at);
            return;
        }
        let revision = self.deployments[0].revision;
        let containers = &self.revisions[revision].containers;
        if let Some(refusal) = containers.iter().find_map(|container| container.behaviour.refusal()) {
            self.tell_unplaced(world, now, refusal);
            let resets = true;
            self.deployments[0].note(Change::Failed, resets, &world.settings, now);
            if let Some(at) = self.deployments[0].next_launch_at {
                self.wake_at(at);
            }
            return;
        }
        let missing = self.placeable(world, now, missing);
        if missing == 0 {
            return;
        }
        let mut names = String::new();
        for _ in 0..missing {
            let task = self.next_task(world, now).launched(&world.settings, now);
            let _ = write!(names, " (task {})", task.id);
            self.tasks.push(task);
        }
        self.event(&world.settings, now, &format!("has started {missing} tasks:{names}."));
    }

    /// Says why no task can be placed, or launched, unless the same was said a while ago. Another reason is no duplicate.
    fn tell_unplaced(&mut self, world: &World, now: Milliseconds, refusal: &'static str) {
        let is_told = |(at, told)| told == refusal && world.settings.after(at, REPEATED_EVENT_SECONDS) > now;
        if !self.told_unplaced.is_some_and(is_told) {
            self.told_unplaced = Some((now, refusal));
            self.event(&world.settings, now, refusal);
        }
    }

    /// How many of the missing tasks there is room for: any number, unless each takes a port of its host, which is free again when
    /// the task that has it has stopped.
    fn placeable(&mut self, world: &World, now: Milliseconds, missing: u32) -> u32 {
        let takes_port = |task: &&Task| self.revisions[task.revision].has_host_port;
        let free = if self.revisions[self.deployments[0].revision].has_host_port {
            let taken = count(self.tasks.iter().filter(takes_port));
            world.settings.container_instances.saturating_sub(taken)
        } else {
            missing
        };
        if free >= missing {
            self.told_unplaced = None;
            return missing;
        }
        self.tell_unplaced(world, now, PORT_IN_USE);
        let primary = &mut self.deployments[0];
        let resets = true;
        primary.note(Change::Failed, resets, &world.settings, now);
        let again = world.settings.after(now, PLACEMENT_SECONDS);
        primary.next_launch_at = Some(again);
        self.wake_at(again);
        free
    }

    /// The next task of the PRIMARY deployment, not started. Its images are pulled by the digests of the revision where that
    /// has any.
    fn next_task(&mut self, world: &mut World, now: Milliseconds) -> Task {
        self.task_count += 1;
        let primary = &mut self.deployments[0];
        primary.launched += 1;
        let first = primary.launched == 1;
        let revision = &self.revisions[primary.revision];
        let mut plan = Behaviour::Good.plan(first);
        let mut culprit = 0;
        let mut containers = Vec::with_capacity(revision.containers.len());
        for (index, container) in revision.containers.iter().enumerate() {
            let reference = match &container.digest {
                Some(digest) if !container.image.contains('@') => &format!("{}@{digest}", container.image),
                _ => &container.image,
            };
            let pulled = world.registry.pull(reference, now);
            if container.essential || pulled.behaviour == Behaviour::Nopull {
                let both = plan.beside(pulled.behaviour.plan(first));
                if both.fate != plan.fate {
                    culprit = index;
                }
                plan = both;
            }
            containers.push(Container {
                name: container.name.clone(),
                image: container.image.clone(),
                digest: container.digest.clone().or(pulled.digest),
                exit_code: None,
                reason: None,
            });
        }
        let unique = hash(world.settings.seed, &[&self.arn, "task", &self.task_count.to_string()]);
        Task {
            id: format!("{:08x}{unique:016x}{:08x}", self.index, self.task_count),
            cluster: self.cluster.clone(),
            deployment: primary.number,
            revision: primary.revision,
            task_definition: revision.task_definition.clone(),
            started_by: Some(primary.id.clone()),
            group: format!("service:{}", self.name),
            has_health_check: revision.has_health_check,
            plan,
            culprit,
            containers,
            ..Task::default()
        }
    }

    /// COMPLETED once the PRIMARY deployment alone has run as it should for a while, and has baked if it has alarms.
    fn complete(&mut self, world: &World, now: Milliseconds) {
        let wanted = self.wanted(&world.settings);
        let primary = &self.deployments[0];
        let number = primary.number;
        let ready = count(self.live(number).filter(|task| task.ready));
        let alone = self
            .tasks
            .iter()
            .all(|task| task.deployment == number || !(task.is_live() || task.is_draining()));
        let shifted = primary
            .stage
            .is_none_or(|(stage, _)| stage == crate::service::Stage::CleanUp);
        let is_whole = ready == wanted && alone;
        let is_enough = is_whole || self.is_early_success(ready, wanted, alone);
        if !is_enough || !shifted || primary.starts_at.is_some() || primary.stalled {
            self.deployments[0].settled_since = None;
            return;
        }
        let since = *self.deployments[0].settled_since.get_or_insert(now);
        if self.deployments[0].rollout == RolloutState::InProgress {
            let at = world.settings.after(since, self.seconds_to_settle());
            if at > now {
                self.wake_at(at);
                return;
            }
            self.finish(world, now);
        }
        if !is_whole {
            return;
        }
        // After an early success with a deferred clean-up, what was replaced is listed until its tasks are gone.
        self.deployments.truncate(1);
        if !self.steady {
            self.steady = true;
            self.told_unplaced = None;
            self.event(&world.settings, now, "has reached a steady state.");
        }
    }

    /// True if the service's `earlySuccessCriteria` are met:
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentEarlySuccessCriteria.html>.
    fn is_early_success(&self, ready: u32, wanted: u32, alone: bool) -> bool {
        let applies = self.flag("/earlySuccessCriteria/enable")
            && self.strategy() == "ROLLING"
            && !self.deployments[0].is_rollback;
        let cleanup = self.setting("/earlySuccessCriteria/sourceServiceRevisionCleanup");
        let is_deferred = cleanup.and_then(serde_json::Value::as_str) == Some("DEFERRED");
        let percent = self.number("/earlySuccessCriteria/healthyPercent").unwrap_or(100.0);
        applies && (alone || is_deferred) && f64::from(ready) >= f64::from(wanted) * percent / 100.0
    }

    fn seconds_to_settle(&self) -> f64 {
        let rolling = self.strategy() == "ROLLING";
        match self.number("/bakeTimeInMinutes") {
            Some(minutes) if rolling && minutes > 0.0 => SETTLE_SECONDS + minutes * 60.0,
            _ if rolling && self.flag("/alarms/enable") => SETTLE_SECONDS + ALARM_BAKE_SECONDS,
            _ if rolling || self.deployments[0].is_rollback => SETTLE_SECONDS,
            _ => 0.0,
        }
    }

    fn finish(&mut self, world: &World, now: Milliseconds) {
        let (number, tasks) = (self.deployments[0].number, &self.tasks);
        self.deployments.retain(|deployment| {
            let runs = |task: &Task| task.deployment == deployment.number && (task.is_live() || task.is_draining());
            deployment.number == number || tasks.iter().any(runs)
        });
        let primary = &mut self.deployments[0];
        primary.rollout = RolloutState::Completed;
        primary.reason = format!("ECS deployment {} completed.", primary.id);
        primary.updated_at = now;
        primary.stage = None;
        let (id, is_rollback, history, revision) = (
            primary.id.clone(),
            primary.is_rollback,
            primary.history,
            primary.revision,
        );
        let entry = &mut self.history[history];
        entry.status = if is_rollback {
            DeploymentStatus::RollbackSuccessful
        } else {
            DeploymentStatus::Successful
        };
        entry.finished_at = Some(now);
        entry.updated_at = now;
        self.last_completed = Some(revision);
        self.event(
            &world.settings,
            now,
            &format!("(deployment {id}) deployment completed."),
        );
    }

    /// Has the PRIMARY deployment completed at once: what a service has that existed long before the test began.
    pub(crate) fn settle(&mut self, world: &mut World, now: Milliseconds) {
        self.start_deployment_at_once(world, now);
        for _ in 0..self.wanted(&world.settings) {
            let task = self.next_task(world, now).running(&world.settings, now);
            self.tasks.push(task);
        }
        self.finish(world, now);
        self.events.clear();
        self.steady = true;
        self.wake = None;
    }

    fn start_deployment_at_once(&mut self, world: &mut World, now: Milliseconds) {
        self.deployments[0].starts_at = Some(now);
        self.start_deployment(world, now);
    }

    fn drain(&mut self, world: &World, now: Milliseconds) {
        let live: Vec<usize> = (0..self.tasks.len())
            .filter(|index| self.tasks[*index].is_live())
            .collect();
        self.stop_tasks(world, now, &live);
        if self.tasks.is_empty() {
            self.status = ServiceStatus::Inactive;
            self.inactive_at = Some(now);
            self.deployments.clear();
        }
    }
}

impl Deployment {
    /// Counts what became of a task, as `failedTasks` and the circuit breaker do.
    fn note(&mut self, change: Change, resets: bool, settings: &crate::settings::Settings, now: Milliseconds) {
        match change {
            Change::Ready => {
                self.failed_tasks = 0;
                self.next_launch_at = None;
                if resets {
                    self.breaker_failures = 0;
                }
            }
            Change::Failed => {
                self.failed_tasks += 1;
                self.breaker_failures += 1;
                let wait = (BACK_OFF_SECONDS * f64::from(self.failed_tasks)).min(LONGEST_BACK_OFF_SECONDS);
                self.next_launch_at = Some(settings.after(now, wait));
            }
            Change::Exited => {}
        }
        self.updated_at = now;
    }
}

/// How many there are.
pub(crate) fn count<'a>(tasks: impl Iterator<Item = &'a Task>) -> u32 {
    u32::try_from(tasks.count()).unwrap_or(u32::MAX)
}
