//! How services end. In every case `app:v2` was to run on `web:2`, and `web:1` was good before it.

use super::*;
use ecr_deploy::contract::{BaseNote, Check, RollBackOutput, RollbackCopy, RollbackRevision, UpdateOutput};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::testing::{arn, at, pushed, rollout, service_id};
use proptest::prelude::*;
use serde_json::json;

fn end(update: Option<UpdateOutput>) -> ServiceEnd {
    ServiceEnd {
        image: pushed(2),
        cluster: service_id().cluster,
        service: service_id().service,
        task_definition: Some(arn("web:2")),
        base: None,
        update,
        check: None,
        error: None,
        roll_back: None,
        roll_back_check: None,
        roll_back_error: None,
        settings: RolloutSettings::default(),
        attempt: 0,
    }
}

fn update(outcome: UpdateOutcome) -> UpdateOutput {
    UpdateOutput {
        outcome,
        deadline: at(1800),
        wait: 15,
        message: "web in production is on web:3, of a newer push".to_owned(),
    }
}

fn check(verdict: Verdict, message: &str) -> Check {
    Check {
        verdict,
        message: message.to_owned(),
        reasons: vec![],
        failed_containers: vec![],
        running: 0,
        desired: 2,
        wait: 15,
        deadline: None,
        waits_for: None,
        containers: Vec::new(),
    }
}

fn rollback(method: RollbackMethod) -> RollBackOutput {
    RollBackOutput {
        method,
        wait: 15,
        message: "web in production is on web:3 by another deployment".to_owned(),
    }
}

/// An update to `web:2`.
fn to_the_second() -> WatchedUpdate {
    WatchedUpdate {
        rollout: rollout("web:2"),
        previous: Some(arn("web:1")),
    }
}

/// A rollback to `web:1`.
fn to_the_first() -> WatchedRollback {
    WatchedRollback {
        rollout: rollout("web:1"),
        has_image: false,
        image_failed: false,
        from: None,
    }
}

fn registration_needed() -> RollbackMethod {
    RollbackMethod::RegistrationNeeded {
        register: RollbackRevision {
            task_definition: arn("web:1").name(),
            rollback: RollbackCopy {
                digest: None,
                rolls_back: arn("web:2"),
            },
        },
    }
}

fn thrown(error: &str, message: &str) -> StateError {
    StateError {
        error: error.to_owned(),
        cause: json!({"errorType": error, "errorMessage": message}).to_string(),
        since: None,
    }
}

/// After a rollout whose last read was this.
fn checked(verdict: Verdict, message: &str) -> ServiceEnd {
    ServiceEnd {
        check: Some(check(verdict, message)),
        ..end(Some(update(UpdateOutcome::Started(to_the_second()))))
    }
}

/// After a rollout that failed and was rolled back, whose last read was this.
fn back(verdict: Verdict, message: &str) -> ServiceEnd {
    ServiceEnd {
        roll_back: Some(rollback(RollbackMethod::UpdatedService(to_the_first()))),
        roll_back_check: Some(check(verdict, message)),
        ..crashed()
    }
}

/// After a rollout whose tasks crashed.
fn crashed() -> ServiceEnd {
    let says = "0 of 2 tasks running; 3 stopped: web exited with code 1 (3 times)";
    ServiceEnd {
        check: Some(Check {
            failed_containers: vec!["web".to_owned()],
            ..check(Verdict::Failed, says)
        }),
        ..checked(Verdict::Failed, says)
    }
}

const FAILED: &str = "web in production did not become stable on web:2 with app:v2: \
                      0 of 2 tasks running; 3 stopped: web exited with code 1 (3 times).";
const RETRY: &str = "or redrive this execution to try the same image again";

#[track_caller]
fn succeeds(end: &ServiceEnd, outcome: ServiceOutcome, message: &str) {
    let conclusion = conclude(end, 0).unwrap();
    assert_eq!(
        (conclusion.outcome, conclusion.message.as_str()),
        (Some(outcome), message)
    );
    assert_eq!((conclusion.to, conclusion.retry.len()), (Some(arn("web:2")), 0));
}

#[track_caller]
fn throws(end: &ServiceEnd, name: &str, message: &str) {
    let error = conclude(end, 0).unwrap_err();
    assert_eq!((error.name(), error.to_string().as_str()), (name, message));
}

// One service, green.

