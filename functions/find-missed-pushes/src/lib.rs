//! Nothing in, the pushes that services have missed out: the sweep.

pub mod candidates;
pub mod decide;
pub mod images;
pub mod judge;
pub mod pushes;

use candidates::{Account, Candidate, Repository, StoredImage};
use decide::{Decided, Found, decide};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::{
    Execution, FindMissedPushes, MissedPush, MissedPushes, ServiceState, ServiceStateChange, VERSION,
};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::ServiceDeployment;
use ecr_deploy::domain::sweep::{SweepAction, SweepSettings};
use ecr_deploy::domain::task_definition::Outline;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::Request;
use ecr_deploy::quota::executions::Listing;
use find_task_definitions::services::read_services;
use find_task_definitions::stage::Stages;
use futures::channel::mpsc;
use futures::future::try_join;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use judge::{Facts, Judged, judge, omits};
use pushes::Pushes;
use serde_json::Value;
use std::collections::BTreeMap;

/// Step Functions forgets an execution so long after its end.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// An execution may begin a little before ECR's own time of the push.
const BEFORE: SignedDuration = SignedDuration::from_mins(1);

/// How many of the newest revisions of a family are read.
const REVISIONS: usize = 30;

/// How many services are named, so that what is returned stays within what a state may be given.
const NAMED: usize = 60;

/// One call of EventBridge takes ten entries.
const MOST_TOLD: usize = 10;

/// Finds the services that run an older image than one that their stage takes: the step "Find missed pushes".
///
/// It changes nothing. The output has the pushes that are to be deployed, each to be started as if its event had come:
/// then the plan of that push decides, by what is so by then. `stored` tells the images that ECR holds of a repository,
/// `None` where it does not tell; `begun` lists the executions of a state machine since a time.
///
/// # Errors
///
/// `Deploy.InvalidInput` when a stage of the settings cannot be used, or an answer of AWS cannot be read;
/// `Deploy.Unavailable` and `Deploy.Rejected` by AWS.
pub async fn handle(
    ecs: &Ecs,
    config: &Config,
    stored: impl AsyncFn(&Repository) -> Result<Option<Vec<StoredImage>>, Error>,
    begun: impl AsyncFn(&str, Timestamp) -> Result<Listing, Error>,
    request: Request<Value>,
) -> Result<MissedPushes, Error> {
    let Request { execution, now, input } = request.typed::<FindMissedPushes>()?;
    let mut stages = Stages::read(config)?;
    if let Some(reason) = input.hold.reason(now) {
        tracing::info!("nothing is looked for: {reason}");
        return Ok(answer(Decided::default(), 0, &execution));
    }
    stages.hold = Some(input.hold);
    // A revision is read as soon as the first service on it is found.
    let (found, revisions) = mpsc::unbounded();
    let read = try_join(read_services(ecs, config, found), ecs.outlines_of(revisions));
    let (seen, definitions) = read.await?;
    let account = Account {
        config,
        stages: &stages,
        services: &seen.services,
        definitions: &definitions,
        now,
    };
    let candidates = candidates_of(&account, stored).await?;
    let Some(oldest) = candidates.iter().map(|candidate| candidate.image.push.at()).min() else {
        return Ok(answer(Decided::default(), seen.services.len(), &execution));
    };
    let listing = begun(&input.deploy_image, oldest.max(now - REMEMBERED) - BEFORE).await?;
    let judged = judge_all(ecs, candidates, &listing, now).await?;
    let settings = if input.only_report {
        SweepSettings {
            lost: SweepAction::Report,
            reverted: SweepAction::Report,
        }
    } else {
        config.sweep
    };
    let decided = decide(&account, settings, &judged, &listing.begun);
    Ok(answer(decided, seen.services.len(), &execution))
}

/// Every candidate of the account.
async fn candidates_of<'a>(
    account: &Account<'a>,
    stored: impl AsyncFn(&Repository) -> Result<Option<Vec<StoredImage>>, Error>,
) -> Result<Vec<Candidate<'a>>, Error> {
    let mut candidates = Vec::new();
    for repository in account.repositories() {
        let stored = stored(&repository).await?.unwrap_or_default();
        candidates.extend(account.candidates(&repository, &stored));
    }
    Ok(candidates)
}

