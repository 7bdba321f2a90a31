//! The examples of the contract: one of each arrow, and variants (`<arrow>.<variant>.json`) where they matter.

use crate::{example, repository};
use ecr_deploy::contract::{
    Check, CheckStability, Conclude, EndOfPush, Envelope, FindMissedPushes, ImageConclusion, ImageSummary,
    MissedPushes, NextWave, ParametersToWrite, Plan, PushState, PushStateChange, RegisterRevision, RegisteredRevision,
    RollBackInput, RollBackOutput, RollbackMethod, ServiceConclusion, ServiceOutcome, ServiceState, ServiceStateChange,
    ServiceSummary, StillStableInput, StillStableOutput, UpdateInput, UpdateOutcome, UpdateOutput, Verdict,
};
use ecr_deploy::domain::push::{Push, parse_push};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An arrow of the state machines.
struct Arrow {
    name: &'static str,
    type_name: &'static str,
    /// Reads a value into the arrow's type and writes it back.
    again: fn(Value) -> Result<Value, serde_json::Error>,
}

fn arrow<T: Serialize + DeserializeOwned>(name: &'static str) -> Arrow {
    let path = std::any::type_name::<T>();
    Arrow {
        name,
        type_name: path.rsplit("::").next().unwrap_or(path),
        again: |value| serde_json::to_value(serde_json::from_value::<T>(value)?),
    }
}

fn arrows() -> Vec<Arrow> {
    vec![
        arrow::<Envelope>("envelope"),
        arrow::<Plan>("plan"),
        arrow::<RegisterRevision>("register-revision"),
        arrow::<RegisteredRevision>("registered-revision"),
        arrow::<UpdateInput>("update-service"),
        arrow::<UpdateOutput>("service-update"),
        arrow::<CheckStability>("check-stability"),
        arrow::<Check>("check"),
        arrow::<StillStableInput>("soaked-services"),
        arrow::<StillStableOutput>("still-stable"),
        arrow::<RollBackInput>("roll-back"),
        arrow::<RollBackOutput>("rollback"),
        arrow::<Conclude>("conclude-service"),
        arrow::<ServiceConclusion>("service-conclusion"),
        arrow::<Conclude>("conclude-image"),
        arrow::<ImageConclusion>("image-conclusion"),
        arrow::<Conclude>("wave-due"),
        arrow::<NextWave>("next-wave"),
        arrow::<Conclude>("sum-up-service"),
        arrow::<ServiceSummary>("service-summary"),
        arrow::<Conclude>("sum-up-image"),
        arrow::<ImageSummary>("image-summary"),
        arrow::<Conclude>("parameters-found"),
        arrow::<ParametersToWrite>("parameters-to-write"),
        arrow::<Conclude>("push-ended"),
        arrow::<EndOfPush>("end-of-push"),
        arrow::<FindMissedPushes>("find-missed-pushes"),
        arrow::<MissedPushes>("missed-pushes"),
        arrow::<ServiceStateChange>("service-state-change"),
        arrow::<PushStateChange>("push-state-change"),
    ]
}

/// The sources of the contract's types.
fn contract() -> String {
    let files = std::fs::read_dir(repository("functions/ecr-deploy/src/contract")).unwrap();
    files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect()
}

/// AWS's own events, which are read by `ecr_deploy::domain::push` and never refused for a member that is new.
const EVENTS: [&str; 2] = ["put-image-event", "image-action-event"];

/// The types of the contract that are parts of an arrow, not an arrow.
const PARTS: [&str; 42] = [
    "BaseNote",
    "Card",
    "CardContent",
    "CardMetadata",
    "End",
    "Execution",
    "Hold",
    "ImageEnd",
    "Message",
    "MissedPush",
    "Parameter",
    "ParametersFound",
    "PlannedResult",
    "PlannedRevision",
    "PlannedService",
    "PushEnded",
    "PushServices",
    "PushState",
    "RevisionResult",
    "RollbackCopy",
    "RollbackMethod",
    "RollbackRevision",
    "Rollout",
    "ServiceEnd",
    "ServiceId",
    "ServiceOutcome",
    "ServiceParameters",
    "ServiceResult",
    "ServiceState",
    "SkipReason",
    "Skipped",
    "StageTag",
    "StateChange",
    "StateError",
    "SumUp",
    "UpdateOutcome",
    "Verdict",
    "WatchedRollback",
    "WatchedUpdate",
    "Wave",
    "WaveDue",
    "WhyMissed",
];

/// The names of all examples, without `.json`.
fn example_names() -> BTreeSet<String> {
    let files = std::fs::read_dir(repository("statemachine/examples")).unwrap();
    files
        .map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            let stem = name.strip_suffix(".json");
            stem.unwrap_or_else(|| panic!("{name} is no example")).to_owned()
        })
        .collect()
}

