//! `ecr-deploy why PUSH`: the story of a push, and of each service that failed in it.

use crate::arguments::{Shared, WhyArguments};
use crate::aws::{Account, now};
use crate::error::Error;
use crate::execution::{Execution, Executions};
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
    /// The push.
    pub push: Push,
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
    let (arn, wanted) = match named::execution(&account, &executions, &arguments.push).await? {
        Found::Push(arn) => (arn, arguments.service.clone()),
        Found::Service(arn) => {
            let it = executions.read(&arn).await?;
            (parent(&it)?, Some(title(&it)))
        }
    };
    let push = Reader::new(&account, &arn).read().await?;
    let mut stories = Vec::new();
    for service in chosen(&push, wanted.as_deref())? {
        let Some(execution) = &service.execution else { continue };
        let started = executions.read(execution).await?.started;
        let steps = story::steps(started, &executions.history(execution).await?);
        let log = match service
            .message
            .as_deref()
            .and_then(|it| LogPlace::of_message(it, &account.region))
        {
            Some(place) => {
                let calls = account.calls(&place.region);
                Some(logs::read(&calls, place, execution).await)
            }
            None => None,
        };
        let deployed = service.clone();
        stories.push(Story {
            deployed,
            started,
            steps,
            log,
        });
    }
    drop(progress);
    output::print(shared.output, &Why { push, stories }, now())?;
    Ok(Exit::Done)
}

/// The ARN of the push that an execution of a service is of.
fn parent(execution: &Execution) -> Result<String, Error> {
    let parent = execution.input["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"].as_str();
    parent.map(str::to_owned).ok_or_else(|| {
        let name = title(execution);
        Error::NotFound(format!(
            "{} is part of no push: somebody took {name} back by it. ecr-deploy status {name} tells how that ended",
            execution.name
        ))
    })
}

fn title(execution: &Execution) -> String {
    let text = |member: &str| execution.input[member].as_str().unwrap_or_default();
    format!("{}/{}", text("cluster"), text("service"))
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
        if self.stories.is_empty() {
            return self.push.text(now);
        }
        let failed = self.push.services.iter().filter(|it| it.has_failed()).count();
        let more = failed.saturating_sub(self.stories.len());
        let more = match self.push.outcome {
            Outcome::RolledBack | Outcome::NeedsAttention if more > 0 => {
                format!(
                    "{more} more failed. Name one: ecr-deploy why {} SERVICE",
                    self.push.push
                )
            }
            _ => String::new(),
        };
        let image = self
            .push
            .image
            .as_ref()
            .map(crate::report::Image::name)
            .unwrap_or_default();
        let head = format!("{image}  {}\npush {}", self.push.outcome.name(), self.push.push);
        let more = wrapped(&more);
        let stories = self.stories.iter().map(Story::text);
        paragraphs(
            std::iter::once(head)
                .chain(stories)
                .chain([skipped(&self.push.skipped), more]),
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
