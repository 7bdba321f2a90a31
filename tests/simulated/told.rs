//! The events of a push that a rule of others receives.

use crate::support::{LIMIT, Scene, outcome, scenarios};
use ecr_deploy::contract::{PushState, PushStateChange, ServiceState, ServiceStateChange, SkipReason};
use local_aws::pause;
use serde_json::{Value, json};
use simulated_ecs::Seed;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

scenarios![
    a_rule_receives_the_begin_the_holds_and_the_end_of_a_good_push,
    a_rule_receives_the_rollback_and_the_failure_of_a_bad_push_and_each_attempt_anew,
    a_rule_receives_once_that_a_rollout_waits_for_a_person,
];

/// A queue that receives every event about a scene.
struct Listener<'a> {
    scene: &'a Scene,
    queue: String,
    received: Vec<Value>,
}

/// The states that were received of a scene: of each service, and of the push.
type States = BTreeMap<String, Vec<String>>;

impl<'a> Listener<'a> {
    fn new(scene: &'a Scene) -> Self {
        let name = format!("{}told", scene.prefix());
        let queue = scene
            .on
            .aws
            .cli(&["sqs", "create-queue", "--queue-name", &name])
            .unwrap();
        let queue: Value = serde_json::from_str(&queue).unwrap();
        let pattern = json!({"source": ["ecr-deploy"], "detail": {"image": {"repository": [scene.repository()]}}});
        let arn = format!("arn:aws:sqs:{}:{}:{name}", local_aws::REGION, local_aws::ACCOUNT);
        let put_rule = [
            "events",
            "put-rule",
            "--name",
            &name,
            "--event-pattern",
            &pattern.to_string(),
        ];
        scene.on.aws.cli(&put_rule).unwrap();
        let target = format!("Id=queue,Arn={arn}");
        let put_targets = ["events", "put-targets", "--rule", &name, "--targets", &target];
        scene.on.aws.cli(&put_targets).unwrap();
        Self {
            scene,
            queue: queue["QueueUrl"].as_str().unwrap().to_owned(),
            received: Vec::new(),
        }
    }

