//! The storm: the real state machines and the real functions on the simulated ECS, with images of every behaviour, faults,
//! second deployers and overlapping pushes; and what must hold afterwards, whatever happened.
//!
//! A seed makes a scenario; playing it leaves an aftermath; the invariants judge that. A seed decides everything but the
//! timing of the machine that it is played on.
//!
//! The storm calls nothing of the product: its numbers, its order of pushes and its names of errors are its own, so that it
//! does not repeat a mistake of what it judges.

mod aftermath;
mod exercised;
mod invariants;
mod play;
mod push;
mod report;
mod scenario;
mod stages;
mod swept;

use aftermath::{Aftermath, Execution};
use exercised::Exercised;
use local_aws::{LocalAws, Options, Settings, Stack, tools};
use scenario::{CLUSTERS, Scenario};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Why a storm failed, for the person at the terminal.
pub type Failure = String;

/// How many storms blow side by side: each waits most of the time.
const AT_ONCE: usize = 2;

/// Plays each seed with so many services, some side by side, and judges what it leaves. With `exercise`, the seeds together must
/// have met every rule about stages and holds, and every fault.
///
/// # Errors
///
/// Names each seed that failed, and the command that plays it again; also when the local AWS does not do its part.
pub fn play(seeds: &[u64], services: usize, exercise: bool) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut played = Vec::new();
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let one = play_one(seed, services, seeds.first() == Some(&seed));
            played.push(one.map_err(|failure| format!("seed {seed}: {failure}")));
        }
        played
    };
    let played: Vec<_> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..AT_ONCE.min(seeds.len())).map(|_| scope.spawn(lane)).collect();
        let ended = lanes
            .into_iter()
            .map(|lane| lane.join().unwrap_or_else(|_| vec![Err("a storm panicked".to_owned())]));
        ended.flatten().collect()
    });
    let mut failed = Vec::new();
    let mut exercised = Exercised::NONE;
    for one in played {
        match one {
            Ok((of_seed, failures)) => {
                exercised += of_seed;
                failed.extend(failures);
            }
            Err(failure) => failed.push(failure),
        }
    }
    let missing = exercised.missing();
    if exercise && !missing.is_empty() {
        failed.push(format!("no storm exercised this: {}", missing.join(", ")));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n"))
    }
}

/// Plays one seed, and sweeps after it where `swept` says so. Returns what it exercised, and how it failed.
fn play_one(seed: u64, services: usize, swept: bool) -> Result<(Exercised, Vec<String>), Failure> {
    let begun = Instant::now();
    eprintln!("\nseed {seed}, {services} services");
    let scenario = Scenario::new(seed, services);
    let folder = tools::workspace().join(format!("target/storm/{seed}"));
    report::begin(&folder, &scenario)?;
    let options = Options {
        simulated_ecs: Some(play::simulated(0)),
        ..Options::default()
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    // An account of its own: a warm function does not read a revision twice, and here every seed begins with the same names.
    let aws = LocalAws::start(&options).map_err(|error| error.to_string())?;
    let stack = deploy(&aws, &scenario)?;
    let aftermath = runtime.block_on(play::play(&aws, &stack, &scenario))?;
    report::record(&folder, &aftermath)?;
    let mut failed = Vec::new();
    // It takes minutes, so that one of several seeds is enough.
    if swept {
        failed.extend(sweep(&runtime, &aws, &stack, &scenario, &aftermath)?);
    }
    let refused = aws.refused();
    if !refused.is_empty() {
        failed.push(format!(
            "seed {seed}: IAM refused what a role must be allowed:\n{}",
            refused.join("\n")
        ));
    }
    let seconds = begun.elapsed().as_secs();
    eprintln!("seed {seed}: {} ({seconds} s)", report::summary(&aftermath));
    let again = format!("cargo xtask storm --seed {seed} --services {services}");
    let exercised = Exercised::by(&aftermath);
    if !scenario.stages.is_empty() && exercised.has_no_stages() {
        failed.push(format!(
            "seed {seed}: it has stages, and no rule about them decided anything"
        ));
    }
    if !aftermath.executions.iter().any(Execution::says_deployed) {
        failed.push(format!("seed {seed}: nothing was deployed"));
    }
    match judge(&folder, &aftermath, &again)? {
        0 => eprintln!("seed {seed}: passed"),
        count => failed.push(format!(
            "seed {seed}: {count} violations in {}; again with: {again}",
            folder.display()
        )),
    }
    Ok((exercised, failed))
}

/// Lets operators sweep after the storm, and tells what must not have come of that.
fn sweep(
    runtime: &tokio::runtime::Runtime,
    aws: &LocalAws,
    stack: &Stack,
    scenario: &Scenario,
    aftermath: &Aftermath,
) -> Result<Vec<String>, Failure> {
    let swept = runtime.block_on(play::sweep(aws, stack, scenario, &aftermath.pushes))?;
    let started = swept.started.join(", ");
    eprintln!("{} services missed a push; started: {started}", swept.missed);
    let violations = swept::judge(&swept).into_iter();
    Ok(violations
        .map(|violation| format!("seed {}: {violation}", scenario.seed))
        .collect())
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
        eprintln!("{}: {violation}", folder.display());
    }
    report::violations(folder, aftermath, &violations, again)?;
    Ok(violations.len())
}

/// Judges the storm that left this folder once more, and plays none.
///
/// # Errors
///
/// When something does not hold, or the folder cannot be read.
pub fn judge_again(folder: &Path) -> Result<(), Failure> {
    let aftermath = report::read(folder)?;
    eprintln!("{}", report::summary(&aftermath));
    match judge(folder, &aftermath, "(judged once more)")? {
        0 => Ok(()),
        count => Err(format!("{count} violations")),
    }
}
