use super::*;
use crate::execution::Execution;
use ecr_deploy::domain::service::{Controller, CrashThreshold, RolloutState, ServiceStatus, ServiceTags};
use serde_json::json;

const DIGEST: &str = "sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb";

fn arn(short: &str) -> TaskDefinitionArn {
    format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{short}")
        .parse()
        .unwrap()
}

fn at(hour: u32) -> Timestamp {
    format!("2026-11-29T{hour:02}:00:00Z").parse().unwrap()
}

fn here() -> EcrRegistry {
    EcrRegistry {
        account: "123456789012".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
    }
}

/// `web:2` of the push of `shop/web:v2` at ten; `proxy:v1`, where it records it, was pushed at nine.
fn running(tags: &[(&str, &str)]) -> TaskDefinition {
    let image = |name: &str| format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}");
    let tags: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    let answer = json!({
        "taskDefinition": {
            "taskDefinitionArn": arn("web:2").as_str(), "family": "web", "revision": 2, "status": "ACTIVE",
            "containerDefinitions": [
                {"name": "proxy", "image": image("proxy:v1")},
                {"name": "web", "image": image("shop/web:v2")},
            ],
        },
        "tags": tags,
    });
    TaskDefinition::from_response(answer.to_string().as_bytes()).unwrap()
}

/// The tags of a revision of ours.
fn recorded() -> TaskDefinition {
    running(&[
        (
            "ecr-deploy:push/proxy",
            "2026-11-29T09:00:00Z 04caef66-e52b-4c4d-bbb5-547b85fec1f8",
        ),
        ("ecr-deploy:digest/proxy", DIGEST),
        (
            "ecr-deploy:push/shop/web",
            "2026-11-29T10:00:00Z 14caef66-e52b-4c4d-bbb5-547b85fec1f8",
        ),
        ("ecr-deploy:digest/shop/web", DIGEST),
        ("ecr-deploy:source", "web:1"),
        ("ecr-deploy:by", "arn:aws:iam::123456789012:user/ann"),
    ])
}

fn service() -> Service {
    Service {
        cluster: "production".parse().unwrap(),
        name: "web".parse().unwrap(),
        status: ServiceStatus::Active,
        controller: Controller::Ecs,
        task_definitions: vec![arn("web:2")],
        tags: ServiceTags::default(),
        desired_count: 1,
        running_count: 1,
        pending_count: 0,
        deployments: vec![Deployment {
            id: "ecs-svc/1".to_owned(),
            is_primary: true,
            task_definition: arn("web:2"),
            rollout_state: Some(RolloutState::Completed),
            rollout_state_reason: None,
            desired_count: 1,
            running_count: 1,
            pending_count: 0,
            failed_tasks: 0,
            created_at: at(10),
        }],
        crash_threshold: CrashThreshold::default(),
        planned_wait: jiff::SignedDuration::ZERO,
        completes_early: false,
        has_lifecycle_hooks: false,
        is_express: false,
        events: Vec::new(),
    }
}

/// An execution for the push with this tag at this hour, which ended so.
fn execution(tag: &str, hour: u32, status: Status, error: Option<&str>, back: &Value) -> Execution {
    let image = json!({
        "registryId": "123456789012", "region": "eu-west-1", "repository": "shop/web", "tag": tag,
        "digest": DIGEST.replace("eaa", &format!("{hour:03}")), "by": null,
        "push": format!("2026-11-29T{hour:02}:00:00Z 14caef66-e52b-4c4d-bbb5-547b85fec1f8"),
    });
    Execution {
        arn: "arn:aws:states:eu-west-1:123456789012:execution:Service:web-1".to_owned(),
        name: "web-1".to_owned(),
        status,
        input: json!({"image": image, "back": back}),
        output: None,
        failure: error.map(|error| crate::execution::Failure {
            error: error.to_owned(),
            message: String::new(),
        }),
        started: at(hour),
        ended: None,
        redrives: 0,
    }
}

#[test]
fn it_is_the_newest_push_of_the_revision_that_is_taken_back() {
    let pushed = |running: &TaskDefinition| pushed(running, &here()).map(|it| (it.to_string(), it.push.at()));
    assert_eq!(pushed(&recorded()), Some(("shop/web:v2".to_owned(), at(10))));
    assert_eq!(pushed(&running(&[])), None);
    let elsewhere = EcrRegistry {
        account: "210987654321".parse().unwrap(),
        ..here()
    };
    assert_eq!(super::pushed(&recorded(), &elsewhere), None);
}

