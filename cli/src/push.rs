//! A push, as its executions tell of it.

use crate::aws::Account;
use crate::error::Error;
use crate::execution::{Execution, Executions, Listed, Status};
use crate::named;
use crate::output::{Document, Tone, cell, count, duration, paragraphs, table, time, who, wrapped};
use crate::report::{self, Deployed, Image, NotDeployed, Outcome, PlannedService};
use ecr_deploy::contract::{ImageConclusion, Plan};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many executions are read at the same time.
const AT_ONCE: usize = 8;
/// Among how many executions of services those of a push are looked for: more than a push has, and those beside it.
const AMONG: usize = 10_000;
/// By so much may the clocks of two executions differ.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// The outcome of a push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Push {
    /// The name of its execution, by which the other commands know it.
    pub push: String,
    /// The ARN of its execution.
    pub execution: String,
    /// The image; `null` where the event tells of none.
    pub image: Option<Image>,
    /// How it stands.
    pub outcome: Outcome,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// Its own message, once it has ended.
    pub message: Option<String>,
    /// The name of its error, where it failed.
    pub error: Option<String>,
    /// Its services, in the order of the plan.
    pub services: Vec<Deployed>,
    /// The skipped services and families.
    pub skipped: Vec<NotDeployed>,
}

/// Reads a push, poll by poll: what has ended is not read again.
#[derive(Debug)]
pub struct Reader<'a> {
    account: &'a Account,
    executions: Executions,
    arn: String,
    plan: Option<Plan>,
    ended: BTreeMap<String, Deployed>,
}

impl<'a> Reader<'a> {
    /// For the execution of deploy-image with this ARN.
    #[must_use]
    pub fn new(account: &'a Account, arn: &str) -> Self {
        Self {
            account,
            executions: Executions(account.sfn()),
            arn: arn.to_owned(),
            plan: None,
            ended: BTreeMap::new(),
        }
    }

