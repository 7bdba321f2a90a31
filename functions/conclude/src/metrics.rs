//! The metrics of an end, in the embedded metric format of `CloudWatch`: one line of the log, and no call.
//!
//! The line has the cluster, the service, the image and the message too, for queries over the log; they are no dimensions, since each
//! combination of dimensions is a metric of its own that is paid for. A metric is written only where there is something
//! to tell, so an installation that deploys nothing pays for none.
//!
//! See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use ecr_deploy::contract::{PushState, ServiceEnd, ServiceState, ServiceSummary};
use ecr_deploy::domain::push::PushedImage;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "ecr-deploy";

/// The one dimension: the state machine whose execution ended, which tells one stack from another.
const DIMENSION: &str = "StateMachine";

/// The line of one service's end; `None` where nothing was done.
///
/// `PushToStable` is in seconds from the push: what a change takes until it runs. `Restore` is in seconds from the begin
/// of a deployment that failed until the service was back on its last good revision.
#[must_use]
pub fn of_service(end: &ServiceEnd, summary: &ServiceSummary, execution: &str, now: Timestamp) -> Option<Value> {
    let since_push = u64::try_from(now.duration_since(end.image.push.at()).as_secs()).unwrap_or_default();
    let metrics: &[(&str, &str, u64)] = match summary.state {
        ServiceState::Deployed => &[
            ("ServicesDeployed", "Count", 1),
            ("PushToStable", "Seconds", since_push),
        ],
        ServiceState::RolledBack => &[
            ("ServicesRolledBack", "Count", 1),
            ("Restore", "Seconds", summary.seconds),
        ],
        ServiceState::Failed => &[("ServicesFailed", "Count", 1)],
        ServiceState::Superseded => &[("ServicesSuperseded", "Count", 1)],
        _ => return None,
    };
    let mut line = line(execution, now, metrics)?;
    line["cluster"] = json!(end.cluster);
    line["service"] = json!(end.service);
    line["image"] = json!(end.image.to_string());
    line["state"] = json!(summary.state);
    line["error"] = json!(summary.error);
    line["message"] = json!(summary.message);
    Some(line)
}

/// The line of a push's end; `None` where nothing was to be deployed.
#[must_use]
pub fn of_push(
    state: PushState,
    image: Option<&PushedImage>,
    error: Option<&str>,
    execution: &str,
    now: Timestamp,
) -> Option<Value> {
    let name = match state {
        PushState::Deployed => "PushesDeployed",
        PushState::Failed => "PushesFailed",
        PushState::Stopped => "PushesStopped",
        PushState::Superseded => "PushesSuperseded",
        PushState::Held => "PushesHeld",
        PushState::Started | PushState::Skipped => return None,
    };
    let mut line = line(execution, now, &[(name, "Count", 1)])?;
    line["image"] = json!(image.map(ToString::to_string));
    line["state"] = json!(state);
    line["error"] = json!(error);
    Some(line)
}

