//! How executions are found among those that Step Functions lists.

use super::{Execution, Executions, Listed, Status, time};
use crate::error::Error;
use crate::installation::Installation;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use ecr_deploy::error::Error as OfAws;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Among how many of the newest executions one is looked for.
pub const AMONG: usize = 5000;
/// How many executions are read at the same time.
const AT_ONCE: usize = 8;

/// So many executions are read that are of no service that is looked for: there are services of one name in hundreds of clusters.
const IN_VAIN: usize = 1000;

/// The newest execution of a service, as far as it was looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Newest {
    /// It is this one.
    Found(Box<Execution>),
    /// There is none.
    Nothing,
    /// None goes on, and there are older ones than those that were read.
    Unknown,
}

/// The newest execution of each of several services.
#[derive(Debug, Default)]
pub struct NewestOfEach {
    /// Those that were found, by the cluster and the service.
    pub executions: BTreeMap<(String, String), Execution>,
    /// True if one was not found, and there are older executions than those that were read.
    pub gave_up: bool,
}

impl Executions {
    /// The executions of a state machine that `wanted` says yes to, the newest first: as many as `most`, found among the `among` that
    /// are listed first; with `since` only those that began then or later.
    ///
    /// Step Functions lists by time, and does not say by which: one that has ended may stand by its end. So no execution that began
    /// before `since` says that there is none after it.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn list(
        &self,
        machine: &str,
        limits: (usize, usize),
        since: Option<Timestamp>,
        wanted: impl Fn(&Listed) -> bool,
    ) -> Result<Vec<Listed>, Error> {
        let (found, _) = self.listed(machine, limits, since, None, wanted).await?;
        Ok(found)
    }

    /// The executions that `wanted` says yes to and that began at `since` or later, the newest first, among the `among` that are listed
    /// first; and whether there are more.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn list_since(
        &self,
        machine: &str,
        among: usize,
        since: Timestamp,
        wanted: impl Fn(&Listed) -> bool,
    ) -> Result<(Vec<Listed>, bool), Error> {
        self.listed(machine, (usize::MAX, among), Some(since), None, wanted)
            .await
    }

    /// The executions of a state machine that go on, the newest first.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn running(&self, machine: &str) -> Result<Vec<Listed>, Error> {
        let (only, is_running) = (ExecutionStatus::Running, |it: &Listed| it.status == Status::Running);
        let all = (usize::MAX, usize::MAX);
        let (running, _) = self.listed(machine, all, None, Some(only), is_running).await?;
        Ok(running)
    }

    /// The newest execution of this name with the number of a redrive at its end; `None` where none of them is there.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn newest_redriven(&self, machine: &str, base: &str, redrives: u32) -> Result<Option<Execution>, Error> {
        for redrive in (0..=redrives).rev() {
            let arn = Installation::execution(machine, &format!("{base}{redrive}"));
            match self.read(&arn).await {
                Err(Error::NotFound(_)) => {}
                read => return read.map(Some),
            }
        }
        Ok(None)
    }

    /// Those that are found, the newest first, and whether there are more than were read.
    async fn listed(
        &self,
        machine: &str,
        (most, among): (usize, usize),
        since: Option<Timestamp>,
        only: Option<ExecutionStatus>,
        wanted: impl Fn(&Listed) -> bool,
    ) -> Result<(Vec<Listed>, bool), Error> {
        let newest_first = |mut found: Vec<Listed>, is_cut| {
            found.sort_by_key(|it| Reverse(it.started));
            Ok((found, is_cut))
        };
        let (mut found, mut seen, mut token) = (Vec::new(), 0, None);
        loop {
            let request = self.0.list_executions().state_machine_arn(machine).max_results(1000);
            let request = request.set_status_filter(only.clone());
            let page = request.set_next_token(token).send().await;
            let page = page.map_err(|error| OfAws::from_aws(&format!("ListExecutions of {machine}"), &error))?;
            for item in page.executions() {
                let item = listed(item);
                seen += 1;
                if since.is_some_and(|since| item.is_last(since)) {
                    return newest_first(found, false);
                }
                if seen > among {
                    return newest_first(found, true);
                }
                if since.is_none_or(|since| item.started >= since) && wanted(&item) {
                    found.push(item);
                }
                if found.len() == most {
                    return newest_first(found, true);
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return newest_first(found, false);
            }
        }
    }

    /// The newest execution of a service, by its name and its input.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn newest_of(&self, machine: &str, (cluster, service): (&str, &str)) -> Result<Newest, Error> {
        let of = [(cluster.to_owned(), service.to_owned())];
        let mut newest = self.newest_of_each(machine, &of).await?;
        let found = match newest.executions.remove(&of[0]) {
            None if newest.gave_up => self.running_of(machine, (cluster, service)).await?,
            found => found,
        };
        Ok(match found {
            Some(found) => Newest::Found(Box::new(found)),
            None if newest.gave_up => Newest::Unknown,
            None => Newest::Nothing,
        })
    }

    /// The newest execution of a service that goes on: among all that do.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn running_of(
        &self,
        machine: &str,
        (cluster, service): (&str, &str),
    ) -> Result<Option<Execution>, Error> {
        let running = self.running(machine).await?;
        let of = [(cluster.to_owned(), service.to_owned())];
        let mut newest = self.newest_among(&running, &of, usize::MAX).await?;
        Ok(newest.executions.remove(&of[0]))
    }

    /// The newest execution of each of these services, by its name and its input.
    ///
    /// # Errors
    ///
    /// Whatever AWS refuses.
    pub async fn newest_of_each(&self, machine: &str, services: &[(String, String)]) -> Result<NewestOfEach, Error> {
        let listed = self.list(machine, (usize::MAX, AMONG), None, |_| true).await?;
        let mut newest = self.newest_among(&listed, services, IN_VAIN).await?;
        newest.gave_up |= listed.len() == AMONG && newest.executions.len() < services.len();
        Ok(newest)
    }

    /// The names of other services may begin alike, and services of several clusters may have one name. So executions are read until
    /// each service has its own, or so many were read in vain.
    async fn newest_among(
        &self,
        listed: &[Listed],
        services: &[(String, String)],
        most_in_vain: usize,
    ) -> Result<NewestOfEach, Error> {
        let mut missing: Vec<_> = services.iter().map(|it| (it, begin(&it.1))).collect();
        let (mut newest, mut rest, mut in_vain) = (NewestOfEach::default(), listed.iter(), 0);
        loop {
            let may_be = |it: &&Listed| missing.iter().any(|(_, begin)| it.name.starts_with(begin));
            let next: Vec<&Listed> = rest.by_ref().filter(may_be).take(AT_ONCE).collect();
            newest.gave_up = !next.is_empty() && in_vain >= most_in_vain;
            if next.is_empty() || newest.gave_up {
                return Ok(newest);
            }
            let read = stream::iter(next).map(async |it| self.read(&it.arn).await);
            for execution in read.buffered(AT_ONCE).try_collect::<Vec<_>>().await? {
                let of = execution.service();
                if missing.iter().any(|(service, _)| **service == of) {
                    newest.executions.entry(of).or_insert(execution);
                } else {
                    in_vain += 1;
                }
            }
            missing.retain(|(service, _)| !newest.executions.contains_key(*service));
        }
    }
}

/// The beginning of the names of a service's executions.
#[must_use]
pub fn begin(service: &str) -> String {
    format!("{}-", service.chars().take(40).collect::<String>())
}

fn listed(item: &ExecutionListItem) -> Listed {
    Listed {
        arn: item.execution_arn.clone(),
        name: item.name.clone(),
        status: Status::from(&item.status),
        started: time(&item.start_date),
        ended: item.stop_date.as_ref().map(time),
    }
}
