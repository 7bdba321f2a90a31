//! Lifecycle hooks of services that shift traffic, and what somebody does who is asked to continue a rollout.

use super::kinds::Kind;
use super::{Service, happens, weighted};
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What somebody does as soon as a rollout of a service pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Answer {
    /// Continues it.
    Continue,
    /// Takes it back.
    Rollback,
}

impl Answer {
    /// The `action` of `ContinueServiceDeployment`.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Rollback => "ROLLBACK",
        }
    }
}

/// How a hook ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Answered(Answer),
    /// A pause that nobody ends, after so many minutes; and what ECS does then.
    Expires(u32, &'static str),
    /// A function of this name, whose beginning says what it does.
    Function(&'static str),
}

/// A minute takes two seconds, and a rollout may take ninety.
const ENDS: [(u32, End); 8] = [
    (28, End::Answered(Answer::Continue)),
    (14, End::Answered(Answer::Rollback)),
    (14, End::Expires(5, "ROLLBACK")),
    (8, End::Expires(5, "CONTINUE")),
    (10, End::Expires(55, "CONTINUE")),
    (10, End::Function("check")),
    (10, End::Function("slow-check")),
    (6, End::Function("fail-check")),
];

/// Where a rollout may pause.
const STAGES: [(u32, &str); 5] = [
    (1, "PRE_SCALE_UP"),
    (2, "POST_SCALE_UP"),
    (3, "POST_TEST_TRAFFIC_SHIFT"),
    (1, "PRE_PRODUCTION_TRAFFIC_SHIFT"),
    (1, "POST_PRODUCTION_TRAFFIC_SHIFT"),
];

/// Gives hooks to some services; puts out what somebody does about them, by the name of the service.
pub(super) fn hooks(rng: &mut Rng, services: &mut [Service]) -> BTreeMap<String, Answer> {
    let mut answers = BTreeMap::new();
    for service in services {
        let shifts_traffic = matches!(service.kind, Kind::BlueGreen | Kind::Linear | Kind::Canary);
        let (stage, end) = (weighted(rng, &STAGES), weighted(rng, &ENDS));
        let (Some(stage), Some(end)) = (stage, end) else {
            continue;
        };
        if !happens(rng, 60) || !shifts_traffic {
            continue;
        }
        let pause = |minutes: u32, action: &str| {
            let timeout = json!({"timeoutInMinutes": minutes, "action": action});
            json!({"targetType": "PAUSE", "lifecycleStages": [stage], "timeoutConfiguration": timeout})
        };
        let hook = match end {
            // Nobody is there any more for what is begun in the last moment.
            End::Answered(_) => pause(60, "CONTINUE"),
            End::Expires(minutes, action) => pause(minutes, action),
            End::Function(name) => json!({
                "hookTargetArn": format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
                "roleArn": "arn:aws:iam::123456789012:role/hooks",
                "lifecycleStages": [stage],
            }),
        };
        if let End::Answered(answer) = end {
            answers.insert(service.name().to_owned(), answer);
        }
        service.request["deploymentConfiguration"]["lifecycleHooks"] = Value::Array(vec![hook]);
    }
    answers
}
