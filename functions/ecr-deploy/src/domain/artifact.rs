//! A registry holds more than images: signatures, build caches, Helm charts. This tells which of them a push brought in.
//!
//! No single sign is enough. A cosign signature has the config of an image, a fallback index has no config at all, and an
//! old client names no media type. So the tag is read, then the media types, then the manifest itself where the event
//! holds it.
//!
//! See <https://github.com/opencontainers/image-spec/blob/main/manifest.md> and
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>.

use crate::domain::image::{ImageDigest, ImageTag};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// The kind of the pushed contents, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An image, or an index of images.
    Image,
    /// Something else, which no service can run.
    Artifact(Artifact),
    /// It is not told.
    Unknown,
}

/// Something in a repository that is no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// Of an image, by cosign or notation.
    Signature,
    /// How an image was built, or what it was checked for.
    Attestation,
    /// The list of an image's parts: its bill of materials.
    Sbom,
    /// The index by which clients find what refers to an image, in a registry that has no API for that.
    Referrers,
    /// `BuildKit`'s cache of build steps.
    BuildCache,
    /// A chart of Helm.
    HelmChart,
    /// An index of nothing that can run.
    EmptyIndex,
    /// Anything else, by its media type.
    Other(String),
}

impl fmt::Display for Artifact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature => formatter.write_str("a signature"),
            Self::Attestation => formatter.write_str("an attestation"),
            Self::Sbom => formatter.write_str("a software bill of materials"),
            Self::Referrers => formatter.write_str("the list of what refers to an image"),
            Self::BuildCache => formatter.write_str("a build cache"),
            Self::HelmChart => formatter.write_str("a Helm chart"),
            Self::EmptyIndex => formatter.write_str("an index without an image"),
            Self::Other(media_type) => write!(formatter, "an artifact of the type {media_type}"),
        }
    }
}

/// The configs of images: the one that Docker writes and the one of OCI.
const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
];

/// The manifests that have a config, which tells what they are of.
pub(crate) const MANIFESTS: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
];

/// The indexes, which list the manifests of several platforms.
pub(crate) const INDEXES: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
];

/// Docker's manifests of before 2016, which only images have.
const OLD_MANIFESTS: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// The longest media type that a message quotes.
const LONGEST_MEDIA_TYPE: usize = 128;

/// Returns the artifact that a tag alone tells. `sha256-<64 hexadecimal digits>` names another image of the repository,
/// and a suffix tells what this is to that one: `.sig`, `.att`, `.sbom`; the bare name is an index of all that refers
/// to it.
#[must_use]
pub fn of_tag(tag: &ImageTag) -> Option<Artifact> {
    let rest = ["sha256-", "sha512-"]
        .iter()
        .find_map(|algorithm| tag.as_str().strip_prefix(algorithm))?;
    let (digest, suffix) = rest.split_at_checked(64)?;
    if !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(match suffix {
        ".sig" => Artifact::Signature,
        ".att" => Artifact::Attestation,
        ".sbom" | ".sboms" => Artifact::Sbom,
        _ => Artifact::Referrers,
    })
}

/// Returns the kind that the media types of a push tell: that of its `manifest`, and that of its `artifact`, which ECR
/// takes from `artifactType` or from the config.
///
/// An index has no config, and what ECR takes as an index holds manifests: without more it is one of images.
#[must_use]
pub fn of_media_types(manifest: Option<&str>, artifact: Option<&str>) -> Kind {
    let manifest = manifest.filter(|manifest| !manifest.is_empty());
    let artifact = artifact.filter(|artifact| !artifact.is_empty() && !INDEXES.contains(artifact));
    match (manifest, artifact) {
        (_, Some(artifact)) if IMAGE_CONFIGS.contains(&artifact) => Kind::Image,
        // An old entry of ECR repeats the manifest's type there.
        (Some(manifest), Some(artifact)) if manifest == artifact => of_media_types(Some(manifest), None),
        (_, Some(artifact)) => Kind::Artifact(named(artifact)),
        (Some(manifest), None) if INDEXES.contains(&manifest) || OLD_MANIFESTS.contains(&manifest) => Kind::Image,
        (Some(manifest), None) if MANIFESTS.contains(&manifest) => Kind::Unknown,
        (Some(manifest), None) => Kind::Artifact(named(manifest)),
        (None, None) => Kind::Unknown,
    }
}

