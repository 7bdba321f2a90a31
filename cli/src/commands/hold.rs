//! `ecr-deploy hold` and `unhold`: a service, or everything, stays as it is until somebody says otherwise.

use crate::arguments::{HoldArguments, Shared, UnholdArguments};
use crate::aws::{Account, now};
use crate::error::Error;
use crate::execution::Executions;
use crate::exit::Exit;
use crate::named::short;
use crate::output::{self, Document, paragraphs, who, wrapped};
use aws_sdk_ecs::types::Tag;
use ecr_deploy::domain::arn::{ClusterName, ServiceName};
use ecr_deploy::domain::hold;
use ecr_deploy::domain::service::ServiceTags;
use ecr_deploy::error::Error as OfAws;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest text of a tag.
const LONGEST: usize = 256;

/// A hold that was set or lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The service that is, or was, on hold: `production/web`; `null` for everything.
    pub service: Option<String>,
    /// The text of the hold; `null` where it was lifted.
    pub hold: Option<String>,
    /// The text that was there before, if there was one.
    pub before: Option<String>,
    /// The text that holds everything, where the hold of one service was lifted: the service stays on hold by it.
    pub all_on_hold: Option<String>,
    /// The pushes that were under way when the hold was set, by the names of their executions: a rollout that they have begun goes on.
    pub under_way: Vec<String>,
}

/// A service as it is named: `production/web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) cluster: String,
    pub(crate) service: String,
}

impl Named {
    /// The names as ECS takes them.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where ECS has no such names.
    pub(crate) fn parsed(&self) -> Result<(ClusterName, ServiceName), Error> {
        let refused = |text: &str| Error::Usage(format!("{text:?} is no name that ECS has"));
        let cluster = self.cluster.parse().map_err(|_| refused(&self.cluster))?;
        let service = self.service.parse().map_err(|_| refused(&self.service))?;
        Ok((cluster, service))
    }

    /// The error where there is no such service.
    fn missing(&self) -> Error {
        Error::NotFound(format!(
            "there is no service {} in a cluster {}: it was deleted, or a name is mistyped. ecr-deploy status lists the services",
            self.service, self.cluster
        ))
    }

    /// The error of a call about it, with what a person can do.
    pub(crate) fn error(&self, error: OfAws) -> Error {
        match error {
            OfAws::NotFound(_) | OfAws::ServiceDeleted(_) => self.missing(),
            // ECS's own words: "Long arn format must be used for tagging operations".
            OfAws::Rejected(message) if message.to_ascii_lowercase().contains("long arn format") => {
                Error::Rejected(format!(
                    "{}/{} has an ARN of the old form, without the name of its cluster, so it can have no tag, and none that holds it. Migrate \
                 it to the long ARN format (docs/limits.md, Old ARNs), or hold everything: ecr-deploy hold --all. {message}",
                    self.cluster, self.service
                ))
            }
            error => error.into(),
        }
    }
}

impl std::str::FromStr for Named {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('/') {
            Some((cluster, service)) if !cluster.is_empty() && !service.is_empty() && !service.contains('/') => {
                Ok(Self {
                    cluster: cluster.to_owned(),
                    service: service.to_owned(),
                })
            }
            _ => Err(Error::Usage(format!(
                "{text:?} names no service. Name it with its cluster, as production/web"
            ))),
        }
    }
}

/// Sets a hold.
pub(crate) async fn hold(shared: &Shared, arguments: &HoldArguments) -> Result<Exit, Error> {
    let (until, is_tag) = (arguments.until.as_deref(), arguments.what.service.is_some());
    // A reason that cannot be is refused before any call.
    text("", &arguments.why, until, is_tag, now())?;
    let account = Account::open(shared).await?;
    let caller = account.caller().await?;
    let text = text(who(&caller), &arguments.why, until, is_tag, now())?;
    let before = if let Some(service) = &arguments.what.service {
        set(&account, &service.parse()?, &text).await?
    } else {
        let (before, name) = (all_hold(&account).await?, &account.installation.hold_parameter);
        account.parameters().put(name, &text).await?;
        before
    };
    let document = Held {
        service: arguments.what.service.clone(),
        hold: Some(text),
        before,
        all_on_hold: None,
        under_way: under_way(&account).await,
    };
    output::print(shared.output, &document, now())?;
    Ok(Exit::Done)
}

/// The pushes that are under way. The hold is set, so where they cannot be read that is said, and no more.
async fn under_way(account: &Account) -> Vec<String> {
    let running = Executions(account.sfn())
        .running(&account.installation.deploy_image)
        .await;
    let running =
        running.inspect_err(|error| output::note(&format!("it is not known which pushes are under way: {error}")));
    running.unwrap_or_default().into_iter().map(|it| it.name).collect()
}

