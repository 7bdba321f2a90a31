//! A permit says whether a push may move a service: by the tags of the service when the push's execution looked for services.

use crate::aftermath::{Aftermath, Execution, Found, Machine, ServiceId};
use crate::push::PushId;
use crate::stages::{Owner, Stage, is_held, owner};

/// For how many milliseconds reads may show a service as it was before: no storm lets them do so for longer.
const STALE: i64 = 6_500;

/// The answer to the question if a push may move a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Permit {
    /// Its stage took the tag, and nothing held it, all the while.
    Given,
    /// The service's tags changed while the execution read.
    Unsettled,
    /// Why not.
    Refused(String),
}

impl Permit {
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Why not, if not.
    pub(super) fn refusal(self) -> Option<String> {
        match self {
            Self::Refused(why) => Some(why),
            Self::Given | Self::Unsettled => None,
        }
    }
}

/// The stages that may have owned a service while an execution read; `None` for none.
pub(super) fn owners<'a>(aftermath: &'a Aftermath, id: &ServiceId, found: &Found) -> Vec<Option<&'a Stage>> {
    let states = aftermath.tags_during(id, found.from - STALE, found.to);
    let owners = states
        .iter()
        .map(|tags| match owner(aftermath.stages(), &id.cluster, tags) {
            Owner::Stage(stage) => Some(stage),
            Owner::Nobody => None,
        });
    owners.collect()
}

/// Returns if a push under this tag may move a service, where its execution read at that time.
pub(super) fn permit(aftermath: &Aftermath, id: &ServiceId, tag: &str, found: &Found) -> Permit {
    let states = aftermath.tags_during(id, found.from - STALE, found.to);
    let refused = states
        .iter()
        .zip(owners(aftermath, id, found))
        .filter_map(|(tags, owner)| match owner {
            None => Some("it is of no stage".to_owned()),
            Some(stage) if !stage.takes(tag) => Some(format!("its stage {} does not take {tag}", stage.name)),
            Some(_) if is_held(tags, found.from) => Some("it was on hold".to_owned()),
            Some(_) => None,
        });
    let refused: Vec<String> = refused.collect();
    match refused.first() {
        _ if is_all_held(aftermath, found) => Permit::Refused("everything was on hold".to_owned()),
        None if may_be_all_held(aftermath, id, found) => Permit::Unsettled,
        None => Permit::Given,
        Some(why) if refused.len() == states.len() => Permit::Refused(why.clone()),
        Some(_) => Permit::Unsettled,
    }
}

/// How long before it looks for services an execution may have read that everything is on hold, in milliseconds.
const BEFORE: i64 = 5_000;

/// True if everything was on hold when an execution read.
pub(super) fn is_all_held(aftermath: &Aftermath, found: &Found) -> bool {
    let held = aftermath.all_held.as_ref();
    held.is_some_and(|held| held.certainly_from <= found.from - BEFORE && found.to <= held.certainly_to)
}

/// True if everything may have been on hold when an execution read, or, for a service whose stage comes after another one, when
/// its update could be made.
fn may_be_all_held(aftermath: &Aftermath, id: &ServiceId, found: &Found) -> bool {
    let mut stages = owners(aftermath, id, found).into_iter().flatten();
    let to = if stages.any(|stage| stage.after.is_some()) {
        i64::MAX
    } else {
        found.to
    };
    let held = aftermath.all_held.as_ref();
    held.is_some_and(|held| held.perhaps_from <= to && found.from - BEFORE <= held.perhaps_to)
}

/// The executions of deploy-image of a push, each with its tag and with when it read: of several tags of one image, all.
pub(super) fn reads<'a>(
    aftermath: &'a Aftermath,
    repository: &str,
    push: &PushId,
) -> impl Iterator<Item = (&'a Execution, &'a str, &'a Found)> {
    aftermath.executions.iter().filter_map(move |it| {
        let (of, tag) = it.image.split_once(':')?;
        let is_of_push = it.machine == Machine::DeployImage && of == repository && it.push.as_ref() == Some(push);
        is_of_push.then_some((it, tag, it.found.as_ref()?))
    })
}

