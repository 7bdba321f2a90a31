//! Plays a scenario on a local AWS, and records what it leaves behind.

use super::aftermath::{
    AFTER_ARCHIVING, Account, Aftermath, AllHeld, Archived, Call, Deed, Execution, Found, Machine, Pushed, Service,
    ServiceId, StoppedTask,
};
use super::scenario::{Answer, Archive, CLUSTERS, ELSEWHERE, SPEED, Scenario};
use crate::Failure;
use crate::push::PushId;
use crate::swept::{SETTLED_SECONDS, Swept};
use aws_sdk_sfn::error::DisplayErrorContext;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use local_aws::{ACCOUNT, LocalAws, REGION, Stack, pause};
use serde_json::{Value, json};
use simulated_ecs::{Api, SimulatedEcs, Simulation, Weather};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the executions may take after the last delivery: what runs then is a finding, not a delay.
const LIMIT: Duration = Duration::from_mins(7);
/// How long they may take to stop when they are told to.
const STOPPING: Duration = Duration::from_mins(1);
/// How long ECS may take to come to rest when all executions have ended.
const REST: Duration = Duration::from_secs(25);

/// The `detail-type` of ECR's own event.
const IMAGE_ACTION: &str = "ECR Image Action";
/// How long before the operator comes images have been archived: longer than a step lasts that looks for them.
const ARCHIVING: Duration = Duration::from_millis(AFTER_ARCHIVING.unsigned_abs() + 1_000);
/// The sweeps of a storm, after the last delivery. Those at first find what is old enough, and much that is still on its way.
const SWEEPS: [Sweeps; 3] = [Sweeps::after(15, 2), Sweeps::after(20, 1), Sweeps::after(30, 2)];

/// Sweeps that begin at the same moment.
struct Sweeps {
    later: Duration,
    at_once: usize,
}

impl Sweeps {
    const fn after(seconds: u64, at_once: usize) -> Self {
        let later = Duration::from_secs(seconds);
        Self { later, at_once }
    }
}

/// How often it is noted which tasks have stopped. ECS forgets one after an hour, which is two minutes here.
const NOTING: Duration = Duration::from_secs(20);

/// The settings of the simulated ECS in a storm.
pub(crate) fn simulated(seed: u64) -> simulated_ecs::Settings {
    simulated_ecs::Settings {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        speed: SPEED,
        seed,
        throttling: true,
        call_log: true,
        ..simulated_ecs::Settings::default()
    }
}

