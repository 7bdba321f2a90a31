//! A walk through the state machines: every name in them is a name that the functions or AWS know, every member that
//! they build or read is a member of the contract.
//!
//! See <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html>.

use crate::examples::{examples_of, values};
use crate::{repository, text};
use ecr_deploy::contract::{Hold, RollbackMethod, UpdateOutcome, Verdict};
use ecr_deploy::domain::stage::RollbackSetting;
use ecr_deploy::error::Error;
use ecr_deploy::quota::schedule::UPDATES;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const DEPLOY_IMAGE: &str = "deploy-image";
const DEPLOY_SERVICE: &str = "deploy-service";

/// The other names of AWS's that the state machines may match: the service's prefix and its exception.
const OTHER_AWS_ERRORS: [&str; 33] = [
    // https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    "States.ALL",
    // https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html writes the first; by the rule of the
    // other integrations it would be the second. Whichever AWS throws, it is matched.
    "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ExecutionLimitExceededException",
    // https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html, likewise.
    "StepFunctions.ExecutionAlreadyExists",
    "StepFunctions.ExecutionAlreadyExistsException",
    "StepFunctions.KmsThrottlingException",
    "StepFunctions.SdkClientException",
    // By the first SDK and by the second: AWS documents neither.
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.SfnException",
    // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
    "Ecr.ServerException",
    "Ecr.SdkClientException",
    "Ecr.ThrottlingException",
    // The name that Step Functions gives an error that has none of its own in the service's model.
    "Ecr.EcrException",
    // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    "Ecr.ImageAlreadyExistsException",
    "Ecr.ImageTagAlreadyExistsException",
    // https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
    "Ssm.InternalServerErrorException",
    "Ssm.SdkClientException",
    "Ssm.ThrottlingException",
    "Ssm.SsmException",
    // https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
    "Sfn.KmsThrottlingException",
    "Sfn.SdkClientException",
    "Sfn.ThrottlingException",
    "Sfn.SfnException",
    // https://docs.aws.amazon.com/step-functions/latest/dg/connect-eventbridge.html
    "EventBridge.FailedEntry",
    // https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
    "EventBridge.InternalException",
    "EventBridge.SdkClientException",
    "EventBridge.AmazonEventBridgeException",
    "EventBridge.EventBridgeException",
    // https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    "SNS.InternalErrorException",
    "SNS.ThrottledException",
    "SNS.SdkClientException",
    "SNS.AmazonSNSException",
    "SNS.SnsException",
];

/// The placeholders that are no functions.
const OTHER_PLACEHOLDERS: [&str; 9] = [
    "partition",
    "version",
    "push",
    "deployImage",
    "deployService",
    "groups",
    "atOnce",
    "hold",
    "topic",
];

/// A state, with the machine and the name it stands under.
struct State {
    machine: &'static str,
    name: String,
    value: Value,
}

impl State {
    fn title(&self) -> String {
        format!("{:?} of {}", self.name, self.machine)
    }

    /// The placeholder of the function that a Lambda task invokes.
    fn function(&self) -> Option<&str> {
        let is_lambda = self.value["Resource"].as_str()?.ends_with(":lambda:invoke");
        let name = self.value["Arguments"]["FunctionName"].as_str().filter(|_| is_lambda)?;
        name.strip_prefix("${")?.strip_suffix('}')
    }

    fn retriers(&self) -> &[Value] {
        self.value["Retry"].as_array().map_or(&[], Vec::as_slice)
    }

