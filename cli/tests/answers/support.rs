//! An endpoint that answers as AWS does, by what a test says that there is, and the command in front of it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// The status of an answer, and its document.
pub(crate) type Answer = (u16, Value);

/// The answer that a test gives to a call; `None` for the one that the account below gives.
type Instead = Box<dyn FnMut(&str, &Value) -> Option<Answer> + Send>;

/// An account, as far as it answers.
pub(crate) struct Aws {
    /// The executions: each as `DescribeExecution` answers it, without its time, the newest first.
    executions: Vec<Value>,
    /// The events of an execution, by its name.
    events: BTreeMap<String, Vec<Value>>,
    /// The parameters.
    parameters: BTreeMap<String, String>,
    /// The tags of the service.
    tags: Value,
    instead: Instead,
    /// The operations that were called, with their inputs.
    calls: Vec<(String, Value)>,
}

/// The output of the command.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) notes: String,
}

impl Said {
    /// That it ended so; else what it said is told.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.text, self.notes);
        self
    }

    /// That its result, its notes and its error have all of this. Words may be wrapped.
    pub(crate) fn says(self, expected: &[&str]) -> Self {
        for expected in expected {
            assert!(self.has(expected), "no {expected:?} in:\n{}\n{}", self.text, self.notes);
        }
        self
    }

    /// That they have nothing of this.
    pub(crate) fn says_nothing_of(self, unexpected: &[&str]) -> Self {
        for unexpected in unexpected {
            assert!(
                !self.has(unexpected),
                "{unexpected:?} in:\n{}\n{}",
                self.text,
                self.notes
            );
        }
        self
    }

    fn has(&self, words: &str) -> bool {
        let all = format!("{} {}", self.text, self.notes);
        all.split_whitespace().collect::<Vec<_>>().join(" ").contains(words)
    }
}

/// An error of AWS.
pub(crate) fn refused(code: &str, message: &str) -> Answer {
    (400, json!({"__type": code, "message": message}))
}

/// The ARN of an execution of a state machine of the installation.
pub(crate) fn arn(machine: &str, name: &str) -> String {
    format!("arn:aws:states:eu-west-1:123456789012:execution:{machine}:{name}")
}

impl Aws {
    /// An account with the installation, and nothing else.
    pub(crate) fn new() -> Self {
        let machine = |name: &str| format!("arn:aws:states:eu-west-1:123456789012:stateMachine:{name}");
        let settings: Value =
            serde_json::from_str(include_str!("../../../cdk/test/golden/settings-default.json")).unwrap();
        let installation = json!({
            "push": machine("Push-1"), "deployImage": machine("Image-1"), "deployService": machine("Service-1"),
            "sweep": machine("Sweep-1"), "holdParameter": "/ecr-deploy/ecr-deploy/hold",
            "deadLetterQueueUrl": "https://queue", "trigger": "putImage",
            "passRoles": ["arn:aws:iam::123456789012:role/app-*"], "settings": settings,
        });
        let told = (
            "/ecr-deploy/ecr-deploy/installation".to_owned(),
            installation.to_string(),
        );
        Self {
            executions: Vec::new(),
            events: BTreeMap::new(),
            parameters: BTreeMap::from([told]),
            tags: json!([]),
            instead: Box::new(|_, _| None),
            calls: Vec::new(),
        }
    }

    /// With an execution, which is older than those before it.
    pub(crate) fn execution(mut self, machine: &str, name: &str, status: &str, members: &Value) -> Self {
        let mut execution = json!({
            "executionArn": arn(machine, name), "name": name, "status": status, "input": "{}",
            "stateMachineArn": format!("arn:aws:states:eu-west-1:123456789012:stateMachine:{machine}"),
        });
        for (member, value) in members.as_object().unwrap() {
            // AWS has documents in texts.
            let is_document = matches!(member.as_str(), "input" | "output" | "cause") && !value.is_string();
            execution[member] = if is_document {
                value.to_string().into()
            } else {
                value.clone()
            };
        }
        let began = 1_796_000_000 - self.executions.len();
        execution["startDate"] = began.into();
        if status != "RUNNING" {
            execution["stopDate"] = (began + 30).into();
        }
        self.executions.push(execution);
        self
    }

    /// With the events of an execution.
    pub(crate) fn events(mut self, name: &str, events: Vec<Value>) -> Self {
        self.events.insert(name.to_owned(), events);
        self
    }

    /// With other answers.
    pub(crate) fn instead(mut self, instead: impl FnMut(&str, &Value) -> Option<Answer> + Send + 'static) -> Self {
        self.instead = Box::new(instead);
        self
    }

