//! The one entry point of every function: it opens the envelope, reads the clock, runs the handler, and logs.

use crate::contract::{Envelope, Execution};
use crate::error::Error;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

/// What a handler is asked.
#[derive(Debug, Clone)]
pub struct Request<Input> {
    /// The execution that asks.
    pub execution: Execution,
    /// When it asks: the only time a handler knows.
    pub now: Timestamp,
    /// The step's input.
    pub input: Input,
}

impl Request<Value> {
    /// Reads the payload of an invocation, at `now`.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput` when the payload is no envelope.
    pub fn open(payload: Value, now: Timestamp) -> Result<Self, Error> {
        let envelope: Envelope = read(payload, "the payload")?;
        Ok(Self {
            execution: envelope.execution,
            now,
            input: envelope.input,
        })
    }

    /// Reads the input as this step's own type.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput` when the input does not fit the contract.
    pub fn typed<Input: DeserializeOwned>(self) -> Result<Request<Input>, Error> {
        Ok(Request {
            execution: self.execution,
            now: self.now,
            input: read(self.input, "the step's input")?,
        })
    }
}

fn read<T: DeserializeOwned>(value: Value, what: &str) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        Error::InvalidInput(format!(
            "{what} cannot be read: {error}; were the state machine and the functions deployed together?"
        ))
    })
}

/// Puts the image on this line of the log and on all that follow in this invocation.
pub fn log_image(image: &impl Display) {
    Span::current().record("image", display(image));
}

/// Puts the service on this line of the log and on all that follow in this invocation.
pub fn log_service(service: &impl Display) {
    Span::current().record("service", display(service));
}

/// Serves invocations with `handler` until the sandbox ends: the whole `main` of a function but for its clients.
///
/// Every invocation is one span with the execution's id, the image and the service, so that each line of its JSON log
/// carries them. The payload itself is never logged: an event may hold what does not belong in a log.
///
/// # Errors
///
/// When the Lambda runtime interface cannot be reached.
pub async fn serve<Output: Serialize>(
    handler: impl AsyncFn(Request<Value>) -> Result<Output, Error>,
) -> Result<(), lambda_runtime::Error> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(tracing::Level::INFO)
        .init();
    let handler = &handler;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let span = tracing::info_span!(
            "invocation",
            request_id = event.context.request_id,
            execution = Empty,
            image = Empty,
            service = Empty
        );
        invoke(handler, event.payload).instrument(span).await
    }))
    .await
}

async fn invoke<Output: Serialize>(
    handler: &impl AsyncFn(Request<Value>) -> Result<Output, Error>,
    payload: Value,
) -> Result<Output, Error> {
    let answer = match Request::open(payload, now()) {
        Ok(request) => {
            Span::current().record("execution", &request.execution.id);
            // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
            Box::pin(handler(request)).await
        }
        Err(error) => Err(error),
    };
    match &answer {
        Ok(_) => tracing::info!("done"),
        Err(error) => tracing::error!(error = error.name(), "{error}"),
    }
    answer
}

/// The edge is where the clock is read; everything inside is told the time.
#[expect(clippy::disallowed_methods, reason = "this is the edge")]
fn now() -> Timestamp {
    Timestamp::now()
}