    fn catchers(&self) -> &[Value] {
        self.value["Catch"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The arrows of a Lambda task: what goes in (none when it is an event of AWS's) and what comes out.
    fn arrows(&self) -> Option<(Option<&'static str>, &'static str)> {
        let input = &self.value["Arguments"]["Payload"]["input"];
        let scope = input["scope"].as_str();
        Some(match (self.function()?, scope) {
            ("findTaskDefinitions", None) => (None, "plan"),
            ("findMissedPushes", None) => (Some("find-missed-pushes"), "missed-pushes"),
            ("registerRevision", None) => (Some("register-revision"), "registered-revision"),
            ("updateService", None) => (Some("update-service"), "service-update"),
            ("checkStability", None) if input.get("soaked").is_some() => (Some("soaked-services"), "still-stable"),
            ("checkStability", None) => (Some("check-stability"), "check"),
            ("rollBack", None) => (Some("roll-back"), "rollback"),
            ("conclude", Some("SERVICE")) => (Some("conclude-service"), "service-conclusion"),
            ("conclude", Some("IMAGE")) => (Some("conclude-image"), "image-conclusion"),
            ("conclude", Some("PARAMETERS")) => (Some("parameters-found"), "parameters-to-write"),
            ("conclude", Some("ENDED")) => (Some("push-ended"), "end-of-push"),
            ("conclude", Some("WAVE")) => (Some("wave-due"), "next-wave"),
            ("conclude", Some("SUM_UP")) => match input["end"]["scope"].as_str() {
                Some("SERVICE") => (Some("sum-up-service"), "service-summary"),
                Some("IMAGE") => (Some("sum-up-image"), "image-summary"),
                scope => panic!("{}: no arrows are known for {scope:?}", self.title()),
            },
            (function, scope) => panic!("{}: no arrows are known for {function} {scope:?}", self.title()),
        })
    }
}

fn definition(machine: &str) -> Value {
    asl::read(machine).unwrap()
}

/// Every state of all machines, those inside of a Map among them.
fn states() -> Vec<State> {
    let mut states = Vec::new();
    for machine in asl::MACHINES {
        collect(machine, &definition(machine), &mut states);
    }
    states
}

fn collect(machine: &'static str, scope: &Value, states: &mut Vec<State>) {
    for (name, value) in scope["States"].as_object().unwrap() {
        states.push(State {
            machine,
            name: name.clone(),
            value: value.clone(),
        });
        if value.get("ItemProcessor").is_some() {
            collect(machine, &value["ItemProcessor"], states);
        }
        assert!(
            value.get("Branches").is_none(),
            "{name}: this walk does not know Parallel states"
        );
    }
}

fn state(machine: &str, name: &str) -> Value {
    let found = states()
        .into_iter()
        .find(|state| state.machine == machine && state.name == name);
    found.unwrap_or_else(|| panic!("{machine} has no state {name:?}")).value
}

/// Every text in `value`, however deep.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Returns the texts between `open` and the next `close`, each time that `open` occurs.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open)
        .skip(1)
        .filter_map(move |rest| rest.split(close).next())
}

/// The paths of members that a JSONata expression reads from `root` (`$states.result.Payload`): `["image", "tag"]`.
fn reads<'a>(text: &'a str, root: &'a str) -> impl Iterator<Item = Vec<&'a str>> {
    let is_path = |character: char| character.is_ascii_alphanumeric() || "._".contains(character);
    text.match_indices(root).filter_map(move |(start, _)| {
        let rest = &text[start + root.len()..];
        let path = rest.split(|character| !is_path(character)).next().unwrap_or_default();
        if path.is_empty() {
            return Some(Vec::new());
        }
        // Else it is another name that begins alike.
        path.strip_prefix('.').map(|path| path.split('.').collect())
    })
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_state_says_what_it_is_for() {
    for state in states() {
        let comment = state.value["Comment"].as_str().unwrap_or_default();
        assert!(!comment.trim().is_empty(), "{} has no Comment", state.title());
    }
}

/// The pictures have no other words for it.
#[test]
fn every_way_out_of_a_choice_has_a_label() {
    for state in states().iter().filter(|state| state.value["Type"] == "Choice") {
        for choice in state.value["Choices"].as_array().unwrap() {
            let label = choice["Comment"].as_str().unwrap_or_default();
            assert!(
                !label.is_empty() && !label.contains('"'),
                "{}: {label:?}",
                state.title()
            );
        }
    }
}

#[test]
fn there_are_few_kinds_of_retriers_and_they_are_the_same_in_all_machines() {
    let states = states();
    let kinds: BTreeSet<String> = states.iter().flat_map(State::retriers).map(Value::to_string).collect();
    assert_eq!(kinds.len(), 11, "{kinds:#?}");
}

#[test]
fn all_machines_are_jsonata_from_end_to_end() {
    for machine in asl::MACHINES {
        assert_eq!(definition(machine)["QueryLanguage"], "JSONata", "{machine}");
    }
    for state in states() {
        let own = state.value.get("QueryLanguage");
        assert!(own.is_none_or(|own| own == "JSONata"), "{}", state.title());
        for text in texts(&state.value) {
            let is_expression = text.starts_with("{% ") && text.ends_with(" %}");
            let is_text = !text.contains("{%") && !text.contains("$states") && !text.contains("$$.");
            assert!(is_expression || is_text, "{}: {text}", state.title());
        }
    }
}

#[test]
fn no_state_is_a_fail_state_since_a_redrive_of_one_only_fails_again() {
    for state in states() {
        assert_ne!(state.value["Type"], "Fail", "{}", state.title());
    }
}

/// Only functions can run out of time. Such a call is repeated, and then caught or thrown as any other error is; a
/// redrive goes on from there. So there is no redrive of anything that timed out.
#[test]
fn no_state_and_no_execution_has_a_time_limit_that_a_redrive_could_meet() {
    let limits = ["TimeoutSeconds", "HeartbeatSeconds"];
    for machine in asl::MACHINES {
        assert!(
            limits.iter().all(|limit| definition(machine).get(limit).is_none()),
            "{machine}"
        );
    }
    for state in states() {
        assert!(
            limits.iter().all(|limit| state.value.get(limit).is_none()),
            "{}",
            state.title()
        );
        let retried: BTreeSet<&str> = state
            .retriers()
            .iter()
            .flat_map(|retrier| texts(&retrier["ErrorEquals"]))
            .collect();
        assert!(
            state.function().is_none() || retried.contains("Sandbox.Timedout"),
            "{}",
            state.title()
        );
    }
}

#[test]
fn every_error_that_is_matched_is_one_of_ours_or_of_aws() {
    let known: BTreeSet<&str> = Error::NAMES
        .into_iter()
        .chain(Error::PASSING)
        .chain(OTHER_AWS_ERRORS)
        .collect();
    for state in states() {
        for matcher in state.retriers().iter().chain(state.catchers()) {
            let errors = texts(&matcher["ErrorEquals"]);
            assert!(!errors.is_empty(), "{} matches nothing", state.title());
            for error in errors {
                assert!(known.contains(error), "{}: {error}", state.title());
            }
        }
    }
}

#[test]
fn everything_is_caught_only_and_last_and_never_retried() {
    for state in states() {
        for retrier in state.retriers() {
            for error in texts(&retrier["ErrorEquals"]) {
                assert!(
                    !["States.ALL", "States.TaskFailed"].contains(&error),
                    "{} retries {error}",
                    state.title()
                );
            }
        }
        for (index, catcher) in state.catchers().iter().enumerate() {
            let errors = texts(&catcher["ErrorEquals"]);
            if errors.contains(&"States.ALL") {
                assert_eq!(errors, ["States.ALL"], "{}", state.title());
                assert_eq!(
                    index + 1,
                    state.catchers().len(),
                    "{}: nothing matches after it",
                    state.title()
                );
            }
        }
    }
}

/// A function that ran out of time took this long: the least `timeout` of a step, `cdk/lib/step.ts`.
const FUNCTION_TIMEOUT_SECONDS: f64 = 300.0;

/// How long a retrier tries on average: full jitter takes half of each delay. With it, what the attempts themselves take, where
/// that is known.
fn patience_seconds(retrier: &Value) -> f64 {
    let member = |name: &str| retrier[name].as_f64().unwrap();
    let (mut delay, mut all) = (member("IntervalSeconds"), 0.0);
    let timed_out = texts(&retrier["ErrorEquals"]) == ["Sandbox.Timedout"];
    for _ in 0..retrier["MaxAttempts"].as_u64().unwrap() {
        all += delay / 2.0 + if timed_out { FUNCTION_TIMEOUT_SECONDS } else { 0.0 };
        delay = f64::min(delay * member("BackoffRate"), member("MaxDelaySeconds"));
    }
    all
}

/// That nobody could answer is no verdict. `cdk/lib/patience.ts` raises the numbers for a `rolloutTimeout` that is longer than
/// the default.
#[test]
fn every_lambda_task_tries_again_for_as_long_as_a_rollout_may_take_whatever_passes_by_itself() {
    let rollout = ecr_deploy::function::config::Config::default()
        .rollout_timeout
        .as_secs_f64();
    let mut lambda_tasks = 0;
    for state in states().iter().filter(|state| state.function().is_some()) {
        lambda_tasks += 1;
        let mut errors: Vec<&str> = Vec::new();
        for retrier in state.retriers() {
            errors.extend(texts(&retrier["ErrorEquals"]));
            // More, since it is a matter of chance.
            let patience = patience_seconds(retrier);
            assert!(
                patience >= 1.25 * rollout,
                "{}: {patience} s of {rollout} s",
                state.title()
            );
            // A retry takes three events, and an execution can have 25,000.
            assert!(retrier["MaxAttempts"].as_u64().unwrap() <= 100, "{}", state.title());
        }
        errors.sort_unstable();
        let mut passing = Error::PASSING;
        passing.sort_unstable();
        assert_eq!(errors, passing, "{}", state.title());
    }
    assert_eq!(lambda_tasks, 17, "tasks that invoke a function");
    for state in states() {
        for retrier in state.retriers() {
            assert_eq!(retrier["JitterStrategy"], "FULL", "{}", state.title());
            assert_eq!(retrier["BackoffRate"], 2, "{}", state.title());
        }
    }
}

/// Lambda reports the first where it knows no more, and the second where the process was killed, say for want of memory:
/// <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>.
#[test]
fn a_function_that_crashes_once_is_invoked_again_and_is_no_verdict_on_a_rollout() {
    for crash in ["Lambda.Unknown", "Runtime.ExitError"] {
        assert!(Error::PASSING.contains(&crash), "{crash}");
        for state in states().iter().filter(|state| state.function().is_some()) {
            let mut retriers = state.retriers().iter();
            let is_retried = retriers.any(|retrier| texts(&retrier["ErrorEquals"]).contains(&crash));
            assert!(is_retried, "{}: {crash}", state.title());
        }
    }
}

#[test]
fn an_error_that_keeps_a_rollout_from_being_read_tells_since_when() {
    for name in [
        "Check stability",
        "Roll back",
        "Register rollback revision",
        "Check rollback",
    ] {
        let state = state(DEPLOY_SERVICE, name);
        let assigned: Vec<&str> = texts(&state["Catch"][0]["Assign"]);
        assert_eq!(
            assigned,
            ["{% $merge([$states.errorOutput, {'Since': $states.context.State.EnteredTime}]) %}"],
            "{name}"
        );
    }
}

#[test]
fn of_a_thousand_updates_asked_for_at_once_by_twenty_pushes_none_is_given_up() {
    let retrier = &state(DEPLOY_SERVICE, "Update service")["Retry"][0];
    let member = |name: &str| retrier[name].as_f64().unwrap();
    let longest = |attempt: u32| {
        let delay = member("IntervalSeconds") * member("BackoffRate").powf(attempt.into());
        delay.min(member("MaxDelaySeconds"))
    };
    for seed in 1..=50 {
        let mut random = Random(seed);
        // Each push keeps to the bucket by itself: 50 at once. Together they empty it, at once and for 190 seconds.
        let mut calls: BTreeSet<(u64, u32, u32)> = (0..1000).map(|call| (0, call, 0)).collect();
        let (mut tokens, mut last) = (50.0_f64, 0);
        while let Some((milliseconds, call, attempt)) = calls.pop_first() {
            let passed = Duration::from_millis(milliseconds - last).as_secs_f64();
            tokens = (tokens + passed * f64::from(UPDATES.per_second)).min(UPDATES.at_once.into());
            last = milliseconds;
            if tokens >= 1.0 {
                tokens -= 1.0;
                continue;
            }
            let given_up = f64::from(attempt) >= member("MaxAttempts");
            assert!(
                !given_up,
                "seed {seed}: call {call} is given up after {milliseconds} ms"
            );
            let pause = Duration::from_secs_f64(longest(attempt) * random.next());
            let again = milliseconds + u64::try_from(pause.as_millis()).unwrap();
            calls.insert((again, call, attempt + 1));
        }
    }
}

/// Numbers from 0 to 1 that are the same in every run: <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

#[test]
fn every_placeholder_is_a_function_or_a_known_setting() {
    let functions: BTreeSet<String> = std::fs::read_dir(repository("functions"))
        .unwrap()
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .filter(|folder| folder != "ecr-deploy" && folder != "bootstrap")
        .collect();
    let program = text("functions/bootstrap/src/main.rs");
    for function in &functions {
        let manifest = text(&format!("functions/{function}/Cargo.toml"));
        assert!(
            manifest.contains(&format!("name = \"{function}\"")),
            "{function}: package and folder are named alike"
        );
        assert!(
            program.contains(&format!("\"{function}\" => ")),
            "the program of the functions serves {function}"
        );
    }

    let definitions = asl::MACHINES.map(|machine| definition(machine).to_string());
    let used: BTreeSet<&str> = definitions.iter().flat_map(|text| between(text, "${", '}')).collect();
    let other = BTreeSet::from(OTHER_PLACEHOLDERS);
    let used_functions: BTreeSet<String> = used.difference(&other).map(|name| kebab(name)).collect();
    assert_eq!(used_functions, functions);
    assert!(other.is_subset(&used), "{used:?}");
    for state in states() {
        if state.value["Resource"]
            .as_str()
            .is_some_and(|resource| resource.ends_with(":lambda:invoke"))
        {
            let function = state.function().map(kebab).unwrap_or_default();
            assert!(functions.contains(&function), "{} invokes {function:?}", state.title());
        }
    }
}

/// `updateService` is `update-service`.
fn kebab(camel: &str) -> String {
    let mut kebab = String::new();
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    kebab
}

#[test]
fn every_literal_that_a_choice_compares_with_is_a_value_of_its_enum() {
    let mut compared = 0;
    for state in states().iter().filter(|state| state.value["Type"] == "Choice") {
        for choice in state.value["Choices"].as_array().unwrap() {
            let condition = choice["Condition"].as_str().unwrap();
            for (index, literal) in condition.split('\'').enumerate().filter(|(index, _)| index % 2 == 1) {
                compared += 1;
                let before = condition.split('\'').nth(index - 1).unwrap().trim_end();
                let subject = before.strip_suffix('=').map(|left| left.trim_end_matches([' ', '!']));
                let subject = subject.and_then(|left| left.split(' ').next_back()).unwrap_or_default();
                let known = match subject {
                    "$update.outcome" => values::<UpdateOutcome>(Some("outcome")),
                    "$check.verdict" | "$rollBackCheck.verdict" => values::<Verdict>(None),
                    "$rollBack.method" => values::<RollbackMethod>(Some("method")),
                    "$settings.rollback" => values::<RollbackSetting>(None),
                    _ => panic!(
                        "{}: it is not known what {subject:?} can be in {condition}",
                        state.title()
                    ),
                };
                assert!(
                    known.contains(literal),
                    "{}: {subject} is never {literal}",
                    state.title()
                );
            }
        }
    }
    assert!(compared > 0, "no Choice compares with a literal");
}

/// Compares what a state builds with an example of it: the same members, as deep as the state spells them out.
fn assert_builds(built: &Value, example: &Value, place: &str) {
    match (built, example) {
        (Value::Object(members), Value::Object(_)) => {
            assert_eq!(keys(built), keys(example), "{place}");
            for (name, member) in members {
                assert_builds(member, &example[name], &format!("{place}.{name}"));
            }
        }
        (Value::Array(items), Value::Array(examples)) => {
            for item in items {
                assert_builds(item, &examples[0], place);
            }
        }
        (Value::Object(_) | Value::Array(_), _) => panic!("{place}: the example has {example} there"),
        _ => {}
    }
}

#[test]
fn every_payload_is_the_envelope_with_exactly_the_members_of_the_steps_input() {
    for state in states() {
        let Some((input, _)) = state.arrows() else { continue };
        let payload = &state.value["Arguments"]["Payload"];
        let envelope = crate::example("envelope");
        assert_eq!(keys(payload), keys(&envelope), "{}", state.title());
        assert_builds(&payload["execution"], &envelope["execution"], &state.title());
        match input {
            Some(arrow) => assert_builds(&payload["input"], &crate::example(arrow), &state.title()),
            None => assert_eq!(
                payload["input"],
                "{% $merge([$states.input, {'hold': $hold}]) %}",
                "{} takes the event and the hold",
                state.title()
            ),
        }
    }
}

/// The value at `path`; `None` where a member on the way is `null`.
fn member<'a>(example: &'a Value, path: &[&str], place: &str) -> Option<&'a Value> {
    path.iter().try_fold(example, |value, name| {
        let member = value.get(name);
        let member = member.unwrap_or_else(|| panic!("{place} reads {path:?}, which is not in {example:#}"));
        (!member.is_null()).then_some(member)
    })
}

/// Every example of `arrow` has a member at `path`, or a `null` on the way where there is nothing; not all have `null`.
fn assert_has(arrow: &str, path: &[&str], place: &str) {
    let read = |(name, example): &(String, Value)| member(example, path, &format!("{place}, of {name},")).is_some();
    let found = examples_of(arrow).iter().filter(|example| read(example)).count();
    assert!(
        found > 0,
        "{place} reads {path:?}, which is null in every example of {arrow}"
    );
}

/// The parts of an expression that are evaluated for an answer: of `$states.result.Payload.outcome = 'REBASE' ? a : b`, or of
/// `… in ['STARTED', 'REBASE'] ? a : b`, the condition and one of both.
fn evaluated(text: &str, answer: &Value) -> String {
    let Some((condition, ways)) = text.split_once(" ? ") else {
        return text.to_owned();
    };
    let compared = condition
        .split_once("$states.result.Payload.")
        .and_then(|(_, compared)| compared.split_once(' '));
    match (compared, ways.split_once(" : ")) {
        (Some((tag, literals)), Some((way, other))) => {
            let holds = between(literals, "'", '\'').any(|literal| answer[tag] == literal);
            format!("{condition} ? {}", if holds { way } else { other })
        }
        _ => text.to_owned(),
    }
}

#[test]
fn every_member_that_is_read_of_an_answer_is_a_member_of_the_steps_output() {
    let mut members_read = 0;
    for state in states() {
        let Some((_, output)) = state.arrows() else { continue };
        for text in texts(&state.value) {
            for path in reads(text, "$states.result.Payload") {
                members_read += 1;
                // All of them: where an example lacks the member, `member` panics.
                let has_it = |(name, answer): &&(String, Value)| {
                    let is_read = reads(&evaluated(text, answer), "$states.result.Payload").any(|read| read == path);
                    is_read && member(answer, &path, &format!("{} of {name}", state.title())).is_some()
                };
                let found = examples_of(output).iter().filter(has_it).count();
                assert!(found > 0, "{} reads {path:?}, which {output} never has", state.title());
            }
        }
    }
    assert!(members_read > 10, "{members_read}");
}

/// A variable that holds a step's answer, or a member of it.
struct Held<'a> {
    variable: &'a str,
    /// Where it stands in the answer.
    path: Vec<&'a str>,
    answer: &'a Value,
}

