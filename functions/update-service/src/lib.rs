//! Starts a rollout, or says why not.

pub mod start;

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::aws::registry::{By, Stored, look_up, restore};
use ecr_deploy::change::attempts::{Attempts, FRESH};
use ecr_deploy::change::lost_update::{LostUpdate, lost_update, lost_update_by_records};
use ecr_deploy::contract::{Rollout, ServiceUpdate, UpdateOutcome, UpdateService};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{Service, ServiceDeployment};
use ecr_deploy::domain::task_definition::{ONE_PUSH, Standing, TaskDefinition};
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image, log_service};
use ecr_deploy::quota::poll::{self, Waiting};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use start::{Seen, Start, decide, is_lost, is_steady, last_good, may_have_had_its_turn, tells_everything};
use std::collections::BTreeSet;
use tokio::time::Instant;

/// How often a service that moves while it is read is read in one attempt. The last read counts as it is: where reads are
/// throttled for so long, more of them help nobody, and what the update replaces is seen after it.
const LOOKS: usize = 3;

/// Moves a service to the revision with the new image, unless it is there, a newer push is, or it is on its way back:
/// the step "Update service".
///
/// Asked again, it finds its own deployment and starts no second one. An update that was throttled, or whose answer is lost, is
/// not sent again on the same read: all begins anew with the read. Nor is anything decided by a read that took long, unless
/// the service is still as it was at its beginning.
///
/// An image that is wanted again may have been archived or deleted since it was pushed: then nothing is started.
///
/// `running` is how many services are waited for, see [`ecr_deploy::quota::executions`]: the more, the later is the
/// first read.
///
/// # Errors
///
/// `Deploy.RolledBack` when the push has been rolled back from it before and
/// nobody asks for it again; `Deploy.Rejected` when ECS refuses, when no task can pull an image that is wanted again, or when the
/// service's turn did not come before the deadline; `Deploy.Unavailable`.
pub async fn handle(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    config: &Config,
    running: impl Future<Output = Option<u32>>,
    request: Request<Value>,
) -> Result<ServiceUpdate, Error> {
    let Request { now, mut input, .. } = request.typed::<UpdateService>()?;
    log_image(&input.image);
    log_service(&ecr_deploy::domain::service::title(&input.cluster, &input.service));
    of_one_family(&input)?;
    let (update, running) = tokio::join!(update(ecs, ecr, now, &mut input), running);
    let update = match update {
        Ok(update) => update,
        Err(error) => match ecs.failed_at(&input.cluster, &input.service, error).await {
            Error::ServiceDeleted(message) => deleted(now, message),
            error => return Err(error),
        },
    };
    let waiting = Waiting {
        cluster: &input.cluster,
        service: &input.service,
        services: input.services,
        running,
        age: SignedDuration::ZERO,
        left: update.deadline.duration_since(now),
        is_held: false,
    };
    tracing::info!(outcome = ?update.outcome, "{}", update.message);
    Ok(ServiceUpdate {
        wait: poll::wait(config.poll_interval, now, &waiting),
        ..update
    })
}

/// A revision that is made from another one is of the same family, always. Whoever starts an execution by hand may not move a service
/// to another family's revision, and so to its roles.
fn of_one_family(input: &UpdateService) -> Result<(), Error> {
    let UpdateService {
        source,
        task_definition,
        ..
    } = input;
    if source.family() == task_definition.family() {
        return Ok(());
    }
    Err(Error::InvalidInput(format!(
        "{} is not made from {}: a service stays in the family of its task definition. {} is left as it is",
        task_definition.short(),
        source.short(),
        ecr_deploy::domain::service::title(&input.cluster, &input.service)
    )))
}

