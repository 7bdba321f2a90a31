//! A push ends as its image and the settings of its service have it, by the judge's own numbers.

use super::Violation;
use crate::aftermath::{Aftermath, Deployment, Execution, Pushed, Revision, Service, repository_of};
use serde_json::Value;
use simulated_ecs::Behaviour;

const GREEN: &str = "no push whose tasks cannot run is called deployed";
const ONCE: &str = "as many tasks may crash as the service's own threshold tolerates";
const ALL: &str = "after an early success every task has to run";
const FIVE: &str = "a push waits while five deployments are there";
const WHY: &str = "where no task can be launched, ECS's reason is told";

/// The setting `rolloutTimeout` of a storm, in milliseconds.
const ROLLOUT_TIMEOUT: i64 = 90_000;

/// The push of an execution and the service that it is for, where nothing but the image and the service decides on its end:
///
/// - somebody else did nothing to the service while the push was on its way there;
/// - its tag has always been that of one image, or revisions name digests;
/// - the service is to run at least one task.
fn alone<'a>(aftermath: &'a Aftermath, execution: &Execution) -> Option<(&'a Pushed, &'a Service)> {
    let id = execution.service.as_ref()?;
    let service = aftermath.before.service(id)?;
    let push = aftermath.pushed(execution)?;
    let of_push = aftermath.executions_of(id).filter(|it| it.push == execution.push);
    let since = of_push.map(|it| it.started).min().unwrap_or(execution.started);
    let until = execution.ended.unwrap_or(i64::MAX);
    // Also that which was scaled before.
    let is_scaled = aftermath
        .deeds_on(id)
        .any(|deed| deed.request.get("desiredCount").is_some());
    let is_disturbed = aftermath.deeds_on(id).any(|deed| (since..=until).contains(&deed.at));
    let is_other =
        |other: &&Pushed| other.repository == push.repository && other.tag == push.tag && other.digest != push.digest;
    let is_one_image = aftermath.by_digest || !aftermath.pushes.iter().any(|other| is_other(&other));
    let is_daemon = service.config.get("schedulingStrategy").and_then(Value::as_str) == Some("DAEMON");
    let has_tasks = service.asked_count > 0 || is_daemon;
    (!is_scaled && !is_disturbed && is_one_image && has_tasks).then_some((push, service))
}

fn violations(
    aftermath: &Aftermath,
    invariant: &'static str,
    what: impl Fn(&Execution) -> Option<String>,
) -> Vec<Violation> {
    let executions = aftermath.executions.iter();
    let wrong = executions.filter_map(|it| Some(Violation::of_execution(invariant, it, what(it)?)));
    wrong.collect()
}

/// Where deploy-service says DEPLOYED, the image is none whose tasks cannot run: which cannot be placed, launched or pulled, or exit
/// before they run; nor, by ECS's own word, one whose tasks crash or are unhealthy before a rollout completes.
pub(super) fn what_cannot_run_is_not_deployed(aftermath: &Aftermath) -> Vec<Violation> {
    violations(aftermath, GREEN, |execution| {
        let (push, service) = alone(aftermath, execution).filter(|_| execution.outcome() == Some("DEPLOYED"))?;
        let is_told = !service.is_behind_classic_load_balancer() && criteria(service).is_none();
        let cannot_run = match push.behaviour? {
            Behaviour::Noplace | Behaviour::Nolaunch | Behaviour::Nopull | Behaviour::ExitEarly => true,
            Behaviour::Crash | Behaviour::Oom | Behaviour::Unhealthy => is_told,
            _ => false,
        };
        cannot_run.then(|| format!("its tasks cannot run ({:?})", push.behaviour))
    })
}

/// An image of which the first task of each deployment crashes, and no other one, is deployed where the service tolerates one, and
/// not where it tolerates none.
pub(super) fn thresholds_are_the_services_own(aftermath: &Aftermath) -> Vec<Violation> {
    violations(aftermath, ONCE, |execution| {
        let (push, service) = alone(aftermath, execution)?;
        let tolerated = threshold(service)?;
        if push.behaviour != Some(Behaviour::Once) {
            return None;
        }
        let ends = match execution.outcome().or(execution.error.as_deref())? {
            "DEPLOYED" if tolerated == 1 => "called deployed",
            "Deploy.RolledBack"
                if tolerated > 1 && is_only_bad(aftermath, execution, push) && !lost_an_image(aftermath, execution) =>
            {
                "taken back"
            }
            _ => return None,
        };
        Some(format!(
            "one task crashed, of which {tolerated} make a crash loop, and it was {ends}"
        ))
    })
}

