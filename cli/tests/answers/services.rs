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
fn a_mistyped_name_is_told_in_words_and_so_is_a_service_that_can_have_no_tag() {
    let answers = |operation: &'static str, code: &'static str, message: &'static str| {
        Aws::new().instead(move |called, _| (called == operation).then(|| refused(code, message)))
    };
    let gone = || answers("DescribeServices", "ClusterNotFoundException", "Cluster not found.");
    for words in [
        ["hold", "old/web", "--why", "audit"].as_slice(),
        &["unhold", "old/web"],
        &["rollback", "old/web", "--why", "broken"],
        &["continue", "old/web"],
    ] {
        let (said, _) = gone().says_to(words);
        said.ended(1)
            .says(&["there is no service web in a cluster old", "ecr-deploy status"])
            .says_nothing_of(&["Nothing is left to do", "ClusterNotFoundException"]);
    }
    answers("ListServices", "ClusterNotFoundException", "Cluster not found.")
        .types("status web")
        .ended(1)
        .says(&["there is no cluster web. If web is a service", "production/web"]);
    let old = || {
        Aws::new().instead(|operation, input| {
            let with_tags = operation == "DescribeServices" && input["include"][0] == "TAGS";
            let says = "Long arn format must be used for tagging operations";
            with_tags.then(|| refused("InvalidParameterException", says))
        })
    };
    for words in [
        ["hold", "production/web", "--why", "audit"].as_slice(),
        &["rollback", "production/web", "--why", "broken"],
    ] {
        let (said, _) = old().says_to(words);
        said.ended(1).says(&["an ARN of the old form", "ecr-deploy hold --all"]);
    }
    let revision = |operation: &str, input: &serde_json::Value| {
        let is_it = operation == "DescribeTaskDefinition" && input["taskDefinition"] == "web:400";
        is_it.then(|| refused("ClientException", "Unable to describe task definition."))
    };
    let words = ["rollback", "production/web", "--to", "400", "--why", "broken"];
    let (said, _) = Aws::new().instead(revision).says_to(&words);
    said.ended(1).says(&["there is no revision web:400", "runs web:42"]);
}

#[test]
fn a_hold_names_the_pushes_beside_it() {
    let held = |aws: Aws| aws.says_to(&["hold", "--all", "--why", "audit"]).0.ended(0);
    let put = |operation: &str, _: &serde_json::Value| (operation == "PutParameter").then(|| (200, json!({})));
    let name = "shop-web-v2-6a69650c-1fc1-4eb1-8c94-cfb37be29cff";
    let aws = Aws::new().execution("Image-1", name, "RUNNING", &json!({}));
    held(aws.instead(put)).says(&["These pushes are under way", "ecr-deploy why 6a69650c"]);
    held(Aws::new().instead(put)).says_nothing_of(&["under way"]);
    let refuses = move |operation: &str, input: &serde_json::Value| match operation {
        "ListExecutions" => Some(refused("AccessDeniedException", "not authorized")),
        _ => put(operation, input),
    };
    held(Aws::new().instead(refuses)).says(&["everything is on hold", "it is not known which pushes are under way"]);
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
