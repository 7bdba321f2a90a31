//! The step as a whole: what it reads, decides and sends, on AWS's own mocks.

#![allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::update_service::UpdateServiceInput;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::{Rollout, UpdateInput, UpdateOutcome, UpdateOutput};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{
    Deployment, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, ServiceTags,
};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::testing::{
    answer, arn, at, deployment, described, described_of_push, described_services, digest, given_up,
    listed_deployments, pass, pushed, record, refusal, request, rolling, service, service_id, wire,
};
use serde_json::{Value, json};
use std::future::ready;
use std::sync::{Arc, Mutex};

/// An ECS whose service `web in production` is on its first revision, and which knows a few revisions.
struct Fake {
    service: Arc<Mutex<Service>>,
    updates: Arc<Mutex<Vec<UpdateServiceInput>>>,
    reads_history: Rule,
    rules: Vec<Rule>,
    /// ECR's answer on the pushed image.
    image: Rule,
}

impl Fake {
    /// `in_between` turns up while the first update is under way.
    fn new(service: Service, history: &[ServiceDeployment], in_between: Option<Deployment>) -> Self {
        let state = Arc::new(Mutex::new(service));
        let updates = Arc::new(Mutex::new(Vec::new()));
        let (listed, revisions) = listed_deployments(history);
        let read = Arc::clone(&state);
        let describe = mock!(Client::describe_services)
            .match_requests(|input| input.cluster() == Some("production") && input.services() == ["web"])
            .then_http_response(move || answer(&described_services([&*read.lock().unwrap()])));
        let reads_history = mock!(Client::list_service_deployments).then_http_response(move || answer(&listed));
        let describe_revisions =
            mock!(Client::describe_service_revisions).then_http_response(move || answer(&revisions));
        let (write, sent) = (Arc::clone(&state), Arc::clone(&updates));
        let update = mock!(Client::update_service)
            .match_requests(move |input| {
                let mut sent = sent.lock().unwrap();
                let others = in_between.clone().filter(|_| sent.is_empty());
                sent.push(input.clone());
                let to = input.task_definition().unwrap().rsplit_once('/').unwrap().1;
                let began = Deployment {
                    id: format!("ecs-svc/{}", 100 + sent.len()),
                    ..rolling(to)
                };
                let mut state = write.lock().unwrap();
                let before = state.deployments.drain(..).map(|known| Deployment {
                    is_primary: false,
                    ..known
                });
                let all: Vec<Deployment> = [began]
                    .into_iter()
                    .chain(others)
                    .chain(before.collect::<Vec<_>>())
                    .collect();
                *state = Service {
                    planned_wait: state.planned_wait,
                    ..ecr_deploy::testing::service(all)
                };
                true
            })
            .then_http_response({
                let state = Arc::clone(&state);
                move || answer(&json!({"service": wire(&state.lock().unwrap())}))
            });
        Self {
            service: state,
            updates,
            rules: vec![describe, reads_history.clone(), describe_revisions, update, no_tasks()],
            reads_history,
            image: image_is("ACTIVE"),
        }
    }

    fn knows(mut self, described: Value) -> Self {
        let wanted = described["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned();
        let rule = mock!(Client::describe_task_definition)
            .match_requests(move |input| input.task_definition() == Some(&wanted))
            .then_http_response(move || answer(&described));
        self.rules.push(rule);
        self
    }

    async fn asked(&self, input: &UpdateInput, seconds: i64) -> Result<UpdateOutput, Error> {
        self.asked_among(None, input, seconds).await
    }

    /// The same while so many services are waited for.
    async fn asked_among(
        &self,
        running: Option<u32>,
        input: &UpdateInput,
        seconds: i64,
    ) -> Result<UpdateOutput, Error> {
        let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &self.rules));
        let ecr = mock_client!(aws_sdk_ecr, RuleMode::MatchAny, [&self.image]);
        update_service::handle(&ecs, &ecr, &Config::default(), ready(running), request(input, seconds)).await
    }

    fn sent(&self) -> Vec<String> {
        let updates = self.updates.lock().unwrap();
        let short =
            |input: &UpdateServiceInput| input.task_definition().unwrap().rsplit_once('/').unwrap().1.to_owned();
        updates.iter().map(short).collect()
    }
}

/// The rollout that is to be watched.
fn rollout(update: &UpdateOutput) -> Option<Rollout> {
    update.outcome.watched().map(|watched| watched.rollout.clone())
}

/// The last good revision.
fn previous(update: &UpdateOutput) -> Option<TaskDefinitionArn> {
    update.outcome.watched()?.previous.clone()
}

/// The revision from which a new one has to be made.
fn source(update: &UpdateOutput) -> Option<TaskDefinitionArn> {
    match &update.outcome {
        UpdateOutcome::Rebase { source } => Some(source.clone()),
        _ => None,
    }
}

/// ECR has the pushed image in this state.
fn image_is(status: &'static str) -> Rule {
    mock!(aws_sdk_ecr::Client::describe_images)
        .match_requests(|input| {
            input.repository_name() == Some("app") && input.image_ids()[0].image_digest() == Some(digest(2).as_str())
        })
        .then_http_response(move || answer(&json!({"imageDetails": [{"imageTags": ["v2"], "imageStatus": status}]})))
}

/// An ECR that has the pushed image.
fn stored() -> aws_sdk_ecr::Client {
    mock_client!(aws_sdk_ecr, RuleMode::MatchAny, [&image_is("ACTIVE")])
}

fn no_tasks() -> Rule {
    mock!(Client::list_tasks).then_http_response(|| answer(&json!({"taskArns": []})))
}

fn wanted() -> UpdateInput {
    UpdateInput {
        image: pushed(2),
        cluster: service_id().cluster,
        service: service_id().service,
        task_definition: arn("web:2"),
        source: arn("web:1"),
        deadline: None,
        wanted_since: None,
        repeated: false,
        services: 1,
        settings: RolloutSettings::default(),
    }
}