impl Held<'_> {
    /// Returns true if a choice's condition holds; `None` if that depends on anything but this variable.
    fn decides(&self, condition: &str) -> Option<bool> {
        let of_variable = |text: &str| text.strip_prefix(&format!("${}.", self.variable)).map(str::to_owned);
        let condition = condition.strip_prefix("{% ")?.strip_suffix(" %}")?;
        if let Some(exists) = condition
            .strip_prefix("$exists(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            return Some(self.answer.get(of_variable(exists)?).is_some());
        }
        let (left, literal) = condition.split_once(" = ")?;
        let literal = literal.strip_prefix('\'')?.strip_suffix('\'')?;
        Some(self.answer.get(of_variable(left)?)? == literal)
    }

    /// The states that may follow while the variable still holds the answer.
    fn next(&self, state: &State) -> Vec<String> {
        let value = &state.value;
        let sets = |scope: &Value| scope["Assign"].get(self.variable).is_some();
        let mut next: Vec<&Value> = Vec::new();
        for choice in value["Choices"].as_array().into_iter().flatten() {
            let decided = self.decides(choice["Condition"].as_str().unwrap());
            next.extend((decided != Some(false)).then_some(&choice["Next"]));
            if decided == Some(true) {
                return next.into_iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
        }
        let caught = state.catchers().iter().filter(|catcher| !sets(catcher));
        next.extend(caught.map(|catcher| &catcher["Next"]));
        next.push(&value["ItemProcessor"]["StartAt"]);
        if !sets(value) {
            next.extend([&value["Next"], &value["Default"]]);
        }
        next.into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The states that may read the variable, by their names: all that follow on the one that set it.
    fn readers(&self, states: &BTreeMap<String, State>, set_by: &State) -> BTreeSet<String> {
        let mut readers = BTreeSet::new();
        let mut open: Vec<String> = set_by.value["Next"].as_str().map(str::to_owned).into_iter().collect();
        while let Some(name) = open.pop() {
            if readers.insert(name.clone()) {
                open.extend(self.next(&states[&name]));
            }
        }
        readers
    }
}

/// The variables that a state sets to the answer of its step, or to a member of it: name and path.
fn set_by(state: &State) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let assigned = state.value["Assign"].as_object().into_iter().flatten();
    assigned.flat_map(|(name, value)| {
        let paths = reads(value.as_str().unwrap_or_default(), "$states.result.Payload");
        paths.map(|path| (name.as_str(), path))
    })
}