/// Plays a scenario in an account of its own, from the first push to the end of the last execution.
///
/// # Errors
///
/// When the local AWS does not do its part; what the machines and functions did wrong is in the aftermath.
pub(crate) async fn play(aws: &LocalAws, stack: &Stack, scenario: &Scenario) -> Result<Aftermath, Failure> {
    let ecs = aws.simulated_ecs().ok_or("the local AWS has no simulated ECS")?;
    ecs.with(|simulation, now| -> Result<(), Failure> {
        *simulation = Simulation::new(simulated(scenario.seed), now);
        build(simulation, now, scenario)
    })?;
    let before = account(ecs)?;
    let begun = ecs.with(|simulation, now| {
        let weather = simulation.set_weather(now, scenario.weather.clone());
        weather.map(|()| now)
    })?;
    let (pushes, alarms, all_held, mut archived) = push(aws, stack, ecs, scenario).await?;
    let mut stopped = Stopped::default();
    let end = wait_for_the_end(aws, stack, ecs, scenario, &mut stopped);
    let sweeps = async {
        if scenario.sweeps {
            sweep_meanwhile(aws, stack).await
        } else {
            Ok(())
        }
    };
    tokio::try_join!(end, sweeps)?;
    // The last sweep may have begun when all else had ended.
    wait_for_the_end(aws, stack, ecs, scenario, &mut stopped).await?;
    let morning = ecs.with(|_, now| now);
    let redriven = redrive(aws, stack, scenario, begun, |execution| {
        let of_image = pushes.iter().rfind(|push| execution.push.as_ref() == Some(&push.id));
        let unlucky = of_image.filter(|_| scenario.archives(&execution.image));
        archived.extend(unlucky.and_then(|push| archive(ecs, &push.repository, &json!({"imageDigest": push.digest}))));
    })
    .await?;
    if !redriven.is_empty() {
        wait_for_the_end(aws, stack, ecs, scenario, &mut stopped).await?;
    }
    ecs.with(|simulation, now| simulation.set_weather(now, Weather::default()))?;
    come_to_rest(ecs, scenario).await?;
    let (calls, mut others) = records(ecs)?;
    others.extend(alarms);
    others.sort_by_key(|deed| deed.at);
    let mut after = account(ecs)?;
    for service in &mut after.services {
        service.keep_stopped(stopped.tasks.get(&service.id()).map_or(&[], Vec::as_slice));
    }
    note_rollbacks(ecs, &mut after)?;
    let executions = executions(aws, stack, begun).await?;
    let executions: Vec<Execution> = executions.into_iter().map(|(_, it)| it).collect();
    Ok(Aftermath {
        swept: swept(&executions, &pushes),
        failed_sweeps: failed_sweeps(aws, stack, begun).await?,
        clusters: CLUSTERS.map(str::to_owned).to_vec(),
        all_held,
        by_digest: scenario.by_digest,
        stages: scenario.stages.clone(),
        pushes,
        archived,
        before,
        after,
        calls,
        others,
        executions,
        redriven_at: Some(morning).filter(|_| !redriven.is_empty()),
        redriven,
    })
}

fn build(simulation: &mut Simulation, now: i64, scenario: &Scenario) -> Result<(), Failure> {
    let mut call = |operation: &str, request: &Value| {
        let made = simulation.call(now, Api::Ecs, operation, request);
        made.map(drop)
            .map_err(|error| format!("{operation}: {error}: {request}"))
    };
    let is_used = |cluster: &str| scenario.services.iter().any(|it| it.request["cluster"] == cluster);
    for cluster in CLUSTERS
        .into_iter()
        .chain([ELSEWHERE])
        .filter(|cluster| is_used(cluster))
    {
        call("CreateCluster", &json!({"clusterName": cluster}))?;
    }
    for family in &scenario.families {
        call("RegisterTaskDefinition", family)?;
    }
    for service in &scenario.services {
        let made = service.settle(simulation, now);
        made.map_err(|error| format!("CreateService: {error}: {}", service.request))?;
    }
    Ok(())
}

