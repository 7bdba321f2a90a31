//! The pushes of an image, by the names of the executions of deploy-image.

use ecr_deploy::domain::image::{ImageTag, RepositoryName};
use ecr_deploy::domain::push::name::{is_of, is_of_repository};
use ecr_deploy::quota::executions::{Begun, BegunStatus};
use jiff::{SignedDuration, Timestamp};

/// By so much may the clocks of ECR and Step Functions differ.
const SKEW: SignedDuration = SignedDuration::from_secs(30);

/// How the pushes of an image ended, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushes {
    /// There is none.
    None,
    /// A push of the repository runs, of this image or of another one.
    Running,
    /// One failed or was stopped, and none runs.
    Failed,
    /// All ended well.
    EndedWell,
}

impl Pushes {
    /// The pushes of an image that ECR got at `at`, under some of its tags, by the executions of all pushes since.
    #[must_use]
    pub fn of(begun: &[Begun], at: Timestamp, repository: &RepositoryName, tags: &[ImageTag]) -> Self {
        let is_of_image = |it: &&Begun| {
            // Before, the tag stood for another image.
            it.at + SKEW >= at
                && tags
                    .iter()
                    .any(|tag| is_of(&it.name, repository.as_str(), tag.as_str()))
        };
        let mut running = begun.iter().filter(|it| it.status == BegunStatus::Running);
        if running.any(|it| is_of_repository(&it.name, repository.as_str())) {
            return Self::Running;
        }
        let of_image: Vec<&Begun> = begun.iter().filter(is_of_image).collect();
        if of_image.iter().any(|it| it.status == BegunStatus::Failed) {
            Self::Failed
        } else if of_image.is_empty() {
            Self::None
        } else {
            Self::EndedWell
        }
    }
}

/// True if a push by the event of this id began before, whatever came of it.
#[must_use]
pub fn has_begun(begun: &[Begun], id: &str) -> bool {
    let end = format!("-{id}");
    begun.iter().any(|it| it.name.ends_with(&end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::testing::at;

    const ID: &str = "04caef66-e52b-4c4d-bbb5-547b85fec1f8";
    const LONG: &str = "a-team/of-many-words/and-a-service/with-a-long-name";

    fn begun(name: String, status: BegunStatus) -> Begun {
        let at = at(0);
        Begun { name, at, status }
    }

    #[test]
    fn a_push_of_the_repository_that_runs_counts_before_one_that_failed_and_that_before_one_that_ended_well() {
        use BegunStatus::{Failed, Running, Succeeded};
        let name = |tag: &str| format!("shop-web-{tag}-{ID}");
        let long = format!("{}-v7-{ID}", &LONG.replace('/', "-")[..40]);
        let web: RepositoryName = "shop/web".parse().unwrap();
        for (all, expected) in [
            (vec![], Pushes::None),
            (vec![(name("v41"), Succeeded), (name("v41"), Failed)], Pushes::None),
            (vec![(name("v41"), Running)], Pushes::Running),
            (vec![("shop-api-v42-1".to_owned(), Running)], Pushes::None),
            (vec![(name("v42"), Failed), (name("v42"), Running)], Pushes::Running),
            (vec![(name("v42"), Failed), (name("v42"), Succeeded)], Pushes::Failed),
            (vec![(name("v42"), Succeeded)], Pushes::EndedWell),
            (vec![(name("latest"), Failed)], Pushes::Failed),
        ] {
            let all: Vec<Begun> = all.into_iter().map(|(name, status)| begun(name, status)).collect();
            let tags = ["v42", "latest"].map(|tag| tag.parse().unwrap());
            assert_eq!(Pushes::of(&all, at(0), &web, &tags), expected, "{all:?}");
        }
        let running = [begun(long, Running)];
        assert_eq!(
            Pushes::of(&running, at(0), &LONG.parse().unwrap(), &[]),
            Pushes::Running
        );
        assert_eq!(Pushes::of(&running, at(0), &web, &[]), Pushes::None);
        // A name of 20 characters stands whole in the name of an execution, and another one may begin with it.
        let (whole, other) = ("a-team/of-many-words", "a-team-of-many-wordsmiths-of-a-town-by-a-lake");
        let running = [begun(format!("{}-v7-{ID}", &other[..40]), Running)];
        assert_eq!(Pushes::of(&running, at(0), &whole.parse().unwrap(), &[]), Pushes::None);
    }

    #[test]
    fn a_push_before_the_image_was_of_another_one_under_the_same_tag() {
        let failed = [begun(format!("web-main-{ID}"), BegunStatus::Failed)];
        let (web, main) = ("web".parse().unwrap(), ["main".parse().unwrap()]);
        for (seconds, expected) in [(-600, Pushes::Failed), (30, Pushes::Failed), (31, Pushes::None)] {
            assert_eq!(Pushes::of(&failed, at(seconds), &web, &main), expected, "{seconds}");
        }
    }

    #[test]
    fn the_push_of_a_sweep_is_known_by_its_id() {
        let all = [begun(
            "shop-web-v42-sweep-0123456789abcdef".to_owned(),
            BegunStatus::Succeeded,
        )];
        assert!(has_begun(&all, "sweep-0123456789abcdef"));
        assert!(!has_begun(&all, "sweep-0123456789abcdee"));
    }
}
