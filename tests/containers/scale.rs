//! More services and more families than one page of any list holds.

use crate::support::{PLAIN, STANDARD, Setup, TAG_LATEST_BY_DIGEST, outcomes, run, summary};
use futures::future::join_all;
use local_aws::images::Behaviour::Healthy;
use serde_json::{Value, json};
use std::time::Duration;

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

/// As many as wait at the service, all reads together are bounded: the steps learn it from Step Functions' own list.
#[test]
fn the_more_services_other_pushes_wait_for_the_later_each_is_read() {
    run(async {
        let it = &*TAG_LATEST_BY_DIGEST;
        let web = it.repository("crowd/web").await;
        it.cluster("crowd").await;
        it.register("crowd", &[("web", &web)]).await;
        let no_tasks = Setup { desired: 0, ..PLAIN };
        for number in 1..=5 {
            it.service("crowd", &format!("crowd-{number}"), "crowd", no_tasks).await;
        }
        // A hundred executions of deploy-service that are running, and do nothing but wait.
        let waits = json!({
            "image": {}, "cluster": "elsewhere", "service": "web", "taskDefinition": null, "source": null, "again": false,
            "repeated": false, "services": 1, "at": "2199-01-01T00:00:00Z",
        });
        let sfn = it.aws.sfn();
        let start = || {
            let start = sfn.start_execution().state_machine_arn(&it.stack.deploy_service);
            start.input(waits.to_string()).send()
        };
        let crowd = join_all((0..100).map(|_| start())).await;
        // A function that is warm knows an older count for ten seconds.
        local_aws::pause(Duration::from_secs(11)).await;

        it.aws.push("crowd/web", "v2", Healthy).await.unwrap();
        let push = it.pushes("crowd/web", 2).await.remove(1);

        let mut told = Vec::new();
        for child in it.children(&push).await {
            let history = it.aws.history(&child.arn).await.unwrap();
            let exited = history.into_iter().filter_map(|event| event.state_exited_event_details);
            let updated = exited.filter(|details| details.name == "Update service");
            told.extend(updated.map(|details| {
                let output: Value = serde_json::from_str(&details.output.unwrap_or_default()).unwrap();
                output["Payload"]["wait"].as_u64().unwrap()
            }));
        }
        for waiting in crowd {
            let waiting = waiting.unwrap().execution_arn;
            sfn.stop_execution().execution_arn(waiting).send().await.unwrap();
        }
        // Alone, each of the five is read after the interval of a second that is set here; of a hundred, each once in 30.
        assert_eq!(told.len(), 5, "{push:#?}");
        assert!(told.iter().any(|wait| *wait > 1), "{told:?}");
    });
}
