//! The records in a revision's tags: which push it was registered for, of which digest, by whom, from which revision.
//!
//! ECS takes 50 tags at most (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html>), and the
//! user's own stay. So a repository has one tag, `ecr-deploy:push/<repository>`, with the push, the digest, the image's tag and
//! who pushed. Where there is no room for all of ours, what gives way is ours: first who pushed, then the other repositories'
//! oldest pushes.
//!
//! Revisions of earlier versions have the digest in a tag of its own, `ecr-deploy:digest/<repository>`; it is read still. So it is
//! of a revision that no push was recorded for and that was pinned to roll back.

use crate::domain::arn::TaskDefinitionArn;
use crate::domain::image::{ImageDigest, ImageTag, RepositoryName};
use crate::domain::push::{PushId, PushedImage};
use crate::domain::task_definition::Tag;
use crate::domain::text::checksum;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many tags ECS takes, those that AWS itself sets not counted.
pub const MOST_TAGS: usize = 50;

/// The tag that says which revision a revision was made from.
pub const SOURCE_TAG: &str = "ecr-deploy:source";

/// The tag that says which revision a pinned revision was made to roll back.
const ROLLED_BACK_TAG: &str = "ecr-deploy:rolled-back";

/// The tag that says who pushed last, as CloudTrail names him.
const BY_TAG: &str = "ecr-deploy:by";

const PUSH: &str = "ecr-deploy:push/";
const DIGEST: &str = "ecr-deploy:digest/";

/// The longest key and the longest value that ECS takes for a tag.
const KEY_LENGTH: usize = 128;
const VALUE_LENGTH: usize = 256;

/// The push of a repository that a revision was registered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) push: PushId,
    pub(crate) digest: Option<ImageDigest>,
    /// `None` where an earlier version wrote the record, or where there was no room for it.
    pub(crate) tag: Option<ImageTag>,
}

/// Up to where a family is known: what is recorded behind the source of a revision of ours, `web:41 base 7 seen 40`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descent {
    /// The number of the newest revision of somebody else's whose members it has.
    pub base: u64,
    /// Up to this number, the family has nothing of somebody else's that is newer.
    pub seen: u64,
}

/// The tags of a revision that is to be registered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// All of its tags, sorted by key.
    pub(crate) tags: Vec<Tag>,
    /// The keys of those of ours for which there is no room.
    pub(crate) without_room: Vec<String>,
}

/// Which tags are ours. Another one that begins so, such as `ecr-deploy:stage`, is the user's.
pub(crate) fn is_ours(key: &str) -> bool {
    [SOURCE_TAG, ROLLED_BACK_TAG, BY_TAG].contains(&key) || key.starts_with(PUSH) || key.starts_with(DIGEST)
}

/// Returns the record of a repository.
pub(crate) fn record_of(tags: &[Tag], repository: &RepositoryName) -> Option<Record> {
    let Some(value) = value_of(tags, &key(PUSH, repository)) else {
        let (checksum, record) = in_source(tags)?;
        return (checksum == checksum_of(repository)).then_some(record);
    };
    let record = read(value)?;
    let apart = || apart(tags, repository).map(|(digest, _)| digest);
    Some(Record {
        digest: record.digest.or_else(apart),
        ..record
    })
}

/// The digest that is recorded of a repository.
pub(crate) fn digest_of(tags: &[Tag], repository: &RepositoryName) -> Option<ImageDigest> {
    match record_of(tags, repository) {
        Some(record) => record.digest,
        None => apart(tags, repository).map(|(digest, _)| digest),
    }
}

/// Who pushed last, if that is recorded.
pub(crate) fn by(tags: &[Tag]) -> Option<&str> {
    value_of(tags, BY_TAG)
}

/// The image's tag that is recorded of a repository, beside its digest.
pub(crate) fn image_tag_of(tags: &[Tag], repository: &RepositoryName) -> Option<ImageTag> {
    match record_of(tags, repository) {
        Some(record) => record.tag,
        None => apart(tags, repository)?.1,
    }
}

/// The digest of a repository that is recorded in a tag of its own, and behind it the image's tag, if it is there.
fn apart(tags: &[Tag], repository: &RepositoryName) -> Option<(ImageDigest, Option<ImageTag>)> {
    let mut words = value_of(tags, &key(DIGEST, repository))?.split(' ');
    let digest = words.next()?.parse().ok()?;
    Some((digest, words.next().and_then(|tag| tag.parse().ok())))
}

/// The checksum of a repository and its record, where they stand behind the source, in the only tag that there was room for.
fn in_source(tags: &[Tag]) -> Option<(&str, Record)> {
    let (_, behind) = value_of(tags, SOURCE_TAG)?.split_once(' ')?;
    let (checksum, record) = behind.split_once(' ')?;
    Some((checksum, read(record)?))
}

