//! `verify`, under the policy that it prints and nothing more.

use crate::support::Person::Administrator;
use crate::support::{Installed, Said, run};
use aws_sdk_ecs::types::TaskDefinitionStatus;
use ecr_deploy_cli::commands::Verified;
use ecr_deploy_cli::output::Document;
use ecr_deploy_cli::report::Outcome;
use ecr_deploy_cli::verify::facts::{Fact, Holds};
use local_aws::services::Setup;
use local_aws::{ACCOUNT, Settings};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const NAME: &str = "ecr-deploy-verify";

/// An installation of its own: what it pushes and tells nobody of, a sweep would find. It writes parameters, too.
static VERIFIED: LazyLock<Installed> = LazyLock::new(|| {
    let stages = json!([
        {"name": "sandbox", "clusters": ["sandbox"], "tags": ["v*"]},
        {"name": "kept", "clusters": ["kept"], "tags": ["*"], "rollback": "none"},
    ]);
    let settings = Settings::default().with("parameters", "true");
    Installed::with(&settings.with("stages", stages.to_string()))
});

/// All runs make the same names, so they come one after the other.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The words for a task on Fargate: the clusters here have no instances.
fn words(cluster: &str, more: &str) -> String {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/app-execution");
    format!("verify --cluster {cluster} --subnets subnet-1 --execution-role {role} {more}")
        .trim()
        .to_owned()
}

/// Runs something while every push is told of.
fn told<T>(it: &Installed, act: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                it.aws.tell_of_put_images().unwrap();
                wait();
            }
        });
        let result = act();
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn wait() {
    #[expect(clippy::disallowed_methods, reason = "another process goes on, and tells nobody")]
    std::thread::sleep(Duration::from_millis(50));
}

/// The session token of a person who has this policy and no other.
fn person_with(it: &Installed, stack: &str, policy: &Value) -> String {
    let template = json!({"Resources": {"Verifier": {
        "Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy},
    }}});
    let name = ["--stack-name", stack];
    let template = template.to_string();
    let body = ["--template-body", &template, "--capabilities", "CAPABILITY_IAM"];
    it.aws
        .cli(&[&["cloudformation", "create-stack"], &name[..], &body[..]].concat())
        .unwrap();
    it.aws
        .cli(&[&["cloudformation", "wait", "stack-create-complete"], &name[..]].concat())
        .unwrap();
    format!("{stack}/Verifier")
}

/// The policy that the command prints for a cluster.
fn policy(it: &Installed, cluster: &str) -> Value {
    it.types(Administrator, &words(cluster, "--policy")).ended(0).document()
}

fn types(it: &Installed, token: &str, words: &str) -> Said {
    let words: Vec<&str> = words.split(' ').collect();
    Installed::said(&mut it.command(Some(token), &words), &words)
}

/// That nothing of a run is there any more.
async fn assert_removed(it: &Installed, cluster: &str) {
    let described = it
        .aws
        .ecs()
        .describe_services()
        .cluster(cluster)
        .services(NAME)
        .send()
        .await
        .unwrap();
    let status = described.services().first().and_then(|it| it.status());
    assert!(status.is_none_or(|status| status != "ACTIVE"), "{described:?}");
    for status in [TaskDefinitionStatus::Active, TaskDefinitionStatus::Inactive] {
        let listed = it.aws.ecs().list_task_definitions().family_prefix(NAME).status(status);
        assert_eq!(
            listed.send().await.unwrap().task_definition_arns(),
            Vec::<String>::new()
        );
    }
    let repositories = it.aws.ecr().describe_repositories().send().await.unwrap();
    assert!(
        repositories
            .repositories()
            .iter()
            .all(|it| it.repository_name() != Some(NAME))
    );
    let path = format!("/ecr-deploy/{cluster}/{NAME}");
    let read = it
        .aws
        .cli(&["ssm", "get-parameters-by-path", "--recursive", "--path", &path]);
    let read: Value = serde_json::from_str(&read.unwrap()).unwrap();
    assert_eq!(read["Parameters"], json!([]));
}

