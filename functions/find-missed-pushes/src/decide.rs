//! The decision: which pushes are started, and which are told only.
//!
//! A push is started as a whole, and moves every service that its plan holds. So it is started only where each of these
//! misses it for a reason by which it is to be deployed: nothing else is ever moved by a sweep.

use crate::candidates::{Account, Candidate};
use crate::judge::Judged;
use crate::pushes::has_begun;
use ecr_deploy::contract::{MissedPush, ServiceId, WhyMissed};
use ecr_deploy::domain::push::{PushId, PushedImage};
use ecr_deploy::domain::service::title;
use ecr_deploy::domain::sweep::{SweepAction, SweepSettings};
use ecr_deploy::domain::text::checksum;
use ecr_deploy::quota::executions::Begun;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A candidate and its judgement.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// The service and the image.
    pub candidate: Candidate<'a>,
    /// Why it misses it.
    pub judged: Judged,
}

impl Found<'_> {
    /// Why it is missed; `None` where it is not, or not yet.
    fn why(&self) -> Option<WhyMissed> {
        match self.judged {
            Judged::Missed(why) | Judged::Unsure(why) => Some(why),
            Judged::NotYet | Judged::FailedBefore => None,
        }
    }
}

/// The decision of a sweep.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// The pushes that it starts.
    pub pushes: Vec<PushedImage>,
    /// The services that miss a push, those first whose push is started.
    pub missed: Vec<MissedPush>,
}

/// Decides what is done by `settings`, with the executions of deploy-image that `begun` lists.
#[must_use]
pub fn decide(account: &Account<'_>, settings: SweepSettings, found: &[Found<'_>], begun: &[Begun]) -> Decided {
    let mut by_image: BTreeMap<(String, String), Vec<&Found<'_>>> = BTreeMap::new();
    for it in found {
        let image = &it.candidate.image;
        let key = (format!("{}/{image}", image.registry_id), image.digest.to_string());
        by_image.entry(key).or_default().push(it);
    }
    let mut decided = Decided::default();
    for of_image in by_image.values() {
        Image {
            account,
            settings,
            found: of_image,
            begun,
        }
        .decide(&mut decided);
    }
    put_in_order(&mut decided.missed);
    decided
}

/// Puts those first whose push is started.
fn put_in_order(missed: &mut [MissedPush]) {
    missed.sort_by_cached_key(|it| {
        (
            it.action == SweepAction::Report,
            it.cluster.clone(),
            it.service.clone(),
            it.image.to_string(),
        )
    });
}

/// An image, with those that miss it or may.
struct Image<'a> {
    account: &'a Account<'a>,
    settings: SweepSettings,
    found: &'a [&'a Found<'a>],
    begun: &'a [Begun],
}

/// The end of a push that a service misses.
#[derive(Debug, Clone)]
enum Done {
    /// It is started.
    Started,
    /// Something of it is under way: it is not told either.
    NotYet,
    /// Its push would move this service too, and so many more, which do not miss it for a reason to deploy it.
    Beside(ServiceId, usize),
    /// A sweep has started it before.
    Begun,
    /// It is told, as the settings want it.
    Told,
}

impl Image<'_> {
    fn decide(&self, decided: &mut Decided) {
        let deploys = |why: WhyMissed| match why {
            WhyMissed::Lost | WhyMissed::Held => self.settings.lost == SweepAction::Deploy,
            WhyMissed::Reverted => self.settings.reverted == SweepAction::Deploy,
            WhyMissed::Unrecorded => false,
        };
        let is_wanted = |it: &&&Found<'_>| matches!(it.judged, Judged::Missed(why) if deploys(why));
        let wanted: Vec<&Found<'_>> = self.found.iter().filter(is_wanted).copied().collect();
        let is_reverted = |it: &&Found<'_>| it.why() == Some(WhyMissed::Reverted);
        let (reverted, rest): (Vec<_>, Vec<_>) = wanted.iter().copied().partition(is_reverted);
        // An image that was deployed before is deployed anew by a push of now, which serves the others, too.
        let attempts = if reverted.is_empty() {
            vec![(wanted, None)]
        } else {
            vec![(wanted, Some(self.account.now)), (rest, None)]
        };
        let mut done: BTreeMap<ServiceId, Done> = BTreeMap::new();
        for (those, at) in attempts.into_iter().filter(|(those, _)| !those.is_empty()) {
            let (end, push) = match self.start(&those, at) {
                Ok(push) => (Done::Started, Some(push)),
                Err(why) => (why, None),
            };
            done.extend(those.iter().map(|it| (it.candidate.id(), end.clone())));
            if let Some(push) = push {
                decided.pushes.push(push);
                break;
            }
        }
        for it in self.found {
            let Some(why) = it.why() else { continue };
            match done.get(&it.candidate.id()).unwrap_or(&Done::Told) {
                Done::NotYet => {}
                done => decided.missed.push(missed(it, why, done)),
            }
        }
    }

    /// The push that moves these, and nothing else: of now, or of when ECR got the image. The error says why it is not started.
    fn start(&self, those: &[&Found<'_>], at: Option<Timestamp>) -> Result<PushedImage, Done> {
        let image = &those[0].candidate.image;
        let id = id_of(those);
        if has_begun(self.begun, &id) {
            return Err(Done::Begun);
        }
        let push = PushId::new(at.unwrap_or(image.push.at()), &id).map_err(|_| Done::Begun)?;
        let image = PushedImage { push, ..image.clone() };
        let wanted: BTreeSet<ServiceId> = those.iter().map(|it| it.candidate.id()).collect();
        let mut others = self.account.moved(&image);
        others.retain(|id| !wanted.contains(id));
        let is_not_yet = |id: &ServiceId| {
            let judged = self.found.iter().find(|it| it.candidate.id() == *id);
            judged.is_some_and(|it| it.judged == Judged::NotYet)
        };
        if !others.is_empty() && others.iter().all(is_not_yet) {
            return Err(Done::NotYet);
        }
        match others.pop_first() {
            None => Ok(image),
            Some(first) => Err(Done::Beside(first, others.len())),
        }
    }
}

