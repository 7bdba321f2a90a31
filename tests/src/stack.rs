//! The real stack: the CDK app of this repository, bootstrapped and deployed as into an account of AWS.

use crate::process::run;
use crate::server::{ACCOUNT, LocalAws, REGION};
use crate::{Error, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// The settings of a stack, each by the name it has in the context of the CDK app.
#[derive(Debug, Clone)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Default for Settings {
    /// What is right on one machine: looks every second, a minute for a rollout, functions for this processor.
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
}

/// A deployed stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The ARN of the state machine with one execution for each push.
    pub deploy_image: String,
    /// The ARN of the state machine with one execution for each service of a push.
    pub deploy_service: String,
    /// The URL of the queue with the events that could not start an execution.
    pub dead_letter_queue: String,
}

impl LocalAws {
    /// Deploys the stack with these settings, by `cdk bootstrap` and `cdk deploy`; a stack that is there is updated. What
    /// they say is shown on standard error.
    ///
    /// # Errors
    ///
    /// When the CDK cannot be installed, or one of the two fails.
    pub fn deploy(&self, settings: &Settings) -> Result<Stack, Error> {
        tools::node_modules()?;
        // Outside of `cdk/` the bootstrap has no app to synthesize.
        run(self
            .cdk()?
            .arg("bootstrap")
            .arg(format!("aws://{ACCOUNT}/{REGION}"))
            .current_dir(self.directory()))?;

        // cargo-lambda moves what it has built out of the target folder, under the hands of whoever builds the same.
        let _building = tools::lock("deploy")?;
        let outputs = self.directory().join("outputs.json");
        let mut deploy = self.cdk()?;
        deploy
            .args(["deploy", "--require-approval", "never", "--no-previous-parameters"])
            .arg("--output")
            .arg(self.directory().join("cdk.out"))
            .arg("--outputs-file")
            .arg(&outputs)
            .current_dir(tools::workspace().join("cdk"));
        for (setting, value) in &settings.0 {
            deploy.arg("--context").arg(format!("{setting}={value}"));
        }
        run(&mut deploy)?;

        let problem = format!("reading {}", outputs.display());
        let outputs = std::fs::read_to_string(outputs).map_err(Error::file(problem))?;
        let outputs: Value = serde_json::from_str(&outputs).map_err(Error::call)?;
        let output = |name: &str| {
            let value = outputs["ecr-deploy"][name].as_str().map(str::to_owned);
            value.ok_or_else(|| Error::Call(format!("the stack has no output {name}: {outputs}")))
        };
        Ok(Stack {
            deploy_image: output("DeployImageArn")?,
            deploy_service: output("DeployServiceArn")?,
            dead_letter_queue: output("DeadLetterQueueUrl")?,
        })
    }

    /// The CDK with this AWS, and with cargo-lambda and its Zig, which come with the Python packages.
    fn cdk(&self) -> Result<Command, Error> {
        let python = tools::python()?;
        let tools_first = python.parent().map(std::path::Path::to_path_buf).into_iter();
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
