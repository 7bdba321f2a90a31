//! The step as a whole: what it reads and returns, on AWS's own mocks.

#![allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]

use aws_sdk_ecs::Client;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::MissedPushes;
use ecr_deploy::domain::service::ServiceDeploymentStatus::Successful;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::quota::executions::{Begun, BegunStatus, Listing};
use ecr_deploy::testing::{
    answer, arn, at, deployment, described, described_of_push, described_services, digest, listed_deployments, record,
    refusal, request, service,
};
use find_missed_pushes::images::stored_in;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Mutex;

const IMAGE: &str = "application/vnd.docker.container.image.v1+json";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// `app:v<number>` as ECR describes it.
fn detail(number: u32) -> Value {
    json!({
        "imageDigest": digest(number), "imageTags": [format!("v{number}")],
        "imagePushedAt": at(number.into()).as_second(), "imageManifestMediaType": MANIFEST,
        "artifactMediaType": IMAGE, "imageStatus": "ACTIVE",
    })
}

/// ECR's pages of `app`: what comes before the last one has a token.
fn images(pages: Vec<Vec<Value>>) -> Rule {
    let pages = Mutex::new(pages.into_iter().collect::<VecDeque<_>>());
    mock!(aws_sdk_ecr::Client::describe_images)
        .match_requests(|input| {
            input.repository_name() == Some("app")
                && input.registry_id() == Some("123456789012")
                && input
                    .filter()
                    .is_some_and(|it| it.tag_status().is_some_and(|it| it.as_str() == "TAGGED"))
        })
        .then_http_response(move || {
            let mut pages = pages.lock().unwrap();
            let page = pages.pop_front().unwrap_or_default();
            let token = (!pages.is_empty()).then_some("more");
            answer(&json!({"imageDetails": page, "nextToken": token}))
        })
}

/// The service `web` on `web:1`, described so.
fn ecs(revision: Value) -> Vec<Rule> {
    let services = json!({"serviceArns": ["arn:aws:ecs:eu-west-1:123456789012:service/production/web"]});
    let (listed, revisions) = listed_deployments(&[record("web:1", Successful)]);
    vec![
        mock!(Client::list_services).then_http_response(move || answer(&services)),
        mock!(Client::describe_services)
            .then_http_response(|| answer(&described_services(&[service([deployment("web:1")])]))),
        mock!(Client::describe_task_definition).then_http_response(move || answer(&revision)),
        mock!(Client::list_task_definitions)
            .then_http_response(|| answer(&json!({"taskDefinitionArns": [arn("web:1")]}))),
        mock!(Client::list_service_deployments).then_http_response(move || answer(&listed)),
        mock!(Client::describe_service_revisions).then_http_response(move || answer(&revisions)),
    ]
}

/// Sweeps an hour after noon, where `web` is of the push of `app:v1`.
async fn swept(stored: Rule, begun: Vec<Begun>, hold: &str, only_report: bool) -> Result<MissedPushes, Error> {
    swept_on(described_of_push("web:1", 1), stored, begun, hold, only_report).await
}

async fn swept_on(
    revision: Value,
    stored: Rule,
    begun: Vec<Begun>,
    hold: &str,
    only_report: bool,
) -> Result<MissedPushes, Error> {
    let rules = ecs(revision);
    let ecs = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &rules);
    let ecr = mock_client!(aws_sdk_ecr, RuleMode::MatchAny, [&stored]);
    let config = Config {
        clusters: vec!["production".parse().unwrap()],
        ..Config::default()
    };
    let stored = async |repository: &_| stored_in(&ecr, repository).await;
    let begun = async |machine: &str, since: Timestamp| {
        assert_eq!(
            machine,
            "arn:aws:states:eu-west-1:123456789012:stateMachine:deploy-image"
        );
        Ok(Listing {
            since,
            begun: begun.clone(),
        })
    };
    let input = json!({
        "hold": {"parameter": "/hold", "value": hold},
        "deployImage": "arn:aws:states:eu-west-1:123456789012:stateMachine:deploy-image",
        "onlyReport": only_report,
    });
    let ecs = Ecs::with_client(ecs);
    // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
    let handled = find_missed_pushes::handle(&ecs, &config, stored, begun, request(&input, 3600));
    Box::pin(handled).await
}

