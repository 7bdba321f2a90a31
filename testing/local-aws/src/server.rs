//! The server of the local AWS: started, found healthy, and gone with everything it started.

use crate::executions::Execution;
use crate::{Error, roles, tools};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::Credentials;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use simulated_ecs::SimulatedEcs;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The account of every local AWS.
pub const ACCOUNT: &str = "123456789012";

/// The region of every local AWS.
pub const REGION: &str = "us-east-1";

const START_LIMIT: Duration = Duration::from_mins(1);

/// Ending includes the removal of containers, which may take a second each.
const END_LIMIT: Duration = Duration::from_mins(1);

/// How a local AWS is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The simulated ECS and ECR that the functions and [`LocalAws::ecs`] use; `None` for those of `MiniStack`. Its address,
    /// account and region are those of the local AWS, whatever is said here.
    pub simulated_ecs: Option<simulated_ecs::Settings>,
    /// The port; `None` for a free one.
    pub port: Option<u16>,
}

/// A running local AWS. It ends when the value is dropped, and at the latest with this process, however that ends.
#[derive(Debug)]
pub struct LocalAws {
    port: u16,
    server: Child,
    /// The server ends when this closes. `None` only while it is being dropped.
    line: Mutex<Option<ChildStdin>>,
    directory: TempDir,
    /// It judges every call of a function, a state machine or a rule; where it is the ECS too, [`LocalAws::simulated_ecs`]
    /// gives it.
    judge: SimulatedEcs,
    is_simulated: bool,
    /// Each execution that was described, as it was at first, by its ARN: what tells it from others never changes.
    pub(crate) described: Mutex<HashMap<String, Execution>>,
}

/// Answers of functions are held back as long as this lives, see [`LocalAws::hold_answers`].
#[derive(Debug)]
pub struct HeldAnswers {
    _file: tempfile::NamedTempFile,
}

/// Executions stay in a state as long as this lives, see [`LocalAws::keep_in`].
#[derive(Debug)]
pub struct KeptIn {
    _file: tempfile::NamedTempFile,
}

/// Functions are throttled as long as this lives, see [`LocalAws::throttle_functions`].
#[derive(Debug)]
pub struct Throttled {
    _file: tempfile::NamedTempFile,
}

