//! The same work by `ecs-deploy`, the most used Python tool, as its users script it: one call of its command line per
//! service, one after the other.
//!
//! See <https://pypi.org/project/ecs-deploy/>.

use super::account::{AWS, Account, Calls, Size, event};
use super::push::{functions, warm_up};
use super::table::seconds;
use crate::Failure;
use local_aws::tools;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Measures both on accounts that are alike; puts out the table.
pub(crate) async fn compare() -> Result<String, Failure> {
    let mut table = "**The same by `ecs-deploy` of PyPI, one call of its command line per service, which does not wait for the rollout**\n\n\
        | services | | time | calls | throttled | failed |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for services in [8, 100] {
        let size = Size::all(services);
        let ours = Account::new(AWS, size)?;
        let ecr_deploy = functions(&ours);
        warm_up(&ecr_deploy, &ours).await?;
        let begun = Instant::now();
        ecr_deploy
            .deploy(&event("v2"))
            .await
            .map_err(|error| error.to_string())?;
        let time = begun.elapsed().as_secs_f64();
        let calls = ours.calls().and("ListExecutions", ecr_deploy.listed());
        table += &line(services, "ecr-deploy", time, &calls, services - ours.services_on("v2"));
        let theirs = Account::new(AWS, size)?;
        let begun = Instant::now();
        let mut failed: u32 = 0;
        for service in 1..=services {
            failed += u32::from(!deploy(&theirs, &format!("web-{service}"))?);
        }
        let time = begun.elapsed().as_secs_f64();
        table += &line(services, "ecs-deploy", time, &theirs.calls(), failed);
    }
    Ok(table + "\n")
}

fn line(services: u32, name: &str, time: f64, calls: &Calls, failed: u32) -> String {
    format!(
        "| {services} | {name} | {} | {}: {} | {} | {failed} |\n",
        seconds(time),
        calls.total(),
        calls.list(),
        calls.throttled()
    )
}

/// One call of its command line, which does not wait for the rollout. Puts out whether it ended well.
fn deploy(account: &Account, service: &str) -> Result<bool, Failure> {
    let python = tools::python().map_err(|error| error.to_string())?;
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
