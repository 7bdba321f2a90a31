//! A scenario says everything about a storm before it begins: what there is, what is pushed when, what goes wrong, and what
//! others do. It depends on its seed and size and on nothing else, so that a storm can be played again.

mod applies;
mod deeds;
mod faults;
mod hooks;
mod kinds;
mod pushes;
mod sky;
mod stages;

use super::stages::Stage;
use deeds::Alarm;
use fastrand::Rng;
pub(crate) use hooks::Answer;
use kinds::Kind;
use local_aws::{ACCOUNT, REGION};
use pushes::Push;
use serde::Serialize;
use serde_json::{Value, json};
use simulated_ecs::{ApiError, Simulation, Weather};
use std::collections::BTreeMap;

/// The clusters that the stack is for. The last one is deleted half-way in some storms, and not there in the others.
pub(crate) const CLUSTERS: [&str; 4] = ["north", "south", "west", DOOMED];
/// A cluster that the stack is not for.
pub(crate) const ELSEWHERE: &str = "elsewhere";
const DOOMED: &str = "doomed";

/// How many times as fast as AWS's the rollouts are: `slow` takes eight seconds, a bake time of five minutes ten.
pub(crate) const SPEED: f64 = 30.0;

/// A storm, before it begins.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scenario {
    /// The seed that it was made from.
    pub(crate) seed: u64,
    /// The families, by the request that registers each.
    pub(crate) families: Vec<Value>,
    /// The services that have been running for long, by the request that makes each.
    pub(crate) services: Vec<Service>,
    /// The stages; none is one that owns all.
    pub(crate) stages: Vec<Stage>,
    /// The pushes, in their order.
    pub(crate) pushes: Vec<Push>,
    /// Faults and second deployers.
    pub(crate) weather: Weather,
    /// The alarms that go off for a reason of their own.
    pub(crate) alarms: Vec<Alarm>,
    /// When somebody puts everything on hold, and for how long, in milliseconds since the storm began.
    pub(crate) hold: Option<(i64, i64)>,
    /// The images that a lifecycle policy archives.
    pub(crate) archived: Vec<Archive>,
    /// The setting `imageReference`: whether revisions name the pushed image by its digest, and not by its tag.
    pub(crate) by_digest: bool,
    /// The setting `trigger`: whether pushes are heard of by ECR's own event, and not by CloudTrail's.
    pub(crate) by_image_action: bool,
    /// The deeds of a person as soon as a rollout pauses at a lifecycle hook, by the name of the service.
    pub(crate) answers: BTreeMap<String, Answer>,
    /// True if sweeps run while the storm blows. Some pushes are never heard of then, but for a sweep.
    pub(crate) sweeps: bool,
    /// How many of a hundred red executions an operator redrives when all have ended.
    pub(crate) redriven_percent: u32,
}

/// The deed of a lifecycle policy at the first image of an app.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Archive {
    /// When, in milliseconds since the storm began.
    pub(crate) at: i64,
    pub(crate) repository: String,
}

impl Archive {
    /// The tag of the image.
    pub(crate) const TAG: &str = FIRST;
}

/// The tag of what runs before the storm.
const FIRST: &str = "v1";

/// A service to be.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Service {
    /// Its kind.
    pub(crate) kind: Kind,
    /// The request of `CreateService`.
    pub(crate) request: Value,
}

impl Service {
    fn text(&self, member: &str) -> &str {
        self.request[member].as_str().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.text("serviceName")
    }

    fn cluster(&self) -> &str {
        self.text("cluster")
    }

    /// Makes it in a simulation, as one that has been running for long.
    ///
    /// # Errors
    ///
    /// Those of `CreateService`.
    pub(crate) fn settle(&self, simulation: &mut Simulation, now: i64) -> Result<String, ApiError> {
        match self.kind {
            Kind::Express => simulation.settled_in_express_mode(now, &self.request),
            _ => simulation.settled_service(now, &self.request),
        }
    }
}

/// One of several, each as likely as its weight.
fn weighted<T: Copy>(rng: &mut Rng, table: &[(u32, T)]) -> Option<T> {
    let total: u32 = table.iter().map(|(weight, _)| weight).sum();
    let mut place = rng.u32(..total.max(1));
    for (weight, value) in table {
        if place < *weight {
            return Some(*value);
        }
        place -= weight;
    }
    None
}

/// True if something happens that happens so many times in a hundred.
fn happens(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(..100) < percent
}

/// The reference of an image in the account's own registry.
fn image(repository: &str, tag: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:{tag}")
}

