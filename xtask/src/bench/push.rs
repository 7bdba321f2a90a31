//! A push: from its event to the last `UpdateService`, by the functions themselves, called as the state machine calls
//! them.

use super::account::{AWS, Account, LATENCY, Size};
use super::runs::{Run, Runs};
use super::table::{ratio, seconds};
use crate::Failure;
use aws_sdk_ecs::config::{BehaviorVersion, Builder, Credentials, Region};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::error::Error;
use futures::future::try_join_all;
use serde_json::Value;
use simulated_ecs::Seed;
use std::time::{Duration, Instant};
use walker::warm::Functions;

/// The functions on this account, whose clients share their connections.
pub(crate) fn functions(account: &Account) -> Functions {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let url = account.url();
    let client = move || {
        let credentials = Credentials::new("local", "local", None, None, "the benchmark");
        Ecs::with_config(
            Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .credentials_provider(credentials)
                .http_client(http.clone())
                .endpoint_url(&url),
        )
    };
    Functions::new(client, super::now)
}

fn revisions(plan: &Value) -> usize {
    plan["revisions"].as_array().map_or(0, Vec::len)
}

/// One case of the table.
pub(crate) struct Case {
    name: &'static str,
    size: Size,
    /// How many families run the image, and how many services.
    matching: (u32, u32),
    /// True if the setting `clusters` names the services' cluster.
    clusters: bool,
}

/// The cases, from the smallest to the largest.
pub(crate) fn cases() -> [Case; 5] {
    let case = |name, (services, families): (u32, u32), matching: (u32, u32)| Case {
        name,
        size: Size {
            services,
            families,
            matching: matching.0,
        },
        matching,
        clusters: false,
    };
    [
        case("8 services on 8 families", (8, 8), (8, 8)),
        Case {
            clusters: true,
            ..case("the same with the setting `clusters`", (8, 8), (8, 8))
        },
        case("100 services on 100 families", (100, 100), (100, 100)),
        case("1,000 services on 20 families", (1000, 20), (20, 1000)),
        case(
            "5,000 services on 2,000 families, 10 families match",
            (5000, 2000),
            (10, 30),
        ),
    ]
}

/// The dependent calls of one service, each with what it is needed for.
const CHAIN: [(&str, &str); 8] = [
    (
        "ListClusters",
        "the setting `clusters` is empty, and names them otherwise",
    ),
    ("ListServices", "the cluster's services"),
    ("DescribeServices", "the revision that each runs"),
    ("DescribeTaskDefinition", "whether that runs the repository"),
    (
        "DescribeTaskDefinition",
        "by \"Register revision\": the document to copy, for which a plan has no room, and whether the family has the revision already",
    ),
    ("RegisterTaskDefinition", "the revision with the image"),
    (
        "DescribeServices",
        "by \"Update service\": whether the service has moved since, and the last good revision",
    ),
    ("UpdateService", "the rollout"),
];

/// Says what the chain consists of, and why.
pub(crate) fn chain() -> String {
    let calls = CHAIN.iter().map(|(call, reason)| format!("`{call}` ({reason})"));
    format!(
        "The {} calls that have to follow each other are {}. All other calls are made at the same time as these.",
        CHAIN.len(),
        calls.collect::<Vec<_>>().join(", ")
    )
}

/// The shortest time that AWS allows, in seconds, and what sets it.
struct Bound {
    seconds: f64,
    by: String,
}

/// How often a case is run that lasts a moment, alone and one run after the other.
const SHORT_RUNS: usize = 11;
/// How often one is run that waits for a bucket nearly all the time, all runs beside each other.
const LONG_RUNS: usize = 3;

impl Case {
    /// The dependent calls of this case.
    fn chain(&self) -> u32 {
        let needed = CHAIN.iter().skip(usize::from(self.clusters));
        needed.map(|_| 1).sum()
    }

    /// A bucket gives so many calls at once and then so many a second; the chain takes as long as its calls.
    fn bound(&self) -> Bound {
        let (families, services) = self.matching;
        let (all_services, all_families) = (self.size.services, self.size.families);
        let pages = |of: u32| of.div_ceil(100);
        let needed = [
            ("UpdateService, 50 and 5 a second", services, 50, 5.0),
            ("RegisterTaskDefinition, 20 and 1 a second", families, 20, 1.0),
            (
                "service reads, 100 and 20 a second",
                pages(all_services) + all_services.div_ceil(10),
                100,
                20.0,
            ),
            (
                "task definition reads, 50 and 20 a second",
                pages(all_families) + all_families,
                50,
                20.0,
            ),
        ];
        let chain = Bound {
            seconds: f64::from(self.chain()) * Duration::from_millis(LATENCY).as_secs_f64(),
            by: format!("{} calls, one after the other", self.chain()),
        };
        let buckets = needed.map(|(by, calls, burst, rate)| Bound {
            seconds: f64::from(calls.saturating_sub(burst)) / rate,
            by: format!("{by}: {calls} calls"),
        });
        let longer = |one: Bound, other: Bound| if other.seconds > one.seconds { other } else { one };
        buckets.into_iter().fold(chain, longer)
    }

