//! `sweep`.

use crate::support::Person::{Operator, Reader};
use crate::support::{INSTALLED, run};
use ecr_deploy_cli::commands::Swept;
use std::time::Duration;

#[test]
fn a_sweep_tells_which_service_misses_which_image_and_an_operator_may_start_one() {
    run(async {
        let it = &*INSTALLED;
        it.services_before("sweep/web", "web", &["sweep"], Duration::from_hours(3))
            .await;
        let ago = Duration::from_hours(2);
        it.aws.push_before("sweep/web", "v2", ago).unwrap();

        it.types(Operator, "sweep --report").ended(0).says(&[
            "SERVICE",
            "RUNS",
            "MISSES",
            "sweep/web",
            "rest",
            "sweep-web:1",
            "sweep/web:v2",
            "UNRECORDED",
            "run ecr-deploy deploy sweep/web:v2.",
            "a push.",
        ]);

        // It is nothing that a sweep deploys by itself.
        let swept: Swept = it.types(Operator, "sweep --output json").ended(0).document();
        let missed: Vec<_> = swept.missed.iter().filter(|it| it.cluster == "sweep").collect();
        assert_eq!(missed.len(), 1, "{swept:#?}");
        assert_eq!((missed[0].why.as_str(), missed[0].deployed), ("UNRECORDED", false));
        assert!(swept.started.is_empty(), "{swept:#?}");
        let service = it.aws.describe_service("sweep", "web").await.unwrap();
        assert!(service.task_definition().unwrap().ends_with(":1"));

        let refused = it.types(Reader, "sweep").ended(1);
        assert!(refused.notes.contains("AccessDenied"), "{}", refused.notes);
    });
}
