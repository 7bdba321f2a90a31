//! Faults around a rollout that are none of its image: old tasks that drain or protect themselves, hosts without room, hosts that
//! fail, five deployments at once, services that ECS judges by settings of their own, and work that ends well.
//!
//! All of it is drawn by random numbers of its own, so that a seed is what it was before there were these.

use super::kinds::{Kind, OF_FAULTS};
use super::pushes::Push;
use super::{Service, app_repository, family, happens, image, weighted};
use fastrand::Rng;
use serde_json::{Value, json};
use simulated_ecs::{Behaviour, Scheduled, Trigger};
use std::collections::BTreeMap;

/// Tells the random numbers of the faults from those of the rest.
pub(super) const OWN: u64 = 0xFA_0175;

/// The repository whose pushes follow so closely that a service has five deployments with tasks.
const PILE: &str = "shop/pile";
/// How many pushes it gets. The image before them and the first four have a deployment each; the fifth is refused.
const PILED: usize = 6;
/// How many milliseconds lie between them: a task starts in half a second, and protects itself for forty.
const BETWEEN: i64 = 4_000;

/// The image that a family runs from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Plain,
    /// Tasks that end well, and are started again.
    Job,
    /// Tasks that protect themselves.
    Protected,
    /// Tasks that take a port of their hosts.
    HostPort,
}

impl Work {
    fn of(document: &Value) -> Self {
        let container = app(document);
        let tag = container["image"].as_str().and_then(|image| image.rsplit(':').next());
        match tag {
            Some("job-v1") => Self::Job,
            Some("protected-v1") => Self::Protected,
            _ if container.get("portMappings").is_some() => Self::HostPort,
            _ => Self::Plain,
        }
    }
}

/// The container of a family that runs the app.
fn app(document: &Value) -> &Value {
    let containers = document["containerDefinitions"].as_array();
    let app = containers.and_then(|containers| containers.iter().find(|container| container["name"] == "app"));
    app.unwrap_or(&Value::Null)
}

fn app_of(document: &mut Value) -> Option<&mut Value> {
    let containers = document["containerDefinitions"].as_array_mut()?;
    containers.iter_mut().find(|container| container["name"] == "app")
}

/// Gives about half of the families other work; one repository's pushes are all of the same kind of work.
pub(super) fn families(rng: &mut Rng, families: &mut [Value], repositories: usize) {
    let jobs: Vec<bool> = (0..repositories).map(|_| happens(rng, 20)).collect();
    let services_run = families.iter_mut().filter(|document| {
        document["family"]
            .as_str()
            .is_some_and(|name| name.starts_with("family-"))
    });
    for (number, document) in services_run.enumerate() {
        let drawn = weighted(rng, &[(50, Work::Plain), (25, Work::Protected), (25, Work::HostPort)]);
        let work = if jobs[number % repositories] {
            Some(Work::Job)
        } else {
            drawn
        };
        let repository = app_repository(number % repositories);
        let Some(container) = app_of(document) else { continue };
        match work.unwrap_or(Work::Plain) {
            Work::Plain => {}
            Work::Job => container["image"] = image(&repository, "job-v1").into(),
            Work::Protected => container["image"] = image(&repository, "protected-v1").into(),
            Work::HostPort => {
                let port = 8_000 + number;
                container["portMappings"] = json!([{"containerPort": 80, "hostPort": port}]);
            }
        }
    }
}

/// Makes some services of the kinds that are about a fault, and those of a family whose work asks for it.
pub(super) fn services(rng: &mut Rng, families: &[Value], services: &mut [Service]) {
    for service in services {
        let document = families
            .iter()
            .find(|document| document["family"] == service.request["taskDefinition"]);
        let work = document.map_or(Work::Plain, Work::of);
        let is_rolling = matches!(
            service.kind,
            Kind::Rolling | Kind::Large | Kind::Breaker | Kind::BreakerRollback
        );
        let is_ours = !matches!(service.kind, Kind::CodeDeploy | Kind::External);
        let kind = match work {
            Work::HostPort if is_ours => Some(Kind::HostPort),
            // A bake time would have to see all tasks run for longer than such work does.
            Work::Job if is_ours && !is_rolling => Some(Kind::Rolling),
            Work::Job => None,
            Work::Plain | Work::Protected | Work::HostPort => {
                weighted(rng, &OF_FAULTS).filter(|_| is_rolling && happens(rng, 45))
            }
        };
        if let Some(kind) = kind {
            let [cluster, name, family] =
                ["cluster", "serviceName", "taskDefinition"].map(|it| service.text(it).to_owned());
            service.request = kind.request(rng, &cluster, &name, &family);
            service.kind = kind;
        }
    }
}

