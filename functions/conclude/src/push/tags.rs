//! Which tags the image of a push gets.

use super::failure::of_result;
use super::{ended, is_deployed, keeps_back};
use ecr_deploy::contract::{ImageConclusion, ImageEnd, RevisionResult, SkipReason, Skipped, StageTag};
use ecr_deploy::domain::image::{EcrRegistry, ImageTag};
use ecr_deploy::domain::push::PushedImage;

/// True if the image, with all that was planned on it, gets `latest`: nothing was skipped that should follow it.
pub(super) fn gets_latest(image: Option<&PushedImage>, skipped: &[Skipped]) -> bool {
    image.is_some_and(|image| image.tag != ImageTag::latest())
        && !skipped.iter().any(|skipped| is_left_behind(skipped.reason))
}

/// True if a service that is skipped for this reason follows the repository, or may, and yet is not moved to the image:
/// then the image is not everywhere, and `latest` is not its tag.
fn is_left_behind(reason: SkipReason) -> bool {
    match reason {
        // The stage would move it, at another time or to another image.
        SkipReason::TagNotTaken
        | SkipReason::OnHold
        | SkipReason::AllOnHold
        | SkipReason::LowerVersion
        | SkipReason::NotPromoted
        | SkipReason::NotReached
        // `latest` is the newer push's.
        | SkipReason::Superseded
        // Nobody knows which stage would move it, or whether it runs the repository.
        | SkipReason::UnknownStage
        | SkipReason::TaskDefinitionNotFound => true,
        // No push ever moves it.
        SkipReason::NoStage
        | SkipReason::StageOff
        | SkipReason::CodeDeployController
        | SkipReason::ExternalController
        | SkipReason::UnknownController
        // It is gone, or about to be. ECS deletes no cluster that has services.
        | SkipReason::ServiceNotActive
        | SkipReason::ServiceDeleted
        | SkipReason::ClusterNotFound
        // Told of the push, of which nothing is deployed then.
        | SkipReason::Untagged
        | SkipReason::FailedPush
        | SkipReason::NotAnImage
        | SkipReason::CdkAssets
        | SkipReason::PushedByEcr
        | SkipReason::NotInUse
        // Told beside what is deployed, or beside the entry of the service that is missing.
        | SkipReason::NotTagged
        | SkipReason::PushTimeIgnored
        | SkipReason::TagsLeftOut => false,
    }
}

/// The tags of stages that the image is to get now, and those that it may get later.
pub(super) struct StageTags {
    pub(super) now: Vec<ImageTag>,
    pub(super) pending: Vec<StageTag>,
}

/// A stage's tag comes now where all of it ended on the image; later where some of it failed, or is of a wave to come; never where
/// another deployment took over a part of it, or a part is on hold.
pub(super) fn stage_tags(end: &ImageEnd) -> StageTags {
    let mut tags = StageTags {
        now: Vec::new(),
        pending: Vec::new(),
    };
    for stage in &end.tags {
        let of_stage = with_settings(end).filter(|(settings, _)| *settings == stage.settings);
        let of_stage: Vec<&RevisionResult> = of_stage.map(|(_, result)| result).collect();
        let is_on_image = |result: &&RevisionResult| match result {
            RevisionResult::Registered { .. } => true,
            result => ended(std::slice::from_ref(*result)).any(is_deployed),
        };
        let is_left_behind = |result: &&RevisionResult| ended(std::slice::from_ref(*result)).any(keeps_back);
        if of_stage.iter().any(is_left_behind) {
            continue;
        }
        if of_stage.is_empty() || of_stage.iter().any(|result| !of_result(result).is_empty()) {
            tags.pending.push(stage.clone());
        } else if of_stage.iter().any(is_on_image) {
            tags.now.push(stage.tag.clone());
        }
    }
    tags
}

/// Returns the result of each planned revision, and the settings by which it was deployed.
pub(super) fn with_settings(end: &ImageEnd) -> impl Iterator<Item = (u32, &RevisionResult)> {
    let settings = end.settings.iter().copied().chain(std::iter::repeat(0));
    settings.zip(&end.results)
}

/// Tells which tags the image gets, as the execution in the account and region of `here` can do that: Step Functions calls the ECR
/// of its own region, and is permitted no other account's. Elsewhere the summary says that it was not done.
#[must_use]
pub fn tagged_only(here: &EcrRegistry, conclusion: ImageConclusion) -> ImageConclusion {
    let named = |tags: &[ImageTag]| {
        let names: Vec<&str> = tags.iter().map(ImageTag::as_str).collect();
        names.join(" and ")
    };
    let Some(image) = conclusion.image.as_ref().filter(|image| image.registry() != *here) else {
        let gets = match conclusion.tagged.as_slice() {
            [] => String::new(),
            [_] => format!("; it gets the tag {}", named(&conclusion.tagged)),
            tags => format!("; it gets the tags {}", named(tags)),
        };
        let message = conclusion.message + &gets;
        return ImageConclusion { message, ..conclusion };
    };
    if conclusion.tags.is_empty() {
        return conclusion;
    }
    let message = format!(
        "{}; {} was not put on it: its registry is that of {} in {}, and ecr-deploy is in {}, {}",
        conclusion.message,
        named(&conclusion.tags),
        image.registry_id,
        image.region,
        here.account,
        here.region
    );
    ImageConclusion {
        message,
        tags: Vec::new(),
        tagged: Vec::new(),
        ..conclusion
    }
}
