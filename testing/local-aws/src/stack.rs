//! The real stack: the CDK app of this repository, bootstrapped and deployed as into an account of AWS.

use crate::process::{listen, read, run};
use crate::server::{ACCOUNT, LocalAws, REGION};
use crate::{Compression, Error, tools, zip};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The settings of a stack, each by the name it has in `ecr-deploy.json`.
#[derive(Debug, Clone)]
pub struct Settings(BTreeMap<&'static str, String>);

/// The settings that are lists, here with a comma between two items.
const LISTS: [&str; 4] = ["passRoles", "clusters", "repositories", "accounts"];

impl Default for Settings {
    /// Settings for one machine: reads every second, a minute for a rollout, functions for this processor; and the
    /// event that tells who pushed.
    fn default() -> Self {
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "x86_64"
        };
        Self(BTreeMap::from([
            ("passRoles", format!("arn:aws:iam::{ACCOUNT}:role/*")),
            ("pollInterval", "1s".to_owned()),
            ("rolloutTimeout", "60s".to_owned()),
            ("architecture", architecture.to_owned()),
            ("trigger", "putImage".to_owned()),
            // Whoever wants a sweep asks for it: one that comes by itself is in the way of what counts calls.
            ("sweep", r#"{"scheduled": false}"#.to_owned()),
        ]))
    }
}

impl Settings {
    /// The same settings with one changed, such as `("tagLatest", "true")`.
    #[must_use]
    pub fn with(mut self, setting: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(setting, value.into());
        self
    }

    /// The text of a settings file: lists, flags and numbers as JSON has them.
    fn file(&self) -> Value {
        let member = |(setting, value): (&&str, &String)| {
            let value = if LISTS.contains(setting) {
                value.split(',').map(str::trim).collect()
            } else {
                serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()))
            };
            ((*setting).to_owned(), value)
        };
        Value::Object(self.0.iter().map(member).collect())
    }
}

/// A deployed stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The ARN of the state machine with one execution for each event, which starts the one of the push.
    pub push: String,
    /// The ARN of the state machine with one execution for each push.
    pub deploy_image: String,
    /// The ARN of the state machine with one execution for each service of a push.
    pub deploy_service: String,
    /// The ARN of the state machine that finds missed pushes.
    pub sweep: String,
    /// The name of the SSM parameter that holds everything, while it is there.
    pub hold_parameter: String,
    /// The URL of the queue with the events that could not start an execution.
    pub dead_letter_queue: String,
    /// The ARN of the topic that gets a message for each push, where the settings ask for one.
    pub topic: Option<String>,
    /// The session token of a person who has the managed policy for readers, see `ministack/iam.py`.
    pub reader: String,
    /// The session token of a person who has that for operators, too.
    pub operator: String,
}

impl LocalAws {
    /// Deploys the stack with these settings, by `cdk bootstrap` and `cdk deploy`; a stack that is there is updated. What
    /// they say is shown on standard error.
    ///
    /// # Errors
    ///
    /// When the CDK cannot be installed, or one of the two fails.
    pub fn deploy(&self, settings: &Settings) -> Result<Stack, Error> {
        self.deploy_with(settings, &self.functions()?)
    }

    /// Builds the program of the functions for this machine, quickly. Returns the folder, for the setting `binaries`.
    ///
    /// # Errors
    ///
    /// When it does not compile.
    pub fn functions(&self) -> Result<PathBuf, Error> {
        let binaries = self.directory().join("functions");
        zipped(&program()?, &binaries)?;
        Ok(binaries)
    }

    /// The same with a program that is built already.
    ///
    /// # Errors
    ///
    /// The same, and when it is not there.
    pub fn deploy_with(&self, settings: &Settings, binaries: &Path) -> Result<Stack, Error> {
        tools::cdk_app()?;
        let mut settings = settings.clone().with("binaries", binaries.to_string_lossy());
        let stack_name = settings.0.entry("stackName").or_insert("ecr-deploy".to_owned()).clone();
        let settings_file = self.directory().join(format!("{stack_name}.json"));
        let problem = format!("writing {}", settings_file.display());
        fs::write(&settings_file, settings.file().to_string()).map_err(Error::file(problem))?;

        let assembly = self.directory().join("cdk.out");
        let mut synth = self.cdk()?;
        // The app is compiled already: nobody who deploys beside this one finds half of it.
        synth
            .args(["synth", "--quiet", "--build", ""])
            .arg("--output")
            .arg(&assembly)
            .arg("--context")
            .arg(format!("settings={}", settings_file.display()))
            // The findings of cdk-nag are a test of the app, and take longer than everything else here.
            .env("CDK_VALIDATION", "false")
            .current_dir(tools::workspace().join("cdk"));
        // Outside of `cdk/` the bootstrap has no app to synthesize, so it need not wait for that.
        let mut bootstrap = self.cdk()?;
        bootstrap
            .args(["bootstrap", &format!("aws://{ACCOUNT}/{REGION}")])
            .current_dir(self.directory());
        side_by_side(|| run(&mut synth), || run(&mut bootstrap))?;

        let outputs = self.directory().join("outputs.json");
        run(self
            .cdk()?
            .args(["deploy", "--require-approval", "never", "--no-previous-parameters"])
            .arg("--app")
            .arg(&assembly)
            .arg("--outputs-file")
            .arg(&outputs)
            .current_dir(self.directory()))?;

        let problem = format!("reading {}", outputs.display());
        let outputs = std::fs::read_to_string(outputs).map_err(Error::file(problem))?;
        let outputs: Value = serde_json::from_str(&outputs).map_err(Error::call)?;
        let output = |name: &str| {
            let value = outputs[&stack_name][name].as_str().map(str::to_owned);
            value.ok_or_else(|| Error::Call(format!("the stack has no output {name}: {outputs}")))
        };
        let policy = |name: &str| {
            let template = assembly.join(format!("{stack_name}.template.json"));
            let problem = format!("reading {}", template.display());
            let template = fs::read_to_string(template).map_err(Error::file(problem))?;
            let template: Value = serde_json::from_str(&template).map_err(Error::call)?;
            let resources = template["Resources"].as_object().into_iter().flatten();
            let mut policies = resources.filter(|(_, it)| it["Type"] == "AWS::IAM::ManagedPolicy");
            let found = policies.find_map(|(id, _)| id.contains(name).then(|| id.clone()));
            found.ok_or_else(|| Error::Call(format!("the stack has no managed policy {name}")))
        };
        let (readers, operators) = (policy("Readers")?, policy("Operators")?);
        Ok(Stack {
            reader: format!("{stack_name}/{readers}"),
            operator: format!("{stack_name}/{readers}+{operators}"),
            topic: output("TopicArn").ok(),
            push: output("PushArn")?,
            deploy_image: output("DeployImageArn")?,
            deploy_service: output("DeployServiceArn")?,
            sweep: output("SweepArn")?,
            hold_parameter: output("HoldParameter")?,
            dead_letter_queue: output("DeadLetterQueueUrl")?,
        })
    }