#[tokio::test]
async fn an_image_that_is_wanted_again_must_be_one_that_tasks_can_pull() {
    let refuses = |code: &'static str| {
        mock!(aws_sdk_ecr::Client::describe_images).then_http_response(move || refusal(code, "ask somebody else"))
    };
    let of_image = format!("app@{}", digest(2));
    let restore = format!(
        "its image {of_image} is archived, and no task can pull it: restore it first (aws ecr update-image-storage-class \
         --repository-name app --image-id imageDigest={} --target-storage-class STANDARD, up to 20 minutes)",
        digest(2)
    );
    let restoring = format!(
        "its image {of_image} is being restored from the archive, and no task can pull it yet: that takes up to 20 minutes; \
         redrive this execution then"
    );
    let gone = format!("its image {of_image} is gone from ECR (a lifecycle policy?): push it again");
    for (image, is_wanted_again, refused) in [
        (image_is("ACTIVE"), true, None),
        (image_is("ARCHIVED"), true, Some(&restore)),
        (image_is("ACTIVATING"), true, Some(&restoring)),
        (refuses("ImageNotFoundException"), true, Some(&gone)),
        // Nobody says that it cannot be pulled.
        (refuses("AccessDeniedException"), true, None),
        // The first time, nobody asks.
        (image_is("ARCHIVED"), false, None),
    ] {
        let fake = Fake {
            image: image.clone(),
            ..Fake::new(service([deployment("web:1")]), &[], None).knows(described("web:1", "app:v1", &[]))
        };
        let input = UpdateInput {
            wanted_since: is_wanted_again.then(|| at(60)),
            ..wanted()
        };
        let updated = fake.asked(&input, 60).await;
        if let Some(says) = refused {
            let error = updated.unwrap_err();
            assert_eq!((error.name(), &error.to_string()), ("Deploy.Rejected", says));
            assert_eq!(fake.sent(), [""; 0], "nothing is started");
        } else {
            assert_eq!(updated.unwrap().outcome.name(), "Started");
            assert_eq!(fake.sent(), ["web:2"]);
        }
        assert_eq!(image.num_calls(), usize::from(is_wanted_again));
    }
}

#[tokio::test]
async fn peer_8_an_update_sends_cluster_service_and_task_definition_and_nothing_else() {
    let fake = Fake::new(service([deployment("web:1")]), &[], None);
    let update = fake.asked(&wanted(), 60).await.unwrap();
    let only = UpdateServiceInput::builder()
        .cluster("production")
        .service("web")
        .task_definition(arn("web:2").as_str());
    assert_eq!(*fake.updates.lock().unwrap(), [only.build().unwrap()]);
    assert_eq!(
        (update.outcome.name(), previous(&update)),
        ("Started", Some(arn("web:1")))
    );
    assert_eq!(update.message, "web in production from web:1 to web:2");
    let rollout = rollout(&update).unwrap();
    assert_eq!(
        (rollout.task_definition, rollout.deployment.as_deref()),
        (arn("web:2"), Some("ecs-svc/101"))
    );
    assert_eq!((rollout.started_at, rollout.deadline), (at(2), at(60 + 30 * 60)));
    assert_eq!(
        fake.reads_history.num_calls(),
        0,
        "a steady service needs no record of its rollouts"
    );
}

#[tokio::test]
async fn an_update_that_ecs_answers_late_is_watched_from_its_own_beginning() {
    let fake = Fake::new(service([deployment("web:1")]), &[], None);
    let update = fake.asked(&wanted(), -58).await.unwrap();
    let Rollout {
        started_at,
        watched_since,
        deadline,
        ..
    } = rollout(&update).unwrap();
    assert_eq!((started_at, watched_since, deadline), (at(2), at(2), at(2 + 30 * 60)));
}

#[tokio::test]
async fn the_more_services_are_waited_for_the_later_is_the_first_read_of_a_rollout_or_at_a_turn() {
    for (running, most) in [(None, 15), (Some(25), 15), (Some(5000), 1515)] {
        let started = Fake::new(service([deployment("web:1")]), &[], None);
        let begun = started.asked_among(running, &wanted(), 60).await.unwrap();
        let back = Deployment {
            rollout_state_reason: Some("rolling back to deploymentId ecs-svc/1.".to_owned()),
            ..rolling("web:1")
        };
        let returning =
            Fake::new(service([back, given_up("web:3")]), &[], None).knows(described("web:1", "app:v1", &[]));
        let turn = returning.asked_among(running, &wanted(), 60).await.unwrap();
        assert_eq!((begun.outcome.name(), turn.outcome.name()), ("Started", "RollingBack"));
        for update in [begun, turn] {
            let is_first_come = running.is_none_or(|running| running <= 25);
            assert_eq!(update.wait == 15, is_first_come, "{running:?}: {update:?}");
            assert!((15..=most).contains(&update.wait), "{running:?}: {update:?}");
        }
    }
}

#[tokio::test]
async fn a_failed_deployment_of_ours_is_started_again_by_force() {
    let fake = Fake::new(service([given_up("web:2"), deployment("web:1")]), &[], None);
    assert_eq!(fake.asked(&wanted(), 60).await.unwrap().outcome.name(), "Started");
    let forced = fake.updates.lock().unwrap()[0].clone();
    let only = UpdateServiceInput::builder()
        .cluster("production")
        .service("web")
        .task_definition(arn("web:2").as_str());
    assert_eq!(forced, only.force_new_deployment(true).build().unwrap());
}

#[tokio::test]
async fn of_a_failed_deployment_of_a_revision_of_ours_that_was_deregistered_the_wanted_one_takes_the_place() {
    let again = UpdateInput {
        wanted_since: Some(at(60)),
        ..wanted()
    };
    for (status, sent) in [("ACTIVE", "web:4"), ("INACTIVE", "web:2")] {
        let mut duplicate = described_of_push("web:4", 2);
        duplicate["taskDefinition"]["status"] = json!(status);
        let fake = Fake::new(service([given_up("web:4"), deployment("web:1")]), &[], None).knows(duplicate);
        assert_eq!(fake.asked(&again, 60).await.unwrap().outcome.name(), "Started");
        assert_eq!(fake.sent(), [sent], "{status}");
        let forced = fake.updates.lock().unwrap()[0].force_new_deployment;
        assert_eq!(forced, (status == "ACTIVE").then_some(true));
    }
}

#[tokio::test]
async fn a_revision_of_a_push_that_is_still_to_come_is_no_newer_one() {
    for (push, outcome) in [
        ("2026-05-04T12:00:03Z 0a1b", "Superseded"),
        ("2062-05-04T12:00:03Z 0a1b", "Rebase"),
    ] {
        let tagged = described("web:9", "app:v1", &[("ecr-deploy:push/app", push)]);
        let fake = Fake::new(service([deployment("web:9")]), &[], None).knows(tagged);
        assert_eq!(
            fake.asked(&wanted(), 60).await.unwrap().outcome.name(),
            outcome,
            "{push}"
        );
    }
}

#[tokio::test]
async fn a_service_is_not_moved_to_another_familys_revision() {
    let fake = Fake::new(service([deployment("web:1")]), &[], None);
    let by_hand = UpdateInput {
        task_definition: arn("admin:7"),
        ..wanted()
    };
    let refused = fake.asked(&by_hand, 60).await.unwrap_err();
    assert_eq!(
        (refused.name(), refused.to_string().as_str()),
        (
            "Deploy.InvalidInput",
            "admin:7 is not made from web:1: a service stays in the family of its task definition. web in production is left as it is"
        )
    );
    assert_eq!(fake.sent(), Vec::<String>::new());
}

