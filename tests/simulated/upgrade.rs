//! A new version of ecr-deploy is installed while the one before it deploys.

use crate::redrive::{child, execution, redrive, until_entered};
use crate::support::{Deployed, Scene, outcome, scenarios};
use local_aws::{Settings, program, zipped};
use serde_json::json;
use std::fs;
use std::process::Command;
use std::sync::LazyLock;

scenarios![an_upgrade_leaves_a_rollout_and_a_later_redrive_the_functions_that_they_began_with];

fn settings() -> Settings {
    Settings::default().with("rolloutTimeout", "240s")
}

/// An account of its own, since it is upgraded.
static UPGRADED: LazyLock<Deployed> = LazyLock::new(|| Deployed::with_settings(&settings()));

/// The program of the functions, of which two cannot do their step any more: who is answered by one of them has not kept to its own.
const BROKEN: &str = r#"
use std::os::unix::process::CommandExt;

fn main() {
    let handler = std::env::var("_HANDLER").unwrap();
    let served = match handler.as_str() {
        "find-task-definitions" | "check-stability" => "conclude",
        own => own,
    };
    panic!("{}", std::process::Command::new(env!("PROGRAM")).env("_HANDLER", served).exec());
}
"#;

/// Installs that program.
fn upgrade() {
    let upgraded = tempfile::tempdir().unwrap();
    let [source, broken] = ["broken.rs", "broken"].map(|name| upgraded.path().join(name));
    fs::write(&source, BROKEN).unwrap();
    let mut compiler = Command::new("rustc");
    compiler.arg("-o").arg(&broken).arg(&source);
    assert!(compiler.env("PROGRAM", program().unwrap()).status().unwrap().success());
    let binaries = upgraded.path().join("functions");
    zipped(&broken, &binaries).unwrap();
    UPGRADED.aws.deploy_with(&settings(), &binaries).unwrap();
}

/// Each definition names versions of its functions, and of the state machine that it starts. An upgrade publishes new ones, and keeps
/// those.
async fn an_upgrade_leaves_a_rollout_and_a_later_redrive_the_functions_that_they_began_with() {
    let [rolling, red, later] = ["upgrade-rolling", "upgrade-red", "upgrade-later"].map(|name| {
        let scene = Scene::on(&UPGRADED, name);
        scene.seed_service(json!({}));
        scene
    });
    let failed = red.deploy("crash").await;
    assert_eq!(failed.outcome(), "Deploy.RolledBack", "{failed:#?}");
    rolling.hold_tasks(&rolling.image("v2"));
    let push = rolling.start(&rolling.push("v2")).await;
    until_entered(&rolling, &child(&rolling, &push).await.arn, "Wait for rollout").await;

    upgrade();

    rolling.release_tasks(&rolling.image("v2"));
    let ended = rolling.end(&push).await;
    assert_eq!(ended.outcome(), "DEPLOYED", "{ended:#?}");
    redrive(&red, &failed.parent.arn).await;
    let again = red.end(&failed.parent.arn).await;
    let outcomes: Vec<String> = again.children.iter().map(outcome).collect();
    assert_eq!(outcomes, ["Deploy.RolledBack"; 2], "{again:#?}");
    // The upgrade was one: a new push meets the new functions.
    let refused = later.start(&later.push("v2")).await;
    later.end(&refused).await;
    let refused = execution(&later, &refused).await;
    assert_eq!(refused.error.as_deref(), Some("Deploy.InvalidInput"), "{refused:#?}");
}
