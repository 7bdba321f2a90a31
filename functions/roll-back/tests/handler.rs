//! The step as a whole: what it reads, decides and sends, on AWS's own mocks.

#![allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::update_service::UpdateServiceInput;
use aws_sdk_ecs::types::DesiredStatus;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::aws::registry::{By, Stored, look_up};
use ecr_deploy::contract::{
    Check, RollBackInput, RollBackOutput, RollbackCopy, RollbackMethod, RollbackRevision, Verdict, WatchedRollback,
};
use ecr_deploy::domain::image::ImageDigest;
use ecr_deploy::domain::service::ServiceDeploymentStatus::{RollingBack, Stopped, Successful, UnderWay};
use ecr_deploy::domain::service::{ContainerDigest, Deployment, Service, ServiceDeployment};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::testing::{
    REGISTRY, Wire, answer, arn, at, deployment, described, described_of_push, described_services, digest, given_up,
    listed_deployments, pass, pushed, record, refusal, request, rolling, rollout, service,
};
use serde_json::{Value, json};
use std::future::ready;
use std::sync::{Arc, Mutex};

/// An ECS and an ECR as they are when `web:2` has failed.
struct Fake {
    ecs: Vec<Rule>,
    ecr: Vec<Rule>,
    stops: Rule,
    registered: Option<&'static str>,
    to: Option<&'static str>,
    updates: Arc<Mutex<Vec<UpdateServiceInput>>>,
    wire: Wire,
    crashed_container: &'static str,
}

/// The images in ECR, by its answer.
#[derive(Clone, Copy)]
enum InEcr {
    Tagged(&'static [&'static str]),
    Archived(&'static str),
    Gone,
    Denied,
}

impl Fake {
    fn new(service: &Service, history: &[ServiceDeployment], in_ecr: InEcr) -> Self {
        let (listed, revisions) = listed_deployments(history);
        let now = described_services([service]);
        let updates = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::clone(&updates);
        let stops = mock!(Client::stop_service_deployment)
            .match_requests(|input| input.service_deployment_arn().unwrap().ends_with("/production/web/2"))
            .then_http_response(|| answer(&json!({})));
        let log = Arc::clone(&updates);
        let ecs = vec![
            mock!(Client::describe_services).then_http_response(move || answer(&now)),
            mock!(Client::list_service_deployments).then_http_response(move || answer(&listed)),
            mock!(Client::describe_service_revisions).then_http_response(move || answer(&revisions)),
            mock!(Client::update_service)
                .match_requests(move |input| {
                    sent.lock().unwrap().push(input.clone());
                    true
                })
                .then_http_response(move || {
                    let log = log.lock().unwrap();
                    let to = short(log.last().unwrap());
                    answer(&json!({"service": ecr_deploy::testing::wire(&updated_to(&to))}))
                }),
        ];
        let images = mock!(aws_sdk_ecr::Client::describe_images).match_requests(|input| {
            input.repository_name() == Some("app") && input.registry_id() == Some("123456789012")
        });
        let images = match in_ecr {
            InEcr::Tagged(tags) => {
                images.then_http_response(move || answer(&json!({"imageDetails": [{"imageTags": tags}]})))
            }
            InEcr::Archived(status) => images.then_http_response(move || {
                answer(&json!({"imageDetails": [{"imageTags": ["v1"], "imageStatus": status}]}))
            }),
            InEcr::Gone => images.then_http_response(|| refusal("ImageNotFoundException", "it is not there")),
            InEcr::Denied => images.then_http_response(|| refusal("AccessDeniedException", "not yours")),
        };
        Self {
            ecs,
            ecr: vec![images],
            stops,
            registered: None,
            to: None,
            updates,
            wire: Wire::default(),
            crashed_container: "",
        }
    }

    /// The container that crashed in the tasks of `web:2`, which the last read saw.
    fn crashed_container(mut self, container: &'static str) -> Self {
        self.crashed_container = container;
        self
    }

    fn knows(mut self, described: Value) -> Self {
        let wanted = described["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned();
        let rule = mock!(Client::describe_task_definition)
            .match_requests(move |input| input.task_definition() == Some(&wanted))
            .then_http_response(move || answer(&described));
        self.ecs.push(rule);
        self
    }

    /// A revision that was registered for this rollback, and what ECS tells of it.
    fn registered(mut self, short: &'static str, described: Value) -> Self {
        self.registered = Some(short);
        self.knows(described)
    }

    /// An operator wants this revision.
    fn to(mut self, short: &'static str) -> Self {
        self.to = Some(short);
        self
    }

    async fn asked(&self, image: u32) -> Result<RollBackOutput, Error> {
        self.asked_among(None, image).await
    }

    /// The same while so many services are waited for.
    async fn asked_among(&self, running: Option<u32>, image: u32) -> Result<RollBackOutput, Error> {
        let rules: Vec<Rule> = self.ecs.iter().chain([&self.stops]).cloned().collect();
        let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &rules, |to| to
            .interceptor(self.wire.clone())));
        let ecr = mock_client!(aws_sdk_ecr, RuleMode::MatchAny, &self.ecr);
        let input = RollBackInput {
            image: pushed(image),
            rollout: rollout("web:2"),
            previous: Some(arn("web:1")),
            registered: self.registered.map(arn),
            to: self.to.map(arn),
            check: (!self.crashed_container.is_empty()).then(|| Check {
                verdict: Verdict::Failed,
                message: format!(
                    "0 of 2 tasks running; 3 stopped: {} exited with code 1",
                    self.crashed_container
                ),
                reasons: vec![format!("{} exited with code 1", self.crashed_container)],
                failed_containers: vec![self.crashed_container.to_owned()],
                running: 0,
                desired: 2,
                wait: 15,
                deadline: None,
                waits_for: None,
                containers: Vec::new(),
            }),
            services: 1,
            settings: RolloutSettings::default(),
        };
        roll_back::handle(&ecs, &ecr, &Config::default(), ready(running), request(&input, 600)).await
    }

    #[track_caller]
    fn sent(&self, stops: usize, updates: &[&str]) {
        let sent = self.updates.lock().unwrap();
        let only = |to: &&str| {
            let update = UpdateServiceInput::builder().cluster("production").service("web");
            update.task_definition(arn(to).as_str()).build().unwrap()
        };
        assert_eq!(*sent, updates.iter().map(only).collect::<Vec<_>>());
        assert_eq!(self.stops.num_calls(), stops);
        let registers = self.wire.operations().contains(&"RegisterTaskDefinition".to_owned());
        assert!(!registers, "it may not register");
    }
}