/// Pushes and delivers, has alarms go off and be over, images archived, and puts everything on hold, each at its time. Returns what was pushed, what
/// the alarms did as what others did, when everything was on hold, and what was archived.
#[expect(clippy::too_many_lines, reason = "it is one list of steps, each a few lines")]
async fn push(
    aws: &LocalAws,
    stack: &Stack,
    ecs: &SimulatedEcs,
    scenario: &Scenario,
) -> Result<(Vec<Pushed>, Vec<Deed>, Option<AllHeld>, Vec<Archived>), Failure> {
    enum Step {
        Push(usize),
        Deliver(usize),
        Alarm(usize, bool),
        Hold(bool),
        Archive(usize),
    }
    let mut steps: Vec<(i64, Step)> = Vec::new();
    for (place, push) in scenario.pushes.iter().enumerate() {
        steps.push((push.at, Step::Push(place)));
        let deliveries = push.deliveries.iter();
        steps.extend(deliveries.map(|later| (push.at + later, Step::Deliver(place))));
    }
    for (place, alarm) in scenario.alarms.iter().enumerate() {
        steps.push((alarm.at, Step::Alarm(place, true)));
        steps.push((alarm.at + alarm.lasts, Step::Alarm(place, false)));
    }
    if let Some((at, lasts)) = scenario.hold {
        steps.push((at, Step::Hold(true)));
        steps.push((at + lasts, Step::Hold(false)));
    }
    let archived = scenario.archived.iter().enumerate();
    steps.extend(archived.map(|(place, archive)| (archive.at, Step::Archive(place))));
    // Stable: a push comes before its deliveries.
    steps.sort_by_key(|(at, _)| *at);
    let begun = Instant::now();
    let mut events = vec![Value::Null; scenario.pushes.len()];
    let (mut pushed, mut alarms, mut all_held) = (Vec::new(), Vec::new(), None::<AllHeld>);
    let mut archived_images = Vec::new();
    let mut digests: BTreeMap<usize, String> = BTreeMap::new();
    for (at, step) in steps {
        let at = Duration::from_millis(u64::try_from(at).unwrap_or_default());
        pause(at.saturating_sub(begun.elapsed())).await;
        answer(ecs, &scenario.answers)?;
        match step {
            Step::Push(place) => {
                let push = &scenario.pushes[place];
                let made = match digests.get(&push.image) {
                    Some(digest) => aws.push_again(&push.repository, &push.tag, digest),
                    None => aws.push_simulated(&push.repository, &push.tag, Some(push.behaviour)),
                };
                let made = made.map_err(|error| error.to_string())?;
                digests.insert(push.image, made.digest.clone());
                let event = if scenario.by_image_action {
                    image_action(&made.event)
                } else {
                    made.event
                };
                pushed.push(Pushed {
                    repository: push.repository.clone(),
                    tag: push.tag.clone(),
                    digest: made.digest,
                    id: push_of(&event).ok_or("an event without a time or an id")?,
                    deliveries: push.deliveries.len(),
                    behaviour: Some(push.behaviour),
                });
                events[place] = event;
            }
            Step::Deliver(place) => aws.dispatch(&events[place]).map_err(|error| error.to_string())?,
            Step::Hold(is_on) => {
                let before = ecs.with(|_, now| now);
                let held = aws.hold_everything(stack, is_on.then_some("ann: looks into something"));
                held.map_err(|error| error.to_string())?;
                let after = ecs.with(|_, now| now);
                match &mut all_held {
                    Some(held) => (held.certainly_to, held.perhaps_to) = (before, after),
                    None => {
                        all_held = Some(AllHeld {
                            perhaps_from: before,
                            certainly_from: after,
                            certainly_to: i64::MAX,
                            perhaps_to: i64::MAX,
                        });
                    }
                }
            }
            Step::Archive(place) => {
                let repository = &scenario.archived[place].repository;
                archived_images.extend(archive(ecs, repository, &json!({"imageTag": Archive::TAG})));
            }
            Step::Alarm(place, in_alarm) => {
                let alarm = &scenario.alarms[place];
                let at = ecs.with(|simulation, now| {
                    simulation.set_alarm(now, &alarm.name, in_alarm);
                    now
                });
                alarms.push(Deed {
                    at,
                    operation: "_SetAlarm".to_owned(),
                    request: json!({
                        "cluster": alarm.cluster,
                        "service": alarm.service,
                        "alarmName": alarm.name,
                        "inAlarm": in_alarm,
                    }),
                    error: None,
                });
            }
        }
    }
    Ok((pushed, alarms, all_held, archived_images))
}

/// Archives an image, where it is there.
fn archive(ecs: &SimulatedEcs, repository: &str, id: &Value) -> Option<Archived> {
    let request = json!({"repositoryName": repository, "imageIds": [id]});
    ecs.with(|simulation, now| {
        let described = simulation.call(now, Api::Ecr, "DescribeImages", &request).ok()?;
        let digest = described["imageDetails"][0]["imageDigest"].as_str()?.to_owned();
        simulation.archive(repository, &digest, true);
        Some(Archived {
            at: now,
            repository: repository.to_owned(),
            digest,
        })
    })
}

