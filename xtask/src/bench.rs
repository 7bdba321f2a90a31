//! The benchmark: what a cold start costs, and how long it takes from an event to the last `UpdateService`.
//!
//! Nothing here is a test: it prints, and fails only when it cannot measure.

use crate::{Failure, lambda, prerequisites};
use aws_sdk_ecs::config::{BehaviorVersion, Builder, Credentials, Region};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::config::Config;
use shared::contract::{
    Execution, PlannedRevision, PlannedService, RegisterRevision, RegisteredRevision, Turn, UpdateService,
};
use shared::ecs::Ecs;
use shared::push::PushedImage;
use shared::runtime::Request;
use shared::task_definition::ImageForm;
use simulated_ecs::{Seed, Settings, SimulatedEcs};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long each call to AWS takes, in milliseconds.
const LATENCY: u64 = 15;
/// How much faster than AWS's the rollouts are, so that each run finds services at rest.
const SPEED: f64 = 5000.0;
/// How many times each measurement is taken.
const CHAIN_RUNS: usize = 5;
const START_RUNS: usize = 15;
/// The default of the setting `maxConcurrency`.
const CONCURRENCY: usize = 10;

/// Measures everything and prints it.
///
/// # Errors
///
/// When the functions cannot be built or do not answer.
pub(crate) fn run() -> Result<(), Failure> {
    prerequisites::check()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let functions = lambda::build()?;
    eprintln!(
        "\nFrom event to the last UpdateService, {LATENCY} ms per AWS call, {CONCURRENCY} at once, warm; min / median / max of {CHAIN_RUNS} runs"
    );
    for services in [8, 100] {
        let (times, calls) = runtime.block_on(chain(services))?;
        let calls: Vec<String> = calls
            .iter()
            .map(|(operation, count)| format!("{count} {operation}"))
            .collect();
        eprintln!(
            "  {services:>3} services on {services} families: {} ms   {}",
            spread(&times),
            calls.join(", ")
        );
    }
    eprintln!(
        "\nPer function: process start to first answer (with its calls at 0 ms), resident memory, zip; min / median / max of {START_RUNS} runs"
    );
    let ecs = simulation(8, 0)?;
    let inputs = runtime.block_on(inputs(&ecs))?;
    for function in &functions {
        let input = inputs
            .get(function.name.as_str())
            .ok_or_else(|| format!("no input for {}", function.name))?;
        let mut starts = Vec::new();
        let mut memory = 0;
        for _ in 0..START_RUNS {
            let answer = lambda::cold_start(function, input, &ecs.url())?;
            starts.push(answer.time);
            memory = memory.max(answer.resident_kilobytes);
        }
        eprintln!(
            "  {:<22} {} ms   {:>5.1} MB resident   {:>5.2} MB zip",
            function.name,
            spread(&starts),
            megabytes(memory * 1024),
            megabytes(function.zip_bytes)
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "sizes are shown with two digits")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn spread(times: &[Duration]) -> String {
    let mut milliseconds: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    milliseconds.sort_by(f64::total_cmp);
    let at = |place: usize| milliseconds.get(place).copied().unwrap_or_default();
    format!(
        "{:>6.1} / {:>6.1} / {:>6.1}",
        at(0),
        at(milliseconds.len() / 2),
        at(milliseconds.len().saturating_sub(1))
    )
}

fn simulation(services: usize, latency_milliseconds: u64) -> Result<SimulatedEcs, Failure> {
    let ecs = SimulatedEcs::start(Settings {
        latency_milliseconds,
        speed: SPEED,
        ..Settings::default()
    })
    .map_err(|error| error.to_string())?;
    let seed = Seed {
        services,
        service_name: "web".to_owned(),
        ..Seed::default()
    };
    ecs.with(|simulation, now| simulation.seed(now, &seed))
        .map_err(|error| error.to_string())?;
    Ok(ecs)
}

fn client(ecs: &SimulatedEcs) -> Ecs {
    let credentials = Credentials::new("local", "local", None, None, "the benchmark");
    Ecs::with_config(
        Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(credentials)
            .endpoint_url(ecs.url()),
    )
}

fn config() -> Config {
    Config {
        clusters: Vec::new(),
        deploy_latest: false,
        tag_latest: false,
        image_reference: ImageForm::Tag,
        scan_families: true,
        rollout_timeout: SignedDuration::from_mins(30),
        poll_interval: SignedDuration::from_secs(15),
    }
}

fn event(tag: &str) -> Value {
    let digest = format!("sha256:{}", "e".repeat(64));
    let now = now().to_string();
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
        "source": "aws.ecr", "account": "123456789012", "time": now, "region": "eu-west-1", "resources": [],
        "detail": {"result": "SUCCESS", "repository-name": "app", "image-digest": digest, "action-type": "PUSH", "image-tag": tag},
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is an edge")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn request(input: Value) -> Request<Value> {
    let execution = Execution {
        id: "arn:aws:states:eu-west-1:123456789012:execution:deploy-image:bench".to_owned(),
        redrive_count: 0,
    };
    Request {
        execution,
        now: now(),
        input,
    }
}

fn to_value(of: impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(of).map_err(|error| error.to_string())
}

/// Runs the functions as the state machine does, and counts their calls of the last run.
async fn chain(services: usize) -> Result<(Vec<Duration>, BTreeMap<String, u64>), Failure> {
    let ecs = simulation(services, LATENCY)?;
    // A warm function has its connections and its tokens; each step is a function of its own.
    let (find, register, update) = (client(&ecs), client(&ecs), client(&ecs));
    let config = config();
    let mut times = Vec::new();
    for run in 0..=CHAIN_RUNS {
        ecs.with(|simulation, _| simulation.reset_calls());
        let begun = Instant::now();
        deploy(&find, &register, &update, &config, event(&format!("v{}", run + 2))).await?;
        // The first run opens the connections.
        if run > 0 {
            times.push(begun.elapsed());
        }
    }
    Ok((times, calls(&ecs)))
}

async fn deploy(find: &Ecs, register: &Ecs, update: &Ecs, config: &Config, event: Value) -> Result<(), Failure> {
    let plan = find_task_definitions::handle(find, config, request(event))
        .await
        .map_err(|error| error.to_string())?;
    let image = plan.image.ok_or("the event holds no image")?;
    stream::iter(plan.revisions)
        .map(|planned| deploy_revision(register, update, config, &image, planned))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await
}

async fn deploy_revision(
    register: &Ecs,
    update: &Ecs,
    config: &Config,
    image: &PushedImage,
    planned: PlannedRevision,
) -> Result<(), Failure> {
    let input = RegisterRevision {
        image: image.clone(),
        task_definition: planned.task_definition,
    };
    let registered = register_revision::handle(register, config, request(to_value(input)?))
        .await
        .map_err(|error| error.to_string())?;
    for service in planned.services {
        let input = update_input(image, &registered, service);
        update_service::handle(update, config, request(to_value(input)?))
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn update_input(image: &PushedImage, registered: &RegisteredRevision, planned: PlannedService) -> UpdateService {
    UpdateService {
        image: image.clone(),
        cluster: planned.cluster,
        service: planned.service,
        task_definition: registered.task_definition.clone(),
        source: registered.source.clone(),
        deadline: None,
        turn: Turn::First,
    }
}

fn calls(ecs: &SimulatedEcs) -> BTreeMap<String, u64> {
    let (_, report) = ecs.with(|simulation, now| simulation.administer(now, "GET", "calls", "", b""));
    let operations = report["operations"].as_object().cloned().unwrap_or_default();
    operations
        .into_iter()
        .map(|(operation, count)| (operation, count["calls"].as_u64().unwrap_or_default()))
        .collect()
}

/// An input for each function, as the state machine would make it for one of the services.
async fn inputs(ecs: &SimulatedEcs) -> Result<BTreeMap<&'static str, Value>, Failure> {
    let client = client(ecs);
    let config = config();
    let event = event("v2");
    let message = |error: shared::error::Error| error.to_string();
    let plan = find_task_definitions::handle(&client, &config, request(event.clone()))
        .await
        .map_err(message)?;
    let image = plan.image.clone().ok_or("the event holds no image")?;
    let planned = plan.revisions.first().cloned().ok_or("nothing to deploy")?;
    let register = RegisterRevision {
        image: image.clone(),
        task_definition: planned.task_definition,
    };
    let registered = register_revision::handle(&client, &config, request(to_value(&register)?))
        .await
        .map_err(message)?;
    let service = planned.services.into_iter().next().ok_or("no service")?;
    let update = update_input(&image, &registered, service);
    let updated = update_service::handle(&client, &config, request(to_value(&update)?))
        .await
        .map_err(message)?;
    let rollout = to_value(&updated.rollout)?;
    let previous = to_value(&updated.previous)?;
    Ok(BTreeMap::from([
        ("find-task-definitions", event),
        ("register-revision", to_value(&register)?),
        ("update-service", to_value(&update)?),
        (
            "check-stability",
            json!({"image": &image, "rollout": &rollout, "previous": &previous, "rollsBack": null, "services": 1}),
        ),
        (
            "roll-back",
            json!({"image": &image, "rollout": &rollout, "previous": &previous}),
        ),
        (
            "conclude",
            json!({"scope": "IMAGE", "image": null, "revisions": [], "results": [], "services": [], "families": [], "skipped": plan.skipped, "attempt": 0}),
        ),
    ]))
}
