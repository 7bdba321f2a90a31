//! A push in, what is to be deployed out.

pub mod events;
pub mod limits;
pub mod plan;
pub mod policy;
pub mod registry;
pub mod services;
pub mod stage;
pub mod waves;

use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::{Hold, Plan, PlannedRevision, ServiceId, Skipped, Wave};
use ecr_deploy::domain::arn::TaskDefinitionArn;
use ecr_deploy::domain::artifact::Kind;
use ecr_deploy::domain::push::{NothingPushed, Push, PushedImage, parse_push};
use ecr_deploy::domain::service::Service;
use ecr_deploy::domain::stage::StageName;
use ecr_deploy::domain::task_definition::Outline;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image};
use ecr_deploy::quota::schedule::{Share, is_long};
use futures::channel::mpsc;
use futures::future::try_join3;
use jiff::Timestamp;
use limits::plan_within;
use plan::{id_of_planned, plan};
use serde::Deserialize;
use serde_json::Value;
use services::{Seen, read_services};
use stage::Stages;
use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;
use waves::{Waves, waves};

/// How often [`share`] asks whether ECS has throttled a read.
const CHECK_EVERY: Duration = Duration::from_millis(200);

/// A count of pushes that is older is repeated: the first of several pushes does not see the later ones.
const COUNT_IS_OLD: Duration = Duration::from_secs(1);

/// How often the searches that share the reads are counted again. Step Functions grants some regions two such calls a
/// second, and twenty searches may ask.
const RECOUNT_EVERY: Duration = Duration::from_secs(10);

/// Finds what runs the repository of a pushed image: the step "Find task definitions".
///
/// The input is the raw EventBridge event; with `"plan": true` beside its members the plan is asked for alone, and names the
/// stage of each service. Beside them, too, stands the [`Hold`] of everything as the state before has read it: then the plan skips
/// all that it would deploy. The plan lists each revision in use with its services, then the newest
/// revision of each family without a service; it changes nothing. `pushes` tells this push's share of what may be read,
/// registered and updated, where there is too little for all, see [`ecr_deploy::quota::executions`]. `stored` tells what ECR
/// holds, see [`registry::kind_of`]; it is asked only where the event does not
/// tell what was pushed.
///
/// # Errors
///
/// `Deploy.InvalidInput` when a stage of the settings cannot be used, when the event, the member `plan` or the hold cannot be read or is from the future, when the plan is too large for one execution, or when it moves more services than the setting `maxServices` allows; `Deploy.Unavailable` and `Deploy.Rejected` by ECS.
pub async fn handle(
    ecs: &Ecs,
    config: &Config,
    pushes: impl AsyncFn() -> Option<Share>,
    stored: impl AsyncFn(&PushedImage) -> Kind,
    request: Request<Value>,
) -> Result<Plan, Error> {
    let mut stages = Stages::read(config)?;
    stages.hold = hold(&request.input)?;
    // The state machine ends after the plan then.
    let is_alone = is_plan_only(&request.input)?;
    let image = match parse_push(&request.input)? {
        Push::Tagged(image) => image,
        Push::Untold(image) => {
            log_image(&image);
            let kind = stored(&image).await;
            if let Kind::Artifact(artifact) = kind {
                return skip(None, policy::not_an_image(&image, &artifact));
            }
            image
        }
        Push::Nothing(nothing) => {
            if let NothingPushed::Artifact { pushed, .. } = &nothing {
                log_image(pushed);
            }
            return skip(None, policy::nothing_pushed(&nothing));
        }
    };
    log_image(&image);
    image.refuse_from_the_future(request.now)?;
    if let Some(skipped) = policy::push(&image, config, &stages) {
        tracing::info!(reason = ?skipped.reason, "skipped: {}", skipped.message);
        return skip(Some(image), skipped);
    }
    let plan = tokio::select! {
        plan = search(ecs, config, &stages, &pushes, request.now, image, is_alone) => plan?,
        never = share(ecs, &pushes) => match never {},
    };
    if is_alone {
        // Who is refused asks for the plan, to see which services there are.
        return Ok(plan);
    }
    refuse_many(config.max_services, &plan)?;
    let told = events::told(&plan, &request.execution);
    Ok(Plan { told, ..plan })
}

/// The plan of a push of which nothing is deployed, for this reason.
fn skip(image: Option<PushedImage>, skipped: Skipped) -> Result<Plan, Error> {
    let waves = Waves {
        skipped: vec![skipped],
        ..Waves::default()
    };
    plan_within(image, waves, Share::WHOLE, false)
}

/// Refuses a plan that moves more services than `most`, the setting `maxServices`.
fn refuse_many(most: u32, plan: &Plan) -> Result<(), Error> {
    let Plan { image, services, .. } = plan;
    if *services <= most {
        return Ok(());
    }
    let image = image.as_ref().map(ToString::to_string).unwrap_or_default();
    Err(Error::InvalidInput(format!(
        "{image} would move {services} services, and the setting maxServices allows {most}. Nothing was changed. Ask for the \
         plan to see which services these are. If the push is meant for all of them, raise maxServices, deploy the stack, and push \
         again: a redrive keeps to the old setting. Else narrow what is deployed by the setting stages, clusters or repositories"
    )))
}

/// True if only the plan is asked for. A misspelt member is refused: who asks for a plan wants nothing deployed.
fn is_plan_only(input: &Value) -> Result<bool, Error> {
    let mut members = input.as_object().into_iter().flatten();
    match members.find(|(name, _)| name.trim().eq_ignore_ascii_case("plan")) {
        None => Ok(false),
        Some((name, Value::Bool(plan))) if name == "plan" => Ok(*plan),
        Some((name, _)) => Err(Error::invalid_input(format_args!(
            "the member {name:?} of the input cannot be read, and nothing was deployed: write \"plan\": true, without quotes \
             around true, to be told the plan alone, or leave it out to deploy"
        ))),
    }
}

