//! The report of a push by its execution: pure, over executions that were read.

use crate::error::Error;
use crate::execution::{Execution, Failure, Status};
use crate::exit::Exit;
use aws_sdk_sfn::types::HistoryEvent;
use ecr_deploy::contract::{
    ImageConclusion, Plan, PlannedRevision, ServiceConclusion, ServiceOutcome, SkipReason, Skipped,
};
use ecr_deploy::domain::push::name::in_a_name;
use ecr_deploy::domain::push::{Push as Told, PushedImage, parse_push};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::{Digest, Sha1};

/// The state of deploy-image that returns the plan.
const FIND: &str = "Find task definitions";

/// An image that was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Its repository.
    pub repository: String,
    /// The tag that was pushed.
    pub tag: String,
    /// Its digest.
    pub digest: String,
    /// When it was pushed.
    #[schemars(with = "String")]
    pub pushed_at: Timestamp,
    /// Who pushed it: an ARN, where the event tells it.
    pub by: Option<String>,
}

impl From<&PushedImage> for Image {
    fn from(image: &PushedImage) -> Self {
        Self {
            repository: image.repository.to_string(),
            tag: image.tag.to_string(),
            digest: image.digest.to_string(),
            pushed_at: image.push.at(),
            by: image.by.as_ref().map(ToString::to_string),
        }
    }
}

impl Image {
    /// The image of an event, if it tells of one.
    #[must_use]
    pub fn of_event(event: &Value) -> Option<Self> {
        match parse_push(event).ok()? {
            Told::Tagged(image) | Told::Untold(image) => Some(Self::from(&image)),
            Told::Nothing(_) => None,
        }
    }

    /// `shop/web:v2`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

/// Something that is not deployed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotDeployed {
    /// The service or family: `web in production`.
    pub resource: String,
    /// Why, for a program: docs/operations.md lists the reasons.
    pub reason: String,
    /// Why, for a person.
    pub message: String,
    /// How many it stands for.
    pub count: u32,
}

impl From<&Skipped> for NotDeployed {
    fn from(skipped: &Skipped) -> Self {
        let reason = serde_json::to_value(skipped.reason).ok();
        Self {
            resource: skipped.resource.clone(),
            reason: reason.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
            message: skipped.message.clone(),
            count: skipped.count,
        }
    }
}

/// A service that a push is deployed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedService {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// The stage that owns it, where the plan was asked for alone.
    pub stage: Option<String>,
    /// The revision that it runs, `web:41`, of which the new one is made.
    pub from: String,
    /// In which wave: 1 goes at once, each later one when all before it is stable.
    pub wave: u32,
    /// How many seconds what was deployed before must stay stable first.
    pub soak_seconds: u32,
}

impl PlannedService {
    /// `production/web`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.cluster, self.service)
    }
}

/// The services of a plan, wave by wave.
#[must_use]
pub fn planned(plan: &Plan) -> Vec<PlannedService> {
    let first = std::iter::once((0, plan.revisions.as_slice()));
    let waves = first.chain(plan.later.iter().map(|wave| (wave.soak, wave.revisions.as_slice())));
    (1..)
        .zip(waves)
        .flat_map(|(wave, (soak, revisions))| revisions.iter().flat_map(move |of| services(of, wave, soak)))
        .collect()
}

fn services(revision: &PlannedRevision, wave: u32, soak_seconds: u32) -> impl Iterator<Item = PlannedService> {
    revision.services.iter().map(move |it| PlannedService {
        cluster: it.cluster.to_string(),
        service: it.service.to_string(),
        stage: it.stage.as_ref().map(ToString::to_string),
        from: revision.task_definition.to_string(),
        wave,
        soak_seconds,
    })
}

/// The families without a service in a plan, each by the revision that the new one is made of.
#[must_use]
pub fn families(plan: &Plan) -> Vec<String> {
    let revisions = plan
        .revisions
        .iter()
        .chain(plan.later.iter().flat_map(|wave| &wave.revisions));
    let without = revisions.filter(|revision| revision.services.is_empty());
    without.map(|revision| revision.task_definition.to_string()).collect()
}

