//! ARNs: exactly those of ECS are read, and come out as they went in.

use crate::{ACCOUNT, ECS_NAME, REGION, assert_clear, pattern};
use ecr_deploy::domain::arn::{ClusterName, RevisionName, ServiceName, TaskDefinitionArn};
use ecr_deploy::error::Error;
use regex_lite::{Captures, Regex};
use std::sync::LazyLock;

struct Grammar {
    revision: Regex,
    revision_name: Regex,
    cluster: Regex,
    service: Regex,
}

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let ecs = format!("arn:aws(?:-[a-z]+)*:ecs:(?<region>{REGION}):{ACCOUNT}");
    let revision = format!("(?<name>(?<family>{ECS_NAME}):(?<revision>[1-9][0-9]*))");
    Grammar {
        revision: pattern(&format!("{ecs}:task-definition/{revision}")),
        revision_name: pattern(&format!("(?:{ecs}:task-definition/)?{revision}")),
        cluster: pattern(&format!("(?:{ecs}:cluster/)?(?<name>{ECS_NAME})")),
        service: pattern(&format!("(?:{ecs}:service/(?:{ECS_NAME}/)?)?(?<name>{ECS_NAME})")),
    }
});

/// Returns what `grammar` finds in `text`. A region has at most 32 characters besides.
fn parts<'text>(grammar: &Regex, text: &'text str) -> Option<Captures<'text>> {
    let parts = grammar.captures(text)?;
    parts
        .name("region")
        .is_none_or(|region| region.len() <= 32)
        .then_some(parts)
}

fn name<'text>(grammar: &Regex, text: &'text str) -> Option<&'text str> {
    Some(parts(grammar, text)?.name("name")?.as_str())
}

/// The name of the cluster that `text` names or is the ARN of.
pub(crate) fn cluster_name(text: &str) -> Option<&str> {
    name(&GRAMMAR.cluster, text)
}

/// `input` is the text of an ARN, or of a name.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    // A number that no revision ever has is the only thing that the grammar lets through.
    let is_too_large = |parts: Captures<'_>| parts["revision"].parse::<u64>().is_err();
    let revision = parts(&GRAMMAR.revision, &text);
    match text.parse::<TaskDefinitionArn>() {
        Ok(arn) => {
            let parts = revision.expect("accepted against the grammar");
            assert_eq!((arn.as_str(), arn.short()), (&*text, &parts["name"]));
            assert_eq!(
                (arn.family(), &*arn.revision().to_string()),
                (&parts["family"], &parts["revision"])
            );
            assert_eq!(arn.at_revision(arn.revision()), arn);
            let other = arn.at_revision(7);
            assert_eq!(other.as_str().parse(), Ok(other));
        }
        Err(error) => {
            assert!(revision.is_none_or(is_too_large), "refused: {text}");
            assert_clear(&Error::invalid_input(error));
        }
    }
    let name_of_revision = parts(&GRAMMAR.revision_name, &text);
    match text.parse::<RevisionName>() {
        Ok(name) => {
            let parts = name_of_revision.expect("accepted against the grammar");
            assert_eq!((name.as_str(), name.family()), (&parts["name"], &parts["family"]));
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        Err(error) => {
            assert!(name_of_revision.is_none_or(is_too_large), "refused: {text}");
            assert_clear(&Error::invalid_input(error));
        }
    }

    let cluster = text.parse::<ClusterName>();
    assert_eq!(cluster.as_ref().ok().map(ClusterName::as_str), cluster_name(&text));
    let service = text.parse::<ServiceName>();
    assert_eq!(
        service.as_ref().ok().map(ServiceName::as_str),
        name(&GRAMMAR.service, &text)
    );
    for error in [cluster.err(), service.err()].into_iter().flatten() {
        assert_clear(&Error::invalid_input(error));
    }
}