/// The event by which ECR itself tells of a push that CloudTrail tells of too.
fn image_action(by_cloud_trail: &Value) -> Value {
    let image = &by_cloud_trail["detail"]["responseElements"]["image"];
    let manifest = by_cloud_trail["detail"]["requestParameters"]["imageManifest"].as_str();
    let manifest: Value = manifest
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut event = by_cloud_trail.clone();
    event["detail-type"] = IMAGE_ACTION.into();
    event["detail"] = json!({
        "result": "SUCCESS",
        "action-type": "PUSH",
        "repository-name": image["repositoryName"],
        "image-digest": image["imageId"]["imageDigest"],
        "image-tag": image["imageId"]["imageTag"],
        "manifest-media-type": manifest["mediaType"],
        "artifact-media-type": manifest["config"]["mediaType"],
    });
    event
}

fn is_image_action(event: &Value) -> bool {
    event["detail-type"] == IMAGE_ACTION
}

/// Which push an event tells of.
fn push_of(event: &Value) -> Option<PushId> {
    let (at, id) = if is_image_action(event) {
        (&event["time"], &event["id"])
    } else {
        (&event["detail"]["eventTime"], &event["detail"]["eventID"])
    };
    Some(PushId::new(at.as_str()?.parse().ok()?, id.as_str()?))
}

/// The tasks of each service that have stopped since the storm began.
#[derive(Default)]
struct Stopped {
    tasks: BTreeMap<ServiceId, Vec<StoppedTask>>,
    noted: Option<Instant>,
}

impl Stopped {
    /// Notes them, unless that was done a moment ago.
    fn note(&mut self, ecs: &SimulatedEcs) -> Result<(), Failure> {
        if self.noted.is_some_and(|noted| noted.elapsed() < NOTING) {
            return Ok(());
        }
        self.noted = Some(Instant::now());
        for mut service in account(ecs)?.services {
            let known = self.tasks.entry(service.id()).or_default();
            service.keep_stopped(known);
            *known = service.stopped_tasks;
        }
        Ok(())
    }
}

/// Notes when ECS began to go back, where it did.
fn note_rollbacks(ecs: &SimulatedEcs, account: &mut Account) -> Result<(), Failure> {
    let histories = account.services.iter_mut().filter(|service| service.is_active());
    let went_back = histories
        .flat_map(|service: &mut Service| &mut service.history)
        .filter(|rollout| rollout.status.starts_with("ROLLBACK"));
    for rollout in went_back {
        let request = json!({"serviceDeploymentArns": [rollout.service_deployment_arn]});
        let told = ecs.with(|simulation, now| simulation.call(now, Api::Ecs, "DescribeServiceDeployments", &request));
        let told = told.map_err(|error| format!("DescribeServiceDeployments: {error}"))?;
        let since = told["serviceDeployments"][0]["rollback"]["startedAt"].as_f64();
        rollout.rolling_back_since = since.and_then(|since| {
            // To the nearest millisecond.
            let since = Duration::try_from_secs_f64(since + 0.000_5).ok()?;
            i64::try_from(since.as_millis()).ok()
        });
    }
    Ok(())
}

