//! How a service's execution ends: what its steps have come to, in one word and one message.

pub(crate) mod taken_back;

use ecr_deploy::contract::{
    RollbackMethod, ServiceConclusion, ServiceEnd, ServiceId, ServiceOutcome, StateError, UpdateOutcome, Verdict,
    WatchedRollback, WatchedUpdate,
};
use ecr_deploy::domain::arn::{RevisionName, TaskDefinitionArn};
use ecr_deploy::domain::service::title;
use ecr_deploy::domain::stage::RollbackSetting;
use ecr_deploy::error::Error;

/// Concludes one service's execution.
///
/// `redrive_count` is how often the execution has been redriven by now. When it is higher than the count with which
/// the failure came about, an operator wants the service again: then it is returned as `retry`.
///
/// # Errors
///
/// `Deploy.RolledBack` and `Deploy.RollBackFailed` after a rollout that failed, `Deploy.NotRolledBack` where its stage has it stay; the
/// update's own error when nothing was
/// changed, `Deploy.ServicesFailed` when that was none of ours.
pub fn conclude(end: &ServiceEnd, redrive_count: u32) -> Result<ServiceConclusion, Error> {
    let from = watched(end).and_then(|watched| watched.previous.clone());
    let (from, to) = taken_back::way(end).unwrap_or((from, end.task_definition.clone()));
    let conclusion = |outcome, message, retry| ServiceConclusion {
        cluster: end.cluster.clone(),
        service: end.service.clone(),
        outcome,
        from: from.clone(),
        to: to.clone(),
        base: base_taken(end),
        message,
        retry,
    };
    match service_outcome(end) {
        Ok((outcome, message)) => Ok(conclusion(Some(outcome), message, Vec::new())),
        Err(_) if redrive_count > end.attempt => {
            let service = ServiceId {
                cluster: end.cluster.clone(),
                service: end.service.clone(),
            };
            let message = format!(
                "{} is deployed again after a redrive",
                title(&end.cluster, &end.service)
            );
            Ok(conclusion(None, message, vec![service]))
        }
        Err(error) => Err(error),
    }
}

/// A warning about a revision that was good before, but may fail alike.
const HAS_IMAGE: &str = ", which was stable before but has the image too";

/// The update whose rollout was watched, if it came to that.
fn watched(end: &ServiceEnd) -> Option<&WatchedUpdate> {
    end.update.as_ref()?.outcome.watched()
}

fn service_outcome(end: &ServiceEnd) -> Result<(ServiceOutcome, String), Error> {
    let name = title(&end.cluster, &end.service);
    let image = &end.image;
    // The revision that was watched: another one of the push may have been there.
    let to = watched(end)
        .map(|watched| &watched.rollout.task_definition)
        .or(end.task_definition.as_ref());
    let updated_to = to.map(|to| format!(" to {}", to.short())).unwrap_or_default();
    let update = Attempted {
        name: &name,
        what: format!("updated{updated_to} for {image}"),
        again: "redrive this execution to try again".to_owned(),
        // Nothing updates it before its revision is there.
        may_be_done: end.task_definition.is_some(),
    };
    let to = to.map_or("a new revision", TaskDefinitionArn::short);
    let Some(updated) = &end.update else {
        return Err(update.failed(end.error.as_ref()));
    };
    let deployed = match &updated.outcome {
        UpdateOutcome::Superseded {} => return Ok((ServiceOutcome::Superseded, updated.message.clone())),
        UpdateOutcome::OnHold {} => return Ok((ServiceOutcome::OnHold, updated.message.clone())),
        UpdateOutcome::ServiceDeleted {} => return Ok((ServiceOutcome::ServiceDeleted, updated.message.clone())),
        UpdateOutcome::RollingBack {} | UpdateOutcome::Rebase { .. } => {
            return Err(update.failed(end.error.as_ref()));
        }
        UpdateOutcome::RollBack(asked) => return taken_back::outcome(end, asked, &updated.message),
        UpdateOutcome::AlreadyDeployed(_) => ServiceOutcome::AlreadyDeployed,
        UpdateOutcome::Started(_) => ServiceOutcome::Deployed,
    };
    match end.check.as_ref().filter(|_| end.error.is_none()) {
        Some(check) if check.verdict == Verdict::Stable => {
            let message = format!("{name} is stable on {to}: {}{}", check.message, told_of_base(end, "; "));
            return Ok((deployed, message));
        }
        Some(check) if check.verdict == Verdict::Superseded => {
            return Ok((ServiceOutcome::Superseded, format!("{name}: {}", check.message)));
        }
        Some(check) if check.verdict == Verdict::ServiceDeleted => {
            return Ok((ServiceOutcome::ServiceDeleted, check.message.clone()));
        }
        _ => {}
    }
    let failed = Failed::of(end, &name, to);
    if end.settings.rollback == RollbackSetting::None {
        return Err(stays(end, &failed, to));
    }
    gone_back(end, &failed)
}

