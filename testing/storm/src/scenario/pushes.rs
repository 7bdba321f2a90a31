//! The pushes, their times, and the times at which anybody hears of them.

use super::{SIDECARS, app_repository, happens, weighted};
use crate::stages::version;
use fastrand::Rng;
use serde::Serialize;
use simulated_ecs::Behaviour;
use std::collections::{BTreeMap, BTreeSet};

/// A push to be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Push {
    /// When, in milliseconds since the storm began.
    pub(crate) at: i64,
    /// The number of its image, which several pushes of one repository have in common where they only tag it.
    pub(crate) image: usize,
    pub(crate) repository: String,
    pub(crate) tag: String,
    /// The behaviour of its tasks.
    pub(crate) behaviour: Behaviour,
    /// How many milliseconds later its event is delivered: once for each.
    pub(crate) deliveries: Vec<i64>,
}

/// Each behaviour, and how many of a hundred pushes have it. `Once` keeps a service for a minute.
pub(super) const BEHAVIOURS: [(u32, Behaviour); 11] = [
    (54, Behaviour::Good),
    (8, Behaviour::Crash),
    (7, Behaviour::ExitEarly),
    (4, Behaviour::CrashLater),
    (5, Behaviour::Unhealthy),
    (6, Behaviour::Nopull),
    (4, Behaviour::Noplace),
    (4, Behaviour::Slow),
    (4, Behaviour::Oom),
    (2, Behaviour::Once),
    (2, Behaviour::Alarm),
];

/// Makes of a storm's seed that of what is drawn about sweeps: all else is drawn as it was without them.
pub(super) const OF_SWEEPS: u64 = 0x5eeb;

/// Within how many milliseconds a pipeline puts all tags on an image.
pub(super) const TAGGING: i64 = 2_000;

/// One to three pushes to each repository, one or two to each sidecar's, at any time up to `length`; some of them under
/// several tags.
pub(super) fn pushes(rng: &mut Rng, repositories: usize, length: i64) -> Vec<Push> {
    let mut pushes = Vec::new();
    for number in 0..repositories {
        let repository = app_repository(number);
        for _ in 0..rng.usize(1..=3) {
            pushes.push(push(rng, &repository, length));
        }
    }
    for repository in SIDECARS {
        for _ in 0..rng.usize(1..=2) {
            pushes.push(push(rng, repository, length));
        }
    }
    for (image, push) in pushes.iter_mut().enumerate() {
        push.image = image;
    }
    let tags: Vec<Push> = pushes.iter().flat_map(|push| more_tags(rng, push, &pushes)).collect();
    pushes.extend(tags);
    pushes.sort_by_key(|push| push.at);
    for (number, push) in pushes.iter_mut().enumerate() {
        // A mutable tag is pushed again and again; a version once.
        if push.tag.is_empty() {
            push.tag = format!("v{}", number + 2);
        }
    }
    pushes
}

/// The same image under more tags, mostly in the same second. Not where another image of the repository comes meanwhile: that
/// makes two pushes of it.
fn more_tags(rng: &mut Rng, first: &Push, all: &[Push]) -> Vec<Push> {
    let meanwhile = first.at - 2 * TAGGING..=first.at + 2 * TAGGING;
    let is_between = |other: &Push| {
        other.image != first.image && other.repository == first.repository && meanwhile.contains(&other.at)
    };
    if !happens(rng, 35) || all.iter().any(is_between) {
        return Vec::new();
    }
    let mut tags = vec!["", "", "main", "release", "latest"];
    tags.retain(|tag| tag.is_empty() || *tag != first.tag);
    rng.shuffle(&mut tags);
    tags.truncate(rng.usize(1..=3));
    let tagged = tags.into_iter().map(|tag| Push {
        at: first.at + if rng.bool() { 0 } else { rng.i64(0..TAGGING) },
        tag: tag.to_owned(),
        deliveries: deliveries(rng),
        ..first.clone()
    });
    tagged.collect()
}