/// Waits until no execution runs. One that does not end is stopped, so that the next storm is its own.
async fn wait_for_the_end(
    aws: &LocalAws,
    stack: &Stack,
    ecs: &SimulatedEcs,
    scenario: &Scenario,
    stopped: &mut Stopped,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut quiet = 0;
    loop {
        stopped.note(ecs)?;
        answer(ecs, &scenario.answers)?;
        // An event that has been delivered starts its execution soon.
        pause(Duration::from_secs(1)).await;
        let mut running = Vec::new();
        for machine in [&stack.sweep, &stack.push, &stack.deploy_image, &stack.deploy_service] {
            let list = aws.sfn().list_executions().state_machine_arn(machine);
            let page = list.status_filter(ExecutionStatus::Running).send().await;
            let page = page.map_err(|error| format!("ListExecutions: {error}"))?;
            running.extend(page.executions.into_iter().map(|it| it.execution_arn));
        }
        quiet = if running.is_empty() { quiet + 1 } else { 0 };
        if quiet == 3 {
            return Ok(());
        }
        if begun.elapsed() > LIMIT + STOPPING {
            return Err(format!("{} executions neither end nor can be stopped", running.len()));
        }
        if begun.elapsed() > LIMIT {
            for arn in running {
                let stopped = aws.sfn().stop_execution().execution_arn(&arn).error("Storm.DidNotEnd");
                stopped
                    .send()
                    .await
                    .map_err(|error| format!("StopExecution of {arn}: {error}"))?;
            }
        }
    }
}

/// Sweeps while the storm blows: two at the same moment, and others after them.
async fn sweep_meanwhile(aws: &LocalAws, stack: &Stack) -> Result<(), Failure> {
    for wave in SWEEPS {
        pause(wave.later).await;
        for _ in 0..wave.at_once {
            start_sweep(aws, stack).await?;
        }
    }
    Ok(())
}

/// The pushes that sweeps began: one for each execution.
fn swept(executions: &[Execution], all: &[Pushed]) -> Vec<Pushed> {
    let begun = executions
        .iter()
        .filter(|it| it.by_sweep && it.machine == Machine::DeployImage);
    let pushed = begun.filter_map(|execution| {
        let (repository, tag) = execution.image.split_once(':')?;
        let id = execution.push.clone()?;
        // A tag may have stood for several images.
        let of_tag = all.iter().filter(|it| it.repository == repository && it.tag == tag);
        let near = of_tag.min_by_key(|it| it.id.at().duration_since(id.at()).abs())?;
        Some(Pushed { id, ..near.clone() })
    });
    pushed.collect()
}

/// The sweeps that failed, or did not end.
async fn failed_sweeps(aws: &LocalAws, stack: &Stack, begun: i64) -> Result<Vec<String>, Failure> {
    let since = aws_smithy_types::DateTime::from_millis(begun);
    let sweeps = aws.executions(&stack.sweep, Some(since), |_| true).await;
    let sweeps = sweeps.map_err(|error| error.to_string())?.into_iter();
    let failed = sweeps.filter(|it| it.status != ExecutionStatus::Succeeded);
    Ok(failed
        .map(|it| {
            format!(
                "{} ({}): {}",
                it.name,
                it.status.as_str(),
                it.error_message().unwrap_or_default()
            )
        })
        .collect())
}

/// The redrives of an operator next morning, when that has happened to each execution which he redrives that happened
/// in the night. Returns the executions as they were before.
async fn redrive(
    aws: &LocalAws,
    stack: &Stack,
    scenario: &Scenario,
    begun: i64,
    mut at_night: impl FnMut(&Execution),
) -> Result<Vec<Execution>, Failure> {
    let mut redriven = Vec::new();
    let wanted = |execution: &Execution| {
        let service = execution.service.as_ref().map_or("", |id| id.service.as_str());
        execution.is_red() && scenario.redrives(&execution.image, service)
    };
    let all = executions(aws, stack, begun).await?;
    let wanted: Vec<(String, Execution)> = all.into_iter().filter(|(_, execution)| wanted(execution)).collect();
    for (_, execution) in &wanted {
        at_night(execution);
    }
    if !wanted.is_empty() {
        // So that what was archived was so before any of them reads.
        pause(ARCHIVING).await;
    }
    for (arn, execution) in wanted {
        let redrive = aws.sfn().redrive_execution().execution_arn(&arn).send().await;
        redrive.map_err(|error| format!("RedriveExecution of {arn}: {}", DisplayErrorContext(error)))?;
        redriven.push(execution);
    }
    Ok(redriven)
}

