//! An aftermath is what a storm leaves behind: the account before and after, every call of ours, what others did, and every
//! execution. Plain data, as recorded; the invariants read it and nothing else.
//!
//! Moments are milliseconds since 1970, of the one clock that the simulation and the functions share.

use super::scenario::SPEED;
use super::stages::{Stage, Tags, all};
use crate::push::PushId;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use simulated_ecs::Behaviour;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// Tags of one image that come within this time are one push, as it is promised. Not the functions' own number.
const ONE_PUSH: SignedDuration = SignedDuration::from_mins(1);

/// Everything that a storm leaves behind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Aftermath {
    /// The setting `clusters`; empty for all.
    pub(crate) clusters: Vec<String>,
    /// When everything was on hold, if it was.
    #[serde(default)]
    pub(crate) all_held: Option<AllHeld>,
    /// The setting `imageReference`: by digest, and not by tag.
    #[serde(default)]
    pub(crate) by_digest: bool,
    /// The setting `stages`; empty for one that owns all.
    #[serde(default)]
    pub(crate) stages: Vec<Stage>,
    /// The pushes, in the order in which they were made.
    pub(crate) pushes: Vec<Pushed>,
    /// The pushes that sweeps began, while the storm blew: each is of an image that somebody had pushed before.
    #[serde(default)]
    pub(crate) swept: Vec<Pushed>,
    /// The sweeps that failed, by their names, each with its reason.
    #[serde(default)]
    pub(crate) failed_sweeps: Vec<String>,
    /// The images that were archived.
    #[serde(default)]
    pub(crate) archived: Vec<Archived>,
    /// Before the first push.
    pub(crate) before: Account,
    /// When all executions had ended.
    pub(crate) after: Account,
    /// The calls of the functions, in their order.
    pub(crate) calls: Vec<Call>,
    /// The deeds of second deployers, in their order.
    pub(crate) others: Vec<Deed>,
    /// The executions of both state machines, the first one first, at their last end.
    pub(crate) executions: Vec<Execution>,
    /// Those of them that an operator redrove, as they had ended before.
    pub(crate) redriven: Vec<Execution>,
    /// When he did; `None` when he redrove none.
    pub(crate) redriven_at: Option<i64>,
}

/// A hold of everything. To set it and to lift it takes a while.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AllHeld {
    pub(crate) perhaps_from: i64,
    pub(crate) certainly_from: i64,
    pub(crate) certainly_to: i64,
    pub(crate) perhaps_to: i64,
}

/// A push, and how often the rules were told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pushed {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
    pub(crate) id: PushId,
    pub(crate) deliveries: usize,
    /// The behaviour of its tasks; storms that were recorded early do not say.
    #[serde(default)]
    pub(crate) behaviour: Option<Behaviour>,
}

/// For how many milliseconds an image must have been archived for everybody to know: a step may have read it before, and act
/// only then.
pub(crate) const AFTER_ARCHIVING: i64 = 5_000;

/// An image that no task can pull any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Archived {
    pub(crate) at: i64,
    pub(crate) repository: String,
    pub(crate) digest: String,
}

/// Services and revisions at a moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) services: Vec<Service>,
    pub(crate) revisions: Vec<Revision>,
}

/// A service by its two names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct ServiceId {
    pub(crate) cluster: String,
    pub(crate) service: String,
}

impl fmt::Display for ServiceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in {}", self.service, self.cluster)
    }
}

/// A service, as the simulation has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    pub(crate) cluster: String,
    #[serde(rename = "serviceName")]
    pub(crate) name: String,
    /// ACTIVE, DRAINING, INACTIVE.
    pub(crate) status: String,
    /// The members of `CreateService` that are neither its name, nor its revision, nor its desired count.
    pub(crate) config: Map<String, Value>,
    pub(crate) tags: Value,
    /// True if it is in Express Mode.
    #[serde(default)]
    pub(crate) is_express: bool,
    /// `desiredCount`, as it was asked for.
    pub(crate) asked_count: u32,
    /// The ARN of the revision it was moved to last; empty without one.
    pub(crate) task_definition: String,
    /// The `rolloutState` of its primary deployment.
    pub(crate) rollout_state: Option<String>,
    /// Its service deployments, the first one first.
    pub(crate) history: Vec<Deployment>,
    /// The tasks of it that stopped: of the account after the storm, all of them since it began.
    #[serde(default)]
    pub(crate) stopped_tasks: Vec<StoppedTask>,
}

