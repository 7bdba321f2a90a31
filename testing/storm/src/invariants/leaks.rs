//! Revisions: one for each (revision in use, push), and none taken away.

use super::Violation;
use crate::aftermath::{Aftermath, Deployment, Revision, Service, ServiceId, short};
use crate::stages::{Owner, Stage, owner};
use std::collections::BTreeMap;

const LEAK: &str =
    "at most one new revision for each task definition in use and push, but for what is sent at one moment";
const AGREED: &str = "of duplicates the lowest is deployed, by all";
/// How many of the newest revisions of a family are searched for one that is there already.
const LOOKED_BACK: u32 = 10;
/// For how many milliseconds a registration whose answer is lost, or that waits for its slot, may be sent by one attempt.
const ONE_MOMENT: i64 = 5 * 60 * 1000;
const GONE: &str = "no revision is deregistered by us";

/// - Of the revisions that were made from one revision for one push there is one, and one that was made from it to roll
///   back another one. After ten other registrations of the family there may be one more: so far back a redrive looks for
///   the one that there is. Those that are registered at one moment are duplicates of each other: they stay.
/// - Of duplicates no service is moved by us to another than the lowest that can be used.
/// - No revision is deregistered, unless somebody else did that.
pub(super) fn no_revision_leaks(aftermath: &Aftermath) -> Vec<Violation> {
    let mut made: BTreeMap<[String; 3], Vec<&Revision>> = BTreeMap::new();
    for revision in &aftermath.after.revisions {
        let Some(source) = revision.source() else {
            continue;
        };
        let what_for = match revision.rolled_back() {
            // Two pushes that came in with one revision may each be pinned to what was there before.
            Some(rolled_back) => {
                let images: Vec<&str> = revision.images().collect();
                format!("the rollback of {rolled_back}, with {}", images.join(", "))
            }
            None => made_for(aftermath, revision),
        };
        let key = [revision.family.clone(), source.to_owned(), what_for];
        made.entry(key).or_default().push(revision);
    }
    let is_leak = |pair: &[&Revision]| {
        pair.iter().all(|revision| revision.active)
            && pair[1].number - pair[0].number < LOOKED_BACK
            && pair[1].registered_at - pair[0].registered_at > ONE_MOMENT
            && !aftermath
                .stages()
                .iter()
                .any(|stage| needs_own(stage, pair[0], pair[1]))
    };
    let leaks = made.iter().filter(|(_, revisions)| revisions.windows(2).any(is_leak));
    let leaks = leaks.map(|([_, source, what_for], revisions)| {
        let names: Vec<String> = revisions.iter().map(|revision| revision.name()).collect();
        Violation::general(LEAK, format!("{} from {source} for {what_for}", names.join(" and ")))
    });
    let disagreed = made.values().flat_map(|revisions| not_agreed(aftermath, revisions));
    let gone = aftermath.after.revisions.iter();
    let gone = gone.filter(|revision| !revision.active && !is_cleaned_up(aftermath, revision));
    leaks
        .chain(disagreed)
        .chain(gone.map(|revision| Violation::general(GONE, revision.name())))
        .collect()
}