/// An answer is read by members that it has: where a choice has told which one it is, by those of that one.
#[test]
fn every_member_that_is_read_of_a_variable_is_a_member_of_what_it_was_set_to() {
    for machine in [DEPLOY_IMAGE, DEPLOY_SERVICE] {
        let of_machine = states().into_iter().filter(|state| state.machine == machine);
        let states: BTreeMap<String, State> = of_machine.map(|state| (state.name.clone(), state)).collect();
        let mut found = BTreeMap::new();
        for state in states.values() {
            let Some((_, output)) = state.arrows() else { continue };
            for ((name, answer), (variable, path)) in examples_of(output)
                .iter()
                .flat_map(|example| set_by(state).map(move |set| (example, set)))
            {
                let held = Held { variable, path, answer };
                for reader in held.readers(&states, state) {
                    for text in texts(&states[&reader].value) {
                        for read in reads(text, &format!("${variable}")).filter(|read| !read.is_empty()) {
                            let whole: Vec<&str> = held.path.iter().copied().chain(read.clone()).collect();
                            let place = format!("{reader:?} of {machine}, of {name},");
                            let asks = text.contains(&format!("$exists(${variable}.{})", read.join(".")));
                            let pointer = format!("/{}", whole.join("/"));
                            let is_there = if asks {
                                answer.pointer(&pointer).is_some()
                            } else {
                                member(answer, &whole, &place).is_some()
                            };
                            let read = (reader.clone(), variable.to_owned(), read.join("."));
                            *found.entry(read).or_insert(false) |= is_there;
                        }
                    }
                }
            }
        }
        assert!(found.len() > 10, "{found:?}");
        let never: Vec<_> = found.iter().filter(|(_, is_there)| !**is_there).collect();
        assert!(
            never.is_empty(),
            "{machine} reads what is null in every example: {never:?}"
        );
        for state in states.values() {
            for (variable, _) in states.values().flat_map(set_by) {
                for text in texts(&state.value) {
                    for read in reads(text, &format!("${variable}")).filter(|read| !read.is_empty()) {
                        let read = (state.name.clone(), variable.to_owned(), read.join("."));
                        assert!(found.contains_key(&read), "{machine}: no answer leads to {read:?}");
                    }
                }
            }
        }
    }
}

