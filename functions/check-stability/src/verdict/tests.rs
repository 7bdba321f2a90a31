//! The rules of a verdict. In every case `web:2` is ours, `web:1` was good before it, and five minutes have passed.
//! A name with `peer_<n>` is about a report by the users of another tool, where the verdict was wrong.

mod held;

use super::*;
use ecr_deploy::contract::Verdict::{Displaced, Failed, InProgress, Stable, Superseded};
use ecr_deploy::domain::service::ServiceDeploymentStatus::{
    RollbackFailed, RolledBack, RollingBack, Stopped, Successful, UnderWay,
};
use ecr_deploy::domain::service::{
    CrashThreshold, RolloutState, ServiceDeploymentStatus, ServiceEvent, StoppedContainer,
};
use ecr_deploy::domain::stage::{BaseSetting, RollbackSetting, RolloutSettings};
use ecr_deploy::testing::{arn, at, crash, deployment, given_up, pushed, record, rolling, rollout, service};
use proptest::prelude::*;

/// One read, and what it is asked about.
#[derive(Debug, Clone)]
struct Case {
    service: Service,
    history: Option<Vec<ServiceDeployment>>,
    lifecycle: Option<Lifecycle>,
    stopped: Vec<StoppedTask>,
    primary: Option<OtherRevision>,
    between: Option<Standing>,
    image_containers: Vec<String>,
    essential: Vec<String>,
    now: Timestamp,
    asked: CheckStability,
}

/// The rollout of `web:2` in a service with these deployments, the primary one first.
fn case(deployments: impl IntoIterator<Item = Deployment>) -> Case {
    let service = service(deployments);
    let is_other = service
        .primary()
        .is_some_and(|primary| primary.task_definition != arn("web:2"));
    Case {
        service,
        history: None,
        lifecycle: None,
        stopped: Vec::new(),
        primary: is_other.then_some(beside(Standing::Unrecorded)),
        between: None,
        image_containers: Vec::new(),
        essential: Vec::new(),
        now: at(300),
        asked: CheckStability {
            image: pushed(2),
            rollout: rollout("web:2"),
            previous: Some(arn("web:1")),
            rolls_back: None,
            deadline: None,
            services: 1,
            settings: RolloutSettings::default(),
        },
    }
}

fn beside(standing: Standing) -> OtherRevision {
    OtherRevision {
        standing,
        rolls_ours_back: false,
    }
}

/// The rollback from `web:2` to `web:1`, begun when the third second came.
fn rollback(deployments: impl IntoIterator<Item = Deployment>) -> Case {
    let case = case(deployments);
    let rollout = Rollout {
        started_at: at(3),
        watched_since: at(3),
        deployment: Some("ecs-svc/3".to_owned()),
        ..rollout("web:1")
    };
    Case {
        asked: CheckStability {
            rollout,
            rolls_back: Some(arn("web:2")),
            ..case.asked.clone()
        },
        ..case
    }
}

/// A deployment of `short` by another id and at another time than those of its number.
fn again(number: i64, deployment: Deployment) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{number}"),
        created_at: at(number),
        ..deployment
    }
}

/// A record of another time.
fn again_at(seconds: i64, record: ServiceDeployment) -> ServiceDeployment {
    ServiceDeployment {
        created_at: at(seconds),
        ..record
    }
}

impl Case {
    fn history(self, history: impl IntoIterator<Item = ServiceDeployment>) -> Self {
        Self {
            history: Some(history.into_iter().collect()),
            ..self
        }
    }

    /// With what ECS told of the service at these seconds, newest first.
    fn events(mut self, events: &[(i64, &str)]) -> Self {
        let told = events.iter().map(|(seconds, message)| ServiceEvent {
            at: at(*seconds),
            message: format!("(service web) {message}"),
        });
        self.service.events = told.collect();
        self
    }

    fn stopped(self, stopped: impl IntoIterator<Item = StoppedTask>) -> Self {
        Self {
            stopped: stopped.into_iter().collect(),
            ..self
        }
    }

    fn standing(self, standing: Standing) -> Self {
        Self {
            primary: Some(beside(standing)),
            ..self
        }
    }

    fn now(self, seconds: i64) -> Self {
        Self {
            now: at(seconds),
            ..self
        }
    }

    fn read(&self) -> Snapshot {
        let case = self.clone();
        Snapshot {
            service: case.service,
            history: case.history,
            lifecycle: case.lifecycle,
            stopped: case.stopped,
            primary: case.primary,
            between: case.between,
            image_containers: case.image_containers,
            essential: case.essential,
            now: case.now,
        }
    }

    fn judged(&self) -> Check {
        judge(&self.read(), &self.asked)
    }

    #[track_caller]
    fn is(&self, verdict: Verdict) {
        let check = self.judged();
        assert_eq!(check.verdict, verdict, "{check:?}");
    }

    #[track_caller]
    fn says(&self, verdict: Verdict, message: &str) {
        let check = self.judged();
        assert_eq!((check.verdict, check.message.as_str()), (verdict, message), "{check:?}");
    }
}

fn crashes(count: usize) -> Vec<StoppedTask> {
    vec![crash("web:2", 200); count]
}

fn stopped_by(stop_code: &str, reason: &str) -> StoppedTask {
    StoppedTask {
        stop_code: stop_code.to_owned(),
        reason: reason.to_owned(),
        containers: vec![StoppedContainer {
            name: "web".to_owned(),
            exit_code: None,
            reason: None,
        }],
        ..crash("web:2", 200)
    }
}

fn because_of(reason: &str, deployment: Deployment) -> Deployment {
    Deployment {
        rollout_state_reason: Some(reason.to_owned()),
        ..deployment
    }
}

fn without_state(deployment: Deployment) -> Deployment {
    Deployment {
        rollout_state: None,
        ..deployment
    }
}

// Ours, on its way.

#[test]
fn a_rollout_under_way_is_in_progress() {
    let rolling = Deployment {
        running_count: 1,
        ..rolling("web:2")
    };
    case([rolling, deployment("web:1")]).says(InProgress, "1 of 2 tasks running");
}

#[test]
fn a_completed_rollout_of_our_revision_is_stable() {
    let check = case([deployment("web:2")]).judged();
    assert_eq!((check.verdict, check.running, check.desired), (Stable, 2, 2));
    assert_eq!(
        (check.message.as_str(), check.reasons.len()),
        ("2 of 2 tasks running", 0)
    );
}

#[test]
fn a_service_without_a_primary_deployment_is_in_progress_until_the_deadline() {
    case([]).says(InProgress, "web in production shows no deployment of its own");
    case([]).now(2 + 30 * 60).is(Failed);
}

#[test]
fn completed_is_in_progress_while_the_service_deployment_bakes() {
    case([deployment("web:2")])
        .history([record("web:2", UnderWay)])
        .is(InProgress);
    case([deployment("web:2")])
        .history([record("web:2", Successful)])
        .is(Stable);
}

#[test]
fn the_deployments_tell_where_the_service_deployments_api_is_empty_or_denied_or_about_others() {
    case([deployment("web:2")]).history([]).is(Stable);
    case([deployment("web:2")])
        .history([record("web:1", UnderWay)])
        .is(Stable);
    let of_an_earlier_rollout = ServiceDeployment {
        created_at: at(-600),
        ..record("web:2", RolledBack)
    };
    case([deployment("web:2")]).history([of_an_earlier_rollout]).is(Stable);
}

#[test]
fn a_record_says_successful_before_the_deployment_does() {
    case([rolling("web:2")])
        .history([record("web:2", Successful)])
        .is(Stable);
}

#[test]
fn without_a_rollout_state_it_is_what_runs_that_counts() {
    let all = without_state(deployment("web:2"));
    case([all.clone()]).is(Stable);
    case([all.clone(), deployment("web:1")]).is(InProgress);
    case([Deployment {
        running_count: 1,
        ..all.clone()
    }])
    .is(InProgress);
    case([Deployment {
        pending_count: 1,
        ..all
    }])
    .is(InProgress);
}

#[test]
fn slow_is_not_broken_until_the_deadline() {
    let slow = case([rolling("web:2"), deployment("web:1")]);
    slow.clone().now(2 + 30 * 60 - 1).is(InProgress);
    slow.now(2 + 30 * 60)
        .says(Failed, "not stable by 2026-05-04T12:30:02Z: 0 of 2 tasks running");
}

#[test]
fn the_deadline_ends_a_bake_but_not_a_rollout_that_is_stable() {
    case([deployment("web:2")])
        .history([record("web:2", UnderWay)])
        .now(3600)
        .is(Failed);
    case([deployment("web:2")]).now(3600).is(Stable);
}

/// Of a service whose rollouts end early, ECS calls one successful while it starts tasks still.
#[test]
fn after_an_early_success_every_task_has_to_run_before_the_deadline() {
    let of_four = |(running_count, pending_count), completes_early, seconds| {
        let primary = Deployment {
            desired_count: 4,
            running_count,
            pending_count,
            ..deployment("web:2")
        };
        let old = Deployment {
            desired_count: 0,
            ..deployment("web:1")
        };
        let case = case([primary, old]).history([record("web:2", Successful)]).now(seconds);
        let service = Service {
            completes_early,
            ..case.service.clone()
        };
        Case { service, ..case }
    };
    let three_of_four = |completes_early, seconds| of_four((3, 0), completes_early, seconds);
    three_of_four(true, 300).says(InProgress, "3 of 4 tasks running");
    three_of_four(false, 300).is(Stable);
    of_four((4, 0), true, 300).is(Stable);
    of_four((4, 1), true, 300).is(InProgress);
    // From the deadline on nothing undoes it any more, and it is no crash loop.
    let deadline = 2 + 30 * 60;
    three_of_four(true, deadline - 1).is(InProgress);
    three_of_four(true, deadline).is(Stable);
    three_of_four(true, deadline).stopped(crashes(3)).is(Failed);
}