    /// With a tag of the service `production/web`.
    pub(crate) fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags = json!([{"key": key, "value": value}]);
        self
    }

    /// With a parameter.
    pub(crate) fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With these clusters in the settings.
    pub(crate) fn clusters(mut self, clusters: &[&str]) -> Self {
        let told = self.parameters.get_mut("/ecr-deploy/ecr-deploy/installation").unwrap();
        let mut installation: Value = serde_json::from_str(told).unwrap();
        installation["settings"]["clusters"] = clusters.into();
        *told = installation.to_string();
        self
    }

    /// Types a command: its words with spaces between them.
    pub(crate) fn types(self, words: &str) -> Said {
        self.says_to(&words.split(' ').collect::<Vec<_>>()).0
    }

    /// Types a command, and returns the operations that it called, too.
    pub(crate) fn says_to(self, words: &[&str]) -> (Said, Vec<(String, Value)>) {
        self.said(words, None)
    }

    /// Types a command whose result nobody reads.
    pub(crate) fn unread(self, words: &str) -> (Said, Vec<(String, Value)>) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        self.said(&words.split(' ').collect::<Vec<_>>(), Some(writer))
    }

    fn said(self, words: &[&str], output: Option<std::io::PipeWriter>) -> (Said, Vec<(String, Value)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let aws = Arc::new(Mutex::new(self));
        let served = Arc::clone(&aws);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // The command may open a connection that it does not use.
                let served = Arc::clone(&served);
                std::thread::spawn(move || serve(&mut stream.unwrap(), &served));
            }
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-deploy"));
        command.env_clear().args(words).envs([
            ("AWS_ENDPOINT_URL", address.as_str()),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "eu-west-1"),
        ]);
        if let Some(output) = output {
            command.stdout(output);
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let said = Said {
            code: status.code().unwrap_or(-1),
            text: text(stdout),
            notes: text(stderr),
        };
        let calls = std::mem::take(&mut aws.lock().unwrap().calls);
        (said, calls)
    }

    fn answer(&mut self, operation: &str, input: &Value) -> Answer {
        self.calls.push((operation.to_owned(), input.clone()));
        if let Some(answer) = (self.instead)(operation, input) {
            return answer;
        }
        let of = input["executionArn"].as_str().unwrap_or_default();
        match operation {
            "GetParameters" => {
                let name = input["Names"][0].as_str().unwrap();
                let found = self
                    .parameters
                    .get(name)
                    .map(|value| json!({"Name": name, "Value": value}));
                (200, json!({"Parameters": found.into_iter().collect::<Vec<_>>()}))
            }
            "ListExecutions" => (200, self.listed(input)),
            "DescribeExecution" => match self.executions.iter().find(|it| it["executionArn"] == of) {
                Some(found) => (200, found.clone()),
                None => refused("ExecutionDoesNotExist", "Execution Does Not Exist"),
            },
            "GetExecutionHistory" => {
                let name = of.rsplit(':').next().unwrap_or_default();
                (
                    200,
                    page(self.events.get(name).map_or(&[], Vec::as_slice), "events", input),
                )
            }
            "ListClusters" => (
                200,
                json!({"clusterArns": ["arn:aws:ecs:eu-west-1:123456789012:cluster/production"]}),
            ),
            "ListServices" => (200, json!({"serviceArns": [service_arn()]})),
            "DescribeServices" => (200, json!({"services": [self.service()], "failures": []})),
            "DescribeTaskDefinition" => (200, task_definition(input)),
            "DescribeImages" => (
                200,
                json!({"imageDetails": [{
                    "registryId": "123456789012", "repositoryName": "shop/web", "imageDigest": DIGEST,
                    "imageTags": ["v2"], "imagePushedAt": 1_796_000_000,
                }]}),
            ),
            "ListServiceDeployments" => (200, service_deployments(input)),
            "DescribeServiceRevisions" => (200, service_revisions()),
            "StartExecution" => {
                let machine = input["stateMachineArn"].as_str().unwrap().rsplit(':').next().unwrap();
                let name = input["name"].as_str().unwrap_or("started");
                (
                    200,
                    json!({"executionArn": arn(machine, name), "startDate": 1_796_000_000}),
                )
            }
            "RedriveExecution" => (200, json!({"redriveDate": 1_796_000_000})),
            "TagResource" | "UntagResource" | "PutParameter" | "DeleteParameter" => (200, json!({})),
            _ => refused("UnknownOperationException", operation),
        }
    }

    fn listed(&self, input: &Value) -> Value {
        let is_listed = |it: &&Value| {
            let is_of_status = input["statusFilter"].is_null() || it["status"] == input["statusFilter"];
            it["stateMachineArn"] == input["stateMachineArn"] && is_of_status
        };
        let found: Vec<Value> = self.executions.iter().filter(is_listed).cloned().collect();
        page(&found, "executions", input)
    }

    fn service(&self) -> Value {
        let deployment = json!({
            "id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": revision("web:42"), "desiredCount": 1,
            "pendingCount": 0, "runningCount": 1, "failedTasks": 0, "createdAt": 1_795_990_000,
            "updatedAt": 1_795_990_000, "rolloutState": "COMPLETED", "rolloutStateReason": "",
        });
        json!({
            "serviceArn": service_arn(), "serviceName": "web", "status": "ACTIVE", "desiredCount": 1,
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/production", "runningCount": 1, "pendingCount": 0,
            "taskDefinition": revision("web:42"), "deployments": [deployment], "tags": self.tags, "events": [],
        })
    }
}

