//! Does what was decided, and tells what came of it.

use crate::at_rest::last_good;
use crate::decide::Start;
use crate::read::Reading;
use crate::{Attempt, Update};
use ecr_deploy::aws::registry::{By, RESTORED_SOON, Stored, look_up, restore};
use ecr_deploy::change::LostUpdate;
use ecr_deploy::contract::UpdateOutput;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{Service, ServiceDeployment};
use ecr_deploy::domain::task_definition::Standing;
use ecr_deploy::error::Error;

impl Attempt<'_> {
    /// Updates the service, or says why not. `sent` is the last update whose answer is lost, and then this one.
    pub(crate) async fn act(
        &self,
        reading: Reading,
        start: Start,
        sent: &mut Option<Update>,
    ) -> Result<UpdateOutput, Error> {
        let service = &reading.read.service;
        match start {
            Start::Update { revision, force } => self.update(reading, revision, force, sent).await,
            Start::AlreadyDeployed(revision) => match sent {
                Some(sent) if sent.has_started(service, &revision) => {
                    self.started(sent, service, reading.facts.history.as_deref()).await
                }
                _ => Ok(self.already_deployed(&reading, &revision)),
            },
            Start::Superseded(by) => Ok(self.superseded(&by)),
            Start::OnHold(text) => Ok(self.on_hold(&text)),
            Start::TakenOn(to) => Ok(self.taken_on(&to)),
            Start::RollingBack(to) => self.rolling_back(&format!("is rolling back to {}", to.short())),
            Start::Begun(to) => self.rolling_back(&format!("has just begun a rollout to {}, of this push", to.short())),
            Start::Rebase(to) => {
                let what = format!("has moved to {} since the plan was made", to.short());
                self.rebase(to, &what)
            }
            Start::RolledBack { to, why } => Err(self.rolled_back(&to, why.as_deref())),
            Start::Refused(why) => Err(Error::Rejected(format!("{why}; it is left as it is"))),
        }
    }

    async fn update(
        &self,
        reading: Reading,
        revision: TaskDefinitionArn,
        force: bool,
        sent: &mut Option<Update>,
    ) -> Result<UpdateOutput, Error> {
        if self.input.wanted_since.is_some() {
            self.require_image().await?;
        }
        let Reading { read, facts, .. } = reading;
        let (sent, answer) = self.mover.send(sent, read, revision, force, facts.history).await;
        match answer {
            Ok(after) => self.started(sent, &after, None).await,
            Err(error @ (Error::Rejected(_) | Error::NotFound(_))) => self.refused(sent, error).await,
            Err(error) => Err(error),
        }
    }

    /// ECS moves no service to a revision that was deregistered: then the service needs another one.
    async fn refused(&self, sent: &Update, error: Error) -> Result<UpdateOutput, Error> {
        let service = &sent.read.service;
        let revision = self.mover.ecs.find_task_definition(sent.revision.as_str()).await?;
        if revision.is_some_and(|revision| revision.is_active()) {
            return Err(match error {
                Error::Rejected(message) if service.is_express => Error::Rejected(format!(
                    "{message}. The service is in Express Mode, which may refuse another revision: deploy it with \
                     UpdateExpressGatewayService"
                )),
                error => error,
            });
        }
        let on = service.primary().map(|primary| &primary.task_definition);
        let what = format!("cannot be moved to {}, which was deregistered", sent.revision.short());
        self.rebase(on.unwrap_or(&self.input.source).clone(), &what)
    }

    /// Makes sure, before anything is started, that tasks can pull an image that was pushed a while ago.
    async fn require_image(&self) -> Result<(), Error> {
        let image = &self.input.image;
        let by = By::Digest(&image.digest);
        let (why, what_to_do) = match look_up(self.ecr, self.input.task_definition.region(), image, by).await? {
            Stored::Archived => ("archived, and no task can pull it", restore(image, by)),
            Stored::Restoring => (
                "being restored from the archive, and no task can pull it yet",
                RESTORED_SOON.to_owned(),
            ),
            Stored::Gone => ("gone from ECR (a lifecycle policy?)", "push it again".to_owned()),
            Stored::Untold(message) => {
                tracing::warn!("starting without asking ECR for the image: {message}");
                return Ok(());
            }
            Stored::Tagged(_) => return Ok(()),
        };
        Err(Error::Rejected(format!(
            "its image {}{by} is {why}: {what_to_do}",
            image.repository
        )))
    }

    /// The update has taken effect, as `after` shows, and ECS's records where `after` is a later read.
    async fn started(
        &self,
        sent: &mut Update,
        after: &Service,
        records: Option<&[ServiceDeployment]>,
    ) -> Result<UpdateOutput, Error> {
        if let Some(lost_update) = sent.lost_update(after, records)
            && let Some(given_way) = self.give_way(lost_update).await?
        {
            return Ok(given_way);
        }
        // A rollout that was under way at the read may have completed before the update, whose answer lists it still.
        let reads = [after, &sent.read.service];
        let only_drains = |service: &Service| self.only_drains(service);
        let previous = last_good(&reads, &sent.revision, sent.decision.as_deref(), only_drains);
        Ok(self.rollout_begun(after, &sent.revision, previous))
    }

    /// The update has replaced a deployment that the read did not show. If that is of a newer push, the service is put back, and
    /// that is all. Otherwise the service gets a new revision, made from the replaced one. A deployment that began between the
    /// read and the update is put back until then, so that nobody's change is undone when that fails. Returns `None` if the
    /// replaced deployment is of this push itself, or if only an older image is lost.
    async fn give_way(&self, lost_update: &LostUpdate) -> Result<Option<UpdateOutput>, Error> {
        let LostUpdate { revision, came_between } = lost_update;
        let described = self.mover.ecs.describe_task_definition(revision.as_str()).await?;
        let standing = described.standing(&self.input.image, self.now);
        if standing == Standing::Ours || self.leads_to_wanted(&described).await? {
            return Ok(None);
        }
        if standing == Standing::Newer {
            self.mover.put_back(revision).await?;
            return Ok(Some(self.superseded(revision)));
        }
        // Not tried again: the next step makes a revision from this one, and reads the service first.
        if *came_between && let Err(error) = self.mover.put_back(revision).await {
            tracing::warn!("{} was not put back: {error}", revision.short());
        }
        let what = format!("was moved to {} at the same moment", revision.short());
        self.rebase(revision.clone(), &what).map(Some)
    }
}