#[test]
fn scaled_to_zero_is_stable_when_ecs_completes_it() {
    let none = Deployment {
        desired_count: 0,
        running_count: 0,
        ..deployment("web:2")
    };
    case([none.clone()]).is(Stable);
    case([without_state(none)]).is(Stable);
    case([
        Deployment {
            desired_count: 0,
            ..rolling("web:2")
        },
        deployment("web:1"),
    ])
    .is(InProgress);
}

#[test]
fn scaling_out_during_the_rollout_is_in_progress() {
    case([Deployment {
        desired_count: 9,
        running_count: 2,
        ..rolling("web:2")
    }])
    .says(InProgress, "2 of 9 tasks running");
}

// Ours, given up.

#[test]
fn peer_2_a_rollout_that_the_circuit_breaker_gave_up_has_failed_at_once() {
    let words = "ECS deployment circuit breaker: tasks failed to start.";
    case([because_of(words, given_up("web:2")), deployment("web:1")])
        .stopped([crash("web:2", 20)])
        .says(
            Failed,
            "ECS has given the rollout up: 0 of 2 tasks running; 1 stopped: web exited with code 1 \
         (ECS deployment circuit breaker: tasks failed to start)",
        );
    case([given_up("web:2")]).says(Failed, "ECS has given the rollout up: 0 of 2 tasks running");
}

#[test]
fn a_record_of_a_rollback_is_a_failure_whatever_the_deployment_says() {
    for (status, says) in [
        (RollingBack, "ECS is rolling back: 0 of 2 tasks running (alarm 5xx)"),
        (RolledBack, "ECS is rolling back: 0 of 2 tasks running (alarm 5xx)"),
        (
            RollbackFailed,
            "ECS could not roll back: 0 of 2 tasks running (alarm 5xx)",
        ),
        (Stopped, "the deployment was stopped: 0 of 2 tasks running (alarm 5xx)"),
    ] {
        let told = ServiceDeployment {
            status_reason: Some("alarm 5xx".to_owned()),
            ..record("web:2", status)
        };
        case([rolling("web:2"), deployment("web:1")])
            .history([told.clone()])
            .says(Failed, says);
        case([deployment("web:2")]).history([told]).is(Failed);
    }
}

#[test]
fn ours_stopped_by_a_rollout_that_followed_it_is_shown_as_it_was_some_seconds_ago() {
    let stopped = ServiceDeployment {
        status_reason: Some("Replaced by a new service deployment.".to_owned()),
        ..record("web:2", Stopped)
    };
    for status in [UnderWay, Successful, Stopped] {
        case([rolling("web:2"), deployment("web:1")])
            .history([record("web:3", status), stopped.clone()])
            .says(InProgress, "0 of 2 tasks running");
    }
    // ECS took that back, to ours.
    case([deployment("web:2")])
        .history([record("web:3", RolledBack), stopped])
        .is(Stable);
}

#[test]
fn of_two_records_of_our_revision_the_newer_one_counts() {
    let forced = ServiceDeployment {
        created_at: at(60),
        ..record("web:2", Successful)
    };
    case([deployment("web:2")])
        .history([forced, record("web:2", Stopped)])
        .is(Stable);
}

// Ours, with tasks that crash.

#[test]
fn one_task_that_crashes_once_and_is_replaced_is_no_failure() {
    case([rolling("web:2")]).stopped(crashes(1)).is(InProgress);
    case([deployment("web:2")]).stopped(crashes(1)).is(Stable);
    case([rolling("web:2")]).stopped(crashes(2)).is(InProgress);
}

#[test]
fn a_completed_rollout_waits_until_a_minute_after_the_last_crash() {
    let one_crashed = |seconds| {
        case([deployment("web:2")])
            .stopped([crash("web:2", 100), crash("web:2", 200)])
            .now(seconds)
    };
    one_crashed(259).is(InProgress);
    one_crashed(260).is(Stable);
    let one_short = Deployment {
        running_count: 1,
        ..deployment("web:2")
    };
    case([one_short]).stopped(crashes(1)).is(InProgress);
    case([deployment("web:2")])
        .stopped([StoppedTask {
            stopped_at: None,
            ..crash("web:2", 0)
        }])
        .is(Stable);
}

#[test]
fn peer_5_a_crash_loop_after_running_has_failed_although_ecs_says_completed() {
    let loops = case([deployment("web:2")]).stopped(crashes(3));
    loops.says(
        Failed,
        "2 of 2 tasks running; 3 stopped: web exited with code 1 (3 times)",
    );
    loops.history([record("web:2", Successful)]).is(Failed);
}

#[test]
fn peer_2_a_crash_loop_fails_at_the_third_stopped_task_not_at_the_deadline() {
    case([rolling("web:2"), deployment("web:1")]).stopped(crashes(3)).says(
        Failed,
        "0 of 2 tasks running; 3 stopped: web exited with code 1 (3 times)",
    );
}

#[test]
fn the_threshold_is_the_services_own_else_half_of_the_desired_tasks_at_least_3_at_most_200() {
    for (desired, threshold) in [
        (0, 3),
        (1, 3),
        (6, 3),
        (7, 4),
        (100, 50),
        (399, 200),
        (400, 200),
        (5000, 200),
    ] {
        assert_eq!(CrashThreshold::default().tasks(desired), threshold, "{desired} tasks");
    }
    let own = |threshold, crashed| {
        let case = case([rolling("web:2"), deployment("web:1")]).stopped(crashes(crashed));
        let service = Service {
            crash_threshold: threshold,
            ..case.service.clone()
        };
        Case { service, ..case }
    };
    own(CrashThreshold::Count(5), 4).is(InProgress);
    own(CrashThreshold::Count(5), 5).is(Failed);
    own(CrashThreshold::UnboundedPercent(50), 1).is(Failed);
    let large = |crashed| {
        case([Deployment {
            desired_count: 20,
            ..rolling("web:2")
        }])
        .stopped(crashes(crashed))
    };
    large(9).is(InProgress);
    large(10).is(Failed);
}

#[test]
fn peer_2_why_a_task_crashed_is_told_in_awss_words() {
    let container = |exit_code, reason: Option<&str>| StoppedTask {
        containers: vec![StoppedContainer {
            name: "web".to_owned(),
            exit_code,
            reason: reason.map(str::to_owned),
        }],
        ..crash("web:2", 200)
    };
    let oom = "OutOfMemoryError: Container killed due to memory usage";
    let pull = "CannotPullContainerError: pull image manifest has been retried 5 time(s): not found";
    for (task, reason) in [
        (container(Some(1), None), "web exited with code 1"),
        (
            container(Some(137), Some(oom)),
            &*format!("web exited with code 137 ({oom})"),
        ),
        (container(Some(0), None), "web exited with code 0"),
        (
            container(None, Some("CannotStartContainerError")),
            "web did not start (CannotStartContainerError)",
        ),
        (stopped_by("TaskFailedToStart", pull), pull),
        (
            stopped_by(
                "ServiceSchedulerInitiated",
                "Task failed ELB health checks in (target-group web)",
            ),
            "Task failed ELB health checks in (target-group web)",
        ),
        (
            stopped_by("ServiceSchedulerInitiated", "Task failed container health checks"),
            "Task failed container health checks",
        ),
        (
            stopped_by("EssentialContainerExited", "Essential container in task exited"),
            "Essential container in task exited",
        ),
        (
            stopped_by("EssentialContainerExited", ""),
            "a task stopped (EssentialContainerExited)",
        ),
        (
            StoppedTask {
                reason: String::new(),
                ..stopped_by("TaskFailedToStart", "")
            },
            "a task stopped (TaskFailedToStart)",
        ),
    ] {
        let check = case([rolling("web:2")]).stopped(vec![task; 3]).judged();
        assert_eq!(
            (check.verdict, check.reasons),
            (Failed, vec![format!("{reason} (3 times)")])
        );
    }
}

#[test]
fn of_several_containers_the_one_with_a_bad_exit_code_is_named() {
    let sidecar = StoppedContainer {
        name: "sidecar".to_owned(),
        exit_code: Some(0),
        reason: Some("done".to_owned()),
    };
    let web = StoppedContainer {
        name: "web".to_owned(),
        exit_code: Some(3),
        reason: None,
    };
    let task = StoppedTask {
        containers: vec![sidecar, web],
        ..crash("web:2", 200)
    };
    assert_eq!(
        case([rolling("web:2")]).stopped([task]).judged().reasons,
        ["web exited with code 3"]
    );
}

#[test]
fn what_ecs_says_of_a_task_it_stopped_counts_before_an_exit_code_and_loses_its_full_stop() {
    let unhealthy = StoppedTask {
        containers: crash("web:2", 200).containers,
        ..stopped_by("ServiceSchedulerInitiated", "Task failed container health checks.")
    };
    let check = case([rolling("web:2")]).stopped([unhealthy]).judged();
    assert_eq!(check.reasons, ["Task failed container health checks"]);
}

#[test]
fn a_rollout_that_was_given_up_tells_why_its_tasks_crashed_and_not_that_none_should_run() {
    let given_up = Deployment {
        desired_count: 0,
        ..given_up("web:2")
    };
    case([again(9, deployment("web:1")), given_up])
        .stopped(crashes(3))
        .says(
            Failed,
            "ECS went back to web:1: 3 stopped: web exited with code 1 (3 times)",
        );
}