/// The pushes that are recorded, of whatever repositories.
pub(crate) fn pushes(tags: &[Tag]) -> BTreeMap<&str, PushId> {
    let pushes = tags.iter().filter(|tag| tag.key.starts_with(PUSH));
    let pushes = pushes.filter_map(|tag| Some((tag.key.as_str(), read(&tag.value)?.push)));
    let in_source = in_source(tags).map(|(checksum, record)| (checksum, record.push));
    pushes.chain(in_source).collect()
}

/// The revision, `web:41`, that a revision was made from, if it was one of ours.
pub(crate) fn source(tags: &[Tag]) -> Option<&str> {
    value_of(tags, SOURCE_TAG)?.split(' ').next()
}

/// Up to where the family was known when a revision was made, if that is recorded.
pub(crate) fn descent(tags: &[Tag]) -> Option<Descent> {
    let words: Vec<&str> = value_of(tags, SOURCE_TAG)?.split(' ').collect();
    let [_, "base", base, "seen", seen, ..] = words[..] else {
        return None;
    };
    Some(Descent {
        base: base.parse().ok()?,
        seen: seen.parse().ok()?,
    })
}

/// The revision, `web:42`, that a revision was made to roll back, if it was.
pub(crate) fn rolled_back(tags: &[Tag]) -> Option<&str> {
    let in_source = || Some(value_of(tags, SOURCE_TAG)?.split_once(" rolled-back ")?.1);
    value_of(tags, ROLLED_BACK_TAG).or_else(in_source)
}

/// A revision as the value of a tag, `web:42`: of a family whose name is too long for one, the end.
pub(crate) fn name_of(revision: &TaskDefinitionArn) -> &str {
    let short = revision.short();
    &short[short.len().saturating_sub(VALUE_LENGTH)..]
}

/// The tag that says which revision a revision was made from, and up to where the family was known.
fn source_tag(source: &TaskDefinitionArn, descent: Option<Descent>) -> Tag {
    let descent = descent.map(|Descent { base, seen }| format!(" base {base} seen {seen}"));
    let descent = descent.unwrap_or_default();
    let name = name_of(source);
    let kept = &name[name.len().saturating_sub(VALUE_LENGTH - descent.len())..];
    tag(SOURCE_TAG, &format!("{kept}{descent}"))
}

/// The tags of a revision that is made from `source`, which has `tags`, for a push; `family` tells up to where the family is known.
pub(crate) fn for_push(
    tags: &[Tag],
    source: &TaskDefinitionArn,
    family: Option<Descent>,
    image: &PushedImage,
) -> Written {
    let ours = key(PUSH, &image.repository);
    let by = image.by.as_ref().map(|by| fitting(by.as_str()));
    let record = with_tag(&format!("{} {}", image.push, image.digest), Some(&image.tag));
    let recorded = with_who(&record, by.as_deref());
    let mut wanted = vec![source_tag(source, family), tag(&ours, &recorded)];
    wanted.extend(others(tags, &[ours, key(DIGEST, &image.repository)]));
    wanted.extend(by.map(|by| tag(BY_TAG, &by)));
    let in_one = format!(
        "{} {} {} {}",
        source.short(),
        checksum_of(&image.repository),
        image.push,
        image.digest
    );
    fit(tags, wanted, &with_tag(&in_one, Some(&image.tag)))
}

/// The keys of those of our tags that [`for_push`] omits where `ours` is what `source` has of them, beside so many others.
pub(crate) fn without_room(
    ours: &[Tag],
    others: usize,
    source: &TaskDefinitionArn,
    image: &PushedImage,
) -> Vec<String> {
    // The push, who pushed and the source come on top at most.
    if ours.len() + others + 3 <= MOST_TAGS {
        return Vec::new();
    }
    let others = (0..others).map(|number| tag(&number.to_string(), ""));
    let tags: Vec<Tag> = ours.iter().cloned().chain(others).collect();
    for_push(&tags, source, None, image).without_room
}

/// A copy's containers of a repository that are pinned to a digest, and the image's tag that stood for it, where that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned<'a> {
    pub(crate) repository: &'a RepositoryName,
    pub(crate) digest: &'a ImageDigest,
    pub(crate) tag: Option<&'a ImageTag>,
}

/// The tags of a copy of `source`, which has `tags`, that is made to roll back `failed`.
pub(crate) fn for_rollback(
    tags: &[Tag],
    source: &TaskDefinitionArn,
    pinned: Option<Pinned<'_>>,
    failed: &TaskDefinitionArn,
) -> Written {
    let mut wanted = vec![source_tag(source, descent(tags)), tag(ROLLED_BACK_TAG, name_of(failed))];
    if let Some(pinned) = pinned {
        let Pinned { repository, digest, .. } = pinned;
        let of_this = [PUSH, DIGEST].map(|prefix| key(prefix, repository));
        let (key, record) = match record_of(tags, repository) {
            Some(record) => (&of_this[0], format!("{} {digest}", record.push)),
            None => (&of_this[1], digest.to_string()),
        };
        wanted.push(tag(key, &with_tag(&record, pinned.tag)));
        wanted.extend(others(tags, &of_this));
    } else {
        wanted.extend(others(tags, &[]));
    }
    wanted.extend(tags.iter().filter(|tag| tag.key == BY_TAG).cloned());
    let in_one = format!("{} rolled-back {}", source.short(), failed.short());
    fit(tags, wanted, &in_one)
}