/// Has some pushes protect their tasks, or unable to be launched; those to a repository of work that ends well bring such work, or
/// what does not run at all. The tags of one image have one behaviour.
pub(super) fn pushes(rng: &mut Rng, families: &[Value], pushes: &mut [Push]) {
    let is_job = |repository: &str| {
        let runs = |document: &Value| {
            let container = app(document);
            container["image"].as_str() == Some(&image(repository, "job-v1"))
        };
        families.iter().any(runs)
    };
    let mut behaviours: BTreeMap<usize, Behaviour> = BTreeMap::new();
    for push in pushes {
        let drawn = match push.behaviour {
            Behaviour::Good | Behaviour::Slow | Behaviour::Once | Behaviour::Alarm if is_job(&push.repository) => {
                Behaviour::Job
            }
            Behaviour::Good if happens(rng, 12) => Behaviour::Protected,
            Behaviour::Crash | Behaviour::ExitEarly | Behaviour::Unhealthy if happens(rng, 30) => Behaviour::Nolaunch,
            other => other,
        };
        push.behaviour = *behaviours.entry(push.image).or_insert(drawn);
    }
}

/// Adds a service whose deployments pile up, and the pushes that do it.
pub(super) fn pile(
    rng: &mut Rng,
    families: &mut Vec<Value>,
    services: &mut Vec<Service>,
    pushes: &mut Vec<Push>,
    length: i64,
) {
    let mut document = family(rng, "pile", PILE);
    if let Some(container) = app_of(&mut document) {
        container["image"] = image(PILE, "protected-v1").into();
    }
    families.push(document);
    // A cluster whose services no stage waits for.
    services.push(Service {
        kind: Kind::Piled,
        request: Kind::Piled.request(rng, "south", "pile", "pile"),
    });
    let begin = rng.i64(0..(length - 2_000).max(1)).min(8_000);
    let first = pushes.iter().map(|push| push.image).max().unwrap_or_default() + 1;
    for (number, at) in (0..PILED).zip((begin..).step_by(usize::try_from(BETWEEN).unwrap_or(1))) {
        pushes.push(Push {
            at,
            image: first + number,
            repository: PILE.to_owned(),
            tag: format!("v2.{number}.0"),
            behaviour: Behaviour::Protected,
            deliveries: vec![rng.i64(50..600)],
        });
    }
    pushes.sort_by_key(|push| push.at);
}

/// A repository of services that ECS judges by settings of their own, one of work that ends well, one of a service whose old task
/// drains for longer than a rollout may take, and one whose tag is pushed over before the first image of it is deployed.
const EACH: [&str; 4] = ["shop/each", "shop/job", "shop/drain", "shop/over"];

/// Adds one service for each kind of fault, and pushes that meet them: a good one, one that crashes, and what can be neither placed
/// nor launched; and hosts that fail. So every storm has them, however small it is.
pub(super) fn one_of_each(
    rng: &mut Rng,
    families: &mut Vec<Value>,
    services: &mut Vec<Service>,
    pushes: &mut Vec<Push>,
) -> Vec<Scheduled> {
    let [each, job, drain, over] = EACH;
    for (name, repository, tag) in [
        ("each", each, "v1"),
        ("job", job, "job-v1"),
        ("drain", drain, "v1"),
        ("over", over, "v1"),
    ] {
        let mut document = family(rng, name, repository);
        if let Some(container) = app_of(&mut document) {
            container["image"] = image(repository, tag).into();
        }
        families.push(document);
    }
    let mut add = |rng: &mut Rng, kind: Kind, name: &str, family: &str, is_it: &dyn Fn(&Value) -> bool| {
        // One of the many of its kind.
        let request = std::iter::repeat_with(|| kind.request(rng, "south", name, family)).find(is_it);
        services.extend(request.map(|request| Service { kind, request }));
    };
    for threshold in ["COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"] {
        let is_it = |request: &Value| {
            let breaker = &request["deploymentConfiguration"]["deploymentCircuitBreaker"];
            breaker["thresholdConfiguration"]["type"] == threshold
        };
        add(
            rng,
            Kind::Threshold,
            &format!("each-{}", threshold.to_lowercase()),
            "each",
            &is_it,
        );
    }
    for (kind, name) in [
        (Kind::EarlyBlocking, "each-early-blocking"),
        (Kind::EarlyDeferred, "each-early-deferred"),
        (Kind::Express, "each-express"),
    ] {
        add(rng, kind, name, "each", &|_| true);
    }
    add(rng, Kind::Breaker, "job", "job", &|_| true);
    let drains_longest = |request: &Value| {
        let group = request["loadBalancers"][0]["targetGroupArn"]
            .as_str()
            .unwrap_or_default();
        group.contains("-drains-3600/")
    };
    add(rng, Kind::Draining, "drain", "drain", &drains_longest);
    add(rng, Kind::Breaker, "over", "over", &|_| true);
    let first = pushes.iter().map(|push| push.image).max().unwrap_or_default() + 1;
    let begin = rng.i64(500..3_000);
    let meet = [
        (each, begin, Behaviour::Good),
        (each, begin + 14_000, Behaviour::Crash),
        (each, begin + 30_000, Behaviour::Nolaunch),
        (each, begin + 46_000, Behaviour::Noplace),
        (job, begin + 9_000, Behaviour::Job),
        (
            job,
            begin + 30_000,
            if rng.bool() { Behaviour::Crash } else { Behaviour::Job },
        ),
        (drain, begin, Behaviour::Good),
    ];
    for (number, (repository, at, behaviour)) in meet.into_iter().enumerate() {
        pushes.push(Push {
            at,
            image: first + number,
            repository: repository.to_owned(),
            tag: format!("v3.{number}.0"),
            behaviour,
            deliveries: vec![rng.i64(50..600)],
        });
    }
    let next = first + meet.len();
    // The event of the second comes once the first has been deployed.
    for (image, at, delivery) in [(next, begin, 50), (next + 1, begin + 300, 15_000)] {
        pushes.push(Push {
            at,
            image,
            repository: over.to_owned(),
            tag: "main".to_owned(),
            behaviour: Behaviour::Good,
            deliveries: vec![delivery],
        });
    }
    pushes.sort_by_key(|push| push.at);
    failing_hosts("south", "each-bounded_percent", 0).collect()
}

