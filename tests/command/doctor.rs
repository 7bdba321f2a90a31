//! `doctor`: on an installation of its own, since it tells of everything in the account.

use crate::support::Person::{Administrator, Operator, Reader};
use crate::support::{Installed, run};
use ecr_deploy_cli::commands::Doctor;
use ecr_deploy_cli::health::Level;
use simulated_ecs::Seed;

/// The findings as `LEVEL check`, the gravest first.
fn found(doctor: &Doctor) -> Vec<String> {
    let line = |it: &ecr_deploy_cli::health::Finding| format!("{} {}", it.level.name(), it.check);
    doctor.findings.iter().map(line).collect()
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
        let expected = ["ERROR images", "ERROR installation", "NOTE roles"];
        assert_eq!(found(&before), expected, "{before:#?}");
    });
}
