//! An ARN names a thing in AWS; here are the ones that the steps hand to each other, each parsed once.

use crate::domain::image::{AccountId, Region};
use crate::domain::text::parsed_text;

/// Splits `arn:partition:service:region:account:resource`, when it is one of `service`.
fn resource_of<'a>(text: &'a str, service: &str) -> Option<&'a str> {
    let mut parts = text.splitn(6, ':');
    let is_arn = parts.next() == Some("arn")
        && parts.next().is_some_and(is_partition)
        && parts.next() == Some(service)
        && parts.next().is_some_and(|region| region.parse::<Region>().is_ok())
        && parts.next().is_some_and(|account| account.parse::<AccountId>().is_ok());
    parts.next().filter(|_| is_arn)
}

/// `aws`, `aws-cn`, `aws-us-gov` and what may come.
fn is_partition(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    text.split('-').next() == Some("aws") && text.split('-').all(is_word)
}

/// A name as ECS spells those of clusters, services and families: letters, digits, hyphens, underscores, 1 to 255.
fn is_ecs_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(is_plain)
}

/// True for the name of a revision, `web:42`.
fn is_revision(short: &str) -> bool {
    let (family, number) = parts_of_revision(short);
    let is_canonical = |revision: u64| revision > 0 && number == revision.to_string();
    is_ecs_name(family) && number.parse().is_ok_and(is_canonical)
}

/// The family and the number of a revision, by its name or its ARN.
fn parts_of_revision(text: &str) -> (&str, &str) {
    text.rsplit_once(':').unwrap_or_default()
}

parsed_text!(
    /// One revision of a task definition:
    /// `arn:aws:ecs:eu-west-1:123456789012:task-definition/web:42`.
    TaskDefinitionArn,
    |text| Some(text).filter(|text| resource_of(text, "ecs").is_some() && revision_name_of(text).is_some()),
    "the ARN of a task definition revision (arn:aws:ecs:<region>:<account>:task-definition/<family>:<revision>)"
);

impl TaskDefinitionArn {
    /// The family, `web` in `web:42`.
    #[must_use]
    pub fn family(&self) -> &str {
        parts_of_revision(self.short()).0
    }

    /// The number of the revision, 42 in `web:42`. A higher one was registered later.
    #[must_use]
    pub fn revision(&self) -> u64 {
        parts_of_revision(&self.0).1.parse().unwrap_or_default()
    }

    /// True if it was registered later than `other`, in the same family.
    #[must_use]
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.family() == other.family() && self.revision() > other.revision()
    }

    /// Another revision of the same family.
    #[must_use]
    pub fn at_revision(&self, revision: u64) -> Self {
        Self(format!("{}:{revision}", parts_of_revision(&self.0).0))
    }

    /// The region that it is registered in, in which the services run that are on it.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// Family and revision, `web:42`: how operators say it.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The same without its account and region.
    #[must_use]
    pub fn name(&self) -> RevisionName {
        RevisionName(self.short().to_owned())
    }
}

/// The revision's name in a text that is that alone, or its ARN.
fn revision_name_of(text: &str) -> Option<&str> {
    let short = match resource_of(text, "ecs") {
        Some(resource) => resource.strip_prefix("task-definition/")?,
        None => text,
    };
    Some(short).filter(|short| is_revision(short))
}

parsed_text!(
    /// One revision of a task definition by family and number, `web:42`, read from that or from its ARN. Unique in an
    /// account and region, which is what one installation looks after; a plan has room for many.
    RevisionName,
    revision_name_of,
    "a revision (<family>:<revision>) or its ARN"
);

impl RevisionName {
    /// The family, `web` in `web:42`.
    #[must_use]
    pub fn family(&self) -> &str {
        parts_of_revision(&self.0).0
    }
}

/// The name in a text that is a name alone, or the ARN of a `kind` of ECS that ends in it after `above` other names at
/// most.
fn name_of<'a>(text: &'a str, kind: &str, above: usize) -> Option<&'a str> {
    let Some(resource) = resource_of(text, "ecs") else {
        return Some(text).filter(|name| is_ecs_name(name));
    };
    let path = resource.strip_prefix(kind)?.strip_prefix('/')?;
    let names = path.split('/').count();
    let is_path = names <= above + 1 && path.split('/').all(is_ecs_name);
    path.rsplit('/').next().filter(|_| is_path)
}

