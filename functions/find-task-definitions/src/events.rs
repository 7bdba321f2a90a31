//! The events of a push's begin: that it has started, and which of its services are on hold.
//!
//! A state puts these events on EventBridge, see `docs/events.md`.

use ecr_deploy::contract::{
    Execution, Plan, PushServices, PushState, PushStateChange, ServiceState, ServiceStateChange, SkipReason, Skipped,
    StateChange, VERSION,
};
use ecr_deploy::domain::arn::{ClusterName, ServiceName};
use ecr_deploy::domain::push::PushedImage;

/// One call of EventBridge takes ten entries, and one is of the push:
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>.
const MOST_HELD: usize = 9;

/// Returns the events of a plan's begin; none where nothing begins and nothing is on hold.
#[must_use]
pub fn told(plan: &Plan, execution: &Execution) -> Vec<StateChange> {
    let Some(image) = &plan.image else { return Vec::new() };
    let held = plan.skipped.iter().filter(|skipped| is_held(skipped));
    let held = held.filter_map(|skipped| held_service(skipped, image, execution));
    let begin = (!plan.revisions.is_empty()).then(|| StateChange::Push(started(plan, image, execution)));
    begin.into_iter().chain(held.take(MOST_HELD)).collect()
}

fn is_held(skipped: &Skipped) -> bool {
    matches!(skipped.reason, SkipReason::OnHold | SkipReason::AllOnHold)
}

fn started(plan: &Plan, image: &PushedImage, execution: &Execution) -> PushStateChange {
    PushStateChange {
        version: VERSION.to_owned(),
        state: PushState::Started,
        image: Some(image.clone()),
        services: PushServices {
            planned: plan.services,
            ..PushServices::default()
        },
        skipped: plan.skipped.iter().map(|skipped| skipped.count).sum(),
        reasons: SkipReason::all_of(&plan.skipped),
        message: format!("{image} is being deployed"),
        error: None,
        seconds: None,
        execution: execution.id.clone(),
        attempt: execution.redrive_count,
    }
}

/// Returns the event of a service on hold; `None` for a family, and for an entry that stands for several.
fn held_service(skipped: &Skipped, image: &PushedImage, execution: &Execution) -> Option<StateChange> {
    // The name of a service has no blank, so this is what `title` made.
    let (service, cluster) = skipped.resource.split_once(" in ")?;
    let (service, cluster): (ServiceName, ClusterName) = (service.parse().ok()?, cluster.parse().ok()?);
    Some(StateChange::Service(ServiceStateChange {
        version: VERSION.to_owned(),
        state: ServiceState::Held,
        image: image.clone(),
        cluster,
        service,
        from: None,
        to: None,
        message: skipped.message.clone(),
        error: None,
        seconds: None,
        execution: execution.id.clone(),
        attempt: execution.redrive_count,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecr_deploy::contract::{PlannedRevision, PlannedService};
    use ecr_deploy::testing::{pushed, service_id};

    fn execution() -> Execution {
        Execution {
            id: "arn:aws:states:eu-west-1:123456789012:execution:deploy-image:app-v2-7".to_owned(),
            redrive_count: 1,
            version: ecr_deploy::domain::VERSION.to_owned(),
        }
    }

    fn skipped(resource: &str, reason: SkipReason) -> Skipped {
        Skipped {
            resource: resource.to_owned(),
            reason,
            message: format!("{resource} is skipped"),
            count: 1,
        }
    }

    fn plan(services: u32, skipped: Vec<Skipped>) -> Plan {
        let service = |_| PlannedService {
            cluster: service_id().cluster,
            service: service_id().service,
            stage: None,
            after: 0,
        };
        let revision = PlannedRevision {
            task_definition: "web:1".parse().unwrap(),
            after: 0,
            settings: 0,
            services: (0..services).map(service).collect(),
        };
        Plan {
            image: Some(pushed(2)),
            settings: vec![],
            revisions: if services == 0 { vec![] } else { vec![revision] },
            later: vec![],
            tags: vec![],
            skipped,
            services,
            error_length: 1000,
            told: vec![],
        }
    }

    /// The state of each, and whom it is of.
    fn states(plan: &Plan) -> Vec<String> {
        let told = told(plan, &execution());
        let state = |told: &StateChange| match told {
            StateChange::Push(push) => format!("{:?} {}", push.state, push.services.planned),
            StateChange::Service(it) => format!("{:?} {} {}", it.state, it.service, it.cluster),
        };
        told.iter().map(state).collect()
    }

    #[test]
    fn a_push_has_started_where_there_is_something_to_deploy() {
        assert_eq!(states(&plan(3, vec![])), ["Started 3"]);
        let skipped_only = plan(0, vec![skipped("app:v2", SkipReason::TagNotTaken)]);
        assert_eq!(states(&skipped_only), [""; 0]);
        let nothing_pushed = Plan {
            image: None,
            ..plan(0, vec![skipped("app", SkipReason::Untagged)])
        };
        assert_eq!(states(&nothing_pushed), [""; 0]);
    }

    #[test]
    fn a_service_on_hold_is_told_by_its_names_and_a_family_is_not() {
        use SkipReason::{AllOnHold, OnHold, TagNotTaken};
        let all = vec![
            skipped("web in production", OnHold),
            skipped("api in production", TagNotTaken),
            skipped("worker in staging", AllOnHold),
            skipped("family nightly", AllOnHold),
            skipped("7 more", OnHold),
        ];
        let held = ["Held web production", "Held worker staging"];
        assert_eq!(states(&plan(0, all.clone())), held);
        assert_eq!(states(&plan(1, all))[1..], held);
    }

    #[test]
    fn no_more_are_told_than_one_call_takes() {
        let many = (0..20).map(|number| skipped(&format!("web-{number} in production"), SkipReason::OnHold));
        let states = states(&plan(1, many.collect()));
        assert_eq!((states.len(), states[9].as_str()), (10, "Held web-8 production"));
    }

    #[test]
    fn it_tells_the_execution_and_its_attempt() {
        let told = told(
            &plan(1, vec![skipped("web in production", SkipReason::OnHold)]),
            &execution(),
        );
        let [StateChange::Push(push), StateChange::Service(service)] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((&push.execution, push.attempt), (&execution().id, 1));
        assert_eq!((&service.execution, service.attempt), (&execution().id, 1));
        assert_eq!((push.skipped, &push.reasons[..]), (1, &[SkipReason::OnHold][..]));
        assert_eq!(service.message, "web in production is skipped");
    }
}