/// Pushes some tags of good images once more, to another good image, before anybody deploys the first; its own event comes late. Not a version, and
/// not one of several tags of an image, between which no other image comes.
pub(super) fn pushed_over(rng: &mut Rng, pushes: &mut Vec<Push>) {
    let next = pushes.iter().map(|push| push.image).max().unwrap_or_default() + 1;
    let is_near = |push: &Push, other: &Push| {
        other.image != push.image && other.repository == push.repository && (push.at - other.at).abs() <= 3 * TAGGING
    };
    let alone = pushes.iter().filter(|push| {
        let tags = pushes.iter().filter(|other| other.image == push.image);
        push.behaviour == Behaviour::Good
            && tags.count() == 1
            && version(&push.tag).is_none()
            && !pushes.iter().any(|other| is_near(push, other))
    });
    let over: Vec<Push> = alone.filter(|_| happens(rng, 30)).cloned().collect();
    pushes.extend((next..).zip(over).map(|(image, first)| Push {
        at: first.at + rng.i64(50..1_200),
        image,
        behaviour: Behaviour::Good,
        deliveries: vec![rng.i64(12_000..25_000)],
        ..first
    }));
    pushes.sort_by_key(|push| push.at);
}

/// Decides whether a storm has sweeps. If it has, the events of some images are lost, for all of their tags: often those of the last
/// image of a repository. An image that a new tag may promote is always heard of.
pub(super) fn lose_events(rng: &mut Rng, pushes: &mut [Push]) -> bool {
    let sweeps = happens(rng, 70);
    if sweeps {
        let last: BTreeMap<&str, usize> = pushes
            .iter()
            .map(|push| (push.repository.as_str(), push.image))
            .collect();
        let last: BTreeSet<usize> = last.into_values().collect();
        let mut all: BTreeSet<usize> = pushes.iter().map(|push| push.image).collect();
        for push in pushes.iter().filter(|push| push.tag.starts_with("main")) {
            all.remove(&push.image);
        }
        let is_lost = |image: &usize| happens(rng, if last.contains(image) { 35 } else { 10 });
        let unheard: BTreeSet<usize> = all.into_iter().filter(is_lost).collect();
        for push in pushes.iter_mut().filter(|push| unheard.contains(&push.image)) {
            push.deliveries.clear();
        }
    }
    sweeps
}

fn push(rng: &mut Rng, repository: &str, length: i64) -> Push {
    let tags = [(60, ""), (30, "main"), (5, "release"), (5, "latest")];
    let deliveries = deliveries(rng);
    Push {
        at: rng.i64(0..length),
        image: 0,
        repository: repository.to_owned(),
        tag: weighted(rng, &tags).unwrap_or_default().to_owned(),
        behaviour: weighted(rng, &BEHAVIOURS).unwrap_or_default(),
        deliveries,
    }
}

/// Mostly one, soon.
pub(super) fn deliveries(rng: &mut Rng) -> Vec<i64> {
    let first = if happens(rng, 15) {
        rng.i64(3_000..25_000)
    } else {
        rng.i64(50..600)
    };
    let mut deliveries = vec![first];
    while happens(rng, 15) {
        deliveries.push(if rng.bool() {
            first
        } else {
            first + rng.i64(100..15_000)
        });
    }
    deliveries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_one_image_come_within_two_seconds_and_no_other_image_of_the_repository_between_them() {
        let mut sizes = BTreeSet::new();
        for seed in 0..50 {
            let pushes = pushes(&mut Rng::with_seed(seed), 5, 36_000);
            for first in &pushes {
                let of_image = pushes.iter().filter(|push| push.image == first.image);
                let of_image: Vec<&Push> = of_image.collect();
                let tags: BTreeSet<&str> = of_image.iter().map(|push| push.tag.as_str()).collect();
                assert_eq!(tags.len(), of_image.len(), "{seed}: {of_image:?}");
                let [begin, .., end] = of_image[..] else { continue };
                assert!(end.at - begin.at < TAGGING, "{seed}: {of_image:?}");
                let between = pushes.iter().filter(|push| (begin.at..=end.at).contains(&push.at));
                let mut of_repository = between.filter(|push| push.repository == first.repository);
                assert!(
                    of_repository.all(|push| push.image == first.image),
                    "{seed}: {of_image:?}"
                );
                sizes.insert((of_image.len(), begin.at == end.at));
            }
        }
        let wanted = (2..=4).flat_map(|tags| [(tags, false), (tags, true)]);
        assert!(wanted.into_iter().all(|size| sizes.contains(&size)), "{sizes:?}");
    }
}
