//! A rate keeps one function's calls well within the token bucket that AWS grants the whole account, so that the account's
//! other tools find tokens in it too.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A token bucket at run time: the tokens that a function has now. [`crate::quota::schedule::Bucket`] is that of a
/// whole plan.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    /// Among how many functions it is shared equally.
    sharers: f64,
}

impl Bucket {
    /// Takes one token after `elapsed` since the last take, and says how long the call has to wait for it.
    fn take(&mut self, elapsed: Duration) -> Duration {
        let (burst, per_second) = (self.burst / self.sharers, self.per_second / self.sharers);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * per_second).min(burst) - 1.0;
        if self.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.tokens / per_second)
        }
    }
}

/// The bucket of one kind of calls, shared by all calls of a function.
#[derive(Debug)]
pub(super) struct Rate {
    state: Mutex<(Bucket, Instant)>,
}

impl Rate {
    /// For `DescribeServices` and `ListServices`, of which AWS grants 100 at once and 20 a second. A search leaves
    /// three quarters of them, and takes fewer a second than AWS gives back. So after a long search the bucket is full
    /// again when the next steps read.
    pub(super) const SERVICE_READS: (f64, f64) = (25.0, 15.0);

    /// For `DescribeTaskDefinition`, `ListTaskDefinitions` and `ListTaskDefinitionFamilies`, of which AWS grants 50 at once
    /// and 20 a second. Half of them are left. In a large account the search lasts as long as these take, which is why
    /// nearly all that is given back is used.
    pub(super) const TASK_DEFINITION_READS: (f64, f64) = (25.0, 19.0);

    /// For `DescribeServices` and `ListServices` of what nobody waits for: a quarter of what AWS grants.
    pub(super) const PATIENT_SERVICE_READS: (f64, f64) = (25.0, 5.0);

    /// For `DescribeTaskDefinition` and the others of its bucket, of what nobody waits for: a quarter of what AWS grants.
    pub(super) const PATIENT_TASK_DEFINITION_READS: (f64, f64) = (12.0, 5.0);

    /// A full bucket of so many calls, filled again at so many a second.
    pub(super) fn new((burst, per_second): (f64, f64)) -> Self {
        Self {
            state: Mutex::new((
                Bucket {
                    burst,
                    per_second,
                    tokens: burst,
                    sharers: 1.0,
                },
                Instant::now(),
            )),
        }
    }

    /// Shares it among so many functions from now on.
    pub(super) fn share(&self, sharers: u32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.sharers = f64::from(sharers.max(1));
    }

    /// Waits for the slot of one call.
    #[expect(
        clippy::disallowed_methods,
        reason = "a pause between two calls of one read, not a wait for ECS"
    )]
    pub(super) async fn wait(&self) {
        let pause = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let elapsed = now.duration_since(state.1);
            state.1 = now;
            state.0.take(elapsed)
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = Bucket {
            burst: 3.0,
            per_second: 2.0,
            tokens: 3.0,
            sharers: 1.0,
        };
        let pauses: Vec<Duration> = (0..5).map(|_| bucket.take(Duration::ZERO)).collect();
        let milliseconds = Duration::from_millis;
        assert_eq!(pauses, [0, 0, 0, 500, 1000].map(milliseconds));
        assert_eq!(bucket.take(Duration::from_secs(1)), milliseconds(500));
        assert_eq!(bucket.take(Duration::from_mins(1)), Duration::ZERO);
        assert!(
            (bucket.tokens - 2.0).abs() < f64::EPSILON,
            "a pause never fills more than the burst"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn of_several_each_has_an_equal_share() {
        let rate = Rate::new((4.0, 2.0));
        let begun = Instant::now();
        let mut turns = Vec::new();
        for (sharers, calls) in [(2, 4), (1, 2)] {
            rate.share(sharers);
            for _ in 0..calls {
                rate.wait().await;
                turns.push(begun.elapsed().as_millis());
            }
        }
        // Two at once of the four, then one a second; then two a second, for the last pause too.
        assert_eq!(turns, [0, 0, 1000, 2000, 2000, 2500]);
    }
}
