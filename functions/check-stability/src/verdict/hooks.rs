//! A rollout may wait at lifecycle hooks, for a person or for a Lambda function. Its clock stands still meanwhile.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html>.

use ecr_deploy::contract::Rollout;
use ecr_deploy::domain::lifecycle::{Hook, HookAction, HookStatus, Lifecycle};
use jiff::{SignedDuration, Timestamp};

/// For how long a rollout may be held, counted from when it began to be watched. One hook waits for two weeks at most,
/// but a rollout may have several, and an execution has room for 25,000 events.
const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(28 * 24);

/// That a rollout waits at lifecycle hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// When the last of them ends at the latest. ECS goes on or back then.
    pub until: Timestamp,
    /// At which stage it waits, for what, until when, and how to continue it.
    pub says: String,
    /// The ids of the hooks that wait for a person, with a blank between them; `None` where none does.
    pub person: Option<String>,
}

/// The hold of a rollout whose hooks stand like this; `None` where it does not wait, or has been held for too long.
///
/// `end_of_pause` is the action that ends a pause; `None` in a rollback, where nothing pauses. It is \[open\] whether ECS stops
/// a deployment that is paused: if it does not, somebody has to take it back, or the hook ends by itself. It is \[open\], too,
/// whether a hook that was paused is told of in a rollback.
#[must_use]
pub fn hold(
    lifecycle: &Lifecycle,
    rollout: &Rollout,
    end_of_pause: Option<HookAction>,
    now: Timestamp,
) -> Option<Hold> {
    let limit = super::later(rollout.watched_since, LONGEST_HOLD);
    let counts = |hook: &&Hook| end_of_pause.is_some() || hook.status != HookStatus::AwaitingAction;
    let waiting: Vec<&Hook> = lifecycle
        .hooks
        .iter()
        .filter(|hook| waits(hook, now))
        .filter(counts)
        .collect();
    let until = waiting.iter().map(|hook| hook.expires_at.unwrap_or(limit)).max()?;
    let says: Vec<String> = waiting
        .iter()
        .map(|hook| wait_of(lifecycle, hook, end_of_pause))
        .collect();
    let of_person = waiting.iter().filter(|hook| hook.status == HookStatus::AwaitingAction);
    let of_person: Vec<&str> = of_person.map(|hook| hook.id.as_str()).collect();
    (now < limit).then(|| Hold {
        until: until.min(limit),
        says: says.join("; "),
        person: (!of_person.is_empty()).then(|| of_person.join(" ")),
    })
}

/// True if a hook keeps its deployment waiting. A hook of an unknown status does so only where it says until when. It
/// is \[open\] whether `expiresAt` is always there.
fn waits(hook: &Hook, now: Timestamp) -> bool {
    match hook.status {
        HookStatus::AwaitingAction | HookStatus::InProgress => hook.expires_at.is_none_or(|at| now < at),
        HookStatus::Unknown => hook.expires_at.is_some_and(|at| now < at),
        HookStatus::Succeeded | HookStatus::Failed | HookStatus::TimedOut => false,
    }
}

fn wait_of(lifecycle: &Lifecycle, hook: &Hook, end_of_pause: Option<HookAction>) -> String {
    let stage = lifecycle.stage.as_deref().unwrap_or("a lifecycle hook");
    let (purpose, action) = match end_of_pause {
        Some(HookAction::RollBack) => ("take it back", "ROLLBACK"),
        _ => ("continue it", "CONTINUE"),
    };
    let (whom, command) = match (hook.status, &hook.function) {
        (HookStatus::AwaitingAction, _) => (
            format!("somebody to {purpose}"),
            format!(
                ": aws ecs continue-service-deployment --service-deployment-arn {} --hook-id {} --action {action}",
                lifecycle.service_deployment, hook.id
            ),
        ),
        (_, Some(function)) => (
            format!("the Lambda function {}", function_name(function)),
            String::new(),
        ),
        (_, None) => (format!("lifecycle hook {}", hook.id), String::new()),
    };
    let then = match hook.timeout_action {
        Some(HookAction::Continue) => ", when ECS continues it",
        Some(HookAction::RollBack) => ", when ECS rolls it back",
        None => "",
    };
    let until = hook.expires_at.map(|at| format!(" until {}{then}", minute(at)));
    format!("waits at {stage} for {whom}{}{command}", until.unwrap_or_default())
}

/// Why hooks made ECS go back, as far as it still tells of them.
pub(super) fn failures(lifecycle: &Lifecycle) -> Vec<String> {
    lifecycle.hooks.iter().filter_map(failure).collect()
}

fn failure(hook: &Hook) -> Option<String> {
    let at = |word: &str| {
        hook.expires_at
            .map(|at| format!(" {word} {}", minute(at)))
            .unwrap_or_default()
    };
    match (hook.status, &hook.function) {
        (HookStatus::TimedOut, _) if hook.timeout_action == Some(HookAction::Continue) => None,
        (HookStatus::TimedOut, None) => Some(format!("nobody continued lifecycle hook {}{}", hook.id, at("until"))),
        (HookStatus::TimedOut, Some(function)) => Some(format!(
            "the Lambda function {} of a lifecycle hook was not done{}",
            function_name(function),
            at("by")
        )),
        (HookStatus::Failed, None) => Some(format!("lifecycle hook {} was not continued but rolled back", hook.id)),
        (HookStatus::Failed, Some(function)) => Some(format!(
            "the Lambda function {} of a lifecycle hook failed",
            function_name(function)
        )),
        _ => None,
    }
}

/// `check` of `arn:aws:lambda:eu-west-1:123456789012:function:check:live`.
fn function_name(arn: &str) -> &str {
    arn.split(':').nth(6).unwrap_or(arn)
}

/// "2026-11-29 18:00 UTC".
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The deadline of a rollout that is held until `until`, when it is read again in `wait` seconds: it moves on with the
/// clock, and so the time that is left stays.
///
/// An execution that somebody has stopped and redriven later has not looked for a while: what is left then begins now.
#[must_use]
pub fn moved(deadline: Timestamp, now: Timestamp, wait: u32, until: Timestamp) -> Timestamp {
    let held = until.duration_since(now).min(SignedDuration::from_secs(wait.into()));
    super::later(deadline.max(now), held.max(SignedDuration::ZERO))
}

#[cfg(test)]
mod tests;
