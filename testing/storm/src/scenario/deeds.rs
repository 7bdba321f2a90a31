//! The deeds of others meanwhile: a person, Terraform, somebody who cleans up.

use super::kinds::Kind;
use super::{DOOMED, Service, happens};
use fastrand::Rng;
use serde::Serialize;
use serde_json::{Value, json};
use simulated_ecs::{Scheduled, Trigger};

/// Deeds on about one service in eight, the end of some families' first revision, and that of the cluster that is doomed.
pub(super) fn deeds(
    rng: &mut Rng,
    services: &[Service],
    families: &[Value],
    length: i64,
    has_doomed: bool,
) -> Vec<Scheduled> {
    let mut schedule = Vec::new();
    for service in services {
        if !happens(rng, 13) || matches!(service.kind, Kind::CodeDeploy | Kind::External) {
            continue;
        }
        let calls = deed(rng, service, families);
        // A registration is no call to a service, so it is not triggered by one.
        let after = (calls.len() == 1 && rng.bool()).then(|| Trigger {
            operation: "UpdateService".to_owned(),
            subject: Some(format!("\"{}\"", service.name())),
            chance: 1.0,
            skip: rng.u64(..2),
            times: 1,
            milliseconds: rng.i64(1..4_000),
        });
        let at = rng.i64(0..length + 10_000);
        schedule.extend(
            (0..)
                .step_by(200)
                .zip(calls)
                .map(|(later, (operation, request))| Scheduled {
                    at_milliseconds: after.is_none().then_some(at + later),
                    after: after.clone(),
                    operation: operation.to_owned(),
                    request,
                }),
        );
    }
    for family in families.iter().filter_map(|document| document["family"].as_str()) {
        // A family that no service runs would be gone with it.
        if family.starts_with("family-") && happens(rng, 10) {
            schedule.push(Scheduled {
                at_milliseconds: Some(rng.i64(0..length + 10_000)),
                after: None,
                operation: "DeregisterTaskDefinition".to_owned(),
                request: json!({"taskDefinition": format!("{family}:1")}),
            });
        }
    }
    if has_doomed {
        schedule.push(Scheduled {
            at_milliseconds: Some(rng.i64(length / 4..length)),
            after: None,
            operation: "_RemoveCluster".to_owned(),
            request: json!({"cluster": DOOMED}),
        });
    }
    schedule
}

/// An alarm of a service that goes off for a while, whatever its images do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alarm {
    /// When, in milliseconds since the storm began.
    pub(crate) at: i64,
    /// For how long, in milliseconds.
    pub(crate) lasts: i64,
    pub(crate) cluster: String,
    pub(crate) service: String,
    /// The name that the service knows it by.
    pub(crate) name: String,
}

/// Alarms of some of the services that have any.
pub(super) fn alarms(rng: &mut Rng, services: &[Service], length: i64) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for service in services {
        let name = &service.request["deploymentConfiguration"]["alarms"]["alarmNames"][0];
        let Some(name) = name.as_str().filter(|_| happens(rng, 30)) else {
            continue;
        };
        alarms.push(Alarm {
            at: rng.i64(0..length),
            lasts: rng.i64(2_000..20_000),
            cluster: service.cluster().to_owned(),
            service: service.name().to_owned(),
            name: name.to_owned(),
        });
    }
    alarms
}

/// One deed at a service, in one or two calls.
fn deed(rng: &mut Rng, service: &Service, families: &[Value]) -> Vec<(&'static str, Value)> {
    let family = service.text("taskDefinition");
    let on = |more: Value| {
        let mut request = json!({"cluster": service.cluster(), "service": service.name()});
        if let (Some(members), Some(more)) = (request.as_object_mut(), more.as_object()) {
            members.extend(more.clone());
        }
        request
    };
    let count = match service.kind {
        Kind::Daemon => None,
        _ => Some(rng.u32(1..8)),
    };
    match (rng.u32(..8), count) {
        (0 | 1, _) => vec![("UpdateService", on(json!({"taskDefinition": format!("{family}:1")})))],
        (2, _) => vec![("UpdateService", on(json!({"taskDefinition": family})))],
        (3, _) => {
            let changed = families.iter().find(|document| document["family"] == family);
            let mut changed = changed.cloned().unwrap_or_default();
            changed["containerDefinitions"][0]["environment"][0]["value"] = "changed by hand".into();
            vec![
                ("RegisterTaskDefinition", changed),
                ("UpdateService", on(json!({"taskDefinition": family}))),
            ]
        }
        (4, Some(_)) => vec![("UpdateService", on(json!({"desiredCount": 0})))],
        (5, Some(count)) => vec![("UpdateService", on(json!({"desiredCount": count})))],
        (6, _) => vec![("UpdateService", on(json!({"forceNewDeployment": true})))],
        _ if rng.bool() => vec![("DeleteService", on(json!({"force": true})))],
        _ => vec![("_RemoveService", on(json!({})))],
    }
}
