//! The step as a whole: what it reads and plans, on AWS's own mocks.

#![allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::describe_services::DescribeServicesInput;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::{Plan, SkipReason};
use ecr_deploy::domain::artifact::Kind;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{Service, ServiceTags};
use ecr_deploy::error::Error;
use ecr_deploy::function::config::{Config, StageSettings};
use ecr_deploy::quota::schedule::Share;
use ecr_deploy::testing::{
    KeptLog, REGISTRY, Wire, answer, deployment, described, described_of_push, described_services, refusal, request,
    service,
};
use find_task_definitions::registry::kind_of;
use serde_json::{Value, json};

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// CloudTrail's event of the push of `app` under `tag`.
fn event(tag: &str) -> Value {
    let image = json!({
        "repositoryName": "app",
        "registryId": "123456789012",
        "imageId": {"imageTag": tag, "imageDigest": format!("sha256:{:064x}", 2)},
    });
    json!({
        "id": "5c1d", "source": "aws.ecr", "detail-type": "AWS API Call via CloudTrail", "account": "123456789012",
        "region": "eu-west-1", "time": "2026-05-04T12:00:05Z",
        "detail": {
            "eventName": "PutImage", "eventSource": "ecr.amazonaws.com", "eventID": "0a1b",
            "eventTime": "2026-05-04T12:00:02Z", "awsRegion": "eu-west-1",
            "requestParameters": {
                "repositoryName": "app", "registryId": "123456789012", "imageTag": tag,
                "imageManifest": json!({"schemaVersion": 2, "config": {"mediaType": IMAGE_CONFIG}}).to_string(),
            },
            "responseElements": {"image": image},
        },
    })
}

fn on(name: &str, short: &str) -> Service {
    Service {
        name: name.parse().unwrap(),
        ..service([deployment(short)])
    }
}

/// The two calls by which the services of a cluster are read.
fn cluster(name: &'static str, services: Vec<Service>) -> [Rule; 2] {
    let arns: Vec<String> = services
        .iter()
        .map(|service| format!("arn:aws:ecs:eu-west-1:123456789012:service/{name}/{}", service.name))
        .collect();
    [
        mock!(Client::list_services)
            .match_requests(move |input| input.cluster() == Some(name))
            .then_http_response(move || answer(&json!({"serviceArns": arns}))),
        mock!(Client::describe_services)
            .match_requests(move |input| input.cluster() == Some(name))
            .then_http_response(move || answer(&described_services(&services))),
    ]
}

fn knows(asked_by: &'static str, described: Value) -> Rule {
    mock!(Client::describe_task_definition)
        .match_requests(move |input| input.task_definition().is_some_and(|asked| asked.ends_with(asked_by)))
        .then_http_response(move || answer(&described))
}

fn families(names: &[&str]) -> Rule {
    let families = json!({"families": names});
    mock!(Client::list_task_definition_families)
        .match_requests(|input| input.status().is_some_and(|status| status.as_str() == "ACTIVE"))
        .then_http_response(move || answer(&families))
}

async fn found(config: &Config, event: Value, rules: &[Rule], wire: &Wire) -> Result<Plan, Error> {
    // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
    Box::pin(found_beside(None, config, event, rules, wire)).await
}

/// The same by the last one of so many pushes that are deployed just now, as far as that is known.
async fn found_beside(
    pushes: Option<u32>,
    config: &Config,
    event: Value,
    rules: &[Rule],
    wire: &Wire,
) -> Result<Plan, Error> {
    let ecs = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, rules, |to| to
        .interceptor(wire.clone()));
    let stored = async |image: &PushedImage| -> Kind { panic!("ECR is asked for {image}") };
    find_task_definitions::handle(
        &Ecs::with_client(ecs),
        config,
        async || {
            pushes.map(|pushes| Share {
                pushes,
                ahead: pushes - 1,
            })
        },
        stored,
        request(&event, 5),
    )
    .await
}