/// The hold of everything; `None` if the input has none.
fn hold(input: &Value) -> Result<Option<Hold>, Error> {
    let hold = input.get("hold").map(Hold::deserialize).transpose();
    hold.map_err(|problem| Error::invalid_input(format_args!("the member hold of the input: {problem}")))
}

/// Once ECS throttles reads, keeps this search to its share of them.
#[expect(clippy::disallowed_methods, reason = "a pause between two calls, not a wait for ECS")]
async fn share(ecs: &Ecs, pushes: &impl AsyncFn() -> Option<Share>) -> Infallible {
    let mut among = 1;
    loop {
        ecs.share_among(among);
        tokio::time::sleep(if among > 1 { RECOUNT_EVERY } else { CHECK_EVERY }).await;
        if among > 1 || ecs.was_throttled() {
            among = pushes().await.map_or(among, |share| share.pushes);
        }
    }
}

async fn search(
    ecs: &Ecs,
    config: &Config,
    stages: &Stages,
    pushes: &impl AsyncFn() -> Option<Share>,
    now: Timestamp,
    image: PushedImage,
    is_alone: bool,
) -> Result<Plan, Error> {
    // A revision is read as soon as the first service on it is found.
    let (found, revisions) = mpsc::unbounded();
    let families = async {
        if config.scan_families {
            ecs.families().await
        } else {
            Ok(Vec::new())
        }
    };
    let read = async {
        let seen = read_services(ecs, config, found).await?;
        // While the last revisions are read: a short search does not wait for it.
        Ok((seen, pushes().await, Instant::now()))
    };
    let ((seen, counted, at), definitions, families) = try_join3(read, ecs.outlines_of(revisions), families).await?;
    let Seen { services, mut skipped } = seen;
    let standalone = read_families(ecs, &families, &services).await?;
    let planned = plan(stages, &image, &services, &definitions, &standalone, now);
    let mut ordered = waves(stages, &image, &services, &definitions, &planned);
    skipped.extend(planned.skipped);
    skipped.append(&mut ordered.skipped);
    if ordered.waves.is_empty() && skipped.is_empty() {
        skipped.push(policy::not_in_use(&image));
    }
    log_plan(&image, &services, &ordered.waves, &skipped);
    let sharing = if ordered.waves.iter().any(|wave| is_long(&wave.revisions)) || at.elapsed() >= COUNT_IS_OLD {
        pushes().await.or(counted)
    } else {
        counted
    };
    ordered.skipped = plan::bounded(skipped);
    let share = sharing.unwrap_or(Share::WHOLE);
    let mut plan = plan_within(Some(image), ordered, share, config.sends_messages)?;
    if is_alone {
        name_stages(&mut plan, &planned.stages);
    }
    Ok(plan)
}

/// Names the stage of each service of a plan.
fn name_stages(plan: &mut Plan, stages: &BTreeMap<ServiceId, StageName>) {
    let later = plan.later.iter_mut().flat_map(|wave| &mut wave.revisions);
    let revisions = plan.revisions.iter_mut().chain(later);
    for service in revisions.flat_map(|revision| &mut revision.services) {
        service.stage = stages.get(&id_of_planned(service)).cloned();
    }
}

/// The newest ACTIVE revision of every one of `families` that no service is on.
async fn read_families(ecs: &Ecs, families: &[String], services: &[Service]) -> Result<Vec<Outline>, Error> {
    let of_services = services.iter().flat_map(|service| &service.task_definitions);
    let in_service: HashSet<&str> = of_services.map(TaskDefinitionArn::family).collect();
    let families = families.iter().map(String::as_str);
    let standalone: Vec<&str> = families.filter(|family| !in_service.contains(family)).collect();
    ecs.newest_outlines(&standalone).await
}

fn log_plan(image: &PushedImage, seen: &[Service], waves: &[Wave], skipped: &[Skipped]) {
    let revisions: Vec<&PlannedRevision> = waves.iter().flat_map(|wave| &wave.revisions).collect();
    let services: usize = revisions.iter().map(|revision| revision.services.len()).sum();
    tracing::info!(
        services_seen = seen.len(),
        waves = waves.len(),
        revisions = revisions.len(),
        services,
        skipped = skipped.len(),
        "planned the deployment of {image}"
    );
    for it in skipped {
        tracing::info!(resource = %it.resource, reason = ?it.reason, "skipped: {}", it.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan of two waves.
    const WAVES: &str = include_str!("../../../statemachine/examples/plan.waves.json");

    #[test]
    fn a_push_moves_as_many_services_as_the_setting_allows_and_no_more() {
        let plan: Plan = serde_json::from_str(WAVES).unwrap();
        for (services, most, is_refused) in [
            (0, 1, false),
            (1, 1, false),
            (2, 1, true),
            (3, 2, true),
            (3, 10_000, false),
        ] {
            let plan = Plan {
                services,
                ..plan.clone()
            };
            let refused = refuse_many(most, &plan);
            assert_eq!(refused.is_err(), is_refused, "{services} services, {most} allowed");
            if let Err(error) = refused {
                let says = format!(
                    "would move {services} services, and the setting maxServices allows {most}. Nothing was changed."
                );
                assert!(error.to_string().contains(&says), "{error}");
                assert_eq!(error.name(), "Deploy.InvalidInput");
            }
        }
    }
}
