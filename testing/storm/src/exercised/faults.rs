//! Counts the faults around a rollout that a storm exercised.

use super::{Rule, sum};
use crate::aftermath::{Aftermath, Execution, Service};
use simulated_ecs::Behaviour;

pub(super) const RULES: [Rule; 17] = [
    Rule {
        name: "deployed while old tasks only drained",
        count: |aftermath| deployed(aftermath, |it, _| told(it).contains("still draining")),
    },
    Rule {
        name: "deployed behind a target group that drains",
        count: |aftermath| deployed(aftermath, |_, service| service.drains_for() > 0.0),
    },
    Rule {
        name: "deployed with tasks that protect themselves",
        count: |aftermath| of_push(aftermath, Execution::says_deployed, Behaviour::Protected),
    },
    Rule {
        name: "deployed once there was room",
        count: |aftermath| deployed(aftermath, |_, service| waits_for_room(aftermath, service)),
    },
    Rule {
        name: "taken back for want of room",
        count: |aftermath| of_push(aftermath, Execution::is_red, Behaviour::Noplace),
    },
    Rule {
        name: "taken back as no task could be launched",
        count: |aftermath| of_push(aftermath, Execution::is_red, Behaviour::Nolaunch),
    },
    Rule {
        name: "updates refused as five deployments were there",
        count: |aftermath| {
            let refused = aftermath.calls.iter().filter(|call| call.is_refused_for_deployments());
            refused.count() as u64
        },
    },
    Rule {
        name: "deployed early, old tasks gone (BLOCKING)",
        count: |aftermath| deployed(aftermath, |_, service| cleanup(service) == Some("BLOCKING")),
    },
    Rule {
        name: "deployed early, old tasks left (DEFERRED)",
        count: |aftermath| deployed(aftermath, |_, service| cleanup(service) == Some("DEFERRED")),
    },
    Rule {
        name: "taken back by a threshold BOUNDED_PERCENT",
        count: |aftermath| taken_back(aftermath, |service| threshold(service) == Some("BOUNDED_PERCENT")),
    },
    Rule {
        name: "taken back by a threshold UNBOUNDED_PERCENT",
        count: |aftermath| taken_back(aftermath, |service| threshold(service) == Some("UNBOUNDED_PERCENT")),
    },
    Rule {
        name: "taken back by a threshold COUNT",
        count: |aftermath| taken_back(aftermath, |service| threshold(service) == Some("COUNT")),
    },
    Rule {
        name: "deployed in Express Mode",
        count: |aftermath| deployed(aftermath, |_, service| service.is_express),
    },
    Rule {
        name: "taken back in Express Mode",
        count: |aftermath| taken_back(aftermath, |service| service.is_express),
    },
    Rule {
        name: "deployed work that ends well",
        count: |aftermath| of_push(aftermath, Execution::says_deployed, Behaviour::Job),
    },
    Rule {
        name: "tasks lost to a host that failed",
        count: |aftermath| {
            let services = aftermath.after.services.iter();
            let mut stopped = services.flat_map(|service| &service.stopped_tasks);
            let lost = stopped
                .by_ref()
                .filter(|task| task.stop_code.as_deref() == Some("InfrastructureHealth"));
            lost.count() as u64
        },
    },
    Rule {
        name: "kept as they were since everything was on hold",
        count: |aftermath| {
            sum(aftermath, |execution| {
                let skipped = execution.found.as_ref().map(|found| &found.skipped);
                skipped
                    .and_then(|skipped| skipped.get("ALL_ON_HOLD").copied())
                    .unwrap_or_default()
            })
        },
    },
];

/// The message of a green execution.
fn told(execution: &Execution) -> &str {
    let output = execution.output.as_ref();
    output.and_then(|output| output["message"].as_str()).unwrap_or_default()
}

