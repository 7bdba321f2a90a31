//! The settings: each is read as what it says or refused by its name, and nothing falls back in silence.

use crate::arn::cluster_name;
use crate::image::REPOSITORY;
use crate::{assert_clear, pattern};
use regex_lite::Regex;
use shared::arn::ClusterName;
use shared::config::Config;
use shared::image::RepositoryName;
use shared::task_definition::ImageForm;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

type Rule = fn(&str) -> bool;

/// Every setting, and what it may be.
const SETTINGS: [(&str, Rule); 8] = [
    ("CLUSTERS", |value| clusters(value).is_some()),
    ("REPOSITORIES", |value| repositories(value).is_some()),
    ("DEPLOY_LATEST", is_flag),
    ("TAG_LATEST", is_flag),
    ("IMAGE_REFERENCE", |value| ["tag", "digest"].contains(&value)),
    ("SCAN_FAMILIES", is_flag),
    ("ROLLOUT_TIMEOUT_SECONDS", is_seconds),
    ("POLL_INTERVAL_SECONDS", is_seconds),
];

fn is_seconds(value: &str) -> bool {
    value.parse::<u32>().is_ok_and(|seconds| seconds > 0)
}

fn is_flag(value: &str) -> bool {
    ["true", "false"].contains(&value)
}

fn clusters(value: &str) -> Option<Vec<&str>> {
    if value.is_empty() {
        return Some(Vec::new());
    }
    let names: Vec<&str> = value
        .split(',')
        .map(|name| cluster_name(name.trim()))
        .collect::<Option<_>>()?;
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    (distinct.len() == names.len()).then_some(names)
}

fn repositories(value: &str) -> Option<Vec<&str>> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(REPOSITORY));
    let names: Vec<&str> = value.split(',').filter(|_| !value.is_empty()).map(str::trim).collect();
    names.iter().all(|name| NAME.is_match(name)).then_some(names)
}

/// `input` is an environment as the kernel hands it to a process: `NAME=value`, each ended by a zero byte.
pub(crate) fn check(input: &[u8]) {
    let environment = input.split(|byte| *byte == 0).filter_map(|variable| {
        let (name, value) = std::str::from_utf8(variable).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let environment: BTreeMap<String, String> = environment.collect();
    let at_fault = SETTINGS
        .iter()
        .filter(|(name, is_valid)| !environment.get(*name).is_some_and(|value| is_valid(value)));
    let at_fault: Vec<&str> = at_fault.map(|(name, _)| *name).collect();
    let is = |name: &str, value: &str| environment.get(name).is_some_and(|text| text == value);

    let config = match Config::read(|name| environment.get(name).cloned()) {
        Ok(config) => config,
        Err(error) => {
            assert_clear(&error);
            let says = |name: &&str| error.to_string().contains(name);
            let is_excluded = is("DEPLOY_LATEST", "true") && is("TAG_LATEST", "true");
            let expected = match at_fault[..] {
                [] => is_excluded && says(&"choose one"),
                _ => at_fault.iter().any(says),
            };
            return assert!(expected, "{at_fault:?} at fault: {error}");
        }
    };
    assert!(at_fault.is_empty(), "accepted with {at_fault:?} at fault");
    assert!(!(config.deploy_latest && config.tag_latest));
    let names: Vec<&str> = config.clusters.iter().map(ClusterName::as_str).collect();
    assert_eq!(clusters(&environment["CLUSTERS"]).as_ref(), Some(&names));
    let repositories_read: Vec<&str> = config.repositories.iter().map(RepositoryName::as_str).collect();
    assert_eq!(repositories(&environment["REPOSITORIES"]), Some(repositories_read));
    let seconds = config.rollout_timeout.as_secs();
    assert_eq!(environment["ROLLOUT_TIMEOUT_SECONDS"].parse(), Ok(seconds));
    let interval = config.poll_interval.as_secs();
    assert_eq!(environment["POLL_INTERVAL_SECONDS"].parse(), Ok(interval));
    let form = match config.image_reference {
        ImageForm::Tag => "tag",
        ImageForm::Digest => "digest",
    };
    for (name, value) in [
        ("DEPLOY_LATEST", config.deploy_latest.to_string()),
        ("TAG_LATEST", config.tag_latest.to_string()),
        ("SCAN_FAMILIES", config.scan_families.to_string()),
        ("IMAGE_REFERENCE", form.to_owned()),
    ] {
        assert!(is(name, &value), "{name} is read as {value}");
    }
    let written = environment.iter().map(|(name, value)| match name.as_str() {
        "CLUSTERS" => (name.as_str(), names.join(",")),
        "ROLLOUT_TIMEOUT_SECONDS" => (name.as_str(), seconds.to_string()),
        "POLL_INTERVAL_SECONDS" => (name.as_str(), interval.to_string()),
        _ => (name.as_str(), value.clone()),
    });
    let written: BTreeMap<&str, String> = written.collect();
    assert_eq!(
        Config::read(|name| written.get(name).cloned()).ok(),
        Some(config),
        "{written:?}"
    );
}
