//! Never two winners: a push, a rollback and somebody else's apply end on one document that somebody meant.

use super::Violation;
use super::newest::goes_back_with_another;
use super::permits::is_kept_by_hold;
use super::untouched::without_images;
use crate::aftermath::{Aftermath, Deed, Execution, Revision, Service};
use crate::push::PushId;
use std::collections::BTreeMap;

const DOCUMENT: &str = "a service ends on a document that somebody meant";
const IMAGE: &str =
    "a service ends on the newest image that came to it, or a red execution or somebody's own move says why";

/// - The document of a service's last revision, but for images, is the one that its line of revisions began with: one from before
///   the storm or one that somebody else registered.
/// - For each repository, the service is on the newest push that an execution of deploy-service brought it, or on its digest. Or
///   the last end of that execution is red, or says that the service was on hold, and it was; or somebody else moved the service since it began; or the push goes back with
///   one of another repository, whose execution is red.
pub(super) fn there_is_one_winner(aftermath: &Aftermath) -> Vec<Violation> {
    let services = aftermath.after.services.iter();
    let ours = services.filter(|service| service.is_active() && service.is_deployed_by_ecs());
    ours.flat_map(|service| {
        let Some(on) = aftermath.after.revision(&service.task_definition) else {
            return Vec::new();
        };
        let document = of_nobody(aftermath, on);
        let document = document.map(|what| Violation::of_service(DOCUMENT, service.id(), what));
        document.into_iter().chain(lost(aftermath, service, on)).collect()
    })
    .collect()
}

/// In which way a revision is not of a document that somebody meant, if so.
fn of_nobody(aftermath: &Aftermath, on: &Revision) -> Option<String> {
    let mut first = on;
    // A line is no longer than there are revisions.
    for _ in &aftermath.after.revisions {
        let Some(source) = first.source() else { break };
        let Some(source) = aftermath.after.revision(source) else {
            return Some(format!("{} was made from {source}, which is not there", first.name()));
        };
        first = source;
    }
    let registers = |deed: &Deed| {
        deed.is_done() && deed.operation == "RegisterTaskDefinition" && deed.request["family"] == *first.family
    };
    let is_meant = aftermath.before.revision(&first.name()).is_some() || aftermath.others.iter().any(registers);
    if !is_meant || first.source().is_some() {
        return Some(format!(
            "nobody registered {}, from which {} was made",
            first.name(),
            on.name()
        ));
    }
    (without_images(on) != without_images(first))
        .then(|| format!("{} differs from {} in more than images", on.name(), first.name()))
}

/// The newest push of a repository, and the end of its execution that was the last.
type Newest<'a> = BTreeMap<&'a str, (&'a PushId, &'a Execution)>;

