//! The judgement: why a service misses an image, and whether that is sure enough to deploy it.
//!
//! | the service is on | the image was rolled out here | its pushes | judged |
//! |---|---|---|---|
//! | a rollout under way | | | not yet |
//! | | | one of the repository runs | not yet |
//! | a revision of ours | yes | | failed before: it was taken back |
//! | a revision of ours | no | one failed | failed before: somebody knows, and may redrive it |
//! | a revision of ours | not told: the records do not reach back, or one is of a revision that was not read | none failed | held or lost, unsure |
//! | a revision of ours | no | all ended well | held: it was skipped |
//! | a revision of ours | no | there is none | lost |
//! | a revision of ours | no | nobody can tell | lost, unsure |
//! | a revision of ours, none of its family for the repository | no | none failed | unrecorded, unsure |
//! | somebody else's, later than ours | with success | all ended well | reverted |
//! | somebody else's | with success | | reverted, unsure: it may be our rollback |
//! | somebody else's | without success | | failed before |
//! | somebody else's | no, but other images of ours | | reverted, unsure |
//! | somebody else's | nothing of ours | | unrecorded, unsure |
//!
//! Only what is sure is ever deployed. An image of a repository of which no push is recorded may be one that ECR itself
//! brought in, by a pull-through cache or by replication, or one that was there before ecr-deploy: ECR does not tell.

use crate::candidates::Candidate;
use crate::pushes::Pushes;
use ecr_deploy::aws::ecs::RECORDS;
use ecr_deploy::contract::WhyMissed;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::service::{ServiceDeployment, ServiceDeploymentStatus};
use jiff::Timestamp;

/// The judgement of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Something is under way: the next sweep asks again.
    NotYet,
    /// The image was deployed here before, or its push failed: it is left to a person.
    FailedBefore,
    /// It is missed.
    Missed(WhyMissed),
    /// It is missed, and not all is known that a deployment would have to rest on.
    Unsure(WhyMissed),
}

/// The facts about a candidate beside what it runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The revisions of the service's family that were registered by ecr-deploy for this repository.
    pub ours: &'a [TaskDefinitionArn],
    /// Those of them that were registered for this very image.
    pub of_image: &'a [TaskDefinitionArn],
    /// ECS's records of the service's rollouts, newest first; `None` where ECS tells none.
    pub history: Option<&'a [ServiceDeployment]>,
    /// True if those records omit a rollout since the image came, or may, as [`omits`] says.
    pub has_gap: bool,
    /// The pushes since the image came; `None` where nobody can tell them all.
    pub pushes: Option<Pushes>,
}

impl Facts<'_> {
    /// The newest record of a rollout of the image on the service.
    fn record(&self) -> Option<&ServiceDeployment> {
        self.history?
            .iter()
            .find(|record| self.of_image.contains(&record.target))
    }

    /// True if the image was rolled out on the service, or may have been.
    fn was_deployed(&self) -> bool {
        match self.history {
            Some(_) => self.record().is_some(),
            None => !self.of_image.is_empty(),
        }
    }
}

/// True if a rollout of an image that came at `at` may have been on the service although no record tells it: there are as many
/// records as are read, all of them newer; or one since then is of a revision that is not known, and may have been of the image.
#[must_use]
pub fn omits(history: &[ServiceDeployment], at: Timestamp, is_known: impl Fn(&TaskDefinitionArn) -> bool) -> bool {
    let mut since = history.iter().filter(|record| record.created_at >= at);
    (history.len() >= RECORDS && since.clone().count() == history.len())
        || since.any(|record| !is_known(&record.target))
}

/// Judges a candidate.
#[must_use]
pub fn judge(candidate: &Candidate<'_>, facts: &Facts<'_>) -> Judged {
    if !candidate.service.is_steady() || facts.pushes == Some(Pushes::Running) {
        return Judged::NotYet;
    }
    let running = candidate.running;
    let is_recorded = running.recorded_push(&candidate.image.repository).is_some();
    if !is_recorded && !running.is_ours() {
        return of_others(running.arn(), facts);
    }
    match of_ours(facts) {
        Judged::Missed(_) | Judged::Unsure(_) if !is_recorded && facts.ours.is_empty() => {
            Judged::Unsure(WhyMissed::Unrecorded)
        }
        judged => judged,
    }
}

/// The judgement where the service is on a revision of ours.
fn of_ours(facts: &Facts<'_>) -> Judged {
    match facts.pushes {
        _ if facts.was_deployed() => Judged::FailedBefore,
        Some(Pushes::Failed) => Judged::FailedBefore,
        Some(Pushes::EndedWell) if facts.has_gap => Judged::Unsure(WhyMissed::Held),
        Some(Pushes::None) if facts.has_gap => Judged::Unsure(WhyMissed::Lost),
        Some(Pushes::EndedWell) => Judged::Missed(WhyMissed::Held),
        Some(Pushes::None) => Judged::Missed(WhyMissed::Lost),
        Some(Pushes::Running) => Judged::NotYet,
        None => Judged::Unsure(WhyMissed::Lost),
    }
}

/// The judgement where the service is on `running`, a revision of somebody else's.
fn of_others(running: &TaskDefinitionArn, facts: &Facts<'_>) -> Judged {
    if let Some(record) = facts.record() {
        return match record.status {
            ServiceDeploymentStatus::Successful => {
                // Our own rollback leads to a revision that was there before.
                let is_later = running.is_later_than(&record.target);
                if is_later && facts.pushes == Some(Pushes::EndedWell) {
                    Judged::Missed(WhyMissed::Reverted)
                } else {
                    Judged::Unsure(WhyMissed::Reverted)
                }
            }
            ServiceDeploymentStatus::UnderWay | ServiceDeploymentStatus::RollingBack => Judged::NotYet,
            _ => Judged::FailedBefore,
        };
    }
    if facts.ours.is_empty() {
        Judged::Unsure(WhyMissed::Unrecorded)
    } else {
        Judged::Unsure(WhyMissed::Reverted)
    }
}

#[cfg(test)]
mod tests;
