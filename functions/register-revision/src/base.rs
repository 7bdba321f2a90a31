//! Which revision a new one is made from: the one that runs, or a newer one that somebody else has registered since.
//!
//! Infrastructure as code registers a revision of its own where it changes a task definition, and may move no service to it. A
//! stage with `base: 'newest'` takes it up with the next push.

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::BaseNote;
use ecr_deploy::domain::push::PushedImage;
use ecr_deploy::domain::task_definition::{Descent, TaskDefinition};
use ecr_deploy::error::Error;

/// How many revisions are read to find out what the family has.
const MOST_READ: usize = 100;

/// How many names of members are told.
const NAMED: usize = 20;

/// The revision that a new one is made from.
#[derive(Debug, Clone)]
pub struct Base {
    /// Somebody else's revision, where that is newer than what the running one descends from, and runs the repository.
    pub newest: Option<TaskDefinition>,
    /// Up to where the family is known, to be recorded on the new revision.
    pub descent: Descent,
    /// The note for the message, if any.
    pub note: Option<BaseNote>,
}

/// Decides between `running` and the newest revision of somebody else's that was `found` above what it descends from.
///
/// A revision of which no container runs the repository is not taken: with it, nothing would run the image.
#[must_use]
pub fn decide(running: &TaskDefinition, found: Found, image: &PushedImage) -> Base {
    let Found { newest, descent } = found;
    let Some(newest) = newest else {
        return Base {
            newest: None,
            descent,
            note: None,
        };
    };
    let name = newest.arn().short();
    if newest.containers_of(image).is_empty() {
        let message = format!(
            "{name} was registered since by somebody else, and no container of it runs {}: so {} was copied, which runs",
            image.repository,
            running.arn().short()
        );
        return Base {
            // It is asked again with the next push.
            descent: Descent {
                seen: newest.arn().revision().saturating_sub(1).min(descent.seen),
                ..descent
            },
            note: Some(BaseNote {
                task_definition: running.arn().name(),
                differs: Vec::new(),
                message,
            }),
            newest: None,
        };
    }
    let differs = newest.with_images_of(running).differs_from(running);
    let told = match differs.as_slice() {
        [] => "in nothing but its tags".to_owned(),
        all if all.len() <= NAMED => format!("in {}", all.join(", ")),
        all => format!("in {} and {} more", all[..NAMED].join(", "), all.len() - NAMED),
    };
    let message = format!(
        "it was made from {name}, which somebody else registered since, and which differs from {} {told}",
        running.arn().short()
    );
    Base {
        descent: Descent {
            base: newest.arn().revision(),
            ..descent
        },
        note: Some(BaseNote {
            task_definition: newest.arn().name(),
            differs: differs.into_iter().take(NAMED).collect(),
            message,
        }),
        newest: Some(newest),
    }
}

/// The result of the search in a family.
#[derive(Debug, Clone)]
pub struct Found {
    /// The newest ACTIVE revision that somebody else has registered, where it is above what the running one descends from.
    pub newest: Option<TaskDefinition>,
    /// The revision that the running one descends from, and the number up to which the family was read through.
    pub descent: Descent,
}

/// Reads through the family of `running`, of which `newest` is the newest revision that can be used, for what somebody else has
/// registered. Records on revisions of ours tell what is below them, so hardly any has to be read.
///
/// Of a family that has many revisions of ours without such a record, only the newest are read through: from then on it has
/// records.
///
/// # Errors
///
/// As [`Ecs::describe_task_definition`].
pub async fn find(ecs: &Ecs, running: &TaskDefinition, newest: &TaskDefinition) -> Result<Found, Error> {
    let mut reads = MOST_READ;
    let base = descends_from(ecs, running, &mut reads).await?;
    let top = newest.arn().revision();
    let known = |newest: Option<TaskDefinition>| Found {
        newest,
        descent: Descent { base, seen: top },
    };
    // Above the base and up to the number read through, a record leaves nothing of somebody else's.
    let mut known_to_be_ours: Vec<Descent> = running.descent().into_iter().collect();
    let mut number = top;
    while number > base {
        let is_within = |record: &&Descent| record.base < number && number <= record.seen;
        if let Some(record) = known_to_be_ours.iter().find(is_within) {
            number = record.base;
            continue;
        }
        let arn = running.arn().at_revision(number);
        let revision = if arn == *newest.arn() {
            newest.clone()
        } else if arn == *running.arn() {
            running.clone()
        } else if reads == 0 {
            return Ok(known(None));
        } else {
            reads -= 1;
            let Some(described) = ecs.find_task_definition(arn.as_str()).await? else {
                number -= 1;
                continue;
            };
            described
        };
        if !revision.is_ours() && revision.is_active() {
            return Ok(known(Some(revision)));
        }
        known_to_be_ours.extend(revision.descent());
        number -= 1;
    }
    Ok(known(None))
}

/// The number of the revision of somebody else's that `running` descends from; at most that, where it cannot be known.
async fn descends_from(ecs: &Ecs, running: &TaskDefinition, reads: &mut usize) -> Result<u64, Error> {
    let mut revision = running.clone();
    loop {
        if let Some(descent) = revision.descent() {
            return Ok(descent.base);
        }
        let number = revision.arn().revision();
        let source = revision.source().filter(|source| source.revision() < number);
        let Some(source) = source.filter(|_| *reads > 0) else {
            return Ok(number);
        };
        *reads -= 1;
        match ecs.find_task_definition(source.as_str()).await? {
            Some(described) => revision = described,
            None => return Ok(source.revision()),
        }
    }
}

#[cfg(test)]
mod tests;