/// The rollback that is to be watched.
#[track_caller]
fn watched(rollback: &RollBackOutput) -> &WatchedRollback {
    rollback.method.watched().unwrap()
}

/// The copy that has to be registered first.
fn register(rollback: &RollBackOutput) -> Option<RollbackRevision> {
    match &rollback.method {
        RollbackMethod::RegistrationNeeded { register } => Some(register.clone()),
        _ => None,
    }
}

fn on_ours() -> Service {
    service([rolling("web:2"), deployment("web:1")])
}

fn under_way() -> [ServiceDeployment; 2] {
    [record("web:2", UnderWay), record("web:1", Successful)]
}

#[tokio::test]
async fn a_rollout_under_way_is_stopped_and_its_rollback_watched() {
    let fake = Fake::new(&on_ours(), &under_way(), InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.method.name(), "StoppedDeployment");
    assert_eq!(rollback.message, "web in production: ECS was told to go back to web:1");
    let rollout = &watched(&rollback).rollout;
    assert_eq!((&rollout.task_definition, &rollout.deployment), (&arn("web:1"), &None));
    assert_eq!((rollout.started_at, rollout.deadline), (at(600), at(600 + 30 * 60)));
    fake.sent(1, &[]);
}

#[tokio::test]
async fn the_more_services_are_waited_for_the_later_is_the_first_read_of_a_rollback() {
    for (running, waits) in [(None, 15..=15), (Some(25), 15..=15), (Some(5000), 16..=1515)] {
        let fake = Fake::new(&on_ours(), &under_way(), InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
        let wait = fake.asked_among(running, 2).await.unwrap().wait;
        assert!(waits.contains(&wait), "{running:?}: {wait}");
    }
}

#[tokio::test]
async fn it_says_whether_what_it_goes_back_to_has_the_image_too() {
    for (push, has_image) in [(1, false), (2, true)] {
        for history in [under_way().to_vec(), Vec::new()] {
            let fake =
                Fake::new(&on_ours(), &history, InEcr::Tagged(&["v1", "v2"])).knows(described_of_push("web:1", push));
            assert_eq!(watched(&fake.asked(2).await.unwrap()).has_image, has_image, "{push}");
        }
        let back = service([rolling("web:1"), rolling("web:2")]);
        let fake = Fake::new(&back, &[], InEcr::Gone).knows(described_of_push("web:1", push));
        assert_eq!(
            watched(&fake.asked(2).await.unwrap()).has_image,
            has_image,
            "watched, {push}"
        );
    }
}

/// `web:1` was good with the pushed image, `base:9` before it without.
fn good_with_the_image() -> Fake {
    good_with_the_image_as(described_of_push("web:1", 2))
}

/// The same with `web:1` described so.
fn good_with_the_image_as(first: Value) -> Fake {
    let history = [
        record("web:2", UnderWay),
        record("web:1", Successful),
        ServiceDeployment {
            created_at: at(-60),
            ..record("base:9", Successful)
        },
    ];
    Fake::new(&on_ours(), &history, InEcr::Tagged(&["v1", "v2"]))
        .knows(described_of_push("web:2", 2))
        .knows(first)
        .knows(described_of_push("base:9", 1))
}

#[tokio::test]
async fn a_rollback_by_ecs_that_does_not_show_yet_is_to_a_revision_that_may_have_the_image() {
    for (push, has_image) in [(1, false), (2, true)] {
        let history = [record("web:2", RollingBack), record("web:1", Successful)];
        let fake = Fake::new(&on_ours(), &history, InEcr::Gone).knows(described_of_push("web:1", push));
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(
            (rollback.method.name(), watched(&rollback).has_image),
            ("Watching", has_image)
        );
    }
}

#[tokio::test]
async fn where_the_pushed_image_crashed_a_revision_that_has_it_is_not_gone_back_to_although_it_was_stable() {
    let fake = good_with_the_image().crashed_container("web");
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.method.name(), "UpdatedService");
    assert_eq!(
        (watched(&rollback).has_image, watched(&rollback).image_failed),
        (false, true)
    );
    assert_eq!(watched(&rollback).rollout.task_definition, arn("base:9"));
    fake.sent(0, &["base:9"]);
}

/// One digest under two tags within a minute is one push.
#[tokio::test]
async fn a_revision_with_the_image_that_crashed_under_another_tag_of_its_push_is_not_gone_back_to() {
    let record = format!("{} {} sha-abc", pushed(1).push, digest(2));
    let under_another_tag = described("web:1", "app:sha-abc", &[("ecr-deploy:push/app", &record)]);
    let fake = good_with_the_image_as(under_another_tag).crashed_container("web");
    let rollback = fake.asked(2).await.unwrap();
    assert!(!watched(&rollback).has_image);
    fake.sent(0, &["base:9"]);
}

#[tokio::test]
async fn where_another_container_crashed_the_last_good_revision_is_gone_back_to_whatever_image_it_has() {
    for crashed_container in ["agent", ""] {
        let fake = good_with_the_image().crashed_container(crashed_container);
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(
            (watched(&rollback).has_image, watched(&rollback).image_failed),
            (true, false),
            "{crashed_container}"
        );
        assert_eq!(
            watched(&rollback).rollout.task_definition,
            arn("web:1"),
            "{crashed_container}"
        );
        fake.sent(1, &[]);
    }
}

#[tokio::test]
async fn where_nothing_was_good_without_the_image_that_crashed_the_last_good_revision_is_better_than_nothing() {
    let fake = Fake::new(&on_ours(), &under_way(), InEcr::Tagged(&["v1", "v2"]))
        .knows(described_of_push("web:2", 2))
        .knows(described_of_push("web:1", 2))
        .crashed_container("web");
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(
        (watched(&rollback).has_image, watched(&rollback).image_failed),
        (true, true)
    );
    fake.sent(1, &[]);
}