/// ECR's answer of these media types, and the plan of a push whose event does not tell what was pushed.
async fn found_by_ecr(rule: Rule, rules: &[Rule]) -> Result<Plan, Error> {
    let ecs = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, rules);
    let ecr = mock_client!(aws_sdk_ecr, RuleMode::MatchAny, [&rule]);
    let mut event = event("v2");
    event["detail"]["requestParameters"]["imageManifest"].take();
    let production = Config {
        clusters: vec!["production".parse().unwrap()],
        ..Config::default()
    };
    let stored = async |image: &PushedImage| kind_of(&ecr, image).await;
    let request = request(&event, 5);
    Box::pin(find_task_definitions::handle(
        &Ecs::with_client(ecs),
        &production,
        async || None,
        stored,
        request,
    ))
    .await
}

fn stored_as(media_type: &str, artifact: Option<&str>) -> Rule {
    let mut detail = json!({"imageDigest": format!("sha256:{:064x}", 2), "imageManifestMediaType": media_type});
    if let Some(artifact) = artifact {
        detail["artifactMediaType"] = json!(artifact);
    }
    let details = json!({"imageDetails": [detail]});
    mock!(aws_sdk_ecr::Client::describe_images)
        .match_requests(|input| {
            let ids = input.image_ids();
            input.repository_name() == Some("app")
                && input.registry_id() == Some("123456789012")
                && ids.len() == 1
                && ids[0].image_digest().is_some_and(|digest| digest.ends_with('2'))
        })
        .then_http_response(move || answer(&details))
}

#[tokio::test]
async fn where_the_manifest_was_skipped_ecr_tells_whether_it_is_an_image() {
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let cache = stored_as(oci, Some("application/vnd.buildkit.cacheconfig.v0"));
    let plan = found_by_ecr(cache, &[]).await.unwrap();
    assert_eq!(
        (
            plan.revisions.len(),
            plan.skipped[0].reason,
            plan.skipped[0].message.as_str()
        ),
        (
            0,
            SkipReason::NotAnImage,
            "nothing to deploy: app:v2 is a build cache, not an image"
        )
    );
    let refused = mock!(aws_sdk_ecr::Client::describe_images)
        .then_http_response(|| refusal("AccessDeniedException", "not authorized to perform: ecr:DescribeImages"));
    for (what, answers) in [
        ("an image", stored_as(oci, Some(IMAGE_CONFIG))),
        ("untold by ECR too", stored_as(oci, None)),
        ("refused", refused),
    ] {
        let mut rules = vec![families(&[]), knows("/web:1", described_of_push("web:1", 1))];
        rules.extend(cluster("production", vec![on("web", "web:1")]));
        let plan = found_by_ecr(answers, &rules).await.unwrap();
        assert_eq!(lines(&plan), ["web:1: production/web"], "{what}");
    }
}

#[tokio::test]
async fn of_a_refusal_by_ecr_the_log_has_the_code_and_the_message_and_nothing_else_of_the_answer() {
    let (kept, _log) = KeptLog::begin();
    let refused = mock!(aws_sdk_ecr::Client::describe_images).then_http_response(|| {
        let mut answer = refusal("AccessDeniedException", "not authorized");
        answer.headers_mut().insert("x-of-tomorrow", "hunter2");
        answer
    });
    let mut rules = vec![families(&[]), knows("/web:1", described_of_push("web:1", 1))];
    rules.extend(cluster("production", vec![on("web", "web:1")]));
    found_by_ecr(refused, &rules).await.unwrap();
    let lines = kept.lines();
    let [line] = &lines.iter().filter(|line| line["level"] == "WARN").collect::<Vec<_>>()[..] else {
        panic!("{lines:?}")
    };
    let says = "ECR does not tell whether app:v2 is an image: it is deployed as one (DescribeImages: \
                AccessDeniedException: not authorized (request id none))";
    assert_eq!(line["message"], says);
}

