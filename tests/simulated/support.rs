//! Shared by the scenarios: the stacks on the simulated ECS, and a scene of one's own in it.

use local_aws::executions::Execution;
use local_aws::images::Push;
use local_aws::{ACCOUNT, HeldAnswers, KeptIn, LocalAws, Options, Settings, Stack, Throttled, pause};
use serde_json::{Map, Value, json};
use simulated_ecs::{Api, Behaviour, Fault, Kind, Seed, Trigger, Weather};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How many scenarios run at once.
pub(crate) const AT_ONCE: usize = 16;

/// How long anything may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(10);

/// Where an execution of deploy-service waits for ECS.
const WAITS: [&str; 3] = ["Wait for running rollback", "Wait for rollout", "Wait for rollback"];

/// The words of a message where the deadline ended a rollout, and nothing before it.
pub(crate) const DEADLINE: &str = "not stable by";

/// How much faster than the real one the simulated ECS is.
pub(crate) const SPEED: f64 = 20.0;

/// One runtime for all: the connections of an SDK client live in the runtime that made them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The scenarios of a module, for `main` to run: names of async functions.
macro_rules! scenarios {
    ($($scenario:ident),* $(,)?) => {
        pub(crate) const SCENARIOS: &[(&str, fn())] = &[$((
            concat!(module_path!(), "::", stringify!($scenario)),
            || $crate::support::run($scenario()),
        )),*];
    };
}
pub(crate) use scenarios;

/// Runs a scenario to its end.
pub(crate) fn run(scenario: impl Future<Output = ()>) {
    RUNTIME.block_on(scenario);
}

/// A local AWS on the simulated ECS, with the stack in it.
pub(crate) struct Deployed {
    pub(crate) aws: LocalAws,
    pub(crate) stack: Stack,
}

/// A rollout may take four minutes; `latest` is deployed.
pub(crate) static PATIENT: LazyLock<Deployed> = LazyLock::new(|| Deployed::with("240s", "tag"));

/// A rollout may take ten seconds, less than a slow image: for what the deadline ends.
pub(crate) static IMPATIENT: LazyLock<Deployed> = LazyLock::new(|| Deployed::with("10s", "tag"));

/// As the patient one, and new revisions name the image by its digest.
pub(crate) static BY_DIGEST: LazyLock<Deployed> = LazyLock::new(|| Deployed::with("240s", "digest"));

/// Which tag goes to which service: by the end of the service's name.
const STAGES: &str = r#"[
    {"name": "previews", "services": ["*-preview"], "tags": ["pr-*"]},
    {"name": "staging", "services": ["*-staging"], "tags": ["main-*", "semver:*"]},
    {"name": "production", "services": ["*-production"], "tags": ["semver:>=1.0.0"], "after": "staging", "soak": "3s"},
    {"name": "promoted", "services": ["*-promoted"], "tags": ["release-*"], "after": "staging"},
    {"name": "kept", "services": ["*-kept"], "tags": ["main-*"], "rollback": "none", "rolloutTimeout": "200s"},
    {"name": "fresh", "services": ["*-fresh"], "tags": ["main-*"], "base": "newest"},
    {"name": "pinned", "services": ["*-pinned"], "tags": ["semver:*"], "imageReference": "digest"},
    {"name": "asked", "optIn": true, "tags": ["main-*", "pr-*"]}
]"#;

/// Seven stages, of which two come after another one and three deploy in a way of their own, and one for services that ask for it.
pub(crate) static STAGED: LazyLock<Deployed> = LazyLock::new(|| {
    let settings = Settings::default().with("rolloutTimeout", "240s");
    Deployed::with_settings(&settings.with("stages", STAGES))
});

/// Production comes after staging.
const TOLD_STAGES: &str = r#"[
    {"name": "staging", "services": ["*-staging"], "tags": ["*"]},
    {"name": "production", "services": ["*-production"], "tags": ["*"], "after": "staging", "soak": "3s"},
    {"name": "rest", "tags": ["*"]}
]"#;

