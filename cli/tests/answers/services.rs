//! `status`, `doctor`, `hold` and `unhold`.

use crate::support::{Aws, refused};
use serde_json::json;

#[test]
fn a_cluster_of_the_settings_that_is_gone_hides_no_other() {
    let aws = |clusters: &[&str]| {
        Aws::new().clusters(clusters).instead(|operation, input| {
            let is_gone = operation == "ListServices" && input["cluster"] == "old";
            is_gone.then(|| refused("ClusterNotFoundException", "Cluster not found."))
        })
    };
    let told = ["production/web", "The cluster old is not there"];
    aws(&["old", "production"]).types("status").ended(0).says(&told);
    aws(&["production"])
        .types("status")
        .ended(0)
        .says_nothing_of(&["not there"]);
    // One that is asked for is the answer itself.
    aws(&["old", "production"]).types("status old").ended(1);
}

#[test]
fn an_artifact_does_not_wait_and_a_repository_that_is_refused_hides_no_service() {
    let stored = |tag: &str, artifact: &str| {
        let newer = json!({
            "registryId": "123456789012", "repositoryName": "shop/web", "imageTags": [tag], "imagePushedAt": 1_796_900_000,
            "imageDigest": format!("sha256:{}", "0b".repeat(32)), "artifactMediaType": artifact,
            "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        });
        Aws::new().instead(move |operation, _| {
            (operation == "DescribeImages").then(|| (200, json!({"imageDetails": [newer]})))
        })
    };
    let image = "application/vnd.oci.image.config.v1+json";
    stored("v3", image).types("status").ended(0).says(&["newer v3 of"]);
    let signature = format!("sha256-{}.sig", "0a".repeat(32));
    for (tag, artifact) in [
        (signature.as_str(), image),
        ("v3", "application/vnd.cncf.helm.config.v1+json"),
    ] {
        let said = stored(tag, artifact).types("status").ended(0);
        said.says(&["production/web"]).says_nothing_of(&["newer"]);
    }
    Aws::new()
        .instead(|operation, _| {
            (operation == "DescribeImages").then(|| refused("AccessDeniedException", "not authorized"))
        })
        .types("status")
        .ended(0)
        .says(&["production/web", "Not read: shop/web:", "not authorized"]);
}

#[test]
fn what_the_doctor_may_not_read_is_told_beside_all_other_findings() {
    for (operation, of, unread) in [
        (
            "GetParameters",
            "/cdk-bootstrap/hnb659fds/version",
            "Not read: bootstrap",
        ),
        ("GetParameters", "/ecr-deploy/ecr-deploy/hold", "Not read: hold"),
        ("ListExecutions", "", "Not read: executions"),
    ] {
        Aws::new()
            .instead(move |called, input| {
                let is_of = of.is_empty() || input["Names"][0] == of;
                (called == operation && is_of).then(|| refused("AccessDeniedException", "not authorized"))
            })
            .types("doctor")
            .ended(0)
            .says(&[
                unread,
                "not authorized",
                "1 service runs an image of this account's ECR",
            ]);
    }
}

#[test]
fn a_watch_outlasts_an_outage_and_ends_where_nobody_reads_it() {
    let mut reads = 0;
    // Of an answer with this status no call is sent again.
    let outage = move |operation: &str, _: &serde_json::Value| {
        reads += usize::from(operation == "ListClusters");
        match reads {
            2 if operation == "ListClusters" => Some(refused("ServerException", "later")),
            3.. => Some(refused("AccessDeniedException", "no more")),
            _ => None,
        }
    };
    let said = Aws::new().instead(outage).types("status --watch").ended(1);
    assert_eq!(said.text.matches("production/web").count(), 1, "{}", said.text);
    said.says(&["It is read again in 5 seconds", "no more"]);

    let (said, calls) = Aws::new().unread("status --watch");
    said.ended(0);
    assert_eq!(
        calls
            .iter()
            .filter(|(operation, _)| operation == "ListClusters")
            .count(),
        1
    );
}

#[test]
fn the_hold_of_a_service_is_lifted_beside_that_of_everything_which_is_told() {
    Aws::new()
        .tag("ecr-deploy:hold", "ann - x")
        .parameter("/ecr-deploy/ecr-deploy/hold", "bob - audit")
        .types("unhold production/web")
        .ended(0)
        .says(&[
            "Everything is on hold, and so is production/web: bob - audit",
            "ecr-deploy unhold --all",
        ]);
}
