//! An event delivered once more, long after everything is over.

use crate::account::list;
use crate::situations::{SITUATIONS, Situation, outcome};
use crate::support::{all, run};
use serde_json::Value;
use shared::task_definition::SOURCE_TAG;

async fn check(situation: &Situation) -> Result<(), String> {
    let played = situation.play();
    let first = played.walk(None).await;
    played.account.settle();
    let before = played.account.standing();
    let again = played.walk(None).await;
    played.account.settle();
    let after = played.account.standing();
    let told = || {
        let (first, again) = (outcome(&first.services), outcome(&again.services));
        format!("{first:?}, then {again:?}: {after:#}\nbut it was {before:#}")
    };
    // Nobody knows then that the image was tried before: it is tried once more, and the service comes back to where it was.
    let back = |standing: &Value| standing["services"][0]["taskDefinition"].clone();
    if before["services"] != after["services"] && !(situation.is_untold && back(&before) == back(&after)) {
        return Err(told());
    }
    // Where somebody has deployed another revision since, the image may be registered in that one; none is made twice.
    let mut made: Vec<String> = list(&after["families"]["web"])
        .iter()
        .map(ToString::to_string)
        .filter(|revision| revision.contains(SOURCE_TAG))
        .collect();
    let all = made.len();
    made.sort();
    made.dedup();
    if made.len() < all { Err(told()) } else { Ok(()) }
}

#[test]
fn an_event_that_comes_once_more_long_after_touches_no_service() {
    all(
        SITUATIONS,
        |situation| situation.name,
        |situation| run(check(situation)),
    );
}
