//! A call that a role does not allow is refused as AWS refuses it, and the step that needs it fails.

use super::situations::{SITUATIONS, Situation, outcome};
use super::support::all;
use ecr_deploy::function::config::Config;
use local_aws::roles::{Roles, narrow_props, template};
use serde_json::{Value, json};
use simulated_ecs::Seed;
use std::collections::BTreeSet;
use std::sync::Arc;
use walker::account::{Account, CLUSTER, REPOSITORY, short};
use walker::caller::{Caller, Grain};
use walker::machine::Execution;
use walker::run;

/// The template with the settings that narrow everything, without a statement of the role of a function.
fn without(statement: &str, construct: &str) -> Value {
    let mut template = template(&narrow_props()).unwrap();
    let resources = template["Resources"].as_object_mut().unwrap();
    let mut removed = 0;
    for (id, resource) in resources {
        if id.starts_with(&format!("EcrDeploy{construct}RoleDefaultPolicy")) {
            let statements = resource["Properties"]["PolicyDocument"]["Statement"].as_array_mut();
            let statements = statements.unwrap();
            let before = statements.len();
            statements.retain(|it| it["Sid"] != statement);
            removed += before - statements.len();
        }
    }
    assert_eq!(removed, 1, "{construct} has one statement {statement}");
    template
}

/// Pushes an image that is good, or that crashes, to a service `web` whose functions have these roles. Returns how the
/// execution of the push ended, and that of the service.
fn pushed(roles: Arc<Roles>, tag: &str) -> (Arc<Account>, String, Option<String>) {
    pushed_to(&json!({}), roles, Config::default(), tag)
}

/// The same to a service with these members of `CreateService`, and with these settings.
fn pushed_to(
    service: &Value,
    roles: Arc<Roles>,
    settings: Config,
    tag: &str,
) -> (Arc<Account>, String, Option<String>) {
    let account = Account::with_roles(roles);
    account.seed_web("v1", service);
    let event = account.push(tag);
    let config = Config {
        clusters: vec![CLUSTER.parse().unwrap()],
        ..settings
    };
    let execution = Execution::new(Caller::new(&account, Grain::Alone, None), config);
    let ended = run(execution.deploy(&event));
    let said = ended.map_or_else(|thrown| thrown.cause, |output| output.to_string());
    let outcome = outcome(&execution.services.take());
    (account, said, outcome)
}

/// A situation ends as it does where nothing is limited, and nothing is refused.
async fn check(situation: &Situation) -> Result<(), String> {
    let (wide, narrow) = (situation.play(), situation.play_narrow());
    for played in [&wide, &narrow] {
        played.walk(None).await;
        played.account.settle();
    }
    let refused = narrow.account.with(|it, _| it.iam().refused().to_vec());
    let (expected, standing) = (wide.account.standing(), narrow.account.standing());
    if refused.is_empty() && standing == expected {
        Ok(())
    } else {
        Err(format!("{refused:?}: {standing:#}\nbut it is {expected:#}"))
    }
}

#[test]
fn every_step_may_do_what_it_does_where_the_settings_make_each_statement_as_narrow_as_they_can() {
    all(
        SITUATIONS,
        |situation| situation.name,
        |situation| run(check(situation)),
    );
}

#[test]
fn a_service_is_not_moved_by_who_may_not_pass_the_roles_of_its_revision() {
    let roles = Roles::of(&without("PassRole", "UpdateService")).unwrap();

    let (account, said, outcome) = pushed(Arc::new(roles), "v2");

    assert_eq!(short(&account.web()["taskDefinition"]), "web:1");
    let role = "arn:aws:iam::123456789012:role/app-task";
    let refusal = format!(
        "is not authorized to perform: iam:PassRole on resource: {role} because no identity-based policy allows the \
         iam:PassRole action"
    );
    assert!(said.contains(&refusal), "{said}");
    assert_eq!(outcome.as_deref(), Some("Deploy.Rejected"), "{said}");
    let refused = account.with(|it, _| it.iam().refused().to_vec());
    let caller = "User: arn:aws:sts::123456789012:assumed-role/EcrDeployUpdateServiceRole";
    assert!(
        refused
            .iter()
            .all(|it| it.starts_with(caller) && it.ends_with(&refusal)),
        "{refused:?}"
    );
    assert!(!refused.is_empty());
}

