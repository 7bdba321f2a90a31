//! `ecr-deploy doctor`: what would keep a push from being deployed, before and after installing. It changes nothing.

mod surroundings;

use crate::arguments::{DoctorArguments, Shared};
use crate::aws::{Account, SignedIn, now};
use crate::commands::hold::all_hold;
use crate::error::Error;
use crate::execution::{Executions, time};
use crate::exit::Exit;
use crate::health::{
    Begun, Bootstrap, Facts, Finding, Level, Repository, RunImage, StoredImage, Subject, commands, findings, sum,
};
use crate::output::{self, Document, Tone, cell, paragraphs, table};
use crate::progress::Progress;
use crate::scope::{Scope, deployable_tags};
use crate::service::revision;
use aws_sdk_ecr::types::{ImageDetail, ImageStatus, ImageTagMutability};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::domain::arn::ClusterName;
use ecr_deploy::domain::hold;
use ecr_deploy::domain::image::EcrRegistry;
use ecr_deploy::domain::service::{Service, ServiceStatus};
use ecr_deploy::domain::task_definition::TaskDefinition;
use ecr_deploy::error::Error as OfAws;
use ecr_deploy::function::config::Config;
use find_task_definitions::stage::Stages;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use surroundings::{Place, Surroundings};

/// How many calls of one kind are under way at once.
const AT_ONCE: usize = 8;
/// The parameter of the CDK's bootstrap stack: <https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html>.
const BOOTSTRAP: &str = "/cdk-bootstrap/hnb659fds/version";
/// Step Functions forgets an execution 90 days after its end. Ten days are kept back, so that no push is called lost that was only
/// forgotten.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(80 * 24);
/// How many pushes are compared with the images at most.
const PUSHES: usize = 5000;

/// The findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Doctor {
    /// The gravest first.
    pub findings: Vec<Finding>,
    /// How many services were looked through.
    pub services: u32,
    /// Everything that could not be read, such as a repository, trails or a parameter, with the reason: it is not checked.
    pub unread: Vec<String>,
}

/// The account as it was read, be ecr-deploy installed or not.
struct Read {
    clusters: Vec<ClusterName>,
    services: Vec<Subject>,
    missing_clusters: Vec<String>,
    repositories: BTreeMap<String, Repository>,
    unread: Vec<String>,
}

/// The part of the facts that an installation tells.
#[derive(Default)]
struct Told {
    all_on_hold: Option<String>,
    pushes: Vec<Begun>,
    known_since: Option<Timestamp>,
}

impl Told {
    async fn read(account: &Account, at: Timestamp, unread: &mut Vec<String>) -> Result<Self, Error> {
        let all_on_hold = told(unread, "hold", all_hold(account).await)?.flatten();
        let begun = told(unread, "executions", pushes(account, at).await)?;
        let (pushes, known_since) = begun.unwrap_or_default();
        Ok(Self {
            all_on_hold,
            pushes,
            known_since,
        })
    }
}

/// Reads everything, and says what it found.
pub(crate) async fn run(shared: &Shared, arguments: &DoctorArguments) -> Result<Exit, Error> {
    let signed_in = SignedIn::new(shared).await?;
    let account = installed(&signed_in, &shared.stack).await?;
    let progress = Progress::new("reading services");
    let settings = account
        .as_ref()
        .map_or_else(Config::default, |it| it.installation.settings.clone());
    let known = known(&signed_in, account.as_ref()).await?;
    let here = signed_in.registry(&known)?;
    let read = read(&signed_in, &settings, &here, &progress).await?;
    progress.say("reading schedules and quotas".to_owned());
    let installation = account.as_ref().map(|it| &it.installation);
    let trigger = installation.and_then(|it| it.trigger.as_deref());
    let place = Place {
        known: &known,
        here: &here,
        clusters: &read.clusters,
        trigger,
    };
    let around = Surroundings::read(&signed_in, &place).await;
    progress.say("reading executions".to_owned());
    let (at, mut unread) = (now(), [read.unread, around.unread].concat());
    let told_there = match &account {
        Some(account) => Told::read(account, at, &mut unread).await?,
        None => Told::default(),
    };
    let bootstrap = told(&mut unread, "bootstrap", bootstrap(&signed_in).await)?;
    let given = (!arguments.pass_role.is_empty()).then_some(arguments.pass_role.as_slice());
    let clusters: Vec<String> = settings.clusters.iter().map(ToString::to_string).collect();
    let stages = Stages::read(&settings)?;
    let scope = Scope {
        here: &here,
        settings: &settings,
        stages: &stages,
    };
    let kept_out = kept_out(&read.services, &scope);
    let facts = Facts {
        bootstrap: bootstrap.unwrap_or(Bootstrap::NotRead),
        is_installed: account.is_some(),
        known_since: told_there.known_since,
        trigger,
        pass_roles: given.or(installation.and_then(|it| it.pass_roles.as_deref())),
        stages: &stages,
        clusters: &clusters,
        missing_clusters: &read.missing_clusters,
        all_on_hold: told_there.all_on_hold.as_deref().and_then(|text| hold::hold(text, at)),
        services: &read.services,
        repositories: &read.repositories,
        kept_out: &kept_out,
        pushes: &told_there.pushes,
        trails: around.trails.as_deref(),
        schedules: &around.schedules,
        quotas: &around.quotas,
        now: at,
    };
    let document = document(&facts, unread);
    drop(progress);
    output::print(shared.output, &document, at)?;
    Ok(exit(&document.findings))
}

