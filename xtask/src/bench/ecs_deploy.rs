//! The same work by `ecs-deploy`, the most used Python tool, as its users script it: one call of its command line per
//! service, one after the other.
//!
//! See <https://pypi.org/project/ecs-deploy/>.

use super::account::{AWS, Account, Size};
use super::push::{functions, push, warm_up};
use super::runs::{Run, Runs};
use super::table::{numbers, ratio};
use crate::Failure;
use futures::future::try_join_all;
use local_aws::tools;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How often each is run.
const RUNS: usize = 3;

/// A run, and how many services it did not deploy to.
type Deployed = (Run, u64);

/// Measures both on accounts that are alike; returns the table.
///
/// The runs for a hundred services are beside each other: they wait for ECS's buckets most of the time, and take the
/// processor for a third of it.
pub(crate) async fn compare() -> Result<String, Failure> {
    let mut table = "**The same by `ecs-deploy` of PyPI, one call of its command line per service, which does not wait for the rollout**\n\n\
        | services | | time | ratio | calls | ratio | throttled | failed |\n|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (services, is_short) in [(8, true), (100, false)] {
        let size = Size::all(services);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        if is_short {
            for _ in 0..RUNS {
                ours.push(by_ecr_deploy(size).await?);
                theirs.push(by_ecs_deploy(size)?);
            }
        } else {
            ours = try_join_all((0..RUNS).map(|_| by_ecr_deploy(size))).await?;
            theirs = beside_each_other(|| by_ecs_deploy(size))?;
        }
        let (ours, theirs) = (Line::of(ours), Line::of(theirs));
        table += &ours.show(services, "ecr-deploy", &ours);
        table += &theirs.show(services, "ecs-deploy", &ours);
    }
    Ok(table + "\n")
}

async fn by_ecr_deploy(size: Size) -> Result<Deployed, Failure> {
    let account = Account::new(AWS, size)?;
    let functions = functions(&account);
    warm_up(&functions, &account).await?;
    let run = push(&functions, &account).await?;
    Ok((run, u64::from(size.services - account.services_on("v2"))))
}

fn by_ecs_deploy(size: Size) -> Result<Deployed, Failure> {
    let account = Account::new(AWS, size)?;
    let begun = Instant::now();
    let mut failed = 0;
    for service in 1..=size.services {
        failed += u64::from(!deploy(&account, &format!("web-{service}"))?);
    }
    let (time, calls) = (begun.elapsed(), account.calls());
    Ok((Run { time, calls }, failed))
}

/// Runs the same so many times at once, on threads of their own: they wait for processes.
fn beside_each_other(run: impl Fn() -> Result<Deployed, Failure> + Sync) -> Result<Vec<Deployed>, Failure> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..RUNS).map(|_| scope.spawn(&run)).collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .map(|run| run.unwrap_or_else(|_| Err("a run of ecs-deploy panicked".into())))
            .collect()
    })
}

/// A line of the table.
struct Line {
    runs: Runs,
    failed: Vec<u64>,
}

impl Line {
    fn of(deployed: Vec<Deployed>) -> Self {
        let (runs, failed) = deployed.into_iter().unzip();
        Self {
            runs: Runs::of(runs),
            failed,
        }
    }

    /// With the ratios to another one, by the runs that took the median times.
    fn show(&self, services: u32, name: &str, to: &Self) -> String {
        let seconds = |line: &Self| line.runs.times().median().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "calls of one push")]
        let calls = |line: &Self| line.runs.calls().total() as f64;
        format!(
            "| {services} | {name} | {} | {} | {}: {} | {} | {} | {} |\n",
            self.runs.times().seconds(),
            ratio(seconds(self), seconds(to)),
            self.runs.totals(),
            self.runs.calls().list(),
            ratio(calls(self), calls(to)),
            self.runs.throttled(),
            numbers(self.failed.clone())
        )
    }
}

/// One call of its command line, which does not wait for the rollout. Returns whether it ended well.
fn deploy(account: &Account, service: &str) -> Result<bool, Failure> {
    let python = tools::python_with_tools().map_err(|error| error.to_string())?;
    let status = Command::new(python)
        .args(["-m", "ecs_deploy.cli", "deploy", "default", service])
        .args(["--tag", "v2", "--timeout", "-1"])
        .env("AWS_ENDPOINT_URL", account.url())
        .envs([
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("ecs-deploy: {error}"))?;
    Ok(status.success())
}
