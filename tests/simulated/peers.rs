//! Reports of users of other deployers, and the rule here instead. The numbers are those of the list of reports.
//!
//! | report | what goes wrong elsewhere | here |
//! |---|---|---|
//! | 1 | ECS rolled back, the deployer says "successful" | `peer_1_…` |
//! | 2 | it waits for hours after the rollback, and never says why tasks crashed | `peer_2_…` |
//! | 3 | back to the previous number, which was never good | `peer_3_…`, and `going_back` |
//! | 4 | it watches a deployment that is not its own | `peer_4_…` |
//! | 5 | no circuit breaker counts tasks that crash after RUNNING | `peer_5_…`, and `verdicts` |
//! | 6 | members of the task definition get lost | `peer_6_…`; member by member in `functions/ecr-deploy/tests/contract` |
//! | 7 | members that AWS adds break describe-and-register | `peer_7_…`; member by member in `functions/ecr-deploy/tests/contract` |
//! | 8 | settings of the service are sent along and overwritten | `peer_8_…` |
//! | 9 | over a hundred tasks; throttling | `peer_9_…` |
//! | 10 | "Too many concurrent attempts" is taken for final | `peer_10_…` |
//! | 11 | revisions are deregistered that are needed yet | `peer_11_…` |
//! | 12 | the image behind the old revision is gone | `peer_12_…` |
//! | 13 | of two pushes the older one wins | `peer_13_…` |
//! | 14 | the wrong container changes, by its name's likeness | `peer_14_…`; reference by reference in `functions/ecr-deploy/src/domain/image/tests.rs` |
//! | 15 | untagged events of multi-architecture pushes | `peer_15_…`; event by event in `functions/ecr-deploy/src/domain/push/event/tests.rs` |
//! | 16 | nothing happens by itself when an image is pushed | `peer_16_…`, and all of `tests/containers` |

use crate::support::{DEADLINE, LIMIT, Scene, message, object, scenarios, short};
use serde_json::{Value, json};
use simulated_ecs::{Fault, Kind, Scheduled, Seed, Weather};

scenarios![
    peer_1_a_rollback_by_ecs_is_never_reported_as_successful,
    peer_2_a_rollback_by_ecs_ends_the_execution_with_the_reason_long_before_the_deadline,
    peer_3_back_is_the_last_good_revision_and_not_the_number_before,
    peer_4_reads_that_are_behind_do_not_make_it_follow_the_deployment_before,
    peer_4_a_deployment_forced_by_a_person_in_the_middle_is_followed,
    peer_5_a_task_that_exits_after_running_again_and_again_fails_the_rollout_without_a_circuit_breaker,
    peer_6_no_member_of_a_task_definition_and_no_tag_gets_lost,
    peer_7_members_that_no_sdk_knows_stay_and_those_that_aws_adds_are_not_sent_back,
    peer_8_an_update_carries_the_task_definition_and_nothing_else,
    peer_9_over_a_hundred_tasks_under_throttling_are_deployed_and_taken_back,
    peer_10_too_many_concurrent_attempts_are_tried_again,
    peer_11_no_revision_is_deregistered_by_good_and_bad_pushes,
    peer_12_when_the_old_image_is_gone_the_error_says_so_before_anything_is_touched,
    peer_13_an_older_push_that_arrives_later_never_wins,
    peer_13_two_pushes_at_once_end_on_the_newer,
    peer_14_only_the_containers_of_exactly_this_repository_change,
    peer_15_an_untagged_push_deploys_nothing_and_is_no_failure,
    peer_16_a_service_moves_by_itself_when_its_image_is_pushed,
];

async fn peer_1_a_rollback_by_ecs_is_never_reported_as_successful() {
    let scene = Scene::new("peer-1");
    scene.seed_service(json!({
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    }));

    let end = scene.deploy("exit-early").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(end.parent.error.as_deref(), Some("Deploy.ServicesFailed"));
    let message = message(&end.parent);
    assert!(message.contains("peer-1-web in peer-1-cluster"), "{message}");
    let state = scene.state();
    assert_eq!(short(&state["taskDefinition"]), "peer-1-web:1");
    assert_eq!(state["rolloutState"], "COMPLETED");
    // Nor is the revision that runs now deregistered.
    let revisions = scene.revisions(&scene.family());
    assert!(
        revisions.iter().all(|revision| revision["active"] == true),
        "{revisions:#?}"
    );
}

async fn peer_2_a_rollback_by_ecs_ends_the_execution_with_the_reason_long_before_the_deadline() {
    let scene = Scene::new("peer-2");
    scene.seed_service(json!({
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    }));

    let end = scene.deploy("nopull").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let message = end.message();
    assert!(!message.contains(DEADLINE), "{message}");
    assert!(message.contains("CannotPullContainerError"), "{message}");
}

