//! The story of a service, by the events of its execution: pure.

use crate::execution::{Failure, time};
use crate::output::seconds;
use crate::report::message_of;
use aws_sdk_sfn::types::HistoryEvent;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How many seconds after the execution began.
    pub seconds: f64,
    /// In which state of deploy-service.
    pub state: String,
    /// The message of the state.
    pub message: String,
    /// The name of the error, where it is one.
    pub error: Option<String>,
}

/// The steps of an execution that began at `started`. A poll that says the same as the one before is none.
#[must_use]
pub fn steps(started: Timestamp, events: &[HistoryEvent]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut state = String::new();
    for event in events {
        if let Some(entered) = event.state_entered_event_details() {
            entered.name().clone_into(&mut state);
        }
        let at = time(event.timestamp());
        let told = match (message_of(event), failure_of(event)) {
            (Some(message), _) => (message, None),
            (None, Some(failure)) => (failure.message, Some(failure.error)),
            (None, None) => continue,
        };
        let (message, error) = told;
        let is_repeated = steps
            .last()
            .is_some_and(|last| last.message == message && last.error == error);
        // The execution ends with the error of its last state.
        if !is_repeated {
            steps.push(Step {
                at,
                seconds: seconds(started, at),
                state: state.clone(),
                message,
                error,
            });
        }
    }
    steps
}

/// The error of an attempt, or of the whole execution.
fn failure_of(event: &HistoryEvent) -> Option<Failure> {
    let of_task = event.task_failed_event_details().map(|it| (it.error(), it.cause()));
    let of_function = || {
        event
            .lambda_function_failed_event_details()
            .map(|it| (it.error(), it.cause()))
    };
    let of_execution = || {
        event
            .execution_failed_event_details()
            .map(|it| (it.error(), it.cause()))
    };
    let of_stop = || {
        event
            .execution_aborted_event_details()
            .map(|it| (it.error().or(Some("STOPPED")), it.cause()))
    };
    let (error, cause) = of_task.or_else(of_function).or_else(of_execution).or_else(of_stop)?;
    Some(Failure::read(error?, cause.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::types::{
        ExecutionFailedEventDetails, HistoryEventType, StateEnteredEventDetails, StateExitedEventDetails,
        TaskFailedEventDetails,
    };
    use aws_smithy_types::DateTime;

    fn event(second: i64, kind: HistoryEventType) -> aws_sdk_sfn::types::builders::HistoryEventBuilder {
        HistoryEvent::builder()
            .id(second)
            .r#type(kind)
            .timestamp(DateTime::from_secs(second))
    }

    fn entered(second: i64, name: &str) -> HistoryEvent {
        let details = StateEnteredEventDetails::builder().name(name).build().unwrap();
        let event = event(second, HistoryEventType::TaskStateEntered).state_entered_event_details(details);
        event.build().unwrap()
    }

    fn exited(second: i64, name: &str, message: &str) -> HistoryEvent {
        let output = serde_json::json!({"Payload": {"message": message}}).to_string();
        let details = StateExitedEventDetails::builder()
            .name(name)
            .output(output)
            .build()
            .unwrap();
        let event = event(second, HistoryEventType::TaskStateExited).state_exited_event_details(details);
        event.build().unwrap()
    }

    #[test]
    fn a_story_tells_each_step_and_each_poll_that_says_something_new() {
        let cause = r#"{"errorMessage": "web is back on web:1"}"#;
        let attempt = TaskFailedEventDetails::builder()
            .resource_type("lambda")
            .resource("invoke");
        let attempt = attempt.error("Deploy.RolledBack").cause(cause).build().unwrap();
        let failed = ExecutionFailedEventDetails::builder()
            .error("Deploy.RolledBack")
            .cause(cause)
            .build();
        let events = vec![
            entered(10, "Update service"),
            exited(11, "Update service", "from web:1 to web:2"),
            entered(26, "Check stability"),
            exited(27, "Check stability", "0 of 1 tasks running"),
            entered(42, "Check stability"),
            exited(43, "Check stability", "0 of 1 tasks running"),
            entered(60, "Rollout stable?"),
            exited(60, "Rollout stable?", "no step says this"),
            entered(61, "Conclude"),
            event(62, HistoryEventType::TaskFailed)
                .task_failed_event_details(attempt)
                .build()
                .unwrap(),
            event(62, HistoryEventType::ExecutionFailed)
                .execution_failed_event_details(failed)
                .build()
                .unwrap(),
        ];
        let steps = steps(Timestamp::new(10, 0).unwrap(), &events);
        let told: Vec<_> = steps
            .iter()
            .map(|it| format!("{} {}: {}", it.seconds, it.state, it.message))
            .collect();
        assert_eq!(
            told,
            [
                "1 Update service: from web:1 to web:2",
                "17 Check stability: 0 of 1 tasks running",
                "52 Conclude: web is back on web:1",
            ]
        );
        assert_eq!(steps[2].error.as_deref(), Some("Deploy.RolledBack"));
    }
}
