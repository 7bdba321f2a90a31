//! Infrastructure as code beside us: somebody applies a document of his own, again and again, whatever we deploy meanwhile.

use super::kinds::Kind;
use super::{DOOMED, Service, happens};
use fastrand::Rng;
use serde_json::{Value, json};
use simulated_ecs::{Scheduled, Trigger};

/// The change of an apply since the last one.
const CHANGES: usize = 3;

/// One or two applies to about one service in twelve: each registers a revision, and mostly moves the service to it at once. They
/// come at any time, or shortly after an update or a stop of ours, which may be a rollback.
pub(super) fn applies(rng: &mut Rng, services: &[Service], families: &[Value], length: i64) -> Vec<Scheduled> {
    let mut schedule = Vec::new();
    for service in services {
        let is_ours = !matches!(service.kind, Kind::CodeDeploy | Kind::External) && service.cluster() != DOOMED;
        if !is_ours || !happens(rng, 8) {
            continue;
        }
        let family = service.text("taskDefinition");
        let Some(document) = families.iter().find(|document| document["family"] == family) else {
            continue;
        };
        for number in 0..rng.u32(1..=2) {
            let changed = changed(rng, document, number);
            let update = json!({"cluster": service.cluster(), "service": service.name(), "taskDefinition": family});
            let mut calls = vec![("RegisterTaskDefinition", changed)];
            if happens(rng, 80) {
                calls.push(("UpdateService", update));
            }
            let (operation, subject) = match rng.u32(..4) {
                0 => ("StopServiceDeployment", format!("/{}/", service.name())),
                _ => ("UpdateService", format!("\"{}\"", service.name())),
            };
            let milliseconds = rng.i64(1..5_000);
            let after = rng.bool().then(|| Trigger {
                operation: operation.to_owned(),
                subject: Some(subject),
                chance: 1.0,
                skip: rng.u64(..3),
                times: 1,
                milliseconds,
            });
            let at = rng.i64(0..length + 10_000);
            schedule.extend(calls.into_iter().map(|(operation, request)| Scheduled {
                at_milliseconds: after.is_none().then_some(at),
                after: after.clone(),
                operation: operation.to_owned(),
                request,
            }));
        }
    }
    schedule
}

/// The document, with more memory, another value or one more container.
fn changed(rng: &mut Rng, document: &Value, number: u32) -> Value {
    let mut changed = document.clone();
    match rng.usize(..CHANGES) {
        0 => changed["memory"] = format!("{}", 512 * (number + 1)).into(),
        1 => changed["containerDefinitions"][0]["environment"][0]["value"] = format!("apply {number}").into(),
        _ => {
            if let Some(containers) = changed["containerDefinitions"].as_array_mut() {
                let image = "public.ecr.aws/docker/library/redis:7";
                containers.push(json!({"name": "cache", "image": image, "essential": true, "memory": 64}));
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;
    use std::collections::BTreeSet;

    #[test]
    fn an_apply_registers_and_then_moves_at_one_moment_at_any_time_or_after_a_call_of_ours() {
        let mut kinds = BTreeSet::new();
        for seed in 0..30 {
            let storm = Scenario::new(seed, 40);
            for pair in storm.weather.schedule.windows(2) {
                let of_apply = ["RegisterTaskDefinition", "UpdateService"];
                let is_apply = [&pair[0].operation, &pair[1].operation] == of_apply;
                if is_apply && pair[0].at_milliseconds == pair[1].at_milliseconds {
                    let call = pair[0].after.as_ref().map(|call| call.operation.clone());
                    assert_eq!(call, pair[1].after.as_ref().map(|call| call.operation.clone()));
                    kinds.insert(call);
                }
            }
        }
        let wanted = [None, Some("StopServiceDeployment"), Some("UpdateService")];
        assert_eq!(kinds, wanted.map(|call| call.map(str::to_owned)).into());
    }
}
