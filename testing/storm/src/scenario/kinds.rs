//! The kinds of services that a storm hits.

use super::{happens, weighted};
use fastrand::Rng;
use serde::Serialize;
use serde_json::{Value, json};

/// The kind of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A rolling update, and nobody but us who watches it.
    Rolling,
    /// Twelve tasks.
    Large,
    /// A circuit breaker that only stops.
    Breaker,
    /// A circuit breaker that rolls back.
    BreakerRollback,
    /// Alarms that only stop.
    Alarms,
    /// Alarms that roll back.
    AlarmsRollback,
    /// ECS's own blue/green deployment.
    BlueGreen,
    /// ECS's own linear deployment.
    Linear,
    /// ECS's own canary deployment.
    Canary,
    /// One task on each container instance.
    Daemon,
    /// No task at all.
    Idle,
    /// Behind a Classic Load Balancer, where ECS tells no `rolloutState`.
    ClassicLoadBalancer,
    /// Deployed by `CodeDeploy`.
    CodeDeploy,
    /// Deployed from outside ECS.
    External,
    /// Behind a target group that drains old tasks for minutes, up to an hour.
    Draining,
    /// A circuit breaker with a threshold of its own.
    Threshold,
    /// ECS calls a rollout successful early, once the old tasks are gone.
    EarlyBlocking,
    /// ECS calls a rollout successful early, and leaves the old tasks for later.
    EarlyDeferred,
    /// In Express Mode.
    Express,
    /// Its tasks take a port of their hosts.
    HostPort,
    /// May have five deployments at once that have tasks.
    Piled,
}

/// Each kind, and how many of a hundred services are of it.
const WEIGHTS: [(u32, Kind); 14] = [
    (22, Kind::Rolling),
    (5, Kind::Large),
    (10, Kind::Breaker),
    (16, Kind::BreakerRollback),
    (5, Kind::Alarms),
    (5, Kind::AlarmsRollback),
    (7, Kind::BlueGreen),
    (4, Kind::Linear),
    (4, Kind::Canary),
    (5, Kind::Daemon),
    (7, Kind::Idle),
    (4, Kind::ClassicLoadBalancer),
    (3, Kind::CodeDeploy),
    (3, Kind::External),
];

/// The kinds that are about a fault, and how often each replaces another one; those without a number have families of
/// their own.
pub(super) const OF_FAULTS: [(u32, Kind); 7] = [
    (22, Kind::Draining),
    (30, Kind::Threshold),
    (14, Kind::EarlyBlocking),
    (14, Kind::EarlyDeferred),
    (20, Kind::Express),
    (0, Kind::HostPort),
    (0, Kind::Piled),
];

#[cfg(test)]
pub(super) const ALL: [Kind; 14] = {
    let mut all = [Kind::Rolling; 14];
    let mut place = 0;
    while place < all.len() {
        all[place] = WEIGHTS[place].1;
        place += 1;
    }
    all
};

impl Kind {
    pub(super) fn any(rng: &mut Rng) -> Self {
        weighted(rng, &WEIGHTS).unwrap_or(Self::Rolling)
    }

