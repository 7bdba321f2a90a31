//! The facts about AWS on which ecr-deploy stands, and which nothing but an account of AWS can show: the one list of
//! them, for the page `docs/limits.md` and for the command `verify`; and the judgement by what was seen. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fact that was not seen in an account of AWS when this version was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The fact, in a plain sentence.
    pub sentence: &'static str,
    /// The behaviour where it does not hold.
    pub otherwise: &'static str,
    /// The fact of `verify` that tells; `None` where four pushes cannot tell.
    pub told: Option<Fact>,
}

/// A fact of which the four pushes of `verify` tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fact {
    /// A push arrives.
    PushStartsExecution,
    /// The event says who pushed.
    PusherIsNamed,
    /// The record of a rollout has a digest of the push.
    IndexIsRecorded,
    /// A second start beside the first.
    DuplicateOfRunning,
    /// A second start after the first.
    DuplicateOfEnded,
    /// The exit code of a crash.
    ExitCodeIsTold,
    /// A rollout is stopped by ECS.
    StopNeedsNoBreaker,
    /// The contents after a rollback.
    SameDigestAfterRollback,
    /// A redrive deploys again.
    RedriveRunsTaskAgain,
    /// The redriven execution knows that it is one.
    RedriveCountIsRead,
}

/// All open facts: first those that `verify` tells, in the order of its run.
pub const OPEN: [Open; 18] = [
    told(
        Fact::PushStartsExecution,
        "The event of a push reaches the rule and starts an execution.",
        "The sweep finds the push within the hour.",
    ),
    told(
        Fact::PusherIsNamed,
        "CloudTrail's event names whoever pushed by the ARN that AWS STS tells of them.",
        "The summary, the messages and the tag `ecr-deploy:by` name another ARN, or nobody.",
    ),
    told(
        Fact::IndexIsRecorded,
        "ECS's record of a rollout has the digest of the pushed index, or of an image that it lists.",
        "Where it has none, the running tasks are read; where it has another one, the push ends `SUPERSEDED`.",
    ),
    told(
        Fact::DuplicateOfRunning,
        "An event that comes twice starts nothing while its first execution runs.",
        "The execution of *push* for the second event is red; no service is moved twice.",
    ),
    told(
        Fact::DuplicateOfEnded,
        "An event that comes twice starts nothing after its first execution has ended.",
        "The execution of *push* for the second event is red; no service is moved twice.",
    ),
    told(
        Fact::ExitCodeIsTold,
        "ECS tells the exit code of a container that has crashed for as long as a poll needs.",
        "The rollout fails later, by the count of ECS or at its deadline, and the message has no code.",
    ),
    told(
        Fact::StopNeedsNoBreaker,
        "ECS stops a rollout and goes back when it is asked to, also without a circuit breaker.",
        "The service is updated to its last good revision.",
    ),
    told(
        Fact::SameDigestAfterRollback,
        "A service that went back runs the digest that it ran before.",
        "Set `imageReference` to `digest`: then each revision names its contents itself.",
    ),
    told(
        Fact::RedriveRunsTaskAgain,
        "A redrive runs the task again that ended the push with its error, and the push goes on from there.",
        "Push again instead of a redrive.",
    ),
    told(
        Fact::RedriveCountIsRead,
        "A redriven execution reads how often it was redriven, and names what it starts by that.",
        "The redrive is refused, since Step Functions takes a name once; push again instead.",
    ),
    untold(
        "ECS takes a request to go back while a deployment waits at a hook for a person.",
        "`cancel` answers the hook with `ROLLBACK`; a deadline stands still while a hook waits.",
    ),
    untold(
        "IAM asks for a service and for its deployment or revision, where a call names only the latter.",
        "Every policy names both.",
    ),
    untold(
        "ECS refuses a sixth deployment of a service with the words \"active deployments exist\".",
        "The push ends `Deploy.Rejected` at that service.",
    ),
    untold(
        "ECS rounds a circuit breaker's threshold of so many percent up.",
        "A rollout fails one crash earlier or later than ECS's own circuit breaker.",
    ),
    untold(
        "ECS tries again some five minutes after it found no place for a task.",
        "A quarter of `rolloutTimeout` may be too short for a service whose tasks need each other's room.",
    ),
    untold(
        "EventBridge takes a pattern with four wildcards.",
        "The deployment of the stack fails; name the tags of stages without stars.",
    ),
    untold(
        "ECS takes another revision for a service in Express Mode by `UpdateService`.",
        "The push ends `Deploy.Rejected` at that service, and the message says so.",
    ),
    untold(
        "Lambda tells IAM by `aws:SourceArn` for which function it takes on a role.",
        "No function can take on its role, and the deployment of the stack fails.",
    ),
];

