//! The limits of one execution: what does not fit into Step Functions is found here, before anything is touched.
//!
//! See <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>.

use crate::waves::Waves;
use ecr_deploy::contract::{
    Conclude, ImageConclusion, ImageEnd, Message, Plan, PlannedResult, PlannedRevision, PlannedService, RevisionResult,
    ServiceOutcome, ServiceResult,
};
use ecr_deploy::domain::image::ImageTag;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::error::Error;
use ecr_deploy::quota::schedule::{Share, schedule};
use serde::Serialize;

/// The most bytes of JSON in a state's input, and in its output.
const MOST_BYTES: usize = 256 * 1024;

/// The bytes around a step's input and output: the names of the function and of the execution, and a message.
const ENVELOPE_BYTES: usize = 2 * 1024;

/// The bytes around a wave's revisions, or of the note that it was not reached, besides the names of its stages.
const BYTES_OF_WAVE: usize = 512;

/// The most bytes of a plan's first events: ten of them, each with the image, its execution and a message.
const BYTES_TOLD: usize = 16 * 1024;

/// The message of a failure, which is summed up beside what is to be done again: ten errors with their services.
const BYTES_OF_FAILURE: usize = 16 * 1024;

/// How many characters of an error are kept while there are few.
const LONGEST_ERROR: usize = 1000;

/// Of an error that is shorter than this, not even its name would be told.
const SHORTEST_ERROR: usize = 16;

/// How many events the history of an execution may have.
const MOST_EVENTS: usize = 25_000;

/// The part of them that is left for retries: a tenth.
const RETRIES: usize = MOST_EVENTS / 10;

/// The events of an execution of deploy-image besides what it does for task definitions and for tags, at most.
const EVENTS_OF_PUSH: usize = 47;

/// The events of each tag that the image gets.
const EVENTS_OF_TAG: usize = 14;

/// The events of telling what has failed, after the tags of what has not.
const EVENTS_OF_FAILURE: usize = 7;

/// The events of each wave after the first one, besides what it does for task definitions.
const EVENTS_OF_WAVE: usize = 32;

/// The most groups of task definitions that there can be, each with as many events as [`EVENTS_OF_GROUP`].
const MOST_GROUPS: usize = 40;

/// The events of a group, of task definitions or of services.
const EVENTS_OF_GROUP: usize = 6;

/// The events of one task definition whose revision is registered in its only service's own execution, at most.
const EVENTS_OF_ONLY_SERVICE: usize = 12;

/// The events of any other besides what is done for its services, at most.
const EVENTS_OF_REVISION: usize = 15;

/// The events of one of several services, at most.
const EVENTS_OF_SERVICE: usize = 10;

/// A group of services is full with at least so many, whatever the setting `maxConcurrency` is.
const SERVICES_OF_GROUP: usize = 20;

/// Makes the plan of what is `planned`: each wave with a schedule for this `share` of the account's limits, and all within
/// the limits of one execution.
///
/// With `sends_messages`, people are told of the end, and there is room for that.
///
/// # Errors
///
/// `Deploy.InvalidInput` when what this execution would be told, or its history, would be too large in the worst case,
/// that every service fails.
pub fn plan_within(
    image: Option<PushedImage>,
    planned: Waves,
    share: Share,
    sends_messages: bool,
) -> Result<Plan, Error> {
    let Waves {
        waves,
        settings,
        tags,
        skipped,
    } = planned;
    let mut waves = waves.into_iter().map(|mut wave| {
        // A later wave begins with full buckets.
        schedule(&mut wave.revisions, share);
        wave
    });
    let revisions = waves.next().map_or_else(Vec::new, |first| first.revisions);
    let mut plan = Plan {
        image,
        settings,
        revisions,
        later: waves.collect(),
        tags,
        skipped,
        services: 0,
        error_length: 0,
        told: Vec::new(),
    };
    let count: usize = all(&plan).map(|revision| revision.services.len()).sum();
    plan.services = u32::try_from(count).unwrap_or(u32::MAX);
    let events = events(&plan);
    if events > MOST_EVENTS - RETRIES {
        return Err(too_large(
            &plan,
            &format!(
                "it would take up to {events} events, and Step Functions keeps {MOST_EVENTS} of one execution, of which \
             {RETRIES} are for retries"
            ),
        ));
    }
    let failures = all(&plan).map(|revision| revision.services.len().max(1)).sum();
    // Besides what came of some waves, "Conclude" is told of the others, which take less room.
    let waves: usize = plan.later.iter().map(|wave| size(&wave.stages) + BYTES_OF_WAVE).sum();
    let told = size(&Conclude::Image(all_failed(&plan))) + waves;
    let message = if sends_messages { Message::MOST_BYTES } else { 0 };
    let largest = [
        size(&plan) + BYTES_TOLD,
        // A message is made at the end, and nothing is to be done again then.
        size(&all_superseded(&plan)) + waves + message,
        size(&all_again(&plan)) + BYTES_OF_FAILURE,
        told + with_escapes(SHORTEST_ERROR) * failures,
    ];
    let bytes = largest.into_iter().max().unwrap_or_default() + ENVELOPE_BYTES;
    if bytes > MOST_BYTES {
        return Err(too_large(
            &plan,
            &format!("what its states are told would take up to {bytes} bytes, and Step Functions allows {MOST_BYTES}"),
        ));
    }
    let length = (MOST_BYTES - ENVELOPE_BYTES - told)
        .checked_div(failures)
        .map_or(LONGEST_ERROR, without_escapes);
    plan.error_length = u32::try_from(length.min(LONGEST_ERROR)).unwrap_or(u32::MAX);
    Ok(plan)
}