async fn update(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    now: Timestamp,
    input: &mut UpdateService,
) -> Result<ServiceUpdate, Error> {
    let mut attempts = Attempts::begin();
    let mut sent = None;
    loop {
        let now = attempts.now(now);
        let deadline = now.saturating_add(input.settings.rollout_timeout);
        let mut attempt = Attempt {
            ecr,
            input,
            now,
            deadline: deadline.unwrap_or(Timestamp::MAX),
        };
        match attempt.make(ecs, &mut sent).await {
            Ok(update) => return Ok(update),
            // A read that failed has been repeated often enough.
            Err(error) if sent.is_none() => return Err(error),
            Err(error) => attempts.again(error).await?,
        }
        // The push may have had its turn since: by the update whose answer is lost, or by another execution.
        input.repeated = true;
    }
}

/// There is no service to move.
fn deleted(now: Timestamp, message: String) -> ServiceUpdate {
    ServiceUpdate {
        outcome: UpdateOutcome::ServiceDeleted,
        rollout: None,
        previous: None,
        source: None,
        deadline: now,
        wait: 0,
        message,
    }
}

/// What is known before the decision.
struct Snapshot {
    /// Just before the service was read.
    begun: Instant,
    service: Service,
    /// The revision of the primary deployment, where it is neither the wanted one nor its source at rest. (A rollout to
    /// the source may be a rollback, which the revision tells.)
    primary: Option<TaskDefinition>,
    primary_source: Option<TaskDefinitionArn>,
    leads_to_wanted: bool,
    history: Option<Vec<ServiceDeployment>>,
    /// The revisions in the history that are of the push, where that may have had its turn before.
    of_push: Vec<TaskDefinitionArn>,
    /// Whether the wanted revision is of another tag of the image, and the service on a push that came between.
    is_overtaken: bool,
}

impl Snapshot {
    fn seen(&self, image: &PushedImage, now: Timestamp, rollback_is_lost: bool) -> Seen<'_> {
        let primary = self.primary.as_ref();
        Seen {
            service: &self.service,
            primary_standing: primary.map(|primary| primary.standing(image, now)),
            primary_source: self.primary_source.as_ref(),
            rolls_back: primary.is_some_and(|primary| primary.rolled_back().is_some()),
            leads_to_wanted: self.leads_to_wanted,
            rollback_is_lost,
            history: self.history.as_deref(),
            of_push: &self.of_push,
            is_overtaken: self.is_overtaken,
        }
    }

    /// What else is to be known of `service`, which was read at `begun`.
    async fn at(
        ecs: &Ecs,
        input: &UpdateService,
        now: Timestamp,
        begun: Instant,
        service: Service,
    ) -> Result<Self, Error> {
        let on = service.primary().map(|primary| &primary.task_definition);
        let may_be_past = may_have_had_its_turn(input, &service);
        let is_known = |on: &TaskDefinitionArn| {
            *on == input.task_definition || (*on == input.source && tells_everything(&service) && !may_be_past)
        };
        let unknown = on.filter(|on| !is_known(on));
        let primary = match unknown {
            Some(on) => Some(ecs.describe_task_definition(on.as_str()).await?),
            None => None,
        };
        let leads_to_wanted = match &primary {
            Some(primary) if *primary.arn() != input.source => leads_to_wanted(ecs, input, now, primary).await?,
            _ => false,
        };
        let is_there = on == Some(&input.task_definition)
            || primary.as_ref().is_some_and(|primary| primary.is_of_push(&input.image));
        // A service that is there and at rest does not list any more what it was on before.
        let is_told = tells_everything(&service) && !is_there && !may_be_past;
        let history = if is_told {
            None
        } else {
            ecs.service_deployments(&input.cluster, &input.service, None).await?
        };
        let of_push = if may_be_past && !is_there {
            revisions_of_push(ecs, history.as_deref().unwrap_or_default(), input, primary.as_ref()).await?
        } else {
            Vec::new()
        };
        let had_its_turn = history
            .iter()
            .flatten()
            .any(|record| record.target == input.task_definition);
        let is_overtaken = match &primary {
            Some(primary) if may_be_past && !is_there && had_its_turn => is_overtaken(ecs, input, primary).await?,
            _ => false,
        };
        Ok(Self {
            begun,
            service,
            primary_source: primary.as_ref().and_then(TaskDefinition::source),
            primary,
            leads_to_wanted,
            history,
            of_push,
            is_overtaken,
        })
    }
}

