//! `ecr-deploy verify --cluster CLUSTER`: sees in a sandbox of the account what AWS does, and removes what it has made.

use crate::arguments::{Shared, VerifyArguments};
use crate::aws::{Account, now};
use crate::commands::hold::all_hold;
use crate::error::Error;
use crate::exit::Exit;
use crate::installation::parameter;
use crate::output::{self, Document, Tone, cell, note, paragraphs, table, wrapped};
use crate::push::tone;
use crate::report::Outcome;
use crate::verify::NAME;
use crate::verify::begin::{Facts, Tags, refusal};
use crate::verify::facts::{Holds, Judged, Seen, judge};
use crate::verify::policy::{Place, policy};
use crate::verify::pushes::{self, Shown};
use crate::verify::removal::Kept;
use crate::verify::sandbox::Sandbox;
use ecr_deploy::domain::hold;
use find_task_definitions::stage::Stages;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The facts as a run saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verified {
    /// The cluster of the sandbox.
    pub cluster: String,
    /// The name of the service, the family and the repository that were made.
    pub name: String,
    /// The pushes, in their order.
    pub pushes: Vec<MadePush>,
    /// Every fact.
    pub facts: Vec<Judged>,
    /// Why the run ended early, if it did.
    pub ended_early: Option<String>,
    /// The parts that could not be removed.
    pub left: Vec<Left>,
}

/// A push of a run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MadePush {
    /// Which: `good`, `broken`, `redrive`.
    pub step: String,
    /// The image.
    pub image: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The name of its execution.
    pub push: String,
}

/// A part of the sandbox that is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Left {
    /// The part.
    pub part: String,
    /// Why it could not be removed.
    pub why: String,
    /// The command that removes it.
    pub command: String,
}

/// Makes the sandbox, pushes, removes it and tells; or prints the policy alone.
pub(crate) async fn run(shared: &Shared, arguments: &VerifyArguments) -> Result<Exit, Error> {
    let tags = Tags::of(&arguments.tag)?;
    let account = Account::open(shared).await?;
    let place = Place::beside(&account.installation, &account.region, &arguments.cluster);
    if arguments.policy {
        let name = parameter(&account.stack);
        let role = arguments.execution_role.as_deref();
        output::line(&format!("{:#}", policy(&place, &account.installation, &name, role)))?;
        return Ok(Exit::Done);
    }
    let sandbox = Sandbox::new(&account, arguments, place.clone())?;
    may_begin(&sandbox, &tags).await?;
    if account.installation.settings.sends_messages {
        note("the topic of the installation gets a message of each of these pushes");
    }
    let shown = Shown {
        seen: Seen {
            trigger: account.installation.trigger.clone(),
            caller: account.caller().await?,
            ..Seen::default()
        }
        .into(),
        ..Shown::default()
    };
    let (ended_early, is_interrupted) = tokio::select! {
        done = pushes::run(&sandbox, &tags, &shown) => (done.err().map(|error| error.to_string()), false),
        () = crate::interrupted() => (Some("it was interrupted".to_owned()), true),
    };
    note("removes what it has made");
    let kept = tokio::select! {
        kept = sandbox.remove() => kept,
        () = crate::interrupted() => sandbox.made(),
    };
    let left = |it: Kept| Left {
        part: it.part.name(),
        command: it.part.command(&place),
        why: it.why,
    };
    let document = Verified {
        cluster: arguments.cluster.clone(),
        name: NAME.to_owned(),
        pushes: shown.pushes.take(),
        facts: judge(&shown.seen.borrow()),
        ended_early,
        left: kept.into_iter().map(left).collect(),
    };
    output::print(shared.output, &document, now())?;
    Ok(document.exit(is_interrupted))
}

/// Reads what decides if a run may begin.
async fn may_begin(sandbox: &Sandbox<'_>, tags: &Tags) -> Result<(), Error> {
    let (account, at) = (sandbox.account, now());
    let stages = Stages::read(&account.installation.settings)?;
    let held = all_hold(account).await?;
    let cluster = sandbox.read_cluster().await?;
    let there = sandbox.there().await?;
    let refused = refusal(&Facts {
        arguments: sandbox.arguments,
        tags,
        installation: &account.installation,
        stages: &stages,
        hold: held.as_deref().and_then(|text| hold::hold(text, at)),
        cluster: cluster.as_ref(),
        there: &there,
        place: &sandbox.place,
    });
    refused.map_or(Ok(()), Err)
}

impl Verified {
    /// The exit code.
    fn exit(&self, is_interrupted: bool) -> Exit {
        let fails = self.facts.iter().any(|it| it.holds == Holds::DoesNotHold);
        match self {
            _ if is_interrupted => Exit::Interrupted,
            it if it.ended_early.is_some() || !it.left.is_empty() => Exit::Failed,
            _ if fails => Exit::Ill,
            _ => Exit::Done,
        }
    }
}

