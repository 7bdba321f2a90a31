//! Requests: what is refused, what is kept, how lists are paged.

use serde_json::{Value, json};
use simulated_ecs::Seed;

use crate::account::Account;

#[test]
#[allow(clippy::too_many_lines)] // a table
fn a_request_that_does_not_fit_the_model_is_refused() {
    let eleven: Vec<String> = (0..11).map(|number| format!("web-{number}")).collect();
    let many: Vec<String> = (0..101).map(|number| format!("{number:032x}")).collect();
    let arns: Vec<String> = (0..21).map(|number| format!("arn:{number}")).collect();
    let document = |more: Value| {
        let mut body = json!({"family": "web", "containerDefinitions": [{"name": "app", "image": "web"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let table = [
        (
            "DescribeServices",
            json!({"services": ["web"], "cluser": "default"}),
            "InvalidParameterException",
        ),
        ("DescribeServices", json!({}), "InvalidParameterException"),
        ("DescribeServices", json!({"services": []}), "InvalidParameterException"),
        (
            "DescribeServices",
            json!({"services": eleven}),
            "InvalidParameterException",
        ),
        ("DescribeServices", json!({"services": "web"}), "SerializationException"),
        (
            "DescribeServices",
            json!({"services": ["web"], "include": ["TAG"]}),
            "InvalidParameterException",
        ),
        (
            "DescribeServices",
            json!({"services": ["web"], "cluster": "none"}),
            "ClusterNotFoundException",
        ),
        ("ListServices", json!({"maxResults": 101}), "InvalidParameterException"),
        (
            "ListServices",
            json!({"nextToken": "none"}),
            "InvalidParameterException",
        ),
        ("DescribeTasks", json!({"tasks": many}), "InvalidParameterException"),
        (
            "DescribeServiceDeployments",
            json!({"serviceDeploymentArns": arns}),
            "InvalidParameterException",
        ),
        (
            "DescribeServiceRevisions",
            json!({"serviceRevisionArns": arns}),
            "InvalidParameterException",
        ),
        (
            "UpdateService",
            json!({"service": "web", "taskDef": "web:1"}),
            "InvalidParameterException",
        ),
        ("UpdateService", json!({"service": "none"}), "ServiceNotFoundException"),
        (
            "UpdateService",
            json!({"service": "web", "taskDefinition": "web:9"}),
            "ClientException",
        ),
        (
            "UpdateService",
            json!({"service": "web", "desiredCount": -1}),
            "InvalidParameterException",
        ),
        (
            "CreateService",
            json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1}),
            "InvalidParameterException",
        ),
        (
            "DescribeTaskDefinition",
            json!({"taskDefinition": "none"}),
            "ClientException",
        ),
        ("ListTasks", json!({"serviceName": "none"}), "ServiceNotFoundException"),
        (
            "ListServiceDeployments",
            json!({"service": "none"}),
            "ServiceNotFoundException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"containerDefinitions": []})),
            "ClientException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"family": "a b"})),
            "ClientException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"cpu": 256})),
            "SerializationException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"networkMode": "bridged"})),
            "InvalidParameterException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"tags": []})),
            "InvalidParameterException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"tags": [{"key": "aws:a", "value": "b"}]})),
            "InvalidParameterException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"registeredAt": 1.0})),
            "InvalidParameterException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"revision": 1})),
            "InvalidParameterException",
        ),
        (
            "RegisterTaskDefinition",
            document(json!({"compatibilities": ["EC2"]})),
            "InvalidParameterException",
        ),
        ("SubmitTaskStateChange", json!({}), "UnknownOperationException"),
        ("_RemoveService", json!({"service": "web"}), "UnknownOperationException"),
    ];
    let mut account = Account::with_service(1, &json!({}));
    for (operation, request, code) in table {
        let error = account.try_call(operation, &request).unwrap_err();
        assert_eq!(error.code, code, "{operation} {request}: {error}");
    }
}

#[test]
fn other_deployment_controllers_take_no_task_definition() {
    for controller in ["CODE_DEPLOY", "EXTERNAL"] {
        let mut account = Account::with_service(1, &json!({"deploymentController": {"type": controller}}));
        assert_eq!(account.service()["deployments"], json!([]), "{controller}");
        let error = account
            .try_call("UpdateService", &json!({"service": "web", "taskDefinition": "web:1"}))
            .unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{controller}");
        assert!(error.message.contains(controller), "{error}");
    }
}

#[test]
fn a_task_definition_is_kept_member_by_member_also_those_no_model_knows() {
    let mut account = Account::new();
    let document = json!({
        "family": "web",
        "containerDefinitions": [{
            "name": "app", "image": "web", "ulimits": [], "invented": {"deep": [1, 2.5, null, "x"]},
            "cpu": 0, "essential": true, "environment": [], "mountPoints": [], "portMappings": [], "systemControls": [],
            "volumesFrom": [],
        }],
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "ephemeralStorage": {"sizeInGiB": 30, "encrypted": true},
        "inventedAtTheTop": {"list": []},
        "tags": [{"key": "team", "value": "web"}],
    });
    account.call("RegisterTaskDefinition", document.clone());
    let answer = account.call(
        "DescribeTaskDefinition",
        json!({"taskDefinition": "web", "include": ["TAGS"]}),
    );
    for (member, value) in document.as_object().unwrap() {
        let found = if member == "tags" {
            &answer["tags"]
        } else {
            &answer["taskDefinition"][member]
        };
        assert_eq!(found, value, "{member}");
    }
    assert_eq!(answer["taskDefinition"]["revision"], json!(1));
    assert_eq!(answer["taskDefinition"]["compatibilities"], json!(["EC2", "FARGATE"]));
    let plain = account.call("DescribeTaskDefinition", json!({"taskDefinition": "web"}));
    assert_eq!(plain.get("tags"), None);
}

#[test]
fn what_a_document_does_not_say_is_filled_in_once() {
    let mut account = Account::new();
    let describe = |account: &mut Account| {
        let mut found =
            account.call("DescribeTaskDefinition", json!({"taskDefinition": "web"}))["taskDefinition"].clone();
        found.as_object_mut().unwrap().retain(|member, _| {
            ["family", "containerDefinitions", "volumes", "placementConstraints"].contains(&member.as_str())
        });
        found
    };
    account.register("web:v1");
    let first = describe(&mut account);
    assert_eq!(first["containerDefinitions"][0]["essential"], json!(true));
    assert_eq!(
        (&first["volumes"], &first["containerDefinitions"][0]["environment"]),
        (&json!([]), &json!([]))
    );
    account.call("RegisterTaskDefinition", first.clone());
    assert_eq!(describe(&mut account), first);
}

#[test]
fn families_are_listed_by_the_status_of_each_page_and_both_by_default() {
    let mut account = Account::new();
    for family in ["a", "b", "c"] {
        let document = json!({"family": family, "containerDefinitions": [{"name": "app", "image": "x"}]});
        account.call("RegisterTaskDefinition", document);
    }
    account.call("DeregisterTaskDefinition", json!({"taskDefinition": "b:1"}));
    let list =
        |account: &mut Account, request: Value| account.call("ListTaskDefinitionFamilies", request)["families"].clone();
    assert_eq!(list(&mut account, json!({})), json!(["a", "b", "c"]));
    assert_eq!(list(&mut account, json!({"status": "ACTIVE"})), json!(["a", "c"]));
    assert_eq!(list(&mut account, json!({"status": "INACTIVE"})), json!(["b"]));
    assert_eq!(list(&mut account, json!({"familyPrefix": "c"})), json!(["c"]));
}

#[test]
fn a_family_stands_for_its_newest_active_revision() {
    let mut account = Account::with_service(1, &json!({}));
    account.register("web:v2");
    account.register("web:v3");
    account.call("DeregisterTaskDefinition", json!({"taskDefinition": "web:3"}));
    let newest = account.call("DescribeTaskDefinition", json!({"taskDefinition": "web"}));
    assert_eq!(newest["taskDefinition"]["revision"], json!(2));
    let by_number = account.call("DescribeTaskDefinition", json!({"taskDefinition": "web:3"}));
    assert_eq!(by_number["taskDefinition"]["status"], json!("INACTIVE"));
    let list = |account: &mut Account, status: &str| {
        account.call("ListTaskDefinitions", json!({"status": status, "sort": "DESC"}))["taskDefinitionArns"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((list(&mut account, "ACTIVE"), list(&mut account, "INACTIVE")), (2, 1));
}

#[test]
fn lists_are_paged_and_the_last_page_has_no_token() {
    let mut account = Account::new();
    let seed = Seed {
        services: 25,
        standalone_families: 80,
        ..Seed::default()
    };
    account.simulation.seed(account.now, &seed).unwrap();
    let table = [
        ("ListServices", "serviceArns", json!({}), vec![10, 10, 5]),
        ("ListServices", "serviceArns", json!({"maxResults": 100}), vec![25]),
        ("ListServices", "serviceArns", json!({"maxResults": 5}), vec![5; 5]),
        (
            "ListTaskDefinitionFamilies",
            "families",
            json!({"status": "ACTIVE"}),
            vec![100, 5],
        ),
        ("ListTaskDefinitions", "taskDefinitionArns", json!({}), vec![100, 5]),
        ("ListTasks", "taskArns", json!({"maxResults": 20}), vec![20, 5]),
    ];
    for (operation, member, request, expected) in table {
        let (mut sizes, mut items, mut next) = (Vec::new(), Vec::new(), request.clone());
        loop {
            let answer = account.call(operation, next.clone());
            let page = answer[member].as_array().unwrap();
            sizes.push(page.len());
            items.extend(page.iter().map(ToString::to_string));
            match answer.get("nextToken") {
                Some(token) => next["nextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(sizes, expected, "{operation} {request}");
        let count = items.len();
        items.sort_unstable();
        items.dedup();
        assert_eq!(items.len(), count, "{operation}: nothing twice");
    }
}

#[test]
fn what_is_not_there_is_a_failure_in_the_answer_not_an_error() {
    let mut account = Account::with_service(1, &json!({}));
    let answer = account.call("DescribeServices", json!({"services": ["web", "none"]}));
    assert_eq!(answer["services"].as_array().unwrap().len(), 1);
    assert_eq!(
        answer["failures"],
        json!([{"arn": "arn:aws:ecs:eu-west-1:123456789012:service/default/none", "reason": "MISSING"}])
    );
}

#[test]
fn the_same_seed_and_calls_give_the_same_answers() {
    let run = || {
        let mut account = Account::with_service(3, &json!({}));
        account.deploy("unhealthy");
        account.wait(100);
        account.simulation.state()
    };
    assert_eq!(run(), run());
}

#[test]
fn many_services_are_there_at_once_and_stable() {
    let mut account = Account::new();
    let seed = Seed {
        services: 5000,
        families: Some(1000),
        standalone_families: 1000,
        matching: Some(2),
        ..Seed::default()
    };
    let seeded = account.simulation.seed(account.now, &seed).unwrap();
    assert_eq!((seeded.services.len(), seeded.task_definitions.len()), (5000, 2000));
    account.wait(3600);
    let state = account.simulation.state();
    let services = state["services"].as_array().unwrap();
    assert!(
        services
            .iter()
            .all(|service| service["rolloutState"] == json!("COMPLETED"))
    );
    let mut image_of = |name: &str| {
        let answer = account.call("DescribeTaskDefinition", json!({"taskDefinition": name}));
        answer["taskDefinition"]["containerDefinitions"][0]["image"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(image_of("web-2").ends_with("/app:v1"));
    assert!(image_of("web-3").ends_with("/other:v1"));
}
