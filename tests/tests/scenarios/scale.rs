//! More services and more families than one page of any list holds.

use crate::support::{PLAIN, STANDARD, Setup, outcomes, run, summary};
use local_aws::images::Behaviour::Healthy;

#[test]
fn over_a_hundred_services_and_over_a_hundred_families_are_found_and_deployed() {
    run(async {
        let it = &*STANDARD;
        let web = it.repository("scale/web").await;
        it.cluster("scale").await;
        // No tasks: what is shown is that every one is found and moved.
        let no_tasks = Setup { desired: 0, ..PLAIN };
        for number in 0..105 {
            it.register(&format!("scale-standalone-{number:03}"), &[("job", &web)])
                .await;
        }
        for number in 0..105 {
            let name = format!("scale-{number:03}");
            // Five services share a family.
            let family = format!("scale-family-{:03}", number / 5);
            if number % 5 == 0 {
                it.register(&family, &[("web", &web)]).await;
            }
            it.service("scale", &name, &family, no_tasks).await;
        }

        it.aws.push("scale/web", "v2", Healthy).await.unwrap();
        let executions = it.pushes("scale/web", 2).await;

        let conclusion = summary(&executions[1]);
        let outcomes = outcomes(conclusion);
        assert_eq!(outcomes.len(), 105);
        assert!(
            outcomes.iter().all(|(_, outcome)| outcome == "DEPLOYED"),
            "{outcomes:?}"
        );
        assert_eq!(conclusion["families"].as_array().map(Vec::len), Some(105));
        let v2 = it.aws.image("scale/web", "v2");
        for number in [0, 52, 104] {
            assert_eq!(
                it.service_images("scale", &format!("scale-{number:03}")).await,
                [v2.as_str()]
            );
            assert_eq!(
                it.images(&format!("scale-standalone-{number:03}:2")).await,
                [v2.as_str()]
            );
        }
    });
}
