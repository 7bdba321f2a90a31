//! The step as a whole: what it reads, on AWS's own mocks. It never writes.

#![allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]

use aws_sdk_ecs::Client;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use check_stability::Answer;
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::{
    Check, CheckStability, ServiceOutcome, ServiceResult, StillStableInput, StillStableOutput, Verdict,
};
use ecr_deploy::domain::image::ImageDigest;
use ecr_deploy::domain::service::ServiceDeploymentStatus::{RollbackFailed, RolledBack, Successful, UnderWay};
use ecr_deploy::domain::service::{Deployment, Service, ServiceDeployment};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::domain::task_definition::ImageForm;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::testing::{
    REGISTRY, Wire, answer, arn, at, deployment, described_of_push, described_services, digest, given_up,
    listed_deployments, pushed, record, refusal, request, rolling, rollout, service,
};
use serde_json::{Value, json};
use std::future::ready;
use std::sync::Mutex;

/// ECS with this service, these records, and as many tasks of `web:2` that crashed.
fn ecs(service: &Service, history: &[ServiceDeployment], crashed: usize) -> Vec<Rule> {
    let now = described_services([service]);
    let (listed, revisions) = listed_deployments(history);
    let arns: Vec<String> = (0..crashed)
        .map(|task| format!("arn:aws:ecs:eu-west-1:123456789012:task/production/{task}"))
        .collect();
    let task = json!({
        "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/production/3f2a", "startedBy": "ecs-svc/2", "stopCode": "EssentialContainerExited", "stoppedAt": at(100).as_second(),
        "containers": [{"name": "web", "exitCode": 1}],
    });
    let (tasks, stopped) = (json!({"tasks": vec![task; crashed]}), json!({"taskArns": arns}));
    let mut ours = described_of_push("web:2", 2);
    ours["taskDefinition"]["containerDefinitions"][0]["logConfiguration"] = json!({
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "app"},
    });
    vec![
        mock!(Client::describe_services).then_http_response(move || answer(&now)),
        mock!(Client::list_service_deployments).then_http_response(move || answer(&listed)),
        mock!(Client::describe_service_revisions).then_http_response(move || answer(&revisions)),
        mock!(Client::list_tasks)
            .match_requests(|input| {
                input
                    .desired_status()
                    .is_some_and(|status| status.as_str() == "STOPPED")
            })
            .then_http_response(move || answer(&stopped)),
        mock!(Client::describe_tasks).then_http_response(move || answer(&tasks)),
        mock!(Client::describe_task_definition)
            .match_requests(|input| input.task_definition() == Some(arn("web:3").as_str()))
            .then_http_response(|| answer(&described_of_push("web:3", 3))),
        mock!(Client::describe_task_definition)
            .match_requests(|input| input.task_definition() == Some(arn("web:2").as_str()))
            .then_http_response(move || answer(&ours)),
    ]
}

/// An ECR that nobody is to ask.
fn unasked() -> aws_sdk_ecr::Client {
    mock_client!(aws_sdk_ecr, RuleMode::MatchAny, [])
}

async fn asked(rules: &[Rule], rollback: bool) -> (Check, Wire) {
    asked_at(rules, rollback, 300).await
}

async fn asked_at(rules: &[Rule], rollback: bool, seconds: i64) -> (Check, Wire) {
    asked_for(rules, rollback, seconds, ImageForm::Tag, &[]).await
}

/// Where new revisions name the image so, beside an ECR with these rules.
async fn asked_beside(rules: &[Rule], rollback: bool, image_reference: ImageForm, ecr: &[Rule]) -> (Check, Wire) {
    asked_for(rules, rollback, 300, image_reference, ecr).await
}

async fn asked_for(
    rules: &[Rule],
    rollback: bool,
    seconds: i64,
    image_reference: ImageForm,
    ecr: &[Rule],
) -> (Check, Wire) {
    let wire = Wire::default();
    let ecs = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, rules, |to| to
        .interceptor(wire.clone()));
    let ecr = mock_client!(aws_sdk_ecr, RuleMode::MatchAny, ecr, |to| to.interceptor(wire.clone()));
    let to = if rollback { "web:1" } else { "web:2" };
    let input = CheckStability {
        image: pushed(2),
        rollout: rollout(to),
        previous: Some(arn("web:1")),
        rolls_back: rollback.then(|| arn("web:2")),
        deadline: None,
        services: 1,
        settings: RolloutSettings {
            image_reference,
            ..RolloutSettings::default()
        },
    };
    let check = check_stability::handle(
        &Ecs::with_client(ecs),
        &ecr,
        &Config::default(),
        ready(None),
        request(&input, seconds),
    )
    .await
    .unwrap();
    let Answer::Check(check) = check else {
        panic!("{check:?}")
    };
    assert!(
        wire.operations()
            .iter()
            .all(|call| call.starts_with("List") || call.starts_with("Describe") || call == "BatchGetImage"),
        "{wire:?}"
    );
    (check, wire)
}

