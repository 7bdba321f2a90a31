//! A schedule says when each call of a push may be made, so that it never asks more of ECS than the account is granted: an
//! account's calls of one kind come out of a token bucket, which other pushes and other tools take from too.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>.

use crate::contract::PlannedRevision;

/// The size of a token bucket, by which the calls of a plan are scheduled: so many calls at once, then so many a
/// second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// How many calls a full bucket grants at once.
    pub at_once: u32,
    /// How many it grants a second from then on.
    pub per_second: u32,
}

/// The bucket of `RegisterTaskDefinition`, but for two calls that are kept back: those of a second do not come as evenly as
/// they are planned.
pub const REGISTRATIONS: Bucket = Bucket {
    at_once: 18,
    per_second: 1,
};

/// The bucket of `UpdateService`, but for two calls that are kept back.
pub const UPDATES: Bucket = Bucket {
    at_once: 48,
    per_second: 5,
};

/// The share that one push has of a bucket: pushes that begin at about the same time call one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// How many pushes share the bucket, this one among them.
    pub pushes: u32,
    /// How many of them go before this one: those that began later. The newest push of a service stays, so an older one finds
    /// itself superseded before it begins a rollout that would be replaced at once.
    pub ahead: u32,
}

impl Share {
    /// The share of a push without another one.
    pub const WHOLE: Self = Self { pushes: 1, ahead: 0 };
}

/// The calls that one push takes from a bucket, which is full at second 0: an equal share of it. The rest
/// is counted in shares, of which a call takes as many as there are pushes.
///
/// Where all pushes call as often as they may, their calls come in turns, each in another second. Would all make them in the
/// same second, each would have to look for its own revision among those that the others are registering.
struct Slots {
    bucket: Bucket,
    pushes: u32,
    second: u32,
    left: u32,
    most: u32,
}

impl Slots {
    fn new(bucket: Bucket, share: Share) -> Self {
        let pushes = share.pushes.max(1);
        // The first call of a push needs room for itself and for one of each push ahead, not for those behind.
        let behind = (pushes - 1).saturating_sub(share.ahead);
        let most = bucket.at_once.saturating_add(behind);
        Self {
            bucket,
            pushes,
            second: 0,
            left: most,
            most,
        }
    }

    /// The second at which the next call may be made that must not be made before `earliest`. Calls come in order: one
    /// that waits is not overtaken.
    fn next(&mut self, earliest: u32) -> u32 {
        let waited = earliest.saturating_sub(self.second);
        self.pass(waited);
        let missing = self.pushes.saturating_sub(self.left);
        self.pass(missing.div_ceil(self.bucket.per_second));
        self.left = self.left.saturating_sub(self.pushes);
        self.second
    }

    fn pass(&mut self, seconds: u32) {
        let granted = seconds.saturating_mul(self.bucket.per_second);
        self.left = self.left.saturating_add(granted).min(self.most);
        self.second = self.second.saturating_add(seconds);
    }
}

/// True if a plan has more calls than the buckets grant at once, so that its speed depends on other pushes.
#[must_use]
pub fn is_long(revisions: &[PlannedRevision]) -> bool {
    let services: usize = revisions.iter().map(|revision| revision.services.len()).sum();
    revisions.len() > REGISTRATIONS.at_once as usize || services > UPDATES.at_once as usize
}

