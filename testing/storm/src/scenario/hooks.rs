//! Lifecycle hooks of services that shift traffic, and what somebody does who is asked to continue a rollout.

use super::kinds::Kind;
use super::{Service, happens, weighted};
use fastrand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The deed of a person as soon as a rollout of a service pauses.
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

/// A minute takes two seconds, and a rollout may take ninety. A storm of few such services has the first four of them.
const ENDS: [End; 4] = [
    End::Answered(Answer::Continue),
    End::Answered(Answer::Rollback),
    End::Expires(5, "ROLLBACK"),
    End::Function("check"),
];
const MORE_ENDS: [End; 4] = [
    End::Expires(5, "CONTINUE"),
    End::Expires(55, "CONTINUE"),
    End::Function("slow-check"),
    End::Function("fail-check"),
];

/// Where a rollout may pause.
const STAGES: [(u32, &str); 5] = [
    (1, "PRE_SCALE_UP"),
    (2, "POST_SCALE_UP"),
    (3, "POST_TEST_TRAFFIC_SHIFT"),
    (1, "PRE_PRODUCTION_TRAFFIC_SHIFT"),
    (1, "POST_PRODUCTION_TRAFFIC_SHIFT"),
];

/// Gives hooks to some services; returns what somebody does about them, by the name of the service.
pub(super) fn hooks(rng: &mut Rng, services: &mut [Service]) -> BTreeMap<String, Answer> {
    let mut answers = BTreeMap::new();
    let (mut first, mut more) = (ENDS, MORE_ENDS);
    rng.shuffle(&mut first);
    rng.shuffle(&mut more);
    let mut ends = first.into_iter().chain(more).cycle();
    for service in services {
        let shifts_traffic = matches!(service.kind, Kind::BlueGreen | Kind::Linear | Kind::Canary);
        if !shifts_traffic || !happens(rng, 75) {
            continue;
        }
        let (Some(stage), Some(end)) = (weighted(rng, &STAGES), ends.next()) else {
            continue;
        };
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