#[tokio::test]
async fn a_rollout_under_way_takes_two_calls_a_read() {
    let (check, wire) = asked(&ecs(&service([rolling("web:2"), deployment("web:1")]), &[], 0), false).await;
    assert_eq!(check.verdict, Verdict::InProgress);
    assert_eq!(wire.operations(), ["DescribeServices", "ListTasks"]);
}

/// A service with hooks, whose rollout waits at one that expires at this second.
fn paused(expires_at: i64) -> Vec<Rule> {
    let service = Service {
        has_lifecycle_hooks: true,
        ..service([rolling("web:2"), deployment("web:1")])
    };
    let record = record("web:2", UnderWay);
    let described = json!({"serviceDeployments": [{
        "serviceDeploymentArn": record.arn,
        // The SDK does not know this one.
        "lifecycleStage": "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "lifecycleHookDetails": [{
            "hookId": "ecs-pause-1", "targetType": "PAUSE", "status": "AWAITING_ACTION",
            "expiresAt": at(expires_at).as_second(), "timeoutAction": "ROLLBACK",
        }],
    }]});
    let mut rules = ecs(&service, &[record], 0);
    rules.push(mock!(Client::describe_service_deployments).then_http_response(move || answer(&described)));
    rules
}

#[tokio::test]
async fn a_rollout_that_waits_at_a_hook_keeps_the_time_that_it_has_left_and_is_read_ever_less_often() {
    const DAY: i64 = 86_400;
    for (seconds, expires_at, wait, rule) in [
        (60, DAY, 15, "the setting"),
        (902, DAY, 45, "a twentieth of its age"),
        (2 + DAY, 3 * DAY, 3600, "not more than an hour"),
        (2 + DAY, 2 + DAY + 30, 31, "until just after the hook expires"),
    ] {
        let (check, wire) = asked_at(&paused(expires_at), false, seconds).await;
        assert_eq!(
            wire.operations(),
            [
                "DescribeServices",
                "ListTasks",
                "ListServiceDeployments",
                "DescribeServiceRevisions",
                "DescribeServiceDeployments"
            ]
        );
        assert_eq!((check.verdict, check.wait), (Verdict::InProgress, wait), "{rule}");
        assert!(
            check
                .message
                .contains("waits at PRE_PRODUCTION_TRAFFIC_SHIFT for somebody"),
            "{}",
            check.message
        );
        let held = i64::from(wait).min(expires_at - seconds);
        let deadline = rollout("web:2").deadline.max(at(seconds)) + jiff::SignedDuration::from_secs(held);
        assert_eq!(check.deadline, Some(deadline), "{rule}");
    }
    let (check, _) = asked_at(&paused(300), false, 302).await;
    assert_eq!(
        (check.verdict, check.deadline),
        (Verdict::InProgress, None),
        "it has expired"
    );
    let (check, _) = asked_at(&paused(3600), false, 302).await;
    assert_eq!(check.verdict, Verdict::InProgress);
    let mut crashed = paused(3600);
    let mut tasks = ecs(&service([]), &[], 3).into_iter().skip(3);
    (crashed[3], crashed[4]) = (tasks.next().unwrap(), tasks.next().unwrap());
    let (check, _) = asked_at(&crashed, false, 302).await;
    assert_eq!((check.verdict, check.deadline), (Verdict::Failed, None), "{check:?}");
}

