//! The sweep, with the roles of the template, and the machines of the pushes that it starts behind it.

use ecr_deploy::function::config::Config;
use local_aws::roles::Roles;
use serde_json::{Value, json};
use std::sync::Arc;
use walker::account::{Account, CLUSTER, list, short};
use walker::caller::{Caller, Grain};
use walker::machine::Execution;
use walker::run;

const HOUR: i64 = 60 * 60 * 1000;

/// An account with these roles, whose service `web` runs `v2` by a push.
fn deployed(roles: Arc<Roles>) -> (Arc<Account>, Execution<'static>) {
    let account = Account::with_roles(roles);
    account.seed_web("v1", &json!({}));
    account.pass(HOUR);
    let config = Config {
        clusters: vec![CLUSTER.parse().unwrap()],
        ..Config::default()
    };
    let execution = Execution::new(Caller::new(&account, Grain::Alone, None), config);
    let event = account.push("v2");
    run(execution.deploy(&event)).unwrap();
    account.pass(HOUR);
    (account, execution)
}

/// Sweeps, and deploys what it starts. Returns what was found: `v3 LOST deploy`.
fn sweep(execution: &Execution<'_>) -> Vec<String> {
    let output = run(execution.sweep(&json!({}))).unwrap();
    for event in execution.swept.take() {
        run(execution.deploy(&event)).unwrap();
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |it: &Value| {
        format!(
            "{} {} {}",
            text(&it["image"]["tag"]),
            text(&it["why"]),
            text(&it["action"])
        )
    };
    list(&output["missed"]).iter().map(line).collect()
}

#[test]
fn a_push_whose_event_was_lost_is_deployed_with_every_role_that_the_template_has() {
    for roles in [Roles::by_default(), Roles::narrow()] {
        let (account, execution) = deployed(roles.unwrap());
        account.push("v3");
        assert_eq!(sweep(&execution), Vec::<String>::new(), "it is too young");
        account.pass(HOUR);
        assert_eq!(sweep(&execution), ["v3 LOST deploy"]);
        let web = account.web();
        assert_eq!(
            (short(&web["taskDefinition"]), &web["rolloutState"]),
            ("web:3", &json!("COMPLETED"))
        );
        account.pass(HOUR);
        assert_eq!(sweep(&execution), Vec::<String>::new());
        assert_eq!(account.with(|it, _| it.iam().refused().to_vec()), Vec::<String>::new());
    }
}

#[test]
fn what_somebody_elses_revision_took_away_is_told_with_every_role_that_the_template_has() {
    for roles in [Roles::by_default(), Roles::narrow()] {
        let (account, execution) = deployed(roles.unwrap());
        let image = format!("{}/{}:v1", walker::account::REGISTRY, walker::account::REPOSITORY);
        let container = json!({"name": "app", "image": image, "essential": true});
        account.ecs(
            "RegisterTaskDefinition",
            &json!({"family": "web", "containerDefinitions": [container]}),
        );
        account.ecs(
            "UpdateService",
            &json!({"cluster": CLUSTER, "service": "web", "taskDefinition": "web:3"}),
        );
        account.pass(HOUR);
        assert_eq!(sweep(&execution), ["v2 REVERTED report"]);
        assert_eq!(short(&account.web()["taskDefinition"]), "web:3");
        assert_eq!(account.with(|it, _| it.iam().refused().to_vec()), Vec::<String>::new());
    }
}

#[test]
fn a_push_that_failed_is_not_tried_again() {
    let (account, execution) = deployed(Roles::by_default().unwrap());
    let event = account.push("crash");
    run(execution.deploy(&event)).unwrap_err();
    account.pass(HOUR);
    let before = account.standing();
    assert_eq!(sweep(&execution), Vec::<String>::new());
    assert_eq!(account.standing(), before);
}

#[test]
fn while_everything_is_on_hold_a_sweep_finds_nothing_and_then_what_was_held() {
    let (account, execution) = deployed(Roles::by_default().unwrap());
    account.set_hold(Some("ann - freeze"));
    let event = account.push("v3");
    run(execution.deploy(&event)).unwrap();
    account.pass(HOUR);
    assert_eq!(sweep(&execution), Vec::<String>::new());
    account.set_hold(None);
    assert_eq!(sweep(&execution), ["v3 HELD deploy"]);
    assert_eq!(short(&account.web()["taskDefinition"]), "web:3");
}