#[tokio::test]
async fn asked_twice_one_deployment_is_started() {
    let fake = Fake::new(service([deployment("web:1")]), &[], None);
    let first = fake.asked(&wanted(), 60).await.unwrap();
    let second = fake.asked(&wanted(), 61).await.unwrap();
    assert_eq!(fake.sent(), ["web:2"]);
    assert_eq!(
        (first.outcome.name(), second.outcome.name()),
        ("Started", "AlreadyDeployed")
    );
    assert_eq!(previous(&second), previous(&first));
    let (first, second) = (rollout(&first).unwrap(), rollout(&second).unwrap());
    assert_eq!(
        (second.deployment, second.started_at),
        (first.deployment, first.started_at)
    );
}

#[tokio::test]
async fn a_service_that_is_there_and_at_rest_tells_by_its_records_what_was_good_before() {
    let history = [
        record("web:2", ServiceDeploymentStatus::Successful),
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let fake = Fake::new(service([deployment("web:2")]), &history, None);
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(
        (update.outcome.name(), previous(&update)),
        ("AlreadyDeployed", Some(arn("web:1")))
    );
    assert!(fake.sent().is_empty());
}

#[tokio::test]
async fn without_anything_good_before_the_message_says_so() {
    let fake = Fake::new(service([rolling("web:1")]), &[], None).knows(described_of_push("web:1", 1));
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(previous(&update), None);
    assert_eq!(
        update.message,
        "web in production to web:2; nothing good is known to go back to"
    );
}

#[tokio::test]
async fn peer_13_a_newer_push_is_left_alone() {
    let fake =
        Fake::new(service([rolling("web:3"), deployment("web:1")]), &[], None).knows(described_of_push("web:3", 3));
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!((update.outcome.name(), rollout(&update)), ("Superseded", None));
    assert_eq!(update.message, "web in production is on web:3, of a newer push");
    assert!(fake.sent().is_empty());
}

/// A rollout that begins at the very moment at which ours does.
fn at_once(short: &str) -> Deployment {
    Deployment {
        created_at: deployment("web:2").created_at,
        ..rolling(short)
    }
}

#[tokio::test]
async fn peer_13_a_newer_push_that_came_in_at_the_same_moment_is_put_back() {
    let fake =
        Fake::new(service([deployment("web:1")]), &[], Some(at_once("web:3"))).knows(described_of_push("web:3", 3));
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!((update.outcome.name(), rollout(&update)), ("Superseded", None));
    assert_eq!(fake.sent(), ["web:2", "web:3"]);
}

#[tokio::test]
async fn somebodys_change_that_came_in_at_the_same_moment_gets_the_image_on_top() {
    let fake = Fake::new(service([deployment("web:1")]), &[], Some(at_once("web:3")))
        .knows(described("web:3", "app:v1", &[]))
        .knows(described_of_push("web:2", 2));
    let moved = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(
        (moved.outcome.name(), source(&moved), rollout(&moved)),
        ("Rebase", Some(arn("web:3")), None)
    );
    assert_eq!(moved.message, "web in production was moved to web:3 at the same moment");

    let on_top = UpdateInput {
        task_definition: arn("web:4"),
        source: arn("web:3"),
        deadline: Some(moved.deadline),
        ..wanted()
    };
    let update = fake.asked(&on_top, 75).await.unwrap();
    assert_eq!(
        (update.outcome.name(), previous(&update)),
        ("Started", Some(arn("web:1")))
    );
    assert_eq!(fake.sent(), ["web:2", "web:3", "web:4"], "the change is put back first");
    assert_eq!(
        fake.service.lock().unwrap().primary().unwrap().task_definition,
        arn("web:4")
    );
}

/// The revision of the older push, and ours, both made from `web:1`; `other` is a tag that ours has besides.
fn of_two_pushes(fake: Fake, other: Option<(&str, &str)>) -> Fake {
    let of_older = described_of_push("web:3", 1);
    let mut ours = described_of_push("web:2", 2);
    if let (Some((key, value)), Some(tags)) = (other, ours["tags"].as_array_mut()) {
        tags.push(json!({"key": key, "value": value}));
    }
    fake.knows(of_older).knows(ours)
}

#[tokio::test]
async fn a_service_that_an_older_push_has_moved_meanwhile_needs_no_other_revision() {
    let fake = of_two_pushes(
        Fake::new(service([rolling("web:3"), deployment("web:1")]), &[], None),
        None,
    );
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(
        (update.outcome.name(), fake.sent()),
        ("Started", vec!["web:2".to_owned()])
    );
    let sidecar = Some(("ecr-deploy:push/sidecar", "2026-05-04T12:00:00Z 7"));
    let fake = of_two_pushes(
        Fake::new(service([rolling("web:3"), deployment("web:1")]), &[], None),
        sidecar,
    );
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(
        (update.outcome.name(), source(&update), fake.sent()),
        ("Rebase", Some(arn("web:3")), vec![]),
        "another repository's image would be lost, or come in"
    );
}

#[tokio::test]
async fn an_older_push_that_was_replaced_unseen_is_not_put_back() {
    let fake = of_two_pushes(
        Fake::new(service([deployment("web:1")]), &[], Some(rolling("web:3"))),
        None,
    );
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(
        (update.outcome.name(), fake.sent()),
        ("Started", vec!["web:2".to_owned()])
    );
}

#[tokio::test]
async fn what_an_old_read_did_not_show_is_not_put_back_unless_it_is_a_newer_push() {
    let before = |short| Deployment {
        created_at: at(-5),
        ..rolling(short)
    };
    let of_others =
        Fake::new(service([deployment("web:1")]), &[], Some(before("web:3"))).knows(described("web:3", "app:v1", &[]));
    let moved = of_others.asked(&wanted(), 60).await.unwrap();
    assert_eq!((moved.outcome.name(), source(&moved)), ("Rebase", Some(arn("web:3"))));
    assert_eq!(of_others.sent(), ["web:2"]);
    let newer =
        Fake::new(service([deployment("web:1")]), &[], Some(before("web:3"))).knows(described_of_push("web:3", 3));
    assert_eq!(newer.asked(&wanted(), 60).await.unwrap().outcome.name(), "Superseded");
    assert_eq!(newer.sent(), ["web:2", "web:3"]);
}

#[tokio::test]
async fn another_revision_of_the_same_push_that_an_old_read_did_not_show_is_not_put_back() {
    let earlier = Some(at_once("web:3"));
    let fake = Fake::new(service([deployment("web:1")]), &[], earlier).knows(described_of_push("web:3", 2));
    assert_eq!(fake.asked(&wanted(), 60).await.unwrap().outcome.name(), "Started");
    assert_eq!(fake.sent(), ["web:2"]);
}

#[tokio::test]
async fn a_repeated_event_of_a_push_that_was_rolled_back_is_an_error_that_says_so() {
    let history = [
        ServiceDeployment {
            status_reason: Some("ECS deployment circuit breaker: tasks failed to start.".to_owned()),
            ..record("web:2", ServiceDeploymentStatus::RolledBack)
        },
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let fake = Fake::new(service([deployment("web:1")]), &history, None)
        .knows(described_of_push("web:1", 1))
        .knows(described_of_push("web:2", 2));
    let asked = |again: bool| UpdateInput {
        wanted_since: again.then(|| at(60)),
        repeated: true,
        ..wanted()
    };
    let error = fake.asked(&asked(false), 3600).await.unwrap_err();
    assert_eq!(
        (error.name(), error.to_string().as_str()),
        (
            "Deploy.RolledBack",
            "web in production was on web:2 before, for this push. That rollout did not become stable (ECS deployment circuit \
             breaker: tasks failed to start). The service is on web:1 now"
        )
    );
    assert!(fake.sent().is_empty());
    let again = fake.asked(&asked(true), 3600).await.unwrap();
    assert_eq!(again.outcome.name(), "Started");
    assert_eq!(fake.sent(), ["web:2"]);
}

/// `web:2` as it was registered for the same image under another tag, so many seconds after noon; the push is at two.
fn described_of_other_tag(seconds: i64) -> Value {
    let push = format!("{} 9f9f {} sha-abc", at(seconds), digest(2));
    let tags = [("ecr-deploy:push/app", push.as_str()), ("ecr-deploy:source", "web:1")];
    described("web:2", "app:sha-abc", &tags)
}

#[tokio::test]
async fn a_service_that_runs_the_image_under_another_tag_of_the_same_minute_is_there() {
    let wanted = UpdateInput {
        task_definition: arn("web:3"),
        repeated: true,
        ..wanted()
    };
    for on in [deployment("web:2"), rolling("web:2")] {
        for seconds in [0, 2, 4, 60] {
            let fake = Fake::new(service([on.clone()]), &[], None).knows(described_of_other_tag(seconds));
            let update = fake.asked(&wanted, 60).await.unwrap();
            assert_eq!(update.outcome.name(), "AlreadyDeployed", "{seconds}");
            assert_eq!(rollout(&update).unwrap().task_definition, arn("web:2"));
            assert!(fake.sent().is_empty());
        }
    }
    let later = Fake::new(service([deployment("web:2")]), &[], None).knows(described_of_other_tag(-59));
    let promoted = UpdateInput {
        source: arn("web:2"),
        repeated: false,
        ..wanted
    };
    assert_eq!(later.asked(&promoted, 60).await.unwrap().outcome.name(), "Started");
    assert_eq!(later.sent(), ["web:3"]);
}

#[tokio::test]
async fn an_image_that_was_rolled_back_under_one_tag_is_not_tried_again_under_the_next() {
    let history = [
        record("web:2", ServiceDeploymentStatus::RolledBack),
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let fake = Fake::new(service([deployment("web:1")]), &history, None)
        .knows(described_of_push("web:1", 0))
        .knows(described_of_other_tag(1));
    let asked = UpdateInput {
        repeated: true,
        ..wanted()
    };
    assert_eq!(fake.asked(&asked, 60).await.unwrap_err().name(), "Deploy.RolledBack");
    assert!(fake.sent().is_empty());
}

#[tokio::test]
async fn an_image_whose_next_tag_comes_after_another_push_is_made_from_that_one() {
    let history = [
        record("web:3", ServiceDeploymentStatus::Successful),
        record("web:2", ServiceDeploymentStatus::Stopped),
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let fake = Fake::new(service([deployment("web:3")]), &history, None)
        .knows(described_of_push("web:3", 1))
        .knows(described_of_push("web:1", 0))
        .knows(described_of_other_tag(0));
    let asked = UpdateInput {
        repeated: true,
        ..wanted()
    };
    let update = fake.asked(&asked, 60).await.unwrap();
    assert_eq!((update.outcome.name(), source(&update)), ("Rebase", Some(arn("web:3"))));
    assert_eq!(update.deadline, at(60 + 30 * 60));
    assert!(fake.sent().is_empty());
    // The time of the first try counts for the later ones.
    let again = UpdateInput {
        deadline: Some(at(100)),
        ..asked
    };
    assert_eq!(fake.asked(&again, 100).await.unwrap().deadline, at(100));
    assert_eq!(fake.asked(&again, 101).await.unwrap_err().name(), "Deploy.Rejected");
}

#[tokio::test]
async fn a_first_turn_on_a_service_at_rest_needs_no_records() {
    let fake = Fake::new(service([deployment("web:1")]), &[], None);
    fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(fake.reads_history.num_calls(), 0);
}

#[tokio::test]
async fn why_tasks_crashed_counts_for_whoever_watches_the_same_rollout_but_not_when_it_is_wanted_again() {
    let watched_at = async |deployments: Vec<Deployment>, again: bool, seconds: i64| {
        let fake = Fake::new(service(deployments), &[], None);
        let asked = UpdateInput {
            wanted_since: again.then(|| at(60)),
            repeated: true,
            ..wanted()
        };
        let update = fake.asked(&asked, seconds).await.unwrap();
        assert_eq!(update.outcome.name(), "AlreadyDeployed");
        let rollout = rollout(&update).unwrap();
        assert_eq!(rollout.started_at, at(2));
        rollout.watched_since
    };
    let watched = async |on, again| watched_at(vec![on], again, 600).await;
    assert_eq!(watched(rolling("web:2"), false).await, at(2));
    assert_eq!(watched(rolling("web:2"), true).await, at(600));
    assert_eq!(watched(deployment("web:2"), false).await, at(600));
    // ECS completes the rollout when the last old task is gone. It is over when it had its time.
    let drains = || {
        let ours = Deployment {
            running_count: 2,
            pending_count: 0,
            ..rolling("web:2")
        };
        let old = Deployment {
            desired_count: 0,
            ..deployment("web:1")
        };
        vec![ours, old]
    };
    assert_eq!(watched_at(drains(), false, 1801).await, at(2));
    assert_eq!(watched_at(drains(), false, 1802).await, at(1802));
}

#[tokio::test]
async fn a_rollback_under_way_is_waited_for_until_the_deadline_of_the_first_try() {
    let fake =
        Fake::new(service([rolling("web:1"), given_up("web:5")]), &[], None).knows(described_of_push("web:1", 1));
    let returning = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!(
        (returning.outcome.name(), returning.deadline),
        ("RollingBack", at(60 + 30 * 60))
    );
    assert_eq!(returning.message, "web in production is rolling back to web:1");
    let again = UpdateInput {
        deadline: Some(at(100)),
        ..wanted()
    };
    assert_eq!(fake.asked(&again, 100).await.unwrap().deadline, at(100));
    let Err(Error::Rejected(message)) = fake.asked(&again, 101).await else {
        panic!("it was never updated")
    };
    assert!(
        message.starts_with("web in production is rolling back to web:1, and could not be updated"),
        "{message}"
    );
    assert!(message.ends_with("redrive this execution"), "{message}");
    assert!(fake.sent().is_empty());
}

/// As behind a Classic Load Balancer.
#[tokio::test]
async fn where_ecs_tells_no_rollout_state_its_records_are_asked_also_of_a_service_that_seems_at_rest() {
    let alone = Deployment {
        rollout_state: None,
        ..deployment("web:1")
    };
    let records = |newest| {
        [
            record("web:5", newest),
            record("web:1", ServiceDeploymentStatus::Successful),
        ]
    };
    for (newest, outcome, sent) in [
        (ServiceDeploymentStatus::RollingBack, "RollingBack", vec![]),
        (ServiceDeploymentStatus::RolledBack, "Started", vec!["web:2"]),
    ] {
        let fake = Fake::new(service([alone.clone()]), &records(newest), None);
        let fake = fake.knows(described("web:1", "app:v1", &[]));
        let update = fake.asked(&wanted(), 60).await.unwrap();
        assert_eq!(update.outcome.name(), outcome, "{newest:?}");
        assert_eq!(fake.sent(), sent, "{newest:?}");
    }
}

#[tokio::test]
async fn a_rollback_whose_tasks_crash_too_is_not_waited_for() {
    let (web, router) = (json!({"name": "web", "exitCode": 0}), json!({"name": "router"}));
    for (status, containers, outcome, sent) in [
        (
            "STOPPED",
            json!([{"name": "web", "exitCode": 1}]),
            "Started",
            vec!["web:2"],
        ),
        // The work has ended well, and its sidecar still stops.
        ("STOPPING", json!([web, router]), "RollingBack", vec![]),
        ("STOPPING", json!([router]), "RollingBack", vec![]),
        ("STOPPED", json!([web, router]), "Started", vec!["web:2"]),
    ] {
        let task = json!({"startedBy": rolling("web:1").id, "stopCode": "EssentialContainerExited",
            "lastStatus": status, "containers": containers});
        let tasks = json!({"tasks": [task, task, task]});
        let mut fake =
            Fake::new(service([rolling("web:1"), given_up("web:5")]), &[], None).knows(described_of_push("web:1", 1));
        let arns = json!({"taskArns": ["1", "2", "3"]});
        fake.rules
            .insert(0, mock!(Client::list_tasks).then_http_response(move || answer(&arns)));
        fake.rules
            .push(mock!(Client::describe_tasks).then_http_response(move || answer(&tasks)));
        let update = fake.asked(&wanted(), 60).await.unwrap();
        assert_eq!(update.outcome.name(), outcome, "{status} {containers}");
        assert_eq!(fake.sent(), sent, "{status} {containers}");
    }
}

#[tokio::test]
async fn a_rollback_to_the_source_itself_is_waited_for() {
    let tags = [("ecr-deploy:rolled-back", "web:9")];
    let fake = Fake::new(service([rolling("web:1")]), &[], None).knows(described("web:1", "app:v1", &tags));
    assert_eq!(fake.asked(&wanted(), 60).await.unwrap().outcome.name(), "RollingBack");
}

#[tokio::test]
async fn a_service_that_was_deleted_is_an_outcome_and_one_that_refuses_an_error_that_names_it() {
    let missing = mock!(Client::describe_services)
        .then_http_response(|| answer(&json!({"services": [], "failures": [{"arn": "web", "reason": "MISSING"}]})));
    let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&missing]));
    let gone = update_service::handle(&ecs, &stored(), &Config::default(), ready(None), request(&wanted(), 60))
        .await
        .unwrap();
    assert_eq!((gone.outcome.name(), rollout(&gone)), ("ServiceDeleted", None));
    let says = "web in production is not there (DescribeServices: MISSING): it was deleted, or its name is mistyped";
    assert!(gone.message.starts_with(says), "{}", gone.message);

    let refused = refusing("InvalidParameterException", "no", described_of_push("web:2", 2)).await;
    let refused = refused.unwrap_err();
    let says = "UpdateService of web in production to web:2: InvalidParameterException: no";
    assert!(
        refused.name() == "Deploy.Rejected" && refused.to_string().starts_with(says),
        "{refused}"
    );
}

/// By its own plan a linear deployment of ECS takes 54 minutes and its bake time, which is longer than a rollout may take.
#[tokio::test]
async fn a_rollout_has_its_time_beside_the_waits_that_ecs_plans() {
    let settings = RolloutSettings::default();
    for minutes in [0, 69] {
        let planned_wait = jiff::SignedDuration::from_mins(minutes);
        let baking = Service {
            planned_wait,
            ..service([deployment("web:1")])
        };
        let update = Fake::new(baking, &[], None).asked(&wanted(), 60).await.unwrap();
        let deadline = rollout(&update).unwrap().deadline;
        assert_eq!(deadline, at(60) + settings.rollout_timeout + planned_wait, "{update:?}");
    }
}

/// The plan may be days old: stages soak, and services wait for others.
#[tokio::test]
async fn a_hold_that_was_set_after_the_plan_was_made_keeps_the_service_and_is_told_in_its_words() {
    let held = |text: &str| Service {
        tags: ServiceTags {
            hold: Some(text.to_owned()),
            ..ServiceTags::default()
        },
        ..service([deployment("web:1")])
    };
    let fake = Fake::new(held("ann - v2 is slow"), &[], None);
    let update = fake.asked(&wanted(), 60).await.unwrap();
    assert_eq!((update.outcome, fake.sent()), (UpdateOutcome::OnHold {}, vec![]));
    let says = "web in production stays as it is: its tag ecr-deploy:hold was set after the plan was made: \"ann - v2 is slow\"";
    assert_eq!(update.message, says);
    for lifted in ["none", "until 2018-03-17T00:00:00Z ann"] {
        let fake = Fake::new(held(lifted), &[], None);
        assert_eq!(
            fake.asked(&wanted(), 60).await.unwrap().outcome.name(),
            "Started",
            "{lifted}"
        );
    }
}

/// ECS names the revision of such a service only in its primary deployment.
#[tokio::test]
async fn a_service_in_express_mode_is_moved_like_any_other_and_a_refusal_says_what_it_is() {
    let express = || Service {
        is_express: true,
        ..service([deployment("web:1")])
    };
    let fake = Fake::new(express(), &[], None);
    assert_eq!(fake.asked(&wanted(), 60).await.unwrap().outcome.name(), "Started");
    assert_eq!(fake.sent(), ["web:2"]);
    let described = described_of_push("web:2", 2);
    let refused = refused_by(express(), "InvalidParameterException", "not this one", described).await;
    let refused = refused.unwrap_err().to_string();
    let says = "UpdateService of web in production to web:2: InvalidParameterException: not this one";
    assert!(refused.starts_with(says), "{refused}");
    assert!(refused.contains("The service is in Express Mode"), "{refused}");
}

/// A service on `web:1`, whose update ECS refuses; `described` is what is known of `web:2`.
async fn refusing(code: &'static str, message: &'static str, described: Value) -> Result<UpdateOutput, Error> {
    refused_by(service([deployment("web:1")]), code, message, described).await
}

/// The same for this service.
async fn refused_by(
    service: Service,
    code: &'static str,
    message: &'static str,
    described: Value,
) -> Result<UpdateOutput, Error> {
    let there = mock!(Client::describe_services).then_http_response(move || answer(&described_services([&service])));
    let refuse = mock!(Client::update_service).then_http_response(|| refusal(code, message));
    let tells = mock!(Client::describe_task_definition)
        .match_requests(|input| input.task_definition() == Some(arn("web:2").as_str()))
        .then_http_response(move || match &described {
            Value::Null => refusal("ClientException", "Unable to describe task definition."),
            described => answer(described),
        });
    let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&there, &refuse, &tells]));
    update_service::handle(&ecs, &stored(), &Config::default(), ready(None), request(&wanted(), 60)).await
}