#[tokio::test]
async fn where_ecs_does_not_tell_of_the_hooks_the_deadline_counts() {
    let refused = [
        refusal_of("AccessDeniedException"),
        refusal_of("UnsupportedFeatureException"),
        mock!(Client::describe_service_deployments).then_http_response(|| answer(&json!({}))),
    ];
    for refused in refused {
        let mut rules = paused(3600);
        rules.pop();
        rules.push(refused);
        let (check, wire) = asked_at(&rules, false, 1801).await;
        assert_eq!((check.verdict, check.deadline), (Verdict::InProgress, None));
        assert_eq!(wire.bodies("DescribeServiceDeployments").len(), 1);
        let (check, _) = asked_at(&rules, false, 1802).await;
        assert_eq!(check.verdict, Verdict::Failed);
    }
}

fn refusal_of(code: &'static str) -> Rule {
    mock!(Client::describe_service_deployments).then_http_response(move || refusal(code, "no"))
}

#[tokio::test]
async fn peer_5_a_crash_loop_is_seen_in_the_stopped_tasks() {
    let (check, _) = asked(&ecs(&service([rolling("web:2"), deployment("web:1")]), &[], 3), false).await;
    assert_eq!(
        (check.verdict, check.reasons),
        (Verdict::Failed, vec!["web exited with code 1 (3 times)".to_owned()])
    );
}

#[tokio::test]
async fn a_failure_says_since_when_and_in_which_log_to_look_by_one_call_more() {
    let (check, wire) = asked(&ecs(&service([rolling("web:2"), deployment("web:1")]), &[], 3), false).await;
    assert_eq!(
        check.message,
        "0 of 2 tasks running; 3 stopped: web exited with code 1 (3 times); failed after 4m 58s, first crash 1m 38s after start: \
         task 3f2a, log stream app/web/3f2a of log group /ecs/web"
    );
    let calls = [
        "DescribeServices",
        "ListTasks",
        "DescribeTasks",
        "DescribeTaskDefinition",
    ];
    assert_eq!(wire.operations(), calls);

    let mut denied = ecs(&service([rolling("web:2"), deployment("web:1")]), &[], 3);
    let refused = || refusal("AccessDeniedException", "not yours");
    denied.insert(0, mock!(Client::describe_task_definition).then_http_response(refused));
    let (check, _) = asked(&denied, false).await;
    assert_eq!(check.verdict, Verdict::Failed, "a verdict all the same");
    assert!(
        check.message.ends_with("first crash 1m 38s after start: task 3f2a"),
        "{check:?}"
    );

    let (check, wire) = asked(&ecs(&service([given_up("web:2")]), &[], 0), false).await;
    assert!(check.message.ends_with("; failed after 4m 58s"), "{check:?}");
    assert_eq!(
        wire.operations(),
        TO_STABLE[..3],
        "no task crashed, and there is no log to be looked for"
    );
}

#[tokio::test]
async fn a_completed_rollout_is_checked_against_ecss_own_records_since_it_began() {
    let (check, wire) = asked(
        &ecs(&service([deployment("web:2")]), &[record("web:2", UnderWay)], 0),
        false,
    )
    .await;
    assert_eq!(check.verdict, Verdict::InProgress);
    let after: &Value = &wire.bodies("ListServiceDeployments")[0]["createdAt"]["after"];
    assert_eq!(after.to_string(), at(2 - 120).as_second().to_string());
}

#[tokio::test]
async fn a_rollback_is_checked_against_all_records() {
    let still = ecs(
        &service([given_up("web:3"), deployment("web:1")]),
        &[record("web:2", RollbackFailed)],
        0,
    );
    let (check, wire) = asked(&still, true).await;
    assert_eq!(check.verdict, Verdict::Failed);
    assert_eq!(wire.bodies("ListServiceDeployments")[0].get("createdAt"), None);
}

#[tokio::test]
async fn where_the_service_deployments_api_is_denied_the_deployments_tell() {
    let mut rules = ecs(&service([deployment("web:2")]), &[], 0);
    rules[1] = mock!(Client::list_service_deployments).then_http_response(|| refusal("AccessDeniedException", "no"));
    // Which digest the tasks run is not told either.
    rules.push(mock!(Client::list_tasks).then_http_response(|| answer(&json!({"taskArns": []}))));
    assert_eq!(asked(&rules, false).await.0.verdict, Verdict::Stable);
}

#[tokio::test]
async fn peer_13_whose_push_took_our_place_is_read_off_its_revision() {
    let newer = ecs(&service([rolling("web:3"), rolling("web:2")]), &[], 0);
    let (check, wire) = asked(&newer, false).await;
    assert_eq!(
        (check.verdict, check.message.as_str()),
        (Verdict::Superseded, "web:3, of a newer push, replaced it")
    );
    assert_eq!(wire.bodies("DescribeTaskDefinition").len(), 1);
}