impl Document for Verified {
    fn text(&self, _: Timestamp) -> String {
        let push = |it: &MadePush| {
            vec![
                cell(&it.step, Tone::Plain),
                cell(&it.image, Tone::Plain),
                cell(it.outcome.name(), tone(it.outcome.name())),
                cell(crate::named::short(&it.push), Tone::Plain),
            ]
        };
        let pushes = if self.pushes.is_empty() {
            String::new()
        } else {
            let rows = self.pushes.iter().map(push).collect();
            table(&["push", "image", "outcome", "execution"], rows)
        };
        let fact = |it: &Judged| {
            let (holds, tone) = match it.holds {
                Holds::Holds => ("yes", Tone::Good),
                Holds::DoesNotHold => ("NO", Tone::Bad),
                Holds::NotSeen => ("not seen", Tone::Notable),
            };
            vec![
                cell(holds, tone),
                cell(
                    format!("{}\nSeen: {}.", it.sentence, it.seen.trim_end_matches('.')),
                    Tone::Plain,
                ),
            ]
        };
        let facts = table(&["holds", "fact"], self.facts.iter().map(fact).collect());
        let early = self.ended_early.as_ref();
        let early = early.map_or(String::new(), |why| wrapped(&format!("The run ended early: {why}")));
        paragraphs([pushes, facts, early, self.removed(), self.sum()])
    }
}

impl Verified {
    /// The end of the sandbox, or what is left of it. A command stands in a line of its own, to be copied.
    fn removed(&self) -> String {
        if self.left.is_empty() {
            return wrapped(&format!(
                "The repository, the family and the service {} are removed.",
                self.name
            ));
        }
        let left = self.left.iter().map(|it| {
            let said = wrapped(&format!("Not removed: {}, since {}. Remove it:", it.part, it.why));
            format!("{said}\n  {}", it.command)
        });
        left.collect::<Vec<_>>().join("\n")
    }

    fn sum(&self) -> String {
        let count = |holds: Holds| self.facts.iter().filter(|it| it.holds == holds).count();
        format!(
            "{} of {} facts hold, {} not, {} not seen.",
            count(Holds::Holds),
            self.facts.len(),
            match count(Holds::DoesNotHold) {
                1 => "1 does".to_owned(),
                many => format!("{many} do"),
            },
            count(Holds::NotSeen)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::facts::Fact;

    fn verified(holds: Holds) -> Verified {
        Verified {
            cluster: "sandbox".to_owned(),
            name: NAME.to_owned(),
            pushes: vec![MadePush {
                step: "good".to_owned(),
                image: "ecr-deploy-verify:v1.0.1".to_owned(),
                outcome: Outcome::Deployed,
                push: "ecr-deploy-verify-v1-0-1-6a69650c-1fc1-4eb1-8c94-cfb37be29cff".to_owned(),
            }],
            facts: vec![Judged {
                fact: Fact::PushStartsExecution,
                sentence: "The event of a push starts an execution.".to_owned(),
                holds,
                seen: "it began 4 s after the push".to_owned(),
            }],
            ended_early: None,
            left: Vec::new(),
        }
    }

    #[test]
    fn the_exit_code_tells_the_worst() {
        let early = |it: Verified| Verified {
            ended_early: Some("no".to_owned()),
            ..it
        };
        let left = |it: Verified| Verified {
            left: vec![Left {
                part: "the service".to_owned(),
                why: "no".to_owned(),
                command: "aws".to_owned(),
            }],
            ..it
        };
        for (document, is_interrupted, exit) in [
            (verified(Holds::Holds), false, Exit::Done),
            (verified(Holds::NotSeen), false, Exit::Done),
            (verified(Holds::DoesNotHold), false, Exit::Ill),
            (early(verified(Holds::DoesNotHold)), false, Exit::Failed),
            (left(verified(Holds::Holds)), false, Exit::Failed),
            (left(verified(Holds::Holds)), true, Exit::Interrupted),
        ] {
            assert_eq!(document.exit(is_interrupted), exit, "{document:?}");
        }
    }

    #[test]
    fn the_text_has_every_part_and_fits_80_columns() {
        let document = Verified {
            ended_early: Some("the broken push ended DEPLOYED".to_owned()),
            left: vec![Left {
                part: "the repository ecr-deploy-verify".to_owned(),
                why: "DeleteRepository: AccessDeniedException".to_owned(),
                command: "aws ecr delete-repository".to_owned(),
            }],
            ..verified(Holds::DoesNotHold)
        };
        let text = document.text("2026-11-29T10:00:00Z".parse().unwrap());
        for expected in [
            "good",
            "DEPLOYED",
            "6a69650c",
            "NO",
            "Seen: it began 4 s after the push.",
            "The run ended early: the broken push ended DEPLOYED",
            "Not removed: the repository ecr-deploy-verify, since DeleteRepository",
            "\n  aws ecr delete-repository",
            "0 of 1 facts hold, 1 does not, 0 not seen.",
        ] {
            assert!(text.contains(expected), "no {expected:?} in:\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let whole = verified(Holds::Holds).text("2026-11-29T10:00:00Z".parse().unwrap());
        assert!(whole.contains("ecr-deploy-verify are removed."), "{whole}");
    }
}