    /// A request of `CreateService` for a service of this kind.
    pub(super) fn request(self, rng: &mut Rng, cluster: &str, name: &str, family: &str) -> Value {
        let mut request = json!({
            "cluster": cluster,
            "serviceName": name,
            "taskDefinition": family,
            "enableExecuteCommand": rng.bool(),
            "tags": [{"key": "team", "value": name}],
        });
        match self {
            Self::Daemon => request["schedulingStrategy"] = "DAEMON".into(),
            Self::Idle => request["desiredCount"] = 0.into(),
            Self::Large => request["desiredCount"] = 12.into(),
            Self::Threshold => request["desiredCount"] = rng.u32(2..=6).into(),
            Self::EarlyBlocking | Self::EarlyDeferred => request["desiredCount"] = 4.into(),
            // As many as there are container instances at most.
            Self::HostPort => request["desiredCount"] = rng.u32(1..=3).into(),
            Self::Piled => request["desiredCount"] = 1.into(),
            _ => request["desiredCount"] = rng.u32(1..=4).into(),
        }
        if let Some(configuration) = self.deployment_configuration(rng, name) {
            request["deploymentConfiguration"] = configuration;
        }
        match self {
            Self::CodeDeploy => request["deploymentController"] = json!({"type": "CODE_DEPLOY"}),
            Self::External => request["deploymentController"] = json!({"type": "EXTERNAL"}),
            Self::ClassicLoadBalancer => {
                let balancer = json!({"loadBalancerName": name, "containerName": "app", "containerPort": 80});
                request["loadBalancers"] = json!([balancer]);
            }
            Self::Draining => {
                // The default of AWS, and the most that it takes.
                let seconds = [300, 300, 600, 3_600][rng.usize(..4)];
                let group = format!(
                    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}-drains-{seconds}/73e2d6bc24d8a067"
                );
                let balancer = json!({"targetGroupArn": group, "containerName": "app", "containerPort": 80});
                request["loadBalancers"] = json!([balancer]);
            }
            _ => {}
        }
        if happens(rng, 10) {
            let volume = json!({"roleArn": "arn:aws:iam::123456789012:role/volumes", "sizeInGiB": 10});
            request["volumeConfigurations"] = json!([{"name": "data", "managedEBSVolume": volume}]);
        }
        request
    }

    fn deployment_configuration(self, rng: &mut Rng, name: &str) -> Option<Value> {
        let breaker = |rollback: bool| json!({"enable": true, "rollback": rollback});
        let alarms =
            |rollback: bool| json!({"alarmNames": [format!("{name}-errors")], "enable": true, "rollback": rollback});
        let mut configuration = match self {
            Self::Breaker => json!({"deploymentCircuitBreaker": breaker(false)}),
            Self::BreakerRollback => json!({"deploymentCircuitBreaker": breaker(true)}),
            Self::Alarms => json!({"alarms": alarms(false)}),
            Self::AlarmsRollback => json!({"alarms": alarms(true)}),
            Self::BlueGreen => json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2}),
            Self::Linear => {
                let steps = json!({"stepPercent": 50.0, "stepBakeTimeInMinutes": 1});
                json!({"strategy": "LINEAR", "linearConfiguration": steps, "bakeTimeInMinutes": 1})
            }
            Self::Canary => {
                let canary = json!({"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1});
                json!({"strategy": "CANARY", "canaryConfiguration": canary, "bakeTimeInMinutes": 1})
            }
            Self::Threshold => {
                let thresholds = [
                    ("COUNT", [1, 2, 6]),
                    ("BOUNDED_PERCENT", [25, 50, 100]),
                    ("UNBOUNDED_PERCENT", [25, 100, 200]),
                ];
                let (kind, values) = thresholds[rng.usize(..3)];
                let mut breaker =
                    json!({"enable": rng.bool(), "rollback": rng.bool(), "resetOnHealthyTask": rng.bool()});
                breaker["thresholdConfiguration"] = json!({"type": kind, "value": values[rng.usize(..3)]});
                json!({"deploymentCircuitBreaker": breaker})
            }
            Self::EarlyBlocking | Self::EarlyDeferred => {
                let cleanup = if self == Self::EarlyBlocking {
                    "BLOCKING"
                } else {
                    "DEFERRED"
                };
                let criteria = json!({"enable": true, "healthyPercent": 25, "sourceServiceRevisionCleanup": cleanup});
                // One new task at a time, so that a success is early.
                json!({"earlySuccessCriteria": criteria, "minimumHealthyPercent": 25, "maximumPercent": 125})
            }
            // As ECS sets them up by itself, with less time.
            Self::Express => {
                let canary = json!({"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 3});
                json!({"strategy": "CANARY", "canaryConfiguration": canary, "bakeTimeInMinutes": 3})
            }
            Self::HostPort => {
                let least = if rng.bool() { 0 } else { 33 };
                json!({"minimumHealthyPercent": least, "maximumPercent": 200})
            }
            Self::Piled => json!({"maximumPercent": 1_000}),
            Self::Rolling if rng.bool() => json!({"minimumHealthyPercent": 50, "maximumPercent": 200}),
            _ => return None,
        };
        let shifts_traffic = matches!(self, Self::BlueGreen | Self::Linear | Self::Canary);
        if shifts_traffic && rng.bool() {
            configuration["deploymentCircuitBreaker"] = breaker(rng.bool());
        }
        Some(configuration)
    }
}