#[test]
fn a_container_that_was_stopped_because_another_one_ended_is_not_named() {
    let container = |name: &str, exit_code, reason: Option<&str>| StoppedContainer {
        name: name.to_owned(),
        exit_code: Some(exit_code),
        reason: reason.map(str::to_owned),
    };
    let reason_of = |containers: Vec<StoppedContainer>| {
        let task = StoppedTask {
            containers,
            ..crash("web:2", 200)
        };
        case([rolling("web:2")]).stopped([task]).judged().reasons.remove(0)
    };
    for signal in [143, 137] {
        let both = vec![container("proxy", signal, None), container("agent", 1, None)];
        assert_eq!(reason_of(both), "agent exited with code 1");
        let alone = vec![container("init", 0, None), container("proxy", signal, None)];
        assert_eq!(reason_of(alone), format!("proxy exited with code {signal}"));
    }
    // One that AWS adds to tasks is named where it alone failed by itself.
    let agent = || container("aws-guardduty-agent", 143, None);
    let alone = vec![agent(), container("proxy", 137, None)];
    assert_eq!(reason_of(alone), "proxy exited with code 137");
    assert_eq!(
        reason_of(vec![agent(), container("web", 0, None)]),
        "web exited with code 0"
    );
    let both = vec![container("web", 143, None), container("ecs-service-connect", 1, None)];
    assert_eq!(reason_of(both), "ecs-service-connect exited with code 1");
    let killed = container("web", 137, Some("OutOfMemoryError"));
    let both = vec![killed, container("agent", 1, None)];
    assert_eq!(reason_of(both), "web exited with code 137 (OutOfMemoryError)");
}

#[test]
fn the_most_frequent_reason_comes_first_and_five_are_told() {
    let crashed = |code| StoppedTask {
        containers: vec![StoppedContainer {
            name: "web".to_owned(),
            exit_code: Some(code),
            reason: None,
        }],
        ..crash("web:2", 200)
    };
    let check = case([rolling("web:2")])
        .stopped([1, 2, 3, 4, 5, 6, 6].map(crashed))
        .judged();
    assert_eq!(check.reasons.len(), 5);
    assert_eq!(check.reasons[0], "web exited with code 6 (2 times)");
}

#[test]
fn a_task_that_was_stopped_by_ecs_a_person_or_the_hardware_did_not_crash_by_itself() {
    for task in [
        stopped_by(
            "ServiceSchedulerInitiated",
            "Scaling activity initiated by (deployment ecs-svc/2)",
        ),
        StoppedTask {
            stop_code: "UserInitiated".to_owned(),
            ..crash("web:2", 200)
        },
        StoppedTask {
            stop_code: "SpotInterruption".to_owned(),
            ..crash("web:2", 200)
        },
        StoppedTask {
            stop_code: "TerminationNotice".to_owned(),
            ..crash("web:2", 200)
        },
        StoppedTask {
            stop_code: "InfrastructureHealth".to_owned(),
            ..crash("web:2", 200)
        },
        stopped_by("", "it is not known why"),
    ] {
        let check = case([deployment("web:2")]).stopped(vec![task.clone(); 3]).judged();
        assert_eq!((check.verdict, check.reasons.len()), (Stable, 0), "{task:?}");
    }
}

/// A task of this deployment whose container exited with code 0.
fn done(short: &str) -> StoppedTask {
    StoppedTask {
        containers: vec![StoppedContainer {
            name: "web".to_owned(),
            exit_code: Some(0),
            reason: None,
        }],
        ..crash(short, 200)
    }
}

#[test]
fn tasks_that_end_well_are_a_crash_loop_unless_those_of_the_last_good_revision_did_so_too() {
    let stopped = |stopped: Vec<StoppedTask>| case([deployment("web:2")]).stopped(stopped);
    stopped(vec![done("web:2"); 3]).is(Failed);
    stopped([vec![done("web:2"); 3], vec![done("web:1")]].concat()).is(Stable);
    stopped([crashes(3), vec![done("web:1")]].concat()).is(Failed);
    stopped([vec![done("web:2"); 3], vec![crash("web:1", 100)]].concat()).is(Failed);
    stopped([vec![done("web:2"); 3], vec![done("web:7")]].concat()).is(Failed);
    let untold = StoppedTask {
        task_definition: None,
        ..done("web:1")
    };
    let nothing_good = stopped([vec![done("web:2"); 3], vec![untold]].concat());
    let asked = CheckStability {
        previous: None,
        ..nothing_good.asked.clone()
    };
    Case { asked, ..nothing_good }.is(Failed);
    // ECS's records tell which revision was good, where "Update service" was not told.
    let by_records = |history: &[ServiceDeployment]| {
        let ended = stopped([vec![done("web:2"); 3], vec![done("web:1")]].concat()).history(history.to_vec());
        let asked = CheckStability {
            previous: None,
            ..ended.asked.clone()
        };
        Case { asked, ..ended }
    };
    let (ours, before) = (record("web:2", Successful), record("web:1", Successful));
    by_records(&[ours.clone(), before.clone()]).is(Stable);
    by_records(&[ours.clone(), record("web:1", RolledBack)]).is(Failed);
    by_records(&[before, ours]).is(Failed);
}

#[test]
fn tasks_that_end_well_after_a_rollback_are_no_crash_loop_where_they_did_so_before() {
    let back = |before: Vec<StoppedTask>| {
        let again = again(3, deployment("web:1"));
        let since = StoppedTask {
            started_by: again.id.clone(),
            ..done("web:1")
        };
        rollback([again]).stopped([before, vec![since; 3]].concat())
    };
    back(vec![done("web:1")]).is(Stable);
    let listed_still = |case: Case| {
        let service = service(case.service.deployments.into_iter().chain([deployment("web:1")]));
        Case { service, ..case }
    };
    listed_still(back(vec![done("web:1")])).is(Stable);
    listed_still(back(Vec::new())).is(Failed);
    back(vec![crash("web:1", 1)]).is(Failed);
    back(vec![done("web:2")]).is(Failed);
    back(Vec::new()).is(Failed);
}

/// A task of this deployment, ended by itself, whose containers exited with these codes and without a reason.
fn exited(short: &str, codes: &[(&str, i32)]) -> StoppedTask {
    let container = |(name, code): &(&str, i32)| StoppedContainer {
        name: (*name).to_owned(),
        exit_code: Some(*code),
        reason: None,
    };
    StoppedTask {
        containers: codes.iter().map(container).collect(),
        ..crash(short, 200)
    }
}

#[test]
fn a_sidecar_that_ecs_stopped_makes_no_bad_end_of_a_job_as_those_of_the_last_good_revision() {
    let job: &[(&str, i32)] = &[("runner", 0), ("router", 137)];
    let killed: &[(&str, i32)] = &[("runner", 137), ("router", 0)];
    let failed: &[(&str, i32)] = &[("runner", 1), ("router", 0)];
    let both: &[(&str, i32)] = &[("runner", 0), ("router", 0)];
    let renamed: &[(&str, i32)] = &[("worker", 0), ("router", 0)];
    for (ours, before, essential, verdict) in [
        (job, Some(job), &["runner", "router"][..], Stable),
        (job, Some(job), &["runner"], Stable),
        (both, Some(job), &["runner"], Stable),
        (both, Some(both), &["runner"], Stable),
        // Where all containers of both ended well, it is no matter that one has another name now.
        (renamed, Some(both), &["worker"], Stable),
        (job, None, &["runner"], Failed),
        // The app was killed for want of memory, and the sidecar ended as it was told to.
        (killed, Some(job), &["runner", "router"], Failed),
        (killed, Some(both), &["runner", "router"], Failed),
        (killed, Some(killed), &["runner"], Failed),
        (failed, Some(failed), &["runner", "router"], Failed),
        (failed, Some(job), &["runner"], Failed),
    ] {
        let before = before.map(|before| exited("web:1", before));
        let stopped = vec![exited("web:2", ours); 3].into_iter().chain(before.clone());
        let case = case([deployment("web:2")]).stopped(stopped);
        let essential = essential.iter().map(|name| (*name).to_owned()).collect();
        let check = Case { essential, ..case }.judged();
        assert_eq!(check.verdict, verdict, "{ours:?} {before:?} {check:?}");
    }
}

#[test]
fn where_the_push_finds_its_revision_deployed_long_ago_the_tasks_of_that_rollout_tell_that_its_work_ends_well() {
    let job: &[(&str, i32)] = &[("runner", 0), ("router", 143)];
    let failed: &[(&str, i32)] = &[("runner", 1), ("router", 143)];
    let is_left = RollbackSetting::None;
    let goes_back = RollbackSetting::Automatic;
    // ECS has forgotten the tasks of web:1. The rollout began in the second second.
    for (ours, watched_since, may_take, rollback, verdict) in [
        (job, 63, 60, goes_back, Stable),
        (failed, 63, 60, goes_back, Failed),
        // Clocks may differ by that: it may be the rollout of this very push.
        (job, 62, 60, goes_back, Failed),
        (job, 2, 60, goes_back, Failed),
        // A step of this very push may have begun it, and lost the answer.
        (job, 92, 90, goes_back, Failed),
        (job, 93, 90, goes_back, Stable),
        // It may have failed, and been left as it was.
        (job, 63, 60, is_left, Failed),
    ] {
        let mut case = case([deployment("web:2")]).stopped(vec![exited("web:2", ours); 3]);
        case.essential = vec!["runner".to_owned()];
        case.asked.settings.rollback = rollback;
        case.asked.rollout.started_at = at(2);
        case.asked.rollout.watched_since = at(watched_since);
        case.asked.rollout.deadline = at(watched_since + may_take);
        let check = case.judged();
        assert_eq!(
            check.verdict, verdict,
            "{ours:?} {watched_since} {may_take} {rollback:?} {check:?}"
        );
    }
}

