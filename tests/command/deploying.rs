//! `plan` and `deploy`.

use crate::support::{INSTALLED, Person::Operator, run};
use ecr_deploy_cli::commands::PlanDocument;
use ecr_deploy_cli::push::Push;
use ecr_deploy_cli::report::Outcome;

#[test]
fn a_plan_names_each_service_with_its_stage_and_changes_nothing() {
    run(async {
        let it = &*INSTALLED;
        it.services("plan/web", "web", &["plan-staging", "plan-production", "plan"])
            .await;
        it.aws.push_simulated("plan/web", "1.0.0", None).unwrap();

        it.types(Operator, "plan plan/web:1.0.0").ended(0).says(&[
            "plan/web:1.0.0  sha256:",
            "SERVICE",
            "plan-staging/web",
            "staging",
            "plan-staging-web:1",
            "after wave 1",
            "3 services would be deployed, 0 skipped. Nothing was changed.",
        ]);

        let plan: PlanDocument = it
            .types(Operator, "plan plan/web:1.0.0 --output json")
            .ended(0)
            .document();
        let services = plan
            .services
            .iter()
            .map(|it| (it.name(), it.stage.as_deref().unwrap_or(""), it.wave));
        let services: Vec<_> = services
            .map(|(name, stage, wave)| format!("{name} {stage} {wave}"))
            .collect();
        assert_eq!(
            services,
            [
                "plan-staging/web staging 1",
                "plan/web rest 1",
                "plan-production/web production 2"
            ]
        );
        let service = it.aws.describe_service("plan", "web").await.unwrap();
        assert!(service.task_definition().unwrap().ends_with(":1"));
    });
}

#[test]
fn a_plan_of_what_no_stage_takes_says_why_and_has_an_exit_code_of_its_own() {
    run(async {
        let it = &*INSTALLED;
        it.services("skip/web", "web", &["skip"]).await;
        it.aws.push_simulated("skip/web", "ignored-1", None).unwrap();
        it.types(Operator, "plan skip/web:ignored-1").ended(5).says(&[
            "Skipped:",
            "web in skip",
            "TAG_NOT_TAKEN",
            "0 services would be deployed, 1 skipped",
        ]);
    });
}

#[test]
fn a_deployment_is_followed_to_its_end_and_says_how_it_ended() {
    run(async {
        let it = &*INSTALLED;
        it.services("follow/web", "web", &["follow"]).await;
        let digest = it.aws.push_simulated("follow/web", "v2", None).unwrap().digest;

        let said = it.types(Operator, "deploy follow/web:v2").ended(0);
        said.says(&[
            "follow/web:v2  DEPLOYED",
            "follow-web-v2-",
            "follow/web",
            "is stable on follow-web:2",
        ]);
        assert!(said.notes.contains("follow/web: RUNNING"), "{}", said.notes);
        let service = it.aws.describe_service("follow", "web").await.unwrap();
        assert!(service.task_definition().unwrap().ends_with(":2"));

        // The same image, by its digest, is there already.
        let again = it
            .types(Operator, &format!("deploy follow/web@{digest} --output json"))
            .ended(0);
        let push: Push = again.document();
        assert_eq!(push.outcome, Outcome::Deployed);
        assert_eq!(push.services[0].outcome, "ALREADY_DEPLOYED");
        assert_eq!(push.image.unwrap().tag, "v2");
    });
}

#[test]
fn a_deployment_of_a_broken_image_ends_with_the_code_for_a_rollback_and_says_what_to_do() {
    run(async {
        let it = &*INSTALLED;
        it.services("broken/web", "web", &["broken"]).await;
        it.aws
            .push_simulated("broken/web", "v2", Some(simulated_ecs::Behaviour::Crash))
            .unwrap();

        let said = it.types(Operator, "deploy broken/web:v2").ended(3);
        said.says(&[
            "broken/web:v2  ROLLED_BACK",
            "broken/web",
            "Deploy.RolledBack",
            "1 service went back to the last good revision",
            "ecr-deploy why ",
            "ecr-deploy retry ",
        ]);
    });
}

#[test]
fn a_deployment_that_nobody_waits_for_has_begun() {
    run(async {
        let it = &*INSTALLED;
        it.services("unwatched/web", "web", &["unwatched"]).await;
        it.aws.push_simulated("unwatched/web", "v2", None).unwrap();
        let said = it
            .types(Operator, "deploy unwatched/web:v2 --no-wait --output json")
            .ended(0);
        let push: Push = said.document();
        assert_eq!(push.outcome, Outcome::Running);
    });
}