/// So that whatever fails is told, also after a redrive in whatever state, and only what an operator has seen fail is done again.
#[test]
fn what_concludes_notes_the_redrive_count_on_its_way_there_and_nowhere_else() {
    let leads_to = |state: &State, target: &str| {
        let choices = state.value["Choices"].as_array().into_iter().flatten();
        let ways = choices.chain(state.catchers()).map(|way| &way["Next"]);
        ways.chain([&state.value["Next"], &state.value["Default"]])
            .any(|next| next == target)
    };
    for machine in [DEPLOY_IMAGE, DEPLOY_SERVICE] {
        let of_machine = || states().into_iter().filter(|state| state.machine == machine);
        let before: Vec<String> = of_machine()
            .filter(|state| leads_to(state, "Conclude"))
            .map(|state| state.name)
            .collect();
        let told: BTreeSet<String> = before.into_iter().collect();
        assert_eq!(told, BTreeSet::from(["Tell that it failed".to_owned()]), "{machine}");
        let noting = of_machine().filter(|state| {
            let catchers = state.catchers().iter().map(|catcher| &catcher["Assign"]);
            let mut assigns = catchers.chain([&state.value["Assign"]]);
            assigns.any(|assign| assign.get("attempt").is_some())
        });
        let noting: Vec<String> = noting.map(|state| state.name).collect();
        assert_eq!(noting, ["Sum up"], "{machine}");
        assert_eq!(
            state(machine, "Conclude")["Arguments"]["Payload"]["input"]["attempt"],
            "{% $attempt %}"
        );
    }
}

