//! `ecr-deploy status`: what each service runs, since which push, and what waits for it.

mod shown;

use crate::arguments::{Form, Shared, StatusArguments};
use crate::aws::{Account, now, pause};
use crate::commands::hold::all_hold;
use crate::error::Error;
use crate::execution::{Execution, Executions, time};
use crate::exit::Exit;
use crate::lifecycle;
use crate::output::{self, count, note};
use crate::progress::Progress;
use crate::report::Deployed;
use crate::scope::{Scope, deployable_tags};
use crate::service::{Available, Last, ServiceStatus, revision, status};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::domain::arn::ClusterName;
use ecr_deploy::domain::hold;
use ecr_deploy::domain::image::EcrRegistry;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::Service;
use ecr_deploy::domain::task_definition::TaskDefinition;
use ecr_deploy::error::Error as OfAws;
use find_task_definitions::stage::Stages;
use futures::stream::{self, StreamExt, TryStreamExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::pin::pin;
use std::time::Duration;

/// How many calls of one kind are under way at once.
const AT_ONCE: usize = 8;
/// Time between two reads of `--watch`.
const WATCH: Duration = Duration::from_secs(5);

/// How the services stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Status {
    /// The text that holds everything.
    pub all_on_hold: Option<String>,
    /// The services that run an image of ECR of this account and region.
    pub services: Vec<ServiceStatus>,
    /// How many others there are.
    pub others: u32,
    /// The clusters of the settings that are not there.
    pub missing_clusters: Vec<String>,
    /// True if a service has no last deployment here, and may have one that is older than the executions that were read.
    pub older_not_read: bool,
    /// The repositories that AWS refuses to tell of, with the reason: what waits for their services is not known.
    pub unread: Vec<String>,
}

/// The services that are asked for.
struct Of<'a> {
    cluster: Option<&'a str>,
    service: Option<&'a str>,
}

/// Shows it, once or until Ctrl-C.
pub(crate) async fn run(shared: &Shared, arguments: &StatusArguments) -> Result<Exit, Error> {
    let account = Account::open(shared).await?;
    let (cluster, service) = match arguments.of.as_deref().map(|of| of.split_once('/').ok_or(of)) {
        Some(Ok((cluster, service))) => (Some(cluster), Some(service)),
        Some(Err(cluster)) => (Some(cluster), None),
        None => (None, None),
    };
    let of = Of { cluster, service };
    let mut was_shown = false;
    loop {
        let document = match read(&account, &of).await {
            Ok(document) => document,
            // The next read may get an answer.
            Err(Error::Unavailable(problem)) if was_shown => {
                note(&format!("{problem}. It is read again in {} seconds", WATCH.as_secs()));
                pause(WATCH).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let is_seen_anew = arguments.watch && shared.output == Form::Table && std::io::stdout().is_terminal();
        if is_seen_anew {
            output::clear()?;
        }
        let is_read = output::print(shared.output, &document, now())?;
        if !arguments.watch || !is_read {
            return Ok(Exit::Done);
        }
        was_shown = true;
        pause(WATCH).await;
    }
}

async fn read(account: &Account, of: &Of<'_>) -> Result<Status, Error> {
    let (ecs, now) = (account.reader(), now());
    let progress = Progress::new("reading services");
    let (services, missing_clusters) = services(account, &ecs, of).await?;
    progress.say(format!("reading the revisions of {}", count(services.len(), "service")));
    let definitions = definitions(&ecs, &services).await?;
    progress.say("reading images".to_owned());
    let here = account.here()?;
    let (stored, unread) = stored(account, &here, definitions.values()).await?;
    let settings = &account.installation.settings;
    let stages = Stages::read(settings)?;
    let scope = Scope {
        here: &here,
        settings,
        stages: &stages,
    };
    let mut known: Vec<ServiceStatus> = Vec::new();
    for service in &services {
        let definition = revision(service).and_then(|revision| definitions.get(revision));
        let standing = definition.and_then(|it| status(service, it, &scope, &stored, now));
        let Some(standing) = standing else { continue };
        let waits = lifecycle::pauses(account, &ecs, service, now).await?;
        known.push(ServiceStatus { waits, ..standing });
    }
    known.sort_by(|one, other| (&one.cluster, &one.service).cmp(&(&other.cluster, &other.service)));
    progress.say("reading executions".to_owned());
    let executions = Executions(account.sfn());
    let names: Vec<_> = known
        .iter()
        .map(|it| (it.cluster.clone(), it.service.clone()))
        .collect();
    let machine = &account.installation.deploy_service;
    let newest = executions.newest_of_each(machine, &names).await?;
    for (service, name) in known.iter_mut().zip(&names) {
        service.last = newest.executions.get(name).map(|execution| last(service, execution));
    }
    if known.is_empty() && of.cluster.is_some() {
        let what = [of.cluster, of.service]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("/");
        return Err(Error::NotFound(format!(
            "{what} has no service that runs an image of this account's ECR. ecr-deploy status lists all that do"
        )));
    }
    let all_on_hold = all_hold(account).await?;
    Ok(Status {
        all_on_hold: all_on_hold
            .as_deref()
            .and_then(|text| hold::hold(text, now))
            .map(str::to_owned),
        others: u32::try_from(services.len() - known.len()).unwrap_or(u32::MAX),
        services: known,
        missing_clusters,
        older_not_read: newest.gave_up,
        unread,
    })
}

/// The services of the clusters that the installation deploys to, or of those that are asked for; and the clusters that are not there.
async fn services(account: &Account, ecs: &Ecs, of: &Of<'_>) -> Result<(Vec<Service>, Vec<String>), Error> {
    let configured = &account.installation.settings.clusters;
    let clusters: Vec<ClusterName> = match of.cluster {
        Some(cluster) => {
            let named = cluster.parse();
            vec![named.map_err(|_| Error::Usage(format!("{cluster:?} is no name of a cluster")))?]
        }
        None if configured.is_empty() => ecs.clusters().await?,
        None => configured.clone(),
    };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for cluster in &clusters {
        let mut batches = pin!(ecs.services(cluster));
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(batch) => found.extend(batch.services),
                // One that is asked for is the answer itself.
                Err(OfAws::NotFound(_)) if of.cluster.is_none() => missing.push(cluster.to_string()),
                Err(OfAws::NotFound(_)) => return Err(no_cluster(cluster, of)),
                Err(error) => return Err(error.into()),
            }
        }
    }
    found.retain(|it| of.service.is_none_or(|service| it.name.as_str() == service));
    Ok((found, missing))
}

