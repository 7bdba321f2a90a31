//! The demo: the real stack in a local AWS with three stages, the image of a pull request, a release, a broken release, and what
//! comes of each.

pub(crate) mod record;

use crate::{Failure, package};
use local_aws::executions::Execution;
use local_aws::images::Behaviour;
use local_aws::services::Setup;
use local_aws::{ACCOUNT, LocalAws, Options, REGION, Settings, Stack, containers, pause, tools};
use prepare::{prerequisites, table};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const REPOSITORY: &str = "shop/web";
/// The tag that runs before the first push. No stage takes it, so it starts nothing.
const FIRST: &str = "v1";
/// How long one push may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(3);

/// The stages: a pull request goes to staging alone, a release there first; and one whose rollouts have less time than an old task
/// of its service takes to stop.
const STAGES: &str = r#"[
    {"name": "staging", "clusters": ["staging"], "tags": ["pr-*", "semver:*"]},
    {"name": "production", "clusters": ["production"], "tags": ["semver:*"], "after": "staging", "soak": "2s"},
    {"name": "queues", "clusters": ["queues"], "tags": ["semver:*"], "rolloutTimeout": "20s"}
]"#;

/// A service of the demo: its cluster, its name, its family, its containers by name and repository, and its circuit breaker.
struct Workload {
    cluster: &'static str,
    service: &'static str,
    family: &'static str,
    containers: &'static [(&'static str, &'static str)],
    circuit_breaker: Option<bool>,
}

impl Workload {
    fn title(&self) -> String {
        title(self.cluster, self.service)
    }

    fn runs_repository(&self) -> bool {
        self.containers.iter().any(|(_, repository)| *repository == REPOSITORY)
    }
}

/// A service, as the table has it.
fn title(cluster: &str, service: &str) -> String {
    format!("{cluster}/{service}")
}

/// Three services share one image, two of them in production; the fourth runs another repository.
const WORKLOADS: [Workload; 4] = [
    Workload {
        cluster: "staging",
        service: "web",
        family: "staging-web",
        containers: &[("web", "shop/web"), ("proxy", "shop/proxy")],
        circuit_breaker: Some(true),
    },
    Workload {
        cluster: "production",
        service: "web",
        family: "web",
        containers: &[("web", "shop/web"), ("proxy", "shop/proxy")],
        circuit_breaker: Some(true),
    },
    Workload {
        cluster: "production",
        service: "worker",
        family: "worker",
        containers: &[("worker", "shop/web")],
        circuit_breaker: None,
    },
    Workload {
        cluster: "production",
        service: "billing",
        family: "billing",
        containers: &[("billing", "shop/billing")],
        circuit_breaker: None,
    },
];

/// The service whose old task takes 40 seconds to stop, after the words of [`Behaviour::Draining`].
const QUEUE: Workload = Workload {
    cluster: "queues",
    service: "queue",
    family: "queue",
    containers: &[("queue", QUEUE_REPOSITORY)],
    circuit_breaker: None,
};
const QUEUE_REPOSITORY: &str = "shop/queue";
/// The tag that is pushed to it, while the pushes to [`REPOSITORY`] go on.
const QUEUE_TAG: &str = "v1.1.0";
/// How long a container may take to stop until ECS ends it, in seconds.
const STOP_TIMEOUT: i32 = 60;
/// In a simulated ECS, which is twenty times as fast, it is this target group that takes as long.
const DRAINING_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/queue-drains-800/73e2d6bc24d8a067";

/// A push, and how it has to end in staging and in production.
struct Push {
    tag: &'static str,
    what: &'static str,
    behaviour: Behaviour,
    staging: &'static str,
    production: &'static str,
}

/// The outcome of a service whose stage comes after one that failed.
const NOT_REACHED: &str = "NOT_REACHED";