#[test]
fn nothing_is_begun_that_something_else_would_undo_or_that_nobody_meant() {
    use Status::{Failed, Running, Succeeded};
    let (one, nine, two, other) = (arn("web:1"), arn("web:9"), arn("web:2"), arn("api:1"));
    let its_own = || execution("v2", 10, Running, None, &Value::Null);
    let newer = || execution("v3", 11, Running, None, &Value::Null);
    let back = || execution("v2", 10, Running, None, &json!({"why": "ann - broken"}));
    let went_back = || execution("v3", 11, Failed, Some("Deploy.RolledBack"), &Value::Null);
    let failed = || execution("v3", 11, Failed, Some("Deploy.RollBackFailed"), &Value::Null);
    let deployed = || execution("v2", 10, Succeeded, None, &Value::Null);
    for (to, good, newest, expected) in [
        (None, Some(&one), None, None),
        (None, Some(&one), Some(deployed()), None),
        (None, Some(&one), Some(failed()), None),
        // The push that is being deployed is the one that is taken back, and ends red.
        (None, Some(&one), Some(its_own()), None),
        (Some(&nine), Some(&one), Some(its_own()), Some("stop-execution")),
        (None, Some(&one), Some(newer()), Some("would go on afterwards")),
        (
            None,
            Some(&one),
            Some(back()),
            Some("taken back by the execution web-1"),
        ),
        (
            None,
            Some(&one),
            Some(went_back()),
            Some("went back from shop/web:v3 already, and is on web:2"),
        ),
        (Some(&nine), Some(&one), Some(went_back()), None),
        (Some(&nine), None, None, None),
        (
            None,
            None,
            None,
            Some("no revision but web:2 on which production/web was stable"),
        ),
        (Some(&two), Some(&one), None, Some("is on web:2 already")),
        (
            Some(&other),
            Some(&one),
            None,
            Some("api:1 is of another family than web:2"),
        ),
    ] {
        let newest = newest.map_or(Newest::Nothing, |it| Newest::Found(Box::new(it)));
        assert_refused(to, good, &newest, expected);
    }
    assert_refused(
        None,
        Some(&one),
        &Newest::Unknown,
        Some("older than the executions that were read"),
    );
    assert_refused(Some(&nine), Some(&one), &Newest::Unknown, None);
}

fn assert_refused(
    to: Option<&TaskDefinitionArn>,
    good: Option<&TaskDefinitionArn>,
    newest: &Newest,
    expected: Option<&str>,
) {
    let (service, running) = (service(), recorded());
    let facts = Facts {
        service: &service,
        running: &running,
        to,
        good,
        newest,
    };
    let refused = refusal(&facts).map(|error| error.to_string());
    match (&refused, expected) {
        (Some(refused), Some(expected)) => assert!(refused.contains(expected), "{refused}"),
        (refused, expected) => assert_eq!(refused.as_deref(), expected, "{to:?} {newest:?}"),
    }
}

/// A test of the contract compares the same members with the input that deploy-image gives.
#[test]
fn the_input_has_the_members_that_deploy_image_gives_and_the_rollout_to_go_back_from() {
    let asked = Asked {
        cluster: "production".parse().unwrap(),
        service: "web".parse().unwrap(),
        image: pushed(&recorded(), &here()).unwrap(),
        from: service().deployments.remove(0),
        to: Some(arn("web:9")),
        settings: RolloutSettings::default(),
        why: "ann - broken".to_owned(),
        now: at(12),
    };
    let input = asked.input();
    let source = include_str!("../../../statemachine/deploy-service.asl.yaml");
    let read = source.split("$states.context.Execution.Input.").skip(1);
    let read = read.map(|rest| rest.split(|it: char| !it.is_alphanumeric()).next().unwrap());
    for member in read {
        assert!(input.get(member).is_some(), "{member} is missing");
    }
    let back = &input["back"];
    let rollout: Rollout = serde_json::from_value(back["rollout"].clone()).unwrap();
    assert_eq!(rollout.task_definition, arn("web:2"));
    assert_eq!(rollout.deployment.as_deref(), Some("ecs-svc/1"));
    assert_eq!(
        (back["why"].as_str(), back["to"].as_str()),
        (Some("ann - broken"), Some(arn("web:9").as_str()))
    );
}