/// Everybody is told: a topic, parameters, alarms and a dashboard.
pub(crate) static TOLD: LazyLock<Deployed> = LazyLock::new(|| {
    let settings = Settings::default()
        .with("rolloutTimeout", "240s")
        .with("stages", TOLD_STAGES)
        .with("notificationTopic", "true")
        .with("parameters", "true")
        .with("dashboard", "true");
    Deployed::with_settings(&settings)
});

/// Two stages that own only what asks for them, so that nothing else may be moved.
const OPT_IN_STAGES: &str = r#"[
    {"name": "staging", "optIn": true, "tags": ["main-*", "semver:*"]},
    {"name": "production", "optIn": true, "tags": ["semver:*"], "after": "staging", "soak": "3s"}
]"#;

/// Every stage is opt-in. Scenarios here may put everything on hold, so only one at a time may push.
pub(crate) static OPT_IN: LazyLock<Deployed> = LazyLock::new(|| {
    let settings = Settings::default().with("rolloutTimeout", "240s");
    Deployed::with_settings(&settings.with("stages", OPT_IN_STAGES))
});

/// The clusters of the scenarios in which somebody sweeps.
const SWEPT_CLUSTERS: &str = "swept-lost-cluster, swept-held-cluster, swept-hold-cluster, swept-reverted-cluster, \
                              swept-crash-cluster, swept-twice-cluster, swept-app-cluster";

