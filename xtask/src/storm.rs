//! The storm: the real state machines and the real functions on the simulated ECS, with images of every behaviour, faults,
//! second deployers and overlapping pushes; and what must hold afterwards, whatever happened.
//!
//! A seed makes a [`Scenario`]; playing it leaves an [`Aftermath`]; the [`invariants`] judge that. What a seed decides is
//! everything but the timing of the machine it runs on.

mod aftermath;
mod exercised;
mod invariants;
mod play;
mod report;
mod scenario;
mod stages;

use crate::Failure;
use aftermath::{Aftermath, Execution};
use clap::Args;
use exercised::Exercised;
use local_aws::{LocalAws, Options, Settings, Stack, tools};
use prepare::prerequisites;
use scenario::{CLUSTERS, Scenario};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `cargo xtask storm` is told.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The seed: a number, or `today` for the UTC date as a number, which it is if none is given. Several are played one
    /// after another.
    #[arg(long = "seed", value_name = "N")]
    seeds: Vec<Seed>,
    /// How many services there are.
    #[arg(long, default_value_t = 200)]
    services: usize,
    /// Fail where the seeds together do not exercise every rule about stages and holds, and every fault.
    #[arg(long, conflicts_with = "judge")]
    exercise: bool,
    /// Judge the storm that left this folder once more, and play none.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["seeds", "services"])]
    judge: Option<PathBuf>,
}

/// A seed, or the word `today`.
#[derive(Debug, Clone, Copy)]
struct Seed(Option<u64>);

impl std::str::FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "today" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|seed| Self(Some(seed)))
                .map_err(|_| "give a number, or `today`".to_owned()),
        }
    }
}

impl Seed {
    #[expect(clippy::disallowed_methods, reason = "the seed of the day is the day's")]
    fn number(self) -> u64 {
        self.0.unwrap_or_else(|| {
            let today = jiff::Timestamp::now().strftime("%Y%m%d").to_string();
            today.parse().unwrap_or_default()
        })
    }
}

/// Plays each seed, and judges what it leaves.
///
/// # Errors
///
/// Names each seed that failed, and the command that plays it again; also when the local AWS does not do its part.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(folder) = &arguments.judge {
        return judge_again(folder);
    }
    prerequisites::check()?;
    let seeds = match arguments.seeds.as_slice() {
        [] => &[Seed(None)],
        seeds => seeds,
    };
    let options = Options {
        simulated_ecs: Some(play::simulated(0)),
        ..Options::default()
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let mut failed = Vec::new();
    let mut exercised = Exercised::NONE;
    for seed in seeds.iter().map(|seed| seed.number()) {
        let begun = Instant::now();
        eprintln!("\nseed {seed}, {} services", arguments.services);
        let scenario = Scenario::new(seed, arguments.services);
        let folder = tools::workspace().join(format!("target/storm/{seed}"));
        report::begin(&folder, &scenario)?;
        // An account of its own: a warm function does not read a revision twice, and here every seed begins with the same names.
        let aws = LocalAws::start(&options).map_err(|error| error.to_string())?;
        let stack = deploy(&aws, &scenario)?;
        let aftermath = runtime.block_on(play::play(&aws, &stack, &scenario))?;
        report::record(&folder, &aftermath)?;
        let refused = aws.refused();
        if !refused.is_empty() {
            failed.push(format!(
                "seed {seed}: IAM refused what a role must be allowed:\n{}",
                refused.join("\n")
            ));
        }
        let seconds = begun.elapsed().as_secs();
        eprintln!("{} ({seconds} s)", report::summary(&aftermath));
        let again = format!("cargo xtask storm --seed {seed} --services {}", arguments.services);
        let of_seed = Exercised::by(&aftermath);
        if !scenario.stages.is_empty() && of_seed.has_no_stages() {
            failed.push(format!(
                "seed {seed}: it has stages, and no rule about them decided anything"
            ));
        }
        if !aftermath.executions.iter().any(Execution::says_deployed) {
            failed.push(format!("seed {seed}: nothing was deployed"));
        }
        exercised += of_seed;
        match judge(&folder, &aftermath, &again)? {
            0 => eprintln!("seed {seed}: passed"),
            count => failed.push(format!(
                "seed {seed}: {count} violations in {}; again with: {again}",
                folder.display()
            )),
        }
    }
    let missing = exercised.missing();
    if arguments.exercise && !missing.is_empty() {
        failed.push(format!("no storm exercised this: {}", missing.join(", ")));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n"))
    }
}

fn deploy(aws: &LocalAws, scenario: &Scenario) -> Result<Stack, Failure> {
    let either = |is_second: bool, [first, second]: [&'static str; 2]| if is_second { second } else { first };
    let settings = Settings::default()
        .with("clusters", CLUSTERS.join(","))
        .with("pollInterval", "2s")
        .with("rolloutTimeout", "90s")
        .with("imageReference", either(scenario.by_digest, ["tag", "digest"]))
        .with("trigger", either(scenario.by_image_action, ["putImage", "imageAction"]));
    let settings = match scenario.stages.as_slice() {
        [] => settings,
        stages => settings.with(
            "stages",
            serde_json::to_string(stages).map_err(|error| error.to_string())?,
        ),
    };
    aws.deploy(&settings).map_err(|error| error.to_string())
}

/// Writes down what does not hold, and tells it; says how much that is.
fn judge(folder: &Path, aftermath: &Aftermath, again: &str) -> Result<usize, Failure> {
    let violations = invariants::judge(aftermath);
    for violation in &violations {
        eprintln!("{violation}");
    }
    report::violations(folder, aftermath, &violations, again)?;
    Ok(violations.len())
}

fn judge_again(folder: &Path) -> Result<(), Failure> {
    let aftermath = report::read(folder)?;
    eprintln!("{}", report::summary(&aftermath));
    match judge(folder, &aftermath, "(judged once more)")? {
        0 => Ok(()),
        count => Err(format!("{count} violations")),
    }
}
