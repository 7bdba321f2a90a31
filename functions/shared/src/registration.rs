//! A revision is registered once, whoever asks for it and however often.
//!
//! ECS registers what it is sent, each time anew. But a step may be asked for the same revision twice at the same moment, by
//! the executions of a doubled event, or once more after the answer to its first attempt was lost. Of all revisions that come
//! of it the lowest one counts, so that all who ask agree without asking each other, and the others are withdrawn.

use crate::arn::TaskDefinitionArn;
use crate::ecs::Ecs;
use crate::error::Error;
use crate::task_definition::TaskDefinition;

/// How many revisions below one are looked at for the same one.
const GAP_SEARCHED: usize = 10;

/// A revision that is wanted in its family.
pub struct Registration<'a> {
    /// The client.
    pub ecs: &'a Ecs,
    /// The document, made from the revision that its ARN names.
    pub wanted: &'a TaskDefinition,
    /// Whether a revision of the family is it.
    pub is_wanted: &'a (dyn Fn(&TaskDefinition) -> bool + Sync),
}

impl Registration<'_> {
    /// Registers it, or finds that somebody else has since `newest` was the family's newest revision. Returns which
    /// revision counts, and whether that was there already.
    ///
    /// # Errors
    ///
    /// As [`Ecs::register_task_definition`] and [`Ecs::describe_task_definition`].
    pub async fn register(&self, newest: Option<&TaskDefinition>) -> Result<(TaskDefinitionArn, bool), Error> {
        let registered = self.ecs.register_task_definition(self.wanted).await?.arn().clone();
        let mut same = self.all_in_gap(&registered, newest).await?.into_iter();
        let Some(first) = same.next() else {
            return Ok((registered, false));
        };
        for doubled in same.chain([registered]) {
            self.withdraw(&doubled).await;
        }
        Ok((first, true))
    }

    /// The lowest revision that is the wanted one, of which `found` is one. The others are withdrawn: whoever registered one
    /// of them, or finds it, comes to the same lowest one.
    ///
    /// # Errors
    ///
    /// As [`Ecs::describe_task_definition`].
    pub async fn lowest(&self, found: TaskDefinitionArn) -> Result<TaskDefinitionArn, Error> {
        let mut same = vec![found.clone()];
        let source = self.wanted.arn().revision();
        let below = (1..found.revision()).rev().take(GAP_SEARCHED);
        for revision in below.filter(|revision| *revision != source) {
            same.extend(self.wanted_at(found.at_revision(revision)).await?);
        }
        let lowest = same.pop().unwrap_or(found);
        for doubled in &same {
            self.withdraw(doubled).await;
        }
        Ok(lowest)
    }

    /// The same revisions that were registered between the newest one before and the one just registered, lowest first.
    /// Only a gap in the numbers can hold one.
    async fn all_in_gap(
        &self,
        registered: &TaskDefinitionArn,
        newest: Option<&TaskDefinition>,
    ) -> Result<Vec<TaskDefinitionArn>, Error> {
        let Some(before) = newest.map(|newest| newest.arn().revision()) else {
            return Ok(Vec::new());
        };
        let mut same = Vec::new();
        for revision in (before + 1..registered.revision()).take(GAP_SEARCHED) {
            same.extend(self.wanted_at(registered.at_revision(revision)).await?);
        }
        Ok(same)
    }

    async fn wanted_at(&self, arn: TaskDefinitionArn) -> Result<Option<TaskDefinitionArn>, Error> {
        match self.ecs.describe_task_definition(arn.as_str()).await {
            Ok(candidate) => Ok(Some(arn).filter(|_| candidate.is_active() && (self.is_wanted)(&candidate))),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes back a revision that was registered besides the one that counts, and that nobody uses. If that fails, it is
    /// only left over.
    async fn withdraw(&self, doubled: &TaskDefinitionArn) {
        if let Err(error) = self.ecs.deregister_task_definition(doubled).await {
            tracing::warn!(
                task_definition = doubled.short(),
                "the doubled revision could not be withdrawn: {error}"
            );
        }
    }
}
