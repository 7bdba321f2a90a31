//! How an execution ends: what its steps have come to, in one word and one message.

use ecr_deploy::contract::{
    ImageConclusion, ImageEnd, NextWave, PlannedResult, PlannedRevision, PlannedService, RevisionResult, Rollback,
    RollbackMethod, ServiceConclusion, ServiceEnd, ServiceId, ServiceOutcome, ServiceResult, SkipReason, Skipped,
    StageTag, StateError, UpdateOutcome, Verdict, Wave, WaveDue,
};
use ecr_deploy::domain::arn::{ClusterName, RevisionName, ServiceName, TaskDefinitionArn};
use ecr_deploy::domain::image::{EcrRegistry, ImageTag};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::title;
use ecr_deploy::domain::stage::{RollbackSetting, StageName};
use ecr_deploy::error::Error;
use ecr_deploy::quota::pace::pace;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// How many services that failed, or were deleted, are named; the rest is counted.
const NAMED: usize = 10;

/// What ends an error that had to be cut short.
const CUT: &str = "...";

/// Concludes one service's execution.
///
/// `redrive_count` is how often the execution has been redriven by now. When it is higher than the count with which
/// the failure came about, an operator wants the service again: then it is returned as `retry`.
///
/// # Errors
///
/// `Deploy.RolledBack` and `Deploy.RollBackFailed` after a rollout that failed, `Deploy.NotRolledBack` where its stage has it stay; the
/// update's own error when nothing was
/// changed, `Deploy.ServicesFailed` when that was none of ours.
pub fn conclude_service(end: &ServiceEnd, redrive_count: u32) -> Result<ServiceConclusion, Error> {
    let conclusion = |outcome, message, retry| ServiceConclusion {
        cluster: end.cluster.clone(),
        service: end.service.clone(),
        outcome,
        from: end.update.as_ref().and_then(|update| update.previous.clone()),
        to: end.task_definition.clone(),
        base: base_taken(end),
        message,
        retry,
    };
    match service_outcome(end) {
        Ok((outcome, message)) => Ok(conclusion(Some(outcome), message, Vec::new())),
        Err(_) if redrive_count > end.attempt => {
            let service = ServiceId {
                cluster: end.cluster.clone(),
                service: end.service.clone(),
            };
            let message = format!(
                "{} is deployed again after a redrive",
                title(&end.cluster, &end.service)
            );
            Ok(conclusion(None, message, vec![service]))
        }
        Err(error) => Err(error),
    }
}

/// What is to be known of a revision that was good before, but of which the same is to be feared.
const HAS_IMAGE: &str = ", which was stable before but has the image too";

/// Not where a revision was to be registered for it: an execution that began before there was a state for that ends there.
fn has_begun(rollback: &Rollback) -> bool {
    rollback.method != RollbackMethod::RegistrationNeeded
}

