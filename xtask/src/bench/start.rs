//! A cold start: from the start of the process to its first answer, as Lambda starts it.

use super::account::{Account, Size, Wire};
use super::push::functions;
use super::table::{Spread, megabytes, ratio};
use crate::Failure;
use crate::lambda;
use local_aws::tools;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use walker::warm::Functions;

/// How many times each start is measured.
pub(crate) const RUNS: usize = 30;

/// Measures every function, and a Python function beside them; returns the table.
pub(crate) fn measure(runtime: &tokio::runtime::Runtime) -> Result<String, Failure> {
    let built = lambda::build()?;
    let wire = Wire {
        latency: 0,
        throttling: false,
    };
    let account = Account::new(wire, Size::all(8))?;
    let inputs = runtime.block_on(inputs(&functions(&account), &account.event("v2")))?;
    let python = tools::python_with_tools().map_err(|error| error.to_string())?;
    let script = tools::workspace().join("xtask/src/bench/boto3_function.py");
    let mut lines = Vec::new();
    for (name, input) in &inputs {
        lines.push(line(name, || {
            lambda::cold_start(built.command(), name, input, &account.url())
        })?);
    }
    let medians: Vec<_> = lines.iter().map(|line| line.times.median()).collect();
    let to = Spread::of(&medians).median();
    lines.push(line("Python: `import boto3`, one call", || {
        let mut program = Command::new(&python);
        program.arg(&script);
        lambda::cold_start(program, "boto3_function", &json!({}), &account.url())
    })?);
    let mut table = format!(
        "**Cold start: a fresh process until its first answer, with its calls at 0 ms, and its ratio to the median of the \
         functions; the most memory of 30 runs. The zip of all functions: {:.1} MB**\n\n\
         | function | start to first answer | ratio | memory |\n|---|---|---|---|\n",
        megabytes(built.zip_bytes)
    );
    table.extend(lines.iter().map(|line| line.show(to)));
    Ok(table + "\n")
}

/// A line of the table.
struct Line {
    name: String,
    times: Spread,
    megabytes: f64,
}

impl Line {
    /// With the ratio of its median to a time.
    fn show(&self, to: Duration) -> String {
        format!(
            "| {} | {} | {} | {:.0} MB |\n",
            self.name,
            self.times.milliseconds(),
            ratio(self.times.median().as_secs_f64(), to.as_secs_f64()),
            self.megabytes
        )
    }
}

fn line(name: &str, start: impl Fn() -> Result<lambda::ColdStart, Failure>) -> Result<Line, Failure> {
    let starts = (0..RUNS).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    let times: Vec<_> = starts.iter().map(|start| start.time).collect();
    let memory = starts
        .iter()
        .map(|start| start.resident_kilobytes)
        .max()
        .unwrap_or_default();
    Ok(Line {
        name: name.to_owned(),
        times: Spread::of(&times),
        megabytes: megabytes(memory * 1024),
    })
}

/// An input for each function, as the state machine would make it for one of the services.
async fn inputs(functions: &Functions, event: &Value) -> Result<BTreeMap<&'static str, Value>, Failure> {
    let message = |error: ecr_deploy::error::Error| error.to_string();
    let plan = functions.find(event).await.map_err(message)?;
    let image = &plan["image"];
    let settings = &plan["settings"][0];
    let register =
        |planned: &Value| json!({"image": image, "taskDefinition": planned["taskDefinition"], "settings": settings});
    let update = async |planned: &Value| {
        let registered = functions.register(&register(planned)).await.map_err(message)?;
        let service = &planned["services"][0];
        Ok::<_, Failure>(json!({
            "image": image, "cluster": service["cluster"], "service": service["service"], "deadline": null,
            "taskDefinition": registered["taskDefinition"], "source": registered["source"], "wantedSince": null,
            "repeated": false, "services": 1, "settings": settings,
        }))
    };
    // The rollback that is measured takes the first service back, and nobody asks for its update once more.
    let (first, second) = (&plan["revisions"][0], &plan["revisions"][1]);
    let updated = functions.update(&update(first).await?).await.map_err(message)?;
    let (register, update) = (register(first), update(second).await?);
    let (rollout, previous) = (&updated["rollout"], &updated["previous"]);
    let check = json!({"image": image, "rollout": rollout, "previous": previous, "rollsBack": null, "services": 1, "settings": settings});
    let roll_back = json!({"image": image, "rollout": rollout, "previous": previous, "check": null, "services": 1, "settings": settings});
    let conclude = include_str!("../../../statemachine/examples/conclude-image.json");
    let conclude = serde_json::from_str(conclude).map_err(|error| error.to_string())?;
    let missed = include_str!("../../../statemachine/examples/find-missed-pushes.json");
    let missed = serde_json::from_str(missed).map_err(|error| error.to_string())?;
    Ok(BTreeMap::from([
        ("find-missed-pushes", missed),
        ("find-task-definitions", event.clone()),
        ("register-revision", register),
        ("update-service", update),
        ("check-stability", check),
        ("roll-back", roll_back),
        ("conclude", conclude),
    ]))
}
