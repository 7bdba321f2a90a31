//! The report of a storm: a folder with the scenario, the aftermath, and for each violation the histories that a person
//! reads to understand it.

use super::aftermath::{Aftermath, Deployment, Execution, ServiceId, short};
use super::exercised::Exercised;
use super::invariants::{Violation, cut_short};
use super::scenario::Scenario;
use crate::Failure;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const SCENARIO: &str = "scenario.json";
const AFTERMATH: &str = "aftermath.json";
const REPORT: &str = "report.txt";

fn problem(path: &Path) -> impl Fn(&dyn std::fmt::Display) -> Failure {
    move |error| format!("{}: {error}", path.display())
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| problem(path)(&error))
}

/// Makes the folder, without what an earlier storm left in it, and writes down the scenario.
///
/// # Errors
///
/// When the folder cannot be written to.
pub(crate) fn begin(folder: &Path, scenario: &Scenario) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| problem(folder)(&error))?;
    }
    fs::create_dir_all(folder).map_err(|error| problem(folder)(&error))?;
    let path = folder.join(SCENARIO);
    let text = serde_json::to_vec_pretty(scenario).map_err(|error| problem(&path)(&error))?;
    write(&path, text)
}

/// Writes down the aftermath.
///
/// # Errors
///
/// When the folder cannot be written to.
pub(crate) fn record(folder: &Path, aftermath: &Aftermath) -> Result<(), Failure> {
    let path = folder.join(AFTERMATH);
    let text = serde_json::to_vec(aftermath).map_err(|error| problem(&path)(&error))?;
    write(&path, text)
}

/// Reads the aftermath that a storm left in its folder.
///
/// # Errors
///
/// When there is none.
pub(crate) fn read(folder: &Path) -> Result<Aftermath, Failure> {
    let path = folder.join(AFTERMATH);
    let text = fs::read(&path).map_err(|error| problem(&path)(&error))?;
    serde_json::from_slice(&text).map_err(|error| problem(&path)(&error))
}

/// The storm in a few lines: so that one in which nothing happened shows.
pub(crate) fn summary(aftermath: &Aftermath) -> String {
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for execution in &aftermath.executions {
        let end = match (&execution.error, execution.outcome()) {
            (Some(error), _) => error.clone(),
            (None, Some(outcome)) => outcome.to_owned(),
            (None, None) => execution.status.clone(),
        };
        *ends.entry(format!("{:?} {end}", execution.machine)).or_default() += 1;
    }
    let ends: Vec<String> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
    let refused = aftermath.calls.iter().filter(|call| call.outcome != "ok").count();
    format!(
        "{} pushes, {} deeds of others, {} redriven, {} calls of which {refused} failed; {}\n{}\n{}",
        aftermath.pushes.len(),
        aftermath.others.iter().filter(|deed| deed.is_done()).count(),
        aftermath.redriven.len(),
        aftermath.calls.len(),
        ends.join(", "),
        cut_short(aftermath),
        Exercised::by(aftermath)
    )
}

/// Writes down what does not hold, and how it came about.
///
/// # Errors
///
/// When the folder cannot be written to.
pub(crate) fn violations(
    folder: &Path,
    aftermath: &Aftermath,
    violations: &[Violation],
    again: &str,
) -> Result<(), Failure> {
    let mut text = format!("{again}\n{}\n", summary(aftermath));
    for violation in violations {
        let _ = write!(text, "\n{violation}\n");
        if let Some(id) = &violation.service {
            text += &history(aftermath, id);
        }
        let named = violation.execution.as_ref();
        for execution in aftermath.executions.iter().filter(|it| Some(&it.name) == named) {
            let _ = writeln!(text, "  {}", line(execution));
            let message = execution.message.as_deref().unwrap_or_default();
            let _ = writeln!(text, "    {}", message.replace('\n', "\n    "));
        }
    }
    write(&folder.join(REPORT), text)
}

/// The story of a service: rollouts, writes of ours, deeds of others and executions, in the order of time.
fn history(aftermath: &Aftermath, id: &ServiceId) -> String {
    let mut lines: Vec<(i64, String)> = Vec::new();
    let rollouts = aftermath
        .after
        .service(id)
        .into_iter()
        .flat_map(|service| &service.history);
    lines.extend(rollouts.map(|it| (it.created_at, rollout(aftermath, id, it))));
    let rollouts = aftermath
        .after
        .service(id)
        .into_iter()
        .flat_map(|service| &service.history);
    lines.extend(rollouts.filter_map(|it| {
        let since = it.rolling_back_since?;
        Some((since, format!("rollback  by ECS from {}", short(&it.task_definition))))
    }));
    for deed in aftermath
        .others
        .iter()
        .filter(|deed| deed.service().as_ref() == Some(id))
    {
        let refused = deed.error.as_deref().unwrap_or("done");
        lines.push((
            deed.at,
            format!("somebody  {} {} ({refused})", deed.operation, deed.request),
        ));
    }
    for call in &aftermath.calls {
        let writes = call.operation == "UpdateService" && call.is_of(id);
        let stops = call.operation == "StopServiceDeployment"
            && call
                .parameter("serviceDeploymentArn")
                .contains(&format!("/{}/{}/", id.cluster, id.service));
        if writes || stops {
            let to = short(call.parameter("taskDefinition"));
            lines.push((
                call.at,
                format!(
                    "call      {} {to} ({}, applied: {})",
                    call.operation, call.outcome, call.applied
                ),
            ));
        }
    }
    for execution in aftermath.executions_of(id) {
        lines.push((execution.started, format!("begins    {}", execution.name)));
        let message = execution
            .message
            .as_deref()
            .or(execution.output.as_ref().and_then(|it| it["message"].as_str()));
        let ended = execution.ended.unwrap_or(i64::MAX);
        lines.push((
            ended,
            format!("ends      {}: {}", line(execution), message.unwrap_or_default()),
        ));
    }
    lines.sort();
    lines.iter().fold(String::new(), |mut text, (at, line)| {
        let _ = writeln!(text, "  {} {line}", clock(*at));
        text
    })
}

fn rollout(aftermath: &Aftermath, id: &ServiceId, it: &Deployment) -> String {
    let whose = if aftermath.is_of_others(id, it) {
        "somebody's"
    } else {
        "ours"
    };
    let pushes = aftermath.after.revision(&it.task_definition).map(|revision| {
        let pushes = revision
            .pushes()
            .map(|(repository, push)| format!("{repository} {push}"));
        pushes.collect::<Vec<_>>().join(", ")
    });
    format!(
        "rollout   of {} ({whose}; {}): {} at {} {}",
        short(&it.task_definition),
        pushes.unwrap_or_default(),
        it.status,
        it.finished_at.map(clock).unwrap_or_default(),
        it.status_reason.as_deref().unwrap_or_default()
    )
}

fn line(execution: &Execution) -> String {
    format!(
        "{:?} {} of {} ({}): {} {} {}",
        execution.machine,
        execution.name,
        execution.image,
        execution.push.as_ref().map(ToString::to_string).unwrap_or_default(),
        execution.status,
        execution.outcome().unwrap_or_default(),
        execution.error.as_deref().unwrap_or_default()
    )
}

/// The time of day.
fn clock(at: i64) -> String {
    let at = Timestamp::from_millisecond(at).ok();
    at.map_or_else(|| "?".to_owned(), |at| at.strftime("%H:%M:%S%.3f").to_string())
}
