//! The situations that a push can meet: what the account is like before it, what others do meanwhile, and how it ends when
//! nothing goes wrong on the way.

use ecr_deploy::domain::arn::ClusterName;
use ecr_deploy::domain::task_definition::ImageForm;
use ecr_deploy::function::config::{Config, StageSettings};
use local_aws::roles::Roles;
use serde_json::{Value, json};
use simulated_ecs::{Behaviour, Seed};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use walker::account::{Account, CLUSTER, REGISTRY, REPOSITORY};
use walker::caller::{Caller, Grain, Mishap};
use walker::functions::Functions;
use walker::machine::{Execution, Thrown};

/// A deed of somebody else.
type Act = fn(&Account);

/// A push and what it meets.
pub(crate) struct Situation {
    /// Its name.
    pub(crate) name: &'static str,
    /// The tag that is pushed, of which the beginning says how the image behaves.
    pub(crate) tag: &'static str,
    /// How the image behaves where the tag does not say it.
    pub(crate) behaviour: Option<Behaviour>,
    /// Prepares the account before the push.
    pub(crate) before: Act,
    /// The deed of others when the execution comes to a state for the first time.
    pub(crate) meanwhile: Option<(&'static str, Act)>,
    /// True if ECS does not tell of rollouts that are over: then nobody knows that a push was deployed to a service before.
    pub(crate) is_untold: bool,
    /// The settings, where they are not the default.
    pub(crate) config: fn(&mut Config),
    /// How the deployment of `web` ends: its outcome, or its error's name; `None` when it is not deployed to.
    pub(crate) ends: Option<&'static str>,
    /// The revision that `web` is on in the end, see [`Account::standing`].
    pub(crate) on: &'static str,
}

/// The table.
pub(crate) const SITUATIONS: &[Situation] = &[
    Situation {
        name: "a new tag",
        tag: "v2",
        ends: Some("DEPLOYED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "a tag that is pushed again",
        tag: "v1",
        ends: Some("DEPLOYED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "by digest",
        tag: "v2",
        config: |config| config.image_reference = ImageForm::Digest,
        ends: Some("DEPLOYED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "two services on one revision, and a family without a service",
        tag: "v2",
        before: |account| {
            web(account);
            account.seed(Seed {
                service_name: "other".to_owned(),
                family: Some("job".to_owned()),
                services: 0,
                standalone_families: 1,
                ..Seed::default()
            });
            let create = json!({
                "cluster": CLUSTER, "serviceName": "web-too", "taskDefinition": "web:1", "desiredCount": 1,
            });
            account.with(|it, now| it.settled_service(now, &create)).unwrap();
        },
        ends: Some("DEPLOYED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "a revision that somebody registered and nobody uses is the newest",
        tag: "v2",
        before: |account| {
            web(account);
            register(account, "v1", "1024");
        },
        ends: Some("DEPLOYED"),
        on: "web:3",
        ..PLAIN
    },
    Situation {
        name: "a newer push is there",
        tag: "v2",
        meanwhile: Some(("For each task definition", |account| {
            // A minute after the push, which comes five seconds after the beginning: nobody would believe the year 2999.
            let newer = format!("2026-05-28T20:27:45Z {}", "f".repeat(8));
            let tags = json!([{"key": format!("ecr-deploy:push/{REPOSITORY}"), "value": newer}]);
            let containers =
                json!([{"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:v1"), "essential": true}]);
            let document = json!({"family": "web", "containerDefinitions": containers, "tags": tags});
            let registered = account.ecs("RegisterTaskDefinition", &document);
            update(account, &registered["taskDefinition"]["taskDefinitionArn"]);
        })),
        ends: Some("SUPERSEDED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "somebody moves the service to another revision after the plan was made",
        tag: "v2",
        meanwhile: Some(("For each task definition", |account| {
            deploy_another_size(account);
        })),
        ends: Some("DEPLOYED"),
        on: "web:4",
        ..PLAIN
    },
    Situation {
        name: "somebody moves the service to another revision after this one was registered",
        tag: "v2",
        meanwhile: Some(("Update service", |account| {
            deploy_another_size(account);
        })),
        ends: Some("DEPLOYED"),
        on: "web:4",
        ..PLAIN
    },
    Situation {
        name: "a rollback is under way",
        tag: "v2",
        before: |account| {
            broken_before(account);
            account.pass(30_000);
            let deployment = newest_rollout(account);
            let stop = json!({"serviceDeploymentArn": deployment, "stopType": "ROLLBACK"});
            account.ecs("StopServiceDeployment", &stop);
        },
        ends: Some("DEPLOYED"),
        on: "web:3",
        ..PLAIN
    },
    Situation {
        name: "somebody deploys something else during the rollout",
        tag: "slow",
        meanwhile: Some(("Wait for rollout", |account| {
            deploy_another_size(account);
        })),
        ends: Some("SUPERSEDED"),
        on: "web:3",
        ..PLAIN
    },
    Situation {
        name: "the service is deleted before it is updated",
        tag: "v2",
        meanwhile: Some(("Update service", delete)),
        ends: Some("SERVICE_DELETED"),
        on: "web:1",
        ..PLAIN
    },
    Situation {
        name: "the service is deleted while it is rolled out",
        tag: "slow",
        meanwhile: Some(("Wait for rollout", delete)),
        ends: Some("SERVICE_DELETED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "the service is deleted before a broken image is rolled back",
        tag: "crash",
        meanwhile: Some(("Roll back", delete)),
        ends: Some("SERVICE_DELETED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "a rollout that waits at a lifecycle hook for some minutes",
        tag: "v2",
        before: |account| {
            let hook = json!({
                "targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"],
                "timeoutConfiguration": {"timeoutInMinutes": 5, "action": "CONTINUE"},
            });
            let strategy = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, "lifecycleHooks": [hook]});
            account.seed_web("v1", &json!({"deploymentConfiguration": strategy}));
        },
        ends: Some("DEPLOYED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "a tag that is pushed over before the rollout begins",
        tag: "v2",
        meanwhile: Some(("Update service", |account| {
            account.push("v2");
        })),
        ends: Some("SUPERSEDED"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "a push of another repository, made from an older state, replaces the rollout",
        tag: "slow",
        meanwhile: Some(("Wait for rollout", deploy_sidecar)),
        ends: Some("DEPLOYED"),
        on: "web:4",
        ..PLAIN
    },
    Situation {
        name: "another push goes back beyond the last good revision of a broken image",
        tag: "crash",
        before: |account| {
            web(account);
            deploy_sidecar(account);
            account.pass(300_000);
        },
        meanwhile: Some(("Check stability", |account| {
            // So that some tasks have crashed.
            account.pass(60_000);
            update(account, &json!("web:1"));
        })),
        ends: Some("Deploy.RolledBack"),
        on: "web:1",
        ..PLAIN
    },
    Situation {
        name: "a broken image, which ECS itself rolls back",
        tag: "exit-early",
        before: |account| account.seed_web("v1", &breaker(true)),
        ends: Some("Deploy.RolledBack"),
        on: "web:1",
        ..PLAIN
    },
    Situation {
        name: "a broken image, at which ECS only stops",
        tag: "exit-early",
        before: |account| account.seed_web("v1", &breaker(false)),
        ends: Some("Deploy.RolledBack"),
        on: "web:1",
        ..PLAIN
    },
    Situation {
        name: "a broken image without a circuit breaker",
        tag: "crash",
        ends: Some("Deploy.RolledBack"),
        on: "web:1",
        ..PLAIN
    },
    Situation {
        name: "a broken image where there is no service deployments API",
        is_untold: true,
        tag: "crash",
        before: |account| {
            web(account);
            without_service_deployments(account);
        },
        ends: Some("Deploy.RolledBack"),
        on: "web:1",
        ..PLAIN
    },
    Situation {
        name: "a broken image under the tag that ran",
        is_untold: true,
        tag: "latest",
        before: |account| {
            // The revision says which digest it ran, since it was deployed by a push.
            account.push("latest");
            recorded(account, "latest");
            without_service_deployments(account);
        },
        behaviour: Some(Behaviour::Crash),
        ends: Some("Deploy.RolledBack"),
        on: "web:3",
        ..PLAIN
    },
    Situation {
        name: "a broken image, and the good revision was deregistered",
        tag: "crash",
        meanwhile: Some(("Wait for rollout", |account| {
            account.ecs("DeregisterTaskDefinition", &json!({"taskDefinition": "web:1"}));
        })),
        ends: Some("Deploy.RolledBack"),
        on: "web:3",
        ..PLAIN
    },
    Situation {
        name: "a broken image, and the good one is gone from ECR",
        tag: "crash",
        meanwhile: Some(("Wait for rollout", |account| {
            let image = json!({"repositoryName": REPOSITORY, "imageIds": [{"imageTag": "v1"}]});
            account.ecr("BatchDeleteImage", &image);
        })),
        ends: Some("Deploy.RollBackFailed"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "a broken image where nothing was ever good",
        tag: "crash",
        before: |account| {
            account.push("v0");
            account.push("crash-first");
            let image = Some(format!("{REGISTRY}/{REPOSITORY}:crash-first"));
            account.seed(Seed {
                image,
                services: 0,
                families: Some(1),
                family: Some("web".to_owned()),
                ..Seed::default()
            });
            let create = json!({
                "cluster": CLUSTER, "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 2,
            });
            account.ecs("CreateService", &create);
            account.pass(20_000);
        },
        ends: Some("Deploy.RollBackFailed"),
        on: "web:2",
        ..PLAIN
    },
    Situation {
        name: "somebody deploys something else while a broken image is rolled back",
        tag: "crash",
        meanwhile: Some(("Wait for rollback", |account| {
            deploy_another_size(account);
        })),
        ends: Some("Deploy.RolledBack"),
        on: "web:3",
        ..PLAIN
    },
];

/// One service of two tasks on `web:1`, with `app:v1`.
const PLAIN: Situation = Situation {
    name: "",
    tag: "",
    behaviour: None,
    before: web,
    meanwhile: None,
    is_untold: false,
    config: |_| (),
    ends: None,
    on: "",
};

/// Somebody deletes the service.
fn delete(account: &Account) {
    let delete = json!({"cluster": CLUSTER, "service": "web", "force": true});
    account.ecs("DeleteService", &delete);
}

fn web(account: &Account) {
    account.seed_web("v1", &json!({}));
}

fn breaker(rollback: bool) -> Value {
    json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}}})
}

/// Somebody registers a revision of the family `web` with another size. Returns its ARN.
fn register(account: &Account, tag: &str, memory: &str) -> Value {
    let containers = json!([{"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:{tag}"), "essential": true}]);
    let document = json!({"family": "web", "memory": memory, "containerDefinitions": containers});
    let registered = account.ecs("RegisterTaskDefinition", &document);
    registered["taskDefinition"]["taskDefinitionArn"].clone()
}

/// Somebody deploys a revision with another size.
fn deploy_another_size(account: &Account) {
    let revision = register(account, "v1", "1024");
    update(account, &revision);
}

/// A push of another repository, made from an older state, moves `web`.
pub(crate) fn deploy_sidecar(account: &Account) {
    account.push_to("sidecar", "v2", None);
    let containers = json!([
        {"name": "app", "image": format!("{REGISTRY}/{REPOSITORY}:v1"), "essential": true},
        {"name": "sidecar", "image": format!("{REGISTRY}/sidecar:v2"), "essential": true},
    ]);
    let tags = json!([
        {"key": "ecr-deploy:push/sidecar", "value": "2026-01-01T00:00:00Z 00000000"},
        {"key": "ecr-deploy:source", "value": "web:1"},
    ]);
    let document = json!({"family": "web", "containerDefinitions": containers, "tags": tags});
    let registered = account.ecs("RegisterTaskDefinition", &document);
    update(account, &registered["taskDefinition"]["taskDefinitionArn"]);
}

/// Somebody moves `web` to a revision.
fn update(account: &Account, revision: &Value) {
    let update = json!({"cluster": CLUSTER, "service": "web", "taskDefinition": revision});
    account.ecs("UpdateService", &update);
}

/// Somebody has just deployed `web:2`, which crashes, onto `web:1`.
fn broken_before(account: &Account) {
    web(account);
    account.push("crash-before");
    let revision = register(account, "crash-before", "512");
    update(account, &revision);
}

/// The service runs `web:1` with the tag that is there, as a push before has deployed it.
fn recorded(account: &Account, tag: &str) {
    let details = account.ecr(
        "DescribeImages",
        &json!({"repositoryName": REPOSITORY, "imageIds": [{"imageTag": tag}]}),
    );
    let digest = details["imageDetails"][0]["imageDigest"].as_str().unwrap();
    let record = format!("2026-01-01T00:00:00Z 00000000 {digest} {tag}");
    let tags = json!([{"key": format!("ecr-deploy:push/{REPOSITORY}"), "value": record}]);
    let seed = json!({
        "image": format!("{REGISTRY}/{REPOSITORY}:{tag}"), "desiredCount": 2, "taskDefinition": {"tags": tags},
    });
    account.seed(serde_json::from_value(seed).unwrap());
}

fn without_service_deployments(account: &Account) {
    account.weather(&json!({"faults": [{"fault": "deny", "operation": "ListServiceDeployments"}]}));
}

fn newest_rollout(account: &Account) -> Value {
    let listed = account.ecs("ListServiceDeployments", &json!({"cluster": CLUSTER, "service": "web"}));
    listed["serviceDeployments"][0]["serviceDeploymentArn"].clone()
}

/// The default settings, but that `latest` is deployed.
pub(crate) fn config() -> Config {
    Config {
        stages: vec![StageSettings::all(&["*"])],
        ..Config::default()
    }
}

/// A situation as it is played out: the account, and the push's event.
pub(crate) struct Played<'a> {
    pub(crate) situation: &'a Situation,
    pub(crate) account: Arc<Account>,
    clusters: Vec<ClusterName>,
    pub(crate) event: Value,
    pub(crate) path: RefCell<Vec<String>>,
    has_acted: Cell<bool>,
}

/// How an execution went.
pub(crate) struct Walked {
    /// How the push's execution ended.
    pub(crate) ended: Result<Value, Thrown>,
    /// How its services' executions ended.
    pub(crate) services: Vec<(String, Result<Value, Thrown>)>,
    /// Who walked.
    pub(crate) caller: Arc<Caller>,
}

impl Situation {
    /// The moment before the push's event arrives.
    pub(crate) fn play(&self) -> Played<'_> {
        self.play_in(Account::new(), Vec::new())
    }