/// An ARN of the account and the region.
async fn known(signed_in: &SignedIn, account: Option<&Account>) -> Result<String, Error> {
    match account {
        Some(account) => Ok(account.installation.deploy_image.clone()),
        None => signed_in.caller().await,
    }
}

fn document(facts: &Facts<'_>, unread: Vec<String>) -> Doctor {
    Doctor {
        findings: findings(facts),
        services: u32::try_from(facts.services.len()).unwrap_or(u32::MAX),
        unread,
    }
}

/// The repositories that services run and that the settings keep from being deployed.
fn kept_out(services: &[Subject], scope: &Scope<'_>) -> BTreeSet<String> {
    let run = services.iter().flat_map(|it| &it.images).map(|it| &it.repository);
    let is_kept_out = |it: &&String| it.parse().is_ok_and(|it| !scope.has_repository(&it));
    run.filter(is_kept_out).cloned().collect()
}

/// An error among the findings is told by the exit code, too.
fn exit(findings: &[Finding]) -> Exit {
    let is_grave = findings.iter().any(|it| it.level == Level::Error);
    if is_grave { Exit::Ill } else { Exit::Done }
}

/// The installation, where there is one.
async fn installed(signed_in: &SignedIn, stack: &str) -> Result<Option<Account>, Error> {
    match Account::of(signed_in.clone(), stack).await {
        Ok(account) => Ok(Some(account)),
        Err(Error::NoInstallation { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the services of the clusters of the settings, or of all, and the repositories that they run.
async fn read(signed_in: &SignedIn, settings: &Config, here: &EcrRegistry, progress: &Progress) -> Result<Read, Error> {
    let ecs = signed_in.reader();
    let clusters = if settings.clusters.is_empty() {
        ecs.clusters().await?
    } else {
        settings.clusters.clone()
    };
    let (services, missing_clusters) = services(&ecs, &clusters).await?;
    let revisions: BTreeSet<&str> = services.iter().filter_map(revision).collect();
    progress.say(format!("reading {}", output::count(revisions.len(), "revision")));
    let definitions =
        stream::iter(revisions).map(async |revision| match ecs.describe_task_definition(revision).await {
            Ok(definition) => Ok(Some((revision.to_owned(), definition))),
            Err(OfAws::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        });
    let definitions: Vec<_> = definitions.buffer_unordered(AT_ONCE).try_collect().await?;
    let definitions: BTreeMap<String, TaskDefinition> = definitions.into_iter().flatten().collect();
    let now = now();
    let subjects = services.iter().filter_map(|service| {
        let definition = definitions.get(revision(service)?)?;
        Some(subject(service, definition, here, now))
    });
    let subjects: Vec<Subject> = subjects.filter(|subject| !subject.images.is_empty()).collect();
    let names: BTreeSet<String> = subjects
        .iter()
        .flat_map(|it| &it.images)
        .map(|it| it.repository.clone())
        .collect();
    progress.say("reading images".to_owned());
    let read = stream::iter(names).map(async |name| (name.clone(), repository(signed_in, &name).await));
    let (mut repositories, mut unread) = (BTreeMap::new(), Vec::new());
    for (name, read) in read.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
        match read {
            Ok(repository) => drop(repositories.insert(name, repository)),
            Err(OfAws::Rejected(message)) => unread.push(format!("{name}: {message}")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Read {
        clusters,
        services: subjects,
        missing_clusters,
        repositories,
        unread,
    })
}

/// The services of clusters, and the clusters that are not there.
async fn services(ecs: &Ecs, clusters: &[ClusterName]) -> Result<(Vec<Service>, Vec<String>), Error> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for cluster in clusters {
        let mut batches = pin!(ecs.services(cluster));
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(batch) => found.extend(batch.services),
                Err(OfAws::NotFound(_)) => missing.push(cluster.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
    }
    found.retain(|it| it.status == ServiceStatus::Active);
    Ok((found, missing))
}

fn subject(service: &Service, definition: &TaskDefinition, here: &EcrRegistry, now: Timestamp) -> Subject {
    let of_here = definition.images().filter(|(_, image)| image.registry() == Some(here));
    let image = |image: &ecr_deploy::domain::image::ImageReference| RunImage {
        repository: image.repository().to_string(),
        tag: image.tag().map(ToString::to_string),
        digest: definition
            .recorded_digest(image.repository())
            .as_ref()
            .or(image.digest())
            .map(ToString::to_string),
    };
    let hold = service.tags.hold.as_deref().and_then(|text| hold::hold(text, now));
    Subject {
        cluster: service.cluster.to_string(),
        service: service.name.to_string(),
        family: definition.arn().family().to_owned(),
        revision: definition.arn().short().to_owned(),
        roles: definition.roles().map(|role| role_arn(&role, definition)).collect(),
        images: of_here.map(|(_, reference)| image(reference)).collect(),
        stage: service.tags.stage.clone(),
        hold: hold.map(str::to_owned),
        controller: service.controller,
        has_hooks: service.has_lifecycle_hooks,
    }
}

/// The ARN of a role, which a task definition may call by its name alone.
fn role_arn(role: &str, of: &TaskDefinition) -> String {
    if role.starts_with("arn:") {
        return role.to_owned();
    }
    let part = |place| of.arn().as_str().split(':').nth(place).unwrap_or_default();
    format!("arn:{}:iam::{}:role/{role}", part(1), part(4))
}

async fn repository(signed_in: &SignedIn, name: &str) -> Result<Repository, OfAws> {
    let ecr = signed_in.ecr();
    let described = ecr.describe_repositories().repository_names(name).send().await;
    let described = match described.map_err(|error| OfAws::from_aws(&format!("DescribeRepositories of {name}"), &error))
    {
        Ok(described) => described.repositories.unwrap_or_default().into_iter().next(),
        // The services run on, and their repository is gone.
        Err(OfAws::NotFound(_)) => return Ok(Repository::default()),
        Err(error) => return Err(error),
    };
    let request = ecr.describe_images().repository_name(name);
    let details: Result<Vec<ImageDetail>, _> = request.into_paginator().items().send().collect().await;
    let details = details.map_err(|error| OfAws::from_aws(&format!("DescribeImages of {name}"), &error))?;
    let stored = |it: ImageDetail| {
        Some(StoredImage {
            deployable: deployable_tags(&it),
            digest: it.image_digest?,
            tags: it.image_tags.unwrap_or_default(),
            pushed_at: it.image_pushed_at.as_ref().map(time)?,
            is_archived: it.image_status == Some(ImageStatus::Archived),
            is_restoring: it.image_status == Some(ImageStatus::Activating),
        })
    };
    let mutability = described.and_then(|it| it.image_tag_mutability);
    let is_mutable = |it: ImageTagMutability| {
        matches!(
            it,
            ImageTagMutability::Mutable | ImageTagMutability::MutableWithExclusion
        )
    };
    Ok(Repository {
        is_mutable: mutability.map(is_mutable),
        images: details.into_iter().filter_map(stored).collect(),
    })
}

/// The pushes that are remembered, and since when each is among them: the stack is older, and so may the list be that is cut.
async fn pushes(account: &Account, now: Timestamp) -> Result<(Vec<Begun>, Option<Timestamp>), Error> {
    let remembered = now.saturating_sub(REMEMBERED).unwrap_or(now);
    let since = account.installed_at.map_or(remembered, |at| at.max(remembered));
    let machine = &account.installation.deploy_image;
    let executions = Executions(account.sfn());
    let listed = executions
        .list(machine, (usize::MAX, PUSHES), Some(since), |_| true)
        .await?;
    let is_cut = listed.len() == PUSHES;
    let oldest = listed.last().filter(|_| is_cut).map_or(since, |it| it.started);
    let begun = listed.into_iter().map(|it| Begun {
        name: it.name,
        at: it.started,
    });
    Ok((begun.collect(), Some(oldest)))
}

/// The bootstrap stack.
async fn bootstrap(signed_in: &SignedIn) -> Result<Bootstrap, Error> {
    let version = signed_in.parameters().get(BOOTSTRAP).await?;
    let version = version.and_then(|version| version.value.trim().parse().ok());
    Ok(version.map_or(Bootstrap::Missing, Bootstrap::Version))
}

/// Something that was read; `None` where AWS refuses to tell it, which is said beside the findings of all else.
fn told<T>(unread: &mut Vec<String>, of: &str, read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::Rejected(message)) => {
            unread.push(format!("{of}: {message}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Document for Doctor {
    fn text(&self, _: Timestamp) -> String {
        let row = |it: &Finding| {
            let tone = match it.level {
                Level::Error => Tone::Bad,
                Level::Warning => Tone::Notable,
                Level::Note => Tone::Plain,
            };
            vec![
                cell(it.level.name(), tone),
                cell(&it.check, Tone::Plain),
                cell(format!("{}.\nFix: {}", it.message, it.shown_fix()), Tone::Plain),
            ]
        };
        let found = if self.findings.is_empty() {
            String::new()
        } else {
            table(&["level", "check", "finding"], self.findings.iter().map(row).collect())
        };
        let unread = self
            .unread
            .iter()
            .map(|it| output::wrapped(&format!("Not read: {it}")))
            .collect::<Vec<_>>()
            .join("\n");
        let sum = format!(
            "{} {} an image of this account's ECR. {}.",
            output::count(self.services as usize, "service"),
            if self.services == 1 { "runs" } else { "run" },
            sum(&self.findings)
        );
        paragraphs([found, commands(&self.findings), unread, sum])
    }
}
