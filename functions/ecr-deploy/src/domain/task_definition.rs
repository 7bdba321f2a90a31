//! A task definition is a document of which no member may be lost.
//!
//! The generated client of AWS's SDK skips members that it does not know, so a copy made through its types loses
//! whatever AWS added after the client was built. Here the document is kept as the JSON text that
//! `DescribeTaskDefinition` answered, member by member, and goes to `RegisterTaskDefinition` as that text. Only the
//! images of matched containers are written anew.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>.

mod awslogs;
mod compare;
mod outline;
mod revise;
mod standing;

use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::ImageReference;
use crate::domain::push::PushedImage;
pub use crate::domain::records::{Descent, SOURCE_TAG};
use crate::error::Error;
pub use awslogs::LogStream;
use jiff::{SignedDuration, Timestamp};
pub use outline::{ContainerImage, Outline, Outlines};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
pub use standing::{ONE_PUSH, OtherRevision, Standing};
use std::collections::BTreeMap;
use std::fmt;

/// The members that `DescribeTaskDefinition` returns and `RegisterTaskDefinition` does not take.
pub const OUTPUT_ONLY_MEMBERS: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// A JSON object whose members are kept as the text they came in.
type Document = BTreeMap<String, Box<RawValue>>;

/// A tag on a revision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// The key, at most 128 characters.
    pub key: String,
    /// The value, at most 256 characters; a tag may be without one.
    #[serde(default)]
    pub value: String,
}

/// How a new revision names the pushed image: the setting `imageReference`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageForm {
    /// `repository:tag`. ECS resolves it to a digest once per deployment.
    #[default]
    Tag,
    /// `repository@digest`. It stays the same contents whatever happens to the tag.
    Digest,
}

/// One revision of a task definition, with its tags.
#[derive(Debug, Clone)]
pub struct TaskDefinition {
    arn: TaskDefinitionArn,
    is_active: bool,
    registered_at: Option<Timestamp>,
    members: Document,
    containers: Vec<Container>,
    tags: Vec<Tag>,
    /// The keys of the tags of ours for which there is no room.
    tags_without_room: Vec<String>,
}

#[derive(Debug, Clone)]
struct Container {
    name: String,
    /// `None` when the image cannot be read as a reference, such as the placeholder `<IMAGE1_NAME>`: it is never ours.
    image: Option<ImageReference>,
    members: Document,
}

impl TaskDefinition {
    /// Reads the body of an answer of `DescribeTaskDefinition` or `RegisterTaskDefinition`.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput`, saying which member cannot be read, when it is not such a body.
    pub fn from_response(body: &[u8]) -> Result<Self, Error> {
        let mut response: Document = serde_json::from_slice(body).map_err(invalid)?;
        let mut members: Document = take(&mut response, "taskDefinition")?.unwrap_or_default();
        let arn = take(&mut members, "taskDefinitionArn")?.ok_or_else(|| invalid("it has no taskDefinitionArn"))?;
        let containers: Vec<Document> = take(&mut members, "containerDefinitions")?.unwrap_or_default();
        let containers = containers.into_iter().map(Container::read).collect();
        let is_active = members.get("status").is_none_or(|status| status.get() == "\"ACTIVE\"");
        let registered_at = members.get("registeredAt").and_then(|at| seconds(at));
        // A request has its tags where the answer has the document, so one of that name inside would be sent twice.
        members.retain(|name, _| !OUTPUT_ONLY_MEMBERS.contains(&name.as_str()) && name != "tags");
        let mut tags: Vec<Tag> = take(&mut response, "tags")?.unwrap_or_default();
        tags.sort();
        Ok(Self {
            arn,
            is_active,
            registered_at,
            members,
            containers,
            tags,
            tags_without_room: Vec::new(),
        })
    }

    /// Which revision this is; for a document made by [`Self::with_image`], which one it was made from.
    #[must_use]
    pub fn arn(&self) -> &TaskDefinitionArn {
        &self.arn
    }

