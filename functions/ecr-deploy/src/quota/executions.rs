//! Counts running executions: one of deploy-service for each service being watched, one of deploy-image for each push.
//! All share the account's API quotas. Also lists the executions since a time, for the sweep.
//!
//! See <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html>.

use crate::error::Error;
use crate::quota::schedule::Share;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::Builder;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a count serves. Step Functions grants some regions no more than two of these calls a second, and with so many
/// services that it matters none is read again as soon as that.
const KNOWN_FOR: SignedDuration = SignedDuration::from_secs(10);

/// The longest page.
const PAGE: i32 = 1000;

/// How many seconds before a push another one may have begun that searches, registers and updates at the same time; most of its
/// time a push waits.
const LATELY: i64 = 60;

/// How many pages are counted: more do not run within the quotas of ECS for services.
const PAGES: usize = 10;

/// An execution that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its name.
    pub name: String,
    /// When it began.
    pub at: Timestamp,
    /// How it stands.
    pub status: BegunStatus,
}

/// The executions of a state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Since when all are listed.
    pub since: Timestamp,
    /// The executions, the newest ones first.
    pub begun: Vec<Begun>,
}

/// The status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BegunStatus {
    /// It runs, or waits for a redrive.
    Running,
    /// It ended well.
    Succeeded,
    /// It failed, or somebody stopped it.
    Failed,
}

impl From<&ExecutionStatus> for BegunStatus {
    fn from(status: &ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Succeeded => Self::Succeeded,
            ExecutionStatus::Failed | ExecutionStatus::Aborted | ExecutionStatus::TimedOut => Self::Failed,
            _ => Self::Running,
        }
    }
}

/// Step Functions, as far as a step asks it how many others there are.
#[derive(Debug)]
pub struct Executions {
    client: Client,
    /// The last count, and when Step Functions was asked last.
    known: Mutex<Option<(Timestamp, Option<u32>)>>,
}

impl Executions {
    /// A client from the environment of the function.
    ///
    /// It gives up soon: a count is worth no more than a moment's wait.
    #[must_use]
    pub fn from_env() -> Self {
        let limits = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_timeout(Duration::from_secs(2))
            .build();
        let config = Builder::from(&crate::aws::environment::aws_config("SFN"))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(300)))
            .timeout_config(limits);
        Self::with_client(Client::from_conf(config.build()))
    }

    /// A client over an SDK client that is already set up.
    #[must_use]
    pub fn with_client(client: Client) -> Self {
        Self {
            client,
            known: Mutex::new(None),
        }
    }

    /// How many executions run of the state machine that `execution` (its ARN) is one of, as far as is known: of at most some
    /// seconds ago, or of longer ago where Step Functions does not answer. `None` where it never has.
    pub async fn running(&self, execution: &str, now: Timestamp) -> Option<u32> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let last = match *known() {
            Some((at, count)) if now.duration_since(at).abs() < KNOWN_FOR => return count,
            Some((_, count)) => count,
            None => None,
        };
        let count = match self.list(execution, |_| false).await {
            Ok(listed) => Some(count(listed.iter())),
            Err(error) => {
                tracing::warn!("how many services are waited for is not known: {error}");
                last
            }
        };
        *known() = Some((now, count));
        count
    }

    /// The share of `execution`, by its ARN, among the running executions of the same state machine that began, or were
    /// redriven, at most `LATELY` seconds before it, or later. If it is not listed itself, it began at `now`. `None` if Step
    /// Functions does not answer.
    pub async fn begun_lately(&self, execution: &str, now: Timestamp) -> Option<Share> {
        let since = |listed: &[ExecutionListItem]| {
            let ours = listed.iter().find(|it| it.execution_arn == execution);
            ours.map_or(now.as_second(), |it| begun(it).secs())
                .saturating_sub(LATELY)
        };
        let is_enough = |listed: &[ExecutionListItem]| {
            let is_older = |last: &ExecutionListItem| last.start_date.secs() < since(listed);
            listed.last().is_some_and(is_older)
        };
        match self.list(execution, is_enough).await {
            Ok(listed) => {
                let since = since(&listed);
                Some(share(execution, listed.iter().filter(|it| begun(it).secs() >= since)))
            }
            Err(error) => {
                tracing::warn!("how many pushes are deployed is not known: {error}");
                None
            }
        }
    }

    /// The executions of a state machine, by its ARN, that began no earlier than `since`. Where there are more than ten thousand of
    /// them, the newest ones.
    ///
    /// # Errors
    ///
    /// `Deploy.Unavailable`, `Deploy.Rejected`; `Deploy.InvalidInput` when the answer cannot be read.
    pub async fn begun_since(&self, state_machine: &str, since: Timestamp) -> Result<Listing, Error> {
        let is_older = |it: &ExecutionListItem| it.start_date.secs() < since.as_second();
        let is_enough = |listed: &[ExecutionListItem]| listed.last().is_some_and(is_older);
        let (listed, is_whole) = self.pages(state_machine.to_owned(), None, is_enough).await?;
        let begun = listed.iter().filter(|it| !is_older(it)).map(|it| {
            let at = Timestamp::from_second(it.start_date.secs());
            let at = at.map_err(|error| Error::InvalidInput(format!("ListExecutions: {}: {error}", it.name)))?;
            Ok(Begun {
                name: it.name.clone(),
                at,
                status: (&it.status).into(),
            })
        });
        let begun: Vec<Begun> = begun.collect::<Result<_, Error>>()?;
        let oldest = begun.last().map_or(since, |oldest| oldest.at);
        let since = if is_whole { since } else { oldest };
        Ok(Listing { since, begun })
    }

    /// The running executions, of as many pages as are enough.
    async fn list(
        &self,
        execution: &str,
        is_enough: impl Fn(&[ExecutionListItem]) -> bool,
    ) -> Result<Vec<ExecutionListItem>, Error> {
        let Some(state_machine) = state_machine(execution) else {
            return Err(Error::invalid_input(format_args!(
                "{execution} is not the ARN of an execution"
            )));
        };
        let running = Some(ExecutionStatus::Running);
        let (listed, _) = self.pages(state_machine, running, is_enough).await?;
        Ok(listed)
    }

    /// The executions of a state machine, of as many pages as are enough; and true if these were enough, or all. Step Functions
    /// lists the newest ones first.
    async fn pages(
        &self,
        state_machine: String,
        status: Option<ExecutionStatus>,
        is_enough: impl Fn(&[ExecutionListItem]) -> bool,
    ) -> Result<(Vec<ExecutionListItem>, bool), Error> {
        let request = self.client.list_executions().state_machine_arn(state_machine);
        let request = request.set_status_filter(status).max_results(PAGE);
        let mut pages = request.into_paginator().send();
        let mut listed = Vec::new();
        for _ in 0..PAGES {
            let Some(page) = pages.next().await else {
                return Ok((listed, true));
            };
            let page = page.map_err(|error| Error::from_aws("ListExecutions", &error))?;
            let is_last = page.next_token.is_none();
            listed.extend(page.executions);
            if is_last || is_enough(&listed) {
                return Ok((listed, true));
            }
        }
        Ok((listed, false))
    }
}

