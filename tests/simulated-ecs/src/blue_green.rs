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
    /// One look at a deployment that shifts traffic: through every stage whose time is up.
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
        let seconds = match stage {
            Stage::ScaleUp | Stage::CleanUp => None,
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
        current
    }

    /// How long the production traffic takes to move: at once, in equal steps, or a canary first.
    fn seconds_of_shift(&self) -> f64 {
        let number = |path, default| self.number(path).unwrap_or(default);
        match self.strategy() {
            "LINEAR" => {
                let steps = (100.0 / number("/linearConfiguration/stepPercent", DEFAULT_STEP_PERCENT)).ceil();
                (steps - 1.0) * number("/linearConfiguration/stepBakeTimeInMinutes", DEFAULT_STEP_MINUTES) * 60.0
            }
            "CANARY" => number("/canaryConfiguration/canaryBakeTimeInMinutes", DEFAULT_CANARY_MINUTES) * 60.0,
            _ => STAGE_SECONDS,
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
            Self::PostTestTrafficShift => Self::ProductionTrafficShift,
            Self::ProductionTrafficShift => Self::PostProductionTrafficShift,
            Self::PostProductionTrafficShift => Self::BakeTime,
            Self::BakeTime | Self::CleanUp => Self::CleanUp,
        }
    }
}