#[tokio::test]
async fn a_rollback_by_ecs_to_a_revision_with_the_image_that_crashed_is_watched_and_told() {
    let back = Deployment {
        rollout_state_reason: Some("Rollback in progress".to_owned()),
        ..rolling("web:1")
    };
    let mut fake = good_with_the_image().crashed_container("web");
    let now = described_services([&service([back, given_up("web:2")])]);
    fake.ecs[0] = mock!(Client::describe_services).then_http_response(move || answer(&now));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.method.name(), "Watching");
    assert_eq!(
        (watched(&rollback).has_image, watched(&rollback).image_failed),
        (true, true)
    );
    fake.sent(0, &[]);
}

#[tokio::test]
async fn a_rollout_that_ended_before_it_could_be_stopped_is_updated_back() {
    for (code, message) in [
        ("ConflictException", "it has ended"),
        ("ServiceDeploymentNotFoundException", "there is none"),
        ("UnsupportedFeatureException", "not here"),
    ] {
        let mut fake = Fake::new(&on_ours(), &under_way(), InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
        fake.stops = mock!(Client::stop_service_deployment).then_http_response(|| refusal(code, message));
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(rollback.method.name(), "UpdatedService", "{code}");
        let rollout = &watched(&rollback).rollout;
        assert_eq!(
            (rollout.deployment.as_deref(), rollout.started_at),
            (Some("ecs-svc/99"), at(99))
        );
        fake.sent(1, &["web:1"]);
    }
}

#[tokio::test]
async fn an_update_back_sends_cluster_service_and_task_definition_and_nothing_else() {
    let given_up = service([given_up("web:2"), deployment("web:1")]);
    let fake = Fake::new(&given_up, &[], InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.message, "web in production: updated back to web:1");
    fake.sent(0, &["web:1"]);
}

#[tokio::test]
async fn an_old_image_that_is_archived_is_said_before_anything_is_touched() {
    let archived = "is archived, and no task can pull it. Nothing was touched; restore it first (aws ecr ";
    let restoring = "is being restored from the archive, and no task can pull it yet. Nothing was touched; that takes up to 20 \
                     minutes; redrive this execution then, or push a good image";
    for (status, why) in [("ARCHIVED", archived), ("ACTIVATING", restoring)] {
        let previous = described_of_push("web:1", 1);
        let fake = Fake::new(&on_ours(), &under_way(), InEcr::Archived(status)).knows(previous);
        let error = fake.asked(2).await.unwrap_err().to_string();
        let says = format!(
            "web in production cannot go back to web:1: its image app@{} {why}",
            digest(1)
        );
        assert!(error.starts_with(&says), "{error}");
        fake.sent(0, &[]);
    }
    let active = Fake::new(&on_ours(), &under_way(), InEcr::Archived("ACTIVE")).knows(described_of_push("web:1", 1));
    assert_eq!(active.asked(2).await.unwrap().method.name(), "StoppedDeployment");
}

#[tokio::test]
async fn peer_12_an_old_image_that_is_gone_is_said_before_anything_is_touched() {
    let pinned = described("web:1", &format!("app@{}", digest(1)), &[]);
    for (previous, history) in [
        (described_of_push("web:1", 1), under_way().to_vec()),
        (described_of_push("web:1", 1), Vec::new()),
        (pinned, Vec::new()),
    ] {
        let fake = Fake::new(&on_ours(), &history, InEcr::Gone).knows(previous);
        let error = fake.asked(2).await.unwrap_err();
        let says = format!(
            "web in production cannot go back to web:1: its image app@{} is gone from ECR",
            digest(1)
        );
        assert!(
            error.name() == "Deploy.Rejected" && error.to_string().starts_with(&says),
            "{error}"
        );
        assert!(
            error.to_string().contains("Nothing was touched; push a good image"),
            "{error}"
        );
        fake.sent(0, &[]);
    }
}

/// The previous revision names the image by the tag that the failed push has put on other contents.
fn previous_of_a_re_pushed_tag() -> Value {
    let digest = digest(1).to_string();
    described("web:1", "app:v2", &[("ecr-deploy:digest/app", &digest)])
}

/// A copy of `web:1` that was made to roll back `web:2`, pinned to the old digest.
fn pinned(short: &str) -> Value {
    let tags = [("ecr-deploy:rolled-back", "web:2"), ("ecr-deploy:source", "web:1")];
    described(short, &format!("app@{}", digest(1)), &tags)
}

/// Returns the registration that is wanted: a copy of `web:1` that rolls back `web:2`.
fn copy_of_the_first(digest: Option<ImageDigest>) -> RollbackRevision {
    RollbackRevision {
        task_definition: "web:1".parse().unwrap(),
        rollback: RollbackCopy {
            digest,
            rolls_back: arn("web:2"),
        },
    }
}

#[tokio::test]
async fn after_a_re_pushed_tag_a_revision_that_is_pinned_to_the_old_digest_has_to_be_registered() {
    let fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&[])).knows(previous_of_a_re_pushed_tag());
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(
        rollback.method,
        RollbackMethod::RegistrationNeeded {
            register: copy_of_the_first(Some(digest(1)))
        }
    );
    let says = "web in production goes back to a copy of web:1, pinned to its old digest";
    assert!(rollback.message.starts_with(says), "{}", rollback.message);
    fake.sent(0, &[]);
}

#[tokio::test]
async fn once_the_pinned_revision_is_registered_the_service_is_updated_to_it() {
    let fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&[])).knows(previous_of_a_re_pushed_tag());
    let fake = fake.registered("web:3", pinned("web:3"));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(
        (rollback.method.name(), rollback.message.as_str()),
        (
            "PinnedRevision",
            "web in production: updated back, by its old digest, to web:3"
        )
    );
    assert_eq!(watched(&rollback).rollout.task_definition, arn("web:3"));
    fake.sent(0, &["web:3"]);
}