/// The digest of every image.
pub(crate) const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// The id of the push that is deployed.
const ID: &str = "6a69650c-1fc1-4eb1-8c94-cfb37be29cff";

/// The image of a push, as an execution of deploy-service has it in its input.
pub(crate) fn image(tag: &str) -> Value {
    json!({
        "registryId": "123456789012", "region": "eu-west-1", "repository": "shop/web", "tag": tag, "digest": DIGEST,
        "push": format!("2026-11-29T10:00:00Z {ID}"), "by": null,
    })
}

fn service_arn() -> &'static str {
    "arn:aws:ecs:eu-west-1:123456789012:service/production/web"
}

fn revision(name: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{name}")
}

fn of_service(what: &str, number: usize) -> String {
    format!("arn:aws:ecs:eu-west-1:123456789012:{what}/production/web/{number}")
}

fn task_definition(input: &Value) -> Value {
    let name = input["taskDefinition"].as_str().unwrap().rsplit('/').next().unwrap();
    let number: u32 = name.rsplit(':').next().unwrap().parse().unwrap();
    let image = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v{}", number - 40);
    let pushed = format!("2026-11-29T10:00:00Z {ID} {DIGEST} v2");
    json!({
        "taskDefinition": {
            "taskDefinitionArn": revision(name), "family": "web", "revision": number, "status": "ACTIVE",
            "containerDefinitions": [{"name": "web", "image": image}],
        },
        "tags": [{"key": "ecr-deploy:push/shop/web", "value": pushed}, {"key": "ecr-deploy:source", "value": "web:41"}],
    })
}

fn service_deployments(input: &Value) -> Value {
    let deployment = |number: usize| {
        let at = 1_795_980_000 + number * 1000;
        json!({
            "serviceDeploymentArn": of_service("service-deployment", number), "status": "SUCCESSFUL", "createdAt": at,
            "targetServiceRevisionArn": of_service("service-revision", number), "startedAt": at, "finishedAt": at + 9,
        })
    };
    let is_any = input["status"].as_array().is_none_or(Vec::is_empty);
    let deployments: Vec<Value> = [2, 1].into_iter().filter(|_| is_any).map(deployment).collect();
    json!({"serviceDeployments": deployments})
}

fn service_revisions() -> Value {
    let revisions = [1, 2].map(|number| {
        let arn = of_service("service-revision", number);
        let runs = revision(&format!("web:{}", 40 + number));
        json!({"serviceRevisionArn": arn, "taskDefinition": runs, "containerImages": []})
    });
    json!({"serviceRevisions": revisions})
}

/// A page of a list, by the size and the token that were asked for.
fn page(of: &[Value], member: &str, input: &Value) -> Value {
    let mut all = of.to_vec();
    if input["reverseOrder"] == true {
        all.reverse();
    }
    let most = input["maxResults"].as_u64().filter(|most| *most > 0).unwrap_or(100);
    let (most, at) = (
        usize::try_from(most).unwrap(),
        input["nextToken"].as_str().map_or(0, |it| it.parse().unwrap()),
    );
    let page: Vec<&Value> = all.iter().skip(at).take(most).collect();
    let next = (at + most < all.len()).then(|| (at + most).to_string());
    json!({member: page, "nextToken": next})
}

/// Reads one request, and answers it.
fn serve(stream: &mut TcpStream, aws: &Mutex<Aws>) {
    let (mut read, mut buffer) = (Vec::new(), [0; 8192]);
    let (head, body) = loop {
        let length = stream.read(&mut buffer).unwrap();
        if length == 0 {
            return;
        }
        read.extend(&buffer[..length]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|it| it.lines().next()?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break (
                text.split("\r\n\r\n").next().unwrap_or_default().to_owned(),
                body.to_owned(),
            );
        }
    };
    let target = head
        .lines()
        .find(|line| line.to_lowercase().starts_with("x-amz-target"));
    let operation = target.and_then(|it| it.trim().rsplit('.').next());
    let (status, kind, answer) = if let Some(operation) = operation {
        let input = serde_json::from_str(&body).unwrap_or_default();
        let (status, document) = aws.lock().unwrap().answer(operation, &input);
        (status, "application/x-amz-json-1.1", document.to_string())
    } else if body.contains("GetCallerIdentity") {
        (200, "text/xml", CALLER.to_owned())
    } else {
        (200, "application/json", r#"{"Schedules": []}"#.to_owned())
    };
    let answer = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    // The command may have ended meanwhile.
    let _ = stream.write_all(answer.as_bytes());
}

/// Who signed in.
const CALLER: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
    <Arn>arn:aws:sts::123456789012:assumed-role/operator/ann</Arn><UserId>U</UserId><Account>123456789012</Account>\
    </GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>";
