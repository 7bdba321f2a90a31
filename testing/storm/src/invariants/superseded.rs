//! No push is passed over: each reaches every service that it is for, and only a newer one, or a person, replaces it.

use super::Violation;
use super::order::{services_of, stage_before};
use super::permits::{Permit, owners, permit, reads};
use crate::aftermath::{Aftermath, Execution, Found, Pushed, Revision, Service, ServiceId};
use crate::stages::{Stage, version};

const SUPERSEDED: &str = "only a newer push of the repository, or somebody else, supersedes a push";
const REACHED: &str = "a push reaches every service that runs its repository";

/// Where deploy-service says SUPERSEDED or `ROLL_BACK_SUPERSEDED`, there is an execution for the same service of a newer
/// push to the same repository, or somebody else moved the service, or the service runs the image by which its tag was pushed over.
/// Or another push took the service back from a revision that has both images: by what the service is on then, that may have been a
/// person, who goes back further than to the last good revision.
pub(super) fn only_a_newer_push_supersedes(aftermath: &Aftermath) -> Vec<Violation> {
    let claims = aftermath
        .executions
        .iter()
        .filter(|it| matches!(it.outcome(), Some("SUPERSEDED" | "ROLL_BACK_SUPERSEDED")));
    let wrong = claims.filter(|execution| {
        !has_newer(aftermath, execution)
            && !is_moved_by_others(aftermath, execution)
            && !runs_what_came_over(aftermath, execution)
            && !goes_back_with_another(aftermath, execution)
    });
    wrong
        .map(|execution| {
            let outcome = execution.outcome().unwrap_or_default();
            Violation::of_execution(SUPERSEDED, execution, format!("{outcome}, but by nothing newer"))
        })
        .collect()
}

fn has_newer(aftermath: &Aftermath, execution: &Execution) -> bool {
    aftermath.executions.iter().any(|other| {
        other.service == execution.service
            && other.repository() == execution.repository()
            && other.push > execution.push
    })
}

/// True if a rollout during the execution ran another image, of a newer push under its very tag.
fn runs_what_came_over(aftermath: &Aftermath, execution: &Execution) -> bool {
    let Some((push, id)) = aftermath.pushed(execution).zip(execution.service.as_ref()) else {
        return false;
    };
    // One digest may have come under several tags, of which the push that is recorded has but one.
    let tag = execution.image.split_once(':').map(|(_, tag)| tag);
    let is_over = |other: &&Pushed| {
        other.repository == push.repository
            && Some(&*other.tag) == tag
            && other.id > push.id
            && other.digest != push.digest
    };
    let until = execution.ended.unwrap_or(i64::MAX);
    let history = aftermath.after.service(id).map_or(&[][..], |service| &service.history);
    let during = history
        .iter()
        .filter(|it| (execution.started..=until).contains(&it.created_at));
    let digests: Vec<&str> = during.flat_map(|it| it.digests_of(&push.repository)).collect();
    let mut over = aftermath.pushes.iter().filter(is_over);
    over.any(|other| digests.contains(&&*other.digest))
}

/// True if a rollout of the push had the image, under whichever of its tags, of a push to another repository that an execution rolled
/// back meanwhile.
fn goes_back_with_another(aftermath: &Aftermath, execution: &Execution) -> bool {
    let (Some(id), Some(push)) = (&execution.service, &execution.push) else {
        return false;
    };
    let during = execution.started..=execution.ended.unwrap_or(i64::MAX);
    let history = aftermath.after.service(id).map_or(&[][..], |service| &service.history);
    let revisions = history
        .iter()
        .filter(|rollout| during.contains(&rollout.created_at))
        .filter_map(|rollout| aftermath.after.revision(&rollout.task_definition));
    let ours = revisions.filter(|it| it.push_of(execution.repository()).as_ref() == Some(push));
    let beside: Vec<&Pushed> = ours
        .flat_map(Revision::pushes)
        .filter_map(|(repository, push)| {
            let mut pushes = aftermath.pushes.iter();
            pushes.find(|it| it.repository == repository && it.id == push)
        })
        .filter(|it| it.repository != execution.repository())
        .collect();
    let mut others = aftermath
        .executions_of(id)
        .filter(|other| other.error.as_deref() == Some("Deploy.RolledBack"))
        // It goes back while this one goes on, and may watch that for longer.
        .filter(|other| other.started <= *during.end() && other.ended.is_some_and(|ended| ended >= *during.start()))
        .filter_map(|other| aftermath.pushed(other));
    others.any(|other| {
        beside
            .iter()
            .any(|it| (&it.repository, &it.digest) == (&other.repository, &other.digest))
    })
}

