//! A revision is registered once, whoever asks for it and however often.
//!
//! ECS registers what it is sent, each time anew. But a step may be asked for the same revision twice at the same moment, by
//! the executions of a doubled event, or once more after the answer to its first attempt was lost. Of all revisions that come
//! of it the lowest one counts, so that all who ask agree without asking each other, and the others are withdrawn.

use crate::arn::TaskDefinitionArn;
use crate::ecs::Ecs;
use crate::error::Error;
use crate::task_definition::TaskDefinition;

/// What a revision of the family is to the one that is wanted.
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
    /// What a revision of the family is to it.
    pub kin: &'a (dyn Fn(&TaskDefinition) -> Kin + Sync),
}

/// What a family has already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The wanted revision.
    pub wanted: Option<TaskDefinitionArn>,
    /// Whether any revision was registered for the same cause, the wanted one or another.
    pub related: bool,
}

impl Registration<'_> {
    /// Searches the family, of which `newest` is the newest revision that can be used, from there down to the first one of
    /// which [`Kin::Before`] is said: revisions are numbered in the order of time. A doubled one is withdrawn.
    ///
    /// # Errors
    ///
    /// As [`Ecs::newest_revisions`] and [`Ecs::describe_task_definition`]; `Deploy.Unavailable` also when a doubled one could
    /// not be withdrawn yet.
    pub async fn find(&self, newest: Option<&TaskDefinition>) -> Result<Found, Error> {
        let mut search = Search::default();
        // A revision that was deregistered is never the wanted one.
        if let Some(newest) = newest
            && !self.is_below(newest.arn())
            && search.goes_on_after(newest, self.kin)
            && self
                .after
                .is_none_or(|after| newest.arn().revision() != after.revision() + 1)
        {
            self.search_below(newest.arn(), &mut search).await?;
        }
        let Search { mut same, related } = search;
        let wanted = same.pop();
        for doubled in &same {
            self.withdraw(doubled).await?;
        }
        Ok(Found { wanted, related })
    }

    async fn search_below(&self, newest: &TaskDefinitionArn, search: &mut Search) -> Result<(), Error> {
        let mut next = None;
        loop {
            let (page, more) = self.ecs.newest_revisions(newest.family(), next).await?;
            for arn in page.into_iter().filter(|arn| newest.is_later_than(arn)) {
                if self.is_below(&arn) {
                    return Ok(());
                }
                let described = self.described(&arn).await?;
                if described.is_some_and(|described| !search.goes_on_after(&described, self.kin)) {
                    return Ok(());
                }
            }
            if more.is_none() {
                return Ok(());
            }
            next = more;
        }
    }

    /// Registers it, or finds that somebody else has since `newest` was the family's newest revision. Returns which
    /// revision counts, and whether that was there already.
    ///
    /// # Errors
    ///
    /// As [`Ecs::register_task_definition`] and [`Ecs::describe_task_definition`]; `Deploy.Unavailable` also when a doubled one
    /// could not be withdrawn yet.
    pub async fn register(&self, newest: Option<&TaskDefinition>) -> Result<(TaskDefinitionArn, bool), Error> {
        let registered = self.ecs.register_task_definition(self.wanted).await?.arn().clone();
        let mut same = self.all_in_gap(&registered, newest).await?.into_iter().rev();
        let Some(first) = same.next() else {
            return Ok((registered, false));
        };
        for doubled in same.chain([registered]) {
            self.withdraw(&doubled).await?;
        }
        Ok((first, true))
    }

    /// The same revisions that were registered between the newest one before and the one just registered, highest first.
    /// Only a gap in the numbers can hold one. It is read number by number, since a list may be some seconds behind.
    async fn all_in_gap(
        &self,
        registered: &TaskDefinitionArn,
        newest: Option<&TaskDefinition>,
    ) -> Result<Vec<TaskDefinitionArn>, Error> {
        let before = newest.map_or(self.wanted.arn(), TaskDefinition::arn);
        let before = before.revision().max(self.after.map_or(0, TaskDefinitionArn::revision));
        let mut search = Search::default();
        for revision in (before + 1..registered.revision()).rev() {
            let described = self.described(&registered.at_revision(revision)).await?;
            if described.is_some_and(|described| !search.goes_on_after(&described, self.kin)) {
                break;
            }
        }
        Ok(search.same)
    }

    async fn described(&self, arn: &TaskDefinitionArn) -> Result<Option<TaskDefinition>, Error> {
        match self.ecs.describe_task_definition(arn.as_str()).await {
            Ok(described) => Ok(Some(described)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the number alone tells that a revision was registered before there was a cause.
    fn is_below(&self, arn: &TaskDefinitionArn) -> bool {
        self.after.is_some_and(|after| arn.revision() <= after.revision())
    }

    /// Takes back a revision that was registered besides the one that counts, and that nobody uses. What passes by itself is
    /// an error, so that it is done again; where ECS refuses for good, the revision is only left over.
    async fn withdraw(&self, doubled: &TaskDefinitionArn) -> Result<(), Error> {
        match self.ecs.deregister_task_definition(doubled).await {
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => tracing::warn!(
                task_definition = doubled.short(),
                "the doubled revision could not be withdrawn: {error}"
            ),
            Ok(()) => {}
        }
        Ok(())
    }
}

/// What was seen of a family so far.
#[derive(Default)]
struct Search {
    /// The wanted revisions, highest first.
    same: Vec<TaskDefinitionArn>,
    related: bool,
}

impl Search {
    /// Notes a revision; says whether there may be a wanted one below it.
    fn goes_on_after(&mut self, revision: &TaskDefinition, kin: impl Fn(&TaskDefinition) -> Kin) -> bool {
        let kin = kin(revision);
        if kin == Kin::Wanted && revision.is_active() {
            self.same.push(revision.arn().clone());
        }
        self.related |= matches!(kin, Kin::Wanted | Kin::Related);
        kin != Kin::Before
    }
}
