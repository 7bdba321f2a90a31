//! Everything outside the plan stays as it is: other services, other members of services and revisions, other
//! containers.

use super::Violation;
use super::permits::may_move;
use crate::aftermath::{Aftermath, Call, Deployment, Pushed, Revision, Service, repository_of, short};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const SERVICES: &str = "services keep what is not ours to change";
const REVISIONS: &str = "new revisions keep what is not ours to change";
const OTHERS: &str = "what somebody else deployed is neither stopped nor undone";

/// The members of `UpdateService` that may be sent.
const SENT: [&str; 4] = ["cluster", "service", "taskDefinition", "forceNewDeployment"];

/// The operations that the functions call.
const CALLED: [&str; 16] = [
    "BatchGetImage",
    "DescribeImages",
    "DescribeServiceDeployments",
    "DescribeServiceRevisions",
    "DescribeServices",
    "DescribeTaskDefinition",
    "DescribeTasks",
    "ListClusters",
    "ListServiceDeployments",
    "ListServices",
    "ListTaskDefinitionFamilies",
    "ListTaskDefinitions",
    "ListTasks",
    "RegisterTaskDefinition",
    "StopServiceDeployment",
    "UpdateService",
];

/// - Every service has the configuration, the tags and the desired count that it had, or that somebody else gave it.
/// - `UpdateService` is sent nothing but cluster, service, task definition and whether to force; nothing is called that
///   is not among the functions' calls.
/// - A service that is outside of the clusters, that ECS does not deploy, or that never ran a repository of which a push could
///   come to it is never written to.
pub(super) fn services_keep_what_is_not_ours(aftermath: &Aftermath) -> Vec<Violation> {
    let mut violations = Vec::new();
    for call in &aftermath.calls {
        if !CALLED.contains(&call.operation.as_str()) {
            violations.push(Violation::general(SERVICES, format!("{} was called", call.operation)));
        }
        let more = call.members.iter().find(|member| !SENT.contains(&member.as_str()));
        if let Some(more) = more.filter(|_| call.operation == "UpdateService") {
            violations.push(Violation::general(
                SERVICES,
                format!("UpdateService of {} was sent {more}", call.subject),
            ));
        }
    }
    for before in &aftermath.before.services {
        let id = before.id();
        let Some(after) = aftermath.after.service(&id) else {
            violations.push(Violation::of_service(SERVICES, id, "it is not there any more"));
            continue;
        };
        let counts = aftermath
            .deeds_on(&id)
            .filter_map(|deed| deed.request.get("desiredCount")?.as_u64());
        let count = counts.last().unwrap_or(u64::from(before.asked_count));
        if u64::from(after.asked_count) != count {
            let what = format!("its desired count is {} instead of {count}", after.asked_count);
            violations.push(Violation::of_service(SERVICES, id.clone(), what));
        }
        if (&after.config, &after.tags) != (&before.config, &aftermath.last_tags_of(&id)) {
            violations.push(Violation::of_service(
                SERVICES,
                id.clone(),
                "its configuration is another one",
            ));
        }
        let written = aftermath.calls.iter().find(|call| is_write_to(call, before));
        if let Some(call) = written.filter(|_| !is_ours(aftermath, before)) {
            let what = format!("{} though it is not to be deployed to", call.operation);
            violations.push(Violation::of_service(SERVICES, id, what));
        }
    }
    violations
}

fn is_write_to(call: &Call, service: &Service) -> bool {
    let path = format!("/{}/{}/", service.cluster, service.name);
    (call.operation == "UpdateService" && call.is_of(&service.id()))
        || call.parameter("serviceDeploymentArn").contains(&path) && call.operation == "StopServiceDeployment"
}