/// How many executions deployed to such a service.
fn deployed(aftermath: &Aftermath, is_such: impl Fn(&Execution, &Service) -> bool) -> u64 {
    of_services(aftermath, |execution, service| {
        execution.outcome() == Some("DEPLOYED") && is_such(execution, service)
    })
}

/// How many executions took such a service back.
fn taken_back(aftermath: &Aftermath, is_such: impl Fn(&Service) -> bool) -> u64 {
    of_services(aftermath, |execution, service| {
        execution.error.as_deref() == Some("Deploy.RolledBack") && is_such(service)
    })
}

fn of_services(aftermath: &Aftermath, is_such: impl Fn(&Execution, &Service) -> bool) -> u64 {
    sum(aftermath, |execution| {
        let service = execution.service.as_ref().and_then(|id| aftermath.before.service(id));
        u64::from(service.is_some_and(|service| is_such(execution, service)))
    })
}

/// How many executions that ended so are of a push with this behaviour.
fn of_push(aftermath: &Aftermath, has_ended: fn(&Execution) -> bool, behaviour: Behaviour) -> u64 {
    sum(aftermath, |execution| {
        let push = aftermath.pushed(execution).filter(|_| execution.service.is_some());
        u64::from(push.is_some_and(|push| push.behaviour == Some(behaviour)) && has_ended(execution))
    })
}

fn configured<'a>(service: &'a Service, path: &str) -> Option<&'a str> {
    service.config.get("deploymentConfiguration")?.pointer(path)?.as_str()
}

fn threshold(service: &Service) -> Option<&str> {
    configured(service, "/deploymentCircuitBreaker/thresholdConfiguration/type")
}

fn cleanup(service: &Service) -> Option<&str> {
    configured(service, "/earlySuccessCriteria/sourceServiceRevisionCleanup")
}