#[test]
fn a_service_that_is_stable_is_deployed() {
    let stable = checked(Verdict::Stable, "2 of 2 tasks running");
    succeeds(
        &stable,
        ServiceOutcome::Deployed,
        "web in production is stable on web:2: 2 of 2 tasks running",
    );
    let conclusion = conclude(&stable, 0).unwrap();
    assert_eq!(
        (conclusion.from, conclusion.cluster, conclusion.service),
        (Some(arn("web:1")), stable.cluster, stable.service)
    );
}

#[test]
fn a_service_that_was_there_before_is_already_deployed() {
    let there = ServiceEnd {
        update: Some(update(UpdateOutcome::AlreadyDeployed(to_the_second()))),
        ..checked(Verdict::Stable, "2 of 2 tasks running")
    };
    succeeds(
        &there,
        ServiceOutcome::AlreadyDeployed,
        "web in production is stable on web:2: 2 of 2 tasks running",
    );
}

#[test]
fn peer_13_an_older_push_ends_superseded_not_failed() {
    let before = end(Some(update(UpdateOutcome::Superseded {})));
    succeeds(
        &before,
        ServiceOutcome::Superseded,
        "web in production is on web:3, of a newer push",
    );
    let after = checked(Verdict::Superseded, "web:3, of a newer push, replaced it");
    succeeds(
        &after,
        ServiceOutcome::Superseded,
        "web in production: web:3, of a newer push, replaced it",
    );
}

#[test]
fn a_rollback_that_a_newer_push_overtakes_has_an_outcome_of_its_own() {
    let before = ServiceEnd {
        roll_back: Some(rollback(RollbackMethod::Superseded {})),
        roll_back_check: None,
        ..back(Verdict::Stable, "")
    };
    let says = format!("{FAILED} web in production is on web:3 by another deployment");
    succeeds(&before, ServiceOutcome::RollBackSuperseded, &says);
    let says = format!("{FAILED} web:3 took over");
    succeeds(
        &back(Verdict::Superseded, "web:3 took over"),
        ServiceOutcome::RollBackSuperseded,
        &says,
    );
}

#[test]
fn a_rollback_that_anything_else_overtakes_is_red_for_nobody_else_tells_of_the_failure() {
    let before = ServiceEnd {
        roll_back: Some(rollback(RollbackMethod::Displaced {})),
        roll_back_check: None,
        ..back(Verdict::Stable, "")
    };
    for (end, why) in [
        (before, "web in production is on web:3 by another deployment"),
        (back(Verdict::Displaced, "web:3 took over"), "web:3 took over"),
    ] {
        let says = format!(
            "{FAILED} Another deployment has replaced this rollout: {why}. Fix the image and push again, {RETRY}"
        );
        throws(&end, "Deploy.RolledBack", &says);
    }
}

/// The same end, where a newer revision of somebody else's was taken as the source.
fn from_a_newer_one(end: ServiceEnd) -> ServiceEnd {
    ServiceEnd {
        base: Some(BaseNote {
            task_definition: arn("web:7").name(),
            differs: vec!["cpu".to_owned()],
            message: "it was made from web:7, which differs in cpu".to_owned(),
        }),
        ..end
    }
}

#[test]
fn a_revision_that_was_made_from_somebody_elses_says_so_however_it_ends() {
    let stable = from_a_newer_one(checked(Verdict::Stable, "2 of 2 tasks running"));
    let says =
        "web in production is stable on web:2: 2 of 2 tasks running; it was made from web:7, which differs in cpu";
    succeeds(&stable, ServiceOutcome::Deployed, says);
    assert_eq!(conclude(&stable, 0).unwrap().base, Some(arn("web:7").name()));

    let failed = from_a_newer_one(back(Verdict::Stable, "2 of 2 tasks running"));
    let says = format!(
        "{FAILED} It was made from web:7, which differs in cpu. It is back on web:1 and stable. \
         Fix the image and push again, {RETRY}"
    );
    throws(&failed, "Deploy.RolledBack", &says);
}

#[test]
fn where_another_revision_of_the_push_is_watched_its_source_is_not_told() {
    let there = ServiceEnd {
        task_definition: Some(arn("web:3")),
        ..from_a_newer_one(checked(Verdict::Stable, "2 of 2 tasks running"))
    };
    let conclusion = conclude(&there, 0).unwrap();
    assert_eq!(
        conclusion.message,
        "web in production is stable on web:2: 2 of 2 tasks running"
    );
    assert_eq!(conclusion.base, None);
}

