//! The client of ECS, down to the bytes on the wire. AWS is a function from a request to an answer; time is tokio's,
//! which passes at once while everybody waits, so that backoff costs the tests nothing.

use crate::{busybox, example, text};
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_http_client::test_util::infallible_client_fn;
use ecr_deploy::aws::ecs::{DescribedServices, Ecs};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::lifecycle::{Hook, HookAction, HookStatus};
use ecr_deploy::domain::service::{CrashThreshold, ServiceDeploymentStatus};
use ecr_deploy::domain::task_definition::{ImageForm, TaskDefinition};
use ecr_deploy::error::Error;
use futures::stream::{self, TryStreamExt};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";
/// 2018-03-18, since the Unix epoch.
const MARCH_2018: Duration = Duration::from_hours(24 * 17_608);
const DESCRIBED: &str = "functions/ecr-deploy/tests/fixtures/task-definition.json";

/// A request as it went over the wire.
#[derive(Debug, Clone)]
struct Sent {
    operation: String,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Every request that a client has sent, in order.
#[derive(Debug, Clone, Default)]
struct Wire(Arc<Mutex<Vec<Sent>>>);

impl Wire {
    fn sent(&self) -> Vec<Sent> {
        self.0.lock().unwrap().clone()
    }

    fn operations(&self) -> Vec<String> {
        self.sent().into_iter().map(|sent| sent.operation).collect()
    }
}

/// The client, on an AWS that answers `(status, body)` to the nth request (from 0).
fn ecs_answering(answer: impl Fn(usize, &Sent) -> (u16, String) + Send + Sync + 'static) -> (Ecs, Wire) {
    let wire = Wire::default();
    let log = wire.clone();
    let client = infallible_client_fn(move |request| {
        let target = request.headers().get("x-amz-target").unwrap().to_str().unwrap();
        let sent = Sent {
            operation: target.strip_prefix(TARGET).unwrap().to_owned(),
            headers: request.headers().clone(),
            body: request.body().bytes().unwrap().to_owned(),
        };
        let mut log = log.0.lock().unwrap();
        let (status, body) = answer(log.len(), &sent);
        log.push(sent);
        let response = http::Response::builder()
            .status(status)
            .header("x-amzn-requestid", "request-7");
        response.body(body).unwrap()
    });
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "not a secret", None, None, "test"))
        .time_source(StaticTimeSource::new(UNIX_EPOCH + MARCH_2018))
        .http_client(client);
    (Ecs::with_config(config), wire)
}

fn ok(body: &Value) -> (u16, String) {
    (200, body.to_string())
}

fn refused(code: &str, message: &str) -> (u16, String) {
    (400, json!({"__type": code, "message": message}).to_string())
}

fn web_41() -> TaskDefinition {
    TaskDefinition::from_response(text(DESCRIBED).as_bytes()).unwrap()
}

fn service(cluster: &str, name: &str) -> Value {
    json!({
        "serviceArn": format!("arn:aws:ecs:eu-west-1:123456789012:service/{cluster}/{name}"),
        "serviceName": name,
        "status": "ACTIVE",
        "taskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:41",
    })
}

