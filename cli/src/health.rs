//! Findings: what of an account and an installation would keep a push from being deployed, or from being taken back. Pure, over
//! what was read; `ecr-deploy doctor` prints them.

pub mod account;
mod pushes;
mod services;

pub(crate) use services::matches_arn;

use crate::output::{count, wrapped};
use account::{Quotas, Schedule, Trail};
use ecr_deploy::domain::service::Controller;
use find_task_definitions::stage::{Candidate, Owner, Stages};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// A service cannot be deployed, or no push arrives.
    Error,
    /// Something does not do what somebody may expect of it.
    Warning,
    /// Good to know.
    Note,
}

impl Level {
    /// Its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Note => "NOTE",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How grave it is.
    pub level: Level,
    /// The check that found it: `roles`, `events`, …. `docs/cli.md` lists them.
    pub check: String,
    /// The finding.
    pub message: String,
    /// The way to mend it.
    pub fix: String,
    /// The services that it is about: `production/web`.
    pub services: Vec<String>,
}

impl Finding {
    /// The command of AWS that mends it, where it is one.
    fn command(&self) -> Option<&str> {
        Some(self.fix.as_str()).filter(|fix| fix.starts_with("aws "))
    }

    /// The way to mend it, in a cell of a table. A long command is broken there, and cannot be copied: it stands below.
    #[must_use]
    pub fn shown_fix(&self) -> &str {
        self.command().map_or(self.fix.as_str(), |_| "the command below")
    }
}

/// The commands that mend findings, each in a line of its own. The policies of the stack do not allow them.
#[must_use]
pub fn commands(findings: &[Finding]) -> String {
    let commands: BTreeSet<&str> = findings.iter().filter_map(Finding::command).collect();
    if commands.is_empty() {
        return String::new();
    }
    let commands: Vec<String> = commands.into_iter().map(|it| format!("\n  {it}")).collect();
    format!(
        "{}{}",
        wrapped("For somebody who may change the repositories, which the policies of the stack do not allow:"),
        commands.concat()
    )
}

/// A service, as the checks see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// The family of the revision that it is on.
    pub family: String,
    /// That revision: `web:42`.
    pub revision: String,
    /// The ARNs of the roles of that revision.
    pub roles: Vec<String>,
    /// The images of this account and region that it runs.
    pub images: Vec<RunImage>,
    /// Its own tag `ecr-deploy:stage`.
    pub stage: Option<String>,
    /// The text that holds it now.
    pub hold: Option<String>,
    /// The controller that deploys it.
    pub controller: Controller,
    /// True if its deployments may wait at lifecycle hooks.
    pub has_hooks: bool,
}

impl Subject {
    /// `production/web`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.cluster, self.service)
    }
}

/// An image that a service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunImage {
    /// Its repository.
    pub repository: String,
    /// Its tag, where it is named by one.
    pub tag: Option<String>,
    /// Its digest, where that is known.
    pub digest: Option<String>,
}

/// A repository, as the checks see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    /// True if a tag of it can be pushed over; `None` where ECR does not tell.
    pub is_mutable: Option<bool>,
    /// Its images.
    pub images: Vec<StoredImage>,
}

/// An image in ECR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its digest.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Those by which it may be deployed: none of what no task can run.
    pub deployable: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// True if no task can pull it before somebody restores it.
    pub is_archived: bool,
    /// True if somebody restores it, and no task can pull it until then.
    pub is_restoring: bool,
}

/// A push that began an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The name of its execution.
    pub name: String,
    /// When it began.
    pub at: Timestamp,
}

/// The CDK's bootstrap stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bootstrap {
    /// It could not be read.
    NotRead,
    /// There is none.
    Missing,
    /// Its version.
    Version(u32),
}

/// Everything that was read.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The CDK's bootstrap stack.
    pub bootstrap: Bootstrap,
    /// True if the installation is there.
    pub is_installed: bool,
    /// Since when each push has an execution that was listed; `None` where nothing is installed.
    pub known_since: Option<Timestamp>,
    /// The trigger of the setting: `putImage` or `imageAction`, where it is known.
    pub trigger: Option<&'a str>,
    /// The roles that may be passed, where they are known.
    pub pass_roles: Option<&'a [String]>,
    /// The stages.
    pub stages: &'a Stages,
    /// The clusters of the settings; none means all.
    pub clusters: &'a [String],
    /// The clusters of the settings that are not there.
    pub missing_clusters: &'a [String],
    /// The text that holds everything.
    pub all_on_hold: Option<&'a str>,
    /// The services.
    pub services: &'a [Subject],
    /// The repositories that they run, by name.
    pub repositories: &'a BTreeMap<String, Repository>,
    /// Those of them that the settings keep from being deployed.
    pub kept_out: &'a BTreeSet<String>,
    /// The pushes since then, the newest first.
    pub pushes: &'a [Begun],
    /// The trails of the region, where they were read.
    pub trails: Option<&'a [Trail]>,
    /// The schedules that run a certain revision.
    pub schedules: &'a [Schedule],
    /// The quotas.
    pub quotas: &'a Quotas,
    /// The time.
    pub now: Timestamp,
}

/// All findings, the gravest first.
#[must_use]
pub fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = bootstrap(facts);
    found.extend(installation(facts));
    if facts.is_installed {
        found.extend(holds(facts));
        found.extend(stages(facts));
        found.extend(kept_out(facts));
        found.extend(pushes::events(facts));
        found.extend(pushes::tags(facts));
        found.extend(account::trails(facts));
    }
    found.extend(account::schedules(facts));
    found.extend(account::quotas(facts));
    found.extend(services::roles(facts));
    found.extend(services::clusters(facts));
    found.extend(services::controllers(facts));
    found.extend(services::images(facts));
    found.sort();
    found
}