#[tokio::test]
async fn a_revision_that_was_deregistered_or_deleted_meanwhile_is_made_anew_from_what_the_service_is_on() {
    let mut deregistered = described_of_push("web:2", 2);
    deregistered["taskDefinition"]["status"] = json!("INACTIVE");
    for described in [deregistered, Value::Null] {
        let update = refusing("ClientException", "TaskDefinition is inactive", described).await;
        let update = update.unwrap();
        assert_eq!(
            (update.outcome.name(), source(&update), rollout(&update)),
            ("Rebase", Some(arn("web:1")), None)
        );
        assert_eq!(
            update.message,
            "web in production cannot be moved to web:2, which was deregistered"
        );
    }
}

/// How ECS answers to an update.
#[derive(Clone, Copy, PartialEq)]
enum Answered {
    /// It refuses for now; then this is so.
    Throttled,
    /// It takes effect, and its answer is lost.
    Lost,
    /// As it should.
    Told,
}

/// A change to a service.
type Change = fn(&mut Service);

/// A service on web:1 whose updates ECS answers so, one after the other; after each one what is said happens to the service.
/// Returns what came of it, and the revisions that it was moved to.
async fn moved(
    answers: &[(Answered, Change)],
    history: &[ServiceDeployment],
    asked: &UpdateInput,
    described: &[Value],
) -> (Result<UpdateOutput, Error>, Vec<String>) {
    moved_from(service([deployment("web:1")]), answers, history, asked, described).await
}

