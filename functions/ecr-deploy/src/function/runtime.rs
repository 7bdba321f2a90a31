//! The one entry point of every function: it opens the envelope, reads the clock, runs the handler, and logs.

use crate::contract::{Envelope, Execution};
use crate::domain::VERSION;
use crate::domain::push::PushedImage;
use crate::error::Error;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Display;
use std::io::Write as _;
use std::time::Duration;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};
use tracing_subscriber::fmt::MakeWriter;

/// The request to a handler.
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
    /// `Deploy.InvalidInput` when the payload is no envelope, or when a state machine of another version of ecr-deploy asks: what goes
    /// from step to step changes with the version.
    pub fn open(payload: Value, now: Timestamp) -> Result<Self, Error> {
        let envelope: Envelope = read(payload, "the payload")?;
        if envelope.execution.version != VERSION {
            return Err(Error::invalid_input(format_args!(
                "the state machine is of ecr-deploy {}, and this function of {VERSION}: install both from one release, and let the \
                 setting binaries, if there is one, name the functions of that release",
                envelope.execution.version
            )));
        }
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
        Error::invalid_input(format_args!(
            "{what} cannot be read: {error}; were the state machine and the functions deployed together?"
        ))
    })
}

/// Puts the image, and who pushed it, on this line of the log and on all that follow in this invocation.
pub fn log_image(image: &PushedImage) {
    let span = Span::current();
    span.record("image", display(image));
    if let Some(by) = &image.by {
        span.record("by", display(by));
    }
}

/// Puts the service on this line of the log and on all that follow in this invocation.
pub fn log_service(service: &impl Display) {
    Span::current().record("service", display(service));
}

/// Writes one line with metrics into the log as it is: `CloudWatch` reads it by its member `_aws`, which has to be at the top.
///
/// See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
pub fn log_metrics(line: &Value) {
    // A log that cannot be written is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Diagnostic {
            error_type: error.name().to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// Serves invocations with `handler` until the sandbox ends: the whole `main` of a function but for its clients.
///
/// Every invocation is one span with the execution's id, the image, who pushed it and the service, so that each line of its JSON log
/// carries them. The payload itself is never logged: an event may hold what does not belong in a log.
///
/// # Errors
///
/// When the Lambda runtime interface cannot be reached.
pub async fn serve<Output: Serialize>(
    handler: impl AsyncFn(Request<Value>) -> Result<Output, Error>,
) -> Result<(), lambda_runtime::Error> {
    tracing::subscriber::set_global_default(log(std::io::stdout))?;
    let handler = &handler;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let time = until(now(), event.context.deadline);
        invocation(handler, event.payload, &event.context.request_id, time).await
    }))
    .await
}

/// The log: one JSON object a line, each with the members of the invocation's span. The SDK logs whole requests below
/// the level INFO, environment values and all, which is why the level is no setting.
pub(crate) fn log<W>(writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(writer)
        .finish()
}

async fn invocation<Output: Serialize>(
    handler: &impl AsyncFn(Request<Value>) -> Result<Output, Error>,
    payload: Value,
    request_id: &str,
    time: Duration,
) -> Result<Output, Error> {
    let span = tracing::info_span!(
        "invocation",
        request_id,
        execution = Empty,
        image = Empty,
        by = Empty,
        service = Empty
    );
    let logged = async {
        let answer = answer(handler, payload, time).await;
        match &answer {
            Ok(_) => tracing::info!("done"),
            Err(error) => tracing::error!(error = error.name(), "{error}"),
        }
        answer
    };
    logged.instrument(span).await
}

async fn answer<Output: Serialize>(
    handler: &impl AsyncFn(Request<Value>) -> Result<Output, Error>,
    payload: Value,
    time: Duration,
) -> Result<Output, Error> {
    let request = Request::open(payload, now())?;
    Span::current().record("execution", &request.execution.id);
    // Boxed, since the futures of SDK calls nest deeper than the compiler follows.
    let answer = Box::pin(handler(request));
    tokio::time::timeout(time, answer).await.unwrap_or_else(|_| {
        let seconds = time.as_secs();
        Err(Error::Unavailable(format!(
            "AWS took too long: nothing was decided within {seconds} s"
        )))
    })
}

/// How long before Lambda would end it an invocation gives up by itself: the state machine repeats it either way, but a function
/// that was ended has lost what it had read.
const BEFORE_THE_END: Duration = Duration::from_secs(2);

/// The time from `now` that an invocation has, until shortly before its `deadline`, in milliseconds since 1970.
fn until(now: Timestamp, deadline: u64) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Duration::from_millis(deadline.saturating_sub(now)).saturating_sub(BEFORE_THE_END)
}

