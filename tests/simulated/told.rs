//! The events of a push that a rule of others receives.

use crate::support::{LIMIT, Scene, TOLD, outcome, scenarios};
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
    a_topic_tells_people_once_how_each_push_ended,
    a_push_that_is_stopped_tells_it_and_after_a_redrive_how_it_ended,
    a_push_whose_search_failed_tells_it,
    an_end_whose_event_tells_neither_input_nor_error_is_read_and_told_unless_it_was_told_or_redriven,
    a_push_that_failed_after_a_soak_tells_it,
    parameters_tell_what_a_service_is_stable_on_and_an_older_push_writes_none,
];

/// A queue of a scene's own. Returns its URL and its ARN.
fn queue(scene: &Scene, name: &str) -> (String, String) {
    let name = format!("{}{name}", scene.prefix());
    let made = scene
        .on
        .aws
        .cli(&["sqs", "create-queue", "--queue-name", &name])
        .unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    let arn = format!("arn:aws:sqs:{}:{}:{name}", local_aws::REGION, local_aws::ACCOUNT);
    (made["QueueUrl"].as_str().unwrap().to_owned(), arn)
}

/// Takes out of a queue the bodies of what is in it, or of what comes within so many seconds.
fn take(scene: &Scene, queue: &str, seconds: &str) -> Vec<Value> {
    let receive = [
        "sqs",
        "receive-message",
        "--wait-time-seconds",
        seconds,
        "--max-number-of-messages",
        "10",
        "--queue-url",
        queue,
    ];
    let answer = scene.on.aws.cli(&receive).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    if messages.is_empty() {
        return Vec::new();
    }
    let taken = messages
        .iter()
        .map(|it| json!({"Id": it["MessageId"], "ReceiptHandle": it["ReceiptHandle"]}));
    let taken = taken.collect::<Value>().to_string();
    let delete = ["sqs", "delete-message-batch", "--queue-url", queue, "--entries", &taken];
    scene.on.aws.cli(&delete).unwrap();
    let bodies = messages.iter().map(|it| it["Body"].as_str().unwrap());
    bodies.map(|body| serde_json::from_str(body).unwrap()).collect()
}

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
        let (queue, arn) = queue(scene, "told");
        let pattern = json!({"source": ["ecr-deploy"], "detail": {"image": {"repository": [scene.repository()]}}});
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
            queue,
            received: Vec::new(),
        }
    }

    /// Waits until the push has told an end so many times.
    fn until_ended(&mut self, times: usize) {
        let begun = Instant::now();
        loop {
            self.receive("5");
            let is_end = |push: &PushStateChange| push.state != PushState::Started;
            if self.pushes().iter().filter(|push| is_end(push)).count() >= times {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{:#?}", self.received);
        }
    }

    fn receive(&mut self, seconds: &str) {
        for event in take(self.scene, &self.queue, seconds) {
            assert_eq!(event["source"], "ecr-deploy");
            self.received.push(event);
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

    listener.until_ended(1);
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
    listener.until_ended(1);
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
    listener.until_ended(2);

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
        listener.receive("5");
    }
    // It is read some more times.
    pause(Duration::from_secs(5)).await;
    crate::hooks::end_pause(&scene, &scene.service(), "CONTINUE");

    let end = scene.end(&parent).await;
    listener.until_ended(1);
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

/// A queue that subscribes to the topic of the stack, as a chat does.
struct Chat<'a> {
    scene: &'a Scene,
    queue: String,
    /// The subject and the card of each message about the scene.
    received: Vec<(String, Value)>,
}

impl<'a> Chat<'a> {
    fn new(scene: &'a Scene) -> Self {
        let (queue, arn) = queue(scene, "chat");
        let topic = scene.on.stack.topic.as_deref().unwrap();
        let subscribe = ["sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs"];
        let to_queue = ["--notification-endpoint", &arn];
        scene.on.aws.cli(&[&subscribe[..], &to_queue].concat()).unwrap();
        Self {
            scene,
            queue,
            received: Vec::new(),
        }
    }

    /// Waits until so many messages have come, and then for one that should not come.
    fn until_received(&mut self, count: usize) {
        let begun = Instant::now();
        while self.received.len() < count {
            assert!(begun.elapsed() < LIMIT, "{:#?}", self.received);
            self.receive("5");
        }
        self.receive("2");
        assert_eq!(self.received.len(), count, "{:#?}", self.received);
    }

    fn receive(&mut self, seconds: &str) {
        for message in take(self.scene, &self.queue, seconds) {
            let card: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
            // The topic tells of the pushes of all scenes.
            if card["content"]["keywords"][0] == self.scene.repository() {
                self.received
                    .push((message["Subject"].as_str().unwrap().to_owned(), card));
            }
        }
    }
}

async fn a_topic_tells_people_once_how_each_push_ended() {
    let scene = Scene::on(&TOLD, "topic");
    scene.seed_service(json!({}));
    let mut chat = Chat::new(&scene);

    let good = scene.deploy("v2").await;
    chat.until_received(1);
    let parent = scene.start(&scene.push("crash")).await;
    let bad = scene.end(&parent).await;
    chat.until_received(2);

    assert_eq!(outcome(&good.children[0]), "DEPLOYED");
    assert_eq!(bad.parent.error.as_deref(), Some("Deploy.ServicesFailed"));
    let [(of_good, card_of_good), (of_bad, card_of_bad)] = &chat.received[..] else {
        unreachable!("two were received")
    };
    let image = scene.repository();
    assert_eq!(
        [of_good, of_bad],
        [
            &format!("ecr-deploy: {image}:v2 is deployed"),
            &format!("ecr-deploy: {image}:crash failed")
        ]
    );
    let text = |card: &Value| card["content"]["description"].as_str().unwrap().to_owned();
    for (card, ending) in [(card_of_good, &good), (card_of_bad, &bad)] {
        assert_eq!((&card["version"], &card["source"]), (&json!("1.0"), &json!("custom")));
        let text = text(card);
        let link = format!("#/v2/executions/details/{}", ending.parent.arn);
        for says in ["Image: ", "Pushed: ", "Took: ", &link] {
            assert!(text.contains(says), "{says}: {text}");
        }
    }
    assert!(text(card_of_good).starts_with(&format!("{image}:v2 is deployed to 1 service")));
    assert!(text(card_of_bad).contains("topic-web in topic-cluster did not become stable"));
    let again = format!("aws stepfunctions redrive-execution --execution-arn {parent}");
    let next = card_of_bad["content"]["nextSteps"][0].as_str().unwrap();
    assert!(next.ends_with(&again), "{next}");
    assert_eq!(card_of_good["content"]["nextSteps"], json!([]));

    // The redrive that the message names has a message of its own.
    let id = card_of_bad["id"].clone();
    crate::redrive::redrive(&scene, &parent).await;
    scene.end(&parent).await;
    chat.until_received(3);
    assert_ne!(chat.received[2].1["id"], id);
}

async fn a_push_that_is_stopped_tells_it_and_after_a_redrive_how_it_ended() {
    let scene = Scene::on(&TOLD, "told-stop");
    scene.seed_service(json!({}));
    let (mut listener, mut chat) = (Listener::new(&scene), Chat::new(&scene));
    scene.hold_tasks(&scene.image("v2"));
    let parent = scene.start(&scene.push("v2")).await;
    scene.until_waiting_or_ended(&parent).await;

    crate::redrive::stop(&scene, &parent).await;

    listener.until_ended(1);
    chat.until_received(1);
    assert_eq!(listener.states()["push"], ["Started", "Stopped"]);
    let stopped = listener.pushes().into_iter().find(|it| it.state == PushState::Stopped);
    let stopped = stopped.unwrap();
    assert_eq!((stopped.execution.as_str(), stopped.error), (parent.as_str(), None));
    assert!(
        stopped.message.contains("somebody stopped the execution"),
        "{}",
        stopped.message
    );
    assert!(chat.received[0].0.ends_with("was stopped"), "{:?}", chat.received);

    scene.release_tasks(&scene.image("v2"));
    crate::redrive::redrive(&scene, &parent).await;
    let end = scene.end(&parent).await;
    assert_eq!(end.parent.error, None, "{end:#?}");
    listener.until_ended(2);
    chat.until_received(2);
    assert_eq!(listener.states()["push"], ["Deployed 1", "Started", "Stopped"]);
}

/// A push ends at a step that nothing follows: its end is told all the same, once.
async fn is_told(scene: &Scene, listener: &mut Listener<'_>, chat: &mut Chat<'_>, parent: &str, error: &str) {
    let end = scene.end(parent).await;
    assert_eq!(end.parent.error.as_deref(), Some(error), "{end:#?}");
    listener.until_ended(1);
    chat.until_received(1);
    let failed = listener.pushes().into_iter().find(|it| it.state == PushState::Failed);
    let failed = failed.unwrap();
    assert_eq!(failed.execution, parent);
    assert_eq!(failed.error.as_deref(), Some(error), "{failed:#?}");
    assert_eq!(Some(failed.message), end.parent.message());
    assert!(chat.received[0].0.ends_with(" failed"), "{:?}", chat.received);
}

async fn a_push_whose_search_failed_tells_it() {
    let scene = Scene::on(&TOLD, "told-find");
    let (mut listener, mut chat) = (Listener::new(&scene), Chat::new(&scene));
    let mut push = scene.push("v2");
    push.event["time"] = json!("2999-01-01T00:00:00Z");
    push.event["detail"]["eventTime"] = json!("2999-01-01T00:00:00Z");

    let parent = scene.start(&push).await;

    is_told(&scene, &mut listener, &mut chat, &parent, "Deploy.InvalidInput").await;
    assert_eq!(listener.states()["push"], ["Failed"], "nothing has begun");
}

/// Starts tell-end as its rule does, by an event with these members. Returns the states that it entered.
async fn tell_end(scene: &Scene, detail: &Value) -> Vec<String> {
    let stack = scene.on.stack.reader.split('/').next().unwrap();
    let list = ["cloudformation", "describe-stack-resources", "--stack-name", stack];
    let resources: Value = serde_json::from_str(&scene.on.aws.cli(&list).unwrap()).unwrap();
    let is_tell_end = |it: &&Value| {
        let id = it["LogicalResourceId"].as_str().unwrap();
        id.starts_with("EcrDeployTellEndStateMachine")
    };
    let resources = resources["StackResources"].as_array().unwrap();
    let machine = resources.iter().find(is_tell_end).unwrap()["PhysicalResourceId"].as_str();
    let start = scene.on.aws.sfn().start_execution().state_machine_arn(machine.unwrap());
    let started = start.input(json!({"detail": detail}).to_string()).send().await.unwrap();
    let begun = Instant::now();
    loop {
        let execution = scene.on.aws.execution(&started.execution_arn).await.unwrap();
        if execution.has_ended() {
            assert_eq!(execution.error, None, "{execution:#?}");
            return scene.states(&execution).await;
        }
        assert!(begun.elapsed() < LIMIT, "{execution:#?}");
        pause(Duration::from_millis(250)).await;
    }
}

/// Such an event comes of an execution whose data are encrypted by a key of the customer's.
async fn an_end_whose_event_tells_neither_input_nor_error_is_read_and_told_unless_it_was_told_or_redriven() {
    let scene = Scene::on(&TOLD, "told-key");
    scene.seed_service(json!({}));
    let mut listener = Listener::new(&scene);
    let event = |execution: &str, attempt: u32| {
        json!({
            "executionArn": execution, "status": "FAILED", "redriveCount": attempt,
            "startDate": 1_780_000_000_000_i64, "stopDate": 1_780_000_002_000_i64,
        })
    };
    let by_itself = scene.deploy("crash").await.parent;
    assert_eq!(by_itself.error.as_deref(), Some("Deploy.ServicesFailed"));
    let mut late = scene.push("v2");
    late.event["time"] = json!("2999-01-01T00:00:00Z");
    late.event["detail"]["eventTime"] = json!("2999-01-01T00:00:00Z");
    let search = scene.start(&late).await;
    scene.end(&search).await;
    // By the execution itself, and by the rule.
    listener.until_ended(2);
    let read = ["Does the event tell it?", "Read execution", "Redriven since?"];

    let of_told = tell_end(&scene, &event(&by_itself.arn, 0)).await;
    assert_eq!(of_told, [&read[..], &["Sum up", "Anything to tell?", "Done"]].concat());
    let of_redriven = tell_end(&scene, &event(&search, 1)).await;
    assert_eq!(of_redriven, [&read[..], &["Done"]].concat());
    let mut of_null = event(&search, 0);
    for member in ["input", "output", "error", "cause"] {
        of_null[member] = Value::Null;
    }
    for detail in [event(&search, 0), of_null] {
        let states = tell_end(&scene, &detail).await;
        assert!(states.starts_with(&read.map(str::to_owned)), "{states:?}");
        assert!(states.contains(&"Tell how it ended".to_owned()), "{states:?}");
    }
    listener.until_ended(4);
    let told: Vec<PushStateChange> = listener
        .pushes()
        .into_iter()
        .filter(|it| it.execution == search)
        .collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    for push in &told {
        assert_eq!(
            (&push.image, &push.error, &push.message),
            (&told[0].image, &told[0].error, &told[0].message)
        );
        assert_eq!(push.error.as_deref(), Some("Deploy.InvalidInput"));
        assert!(push.image.is_some());
    }
}

async fn a_push_that_failed_after_a_soak_tells_it() {
    let scene = Scene::on(&TOLD, "told-soak");
    scene.seed_named("staging", simulated_ecs::Seed::default());
    scene.seed_named("production", simulated_ecs::Seed::default());
    let (mut listener, mut chat) = (Listener::new(&scene), Chat::new(&scene));
    let parent = scene.start(&scene.push("v2")).await;
    crate::redrive::until_in(&scene, &parent, "Soak").await;
    // Meanwhile somebody takes the service away.
    let away =
        json!({"cluster": scene.cluster(), "service": "told-soak-staging", "taskDefinition": "told-soak-staging:1"});
    scene.ecs("UpdateService", &away);

    is_told(&scene, &mut listener, &mut chat, &parent, "Deploy.NotStable").await;
}

async fn parameters_tell_what_a_service_is_stable_on_and_an_older_push_writes_none() {
    let scene = Scene::on(&TOLD, "parameter");
    scene.seed_service(json!({}));
    let place = format!("/ecr-deploy/{}/{}/app/", scene.cluster(), scene.service());
    let all = || {
        let by_path = ["ssm", "get-parameters-by-path", "--path", &place];
        let found: Value = serde_json::from_str(&scene.on.aws.cli(&by_path).unwrap()).unwrap();
        let found = found["Parameters"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let named = found
            .iter()
            .map(|it| (text(&it["Name"]).replace(&place, ""), text(&it["Value"])));
        named.collect::<BTreeMap<String, String>>()
    };
    let good = scene.deploy("v2").await;
    assert_eq!(outcome(&good.children[0]), "DEPLOYED");
    let of_good = all();
    let pushed = &good.parent.output.as_ref().unwrap()["image"];
    let [digest, push] = ["digest", "push"].map(|member| pushed[member].as_str().unwrap());
    let revision = "task-definition/parameter-web:2";
    let revision = format!("arn:aws:ecs:{}:{}:{revision}", local_aws::REGION, local_aws::ACCOUNT);
    let expected = [
        ("digest", digest),
        ("image", &scene.image("v2")),
        ("push", push),
        ("revision", &revision),
        ("tag", "v2"),
    ];
    let told = of_good.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(told.collect::<Vec<_>>(), expected);

    // Back on that revision, by a later push.
    let bad = scene.deploy("crash").await;
    assert_eq!(bad.children[0].error.as_deref(), Some("Deploy.RolledBack"), "{bad:#?}");
    let of_bad = all();
    assert!(of_bad["push"] > of_good["push"], "{of_bad:#?}");
    for name in ["digest", "image", "revision", "tag"] {
        assert_eq!(of_bad[name], of_good[name], "{name}");
    }

    // Somebody has written in the name of a push that is still to come.
    let later = "2999-01-01T00:00:00Z 0a1b2c3d-0000-4000-8000-000000000000";
    let name = format!("{place}push");
    let put = [
        "ssm",
        "put-parameter",
        "--overwrite",
        "--type",
        "String",
        "--name",
        &name,
        "--value",
        later,
    ];
    scene.on.aws.cli(&put).unwrap();
    let older = scene.deploy("v3").await;
    assert_eq!(outcome(&older.children[0]), "DEPLOYED");
    assert_eq!(all()["image"], of_good["image"]);
}