#[test]
fn a_code_that_is_not_known_counts_when_a_container_exited_badly() {
    let task = |exit_code| StoppedTask {
        stop_code: "SomethingNew".to_owned(),
        containers: vec![StoppedContainer {
            name: "web".to_owned(),
            exit_code,
            reason: None,
        }],
        ..crash("web:2", 200)
    };
    case([deployment("web:2")]).stopped(vec![task(Some(1)); 3]).is(Failed);
    for not_bad in [Some(0), Some(137), Some(143), None] {
        case([deployment("web:2")]).stopped(vec![task(not_bad); 3]).is(Stable);
    }
}

#[test]
fn tasks_of_another_deployment_or_from_before_ours_do_not_count() {
    let ours = || case([deployment("web:2"), deployment("web:1")]);
    ours().stopped(vec![crash("web:1", 200); 3]).is(Stable);
    ours().stopped(vec![crash("web:2", -59); 3]).is(Stable);
    let an_hour_on = Case {
        now: at(-57),
        ..ours().stopped(vec![crash("web:2", -58); 3])
    };
    an_hour_on.is(Failed);
}

#[test]
fn peer_4_tasks_of_a_second_deployment_of_our_revision_count() {
    let forced = again(60, rolling("web:2"));
    let task = StoppedTask {
        started_by: "ecs-svc/60".to_owned(),
        ..crash("web:2", 200)
    };
    case([forced.clone()]).stopped(vec![task.clone(); 3]).is(Failed);
    case([again(60, rolling("web:2"))]).stopped(crashes(3)).is(Failed);
    // Also when a third one has replaced it.
    case([again(61, rolling("web:2")), forced])
        .stopped(vec![task; 3])
        .is(Failed);
}

fn cannot_place(seconds: i64) -> ServiceEvent {
    let message = "(service web) was unable to place a task because no container instance met all of its requirements.";
    ServiceEvent {
        at: at(seconds),
        message: message.to_owned(),
    }
}

#[test]
fn tasks_for_which_there_is_no_place_for_a_quarter_of_the_time_are_a_failure() {
    let with = |deployment, events: Vec<ServiceEvent>| {
        let case = case([deployment]);
        Case {
            service: Service { events, ..case.service },
            ..case
        }
    };
    let waiting = || Deployment {
        pending_count: 0,
        ..rolling("web:2")
    };
    let once = || vec![cannot_place(100)];
    let unplaced = with(waiting(), once());
    unplaced.clone().now(549).is(InProgress);
    unplaced.now(550).says(
        Failed,
        &format!(
            "0 of 2 tasks running: {}",
            cannot_place(0).message.trim_end_matches('.')
        ),
    );
    let none_now = |deployment, events| with(deployment, events).now(1000).is(InProgress);
    none_now(waiting(), vec![cannot_place(1)]);
    for (running_count, pending_count, desired_count) in [(1, 0, 2), (0, 1, 2), (0, 0, 0)] {
        let placed = Deployment {
            running_count,
            pending_count,
            desired_count,
            ..waiting()
        };
        none_now(placed, once());
    }
    let steady = ServiceEvent {
        message: "(service web) has reached a steady state.".to_owned(),
        ..cannot_place(100)
    };
    none_now(waiting(), vec![steady; 3]);
    none_now(waiting(), [900, 800, 551].map(cannot_place).to_vec());
}

/// One instance has room for one task: ECS stops the old one first, and tries again some minutes later.
#[test]
fn while_room_is_made_a_task_without_a_place_is_no_failure() {
    let waiting = || Deployment {
        pending_count: 0,
        ..rolling("web:2")
    };
    let old = |desired_count, running_count| Deployment {
        is_primary: false,
        desired_count,
        running_count,
        ..deployment("web:1")
    };
    let with = |old: Option<Deployment>, stopped: Vec<StoppedTask>| {
        let case = case([waiting()].into_iter().chain(old)).stopped(stopped).now(1000);
        Case {
            service: Service {
                events: vec![cannot_place(100)],
                ..case.service
            },
            ..case
        }
    };
    with(Some(old(0, 1)), Vec::new()).is(InProgress);
    with(Some(old(1, 2)), Vec::new()).is(InProgress);
    with(Some(old(2, 2)), Vec::new()).is(Failed);
    with(None, Vec::new()).is(Failed);
    let stopped_at = |seconds| StoppedTask {
        stopped_at: Some(at(seconds)),
        ..done("web:1")
    };
    with(None, vec![stopped_at(551)]).is(InProgress);
    with(None, vec![stopped_at(550)]).is(Failed);
    with(Some(old(0, 1)), Vec::new()).now(1802).is(Failed);
}

/// ECS counts a task without a place among `failedTasks`.
#[test]
fn while_room_is_made_only_tasks_that_lack_something_else_than_room_are_failures() {
    let with_stopped = |old_tasks: u32, message: &str, stopped: Vec<StoppedTask>, now: i64| {
        let waiting = Deployment {
            pending_count: 0,
            failed_tasks: 3,
            ..rolling("web:2")
        };
        let old = Deployment {
            is_primary: false,
            desired_count: 0,
            running_count: old_tasks,
            ..deployment("web:1")
        };
        let case = case([waiting, old]).stopped(stopped).now(now);
        let event = ServiceEvent {
            message: format!("(service web) {message}"),
            ..cannot_place(100)
        };
        let service = Service {
            events: vec![event],
            ..case.service
        };
        Case { service, ..case }
    };
    let with = |old_tasks, message| with_stopped(old_tasks, message, Vec::new(), 120);
    let no_port = "was unable to place a task because its port is in use.";
    with(1, no_port).is(InProgress);
    with(0, no_port).is(Failed);
    // The old task has just gone: ECS tries again some minutes later.
    let gone = || vec![done("web:1")];
    with_stopped(0, no_port, gone(), 649).is(InProgress);
    with_stopped(0, no_port, gone(), 650).is(Failed);
    with_stopped(0, "failed to launch a task with (error no role).", gone(), 210).is(Failed);
    with(1, "failed to launch a task with (error no role).").is(Failed);
    with(1, "has started 1 tasks: (task 1).").is(Failed);
}

/// ECS tells of it once, and the event stays in the list.
#[test]
fn a_launch_that_failed_is_past_when_ecs_has_launched_a_task_since() {
    let with = |running_count, events: &[(i64, &str)], stopped: Vec<StoppedTask>| {
        let ours = Deployment {
            running_count,
            pending_count: 0,
            ..rolling("web:2")
        };
        case([ours]).stopped(stopped).events(events).now(1000)
    };
    let (failure, launch) = ("was unable to place a task.", "has started 1 tasks: (task 1).");
    let (before, since) = ([(100, failure)], [(400, launch), (100, failure)]);
    let reasons = |case: Case| case.judged().reasons;
    // The only task that could be launched is lost, and ECS has not started another one yet.
    with(0, &before, Vec::new()).is(Failed);
    with(0, &since, Vec::new()).is(InProgress);
    with(0, &[(100, failure), (50, launch)], Vec::new()).is(Failed);
    let told = "(service web) was unable to place a task";
    assert_eq!(
        reasons(with(1, &since, Vec::new())),
        [told],
        "of two tasks one has no place still"
    );
    assert_eq!(reasons(with(2, &since, Vec::new())), [""; 0]);
    assert_eq!(reasons(with(2, &before, Vec::new())), [""; 0]);
    // ECS has given the rollout up, and wants no task of it any more.
    let mut given_up = with(0, &before, Vec::new());
    given_up.service.deployments[0].desired_count = 0;
    assert_eq!(reasons(given_up), [told]);
    let crashed = || vec![crash("web:2", 900)];
    assert_eq!(
        reasons(with(1, &before, crashed())).last().map(String::as_str),
        Some(told)
    );
    assert_eq!(reasons(with(1, &since, crashed())), ["web exited with code 1"]);
}

/// ECS omits duplicates of an event "until either the cause is resolved or six hours passes".
#[test]
fn a_reason_that_ecs_told_of_the_rollout_before_is_told_where_it_has_launched_no_task_since() {
    let says = |failed_tasks, running_count, events: &[(i64, &str)]| {
        let ours = Deployment {
            pending_count: 0,
            running_count,
            failed_tasks,
            ..rolling("web:2")
        };
        let reasons = case([ours]).events(events).now(30).judged().reasons;
        reasons.first().cloned().unwrap_or_default()
    };
    let before = (-20, "failed to launch a task with (error no role).");
    let other = (-40, "was unable to place a task because of its memory.");
    let told = "(service web) failed to launch a task with (error no role)";
    assert_eq!(says(3, 0, &[before, other]), told);
    assert_eq!(says(3, 0, &[(-10, "has stopped 2 running tasks."), before]), told);
    assert_eq!(says(0, 0, &[before]), "", "nothing of ours failed yet");
    assert_eq!(says(3, 1, &[before]), "", "one runs");
    for launch in ["has started 2 tasks: (task 1).", "has reached a steady state."] {
        assert_eq!(says(3, 0, &[(-10, launch), before]), "", "{launch}");
        assert_eq!(says(3, 0, &[before, (-30, launch)]), told, "{launch}");
    }
    let own = (20, "was unable to place a task because of its ports.");
    let newer = "(service web) was unable to place a task because of its ports";
    assert_eq!(says(3, 0, &[own, before]), newer);
}

