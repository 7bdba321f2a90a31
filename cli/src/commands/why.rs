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
        let image = push.image.as_ref().map(crate::report::Image::name).unwrap_or_default();
        let head = format!("{image}  {}\npush {}", push.outcome.name(), push.push);
        paragraphs(std::iter::once(head).chain(stories).chain([
            skipped(&push.skipped),
            self.more(push),
            push.advice(true),
        ]))
    }
}

impl Why {
    /// The services of a push whose stories are not told, where there may be more to know of them; empty where there are none.
    fn more(&self, push: &Push) -> String {
        let is_told = |it: &&Deployed| self.stories.iter().any(|story| story.deployed.title() == it.title());
        let rest: Vec<&Deployed> = push.services.iter().filter(|it| !is_told(it)).collect();
        let counted = |is_so: &dyn Fn(&Deployed) -> bool, what: &str| {
            let number = rest.iter().filter(|it| is_so(it)).count();
            (number > 0).then(|| format!("{number} more {what}"))
        };
        let said: Vec<String> = [
            counted(&Deployed::has_failed, "failed"),
            counted(&|it| it.outcome == "RUNNING", "being deployed"),
            counted(&|it| it.outcome == "NOT_STARTED", "not started"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if said.is_empty() {
            return String::new();
        }
        let how = wrapped(&format!("{}. The story of one:", said.join(", ")));
        format!("{how}\n  ecr-deploy why {} SERVICE", named::short(&push.push))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The story of the first of the services of a push, which ended so.
    fn told_of(outcome: Outcome, outcomes: &[&str]) -> String {
        let at = Timestamp::UNIX_EPOCH;
        let deployed = |number: usize, outcome: &str| Deployed {
            outcome: outcome.to_owned(),
            ..Deployed::not_started("production", &format!("web-{number}"))
        };
        let services: Vec<Deployed> = (0..).zip(outcomes).map(|(number, it)| deployed(number, it)).collect();
        let story = Story {
            deployed: services[0].clone(),
            started: at,
            steps: Vec::new(),
            log: None,
        };
        let push = Push {
            push: "shop-web-v2-6a69650c-1fc1-4eb1-8c94-cfb37be29cff".to_owned(),
            execution: String::new(),
            image: None,
            outcome,
            started: at,
            ended: None,
            message: None,
            error: None,
            services,
            skipped: Vec::new(),
        };
        let why = Why {
            push: Some(push),
            stories: vec![story],
        };
        why.text(at)
    }

    #[test]
    fn services_whose_stories_are_not_told_are_counted_whatever_came_of_the_push() {
        let (told, retry) = ("ecr-deploy why 6a69650c SERVICE", "ecr-deploy retry 6a69650c");
        for (outcome, outcomes, expected) in [
            (Outcome::RolledBack, vec!["Deploy.RolledBack"], vec![retry]),
            (
                Outcome::RolledBack,
                vec!["Deploy.RolledBack", "Deploy.RolledBack", "NOT_STARTED"],
                vec!["1 more failed, 1 more not started.", told, retry],
            ),
            (
                Outcome::Stopped,
                vec!["STOPPED", "STOPPED", "Deploy.RolledBack"],
                vec!["2 more failed.", told, retry],
            ),
            (
                Outcome::Running,
                vec!["Deploy.RolledBack", "RUNNING", "Deploy.RolledBack"],
                vec!["1 more failed, 1 more being deployed.", told],
            ),
            (
                Outcome::Failed,
                vec!["Deploy.Rejected", "Deploy.Rejected"],
                vec!["1 more failed.", told, retry],
            ),
        ] {
            let text = told_of(outcome, &outcomes);
            for expected in &expected {
                assert!(text.contains(expected), "no {expected:?} in:\n{text}");
            }
            assert_eq!(text.contains(told), expected.contains(&told), "{text}");
        }
    }
}
