//! The contents of a rollout: deployed means that its tasks run the pushed image, by its digest. A revision that names the image by its
//! tag runs what the tag stood for when its deployment started, and that may be another push by then.

use ecr_deploy::aws::registry::Listed;
use ecr_deploy::contract::{Check, Verdict};
use ecr_deploy::domain::image::{ImageDigest, ImageReference};
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{ContainerDigest, ServiceDeployment};
use std::collections::BTreeSet;

/// The contents that a rollout runs of the pushed repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// The pushed digest, and no other.
    Pushed,
    /// These other digests. They may be of the images of the pushed index.
    Others(BTreeSet<ImageDigest>),
    /// It is not told.
    Untold,
}

impl Contents {
    /// Returns the contents that `images`, those of a rollout, run of the repository of `image`. An image that is named
    /// by a digest has that digest, whatever ECS tells: of an index, ECS may tell the digest of the image for the
    /// task's platform.
    #[must_use]
    pub fn of(images: &[ContainerDigest], image: &PushedImage) -> Self {
        let of_repository = images.iter().filter_map(|of| {
            let reference = reference_of(&of.image, image)?;
            Some(reference.digest().unwrap_or(&of.digest).clone())
        });
        let mut digests: BTreeSet<ImageDigest> = of_repository.collect();
        let runs_pushed = digests.remove(&image.digest);
        match (digests.is_empty(), runs_pushed) {
            (true, true) => Self::Pushed,
            (true, false) => Self::Untold,
            (false, _) => Self::Others(digests),
        }
    }

    /// Returns the contents that ECS's record of a rollout tells. An image that ECS has not resolved is pulled by its
    /// tag for each task: then only the tasks tell. That is so where `versionConsistency` is `disabled`, and on EC2
    /// where there was no room to resolve it
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability>).
    #[must_use]
    pub fn recorded(record: &ServiceDeployment, image: &PushedImage) -> Self {
        let mut unresolved = record.unresolved.iter();
        if unresolved.any(|reference| reference_of(reference, image).is_some()) {
            return Self::Untold;
        }
        Self::of(&record.target_digests, image)
    }
}

/// An image's reference, where it is of the repository of `image`.
fn reference_of(reference: &str, image: &PushedImage) -> Option<ImageReference> {
    let reference = reference.parse().ok()?;
    image.is_repository_of(&reference).then_some(reference)
}