/// Returns the kind that a manifest itself tells. `media_type` is the push's own, where the manifest has none.
#[must_use]
pub fn of_manifest(manifest: &Value, media_type: Option<&str>) -> Kind {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
    let media_type = text("/mediaType").or(media_type);
    let artifact = text("/artifactType").filter(|artifact| !artifact.is_empty());
    if let Some(artifact) = artifact.filter(|artifact| !IMAGE_CONFIGS.contains(artifact)) {
        return Kind::Artifact(named(artifact));
    }
    if let Some(children) = manifest.get("manifests").and_then(Value::as_array) {
        return of_children(children);
    }
    if manifest.get("schemaVersion").and_then(Value::as_u64) == Some(1) {
        return Kind::Image;
    }
    match of_media_types(media_type, text("/config/mediaType")) {
        Kind::Image => of_layers(manifest),
        kind => kind,
    }
}

/// Returns the kind of an index. One image among its children is enough: attestations stand beside the image that they
/// are of.
fn of_children(children: &[Value]) -> Kind {
    let mut other = Artifact::EmptyIndex;
    for child in children {
        let text = |pointer: &str| child.pointer(pointer).and_then(Value::as_str);
        let is_attestation = text("/annotations/vnd.docker.reference.type") == Some("attestation-manifest");
        let artifact = text("/artifactType").filter(|artifact| !IMAGE_CONFIGS.contains(artifact));
        match (is_attestation, artifact, text("/mediaType")) {
            (true, _, _) => other = Artifact::Attestation,
            (_, Some(_), _) => other = Artifact::Referrers,
            // A cache that is exported as an index lists its layers and its config as if they were manifests.
            (_, _, Some(media_type)) if !is_manifest(media_type) => {
                if other != Artifact::BuildCache {
                    other = named(media_type);
                }
            }
            _ => return Kind::Image,
        }
    }
    Kind::Artifact(other)
}

/// The digests of the manifests that an index lists: of a multi-architecture image, one for each platform. None where the manifest
/// is of no index.
#[must_use]
pub fn listed_in(manifest: &Value) -> BTreeSet<ImageDigest> {
    let listed = manifest.get("manifests").and_then(Value::as_array);
    let digests = listed
        .into_iter()
        .flatten()
        .filter_map(|child| child["digest"].as_str());
    digests.filter_map(|digest| digest.parse().ok()).collect()
}

fn is_manifest(media_type: &str) -> bool {
    [&MANIFESTS[..], &INDEXES, &OLD_MANIFESTS]
        .concat()
        .contains(&media_type)
}

/// Returns the kind of a manifest with the config of an image. cosign and `BuildKit` give signatures and attestations
/// such a config, but no layer of theirs is a file system. An image may have no layer at all.
fn of_layers(manifest: &Value) -> Kind {
    let layers = manifest.get("layers").and_then(Value::as_array);
    let types = layers
        .into_iter()
        .flatten()
        .filter_map(|layer| layer["mediaType"].as_str());
    let mut types = types.peekable();
    let Some(first) = types.peek().copied() else {
        return Kind::Image;
    };
    let is_file_system = |media_type: &str| media_type.contains("tar") || media_type.contains("image.layer");
    if types.any(is_file_system) {
        Kind::Image
    } else {
        Kind::Artifact(named(first))
    }
}

/// Returns the artifact's common name, by its media type.
fn named(media_type: &str) -> Artifact {
    let lower = media_type.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if has(&["buildkit.cacheconfig"]) {
        Artifact::BuildCache
    } else if has(&["cncf.helm"]) {
        Artifact::HelmChart
    } else if has(&[
        "simplesigning",
        "cosign.artifact.sig",
        "notary.signature",
        "sigstore.bundle",
    ]) {
        Artifact::Signature
    } else if has(&["in-toto", "dsse", "attestation"]) {
        Artifact::Attestation
    } else if has(&["spdx", "cyclonedx", "syft", "sbom"]) {
        Artifact::Sbom
    } else {
        Artifact::Other(media_type.chars().take(LONGEST_MEDIA_TYPE).collect())
    }
}

#[cfg(test)]
mod tests;
