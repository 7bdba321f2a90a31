//! `ecr-deploy continue` and `cancel`: the answer to a lifecycle hook that waits for a person.

use crate::arguments::{ServiceArguments, Shared};
use crate::aws::{Account, now};
use crate::commands::hold::Named;
use crate::error::Error;
use crate::execution::Executions;
use crate::exit::Exit;
use crate::lifecycle::{Pause, UnderWay, instead};
use crate::named::short;
use crate::output::{self, Document, Tone, cell, paragraphs, table, wrapped};
use aws_sdk_ecs::types::DeploymentLifecycleHookAction;
use ecr_deploy::domain::arn::{ClusterName, ServiceName};
use ecr_deploy::domain::service::Service;
use ecr_deploy::error::Error as OfAws;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rollout whose hooks were answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answered {
    /// The service: `production/web`.
    pub service: String,
    /// The answer.
    pub answer: Answer,
    /// The ARN of the service deployment that waited.
    pub service_deployment: String,
    /// The revision that it rolls out: `web:42`.
    pub revision: String,
    /// The hooks that were answered.
    pub hooks: Vec<Pause>,
    /// The name of the push that watches the rollout; `null` where none does, or where that is not known.
    pub push: Option<String>,
    /// The error for which it is not known whether a push watches the rollout.
    pub push_not_known: Option<String>,
}

/// The answer to a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Answer {
    /// The rollout goes on.
    Continued,
    /// ECS takes the service back.
    Cancelled,
}

impl Answer {
    /// Its name, as in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Continued => "CONTINUED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// Continues a rollout that waits.
pub(crate) async fn proceed(shared: &Shared, arguments: &ServiceArguments) -> Result<Exit, Error> {
    answer(shared, arguments, Answer::Continued).await
}

/// Takes a rollout back that waits.
pub(crate) async fn cancel(shared: &Shared, arguments: &ServiceArguments) -> Result<Exit, Error> {
    answer(shared, arguments, Answer::Cancelled).await
}

async fn answer(shared: &Shared, arguments: &ServiceArguments, answer: Answer) -> Result<Exit, Error> {
    let named: Named = arguments.service.parse()?;
    let (cluster, name) = named.parsed()?;
    let account = Account::open(shared).await?;
    let ecs = account.reader();
    let service = ecs.describe_service(&cluster, &name).await;
    let service = service.map_err(|error| named.error(error))?;
    let under_way = UnderWay::read(&account, &ecs, &service).await?;
    let pauses = under_way.as_ref().map(|it| it.pauses(now())).unwrap_or_default();
    let (Some(under_way), false) = (under_way.as_ref(), pauses.is_empty()) else {
        let how = instead(&service, under_way.as_ref());
        return Err(Error::NotFound(format!(
            "{} does not wait for a person: {how}",
            arguments.service
        )));
    };
    let service_deployment = &under_way.lifecycle.service_deployment;
    // One that goes back at its first hook does not wait at the others.
    let most = if answer == Answer::Cancelled { 1 } else { pauses.len() };
    let hooks: Vec<Pause> = pauses.into_iter().take(most).collect();
    for (answered, hook) in hooks.iter().enumerate() {
        let Err(error) = send(&account, service_deployment, hook, answer).await else {
            continue;
        };
        return Err(match answered {
            0 => answered_before(&account, &service, hook).await.unwrap_or(error),
            _ => error.after(format!(
                "{answered} of {} hooks of {} were answered, and the next one was not:",
                hooks.len(),
                arguments.service
            )),
        });
    }
    // The hooks are answered: nothing that cannot be read makes that undone.
    let (push, push_not_known) = match watching(&account, &cluster, &name).await {
        Ok(push) => (push, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let document = Answered {
        service: arguments.service.clone(),
        answer,
        service_deployment: service_deployment.clone(),
        revision: service
            .primary()
            .map(|it| it.task_definition.short().to_owned())
            .unwrap_or_default(),
        hooks,
        push,
        push_not_known,
    };
    output::print(shared.output, &document, now())?;
    Ok(Exit::Done)
}

/// The error where somebody else has answered a hook meanwhile; `None` where it still waits, or where that cannot be read.
async fn answered_before(account: &Account, service: &Service, hook: &Pause) -> Option<Error> {
    let under_way = UnderWay::read(account, &account.reader(), service).await.ok()?;
    let pauses = under_way.as_ref().map(|it| it.pauses(now())).unwrap_or_default();
    let still_waits = pauses.iter().any(|it| it.id == hook.id);
    let how = instead(service, under_way.as_ref());
    let name = format!("{}/{}", service.cluster, service.name);
    (!still_waits).then(|| {
        Error::NotFound(format!(
            "{name} waits at this hook no longer: somebody has answered it, or its time was over. {how}. To see how it goes on: \
             ecr-deploy status {name}"
        ))
    })
}

async fn send(account: &Account, service_deployment: &str, hook: &Pause, answer: Answer) -> Result<(), Error> {
    let action = match answer {
        Answer::Continued => DeploymentLifecycleHookAction::Continue,
        Answer::Cancelled => DeploymentLifecycleHookAction::Rollback,
    };
    let request = account.ecs().continue_service_deployment().hook_id(&hook.id);
    let sent = request
        .service_deployment_arn(service_deployment)
        .action(action)
        .send()
        .await;
    let call = format!("ContinueServiceDeployment of {service_deployment}");
    sent.map(drop).map_err(|error| OfAws::from_aws(&call, &error).into())
}

/// The name of the push that watches a service now.
async fn watching(account: &Account, cluster: &ClusterName, service: &ServiceName) -> Result<Option<String>, Error> {
    let machine = &account.installation.deploy_service;
    let of = (cluster.as_str(), service.as_str());
    let running = Executions(account.sfn()).running_of(machine, of).await?;
    Ok(running.and_then(|it| {
        let push = it.push()?;
        push.rsplit(':').next().map(str::to_owned)
    }))
}

impl Document for Answered {
    fn text(&self, _: Timestamp) -> String {
        let row = |name: &str, said: String| vec![cell(name, Tone::Plain), cell(said, Tone::Plain)];
        let mut rows = vec![row("rollout", format!("to {}", self.revision))];
        rows.extend(self.hooks.iter().map(|hook| row("waited at", hook.text())));
        rows.extend(self.push.iter().map(|push| row("push", push.clone())));
        let head = format!("{}  {}\n{}", self.service, self.answer.name(), table(&[], rows));
        let next = match self.answer {
            Answer::Continued => "ECS goes on with the rollout, and may wait at a later hook again.",
            Answer::Cancelled => "ECS takes the service back to the revision before.",
        };
        let Some(push) = &self.push else {
            let watched = match &self.push_not_known {
                Some(error) => format!("It is not known whether a push watches it: {error}."),
                None => "No push watches it.".to_owned(),
            };
            let how = wrapped(&format!("{next} {watched} To see how it goes on:"));
            return paragraphs([head, format!("{how}\n  ecr-deploy status {}", self.service)]);
        };
        let end = match self.answer {
            Answer::Continued => "The push watches it to its end",
            Answer::Cancelled => "The push sees that, and ends red",
        };
        let how = format!(
            "{next} {end}. A rollout that has waited for long is read less often: once an hour after a day, and every few hours after some \
             days. So the push may end some time later:"
        );
        paragraphs([head, format!("{}\n  ecr-deploy why {}", wrapped(&how), short(push))])
    }
}