/// The verdict on a rollout that is stable and runs `others` of the pushed repository: stable still where the pushed index lists all
/// of them. Where nobody tells whether it does, the message says so.
#[must_use]
pub fn judge_contents(stable: Check, image: &PushedImage, others: &BTreeSet<ImageDigest>, listed: &Listed) -> Check {
    let running: Vec<&str> = others.iter().map(ImageDigest::as_str).collect();
    let running = running.join(" and ");
    match listed {
        Listed::Images(listed) if others.is_subset(listed) => stable,
        Listed::Images(_) => Check {
            verdict: Verdict::Superseded,
            message: format!(
                "its tasks run {running} and not {}, which was pushed as {image}: the tag was pushed over before they started, and \
                 that push counts",
                image.digest
            ),
            ..stable
        },
        Listed::Untold(why) => Check {
            message: format!(
                "{}; its tasks run {running}, and nobody tells whether the pushed {} lists that ({why})",
                stable.message, image.digest
            ),
            ..stable
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::domain::service::ServiceDeploymentStatus::Successful;
    use ecr_deploy::testing::{REGISTRY, digest, pushed, record};

    fn of(image: &str, number: u32) -> ContainerDigest {
        ContainerDigest {
            container: "web".to_owned(),
            image: image.to_owned(),
            digest: digest(number),
        }
    }

    fn app(tag: &str) -> String {
        format!("{REGISTRY}/app:{tag}")
    }

    fn others(numbers: &[u32]) -> BTreeSet<ImageDigest> {
        numbers.iter().map(|number| digest(*number)).collect()
    }

    #[test]
    fn a_rollout_runs_the_pushed_image_when_every_container_of_its_repository_does() {
        let pinned = |number| format!("{REGISTRY}/app@{}", digest(number));
        for (images, contents) in [
            (vec![of(&app("v2"), 2)], Contents::Pushed),
            (vec![of(&app("main"), 2), of(&app("v2"), 2)], Contents::Pushed),
            (vec![of(&app("v2"), 3)], Contents::Others(others(&[3]))),
            (
                vec![of(&app("v2"), 3), of(&app("v2"), 2)],
                Contents::Others(others(&[3])),
            ),
            (
                vec![of(&app("v2"), 4), of(&app("v2"), 3)],
                Contents::Others(others(&[3, 4])),
            ),
            // Of an index, ECS may tell the digest of a platform's image.
            (vec![of(&pinned(2), 7)], Contents::Pushed),
            (vec![of(&pinned(3), 2)], Contents::Others(others(&[3]))),
            // Nothing of these is of the repository.
            (vec![of(&format!("{REGISTRY}/sidecar:v2"), 3)], Contents::Untold),
            (vec![of("public.ecr.aws/app:v2", 3)], Contents::Untold),
            (vec![of("<IMAGE1_NAME>", 3)], Contents::Untold),
            (
                vec![of(&app("v2"), 2), of(&format!("{REGISTRY}/sidecar:v2"), 3)],
                Contents::Pushed,
            ),
            (vec![], Contents::Untold),
        ] {
            assert_eq!(Contents::of(&images, &pushed(2)), contents, "{images:?}");
        }
    }

    #[test]
    fn a_record_tells_nothing_where_ecs_has_not_resolved_an_image_of_the_repository() {
        let told = record("web:2", Successful);
        assert_eq!(Contents::recorded(&told, &pushed(2)), Contents::Pushed);
        assert_eq!(Contents::recorded(&told, &pushed(3)), Contents::Others(others(&[2])));
        for (unresolved, contents) in [
            (app("v2"), Contents::Untold),
            (format!("{REGISTRY}/sidecar:v2"), Contents::Pushed),
        ] {
            let record = ServiceDeployment {
                unresolved: vec![unresolved],
                ..told.clone()
            };
            assert_eq!(Contents::recorded(&record, &pushed(2)), contents);
        }
    }

    #[test]
    fn other_bits_are_the_pushed_ones_where_the_pushed_index_lists_them_all() {
        let stable = Check {
            verdict: Verdict::Stable,
            message: "2 of 2 tasks running".to_owned(),
            reasons: Vec::new(),
            failed_containers: Vec::new(),
            running: 2,
            desired: 2,
            deadline: None,
            waits_for: None,
            containers: Vec::new(),
            wait: 0,
        };
        let superseded = |running: &str| {
            let message = format!(
                "its tasks run {running} and not {}, which was pushed as app:v2: the tag was pushed over before they started, and \
                 that push counts",
                digest(2)
            );
            (Verdict::Superseded, message)
        };
        let listed = |numbers: &[u32]| Listed::Images(others(numbers));
        let (three, four) = (digest(3).to_string(), digest(4).to_string());
        let untold = format!(
            "2 of 2 tasks running; its tasks run {three}, and nobody tells whether the pushed {} lists that (not yours)",
            digest(2)
        );
        for (running, listed, expected) in [
            (&[3][..], listed(&[3, 4]), (Verdict::Stable, stable.message.clone())),
            (&[3, 4], listed(&[3, 4]), (Verdict::Stable, stable.message.clone())),
            (&[3], listed(&[]), superseded(&three)),
            (&[3], listed(&[4]), superseded(&three)),
            (&[3, 4], listed(&[3]), superseded(&format!("{three} and {four}"))),
            (&[3], Listed::Untold("not yours".to_owned()), (Verdict::Stable, untold)),
        ] {
            let check = judge_contents(stable.clone(), &pushed(2), &others(running), &listed);
            assert_eq!((check.verdict, check.message), expected, "{running:?} of {listed:?}");
            assert_eq!((check.running, check.desired), (2, 2));
        }
    }
}
