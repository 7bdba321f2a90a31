//! The storm's own model of stages: which stage owns a service, which tags it takes, and what a hold says.
//!
//! It is written anew, over the few kinds of patterns that storms draw, so that a fault of the functions' own rules is not
//! one of the judge's as well.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tag of a service that names its stage, or `off`.
pub(crate) const STAGE_TAG: &str = "ecr-deploy:stage";
/// The tag of a service that keeps it as it is.
pub(crate) const HOLD_TAG: &str = "ecr-deploy:hold";
/// The value of [`STAGE_TAG`] by which a service belongs to no stage.
pub(crate) const OFF: &str = "off";

/// A stage, as the settings have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Stage {
    pub(crate) name: String,
    /// The clusters whose services it owns; of an opt-in stage none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) clusters: Vec<String>,
    /// True if it owns only what names it by its tag.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) opt_in: bool,
    /// `main`, `pr-*`, `semver:*`, `semver:>=1.2.3`, each with `!` in front or not; the last that matches decides.
    pub(crate) tags: Vec<String>,
    /// The stage that it comes after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    /// `2s`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) soak: Option<String>,
}

/// Whose a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner<'a> {
    Stage(&'a Stage),
    /// Its own tag is `off`, or it names no stage, or no stage selects it.
    Nobody,
}

/// The tags of a service at a moment.
pub(crate) type Tags = BTreeMap<String, String>;

/// A version of three numbers, with a `v` in front or not. Storms push no pre-releases.
pub(crate) fn version(tag: &str) -> Option<[u32; 3]> {
    let numbers: Vec<u32> = tag
        .strip_prefix('v')
        .unwrap_or(tag)
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// The stage that every service has where the settings name none.
pub(crate) fn all() -> Stage {
    Stage {
        name: "all".to_owned(),
        clusters: Vec::new(),
        opt_in: false,
        tags: ["*", "!latest"].map(str::to_owned).to_vec(),
        after: None,
        soak: None,
    }
}

/// The stage that owns a service of this cluster with these tags.
pub(crate) fn owner<'a>(stages: &'a [Stage], cluster: &str, tags: &Tags) -> Owner<'a> {
    let is_own = |stage: &&Stage| match tags.get(STAGE_TAG) {
        Some(own) => stage.name == *own,
        None => !stage.opt_in && (stage.clusters.is_empty() || stage.clusters.iter().any(|its| its == cluster)),
    };
    stages.iter().find(is_own).map_or(Owner::Nobody, Owner::Stage)
}

/// True if these tags of a service hold it at a moment, in milliseconds since 1970.
pub(crate) fn is_held(tags: &Tags, at: i64) -> bool {
    let Some(value) = tags.get(HOLD_TAG) else { return false };
    let until = value.strip_prefix("until ").and_then(|rest| rest.split(' ').next());
    let until = until.and_then(|until| until.parse::<jiff::Timestamp>().ok());
    until.is_none_or(|until| until.as_millisecond() > at)
}

impl Stage {
    /// The rule that decides on a tag.
    fn rule(&self, tag: &str) -> Option<&str> {
        let matches = |rule: &&String| {
            let pattern = rule.strip_prefix('!').unwrap_or(rule);
            match (pattern.strip_prefix("semver:"), pattern.strip_suffix('*')) {
                (Some("*"), _) => version(tag).is_some(),
                (Some(range), _) => {
                    let least = range.strip_prefix(">=").and_then(version);
                    least.is_some() && version(tag) >= least
                }
                (None, Some(prefix)) => tag.starts_with(prefix),
                (None, None) => tag == pattern,
            }
        };
        self.tags.iter().rfind(matches).map(String::as_str)
    }

    /// True if it takes a tag.
    pub(crate) fn takes(&self, tag: &str) -> bool {
        self.rule(tag).is_some_and(|rule| !rule.starts_with('!'))
    }

    /// How long the stages before it must stay stable, in milliseconds.
    pub(crate) fn soak_milliseconds(&self) -> i64 {
        let seconds = self
            .soak
            .as_deref()
            .and_then(|soak| soak.strip_suffix('s')?.parse::<i64>().ok());
        seconds.unwrap_or_default() * 1_000
    }

    /// True if it takes a tag by a range of versions: then not one that is lower than the version that runs.
    pub(crate) fn takes_by_version(&self, tag: &str) -> bool {
        self.rule(tag).is_some_and(|rule| rule.starts_with("semver:"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, clusters: &[&str], tags: &[&str]) -> Stage {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Stage {
            name: name.to_owned(),
            clusters: owned(clusters),
            tags: owned(tags),
            ..all()
        }
    }

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn the_last_rule_that_matches_a_tag_decides() {
        let taken = |rules: &[&str], tag: &str| stage("it", &[], rules).takes(tag);
        for (rules, takes, leaves) in [
            (vec!["*", "!latest"], vec!["main", "v1.2.3"], vec!["latest"]),
            (vec!["pr-*"], vec!["pr-", "pr-42"], vec!["main-pr-1", "latest"]),
            (vec!["main"], vec!["main"], vec!["main-1"]),
            (
                vec!["semver:*"],
                vec!["v1.2.3", "0.0.1"],
                vec!["v1.2", "v2", "1.2.3.4", "v1.2.x"],
            ),
            (
                vec!["semver:>=1.2.0"],
                vec!["v1.2.0", "1.10.0", "2.0.0"],
                vec!["v1.1.9", "main"],
            ),
            (vec!["*", "!pr-*", "pr-7"], vec!["pr-7", "main"], vec!["pr-6"]),
        ] {
            assert!(takes.iter().all(|tag| taken(&rules, tag)), "{rules:?} takes {takes:?}");
            assert!(
                !leaves.iter().any(|tag| taken(&rules, tag)),
                "{rules:?} leaves {leaves:?}"
            );
        }
        let by_version = stage("it", &[], &["*", "semver:*"]);
        assert!(by_version.takes_by_version("v1.2.3") && !by_version.takes_by_version("main"));
    }

    #[test]
    fn the_tag_of_a_service_beats_its_cluster_and_the_first_stage_that_selects_it_owns_it() {
        let asked = Stage {
            opt_in: true,
            ..stage("asked", &[], &["*"])
        };
        let stages = [asked, stage("south", &["south"], &["*"]), stage("rest", &[], &["*"])];
        let owner = |cluster: &str, own: &[(&str, &str)]| match owner(&stages, cluster, &tags(own)) {
            Owner::Stage(stage) => stage.name.clone(),
            Owner::Nobody => "nobody".to_owned(),
        };
        assert_eq!([owner("south", &[]), owner("north", &[])], ["south", "rest"]);
        let of_tag = ["asked", "rest", OFF, "stagign"].map(|own| owner("south", &[(STAGE_TAG, own)]));
        assert_eq!(of_tag, ["asked", "rest", "nobody", "nobody"]);
    }

    #[test]
    fn a_hold_ends_when_its_time_has_come() {
        let held = |value: &str| is_held(&tags(&[(HOLD_TAG, value)]), 1_000);
        assert!(held("") && held("ann: freeze") && held("until further notice"));
        assert!(held("until 1970-01-01T00:00:02Z ann") && !held("until 1970-01-01T00:00:01Z ann"));
        assert!(!is_held(&tags(&[]), 1_000));
    }
}
