//! A revision is registered once, whoever asks for it and however often.
//!
//! ECS registers what it is sent, each time anew. But a step may be asked for the same revision twice at the same moment, by
//! the executions of a duplicate event, or once more after the answer to its first attempt was lost. Of all revisions that
//! come of it the lowest one counts, so that all who ask agree without asking each other. A duplicate stays in its family,
//! where it does no harm: nothing here may deregister a revision, since no policy can say which.

use crate::aws::ecs::Ecs;
use crate::domain::arn::TaskDefinitionArn;
use crate::domain::push::PushedImage;
use crate::domain::task_definition::TaskDefinition;
use crate::error::Error;
use std::ops::Range;

/// How many numbers that a list of revisions does not hold are read all the same.
const UNLISTED: usize = 20;

/// How a revision of the family stands to the one that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// It is the wanted one.
    Wanted,
    /// It is not, but it was registered for the same cause.
    Related,
    /// It is somebody else's.
    Other,
    /// It was registered before there was a cause for the wanted one, and so was every revision below it.
    Before,
}

/// A revision that is wanted in its family.
pub struct Registration<'a> {
    /// The client.
    pub ecs: &'a Ecs,
    /// The document, made from the revision that its ARN names.
    pub wanted: &'a TaskDefinition,
    /// A revision that is known to have been registered before there was a cause for the wanted one: so was every one below.
    pub after: Option<&'a TaskDefinitionArn>,
    /// How a revision of the family stands to it.
    pub kin: &'a (dyn Fn(&TaskDefinition) -> Kin + Sync),
    /// The push, where the tags of its revisions have room to name it. A revision of another push that this client has read
    /// before is not read again: many pushes at once would read each other's over and over.
    pub push: Option<&'a PushedImage>,
}

/// The revisions that a family has already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The wanted revision: the lowest, since they are found in falling order.
    pub wanted: Option<TaskDefinitionArn>,
    /// True if any revision was registered for the same cause, the wanted one or another.
    pub related: bool,
}

impl Found {
    /// Notes a revision; says whether there may be a wanted one below it.
    fn goes_on_after(&mut self, revision: &TaskDefinition, kin: impl Fn(&TaskDefinition) -> Kin) -> bool {
        let kin = kin(revision);
        if kin == Kin::Wanted && revision.is_active() {
            self.wanted = Some(revision.arn().clone());
        }
        self.related |= matches!(kin, Kin::Wanted | Kin::Related);
        kin != Kin::Before
    }
}

impl Registration<'_> {
    /// Searches the family, of which `newest` is the newest revision that can be used, from there down to the first one of
    /// which [`Kin::Before`] is said: revisions are numbered in the order of time.
    ///
    /// # Errors
    ///
    /// As [`Ecs::newest_revisions`] and [`Ecs::describe_task_definition`].
    pub async fn find(&self, newest: Option<&TaskDefinition>) -> Result<Found, Error> {
        let mut found = Found::default();
        // A revision that was deregistered is never the wanted one.
        if let Some(newest) = newest
            && !self.is_below(newest.arn())
            && found.goes_on_after(newest, self.kin)
            && self
                .after
                .is_none_or(|after| newest.arn().revision() != after.revision() + 1)
        {
            self.search_below(newest.arn(), &mut found).await?;
        }
        Ok(found)
    }

    async fn search_below(&self, newest: &TaskDefinitionArn, found: &mut Found) -> Result<(), Error> {
        let mut next = None;
        let mut unlisted = UNLISTED;
        let mut above = newest.clone();
        loop {
            let (page, more) = self.ecs.newest_revisions(newest.family(), next).await?;
            for arn in page.into_iter().filter(|arn| newest.is_later_than(arn)) {
                // A list may be some seconds behind, and a duplicate with a lower number counts.
                let gap = arn.revision() + 1..above.revision();
                if !self.search_gap(newest, gap, &mut unlisted, found).await?
                    || self.is_below(&arn)
                    || !self.goes_on_after(&arn, found).await?
                {
                    return Ok(());
                }
                above = arn;
            }
            if more.is_none() {
                self.search_gap(newest, 1..above.revision(), &mut unlisted, found)
                    .await?;
                return Ok(());
            }
            next = more;
        }
    }

    /// Reads the revisions of these numbers, highest first, at most `left` of them. Says whether there may be a wanted one below
    /// them.
    async fn search_gap(
        &self,
        of_family: &TaskDefinitionArn,
        numbers: Range<u64>,
        left: &mut usize,
        found: &mut Found,
    ) -> Result<bool, Error> {
        for number in numbers.rev() {
            let arn = of_family.at_revision(number);
            if self.is_below(&arn) {
                return Ok(false);
            }
            if *left == 0 {
                return Ok(true);
            }
            *left -= 1;
            if !self.goes_on_after(&arn, found).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Registers it, or finds that somebody else has since `newest` was the family's newest revision. Returns which
    /// revision counts, and whether that was there already.
    ///
    /// Only a gap in the numbers between the newest one before and the one just registered can hold another. It is read number
    /// by number, since a list may be some seconds behind.
    ///
    /// # Errors
    ///
    /// As [`Ecs::register_task_definition`] and [`Ecs::describe_task_definition`].
    pub async fn register(&self, newest: Option<&TaskDefinition>) -> Result<(TaskDefinitionArn, bool), Error> {
        let registered = self.ecs.register_task_definition(self.wanted).await?.arn().clone();
        let before = newest.map_or(self.wanted.arn(), TaskDefinition::arn).revision();
        let mut found = Found::default();
        let mut all = usize::MAX;
        self.search_gap(&registered, before + 1..registered.revision(), &mut all, &mut found)
            .await?;
        let was_there = found.wanted.is_some();
        Ok((found.wanted.unwrap_or(registered), was_there))
    }

    /// Reads a revision and notes it. Says whether there may be a wanted one below it.
    async fn goes_on_after(&self, arn: &TaskDefinitionArn, found: &mut Found) -> Result<bool, Error> {
        let is_of_another = |push| self.ecs.known(arn).is_some_and(|known| known.is_of_another_push(push));
        if self.push.is_some_and(is_of_another) {
            return Ok(true);
        }
        let Some(described) = self.ecs.find_task_definition(arn.as_str()).await? else {
            return Ok(true);
        };
        self.ecs.keep(&described);
        Ok(found.goes_on_after(&described, self.kin))
    }

    /// True if the number alone tells that a revision was registered before there was a cause.
    fn is_below(&self, arn: &TaskDefinitionArn) -> bool {
        self.after.is_some_and(|after| arn.revision() <= after.revision())
    }
}