parsed_text!(
    /// The name of a cluster, read from the bare name or from its ARN (`…:cluster/production`).
    /// Names are unique in an account and region, which is what one installation looks after.
    ClusterName,
    |text| name_of(text, "cluster", 0),
    "the name or ARN of a cluster"
);

parsed_text!(
    /// The name of a service, read from the bare name or from its ARN, old (`…:service/web`) or new
    /// (`…:service/production/web`). Unique within its cluster.
    ServiceName,
    |text| name_of(text, "service", 1),
    "the name or ARN of a service"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_from_its_arn() {
        let arn: TaskDefinitionArn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web_app-1:42"
            .parse()
            .unwrap();
        assert_eq!(
            (arn.family(), arn.revision(), arn.short()),
            ("web_app-1", 42, "web_app-1:42")
        );
        assert_eq!(arn.at_revision(7).short(), "web_app-1:7");
        let china = "arn:aws-cn:ecs:cn-north-1:123456789012:task-definition/web:1";
        assert_eq!(china.parse::<TaskDefinitionArn>().unwrap().as_str(), china);
    }

    #[test]
    fn a_revisions_name_is_read_bare_or_from_its_arn() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web_app-1:42";
        for text in ["web_app-1:42", arn] {
            let name: RevisionName = text.parse().unwrap();
            assert_eq!((name.as_str(), name.family()), ("web_app-1:42", "web_app-1"));
        }
        assert_eq!(
            arn.parse::<TaskDefinitionArn>().unwrap().name().as_str(),
            "web_app-1:42"
        );
        for text in [
            "",
            "web",
            "web:",
            ":42",
            "web:0",
            "web:042",
            "web:latest",
            "we/b:4",
            "web:4:2",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/web",
            "arn:aws:ecs:eu-west-1:123456789012:service/web:4",
            "arn:aws:ecr:eu-west-1:123456789012:task-definition/web:4",
        ] {
            assert!(text.parse::<RevisionName>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_the_arn_of_a_revision_is_refused() {
        for text in [
            "",
            "web:42",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/web",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:0",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:042",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:+4",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/we/b:4",
            "arn:aws:ecs:eu-west-1:123456789012:service/web:4",
            "arn:aws:ecr:eu-west-1:123456789012:task-definition/web:4",
            "arn:aws:ecs:eu-west-1:account:task-definition/web:4",
            "arn:aws:ecs:eu-west-1:1234:task-definition/web:4",
            "arn:aws:ecs:eu west/1:123456789012:task-definition/web:4",
            "arn:awsome:ecs:eu-west-1:123456789012:task-definition/web:4",
            "arn:aws-:ecs:eu-west-1:123456789012:task-definition/web:4",
            "arn:aws:ecs::123456789012:task-definition/web:4",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/:4",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:99999999999999999999999",
        ] {
            assert!(text.parse::<TaskDefinitionArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_read_bare_or_from_its_arn() {
        for text in [
            "web",
            "arn:aws:ecs:eu-west-1:123456789012:service/web",
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/web",
        ] {
            assert_eq!(text.parse::<ServiceName>().unwrap().as_str(), "web", "{text}");
        }
        for text in ["prod", "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"] {
            assert_eq!(text.parse::<ClusterName>().unwrap().as_str(), "prod", "{text}");
        }
        for text in [
            "",
            "a b",
            "prod/web",
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/web",
            "arn:aws:ecs:eu-west-1:123456789012:cluster/a/prod",
            "ärger",
        ] {
            assert!(text.parse::<ClusterName>().is_err(), "{text}");
        }
        for text in [
            "arn:aws:ecs:eu-west-1:123456789012:service/a/prod/web",
            "arn:aws:ecs:eu-west-1:123456789012:service//web",
            "arn:aws:ecs:eu-west-1:123456789012:service/a b/web",
        ] {
            assert!(text.parse::<ServiceName>().is_err(), "{text}");
        }
    }
}