fn service_outcome(end: &ServiceEnd) -> Result<(ServiceOutcome, String), Error> {
    let name = title(&end.cluster, &end.service);
    let image = &end.image;
    // The revision that was watched: another one of the push may have been there.
    let watched = end.update.as_ref().and_then(|update| update.rollout.as_ref());
    let to = watched
        .map(|rollout| &rollout.task_definition)
        .or(end.task_definition.as_ref());
    let updated_to = to.map(|to| format!(" to {}", to.short())).unwrap_or_default();
    let not_updated = format!("{name} was not updated{updated_to} for {image}");
    let to = to.map_or("a new revision", TaskDefinitionArn::short);
    let Some(update) = &end.update else {
        return Err(unchanged(end, &not_updated));
    };
    match (update.outcome, &end.check, &end.error) {
        (UpdateOutcome::Superseded, _, _) => return Ok((ServiceOutcome::Superseded, update.message.clone())),
        (UpdateOutcome::ServiceDeleted, _, _) => return Ok((ServiceOutcome::ServiceDeleted, update.message.clone())),
        (UpdateOutcome::RollingBack | UpdateOutcome::Rebase, _, _) => return Err(unchanged(end, &not_updated)),
        (_, Some(check), None) if check.verdict == Verdict::Stable => {
            let message = format!("{name} is stable on {to}: {}{}", check.message, told_of_base(end, "; "));
            let was_there = update.outcome == UpdateOutcome::AlreadyDeployed;
            let outcome = if was_there {
                ServiceOutcome::AlreadyDeployed
            } else {
                ServiceOutcome::Deployed
            };
            return Ok((outcome, message));
        }
        (_, Some(check), None) if check.verdict == Verdict::Superseded => {
            return Ok((ServiceOutcome::Superseded, format!("{name}: {}", check.message)));
        }
        (_, Some(check), None) if check.verdict == Verdict::ServiceDeleted => {
            return Ok((ServiceOutcome::ServiceDeleted, check.message.clone()));
        }
        _ => {}
    }
    let failed = Failed::of(end, &name, to);
    if end.settings.rollback == RollbackSetting::None {
        return Err(stays(end, &failed, to));
    }
    gone_back(end, &failed)
}

/// What there is to tell of the revision that the watched one was made from, led by `begin`. Nothing where another revision of the
/// push is watched.
fn told_of_base(end: &ServiceEnd, begin: &str) -> String {
    let watched = end.update.as_ref().and_then(|update| update.rollout.as_ref());
    let is_own = watched.is_none_or(|rollout| Some(&rollout.task_definition) == end.task_definition.as_ref());
    let note = end.base.as_ref().filter(|_| is_own);
    note.map_or_else(String::new, |note| format!("{begin}{}", note.message))
}

/// The newer revision of somebody else's whose members the new one has.
fn base_taken(end: &ServiceEnd) -> Option<RevisionName> {
    let note = end.base.as_ref().filter(|_| !told_of_base(end, "").is_empty())?;
    Some(note.task_definition.clone())
}

/// A rollout that failed, where nothing is rolled back.
fn stays(end: &ServiceEnd, failed: &Failed, to: &str) -> Error {
    let Failed {
        says: failed, look_now, ..
    } = failed;
    let previous = end.update.as_ref().and_then(|update| update.previous.as_ref());
    let go_back = previous.map_or_else(
        || "no revision of it is known to have been stable".to_owned(),
        |previous| {
            format!(
                "to take it back, run aws ecs update-service --cluster {} --service {} --task-definition {}",
                end.cluster,
                end.service,
                previous.short()
            )
        },
    );
    Error::NotRolledBack(format!(
        "{failed} It stays on {to}, since the rollback of its stage is none; only a circuit breaker or an alarm of the service's own \
         takes it back. {look_now}; {go_back}"
    ))
}

/// A rollout that did not become stable, in words.
struct Failed {
    /// What failed, and why.
    says: String,
    /// What to do where the service is well again.
    push_again: &'static str,
    /// What to do where it may not be.
    look_now: &'static str,
}

impl Failed {
    fn of(end: &ServiceEnd, name: &str, to: &str) -> Self {
        let image = &end.image;
        let why = match (&end.error, &end.check) {
            (Some(error), _) => said(error),
            (None, Some(check)) => check.message.clone(),
            (None, None) => "it was never read".to_owned(),
        };
        if end.error.as_ref().is_some_and(StateError::is_passing) {
            return Self {
                says: format!(
                    "{name} is not known to be stable on {to} with {image}: nobody could read it until its time was over \
                     ({why}). That is no verdict on the image."
                ),
                push_again: "Redrive this execution to try the same image again",
                look_now: "Look at the service now, then redrive this execution to try the same image again",
            };
        }
        Self {
            says: format!(
                "{name} did not become stable on {to} with {image}: {why}.{}",
                sentence(&told_of_base(end, ""))
            ),
            push_again: "Fix the image and push again, or redrive this execution to try the same image again",
            look_now: "Look at the service now; push a good image, or redrive this execution to try the same image again",
        }
    }
}