    /// The same where the settings name the cluster and the repository, so that no role may touch another one.
    pub(crate) fn play_narrow(&self) -> Played<'_> {
        let roles = Roles::narrow().unwrap();
        self.play_in(Account::with_roles(roles), vec![CLUSTER.parse().unwrap()])
    }

    fn play_in(&self, account: Arc<Account>, clusters: Vec<ClusterName>) -> Played<'_> {
        (self.before)(&account);
        account.pass(5_000);
        let event = account.push_as(self.tag, self.behaviour);
        Played {
            situation: self,
            account,
            clusters,
            event,
            path: RefCell::default(),
            has_acted: Cell::new(false),
        }
    }
}

impl Played<'_> {
    /// Walks an execution for the push to its end.
    pub(crate) async fn walk(&self, mishap: Option<(usize, Mishap)>) -> Walked {
        self.walk_to(None, mishap).await
    }

    /// The functions, for a caller.
    pub(crate) fn functions(&self, caller: &Arc<Caller>) -> Functions {
        let mut config = config();
        config.clusters.clone_from(&self.clusters);
        (self.situation.config)(&mut config);
        Functions::new(caller, config)
    }

    /// Walks to the first visit of a state.
    pub(crate) async fn walk_to(&self, stop_at: Option<&'static str>, mishap: Option<(usize, Mishap)>) -> Walked {
        self.walk_as(None, stop_at, mishap).await
    }

    /// The same of an execution that a person has started with the push's event, by another name.
    pub(crate) async fn walk_by_hand(&self, stop_at: Option<&'static str>) -> Walked {
        self.walk_as(Some("by-hand"), stop_at, None).await
    }

    async fn walk_as(
        &self,
        by_hand: Option<&str>,
        stop_at: Option<&'static str>,
        mishap: Option<(usize, Mishap)>,
    ) -> Walked {
        let caller = Caller::new(&self.account, Grain::Alone, mishap);
        let execution = Execution {
            functions: self.functions(&caller),
            caller,
            stop_at,
            entering: Box::new(|state| {
                self.path.borrow_mut().push(state.to_owned());
                if let Some((at, act)) = self.situation.meanwhile
                    && at == state
                    && !self.has_acted.replace(true)
                {
                    act(&self.account);
                }
            }),
            refusing: Box::new(|_| None),
            services: RefCell::default(),
            begun: RefCell::default(),
            swept: RefCell::default(),
        };
        let ended = match by_hand {
            Some(name) => execution.deploy_by_hand(name, &self.event).await,
            None => execution.deploy(&self.event).await,
        };
        Walked {
            ended,
            services: execution.services.take(),
            caller: execution.caller,
        }
    }
}

/// How the deployment of `web` ended: its outcome, or its error's name; `None` when it was not deployed to.
pub(crate) fn outcome(services: &[(String, Result<Value, Thrown>)]) -> Option<String> {
    let (_, ended) = services.iter().find(|(service, _)| service == "web")?;
    Some(match ended {
        Ok(output) => output["outcome"].as_str().unwrap_or_default().to_owned(),
        Err(thrown) => thrown.error.clone(),
    })
}