impl Scenario {
    /// The scenario of a seed, with so many services.
    pub(crate) fn new(seed: u64, services: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let repositories = (services / 24).max(3);
        let mut families = families(&mut rng, (services / 8).max(4), repositories);
        let has_doomed = happens(&mut rng, 40);
        let mut services = services_on(&mut rng, services, &families, has_doomed);
        let mut of_faults = Rng::with_seed(seed ^ faults::OWN);
        faults::families(&mut of_faults, &mut families, repositories);
        faults::services(&mut of_faults, &families, &mut services);
        let length = 30_000 + 150 * i64::try_from(services.len()).unwrap_or(0);
        let mut pushes = pushes::pushes(&mut rng, repositories, length);
        faults::pushes(&mut of_faults, &families, &mut pushes);
        let mut weather = sky::sky(&mut rng, length);
        weather.schedule = deeds::deeds(&mut rng, &services, &families, length, has_doomed);
        let alarms = deeds::alarms(&mut rng, &services, length);
        let by_digest = happens(&mut rng, 25);
        let by_image_action = happens(&mut rng, 25);
        let redriven_percent = weighted(&mut rng, &[(50, 0), (30, 20), (20, 60)]).unwrap_or_default();
        // Drawn last: with one stage for all, a storm is what it would be if there were no stages.
        let stages = stages::stages(&mut rng);
        if !stages.is_empty() {
            stages::tags(&mut rng, &mut pushes);
            stages::later(&mut rng, &stages, &mut pushes);
            stages::tag_services(&mut rng, &stages, &mut services);
            weather
                .schedule
                .extend(stages::tagged_meanwhile(&mut rng, &services, length));
        }
        pushes::pushed_over(&mut rng, &mut pushes);
        let sweeps = pushes::lose_events(&mut Rng::with_seed(seed ^ pushes::OF_SWEEPS), &mut pushes);
        let applies = applies::applies(&mut rng, &services, &families, length);
        weather.schedule.extend(applies);
        weather.schedule.extend(faults::hosts(&mut of_faults, &services));
        let hold = faults::hold(&mut of_faults, length);
        faults::pile(&mut of_faults, &mut families, &mut services, &mut pushes, length);
        let answers = hooks::hooks(&mut rng, &mut services);
        let meets_each = faults::one_of_each(&mut of_faults, &mut families, &mut services, &mut pushes);
        weather.schedule.extend(meets_each);
        let archived = archives(&mut rng, repositories, length);
        Self {
            seed,
            families,
            services,
            stages,
            pushes,
            weather,
            alarms,
            hold,
            archived,
            by_digest,
            by_image_action,
            answers,
            sweeps,
            redriven_percent,
        }
    }

    /// True if an operator redrives the red execution for this image, of this service where it is one's.
    pub(crate) fn redrives(&self, image: &str, service: &str) -> bool {
        self.happens_to(&[image, service], self.redriven_percent)
    }

    /// True if this image has been archived when the operator comes.
    pub(crate) fn archives(&self, image: &str) -> bool {
        self.happens_to(&[image, "archived"], 25)
    }

    fn happens_to(&self, name: &[&str], percent: u32) -> bool {
        let name = name.join("\0");
        let mixed = name
            .bytes()
            .fold(self.seed, |mixed, byte| mixed.rotate_left(8) ^ u64::from(byte));
        happens(&mut Rng::with_seed(mixed), percent)
    }
}

/// In some storms, the first image of one app is archived while pushes come.
fn archives(rng: &mut Rng, repositories: usize, length: i64) -> Vec<Archive> {
    let archive = Archive {
        at: rng.i64(length / 4..length),
        repository: app_repository(rng.usize(0..repositories)),
    };
    if happens(rng, 40) { vec![archive] } else { Vec::new() }
}

/// The repository of the app of a family, and that of its sidecar: shared by many families.
fn app_repository(number: usize) -> String {
    format!("shop/app-{number}")
}

const SIDECARS: [&str; 2] = ["ops/proxy", "ops/agent"];

fn families(rng: &mut Rng, count: usize, repositories: usize) -> Vec<Value> {
    let mut families: Vec<Value> = (0..count)
        .map(|number| {
            family(
                rng,
                &format!("family-{number:02}"),
                &app_repository(number % repositories),
            )
        })
        .collect();
    // These have nothing to do with any push, though one name begins with another.
    families.push(family(rng, "bystander", "shop/app-0-worker"));
    // No service runs these: scheduled and one-off tasks.
    families.push(family(rng, "nightly", &app_repository(0)));
    families
}

fn family(rng: &mut Rng, name: &str, repository: &str) -> Value {
    let container = |name: &str, image: String| {
        json!({
            "name": name,
            "image": image,
            "essential": true,
            "memory": 128,
            "environment": [{"name": "STAGE", "value": "storm"}],
            "dockerLabels": {"owner": "somebody"},
        })
    };
    let mut containers = vec![container("app", image(repository, FIRST))];
    if name.starts_with("family-") {
        for sidecar in SIDECARS {
            if happens(rng, 20) {
                let last = sidecar.rsplit('/').next().unwrap_or(sidecar);
                containers.push(container(last, image(sidecar, FIRST)));
            }
        }
    }
    if happens(rng, 25) {
        containers.push(container(
            "log-router",
            "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable".to_owned(),
        ));
    }
    rng.shuffle(&mut containers);
    json!({
        "family": name,
        "containerDefinitions": containers,
        "networkMode": "bridge",
        "volumes": [{"name": "data"}],
        "cpu": "256",
        "taskRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/{name}-task"),
        "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/execution"),
        "tags": [{"key": "team", "value": name}],
    })
}

