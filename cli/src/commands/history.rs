//! `ecr-deploy history [NAME]`: pushes, or the deployments of one service, with what came of them.

use crate::arguments::{HistoryArguments, NameIs, Shared};
use crate::aws::{Account, now};
use crate::error::Error;
use crate::execution::{AMONG, Execution, Executions, Listed, Status, begin};
use crate::exit::Exit;
use crate::named::short;
use crate::output::{self, Document, Tone, cell, duration, paragraphs, seconds, table, who};
use crate::progress::Progress;
use crate::push::tone;
use crate::report::{self, Deployed, Image, NotDeployed, Outcome};
use ecr_deploy::contract::ImageConclusion;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::push::name::is_of_repository;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many executions are read at the same time.
const AT_ONCE: usize = 8;

/// Pushes, or deployments of one service, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct History {
    /// The name whose history it is: `null` of everything.
    pub of: Option<String>,
    /// The pushes, or the deployments.
    pub entries: Vec<Entry>,
}

/// A push, or the deployment of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The name of the push.
    pub push: String,
    /// The ARN of the execution: of the push, or of the service in it.
    pub execution: String,
    /// The image.
    pub image: Option<Image>,
    /// The cluster and the service, `production/web`, in the history of one service.
    pub service: Option<String>,
    /// How it ended: of a push as in the command `deploy`, where `FAILED` is one that failed; of a service as in docs/operations.md.
    pub outcome: String,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// How long it took, or takes until now.
    pub seconds: f64,
    /// Why a push that deploys nothing is skipped, each reason of docs/operations.md once; empty for any other.
    pub reasons: Vec<String>,
    /// Its own message, once it has ended.
    pub message: Option<String>,
}

/// Reads the history.
pub(crate) async fn run(shared: &Shared, arguments: &HistoryArguments) -> Result<Exit, Error> {
    let account = Account::open(shared).await?;
    let executions = Executions(account.sfn());
    let progress = Progress::new("reading executions");
    let (name, limit) = (arguments.name.as_deref(), arguments.limit);
    let mut entries = Vec::new();
    if arguments.name_is != Some(NameIs::Service) {
        entries = pushes(&account, &executions, name, limit).await?;
    }
    if let (Some(name), true, true) = (name, entries.is_empty(), arguments.name_is != Some(NameIs::Repository)) {
        entries = deployments(&account, &executions, name, limit).await?;
    }
    drop(progress);
    if let (Some(name), true) = (name, entries.is_empty()) {
        return Err(Error::NotFound(format!(
            "there is no push to a repository {name}, and no deployment of a service {name}, among the newest {AMONG} executions. \
             ecr-deploy history lists what there is"
        )));
    }
    let document = History {
        of: arguments.name.clone(),
        entries,
    };
    output::print(shared.output, &document, now())?;
    Ok(Exit::Done)
}

