//! A simulated ECR: repositories, the images in them, and what a task gets when it pulls.
//!
//! A repository that nobody created by `CreateRepository` is open: any tag of it exists from the moment it is first pulled,
//! so that a test that is not about ECR needs no pushes. In a created repository, and in one from which images were
//! deleted, only what was pushed can be pulled.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::behaviour::Behaviour;
use crate::names::Milliseconds;

/// The images of one repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    /// True if somebody created it: then a tag that was not pushed cannot be pulled.
    pub(crate) created: bool,
    pub(crate) created_at: Milliseconds,
    pub(crate) immutable_tags: bool,
    pub(crate) images: BTreeMap<String, Image>,
    /// Tag to digest.
    pub(crate) tags: BTreeMap<String, String>,
    /// The layers and configs that were uploaded, by digest.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// The uploads that are not complete, by id.
    pub(crate) uploads: BTreeMap<String, Vec<u8>>,
}

/// One image, known by its digest.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) behaviour: Behaviour,
    pub(crate) manifest: String,
    pub(crate) media_type: String,
    pub(crate) pushed_at: Milliseconds,
    /// In the archive: it is listed and described, and cannot be pulled.
    pub(crate) archived: bool,
}

impl Image {
    /// ECR's media type of the artifact: the manifest's `artifactType`, else that of its config. An index has
    /// neither.
    pub(crate) fn artifact_media_type(&self) -> Option<String> {
        let manifest: Value = serde_json::from_str(&self.manifest).ok()?;
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        text("/artifactType").or_else(|| text("/config/mediaType"))
    }
}

/// The image that a task gets for a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pulled {
    /// None: no such image.
    pub(crate) digest: Option<String>,
    pub(crate) behaviour: Behaviour,
}

/// All repositories, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// The images that `PutImage` put, for whoever tells of them; the oldest first.
    pub(crate) put: Vec<Put>,
}

/// An image that somebody put by the API under a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// The digest of the manifest.
    pub digest: String,
    /// The manifest.
    pub manifest: String,
    /// When.
    pub at: Milliseconds,
}

/// `sha256:` and the hash of a manifest, as a registry names an image.
pub(crate) fn digest_of(manifest: &str) -> String {
    digest_of_bytes(manifest.as_bytes())
}

/// The same of a layer or a config.
pub(crate) fn digest_of_bytes(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A manifest that no other push has: enough of one to be hashed and told apart.
pub(crate) fn made_up_manifest(repository: &str, tag: &str, salt: &str) -> String {
    let name = format!("{repository}:{tag}{salt}");
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MEDIA_TYPE}","config":{{"mediaType":"{CONFIG}"}},"annotations":{{"org.opencontainers.image.ref.name":"{name}"}}}}"#
    )
}

/// The media type of an image's config.
pub(crate) const CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// The media type of an index, which lists an image for each platform.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The media type of a manifest that says none.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

impl Repository {
    /// Adds an image under an optional tag and returns its digest. The tag leaves the image that had it.
    pub(crate) fn push(&mut self, tag: Option<&str>, image: Image) -> String {
        let digest = digest_of(&image.manifest);
        self.images.entry(digest.clone()).or_insert(image);
        if let Some(tag) = tag {
            self.tags.insert(tag.to_owned(), digest.clone());
        }
        digest
    }

    /// The digest of what a task really runs of an image: of an index, the first one that it lists and that is there. AWS does not
    /// document whether ECS tells that of the index or that of the platform's image; to tell the latter asks more of its clients.
    fn of_platform(&self, digest: String) -> String {
        let manifest = self.images.get(&digest).map_or("", |image| &image.manifest);
        let manifest: Value = serde_json::from_str(manifest).unwrap_or_default();
        let listed = manifest["manifests"].as_array().into_iter().flatten();
        let mut listed = listed.filter_map(|image| image["digest"].as_str());
        let of_platform = listed.find(|listed| self.images.contains_key(*listed));
        of_platform.map_or(digest, str::to_owned)
    }

    /// The tags that point to a digest, in alphabetical order.
    pub(crate) fn tags_of(&self, digest: &str) -> Vec<&str> {
        self.tags
            .iter()
            .filter(|(_, held)| *held == digest)
            .map(|(tag, _)| tag.as_str())
            .collect()
    }
}

impl Registry {
    /// The image that a task gets when it pulls this reference now: the digest behind a tag, and how that image
    /// behaves.
    ///
    /// A reference to another registry than ECR always pulls; its tag says how it behaves.
    pub(crate) fn pull(&mut self, reference: &str, now: Milliseconds) -> Pulled {
        let (name, digest) = reference
            .split_once('@')
            .map_or((reference, None), |(name, digest)| (name, Some(digest)));
        let slash = name.rfind('/').map_or(0, |at| at + 1);
        let (path, tag) = match name[slash..].rfind(':') {
            Some(colon) => (&name[..slash + colon], Some(&name[slash + colon + 1..])),
            None => (name, None),
        };
        let Some(repository) = ecr_repository(path) else {
            let tag = tag.unwrap_or("latest");
            let digest = digest.map_or_else(|| digest_of(&made_up_manifest(path, tag, "")), str::to_owned);
            return Pulled {
                digest: Some(digest),
                behaviour: Behaviour::of_tag(tag),
            };
        };
        let found = self.repositories.entry(repository.to_owned()).or_default();
        let wanted = digest
            .or_else(|| found.tags.get(tag.unwrap_or("latest")).map(String::as_str))
            .map(str::to_owned);
        match wanted.as_ref().and_then(|digest| found.images.get(digest)) {
            Some(image) if image.archived => Pulled {
                digest: None,
                behaviour: Behaviour::Nopull,
            },
            Some(image) => Pulled {
                behaviour: image.behaviour,
                digest: wanted.map(|digest| found.of_platform(digest)),
            },
            None if found.created => Pulled {
                digest: None,
                behaviour: Behaviour::Nopull,
            },
            None => {
                let tag = tag.unwrap_or("latest");
                let manifest = made_up_manifest(repository, tag, "");
                let behaviour = Behaviour::of_tag(tag);
                let image = Image {
                    behaviour,
                    manifest,
                    media_type: MEDIA_TYPE.to_owned(),
                    pushed_at: now,
                    archived: false,
                };
                let digest = match wanted {
                    Some(digest) => {
                        found.images.insert(digest.clone(), image);
                        digest
                    }
                    None => found.push(Some(tag), image),
                };
                Pulled {
                    digest: Some(digest),
                    behaviour,
                }
            }
        }
    }
}

/// The repository of an ECR reference without tag and digest; None for another registry.
fn ecr_repository(path: &str) -> Option<&str> {
    let (host, repository) = path.split_once('/')?;
    let is_ecr = host.contains(".dkr.ecr.") || host.contains(".dkr.ecr-fips.") || host.contains(".dkr-ecr.");
    is_ecr.then_some(repository)
}
