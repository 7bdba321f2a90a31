//! The last lines that a task of a service wrote before it stopped, in `CloudWatch` Logs.

use crate::calls::{Calls, LOGS};
use ecr_deploy::error::Error;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many lines are shown.
const LINES: usize = 20;
/// How many pages without a line are followed: AWS may answer one before it has found any.
const EMPTY_PAGES: usize = 5;

/// A log stream of the service's own containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogPlace {
    /// Its group.
    pub group: String,
    /// Its name.
    pub stream: String,
    /// Its region.
    pub region: String,
}

/// The log of the first task that crashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Where it is.
    pub place: LogPlace,
    /// Its last lines, the oldest first.
    pub lines: Vec<LogLine>,
    /// Why there are none, where they could not be read.
    pub unread: Option<String>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// When it was written.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Its text, as the container wrote it.
    pub text: String,
}

impl LogPlace {
    /// The log stream that a message names, as [`ecr_deploy::domain::task_definition::LogStream`] writes it; `here` is the
    /// region of the service.
    #[must_use]
    pub fn of_message(message: &str, here: &str) -> Option<Self> {
        let (_, rest) = message.split_once("log stream ")?;
        let (stream, rest) = rest.split_once(" of log group ")?;
        let word = |text: &str| {
            let end = text.find([' ', ';', ',', ')']).unwrap_or(text.len());
            text[..end].to_owned()
        };
        let group = word(rest);
        let region = rest[group.len()..].strip_prefix(" in ").map(word);
        let text = |text: &str| text.trim_end_matches('.').to_owned();
        Some(Self {
            region: text(region.as_deref().unwrap_or(here)),
            group: text(&group),
            stream: stream.to_owned(),
        })
    }

    /// The resource of a permission to read its group. `of` is an ARN of the same account.
    #[must_use]
    pub fn resource(&self, of: &str) -> String {
        let part = |place| of.split(':').nth(place).unwrap_or("*");
        let (partition, account) = (part(1), part(4));
        format!(
            "arn:{partition}:logs:{}:{account}:log-group:{}:*",
            self.region, self.group
        )
    }
}

/// Reads the last lines of a log; `of` is an ARN of the same account. That they cannot be read is no error: it is told in
/// their place.
pub async fn read(calls: &Calls, place: LogPlace, of: &str) -> Log {
    let (lines, unread) = match last_lines(calls, &place).await {
        Ok(lines) if lines.is_empty() => (
            lines,
            Some("the container wrote nothing, or nothing that is kept".to_owned()),
        ),
        Ok(lines) => (lines, None),
        Err(error) => (Vec::new(), Some(why_not(&error, &place, of))),
    };
    Log { place, lines, unread }
}

async fn last_lines(calls: &Calls, place: &LogPlace) -> Result<Vec<LogLine>, Error> {
    let mut token = Value::Null;
    for _ in 0..EMPTY_PAGES {
        let mut input = json!({"logGroupName": place.group, "logStreamName": place.stream, "limit": LINES});
        if token.is_string() {
            input["nextToken"] = token.clone();
        }
        let page = calls.post(LOGS, "GetLogEvents", &place.stream, &input).await?;
        let lines: Vec<LogLine> = page["events"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(line)
            .collect();
        let next = &page["nextBackwardToken"];
        if !lines.is_empty() || *next == token || !next.is_string() {
            return Ok(lines);
        }
        token = next.clone();
    }
    Ok(Vec::new())
}

fn line(event: &Value) -> Option<LogLine> {
    Some(LogLine {
        at: Timestamp::from_millisecond(event["timestamp"].as_i64()?).ok()?,
        text: event["message"].as_str()?.trim_end().to_owned(),
    })
}

/// Why the lines are not there, and what to do about it: in one sentence.
fn why_not(error: &Error, place: &LogPlace, of: &str) -> String {
    let message = error.to_string();
    if message.contains("AccessDenied") {
        return format!(
            "you may not read them. They need the permission logs:GetLogEvents on {}; docs/cli.md, Who may use it, has the policy",
            place.resource(of)
        );
    }
    if message.contains("ResourceNotFound") {
        return format!(
            "the log group {} has no such stream in {}: the container wrote nothing, or its log is not kept so long",
            place.group, place.region
        );
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::domain::task_definition::LogStream;

    const EXECUTION: &str = "arn:aws-cn:states:eu-west-1:123456789012:execution:DeployService:web";

    #[test]
    fn a_log_stream_is_found_as_the_messages_write_it() {
        let stream = |other_region: Option<&str>| LogStream {
            group: "/ecs/web".to_owned(),
            name: "app/web/3f2a16".to_owned(),
            other_region: other_region.map(str::to_owned),
        };
        for (message, region) in [
            (format!("crashed: task 3f2a16, {}", stream(None)), "eu-west-1"),
            (
                format!("crashed: task 3f2a16, {}. It is back in time", stream(None)),
                "eu-west-1",
            ),
            (
                format!("crashed: task 3f2a16, {}; it is back", stream(None)),
                "eu-west-1",
            ),
            (
                format!("crashed: task 3f2a16, {}", stream(Some("us-east-1"))),
                "us-east-1",
            ),
            (
                format!("crashed: task 3f2a16, {}. It is back", stream(Some("us-east-1"))),
                "us-east-1",
            ),
        ] {
            let place = LogPlace::of_message(&message, "eu-west-1").unwrap();
            assert_eq!(
                (place.group.as_str(), place.stream.as_str(), place.region.as_str()),
                ("/ecs/web", "app/web/3f2a16", region),
                "{message}"
            );
        }
        assert_eq!(LogPlace::of_message("0 of 3 tasks running", "eu-west-1"), None);
    }

    #[test]
    fn who_may_not_read_a_log_is_told_which_permission_lacks() {
        let place = LogPlace {
            group: "/ecs/web".to_owned(),
            stream: "app/web/3f2a16".to_owned(),
            region: "us-east-1".to_owned(),
        };
        for (error, expected) in [
            (
                "GetLogEvents of app/web/3f2a16: AccessDeniedException: not authorized",
                "logs:GetLogEvents on arn:aws-cn:logs:us-east-1:123456789012:log-group:/ecs/web:*;",
            ),
            (
                "GetLogEvents of app/web/3f2a16: ResourceNotFoundException: no",
                "the log group /ecs/web has no such stream in us-east-1",
            ),
            ("GetLogEvents of app/web/3f2a16: Unheard: of", "Unheard: of"),
        ] {
            let why = why_not(&Error::Rejected(error.to_owned()), &place, EXECUTION);
            assert!(why.contains(expected), "{why}");
        }
    }
}
