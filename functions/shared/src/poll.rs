//! How long to wait between two looks at a rollout. A look reads the service from a bucket that the whole account shares,
//! 100 calls at once and then 20 a second; what of one push waits for rollouts takes at most a quarter of it, however many services wait.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>.

use jiff::SignedDuration;

/// How many looks a minute all services of a push may have together: a quarter of the 20 calls a second.
const LOOKS_A_MINUTE: u32 = 5 * 60;

/// From so many services on, the looks of a minute are not of all of them.
const MANY: u32 = LOOKS_A_MINUTE;

/// A rollout of this age is looked at again after a twentieth of it: one that has taken an hour is not over in 15 seconds.
const PART_OF_AGE: i64 = 20;

/// The longest wait that a rollout's age alone brings about, in seconds.
const LONGEST_BY_AGE: u32 = 5 * 60;

/// By how much of its delay the first look at a service is delayed once more, in percent, where there are [`MANY`]: ECS
/// lets 50 updates begin at once and then 5 a second, and their looks, which come in the same order again and again, are
/// not to be closer than that together.
const SPREAD: u32 = 25;

/// The seconds to wait until the next look at a rollout.
///
/// - `poll_interval`: the setting, the least to wait
/// - `services`: how many services the push deploys to; all of them may be waiting
/// - `age`: how long the rollout has been going on
/// - `left`: the time until its deadline, after which one look more tells that it has failed
#[must_use]
pub fn wait(poll_interval: SignedDuration, services: u32, age: SignedDuration, left: SignedDuration) -> u32 {
    let by_age = seconds(age.as_secs() / PART_OF_AGE).min(LONGEST_BY_AGE);
    let wait = seconds(poll_interval.as_secs()).max(by_number(services)).max(by_age);
    // A second more, since the time of a look is rounded.
    let until_deadline = seconds(left.as_secs()).saturating_add(1);
    wait.min(until_deadline).max(1)
}

/// By how much of its delay, in percent, the first look at a service is delayed once more.
#[must_use]
pub fn spread(services: u32) -> u32 {
    if services > MANY { SPREAD } else { 0 }
}

/// The seconds that have to lie between two looks at one of so many services.
fn by_number(services: u32) -> u32 {
    if services > MANY {
        // The looks of one round come at 4 a second and not at 5, see `spread`.
        services.div_ceil(4)
    } else {
        // So many looks of each service fit into a minute; a minute that has one more is one too many.
        let looks = LOOKS_A_MINUTE / services.max(1);
        60_u32.div_ceil(looks)
    }
}

fn seconds(seconds: i64) -> u32 {
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::UPDATES;
    use proptest::prelude::*;

    fn after(services: u32, age: i64, left: i64) -> u32 {
        let duration = SignedDuration::from_secs;
        wait(duration(15), services, duration(age), duration(left))
    }

    #[test]
    fn a_rollout_is_looked_at_less_often_the_longer_it_lasts_and_the_more_there_are() {
        for (services, age, left, wanted, rule) in [
            (1, 0, 1800, 15, "the setting"),
            (75, 0, 1800, 15, "as many as the setting allows"),
            (76, 0, 1800, 20, "a fifth of a second for each"),
            (100, 0, 1800, 20, "a fifth of a second for each"),
            (300, 0, 1800, 60, "a fifth of a second for each"),
            (1000, 0, 1800, 250, "more than a fifth, since they began as a crowd"),
            (1, 300, 1500, 15, "a twentieth of its age is the setting"),
            (1, 3600, 3600, 180, "a twentieth of its age"),
            (1, 86_400, 86_400, 300, "not more than five minutes"),
            (5000, 86_400, 86_400, 1250, "unless there are so many"),
            (1, 60, 10, 11, "until just after the deadline"),
            (1, 60, 0, 1, "until just after the deadline"),
            (1, 60, -60, 1, "never not at all"),
            (0, -5, 1800, 15, "clocks differ"),
        ] {
            assert_eq!(
                after(services, age, left),
                wanted,
                "{services} services, age {age}, left {left}: {rule}"
            );
        }
    }

    #[test]
    fn as_long_as_all_can_be_looked_at_within_a_minute_nobodys_first_look_is_delayed_for_it() {
        assert_eq!([spread(1), spread(300), spread(301)], [0, 0, 25]);
    }

    /// The seconds of the looks at so many services that begin as ECS lets them begin, for two hours of one endless rollout.
    fn looks(services: u32, poll_interval: i64) -> Vec<i64> {
        let duration = SignedDuration::from_secs;
        let endless = duration(1_000_000);
        let mut looks = Vec::new();
        for place in 0..services {
            let over = place.saturating_sub(UPDATES.at_once - 1);
            let begun = over.div_ceil(UPDATES.per_second);
            let first =
                wait(duration(poll_interval), services, SignedDuration::ZERO, endless) + spread(services) * begun / 100;
            let mut now = i64::from(begun + first);
            while now < i64::from(begun) + 7200 {
                looks.push(now);
                now += i64::from(wait(
                    duration(poll_interval),
                    services,
                    duration(now - i64::from(begun)),
                    endless,
                ));
            }
        }
        looks.sort_unstable();
        looks
    }

    fn most_in_a_minute(looks: &[i64]) -> usize {
        let within = |place: usize| looks[place..].partition_point(|look| *look < looks[place] + 60);
        (0..looks.len()).map(within).max().unwrap_or_default()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_many_wait_they_look_at_most_five_times_a_second_over_any_minute(
            services in 1_u32..=5000, poll_interval in 1_i64..60,
        ) {
            let most = most_in_a_minute(&looks(services, poll_interval));
            prop_assert!(most <= 300, "{most} looks in a minute");
        }

        #[test]
        fn a_wait_is_never_much_longer_than_the_time_left_and_never_shorter_than_the_setting(
            services in 0_u32..5000, poll_interval in 1_i64..3600, age in 0_i64..700_000, left in 0_i64..700_000,
        ) {
            let duration = SignedDuration::from_secs;
            let wait = i64::from(wait(duration(poll_interval), services, duration(age), duration(left)));
            prop_assert!(wait <= left + 1);
            prop_assert!(wait >= poll_interval.min(left + 1) && wait >= 1);
        }
    }

    #[test]
    fn every_number_of_services_that_the_setting_alone_would_let_look_too_often_looks_less_often() {
        for services in (1..=310).chain([499, 500, 999, 1000, 1001, 4999, 5000]) {
            let most = most_in_a_minute(&looks(services, 1));
            assert!(most <= 300, "{services} services: {most} looks in a minute");
        }
    }
}