#[test]
fn a_run_under_its_own_policy_sees_every_fact_needs_every_statement_and_removes_what_it_made() {
    let _alone = alone();
    run(async {
        let it = &*VERIFIED;
        it.aws.create_cluster("sandbox").await.unwrap();
        let policy = policy(it, "sandbox");
        let token = person_with(it, "verifier", &policy);
        let said = told(it, || types(it, &token, &words("sandbox", "--output json")));
        let verified: Verified = said.ended(0).document();

        assert_eq!((verified.cluster.as_str(), verified.name.as_str()), ("sandbox", NAME));
        let pushes = verified.pushes.iter();
        let pushes: Vec<_> = pushes
            .map(|it| (it.step.as_str(), it.image.as_str(), it.outcome))
            .collect();
        assert_eq!(
            pushes,
            [
                ("good", "ecr-deploy-verify:v1.0.1", Outcome::Deployed),
                ("broken", "ecr-deploy-verify:v1.0.2", Outcome::RolledBack),
                ("redrive", "ecr-deploy-verify:v1.0.2", Outcome::RolledBack),
            ]
        );
        assert!(
            verified.pushes[0].push.starts_with("ecr-deploy-verify-v1-0-1-"),
            "{verified:#?}"
        );
        assert_eq!(verified.pushes[1].push, verified.pushes[2].push);
        assert_eq!(
            (&verified.ended_early, verified.left.as_slice()),
            (&None, [].as_slice())
        );
        let seen = [
            (Fact::PushStartsExecution, "s after the push"),
            (Fact::PusherIsNamed, "arn:aws:iam::123456789012:root"),
            (Fact::IndexIsRecorded, "that of the image for its processor"),
            (
                Fact::DuplicateOfRunning,
                "Step Functions answered with the first execution",
            ),
            (
                Fact::DuplicateOfEnded,
                "Step Functions refused its name: StepFunctions.ExecutionAlreadyExists",
            ),
            (
                Fact::ExitCodeIsTold,
                "Deploy.RolledBack: ecr-deploy-verify in sandbox did not become stable",
            ),
            (Fact::StopNeedsNoBreaker, "ECS was told to go back, and did"),
            (Fact::SameDigestAfterRollback, ", as before"),
            (Fact::RedriveRunsTaskAgain, "-1, which ended Deploy.RolledBack"),
            (
                Fact::RedriveCountIsRead,
                "Step Functions counts 1, and the name is ecr-deploy-verify-v1-0-2-",
            ),
        ];
        assert_eq!(verified.facts.len(), seen.len());
        for (judged, (fact, seen)) in verified.facts.iter().zip(seen) {
            assert_eq!(judged.fact, fact);
            // A busy machine may end the first execution before the duplicate is there.
            if fact == Fact::DuplicateOfRunning && judged.holds == Holds::NotSeen {
                continue;
            }
            assert_eq!(judged.holds, Holds::Holds, "{judged:#?}");
            assert!(judged.seen.contains(seen), "no {seen:?} in {judged:#?}");
        }
        let text = verified.text("2026-11-29T10:00:00Z".parse().unwrap());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("facts hold, 0 do not, "), "{text}");
        assert_removed(it, "sandbox").await;
        assert_every_statement_was_needed(it, &policy);
    });
}

/// A statement that no call needed would be one too many.
fn assert_every_statement_was_needed(it: &Installed, policy: &Value) {
    let needed: Vec<(String, String)> = it.aws.simulated_ecs().unwrap().with(|simulation, _| {
        let needed = simulation.iam().needed().filter(|it| it.role == "Verifier");
        needed.map(|it| (it.statement.clone(), it.action.clone())).collect()
    });
    for statement in policy["Statement"].as_array().unwrap() {
        let sid = statement["Sid"].as_str().unwrap();
        for action in statement["Action"].as_array().unwrap() {
            let wanted = (sid.to_owned(), action.as_str().unwrap().to_owned());
            assert!(needed.contains(&wanted), "nothing needs {wanted:?} of {needed:#?}");
        }
    }
}

#[test]
fn a_push_that_never_arrives_is_a_fact_that_does_not_hold_and_all_is_removed() {
    let _alone = alone();
    run(async {
        let it = &*VERIFIED;
        it.aws.create_cluster("sandbox").await.unwrap();
        let said = it.types(Administrator, &words("sandbox", "--wait 2")).ended(8);
        said.says(&[
            "HOLDS",
            "NO",
            "Seen: no execution began within 2 s",
            "not seen",
            "0 of 10 facts hold, 1 does not, 9 not seen.",
            "The repository, the family and the service ecr-deploy-verify are removed.",
        ]);
        assert!(
            said.notes.contains("pushes a good image: ecr-deploy-verify:v1.0.1"),
            "{}",
            said.notes
        );
        // Nobody is to be told of it later.
        it.aws
            .simulated_ecs()
            .unwrap()
            .with(|simulation, _| simulation.take_put());
        assert_removed(it, "sandbox").await;
    });
}