/// The edge is where the clock is read; everything inside is told the time.
#[expect(clippy::disallowed_methods, reason = "this is the edge")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ecs::Ecs;
    use crate::contract::RegisterRevision;
    use crate::domain::task_definition::{ImageForm, TaskDefinition};
    use crate::testing::KeptLog;
    use aws_sdk_ecs::config::{BehaviorVersion, Builder, Credentials, Region};
    use aws_smithy_http_client::test_util::infallible_client_fn;
    use serde_json::json;

    /// web:41, with a secret wherever a task definition has room for one, and in members that nobody knows yet.
    fn described() -> Value {
        json!({"taskDefinition": {
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:41",
            "family": "web",
            "memberOfTomorrow": "hunter2",
            "containerDefinitions": [{
                "name": "web",
                "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/busybox:v0",
                "command": ["--password", "hunter2"],
                "environment": [{"name": "PASSWORD", "value": "hunter2"}],
                "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/hunter2"}],
                "dockerLabels": {"label": "hunter2"},
            }],
        }})
    }

    fn payload() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../statemachine/examples/envelope.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Runs one invocation, through the client and the document that every step uses, and returns its log. ECS answers
    /// every registration with `status`.
    async fn logged(payload: Value, status: u16) -> (Result<(), Error>, Vec<Value>) {
        let (kept, _log) = KeptLog::begin();
        let client = infallible_client_fn(move |request| {
            let registers = request.headers()["x-amz-target"]
                .as_bytes()
                .ends_with(b"RegisterTaskDefinition");
            let body = match status {
                200 => described().to_string(),
                _ if !registers => described().to_string(),
                _ => json!({"__type": "ClientException", "message": "Role is not valid."}).to_string(),
            };
            let status = if registers { status } else { 200 };
            http::Response::builder().status(status).body(body).unwrap()
        });
        let config = Builder::default()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "hunter2", None, None, "test"))
            .http_client(client);
        let ecs = Ecs::with_config(config);
        let handler = async |request: Request<Value>| {
            let RegisterRevision {
                image, task_definition, ..
            } = request.typed()?.input;
            log_image(&image);
            log_service(&"web in production");
            tracing::info!("begins");
            let source: TaskDefinition = ecs.describe_task_definition(task_definition.as_str()).await?;
            ecs.register_task_definition(&source.with_image(&image, ImageForm::Tag))
                .await?;
            tracing::info!("is registered");
            Ok(())
        };
        let answer = invocation(&handler, payload, "request-7", Duration::from_mins(5)).await;
        (answer, kept.lines())
    }

    #[tokio::test(start_paused = true)]
    async fn every_line_carries_the_execution_the_image_who_pushed_it_and_the_service_and_none_a_secret() {
        for (status, name, last) in [
            (200, None, "done"),
            (400, Some("Deploy.Rejected"), "Role is not valid."),
        ] {
            let (answer, lines) = logged(payload(), status).await;
            assert_eq!(answer.err().map(|error| error.name()), name);
            assert!(lines.len() >= 2, "{lines:?}");
            for line in &lines {
                let span = &line["span"];
                assert_eq!(span["execution"], payload()["execution"]["id"], "{line}");
                assert_eq!(
                    (&span["image"], &span["service"]),
                    (&json!("busybox:v1"), &json!("web in production"))
                );
                assert_eq!(span["by"], payload()["input"]["image"]["by"], "{line}");
                assert!(span["by"].is_string(), "{line}");
                assert_eq!(span["request_id"], "request-7", "{line}");
                assert!(!line.to_string().contains("hunter2"), "{line}");
            }
            let said = lines.last().unwrap();
            assert!(said["message"].as_str().unwrap().contains(last), "{said}");
            assert_eq!(said["error"].as_str(), name, "{said}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_invocation_gives_up_before_lambda_ends_it_and_is_repeated() {
        let begun = tokio::time::Instant::now();
        let endless = async |_: Request<Value>| std::future::pending::<Result<(), Error>>().await;
        let answer = invocation(&endless, payload(), "request-7", Duration::from_secs(898)).await;
        assert_eq!(answer.unwrap_err().name(), "Deploy.Unavailable");
        assert_eq!(begun.elapsed().as_secs(), 898);
    }

    #[test]
    fn an_invocation_has_the_time_until_shortly_before_its_deadline() {
        let now = Timestamp::from_second(1_780_000_000).unwrap();
        let milliseconds = |deadline| until(now, deadline).as_millis();
        assert_eq!(milliseconds(1_780_000_900_000), 898_000);
        assert_eq!(milliseconds(1_780_000_001_000), 0);
        assert_eq!(milliseconds(0), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_payload_that_cannot_be_read_is_named_in_the_log_and_not_shown() {
        let mut unreadable = payload();
        unreadable["input"]["image"]["password"] = json!("hunter2");
        let (answer, lines) = logged(unreadable, 200).await;
        assert_eq!(answer.unwrap_err().name(), "Deploy.InvalidInput");
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line["span"]["execution"], payload()["execution"]["id"]);
        let message = line["message"].as_str().unwrap();
        assert!(
            message.contains("image.password") && !message.contains("hunter2"),
            "{message}"
        );
    }
}