/// Reads an output.
///
/// # Errors
///
/// [`Error::OtherVersion`].
pub fn read<T: serde::de::DeserializeOwned>(what: &str, output: &Value) -> Result<T, Error> {
    serde_json::from_value(output.clone()).map_err(|problem| Error::other_version(what, problem))
}

/// The plan of a push by events of its execution; `None` where they do not tell of it.
///
/// # Errors
///
/// [`Error::OtherVersion`], also where it is made and the event does not have it.
pub fn plan(events: &[HistoryEvent]) -> Result<Option<Plan>, Error> {
    let mut exited = events.iter().filter_map(HistoryEvent::state_exited_event_details);
    let Some(found) = exited.find(|it| it.name() == FIND) else {
        return Ok(None);
    };
    let output = serde_json::from_str(found.output().unwrap_or_default());
    let output: Value = output.map_err(|problem| Error::other_version("the plan", problem))?;
    read("the plan", &output).map(Some)
}

/// The name of the execution of a service in a push, without the redrive count at its end: as the expression
/// `x-expressions.nameOfExecution` of `deploy-image.asl.yaml` makes it.
#[must_use]
pub fn name_of_execution(push: &str, tag: &str, cluster: &str, service: &str) -> String {
    let first = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let hash = Sha1::digest(format!("{push}/{cluster}/{service}"));
    let hash = hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!(
        "{}-{}-{}-",
        first(service, 40),
        first(&in_a_name(tag), 20),
        first(&hash, 10)
    )
}

/// The outcome of a service in a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployed {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// `DEPLOYED` and the other outcomes of docs/operations.md, the error's name where it failed, `RUNNING`, `STOPPED`, or
    /// `NOT_STARTED`.
    pub outcome: String,
    /// Its message, if any.
    pub message: Option<String>,
    /// The ARN of its execution, if it has one.
    pub execution: Option<String>,
}

impl Deployed {
    /// One that has no execution, or none that is known.
    #[must_use]
    pub fn not_started(cluster: &str, service: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            service: service.to_owned(),
            outcome: "NOT_STARTED".to_owned(),
            message: None,
            execution: None,
        }
    }

    /// By the execution of the service, as it was read.
    #[must_use]
    pub fn by(cluster: &str, service: &str, execution: &Execution) -> Self {
        let concluded = execution
            .output
            .as_ref()
            .and_then(|output| read::<ServiceConclusion>("", output).ok());
        let (outcome, message) = match (execution.status, concluded, &execution.failure) {
            (Status::Succeeded, Some(it), _) => (it.outcome.map(name), Some(it.message)),
            (Status::Failed, _, Some(Failure { error, message })) => (Some(error.clone()), Some(message.clone())),
            (Status::Stopped, ..) => (Some("STOPPED".to_owned()), None),
            (Status::Running, ..) => (Some("RUNNING".to_owned()), None),
            _ => (None, None),
        };
        Self {
            outcome: outcome.unwrap_or_else(|| "UNKNOWN".to_owned()),
            message,
            execution: Some(execution.arn.clone()),
            ..Self::not_started(cluster, service)
        }
    }

    /// `production/web`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}/{}", self.cluster, self.service)
    }

    /// True if it ended with an error, or was stopped.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.outcome.contains('.') || self.outcome == "STOPPED"
    }

    /// True if it failed before anything of it was changed. A service's execution ends with one of these errors only where no update was
    /// made: after one, it tells of the rollback.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        ["Deploy.Rejected", "Deploy.NotFound", "Deploy.InvalidInput"].contains(&self.outcome.as_str())
    }

    /// True if it failed, and may not be on a good revision.
    #[must_use]
    pub fn is_at_risk(&self) -> bool {
        self.has_failed() && !self.is_unchanged() && self.outcome != "Deploy.RolledBack"
    }
}