impl LocalAws {
    /// Starts a local AWS and returns when it answers.
    ///
    /// # Errors
    ///
    /// When the tools cannot be installed, or the server ends or does not answer within a minute; its log is in the
    /// error.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let python = tools::python()?;
        let simulate = |settings: &simulated_ecs::Settings| {
            SimulatedEcs::start(simulated_ecs::Settings {
                address: Ipv4Addr::LOCALHOST.into(),
                port: 0,
                account: ACCOUNT.to_owned(),
                region: REGION.to_owned(),
                ..settings.clone()
            })
        };
        // Somebody else may take the port that was free a moment ago.
        let mut attempts = if options.port.is_some() { 1 } else { 3 };
        loop {
            attempts -= 1;
            let judge = simulate(
                options
                    .simulated_ecs
                    .as_ref()
                    .unwrap_or(&simulated_ecs::Settings::default()),
            );
            let judge = judge.map_err(Error::file("starting the simulated ECS"))?;
            judge.with(|it, _| it.iam().record_in(roles::record()));
            match Self::start_with(&python, options.port, judge, options.simulated_ecs.is_some()) {
                Err(Error::Start { log, .. }) if attempts > 0 && log.contains("already in use") => {}
                started => return started,
            }
        }
    }

    fn start_with(
        python: &std::path::Path,
        port: Option<u16>,
        judge: SimulatedEcs,
        is_simulated: bool,
    ) -> Result<Self, Error> {
        let port = match port {
            Some(port) => port,
            None => free_port()?,
        };
        let directory = tempfile::Builder::new()
            .prefix("local-aws-")
            .tempdir()
            .map_err(Error::file("making a folder for the local AWS"))?;
        let log = File::create(directory.path().join("log")).map_err(Error::file("making the log of the local AWS"))?;
        let log_too = log
            .try_clone()
            .map_err(Error::file("sharing the log of the local AWS"))?;

        let mut command = Command::new(python);
        command
            .arg(tools::workspace().join("testing/local-aws/ministack/launch.py"))
            .envs(environment(port))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
            .env("MINISTACK_REGION", REGION)
            .env("LOCAL_AWS_DIRECTORY", directory.path())
            .env("LOCAL_AWS_JUDGE", judge.url())
            .env("TMPDIR", directory.path())
            .env("STATE_DIR", directory.path().join("state"))
            .env("S3_DATA_DIR", directory.path().join("s3"))
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(log_too)
            .process_group(0);
        // It hands its environment on to the functions.
        for proxy in [
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ] {
            command.env_remove(proxy);
        }
        if is_simulated {
            let simulated = &judge;
            command.env("AWS_ENDPOINT_URL_ECS", simulated.url());
            command.env("AWS_ENDPOINT_URL_ECR", simulated.url());
            // It refuses what is asked of Step Functions: how many executions run. The functions would look at services as
            // seldom as AWS's limits want it, in an account that is many times as fast; so each push goes by its own
            // number. Where ECS is MiniStack's, the count is the real one.
            command.env("AWS_ENDPOINT_URL_SFN", simulated.url());
        }
        let mut server = command
            .spawn()
            .map_err(Error::file(format!("starting {}", python.display())))?;
        let line = Mutex::new(server.stdin.take());
        let mut aws = Self {
            port,
            server,
            line,
            directory,
            judge,
            is_simulated,
            described: Mutex::default(),
        };
        aws.wait_until_healthy()?;
        Ok(aws)
    }

    fn wait_until_healthy(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            if let Ok(Some(status)) = self.server.try_wait() {
                return Err(Error::Start {
                    problem: format!("it ended: {status}"),
                    log: self.log(),
                });
            }
            if is_healthy(self.port) {
                return Ok(());
            }
            if started.elapsed() > START_LIMIT {
                let problem = format!("it does not answer after {} s", START_LIMIT.as_secs());
                return Err(Error::Start {
                    problem,
                    log: self.log(),
                });
            }
            pause_thread(Duration::from_millis(50));
        }
    }

    /// Where every service answers.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The part before a repository's name in `docker push`: `127.0.0.1:4566`.
    #[must_use]
    pub fn registry(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How a container definition names an image that was pushed: by the host name that AWS's ECR has.
    #[must_use]
    pub fn image(&self, repository: &str, tag: &str) -> String {
        format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:{tag}")
    }

    /// The environment with which the AWS CLI, the CDK and any SDK find this AWS.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = environment(self.port);
        if let Some(simulated) = self.simulated_ecs() {
            environment.extend(["AWS_ENDPOINT_URL_ECS", "AWS_ENDPOINT_URL_ECR"].map(|name| (name, simulated.url())));
        }
        environment
    }

    /// The log of the server so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Gives the rules an event as it is, whole, in the form in which EventBridge delivers it: for what no push makes, such
    /// as the same event twice.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub fn dispatch(&self, event: &Value) -> Result<(), Error> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        match line.as_mut() {
            Some(line) => writeln!(line, "{event}").map_err(Error::file("sending an event to the local AWS")),
            None => Ok(()),
        }
    }

    /// Holds back what functions answer to executions whose payload has all of these texts in it, as JSON with a space after
    /// each colon, until what is returned is dropped: so an execution stays in that state.
    ///
    /// # Errors
    ///
    /// When the folder of the local AWS cannot be written to.
    pub fn hold_answers(&self, texts: &[&str]) -> Result<HeldAnswers, Error> {
        Ok(HeldAnswers {
            _file: self.told("held", texts)?,
        })
    }

    /// Lets executions with `text` in their input stay in a state when its work is done, until what is returned is dropped: so
    /// one can be stopped there, however busy the machine is. A state that has failed is left all the same.
    ///
    /// # Errors
    ///
    /// When the folder of the local AWS cannot be written to.
    pub fn keep_in(&self, state: &str, text: &str) -> Result<KeptIn, Error> {
        let state = format!("{{\"State\": {}", Value::from(state));
        Ok(KeptIn {
            _file: self.told("kept", &[&state, text])?,
        })
    }

    /// Lets Lambda throttle what executions invoke with a payload that has all of these texts in it, written as for
    /// [`LocalAws::hold_answers`], until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// When the folder of the local AWS cannot be written to.
    pub fn throttle_functions(&self, texts: &[&str]) -> Result<Throttled, Error> {
        Ok(Throttled {
            _file: self.told("throttled", texts)?,
        })
    }

    /// Lets Service Quotas tell this value of a quota, by its code; see `testing/local-aws/ministack/quotas.py`.
    ///
    /// # Errors
    ///
    /// When the folder of the local AWS cannot be written to.
    pub fn set_quota(&self, code: &str, value: f64) -> Result<(), Error> {
        let file = self.directory().join("quotas.json");
        let problem = Error::file(format!("writing {}", file.display()));
        std::fs::write(&file, serde_json::json!({code: value}).to_string()).map_err(problem)
    }

    /// A file of texts, as long as it lives, in a folder that `testing/local-aws/ministack/executions.py` reads.
    fn told(&self, folder: &str, texts: &[&str]) -> Result<tempfile::NamedTempFile, Error> {
        let folder = self.directory().join(folder);
        let problem = || Error::file(format!("writing into {}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(problem())?;
        let file = tempfile::Builder::new().suffix(".json").tempfile_in(&folder);
        let mut file = file.map_err(problem())?;
        write!(file, "{}", Value::from(texts)).map_err(problem())?;
        Ok(file)
    }

    /// The simulated ECS, where there is one.
    #[must_use]
    pub fn simulated_ecs(&self) -> Option<&SimulatedEcs> {
        Some(&self.judge).filter(|_| self.is_simulated)
    }

    /// The calls of functions, state machines and rules that IAM has refused so far, in AWS's words.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.judge.with(|it, _| it.iam().refused().to_vec())
    }

    /// A client of the ECR that the functions use.
    #[must_use]
    pub fn ecr(&self) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&self.sdk_config(self.simulated_ecs()))
    }

    /// A client of the ECS that the functions use.
    #[must_use]
    pub fn ecs(&self) -> aws_sdk_ecs::Client {
        aws_sdk_ecs::Client::new(&self.sdk_config(self.simulated_ecs()))
    }

    /// A client of its Step Functions.
    #[must_use]
    pub fn sfn(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.sdk_config(None))
    }

    fn sdk_config(&self, simulated: Option<&SimulatedEcs>) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(aws_sdk_ecs::config::SharedCredentialsProvider::new(Credentials::new(
                ACCOUNT,
                "local",
                None,
                None,
                "the local AWS",
            )))
            .endpoint_url(simulated.map_or_else(|| self.endpoint(), SimulatedEcs::url))
            .build()
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        // At the end of its input the server removes its containers and ends its whole process group.
        drop(self.line.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        let started = Instant::now();
        while matches!(self.server.try_wait(), Ok(None)) {
            if started.elapsed() > END_LIMIT {
                if let Some(group) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) {
                    let _gone_already = kill_process_group(group, Signal::KILL);
                }
                let _ended = self.server.wait();
                return;
            }
            pause_thread(Duration::from_millis(20));
        }
    }
}

