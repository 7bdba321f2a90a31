//! The shell: HTTP, real time, and a simulation behind a mutex. Nothing is decided here.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::ApiError;
use crate::iam;
use crate::names::Milliseconds;
use crate::operations;
use crate::settings::Settings;
use crate::shapes::MODELS;
use crate::simulation::{Api, Simulation};

/// How often it is read whether an answer is still held back.
const HOLD_POLL: Duration = Duration::from_millis(10);

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct SimulatedEcs {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    simulation: Mutex<Simulation>,
    latency: Duration,
    requests: AtomicU64,
}

impl Shared {
    /// The simulation, also after a panic of another request: what it held is then as the panic left it, and seen.
    fn lock(&self) -> MutexGuard<'_, Simulation> {
        self.simulation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock that clients have too.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: everything behind it is told the time"
)]
fn now() -> Milliseconds {
    let since = std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Milliseconds::try_from(since.as_millis()).unwrap_or(Milliseconds::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "latency and slow answers are what is simulated"
)]
async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

impl SimulatedEcs {
    /// Starts a server on a thread of its own; it answers when this returns. To be called from sync and async code alike.
    ///
    /// # Errors
    /// If the settings make no sense (`InvalidInput`), or nobody can listen at the address.
    pub fn start(settings: Settings) -> io::Result<Self> {
        settings
            .check()
            .map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
        let listener = std::net::TcpListener::bind((settings.address, settings.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let latency = Duration::from_millis(settings.latency_milliseconds);
        let simulation = Mutex::new(Simulation::new(settings, now()));
        let shared = Arc::new(Shared {
            simulation,
            latency,
            requests: AtomicU64::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = shared.clone();
        let thread = std::thread::Builder::new()
            .name("simulated-ecs".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    if let Ok(listener) = TcpListener::from_std(listener) {
                        tokio::select! {
                            () = accept(listener, serving) => {}
                            _ = stopped => {}
                        }
                    }
                });
                runtime.shutdown_background();
            })?;
        Ok(Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens, as `http://127.0.0.1:4000`: the value for `AWS_ENDPOINT_URL_ECS` and `AWS_ENDPOINT_URL_ECR`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does something with the simulation, at the present moment, while no request is served.
    pub fn with<T>(&self, act: impl FnOnce(&mut Simulation, Milliseconds) -> T) -> T {
        let now = now();
        let mut simulation = self.shared.lock();
        simulation.advance(now);
        act(&mut simulation, now)
    }

    /// Waits until the server ends, which it does only with the process: what a program does that is nothing else.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for SimulatedEcs {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| serve(shared.clone(), request));
            // A connection that was cut on purpose ends in an error, too.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Answers a request; an error has hyper end the connection without an answer.
async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    if let Some(path) = head.uri.path().strip_prefix("/_simulation/") {
        let query = head.uri.query().unwrap_or_default();
        let (status, answer) = shared
            .lock()
            .administer(now(), head.method.as_str(), path, query, &body);
        return respond(number, status, &answer);
    }
    let target = head
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let token = head.headers.get("x-amz-security-token");
    let caller = token
        .and_then(|token| token.to_str().ok())
        .filter(|token| !token.is_empty());
    let Some((api, operation)) = api_of(target) else {
        let error = refusal_of_another_api(&shared, caller, target, &body);
        return respond(number, error.status, &error.body());
    };
    wait(shared.latency).await;
    let parsed = if body.is_empty() {
        Ok(Value::Object(serde_json::Map::new()))
    } else {
        serde_json::from_slice(&body)
    };
    let request: Value = match parsed {
        Ok(request) => request,
        Err(error) => {
            let error = ApiError::new("SerializationException", error.to_string());
            return respond(number, error.status, &error.body());
        }
    };
    let reply = shared.lock().receive_from(now(), caller, api, operation, &request);
    wait(Duration::from_millis(reply.delay_milliseconds)).await;
    while shared.lock().is_held(operation, &request) {
        wait(HOLD_POLL).await;
    }
    match reply.answer {
        None => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        Some(Ok(answer)) => respond(number, 200, &answer),
        Some(Err(error)) => respond(number, error.status, &error.body()),
    }
}

/// The API and the operation that an `X-Amz-Target` names.
fn api_of(target: &str) -> Option<(Api, &str)> {
    let (service, operation) = target.split_once('.')?;
    let apis = [(&MODELS.ecs.target, Api::Ecs), (&MODELS.ecr.target, Api::Ecr)];
    apis.into_iter()
        .find(|(name, _)| *name == service)
        .map(|(_, api)| (api, operation))
}

/// Why a call of an API that is not simulated is refused: its caller may not make it, or nobody can.
fn refusal_of_another_api(shared: &Shared, caller: Option<&str>, target: &str, body: &Bytes) -> ApiError {
    let unknown = operations::unknown(target);
    let (Some(caller), Some(operation)) = (caller, target.strip_prefix("AWSStepFunctions.")) else {
        return unknown;
    };
    let call = iam::Call {
        caller: caller.to_owned(),
        service: "states".to_owned(),
        operation: operation.to_owned(),
        request: serde_json::from_slice(body).unwrap_or_default(),
        roles: Vec::new(),
        tags: BTreeMap::new(),
    };
    shared.lock().judge(&call).err().unwrap_or(unknown)
}

fn respond(number: u64, status: u16, body: &Value) -> io::Result<Response<Full<Bytes>>> {
    let bytes = Bytes::from(serde_json::to_vec(body)?);
    Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amzn-requestid", format!("00000000-0000-4000-8000-{number:012x}"))
        .body(Full::new(bytes))
        .map_err(io::Error::other)
}