/// The newest pushes, to one repository or to any.
async fn pushes(
    account: &Account,
    executions: &Executions,
    repository: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry>, Error> {
    // One that was started by hand may have any name.
    let may_be =
        |it: &Listed| repository.is_none_or(|name| is_of_repository(&it.name, name) || short(&it.name) == it.name);
    let listed = executions
        .list(&account.installation.deploy_image, (usize::MAX, AMONG), None, may_be)
        .await?;
    let is_wanted = |it: &Execution| {
        let image = Image::of_event(&it.input);
        it.input["plan"] != true && repository.is_none_or(|name| image.is_some_and(|image| image.repository == name))
    };
    let read = newest(executions, &listed, limit, is_wanted).await?;
    Ok(read.iter().map(|it| push(it, now())).collect())
}

/// The newest deployments of a service, `production/web` or `web` in any cluster.
async fn deployments(
    account: &Account,
    executions: &Executions,
    name: &str,
    limit: usize,
) -> Result<Vec<Entry>, Error> {
    let (cluster, service) = name
        .split_once('/')
        .map_or((None, name), |(cluster, service)| (Some(cluster), service));
    let begins = begin(service);
    let may_be = |it: &Listed| it.name.starts_with(&begins);
    let listed = executions
        .list(&account.installation.deploy_service, (usize::MAX, AMONG), None, may_be)
        .await?;
    let is_wanted =
        |it: &Execution| it.input["service"] == service && cluster.is_none_or(|cluster| it.input["cluster"] == cluster);
    let read = newest(executions, &listed, limit, is_wanted).await?;
    Ok(read.iter().map(|it| deployment(it, now())).collect())
}

/// Reads executions until there are so many that are wanted.
async fn newest(
    executions: &Executions,
    listed: &[Listed],
    limit: usize,
    is_wanted: impl Fn(&Execution) -> bool,
) -> Result<Vec<Execution>, Error> {
    let read = stream::iter(listed)
        .map(async |it| executions.read(&it.arn).await)
        .buffered(AT_ONCE);
    let wanted = read.try_filter(|it| std::future::ready(is_wanted(it)));
    wanted.take(limit).try_collect().await
}

fn push(execution: &Execution, now: Timestamp) -> Entry {
    let conclusion: Option<ImageConclusion> = execution
        .output
        .as_ref()
        .and_then(|output| report::read("the summary", output).ok());
    let outcome = report::outcome(execution, conclusion.as_ref(), &[]);
    let is_skipped = outcome == Outcome::NothingToDeploy;
    let outcome = match execution.status {
        Status::Failed => "FAILED",
        _ => outcome.name(),
    };
    let skipped = conclusion.iter().filter(|_| is_skipped).flat_map(|it| &it.skipped);
    let mut reasons: Vec<String> = skipped.map(|it| NotDeployed::from(it).reason).collect();
    reasons.sort();
    reasons.dedup();
    let failure = execution
        .failure
        .as_ref()
        .map(|it| format!("{}: {}", it.error, it.message));
    Entry {
        push: execution.name.clone(),
        image: Image::of_event(&execution.input),
        service: None,
        outcome: outcome.to_owned(),
        reasons,
        message: conclusion.map(|it| it.message).or(failure),
        ..times(execution, now)
    }
}

fn deployment(execution: &Execution, now: Timestamp) -> Entry {
    let text = |member: &str| execution.input[member].as_str().unwrap_or_default();
    let (cluster, service) = (text("cluster"), text("service"));
    let image: Option<PushedImage> = serde_json::from_value(execution.input["image"].clone()).ok();
    // A rollback that somebody wants is no part of a push: it goes by its own name.
    let parent = execution.push();
    let parent = parent.unwrap_or(&execution.name);
    let deployed = Deployed::by(cluster, service, execution);
    Entry {
        push: parent.rsplit(':').next().unwrap_or(parent).to_owned(),
        image: image.as_ref().map(Image::from),
        service: Some(format!("{cluster}/{service}")),
        outcome: deployed.outcome,
        message: deployed.message,
        ..times(execution, now)
    }
}

fn times(execution: &Execution, now: Timestamp) -> Entry {
    Entry {
        push: String::new(),
        execution: execution.arn.clone(),
        image: None,
        service: None,
        outcome: Outcome::Running.name().to_owned(),
        started: execution.started,
        ended: execution.ended,
        seconds: seconds(execution.started, execution.ended.unwrap_or(now)),
        reasons: Vec::new(),
        message: None,
    }
}

impl Entry {
    /// The outcome. Of a push that deployed nothing, the reason says more.
    fn how(&self) -> String {
        match self.reasons.as_slice() {
            [] => self.outcome.clone(),
            [only] => only.clone(),
            [first, others @ ..] => format!("{first} +{}", others.len()),
        }
    }
}

impl Document for History {
    fn text(&self, now: Timestamp) -> String {
        if self.entries.is_empty() {
            return "There is no push yet, or all of them ended more than 90 days ago.".to_owned();
        }
        let of_services = self.entries.iter().any(|it| it.service.is_some());
        let row = |it: &Entry| {
            let image = it.image.as_ref();
            let what = match (&it.service, image) {
                (Some(service), Some(image)) => format!("{service}: {}", image.tag),
                (_, Some(image)) => image.name(),
                _ => "no image".to_owned(),
            };
            let by = image.and_then(|image| image.by.as_deref()).map_or("-", who);
            vec![
                cell(it.started.strftime("%m-%d %H:%M:%S"), Tone::Plain),
                cell(what, Tone::Plain),
                cell(it.how(), tone(&it.outcome)),
                cell(duration(it.started, it.ended.unwrap_or(now)), Tone::Plain),
                cell(by, Tone::Plain),
                cell(short(&it.push), Tone::Plain),
            ]
        };
        let what = if of_services { "service" } else { "image" };
        let rows = self.entries.iter().map(row).collect();
        let is_of_push = |it: &Entry| !it.execution.ends_with(&format!(":{}", it.push)) || it.service.is_none();
        let advice = if self.entries.iter().all(is_of_push) {
            "Times are UTC. Why: ecr-deploy why PUSH. Once more: ecr-deploy retry PUSH."
        } else {
            // Somebody took the service back by an execution that is part of no push.
            "Times are UTC. Why: ecr-deploy why PUSH."
        };
        paragraphs([
            table(&["began", what, "outcome", "took", "by", "push"], rows),
            advice.to_owned(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn ended(output: Option<Value>, status: Status) -> Execution {
        let event = include_str!("../../../statemachine/examples/put-image-event.json");
        Execution {
            arn: "arn:aws:states:eu-west-1:123456789012:execution:Image-1:busybox-v1-1".to_owned(),
            name: "busybox-v1-1".to_owned(),
            status,
            input: serde_json::from_str(event).unwrap(),
            output,
            failure: None,
            started: "2026-11-29T10:00:00Z".parse().unwrap(),
            ended: None,
            redrives: 0,
        }
    }

    #[test]
    fn a_push_that_deployed_nothing_says_why() {
        let conclusion = include_str!("../../../statemachine/examples/image-conclusion.json");
        let conclusion: Value = serde_json::from_str(conclusion).unwrap();
        let skipped = |reasons: &[&str]| {
            let skip =
                |reason: &&str| json!({"reason": reason, "resource": "web in production", "message": "", "count": 1});
            let skipped: Vec<Value> = reasons.iter().map(skip).collect();
            let mut conclusion = conclusion.clone();
            conclusion["skipped"] = skipped.into();
            conclusion["services"] = json!([]);
            conclusion["families"] = json!([]);
            Some(conclusion)
        };
        for (execution, expected) in [
            (ended(Some(conclusion.clone()), Status::Succeeded), "DEPLOYED"),
            (ended(skipped(&["ON_HOLD", "ON_HOLD"]), Status::Succeeded), "ON_HOLD"),
            (
                ended(skipped(&["TAG_NOT_TAKEN", "ON_HOLD"]), Status::Succeeded),
                "ON_HOLD +1",
            ),
            (ended(skipped(&[]), Status::Succeeded), "NOTHING_TO_DEPLOY"),
            (ended(None, Status::Failed), "FAILED"),
            (ended(None, Status::Running), "RUNNING"),
            (ended(None, Status::Stopped), "STOPPED"),
        ] {
            let entry = push(&execution, "2026-11-29T10:01:00Z".parse().unwrap());
            assert_eq!(entry.how(), expected, "{entry:?}");
        }
    }
}
