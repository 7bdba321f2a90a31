//! An aftermath in which everything holds, to be broken by the tests: the service "web in north" of the family `web`, with
//! two pushes of `shop/web` that both went well.

use crate::aftermath::{
    Account, Aftermath, Call, Deed, Deployment, Execution, Found, Machine, Pushed, ResolvedImage, Revision, Service,
    ServiceId, Tag,
};
use crate::push::PushId;
use crate::stages::{HOLD_TAG, Stage, all};
use serde_json::{Map, Value, json};
use simulated_ecs::Behaviour;

pub(super) const REPOSITORY: &str = "shop/web";

pub(super) fn web() -> ServiceId {
    ServiceId {
        cluster: "north".to_owned(),
        service: "web".to_owned(),
    }
}

/// The push with this number, which was pushed in that second of the storm.
pub(super) fn push(number: u32) -> PushId {
    let at = jiff::Timestamp::from_second(i64::from(number) * 10).unwrap();
    PushId::new(at, &format!("{number:08x}-event"))
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// A revision of `web` that has been there before, with this number and this image of the app.
pub(super) fn plain(number: u32, image: &str) -> Revision {
    let app = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}{image}");
    Revision {
        family: "web".to_owned(),
        number,
        active: true,
        tags: vec![tag("team", "web")],
        registered_at: i64::from(number) * 10_000,
        deregistered_at: None,
        document: object(&json!({
            "family": "web",
            "cpu": "256",
            "containerDefinitions": [
                {"name": "app", "image": app, "memory": 128},
                {"name": "log", "image": "public.ecr.aws/log:1", "memory": 32},
            ],
        })),
    }
}

pub(super) fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

/// The revision that was made from the one before it for the push of its number.
pub(super) fn pushed(number: u32) -> Revision {
    let mut revision = plain(number, &format!(":v{number}"));
    let record = format!("{} {}", push(number), digest(number));
    revision.tags.push(tag("ecr-deploy:push/shop/web", &record));
    revision
        .tags
        .push(tag("ecr-deploy:source", &format!("web:{}", number - 1)));
    revision
}

pub(super) fn digest(number: u32) -> String {
    format!("sha256:{number:064x}")
}

fn arn(revision: u32) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task-definition/web:{revision}")
}

/// A rollout of a revision that began in the second `number * 10 + 2` and took two seconds.
pub(super) fn rollout(revision: u32, number: u32, status: &str) -> Deployment {
    let created_at = i64::from(number) * 10_000 + 2_000;
    Deployment {
        service_deployment_arn: format!("arn:aws:ecs:us-east-1:123456789012:service-deployment/north/web/{created_at}"),
        task_definition: arn(revision),
        status: status.to_owned(),
        status_reason: None,
        created_at,
        finished_at: Some(created_at + 2_000),
        rolling_back_since: None,
        lifecycle_hooks: Vec::new(),
        images: vec![ResolvedImage {
            image: format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}:v{revision}"),
            digest: Some(digest(revision)),
        }],
    }
}

/// Our call that began it.
pub(super) fn update(revision: u32, number: u32) -> Call {
    let parameters = object(&json!({"cluster": "north", "service": "web", "taskDefinition": arn(revision)}));
    Call {
        at: i64::from(number) * 10_000 + 2_000,
        operation: "UpdateService".to_owned(),
        subject: "web".to_owned(),
        outcome: "ok".to_owned(),
        message: None,
        applied: true,
        stale_milliseconds: 0,
        members: parameters.keys().cloned().collect(),
        parameters,
    }
}

/// A deed of somebody else, at that time of the storm.
pub(super) fn deed(at: i64, more: &Value) -> Deed {
    let mut request = object(&json!({"cluster": "north", "service": "web"}));
    request.extend(object(more));
    Deed {
        at,
        operation: "UpdateService".to_owned(),
        request: request.into(),
        error: None,
    }
}

/// The execution of deploy-service for a push, which ended five seconds after it.
pub(super) fn child(number: u32) -> Execution {
    Execution {
        machine: Machine::DeployService,
        name: format!("web-v{number}"),
        status: "SUCCEEDED".to_owned(),
        started: i64::from(number) * 10_000 + 1_000,
        ended: Some(i64::from(number) * 10_000 + 5_000),
        error: None,
        message: None,
        output: Some(json!({"outcome": "DEPLOYED", "message": "web in north is stable"})),
        by_sweep: false,
        push: Some(push(number)),
        image: format!("{REPOSITORY}:v{number}"),
        service: Some(web()),
        parent: Some(format!("push-{number}")),
        found: None,
    }
}