fn line(execution: &str, now: Timestamp, metrics: &[(&str, &str, u64)]) -> Option<Value> {
    // arn:aws:states:eu-west-1:123456789012:execution:<state machine>:<name>
    let state_machine = execution.split(':').nth(6)?;
    let told: Vec<Value> = metrics
        .iter()
        .map(|(name, unit, _)| json!({"Name": name, "Unit": unit}))
        .collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": told});
    let mut line = json!({
        "_aws": {"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive]},
        DIMENSION: state_machine,
        "execution": execution,
    });
    for (name, _, value) in metrics {
        line[name] = json!(value);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sum_up::sum_up_service;
    use ecr_deploy::contract::Conclude;
    use ecr_deploy::testing::pushed;

    const EXECUTION: &str =
        "arn:aws:states:eu-west-1:123456789012:execution:ecr-deploy-DeployService:web-v1-6f1c2a9b3d-0";

    fn example(name: &str) -> Value {
        let path = format!("{}/../../statemachine/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// 94 seconds after the push of the examples.
    fn now() -> Timestamp {
        "2018-03-18T00:01:34Z".parse().unwrap()
    }

    fn of_example(name: &str) -> Value {
        let Conclude::Service(end) = serde_json::from_value(example(name)).unwrap() else {
            panic!("{name} is of no service")
        };
        let summary = sum_up_service(&end, "2018-03-18T00:00:04Z".parse().unwrap(), now());
        of_service(&end, &summary, EXECUTION, now()).unwrap()
    }

    /// The metrics that `CloudWatch` makes of a line: each with its unit and value. Panics where it would make nothing of it.
    fn read(line: &Value) -> Vec<(String, String, u64)> {
        assert!(line["_aws"]["Timestamp"].is_i64() || line["_aws"]["Timestamp"].is_u64());
        let [directive] = &line["_aws"]["CloudWatchMetrics"].as_array().unwrap()[..] else {
            panic!("{line}")
        };
        assert_eq!(directive["Namespace"], NAMESPACE);
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(line[dimension.as_str().unwrap()].is_string(), "{line}");
        }
        let metrics = directive["Metrics"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        metrics
            .map(|it| {
                (
                    text(&it["Name"]),
                    text(&it["Unit"]),
                    line[it["Name"].as_str().unwrap()].as_u64().unwrap(),
                )
            })
            .collect()
    }

    fn metric(name: &str, unit: &str, value: u64) -> (String, String, u64) {
        (name.to_owned(), unit.to_owned(), value)
    }

    #[test]
    fn a_service_counts_by_its_state_and_tells_the_time_from_its_push() {
        assert_eq!(
            read(&of_example("conclude-service")),
            [
                metric("ServicesDeployed", "Count", 1),
                metric("PushToStable", "Seconds", 94)
            ]
        );
        assert_eq!(
            read(&of_example("conclude-service.rolled-back")),
            [
                metric("ServicesRolledBack", "Count", 1),
                metric("Restore", "Seconds", 90)
            ]
        );
        assert_eq!(
            read(&of_example("conclude-service.rollback-failed")),
            [metric("ServicesFailed", "Count", 1)]
        );
    }

    #[test]
    fn a_line_tells_whose_it_is_beside_its_one_dimension() {
        let line = of_example("conclude-service");
        assert_eq!(line["StateMachine"], "ecr-deploy-DeployService");
        assert_eq!(
            [
                &line["cluster"],
                &line["service"],
                &line["image"],
                &line["state"],
                &line["execution"]
            ],
            ["production", "web", "busybox:v1", "DEPLOYED", EXECUTION]
        );
        let message = of_example("conclude-service.rolled-back")["message"].clone();
        assert!(message.as_str().unwrap().contains("did not become stable"), "{message}");
    }

    #[test]
    fn a_push_counts_by_its_state() {
        let of = |state| of_push(state, Some(&pushed(2)), Some("Deploy.ServicesFailed"), EXECUTION, now());
        for (state, name) in [
            (PushState::Deployed, "PushesDeployed"),
            (PushState::Failed, "PushesFailed"),
            (PushState::Stopped, "PushesStopped"),
            (PushState::Superseded, "PushesSuperseded"),
            (PushState::Held, "PushesHeld"),
        ] {
            let line = of(state).unwrap();
            assert_eq!(read(&line), [metric(name, "Count", 1)]);
            assert_eq!(
                (&line["image"], &line["error"]),
                (&json!("app:v2"), &json!("Deploy.ServicesFailed"))
            );
        }
        assert_eq!(of(PushState::Started), None);
        assert_eq!(of(PushState::Skipped), None, "nothing was to be deployed");
    }

    #[test]
    fn a_service_that_was_there_before_is_no_deployment() {
        let mut end = example("conclude-service");
        end["update"]["outcome"] = json!("ALREADY_DEPLOYED");
        let Conclude::Service(end) = serde_json::from_value(end).unwrap() else {
            unreachable!()
        };
        let summary = sum_up_service(&end, now(), now());
        assert_eq!(of_service(&end, &summary, EXECUTION, now()), None);
    }
}