/// Where a service was moved to one of these duplicates, lowest first, though a lower one could be used.
///
/// Two tags of one digest make duplicates that differ in the tag. Only a service that ran their source could have either: one that
/// ran a third revision keeps the tag that it has there. And only where its stage takes the tag of the lower one, too.
fn not_agreed(aftermath: &Aftermath, duplicates: &[&Revision]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for pair in duplicates.windows(2) {
        let [lower, higher] = pair else { continue };
        let is_near = higher.number - lower.number < LOOKED_BACK;
        for service in aftermath.after.services.iter().filter(|_| is_near) {
            let id = service.id();
            let was_usable = |rollout: &&Deployment| lower.deregistered_at.is_none_or(|at| at > rollout.created_at);
            let mut to_higher = service
                .history
                .iter()
                .filter(|rollout| short(&rollout.task_definition) == higher.name());
            // Where somebody else has brought a service to a duplicate, that may be what it goes back to.
            let first = to_higher.next().filter(was_usable);
            let is_one_document = lower.images().eq(higher.images());
            let is_own = |first: &Deployment| {
                let all_tags = aftermath.tags_during(&id, 0, first.created_at);
                let owners = all_tags.iter().map(|tags| owner(aftermath.stages(), &id.cluster, tags));
                let mut its_stages = owners.filter_map(|owner| match owner {
                    Owner::Stage(stage) => Some(stage),
                    Owner::Nobody => None,
                });
                its_stages.any(|stage| needs_own(stage, lower, higher))
            };
            let could_have_either = |first: &Deployment| {
                is_one_document || (ran_before(service, first) == higher.source() && !is_own(first))
            };
            if first.is_some_and(|first| is_ours(aftermath, &id, first) && could_have_either(first)) {
                let what = format!("it was moved to {}, a duplicate of {}", higher.name(), lower.name());
                violations.push(Violation::of_service(AGREED, id, what));
            }
        }
    }
    violations
}

/// True if a stage takes the tag by which the higher of two duplicates names an image, and not that of the lower one: its services
/// would follow a tag that is not theirs.
fn needs_own(stage: &Stage, lower: &Revision, higher: &Revision) -> bool {
    let tag = |image: &str| image.rsplit_once(':').map(|(_, tag)| tag.to_owned());
    let mut images = lower.images().zip(higher.images()).filter(|(one, other)| one != other);
    images.any(|(one, other)| match (tag(one), tag(other)) {
        (Some(lower), Some(higher)) => stage.takes(&higher) && !stage.takes(&lower),
        _ => false,
    })
}

/// The revision that a service was on before a rollout, as `family:revision`.
fn ran_before<'a>(service: &'a Service, rollout: &Deployment) -> Option<&'a str> {
    let earlier = service.history.iter().filter(|it| it.created_at < rollout.created_at);
    let last = earlier.max_by_key(|it| it.created_at)?;
    Some(short(&last.task_definition))
}

fn is_ours(aftermath: &Aftermath, id: &ServiceId, rollout: &Deployment) -> bool {
    !aftermath.is_of_others(id, rollout)
}

fn made_for(aftermath: &Aftermath, revision: &Revision) -> String {
    let new = aftermath.made_for(revision).into_iter();
    let new: Vec<String> = new.map(|(repository, push)| format!("{repository} {push}")).collect();
    new.join(", ")
}

