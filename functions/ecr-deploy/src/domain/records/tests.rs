//! Records that are written into tags and read off them again.

use super::*;
use crate::testing::{arn, digest, pushed};
use proptest::prelude::*;

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn users(count: usize) -> Vec<Tag> {
    (0..count)
        .map(|number| tag(&format!("team-{number}"), "shop"))
        .collect()
}

fn by(who: &str) -> PushedImage {
    PushedImage {
        by: Some(who.to_owned().try_into().unwrap()),
        ..pushed(2)
    }
}

fn written(pairs: &[(&str, &str)]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = pairs.iter().map(|(key, value)| tag(key, value)).collect();
    tags.sort();
    tags
}

const WHO: &str = "arn:aws:sts::123456789012:assumed-role/ci/build-7";

#[test]
fn a_push_is_one_tag_with_its_digest_its_tag_and_who_and_two_more_say_from_what_and_who_pushed_last() {
    let image = by(WHO);
    let all = for_push(&users(1), &arn("web:1"), None, &image);
    let record = format!("{} {} v2 {WHO}", image.push, image.digest);
    let expected = [
        ("ecr-deploy:by", WHO),
        ("ecr-deploy:push/app", &record),
        ("ecr-deploy:source", "web:1"),
        ("team-0", "shop"),
    ];
    assert_eq!(all.tags, written(&expected));
    assert_eq!(all.without_room, Vec::<String>::new());
    let read = record_of(&all.tags, &image.repository).unwrap();
    assert_eq!((read.push, read.digest), (image.push, Some(image.digest)));
    assert_eq!(read.tag, Some(image.tag));
}

/// A record with the digest, and what stands behind it.
#[test]
fn the_tag_of_an_image_is_read_off_its_record_and_who_pushed_is_not_taken_for_it() {
    let record = format!("{} {}", pushed(1).push, digest(1));
    for (behind, expected) in [
        ("", None),
        (" v1.4.0", Some("v1.4.0")),
        (" v1.4.0 arn:aws:iam::123456789012:user/ci", Some("v1.4.0")),
        (" arn:aws:iam::123456789012:user/ci", None),
        (" arn:", None),
    ] {
        let tags = written(&[("ecr-deploy:push/app", &format!("{record}{behind}"))]);
        let read = image_tag_of(&tags, &repository("app"));
        assert_eq!(read.as_ref().map(ImageTag::as_str), expected, "{behind:?}");
        assert_eq!(digest_of(&tags, &repository("app")), Some(digest(1)), "{behind:?}");
    }
    let apart = written(&[("ecr-deploy:digest/app", &format!("{} v1.4.0", digest(1)))]);
    let read = image_tag_of(&apart, &repository("app"));
    assert_eq!(
        read.as_ref().map(ImageTag::as_str),
        Some("v1.4.0"),
        "of a copy without a push"
    );
    assert_eq!(digest_of(&apart, &repository("app")), Some(digest(1)));
}

#[test]
fn a_tag_for_which_there_is_no_room_is_not_recorded_in_part() {
    let image = |length: usize| PushedImage {
        tag: "x".repeat(length).parse().unwrap(),
        ..by(WHO)
    };
    let room = VALUE_LENGTH - format!("{} {} ", pushed(2).push, digest(2)).len();
    let longest = PushId::new("2026-05-04T12:00:00.123456789Z".parse().unwrap(), &"a".repeat(64)).unwrap();
    let crowded = PushedImage {
        push: longest,
        ..image(128)
    };
    for (image, is_recorded) in [(image(128), room >= 128), (image(20), true), (crowded, false)] {
        let all = for_push(&[], &arn("web:1"), None, &image).tags;
        let read = record_of(&all, &image.repository).unwrap();
        let expected = is_recorded.then(|| image.tag.clone());
        assert_eq!(
            (read.push, read.digest, read.tag),
            (image.push, Some(image.digest), expected)
        );
    }
}

#[test]
fn who_pushed_before_is_not_said_of_a_push_that_does_not_tell() {
    let before = for_push(&[], &arn("web:1"), None, &by(WHO)).tags;
    let after = for_push(&before, &arn("web:2"), None, &pushed(3)).tags;
    assert_eq!(value_of(&after, BY_TAG), None);
}