/// Where deploy-service says DEPLOYED for a service that ECS calls successful early, it says that every task runs; unless its time was
/// over, or it tells of a rollout that failed and left the service where it has the image too.
pub(super) fn an_early_success_is_not_the_end(aftermath: &Aftermath) -> Vec<Violation> {
    violations(aftermath, ALL, |execution| {
        let service = aftermath.before.service(execution.service.as_ref()?)?;
        let has_time = execution.ended? - execution.started < ROLLOUT_TIMEOUT;
        criteria(service).filter(|_| execution.outcome() == Some("DEPLOYED") && has_time)?;
        let message = execution.output.as_ref()?["message"].as_str()?;
        let (running, desired) = tasks_running(message).filter(|_| !message.contains("did not become stable"))?;
        (running < desired).then(|| message.to_owned())
    })
}

/// No execution ends since five deployments were there: none of a storm's stay for as long as a rollout may take.
pub(super) fn five_deployments_are_waited_for(aftermath: &Aftermath) -> Vec<Violation> {
    violations(aftermath, FIVE, |execution| {
        let message = execution.message.as_deref()?;
        message.contains("active deployments exist").then(|| message.to_owned())
    })
}

/// The red execution of an image of which no task can be placed or launched tells ECS's reason, or another execution of the image
/// has told it; also one that a person has redriven since, which then ended with other words.
pub(super) fn what_cannot_be_launched_says_why(aftermath: &Aftermath) -> Vec<Violation> {
    violations(aftermath, WHY, |execution| {
        let (push, _) = alone(aftermath, execution)?;
        let words = match push.behaviour? {
            Behaviour::Nolaunch => "unable to assume the role",
            Behaviour::Noplace => "unable to place a task",
            _ => return None,
        };
        let message = execution.message.as_deref()?;
        let is_taken_back = execution.error.as_deref() == Some("Deploy.RolledBack");
        let is_its_own = is_taken_back && is_only_bad(aftermath, execution, push);
        let tells = |it: &Execution| it.message.as_deref().is_some_and(|message| message.contains(words));
        let ends = aftermath.redriven.iter().chain(&aftermath.executions);
        let mut of_image = ends.filter(|it| {
            it.service == execution.service && aftermath.pushed(it).is_some_and(|other| other.digest == push.digest)
        });
        (is_its_own && !of_image.any(tells)).then(|| message.to_owned())
    })
}

/// True if a push was rolled out once, without any other image that is bad, and nothing else was while it was on its way; nor did a
/// lifecycle hook end that rollout, which may be before any task of it is launched.
fn is_only_bad(aftermath: &Aftermath, execution: &Execution, push: &Pushed) -> bool {
    let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
    let until = execution.ended.unwrap_or(i64::MAX);
    let during = |it: &&Deployment| (execution.started..=until).contains(&it.created_at);
    let rollouts = service
        .into_iter()
        .flat_map(|service| service.history.iter().filter(during));
    let revision = |it: &Deployment| aftermath.after.revision(&it.task_definition);
    let is_of_push = |revision: &Revision| revision.push_of(&push.repository).as_ref() == Some(&push.id);
    let mut of_push: Vec<&Revision> = Vec::new();
    for rollout in rollouts {
        match revision(rollout) {
            Some(revision) if is_of_push(revision) && !rollout.was_ended_by_a_hook() => of_push.push(revision),
            // The revision that it goes back to.
            Some(_) if !of_push.is_empty() => {}
            _ => return false,
        }
    }
    let [revision] = of_push.as_slice() else { return false };
    let mut others = revision
        .images()
        .filter(|image| repository_of(image) != Some(&push.repository));
    !others.any(|image| aftermath.is_bad(image))
}

/// True if somebody archived an image of a rollout that began while an execution was on its way.
fn lost_an_image(aftermath: &Aftermath, execution: &Execution) -> bool {
    let service = execution.service.as_ref().and_then(|id| aftermath.after.service(id));
    let until = execution.ended.unwrap_or(i64::MAX);
    service.is_some_and(|service| {
        let mut rollouts = service.history.iter();
        rollouts.any(|it| (execution.started..=until).contains(&it.created_at) && aftermath.lost_an_image(service, it))
    })
}

fn configured<'a>(service: &'a Service, path: &str) -> Option<&'a Value> {
    service.config.get("deploymentConfiguration")?.pointer(path)
}

/// The criteria by which ECS may call a rollout of the service successful early.
fn criteria(service: &Service) -> Option<&Value> {
    configured(service, "/earlySuccessCriteria").filter(|criteria| criteria["enable"] == true)
}