#[tokio::test(start_paused = true)]
async fn a_description_is_asked_for_with_its_tags_and_kept_whole() {
    let (ecs, wire) = ecs_answering(|_, _| (200, text(DESCRIBED)));
    let described = ecs.describe_task_definition("web").await.unwrap();
    let [sent] = &wire.sent()[..] else {
        panic!("{:?}", wire.operations())
    };
    assert_eq!(sent.operation, "DescribeTaskDefinition");
    assert_eq!(sent.json(), json!({"taskDefinition": "web", "include": ["TAGS"]}));
    assert_eq!(
        described.to_register_request().unwrap(),
        web_41().to_register_request().unwrap()
    );
    assert_eq!(described.tags(), web_41().tags());
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_the_document_byte_for_byte_on_the_wire() {
    let (ecs, wire) = ecs_answering(|_, _| (200, text(DESCRIBED)));
    let document = web_41().with_image(&busybox(), ImageForm::Tag);
    let registered = ecs.register_task_definition(&document).await.unwrap();
    assert_eq!(
        registered.arn().short(),
        "web:41",
        "what ECS answers is what is returned"
    );

    let [sent] = &wire.sent()[..] else {
        panic!("{:?}", wire.operations())
    };
    assert_eq!(sent.body, document.to_register_request().unwrap());
    assert_eq!(
        sent.json()["memberOfTomorrow"],
        sent.json()["containerDefinitions"][0]["memberOfTomorrow"]
    );
    assert!(sent.json()["memberOfTomorrow"].is_object());
    assert_eq!(
        sent.header("x-amz-target"),
        "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition"
    );
    assert_eq!(sent.header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(
        sent.headers.get_all("content-length").iter().collect::<Vec<_>>(),
        [&sent.body.len().to_string()]
    );
}

#[tokio::test(start_paused = true)]
async fn the_signature_is_of_the_document_not_of_what_the_sdk_wrote() {
    let (ecs, wire) = ecs_answering(|_, _| (200, text(DESCRIBED)));
    // As long as the other, so that only the bytes differ.
    let v1 = web_41().with_image(&busybox(), ImageForm::Tag);
    let v2 = ecr_deploy::domain::push::PushedImage {
        tag: "v2".parse().unwrap(),
        ..busybox()
    };
    let v2 = web_41().with_image(&v2, ImageForm::Tag);
    for document in [&v1, &v1, &v2] {
        ecs.register_task_definition(document).await.unwrap();
    }
    let sent = wire.sent();
    let [first, again, other] = &sent[..] else {
        panic!("{:?}", wire.operations())
    };
    let authorization = first.header("authorization");
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20180318/eu-west-1/ecs/"),
        "{authorization}"
    );
    assert_eq!(authorization, again.header("authorization"), "the time stands still");
    assert_eq!(first.body.len(), other.body.len());
    assert_ne!(authorization, other.header("authorization"));
}

#[tokio::test(start_paused = true)]
async fn what_passes_by_itself_is_asked_again_until_it_is_answered() {
    let concurrent = "Too many concurrent attempts to create a new revision of the specified family.";
    for (code, message) in [
        ("ClientException", concurrent),
        ("ThrottlingException", "Rate exceeded"),
    ] {
        let (ecs, wire) = ecs_answering(move |turn, _| match turn {
            0..3 => refused(code, message),
            _ => (200, text(DESCRIBED)),
        });
        ecs.register_task_definition(&web_41()).await.unwrap();
        let sent = wire.sent();
        assert_eq!(wire.operations(), ["RegisterTaskDefinition"; 4], "{code}");
        for again in &sent {
            assert_eq!(
                again.body,
                web_41().to_register_request().unwrap(),
                "a repetition is the document too"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_in_twelve_attempts_is_unavailable_and_says_so() {
    for (answer, says) in [
        (
            refused("ThrottlingException", "Rate exceeded"),
            "ThrottlingException: Rate exceeded",
        ),
        (
            refused("ClientException", "Too many concurrent attempts to create"),
            "Too many concurrent attempts",
        ),
        (
            (
                503,
                json!({"__type": "ServerException", "message": "sorry"}).to_string(),
            ),
            "ServerException: sorry",
        ),
    ] {
        let (ecs, wire) = ecs_answering(move |_, _| answer.clone());
        let before = tokio::time::Instant::now();
        let error = ecs.register_task_definition(&web_41()).await.unwrap_err();
        assert_eq!(error.name(), "Deploy.Unavailable");
        assert!(error.to_string().contains(says), "{error}");
        assert!(
            error.to_string().contains("RegisterTaskDefinition of family web"),
            "{error}"
        );
        assert_eq!(wire.sent().len(), 12);
        assert!(before.elapsed() > Duration::from_millis(100), "it backs off");
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_is_repeated_as_often_however_many_were_refused_before() {
    let (ecs, wire) = ecs_answering(|_, _| refused("ThrottlingException", "Rate exceeded"));
    for asked in 1..=10 {
        let error = ecs.describe_task_definition("web").await.unwrap_err();
        assert_eq!(error.name(), "Deploy.Unavailable");
        assert_eq!(wire.sent().len(), asked * 12);
    }
}

#[tokio::test(start_paused = true)]
async fn that_a_call_was_throttled_is_told_once_also_when_it_got_through_later() {
    let (ecs, _) = ecs_answering(|place, _| match place {
        0 => refused("ThrottlingException", "Rate exceeded"),
        _ => refused("ClientException", "There is none."),
    });
    assert!(!ecs.was_throttled());
    ecs.describe_task_definition("web").await.unwrap_err();
    assert_eq!([ecs.was_throttled(), ecs.was_throttled()], [true, false]);
    ecs.describe_task_definition("web").await.unwrap_err();
    assert!(!ecs.was_throttled(), "another error is none of it");
}

#[tokio::test(start_paused = true)]
async fn an_update_is_sent_once_for_what_it_stands_on_grows_old() {
    let (ecs, wire) = ecs_answering(|_, _| refused("ThrottlingException", "Rate exceeded"));
    let revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:42";
    let error = ecs
        .update_service(
            &"production".parse().unwrap(),
            &"web".parse().unwrap(),
            &revision.parse().unwrap(),
            false,
        )
        .await
        .unwrap_err();
    assert_eq!((error.name(), wire.sent().len()), ("Deploy.Unavailable", 1));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_repeated_and_keeps_awss_code_and_request_id() {
    let (ecs, wire) = ecs_answering(|_, _| refused("AccessDeniedException", "not authorized to perform iam:PassRole"));
    let error = ecs.register_task_definition(&web_41()).await.unwrap_err();
    assert_eq!(error.name(), "Deploy.Rejected");
    for says in [
        "RegisterTaskDefinition of family web",
        "AccessDeniedException",
        "iam:PassRole",
        "request-7",
    ] {
        assert!(error.to_string().contains(says), "{error} should say {says}");
    }
    assert_eq!(wire.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_client_exception_is_refused_at_once() {
    let (ecs, wire) = ecs_answering(|_, _| refused("ClientException", "Role is not valid"));
    let error = ecs.register_task_definition(&web_41()).await.unwrap_err();
    assert_eq!((error.name(), wire.sent().len()), ("Deploy.Rejected", 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_not_found() {
    let gone = |code: &'static str, message: &'static str| ecs_answering(move |_, _| refused(code, message)).0;
    let (production, web) = ("production".parse().unwrap(), "web".parse().unwrap());
    let revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:42"
        .parse()
        .unwrap();

    let ecs = gone("ClusterNotFoundException", "Cluster not found.");
    let errors: [Error; 3] = [
        ecs.services(&production).try_collect::<Vec<_>>().await.unwrap_err(),
        ecs.update_service(&production, &web, &revision, false)
            .await
            .unwrap_err(),
        ecs.describe_service(&production, &web).await.unwrap_err(),
    ];
    assert!(matches!(errors[2], Error::ServiceDeleted(_)), "{errors:?}");
    for error in errors {
        assert_eq!(error.name(), "Deploy.NotFound");
        assert!(
            error.to_string().contains("production") && error.to_string().to_lowercase().contains("cluster"),
            "{error}"
        );
    }
    let ecs = gone("ClientException", "Unable to describe task definition.");
    assert_eq!(
        ecs.describe_task_definition("web").await.unwrap_err().name(),
        "Deploy.NotFound"
    );
    assert!(
        ecs.describe_task_definitions(&["web", "api"])
            .await
            .unwrap()
            .iter()
            .all(Option::is_none)
    );

    let missing = json!({"services": [], "failures": [{"arn": "web", "reason": "MISSING"}]});
    let (ecs, _) = ecs_answering(move |_, _| ok(&missing));
    let error = ecs.describe_service(&production, &web).await.unwrap_err();
    assert!(matches!(error, Error::ServiceDeleted(_)), "{error}");
    assert!(
        error.to_string().contains("web in production") && error.to_string().contains("MISSING"),
        "{error}"
    );
    let after = async |done| ecs.unless_deleted(&production, &web, done, Some).await;
    let gone = after(Err(Error::NotFound(String::new()))).await.unwrap().unwrap();
    assert!(gone.contains("web in production"), "{gone}");
    let known = after(Err(Error::ServiceDeleted("gone".to_owned()))).await.unwrap();
    assert_eq!(known.as_deref(), Some("gone"));
    assert_eq!(after(Ok(None)).await.unwrap(), None);
    let refused = after(Err(Error::Rejected(String::new()))).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected(_)), "{refused}");

    for status in ["DRAINING", "INACTIVE"] {
        let deleted = json!({"services": [{"serviceName": "web", "status": status,
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/production"}], "failures": []});
        let (ecs, _) = ecs_answering(move |_, _| ok(&deleted));
        let error = ecs.describe_service(&production, &web).await.unwrap_err();
        assert!(matches!(error, Error::ServiceDeleted(_)), "{error}");
        assert!(error.to_string().contains(status), "{error}");
    }
    let of_tomorrow = json!({"services": [{"serviceName": "web", "status": "OF_TOMORROW"}], "failures": []});
    let (ecs, _) = ecs_answering(move |_, _| ok(&of_tomorrow));
    ecs.describe_service(&production, &web)
        .await
        .expect("what is not known is not gone");
}

#[tokio::test(start_paused = true)]
async fn services_are_listed_a_hundred_a_page_and_described_ten_a_call_in_the_order_listed() {
    let names: Vec<String> = (0..120).map(|index| format!("s{index}")).collect();
    let listed = names.clone();
    let (ecs, wire) = ecs_answering(move |_, sent| {
        let body = sent.json();
        if let Some(size) = body["maxResults"].as_u64() {
            assert_eq!((size, &body["cluster"]), (100, &json!("production")));
            let arn = |name: &String| format!("arn:aws:ecs:eu-west-1:123456789012:service/production/{name}");
            let (first, second) = listed.split_at(100);
            return match body["nextToken"].as_str() {
                None => ok(&json!({"serviceArns": first.iter().map(arn).collect::<Vec<_>>(), "nextToken": "page two"})),
                Some("page two") => ok(&json!({"serviceArns": second.iter().map(arn).collect::<Vec<_>>()})),
                Some(other) => refused("InvalidParameterException", other),
            };
        }
        let asked = body["services"].as_array().unwrap().iter().filter_map(Value::as_str);
        let (gone, there): (Vec<&str>, Vec<&str>) = asked.partition(|name| *name == "s57");
        ok(&json!({
            "services": there.iter().map(|name| service("production", name)).collect::<Vec<_>>(),
            "failures": gone.iter().map(|name| json!({"arn": name, "reason": "MISSING"})).collect::<Vec<_>>(),
        }))
    });
    let production = "production".parse().unwrap();
    let batches: Vec<DescribedServices> = ecs.services(&production).try_collect().await.unwrap();
    let missing: Vec<_> = batches.iter().flat_map(|batch| batch.missing.clone()).collect();
    let services = batches.into_iter().flat_map(|batch| batch.services);
    let there: Vec<String> = services.map(|service| service.name.to_string()).collect();
    let expected: Vec<String> = names.into_iter().filter(|name| name != "s57").collect();
    assert_eq!(there, expected);
    assert_eq!(missing, [("s57".to_owned(), "MISSING".to_owned())]);
    let mut operations = wire.operations();
    operations.sort_unstable();
    assert_eq!(
        operations,
        [&["DescribeServices"; 12][..], &["ListServices"; 2]].concat()
    );
    for sent in wire.sent().iter().filter(|sent| !sent.json()["services"].is_null()) {
        assert_eq!(sent.json()["services"].as_array().unwrap().len(), 10);
        assert_eq!(sent.json()["cluster"], "production");
    }
}

/// The service `web`, as ECS answers with these members.
async fn read(members: Value) -> ecr_deploy::domain::service::Service {
    let (ecs, _) = ecs_answering(move |_, _| {
        let mut service = service("production", "web");
        let known = service.as_object_mut().unwrap();
        known.extend(members.as_object().unwrap().clone());
        known.retain(|_, value| !value.is_null());
        ok(&json!({"services": [service]}))
    });
    let (cluster, name) = ("production".parse().unwrap(), "web".parse().unwrap());
    ecs.describe_service(&cluster, &name).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_revision_of_a_service_in_express_mode_is_that_of_its_primary_deployment() {
    let revision = |number: u32| format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:{number}");
    let deployments = json!([
        {"id": "ecs-svc/3", "status": "ACTIVE"},
        {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": revision(2)},
        {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": revision(1)},
    ]);
    let express = json!({"taskDefinition": null, "resourceManagementType": "ECS", "deployments": deployments});
    let express = read(express).await;
    assert!(express.is_express);
    assert_eq!(express.task_definitions, [revision(2).parse().unwrap()]);
    let known: Vec<&str> = express.deployments.iter().map(|known| known.id.as_str()).collect();
    assert_eq!(
        known,
        ["ecs-svc/2", "ecs-svc/1"],
        "one without a revision tells nothing"
    );

    let own = json!({"resourceManagementType": "CUSTOMER", "deployments": deployments});
    let own = read(own).await;
    assert!(!own.is_express);
    assert_eq!(own.task_definitions, [revision(41).parse().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn the_threshold_of_a_services_circuit_breaker_and_its_early_success_are_read() {
    let read = async |breaker: Value, early: Value| {
        let configuration = json!({"deploymentCircuitBreaker": breaker, "earlySuccessCriteria": early});
        let service = read(json!({"deploymentConfiguration": configuration})).await;
        (service.crash_threshold, service.completes_early)
    };
    let breaker =
        |kind: &str| json!({"enable": false, "rollback": false, "thresholdConfiguration": {"type": kind, "value": 7}});
    let early =
        |enable: bool| json!({"enable": enable, "healthyPercent": 50, "sourceServiceRevisionCleanup": "DEFERRED"});
    for (kind, expected) in [
        ("BOUNDED_PERCENT", CrashThreshold::BoundedPercent(7)),
        ("UNBOUNDED_PERCENT", CrashThreshold::UnboundedPercent(7)),
        ("COUNT", CrashThreshold::Count(7)),
        ("SOMETHING_NEW", CrashThreshold::default()),
    ] {
        assert_eq!(read(breaker(kind), early(true)).await, (expected, true), "{kind}");
        assert_eq!(read(breaker(kind), early(false)).await, (expected, false), "{kind}");
    }
    let unset = json!({"enable": true, "rollback": true});
    assert_eq!(read(unset, Value::Null).await, (CrashThreshold::default(), false));
}

/// Answers a list operation in two pages.
fn two_pages(member: &'static str, pages: [Value; 2]) -> (Ecs, Wire) {
    ecs_answering(move |_, sent| match sent.json()["nextToken"].as_str() {
        None => ok(&json!({member: pages[0], "nextToken": "page two"})),
        Some("page two") => ok(&json!({member: pages[1]})),
        Some(other) => refused("InvalidParameterException", other),
    })
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_every_list_are_joined() {
    let arn = |kind: &str, name: &str| format!("arn:aws:ecs:eu-west-1:123456789012:{kind}/{name}");

    let (ecs, wire) = two_pages("families", [json!(["web", "api"]), json!(["cleanup"])]);
    assert_eq!(ecs.families().await.unwrap(), ["web", "api", "cleanup"]);
    for sent in wire.sent() {
        let body = sent.json();
        assert_eq!(
            (&body["status"], &body["maxResults"]),
            (&json!("ACTIVE"), &json!(100)),
            "on every page"
        );
    }
    assert_eq!(wire.operations(), ["ListTaskDefinitionFamilies"; 2]);

    let clusters = [
        json!([arn("cluster", "production")]),
        json!([arn("cluster", "staging")]),
    ];
    let (ecs, _) = two_pages("clusterArns", clusters);
    let names = ecs.clusters().await.unwrap();
    assert_eq!(
        names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["production", "staging"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_revision_is_read_once_and_the_newest_of_a_family_every_time() {
    let (ecs, wire) = ecs_answering(|_, _| (200, text(DESCRIBED)));
    let web_41 = web_41().arn().clone();
    for _ in 0..2 {
        let revisions = stream::iter([web_41.clone(), web_41.at_revision(40)]);
        let outlines = ecs.outlines_of(revisions).await.unwrap();
        assert!(outlines.values().all(Option::is_some) && outlines.len() == 2);
        assert_eq!(ecs.newest_outlines(&["web"]).await.unwrap().len(), 1);
    }
    let asked: Vec<Value> = wire
        .sent()
        .iter()
        .map(|sent| sent.json()["taskDefinition"].clone())
        .collect();
    let times = |name: &str| asked.iter().filter(|asked| *asked == name).count();
    assert_eq!((times(web_41.as_str()), times("web")), (1, 2), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn stopped_tasks_of_all_pages_are_described_a_hundred_a_call() {
    let (ecs, wire) = ecs_answering(|_, sent| {
        let body = sent.json();
        if sent.operation == "DescribeTasks" {
            let tasks = body["tasks"].as_array().unwrap();
            return ok(&json!({"tasks": tasks.iter().map(|task| json!({"startedBy": task})).collect::<Vec<_>>()}));
        }
        let page: Vec<String> = (0..75).map(|index| format!("{}-{index}", body["nextToken"])).collect();
        ok(
            &json!({"taskArns": page, "nextToken": if body["nextToken"].is_null() { json!("two") } else { Value::Null }}),
        )
    });
    let stopped = ecs
        .stopped_tasks(&"production".parse().unwrap(), &"web".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(stopped.len(), 150);
    assert_eq!(
        wire.operations(),
        ["ListTasks", "ListTasks", "DescribeTasks", "DescribeTasks"]
    );
    assert_eq!(wire.sent()[0].json()["desiredStatus"], "STOPPED");
    let sizes: Vec<usize> = wire.sent()[2..]
        .iter()
        .map(|sent| sent.json()["tasks"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [100, 50]);
}

#[tokio::test(start_paused = true)]
async fn an_update_sends_the_revision_and_nothing_else_of_the_service() {
    let (ecs, wire) = ecs_answering(|_, _| ok(&json!({"service": service("production", "web")})));
    let (production, web) = ("production".parse().unwrap(), "web".parse().unwrap());
    let revision = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:42"
        .parse()
        .unwrap();
    for force in [false, true] {
        ecs.update_service(&production, &web, &revision, force).await.unwrap();
    }
    let plain = json!({"cluster": "production", "service": "web", "taskDefinition": revision});
    let mut forced = plain.clone();
    forced["forceNewDeployment"] = json!(true);
    let bodies: Vec<Value> = wire.sent().iter().map(Sent::json).collect();
    assert_eq!(bodies, [plain, forced]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_revisions_of_a_family_are_those_that_can_still_be_used() {
    let web = |revision| format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:{revision}");
    let arns = [web(43), web(42)];
    let (ecs, wire) = ecs_answering(move |turn, _| match turn {
        0 => ok(&json!({"taskDefinitionArns": arns, "nextToken": "more"})),
        _ => ok(&json!({"taskDefinitionArns": []})),
    });
    let (newest, next) = ecs.newest_revisions("web", None).await.unwrap();
    assert_eq!(
        newest.iter().map(TaskDefinitionArn::short).collect::<Vec<_>>(),
        ["web:43", "web:42"]
    );
    assert_eq!(ecs.newest_revisions("web", next).await.unwrap(), (Vec::new(), None));
    let mut page = json!({"familyPrefix": "web", "sort": "DESC", "status": "ACTIVE", "maxResults": 100});
    let first = page.clone();
    page["nextToken"] = json!("more");
    assert_eq!(wire.sent().iter().map(Sent::json).collect::<Vec<_>>(), [first, page]);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_stopped_by_going_back() {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/42";
    let (ecs, wire) = ecs_answering(|turn, _| match turn {
        0 => ok(&json!({})),
        1 => refused("ConflictException", "it has ended"),
        _ => refused("ServiceDeploymentNotFoundException", "it is not there"),
    });
    ecs.stop_service_deployment(arn).await.unwrap();
    assert_eq!(
        wire.sent()[0].json(),
        json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"})
    );
    for name in ["Deploy.Rejected", "Deploy.NotFound"] {
        assert_eq!(ecs.stop_service_deployment(arn).await.unwrap_err().name(), name);
    }
}

#[tokio::test(start_paused = true)]
async fn whether_a_service_has_lifecycle_hooks_is_read() {
    let pause = json!({"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]});
    for (configuration, expected) in [
        (json!({"lifecycleHooks": [pause]}), true),
        (json!({"lifecycleHooks": []}), false),
        (json!({}), false),
        (Value::Null, false),
    ] {
        let service = read(json!({"deploymentConfiguration": configuration})).await;
        assert_eq!(service.has_lifecycle_hooks, expected, "{configuration}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_hooks_of_a_service_deployment_are_read_whatever_aws_adds_to_them() {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/42";
    let other = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/41";
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:check";
    let details = json!([
        {"hookId": "1", "targetType": "PAUSE", "status": "AWAITING_ACTION", "expiresAt": 1_521_331_200, "timeoutAction": "ROLLBACK"},
        {"hookId": "2", "targetType": "AWS_LAMBDA", "targetArn": function, "status": "IN_PROGRESS", "timeoutAction": "CONTINUE"},
        {"hookId": "3", "status": "SUCCEEDED", "timeoutAction": "ACTION_OF_TOMORROW"},
        {"hookId": "4", "status": "FAILED"},
        {"hookId": "5", "status": "TIMED_OUT"},
        {"hookId": "6", "status": "STATUS_OF_TOMORROW", "targetType": "TYPE_OF_TOMORROW"},
        {},
    ]);
    let (ecs, wire) = ecs_answering(move |_, _| {
        ok(&json!({"serviceDeployments": [
            {"serviceDeploymentArn": other, "lifecycleStage": "BAKE_TIME"},
            {"serviceDeploymentArn": arn, "lifecycleStage": "STAGE_OF_TOMORROW", "lifecycleHookDetails": details},
        ]}))
    });
    let told = ecs.lifecycle(arn).await.unwrap().unwrap();
    assert_eq!(wire.sent()[0].json(), json!({"serviceDeploymentArns": [arn]}));
    assert_eq!(told.service_deployment, arn);
    assert_eq!(told.stage.as_deref(), Some("STAGE_OF_TOMORROW"));
    let hook = |id: &str, status| Hook {
        id: id.to_owned(),
        status,
        function: None,
        expires_at: None,
        timeout_action: None,
    };
    let expected = [
        Hook {
            expires_at: Some(jiff::Timestamp::from_second(1_521_331_200).unwrap()),
            timeout_action: Some(HookAction::RollBack),
            ..hook("1", HookStatus::AwaitingAction)
        },
        Hook {
            function: Some(function.to_owned()),
            timeout_action: Some(HookAction::Continue),
            ..hook("2", HookStatus::InProgress)
        },
        hook("3", HookStatus::Succeeded),
        hook("4", HookStatus::Failed),
        hook("5", HookStatus::TimedOut),
        hook("6", HookStatus::Unknown),
        hook("", HookStatus::Unknown),
    ];
    assert_eq!(told.hooks, expected);

    for answer in [
        ok(&json!({"serviceDeployments": [], "failures": [{"arn": arn, "reason": "MISSING"}]})),
        ok(&json!({})),
        refused("AccessDeniedException", "not authorized"),
        refused("UnsupportedFeatureException", "not here"),
        refused("ServiceNotFoundException", "it is gone"),
    ] {
        let (ecs, _) = ecs_answering(move |_, _| answer.clone());
        assert_eq!(ecs.lifecycle(arn).await.unwrap(), None);
    }
    let (ecs, _) = ecs_answering(|_, _| refused("ThrottlingException", "Rate exceeded"));
    assert_eq!(ecs.lifecycle(arn).await.unwrap_err().name(), "Deploy.Unavailable");
}

/// The answer of ECS's service deployments API: three rollouts, of web:41 to web:43.
fn service_deployments_answer(sent: &Sent) -> (u16, String) {
    let revision = |number: u32| format!("arn:aws:ecs:eu-west-1:123456789012:service-revision/production/web/{number}");
    let deployment = |number: u32, status: &str| {
        json!({
            "serviceDeploymentArn": format!("arn:aws:ecs:eu-west-1:123456789012:service-deployment/production/web/{number}"),
            "targetServiceRevisionArn": revision(number),
            "status": status,
            "createdAt": 1_521_331_200 + number,
        })
    };
    if sent.operation == "ListServiceDeployments" {
        return ok(&match sent.json()["nextToken"].as_str() {
            None => json!({"serviceDeployments": [deployment(41, "SUCCESSFUL")], "nextToken": "page two"}),
            _ => json!({"serviceDeployments": [
                deployment(43, "STATUS_OF_TOMORROW"), deployment(42, "ROLLBACK_SUCCESSFUL"),
            ]}),
        });
    }
    assert_eq!(sent.operation, "DescribeServiceRevisions");
    let revisions = [41, 42, 43].map(|number| {
        json!({
            "serviceRevisionArn": revision(number),
            "taskDefinition": format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/web:{number}"),
            "containerImages": [{"containerName": "web", "image": "x", "imageDigest": busybox().digest}],
        })
    });
    ok(&json!({"serviceRevisions": revisions}))
}

#[tokio::test(start_paused = true)]
async fn service_deployments_of_all_pages_come_newest_first_with_their_revisions_and_contents() {
    let (ecs, _) = ecs_answering(|_, sent| service_deployments_answer(sent));
    let told = deployments_of_web(&ecs).await.unwrap().unwrap();
    let seen: Vec<_> = told
        .iter()
        .map(|deployment| (deployment.target.short(), deployment.status))
        .collect();
    assert_eq!(
        seen,
        [
            ("web:43", ServiceDeploymentStatus::UnderWay),
            ("web:42", ServiceDeploymentStatus::RolledBack),
            ("web:41", ServiceDeploymentStatus::Successful),
        ]
    );
    assert!(
        told.iter()
            .all(|deployment| deployment.target_digests[0].digest == busybox().digest)
    );
}

/// Else an older one would count as the newest.
#[tokio::test(start_paused = true)]
async fn service_deployments_are_not_told_while_the_newest_goes_on_and_ecs_does_not_describe_its_revision() {
    let without = async |number: u32, newest: &'static str| {
        let (ecs, _) = ecs_answering(move |_, sent| {
            let (status, body) = service_deployments_answer(sent);
            let body = match sent.operation.as_str() {
                "DescribeServiceRevisions" => body.replace(&format!("/web/{number}\""), "/web/9\""),
                _ => body.replace("STATUS_OF_TOMORROW", newest),
            };
            (status, body)
        });
        let told = deployments_of_web(&ecs).await;
        told.map(|told| {
            told.unwrap()
                .iter()
                .map(|it| it.target.short().to_owned())
                .collect::<Vec<_>>()
        })
    };
    for newest in ["PENDING", "IN_PROGRESS"] {
        let error = without(43, newest).await.unwrap_err();
        assert_eq!(error.name(), "Deploy.Unavailable", "{newest}");
        assert!(
            error.to_string().contains("service-revision/production/web/43"),
            "{error}"
        );
    }
    assert_eq!(without(42, "IN_PROGRESS").await.unwrap(), ["web:43", "web:41"]);
    let of_one_that_is_over = without(43, "SUCCESSFUL").await.unwrap();
    assert_eq!(
        of_one_that_is_over,
        ["web:42", "web:41"],
        "nothing more is to come of it"
    );
}

#[tokio::test(start_paused = true)]
async fn service_deployments_are_done_without_where_ecs_does_not_tell_of_them() {
    for answer in [
        ok(&json!({"serviceDeployments": []})),
        ok(&json!({})),
        refused("AccessDeniedException", "not authorized"),
        refused("UnsupportedFeatureException", "not here"),
    ] {
        let (ecs, wire) = ecs_answering(move |_, _| answer.clone());
        assert_eq!(deployments_of_web(&ecs).await.unwrap(), None);
        assert_eq!(wire.operations(), ["ListServiceDeployments"]);
    }
    let (ecs, _) = ecs_answering(move |_, sent| match sent.operation.as_str() {
        "DescribeServiceRevisions" => refused("AccessDeniedException", "not authorized"),
        _ => service_deployments_answer(sent),
    });
    assert_eq!(deployments_of_web(&ecs).await.unwrap(), None);

    let (ecs, _) = ecs_answering(|_, _| refused("ThrottlingException", "Rate exceeded"));
    let error = deployments_of_web(&ecs).await.unwrap_err();
    assert_eq!(
        error.name(),
        "Deploy.Unavailable",
        "throttled is not the same as not told"
    );
}

async fn deployments_of_web(ecs: &Ecs) -> Result<Option<Vec<ecr_deploy::domain::service::ServiceDeployment>>, Error> {
    ecs.service_deployments(&"production".parse().unwrap(), &"web".parse().unwrap(), None)
        .await
}

#[test]
fn a_payload_that_does_not_fit_is_invalid_input_and_names_the_member() {
    use ecr_deploy::contract::RegisterRevision;
    use ecr_deploy::function::runtime::Request;
    let open = |payload: Value| Request::open(payload, jiff::Timestamp::UNIX_EPOCH);
    let typed = |payload: Value| open(payload)?.typed::<RegisterRevision>();
    let request = typed(example("envelope")).unwrap();
    assert_eq!(request.input.task_definition.as_str(), "web:41");

    let cases: [(&str, Value, &str); 6] = [
        ("/execution/redriveCount", json!(-1), "execution.redriveCount"),
        ("/execution/id", json!(null), "execution.id"),
        ("/input/image/digest", json!("sha256:12"), "image.digest"),
        ("/input/taskDefinition", json!("web"), "taskDefinition"),
        ("/input/image/repository", json!("a b"), "image.repository"),
        ("/input/image", json!({}), "image"),
    ];
    for (pointer, value, path) in cases {
        let mut payload = example("envelope");
        *payload.pointer_mut(pointer).unwrap() = value;
        let error = typed(payload).map(|_| ()).unwrap_err();
        assert_eq!(error.name(), "Deploy.InvalidInput", "{pointer}");
        assert!(
            error.to_string().contains(&format!("{path}: ")),
            "{error} should name {path}"
        );
        assert!(
            error.to_string().contains("deployed together?"),
            "{error} says what to read"
        );
    }
    for payload in [Value::Null, json!([]), json!({}), json!({"input": {}})] {
        assert_eq!(open(payload).map(|_| ()).unwrap_err().name(), "Deploy.InvalidInput");
    }
}

#[test]
fn lambda_is_told_the_stable_name_of_an_error() {
    for (error, name) in [
        (Error::RolledBack("web is back".to_owned()), "Deploy.RolledBack"),
        (Error::InvalidInput("web is back".to_owned()), "Deploy.InvalidInput"),
    ] {
        let diagnostic = lambda_runtime::Diagnostic::from(error);
        assert_eq!(
            (diagnostic.error_type.as_str(), diagnostic.error_message.as_str()),
            (name, "web is back")
        );
    }
}
