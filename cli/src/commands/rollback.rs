//! `ecr-deploy rollback SERVICE`: back to the last good revision and its digest, by the steps of deploy-service, and on hold there.

use crate::arguments::{RollbackArguments, Shared};
use crate::aws::{Account, now, pause};
use crate::commands::hold::{self, Named};
use crate::error::Error;
use crate::event::new_id;
use crate::execution::{Execution, Executions, Status, begin};
use crate::exit::Exit;
use crate::output::{self, Document, Tone, cell, duration, note, paragraphs, table, time, who, wrapped};
use crate::progress::Progress;
use crate::push::tone;
use crate::report::{self, Deployed, Image};
use crate::taking_back::{Asked, Facts, pushed, refusal, settings};
use aws_sdk_ecs::types::ServiceField;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::ServiceConclusion;
use ecr_deploy::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use ecr_deploy::domain::hold as domain_hold;
use ecr_deploy::domain::service::{self, Service};
use ecr_deploy::domain::task_definition::TaskDefinition;
use ecr_deploy::error::Error as OfAws;
use find_task_definitions::stage::Stages;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time between two polls.
const POLL: Duration = Duration::from_secs(2);

/// A service that was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// The service: `production/web`.
    pub service: String,
    /// The revision that it ran: `web:42`.
    pub from: String,
    /// The image with which that was deployed.
    pub image: Image,
    /// The revision that it is back on; `null` where it is not, or not yet.
    pub to: Option<String>,
    /// `ROLLED_BACK`, `SUPERSEDED`, `SERVICE_DELETED`, `RUNNING`, `STOPPED`, or the error's name.
    pub outcome: String,
    /// Its message, once it has ended.
    pub message: Option<String>,
    /// The text that holds the service from now on.
    pub hold: String,
    /// The text that held it before, if there was one.
    pub held_before: Option<String>,
    /// The ARN of the execution of deploy-service that takes it back.
    pub execution: String,
    /// When that began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
}

/// Takes a service back: holds it, starts the execution, follows that.
pub(crate) async fn run(shared: &Shared, arguments: &RollbackArguments) -> Result<Exit, Error> {
    let named: Named = arguments.service.parse()?;
    // A reason that cannot be is refused before any call.
    hold::text("", &arguments.why, None, true, now())?;
    let account = Account::open(shared).await?;
    let caller = account.caller().await?;
    let hold = hold::text(who(&caller), &arguments.why, None, true, now())?;
    let executions = Executions(account.sfn());
    let asked = asked(&account, &executions, &named, arguments, &hold).await?;
    // A push that begins now finds the hold, and does not overtake it.
    let before = hold::set(&account, &named, &hold).await?;
    let held_before = before.as_deref().and_then(|before| domain_hold::hold(before, now()));
    let held_before = held_before.map_or(String::new(), |before| format!("\nIt was before: {before}"));
    note(&format!("{} is on hold: {hold}{held_before}", arguments.service));
    let name = format!("{}rollback-{}-0", begin(&named.service), &new_id()[..8]);
    let machine = &account.installation.deploy_service;
    let service = &arguments.service;
    let started = executions.start(machine, Some(&name), &asked.input()).await;
    let arn = started.map_err(|error| {
        error.after(format!(
            "{service} was not taken back, and stays on hold: {hold}{held_before}\nTo lift the hold:\n  ecr-deploy unhold {service}"
        ))
    })?;
    let execution = follow(&executions, &arn, arguments.no_wait).await;
    let execution = execution.map_err(|error| {
        error.after(format!(
            "{service} goes back in AWS, and stays on hold. To see what comes of it:\n  ecr-deploy status {service}"
        ))
    })?;
    let document = Rollback {
        held_before: before,
        ..document(arguments, &asked, hold, &execution)
    };
    output::print(shared.output, &document, now())?;
    Ok(document.exit())
}

/// Reads what is to be known before anything is changed, and decides whether it may begin.
async fn asked(
    account: &Account,
    executions: &Executions,
    named: &Named,
    arguments: &RollbackArguments,
    why: &str,
) -> Result<Asked, Error> {
    let (cluster, name) = named.parsed()?;
    let ecs = account.reader();
    let progress = Progress::new("reading the service");
    let service = described(&ecs, &cluster, &name).await;
    let service = service.map_err(|error| named.error(error))?;
    let Some(primary) = service.primary().cloned() else {
        return Err(Error::Rejected(format!(
            "{} is not deployed by ECS itself, so nothing of ecr-deploy can take it back",
            arguments.service
        )));
    };
    let running = ecs.describe_task_definition(primary.task_definition.as_str()).await?;
    let to = match &arguments.to {
        Some(to) => Some(revision(&ecs, &running, to).await?),
        None => None,
    };
    let good = last_good(&ecs, &service, &primary.task_definition).await?;
    let machine = &account.installation.deploy_service;
    let newest = executions.newest_of(machine, (cluster.as_str(), name.as_str())).await?;
    drop(progress);
    let facts = Facts {
        service: &service,
        running: &running,
        to: to.as_ref(),
        good: good.as_ref(),
        newest: &newest,
    };
    if let Some(refusal) = refusal(&facts) {
        return Err(refusal);
    }
    let here = account.here()?;
    Ok(Asked {
        image: pushed(&running, &here).ok_or_else(|| {
            Error::Rejected(format!(
                "{} runs {}, which ecr-deploy did not register, so nobody knows of which push it is. Go back by hand: \
                 docs/operations.md",
                arguments.service,
                running.arn().short()
            ))
        })?,
        settings: settings(
            &Stages::read(&account.installation.settings)?,
            &account.installation.settings,
            &running,
            &service,
            &here,
        ),
        cluster,
        service: name,
        from: primary,
        to,
        why: why.to_owned(),
        now: account.time(now()),
    })
}

