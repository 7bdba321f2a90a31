//! The local AWS, and the command in it.

use local_aws::services::Setup;
use local_aws::{LocalAws, Options, Settings, Stack, tools};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// How long anything may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(10);

/// The logical id of the policy for the logs of applications.
const LOGS: &str = "ReadersOfLogs";

/// Two stages in two waves.
const STAGES: &str = r#"[
    {"name": "staging", "clusters": ["*-staging"], "tags": ["*", "!latest"]},
    {"name": "production", "clusters": ["*-production"], "tags": ["semver:>=1.0.0"], "after": "staging", "soak": "1s"},
    {"name": "rest", "tags": ["*", "!latest", "!ignored-*"]}
]"#;

/// The local AWS with the stack in it, and the command.
pub(crate) struct Installed {
    pub(crate) aws: LocalAws,
    pub(crate) stack: Stack,
    command: PathBuf,
}

/// The one for all scenarios.
pub(crate) static INSTALLED: LazyLock<Installed> = LazyLock::new(Installed::anew);

/// Runs a scenario.
pub(crate) fn run(scenario: impl Future<Output = ()>) {
    RUNTIME.block_on(scenario);
}

/// Who types a command.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Person {
    /// Has the managed policy for readers.
    Reader,
    /// Has that for operators, too.
    Operator,
    /// Has the policy for readers, and the one that docs/cli.md gives for the logs of applications.
    ReaderOfLogs,
    /// Has the policy of this name, which a test has made by [`Installed::allow`].
    ReaderBy(&'static str),
    /// May do everything: who installs it.
    Administrator,
}

/// The output of the command.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) notes: String,
}

impl Said {
    /// Its standard output as a document.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.text).unwrap_or_else(|problem| panic!("{problem}:\n{}\n{}", self.text, self.notes))
    }

    /// That it ended so; else what it said is told.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.text, self.notes);
        self
    }

    /// That a text of it has all of this, where each cell with several lines counts as one, and no colours. Names are whole, so
    /// a line may have more than 80 columns.
    pub(crate) fn says(&self, expected: &[&str]) {
        let in_one_line = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in expected {
            assert!(
                self.text.contains(expected) || in_one_line.contains(expected),
                "no {expected:?} in:\n{}\n{}",
                self.text,
                self.notes
            );
        }
        assert!(
            !self.text.contains('\u{1b}'),
            "colours without a terminal: {}",
            self.text
        );
    }
}

impl Installed {
    /// A local AWS of its own, with the stack in it.
    pub(crate) fn anew() -> Self {
        Self::with(&Settings::default().with("stages", STAGES))
    }

    /// The same with these settings.
    pub(crate) fn with(settings: &Settings) -> Self {
        let options = Options {
            simulated_ecs: Some(simulated_ecs::Settings::default()),
            ..Options::default()
        };
        let aws = LocalAws::start(&options).unwrap();
        let stack = aws.deploy(settings).unwrap();
        let command = local_aws::command().unwrap();
        Self { aws, stack, command }
    }

    /// Types a command: its words with spaces between them.
    pub(crate) fn types(&self, person: Person, words: &str) -> Said {
        self.says_to(person, &words.split(' ').collect::<Vec<_>>())
    }

    /// Types a command.
    pub(crate) fn says_to(&self, person: Person, words: &[&str]) -> Said {
        Self::said(&mut self.command(self.token(person).as_deref(), words), words)
    }

    /// The command with these words, for whoever has a session token.
    pub(crate) fn command(&self, token: Option<&str>, words: &[&str]) -> Command {
        let mut command = Command::new(&self.command);
        command.args(words).envs(self.aws.environment());
        command.envs(token.map(|token| ("AWS_SESSION_TOKEN", token)));
        command
    }

    /// The output of a command, once it has ended.
    pub(crate) fn said(command: &mut Command, words: &[&str]) -> Said {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let said = Said {
            code: status.code().unwrap_or(-1),
            text: text(stdout),
            notes: text(stderr),
        };
        if std::env::var_os("ECR_DEPLOY_SHOW").is_some() {
            eprintln!(
                "$ ecr-deploy {}\n{}{}[exit code {}]\n",
                words.join(" "),
                said.notes,
                said.text,
                said.code
            );
        }
        said
    }

    /// Types a script into bash, in a folder that is removed afterwards. Each command of it must end well.
    pub(crate) fn bash(&self, person: Person, script: &str) {
        let folder = tempfile::tempdir().unwrap();
        let bin = self.command.parent().unwrap().display();
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
        let mut bash = Command::new("bash");
        bash.args(["-euxo", "pipefail", "-c", script])
            .current_dir(folder.path());
        bash.envs(self.aws.environment()).env("PATH", path);
        bash.envs(self.token(person).map(|token| ("AWS_SESSION_TOKEN", token)));
        let output = bash.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The session token of a person, by whose policies the calls are judged.
    fn token(&self, person: Person) -> Option<String> {
        match person {
            Person::Reader => Some(self.stack.reader.clone()),
            Person::Operator => Some(self.stack.operator.clone()),
            Person::ReaderOfLogs => Some(format!("{}+{LOGS}", self.stack.reader)),
            Person::ReaderBy(policy) => Some(format!("{}/{policy}", self.stack_of_readers())),
            Person::Administrator => None,
        }
    }

    /// Makes a trail, by which pushes arrive, and switches it on.
    pub(crate) fn trail(&self) {
        let made = [
            "cloudtrail",
            "create-trail",
            "--name",
            "all",
            "--s3-bucket-name",
            "trails",
        ];
        self.aws.cli(&made).unwrap();
        self.aws.cli(&["cloudtrail", "start-logging", "--name", "all"]).unwrap();
    }

    /// Makes the policy of [`Person::ReaderOfLogs`], as docs/cli.md has it. Somebody of the stack must have called before.
    pub(crate) fn allow_logs(&self) {
        let page = std::fs::read_to_string(tools::workspace().join("docs/cli.md")).unwrap();
        let document = page
            .split("```json logs\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        self.allow(LOGS, &serde_json::from_str(document).unwrap());
    }

    /// Makes a policy with this document. Somebody of the stack must have called before.
    pub(crate) fn allow(&self, name: &str, document: &Value) {
        let simulated = self.aws.simulated_ecs().unwrap();
        simulated
            .with(|it, _| it.iam().add_policy(self.stack_of_readers(), name, document))
            .unwrap();
    }

    /// The name of the stack, as the session token of a person begins.
    fn stack_of_readers(&self) -> &str {
        let (stack, _) = self.stack.reader.split_once('/').unwrap();
        stack
    }

    /// Makes a repository with the good image `v1`, and a stable service of that name on it in each of the clusters.
    pub(crate) async fn services(&self, repository: &str, service: &str, clusters: &[&str]) {
        self.services_before(repository, service, clusters, Duration::ZERO)
            .await;
    }

    /// The same with an image that was pushed so long ago.
    pub(crate) async fn services_before(&self, repository: &str, service: &str, clusters: &[&str], ago: Duration) {
        self.aws.create_repository(repository).await.unwrap();
        self.aws.push_before(repository, "v1", ago).unwrap();
        let family = format!("{}-{service}", clusters[0]);
        let image = self.aws.image(repository, "v1");
        let revision = self.aws.register(&family, &[(service, &image)]).await.unwrap();
        for cluster in clusters {
            self.aws.create_cluster(cluster).await.unwrap();
            let setup = Setup::default();
            self.aws
                .create_service(cluster, service, &revision, &setup)
                .await
                .unwrap();
            self.aws.stable(cluster, service, LIMIT).await.unwrap();
        }
    }
}
