//! Plans that fit into one execution. The push is that of `app:v2`.

use super::*;
use ecr_deploy::contract::{PlannedService, SkipReason, Skipped, StageTag, Wave};
use ecr_deploy::domain::stage::RolloutSettings;
use ecr_deploy::testing::pushed;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// So many services on so many families, each name of so many characters.
fn revisions(families: usize, services: usize, name: usize) -> Vec<PlannedRevision> {
    let named = |begin: &str, number: usize| format!("{begin}-{number:0>width$}", width = name - begin.len() - 1);
    let revision = |family: usize| {
        let here = (0..services).filter(|service| service % families == family);
        let service = |service| PlannedService {
            cluster: named("production", 1).parse().unwrap(),
            service: named("web", service).parse().unwrap(),
            stage: None,
            after: 0,
        };
        PlannedRevision {
            task_definition: format!("{}:123", named("family", family)).parse().unwrap(),
            after: 0,
            settings: 0,
            services: here.map(service).collect(),
        }
    };
    (0..families).map(revision).collect()
}

/// A wave of these.
fn wave(revisions: Vec<PlannedRevision>) -> Wave {
    Wave {
        stages: vec!["production".parse().unwrap()],
        soak: 900,
        revisions,
    }
}

/// The plan of these waves for the last one of so many pushes.
fn plan_of(waves: Vec<Wave>, pushes: u32) -> Result<Plan, Error> {
    let planned = Waves {
        waves,
        settings: vec![RolloutSettings::default()],
        ..Waves::default()
    };
    let share = Share {
        pushes,
        ahead: pushes - 1,
    };
    plan_within(Some(pushed(2)), planned, share, false)
}

fn planned(families: usize, services: usize, name: usize) -> Result<Plan, Error> {
    plan_of(vec![wave(revisions(families, services, name))], 1)
}

/// The same in so many waves.
fn planned_in(waves: usize, families: usize, services: usize, name: usize) -> Result<Plan, Error> {
    let all = revisions(families, services, name);
    let waves = all.chunks(families.div_ceil(waves).max(1)).map(<[_]>::to_vec).map(wave);
    plan_of(waves.collect(), 1)
}

#[test]
fn a_thousand_services_with_a_task_definition_each_fit_in_three_waves() {
    let plan = planned_in(3, 1000, 1000, 25).unwrap();
    assert_eq!((plan.services, plan.revisions.len(), plan.later.len()), (1000, 334, 2));
    let all = sizes(&plan);
    assert!(all.iter().all(|size| size + ENVELOPE_BYTES <= MOST_BYTES), "{all:?}");
    // Each wave has the whole bucket at its begin.
    let begins = plan.later.iter().map(|wave| wave.revisions[0].after);
    assert!(begins.chain([plan.revisions[0].after]).all(|after| after == 0));
    let in_one = events(&planned(1000, 1000, 25).unwrap());
    let groups = |revisions: usize| revisions.min(MOST_GROUPS) * EVENTS_OF_GROUP;
    let more = 2 * EVENTS_OF_WAVE + groups(334) + groups(334) + groups(332) - groups(1000);
    assert_eq!(events(&plan), in_one + more);
}

/// Each wave is of a stage with settings and a tag of its own.
#[test]
fn they_fit_also_where_each_stage_has_settings_and_a_tag_of_its_own() {
    let all = revisions(1000, 1000, 25);
    let tag = |settings: u32| StageTag {
        settings,
        tag: "x".repeat(128).parse().unwrap(),
    };
    let waves = (0..3).zip(all.chunks(334)).map(|(settings, revisions)| {
        let of_stage = revisions
            .iter()
            .cloned()
            .map(|revision| PlannedRevision { settings, ..revision });
        wave(of_stage.collect())
    });
    let of_stages = Waves {
        waves: waves.collect(),
        settings: vec![RolloutSettings::default(); 3],
        tags: (0..3).map(tag).collect(),
        skipped: Vec::new(),
    };
    let plan = plan_within(Some(pushed(2)), of_stages, Share::WHOLE, false).unwrap();
    assert_eq!((plan.services, plan.later.len(), plan.tags.len()), (1000, 2, 3));
    let all = sizes(&plan);
    assert!(all.iter().all(|size| size + ENVELOPE_BYTES <= MOST_BYTES), "{all:?}");
    let without = planned_in(3, 1000, 1000, 25).unwrap();
    assert!(
        plan.error_length < without.error_length,
        "what tells the settings takes room"
    );
    assert_eq!(
        events(&plan),
        events(&without) + 3 * (EVENTS_OF_TAG + EVENTS_OF_FAILURE)
    );
}