fn too_large(plan: &Plan, too_much: &str) -> Error {
    Error::InvalidInput(format!(
        "{} runs on {} services by {} task definitions, too many for one execution: {too_much}. Nothing was changed. Narrow \
         what is deployed by the setting clusters or repositories, and install a second stack for the rest",
        plan.image.as_ref().map(ToString::to_string).unwrap_or_default(),
        plan.services,
        all(plan).count()
    ))
}

/// Every revision of a plan, of whatever wave.
fn all(plan: &Plan) -> impl Iterator<Item = &PlannedRevision> {
    let later = plan.later.iter().flat_map(|wave| &wave.revisions);
    plan.revisions.iter().chain(later)
}

/// The bytes that an error of so many characters takes: some are written in two.
fn with_escapes(characters: usize) -> usize {
    characters + characters / 8
}

/// The characters of an error that take at most so many bytes.
fn without_escapes(bytes: usize) -> usize {
    bytes - bytes.div_ceil(9)
}

/// The events in the history of an execution of deploy-image in which every service fails.
fn events(plan: &Plan) -> usize {
    let of_revision = |revision: &PlannedRevision| match &revision.services[..] {
        [only] if only.after == 0 => EVENTS_OF_ONLY_SERVICE,
        services => {
            let groups = services.len().div_ceil(SERVICES_OF_GROUP);
            EVENTS_OF_REVISION + groups * EVENTS_OF_GROUP + services.len() * EVENTS_OF_SERVICE
        }
    };
    let later = plan.later.iter().map(|wave| &wave.revisions);
    let waves = [&plan.revisions].into_iter().chain(later);
    let groups: usize = waves.map(|revisions| revisions.len().min(MOST_GROUPS)).sum();
    let of_revisions: usize = all(plan).map(of_revision).sum();
    // The tag latest may come besides. Each stage may be the last one that a failure leaves to be tagged.
    let tags = EVENTS_OF_TAG + plan.tags.len() * (EVENTS_OF_TAG + EVENTS_OF_FAILURE);
    EVENTS_OF_PUSH + tags + plan.later.len() * EVENTS_OF_WAVE + groups * EVENTS_OF_GROUP + of_revisions
}

/// Returns the input of "Conclude" when all fails, but for the errors' own texts.
fn all_failed(plan: &Plan) -> ImageEnd {
    let of_service = |service: &PlannedService| PlannedResult::Failed {
        cluster: service.cluster.clone(),
        service: service.service.clone(),
        failed: String::new(),
    };
    let of_revision = |revision: &PlannedRevision| {
        let task_definition = revision.task_definition.clone();
        if revision.services.is_empty() {
            RevisionResult::Failed {
                task_definition,
                services: Vec::new(),
                failed: String::new(),
            }
        } else {
            RevisionResult::Services {
                task_definition,
                services: revision.services.iter().map(of_service).collect(),
            }
        }
    };
    ImageEnd {
        image: plan.image.clone(),
        planned: u32::try_from(all(plan).count()).unwrap_or(u32::MAX),
        settings: if all(plan).all(|revision| revision.settings == 0) {
            Vec::new()
        } else {
            all(plan).map(|revision| revision.settings).collect()
        },
        results: all(plan).map(of_revision).collect(),
        services: Vec::new(),
        families: Vec::new(),
        skipped: plan.skipped.clone(),
        later: Vec::new(),
        tags: plan.tags.clone(),
        tagged: all_tags(plan),
        attempt: 0,
    }
}

/// Returns the output of "Conclude" when nothing fails, with the longest outcome for each service.
fn all_superseded(plan: &Plan) -> ImageConclusion {
    let services = all(plan).flat_map(|revision| &revision.services);
    let services = services.map(|service| ServiceResult {
        cluster: service.cluster.clone(),
        service: service.service.clone(),
        outcome: ServiceOutcome::RollBackSuperseded,
    });
    let families = all(plan).filter(|revision| revision.services.is_empty());
    ImageConclusion {
        services: services.collect(),
        families: families.map(|revision| revision.task_definition.clone()).collect(),
        ..all_again(&Plan {
            revisions: Vec::new(),
            later: Vec::new(),
            ..plan.clone()
        })
    }
}

/// Returns the output of "Conclude" when all is to be done again.
fn all_again(plan: &Plan) -> ImageConclusion {
    ImageConclusion {
        image: plan.image.clone(),
        message: String::new(),
        services: Vec::new(),
        families: Vec::new(),
        skipped: plan.skipped.clone(),
        retry: plan.revisions.clone(),
        later: plan.later.clone(),
        tags: all_tags(plan),
        tagged: all_tags(plan),
        pending: plan.tags.clone(),
        failed: false,
    }
}

/// Every tag that the image may get.
fn all_tags(plan: &Plan) -> Vec<ImageTag> {
    let of_stages = plan.tags.iter().map(|of_stage| of_stage.tag.clone());
    of_stages.chain([ImageTag::latest()]).collect()
}

/// Returns the size of a value as JSON, in bytes. A value that cannot be written is too large for anything.
fn size(of: &impl Serialize) -> usize {
    serde_json::to_vec(of).map_or(usize::MAX / 2, |json| json.len())
}

#[cfg(test)]
mod tests;