/// Sets the hold of a service, and returns the text that held it before.
pub(crate) async fn set(account: &Account, named: &Named, text: &str) -> Result<Option<String>, Error> {
    let (arn, before) = service_hold(account, named).await?;
    let tag = Tag::builder().key(ServiceTags::HOLD).value(text).build();
    let tagged = account.ecs().tag_resource().resource_arn(arn).tags(tag).send().await;
    let call = format!("TagResource of {}/{}", named.cluster, named.service);
    tagged.map_err(|error| OfAws::from_aws(&call, &error))?;
    Ok(before)
}

/// Lifts a hold.
pub(crate) async fn unhold(shared: &Shared, arguments: &UnholdArguments) -> Result<Exit, Error> {
    let account = Account::open(shared).await?;
    // It is read before anything is changed.
    let all = all_hold(&account).await?;
    let mut all_on_hold = None;
    let before = if let Some(service) = &arguments.what.service {
        all_on_hold = all
            .as_deref()
            .and_then(|text| hold::hold(text, now()))
            .map(str::to_owned);
        let (arn, before) = service_hold(&account, &service.parse()?).await?;
        let untagged = account.ecs().untag_resource().resource_arn(arn);
        let untagged = untagged.tag_keys(ServiceTags::HOLD).send().await;
        untagged.map_err(|error| OfAws::from_aws(&format!("UntagResource of {service}"), &error))?;
        before
    } else {
        if all.is_some() {
            account
                .parameters()
                .delete(&account.installation.hold_parameter)
                .await?;
        }
        all
    };
    let document = Held {
        service: arguments.what.service.clone(),
        hold: None,
        before,
        all_on_hold,
        under_way: Vec::new(),
    };
    output::print(shared.output, &document, now())?;
    Ok(Exit::Done)
}

/// The text of a hold: until when, who, and why.
pub(crate) fn text(who: &str, why: &str, until: Option<&str>, is_tag: bool, now: Timestamp) -> Result<String, Error> {
    let until = match until {
        Some(until) => {
            let at: Timestamp = until
                .parse()
                .map_err(|_| Error::Usage(format!("{until:?} is no time. Write it as 2026-12-24T06:00:00Z")))?;
            if at <= now {
                return Err(Error::Usage(format!("{until} is over: it is {now:.0}")));
            }
            format!("until {at} ")
        }
        None => String::new(),
    };
    let is_of_tag = |letter: char| !is_tag || letter.is_alphanumeric() || " _.:/=+-@".contains(letter);
    // The name of a session may have a comma, which is nothing that its owner could correct here.
    let who = who.replace(|letter| !is_of_tag(letter), "_");
    let text = format!("{until}{who} - {why}");
    if let Some(letter) = why.chars().find(|letter| !is_of_tag(*letter)) {
        return Err(Error::Usage(format!(
            "{letter:?} cannot be in the reason: a tag of ECS takes letters, digits, spaces and _ . : / = + - @"
        )));
    }
    if text.chars().count() > LONGEST {
        return Err(Error::Usage(format!(
            "the reason is too long: with who and until when it may have {LONGEST} characters"
        )));
    }
    Ok(text)
}

/// The ARN of a service, and the text that holds it.
async fn service_hold(account: &Account, named: &Named) -> Result<(String, Option<String>), Error> {
    let Named { cluster, service } = named;
    let described = account.ecs().describe_services().cluster(cluster).services(service);
    let described = described.include(aws_sdk_ecs::types::ServiceField::Tags).send().await;
    let call = format!("DescribeServices of {cluster}/{service}");
    let described = described.map_err(|error| named.error(OfAws::from_aws(&call, &error)))?;
    let found = described.services().iter().find(|it| it.status() != Some("INACTIVE"));
    let found = found.ok_or_else(|| named.missing())?;
    let hold = found.tags().iter().find(|tag| tag.key() == Some(ServiceTags::HOLD));
    let arn = found.service_arn().ok_or_else(|| named.missing())?;
    Ok((arn.to_owned(), hold.and_then(|tag| tag.value()).map(str::to_owned)))
}

/// The text that holds everything.
pub(crate) async fn all_hold(account: &Account) -> Result<Option<String>, Error> {
    let name = &account.installation.hold_parameter;
    Ok(account.parameters().get(name).await?.map(|found| found.value))
}

