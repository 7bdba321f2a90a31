//! What is pushed, when, and when anybody hears of it.

use super::{SIDECARS, app_repository, happens, weighted};
use fastrand::Rng;
use serde::Serialize;
use simulated_ecs::Behaviour;

/// A push to be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Push {
    /// When, in milliseconds since the storm began.
    pub(crate) at: i64,
    pub(crate) repository: String,
    pub(crate) tag: String,
    /// What its tasks do.
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

/// One to three pushes to each repository, one or two to each sidecar's, at any time up to `length`.
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
    pushes.sort_by_key(|push| push.at);
    for (number, push) in pushes.iter_mut().enumerate() {
        // A mutable tag is pushed again and again; a version once.
        if push.tag.is_empty() {
            push.tag = format!("v{}", number + 2);
        }
    }
    pushes
}

fn push(rng: &mut Rng, repository: &str, length: i64) -> Push {
    let tags = [(60, ""), (30, "main"), (5, "release"), (5, "latest")];
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
    Push {
        at: rng.i64(0..length),
        repository: repository.to_owned(),
        tag: weighted(rng, &tags).unwrap_or_default().to_owned(),
        behaviour: weighted(rng, &BEHAVIOURS).unwrap_or_default(),
        deliveries,
    }
}
