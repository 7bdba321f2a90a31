//! Takes a service back to its last good revision and contents.

pub mod target;

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::aws::registry::{By, Stored, look_up, restore};
use ecr_deploy::change::attempts::{Attempts, FRESH};
use ecr_deploy::change::lost_update::{LostUpdate, lost_update, lost_update_by_records};
use ecr_deploy::contract::{RollBack, Rollback, RollbackCopy, RollbackMethod, RollbackRevision, Rollout};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::image::ImageDigest;
use ecr_deploy::domain::service::{Service, ServiceDeployment};
use ecr_deploy::domain::task_definition::{OtherRevision, Standing, TaskDefinition};
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image, log_service};
use ecr_deploy::quota::poll::{self, Waiting};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use target::{
    Contents, Seen, Way, decide, good_before, keeps_old_contents, old_contents, on, recorded_digests, serves,
};
use tokio::time::Instant;

/// Takes a service back from a rollout that failed: the step "Roll back".
///
/// ECS is told to stop the rollout while that is possible; else the service is updated to the last good revision, or to
/// a copy of it: pinned to the old digest when its tag stands for other contents by now, or since it was deregistered. This step may
/// not register that copy, since no role may both register a revision and start it: it says what is to be registered, and is
/// asked again with the revision. If ECS goes back by itself, or
/// is back, nothing is done. A newer deployment is never touched; one that came in between the read and the update is put back. An update that was throttled, or whose answer is lost, is not
/// sent again on the same read: all begins anew with the read. So it does where the service has moved since it was read. To
/// stop a rollout can be repeated on any, since it names that one.
///
/// `running` is how many services are waited for, see [`ecr_deploy::quota::executions`]: the more, the later is the
/// first read.
///
/// # Errors
///
/// `Deploy.Rejected` when there is nothing good to go back to, when the old image is gone from ECR, or when ECS refuses;
/// `Deploy.Unavailable`.
pub async fn handle(
    ecs: &Ecs,
    ecr: &aws_sdk_ecr::Client,
    config: &Config,
    running: impl Future<Output = Option<u32>>,
    request: Request<Value>,
) -> Result<Rollback, Error> {
    let Request { now, input, .. } = request.typed::<RollBack>()?;
    let Rollout { cluster, service, .. } = &input.rollout;
    log_image(&input.image);
    log_service(&ecr_deploy::domain::service::title(cluster, service));
    let (rollback, running) = tokio::join!(roll_back(ecs, ecr, now, &input), running);
    let waiting = Waiting {
        cluster,
        service,
        services: input.services,
        running,
        age: SignedDuration::ZERO,
        left: input.settings.rollout_timeout,
        is_held: false,
    };
    let rollback = match rollback {
        Ok(rollback) => rollback,
        Err(error) => match ecs.failed_at(cluster, service, error).await {
            Error::ServiceDeleted(message) => deleted(message),
            error => return Err(error),
        },
    };
    let rollback = Rollback {
        wait: poll::wait(config.poll_interval, now, &waiting),
        ..rollback
    };
    tracing::info!(method = ?rollback.method, "{}", rollback.message);
    Ok(rollback)
}

/// There is no service to take back.
fn deleted(message: String) -> Rollback {
    Rollback {
        method: RollbackMethod::ServiceDeleted,
        rollout: None,
        register: None,
        has_image: false,
        image_failed: false,
        message,
        wait: 0,
    }
}

async fn roll_back(ecs: &Ecs, ecr: &aws_sdk_ecr::Client, now: Timestamp, input: &RollBack) -> Result<Rollback, Error> {
    let mut attempts = Attempts::begin();
    let mut sent = None;
    loop {
        let now = attempts.now(now);
        let way_back = WayBack {
            ecs,
            ecr,
            input,
            now,
            deadline: now
                .saturating_add(input.settings.rollout_timeout)
                .unwrap_or(Timestamp::MAX),
        };
        match way_back.take(&mut sent).await {
            Ok(Some(rollback)) => return Ok(rollback),
            Ok(None) => attempts.again(way_back.has_moved()).await?,
            Err(error) if sent.is_none() => return Err(error),
            Err(error) => attempts.again(error).await?,
        }
    }
}