#[tokio::test]
async fn whether_a_container_of_the_push_crashed_is_read_off_our_revision_where_the_service_is_on_another_one_of_the_push()
 {
    // Once more for the log of a task that crashed.
    for (crashed, verdict, reads) in [(3, Verdict::Failed, 3), (0, Verdict::Stable, 2)] {
        let back = service([deployment("web:4"), given_up("web:2")]);
        let mut rules = ecs(&back, &[record("web:2", RolledBack)], crashed);
        for short in ["web:4", "web:2"] {
            let known = mock!(Client::describe_task_definition)
                .match_requests(move |input| input.task_definition() == Some(arn(short).as_str()))
                .then_http_response(move || answer(&described_of_push(short, 2)));
            rules.push(known);
        }
        let (check, wire) = asked(&rules, false).await;
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert_eq!(wire.bodies("DescribeTaskDefinition").len(), reads);
    }
}

/// ECS's record of our rollout, whose image resolved to the digest of this number.
fn resolved(number: u32) -> ServiceDeployment {
    let mut record = record("web:2", Successful);
    record.target_digests[0].digest = digest(number);
    record
}

/// The calls for a read of a rollout that is stable by ECS's record.
const TO_STABLE: [&str; 4] = [
    "DescribeServices",
    "ListTasks",
    "ListServiceDeployments",
    "DescribeServiceRevisions",
];

