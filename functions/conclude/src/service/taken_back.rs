//! How an execution ends that only takes a service back, on an operator's word.

use super::{Attempted, said, take_back};
use ecr_deploy::contract::{
    RollBackOutput, RollbackMethod, ServiceEnd, ServiceOutcome, UpdateOutcome, Verdict, WatchedUpdate,
};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::title;
use ecr_deploy::error::Error;

/// From which revision to which; `None` where nobody asked for that.
pub(crate) fn way(end: &ServiceEnd) -> Option<(Option<TaskDefinitionArn>, Option<TaskDefinitionArn>)> {
    let update = end.update.as_ref()?;
    let UpdateOutcome::RollBack(asked) = &update.outcome else {
        return None;
    };
    let watched = end.roll_back.as_ref().and_then(|rollback| rollback.method.watched());
    let to = watched.map(|watched| watched.rollout.task_definition.clone());
    Some((Some(asked.rollout.task_definition.clone()), to))
}

/// The outcome; `why` says who wants it, and why.
pub(super) fn outcome(end: &ServiceEnd, asked: &WatchedUpdate, why: &str) -> Result<(ServiceOutcome, String), Error> {
    let name = title(&end.cluster, &end.service);
    let from = format!(
        "from {} with {}: {why}",
        asked.rollout.task_definition.short(),
        end.image
    );
    let Some(RollBackOutput { method, message, .. }) = &end.roll_back else {
        let attempted = Attempted {
            name: &name,
            what: format!("taken back {from}"),
            again: again(end),
            may_be_done: true,
        };
        return Err(attempted.failed(end.roll_back_error.as_ref()));
    };
    let failed = |reason: &str| {
        Err(Error::RollBackFailed(format!(
            "{name} was taken back {from}. That failed: {reason}. Look at the service now; {}",
            again(end)
        )))
    };
    if let Some(error) = &end.roll_back_error {
        return failed(&said(error));
    }
    let superseded = |how: &str| {
        Ok((
            ServiceOutcome::Superseded,
            format!("{name} was to be taken back {from}. But {how}"),
        ))
    };
    let watched = match method {
        RollbackMethod::Superseded {} | RollbackMethod::Displaced {} => return superseded(message),
        RollbackMethod::ServiceDeleted {} => return Ok((ServiceOutcome::ServiceDeleted, message.clone())),
        RollbackMethod::RegistrationNeeded { .. } => return failed("the revision to go back to was not registered"),
        RollbackMethod::StoppedDeployment(watched)
        | RollbackMethod::UpdatedService(watched)
        | RollbackMethod::PinnedRevision(watched)
        | RollbackMethod::CopiedRevision(watched)
        | RollbackMethod::Watching(watched) => watched,
    };
    let Some(check) = &end.roll_back_check else {
        return failed("the rollback was never read");
    };
    match check.verdict {
        Verdict::Stable => {
            let back = watched.rollout.task_definition.short();
            let says = format!(
                "{name} is back on {back} and stable: {}. It was taken back {from}",
                check.message
            );
            Ok((ServiceOutcome::RolledBack, says))
        }
        Verdict::Superseded | Verdict::Displaced => superseded(&check.message),
        Verdict::ServiceDeleted => Ok((ServiceOutcome::ServiceDeleted, check.message.clone())),
        Verdict::InProgress | Verdict::Failed => failed(&check.message),
    }
}

/// How it is tried again. A redrive of this execution is nothing that the command does, or its policy allows.
fn again(end: &ServiceEnd) -> String {
    format!("to try again, with the same --to if it had one:\n{}", take_back(end))
}

#[cfg(test)]
mod tests;