/// True if an execution of deploy-service says that its service is on hold, and that was so at some time until it ended.
pub(super) fn is_kept_by_hold(aftermath: &Aftermath, execution: &Execution) -> bool {
    let (Some("ON_HOLD"), Some(id)) = (execution.outcome(), &execution.service) else {
        return false;
    };
    let ended = execution.ended.unwrap_or(i64::MAX);
    let states = aftermath.tags_during(id, execution.started - STALE, ended);
    states.iter().any(|tags| is_held(tags, execution.started - STALE))
}

/// True if any execution of a push may have moved a service.
pub(super) fn may_move(aftermath: &Aftermath, id: &ServiceId, repository: &str, push: &PushId) -> bool {
    reads(aftermath, repository, push).any(|(_, tag, found)| !permit(aftermath, id, tag, found).is_refused())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, hold, production, web};
    use super::*;
    use crate::aftermath::AllHeld;
    use crate::stages::{STAGE_TAG, Tags};

    #[test]
    fn a_hold_counts_from_when_it_is_set_and_not_before_and_what_changes_meanwhile_is_unsettled() {
        // The execution of the third push reads from the second 30 to the second 31.
        let of_hold = |set: i64, lifted: Option<i64>| {
            let mut aftermath = calm();
            hold(&mut aftermath, set, lifted);
            let found = aftermath.executions[2].found.clone().unwrap();
            permit(&aftermath, &web(), "v3", &found)
        };
        assert_eq!(of_hold(31_001, None), Permit::Given);
        assert_eq!(of_hold(30_500, None), Permit::Unsettled);
        assert_eq!(of_hold(29_000, None), Permit::Unsettled, "reads may have been stale");
        assert!(of_hold(20_000, None).is_refused());
        assert!(of_hold(20_000, Some(31_001)).is_refused());
        assert_eq!(of_hold(20_000, Some(30_500)), Permit::Unsettled);
        assert_eq!(of_hold(10_000, Some(20_000)), Permit::Given);
    }

    #[test]
    fn a_hold_of_everything_refuses_what_reads_meanwhile_and_unsettles_what_reads_about_then() {
        // The execution of the third push reads from the second 30 to the second 31.
        let of_hold = |from: i64, to: i64, is_after_another: bool| {
            let mut aftermath = calm();
            production(&mut aftermath, &["v*"]);
            let stages = aftermath.stages.iter_mut().filter(|stage| stage.name == "production");
            stages.for_each(|stage| stage.after = is_after_another.then(|| "staging".to_owned()));
            aftermath.all_held = Some(AllHeld {
                perhaps_from: from - 1_000,
                certainly_from: from,
                certainly_to: to,
                perhaps_to: to + 1_000,
            });
            let found = aftermath.executions[2].found.clone().unwrap();
            permit(&aftermath, &web(), "v3", &found)
        };
        assert!(of_hold(25_000, 31_000, false).is_refused());
        assert_eq!(of_hold(25_001, 31_000, false), Permit::Unsettled);
        assert_eq!(of_hold(25_000, 30_999, false), Permit::Unsettled);
        assert_eq!(of_hold(32_001, 40_000, false), Permit::Given);
        assert_eq!(
            of_hold(32_001, 40_000, true),
            Permit::Unsettled,
            "its update comes later"
        );
        assert_eq!(of_hold(10_000, 23_999, true), Permit::Given);
    }

    #[test]
    fn a_stage_refuses_what_it_does_not_take_and_a_service_of_no_stage_everything() {
        let mut aftermath = calm();
        production(&mut aftermath, &["v*", "!v3"]);
        let found = aftermath.executions[2].found.clone().unwrap();
        let permit_of = |aftermath: &Aftermath, tag| permit(aftermath, &web(), tag, &found);
        assert_eq!(permit_of(&aftermath, "v2"), Permit::Given);
        assert!(permit_of(&aftermath, "v3").is_refused());
        aftermath.before.services[0].tags = serde_json::json!([{"key": STAGE_TAG, "value": "off"}]);
        assert!(permit_of(&aftermath, "v2").is_refused());
        assert!(!aftermath.tags_during(&web(), 0, 0).contains(&Tags::new()));
    }
}