    /// Waits until the push has told an end so many times.
    async fn until_ended(&mut self, times: usize) {
        let begun = Instant::now();
        loop {
            self.receive();
            let is_end = |push: &PushStateChange| push.state != PushState::Started;
            if self.pushes().iter().filter(|push| is_end(push)).count() >= times {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{:#?}", self.received);
            pause(Duration::from_millis(500)).await;
        }
    }

    fn receive(&mut self) {
        let receive = [
            "sqs",
            "receive-message",
            "--max-number-of-messages",
            "10",
            "--queue-url",
            &self.queue,
        ];
        let answer = self.scene.on.aws.cli(&receive).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let event: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            assert_eq!(event["source"], "ecr-deploy");
            self.received.push(event);
            let handle = message["ReceiptHandle"].as_str().unwrap();
            let delete = [
                "sqs",
                "delete-message",
                "--queue-url",
                &self.queue,
                "--receipt-handle",
                handle,
            ];
            self.scene.on.aws.cli(&delete).unwrap();
        }
    }

    fn details<T>(&self, detail_type: &str, read: fn(Value) -> serde_json::Result<T>) -> Vec<T> {
        let of_type = self.received.iter().filter(|event| event["detail-type"] == detail_type);
        of_type
            .map(|event| read(event["detail"].clone()).unwrap_or_else(|error| panic!("{error}: {event:#}")))
            .collect()
    }

    fn pushes(&self) -> Vec<PushStateChange> {
        self.details("Push State Change", serde_json::from_value)
    }

    fn services(&self) -> Vec<ServiceStateChange> {
        self.details("Service State Change", serde_json::from_value)
    }

    /// The states that were told of each service, and of the push, with the attempt behind a later one.
    fn states(&self) -> States {
        let mut states = States::new();
        let mut tell = |of: &str, state: String, attempt: u32| {
            let attempt = if attempt == 0 {
                String::new()
            } else {
                format!(" {attempt}")
            };
            states.entry(of.to_owned()).or_default().push(state + &attempt);
        };
        for service in self.services() {
            let name = service.service.as_str().trim_start_matches(&self.scene.prefix());
            tell(name, format!("{:?}", service.state), service.attempt);
        }
        for push in self.pushes() {
            tell("push", format!("{:?}", push.state), push.attempt);
        }
        // Nobody promises their order.
        for states in states.values_mut() {
            states.sort();
        }
        states
    }
}

fn states(expected: &[(&str, &[&str])]) -> States {
    let owned = |states: &[&str]| states.iter().map(|state| (*state).to_owned()).collect();
    expected
        .iter()
        .map(|(of, states)| ((*of).to_owned(), owned(states)))
        .collect()
}

async fn a_rule_receives_the_begin_the_holds_and_the_end_of_a_good_push() {
    let scene = Scene::new("told-good");
    scene.seed_named("web", Seed::default());
    let hold = json!([{"key": "ecr-deploy:hold", "value": "ann - freeze until the audit"}]);
    scene.seed_named(
        "kept",
        Seed {
            service: crate::support::object(json!({"tags": hold})),
            ..Seed::default()
        },
    );
    let mut listener = Listener::new(&scene);

    let end = scene.deploy("v2").await;

    listener.until_ended(1).await;
    let expected = states(&[
        ("web", &["Deployed", "Started"]),
        ("kept", &["Held"]),
        ("push", &["Deployed", "Started"]),
    ]);
    assert_eq!(listener.states(), expected, "{:#?}", listener.received);
    let services = listener.services();
    let of = |state| services.iter().find(|service| service.state == state).unwrap();
    let web = of(ServiceState::Deployed);
    assert_eq!(web.cluster.as_str(), scene.cluster());
    assert_eq!(web.from.as_ref().unwrap().short(), "told-good-web:1");
    assert_eq!(web.to.as_ref().unwrap().short(), "told-good-web:2");
    assert_eq!(web.execution, end.children[0].arn);
    assert!(web.seconds.is_some() && web.error.is_none(), "{web:#?}");
    let kept = of(ServiceState::Held);
    assert!(kept.message.contains("freeze until the audit"), "{kept:#?}");
    let pushes = listener.pushes();
    let ended = pushes.iter().find(|push| push.state == PushState::Deployed).unwrap();
    assert_eq!(
        (ended.services.deployed, ended.skipped, &ended.reasons[..]),
        (1, 1, &[SkipReason::OnHold][..])
    );
    assert_eq!(ended.execution, end.parent.arn);
}

async fn a_rule_receives_the_rollback_and_the_failure_of_a_bad_push_and_each_attempt_anew() {
    let scene = Scene::new("told-bad");
    scene.seed_service(json!({}));
    let mut listener = Listener::new(&scene);
    let parent = scene.start(&scene.push("crash")).await;
    let red = scene.end(&parent).await;
    listener.until_ended(1).await;
    let told = [
        ("web", &["RolledBack", "Started"][..]),
        ("push", &["Failed", "Started"]),
    ];
    assert_eq!(listener.states(), states(&told), "{:#?}", listener.received);
    let web = listener
        .services()
        .into_iter()
        .find(|it| it.state == ServiceState::RolledBack)
        .unwrap();
    assert_eq!(web.error.as_deref(), Some("Deploy.RolledBack"));
    assert_eq!(Some(web.message), red.children[0].message());

    crate::redrive::redrive(&scene, &parent).await;
    scene.end(&parent).await;
    listener.until_ended(2).await;

    // The service has another execution then, which was never redriven.
    let told = [
        ("web", &["RolledBack", "RolledBack", "Started", "Started"][..]),
        ("push", &["Failed", "Failed 1", "Started"]),
    ];
    assert_eq!(listener.states(), states(&told), "{:#?}", listener.received);
}

async fn a_rule_receives_once_that_a_rollout_waits_for_a_person() {
    let scene = Scene::new("told-waits");
    let hook = crate::hooks::pause_at("POST_TEST_TRAFFIC_SHIFT", 1440, "ROLLBACK");
    crate::hooks::seed(&scene, &hook);
    let mut listener = Listener::new(&scene);
    let parent = scene.start(&scene.push("v2")).await;
    let begun = Instant::now();
    while !listener
        .states()
        .get("web")
        .is_some_and(|states| states.contains(&"Waiting".to_owned()))
    {
        assert!(begun.elapsed() < LIMIT, "{:#?}", listener.received);
        pause(Duration::from_millis(500)).await;
        listener.receive();
    }
    // It is read some more times.
    pause(Duration::from_secs(5)).await;
    crate::hooks::end_pause(&scene, &scene.service(), "CONTINUE");

    let end = scene.end(&parent).await;
    listener.until_ended(1).await;
    assert_eq!(outcome(&end.children[0]), "DEPLOYED", "{end:#?}");
    let told = [
        ("web", &["Deployed", "Started", "Waiting"][..]),
        ("push", &["Deployed", "Started"]),
    ];
    assert_eq!(listener.states(), states(&told), "{:#?}", listener.received);
    let waits = listener
        .services()
        .into_iter()
        .find(|it| it.state == ServiceState::Waiting)
        .unwrap();
    assert!(
        waits.message.contains("aws ecs continue-service-deployment"),
        "{waits:#?}"
    );
}
