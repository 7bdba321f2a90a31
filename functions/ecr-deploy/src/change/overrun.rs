//! An overrun is a deployment that an update has taken the place of without having seen it: ECS has no update on a condition, so
//! what begins between a look and the update that stands on it is seen only afterwards.

use crate::domain::arn::TaskDefinitionArn;
use crate::domain::service::{Deployment, Service, ServiceDeployment};
use jiff::SignedDuration;

/// A deployment that the look did not show, and that the update has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrun {
    /// Its revision.
    pub revision: TaskDefinitionArn,
    /// Whether it came in between the look and the update. Else the look was old, as a read may be for some seconds after
    /// a write, and the deployment had begun before it.
    pub came_between: bool,
}

/// The newest deployment that is listed after the update, was not there before, and is not of `ours`.
///
/// `lasted` is how long look and update took together: what came in between them began no longer before ours.
#[must_use]
pub fn overrun(before: &Service, after: &Service, ours: &TaskDefinitionArn, lasted: SignedDuration) -> Option<Overrun> {
    let is_new = |deployment: &&Deployment| before.deployments.iter().all(|known| known.id != deployment.id);
    let others = after
        .deployments
        .iter()
        .filter(|deployment| deployment.task_definition != *ours);
    let overrun = others.filter(is_new).max_by_key(|deployment| deployment.created_at)?;
    let began = after.deployment_of(ours).map(|ours| ours.created_at);
    Some(Overrun {
        revision: overrun.task_definition.clone(),
        came_between: began.is_none_or(|began| began.duration_since(overrun.created_at) <= lasted),
    })
}

/// The same by ECS's records of the service's rollouts, newest first, where a later look tells of the update: a deployment
/// without tasks is not listed any more as soon as another one takes its place.
#[must_use]
pub fn overrun_by_records(
    before: &Service,
    newest_first: &[ServiceDeployment],
    ours: &TaskDefinitionArn,
    lasted: SignedDuration,
) -> Option<Overrun> {
    let place = newest_first.iter().position(|record| record.target == *ours)?;
    let (began, earlier) = (newest_first[place].created_at, &newest_first[place..]);
    let overrun = earlier.iter().find(|record| record.target != *ours)?;
    let was_there =
        |known: &Deployment| known.task_definition == overrun.target || known.created_at >= overrun.created_at;
    (!before.deployments.iter().any(was_there)).then(|| Overrun {
        revision: overrun.target.clone(),
        came_between: began.duration_since(overrun.created_at) <= lasted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::service::ServiceDeploymentStatus::{Stopped, Successful};
    use crate::testing::{arn, at, deployment, given_up, record, rolling, service};

    #[test]
    fn a_deployment_that_came_in_between_the_look_and_the_update_is_overrun() {
        let before = service([deployment("web:1")]);
        let overrun = |deployments: Vec<Deployment>| {
            let lasted = SignedDuration::from_secs(1);
            overrun(&before, &service(deployments), &arn("web:2"), lasted)
                .map(|overrun| overrun.revision.short().to_owned())
        };
        assert_eq!(overrun(vec![rolling("web:2"), deployment("web:1")]), None);
        assert_eq!(
            overrun(vec![rolling("web:2"), rolling("web:3"), deployment("web:1")]).as_deref(),
            Some("web:3")
        );
        assert_eq!(
            overrun(vec![
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
        assert_eq!(overrun(two).as_deref(), Some("web:4"));
    }

    #[test]
    fn what_was_overrun_and_is_not_listed_any_more_is_told_by_the_records() {
        let begun = |short: &str, seconds: i64| ServiceDeployment {
            created_at: at(seconds),
            ..record(short, Stopped)
        };
        let overrun = |records: &[ServiceDeployment]| {
            let before = service([deployment("web:1")]);
            overrun_by_records(&before, records, &arn("web:2"), SignedDuration::from_secs(1))
                .map(|overrun| (overrun.revision.short().to_owned(), overrun.came_between))
        };
        let (ours, known) = (begun("web:2", 60), record("web:1", Successful));
        let told = |revision: &str, came_between| Some((revision.to_owned(), came_between));
        assert_eq!(
            overrun(&[ours.clone(), begun("web:3", 59), known.clone()]),
            told("web:3", true)
        );
        assert_eq!(
            overrun(&[ours.clone(), begun("web:3", 58), known.clone()]),
            told("web:3", false),
            "the look was old"
        );
        assert_eq!(
            overrun(&[ours.clone(), begun("web:2", 59), begun("web:3", 59), known.clone()]),
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
            assert_eq!(overrun(&nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_began_before_the_look_did_not_come_in_between_the_look_was_old() {
        let overran = |began: i64, lasted: i64| {
            let other = Deployment {
                created_at: at(2 - began),
                ..rolling("web:3")
            };
            let after = service([rolling("web:2"), other, deployment("web:1")]);
            overrun(
                &service([deployment("web:1")]),
                &after,
                &arn("web:2"),
                SignedDuration::from_secs(lasted),
            )
            .unwrap()
        };
        assert!(overran(0, 0).came_between);
        assert!(overran(4, 4).came_between);
        assert!(!overran(5, 4).came_between);
        assert_eq!(overran(5, 4).revision, arn("web:3"));
        let not_listed = service([rolling("web:3"), deployment("web:1")]);
        let untold = overrun(
            &service([deployment("web:1")]),
            &not_listed,
            &arn("web:2"),
            SignedDuration::ZERO,
        );
        assert!(untold.unwrap().came_between);
    }
}