#[tokio::test]
async fn a_signature_is_no_image_and_asks_ecs_nothing() {
    let tag = format!("sha256-{}.sig", "e".repeat(64));
    let plan = found(&Config::default(), event(&tag), &[], &Wire::default())
        .await
        .unwrap();
    let skipped = &plan.skipped[0];
    assert_eq!(
        (plan.image, plan.revisions.len(), skipped.reason),
        (None, 0, SkipReason::NotAnImage)
    );
    let says = format!("nothing to deploy: app:{tag} is a signature, not an image");
    assert_eq!(
        (skipped.resource.as_str(), skipped.message.as_str()),
        (&*format!("app:{tag}"), &*says)
    );
}

#[tokio::test]
async fn an_asset_of_the_cdk_and_what_ecr_brings_in_ask_ecs_nothing() {
    let assets = "cdk-hnb659fds-container-assets-123456789012-eu-west-1";
    let mut asset = event("cccc");
    asset["detail"]["responseElements"]["image"]["repositoryName"] = json!(assets);
    let mut cached = event("8");
    cached["detail"]["userIdentity"] =
        json!({"arn": "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForECRPullThroughCache/s"});
    for (event, reason) in [(asset, SkipReason::CdkAssets), (cached, SkipReason::PushedByEcr)] {
        let plan = found(&Config::default(), event, &[], &Wire::default()).await.unwrap();
        assert_eq!((plan.revisions.len(), plan.skipped[0].reason), (0, reason));
    }
}

#[tokio::test]
async fn a_push_from_the_future_is_refused_before_anything_is_read() {
    let mut event = event("v2");
    event["detail"]["eventTime"] = json!("2062-05-04T12:00:02Z");
    let error = found(&Config::default(), event, &[], &Wire::default())
        .await
        .unwrap_err();
    assert_eq!(error.name(), "Deploy.InvalidInput");
    assert!(error.to_string().contains("2062-05-04T12:00:02Z"), "{error}");
}

fn lines(plan: &Plan) -> Vec<String> {
    let revisions = plan.revisions.iter();
    let line = revisions.map(|revision| {
        let services = revision
            .services
            .iter()
            .map(|id| format!("{}/{}", id.cluster, id.service));
        format!(
            "{}: {}",
            revision.task_definition,
            services.collect::<Vec<_>>().join(", ")
        )
    });
    line.collect()
}

