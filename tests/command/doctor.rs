//! `doctor`: on an installation of its own, since it tells of everything in the account.

use crate::support::Person::{Administrator, Operator, Reader, ReaderBy};
use crate::support::{Installed, run};
use ecr_deploy_cli::commands::Doctor;
use ecr_deploy_cli::health::Level;
use local_aws::{ACCOUNT, REGION};
use serde_json::json;
use simulated_ecs::Seed;

/// The findings as `LEVEL check`, the gravest first.
fn found(doctor: &Doctor) -> Vec<String> {
    let line = |it: &ecr_deploy_cli::health::Finding| format!("{} {}", it.level.name(), it.check);
    doctor.findings.iter().map(line).collect()
}

#[track_caller]
fn assert_says(doctor: &Doctor, check: &str, says: &str) {
    let mut lines = found(doctor).into_iter().zip(&doctor.findings);
    let is_there = lines.any(|(line, it)| line == check && it.message.contains(says));
    assert!(is_there, "no {check} with {says:?}: {doctor:#?}");
}

#[test]
fn the_doctor_finds_what_would_keep_a_push_from_being_deployed() {
    run(async {
        let it = &Installed::anew();
        let mut digest = String::new();
        for cluster in ["shop-staging", "shop-production"] {
            it.aws.create_repository(cluster).await.unwrap();
            digest = it.aws.push_simulated(cluster, "v1", None).unwrap().digest;
            let seed = Seed {
                cluster: cluster.to_owned(),
                service_name: "web".to_owned(),
                family: Some(format!("{cluster}-web")),
                image: Some(it.aws.image(cluster, "v1")),
                ..Seed::default()
            };
            it.aws
                .simulated_ecs()
                .unwrap()
                .with(|ecs, now| ecs.seed(now, &seed))
                .unwrap();
        }

        // The events come by a trail.
        it.types(Reader, "doctor")
            .ended(8)
            .says(&["ERROR", "trails", "CloudTrail covers this region"]);
        it.trail();
        it.aws.cli(&["cloudtrail", "stop-logging", "--name", "all"]).unwrap();
        let stopped = it.types(Reader, "doctor --output json").ended(8).document();
        assert_says(&stopped, "ERROR trails", "the trail all is switched off");
        it.aws.cli(&["cloudtrail", "start-logging", "--name", "all"]).unwrap();

        // As one who may only read. Stages that own nothing and mutable tags keep nothing from being deployed.
        it.types(Reader, "doctor").ended(0).says(&[
            "LEVEL",
            "the stage rest owns no service",
            "Fix: correct what it selects",
            "tags can be pushed over in shop-production",
            "2 services run an image of this account's ECR. 0 errors, 1 warning",
        ]);

        let roles = "doctor --pass-role arn:aws:iam::123456789012:role/app-t* --output json";
        let ill: Doctor = it.types(Reader, roles).ended(8).document();
        let [first, ..] = ill.findings.as_slice() else {
            panic!("{ill:?}")
        };
        assert_eq!((first.level, first.check.as_str()), (Level::Error, "roles"));
        assert!(
            first.message.contains("role/app-execution is not in passRoles"),
            "{first:?}"
        );
        assert_eq!(first.services, ["shop-production/web", "shop-staging/web"]);
        assert_eq!(ill.unread, Vec::<String>::new());

        scheduled(it).await;
        it.types(Reader, "doctor").ended(0).says(&["0 errors, 4 warnings"]);
        let warned = it.types(Reader, "doctor --output json").ended(0).document();
        for (check, says) in [
            (
                "WARNING schedules",
                "the schedule default/nightly runs report:1 with shop-staging",
            ),
            (
                "WARNING schedules",
                "the rule weekly runs report:1 with shop-staging, and no push moves it",
            ),
            ("WARNING quotas", "functions of Lambda that run at once is 1 here"),
        ] {
            assert_says(&warned, check, says);
        }

        reads_on_where_a_call_is_refused(it);

        // A lifecycle policy has archived the image that production runs.
        it.aws
            .simulated_ecs()
            .unwrap()
            .with(|ecs, _| ecs.archive("shop-production", &digest, true));
        it.says_to(Operator, &["hold", "--all", "--why", "audit"]).ended(0);
        it.types(Reader, "doctor").ended(8).says(&[
            "ERROR",
            "images",
            "which is archived",
            "everything is on hold: root - audit",
        ]);

        // Before installing: nothing of that name is there, and nobody knows the roles.
        let before = it.types(Administrator, "doctor --stack other --output json").ended(8);
        let before: Doctor = before.document();
        let expected = [
            "ERROR images",
            "ERROR installation",
            "WARNING quotas",
            "WARNING schedules",
            "WARNING schedules",
            "NOTE roles",
        ];
        assert_eq!(found(&before), expected, "{before:#?}");
    });
}

