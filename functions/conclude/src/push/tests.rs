//! How pushes end: of `app:v2`.

use super::*;
use ecr_deploy::contract::{Hold, PlannedRevision, PlannedService, ServiceId, StageTag, Wave, WaveDue};
use ecr_deploy::domain::image::EcrRegistry;
use ecr_deploy::testing::{at, pushed, service_id};
use proptest::prelude::*;

fn planned(short: &str, services: &[&str]) -> PlannedRevision {
    let service = |name: &&str| PlannedService {
        cluster: service_id().cluster,
        service: name.parse().unwrap(),
        stage: None,
        after: 0,
    };
    PlannedRevision {
        task_definition: short.parse().unwrap(),
        after: 0,
        settings: 0,
        services: services.iter().map(service).collect(),
    }
}

/// Returns the result of a revision, by the outcomes of its services.
fn ended(short: &str, services: &[(&str, Result<ServiceOutcome, &str>)]) -> RevisionResult {
    let result = |(name, outcome): &(&str, Result<ServiceOutcome, &str>)| {
        let (cluster, service) = (service_id().cluster, name.parse().unwrap());
        match *outcome {
            Ok(outcome) => PlannedResult::Ended(ServiceResult {
                cluster,
                service,
                outcome,
            }),
            Err(message) => PlannedResult::Failed {
                cluster,
                service,
                failed: format!("Deploy.RolledBack: {message}"),
            },
        }
    };
    RevisionResult::Services {
        task_definition: short.parse().unwrap(),
        services: services.iter().map(result).collect(),
    }
}

fn unregistered(short: &str, services: &[&str], message: &str) -> RevisionResult {
    let planned = planned(short, services);
    RevisionResult::Failed {
        task_definition: planned.task_definition,
        services: planned.services,
        failed: format!("Deploy.Rejected: {message}"),
    }
}

fn registered(short: &str) -> RevisionResult {
    RevisionResult::Registered {
        registered: short.parse().unwrap(),
    }
}

fn push(results: Vec<RevisionResult>) -> ImageEnd {
    ImageEnd {
        image: Some(pushed(2)),
        planned: results.len().try_into().unwrap(),
        settings: vec![],
        results,
        services: vec![],
        families: vec![],
        skipped: vec![],
        later: vec![],
        tags: vec![],
        tagged: vec![],
        attempt: 0,
    }
}

fn skipped(reason: SkipReason) -> Skipped {
    Skipped {
        resource: "old in production".to_owned(),
        reason,
        message: "nothing to deploy: so it is".to_owned(),
        count: 1,
    }
}

/// Two services on one revision, one on another.
fn three(
    web: Result<ServiceOutcome, &str>,
    api: Result<ServiceOutcome, &str>,
    job: Result<ServiceOutcome, &str>,
) -> ImageEnd {
    push(vec![
        ended("web:1", &[("web", web), ("api", api)]),
        ended("job:1", &[("job", job)]),
    ])
}

use ServiceOutcome::{AlreadyDeployed, Deployed, OnHold, RollBackSuperseded, ServiceDeleted, Superseded};

#[test]
fn a_push_of_which_all_is_stable_succeeds_with_a_summary() {
    let done = conclude(&three(Ok(Deployed), Ok(AlreadyDeployed), Ok(Deployed)), 0, false).unwrap();
    assert_eq!(done.message, "app:v2 is deployed to 3 services");
    assert_eq!((done.services.len(), done.retry.len(), done.tags.len()), (3, 0, 0));
}

#[test]
fn a_push_tells_who_pushed_it_in_the_end_whether_it_succeeds_or_fails() {
    let by: ecr_deploy::domain::push::Pusher = "arn:aws:sts::123456789012:assumed-role/ci-push/run-42".parse().unwrap();
    let pushed_by = |end: ImageEnd| ImageEnd {
        image: end.image.map(|image| ecr_deploy::domain::push::PushedImage {
            by: Some(by.clone()),
            ..image
        }),
        ..end
    };
    let done = pushed_by(three(Ok(Deployed), Ok(Deployed), Ok(Deployed)));
    assert_eq!(
        conclude(&done, 0, false).unwrap().message,
        format!("app:v2 is deployed to 3 services; pushed by {by}")
    );
    let failed = pushed_by(three(Err("it crashed"), Ok(Deployed), Ok(Deployed)));
    let error = conclude(&failed, 0, false).unwrap_err().to_string();
    assert!(error.ends_with(&format!("\nPushed by {by}.")), "{error}");
}

