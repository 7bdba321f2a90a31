//! The failures of a push: their message as an error, and the part that a redrive does again.

use super::tags::with_settings;
use super::wave::{size, stages};
use super::{NAMED, counted, is_deleted};
use ecr_deploy::contract::{
    ImageEnd, PlannedResult, PlannedRevision, PlannedService, RevisionResult, ServiceResult, SkipReason, Skipped,
};
use ecr_deploy::domain::arn::{ClusterName, ServiceName};
use ecr_deploy::domain::service::title;
use ecr_deploy::quota::schedule::{Share, schedule};

/// The end of an error that had to be cut short.
const CUT: &str = "...";

/// One service or family that failed, and why.
pub(crate) struct Failure<'a> {
    /// "web in production" or "family nightly".
    resource: String,
    is_family: bool,
    why: &'a str,
    /// The service as it is deployed again; `None` for a family, and where a redrive does not help.
    again: Option<PlannedService>,
}

/// All that failed. A mistyped stage is its own service's trouble: the waves that are to come do not wait for it.
pub(super) fn failures(end: &ImageEnd, is_last: bool) -> Vec<Failure<'_>> {
    let mut failures: Vec<Failure<'_>> = end.results.iter().flat_map(of_result).collect();
    if is_last || !failures.is_empty() {
        failures.extend(of_unknown_stages(&end.skipped));
    }
    failures
}

/// A part of a planned revision that failed.
pub(crate) fn of_result(result: &RevisionResult) -> Vec<Failure<'_>> {
    match result {
        RevisionResult::Registered { .. } => Vec::new(),
        RevisionResult::Services { services, .. } => services
            .iter()
            .filter_map(|result| match result {
                PlannedResult::Ended(_) => None,
                PlannedResult::Failed {
                    cluster,
                    service,
                    failed,
                } => Some(of_service(cluster, service, failed)),
            })
            .collect(),
        RevisionResult::Failed {
            task_definition,
            services,
            failed,
        } if services.is_empty() => vec![Failure {
            resource: format!("family {}", task_definition.family()),
            is_family: true,
            why: failed,
            again: None,
        }],
        RevisionResult::Failed { services, failed, .. } => services
            .iter()
            .map(|planned| of_service(&planned.cluster, &planned.service, failed))
            .collect(),
    }
}

fn of_service<'a>(cluster: &ClusterName, service: &ServiceName, why: &'a str) -> Failure<'a> {
    Failure {
        resource: title(cluster, service),
        is_family: false,
        why,
        again: Some(PlannedService {
            cluster: cluster.clone(),
            service: service.clone(),
            stage: None,
            after: 0,
        }),
    }
}

/// The services whose own tag names a stage that there is not: nobody knows what may move them.
fn of_unknown_stages(skipped: &[Skipped]) -> impl Iterator<Item = Failure<'_>> {
    let unknown = skipped
        .iter()
        .filter(|skipped| skipped.reason == SkipReason::UnknownStage);
    unknown.map(|skipped| Failure {
        resource: skipped.resource.clone(),
        is_family: false,
        why: &skipped.message,
        again: None,
    })
}

/// How many of how many failed: "1 of 3 services and 1 of 2 families".
pub(super) fn share(failed: &[Failure<'_>], done: &[ServiceResult], families_done: usize) -> String {
    let families = failed.iter().filter(|failure| failure.is_family).count();
    let services = failed.len() - families;
    let all = services + done.iter().filter(|service| !is_deleted(service)).count();
    let of_services = (services > 0).then(|| format!("{services} of {}", counted(all, "service", "services")));
    let all = families + families_done;
    let of_families = (families > 0).then(|| format!("{families} of {}", counted(all, "family", "families")));
    let parts: Vec<String> = of_services.into_iter().chain(of_families).collect();
    parts.join(" and ")
}

/// The plan, narrowed to what failed, with a schedule of its own.
pub(super) fn retry(end: &ImageEnd) -> Vec<PlannedRevision> {
    let narrowed = with_settings(end).filter_map(|(settings, result)| {
        let (RevisionResult::Services { task_definition, .. } | RevisionResult::Failed { task_definition, .. }) =
            result
        else {
            return None;
        };
        let failures = of_result(result);
        (!failures.is_empty()).then(|| PlannedRevision {
            task_definition: task_definition.clone(),
            after: 0,
            settings,
            services: failures.into_iter().filter_map(|failure| failure.again).collect(),
        })
    });
    let mut retry: Vec<PlannedRevision> = narrowed.collect();
    schedule(&mut retry, Share::WHOLE);
    retry
}

pub(super) fn message(end: &ImageEnd, failed: &[Failure<'_>], share: &str, can_be_retried: bool) -> String {
    let image = end.image.as_ref().map(ToString::to_string).unwrap_or_default();
    let named = failed.iter().take(NAMED);
    let named = named.map(|failure| format!("- {}", told(&failure.resource, failure.why)));
    let mut message = format!("{image}: {share} failed.\n{}", named.collect::<Vec<_>>().join("\n"));
    if failed.len() > NAMED {
        let more = (failed.len() - NAMED).to_string();
        message.extend(["\n- and ", &more, " more: see the executions of deploy-service"]);
    }
    for wave in &end.later {
        message.extend(["\n- not reached: ", &size(wave), " of ", &stages(wave)]);
    }
    if can_be_retried {
        message.push_str("\nRedrive this execution to deploy the same image again to what failed, and only to that");
        message.push_str(if end.later.is_empty() {
            "."
        } else {
            "; once that is stable, it goes on with what was not reached."
        });
    }
    if let Some(by) = end.image.as_ref().and_then(|image| image.by.as_ref()) {
        message.extend(["\nPushed by ", by.as_str(), "."]);
    }
    message
}

/// Returns the message of a failure, led by its subject. The error's name stands there only where there is nothing
/// else, or where the text had to be cut short and the name may be all that is left of the reason.
fn told(resource: &str, failure: &str) -> String {
    let Some((name, says)) = failure.split_once(": ") else {
        return format!("{resource}: {failure}");
    };
    let Some(begun) = says.strip_suffix(CUT) else {
        return match says {
            "" => format!("{resource}: {name}"),
            _ if says.starts_with(resource) => says.to_owned(),
            _ => format!("{resource}: {says}"),
        };
    };
    match begun.strip_prefix(resource).unwrap_or(begun).trim() {
        "" => format!("{resource}: {name}"),
        rest if resource.starts_with(rest) => format!("{resource}: {name}"),
        rest => format!("{resource}: {name}: {rest}{CUT}"),
    }
}