/// A sweep deploys whatever was missed, and comes when somebody asks for it. In one cluster of its own, a second stack sweeps every
/// minute by the default settings.
pub(crate) static SWEPT: LazyLock<Deployed> = LazyLock::new(|| {
    let settings = Settings::default().with("rolloutTimeout", "240s");
    let asked = settings.clone().with("clusters", SWEPT_CLUSTERS);
    let asked = asked.with("sweep", r#"{"scheduled": false, "reverted": "deploy"}"#);
    let deployed = Deployed::with_settings(&asked);
    let scheduled = settings.with("stackName", "scheduled");
    // By the stage, so that the roles are those of the settings that narrow nothing.
    let stages = r#"[{"name": "all", "clusters": ["swept-schedule-cluster"], "tags": ["*"]}]"#;
    let scheduled = scheduled.with("stages", stages);
    let scheduled = scheduled.with("sweep", r#"{"every": "1m"}"#);
    deployed.aws.deploy(&scheduled).expect("the second stack");
    deployed
});

impl Deployed {
    fn with(rollout_timeout: &str, image_reference: &str) -> Self {
        let settings = Settings::default()
            .with("rolloutTimeout", rollout_timeout)
            .with("imageReference", image_reference)
            .with("deployLatest", "true");
        Self::with_settings(&settings)
    }

    pub(crate) fn with_settings(settings: &Settings) -> Self {
        let simulated = simulated_ecs::Settings {
            speed: SPEED,
            call_log: true,
            ..simulated_ecs::Settings::default()
        };
        let options = Options {
            simulated_ecs: Some(simulated),
            ..Options::default()
        };
        let aws = LocalAws::start(&options).expect("a local AWS");
        let stack = aws.deploy(settings).expect("the stack");
        Self { aws, stack }
    }
}

/// A scenario's own part of the simulated account: everything in it begins with the scenario's name and a dash, which is
/// how its weather and its calls are told from those of the others.
pub(crate) struct Scene {
    pub(crate) on: &'static Deployed,
    name: &'static str,
}

impl Drop for Scene {
    /// Every push reads the services of all clusters, so that each scene that stayed would make the later ones slower.
    fn drop(&mut self) {
        self.simulation(|it, _| it.unlist_cluster(&self.cluster()));
    }
}

/// How the deployment of one push ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The execution of deploy-image.
    pub(crate) parent: Execution,
    /// The executions of deploy-service that it started.
    pub(crate) children: Vec<Execution>,
}

impl Scene {
    /// A scene with this name, with a repository that has a good image `v1`.
    pub(crate) fn new(name: &'static str) -> Self {
        Self::on(&PATIENT, name)
    }

    /// The same in another account.
    pub(crate) fn on(on: &'static Deployed, name: &'static str) -> Self {
        let scene = Self { on, name };
        let repository = json!({"repositoryName": scene.repository()});
        scene.ecr("CreateRepository", &repository);
        scene.push("v1");
        scene
    }

    /// The same, where the image `v1` has been there for hours.
    pub(crate) fn aged(on: &'static Deployed, name: &'static str) -> Self {
        let scene = Self { on, name };
        scene.ecr("CreateRepository", &json!({"repositoryName": scene.repository()}));
        scene.push_before("v1", 180);
        scene
    }

    /// A scene with this name in the same account, without a repository of its own.
    pub(crate) fn beside(name: &'static str, other: &Self) -> Self {
        Self { on: other.on, name }
    }

    /// The beginning of every name in this scene.
    pub(crate) fn prefix(&self) -> String {
        format!("{}-", self.name)
    }

    pub(crate) fn cluster(&self) -> String {
        format!("{}-cluster", self.name)
    }

    /// The name of its service, where it has one; with more, `-1`, `-2` … come after it.
    pub(crate) fn service(&self) -> String {
        format!("{}-web", self.name)
    }

    /// The family of its service.
    pub(crate) fn family(&self) -> String {
        self.service()
    }

    pub(crate) fn repository(&self) -> String {
        format!("{}-repository/app", self.name)
    }

    /// How a container definition names one of its images.
    pub(crate) fn image(&self, tag: &str) -> String {
        self.on.aws.image(&self.repository(), tag)
    }

    fn simulation<T>(&self, act: impl FnOnce(&mut simulated_ecs::Simulation, i64) -> T) -> T {
        self.on.aws.simulated_ecs().expect("the simulated ECS").with(act)
    }

    /// A call of another client of ECS, a person or a pipeline: not in the log of calls.
    pub(crate) fn ecs(&self, operation: &str, request: &Value) -> Value {
        self.simulation(|it, now| it.call(now, Api::Ecs, operation, request))
            .unwrap()
    }

    /// A call of another client of ECR.
    pub(crate) fn ecr(&self, operation: &str, request: &Value) -> Value {
        self.simulation(|it, now| it.call(now, Api::Ecr, operation, request))
            .unwrap()
    }

    /// Services that have been running the image `v1` for long, in the scene's cluster, by the scene's names unless the
    /// seed says others.
    pub(crate) fn seed(&self, seed: Seed) {
        self.seed_named("web", seed);
    }

    /// The same, with a name of their own behind the scene's: for services that differ.
    pub(crate) fn seed_named(&self, name: &str, seed: Seed) {
        let service = format!("{}-{name}", self.name);
        let seed = Seed {
            cluster: self.cluster(),
            service_name: service,
            image: Some(seed.image.unwrap_or_else(|| self.image("v1"))),
            ..seed
        };
        self.simulation(|it, now| it.seed(now, &seed)).unwrap();
    }

    /// One service with these members of `CreateService`.
    pub(crate) fn seed_service(&self, members: Value) {
        self.seed(Seed {
            service: object(members),
            ..Seed::default()
        });
    }

    /// Pushes an image and tells nobody. The beginning of its tag says how its tasks behave.
    pub(crate) fn push(&self, tag: &str) -> Push {
        self.push_as(tag, None)
    }

    /// The same with a behaviour that the tag does not say.
    pub(crate) fn push_as(&self, tag: &str, behaviour: Option<Behaviour>) -> Push {
        self.on.aws.push_simulated(&self.repository(), tag, behaviour).unwrap()
    }

    /// Pushes an image so many minutes ago and tells nobody: a sweep leaves younger ones alone.
    pub(crate) fn push_before(&self, tag: &str, minutes: u64) -> Push {
        let ago = Duration::from_mins(minutes);
        self.on.aws.push_before(&self.repository(), tag, ago).unwrap()
    }

    /// The same of a multi-architecture image.
    pub(crate) fn push_index(&self, tag: &str) -> Push {
        self.on.aws.push_index(&self.repository(), tag, None).unwrap()
    }

    /// Puts an image of the scene's repository into the archive, or takes it out of there.
    pub(crate) fn archive(&self, digest: &str, archived: bool) {
        self.simulation(|it, _| it.archive(&self.repository(), digest, archived));
    }

    /// Starts an execution of deploy-image for a push, as a person does, so that a push can have several. Returns its ARN.
    pub(crate) async fn start(&self, push: &Push) -> String {
        let start = self
            .on
            .aws
            .sfn()
            .start_execution()
            .state_machine_arn(&self.on.stack.deploy_image)
            .input(push.event.to_string());
        start.send().await.expect("an execution").execution_arn
    }

    /// Waits for the end of an execution of deploy-image. Whatever it came to, what is red has to be readable.
    pub(crate) async fn end(&self, execution: &str) -> Ending {
        let begun = Instant::now();
        loop {
            let parent = self.on.aws.execution(execution).await.unwrap();
            if parent.has_ended() {
                let children = self.on.aws.children(&self.on.stack, &parent).await.unwrap();
                children.iter().for_each(is_readable);
                assert_eq!(self.on.aws.refused(), Vec::<String>::new(), "refused by IAM");
                return Ending { parent, children };
            }
            assert!(begun.elapsed() < LIMIT, "{} did not end", self.name);
            pause(Duration::from_millis(250)).await;
        }
    }

    /// The names of the states that an execution entered, in order.
    pub(crate) async fn states(&self, execution: &Execution) -> Vec<String> {
        let history = self.on.aws.history(&execution.arn).await.unwrap();
        let entered = history
            .into_iter()
            .filter_map(|event| event.state_entered_event_details);
        entered.map(|details| details.name).collect()
    }

    /// True if an execution, by its ARN, has entered a state.
    pub(crate) async fn has_entered(&self, arn: &str, state: &str) -> bool {
        let execution = self.on.aws.execution(arn).await.unwrap();
        assert!(!execution.has_ended(), "it ended before {state}: {execution:#?}");
        self.states(&execution).await.iter().any(|entered| entered == state)
    }

    /// When an execution entered a state, each time, in milliseconds since 1970.
    pub(crate) async fn entered(&self, execution: &Execution, state: &str) -> Vec<i64> {
        let history = self.on.aws.history(&execution.arn).await.unwrap();
        let of_state = history.into_iter().filter(|event| {
            let details = event.state_entered_event_details.as_ref();
            details.is_some_and(|details| details.name == state)
        });
        of_state.map(|event| event.timestamp.to_millis().unwrap()).collect()
    }

    /// Waits until the child of an execution of deploy-image waits for something at the service, or the execution has ended
    /// without.
    pub(crate) async fn until_waiting_or_ended(&self, arn: &str) {
        let begun = Instant::now();
        loop {
            let parent = self.on.aws.execution(arn).await.unwrap();
            let mut is_waiting = false;
            for child in self.on.aws.children(&self.on.stack, &parent).await.unwrap() {
                let states = self.states(&child).await;
                is_waiting |= states.iter().any(|state| WAITS.contains(&state.as_str()));
            }
            if is_waiting || parent.has_ended() {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{arn} does nothing");
            pause(Duration::from_millis(50)).await;
        }
    }

    /// Pushes, and waits for what comes of it.
    pub(crate) async fn deploy(&self, tag: &str) -> Ending {
        let execution = self.start(&self.push(tag)).await;
        self.end(&execution).await
    }

    /// More weather; its faults are made by [`Scene::fault`], so that they meet nobody else.
    pub(crate) fn weather(&self, weather: Weather) {
        self.simulation(|it, now| it.add_weather(now, weather)).unwrap();
    }

    /// A fault that meets every call about this scene.
    pub(crate) fn fault(&self, kind: Kind) -> Fault {
        Fault {
            fault: kind,
            operation: None,
            subject: Some(self.prefix()),
            chance: 1.0,
            skip: 0,
            times: None,
            from_milliseconds: 0,
            until_milliseconds: None,
            milliseconds: 2_000,
        }
    }

    /// Holds back the answers to an operation's calls about this scene that contain `subject`, which take effect before,
    /// until [`Scene::release`].
    pub(crate) fn hold(&self, operation: &str, subject: &str) {
        self.simulation(|it, _| it.hold(operation, subject));
    }

    /// Throttles an operation's calls about this scene that contain `subject`, until [`Scene::release`].
    pub(crate) fn refuse(&self, operation: &str, subject: &str) {
        self.simulation(|it, _| it.refuse(operation, subject));
    }

    /// Gives the answers that are held back for `subject`, and refuses no more.
    pub(crate) fn release(&self, subject: &str) {
        self.simulation(|it, _| it.release(subject));
    }

    /// Lets the tasks that run an image go no further than PENDING, until [`Scene::release_tasks`].
    pub(crate) fn hold_tasks(&self, image: &str) {
        self.simulation(|it, _| it.hold_tasks(image));
    }

    /// Lets the tasks go on that were held for this image.
    pub(crate) fn release_tasks(&self, image: &str) {
        self.simulation(|it, now| it.release_tasks(now, image));
    }

    /// Holds back what functions answer about this scene to a payload with `text` in it, until what is returned is dropped.
    pub(crate) fn hold_answers(&self, text: &str) -> HeldAnswers {
        self.on.aws.hold_answers(&[&self.prefix(), text]).expect("held answers")
    }

    /// Lets executions about this scene stay in a state when its work is done, until what is returned is dropped.
    pub(crate) fn keep_in(&self, state: &str) -> KeptIn {
        self.on.aws.keep_in(state, &self.prefix()).expect("a state to stay in")
    }

    /// Lets Lambda throttle what is invoked about this scene, until what is returned is dropped.
    pub(crate) fn throttle_functions(&self) -> Throttled {
        let throttled = self.on.aws.throttle_functions(&[&self.prefix()]);
        throttled.expect("throttled functions")
    }

    /// So long after the first call of an operation about this scene.
    pub(crate) fn after(&self, operation: &str, milliseconds: i64) -> Trigger {
        Trigger {
            operation: operation.to_owned(),
            subject: Some(self.prefix()),
            chance: 1.0,
            skip: 0,
            times: 1,
            milliseconds,
        }
    }

    /// A region or a partition where ECS offers no service deployments: the lists are empty.
    pub(crate) fn without_service_deployments(&self) -> Weather {
        let lists = [
            "ListServiceDeployments",
            "DescribeServiceDeployments",
            "DescribeServiceRevisions",
        ];
        let fault = |operation: &str| Fault {
            operation: Some(operation.to_owned()),
            ..self.fault(Kind::Empty)
        };
        Weather {
            faults: lists.map(fault).to_vec(),
            ..Weather::default()
        }
    }

    /// Registers a revision of a family with one container, `app`, of this tag; deploys it nowhere. Returns its ARN.
    pub(crate) fn register(&self, family: &str, tag: &str) -> String {
        let container = json!({"name": "app", "image": self.image(tag), "essential": true});
        let request = json!({"family": family, "containerDefinitions": [container]});
        let registered = self.ecs("RegisterTaskDefinition", &request);
        registered["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// How the deployments of its service went, by ECS's own records, the first one first.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let history = self.state()["history"].clone();
        let history = history.as_array().into_iter().flatten();
        history
            .map(|entry| entry["status"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The stage that a service's newest deployment has reached, where it shifts traffic; else nothing.
    pub(crate) fn stage(&self, service: &str) -> String {
        let newest = self.state_of(service)["history"]
            .as_array()
            .and_then(|all| all.last().cloned());
        let arn = newest.map(|newest| newest["serviceDeploymentArn"].clone());
        let described = self.ecs("DescribeServiceDeployments", &json!({"serviceDeploymentArns": [arn]}));
        let stage = &described["serviceDeployments"][0]["lifecycleStage"];
        stage.as_str().unwrap_or_default().to_owned()
    }

    /// An alarm goes to ALARM.
    pub(crate) fn alarm(&self, name: &str) {
        self.simulation(|it, now| it.set_alarm(now, name, true));
    }

    /// The scene's service as it is, see [`simulated_ecs::Simulation::state`].
    pub(crate) fn state(&self) -> Value {
        self.state_of(&self.service())
    }

    /// One of the scene's services as it is.
    pub(crate) fn state_of(&self, service: &str) -> Value {
        let arn = format!(
            "arn:aws:ecs:{}:{ACCOUNT}:service/{}/{service}",
            local_aws::REGION,
            self.cluster()
        );
        let found = self.simulation(|it, _| it.state_of_service(&arn));
        found.unwrap_or_else(|| panic!("there is no {arn}"))
    }

    /// The revisions of a family, the first one first.
    pub(crate) fn revisions(&self, family: &str) -> Vec<Value> {
        self.simulation(|it, _| it.state_of_family(family))
    }

    /// The calls of the functions that name something of this scene, in order; of one operation, or of all (`""`).
    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        let ours = self.prefix();
        let wanted = |it: &Value| {
            (operation.is_empty() || it["operation"] == operation)
                && (it["parameters"].to_string().contains(&ours)
                    || it["subject"].as_str().is_some_and(|subject| subject.starts_with(&ours)))
        };
        self.simulation(|it, _| it.call_log().iter().filter(|it| wanted(it)).cloned().collect())
    }

    /// The calls of the functions that changed a service, in order: the update to the new revision, and what came after it.
    pub(crate) fn changes(&self, service: &str) -> Vec<Value> {
        let path = format!("/{service}/");
        let of_service = |it: &Value| match it["operation"].as_str() {
            Some("UpdateService") => it["parameters"]["service"] == service,
            Some("StopServiceDeployment") => it["parameters"].to_string().contains(&path),
            _ => false,
        };
        self.calls("").into_iter().filter(of_service).collect()
    }

    /// The same in a scene whose services have names of their own.
    pub(crate) async fn until_any(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < LIMIT, "{}: {what} did not happen", self.name);
            pause(Duration::from_millis(50)).await;
        }
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(
                begun.elapsed() < LIMIT,
                "{}: {what} did not happen: {:#}",
                self.name,
                self.state()
            );
            pause(Duration::from_millis(50)).await;
        }
    }
}

impl Ending {
    /// The child of a service.
    pub(crate) fn child(&self, service: &str) -> &Execution {
        let child = self.children.iter().find(|child| child.input["service"] == service);
        child.unwrap_or_else(|| panic!("{service} was not deployed to: {self:#?}"))
    }

    /// How the one service ended, `DEPLOYED` …, or the name of its error, `Deploy.RolledBack` ….
    pub(crate) fn outcome(&self) -> String {
        match self.children.as_slice() {
            [only] => outcome(only),
            _ => panic!("not one service was deployed to: {self:#?}"),
        }
    }

    /// How a service ended.
    pub(crate) fn outcome_of(&self, service: &str) -> String {
        outcome(self.child(service))
    }

    /// The message of the only service's execution, in its output or in its error.
    pub(crate) fn message(&self) -> String {
        match self.children.as_slice() {
            [only] => message(only),
            _ => panic!("not one service was deployed to: {self:#?}"),
        }
    }

    /// The message of a service's execution.
    pub(crate) fn message_of(&self, service: &str) -> String {
        message(self.child(service))
    }
}

/// How an execution of deploy-service ended.
pub(crate) fn outcome(child: &Execution) -> String {
    let succeeded = child.output.as_ref().and_then(|output| output["outcome"].as_str());
    let ended = succeeded.or(child.error.as_deref());
    ended.unwrap_or_else(|| panic!("{child:#?} has no outcome")).to_owned()
}

/// The message of an execution to a person.
pub(crate) fn message(execution: &Execution) -> String {
    let said = execution.message();
    said.unwrap_or_else(|| panic!("{execution:#?} says nothing"))
}

/// An error names the service, says why, and what to do next, in sentences.
fn is_readable(child: &Execution) {
    let Some(error) = &child.error else { return };
    let said = message(child);
    let text = |member: &str| child.input[member].as_str().unwrap_or_default();
    let title = format!("{} in {}", text("service"), text("cluster"));
    assert!(said.contains(&title), "{error} does not name {title}: {said}");
    let next_steps = ["push", "redrive", "ecr-deploy rollback", "nothing to do"];
    assert!(
        next_steps.iter().any(|step| said.contains(step)),
        "{error} does not say what to do: {said}"
    );
    assert!(!said.contains("..") && !said.contains("  "), "{error}: {said}");
}

/// The members of a JSON object.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} has no members"),
    }
}

/// The part of a revision's ARN that tells it: `web:2`.
pub(crate) fn short(task_definition: &Value) -> &str {
    let arn = task_definition.as_str().unwrap_or_default();
    arn.rsplit('/').next().unwrap_or(arn)
}