#[test]
fn the_summary_counts_families_and_what_was_superseded_and_skipped() {
    let with_family = |outcome| {
        let results = vec![ended("web:1", &[("web", Ok(outcome))]), registered("nightly:5")];
        ImageEnd {
            skipped: vec![skipped(SkipReason::ServiceNotActive)],
            ..push(results)
        }
    };
    let done = conclude(&with_family(Deployed), 0, false).unwrap();
    assert_eq!(
        done.message,
        "app:v2 is deployed to 1 service and registered for 1 family without a service; 1 skipped"
    );
    assert_eq!(
        (done.families, done.skipped.len()),
        (vec!["nightly:5".parse().unwrap()], 1)
    );
    for outcome in [Superseded, RollBackSuperseded] {
        let done = conclude(&with_family(outcome), 0, false).unwrap();
        let says = "app:v2 is deployed to 0 services and registered for 1 family without a service; \
                    1 service was superseded by another deployment; 1 skipped";
        assert_eq!(done.message, says);
    }
}

#[test]
fn what_was_deleted_is_skipped_and_keeps_nothing_from_being_tagged() {
    let done = conclude(&three(Ok(Deployed), Ok(ServiceDeleted), Ok(Deployed)), 0, true).unwrap();
    assert_eq!(done.message, "app:v2 is deployed to 2 services; 1 skipped");
    assert_eq!((done.services.len(), done.tags), (2, vec![ImageTag::latest()]));
    let skipped = &done.skipped[0];
    assert_eq!(
        (skipped.resource.as_str(), skipped.reason, skipped.count),
        ("api in production", SkipReason::ServiceDeleted, 1)
    );

    let all = conclude(
        &three(Ok(ServiceDeleted), Ok(ServiceDeleted), Ok(ServiceDeleted)),
        0,
        true,
    )
    .unwrap();
    assert_eq!((all.services.len(), all.skipped.len(), all.tags.len()), (0, 3, 0));
    assert!(
        all.message.contains("was deleted after the push had begun"),
        "{}",
        all.message
    );

    let failed = three(Ok(Deployed), Ok(ServiceDeleted), Err("Deploy.Rejected: no"));
    let error = conclude(&failed, 0, true).unwrap_err().to_string();
    assert!(error.starts_with("app:v2: 1 of 2 services failed.\n"), "{error}");
    let again = conclude(&failed, 1, true).unwrap();
    assert_eq!(again.services.len(), 2, "it is told after the redrive: {again:?}");
    let end = ImageEnd {
        services: again.services,
        ..push(vec![ended("job:1", &[("job", Ok(Deployed))])])
    };
    let done = conclude(&end, 1, true).unwrap();
    assert_eq!((done.services.len(), done.skipped.len()), (2, 1));
}

#[test]
fn what_was_put_on_hold_after_the_plan_is_skipped_and_keeps_later_stages_and_tags_back() {
    let done = conclude(&three(Ok(Deployed), Ok(OnHold), Ok(Deployed)), 0, true).unwrap();
    assert_eq!(done.message, "app:v2 is deployed to 2 services; 1 skipped");
    assert_eq!((done.services.len(), done.tags.len()), (2, 0));
    let skipped = &done.skipped[0];
    assert_eq!(
        (skipped.resource.as_str(), skipped.reason, skipped.count),
        ("api in production", SkipReason::OnHold, 1)
    );
    let all = conclude(&three(Ok(OnHold), Ok(OnHold), Ok(OnHold)), 0, true).unwrap();
    assert_eq!((all.services.len(), all.skipped.len(), all.tags.len()), (0, 3, 0));
    assert!(
        all.message.starts_with("its tag ecr-deploy:hold was set after"),
        "{}",
        all.message
    );

    let staged = of_two_stages(&[Ok(Deployed), Ok(OnHold)], Ok(Deployed));
    assert!(!staged.later.is_empty());
    let ended = conclude(&staged, 0, true).unwrap();
    assert_eq!(ended.later, [], "a soak or the next wave would come otherwise");
    assert_eq!(tags(&ended), (vec!["canary"], vec!["live"], false));
    let not_reached = ended
        .skipped
        .iter()
        .find(|it| it.reason == SkipReason::NotReached)
        .unwrap();
    let says = "was put on hold before it was moved to the image";
    assert!(not_reached.message.contains(says), "{}", not_reached.message);
}

#[test]
fn of_many_services_that_were_deleted_some_are_named_and_the_rest_is_counted() {
    let names: Vec<String> = (0..1500).map(|number| format!("web-{number}")).collect();
    let of = |outcome: ServiceOutcome| {
        let services: Vec<_> = names.iter().map(|name| (name.as_str(), Ok(outcome))).collect();
        conclude(&push(vec![ended("web:1", &services)]), 0, false).unwrap()
    };
    let deleted = of(ServiceDeleted);
    let counts: Vec<u32> = deleted.skipped.iter().map(|skipped| skipped.count).collect();
    assert_eq!((counts.len(), counts[10]), (11, 1490));
    let bytes = |conclusion: &ImageConclusion| serde_json::to_vec(conclusion).unwrap().len();
    assert!(bytes(&deleted) < bytes(&of(RollBackSuperseded)));
}