#[tokio::test]
async fn a_registered_revision_that_serves_another_rollback_or_that_is_gone_is_not_used() {
    let tags = [("ecr-deploy:rolled-back", "web:0"), ("ecr-deploy:source", "web:1")];
    let of_another_rollback = described("web:3", &format!("app@{}", digest(1)), &tags);
    let tags = [("ecr-deploy:rolled-back", "web:2"), ("ecr-deploy:source", "web:0")];
    let of_another_source = described("web:3", &format!("app@{}", digest(1)), &tags);
    let tags = [("ecr-deploy:rolled-back", "web:2"), ("ecr-deploy:source", "web:1")];
    let of_other_contents = described("web:3", &format!("app@{}", digest(5)), &tags);
    let mut deregistered = pinned("web:3");
    deregistered["taskDefinition"]["status"] = json!("INACTIVE");
    let mut of_a_person = pinned("web:3");
    of_a_person["tags"] = json!([]);
    for registered in [
        of_another_rollback,
        of_another_source,
        of_other_contents,
        deregistered,
        of_a_person,
    ] {
        let fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&[])).knows(previous_of_a_re_pushed_tag());
        let fake = fake.registered("web:3", registered.clone());
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(rollback.method.name(), "RegistrationNeeded", "{registered}");
        fake.sent(0, &[]);
    }
    let mut fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&[])).knows(previous_of_a_re_pushed_tag());
    fake.registered = Some("web:3");
    let deleted = mock!(Client::describe_task_definition)
        .then_http_response(|| refusal("ClientException", "Unable to describe task definition."));
    fake.ecs.push(deleted);
    assert_eq!(fake.asked(2).await.unwrap().method.name(), "RegistrationNeeded");
}

#[tokio::test]
async fn a_service_that_has_moved_while_the_revision_was_registered_is_not_touched() {
    let newer = ecr_deploy::testing::service([rolling("web:4"), rolling("web:2")]);
    let fake = Fake::new(&newer, &[], InEcr::Tagged(&[])).knows(previous_of_a_re_pushed_tag());
    let fake = fake
        .knows(described_of_push("web:4", 3))
        .registered("web:3", pinned("web:3"));
    assert_eq!(fake.asked(2).await.unwrap().method.name(), "Superseded");
    fake.sent(0, &[]);
}

#[tokio::test]
async fn a_registered_revision_that_is_not_needed_any_more_is_not_used() {
    let fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
    let fake = fake.registered("web:3", pinned("web:3"));
    assert_eq!(fake.asked(2).await.unwrap().method.name(), "UpdatedService");
    fake.sent(0, &["web:1"]);
}

#[tokio::test]
async fn a_tag_that_ecr_still_shows_on_the_old_bits_is_distrusted_when_the_push_has_taken_it() {
    for stored in [InEcr::Tagged(&["v2"]), InEcr::Denied] {
        let fake = Fake::new(&on_ours(), &[], stored).knows(previous_of_a_re_pushed_tag());
        let register = register(&fake.asked(2).await.unwrap());
        assert_eq!(register, Some(copy_of_the_first(Some(digest(1)))));
    }
}

#[tokio::test]
async fn a_tag_that_was_taken_off_the_old_bits_by_somebody_else_is_pinned_too() {
    let fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&["stable"])).knows(described_of_push("web:1", 1));
    let register = register(&fake.asked(2).await.unwrap());
    assert_eq!(register, Some(copy_of_the_first(Some(digest(1)))));
}

/// ECS may tell the digest of the image for a task's platform, which has no tags of its own.
#[tokio::test]
async fn a_revision_that_ran_an_index_is_gone_back_to_as_it_is_while_its_tag_stands_for_the_index() {
    let platform = ServiceDeployment {
        target_digests: vec![ContainerDigest {
            digest: digest(7),
            ..record("web:1", Successful).target_digests[0].clone()
        }],
        ..record("web:1", Successful)
    };
    let history = [record("web:2", Stopped), platform];
    let fake = || Fake::new(&on_ours(), &history, InEcr::Tagged(&[])).knows(described_of_push("web:1", 1));
    let mut tagged = fake();
    let index = mock!(aws_sdk_ecr::Client::describe_images)
        .match_requests(|input| input.image_ids()[0].image_digest() == Some(digest(1).as_str()))
        .then_http_response(|| answer(&json!({"imageDetails": [{"imageTags": ["v1"]}]})));
    tagged.ecr.insert(0, index);
    assert_eq!(tagged.asked(2).await.unwrap().method.name(), "UpdatedService");
    tagged.sent(0, &["web:1"]);
    let register = register(&fake().asked(2).await.unwrap());
    assert_eq!(
        register,
        Some(copy_of_the_first(Some(digest(7)))),
        "both have lost the tag"
    );
}

#[tokio::test]
async fn peer_11_of_a_last_good_revision_that_was_deregistered_a_copy_is_registered_and_deployed() {
    let mut deregistered = described_of_push("web:1", 1);
    deregistered["taskDefinition"]["status"] = json!("INACTIVE");
    for history in [Vec::new(), under_way().to_vec()] {
        let fake = Fake::new(&on_ours(), &history, InEcr::Tagged(&["v1"])).knows(deregistered.clone());
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(
            (rollback.method, rollback.message.as_str()),
            (
                RollbackMethod::RegistrationNeeded {
                    register: copy_of_the_first(None)
                },
                "web in production goes back to a copy of web:1, which was deregistered: the copy is registered first"
            )
        );
        fake.sent(0, &[]);
        let tags = [("ecr-deploy:rolled-back", "web:2"), ("ecr-deploy:source", "web:1")];
        let fake = fake.registered("web:3", described("web:3", "app:v1", &tags));
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(rollback.method.name(), "CopiedRevision");
        assert_eq!(
            rollback.message,
            "web in production: updated back, by a copy of its deregistered revision, to web:3"
        );
        fake.sent(0, &["web:3"]);
    }
}