/// An update back that was sent.
struct Sent {
    target: TaskDefinitionArn,
    method: RollbackMethod,
    /// Whether the target was registered for the push too.
    has_image: bool,
    image_failed: bool,
    /// The good revision that it goes to, and the one where ECS would go.
    good: Vec<TaskDefinitionArn>,
    /// The service as it was shown before.
    before: Service,
    /// How long read and update took together.
    lasted: SignedDuration,
    /// What it has replaced, and still has.
    lost_update: Option<LostUpdate>,
}

struct WayBack<'a> {
    ecs: &'a Ecs,
    ecr: &'a aws_sdk_ecr::Client,
    input: &'a RollBack,
    now: Timestamp,
    deadline: Timestamp,
}

/// What is known before the decision.
struct Snapshot {
    /// When the service was read.
    begun: Instant,
    service: Service,
    primary: Option<OtherRevision>,
    history: Option<Vec<ServiceDeployment>>,
    /// Where ECS would go back to.
    last_good: Option<TaskDefinitionArn>,
    /// Where to go back to.
    previous: Option<TaskDefinitionArn>,
    /// True if a container of the pushed image crashed.
    image_failed: bool,
}

impl WayBack<'_> {
    /// Reads, decides, goes back; `None` when the service has moved meanwhile, and is to be read again.
    async fn take(&self, sent: &mut Option<Sent>) -> Result<Option<Rollback>, Error> {
        let snapshot = self.read().await?;
        match self.decide(&snapshot, true) {
            Way::Stop { service_deployment, to } => {
                let old = self.old_image(&to, &snapshot).await?;
                // No service can be moved to a revision that was deregistered, by ECS as little as by us.
                let may_be_stopped = old.revision().is_active() && self.comes_back(&old, &snapshot);
                if !may_be_stopped {
                    return self.without_stop(&snapshot, sent).await;
                }
                match self.ecs.stop_service_deployment(&service_deployment).await {
                    Ok(()) => Ok(Some(Rollback {
                        has_image: self.is_of_push(old.revision()),
                        image_failed: snapshot.image_failed,
                        ..self.watched(RollbackMethod::StoppedDeployment, &to, None)
                    })),
                    // It ended between the read and the call: read again, and go the other way.
                    Err(Error::NotFound(message) | Error::Rejected(message)) => {
                        tracing::warn!("the deployment could not be stopped: {message}");
                        let snapshot = self.read().await?;
                        self.without_stop(&snapshot, sent).await
                    }
                    Err(error) => Err(error),
                }
            }
            _ => self.without_stop(&snapshot, sent).await,
        }
    }

    async fn without_stop(&self, snapshot: &Snapshot, sent: &mut Option<Sent>) -> Result<Option<Rollback>, Error> {
        let rollback = match self.decide(snapshot, false) {
            Way::Update(to) | Way::Stop { to, .. } => return self.update(&to, snapshot, sent).await,
            Way::Watch(to) if let Some(sent) = sent.as_mut().filter(|sent| sent.target == to) => {
                self.updated(&snapshot.service, snapshot.history.as_deref(), sent)
                    .await?
            }
            Way::Watch(to) => Rollback {
                // Not by what the service shows: ECS may be about to go there.
                has_image: self.has_image(&to).await?,
                image_failed: snapshot.image_failed,
                ..self.watched(
                    RollbackMethod::Watching,
                    &to,
                    snapshot.service.deployment_of(&to).map(|on| on.id.clone()),
                )
            },
            Way::Superseded(by) => self.untouched(
                RollbackMethod::Superseded,
                &format!("is on {}, of a newer push", by.short()),
            ),
            Way::Displaced(by) => self.untouched(
                RollbackMethod::Displaced,
                &format!("is on {} by another deployment", by.short()),
            ),
            Way::Nowhere => {
                return Err(Error::Rejected(format!(
                    "{} has no revision that ever became stable, so there is nothing to go back to; it stays on {}. Fix the image and push again",
                    self.title(),
                    self.input.rollout.task_definition.short()
                )));
            }
        };
        Ok(Some(rollback))
    }

    fn decide(&self, snapshot: &Snapshot, may_stop: bool) -> Way {
        decide(&Seen {
            service: &snapshot.service,
            failed: &self.input.rollout,
            last_good: snapshot.last_good.as_ref(),
            previous: snapshot.previous.as_ref(),
            primary: snapshot.primary,
            history: snapshot.history.as_deref(),
            may_stop,
        })
    }

    /// Whether ECS would bring back the old contents of a revision: also where its tag was pushed over.
    fn comes_back(&self, old: &OldImage, snapshot: &Snapshot) -> bool {
        let OldImage::Overwritten(previous, _) = old else {
            return true;
        };
        let resolved = recorded_digests(snapshot.history.as_deref(), previous.arn());
        keeps_old_contents(previous, &self.input.image, &resolved)
    }

    async fn read(&self) -> Result<Snapshot, Error> {
        let failed = &self.input.rollout;
        let begun = Instant::now();
        let service = self.ecs.describe_service(&failed.cluster, &failed.service).await?;
        let history = self
            .ecs
            .service_deployments(&failed.cluster, &failed.service, None)
            .await?;
        let on = on(&service, history.as_deref(), failed);
        let primary = match on.filter(|on| **on != failed.task_definition) {
            Some(on) => {
                let revision = self.ecs.describe_task_definition(on.as_str()).await?;
                Some(revision.beside(&failed.task_definition, &self.input.image, self.now))
            }
            None => None,
        };
        let good = good_before(
            history.as_deref(),
            &failed.task_definition,
            self.input.previous.as_ref(),
        );
        let image_failed = self.image_failed().await?;
        let without_image = if image_failed {
            self.first_without_image(&good).await?
        } else {
            None
        };
        let last_good = good.into_iter().next();
        Ok(Snapshot {
            begun,
            service,
            primary,
            history,
            previous: without_image.or_else(|| last_good.clone()),
            last_good,
            image_failed,
        })
    }

    /// Whether a revision was registered for the push.
    async fn has_image(&self, revision: &TaskDefinitionArn) -> Result<bool, Error> {
        let read = self.ecs.outline_of(revision).await?;
        Ok(read.is_some_and(|read| read.is_of_push(&self.input.image)))
    }

    async fn image_failed(&self) -> Result<bool, Error> {
        let RollBack {
            image, rollout, check, ..
        } = self.input;
        let failed = check.as_ref().map_or(&[][..], |check| &check.failed_containers);
        if failed.is_empty() {
            return Ok(false);
        }
        let revision = self.ecs.outline_of(&rollout.task_definition).await?;
        let of_image = revision.map_or_else(Vec::new, |revision| revision.containers_of(image));
        Ok(failed.iter().any(|container| of_image.contains(container)))
    }

    /// The first revision of `good` that was not registered for the push: a rollout with the image may have been successful
    /// before its tasks crashed.
    async fn first_without_image(&self, good: &[TaskDefinitionArn]) -> Result<Option<TaskDefinitionArn>, Error> {
        for revision in good {
            if !self.has_image(revision).await? {
                return Ok(Some(revision.clone()));
            }
        }
        Ok(None)
    }

    async fn update(
        &self,
        to: &TaskDefinitionArn,
        snapshot: &Snapshot,
        sent: &mut Option<Sent>,
    ) -> Result<Option<Rollback>, Error> {
        let old = self.old_image(to, snapshot).await?;
        let has_image = self.is_of_push(old.revision());
        let (copied, digest, method) = match old {
            OldImage::InPlace(previous) if previous.is_active() => (None, None, RollbackMethod::UpdatedService),
            OldImage::InPlace(previous) => (Some(previous), None, RollbackMethod::CopiedRevision),
            OldImage::Overwritten(previous, digest) => (Some(previous), Some(digest), RollbackMethod::PinnedRevision),
            OldImage::Lost(_) => {
                return Err(Error::Rejected(format!(
                    "{} cannot go back to {}: nothing tells which digest its tag {} stood for, and that is the failed image now. Nothing was touched; push a good image",
                    self.title(),
                    to.short(),
                    self.input.image.tag
                )));
            }
        };
        let target = match &copied {
            Some(previous) => self.registered(previous, digest.as_ref()).await?,
            None => Some(to.clone()),
        };
        // Also before a revision is registered that nobody would use.
        if !self.still_holds(snapshot).await? {
            return Ok(None);
        }
        let target = match (target, copied) {
            (Some(target), _) => target,
            (None, Some(previous)) => return Ok(Some(self.needs(snapshot, &previous, digest))),
            (None, None) => to.clone(),
        };
        let Rollout { cluster, service, .. } = &self.input.rollout;
        let answer = self.ecs.update_service(cluster, service, &target, false).await;
        let sent = sent.insert(Sent {
            target,
            method,
            has_image,
            image_failed: snapshot.image_failed,
            good: snapshot.last_good.iter().chain([to]).cloned().collect(),
            before: snapshot.service.clone(),
            lasted: SignedDuration::try_from(snapshot.begun.elapsed()).unwrap_or(SignedDuration::MAX),
            lost_update: None,
        });
        Ok(Some(self.updated(&answer?, None, sent).await?))
    }

    /// Whether the service is where `snapshot` has seen it. A fresh read is as good as a new one.
    async fn still_holds(&self, snapshot: &Snapshot) -> Result<bool, Error> {
        if snapshot.begun.elapsed() <= FRESH {
            return Ok(true);
        }
        let Rollout { cluster, service, .. } = &self.input.rollout;
        let now = self.ecs.describe_service(cluster, service).await?;
        Ok(!now.has_moved_since(&snapshot.service))
    }

    fn has_moved(&self) -> Error {
        Error::Unavailable(format!("{} has moved while its way back was made ready", self.title()))
    }

    /// The update has taken effect, as `after` shows, and ECS's records where `after` is a read of later. A deployment that the
    /// read did not show is newer than the failed one: it is put back, and that is all.
    async fn updated(
        &self,
        after: &Service,
        records: Option<&[ServiceDeployment]>,
        sent: &mut Sent,
    ) -> Result<Rollback, Error> {
        if sent.lost_update.is_none() {
            let by_records = || lost_update_by_records(&sent.before, records?, &sent.target, sent.lasted);
            sent.lost_update = lost_update(&sent.before, after, &sent.target, sent.lasted).or_else(by_records);
        }
        match sent
            .lost_update
            .as_ref()
            .filter(|lost_update| !sent.good.contains(&lost_update.revision))
        {
            Some(lost_update) if let Some(given_way) = self.give_way(&lost_update.revision).await? => Ok(given_way),
            _ => Ok(self.begun(after, sent)),
        }
    }

    /// Puts back what the update has replaced. `None` when that is of the push that failed, or on its way back itself.
    async fn give_way(&self, to: &TaskDefinitionArn) -> Result<Option<Rollback>, Error> {
        let Rollout {
            cluster,
            service,
            task_definition: failed,
            ..
        } = &self.input.rollout;
        let revision = self.ecs.describe_task_definition(to.as_str()).await?;
        let OtherRevision {
            standing,
            rolls_ours_back,
        } = revision.beside(failed, &self.input.image, self.now);
        if standing == Standing::Ours || rolls_ours_back || !revision.is_active() {
            return Ok(None);
        }
        // When that is not answered, the next attempt checks whether the service is still on its way back.
        self.ecs.update_service(cluster, service, to, false).await?;
        let (method, of) = match standing {
            Standing::Newer => (RollbackMethod::Superseded, ", of a newer push,"),
            _ => (RollbackMethod::Displaced, ""),
        };
        let what = format!(
            "was moved to {}{of} at the same moment, and is put back there",
            to.short()
        );
        Ok(Some(self.left(method, &what)))
    }

    /// The way back has begun, as `after` shows.
    fn begun(&self, after: &Service, sent: &Sent) -> Rollback {
        let deployment = after.deployment_of(&sent.target);
        let id = deployment.map(|deployment| deployment.id.clone());
        let rollback = self.watched(sent.method, &sent.target, id);
        // By ECS's clock, where it tells: what is compared with it is ECS's too.
        let started_at = deployment.map_or(self.now, |deployment| deployment.created_at);
        let rollout = rollback.rollout.map(|rollout| Rollout { started_at, ..rollout });
        Rollback {
            rollout,
            has_image: sent.has_image,
            image_failed: sent.image_failed,
            ..rollback
        }
    }

    /// The revision that was registered for this rollback, if it was, and serves still.
    async fn registered(
        &self,
        previous: &TaskDefinition,
        digest: Option<&ImageDigest>,
    ) -> Result<Option<TaskDefinitionArn>, Error> {
        let Some(registered) = &self.input.registered else {
            return Ok(None);
        };
        let RollBack { image, rollout, .. } = self.input;
        match self.ecs.describe_task_definition(registered.as_str()).await {
            Ok(revision) => {
                let serves = serves(&revision, previous.arn(), digest, image, &rollout.task_definition);
                Ok(serves.then(|| registered.clone()))
            }
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Nothing is touched before a copy of `previous` is registered.
    fn needs(&self, snapshot: &Snapshot, previous: &TaskDefinition, digest: Option<ImageDigest>) -> Rollback {
        let of = previous.arn().short();
        let what = match &digest {
            Some(digest) => {
                format!("goes back to a copy of {of}, pinned to its old digest {digest}, which is registered first")
            }
            None => format!("goes back to a copy of {of}, which was deregistered: the copy is registered first"),
        };
        Rollback {
            has_image: self.is_of_push(previous),
            image_failed: snapshot.image_failed,
            register: Some(RollbackRevision {
                task_definition: previous.arn().name(),
                rollback: RollbackCopy {
                    digest,
                    rolls_back: self.input.rollout.task_definition.clone(),
                },
            }),
            ..self.left(RollbackMethod::RegistrationNeeded, &what)
        }
    }

    /// Makes sure, before anything is touched, that the old image can still be started.
    async fn old_image(&self, to: &TaskDefinitionArn, snapshot: &Snapshot) -> Result<OldImage, Error> {
        let image = &self.input.image;
        let previous = match self.ecs.describe_task_definition(to.as_str()).await {
            // Not found would say that the service is gone.
            Err(Error::NotFound(message)) => return Err(Error::Rejected(message)),
            described => described?,
        };
        let mut contents = old_contents(&previous, image, &recorded_digests(snapshot.history.as_deref(), to));
        if let Contents::Unknown(_) = contents {
            let Rollout { cluster, service, .. } = &self.input.rollout;
            contents = old_contents(&previous, image, &self.ecs.task_digests(cluster, service, to).await?);
        }
        let (tag, digest) = match contents {
            Contents::Tagged(tag, digest) => (tag, digest),
            Contents::Pinned => {
                let pinned_to = previous
                    .references_of(image)
                    .find_map(|reference| reference.digest().cloned());
                if let Some(digest) = pinned_to {
                    self.require(By::Digest(&digest), to).await?;
                }
                return Ok(OldImage::InPlace(previous));
            }
            Contents::Unknown(tag) if tag == image.tag => return Ok(OldImage::Lost(previous)),
            Contents::Unknown(tag) => {
                tracing::warn!(to = to.short(), "the old digest is not known; going back by the tag");
                self.require(By::Tag(&tag), to).await?;
                return Ok(OldImage::InPlace(previous));
            }
        };
        let stored = self.require(By::Digest(&digest), to).await?;
        let was_pushed_over = tag == image.tag && digest != image.digest;
        if stored.has_lost(&tag) || was_pushed_over {
            return Ok(OldImage::Overwritten(previous, digest));
        }
        Ok(OldImage::InPlace(previous))
    }

    async fn require(&self, by: By<'_>, to: &TaskDefinitionArn) -> Result<Stored, Error> {
        let image = &self.input.image;
        let stored = look_up(self.ecr, to.region(), image, by).await?;
        match &stored {
            Stored::Gone => Err(Error::Rejected(format!(
                "{} cannot go back to {}: its image {}{by} is gone from ECR (a lifecycle policy?). Nothing was touched; push a good image",
                self.title(),
                to.short(),
                image.repository
            ))),
            Stored::Archived => Err(Error::Rejected(format!(
                "{} cannot go back to {}: its image {}{by} is archived, and no task can pull it. Nothing was touched; {} and redrive \
                 this execution, or push a good image",
                self.title(),
                to.short(),
                image.repository,
                restore(image, by)
            ))),
            Stored::Untold(message) => {
                tracing::warn!("going back without asking ECR for the old image: {message}");
                Ok(stored)
            }
            Stored::Tagged(_) => Ok(stored),
        }
    }

    fn untouched(&self, method: RollbackMethod, what: &str) -> Rollback {
        self.left(method, &format!("{what}, which is not touched"))
    }

    /// There is no way back to be watched.
    fn left(&self, method: RollbackMethod, what: &str) -> Rollback {
        Rollback {
            method,
            rollout: None,
            register: None,
            wait: 0,
            has_image: false,
            image_failed: false,
            message: format!("{} {what}", self.title()),
        }
    }

    fn watched(&self, method: RollbackMethod, to: &TaskDefinitionArn, deployment: Option<String>) -> Rollback {
        let how = match method {
            RollbackMethod::StoppedDeployment => "ECS was told to go back to",
            RollbackMethod::UpdatedService => "updated back to",
            RollbackMethod::PinnedRevision => "updated back, by its old digest, to",
            RollbackMethod::CopiedRevision => "updated back, by a copy of its deregistered revision, to",
            RollbackMethod::Watching
            | RollbackMethod::Superseded
            | RollbackMethod::Displaced
            | RollbackMethod::RegistrationNeeded
            | RollbackMethod::ServiceDeleted => "goes back by itself to",
        };
        Rollback {
            method,
            wait: 0,
            has_image: false,
            image_failed: false,
            register: None,
            message: format!("{}: {how} {}", self.title(), to.short()),
            rollout: Some(Rollout {
                cluster: self.input.rollout.cluster.clone(),
                service: self.input.rollout.service.clone(),
                task_definition: to.clone(),
                deployment,
                started_at: self.now,
                watched_since: self.now,
                deadline: self.deadline,
            }),
        }
    }

    fn is_of_push(&self, revision: &TaskDefinition) -> bool {
        revision.is_of_push(&self.input.image)
    }

    fn title(&self) -> String {
        ecr_deploy::domain::service::title(&self.input.rollout.cluster, &self.input.rollout.service)
    }
}

/// The last good revision, and whether it still means its old contents.
enum OldImage {
    /// It does.
    InPlace(TaskDefinition),
    /// Its tag stands for other contents; this is the digest to pin it to.
    Overwritten(TaskDefinition, ImageDigest),
    /// Its tag is the pushed one, and nothing tells what it stood for: only ECS can go back to it.
    Lost(TaskDefinition),
}

impl OldImage {
    fn revision(&self) -> &TaskDefinition {
        match self {
            Self::InPlace(revision) | Self::Overwritten(revision, _) | Self::Lost(revision) => revision,
        }
    }
}