/// The service with its tags, of which one may name its stage.
async fn described(ecs: &Ecs, cluster: &ClusterName, name: &ServiceName) -> Result<Service, OfAws> {
    let service = ecs.describe_service(cluster, name).await?;
    let one = std::slice::from_ref(name);
    let tagged = ecs
        .describe_service_batch(cluster, one, Some(ServiceField::Tags))
        .await?;
    Ok(tagged.services.into_iter().next().unwrap_or(service))
}

/// The revision that somebody names: `web:39`, `39` of the same family, or an ARN.
async fn revision(ecs: &Ecs, running: &TaskDefinition, named: &str) -> Result<TaskDefinitionArn, Error> {
    let name = if named.chars().all(|letter| letter.is_ascii_digit()) {
        format!("{}:{named}", running.arn().family())
    } else {
        named.to_owned()
    };
    match ecs.describe_task_definition(&name).await {
        Ok(described) => Ok(described.arn().clone()),
        Err(OfAws::NotFound(_)) => Err(Error::NotFound(format!(
            "there is no revision {name}: it was deleted, or its name is mistyped. The service runs {}. The story of each of its pushes \
             tells from which revision it came: ecr-deploy history, then ecr-deploy why PUSH",
            running.arn().short()
        ))),
        Err(error) => Err(error.into()),
    }
}

/// The last revision that completed a rollout, by ECS's records, other than that which runs.
async fn last_good(ecs: &Ecs, of: &Service, running: &TaskDefinitionArn) -> Result<Option<TaskDefinitionArn>, Error> {
    let history = ecs.told_service_deployments(&of.cluster, &of.name, None).await?;
    Ok(history.and_then(|history| service::last_good(&history, running).cloned()))
}

/// Follows the execution to its end, or to its begin alone, and says what each poll says.
async fn follow(executions: &Executions, arn: &str, no_wait: bool) -> Result<Execution, Error> {
    let mut execution = executions.begun(arn, 0).await?;
    let progress = Progress::new("it goes back");
    let mut told = None;
    loop {
        if no_wait || execution.status != Status::Running {
            return Ok(execution);
        }
        let message = executions.newest_message(arn).await?;
        if message.is_some() && message != told {
            progress.line(message.as_deref().unwrap_or_default());
            told = message;
        }
        pause(POLL).await;
        execution = executions.read(arn).await?;
    }
}

fn document(arguments: &RollbackArguments, asked: &Asked, hold: String, execution: &Execution) -> Rollback {
    let deployed = Deployed::by(asked.cluster.as_str(), asked.service.as_str(), execution);
    let conclusion = execution.output.as_ref();
    let conclusion = conclusion.and_then(|output| report::read::<ServiceConclusion>("", output).ok());
    let is_back = deployed.outcome == "ROLLED_BACK";
    let to = conclusion.and_then(|it| it.to).filter(|_| is_back);
    Rollback {
        service: arguments.service.clone(),
        from: asked.from.task_definition.short().to_owned(),
        image: Image::from(&asked.image),
        to: to.map(|to| to.short().to_owned()),
        outcome: deployed.outcome,
        message: deployed.message,
        hold,
        held_before: None,
        execution: execution.arn.clone(),
        started: execution.started,
        ended: execution.ended,
    }
}

impl Rollback {
    fn exit(&self) -> Exit {
        match self.outcome.as_str() {
            "ROLLED_BACK" | "RUNNING" => Exit::Done,
            "SUPERSEDED" => Exit::Superseded,
            "STOPPED" => Exit::Stopped,
            "Deploy.RollBackFailed" => Exit::NeedsAttention,
            _ => Exit::Failed,
        }
    }
}

impl Document for Rollback {
    fn text(&self, now: Timestamp) -> String {
        let row = |name: &str, said: String| vec![cell(name, Tone::Plain), cell(said, Tone::Plain)];
        let took = duration(self.started, self.ended.unwrap_or(now));
        let took = if self.ended.is_some() {
            format!("took {took}")
        } else {
            format!("for {took}")
        };
        let name = self.execution.rsplit(':').next().unwrap_or_default();
        let mut rows = vec![row("from", format!("{} with {}", self.from, self.image.name()))];
        rows.extend(self.to.iter().map(|to| row("to", to.clone())));
        rows.push(row("on hold", self.hold.clone()));
        let before = self
            .held_before
            .as_deref()
            .and_then(|before| domain_hold::hold(before, now));
        rows.extend(before.map(|before| row("before", before.to_owned())));
        rows.extend([
            row("execution", name.to_owned()),
            row("began", format!("{}, {took}", time(self.started))),
        ]);
        let outcome = table(
            &[],
            vec![vec![
                cell(&self.service, Tone::Plain),
                cell(&self.outcome, tone(&self.outcome)),
            ]],
        );
        let stays = format!(
            "Pushes skip it until the hold is lifted, once there is a good image:\n  ecr-deploy unhold {}",
            self.service
        );
        paragraphs([
            format!("{outcome}\n{}", table(&[], rows)),
            wrapped(self.message.as_deref().unwrap_or_default()),
            stays,
        ])
    }
}