/// When an execution was begun, or redriven since.
fn begun(execution: &ExecutionListItem) -> DateTime {
    let start = execution.start_date;
    execution.redrive_date.map_or(start, |redriven| redriven.max(start))
}

/// The share of `execution`, by its ARN, of what these pushes share. If it is not among them, it is one more, and the newest.
fn share<'a>(execution: &str, pushes: impl Iterator<Item = &'a ExecutionListItem>) -> Share {
    let mut order: Vec<_> = pushes.map(|it| (begun(it), it.execution_arn.as_str())).collect();
    order.sort_unstable();
    let place = order.iter().rev().position(|(_, arn)| *arn == execution);
    Share {
        pushes: count(order.iter()) + u32::from(place.is_none()),
        ahead: count(0..place.unwrap_or_default()),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// The ARN of an execution's state machine: that of `arn:aws:states:eu-west-1:123456789012:execution:deploy-service:web` is
/// `arn:aws:states:eu-west-1:123456789012:stateMachine:deploy-service`.
fn state_machine(execution: &str) -> Option<String> {
    let (account, rest) = execution.split_once(":execution:")?;
    let (name, _) = rest.split_once(':')?;
    Some(format!("{account}:stateMachine:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sfn::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_http_client::test_util::infallible_client_fn;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const EXECUTION: &str = "arn:aws-cn:states:cn-north-1:123456789012:execution:deploy-service:web-v1-0";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + seconds).unwrap()
    }

    /// Step Functions with so many executions on each page, or with an error; and how often it was asked.
    fn answering(pages: &'static [Result<usize, &'static str>]) -> (Executions, Arc<AtomicUsize>) {
        listing(pages, &json!("RUNNING"))
    }

    /// The same, asked for those of a status.
    fn listing(pages: &'static [Result<usize, &'static str>], status: &Value) -> (Executions, Arc<AtomicUsize>) {
        let filter = status.clone();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let client = infallible_client_fn(move |request| {
            assert_eq!(request.headers()["x-amz-target"], "AWSStepFunctions.ListExecutions");
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let machine = "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:deploy-service";
            assert_eq!(
                (&body["stateMachineArn"], &body["statusFilter"]),
                (&json!(machine), &filter)
            );
            let page = count.fetch_add(1, Ordering::Relaxed);
            let more = page + 1 < pages.len();
            let (status, body) = match pages[page % pages.len()] {
                Ok(executions) => {
                    let execution = json!({
                        "executionArn": EXECUTION, "stateMachineArn": machine, "name": "web-v1-0", "status": "RUNNING",
                        "startDate": 1_780_000_000,
                    });
                    let token = more.then_some(page.to_string());
                    (
                        200,
                        json!({"executions": vec![execution; executions], "nextToken": token}),
                    )
                }
                Err(code) => (400, json!({"__type": code, "message": "no"})),
            };
            http::Response::builder().status(status).body(body.to_string()).unwrap()
        });
        let config = Builder::default()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("cn-north-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(client);
        (Executions::with_client(Client::from_conf(config.build())), asked)
    }

    #[tokio::test(start_paused = true)]
    async fn the_running_executions_of_the_same_state_machine_are_counted_on_all_pages() {
        let (executions, asked) = answering(&[Ok(1000), Ok(1000), Ok(7)]);
        assert_eq!(executions.running(EXECUTION, at(0)).await, Some(2007));
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_began_more_than_a_minute_before_does_not_count() {
        const ANOTHER: &str = "arn:aws-cn:states:cn-north-1:123456789012:execution:deploy-service:api-v1-0";
        // It is not listed itself.
        let one_of = |pushes| Some(Share { pushes, ahead: 0 });
        for (seconds, pushes) in [(0, 4), (60, 4), (61, 1)] {
            let (executions, _) = answering(&[Ok(3)]);
            assert_eq!(executions.begun_lately(ANOTHER, at(seconds)).await, one_of(pushes));
        }
        let (executions, asked) = answering(&[Ok(1000), Ok(1)]);
        assert_eq!(executions.begun_lately(ANOTHER, at(0)).await, one_of(1002));
        let (executions, older) = answering(&[Ok(1000), Ok(1)]);
        assert_eq!(executions.begun_lately(ANOTHER, at(61)).await, one_of(1));
        let asked = [asked, older].map(|asked| asked.load(Ordering::Relaxed));
        assert_eq!(asked, [2, 1], "nobody reads on when the rest is older");
        // A push that has searched for a quarter of an hour began with the others.
        let (executions, _) = answering(&[Ok(3)]);
        assert_eq!(executions.begun_lately(EXECUTION, at(900)).await, one_of(3));
        let (executions, _) = answering(&[Err("AccessDeniedException")]);
        assert_eq!(executions.begun_lately(EXECUTION, at(0)).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_began_since_a_time_is_listed_as_far_back_as_can_be_read() {
        const MACHINE: &str = "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:deploy-service";
        let begun = Begun {
            name: "web-v1-0".to_owned(),
            at: at(0),
            status: BegunStatus::Running,
        };
        for (pages, asked_since, listed, since, calls) in [
            (&[Ok(2)][..], 0, 2, 0, 1),
            (&[Ok(2)], -60, 2, -60, 1),
            (&[Ok(1000), Ok(2)], 1, 0, 1, 1),
            // Nobody knows what is older than the oldest one read.
            (&[Ok(1000); 11], -60, 10_000, 0, 10),
        ] {
            let (executions, asked) = listing(pages, &Value::Null);
            let listing = executions.begun_since(MACHINE, at(asked_since)).await.unwrap();
            assert_eq!(listing.begun, vec![begun.clone(); listed], "{asked_since}");
            assert_eq!(listing.since, at(since));
            assert_eq!(asked.load(Ordering::Relaxed), calls, "{asked_since}");
        }
        let (executions, _) = listing(&[Err("AccessDeniedException")], &Value::Null);
        let refused = executions.begun_since(MACHINE, at(0)).await.unwrap_err();
        assert_eq!(refused.name(), "Deploy.Rejected");
    }

    #[test]
    fn an_execution_that_failed_or_was_stopped_has_failed() {
        for (status, expected) in [
            (ExecutionStatus::Running, BegunStatus::Running),
            (ExecutionStatus::PendingRedrive, BegunStatus::Running),
            (ExecutionStatus::Succeeded, BegunStatus::Succeeded),
            (ExecutionStatus::Failed, BegunStatus::Failed),
            (ExecutionStatus::Aborted, BegunStatus::Failed),
            (ExecutionStatus::TimedOut, BegunStatus::Failed),
        ] {
            assert_eq!(BegunStatus::from(&status), expected, "{status:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_serves_for_some_seconds() {
        let (executions, asked) = answering(&[Ok(3)]);
        for (seconds, calls) in [(0, 1), (9, 1), (-9, 1), (10, 2), (-10, 3)] {
            assert_eq!(executions.running(EXECUTION, at(seconds)).await, Some(3));
            assert_eq!(asked.load(Ordering::Relaxed), calls, "after {seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_step_functions_does_not_answer_the_last_count_serves_on() {
        let (executions, asked) = answering(&[Err("ThrottlingException")]);
        for seconds in [0, 9] {
            assert_eq!(executions.running(EXECUTION, at(seconds)).await, None);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1, "nor is it asked again at once");
        *executions.known.lock().unwrap() = Some((at(0), Some(5)));
        assert_eq!(executions.running(EXECUTION, at(60)).await, Some(5));
        let (executions, asked) = answering(&[Ok(3)]);
        assert_eq!(executions.running("web", at(0)).await, None);
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }
}
