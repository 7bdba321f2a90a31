//! Revisions: one for each (revision in use, push), and none taken away that anybody needs.

use super::Violation;
use crate::storm::aftermath::{Aftermath, Revision, short};
use std::collections::BTreeMap;

const LEAK: &str = "at most one new revision for each task definition in use and push";
/// How many of the newest revisions of a family are searched for one that is there already.
const LOOKED_BACK: u32 = 10;
const GONE: &str = "no revision is deregistered that is or was in use";

/// - Of the ACTIVE revisions that were made from one revision for one push there is one, and one that was made from it to roll
///   back another one. After ten other registrations of the family there may be one more: so far back a redrive looks for
///   the one that there is.
/// - A revision that was there before, or that a service was ever moved to, is not deregistered, unless somebody else did that.
pub(super) fn no_revision_leaks(aftermath: &Aftermath) -> Vec<Violation> {
    let mut made: BTreeMap<[String; 3], Vec<&Revision>> = BTreeMap::new();
    for revision in aftermath.after.revisions.iter().filter(|revision| revision.active) {
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
    let is_near = |pair: &[&Revision]| pair[1].number - pair[0].number < LOOKED_BACK;
    let doubled = made
        .into_iter()
        .filter(|(_, revisions)| revisions.windows(2).any(is_near));
    let doubled = doubled.map(|([_, source, what_for], revisions)| {
        let names: Vec<String> = revisions.into_iter().map(Revision::name).collect();
        Violation::general(LEAK, format!("{} from {source} for {what_for}", names.join(" and ")))
    });
    let gone = aftermath
        .after
        .revisions
        .iter()
        .filter(|revision| !revision.active && is_needed(aftermath, revision))
        .filter(|revision| !is_cleaned_up(aftermath, revision));
    doubled
        .chain(gone.map(|revision| Violation::general(GONE, revision.name())))
        .collect()
}

fn made_for(aftermath: &Aftermath, revision: &Revision) -> String {
    let new = aftermath.made_for(revision).into_iter();
    let new: Vec<String> = new.map(|(repository, push)| format!("{repository} {push}")).collect();
    new.join(", ")
}

/// Whether somebody else deregistered it.
fn is_cleaned_up(aftermath: &Aftermath, revision: &Revision) -> bool {
    let name = revision.name();
    let mut others = aftermath.others.iter().filter(|deed| deed.is_done());
    others.any(|deed| deed.operation == "DeregisterTaskDefinition" && deed.request["taskDefinition"] == *name)
}

fn is_needed(aftermath: &Aftermath, revision: &Revision) -> bool {
    let name = revision.name();
    let histories = aftermath.after.services.iter().flat_map(|service| &service.history);
    aftermath.before.revision(&name).is_some()
        || histories
            .into_iter()
            .any(|rollout| short(&rollout.task_definition) == name)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, deed, pushed, tag};
    use super::*;
    use crate::storm::aftermath::Deed;
    use serde_json::json;

    /// A second revision like `web:3`.
    fn doubled() -> Revision {
        Revision { number: 4, ..pushed(3) }
    }

    #[test]
    fn two_revisions_for_one_push_or_one_rollback_are_found_unless_one_is_deregistered() {
        let found_with = |revisions: &[Revision]| {
            let mut aftermath = calm();
            aftermath.after.revisions.extend(revisions.iter().cloned());
            no_revision_leaks(&aftermath).len()
        };
        let found = |revision| found_with(&[revision]);
        assert_eq!(found(doubled()), 1);
        let far_later = |number| Revision { number, ..doubled() };
        assert_eq!([found(far_later(12)), found(far_later(13))], [1, 0]);
        let mut withdrawn = doubled();
        withdrawn.active = false;
        assert_eq!(found(withdrawn), 0);
        let mut pinned = doubled();
        pinned.tags.push(tag("ecr-deploy:rolled-back", "web:3"));
        assert_eq!(found(pinned.clone()), 0);
        let again = Revision {
            number: 5,
            ..pinned.clone()
        };
        assert_eq!(found_with(&[pinned.clone(), again.clone()]), 1);
        let mut of_another = again.clone();
        of_another.tags.retain(|tag| tag.key != "ecr-deploy:rolled-back");
        of_another.tags.push(tag("ecr-deploy:rolled-back", "web:2"));
        assert_eq!(found_with(&[pinned.clone(), of_another]), 0);
        let mut other_bits = again;
        other_bits.document["containerDefinitions"][1]["image"] = "public.ecr.aws/log@sha256:1".into();
        assert_eq!(found_with(&[pinned, other_bits]), 0);
        let mut of_another_source = doubled();
        of_another_source.tags.retain(|tag| tag.key != "ecr-deploy:source");
        of_another_source.tags.push(tag("ecr-deploy:source", "web:1"));
        assert_eq!(found(of_another_source), 0);
    }

    #[test]
    fn a_deregistered_revision_that_was_there_before_or_that_a_service_was_on_is_found() {
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
    }
}
