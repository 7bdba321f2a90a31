//! Where an installation is and by which settings it decides, as its stack says in one SSM parameter: see
//! `cdk/lib/installation.ts`.

use crate::error::Error;
use ecr_deploy::function::config::Config;
use serde::Deserialize;

/// An installation.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Installation {
    /// The ARN of the state machine that starts [`Installation::deploy_image`] for an event.
    pub push: String,
    /// The ARN of the state machine with one execution for each push.
    pub deploy_image: String,
    /// The ARN of the state machine with one execution for each service of a push.
    pub deploy_service: String,
    /// The ARN of the state machine that finds missed pushes; `None` where an older version installed it.
    #[serde(default)]
    pub sweep: Option<String>,
    /// The name of the SSM parameter that keeps everything as it is, while it is there.
    pub hold_parameter: String,
    /// The URL of the queue with the events that could not start an execution.
    pub dead_letter_queue_url: String,
    /// The setting `trigger`; `None` where an older version installed it.
    #[serde(default)]
    pub trigger: Option<String>,
    /// The setting `passRoles`; `None` where an older version installed it, or where they have no room.
    #[serde(default)]
    pub pass_roles: Option<Vec<String>>,
    /// The settings of the functions.
    pub settings: Config,
}

/// The name of the parameter of a stack.
#[must_use]
pub fn parameter(stack: &str) -> String {
    format!("/ecr-deploy/{stack}/installation")
}

impl Installation {
    /// Reads the text of the parameter.
    ///
    /// # Errors
    ///
    /// [`Error::OtherVersion`] that names the member which is missing, unknown or cannot be read.
    pub fn parse(stack: &str, text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map_err(|problem| Error::other_version(format_args!("the parameter {}", parameter(stack)), problem))
    }

    /// The ARN of the execution of a state machine that has this name.
    #[must_use]
    pub fn execution(machine: &str, name: &str) -> String {
        format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_not_known_or_is_missing_names_the_versions() {
        for (text, member) in [(r#"{"pull": ""}"#, "`pull`"), ("{}", "`push`")] {
            let error = Installation::parse("shop", text).unwrap_err();
            assert_eq!(error.name(), "Command.OtherVersion");
            assert!(error.to_string().contains(member), "{error}");
            assert!(error.to_string().contains("/ecr-deploy/shop/installation"), "{error}");
        }
    }

    #[test]
    fn an_execution_is_found_by_its_name() {
        let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:DeployImage-1";
        let expected = "arn:aws:states:eu-west-1:123456789012:execution:DeployImage-1:shop-web-v2-1";
        assert_eq!(Installation::execution(machine, "shop-web-v2-1"), expected);
    }
}