/// The name of an outcome: `DEPLOYED`.
fn name(outcome: ServiceOutcome) -> String {
    let name = serde_json::to_value(outcome).ok();
    name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// How a push ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// It goes on.
    Running,
    /// Every service of it runs the image, stable.
    Deployed,
    /// Everything is skipped.
    NothingToDeploy,
    /// Nothing failed, but another deployment took over at a service.
    Superseded,
    /// Nothing failed, but everything was on hold when a later wave of it was to begin: the services of that were not reached.
    Held,
    /// It failed. Every service that failed is back on its last good revision, or was not changed.
    RolledBack,
    /// It failed, and a service may not be on a good revision, or is not stable any more.
    NeedsAttention,
    /// It failed before it changed anything.
    Refused,
    /// It failed, and no service was changed by what failed: the message says why.
    Failed,
    /// Somebody stopped it.
    Stopped,
}

impl Outcome {
    /// Its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Deployed => "DEPLOYED",
            Self::NothingToDeploy => "NOTHING_TO_DEPLOY",
            Self::Superseded => "SUPERSEDED",
            Self::Held => "HELD",
            Self::RolledBack => "ROLLED_BACK",
            Self::NeedsAttention => "NEEDS_ATTENTION",
            Self::Refused => "REFUSED",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
        }
    }

    /// The exit code of a command that followed such a push.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Deployed | Self::Running => Exit::Done,
            Self::NothingToDeploy | Self::Held => Exit::NothingToDeploy,
            Self::Superseded => Exit::Superseded,
            Self::RolledBack => Exit::RolledBack,
            Self::NeedsAttention => Exit::NeedsAttention,
            Self::Refused | Self::Failed => Exit::Failed,
            Self::Stopped => Exit::Stopped,
        }
    }
}

/// How a push stands, by its execution and, where that failed, what is known of its services.
#[must_use]
pub fn outcome(push: &Execution, conclusion: Option<&ImageConclusion>, services: &[Deployed]) -> Outcome {
    match (push.status, conclusion) {
        (Status::Running, _) => Outcome::Running,
        (Status::Stopped, _) => Outcome::Stopped,
        (Status::Succeeded, Some(it)) if it.services.is_empty() && it.families.is_empty() => Outcome::NothingToDeploy,
        (Status::Succeeded, Some(it)) if it.services.iter().any(|it| is_replaced(it.outcome)) => Outcome::Superseded,
        // A hold of everything at its begin would have left nothing to deploy: a later wave met this one.
        (Status::Succeeded, Some(it)) if it.skipped.iter().any(|it| it.reason == SkipReason::AllOnHold) => {
            Outcome::Held
        }
        (Status::Succeeded, _) => Outcome::Deployed,
        (Status::Failed, _) => failed(push, services),
    }
}

/// How a push failed, by the services that did.
fn failed(push: &Execution, services: &[Deployed]) -> Outcome {
    let error = push.failure.as_ref().map_or("", |failure| failure.error.as_str());
    if services.iter().any(Deployed::is_at_risk) {
        return Outcome::NeedsAttention;
    }
    if services.iter().any(|it| it.outcome == "Deploy.RolledBack") {
        return Outcome::RolledBack;
    }
    let has_begun = services.iter().any(|it| it.execution.is_some());
    match error {
        "Deploy.NotStable" => Outcome::NeedsAttention,
        "Deploy.ServicesFailed" => Outcome::Failed,
        _ if has_begun => Outcome::Failed,
        // It ended with the plan.
        _ => Outcome::Refused,
    }
}

fn is_replaced(outcome: ServiceOutcome) -> bool {
    matches!(outcome, ServiceOutcome::Superseded | ServiceOutcome::RollBackSuperseded)
}

/// The states of deploy-service that say in words how a service stands.
const TELLING: [&str; 6] = [
    "Update service",
    "Check stability",
    "Roll back",
    "Check rollback",
    "Register revision",
    "Conclude",
];

/// Returns the message on a service that a state left with; `None` where a state has none.
#[must_use]
pub fn message_of(event: &HistoryEvent) -> Option<String> {
    let exited = event
        .state_exited_event_details()
        .filter(|it| TELLING.contains(&it.name()))?;
    let output: Value = serde_json::from_str(exited.output()?).ok()?;
    // The output of a state that shapes none is the answer of Lambda, with the function's in it.
    let said = output.get("Payload").unwrap_or(&output);
    said["message"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
