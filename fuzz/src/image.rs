//! Image references: exactly those of the OCI's grammar are read, and are written back to the letter.
//!
//! See <https://pkg.go.dev/github.com/distribution/reference>.

use crate::{ACCOUNT, REGION, assert_clear, pattern};
use ecr_deploy::domain::image::{ImageDigest, ImageReference, ImageTag};
use ecr_deploy::error::Error;
use regex_lite::Regex;
use std::sync::LazyLock;

/// The repository of a push, its tag and its digest.
pub(crate) const REPOSITORY: &str = "(?:[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*";
pub(crate) const TAG: &str = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
pub(crate) const DIGEST: &str = "sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}";

struct Grammar {
    host: Regex,
    ecr: Regex,
    path: Regex,
}

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
    Grammar {
        host: pattern(&format!("{label}(?:\\.{label})*(?::([0-9]+))?")),
        ecr: pattern(&format!(
            "({ACCOUNT})\\.dkr(?:\\.ecr(?:-fips)?\\.({REGION})\\.\
             (?:amazonaws\\.(?:com|com\\.cn|eu)|c2s\\.ic\\.gov|sc2s\\.sgov\\.gov|csp\\.hci\\.ic\\.gov|cloud\\.adc-e\\.uk)\
             |-ecr(?:-fips)?\\.({REGION})\\.on\\.(?:aws|amazonwebservices\\.com\\.cn|amazonwebservices\\.eu))"
        )),
        path: pattern(&format!("({REPOSITORY})(?::({TAG}))?(?:@({DIGEST}))?")),
    }
});

/// `input` is the text of a reference.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (host, path) = match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, &*text),
    };
    let is_host = |host: &str| {
        let parts = GRAMMAR.host.captures(host);
        parts.is_some_and(|parts| parts.get(1).is_none_or(|port| port.as_str().parse::<u16>().is_ok()))
    };
    let expected = GRAMMAR
        .path
        .captures(path)
        .filter(|parts| parts[1].len() <= 256 && host.is_none_or(is_host));

    let reference = match (text.parse::<ImageReference>(), &expected) {
        (Ok(reference), Some(_)) => reference,
        (Err(error), None) => return assert_clear(&Error::invalid_input(error)),
        (result, _) => panic!("against the grammar: {result:?}"),
    };
    let part = |index| expected.as_ref()?.get(index).map(|part| part.as_str());
    assert_eq!(reference.to_string(), text);
    assert_eq!(Some(reference.repository().as_str()), part(1));
    assert_eq!(reference.tag().map(ImageTag::as_str), part(2));
    assert_eq!(reference.digest().map(ImageDigest::as_str), part(3));

    let ecr = host.and_then(|host| GRAMMAR.ecr.captures(host));
    let ecr = ecr.and_then(|parts| Some((parts.get(1)?.as_str(), parts.get(2).or(parts.get(3))?.as_str())));
    match (reference.registry(), ecr.filter(|(_, region)| region.len() <= 32)) {
        (Some(registry), Some(ecr)) => assert_eq!((registry.account.as_str(), registry.region.as_str()), ecr),
        (None, None) => {}
        other => panic!("{other:?}"),
    }

    let tagged = reference.at_tag(ImageTag::latest());
    assert_eq!(tagged.to_string().parse(), Ok(tagged));
    if let Some(digest) = reference.digest() {
        let pinned = reference.at_digest(digest.clone());
        assert_eq!((pinned.tag(), pinned.to_string().parse()), (None, Ok(pinned.clone())));
    }
}
