//! Decides if the next wave of a push may begin, and tells the services of the waves that may not.

use super::{counted, is_held};
use ecr_deploy::contract::{NextWave, ServiceResult, SkipReason, Skipped, Wave, WaveDue};
use ecr_deploy::domain::service::title;
use ecr_deploy::domain::stage::StageName;
use jiff::Timestamp;

/// Says whether a wave that is due may begin: not while everything is on hold. Nor do those behind it then.
#[must_use]
pub fn next_wave(due: WaveDue, now: Timestamp) -> NextWave {
    match due.hold.reason(now) {
        None => NextWave {
            later: due.later,
            skipped: Vec::new(),
        },
        Some(reason) => {
            let held = |wave: &Wave| skipped_wave(wave, SkipReason::AllOnHold, reason.clone());
            NextWave {
                skipped: due.later.iter().map(held).collect(),
                later: Vec::new(),
            }
        }
    }
}

/// A wave that is not reached, since a service of a wave `before` it does not run the image: another deployment took over there, and
/// that is the one to go on; or it was put on hold.
pub(super) fn not_reached(wave: &Wave, before: &ServiceResult) -> Skipped {
    let title = title(&before.cluster, &before.service);
    let message = if is_held(before) {
        format!("not reached: {title} was put on hold before it was moved to the image")
    } else {
        format!("not reached: another deployment took over {title} before it was stable on the image")
    };
    skipped_wave(wave, SkipReason::NotReached, message)
}

/// One entry for all that a wave holds.
fn skipped_wave(wave: &Wave, reason: SkipReason, message: String) -> Skipped {
    let count: usize = wave
        .revisions
        .iter()
        .map(|revision| revision.services.len().max(1))
        .sum();
    Skipped {
        resource: format!("{} of {}", size(wave), stages(wave)),
        reason,
        message,
        count: u32::try_from(count).unwrap_or(u32::MAX),
    }
}

/// The names of a wave's stages: "canary and production".
pub(super) fn stages(wave: &Wave) -> String {
    let names: Vec<&str> = wave.stages.iter().map(StageName::as_str).collect();
    names.join(" and ")
}

/// How many services and families a wave holds: "2 services".
pub(super) fn size(wave: &Wave) -> String {
    let services: usize = wave.revisions.iter().map(|revision| revision.services.len()).sum();
    let families = wave
        .revisions
        .iter()
        .filter(|revision| revision.services.is_empty())
        .count();
    let services = (services > 0).then(|| counted(services, "service", "services"));
    let families = (families > 0).then(|| counted(families, "family", "families"));
    let parts: Vec<String> = services.into_iter().chain(families).collect();
    parts.join(" and ")
}