#[test]
fn what_a_tag_cannot_hold_is_replaced_and_what_is_too_long_is_cut() {
    let long = format!("arn:aws:iam::123456789012:user/a,b{}", "x".repeat(400));
    let image = by(&long);
    let all = for_push(&[], &arn("web:1"), None, &image).tags;
    let who = value_of(&all, BY_TAG).unwrap();
    assert!(who.starts_with("arn:aws:iam::123456789012:user/a_bxxx"), "{who}");
    for tag in &all {
        assert!(tag.value.len() <= 256 && tag.key.len() <= 128, "{tag:?}");
    }
    assert_eq!(value_of(&all, "ecr-deploy:push/app").unwrap().len(), 256);
}

#[test]
fn the_two_tags_of_the_version_before_are_read_and_become_one() {
    let old_push = pushed(1).push.to_string();
    let old_digest = digest(1).to_string();
    let old = written(&[
        ("ecr-deploy:push/app", &old_push),
        ("ecr-deploy:digest/app", &old_digest),
        ("ecr-deploy:push/other", &old_push),
        ("ecr-deploy:digest/other", &old_digest),
        ("ecr-deploy:source", "web:1"),
    ]);
    for name in ["app", "other"] {
        let read = record_of(&old, &repository(name)).unwrap();
        assert_eq!((read.push, read.digest), (pushed(1).push, Some(digest(1))), "{name}");
    }
    let new = for_push(&old, &arn("web:2"), None, &pushed(2)).tags;
    let keys: Vec<&str> = new.iter().map(|tag| tag.key.as_str()).collect();
    assert_eq!(
        keys,
        ["ecr-deploy:push/app", "ecr-deploy:push/other", "ecr-deploy:source"]
    );
    let other = record_of(&new, &repository("other")).unwrap();
    assert_eq!((other.push, other.digest), (pushed(1).push, Some(digest(1))));
    assert_eq!(pushes(&new).get("ecr-deploy:push/other"), Some(&pushed(1).push));
}

/// With so many tags of the user's own, what is skipped.
#[test]
fn who_pushed_gives_way_first_then_the_other_repositories_oldest_pushes() {
    let before: Vec<Tag> = [("old", 1), ("young", 5), ("middle", 3)]
        .iter()
        .map(|(name, number)| {
            tag(
                &format!("ecr-deploy:push/{name}"),
                &format!("{} {}", pushed(*number).push, digest(*number)),
            )
        })
        .collect();
    let all = ["ecr-deploy:push/middle", "ecr-deploy:push/old", "ecr-deploy:by"];
    for (count, without_room) in [(44, &all[3..]), (45, &all[2..]), (46, &all[1..]), (47, &all[..])] {
        let tags = [users(count), before.clone()].concat();
        let written = for_push(&tags, &arn("web:1"), None, &by(WHO));
        assert_eq!(written.without_room, without_room, "{count}");
        assert!(record_of(&written.tags, &repository("app")).is_some(), "{count}");
    }
}

#[test]
fn with_room_for_one_tag_the_push_stands_with_the_revision_it_was_made_from() {
    let written = for_push(&users(49), &arn("web:1"), None, &by(WHO));
    assert_eq!(written.tags.len(), 50);
    assert_eq!(source(&written.tags), Some("web:1"));
    let read = record_of(&written.tags, &repository("app")).unwrap();
    assert_eq!((read.push, read.digest), (pushed(2).push, Some(digest(2))));
    assert_eq!(read.tag, Some(pushed(2).tag));
    assert_eq!(record_of(&written.tags, &repository("other")), None);
    assert_ne!(
        pushes(&written.tags),
        pushes(&for_push(&users(49), &arn("web:1"), None, &pushed(3)).tags)
    );
    let back = for_rollback(&users(49), &arn("web:1"), None, &arn("web:2")).tags;
    assert_eq!((source(&back), rolled_back(&back)), (Some("web:1"), Some("web:2")));
    assert_eq!(rolled_back(&written.tags), None);
}

#[test]
fn a_tag_that_begins_like_ours_and_is_none_is_the_users() {
    let staged = written(&[("ecr-deploy:stage", "production")]);
    let all = for_push(&staged, &arn("web:1"), None, &pushed(2)).tags;
    assert_eq!(value_of(&all, "ecr-deploy:stage"), Some("production"));
}