/// The tasks of the service, in either state: none, or one of each that ran its image by a digest.
fn with_tasks(mut fake: Fake, running: Option<u32>, stopped: Option<u32>) -> Fake {
    for (status, ran) in [(DesiredStatus::Running, running), (DesiredStatus::Stopped, stopped)] {
        let number = i32::from(status == DesiredStatus::Stopped);
        let arns: Vec<String> = ran.map(|_| format!("task-{number}")).into_iter().collect();
        let wanted = arns.clone();
        let list = mock!(Client::list_tasks)
            .match_requests(move |input| input.desired_status() == Some(&status))
            .then_http_response(move || answer(&json!({"taskArns": arns})));
        let container = json!({"name": "web", "image": format!("{REGISTRY}/app:v2"), "imageDigest": ran.map(digest)});
        let tasks = json!({"tasks": [
            {"taskDefinitionArn": arn("web:9"), "containers": [{"name": "web", "image": format!("{REGISTRY}/app:v2"),
                "imageDigest": digest(9)}]},
            {"taskDefinitionArn": arn("web:1"), "containers": [container]},
        ]});
        let describe = mock!(Client::describe_tasks)
            .match_requests(move |input| input.tasks() == wanted)
            .then_http_response(move || answer(&tasks));
        fake.ecs.extend([list, describe]);
    }
    fake
}

#[tokio::test]
async fn where_nothing_tells_the_old_digest_it_goes_back_by_the_tag_unless_that_is_the_failed_image() {
    let by_tag = |image, in_ecr| Fake::new(&on_ours(), &[], in_ecr).knows(described("web:1", image, &[]));
    for in_ecr in [InEcr::Tagged(&["v1"]), InEcr::Denied] {
        let other = with_tasks(by_tag("app:v1", in_ecr), None, None);
        assert_eq!(other.asked(2).await.unwrap().method.name(), "UpdatedService");
    }

    let gone = with_tasks(by_tag("app:v1", InEcr::Gone), None, None);
    assert_eq!(
        gone.asked(2).await.unwrap_err().to_string(),
        "web in production cannot go back to web:1: its image app:v1 is gone from ECR (a lifecycle policy?). Nothing was \
         touched; push a good image"
    );
    gone.sent(0, &[]);

    let pushed_over = with_tasks(by_tag("app:v2", InEcr::Gone), None, None);
    let error = pushed_over.asked(2).await.unwrap_err();
    assert_eq!(
        (error.name(), error.to_string().as_str()),
        (
            "Deploy.Rejected",
            "web in production cannot go back to web:1: nothing tells which digest its tag v2 stood for, and that is the \
             failed image now. Nothing was touched; push a good image"
        )
    );
    pushed_over.sent(0, &[]);
}

#[tokio::test]
async fn where_no_record_tells_the_old_digest_the_tasks_do() {
    for (running, stopped) in [(Some(1), None), (None, Some(1)), (Some(1), Some(3))] {
        let fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&[])).knows(described("web:1", "app:v2", &[]));
        let register = register(&with_tasks(fake, running, stopped).asked(2).await.unwrap());
        assert_eq!(
            register,
            Some(copy_of_the_first(Some(digest(1)))),
            "{running:?} {stopped:?}"
        );
    }
}

#[tokio::test]
async fn a_last_good_revision_that_was_deleted_is_refused_and_not_taken_for_a_service_that_is_gone() {
    let mut fake = Fake::new(&on_ours(), &[], InEcr::Gone);
    let deleted = mock!(Client::describe_task_definition)
        .then_http_response(|| refusal("ClientException", "Unable to describe task definition."));
    fake.ecs.push(deleted);
    let error = fake.asked(2).await.unwrap_err();
    assert_eq!(error.name(), "Deploy.Rejected", "{error}");
}

#[tokio::test]
async fn where_ecr_does_not_answer_about_an_old_image_it_goes_back_all_the_same() {
    let fake = Fake::new(&on_ours(), &[], InEcr::Denied).knows(described_of_push("web:1", 1));
    assert_eq!(fake.asked(2).await.unwrap().method.name(), "UpdatedService");
}

#[tokio::test]
async fn peer_1_a_rollback_by_ecs_is_only_watched() {
    let fake = Fake::new(&on_ours(), &[record("web:2", RollingBack)], InEcr::Gone).knows(described_of_push("web:1", 1));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.method.name(), "Watching");
    assert_eq!(rollback.message, "web in production: goes back by itself to web:1");
    assert_eq!(watched(&rollback).rollout.task_definition, arn("web:1"));
    let back = service([rolling("web:1"), given_up("web:2")]);
    let fake = Fake::new(&back, &[], InEcr::Gone).knows(described_of_push("web:1", 1));
    assert_eq!(fake.asked(2).await.unwrap().method.name(), "Watching");
    fake.sent(0, &[]);
}

/// As that of an update back, which may have been sent by an invocation that nobody has heard of again.
#[tokio::test]
async fn a_rollback_that_is_found_began_when_its_deployment_did_unless_that_is_from_before_the_failed_one() {
    let found = Fake::new(&back(), &[], InEcr::Gone).knows(described_of_push("web:1", 1));
    let rollback = found.asked(2).await.unwrap();
    assert_eq!(rollback.method.name(), "Watching");
    let rollout = &watched(&rollback).rollout;
    assert_eq!(
        (rollout.deployment.as_deref(), rollout.started_at, rollout.watched_since),
        (Some("ecs-svc/99"), at(99), at(600))
    );
    let about_to = Fake::new(&on_ours(), &[record("web:2", RollingBack)], InEcr::Gone);
    let about_to = about_to.knows(described_of_push("web:1", 1));
    let rollback = about_to.asked(2).await.unwrap();
    assert_eq!(watched(&rollback).rollout.started_at, at(600));
}

#[tokio::test]
async fn asked_again_after_a_pinned_rollback_it_is_only_watched() {
    let tags = [("ecr-deploy:rolled-back", "web:2")];
    let fake = Fake::new(&service([rolling("web:3"), rolling("web:2")]), &[], InEcr::Gone);
    let fake = fake.knows(described("web:3", &format!("app@{}", digest(1)), &tags));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(
        (rollback.method.name(), &watched(&rollback).rollout.task_definition),
        ("Watching", &arn("web:3"))
    );
    fake.sent(0, &[]);
}