const PUSHES: [Push; 3] = [
    Push {
        tag: "pr-42",
        what: "the image of a pull request",
        behaviour: Behaviour::Healthy,
        staging: "DEPLOYED",
        production: "TAG_NOT_TAKEN",
    },
    Push {
        tag: "v1.1.0",
        what: "a release",
        behaviour: Behaviour::Healthy,
        staging: "DEPLOYED",
        production: "DEPLOYED",
    },
    Push {
        tag: "v1.2.0",
        what: "a broken release",
        behaviour: Behaviour::Broken,
        staging: "Deploy.RolledBack",
        production: NOT_REACHED,
    },
];

/// The columns of the table.
const HEADER: [&str; 7] = ["push", "service", "from", "to", "outcome", "seconds", "execution"];

/// How many columns the name of a service takes, before what is told of it.
const NAME_WIDTH: usize = 17;

/// How the demo is run.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Arguments {
    /// Leave everything running until Ctrl-C, and tell how to look around.
    #[arg(long)]
    keep: bool,
    /// Build the functions as they are released, optimized, by cargo-lambda: minutes the first time.
    #[arg(long)]
    release: bool,
    /// Record the end of what it shows, as docs/demo.txt and docs/demo.svg.
    #[arg(long, conflicts_with = "keep")]
    write: bool,
}

/// Runs the demo.
///
/// # Errors
///
/// When something did not end as it should.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    prerequisites::check()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut demo = tokio::spawn(async move { Demo::prepare(arguments.release).await?.play(arguments).await });
        tokio::select! {
            ended = &mut demo => ended.map_err(|error| error.to_string())?,
            _ = tokio::signal::ctrl_c() => {
                say("interrupted: ending what was started");
                demo.abort();
                // Only when it is gone is everything gone that it started.
                let _aborted = demo.await;
                if arguments.keep { Ok(()) } else { Err("interrupted".to_owned()) }
            }
        }
    })
}

struct Demo {
    aws: LocalAws,
    stack: Stack,
    /// The lines that were shown since the first push.
    shown: Mutex<Vec<String>>,
}

/// The results of pushes: lines of the table, and what is not as it should be.
struct Ended {
    rows: Vec<Row>,
    wrong: Vec<String>,
}

/// A line of the table.
struct Row {
    push: String,
    service: String,
    from: String,
    to: String,
    outcome: String,
    seconds: String,
    execution: String,
}

impl Demo {
    /// Everything up to the first push. If it fails, everything that it started is gone again.
    async fn prepare(release: bool) -> Result<Self, Failure> {
        let begun = Instant::now();
        let containers = containers::available();
        match containers {
            Ok(()) => say("a Docker engine answers: the services run real containers"),
            Err(reason) => say(&format!(
                "{reason}: a simulated ECS runs the services, and an image does what its push says"
            )),
        }
        let options = Options {
            simulated_ecs: containers.is_err().then(simulated_ecs::Settings::default),
            ..Options::default()
        };
        say("starting a local AWS");
        let aws = LocalAws::start(&options).map_err(|error| error.to_string())?;
        say(&format!("it answers at {}", aws.endpoint()));
        let settings = Settings::default().with("stages", STAGES);
        let stack = if release {
            say("deploying the stack with its functions as they are released (the first time, minutes)");
            aws.deploy_with(&settings, &package::functions_for_here()?)
        } else {
            say("deploying the stack: cdk bootstrap, cdk synth, cdk deploy");
            aws.deploy(&settings)
        };
        let stack = stack.map_err(|error| error.to_string())?;
        say(&format!("deployed after {} s", begun.elapsed().as_secs()));
        let demo = Self {
            aws,
            stack,
            shown: Mutex::default(),
        };
        demo.create_services().await.map_err(|error| error.to_string())?;
        Ok(demo)
    }

