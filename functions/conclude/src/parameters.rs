//! The SSM parameters that tell the image of a service, so that infrastructure as code keeps it.
//!
//! **Order.** An execution writes them in the name of its push, whatever it came to: after a rollback, those of the revision
//! that the service is back on. The parameter `push` is read first, and an older push writes nothing over a newer one. It
//! is also written first, so that whoever reads it next knows.
//!
//! **The race.** SSM has no write on a condition. An older push that has read `push`, and then a newer one that writes
//! everything before the older one does, leaves the image of the older one. For that, the newer rollout would have to be
//! stable on the same service within the second or so between the two calls of the older one; and while a rollout is
//! watched, a newer one makes it `SUPERSEDED`, which writes nothing. There remains an execution that somebody stops just
//! there and redrives after a newer push. The next push corrects it.

use ecr_deploy::contract::{
    Check, Parameter, ParametersFound, ParametersToWrite, ServiceEnd, ServiceParameters, Verdict,
};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::push::PushId;

/// The value where neither the revision nor its records tell one. SSM takes no empty value, and the old one would be wrong.
const UNKNOWN: &str = "unknown";

/// The parameters of a service that is stable at the end; `None` where it is not, and where nobody wants them.
#[must_use]
pub fn of_end(end: &ServiceEnd) -> Option<ServiceParameters> {
    let (revision, check) = stable(end)?;
    let place = |container: &str| format!("/ecr-deploy/{}/{}/{container}/", end.cluster, end.service);
    let read: Vec<String> = check
        .containers
        .iter()
        .map(|it| format!("{}push", place(&it.container)))
        .collect();
    let values = check.containers.iter().flat_map(|it| {
        let text = |value: Option<String>| value.unwrap_or_else(|| UNKNOWN.to_owned());
        let values = [
            ("push", end.image.push.to_string()),
            ("image", it.image.clone()),
            ("digest", text(it.digest.as_ref().map(ToString::to_string))),
            ("tag", text(it.tag.as_ref().map(ToString::to_string))),
            ("revision", revision.to_string()),
        ];
        let place = place(&it.container);
        values.map(|(name, value)| Parameter {
            name: format!("{place}{name}"),
            value,
        })
    });
    let values = values.collect();
    (!read.is_empty()).then_some(ServiceParameters { read, values })
}

/// The revision that the service is stable on at the end, and the read that found it so.
fn stable(end: &ServiceEnd) -> Option<(&TaskDefinitionArn, &Check)> {
    let is_stable = |check: &&Check| check.verdict == Verdict::Stable;
    if let Some(roll_back) = &end.roll_back {
        let check = end.roll_back_check.as_ref().filter(is_stable)?;
        let watched = roll_back.method.watched().filter(|_| end.roll_back_error.is_none())?;
        return Some((&watched.rollout.task_definition, check));
    }
    let check = end.check.as_ref().filter(is_stable).filter(|_| end.error.is_none())?;
    let watched = end.update.as_ref()?.outcome.watched()?;
    Some((&watched.rollout.task_definition, check))
}