async fn peer_3_back_is_the_last_good_revision_and_not_the_number_before() {
    let scene = Scene::new("peer-3");
    scene.seed(Seed::default());
    // Revisions that nobody deployed, as other pipelines leave them.
    for tag in ["exit-early-a", "exit-early-b"] {
        scene.register(&scene.family(), tag);
    }

    let end = scene.deploy("exit-early-c").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(short(&scene.state()["taskDefinition"]), "peer-3-web:1");
    let message = end.message();
    assert!(message.contains("peer-3-web:4"), "which one failed: {message}");
    assert!(message.contains("back on peer-3-web:1"), "{message}");
}

async fn peer_4_reads_that_are_behind_do_not_make_it_follow_the_deployment_before() {
    let scene = Scene::new("peer-4a");
    scene.seed(Seed::default());
    scene.weather(Weather {
        faults: vec![Fault {
            operation: Some("UpdateService".to_owned()),
            milliseconds: 4_000,
            ..scene.fault(Kind::Stale)
        }],
        ..Weather::default()
    });

    let push = scene.push("v2");
    let execution = scene.start(&push).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let state = scene.state();
    assert_eq!(state["imageDigests"], json!([push.digest]));
    assert_eq!(state["rolloutState"], "COMPLETED");
    assert_eq!(scene.calls("UpdateService").len(), 1);
}

async fn peer_4_a_deployment_forced_by_a_person_in_the_middle_is_followed() {
    let scene = Scene::new("peer-4b");
    scene.seed(Seed::default());
    // The same revision once more, as deployments do that a person forces: the deployment has another id.
    scene.weather(Weather {
        schedule: vec![Scheduled {
            after: Some(scene.after("UpdateService", 300)),
            at_milliseconds: None,
            operation: "UpdateService".to_owned(),
            request: json!({"forceNewDeployment": true}),
        }],
        ..Weather::default()
    });

    let push = scene.push("v2");
    let execution = scene.start(&push).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([push.digest]));
    assert_eq!(scene.statuses(), ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]);
}

async fn peer_5_a_task_that_exits_after_running_again_and_again_fails_the_rollout_without_a_circuit_breaker() {
    let scene = Scene::new("peer-5");
    scene.seed(Seed::default());

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let message = end.message();
    assert!(message.contains("app exited with code 1"), "{message}");
    assert!(!message.contains(DEADLINE), "{message}");
    assert_eq!(short(&scene.state()["taskDefinition"]), "peer-5-web:1");
}