/// After the storm each repository gets an image more whose event is lost, every second one a bad one. Two operators sweep at the
/// same moment, and once more when all that has ended.
pub(crate) async fn sweep(
    aws: &LocalAws,
    stack: &Stack,
    scenario: &Scenario,
    pushes: &[Pushed],
) -> Result<Swept, Failure> {
    let ecs = aws.simulated_ecs().ok_or("the local AWS has no simulated ECS")?;
    let newest: BTreeMap<&str, &Pushed> = pushes.iter().map(|push| (push.repository.as_str(), push)).collect();
    for (place, push) in newest.values().enumerate() {
        let behaviour = [simulated_ecs::Behaviour::Good, simulated_ecs::Behaviour::Crash][place % 2];
        let lost = aws.push_simulated(&push.repository, &push.tag, Some(behaviour));
        lost.map_err(|error| error.to_string())?;
    }
    // Whatever is younger is not missed yet.
    pause(Duration::from_secs(SETTLED_SECONDS)).await;
    let mut swept = Swept {
        before: account(ecs)?,
        ..Swept::default()
    };
    let (one, other) = tokio::join!(swept_once(aws, stack), swept_once(aws, stack));
    let (one, other) = (one?, other?);
    let list = |output: &Value, member: &str| output[member].as_array().cloned().unwrap_or_default();
    let images = |output: &Value| -> Vec<String> {
        let started = list(output, "started").into_iter();
        started
            .filter_map(|it| it["image"].as_str().map(str::to_owned))
            .collect()
    };
    swept.missed = list(&one, "missed").len();
    swept.started = images(&one);
    let of_other = images(&other);
    let more = of_other.into_iter().filter(|image| !swept.started.contains(image));
    let more: Vec<String> = more.collect();
    swept.started.extend(more);
    let mut stopped = Stopped::default();
    wait_for_the_end(aws, stack, ecs, scenario, &mut stopped).await?;
    come_to_rest(ecs, scenario).await?;
    swept.started.extend(images(&swept_once(aws, stack).await?));
    wait_for_the_end(aws, stack, ecs, scenario, &mut stopped).await?;
    come_to_rest(ecs, scenario).await?;
    swept.after = account(ecs)?;
    Ok(swept)
}

/// Starts a sweep; returns the ARN of its execution.
async fn start_sweep(aws: &LocalAws, stack: &Stack) -> Result<String, Failure> {
    let start = aws.sfn().start_execution().state_machine_arn(&stack.sweep);
    let started = start.input("{}").send().await;
    started
        .map(|started| started.execution_arn)
        .map_err(|error| format!("StartExecution of the sweep: {}", DisplayErrorContext(error)))
}

/// The output of a sweep.
async fn swept_once(aws: &LocalAws, stack: &Stack) -> Result<Value, Failure> {
    let arn = start_sweep(aws, stack).await?;
    let begun = Instant::now();
    loop {
        let execution = aws.execution(&arn).await.map_err(|error| error.to_string())?;
        if let Some(output) = execution.output {
            return Ok(output);
        }
        if execution.has_ended() || begun.elapsed() > LIMIT {
            return Err(format!("the sweep did not end well: {:?}", execution.cause));
        }
        pause(Duration::from_millis(500)).await;
    }
}

