//! `history`, `why`, `retry`, `status`, `hold` and `unhold`.

use crate::support::Person::{Operator, Reader};
use crate::support::{INSTALLED, run};
use ecr_deploy_cli::commands::{Held, History, Status, Why};
use ecr_deploy_cli::push::Push;
use ecr_deploy_cli::report::Outcome;
use simulated_ecs::Behaviour;

#[test]
fn a_failed_push_is_found_told_and_tried_again() {
    run(async {
        let it = &*INSTALLED;
        it.services("told/web", "web", &["told"]).await;
        it.aws.push_simulated("told/web", "v2", Some(Behaviour::Crash)).unwrap();
        it.types(Operator, "deploy told/web:v2").ended(3);

        // As one who may only read.
        it.types(Reader, "history told/web")
            .ended(0)
            .says(&["told/web:v2", "FAILED", "root", "Times are UTC."]);
        let history: History = it.types(Reader, "history told/web --output json").ended(0).document();
        let [entry] = history.entries.as_slice() else {
            panic!("{history:?}")
        };
        let nothing = it.types(Reader, "history nobody/web").ended(1);
        assert!(
            nothing.notes.contains("no push to a repository nobody/web"),
            "{}",
            nothing.notes
        );

        let said = it.types(Reader, "why told/web:v2").ended(0);
        said.says(&[
            "told/web:v2  ROLLED_BACK",
            "AFTER",
            "Update service",
            "web in told from told-web:1 to told-web:2",
            "web exited with code 1",
            "Roll back",
            "Conclude",
            "Deploy.RolledBack: web in told did not become",
        ]);
        let why: Why = it
            .types(Reader, &format!("why {} web --output json", entry.push))
            .ended(0)
            .document();
        assert_eq!(why.push.outcome, Outcome::RolledBack);
        let [story] = why.stories.as_slice() else {
            panic!("{why:?}")
        };
        assert!(story.steps.len() > 3, "{story:?}");
        // The execution of the service alone leads to the same.
        let execution = story.deployed.execution.clone().unwrap();
        let same: Why = it
            .says_to(Reader, &["why", &execution, "--output", "json"])
            .ended(0)
            .document();
        assert_eq!(same.push.push, why.push.push);
        it.types(Reader, "why told/web:v9").ended(1);
        it.types(Reader, "why told/web:v2 other").ended(1);

        let refused = it.types(Reader, "retry told/web:v2").ended(1);
        assert!(refused.notes.contains("OperatorsPolicyArn"), "{}", refused.notes);
        let retried: Push = it
            .types(Operator, "retry told/web:v2 --output json")
            .ended(3)
            .document();
        assert_eq!(retried.push, entry.push);
        assert_eq!(retried.services[0].outcome, "Deploy.RolledBack");
    });
}

#[test]
fn the_status_tells_what_runs_since_which_push_and_what_waits_and_a_hold_keeps_it() {
    run(async {
        let it = &*INSTALLED;
        it.services("shown/web", "web", &["shown"]).await;
        it.aws.push_simulated("shown/web", "v2", None).unwrap();
        it.types(Operator, "deploy shown/web:v2").ended(0);

        it.types(Reader, "status shown/web").ended(0).says(&[
            "shown/web:v2",
            "shown-web:2",
            "1 of 1 running",
            "rest",
            "root",
            "DEPLOYED of shown/web:v2",
        ]);
        it.types(Reader, "status")
            .ended(0)
            .says(&["SERVICE", "shown/web", "v2", "DEPLOYED"]);

        let refused = it.says_to(Reader, &["hold", "shown/web", "--why", "audit"]).ended(1);
        assert!(refused.notes.contains("OperatorsPolicyArn"), "{}", refused.notes);
        it.says_to(Operator, &["hold", "shown/web", "--why", "until the cause is found"])
            .ended(0)
            .says(&["shown/web is on hold: root - until the cause is found"]);
        it.aws.push_simulated("shown/web", "v3", None).unwrap();
        it.types(Operator, "deploy shown/web:v3").ended(5).says(&[
            "NOTHING_TO_DEPLOY",
            "ON_HOLD",
            "the cause is found",
        ]);
        it.types(Reader, "history shown/web")
            .ended(0)
            .says(&["shown/web:v3", "ON_HOLD", "DEPLOYED"]);
        let status: Status = it.types(Reader, "status shown/web --output json").ended(0).document();
        let [service] = status.services.as_slice() else {
            panic!("{status:?}")
        };
        assert_eq!(service.hold.as_deref(), Some("root - until the cause is found"));
        assert_eq!(service.images[0].waiting.as_ref().unwrap().tag, "v3");
        it.types(Reader, "status shown").ended(0).says(&["on hold", "v3"]);

        let lifted: Held = it.types(Operator, "unhold shown/web --output json").ended(0).document();
        assert_eq!(lifted.before.as_deref(), Some("root - until the cause is found"));
        it.types(Operator, "unhold shown/web")
            .ended(0)
            .says(&["shown/web was not on hold"]);
        it.types(Operator, "deploy shown/web:v3").ended(0);
        it.types(Reader, "history shown/web --name-is service")
            .ended(0)
            .says(&["shown/web: v3", "DEPLOYED"]);
        it.types(Reader, "status nowhere").ended(1);
    });
}
