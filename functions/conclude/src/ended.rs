//! A push's execution that could not tell its own end: somebody stopped it, or one of its steps failed that nothing follows,
//! such as the search, the question after a soak, or a tag.

use crate::service::readable;
use ecr_deploy::contract::{PushEnded, PushServices, PushState, PushStateChange, StateError, VERSION};
use ecr_deploy::domain::push::{NothingPushed, Push, PushedImage, parse_push};
use serde_json::Value;

/// The error that "Conclude" throws: it comes after the state that tells of it.
const TOLD: &str = "Deploy.ServicesFailed";

/// How many characters of a cause are told.
const LONGEST_CAUSE: usize = 2000;

/// Returns the event of such an end; `None` where the execution has told it, and of a plan, which tells nothing.
#[must_use]
pub fn told(ended: &PushEnded) -> Option<PushStateChange> {
    let input: Option<Value> = ended.input.as_ref().and_then(|text| serde_json::from_str(text).ok());
    let is_plan_only = input.as_ref().is_some_and(|input| input["plan"] == true);
    if is_plan_only || ended.error.as_deref() == Some(TOLD) {
        return None;
    }
    let image = input.as_ref().and_then(pushed);
    let state = if ended.status == "ABORTED" {
        PushState::Stopped
    } else {
        PushState::Failed
    };
    let begun_at = (ended.attempt == 0).then_some(ended.begun_at);
    let took = begun_at.map(|begun| ended.ended_at.duration_since(begun).as_secs());
    Some(PushStateChange {
        version: VERSION.to_owned(),
        state,
        message: message(ended, state, image.as_ref()),
        image,
        services: PushServices::default(),
        skipped: 0,
        reasons: Vec::new(),
        error: error(ended, state),
        // Of an attempt that a redrive began, the event does not tell the begin.
        seconds: took.and_then(|seconds| u64::try_from(seconds).ok()),
        execution: ended.execution.clone(),
        attempt: ended.attempt,
    })
}

/// The image of an execution's input, also where nobody asked ECR yet what was pushed.
fn pushed(input: &Value) -> Option<PushedImage> {
    match parse_push(input).ok()? {
        Push::Tagged(image) | Push::Untold(image) | Push::Nothing(NothingPushed::Artifact { pushed: image, .. }) => {
            Some(image)
        }
        Push::Nothing(_) => None,
    }
}

/// The name of the error. Who stops an execution may name one, and nothing has failed then.
fn error(ended: &PushEnded, state: PushState) -> Option<String> {
    match (state, ended.status.as_str()) {
        (PushState::Stopped, _) => None,
        (_, "TIMED_OUT") => Some("States.Timeout".to_owned()),
        _ => Some(ended.error.clone().unwrap_or_else(|| "States.Runtime".to_owned())),
    }
}

