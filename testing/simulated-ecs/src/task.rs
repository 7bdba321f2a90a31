//! A task: PROVISIONING, PENDING, RUNNING, healthy, STOPPED, each at its time.

use std::collections::BTreeSet;

use crate::behaviour::{Fate, Plan};
use crate::names::{Milliseconds, chance};
use crate::settings::Settings;

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    #[default]
    Provisioning,
    Pending,
    Running,
    /// Runs on while its load balancer takes it out: nothing counts on it any more.
    Draining,
    Stopping,
    Stopped,
}

/// Why a task ended, in AWS's words.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub(crate) code: &'static str,
    pub(crate) reason: String,
}

/// A container of a task.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) digest: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
}

/// A task of a service, or one that was started by itself. A member that nobody set is as in one that is not started.
#[allow(clippy::struct_field_names)] // the API's own names
#[derive(Debug, Clone, Default)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) cluster: String,
    /// The deployment it counts for, by its number within the service.
    pub(crate) deployment: u32,
    /// The service revision it runs, by its place in the service's list.
    pub(crate) revision: usize,
    pub(crate) task_definition: String,
    pub(crate) started_by: Option<String>,
    pub(crate) group: String,
    pub(crate) phase: Phase,
    /// Running, and its health check (if it has one) has passed.
    pub(crate) ready: bool,
    pub(crate) has_health_check: bool,
    pub(crate) plan: Plan,
    /// Which container the plan's fate befalls.
    pub(crate) culprit: usize,
    pub(crate) containers: Vec<Container>,
    pub(crate) stop: Option<Stop>,
    pub(crate) created_at: Milliseconds,
    pub(crate) pull_started_at: Option<Milliseconds>,
    pub(crate) started_at: Option<Milliseconds>,
    pub(crate) stopping_at: Option<Milliseconds>,
    pub(crate) stopped_at: Option<Milliseconds>,
    pub(crate) ready_at: Option<Milliseconds>,
    /// Until when the scheduler may not replace it.
    pub(crate) protected_until: Option<Milliseconds>,
    pub(crate) fate_at: Option<Milliseconds>,
    /// When something happens next.
    pub(crate) next_at: Option<Milliseconds>,
}

/// Something the scheduler wants to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// RUNNING and healthy.
    Ready,
    /// Ended without ever having been ready: what `failedTasks` and the circuit breaker count.
    Failed,
    /// Ended by itself after it had been ready: what neither of them counts.
    Exited,
}

const PROVISIONING_SECONDS: f64 = 4.0;
const HEALTH_CHECK_SECONDS: f64 = 10.0;
const EXIT_SECONDS: f64 = 2.0;
const STOP_SECONDS: f64 = 10.0;
/// How long a stopped task can be described.
pub(crate) const STOPPED_TASK_SECONDS: f64 = 3600.0;

impl Task {
    /// Starts the task.
    pub(crate) fn launched(mut self, settings: &Settings, now: Milliseconds) -> Self {
        self.has_health_check |= matches!(self.plan.fate, Fate::NeverHealthy { .. });
        self.created_at = now;
        self.next_at = Some(self.later(settings, now, "provisioning", PROVISIONING_SECONDS));
        self
    }

    /// Starts the task as if that had been a while ago: what a service that exists already has.
    pub(crate) fn running(self, settings: &Settings, now: Milliseconds) -> Self {
        let mut task = self.launched(settings, now);
        task.pull_started_at = Some(now);
        task.run(settings, now);
        task.ready = true;
        task.ready_at = None;
        task.next_at = task.fate_at;
        task
    }

    /// In use: the scheduler counts it. A task that is stopping is not.
    pub(crate) fn is_live(&self) -> bool {
        self.stop.is_none()
    }

    /// True if it only runs on until its load balancer has taken it out: `DescribeServices` counts it as running.
    pub(crate) fn is_draining(&self) -> bool {
        self.phase == Phase::Draining
    }