/// The same, red.
pub(super) fn red(number: u32, error: &str, message: &str) -> Execution {
    Execution {
        status: "FAILED".to_owned(),
        error: Some(error.to_owned()),
        message: Some(message.to_owned()),
        output: None,
        ..child(number)
    }
}

/// The message of a service that was rolled back.
pub(super) const ROLLED_BACK: &str = "web in north did not become stable on web:3 with shop/web:v3: 0 of 1 tasks running. It is \
     back on web:2 and stable. Fix the image and push again, or redrive this execution to try the same image again";

/// The execution of deploy-image for a push.
pub(super) fn parent(number: u32) -> Execution {
    Execution {
        machine: Machine::DeployImage,
        name: format!("push-{number}"),
        output: Some(json!({"message": "shop/web is deployed to 1 service"})),
        service: None,
        parent: None,
        ended: Some(i64::from(number) * 10_000 + 6_000),
        found: Some(Found {
            from: i64::from(number) * 10_000,
            to: i64::from(number) * 10_000 + 1_000,
            waves: 1,
            begun: 1,
            ..Found::default()
        }),
        ..child(number)
    }
}

/// There is one stage, which takes these tags.
pub(super) fn production(aftermath: &mut Aftermath, tags: &[&str]) {
    aftermath.stages = vec![Stage {
        name: "production".to_owned(),
        clusters: vec!["north".to_owned()],
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..all()
    }];
}

/// The same two pushes with two stages: production, which is "web in north", comes after staging, which is "web in south", and a
/// soak of a second. Its rollouts begin four seconds later than those of staging.
pub(super) fn in_order() -> Aftermath {
    let mut aftermath = calm();
    production(&mut aftermath, &["v*"]);
    let staging = Stage {
        name: "staging".to_owned(),
        clusters: vec!["south".to_owned()],
        ..aftermath.stages[0].clone()
    };
    aftermath.stages[0].after = Some("staging".to_owned());
    aftermath.stages[0].soak = Some("1s".to_owned());
    aftermath.stages.insert(0, staging);
    aftermath.clusters.push("south".to_owned());
    let in_south = |service: &Service| Service {
        cluster: "south".to_owned(),
        ..service.clone()
    };
    let service = in_south(&aftermath.before.services[0]);
    aftermath.before.services.push(service);
    let service = in_south(&aftermath.after.services[0]);
    aftermath.after.services.push(service);
    for call in aftermath.calls.clone() {
        let mut of_staging = call;
        of_staging.parameters.insert("cluster".to_owned(), "south".into());
        aftermath.calls.push(of_staging);
    }
    for call in &mut aftermath.calls[..2] {
        call.at += 4_000;
    }
    for rollout in &mut aftermath.after.services[0].history[1..] {
        rollout.created_at += 4_000;
        rollout.finished_at = rollout.finished_at.map(|at| at + 4_000);
    }
    for place in 0..aftermath.executions.len() {
        let execution = &mut aftermath.executions[place];
        let mut of_staging = execution.clone();
        execution.ended = execution.ended.map(|at| at + 4_000);
        if let Some(id) = &mut of_staging.service {
            id.cluster = "south".to_owned();
            of_staging.name = of_staging.name.replace("web", "south-web");
            execution.started += 4_000;
            aftermath.executions.push(of_staging);
        }
    }
    aftermath
}

/// Somebody sets a hold on the service at one time of the storm, and lifts it at another.
pub(super) fn hold(aftermath: &mut Aftermath, set: i64, lifted: Option<i64>) {
    let arn = "arn:aws:ecs:us-east-1:123456789012:service/north/web";
    let tags = json!([{"key": HOLD_TAG, "value": "ann"}]);
    let deed = |at, operation: &str, request| Deed {
        at,
        operation: operation.to_owned(),
        request,
        error: None,
    };
    let set = deed(set, "TagResource", json!({"resourceArn": arn, "tags": tags}));
    aftermath.others.push(set);
    let lifted = lifted.map(|at| deed(at, "UntagResource", json!({"resourceArn": arn, "tagKeys": [HOLD_TAG]})));
    aftermath.others.extend(lifted);
}