fn is_moved_by_others(aftermath: &Aftermath, execution: &Execution) -> bool {
    let Some(id) = &execution.service else { return false };
    let service = aftermath.after.service(id);
    let mut rollouts = service.into_iter().flat_map(|service| service.history.iter().skip(1));
    rollouts.any(|rollout| aftermath.is_of_others(id, rollout))
}

/// For every push that was told of, and every service that ran its repository before and is still there, there is an
/// execution of deploy-service, of this push or of a newer one to the repository: a push that comes too late is not in
/// the plan. Unless no permit, or none that is certain, lets the push come to the service; or its stage takes the tag by a range
/// of versions and the service ever had a higher one; or its stage comes after another one, of which not every service that runs
/// the repository was deployed by the same execution.
pub(super) fn every_push_reaches_its_services(aftermath: &Aftermath) -> Vec<Violation> {
    let told = aftermath.pushes.iter().filter(|push| push.deliveries > 0);
    let missed = told.flat_map(|push| {
        let services = aftermath.before.services.iter();
        services
            .filter(|service| is_for(aftermath, push, service) && !is_reached(aftermath, push, service))
            .map(|service| {
                let what = format!("{}:{} ({}) never came to it", push.repository, push.tag, push.id);
                Violation::of_service(REACHED, service.id(), what)
            })
    });
    missed.collect()
}

fn is_for(aftermath: &Aftermath, push: &Pushed, service: &Service) -> bool {
    let is_there = aftermath.after.service(&service.id()).is_some_and(Service::is_active);
    let ran = aftermath.before.revision(&service.task_definition);
    is_there
        && aftermath.is_watched(&service.cluster)
        && service.is_deployed_by_ecs()
        && ran.is_some_and(|revision| revision.runs(&push.repository))
        && is_permitted(aftermath, push, service)
}

/// True if it is certain that the tag of a push moves a service.
fn is_permitted(aftermath: &Aftermath, push: &Pushed, service: &Service) -> bool {
    let id = service.id();
    let mut of_tag = reads(aftermath, &push.repository, &push.id).filter(|(_, tag, _)| *tag == push.tag);
    of_tag.any(|(execution, tag, found)| {
        let may_be_lower = || {
            let by_version = |stage: &Stage| stage.takes_by_version(tag);
            owners(aftermath, &id, found).into_iter().flatten().any(by_version) && had_higher(aftermath, push, service)
        };
        permit(aftermath, &id, tag, found) == Permit::Given
            && !may_be_lower()
            && is_its_turn(aftermath, &id, execution, &push.repository, found)
    })
}

/// True if nothing kept a service's stage back: it comes after none, or after one of which an execution deployed all services.
fn is_its_turn(aftermath: &Aftermath, id: &ServiceId, execution: &Execution, repository: &str, found: &Found) -> bool {
    let has_order = owners(aftermath, id, found)
        .into_iter()
        .flatten()
        .any(|stage| stage.after.is_some());
    let Some(before) = stage_before(aftermath, id, found) else {
        return !has_order;
    };
    let is_deployed = |service: &Service| {
        let id = service.id();
        let mut children = aftermath
            .executions_of(&id)
            .filter(|it| it.parent.as_ref() == Some(&execution.name));
        children.any(Execution::says_deployed)
    };
    !execution.is_red() && services_of(aftermath, before, repository, found).all(is_deployed)
}