const fn told(fact: Fact, sentence: &'static str, otherwise: &'static str) -> Open {
    Open {
        sentence,
        otherwise,
        told: Some(fact),
    }
}

const fn untold(sentence: &'static str, otherwise: &'static str) -> Open {
    Open {
        sentence,
        otherwise,
        told: None,
    }
}

/// The judgement on a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Holds {
    /// It was seen to hold.
    Holds,
    /// It was seen not to hold.
    DoesNotHold,
    /// Nothing tells.
    NotSeen,
}

/// A fact with what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Judged {
    /// Its name.
    pub fact: Fact,
    /// The fact, in a sentence.
    pub sentence: String,
    /// The judgement.
    pub holds: Holds,
    /// The thing that was seen.
    pub seen: String,
}

/// All that a run has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The setting `trigger`, where it is known.
    pub trigger: Option<String>,
    /// The ARN of whoever pushes, by AWS STS.
    pub caller: String,
    /// How the event of the good push came; `None` where nobody has pushed.
    pub arrival: Option<Arrival>,
    /// The digests of the good push, once it is deployed.
    pub digests: Option<Digests>,
    /// The duplicate beside the first execution.
    pub beside: Option<Second>,
    /// The duplicate after it.
    pub after: Option<Second>,
    /// The broken push, once it has ended.
    pub broken: Option<Broken>,
    /// The redrive, once it has ended.
    pub redriven: Option<Redriven>,
}

/// How an event came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// After so many seconds, with the ARN of who pushed where it names one.
    After(u64, Option<String>),
    /// Not within so many seconds.
    Never(u64),
}

/// The digests that belong to a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// Of the index that was pushed.
    pub index: String,
    /// Of the images that it lists.
    pub listed: Vec<String>,
    /// The one that ECS's record of the rollout has, where it has one.
    pub recorded: Option<String>,
}

/// A second start for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Second {
    /// True if the first execution still ran when the second start was over.
    pub first_ran: bool,
    /// True if it ended well and names the first execution.
    pub names_first: bool,
    /// The error with which Step Functions refused the name, where it did.
    pub refusal: Option<String>,
    /// The error of the second start, where it failed.
    pub failure: Option<String>,
}

/// A broken push that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The outcome of the service: `Deploy.RolledBack`.
    pub outcome: String,
    /// Its message.
    pub message: String,
    /// How it went back: `STOPPED_DEPLOYMENT` or another method of the step "Roll back".
    pub method: Option<String>,
    /// The digest that its tasks ran before.
    pub before: Option<String>,
    /// The one that they run now.
    pub after: Option<String>,
}

/// A redrive that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// How often Step Functions says that it was redriven.
    pub count: u32,
    /// The name of the service's execution before.
    pub first: String,
    /// That after the redrive.
    pub second: String,
    /// The outcome of the service then.
    pub outcome: String,
}

/// Judges every fact by what was seen.
#[must_use]
pub fn judge(seen: &Seen) -> Vec<Judged> {
    let judged = |open: &Open| {
        let fact = open.told?;
        let (holds, seen) = of(fact, seen).unwrap_or((Holds::NotSeen, "the run did not come so far".to_owned()));
        Some(Judged {
            fact,
            sentence: open.sentence.to_owned(),
            holds,
            seen,
        })
    };
    OPEN.iter().filter_map(judged).collect()
}