/// The error where a cluster that is asked for is not there. A service may be meant by its name alone.
fn no_cluster(cluster: &ClusterName, of: &Of<'_>) -> Error {
    let how = match of.service {
        Some(_) => String::new(),
        None => format!(". If {cluster} is a service, name its cluster, too: production/{cluster}"),
    };
    Error::NotFound(format!(
        "there is no cluster {cluster}{how}. ecr-deploy status lists all services that run an image of this account's ECR"
    ))
}

async fn definitions(ecs: &Ecs, services: &[Service]) -> Result<BTreeMap<String, TaskDefinition>, Error> {
    let revisions: BTreeSet<&str> = services.iter().filter_map(revision).collect();
    let read = stream::iter(revisions).map(async |revision| match ecs.describe_task_definition(revision).await {
        Ok(definition) => Ok(Some((revision.to_owned(), definition))),
        // It was deleted while the service still names it.
        Err(OfAws::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    });
    let read: Vec<_> = read.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

/// The tagged images of each repository that somebody runs, and the repositories of which AWS refuses to tell.
async fn stored(
    account: &Account,
    here: &EcrRegistry,
    definitions: impl Iterator<Item = &TaskDefinition>,
) -> Result<(BTreeMap<String, Vec<Available>>, Vec<String>), Error> {
    let images =
        definitions.flat_map(|definition| definition.images().map(|(_, image)| image.clone()).collect::<Vec<_>>());
    let of_here = images.filter(|image| image.registry() == Some(here));
    let repositories: BTreeSet<String> = of_here.map(|image| image.repository().to_string()).collect();
    let ecr = account.ecr();
    let read: Vec<_> = stream::iter(repositories)
        .map(async |repository| {
            let request = ecr.describe_images().repository_name(&repository);
            let details: Result<Vec<_>, _> = request.into_paginator().items().send().collect().await;
            let details =
                match details.map_err(|error| OfAws::from_aws(&format!("DescribeImages of {repository}"), &error)) {
                    Ok(details) => details,
                    // The service runs on, and its repository is gone.
                    Err(OfAws::NotFound(_)) => Vec::new(),
                    Err(OfAws::Rejected(refused)) => return Ok((repository, Err(refused))),
                    Err(error) => return Err(Error::from(error)),
                };
            let available = details.into_iter().filter_map(|it| {
                Some(Available {
                    tags: deployable_tags(&it),
                    pushed_at: it.image_pushed_at.as_ref().map(time)?,
                    digest: it.image_digest?,
                })
            });
            Ok((repository, Ok(available.collect())))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let (mut stored, mut unread) = (BTreeMap::new(), Vec::new());
    for (repository, read) in read {
        match read {
            Ok(available) => drop(stored.insert(repository, available)),
            Err(refused) => unread.push(format!("{repository}: {refused}")),
        }
    }
    unread.sort();
    Ok((stored, unread))
}

/// The deployment of a service by an execution.
fn last(service: &ServiceStatus, execution: &Execution) -> Last {
    let image: Option<PushedImage> = serde_json::from_value(execution.input["image"].clone()).ok();
    let push = execution.push();
    let push = push.unwrap_or(&execution.name);
    let deployed = Deployed::by(&service.cluster, &service.service, execution);
    Last {
        outcome: deployed.outcome,
        image: image.map(|image| image.to_string()).unwrap_or_default(),
        push: push.rsplit(':').next().unwrap_or_default().to_owned(),
        started: execution.started,
        message: deployed.message,
    }
}