#[test]
fn ecss_own_reason_is_told_from_the_first_and_fails_a_rollout_that_ecs_cannot_launch() {
    let waiting = |failed_tasks| Deployment {
        pending_count: 0,
        failed_tasks,
        ..rolling("web:2")
    };
    for message in [
        "(service web) failed to launch a task with (error ECS was unable to assume the role 'arn:aws:iam::123456789012:role/app').",
        "(service web) was unable to stop or start tasks during a deployment because of the service deployment configuration.",
        "(service web) failed to register targets in (target-group arn) with (error the target group does not exist).",
    ] {
        let with = |deployment, seconds| {
            let case = case([deployment]).now(seconds);
            let events = vec![ServiceEvent {
                message: message.to_owned(),
                ..cannot_place(100)
            }];
            Case {
                service: Service { events, ..case.service },
                ..case
            }
        };
        let says = format!("0 of 2 tasks running: {}", message.trim_end_matches('.'));
        with(waiting(2), 101).says(InProgress, &says);
        with(waiting(3), 101).says(Failed, &says);
        with(waiting(2), 550).says(Failed, &says);
        let one_runs = Deployment {
            running_count: 1,
            ..waiting(14)
        };
        with(one_runs, 550).is(InProgress);
        let one_starts = Deployment {
            pending_count: 1,
            ..waiting(14)
        };
        with(one_starts, 400).is(InProgress);
    }
}

/// Task protection holds an old task up to 48 hours.
#[test]
fn old_tasks_that_are_only_draining_are_no_reason_to_go_back() {
    let ours = || Deployment {
        running_count: 2,
        pending_count: 0,
        ..rolling("web:2")
    };
    let old = |desired_count| Deployment {
        is_primary: false,
        desired_count,
        running_count: 2,
        ..deployment("web:1")
    };
    let says = "2 of 2 tasks running; 2 old tasks still draining";
    let goes_on = || vec![record("web:2", UnderWay)];
    for history in [None, Some(goes_on())] {
        let with = |deployments: [Deployment; 2]| Case {
            history: history.clone(),
            ..case(deployments)
        };
        with([ours(), old(0)]).now(1801).says(InProgress, says);
        with([ours(), old(0)]).now(1802).says(Stable, says);
        // It may be paused, as far as ECS tells.
        let mut with_hooks = with([ours(), old(0)]);
        with_hooks.service.has_lifecycle_hooks = true;
        with_hooks.now(1802).is(Failed);
        // ECS wants the old ones still: ours do not pass the load balancer.
        with([ours(), old(2)]).now(1802).is(Failed);
        let one_is_missing = Deployment {
            running_count: 1,
            ..ours()
        };
        with([one_is_missing, old(0)]).now(1802).is(Failed);
        with([ours(), old(0)]).stopped(crashes(3)).now(1802).is(Failed);
    }
}

#[test]
fn in_a_large_service_one_task_of_a_hundred_may_crash_in_a_minute() {
    let large = |dead: usize| {
        let complete = Deployment {
            desired_count: 300,
            running_count: 300,
            ..deployment("web:2")
        };
        case([complete]).stopped(vec![crash("web:2", 250); dead])
    };
    large(3).is(Stable);
    large(4).is(InProgress);
    large(4).now(310).is(Stable);
    let small = case([deployment("web:2")]).stopped([crash("web:2", 250)]);
    small.is(InProgress);
}

#[test]
fn at_the_deadline_what_is_complete_is_not_taken_back_for_crashes_that_are_no_crash_loop() {
    let late = |deployment| case([deployment]).stopped([crash("web:2", 1800)]);
    let at_deadline = |case: Case| case.now(1802);
    late(deployment("web:2")).now(1801).is(InProgress);
    at_deadline(late(deployment("web:2"))).is(Stable);
    let one_is_missing = Deployment {
        running_count: 1,
        ..deployment("web:2")
    };
    at_deadline(late(one_is_missing)).is(Failed);
    at_deadline(late(rolling("web:2"))).is(Failed);
}

// Another one in our place.

#[test]
fn a_record_of_ours_that_goes_on_counts_over_a_service_that_is_shown_as_it_was() {
    let stale = |status| case([deployment("web:1")]).history([record("web:2", status), record("web:1", Successful)]);
    stale(UnderWay).says(InProgress, "the rollout of web:2 does not show yet");
    stale(UnderWay).now(1802).is(Failed);
    stale(Successful).now(31).is(InProgress);
    stale(Successful).now(32).is(Failed);
    let after_another = case([deployment("web:1")]).history([record("web:1", UnderWay), record("web:2", UnderWay)]);
    after_another.is(Failed);
    let went_back = again(100, deployment("web:1"));
    case([went_back]).history([record("web:2", UnderWay)]).is(Failed);
}

#[test]
fn right_after_the_update_a_read_may_still_show_the_service_as_it_was() {
    let stale = case([deployment("web:1")]);
    stale
        .clone()
        .now(31)
        .says(InProgress, "the rollout of web:2 does not show yet");
    stale.clone().now(32).is(Failed);
    stale.history([record("web:2", RolledBack)]).now(10).is(Failed);
    case([deployment("web:3")])
        .standing(Standing::Newer)
        .now(10)
        .is(Superseded);
    case([deployment("web:1"), deployment("web:2")]).now(10).is(Failed);
    let newer = Deployment {
        created_at: at(2),
        ..rolling("web:3")
    };
    let at_the_same_moment = case([newer]).standing(Standing::Newer);
    at_the_same_moment.now(10).is(Superseded);
}

#[test]
fn peer_1_a_rollback_by_ecs_is_never_success() {
    let back = again(9, deployment("web:1"));
    case([back.clone()]).says(Failed, "it is back on web:1: ECS or a person took it back");
    case([back.clone()])
        .stopped(crashes(1))
        .says(Failed, "it is back on web:1: web exited with code 1");
    case([back.clone(), given_up("web:2")]).says(Failed, "ECS went back to web:1: 0 of 2 tasks running");
    for status in [RollingBack, RolledBack, RollbackFailed] {
        case([back.clone()]).history([record("web:2", status)]).is(Failed);
    }
}

#[test]
fn peer_1_a_rollback_by_ecs_is_told_by_its_reason_where_no_api_tells_it() {
    for words in [
        "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.",
        "Rollback: ECS deployment ecs-svc/2 failed",
    ] {
        let back = because_of(words, again(9, rolling("web:7")));
        let words = words.trim_end_matches('.');
        case([back]).says(
            Failed,
            &format!("ECS went back to web:7: 0 of 2 tasks running ({words})"),
        );
    }
}

#[test]
fn going_back_tells_why_the_tasks_of_ours_crashed_and_counts_them() {
    let check = case([again(9, deployment("web:1")), given_up("web:2")])
        .stopped(crashes(2))
        .judged();
    let message = "ECS went back to web:1: 0 of 2 tasks running; 2 stopped: web exited with code 1 (2 times)";
    assert_eq!((check.message.as_str(), check.running, check.desired), (message, 0, 2));
}

#[test]
fn peer_13_a_newer_push_in_our_place_supersedes_ours() {
    let newer = case([rolling("web:3"), rolling("web:2"), deployment("web:1")]).standing(Standing::Newer);
    newer.says(Superseded, "web:3, of a newer push, replaced it");
    newer
        .history([record("web:3", UnderWay), record("web:2", Stopped)])
        .is(Superseded);
}

#[test]
fn a_person_in_our_place_supersedes_ours() {
    let person = case([deployment("web:3")]).standing(Standing::Unrecorded);
    person.says(Superseded, "another deployment, of web:3, replaced it");
    case([again(9, deployment("other:7"))])
        .standing(Standing::Older)
        .is(Superseded);
}

/// A stage takes up the documents of infrastructure as code, whose images are of long ago.
#[test]
fn a_newer_document_of_somebody_elses_in_our_place_is_to_have_the_image_where_the_stage_takes_such_ones_up() {
    let newest = |case: Case| Case {
        asked: CheckStability {
            settings: RolloutSettings {
                base: BaseSetting::Newest,
                ..case.asked.settings
            },
            ..case.asked
        },
        ..case
    };
    let applied = newest(case([rolling("web:3"), deployment("web:1")]).standing(Standing::Unrecorded));
    applied.says(
        Displaced,
        "web:3, which somebody else registered, replaced it: it is to have the image too",
    );
    applied.standing(Standing::Newer).is(Superseded);
    // Back to the last good one, or beyond it, is no newer document.
    newest(case([deployment("web:1")])).is(Failed);
    let beyond = newest(case([again(9, deployment("web:1"))]));
    let asked = CheckStability {
        previous: Some(arn("web:2")),
        rollout: Rollout {
            task_definition: arn("web:3"),
            ..rollout("web:3")
        },
        ..beyond.asked.clone()
    };
    Case { asked, ..beyond }.is(Superseded);
}

#[test]
fn a_person_who_goes_back_beyond_the_last_good_revision_supersedes_ours() {
    let case = case([again(9, deployment("web:1"))]).standing(Standing::Older);
    let asked = CheckStability {
        previous: Some(arn("web:2")),
        ..case.asked.clone()
    };
    let ours = Rollout {
        task_definition: arn("web:3"),
        ..rollout("web:3")
    };
    Case {
        asked: CheckStability { rollout: ours, ..asked },
        ..case
    }
    .is(Superseded);
}