    /// True if a service can be updated to it: not after it was deregistered.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// The roles of its tasks, as ARNs or as names: `taskRoleArn` and `executionRoleArn`, where it has them.
    pub fn roles(&self) -> impl Iterator<Item = String> {
        let members = ["taskRoleArn", "executionRoleArn"].into_iter();
        let role = |member| serde_json::from_str(self.members.get(member)?.get()).ok();
        members.filter_map(role)
    }

    /// When it was registered, as far as ECS says.
    #[must_use]
    pub fn registered_at(&self) -> Option<Timestamp> {
        self.registered_at
    }

    /// The revision's tags, sorted by key.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Those that AWS did not set itself, as it alone may.
    fn own_tags(&self) -> impl Iterator<Item = &Tag> {
        self.tags.iter().filter(|tag| !tag.key.starts_with("aws:"))
    }

    /// The names of the containers that run the repository of `image`, at whatever tag or digest. May be empty.
    #[must_use]
    pub fn containers_of(&self, image: &PushedImage) -> Vec<String> {
        let matching = self.images().filter(|(_, reference)| image.is_repository_of(reference));
        matching.map(|(container, _)| container.to_owned()).collect()
    }

    /// The name of each container with its image, where that can be read as a reference.
    pub fn images(&self) -> impl Iterator<Item = (&str, &ImageReference)> {
        let images = self.containers.iter();
        images.filter_map(|container| Some((container.name.as_str(), container.image.as_ref()?)))
    }

    /// The references by which this revision names the repository of `image`, in the order of its containers.
    pub fn references_of<'a>(&'a self, image: &'a PushedImage) -> impl Iterator<Item = &'a ImageReference> {
        let references = self.images().map(|(_, reference)| reference);
        references.filter(|reference| image.is_repository_of(reference))
    }

    /// The body of a `RegisterTaskDefinition` request that registers this document in its family.
    ///
    /// Tags that AWS itself put on the revision (`aws:…`) are skipped, since nobody else may set them; so is an empty
    /// list of tags.
    ///
    /// # Errors
    ///
    /// `Deploy.InvalidInput` when the document cannot be written, which no document that was read can cause.
    pub fn to_register_request(&self) -> Result<Vec<u8>, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Request<'a> {
            #[serde(flatten)]
            members: &'a Document,
            container_definitions: Vec<&'a Document>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tags: Vec<&'a Tag>,
        }
        let request = Request {
            members: &self.members,
            container_definitions: self.containers.iter().map(|container| &container.members).collect(),
            tags: self.own_tags().collect(),
        };
        serde_json::to_vec(&request)
            .map_err(|error| Error::InvalidInput(format!("{} cannot be written as JSON: {error}", self.arn.short())))
    }
}

impl Container {
    fn read(members: Document) -> Self {
        let text = |name: &str| {
            members
                .get(name)
                .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
        };
        Self {
            name: text("name").unwrap_or_default(),
            image: text("image").and_then(|image| image.parse().ok()),
            members,
        }
    }
}

/// A moment as ECS writes it: seconds since 1970, with a fraction.
fn seconds(raw: &RawValue) -> Option<Timestamp> {
    let seconds: f64 = raw.get().parse().ok()?;
    Timestamp::UNIX_EPOCH
        .checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?)
        .ok()
}

/// Takes a member out of ECS's answer and reads it, if it is there.
fn take<T: DeserializeOwned>(document: &mut Document, name: &str) -> Result<Option<T>, Error> {
    let raw = document.remove(name);
    let read = raw.map(|raw| serde_json::from_str(raw.get())).transpose();
    read.map_err(|error| invalid(format_args!("{name}: {error}")))
}

fn invalid(message: impl fmt::Display) -> Error {
    Error::invalid_input(format_args!(
        "ECS's answer holds no task definition that can be read: {message}"
    ))
}