fn after_stable(more: &[&'static str]) -> Vec<&'static str> {
    [&TO_STABLE, more].concat()
}

#[tokio::test]
async fn where_the_record_tells_that_the_pushed_digest_runs_nothing_more_is_asked() {
    let service = service([deployment("web:2")]);
    for form in [ImageForm::Tag, ImageForm::Digest] {
        let (check, wire) = asked_beside(&ecs(&service, &[resolved(2)], 0), false, form, &[]).await;
        assert_eq!(check.verdict, Verdict::Stable, "{check:?}");
        assert_eq!(wire.operations(), TO_STABLE);
    }
}

/// ECR's answer to a question for the manifest of the pushed image, or the code by which it refuses.
fn stored(answered: Result<Value, &'static str>) -> Rule {
    mock!(aws_sdk_ecr::Client::batch_get_image)
        .match_requests(|input| {
            let id = &input.image_ids()[0];
            input.repository_name() == Some("app")
                && input.registry_id() == Some("123456789012")
                && id.image_digest() == Some(digest(2).as_str())
                && id.image_tag().is_none()
        })
        .then_http_response(move || match &answered {
            Ok(body) => answer(body),
            Err(code) => refusal(code, "ask somebody else"),
        })
}

fn manifest(image: &Value) -> Rule {
    stored(Ok(
        json!({"images": [{"imageManifest": image.to_string()}], "failures": []}),
    ))
}

#[tokio::test]
async fn where_the_record_tells_of_another_digest_ecr_tells_whether_it_is_of_the_pushed_index() {
    let index = |numbers: &[u32]| {
        let listed: Vec<Value> = numbers
            .iter()
            .map(|number| json!({"digest": digest(*number)}))
            .collect();
        manifest(&json!({"schemaVersion": 2, "manifests": listed}))
    };
    let gone = json!({"images": [], "failures": [{"failureCode": "ImageNotFound", "failureReason": "no such image"}]});
    let runs = digest(3).to_string();
    for (answered, verdict, says) in [
        (index(&[4, 3]), Verdict::Stable, "2 of 2 tasks running"),
        (index(&[4]), Verdict::Superseded, runs.as_str()),
        (manifest(&json!({"config": {}})), Verdict::Superseded, runs.as_str()),
        (stored(Err("AccessDeniedException")), Verdict::Stable, runs.as_str()),
        (
            stored(Err("RepositoryNotFoundException")),
            Verdict::Stable,
            "ask somebody else",
        ),
        (stored(Ok(gone)), Verdict::Stable, "no such image"),
    ] {
        let rules = ecs(&service([deployment("web:2")]), &[resolved(3)], 0);
        let (check, wire) = asked_beside(&rules, false, ImageForm::Tag, &[answered]).await;
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert!(check.message.contains(says), "{says}: {check:?}");
        assert_eq!(wire.operations(), after_stable(&["BatchGetImage"]));
        let accepted = wire.bodies("BatchGetImage")[0]["acceptedMediaTypes"].to_string();
        assert!(
            accepted.contains("image.index.v1+json"),
            "or ECR tells of one platform's image: {accepted}"
        );
    }
}

#[tokio::test]
async fn where_no_record_tells_the_digest_of_a_tag_the_running_tasks_do() {
    let unresolved = ServiceDeployment {
        target_digests: Vec::new(),
        unresolved: vec![format!("{REGISTRY}/app:v2")],
        ..record("web:2", Successful)
    };
    let task = |deployment: &str, number: u32| {
        json!({"startedBy": deployment, "taskDefinitionArn": arn("web:2"), "containers": [
            {"name": "web", "image": format!("{REGISTRY}/app:v2"), "imageDigest": digest(number)},
        ]})
    };
    let both = ["ListTasks", "DescribeTasks"];
    for (history, tasks, verdict, more) in [
        (
            vec![unresolved.clone()],
            vec![task("ecs-svc/2", 2)],
            Verdict::Stable,
            after_stable(&both),
        ),
        // A task of an earlier deployment of the same revision.
        (
            vec![unresolved.clone()],
            vec![task("ecs-svc/2", 2), task("ecs-svc/1", 3)],
            Verdict::Stable,
            after_stable(&both),
        ),
        (
            vec![unresolved],
            vec![task("ecs-svc/2", 2), task("ecs-svc/2", 3)],
            Verdict::Superseded,
            after_stable(&["ListTasks", "DescribeTasks", "BatchGetImage"]),
        ),
        // The service deployments API does not answer.
        (
            vec![],
            vec![task("ecs-svc/2", 3)],
            Verdict::Superseded,
            [&TO_STABLE[..3], &["ListTasks", "DescribeTasks", "BatchGetImage"]].concat(),
        ),
    ] {
        let mut rules = ecs(&service([deployment("web:2")]), &history, 0);
        rules.insert(
            0,
            mock!(Client::list_tasks)
                .match_requests(|input| {
                    input
                        .desired_status()
                        .is_some_and(|status| status.as_str() == "RUNNING")
                })
                .then_http_response(|| {
                    answer(&json!({"taskArns": ["arn:aws:ecs:eu-west-1:123456789012:task/production/1"]}))
                }),
        );
        let described = json!({"tasks": tasks});
        rules.insert(
            0,
            mock!(Client::describe_tasks).then_http_response(move || answer(&described)),
        );
        let ecr = [manifest(&json!({"config": {}}))];
        let (check, wire) = asked_beside(&rules, false, ImageForm::Tag, &ecr).await;
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert_eq!(wire.operations(), more, "{check:?}");
    }
}

#[tokio::test]
async fn where_work_has_ended_well_before_it_is_read_its_stopped_tasks_tell_the_digest() {
    for (number, verdict) in [(2, Verdict::Stable), (3, Verdict::Superseded)] {
        let over = Deployment {
            running_count: 0,
            ..deployment("web:2")
        };
        let mut rules = ecs(&service([over]), &[], 2);
        let task = |of: &str, digest: &ImageDigest| {
            json!({
                "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/production/3f2a", "startedBy": format!("ecs-svc/{of}"),
                "taskDefinitionArn": arn(&format!("web:{of}")), "stopCode": "EssentialContainerExited", "stoppedAt": at(100).as_second(),
                "containers": [{"name": "web", "exitCode": 0, "image": format!("{REGISTRY}/app:v2"), "imageDigest": digest}],
            })
        };
        let described = json!({"tasks": [task("2", &digest(number)), task("1", &digest(1))]});
        rules.insert(
            0,
            mock!(Client::describe_tasks).then_http_response(move || answer(&described)),
        );
        let ecr = [manifest(&json!({"config": {}}))];
        let (check, _) = asked_beside(&rules, false, ImageForm::Tag, &ecr).await;
        assert_eq!(check.verdict, verdict, "{check:?}");
    }
}

#[tokio::test]
async fn work_that_ends_as_well_as_before_is_no_crash_while_its_sidecar_still_stops_and_whatever_aws_adds_to_it() {
    let web = json!({"name": "web", "exitCode": 0, "lastStatus": "STOPPED"});
    let router = |code: Option<i32>| json!({"name": "router", "exitCode": code, "lastStatus": if code.is_some() { "STOPPED" } else { "RUNNING" }});
    let agent = json!({"name": "aws-guardduty-agent-mfjGLB", "reason": "CannotPullContainerError: no"});
    let well = json!([web, router(Some(137))]);
    for (status, containers, before, verdict, reason) in [
        ("STOPPING", json!([web, router(None)]), &well, Verdict::InProgress, None),
        (
            "DEPROVISIONING",
            json!([web, router(None), agent]),
            &well,
            Verdict::InProgress,
            None,
        ),
        (
            "STOPPING",
            json!([{"name": "web"}, router(None)]),
            &well,
            Verdict::InProgress,
            None,
        ),
        (
            "STOPPED",
            json!([web, agent]),
            &json!([web, agent]),
            Verdict::InProgress,
            None,
        ),
        (
            "STOPPING",
            json!([web, router(Some(1))]),
            &well,
            Verdict::Failed,
            Some("router exited with code 1"),
        ),
        (
            "STOPPED",
            json!([web, router(None)]),
            &well,
            Verdict::Failed,
            Some("web exited with code 0"),
        ),
        // Those before ran on.
        (
            "STOPPING",
            json!([web, router(None)]),
            &json!([]),
            Verdict::Failed,
            Some("web exited with code 0"),
        ),
        (
            "STOPPED",
            json!([agent, web]),
            &json!([]),
            Verdict::Failed,
            Some("web exited with code 0"),
        ),
    ] {
        let task = |of: &str, status: &str, containers: &Value| {
            json!({
                "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/production/3f2a", "startedBy": format!("ecs-svc/{of}"),
                "taskDefinitionArn": arn(&format!("web:{of}")), "stopCode": "EssentialContainerExited", "desiredStatus": "STOPPED",
                "lastStatus": status, "stoppingAt": at(100).as_second(), "containers": containers,
            })
        };
        let mut tasks = vec![task("2", status, &containers); 3];
        tasks.extend((before != &json!([])).then(|| task("1", "STOPPED", before)));
        let described = json!({"tasks": tasks});
        let mut rules = ecs(&service([rolling("web:2"), deployment("web:1")]), &[], 3);
        rules.insert(
            0,
            mock!(Client::describe_tasks).then_http_response(move || answer(&described)),
        );
        let (check, _) = asked(&rules, false).await;
        let reasons: Vec<String> = reason.map(|reason| format!("{reason} (3 times)")).into_iter().collect();
        assert_eq!(
            (check.verdict, check.reasons),
            (verdict, reasons),
            "{status} {containers}"
        );
    }
}

/// Where ECS throttles, the tasks may be read long after the service.
#[tokio::test]
async fn a_rollout_of_which_no_task_runs_any_more_is_stable_only_where_the_service_has_not_moved_meanwhile() {
    let again = Deployment {
        id: "ecs-svc/3".to_owned(),
        ..deployment("web:1")
    };
    for (later, verdict) in [
        (service([deployment("web:2")]), Verdict::Stable),
        (service([again]), Verdict::InProgress),
    ] {
        let mut rules = ecs(&service([deployment("web:2")]), &[], 0);
        rules.push(mock!(Client::list_tasks).then_http_response(|| answer(&json!({"taskArns": []}))));
        let reads = Mutex::new(vec![later, service([deployment("web:2")])]);
        rules.insert(
            0,
            mock!(Client::describe_services).then_http_response(move || {
                let read = reads.lock().unwrap().pop().unwrap();
                answer(&json!({"services": [ecr_deploy::testing::wire(&read)]}))
            }),
        );
        let (check, wire) = asked_beside(&rules, false, ImageForm::Tag, &[]).await;
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert_eq!(
            wire.operations().last(),
            Some(&"DescribeServices".to_owned()),
            "{:?}",
            wire.operations()
        );
    }
}

#[tokio::test]
async fn where_no_record_tells_the_digest_and_revisions_name_it_nothing_more_is_asked() {
    let (check, wire) = asked_beside(
        &ecs(&service([deployment("web:2")]), &[], 0),
        false,
        ImageForm::Digest,
        &[],
    )
    .await;
    assert_eq!(check.verdict, Verdict::Stable, "{check:?}");
    assert_eq!(wire.operations(), TO_STABLE[..3]);
}

#[tokio::test]
async fn a_rollback_is_not_asked_for_the_pushed_digest() {
    let back = Deployment {
        id: "ecs-svc/1".to_owned(),
        ..deployment("web:1")
    };
    let (check, wire) = asked(&ecs(&service([back]), &[], 0), true).await;
    assert_eq!(check.verdict, Verdict::Stable, "{check:?}");
    assert_eq!(wire.operations(), TO_STABLE[..3]);
}

#[tokio::test]
async fn a_service_that_was_deleted_is_a_verdict() {
    let gone = mock!(Client::describe_services)
        .then_http_response(|| answer(&json!({"services": [], "failures": [{"arn": "web", "reason": "MISSING"}]})));
    let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&gone]));
    let input = CheckStability {
        image: pushed(2),
        rollout: rollout("web:2"),
        previous: None,
        rolls_back: None,
        deadline: None,
        services: 1,
        settings: RolloutSettings::default(),
    };
    let check = check_stability::handle(&ecs, &unasked(), &Config::default(), ready(None), request(&input, 300))
        .await
        .unwrap();
    let Answer::Check(check) = check else {
        panic!("{check:?}")
    };
    assert_eq!(check.verdict, Verdict::ServiceDeleted);
    assert!(
        check
            .message
            .starts_with("web in production is not there (DescribeServices: MISSING)")
    );
}

