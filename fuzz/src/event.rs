//! The payload of an invocation and the push event in it: an image comes out only of a push that succeeded, and it is the
//! one that the event names.

use crate::image::{DIGEST, REPOSITORY, TAG};
use crate::{ACCOUNT, LONGEST, REGION, assert_clear, pattern};
use ecr_deploy::contract::{CheckStability, Conclude, Execution, RegisterRevision, RollBackInput, UpdateInput};
use ecr_deploy::domain::push::{NothingPushed, Push, PushedImage, Pusher, parse_push};
use ecr_deploy::function::runtime::Request;
use jiff::Timestamp;
use regex_lite::Regex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::LazyLock;

/// Where a form of the event says what: JSON pointers, of which the first that is there counts.
struct Form {
    detail_type: &'static str,
    /// The outcome that must follow.
    action: (&'static str, &'static str),
    has_failed: fn(&Value) -> bool,
    registry: &'static [&'static str],
    region: &'static [&'static str],
    repository: &'static [&'static str],
    tag: &'static [&'static str],
    digest: &'static [&'static str],
    at: &'static [&'static str],
    id: &'static [&'static str],
    by: &'static [&'static str],
}

const FORMS: [Form; 2] = [
    Form {
        detail_type: "AWS API Call via CloudTrail",
        action: ("/detail/eventName", "PutImage"),
        has_failed: |event| event.pointer("/detail/errorCode").is_some_and(|code| !code.is_null()),
        registry: &[
            "/detail/responseElements/image/registryId",
            "/detail/requestParameters/registryId",
            "/account",
        ],
        region: &["/detail/awsRegion", "/region"],
        repository: &[
            "/detail/responseElements/image/repositoryName",
            "/detail/requestParameters/repositoryName",
        ],
        tag: &[
            "/detail/responseElements/image/imageId/imageTag",
            "/detail/requestParameters/imageTag",
        ],
        digest: &[
            "/detail/responseElements/image/imageId/imageDigest",
            "/detail/requestParameters/imageDigest",
        ],
        at: &["/detail/eventTime"],
        id: &["/detail/eventID"],
        by: &["/detail/userIdentity/arn"],
    },
    Form {
        detail_type: "ECR Image Action",
        action: ("/detail/action-type", "PUSH"),
        has_failed: |event| event["detail"]["result"] != "SUCCESS",
        registry: &["/account"],
        region: &["/region"],
        repository: &["/detail/repository-name"],
        tag: &["/detail/image-tag"],
        digest: &["/detail/image-digest"],
        at: &["/time"],
        id: &["/id"],
        by: &[],
    },
];

static GRAMMAR: LazyLock<[Regex; 5]> = LazyLock::new(|| [ACCOUNT, REGION, REPOSITORY, TAG, DIGEST].map(pattern));

/// The tag of what belongs to another image of the repository.
static SIGNATURE: LazyLock<Regex> = LazyLock::new(|| pattern("sha256-[0-9a-f]{64}.*"));

const EXAMPLES: [(&str, &str); 2] = [
    (
        "put-image-event",
        include_str!("../../statemachine/examples/put-image-event.json"),
    ),
    (
        "image-action-event",
        include_str!("../../statemachine/examples/image-action-event.json"),
    ),
];

/// `input` is the name of an example and, line by line, what to change in it: a JSON pointer and the new value, or a
/// pointer alone for a member to take out. A value that is no JSON is a text.
pub(crate) fn check(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut lines = input.lines();
    let name = lines.next().unwrap_or_default();
    let (_, example) = EXAMPLES
        .into_iter()
        .find(|(example, _)| *example == name)
        .unwrap_or(EXAMPLES[0]);
    let mut event = serde_json::from_str(example).expect("an example is JSON");
    for line in lines {
        change(&mut event, line);
    }
    check_event(&event);
}

fn change(event: &mut Value, line: &str) {
    let (pointer, value) = line
        .split_once(' ')
        .map_or((line, None), |(pointer, value)| (pointer, Some(value)));
    let Some((parent, member)) = pointer.rsplit_once('/') else {
        return;
    };
    if let Some(Value::Object(members)) = event.pointer_mut(parent) {
        match value {
            Some(value) => members.insert(
                member.to_owned(),
                serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
            ),
            None => members.remove(member),
        };
    }
}

/// `input` is the payload of an invocation, as Lambda hands it over.
pub(crate) fn check_payload(input: &[u8]) {
    // Text that is no JSON never reaches a handler.
    let Ok(payload) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    match Request::open(payload.clone(), Timestamp::UNIX_EPOCH) {
        Ok(request) => {
            assert_eq!(request.input, payload["input"]);
            check_inputs(&request);
        }
        Err(error) => assert_clear(&error),
    }
    // An input alone is taken as if it were in an envelope, so that the examples of the contract are seeds as they are.
    let execution = Execution {
        id: String::new(),
        redrive_count: 0,
        version: ecr_deploy::domain::VERSION.to_owned(),
    };
    check_inputs(&Request {
        execution,
        now: Timestamp::UNIX_EPOCH,
        input: payload,
    });
}