/// The id of the event by which these are deployed. It is the same for the same image, as long as none of the services
/// has got another deployment: so two sweeps start one execution.
fn id_of(those: &[&Found<'_>]) -> String {
    let mut services: Vec<String> = those
        .iter()
        .map(|it| {
            let service = it.candidate.service;
            let deployment = service.primary().map_or("", |primary| primary.id.as_str());
            format!("{}/{} {deployment}", service.cluster, service.name)
        })
        .collect();
    services.sort();
    let image = &those[0].candidate.image;
    let text = format!("{}/{image}@{} {}", image.registry_id, image.digest, services.join(" "));
    format!("sweep-{}", checksum(&text))
}

/// Why a service has missed a push, as far as is known.
fn because(found: &Found<'_>, why: WhyMissed) -> String {
    let Candidate { running, image, .. } = &found.candidate;
    let on = running.arn().short();
    match (why, found.judged) {
        (WhyMissed::Lost, Judged::Unsure(_)) => {
            "nobody can tell any more whether a push of it came, or whether it was rolled out there before".to_owned()
        }
        (WhyMissed::Lost, _) => "no push of it is known here, so its event was lost".to_owned(),
        (WhyMissed::Held, Judged::Unsure(_)) => {
            "its push skipped the service, or it was rolled out there and taken back: so many rollouts ago that nobody can tell"
                .to_owned()
        }
        (WhyMissed::Held, _) => {
            "its push skipped the service: the service was on hold, or a setting was different".to_owned()
        }
        (WhyMissed::Reverted, Judged::Unsure(_)) => {
            format!("{on} has replaced an image that ecr-deploy deployed: by somebody's apply, or by a rollback")
        }
        (WhyMissed::Reverted, _) => format!("the service ran it, and somebody has put {on} there since"),
        (WhyMissed::Unrecorded, _) if running.is_ours() => format!(
            "no push of {} is recorded there yet, so ECR itself may have brought it in, or somebody before ecr-deploy",
            image.repository
        ),
        (WhyMissed::Unrecorded, _) => format!("{on} is somebody else's, and ecr-deploy has deployed nothing there yet"),
    }
}

fn missed(found: &Found<'_>, why: WhyMissed, done: &Done) -> MissedPush {
    let Candidate {
        service,
        running,
        stage,
        image,
        ..
    } = &found.candidate;
    let on = running.arn().short();
    let because = because(found, why);
    let next = match done {
        Done::Started => "It is deployed now".to_owned(),
        Done::Beside(other, more) => {
            let more = (*more > 0).then(|| format!(" and {more} more"));
            let more = more.unwrap_or_default();
            let other = title(&other.cluster, &other.service);
            format!(
                "A push of it would move {other}{more} as well, so none is started. If that is meant, run ecr-deploy deploy {image}"
            )
        }
        Done::Begun => {
            format!("A sweep has deployed it before, and it did not stay. To see why, run ecr-deploy why {image}")
        }
        Done::NotYet | Done::Told => format!("To deploy it, run ecr-deploy deploy {image}"),
    };
    let message = format!(
        "{} runs {on} and not {image}, which is newer ({}) and which its stage {stage} takes: {because}. {next}",
        service.title(),
        image.push.at(),
    );
    MissedPush {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        stage: stage.clone(),
        from: running.arn().name(),
        image: image.clone(),
        why,
        action: match done {
            Done::Started => SweepAction::Deploy,
            _ => SweepAction::Report,
        },
        message,
    }
}

#[cfg(test)]
mod tests;