fn lost(aftermath: &Aftermath, service: &Service, on: &Revision) -> Vec<Violation> {
    let id = service.id();
    let mut newest: Newest<'_> = BTreeMap::new();
    for execution in aftermath
        .executions
        .iter()
        .filter(|it| it.service.as_ref() == Some(&id))
    {
        let (Some(push), Some((repository, _))) = (&execution.push, execution.image.split_once(':')) else {
            continue;
        };
        let is_newer = |(known, last): &(&PushId, &Execution)| (*known, last.ended) <= (push, execution.ended);
        if newest.get(repository).is_none_or(is_newer) {
            newest.insert(repository, (push, execution));
        }
    }
    let wrong = newest.into_iter().filter(|(repository, (push, execution))| {
        let mut pushes = aftermath.pushes.iter().filter(|it| it.repository == *repository);
        let digest = pushes.find(|it| it.id == **push).map(|it| it.digest.as_str());
        let is_on = on.push_of(repository).is_some_and(|now| now >= **push)
            || digest.is_some() && on.digest_of(repository) == digest;
        let begun = aftermath.executions_of(&id).filter(|it| it.push.as_ref() == Some(push));
        let begun = begun.map(|it| it.started).min().unwrap_or(execution.started);
        let moves = |deed: &Deed| deed.request.get("taskDefinition").is_some() && deed.at >= begun;
        !is_on
            && !execution.is_red()
            && !is_kept_by_hold(aftermath, execution)
            && !aftermath.deeds_on(&id).any(moves)
            && !goes_back_with_another(aftermath, service, repository, push)
    });
    wrong
        .map(|(_, (push, execution))| {
            let what = format!("it is on {}, without {} ({push})", on.name(), execution.image);
            Violation {
                execution: Some(execution.name.clone()),
                ..Violation::of_service(IMAGE, service.id(), what)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ROLLED_BACK, calm, deed, digest, hold, plain, red, rolled_back, tag};
    use super::*;
    use serde_json::json;

    fn found(change: impl FnOnce(&mut Aftermath)) -> usize {
        let mut aftermath = calm();
        change(&mut aftermath);
        there_is_one_winner(&aftermath).len()
    }

    fn end_on(aftermath: &mut Aftermath, revision: u32) {
        aftermath.after.services[0].task_definition = format!("task-definition/web:{revision}");
    }

    #[test]
    fn a_document_that_nobody_meant_is_found() {
        assert_eq!(there_is_one_winner(&calm()), []);
        assert_eq!(there_is_one_winner(&rolled_back()), []);
        let mixed = |it: &mut Aftermath| drop(it.after.revisions[2].document.insert("cpu".to_owned(), "512".into()));
        assert_eq!(found(mixed), 1);
        let on_another_line = |it: &mut Aftermath, registered: bool| {
            // `web:3` is made from a document that was not there before.
            let mut apply = plain(9, ":v1");
            apply.document.insert("memory".to_owned(), "1024".into());
            it.after.revisions[2]
                .document
                .insert("memory".to_owned(), "1024".into());
            it.after.revisions[2].tags.retain(|tag| tag.key != "ecr-deploy:source");
            it.after.revisions[2].tags.push(tag("ecr-deploy:source", "web:9"));
            it.after.revisions.push(apply);
            if registered {
                let mut deed = deed(25_000, &json!({"family": "web"}));
                deed.operation = "RegisterTaskDefinition".to_owned();
                it.others.push(deed);
            }
        };
        assert_eq!(found(|it| on_another_line(it, true)), 0);
        assert_eq!(found(|it| on_another_line(it, false)), 1);
        assert_eq!(
            found(|it| drop(it.after.revisions.remove(0))),
            1,
            "its line has no beginning"
        );
    }

    #[test]
    fn a_newest_image_that_is_gone_is_found_unless_something_says_why() {
        assert_eq!(found(|it| end_on(it, 2)), 1);
        let outcome = |it: &mut Aftermath, outcome: &str| {
            end_on(it, 2);
            it.executions[3].output = Some(json!({"outcome": outcome}));
        };
        assert_eq!(found(|it| outcome(it, "SUPERSEDED")), 1);
        let held = |it: &mut Aftermath, lifted| {
            outcome(it, "ON_HOLD");
            hold(it, 20_000, lifted);
        };
        assert_eq!(found(|it| held(it, None)), 0);
        assert_eq!(
            found(|it| held(it, Some(21_000))),
            1,
            "the hold was lifted before it began"
        );
        assert_eq!(found(|it| outcome(it, "ON_HOLD")), 1, "nobody held it");
        let told = |it: &mut Aftermath| {
            end_on(it, 2);
            it.executions[3] = red(3, "Deploy.RolledBack", ROLLED_BACK);
        };
        assert_eq!(found(told), 0);
        let moved = |it: &mut Aftermath, at: i64| {
            outcome(it, "SUPERSEDED");
            it.others.push(deed(at, &json!({"taskDefinition": "web:2"})));
        };
        assert_eq!(found(|it| moved(it, 31_000)), 0);
        assert_eq!(found(|it| moved(it, 30_999)), 1, "before it began");
        let scaled = |it: &mut Aftermath| {
            outcome(it, "SUPERSEDED");
            it.others.push(deed(33_000, &json!({"desiredCount": 3})));
        };
        assert_eq!(found(scaled), 1);
        let same_digest = |it: &mut Aftermath| {
            end_on(it, 2);
            let record = it.after.revisions[1]
                .tags
                .iter_mut()
                .find(|tag| tag.key == "ecr-deploy:push/shop/web");
            let record = record.unwrap();
            record.value = record.value.replace(&digest(2), &digest(3));
        };
        assert_eq!(found(same_digest), 0);
    }
}