#[test]
fn an_image_of_another_registry_is_not_tagged_and_the_summary_says_so() {
    let done = || conclude(&three(Ok(Deployed), Ok(Deployed), Ok(Deployed)), 0, true).unwrap();
    let here = pushed(2).registry();
    let gets = ImageConclusion {
        message: "app:v2 is deployed to 3 services; it gets the tag latest".to_owned(),
        ..done()
    };
    assert_eq!(tagged_only(&here, done()), gets);
    let elsewhere = [
        EcrRegistry {
            region: "us-east-1".parse().unwrap(),
            ..here.clone()
        },
        EcrRegistry {
            account: "999999999999".parse().unwrap(),
            ..here
        },
    ];
    for here in elsewhere {
        let told = tagged_only(&here, done());
        assert_eq!((&told.tags, &told.tagged), (&vec![], &vec![]));
        let says = format!(
            "app:v2 is deployed to 3 services; latest was not put on it: its registry is that of {} in {}, and ecr-deploy is in \
             {}, {}",
            pushed(2).registry_id,
            pushed(2).region,
            here.account,
            here.region
        );
        assert_eq!(told.message, says);
        let off = ImageConclusion {
            tags: vec![],
            tagged: vec![],
            ..done()
        };
        assert_eq!(tagged_only(&here, off.clone()), off, "nobody wants it");
    }
}

#[test]
fn with_nothing_to_deploy_the_reasons_are_the_summary() {
    let nothing = ImageEnd {
        skipped: vec![skipped(SkipReason::TagNotTaken)],
        ..push(vec![])
    };
    assert_eq!(
        conclude(&nothing, 0, true).unwrap().message,
        "nothing to deploy: so it is"
    );
    let no_image = ImageEnd {
        image: None,
        ..push(vec![])
    };
    let done = conclude(&no_image, 0, true).unwrap();
    assert_eq!((done.message.as_str(), done.tags), ("nothing to deploy", vec![]));
}

#[test]
fn what_many_services_are_skipped_by_is_told_once() {
    let nothing = ImageEnd {
        skipped: vec![skipped(SkipReason::TagNotTaken), skipped(SkipReason::TagNotTaken)],
        ..push(vec![])
    };
    let message = conclude(&nothing, 0, true).unwrap().message;
    assert_eq!(message, "nothing to deploy: so it is");
}

#[test]
fn a_service_whose_tag_names_no_stage_fails_the_push_after_the_others_and_a_redrive_does_not_help() {
    let mistyped = Skipped {
        message: "Deploy.InvalidInput: its tag ecr-deploy:stage is \"prod\"".to_owned(),
        ..skipped(SkipReason::UnknownStage)
    };
    let end = ImageEnd {
        skipped: vec![mistyped],
        ..three(
            Ok(ServiceOutcome::Deployed),
            Ok(ServiceOutcome::Deployed),
            Ok(ServiceOutcome::Deployed),
        )
    };
    for redrives in [0, 1] {
        let error = conclude(&end, redrives, true).unwrap_err();
        assert_eq!(error.name(), "Deploy.ServicesFailed");
        let message = error.to_string();
        assert!(message.contains("1 of 4 services failed."), "{message}");
        assert!(
            message.contains("old in production: its tag ecr-deploy:stage is \"prod\""),
            "{message}"
        );
        assert!(!message.contains("Redrive"), "{message}");
    }
    let with_another = ImageEnd {
        skipped: end.skipped.clone(),
        ..three(
            Err("it crashed"),
            Ok(ServiceOutcome::Deployed),
            Ok(ServiceOutcome::Deployed),
        )
    };
    let retried = conclude(&with_another, 1, true).unwrap();
    assert_eq!(
        retried.retry.len(),
        1,
        "what failed otherwise is deployed again: {retried:?}"
    );
}

#[test]
fn a_push_of_which_anything_failed_throws_and_names_each_service_and_its_reason() {
    let failed = three(
        Err("api in production did not become stable"),
        Ok(Deployed),
        Err("job in production is back"),
    );
    let error = conclude(&failed, 0, true).unwrap_err();
    assert_eq!(error.name(), "Deploy.ServicesFailed");
    let says = "app:v2: 2 of 3 services failed.\n\
                - web in production: api in production did not become stable\n\
                - job in production is back\n\
                Redrive this execution to deploy the same image again to what failed, and only to that.";
    assert_eq!(error.to_string(), says);
}

