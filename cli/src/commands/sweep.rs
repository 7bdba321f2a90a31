//! `ecr-deploy sweep`: finds the pushes that services have missed, by the installed state machine.

use crate::arguments::{Shared, SweepArguments};
use crate::aws::{Account, now};
use crate::commands::plan::ended;
use crate::error::Error;
use crate::execution::{Executions, Status};
use crate::exit::Exit;
use crate::named;
use crate::output::{self, Document, Tone, cell, count, paragraphs, table, time, wrapped};
use crate::parameters::Parameter;
use crate::progress::Progress;
use crate::report::{self, Image};
use ecr_deploy::contract::{MissedPush, WhyMissed};
use ecr_deploy::domain::hold;
use ecr_deploy::domain::sweep::SweepAction;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The result of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Swept {
    /// The ARN of its execution.
    pub execution: String,
    /// The text that holds everything, and for which nothing was looked for.
    pub all_on_hold: Option<String>,
    /// When that hold was set, where AWS tells.
    #[schemars(with = "Option<String>")]
    pub all_on_hold_since: Option<Timestamp>,
    /// How many services it has read.
    pub services: u32,
    /// The services that miss a push: those first for which it was started.
    pub missed: Vec<Missed>,
    /// How many more there are.
    pub more: u32,
    /// The pushes that were started, by the names of their executions.
    pub started: Vec<String>,
    /// The pushes that could not be started, or of which that is not known.
    pub not_started: Vec<NotStarted>,
}

/// A push that a sweep could not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotStarted {
    /// Its image, `shop/web:v2`.
    pub image: String,
    /// The error.
    pub message: String,
}

/// A push that a service has missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Missed {
    /// The service's cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// The stage that owns it.
    pub stage: String,
    /// The revision that it runs: `web:42`.
    pub from: String,
    /// The image that it misses; `pushedAt` is when ECR got it.
    pub image: Image,
    /// Why: `LOST`, `HELD`, `REVERTED` or `UNRECORDED`, as in docs/operations.md.
    pub why: String,
    /// True if its push was started.
    pub deployed: bool,
    /// For a person.
    pub message: String,
}

/// The output of an execution of the state machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    services: u32,
    missed: Vec<MissedPush>,
    more: u32,
    started: Vec<Started>,
}

/// A push that was started: its execution of the state machine push.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {
    image: String,
    execution: String,
}

impl From<&MissedPush> for Missed {
    fn from(missed: &MissedPush) -> Self {
        let why = match missed.why {
            WhyMissed::Lost => "LOST",
            WhyMissed::Held => "HELD",
            WhyMissed::Reverted => "REVERTED",
            WhyMissed::Unrecorded => "UNRECORDED",
        };
        Self {
            cluster: missed.cluster.to_string(),
            service: missed.service.to_string(),
            stage: missed.stage.to_string(),
            from: missed.from.to_string(),
            image: Image::from(&missed.image),
            why: why.to_owned(),
            deployed: missed.action == SweepAction::Deploy,
            message: missed.message.clone(),
        }
    }
}

/// Sweeps, and waits for the end of that, not for the pushes that it starts.
pub(crate) async fn run(shared: &Shared, arguments: &SweepArguments) -> Result<Exit, Error> {
    let account = Account::open(shared).await?;
    let Some(machine) = &account.installation.sweep else {
        return Err(Error::NotFound(
            "the installation is of a version that has no sweep: deploy the stack once more".to_owned(),
        ));
    };
    let executions = Executions(account.sfn());
    let arn = executions
        .start(machine, None, &json!({"report": arguments.report}))
        .await?;
    let progress = Progress::new("what runs is compared with what is in ECR");
    let swept = ended(&executions, &arn).await;
    let swept = swept.map_err(|error| {
        error.after("The sweep goes on in AWS. To see the pushes that it starts:\n  ecr-deploy history")
    })?;
    drop(progress);
    let (Some(output), Status::Succeeded) = (&swept.output, swept.status) else {
        return Err(Error::Rejected(format!(
            "the sweep failed: {}. Once the cause is gone, sweep once more: ecr-deploy sweep",
            swept.why_not()
        )));
    };
    let output: Output = report::read("what the sweep has found", output)?;
    let (mut started, mut not_started) = (Vec::new(), Vec::new());
    for push in output.started {
        match started_by(&executions, &push.execution).await {
            Ok(name) => started.push(name),
            Err(error) => not_started.push(NotStarted {
                image: push.image,
                message: error.to_string(),
            }),
        }
    }
    let mut missed: Vec<Missed> = output.missed.iter().map(Missed::from).collect();
    for it in &mut missed {
        it.deployed &= not_started.iter().all(|push| push.image != it.image.name());
    }
    // A sweep that read nothing may have met a hold of everything: its output does not say so.
    let hold = match output.services {
        0 => hold_of_all(&account).await?,
        _ => None,
    };
    let document = Swept {
        all_on_hold: hold.as_ref().map(|hold| hold.value.clone()),
        all_on_hold_since: hold.and_then(|hold| hold.modified),
        execution: arn,
        services: output.services,
        missed,
        more: output.more,
        started,
        not_started,
    };
    output::print(shared.output, &document, now())?;
    Ok(document.exit())
}

/// The parameter that holds everything now.
async fn hold_of_all(account: &Account) -> Result<Option<Parameter>, Error> {
    let found = account.parameters().get(&account.installation.hold_parameter).await?;
    Ok(found.filter(|found| hold::hold(&found.value, now()).is_some()))
}

impl Swept {
    fn exit(&self) -> Exit {
        match self.not_started.is_empty() {
            true if self.all_on_hold.is_some() => Exit::NothingToDeploy,
            true => Exit::Done,
            false => Exit::Failed,
        }
    }
}

