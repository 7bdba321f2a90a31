//! Services of a stage that neither are in a push nor have its image stable: they keep later stages and the tag of their own back.

use super::skipped;
use ecr_deploy::contract::{SkipReason, Skipped};
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::service::{Controller, Service, ServiceTags};
use ecr_deploy::domain::stage::StageName;
use std::fmt::Display;

/// The services of a stage that neither are in the push nor have the image stable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The name of one.
    pub first: String,
    /// How many more there are.
    pub more: usize,
    /// True if no push ever moves that one, since another deployer does.
    pub is_of_other_deployer: bool,
}

impl Missing {
    /// The services of a stage that are missing; `None` where there is none. One that no push moves is named first: the stage
    /// waits for it in vain.
    #[must_use]
    pub fn of(services: &[&Service]) -> Option<Self> {
        let is_of_other = |service: &&&Service| service.controller != Controller::Ecs;
        let first = services.iter().find(is_of_other).or_else(|| services.first())?;
        Some(Self {
            first: first.title(),
            more: services.len() - 1,
            is_of_other_deployer: is_of_other(&first),
        })
    }
}

/// Says that a service or a family, `resource`, is not moved since its stage comes after one of which services are `missing`.
#[must_use]
pub fn not_promoted(
    image: &PushedImage,
    resource: impl Display,
    [stage, before]: [&StageName; 2],
    missing: &Missing,
) -> Skipped {
    let Missing { first, more, .. } = missing;
    let next = if missing.is_of_other_deployer {
        format!(
            "ECS does not deploy {first}, so no push moves it: set its tag {} to off, and no stage waits for it; then push again",
            ServiceTags::STAGE
        )
    } else {
        format!("Push a tag that {before} takes, or this tag again when it is stable there")
    };
    let message = format!(
        "its stage {stage} comes after {before}, and {first}{} is not stable on this image ({}). {next}",
        and_more(*more),
        image.digest
    );
    skipped(resource, SkipReason::NotPromoted, message)
}

fn and_more(services: usize) -> String {
    match services {
        0 => String::new(),
        1 => " (and one more service)".to_owned(),
        more => format!(" (and {more} more services)"),
    }
}

/// Says that the image does not get the `tag` of a stage of which services are `missing`.
#[must_use]
pub fn not_tagged(image: &PushedImage, tag: &ImageTag, stage: &StageName, missing: &Missing) -> Skipped {
    let Missing { first, more, .. } = missing;
    let mut message = format!(
        "the stage {stage} does not give it the tag {tag}: {first}{} is not stable on this image, and not deployed by this push",
        and_more(*more)
    );
    if missing.is_of_other_deployer {
        message.extend([
            ". ECS does not deploy ",
            first,
            ", so no push moves it: set its tag ",
            ServiceTags::STAGE,
            " to off",
        ]);
    }
    skipped(image, SkipReason::NotTagged, message)
}