/// How many crashed tasks make a crash loop of the service, where it has a threshold of its own: a share is rounded up; of a bounded one
/// it is at least 3 and at most 200.
fn threshold(service: &Service) -> Option<u64> {
    let threshold = configured(service, "/deploymentCircuitBreaker/thresholdConfiguration")?;
    let value = threshold["value"].as_u64()?;
    let share = (u64::from(service.asked_count) * value).div_ceil(100);
    match threshold["type"].as_str()? {
        "COUNT" => Some(value),
        "BOUNDED_PERCENT" => Some(share.clamp(3, 200)),
        "UNBOUNDED_PERCENT" => Some(share.max(1)),
        _ => None,
    }
}

/// The numbers of "3 of 4 tasks running".
fn tasks_running(message: &str) -> Option<(u64, u64)> {
    let (before, _) = message.split_once(" tasks running")?;
    let (before, desired) = before.rsplit_once(" of ")?;
    let running = before.rsplit(' ').next()?;
    Some((running.parse().ok()?, desired.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{REPOSITORY, ROLLED_BACK, calm, deed, digest, red, rolled_back};
    use super::*;
    use crate::aftermath::{Archived, Hook};
    use serde_json::json;

    /// The third push behaves so, and its service is configured so.
    fn of(mut aftermath: Aftermath, behaviour: Behaviour, configuration: &Value) -> Aftermath {
        aftermath.pushes[1].behaviour = Some(behaviour);
        for account in [&mut aftermath.before, &mut aftermath.after] {
            let config = &mut account.services[0].config;
            config.insert("deploymentConfiguration".to_owned(), configuration.clone());
        }
        aftermath
    }

    fn count(kind: &str, value: u32) -> Value {
        json!({"deploymentCircuitBreaker": {"thresholdConfiguration": {"type": kind, "value": value}}})
    }

    fn early() -> Value {
        json!({"earlySuccessCriteria": {"enable": true, "healthyPercent": 25}})
    }

    #[test]
    fn a_push_whose_tasks_cannot_run_and_is_called_deployed_is_found() {
        use Behaviour::{
            Crash, CrashLater, ExitEarly, Good, Job, Nolaunch, Noplace, Nopull, Oom, Protected, Unhealthy,
        };
        let found = |behaviour, configuration: &Value| {
            what_cannot_run_is_not_deployed(&of(calm(), behaviour, configuration)).len()
        };
        for behaviour in [Noplace, Nolaunch, Nopull, ExitEarly] {
            assert_eq!(found(behaviour, &json!({})), 1, "{behaviour:?}");
            assert_eq!(found(behaviour, &early()), 1, "{behaviour:?}");
        }
        for behaviour in [Crash, Oom, Unhealthy] {
            assert_eq!(found(behaviour, &json!({})), 1, "{behaviour:?}");
            assert_eq!(
                found(behaviour, &early()),
                0,
                "{behaviour:?}: some of its tasks run at some time"
            );
        }
        for behaviour in [Good, Protected, Job, CrashLater] {
            assert_eq!(found(behaviour, &json!({})), 0, "{behaviour:?}");
        }
    }

    #[test]
    fn where_somebody_else_or_another_image_had_a_part_in_it_nothing_is_said() {
        let found = |change: fn(&mut Aftermath)| {
            let mut aftermath = of(calm(), Behaviour::Nopull, &json!({}));
            change(&mut aftermath);
            what_cannot_run_is_not_deployed(&aftermath).len()
        };
        assert_eq!(found(|_| {}), 1);
        assert_eq!(
            found(|it| it.others.push(deed(33_000, &json!({"taskDefinition": "web:1"})))),
            0
        );
        assert_eq!(
            found(|it| it.others.push(deed(20_000, &json!({"taskDefinition": "web:1"})))),
            1
        );
        assert_eq!(found(|it| it.others.push(deed(20_000, &json!({"desiredCount": 0})))), 0);
        assert_eq!(found(|it| it.before.services[0].asked_count = 0), 0);
        assert_eq!(found(|it| it.pushes[0].tag = "v3".to_owned()), 0);
        let by_digest: fn(&mut Aftermath) = |it| {
            it.pushes[0].tag = "v3".to_owned();
            it.by_digest = true;
        };
        assert_eq!(found(by_digest), 1);
    }

    #[test]
    fn a_crash_is_judged_by_the_threshold_of_the_service() {
        for (kind, value, tolerated) in [
            ("COUNT", 1, 1),
            ("COUNT", 4, 4),
            ("BOUNDED_PERCENT", 1, 3),
            ("UNBOUNDED_PERCENT", 50, 1),
            ("UNBOUNDED_PERCENT", 51, 2),
        ] {
            let deployed = of(calm(), Behaviour::Once, &count(kind, value));
            let taken_back = of(rolled_back(), Behaviour::Once, &count(kind, value));
            let is_wrong = |aftermath| thresholds_are_the_services_own(aftermath).len();
            assert_eq!(
                threshold(&deployed.before.services[0]),
                Some(tolerated),
                "{kind} {value}"
            );
            assert_eq!(is_wrong(&deployed), usize::from(tolerated == 1), "{kind} {value}");
            assert_eq!(is_wrong(&taken_back), usize::from(tolerated > 1), "{kind} {value}");
        }
        let mut lost = of(rolled_back(), Behaviour::Once, &count("COUNT", 4));
        lost.archived.push(Archived {
            at: 0,
            repository: REPOSITORY.to_owned(),
            digest: digest(3),
        });
        assert_eq!(thresholds_are_the_services_own(&lost), []);
        let of_default = of(calm(), Behaviour::Once, &json!({}));
        assert_eq!(thresholds_are_the_services_own(&of_default), []);
    }

    #[test]
    fn an_early_success_with_tasks_missing_is_found() {
        let found = |message: &str, configuration: &Value, ended: i64| {
            let mut aftermath = of(calm(), Behaviour::Good, configuration);
            let last = aftermath
                .executions
                .iter_mut()
                .rfind(|it| it.service.is_some())
                .unwrap();
            last.output = Some(json!({"outcome": "DEPLOYED", "message": message}));
            last.ended = Some(ended);
            an_early_success_is_not_the_end(&aftermath).len()
        };
        assert_eq!(
            found("web in north is stable: 1 of 4 tasks running", &early(), 35_000),
            1
        );
        assert_eq!(
            found("web in north is stable: 4 of 4 tasks running", &early(), 35_000),
            0
        );
        assert_eq!(
            found("web in north is stable: 1 of 4 tasks running", &json!({}), 35_000),
            0
        );
        assert_eq!(
            found("web in north is stable: 1 of 4 tasks running", &early(), 135_000),
            0
        );
        let went_back = "web in north did not become stable on web:4: 1 of 4 tasks running. It is stable on web:3, which has the image too";
        assert_eq!(found(went_back, &early(), 35_000), 0);
    }

    #[test]
    fn a_refusal_as_five_deployments_are_there_is_found() {
        let mut aftermath = calm();
        let words = "web in north: 5 active deployments exist, unable to create new deployment.";
        aftermath.executions.push(red(3, "Deploy.Rejected", words));
        assert_eq!(five_deployments_are_waited_for(&aftermath).len(), 1);
        assert_eq!(five_deployments_are_waited_for(&calm()), []);
    }

    #[test]
    fn a_message_without_the_reason_why_no_task_was_launched_is_found() {
        let found = |behaviour, words: &str| {
            let mut aftermath = of(rolled_back(), behaviour, &json!({}));
            let message = format!("{ROLLED_BACK} {words}");
            aftermath.executions[3] = red(3, "Deploy.RolledBack", &message);
            what_cannot_be_launched_says_why(&aftermath).len()
        };
        assert_eq!(found(Behaviour::Nolaunch, ""), 1);
        assert_eq!(found(Behaviour::Nolaunch, "ECS was unable to assume the role"), 0);
        assert_eq!(found(Behaviour::Noplace, ""), 1);
        assert_eq!(found(Behaviour::Noplace, "was unable to place a task"), 0);
        assert_eq!(found(Behaviour::Crash, ""), 0);
        let mut by_a_hook = of(rolled_back(), Behaviour::Nolaunch, &json!({}));
        by_a_hook.executions[3] = red(3, "Deploy.RolledBack", ROLLED_BACK);
        assert_eq!(what_cannot_be_launched_says_why(&by_a_hook).len(), 1);
        by_a_hook.after.services[0].history[2].lifecycle_hooks.push(Hook {
            target_type: "PAUSE".to_owned(),
            status: "TIMED_OUT".to_owned(),
            timeout_action: "ROLLBACK".to_owned(),
        });
        assert_eq!(what_cannot_be_launched_says_why(&by_a_hook), []);
    }

    #[test]
    fn ecs_s_reason_counts_where_an_execution_told_it_before_it_was_redriven() {
        let mut aftermath = of(rolled_back(), Behaviour::Nolaunch, &json!({}));
        aftermath.executions[3] = red(3, "Deploy.RolledBack", ROLLED_BACK);
        let told = |words: &str| red(3, "Deploy.RolledBack", &format!("{ROLLED_BACK} {words}"));
        aftermath.redriven = vec![told("app exited with code 1")];
        assert_eq!(what_cannot_be_launched_says_why(&aftermath).len(), 1);
        aftermath.redriven = vec![told("ECS was unable to assume the role")];
        assert_eq!(what_cannot_be_launched_says_why(&aftermath), []);
    }
}