/// True if somebody else deregistered it.
fn is_cleaned_up(aftermath: &Aftermath, revision: &Revision) -> bool {
    let name = revision.name();
    let mut others = aftermath.others.iter().filter(|deed| deed.is_done());
    others.any(|deed| deed.operation == "DeregisterTaskDefinition" && deed.request["taskDefinition"] == *name)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, deed, pushed, rollout, tag};
    use super::*;
    use crate::aftermath::Deed;
    use serde_json::json;

    /// A second revision like `web:3`, registered long after it.
    fn second() -> Revision {
        Revision {
            number: 4,
            registered_at: pushed(3).registered_at + ONE_MOMENT + 1,
            ..pushed(3)
        }
    }

    fn found_with(revisions: &[Revision]) -> usize {
        let mut aftermath = calm();
        aftermath.after.revisions.extend(revisions.iter().cloned());
        no_revision_leaks(&aftermath).len()
    }

    #[test]
    fn two_revisions_for_one_push_or_one_rollback_are_found_unless_they_are_of_one_moment() {
        let found = |revision| found_with(&[revision]);
        assert_eq!(found(second()), 1);
        let later = |number| Revision { number, ..second() };
        assert_eq!([found(later(12)), found(later(13))], [1, 0]);
        let duplicate = Revision {
            registered_at: pushed(3).registered_at + ONE_MOMENT,
            ..second()
        };
        assert_eq!(found(duplicate), 0);
        let mut pinned = pushed(3);
        pinned.number = 4;
        pinned.tags.push(tag("ecr-deploy:rolled-back", "web:3"));
        assert_eq!(found(pinned.clone()), 0);
        let again = Revision {
            number: 5,
            registered_at: second().registered_at,
            ..pinned.clone()
        };
        assert_eq!(found_with(&[pinned.clone(), again.clone()]), 1);
        let mut of_another = again.clone();
        of_another.tags.retain(|tag| tag.key != "ecr-deploy:rolled-back");
        of_another.tags.push(tag("ecr-deploy:rolled-back", "web:2"));
        assert_eq!(found_with(&[pinned.clone(), of_another]), 0);
        let mut other_contents = again;
        other_contents.document["containerDefinitions"][1]["image"] = "public.ecr.aws/log@sha256:1".into();
        assert_eq!(found_with(&[pinned, other_contents]), 0);
        let mut of_another_source = second();
        of_another_source.tags.retain(|tag| tag.key != "ecr-deploy:source");
        of_another_source.tags.push(tag("ecr-deploy:source", "web:1"));
        assert_eq!(found(of_another_source), 0);
    }

    #[test]
    fn a_service_that_is_moved_to_a_duplicate_which_is_not_the_lowest_is_found_unless_somebody_else_did_that() {
        let mut aftermath = calm();
        let lower = aftermath.after.revisions.remove(2);
        aftermath.after.revisions.push(lower.clone());
        aftermath.after.revisions.push(Revision { number: 4, ..lower });
        assert_eq!(no_revision_leaks(&aftermath), []);
        let moved = rollout(4, 3, "SUCCESSFUL");
        aftermath.after.services[0].history[2] = moved.clone();
        assert_eq!(no_revision_leaks(&aftermath).len(), 1);
        let mut of_another_tag = aftermath.clone();
        of_another_tag.after.revisions[3].document["containerDefinitions"][0]["image"] = "web:release".into();
        assert_eq!(no_revision_leaks(&of_another_tag).len(), 1, "it ran the source of both");
        for (rules, found) in [(["release", "v*"], 0), (["release", "*"], 1), (["v*", "main"], 1)] {
            let mut of_stage = of_another_tag.clone();
            of_stage.stages = vec![Stage {
                tags: rules.map(str::to_owned).to_vec(),
                ..crate::stages::all()
            }];
            of_stage.after.revisions[2].document["containerDefinitions"][0]["image"] = "web:main".into();
            assert_eq!(no_revision_leaks(&of_stage).len(), found, "{rules:?}");
        }
        of_another_tag.after.services[0].history[1] = rollout(1, 2, "SUCCESSFUL");
        assert_eq!(no_revision_leaks(&of_another_tag), [], "it ran a third revision");
        let mut lower_was_gone = aftermath.clone();
        lower_was_gone.after.revisions[2].deregistered_at = Some(moved.created_at);
        assert_eq!(no_revision_leaks(&lower_was_gone), []);
        aftermath
            .others
            .push(deed(moved.created_at, &json!({"taskDefinition": "web:4"})));
        assert_eq!(no_revision_leaks(&aftermath), []);
    }

    #[test]
    fn a_deregistered_revision_is_found_unless_somebody_else_did_that() {
        for place in 0..3 {
            let mut aftermath = calm();
            aftermath.after.revisions[place].active = false;
            assert_eq!(no_revision_leaks(&aftermath).len(), 1, "web:{}", place + 1);
            let cleaned_up = Deed {
                operation: "DeregisterTaskDefinition".to_owned(),
                request: json!({"taskDefinition": format!("web:{}", place + 1)}),
                ..deed(50_000, &json!({}))
            };
            let refused = Deed {
                error: Some("ClientException".to_owned()),
                ..cleaned_up.clone()
            };
            aftermath.others.push(refused);
            assert_eq!(no_revision_leaks(&aftermath).len(), 1, "web:{}", place + 1);
            aftermath.others.push(cleaned_up);
            assert_eq!(no_revision_leaks(&aftermath), [], "web:{}", place + 1);
        }
        let mut unused = pushed(3);
        unused.number = 4;
        unused.active = false;
        assert_eq!(found_with(&[unused]), 1, "nor one that nobody needs");
    }
}
