//! A lost update: our `UpdateService` replaced a deployment that began after we read the service. ECS has no conditional
//! update, so it shows only afterwards.

use crate::domain::arn::TaskDefinitionArn;
use crate::domain::service::{Deployment, Service, ServiceDeployment};
use jiff::SignedDuration;

/// A deployment that the read did not show, and that the update has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostUpdate {
    /// Its revision.
    pub revision: TaskDefinitionArn,
    /// True if it began between the read and the update. Otherwise the read was old, as a read may be for some seconds after
    /// a write, and the deployment had begun before it.
    pub came_between: bool,
}

/// The newest deployment that is listed after the update, was not there before, and is not of `ours`.
///
/// `lasted` is how long read and update took together: a deployment that came in between them began no longer before ours.
#[must_use]
pub(super) fn lost_update(
    before: &Service,
    after: &Service,
    ours: &TaskDefinitionArn,
    lasted: SignedDuration,
) -> Option<LostUpdate> {
    let is_new = |deployment: &&Deployment| before.deployments.iter().all(|known| known.id != deployment.id);
    let others = after
        .deployments
        .iter()
        .filter(|deployment| deployment.task_definition != *ours);
    let lost_update = others.filter(is_new).max_by_key(|deployment| deployment.created_at)?;
    let began = after.deployment_of(ours).map(|ours| ours.created_at);
    Some(LostUpdate {
        revision: lost_update.task_definition.clone(),
        came_between: began.is_none_or(|began| began.duration_since(lost_update.created_at) <= lasted),
    })
}

/// The same by ECS's records of the service's rollouts, newest first, where a later read tells of the update: a deployment
/// without tasks is not listed any more as soon as another one replaces it.
#[must_use]
pub(super) fn lost_update_by_records(
    before: &Service,
    newest_first: &[ServiceDeployment],
    ours: &TaskDefinitionArn,
    lasted: SignedDuration,
) -> Option<LostUpdate> {
    let place = newest_first.iter().position(|record| record.target == *ours)?;
    let (began, earlier) = (newest_first[place].created_at, &newest_first[place..]);
    let lost_update = earlier.iter().find(|record| record.target != *ours)?;
    (!before.shows(lost_update)).then(|| LostUpdate {
        revision: lost_update.target.clone(),
        came_between: began.duration_since(lost_update.created_at) <= lasted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::service::ServiceDeploymentStatus::{Stopped, Successful};
    use crate::testing::{arn, at, deployment, given_up, record, rolling, service};

    #[test]
    fn a_deployment_that_came_in_between_the_read_and_the_update_is_replaced_unseen() {
        let before = service([deployment("web:1")]);
        let lost_update = |deployments: Vec<Deployment>| {
            let lasted = SignedDuration::from_secs(1);
            lost_update(&before, &service(deployments), &arn("web:2"), lasted)
                .map(|lost_update| lost_update.revision.short().to_owned())
        };
        assert_eq!(lost_update(vec![rolling("web:2"), deployment("web:1")]), None);
        assert_eq!(
            lost_update(vec![rolling("web:2"), rolling("web:3"), deployment("web:1")]).as_deref(),
            Some("web:3")
        );
        assert_eq!(
            lost_update(vec![
                rolling("web:2"),
                Deployment {
                    id: "ecs-svc/99".to_owned(),
                    ..given_up("web:2")
                },
                deployment("web:1")
            ]),
            None
        );
        let two = vec![
            rolling("web:2"),
            rolling("web:4"),
            rolling("web:3"),
            deployment("web:1"),
        ];
        assert_eq!(lost_update(two).as_deref(), Some("web:4"));
    }

    #[test]
    fn what_was_replaced_unseen_and_is_not_listed_any_more_is_told_by_the_records() {
        let begun = |short: &str, seconds: i64| ServiceDeployment {
            created_at: at(seconds),
            ..record(short, Stopped)
        };
        let lost_update = |records: &[ServiceDeployment]| {
            let before = service([deployment("web:1")]);
            lost_update_by_records(&before, records, &arn("web:2"), SignedDuration::from_secs(1))
                .map(|lost_update| (lost_update.revision.short().to_owned(), lost_update.came_between))
        };
        let (ours, known) = (begun("web:2", 60), record("web:1", Successful));
        let told = |revision: &str, came_between| Some((revision.to_owned(), came_between));
        assert_eq!(
            lost_update(&[ours.clone(), begun("web:3", 59), known.clone()]),
            told("web:3", true)
        );
        assert_eq!(
            lost_update(&[ours.clone(), begun("web:3", 58), known.clone()]),
            told("web:3", false),
            "the read was old"
        );
        assert_eq!(
            lost_update(&[ours.clone(), begun("web:2", 59), begun("web:3", 59), known.clone()]),
            told("web:3", true),
            "ours twice"
        );
        for nothing in [
            vec![ours.clone(), known.clone()],
            vec![ours.clone(), begun("web:1", 59)],
            vec![ours.clone(), begun("web:9", 0), known.clone()],
            vec![begun("web:3", 61), ours.clone(), known.clone()],
            vec![ours],
            vec![begun("web:3", 59), known],
        ] {
            assert_eq!(lost_update(&nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_began_before_the_read_did_not_come_in_between_the_read_was_old() {
        let replaced = |began: i64, lasted: i64| {
            let other = Deployment {
                created_at: at(2 - began),
                ..rolling("web:3")
            };
            let after = service([rolling("web:2"), other, deployment("web:1")]);
            lost_update(
                &service([deployment("web:1")]),
                &after,
                &arn("web:2"),
                SignedDuration::from_secs(lasted),
            )
            .unwrap()
        };
        assert!(replaced(0, 0).came_between);
        assert!(replaced(4, 4).came_between);
        assert!(!replaced(5, 4).came_between);
        assert_eq!(replaced(5, 4).revision, arn("web:3"));
        let not_listed = service([rolling("web:3"), deployment("web:1")]);
        let untold = lost_update(
            &service([deployment("web:1")]),
            &not_listed,
            &arn("web:2"),
            SignedDuration::ZERO,
        );
        assert!(untold.unwrap().came_between);
    }
}
