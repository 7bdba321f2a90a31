//! Services that cannot be deployed to: skipped with the reason, and the others deployed.

use crate::support::{Controller, PLAIN, STANDARD, Setup, all_skipped, outcomes, run, summary};
use local_aws::images::Behaviour::Healthy;

#[test]
fn what_others_deploy_and_what_is_being_deleted_is_skipped_with_its_reason() {
    run(async {
        let it = &*STANDARD;
        let web = it.repository("skipped/web").await;
        it.cluster("skipped").await;
        it.register("skipped-web", &[("web", &web)]).await;
        it.service("skipped", "plain", "skipped-web", PLAIN).await;
        it.service(
            "skipped",
            "external",
            "skipped-web",
            Setup {
                controller: Controller::External,
                ..PLAIN
            },
        )
        .await;
        it.service(
            "skipped",
            "codedeploy",
            "skipped-web",
            Setup {
                controller: Controller::CodeDeploy,
                ..PLAIN
            },
        )
        .await;
        it.service("skipped", "draining", "skipped-web", PLAIN).await;
        it.stable("skipped", "plain").await;
        it.stable("skipped", "draining").await;
        it.aws
            .ecs()
            .delete_service()
            .cluster("skipped")
            .service("draining")
            .force(true)
            .send()
            .await
            .unwrap();
        it.cluster("skipped-deleted").await;
        it.aws
            .ecs()
            .delete_cluster()
            .cluster("skipped-deleted")
            .send()
            .await
            .unwrap();

        it.aws.push("skipped/web", "v2", Healthy).await.unwrap();
        let executions = it.pushes("skipped/web", 2).await;

        let conclusion = summary(&executions[1]);
        assert_eq!(outcomes(conclusion), [("plain".to_owned(), "DEPLOYED".to_owned())]);
        let reasons: Vec<(String, String)> = all_skipped(conclusion);
        let reason = |service: &str| {
            let of_service = reasons.iter().find(|(resource, _)| resource.contains(service));
            of_service.map(|(_, reason)| reason.as_str())
        };
        assert_eq!(reason("external"), Some("EXTERNAL_CONTROLLER"), "{reasons:?}");
        assert_eq!(reason("codedeploy"), Some("CODE_DEPLOY_CONTROLLER"), "{reasons:?}");
        assert_eq!(reason("draining"), Some("SERVICE_NOT_ACTIVE"), "{reasons:?}");
        for untouched in ["external", "codedeploy"] {
            assert_eq!(it.service_images("skipped", untouched).await, [web.as_str()]);
        }
    });
}
