//! An image reference says where a container's image comes from: registry, repository, tag, digest.
//!
//! References are compared part by part, never as text: `app` is not `app-worker`, and the same repository may be
//! written with a FIPS or a dual-stack host name.
//!
//! See <https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html> and the grammar at
//! <https://pkg.go.dev/github.com/distribution/reference>.

use crate::domain::text::{ParseTextError, parsed_text};
use std::fmt;
use std::str::FromStr;

parsed_text!(
    /// The twelve digits of an AWS account, which is also the id of its ECR registry: `123456789012`.
    AccountId,
    |text| Some(text).filter(|text| is_account_id(text)),
    "an AWS account id (12 digits)"
);
parsed_text!(
    /// A region, `eu-west-1`.
    Region,
    |text| Some(text).filter(|text| is_region(text)),
    "an AWS region such as eu-west-1"
);
parsed_text!(
    /// The name of a repository, `team/app`. It may hold slashes.
    RepositoryName,
    |text| Some(text).filter(|text| is_repository_name(text)),
    "a repository name (lower-case letters, digits, and . _ - between them, in parts separated by /)"
);
parsed_text!(
    /// A tag, `v1.2`.
    ImageTag,
    |text| Some(text).filter(|text| is_tag(text)),
    "an image tag (letters, digits, _ . -, at most 128)"
);
parsed_text!(
    /// The digest of an image's manifest, `sha256:` and 64 hexadecimal digits: the contents.
    ImageDigest,
    |text| Some(text).filter(|text| is_digest(text)),
    "an image digest (sha256: and 64 hexadecimal digits)"
);

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_word);
    text.len() <= 32 && text.split('-').count() >= 3 && text.split('-').all(is_part)
}

fn is_repository_name(text: &str) -> bool {
    let is_word = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_separator = |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    let is_part =
        |part: &str| part.starts_with(is_word) && part.ends_with(is_word) && part.split(is_word).all(is_separator);
    text.len() <= 256 && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

fn is_digest(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match text.split_once(':') {
        Some(("sha256", hex)) => hex.len() == 64 && hex.bytes().all(is_hex),
        Some(("sha512", hex)) => hex.len() == 128 && hex.bytes().all(is_hex),
        _ => false,
    }
}

impl ImageTag {
    /// The tag that is put on the image that runs everywhere, when the setting `tagLatest` is on. It is also what a reference
    /// without tag and digest means.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }
}

/// An ECR registry: one per account and region, whatever host name it is reached by:
/// `123456789012.dkr.ecr.eu-west-1.amazonaws.com`, the FIPS form (`dkr.ecr-fips`), the dual-stack form
/// (`123456789012.dkr-ecr.eu-west-1.on.aws`), or China's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EcrRegistry {
    /// The account that owns the registry.
    pub account: AccountId,
    /// The region the registry is in. Regions of different partitions have different names.
    pub region: Region,
}

/// How the host names of AWS's services end, partition by partition; the last four are isolated ones.
/// See <https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>.
const DNS_SUFFIXES: [&str; 7] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".csp.hci.ic.gov",
    ".cloud.adc-e.uk",
];

/// The same of the host names that are reached by IPv6 too, which isolated partitions do not have.
const DUAL_STACK_SUFFIXES: [&str; 3] = [".on.aws", ".on.amazonwebservices.com.cn", ".on.amazonwebservices.eu"];

impl EcrRegistry {
    /// The registry that a host name reaches; `None` for one that is not of ECR, ECR Public among them.
    #[must_use]
    pub fn of_host(host: &str) -> Option<Self> {
        let (account, rest) = host.split_once('.')?;
        let region = match rest.split_once('.')? {
            ("dkr", rest) => rest
                .strip_prefix("ecr.")
                .or_else(|| rest.strip_prefix("ecr-fips."))
                .and_then(|rest| strip_any_suffix(rest, &DNS_SUFFIXES)),
            ("dkr-ecr" | "dkr-ecr-fips", rest) => strip_any_suffix(rest, &DUAL_STACK_SUFFIXES),
            _ => None,
        }?;
        Some(Self {
            account: account.parse().ok()?,
            region: region.parse().ok()?,
        })
    }
}

fn strip_any_suffix<'a>(text: &'a str, suffixes: &[&str]) -> Option<&'a str> {
    suffixes.iter().find_map(|suffix| text.strip_suffix(suffix))
}

/// An image as a container definition names it.
///
/// Parses `[host[:port]/]repository[:tag][@digest]` and writes it back to the letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    host: Option<String>,
    registry: Option<EcrRegistry>,
    repository: RepositoryName,
    tag: Option<ImageTag>,
    digest: Option<ImageDigest>,
}

impl ImageReference {
    /// The registry of the repository; `None` for one that is not of ECR, Docker Hub (which is what no host means) among them.
    #[must_use]
    pub fn registry(&self) -> Option<&EcrRegistry> {
        self.registry.as_ref()
    }

    /// The repository, without its registry.
    #[must_use]
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The tag, if the reference has one.
    #[must_use]
    pub fn tag(&self) -> Option<&ImageTag> {
        self.tag.as_ref()
    }

    /// The digest, if the reference is pinned to one.
    #[must_use]
    pub fn digest(&self) -> Option<&ImageDigest> {
        self.digest.as_ref()
    }

    /// True if this is an image of `repository` in the ECR registry `registry`, whatever its tag, digest and host name.
    #[must_use]
    pub fn is_of(&self, registry: &EcrRegistry, repository: &RepositoryName) -> bool {
        self.registry() == Some(registry) && self.repository == *repository
    }

    /// The same repository by the same host name, at `tag`, not pinned.
    #[must_use]
    pub fn at_tag(&self, tag: ImageTag) -> Self {
        Self {
            tag: Some(tag),
            digest: None,
            ..self.clone()
        }
    }

    /// The same repository by the same host name, pinned to `digest`.
    #[must_use]
    pub fn at_digest(&self, digest: ImageDigest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }
}

/// A component before the first slash is a host when it could not be part of a repository's path.
fn is_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost"
}

fn is_valid_host(host: &str) -> bool {
    let (name, port) = host
        .split_once(':')
        .map_or((host, None), |(name, port)| (name, Some(port)));
    let is_word = |character: char| character.is_ascii_alphanumeric();
    let is_label = |label: &str| {
        let is_inner = |character| is_word(character) || character == '-';
        label.starts_with(is_word) && label.ends_with(is_word) && label.chars().all(is_inner)
    };
    let is_port = |port: &str| port.starts_with(is_word) && port.parse::<u16>().is_ok();
    name.split('.').all(is_label) && port.is_none_or(is_port)
}

impl FromStr for ImageReference {
    type Err = ParseTextError;

    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let refused = || ParseTextError {
            text: text.to_owned(),
            expected: "an image reference ([registry/]repository[:tag][@digest])",
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            _ => (None, name),
        };
        if host.is_some_and(|host| !is_valid_host(host)) {
            return Err(refused());
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse()?)),
            None => (path, None),
        };
        Ok(Self {
            registry: host.and_then(EcrRegistry::of_host),
            host: host.map(str::to_owned),
            repository: repository.parse()?,
            tag,
            digest,
        })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(formatter, "{host}/")?;
        }
        write!(formatter, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