    async fn create_services(&self) -> Result<(), local_aws::Error> {
        say(&format!(
            "pushing {FIRST} of four repositories; creating five services in three clusters"
        ));
        for repository in [REPOSITORY, "shop/proxy", "shop/billing"] {
            self.aws.create_repository(repository).await?;
            self.aws.push(repository, FIRST, Behaviour::Healthy).await?;
        }
        self.aws.create_repository(QUEUE_REPOSITORY).await?;
        self.aws.push(QUEUE_REPOSITORY, FIRST, Behaviour::Draining).await?;
        for cluster in ["staging", "production", QUEUE.cluster] {
            self.aws.create_cluster(cluster).await?;
        }
        let image = |repository: &str| self.aws.image(repository, FIRST);
        for workload in &WORKLOADS {
            let images: Vec<String> = workload
                .containers
                .iter()
                .map(|(_, repository)| image(repository))
                .collect();
            let names = workload.containers.iter().map(|(name, _)| *name);
            let containers: Vec<(&str, &str)> = names.zip(images.iter().map(String::as_str)).collect();
            self.aws.register(workload.family, &containers).await?;
            let setup = Setup {
                desired_count: 2,
                circuit_breaker: workload.circuit_breaker,
                ..Setup::default()
            };
            self.aws
                .create_service(workload.cluster, workload.service, workload.family, &setup)
                .await?;
        }
        let containers = [(QUEUE.service, &*image(QUEUE_REPOSITORY))];
        let stop_timeout = Some(STOP_TIMEOUT);
        self.aws
            .register_stopping(QUEUE.family, &containers, stop_timeout)
            .await?;
        let setup = Setup {
            target_group: self.aws.simulated_ecs().map(|_| DRAINING_GROUP.to_owned()),
            ..Setup::default()
        };
        self.aws
            .create_service(QUEUE.cluster, QUEUE.service, QUEUE.family, &setup)
            .await?;
        for workload in WORKLOADS.iter().chain([&QUEUE]) {
            self.aws.stable(workload.cluster, workload.service, LIMIT).await?;
        }
        Ok(())
    }