/// The same, of a service that stands like this.
async fn moved_from(
    before: Service,
    answers: &[(Answered, Change)],
    history: &[ServiceDeployment],
    asked: &UpdateInput,
    described: &[Value],
) -> (Result<UpdateOutput, Error>, Vec<String>) {
    let state = Arc::new(Mutex::new(before));
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (listed, revisions) = listed_deployments(history);
    let read = Arc::clone(&state);
    let mut rules = vec![
        mock!(Client::describe_services)
            .then_http_response(move || answer(&described_services([&*read.lock().unwrap()]))),
        mock!(Client::list_service_deployments).then_http_response(move || answer(&listed)),
        mock!(Client::describe_service_revisions).then_http_response(move || answer(&revisions)),
        no_tasks(),
    ];
    for described in described.iter().cloned() {
        let arn = described["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned();
        let tells = mock!(Client::describe_task_definition)
            .match_requests(move |input| input.task_definition() == Some(&arn))
            .then_http_response(move || answer(&described));
        rules.push(tells);
    }
    let answers = answers.to_vec();
    let (log, asked_for) = (Arc::clone(&sent), Arc::new(Mutex::new(String::new())));
    let wanted = Arc::clone(&asked_for);
    let update = mock!(Client::update_service)
        .match_requests(move |input| {
            let short = input.task_definition().unwrap().rsplit_once('/').unwrap().1;
            short.clone_into(&mut wanted.lock().unwrap());
            true
        })
        .then_http_response(move || {
            let mut sent = log.lock().unwrap();
            let to = asked_for.lock().unwrap().clone();
            let (answered, change) = answers
                .get(sent.len())
                .copied()
                .unwrap_or((Answered::Throttled, |_| ()));
            sent.push(to.clone());
            let mut state = state.lock().unwrap();
            if answered != Answered::Throttled {
                let began = Deployment {
                    id: format!("ecs-svc/{}", 100 + sent.len()),
                    ..rolling(&to)
                };
                let before: Vec<Deployment> = state.deployments.drain(..).collect();
                let before = before.into_iter().map(|known| Deployment {
                    is_primary: false,
                    ..known
                });
                *state = service([began].into_iter().chain(before));
            }
            change(&mut state);
            match answered {
                Answered::Throttled => refusal("ThrottlingException", "Rate exceeded"),
                Answered::Lost => refusal("ServerException", "lost"),
                Answered::Told => answer(&json!({"service": wire(&state)})),
            }
        });
    rules.push(update);
    let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &rules));
    let update = update_service::handle(&ecs, &stored(), &Config::default(), ready(None), request(asked, 60)).await;
    let sent = sent.lock().unwrap().clone();
    (update, sent)
}