#[test]
fn an_image_that_is_stable_gets_the_tag_latest_by_the_role_of_the_state_machine() {
    for roles in [Roles::by_default(), Roles::narrow()] {
        let account = Account::with_roles(roles.unwrap());
        account.seed_web("v1", &json!({}));
        let event = account.push("v2");
        let config = Config {
            clusters: vec![CLUSTER.parse().unwrap()],
            tag_latest: true,
            ..Config::default()
        };
        let execution = Execution::new(Caller::new(&account, Grain::Alone, None), config);

        run(execution.deploy(&event)).unwrap();

        let named = |tag: &str| json!({"repositoryName": REPOSITORY, "imageIds": [{"imageTag": tag}]});
        let digest = |tag: &str| account.ecr("DescribeImages", &named(tag))["imageDetails"][0]["imageDigest"].clone();
        assert_eq!(digest("latest"), digest("v2"));
        assert_eq!(account.with(|it, _| it.iam().refused().to_vec()), Vec::<String>::new());
    }
}

#[test]
fn the_image_of_a_service_is_told_by_parameters_by_the_role_of_the_state_machine() {
    for roles in [Roles::by_default(), Roles::narrow()] {
        let account = Account::with_roles(roles.unwrap());
        account.seed_web("v1", &json!({}));
        let event = account.push("v2");
        let config = Config {
            clusters: vec![CLUSTER.parse().unwrap()],
            writes_parameters: true,
            ..Config::default()
        };
        let execution = Execution::new(Caller::new(&account, Grain::Alone, None), config);

        run(execution.deploy(&event)).unwrap();

        let tag = account.parameter(&format!("/ecr-deploy/{CLUSTER}/web/app/tag"));
        assert_eq!(tag.as_deref(), Some("v2"));
        assert_eq!(account.with(|it, _| it.iam().refused().to_vec()), Vec::<String>::new());
    }
}

#[test]
fn where_the_event_does_not_tell_what_was_pushed_ecr_may_be_asked() {
    for roles in [Roles::by_default(), Roles::narrow()] {
        let account = Account::with_roles(roles.unwrap());
        account.seed_web("v1", &json!({}));
        let mut event = account.push("v2");
        let detail = event["detail"].as_object_mut().unwrap();
        detail.retain(|member, _| !member.ends_with("-media-type"));
        let config = Config {
            clusters: vec![CLUSTER.parse().unwrap()],
            ..Config::default()
        };
        let caller = Caller::new(&account, Grain::Alone, None);
        let execution = Execution::new(caller.clone(), config);

        run(execution.deploy(&event)).unwrap();

        assert!(caller.calls().iter().any(|call| call.operation == "DescribeImages"));
        assert_eq!(account.with(|it, _| it.iam().refused().to_vec()), Vec::<String>::new());
    }
}

