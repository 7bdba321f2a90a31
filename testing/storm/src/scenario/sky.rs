//! The faults on the way to ECS and back.

use super::{happens, weighted};
use fastrand::Rng;
use simulated_ecs::{Fault, Kind, Weather};

/// A fault that befalls each call of an operation (`None`: of any) with a chance.
fn fault(fault: Kind, operation: Option<&str>, chance: f64) -> Fault {
    Fault {
        fault,
        operation: operation.map(str::to_owned),
        subject: None,
        chance,
        skip: 0,
        times: None,
        from_milliseconds: 0,
        until_milliseconds: None,
        milliseconds: 0,
    }
}

/// The kinds of faults that storms have. The buckets of AWS decide about throttling.
#[cfg(test)]
pub(super) const KINDS: [Kind; 8] = [
    Kind::ServerError,
    Kind::CutBefore,
    Kind::CutAfter,
    Kind::TooManyConcurrent,
    Kind::Slow,
    Kind::Stale,
    Kind::Empty,
    Kind::Deny,
];

/// The operations of the service deployments API that answer with lists.
const LISTS: [&str; 3] = [
    "ListServiceDeployments",
    "DescribeServiceRevisions",
    "DescribeServiceDeployments",
];

/// Faults that pass, until some time after the last push; and a service deployments API that is there, or not, for good.
pub(super) fn sky(rng: &mut Rng, length: i64) -> Weather {
    let passing = [
        fault(Kind::ServerError, None, 0.02),
        fault(Kind::CutBefore, None, 0.02),
        fault(Kind::CutAfter, None, 0.02),
        fault(Kind::CutAfter, Some("UpdateService"), 0.1),
        fault(Kind::CutAfter, Some("RegisterTaskDefinition"), 0.1),
        fault(Kind::TooManyConcurrent, Some("RegisterTaskDefinition"), 0.1),
        Fault {
            milliseconds: rng.i64(1_000..4_000),
            ..fault(Kind::Slow, None, 0.01)
        },
        Fault {
            // Longer than a client waits.
            milliseconds: 11_000,
            ..fault(Kind::Slow, Some("UpdateService"), 0.02)
        },
        Fault {
            milliseconds: rng.i64(1_000..6_000),
            ..fault(Kind::Stale, Some("UpdateService"), 0.1)
        },
        Fault {
            milliseconds: rng.i64(1_000..6_000),
            ..fault(Kind::Stale, Some("StopServiceDeployment"), 0.2)
        },
    ];
    let mut faults: Vec<Fault> = passing.into_iter().filter(|_| happens(rng, 70)).collect();
    for fault in &mut faults {
        fault.until_milliseconds = Some(length + 20_000);
    }
    let api = [
        (60, None),
        (15, Some((Kind::Empty, 1.0))),
        (10, Some((Kind::Empty, 0.3))),
        (15, Some((Kind::Deny, 1.0))),
    ];
    if let Some((kind, chance)) = weighted(rng, &api).flatten() {
        faults.extend(LISTS.map(|operation| fault(kind, Some(operation), chance)));
        if kind == Kind::Deny {
            faults.push(fault(kind, Some("StopServiceDeployment"), chance));
        }
    }
    Weather {
        faults,
        schedule: Vec::new(),
    }
}