fn services_on(rng: &mut Rng, count: usize, families: &[Value], has_doomed: bool) -> Vec<Service> {
    // Not the last one, which has no services.
    let in_use = families.len() - 1;
    let clusters = if has_doomed { &CLUSTERS[..] } else { &CLUSTERS[..3] };
    (0..count)
        .map(|number| {
            let cluster = if happens(rng, 5) {
                ELSEWHERE
            } else if happens(rng, 10) {
                clusters[clusters.len() - 1]
            } else {
                clusters[rng.usize(..2)]
            };
            let family = families[number % in_use]["family"].as_str().unwrap_or_default();
            let kind = Kind::any(rng);
            Service {
                kind,
                request: kind.request(rng, cluster, &format!("web-{number:03}"), family),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simulated_ecs::{Api, Behaviour, Settings};

    fn written(seed: u64, services: usize) -> String {
        serde_json::to_string(&Scenario::new(seed, services)).unwrap()
    }

    #[test]
    fn the_same_seed_and_size_make_the_same_scenario_and_another_seed_another() {
        assert_eq!(written(7, 40), written(7, 40));
        assert_ne!(written(7, 40), written(8, 40));
        assert_ne!(written(7, 40), written(7, 41));
    }

    #[test]
    fn the_simulated_ecs_takes_every_family_every_service_and_the_weather() {
        for seed in 0..50 {
            let scenario = Scenario::new(seed, 40);
            let mut simulation = Simulation::new(Settings::default(), 0);
            for cluster in CLUSTERS.into_iter().chain([ELSEWHERE]) {
                let made = simulation.call(0, Api::Ecs, "CreateCluster", &json!({"clusterName": cluster}));
                assert!(made.is_ok(), "{made:?}");
            }
            for family in &scenario.families {
                let made = simulation.call(0, Api::Ecs, "RegisterTaskDefinition", family);
                assert!(made.is_ok(), "{seed}: {family}: {made:?}");
            }
            for service in &scenario.services {
                let made = service.settle(&mut simulation, 0);
                assert!(made.is_ok(), "{seed}: {:?}: {made:?}", service.request);
            }
            assert_eq!(simulation.set_weather(0, scenario.weather), Ok(()), "{seed}");
        }
    }

    #[test]
    fn a_hundred_scenarios_hold_every_kind_of_service_every_behaviour_every_deed_fault_and_setting() {
        let scenarios: Vec<String> = (0..100).map(|seed| written(seed, 40)).collect();
        let all = scenarios.join("\n");
        let of_faults = kinds::OF_FAULTS.map(|(_, kind)| kind);
        let kinds = kinds::ALL.into_iter().chain(of_faults);
        let kinds: Vec<String> = kinds.map(|kind| serde_json::to_string(&kind).unwrap()).collect();
        let of_faults = [Behaviour::Protected, Behaviour::Job, Behaviour::Nolaunch];
        let behaviours = pushes::BEHAVIOURS.into_iter().map(|(_, behaviour)| behaviour);
        let behaviours = behaviours.chain(of_faults);
        let behaviours: Vec<String> = behaviours.map(|it| serde_json::to_string(&it).unwrap()).collect();
        let operations = [
            "_BreakHost",
            "_RemoveService",
            "_RemoveCluster",
            "DeleteService",
            "DeregisterTaskDefinition",
            "RegisterTaskDefinition",
            "UpdateService",
        ];
        let operations = operations.map(|operation| format!("\"operation\":\"{operation}\",\"request\""));
        let faults = sky::KINDS.map(|kind| format!("{{\"fault\":{}", serde_json::to_string(&kind).unwrap()));
        let stale = [r#"{"fault":"stale","operation":"StopServiceDeployment""#.to_owned()];
        assert!(
            scenarios.iter().any(|scenario| !scenario.contains("\"alarms\":[]")),
            "alarms"
        );
        let hooks = [
            "\"CONTINUE\"}",
            "\"ROLLBACK\"}",
            "function:check",
            "function:slow-check",
            "function:fail-check",
        ];
        for wanted in hooks {
            assert!(all.contains(wanted), "{wanted}");
        }
        let settings = ["byDigest", "byImageAction", "sweeps"].map(|setting| format!("\"{setting}\":true"));
        let wanted = kinds.iter().chain(&behaviours).chain(&operations);
        for wanted in wanted.chain(&faults).chain(&stale).chain(&settings) {
            assert!(all.contains(wanted.as_str()), "{wanted}");
        }
    }
}
