//! Task definitions: families, revisions, their outlines; register a revision.

use super::raw::{self, RawResponse};
use super::{CONCURRENT_CALLS, Ecs, PAGE, parse};
use crate::domain::arn::TaskDefinitionArn;
use crate::domain::task_definition::{Outline, Outlines, TaskDefinition};
use crate::error::Error;
use aws_sdk_ecs::types::{SortOrder, TaskDefinitionFamilyStatus, TaskDefinitionField, TaskDefinitionStatus};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};

impl Ecs {
    /// The families that have an ACTIVE revision.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn families(&self) -> Result<Vec<String>, Error> {
        let mut families = Vec::new();
        let mut next_token = None;
        loop {
            self.task_definition_reads.wait().await;
            let request = self
                .client
                .list_task_definition_families()
                .status(TaskDefinitionFamilyStatus::Active);
            let page = request.max_results(PAGE).set_next_token(next_token).send().await;
            let page = page.map_err(|error| Error::from_aws("ListTaskDefinitionFamilies", &error))?;
            families.extend(page.families.unwrap_or_default());
            next_token = page.next_token.filter(|token| !token.is_empty());
            if next_token.is_none() {
                return Ok(families);
            }
        }
    }

    /// A page of the ACTIVE revisions of `family`, newest first, 100 at most, and what to ask for the next page with, if there
    /// is one. The first page is asked for with `None`.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn newest_revisions(
        &self,
        family: &str,
        page: Option<String>,
    ) -> Result<(Vec<TaskDefinitionArn>, Option<String>), Error> {
        self.task_definition_reads.wait().await;
        let request = self
            .client
            .list_task_definitions()
            .family_prefix(family)
            .sort(SortOrder::Desc);
        let request = request
            .status(TaskDefinitionStatus::Active)
            .max_results(PAGE)
            .set_next_token(page);
        let call = format!("ListTaskDefinitions of family {family}");
        let page = request.send().await.map_err(|error| Error::from_aws(&call, &error))?;
        let revisions = page.task_definition_arns.unwrap_or_default().into_iter();
        let revisions = revisions.map(|arn| parse(arn, &call)).collect::<Result<_, _>>()?;
        Ok((revisions, page.next_token.filter(|token| !token.is_empty())))
    }

    /// A revision with its tags, whole: by its ARN, or by its family for the newest ACTIVE one.
    ///
    /// # Errors
    ///
    /// `Deploy.NotFound` when there is none, else as [`Ecs::clusters`].
    pub async fn describe_task_definition(&self, arn_or_family: &str) -> Result<TaskDefinition, Error> {
        self.task_definition_reads.wait().await;
        let raw = RawResponse::default();
        let request = self
            .client
            .describe_task_definition()
            .task_definition(arn_or_family)
            .include(TaskDefinitionField::Tags);
        let response = request.customize().interceptor(raw.clone()).send().await;
        response.map_err(|error| Error::from_aws(&format!("DescribeTaskDefinition of {arn_or_family}"), &error))?;
        TaskDefinition::from_response(&raw.body())
    }

    /// [`Ecs::describe_task_definition`], or `None` when there is none.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn find_task_definition(&self, arn_or_family: &str) -> Result<Option<TaskDefinition>, Error> {
        match self.describe_task_definition(arn_or_family).await {
            Ok(described) => Ok(Some(described)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// [`Ecs::find_task_definition`] of each of `arns_or_families`, in the order given.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn describe_task_definitions(
        &self,
        arns_or_families: &[&str],
    ) -> Result<Vec<Option<TaskDefinition>>, Error> {
        let described = stream::iter(arns_or_families).map(async |name| self.find_task_definition(name).await);
        described.buffered(CONCURRENT_CALLS).try_collect().await
    }

    /// Returns the outline of each of `revisions`, read as they come, in any order. `None` for those that are gone.
    ///
    /// A revision that this client has read before is not read again. That is safe for a plan, and to tell which
    /// push a revision is of; for nothing else. The containers of a revision never change, and its records are set when it is
    /// registered. An outline does not tell if the revision is ACTIVE: a step that moves a service to it reads it again.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn outlines_of(&self, revisions: impl Stream<Item = TaskDefinitionArn>) -> Result<Outlines, Error> {
        let described = revisions.map(async |revision| {
            let outline = self.outline_of(&revision).await?;
            Ok::<_, Error>((revision, outline))
        });
        described.buffer_unordered(CONCURRENT_CALLS).try_collect().await
    }

    /// Returns the outline of the newest ACTIVE revision of each of `families`, in their order, but for those that have
    /// none any more. Which one is the newest is asked every time.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn newest_outlines(&self, families: &[&str]) -> Result<Vec<Outline>, Error> {
        let described = stream::iter(families).map(async |family| self.outline(family).await);
        let outlines = described.buffered(CONCURRENT_CALLS);
        outlines.try_filter_map(async |outline| Ok(outline)).try_collect().await
    }

    /// The images and the records of `revision`, as [`Ecs::outlines_of`] reads them; `None` when it is gone.
    ///
    /// # Errors
    ///
    /// As [`Ecs::clusters`].
    pub async fn outline_of(&self, revision: &TaskDefinitionArn) -> Result<Option<Outline>, Error> {
        match self.known(revision) {
            Some(known) => Ok(Some(known)),
            None => self.outline(revision.as_str()).await,
        }
    }

    /// The outline of a revision that this client has read before, see [`Ecs::outlines_of`].
    pub(crate) fn known(&self, revision: &TaskDefinitionArn) -> Option<Outline> {
        self.outlines.get(revision)
    }

    /// Keeps the outline of a revision that was read.
    pub(crate) fn keep(&self, revision: &TaskDefinition) {
        self.outlines.keep(&revision.outline());
    }

    async fn outline(&self, arn_or_family: &str) -> Result<Option<Outline>, Error> {
        let found = self.find_task_definition(arn_or_family).await?;
        Ok(found.map(|found| {
            self.keep(&found);
            found.outline()
        }))
    }

    /// Registers `document` as a new revision of its family. Its text is sent, member by member.
    ///
    /// # Errors
    ///
    /// `Deploy.Unavailable` when another registration of the family is under way, even after retries; `Deploy.Rejected`
    /// when ECS refuses the document; else as [`Ecs::clusters`].
    pub async fn register_task_definition(&self, document: &TaskDefinition) -> Result<TaskDefinition, Error> {
        let body = document.to_register_request()?;
        let response = RawResponse::default();
        // The family is there for the client's own checks; the body that is signed and sent is the document's.
        let request = self
            .client
            .register_task_definition()
            .family(document.arn().family())
            .set_container_definitions(Some(Vec::new()));
        let sent = request
            .customize()
            .interceptor(response.clone())
            .mutate_request(move |request| raw::replace_body(request, &body));
        let call = format!("RegisterTaskDefinition of family {}", document.arn().family());
        sent.send().await.map_err(|error| Error::from_aws(&call, &error))?;
        TaskDefinition::from_response(&response.body())
    }
}