async fn peer_6_no_member_of_a_task_definition_and_no_tag_gets_lost() {
    let scene = Scene::new("peer-6");
    let document = json!({
        "taskRoleArn": "arn:aws:iam::123456789012:role/task",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "pidMode": "task",
        "ipcMode": "none",
        "ephemeralStorage": {"sizeInGiB": 40},
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "enableFaultInjection": true,
        "proxyConfiguration": {
            "type": "APPMESH",
            "containerName": "app",
            "properties": [{"name": "ProxyIngressPort", "value": "15000"}],
        },
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
        "volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}],
        "tags": [{"key": "team", "value": "checkout"}, {"key": "empty", "value": ""}],
    });
    let container = json!({
        "portMappings": [{"name": "http", "containerPort": 8080, "protocol": "tcp", "appProtocol": "http"}],
        "restartPolicy": {"enabled": true, "ignoredExitCodes": [0]},
        "versionConsistency": "disabled",
        "dependsOn": [],
        "environment": [{"name": "EMPTY", "value": ""}],
    });
    scene.seed(Seed {
        task_definition: object(document),
        container: object(container),
        ..Seed::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let revisions = scene.revisions(&scene.family());
    let [old, new] = revisions.as_slice() else {
        panic!("{revisions:#?}")
    };
    assert_eq!(new["document"], with_image(&old["document"], &scene.image("v2")));
    let tags = new["tags"].as_array().unwrap();
    for tag in old["tags"].as_array().unwrap() {
        assert!(tags.contains(tag), "{tag} is not among {tags:?}");
    }
}

async fn peer_7_members_that_no_sdk_knows_stay_and_those_that_aws_adds_are_not_sent_back() {
    let scene = Scene::new("peer-7");
    scene.seed(Seed {
        // A member that AWS may add next year. The ones that it added in 2021, registeredAt and registeredBy, the
        // simulation returns by itself and refuses to take.
        task_definition: object(json!({"quantumMode": "entangled", "retention": {"seconds": 7.5, "steps": [1, 2]}})),
        container: object(json!({"entropySource": {"kind": "TRUE_RANDOM", "bits": 18_446_744_073_709_551_615_u64}})),
        ..Seed::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let revisions = scene.revisions(&scene.family());
    let [old, new] = revisions.as_slice() else {
        panic!("{revisions:#?}")
    };
    assert_eq!(new["document"], with_image(&old["document"], &scene.image("v2")));
    assert_eq!(new["document"]["quantumMode"], "entangled");
}

async fn peer_8_an_update_carries_the_task_definition_and_nothing_else() {
    let scene = Scene::new("peer-8");
    let volume =
        json!({"name": "data", "managedEBSVolume": {"roleArn": "arn:aws:iam::123456789012:role/ebs", "sizeInGiB": 20}});
    scene.seed(Seed {
        desired_count: 3,
        task_definition: object(json!({"volumes": [{"name": "data", "configuredAtLaunch": true}]})),
        service: object(json!({
            "volumeConfigurations": [volume],
            "propagateTags": "SERVICE",
            "enableECSManagedTags": true,
            "healthCheckGracePeriodSeconds": 90,
        })),
        ..Seed::default()
    });
    let before = scene.state()["config"].clone();

    // An image that is good, and one that has to be taken back: by UpdateService, since nothing tells of service deployments.
    scene.deploy("v2").await;
    scene.weather(scene.without_service_deployments());
    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    let updates = scene.calls("UpdateService");
    assert_eq!(updates.len(), 3, "there, there, and back: {updates:#?}");
    for update in updates {
        assert_eq!(
            update["members"],
            json!(["cluster", "service", "taskDefinition"]),
            "{update}"
        );
    }
    let state = scene.state();
    assert_eq!(state["config"], before);
    assert_eq!(state["askedCount"], 3);
}

async fn peer_9_over_a_hundred_tasks_under_throttling_are_deployed_and_taken_back() {
    let scene = Scene::new("peer-9");
    scene.seed(Seed {
        desired_count: 130,
        ..Seed::default()
    });
    scene.weather(Weather {
        faults: vec![Fault {
            chance: 0.4,
            ..scene.fault(Kind::Throttle)
        }],
        ..Weather::default()
    });

    let good = scene.push("v2");
    let execution = scene.start(&good).await;
    let end = scene.end(&execution).await;
    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");

    let end = scene.deploy("exit-early").await;

    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([good.digest]));
    let calls = scene.calls("");
    let throttled = calls
        .iter()
        .filter(|call| call["outcome"] == "ThrottlingException")
        .count();
    assert!(throttled > 10, "{throttled} of {} calls were throttled", calls.len());
}

async fn peer_10_too_many_concurrent_attempts_are_tried_again() {
    let scene = Scene::new("peer-10");
    scene.seed(Seed::default());
    scene.weather(Weather {
        faults: vec![Fault {
            operation: Some("RegisterTaskDefinition".to_owned()),
            times: Some(2),
            ..scene.fault(Kind::TooManyConcurrent)
        }],
        ..Weather::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let outcomes: Vec<_> = scene
        .calls("RegisterTaskDefinition")
        .iter()
        .map(|call| call["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["ClientException", "ClientException", "ok"]);
    assert_eq!(scene.revisions(&scene.family()).len(), 2, "one new revision");
}

async fn peer_11_no_revision_is_deregistered_by_good_and_bad_pushes() {
    let scene = Scene::new("peer-11");
    scene.seed(Seed::default());

    for (tag, outcome) in [
        ("v2", "DEPLOYED"),
        ("exit-early", "Deploy.RolledBack"),
        ("v3", "DEPLOYED"),
        ("crash", "Deploy.RolledBack"),
    ] {
        let end = scene.deploy(tag).await;
        assert_eq!(end.outcome(), outcome, "{end:#?}");
    }

    assert_eq!(scene.calls("DeregisterTaskDefinition"), Vec::<Value>::new());
    let revisions = scene.revisions(&scene.family());
    assert_eq!(revisions.len(), 5);
    assert!(
        revisions.iter().all(|revision| revision["active"] == true),
        "{revisions:#?}"
    );
}

async fn peer_12_when_the_old_image_is_gone_the_error_says_so_before_anything_is_touched() {
    let scene = Scene::new("peer-12");
    let old = scene.push("stable").digest;
    let pinned = format!("{}@{old}", scene.image("stable").trim_end_matches(":stable"));
    scene.seed(Seed {
        image: Some(pinned),
        ..Seed::default()
    });
    // A lifecycle policy.
    let images = json!({"repositoryName": scene.repository(), "imageIds": [{"imageDigest": old}]});
    scene.ecr("BatchDeleteImage", &images);

    let end = scene.deploy("crash").await;

    assert_eq!(end.outcome(), "Deploy.RollBackFailed", "{end:#?}");
    let message = end.message();
    assert!(message.contains(&old), "which image: {message}");
    assert!(message.contains("gone from ECR"), "{message}");
    assert_eq!(scene.calls("UpdateService").len(), 1, "no rollback was begun");
    assert_eq!(scene.calls("StopServiceDeployment"), Vec::<Value>::new());
    assert_eq!(short(&scene.state()["taskDefinition"]), "peer-12-web:2");
}

async fn peer_13_an_older_push_that_arrives_later_never_wins() {
    let scene = Scene::new("peer-13a");
    scene.seed(Seed::default());
    let older = scene.push("v2");
    let newer = scene.push("v3");

    let execution = scene.start(&newer).await;
    assert_eq!(scene.end(&execution).await.outcome(), "DEPLOYED");
    let execution = scene.start(&older).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.parent.error, None, "older is not failed: {end:#?}");
    assert_eq!(scene.state()["imageDigests"], json!([newer.digest]));
    assert_eq!(scene.calls("UpdateService").len(), 1);
}

async fn peer_13_two_pushes_at_once_end_on_the_newer() {
    let scene = Scene::new("peer-13b");
    scene.seed(Seed {
        services: 3,
        ..Seed::default()
    });
    let older = scene.push("v2");
    let newer = scene.push("v3");

    let second = scene.start(&newer).await;
    let first = scene.start(&older).await;
    let (second, first) = (scene.end(&second).await, scene.end(&first).await);

    assert_eq!(first.parent.error, None, "{first:#?}");
    assert_eq!(second.parent.error, None, "{second:#?}");
    for place in 1..=3 {
        let state = scene.state_of(&format!("peer-13b-web-{place}"));
        assert_eq!(state["imageDigests"], json!([newer.digest]), "{state:#}");
        assert_eq!(state["rolloutState"], "COMPLETED");
    }
}

async fn peer_14_only_the_containers_of_exactly_this_repository_change() {
    let scene = Scene::new("peer-14");
    let mine = scene.image("v1");
    let others = [
        mine.replace("/app:v1", "/app-worker:v1"),
        mine.replace("/app:v1", "/app/worker:v1"),
        mine.replace("peer-14-repository/app", "my-peer-14-repository/app"),
        mine.replace("123456789012.dkr", "210987654321.dkr"),
        mine.replace("us-east-1", "eu-west-1"),
        "app:v1".to_owned(),
    ];
    let mut containers = vec![json!({"name": "app", "image": mine, "essential": true})];
    for (place, image) in others.iter().enumerate() {
        containers.push(json!({"name": format!("app-{place}"), "image": image, "essential": true}));
    }
    containers.push(json!({"name": "app-twice", "image": mine, "essential": false}));
    scene.seed(Seed {
        task_definition: object(json!({"containerDefinitions": containers})),
        ..Seed::default()
    });

    let end = scene.deploy("v2").await;

    assert_eq!(end.outcome(), "DEPLOYED", "{end:#?}");
    let v2 = scene.image("v2");
    let expected: Vec<&String> = [&v2].into_iter().chain(&others).chain([&v2]).collect();
    assert_eq!(scene.revisions(&scene.family())[1]["images"], json!(expected));
}

async fn peer_15_an_untagged_push_deploys_nothing_and_is_no_failure() {
    let scene = Scene::new("peer-15");
    scene.seed(Seed::default());
    // The parts that a multi-architecture, attestation or SOCI push adds beside the tagged index.
    let mut push = scene.push("v2");
    let detail = push.event["detail"].as_object_mut().unwrap();
    for path in ["requestParameters", "responseElements"] {
        let held = detail.get_mut(path).unwrap();
        held.as_object_mut().unwrap().remove("imageTag");
        if let Some(id) = held.pointer_mut("/image/imageId").and_then(Value::as_object_mut) {
            id.remove("imageTag");
        }
    }

    let execution = scene.start(&push).await;
    let end = scene.end(&execution).await;

    assert_eq!(end.parent.error, None, "{end:#?}");
    let message = message(&end.parent);
    assert!(message.contains("no tag") || message.contains("untagged"), "{message}");
    assert_eq!(scene.calls("UpdateService"), Vec::<Value>::new());
    assert_eq!(short(&scene.state()["taskDefinition"]), "peer-15-web:1");
}

async fn peer_16_a_service_moves_by_itself_when_its_image_is_pushed() {
    let scene = Scene::new("peer-16");
    scene.seed(Seed::default());
    let push = scene.push("v2");

    scene.on.aws.dispatch(&push.event).unwrap();

    scene
        .until("the new image", |it| it.state()["imageDigests"] == json!([push.digest]))
        .await;
    let of_push = |it: &local_aws::executions::Execution| it.is_of_push_to(&scene.repository());
    let machine = &scene.on.stack.deploy_image;
    let ended = scene.on.aws.ended_executions(machine, 1, None, of_push, LIMIT).await;
    assert_eq!(ended.unwrap()[0].error, None);
}

/// A document with another image in its first container.
fn with_image(document: &Value, image: &str) -> Value {
    let mut document = document.clone();
    document["containerDefinitions"][0]["image"] = image.into();
    document
}