/// Waits until no rollout is under way. One that goes on for ever is left to the invariants.
async fn come_to_rest(ecs: &SimulatedEcs, scenario: &Scenario) -> Result<(), Failure> {
    let begun = Instant::now();
    let is_moving = || {
        let state = ecs.with(|simulation, _| simulation.state());
        let services = state["services"].as_array().cloned().unwrap_or_default();
        services.iter().any(|service| service["rolloutState"] == "IN_PROGRESS")
    };
    while is_moving() && begun.elapsed() < REST {
        answer(ecs, &scenario.answers)?;
        pause(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Somebody checks which rollouts pause, and ends each pause as it is meant.
fn answer(ecs: &SimulatedEcs, answers: &BTreeMap<String, Answer>) -> Result<(), Failure> {
    if answers.is_empty() {
        return Ok(());
    }
    ecs.with(|simulation, now| {
        let state = simulation.state();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for service in list(&state["services"]) {
            let name = service["serviceName"].as_str().unwrap_or_default();
            let Some(answer) = answers.get(name) else { continue };
            let Some(newest) = list(&service["history"]).pop() else {
                continue;
            };
            if newest["status"] != "IN_PROGRESS" || service["status"] != "ACTIVE" {
                continue;
            }
            for hook in list(&newest["lifecycleHooks"]) {
                if hook["status"] != "AWAITING_ACTION" {
                    continue;
                }
                let request = json!({
                    "serviceDeploymentArn": newest["serviceDeploymentArn"],
                    "hookId": hook["hookId"],
                    "action": answer.action(),
                });
                let ended = simulation.call(now, Api::Ecs, "ContinueServiceDeployment", &request);
                ended.map_err(|error| format!("ContinueServiceDeployment: {error}: {request}"))?;
            }
        }
        Ok(())
    })
}

fn account(ecs: &SimulatedEcs) -> Result<Account, Failure> {
    let state = ecs.with(|simulation, _| simulation.state());
    Account::read(&state).map_err(|error| format!("the simulation's state: {error}"))
}

fn records(ecs: &SimulatedEcs) -> Result<(Vec<Call>, Vec<Deed>), Failure> {
    let (state, (_, report)) = ecs.with(|simulation, now| {
        let calls = simulation.administer(now, "GET", "calls", "log=true", b"");
        (simulation.state(), calls)
    });
    let calls = serde_json::from_value(report["log"].clone());
    let others = serde_json::from_value(state["secondDeployers"].clone());
    Ok((
        calls.map_err(|error| format!("the log of calls: {error}"))?,
        others.map_err(|error| format!("what second deployers did: {error}"))?,
    ))
}

/// The executions since a moment, each with its ARN.
async fn executions(aws: &LocalAws, stack: &Stack, begun: i64) -> Result<Vec<(String, Execution)>, Failure> {
    let mut executions = Vec::new();
    let machines = [
        (Machine::DeployImage, &stack.deploy_image),
        (Machine::DeployService, &stack.deploy_service),
    ];
    let since = aws_smithy_types::DateTime::from_millis(begun);
    for (machine, arn) in machines {
        let found = aws.executions(arn, Some(since), |_| true).await;
        let found = found.map_err(|error| error.to_string())?;
        executions.extend(found.into_iter().map(|it| (it.arn.clone(), execution(machine, it))));
    }
    let of_pushes = executions
        .iter_mut()
        .filter(|(_, it)| it.machine == Machine::DeployImage);
    for (arn, execution) in of_pushes {
        execution.found = found(&aws.history(arn).await.map_err(|error| error.to_string())?);
    }
    executions.sort_by_key(|(_, execution)| execution.started);
    Ok(executions)
}

/// The plan of an execution of deploy-image, from its history.
fn found(history: &[HistoryEvent]) -> Option<Found> {
    const FIND: &str = "Find task definitions";
    let entered = |event: &HistoryEvent, state: &str| {
        let details = event.state_entered_event_details.as_ref();
        details.is_some_and(|details| details.name == state)
    };
    let exited = history.iter().rposition(|event| {
        let details = event.state_exited_event_details.as_ref();
        details.is_some_and(|details| details.name == FIND)
    })?;
    let begun = history[..exited].iter().rfind(|event| entered(event, FIND))?;
    let output = history[exited].state_exited_event_details.as_ref()?.output.as_deref();
    let plan: Value = serde_json::from_str(output?).ok()?;
    let list = |member: &str| plan[member].as_array().map_or(&[][..], Vec::as_slice);
    let mut skipped: BTreeMap<String, u64> = BTreeMap::new();
    for it in list("skipped") {
        let reason = it["reason"].as_str().unwrap_or_default().to_owned();
        *skipped.entry(reason).or_default() += it["count"].as_u64().unwrap_or(1);
    }
    let first = usize::from(!list("revisions").is_empty());
    Some(Found {
        from: begun.timestamp.to_millis().ok()?,
        to: history[exited].timestamp.to_millis().ok()?,
        skipped,
        waves: first + list("later").len(),
        begun: first + history.iter().filter(|event| entered(event, "Next wave")).count(),
    })
}

fn execution(machine: Machine, it: local_aws::executions::Execution) -> Execution {
    let millis = |at: aws_smithy_types::DateTime| at.to_millis().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let input = &it.input;
    let (push, repository, tag) = match machine {
        Machine::DeployImage if is_image_action(input) => {
            let detail = &input["detail"];
            (push_of(input), &detail["repository-name"], &detail["image-tag"])
        }
        Machine::DeployImage => {
            let parameters = &input["detail"]["requestParameters"];
            (push_of(input), &parameters["repositoryName"], &parameters["imageTag"])
        }
        Machine::DeployService => {
            let image = &input["image"];
            let push = text(&image["push"]).and_then(|push| PushId::try_from(push).ok());
            (push, &image["repository"], &image["tag"])
        }
    };
    let [repository, tag] = [repository, tag].map(|value| text(value).unwrap_or_default());
    let parent = text(&input["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"]);
    Execution {
        machine,
        status: it.status.as_str().to_owned(),
        started: millis(it.started),
        ended: it.ended.map(millis),
        message: it.error_message(),
        image: format!("{repository}:{tag}"),
        by_sweep: push.as_ref().is_some_and(PushId::is_of_sweep),
        push,
        service: text(&input["service"])
            .zip(text(&input["cluster"]))
            .map(|(service, cluster)| ServiceId { cluster, service }),
        parent: parent.and_then(|arn| arn.rsplit(':').next().map(str::to_owned)),
        found: None,
        name: it.name,
        error: it.error,
        output: it.output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::domain::push::{Push, parse_push};

    #[test]
    fn ecrs_own_event_tells_of_the_same_image_and_of_a_push_that_is_known_by_its_own_time_and_id() {
        let by_cloud_trail = json!({
            "version": "0",
            "id": "00000001-628b-6117-af20-0e5566167482",
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.ecr",
            "account": ACCOUNT,
            "time": "2026-01-01T00:00:00Z",
            "region": REGION,
            "resources": [],
            "detail": {
                "eventTime": "2026-01-01T00:00:00Z",
                "eventName": "PutImage",
                "awsRegion": REGION,
                "requestParameters": {
                    "registryId": ACCOUNT,
                    "repositoryName": "shop/web",
                    "imageTag": "v2",
                    "imageManifest": json!({
                        "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "config": {"mediaType": "application/vnd.oci.image.config.v1+json"},
                    })
                    .to_string(),
                },
                "responseElements": {"image": {
                    "registryId": ACCOUNT,
                    "repositoryName": "shop/web",
                    "imageId": {"imageDigest": format!("sha256:{:064x}", 2), "imageTag": "v2"},
                }},
                "eventID": "00000001-e52b-4c4d-bbb5-547b85fec1f8",
            },
        });
        let by_ecr = image_action(&by_cloud_trail);
        let [one, other] = [&by_cloud_trail, &by_ecr].map(|event| match parse_push(event) {
            Ok(Push::Tagged(image)) => image,
            other => panic!("{other:?}"),
        });
        assert_eq!((one.to_string(), &one.digest), (other.to_string(), &other.digest));
        let id = |event: &Value| push_of(event).map(|push| push.to_string());
        assert_eq!(id(&by_cloud_trail), Some(one.push.to_string()));
        assert_eq!(id(&by_ecr), Some(other.push.to_string()));
    }
}
