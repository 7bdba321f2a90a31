//! Real containers: what needs them, and whether this machine can run them.

use crate::tools;
use std::path::Path;

/// The scenarios that need real containers, wholly or for a part of what they show: named here so that whoever runs the tests
/// is told before they begin.
pub const SCENARIOS: [&str; 11] = [
    "broken_image::a_healthy_sibling_stays_on_the_new_image",
    "broken_image::a_redrive_deploys_only_the_failed_services_again",
    "broken_image::a_redriven_child_deploys_its_service_again_and_touches_nothing_else",
    "broken_image::a_rollback_by_ecs_itself_is_watched_and_reported_as_a_failure",
    "broken_image::after_a_rollback_the_next_good_push_is_deployed",
    "broken_image::with_a_circuit_breaker_that_only_stops_a_broken_image_is_rolled_back",
    "broken_image::without_a_circuit_breaker_a_broken_image_is_rolled_back",
    "new_tag::a_new_tag_reaches_every_service_that_runs_the_repository_and_nothing_else",
    "settings::with_deploy_latest_every_push_of_latest_is_deployed",
    "settings::with_digest_as_reference_the_new_revision_names_the_digest",
    "tag_latest::the_image_is_tagged_latest_when_every_service_is_stable_on_it",
];

/// Checks that containers can run here.
///
/// # Errors
///
/// Why not, as the end of a sentence that says what is not run.
pub fn available() -> Result<(), &'static str> {
    if tools::engine().is_none() {
        Err("no Docker engine answers")
    } else if !Path::new("/bin/busybox").exists() {
        Err("there is no /bin/busybox (Debian's package busybox-static), which images are built around")
    } else {
        Ok(())
    }
}