/// Returns the bytes of the input of "Conclude" when every service of a plan fails with the longest error.
fn told(plan: &Plan) -> usize {
    let error = "x".repeat(plan.error_length.try_into().unwrap());
    let mut end = all_failed(plan);
    for result in &mut end.results {
        match result {
            RevisionResult::Failed { failed, .. } => failed.clone_from(&error),
            RevisionResult::Services { services, .. } => {
                for result in services {
                    match result {
                        PlannedResult::Failed { failed, .. } => failed.clone_from(&error),
                        PlannedResult::Ended(_) => unreachable!("all have failed"),
                    }
                }
            }
            RevisionResult::Registered { .. } => unreachable!("nothing is registered"),
        }
    }
    size(&Conclude::Image(end))
}

/// The sizes of the largest JSON documents that go from state to state, however a plan ends.
fn sizes(plan: &Plan) -> [usize; 4] {
    [
        size(plan),
        told(plan),
        size(&all_superseded(plan)),
        size(&all_again(plan)),
    ]
}

/// A family without a service is only registered.
#[test]
fn the_room_for_the_end_holds_each_service_and_each_family_and_nothing_that_is_still_to_do() {
    let of = |families, services| wave(revisions(families, services, 20));
    let plan = plan_of(vec![of(3, 2), of(4, 3)], 1).unwrap();
    let end = all_superseded(&plan);
    let services: Vec<_> = end.services.iter().map(|result| result.service.as_str()).collect();
    assert_eq!(services, [0, 1, 0, 1, 2].map(|number| format!("web-{number:0>16}")));
    let families: Vec<_> = end.families.iter().map(ToString::to_string).collect();
    assert_eq!(families, [2, 3].map(|number| format!("family-{number:0>13}:123")));
    assert_eq!((end.retry.len(), end.later.len()), (0, 0));
}

#[test]
fn fifteen_hundred_services_with_ordinary_names_fit_also_when_all_of_them_fail() {
    for (families, name, shortest) in [
        (1500, 20, 30),
        (1500, 25, SHORTEST_ERROR),
        (300, 20, 70),
        (300, 30, SHORTEST_ERROR),
        (1, 30, SHORTEST_ERROR),
    ] {
        let plan = planned(families, 1500, name).unwrap();
        assert_eq!(plan.services, 1500);
        assert!(
            plan.error_length as usize >= shortest,
            "{families}, {name}: {}",
            plan.error_length
        );
        let all = sizes(&plan);
        assert!(all.iter().all(|size| size + ENVELOPE_BYTES <= MOST_BYTES), "{all:?}");
        assert!(events(&plan) <= MOST_EVENTS - RETRIES);
    }
}

#[test]
fn a_message_has_room_beside_a_thousand_services_and_takes_it_from_the_largest_plan() {
    let of = |services: usize, sends_messages| {
        let planned = Waves {
            waves: vec![wave(revisions(100, services, 40))],
            settings: vec![RolloutSettings::default()],
            ..Waves::default()
        };
        plan_within(Some(pushed(2)), planned, Share::WHOLE, sends_messages)
    };
    let plan = of(1000, true).unwrap();
    assert!(size(&all_superseded(&plan)) + Message::MOST_BYTES + ENVELOPE_BYTES <= MOST_BYTES);
    let most = |sends_messages| {
        (1000..4000)
            .step_by(50)
            .find(|services| of(*services, sends_messages).is_err())
            .unwrap()
    };
    assert!(most(true) < most(false));
}

#[test]
fn the_largest_plan_that_fits_keeps_the_name_of_each_error_and_the_next_one_is_refused() {
    let by_one_each: fn(usize) -> usize = |services| services;
    for (families, name) in [(by_one_each, 25), (|_| 100, 40), (|_| 1, 50)] {
        let plan_with = |services| planned(families(services), services, name);
        let (mut fits, mut refused) = (1000, 4000);
        while refused - fits > 1 {
            let between = usize::midpoint(fits, refused);
            if plan_with(between).is_ok() {
                fits = between;
            } else {
                refused = between;
            }
        }
        let plan = plan_with(fits).unwrap();
        let kept = plan.error_length as usize;
        assert!((SHORTEST_ERROR..20).contains(&kept), "{fits} services keep {kept}");
        let all = sizes(&plan);
        assert!(
            all.iter().all(|size| size + 2048 <= 262_144),
            "{fits} services: {all:?}"
        );
        // As "Conclude" puts it out where no service fails.
        let services = plan.revisions.iter().flat_map(|revision| &revision.services);
        let services = services.map(|planned| {
            json!({"cluster": planned.cluster, "service": planned.service, "outcome": "ROLL_BACK_SUPERSEDED"})
        });
        let returned = size(&services.collect::<Vec<_>>());
        assert!(returned + 2048 <= 262_144, "{fits} services: {returned}");
        refuses(plan_with(refused), &["bytes, and Step Functions allows 262144"]);
    }
}