impl Document for Held {
    fn text(&self, now: Timestamp) -> String {
        let what = self.service.as_deref().unwrap_or("everything");
        let before = self.before.as_deref().and_then(|before| hold::hold(before, now));
        let text = match (&self.hold, before) {
            (Some(text), None) => format!("{what} is on hold: {text}"),
            (Some(text), Some(before)) => format!("{what} is on hold: {text}\nIt was before: {before}"),
            (None, Some(before)) if self.all_on_hold.is_some() => {
                format!("{what} is no longer on hold by itself. It was: {before}")
            }
            (None, Some(before)) => format!("{what} is no longer on hold. It was: {before}"),
            // A service may have a hold of its own, which stays.
            (None, None) if self.service.is_none() => "nothing was on hold by --all".to_owned(),
            (None, None) => format!("{what} was not on hold"),
        };
        let next = match (&self.hold, before, &self.all_on_hold) {
            (None, _, Some(all)) => {
                let all = format!("Everything is on hold, and so is {what}: {all}. To lift that:");
                format!("{}\n  ecr-deploy unhold --all", wrapped(&all))
            }
            (None, Some(_), None) => {
                let next = "The next sweep deploys what was skipped meanwhile, unless the setting sweep says otherwise. At once:";
                format!("{}\n  ecr-deploy sweep", wrapped(next))
            }
            _ => String::new(),
        };
        paragraphs([wrapped(&text), next, self.beside()])
    }
}

impl Held {
    /// The pushes beside which the hold was set.
    fn beside(&self) -> String {
        const MOST: usize = 5;
        let more = self.under_way.len().saturating_sub(MOST);
        let shown = self.under_way.iter().take(MOST);
        let shown: Vec<String> = shown.map(|push| format!("  ecr-deploy why {}", short(push))).collect();
        let more = if more > 0 {
            format!("\n  and {more} more")
        } else {
            String::new()
        };
        match self.under_way.len() {
            0 => String::new(),
            _ => format!(
                "{}\n{}{more}",
                wrapped(
                    "These pushes are under way. A rollout that one has begun goes on, and is taken back if it is bad:"
                ),
                shown.join("\n")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_says_until_when_who_and_why() {
        let now: Timestamp = "2026-11-29T10:00:00.123456789Z".parse().unwrap();
        let said = |why: &str, until: Option<&str>, is_tag: bool| {
            text("operator/ann", why, until, is_tag, now).unwrap_or_else(|error| error.to_string())
        };
        for (why, until, is_tag, expected) in [
            ("audit", None, true, "operator/ann - audit"),
            (
                "audit",
                Some("2026-12-24T06:00:00Z"),
                true,
                "until 2026-12-24T06:00:00Z operator/ann - audit",
            ),
            ("audit, again", None, false, "operator/ann - audit, again"),
            ("audit, again", None, true, "',' cannot be in the reason"),
            ("audit", Some("christmas"), true, "is no time"),
            (
                "audit",
                Some("2026-11-29T10:00:00Z"),
                true,
                "is over: it is 2026-11-29T10:00:00Z",
            ),
            (&"a".repeat(250), None, true, "is too long"),
        ] {
            assert!(
                said(why, until, is_tag).contains(expected),
                "{}",
                said(why, until, is_tag)
            );
        }
        let by = |is_tag: bool| text("operator/smith,john", "audit", None, is_tag, now).unwrap();
        assert_eq!(by(true), "operator/smith_john - audit");
        assert_eq!(by(false), "operator/smith,john - audit");
        // The functions read it by the same rule.
        let held = said("audit", Some("2026-12-24T06:00:00Z"), true);
        assert!(hold::hold(&held, now).is_some());
        assert!(hold::hold(&held, "2026-12-24T06:00:00Z".parse().unwrap()).is_none());
    }

    #[test]
    fn a_hold_that_was_not_there_is_not_lifted() {
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let lifted = |service: Option<&str>| Held {
            service: service.map(str::to_owned),
            hold: None,
            before: None,
            all_on_hold: None,
            under_way: Vec::new(),
        };
        assert_eq!(lifted(None).text(now), "nothing was on hold by --all");
        assert_eq!(
            lifted(Some("production/web")).text(now),
            "production/web was not on hold"
        );
    }

    #[test]
    fn a_service_whose_hold_is_lifted_while_everything_is_on_hold_stays_on_hold() {
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        for (before, all, expected, unexpected) in [
            (Some("ann - x"), None, "ecr-deploy sweep", "Everything"),
            (
                Some("ann - x"),
                Some("bob - audit"),
                "so is production/web: bob - audit",
                "sweep",
            ),
            (None, Some("bob - audit"), "ecr-deploy unhold --all", "sweep"),
        ] {
            let lifted = Held {
                service: Some("production/web".to_owned()),
                hold: None,
                before: before.map(str::to_owned),
                all_on_hold: all.map(str::to_owned),
                under_way: Vec::new(),
            };
            let text = lifted.text(now);
            assert!(text.contains(expected) && !text.contains(unexpected), "{text}");
        }
    }

    #[test]
    fn a_service_is_named_with_its_cluster() {
        let named: Named = "production/web".parse().unwrap();
        assert_eq!((named.cluster.as_str(), named.service.as_str()), ("production", "web"));
        for text in ["web", "/web", "production/", "a/b/c"] {
            assert_eq!(text.parse::<Named>().unwrap_err().name(), "Command.Usage");
        }
    }
}