#[tokio::test]
async fn peer_13_a_newer_deployment_is_not_touched() {
    let newer = service([rolling("web:3"), rolling("web:2"), deployment("web:1")]);
    let fake = Fake::new(&newer, &under_way(), InEcr::Tagged(&[])).knows(described_of_push("web:3", 3));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.method, RollbackMethod::Superseded {});
    assert_eq!(
        rollback.message,
        "web in production is on web:3, of a newer push, which is not touched"
    );
    fake.sent(0, &[]);
}

#[tokio::test]
async fn a_later_revision_with_the_image_is_left_and_named_and_the_one_that_failed_is_not() {
    for (on, from) in [("web:3", Some(arn("web:3"))), ("web:2", None)] {
        let fake = Fake::new(
            &service([given_up(on), deployment("web:1")]),
            &[],
            InEcr::Tagged(&["v1"]),
        )
        .knows(described_of_push("web:1", 1))
        .knows(described_of_push("web:2", 2))
        .knows(described_of_push("web:3", 2));
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(watched(&rollback).from, from, "{on}");
        fake.sent(0, &["web:1"]);
    }
}

#[tokio::test]
async fn without_anything_good_the_message_says_what_to_do() {
    let fake = Fake::new(&on_ours(), &[], InEcr::Gone);
    let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &fake.ecs));
    let ecr = mock_client!(aws_sdk_ecr, RuleMode::MatchAny, &fake.ecr);
    let input = RollBackInput {
        image: pushed(2),
        rollout: rollout("web:2"),
        previous: None,
        registered: None,
        to: None,
        check: None,
        services: 1,
        settings: RolloutSettings::default(),
    };
    let error = roll_back::handle(&ecs, &ecr, &Config::default(), ready(None), request(&input, 600))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "web in production has no revision that ever became stable, so there is nothing to go back to; it stays on web:2. \
         Fix the image and push again"
    );
    fake.sent(0, &[]);
}

#[tokio::test]
async fn an_operators_revision_comes_before_the_last_good_one() {
    let fake = Fake::new(&on_ours(), &under_way(), InEcr::Tagged(&["v1"])).to("web:9");
    let fake = fake.knows(described_of_push("web:9", 1));
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.method.name(), "UpdatedService");
    assert_eq!(watched(&rollback).rollout.task_definition, arn("web:9"));
    fake.sent(0, &["web:9"]);

    let fake = Fake::new(&on_ours(), &under_way(), InEcr::Tagged(&["v1"])).to("admin:9");
    let error = fake.asked(2).await.unwrap_err();
    let says = "web in production runs web:2, and admin:9 is of another family. It is left as it is";
    assert_eq!(
        (error.name(), error.to_string().as_str()),
        ("Deploy.InvalidInput", says)
    );
    fake.sent(0, &[]);
}

/// Answers with these `reads` of the service, of which the last one stays. ECS answers an update where `tells` says
/// so. An update without an answer may have taken effect, as the reads say. Returns the outcome and how many updates
/// were sent.
async fn tried(reads: &[Service], tells: &[bool]) -> (Result<RollBackOutput, Error>, Vec<String>) {
    let mut fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
    fake = fake.knows(described_of_push("web:3", 3));
    let reads: Vec<Value> = reads.iter().map(|snapshot| described_services([snapshot])).collect();
    let turn = Mutex::new(0);
    let snapshot = mock!(Client::describe_services).then_http_response(move || {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        answer(&reads[(*turn - 1).min(reads.len() - 1)])
    });
    let sent = Arc::clone(&fake.updates);
    let log = Arc::clone(&fake.updates);
    let tells = tells.to_vec();
    let update = mock!(Client::update_service)
        .match_requests(move |input| {
            sent.lock().unwrap().push(input.clone());
            true
        })
        .then_http_response(move || {
            if tells.get(log.lock().unwrap().len() - 1) == Some(&true) {
                answer(&json!({"service": ecr_deploy::testing::wire(&back())}))
            } else {
                refusal("ThrottlingException", "Rate exceeded")
            }
        });
    fake.ecs.splice(0..0, [snapshot, update]);
    let rollback = fake.asked(2).await;
    let updates = fake.updates.lock().unwrap();
    (rollback, updates.iter().map(short).collect())
}

