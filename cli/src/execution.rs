//! Executions of the state machines: how they are read, started and redriven.

mod search;

pub use search::{AMONG, Newest, NewestOfEach, begin};

use crate::aws::pause;
use crate::error::Error;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::get_execution_history::GetExecutionHistoryOutput;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use aws_smithy_types::DateTime;
use ecr_deploy::contract::Plan;
use ecr_deploy::error::Error as OfAws;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// How often an execution is read that has just begun, until it is there.
const READS: u32 = 30;
/// Time between two of these reads.
const BETWEEN_READS: Duration = Duration::from_millis(500);

/// The status of an execution: it goes on, or ended in one of these ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It goes on.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Somebody stopped it, or AWS did.
    Stopped,
}

impl From<&ExecutionStatus> for Status {
    fn from(status: &ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Succeeded => Self::Succeeded,
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Aborted | ExecutionStatus::TimedOut => Self::Stopped,
            // One that waits to be redriven is about to run, and what is not known may be.
            _ => Self::Running,
        }
    }
}

/// An execution, as it was when it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// Its input.
    pub input: Value,
    /// Its output, where it ended well.
    pub output: Option<Value>,
    /// The error that it ended with.
    pub failure: Option<Failure>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How often it was redriven.
    pub redrives: u32,
}

impl Execution {
    /// The ARN of the push that an execution of deploy-service is part of; `None` where somebody took a service back by it.
    #[must_use]
    pub fn push(&self) -> Option<&str> {
        self.input["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"].as_str()
    }

    /// Why it did not end well, as a part of a sentence.
    #[must_use]
    pub fn why_not(&self) -> String {
        match &self.failure {
            Some(it) => format!("{}: {}", it.error, it.message.trim_end_matches('.')),
            None => format!("its execution {} was stopped", self.name),
        }
    }

    /// The cluster and the service that an execution of deploy-service has.
    #[must_use]
    pub fn service(&self) -> (String, String) {
        let text = |member: &str| self.input[member].as_str().unwrap_or_default().to_owned();
        (text("cluster"), text("service"))
    }
}

/// The error that an execution, or a state, ended with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Its stable name, as `Deploy.RolledBack`.
    pub error: String,
    /// Its message.
    pub message: String,
}

