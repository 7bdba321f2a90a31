//! The findings about services, and what each needs: its roles, its cluster, its controller, its images.

use super::{Facts, Finding, Level, StoredImage, Subject, finding, owners, some};
use ecr_deploy::domain::service::Controller;
use find_task_definitions::stage::Owner;
use std::collections::BTreeMap;

/// The roles of what is deployed, that may not be passed.
pub(super) fn roles(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(allowed) = facts.pass_roles else {
        if !facts.is_installed {
            let says = "the roles of the services are not compared: no passRoles are known".to_owned();
            let fix =
                "ecr-deploy doctor --pass-role 'arn:aws:iam::123456789012:role/app-*', once for each of passRoles";
            return vec![finding(Level::Note, "roles", says, fix, Vec::new())];
        }
        let says =
            "the installation does not tell its passRoles, so the roles of the services are not compared".to_owned();
        return vec![finding(
            Level::Note,
            "roles",
            says,
            "deploy the stack again; or, where there are many, name them by --pass-role",
            Vec::new(),
        )];
    };
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for service in facts.services {
        let is_deployed = || owners(facts, service).any(|(_, owner)| matches!(owner, Owner::Stage(_)));
        if facts.is_installed && !is_deployed() {
            continue;
        }
        for role in service
            .roles
            .iter()
            .filter(|role| !allowed.iter().any(|pattern| matches_arn(pattern, role)))
        {
            let services = refused.entry(role).or_default();
            if !services.contains(&service.name()) {
                services.push(service.name());
            }
        }
    }
    let each = refused.into_iter().map(|(role, services)| {
        let says = format!(
            "{role} is not in passRoles, so these cannot be deployed: {}",
            some(&services)
        );
        let fix = "add it to passRoles, and deploy the stack; or give the task definition another role";
        finding(Level::Error, "roles", says, fix, services)
    });
    each.collect()
}

/// True if a pattern of IAM, with `*` and `?`, matches an ARN.
pub(crate) fn matches_arn(pattern: &str, arn: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => arn.is_empty(),
        Some('*') => {
            let rest = letters.as_str();
            let ends = arn.char_indices().map(|(at, _)| at).chain([arn.len()]);
            rest.is_empty() || ends.into_iter().any(|at| matches_arn(rest, &arn[at..]))
        }
        Some(letter) => {
            let mut others = arn.chars();
            others.next().is_some_and(|other| letter == '?' || letter == other)
                && matches_arn(letters.as_str(), others.as_str())
        }
    }
}

pub(super) fn clusters(facts: &Facts<'_>) -> Vec<Finding> {
    let missing = facts.missing_clusters.iter().map(|cluster| {
        let says = format!("the setting clusters names {cluster}, and there is no such cluster");
        finding(
            Level::Warning,
            "clusters",
            says,
            "correct the setting, or make the cluster",
            Vec::new(),
        )
    });
    let is_empty = |cluster: &&String| {
        !facts.missing_clusters.contains(cluster)
            && !facts
                .services
                .iter()
                .any(|it| it.cluster == **cluster && !it.images.is_empty())
    };
    let empty = facts.clusters.iter().filter(is_empty).map(|cluster| {
        let says = format!("no service of the cluster {cluster} runs an image of this account's ECR");
        finding(
            Level::Warning,
            "clusters",
            says,
            "if one should, correct its image",
            Vec::new(),
        )
    });
    missing.chain(empty).collect()
}

pub(super) fn controllers(facts: &Facts<'_>) -> Vec<Finding> {
    let named = |is_so: &dyn Fn(&&Subject) -> bool| -> Vec<String> {
        let runs_ours = facts.services.iter().filter(|it| !it.images.is_empty());
        runs_ours.filter(is_so).map(Subject::name).collect()
    };
    let others = named(&|it| it.controller != Controller::Ecs);
    let hooked = named(&|it| it.controller == Controller::Ecs && it.has_hooks);
    let mut found = Vec::new();
    if !others.is_empty() {
        let says = format!(
            "pushes skip services that ECS does not deploy itself: {}",
            some(&others)
        );
        let fix = "deploy them as before, or make them services of the controller ECS, which has blue/green too";
        found.push(finding(Level::Warning, "controllers", says, fix, others));
    }
    if !hooked.is_empty() {
        let says = format!(
            "rollouts may wait at lifecycle hooks, and no deadline ends that: {}",
            some(&hooked)
        );
        let fix = "ecr-deploy status says where one waits; ecr-deploy continue and cancel answer it";
        found.push(finding(Level::Note, "hooks", says, fix, hooked));
    }
    found
}

/// The images that run: a push that fails goes back to them, and a task that starts anew pulls them.
pub(super) fn images(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in facts.services {
        for image in &service.images {
            // A repository that was not read says nothing.
            let Some(repository) = facts.repositories.get(&image.repository) else {
                continue;
            };
            let is_it = |it: &&StoredImage| match (&image.digest, &image.tag) {
                (Some(digest), _) => it.digest == *digest,
                (None, Some(tag)) => it.tags.contains(tag),
                (None, None) => it.tags.iter().any(|tag| tag == "latest"),
            };
            let by = image.digest.as_ref().map(|digest| format!("@{digest}"));
            let by = by
                .or(image.tag.as_ref().map(|tag| format!(":{tag}")))
                .unwrap_or_default();
            let (name, repository_name, runs) = (service.name(), &image.repository, &service.revision);
            let (why, fix) = match repository.images.iter().find(is_it) {
                Some(stored) if stored.is_restoring => (
                    "being restored from the archive",
                    "wait for up to 20 minutes".to_owned(),
                ),
                Some(stored) if !stored.is_archived => continue,
                Some(stored) => (
                    "archived",
                    format!(
                        "aws ecr update-image-storage-class --repository-name {repository_name} --image-id imageDigest={} \
                         --target-storage-class STANDARD",
                        stored.digest
                    ),
                ),
                None => (
                    "not in ECR any more",
                    "push a good image, and keep what runs in the lifecycle policy".to_owned(),
                ),
            };
            let says = format!(
                "{name} runs {runs} with {repository_name}{by}, which is {why}: no new task can start, and no push can go back to it"
            );
            found.push(finding(Level::Error, "images", says, fix, vec![name]));
        }
    }
    found
}
