//! The account that is measured against: the simulated ECS, as far away as AWS and with its rate limits.

use crate::Failure;
use serde_json::{Value, json};
use simulated_ecs::{Seed, Settings, SimulatedEcs};
use std::collections::BTreeMap;

/// How long each call to AWS takes, in milliseconds.
pub(crate) const LATENCY: u64 = 15;

/// How much faster than AWS's the rollouts are, so that a next push finds services at rest.
const SPEED: f64 = 5000.0;

/// An account, with full buckets.
pub(crate) struct Account {
    ecs: SimulatedEcs,
    /// That of `app:v2`.
    digest: String,
}

/// How an account is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire {
    /// How long each call takes, in milliseconds.
    pub(crate) latency: u64,
    /// True if the documented token buckets refuse calls.
    pub(crate) throttling: bool,
}

/// As AWS documents it.
pub(crate) const AWS: Wire = Wire {
    latency: LATENCY,
    throttling: true,
};

/// How large an account is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) services: u32,
    pub(crate) families: u32,
    /// How many of the families run the image.
    pub(crate) matching: u32,
}

impl Size {
    /// So many services, each on a family of its own, that all run the image.
    pub(crate) fn all(services: u32) -> Self {
        Self {
            services,
            families: services,
            matching: services,
        }
    }

    fn seed(self) -> Seed {
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Seed {
            services: place(self.services),
            families: Some(place(self.families)),
            matching: Some(place(self.matching)),
            service_name: "web".to_owned(),
            ..Seed::default()
        }
    }
}

impl Account {
    pub(crate) fn new(wire: Wire, size: Size) -> Result<Self, Failure> {
        let ecs = SimulatedEcs::start(Settings {
            latency_milliseconds: wire.latency,
            throttling: wire.throttling,
            speed: SPEED,
            ..Settings::default()
        })
        .map_err(|error| error.to_string())?;
        let digest = ecs
            .with(|simulation, now| {
                let digest = simulation.push(now, "app", Some("v2"), None);
                let seeded = simulation.seed(now, &size.seed());
                // A family of the last minute would be searched for a revision of the push, which costs a call more.
                simulation.date_revisions_back(10 * 60 * 1000);
                seeded.map(|_| digest)
            })
            .map_err(|error| error.to_string())?;
        Ok(Self { ecs, digest })
    }

    /// ECR's own event of a push of `app` under `tag`, that happened just now.
    pub(crate) fn event(&self, tag: &str) -> Value {
        json!({
            "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": super::now().to_string(), "region": "eu-west-1",
            "resources": [],
            "detail": {
                "result": "SUCCESS", "repository-name": "app", "image-digest": self.digest,
                "action-type": "PUSH", "image-tag": tag,
                "manifest-media-type": "application/vnd.docker.distribution.manifest.v2+json",
                "artifact-media-type": "application/vnd.docker.container.image.v1+json",
            },
        })
    }

    pub(crate) fn url(&self) -> String {
        self.ecs.url()
    }

    /// The calls since the beginning, or since they were last forgotten.
    pub(crate) fn calls(&self) -> Calls {
        let (_, report) = self
            .ecs
            .with(|simulation, now| simulation.administer(now, "GET", "calls", "", b""));
        Calls(report)
    }

    pub(crate) fn forget_calls(&self) {
        self.ecs.with(|simulation, _| simulation.reset_calls());
    }

    /// How many services are on a revision that runs this image.
    pub(crate) fn services_on(&self, tag: &str) -> u32 {
        let state = self.ecs.with(|simulation, _| simulation.state());
        let runs = |task_definition: &str| {
            let (family, revision) = task_definition
                .rsplit('/')
                .next()
                .and_then(|name| name.split_once(':'))
                .unwrap_or_default();
            let revisions = state["families"][family].as_array();
            let mut named = revisions
                .into_iter()
                .flatten()
                .filter(|it| it["revision"].as_u64() == revision.parse().ok());
            named.any(|it| it["images"].to_string().contains(&format!("/app:{tag}\"")))
        };
        let services = state["services"].as_array().into_iter().flatten();
        let on = services
            .filter_map(|service| service["taskDefinition"].as_str())
            .filter(|task_definition| runs(task_definition));
        on.map(|_| 1).sum()
    }
}

/// The report of an account on the calls that were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Value);

/// Short names for the buckets, as AWS groups them.
const BUCKETS: [(&str, &str); 4] = [
    ("serviceRead", "service reads"),
    ("taskDefinitionRead", "task definition reads"),
    ("taskDefinitionModify", "registrations"),
    ("serviceModify", "updates"),
];

impl Calls {
    pub(crate) fn by_operation(&self) -> BTreeMap<String, u64> {
        let operations = self.0["operations"].as_object().into_iter().flatten();
        operations
            .map(|(operation, count)| (operation.clone(), count["calls"].as_u64().unwrap_or_default()))
            .collect()
    }

    /// With so many calls of another service's operation.
    pub(crate) fn and(mut self, operation: &str, calls: u64) -> Self {
        if calls > 0 {
            self.0["operations"][operation] = json!({"calls": calls, "errors": {}});
        }
        self
    }

    pub(crate) fn total(&self) -> u64 {
        self.by_operation().values().sum()
    }

    /// How many calls were throttled.
    pub(crate) fn throttled(&self) -> u64 {
        let operations = self.0["operations"].as_object().into_iter().flatten();
        operations
            .filter_map(|(_, count)| count["errors"]["ThrottlingException"].as_u64())
            .sum()
    }

    /// How many calls would change something.
    pub(crate) fn writes(&self) -> u64 {
        let reads = ["List", "Describe", "BatchGet"];
        let operations = self.by_operation().into_iter();
        operations
            .filter(|(operation, _)| !reads.iter().any(|read| operation.starts_with(read)))
            .map(|(_, count)| count)
            .sum()
    }

    /// `2 ListServices, 10 DescribeServices`.
    pub(crate) fn list(&self) -> String {
        let calls = self.by_operation().into_iter();
        let calls: Vec<String> = calls.map(|(operation, count)| format!("{count} {operation}")).collect();
        calls.join(", ")
    }
}

/// How low each bucket was that was used by any of the runs: `service reads 75 of 100`.
pub(crate) fn levels(runs: &[&Calls]) -> String {
    let used = BUCKETS.iter().filter_map(|(bucket, name)| {
        let reports = runs.iter().map(|run| &run.0["buckets"][bucket]);
        let used = reports.filter(|report| report["taken"].as_u64().is_some_and(|taken| taken > 0));
        let levels = used.filter_map(|report| Some((report["lowest"].as_f64()?, report["burst"].as_f64()?)));
        let (lowest, burst) = levels.reduce(|one, other| if other.0 < one.0 { other } else { one })?;
        Some(format!("{name} {lowest:.0} of {burst:.0}"))
    });
    used.collect::<Vec<_>>().join(", ")
}