/// True if a service may be written to.
fn is_ours(aftermath: &Aftermath, before: &Service) -> bool {
    let ran = aftermath.before.revision(&before.task_definition);
    aftermath.is_watched(&before.cluster)
        && before.is_deployed_by_ecs()
        && ran.is_some_and(|revision| {
            let comes = |push: &Pushed| may_move(aftermath, &before.id(), &push.repository, &push.id);
            let mut pushes = aftermath.pushes.iter();
            pushes.any(|push| revision.runs(&push.repository) && comes(push))
        })
}

/// - Nobody else's rollout is stopped by us, but for one of a revision that we had made: where somebody tries that once
///   more by force while we find out that it is bad.
/// - Once a service has completed a rollout to a revision that somebody registered by hand, every later rollout of ours is
///   to a revision that was made from that one, until somebody moves the service elsewhere.
pub(super) fn others_are_not_undone(aftermath: &Aftermath) -> Vec<Violation> {
    let mut violations = Vec::new();
    for service in &aftermath.after.services {
        let id = service.id();
        let mut by_hand = None;
        for rollout in &service.history {
            let is_of_others = aftermath.is_of_others(&id, rollout);
            let stops = |call: &Call| {
                let arn = call.parameter("serviceDeploymentArn");
                call.operation == "StopServiceDeployment" && call.applied && arn == rollout.service_deployment_arn
            };
            let revision = aftermath.after.revision(&rollout.task_definition);
            let is_made_by_us = revision.and_then(Revision::source).is_some();
            if is_of_others && !is_made_by_us && aftermath.calls.iter().any(stops) {
                let what = format!("the rollout to {} was stopped", short(&rollout.task_definition));
                violations.push(Violation::of_service(OTHERS, id.clone(), what));
            }
            if is_of_others {
                by_hand = Some(rollout).filter(|rollout| is_kept(aftermath, rollout));
            } else if let Some(kept) = by_hand.filter(|kept| !is_made_from(aftermath, rollout, kept)) {
                let (to, kept) = (short(&rollout.task_definition), short(&kept.task_definition));
                let what = format!("{to} was rolled out, which was not made from {kept}");
                violations.push(Violation::of_service(OTHERS, id.clone(), what));
            }
        }
    }
    violations
}

/// True if it went well, to a revision that was registered by hand during the storm.
fn is_kept(aftermath: &Aftermath, rollout: &Deployment) -> bool {
    let revision = aftermath.after.revision(&rollout.task_definition);
    let is_by_hand = revision.is_some_and(|revision| revision.source().is_none());
    let is_new = aftermath.before.revision(&rollout.task_definition).is_none();
    rollout.status == "SUCCESSFUL" && is_by_hand && is_new
}

/// True if the revision of a rollout is that of another, or was made from it in one step or several; or from one that is the
/// same member by member and tag by tag, which somebody may register for one service after another.
fn is_made_from(aftermath: &Aftermath, rollout: &Deployment, origin: &Deployment) -> bool {
    let revision_of = |rollout: &Deployment| aftermath.after.revision(&rollout.task_definition);
    let mut name = short(&rollout.task_definition);
    // A chain is no longer than there are revisions.
    for _ in &aftermath.after.revisions {
        let revisions = aftermath.after.revision(name).zip(revision_of(origin));
        let is_same = |(one, other): (&Revision, &Revision)| one.document == other.document && one.tags == other.tags;
        if name == short(&origin.task_definition) || revisions.is_some_and(is_same) {
            return true;
        }
        match aftermath.after.revision(name).and_then(Revision::source) {
            Some(source) => name = source,
            None => return false,
        }
    }
    false
}