fn check_inputs(request: &Request<Value>) {
    check_event(&request.input);
    check_input::<RegisterRevision>(request);
    check_input::<UpdateInput>(request);
    check_input::<CheckStability>(request);
    check_input::<RollBackInput>(request);
    check_input::<Conclude>(request);
}

/// A step's input is the same after it was handed on.
fn check_input<Input: DeserializeOwned + Serialize + PartialEq>(request: &Request<Value>) {
    match request.clone().typed::<Input>() {
        Ok(typed) => {
            let written = serde_json::to_value(&typed.input).expect("the contract can be written");
            assert!(serde_json::from_value::<Input>(written).is_ok_and(|read| read == typed.input));
        }
        Err(error) => assert_clear(&error),
    }
}

fn check_event(event: &Value) {
    let push = match parse_push(event) {
        Ok(push) => push,
        Err(error) => return assert_clear(&error),
    };
    let said = |pointers: &[&str]| said(event, pointers);
    assert_eq!(said(&["/source"]), Some("aws.ecr"));
    if let Push::Nothing(NothingPushed::Cached { repository }) = &push {
        assert_eq!(said(&["/detail-type"]), Some("ECR Pull Through Cache Action"));
        assert!(repository.len() <= LONGEST, "a hostile length is echoed");
        return;
    }
    let form = FORMS
        .iter()
        .find(|form| said(&["/detail-type"]) == Some(form.detail_type));
    let form = form.expect("accepted in neither form");
    assert_eq!(said(&[form.action.0]), Some(form.action.1));

    match push {
        Push::Nothing(NothingPushed::Failed { repository, cause }) => {
            assert!((form.has_failed)(event));
            assert!(
                repository.len() <= LONGEST && cause.len() <= LONGEST,
                "a hostile length is echoed"
            );
        }
        Push::Nothing(NothingPushed::Cached { .. }) => unreachable!("in neither form"),
        Push::Nothing(NothingPushed::Untagged { repository }) => {
            assert!(!(form.has_failed)(event));
            assert!(said(form.tag).is_none_or(str::is_empty));
            assert_eq!(said(form.repository), Some(repository.as_str()));
        }
        Push::Nothing(NothingPushed::Artifact { pushed, artifact }) => {
            assert!(
                artifact.to_string().chars().count() <= LONGEST,
                "a hostile length is echoed"
            );
            check_pushed(form, event, &pushed);
        }
        Push::Tagged(pushed) => {
            // A signature may look like an image in all but its tag.
            assert!(!SIGNATURE.is_match(pushed.tag.as_str()), "{}", pushed.tag);
            check_pushed(form, event, &pushed);
        }
        Push::Untold(pushed) => check_pushed(form, event, &pushed),
    }
}

/// The push is the one that the event names.
fn check_pushed(form: &Form, event: &Value, image: &PushedImage) {
    let said = |pointers: &[&str]| said(event, pointers);
    assert!(!(form.has_failed)(event));
    check_image(
        image,
        [form.registry, form.region, form.repository, form.tag, form.digest].map(said),
    );
    let [at, id] = [form.at, form.id].map(|pointers| said(pointers).expect("a push has a time and an id"));
    assert_eq!(image.push.at(), at.parse().expect("a time"));
    assert_eq!(image.push.to_string(), format!("{} {id}", image.push.at()));
    check_pusher(image.by.as_ref().map(Pusher::as_str), said(form.by));
}

/// The first of these members that an event has, as a text.
fn said<'a>(event: &'a Value, pointers: &[&str]) -> Option<&'a str> {
    let mut values = pointers.iter().filter_map(|pointer| event.pointer(pointer));
    values
        .find(|value| !value.is_null())
        .map(|value| value.as_str().expect("a text"))
}

/// Who pushed is an ARN that the event names, of which no more is kept than fits into a tag.
fn check_pusher(by: Option<&str>, said: Option<&str>) {
    assert_eq!(by.is_some(), said.is_some());
    if let (Some(by), Some(said)) = (by, said) {
        assert!(said.starts_with(by) && by.starts_with("arn:"), "{by}");
        assert_eq!(by.len(), said.len().min(256), "{by}");
    }
}

/// Each part of `image` is the one that was `said`, obeys the grammar, and survives the way to the next step.
fn check_image(image: &PushedImage, said: [Option<&str>; 5]) {
    let parts = [
        image.registry_id.as_str(),
        image.region.as_str(),
        image.repository.as_str(),
        image.tag.as_str(),
        image.digest.as_str(),
    ];
    assert_eq!(parts.map(Some), said);
    for (grammar, part) in GRAMMAR.iter().zip(parts) {
        assert!(grammar.is_match(part), "{part}");
    }
    let written = serde_json::to_string(image).expect("the contract can be written");
    assert!(
        serde_json::from_str::<PushedImage>(&written).is_ok_and(|read| read == *image),
        "{written}"
    );
}