impl Failure {
    /// Of an error and its cause, which for the error of a function is JSON with the message in it.
    #[must_use]
    pub fn read(error: &str, cause: &str) -> Self {
        let thrown: Option<Value> = serde_json::from_str(cause).ok();
        let message = thrown.as_ref().and_then(|thrown| thrown["errorMessage"].as_str());
        Self {
            error: error.to_owned(),
            message: message.unwrap_or(cause).to_owned(),
        }
    }
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: Status,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Listed {
    /// True if none that is listed behind it began at `since` or later: whether they are listed by their begin, or those that ended by
    /// their end.
    fn is_last(&self, since: Timestamp) -> bool {
        self.ended.unwrap_or(self.started) < since
    }
}

/// The time of an answer, to the millisecond: AWS sends a decimal fraction, which is a little off when it is read. One that no
/// calendar has is the first of all times, which nobody takes for a true one.
#[must_use]
pub fn time(at: &DateTime) -> Timestamp {
    let milliseconds = i64::from((at.subsec_nanos() + 500_000) / 1_000_000);
    let since = at.secs().checked_mul(1000).and_then(|it| it.checked_add(milliseconds));
    since
        .and_then(|it| Timestamp::from_millisecond(it).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Step Functions.
#[derive(Debug, Clone)]
pub struct Executions(pub Client);

impl Executions {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is none of this ARN; Step Functions forgets an execution 90 days after its end.
    pub async fn read(&self, arn: &str) -> Result<Execution, Error> {
        let described = self.0.describe_execution().execution_arn(arn).send().await;
        let it =
            described.map_err(|error| named(arn, OfAws::from_aws(&format!("DescribeExecution of {arn}"), &error)))?;
        let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let failure = it
            .error
            .as_deref()
            .map(|error| Failure::read(error, it.cause.as_deref().unwrap_or_default()));
        Ok(Execution {
            name: it
                .name
                .unwrap_or_else(|| arn.rsplit(':').next().unwrap_or_default().to_owned()),
            arn: it.execution_arn,
            status: Status::from(&it.status),
            input: json(it.input).unwrap_or_default(),
            output: json(it.output),
            failure,
            started: time(&it.start_date),
            ended: it.stop_date.as_ref().map(time),
            redrives: it
                .redrive_count
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or_default(),
        })
    }

    /// Reads one that has begun, or that goes on since a redrive, the `redrives`th. An answer of Step Functions may be some seconds old:
    /// the execution is not there yet then, or has still ended.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where it is not told of in time, and whatever AWS refuses.
    pub async fn begun(&self, arn: &str, redrives: u32) -> Result<Execution, Error> {
        for _ in 0..READS {
            match self.read(arn).await {
                Ok(it) if it.redrives >= redrives || it.status == Status::Running => return Ok(it),
                Ok(_) | Err(Error::NotFound(_)) => pause(BETWEEN_READS).await,
                Err(error) => return Err(error),
            }
        }
        let name = arn.rsplit(':').next().unwrap_or(arn);
        Err(Error::Unavailable(format!(
            "the execution {name} has begun, and Step Functions does not tell of that yet"
        )))
    }

    /// The newest message of a step on a service, by the last events of its execution.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn newest_message(&self, arn: &str) -> Result<Option<String>, Error> {
        let last = self.events(arn, 20, true, None).await?;
        Ok(last.events.iter().find_map(crate::report::message_of))
    }

    /// The plan of a push; `None` where it is not made. Each attempt of the search that failed has events before it.
    ///
    /// # Errors
    ///
    /// [`Error::OtherVersion`], and whatever AWS refuses.
    pub async fn plan(&self, arn: &str) -> Result<Option<Plan>, Error> {
        let mut token = None;
        loop {
            let page = self.events(arn, 100, false, token).await?;
            if let Some(plan) = crate::report::plan(&page.events)? {
                return Ok(Some(plan));
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    /// A page of the events of an execution, the first ones first or the last ones.
    async fn events(
        &self,
        arn: &str,
        most: i32,
        newest_first: bool,
        token: Option<String>,
    ) -> Result<GetExecutionHistoryOutput, Error> {
        let request = self.0.get_execution_history().execution_arn(arn).max_results(most);
        let read = request
            .reverse_order(newest_first)
            .include_execution_data(true)
            .set_next_token(token)
            .send()
            .await;
        read.map_err(|error| named(arn, OfAws::from_aws(&format!("GetExecutionHistory of {arn}"), &error)))
    }

    /// All events of an execution, the first one first.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn history(&self, arn: &str) -> Result<Vec<HistoryEvent>, Error> {
        let request = self
            .0
            .get_execution_history()
            .execution_arn(arn)
            .include_execution_data(true);
        let events = request.into_paginator().items().send().collect::<Result<_, _>>().await;
        events.map_err(|error| named(arn, OfAws::from_aws(&format!("GetExecutionHistory of {arn}"), &error)))
    }

    /// Redrives one that failed or was stopped.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] where that is too long ago, and whatever else AWS refuses.
    pub async fn redrive(&self, arn: &str) -> Result<(), Error> {
        let redriven = self.0.redrive_execution().execution_arn(arn).send().await;
        redriven.map(drop).map_err(|error| {
            let error = OfAws::from_aws(&format!("RedriveExecution of {arn}"), &error);
            if error.to_string().contains("ExecutionNotRedrivable") {
                let advice = "It goes on already, or it ended more than 14 days ago, or its history has too many events for a redrive. See \
                              how it stands by ecr-deploy why; where it has ended: ecr-deploy deploy IMAGE";
                return Error::Rejected(format!("{error}. {advice}"));
            }
            named(arn, error)
        })
    }

    /// Starts one, and returns its ARN. Without a name it gets one that AWS makes.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn start(&self, machine: &str, name: Option<&str>, input: &Value) -> Result<String, Error> {
        let request = self
            .0
            .start_execution()
            .state_machine_arn(machine)
            .input(input.to_string());
        let started = request.set_name(name.map(str::to_owned)).send().await;
        let started = started.map_err(|error| OfAws::from_aws(&format!("StartExecution of {machine}"), &error))?;
        Ok(started.execution_arn)
    }
}

/// The error for an execution that is not there, in words; any other as it is.
fn named(arn: &str, error: OfAws) -> Error {
    if error.to_string().contains("ExecutionDoesNotExist") {
        let name = arn.rsplit(':').next().unwrap_or(arn);
        return Error::NotFound(format!(
            "there is no execution {name}. Step Functions forgets one 90 days after its end; `ecr-deploy history` lists those that \
             are there"
        ));
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_nearest_millisecond() {
        for (nanos, expected) in [(0, 1000), (861_999_988, 1862), (437_000_036, 1437), (999_999_999, 2000)] {
            let at = time(&DateTime::from_secs_and_nanos(1, nanos));
            assert_eq!(at, Timestamp::from_millisecond(expected).unwrap());
        }
        assert_eq!(time(&DateTime::from_secs(i64::MAX)), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_failure_is_what_the_function_threw() {
        for (cause, message) in [
            (
                r#"{"errorMessage": "web is back on web:1", "errorType": "Deploy.RolledBack"}"#,
                "web is back on web:1",
            ),
            ("no JSON", "no JSON"),
            ("", ""),
        ] {
            assert_eq!(Failure::read("Deploy.RolledBack", cause).message, message);
        }
    }

    #[test]
    fn one_that_began_before_and_ended_after_says_nothing_of_those_behind_it() {
        let at = |hour: u32| format!("2026-11-29T{hour:02}:00:00Z").parse::<Timestamp>().unwrap();
        for (started, ended, expected) in [
            (9, Some(11), false),
            (9, Some(9), true),
            (9, None, true),
            (10, None, false),
            (11, Some(12), false),
        ] {
            let listed = Listed {
                arn: String::new(),
                name: String::new(),
                status: Status::Succeeded,
                started: at(started),
                ended: ended.map(at),
            };
            assert_eq!(listed.is_last(at(10)), expected, "{listed:?}");
        }
    }

    #[test]
    fn a_status_of_tomorrow_is_taken_for_one_that_goes_on() {
        for (status, expected) in [
            (ExecutionStatus::Succeeded, Status::Succeeded),
            (ExecutionStatus::Failed, Status::Failed),
            (ExecutionStatus::Aborted, Status::Stopped),
            (ExecutionStatus::TimedOut, Status::Stopped),
            (ExecutionStatus::PendingRedrive, Status::Running),
            (ExecutionStatus::from("PAUSED"), Status::Running),
        ] {
            assert_eq!(Status::from(&status), expected);
        }
    }
}
