//! The token buckets that ECS documents, shared by every client of the account.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::names::Milliseconds;

/// The calls that share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Category {
    TaskDefinitionModify,
    TaskDefinitionRead,
    ServiceModify,
    ServiceRead,
    ServiceDeploymentRead,
    ServiceRevisionRead,
    ClusterModify,
    ClusterRead,
    ClusterResourceRead,
    /// No bucket is simulated for it.
    Unlimited,
}

/// Name, how many calls at once, how many a second afterwards.
const LIMITS: [(Category, &str, f64, f64); 9] = [
    (Category::TaskDefinitionModify, "taskDefinitionModify", 20.0, 1.0),
    (Category::TaskDefinitionRead, "taskDefinitionRead", 50.0, 20.0),
    (Category::ServiceModify, "serviceModify", 50.0, 5.0),
    (Category::ServiceRead, "serviceRead", 100.0, 20.0),
    (Category::ServiceDeploymentRead, "serviceDeploymentRead", 50.0, 20.0),
    (Category::ServiceRevisionRead, "serviceRevisionRead", 50.0, 20.0),
    (Category::ClusterModify, "clusterModify", 20.0, 1.0),
    (Category::ClusterRead, "clusterRead", 50.0, 20.0),
    (Category::ClusterResourceRead, "clusterResourceRead", 100.0, 20.0),
];

#[derive(Debug, Clone)]
struct Bucket {
    tokens: f64,
    at: Milliseconds,
    lowest: f64,
    taken: u64,
    refused: u64,
}

/// The level of every bucket, and how low it has been.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buckets {
    levels: BTreeMap<Category, Bucket>,
}

impl Buckets {
    /// Takes a token for a call. False: there was none, the call is to be throttled.
    ///
    /// The level is kept whether or not throttling is on, so that a test without it can still read how low it went. Real
    /// time, whatever the speed: a limit that clients meet on their own clock.
    pub(crate) fn take(&mut self, category: Category, now: Milliseconds) -> bool {
        let Some((_, _, burst, rate)) = LIMITS.iter().find(|(limited, ..)| *limited == category) else {
            return true;
        };
        let full = Bucket {
            tokens: *burst,
            at: now,
            lowest: *burst,
            taken: 0,
            refused: 0,
        };
        let bucket = self.levels.entry(category).or_insert(full);
        bucket.tokens = (bucket.tokens + seconds(now - bucket.at) * rate).min(*burst);
        bucket.at = now.max(bucket.at);
        let enough = bucket.tokens >= 1.0;
        if enough {
            bucket.tokens -= 1.0;
            bucket.taken += 1;
        } else {
            bucket.refused += 1;
        }
        bucket.lowest = bucket.lowest.min(bucket.tokens);
        enough
    }

    /// Forgets how low the buckets went and what was taken from them, not how full they are.
    pub(crate) fn reset(&mut self) {
        for bucket in self.levels.values_mut() {
            (bucket.lowest, bucket.taken, bucket.refused) = (bucket.tokens, 0, 0);
        }
    }

    /// For a person: each bucket's limits, its lowest level, and how many calls it had a token for and how many not.
    pub(crate) fn report(&self) -> Value {
        let line = |(category, name, burst, rate): &(Category, &str, f64, f64)| {
            let bucket = self.levels.get(category);
            let count = |of: fn(&Bucket) -> u64| bucket.map_or(0, of);
            let report = json!({
                "burst": burst,
                "perSecond": rate,
                "lowest": bucket.map_or(*burst, |bucket| bucket.lowest),
                "taken": count(|bucket| bucket.taken),
                "withoutToken": count(|bucket| bucket.refused),
            });
            ((*name).to_owned(), report)
        };
        Value::Object(LIMITS.iter().map(line).collect())
    }
}

#[allow(clippy::cast_precision_loss)] // milliseconds of one run
fn seconds(milliseconds: Milliseconds) -> f64 {
    milliseconds.max(0) as f64 / 1000.0
}
