//! Reads what the decision needs of a service.

use crate::Attempt;
use crate::at_rest::tells_everything;
use crate::decide::{Facts, Start, decide};
use crate::earlier::may_have_been_deployed;
use crate::rolling_back::is_lost;
use ecr_deploy::change::mover::Read;
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::hold::hold;
use ecr_deploy::domain::service::{Service, ServiceDeployment};
use ecr_deploy::domain::task_definition::{ONE_PUSH, Standing, TaskDefinition};
use ecr_deploy::error::Error;
use std::collections::BTreeSet;

/// How often one attempt reads a service that moves meanwhile. The last read counts as it is: if ECS throttles reads for so long,
/// more of them help nobody, and a lost update is found afterwards.
const READS: usize = 3;

/// A service, and what else was read for the decision.
pub(crate) struct Reading {
    pub(crate) read: Read,
    /// The revision of the primary deployment, unless that is the wanted one, or its source at rest. (A rollout to
    /// the source may be a rollback, which the revision tells.)
    primary: Option<TaskDefinition>,
    /// The facts that were read beside the service.
    pub(crate) facts: Facts,
}

impl Attempt<'_> {
    /// Reads the service and decides, until a decision stands on a fresh read, or on one that still holds.
    pub(crate) async fn read(&mut self) -> Result<(Reading, Start), Error> {
        let mut read = self.mover.read().await?;
        for _ in 1..READS {
            let (reading, start) = self.decide(read).await?;
            let records = reading.facts.history.as_deref();
            let Some(newer) = self.mover.moved_since(&reading.read, records).await? else {
                return Ok((reading, start));
            };
            tracing::warn!("{} has moved while it was read: reading again", newer.service.title());
            self.input.repeated = true;
            read = newer;
        }
        self.decide(read).await
    }

    /// Decides by one read of the service.
    async fn decide(&self, read: Read) -> Result<(Reading, Start), Error> {
        let mut reading = self.reading(read).await?;
        let service = &reading.read.service;
        let start = decide(self.input, service, &reading.facts);
        let start = match (start, service.primary()) {
            (Start::RollingBack(to), Some(rollback)) => {
                let Self { mover, .. } = self;
                let stopped = mover.ecs.stopped_tasks(&mover.cluster, &mover.service).await?;
                let timeout = service.rollout_time(self.input.settings.rollout_timeout);
                if is_lost(rollback, service.crash_threshold, &stopped, self.now, timeout) {
                    reading.facts.rollback_is_lost = true;
                    decide(self.input, service, &reading.facts)
                } else {
                    Start::RollingBack(to)
                }
            }
            (Start::Update { revision, .. }, _) if reading.is_deregistered(&revision) => Start::Update {
                revision: self.input.task_definition.clone(),
                force: false,
            },
            (start, _) => start,
        };
        Ok((reading, start))
    }

    /// Why a service is on hold by its own tag; `None` where it is not.
    fn hold(&self, service: &Service) -> Option<String> {
        hold(service.tags.hold.as_deref()?, self.now).map(str::to_owned)
    }

    /// Reads what else the decision needs, and no more than that.
    async fn reading(&self, read: Read) -> Result<Reading, Error> {
        let (input, service) = (&*self.input, &read.service);
        let on = service.primary().map(|primary| &primary.task_definition);
        let may_be_past = may_have_been_deployed(input, service);
        let is_known = |on: &TaskDefinitionArn| {
            *on == input.task_definition || (*on == input.source && tells_everything(service) && !may_be_past)
        };
        let primary = match on.filter(|on| !is_known(on)) {
            Some(on) => Some(self.mover.ecs.describe_task_definition(on.as_str()).await?),
            None => None,
        };
        let on_now = primary.as_ref();
        let leads_to_wanted = match on_now {
            Some(primary) if *primary.arn() != input.source => self.leads_to_wanted(primary).await?,
            _ => false,
        };
        let is_of_push = |revision: &TaskDefinition| revision.is_of_push(&input.image);
        let has_newer = self.has_newer(on_now).await?;
        let is_there = on == Some(&input.task_definition) || on_now.is_some_and(is_of_push);
        // A service that is there and at rest does not list any more what it was on before.
        let history = if tells_everything(service) && !is_there && !may_be_past {
            None
        } else {
            let (cluster, name) = (&input.cluster, &input.service);
            self.mover.ecs.service_deployments(cluster, name, None).await?
        };
        let records = history.as_deref().unwrap_or_default();
        let recorded = if may_be_past && !is_there {
            self.revisions_in(records).await?
        } else {
            Vec::new()
        };
        let is_overtaken_there =
            |revision: &TaskDefinition| on_now.is_some_and(|primary| revision.is_overtaken(primary, &input.image));
        let arns = |is_meant: &dyn Fn(&TaskDefinition) -> bool| {
            let meant = recorded.iter().filter(|revision| is_meant(revision));
            meant.map(|revision| revision.arn().clone()).collect()
        };
        let of_push = arns(&|revision| is_of_push(revision) && !is_overtaken_there(revision));
        let for_rollbacks = arns(&|revision| revision.rolled_back().is_some());
        let was_deployed = records.iter().any(|record| record.target == input.task_definition);
        let is_overtaken = match on_now {
            Some(primary) if may_be_past && !is_there && was_deployed => self.is_overtaken(primary).await?,
            _ => false,
        };
        let facts = Facts {
            hold: self.hold(service),
            primary_standing: on_now.map(|primary| primary.standing(&input.image, self.now)),
            primary_source: on_now.and_then(TaskDefinition::source),
            has_newer,
            rolls_back: on_now.is_some_and(|primary| primary.rolled_back().is_some()),
            leads_to_wanted,
            rollback_is_lost: false,
            history,
            of_push,
            for_rollbacks,
            is_overtaken,
        };
        Ok(Reading { read, primary, facts })
    }

    /// True if `on` is a revision of the push, and records a newer push of a repository than the wanted revision does.
    async fn has_newer(&self, on: Option<&TaskDefinition>) -> Result<bool, Error> {
        let (wanted, source) = (&self.input.task_definition, &self.input.source);
        // Only a later one of a later state can be wanted in its place: mostly the wanted revision need not be read.
        let is_of_older_state = |on: &TaskDefinition| on.source().is_none_or(|of| source.is_later_than(&of));
        let may_give_way = |on: &&TaskDefinition| {
            on.is_of_push(&self.input.image) && wanted.is_later_than(on.arn()) && is_of_older_state(on)
        };
        let Some(on) = on.filter(may_give_way) else {
            return Ok(false);
        };
        let wanted = self.wanted().await?;
        Ok(wanted.is_some_and(|wanted| on.records_newer_push(&wanted)))
    }

    /// True if the wanted revision was registered under another tag of the image, and `primary` is of a push that came between.
    async fn is_overtaken(&self, primary: &TaskDefinition) -> Result<bool, Error> {
        let image = &self.input.image;
        let between = primary.recorded_push(&image.repository);
        // Mostly the last push was long before, and the wanted revision need not be read.
        if between.is_none_or(|between| image.push.at().duration_since(between.at()) > ONE_PUSH) {
            return Ok(false);
        }
        let wanted = self.wanted().await?;
        Ok(wanted.is_some_and(|wanted| wanted.is_overtaken(primary, image) && wanted.push_of(image) != *image))
    }

    /// The revisions in ECS's records, but for the wanted one, that are still there.
    async fn revisions_in(&self, history: &[ServiceDeployment]) -> Result<Vec<TaskDefinition>, Error> {
        let targets = history.iter().map(|record| &record.target);
        let others = targets.filter(|target| **target != self.input.task_definition);
        let others: BTreeSet<&str> = others.map(TaskDefinitionArn::as_str).collect();
        let others: Vec<&str> = others.into_iter().collect();
        let described = self.mover.ecs.describe_task_definitions(&others).await?;
        Ok(described.into_iter().flatten().collect())
    }

    /// True if the revision with the image that would be made from `on`, which is of an older push, is the wanted one. So it is
    /// when several pushes of one repository come at once: all of their revisions are made from the same one.
    pub(crate) async fn leads_to_wanted(&self, on: &TaskDefinition) -> Result<bool, Error> {
        if on.standing(&self.input.image, self.now) != Standing::Older || on.rolled_back().is_some() {
            return Ok(false);
        }
        let Some(wanted) = self.wanted().await? else {
            return Ok(false);
        };
        let image = &self.input.image;
        let made = on.with_image(&wanted.push_of(image), self.input.settings.image_reference);
        let is_overtaken = wanted.is_overtaken(on, image);
        Ok(wanted.is_active() && !is_overtaken && made.is_same_document(&wanted) && made.records_same_pushes(&wanted))
    }

    /// The wanted revision; `None` when it is not there any more.
    async fn wanted(&self) -> Result<Option<TaskDefinition>, Error> {
        let wanted = self.input.task_definition.as_str();
        self.mover.ecs.find_task_definition(wanted).await
    }
}

impl Reading {
    /// True if the service is on `revision`, which somebody has deregistered: it cannot be started again.
    fn is_deregistered(&self, revision: &TaskDefinitionArn) -> bool {
        let on = self.primary.as_ref().filter(|on| on.arn() == revision);
        on.is_some_and(|on| !on.is_active())
    }
}