/// Returns the note on the source of the watched revision, led by `begin`. Empty where another revision of the push is
/// watched.
fn told_of_base(end: &ServiceEnd, begin: &str) -> String {
    let revision = watched(end).map(|watched| &watched.rollout.task_definition);
    let is_own = revision.is_none_or(|revision| Some(revision) == end.task_definition.as_ref());
    let note = end.base.as_ref().filter(|_| is_own);
    note.map_or_else(String::new, |note| format!("{begin}{}", note.message))
}

/// The newer revision of somebody else's whose members the new one has.
fn base_taken(end: &ServiceEnd) -> Option<RevisionName> {
    let note = end.base.as_ref().filter(|_| !told_of_base(end, "").is_empty())?;
    Some(note.task_definition.clone())
}

/// A rollout that failed, where nothing is rolled back.
fn stays(end: &ServiceEnd, failed: &Failed, to: &str) -> Error {
    let Failed {
        says: failed, look_now, ..
    } = failed;
    let previous = watched(end).and_then(|watched| watched.previous.as_ref());
    let go_back = match previous {
        None => "; no revision of it is known to have been stable".to_owned(),
        Some(previous) => format!(
            ". To take it back to {} and hold it there:\n{}",
            previous.short(),
            take_back(end)
        ),
    };
    Error::NotRolledBack(format!(
        "{failed} It stays on {to}, since the rollback of its stage is none; only a circuit breaker or an alarm of the service's own \
         takes it back. {look_now}{go_back}"
    ))
}

/// The command by which an operator takes a service back, on a line of its own.
fn take_back(end: &ServiceEnd) -> String {
    format!("ecr-deploy rollback {}/{} --why '…'", end.cluster, end.service)
}

/// A rollout that did not become stable, in words.
struct Failed {
    /// The failure and its reason.
    says: String,
    /// The next step where the service is well again.
    push_again: &'static str,
    /// The next step where it may not be.
    look_now: &'static str,
}

impl Failed {
    fn of(end: &ServiceEnd, name: &str, to: &str) -> Self {
        let image = &end.image;
        if let Some(error) = &end.error {
            let (read, push_again, look_now) = if error.is_passing() {
                (
                    "nobody could read it until its time was over",
                    "Redrive this execution to try the same image again",
                    "Look at the service now, then redrive this execution to try the same image again",
                )
            } else {
                (
                    "it could not be watched",
                    "Remove the cause, then redrive this execution to try the same image again",
                    "Look at the service now; remove the cause, then redrive this execution to try the same image again",
                )
            };
            return Self {
                says: format!(
                    "{name} is not known to be stable on {to} with {image}: {read} ({}). That is no verdict on the image.",
                    said(error)
                ),
                push_again,
                look_now,
            };
        }
        let check = end.check.as_ref();
        let why = check.map_or("it was never read", |check| check.message.as_str());
        // A hook, a role, or room that is missing says nothing of the image.
        let crashed = check.is_some_and(|check| !check.failed_containers.is_empty());
        Self {
            says: format!(
                "{name} did not become stable on {to} with {image}: {why}.{}",
                sentence(&told_of_base(end, ""))
            ),
            push_again: if crashed {
                "Fix the image and push again, or redrive this execution to try the same image again"
            } else {
                "Remove the cause, or fix the image and push again; redrive this execution to try the same image again"
            },
            look_now: "Look at the service now; push a good image, or redrive this execution to try the same image again",
        }
    }

    /// A newer push took over while it went back.
    fn superseded(&self, message: &str) -> (ServiceOutcome, String) {
        let message = format!("{} {message}", self.says);
        (ServiceOutcome::RollBackSuperseded, message)
    }

    /// The service was deleted while it went back.
    fn deleted(&self, message: &str) -> (ServiceOutcome, String) {
        let message = format!("{} Now {message}", self.says);
        (ServiceOutcome::ServiceDeleted, message)
    }

    /// Something else took over while it went back.
    fn displaced(&self, message: &str) -> Error {
        let Self { says, push_again, .. } = self;
        Error::RolledBack(format!(
            "{says} Another deployment has replaced this rollout: {message}. {push_again}"
        ))
    }
}

/// A text as a sentence behind another one.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!(" {}{}.", first.to_uppercase(), letters.as_str())
    })
}

