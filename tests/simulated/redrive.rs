//! "Redrive from failure", at every state that an execution can stop in: where it goes on, and that the end is the same as
//! if nobody had stopped it.
//!
//! An execution of deploy-service stops when it is stopped by hand, or in Conclude, which throws. One of deploy-image too,
//! and in Find task definitions or Conclude when their function throws. Every other error is caught, and told by
//! Conclude. The choices and the notes between do nothing that takes time.

use crate::support::{Deployed, LIMIT, PATIENT, SPEED, Scene, message, object, outcome, scenarios, short};
use aws_sdk_ecr::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecr::types::ImageTagMutability;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use futures::future::join_all;
use jiff::Timestamp;
use local_aws::executions::Execution;
use local_aws::images::Push;
use local_aws::{ACCOUNT, LocalAws, Options, REGION, Settings, pause};
use serde_json::{Value, json};
use simulated_ecs::{Fault, Kind, Scheduled, Seed, Weather};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

scenarios![
    an_execution_of_deploy_service_stopped_in_any_state_goes_on_there,
    an_execution_of_deploy_service_stopped_before_its_time_goes_on_when_that_has_come,
    an_execution_of_deploy_service_that_concluded_red_deploys_its_service_again,
    an_execution_of_deploy_image_stopped_while_it_finds_task_definitions_finds_them_again,
    an_execution_of_deploy_image_stopped_while_it_registers_uses_the_revision_again,
    an_execution_of_deploy_image_stopped_while_services_of_one_revision_are_deployed_watches_both,
    an_execution_of_deploy_image_stopped_while_some_wait_for_the_registration_quota_registers_the_rest,
    an_execution_of_deploy_image_stopped_while_services_are_deployed_starts_again_what_was_not_done,
    an_execution_of_deploy_image_stopped_and_redriven_tells_why_a_service_failed_after_that,
    an_execution_of_deploy_image_whose_find_threw_finds_again,
    an_execution_of_deploy_image_that_concluded_red_deploys_only_what_failed,
    an_execution_of_deploy_image_stopped_while_it_concludes_concludes_again,
    an_execution_of_deploy_image_that_could_not_read_the_manifest_only_tags,
    an_execution_of_deploy_image_stopped_while_it_tags_tags_again,
    an_execution_of_push_stopped_while_it_starts_a_push_starts_no_second_one,
    a_stage_that_is_stable_gives_its_tag_also_where_another_fails_and_latest_follows_after_the_redrive,
    an_image_whose_repository_has_immutable_tags_is_deployed_and_the_summary_says_that_it_is_not_latest,
    an_image_that_was_deleted_before_it_is_tagged_is_deployed_and_the_summary_says_that_it_is_not_latest,
];

/// A state of deploy-service that an execution can be stopped in.
struct Stop {
    state: &'static str,
    /// The scene's name.
    scene: &'static str,
    /// The image that is pushed.
    tag: &'static str,
    /// Prepares the account before the push.
    before: fn(&Scene),
    /// The operation that holds the state up, where it is not a Wait.
    held: Option<&'static str>,
    /// The tag of which no task starts before it is stopped, so that what it waits for is not over by then.
    pending: Option<&'static str>,
    /// How the execution ends after the redrive.
    ends: &'static str,
    /// The revisions that the service was deployed to by then, in order.
    rollouts: &'static [&'static str],
}

const STOPS: &[Stop] = &[
    Stop {
        state: "Register revision",
        scene: "stop-register",
        tag: "v2",
        before: plain,
        held: Some("RegisterTaskDefinition"),
        pending: None,
        ends: "DEPLOYED",
        rollouts: &["stop-register-web:1", "stop-register-web:2"],
    },
    Stop {
        state: "Update service",
        scene: "stop-update",
        tag: "v2",
        before: plain,
        held: Some("UpdateService"),
        pending: None,
        ends: "ALREADY_DEPLOYED",
        rollouts: &["stop-update-web:1", "stop-update-web:2"],
    },
    Stop {
        state: "Wait for running rollback",
        scene: "stop-waiting",
        tag: "v2",
        before: stop_first,
        held: None,
        pending: Some("v1"),
        ends: "DEPLOYED",
        rollouts: &["stop-waiting-web:1", "stop-waiting-web:3", "stop-waiting-web:2"],
    },
    Stop {
        state: "Register revision",
        scene: REBASE,
        tag: "v2",
        before: moved_when_registered,
        held: None,
        pending: None,
        ends: "DEPLOYED",
        rollouts: &["stop-rebase-web:1", "stop-rebase-web:2", "stop-rebase-web:4"],
    },
    Stop {
        state: "Wait for rollout",
        scene: "stop-wait",
        tag: "v2",
        before: plain,
        held: None,
        pending: Some("v2"),
        ends: "DEPLOYED",
        rollouts: &["stop-wait-web:1", "stop-wait-web:2"],
    },
    Stop {
        state: "Check stability",
        scene: "stop-check",
        tag: "v2",
        before: plain,
        held: Some("ListTasks"),
        pending: None,
        ends: "DEPLOYED",
        rollouts: &["stop-check-web:1", "stop-check-web:2"],
    },
    Stop {
        state: "Roll back",
        scene: "stop-back",
        tag: "crash",
        before: plain,
        held: Some("StopServiceDeployment"),
        pending: None,
        ends: "Deploy.RolledBack",
        rollouts: &["stop-back-web:1", "stop-back-web:2"],
    },
    Stop {
        state: REGISTERS_ROLLBACK,
        scene: "stop-copy",
        tag: "crash",
        before: deregistered,
        held: None,
        pending: None,
        ends: "Deploy.RolledBack",
        rollouts: &["stop-copy-web:1", "stop-copy-web:2", "stop-copy-web:3"],
    },
    Stop {
        state: "Wait for rollback",
        scene: "back-wait",
        tag: "crash",
        before: stop_first,
        held: None,
        pending: Some("v1"),
        ends: "Deploy.RolledBack",
        rollouts: &["back-wait-web:1", "back-wait-web:2"],
    },
    Stop {
        state: "Check rollback",
        scene: "back-check",
        tag: "crash",
        before: plain,
        held: None,
        pending: None,
        ends: "Deploy.RolledBack",
        rollouts: &["back-check-web:1", "back-check-web:2"],
    },
    Stop {
        state: "Sum up",
        scene: "stop-end",
        tag: "v2",
        before: plain,
        held: None,
        pending: None,
        ends: "DEPLOYED",
        rollouts: &["stop-end-web:1", "stop-end-web:2"],
    },
    Stop {
        state: "Tell that it started",
        scene: "stop-told",
        tag: "v2",
        before: plain,
        held: None,
        pending: None,
        ends: "DEPLOYED",
        rollouts: &["stop-told-web:1", "stop-told-web:2"],
    },
    Stop {
        state: "Tell how it ended",
        scene: "stop-tell",
        tag: "v2",
        before: plain,
        held: None,
        pending: None,
        ends: "DEPLOYED",
        rollouts: &["stop-tell-web:1", "stop-tell-web:2"],
    },
];