#[tokio::test]
async fn the_longer_a_rollout_lasts_and_the_more_services_wait_the_later_is_the_next_read() {
    for (services, running, seconds, wait, rule) in [
        (1, None, 60, 15..=15, "the setting"),
        (1, Some(25), 60, 15..=15, "the setting"),
        (300, None, 60, 35..=74, "by the number of services"),
        (1, Some(5000), 60, 75..=1514, "by the number of those of all pushes"),
        (1, None, 900, 45..=45, "a twentieth of its age"),
        (1, None, 1797, 4..=4, "just after the deadline"),
    ] {
        let rules = ecs(&service([rolling("web:2"), deployment("web:1")]), &[], 0);
        let ecs = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &rules);
        let input = CheckStability {
            image: pushed(2),
            rollout: rollout("web:2"),
            previous: Some(arn("web:1")),
            rolls_back: None,
            deadline: None,
            services,
            settings: RolloutSettings::default(),
        };
        let watched_since = input
            .rollout
            .watched_since
            .duration_since(ecr_deploy::testing::at(0))
            .as_secs();
        let asked = request(&input, watched_since + seconds);
        let check = check_stability::handle(
            &Ecs::with_client(ecs),
            &unasked(),
            &Config::default(),
            ready(running),
            asked,
        )
        .await
        .unwrap();
        let Answer::Check(check) = check else {
            panic!("{check:?}")
        };
        assert_eq!(check.verdict, Verdict::InProgress);
        assert!(wait.contains(&check.wait), "{rule}: {}", check.wait);
    }
}

