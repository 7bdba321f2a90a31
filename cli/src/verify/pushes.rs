//! The pushes of a run: a good one with two duplicates of its event, a broken one, and a redrive of that. Each step
//! puts what it shows into [`Seen`], so that a run which ends early has shown something.

use super::NAME;
use super::begin::Tags;
use super::facts::{Arrival, Broken, Digests, Redriven, Second, Seen};
use super::image::{Built, Kind};
use super::sandbox::Sandbox;
use crate::aws::{now, pause};
use crate::commands::MadePush;
use crate::commands::ended;
use crate::error::Error;
use crate::execution::{Execution, Executions, Listed, Status};
use crate::output::note;
use crate::progress::{Progress, follow};
use crate::push::Push;
use crate::report::{Deployed, Outcome};
use ecr_deploy::aws::ecs::DesiredStatus;
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::domain::push::name::is_of;
use ecr_deploy::domain::service::ServiceDeploymentStatus;
use jiff::Timestamp;
use serde_json::Value;
use std::cell::RefCell;
use std::time::Duration;

/// Time between two reads of whether a push has arrived.
const POLL: Duration = Duration::from_secs(1);

/// The facts and the pushes that a run has shown so far.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) seen: RefCell<Seen>,
    pub(crate) pushes: RefCell<Vec<MadePush>>,
}

/// A run.
pub(crate) struct Run<'a> {
    sandbox: &'a Sandbox<'a>,
    executions: Executions,
    shown: &'a Shown,
    /// When the repository was made: no execution of an earlier run began later.
    since: Timestamp,
}

/// The service after the good push.
struct Good {
    /// The digest, where ECS tells it.
    digest: Option<String>,
}

/// The executions of the broken push.
struct Failed {
    /// The ARN of that of the push.
    push: String,
    /// The ARN of that of the service.
    service: String,
}

/// Makes the service, and pushes. An error says why nothing more could be seen.
pub(crate) async fn run(sandbox: &Sandbox<'_>, tags: &Tags, shown: &Shown) -> Result<(), Error> {
    note(&format!("makes the repository, the family and the service {NAME}"));
    let since = sandbox.make_repository().await?;
    let first = sandbox.push(Kind::First, None).await?;
    sandbox.make_service(&first).await?;
    let run = Run {
        sandbox,
        executions: Executions(sandbox.account.sfn()),
        shown,
        since,
    };
    let Some(good) = run.good(&tags.good).await? else {
        return Ok(());
    };
    let failed = run.broken(&tags.broken, good).await?;
    run.redrive(&failed).await
}