fn environment(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        // The local AWS takes the account from the access key.
        ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        // A session token tells whose a call is: whoever runs this is the administrator, also with credentials of a session.
        ("AWS_SESSION_TOKEN", String::new()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        // The settings of this machine's user for the real AWS stay out of it.
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::file("finding a free port"))?;
    Ok(listener
        .local_addr()
        .map_err(Error::file("finding a free port"))?
        .port())
}

fn is_healthy(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /_ministack/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.lines().next().is_some_and(|status| status.contains(" 200")))
}

fn pause_thread(time: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "another process starts or ends, and tells nobody"
    )]
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers;
    use crate::images::Behaviour;
    use crate::process::read;
    use crate::services::Setup;

    /// The containers of the local AWS on a port that the Docker engine still has, and the images of its registry.
    fn left_in_engine(port: u16) -> Vec<String> {
        let ask = |arguments: &[&str]| read(Command::new("docker").args(arguments)).unwrap();
        let containers = ask(&["ps", "--all", "--format", "{{.Label \"ministack.instance\"}}"]);
        let images = ask(&["images", "--format", "{{.Repository}}"]);
        let (ends, begins) = (format!(":{port}"), format!("127.0.0.1:{port}/"));
        let is_of_it = |line: &&str| line.ends_with(&ends) || line.starts_with(&begins);
        containers
            .lines()
            .chain(images.lines())
            .filter(is_of_it)
            .map(str::to_owned)
            .collect()
    }

    async fn run_a_service(aws: &LocalAws) {
        aws.create_repository("web").await.unwrap();
        aws.push("web", "v1", Behaviour::Healthy).await.unwrap();
        aws.create_cluster("prod").await.unwrap();
        let revision = aws.register("web", &[("web", &aws.image("web", "v1"))]).await.unwrap();
        aws.create_service("prod", "web", &revision, &Setup::default())
            .await
            .unwrap();
        aws.stable("prod", "web", Duration::from_secs(30)).await.unwrap();
    }

    #[test]
    fn a_local_aws_that_has_ended_leaves_no_process_no_folder_no_container_and_no_image() {
        let aws = LocalAws::start(&Options::default()).unwrap();
        let (port, directory) = (aws.port, aws.directory().to_owned());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run_a_service(&aws));
        if containers::available().is_ok() {
            assert_eq!(left_in_engine(port).len(), 2, "a container and an image, while it runs");
        }

        drop(aws);

        assert!(!is_healthy(port));
        assert!(!directory.exists());
        if containers::available().is_ok() {
            assert_eq!(left_in_engine(port), Vec::<String>::new());
        }
    }

    #[test]
    fn a_local_aws_ends_by_itself_when_whoever_started_it_is_gone() {
        let mut aws = LocalAws::start(&Options::default()).unwrap();
        // The kernel does the same with the pipes of a process that was killed.
        drop(aws.line.get_mut().unwrap().take());
        let begun = Instant::now();
        while matches!(aws.server.try_wait(), Ok(None)) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", aws.log());
            pause_thread(Duration::from_millis(20));
        }
        assert!(!is_healthy(aws.port));
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_that_says_so() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let options = Options {
            port: Some(port),
            ..Options::default()
        };
        let problem = LocalAws::start(&options).unwrap_err().to_string();
        assert!(problem.contains("already in use"), "{problem}");
    }
}