    /// Measures it and returns its line of the table, and what is told below it.
    pub(crate) async fn measure(&self) -> Result<(String, String), Failure> {
        let runs = if self.size.services < 10 {
            let mut runs = Vec::new();
            for _ in 0..SHORT_RUNS {
                runs.push(self.run().await?);
            }
            runs
        } else {
            try_join_all((0..LONG_RUNS).map(|_| self.run())).await?
        };
        let (runs, again): (Vec<Run>, Vec<String>) = runs.into_iter().unzip();
        let (runs, bound) = (Runs::of(runs), self.bound());
        let line = format!(
            "| {} | {}: {} | {} | {} | {} | {} | {} |",
            self.name,
            seconds(bound.seconds),
            bound.by,
            runs.times().seconds(),
            ratio(runs.times().median().as_secs_f64(), bound.seconds),
            runs.totals(),
            runs.throttled(),
            runs.levels()
        );
        let again = again.into_iter().next_back().unwrap_or_default();
        Ok((line, format!("- {}: {}; {again}", self.name, runs.calls().list())))
    }

    /// Measures it once, on an account of its own. Returns besides what the next push's search would call.
    async fn run(&self) -> Result<(Run, String), Failure> {
        let account = Account::new(AWS, self.size)?;
        let mut functions = functions(&account);
        if self.clusters {
            let cluster = Seed::default().cluster;
            functions.config.clusters = vec![cluster.parse().map_err(|error| format!("{cluster}: {error}"))?];
        }
        warm_up(&functions, &account).await?;
        let run = push(&functions, &account).await?;
        let updated = account.services_on("v2");
        if updated != self.matching.1 {
            return Err(format!("{}: {updated} services were updated", self.name));
        }
        account.forget_calls();
        let plan = functions
            .find(&account.event("v3"))
            .await
            .map_err(|error| error.to_string())?;
        let again = format!(
            "the next push's plan of {} revisions, warm: {}",
            revisions(&plan),
            account.calls().and("ListExecutions", functions.listed()).list()
        );
        Ok((run, again))
    }
}

/// Deploys a push by the functions, which are warm.
pub(crate) async fn push(functions: &Functions, account: &Account) -> Result<Run, Failure> {
    let begun = Instant::now();
    let pushed = functions.deploy(&account.event("v2")).await;
    let time = begun.elapsed();
    pushed.map_err(|error| error.to_string())?;
    let calls = account.calls().and("ListExecutions", functions.listed());
    Ok(Run { time, calls })
}

/// Opens the connections that warm sandboxes have open, by calls whose bucket no case comes near to.
pub(crate) async fn warm_up(functions: &Functions, account: &Account) -> Result<(), Failure> {
    let calls = (0..8).map(async |_| functions.find.clusters().await.map(drop));
    try_join_all(calls).await.map_err(|error| error.to_string())?;
    account.forget_calls();
    Ok(())
}

/// A plan beyond Step Functions' limits, which is to be refused before anything is changed.
pub(crate) async fn too_large() -> Result<String, Failure> {
    let size = Size {
        services: 5000,
        families: 100,
        matching: 100,
    };
    let account = Account::new(AWS, size)?;
    let functions = functions(&account);
    let begun = Instant::now();
    let answer = functions.find(&account.event("v2")).await;
    let time = begun.elapsed();
    let calls = account.calls().and("ListExecutions", functions.listed());
    let outcome = match &answer {
        Err(error @ Error::InvalidInput(_)) => format!("refused: {error}"),
        Err(error) => return Err(format!("a plan that is too large ends in {error}")),
        Ok(plan) => format!("not refused, {} bytes", plan.to_string().len()),
    };
    Ok(format!(
        "A plan beyond the limits of Step Functions (5,000 services that all match) is {outcome}. That took {} and {} calls, \
         of which {} would change anything.",
        seconds(time.as_secs_f64()),
        calls.total(),
        calls.writes()
    ))
}