/// - No revision that was there before has changed.
/// - A revision made by us is the one it was made from, member by member and tag by tag, but for our own tags and for the
///   images of the containers of one pushed repository; these all name the push that is recorded on it, or the recorded
///   digest where it was made to roll back.
/// - Any other new revision was registered by somebody else.
pub(super) fn revisions_keep_what_is_not_ours(aftermath: &Aftermath) -> Vec<Violation> {
    let wrong = aftermath.after.revisions.iter().filter_map(|revision| {
        let what = match (aftermath.before.revision(&revision.name()), revision.source()) {
            (Some(before), _) if before.document == revision.document && before.tags == revision.tags => return None,
            (Some(_), _) => "it was there before and has changed".to_owned(),
            (None, Some(source)) => departure(aftermath, revision, source)?,
            (None, None) => {
                let registers = |family: &str| family == revision.family;
                let mut others = aftermath
                    .others
                    .iter()
                    .filter(|deed| deed.operation == "RegisterTaskDefinition");
                if others.any(|deed| deed.request["family"].as_str().is_some_and(registers)) {
                    return None;
                }
                "it does not say what it was made from".to_owned()
            }
        };
        Some(Violation::general(REVISIONS, format!("{}: {what}", revision.name())))
    });
    wrong.collect()
}

/// How a revision departs from the one it was made from where it may not.
fn departure(aftermath: &Aftermath, revision: &Revision, source: &str) -> Option<String> {
    let Some(source) = aftermath.after.revision(source) else {
        return Some(format!("there is no {source}, from which it says it was made"));
    };
    let own = |revision: &Revision| {
        let tags = revision.tags.iter().filter(|tag| !tag.key.starts_with("ecr-deploy:"));
        tags.map(|tag| (tag.key.clone(), tag.value.clone()))
            .collect::<BTreeSet<_>>()
    };
    if own(revision) != own(source) {
        return Some(format!("its tags are not those of {}", source.name()));
    }
    if without_images(revision) != without_images(source) {
        return Some(format!("it differs from {} in more than images", source.name()));
    }
    let changed = source
        .images()
        .zip(revision.images())
        .filter(|(before, after)| before != after);
    let mut repositories = BTreeSet::new();
    for (before, after) in changed {
        let (Some(old), Some(new)) = (repository_of(before), repository_of(after)) else {
            return Some(format!("{before} became {after}"));
        };
        if old != new || !aftermath.is_pushed(new) {
            return Some(format!("{before} became {after}"));
        }
        repositories.insert(new);
    }
    if repositories.len() > 1 {
        return Some(format!("the images of {repositories:?} changed at once"));
    }
    let repository = repositories.first()?;
    let wanted = wanted_endings(aftermath, revision, repository);
    revision
        .images()
        .filter(|image| repository_of(image) == Some(repository))
        .find(|image| !wanted.iter().any(|wanted| image.ends_with(wanted)))
        .map(|image| format!("{image} is not what it was made for ({})", wanted.join(" or ")))
}

/// How the images of a revision's own repository may end: by a tag or the digest of the push, as the setting says, or by the
/// digest of a rollback.
fn wanted_endings(aftermath: &Aftermath, revision: &Revision, repository: &str) -> Vec<String> {
    if revision.rolled_back().is_some() {
        let digest = revision.digest_of(repository);
        return digest.map(|digest| format!("@{digest}")).into_iter().collect();
    }
    let id = revision.push_of(repository);
    let of_push = |push: &&Pushed| Some(&push.id) == id.as_ref() && push.repository == repository;
    let endings = aftermath.pushes.iter().filter(of_push).map(|push| {
        if aftermath.by_digest {
            format!("@{}", push.digest)
        } else {
            format!(":{}", push.tag)
        }
    });
    endings.collect()
}