/// `web:3` is ours and stands on `web:2`, of a push of another repository, which has gone back to `web:1`.
#[test]
fn a_push_whose_tasks_crashed_has_failed_where_another_one_goes_back_beyond_its_last_good_revision() {
    let back = |on: &str, previous: &str, stopped: usize| {
        let case = case([again(9, deployment(on))]).standing(Standing::Older);
        let asked = CheckStability {
            rollout: rollout("web:3"),
            previous: Some(arn(previous)),
            ..case.asked.clone()
        };
        Case { asked, ..case }
            .history([again_at(9, record(on, Successful)), record("web:3", Stopped)])
            .stopped(vec![crash("web:3", 200); stopped])
    };
    back("web:1", "web:2", 3).says(Failed, "it is back on web:1: web exited with code 1 (3 times)");
    back("web:1", "web:2", 1).is(Failed);
    back("web:1", "web:2", 0).is(Superseded);
    back("api:1", "web:2", 3).is(Superseded);
    back("web:4", "web:2", 3).is(Displaced);
}

/// The deployment circuit breaker stopped `web:2`, another execution of the push went back, and a push of another repository came.
#[test]
fn a_rollout_that_was_taken_back_has_failed_whatever_was_begun_since() {
    let on = |on: &str, between, records: [&str; 3]| {
        let case = case([again(9, rolling(on))]).standing(Standing::Older);
        Case { between, ..case }.history(records.map(|short| record(short, Stopped)))
    };
    on("web:4", Some(Standing::Unrecorded), ["web:4", "web:1", "web:2"])
        .says(Failed, "it was taken back, and is on web:4: ECS tells no reason");
    on("web:1", Some(Standing::Older), ["web:3", "web:1", "web:2"])
        .says(Failed, "it is back on web:1: ECS or a person took it back");
    on("web:4", Some(Standing::Older), ["web:1", "web:3", "web:2"]).is(Displaced);
    on("web:4", None, ["web:4", "web:2", "web:1"]).is(Displaced);
}

#[test]
fn peer_13_an_older_push_that_raced_into_our_place_displaces_ours() {
    let raced = case([again(9, rolling("web:3"))]).standing(Standing::Older);
    raced.says(Displaced, "web:3, made from an older state, replaced it");
    let nothing_good = CheckStability {
        previous: None,
        ..raced.asked.clone()
    };
    // Where nothing ever became stable nobody can have gone back to it.
    Case {
        asked: nothing_good,
        ..raced
    }
    .is(Displaced);
}

/// `web:2` had its place taken by `web:3`, and the service is back on `web:1` by now.
fn taken_and_back(between: Option<Standing>) -> Case {
    let case = case([again(9, deployment("web:1"))]);
    Case { between, ..case }.history(["web:1", "web:3", "web:2"].map(|short| record(short, Stopped)))
}

#[test]
fn peer_13_a_newer_push_that_took_our_place_and_failed_supersedes_ours_all_the_same() {
    let superseded = "a newer push replaced it, and it is on web:1 now";
    taken_and_back(Some(Standing::Newer)).says(Superseded, superseded);
    let by_ecs = because_of("rolling back to deploymentId ecs-svc/1", again(9, rolling("web:1")));
    let by_ecs = Case {
        service: service([by_ecs]),
        ..taken_and_back(Some(Standing::Newer))
    };
    by_ecs.clone().says(Superseded, superseded);
    // Unless ours had failed before.
    by_ecs
        .history(
            ["web:1", "web:3"]
                .map(|short| record(short, Stopped))
                .into_iter()
                .chain([record("web:2", RolledBack)]),
        )
        .is(Failed);
}

#[test]
fn an_older_push_that_took_our_place_and_failed_displaces_ours() {
    taken_and_back(Some(Standing::Older)).is(Displaced);
}

#[test]
fn a_rollback_by_ecs_of_the_push_that_took_our_place_is_none_of_ours_from_its_first_read_on() {
    let records = || {
        [
            again_at(8, record("web:3", RolledBack)),
            again_at(2, record("web:2", Stopped)),
        ]
    };
    let by_ecs = because_of("rolling back to deploymentId ecs-svc/1", again(9, rolling("web:1")));
    for there in [by_ecs, again(9, deployment("web:1"))] {
        let back = |between| Case {
            service: service([there.clone()]),
            ..taken_and_back(between).history(records())
        };
        assert_eq!(
            came_between(&back(None).service, &records(), &back(None).asked),
            Some(&arn("web:3"))
        );
        for between in [Standing::Older, Standing::Unrecorded] {
            back(Some(between)).says(Displaced, "web:1, made from an older state, replaced it");
        }
        back(Some(Standing::Newer)).is(Superseded);
    }
}

#[test]
fn a_rollout_that_came_between_is_one_after_ours_of_neither_revision() {
    let between = |records: &[ServiceDeployment]| {
        let case = taken_and_back(None);
        came_between(&case.service, records, &case.asked).map(|target| target.short().to_owned())
    };
    let after = |short| ServiceDeployment {
        created_at: at(7),
        ..record(short, Stopped)
    };
    let ours = || record("web:2", Stopped);
    assert_eq!(between(&[after("web:3"), ours()]).as_deref(), Some("web:3"));
    assert_eq!(
        between(&[after("web:1"), after("web:3"), ours()]).as_deref(),
        Some("web:3")
    );
    for records in [
        vec![after("web:1"), ours()],
        vec![after("web:2"), ours()],
        vec![ours(), record("web:1", Successful)],
        vec![ours(), after("web:3")],
        vec![after("web:3")],
        vec![
            ours(),
            ServiceDeployment {
                created_at: at(-100),
                ..record("web:3", Stopped)
            },
        ],
    ] {
        assert_eq!(between(&records), None, "{records:?}");
    }
}

#[test]
fn a_revision_made_by_another_execution_to_roll_ours_back_is_a_failure_of_ours() {
    let pinned = OtherRevision {
        rolls_ours_back: true,
        ..beside(Standing::Older)
    };
    let case = case([again(9, deployment("web:7"))]);
    let case = Case {
        primary: Some(pinned),
        ..case
    };
    case.says(Failed, "it is back on web:7: ECS or a person took it back");
}

#[test]
fn a_revision_that_has_our_image_too_displaces_ours() {
    let both = case([again(9, rolling("web:3"))]).standing(Standing::Ours);
    both.says(Displaced, "web:3, which has the image too, replaced it");
}

#[test]
fn a_push_is_stable_where_ecs_went_back_to_a_revision_that_has_its_image_too() {
    let back = |deployment| {
        let back = again(9, deployment);
        case([back, given_up("web:2")])
            .history([record("web:2", RolledBack)])
            .standing(Standing::Ours)
    };
    back(deployment("web:1")).says(Stable, "ECS went back to web:1, which has the image too");
    back(rolling("web:1")).is(InProgress);
    back(rolling("web:1")).now(1 + 30 * 60 + 1).is(Failed);
}

#[test]
fn a_push_whose_own_container_crashed_has_failed_although_ecs_went_back_to_a_revision_that_has_its_image_too() {
    let back = |image_container: &str| Case {
        image_containers: vec![image_container.to_owned()],
        ..case([again(9, deployment("web:1")), given_up("web:2")])
            .history([record("web:2", RolledBack)])
            .stopped(crashes(3))
            .standing(Standing::Ours)
    };
    back("web").is(Failed);
    back("agent").is(Stable);
}

#[test]
fn a_rollout_that_crashed_and_left_no_record_has_gone_back_to_the_previous_revision_that_has_its_image_too() {
    let back = |image_container: &str, on: &str, stopped: usize| Case {
        image_containers: vec![image_container.to_owned()],
        ..case([again(9, deployment(on))])
            .stopped(crashes(stopped))
            .standing(Standing::Ours)
    };
    back("agent", "web:1", 3).says(Stable, "ECS went back to web:1, which has the image too");
    back("web", "web:1", 3).is(Failed);
    back("agent", "web:1", 0).is(Displaced);
    back("agent", "web:3", 3).is(Displaced);
}

#[test]
fn the_containers_whose_crash_stopped_tasks_are_told_each_once() {
    let crashed_container = |name: &str| StoppedTask {
        containers: vec![
            StoppedContainer {
                name: "proxy".to_owned(),
                exit_code: Some(143),
                reason: None,
            },
            StoppedContainer {
                name: name.to_owned(),
                exit_code: Some(1),
                reason: None,
            },
        ],
        ..crash("web:2", 200)
    };
    let told = |stopped: Vec<StoppedTask>| case([rolling("web:2")]).stopped(stopped).judged().failed_containers;
    assert_eq!(
        told(vec![
            crashed_container("web"),
            crashed_container("agent"),
            crashed_container("web")
        ]),
        ["agent", "web"]
    );
    let not_pulled = StoppedTask {
        containers: vec![StoppedContainer {
            name: "agent".to_owned(),
            exit_code: None,
            reason: Some("CannotPullContainerError: not found".to_owned()),
        }],
        ..stopped_by("TaskFailedToStart", "CannotPullContainerError: not found")
    };
    assert_eq!(told(vec![not_pulled]), ["agent"]);
    let unhealthy = StoppedTask {
        containers: crash("web:2", 200).containers,
        ..stopped_by("ServiceSchedulerInitiated", "Task failed container health checks")
    };
    assert_eq!(told(vec![unhealthy]), [""; 0], "ECS stopped them all");
    assert_eq!(told(vec![]), [""; 0]);
    let another = StoppedTask {
        started_by: "ecs-svc/7".to_owned(),
        ..crashed_container("web")
    };
    assert_eq!(told(vec![another]), [""; 0], "of another deployment");
}

#[test]
fn ours_beside_another_primary_tells_how_many_of_its_tasks_run() {
    let ours = Deployment {
        running_count: 1,
        desired_count: 3,
        ..rolling("web:2")
    };
    let check = case([rolling("web:3"), ours]).standing(Standing::Newer).judged();
    assert_eq!((check.running, check.desired), (1, 3));
    let check = case([Deployment {
        running_count: 1,
        ..rolling("web:3")
    }])
    .standing(Standing::Newer)
    .judged();
    assert_eq!((check.running, check.desired), (0, 2));
}

