//! Where the log of a task's container is, with the log driver `awslogs`
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html>).

use super::TaskDefinition;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// A stream of `CloudWatch` Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// Its group, `/ecs/web`.
    pub group: String,
    /// Its name, `prefix/container/task`.
    pub name: String,
    /// Its region, where that is not the one of the task.
    pub other_region: Option<String>,
}

impl fmt::Display for LogStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "log stream {} of log group {}", self.name, self.group)?;
        match &self.other_region {
            Some(region) => write!(formatter, " in {region}"),
            None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogConfiguration {
    log_driver: String,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

impl TaskDefinition {
    /// The log stream of a `container` in the `task` with this id. `None` where the container has another log driver, or the stream
    /// no prefix: on EC2 its name is then the id that Docker gives the container.
    #[must_use]
    pub fn log_stream(&self, container: &str, task: &str) -> Option<LogStream> {
        let configuration = self.container(container)?.members.get("logConfiguration")?;
        let configuration: LogConfiguration = serde_json::from_str(configuration.get()).ok()?;
        let option = |name: &str| configuration.options.get(name).filter(|value| !value.is_empty());
        let prefix = option("awslogs-stream-prefix")?;
        let region = option("awslogs-region").filter(|region| *region != self.arn().region());
        (configuration.log_driver == "awslogs").then_some(LogStream {
            group: option("awslogs-group")?.clone(),
            name: format!("{prefix}/{container}/{task}"),
            other_region: region.cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{definition, described};
    use serde_json::{Value, json};

    #[test]
    fn the_log_stream_of_a_container_is_named_by_prefix_container_and_task() {
        let stream = |configuration: Value, container: &str| {
            let mut revision = described("web:1", "app:v1", &[]);
            revision["taskDefinition"]["containerDefinitions"][0]["logConfiguration"] = configuration;
            let stream = definition(&revision).log_stream(container, "3f2a");
            stream.map(|stream| stream.to_string())
        };
        let awslogs = |options: Value| json!({"logDriver": "awslogs", "options": options});
        let whole = json!({"awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "app"});
        assert_eq!(
            stream(awslogs(whole.clone()), "web").as_deref(),
            Some("log stream app/web/3f2a of log group /ecs/web")
        );
        let mut elsewhere = whole.clone();
        elsewhere["awslogs-region"] = json!("us-east-1");
        assert_eq!(
            stream(awslogs(elsewhere), "web").as_deref(),
            Some("log stream app/web/3f2a of log group /ecs/web in us-east-1")
        );
        for (configuration, container) in [
            (awslogs(whole.clone()), "sidecar"),
            (awslogs(json!({"awslogs-group": "/ecs/web"})), "web"),
            (
                awslogs(json!({"awslogs-group": "/ecs/web", "awslogs-stream-prefix": ""})),
                "web",
            ),
            (awslogs(json!({"awslogs-stream-prefix": "app"})), "web"),
            (json!({"logDriver": "awslogs"}), "web"),
            (json!({"logDriver": "awsfirelens", "options": whole}), "web"),
            (json!("awslogs"), "web"),
        ] {
            assert_eq!(stream(configuration.clone(), container), None, "{configuration}");
        }
        assert_eq!(
            definition(&described("web:1", "app:v1", &[])).log_stream("web", "3f2a"),
            None
        );
    }
}
