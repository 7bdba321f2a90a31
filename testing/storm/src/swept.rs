//! After the storm: some pushes whose events nobody gets, and two operators who sweep at the same moment, and once more later.
//! Nothing is deployed then that was on the service before, nothing against a hold, and nothing twice.

use crate::aftermath::{Account, Deployment, Service, repository_of};
use crate::stages::{Tags, is_held};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How long an image must be there for a sweep to count it as missed: the `rolloutTimeout` of a storm, and a little more.
pub(crate) const SETTLED_SECONDS: u64 = 95;

/// The deeds of the sweeps after a storm.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// The services and the pushes they missed, by the first sweep.
    pub(crate) missed: usize,
    /// The images that any of the sweeps started a push for, one entry for each time: but for one that found the same at the
    /// same moment.
    pub(crate) started: Vec<String>,
    /// The services as they were before, and as they are afterwards.
    pub(crate) before: Account,
    pub(crate) after: Account,
}

/// The tags of a service.
fn tags(service: &Service) -> Tags {
    let tags = service.tags.as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tags.map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect()
}

/// The digests of a rollout, each with its repository.
fn digests(rollout: &Deployment) -> BTreeSet<(&str, &str)> {
    let images = rollout.images.iter();
    images
        .filter_map(|image| Some((repository_of(&image.image)?, image.digest.as_deref()?)))
        .collect()
}

/// Tells each deed of the sweeps that must not be.
pub(crate) fn judge(swept: &Swept) -> Vec<String> {
    let mut violations: Vec<String> = Vec::new();
    let before: BTreeMap<_, _> = swept.before.services.iter().map(|it| (it.id(), it)).collect();
    for service in swept.after.services.iter().filter(|it| it.is_active()) {
        let Some(earlier) = before.get(&service.id()) else {
            continue;
        };
        let on = earlier
            .history
            .iter()
            .rfind(|it| it.task_definition == earlier.task_definition);
        let running = on.map(digests).unwrap_or_default();
        let tried: BTreeSet<_> = earlier.history.iter().flat_map(digests).collect();
        for rollout in service.history.iter().skip(earlier.history.len()) {
            if is_held(&tags(earlier), rollout.created_at) {
                violations.push(format!("{}: a sweep moved it against its hold", service.id()));
            }
            let again = digests(rollout)
                .into_iter()
                .find(|it| tried.contains(it) && !running.contains(it));
            if let Some((repository, digest)) = again {
                violations.push(format!(
                    "{}: a sweep brought {repository}@{digest} back, which had been there before",
                    service.id()
                ));
            }
        }
    }
    let mut seen = BTreeSet::new();
    let twice = swept.started.iter().filter(|image| !seen.insert(*image));
    violations.extend(twice.map(|image| format!("the sweeps started {image} twice")));
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

    fn account(rollouts: &[(&str, &str)], hold: bool) -> Account {
        let arn = |short: &str| format!("arn:aws:ecs:us-east-1:123456789012:task-definition/{short}");
        let history: Vec<Value> = rollouts
            .iter()
            .enumerate()
            .map(|(place, (revision, digest))| {
                json!({
                    "serviceDeploymentArn": place.to_string(), "taskDefinition": arn(revision), "status": "SUCCESSFUL",
                    "statusReason": null, "createdAt": place, "finishedAt": place,
                    "images": [{"image": format!("{REGISTRY}/app:v1"), "digest": digest}],
                })
            })
            .collect();
        let tags = if hold {
            json!([{"key": "ecr-deploy:hold", "value": "ann - audit"}])
        } else {
            json!([])
        };
        let service = json!({
            "cluster": "production", "serviceName": "web", "status": "ACTIVE", "config": {}, "tags": tags, "askedCount": 1,
            "taskDefinition": arn(rollouts[rollouts.len() - 1].0), "rolloutState": "COMPLETED", "history": history,
        });
        Account {
            services: vec![serde_json::from_value(service).unwrap()],
            revisions: Vec::new(),
        }
    }

    #[test]
    fn it_is_told_where_a_sweep_brings_back_what_was_there_or_moves_what_is_on_hold_or_starts_an_image_twice() {
        let before = [("web:1", "sha256:a"), ("web:2", "sha256:b"), ("web:1", "sha256:a")];
        for (new, hold, started, expected) in [
            (vec![("web:3", "sha256:c")], false, vec!["app:c"], vec![]),
            // A lost image that is bad, and the rollback.
            (
                vec![("web:3", "sha256:c"), ("web:1", "sha256:a")],
                false,
                vec!["app:c"],
                vec![],
            ),
            (
                vec![("web:3", "sha256:b")],
                false,
                vec!["app:b"],
                vec!["which had been there before"],
            ),
            (
                vec![("web:3", "sha256:c")],
                true,
                vec!["app:c"],
                vec!["against its hold"],
            ),
            (vec![], false, vec!["app:c", "app:c"], vec!["started app:c twice"]),
        ] {
            let after: Vec<(&str, &str)> = before.iter().copied().chain(new).collect();
            let swept = Swept {
                missed: 1,
                started: started.into_iter().map(str::to_owned).collect(),
                before: account(&before, hold),
                after: account(&after, hold),
            };
            let violations = judge(&swept);
            assert_eq!(violations.len(), expected.len(), "{violations:?}");
            for (violation, says) in violations.iter().zip(expected) {
                assert!(violation.contains(says), "{violation}");
            }
        }
    }
}
