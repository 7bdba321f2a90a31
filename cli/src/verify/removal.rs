//! The removal of what a run has made, also of one that ended early.

use super::NAME;
use super::begin::{Part, parameters};
use super::sandbox::Sandbox;
use crate::aws::pause;
use crate::error::Error;
use crate::execution::{Executions, Status};
use crate::progress::Progress;
use aws_sdk_ecs::types::TaskDefinitionStatus;
use ecr_deploy::error::Error as OfAws;
use std::time::Duration;

/// How long an execution may take to end once its service is gone.
const LIMIT: Duration = Duration::from_mins(3);
/// Time between two polls.
const POLL: Duration = Duration::from_secs(1);

/// A part that could not be removed, and why.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) part: Part,
    pub(crate) why: String,
}

impl Sandbox<'_> {
    /// Removes everything that was made. Returns what it could not remove.
    pub(crate) async fn remove(&self) -> Vec<Kept> {
        let progress = Progress::new("everything is removed");
        let mut kept = Vec::new();
        if self.has_service.get()
            && let Err(error) = self.remove_service().await
        {
            kept.push((Part::Service, error));
        }
        progress.say("its executions end".to_owned());
        self.ended().await;
        if self.has_family.get() {
            kept.extend(self.remove_family().await);
        }
        if self.has_repository.get()
            && let Err(error) = self.remove_repository().await
        {
            kept.push((Part::Repository, error));
        }
        if self.has_service.get()
            && self.account.installation.settings.writes_parameters
            && let Err(error) = self.remove_parameters().await
        {
            kept.push((Part::Parameters, error));
        }
        let kept = kept.into_iter().map(|(part, error)| Kept {
            part,
            why: error.to_string(),
        });
        kept.collect()
    }

    /// The parts that were made, where nobody has the patience to wait for its removal.
    pub(crate) fn made(&self) -> Vec<Kept> {
        let writes_parameters = self.account.installation.settings.writes_parameters;
        let made = [
            (self.has_service.get(), Part::Service),
            (self.has_family.get(), Part::Revision(1)),
            (self.has_repository.get(), Part::Repository),
            (self.has_service.get() && writes_parameters, Part::Parameters),
        ];
        let made = made.into_iter().filter(|(is_made, _)| *is_made);
        made.map(|(_, part)| Kept {
            part,
            why: "its removal was interrupted".to_owned(),
        })
        .collect()
    }

    async fn remove_service(&self) -> Result<(), OfAws> {
        let request = self.account.ecs().delete_service().cluster(self.cluster.as_str());
        let deleted = request.service(NAME).force(true).send().await;
        gone(
            deleted
                .map(drop)
                .map_err(|error| OfAws::from_aws("DeleteService", &error)),
        )
    }

    /// Waits for the executions that were seen to begin, so that none registers another revision afterwards. One whose
    /// service is gone ends by itself.
    async fn ended(&self) {
        let executions = Executions(self.account.sfn());
        let begun = self.executions.borrow().clone();
        for arn in begun {
            for _ in 0..LIMIT.as_secs() / POLL.as_secs() {
                match executions.read(&arn).await {
                    Ok(execution) if execution.status == Status::Running => pause(POLL).await,
                    _ => break,
                }
            }
        }
    }

    async fn remove_family(&self) -> Vec<(Part, OfAws)> {
        let ecs = self.account.ecs();
        let mut kept = Vec::new();
        let unread = |error: Error| (Part::Revision(1), OfAws::Rejected(error.to_string()));
        let active = match self.revisions(TaskDefinitionStatus::Active).await {
            Ok(active) => active,
            Err(error) => return vec![unread(error)],
        };
        for number in &active {
            let name = format!("{NAME}:{number}");
            let removed = ecs.deregister_task_definition().task_definition(&name).send().await;
            let call = format!("DeregisterTaskDefinition of {name}");
            if let Err(error) = removed.map_err(|error| OfAws::from_aws(&call, &error)) {
                kept.push((Part::Revision(*number), error));
            }
        }
        // It is deregistered, so nothing can start it: that it stands in a list a while longer is no failure.
        for some in active.chunks(10) {
            let names = some.iter().map(|number| format!("{NAME}:{number}")).collect();
            let _ = ecs
                .delete_task_definitions()
                .set_task_definitions(Some(names))
                .send()
                .await;
        }
        kept
    }

    async fn remove_repository(&self) -> Result<(), OfAws> {
        let request = self.account.ecr().delete_repository().repository_name(NAME).force(true);
        let deleted = request.send().await;
        gone(
            deleted
                .map(drop)
                .map_err(|error| OfAws::from_aws("DeleteRepository", &error)),
        )
    }

    async fn remove_parameters(&self) -> Result<(), OfAws> {
        let names = parameters(self.cluster.as_str());
        self.account.parameters().delete_all(&names).await
    }
}

/// The removal of a part that is not there is done.
fn gone(removed: Result<(), OfAws>) -> Result<(), OfAws> {
    match removed {
        Err(OfAws::NotFound(_) | OfAws::ServiceDeleted(_)) => Ok(()),
        removed => removed,
    }
}