#[test]
fn few_services_keep_whole_errors() {
    for (families, services) in [(1, 1), (100, 100), (3, 100)] {
        assert_eq!(planned(families, services, 25).unwrap().error_length, 1000);
    }
    let plan = plan_within(None, Waves::default(), Share::WHOLE, false).unwrap();
    assert_eq!((plan.error_length, plan.services), (1000, 0));
}

#[test]
fn the_more_services_the_less_of_their_errors_is_kept() {
    let plan = planned(100, 600, 25).unwrap();
    assert!((100..1000).contains(&plan.error_length), "{}", plan.error_length);
}

#[test]
fn a_plan_is_scheduled() {
    let plan = planned(30, 90, 25).unwrap();
    let after: Vec<u32> = plan.revisions.iter().map(|revision| revision.after).collect();
    assert_eq!((after[17], after[18], after[29]), (0, 1, 12));
    let services = &plan.revisions[17].services;
    assert_eq!((services[0].after, services[2].after), (1, 2));
    let one_of_two = plan_of(vec![wave(revisions(30, 90, 25))], 2).unwrap();
    assert_eq!((one_of_two.revisions[8].after, one_of_two.revisions[9].after), (0, 2));
}

#[track_caller]
fn refuses(plan: Result<Plan, Error>, says: &[&str]) {
    let error = plan.unwrap_err();
    assert_eq!(error.name(), "Deploy.InvalidInput");
    let message = error.to_string();
    assert!(says.iter().all(|says| message.contains(says)), "{message}");
    assert!(message.contains("Nothing was changed") && message.contains("the setting clusters or repositories"));
}

#[test]
fn what_would_be_too_large_is_refused_with_how_large_and_what_to_do() {
    let says = [
        "app:v2 runs on 2000 services by 20 task definitions, too many for one execution",
        "bytes, and Step Functions allows 262144",
        "a second stack",
    ];
    refuses(planned(20, 2000, 40), &says);
}

#[test]
fn a_history_that_would_be_too_long_is_refused_with_how_long_and_what_to_do() {
    // 61 + 40 x 6 + 1,900 x 12
    let says = [
        "app:v2 runs on 1900 services by 1900 task definitions, too many for one execution",
        "it would take up to 23101 events, and Step Functions keeps 25000 of one execution, of which 2500 are for retries",
    ];
    refuses(planned(1900, 1900, 16), &says);
    refuses(planned(1800, 0, 20), &["0 services by 1800 task definitions", "events"]);
    assert_eq!(planned(1400, 0, 20).map(|plan| plan.services).unwrap(), 0);
    // Two services each: 15 + 6 + 2 x 10.
    refuses(planned(550, 1100, 20), &["it would take up to 22851 events"]);
}

#[test]
fn a_service_whose_update_has_to_wait_longer_than_its_revision_takes_the_events_of_several() {
    let mut of_many = revisions(1, 60, 20);
    of_many.extend(revisions(1, 1, 21));
    let plan = plan_of(vec![wave(of_many)], 1).unwrap();
    assert!(plan.revisions[1].services[0].after > 0);
    assert_eq!(events(&plan), 61 + 2 * 6 + (15 + 3 * 6 + 60 * 10) + (15 + 6 + 10));
}