#[test]
fn peer_4_ours_is_found_by_its_id_first_then_by_its_revision() {
    let service = service([deployment("web:3"), again(9, given_up("web:2")), deployment("web:2")]);
    let by_id = ours_of(&service, &rollout("web:2")).map(|ours| ours.id.as_str());
    assert_eq!(by_id, Some("ecs-svc/2"));
    let untold = Rollout {
        deployment: None,
        ..rollout("web:2")
    };
    assert_eq!(
        ours_of(&service, &untold).map(|ours| ours.id.as_str()),
        Some("ecs-svc/9")
    );
}

// Clocks.

#[test]
fn clocks_may_differ_by_a_minute_where_ecs_did_not_tell_the_deployment() {
    let ours = |skew: i64, told: bool| {
        let case = case([deployment("web:2")]).history([record("web:2", UnderWay)]);
        let rollout = &case.asked.rollout;
        let deployment = rollout.deployment.clone().filter(|_| told);
        let rollout = Rollout {
            started_at: at(2 + skew),
            deployment,
            ..rollout.clone()
        };
        Case {
            asked: CheckStability {
                rollout,
                ..case.asked.clone()
            },
            ..case
        }
    };
    ours(60, false).is(InProgress);
    ours(61, false).is(Stable);
    ours(5, true).is(InProgress);
    ours(6, true).is(Stable);
}

#[test]
fn a_clock_that_is_a_minute_ahead_or_behind_does_not_make_a_stale_read_a_failure() {
    for skew in [-60, 60] {
        let stale = case([deployment("web:1")]);
        let rollout = Rollout {
            watched_since: at(2 + skew),
            ..rollout("web:2")
        };
        let asked = CheckStability {
            rollout,
            ..stale.asked.clone()
        };
        let stale = Case { asked, ..stale };
        stale.clone().now(2 + skew + 29).is(InProgress);
        stale.now(2 + skew + 30).is(Failed);
    }
}

#[test]
fn why_tasks_crashed_before_it_was_watched_again_does_not_count() {
    let watched = |since: i64| {
        let case = case([rolling("web:2")]).stopped(crashes(3));
        let rollout = Rollout {
            watched_since: at(since),
            ..rollout("web:2")
        };
        let asked = CheckStability {
            rollout,
            ..case.asked.clone()
        };
        Case { asked, ..case }
    };
    watched(260).is(Failed);
    watched(261).is(InProgress);
}

// Rollbacks.

#[test]
fn a_completed_rollback_is_stable() {
    rollback([again(3, deployment("web:1"))]).is(Stable);
    rollback([again(3, deployment("web:1"))])
        .history([record("web:2", RolledBack)])
        .is(Stable);
    let ours = ServiceDeployment {
        created_at: at(3),
        ..record("web:1", Successful)
    };
    rollback([again(3, rolling("web:1"))]).history([ours]).is(Stable);
}

#[test]
fn a_rollback_under_way_is_in_progress_until_its_deadline() {
    let under_way = rollback([again(3, rolling("web:1")), given_up("web:2")]);
    under_way.is(InProgress);
    under_way.clone().history([record("web:2", RollingBack)]).is(InProgress);
    under_way.clone().history([record("web:2", Stopped)]).is(InProgress);
    let stopped = ServiceDeployment {
        created_at: at(3),
        ..record("web:1", Stopped)
    };
    under_way.clone().history([stopped]).is(InProgress);
    let ours = ServiceDeployment {
        created_at: at(3),
        ..record("web:1", UnderWay)
    };
    rollback([again(3, deployment("web:1"))]).history([ours]).is(InProgress);
    let deadline = under_way.asked.rollout.deadline;
    Case {
        now: deadline,
        ..under_way
    }
    .is(Failed);
}

#[test]
fn a_rollback_by_ecs_is_stable_when_ecss_record_says_so_and_at_its_deadline_if_only_old_tasks_drain() {
    let complete = |status, old: Option<Deployment>| {
        rollback([again(3, deployment("web:1"))].into_iter().chain(old)).history([record("web:2", status)])
    };
    complete(RollingBack, None).says(InProgress, "2 of 2 tasks running");
    complete(RolledBack, None).is(Stable);
    complete(RollbackFailed, None).is(Failed);
    let draining = Deployment {
        desired_count: 0,
        ..deployment("web:2")
    };
    let drains = complete(RollingBack, Some(draining));
    let deadline = drains.asked.rollout.deadline;
    drains.is(InProgress);
    Case {
        now: deadline,
        ..drains
    }
    .is(Stable);
}

#[test]
fn a_rollback_whose_tasks_crash_too_or_that_ecs_gives_up_has_failed() {
    let crashed = StoppedTask {
        started_by: "ecs-svc/3".to_owned(),
        ..crash("web:1", 200)
    };
    rollback([again(3, rolling("web:1"))])
        .stopped(vec![crashed; 3])
        .is(Failed);
    rollback([again(3, given_up("web:1"))]).is(Failed);
    rollback([again(3, deployment("web:1"))])
        .history([record("web:2", RollbackFailed)])
        .is(Failed);
}

#[test]
fn a_rollback_that_leaves_the_service_on_the_failed_revision_is_in_progress_then_failed() {
    let still = rollback([given_up("web:2"), deployment("web:1")]).standing(Standing::Ours);
    still.says(InProgress, "the service is still on web:2");
    still.clone().now(1 + 30 * 60).is(Failed);
    let told = still.history([record("web:2", RollbackFailed)]);
    told.says(Failed, "ECS could not roll back: the service is still on web:2");
}

#[test]
fn a_rollback_may_not_show_yet() {
    let unread = rollback([again(2, rolling("web:7"))]).standing(Standing::Unrecorded);
    unread.clone().now(32).is(InProgress);
    unread.now(33).is(Displaced);
    let at_the_same_moment = rollback([again(3, rolling("web:4"))]).standing(Standing::Newer);
    at_the_same_moment.now(10).is(Superseded);
}

#[test]
fn a_rollback_that_a_newer_push_overtakes_is_superseded() {
    let newer = rollback([rolling("web:4"), deployment("web:1")]).standing(Standing::Newer);
    newer.says(Superseded, "web:4, of a newer push, took over during the rollback");
    newer.now(10).is(Superseded);
}

#[test]
fn a_rollback_that_anything_but_a_newer_push_overtakes_is_displaced_for_nobody_else_tells_of_the_failure() {
    for standing in [Standing::Ours, Standing::Older, Standing::Unrecorded] {
        let other = rollback([rolling("web:4"), deployment("web:1")]).standing(standing);
        other.says(Displaced, "another deployment, of web:4, took over during the rollback");
    }
}

#[test]
fn an_old_record_of_our_target_tells_nothing_about_the_rollback() {
    let first = ServiceDeployment {
        created_at: at(-600),
        ..record("web:1", UnderWay)
    };
    rollback([again(3, deployment("web:1"))]).history([first]).is(Stable);
}

// All of it at once.

