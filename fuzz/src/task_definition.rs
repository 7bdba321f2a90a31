//! The task definition: what `DescribeTaskDefinition` answered goes to `RegisterTaskDefinition` as it is, byte for byte,
//! but for the images of the containers that run the pushed repository.

use crate::assert_clear;
use ecr_deploy::domain::image::ImageReference;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::records::MOST_TAGS;
use ecr_deploy::domain::task_definition::{ImageForm, Tag, TaskDefinition};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// The image of the examples, busybox:v1 in the account 123456789012.
static IMAGE: LazyLock<PushedImage> = LazyLock::new(|| {
    let example = include_str!("../../statemachine/examples/plan.json");
    let example: serde_json::Value = serde_json::from_str(example).expect("an example is JSON");
    serde_json::from_value(example["image"].clone()).expect("an example fits the contract")
});

/// The members that a request does not take from the answer as they are: ECS only returns them, or they are compared apart.
const NOT_KEPT: [&str; 11] = [
    "compatibilities",
    "containerDefinitions",
    "deleteRequestedAt",
    "deregisteredAt",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "tags",
    "taskDefinitionArn",
];

/// The keys of our own tags begin with these: a copy has them anew, in fewer tags, or has them no more.
const OUR_TAGS: [&str; 5] = [
    "ecr-deploy:push/",
    "ecr-deploy:digest/",
    "ecr-deploy:source",
    "ecr-deploy:rolled-back",
    "ecr-deploy:by",
];

/// The members of a JSON object as they stand there, duplicate ones and all.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

impl Members {
    /// By name; of a member that is there twice the last one counts, as in every reader of JSON.
    fn last(self) -> BTreeMap<String, Box<RawValue>> {
        self.0.into_iter().collect()
    }

    /// By name, each there once.
    fn once(self) -> BTreeMap<String, Box<RawValue>> {
        let count = self.0.len();
        let members = self.last();
        assert_eq!(members.len(), count, "a member is sent twice: {members:?}");
        members
    }
}

/// `input` is the body of an answer of `DescribeTaskDefinition`.
pub(crate) fn check(input: &[u8]) {
    let source = match TaskDefinition::from_response(input) {
        Ok(source) => source,
        Err(error) => return assert_clear(&error),
    };
    for form in [ImageForm::Tag, ImageForm::Digest] {
        check_copy(input, &source, &source.with_image(&IMAGE, form), form);
    }
}

fn check_copy(input: &[u8], source: &TaskDefinition, copy: &TaskDefinition, form: ImageForm) {
    let answer = read::<Members>(input).last();
    let described = read::<Members>(answer["taskDefinition"].get().as_bytes()).last();
    let body = copy.to_register_request().expect("what was read can be written");
    let mut request = read::<Members>(&body).once();

    let tags: Vec<Tag> = request
        .remove("tags")
        .map_or_else(Vec::new, |tags| read(tags.get().as_bytes()));
    let is_other = |tag: &&Tag| !tag.key.starts_with("aws:") && !OUR_TAGS.iter().any(|ours| tag.key.starts_with(ours));
    assert!(tags.iter().filter(is_other).eq(source.tags().iter().filter(is_other)));
    assert!(!tags.iter().any(|tag| tag.key.starts_with("aws:")));
    // ECS describes no revision with more tags than it takes; with as many of the user's own there is no room for ours.
    let users = tags.iter().filter(is_other).count();
    assert!(tags.len() <= MOST_TAGS.max(users));
    if users < MOST_TAGS {
        assert!(copy.is_of_push(&IMAGE));
        assert_eq!(copy.recorded_digest(&IMAGE.repository).as_ref(), Some(&IMAGE.digest));
    }

    let sent = request
        .remove("containerDefinitions")
        .expect("containers are always sent");
    let containers = described
        .get("containerDefinitions")
        .map_or("[]", |containers| containers.get());
    let (containers, sent) = [containers, sent.get()]
        .map(|containers| read::<Vec<Members>>(containers.as_bytes()))
        .into();
    assert_eq!(containers.len(), sent.len());
    for (container, sent) in containers.into_iter().zip(sent) {
        check_container(container.last(), sent.once(), form);
    }

    let kept: BTreeMap<_, _> = described
        .into_iter()
        .filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()))
        .collect();
    assert_same(&kept, &request);

    // ECS answers to the request with the same document, whatever stands in it.
    let arn = source.arn().at_revision(7);
    let members = std::str::from_utf8(&body[1..]).expect("JSON is text");
    let answer = format!(r#"{{"taskDefinition":{{"taskDefinitionArn":"{arn}",{members}}}"#);
    let registered = TaskDefinition::from_response(answer.as_bytes()).expect("what was written can be read");
    assert!(registered.is_same_document(copy));
}

/// Every member of a container is sent as it stood, and its image too, unless it is ours.
fn check_container(
    mut described: BTreeMap<String, Box<RawValue>>,
    mut sent: BTreeMap<String, Box<RawValue>>,
    form: ImageForm,
) {
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
    let image = described
        .get("image")
        .and_then(|image| text(image)?.parse::<ImageReference>().ok());
    if let Some(image) = image.filter(|image| IMAGE.is_repository_of(image)) {
        described.remove("image");
        let sent = sent
            .remove("image")
            .and_then(|image| text(&image)?.parse::<ImageReference>().ok());
        let new = match form {
            ImageForm::Tag => image.at_tag(IMAGE.tag.clone()),
            ImageForm::Digest => image.at_digest(IMAGE.digest.clone()),
        };
        assert_eq!(sent, Some(new));
    }
    assert_same(&described, &sent);
}

fn assert_same(described: &BTreeMap<String, Box<RawValue>>, sent: &BTreeMap<String, Box<RawValue>>) {
    let [described, sent] =
        [described, sent].map(|members| members.iter().map(|(name, raw)| (name, raw.get())).collect::<Vec<_>>());
    assert_eq!(described, sent);
}

fn read<T: DeserializeOwned>(json: &[u8]) -> T {
    serde_json::from_slice(json).expect("JSON")
}