#[test]
fn every_variable_that_is_read_has_been_set() {
    const OF_JSONATA: [&str; 22] = [
        "join",
        "string",
        "map",
        "states",
        "append",
        "exists",
        "count",
        "ceil",
        "floor",
        "fromMillis",
        "max",
        "millis",
        "length",
        "partition",
        "replace",
        "substring",
        "substringAfter",
        "substringBefore",
        "not",
        "hash",
        "merge",
        "parse",
    ];
    for machine in asl::MACHINES {
        let states: Vec<State> = states().into_iter().filter(|state| state.machine == machine).collect();
        let assigns = states.iter().flat_map(|state| {
            let of_catchers = state.catchers().iter().map(|catcher| &catcher["Assign"]);
            of_catchers
                .chain([&state.value["Assign"]])
                .filter_map(Value::as_object)
                .flat_map(|assign| assign.keys())
        });
        let set: BTreeSet<&str> = assigns.map(String::as_str).chain(OF_JSONATA).collect();
        for state in &states {
            for text in texts(&state.value).into_iter().filter(|text| text.starts_with("{%")) {
                let assigned = text
                    .split(":=")
                    .filter_map(|before| before.trim_end().rsplit('$').next());
                let local: BTreeSet<&str> = assigned.chain(between(text, "function($", ')')).collect();
                for name in text.split('$').skip(1).filter(|rest| !rest.starts_with('{')) {
                    let name = name
                        .split(|character: char| !character.is_ascii_alphanumeric())
                        .next()
                        .unwrap();
                    assert!(set.contains(name) || local.contains(name), "{}: ${name}", state.title());
                }
            }
        }
    }
}

#[test]
fn an_item_of_a_map_is_read_by_members_that_it_has() {
    for (map, pointer) in [
        ("For each task definition", "/revisions/0"),
        ("For each service", "/revisions/0/services/0"),
    ] {
        let state = state(DEPLOY_IMAGE, map);
        let mut item = crate::example("plan").pointer(pointer).unwrap().clone();
        // Omitted in the examples, since they are 0 there.
        item["after"] = json!(1);
        item["settings"] = json!(1);
        let selector = &state["ItemSelector"];
        let selected: Vec<Vec<&str>> = texts(selector)
            .into_iter()
            .flat_map(|text| reads(text, "$states.context.Map.Item.Value"))
            .collect();
        assert!(selected.len() > 2, "{selected:?}");
        for path in selected {
            assert!(keys(&item).contains(path[0]), "{map}: {path:?} of {item}");
        }
        let inside = &state["ItemProcessor"]["States"];
        let mut members_read = 0;
        for path in texts(inside).into_iter().flat_map(|text| reads(text, "$states.input")) {
            // The states of the Maps inside have items of their own.
            if let [member, ..] = path.as_slice() {
                members_read += 1;
                let known = keys(selector).contains(member) || ["cluster", "service"].contains(member);
                assert!(known, "{map}: {path:?} of {selector}");
            }
        }
        assert!(members_read > 0, "{map}: nothing is read of an item");
    }
}