fn finding(level: Level, check: &str, message: String, fix: impl Into<String>, services: Vec<String>) -> Finding {
    Finding {
        level,
        check: check.to_owned(),
        message,
        fix: fix.into(),
        services,
    }
}

/// The services of a list, in words: the first three, and how many more.
fn some(services: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = services.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match services.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The oldest version of the bootstrap stack that the CDK takes:
/// <https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html>.
const BOOTSTRAP: u32 = 6;

fn bootstrap(facts: &Facts<'_>) -> Vec<Finding> {
    let says = match facts.bootstrap {
        Bootstrap::NotRead => return Vec::new(),
        Bootstrap::Version(version) if version >= BOOTSTRAP => return Vec::new(),
        Bootstrap::Version(version) => {
            format!("the bootstrap stack of the CDK has version {version}, and {BOOTSTRAP} is needed")
        }
        Bootstrap::Missing => {
            "the account and region have no bootstrap stack of the CDK with the usual name".to_owned()
        }
    };
    // Who has installed it, may have a bootstrap stack of another name.
    let level = if facts.is_installed { Level::Note } else { Level::Error };
    vec![finding(level, "bootstrap", says, "npx cdk bootstrap", Vec::new())]
}

fn installation(facts: &Facts<'_>) -> Option<Finding> {
    let says = "ecr-deploy is not installed here under this name of a stack".to_owned();
    let fix = "docs/getting-started.md; or name the stack by --stack, and the region by --region";
    (!facts.is_installed).then(|| finding(Level::Error, "installation", says, fix, Vec::new()))
}

fn holds(facts: &Facts<'_>) -> Vec<Finding> {
    let all = facts.all_on_hold.map(|text| {
        let says = format!("everything is on hold: {text}");
        finding(Level::Warning, "hold", says, "ecr-deploy unhold --all", Vec::new())
    });
    let each = facts.services.iter().filter_map(|service| {
        let says = format!("{} is on hold: {}", service.name(), service.hold.as_ref()?);
        let fix = format!("ecr-deploy unhold {}", service.name());
        Some(finding(Level::Note, "hold", says, fix, vec![service.name()]))
    });
    all.into_iter().chain(each).collect()
}

fn kept_out(facts: &Facts<'_>) -> Option<Finding> {
    let repositories: Vec<String> = facts.kept_out.iter().cloned().collect();
    let says = format!(
        "the settings keep images from being deployed of {}",
        some(&repositories)
    );
    let fix = "where one should be, name it in the setting repositories; what holds the assets of CDK apps is deployed only then";
    (!repositories.is_empty()).then(|| finding(Level::Note, "repositories", says, fix, Vec::new()))
}

/// The owner of a service, by each image that it runs and that may be deployed.
fn owners<'a>(facts: &'a Facts<'_>, service: &'a Subject) -> impl Iterator<Item = (&'a RunImage, Owner<'a>)> {
    let images = service.images.iter();
    let images = images.filter(|image| !facts.kept_out.contains(&image.repository));
    images.map(|image| {
        let candidate = Candidate {
            service: Some((&service.cluster, &service.service)),
            family: &service.family,
            repository: &image.repository,
            own: service.stage.as_deref(),
        };
        (image, facts.stages.owner(&candidate))
    })
}

fn stages(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut owning: BTreeSet<&str> = BTreeSet::new();
    let (mut nobody, mut unknown) = (Vec::new(), Vec::new());
    for service in facts.services {
        for (_, owner) in owners(facts, service) {
            match owner {
                Owner::Stage(stage) => drop(owning.insert(stage.name.as_str())),
                Owner::Nobody => nobody.push(service.name()),
                Owner::Unknown => unknown.push(service.name()),
                Owner::Off => {}
            }
        }
    }
    nobody.dedup();
    unknown.dedup();
    for stage in facts
        .stages
        .iter()
        .filter(|stage| !owning.contains(stage.name.as_str()))
    {
        let says = format!("the stage {} owns no service", stage.name);
        let fix = format!(
            "correct what it selects, or give its services the tag ecr-deploy:stage={}; the first stage that selects a service owns it",
            stage.name
        );
        found.push(finding(Level::Warning, "stages", says, fix, Vec::new()));
    }
    if !unknown.is_empty() {
        let says = format!(
            "the tag ecr-deploy:stage names no stage that there is: {}",
            some(&unknown)
        );
        let fix = format!("set it to one of {}, or to off", facts.stages.names());
        found.push(finding(Level::Error, "stages", says, fix, unknown));
    }
    if !nobody.is_empty() {
        let says = format!("no stage selects {}", some(&nobody));
        let fix = "add a stage, or the tag ecr-deploy:stage to the service; off says that it is meant so";
        found.push(finding(Level::Warning, "stages", says, fix, nobody));
    }
    found
}

/// `2 errors, 1 warning, 3 notes`.
#[must_use]
pub fn sum(findings: &[Finding]) -> String {
    let of = |level| findings.iter().filter(|it| it.level == level).count();
    let levels = [
        (Level::Error, "error"),
        (Level::Warning, "warning"),
        (Level::Note, "note"),
    ];
    levels.map(|(level, name)| count(of(level), name)).join(", ")
}

#[cfg(test)]
mod tests;