/// True if its tasks take a port of their hosts.
fn waits_for_room(aftermath: &Aftermath, service: &Service) -> bool {
    let revision = aftermath.before.revision(&service.task_definition);
    revision.is_some_and(|revision| {
        let mut containers = revision.containers();
        containers.any(|container| container.get("portMappings").is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aftermath::{Account, Call, Machine, Pushed, ServiceId, StoppedTask};
    use crate::push::PushId;
    use serde_json::{Value, json};

    fn push(behaviour: Behaviour) -> Pushed {
        Pushed {
            repository: "shop/web".to_owned(),
            tag: "v2".to_owned(),
            digest: format!("sha256:{:064x}", 2),
            id: PushId::new(jiff::Timestamp::UNIX_EPOCH, "event"),
            deliveries: 1,
            behaviour: Some(behaviour),
        }
    }

    /// One execution for one service, on a revision with these containers.
    fn aftermath(service: &Value, containers: &Value, behaviour: Behaviour, error: Option<&str>) -> Aftermath {
        let mut members = json!({
            "cluster": "north", "serviceName": "web", "status": "ACTIVE", "config": {}, "askedCount": 1, "tags": [],
            "taskDefinition": "web:1", "rolloutState": null, "history": [],
        });
        members
            .as_object_mut()
            .unwrap()
            .extend(service.as_object().unwrap().clone());
        let revision = json!({
            "family": "web", "revision": 1, "active": true, "tags": [], "registeredAt": 0, "deregisteredAt": null,
            "document": {"containerDefinitions": containers},
        });
        let account = Account {
            services: vec![serde_json::from_value(members).unwrap()],
            revisions: vec![serde_json::from_value(revision).unwrap()],
        };
        let push = push(behaviour);
        Aftermath {
            executions: vec![Execution {
                machine: Machine::DeployService,
                name: "web".to_owned(),
                status: if error.is_some() { "FAILED" } else { "SUCCEEDED" }.to_owned(),
                started: 1,
                ended: Some(2),
                error: error.map(str::to_owned),
                message: None,
                output: error
                    .is_none()
                    .then(|| json!({"outcome": "DEPLOYED", "message": "2 old tasks still draining"})),
                push: Some(push.id.clone()),
                image: "shop/web:v2".to_owned(),
                service: Some(ServiceId {
                    cluster: "north".to_owned(),
                    service: "web".to_owned(),
                }),
                by_sweep: false,
                parent: None,
                found: None,
            }],
            pushes: vec![push],
            before: account.clone(),
            after: account,
            ..Aftermath::default()
        }
    }

    fn met(aftermath: &Aftermath) -> Vec<&'static str> {
        let rules = RULES.into_iter().filter(|rule| (rule.count)(aftermath) > 0);
        rules.map(|rule| rule.name).collect()
    }

    #[test]
    fn each_fault_is_counted_where_it_was_met() {
        let configured = |configuration: Value| json!({"config": {"deploymentConfiguration": configuration}});
        let threshold = |kind: &str| {
            configured(json!({"deploymentCircuitBreaker": {"thresholdConfiguration": {"type": kind, "value": 1}}}))
        };
        let early = |cleanup: &str| {
            configured(json!({"earlySuccessCriteria": {"enable": true, "sourceServiceRevisionCleanup": cleanup}}))
        };
        let group = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web-drains-300/1";
        let balanced = json!({"config": {"loadBalancers": [{"targetGroupArn": group}]}});
        let (plain, express, none) = (json!({}), json!({"isExpress": true}), json!([{"name": "app"}]));
        let ports = json!([{"name": "app", "portMappings": [{"hostPort": 80}]}]);
        let back = Some("Deploy.RolledBack");
        let draining = RULES[0].name;
        for (service, containers, behaviour, error, wanted) in [
            (&plain, &none, Behaviour::Good, None, &[draining][..]),
            (&balanced, &none, Behaviour::Good, None, &[draining, RULES[1].name]),
            (&plain, &none, Behaviour::Protected, None, &[draining, RULES[2].name]),
            (&plain, &ports, Behaviour::Good, None, &[draining, RULES[3].name]),
            (&plain, &none, Behaviour::Noplace, back, &[RULES[4].name]),
            (&plain, &none, Behaviour::Nolaunch, back, &[RULES[5].name]),
            (
                &early("BLOCKING"),
                &none,
                Behaviour::Good,
                None,
                &[draining, RULES[7].name],
            ),
            (
                &early("DEFERRED"),
                &none,
                Behaviour::Good,
                None,
                &[draining, RULES[8].name],
            ),
            (
                &threshold("BOUNDED_PERCENT"),
                &none,
                Behaviour::Crash,
                back,
                &[RULES[9].name],
            ),
            (
                &threshold("UNBOUNDED_PERCENT"),
                &none,
                Behaviour::Crash,
                back,
                &[RULES[10].name],
            ),
            (&threshold("COUNT"), &none, Behaviour::Crash, back, &[RULES[11].name]),
            (&express, &none, Behaviour::Good, None, &[draining, RULES[12].name]),
            (&express, &none, Behaviour::Crash, back, &[RULES[13].name]),
            (&plain, &none, Behaviour::Job, None, &[draining, RULES[14].name]),
        ] {
            assert_eq!(
                met(&aftermath(service, containers, behaviour, error)),
                wanted,
                "{service}"
            );
        }
        let mut last = aftermath(&plain, &none, Behaviour::Crash, back);
        last.calls = vec![Call {
            at: 1,
            operation: "UpdateService".to_owned(),
            subject: "web".to_owned(),
            outcome: "ClientException".to_owned(),
            message: Some("5 active deployments exist, unable to create new deployment.".to_owned()),
            applied: false,
            stale_milliseconds: 0,
            parameters: serde_json::Map::new(),
            members: Vec::new(),
        }];
        last.after.services[0].stopped_tasks = vec![StoppedTask {
            task_definition: "web:1".to_owned(),
            stop_code: Some("InfrastructureHealth".to_owned()),
            stopped_at: Some(1),
        }];
        assert_eq!(met(&last), [RULES[6].name, RULES[15].name]);
    }
}