/// Schedules the plan of a push that has this share of the buckets: gives each revision the seconds
/// from the begin after which it may be registered, and each service those after which it may be updated, if that is
/// later than its revision's registration. The order of the plan stays.
pub fn schedule(revisions: &mut [PlannedRevision], share: Share) {
    let mut registrations = Slots::new(REGISTRATIONS, share);
    let mut updates = Slots::new(UPDATES, share);
    for revision in revisions {
        revision.after = registrations.next(0);
        for service in &mut revision.services {
            let due = updates.next(revision.after);
            service.after = if due > revision.after { due } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::PlannedService;
    use proptest::prelude::*;

    /// A plan of so many services on each of so many revisions.
    fn plan(services: &[usize]) -> Vec<PlannedRevision> {
        plan_with(Share::WHOLE, services)
    }

    /// The same of a push that has this share.
    fn plan_with(share: Share, services: &[usize]) -> Vec<PlannedRevision> {
        let service = |number: usize| PlannedService {
            cluster: "production".parse().unwrap(),
            service: format!("web-{number}").parse().unwrap(),
            stage: None,
            after: 0,
        };
        let revisions = services.iter().enumerate().map(|(number, services)| PlannedRevision {
            task_definition: format!("web-{number}:1").parse().unwrap(),
            after: 0,
            settings: 0,
            services: (0..*services).map(service).collect(),
        });
        let mut revisions: Vec<PlannedRevision> = revisions.collect();
        schedule(&mut revisions, share);
        revisions
    }

    /// The seconds of all registrations, and those of all updates with the seconds from which on they could be made.
    fn seconds(plan: &[PlannedRevision]) -> (Vec<u32>, Vec<(u32, u32)>) {
        let registrations = plan.iter().map(|revision| revision.after).collect();
        let updates = plan.iter().flat_map(|revision| {
            let services = revision.services.iter();
            services.map(|service| (revision.after, service.after.max(revision.after)))
        });
        (registrations, updates.collect())
    }

    /// True if a bucket that fills up continuously grants all calls, each in its second.
    fn is_granted(bucket: Bucket, calls: &[u32]) -> bool {
        // In every span of time, the bucket grants what it holds and what is filled in meanwhile.
        (0..calls.len()).all(|first| {
            (first..calls.len()).all(|last| {
                let made = u32::try_from(last - first + 1).unwrap();
                made <= bucket.at_once + (calls[last] - calls[first]) * bucket.per_second
            })
        })
    }

    fn last(seconds: &[u32]) -> u32 {
        seconds.iter().copied().max().unwrap_or_default()
    }

    #[test]
    fn a_hundred_families_are_registered_within_82_seconds() {
        let (registrations, updates) = seconds(&plan(&[1; 100]));
        assert_eq!(last(&registrations), 82);
        assert!(
            updates.iter().all(|(registered, updated)| registered == updated),
            "each service as soon as its own revision exists"
        );
    }

    #[test]
    fn a_thousand_services_on_twenty_families_are_updated_within_191_seconds() {
        let (registrations, updates) = seconds(&plan(&[50; 20]));
        assert_eq!(last(&registrations), 2);
        let updates: Vec<u32> = updates.iter().map(|(_, updated)| *updated).collect();
        assert_eq!(last(&updates), 191);
    }

    #[test]
    fn an_empty_plan_needs_no_schedule() {
        assert!(plan(&[]).is_empty());
    }

    #[test]
    fn one_of_twenty_pushes_has_a_twentieth_of_the_buckets() {
        // The first eighteen register at once, each of the others a second later than the one before it.
        for (ahead, expected) in [(0, [0, 3, 23]), (17, [0, 20, 40]), (18, [1, 21, 41]), (19, [2, 22, 42])] {
            let share = Share { pushes: 20, ahead };
            let (registrations, updates) = seconds(&plan_with(share, &[1; 50]));
            assert_eq!(registrations[..3], expected, "{ahead} ahead");
            assert_eq!(last(&registrations), expected[1] + 48 * 20);
            assert_eq!(updates[0].1, expected[0]);
        }
        let share = Share { pushes: 20, ahead: 19 };
        let (_, updates) = seconds(&plan_with(share, &[50]));
        let updates: Vec<u32> = updates.iter().map(|(_, updated)| *updated).collect();
        assert_eq!(updates[..4], [2, 2, 5, 9]);
    }

    #[test]
    fn a_plan_is_long_when_it_has_more_than_is_granted_at_once() {
        for (services, long) in [
            (vec![], false),
            (vec![1; 18], false),
            (vec![0; 19], true),
            (vec![48], false),
            (vec![24, 25], true),
        ] {
            assert_eq!(is_long(&plan(&services)), long, "{services:?}");
        }
    }

    fn any_services() -> impl Strategy<Value = Vec<usize>> {
        prop_oneof![
            proptest::collection::vec(0_usize..4, 0..120),
            proptest::collection::vec(0_usize..80, 0..12),
            proptest::collection::vec(prop_oneof![4 => 0_usize..3, 1 => 50_usize..90], 0..60),
        ]
    }

    proptest! {
        #[test]
        fn no_more_calls_are_made_in_any_time_than_the_bucket_grants(services in any_services()) {
            let (registrations, updates) = seconds(&plan(&services));
            let updates: Vec<u32> = updates.into_iter().map(|(_, updated)| updated).collect();
            prop_assert!(is_granted(REGISTRATIONS, &registrations), "{registrations:?}");
            prop_assert!(is_granted(UPDATES, &updates), "{updates:?}");
        }

        #[test]
        fn nor_by_as_many_pushes_as_share_it(plans in proptest::collection::vec(proptest::collection::vec(0_usize..8, 0..30), 2..40)) {
            let pushes = u32::try_from(plans.len()).unwrap();
            let (mut registrations, mut updates) = (Vec::new(), Vec::new());
            for (services, ahead) in plans.iter().zip(0..) {
                let (registered, updated) = seconds(&plan_with(Share { pushes, ahead }, services));
                registrations.extend(registered);
                updates.extend(updated.into_iter().map(|(_, updated)| updated));
            }
            registrations.sort_unstable();
            updates.sort_unstable();
            prop_assert!(is_granted(REGISTRATIONS, &registrations), "{registrations:?}");
            prop_assert!(is_granted(UPDATES, &updates), "{updates:?}");
        }

        #[test]
        fn no_call_is_made_later_than_the_bucket_demands(services in any_services()) {
            let (registrations, updates) = seconds(&plan(&services));
            for place in 0..registrations.len() {
                let mut sooner = registrations[..=place].to_vec();
                if sooner[place] > 0 {
                    sooner[place] -= 1;
                    prop_assert!(!is_granted(REGISTRATIONS, &sooner), "{sooner:?}");
                }
            }
            for place in 0..updates.len() {
                let mut sooner: Vec<u32> = updates[..=place].iter().map(|(_, updated)| *updated).collect();
                if sooner[place] > updates[place].0 {
                    sooner[place] -= 1;
                    // A call that is made sooner than the one before it has overtaken it.
                    let is_overtaking = place > 0 && sooner[place] < sooner[place - 1];
                    prop_assert!(is_overtaking || !is_granted(UPDATES, &sooner), "{sooner:?}");
                }
            }
        }

        #[test]
        fn what_has_begun_is_finished_before_another_is_begun(services in any_services()) {
            let plan = plan(&services);
            let due = |revision: &PlannedRevision| -> Vec<u32> {
                revision.services.iter().map(|service| service.after.max(revision.after)).collect()
            };
            for (place, revision) in plan.iter().enumerate() {
                let last_of_it = last(&due(revision));
                let later = plan[place + 1..].iter().flat_map(due);
                prop_assert!(later.min().is_none_or(|first| first >= last_of_it), "{plan:?}");
            }
        }

        #[test]
        fn eighteen_revisions_and_48_services_never_wait(services in proptest::collection::vec(0_usize..5, 0..=18)) {
            let few = services.iter().sum::<usize>() <= 48;
            let (registrations, updates) = seconds(&plan(&services));
            prop_assert_eq!(last(&registrations), 0);
            prop_assert!(!few || updates.iter().all(|(_, updated)| *updated == 0));
        }
    }
}