fn message(ended: &PushEnded, state: PushState, image: Option<&PushedImage>) -> String {
    let image = image.map_or_else(|| "a push".to_owned(), ToString::to_string);
    let cause = readable(&StateError {
        error: ended.error.clone().unwrap_or_default(),
        cause: ended.cause.clone().unwrap_or_default(),
        since: None,
    });
    let cause: String = cause.chars().take(LONGEST_CAUSE).collect();
    if state == PushState::Stopped {
        let why = if cause.is_empty() { cause } else { format!(" ({cause})") };
        return format!(
            "{image}: somebody stopped the execution{why}. Each service stays on the revision that it was moved to, and nobody \
             watches it. Redrive the execution to go on"
        );
    }
    match ended.error.as_deref() {
        // It names the image, and says what to do.
        Some(name) if name.starts_with("Deploy.") => cause,
        name => format!(
            "{image}: a step of the push failed ({}): {cause}. Redrive the execution when that is mended",
            name.unwrap_or(&ended.status)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn example(name: &str) -> Value {
        let path = format!("{}/../../statemachine/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// The execution of the push of the examples, two minutes after its begin.
    fn ended(status: &str, error: Option<&str>, cause: Option<&str>) -> PushEnded {
        PushEnded {
            execution: "arn:aws:states:eu-west-1:123456789012:execution:deploy-image:busybox-v1-04caef66".to_owned(),
            status: status.to_owned(),
            input: Some(example("put-image-event").to_string()),
            begun_at: "2018-03-18T00:00:02Z".parse().unwrap(),
            ended_at: "2018-03-18T00:02:02Z".parse().unwrap(),
            attempt: 0,
            error: error.map(str::to_owned),
            cause: cause.map(str::to_owned),
        }
    }

    /// The state, the error, and the message.
    fn written(ended: &PushEnded) -> (PushState, Option<String>, String) {
        let told = told(ended).unwrap();
        assert_eq!(told.image.unwrap().to_string(), "busybox:v1");
        (told.state, told.error, told.message)
    }

    #[test]
    fn each_end_has_its_state_its_error_and_what_to_do() {
        let by_function =
            json!({"errorType": "Deploy.NotStable", "errorMessage": "busybox:v1: after the soak …"}).to_string();
        let stopped = "busybox:v1: somebody stopped the execution (too early). Each service stays on the revision that it was \
                       moved to, and nobody watches it. Redrive the execution to go on";
        let throttled = "busybox:v1: a step of the push failed (Ecr.ThrottlingException): slow down. Redrive the execution when \
                         that is mended";
        let timed_out =
            "busybox:v1: a step of the push failed (TIMED_OUT): . Redrive the execution when that is mended";
        for (ended, state, error, message) in [
            (
                ended("ABORTED", None, Some("too early")),
                PushState::Stopped,
                None,
                stopped,
            ),
            (
                ended("ABORTED", Some("Mine"), Some("too early")),
                PushState::Stopped,
                None,
                stopped,
            ),
            (
                ended("FAILED", Some("Deploy.NotStable"), Some(&by_function)),
                PushState::Failed,
                Some("Deploy.NotStable"),
                "busybox:v1: after the soak …",
            ),
            (
                ended("FAILED", Some("Ecr.ThrottlingException"), Some("slow down")),
                PushState::Failed,
                Some("Ecr.ThrottlingException"),
                throttled,
            ),
            (
                ended("TIMED_OUT", None, None),
                PushState::Failed,
                Some("States.Timeout"),
                timed_out,
            ),
        ] {
            assert_eq!(
                written(&ended),
                (state, error.map(str::to_owned), message.to_owned()),
                "{ended:?}"
            );
        }
    }

    #[test]
    fn an_end_that_was_told_and_that_of_a_plan_are_no_news() {
        assert_eq!(told(&ended("FAILED", Some(TOLD), Some("1 of 2 services failed"))), None);
        let mut input = example("put-image-event");
        input["plan"] = json!(true);
        let plan_only = PushEnded {
            input: Some(input.to_string()),
            ..ended("ABORTED", None, None)
        };
        assert_eq!(told(&plan_only), None);
    }

    #[test]
    fn an_end_without_an_input_or_with_one_that_is_no_push_is_told_without_an_image() {
        for input in [None, Some("nonsense".to_owned()), Some("{}".to_owned())] {
            let ended = PushEnded {
                input,
                ..ended("ABORTED", None, None)
            };
            let told = told(&ended).unwrap();
            assert_eq!(told.image, None);
            assert!(
                told.message.starts_with("a push: somebody stopped the execution. "),
                "{}",
                told.message
            );
        }
    }

    #[test]
    fn it_took_as_long_as_its_only_attempt() {
        let first = ended("ABORTED", None, None);
        assert_eq!(told(&first).unwrap().seconds, Some(120));
        let second = PushEnded { attempt: 1, ..first };
        let told = told(&second).unwrap();
        assert_eq!((told.seconds, told.attempt), (None, 1));
    }

    #[test]
    fn a_long_cause_is_cut() {
        let long = "x".repeat(30_000);
        let told = told(&ended("FAILED", Some("States.Runtime"), Some(&long))).unwrap();
        assert!(told.message.len() < LONGEST_CAUSE + 200, "{}", told.message.len());
    }
}