#[test]
fn what_is_done_is_as_much_at_once_as_the_setting_allows_and_all_of_it_is_done() {
    let at_once = "${atOnce}";
    for (map, items) in [
        ("Deploy wave", "$conclusion.retry"),
        ("For each group of services", "$states.input.services"),
    ] {
        let state = state(DEPLOY_IMAGE, map);
        assert_eq!(state["MaxConcurrency"], "{% ${groups} %}", "{map}");
        let groups = format!(
            "{{% $count({items}) = 0 ? [] : $partition([{items}], $max([{at_once}, $ceil($count({items}) / ${{groups}})])) %}}"
        );
        assert_eq!(state["Items"], groups, "{map}");
    }
    for map in ["For each task definition", "For each service"] {
        let state = state(DEPLOY_IMAGE, map);
        assert_eq!(state["MaxConcurrency"], "{% ${atOnce} %}", "{map}");
        assert_eq!(state["Items"], "{% [$states.input] %}", "{map}");
    }
}

/// A time that is over passes at once: after a redrive, and where something begins late since another had to end first.
#[test]
fn each_wait_for_room_in_a_bucket_has_a_time_that_counts_from_the_begin() {
    let at = "{% $fromMillis($begin + 1000 * $max([0, $states.context.Map.Item.Value.after])) %}";
    for map in ["For each task definition", "For each service"] {
        assert_eq!(state(DEPLOY_IMAGE, map)["ItemSelector"]["at"], at, "{map}");
    }
    for state in states().iter().filter(|state| state.value["Type"] == "Wait") {
        let timestamp = state.value.get("Timestamp");
        let waits_between_reads = state.value["Seconds"] == "{% $wait %}";
        assert!(timestamp.is_some() != waits_between_reads, "{}", state.title());
    }
    assert_eq!(
        state(DEPLOY_IMAGE, "Wait for registration quota")["Timestamp"],
        "{% $states.input.at %}"
    );
    // Each time that all begins, also after a redrive: the plan then is another one.
    let leads_there = states().into_iter().filter(|state| {
        state.machine == DEPLOY_IMAGE && state.function().is_some() && state.value["Assign"].get("conclusion").is_some()
    });
    let begins: BTreeMap<String, Value> = leads_there
        .map(|mut state| (state.name, state.value["Assign"]["begin"].take()))
        .collect();
    let now = json!("{% $millis() %}");
    let places = ["Conclude", "Find task definitions", "Sum up"].map(|name| (name.to_owned(), now.clone()));
    assert_eq!(begins, BTreeMap::from(places));
}

/// Not since the step ended: a later rollout with the image may have begun and failed before, and the image with it.
#[test]
fn an_image_counts_as_failed_in_each_rollout_that_began_after_the_one_of_its_execution() {
    let state = state(DEPLOY_SERVICE, "Update service");
    let wanted_since = state["Assign"]["wantedSince"].as_str().unwrap();
    for (name, answer) in examples_of("service-update") {
        let read: Vec<_> = reads(&evaluated(wanted_since, &answer), "$states.result.Payload")
            .filter(|path| *path != ["outcome"])
            .map(|path| path.join("."))
            .collect();
        let has_rollout = matches!(answer["outcome"].as_str(), Some("STARTED" | "ALREADY_DEPLOYED"));
        let expected: &[&str] = if has_rollout { &["rollout.startedAt"] } else { &[] };
        assert_eq!(read, expected, "{name}");
    }
}

/// So nothing begins that nobody has allowed, and what everything waits for is read for as long as a rollout may take.
#[test]
fn the_hold_of_everything_is_read_before_the_search_and_before_each_later_wave() {
    assert_eq!(definition(DEPLOY_IMAGE)["StartAt"], "Read hold");
    let before = |next: &str| -> Vec<String> {
        let leading = states().into_iter().filter(|state| {
            let choices = state.value["Choices"].as_array().into_iter().flatten();
            let ways = choices.chain(state.catchers()).chain([&state.value]);
            ways.into_iter()
                .any(|way| way["Next"] == next || way["Default"] == next)
        });
        leading.map(|state| state.name).collect()
    };
    assert_eq!(before("Find task definitions"), ["Read hold"]);
    assert_eq!(before("On hold?"), ["Read hold again"]);
    assert_eq!(before("Does it follow?"), ["On hold?"]);
    assert_eq!(before("Next wave"), ["Does it follow?"]);
    for name in ["Read hold", "Read hold again"] {
        let state = state(DEPLOY_IMAGE, name);
        let patience = patience_seconds(&state["Retry"][0]);
        assert!(
            patience
                >= 1.25
                    * ecr_deploy::function::config::Config::default()
                        .rollout_timeout
                        .as_secs_f64(),
            "{name}: {patience} s"
        );
        assert_eq!(
            state.get("Catch"),
            None,
            "{name}: what was not read is not taken for no hold"
        );
        let hold = serde_json::from_value::<Hold>(state["Assign"]["hold"].clone()).unwrap();
        assert_eq!(hold.parameter, "${hold}");
        let none = format!("'{}'", ecr_deploy::domain::hold::NONE);
        assert!(hold.value.contains(&none), "{}", hold.value);
    }
}

