//! An account in which a test deploys: one cluster, and a clock that the test moves.

use serde_json::{Value, json};
use simulated_ecs::{Api, ApiError, Milliseconds, Seed, Settings, Simulation};

pub(crate) const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const BEGIN: Milliseconds = 1_790_000_000_000;

/// A simulation at the speed of the real ECS, and what time it is there.
pub(crate) struct Account {
    pub(crate) simulation: Simulation,
    pub(crate) now: Milliseconds,
}

pub(crate) fn image(tag: &str) -> String {
    format!("{REGISTRY}/web:{tag}")
}

impl Account {
    pub(crate) fn new() -> Self {
        Self::with(Settings {
            speed: 1.0,
            ..Settings::default()
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self {
            simulation: Simulation::new(settings, BEGIN),
            now: BEGIN,
        }
    }

    /// An account with the stable service `web` on `web:1`, image `web:v1`, with these members.
    pub(crate) fn with_service(desired_count: u32, service: &Value) -> Self {
        let mut account = Self::new();
        account.seed(desired_count, service);
        account
    }

    pub(crate) fn seed(&mut self, desired_count: u32, service: &Value) {
        let service = service.as_object().cloned().unwrap_or_default();
        let seed = Seed {
            image: Some(image("v1")),
            desired_count,
            service,
            ..Seed::default()
        };
        self.simulation.seed(self.now, &seed).unwrap();
    }

    pub(crate) fn try_call(&mut self, operation: &str, request: &Value) -> Result<Value, ApiError> {
        let ecr = operation.contains("Image") || operation.contains("Repositor");
        let api = if ecr { Api::Ecr } else { Api::Ecs };
        self.simulation.call(self.now, api, operation, request)
    }

    #[allow(clippy::needless_pass_by_value)] // a test reads best with the request in place
    pub(crate) fn call(&mut self, operation: &str, request: Value) -> Value {
        self.try_call(operation, &request)
            .unwrap_or_else(|error| panic!("{operation} {request}: {error}"))
    }

    /// Lets so many seconds pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += seconds * 1000;
        self.simulation.advance(self.now);
    }

    /// Registers a revision of family `web` with this image; returns its ARN.
    pub(crate) fn register(&mut self, image: &str) -> String {
        let document = json!({"family": "web", "containerDefinitions": [{"name": "app", "image": image}]});
        let answer = self.call("RegisterTaskDefinition", document);
        answer["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Starts a rollout of `web:<tag>` and returns the new revision's ARN.
    pub(crate) fn deploy(&mut self, tag: &str) -> String {
        let revision = self.register(&image(tag));
        self.call("UpdateService", json!({"service": "web", "taskDefinition": revision}));
        revision
    }

    pub(crate) fn service(&mut self) -> Value {
        self.call("DescribeServices", json!({"services": ["web"]}))["services"][0].clone()
    }

    /// The newest service deployment, whole.
    pub(crate) fn service_deployment(&mut self) -> Value {
        let listed = self.call("ListServiceDeployments", json!({"service": "web"}));
        let arn = &listed["serviceDeployments"][0]["serviceDeploymentArn"];
        let found = self.call("DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}));
        found["serviceDeployments"][0].clone()
    }

    /// The statuses of all service deployments, newest first.
    pub(crate) fn statuses(&mut self) -> Vec<String> {
        let listed = self.call("ListServiceDeployments", json!({"service": "web"}));
        let entries = listed["serviceDeployments"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| entry["status"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The tasks of the service that are to run, or that have stopped.
    pub(crate) fn tasks(&mut self, desired_status: &str) -> Vec<Value> {
        let listed = self.call(
            "ListTasks",
            json!({"serviceName": "web", "desiredStatus": desired_status}),
        );
        if listed["taskArns"] == json!([]) {
            return Vec::new();
        }
        let found = self.call("DescribeTasks", json!({"tasks": listed["taskArns"]}));
        found["tasks"].as_array().unwrap().clone()
    }

    /// The digest that a service revision runs, by the revision's ARN.
    pub(crate) fn digest_of_revision(&mut self, arn: &Value) -> String {
        let found = self.call("DescribeServiceRevisions", json!({"serviceRevisionArns": [arn]}));
        found["serviceRevisions"][0]["containerImages"][0]["imageDigest"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}