/// Returns the outcome of a rollback and the updates that were sent. `web:3` is among the deployments that the update,
/// or the read after one whose answer is lost, shows, but not among those of the read before. ECS has no records.
async fn replaced(third: Value, is_lost: bool) -> (Result<RollBackOutput, Error>, Vec<String>) {
    let mut fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
    fake = fake.knows(third);
    let mut after = back();
    after.deployments.insert(1, rolling("web:3"));
    let reads = [on_ours(), after.clone()].map(|snapshot| described_services([&snapshot]));
    let (snapshot, update) = (Mutex::new(0), Arc::clone(&fake.updates));
    let reads = mock!(Client::describe_services).then_http_response(move || {
        let mut snapshot = snapshot.lock().unwrap();
        *snapshot += 1;
        answer(&reads[(*snapshot - 1).min(1)])
    });
    let sent = Arc::clone(&fake.updates);
    let updates = mock!(Client::update_service)
        .match_requests(move |input| {
            sent.lock().unwrap().push(input.clone());
            true
        })
        .then_http_response(move || {
            if is_lost && update.lock().unwrap().len() == 1 {
                refusal("ServerException", "the answer is lost")
            } else {
                answer(&json!({"service": ecr_deploy::testing::wire(&after)}))
            }
        });
    fake.ecs.splice(0..0, [reads, updates]);
    let rollback = fake.asked(2).await;
    let updates = fake.updates.lock().unwrap();
    (rollback, updates.iter().map(short).collect())
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_came_in_between_the_read_and_the_update_is_put_back() {
    let newer = described_of_push("web:3", 3);
    let somebodys = described("web:3", "app:v1", &[]);
    for is_lost in [false, true] {
        for (third, method, says) in [
            (
                &newer,
                RollbackMethod::Superseded {},
                "was moved to web:3, of a newer push, at the same moment",
            ),
            (
                &somebodys,
                RollbackMethod::Displaced {},
                "was moved to web:3 at the same moment",
            ),
        ] {
            let (rollback, sent) = replaced(third.clone(), is_lost).await;
            let rollback = rollback.unwrap();
            assert_eq!(rollback.method, method, "{is_lost}");
            assert_eq!(
                rollback.message,
                format!("web in production {says}, and is put back there")
            );
            assert_eq!(sent, ["web:1", "web:3"], "{is_lost}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_the_failed_image_too_or_goes_back_itself_or_cannot_be_started_is_not_put_back() {
    let ours = described_of_push("web:3", 2);
    let goes_back = described("web:3", "app:v1", &[("ecr-deploy:rolled-back", "web:2")]);
    let mut deregistered = described("web:3", "app:v1", &[]);
    deregistered["taskDefinition"]["status"] = json!("INACTIVE");
    for third in [ours, goes_back, deregistered] {
        for is_lost in [false, true] {
            let (rollback, sent) = replaced(third.clone(), is_lost).await;
            assert_eq!(rollback.unwrap().method.name(), "UpdatedService");
            assert_eq!(sent, ["web:1"]);
        }
    }
}

/// The service after it was updated back.
fn back() -> Service {
    updated_to("web:1")
}

fn updated_to(to: &str) -> Service {
    let target = Deployment {
        id: "ecs-svc/99".to_owned(),
        created_at: at(99),
        ..rolling(to)
    };
    service([target, rolling("web:2")])
}

/// `web:1`, that an update is to.
fn short(update: &UpdateServiceInput) -> String {
    update.task_definition().unwrap().rsplit_once('/').unwrap().1.to_owned()
}

/// The service as ECS shows it, one read after the other, and again from the first one; how often it was read.
fn shown(reads: &[Service]) -> Rule {
    let reads: Vec<Value> = reads.iter().map(|snapshot| described_services([snapshot])).collect();
    let turn = Mutex::new(0);
    mock!(Client::describe_services).then_http_response(move || {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        answer(&reads[(*turn - 1) % reads.len()])
    })
}

/// Of a service as these reads show it: what comes of going back to `web:1`, which is read in so many seconds.
async fn slowly(reads: &[Service], seconds: u64) -> (Result<RollBackOutput, Error>, Fake, Rule) {
    let mut fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&["v1"])).knows(described_of_push("web:3", 3));
    let slow = mock!(Client::describe_task_definition)
        .match_requests(|input| input.task_definition() == Some(arn("web:1").as_str()))
        .then_http_response(move || {
            pass(seconds);
            answer(&described_of_push("web:1", 1))
        });
    let reads = shown(reads);
    fake.ecs.splice(0..0, [reads.clone(), slow]);
    (fake.asked(2).await, fake, reads)
}

#[tokio::test(start_paused = true)]
async fn what_took_its_time_to_make_ready_is_not_done_where_the_service_has_moved_meanwhile() {
    let newer = || ecr_deploy::testing::service([rolling("web:3"), rolling("web:2")]);
    let (rollback, fake, _) = slowly(&[on_ours(), newer(), newer()], 7).await;
    assert_eq!(rollback.unwrap().method.name(), "Superseded");
    fake.sent(0, &[]);
}

#[tokio::test(start_paused = true)]
async fn where_the_service_has_not_moved_it_is_done_and_a_fresh_read_is_not_compared() {
    for (seconds, read) in [(0, 1), (1, 1), (2, 2)] {
        let (rollback, fake, reads) = slowly(&[on_ours()], seconds).await;
        assert_eq!(rollback.unwrap().method.name(), "UpdatedService", "{seconds} s");
        assert_eq!(reads.num_calls(), read, "{seconds} s");
        fake.sent(0, &["web:1"]);
    }
}

/// The failed revision has given way to web:3, of the same push; that it has given way to web:4 is not shown at first.
#[tokio::test(start_paused = true)]
async fn a_rollout_that_the_records_tell_of_and_the_fresh_read_does_not_show_is_read_and_not_replaced() {
    let on = |short: &str| ecr_deploy::testing::service([rolling(short)]);
    for (newest, reads, updates, read) in [
        ("web:4", vec![on("web:3"), on("web:4"), on("web:4")], vec![], 3),
        ("web:4", vec![on("web:3")], vec!["web:1"], 2),
        ("web:3", vec![on("web:3")], vec!["web:1"], 1),
    ] {
        let history = [
            record(newest, UnderWay),
            record("web:2", Stopped),
            record("web:1", Successful),
        ];
        let mut fake = Fake::new(&on("web:3"), &history, InEcr::Tagged(&["v1"]))
            .knows(described_of_push("web:1", 1))
            .knows(described_of_push("web:2", 2))
            .knows(described_of_push("web:3", 2))
            .knows(described_of_push("web:4", 3));
        let shown = shown(&reads);
        fake.ecs.insert(0, shown.clone());
        let rollback = fake.asked(2).await.unwrap();
        assert_eq!(rollback.method.name() == "Superseded", updates.is_empty(), "{newest}");
        fake.sent(0, &updates);
        assert_eq!(shown.num_calls(), read, "{newest}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_moves_again_and_again_is_given_back_to_the_state_machine() {
    let other = ecr_deploy::testing::service([rolling("web:2")]);
    let (rollback, fake, reads) = slowly(&[on_ours(), other], 7).await;
    assert_eq!(
        rollback.unwrap_err().to_string(),
        "web in production got another deployment while its rollback was prepared"
    );
    assert_eq!(reads.num_calls(), 2 * 4);
    fake.sent(0, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_registered_revision_that_is_read_slowly_is_not_used_where_the_service_has_moved_meanwhile() {
    let newer = || ecr_deploy::testing::service([rolling("web:4"), rolling("web:2")]);
    for (reads, updates) in [
        (vec![on_ours(), newer(), newer()], vec![]),
        (vec![on_ours()], vec!["web:3"]),
    ] {
        let mut fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&[]))
            .knows(previous_of_a_re_pushed_tag())
            .knows(described_of_push("web:4", 3));
        fake.registered = Some("web:3");
        let slow = mock!(Client::describe_task_definition)
            .match_requests(|input| input.task_definition() == Some(arn("web:3").as_str()))
            .then_http_response(|| {
                pass(7);
                answer(&pinned("web:3"))
            });
        fake.ecs.splice(0..0, [shown(&reads), slow]);
        let is_superseded = fake.asked(2).await.unwrap().method.name() == "Superseded";
        assert_eq!(is_superseded, updates.is_empty());
        fake.sent(0, &updates);
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_back_that_was_throttled_is_not_sent_on_the_old_read() {
    let newer = ecr_deploy::testing::service([rolling("web:3"), rolling("web:2")]);
    let (rollback, sent) = tried(&[on_ours(), newer], &[]).await;
    assert_eq!(rollback.unwrap().method.name(), "Superseded");
    assert_eq!(sent, ["web:1"]);
}

#[tokio::test(start_paused = true)]
async fn an_update_back_whose_answer_is_lost_is_one_deployment_and_the_same_answer() {
    let (told, _) = tried(&[on_ours()], &[true]).await;
    let (lost, sent) = tried(&[on_ours(), back()], &[]).await;
    assert_eq!(sent, ["web:1"]);
    let (told, lost) = (told.unwrap(), lost.unwrap());
    assert_eq!((lost.method.name(), &lost.message), ("UpdatedService", &told.message));
    let (told, lost) = (&watched(&told).rollout, &watched(&lost).rollout);
    assert_eq!((&lost.deployment, lost.started_at), (&told.deployment, told.started_at));
    assert_eq!(lost.started_at, at(99));
}

#[tokio::test(start_paused = true)]
async fn what_came_back_to_another_revision_while_the_update_was_throttled_is_only_watched() {
    let pinned = ecr_deploy::testing::service([rolling("web:4"), rolling("web:2")]);
    let mut fake = Fake::new(&on_ours(), &[], InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
    fake = fake.knows(described("web:4", "app:v1", &[("ecr-deploy:rolled-back", "web:2")]));
    let reads = [described_services([&on_ours()]), described_services([&pinned])];
    let turn = Mutex::new(0);
    let snapshot = mock!(Client::describe_services).then_http_response(move || {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        answer(&reads[(*turn - 1).min(1)])
    });
    let throttled =
        mock!(Client::update_service).then_http_response(|| refusal("ThrottlingException", "Rate exceeded"));
    fake.ecs.splice(0..0, [snapshot, throttled]);
    let rollback = fake.asked(2).await.unwrap();
    assert_eq!(rollback.method.name(), "Watching");
    assert_eq!(watched(&rollback).rollout.task_definition, arn("web:4"));
}

#[tokio::test(start_paused = true)]
async fn an_update_back_that_stays_throttled_is_given_back_to_the_state_machine() {
    let (rollback, sent) = tried(&[on_ours()], &[]).await;
    assert_eq!(rollback.unwrap_err().name(), "Deploy.Unavailable");
    assert_eq!(sent, ["web:1"; 4]);
    let (rollback, sent) = tried(&[on_ours()], &[false, true]).await;
    assert_eq!(rollback.unwrap().method.name(), "UpdatedService");
    assert_eq!(sent, ["web:1"; 2]);
}

/// The older deployments end, and the state machine tries again for as long as a rollout may take.
#[tokio::test(start_paused = true)]
async fn a_service_that_has_five_deployments_is_gone_back_with_later() {
    let full = "5 active deployments exist, unable to create new deployment.";
    let mut fake = Fake::new(&on_ours(), &under_way(), InEcr::Tagged(&["v1"])).knows(described_of_push("web:1", 1));
    fake.ecs.insert(
        0,
        mock!(Client::update_service).then_http_response(move || refusal("InvalidParameterException", full)),
    );
    fake.stops = mock!(Client::stop_service_deployment)
        .then_http_response(|| refusal("ServiceDeploymentNotFoundException", "it is over"));
    let error = fake.asked(2).await.unwrap_err();
    assert_eq!(error.name(), "Deploy.Unavailable");
    assert!(error.to_string().contains(full), "{error}");
}

#[tokio::test(start_paused = true)]
async fn throttling_by_ecr_is_tried_again_by_the_state_machine_before_anything_is_touched() {
    let mut fake = Fake::new(&on_ours(), &under_way(), InEcr::Gone).knows(described_of_push("web:1", 1));
    let broken = mock!(aws_sdk_ecr::Client::describe_images).then_http_response(|| refusal("RequestExpired", "later"));
    fake.ecr = vec![broken];
    let before = tokio::time::Instant::now();
    assert_eq!(fake.asked(2).await.unwrap_err().name(), "Deploy.Unavailable");
    assert!(before.elapsed().is_zero(), "it does not wait and read again");
    fake.sent(0, &[]);
}

#[test]
fn the_registry_of_the_tests_is_the_one_of_the_push() {
    let reference: ecr_deploy::domain::image::ImageReference = format!("{REGISTRY}/app:v1").parse().unwrap();
    assert!(pushed(2).is_repository_of(&reference));
}

/// A central registry in another region: this region's ECR would say of its images that they are not there.
#[tokio::test]
async fn only_the_registry_of_the_image_says_that_it_is_gone() {
    for code in ["ImageNotFoundException", "RepositoryNotFoundException"] {
        let image = pushed(2);
        let wanted = digest(1);
        let by = By::Digest(&wanted);
        let not_there =
            mock!(aws_sdk_ecr::Client::describe_images).then_http_response(move || refusal(code, "it is not there"));
        let ecr = mock_client!(aws_sdk_ecr, RuleMode::MatchAny, &[&not_there]);
        let here = look_up(&ecr, image.region.as_str(), &image, by).await.unwrap();
        assert_eq!(here, Stored::Gone);

        let elsewhere = look_up(&ecr, "us-east-1", &image, by).await.unwrap();
        let says = format!("app@{wanted} is in the registry of eu-west-1, and only that of us-east-1 can be asked");
        assert_eq!(elsewhere, Stored::Untold(says));
        assert_eq!(not_there.num_calls(), 1, "nobody else is asked");
    }
}
