//! The attempts of one invocation. The SDK may not repeat an update, since the read that allowed it ages: the service may be
//! rolling back by then, or be on a newer push. So the step itself begins again with the read.

use crate::error::Error;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// How often one invocation reads and updates. A lost answer needs two attempts. An empty bucket of updates gets five new ones
/// a second, so a few more attempts serve unless very many services wait. Those are better off with the state machine, whose
/// pauses cost nothing.
/// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>.
const ATTEMPTS: u32 = 4;

/// The longest first pause; each next one is twice as long at most.
const PAUSE: Duration = Duration::from_secs(1);

/// No attempt follows on one that ended later than this. If ECS answers slowly, an attempt takes as long as the SDK's retries of
/// its calls: a minute leaves it four of the five minutes that a function has.
const NO_ATTEMPT_AFTER: Duration = Duration::from_mins(1);

/// A read that took no longer is as good as the moment at which the service was read. It is a few calls of some ten
/// milliseconds each, so a read that takes longer had a call throttled and repeated, for up to a minute or two. That is
/// enough for another execution to deploy the image and begin to take it back.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// The attempts of one invocation.
#[derive(Debug)]
pub(super) struct Attempts {
    begun: Instant,
    made: u32,
}

impl Attempts {
    /// The first one.
    #[must_use]
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            made: 0,
        }
    }

    /// The time by the clock that showed `at_first` at the first one, to the second.
    #[must_use]
    pub(super) fn now(&self, at_first: Timestamp) -> Timestamp {
        let seconds = i64::try_from(self.begun.elapsed().as_secs()).unwrap_or(i64::MAX);
        at_first
            .saturating_add(SignedDuration::from_secs(seconds))
            .unwrap_or(Timestamp::MAX)
    }

    /// Waits until the next attempt, after one that ended with `error`.
    ///
    /// # Errors
    ///
    /// `error` itself: when it does not pass by itself, or when there were attempts enough.
    #[expect(
        clippy::disallowed_methods,
        reason = "a pause of seconds between two calls, not a wait for ECS"
    )]
    pub(super) async fn again(&mut self, error: Error) -> Result<(), Error> {
        self.made += 1;
        let pause = pause(self.made, fastrand::f64());
        if !matches!(error, Error::Unavailable(_)) || self.made >= ATTEMPTS || self.begun.elapsed() >= NO_ATTEMPT_AFTER
        {
            return Err(error);
        }
        tracing::warn!("reading again in {} ms: {error}", pause.as_millis());
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// The pause after so many attempts. `chance`, from 0 to 1, keeps those apart that were throttled together; half of the pause
/// is sure, since a read costs calls too.
fn pause(made: u32, chance: f64) -> Duration {
    PAUSE.mul_f64(f64::from(1 << (made - 1)) * f64::midpoint(1.0, chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled() -> Error {
        Error::Unavailable("Rate exceeded".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_four_times_with_longer_and_longer_pauses() {
        let mut attempts = Attempts::begin();
        let mut ended = attempts.begun.elapsed();
        for most in [1, 2, 4].map(Duration::from_secs) {
            attempts.again(throttled()).await.unwrap();
            let lasted = attempts.begun.elapsed().checked_sub(ended).unwrap();
            assert!(
                (most / 2..=most + Duration::from_millis(1)).contains(&lasted),
                "{lasted:?}"
            );
            ended = attempts.begun.elapsed();
        }
        assert_eq!(
            attempts.again(throttled()).await.unwrap_err().name(),
            "Deploy.Unavailable"
        );
        assert_eq!(attempts.begun.elapsed(), ended, "nobody waits for nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_goes_on_from_try_to_try() {
        let attempts = Attempts::begin();
        tokio::time::advance(Duration::from_millis(2_900)).await;
        assert_eq!(attempts.now(Timestamp::UNIX_EPOCH).as_second(), 2);
    }

    #[test]
    fn the_pause_is_between_half_and_whole() {
        let milliseconds = |made, chance| pause(made, chance).as_millis();
        assert_eq!(
            [milliseconds(1, 0.0), milliseconds(1, 0.5), milliseconds(1, 1.0)],
            [500, 750, 1000]
        );
        assert_eq!([milliseconds(3, 0.0), milliseconds(3, 1.0)], [2000, 4000]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_tried_again() {
        let refused = Error::Rejected("no".to_owned());
        assert_eq!(
            Attempts::begin().again(refused).await.unwrap_err().name(),
            "Deploy.Rejected"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn where_one_attempt_took_long_the_state_machine_tries_again() {
        let mut attempts = Attempts::begin();
        tokio::time::advance(NO_ATTEMPT_AFTER.checked_sub(Duration::from_millis(1)).unwrap()).await;
        attempts.again(throttled()).await.unwrap();
        let mut attempts = Attempts::begin();
        tokio::time::advance(NO_ATTEMPT_AFTER).await;
        attempts.again(throttled()).await.unwrap_err();
    }
}