#[test]
fn what_is_skipped_takes_room_too() {
    let skipped = Skipped {
        resource: "old in production".to_owned(),
        reason: SkipReason::Superseded,
        message: "x".repeat(MOST_BYTES),
        count: 1,
    };
    let waves = Waves {
        skipped: vec![skipped],
        ..Waves::default()
    };
    let plan = plan_within(Some(pushed(2)), waves, Share::WHOLE, false);
    refuses(plan, &["0 services by 0 task definitions", "bytes"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_planned_fits_however_it_ends(
        waves in 1_usize..5, families in 1_usize..1600, services in 0_usize..3000, name in 16_usize..40,
    ) {
        if let Ok(plan) = planned_in(waves, families, services, name) {
            prop_assert!(told(&plan) + ENVELOPE_BYTES <= MOST_BYTES);
            prop_assert!(size(&plan).max(size(&all_superseded(&plan))).max(size(&all_again(&plan))) <= MOST_BYTES);
            prop_assert!(events(&plan) <= MOST_EVENTS - RETRIES);
        } else {
            prop_assert!(families + services > 500, "{families} families and {services} services are refused");
        }
    }
}

/// The definition of deploy-image as it is deployed.
fn deploy_image() -> Value {
    asl::read("deploy-image").unwrap()
}

/// The events of a state by its kind, see <https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html>:
/// all are entered and exited; a Task is scheduled and started and ends, and one that waits for another execution is
/// submitted too; a Map is started and ends.
fn events_of(state: &Value) -> usize {
    match state["Type"].as_str().unwrap() {
        "Task" if state["Resource"].as_str().unwrap().ends_with(".sync:2") => 6,
        "Task" => 5,
        "Map" => 4,
        "Pass" | "Wait" | "Choice" | "Succeed" => 2,
        other => panic!("a {other}"),
    }
}

/// The events on the longest way through some states that enters none twice.
fn longest(scope: &Value, name: &str, entered: &[&str]) -> usize {
    let state = &scope["States"][name];
    let ways = [&state["Next"], &state["Default"]].into_iter();
    let rules = ["Catch", "Choices"]
        .into_iter()
        .flat_map(|rules| state[rules].as_array().into_iter().flatten());
    let next = ways.chain(rules.map(|rule| &rule["Next"])).filter_map(Value::as_str);
    let entered = [entered, &[name]].concat();
    let on = next
        .filter(|next| !entered.contains(next))
        .map(|next| longest(scope, next, &entered));
    events_of(state) + on.max().unwrap_or_default()
}

fn longest_through(scope: &Value) -> usize {
    longest(scope, scope["StartAt"].as_str().unwrap(), &[])
}

#[test]
fn the_events_are_those_of_the_state_machine() {
    // An iteration is started and ends, and so is an execution.
    const AROUND: usize = 2;
    let machine = deploy_image();
    let along = |way: &[&str]| -> usize { way.iter().map(|name| events_of(&machine["States"][name])).sum() };
    let deployed = ["Deploy wave", "Sum up", "What is left to do?"];
    let begin = [
        "Read hold",
        "Find task definitions",
        "Only the plan?",
        "Tell what begins",
    ];
    let red = ["Tell that it failed", "Conclude"];
    let message = ["Send message", "What is left to do?"];
    let all = along(&begin) + along(&deployed) + along(&message) + along(&red);
    assert_eq!(AROUND + all, EVENTS_OF_PUSH);
    let green = along(&["Tell how it ended", "Done"]);
    assert!(green < along(&red), "a push that fails takes more");
    let before = [
        "Soak",
        "Still stable?",
        "Read hold again",
        "On hold?",
        "Does it follow?",
        "Next wave",
    ];
    assert_eq!(along(&before) + along(&deployed), EVENTS_OF_WAVE);
    let tag = [
        "Read manifest",
        "Image still there?",
        "Tag on success",
        "What is left to do?",
    ];
    assert_eq!(along(&tag), EVENTS_OF_TAG);
    let gone = [
        "Read manifest",
        "Image still there?",
        "Image is gone",
        "What is left to do?",
    ];
    assert!(along(&gone) < EVENTS_OF_TAG, "an image that gets its tag takes more");
    let failure = ["Sum up", "What is left to do?"];
    assert_eq!(along(&failure), EVENTS_OF_FAILURE);
    // The ways above are all that there are.
    let known: BTreeSet<&str> = [
        &deployed[..],
        &tag,
        &gone,
        &before,
        &begin,
        &message,
        &red,
        &["Tell how it ended", "Done"],
    ]
    .concat()
    .into_iter()
    .collect();
    let all: BTreeSet<&str> = machine["States"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(all, known);
    let inside = |scope: &Value, map: &str| scope["States"][map]["ItemProcessor"].clone();
    let group = inside(&machine, "Deploy wave");
    assert_eq!(AROUND + longest_through(&group), EVENTS_OF_GROUP);
    let revision = inside(&group, "For each task definition");
    let shared = longest(&revision, "Wait for registration quota", &["Only one service?"]);
    let choice = events_of(&revision["States"]["Only one service?"]);
    assert_eq!(AROUND + choice + shared, EVENTS_OF_REVISION);
    let only = longest(&revision, "Deploy the only service", &[]);
    assert_eq!(AROUND + choice + only, EVENTS_OF_ONLY_SERVICE);
    let group = inside(&revision, "For each group of services");
    assert_eq!(AROUND + longest_through(&group), EVENTS_OF_GROUP);
    let service = inside(&group, "For each service");
    assert_eq!(AROUND + longest_through(&service), EVENTS_OF_SERVICE);
}
