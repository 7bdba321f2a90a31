//! A task definition is a document of which no member may be lost.
//!
//! The generated client of AWS's SDK skips members that it does not know, so a copy made through its types loses
//! whatever AWS added after the client was built. Here the document is kept as the JSON text that
//! `DescribeTaskDefinition` answered, member by member, and goes to `RegisterTaskDefinition` as that text. Only the
//! images of matched containers are written anew.
//!
//! See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>.

mod awslogs;

use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::{ImageDigest, ImageReference, ImageTag, RepositoryName};
use crate::domain::push::{PushId, PushedImage};
use crate::domain::records;
pub use crate::domain::records::Descent;
use crate::error::Error;
pub use awslogs::LogStream;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
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

/// What a plan reads of a revision: its images and what its tags record. Not the document, which is much larger and
/// of which an account may have thousands; so an outline cannot be registered.
#[derive(Debug, Clone)]
pub struct Outline {
    arn: TaskDefinitionArn,
    /// Each container's name, and its image where that can be read as a reference.
    containers: Vec<(String, Option<ImageReference>)>,
    /// The essential ones: a task ends with each of them.
    essential: Vec<String>,
    /// Those of this project.
    tags: Vec<Tag>,
    /// How many others there are that count.
    other_tags: usize,
}

impl Outline {
    /// Which revision this is.
    #[must_use]
    pub fn arn(&self) -> &TaskDefinitionArn {
        &self.arn
    }

    /// As [`TaskDefinition::containers_of`].
    #[must_use]
    pub fn containers_of(&self, image: &PushedImage) -> Vec<String> {
        let matching = self.containers.iter().filter(|(_, of)| runs(of.as_ref(), image));
        matching.map(|(name, _)| name.clone()).collect()
    }

    /// Whether this revision runs the very image: it was registered for its digest, or its containers name that.
    #[must_use]
    pub fn has_digest(&self, image: &PushedImage) -> bool {
        if let Some(recorded) = records::digest_of(&self.tags, &image.repository) {
            return recorded == image.digest;
        }
        let mut matching = self
            .containers
            .iter()
            .filter(|(_, of)| runs(of.as_ref(), image))
            .peekable();
        matching.peek().is_some()
            && matching.all(|(_, of)| of.as_ref().and_then(ImageReference::digest) == Some(&image.digest))
    }

    /// The tags by which this revision names the repository of `image`. Where it names digests, the tag that is recorded for that
    /// digest, if one is.
    #[must_use]
    pub fn image_tags(&self, image: &PushedImage) -> Vec<ImageTag> {
        let matching = self.containers.iter().filter(|(_, of)| runs(of.as_ref(), image));
        let references: Vec<&ImageReference> = matching.filter_map(|(_, of)| of.as_ref()).collect();
        let named: Vec<ImageTag> = references.iter().filter_map(|of| of.tag().cloned()).collect();
        let recorded = records::digest_of(&self.tags, &image.repository);
        let is_of_record = references.iter().all(|of| of.digest() == recorded.as_ref());
        if !named.is_empty() || references.is_empty() || !is_of_record {
            return named;
        }
        records::image_tag_of(&self.tags, &image.repository)
            .into_iter()
            .collect()
    }

    /// The names of the essential containers: all that do not say otherwise.
    /// See <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>.
    #[must_use]
    pub fn essential(&self) -> &[String] {
        &self.essential
    }

    /// As [`TaskDefinition::standing`].
    #[must_use]
    pub fn standing(&self, image: &PushedImage, now: Timestamp) -> Standing {
        standing(&self.tags, image, now)
    }

    /// The keys of our tags for which a revision with `image`, made from this one, has no room: [`TaskDefinition::tags_without_room`].
    #[must_use]
    pub fn tags_without_room(&self, image: &PushedImage) -> Vec<String> {
        records::without_room(&self.tags, self.other_tags, &self.arn, image)
    }

    /// As [`TaskDefinition::is_of_push`].
    #[must_use]
    pub fn is_of_push(&self, image: &PushedImage) -> bool {
        recorded_push(&self.tags, &image.repository).as_ref() == Some(&image.push)
    }

