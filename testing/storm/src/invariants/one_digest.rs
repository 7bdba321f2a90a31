//! One digest, one rollout: however many tags a pipeline puts on an image.

use super::Violation;
use super::one_at_a_time::{goes_back, is_newer, is_right_by_an_old_read, puts_back, tells_of_rollback};
use super::reads::may_have_no_records;
use crate::aftermath::{Aftermath, Call, Pushed, Recorded, Service, short};

const ONCE: &str = "an image that is pushed under several tags is rolled out once";

/// For all tags of one push, a service has one rollout of ours that was made for the image, also where the image is bad. A
/// second one has a reason that has nothing to do with tags:
///
/// - an operator has redriven an execution, or somebody else has moved the service since;
/// - it goes back to the image from what came after it, or puts back what was replaced unseen;
/// - it has the push of another repository too, which the first one had not;
/// - a rollout of another push has replaced the first one and lacks the image, and was no rollback of it: it may be
///   that other push's rollback, which had not seen the first one;
/// - the read before it was old;
/// - a list of the service's rollouts was empty or denied: nothing else tells that the image was deployed there.
pub(super) fn one_digest_is_rolled_out_once(aftermath: &Aftermath) -> Vec<Violation> {
    let services = aftermath.after.services.iter();
    services.flat_map(|service| of_service(aftermath, service)).collect()
}

fn of_service(aftermath: &Aftermath, service: &Service) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (push, tags) in of_several_tags(aftermath) {
        let of_push = places(aftermath, service, &push);
        for pair in of_push.windows(2) {
            if is_explained(aftermath, service, [pair[0], pair[1]], &push) {
                continue;
            }
            let name = |place: usize| short(&service.history[place].task_definition);
            let (first, second) = (name(pair[0]), name(pair[1]));
            let what = format!(
                "{} of {} came by {first} and again by {second}",
                tags.join(", "),
                push.0
            );
            violations.push(Violation::of_service(ONCE, service.id(), what));
        }
    }
    violations
}

/// The pushes that have several tags, each with these.
fn of_several_tags(aftermath: &Aftermath) -> Vec<(Recorded<'_>, Vec<&str>)> {
    let is_same = |one: &Pushed, other: &Pushed| one.id == other.id && one.repository == other.repository;
    let pushes = aftermath.pushes.iter().enumerate();
    let first = pushes.filter(|(place, push)| !aftermath.pushes[..*place].iter().any(|other| is_same(push, other)));
    let with_tags = first.map(|(_, push)| {
        let tags = aftermath.pushes.iter().filter(|other| is_same(push, other));
        let tags: Vec<&str> = tags.map(|push| push.tag.as_str()).collect();
        ((push.repository.as_str(), push.id.clone()), tags)
    });
    with_tags.filter(|(_, tags)| tags.len() > 1).collect()
}

/// Where in the history of a service a rollout of ours is of a revision that was made for this push.
fn places(aftermath: &Aftermath, service: &Service, push: &Recorded<'_>) -> Vec<usize> {
    let id = service.id();
    let history = service.history.iter().enumerate();
    let made_for_it = history.filter(|(_, rollout)| {
        let revision = aftermath.after.revision(&rollout.task_definition);
        let is_for_it = revision.is_some_and(|revision| aftermath.made_for(revision).contains(push));
        is_for_it && !aftermath.is_of_others(&id, rollout)
    });
    made_for_it.map(|(place, _)| place).collect()
}