/// The scene of a service that is moved after its revision was registered, so that another one is registered.
const REBASE: &str = "stop-rebase";

/// The payload of Sum up in deploy-image.
const CONCLUDES_IMAGE: &str = r#""scope": "IMAGE""#;

fn plain(scene: &Scene) {
    scene.seed_service(json!({}));
}

/// The state that registers what the service goes back to.
const REGISTERS_ROLLBACK: &str = "Register rollback revision";

/// The rollback is by a copy of the service's revision, and by our own update.
fn deregistered(scene: &Scene) {
    plain(scene);
    scene.ecs(
        "DeregisterTaskDefinition",
        &json!({"taskDefinition": format!("{}:1", scene.family())}),
    );
    scene.weather(scene.without_service_deployments());
}

/// The service stops its task before it starts another one.
fn stop_first(scene: &Scene) {
    scene.seed_service(json!({"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}}));
}

/// Somebody deploys a broken image, and tells ECS to go back.
fn somebody_goes_back(scene: &Scene) {
    scene.push("crash-before");
    let broken = scene.register(&scene.family(), "crash-before");
    let update = json!({"cluster": scene.cluster(), "service": scene.service(), "taskDefinition": broken});
    scene.ecs("UpdateService", &update);
    let of_service = json!({"cluster": scene.cluster(), "service": scene.service()});
    let deployments = scene.ecs("ListServiceDeployments", &of_service);
    let newest = &deployments["serviceDeployments"][0]["serviceDeploymentArn"];
    let stop = json!({"serviceDeploymentArn": newest, "stopType": "ROLLBACK"});
    scene.ecs("StopServiceDeployment", &stop);
}

/// Somebody deploys something of his own when the push's revision is registered; the second registration, which has the
/// image in that, is held.
fn moved_when_registered(scene: &Scene) {
    plain(scene);
    let marked = json!([{"name": larger(scene), "value": "yes"}]);
    let container = json!({"name": "app", "image": scene.image("v1"), "essential": true, "environment": marked});
    let larger_document = json!({"family": scene.family(), "memory": "1024", "containerDefinitions": [container]});
    let by_somebody = &scene.ecs("RegisterTaskDefinition", &larger_document)["taskDefinition"]["taskDefinitionArn"];
    let deployed = Scheduled {
        at_milliseconds: None,
        after: Some(scene.after("RegisterTaskDefinition", 1)),
        operation: "UpdateService".to_owned(),
        request: json!({"cluster": scene.cluster(), "service": scene.service(), "taskDefinition": by_somebody}),
    };
    scene.weather(Weather {
        faults: Vec::new(),
        schedule: vec![deployed],
    });
    scene.hold("RegisterTaskDefinition", &larger(scene));
}

/// The member in the document that somebody deploys, and so in the second registration.
fn larger(scene: &Scene) -> String {
    format!("{}-larger", scene.service())
}

pub(crate) async fn execution(scene: &Scene, arn: &str) -> Execution {
    scene.on.aws.execution(arn).await.unwrap()
}

/// Waits for the only child so far of an execution of deploy-image.
pub(crate) async fn child(scene: &Scene, parent: &str) -> Execution {
    let begun = Instant::now();
    loop {
        let parent = execution(scene, parent).await;
        let children = scene.on.aws.children(&scene.on.stack, &parent).await.unwrap();
        if let Some(child) = children.into_iter().next() {
            return child;
        }
        assert!(begun.elapsed() < LIMIT, "{parent:#?} has no child");
        pause(Duration::from_millis(50)).await;
    }
}

/// Waits until an execution is in a state.
pub(crate) async fn until_in(scene: &Scene, arn: &str, state: &str) {
    let begun = Instant::now();
    loop {
        let now = execution(scene, arn).await;
        let entered = scene.states(&now).await;
        if entered.last().is_some_and(|last| last == state) {
            return;
        }
        assert!(
            !now.has_ended() && begun.elapsed() < LIMIT,
            "{arn} did not come to {state}: {entered:?} {now:#?}"
        );
        pause(Duration::from_millis(20)).await;
    }
}

/// Waits until an execution has been in a state.
pub(crate) async fn until_entered(scene: &Scene, arn: &str, state: &str) {
    let begun = Instant::now();
    loop {
        let now = execution(scene, arn).await;
        let entered = scene.states(&now).await;
        if entered.iter().any(|it| it == state) {
            return;
        }
        assert!(
            !now.has_ended() && begun.elapsed() < LIMIT,
            "{arn} did not come to {state}: {entered:?} {now:#?}"
        );
        pause(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn stop(scene: &Scene, arn: &str) {
    let stopped = scene.on.aws.sfn().stop_execution().execution_arn(arn).send().await;
    stopped.unwrap();
}

pub(crate) async fn redrive(scene: &Scene, arn: &str) {
    let redriven = scene.on.aws.sfn().redrive_execution().execution_arn(arn).send().await;
    redriven.unwrap();
}

pub(crate) async fn end(scene: &Scene, arn: &str) -> Execution {
    let begun = Instant::now();
    loop {
        let now = execution(scene, arn).await;
        if now.has_ended() {
            return now;
        }
        assert!(begun.elapsed() < LIMIT, "{arn} did not end");
        pause(Duration::from_millis(200)).await;
    }
}

/// The states that an execution entered since its last redrive.
pub(crate) async fn since_redrive(scene: &Scene, arn: &str) -> Vec<String> {
    let history = scene.on.aws.history(arn).await.unwrap();
    let redriven = history
        .iter()
        .rposition(|event| event.r#type == HistoryEventType::ExecutionRedriven)
        .unwrap();
    let entered = history[redriven..]
        .iter()
        .filter_map(|event| event.state_entered_event_details.as_ref());
    entered.map(|details| details.name.clone()).collect()
}

pub(crate) fn rollouts(service: &Value) -> Vec<&str> {
    let history = service["history"].as_array().unwrap();
    history
        .iter()
        .map(|rollout| short(&rollout["taskDefinition"]))
        .collect()
}

async fn an_execution_of_deploy_service_stopped_in_any_state_goes_on_there() {
    join_all(STOPS.iter().map(stopped)).await;
}

async fn stopped(row: &Stop) {
    let scene = Scene::new(row.scene);
    (row.before)(&scene);
    if let Some(operation) = row.held {
        scene.hold(operation, &scene.prefix());
    }
    if let Some(tag) = row.pending {
        scene.hold_tasks(&scene.image(tag));
    }
    // The state's first time is another one there.
    let is_second_time = row.scene == REBASE;
    let mut kept = (!is_second_time).then(|| scene.keep_in(row.state));
    if row.state == "Wait for running rollback" {
        scene.hold("RegisterTaskDefinition", &scene.prefix());
    }
    let parent = scene.start(&scene.push(row.tag)).await;
    if row.state == "Wait for running rollback" {
        // It begins only when the push is about to come to the service, so that it is not over by then.
        let is_registering = |scene: &Scene| !scene.calls("RegisterTaskDefinition").is_empty();
        scene.until("the registration", is_registering).await;
        somebody_goes_back(&scene);
        scene.release(&scene.prefix());
    }
    let child = child(&scene, &parent).await;
    if row.state == "Check rollback" {
        until_in(&scene, &child.arn, "Wait for rollback").await;
        scene.hold("ListTasks", &scene.prefix());
    }
    if row.state == REGISTERS_ROLLBACK {
        until_entered(&scene, &child.arn, "Wait for rollout").await;
        scene.hold("RegisterTaskDefinition", &scene.prefix());
    }
    if is_second_time {
        until_entered(&scene, &child.arn, "Update started?").await;
        kept = Some(scene.keep_in(row.state));
    }
    until_in(&scene, &child.arn, row.state).await;
    stop(&scene, &child.arn).await;
    assert_eq!(
        execution(&scene, &child.arn).await.status,
        ExecutionStatus::Aborted,
        "{}",
        row.state
    );
    scene.release(&scene.prefix());
    scene.release(&larger(&scene));
    if let Some(tag) = row.pending {
        scene.release_tasks(&scene.image(tag));
    }
    drop(kept);
    let failed = end(&scene, &parent).await;
    assert_eq!(failed.error.as_deref(), Some("Deploy.ServicesFailed"), "{failed:#?}");

    redrive(&scene, &child.arn).await;

    let ended = end(&scene, &child.arn).await;
    let entered = since_redrive(&scene, &child.arn).await;
    assert_eq!(entered[0], row.state, "it goes on where it was: {entered:?}");
    assert_eq!(outcome(&ended), row.ends, "{}: {ended:#?}", row.state);
    assert_eq!(ended.redrive_count, 1);
    let service = scene.state();
    assert_eq!(
        rollouts(&service),
        row.rollouts,
        "{}: nothing is deployed twice",
        row.state
    );
    if row.tag.starts_with("crash") {
        // By ECS itself, or by our own update.
        let back = row.rollouts.get(2).unwrap_or(&row.rollouts[0]);
        assert_eq!(short(&service["taskDefinition"]), *back);
        return;
    }

    // The push's own execution is still red. Redriven too, it deploys the service once more, finds it there, and is green.
    redrive(&scene, &parent).await;
    let green = end(&scene, &parent).await;
    assert_eq!(green.status, ExecutionStatus::Succeeded, "{}: {green:#?}", row.state);
    let children = scene.on.aws.children(&scene.on.stack, &green).await.unwrap();
    let names: Vec<bool> = children.iter().map(|child| child.name.ends_with("-1")).collect();
    assert_eq!(
        names,
        [false, true],
        "the second child has the redrive count in its name: {children:#?}"
    );
    assert_eq!(outcome(&children[1]), "ALREADY_DEPLOYED", "{children:#?}");
    assert_eq!(
        rollouts(&scene.state()),
        row.rollouts,
        "{}: nothing is deployed twice",
        row.state
    );
}

/// Begin waits only where a push has more services than ECS lets begin at once: so an execution is begun with a wait as of such
/// a push.
async fn an_execution_of_deploy_service_stopped_before_its_time_goes_on_when_that_has_come() {
    let scene = Scene::new("stop-begin");
    plain(&scene);
    let end_of_push = scene.deploy("v2").await;
    let mut input = end_of_push.children[0].input.clone();
    // Some seconds from now on.
    let at = Timestamp::from_second(end_of_push.parent.ended.unwrap().secs() + 20).unwrap();
    input["at"] = json!(at);
    let start = PATIENT.aws.sfn().start_execution();
    let start = start.state_machine_arn(&scene.on.stack.deploy_service);
    let child = start.input(input.to_string()).send().await.unwrap().execution_arn;
    until_in(&scene, &child, "Begin").await;

    stop(&scene, &child).await;
    redrive(&scene, &child).await;

    let ended = end(&scene, &child).await;
    let entered = since_redrive(&scene, &child).await;
    assert_eq!(
        entered[..4],
        ["Begin", "Revision registered?", "Register revision", "Update service"],
        "{entered:?}"
    );
    let waited_until = scene.entered(&ended, "Revision registered?").await[0];
    assert!(waited_until >= at.as_millisecond(), "it did not wait");
    assert_eq!(outcome(&ended), "ALREADY_DEPLOYED", "{ended:#?}");
    assert_eq!(rollouts(&scene.state()), ["stop-begin-web:1", "stop-begin-web:2"]);
}

async fn an_execution_of_deploy_service_that_concluded_red_deploys_its_service_again() {
    let scene = Scene::new("red-child");
    plain(&scene);
    let end_of_push = scene.deploy("crash").await;
    assert_eq!(end_of_push.outcome(), "Deploy.RolledBack", "{end_of_push:#?}");
    let child = &end_of_push.children[0].arn;

    redrive(&scene, child).await;

    let again = end(&scene, child).await;
    let entered = since_redrive(&scene, child).await;
    assert_eq!(
        entered[..5],
        [
            "Conclude",
            "Begin",
            "Revision registered?",
            "Register revision",
            "Update service"
        ],
        "{entered:?}"
    );
    assert_eq!(outcome(&again), "Deploy.RolledBack", "{again:#?}");
    assert_eq!(
        rollouts(&scene.state()),
        ["red-child-web:1", "red-child-web:2", "red-child-web:2"],
        "the operator wants it tried again, on the revision that is there"
    );
}

/// Its reads cannot be held up for it alone, since every push reads everything: so it is stopped as soon as it begins,
/// and where it was quicker, the next push is.
async fn an_execution_of_deploy_image_stopped_while_it_finds_task_definitions_finds_them_again() {
    let scene = Scene::new("stop-find");
    plain(&scene);
    for tag in ["v2", "v3", "v4", "v5", "v6"] {
        let parent = scene.start(&scene.push(tag)).await;
        until_entered(&scene, &parent, "Find task definitions").await;
        stop(&scene, &parent).await;
        let stopped = execution(&scene, &parent).await;
        let in_time = scene.states(&stopped).await == ["Read hold", "Find task definitions"];

        redrive(&scene, &parent).await;

        let ended = scene.end(&parent).await;
        assert_eq!(ended.outcome(), "DEPLOYED", "{ended:#?}");
        if in_time {
            assert_eq!(since_redrive(&scene, &parent).await[0], "Find task definitions");
            return;
        }
    }
    panic!("five times it was quicker");
}

/// An execution that fails for its input fails again.
async fn an_execution_of_deploy_image_whose_find_threw_finds_again() {
    let scene = Scene::new("throw-find");
    let mut push = scene.push("v2");
    push.event["detail"]["eventTime"] = json!("yesterday");
    let parent = scene.start(&push).await;
    let red = end(&scene, &parent).await;
    assert_eq!(red.error.as_deref(), Some("Deploy.InvalidInput"), "{red:#?}");

    redrive(&scene, &parent).await;

    let again = end(&scene, &parent).await;
    assert_eq!(again.error.as_deref(), Some("Deploy.InvalidInput"), "{again:#?}");
    assert_eq!(again.redrive_count, 1);
    assert_eq!(since_redrive(&scene, &parent).await, ["Find task definitions"]);
}

/// A task definition of several services is registered for all of them.
async fn an_execution_of_deploy_image_stopped_while_it_registers_uses_the_revision_again() {
    let scene = Scene::new("stop-first");
    scene.seed(Seed {
        services: 2,
        families: Some(1),
        ..Seed::default()
    });
    scene.hold("RegisterTaskDefinition", &scene.prefix());
    let parent = scene.start(&scene.push("v2")).await;
    scene
        .until("the registration", |scene| scene.revisions(&scene.family()).len() == 2)
        .await;

    stop(&scene, &parent).await;
    scene.release(&scene.prefix());
    redrive(&scene, &parent).await;

    let ended = scene.end(&parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{:#?}", ended.parent);
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(
        entered[..3],
        ["Deploy wave", "For each task definition", "Register revision"],
        "{entered:?}"
    );
    // A call that was given up is sent again: what comes of it is a duplicate, which stays and which no service is moved to.
    let revisions = scene.revisions(&scene.family());
    assert!(
        (2..=3).contains(&revisions.len()),
        "one revision for the push: {revisions:#?}"
    );
    for number in 1..=2 {
        let state = scene.state_of(&format!("{}-{number}", scene.service()));
        assert_eq!(rollouts(&state), ["stop-first-web:1", "stop-first-web:2"]);
    }
}

/// The state "Deploy service", of a revision that several services run.
async fn an_execution_of_deploy_image_stopped_while_services_of_one_revision_are_deployed_watches_both() {
    let scene = Scene::new("stop-shared");
    scene.seed(Seed {
        services: 2,
        families: Some(1),
        ..Seed::default()
    });
    scene.hold("UpdateService", &scene.prefix());
    let parent = scene.start(&scene.push("v2")).await;
    scene
        .until("both updates", |scene| scene.calls("UpdateService").len() == 2)
        .await;

    stop(&scene, &parent).await;
    scene.release(&scene.prefix());
    redrive(&scene, &parent).await;

    let ended = scene.end(&parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{:#?}", ended.parent);
    let entered = since_redrive(&scene, &parent).await;
    let is_entered = |state: &str| entered.iter().any(|it| it == state);
    assert!(
        is_entered("Deploy service") && !is_entered("Register revision"),
        "{entered:?}"
    );
    let again: Vec<String> = ended
        .children
        .iter()
        .filter(|child| child.name.ends_with("-1"))
        .map(outcome)
        .collect();
    assert_eq!(again, ["ALREADY_DEPLOYED"; 2], "{:#?}", ended.children);
    assert_eq!(ended.children.len(), 4, "{:#?}", ended.children);
    assert_eq!(scene.revisions(&scene.family()).len(), 2);
    for number in 1..=2 {
        let state = scene.state_of(&format!("{}-{number}", scene.service()));
        assert_eq!(rollouts(&state), ["stop-shared-web:1", "stop-shared-web:2"]);
    }
}

/// Eighteen revisions are registered at once, then one a second: first those of services that have one of their own, in the
/// services' executions, then those that two services share, in the push's.
async fn an_execution_of_deploy_image_stopped_while_some_wait_for_the_registration_quota_registers_the_rest() {
    const OWN: usize = 12;
    const SHARED: usize = 24;
    let scene = Scene::new("stop-schedule");
    scene.seed_named(
        "own",
        Seed {
            services: OWN,
            ..Seed::default()
        },
    );
    scene.seed(Seed {
        services: 2 * SHARED,
        families: Some(SHARED),
        ..Seed::default()
    });
    let registered = |scene: &Scene| scene.calls("RegisterTaskDefinition").len();
    let parent = scene.start(&scene.push("v2")).await;
    until_entered(&scene, &parent, "Wait for registration quota").await;

    stop(&scene, &parent).await;
    let left = OWN + SHARED - registered(&scene);
    assert!(left > 0, "all were registered before the stop");
    redrive(&scene, &parent).await;

    let ended = scene.end(&parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{:#?}", ended.parent);
    assert_eq!(registered(&scene), OWN + SHARED);
    let own = (1..=OWN).map(|number| {
        (
            format!("stop-schedule-own-{number}"),
            format!("stop-schedule-own-{number}"),
        )
    });
    let shared = (0..2 * SHARED).map(|number| {
        let family = format!("{}-{}", scene.family(), number % SHARED + 1);
        (format!("{}-{}", scene.service(), number + 1), family)
    });
    for (service, family) in own.chain(shared) {
        let state = scene.state_of(&service);
        assert_eq!(short(&state["taskDefinition"]), format!("{family}:2"), "{state:#}");
        assert_eq!(rollouts(&state), [format!("{family}:1"), format!("{family}:2")]);
    }
}

/// Stopping the execution of a push stops those of its services that are under way. A rollout that ECS has begun goes on, and nobody
/// watches it until the redrive.
async fn an_execution_of_deploy_image_stopped_while_services_are_deployed_starts_again_what_was_not_done() {
    let scene = Scene::new("stop-map");
    let (quick, baking) = ("stop-map-quick", "stop-map-baking");
    scene.seed_named("quick", Seed::default());
    // Its rollout bakes for as long as the alarm is watched.
    let alarms = json!({"alarmNames": ["stop-map-alarm"], "enable": true, "rollback": false});
    scene.seed_named(
        "baking",
        Seed {
            service: object(json!({"deploymentConfiguration": {"alarms": alarms}})),
            ..Seed::default()
        },
    );
    let parent = scene.start(&scene.push("v2")).await;
    let begun = Instant::now();
    let children = loop {
        let children = scene
            .on
            .aws
            .children(&scene.on.stack, &execution(&scene, &parent).await)
            .await
            .unwrap();
        let is_of = |child: &&Execution, service: &str| child.input["service"] == service;
        let first = children.iter().find(|child| is_of(child, quick));
        if first.is_some_and(Execution::has_ended) {
            break children;
        }
        assert!(begun.elapsed() < LIMIT, "{children:#?}");
        pause(Duration::from_millis(50)).await;
    };
    assert_eq!(children.len(), 2, "{children:#?}");

    stop(&scene, &parent).await;

    let child_of = |service: &str| children.iter().find(|child| child.input["service"] == service).unwrap();
    let stopped = execution(&scene, &child_of(baking).arn).await;
    assert_eq!(
        stopped.status,
        ExecutionStatus::Aborted,
        "its child is stopped with it: {stopped:#?}"
    );
    assert_eq!(execution(&scene, &parent).await.status, ExecutionStatus::Aborted);
    assert_eq!(
        short(&scene.state_of(baking)["taskDefinition"]),
        format!("{baking}:2"),
        "the rollout goes on"
    );

    redrive(&scene, &parent).await;

    let ended = scene.end(&parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{ended:#?}");
    let started = |service: &str| {
        ended
            .children
            .iter()
            .filter(|it| it.input["service"] == service)
            .count()
    };
    assert_eq!(
        (started(quick), started(baking)),
        (1, 2),
        "only what was not done: {ended:#?}"
    );
    let again = ended.children.last().unwrap();
    assert!(
        again.name.ends_with("-1"),
        "the redrive count is in its name: {}",
        again.name
    );
    assert_eq!(outcome(again), "ALREADY_DEPLOYED", "{again:#?}");
    let summary = ended.parent.output.as_ref().unwrap();
    assert_eq!(
        summary["services"].as_array().unwrap().len(),
        2,
        "what was done is kept: {summary:#}"
    );
    for service in [quick, baking] {
        assert_eq!(
            rollouts(&scene.state_of(service)),
            [format!("{service}:1"), format!("{service}:2")]
        );
    }
}

/// A failure after the redrive is one that nobody has asked to be tried again: the push ends red with the reason.
async fn an_execution_of_deploy_image_stopped_and_redriven_tells_why_a_service_failed_after_that() {
    let scene = Scene::new("stop-broken");
    plain(&scene);
    let image = scene.image("crash");
    scene.hold_tasks(&image);
    let parent = scene.start(&scene.push("crash")).await;
    let first = child(&scene, &parent).await;
    until_entered(&scene, &first.arn, "Wait for rollout").await;

    stop(&scene, &parent).await;
    redrive(&scene, &parent).await;
    scene.release_tasks(&image);

    let ended = scene.end(&parent).await;
    assert_eq!(
        ended.parent.error.as_deref(),
        Some("Deploy.ServicesFailed"),
        "{ended:#?}"
    );
    let told = message(&ended.parent);
    assert!(told.contains("app exited with code 1"), "{told}");
    let names: Vec<&str> = ended.children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(names.len(), 2, "one of each attempt: {names:?}");
    assert_eq!(outcome(&ended.children[1]), "Deploy.RolledBack", "{ended:#?}");
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(entered.last().map(String::as_str), Some("Conclude"), "{entered:?}");
}

async fn an_execution_of_deploy_image_that_concluded_red_deploys_only_what_failed() {
    let scene = Scene::new("red-parent");
    let (good, refused) = ("red-parent-good", "red-parent-refused");
    scene.seed_named("good", Seed::default());
    scene.seed_named("refused", Seed::default());
    let deny = Fault {
        operation: Some("UpdateService".to_owned()),
        subject: Some(refused.to_owned()),
        times: Some(1),
        ..scene.fault(Kind::Deny)
    };
    scene.weather(Weather {
        faults: vec![deny],
        ..Weather::default()
    });
    let parent = scene.start(&scene.push("v2")).await;
    let red = scene.end(&parent).await;
    assert_eq!(red.parent.error.as_deref(), Some("Deploy.ServicesFailed"), "{red:#?}");
    assert_eq!(red.outcome_of(refused), "Deploy.Rejected");

    redrive(&scene, &parent).await;

    let ended = scene.end(&parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{ended:#?}");
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(
        entered[..3],
        ["Conclude", "What is left to do?", "Deploy wave"],
        "{entered:?}"
    );
    let names: Vec<&str> = ended.children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[2].ends_with("-1"), "{names:?}");
    assert_eq!(outcome(&ended.children[2]), "DEPLOYED");
    for service in [good, refused] {
        assert_eq!(
            rollouts(&scene.state_of(service)),
            [format!("{service}:1"), format!("{service}:2")]
        );
    }
}

/// Two stages at once. By their services' names.
const TAGGING_STAGES: &str = r#"[
    {"name": "staging", "services": ["*-staging"], "tags": ["v*"], "tagOnSuccess": "tried"},
    {"name": "rest", "tags": ["*", "!latest", "!tried"]}
]"#;

/// Where every image gets the tag `tried` when staging is stable on it, and `latest` when all is. Step Functions calls ECR
/// itself, and has the local AWS's own here, in which the simulated images are not.
pub(crate) static TAGGING: LazyLock<Deployed> = LazyLock::new(|| {
    let options = Options {
        simulated_ecs: Some(simulated_ecs::Settings {
            speed: SPEED,
            ..simulated_ecs::Settings::default()
        }),
        ..Options::default()
    };
    let settings = Settings::default()
        .with("rolloutTimeout", "120s")
        .with("tagLatest", "true")
        .with("stages", TAGGING_STAGES);
    let aws = LocalAws::start(&options).expect("a local AWS");
    let stack = aws.deploy(&settings).expect("the stack");
    Deployed { aws, stack }
});

async fn an_execution_of_deploy_image_stopped_while_it_concludes_concludes_again() {
    let scene = Scene::new("stop-last");
    plain(&scene);
    let concluding = scene.hold_answers(CONCLUDES_IMAGE);
    let parent = scene.start(&scene.push("v2")).await;
    until_in(&scene, &parent, "Sum up").await;

    stop(&scene, &parent).await;
    assert_eq!(execution(&scene, &parent).await.status, ExecutionStatus::Aborted);
    drop(concluding);
    redrive(&scene, &parent).await;

    let ended = scene.end(&parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{ended:#?}");
    let entered = since_redrive(&scene, &parent).await;
    assert_eq!(entered[0], "Sum up", "{entered:?}");
    assert_eq!(ended.outcome(), "DEPLOYED", "no service is deployed again: {ended:#?}");
    assert_eq!(rollouts(&scene.state()), ["stop-last-web:1", "stop-last-web:2"]);
}

/// The ECR that Step Functions calls: the local AWS's own.
fn registry(scene: &Scene) -> aws_sdk_ecr::Client {
    let credentials = Credentials::new(ACCOUNT, "local", None, None, "the local AWS");
    let config = aws_sdk_ecr::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials)
        .endpoint_url(scene.on.aws.endpoint());
    aws_sdk_ecr::Client::from_conf(config.build())
}

/// Puts the image of a push, as the simulated ECR has it, into the scene's repository there. That is a push too, of which the
/// rule of the stack hears; one without a tag, or of `latest`, is not deployed.
async fn store(scene: &Scene, ecr: &aws_sdk_ecr::Client, push: &Push, tag: Option<&str>) {
    let stored = json!({"repositoryName": scene.repository(), "imageIds": [{"imageDigest": push.digest}]});
    let manifest = scene.ecr("BatchGetImage", &stored)["images"][0].clone();
    let text = |member: &str| manifest[member].as_str().unwrap().to_owned();
    let put = ecr
        .put_image()
        .repository_name(scene.repository())
        .set_image_tag(tag.map(str::to_owned));
    let put = put
        .image_manifest(text("imageManifest"))
        .image_manifest_media_type(text("imageManifestMediaType"));
    put.send().await.unwrap();
}

/// The tags of an image there.
async fn tags(scene: &Scene, ecr: &aws_sdk_ecr::Client, push: &Push) -> Vec<String> {
    let images = ecr.describe_images().repository_name(scene.repository());
    let images = images.send().await.unwrap();
    let ours = images
        .image_details()
        .iter()
        .find(|image| image.image_digest() == Some(push.digest.as_str()));
    ours.map(|image| image.image_tags().to_vec()).unwrap_or_default()
}

/// Pushes a good image; every service gets it, and then what comes after that throws.
async fn deployed_but_not_tagged(scene: &Scene, push: &Push, error: &str) -> String {
    let parent = scene.start(push).await;
    let red = scene.end(&parent).await;
    assert_eq!(red.outcome(), "DEPLOYED", "{red:#?}");
    assert_eq!(red.parent.error.as_deref(), Some(error), "{red:#?}");
    parent
}

/// Redrives it: it enters these states and no service's execution is started again.
async fn only_tags(scene: &Scene, parent: &str, states: &[&str]) {
    let redriven = scene
        .on
        .aws
        .sfn()
        .redrive_execution()
        .execution_arn(parent)
        .send()
        .await;
    redriven.unwrap();
    let ended = scene.end(parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{ended:#?}");
    assert_eq!(ended.children.len(), 1, "no service is deployed again: {ended:#?}");
    assert_eq!(since_redrive(scene, parent).await, states);
}

async fn an_execution_of_deploy_image_that_could_not_read_the_manifest_only_tags() {
    let scene = Scene::on(&TAGGING, "read-again");
    plain(&scene);
    let push = scene.push("v2");
    let parent = deployed_but_not_tagged(&scene, &push, "Ecr.RepositoryNotFoundException").await;

    // The repository is there after all.
    let ecr = registry(&scene);
    let create = ecr.create_repository().repository_name(scene.repository());
    create.send().await.unwrap();
    store(&scene, &ecr, &push, None).await;

    only_tags(
        &scene,
        &parent,
        &[
            "Read manifest",
            "Image still there?",
            "Tag on success",
            "What is left to do?",
            "Tell how it ended",
        ],
    )
    .await;
    let tags = tags(&scene, &ecr, &push).await;
    assert!(tags.contains(&"latest".to_owned()), "{tags:?}");
}

async fn an_execution_of_deploy_image_stopped_while_it_tags_tags_again() {
    let scene = Scene::on(&TAGGING, "stop-tags");
    plain(&scene);
    let ecr = registry(&scene);
    let create = ecr.create_repository().repository_name(scene.repository());
    create.send().await.unwrap();
    let push = scene.push("v2");
    store(&scene, &ecr, &push, None).await;
    let kept = scene.keep_in("Tag on success");
    let parent = scene.start(&push).await;
    until_in(&scene, &parent, "Tag on success").await;
    stop(&scene, &parent).await;
    drop(kept);

    only_tags(
        &scene,
        &parent,
        &["Tag on success", "What is left to do?", "Tell how it ended"],
    )
    .await;
    let tags = tags(&scene, &ecr, &push).await;
    assert!(tags.contains(&"latest".to_owned()), "{tags:?}");
}

async fn an_execution_of_push_stopped_while_it_starts_a_push_starts_no_second_one() {
    const STARTS: &str = "Start deploy-image";
    let scene = Scene::new("stop-start");
    plain(&scene);
    let push = scene.push("v2");
    let kept = scene.keep_in(STARTS);
    let start = scene.on.aws.sfn().start_execution();
    let start = start.state_machine_arn(&scene.on.stack.push);
    let launched = start.input(push.event.to_string()).send().await.unwrap().execution_arn;
    let has_begun = |scene: &Scene| !scene.calls("UpdateService").is_empty();
    scene.until("the push", has_begun).await;
    until_in(&scene, &launched, STARTS).await;
    stop(&scene, &launched).await;
    drop(kept);

    redrive(&scene, &launched).await;

    let ended = end(&scene, &launched).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:#?}");
    assert_eq!(since_redrive(&scene, &launched).await[0], STARTS);
    let of_push = ended.output.as_ref().unwrap()["execution"].as_str().unwrap();
    let deployed = scene.end(of_push).await;
    assert_eq!(deployed.outcome(), "DEPLOYED", "{deployed:#?}");
    assert_eq!(rollouts(&scene.state()), ["stop-start-web:1", "stop-start-web:2"]);
}

async fn a_stage_that_is_stable_gives_its_tag_also_where_another_fails_and_latest_follows_after_the_redrive() {
    let scene = Scene::on(&TAGGING, "tried");
    let (staging, refused) = ("tried-staging", "tried-refused");
    scene.seed_named("staging", Seed::default());
    scene.seed_named("refused", Seed::default());
    let deny = Fault {
        operation: Some("UpdateService".to_owned()),
        subject: Some(refused.to_owned()),
        times: Some(1),
        ..scene.fault(Kind::Deny)
    };
    scene.weather(Weather {
        faults: vec![deny],
        ..Weather::default()
    });
    let ecr = registry(&scene);
    let create = ecr.create_repository().repository_name(scene.repository());
    create.send().await.unwrap();
    let push = scene.push("v2");
    store(&scene, &ecr, &push, None).await;

    let parent = scene.start(&push).await;
    let red = scene.end(&parent).await;
    assert_eq!(red.parent.error.as_deref(), Some("Deploy.ServicesFailed"), "{red:#?}");
    assert_eq!(
        (&*red.outcome_of(staging), &*red.outcome_of(refused)),
        ("DEPLOYED", "Deploy.Rejected")
    );
    assert_eq!(tags(&scene, &ecr, &push).await, ["tried"]);
    let states = scene.states(&red.parent).await;
    let end = [
        "Sum up",
        "What is left to do?",
        "Read manifest",
        "Image still there?",
        "Tag on success",
        "What is left to do?",
        "Sum up",
        "What is left to do?",
        "Tell that it failed",
        "Conclude",
    ];
    assert!(states.ends_with(&end.map(str::to_owned)), "{states:?}");

    redrive(&scene, &parent).await;

    let ended = scene.end(&parent).await;
    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{ended:#?}");
    assert_eq!(ended.children.len(), 3, "staging is not deployed again: {ended:#?}");
    let mut all = tags(&scene, &ecr, &push).await;
    all.sort();
    assert_eq!(all, ["latest", "tried"]);
    let summary = ended.parent.output.as_ref().unwrap();
    assert_eq!(summary["tagged"], json!(["tried", "latest"]), "{summary}");
    let told = message(&ended.parent);
    assert!(told.contains("is deployed to 2 services; "), "{told}");
    assert!(told.ends_with("; it gets the tags tried and latest"), "{told}");
}

/// Nothing has failed that a redrive could mend: the next push would say the same.
async fn an_image_whose_repository_has_immutable_tags_is_deployed_and_the_summary_says_that_it_is_not_latest() {
    let scene = Scene::on(&TAGGING, "immutable");
    plain(&scene);
    let (before, push) = (scene.push("v0"), scene.push("v2"));
    let ecr = registry(&scene);
    let create = ecr.create_repository().repository_name(scene.repository());
    let immutable = create.image_tag_mutability(ImageTagMutability::Immutable);
    immutable.send().await.unwrap();
    store(&scene, &ecr, &before, Some("latest")).await;
    store(&scene, &ecr, &push, None).await;

    let parent = scene.start(&push).await;
    let ended = scene.end(&parent).await;

    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{ended:#?}");
    assert_eq!(ended.outcome(), "DEPLOYED", "{ended:#?}");
    let summary = message(&ended.parent);
    let deployed = format!("{}:v2 is deployed to 1 service; ", scene.repository());
    assert!(summary.starts_with(&deployed), "{summary}");
    let says = format!(
        "; latest was not put on it: the tags of {} are immutable",
        scene.repository()
    );
    assert!(summary.contains(&says), "{summary}");
    assert!(
        summary.ends_with("Make latest an exclusion of the immutability"),
        "{summary}"
    );
    let services = ended.parent.output.as_ref().unwrap()["services"].as_array().unwrap();
    assert_eq!(services.len(), 1, "the rest of the summary is kept: {ended:#?}");
    assert_eq!(tags(&scene, &ecr, &before).await, ["latest"], "it stays where it was");
}

/// The services run it, so nothing has failed; who deleted it may have meant that.
async fn an_image_that_was_deleted_before_it_is_tagged_is_deployed_and_the_summary_says_that_it_is_not_latest() {
    let scene = Scene::on(&TAGGING, "deleted");
    plain(&scene);
    let push = scene.push("v2");
    let ecr = registry(&scene);
    let create = ecr.create_repository().repository_name(scene.repository());
    create.send().await.unwrap();

    let parent = scene.start(&push).await;
    let ended = scene.end(&parent).await;

    assert_eq!(ended.parent.status, ExecutionStatus::Succeeded, "{ended:#?}");
    assert_eq!(ended.outcome(), "DEPLOYED", "{ended:#?}");
    let summary = message(&ended.parent);
    let says = format!(
        "; latest was not put on it: {} does not have the image any more (ImageNotFound). Push it again",
        scene.repository()
    );
    assert!(summary.ends_with(&says), "{summary}");
}