/// A situation, how ECS's record of our rollout says it stands, and the verdict.
type Situation = (&'static str, Case, ServiceDeploymentStatus, Verdict);

#[expect(clippy::too_many_lines, reason = "a table")]
fn situations() -> Vec<Situation> {
    let shifted = Deployment {
        running_count: 1,
        ..rolling("web:2")
    };
    let scaled = |count, deployment| Deployment {
        desired_count: count,
        running_count: count.min(2),
        ..deployment
    };
    let back = |words, deployment| case([because_of(words, again(9, deployment)), given_up("web:2")]);
    let newer = case([rolling("web:3"), rolling("web:2"), deployment("web:1")]).standing(Standing::Newer);
    let late = case([rolling("web:2"), deployment("web:1")]);
    let deadline = late.asked.rollout.deadline;
    let crashed = |task: StoppedTask| case([rolling("web:2"), deployment("web:1")]).stopped(vec![task; 3]);
    let exited = |reason: Option<&str>, code| StoppedTask {
        containers: vec![StoppedContainer {
            name: "web".to_owned(),
            exit_code: code,
            reason: reason.map(str::to_owned),
        }],
        ..crash("web:2", 200)
    };
    vec![
        (
            "under way",
            case([rolling("web:2"), deployment("web:1")]),
            UnderWay,
            InProgress,
        ),
        (
            "linear or canary, half shifted",
            case([shifted, deployment("web:1")]),
            UnderWay,
            InProgress,
        ),
        ("complete", case([deployment("web:2")]), Successful, Stable),
        (
            "given up by the circuit breaker",
            case([given_up("web:2"), deployment("web:1")]),
            Stopped,
            Failed,
        ),
        (
            "the circuit breaker goes back",
            back(
                "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.",
                rolling("web:1"),
            ),
            RollingBack,
            Failed,
        ),
        (
            "an alarm goes back",
            back(
                "rolling back to deploymentId ecs-svc/1: alarm errors went to ALARM.",
                rolling("web:1"),
            ),
            RollingBack,
            Failed,
        ),
        (
            "ECS has gone back",
            case([again(9, deployment("web:1"))]),
            RolledBack,
            Failed,
        ),
        (
            "ECS could not go back",
            case([given_up("web:2"), deployment("web:1")]),
            RollbackFailed,
            Failed,
        ),
        ("a newer push took over", newer, Stopped, Superseded),
        (
            "a person took over",
            case([rolling("web:3"), rolling("web:2")]),
            Stopped,
            Superseded,
        ),
        (
            "exits before RUNNING",
            crashed(stopped_by("TaskFailedToStart", "Task failed to start")),
            UnderWay,
            Failed,
        ),
        ("exits after RUNNING", crashed(exited(None, Some(1))), UnderWay, Failed),
        (
            "never healthy",
            crashed(stopped_by(
                "ServiceSchedulerInitiated",
                "Task failed container health checks",
            )),
            UnderWay,
            Failed,
        ),
        (
            "cannot be pulled",
            crashed(stopped_by("TaskFailedToStart", "CannotPullContainerError: not found")),
            UnderWay,
            Failed,
        ),
        (
            "out of memory",
            crashed(exited(
                Some("OutOfMemoryError: Container killed due to memory usage"),
                Some(137),
            )),
            UnderWay,
            Failed,
        ),
        (
            "scaled to zero",
            case([scaled(0, deployment("web:2"))]),
            Successful,
            Stable,
        ),
        (
            "scaled out",
            case([scaled(10, rolling("web:2")), deployment("web:1")]),
            UnderWay,
            InProgress,
        ),
        (
            "not stable by the deadline",
            Case { now: deadline, ..late },
            UnderWay,
            Failed,
        ),
    ]
}

/// Possible answers of the service deployments API: our record, none of ours yet, nothing, or a denial.
fn api_answers(status: ServiceDeploymentStatus) -> [(&'static str, Option<Vec<ServiceDeployment>>); 4] {
    let before = || ServiceDeployment {
        created_at: at(-600),
        ..record("web:1", Successful)
    };
    [
        ("present", Some(vec![record("web:2", status), before()])),
        ("stale", Some(vec![before()])),
        ("empty", Some(Vec::new())),
        ("denied", None),
    ]
}

#[test]
fn a_situation_has_one_verdict_whatever_the_api_answers_and_however_clocks_differ() {
    for (situation, case, status, verdict) in situations() {
        for (api, history) in api_answers(status) {
            for skew in [-60, 0, 60] {
                let by = SignedDuration::from_secs(skew);
                let rollout = &case.asked.rollout;
                let rollout = Rollout {
                    watched_since: rollout.watched_since + by,
                    deadline: rollout.deadline + by,
                    ..rollout.clone()
                };
                let asked = CheckStability {
                    rollout,
                    ..case.asked.clone()
                };
                let case = Case {
                    history: history.clone(),
                    now: case.now + by,
                    asked,
                    ..case.clone()
                };
                let check = case.judged();
                assert_eq!(check.verdict, verdict, "{situation}, API {api}, skew {skew}: {check:?}");
            }
        }
    }
}

#[test]
fn without_a_rollout_state_a_situation_has_the_same_verdict() {
    let has_state = ["given up by the circuit breaker", "ECS could not go back"];
    for (situation, case, status, verdict) in situations() {
        if has_state.contains(&situation) {
            continue; // the state is what tells
        }
        let deployments = case.service.deployments.iter().cloned().map(without_state).collect();
        let service = Service {
            deployments,
            ..case.service.clone()
        };
        let case = Case { service, ..case }.history([record("web:2", status)]);
        let check = case.judged();
        assert_eq!(check.verdict, verdict, "{situation}: {check:?}");
    }
}

#[test]
fn a_bake_is_seen_where_the_api_answers() {
    // Where it does not, COMPLETED is all there is: with alarms ECS says so only after the bake.
    for (api, history) in api_answers(UnderWay) {
        let baking = case([deployment("web:2"), deployment("web:1")]);
        let verdict = if api == "present" { InProgress } else { Stable };
        assert_eq!(Case { history, ..baking }.judged().verdict, verdict, "{api}");
    }
}

#[test]
fn a_record_that_does_not_show_yet_is_waited_for_since_it_may_say_that_it_bakes() {
    for (api, history) in api_answers(Successful) {
        let complete = case([deployment("web:2"), deployment("web:1")]).now(31);
        let complete = Case { history, ..complete };
        let verdict = if api == "stale" { InProgress } else { Stable };
        assert_eq!(complete.judged().verdict, verdict, "{api}");
        complete.now(32).is(Stable);
    }
}

// Records that are worth a call.

#[test]
fn ecss_records_are_read_only_where_the_deployments_alone_do_not_tell() {
    let needed = |deployments: Vec<Deployment>| needs_history(&service(deployments), &rollout("web:2"));
    assert!(!needed(vec![rolling("web:2"), deployment("web:1")]));
    let nothing_starts = Deployment {
        pending_count: 0,
        ..rolling("web:2")
    };
    for deployments in [
        vec![nothing_starts, deployment("web:1")],
        vec![deployment("web:2")],
        vec![given_up("web:2")],
        vec![without_state(deployment("web:2"))],
        vec![deployment("web:1"), rolling("web:2")],
        vec![rolling("web:1"), rolling("web:2")],
        vec![],
    ] {
        assert!(needed(deployments.clone()), "{deployments:?}");
    }
}

// Whatever ECS answers.

fn any_status() -> impl Strategy<Value = ServiceDeploymentStatus> {
    prop::sample::select(vec![
        UnderWay,
        Successful,
        Stopped,
        RollingBack,
        RolledBack,
        RollbackFailed,
    ])
}

prop_compose! {
    fn any_deployment()(
        number in 1u64..4,
        at_second in -100i64..200,
        state in prop::option::of(prop::sample::select(vec![RolloutState::InProgress, RolloutState::Completed, RolloutState::Failed])),
        (desired_count, running_count, pending_count) in (0u32..9, 0u32..9, 0u32..3),
        reason in prop::option::of(prop::sample::select(vec!["rolling back to deploymentId ecs-svc/1", "in progress"])),
    ) -> Deployment {
        Deployment {
            created_at: at(at_second),
            rollout_state: state,
            rollout_state_reason: reason.map(str::to_owned),
            desired_count,
            running_count,
            pending_count,
            ..deployment(&format!("web:{number}"))
        }
    }
}

prop_compose! {
    fn any_case()(
        deployments in prop::collection::vec(any_deployment(), 0..4),
        history in prop::option::of(prop::collection::vec((1u32..4, any_status(), -200i64..200), 0..4)),
        stopped in prop::collection::vec((1u32..4, -200i64..300), 0..8),
        standing in prop::sample::select(vec![Standing::Ours, Standing::Newer, Standing::Older, Standing::Unrecorded]),
        rolls_ours_back in any::<bool>(),
        between in prop::option::of(prop::sample::select(vec![Standing::Newer, Standing::Older, Standing::Unrecorded])),
        runs_the_image in prop::sample::select(vec!["web", "agent"]),
        now in 0i64..4000,
        previous in prop::option::of(1u32..4),
        is_rollback in any::<bool>(),
    ) -> Case {
        let case = if is_rollback { rollback(deployments) } else { case(deployments) };
        let records = |(number, status, second): (u32, _, i64)| {
            ServiceDeployment { created_at: at(second), ..record(&format!("web:{number}"), status) }
        };
        Case {
            history: history.map(|records_told| records_told.into_iter().map(records).collect()),
            stopped: stopped.into_iter().map(|(number, second)| crash(&format!("web:{number}"), second)).collect(),
            primary: Some(OtherRevision { standing, rolls_ours_back }),
            between,
            image_containers: vec![runs_the_image.to_owned()],
            now: at(now),
            asked: CheckStability { previous: previous.map(|number| arn(&format!("web:{number}"))), ..case.asked.clone() },
            ..case
        }
    }
}

proptest! {
    #[test]
    fn nothing_but_our_revision_is_ever_stable(case in any_case()) {
        if case.judged().verdict == Stable {
            let primary = case.service.primary().unwrap();
            let has_image = case.primary.is_some_and(|primary| primary.standing == Standing::Ours);
            prop_assert!(has_image || primary.task_definition == case.asked.rollout.task_definition);
            prop_assert_ne!(primary.rollout_state, Some(RolloutState::Failed));
        }
    }

    #[test]
    fn a_crash_loop_is_never_stable(case in any_case()) {
        let crashed = failed_tasks(&case.read(), &case.asked).len();
        let desired = case.service.primary().map_or(0, |primary| primary.desired_count);
        // Back on another revision that has the image, the service is stable on that one; the dead are those of ours.
        let is_on = case.service.primary().map(|primary| &primary.task_definition);
        let is_back = is_on.is_some_and(|on| *on != case.asked.rollout.task_definition);
        prop_assert!(case.judged().verdict != Stable || is_back || crashed < CrashThreshold::default().tasks(desired));
    }

    #[test]
    fn on_another_revision_a_push_is_stable_only_if_none_of_its_own_containers_crashed(case in any_case()) {
        let check = case.judged();
        let is_on = case.service.primary().map(|primary| &primary.task_definition);
        let is_back = is_on.is_some_and(|on| *on != case.asked.rollout.task_definition);
        let image_crashed = case.image_containers.iter().any(|container| check.failed_containers.contains(container));
        prop_assert!(!(is_back && check.verdict == Stable && image_crashed));
    }

    #[test]
    fn nothing_is_in_progress_after_its_deadline_and_the_time_it_takes_to_show(case in any_case()) {
        let late = Case { now: at(7200), ..case };
        prop_assert_ne!(late.judged().verdict, InProgress);
    }

    #[test]
    fn a_rollback_is_superseded_by_a_newer_push_only_and_every_failure_says_why(case in any_case()) {
        let check = case.judged();
        let is_newer = case
            .primary
            .is_some_and(|primary| matches!(primary.standing, Standing::Newer | Standing::Ours));
        prop_assert!(!(case.asked.rolls_back.is_some() && check.verdict == Superseded) || is_newer);
        prop_assert!(!check.message.is_empty() && !check.message.ends_with(": "));
    }
}
