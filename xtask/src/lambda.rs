//! The functions as Lambda runs them: built for its runtime, started as a process, asked through its runtime interface.
//!
//! See <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use crate::Failure;
use crate::package::{self, Processor};
use ecr_deploy::function::config;
use local_aws::tools;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The functions, built: one program, which serves the step that Lambda names.
pub(crate) struct Built {
    program: PathBuf,
    /// How large it is to upload.
    pub(crate) zip_bytes: u64,
}

impl Built {
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.program)
    }
}

/// The run of a fresh process.
pub(crate) struct ColdStart {
    /// From the start of the process to its first answer.
    pub(crate) time: Duration,
    /// The time of the processor that it had by then.
    pub(crate) processor: Duration,
    /// The most memory it had by then.
    pub(crate) resident_kilobytes: u64,
}

/// Builds the functions for this processor as they are released.
pub(crate) fn build() -> Result<Built, Failure> {
    let python = tools::python_with_tools().map_err(|error| error.to_string())?;
    let processor = Processor::here();
    let program = package::functions(&python, processor)?;
    let zip = package::binaries(processor).join("bootstrap.zip");
    let problem = |error: std::io::Error| format!("{}: {error}", zip.display());
    let zip_bytes = zip.metadata().map_err(problem)?.len();
    Ok(Built { program, zip_bytes })
}

/// Starts a function as a fresh process and asks it once. `program` is what Lambda would run for this handler.
pub(crate) fn cold_start(mut program: Command, handler: &str, input: &Value, ecs: &str) -> Result<ColdStart, Failure> {
    let failure = |error: std::io::Error| format!("{handler}: {error}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failure)?;
    let address = listener.local_addr().map_err(failure)?;
    let payload = json!({"execution": {"id": "arn:aws:states:eu-west-1:123456789012:execution:deploy-image:bench", "redriveCount": 0, "version": ecr_deploy::domain::VERSION}, "input": input});
    let settings = serde_json::to_string(&config::Config::default()).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let mut process = program
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("_HANDLER", handler),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL", ecs),
        ])
        .env(config::VARIABLE, settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failure)?;
    let answer = first_answer(&listener, &payload).map_err(failure);
    let time = begun.elapsed();
    let (processor, resident_kilobytes) = (processor(process.id()), resident(process.id()));
    let _gone_already = process.kill();
    process.wait().map_err(failure)?;
    // The connection is open until here: without it the process ends, and tells nothing of its memory any more.
    let (answer, _connection) = answer?;
    match answer {
        Answer::Response => Ok(ColdStart {
            time,
            processor,
            resident_kilobytes,
        }),
        Answer::Error(error) => Err(format!("{handler} answered with an error: {error}")),
    }
}

/// How long a function may take to answer: the longest search of the largest account.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often the kernel counts the time of a process, a second: `CLK_TCK`, which is 100 on every Linux that Rust runs on.
const TICKS: u32 = 100;

enum Answer {
    Response,
    Error(String),
}

/// Plays the runtime interface up to the first answer: hands out one invocation, takes what comes back. While the connection
/// that it returns is open, the process waits to hear that its answer was taken.
fn first_answer(listener: &TcpListener, payload: &Value) -> std::io::Result<(Answer, BufReader<TcpStream>)> {
    let mut handed_out = false;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(stream);
        while let Some((path, body)) = read_request(&mut reader)? {
            if path.ends_with("/invocation/next") {
                if handed_out {
                    // A second invocation never comes.
                    break;
                }
                handed_out = true;
                respond(reader.get_mut(), "200 OK", &payload.to_string())?;
            } else if path.ends_with("/response") {
                return Ok((Answer::Response, reader));
            } else {
                return Ok((Answer::Error(body), reader));
            }
        }
    }
}

/// One HTTP request: its path and its body; `None` at the end of the connection.
fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<(String, String)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        let header = header.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body)?;
    Ok(Some((path, String::from_utf8_lossy(&body).into_owned())))
}

fn respond(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: 4102444800000\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:123456789012:function:bench\r\n\
         lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n\r\n{body}"
    )
}

/// The most memory a process has had, in kilobytes.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// The time of the processor that a process has had, its own and the kernel's for it.
fn processor(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which may hold anything, the 12th and the 13th member count.
    let members = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u32 = members
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u32>().ok())
        .sum();
    Duration::from_secs(1) * ticks / TICKS
}