/// Each service that misses a push: `web v2 LOST deploy`.
fn lines(swept: &MissedPushes) -> Vec<String> {
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let missed = serde_json::to_value(&swept.missed).unwrap();
    let line = |it: &Value| {
        let [service, tag, why, action] =
            ["/service", "/image/tag", "/why", "/action"].map(|place| text(it.pointer(place).unwrap().clone()));
        format!("{service} {tag} {why} {action}")
    };
    missed.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn a_lost_push_is_to_be_started_as_of_the_time_at_which_ecr_got_its_image() {
    let found = swept(images(vec![vec![detail(1)], vec![detail(2)]]), vec![], "none", false)
        .await
        .unwrap();
    assert_eq!(lines(&found), ["web v2 LOST deploy"]);
    assert_eq!((found.services, found.more), (1, 0));
    assert!(found.told.is_empty(), "what is deployed tells of itself: {found:#?}");
    let [push] = &found.pushes[..] else {
        panic!("{found:#?}")
    };
    assert_eq!((push.to_string().as_str(), &push.digest), ("app:v2", &digest(2)));
    assert_eq!(push.push.at(), at(2));
}

#[tokio::test]
async fn what_is_only_reported_is_told_and_starts_nothing() {
    let found = swept(images(vec![vec![detail(2)]]), vec![], "none", true)
        .await
        .unwrap();
    assert_eq!(lines(&found), ["web v2 LOST report"]);
    assert!(found.pushes.is_empty());
    let [told] = &found.told[..] else { panic!("{found:#?}") };
    assert_eq!(told.message, found.missed[0].message);
    assert_eq!(told.execution, request(&json!({}), 0).execution.id);
}

#[tokio::test]
async fn the_executions_of_the_push_decide() {
    let begun = |status| Begun {
        name: "app-v2-04caef66-e52b-4c4d-bbb5-547b85fec1f8".to_owned(),
        at: at(5),
        status,
    };
    for (status, expected) in [
        (BegunStatus::Succeeded, vec!["web v2 HELD deploy"]),
        (BegunStatus::Failed, vec![]),
        (BegunStatus::Running, vec![]),
    ] {
        let found = swept(images(vec![vec![detail(2)]]), vec![begun(status)], "none", false);
        assert_eq!(lines(&found.await.unwrap()), expected, "{status:?}");
    }
}

#[tokio::test]
async fn an_image_that_ecr_itself_may_have_brought_in_is_only_told() {
    let made_for_another = [
        ("ecr-deploy:source", "web:0"),
        ("ecr-deploy:push/web", "2026-05-04T11:00:00Z 1"),
    ];
    let skipped = Begun {
        name: "app-v2-04caef66-e52b-4c4d-bbb5-547b85fec1f8".to_owned(),
        at: at(5),
        status: BegunStatus::Succeeded,
    };
    for begun in [vec![], vec![skipped]] {
        let revision = described("web:1", "app:v1", &made_for_another);
        let found = swept_on(revision, images(vec![vec![detail(2)]]), begun, "none", false);
        let found = found.await.unwrap();
        assert_eq!(lines(&found), ["web v2 UNRECORDED report"]);
        assert!(found.pushes.is_empty());
        let message = &found.missed[0].message;
        let says = "no push of app is recorded there yet, so ECR itself may have brought it in, or somebody before \
                    ecr-deploy. To deploy it, run ecr-deploy deploy app:v2";
        assert!(message.ends_with(says), "{message}");
    }
}

#[tokio::test]
async fn what_is_no_image_or_cannot_be_pulled_is_missed_by_nobody() {
    let mut others = [detail(2), detail(3), detail(4), detail(5)];
    others[0]["imageStatus"] = json!("ARCHIVED");
    others[1]["artifactMediaType"] = json!("application/vnd.cncf.helm.config.v1+json");
    others[2]["imageTags"] = json!([format!("sha256-{:064x}.sig", 2)]);
    others[3]["imageTags"] = json!([]);
    let found = swept(images(vec![others.to_vec()]), vec![], "none", false)
        .await
        .unwrap();
    assert_eq!(lines(&found), Vec::<String>::new());
}

#[tokio::test]
async fn while_everything_is_on_hold_nothing_is_read() {
    let found = swept(images(vec![vec![detail(2)]]), vec![], "ann - freeze", false)
        .await
        .unwrap();
    assert_eq!((lines(&found), found.services), (vec![], 0));
}

#[tokio::test]
async fn a_registry_that_refuses_is_passed_over_and_one_that_does_not_answer_fails_the_step() {
    let refusing = |code: &'static str| {
        mock!(aws_sdk_ecr::Client::describe_images).then_http_response(move || refusal(code, "no"))
    };
    for code in ["AccessDeniedException", "RepositoryNotFoundException"] {
        let found = swept(refusing(code), vec![], "none", false).await.unwrap();
        assert_eq!(lines(&found), Vec::<String>::new(), "{code}");
    }
    let failed = swept(refusing("ServerException"), vec![], "none", false)
        .await
        .unwrap_err();
    assert_eq!(failed.name(), "Deploy.Unavailable");
}