fn service(revision: u32, history: Vec<Deployment>) -> Service {
    Service {
        cluster: "north".to_owned(),
        name: "web".to_owned(),
        status: "ACTIVE".to_owned(),
        config: object(&json!({"enableExecuteCommand": true})),
        tags: json!([]),
        is_express: false,
        asked_count: 2,
        task_definition: arn(revision),
        rollout_state: Some("COMPLETED".to_owned()),
        history,
        stopped_tasks: Vec::new(),
    }
}

/// All is well: `web:2` of the second push, then `web:3` of the third.
pub(super) fn calm() -> Aftermath {
    let first = rollout(1, 0, "SUCCESSFUL");
    let history = vec![first.clone(), rollout(2, 2, "SUCCESSFUL"), rollout(3, 3, "SUCCESSFUL")];
    let pushes = [2, 3].map(|number| Pushed {
        repository: REPOSITORY.to_owned(),
        tag: format!("v{number}"),
        digest: digest(number),
        id: push(number),
        deliveries: 1,
        behaviour: Some(Behaviour::Good),
    });
    Aftermath {
        clusters: vec!["north".to_owned()],
        all_held: None,
        by_digest: false,
        stages: Vec::new(),
        pushes: pushes.to_vec(),
        archived: Vec::new(),
        before: Account {
            services: vec![service(1, vec![first])],
            revisions: vec![plain(1, ":v1")],
        },
        after: Account {
            services: vec![service(3, history)],
            revisions: vec![plain(1, ":v1"), pushed(2), pushed(3)],
        },
        calls: vec![update(2, 2), update(3, 3)],
        swept: Vec::new(),
        failed_sweeps: Vec::new(),
        others: Vec::new(),
        executions: vec![parent(2), child(2), parent(3), child(3)],
        redriven: Vec::new(),
        redriven_at: None,
    }
}

/// The third push failed, and the service was updated back to `web:2`.
pub(super) fn rolled_back() -> Aftermath {
    let mut aftermath = calm();
    aftermath.pushes[1].behaviour = Some(Behaviour::Crash);
    let service = &mut aftermath.after.services[0];
    service.task_definition = arn(2);
    service.history[2].status = "STOPPED".to_owned();
    service.history[2].status_reason = Some("Replaced by a new service deployment.".to_owned());
    let mut back = rollout(2, 3, "SUCCESSFUL");
    back.created_at += 2_000;
    back.finished_at = Some(back.created_at + 500);
    aftermath.calls.push(Call {
        at: back.created_at,
        ..update(2, 3)
    });
    service.history.push(back);
    aftermath.executions[3] = red(3, "Deploy.RolledBack", ROLLED_BACK);
    let message = format!(
        "shop/web:v3: 1 of 1 service failed.\n- {ROLLED_BACK}\nRedrive this execution to deploy the same image again."
    );
    aftermath.executions[2] = Execution {
        status: "FAILED".to_owned(),
        error: Some("Deploy.ServicesFailed".to_owned()),
        message: Some(message),
        output: None,
        ..parent(3)
    };
    aftermath
}

/// The same, and the image of the third push has been given the tag `main` besides, in the same second. Its execution came after
/// the other one, and found what that had done.
pub(super) fn under_two_tags(aftermath: Aftermath) -> Aftermath {
    let mut aftermath = aftermath;
    let mut main = aftermath.pushes[1].clone();
    main.tag = "main".to_owned();
    main.id = PushId::new(main.id.at(), "00000003-event-3");
    for place in [2, 3] {
        let mut execution = aftermath.executions[place].clone();
        execution.name = format!("{}-main", execution.name);
        execution.started += 6_000;
        execution.ended = execution.ended.map(|at| at + 6_000);
        execution.push = Some(main.id.clone());
        execution.image = format!("{REPOSITORY}:main");
        execution.parent = execution.parent.map(|parent| format!("{parent}-main"));
        if execution.outcome() == Some("DEPLOYED") {
            execution.output = Some(json!({"outcome": "ALREADY_DEPLOYED", "message": "web in north is stable"}));
        }
        aftermath.executions.push(execution);
    }
    aftermath.pushes.push(main);
    aftermath
}

#[test]
fn nothing_is_broken_where_all_is_well_and_where_a_push_was_rolled_back() {
    assert_eq!(super::judge(&calm()), []);
    assert_eq!(super::judge(&rolled_back()), []);
    assert_eq!(super::judge(&in_order()), []);
}
