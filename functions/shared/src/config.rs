//! The settings, as the construct hands them to every function in its environment: read once, when a function starts.

use crate::arn::ClusterName;
use crate::error::Error;
use crate::image::RepositoryName;
use crate::task_definition::ImageForm;
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// The settings of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `CLUSTERS`: the clusters whose services are deployed to, separated by commas; empty means all.
    pub clusters: Vec<ClusterName>,
    /// `REPOSITORIES`: the repositories whose pushes are deployed, separated by commas; empty means all but those that no
    /// one pushes to on purpose.
    pub repositories: Vec<RepositoryName>,
    /// `DEPLOY_LATEST`: whether a push of the tag `latest` is deployed.
    pub deploy_latest: bool,
    /// `TAG_LATEST`: whether an image gets the tag `latest` once every service is stable on it.
    pub tag_latest: bool,
    /// `IMAGE_REFERENCE`: how a new revision names the image, `tag` or `digest`.
    pub image_reference: ImageForm,
    /// `SCAN_FAMILIES`: whether families without a service get a new revision too.
    pub scan_families: bool,
    /// `ROLLOUT_TIMEOUT_SECONDS`: how long a rollout, or a rollback, may take.
    pub rollout_timeout: SignedDuration,
    /// `POLL_INTERVAL_SECONDS`: how long to wait at least between two looks at a rollout.
    pub poll_interval: SignedDuration,
}

/// The settings of an installation that sets none: all clusters, images by tag, families too, half an hour for a rollout.
/// The construct hands over each of them; nothing falls back to these.
impl Default for Config {
    fn default() -> Self {
        Self {
            clusters: Vec::new(),
            repositories: Vec::new(),
            deploy_latest: false,
            tag_latest: false,
            image_reference: ImageForm::Tag,
            scan_families: true,
            rollout_timeout: SignedDuration::from_mins(30),
            poll_interval: SignedDuration::from_secs(15),
        }
    }
}

impl Config {
    /// Reads the settings; `variable` looks one up by its name.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput` that names the setting which is missing or cannot be read. Nothing falls back in silence.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let text = |name: &str| {
            variable(name)
                .ok_or_else(|| Error::InvalidInput(format!("the setting {name} is missing in the environment")))
        };
        let refuse = |name: &str, value: &str, expected: &str| {
            Error::invalid_input(format_args!("the setting {name} is {value:?}; it should be {expected}"))
        };
        let flag = |name: &str| match text(name)?.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(refuse(name, other, "true or false")),
        };
        let seconds = |name: &str| {
            let value = text(name)?;
            let seconds = value.parse::<u32>().ok().filter(|seconds| *seconds > 0);
            seconds
                .map(|seconds| SignedDuration::from_secs(seconds.into()))
                .ok_or_else(|| refuse(name, &value, "a number of seconds above 0"))
        };
        let clusters = text("CLUSTERS")?;
        let names = clusters.split(',').filter(|_| !clusters.is_empty());
        let names: Result<Vec<ClusterName>, _> = names.map(|name| name.trim().parse()).collect();
        // A cluster that is named twice would have each of its services deployed twice at once.
        let is_distinct = |names: &Vec<ClusterName>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
        let repositories = text("REPOSITORIES")?;
        let listed = repositories.split(',').filter(|_| !repositories.is_empty());
        let listed: Result<Vec<RepositoryName>, _> = listed.map(|name| name.trim().parse()).collect();
        let config = Self {
            clusters: names
                .ok()
                .filter(is_distinct)
                .ok_or_else(|| refuse("CLUSTERS", &clusters, "cluster names separated by commas, each once"))?,
            repositories: listed
                .map_err(|_| refuse("REPOSITORIES", &repositories, "repository names separated by commas"))?,
            deploy_latest: flag("DEPLOY_LATEST")?,
            tag_latest: flag("TAG_LATEST")?,
            image_reference: match text("IMAGE_REFERENCE")?.as_str() {
                "tag" => ImageForm::Tag,
                "digest" => ImageForm::Digest,
                other => return Err(refuse("IMAGE_REFERENCE", other, "tag or digest")),
            },
            scan_families: flag("SCAN_FAMILIES")?,
            rollout_timeout: seconds("ROLLOUT_TIMEOUT_SECONDS")?,
            poll_interval: seconds("POLL_INTERVAL_SECONDS")?,
        };
        if config.deploy_latest && config.tag_latest {
            return Err(Error::InvalidInput(
                "DEPLOY_LATEST and TAG_LATEST are both true: every image would be deployed a second time as latest; choose one"
                    .to_owned(),
            ));
        }
        Ok(config)
    }

    /// Reads the settings from the environment of the process.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn from_env() -> Result<Self, Error> {
        Self::read(|name| std::env::var(name).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: [(&str, &str); 8] = [
        ("CLUSTERS", "production, staging"),
        ("REPOSITORIES", "shop/web, shop__api"),
        ("DEPLOY_LATEST", "false"),
        ("TAG_LATEST", "true"),
        ("IMAGE_REFERENCE", "digest"),
        ("SCAN_FAMILIES", "true"),
        ("ROLLOUT_TIMEOUT_SECONDS", "1800"),
        ("POLL_INTERVAL_SECONDS", "15"),
    ];

    fn read(change: (&str, Option<&str>)) -> Result<Config, Error> {
        Config::read(|name| match change {
            (changed, value) if changed == name => value.map(str::to_owned),
            _ => SETTINGS
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned()),
        })
    }

    #[test]
    fn every_setting_is_read() {
        let config = read(("", None)).unwrap();
        assert_eq!(
            config.clusters.iter().map(ClusterName::as_str).collect::<Vec<_>>(),
            ["production", "staging"]
        );
        assert_eq!(
            (config.deploy_latest, config.tag_latest, config.scan_families),
            (false, true, true)
        );
        assert_eq!(config.image_reference, ImageForm::Digest);
        assert_eq!(config.rollout_timeout, SignedDuration::from_mins(30));
        assert_eq!(config.poll_interval, SignedDuration::from_secs(15));
        assert!(read(("CLUSTERS", Some(""))).unwrap().clusters.is_empty());
        assert_eq!(
            config
                .repositories
                .iter()
                .map(RepositoryName::as_str)
                .collect::<Vec<_>>(),
            ["shop/web", "shop__api"]
        );
        assert!(read(("REPOSITORIES", Some(""))).unwrap().repositories.is_empty());
    }

    #[test]
    fn a_setting_that_is_missing_or_unreadable_is_named() {
        for (name, _) in SETTINGS {
            let error = read((name, None)).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            let error = read((name, Some("?"))).unwrap_err();
            assert!(
                error.to_string().contains(name) && error.to_string().contains("\"?\""),
                "{error}"
            );
        }
        assert!(read(("CLUSTERS", Some("a,,b"))).is_err());
        let twice = "production,arn:aws:ecs:eu-west-1:123456789012:cluster/production";
        assert!(
            read(("CLUSTERS", Some(twice)))
                .unwrap_err()
                .to_string()
                .contains("each once")
        );
        assert!(read(("ROLLOUT_TIMEOUT_SECONDS", Some("0"))).is_err());
        assert!(read(("POLL_INTERVAL_SECONDS", Some("0"))).is_err());
    }

    #[test]
    fn deploying_and_putting_latest_exclude_each_other() {
        assert!(
            read(("DEPLOY_LATEST", Some("true")))
                .unwrap_err()
                .to_string()
                .contains("choose one")
        );
    }
}
