//! How long to wait between two reads of a service. Each read takes from a bucket that the whole account shares,
//! 100 calls at once and then 20 a second; what waits, of all pushes, takes at most a quarter of it, however many there are.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>.

use crate::domain::arn::{ClusterName, ServiceName};
use jiff::{SignedDuration, Timestamp};
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many reads a minute all services may have together: a quarter of the 20 calls a second.
const READS_A_MINUTE: u32 = 5 * 60;

/// So many services may be read in the same second: a quarter of the 100 calls at once.
const AT_ONCE: u32 = 25;

/// A rollout of this age is read again after a twentieth of it: one that has taken an hour is not over in 15 seconds.
const PART_OF_AGE: i64 = 20;

/// The longest wait that a rollout's age alone brings about, in seconds.
const LONGEST_BY_AGE: u32 = 5 * 60;

/// The same where a lifecycle hook holds the rollout, maybe for days. From 100 hours on [`PART_OF_HELD`] is longer.
const LONGEST_HELD: u32 = 60 * 60;

/// A held rollout is read once in [`LONGEST_HELD`] at the latest, and from 100 hours on after a hundredth of its age.
/// So a month's reads have room in the 25,000 events of an execution, beside as many reads as the settings allow for a
/// rollout, a rollback, and the wait for another's rollback.
const PART_OF_HELD: i64 = 100;

/// A service that is to be read again.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    /// Its cluster.
    pub cluster: &'a ClusterName,
    /// Its name.
    pub service: &'a ServiceName,
    /// How many services the push deploys to; all of them may be waiting.
    pub services: u32,
    /// How many of all pushes wait, as far as that is known, see [`crate::quota::executions`].
    pub running: Option<u32>,
    /// For how long it has been waited for.
    pub age: SignedDuration,
    /// The time until the deadline, after which one read more tells that it was not kept; or until the hook that holds it
    /// expires, after which ECS goes on or back.
    pub left: SignedDuration,
    /// True if it waits at a lifecycle hook.
    pub is_held: bool,
}

/// The seconds to wait at `now` until the next read. `poll_interval`, the setting, is the least.
///
/// ECS lets 50 updates begin at once and then 5 a second. So that their reads do not come as a crowd, again and again, each
/// service has a slot of its own in a period that all of them share; more than a few are read in their slots.
#[must_use]
pub fn wait(poll_interval: SignedDuration, now: Timestamp, waiting: &Waiting<'_>) -> u32 {
    let poll_interval = seconds(poll_interval.as_secs());
    let age = waiting.age.as_secs();
    let longest = if waiting.is_held {
        LONGEST_HELD.max(seconds(age / PART_OF_HELD))
    } else {
        LONGEST_BY_AGE
    };
    let by_age = seconds(age / PART_OF_AGE).min(longest);
    let services = waiting.services.max(waiting.running.unwrap_or_default());
    let period = by_number(services).max(poll_interval);
    let wait = if services <= AT_ONCE {
        period.max(by_age)
    } else {
        let least = poll_interval.max(by_age);
        let earliest = now.as_second().saturating_add(least.into());
        least.saturating_add(until_slot(waiting, period, earliest))
    };
    // A second more, since the time of a read is rounded.
    let until_deadline = seconds(waiting.left.as_secs()).saturating_add(1);
    wait.min(until_deadline).max(1)
}

/// The seconds that have to lie between two reads of one of so many services.
fn by_number(services: u32) -> u32 {
    if services > READS_A_MINUTE {
        // Some of them have their slot in a minute, more in one minute than in another: at two thirds of what is
        // granted there is room for that.
        services.saturating_mul(3).div_ceil(10)
    } else {
        // So many reads of each service fit into a minute; a minute that has one more is one too many.
        let reads = READS_A_MINUTE / services.max(1);
        60_u32.div_ceil(reads)
    }
}

/// The seconds from `earliest` (since 1970) until the service's slot in a period of so many seconds.
fn until_slot(waiting: &Waiting<'_>, period: u32, earliest: i64) -> u32 {
    let mut hasher = DefaultHasher::new();
    (waiting.cluster.as_str(), waiting.service.as_str()).hash(&mut hasher);
    let slot = i64::try_from(hasher.finish() % u64::from(period)).unwrap_or_default();
    seconds((slot - earliest).rem_euclid(period.into()))
}