// One service, red.

#[test]
fn peer_1_a_service_that_was_rolled_back_fails_with_its_reason_and_what_to_do() {
    let says = format!("{FAILED} It is back on web:1 and stable. Fix the image and push again, {RETRY}");
    throws(
        &back(Verdict::Stable, "2 of 2 tasks running"),
        "Deploy.RolledBack",
        &says,
    );
}

#[test]
fn a_rollback_that_fails_too_says_so_in_its_own_error() {
    let advice = "Look at the service now; push a good image";
    let failed = back(Verdict::Failed, "0 of 2 tasks running");
    let says = format!("{FAILED} The rollback to web:1 failed too: 0 of 2 tasks running. {advice}, {RETRY}");
    throws(&failed, "Deploy.RollBackFailed", &says);
    let unseen = ServiceEnd {
        roll_back_check: None,
        ..failed.clone()
    };
    let says = format!("{FAILED} The rollback to web:1 failed too: it was never read. {advice}, {RETRY}");
    throws(&unseen, "Deploy.RollBackFailed", &says);
    let refused = ServiceEnd {
        roll_back_error: Some(thrown("Deploy.Rejected", "its image is gone from ECR")),
        ..failed.clone()
    };
    let says =
        format!("{FAILED} The rollback failed too (Deploy.Rejected: its image is gone from ECR). {advice}, {RETRY}");
    throws(&refused, "Deploy.RollBackFailed", &says);
    // The second is the end of an execution that could not register the revision to go back to.
    for roll_back in [None, Some(rollback(registration_needed()))] {
        let never = ServiceEnd {
            roll_back,
            ..failed.clone()
        };
        throws(
            &never,
            "Deploy.RollBackFailed",
            &format!("{FAILED} It was not rolled back. {advice}, {RETRY}"),
        );
    }
}

#[test]
fn an_error_after_the_update_is_told_and_what_came_of_the_rollback() {
    let denied = ServiceEnd {
        error: Some(thrown("Deploy.Rejected", "ListTasks: AccessDeniedException")),
        check: Some(check(Verdict::Stable, "an earlier read")),
        ..back(Verdict::Stable, "")
    };
    let says = "web in production is not known to be stable on web:2 with app:v2: it could not be watched (Deploy.Rejected: ListTasks: \
         AccessDeniedException). That is no verdict on the image. It is back on web:1 and stable. Remove the cause, then \
         redrive this execution to try the same image again";
    throws(&denied, "Deploy.RolledBack", says);
    let unseen = ServiceEnd {
        check: None,
        ..back(Verdict::Stable, "")
    };
    assert!(
        conclude(&unseen, 0)
            .unwrap_err()
            .to_string()
            .contains("it was never read. It is back")
    );
}

/// Nobody continued a lifecycle hook, a role is missing, or there is no room.
#[test]
fn without_a_crash_the_next_step_is_not_only_to_fix_the_image() {
    let at_a_hook = ServiceEnd {
        check: Some(check(Verdict::Failed, "nobody continued it")),
        ..back(Verdict::Stable, "")
    };
    throws(
        &at_a_hook,
        "Deploy.RolledBack",
        "web in production did not become stable on web:2 with app:v2: nobody continued it. It is back on web:1 and stable. Remove \
         the cause, or fix the image and push again; redrive this execution to try the same image again",
    );
}

const GONE: &str = "web in production is not there (DescribeServices: MISSING)";

#[test]
fn a_service_that_was_deleted_is_no_failure_whenever_that_was() {
    let before = UpdateOutput {
        message: GONE.to_owned(),
        ..update(UpdateOutcome::ServiceDeleted {})
    };
    succeeds(&end(Some(before)), ServiceOutcome::ServiceDeleted, GONE);
    succeeds(
        &checked(Verdict::ServiceDeleted, GONE),
        ServiceOutcome::ServiceDeleted,
        GONE,
    );
    let before_it_went_back = ServiceEnd {
        roll_back: Some(RollBackOutput {
            message: GONE.to_owned(),
            ..rollback(RollbackMethod::ServiceDeleted {})
        }),
        roll_back_check: None,
        ..back(Verdict::InProgress, "")
    };
    for end in [before_it_went_back, back(Verdict::ServiceDeleted, GONE)] {
        let says = format!("{FAILED} Now {GONE}");
        succeeds(&end, ServiceOutcome::ServiceDeleted, &says);
    }
}

