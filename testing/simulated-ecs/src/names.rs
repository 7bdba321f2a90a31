//! Names that ECS makes up: ARNs, ids, and the chance behind them.
//!
//! Everything random is a hash of the seed and of what it is for (the service, the number of the task), never of the
//! order in which concurrent clients happened to call. So a run with the same seed replays.

use serde_json::Value;

/// A moment in milliseconds since 1970, on the clock of the clients.
pub type Milliseconds = i64;

/// A timestamp as awsJson writes it: seconds since 1970 with a fraction.
#[allow(clippy::cast_precision_loss)] // milliseconds since 1970 stay below 2^53 for 285,000 years
pub(crate) fn timestamp(at: Milliseconds) -> Value {
    Value::from(at as f64 / 1000.0)
}

/// A number that depends on the seed and on every part, and on nothing else.
pub(crate) fn hash(seed: u64, parts: &[&str]) -> u64 {
    let mut state = seed ^ 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    mix(state)
}

/// The finaliser of `SplitMix64`: spreads every bit of the input over the whole output.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A number from 0 up to, not including, 1.
#[allow(clippy::cast_precision_loss)] // 53 bits are what a double holds
pub(crate) fn chance(seed: u64, parts: &[&str]) -> f64 {
    (hash(seed, parts) >> 11) as f64 / (1u64 << 53) as f64
}

/// Decimal digits, as in the id of a deployment or of a service revision.
pub(crate) fn digits(seed: u64, parts: &[&str]) -> String {
    format!(
        "{:019}",
        1_000_000_000_000_000_000 + hash(seed, parts) % 8_000_000_000_000_000_000
    )
}

/// The account and region that every ARN carries.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) partition: String,
    pub(crate) region: String,
    pub(crate) account: String,
}

impl Names {
    /// The ARN of an ECS resource: `kind` is `cluster`, `service` …, `path` what follows it.
    pub(crate) fn arn(&self, kind: &str, path: &str) -> String {
        format!(
            "arn:{}:ecs:{}:{}:{kind}/{path}",
            self.partition, self.region, self.account
        )
    }

    /// The role ECS uses for a service.
    pub(crate) fn service_role(&self) -> String {
        let role = "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";
        format!("arn:{}:iam::{}:role/{role}", self.partition, self.account)
    }

    /// Who makes every call: one principal, as there is no IAM here.
    pub(crate) fn caller(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.account)
    }
}

/// The part of an ARN after its kind: `a/b` of `arn:aws:ecs:eu-west-1:1:service/a/b`. A plain name is returned as it is.
pub(crate) fn resource_path<'a>(name_or_arn: &'a str, kind: &str) -> &'a str {
    if !name_or_arn.starts_with("arn:") {
        return name_or_arn;
    }
    let resource = name_or_arn.splitn(6, ':').nth(5).unwrap_or_default();
    resource
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or_default()
}

/// The last part of a name or ARN: `b` of `arn:…:service/a/b`.
pub(crate) fn last_segment(name_or_arn: &str) -> &str {
    name_or_arn.rsplit('/').next().unwrap_or_default()
}