#[test]
fn a_copy_for_a_rollback_keeps_the_push_and_has_the_digest_that_it_is_pinned_to() {
    let before = for_push(&[], &arn("web:1"), None, &by(WHO)).tags;
    let app = repository("app");
    let tag = "v7".parse().unwrap();
    let pinned = Pinned {
        repository: &app,
        digest: &digest(7),
        tag: Some(&tag),
    };
    let back = for_rollback(&before, &arn("web:2"), Some(pinned), &arn("web:3")).tags;
    let read = record_of(&back, &app).unwrap();
    assert_eq!((read.push, read.digest), (pushed(2).push, Some(digest(7))));
    assert_eq!(read.tag.as_ref(), Some(&tag));
    let of_a_person = for_rollback(&[], &arn("web:2"), Some(pinned), &arn("web:3")).tags;
    assert_eq!(record_of(&of_a_person, &app), None);
    assert_eq!(
        (digest_of(&of_a_person, &app), image_tag_of(&of_a_person, &app)),
        (Some(digest(7)), Some(tag))
    );
    assert_eq!((source(&back), rolled_back(&back)), (Some("web:2"), Some("web:3")));
    assert_eq!(
        rolled_back(&for_push(&back, &arn("web:4"), None, &pushed(4)).tags),
        None,
        "a new push is no rollback"
    );
}

proptest! {
    /// However many tags are the user's own, and whatever stands in ours.
    #[test]
    fn the_users_tags_all_stay_and_ecs_takes_what_is_written(
        tag_of_image in "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}",
        count in 0_usize..=50,
        of_aws in 0_usize..3,
        others in prop::collection::btree_map("[a-z]{2,20}(/[a-z]{2,140})?", (0_u32..9, any::<bool>()), 0..8),
        who in prop::option::of("arn:aws:[!-~]{1,300}"),
        is_rollback in any::<bool>(),
        family in "[a-z]{1,255}",
    ) {
        let mut tags = users(count);
        tags.extend((0..of_aws).map(|number| tag(&format!("aws:{number}"), "x")));
        for (name, (number, is_old)) in &others {
            let repository = repository(name);
            if *is_old {
                tags.push(tag(&key(PUSH, &repository), &pushed(*number).push.to_string()));
                tags.push(tag(&key(DIGEST, &repository), &digest(*number).to_string()));
            } else {
                tags.push(tag(&key(PUSH, &repository), &format!("{} {}", pushed(*number).push, digest(*number))));
            }
        }
        let image = PushedImage {
            by: who.and_then(|who| who.try_into().ok()),
            tag: tag_of_image.parse().unwrap(),
            ..pushed(2)
        };
        let from = arn(&format!("{family}:1"));
        let written = if is_rollback {
            let pinned = Pinned { repository: &image.repository, digest: &digest(7), tag: Some(&image.tag) };
            for_rollback(&tags, &from, Some(pinned), &arn("web:9"))
        } else {
            for_push(&tags, &from, None, &image)
        };
        let own = |tags: &[Tag]| -> Vec<Tag> {
            let mut own: Vec<Tag> = tags.iter().filter(|tag| !is_ours(&tag.key)).cloned().collect();
            own.sort();
            own
        };
        prop_assert_eq!(own(&written.tags), own(&tags));
        let sent: Vec<&Tag> = written.tags.iter().filter(|tag| !tag.key.starts_with("aws:")).collect();
        prop_assert!(sent.len() <= 50, "{}", sent.len());
        let keys: std::collections::BTreeSet<&str> = sent.iter().map(|tag| tag.key.as_str()).collect();
        prop_assert_eq!(keys.len(), sent.len());
        let is_taken = |text: &str| text.chars().all(|it| it.is_ascii_alphanumeric() || " +-=._:/@".contains(it));
        for tag in written.tags.iter().filter(|tag| is_ours(&tag.key)) {
            prop_assert!(tag.key.len() <= 128 && is_taken(&tag.key), "{:?}", tag);
            prop_assert!(tag.value.len() <= 256 && is_taken(&tag.value), "{:?}", tag);
        }
        if count <= 48 && !is_rollback {
            let read = record_of(&written.tags, &image.repository).unwrap();
            prop_assert_eq!((read.push, read.digest), (image.push, Some(image.digest)));
            prop_assert!(read.tag.is_none_or(|tag| tag == image.tag));
        }
        prop_assert_eq!(source(&written.tags).is_some(), count < 50);
        if is_rollback && count <= 48 {
            prop_assert_eq!(rolled_back(&written.tags), Some("web:9"));
        }
    }
}
