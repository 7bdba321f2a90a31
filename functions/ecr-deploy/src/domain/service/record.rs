//! ECS's own records of the rollouts of a service.

use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::ImageDigest;
use jiff::Timestamp;

/// One service deployment, by `ListServiceDeployments`: ECS's own record of a rollout.
///
/// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeploymentBrief.html>.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// How it stands.
    pub status: ServiceDeploymentStatus,
    /// Why it is so.
    pub status_reason: Option<String>,
    /// The revision it moves the service to.
    pub target: TaskDefinitionArn,
    /// The digests that the revision's images resolved to, by container.
    pub target_digests: Vec<ContainerDigest>,
    /// The images of the revision of which no digest is told: each of their tasks pulls what the tag stands for by then.
    pub unresolved: Vec<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// The last good revision by ECS's records: the first one of [`good`]. Not the previous number, and not one that never became
/// stable.
#[must_use]
pub fn last_good<'a>(newest_first: &'a [ServiceDeployment], ours: &TaskDefinitionArn) -> Option<&'a TaskDefinitionArn> {
    good(newest_first, ours).next()
}

/// The good revisions by ECS's records, newest first: the targets of rollouts that were successful, other than those of `ours`.
pub fn good<'a>(
    newest_first: &'a [ServiceDeployment],
    ours: &TaskDefinitionArn,
) -> impl Iterator<Item = &'a TaskDefinitionArn> {
    newest_first
        .iter()
        .filter(|record| record.status == ServiceDeploymentStatus::Successful)
        .map(|record| &record.target)
        .filter(move |target| *target != ours)
}

/// The digest to which a container's image resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerDigest {
    /// The container.
    pub container: String,
    /// The image's reference, as ECS writes it.
    pub image: String,
    /// The contents.
    pub digest: ImageDigest,
}

/// How a service deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceDeploymentStatus {
    /// PENDING, `IN_PROGRESS`, or a status that is not known: not finished.
    UnderWay,
    /// SUCCESSFUL, the only success.
    Successful,
    /// `STOP_REQUESTED` or STOPPED: another deployment replaced it, or somebody stopped it.
    Stopped,
    /// `ROLLBACK_REQUESTED` or `ROLLBACK_IN_PROGRESS`: ECS is going back.
    RollingBack,
    /// `ROLLBACK_SUCCESSFUL`: ECS went back.
    RolledBack,
    /// `ROLLBACK_FAILED`: ECS could not go back.
    RollbackFailed,
}