/// As one who may read services, and nothing of the account around them nor one of the repositories.
fn reads_on_where_a_call_is_refused(it: &Installed) {
    let of_stack = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/*");
    let staging = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/shop-staging");
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Parameters", "Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:GetParameters"], "Resource": of_stack},
        {"Sid": "Executions", "Effect": "Allow", "Action": "states:ListExecutions", "Resource": "*"},
        {"Sid": "Services", "Effect": "Allow", "Action": [
            "ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices", "ecs:DescribeTaskDefinition"
        ], "Resource": "*"},
        {"Sid": "Images", "Effect": "Allow", "Action": ["ecr:DescribeImages", "ecr:DescribeRepositories"], "Resource": staging},
    ]});
    it.allow("ReadersOfServices", &document);
    let doctor: Doctor = it
        .types(ReaderBy("ReadersOfServices"), "doctor --output json")
        .ended(0)
        .document();
    assert_eq!(doctor.services, 2);
    assert_eq!(found(&doctor), ["WARNING stages", "NOTE mutable"], "{doctor:#?}");
    for (what, action) in [
        ("shop-production", "ecr:Describe"),
        ("trails", "cloudtrail:DescribeTrails"),
        ("quotas", "servicequotas:ListServiceQuotas"),
        ("schedules", "scheduler:ListSchedules"),
        ("rules", "events:ListRuleNamesByTarget"),
    ] {
        let mut told = doctor.unread.iter();
        let is_told = told.any(|it| it.starts_with(&format!("{what}: ")) && it.contains(action));
        assert!(is_told, "nothing tells that {what} could not be read: {doctor:#?}");
    }
}

/// A schedule and a rule that name a revision, one that names its family, and an account that is new.
async fn scheduled(it: &Installed) {
    let image = it.aws.image("shop-staging", "v1");
    let revision = it.aws.register("report", &[("report", &image)]).await.unwrap();
    let cluster = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/shop-production");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/schedules");
    let target = |task_definition: &str| {
        let task = json!({"TaskDefinitionArn": task_definition});
        json!({"Id": "1", "Arn": cluster, "RoleArn": role, "EcsParameters": task})
    };
    for (name, task_definition) in [("nightly", revision.as_str()), ("hourly", "report")] {
        let mut target = target(task_definition);
        target.as_object_mut().unwrap().remove("Id");
        let named = ["scheduler", "create-schedule", "--name", name];
        let when = [
            "--schedule-expression",
            "rate(1 day)",
            "--flexible-time-window",
            "Mode=OFF",
        ];
        it.aws
            .cli(&[&named[..], &when, &["--target", &target.to_string()]].concat())
            .unwrap();
    }
    let weekly = [
        "events",
        "put-rule",
        "--name",
        "weekly",
        "--schedule-expression",
        "rate(7 days)",
    ];
    it.aws.cli(&weekly).unwrap();
    let targets = json!([target(&revision)]).to_string();
    it.aws
        .cli(&["events", "put-targets", "--rule", "weekly", "--targets", &targets])
        .unwrap();
    it.aws.set_quota("L-B99A9384", 1.0).unwrap();
}