/// Returns the outcome of the rollback.
fn gone_back(end: &ServiceEnd, failed: &Failed) -> Result<(ServiceOutcome, String), Error> {
    let Failed { says, look_now, .. } = failed;
    if let Some(error) = &end.roll_back_error {
        return Err(Error::RollBackFailed(format!(
            "{says} The rollback failed too ({}). {look_now}",
            said(error)
        )));
    }
    let not_begun = || {
        Err(Error::RollBackFailed(format!(
            "{says} It was not rolled back. {look_now}"
        )))
    };
    let Some(rollback) = &end.roll_back else {
        return not_begun();
    };
    match &rollback.method {
        RollbackMethod::Superseded {} => Ok(failed.superseded(&rollback.message)),
        RollbackMethod::Displaced {} => Err(failed.displaced(&rollback.message)),
        RollbackMethod::ServiceDeleted {} => Ok(failed.deleted(&rollback.message)),
        // Its registration leads to another call of the step, unless that fails.
        RollbackMethod::RegistrationNeeded { .. } => not_begun(),
        RollbackMethod::StoppedDeployment(watched)
        | RollbackMethod::UpdatedService(watched)
        | RollbackMethod::PinnedRevision(watched)
        | RollbackMethod::CopiedRevision(watched)
        | RollbackMethod::Watching(watched) => watched_back(end, watched, failed),
    }
}

/// The result of a rollback that was watched.
fn watched_back(
    end: &ServiceEnd,
    rollback: &WatchedRollback,
    failed: &Failed,
) -> Result<(ServiceOutcome, String), Error> {
    let Failed {
        says,
        push_again,
        look_now,
    } = failed;
    let back = rollback.rollout.task_definition.short();
    let check = end.roll_back_check.as_ref();
    let why = check.map_or("it was never read", |check| check.message.as_str());
    match check.map(|check| check.verdict) {
        Some(Verdict::Stable) if rollback.has_image && !rollback.image_failed => Ok((
            ServiceOutcome::Deployed,
            format!("{says} It is stable on {back}, which has the image too"),
        )),
        Some(Verdict::Stable) => Err(Error::RolledBack(format!(
            "{says} It is back on {back}{}{}. {push_again}",
            if rollback.has_image { HAS_IMAGE } else { " and stable" },
            left(rollback)
        ))),
        Some(Verdict::Superseded) => Ok(failed.superseded(why)),
        Some(Verdict::Displaced) => Err(failed.displaced(why)),
        Some(Verdict::ServiceDeleted) => Ok(failed.deleted(why)),
        Some(Verdict::InProgress | Verdict::Failed) | None => Err(Error::RollBackFailed(format!(
            "{says} The rollback to {back} failed too: {why}. {look_now}"
        ))),
    }
}

/// The words for a later revision that a rollback left: somebody may miss what that brought.
fn left(rollback: &WatchedRollback) -> String {
    let from = rollback.from.as_ref().map(TaskDefinitionArn::short);
    from.map_or_else(String::new, |from| {
        format!("; this also took back {from}, a later revision with the same image")
    })
}

/// A change of a service that ended in an error, with nothing to watch.
struct Attempted<'a> {
    /// The service for a person.
    name: &'a str,
    /// The change that was to be made: "updated to web:2 for app:v2".
    what: String,
    /// How it is tried again.
    again: String,
    /// True if it may have been done all the same, where nobody answered.
    may_be_done: bool,
}

impl Attempted<'_> {
    /// The error of the service, by the name under which its step threw it.
    fn failed(&self, error: Option<&StateError>) -> Error {
        let Self {
            name,
            what,
            again,
            may_be_done,
        } = self;
        let Some(error) = error else {
            return Error::ServicesFailed(format!("{name} was not {what}; {again}"));
        };
        let reason = readable(error);
        let says = format!("{name} was not {what}: {reason}. Nothing was changed");
        let message = format!("{says}; {again}");
        match error.error.as_str() {
            "Deploy.RolledBack" => Error::RolledBack(format!(
                "{says}; fix the image and push again, or redrive this execution to try the same image again"
            )),
            "Deploy.NotFound" => Error::NotFound(message),
            "Deploy.Rejected" => Error::Rejected(message),
            "Deploy.InvalidInput" => Error::InvalidInput(message),
            // ECS may have done what it was asked, although its answer was lost or the function ended.
            _ if *may_be_done => Error::ServicesFailed(format!(
                "It is not known whether {name} was {what}: {reason}. Look at the service now; {again}"
            )),
            _ => Error::ServicesFailed(message),
        }
    }
}

/// An error's name and what it says; since when it was tried in vain, where it is one that passes by itself.
fn said(error: &StateError) -> String {
    let since = error.since.filter(|_| error.is_passing());
    let since = since.map(|since| format!("; tried since {since}")).unwrap_or_default();
    format!("{}: {}{since}", error.error, readable(error))
}

/// Returns the message in an error's cause. Lambda puts a JSON object there, with the message in it.
#[must_use]
pub fn readable(error: &StateError) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(&error.cause).ok();
    let message = parsed
        .as_ref()
        .and_then(|cause| cause.get("errorMessage"))
        .and_then(|message| message.as_str());
    match message.unwrap_or(&error.cause) {
        "" => error.error.clone(),
        message => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
