//! `ecr-deploy why PUSH`: the story of a push, and of each service that failed in it.

use crate::arguments::{Shared, WhyArguments};
use crate::aws::{Account, now};
use crate::error::Error;
use crate::execution::Executions;
use crate::exit::Exit;
use crate::logs::{self, Log, LogPlace};
use crate::named::{self, Found};
use crate::output::{self, Document, Tone, cell, duration, paragraphs, printable, table, time, wrapped};
use crate::progress::Progress;
use crate::push::{Push, Reader, skipped, tone};
use crate::report::{Deployed, Outcome};
use crate::story::{self, Step};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many services a push's story tells of, where none is named.
const MOST: usize = 5;

/// Why a push ended as it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Why {
    /// The push; `null` for an execution of deploy-service that is part of none: somebody took a service back by it.
    pub push: Option<Push>,
    /// The stories of the service that was named, or of the first services that failed.
    pub stories: Vec<Story>,
}

/// The story of one service in a push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Story {
    /// How it ended.
    pub deployed: Deployed,
    /// When its execution began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// Step by step, and poll by poll where a poll says something new.
    pub steps: Vec<Step>,
    /// The log of the first task that crashed, where it is known.
    pub log: Option<Log>,
}

/// Tells it.
pub(crate) async fn run(shared: &Shared, arguments: &WhyArguments) -> Result<Exit, Error> {
    let account = Account::open(shared).await?;
    let executions = Executions(account.sfn());
    let progress = Progress::new("reading executions");
    let (push, services) = match named::execution(&account, &executions, &arguments.push).await? {
        Found::Push(arn) => of_push(&account, &arn, arguments.service.as_deref()).await?,
        Found::Service(arn) => {
            let it = executions.read(&arn).await?;
            let (cluster, service) = it.service();
            match it.push() {
                Some(push) => of_push(&account, push, Some(&format!("{cluster}/{service}"))).await?,
                None => (None, vec![Deployed::by(&cluster, &service, &it)]),
            }
        }
    };
    let mut stories = Vec::new();
    for service in services {
        stories.extend(story(&account, &executions, service).await?);
    }
    drop(progress);
    output::print(shared.output, &Why { push, stories }, now())?;
    Ok(Exit::Done)
}

/// A push, and its services whose stories are told.
async fn of_push(account: &Account, arn: &str, wanted: Option<&str>) -> Result<(Option<Push>, Vec<Deployed>), Error> {
    let push = Reader::new(account, arn).read().await?;
    let services = chosen(&push, wanted)?.into_iter().cloned().collect();
    Ok((Some(push), services))
}

/// The story of a service; `None` where it has no execution.
async fn story(account: &Account, executions: &Executions, deployed: Deployed) -> Result<Option<Story>, Error> {
    let Some(execution) = &deployed.execution else {
        return Ok(None);
    };
    let started = executions.read(execution).await?.started;
    let steps = story::steps(started, &executions.history(execution).await?);
    let message = deployed.message.as_deref();
    let log = match message.and_then(|it| LogPlace::of_message(it, &account.region)) {
        Some(place) => Some(logs::read(&account.calls(&place.region), place, execution).await),
        None => None,
    };
    Ok(Some(Story {
        deployed,
        started,
        steps,
        log,
    }))
}

/// The services whose stories are told.
fn chosen<'a>(push: &'a Push, wanted: Option<&str>) -> Result<Vec<&'a Deployed>, Error> {
    let Some(wanted) = wanted else {
        return Ok(push.services.iter().filter(|it| it.has_failed()).take(MOST).collect());
    };
    let found: Vec<_> = push
        .services
        .iter()
        .filter(|it| it.title() == wanted || it.service == wanted)
        .collect();
    if found.is_empty() {
        let there: Vec<_> = push.services.iter().map(Deployed::title).collect();
        return Err(Error::NotFound(format!(
            "the push {} is not deployed to a service {wanted}. Its services: {}",
            push.push,
            match (there.is_empty(), push.outcome) {
                (true, Outcome::Running) => "none yet".to_owned(),
                (true, _) => "none".to_owned(),
                (false, _) => there.join(", "),
            }
        )));
    }
    Ok(found)
}

impl Document for Why {
    fn text(&self, now: Timestamp) -> String {
        let stories = self.stories.iter().map(Story::text);
        let Some(push) = &self.push else {
            return paragraphs(
                stories.chain(["It is part of no push: somebody took the service back by it.".to_owned()]),
            );
        };
        if self.stories.is_empty() {
            return push.text(now);
        }
        let failed = push.services.iter().filter(|it| it.has_failed()).count();
        let more = failed.saturating_sub(self.stories.len());
        let more = match push.outcome {
            Outcome::RolledBack | Outcome::NeedsAttention if more > 0 => {
                format!("{more} more failed. Name one: ecr-deploy why {} SERVICE", push.push)
            }
            _ => String::new(),
        };
        let image = push.image.as_ref().map(crate::report::Image::name).unwrap_or_default();
        let head = format!("{image}  {}\npush {}", push.outcome.name(), push.push);
        let more = wrapped(&more);
        paragraphs(
            std::iter::once(head)
                .chain(stories)
                .chain([skipped(&push.skipped), more]),
        )
    }
}

impl Story {
    fn text(&self) -> String {
        let row = |it: &Step| {
            let tone = if it.error.is_some() { Tone::Bad } else { Tone::Plain };
            let said = it
                .error
                .as_ref()
                .map_or(it.message.clone(), |error| format!("{error}: {}", it.message));
            vec![
                cell(duration(self.started, it.at), Tone::Plain),
                cell(&it.state, Tone::Plain),
                cell(said, tone),
            ]
        };
        let head = table(
            &["service", "outcome", "began"],
            vec![vec![
                cell(self.deployed.title(), Tone::Plain),
                cell(&self.deployed.outcome, tone(&self.deployed.outcome)),
                cell(time(self.started), Tone::Plain),
            ]],
        );
        let steps = table(
            &["after", "step", "what happened"],
            self.steps.iter().map(row).collect(),
        );
        paragraphs([head, steps, self.log.as_ref().map(last_words).unwrap_or_default()])
    }
}

/// The last lines of a log, or why there are none.
fn last_words(log: &Log) -> String {
    let LogPlace { group, stream, .. } = &log.place;
    let of = format!("log stream {stream} of log group {group}");
    if let Some(unread) = &log.unread {
        return wrapped(&format!("Without the lines of {of}: {unread}."));
    }
    let lines = log.lines.iter().map(|line| {
        vec![
            cell(line.at.strftime("%H:%M:%S%.3f"), Tone::Plain),
            cell(printable(&line.text), Tone::Plain),
        ]
    });
    let head = wrapped(&format!("The last lines of the first task that crashed, {of}:"));
    format!("{head}\n{}", table(&["utc", "line"], lines.collect()))
}