impl Run<'_> {
    /// The good push, and two duplicates of its event: one beside its execution, one after it. Returns what runs then;
    /// `None` where no event came.
    async fn good(&self, tag: &ImageTag) -> Result<Option<Good>, Error> {
        note(&format!("pushes a good image: {NAME}:{tag}"));
        let pushed = now();
        let built = self.sandbox.push(Kind::Good, Some(tag.as_str())).await?;
        let Some(execution) = self.arrived(tag, pushed).await? else {
            return Ok(None);
        };
        let seconds = execution.started.duration_since(pushed).as_secs().max(0);
        let by = execution.input["detail"]["userIdentity"]["arn"]
            .as_str()
            .map(str::to_owned);
        let seconds = u64::try_from(seconds).unwrap_or_default();
        self.shown.seen.borrow_mut().arrival = Some(Arrival::After(seconds, by));

        note("sends its event once more, while its execution runs");
        let beside = self.duplicate(&execution).await?;
        self.shown.seen.borrow_mut().beside = Some(beside);
        let push = self.followed("good", &execution.arn, 0).await?;
        if push.outcome != Outcome::Deployed {
            return Err(unexpected("good", "DEPLOYED", &push));
        }
        self.sandbox.at_rest("the good push").await?;
        let digest = self.running().await?;
        let digests = self.digests(&built).await?;
        self.shown.seen.borrow_mut().digests = Some(digests);

        note("sends its event once more, after its execution");
        let after = self.duplicate(&execution).await?;
        self.shown.seen.borrow_mut().after = Some(after);
        Ok(Some(Good { digest }))
    }

    /// The broken push.
    async fn broken(&self, tag: &ImageTag, good: Good) -> Result<Failed, Error> {
        note(&format!("pushes a broken image: {NAME}:{tag}"));
        let pushed = now();
        self.sandbox.push(Kind::Broken, Some(tag.as_str())).await?;
        let Some(execution) = self.arrived(tag, pushed).await? else {
            let limit = self.sandbox.arguments.wait;
            return Err(Error::Rejected(format!(
                "the event of the broken push did not come within {limit} s"
            )));
        };
        let push = self.followed("broken", &execution.arn, 0).await?;
        let service = own(&push);
        let (true, Some(arn)) = (push.outcome == Outcome::RolledBack, &service.execution) else {
            return Err(unexpected("broken", "ROLLED_BACK", &push));
        };
        let broken = Broken {
            outcome: service.outcome.clone(),
            message: service.message.clone().unwrap_or_default(),
            method: self.method(arn).await?,
            before: good.digest,
            after: self.running().await?,
        };
        self.shown.seen.borrow_mut().broken = Some(broken);
        Ok(Failed {
            push: execution.arn,
            service: arn.clone(),
        })
    }

    /// The redrive of the broken push: it fails in the same way, and the service goes back once more.
    async fn redrive(&self, failed: &Failed) -> Result<(), Error> {
        self.sandbox.at_rest("its rollback").await?;
        note("redrives the broken push");
        self.executions.redrive(&failed.push).await?;
        self.executions.begun(&failed.push, 1).await?;
        let push = self.followed("redrive", &failed.push, 1).await?;
        let service = own(&push);
        let redriven = Redriven {
            count: self.executions.read(&failed.push).await?.redrives,
            first: name_of(&failed.service).to_owned(),
            second: service.execution.as_deref().map(name_of).unwrap_or_default().to_owned(),
            outcome: service.outcome,
        };
        self.shown.seen.borrow_mut().redriven = Some(redriven);
        if push.outcome == Outcome::RolledBack {
            return Ok(());
        }
        Err(unexpected("redriven", "ROLLED_BACK", &push))
    }

    /// The execution of a push, once it has begun; `None` where it does not within the time.
    async fn arrived(&self, tag: &ImageTag, pushed: Timestamp) -> Result<Option<Execution>, Error> {
        let progress = Progress::new("the event of the push is on its way");
        let machine = &self.sandbox.account.installation.deploy_image;
        let is_of_push = |it: &Listed| is_of(&it.name, NAME, tag.as_str());
        let limit = self.sandbox.arguments.wait;
        loop {
            let listed = self
                .executions
                .list(machine, (20, 1000), Some(self.since), is_of_push)
                .await?;
            if let Some(it) = listed.last() {
                self.sandbox.executions.borrow_mut().push(it.arn.clone());
                return self.executions.read(&it.arn).await.map(Some);
            }
            let waited = now().duration_since(pushed).as_secs();
            if u64::try_from(waited).unwrap_or_default() >= limit {
                progress.line(&format!("no execution began within {limit} s"));
                self.shown
                    .seen
                    .borrow_mut()
                    .arrival
                    .get_or_insert(Arrival::Never(limit));
                return Ok(None);
            }
            pause(POLL).await;
        }
    }

    /// Starts *push* with the event of an execution, as EventBridge does that delivers an event twice.
    async fn duplicate(&self, first: &Execution) -> Result<Second, Error> {
        let machine = &self.sandbox.account.installation.push;
        let arn = self.executions.start(machine, None, &first.input).await?;
        let second = ended(&self.executions, &arn).await?;
        let first_ran = self.executions.read(&first.arn).await?.status == Status::Running;
        let events = self.executions.history(&arn).await?;
        let mut failed = events.iter().filter_map(|event| {
            let submitted = event.task_submit_failed_event_details().and_then(|it| it.error());
            submitted.or(event.task_failed_event_details().and_then(|it| it.error()))
        });
        let refusal = failed.next_back().map(str::to_owned);
        let names = second.output.as_ref().and_then(|output| output["execution"].as_str());
        Ok(Second {
            first_ran,
            names_first: second.status == Status::Succeeded && names == Some(first.arn.as_str()),
            refusal,
            failure: second.failure.map(|it| format!("{}: {}", it.error, it.message)),
        })
    }

    async fn followed(&self, step: &str, arn: &str, redrives: u32) -> Result<Push, Error> {
        let push = follow(self.sandbox.account, arn, redrives).await?;
        let image = push.image.as_ref().map(crate::report::Image::name);
        self.shown.pushes.borrow_mut().push(MadePush {
            step: step.to_owned(),
            image: image.unwrap_or_default(),
            outcome: push.outcome,
            push: push.push.clone(),
        });
        Ok(push)
    }

    /// The digest that the service's tasks run, where ECS tells it.
    async fn running(&self) -> Result<Option<String>, Error> {
        let service = self.sandbox.read().await?;
        let Some(primary) = service.deployments.into_iter().find(|it| it.is_primary) else {
            return Ok(None);
        };
        let (reader, sandbox) = (self.sandbox.account.reader(), self.sandbox);
        let digests = reader
            .deployment_digests(&sandbox.cluster, &sandbox.service, &primary.id, DesiredStatus::Running)
            .await?;
        Ok(digests.into_iter().next().map(|it| it.digest.to_string()))
    }

    /// The digests of a push that is deployed, and the one that ECS's newest record of a rollout has.
    async fn digests(&self, built: &Built) -> Result<Digests, Error> {
        let (reader, sandbox) = (self.sandbox.account.reader(), self.sandbox);
        let records = reader
            .told_service_deployments(&sandbox.cluster, &sandbox.service, None)
            .await?;
        let newest = records
            .into_iter()
            .flatten()
            .find(|it| it.status == ServiceDeploymentStatus::Successful);
        let recorded = newest.and_then(|it| it.target_digests.into_iter().next());
        Ok(Digests {
            index: built.index.digest.clone(),
            listed: built.images.iter().map(|image| image.digest.clone()).collect(),
            recorded: recorded.map(|it| it.digest.to_string()),
        })
    }

    /// How the step "Roll back" took a service back, by the history of its execution.
    async fn method(&self, arn: &str) -> Result<Option<String>, Error> {
        let events = self.executions.history(arn).await?;
        let exited = events.iter().filter_map(|event| event.state_exited_event_details());
        let outputs = exited
            .filter(|it| it.name() == "Roll back")
            .filter_map(|it| it.output());
        let method = |text: &str| {
            let output: Value = serde_json::from_str(text).ok()?;
            let said = output.get("Payload").unwrap_or(&output);
            said["method"].as_str().map(str::to_owned)
        };
        Ok(outputs.rev().find_map(method))
    }
}

/// The one service of a push.
fn own(push: &Push) -> Deployed {
    let own = push.services.iter().find(|it| it.service == NAME);
    own.cloned().unwrap_or_else(|| Deployed::not_started("", NAME))
}

fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

fn unexpected(which: &str, expected: &str, push: &Push) -> Error {
    let service = own(push);
    let message = service.message.or_else(|| push.message.clone()).unwrap_or_default();
    Error::Rejected(format!(
        "the {which} push ended {} and not {expected}, so nothing more was tried: {message}. Its story stays: ecr-deploy why {}",
        push.outcome.name(),
        crate::named::short(&push.push)
    ))
}
