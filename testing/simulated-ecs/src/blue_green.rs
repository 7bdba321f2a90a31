//! Native blue/green, linear and canary deployments: the new revision is scaled up beside the old one, traffic is
//! shifted in stages, both bake, the old one is cleaned up.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html>

use crate::names::Milliseconds;
use crate::rollout::count;
use crate::service::{Service, Stage, World};

/// How long a stage lasts that has no length of its own.
const STAGE_SECONDS: f64 = 2.0;
const DEFAULT_STEP_PERCENT: f64 = 10.0;
const DEFAULT_STEP_MINUTES: f64 = 6.0;
const DEFAULT_CANARY_MINUTES: f64 = 10.0;

impl Service {
    /// One read of a deployment that shifts traffic: through every stage whose time is up.
    pub(crate) fn shift(&mut self, world: &mut World, now: Milliseconds) {
        let wanted = self.wanted(&world.settings);
        let number = self.deployments[0].number;
        loop {
            let (stage, until) = match self.deployments[0].stage {
                Some(current) => current,
                None => self.enter(world, now, self.first_stage()),
            };
            if stage >= Stage::ScaleUp {
                self.scale_in(world, now, number, wanted);
                let own = count(self.live(number));
                self.launch(world, now, wanted.saturating_sub(own));
            }
            if self.waits_at_hooks(now) {
                return;
            }
            match (stage, until) {
                (Stage::CleanUp, _) => {
                    let old: Vec<usize> = (0..self.tasks.len())
                        .filter(|index| self.tasks[*index].is_live() && self.tasks[*index].deployment != number)
                        .collect();
                    self.stop_tasks(world, now, &old);
                    return;
                }
                (Stage::ScaleUp, _) if count(self.live(number).filter(|task| task.ready)) < wanted => return,
                (_, Some(until)) if until > now => {
                    self.wake_at(until);
                    return;
                }
                (Stage::ProductionTrafficShift, _) if self.deployments[0].shifts < self.steps() => {
                    self.enter(world, now, Stage::PreProductionTrafficShift);
                }
                _ => {
                    self.enter(world, now, stage.next());
                }
            }
        }
    }

    fn first_stage(&self) -> Stage {
        if self.deployments.len() > 2 {
            Stage::ReconcileService
        } else {
            Stage::PreScaleUp
        }
    }

    fn enter(&mut self, world: &World, now: Milliseconds, stage: Stage) -> (Stage, Option<Milliseconds>) {
        if stage == Stage::ProductionTrafficShift {
            self.deployments[0].shifts += 1;
        }
        let seconds = match stage {
            Stage::ScaleUp | Stage::CleanUp => None,
            // It is there for its hooks.
            Stage::PreProductionTrafficShift => Some(0.0),
            Stage::ProductionTrafficShift => Some(self.seconds_of_shift()),
            Stage::BakeTime => self.number("/bakeTimeInMinutes").map(|minutes| minutes * 60.0),
            _ => Some(STAGE_SECONDS),
        };
        let current = (stage, seconds.map(|seconds| world.settings.after(now, seconds)));
        let primary = &mut self.deployments[0];
        primary.stage = Some(current);
        primary.updated_at = now;
        let history = primary.history;
        self.history[history].updated_at = now;
        self.begin_hooks(world, now, stage);
        current
    }

    /// In how many steps the production traffic moves: at once, in equal ones, or a canary first.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // AWS: steps of 3 to 100 percent
    fn steps(&self) -> u32 {
        match self.strategy() {
            "LINEAR" => {
                let percent = self.number("/linearConfiguration/stepPercent");
                (100.0 / percent.unwrap_or(DEFAULT_STEP_PERCENT)).ceil() as u32
            }
            "CANARY" => 2,
            _ => 1,
        }
    }

    /// How long a step takes: with its bake time, which the last of several has not.
    fn seconds_of_shift(&self) -> f64 {
        let (path, default) = match self.strategy() {
            "LINEAR" => ("/linearConfiguration/stepBakeTimeInMinutes", DEFAULT_STEP_MINUTES),
            "CANARY" => ("/canaryConfiguration/canaryBakeTimeInMinutes", DEFAULT_CANARY_MINUTES),
            _ => return STAGE_SECONDS,
        };
        if self.deployments[0].shifts < self.steps() {
            self.number(path).unwrap_or(default) * 60.0
        } else {
            0.0
        }
    }
}

impl Stage {
    /// The stage after this one. `CLEAN_UP` is the last.
    fn next(self) -> Self {
        match self {
            Self::ReconcileService => Self::PreScaleUp,
            Self::PreScaleUp => Self::ScaleUp,
            Self::ScaleUp => Self::PostScaleUp,
            Self::PostScaleUp => Self::TestTrafficShift,
            Self::TestTrafficShift => Self::PostTestTrafficShift,
            Self::PostTestTrafficShift => Self::PreProductionTrafficShift,
            Self::PreProductionTrafficShift => Self::ProductionTrafficShift,
            Self::ProductionTrafficShift => Self::PostProductionTrafficShift,
            Self::PostProductionTrafficShift => Self::BakeTime,
            Self::BakeTime | Self::CleanUp => Self::CleanUp,
        }
    }
}