#[test]
fn what_was_not_registered_fails_for_each_of_its_services_and_its_family() {
    let end = push(vec![
        unregistered("web:1", &["web", "api"], "no role"),
        unregistered("nightly:4", &[], "a quota"),
        registered("weekly:2"),
        ended("job:1", &[("job", Ok(Deployed))]),
    ]);
    let error = conclude(&end, 0, false).unwrap_err().to_string();
    let says = "app:v2: 2 of 3 services and 1 of 2 families failed.\n- web in production: no role\n- api in production: no role\n\
                - family nightly: a quota\nRedrive";
    assert!(error.starts_with(says), "{error}");
}

#[test]
fn a_kind_of_which_none_failed_is_not_named() {
    let of_families = push(vec![
        unregistered("nightly:4", &[], "a quota"),
        ended("job:1", &[("job", Ok(Deployed))]),
    ]);
    let error = conclude(&of_families, 0, false).unwrap_err().to_string();
    let says = "app:v2: 1 of 1 family failed.\n- family nightly: a quota\n";
    assert!(error.starts_with(says), "{error}");
}

#[test]
fn what_has_no_result_is_never_taken_for_deployed() {
    for (planned, results) in [
        (1, vec![]),
        (2, vec![ended("web:1", &[("web", Ok(Deployed))])]),
        (2, vec![registered("nightly:5")]),
        (0, vec![registered("nightly:5")]),
    ] {
        let end = ImageEnd {
            planned,
            ..push(results)
        };
        for redrive_count in [0, 1] {
            let error = conclude(&end, redrive_count, false).unwrap_err();
            assert_eq!(error.name(), "Deploy.InvalidInput", "{end:?}");
            assert!(
                error.to_string().contains(&format!("{planned} were to be deployed")),
                "{error}"
            );
        }
    }
}

#[test]
fn an_error_that_was_cut_short_is_told_with_its_name() {
    for (failed, told) in [
        (
            "Deploy.RolledBack: web in production is back",
            "web in production is back",
        ),
        (
            "Deploy.RolledBack: web in production did not...",
            "web in production: Deploy.RolledBack: did not...",
        ),
        (
            "Deploy.RolledBack: web in production...",
            "web in production: Deploy.RolledBack",
        ),
        ("Deploy.RolledBack: web in p...", "web in production: Deploy.RolledBack"),
        ("Deploy.RolledBack: ...", "web in production: Deploy.RolledBack"),
        ("Deploy.RolledB...", "web in production: Deploy.RolledB..."),
        (
            "Deploy.Rejected: no role...",
            "web in production: Deploy.Rejected: no role...",
        ),
        ("Deploy.Rejected: no role", "web in production: no role"),
        ("Lambda.Unknown: ", "web in production: Lambda.Unknown"),
        ("Lambda.Unknown", "web in production: Lambda.Unknown"),
    ] {
        let ServiceId { cluster, service } = service_id();
        let services = vec![PlannedResult::Failed {
            cluster,
            service,
            failed: failed.to_owned(),
        }];
        let end = push(vec![RevisionResult::Services {
            task_definition: "web:1".parse().unwrap(),
            services,
        }]);
        let error = conclude(&end, 0, false).unwrap_err().to_string();
        assert_eq!(error.lines().nth(1).unwrap(), format!("- {told}"));
    }
}