/// The document of a revision, without the images of its containers.
pub(super) fn without_images(revision: &Revision) -> Map<String, Value> {
    let mut document = revision.document.clone();
    let containers = document.get_mut("containerDefinitions").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
        container.remove("image");
    }
    document
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, deed, pushed, rolled_back, tag};
    use super::*;
    use serde_json::json;

    type Change = Box<dyn Fn(&mut Revision)>;

    fn services(change: impl FnOnce(&mut Aftermath)) -> usize {
        let mut aftermath = calm();
        change(&mut aftermath);
        services_keep_what_is_not_ours(&aftermath).len()
    }

    fn revisions(change: impl FnOnce(&mut Revision)) -> usize {
        let mut aftermath = calm();
        change(&mut aftermath.after.revisions[2]);
        revisions_keep_what_is_not_ours(&aftermath).len()
    }

    #[test]
    fn a_service_whose_configuration_tags_or_desired_count_changed_is_found() {
        assert_eq!(services(|_| {}), 0);
        assert_eq!(services(|it| it.after.services[0].asked_count = 3), 1);
        assert_eq!(services(|it| it.after.services[0].config.clear()), 1);
        assert_eq!(services(|it| it.after.services[0].tags = json!([{"key": "a"}])), 1);
        assert_eq!(services(|it| it.after.services.clear()), 1);
    }

    #[test]
    fn a_desired_count_is_what_somebody_else_set_last() {
        let scale = |it: &mut Aftermath, count: u32| {
            it.others = vec![
                deed(1, &json!({"desiredCount": 9})),
                deed(2, &json!({"desiredCount": 4})),
            ];
            it.after.services[0].asked_count = count;
        };
        assert_eq!(services(|it| scale(it, 4)), 0);
        assert_eq!(services(|it| scale(it, 2)), 1);
    }

    #[test]
    fn an_update_that_sends_more_and_a_call_that_is_not_ours_are_found() {
        assert_eq!(services(|it| it.calls[0].members.push("desiredCount".to_owned())), 1);
        assert_eq!(services(|it| it.calls[0].operation = "DeleteService".to_owned()), 1);
    }

    #[test]
    fn a_write_to_a_service_that_is_not_to_be_deployed_to_is_found() {
        assert_eq!(
            services(|it| it.clusters = vec!["south".to_owned()]),
            1,
            "another cluster"
        );
        assert_eq!(services(|it| it.clusters = Vec::new()), 0, "all clusters");
        let controller = json!({"type": "CODE_DEPLOY"});
        let deployed_otherwise = |it: &mut Aftermath| {
            for account in [&mut it.before, &mut it.after] {
                account.services[0]
                    .config
                    .insert("deploymentController".to_owned(), controller.clone());
            }
        };
        assert_eq!(services(deployed_otherwise), 1, "another controller");
        let other_repository = |it: &mut Aftermath| it.pushes.iter_mut().for_each(|push| push.repository += "-worker");
        assert_eq!(services(other_repository), 1, "another repository");
        let stopped = |it: &mut Aftermath| {
            it.clusters = vec!["south".to_owned()];
            let arn = json!({"serviceDeploymentArn": "arn:aws:ecs:us-east-1:1:service-deployment/north/web/1"});
            it.calls.truncate(1);
            it.calls[0].operation = "StopServiceDeployment".to_owned();
            it.calls[0].parameters = arn.as_object().cloned().unwrap();
        };
        assert_eq!(services(stopped), 1);
    }

    /// Somebody moved the service to `web:2`, which he had registered, before our third push.
    fn by_hand() -> Aftermath {
        let mut aftermath = calm();
        aftermath.after.revisions[1].tags.clear();
        aftermath.calls.remove(0);
        aftermath.others = vec![deed(22_000, &json!({"taskDefinition": "web:2"}))];
        aftermath
    }

    #[test]
    fn what_was_deployed_by_hand_is_built_on() {
        assert_eq!(others_are_not_undone(&by_hand()), []);
        let mut undone = by_hand();
        let source = undone.after.revisions[2]
            .tags
            .iter_mut()
            .find(|tag| tag.key == "ecr-deploy:source");
        source.unwrap().value = "web:1".to_owned();
        assert_eq!(others_are_not_undone(&undone).len(), 1);
        let mut twice = undone.clone();
        let by_hand = twice.after.revisions[1].clone();
        let first = &mut twice.after.revisions[0];
        (first.document, first.tags) = (by_hand.document, by_hand.tags);
        assert_eq!(others_are_not_undone(&twice), [], "web:1 is the same");
        undone.after.services[0].history[1].status = "STOPPED".to_owned();
        assert_eq!(others_are_not_undone(&undone), [], "it never became stable");
    }

    #[test]
    fn a_rollout_of_somebody_else_that_was_stopped_is_found() {
        let stop = |mut aftermath: Aftermath| {
            let arn = aftermath.after.services[0].history[1].service_deployment_arn.clone();
            let mut call = super::super::sample::update(2, 2);
            call.at += 1;
            call.operation = "StopServiceDeployment".to_owned();
            call.parameters = json!({"serviceDeploymentArn": arn}).as_object().cloned().unwrap();
            aftermath.calls.push(call);
            others_are_not_undone(&aftermath).len()
        };
        assert_eq!(stop(by_hand()), 1);
        assert_eq!(stop(calm()), 0);
    }

    #[test]
    fn a_revision_that_lost_a_member_a_tag_or_another_container_is_found() {
        assert_eq!(revisions(|_| {}), 0);
        let set = |number: usize, member: &'static str, value: &'static str| {
            move |it: &mut Revision| it.document["containerDefinitions"][number][member] = value.into()
        };
        let changes: [Change; 7] = [
            Box::new(|it| drop(it.document.remove("cpu"))),
            Box::new(|it| drop(it.document.insert("memory".to_owned(), 1.into()))),
            Box::new(set(1, "memory", "64")),
            Box::new(set(1, "image", "public.ecr.aws/log:2")),
            Box::new(set(0, "image", "1.dkr.ecr.us-east-1.amazonaws.com/shop/other:v3")),
            Box::new(set(0, "image", "1.dkr.ecr.us-east-1.amazonaws.com/shop/web:v9")),
            Box::new(|it| it.tags.retain(|tag| tag.key != "team")),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_eq!(revisions(change), 1, "change {number}");
        }
    }

    #[test]
    fn where_images_are_named_by_digest_the_tag_is_not_enough() {
        let mut aftermath = calm();
        aftermath.by_digest = true;
        assert_eq!(revisions_keep_what_is_not_ours(&aftermath).len(), 2);
        for revision in &mut aftermath.after.revisions[1..] {
            let digest = super::super::sample::digest(revision.number);
            let image = format!("1.dkr.ecr.us-east-1.amazonaws.com/shop/web@{digest}");
            revision.document["containerDefinitions"][0]["image"] = image.into();
        }
        assert_eq!(revisions_keep_what_is_not_ours(&aftermath), []);
    }

    #[test]
    fn a_revision_from_nowhere_and_one_that_was_changed_are_found() {
        assert_eq!(revisions(|it| it.tags.retain(|tag| tag.key != "ecr-deploy:source")), 1);
        assert_eq!(
            revisions(|it| it.tags.push(tag("ecr-deploy:rolled-back", "web:2"))),
            1,
            "not by its digest"
        );
        let mut changed = calm();
        changed.after.revisions[0].tags.clear();
        // And what was made from it has other tags than it now.
        assert_eq!(revisions_keep_what_is_not_ours(&changed).len(), 2);
    }

    #[test]
    fn a_revision_of_a_rollback_names_the_digest() {
        let mut aftermath = rolled_back();
        let mut pinned = pushed(2);
        pinned.number = 4;
        let image = format!(
            "1.dkr.ecr.us-east-1.amazonaws.com/shop/web@{}",
            super::super::sample::digest(2)
        );
        pinned.document["containerDefinitions"][0]["image"] = image.into();
        pinned.tags.push(tag("ecr-deploy:rolled-back", "web:3"));
        pinned.tags.retain(|tag| tag.key != "ecr-deploy:source");
        pinned.tags.push(tag("ecr-deploy:source", "web:2"));
        aftermath.after.revisions.push(pinned);
        assert_eq!(revisions_keep_what_is_not_ours(&aftermath), []);
    }
}