#[test]
fn a_service_that_was_put_on_hold_is_no_failure_and_its_end_has_the_words_of_the_hold() {
    let words = "web in production stays as it is: its tag ecr-deploy:hold was set after the plan was made: \"ann\"";
    let held = UpdateOutput {
        message: words.to_owned(),
        ..update(UpdateOutcome::OnHold {})
    };
    succeeds(&end(Some(held)), ServiceOutcome::OnHold, words);
}

#[test]
fn a_rollout_that_nobody_could_read_is_no_verdict_on_the_image() {
    for error in Error::PASSING {
        let unread = ServiceEnd {
            error: Some(StateError {
                since: Some(at(60)),
                ..thrown(error, "Rate Exceeded")
            }),
            ..back(Verdict::Stable, "2 of 2 tasks running")
        };
        let since = at(60);
        let failed = format!(
            "web in production is not known to be stable on web:2 with app:v2: nobody could read it until its time was over \
             ({error}: Rate Exceeded; tried since {since}). That is no verdict on the image."
        );
        let says =
            format!("{failed} It is back on web:1 and stable. Redrive this execution to try the same image again");
        throws(&unread, "Deploy.RolledBack", &says);
        let not_back = ServiceEnd {
            roll_back_error: Some(thrown("Deploy.Rejected", "no")),
            ..unread
        };
        let says = format!(
            "{failed} The rollback failed too (Deploy.Rejected: no). Look at the service now, then redrive this execution to \
             try the same image again"
        );
        throws(&not_back, "Deploy.RollBackFailed", &says);
    }
}

#[test]
fn a_service_that_is_back_on_a_revision_that_has_the_image_too_is_deployed() {
    let back_on_it = |verdict| ServiceEnd {
        roll_back: Some(rollback(RollbackMethod::StoppedDeployment(WatchedRollback {
            has_image: true,
            ..to_the_first()
        }))),
        ..back(verdict, "")
    };
    let says = format!("{FAILED} It is stable on web:1, which has the image too");
    succeeds(&back_on_it(Verdict::Stable), ServiceOutcome::Deployed, &says);
    assert!(conclude(&back_on_it(Verdict::Failed), 0).is_err());
}

#[test]
fn a_rollback_that_left_a_later_revision_names_it_since_somebody_may_miss_what_it_brought() {
    let from_the_third = ServiceEnd {
        roll_back: Some(rollback(RollbackMethod::UpdatedService(WatchedRollback {
            from: Some(arn("web:3")),
            ..to_the_first()
        }))),
        ..back(Verdict::Stable, "")
    };
    let says = format!(
        "{FAILED} It is back on web:1 and stable; this also took back web:3, a later revision with the same image. Fix the image and push again, or redrive \
         this execution to try the same image again"
    );
    throws(&from_the_third, "Deploy.RolledBack", &says);
}

#[test]
fn a_service_whose_tasks_crashed_with_the_image_is_not_deployed_by_going_back_to_a_revision_that_has_it_too() {
    let with_it = ServiceEnd {
        roll_back: Some(rollback(RollbackMethod::StoppedDeployment(WatchedRollback {
            has_image: true,
            image_failed: true,
            ..to_the_first()
        }))),
        ..back(Verdict::Stable, "")
    };
    let says = format!(
        "{FAILED} It is back on web:1, which was stable before but has the image too. Fix the image and push again, \
         or redrive this execution to try the same image again"
    );
    throws(&with_it, "Deploy.RolledBack", &says);
    let without = ServiceEnd {
        roll_back: Some(rollback(RollbackMethod::UpdatedService(WatchedRollback {
            image_failed: true,
            ..to_the_first()
        }))),
        ..back(Verdict::Stable, "")
    };
    let says = format!(
        "{FAILED} It is back on web:1 and stable. Fix the image and push again, or redrive this execution to try the same \
         image again"
    );
    throws(&without, "Deploy.RolledBack", &says);
}

#[test]
fn the_message_names_the_revision_that_was_watched() {
    let mut end = back(Verdict::Stable, "");
    end.task_definition = Some(arn("web:8"));
    let message = conclude(&end, 0).unwrap_err().to_string();
    assert!(message.starts_with(FAILED), "{message}");
    end.update = None;
    let message = conclude(&end, 0).unwrap_err().to_string();
    assert!(message.contains("was not updated to web:8"), "{message}");
}