fn is_explained(aftermath: &Aftermath, service: &Service, [from, to]: [usize; 2], push: &Recorded<'_>) -> bool {
    let id = service.id();
    let (first, second) = (&service.history[from], &service.history[to]);
    let is_redriven = aftermath.redriven_at.is_some_and(|at| at <= second.created_at);
    let is_moved = service.history[from + 1..to]
        .iter()
        .any(|between| aftermath.is_of_others(&id, between));
    let mut executions = aftermath
        .executions_of(&id)
        .filter(|it| it.push.as_ref() == Some(&push.1));
    let has_rollback = executions.any(tells_of_rollback);
    let is_displaced = (from + 1..to).any(|place| {
        let revision = aftermath.after.revision(&service.history[place].task_definition);
        let lacks_it = revision.is_none_or(|revision| revision.push_of(push.0).as_ref() != Some(&push.1));
        lacks_it && !(has_rollback && goes_back(aftermath, service, place - 1, place))
    });
    let is_untold_list = |call: &Call| {
        let during = first.created_at..=second.created_at;
        call.operation == "ListServiceDeployments"
            && call.is_of(&id)
            && during.contains(&call.at)
            && call.tells_nothing()
    };
    is_redriven
        || is_moved
        || is_displaced
        || is_newer(aftermath, first, second)
        || goes_back(aftermath, service, to - 1, to)
        || puts_back(
            aftermath,
            service,
            &service.history[..to - 1],
            &service.history[to - 1],
            second,
        )
        || is_right_by_an_old_read(aftermath, service, to)
        || may_have_no_records(aftermath, service, second)
        || aftermath.calls.iter().any(is_untold_list)
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use super::super::sample::{
        REPOSITORY, ROLLED_BACK, calm, child, deed, digest, parent, push, pushed, red, rolled_back, rollout, tag,
        under_two_tags, update,
    };
    use super::*;
    use serde_json::json;

    fn found(aftermath: &Aftermath) -> usize {
        one_digest_is_rolled_out_once(&aftermath.with_one_id_for_each_push()).len()
    }

    /// The third push has a second tag, for which `web:4` was registered from `web:3`'s source and is rolled out in the second
    /// 42.
    fn rolled_out_twice() -> Aftermath {
        let mut aftermath = under_two_tags(calm());
        let mut again = pushed(4);
        again.tags.retain(|tag| !tag.key.starts_with("ecr-deploy:"));
        let record = format!("{} {}", aftermath.pushes[2].id, digest(3));
        again.tags.push(tag("ecr-deploy:push/shop/web", &record));
        again.tags.push(tag("ecr-deploy:source", "web:2"));
        aftermath.after.revisions.push(again);
        let service = &mut aftermath.after.services[0];
        service.history.push(rollout(4, 4, "SUCCESSFUL"));
        service.task_definition = service.history[3].task_definition.clone();
        aftermath.calls.push(update(4, 4));
        aftermath
    }

    #[test]
    fn a_second_rollout_of_one_digest_is_found_and_of_another_digest_is_none() {
        assert_eq!(judge(&under_two_tags(calm())), []);
        assert_eq!(found(&rolled_out_twice()), 1);
        let mut others = rolled_out_twice();
        others.pushes[2].digest = digest(4);
        assert_eq!(found(&others), 0, "another image");
        let mut later = rolled_out_twice();
        let promoted = push(10);
        later.pushes[2].id = promoted.clone();
        later.after.revisions[3].tags[1] = tag("ecr-deploy:push/shop/web", &format!("{promoted} {}", digest(3)));
        assert_eq!(found(&later), 0, "a minute later: a push of its own");
        let mut once = rolled_out_twice();
        once.pushes.pop();
        assert_eq!(found(&once), 0, "one tag");
    }

    #[test]
    fn an_image_that_comes_back_after_another_one_is_a_push_of_its_own() {
        let mut aftermath = rolled_out_twice();
        let mut between = aftermath.pushes[0].clone();
        let at = push(3).at();
        between.id = crate::push::PushId::new(at, "00000003-event-2");
        aftermath.pushes.push(between);
        assert_eq!(found(&aftermath), 0);
    }

    #[test]
    fn a_bad_image_that_is_tried_again_under_its_next_tag_is_found() {
        let mut aftermath = under_two_tags(rolled_back());
        assert_eq!(found(&aftermath), 0);
        let history = &mut aftermath.after.services[0].history;
        history.push(rollout(3, 4, "STOPPED"));
        aftermath.calls.push(update(3, 4));
        assert_eq!(found(&aftermath), 1);
        let list = |at, applied| Call {
            operation: "ListServiceDeployments".to_owned(),
            at,
            applied,
            ..update(3, 4)
        };
        aftermath.calls.push(list(36_000, true));
        assert_eq!(found(&aftermath), 1);
        aftermath.calls.push(list(36_000, false));
        assert_eq!(found(&aftermath), 0, "nothing told that it was deployed");
    }

    #[test]
    fn a_redrive_and_somebody_else_are_reasons() {
        let mut redriven = rolled_out_twice();
        redriven.redriven_at = Some(42_001);
        assert_eq!(found(&redriven), 1);
        redriven.redriven_at = Some(42_000);
        assert_eq!(found(&redriven), 0);
        let mut moved = rolled_out_twice();
        let mut by_hand = rollout(1, 4, "STOPPED");
        by_hand.created_at -= 1_000;
        moved
            .others
            .push(deed(by_hand.created_at, &json!({"taskDefinition": "web:1"})));
        moved.after.services[0].history.insert(3, by_hand);
        assert_eq!(found(&moved), 0);
    }

    #[test]
    fn to_bring_another_push_with_it_and_to_come_back_from_another_one_are_reasons() {
        let mut with_another = rolled_out_twice();
        let record = tag("ecr-deploy:push/ops/agent", &push(4).to_string());
        with_another.after.revisions[3].tags.push(record);
        assert_eq!(found(&with_another), 0);

        let mut lost_update = rolled_out_twice();
        let mut between = rollout(1, 4, "STOPPED");
        between.created_at -= 1_000;
        lost_update.calls.push(Call {
            at: between.created_at,
            ..update(1, 4)
        });
        lost_update.after.services[0].history.insert(3, between);
        assert_eq!(found(&lost_update), 0, "web:1 replaced it and lacks it");
        let mut told = red(3, "Deploy.RolledBack", ROLLED_BACK);
        told.ended = Some(60_000);
        lost_update.executions.push(told);
        assert_eq!(found(&lost_update), 1, "web:1 was the rollback");
        let of_other = lost_update.executions.last_mut().unwrap();
        of_other.push = Some(push(2));
        assert_eq!(found(&lost_update), 0, "web:1 was the rollback of another push");
    }

    #[test]
    fn each_tag_is_heard_by_executions_of_its_own() {
        let mut aftermath = under_two_tags(calm());
        let heard = |it: &Aftermath| judge(it).len();
        assert_eq!(heard(&aftermath), 0);
        aftermath.pushes[2].deliveries = 2;
        assert_eq!(heard(&aftermath), 0, "a duplicate event starts nothing");
        aftermath.pushes[2].deliveries = 0;
        assert_eq!(heard(&aftermath), 1, "nobody told of this tag");
        aftermath.executions.push(parent(3));
        assert_eq!(heard(&aftermath), 2, "the other tag has two");
        let image = format!("{REPOSITORY}:main");
        let mut superseded = child(3);
        superseded.image = image;
        superseded.output = Some(json!({"outcome": "SUPERSEDED"}));
        let mut by_itself = under_two_tags(calm());
        by_itself.executions[5] = superseded;
        by_itself.executions[5].push = Some(by_itself.pushes[2].id.clone());
        assert_eq!(heard(&by_itself), 1, "no tag supersedes another one of its push");
    }
}
