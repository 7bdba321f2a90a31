//! The little of ECR: tags move, digests stay.

use serde_json::{Value, json};

use crate::account::Account;

fn digest_of(account: &mut Account, tag: &str) -> Value {
    let request = json!({"repositoryName": "web", "imageIds": [{"imageTag": tag}]});
    account.call("DescribeImages", request)["imageDetails"][0]["imageDigest"].clone()
}

#[test]
fn a_push_moves_the_tag_and_leaves_the_image_before_it_untagged() {
    let mut account = Account::new();
    let first = account.simulation.push(account.now, "web", Some("latest"), None);
    let second = account.simulation.push(account.now, "web", Some("latest"), None);
    assert_ne!(first, second);
    assert_eq!(digest_of(&mut account, "latest"), json!(second));
    let request = json!({"repositoryName": "web", "imageIds": [{"imageDigest": first}]});
    let old = account.call("DescribeImages", request)["imageDetails"][0].clone();
    assert_eq!(old.get("imageTags"), None);
}

#[test]
fn tagging_by_get_and_put_gives_the_same_image_another_tag() {
    let mut account = Account::new();
    let digest = account.simulation.push(account.now, "web", Some("crash-1"), None);
    let request = json!({"repositoryName": "web", "imageIds": [{"imageTag": "crash-1"}]});
    let image = account.call("BatchGetImage", request)["images"][0].clone();
    let put = json!({
        "repositoryName": "web",
        "imageManifest": image["imageManifest"],
        "imageManifestMediaType": image["imageManifestMediaType"],
        "imageTag": "latest",
    });
    let answer = account.call("PutImage", put.clone());
    assert_eq!(
        answer["image"]["imageId"],
        json!({"imageDigest": digest, "imageTag": "latest"})
    );
    assert_eq!(
        account.try_call("PutImage", &put).unwrap_err().code,
        "ImageAlreadyExistsException"
    );
    // It is the image that misbehaves, under whatever name.
    account.seed(1, &json!({}));
    account.deploy("latest");
    account.wait(300);
    assert_eq!(account.statuses()[0], "IN_PROGRESS");
    let stopped = account.tasks("STOPPED");
    assert!(
        stopped.iter().any(|task| task["containers"][0]["exitCode"] == json!(1)),
        "{stopped:?}"
    );
}

#[test]
fn a_tag_moves_by_put_unless_its_repository_says_that_tags_are_immutable() {
    for (mutability, error) in [("MUTABLE", None), ("IMMUTABLE", Some("ImageTagAlreadyExistsException"))] {
        let mut account = Account::new();
        let repository = json!({"repositoryName": "web", "imageTagMutability": mutability});
        let made = account.call("CreateRepository", repository);
        assert_eq!(made["repository"]["imageTagMutability"], json!(mutability));
        let put = |manifest: &str| json!({"repositoryName": "web", "imageTag": "v1", "imageManifest": manifest});
        let first = account.call("PutImage", put("{}"))["image"]["imageId"]["imageDigest"].clone();
        let second = account.try_call("PutImage", &put("{ }"));
        assert_eq!(second.err().map(|error| error.code).as_deref(), error);
        assert_eq!(digest_of(&mut account, "v1") == first, error.is_some(), "{mutability}");
    }
}

#[test]
fn a_multi_architecture_image_is_an_index_and_its_tasks_run_the_image_of_their_platform() {
    let mut account = Account::with_service(1, &json!({}));
    let index = account.simulation.push_index(account.now, "web", "v2", None);
    let asked = json!({"repositoryName": "web", "imageIds": [{"imageDigest": index}]});
    let image = account.call("BatchGetImage", asked)["images"][0].clone();
    let manifest: Value = serde_json::from_str(image["imageManifest"].as_str().unwrap()).unwrap();
    let listed: Vec<&Value> = manifest["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["digest"])
        .collect();
    assert_eq!(listed.len(), 2);
    assert_eq!(digest_of(&mut account, "v2"), json!(index));
    account.deploy("v2");
    account.wait(300);
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
    let runs = account.tasks("RUNNING")[0]["containers"][0]["imageDigest"].clone();
    assert!(listed.contains(&&runs), "{runs}");
    let next = account.simulation.push_index(account.now, "web", "v2", None);
    assert_ne!(index, next, "two pushes are two images");
}

#[test]
fn what_is_archived_is_described_and_cannot_be_pulled_before_it_is_restored() {
    let mut account = Account::with_service(1, &json!({}));
    let digest = account.simulation.push(account.now, "web", Some("v2"), None);
    account.simulation.archive("web", &digest, true);
    let request = json!({"repositoryName": "web", "imageIds": [{"imageTag": "v2"}]});
    let described = account.call("DescribeImages", request.clone())["imageDetails"][0].clone();
    assert_eq!(
        (&described["imageStatus"], &described["imageTags"]),
        (&json!("ARCHIVED"), &json!(["v2"]))
    );
    let failures = account.call("BatchGetImage", request.clone())["failures"].clone();
    assert_eq!(failures[0]["failureCode"], json!("ImageInaccessible"));
    account.deploy("v2");
    account.wait(60);
    let reason = account.tasks("STOPPED")[0]["stoppedReason"].clone();
    assert!(
        reason.as_str().unwrap().starts_with("CannotPullContainerError"),
        "{reason}"
    );

    account.simulation.archive("web", &digest, false);
    account.wait(600);
    assert_eq!(account.statuses()[0], "SUCCESSFUL");
    let described = account.call("DescribeImages", request)["imageDetails"][0].clone();
    assert_eq!(described["imageStatus"], json!("ACTIVE"));
}

#[test]
fn what_is_missing_has_a_name() {
    let mut account = Account::new();
    let image = json!([{"imageTag": "none"}]);
    let describe = |name: &str| json!({"repositoryName": name, "imageIds": image});
    assert_eq!(
        account.try_call("DescribeImages", &describe("none")).unwrap_err().code,
        "RepositoryNotFoundException"
    );
    account.call("CreateRepository", json!({"repositoryName": "web"}));
    assert_eq!(
        account.try_call("DescribeImages", &describe("web")).unwrap_err().code,
        "ImageNotFoundException"
    );
    let failures = account.call("BatchGetImage", describe("web"))["failures"].clone();
    assert_eq!(failures[0]["failureCode"], json!("ImageNotFound"));
    let again = account
        .try_call("CreateRepository", &json!({"repositoryName": "web"}))
        .unwrap_err();
    assert_eq!(again.code, "RepositoryAlreadyExistsException");
}

#[test]
fn a_created_repository_holds_only_what_was_pushed() {
    let mut account = Account::with_service(1, &json!({}));
    account.call("CreateRepository", json!({"repositoryName": "strict"}));
    let image = format!("{}/strict:v2", crate::account::REGISTRY);
    let revision = account.register(&image);
    account.call("UpdateService", json!({"service": "web", "taskDefinition": revision}));
    account.wait(60);
    let reason = account.tasks("STOPPED")[0]["stoppedReason"].clone();
    assert!(
        reason.as_str().unwrap().starts_with("CannotPullContainerError"),
        "{reason}"
    );
}