/// Puts everything on hold for a while, in most storms: not before the pile is there.
pub(super) fn hold(rng: &mut Rng, length: i64) -> Option<(i64, i64)> {
    let (at, lasts) = (rng.i64(29_000..length.max(36_000)), rng.i64(6_000..15_000));
    happens(rng, 60).then_some((at, lasts))
}

/// Has hosts fail under about one service in eight while ours is rolled out: so often that it would make a crash loop.
pub(super) fn hosts(rng: &mut Rng, services: &[Service]) -> Vec<Scheduled> {
    let mut schedule = Vec::new();
    for service in services {
        let is_ours = !matches!(
            service.kind,
            Kind::CodeDeploy | Kind::External | Kind::Idle | Kind::Piled
        );
        if !is_ours || !happens(rng, 12) {
            continue;
        }
        schedule.extend(failing_hosts(service.cluster(), service.name(), rng.u64(..2)));
    }
    schedule
}

/// Four hosts that fail under a service, one after another, after so many of our updates and one more.
fn failing_hosts(cluster: &str, service: &str, skip: u64) -> impl Iterator<Item = Scheduled> {
    (1..=4).map(move |number| Scheduled {
        at_milliseconds: None,
        after: Some(Trigger {
            operation: "UpdateService".to_owned(),
            subject: Some(format!("\"{service}\"")),
            chance: 1.0,
            skip,
            times: 1,
            milliseconds: 800 * number,
        }),
        operation: "_BreakHost".to_owned(),
        request: json!({"cluster": cluster, "service": service}),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;
    use super::*;

    #[test]
    fn the_tags_of_one_image_have_one_behaviour_and_work_that_ends_stays_such_work() {
        let mut jobs = 0;
        for seed in 0..30 {
            let storm = Scenario::new(seed, 40);
            let mut behaviours: BTreeMap<usize, Behaviour> = BTreeMap::new();
            for push in &storm.pushes {
                let known = *behaviours.entry(push.image).or_insert(push.behaviour);
                assert_eq!(known, push.behaviour, "{seed}: {push:?}");
            }
            let run = |document: &&Value| Work::of(document) == Work::Job;
            for document in storm.families.iter().filter(run) {
                let name = app(document)["image"].as_str().unwrap();
                let mut of_app = storm
                    .pushes
                    .iter()
                    .filter(|push| name == image(&push.repository, "job-v1"));
                assert!(of_app.all(|push| push.behaviour != Behaviour::Good), "{seed}: {name}");
                jobs += 1;
            }
        }
        assert!(jobs > 10, "{jobs}");
    }

    #[test]
    fn whoever_takes_a_port_of_its_host_can_be_rolled_out() {
        for seed in 0..30 {
            let storm = Scenario::new(seed, 40);
            for service in &storm.services {
                let document = storm
                    .families
                    .iter()
                    .find(|document| document["family"] == service.request["taskDefinition"]);
                let takes_port = Work::of(document.unwrap()) == Work::HostPort;
                let is_ours = !matches!(service.kind, Kind::CodeDeploy | Kind::External);
                assert_eq!(
                    takes_port && is_ours,
                    service.kind == Kind::HostPort,
                    "{seed}: {service:?}"
                );
                if service.kind == Kind::HostPort {
                    assert!(
                        service.request["desiredCount"].as_u64() <= Some(3),
                        "{seed}: {service:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_pile_is_pushed_while_the_tasks_of_all_deployments_before_protect_themselves() {
        for seed in 0..30 {
            let storm = Scenario::new(seed, 40);
            let of_pile: Vec<i64> = storm
                .pushes
                .iter()
                .filter(|push| push.repository == PILE)
                .map(|push| push.at + push.deliveries[0])
                .collect();
            assert_eq!(of_pile.len(), PILED);
            assert!(storm.services.iter().filter(|it| it.kind == Kind::Piled).count() == 1);
        }
    }
}