/// Every example of `arrow`, with its name: the plain one first.
pub(crate) fn examples_of(arrow: &str) -> Vec<(String, Value)> {
    let names = example_names();
    let of_arrow = names.iter().filter(|name| name.split('.').next() == Some(arrow));
    let examples: Vec<_> = of_arrow.map(|name| (name.clone(), example(name))).collect();
    assert_eq!(examples[0].0, arrow, "an arrow has a plain example");
    examples
}

/// The values of an enum as JSON has them, told by serde itself when it is given one that is none of them; `tag` is the member
/// that names the variant of a sum.
pub(crate) fn values<T: DeserializeOwned + std::fmt::Debug>(tag: Option<&str>) -> BTreeSet<String> {
    let none_of_them = match tag {
        Some(tag) => json!({tag: "no such value"}),
        None => json!("no such value"),
    };
    let refused = serde_json::from_value::<T>(none_of_them).unwrap_err().to_string();
    let quoted = refused.split('`').skip(1).step_by(2).skip(1);
    quoted.map(str::to_owned).collect()
}

#[test]
fn every_example_is_read_and_written_back_equal() {
    for arrow in arrows() {
        for (name, value) in examples_of(arrow.name) {
            let written = (arrow.again)(value.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(written, value, "{name}");
        }
    }
}

#[test]
fn an_unknown_member_is_refused_wherever_it_stands() {
    for arrow in arrows() {
        for (name, value) in examples_of(arrow.name) {
            for pointer in objects(&value, "") {
                // This type cannot refuse the data of AWS or of another step: the envelope's input is read by the step,
                // and an error's members are Step Functions' own.
                let is_foreign = (arrow.name == "envelope" && pointer.starts_with("/input"))
                    || value.pointer(&pointer).unwrap().get("Error").is_some();
                let mut with_unknown = value.clone();
                let object = with_unknown.pointer_mut(&pointer).unwrap().as_object_mut().unwrap();
                object.insert("unknownMember".to_owned(), json!(1));
                assert_eq!((arrow.again)(with_unknown).is_ok(), is_foreign, "{name} at {pointer:?}");
            }
        }
    }
}

/// The JSON pointers of all objects in `value`.
fn objects(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<String> = match value {
        Value::Object(members) => {
            let below = members
                .iter()
                .flat_map(|(name, member)| objects(member, &format!("{at}/{name}")));
            std::iter::once(at.to_owned()).chain(below).collect()
        }
        Value::Array(items) => {
            let below = items.iter().enumerate();
            below
                .flat_map(|(index, item)| objects(item, &format!("{at}/{index}")))
                .collect()
        }
        _ => Vec::new(),
    };
    below
}

/// The state machines log every arrow with its data.
#[test]
fn no_arrow_has_room_for_an_environment_a_secret_or_a_whole_document() {
    let source = contract();
    let is_name = |name: &str| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    let members: Vec<(&str, &str)> = source
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches("pub ")
                .trim_end_matches(',')
                .split_once(": ")
        })
        .filter(|(name, _)| is_name(name))
        .collect();
    assert!(members.len() > 50, "{members:?}");
    for (name, holds) in members {
        let private = [
            "environment",
            "variable",
            "secret",
            "password",
            "credential",
            "access_key",
            "session",
            "command",
            "document",
            "definitions",
            "log_configuration",
        ];
        assert!(!private.iter().any(|word| name.contains(word)), "{name}: {holds}");
        // A member without a type of ours could hold anything. The step reads the input of the envelope as one of the
        // arrows.
        let is_free = ["Value", "Map<", "serde_json"].iter().any(|free| holds.contains(free));
        assert!(!is_free || name == "input", "{name}: {holds}");
    }
    for (name, value) in arrows().iter().flat_map(|arrow| examples_of(arrow.name)) {
        let is_event = |pointer: &String| value.pointer(pointer).unwrap().get("detail-type").is_some();
        assert!(
            !objects(&value, "").iter().any(is_event),
            "{name} carries the whole event"
        );
    }
}

#[test]
fn every_example_has_a_type_and_every_type_an_example() {
    let known: BTreeSet<&str> = arrows().iter().map(|arrow| arrow.name).chain(EVENTS).collect();
    let names = example_names();
    let arrows_shown: BTreeSet<&str> = names.iter().filter_map(|name| name.split('.').next()).collect();
    assert_eq!(arrows_shown, known);

    let source = contract();
    let declared = source.lines().filter_map(|line| {
        let name = line
            .strip_prefix("pub struct ")
            .or_else(|| line.strip_prefix("pub enum "))?;
        name.split([' ', '(', ';', '<']).next()
    });
    let declared: BTreeSet<&str> = declared.collect();
    let accounted: BTreeSet<&str> = arrows().iter().map(|arrow| arrow.type_name).chain(PARTS).collect();
    assert_eq!(declared, accounted);
    for part in PARTS {
        let words = source.split(|character: char| !character.is_alphanumeric());
        assert!(
            words.filter(|word| *word == part).count() > 1,
            "{part} is part of nothing"
        );
    }
}

