//! The one way in which a step moves a service: it reads the service, decides, sends `UpdateService` once, and finds out
//! which deployment the update has replaced.
//!
//! ECS has no conditional update, and the answer to an update can be lost. So these rules hold for each step that moves a
//! service:
//!
//! 1. A decision stands on a read of the last second that shows the newest rollout of ECS's records. Otherwise the service is
//!    read once more and has not moved ([`Mover::moved_since`]).
//! 2. One read allows one update ([`Mover::send`]). After an error of the update the step begins again with the read
//!    ([`attempts`]): the update may have taken effect.
//! 3. The update may have replaced a deployment that the read did not show. It stays known in all later attempts
//!    ([`Sent::lost_update`]); the step decides about it, and may put it back ([`Mover::put_back`]).

use super::attempts::{Attempts, FRESH};
use super::lost_update::{LostUpdate, lost_update, lost_update_by_records};
use crate::aws::ecs::Ecs;
use crate::domain::arn::{ClusterName, ServiceName, TaskDefinitionArn};
use crate::domain::service::{Service, ServiceDeployment, title};
use crate::error::Error;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// One service, and the client that moves it.
#[derive(Clone)]
pub struct Mover<'a> {
    /// The client.
    pub ecs: &'a Ecs,
    /// The service's cluster.
    pub cluster: ClusterName,
    /// The service's name.
    pub service: ServiceName,
}

/// A read of a service.
pub struct Read {
    /// The moment before the call.
    begun: Instant,
    /// The service as ECS showed it.
    pub service: Service,
}

/// An update that was sent. Its answer may be lost.
pub struct Sent<S> {
    /// The read that the update stands on.
    pub read: Read,
    /// The revision to which the service was sent.
    pub revision: TaskDefinitionArn,
    /// The facts of its decision that the step still needs.
    pub decision: S,
    /// How long read and update took together.
    lasted: SignedDuration,
    lost_update: Option<LostUpdate>,
}

/// Why an attempt ended without a result.
pub enum Interrupted {
    /// The service has moved since it was read, and nothing was sent.
    Moved(Error),
    /// A call failed.
    Failed(Error),
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Makes attempts until one has a result. An attempt gets the time, and the last update that was sent and whose result is not
/// known; it puts its own update there.
///
/// # Errors
///
/// The error of the last attempt: when it does not pass by itself, when there were attempts enough, or when a call failed
/// before any update was sent. The SDK has repeated such a call often enough.
pub async fn attempts<S, T>(
    now: Timestamp,
    mut attempt: impl AsyncFnMut(Timestamp, &mut Option<Sent<S>>) -> Result<T, Interrupted>,
) -> Result<T, Error> {
    let mut attempts = Attempts::begin();
    let mut sent = None;
    loop {
        match attempt(attempts.now(now), &mut sent).await {
            Ok(result) => return Ok(result),
            Err(Interrupted::Failed(error)) if sent.is_none() => return Err(error),
            Err(Interrupted::Moved(error) | Interrupted::Failed(error)) => attempts.again(error).await?,
        }
    }
}

impl Mover<'_> {
    /// The service for a person: "web in production".
    #[must_use]
    pub fn title(&self) -> String {
        title(&self.cluster, &self.service)
    }

    /// Reads the service with its tags, by which its owner may hold it.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn read(&self) -> Result<Read, Error> {
        let begun = Instant::now();
        let service = self.ecs.describe_tagged_service(&self.cluster, &self.service).await?;
        Ok(Read { begun, service })
    }

    /// Returns a newer read if the service has moved since `read`. A read of the last second counts as it is, unless the `records`,
    /// newest first and listed after it, tell of a rollout that it does not show. Otherwise the service is read once more.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_service`].
    pub async fn moved_since(&self, read: &Read, records: Option<&[ServiceDeployment]>) -> Result<Option<Read>, Error> {
        let newest = records.and_then(<[_]>::first);
        if read.begun.elapsed() <= FRESH && newest.is_none_or(|newest| read.service.shows(newest)) {
            return Ok(None);
        }
        let newer = self.read().await?;
        Ok(newer.service.has_moved_since(&read.service).then_some(newer))
    }

    /// Sends the service to `revision`, once. Puts the update into `sent` whether or not ECS answers, and returns it with the
    /// service as it is after the update.
    ///
    /// # Errors
    ///
    /// As [`Ecs::update_service`].
    pub async fn send<'s, S>(
        &self,
        sent: &'s mut Option<Sent<S>>,
        read: Read,
        revision: TaskDefinitionArn,
        force: bool,
        decision: S,
    ) -> (&'s mut Sent<S>, Result<Service, Error>) {
        let answer = self
            .ecs
            .update_service(&self.cluster, &self.service, &revision, force)
            .await;
        let sent = sent.insert(Sent {
            lasted: SignedDuration::try_from(read.begun.elapsed()).unwrap_or(SignedDuration::MAX),
            read,
            revision,
            decision,
            lost_update: None,
        });
        (sent, answer)
    }

    /// Sends the service back to the revision that an update has replaced. If ECS does not answer, the next attempt reads first
    /// whether the service is still where the update has sent it.
    ///
    /// # Errors
    ///
    /// As [`Ecs::update_service`].
    pub async fn put_back(&self, revision: &TaskDefinitionArn) -> Result<(), Error> {
        let answer = self.ecs.update_service(&self.cluster, &self.service, revision, false);
        answer.await.map(drop)
    }
}

impl<S> Sent<S> {
    /// Returns the deployment that this update lost: by `after`, or by ECS's `records` where `after` is a later read.
    /// Once known it stays known: ECS soon stops listing a replaced deployment.
    pub fn lost_update(&mut self, after: &Service, records: Option<&[ServiceDeployment]>) -> Option<&LostUpdate> {
        if self.lost_update.is_none() {
            let before = &self.read.service;
            let by_records = || lost_update_by_records(before, records?, &self.revision, self.lasted);
            self.lost_update = lost_update(before, after, &self.revision, self.lasted).or_else(by_records);
        }
        self.lost_update.as_ref()
    }

    /// True if `service` shows a deployment of `revision` that this update has started.
    #[must_use]
    pub fn has_started(&self, service: &Service, revision: &TaskDefinitionArn) -> bool {
        let was_there = |id: &str| self.read.service.deployments.iter().any(|known| known.id == id);
        let deployment = service.deployment_of(revision);
        *revision == self.revision && deployment.is_some_and(|deployment| !was_there(&deployment.id))
    }
}
