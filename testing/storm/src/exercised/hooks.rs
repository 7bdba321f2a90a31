//! Counts the lifecycle hooks that a storm exercised.

use super::Rule;
use crate::aftermath::{Aftermath, Hook};

pub(super) const RULES: [Rule; 4] = [
    Rule {
        name: "pauses continued",
        count: |aftermath| ended(aftermath, |hook| is_pause(hook) && hook.status == "SUCCEEDED"),
    },
    Rule {
        name: "pauses taken back",
        count: |aftermath| ended(aftermath, |hook| is_pause(hook) && hook.status == "FAILED"),
    },
    Rule {
        name: "pauses that nobody ended",
        count: |aftermath| ended(aftermath, |hook| is_pause(hook) && hook.status == "TIMED_OUT"),
    },
    Rule {
        name: "functions of hooks that ended",
        count: |aftermath| {
            ended(aftermath, |hook| {
                !is_pause(hook) && matches!(hook.status.as_str(), "SUCCEEDED" | "FAILED")
            })
        },
    },
];

fn is_pause(hook: &Hook) -> bool {
    hook.target_type == "PAUSE"
}

/// How many hooks of rollouts of ours ended so.
fn ended(aftermath: &Aftermath, is_so: fn(&Hook) -> bool) -> u64 {
    let services = aftermath.after.services.iter();
    let ours = services.flat_map(|service| {
        let id = service.id();
        let history = service.history.iter();
        history.filter(move |rollout| !aftermath.is_of_others(&id, rollout))
    });
    let hooks = ours.flat_map(|rollout| &rollout.lifecycle_hooks);
    hooks.filter(|hook| is_so(hook)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aftermath::{Account, Call, Service};
    use serde_json::json;

    #[test]
    fn each_end_of_a_hook_of_ours_is_counted_by_itself() {
        let hook =
            |target: &str, status: &str| json!({"targetType": target, "status": status, "timeoutAction": "ROLLBACK"});
        for (target, status, counted) in [
            ("PAUSE", "SUCCEEDED", Some(0)),
            ("PAUSE", "FAILED", Some(1)),
            ("PAUSE", "TIMED_OUT", Some(2)),
            ("AWS_LAMBDA", "SUCCEEDED", Some(3)),
            ("AWS_LAMBDA", "FAILED", Some(3)),
            ("AWS_LAMBDA", "TIMED_OUT", None),
            ("PAUSE", "AWAITING_ACTION", None),
        ] {
            let service: Service = serde_json::from_value(json!({
                "cluster": "north", "serviceName": "web", "status": "ACTIVE", "config": {}, "askedCount": 1, "tags": [],
                "taskDefinition": "", "rolloutState": null, "history": [{
                    "serviceDeploymentArn": "", "taskDefinition": "", "status": "SUCCESSFUL", "statusReason": null,
                    "createdAt": 1, "finishedAt": 2, "lifecycleHooks": [hook(target, status)],
                }],
            }))
            .unwrap();
            let call: Call = serde_json::from_value(json!({
                "at": 1, "operation": "UpdateService", "subject": "web", "outcome": "ok", "applied": true,
                "staleMilliseconds": 0, "parameters": {"cluster": "north"},
            }))
            .unwrap();
            let mut aftermath = Aftermath {
                calls: vec![call],
                after: Account {
                    services: vec![service],
                    revisions: Vec::new(),
                },
                ..Aftermath::default()
            };
            let counts = |aftermath: &Aftermath| RULES.map(|rule| (rule.count)(aftermath));
            let mut expected = [0; 4];
            if let Some(place) = counted {
                expected[place] = 1;
            }
            assert_eq!(counts(&aftermath), expected, "{target} {status}");
            aftermath.calls.clear();
            assert_eq!(counts(&aftermath), [0; 4], "a rollout of somebody else");
        }
    }
}