/// Returns the parameters that a push may write: those of containers about which no newer push has written. A value that is no
/// push is written over.
#[must_use]
pub fn to_write(asked: &ParametersFound) -> ParametersToWrite {
    let is_newer = |found: &&Parameter| {
        let push = PushId::try_from(found.value.clone());
        push.is_ok_and(|push| push > asked.image.push)
    };
    let newer: Vec<&str> = asked
        .found
        .iter()
        .filter(is_newer)
        .filter_map(|found| found.name.strip_suffix("push"))
        .collect();
    let may = |parameter: &&Parameter| {
        let place = parameter.name.rsplit_once('/').map_or("", |(place, _)| place);
        !newer.iter().any(|newer| newer.strip_suffix('/') == Some(place))
    };
    ParametersToWrite {
        write: asked.parameters.values.iter().filter(may).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::contract::Conclude;
    use ecr_deploy::domain::task_definition::ContainerImage;
    use ecr_deploy::testing::{REGISTRY, digest, pushed};
    use serde_json::Value;

    fn example(name: &str) -> ServiceEnd {
        let path = format!("{}/../../statemachine/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let example: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let Conclude::Service(end) = serde_json::from_value(example).unwrap() else {
            panic!("{name} is of no service")
        };
        end
    }

    /// A container on `app:v1`; its digest and its tag are known or not.
    fn container(name: &str, is_known: bool) -> ContainerImage {
        ContainerImage {
            container: name.to_owned(),
            image: format!("{REGISTRY}/app:v1"),
            digest: is_known.then(|| digest(1)),
            tag: is_known.then(|| "v1".parse().unwrap()),
        }
    }

    fn with(mut end: ServiceEnd, containers: &[ContainerImage]) -> ServiceEnd {
        for check in [&mut end.check, &mut end.roll_back_check].into_iter().flatten() {
            if check.verdict == Verdict::Stable {
                check.containers = containers.to_vec();
            }
        }
        end
    }

    /// The last part of each name, and the value.
    fn values(parameters: &ServiceParameters) -> Vec<(&str, &str)> {
        parameters
            .values
            .iter()
            .map(|it| (it.name.rsplit('/').next().unwrap(), it.value.as_str()))
            .collect()
    }

    #[test]
    fn a_service_that_is_stable_has_five_parameters_for_each_container_the_push_first() {
        let end = with(
            example("conclude-service"),
            &[container("app", true), container("migrate", true)],
        );
        let parameters = of_end(&end).unwrap();
        let place = "/ecr-deploy/production/web/";
        assert_eq!(
            parameters.read,
            [format!("{place}app/push"), format!("{place}migrate/push")]
        );
        assert_eq!(parameters.values.len(), 10);
        assert!(parameters.values[5].name.starts_with(&format!("{place}migrate/")));
        let image = format!("{REGISTRY}/app:v1");
        let push = end.image.push.to_string();
        assert_eq!(
            values(&parameters)[..5],
            [
                ("push", push.as_str()),
                ("image", image.as_str()),
                ("digest", digest(1).as_str()),
                ("tag", "v1"),
                ("revision", "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:42"),
            ]
        );
    }

    #[test]
    fn a_service_that_went_back_has_those_of_the_revision_that_it_is_back_on() {
        let end = with(example("conclude-service.rolled-back"), &[container("app", false)]);
        let parameters = of_end(&end).unwrap();
        let values = values(&parameters);
        assert_eq!(
            values[0].1,
            end.image.push.to_string(),
            "in the name of the push that failed"
        );
        assert_eq!((values[2], values[3]), (("digest", UNKNOWN), ("tag", UNKNOWN)));
        assert!(values[4].1.ends_with("task-definition/web:41"), "{values:?}");
    }

    #[test]
    fn a_service_that_is_not_stable_and_one_of_which_nobody_wants_them_has_none() {
        for name in [
            "conclude-service.rollback-failed",
            "conclude-service.not-rolled-back",
            "conclude-service.not-updated",
            "conclude-service.not-registered",
            "conclude-service.unread",
        ] {
            let end = with(example(name), &[container("app", true)]);
            let expected = end
                .roll_back_check
                .as_ref()
                .is_some_and(|it| it.verdict == Verdict::Stable);
            assert_eq!(of_end(&end).is_some(), expected, "{name}");
        }
        assert_eq!(of_end(&example("conclude-service")), None);
    }

    #[test]
    fn a_newer_push_is_not_written_over_by_an_older_one() {
        let parameter = |container: &str, name: &str, value: &str| Parameter {
            name: format!("/ecr-deploy/production/web/{container}/{name}"),
            value: value.to_owned(),
        };
        let parameters = ServiceParameters {
            read: ["app", "app-2"].map(|it| parameter(it, "push", "").name).to_vec(),
            values: ["app", "app-2"]
                .iter()
                .flat_map(|it| [parameter(it, "push", "2"), parameter(it, "image", "app:v2")])
                .collect(),
        };
        let [older, same, newer] = [1, 2, 3].map(|number| pushed(number).push.to_string());
        let both = ["app", "app-2"];
        for (found, written) in [
            (vec![], &both[..]),
            (vec![("app", older.as_str()), ("app-2", &older)], &both),
            // A redrive writes the rest.
            (vec![("app", &same)], &both),
            (vec![("app", &newer)], &["app-2"]),
            (vec![("app-2", &newer)], &["app"]),
            (vec![("app", &newer), ("app-2", &newer)], &[]),
            (vec![("app", "nonsense")], &both),
        ] {
            let asked = ParametersFound {
                image: pushed(2),
                parameters: parameters.clone(),
                found: found.iter().map(|(it, value)| parameter(it, "push", value)).collect(),
            };
            let write = to_write(&asked).write;
            let expected: Vec<Parameter> = written
                .iter()
                .flat_map(|it| [parameter(it, "push", "2"), parameter(it, "image", "app:v2")])
                .collect();
            assert_eq!(write, expected, "{found:?}");
        }
    }
}