fn seconds(seconds: i64) -> u32 {
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::schedule::UPDATES;
    use proptest::prelude::*;

    const ENDLESS: i64 = 1_000_000;

    fn cluster() -> ClusterName {
        "production".parse().unwrap()
    }

    fn web(number: u32) -> ServiceName {
        format!("web-{number}").parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + seconds).unwrap()
    }

    /// The wait for a service of so many of one push, when `running` of all pushes wait.
    fn after(service: &ServiceName, services: u32, running: Option<u32>, now: i64, age: i64, left: i64) -> u32 {
        let duration = SignedDuration::from_secs;
        let waiting = Waiting {
            cluster: &cluster(),
            service,
            services,
            running,
            age: duration(age),
            left: duration(left),
            is_held: false,
        };
        wait(duration(15), at(now), &waiting)
    }

    #[test]
    fn a_rollout_is_read_less_often_the_longer_it_lasts() {
        for (age, left, wanted, rule) in [
            (0, 1800, 15, "the setting"),
            (300, 1500, 15, "a twentieth of its age is the setting"),
            (3600, 3600, 180, "a twentieth of its age"),
            (86_400, 86_400, 300, "not more than five minutes"),
            (60, 10, 11, "until just after the deadline"),
            (60, 0, 1, "until just after the deadline"),
            (60, -60, 1, "never not at all"),
            (-5, 1800, 15, "clocks differ"),
        ] {
            for services in [0, 1, 25] {
                let wait = after(&web(1), services, None, 0, age, left);
                assert_eq!(wait, wanted, "{services} services, age {age}, left {left}: {rule}");
            }
        }
    }

    #[test]
    fn a_rollout_that_a_hook_holds_is_read_as_often_at_first_and_once_in_hours_after_days() {
        const DAY: i64 = 86_400;
        for (age, left, wanted, rule) in [
            (0, 1800, 15, "the setting"),
            (600, 86_400, 30, "a twentieth of its age"),
            (8 * 3600, 86_400, 1440, "a twentieth of its age"),
            (DAY, 13 * DAY, 3600, "not more than an hour"),
            (4 * DAY, 10 * DAY, 3600, "not more than an hour"),
            (14 * DAY, 14 * DAY, 12_096, "a hundredth of its age"),
            (DAY, 60, 61, "until just after the hook expires"),
            (DAY, -60, 1, "never not at all"),
        ] {
            let duration = SignedDuration::from_secs;
            let waiting = Waiting {
                cluster: &cluster(),
                service: &web(1),
                services: 1,
                running: None,
                age: duration(age),
                left: duration(left),
                is_held: true,
            };
            let wait = wait(duration(15), at(0), &waiting);
            assert_eq!(wait, wanted, "age {age}, left {left}: {rule}");
        }
    }

    #[test]
    fn the_more_services_wait_of_all_pushes_the_less_often_each_is_read() {
        for (services, running, period) in [
            (26, None, 15),
            (75, None, 15),
            (76, None, 20),
            (300, None, 60),
            (301, None, 91),
            (1000, None, 300),
            (50, Some(1000), 300),
            (1000, Some(50), 300),
            (1, Some(76), 20),
            (5000, None, 1500),
        ] {
            let first = after(&web(7), services, running, 0, 0, ENDLESS);
            assert!((15..15 + period).contains(&first), "{services}, {running:?}: {first}");
            let now = i64::from(first);
            let second = after(&web(7), services, running, now, now, ENDLESS);
            assert_eq!(second, period, "{services}, {running:?}");
        }
    }

    /// The seconds of the reads of so many services, which began as ECS lets them begin, for an hour of one endless rollout.
    fn reads(services: u32, pushes: u32, poll_interval: i64) -> Vec<i64> {
        let duration = SignedDuration::from_secs;
        let cluster = cluster();
        let mut reads = Vec::new();
        for place in 0..services {
            let over = place.saturating_sub(UPDATES.at_once - 1);
            let begun = i64::from(over.div_ceil(UPDATES.per_second));
            let service = web(place);
            let mut now = begun;
            while now < begun + 3600 {
                let waiting = Waiting {
                    cluster: &cluster,
                    service: &service,
                    services: services / pushes,
                    running: Some(services),
                    age: duration(now - begun),
                    left: duration(ENDLESS),
                    is_held: false,
                };
                now += i64::from(wait(duration(poll_interval), at(now), &waiting));
                reads.push(now);
            }
        }
        reads.sort_unstable();
        reads
    }

    fn most_in_a_minute(reads: &[i64]) -> usize {
        let within = |place: usize| reads[place..].partition_point(|snapshot| *snapshot < reads[place] + 60);
        (0..reads.len()).map(within).max().unwrap_or_default()
    }

    /// The lowest level of a bucket from which these reads alone take.
    fn lowest_level(reads: &[i64]) -> i64 {
        let (mut level, mut lowest, mut last) = (100, 100, 0);
        for snapshot in reads {
            level = (level + 20 * (snapshot - last)).min(100) - 1;
            last = *snapshot;
            lowest = lowest.min(level);
        }
        lowest
    }

    fn is_within_a_quarter(services: u32, pushes: u32, poll_interval: i64) -> Result<(), String> {
        let reads = reads(services, pushes, poll_interval);
        let (most, lowest) = (most_in_a_minute(&reads), lowest_level(&reads));
        if most > 300 || lowest < 75 {
            return Err(format!(
                "{services} services of {pushes} pushes, every {poll_interval} s: {most} reads in a minute, {lowest} of 100 left"
            ));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_many_wait_of_however_many_pushes_they_take_at_most_a_quarter_of_the_bucket(
            services in 1_u32..=5000, pushes in 1_u32..=20, poll_interval in 1_i64..60,
        ) {
            prop_assert_eq!(is_within_a_quarter(services, pushes, poll_interval), Ok(()));
        }

        #[test]
        fn a_wait_is_never_much_longer_than_the_time_left_and_never_shorter_than_the_setting(
            services in 0_u32..5000, poll_interval in 1_i64..3600, now in 0_i64..10_000, age in 0_i64..700_000,
            left in 0_i64..700_000, is_held: bool,
        ) {
            let duration = SignedDuration::from_secs;
            let waiting = Waiting {
                cluster: &cluster(), service: &web(1), services, running: None, age: duration(age), left: duration(left),
                is_held,
            };
            let wait = i64::from(wait(duration(poll_interval), at(now), &waiting));
            prop_assert!(wait <= left + 1);
            prop_assert!(wait >= poll_interval.min(left + 1) && wait >= 1);
        }
    }

    #[test]
    fn every_number_of_services_that_the_setting_alone_would_let_read_too_often_reads_less_often() {
        for services in (1..=310).chain([499, 500, 999, 1000, 1001, 4999, 5000]) {
            for pushes in [1, 20] {
                assert_eq!(is_within_a_quarter(services, pushes, 1), Ok(()));
            }
        }
    }
}