    /// The push of `repository` that is recorded, if its time is still to come: such a record is ignored.
    #[must_use]
    pub fn push_to_come(&self, repository: &RepositoryName, now: Timestamp) -> Option<PushId> {
        recorded_push(&self.tags, repository).filter(|push| push.is_to_come(now))
    }

    /// As [`TaskDefinition::recorded_push`].
    #[must_use]
    pub fn recorded_push(&self, repository: &RepositoryName) -> Option<PushId> {
        recorded_push(&self.tags, repository)
    }
}

/// How a revision stands to a push of a repository that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was registered for this very push.
    Ours,
    /// It was registered for a newer push of the repository.
    Newer,
    /// It was registered for an older push of the repository, or for a push of another one before any of this.
    Older,
    /// No push of the repository is recorded on it: a person or another tool registered it.
    Unrecorded,
}

/// What is known of a revision that a service is on, where it is not the one that a push is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherRevision {
    /// How it stands to the push.
    pub standing: Standing,
    /// Whether it was made to roll back the revision of the push.
    pub rolls_ours_back: bool,
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

    /// What a plan reads.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let containers = self.containers.iter();
        let (tags, others): (Vec<_>, Vec<_>) = self.tags.iter().partition(|tag| records::is_ours(&tag.key));
        let is_essential = |container: &&Container| {
            let essential = container.members.get("essential");
            essential.is_none_or(|essential| essential.get() != "false")
        };
        let essential = self.containers.iter().filter(is_essential);
        Outline {
            arn: self.arn.clone(),
            essential: essential.map(|container| container.name.clone()).collect(),
            containers: containers
                .map(|container| (container.name.clone(), container.image.clone()))
                .collect(),
            tags: tags.into_iter().cloned().collect(),
            other_tags: others.into_iter().filter(|tag| !tag.key.starts_with("aws:")).count(),
        }
    }

    /// Whether a service can be updated to it: not after it was deregistered.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_active
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

    /// The names of the containers that run the repository of `image`, at whatever tag or digest. May be empty.
    #[must_use]
    pub fn containers_of(&self, image: &PushedImage) -> Vec<String> {
        let matching = self.containers.iter().filter(|container| container.runs(image));
        matching.map(|container| container.name.clone()).collect()
    }

    /// The references by which this revision names the repository of `image`, in the order of its containers.
    pub fn references_of<'a>(&'a self, image: &'a PushedImage) -> impl Iterator<Item = &'a ImageReference> {
        self.containers
            .iter()
            .filter(|container| container.runs(image))
            .filter_map(|container| container.image.as_ref())
    }

    /// The document with `image` in every container that runs its repository, and with tags that say where it came
    /// from: the push, its digest, its tag, who pushed, the revision it was made from. Every other member and tag stays as it is.
    /// ECS takes [`records::MOST_TAGS`]: see [`Self::tags_without_room`].
    #[must_use]
    pub fn with_image(&self, image: &PushedImage, form: ImageForm) -> Self {
        let new_reference = |reference: &ImageReference| match form {
            ImageForm::Tag => reference.at_tag(image.tag.clone()),
            ImageForm::Digest => reference.at_digest(image.digest.clone()),
        };
        let document = self.with_references(image, new_reference);
        let descent = records::descent(&self.tags);
        document.with_tags(records::for_push(&self.tags, &self.arn, descent, image))
    }

    /// [`Self::with_image`], of the members and the user's own tags of `newest`, if it is given, with the other containers' images
    /// as this one has them. The tags of ours are this one's, and tell up to where the family is known.
    #[must_use]
    pub fn with_image_on(&self, newest: Option<&Self>, descent: Descent, image: &PushedImage, form: ImageForm) -> Self {
        let Some(newest) = newest else {
            let document = self.with_image(image, form);
            return document.with_tags(records::for_push(&self.tags, &self.arn, Some(descent), image));
        };
        let is_ours = |tag: &&Tag| records::is_ours(&tag.key);
        let own = newest.tags.iter().filter(|tag| !is_ours(tag));
        let tags: Vec<Tag> = self.tags.iter().filter(is_ours).chain(own).cloned().collect();
        let document = Self {
            arn: self.arn.clone(),
            ..newest.with_images_of(self).with_image(image, form)
        };
        document.with_tags(records::for_push(&tags, &self.arn, Some(descent), image))
    }

    /// The document with the image of each container as `other` has it in the container of that name, where that is of the same
    /// repository.
    #[must_use]
    pub fn with_images_of(&self, other: &Self) -> Self {
        let mut document = self.clone();
        for container in &mut document.containers {
            let same = other.containers.iter().find(|running| running.name == container.name);
            let is_of_same = |running: &&Container| match (&running.image, &container.image) {
                (Some(running), Some(own)) => {
                    running.registry() == own.registry() && running.repository() == own.repository()
                }
                _ => false,
            };
            if let Some(running) = same.filter(is_of_same)
                && let Some(image) = running.members.get("image")
            {
                container.members.insert("image".to_owned(), image.clone());
                container.image.clone_from(&running.image);
            }
        }
        document
    }

    /// The names of the members in which this document differs from `other`: `cpu`, `environment of web`, `container log`. Never
    /// a value.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Vec<String> {
        let mut differs = differing(&self.members, &other.members);
        let named = |of: &Self, name: &str| of.containers.iter().position(|container| container.name == name);
        for container in &self.containers {
            let name = &container.name;
            match named(other, name) {
                None => differs.push(format!("container {name}, which is new")),
                Some(place) => {
                    let members = differing(&container.members, &other.containers[place].members);
                    differs.extend(members.into_iter().map(|member| format!("{member} of {name}")));
                }
            }
        }
        let gone = other
            .containers
            .iter()
            .filter(|container| named(self, &container.name).is_none());
        differs.extend(gone.map(|container| format!("container {}, which is gone", container.name)));
        differs
    }

    /// Whether it was made by us, by the tag that says from what.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        records::source(&self.tags).is_some()
    }

    /// Up to where the family was known when this revision was made, if that is recorded.
    #[must_use]
    pub fn descent(&self) -> Option<Descent> {
        records::descent(&self.tags)
    }

    /// The document with every container that runs the repository of `image` pinned to `digest`, the contents it ran
    /// before its tag was overwritten. Its tags stay, and say besides which revision it was made from and that it was
    /// made to roll back `failed`.
    #[must_use]
    pub fn pinned(&self, image: &PushedImage, digest: &ImageDigest, failed: &TaskDefinitionArn) -> Self {
        let document = self.with_references(image, |reference| reference.at_digest(digest.clone()));
        let recorded = records::image_tag_of(&self.tags, &image.repository);
        let named = self.references_of(image).find_map(ImageReference::tag);
        let pinned = Some(records::Pinned {
            repository: &image.repository,
            digest,
            tag: named.or(recorded.as_ref()),
        });
        document.with_tags(records::for_rollback(&self.tags, &self.arn, pinned, failed))
    }

    /// The document as it is, to be registered once more since this revision was deregistered. Its tags stay, and say
    /// besides which revision it was made from and that it was made to roll back `failed`.
    #[must_use]
    pub fn copy_for_rollback(&self, failed: &TaskDefinitionArn) -> Self {
        self.clone()
            .with_tags(records::for_rollback(&self.tags, &self.arn, None, failed))
    }

    fn with_tags(self, records::Written { tags, without_room }: records::Written) -> Self {
        Self {
            tags,
            tags_without_room: without_room,
            ..self
        }
    }

    /// The keys of the tags that this document was to get and has not: the user's own leave no room for them.
    #[must_use]
    pub fn tags_without_room(&self) -> &[String] {
        &self.tags_without_room
    }

    /// The revision that this one was made to roll back, `web:42`, if it was made for that.
    #[must_use]
    pub fn rolled_back(&self) -> Option<&str> {
        records::rolled_back(&self.tags)
    }

    /// Whether this one was made to roll `failed` back.
    #[must_use]
    pub fn rolls_back(&self, failed: &TaskDefinitionArn) -> bool {
        self.rolled_back() == Some(records::name_of(failed))
    }

    /// The revision that this one was made from, if it was one of ours.
    #[must_use]
    pub fn source(&self) -> Option<TaskDefinitionArn> {
        let (family, revision) = records::source(&self.tags)?.rsplit_once(':')?;
        // Of a name that is too long for a tag, the end is there.
        let revision = revision.parse().ok().filter(|_| self.arn.family().ends_with(family))?;
        Some(self.arn.at_revision(revision))
    }

    /// Whether `other` records the same pushes, of whatever repositories.
    #[must_use]
    pub fn records_same_pushes(&self, other: &Self) -> bool {
        records::pushes(&self.tags) == records::pushes(&other.tags)
    }

    fn with_references(&self, image: &PushedImage, new: impl Fn(&ImageReference) -> ImageReference) -> Self {
        let mut document = self.clone();
        for container in document.containers.iter_mut().filter(|container| container.runs(image)) {
            let reference = container.image.as_ref().map(&new);
            if let Some(raw) = reference.as_ref().and_then(|reference| to_raw(&reference.to_string())) {
                container.members.insert("image".to_owned(), raw);
                container.image = reference;
            }
        }
        document
    }

    /// Whether ECS would have made this revision of `other`: the same document with the same tags, those of AWS not counted.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        let tags = |of: &Self| -> Vec<Tag> {
            let tags = of.tags.iter().filter(|tag| !tag.key.starts_with("aws:"));
            tags.cloned().collect()
        };
        tags(self) == tags(other) && self.is_same_document(other)
    }

    /// Whether `other` would run the same: every member equal, whatever the spelling of the JSON and the tags.
    #[must_use]
    pub fn is_same_document(&self, other: &Self) -> bool {
        let values = |document: &Document| -> BTreeMap<String, Value> {
            document
                .iter()
                .map(|(name, raw)| (name.clone(), to_value(raw)))
                .collect()
        };
        let containers = |of: &Self| {
            of.containers
                .iter()
                .map(|container| values(&container.members))
                .collect::<Vec<_>>()
        };
        values(&self.members) == values(&other.members) && containers(self) == containers(other)
    }

    /// How this revision stands to `image`'s push, by the tag it was registered with. A push whose time is still to come is none:
    /// a mistyped year, or a tag of somebody else's, would keep every later push out.
    #[must_use]
    pub fn standing(&self, image: &PushedImage, now: Timestamp) -> Standing {
        standing(&self.tags, image, now)
    }

    /// Whether this revision was registered for `image`'s push, under this tag or another one: see [`ONE_PUSH`].
    #[must_use]
    pub fn is_of_push(&self, image: &PushedImage) -> bool {
        is_of_push(&self.tags, image)
    }

    /// The push that this revision was registered for, where that is one with `image`'s: the same digest, which came with it
    /// under another tag. Else `image` itself.
    #[must_use]
    pub fn push_of(&self, image: &PushedImage) -> PushedImage {
        let recorded = self.recorded_push(&image.repository);
        let Some(push) = recorded.filter(|_| self.is_of_push(image)) else {
            return image.clone();
        };
        let tag = self.references_of(image).find_map(|reference| reference.tag().cloned());
        PushedImage {
            tag: tag.filter(|_| push != image.push).unwrap_or_else(|| image.tag.clone()),
            push,
            ..image.clone()
        }
    }

    /// Whether `other` is of a push that came between this revision's and `image`'s, where those two are one by their digest:
    /// then they are two all the same, since the newest push counts.
    #[must_use]
    pub fn is_overtaken(&self, other: &Self, image: &PushedImage) -> bool {
        let [own, between] = [self, other].map(|of| of.recorded_push(&image.repository));
        match (own, between) {
            (Some(own), Some(between)) => own < between && between < image.push && !other.is_of_push(image),
            _ => false,
        }
    }

    /// What this revision is to `image`'s push, whose own revision is `ours`.
    #[must_use]
    pub fn beside(&self, ours: &TaskDefinitionArn, image: &PushedImage, now: Timestamp) -> OtherRevision {
        OtherRevision {
            standing: self.standing(image, now),
            rolls_ours_back: self.rolls_back(ours),
        }
    }

    /// The push of `repository` that this revision was registered for, if it was one of ours.
    #[must_use]
    pub fn recorded_push(&self, repository: &RepositoryName) -> Option<PushId> {
        recorded_push(&self.tags, repository)
    }

    /// The digest of `repository` that this revision was registered for, if it was one of ours.
    #[must_use]
    pub fn recorded_digest(&self, repository: &RepositoryName) -> Option<ImageDigest> {
        records::digest_of(&self.tags, repository)
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
            members: BTreeMap<&'a str, &'a RawValue>,
            container_definitions: Vec<&'a Document>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tags: Vec<&'a Tag>,
        }
        let request = Request {
            members: self
                .members
                .iter()
                .map(|(name, raw)| (name.as_str(), raw.as_ref()))
                .collect(),
            container_definitions: self.containers.iter().map(|container| &container.members).collect(),
            tags: self.tags.iter().filter(|tag| !tag.key.starts_with("aws:")).collect(),
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

    fn runs(&self, image: &PushedImage) -> bool {
        runs(self.image.as_ref(), image)
    }
}