#[test]
fn every_outcome_is_shown_by_an_example() {
    let shown = |arrow: &str, member: &str| -> BTreeSet<String> {
        let examples = examples_of(arrow);
        let values = examples.iter().filter_map(|(_, value)| value[member].as_str());
        values.map(str::to_owned).collect()
    };
    assert_eq!(
        shown("service-update", "outcome"),
        values::<UpdateOutcome>(Some("outcome"))
    );
    let examples = examples_of("update-service");
    let told =
        |holds: fn(&Value) -> bool| -> BTreeSet<bool> { examples.iter().map(|(_, value)| holds(value)).collect() };
    let both = BTreeSet::from([false, true]);
    assert_eq!(told(|value| value["repeated"] == true), both);
    assert_eq!(told(|value| value["wantedSince"].is_string()), both);
    assert_eq!(shown("check", "verdict"), values::<Verdict>(None));
    assert_eq!(shown("rollback", "method"), values::<RollbackMethod>(Some("method")));
    assert_eq!(shown("service-conclusion", "outcome"), values::<ServiceOutcome>(None));
    assert_eq!(shown("service-state-change", "state"), values::<ServiceState>(None));
    assert_eq!(shown("push-state-change", "state"), values::<PushState>(None));
}

#[test]
fn the_examples_tell_one_story() {
    let event = parse_push(&example("put-image-event")).unwrap();
    let plan: Plan = serde_json::from_value(example("plan")).unwrap();
    assert_eq!(event, Push::Tagged(plan.image.unwrap()));

    // The output of one step is the input of the next.
    let fits = BTreeMap::from([
        ("envelope /input", "register-revision "),
        ("register-revision /image", "plan /image"),
        ("register-revision /taskDefinition", "plan /revisions/0/taskDefinition"),
        ("register-revision /settings", "plan /settings/0"),
        ("update-service /settings", "plan /settings/0"),
        ("conclude-image.wave /tags", "plan.waves /tags"),
        ("conclude-service.newest /base", "registered-revision.newest /base"),
        (
            "service-conclusion.newest /base",
            "registered-revision.newest /base/taskDefinition",
        ),
        ("update-service /taskDefinition", "registered-revision /taskDefinition"),
        ("update-service /source", "registered-revision /source"),
        (
            "service-update /rollout/taskDefinition",
            "update-service /taskDefinition",
        ),
        ("service-update /previous", "update-service /source"),
        ("check-stability /rollout", "service-update /rollout"),
        ("check-stability /previous", "service-update /previous"),
        ("roll-back /rollout", "service-update /rollout"),
        ("rollback /rollout/taskDefinition", "roll-back /previous"),
        (
            "register-revision.rollback /taskDefinition",
            "rollback.registration-needed /register/taskDefinition",
        ),
        (
            "register-revision.rollback /rollback",
            "rollback.registration-needed /register/rollback",
        ),
        (
            "roll-back.registered /registered",
            "registered-revision.rollback /taskDefinition",
        ),
        (
            "rollback.pinned-revision /rollout/taskDefinition",
            "roll-back.registered /registered",
        ),
        ("check-stability.rollback /rollout", "rollback /rollout"),
        ("conclude-service /update", "service-update "),
        ("conclude-service /check", "check "),
        ("conclude-service.rolled-back /check", "check.failed "),
        ("conclude-service.rolled-back /rollBack", "rollback "),
        ("service-conclusion /from", "service-update /previous"),
        ("service-conclusion /to", "update-service /taskDefinition"),
        (
            "conclude-image /results/0/taskDefinition",
            "plan /revisions/0/taskDefinition",
        ),
        (
            "conclude-image /results/0/services/0/outcome",
            "service-conclusion /outcome",
        ),
        ("conclude-image /skipped", "plan /skipped"),
        ("image-conclusion /families/0", "conclude-image /results/2/registered"),
        ("image-conclusion /skipped", "plan /skipped"),
    ]);
    for (taken, returned) in fits {
        let [taken_value, returned_value] = [taken, returned].map(|place| {
            let (name, pointer) = place.split_once(' ').unwrap();
            example(name)
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{place}"))
                .clone()
        });
        assert_eq!(taken_value, returned_value, "{taken} is {returned}");
    }
    let registered: RegisteredRevision = serde_json::from_value(example("registered-revision")).unwrap();
    let asked: RegisterRevision = serde_json::from_value(example("register-revision")).unwrap();
    assert_eq!(registered.source.name(), asked.task_definition);
}