    /// How the push stands now.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn read(&mut self) -> Result<Push, Error> {
        let execution = self.executions.read(&self.arn).await?;
        if execution.input["plan"] == true {
            return Err(named::of_plan(&execution));
        }
        let conclusion: Option<ImageConclusion> = match (&execution.output, execution.status) {
            (Some(output), Status::Succeeded) => Some(report::read("the summary of the push", output)?),
            _ => None,
        };
        if self.plan.is_none() {
            self.plan = match self.executions.plan(&self.arn).await {
                // It has begun just now, and its events are not there yet.
                Err(Error::NotFound(_)) if execution.status == Status::Running => None,
                plan => plan?,
            };
        }
        let services = match &self.plan {
            Some(plan) => self.services(&execution, report::planned(plan)).await?,
            None => Vec::new(),
        };
        let skipped = conclusion
            .as_ref()
            .map(|it| &it.skipped)
            .or(self.plan.as_ref().map(|plan| &plan.skipped));
        let skipped = skipped.into_iter().flatten().map(NotDeployed::from).collect();
        let failure = execution.failure.as_ref();
        Ok(Push {
            outcome: report::outcome(&execution, conclusion.as_ref(), &services),
            image: Image::of_event(&execution.input),
            message: conclusion
                .as_ref()
                .map(|it| it.message.clone())
                .or(failure.map(|it| it.message.clone())),
            error: failure.map(|it| it.error.clone()),
            push: execution.name,
            execution: execution.arn,
            started: execution.started,
            ended: execution.ended,
            services,
            skipped,
        })
    }

    /// Each planned service by its newest execution in this push: a redrive gives it another one.
    async fn services(&mut self, push: &Execution, planned: Vec<PlannedService>) -> Result<Vec<Deployed>, Error> {
        let Some(tag) = Image::of_event(&push.input).map(|image| image.tag) else {
            return Ok(Vec::new());
        };
        let name = |it: &PlannedService| report::name_of_execution(&push.arn, &tag, &it.cluster, &it.service);
        let wanted: BTreeMap<String, &PlannedService> = planned.iter().map(|it| (name(it), it)).collect();
        let machine = &self.account.installation.deploy_service;
        let is_of_push = |it: &Listed| wanted.contains_key(base(&it.name));
        let since = push.started - SKEW;
        let (listed, is_cut) = self.executions.list_since(machine, AMONG, since, is_of_push).await?;
        let mut newest: BTreeMap<&str, &Listed> = BTreeMap::new();
        for it in listed.iter().rev() {
            newest.insert(base(&it.name), it);
        }
        let unread = newest
            .iter()
            .filter(|(_, it)| it.status != Status::Running && !self.ended.contains_key(&it.arn));
        let unread = unread.filter_map(|(name, it)| Some((*wanted.get(*name)?, it.arn.as_str())));
        let (unread, executions) = (unread.collect::<Vec<_>>(), &self.executions);
        let read = stream::iter(unread)
            .map(async |(service, arn)| {
                let execution = executions.read(arn).await?;
                let deployed = Deployed::by(&service.cluster, &service.service, &execution);
                Ok::<_, Error>((arn.to_owned(), deployed))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        self.ended.extend(read);
        let behind = wanted
            .into_iter()
            .filter(|(name, _)| is_cut && !newest.contains_key(name.as_str()));
        let behind = self.behind(behind.collect(), push.redrives).await?;
        Ok(planned
            .iter()
            .map(|it| match newest.get(name(it).as_str()) {
                Some(listed) => self.ended.get(&listed.arn).cloned().unwrap_or_else(|| Deployed {
                    outcome: "RUNNING".to_owned(),
                    execution: Some(listed.arn.clone()),
                    ..Deployed::not_started(&it.cluster, &it.service)
                }),
                None => behind
                    .get(&name(it))
                    .cloned()
                    .unwrap_or_else(|| Deployed::not_started(&it.cluster, &it.service)),
            })
            .collect())
    }

    /// The services whose executions are behind those that were listed, by the names of these.
    async fn behind(
        &self,
        services: Vec<(String, &PlannedService)>,
        redrives: u32,
    ) -> Result<BTreeMap<String, Deployed>, Error> {
        let machine = &self.account.installation.deploy_service;
        let read = stream::iter(services).map(async |(name, it)| {
            let execution = self.executions.newest_redriven(machine, &name, redrives).await?;
            let deployed = execution.map(|execution| Deployed::by(&it.cluster, &it.service, &execution));
            Ok::<_, Error>(deployed.map(|deployed| (name, deployed)))
        });
        let read: Vec<_> = read.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Returns the newest poll's message on a service that is being deployed, by the last events of its execution.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn newest_message(&self, execution: &str) -> Result<Option<String>, Error> {
        self.executions.newest_message(execution).await
    }
}

/// The name of a service's execution without the redrive count at its end.
fn base(name: &str) -> &str {
    name.rfind('-').map_or(name, |at| &name[..=at])
}

/// The colour of an outcome.
#[must_use]
pub fn tone(outcome: &str) -> Tone {
    match outcome {
        "DEPLOYED" | "ALREADY_DEPLOYED" => Tone::Good,
        "RUNNING" | "NOT_STARTED" => Tone::Plain,
        "SUPERSEDED"
        | "ROLL_BACK_SUPERSEDED"
        | "ON_HOLD"
        | "HELD"
        | "SERVICE_DELETED"
        | "ROLLED_BACK"
        | "STOPPED"
        | "NOTHING_TO_DEPLOY" => Tone::Notable,
        _ => Tone::Bad,
    }
}

/// Returns a table of the skipped entries, with a title; empty where nothing is skipped.
#[must_use]
pub fn skipped(skipped: &[NotDeployed]) -> String {
    if skipped.is_empty() {
        return String::new();
    }
    let row = |it: &NotDeployed| {
        let more = if it.count > 1 {
            format!(" ({} of them)", it.count)
        } else {
            String::new()
        };
        vec![
            cell(format!("{}{more}", it.resource), Tone::Plain),
            cell(format!("{}: {}", it.reason, it.message), Tone::Notable),
        ]
    };
    format!(
        "Skipped:\n{}",
        table(&["what", "why"], skipped.iter().map(row).collect())
    )
}

impl Document for Push {
    fn text(&self, now: Timestamp) -> String {
        let took = duration(self.started, self.ended.unwrap_or(now));
        let began = match self.ended {
            Some(_) => format!("{}, took {took}", time(self.started)),
            None => format!("{}, for {took}", time(self.started)),
        };
        let image = self.image.as_ref();
        let name = image.map_or_else(|| "no image".to_owned(), Image::name);
        let outcome = self.outcome.name();
        let mut head = vec![
            vec![cell("push", Tone::Plain), cell(&self.push, Tone::Plain)],
            vec![cell("began", Tone::Plain), cell(began, Tone::Plain)],
        ];
        if let Some(image) = image {
            let by = image.by.as_deref().map_or("not told", who);
            head.push(vec![cell("by", Tone::Plain), cell(by, Tone::Plain)]);
            head.push(vec![cell("digest", Tone::Plain), cell(&image.digest, Tone::Plain)]);
        }
        let head = format!("{name}  {outcome}\n{}", table(&[], head));
        let row = |it: &Deployed| {
            vec![
                cell(it.title(), Tone::Plain),
                cell(&it.outcome, tone(&it.outcome)),
                cell(it.message.as_deref().unwrap_or_default(), Tone::Plain),
            ]
        };
        let services = if self.services.is_empty() {
            String::new()
        } else {
            table(
                &["service", "outcome", "message"],
                self.services.iter().map(row).collect(),
            )
        };
        paragraphs([
            head,
            services,
            skipped(&self.skipped),
            wrapped(&self.said()),
            self.advice(false),
        ])
    }
}

impl Push {
    /// How the push ended by its own words, where no row says it: a row tells of a service that failed, or of one that was skipped.
    fn said(&self) -> String {
        let Some(message) = &self.message else {
            return self.error.clone().unwrap_or_default();
        };
        let Some(error) = &self.error else {
            let is_told = self.skipped.iter().any(|it| it.message == *message);
            return if is_told { String::new() } else { message.clone() };
        };
        if error == "Deploy.ServicesFailed" && failures(message).is_some_and(|failures| failures <= self.failed()) {
            return String::new();
        }
        format!("{error}: {message}")
    }

    /// The services that failed.
    fn failed(&self) -> usize {
        self.services.iter().filter(|it| it.has_failed()).count()
    }

    /// Returns the next step for a person, where there is one. A command stands in a line of its own, to be copied. Where its story `is_told`,
    /// `why` has no more to say.
    #[must_use]
    pub fn advice(&self, is_told: bool) -> String {
        let failed =
            |is_so: fn(&Deployed) -> bool| count(self.services.iter().filter(|it| is_so(it)).count(), "service");
        let push = named::short(&self.push);
        // Where no service failed, `why` has no more to tell.
        let (why, retry) = (format!("ecr-deploy why {push}"), format!("ecr-deploy retry {push}"));
        let stories = if is_told { Vec::new() } else { vec![why] };
        let (said, commands) = match self.outcome {
            Outcome::RolledBack => (
                format!(
                    "{} went back to the last good revision. Fix the image and push again, or try it once more:",
                    failed(|it| it.outcome == "Deploy.RolledBack")
                ),
                [stories, vec![retry]].concat(),
            ),
            Outcome::NeedsAttention if self.failed() == 0 => (
                "Look at the service now. A retry asks again whether it is stable, and goes on:".to_owned(),
                vec![retry],
            ),
            Outcome::NeedsAttention => (
                format!(
                    "{} may not be on a good revision. Look now, and once the cause is gone, retry:",
                    failed(Deployed::is_at_risk)
                ),
                [stories, vec![retry]].concat(),
            ),
            Outcome::Refused | Outcome::Failed => self.once_more(retry),
            Outcome::Stopped => ("It goes on with:".to_owned(), vec![retry]),
            Outcome::Held => (
                "Everything was on hold when the next stage was to begin. Lift the hold, then deploy the image once more, or let the sweep \
                 do that:"
                    .to_owned(),
                vec!["ecr-deploy unhold --all".to_owned(), self.deploy()],
            ),
            Outcome::Running | Outcome::Deployed | Outcome::NothingToDeploy | Outcome::Superseded => {
                return String::new();
            }
        };
        format!("{}\n  {}", wrapped(&said), commands.join("\n  "))
    }

    /// The next step where no service failed: a redrive deploys by the plan that was made, so it does not help where that was wrong.
    fn once_more(&self, retry: String) -> (String, Vec<String>) {
        let unchanged = self.services.iter().filter(|it| it.is_unchanged()).count();
        let nothing = match (self.outcome, unchanged) {
            (Outcome::Refused, _) => "Nothing was changed. ".to_owned(),
            (_, 0) => String::new(),
            (_, unchanged) => format!("Not changed: {}. ", count(unchanged, "service")),
        };
        let is_of_plan = match self.error.as_deref() {
            Some("Deploy.InvalidInput" | "Deploy.NotFound") => true,
            _ => self.skipped.iter().any(|it| it.reason == "UNKNOWN_STAGE"),
        };
        match &self.image {
            _ if !is_of_plan => (format!("{nothing}Once the cause is gone:"), vec![retry]),
            None => (
                format!("{nothing}Correct it, then push again, or deploy the image:"),
                vec![self.deploy()],
            ),
            Some(_) => (
                format!("{nothing}A retry does not help. Correct it, then deploy the image once more:"),
                vec![self.deploy()],
            ),
        }
    }

    /// The command that deploys its image once more.
    fn deploy(&self) -> String {
        let image = self.image.as_ref().map_or_else(|| "IMAGE".to_owned(), Image::name);
        format!("ecr-deploy deploy {image}")
    }
}

/// How many failures the error of a push counts, as in "1 of 3 services and 1 of 2 families failed"; `None` where it counts none.
fn failures(message: &str) -> Option<usize> {
    let (counted, _) = message.split_once(" failed")?;
    let words: Vec<&str> = counted.split_whitespace().collect();
    let counts = words
        .windows(2)
        .filter(|it| it[1] == "of")
        .map(|it| it[0].parse::<usize>());
    let counts: Vec<usize> = counts.collect::<Result<_, _>>().ok()?;
    (!counts.is_empty()).then(|| counts.iter().sum())
}

#[cfg(test)]
mod tests;