/// Whether the wanted revision was registered under another tag of the image, and `primary` is of a push that came between.
async fn is_overtaken(ecs: &Ecs, input: &UpdateService, primary: &TaskDefinition) -> Result<bool, Error> {
    let pushed = input.image.push.at();
    let between = primary.recorded_push(&input.image.repository);
    // Mostly the last push was long before, and the wanted revision need not be read.
    if between.is_none_or(|between| pushed.duration_since(between.at()) > ONE_PUSH) {
        return Ok(false);
    }
    match ecs.describe_task_definition(input.task_definition.as_str()).await {
        Ok(wanted) => Ok(wanted.is_overtaken(primary, &input.image) && wanted.push_of(&input.image) != input.image),
        Err(Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The revisions in ECS's records, but for the wanted one, that were registered for the push.
async fn revisions_of_push(
    ecs: &Ecs,
    history: &[ServiceDeployment],
    input: &UpdateService,
    primary: Option<&TaskDefinition>,
) -> Result<Vec<TaskDefinitionArn>, Error> {
    let targets: BTreeSet<&str> = history
        .iter()
        .filter(|record| record.target != input.task_definition)
        .map(|record| record.target.as_str())
        .collect();
    let described = ecs
        .describe_task_definitions(&targets.into_iter().collect::<Vec<_>>())
        .await?;
    let of_push = described.into_iter().flatten().filter(|revision| {
        revision.is_of_push(&input.image)
            && !primary.is_some_and(|primary| revision.is_overtaken(primary, &input.image))
    });
    Ok(of_push.map(|revision| revision.arn().clone()).collect())
}

/// Whether the revision with the image that would be made from `on`, which is of an older push, is the wanted one. So it is
/// when several pushes of one repository come at once: all of their revisions are made from the same one.
async fn leads_to_wanted(ecs: &Ecs, input: &UpdateService, now: Timestamp, on: &TaskDefinition) -> Result<bool, Error> {
    if on.standing(&input.image, now) != Standing::Older || on.rolled_back().is_some() {
        return Ok(false);
    }
    let wanted = match ecs.describe_task_definition(input.task_definition.as_str()).await {
        Err(Error::NotFound(_)) => return Ok(false),
        described => described?,
    };
    let made = on.with_image(&wanted.push_of(&input.image), input.settings.image_reference);
    let is_overtaken = wanted.is_overtaken(on, &input.image);
    Ok(wanted.is_active() && !is_overtaken && made.is_same_document(&wanted) && made.records_same_pushes(&wanted))
}

/// Whether a service can be moved to a revision: to one that was deregistered, or deleted since, none can.
async fn is_active(ecs: &Ecs, revision: &TaskDefinitionArn) -> Result<bool, Error> {
    match ecs.describe_task_definition(revision.as_str()).await {
        Ok(described) => Ok(described.is_active()),
        Err(Error::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// One attempt at a service: who asks, when, and until when it may take.
struct Attempt<'a> {
    ecr: &'a aws_sdk_ecr::Client,
    input: &'a mut UpdateService,
    now: Timestamp,
    deadline: Timestamp,
}

/// An update that was sent.
struct Sent {
    /// What it stood on.
    snapshot: Snapshot,
    revision: TaskDefinitionArn,
    /// How long read and update took together.
    lasted: SignedDuration,
    /// What it has replaced, and still has.
    lost_update: Option<LostUpdate>,
}

impl Sent {
    /// Whether a service shows the deployment that it has started.
    fn is_seen_in(&self, service: &Service, revision: &TaskDefinitionArn) -> bool {
        let was_there = |id: &str| self.snapshot.service.deployments.iter().any(|known| known.id == id);
        let deployment = service.deployment_of(revision);
        *revision == self.revision && deployment.is_some_and(|deployment| !was_there(&deployment.id))
    }
}

impl Attempt<'_> {
    /// Reads the service until a read was fresh, or the service is the same after it.
    async fn read(&mut self, ecs: &Ecs) -> Result<(Snapshot, Start), Error> {
        let mut begun = Instant::now();
        let mut service = ecs.describe_service(&self.input.cluster, &self.input.service).await?;
        for _ in 1..LOOKS {
            let (snapshot, start) = self.decide(ecs, begun, service).await?;
            if begun.elapsed() <= FRESH {
                return Ok((snapshot, start));
            }
            begun = Instant::now();
            service = ecs.describe_service(&self.input.cluster, &self.input.service).await?;
            if !service.has_moved_since(&snapshot.service) {
                return Ok((snapshot, start));
            }
            tracing::warn!("{} has moved while it was read: reading again", service.title());
            self.input.repeated = true;
        }
        self.decide(ecs, begun, service).await
    }

    /// One read of `service`, which was read at `begun`, and what it decides.
    async fn decide(&self, ecs: &Ecs, begun: Instant, service: Service) -> Result<(Snapshot, Start), Error> {
        let snapshot = Snapshot::at(ecs, self.input, self.now, begun, service).await?;
        let mut start = decide(self.input, &snapshot.seen(&self.input.image, self.now, false));
        // A revision of the push that somebody has deregistered cannot be started again: the one that counts can.
        if let Start::Update { revision, .. } = &start
            && let Some(on) = snapshot.primary.as_ref().filter(|on| on.arn() == revision)
            && !on.is_active()
        {
            start = Start::Update {
                revision: self.input.task_definition.clone(),
                force: false,
            };
        }
        if let (Start::RollingBack(_), Some(rollback)) = (&start, snapshot.service.primary()) {
            let stopped = ecs.stopped_tasks(&self.input.cluster, &self.input.service).await?;
            if is_lost(
                rollback,
                snapshot.service.crash_threshold,
                &stopped,
                self.now,
                self.input.settings.rollout_timeout,
            ) {
                start = decide(self.input, &snapshot.seen(&self.input.image, self.now, true));
            }
        }
        Ok((snapshot, start))
    }

    /// Reads, decides, updates. `sent` is the last update of which no answer came, and then this one's.
    async fn make(&mut self, ecs: &Ecs, sent: &mut Option<Sent>) -> Result<ServiceUpdate, Error> {
        let (snapshot, start) = self.read(ecs).await?;
        match start {
            Start::Update { revision, force } => self.update(ecs, snapshot, revision, force, sent).await,
            Start::AlreadyDeployed(revision) => match sent {
                Some(sent) if sent.is_seen_in(&snapshot.service, &revision) => {
                    let records = snapshot.history.as_deref();
                    self.started(ecs, sent, &snapshot.service, records).await
                }
                _ => Ok(self.already_deployed(&snapshot, &revision)),
            },
            Start::Superseded(by) => Ok(self.superseded(&by)),
            Start::TakenOn(to) => Ok(self.outcome(
                UpdateOutcome::Superseded,
                &format!(
                    "was on this push before, and another deployment has taken it to {}",
                    to.short()
                ),
            )),
            Start::RollingBack(to) => self.wait(
                UpdateOutcome::RollingBack,
                None,
                &format!("is on its way back to {}", to.short()),
            ),
            Start::Begun(to) => self.wait(
                UpdateOutcome::RollingBack,
                None,
                &format!("has just begun a rollout to {}, of this push", to.short()),
            ),
            Start::Rebase(to) => {
                let message = format!("has moved to {} since the plan was made", to.short());
                self.wait(UpdateOutcome::Rebase, Some(to), &message)
            }
            Start::RolledBack { to, why } => Err(self.rolled_back(&to, why.as_deref())),
            Start::Refused(why) => Err(Error::Rejected(format!("{why}; it is left as it is"))),
        }
    }

    async fn update(
        &self,
        ecs: &Ecs,
        snapshot: Snapshot,
        revision: TaskDefinitionArn,
        force: bool,
        sent: &mut Option<Sent>,
    ) -> Result<ServiceUpdate, Error> {
        let UpdateService { cluster, service, .. } = &*self.input;
        if self.input.wanted_since.is_some() {
            self.require_image().await?;
        }
        let answer = ecs.update_service(cluster, service, &revision, force).await;
        let sent = sent.insert(Sent {
            lasted: SignedDuration::try_from(snapshot.begun.elapsed()).unwrap_or(SignedDuration::MAX),
            snapshot,
            revision,
            lost_update: None,
        });
        match answer {
            Ok(after) => self.started(ecs, sent, &after, None).await,
            Err(error @ (Error::Rejected(_) | Error::NotFound(_))) => {
                let on = sent
                    .snapshot
                    .service
                    .primary()
                    .map(|primary| primary.task_definition.clone());
                if is_active(ecs, &sent.revision).await? {
                    return Err(match error {
                        Error::Rejected(message) if sent.snapshot.service.is_express => Error::Rejected(format!(
                            "{message}. The service is in Express Mode, which may refuse another revision: deploy it with \
                             UpdateExpressGatewayService"
                        )),
                        error => error,
                    });
                }
                let what = format!("cannot be moved to {}, which was deregistered", sent.revision.short());
                self.wait(UpdateOutcome::Rebase, on.or(Some(self.input.source.clone())), &what)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes sure, before anything is started, that tasks can pull an image that was pushed a while ago.
    async fn require_image(&self) -> Result<(), Error> {
        let image = &self.input.image;
        let by = By::Digest(&image.digest);
        let what = format!("{}{by}", image.repository);
        match look_up(self.ecr, self.input.task_definition.region(), image, by).await? {
            Stored::Archived => Err(Error::Rejected(format!(
                "its image {what} is archived, and no task can pull it: {}",
                restore(image, by)
            ))),
            Stored::Gone => Err(Error::Rejected(format!(
                "its image {what} is gone from ECR (a lifecycle policy?): push it again"
            ))),
            Stored::Untold(message) => {
                tracing::warn!("starting without asking ECR for the image: {message}");
                Ok(())
            }
            Stored::Tagged(_) => Ok(()),
        }
    }

    /// The update has taken effect, as `after` shows, and ECS's records where `after` is a read of later.
    async fn started(
        &self,
        ecs: &Ecs,
        sent: &mut Sent,
        after: &Service,
        records: Option<&[ServiceDeployment]>,
    ) -> Result<ServiceUpdate, Error> {
        let Sent {
            snapshot,
            revision,
            lasted,
            lost_update: replaced,
        } = sent;
        if replaced.is_none() {
            let by_records = || lost_update_by_records(&snapshot.service, records?, revision, *lasted);
            *replaced = lost_update(&snapshot.service, after, revision, *lasted).or_else(by_records);
        }
        if let Some(lost_update) = replaced
            && let Some(given_way) = self.give_way(ecs, lost_update).await?
        {
            return Ok(given_way);
        }
        // What was under way at the read may have completed until the update, which lists it still.
        let previous = last_good(&[after, &snapshot.service], revision, snapshot.history.as_deref());
        let message = match &previous {
            Some(previous) => format!("from {} to {}", previous.short(), revision.short()),
            None => format!("to {}; nothing good is known to go back to", revision.short()),
        };
        Ok(ServiceUpdate {
            rollout: Some(self.rollout(after, revision)),
            previous,
            ..self.outcome(UpdateOutcome::Started, &message)
        })
    }

    /// The update has replaced a deployment that the read did not show. One of a newer push is put back, and
    /// that is all. Anything else gets the image on top; what came in at the same moment is put back until then, so that
    /// nobody's change is undone when that fails. `None` when it is of this push itself, or when nothing but an older image is lost.
    async fn give_way(&self, ecs: &Ecs, lost_update: &LostUpdate) -> Result<Option<ServiceUpdate>, Error> {
        let LostUpdate { revision, came_between } = lost_update;
        let described = ecs.describe_task_definition(revision.as_str()).await?;
        let standing = described.standing(&self.input.image, self.now);
        if standing == Standing::Ours || leads_to_wanted(ecs, self.input, self.now, &described).await? {
            return Ok(None);
        }
        let UpdateService { cluster, service, .. } = &*self.input;
        if standing == Standing::Newer {
            // When that is not answered, the next attempt checks whether the service is still on ours before it puts it back.
            ecs.update_service(cluster, service, revision, false).await?;
            return Ok(Some(self.superseded(revision)));
        }
        // Not tried again: with or without it, the image comes on top next, and that reads first.
        if *came_between && let Err(error) = ecs.update_service(cluster, service, revision, false).await {
            tracing::warn!("{} was not put back: {error}", revision.short());
        }
        let message = format!("was moved to {} at the same moment", revision.short());
        self.wait(UpdateOutcome::Rebase, Some(revision.clone()), &message)
            .map(Some)
    }

    fn already_deployed(&self, snapshot: &Snapshot, revision: &TaskDefinitionArn) -> ServiceUpdate {
        let mut rollout = self.rollout(&snapshot.service, revision);
        // Another execution is watching it, and this one is to see the same. But where its rollout is over, maybe for
        // days, or an operator wants it again, why its tasks crashed until now is no reason to go back.
        if !is_steady(&snapshot.service) && self.input.wanted_since.is_none() {
            rollout.watched_since = rollout.started_at;
        }
        ServiceUpdate {
            previous: last_good(&[&snapshot.service], revision, snapshot.history.as_deref()),
            rollout: Some(rollout),
            ..self.outcome(
                UpdateOutcome::AlreadyDeployed,
                &format!("is on {} already", revision.short()),
            )
        }
    }

    fn rolled_back(&self, to: &TaskDefinitionArn, why: Option<&str>) -> Error {
        let why = why
            .map(|why| format!(" ({})", why.trim_end_matches('.')))
            .unwrap_or_default();
        Error::RolledBack(format!(
            "{} was on {} for this push before, which did not become stable{why}, and is on {} now",
            ecr_deploy::domain::service::title(&self.input.cluster, &self.input.service),
            self.input.task_definition.short(),
            to.short()
        ))
    }

    fn superseded(&self, by: &TaskDefinitionArn) -> ServiceUpdate {
        self.outcome(
            UpdateOutcome::Superseded,
            &format!("is on {}, of a newer push", by.short()),
        )
    }

    /// To be asked again, unless the time for that is over.
    fn wait(
        &self,
        outcome: UpdateOutcome,
        source: Option<TaskDefinitionArn>,
        what: &str,
    ) -> Result<ServiceUpdate, Error> {
        let deadline = self.input.deadline.unwrap_or(self.deadline);
        if self.now > deadline {
            return Err(Error::Rejected(format!(
                "{} {what}, and its turn did not come until {deadline}; read what keeps the service, then redrive this execution",
                ecr_deploy::domain::service::title(&self.input.cluster, &self.input.service)
            )));
        }
        Ok(ServiceUpdate {
            source,
            deadline,
            ..self.outcome(outcome, what)
        })
    }

    fn rollout(&self, service: &Service, revision: &TaskDefinitionArn) -> Rollout {
        let deployment = service.deployment_of(revision);
        // A rollout has all of its time, also where ECS took long to answer the update that began it.
        let late = deployment.map_or(SignedDuration::ZERO, |it| it.created_at.duration_since(self.now));
        let deadline = self.deadline.saturating_add(late.max(SignedDuration::ZERO));
        Rollout {
            cluster: self.input.cluster.clone(),
            service: self.input.service.clone(),
            task_definition: revision.clone(),
            deployment: deployment.map(|deployment| deployment.id.clone()),
            started_at: deployment.map_or(self.now, |deployment| deployment.created_at),
            watched_since: self.now,
            deadline: deadline.unwrap_or(Timestamp::MAX),
        }
    }

    fn outcome(&self, outcome: UpdateOutcome, message: &str) -> ServiceUpdate {
        let message = format!(
            "{} {message}",
            ecr_deploy::domain::service::title(&self.input.cluster, &self.input.service)
        );
        ServiceUpdate {
            outcome,
            rollout: None,
            previous: None,
            source: None,
            deadline: self.deadline,
            wait: 0,
            message,
        }
    }
}
