//! The name of the execution of *deploy-image* that has a push, as `push.asl.yaml` makes it: `shop-web-v42-<event id>`. The
//! sweep and the command find pushes by it; who must be sure reads the input of the execution, too.

/// The longest name of an execution. It omits the end of a long repository.
const LONGEST: usize = 80;

/// So many characters of a tag stand in the name.
const TAG_LENGTH: usize = 20;

/// True if an execution of this name may be of a push to `repository` under `tag`.
#[must_use]
pub fn is_of(name: &str, repository: &str, tag: &str) -> bool {
    let (repository, tag) = (in_a_name(repository), in_a_name(tag));
    let tag = format!("-{}-", &tag[..tag.len().min(TAG_LENGTH)]);
    name.match_indices(&tag).any(|(at, _)| {
        let before = &name[..at];
        before == repository || (name.len() >= LONGEST && repository.starts_with(before))
    })
}

/// True if an execution of this name may be of a push to `repository`. A name that was cut counts for each repository that
/// begins alike.
#[must_use]
pub fn is_of_repository(name: &str, repository: &str) -> bool {
    let repository = in_a_name(repository);
    let is_cut = name.len() >= LONGEST && repository.len() > TAG_LENGTH && name.starts_with(&repository[..TAG_LENGTH]);
    name.starts_with(&format!("{repository}-")) || is_cut
}

/// A text as it stands in the name of an execution: one ASCII character for each of its own. Its log takes no others.
/// See <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>.
#[must_use]
pub fn in_a_name(text: &str) -> String {
    let is_taken = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    text.chars()
        .map(|character| if is_taken(character) { character } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "04caef66-e52b-4c4d-bbb5-547b85fec1f8";
    const SWEEP: &str = "sweep-0123456789abcdef";
    const LONG: &str = "a-team/of-many-words/and-a-service/with-a-long-name";

    #[test]
    fn a_name_tells_the_repository_and_the_tag_of_a_push() {
        let long = in_a_name(LONG);
        let long_tag = "main-2026-11-29-build-4711";
        for (repository, tag, name, expected) in [
            ("shop/web", "v42", format!("shop-web-v42-{ID}"), true),
            ("shop/web", "v4", format!("shop-web-v42-{ID}"), false),
            ("shop/web", "v42", format!("shop-web-admin-v42-{ID}"), false),
            ("web", "v42", format!("shop-web-v42-{ID}"), false),
            ("shop/web", "v1.2.3", format!("shop-web-v1-2-3-{ID}"), true),
            ("shop/web", long_tag, format!("shop-web-{}-{ID}", &long_tag[..20]), true),
            // Of 78 characters the id takes 36 and the tag 3.
            (LONG, "v42", format!("{}-v42-{ID}", &long[..39]), true),
            (LONG, "v42", format!("{}-v42-{ID}", &long[..38]), false),
            ("a-team/of-many", "v42", format!("{}-v42-{ID}", &long[..39]), false),
            // The id of a sweep's push leaves more room.
            (LONG, "v42", format!("{long}-v42-{SWEEP}"), true),
            (LONG, "v1.2.3", format!("{}-v1-2-3-{SWEEP}", &long[..50]), true),
            // Somebody has started it by hand.
            ("shop/web", "v42", ID.to_owned(), false),
        ] {
            assert_eq!(is_of(&name, repository, tag), expected, "{repository}:{tag} {name}");
        }
    }

    #[test]
    fn a_name_tells_the_repository_of_a_push_also_where_it_was_cut() {
        let long = in_a_name(LONG);
        for (repository, name, expected) in [
            ("shop/web", format!("shop-web-v42-{ID}"), true),
            ("shop/we", format!("shop-web-v42-{ID}"), false),
            (LONG, format!("{}-v42-{ID}", &long[..39]), true),
            (LONG, format!("{}-v42-{ID}", &long[..38]), false),
        ] {
            assert_eq!(is_of_repository(&name, repository), expected, "{repository} {name}");
        }
    }
}