/// A text as a sentence behind another one.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!(" {}{}.", first.to_uppercase(), letters.as_str())
    })
}

/// What came of the rollback.
fn gone_back(end: &ServiceEnd, failed: &Failed) -> Result<(ServiceOutcome, String), Error> {
    let Failed {
        says: failed,
        push_again,
        look_now,
    } = failed;
    if let Some(error) = &end.roll_back_error {
        return Err(Error::RollBackFailed(format!(
            "{failed} The rollback failed too ({}). {look_now}",
            said(error)
        )));
    }
    let Some(rollback) = end.roll_back.as_ref().filter(|rollback| has_begun(rollback)) else {
        return Err(Error::RollBackFailed(format!(
            "{failed} It was not rolled back. {look_now}"
        )));
    };
    let deleted = |message: &str| Ok((ServiceOutcome::ServiceDeleted, format!("{failed} Now {message}")));
    let displaced = |message: &str| {
        Err(Error::RolledBack(format!(
            "{failed} It is not on it any more: {message}. {push_again}"
        )))
    };
    match rollback.method {
        RollbackMethod::Superseded => {
            return Ok((
                ServiceOutcome::RollBackSuperseded,
                format!("{failed} {}", rollback.message),
            ));
        }
        RollbackMethod::Displaced => return displaced(&rollback.message),
        RollbackMethod::ServiceDeleted => return deleted(&rollback.message),
        _ => {}
    }
    let back = rollback
        .rollout
        .as_ref()
        .map_or("the last good revision", |rollout| rollout.task_definition.short());
    match end
        .roll_back_check
        .as_ref()
        .map(|check| (check.verdict, &check.message))
    {
        Some((Verdict::Stable, _)) if rollback.has_image && !rollback.image_failed => Ok((
            ServiceOutcome::Deployed,
            format!("{failed} It is stable on {back}, which has the image too"),
        )),
        Some((Verdict::Stable, _)) => Err(Error::RolledBack(format!(
            "{failed} It is back on {back}{}. {push_again}",
            if rollback.has_image { HAS_IMAGE } else { " and stable" }
        ))),
        Some((Verdict::Superseded, message)) => Ok((ServiceOutcome::RollBackSuperseded, format!("{failed} {message}"))),
        Some((Verdict::Displaced, message)) => displaced(message),
        Some((Verdict::ServiceDeleted, message)) => deleted(message),
        other => {
            let why = other.map_or("it was never read", |(_, message)| message.as_str());
            Err(Error::RollBackFailed(format!(
                "{failed} The rollback to {back} failed too: {why}. {look_now}"
            )))
        }
    }
}

/// The error of a service that was not changed: by the name under which the update threw it.
fn unchanged(end: &ServiceEnd, what: &str) -> Error {
    let Some(error) = &end.error else {
        return Error::ServicesFailed(format!("{what}; redrive this execution to try again"));
    };
    let says = format!("{what}: {}. Nothing was changed", readable(error));
    let message = format!("{says}; redrive this execution to try again");
    match error.error.as_str() {
        "Deploy.RolledBack" => Error::RolledBack(format!(
            "{says}; fix the image and push again, or redrive this execution to try the same image again"
        )),
        "Deploy.NotFound" => Error::NotFound(message),
        "Deploy.Rejected" => Error::Rejected(message),
        "Deploy.InvalidInput" => Error::InvalidInput(message),
        _ => Error::ServicesFailed(message),
    }
}

/// An error's name and what it says; since when it was tried in vain, where it is one that passes by itself.
fn said(error: &StateError) -> String {
    let since = error.since.filter(|_| error.is_passing());
    let since = since.map(|since| format!("; tried since {since}")).unwrap_or_default();
    format!("{}: {}{since}", error.error, readable(error))
}