#[test]
fn a_service_without_a_revision_is_not_changed_and_is_done_again_after_a_redrive() {
    let end = ServiceEnd {
        task_definition: None,
        error: Some(thrown(
            "Deploy.Rejected",
            "RegisterTaskDefinition of family web: no role",
        )),
        ..end(None)
    };
    let says = "web in production was not updated for app:v2: RegisterTaskDefinition of family web: no role. Nothing was \
                changed; redrive this execution to try again";
    throws(&end, "Deploy.Rejected", says);
    let again = conclude(&end, 1).unwrap();
    assert_eq!((again.to, again.retry), (None, vec![service_id()]));
}

#[test]
fn a_service_that_was_not_changed_fails_by_the_name_of_what_stopped_the_update() {
    let what = "web in production was not updated to web:2 for app:v2";
    for (thrown_by, name) in [
        ("Deploy.NotFound", "Deploy.NotFound"),
        ("Deploy.Rejected", "Deploy.Rejected"),
        ("Deploy.InvalidInput", "Deploy.InvalidInput"),
    ] {
        let says = format!("{what}: no. Nothing was changed; redrive this execution to try again");
        for update in [
            None,
            Some(update(UpdateOutcome::RollingBack {})),
            Some(update(UpdateOutcome::Rebase { source: arn("web:3") })),
        ] {
            throws(
                &ServiceEnd {
                    error: Some(thrown(thrown_by, "no")),
                    ..end(update)
                },
                name,
                &says,
            );
        }
    }
    let had_its_turn = ServiceEnd {
        error: Some(thrown("Deploy.RolledBack", "it was on web:2 for this push before")),
        ..end(None)
    };
    let says = "it was on web:2 for this push before. Nothing was changed; fix the image and push again, or redrive this \
                execution to try the same image again";
    throws(&had_its_turn, "Deploy.RolledBack", &format!("{what}: {says}"));
    throws(
        &end(None),
        "Deploy.ServicesFailed",
        &format!("{what}; redrive this execution to try again"),
    );
}

#[test]
fn where_nobody_answered_it_is_not_known_whether_the_service_was_updated_once_it_had_a_revision() {
    for thrown_by in Error::PASSING.into_iter().chain(["Lambda.Unknown"]) {
        let unanswered = ServiceEnd {
            error: Some(thrown(thrown_by, "no usable answer")),
            ..end(None)
        };
        let says = "It is not known whether web in production was updated to web:2 for app:v2: no usable answer. Look at the service \
                    now; redrive this execution to try again";
        throws(&unanswered, "Deploy.ServicesFailed", says);
        let not_registered = ServiceEnd {
            task_definition: None,
            ..unanswered
        };
        let says = "web in production was not updated for app:v2: no usable answer. Nothing was changed; redrive this execution to \
                    try again";
        throws(&not_registered, "Deploy.ServicesFailed", says);
    }
}

#[test]
fn a_redrive_sends_a_failed_service_back_and_only_that() {
    let failed = ServiceEnd {
        attempt: 1,
        ..back(Verdict::Stable, "")
    };
    assert_eq!(
        conclude(&failed, 1).unwrap_err().name(),
        "Deploy.RolledBack",
        "no redrive since it failed"
    );
    let again = conclude(&failed, 2).unwrap();
    assert_eq!((again.outcome, again.retry), (None, vec![service_id()]));
    assert_eq!(again.message, "web in production is deployed again after a redrive");
    let stable = conclude(&checked(Verdict::Stable, "all run"), 2).unwrap();
    assert_eq!(
        (stable.outcome, stable.retry.len()),
        (Some(ServiceOutcome::Deployed), 0)
    );
}