#[tokio::test]
async fn every_service_of_every_cluster_is_found_and_each_revision_read_once() {
    let arns = ["production", "staging"].map(|name| format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{name}"));
    let clusters = json!({"clusterArns": arns});
    let mut rules = vec![mock!(Client::list_clusters).then_http_response(move || answer(&clusters))];
    rules.extend(cluster(
        "production",
        vec![on("web", "web:1"), on("api", "web:1"), on("other", "other:3")],
    ));
    rules.extend(cluster("staging", vec![on("web", "web:1")]));
    rules.push(knows("/web:1", described_of_push("web:1", 1)));
    rules.push(knows("/other:3", described("other:3", "other:v1", &[])));
    rules.push(knows("nightly", described("nightly:4", "app:v1", &[])));
    rules.push(families(&["web", "other", "nightly"]));
    let wire = Wire::default();
    let plan = found(&Config::default(), event("v2"), &rules, &wire).await.unwrap();
    assert_eq!(
        lines(&plan),
        ["web:1: production/api, production/web, staging/web", "nightly:4: "]
    );
    assert_eq!(
        (plan.image.unwrap().to_string(), plan.skipped.len()),
        ("app:v2".to_owned(), 0)
    );
    let read = wire.bodies("DescribeTaskDefinition");
    let read: Vec<&Value> = read.iter().map(|body| &body["taskDefinition"]).collect();
    let arn = |short: &str| json!(ecr_deploy::testing::arn(short));
    assert_eq!(
        read,
        [&arn("web:1"), &arn("other:3"), &json!("nightly")],
        "what services run before families without one"
    );
    assert!(
        wire.operations()
            .iter()
            .all(|call| call.starts_with("List") || call.starts_with("Describe")),
        "it only reads"
    );
}

#[tokio::test]
async fn a_small_push_among_many_is_scheduled_too() {
    let services = (0..3).map(|number| on(&format!("web-{number}"), &format!("web-{number}:1")));
    let mut rules = vec![families(&[])];
    rules.extend(cluster("production", services.collect()));
    for name in ["web-0:1", "web-1:1", "web-2:1"] {
        rules.push(knows(name, described_of_push(name, 1)));
    }
    let production = Config {
        clusters: vec!["production".parse().unwrap()],
        ..Config::default()
    };
    for (pushes, after) in [(None, [0, 0, 0]), (Some(1), [0, 0, 0]), (Some(20), [2, 22, 42])] {
        let plan = found_beside(pushes, &production, event("v2"), &rules, &Wire::default()).await;
        let revisions = plan.unwrap().revisions;
        let seconds: Vec<u32> = revisions.iter().map(|revision| revision.after).collect();
        assert_eq!(seconds, after, "{pushes:?}");
    }
}

#[tokio::test]
async fn a_cluster_that_is_gone_is_skipped_and_the_rest_is_found() {
    let gone = mock!(Client::list_services)
        .match_requests(|input| input.cluster() == Some("staging"))
        .then_http_response(|| refusal("ClusterNotFoundException", "Cluster not found."));
    let mut rules = vec![gone, families(&[])];
    rules.extend(cluster("production", vec![on("web", "web:1")]));
    rules.push(knows("/web:1", described_of_push("web:1", 1)));
    let both = Config {
        clusters: vec!["staging".parse().unwrap(), "production".parse().unwrap()],
        ..Config::default()
    };
    let wire = Wire::default();
    let plan = found(&both, event("v2"), &rules, &wire).await.unwrap();
    assert_eq!(lines(&plan), ["web:1: production/web"]);
    let skipped = &plan.skipped[0];
    assert_eq!(
        (skipped.resource.as_str(), skipped.reason),
        ("cluster staging", SkipReason::ClusterNotFound)
    );
    assert!(skipped.message.contains("ClusterNotFoundException") && skipped.message.contains("the setting clusters"));
    assert!(
        !wire.operations().contains(&"ListClusters".to_owned()),
        "the clusters are configured"
    );
}

#[tokio::test]
async fn a_push_that_would_move_more_services_than_the_setting_allows_is_refused_and_its_plan_is_shown() {
    let mut rules = vec![
        families(&["nightly"]),
        knows("nightly", described("nightly:4", "app:v1", &[])),
    ];
    rules.extend(cluster("production", vec![on("web", "web:1"), on("api", "web:1")]));
    rules.push(knows("/web:1", described_of_push("web:1", 1)));
    let all = ["web:1: production/api, production/web", "nightly:4: "];
    for (max_services, is_plan_only, is_refused) in [(1, false, true), (2, false, false), (1, true, false)] {
        let config = Config {
            clusters: vec!["production".parse().unwrap()],
            max_services,
            ..Config::default()
        };
        let mut event = event("v2");
        event["plan"] = json!(is_plan_only);
        match found(&config, event, &rules, &Wire::default()).await {
            Ok(plan) => {
                assert!(!is_refused, "{max_services} allowed: {plan:?}");
                assert_eq!(lines(&plan), all);
                assert_eq!(plan.told.is_empty(), is_plan_only);
            }
            Err(error) => {
                assert!(is_refused && error.name() == "Deploy.InvalidInput", "{error}");
                let says = "app:v2 would move 2 services, and the setting maxServices allows 1. Nothing was changed.";
                assert!(error.to_string().contains(says), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_service_that_is_deleted_while_it_is_read_is_skipped() {
    let [list, _] = cluster("production", vec![on("web", "web:1")]);
    let missing = json!({"services": [], "failures": [{"arn": "web", "reason": "MISSING"}]});
    let describe = mock!(Client::describe_services).then_http_response(move || answer(&missing));
    let production = Config {
        clusters: vec!["production".parse().unwrap()],
        ..Config::default()
    };
    let plan = found(
        &production,
        event("v2"),
        &[list, describe, families(&[])],
        &Wire::default(),
    )
    .await
    .unwrap();
    assert_eq!(
        (plan.skipped[0].resource.as_str(), plan.skipped[0].reason),
        ("web", SkipReason::ServiceNotActive)
    );
    assert!(plan.skipped[0].message.contains("(MISSING)"));
}

#[tokio::test]
async fn a_repository_that_nobody_runs_is_told() {
    let mut rules = vec![
        families(&["web"]),
        knows("/web:1", described("web:1", "app-worker:v1", &[])),
    ];
    rules.extend(cluster("production", vec![on("web", "web:1")]));
    let production = Config {
        clusters: vec!["production".parse().unwrap()],
        ..Config::default()
    };
    let plan = found(&production, event("v2"), &rules, &Wire::default()).await.unwrap();
    assert_eq!(
        (plan.revisions.len(), plan.skipped[0].reason),
        (0, SkipReason::NotInUse)
    );
}

#[tokio::test]
async fn families_are_left_alone_unless_they_are_to_be_scanned() {
    let rules = cluster("production", vec![]);
    let without = Config {
        clusters: vec!["production".parse().unwrap()],
        scan_families: false,
        ..Config::default()
    };
    let wire = Wire::default();
    found(&without, event("v2"), &rules, &wire).await.unwrap();
    assert_eq!(wire.operations(), ["ListServices"]);
}

#[tokio::test]
async fn peer_15_a_push_without_a_tag_or_that_failed_is_nothing_to_deploy_and_asks_ecs_nothing() {
    let mut untagged = event("v2");
    untagged["detail"]["requestParameters"]["imageTag"].take();
    untagged["detail"]["responseElements"]["image"]["imageId"]["imageTag"].take();
    let mut failed = event("v2");
    failed["detail"]["errorCode"] = json!("ImageTagAlreadyExistsException");
    failed["detail"]["responseElements"].take();
    for (event, reason) in [(untagged, SkipReason::Untagged), (failed, SkipReason::FailedPush)] {
        let plan = found(&Config::default(), event, &[], &Wire::default()).await.unwrap();
        assert_eq!(
            (plan.image, plan.revisions.len(), plan.skipped[0].reason),
            (None, 0, reason)
        );
    }
}

#[tokio::test]
async fn latest_is_deployed_only_when_that_is_set() {
    let plan = found(&Config::default(), event("latest"), &[], &Wire::default())
        .await
        .unwrap();
    assert_eq!(
        (plan.revisions.len(), plan.skipped[0].reason),
        (0, SkipReason::TagNotTaken)
    );
    let mut rules = vec![families(&[]), knows("/web:1", described("web:1", "app:latest", &[]))];
    rules.extend(cluster("production", vec![on("web", "web:1")]));
    let latest = Config {
        clusters: vec!["production".parse().unwrap()],
        stages: vec![StageSettings::all(&["*"])],
        ..Config::default()
    };
    let plan = found(&latest, event("latest"), &rules, &Wire::default()).await.unwrap();
    assert_eq!(lines(&plan), ["web:1: production/web"]);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_and_an_ecs_that_refuses_are_errors_by_name() {
    let error = found(&Config::default(), json!({"source": REGISTRY}), &[], &Wire::default())
        .await
        .unwrap_err();
    assert_eq!(error.name(), "Deploy.InvalidInput");
    let denied = mock!(Client::list_clusters).then_http_response(|| refusal("AccessDeniedException", "no"));
    let error = found(
        &Config::default(),
        event("v2"),
        &[denied, families(&[])],
        &Wire::default(),
    )
    .await
    .unwrap_err();
    assert!(
        error.name() == "Deploy.Rejected" && error.to_string().starts_with("ListClusters: AccessDenied"),
        "{error}"
    );
}

/// Who asks for a plan wants nothing deployed: a slip of the pen must not deploy.
#[tokio::test]
async fn a_plan_that_is_no_boolean_is_refused_and_says_what_to_write() {
    let asks = async |member: &str, value: Value| {
        let mut input = event("v2");
        input[member] = value;
        let none = mock!(Client::list_clusters).then_http_response(|| answer(&json!({"clusterArns": []})));
        found(&Config::default(), input, &[none, families(&[])], &Wire::default()).await
    };
    for (member, value) in [
        ("plan", json!("true")),
        ("plan", json!(1)),
        ("plan", json!(null)),
        ("plan", json!([true])),
        ("Plan", json!(true)),
        ("PLAN", json!(false)),
        ("plan ", json!(true)),
    ] {
        let error = asks(member, value).await.unwrap_err();
        let says = error.to_string();
        assert_eq!(error.name(), "Deploy.InvalidInput", "{says}");
        let member = format!(
            "the member {member:?} of the input cannot be read, and nothing was deployed: write \"plan\": true"
        );
        assert!(says.contains(&member), "{says}");
    }
    for plan in [true, false] {
        asks("plan", json!(plan)).await.unwrap();
    }
}

/// ECS refuses the tags of a whole batch for the sake of one service.
#[tokio::test]
async fn a_service_with_an_old_arn_is_deployed_as_one_without_tags_and_takes_no_hold_from_its_neighbours() {
    let held = Service {
        tags: ServiceTags {
            hold: Some("ann - audit".to_owned()),
            ..ServiceTags::default()
        },
        ..on("held", "web:1")
    };
    let [list, _] = cluster(
        "production",
        vec![held.clone(), on("old", "web:1"), on("plain", "web:1")],
    );
    let asks = |input: &DescribeServicesInput, name: &str| input.services().iter().any(|asked| asked == name);
    let refused = mock!(Client::describe_services)
        .match_requests(move |input| !input.include().is_empty() && asks(input, "old"))
        .then_http_response(|| {
            let says = "Long arn format must be used for tagging operations";
            refusal("InvalidParameterException", says)
        });
    let alone = |name: &'static str, with_tags: bool, service: Service| {
        mock!(Client::describe_services)
            .match_requests(move |input| {
                input.services() == [name]
                    && input.include().is_empty() != with_tags
                    && input.cluster() == Some("production")
            })
            .then_http_response(move || answer(&described_services([&service])))
    };
    let rules = [
        list,
        refused,
        alone("held", true, held),
        alone("old", false, on("old", "web:1")),
        alone("plain", true, on("plain", "web:1")),
        knows("/web:1", described_of_push("web:1", 1)),
        families(&[]),
    ];
    let production = Config {
        clusters: vec!["production".parse().unwrap()],
        ..Config::default()
    };

    let plan = found(&production, event("v2"), &rules, &Wire::default()).await.unwrap();

    assert_eq!(lines(&plan), ["web:1: production/old, production/plain"]);
    let skipped: Vec<_> = plan
        .skipped
        .iter()
        .map(|it| (it.resource.as_str(), it.reason))
        .collect();
    assert_eq!(skipped, [("held in production", SkipReason::OnHold)]);

    // A stage that is opt-in never owns it.
    let opt_in = Config {
        stages: vec![StageSettings {
            opt_in: true,
            ..production.stages[0].clone()
        }],
        ..production
    };
    let plan = found(&opt_in, event("v2"), &rules, &Wire::default()).await.unwrap();
    assert_eq!(lines(&plan), Vec::<String>::new());
    let of_old = plan.skipped.iter().find(|it| it.resource == "old in production");
    assert_eq!(of_old.map(|it| it.reason), Some(SkipReason::NoStage));
}