/// What an error's cause says to a person. Lambda puts a JSON object there, with the message in it.
#[must_use]
pub fn readable(error: &StateError) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(&error.cause).ok();
    let message = parsed
        .as_ref()
        .and_then(|cause| cause.get("errorMessage"))
        .and_then(|message| message.as_str());
    match message.unwrap_or(&error.cause) {
        "" => error.error.clone(),
        message => message.to_owned(),
    }
}

/// Concludes a push's execution.
///
/// `tag_latest` is the setting; the image is to be tagged only when there are services or families on it, every one
/// of them ended there, and none was skipped that should follow. The tag of a stage is put on it as soon as all of that
/// stage ended there: also where another stage has failed, and then this is asked once more, and fails.
///
/// # Errors
///
/// `Deploy.ServicesFailed`, naming each service and why, unless the execution was redriven since: then what failed is
/// returned as `retry`. A service whose own tag names no stage has failed too, and a redrive does not help it. `Deploy.InvalidInput` when something that was planned has no result: it is never taken for deployed.
pub fn conclude_image(end: &ImageEnd, redrive_count: u32, tag_latest: bool) -> Result<ImageConclusion, Error> {
    let planned = end.planned as usize;
    let is_told = end.settings.is_empty() || end.settings.len() == planned;
    if end.results.len() != planned || !is_told {
        return Err(Error::InvalidInput(format!(
            "the state machine tells what came of {} task definitions, and {planned} were to be deployed: it does not fit its \
             functions. Install both anew, then push again",
            end.results.len()
        )));
    }
    let of_results = failures(&end.results);
    let can_be_retried = !of_results.is_empty();
    let services: Vec<ServiceResult> = end.services.iter().chain(ended(&end.results)).cloned().collect();
    // A mistyped stage is its own service's trouble: the waves that are to come do not wait for it.
    let is_last = end.later.is_empty() || services.iter().any(is_superseded);
    let of_stages = of_unknown_stages(&end.skipped).filter(|_| is_last || can_be_retried);
    let failed: Vec<Failure<'_>> = of_results.into_iter().chain(of_stages).collect();
    let families = families(end);
    let StageTags { now, pending } = stage_tags(end);
    let tagged = |now: &[ImageTag]| end.tagged.iter().chain(now).cloned().collect();
    if !failed.is_empty() && !now.is_empty() {
        return Ok(ImageConclusion {
            image: end.image.clone(),
            message: format!(
                "{} failed, which is told next",
                share(&failed, &services, families.len())
            ),
            services: end.services.clone(),
            families: end.families.clone(),
            skipped: end.skipped.clone(),
            retry: Vec::new(),
            later: end.later.clone(),
            tagged: tagged(&now),
            tags: now,
            pending,
            failed: true,
        });
    }
    if !failed.is_empty() {
        let share = share(&failed, &services, families.len());
        if redrive_count <= end.attempt || !can_be_retried {
            return Err(Error::ServicesFailed(failure(end, &failed, &share, can_be_retried)));
        }
        return Ok(ImageConclusion {
            image: end.image.clone(),
            message: format!("{share} are deployed again after a redrive"),
            services,
            families,
            skipped: end.skipped.clone(),
            retry: retry(end),
            later: end.later.clone(),
            tags: Vec::new(),
            tagged: tagged(&[]),
            pending,
            failed: false,
        });
    }
    let (deleted, services): (Vec<_>, Vec<_>) = services.into_iter().partition(is_deleted);
    let mut skipped: Vec<Skipped> = end.skipped.iter().cloned().chain(skipped(&deleted)).collect();
    let mut later = end.later.clone();
    if let Some(superseded) = services.iter().find(|service| is_superseded(service)) {
        skipped.extend(later.drain(..).map(|wave| not_reached(&wave, superseded)));
    }
    let everything_stable = end.image.as_ref().is_some_and(|image| !image.tag.is_latest())
        && services.len() + families.len() > 0
        && services.iter().all(is_deployed)
        && !skipped.iter().any(|skipped| is_left_behind(skipped.reason));
    let mut message = summary(end.image.as_ref(), &services, families.len(), &skipped);
    let mut tags = now;
    if tag_latest && everything_stable && later.is_empty() {
        tags.push(ImageTag::latest());
    }
    if let Some(next) = later.first() {
        message.extend(["; next: ", &stages(next)]);
    }
    Ok(ImageConclusion {
        image: end.image.clone(),
        message,
        services,
        families,
        skipped,
        retry: Vec::new(),
        later,
        tagged: tagged(&tags),
        tags,
        pending,
        failed: false,
    })
}

