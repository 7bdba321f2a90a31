//! One who calls AWS: an execution with all its steps, and a wire on which every call can be held up, cut, or be the last
//! thing that an invocation did.

use crate::account::{Account, lock};
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ecr_deploy::aws::ecs::Ecs;
use local_aws::roles::current_function;
use serde_json::Value;
use simulated_ecs::Api;
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use tokio::sync::Notify;

/// How long a call takes, in milliseconds.
const CALL: i64 = 15;

/// A mishap of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The invocation is killed before the call arrives.
    KilledBefore,
    /// The invocation is killed when the call has taken effect and before its answer arrives.
    KilledAfter,
    /// The call takes effect and its answer is lost: the SDK asks again.
    AnswerLost,
}

/// A call that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The state that the caller was in.
    pub state: String,
    /// AWS's operation.
    pub operation: String,
}

/// Where a caller is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It goes on.
    Going,
    /// It is about to begin a step.
    AtStep,
    /// It is about to make a call.
    AtCall,
    /// It waits for a moment, in milliseconds since 1970.
    Until(i64),
}

/// How finely callers that act at the same time are interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Not at all: nobody is held up.
    Alone,
    /// Step by step; what a step does is one thing.
    Steps,
    /// Call by call.
    Calls,
}

/// How a caller is held up.
#[derive(Debug)]
struct Held {
    stage: Stage,
    /// How much is held up: a step may make several calls at once.
    count: usize,
    /// True if one may go on.
    permit: bool,
    wakers: Vec<Waker>,
}

/// One who calls: an execution with all its steps.
#[derive(Debug)]
pub struct Caller {
    account: Arc<Account>,
    grain: Grain,
    held: Mutex<Held>,
    mishap: Option<(usize, Mishap)>,
    killed: Notify,
    state: Mutex<String>,
    calls: Mutex<Vec<Call>>,
    invocations: Mutex<Vec<(String, i64)>>,
    histories: Mutex<BTreeMap<String, History>>,
}

/// How long an execution's history is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Steps that were executed.
    pub(crate) steps: u32,
    /// Events.
    pub(crate) events: u32,
}

impl Caller {
    /// A caller whose call number `mishap.0`, counted from 0, meets `mishap.1`.
    pub fn new(account: &Arc<Account>, grain: Grain, mishap: Option<(usize, Mishap)>) -> Arc<Self> {
        Arc::new(Self {
            account: account.clone(),
            grain,
            held: Mutex::new(Held {
                stage: Stage::Going,
                count: 0,
                permit: false,
                wakers: Vec::new(),
            }),
            mishap,
            killed: Notify::new(),
            state: Mutex::new(String::new()),
            calls: Mutex::new(Vec::new()),
            invocations: Mutex::new(Vec::new()),
            histories: Mutex::new(BTreeMap::new()),
        })
    }

    /// The account that it calls.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Where it is held up.
    pub fn stage(&self) -> Stage {
        lock(&self.held).stage
    }

    /// Lets it go on to where it is held up next.
    pub fn permit(&self) {
        let mut held = lock(&self.held);
        held.permit = true;
        held.wakers.drain(..).for_each(Waker::wake);
    }

    /// Its calls, in the order of time.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// Each invocation of a function that has ended, by its state, and how many milliseconds it took.
    pub(crate) fn invocations(&self) -> Vec<(String, i64)> {
        lock(&self.invocations).clone()
    }

    pub(crate) fn note_invocation(&self, state: &str, milliseconds: i64) {
        lock(&self.invocations).push((state.to_owned(), milliseconds));
    }

    /// The history of each execution, by its id.
    pub(crate) fn histories(&self) -> BTreeMap<String, History> {
        lock(&self.histories).clone()
    }

    pub(crate) fn note_history(&self, execution: &str, steps: u32, events: u32) {
        let mut histories = lock(&self.histories);
        let history = histories.entry(execution.to_owned()).or_default();
        history.steps += steps;
        history.events += events;
    }

    /// Says which state the calls that follow are made in.
    pub(crate) async fn begin(&self, state: &str) {
        state.clone_into(&mut lock(&self.state));
        if self.grain == Grain::Steps {
            self.hold(Stage::AtStep).await;
        }
    }

    /// Waits until a moment, in milliseconds since 1970.
    pub async fn wait_until(&self, moment: i64) {
        if self.account.is_on_tokios_clock() {
            self.account.take((moment - self.account.now()).max(0)).await;
        } else if self.grain == Grain::Alone {
            self.account.pass_until(moment);
        } else {
            self.hold(Stage::Until(moment)).await;
        }
    }

    async fn hold(&self, stage: Stage) {
        {
            let mut held = lock(&self.held);
            held.stage = stage;
            held.count += 1;
        }
        poll_fn(|context| {
            let mut held = lock(&self.held);
            if std::mem::take(&mut held.permit) {
                held.count -= 1;
                if held.count == 0 {
                    held.stage = Stage::Going;
                }
                Poll::Ready(())
            } else {
                held.wakers.push(context.waker().clone());
                Poll::Pending
            }
        })
        .await;
    }

    /// Ready when the invocation that goes on is to be killed.
    pub(crate) async fn killed(&self) {
        self.killed.notified().await;
    }

    /// A client of ECS, as a function has it.
    pub fn ecs(self: &Arc<Self>) -> Ecs {
        Ecs::with_config(
            aws_sdk_ecs::config::Builder::new()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("eu-west-1"))
                .credentials_provider(Credentials::new("local", "local", None, None, "the tests"))
                .http_client(Wire(self.clone())),
        )
    }

    /// A client of ECR, as a function has it.
    pub fn ecr(self: &Arc<Self>) -> aws_sdk_ecr::Client {
        let config = aws_sdk_ecr::config::Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "the tests"))
            .http_client(Wire(self.clone()));
        aws_sdk_ecr::Client::from_conf(config.build())
    }

    async fn call(&self, api: Api, operation: &str, request: &Value) -> Result<HttpResponse, ConnectorError> {
        if self.grain == Grain::Calls {
            self.hold(Stage::AtCall).await;
        }
        let number = {
            let mut calls = lock(&self.calls);
            calls.push(Call {
                state: lock(&self.state).clone(),
                operation: operation.to_owned(),
            });
            calls.len() - 1
        };
        let mishap = self.mishap.filter(|(at, _)| *at == number).map(|(_, mishap)| mishap);
        if mishap == Some(Mishap::KilledBefore) {
            self.killed.notify_one();
            pending::<()>().await;
        }
        self.account.take(CALL).await;
        let function = current_function().unwrap();
        let function = self.account.roles.caller(&function).unwrap();
        let reply = self
            .account
            .with(|it, now| it.receive_from(now, Some(&function), api, operation, request));
        if mishap == Some(Mishap::KilledAfter) {
            self.killed.notify_one();
            pending::<()>().await;
        }
        match reply.answer.filter(|_| mishap != Some(Mishap::AnswerLost)) {
            None => Err(ConnectorError::io("the connection ended without an answer".into())),
            Some(Ok(answer)) => Ok(response(200, &answer)),
            Some(Err(error)) => Ok(response(error.status, &error.body())),
        }
    }
}

fn response(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()))
}

/// The connector over which the SDK sends its requests.
#[derive(Debug, Clone)]
struct Wire(Arc<Caller>);

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let caller = self.0.clone();
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        HttpConnectorFuture::new(async move {
            let (service, operation) = target.split_once('.').unwrap();
            let api = if service.contains("Registry") {
                Api::Ecr
            } else {
                Api::Ecs
            };
            caller.call(api, operation, &body).await
        })
    }
}