/// The rule's retries are over when the launcher begins.
#[test]
fn the_launcher_tries_for_as_long_as_a_rollout_may_take_and_takes_a_name_that_is_taken_for_a_duplicate_event() {
    let start = state("push", "Start deploy-image");
    let patience = patience_seconds(&start["Retry"][0]);
    assert!(
        patience
            >= 1.25
                * ecr_deploy::function::config::Config::default()
                    .rollout_timeout
                    .as_secs_f64(),
        "{patience} s"
    );
    assert_eq!(start["Arguments"]["Input"], "{% $states.input %}", "the whole event");
    let [catcher] = start["Catch"].as_array().unwrap().as_slice() else {
        panic!("anything else fails the execution, and can be redriven");
    };
    let taken = [
        "StepFunctions.ExecutionAlreadyExistsException",
        "StepFunctions.ExecutionAlreadyExists",
    ];
    assert_eq!(texts(&catcher["ErrorEquals"]), taken);
    assert_eq!(catcher["Assign"]["name"], start["Arguments"]["Name"]);
}

/// The states that start the execution of a service.
const STARTS: [&str; 2] = ["Deploy the only service", "Deploy service"];

#[test]
fn what_a_services_execution_reads_of_its_input_is_what_it_is_started_with() {
    for start in STARTS {
        let input = state(DEPLOY_IMAGE, start)["Arguments"]["Input"].take();
        let mut given = keys(&input);
        assert!(
            given.remove("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"),
            "the console links parent and child by it"
        );
        let machine = definition(DEPLOY_SERVICE);
        let read: BTreeSet<&str> = texts(&machine)
            .into_iter()
            .flat_map(|text| reads(text, "$states.context.Execution.Input"))
            .map(|path| path[0])
            .collect();
        assert_eq!(read, given, "{start}");
    }
}

#[test]
fn an_execution_of_the_only_service_is_named_and_retried_as_one_of_several() {
    let [only, each] = STARTS.map(|start| state(DEPLOY_IMAGE, start));
    assert_eq!(only["Arguments"]["Name"], each["Arguments"]["Name"]);
    assert_eq!(only["Retry"], each["Retry"]);
}

/// A start that is throttled is no verdict on the service.
#[test]
fn whoever_starts_an_execution_tries_for_as_long_as_a_rollout_may_take_whichever_name_the_error_has() {
    let rollout = ecr_deploy::function::config::Config::default().rollout_timeout;
    let starting: Vec<State> = states()
        .into_iter()
        .filter(|state| {
            let resource = state.value["Resource"].as_str().unwrap_or_default();
            resource.contains(":states:startExecution")
        })
        .collect();
    assert_eq!(starting.len(), 4, "push, sweep, and two of deploy-image");
    let errors = texts(&starting[0].value["Retry"][0]["ErrorEquals"]);
    for state in &starting {
        let [retrier] = state.retriers() else {
            panic!("{} has one retrier", state.title());
        };
        assert_eq!(texts(&retrier["ErrorEquals"]), errors, "{}", state.title());
        let patience = patience_seconds(retrier);
        assert!(
            patience >= 1.25 * rollout.as_secs_f64(),
            "{}: {patience} s",
            state.title()
        );
    }
    let named_twice = [
        ["StepFunctions.AWSStepFunctionsException", "StepFunctions.SfnException"],
        [
            "EventBridge.AmazonEventBridgeException",
            "EventBridge.EventBridgeException",
        ],
        ["SNS.AmazonSNSException", "SNS.SnsException"],
    ];
    for state in states() {
        for retrier in state.retriers() {
            let errors = texts(&retrier["ErrorEquals"]);
            for [first, second] in named_twice {
                assert_eq!(errors.contains(&first), errors.contains(&second), "{}", state.title());
            }
        }
    }
    assert!(errors.contains(&named_twice[0][0]), "{errors:?}");
}

#[test]
fn what_is_read_of_a_services_execution_is_what_it_returns() {
    for start in STARTS {
        let deploy = state(DEPLOY_IMAGE, start);
        let mut outputs = texts(&deploy)
            .into_iter()
            .flat_map(|text| reads(text, "$states.result.Output"))
            .peekable();
        assert!(outputs.peek().is_some(), "{start}");
        outputs.for_each(|path| assert_has("service-conclusion", &path, start));
    }
}

#[test]
fn the_results_that_the_maps_gather_are_those_that_conclude_takes() {
    let [failed, done] = ["conclude-image.failed", "conclude-image"].map(|name| crate::example(name)["results"].take());
    let of_service = |name: &str, member: &str| state(DEPLOY_IMAGE, name).pointer(member).unwrap().clone();
    let only = "Deploy the only service";
    assert_builds(&of_service(only, "/Output"), &done[0], only);
    assert_builds(&of_service(only, "/Catch/0/Output"), &failed[0], only);
    let each = "Deploy service";
    assert_builds(&of_service(each, "/Output"), &done[0]["services"][0], each);
    assert_builds(&of_service(each, "/Catch/0/Output"), &failed[0]["services"][0], each);
    let register = "Register revision";
    assert_builds(&of_service(register, "/Catch/0/Output"), &failed[2], register);
    for name in [only, each, register] {
        let output = of_service(name, "/Catch/0/Output");
        let cuts = |text: &&str| text.contains("$length($failed) > $errorLength");
        assert_eq!(
            texts(&output).into_iter().filter(cuts).count(),
            1,
            "{name} cuts its error"
        );
    }
    assert_eq!(keys(&done[0]), BTreeSet::from(["services", "taskDefinition"]));
    assert_eq!(keys(&done[2]), BTreeSet::from(["registered"]));
    let built = of_service("For each group of services", "/Output");
    let built = built.as_str().unwrap();
    assert!(
        built.contains("{'registered': $substringAfter($taskDefinition, '/')}")
            && built.contains("{'taskDefinition': $states.input.taskDefinition, 'services': ["),
        "{built}"
    );
}
