//! An event delivered once more, and one that a person starts once more, long after everything is over.

use crate::situations::{Played, SITUATIONS, Situation, Walked, config, outcome};
use crate::support::all;
use ecr_deploy::domain::task_definition::SOURCE_TAG;
use proptest::prelude::*;
use serde_json::Value;
use walker::account::{Account, list};
use walker::caller::{Caller, Grain};
use walker::machine::Execution;
use walker::run;

/// Walks a push, and once more by `again`. Returns what came of that, and what there was before and after it.
async fn twice(played: &Played<'_>, again: impl AsyncFnOnce() -> Walked) -> (Walked, Value, Value) {
    played.walk(None).await;
    played.account.settle();
    let before = played.account.standing();
    let again = again().await;
    played.account.settle();
    (again, before, played.account.standing())
}

async fn delivered_twice(situation: &Situation) -> Result<(), String> {
    let played = situation.play();
    let (again, before, after) = twice(&played, async || played.walk(None).await).await;
    let message = again
        .ended
        .as_ref()
        .ok()
        .and_then(|end| end["message"].as_str())
        .unwrap_or_default();
    let is_told = message.starts_with("nothing is started") && message.contains("app-");
    if is_told && again.caller.calls().is_empty() && again.services.is_empty() && before == after {
        Ok(())
    } else {
        Err(format!("{:?}: {after:#}\nbut it was {before:#}", again.ended))
    }
}

#[test]
fn an_event_that_comes_once_more_starts_nothing_and_is_told_which_execution_has_it() {
    all(
        SITUATIONS,
        |situation| situation.name,
        |situation| run(delivered_twice(situation)),
    );
}

/// The second execution has another name, so it searches, registers and updates as the first one did.
async fn by_hand(situation: &Situation) -> Result<(), String> {
    let played = situation.play();
    let (again, before, after) = twice(&played, async || played.walk_by_hand(None).await).await;
    let told = || format!("{:?}: {after:#}\nbut it was {before:#}", outcome(&again.services));
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
fn a_push_that_a_person_starts_once_more_long_after_touches_no_service() {
    all(
        SITUATIONS,
        |situation| situation.name,
        |situation| run(by_hand(situation)),
    );
}

/// The name of the execution that an event starts. No service runs the repository.
fn name_of(event: &Value) -> String {
    let account = Account::new();
    let execution = Execution::new(Caller::new(&account, Grain::Alone, None), config());
    // Whatever comes of it: its duplicate is told the name.
    let _ = run(execution.deploy(event));
    let duplicate = run(execution.deploy(event)).unwrap();
    let arn = duplicate["execution"].as_str().unwrap();
    let name = arn.strip_prefix("arn:aws:states:eu-west-1:123456789012:execution:deploy-image:");
    assert!(
        duplicate["message"].as_str().unwrap().contains(name.unwrap()),
        "{duplicate}"
    );
    name.unwrap().to_owned()
}

const ID: &str = "04caef66-e52b-4c4d-bbb5-547b85fec1f8";

/// A push as ECR itself tells of it.
fn image_action(repository: &str, tag: &str) -> Value {
    let mut event = Account::new().push_to(repository, tag, None);
    event["id"] = ID.into();
    event
}

/// A push as CloudTrail tells of it.
fn put_image(repository: &str, tag: &str) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("../../statemachine/examples/put-image-event.json")).unwrap();
    event["id"] = ID.into();
    event["detail"]["requestParameters"]["repositoryName"] = repository.into();
    event["detail"]["requestParameters"]["imageTag"] = tag.into();
    event
}

#[test]
fn an_execution_is_named_after_repository_tag_and_event_whichever_form_the_event_has() {
    for (repository, tag, named) in [
        ("shop/web", "v42", "shop-web-v42"),
        ("shop/web", "v1.4.0_rc-1", "shop-web-v1-4-0_rc-1"),
        (
            "shop/payments/checkout-api",
            "main-7-0123456789abcdef",
            "shop-payments-checkout-main-7-0123456789abc",
        ),
        ("shop/payments/checkout-api", "v1", "shop-payments-checkout-api-v1"),
    ] {
        for event in [image_action(repository, tag), put_image(repository, tag)] {
            assert_eq!(name_of(&event), format!("{named}-{ID}"));
        }
    }
}

#[test]
fn an_event_without_an_id_gets_the_name_of_the_launchers_execution() {
    let mut event = image_action("shop/web", "v42");
    event.as_object_mut().unwrap().remove("id");
    assert_eq!(name_of(&event), "shop-web-v42-event");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// [`Execution::deploy`] refuses a name that Step Functions or its log does not take.
    #[test]
    fn whatever_is_pushed_the_name_holds_the_events_id_as_a_whole(
        repository in "[a-z0-9]{1,40}([._/-][a-z0-9]{1,60}){0,3}", tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
    ) {
        let name = name_of(&image_action(&repository, &tag));
        prop_assert!(name.ends_with(&format!("-{ID}")), "{}", name);
        prop_assert_eq!(name, name_of(&put_image(&repository, &tag)));
    }
}