/// Judges each candidate, by what is read of its service and of its family.
async fn judge_all<'a>(
    ecs: &Ecs,
    candidates: Vec<Candidate<'a>>,
    listing: &Listing,
    now: Timestamp,
) -> Result<Vec<Found<'a>>, Error> {
    let mut families: BTreeMap<String, Vec<Outline>> = BTreeMap::new();
    let mut judged = Vec::new();
    for candidate in candidates {
        let at = candidate.image.push.at();
        let is_known = at - BEFORE >= listing.since && now.duration_since(at) <= REMEMBERED;
        let pushes = is_known.then(|| Pushes::of(&listing.begun, at, &candidate.image.repository, &candidate.tags));
        let family = candidate.running.arn().family().to_owned();
        if !families.contains_key(&family) {
            families.insert(family.clone(), revisions_of(ecs, &family).await?);
        }
        let revisions = families.get(&family).map(Vec::as_slice).unwrap_or_default();
        let history = history(ecs, &candidate).await?;
        let verdict = verdict(&candidate, revisions, history.as_deref(), pushes);
        log(&candidate, verdict);
        judged.push(Found {
            candidate,
            judged: verdict,
        });
    }
    Ok(judged)
}

fn verdict(
    candidate: &Candidate<'_>,
    revisions: &[Outline],
    history: Option<&[ServiceDeployment]>,
    pushes: Option<Pushes>,
) -> Judged {
    let image = &candidate.image;
    let arns = |is_wanted: &dyn Fn(&Outline) -> bool| -> Vec<TaskDefinitionArn> {
        let wanted = revisions.iter().filter(|revision| is_wanted(revision));
        wanted.map(|revision| revision.arn().clone()).collect()
    };
    let is_ours = |revision: &Outline| revision.recorded_push(&image.repository).is_some();
    // The revision that runs was read with the service.
    let is_known = |arn: &TaskDefinitionArn| {
        *arn == *candidate.running.arn() || revisions.iter().any(|revision| revision.arn() == arn)
    };
    let facts = Facts {
        has_gap: history.is_some_and(|history| omits(history, image.push.at(), is_known)),
        ours: &arns(&is_ours),
        of_image: &arns(&|revision| is_ours(revision) && revision.has_digest(image)),
        history,
        pushes,
    };
    judge(candidate, &facts)
}

/// The outlines of the newest revisions of a family.
async fn revisions_of(ecs: &Ecs, family: &str) -> Result<Vec<Outline>, Error> {
    let (mut newest, _) = ecs.newest_revisions(family, None).await?;
    newest.truncate(REVISIONS);
    let outlines = ecs.outlines_of(stream::iter(newest)).await?;
    Ok(outlines.into_values().flatten().collect())
}

/// ECS's records of the rollouts of a candidate's service. Of a service that is gone by now there is nothing to tell.
async fn history(ecs: &Ecs, candidate: &Candidate<'_>) -> Result<Option<Vec<ServiceDeployment>>, Error> {
    let service = candidate.service;
    match ecs.service_deployments(&service.cluster, &service.name, None).await {
        Err(Error::NotFound(_) | Error::ServiceDeleted(_)) => Ok(None),
        read => read,
    }
}

fn log(candidate: &Candidate<'_>, judged: Judged) {
    let (service, image) = (candidate.service.title(), &candidate.image);
    let on = candidate.running.arn().short();
    tracing::info!(?judged, "{service} runs {on} and not {image}@{}", image.digest);
}

/// The output, within what a state may be given.
fn answer(mut decided: Decided, services: usize, execution: &Execution) -> MissedPushes {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let more = decided.missed.len().saturating_sub(NAMED);
    let reported = decided.missed.iter().filter(|it| it.action == SweepAction::Report);
    let told = reported.take(MOST_TOLD).map(|it| told(it, execution)).collect();
    decided.missed.truncate(NAMED);
    // The others are found by the next sweep.
    decided.pushes.truncate(NAMED);
    tracing::info!(
        services,
        missed = decided.missed.len() + more,
        pushes = decided.pushes.len(),
        "swept"
    );
    MissedPushes {
        pushes: decided.pushes,
        missed: decided.missed,
        more: count(more),
        services: count(services),
        told,
    }
}

/// The event of a push that a service misses.
fn told(missed: &MissedPush, execution: &Execution) -> ServiceStateChange {
    ServiceStateChange {
        version: VERSION.to_owned(),
        state: ServiceState::Missed,
        image: missed.image.clone(),
        cluster: missed.cluster.clone(),
        service: missed.service.clone(),
        from: None,
        to: None,
        message: missed.message.clone(),
        error: None,
        seconds: None,
        execution: execution.id.clone(),
        attempt: execution.redrive_count,
    }
}