    async fn play(self, arguments: Arguments) -> Result<(), Failure> {
        let in_turn = async {
            let (mut rows, mut wrong) = (Vec::new(), Vec::new());
            for push in &PUSHES {
                let ended = self.push(push).await?;
                rows.extend(ended.rows);
                wrong.extend(ended.wrong);
            }
            Ok::<_, Failure>(Ended { rows, wrong })
        };
        let (Ended { mut rows, mut wrong }, (beside, says)) = tokio::try_join!(in_turn, self.push_to_queue())?;
        rows.extend(beside.rows);
        wrong.extend(beside.wrong);
        self.show(&format!(
            "▸ {QUEUE_REPOSITORY}:{QUEUE_TAG}, pushed meanwhile; an old task takes 40 s to stop, a rollout may take 20 s: {says}"
        ));
        self.show("");
        for line in outcomes(&rows) {
            self.show(&line);
        }
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        if arguments.write && wrong.is_empty() {
            record::write(&shown)?;
        } else if let Err(difference) = record::compare(&shown) {
            if std::env::var_os("CI").is_some() {
                wrong.push(difference);
            } else {
                say(&difference);
            }
        }
        if arguments.keep {
            self.explain();
            std::future::pending::<()>().await;
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("Not everything ended as it should:\n{}", wrong.join("\n")))
        }
    }

    /// Pushes an image for the service whose old task takes longer to stop than a rollout may take. Returns what the service's
    /// execution says, too.
    async fn push_to_queue(&self) -> Result<(Ended, String), Failure> {
        let failure = |error: local_aws::Error| error.to_string();
        let before = self.revision(&QUEUE).await.map_err(failure)?;
        let pushed = self.aws.push(QUEUE_REPOSITORY, QUEUE_TAG, Behaviour::Healthy).await;
        pushed.map_err(failure)?;
        let (_, children) = self.follow(QUEUE_REPOSITORY, QUEUE_TAG, false).await.map_err(failure)?;
        let [child] = children.as_slice() else {
            return Err(format!("{} executions for {}", children.len(), QUEUE.title()));
        };
        let to = self.target(child).await.map_err(failure)?;
        let row = row(QUEUE_REPOSITORY, QUEUE_TAG, child, to);
        let says = child.output.as_ref().and_then(|output| output["message"].as_str());
        let says = says.unwrap_or_default().to_owned();
        let now = self.revision(&QUEUE).await.map_err(failure)?;
        let is_right = row.outcome == "DEPLOYED" && now != before && says.contains("still draining");
        let wrong = format!("- {QUEUE_REPOSITORY}:{QUEUE_TAG}: {} ({now}): {says}", row.outcome);
        let ended = Ended {
            rows: vec![row],
            wrong: Some(wrong).filter(|_| !is_right).into_iter().collect(),
        };
        Ok((ended, says))
    }

    /// Pushes an image, shows what happens, and says what is not as it should be afterwards.
    async fn push(&self, push: &Push) -> Result<Ended, Failure> {
        let failure = |error: local_aws::Error| error.to_string();
        let Push { tag, behaviour, .. } = *push;
        self.show(&format!("▸ docker push {REPOSITORY}:{tag}, {}", push.what));
        let mut before = BTreeMap::new();
        for workload in &WORKLOADS {
            before.insert(workload.title(), self.revision(workload).await.map_err(failure)?);
        }
        self.aws.push(REPOSITORY, tag, behaviour).await.map_err(failure)?;
        let (parent, children) = self.follow(REPOSITORY, tag, true).await.map_err(failure)?;
        let (mut outcomes, mut rows) = (BTreeMap::new(), Vec::new());
        for child in &children {
            let to = self.target(child).await.map_err(failure)?;
            let row = row(REPOSITORY, tag, child, to);
            outcomes.insert(row.service.clone(), row.outcome.clone());
            rows.push(row);
        }
        for workload in WORKLOADS.iter().filter(|workload| workload.runs_repository()) {
            let service = workload.title();
            if !outcomes.contains_key(&service) {
                let outcome = not_deployed(&parent, workload);
                outcomes.insert(service.clone(), outcome.clone());
                rows.push(untouched(tag, service, before[&workload.title()].clone(), outcome));
            }
        }
        let mut wrong = Vec::new();
        let mut expect = |what: String, is_so: bool| {
            if !is_so {
                wrong.push(format!("- {REPOSITORY}:{tag}: {what}"));
            }
        };
        let is_good = behaviour == Behaviour::Healthy;
        expect(
            format!("the push's execution ended {}", parent.status),
            parent.status.as_str() == if is_good { "SUCCEEDED" } else { "FAILED" },
        );
        for workload in &WORKLOADS {
            let expected = match workload.cluster {
                _ if !workload.runs_repository() => None,
                "staging" => Some(push.staging),
                _ => Some(push.production),
            };
            let title = workload.title();
            let outcome = outcomes.get(&title).map(String::as_str);
            expect(format!("{title} ended {outcome:?}"), outcome == expected);
            let (was, now) = (&before[&title], self.revision(workload).await.map_err(failure)?);
            let moves = expected == Some("DEPLOYED");
            expect(format!("{title} was on {was} and is on {now}"), (now != *was) == moves);
            self.aws
                .stable(workload.cluster, workload.service, LIMIT)
                .await
                .map_err(failure)?;
        }
        if !is_good {
            let message = parent.error_message().unwrap_or_default();
            expect(
                format!("the error is {:?}", parent.error),
                parent.error.as_deref() == Some("Deploy.ServicesFailed"),
            );
            expect(
                format!("the message is {message:?}"),
                message.contains("exited with code 1") && message.contains("not reached: 2 services of production"),
            );
        }
        Ok(Ended { rows, wrong })
    }

    /// The revision that a service's execution has moved it to, whatever came of that: what "Update service" has returned.
    async fn target(&self, child: &Execution) -> Result<String, local_aws::Error> {
        let history = self.aws.history(&child.arn).await?;
        let outputs = history.iter().filter_map(|event| {
            let output = event.task_succeeded_event_details()?.output()?;
            serde_json::from_str::<Value>(output).ok()
        });
        let mut targets = outputs.filter_map(|output| {
            let target = output["Payload"]["rollout"]["taskDefinition"].as_str()?;
            Some(short(target).to_owned())
        });
        // The first one is the rollout's, the next one that of the rollback.
        Ok(targets.next().unwrap_or_default())
    }

    async fn revision(&self, workload: &Workload) -> Result<String, local_aws::Error> {
        let described = self.aws.describe_service(workload.cluster, workload.service).await?;
        Ok(short(described.task_definition().unwrap_or_default()).to_owned())
    }

    /// Waits for the end of a push's execution. Shows its states and those of its services' executions as they are entered, if that
    /// is wanted.
    async fn follow(
        &self,
        repository: &str,
        tag: &str,
        is_shown: bool,
    ) -> Result<(Execution, Vec<Execution>), local_aws::Error> {
        let begun = Instant::now();
        let is_ours = |execution: &Execution| execution.is_of_push_to(repository) && pushed_tag(execution) == Some(tag);
        let mut shown = HashSet::new();
        loop {
            let parents = self.aws.executions(&self.stack.deploy_image, None, is_ours).await?;
            if let Some(parent) = parents.into_iter().next() {
                let is_child = |execution: &Execution| execution.is_child_of(&parent.arn);
                let children = self.aws.executions(&self.stack.deploy_service, None, is_child).await?;
                if is_shown {
                    self.follow_states("deploy-image", &parent, &mut shown, begun).await?;
                    for child in &children {
                        self.follow_states(&service_of(child), child, &mut shown, begun).await?;
                    }
                }
                if parent.has_ended() && !is_shown {
                    return Ok((parent, children));
                }
                if parent.has_ended() {
                    match parent.error_message() {
                        Some(message) => self.show(&format!(
                            "▸ FAILED {}: {message}",
                            parent.error.as_deref().unwrap_or_default()
                        )),
                        None => self.show(&format!(
                            "▸ SUCCEEDED: {}",
                            parent
                                .output
                                .as_ref()
                                .and_then(|output| output["message"].as_str())
                                .unwrap_or_default()
                        )),
                    }
                    return Ok((parent, children));
                }
            }
            if begun.elapsed() > LIMIT {
                let what = format!("the end of the push of {repository}:{tag}");
                return Err(local_aws::Error::Late {
                    what,
                    limit: LIMIT,
                    seen: format!("{} events", shown.len()),
                });
            }
            pause(Duration::from_millis(300)).await;
        }
    }

    /// Shows a line, and keeps it for the record.
    fn show(&self, line: &str) {
        eprintln!("{line}");
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.extend(line.split('\n').map(str::to_owned));
    }

    async fn follow_states(
        &self,
        name: &str,
        execution: &Execution,
        shown: &mut HashSet<(String, i64)>,
        begun: Instant,
    ) -> Result<(), local_aws::Error> {
        for event in self.aws.history(&execution.arn).await? {
            if !shown.insert((execution.arn.clone(), event.id)) {
                continue;
            }
            let entered = event
                .state_entered_event_details()
                .map(|details| details.name().to_owned());
            let said = event
                .task_succeeded_event_details()
                .and_then(|details| details.output())
                .and_then(message_of);
            for text in entered.into_iter().chain(said.map(|said| format!("   {said}"))) {
                self.show(&format!(
                    "  {:>5.1} s  {name:<NAME_WIDTH$}  {text}",
                    begun.elapsed().as_secs_f64()
                ));
            }
        }
        Ok(())
    }

    fn explain(&self) {
        let variables: Vec<String> = self
            .aws
            .environment()
            .iter()
            .map(|(name, value)| format!("export {name}={value}"))
            .collect();
        let registry = self.aws.registry();
        let own_image = if self.aws.simulated_ecs().is_some() {
            "To push an image of your own, start a Docker engine first.".to_owned()
        } else {
            format!(
                "An image of your own:\n\n\
                 docker build -t {registry}/{REPOSITORY}:v9 . && docker push {registry}/{REPOSITORY}:v9\n\n\
                 A service runs it as {ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}:v9."
            )
        };
        eprintln!(
            "\nEverything is running. In another terminal:\n\n{}\nexport PATH={}:$PATH\n\n\
             aws stepfunctions list-executions --state-machine-arn {}\n\
             aws ecs describe-services --cluster production --services web worker billing\n\n\
             {own_image} Ctrl-C ends everything.",
            variables.join("\n"),
            tools::workspace().join("target/venv/bin").display(),
            self.stack.deploy_image,
        );
    }
}