#[test]
fn a_rollout_that_failed_in_a_stage_without_rollbacks_is_red_and_says_how_to_go_back() {
    let stays = |end: ServiceEnd| ServiceEnd {
        settings: RolloutSettings {
            rollback: RollbackSetting::None,
            ..end.settings
        },
        ..end
    };
    let crashed = "0 of 2 tasks running; 3 stopped: web exited with code 1 (3 times)";
    let failed = stays(checked(Verdict::Failed, crashed));
    let stays_on = "It stays on web:2, since the rollback of its stage is none; only a circuit breaker or an alarm of the service's \
                    own takes it back. Look at the service now; push a good image";
    let go_back = "To take it back to web:1 and hold it there:\necr-deploy rollback production/web --why '…'";
    throws(
        &failed,
        "Deploy.NotRolledBack",
        &format!("{FAILED} {stays_on}, {RETRY}. {go_back}"),
    );
    let first = ServiceEnd {
        update: Some(update(UpdateOutcome::Started(WatchedUpdate {
            previous: None,
            ..to_the_second()
        }))),
        ..failed.clone()
    };
    let unknown = "no revision of it is known to have been stable";
    throws(
        &first,
        "Deploy.NotRolledBack",
        &format!("{FAILED} {stays_on}, {RETRY}; {unknown}"),
    );
    let unread = stays(ServiceEnd {
        error: Some(thrown("Deploy.Unavailable", "ECS does not answer")),
        ..checked(Verdict::InProgress, "1 of 2 tasks running")
    });
    let message = conclude(&unread, 0).unwrap_err().to_string();
    assert!(
        message.contains("That is no verdict on the image. It stays on web:2"),
        "{message}"
    );
    assert_eq!(
        conclude(&failed, 1).unwrap().retry,
        [service_id()],
        "a redrive tries it again"
    );
    // All else ends as in any stage.
    succeeds(
        &stays(checked(Verdict::Stable, "all run")),
        ServiceOutcome::Deployed,
        "web in production is stable on web:2: all run",
    );
    let superseded = stays(checked(Verdict::Superseded, "a newer push is there"));
    assert_eq!(
        conclude(&superseded, 0).unwrap().outcome,
        Some(ServiceOutcome::Superseded)
    );
}

#[test]
fn a_cause_is_read_out_of_lambdas_json() {
    let readable = |cause: &str| {
        readable(&StateError {
            error: "Lambda.Unknown".to_owned(),
            cause: cause.to_owned(),
            since: None,
        })
    };
    assert_eq!(
        readable(r#"{"errorType":"Deploy.Rejected","errorMessage":"no \"way\""}"#),
        "no \"way\""
    );
    assert_eq!(
        readable(r#"{"errorType":"Sandbox.Timedout"}"#),
        r#"{"errorType":"Sandbox.Timedout"}"#
    );
    assert_eq!(readable("[1]"), "[1]");
    assert_eq!(readable("plain words"), "plain words");
    assert_eq!(readable(r#"{"errorMessage":""}"#), "Lambda.Unknown");
    assert_eq!(readable(""), "Lambda.Unknown");
}

// A push.

proptest! {
    #[test]
    fn a_service_never_succeeds_as_deployed_unless_its_last_read_was_stable(
        outcome in prop::option::of(prop::sample::select(vec![
            UpdateOutcome::Started(to_the_second()), UpdateOutcome::AlreadyDeployed(to_the_second()), UpdateOutcome::RollingBack {}, UpdateOutcome::Rebase { source: arn("web:3") }, UpdateOutcome::Superseded {},
        ])),
        verdict in prop::option::of(prop::sample::select(vec![
            Verdict::Stable, Verdict::InProgress, Verdict::Failed, Verdict::Superseded, Verdict::Displaced,
        ])),
        has_error in any::<bool>(),
        back in prop::option::of(prop::sample::select(vec![Verdict::Stable, Verdict::Failed, Verdict::Superseded])),
    ) {
        let end = ServiceEnd {
            check: verdict.map(|verdict| check(verdict, "so it looks")),
            error: has_error.then(|| thrown("Deploy.Rejected", "no")),
            roll_back: back.map(|_| rollback(RollbackMethod::UpdatedService(to_the_first()))),
            roll_back_check: back.map(|verdict| check(verdict, "so it looks")),
            ..end(outcome.map(update))
        };
        match conclude(&end, 0) {
            Ok(done) if matches!(done.outcome, Some(ServiceOutcome::Deployed | ServiceOutcome::AlreadyDeployed)) => {
                prop_assert!(verdict == Some(Verdict::Stable) && !has_error);
            }
            Ok(done) => prop_assert!(done.outcome.is_some()),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.contains("web in production"), "{}", message);
                prop_assert!(message.contains("push") || message.contains("redrive"), "{}", message);
            }
        }
    }
}
