//! `ecr-deploy status`: what each service runs, since which push, and what waits for it.

use crate::arguments::{Form, Shared, StatusArguments};
use crate::aws::{Account, now, pause};
use crate::commands::hold::all_hold;
use crate::error::Error;
use crate::execution::{Execution, Executions, time};
use crate::exit::Exit;
use crate::lifecycle;
use crate::output::{self, Document, Tone, cell, count, note, paragraphs, short, table, who, wrapped};
use crate::progress::Progress;
use crate::push::tone;
use crate::report::Deployed;
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
use jiff::Timestamp;
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
            // The whole screen anew, the cursor in its first place.
            output::line("\u{1b}[2J\u{1b}[H")?;
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
    let stored = stored(account, &here, definitions.values()).await?;
    let settings = &account.installation.settings;
    let stages = Stages::read(settings)?;
    let mut known: Vec<ServiceStatus> = Vec::new();
    for service in &services {
        let definition = revision(service).and_then(|revision| definitions.get(revision));
        let standing = definition.and_then(|it| status(service, it, &here, &stages, &stored, now));
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
                Err(error) => return Err(error.into()),
            }
        }
    }
    found.retain(|it| of.service.is_none_or(|service| it.name.as_str() == service));
    Ok((found, missing))
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

/// The tagged images of each repository that somebody runs.
async fn stored(
    account: &Account,
    here: &EcrRegistry,
    definitions: impl Iterator<Item = &TaskDefinition>,
) -> Result<BTreeMap<String, Vec<Available>>, Error> {
    let images =
        definitions.flat_map(|definition| definition.images().map(|(_, image)| image.clone()).collect::<Vec<_>>());
    let of_here = images.filter(|image| image.registry() == Some(here));
    let repositories: BTreeSet<String> = of_here.map(|image| image.repository().to_string()).collect();
    let ecr = account.ecr();
    stream::iter(repositories)
        .map(async |repository| {
            let request = ecr.describe_images().repository_name(&repository);
            let details: Result<Vec<_>, _> = request.into_paginator().items().send().collect().await;
            let details =
                match details.map_err(|error| OfAws::from_aws(&format!("DescribeImages of {repository}"), &error)) {
                    Ok(details) => details,
                    // The service runs on, and its repository is gone.
                    Err(OfAws::NotFound(_)) => Vec::new(),
                    Err(error) => return Err(Error::from(error)),
                };
            let available = details.into_iter().filter_map(|it| {
                Some(Available {
                    digest: it.image_digest?,
                    tags: it.image_tags.filter(|tags| !tags.is_empty())?,
                    pushed_at: it.image_pushed_at.as_ref().map(time)?,
                })
            });
            Ok((repository.clone(), available.collect()))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
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

impl Document for Status {
    fn text(&self, now: Timestamp) -> String {
        let hold = self
            .all_on_hold
            .as_ref()
            .map(|text| wrapped(&format!("Everything is on hold: {text}")));
        let others = match self.others {
            0 => String::new(),
            others => format!(
                "{} more run no image of this account's ECR.",
                count(others as usize, "service")
            ),
        };
        let older = if self.older_not_read {
            wrapped("A service without a last deployment may have one: older executions were not read.")
        } else {
            String::new()
        };
        let missing = self.missing_clusters.iter().map(|it| {
            wrapped(&format!(
                "The cluster {it} is not there, and nothing is deployed to it. Correct the setting clusters."
            ))
        });
        let missing = missing.collect::<Vec<_>>().join("\n");
        if let [only] = self.services.as_slice() {
            return paragraphs([hold.unwrap_or_default(), one(only), others, missing, older]);
        }
        let rows = self.services.iter().flat_map(|it| rows(it, now)).collect();
        let services = if self.services.is_empty() {
            "No service runs an image of this account's ECR.".to_owned()
        } else {
            table(&["service", "stage", "runs", "pushed (UTC)", "last", "notes"], rows)
        };
        paragraphs([hold.unwrap_or_default(), services, others, missing, older])
    }
}

/// A row for each image of a service.
fn rows(service: &ServiceStatus, now: Timestamp) -> Vec<Vec<comfy_table::Cell>> {
    let row = |(place, image): (usize, &crate::service::Running)| {
        let title = if place == 0 {
            format!("{}/{}", service.cluster, service.service)
        } else {
            String::new()
        };
        let last = service.last.as_ref().map_or("-", |last| last.outcome.as_str());
        let (notes, notes_tone) = notes(service, image);
        vec![
            cell(title, Tone::Plain),
            cell(&image.stage, Tone::Plain),
            cell(
                image
                    .tag
                    .as_deref()
                    .or(image.digest.as_deref().map(short))
                    .unwrap_or("-"),
                Tone::Plain,
            ),
            cell(
                image.pushed_at.map_or("-".to_owned(), |at| output::short_time(at, now)),
                Tone::Plain,
            ),
            cell(last, tone(last)),
            cell(notes, notes_tone),
        ]
    };
    service.images.iter().enumerate().map(row).collect()
}

fn notes(service: &ServiceStatus, image: &crate::service::Running) -> (String, Tone) {
    let mut notes = Vec::new();
    if service.hold.is_some() {
        notes.push("on hold".to_owned());
    }
    if !service.waits.is_empty() {
        notes.push("waits for a person".to_owned());
    }
    if let Some(waiting) = &image.waiting {
        notes.push(format!("newer: {}", waiting.tag));
    }
    if !service.steady {
        notes.push(format!("{} of {} tasks", service.running, service.desired));
    }
    let tone = if notes.is_empty() { Tone::Plain } else { Tone::Notable };
    (notes.join(", "), tone)
}

/// A line about a service: its name, and what it says.
type Line = (&'static str, String, Tone);

/// Everything of one service.
fn one(service: &ServiceStatus) -> String {
    let (steady, rollout) = if service.steady {
        (Tone::Good, "")
    } else {
        (Tone::Notable, ", its rollout is not complete")
    };
    let tasks = format!("{} of {} running{rollout}", service.running, service.desired);
    let title = format!("{}/{}", service.cluster, service.service);
    let mut lines: Vec<Line> = vec![
        ("service", title, Tone::Plain),
        ("tasks", tasks, steady),
        ("runs", service.revision.clone(), Tone::Plain),
    ];
    lines.extend(service.images.iter().flat_map(of_image));
    lines.extend(service.hold.clone().map(|hold| ("on hold", hold, Tone::Notable)));
    let waits = service.waits.iter().map(|it| ("waits", it.text(), Tone::Notable));
    lines.extend(waits);
    lines.extend(service.last.iter().flat_map(of_last));
    let rows = lines
        .into_iter()
        .map(|(name, said, tone)| vec![cell(name, Tone::Plain), cell(said, tone)]);
    let answer = if service.waits.is_empty() {
        String::new()
    } else {
        let of = format!("{}/{}", service.cluster, service.service);
        format!("To continue it, or to take it back:\n  ecr-deploy continue {of}\n  ecr-deploy cancel {of}")
    };
    paragraphs([table(&["", ""], rows.collect()), answer])
}

/// Returns the lines that tell a container's image.
fn of_image(image: &crate::service::Running) -> Vec<Line> {
    let tag = image.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let name = format!("{}{tag}", image.repository);
    let pushed = image.pushed_at.map_or("not recorded".to_owned(), output::time);
    let mut lines = vec![
        ("image", name, Tone::Plain),
        (
            "digest",
            image.digest.clone().unwrap_or("not recorded".to_owned()),
            Tone::Plain,
        ),
        ("pushed", pushed, Tone::Plain),
        (
            "by",
            image.by.as_deref().map_or("not told", who).to_owned(),
            Tone::Plain,
        ),
        ("stage", image.stage.clone(), Tone::Plain),
    ];
    let newer = image.waiting.as_ref();
    lines.extend(newer.map(|it| {
        (
            "newer",
            format!("{} of {}", it.tag, output::time(it.pushed_at)),
            Tone::Notable,
        )
    }));
    lines
}

/// The last deployment. One that goes on has no message yet.
fn of_last(last: &Last) -> Vec<Line> {
    let ended = format!("{} of {}, {}", last.outcome, last.image, output::time(last.started));
    let mut lines = vec![("last", ended, tone(&last.outcome))];
    lines.extend(last.message.clone().map(|message| ("", message, Tone::Plain)));
    lines.push(("push", last.push.clone(), Tone::Plain));
    lines
}