/// A task that stopped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoppedTask {
    /// The ARN of its revision.
    pub(crate) task_definition: String,
    /// `EssentialContainerExited`, `TaskFailedToStart`, `ServiceSchedulerInitiated` ….
    pub(crate) stop_code: Option<String>,
    pub(crate) stopped_at: Option<i64>,
}

/// A service deployment, as ECS records it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployment {
    pub(crate) service_deployment_arn: String,
    /// The ARN of the revision it moves the service to.
    pub(crate) task_definition: String,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) finished_at: Option<i64>,
    /// When ECS began to go back from it, if it did.
    #[serde(default)]
    pub(crate) rolling_back_since: Option<i64>,
    /// The lifecycle hooks that it came to, unless they were open when another one replaced it.
    #[serde(default)]
    pub(crate) lifecycle_hooks: Vec<Hook>,
    /// The images of its revision, and the digests that they resolved to.
    #[serde(default)]
    pub(crate) images: Vec<ResolvedImage>,
}

/// An image of a revision that is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResolvedImage {
    pub(crate) image: String,
    /// `None` before the deployment has started.
    pub(crate) digest: Option<String>,
}

/// One run of a lifecycle hook, as ECS records it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hook {
    /// `PAUSE`, `AWS_LAMBDA`.
    pub(crate) target_type: String,
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` …. A pause is `FAILED` where somebody took the deployment back.
    pub(crate) status: String,
    /// The action when its time is over: `CONTINUE`, `ROLLBACK`.
    pub(crate) timeout_action: String,
}

impl Hook {
    /// True if ECS had to go back because of it.
    fn failed(&self) -> bool {
        match self.status.as_str() {
            "FAILED" => true,
            "TIMED_OUT" => self.timeout_action == "ROLLBACK",
            _ => false,
        }
    }
}

impl Deployment {
    /// True if a lifecycle hook of it failed, or was not over in time, so that ECS had to go back.
    pub(crate) fn was_ended_by_a_hook(&self) -> bool {
        self.lifecycle_hooks.iter().any(Hook::failed)
    }

    /// The digests of its images of a repository in this account's ECR.
    pub(crate) fn digests_of<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a str> {
        let of_repository = self
            .images
            .iter()
            .filter(move |image| repository_of(&image.image) == Some(repository));
        of_repository.filter_map(|image| image.digest.as_deref())
    }
}

/// A revision of a task definition.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revision {
    #[serde(default)]
    pub(crate) family: String,
    #[serde(rename = "revision")]
    pub(crate) number: u32,
    pub(crate) active: bool,
    pub(crate) tags: Vec<Tag>,
    pub(crate) registered_at: i64,
    pub(crate) deregistered_at: Option<i64>,
    pub(crate) document: Map<String, Value>,
}

/// A tag of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

/// A call of one of the functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    pub(crate) at: i64,
    pub(crate) operation: String,
    /// The service, family or revision it is about.
    pub(crate) subject: String,
    /// "ok", "cut", or the error's code.
    pub(crate) outcome: String,
    /// The words of the error.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// True if it took effect.
    pub(crate) applied: bool,
    /// For how long reads showed the service as it had been before.
    pub(crate) stale_milliseconds: i64,
    /// The members of the request that are texts, numbers and truth values.
    pub(crate) parameters: Map<String, Value>,
    /// The names of all members of the request.
    #[serde(default)]
    pub(crate) members: Vec<String>,
}

/// A deed of a second deployer, or his attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deed {
    pub(crate) at: i64,
    pub(crate) operation: String,
    pub(crate) request: Value,
    /// The error with which ECS refused it.
    pub(crate) error: Option<String>,
}

/// Which of the two state machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Machine {
    DeployImage,
    DeployService,
}

/// An execution, at its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Execution {
    pub(crate) machine: Machine,
    pub(crate) name: String,
    /// RUNNING, SUCCEEDED, FAILED, `TIMED_OUT`, ABORTED.
    pub(crate) status: String,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) error: Option<String>,
    /// The message of the error, as the function that threw it said it.
    pub(crate) message: Option<String>,
    pub(crate) output: Option<Value>,
    /// The push it is for.
    pub(crate) push: Option<PushId>,
    /// "shop/web:v2"
    pub(crate) image: String,
    /// True if a sweep began its push.
    #[serde(default)]
    pub(crate) by_sweep: bool,
    /// Of deploy-service: the service.
    pub(crate) service: Option<ServiceId>,
    /// Of deploy-service: the name of the execution that started it.
    pub(crate) parent: Option<String>,
    /// Of deploy-image: what it found to do, unless it never did.
    #[serde(default)]
    pub(crate) found: Option<Found>,
}

/// The plan of an execution of deploy-image, and its time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Found {
    /// When it began to look for services.
    pub(crate) from: i64,
    /// When it had its plan.
    pub(crate) to: i64,
    /// How many services, families or pushes it skipped, by its own reasons: for the report. No invariant relies on it.
    pub(crate) skipped: BTreeMap<String, u64>,
    /// How many waves its plan has.
    pub(crate) waves: usize,
    /// How many waves it began.
    pub(crate) begun: usize,
}

/// `web:42` of `arn:aws:ecs:…:task-definition/web:42`.
pub(crate) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

impl Account {
    /// Reads the simulation's state.
    ///
    /// # Errors
    ///
    /// When it has another form.
    pub(crate) fn read(state: &Value) -> Result<Self, serde_json::Error> {
        let services = serde_json::from_value(state["services"].clone())?;
        let mut revisions = Vec::new();
        for (family, of_family) in state["families"].as_object().into_iter().flatten() {
            let of_family: Vec<Revision> = serde_json::from_value(of_family.clone())?;
            revisions.extend(of_family.into_iter().map(|revision| Revision {
                family: family.clone(),
                ..revision
            }));
        }
        Ok(Self { services, revisions })
    }

    pub(crate) fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services
            .iter()
            .find(|service| service.name == id.service && service.cluster == id.cluster)
    }

    /// A revision, by its ARN or as `web:42`.
    pub(crate) fn revision(&self, name: &str) -> Option<&Revision> {
        let (family, number) = short(name).split_once(':')?;
        let number: u32 = number.parse().ok()?;
        self.revisions
            .iter()
            .find(|revision| revision.number == number && revision.family == family)
    }
}

impl Service {
    pub(crate) fn id(&self) -> ServiceId {
        ServiceId {
            cluster: self.cluster.clone(),
            service: self.name.clone(),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }

    /// Adds the tasks that stopped by an earlier read and are not shown any more: ECS forgets them after an hour.
    pub(crate) fn keep_stopped(&mut self, earlier: &[StoppedTask]) {
        let count = |tasks: &[StoppedTask], task: &StoppedTask| tasks.iter().filter(|other| *other == task).count();
        for task in earlier {
            if count(&self.stopped_tasks, task) < count(earlier, task) {
                self.stopped_tasks.push(task.clone());
            }
        }
    }

    /// True if it is behind a Classic Load Balancer, where ECS tells no `rolloutState`.
    pub(crate) fn is_behind_classic_load_balancer(&self) -> bool {
        let balancers = self.config.get("loadBalancers").and_then(Value::as_array);
        balancers
            .into_iter()
            .flatten()
            .any(|balancer| balancer.get("loadBalancerName").is_some())
    }

    /// For how many milliseconds of the storm at least its target group drains an old task: 0 for one without.
    pub(crate) fn drains_for(&self) -> f64 {
        let balancers = self.config.get("loadBalancers").and_then(Value::as_array);
        let seconds = balancers.into_iter().flatten().filter_map(|balancer| {
            let (_, seconds) = balancer["targetGroupArn"].as_str()?.split_once("-drains-")?;
            seconds.split('/').next()?.parse::<f64>().ok()
        });
        // No two tasks take the same time: a tenth more or less.
        seconds.fold(0.0, f64::max) * 1_000.0 / SPEED * 0.9
    }

    /// True if ECS itself deploys it.
    pub(crate) fn is_deployed_by_ecs(&self) -> bool {
        let controller = self.config.get("deploymentController").map(|it| &it["type"]);
        controller.is_none_or(|controller| controller == "ECS")
    }
}

impl Pushed {
    /// True if nothing of it ends badly: its tasks run, or end well where those before them did.
    pub(crate) fn runs(&self) -> bool {
        matches!(
            self.behaviour,
            Some(Behaviour::Good | Behaviour::Protected | Behaviour::Job)
        )
    }
}

/// The beginning of the key of a push's record, before its repository.
const PUSH_TAG: &str = "ecr-deploy:push/";

/// The push of a record, which is two words, and what is behind it, with the space.
fn recorded(value: &str) -> Option<(PushId, &str)> {
    let mut spaces = value.match_indices(' ').map(|(at, _)| at);
    let end = spaces.nth(1).unwrap_or(value.len());
    let (push, rest) = value.split_at(end);
    Some((PushId::try_from(push.to_owned()).ok()?, rest))
}

/// A repository that a push is recorded for on a revision, and that push.
pub(crate) type Recorded<'a> = (&'a str, PushId);

impl Revision {
    /// `web:42`
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.family, self.number)
    }

    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value.as_str())
    }

    /// The pushes that are recorded on it.
    pub(crate) fn pushes(&self) -> impl Iterator<Item = Recorded<'_>> {
        self.tags.iter().filter_map(|tag| {
            let repository = tag.key.strip_prefix(PUSH_TAG)?;
            Some((repository, recorded(&tag.value)?.0))
        })
    }

    /// The digest that is recorded for a repository: behind its push, or by itself where no push is recorded.
    pub(crate) fn digest_of(&self, repository: &str) -> Option<&str> {
        let record = self.tag(&format!("ecr-deploy:push/{repository}"));
        let behind = record.and_then(|record| record.split(' ').nth(2));
        let apart = || self.tag(&format!("ecr-deploy:digest/{repository}"))?.split(' ').next();
        behind.or_else(apart)
    }

    pub(crate) fn push_of(&self, repository: &str) -> Option<PushId> {
        self.pushes()
            .find_map(|(recorded, push)| (recorded == repository).then_some(push))
    }

    /// The revision it was made from, `web:41`, if it was made by us.
    pub(crate) fn source(&self) -> Option<&str> {
        self.tag("ecr-deploy:source")?.split(' ').next()
    }

    /// The revision that it was made to roll back.
    pub(crate) fn rolled_back(&self) -> Option<&str> {
        self.tag("ecr-deploy:rolled-back")
    }

    /// Its containers: name, and the whole definition.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let list = self.document.get("containerDefinitions").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_object)
    }

    /// The images of its containers.
    pub(crate) fn images(&self) -> impl Iterator<Item = &str> {
        self.containers()
            .filter_map(|container| container.get("image")?.as_str())
    }

    /// The tags by which its images of a repository are named, and the one that is recorded.
    pub(crate) fn tags_of(&self, repository: &str) -> impl Iterator<Item = &str> {
        let images = self
            .images()
            .filter(move |image| repository_of(image) == Some(repository));
        let named = images.filter_map(|image| {
            let (_, name) = image.split('@').next()?.rsplit_once('/')?;
            Some(name.split_once(':')?.1)
        });
        let record = self.tag(&format!("{PUSH_TAG}{repository}"));
        named.chain(record.and_then(|record| record.split(' ').nth(3)))
    }

    /// True if a container of it runs a repository of this account's ECR.
    pub(crate) fn runs(&self, repository: &str) -> bool {
        self.images().any(|image| repository_of(image) == Some(repository))
    }
}

/// The repository of an ECR image reference.
pub(crate) fn repository_of(image: &str) -> Option<&str> {
    let (host, path) = image.split_once('/')?;
    let path = path.split('@').next().unwrap_or(path);
    let name = path.split(':').next().unwrap_or(path);
    host.contains(".dkr.ecr.").then_some(name)
}

impl Deed {
    /// The service it is about.
    pub(crate) fn service(&self) -> Option<ServiceId> {
        let text = |member: &str| self.request.get(member).and_then(Value::as_str);
        Some(ServiceId {
            cluster: text("cluster")?.to_owned(),
            service: text("service")?.to_owned(),
        })
    }

    /// True if it begins a rollout if it takes effect: to scale a service or to set an alarm does not.
    pub(crate) fn begins_rollout(&self) -> bool {
        let asks = |member: &str| self.request.get(member).is_some();
        self.operation == "UpdateService" && (asks("taskDefinition") || asks("forceNewDeployment"))
    }

    /// True if it took effect.
    pub(crate) fn is_done(&self) -> bool {
        self.error.is_none()
    }
}

impl Call {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// True if it was answered as if there were nothing, or denied, as the weather has it for some.
    pub(crate) fn tells_nothing(&self) -> bool {
        !self.applied && matches!(self.outcome.as_str(), "ok" | "AccessDeniedException")
    }

    /// True if ECS refused it since five deployments of the service had tasks.
    pub(crate) fn is_refused_for_deployments(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default();
        message.contains("active deployments exist")
    }

    /// True if it is about this service.
    pub(crate) fn is_of(&self, id: &ServiceId) -> bool {
        self.subject == id.service && self.parameter("cluster") == id.cluster
    }
}

impl Execution {
    pub(crate) fn is_red(&self) -> bool {
        self.status != "SUCCEEDED"
    }

    /// "shop/web" of "shop/web:v2".
    pub(crate) fn repository(&self) -> &str {
        self.image.split(':').next().unwrap_or_default()
    }

    /// How a service's execution that succeeded ended: "DEPLOYED", "SUPERSEDED" ….
    pub(crate) fn outcome(&self) -> Option<&str> {
        self.output.as_ref()?["outcome"].as_str()
    }

    /// True if it says that the service is stable on the image.
    pub(crate) fn says_deployed(&self) -> bool {
        matches!(self.outcome(), Some("DEPLOYED" | "ALREADY_DEPLOYED"))
    }
}

impl Aftermath {
    /// The same with one id for all tags of one push, which is that of the first: in the pushes, in the executions, and in the
    /// records of the revisions. An image that comes back after another one of its repository is a push of its own.
    pub(crate) fn with_one_id_for_each_push(&self) -> Self {
        let mut one = self.clone();
        let mut of_repository: BTreeMap<&str, Vec<&Pushed>> = BTreeMap::new();
        for push in self.pushes.iter().chain(&self.swept) {
            of_repository.entry(&push.repository).or_default().push(push);
        }
        let mut ids: BTreeMap<&PushId, &PushId> = BTreeMap::new();
        for pushes in of_repository.values_mut() {
            pushes.sort_by_key(|push| &push.id);
            let mut first = pushes[0];
            for push in pushes {
                let is_same = push.digest == first.digest && push.id.at().duration_since(first.id.at()) <= ONE_PUSH;
                if !is_same {
                    first = push;
                }
                ids.insert(&push.id, &first.id);
            }
        }
        let id_of = |push: &PushId| ids.get(push).map_or_else(|| push.clone(), |id| (*id).clone());
        for push in one.pushes.iter_mut().chain(&mut one.swept) {
            push.id = id_of(&push.id);
        }
        for execution in one.executions.iter_mut().chain(&mut one.redriven) {
            execution.push = execution.push.as_ref().map(id_of);
        }
        let tags = one.after.revisions.iter_mut().flat_map(|revision| &mut revision.tags);
        for tag in tags.filter(|tag| tag.key.starts_with(PUSH_TAG)) {
            if let Some((push, rest)) = recorded(&tag.value) {
                tag.value = format!("{}{rest}", id_of(&push));
            }
        }
        one
    }

    /// The stages.
    pub(crate) fn stages(&self) -> &[Stage] {
        static ALL: LazyLock<[Stage; 1]> = LazyLock::new(|| [all()]);
        if self.stages.is_empty() { &*ALL } else { &self.stages }
    }

    /// The tags of a service, as they became one after another: those from before the storm first. They are changed by second
    /// deployers.
    fn tags_of(&self, id: &ServiceId) -> Vec<(i64, Value)> {
        let before = self.before.service(id).map(|service| service.tags.clone());
        let mut tags = before.unwrap_or_default().as_array().cloned().unwrap_or_default();
        let mut all = vec![(i64::MIN, Value::from(tags.clone()))];
        let end = format!(":service/{}/{}", id.cluster, id.service);
        let is_of_service = |deed: &&Deed| {
            deed.request["resourceArn"]
                .as_str()
                .is_some_and(|arn| arn.ends_with(&end))
        };
        for deed in self.others.iter().filter(|deed| deed.is_done()).filter(is_of_service) {
            let list = |member: &str| deed.request[member].as_array().cloned().unwrap_or_default();
            let (added, removed) = (list("tags"), list("tagKeys"));
            tags.retain(|tag| !removed.contains(&tag["key"]) && !added.iter().any(|it| it["key"] == tag["key"]));
            tags.extend(added);
            all.push((deed.at, tags.clone().into()));
        }
        all
    }

    /// The tags that a service has after all that others did, in their order.
    pub(crate) fn last_tags_of(&self, id: &ServiceId) -> Value {
        self.tags_of(id).pop().map(|(_, tags)| tags).unwrap_or_default()
    }

    /// Each set of tags that a service had at some moment of this time.
    pub(crate) fn tags_during(&self, id: &ServiceId, from: i64, to: i64) -> Vec<Tags> {
        let all = self.tags_of(id);
        let first = all.iter().rposition(|(at, _)| *at <= from).unwrap_or_default();
        let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
        let during = all[first..].iter().take_while(|(at, _)| *at <= to);
        let tags = during.map(|(_, tags)| {
            let tags = tags.as_array().into_iter().flatten();
            tags.map(|tag| (text(tag, "key"), text(tag, "value"))).collect()
        });
        tags.collect()
    }

    /// The ends of the executions of deploy-service for a service: of one that was redriven, all.
    pub(crate) fn executions_of<'a>(&'a self, id: &'a ServiceId) -> impl Iterator<Item = &'a Execution> {
        let redriven = self.redriven.iter();
        redriven
            .chain(&self.executions)
            .filter(move |execution| execution.service.as_ref() == Some(id))
    }

    /// The deeds of second deployers at a service that succeeded. That a host failed is nobody's deed.
    pub(crate) fn deeds_on<'a>(&'a self, id: &'a ServiceId) -> impl Iterator<Item = &'a Deed> {
        let is_of_somebody = |deed: &&Deed| deed.is_done() && deed.operation != "_BreakHost";
        let deeds = self.others.iter().filter(is_of_somebody);
        deeds.filter(move |deed| deed.service().as_ref() == Some(id))
    }

    /// True if a second deployer began this deployment: he moved the service at that very moment, and no call of ours did.
    pub(crate) fn is_of_others(&self, id: &ServiceId, deployment: &Deployment) -> bool {
        let at = deployment.created_at;
        let ours = |call: &Call| call.at == at && call.operation == "UpdateService" && call.applied && call.is_of(id);
        self.deeds_on(id).any(|deed| deed.at == at && deed.begins_rollout()) || !self.calls.iter().any(ours)
    }

    /// True if a repository was pushed in this storm.
    pub(crate) fn is_pushed(&self, repository: &str) -> bool {
        self.pushes.iter().any(|push| push.repository == repository)
    }

    /// The pushes that are recorded on a revision and not on the one it was made from: what it was made for.
    pub(crate) fn made_for<'a>(&self, revision: &'a Revision) -> Vec<Recorded<'a>> {
        let source = revision.source().and_then(|source| self.after.revision(source));
        let is_new = |(repository, push): &Recorded<'_>| {
            source.and_then(|source| source.push_of(repository)).as_ref() != Some(push)
        };
        revision.pushes().filter(is_new).collect()
    }

    /// The push that an execution is for.
    pub(crate) fn pushed(&self, execution: &Execution) -> Option<&Pushed> {
        let (repository, _) = execution.image.split_once(':')?;
        let mut pushes = self.pushes.iter();
        pushes.find(|push| push.repository == repository && Some(&push.id) == execution.push.as_ref())
    }

    /// True if an image is one of a push whose tasks do not simply run, or did so under its tag at some time.
    pub(crate) fn is_bad(&self, image: &str) -> bool {
        let Some(repository) = repository_of(image) else {
            return false;
        };
        let mut pushes = self.pushes.iter().filter(|push| push.repository == repository);
        pushes.any(|push| {
            let is_it = match image.split_once('@') {
                Some((_, digest)) => digest == push.digest,
                None => image.ends_with(&format!(":{}", push.tag)),
            };
            is_it && !push.runs()
        })
    }

    /// True if an image of a rollout was archived before that was over, so that no task of it can be pulled. It is told by what the
    /// image resolved to, or, where ECS did not find it any more, by what it has resolved to in another rollout of the service.
    pub(crate) fn lost_an_image(&self, service: &Service, rollout: &Deployment) -> bool {
        let until = rollout.finished_at.unwrap_or(i64::MAX);
        let resolved = |image: &ResolvedImage, digest: &str| {
            let mut of_service = service.history.iter().flat_map(|rollout| &rollout.images);
            image.digest.as_deref().map_or_else(
                || of_service.any(|it| it.image == image.image && it.digest.as_deref() == Some(digest)),
                |resolved| resolved == digest,
            )
        };
        let mut lost = self.archived.iter().filter(|archived| archived.at <= until);
        lost.any(|archived| {
            let mut images = rollout.images.iter();
            images.any(|image| {
                repository_of(&image.image) == Some(&archived.repository) && resolved(image, &archived.digest)
            })
        })
    }

    /// True if the services of a cluster are to be deployed to.
    pub(crate) fn is_watched(&self, cluster: &str) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|watched| watched == cluster)
    }
}
