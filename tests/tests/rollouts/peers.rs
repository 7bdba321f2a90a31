//! The reports.

use crate::support::{Scene, scenarios, short};
use serde_json::json;

scenarios![peer_1_a_rollback_by_ecs_is_never_reported_as_successful];

async fn peer_1_a_rollback_by_ecs_is_never_reported_as_successful() {
    let scene = Scene::new("peer-1");
    scene.seed_service(json!({
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
    }));
    let end = scene.deploy("exit-early").await;
    assert_eq!(end.outcome(), "Deploy.RolledBack", "{end:#?}");
    assert_eq!(short(&scene.state()["taskDefinition"]), "peer-1-web:1");
}
