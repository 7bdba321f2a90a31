//! An event delivered once more, long after everything is over.

use crate::situations::{SITUATIONS, Situation, outcome};
use crate::support::{all, run};
use serde_json::Value;

async fn check(situation: &Situation) -> Result<(), String> {
    let played = situation.play();
    let first = played.walk(None).await;
    played.account.settle();
    let before = played.account.standing();
    let again = played.walk(None).await;
    played.account.settle();
    let after = played.account.standing();
    // Nobody knows then that the image was tried before: it is tried once more, and the service comes back to where it was.
    let back = |standing: &Value| standing["services"][0]["taskDefinition"].clone();
    if before == after || (situation.is_untold && back(&before) == back(&after)) {
        Ok(())
    } else {
        let (first, again) = (outcome(&first.services), outcome(&again.services));
        Err(format!("{first:?}, then {again:?}: {after:#}\nbut it was {before:#}"))
    }
}

#[test]
fn an_event_that_comes_once_more_long_after_changes_nothing() {
    all(
        SITUATIONS,
        |situation| situation.name,
        |situation| run(check(situation)),
    );
}