/// True if a service ever had a higher version of a repository than that of a push.
fn had_higher(aftermath: &Aftermath, push: &Pushed, service: &Service) -> bool {
    let after = aftermath.after.service(&service.id());
    let history = after.into_iter().flat_map(|service| &service.history);
    let mut revisions = history.filter_map(|rollout| aftermath.after.revision(&rollout.task_definition));
    revisions.any(|revision| {
        let mut tags = revision.tags_of(&push.repository);
        tags.any(|tag| version(tag) > version(&push.tag))
    })
}

fn is_reached(aftermath: &Aftermath, push: &Pushed, service: &Service) -> bool {
    let id = service.id();
    let reaches = |it: &Execution| it.repository() == push.repository && it.push.as_ref() >= Some(&push.id);
    aftermath.executions_of(&id).any(reaches)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{calm, deed, digest, hold, in_order, production, push, red, rollout, tag, web};
    use super::*;
    use serde_json::json;

    fn superseded(number: usize) -> Aftermath {
        let mut aftermath = calm();
        aftermath.executions[number].output = Some(json!({"outcome": "SUPERSEDED"}));
        aftermath
    }

    #[test]
    fn a_push_that_says_it_is_superseded_and_is_the_newest_is_found() {
        assert_eq!(only_a_newer_push_supersedes(&superseded(1)), []);
        assert_eq!(only_a_newer_push_supersedes(&superseded(3)).len(), 1);
        let mut of_another_repository = superseded(1);
        of_another_repository.executions[3].image = "shop/sidecar:v3".to_owned();
        assert_eq!(only_a_newer_push_supersedes(&of_another_repository).len(), 1);
        let mut back = superseded(3);
        back.executions[3].output = Some(json!({"outcome": "ROLL_BACK_SUPERSEDED"}));
        assert_eq!(only_a_newer_push_supersedes(&back).len(), 1);
    }

    #[test]
    fn a_push_that_went_back_with_the_image_of_another_one_in_its_revision_may_say_that_it_was_superseded() {
        let found_after = |digest_beside: u32, is_red: bool, ended: i64| {
            let mut aftermath = superseded(3);
            for (number, tag, contents) in [(8, "v8", 8), (9, "main", digest_beside)] {
                let first = aftermath.pushes[1].clone();
                aftermath.pushes.push(Pushed {
                    repository: "ops/agent".to_owned(),
                    tag: tag.to_owned(),
                    digest: digest(contents),
                    id: push(number),
                    ..first
                });
            }
            let record = tag("ecr-deploy:push/ops/agent", &push(9).to_string());
            aftermath.after.revisions[2].tags.push(record);
            if is_red {
                let red = red(3, "Deploy.RolledBack", "web in north is back on web:1");
                aftermath.executions.push(Execution {
                    image: "ops/agent:v8".to_owned(),
                    push: Some(push(8)),
                    ended: red.ended.map(|at| at + ended),
                    ..red
                });
            }
            only_a_newer_push_supersedes(&aftermath).len()
        };
        let found = |digest_beside, is_red| found_after(digest_beside, is_red, 0);
        assert_eq!(found(8, true), 0, "another tag of the failed image");
        assert_eq!(found_after(8, true, 60_000), 0, "its rollback is watched for longer");
        assert_eq!(found_after(8, true, -3_600_000), 1, "it was over before");
        assert_eq!(found(9, true), 1, "another image");
        assert_eq!(found(8, false), 1, "nothing was rolled back");
    }

    #[test]
    fn an_image_that_runs_by_a_tag_that_was_pushed_over_supersedes_though_nobody_deployed_it() {
        let mut aftermath = superseded(3);
        let (first, service) = (aftermath.pushed(&aftermath.executions[3]).unwrap().clone(), web());
        let over = Pushed {
            digest: digest(9),
            id: push(9),
            ..first.clone()
        };
        aftermath.pushes.push(over);
        assert_eq!(only_a_newer_push_supersedes(&aftermath).len(), 1, "it does not run");
        let began = aftermath.executions[3].started;
        let after = aftermath.after.services.iter_mut().find(|it| it.id() == service);
        let during = after.unwrap().history.iter_mut().filter(|it| it.created_at >= began);
        for image in during.flat_map(|it| &mut it.images) {
            image.digest = Some(digest(9));
        }
        assert_eq!(only_a_newer_push_supersedes(&aftermath), []);
        let mut by_its_other_tag = aftermath.clone();
        by_its_other_tag.executions[3].image = format!("{}:latest", first.repository);
        by_its_other_tag.pushes.last_mut().unwrap().tag = "latest".to_owned();
        assert_eq!(only_a_newer_push_supersedes(&by_its_other_tag), []);
        aftermath.pushes.last_mut().unwrap().tag = "v9".to_owned();
        assert_eq!(only_a_newer_push_supersedes(&aftermath).len(), 1, "under another tag");
    }

    #[test]
    fn somebody_may_take_the_place_of_a_push() {
        let mut aftermath = superseded(3);
        let mut by_hand = rollout(1, 3, "SUCCESSFUL");
        by_hand.created_at += 500;
        aftermath
            .others
            .push(deed(by_hand.created_at, &json!({"taskDefinition": "web:1"})));
        aftermath.after.services[0].history.push(by_hand);
        assert_eq!(only_a_newer_push_supersedes(&aftermath), []);
    }

    #[test]
    fn a_stage_that_was_kept_back_need_not_be_reached_and_one_whose_turn_it_was_must_be() {
        let without = |clusters: &[&str]| {
            let mut aftermath = in_order();
            let is_lost = |it: &Execution| {
                let cluster = it.service.as_ref().map(|id| id.cluster.as_str());
                it.image == "shop/web:v3" && cluster.is_some_and(|cluster| clusters.contains(&cluster))
            };
            aftermath.executions.retain(|it| !is_lost(it));
            every_push_reaches_its_services(&aftermath)
        };
        assert_eq!(every_push_reaches_its_services(&in_order()), []);
        assert_eq!(without(&["north"]).len(), 1);
        let mut gone_since = in_order();
        let another = Service {
            name: "held".to_owned(),
            ..gone_since.before.services[1].clone()
        };
        gone_since.before.services.push(another.clone());
        gone_since.after.services.push(Service {
            status: "INACTIVE".to_owned(),
            ..another
        });
        let is_for_production = |it: &Execution| it.image == "shop/web:v3" && it.service == Some(web());
        gone_since.executions.retain(|it| !is_for_production(it));
        let kept_back = every_push_reaches_its_services(&gone_since);
        assert_eq!(kept_back, [], "by a service that was there when the execution read");
        let neither = without(&["north", "south"]);
        assert_eq!(neither.len(), 1, "{neither:?}");
        assert_eq!(neither[0].service.as_ref().map(|id| id.cluster.as_str()), Some("south"));
    }

    #[test]
    fn a_service_that_a_push_never_came_to_is_found_unless_a_newer_one_did_or_it_is_gone() {
        let mut aftermath = calm();
        aftermath.executions.remove(1);
        assert_eq!(every_push_reaches_its_services(&aftermath), [], "the newer one came");
        aftermath.executions.pop();
        assert_eq!(every_push_reaches_its_services(&aftermath).len(), 2);
        production(&mut aftermath, &["v*", "!v2"]);
        assert_eq!(every_push_reaches_its_services(&aftermath).len(), 1);
        hold(&mut aftermath, 20_500, None);
        assert_eq!(every_push_reaches_its_services(&aftermath).len(), 0, "on hold");
        aftermath.others.clear();
        aftermath.stages.clear();
        assert_eq!(every_push_reaches_its_services(&aftermath).len(), 2);
        aftermath.after.services[0].status = "INACTIVE".to_owned();
        assert_eq!(every_push_reaches_its_services(&aftermath), []);
    }
}