/// The message of a function's answer to a person.
fn message_of(output: &str) -> Option<String> {
    let output: Value = serde_json::from_str(output).ok()?;
    output["Payload"]["message"].as_str().map(str::to_owned)
}

fn pushed_tag(execution: &Execution) -> Option<&str> {
    execution.input["detail"]["requestParameters"]["imageTag"].as_str()
}

fn service_of(execution: &Execution) -> String {
    let text = |member: &str| execution.input[member].as_str().unwrap_or_default();
    title(text("cluster"), text("service"))
}

/// Why a service has no execution, as its push says: the reason in its output, or in the error that it was not reached.
fn not_deployed(parent: &Execution, workload: &Workload) -> String {
    let resource = format!("{} in {}", workload.service, workload.cluster);
    let skipped = parent.output.as_ref().and_then(|output| output["skipped"].as_array());
    let skipped = skipped.into_iter().flatten().find(|it| it["resource"] == resource);
    let reason = skipped.and_then(|it| it["reason"].as_str());
    let not_reached = parent
        .error_message()
        .filter(|message| message.contains("- not reached: ") && message.contains(workload.cluster))
        .map(|_| NOT_REACHED);
    reason.or(not_reached).unwrap_or("nothing").to_owned()
}

/// A line for a service that stays as it is.
fn untouched(tag: &str, service: String, on: String, outcome: String) -> Row {
    Row {
        push: format!("{REPOSITORY}:{tag}"),
        service,
        to: on.clone(),
        from: on,
        outcome,
        seconds: "-".to_owned(),
        execution: "-".to_owned(),
    }
}

fn row(repository: &str, tag: &str, child: &Execution, to: String) -> Row {
    let text = |value: &Value| short(value.as_str().unwrap_or_default()).to_owned();
    let seconds = child
        .ended
        .map(|ended| ended.as_secs_f64() - child.started.as_secs_f64());
    let outcome = child
        .output
        .as_ref()
        .and_then(|output| output["outcome"].as_str())
        .or(child.error.as_deref());
    Row {
        push: format!("{repository}:{tag}"),
        service: service_of(child),
        from: text(&child.input["source"]),
        to,
        outcome: outcome.unwrap_or_default().to_owned(),
        seconds: seconds.map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
        execution: child.name.clone(),
    }
}

/// `web:42` of its ARN.
fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The outcome of each service of each push, one a line.
fn outcomes(rows: &[Row]) -> Vec<String> {
    let cells = |row: &Row| {
        [
            &row.push,
            &row.service,
            &row.from,
            &row.to,
            &row.outcome,
            &row.seconds,
            &row.execution,
        ]
        .map(ToString::to_string)
    };
    let header = HEADER.map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(header).chain(rows.iter().map(cells)).collect();
    table::lines(&lines)
}

fn say(text: &str) {
    eprintln!("▸ {text}");
}
