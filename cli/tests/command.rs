//! The command as a process: its exit code, its words, and the calls that it makes of an endpoint that answers nothing of use.

#![allow(clippy::unwrap_used, reason = "a test that cannot run the command has failed")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};

/// The files of the AWS configuration: a profile with keys, one that needs single sign-on, and one that asks a program.
const PROFILES: &str = "\
[profile prod]
region = eu-west-1
aws_access_key_id = AKIDOFPROFILE
aws_secret_access_key = secret
[profile single]
region = eu-west-1
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = reader
[profile asked]
region = eu-west-1
credential_process = /bin/false
[profile assumed]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/reader
source_profile = gone
";

/// An endpoint that knows no parameter, and the requests that it gets.
fn endpoint() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let length = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let body = r#"{"Parameters": []}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = sender.send(request);
        }
    });
    (address, requests)
}

/// Where the command runs: an endpoint, and an AWS configuration.
struct Place {
    endpoint: String,
    requests: Receiver<String>,
    configuration: std::path::PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let (endpoint, requests) = endpoint();
        let configuration = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&configuration, PROFILES).unwrap();
        Self {
            endpoint,
            requests,
            configuration,
        }
    }

    /// The command with its words, without credentials.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-deploy"));
        command.env_clear().args(words);
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_CONFIG_FILE", &self.configuration)
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// The same, with keys and a region in the environment.
    fn with_keys(&self, words: &[&str]) -> Command {
        let mut command = self.command(words);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIDOFENVIRONMENT")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "eu-west-1");
        command
    }

    fn calls(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

/// The exit code, and the words on standard error.
fn said(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_profile_that_is_named_goes_before_the_keys_of_the_environment() {
    let place = Place::new("profiles");
    for (words, profile, key) in [
        (["status", "--profile", "prod"].as_slice(), None, "AKIDOFPROFILE"),
        (&["status"], None, "AKIDOFENVIRONMENT"),
        // As the SDK has it.
        (&["status"], Some("prod"), "AKIDOFENVIRONMENT"),
    ] {
        let mut command = place.with_keys(words);
        command.envs(profile.map(|it| ("AWS_PROFILE", it)));
        let (code, notes) = said(&mut command);
        assert_eq!(code, 1, "{notes}");
        assert!(notes.contains("there is no ecr-deploy in the stack"), "{notes}");
        let by = if words.len() > 1 || profile.is_some() {
            "prod"
        } else {
            "that is the default"
        };
        assert!(notes.contains(&format!("the account of the profile {by} (")), "{notes}");
        let calls = place.calls();
        assert!(calls.len() == 1 && calls[0].contains(key), "{words:?}: {calls:?}");
    }
}

#[test]
fn a_profile_that_does_not_exist_is_named_before_any_call() {
    let place = Place::new("no-profile");
    for mut command in [
        place.with_keys(&["status", "--profile", "nobody"]),
        place.command(&["status", "--profile", "nobody"]),
    ] {
        let (code, notes) = said(&mut command);
        assert_eq!(code, 2, "{notes}");
        assert!(notes.contains("there is no profile \"nobody\""), "{notes}");
    }
    // Without a region it would be missed, and not the profile.
    let (code, notes) = said(place.command(&["status"]).env("AWS_PROFILE", "typo"));
    assert_eq!(code, 2, "{notes}");
    assert!(
        notes.contains("there is no profile \"typo\"") && notes.contains("correct AWS_PROFILE"),
        "{notes}"
    );
    assert_eq!(place.calls(), [""; 0]);
}

#[test]
fn a_profile_without_its_source_fails_and_one_without_a_region_is_refused() {
    let place = Place::new("source");
    let (code, notes) = said(&mut place.command(&["status", "--profile", "assumed"]));
    assert!(
        code == 1 && notes.contains("no usable credentials were found"),
        "{code}: {notes}"
    );
    let (code, notes) = said(&mut place.command(&["status"]));
    assert!(code == 2 && notes.contains("no region is set"), "{code}: {notes}");
    assert_eq!(place.calls(), [""; 0]);
}

#[test]
fn who_has_not_signed_in_is_told_to() {
    let place = Place::new("nobody");
    let (code, notes) = said(&mut place.command(&["status", "--region", "eu-west-1"]));
    assert_eq!(code, 1, "{notes}");
    assert!(
        notes.contains("sign in first") && notes.contains("--profile"),
        "{notes}"
    );
    assert!(!notes.contains("Try again"), "{notes}");
    let (code, notes) = said(&mut place.command(&["status", "--region", "eu-west-1", "--output", "json"]));
    let document: serde_json::Value = serde_json::from_str(&notes).unwrap();
    assert_eq!(
        (code, &document["error"]),
        (1, &"Command.NoCredentials".into()),
        "{notes}"
    );
    for profile in ["single", "asked"] {
        let (code, notes) = said(&mut place.command(&["status", "--profile", profile]));
        assert_eq!(code, 1, "{notes}");
        let advice = if cfg!(feature = "sso") {
            "sign in first"
        } else {
            "install it with --features sso"
        };
        assert!(notes.contains(advice) && !notes.contains("Try again"), "{notes}");
    }
    assert_eq!(place.calls(), [""; 0]);
}

#[test]
fn words_that_cannot_be_understood_are_refused_before_any_call() {
    let place = Place::new("words");
    for (words, advice) in [
        ("hold web --why audit", "names no service"),
        ("hold production/web --why audit --until tomorrow", "is no time"),
        (
            "hold production/web --why audit --until 2020-01-01T00:00:00Z",
            "is over",
        ),
        ("hold production/web --why no,comma", "cannot be in the reason"),
        ("rollback production/web --why no,comma", "cannot be in the reason"),
        ("unhold web", "names no service"),
        ("continue web", "names no service"),
        ("history --limit 0", "at least 1"),
        ("history --name-is service", "<NAME>"),
        ("status a/b/c", "names no service"),
        ("status a:b", "no name of a cluster"),
        ("doctor --pass-role foo", "is no ARN of a role"),
        ("rollback production/web --why slow --to foo:bar", "is no revision"),
        ("plan shop/web", "names no image"),
        ("verify --cluster sandbox --tag v1", "no pattern of tags"),
        ("status --region=", "--region"),
        ("status --region eu\u{a0}west", "--region"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        assert_refused(&place, &words, advice);
    }
}

/// Asserts that words are refused at once, with this advice, for people and for programs.
fn assert_refused(place: &Place, words: &[&str], advice: &str) {
    let (code, notes) = said(&mut place.with_keys(words));
    assert_eq!(code, 2, "{words:?}: {notes}");
    assert!(notes.contains(advice), "{words:?}: {notes}");
    let (code, notes) = said(place.with_keys(words).args(["--output", "json"]));
    assert_eq!(code, 2, "{words:?}: {notes}");
    let document: serde_json::Value = serde_json::from_str(&notes).unwrap();
    assert_eq!(document["error"], "Command.Usage", "{notes}");
    assert!(document["message"].as_str().unwrap().contains(advice), "{notes}");
    assert_eq!(place.calls(), [""; 0]);
}

#[test]
fn a_hold_has_a_reason() {
    let place = Place::new("reason");
    for of in [
        ["hold", "--all"],
        ["hold", "production/web"],
        ["rollback", "production/web"],
    ] {
        for reason in ["", "   ", "\t\n"] {
            assert_refused(&place, &[of[0], of[1], "--why", reason], "there is no reason");
        }
    }
}

#[test]
fn a_stack_has_a_name_that_cloudformation_takes() {
    let place = Place::new("stack");
    for name in ["", "Bad_Stack!", "1st", "shop.", "sh\u{f6}p", &"a".repeat(129)] {
        assert_refused(&place, &["status", "--stack", name], "no name of a stack");
        let (code, notes) = said(place.with_keys(&["status"]).env("ECR_DEPLOY_STACK", name));
        assert_eq!((code, place.calls().len()), (2, 0), "{name:?}: {notes}");
    }
    for name in ["a", "Shop-Deploy-2", &"a".repeat(128)] {
        let (code, notes) = said(&mut place.with_keys(&["status", "--stack", name]));
        assert_eq!((code, place.calls().len()), (1, 1), "{name:?}: {notes}");
    }
}

#[test]
fn words_that_can_be_understood_come_to_the_call() {
    let place = Place::new("understood");
    for words in [
        "hold production/web --why audit --until 2126-12-24T06:00:00Z",
        "status production",
        "rollback production/web --why slow --to web:39",
        "rollback production/web --why slow --to 39",
        "plan shop/web:v2",
        "history --limit 1",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let (code, notes) = said(&mut place.with_keys(&words));
        assert_eq!((code, place.calls().len()), (1, 1), "{words:?}: {notes}");
    }
}

#[test]
fn an_empty_name_is_refused_since_it_is_a_part_of_every_name() {
    let place = Place::new("empty");
    for words in [
        ["retry", ""].as_slice(),
        &["retry", " ", "--no-wait"],
        &["why", ""],
        &["why", "web:v2", ""],
        &["history", ""],
    ] {
        assert_refused(&place, words, "there is no name");
    }
}

#[test]
fn a_region_of_the_environment_is_one() {
    let place = Place::new("region");
    for region in ["", " ", "eu-west-1 ", "eu_west"] {
        let (code, notes) = said(place.with_keys(&["status"]).env("AWS_REGION", region));
        assert!(
            code == 2 && notes.contains("no region is set"),
            "{region:?}: {code}: {notes}"
        );
    }
    assert_eq!(place.calls(), [""; 0]);
}

/// The text on standard output.
fn printed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!(
        (status.code(), String::from_utf8_lossy(&stderr).as_ref()),
        (Some(0), "")
    );
    String::from_utf8(stdout).unwrap()
}

#[cfg(unix)]
#[test]
fn the_help_names_the_command_whatever_its_file_is_called() {
    use std::os::unix::process::CommandExt;

    let place = Place::new("file");
    for words in [["--help"].as_slice(), &["plan", "--help"]] {
        let text = printed(place.command(words).arg0("/tmp/ecr-deploy-linux-x86_64"));
        assert!(text.contains("Usage: ecr-deploy ") && !text.contains("linux"), "{text}");
    }
}

#[test]
fn help_is_a_command_too() {
    let place = Place::new("help");
    let of = |words: &[&str]| printed(&mut place.command(words));
    assert_eq!(of(&["help"]), of(&["--help"]));
    assert_eq!(of(&["help", "plan"]), of(&["plan", "--help"]));
    assert!(of(&["completions", "bash"]).contains("help,plan)"));
    assert_refused(&place, &["help", "nothing"], "unrecognized subcommand");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error_unless_nobody_reads_it() {
    let place = Place::new("written");
    for words in [["completions", "bash"].as_slice(), &["--version"], &["--help"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let (code, notes) = said(place.command(words).stdout(full));
        assert_eq!(code, 1, "{words:?}: {notes}");
        assert!(notes.contains("cannot be written"), "{words:?}: {notes}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, notes) = said(place.command(words).stdout(writer));
        assert_eq!((code, notes.as_str()), (0, ""), "{words:?}");
    }
}