/// Whether what is skipped for this reason follows the repository, or may, and yet is not moved to the image: then the image is not
/// everywhere, and `latest` is not its tag.
fn is_left_behind(reason: SkipReason) -> bool {
    match reason {
        // The stage would move it, at another time or to another image.
        SkipReason::TagNotTaken
        | SkipReason::OnHold
        | SkipReason::AllOnHold
        | SkipReason::LowerVersion
        | SkipReason::NotPromoted
        | SkipReason::NotReached
        // `latest` is the newer push's.
        | SkipReason::Superseded
        // Nobody knows which stage would move it, or whether it runs the repository.
        | SkipReason::UnknownStage
        | SkipReason::TaskDefinitionNotFound => true,
        // No push ever moves it.
        SkipReason::NoStage
        | SkipReason::StageOff
        | SkipReason::CodeDeployController
        | SkipReason::ExternalController
        | SkipReason::UnknownController
        // It is gone, or about to be. ECS deletes no cluster that has services.
        | SkipReason::ServiceNotActive
        | SkipReason::ServiceDeleted
        | SkipReason::ClusterNotFound
        // Told of the push, of which nothing is deployed then.
        | SkipReason::Untagged
        | SkipReason::FailedPush
        | SkipReason::NotAnImage
        | SkipReason::CdkAssets
        | SkipReason::PushedByEcr
        | SkipReason::NotInUse
        // Told beside what is deployed, or beside the entry of the service that is missing.
        | SkipReason::NotTagged
        | SkipReason::PushTimeIgnored
        | SkipReason::TagsLeftOut => false,
    }
}

/// The tags of stages that the image is to get now, and those that it may get later.
struct StageTags {
    now: Vec<ImageTag>,
    pending: Vec<StageTag>,
}

/// A stage's tag comes now where all of it ended on the image; later where some of it failed, or is of a wave to come; never where
/// another deployment took over a part of it.
fn stage_tags(end: &ImageEnd) -> StageTags {
    let mut tags = StageTags {
        now: Vec::new(),
        pending: Vec::new(),
    };
    for stage in &end.tags {
        let of_stage = with_settings(end).filter(|(settings, _)| *settings == stage.settings);
        let of_stage: Vec<&RevisionResult> = of_stage.map(|(_, result)| result).collect();
        let has_failed =
            |result: &&RevisionResult| failed_family(result).is_some() || !failed_services(result).is_empty();
        let is_on_image = |result: &&RevisionResult| match result {
            RevisionResult::Registered { .. } => true,
            result => ended(std::slice::from_ref(*result)).any(is_deployed),
        };
        let is_left_to_another = |result: &&RevisionResult| ended(std::slice::from_ref(*result)).any(is_superseded);
        if of_stage.iter().any(is_left_to_another) {
            continue;
        }
        if of_stage.is_empty() || of_stage.iter().any(has_failed) {
            tags.pending.push(stage.clone());
        } else if of_stage.iter().any(is_on_image) {
            tags.now.push(stage.tag.clone());
        }
    }
    tags
}

/// What came of each planned revision, and by which settings it was deployed.
fn with_settings(end: &ImageEnd) -> impl Iterator<Item = (u32, &RevisionResult)> {
    let settings = end.settings.iter().copied().chain(std::iter::repeat(0));
    settings.zip(&end.results)
}