#[test]
fn ctrl_c_ends_a_run_that_removes_what_it_has_made_first() {
    let _alone = alone();
    run(async {
        let it = &*VERIFIED;
        it.aws.create_cluster("sandbox").await.unwrap();
        let words = words("sandbox", "");
        let words: Vec<&str> = words.split(' ').collect();
        let mut command = it.command(None, &words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        told(it, || {
            let began = || {
                let listed = it.aws.cli(&[
                    "stepfunctions",
                    "list-executions",
                    "--status-filter",
                    "RUNNING",
                    "--state-machine-arn",
                    &it.stack.deploy_service,
                ]);
                listed.unwrap().contains(NAME)
            };
            while !began() {
                wait();
            }
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        });
        let output = told(it, || child.wait_with_output().unwrap());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(130), "{text}");
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(one_line.contains("The run ended early: it was interrupted"), "{text}");
        assert!(
            one_line.contains("the service ecr-deploy-verify are removed."),
            "{text}"
        );
        assert_removed(it, "sandbox").await;
    });
}

#[test]
fn what_could_not_be_removed_is_named_with_the_command_that_removes_it() {
    let _alone = alone();
    run(async {
        let it = &*VERIFIED;
        it.aws.create_cluster("sandbox").await.unwrap();
        let mut policy = policy(it, "sandbox");
        for statement in policy["Statement"].as_array_mut().unwrap() {
            let actions = statement["Action"].as_array_mut().unwrap();
            actions.retain(|it| !["ecr:DeleteRepository", "ecs:CreateService"].contains(&it.as_str().unwrap()));
        }
        let token = person_with(it, "no-removal", &policy);
        let said = types(it, &token, &words("sandbox", "--output json")).ended(1);
        let verified: Verified = said.document();
        assert!(verified.ended_early.unwrap().contains("ecs:CreateService"));
        assert_eq!(verified.left.len(), 1, "{:?}", verified.left);
        let left = &verified.left[0];
        assert_eq!(left.part, "the repository ecr-deploy-verify");
        assert!(left.why.contains("ecr:DeleteRepository"), "{}", left.why);

        // The next run refuses to begin, with the same command; after it, nothing is left.
        let refused = it.types(Administrator, &words("sandbox", "")).ended(1);
        assert!(refused.notes.contains(&left.command), "{}", refused.notes);
        assert_eq!(refused.text, "");
        let delete = it.aws.ecr().delete_repository().repository_name(NAME).force(true);
        delete.send().await.unwrap();
        assert_removed(it, "sandbox").await;
    });
}

#[test]
fn a_run_that_would_meet_something_makes_nothing() {
    let _alone = alone();
    run(async {
        let it = &*VERIFIED;
        it.aws.create_cluster("kept").await.unwrap();
        it.aws.create_cluster("taken").await.unwrap();
        it.aws.create_cluster("sandbox").await.unwrap();
        let revision = it.aws.register("other", &[("other", "busybox:latest")]).await.unwrap();
        it.aws
            .create_service("taken", NAME, &revision, &Setup::default())
            .await
            .unwrap();
        for (words, code, advice) in [
            (words("sandbox", "--tag main-*"), 1, "does not take the tag main-1"),
            (words("sandbox", "--tag main"), 2, "one star"),
            (words("none", ""), 1, "there is no cluster none"),
            (words("kept", ""), 1, "rollback is none"),
            ("verify --cluster sandbox".to_owned(), 1, "Name the subnets"),
            (
                words("taken", "--stage sandbox"),
                1,
                "aws ecs delete-service --region us-east-1 --cluster taken",
            ),
        ] {
            let said = it.types(Administrator, &words).ended(code);
            assert!(said.notes.contains(advice), "{words}: {}", said.notes);
            assert_eq!(said.text, "");
        }
        let service = it.aws.describe_service("taken", NAME).await.unwrap();
        assert_eq!(service.status(), Some("ACTIVE"));
        let delete = it.aws.ecs().delete_service().cluster("taken").service(NAME).force(true);
        delete.send().await.unwrap();
        assert_removed(it, "sandbox").await;
    });
}