/// After a soak: `web` and `api` were deployed, and `gone` was deleted.
async fn still_stable(services: &[Service]) -> (Result<Answer, Error>, Wire) {
    still_stable_for(services, 0, 0).await
}

/// The same so many seconds after it was asked first, where as many tasks of `web:2` have crashed.
async fn still_stable_for(services: &[Service], seconds: i64, crashed: usize) -> (Result<Answer, Error>, Wire) {
    let wire = Wire::default();
    let described = described_services(services.iter());
    let task = json!({
        "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/production/3f2a", "startedBy": "ecs-svc/2",
        "stopCode": "EssentialContainerExited", "stoppedAt": at(250).as_second(),
        "containers": [{"name": "web", "exitCode": 1}],
    });
    let stopped = json!({"taskArns": vec![task["taskArn"].clone(); crashed]});
    let tasks = json!({"tasks": vec![task; crashed]});
    let rules = [
        mock!(Client::list_tasks).then_http_response(move || answer(&stopped)),
        mock!(Client::describe_tasks).then_http_response(move || answer(&tasks)),
        mock!(Client::describe_services).then_http_response(move || answer(&described)),
        mock!(Client::describe_task_definition)
            .match_requests(|input| input.task_definition() == Some(arn("web:2").as_str()))
            .then_http_response(|| answer(&described_of_push("web:2", 2))),
        mock!(Client::describe_task_definition)
            .match_requests(|input| input.task_definition() == Some(arn("web:3").as_str()))
            .then_http_response(|| answer(&described_of_push("web:3", 3))),
    ];
    let ecs = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &rules, |to| to
        .interceptor(wire.clone()));
    let result = |service: &str, outcome| ServiceResult {
        cluster: "production".parse().unwrap(),
        service: service.parse().unwrap(),
        outcome,
    };
    let input = StillStableInput {
        image: pushed(2),
        soaked: vec![
            result("web", ServiceOutcome::Deployed),
            result("api", ServiceOutcome::AlreadyDeployed),
            result("gone", ServiceOutcome::ServiceDeleted),
        ],
        since: at(300),
    };
    let asked = request(&input, 300 + seconds);
    let answer = check_stability::handle(
        &Ecs::with_client(ecs),
        &unasked(),
        &Config::default(),
        ready(None),
        asked,
    )
    .await;
    (answer, wire)
}

