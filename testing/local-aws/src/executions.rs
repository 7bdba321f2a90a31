//! The executions of the state machines, as Step Functions tells of them.

use crate::{Error, LocalAws, Stack, pause};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use aws_smithy_types::DateTime;
use serde_json::Value;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// An execution, as it was when it was read.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// Its input: of deploy-image, the event.
    pub input: Value,
    /// Its output, when it succeeded.
    pub output: Option<Value>,
    /// Its error's name, when it failed.
    pub error: Option<String>,
    /// Why, when it failed: for an error of a function a text with JSON in it.
    pub cause: Option<String>,
    /// When it started.
    pub started: DateTime,
    /// When it ended.
    pub ended: Option<DateTime>,
    /// How often it was redriven.
    pub redrive_count: i32,
}

impl Execution {
    /// True if nothing more happens.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.status != ExecutionStatus::Running
    }

    /// The message of the error, when it failed: that of the function which threw it.
    #[must_use]
    pub fn error_message(&self) -> Option<String> {
        let cause = self.cause.as_deref()?;
        let thrown = serde_json::from_str::<Value>(cause).ok();
        let message = thrown.as_ref().and_then(|thrown| thrown["errorMessage"].as_str());
        Some(message.unwrap_or(cause).to_owned())
    }

    /// Its message to a person: in its output when it succeeded, in its error when it failed.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let said = self.output.as_ref().and_then(|output| output["message"].as_str());
        said.map(str::to_owned).or_else(|| self.error_message())
    }

    /// True if it is the execution of a push to this repository.
    #[must_use]
    pub fn is_of_push_to(&self, repository: &str) -> bool {
        let detail = &self.input["detail"];
        let name = detail["requestParameters"]["repositoryName"]
            .as_str()
            .or(detail["repository-name"].as_str());
        name == Some(repository)
    }

    /// True if another execution started it.
    #[must_use]
    pub fn is_child_of(&self, parent: &str) -> bool {
        self.input["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] == parent
    }
}

impl LocalAws {
    /// The execution as it is now.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn execution(&self, arn: &str) -> Result<Execution, Error> {
        let it = self
            .sfn()
            .describe_execution()
            .execution_arn(arn)
            .send()
            .await
            .map_err(Error::call)?;
        let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Execution {
            arn: it.execution_arn,
            name: it.name.unwrap_or_default(),
            status: it.status,
            input: json(it.input).unwrap_or_default(),
            output: json(it.output),
            error: it.error,
            cause: it.cause,
            started: it.start_date,
            ended: it.stop_date,
            redrive_count: it.redrive_count.unwrap_or_default(),
        })
    }

    /// The executions of a state machine that were started at this moment or later (`None`: at any time), and that `wanted`
    /// says yes to, by what never changes of them; the first one first.
    ///
    /// # Errors
    ///
    /// When the state machine is not there.
    pub async fn executions(
        &self,
        machine: &str,
        since: Option<DateTime>,
        wanted: impl Fn(&Execution) -> bool,
    ) -> Result<Vec<Execution>, Error> {
        let mut pages = self
            .sfn()
            .list_executions()
            .state_machine_arn(machine)
            .into_paginator()
            .items()
            .send();
        let mut executions = Vec::new();
        while let Some(listed) = pages.next().await {
            let listed = listed.map_err(Error::call)?;
            if since.is_some_and(|since| listed.start_date < since) || self.is_unwanted(&listed.execution_arn, &wanted)
            {
                continue;
            }
            let execution = self.execution(&listed.execution_arn).await?;
            let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
            described
                .entry(listed.execution_arn)
                .or_insert_with(|| execution.clone());
            if wanted(&execution) {
                executions.push(execution);
            }
        }
        executions.sort_by_key(|execution| execution.started);
        Ok(executions)
    }

    /// True if an execution was described before, and is none that is `wanted`.
    fn is_unwanted(&self, arn: &str, wanted: impl Fn(&Execution) -> bool) -> bool {
        let described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        described.get(arn).is_some_and(|execution| !wanted(execution))
    }

    /// Waits until there are this many such executions, and all of them have ended.
    ///
    /// # Errors
    ///
    /// [`Error::Late`] when that takes longer than `limit`; it tells what there was.
    pub async fn ended_executions(
        &self,
        machine: &str,
        count: usize,
        since: Option<DateTime>,
        wanted: impl Fn(&Execution) -> bool,
        limit: Duration,
    ) -> Result<Vec<Execution>, Error> {
        let begun = Instant::now();
        loop {
            let executions = self.executions(machine, since, &wanted).await?;
            if executions.len() >= count && executions.iter().all(Execution::has_ended) {
                return Ok(executions);
            }
            if begun.elapsed() > limit {
                let seen = executions
                    .iter()
                    .map(|it| format!("{} {}", it.name, it.status))
                    .collect::<Vec<_>>();
                return Err(Error::Late {
                    what: format!("the end of {count} executions of {machine}"),
                    limit,
                    seen: seen.join(", "),
                });
            }
            pause(Duration::from_millis(200)).await;
        }
    }

    /// The executions of deploy-service that an execution of deploy-image has started so far.
    ///
    /// # Errors
    ///
    /// When the state machine is not there.
    pub async fn children(&self, stack: &Stack, parent: &Execution) -> Result<Vec<Execution>, Error> {
        let is_child = |it: &Execution| it.is_child_of(&parent.arn);
        self.executions(&stack.deploy_service, Some(parent.started), is_child)
            .await
    }

    /// Everything that happened in an execution, the first event first.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn history(&self, arn: &str) -> Result<Vec<HistoryEvent>, Error> {
        let pages = self
            .sfn()
            .get_execution_history()
            .execution_arn(arn)
            .into_paginator()
            .items()
            .send();
        pages.collect::<Result<_, _>>().await.map_err(Error::call)
    }
}