    /// PROVISIONING and PENDING, which `DescribeServices` counts as pending.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Provisioning | Phase::Pending)
    }

    /// True if it would go from PENDING to RUNNING, or to its end, now.
    pub(crate) fn is_due_to_start(&self, now: Milliseconds) -> bool {
        self.phase == Phase::Pending && self.next_at.is_none_or(|at| at <= now)
    }

    /// True if a container of it runs one of these images.
    pub(crate) fn runs_one_of(&self, images: &BTreeSet<String>) -> bool {
        self.containers
            .iter()
            .any(|container| images.contains(&container.image))
    }

    /// A moment some simulated seconds later, a tenth more or less, as no two tasks take the same time.
    fn later(&self, settings: &Settings, now: Milliseconds, what: &str, seconds: f64) -> Milliseconds {
        settings.after(now, seconds * (0.9 + 0.2 * chance(settings.seed, &[&self.id, what])))
    }

    /// Moves on everything that is due, and says what the scheduler has to know.
    pub(crate) fn step(&mut self, settings: &Settings, now: Milliseconds) -> Option<Change> {
        let mut change = None;
        while self.next_at.is_some_and(|at| at <= now) {
            change = self.step_once(settings, now).or(change);
        }
        change
    }

    fn step_once(&mut self, settings: &Settings, now: Milliseconds) -> Option<Change> {
        match self.phase {
            Phase::Provisioning => {
                self.phase = Phase::Pending;
                self.pull_started_at = Some(now);
                self.next_at = Some(self.later(settings, now, "pending", self.plan.pending_seconds));
                None
            }
            Phase::Pending => match self.plan.fate {
                Fate::NeverPulled => {
                    let image = &self.containers[self.culprit].image;
                    let reason = format!(
                        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {image}: {image}: not found"
                    );
                    self.containers[self.culprit].reason = Some(reason.clone());
                    self.end(settings, now, "TaskFailedToStart", reason, EXIT_SECONDS);
                    Some(Change::Failed)
                }
                Fate::ExitsBeforeRunning => {
                    self.exit(settings, now, 1, None);
                    Some(Change::Failed)
                }
                _ => {
                    self.run(settings, now);
                    self.ready.then_some(Change::Ready)
                }
            },
            Phase::Running => self.run_on(settings, now),
            Phase::Draining => {
                if let Some(Stop { code, reason }) = self.stop.take() {
                    self.phase = Phase::Running;
                    self.end(settings, now, code, reason, STOP_SECONDS);
                }
                None
            }
            Phase::Stopping => {
                self.kill(settings);
                self.phase = Phase::Stopped;
                self.stopped_at = Some(now);
                self.next_at = None;
                None
            }
            Phase::Stopped => {
                self.next_at = None;
                None
            }
        }
    }

    fn run(&mut self, settings: &Settings, now: Milliseconds) {
        self.phase = Phase::Running;
        self.started_at = Some(now);
        self.ready = !self.has_health_check;
        let protection = self.plan.protected_seconds;
        self.protected_until = (protection > 0.0).then(|| settings.after(now, protection));
        self.fate_at = match self.plan.fate {
            Fate::Exits { seconds, .. } | Fate::NeverHealthy { seconds } => {
                Some(self.later(settings, now, "fate", seconds))
            }
            _ => None,
        };
        let passes = self.has_health_check && !matches!(self.plan.fate, Fate::NeverHealthy { .. });
        self.ready_at = passes.then(|| self.later(settings, now, "health", HEALTH_CHECK_SECONDS));
        self.next_at = self.fate_at.into_iter().chain(self.ready_at).min();
    }

    fn run_on(&mut self, settings: &Settings, now: Milliseconds) -> Option<Change> {
        if self.ready_at.is_some_and(|at| at <= now) {
            self.ready_at = None;
            self.ready = true;
            self.next_at = self.fate_at;
            return Some(Change::Ready);
        }
        self.next_at = None;
        let was_ready = self.ready;
        match self.plan.fate {
            Fate::Exits { code, reason, .. } => self.exit(settings, now, code, reason),
            Fate::NeverHealthy { .. } => {
                let reason = "Task failed container health checks".to_owned();
                self.containers[self.culprit].exit_code = Some(137);
                self.end(settings, now, "ServiceSchedulerInitiated", reason, STOP_SECONDS);
            }
            _ => return None,
        }
        Some(if was_ready { Change::Exited } else { Change::Failed })
    }

    fn exit(&mut self, settings: &Settings, now: Milliseconds, code: i32, reason: Option<&str>) {
        let culprit = &mut self.containers[self.culprit];
        culprit.exit_code = Some(code);
        culprit.reason = reason.map(str::to_owned);
        self.end(
            settings,
            now,
            "EssentialContainerExited",
            "Essential container in task exited".to_owned(),
            if self.containers.len() > 1 {
                STOP_SECONDS
            } else {
                EXIT_SECONDS
            },
        );
    }

    /// Stops the task from outside: a container that runs gets SIGTERM and ends with 143, once the load balancer has taken the
    /// task out, which takes `deregistration_seconds`.
    pub(crate) fn stop(
        &mut self,
        settings: &Settings,
        now: Milliseconds,
        code: &'static str,
        reason: String,
        deregistration_seconds: f64,
    ) {
        if !self.is_live() {
            return;
        }
        if self.phase != Phase::Running || deregistration_seconds <= 0.0 {
            self.end(settings, now, code, reason, STOP_SECONDS);
            return;
        }
        self.phase = Phase::Draining;
        self.ready = false;
        self.stop = Some(Stop { code, reason });
        self.stopping_at = Some(now);
        self.next_at = Some(self.later(settings, now, "deregistration", deregistration_seconds));
    }

    /// The task as its host fails, if it runs: its containers end with code 1, and it is no fault of theirs.
    pub(crate) fn lose_host(&mut self, settings: &Settings, now: Milliseconds) {
        for container in &mut self.containers {
            container.exit_code = Some(1);
        }
        let reason = "The infrastructure of the task is not healthy.".to_owned();
        self.end(settings, now, "InfrastructureHealth", reason, EXIT_SECONDS);
    }

    /// True for a container that has begun to run and has not ended.
    pub(crate) fn still_runs(&self, container: &Container) -> bool {
        let has_begun = self.started_at.is_some() || self.plan.fate == Fate::ExitsBeforeRunning;
        self.phase != Phase::Stopped && has_begun && container.exit_code.is_none()
    }

    /// Ends what still runs, by SIGTERM, or by SIGKILL a container that does not heed that. Until then nobody is told a code.
    fn kill(&mut self, settings: &Settings) {
        for place in 0..self.containers.len() {
            if !self.still_runs(&self.containers[place]) {
                continue;
            }
            let heeds = place == 0 || chance(settings.seed, &[&self.id, "heeds"]) < 0.5;
            self.containers[place].exit_code = Some(if heeds { 143 } else { 137 });
        }
    }

    fn end(&mut self, settings: &Settings, now: Milliseconds, code: &'static str, reason: String, seconds: f64) {
        self.phase = Phase::Stopping;
        self.ready = false;
        self.stop = Some(Stop { code, reason });
        self.stopping_at.get_or_insert(now);
        self.next_at = Some(self.later(settings, now, "stop", seconds));
    }
}
