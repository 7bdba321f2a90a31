//! A service that an operator takes back from `web:2`, with the image `app:v2`, to `web:1`.

use super::*;
use crate::service::conclude;
use crate::sum_up::sum_up_service;
use ecr_deploy::contract::{
    Check, RollbackCopy, RollbackRevision, ServiceState, StateError, UpdateOutput, WatchedRollback,
};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::testing::{arn, at, pushed, rollout, service_id};

fn end(method: Option<RollbackMethod>, verdict: Option<Verdict>, error: Option<&str>) -> ServiceEnd {
    let check = |verdict| Check {
        verdict,
        message: "2 of 2 tasks running".to_owned(),
        reasons: vec![],
        failed_containers: vec![],
        containers: vec![],
        running: 2,
        desired: 2,
        wait: 15,
        deadline: None,
        waits_for: None,
    };
    let asked = WatchedUpdate {
        rollout: rollout("web:2"),
        previous: Some(arn("web:1")),
    };
    ServiceEnd {
        image: pushed(2),
        cluster: service_id().cluster,
        service: service_id().service,
        task_definition: None,
        base: None,
        update: Some(UpdateOutput {
            outcome: UpdateOutcome::RollBack(asked),
            deadline: at(1800),
            wait: 0,
            message: "ann - the checkout is broken".to_owned(),
        }),
        check: None,
        error: None,
        roll_back: method.map(|method| RollBackOutput {
            method,
            message: "web in production is on web:3 by another deployment".to_owned(),
            wait: 15,
        }),
        roll_back_check: verdict.map(check),
        roll_back_error: error.map(|error| StateError {
            error: error.to_owned(),
            cause: "the image is archived".to_owned(),
            since: None,
        }),
        settings: RolloutSettings::default(),
        attempt: 0,
    }
}

fn watched() -> WatchedRollback {
    WatchedRollback {
        rollout: rollout("web:1"),
        has_image: false,
        image_failed: false,
        from: None,
    }
}

#[test]
fn a_service_that_is_back_is_green_and_says_who_wanted_it() {
    use RollbackMethod::{
        Displaced, RegistrationNeeded, ServiceDeleted, StoppedDeployment, Superseded, UpdatedService,
    };
    let register = RollbackRevision {
        task_definition: arn("web:1").name(),
        rollback: RollbackCopy {
            digest: None,
            rolls_back: arn("web:2"),
        },
    };
    let updated = || Some(UpdatedService(watched()));
    let stable = Some(Verdict::Stable);
    for (end, outcome, state, says) in vec![
        (
            end(updated(), stable, None),
            "RolledBack",
            ServiceState::RolledBack,
            "is back on web:1 and stable: 2 of 2",
        ),
        (
            end(Some(StoppedDeployment(watched())), stable, None),
            "RolledBack",
            ServiceState::RolledBack,
            "It was taken back from web:2 with app:v2: ann - the checkout is broken",
        ),
        (
            end(Some(Superseded {}), None, None),
            "Superseded",
            ServiceState::Superseded,
            "But web in production is on web:3",
        ),
        (
            end(Some(Displaced {}), None, None),
            "Superseded",
            ServiceState::Superseded,
            "by another deployment",
        ),
        (
            end(updated(), Some(Verdict::Displaced), None),
            "Superseded",
            ServiceState::Superseded,
            "was to be taken back",
        ),
        (
            end(Some(ServiceDeleted {}), None, None),
            "ServiceDeleted",
            ServiceState::ServiceDeleted,
            "web:3",
        ),
        (
            end(updated(), Some(Verdict::Failed), None),
            "Deploy.RollBackFailed",
            ServiceState::Failed,
            "Look at the service now; to try again, with the same --to if it had one:\necr-deploy rollback production/web --why '…'",
        ),
        (
            end(updated(), Some(Verdict::InProgress), None),
            "Deploy.RollBackFailed",
            ServiceState::Failed,
            "That failed: 2 of 2",
        ),
        (
            end(updated(), None, None),
            "Deploy.RollBackFailed",
            ServiceState::Failed,
            "was never read",
        ),
        (
            end(updated(), stable, Some("Deploy.Rejected")),
            "Deploy.RollBackFailed",
            ServiceState::Failed,
            "Deploy.Rejected: the image is archived",
        ),
        (
            end(Some(RegistrationNeeded { register }), None, None),
            "Deploy.RollBackFailed",
            ServiceState::Failed,
            "was not registered",
        ),
        (
            end(None, None, Some("Deploy.Rejected")),
            "Deploy.Rejected",
            ServiceState::Failed,
            "was not taken back from web:2 with app:v2: ann - the checkout is broken: the image is archived. Nothing was changed",
        ),
    ] {
        let (found, message) = match conclude(&end, 0) {
            Ok(it) => (format!("{:?}", it.outcome.unwrap()), it.message),
            Err(error) => (error.name().to_owned(), error.to_string()),
        };
        assert_eq!(found, outcome, "{message}");
        assert!(message.contains(says), "{message}");
        let summary = sum_up_service(&end, at(0), at(60));
        assert_eq!(summary.state, state, "{message}");
        assert_eq!(summary.error.is_some(), outcome.contains('.'), "{message}");
        assert_eq!(summary.from, Some(arn("web:2")));
    }
}

#[test]
fn where_nobody_answered_it_is_not_known_whether_it_was_taken_back_and_the_command_tries_again() {
    let error = conclude(&end(None, None, Some("Deploy.Unavailable")), 0).unwrap_err();
    let says = "It is not known whether web in production was taken back from web:2 with app:v2: ann - the checkout is broken: the \
                image is archived. Look at the service now; to try again, with the same --to if it had one:\necr-deploy rollback \
                production/web --why '…'";
    assert_eq!(
        (error.name(), error.to_string().as_str()),
        ("Deploy.ServicesFailed", says)
    );
}

#[test]
fn it_says_from_which_revision_to_which() {
    let concluded = conclude(
        &end(Some(RollbackMethod::Watching(watched())), Some(Verdict::Stable), None),
        0,
    )
    .unwrap();
    assert_eq!((concluded.from, concluded.to), (Some(arn("web:2")), Some(arn("web:1"))));
}

#[test]
fn one_that_failed_is_tried_again_after_a_redrive() {
    let concluded = conclude(&end(None, None, Some("Deploy.Rejected")), 1).unwrap();
    assert_eq!((concluded.outcome, concluded.retry.len()), (None, 1));
}
