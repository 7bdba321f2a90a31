//! The time that a service's own deployment strategy takes, whatever its tasks do.

use jiff::SignedDuration;

/// So long are ECS's own waits added to what a rollout may take: all reads of a rollout and of its rollback have to have room in
/// the 25,000 events of an execution.
const MOST: SignedDuration = SignedDuration::from_hours(3 * 24);

/// How long a rollout, or a rollback, may take: `rollout_timeout`, and beside it the waits that ECS has `planned`, until it is
/// three days.
#[must_use]
pub(super) fn rollout_time(rollout_timeout: SignedDuration, planned: SignedDuration) -> SignedDuration {
    rollout_timeout.saturating_add(planned).min(MOST).max(rollout_timeout)
}

/// How ECS shifts the traffic of a service to new tasks, as far as that takes a planned time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy {
    /// At once: rolling and blue/green.
    AtOnce,
    /// In steps.
    Linear {
        /// The part of the traffic that each step shifts, in percent.
        step_percent: f64,
        /// How many minutes ECS waits between two of them.
        step_minutes: u32,
    },
    /// A small part first.
    Canary {
        /// How many minutes ECS waits before it shifts the rest.
        minutes: u32,
    },
}

impl Strategy {
    /// ECS's own step of a linear deployment, in percent, and its wait behind it, in minutes.
    pub const LINEAR: (f64, u32) = (10.0, 6);
    /// ECS's own wait of a canary deployment, in minutes.
    pub const CANARY: u32 = 10;

    /// How long ECS waits in a deployment by plan: between the steps, and `bake` minutes with all of the traffic. No wait follows
    /// the last step
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html>).
    #[must_use]
    pub fn planned_wait(self, bake: u32) -> SignedDuration {
        let minutes = match self {
            Self::AtOnce => 0,
            Self::Linear {
                step_percent,
                step_minutes,
            } => i64::from(steps(step_percent) - 1) * i64::from(step_minutes),
            Self::Canary { minutes } => i64::from(minutes),
        };
        SignedDuration::from_mins(minutes.saturating_add(bake.into()))
    }
}

/// How many steps shift all of the traffic: ECS takes no smaller step than one of 3 percent.
fn steps(percent: f64) -> u32 {
    let is_all = |steps: &u32| f64::from(*steps) * percent > 99.99;
    (1..=34).find(is_all).unwrap_or(34)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ecs_plans_to_wait_is_added_to_what_a_rollout_may_take_until_that_is_three_days() {
        let minutes = SignedDuration::from_mins;
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        for (rollout_timeout, planned, expected) in [
            (minutes(30), minutes(0), minutes(30)),
            (minutes(30), minutes(69), minutes(99)),
            (minutes(30), days(33), days(3)),
            (days(3), minutes(1), days(3)),
            (days(7), minutes(69), days(7)),
        ] {
            let time = rollout_time(rollout_timeout, planned);
            assert_eq!(time, expected, "{rollout_timeout} and {planned}");
        }
    }

    #[test]
    fn the_planned_wait_is_that_between_the_steps_and_the_bake_time() {
        let linear = |step_percent, step_minutes| Strategy::Linear {
            step_percent,
            step_minutes,
        };
        let (percent, minutes) = Strategy::LINEAR;
        for (strategy, bake, expected) in [
            (Strategy::AtOnce, 0, 0),
            (Strategy::AtOnce, 15, 15),
            (linear(percent, minutes), 0, 54),
            (linear(percent, minutes), 15, 69),
            (linear(100.0, 6), 5, 5),
            (linear(50.0, 1440), 0, 1440),
            (linear(33.3, 10), 0, 30),
            (linear(3.0, 1), 0, 33),
            (linear(0.0, 1), 0, 33),
            (linear(f64::NAN, 1), 0, 33),
            (linear(-10.0, 1), 0, 33),
            (
                Strategy::Canary {
                    minutes: Strategy::CANARY,
                },
                0,
                10,
            ),
            (Strategy::Canary { minutes: 30 }, 5, 35),
        ] {
            let planned = strategy.planned_wait(bake);
            assert_eq!(planned, SignedDuration::from_mins(expected), "{strategy:?}, {bake}");
        }
    }
}