/// Returns the records of the repositories but for those under the keys `skipped`, the newest push first: each in one tag.
fn others(tags: &[Tag], skipped: &[String]) -> Vec<Tag> {
    let of_others = |prefix| {
        let of_kind = tags.iter().filter(move |tag| tag.key.starts_with(prefix));
        of_kind.filter(|tag| !skipped.contains(&tag.key))
    };
    let mut pushes: Vec<(Option<PushId>, Tag)> = Vec::new();
    let mut merged = Vec::new();
    for of_push in of_others(PUSH) {
        let record = read(&of_push.value);
        let apart = of_push.key.strip_prefix(PUSH).map(|name| format!("{DIGEST}{name}"));
        let digest = apart.as_deref().and_then(|apart| value_of(tags, apart));
        let value = match (&record, digest) {
            (Some(Record { digest: None, push, .. }), Some(digest)) => {
                merged.extend(apart);
                format!("{push} {digest}")
            }
            _ => of_push.value.clone(),
        };
        pushes.push((record.map(|record| record.push), tag(&of_push.key, &value)));
    }
    pushes.sort_by_key(|(push, _)| Reverse(push.clone()));
    let digests = of_others(DIGEST).filter(|tag| !merged.contains(&tag.key)).cloned();
    pushes.into_iter().map(|(_, tag)| tag).chain(digests).collect()
}

/// The user's tags of `tags`, and of `wanted`, most needed first, as many as there is room for. With room for one, what is needed
/// most is `in_one`.
fn fit(tags: &[Tag], wanted: Vec<Tag>, in_one: &str) -> Written {
    let mut all: Vec<Tag> = tags.iter().filter(|tag| !is_ours(&tag.key)).cloned().collect();
    let users = all.iter().filter(|tag| !tag.key.starts_with("aws:")).count();
    let room = MOST_TAGS.saturating_sub(users);
    let mut wanted = wanted;
    let without_room = wanted.split_off(room.min(wanted.len()));
    if let ([only], false) = (wanted.as_mut_slice(), without_room.is_empty())
        && in_one.len() <= VALUE_LENGTH
    {
        in_one.clone_into(&mut only.value);
    }
    all.extend(wanted);
    all.sort();
    Written {
        tags: all,
        without_room: without_room.into_iter().map(|tag| tag.key).collect(),
    }
}

/// Reads `<time> <event id>`, the digest behind it, if there is one, and the image's tag behind that. In the place of the tag there
/// may be who pushed, which is an ARN and so is no tag.
fn read(value: &str) -> Option<Record> {
    let mut words = value.split(' ');
    let (at, id) = (words.next()?, words.next()?);
    Some(Record {
        push: format!("{at} {id}").try_into().ok()?,
        digest: words.next().and_then(|digest| digest.parse().ok()),
        tag: words.next().and_then(|tag| tag.parse().ok()),
    })
}

/// A record, and the image's tag, if there is room for all of it.
fn with_tag(record: &str, tag: Option<&ImageTag>) -> String {
    match tag {
        Some(tag) if record.len() + 1 + tag.as_str().len() <= VALUE_LENGTH => format!("{record} {tag}"),
        _ => record.to_owned(),
    }
}

/// A record, and who pushed, as far as there is room for it.
fn with_who(record: &str, by: Option<&str>) -> String {
    let room = VALUE_LENGTH.saturating_sub(record.len() + 1);
    match by {
        // So few letters of an ARN could be read as a tag.
        Some(by) if room > "arn:".len() => format!("{record} {}", &by[..by.len().min(room)]),
        _ => record.to_owned(),
    }
}

/// A text as the value of a tag: what ECS does not take is replaced.
fn fitting(text: &str) -> String {
    let is_taken = |character: &char| character.is_ascii_alphanumeric() || " +-=._:/@".contains(*character);
    let taken = text
        .chars()
        .map(|character| if is_taken(&character) { character } else { '_' });
    taken.take(VALUE_LENGTH).collect()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn value_of<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
}

/// The key of a repository's tag. A repository's name may be longer than a key: then the middle of the name gives way to a
/// checksum of the whole, so that two repositories never share a key.
fn key(prefix: &str, repository: &RepositoryName) -> String {
    let name = repository.as_str();
    let room = KEY_LENGTH - prefix.len();
    if name.len() <= room {
        return prefix.to_owned() + name;
    }
    let checksum = format!("={}=", checksum_of(repository));
    let kept = room - checksum.len();
    format!(
        "{prefix}{}{checksum}{}",
        &name[..kept / 2],
        &name[name.len() - (kept - kept / 2)..]
    )
}

fn checksum_of(repository: &RepositoryName) -> String {
    checksum(repository.as_str())
}

#[cfg(test)]
mod tests;
