//! The commands of CONTRIBUTING.md that install from a clone, typed as they stand there into one shell, in a fresh checkout.

use crate::support::{Deployed, PLAIN, outcomes, run, summary};
use crate::typed::{blocks, shell};
use local_aws::images::Behaviour::Healthy;
use local_aws::{ACCOUNT, LocalAws, Options, Settings, Stack, tools};
use std::process::Command;

/// The part that the page leaves to the reader after the settings file was made: roles, here beside functions that are
/// built already, for this processor, and short times.
const EDIT: &str = r#"python3 - <<'EOF'
import json, os
with open("ecr-deploy.json") as file:
    settings = json.load(file)
settings["passRoles"] = [f"arn:aws:iam::{os.environ['ACCOUNT']}:role/app-*"]
settings["binaries"] = os.environ["BINARIES"]
settings["architecture"] = os.environ["ARCHITECTURE"]
settings["pollInterval"] = "1s"
settings["rolloutTimeout"] = "60s"
with open("ecr-deploy.json", "w") as file:
    json.dump(settings, file)
EOF
"#;

#[test]
fn the_commands_of_the_page_install_a_stack_that_deploys_a_push_of_which_no_trail_tells() {
    run(installed_and_pushed());
}

async fn installed_and_pushed() {
    let aws = LocalAws::start(&Options {
        simulated_ecs: Some(simulated_ecs::Settings::default()),
        ..Options::default()
    })
    .unwrap();
    let binaries = aws.functions().unwrap();
    let checkout = tempfile::tempdir().unwrap();
    // With what is not committed yet, and without what .gitignore names: no packages, nothing compiled.
    let copied = Command::new("bash")
        .args(["-euo", "pipefail", "-c"])
        .arg("git ls-files -z --cached --others --exclude-standard --deduplicate | xargs -0 cp --parents -t \"$0\"")
        .arg(checkout.path())
        .current_dir(tools::workspace())
        .status()
        .unwrap();
    assert!(copied.success());

    let mut script = String::new();
    for block in blocks("CONTRIBUTING.md", "install") {
        script += &block;
        if block.contains("ecr-deploy.example.json") {
            script += EDIT;
        }
    }
    assert!(script.contains(EDIT), "no settings file is made");
    let binaries = binaries.to_string_lossy();
    // Nobody is there whom the CDK could ask.
    let variables = [
        ("CDK_REQUIRE_APPROVAL", "never"),
        ("ACCOUNT", ACCOUNT),
        ("BINARIES", &binaries),
        (
            "ARCHITECTURE",
            if cfg!(target_arch = "aarch64") {
                "arm64"
            } else {
                "x86_64"
            },
        ),
    ];
    shell(&aws, checkout.path(), &script, &variables);

    let output = |name: &str| {
        let query = format!(
            "aws cloudformation describe-stacks --stack-name ecr-deploy --output text \
             --query \"Stacks[0].Outputs[?OutputKey=='{name}'].OutputValue\""
        );
        shell(&aws, checkout.path(), &query, &[]).trim().to_owned()
    };
    let stack = Stack {
        topic: None,
        push: output("PushArn"),
        deploy_image: output("DeployImageArn"),
        deploy_service: output("DeployServiceArn"),
        sweep: output("SweepArn"),
        hold_parameter: output("HoldParameter"),
        dead_letter_queue: output("DeadLetterQueueUrl"),
        // Nobody uses the command here.
        reader: String::new(),
        operator: String::new(),
    };
    let it = Deployed { aws, stack };
    let image = it.repository("shop/web").await;
    it.cluster("production").await;
    it.register("web", &[("web", &image)]).await;
    it.service("production", "web", "web", PLAIN).await;
    it.stable("production", "web").await;
    it.aws.push("shop/web", "v2", Healthy).await.unwrap();

    let push = it.pushes("shop/web", 2).await.remove(1);

    assert_eq!(push.input["detail-type"], "ECR Image Action");
    assert_eq!(outcomes(summary(&push)), [("web".to_owned(), "DEPLOYED".to_owned())]);
    assert_eq!(
        it.service_images("production", "web").await,
        [it.aws.image("shop/web", "v2")]
    );
}

/// Two stacks of different names in one account and region, each for a cluster of its own.
#[test]
fn two_stacks_work_side_by_side() {
    run(async {
        let aws = LocalAws::start(&Options {
            simulated_ecs: Some(simulated_ecs::Settings::default()),
            ..Options::default()
        })
        .unwrap();
        let deploy = |name: &str, cluster: &str| {
            let settings = Settings::default()
                .with("clusters", cluster)
                .with("scanFamilies", "false");
            aws.deploy(&settings.with("stackName", name)).unwrap()
        };
        let staging = deploy("ecr-deploy-staging", "staging");
        let production = deploy("ecr-deploy", "production");
        assert_ne!(staging.deploy_image, production.deploy_image);
        let it = Deployed { aws, stack: production };
        let image = it.repository("shop/web").await;
        for cluster in ["staging", "production"] {
            it.cluster(cluster).await;
            let family = format!("web-{cluster}");
            it.register(&family, &[("web", &image)]).await;
            it.service(cluster, cluster, &family, PLAIN).await;
            it.stable(cluster, cluster).await;
        }

        it.aws.push("shop/web", "v2", Healthy).await.unwrap();

        let of_production = it.pushes("shop/web", 2).await.remove(1);
        let Deployed { aws, .. } = it;
        let it = Deployed { aws, stack: staging };
        let of_staging = it.pushes("shop/web", 2).await.remove(1);
        for (push, cluster) in [(&of_staging, "staging"), (&of_production, "production")] {
            assert_eq!(outcomes(summary(push)), [(cluster.to_owned(), "DEPLOYED".to_owned())]);
            assert_eq!(
                it.service_images(cluster, cluster).await,
                [it.aws.image("shop/web", "v2")]
            );
        }
    });
}
