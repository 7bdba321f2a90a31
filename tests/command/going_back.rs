//! `rollback`.

use crate::support::Person::{Operator, Reader};
use crate::support::{INSTALLED, LIMIT, run};
use ecr_deploy_cli::commands::{Rollback, Status, Why};
use ecr_deploy_cli::report::Outcome;
use local_aws::pause;
use simulated_ecs::Behaviour;
use std::time::{Duration, Instant};

#[test]
fn a_service_is_taken_back_to_its_last_good_revision_and_stays_there() {
    run(async {
        let it = &*INSTALLED;
        it.services("back/web", "web", &["back"]).await;
        for tag in ["v2", "v3", "v4"] {
            it.aws.push_simulated("back/web", tag, None).unwrap();
        }
        it.types(Operator, "deploy back/web:v2").ended(0);
        it.types(Operator, "deploy back/web:v3").ended(0);

        let words = ["rollback", "back/web", "--why", "the checkout is broken"];
        let refused = it.says_to(Reader, &words).ended(1);
        assert!(refused.notes.contains("OperatorsPolicyArn"), "{}", refused.notes);
        let said = it.says_to(Operator, &words).ended(0);
        let execution = said.text.split_whitespace().find(|it| it.starts_with("web-rollback-"));
        let execution = execution.unwrap().to_owned();
        said.says(&[
            "back/web  ROLLED_BACK",
            "from       back-web:3 with back/web:v3",
            "to         back-web:2",
            "on hold    root - the checkout is broken",
            "web-rollback-",
            "web in back is back on back-web:2 and stable",
            "ecr-deploy unhold back/web",
        ]);
        assert!(said.notes.contains("back/web is on hold: root"), "{}", said.notes);

        // No push moves it now.
        it.types(Operator, "deploy back/web:v4").ended(5).says(&["ON_HOLD"]);
        let status: Status = it.types(Reader, "status back/web --output json").ended(0).document();
        let [service] = status.services.as_slice() else {
            panic!("{status:?}")
        };
        assert_eq!((service.revision.as_str(), service.steady), ("back-web:2", true));
        let last = service.last.as_ref().unwrap();
        assert_eq!(
            (last.outcome.as_str(), last.image.as_str()),
            ("ROLLED_BACK", "back/web:v3")
        );
        it.types(Reader, "history back/web --name-is service").ended(0).says(&[
            "back/web: v3",
            "ROLLED_BACK",
            "DEPLOYED",
        ]);

        it.says_to(Reader, &["why", &execution]).ended(0).says(&[
            "ROLLED_BACK",
            "Check rollback",
            "It is part of no push",
        ]);
        let retried = it.says_to(Operator, &["retry", &execution]).ended(2);
        assert!(
            retried.notes.contains("somebody took back/web back by it"),
            "{}",
            retried.notes
        );

        // Once more would go further back than anybody means.
        let again = it.says_to(Operator, &words).ended(2);
        assert!(again.notes.contains("name the revision by --to"), "{}", again.notes);
        let further = [
            "rollback", "back/web", "--to", "1", "--why", "older", "--output", "json",
        ];
        let further: Rollback = it.says_to(Operator, &further).ended(0).document();
        assert_eq!(
            (further.from.as_str(), further.to.as_deref()),
            ("back-web:2", Some("back-web:1"))
        );
        assert_eq!(further.held_before.as_deref(), Some("root - the checkout is broken"));
        let service = it.aws.describe_service("back", "web").await.unwrap();
        assert!(service.task_definition().unwrap().ends_with(":1"));
    });
}

#[test]
fn the_contents_of_the_last_good_revision_come_back_although_its_tag_was_pushed_over() {
    run(async {
        let it = &*INSTALLED;
        it.services("contents/web", "web", &["contents"]).await;
        let good = it.aws.push_simulated("contents/web", "v2", None).unwrap().digest;
        it.types(Operator, "deploy contents/web:v2").ended(0);
        it.aws.push_simulated("contents/web", "v3", None).unwrap();
        it.types(Operator, "deploy contents/web:v3").ended(0);
        it.aws.push_simulated("contents/web", "v2", None).unwrap();

        let words = ["rollback", "contents/web", "--why", "broken", "--output", "json"];
        let back: Rollback = it.says_to(Operator, &words).ended(0).document();
        assert_eq!(back.outcome, "ROLLED_BACK", "{back:?}");
        let status: Status = it
            .types(Reader, "status contents/web --output json")
            .ended(0)
            .document();
        assert_eq!(status.services[0].images[0].digest.as_deref(), Some(good.as_str()));
        assert_eq!(Some(status.services[0].revision.as_str()), back.to.as_deref());
    });
}

#[test]
fn what_cannot_be_taken_back_is_left_as_it_is_and_not_held() {
    run(async {
        let it = &*INSTALLED;
        it.services("first/web", "web", &["first"]).await;
        let first = it
            .says_to(Operator, &["rollback", "first/web", "--why", "broken"])
            .ended(1);
        assert!(first.notes.contains("no revision but first-web:1"), "{}", first.notes);
        let status: Status = it.types(Reader, "status first/web --output json").ended(0).document();
        assert_eq!(status.services[0].hold, None);
        it.types(Operator, "rollback first/web").ended(2);
    });
}

#[test]
fn a_push_that_is_being_deployed_is_taken_back_and_ends_red() {
    run(async {
        let it = &*INSTALLED;
        it.services("during/web", "web", &["during"]).await;
        it.aws
            .push_simulated("during/web", "v2", Some(Behaviour::Slow))
            .unwrap();
        it.types(Operator, "deploy during/web:v2 --no-wait").ended(0);
        let status = || {
            it.types(Reader, "status during/web --output json")
                .ended(0)
                .document::<Status>()
        };
        until("the rollout has begun", || {
            status().services[0].revision == "during-web:2"
        })
        .await;

        let words = ["rollback", "during/web", "--why", "wrong branch", "--output", "json"];
        let back: Rollback = it.says_to(Operator, &words).ended(0).document();
        assert_eq!(
            (back.from.as_str(), back.to.as_deref()),
            ("during-web:2", Some("during-web:1"))
        );
        let push = || {
            it.types(Reader, "why during/web:v2 --output json")
                .ended(0)
                .document::<Why>()
        };
        until("the push has ended", || {
            push().push.unwrap().outcome != Outcome::Running
        })
        .await;
        assert_eq!(push().push.unwrap().outcome, Outcome::RolledBack, "{:#?}", push());
        let service = &status().services[0];
        assert_eq!((service.revision.as_str(), service.steady), ("during-web:1", true));
    });
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "{what}: not yet");
        pause(Duration::from_millis(500)).await;
    }
}