#[test]
fn a_long_list_of_failures_is_cut_and_counted() {
    let names: Vec<String> = (10..22).map(|number| format!("web-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = |count: usize| {
        let services: Vec<_> = names[..count].iter().map(|name| (*name, Err("no"))).collect();
        push(vec![ended("web:1", &services)])
    };
    let error = conclude(&all(12), 0, false).unwrap_err().to_string();
    assert!(
        error.contains("- web-19 in production: no\n- and 2 more: see the executions"),
        "{error}"
    );
    let error = conclude(&all(10), 0, false).unwrap_err().to_string();
    assert!(error.contains("- web-19 in production: no\nRedrive"), "{error}");
}

#[test]
fn a_redrive_sends_back_the_plan_narrowed_to_what_failed() {
    let failed = ImageEnd {
        attempt: 1,
        ..three(Err("no"), Ok(Deployed), Ok(Deployed))
    };
    assert!(conclude(&failed, 1, true).is_err(), "no redrive since it failed");
    let again = conclude(&failed, 2, true).unwrap();
    assert_eq!(again.retry, [planned("web:1", &["web"])]);
    assert_eq!(again.message, "1 of 3 services are deployed again after a redrive");
    assert_eq!((again.services.len(), again.tags.len()), (2, 0));
    let others = push(vec![
        unregistered("nightly:4", &[], "a quota"),
        registered("weekly:2"),
        unregistered("job:1", &["job", "jobs"], "a quota"),
    ]);
    assert_eq!(
        conclude(&others, 1, true).unwrap().retry,
        [planned("nightly:4", &[]), planned("job:1", &["job", "jobs"])]
    );
}

#[test]
fn what_was_done_before_a_redrive_counts_with_what_came_of_the_rest() {
    let failed = ImageEnd {
        families: vec!["nightly:5".parse().unwrap()],
        ..three(Err("no"), Ok(Deployed), Ok(Superseded))
    };
    let again = conclude(&failed, 1, true).unwrap();
    assert_eq!(again.message, "1 of 3 services are deployed again after a redrive");
    let next = |outcome| ImageEnd {
        services: again.services.clone(),
        families: again.families.clone(),
        attempt: 1,
        ..push(vec![ended("web:1", &[("web", outcome)])])
    };
    let done = conclude(&next(Ok(Deployed)), 1, true).unwrap();
    assert_eq!(
        done.message,
        "app:v2 is deployed to 2 services and registered for 1 family without a service; \
         1 service was superseded by another deployment"
    );
    let names: Vec<&str> = done.services.iter().map(|service| service.service.as_str()).collect();
    assert_eq!(
        (names, done.tags == [ImageTag::latest()]),
        (vec!["api", "job", "web"], false),
        "job is superseded"
    );
    let error = conclude(&next(Err("no")), 1, true).unwrap_err().to_string();
    assert!(error.starts_with("app:v2: 1 of 3 services failed."), "{error}");
    let twice = conclude(&next(Err("no")), 2, true).unwrap();
    assert_eq!((twice.retry, twice.services), (again.retry, again.services));
}

#[test]
fn what_is_deployed_again_has_a_schedule_of_its_own() {
    let names: Vec<String> = (0..60).map(|number| format!("web-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let PlannedRevision {
        task_definition,
        mut services,
        ..
    } = planned("web:1", &names);
    services[0].after = 120;
    let end = push(vec![RevisionResult::Failed {
        task_definition,
        services,
        failed: "no".to_owned(),
    }]);
    let [again] = conclude(&end, 1, false).unwrap().retry.try_into().unwrap();
    let after: Vec<u32> = again.services.iter().map(|service| service.after).collect();
    assert_eq!(
        (again.after, after[0], after[47], after[48], after[59]),
        (0, 0, 0, 1, 3)
    );
}

#[test]
fn what_is_skipped_is_counted_and_not_its_entries() {
    let many = Skipped {
        count: 30,
        ..skipped(SkipReason::ServiceNotActive)
    };
    let end = ImageEnd {
        skipped: vec![skipped(SkipReason::ServiceNotActive), many],
        ..three(Ok(Deployed), Ok(Deployed), Ok(Deployed))
    };
    assert_eq!(
        conclude(&end, 0, false).unwrap().message,
        "app:v2 is deployed to 3 services; 31 skipped"
    );
}

#[test]
fn latest_is_tagged_only_when_everything_ended_on_the_image() {
    let tags = |end: &ImageEnd| conclude(end, 0, true).unwrap().tags == [ImageTag::latest()];
    let all = three(Ok(Deployed), Ok(AlreadyDeployed), Ok(Deployed));
    assert!(tags(&all));
    assert_eq!(conclude(&all, 0, false).unwrap().tags, [], "it is not set");
    for outcome in [Superseded, RollBackSuperseded] {
        assert!(!tags(&three(Ok(outcome), Ok(Deployed), Ok(Deployed))));
    }
    assert!(tags(&push(vec![registered("nightly:5")])), "a family is enough");
    assert!(!tags(&push(vec![])), "nothing is on it");
    let latest = ecr_deploy::domain::push::PushedImage {
        tag: "latest".parse().unwrap(),
        ..pushed(2)
    };
    assert!(
        !tags(&ImageEnd {
            image: Some(latest),
            ..all
        }),
        "it is latest already"
    );
}

/// `pr-42` goes to the preview, and production takes only versions: `latest` is not put on it.
#[test]
fn latest_is_not_tagged_where_a_service_that_should_follow_was_skipped() {
    let tags = |reason| {
        let end = ImageEnd {
            skipped: vec![skipped(reason)],
            ..three(Ok(Deployed), Ok(AlreadyDeployed), Ok(Deployed))
        };
        conclude(&end, 0, true).map(|concluded| concluded.tags)
    };
    for reason in [
        SkipReason::TagNotTaken,
        SkipReason::OnHold,
        SkipReason::AllOnHold,
        SkipReason::LowerVersion,
        SkipReason::NotPromoted,
        SkipReason::NotReached,
        SkipReason::Superseded,
        SkipReason::TaskDefinitionNotFound,
    ] {
        assert_eq!(tags(reason).unwrap(), [], "{reason:?}");
    }
    let failed = tags(SkipReason::UnknownStage).unwrap_err();
    assert_eq!(failed.name(), "Deploy.ServicesFailed");
    for reason in [
        SkipReason::NoStage,
        SkipReason::StageOff,
        SkipReason::CodeDeployController,
        SkipReason::ExternalController,
        SkipReason::UnknownController,
        SkipReason::ServiceNotActive,
        SkipReason::ServiceDeleted,
        SkipReason::ClusterNotFound,
        SkipReason::NotTagged,
        SkipReason::PushTimeIgnored,
        SkipReason::TagsLeftOut,
    ] {
        assert_eq!(tags(reason).unwrap(), [ImageTag::latest()], "{reason:?}");
    }
}

fn any_outcome() -> impl Strategy<Value = Result<ServiceOutcome, &'static str>> {
    let outcomes = vec![
        Ok(Deployed),
        Ok(AlreadyDeployed),
        Ok(Superseded),
        Ok(RollBackSuperseded),
        Err("no"),
        Err(""),
    ];
    prop::sample::select(outcomes)
}

proptest! {
    #[test]
    fn a_push_never_succeeds_while_any_service_has_an_error(
        web in any_outcome(), api in any_outcome(), job in any_outcome(), redrives in 0u32..2, tag_latest in any::<bool>(),
    ) {
        let any_failed = [web, api, job].iter().any(Result::is_err);
        let concluded = conclude(&three(web, api, job), redrives, tag_latest);
        match concluded {
            Ok(done) if any_failed => {
                prop_assert!(redrives > 0 && !done.retry.is_empty() && done.tags.is_empty());
            }
            Ok(done) => prop_assert!(done.retry.is_empty()),
            Err(_) => prop_assert!(any_failed && redrives == 0),
        }
    }

    #[test]
    fn after_a_redrive_each_service_is_either_done_or_deployed_again(
        revisions in prop::collection::vec((prop::collection::vec(any_outcome(), 0..4), any::<bool>()), 0..6),
    ) {
        let names: Vec<Vec<String>> = revisions.iter().enumerate().map(|(place, (outcomes, _))| {
            (0..outcomes.len()).map(|number| format!("web-{place}-{number}")).collect()
        }).collect();
        let results = revisions.iter().zip(&names).enumerate().map(|(place, ((outcomes, is_registered), names))| {
            let short = format!("web-{place}:1");
            let names = names.iter().map(String::as_str);
            match (outcomes.is_empty(), is_registered) {
                (_, false) => unregistered(&short, &names.collect::<Vec<_>>(), "no"),
                (true, true) => registered(&short),
                (false, true) => ended(&short, &names.zip(outcomes.iter().copied()).collect::<Vec<_>>()),
            }
        }).collect();
        let end = push(results);
        let Ok(done) = conclude(&end, 1, true) else {
            return Err(TestCaseError::fail("after a redrive nothing is thrown"));
        };
        let again = done.retry.iter().flat_map(|planned| &planned.services).map(|planned| planned.service.as_str());
        let is_done = done.services.iter().map(|ended| ended.service.as_str());
        let mut told: Vec<&str> = again.chain(is_done).collect();
        told.sort_unstable();
        let mut all: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
        all.sort_unstable();
        prop_assert_eq!(told, all);
        let families = revisions.iter().filter(|(outcomes, _)| outcomes.is_empty()).count();
        let families_again = done.retry.iter().filter(|planned| planned.services.is_empty()).count();
        prop_assert_eq!(families_again + done.families.len(), families);
    }
}

/// A push with a wave of two services of production still to come.
fn before_production(end: ImageEnd) -> ImageEnd {
    let service = |name: &str| PlannedService {
        cluster: "production".parse().unwrap(),
        service: name.parse().unwrap(),
        stage: None,
        after: 0,
    };
    let revision = PlannedRevision {
        task_definition: "web:40".parse().unwrap(),
        after: 0,
        settings: 0,
        services: vec![service("web"), service("api")],
    };
    ImageEnd {
        later: vec![Wave {
            stages: vec!["production".parse().unwrap()],
            soak: 900,
            revisions: vec![revision],
        }],
        ..end
    }
}

#[test]
fn a_stable_wave_leads_to_the_next_one_and_nothing_is_tagged_before_the_last() {
    let end = before_production(three(Ok(Deployed), Ok(AlreadyDeployed), Ok(Deployed)));
    let conclusion = conclude(&end, 0, true).unwrap();
    assert_eq!(conclusion.message, "app:v2 is deployed to 3 services; next: production");
    assert_eq!((conclusion.later, conclusion.tags), (end.later, vec![]));
    assert_eq!(conclusion.skipped, []);
}

#[test]
fn a_failed_wave_tells_what_is_not_reached_and_a_redrive_goes_on_with_it() {
    let end = before_production(three(Ok(Deployed), Err("Deploy.RolledBack: web crashed"), Ok(Deployed)));
    let message = conclude(&end, 0, true).unwrap_err().to_string();
    let says = "\n- not reached: 2 services of production\nRedrive this execution to deploy the same image again to what failed, and \
                only to that; once that is stable, it goes on with what was not reached.";
    assert!(message.contains(says), "{message}");
    let redriven = conclude(&end, 1, true).unwrap();
    assert_eq!((redriven.retry.len(), redriven.later), (1, end.later));
}

#[test]
fn a_wave_is_as_large_as_its_services_and_its_families_without_one() {
    let size = |revisions: &[PlannedRevision]| {
        wave::size(&Wave {
            stages: vec![],
            soak: 0,
            revisions: revisions.to_vec(),
        })
    };
    let (web, nightly) = (planned("web:1", &["web", "api"]), planned("nightly:4", &[]));
    assert_eq!(size(std::slice::from_ref(&web)), "2 services");
    assert_eq!(size(std::slice::from_ref(&nightly)), "1 family");
    assert_eq!(size(&[web, nightly]), "2 services and 1 family");
}

/// By its settings: 0 is of staging, 1 of canary, both of this wave; 2 is of production, which comes later.
fn of_two_stages(staging: &[Result<ServiceOutcome, &str>], canary: Result<ServiceOutcome, &str>) -> ImageEnd {
    let names = ["web", "api"];
    let services: Vec<_> = names.into_iter().zip(staging.iter().copied()).collect();
    let tag = |settings: u32, tag: &str| StageTag {
        settings,
        tag: tag.parse().unwrap(),
    };
    ImageEnd {
        settings: vec![0, 1],
        tags: vec![tag(0, "tried"), tag(1, "canary"), tag(2, "live")],
        ..before_production(push(vec![
            ended("web:1", &services),
            ended("job:1", &[("job", canary)]),
        ]))
    }
}

/// The tags that come now, those that may come later, and whether something failed that is told after them.
fn tags(conclusion: &ImageConclusion) -> (Vec<&str>, Vec<&str>, bool) {
    let pending = conclusion.pending.iter().map(|pending| pending.tag.as_str());
    let now = conclusion.tags.iter().map(ImageTag::as_str);
    (now.collect(), pending.collect(), conclusion.failed)
}

#[test]
fn a_stage_gives_its_tag_once_all_of_it_is_on_the_image_whatever_becomes_of_the_others() {
    for (staging, canary, expected) in [
        (
            vec![Ok(Deployed), Ok(AlreadyDeployed)],
            Ok(Deployed),
            (vec!["tried", "canary"], vec!["live"], false),
        ),
        (
            vec![Ok(Deployed), Ok(ServiceDeleted)],
            Ok(Superseded),
            (vec!["tried"], vec!["live"], false),
        ),
        (
            vec![Ok(ServiceDeleted)],
            Ok(Deployed),
            (vec!["canary"], vec!["live"], false),
        ),
        (
            vec![Ok(Deployed), Ok(Superseded)],
            Ok(RollBackSuperseded),
            (vec![], vec!["live"], false),
        ),
        (
            vec![Ok(Deployed), Ok(Deployed)],
            Err("no"),
            (vec!["tried"], vec!["canary", "live"], true),
        ),
        (
            vec![Ok(Deployed), Err("no")],
            Ok(Deployed),
            (vec!["canary"], vec!["tried", "live"], true),
        ),
        (
            vec![Ok(Superseded), Err("no")],
            Ok(Deployed),
            (vec!["canary"], vec!["live"], true),
        ),
    ] {
        let end = of_two_stages(&staging, canary);
        let concluded = conclude(&end, 0, true).unwrap();
        assert_eq!(tags(&concluded), expected, "{staging:?} {canary:?}");
        let told: Vec<&str> = concluded.tagged.iter().map(ImageTag::as_str).collect();
        assert_eq!(told, expected.0, "{staging:?} {canary:?}");
        if concluded.failed {
            // Nothing of the wave is told twice: the same is asked once more, and fails.
            assert_eq!((&concluded.services, &concluded.later), (&end.services, &end.later));
            assert!(
                concluded.message.ends_with("failed, which is told next"),
                "{}",
                concluded.message
            );
            let again = ImageEnd {
                tags: concluded.pending,
                tagged: concluded.tagged,
                ..end
            };
            let error = conclude(&again, 0, true).unwrap_err();
            assert_eq!(error.name(), "Deploy.ServicesFailed");
            let redriven = conclude(&again, 1, true).unwrap();
            let (now, _, failed) = tags(&redriven);
            assert_eq!((now, failed, &redriven.tagged), (vec![], false, &again.tagged));
        }
    }
}

#[test]
fn what_failed_is_deployed_again_by_its_own_settings_and_then_its_stage_gives_the_tag() {
    let end = of_two_stages(&[Ok(Deployed), Ok(Deployed)], Err("no"));
    let first = conclude(&end, 0, false).unwrap();
    let again = ImageEnd {
        tags: first.pending,
        tagged: first.tagged,
        ..end
    };
    let redriven = conclude(&again, 1, false).unwrap();
    let settings: Vec<u32> = redriven.retry.iter().map(|revision| revision.settings).collect();
    assert_eq!(settings, [1]);
    let end = ImageEnd {
        settings,
        services: redriven.services,
        tags: redriven.pending,
        tagged: redriven.tagged,
        ..before_production(push(vec![ended("job:1", &[("job", Ok(Deployed))])]))
    };
    let done = conclude(&end, 1, false).unwrap();
    assert_eq!(tags(&done), (vec!["canary"], vec!["live"], false));
    let all: Vec<&str> = done.tagged.iter().map(ImageTag::as_str).collect();
    assert_eq!((all, done.services.len()), (vec!["tried", "canary"], 3));
    let here = pushed(2).registry();
    let message = tagged_only(&here, done).message;
    assert!(
        message.ends_with("; next: production; it gets the tags tried and canary"),
        "{message}"
    );
}

#[test]
fn settings_that_do_not_fit_what_was_planned_are_refused() {
    let end = ImageEnd {
        settings: vec![0],
        ..of_two_stages(&[Ok(Deployed)], Ok(Deployed))
    };
    assert_eq!(conclude(&end, 0, false).unwrap_err().name(), "Deploy.InvalidInput");
}

#[test]
fn where_another_deployment_took_over_the_waves_behind_it_are_not_reached() {
    for outcome in [Superseded, RollBackSuperseded] {
        let end = before_production(three(Ok(outcome), Ok(Deployed), Ok(Deployed)));
        let conclusion = conclude(&end, 0, true).unwrap();
        assert_eq!(conclusion.later, []);
        let [skipped] = conclusion.skipped.as_slice() else {
            panic!("{conclusion:?}")
        };
        assert_eq!(
            (skipped.resource.as_str(), skipped.reason, skipped.count),
            ("2 services of production", SkipReason::NotReached, 2)
        );
        let says = "not reached: another deployment took over web in production before it was stable on the image";
        assert_eq!(skipped.message, says);
    }
}

#[test]
fn a_wave_that_is_due_does_not_begin_while_everything_is_on_hold() {
    let later = before_production(three(Ok(Deployed), Ok(Deployed), Ok(Deployed))).later;
    let due = |value: &str| {
        let hold = Hold {
            parameter: "/ecr-deploy/shop/hold".to_owned(),
            value: value.to_owned(),
        };
        let due = WaveDue {
            image: pushed(2),
            later: later.clone(),
            hold,
        };
        next_wave(due, at(600))
    };
    for over in ["none", "until 2026-05-04T12:10:00Z audit"] {
        assert_eq!((due(over).later, due(over).skipped), (later.clone(), vec![]), "{over}");
    }
    let held = due("ann - audit");
    assert_eq!(held.later, []);
    let [skipped] = held.skipped.as_slice() else {
        panic!("{held:?}")
    };
    assert_eq!(
        (skipped.resource.as_str(), skipped.reason, skipped.count),
        ("2 services of production", SkipReason::AllOnHold, 2)
    );
    let end = ImageEnd {
        skipped: held.skipped,
        ..three(Ok(Deployed), Ok(Deployed), Ok(Deployed))
    };
    let says = "app:v2 is deployed to 3 services; 2 skipped; everything is on hold by the parameter /ecr-deploy/shop/hold: \
                \"ann - audit\". When that is lifted, the next sweep deploys it; or push again, or start the event by hand";
    assert_eq!(conclude(&end, 0, true).unwrap().message, says);
}

#[test]
fn a_mistyped_stage_keeps_no_wave_back_and_makes_the_push_red_at_its_end() {
    let mistyped = || vec![skipped(SkipReason::UnknownStage)];
    let with_later = before_production(ImageEnd {
        skipped: mistyped(),
        ..three(Ok(Deployed), Ok(Deployed), Ok(Deployed))
    });
    assert_eq!(conclude(&with_later, 0, true).unwrap().later, with_later.later);
    let is_red = |end: &ImageEnd| conclude(end, 0, true).is_err();
    assert!(is_red(&ImageEnd {
        later: vec![],
        ..with_later.clone()
    }));
    // The waves that are to come are not reached.
    assert!(is_red(&before_production(ImageEnd {
        skipped: mistyped(),
        ..three(Ok(Superseded), Ok(Deployed), Ok(Deployed))
    })));
}