/// The image is an index, and the event does not tell what was pushed, so both calls to ECR are needed.
#[test]
fn the_images_of_an_account_are_read_where_the_setting_accounts_names_it() {
    const OTHER: &str = "111122223333";
    let roles = |accounts: Value| {
        let passed = format!("arn:aws:iam::{}:role/app-*", local_aws::ACCOUNT);
        let mut props = json!({"passRoles": [passed], "repositories": [REPOSITORY]});
        if accounts != json!([]) {
            props["accounts"] = accounts;
        }
        Arc::new(Roles::of(&template(&props).unwrap()).unwrap())
    };
    let push = |roles: Arc<Roles>| {
        let account = Account::with_roles(roles);
        account.push("v1");
        account.seed(Seed {
            image: Some(format!("{OTHER}.dkr.ecr.eu-west-1.amazonaws.com/{REPOSITORY}:v1")),
            ..Seed::default()
        });
        let mut event = account.push("v2");
        let digest = account.with(|it, now| it.push_index(now, REPOSITORY, "v2", None));
        event["account"] = json!(OTHER);
        let detail = event["detail"].as_object_mut().unwrap();
        detail.retain(|member, _| !member.ends_with("-media-type"));
        detail.insert("image-digest".to_owned(), digest.into());
        let caller = Caller::new(&account, Grain::Alone, None);
        let execution = Execution::new(caller.clone(), Config::default());
        run(execution.deploy(&event)).unwrap();
        assert_eq!(outcome(&execution.services.take()).as_deref(), Some("DEPLOYED"));
        let asked = caller
            .calls()
            .iter()
            .map(|call| call.operation.clone())
            .collect::<BTreeSet<_>>();
        assert!(
            asked.contains("DescribeImages") && asked.contains("BatchGetImage"),
            "{asked:?}"
        );
        account.with(|it, _| it.iam().refused().to_vec())
    };

    assert_eq!(push(roles(json!([OTHER]))), Vec::<String>::new());
    let refused = push(roles(json!([])));
    let resource = format!("arn:aws:ecr:eu-west-1:{OTHER}:repository/{REPOSITORY}");
    for action in ["ecr:DescribeImages", "ecr:BatchGetImage"] {
        let says = format!("is not authorized to perform: {action} on resource: {resource}");
        assert!(refused.iter().any(|it| it.contains(&says)), "{action}: {refused:?}");
    }
}

/// The functions have stages that are not opt-in, and one more, so they ask for what the roles do not allow.
#[test]
fn where_every_stage_is_opt_in_a_service_without_its_tag_is_not_moved_even_if_the_function_asks() {
    let stage = |name: &str| json!({"name": name, "optIn": true, "tags": ["*"]});
    let props = json!({
        "passRoles": [format!("arn:aws:iam::{}:role/app-*", local_aws::ACCOUNT)],
        "stages": [stage("staging"), stage("production")],
    });
    let template = template(&props).unwrap();
    let push = |tags: Value, tag: &str| {
        let roles = Arc::new(Roles::of(&template).unwrap());
        let stages = ["all", "staging", "production", "elsewhere"].map(|name| json!({"name": name, "tags": ["*"]}));
        let settings = Config {
            stages: serde_json::from_value(stages.to_vec().into()).unwrap(),
            ..Config::default()
        };
        pushed_to(&json!({"tags": tags}), roles, settings, tag)
    };
    let tagged = |stage: &str| json!([{"key": "ecr-deploy:stage", "value": stage}]);
    for tags in [
        json!([]),
        tagged("elsewhere"),
        json!([{"key": "stage", "value": "staging"}]),
    ] {
        let (account, said, outcome) = push(tags.clone(), "v2");
        assert_eq!(outcome.as_deref(), Some("Deploy.Rejected"), "{tags}: {said}");
        let says = "is not authorized to perform: ecs:UpdateService on resource: \
                    arn:aws:ecs:eu-west-1:123456789012:service/production/web";
        assert!(said.contains(says), "{tags}: {said}");
        let web = account.web();
        assert_eq!(
            short(&web["history"].as_array().unwrap().last().unwrap()["taskDefinition"]),
            "web:1"
        );
    }
    // Forward, and back by ECS's own stop.
    for (stage, tag, expected) in [
        ("production", "v2", "DEPLOYED"),
        ("staging", "v2", "DEPLOYED"),
        ("staging", "crash", "Deploy.RolledBack"),
    ] {
        let (account, said, outcome) = push(tagged(stage), tag);
        assert_eq!(outcome.as_deref(), Some(expected), "{stage}, {tag}: {said}");
        assert_eq!(account.with(|it, _| it.iam().refused().to_vec()), Vec::<String>::new());
    }
}