    /// Puts everything on hold by the commands of an operator, or lifts that.
    ///
    /// # Errors
    ///
    /// When the AWS CLI cannot be installed, or fails.
    pub fn hold_everything(&self, stack: &Stack, text: Option<&str>) -> Result<(), Error> {
        let name = ["--name", &stack.hold_parameter];
        let command = match text {
            Some(text) => {
                let value = ["--type", "String", "--overwrite", "--value", text];
                [&["ssm", "put-parameter"], &name[..], &value].concat()
            }
            None => [&["ssm", "delete-parameter"], &name[..]].concat(),
        };
        self.cli(&command).map(|_| ())
    }

    /// Runs the AWS CLI with these arguments, and returns what it prints.
    ///
    /// # Errors
    ///
    /// When the AWS CLI cannot be installed, or fails.
    pub fn cli(&self, arguments: &[&str]) -> Result<String, Error> {
        let tools = tools::python_with_tools()?;
        let mut aws = Command::new(tools.with_file_name("aws"));
        aws.args(arguments).envs(self.environment());
        // Version 1 asks AWS itself for a queue, whatever the environment says.
        read(aws.args(["--endpoint-url", &self.endpoint()]))
    }

    /// The CDK with this AWS, and with cargo-lambda and its Zig, which come with the Python packages.
    fn cdk(&self) -> Result<Command, Error> {
        let python = tools::python()?;
        let tools_first = python.parent().map(Path::to_path_buf).into_iter();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(tools_first.chain(std::env::split_paths(&path)))
            .map_err(|problem| Error::Call(format!("PATH cannot be extended: {problem}")))?;
        let mut cdk = Command::new(tools::workspace().join("cdk/node_modules/.bin/cdk"));
        cdk.args(["--no-notices", "--no-version-reporting", "--ci"])
            .env("PATH", path)
            .env("CDK_DISABLE_CLI_TELEMETRY", "true")
            .envs(self.environment());
        Ok(cdk)
    }
}

/// Does both at once.
fn side_by_side<E: Send>(
    one: impl FnOnce() -> Result<(), E>,
    other: impl FnOnce() -> Result<(), E> + Send,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        match other.join() {
            Ok(other) => one.and(other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Builds the command `ecr-deploy` for this machine, quickly. Returns its file.
///
/// # Errors
///
/// When it does not compile.
pub fn command() -> Result<PathBuf, Error> {
    build("ecr-deploy-cli", "ecr-deploy")
}

/// Builds the program of the functions for this machine, quickly. Returns its file.
///
/// # Errors
///
/// When it does not compile.
pub fn program() -> Result<PathBuf, Error> {
    build("bootstrap", "bootstrap")
}

/// Builds a program of one package.
///
/// Features are those of all packages of one call, so xtask is named too: with what it shares with the package nothing is compiled
/// for that alone.
fn build(package: &str, program: &str) -> Result<PathBuf, Error> {
    let mut build = Command::new("cargo");
    build.args(["build", "--locked", "--package", package, "--package", "xtask"]);
    build.args(["--message-format", "json-render-diagnostics"]);
    let messages = listen(build.current_dir(tools::workspace()))?;
    let binary = messages.lines().filter_map(built).find(|(name, _)| name == program);
    binary
        .map(|(_, file)| file)
        .ok_or_else(|| Error::Call(format!("cargo built no {program}")))
}

/// Puts the program of the functions into a folder as Lambda takes it, for the setting `binaries`.
///
/// It is not compressed, and holds no symbols: each deployment reads all of it.
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn zipped(program: &Path, into: &Path) -> Result<(), Error> {
    let stripped = tempfile::NamedTempFile::new().map_err(Error::file("making a file"))?;
    let problem = format!("copying {}", program.display());
    copy_stripped(program, stripped.path()).map_err(Error::file(problem))?;
    zip(stripped.path(), into, Compression::None)
}

/// Copies a program without its symbols. Where there is no `strip`, which comes with most linkers, with them.
fn copy_stripped(program: &Path, to: &Path) -> std::io::Result<()> {
    let mut strip = Command::new("strip");
    strip.arg("--strip-all").arg("-o").arg(to).arg(program);
    if strip.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    fs::copy(program, to).map(|_| ())
}

/// The name and the file of a binary, if that is what cargo has to say.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
fn built(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let executable = message["executable"].as_str()?;
    Some((message["target"]["name"].as_str()?.to_owned(), executable.into()))
}