/// The names of a wave's stages: "canary and production".
fn stages(wave: &Wave) -> String {
    let names: Vec<&str> = wave.stages.iter().map(StageName::as_str).collect();
    names.join(" and ")
}

/// How many services and families a wave holds: "2 services".
fn size(wave: &Wave) -> String {
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

/// A wave that is not reached, since another deployment took over in a wave before it: the deployment of that push is the one to
/// go on.
fn not_reached(wave: &Wave, superseded: &ServiceResult) -> Skipped {
    let message = format!(
        "not reached: another deployment took over {} before it was stable on the image",
        title(&superseded.cluster, &superseded.service)
    );
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

fn is_deployed(service: &ServiceResult) -> bool {
    matches!(
        service.outcome,
        ServiceOutcome::Deployed | ServiceOutcome::AlreadyDeployed
    )
}

fn is_superseded(service: &ServiceResult) -> bool {
    matches!(
        service.outcome,
        ServiceOutcome::Superseded | ServiceOutcome::RollBackSuperseded
    )
}

/// Tells which tags the image gets, as the execution in the account and region of `here` can do that: Step Functions calls the ECR
/// of its own region, and is permitted no other account's. Elsewhere the summary says that it was not done.
#[must_use]
pub fn tagged_only(here: &EcrRegistry, conclusion: ImageConclusion) -> ImageConclusion {
    let named = |tags: &[ImageTag]| {
        let names: Vec<&str> = tags.iter().map(ImageTag::as_str).collect();
        names.join(" and ")
    };
    let Some(image) = conclusion.image.as_ref().filter(|image| image.registry() != *here) else {
        let gets = match conclusion.tagged.as_slice() {
            [] => String::new(),
            [_] => format!("; it gets the tag {}", named(&conclusion.tagged)),
            tags => format!("; it gets the tags {}", named(tags)),
        };
        let message = conclusion.message + &gets;
        return ImageConclusion { message, ..conclusion };
    };
    if conclusion.tags.is_empty() {
        return conclusion;
    }
    let message = format!(
        "{}; {} was not put on it: its registry is that of {} in {}, and ecr-deploy is in {}, {}",
        conclusion.message,
        named(&conclusion.tags),
        image.registry_id,
        image.region,
        here.account,
        here.region
    );
    ImageConclusion {
        message,
        tags: Vec::new(),
        tagged: Vec::new(),
        ..conclusion
    }
}

fn is_deleted(service: &ServiceResult) -> bool {
    service.outcome == ServiceOutcome::ServiceDeleted
}

/// The services that were deleted after the plan was made. They take hardly more room than among the services that are done,
/// since of many only some are named.
fn skipped(deleted: &[ServiceResult]) -> Vec<Skipped> {
    let named = deleted.iter().take(NAMED).map(|service| Skipped {
        resource: title(&service.cluster, &service.service),
        reason: SkipReason::ServiceDeleted,
        message: "the service was deleted after the push had begun".to_owned(),
        count: 1,
    });
    let more = deleted.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| Skipped {
        resource: format!("{more} more"),
        reason: SkipReason::ServiceDeleted,
        message: "deleted too; the executions of deploy-service name each".to_owned(),
        count: u32::try_from(more).unwrap_or(u32::MAX),
    });
    named.chain(more).collect()
}

/// The services that ended without an error.
fn ended(results: &[RevisionResult]) -> impl Iterator<Item = &ServiceResult> {
    let services = results.iter().flat_map(|result| match result {
        RevisionResult::Services { services, .. } => services.as_slice(),
        RevisionResult::Registered { .. } | RevisionResult::Failed { .. } => &[],
    });
    services.filter_map(|service| match service {
        PlannedResult::Ended(ended) => Some(ended),
        PlannedResult::Failed { .. } => None,
    })
}

/// The services of a planned revision that failed, each with why.
fn failed_services(result: &RevisionResult) -> Vec<(PlannedService, &str)> {
    let again = |cluster: &ClusterName, service: &ServiceName| PlannedService {
        cluster: cluster.clone(),
        service: service.clone(),
        stage: None,
        after: 0,
    };
    match result {
        RevisionResult::Services { services, .. } => services
            .iter()
            .filter_map(|result| match result {
                PlannedResult::Ended(_) => None,
                PlannedResult::Failed {
                    cluster,
                    service,
                    failed,
                } => Some((again(cluster, service), failed.as_str())),
            })
            .collect(),
        RevisionResult::Registered { .. } => Vec::new(),
        RevisionResult::Failed { services, failed, .. } => services
            .iter()
            .map(|planned| (again(&planned.cluster, &planned.service), failed.as_str()))
            .collect(),
    }
}

/// Why the family of a planned revision without a service failed.
fn failed_family(result: &RevisionResult) -> Option<(&RevisionName, &str)> {
    match result {
        RevisionResult::Failed {
            task_definition,
            services,
            failed,
        } if services.is_empty() => Some((task_definition, failed)),
        _ => None,
    }
}

/// What failed, and why.
struct Failure<'a> {
    /// "web in production" or "family nightly".
    resource: String,
    is_family: bool,
    why: &'a str,
}