fn of(fact: Fact, seen: &Seen) -> Option<(Holds, String)> {
    match fact {
        Fact::PushStartsExecution => Some(match seen.arrival.as_ref()? {
            Arrival::After(seconds, _) => (Holds::Holds, format!("it began {seconds} s after the push")),
            Arrival::Never(seconds) => (Holds::DoesNotHold, never(*seconds, seen.trigger.as_deref())),
        }),
        Fact::PusherIsNamed => pusher(seen),
        Fact::IndexIsRecorded => seen.digests.as_ref().map(recorded),
        Fact::DuplicateOfRunning => seen.beside.as_ref().map(|second| duplicate(second, true)),
        Fact::DuplicateOfEnded => seen.after.as_ref().map(|second| duplicate(second, false)),
        Fact::ExitCodeIsTold => seen.broken.as_ref().map(|broken| {
            let is_told = broken.message.contains("exited with code 1");
            (holds(is_told), format!("{}: {}", broken.outcome, broken.message))
        }),
        Fact::StopNeedsNoBreaker => seen.broken.as_ref().map(|broken| match broken.method.as_deref() {
            Some("STOPPED_DEPLOYMENT") => (Holds::Holds, "ECS was told to go back, and did".to_owned()),
            Some(method) => (Holds::DoesNotHold, format!("it went back by {method}")),
            None => (Holds::NotSeen, "the step \"Roll back\" told nothing".to_owned()),
        }),
        Fact::SameDigestAfterRollback => seen.broken.as_ref().map(same_digest),
        Fact::RedriveRunsTaskAgain => seen.redriven.as_ref().map(|it| {
            let ran = it.first != it.second;
            let said = format!("{} was followed by {}, which ended {}", it.first, it.second, it.outcome);
            let nothing = format!("no execution followed {}", it.first);
            (holds(ran), if ran { said } else { nothing })
        }),
        Fact::RedriveCountIsRead => seen.redriven.as_ref().map(|it| {
            let ends = format!("-{}", it.count);
            let said = format!("Step Functions counts {}, and the name is {}", it.count, it.second);
            (holds(it.count > 0 && it.second.ends_with(&ends)), said)
        }),
    }
}

fn holds(it: bool) -> Holds {
    if it { Holds::Holds } else { Holds::DoesNotHold }
}

/// Why no event may have come.
fn never(seconds: u64, trigger: Option<&str>) -> String {
    let advice = match trigger {
        Some("putImage") => {
            "a trail that logs management events has to be there, see the setting trigger; ecr-deploy doctor tells more"
        }
        _ => "ecr-deploy doctor tells more",
    };
    format!("no execution began within {seconds} s: {advice}")
}

fn pusher(seen: &Seen) -> Option<(Holds, String)> {
    if let Some(trigger) = seen.trigger.as_deref().filter(|it| *it != "putImage") {
        let said = format!("the trigger is {trigger}, whose event names nobody");
        return Some((Holds::NotSeen, said));
    }
    let Arrival::After(_, by) = seen.arrival.as_ref()? else {
        return None;
    };
    Some(match by {
        Some(by) if *by == seen.caller => (Holds::Holds, by.clone()),
        Some(by) => (
            Holds::DoesNotHold,
            format!("it names {by}, and STS tells {}", seen.caller),
        ),
        None => (Holds::DoesNotHold, "it names nobody".to_owned()),
    })
}

fn recorded(digests: &Digests) -> (Holds, String) {
    match &digests.recorded {
        None => (Holds::NotSeen, "ECS has no record of the rollout".to_owned()),
        Some(digest) if *digest == digests.index => (Holds::Holds, "it has that of the index".to_owned()),
        Some(digest) if digests.listed.contains(digest) => {
            (Holds::Holds, "it has that of the image for its processor".to_owned())
        }
        Some(digest) => (Holds::DoesNotHold, format!("it has {digest}")),
    }
}

fn duplicate(second: &Second, beside: bool) -> (Holds, String) {
    if second.first_ran != beside {
        let said = "the first execution had ended before the second event came".to_owned();
        return (Holds::NotSeen, said);
    }
    match (second, &second.refusal) {
        (Second { names_first: true, .. }, Some(error)) => {
            (Holds::Holds, format!("Step Functions refused its name: {error}"))
        }
        (Second { names_first: true, .. }, None) => (
            Holds::Holds,
            "Step Functions answered with the first execution".to_owned(),
        ),
        _ => {
            let failure = second.failure.as_deref().unwrap_or("it names another execution");
            (Holds::DoesNotHold, failure.to_owned())
        }
    }
}

fn same_digest(broken: &Broken) -> (Holds, String) {
    match (&broken.before, &broken.after) {
        (Some(before), Some(after)) if before == after => (Holds::Holds, format!("{after}, as before")),
        (Some(before), Some(after)) => (Holds::DoesNotHold, format!("{after}, and before {before}")),
        _ => (Holds::NotSeen, "ECS tells no digest of its tasks".to_owned()),
    }
}

#[cfg(test)]
mod tests;