/// Somebody else's rollout replaces what there is.
fn replaced_by(state: &mut Service, deployment: Deployment) {
    let before: Vec<Deployment> = state.deployments.drain(..).collect();
    let before = before.into_iter().map(|known| Deployment {
        is_primary: false,
        ..known
    });
    *state = service([deployment].into_iter().chain(before));
}

/// A service whose revision is `on`, which is read in so many seconds; each time the next one of these happens to the
/// service meanwhile. Returns what came of it, the revisions that it was moved to, and how often it and its revision were read.
async fn read_at(
    on: Value,
    seconds: u64,
    meanwhile: Vec<Change>,
    history: &[ServiceDeployment],
    asked: &UpdateInput,
    before: Service,
) -> (Result<UpdateOutput, Error>, Vec<String>, [usize; 2]) {
    let mut fake = Fake::new(before, history, None).knows(described("web:3", "app:v1", &[]));
    let (state, mut meanwhile) = (Arc::clone(&fake.service), meanwhile.into_iter());
    let revision = on["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned();
    let meanwhile = Mutex::new(move || {
        pass(seconds);
        if let Some(change) = meanwhile.next() {
            change(&mut state.lock().unwrap());
        }
    });
    let slowly = mock!(Client::describe_task_definition)
        .match_requests(move |input| input.task_definition() == Some(&revision))
        .then_http_response(move || {
            meanwhile.lock().unwrap()();
            answer(&on)
        });
    fake.rules.push(slowly.clone());
    let update = fake.asked(asked, 60).await;
    let reads = [fake.rules[0].num_calls(), slowly.num_calls()];
    (update, fake.sent(), reads)
}

/// Asked for the push a second time, by an event that came twice: then web:1 is read after the service.
fn repeated() -> UpdateInput {
    UpdateInput {
        repeated: true,
        services: 1,
        ..wanted()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_has_moved_during_a_slow_read_is_read_again() {
    // The other execution has deployed the image, which does not run, and is taking it back.
    let back: Change = |state| *state = service([rolling("web:1"), given_up("web:2")]);
    let on = described("web:1", "app:v1", &[]);
    let before = service([deployment("web:1")]);
    let (update, sent, reads) = read_at(on, 7, vec![back], &[], &repeated(), before).await;
    assert_eq!(update.unwrap().outcome.name(), "RollingBack");
    assert!(sent.is_empty(), "{sent:?}");
    assert_eq!(reads, [3, 2], "the second read is compared too, as it was slow");
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_of_a_service_that_has_not_moved_counts_and_a_fresh_one_is_not_compared() {
    for (seconds, services_read) in [(0, 1), (1, 1), (2, 2)] {
        let tasks_came: Change = |state| state.deployments[0].pending_count = 1;
        let on = described("web:1", "app:v1", &[]);
        let before = service([deployment("web:1")]);
        let (update, sent, reads) = read_at(on, seconds, vec![tasks_came], &[], &repeated(), before).await;
        assert_eq!(update.unwrap().outcome.name(), "Started", "{seconds} s");
        assert_eq!(sent, ["web:2"]);
        assert_eq!(reads, [services_read, 1], "{seconds} s");
    }
}

/// Two pushes move a service at once, and the records are listed after the other one's update.
#[tokio::test(start_paused = true)]
async fn a_rollout_that_the_records_tell_of_and_the_fresh_read_does_not_show_is_read_and_not_replaced() {
    let begun: Change = |state| replaced_by(state, rolling("web:3"));
    let history = |newest| {
        [
            record(newest, ServiceDeploymentStatus::UnderWay),
            record("web:1", ServiceDeploymentStatus::Successful),
        ]
    };
    let read = async |newest, meanwhile| {
        let (on, before) = (described("web:1", "app:v1", &[]), service([deployment("web:1")]));
        read_at(on, 0, meanwhile, &history(newest), &repeated(), before).await
    };
    let (update, sent, reads) = read("web:3", vec![begun]).await;
    assert_eq!(update.unwrap().outcome.name(), "Rebase");
    assert_eq!((sent, reads[0]), (vec![], 2));
    let (update, sent, reads) = read("web:3", vec![]).await;
    assert_eq!(update.unwrap().outcome.name(), "Started", "ECS shows no other service");
    assert_eq!((sent, reads[0]), (vec!["web:2".to_owned()], 2));
    let (_, sent, reads) = read("web:1", vec![]).await;
    assert_eq!((sent, reads[0]), (vec!["web:2".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn where_a_service_moves_again_and_again_the_third_read_counts_and_what_it_did_not_show_is_seen_after_the_update()
{
    let again: Change = |state| state.deployments[0].id.push('0');
    for (moves, outcome, moved_to) in [(2, "Started", vec!["web:2"]), (3, "Rebase", vec!["web:2", "web:1"])] {
        let on = described("web:1", "app:v1", &[]);
        let before = service([deployment("web:1")]);
        let (update, sent, reads) = read_at(on, 7, vec![again; moves], &[], &repeated(), before).await;
        assert_eq!(
            (update.unwrap().outcome.name(), sent),
            (outcome, moved_to.iter().map(ToString::to_string).collect())
        );
        assert_eq!(reads[0], 3, "{moves} moves");
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_that_another_execution_had_its_turn_with_during_a_slow_read_is_not_tried_again() {
    let history = [
        record("web:2", ServiceDeploymentStatus::RolledBack),
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let went_back: Change = |state| {
        *state = service([Deployment {
            id: "ecs-svc/50".to_owned(),
            ..deployment("web:1")
        }]);
    };
    let on = described("web:1", "app:v1", &[]);
    // Until then a deployment of web:1 itself was under way.
    let before = service([rolling("web:1")]);
    let (update, sent, _) = read_at(on, 7, vec![went_back], &history, &wanted(), before).await;
    assert_eq!(update.unwrap_err().name(), "Deploy.RolledBack");
    assert!(sent.is_empty(), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn an_update_that_was_throttled_is_not_sent_on_the_old_read() {
    let newer: Change = |state| replaced_by(state, rolling("web:3"));
    let known = [described_of_push("web:3", 3)];
    let (update, sent) = moved(&[(Answered::Throttled, newer)], &[], &wanted(), &known).await;
    assert_eq!(update.unwrap().outcome.name(), "Superseded");
    assert_eq!(sent, ["web:2"], "it was sent once, and throttled");

    // Another execution of the same push has deployed it meanwhile, and is taking it back.
    let back: Change = |state| {
        replaced_by(
            state,
            Deployment {
                id: "ecs-svc/50".to_owned(),
                ..rolling("web:1")
            },
        );
    };
    let history = [
        record("web:2", ServiceDeploymentStatus::RollingBack),
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let known = [described("web:1", "app:v1", &[])];
    let (update, sent) = moved(&[(Answered::Throttled, back)], &history, &wanted(), &known).await;
    assert_eq!(update.unwrap().outcome.name(), "RollingBack");
    assert_eq!(sent, ["web:2"]);
}

#[tokio::test(start_paused = true)]
async fn a_push_that_another_execution_had_its_turn_with_while_this_one_was_throttled_is_not_tried_again() {
    let history = [
        record("web:2", ServiceDeploymentStatus::RolledBack),
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let known = [described("web:1", "app:v1", &[])];
    let (update, sent) = moved(&[(Answered::Throttled, |_| ())], &history, &wanted(), &known).await;
    assert_eq!(update.unwrap_err().name(), "Deploy.RolledBack");
    assert_eq!(sent, ["web:2"]);
    let again = UpdateInput {
        wanted_since: Some(at(60)),
        services: 1,
        ..wanted()
    };
    let answers: [(Answered, Change); 2] = [(Answered::Throttled, |_| ()), (Answered::Told, |_| ())];
    let (update, _) = moved(&answers, &history, &again, &known).await;
    assert_eq!(update.unwrap().outcome.name(), "Started", "an operator wants it again");
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_answer_is_lost_is_one_deployment_and_the_same_answer() {
    let told = moved(&[(Answered::Told, |_| ())], &[], &wanted(), &[]).await;
    for state in [RolloutState::InProgress, RolloutState::Completed] {
        let settled: Change = match state {
            RolloutState::Completed => |state| state.deployments[0].rollout_state = Some(RolloutState::Completed),
            _ => |_| (),
        };
        let lost = moved(&[(Answered::Lost, settled)], &[], &wanted(), &[]).await;
        assert_eq!(lost.1, ["web:2"]);
        let (told, lost) = (told.0.as_ref().unwrap(), lost.0.unwrap());
        assert_eq!((lost.outcome.name(), previous(&lost)), ("Started", Some(arn("web:1"))));
        assert_eq!(lost.message, told.message);
        let (told, lost) = (rollout(told).unwrap(), rollout(&lost).unwrap());
        assert_eq!((&lost.deployment, lost.started_at), (&told.deployment, told.started_at));
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_the_clients_to_repeat_and_the_state_machines() {
    let later = mock!(Client::describe_services).then_http_response(|| refusal("RequestExpired", "later"));
    let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&later]));
    let before = tokio::time::Instant::now();
    let error = update_service::handle(&ecs, &stored(), &Config::default(), ready(None), request(&wanted(), 60)).await;
    assert_eq!(error.unwrap_err().name(), "Deploy.Unavailable");
    assert!(before.elapsed().is_zero(), "it does not wait and read again");
}

#[tokio::test(start_paused = true)]
async fn what_another_execution_has_deployed_while_this_one_was_throttled_was_there_already() {
    let others: Change = |state| replaced_by(state, rolling("web:4"));
    let known = [described_of_push("web:4", 2)];
    let (update, sent) = moved(&[(Answered::Throttled, others)], &[], &wanted(), &known).await;
    let update = update.unwrap();
    assert_eq!(update.outcome.name(), "AlreadyDeployed");
    assert_eq!(rollout(&update).unwrap().task_definition, arn("web:4"));
    assert_eq!(sent, ["web:2"]);

    // One that had failed goes on after all.
    let failed: Change = |state| replaced_by(state, given_up("web:2"));
    let goes_on: Change = |state| state.deployments[0].rollout_state = Some(RolloutState::InProgress);
    let answers = [(Answered::Throttled, failed), (Answered::Throttled, goes_on)];
    let redriven = UpdateInput {
        wanted_since: Some(at(60)),
        ..wanted()
    };
    let (update, sent) = moved(&answers, &[], &redriven, &[]).await;
    assert_eq!(update.unwrap().outcome.name(), "AlreadyDeployed");
    assert_eq!(sent, ["web:2", "web:2"]);
    // It may be the rollout of another tag of the image, or ours: it is watched, and not begun once more.
    let (update, sent) = moved(&answers[..1], &[], &wanted(), &[]).await;
    assert_eq!(update.unwrap().outcome.name(), "Started");
    assert_eq!(sent, ["web:2"]);
}

#[tokio::test(start_paused = true)]
async fn what_stays_throttled_is_given_back_to_the_state_machine() {
    let (update, sent) = moved(&[], &[], &wanted(), &[described("web:1", "app:v1", &[])]).await;
    assert_eq!(update.unwrap_err().name(), "Deploy.Unavailable");
    assert_eq!(sent, ["web:2"; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_newer_push_is_put_back_though_the_answer_was_lost_or_putting_it_back_was_throttled() {
    let newer_before: Change = |state| {
        state.deployments.push(at_once("web:3"));
    };
    let known = [described_of_push("web:3", 3)];
    for first in [Answered::Told, Answered::Lost] {
        let answers = [
            (first, newer_before),
            (Answered::Throttled, |_: &mut Service| ()),
            (Answered::Told, |_| ()),
        ];
        let (update, sent) = moved(&answers, &[], &wanted(), &known).await;
        assert_eq!(update.unwrap().outcome.name(), "Superseded");
        assert_eq!(sent, ["web:2", "web:3", "web:3"]);
    }
    // The newer push has come back by itself before it was put back.
    let came_back: Change = |state| {
        replaced_by(
            state,
            Deployment {
                id: "ecs-svc/60".to_owned(),
                ..rolling("web:3")
            },
        );
    };
    let answers = [(Answered::Told, newer_before), (Answered::Throttled, came_back)];
    let (update, sent) = moved(&answers, &[], &wanted(), &known).await;
    assert_eq!(update.unwrap().outcome.name(), "Superseded");
    assert_eq!(sent, ["web:2", "web:3"]);
}

#[tokio::test(start_paused = true)]
async fn somebodys_change_gets_the_image_on_top_though_it_could_not_be_put_back_first() {
    let between: Change = |state| {
        state.deployments.push(at_once("web:3"));
    };
    let answers = [(Answered::Told, between), (Answered::Throttled, |_: &mut Service| ())];
    let (update, sent) = moved(&answers, &[], &wanted(), &[described("web:3", "app:v1", &[])]).await;
    let update = update.unwrap();
    assert_eq!((update.outcome.name(), source(&update)), ("Rebase", Some(arn("web:3"))));
    assert_eq!(sent, ["web:2", "web:3"]);
}

/// Another repository's push is being rolled out at the read, and is through when the update replaces it.
#[tokio::test]
async fn what_completed_between_the_read_and_the_update_is_what_is_gone_back_to() {
    let completed: Change = |state| {
        for known in &mut state.deployments {
            if known.task_definition == arn("web:3") {
                known.rollout_state = Some(RolloutState::Completed);
            }
        }
    };
    let asked = UpdateInput {
        source: arn("web:3"),
        task_definition: arn("web:4"),
        ..wanted()
    };
    let other = rolling("web:3");
    let known = [described("web:3", "app:v1", &[])];
    let mut state = service([deployment("web:1")]);
    replaced_by(&mut state, other);
    let (update, sent) = moved_from(state, &[(Answered::Told, completed)], &[], &asked, &known).await;
    assert_eq!(sent, ["web:4"]);
    assert_eq!(previous(&update.unwrap()), Some(arn("web:3")));
}

#[tokio::test]
async fn a_rollout_of_this_push_that_began_during_the_read_is_waited_for() {
    let history = [
        record("web:2", ServiceDeploymentStatus::UnderWay),
        record("web:1", ServiceDeploymentStatus::Successful),
    ];
    let fake = Fake::new(service([deployment("web:1")]), &history, None).knows(described("web:1", "app:v1", &[]));
    let asked = UpdateInput {
        repeated: true,
        services: 1,
        ..wanted()
    };
    let returning = fake.asked(&asked, 60).await.unwrap();
    assert_eq!(returning.outcome.name(), "RollingBack");
    assert_eq!(
        returning.message,
        "web in production has just begun a rollout to web:2, of this push"
    );
}

#[tokio::test]
async fn input_that_does_not_fit_the_contract_is_named() {
    let fake = Fake::new(service([deployment("web:1")]), &[], None);
    let ecs = Ecs::with_client(mock_client!(aws_sdk_ecs, RuleMode::MatchAny, &fake.rules));
    let error = update_service::handle(
        &ecs,
        &stored(),
        &Config::default(),
        ready(None),
        request(&json!({"cluster": ""}), 60),
    )
    .await
    .unwrap_err();
    assert!(
        error.name() == "Deploy.InvalidInput" && error.to_string().contains("cluster"),
        "{error}"
    );
}