fn failures(results: &[RevisionResult]) -> Vec<Failure<'_>> {
    let of_each = results.iter().map(|result| {
        let family = failed_family(result).map(|(revision, why)| Failure {
            resource: format!("family {}", revision.family()),
            is_family: true,
            why,
        });
        let services = failed_services(result).into_iter().map(|(planned, why)| Failure {
            resource: title(&planned.cluster, &planned.service),
            is_family: false,
            why,
        });
        family.into_iter().chain(services)
    });
    of_each.flatten().collect()
}

/// The services whose own tag names a stage that there is not: nobody knows what may move them.
fn of_unknown_stages(skipped: &[Skipped]) -> impl Iterator<Item = Failure<'_>> {
    let unknown = skipped
        .iter()
        .filter(|skipped| skipped.reason == SkipReason::UnknownStage);
    unknown.map(|skipped| Failure {
        resource: skipped.resource.clone(),
        is_family: false,
        why: &skipped.message,
    })
}

/// How many of how many failed: "1 of 3 services and 1 of 2 families".
fn share(failed: &[Failure<'_>], done: &[ServiceResult], families_done: usize) -> String {
    let families = failed.iter().filter(|failure| failure.is_family).count();
    let services = failed.len() - families;
    let all = services + done.iter().filter(|service| !is_deleted(service)).count();
    let of_services = (services > 0).then(|| format!("{services} of {}", counted(all, "service", "services")));
    let all = families + families_done;
    let of_families = (families > 0).then(|| format!("{families} of {}", counted(all, "family", "families")));
    let parts: Vec<String> = of_services.into_iter().chain(of_families).collect();
    parts.join(" and ")
}

/// The revisions registered for families without a service.
fn families(end: &ImageEnd) -> Vec<RevisionName> {
    let registered = end.results.iter().filter_map(|result| match result {
        RevisionResult::Registered { registered } => Some(registered.clone()),
        _ => None,
    });
    let registered: BTreeSet<_> = end.families.iter().cloned().chain(registered).collect();
    registered.into_iter().collect()
}

/// The plan, narrowed to what failed, at a pace of its own.
fn retry(end: &ImageEnd) -> Vec<PlannedRevision> {
    let narrowed = with_settings(end).filter_map(|(settings, result)| {
        let (RevisionResult::Services { task_definition, .. } | RevisionResult::Failed { task_definition, .. }) =
            result
        else {
            return None;
        };
        let services = failed_services(result).into_iter().map(|(planned, _)| planned);
        let planned = PlannedRevision {
            task_definition: task_definition.clone(),
            after: 0,
            settings,
            services: services.collect(),
        };
        (failed_family(result).is_some() || !planned.services.is_empty()).then_some(planned)
    });
    let mut retry: Vec<PlannedRevision> = narrowed.collect();
    pace(&mut retry, 1);
    retry
}

fn summary(image: Option<&PushedImage>, services: &[ServiceResult], families: usize, skipped: &[Skipped]) -> String {
    let has_begun = families + services.len() > 0;
    let Some(image) = image.filter(|_| has_begun) else {
        // Many services are skipped by the same words.
        let mut told = BTreeSet::new();
        let reasons = skipped.iter().map(|skipped| skipped.message.as_str());
        let reasons: Vec<&str> = reasons.filter(|reason| told.insert(*reason)).collect();
        return if reasons.is_empty() {
            "nothing to deploy".to_owned()
        } else {
            reasons.join("; ")
        };
    };
    let superseded = services.iter().filter(|service| is_superseded(service)).count();
    let mut message = format!(
        "{image} is deployed to {}",
        counted(services.len() - superseded, "service", "services")
    );
    if families > 0 {
        let families = counted(families, "family without a service", "families without a service");
        message.extend([" and registered for ", &families]);
    }
    if superseded > 0 {
        let superseded = counted(superseded, "service was", "services were");
        message.extend(["; ", &superseded, " superseded by another deployment"]);
    }
    if !skipped.is_empty() {
        let skipped: u32 = skipped.iter().map(|skipped| skipped.count).sum();
        message.extend(["; ", &skipped.to_string(), " skipped"]);
    }
    if let Some(held) = skipped.iter().find(|skipped| skipped.reason == SkipReason::AllOnHold) {
        message.extend(["; ", &held.message]);
    }
    if let Some(by) = &image.by {
        message.extend(["; pushed by ", by.as_str()]);
    }
    message
}

fn failure(end: &ImageEnd, failed: &[Failure<'_>], share: &str, can_be_retried: bool) -> String {
    let image = end.image.as_ref().map(ToString::to_string).unwrap_or_default();
    let named = failed.iter().take(NAMED);
    let named = named.map(|failure| format!("- {}", told(&failure.resource, failure.why)));
    let mut message = format!("{image}: {share} failed.\n{}", named.collect::<Vec<_>>().join("\n"));
    if failed.len() > NAMED {
        let more = (failed.len() - NAMED).to_string();
        message.extend(["\n- and ", &more, " more: see the executions of deploy-service"]);
    }
    for wave in &end.later {
        message.extend(["\n- not reached: ", &size(wave), " of ", &stages(wave)]);
    }
    if can_be_retried {
        message.push_str("\nRedrive this execution to deploy the same image again to what failed, and only to that");
        message.push_str(if end.later.is_empty() {
            "."
        } else {
            "; once that is stable, it goes on with what was not reached."
        });
    }
    if let Some(by) = end.image.as_ref().and_then(|image| image.by.as_ref()) {
        message.extend(["\nPushed by ", by.as_str(), "."]);
    }
    message
}

/// What is told of a failure: what it says, led by its subject. The error's name stands there only where there is nothing
/// else, or where what it says had to be cut short and the name may be all that is left of the reason.
fn told(resource: &str, failure: &str) -> String {
    let Some((name, says)) = failure.split_once(": ") else {
        return format!("{resource}: {failure}");
    };
    let Some(begun) = says.strip_suffix(CUT) else {
        return match says {
            "" => format!("{resource}: {name}"),
            _ if says.starts_with(resource) => says.to_owned(),
            _ => format!("{resource}: {says}"),
        };
    };
    match begun.strip_prefix(resource).unwrap_or(begun).trim() {
        "" => format!("{resource}: {name}"),
        rest if resource.starts_with(rest) => format!("{resource}: {name}"),
        rest => format!("{resource}: {name}: {rest}{CUT}"),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