fn runs(reference: Option<&ImageReference>, image: &PushedImage) -> bool {
    reference.is_some_and(|reference| image.is_repository_of(reference))
}

/// How long after each other the tags of one image are put on it by one pipeline. Tags that come within this time are one
/// push, whichever event arrives first: the image is rolled out once, and once only also where it is bad. The same image
/// under a tag that comes later is a push of its own: a promotion.
pub const ONE_PUSH: SignedDuration = SignedDuration::from_mins(1);

/// Whether the tags record the push of `image`, or that of the same digest under another tag.
fn is_of_push(tags: &[Tag], image: &PushedImage) -> bool {
    let Some(recorded) = recorded_push(tags, &image.repository) else {
        return false;
    };
    recorded == image.push
        || (recorded.at().duration_since(image.push.at()).abs() <= ONE_PUSH
            && records::digest_of(tags, &image.repository).as_ref() == Some(&image.digest))
}

fn standing(tags: &[Tag], image: &PushedImage, now: Timestamp) -> Standing {
    if is_of_push(tags, image) {
        return Standing::Ours;
    }
    let recorded = recorded_push(tags, &image.repository).filter(|push| !push.is_to_come(now));
    match recorded.map(|recorded| recorded.cmp(&image.push)) {
        Some(Ordering::Equal) => Standing::Ours,
        Some(Ordering::Greater) => Standing::Newer,
        Some(Ordering::Less) => Standing::Older,
        // Made by us for another repository, from a revision that had no push of this one.
        None if records::source(tags).is_some() => Standing::Older,
        None => Standing::Unrecorded,
    }
}

fn recorded_push(tags: &[Tag], repository: &RepositoryName) -> Option<PushId> {
    records::record_of(tags, repository).map(|record| record.push)
}

/// The tag that says which revision a revision was made from.
pub const SOURCE_TAG: &str = "ecr-deploy:source";

/// The tag that says which revision a pinned revision was made to roll back.
pub const ROLLED_BACK_TAG: &str = "ecr-deploy:rolled-back";

/// The tag that says who pushed last, as CloudTrail names him.
pub const BY_TAG: &str = "ecr-deploy:by";

/// The names of the members that two objects do not have alike.
fn differing(one: &Document, other: &Document) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let value = |of: &Document, name: &String| of.get(name).map(|raw| to_value(raw));
    let differing = names.into_iter().filter(|name| value(one, name) != value(other, name));
    differing.cloned().collect()
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

fn to_raw(text: &str) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(text).ok()
}

/// Raw values come out of a parser, so they always parse; the fallback keeps the text, and so the comparison honest.
fn to_value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| Value::String(raw.get().to_owned()))
}