#[tokio::test]
async fn after_a_soak_all_services_are_read_at_once_and_each_must_be_stable_on_the_image() {
    let api = |deployment| Service {
        name: "api".parse().unwrap(),
        ..service([deployment])
    };
    let (done, wire) = still_stable(&[service([deployment("web:2")]), api(deployment("web:2"))]).await;
    assert_eq!(done.unwrap(), Answer::StillStable(StillStableOutput { stable: 2 }));
    assert_eq!(wire.operations(), ["DescribeServices", "DescribeTaskDefinition"]);
    assert_eq!(wire.bodies("DescribeServices")[0]["services"], json!(["web", "api"]));

    let (failed, _) = still_stable(&[service([rolling("web:2")]), api(deployment("web:3"))]).await;
    let failed = failed.unwrap_err();
    assert_eq!(failed.name(), "Deploy.NotStable");
    let says = "app:v2: after the soak 2 of 2 services are not stable on it any more, so the stages behind them were not reached.\n\
                - web in production: 0 of 2 tasks of web:2 running, and its rollout is not complete\n\
                - api in production: it is on web:3, which has another image\n\
                Look at them; redrive this execution to ask again and go on";
    assert_eq!(failed.to_string(), says);
}

/// Its host is gone, or it has just been scaled out.
#[tokio::test]
async fn after_a_soak_a_service_that_only_lacks_tasks_is_asked_for_again_for_five_minutes_unless_one_crashed() {
    let lacking = || {
        service([Deployment {
            running_count: 1,
            ..deployment("web:2")
        }])
    };
    let ends = async |services: &[Service], seconds, crashed| {
        let (ended, wire) = still_stable_for(services, seconds, crashed).await;
        let error = ended.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("- web in production: 1 of 2 tasks of web:2 running"),
            "{error}"
        );
        (error.name(), wire.operations().last().cloned().unwrap_or_default())
    };
    let (again, red) = ("Deploy.Unavailable", "Deploy.NotStable");
    assert_eq!(ends(&[lacking()], 0, 0).await, (again, "ListTasks".to_owned()));
    assert_eq!(ends(&[lacking()], 299, 0).await.0, again);
    assert_eq!(ends(&[lacking()], 300, 0).await.0, red);
    assert_eq!(ends(&[lacking()], 0, 1).await, (red, "DescribeTasks".to_owned()));
    let other = Service {
        name: "api".parse().unwrap(),
        ..service([deployment("web:3")])
    };
    assert_eq!(ends(&[lacking(), other], 0, 0).await.0, red);
}

#[tokio::test]
async fn after_a_soak_ten_services_that_are_not_stable_are_named_and_the_rest_is_counted() {
    let named = |number: usize| Service {
        name: format!("web-{number}").parse().unwrap(),
        ..service([rolling("web:2")])
    };
    for (count, ends) in [(10, ""), (12, "- and 2 more\n")] {
        let services: Vec<Service> = (1..=count).map(named).collect();
        let said = still_stable(&services).await.0.unwrap_err().to_string();
        let why = "in production: 0 of 2 tasks of web:2 running, and its rollout is not complete\n";
        assert!(said.contains(&format!("{why}{ends}Look at them")), "{said}");
        assert_eq!(said.matches("\n- web-").count(), 10, "{said}");
    }
}