/// The name of the push that an execution of the state machine push has started.
async fn started_by(executions: &Executions, launched: &str) -> Result<String, Error> {
    let unknown = |error| Error::Rejected(format!("it is not known whether its push has started: {error}"));
    let launched = ended(executions, launched).await.map_err(unknown)?;
    let refused = |why: String| Err(Error::Rejected(format!("its push could not be started: {why}")));
    let arn = launched.output.as_ref().and_then(|output| output["execution"].as_str());
    match (arn.and_then(|arn| arn.rsplit(':').next()), launched.failure) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, Some(failure)) => refused(format!("{}: {}", failure.error, failure.message)),
        (None, None) => refused(format!("the execution {} was stopped", launched.name)),
    }
}

/// The answer under a hold of everything.
fn nothing_looked_for(hold: &str, since: Option<Timestamp>) -> String {
    let since = since.map(|at| format!(" since {}", time(at))).unwrap_or_default();
    let said = format!("Everything is on hold{since}: {hold}. Nothing was looked for. To lift the hold:");
    format!("{}\n  ecr-deploy unhold --all", wrapped(&said))
}

impl Document for Swept {
    fn text(&self, _: Timestamp) -> String {
        if let Some(hold) = &self.all_on_hold {
            return nothing_looked_for(hold, self.all_on_hold_since);
        }
        let row = |it: &Missed| {
            let why = if it.deployed {
                cell(format!("{}, deployed", it.why), Tone::Good)
            } else {
                cell(&it.why, Tone::Notable)
            };
            vec![
                cell(format!("{}/{}", it.cluster, it.service), Tone::Plain),
                cell(&it.stage, Tone::Plain),
                cell(&it.from, Tone::Plain),
                cell(it.image.name(), Tone::Plain),
                why,
            ]
        };
        let services = if self.missed.is_empty() {
            String::new()
        } else {
            let rows = self.missed.iter().map(row).collect();
            table(&["service", "stage", "runs", "misses", "why"], rows)
        };
        let is_not_started = |it: &Missed| self.not_started.iter().any(|push| push.image == it.image.name());
        let messages = self.missed.iter().filter(|it| !it.deployed && !is_not_started(it));
        let messages: Vec<String> = messages.map(|it| wrapped(&format!("{}.", it.message))).collect();
        let started: Vec<String> = self
            .started
            .iter()
            .map(|push| format!("  ecr-deploy why {}", named::short(push)))
            .collect();
        let started = match started.len() {
            0 => String::new(),
            pushes => format!(
                "{} started. To see what comes of it:\n{}",
                count(pushes, "push"),
                started.join("\n")
            ),
        };
        let not_started = self.not_started.iter().map(|it| {
            let said = wrapped(&format!("{}: {}. To start it:", it.image, it.message));
            format!("{said}\n  ecr-deploy deploy {}", it.image)
        });
        let not_started: Vec<String> = not_started.collect();
        let missed = self.missed.len() + usize::try_from(self.more).unwrap_or(usize::MAX);
        let more = match self.more {
            0 => String::new(),
            more => format!(", of which {more} are not shown"),
        };
        let read = count(usize::try_from(self.services).unwrap_or(usize::MAX), "service");
        let sum = match missed {
            0 => format!("Of {read} none misses a push."),
            1 => format!("1 of {read} misses a push{more}."),
            missed => format!("{missed} of {read} miss a push{more}."),
        };
        paragraphs([services, messages.join("\n"), started, not_started.join("\n"), sum])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(why: &str, deployed: bool) -> Missed {
        Missed {
            cluster: "production".to_owned(),
            service: "web".to_owned(),
            stage: "all".to_owned(),
            from: "web:41".to_owned(),
            image: Image {
                repository: "shop/web".to_owned(),
                tag: "v2".to_owned(),
                digest: "sha256:0".to_owned(),
                pushed_at: "2026-11-29T10:00:00Z".parse().unwrap(),
                by: None,
            },
            why: why.to_owned(),
            deployed,
            message: "web in production runs web:41. To deploy it, run ecr-deploy deploy shop/web:v2".to_owned(),
        }
    }

    fn text(missed: Vec<Missed>, more: u32, started: &[&str]) -> String {
        let swept = Swept {
            execution: String::new(),
            all_on_hold: None,
            all_on_hold_since: None,
            services: 7,
            missed,
            more,
            started: started.iter().map(|push| (*push).to_owned()).collect(),
            not_started: Vec::new(),
        };
        swept.text("2026-11-29T11:00:00Z".parse().unwrap())
    }

    #[test]
    fn it_says_what_is_deployed_and_of_the_rest_what_to_do() {
        assert_eq!(text(vec![], 0, &[]).trim(), "Of 7 services none misses a push.");
        let one = text(vec![missed("LOST", true)], 0, &[]);
        assert!(one.contains("1 of 7 services misses a push."), "{one}");
        let both = text(
            vec![missed("LOST", true), missed("REVERTED", false)],
            3,
            &["shop-web-v2-sweep-0123456789abcdef"],
        );
        for expected in [
            "SERVICE",
            "production/web",
            "shop/web:v2",
            "LOST, deployed",
            "REVERTED",
            "run ecr-deploy deploy shop/web:v2.",
            "1 push started.",
            "  ecr-deploy why ",
            "5 of 7 services miss a push, of which 3 are not shown.",
        ] {
            assert!(both.contains(expected), "no {expected:?} in:\n{both}");
        }
        assert_eq!(both.matches("To deploy it").count(), 1, "{both}");
    }
}
