//! The step as a whole: what it reads, decides and sends, on AWS's own mocks.

#![allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]

use aws_sdk_ecs::Client;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use ecr_deploy::aws::ecs::Ecs;
use ecr_deploy::contract::{RegisterRevision, RegisteredRevision, RollbackCopy};
use ecr_deploy::domain::stage::{BaseSetting, RollbackSetting, RolloutSettings};
use ecr_deploy::domain::task_definition::ImageForm;
use ecr_deploy::error::Error;
use ecr_deploy::testing::{
    REGISTRY, Wire, answer, arn, at, definition, described, described_of_push, digest, pushed, refusal, request,
};
use register_revision::is_wanted;
use serde_json::{Value, json};

/// ECS describes `described` to whoever asks for `name`, a family or a revision.
fn knows(name: &'static str, described: Value) -> Rule {
    mock!(Client::describe_task_definition)
        .match_requests(move |input| {
            input
                .task_definition()
                .is_some_and(|asked| asked.rsplit('/').next() == Some(name))
        })
        .then_http_response(move || answer(&described))
}

fn no_such(name: &'static str) -> Rule {
    mock!(Client::describe_task_definition)
        .match_requests(move |input| {
            input
                .task_definition()
                .is_some_and(|asked| asked.rsplit('/').next() == Some(name))
        })
        .then_http_response(|| refusal("ClientException", "Unable to describe task definition."))
}

fn newest(shorts: &[&str]) -> Rule {
    let arns = json!({"taskDefinitionArns": shorts.iter().map(|short| arn(short)).collect::<Vec<_>>()});
    mock!(Client::list_task_definitions)
        .match_requests(|input| {
            input.family_prefix() == Some("web") && input.sort().is_some_and(|sort| sort.as_str() == "DESC")
        })
        .then_http_response(move || answer(&arns))
}

fn registers(short: &'static str) -> Rule {
    mock!(Client::register_task_definition).then_http_response(move || answer(&described_of_push(short, 2)))
}

/// A description of a revision that was registered so many seconds after noon; the push was at two.
fn registered(mut described: Value, seconds: i64) -> Value {
    described["taskDefinition"]["registeredAt"] = json!(at(seconds).as_second());
    described
}

/// The families and revisions that were read, in their order.
fn read_revisions(wire: &Wire) -> Vec<String> {
    let bodies = wire.bodies("DescribeTaskDefinition");
    let name = |body: &Value| body["taskDefinition"].as_str()?.rsplit('/').next().map(str::to_owned);
    bodies.iter().filter_map(name).collect()
}

async fn asked(
    settings: RolloutSettings,
    short: &str,
    rules: &[Rule],
    wire: &Wire,
) -> Result<RegisteredRevision, Error> {
    asked_for(settings, short, None, rules, wire).await
}

/// The revision that is made of `short` to roll back `web:2`, pinned to the old digest or as it is.
async fn asked_to_roll_back(
    short: &str,
    digest: Option<u32>,
    rules: &[Rule],
) -> (Result<RegisteredRevision, Error>, Wire) {
    let wire = Wire::default();
    let rollback = RollbackCopy {
        digest: digest.map(ecr_deploy::testing::digest),
        rolls_back: arn("web:2"),
    };
    let done = asked_for(RolloutSettings::default(), short, Some(rollback), rules, &wire).await;
    (done, wire)
}

async fn asked_for(
    settings: RolloutSettings,
    short: &str,
    rollback: Option<RollbackCopy>,
    rules: &[Rule],
    wire: &Wire,
) -> Result<RegisteredRevision, Error> {
    let ecs = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, rules, |to| to
        .interceptor(wire.clone()));
    let input = RegisterRevision {
        image: pushed(2),
        task_definition: short.parse().unwrap(),
        settings,
        rollback,
    };
    register_revision::handle(&Ecs::with_client(ecs), request(&input, 0)).await
}

#[tokio::test]
async fn peer_6_a_revision_is_the_old_document_with_the_new_image_and_where_it_came_from() {
    let mut source = described(
        "web:1",
        "app:v1",
        &[("team", "shop"), ("aws:cloudformation:stack-name", "shop")],
    );
    source["taskDefinition"]["heardOfTomorrow"] = json!({"deep": [1.50, null]});
    source["taskDefinition"]["containerDefinitions"][0]["heardOfTomorrow"] = json!(true);
    let wire = Wire::default();
    let done = asked(
        RolloutSettings::default(),
        "web:1",
        &[knows("web", source), registers("web:2")],
        &wire,
    )
    .await
    .unwrap();
    let revision = RegisteredRevision {
        task_definition: arn("web:2"),
        source: arn("web:1"),
        repeated: false,
        base: None,
    };
    assert_eq!(done, revision);
    let tag = |key: &str, value: &str| json!({"key": key, "value": value});
    let sent = json!({
        "family": "web",
        "networkMode": "awsvpc",
        "heardOfTomorrow": {"deep": [1.50, null]},
        "containerDefinitions": [
            {"name": "web", "image": format!("{REGISTRY}/app:v2"), "essential": true, "heardOfTomorrow": true},
        ],
        "tags": [
            tag("ecr-deploy:push/app", &format!("2026-05-04T12:00:02Z 0a1b {} v2", digest(2))),
            tag("ecr-deploy:source", "web:1"),
            tag("team", "shop"),
        ],
    });
    assert_eq!(wire.bodies("RegisterTaskDefinition"), [sent]);
    assert_eq!(wire.operations(), ["DescribeTaskDefinition", "RegisterTaskDefinition"]);
}

#[tokio::test]
async fn the_image_is_named_by_its_digest_when_that_is_set() {
    let by_digest = RolloutSettings {
        image_reference: ImageForm::Digest,
        ..RolloutSettings::default()
    };
    let wire = Wire::default();
    asked(
        by_digest,
        "web:1",
        &[knows("web", described("web:1", "app:v1", &[])), registers("web:2")],
        &wire,
    )
    .await
    .unwrap();
    let image = &wire.bodies("RegisterTaskDefinition")[0]["containerDefinitions"][0]["image"];
    assert_eq!(*image, format!("{REGISTRY}/app@{}", digest(2)));
}

#[tokio::test]
async fn asked_again_the_newest_revision_is_used_again() {
    let rules = [
        knows("web", described_of_push("web:2", 2)),
        knows("web:1", described_of_push("web:1", 1)),
    ];
    let wire = Wire::default();
    let done = asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
    assert_eq!(
        (done.task_definition, done.source, done.repeated),
        (arn("web:2"), arn("web:1"), true)
    );
    assert!(wire.bodies("RegisterTaskDefinition").is_empty());
}

/// A revision that was registered for the same image under the tag `sha-abc`, so many seconds after noon.
fn described_of_other_tag(short: &str, seconds: i64) -> Value {
    let push = format!("{} 9f9f {} sha-abc", at(seconds), digest(2));
    let tags = [("ecr-deploy:push/app", push.as_str()), ("ecr-deploy:source", "web:1")];
    registered(described(short, "app:sha-abc", &tags), seconds + 1)
}

#[tokio::test]
async fn a_second_tag_of_one_image_finds_the_revision_of_the_first_and_registers_nothing() {
    for seconds in [1, 2, 3, 30] {
        for in_use in ["web:1", "web:2"] {
            let rules = [
                knows("web", described_of_other_tag("web:2", seconds)),
                knows("web:1", described_of_push("web:1", 1)),
                knows("web:2", described_of_other_tag("web:2", seconds)),
                newest(&["web:2", "web:1"]),
            ];
            let wire = Wire::default();
            let done = asked(RolloutSettings::default(), in_use, &rules, &wire).await.unwrap();
            assert_eq!(
                (done.task_definition, done.repeated),
                (arn("web:2"), true),
                "{in_use} {seconds}"
            );
            assert!(!wire.operations().contains(&"RegisterTaskDefinition".to_owned()));
        }
    }
}

/// The stage `staging` takes `sha-abc` and has a revision with it; `production` takes `v2` alone.
#[tokio::test]
async fn a_revision_with_a_tag_that_its_stage_does_not_take_is_not_used_again() {
    for (takes, registered) in [(json!(["v*", "sha-*"]), false), (json!(["v*"]), true)] {
        let rules = [
            knows("web", described_of_other_tag("web:2", 2)),
            knows("web:1", described_of_push("web:1", 1)),
            newest(&["web:2", "web:1"]),
            registers("web:3"),
        ];
        let wire = Wire::default();
        let of_stage = RolloutSettings {
            tags: Some(serde_json::from_value(takes).unwrap()),
            ..RolloutSettings::default()
        };
        let done = asked(of_stage, "web:1", &rules, &wire).await.unwrap();
        let revision = if registered { "web:3" } else { "web:2" };
        assert_eq!((done.task_definition, done.repeated), (arn(revision), true));
        let images = wire.bodies("RegisterTaskDefinition");
        let images: Vec<&Value> = images
            .iter()
            .map(|it| &it["containerDefinitions"][0]["image"])
            .collect();
        let own = json!(format!("{REGISTRY}/app:v2"));
        assert_eq!(images, if registered { vec![&own] } else { vec![] });
    }
}

#[tokio::test]
async fn a_second_tag_of_one_image_finds_the_lowest_revision_of_the_first_beneath_somebodys_newer_one() {
    let rules = [
        knows("web", described_of_other_tag("web:4", -20)),
        newest(&["web:4", "web:3", "web:2", "web:1"]),
        knows("web:3", registered(described("web:3", "app:v9", &[]), -22)),
        knows("web:2", described_of_other_tag("web:2", -25)),
        knows("web:1", described("web:1", "app:v0", &[])),
    ];
    let done = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
}

#[tokio::test]
async fn a_tag_that_an_image_gets_later_or_after_another_push_has_a_revision_of_its_own() {
    let promoted = [
        knows("web", described_of_other_tag("web:2", -59)),
        newest(&["web:2", "web:1"]),
        knows("web:1", registered(described("web:1", "app:v0", &[]), -3600)),
        registers("web:3"),
    ];
    let done = asked(RolloutSettings::default(), "web:2", &promoted, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:3"), false));
    let after_another = [
        knows("web", registered(described_of_push("web:3", 1), 2)),
        knows("web:2", described_of_other_tag("web:2", 0)),
        newest(&["web:3", "web:2", "web:1"]),
        knows("web:1", registered(described("web:1", "app:v0", &[]), -3600)),
        registers("web:4"),
    ];
    let done = asked(RolloutSettings::default(), "web:3", &after_another, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:4"), false));
}

#[tokio::test]
async fn a_service_that_is_there_already_keeps_its_revision() {
    let wire = Wire::default();
    let done = asked(
        RolloutSettings::default(),
        "web:2",
        &[knows("web", described_of_push("web:2", 2))],
        &wire,
    )
    .await
    .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
    assert_eq!(wire.operations(), ["DescribeTaskDefinition"]);
}

#[tokio::test]
async fn a_revision_of_this_push_is_found_beneath_somebodys_newer_one() {
    let rules = [
        knows("web", registered(described("web:3", "app:v9", &[]), 60)),
        newest(&["web:3", "web:2", "web:1"]),
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
        knows("web:1", described_of_push("web:1", 1)),
    ];
    let wire = Wire::default();
    let done = asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
    assert_eq!(wire.bodies("DescribeTaskDefinition").len(), 3, "none is read twice");
}

#[tokio::test]
async fn a_warm_function_reads_a_revision_of_another_push_once_and_one_of_this_push_each_time() {
    let rules = [
        knows("web", registered(described_of_push("web:4", 4), 60)),
        newest(&["web:4", "web:3", "web:2", "web:1"]),
        knows("web:3", registered(described_of_push("web:3", 3), 45)),
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
        knows("web:1", described_of_push("web:1", 1)),
    ];
    assert_eq!(
        read_by_a_warm_function(&rules).await,
        ["web", "web:1", "web:3", "web:2", "web", "web:1", "web:2"]
    );
}

/// Such a revision is known by its document and its time, which a function does not keep.
#[tokio::test]
async fn where_the_users_tags_leave_no_room_a_warm_function_reads_every_revision_each_time() {
    let mut of_this_push = registered(tagged(50), 30);
    of_this_push["taskDefinition"]["taskDefinitionArn"] = json!(arn("web:2"));
    of_this_push["taskDefinition"]["containerDefinitions"][0]["image"] = json!(format!("{REGISTRY}/app:v2"));
    let rules = [
        knows("web", registered(described_of_push("web:4", 4), 60)),
        newest(&["web:4", "web:3", "web:2", "web:1"]),
        knows("web:3", registered(described_of_push("web:3", 3), 45)),
        knows("web:2", of_this_push),
        knows("web:1", tagged(50)),
    ];
    assert_eq!(
        read_by_a_warm_function(&rules).await,
        ["web", "web:1", "web:3", "web:2", "web", "web:1", "web:3", "web:2"]
    );
}

/// Asks for a copy of `web:1` twice, finds `web:2` each time, and returns what was read.
async fn read_by_a_warm_function(rules: &[Rule]) -> Vec<String> {
    let wire = Wire::default();
    let client = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, rules, |to| to
        .interceptor(wire.clone()));
    let ecs = Ecs::with_client(client);
    let input = RegisterRevision {
        image: pushed(2),
        task_definition: "web:1".parse().unwrap(),
        settings: RolloutSettings::default(),
        rollback: None,
    };
    for _ in 0..2 {
        let done = register_revision::handle(&ecs, request(&input, 0)).await.unwrap();
        assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
    }
    read_revisions(&wire)
}

#[tokio::test(start_paused = true)]
async fn a_revision_of_this_push_is_found_however_many_were_registered_since() {
    let revision = |number: u64| format!("web:{number}");
    let mut rules = vec![
        knows("web:1", described_of_push("web:1", 1)),
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
    ];
    for number in 3..=160 {
        let short: &'static str = revision(number).leak();
        let somebodys = registered(described(short, "app:v9", &[]), 60);
        rules.push(knows(short, somebodys.clone()));
        if number == 160 {
            rules.push(knows("web", somebodys));
        }
    }
    for (page, numbers) in [(None, 61..=160_u64), (Some("more"), 1..=60)] {
        let arns: Vec<_> = numbers.rev().map(|number| arn(&revision(number))).collect();
        let listed = json!({"taskDefinitionArns": arns, "nextToken": page.map_or(Some("more"), |_| None)});
        let rule = mock!(Client::list_task_definitions)
            .match_requests(move |input| input.next_token() == page)
            .then_http_response(move || answer(&listed));
        rules.push(rule);
    }
    let wire = Wire::default();
    let done = asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
    assert!(wire.bodies("RegisterTaskDefinition").is_empty());
}

#[tokio::test]
async fn nothing_below_a_revision_from_before_the_push_is_read() {
    let rules = [
        knows("web", registered(described("web:9", "app:v9", &[]), 60)),
        newest(&["web:9", "web:8", "web:7", "web:6", "web:5"]),
        knows("web:8", registered(described("web:8", "app:v9", &[]), 30)),
        knows("web:7", described("web:7", "app:v9", &[])),
        knows("web:2", described_of_push("web:2", 1)),
        registers("web:10"),
    ];
    let wire = Wire::default();
    let done = asked(RolloutSettings::default(), "web:2", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:10"), false));
    assert_eq!(read_revisions(&wire), ["web", "web:2", "web:8", "web:7"]);
}

#[tokio::test]
async fn a_family_whose_newest_revision_is_from_before_the_push_is_not_searched() {
    let rules = [
        knows("web", described("web:3", "app:v9", &[])),
        knows("web:1", described_of_push("web:1", 1)),
        registers("web:4"),
    ];
    let wire = Wire::default();
    asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
    assert!(wire.bodies("ListTaskDefinitions").is_empty());
}

#[tokio::test]
async fn a_revision_that_is_gone_since_the_family_was_listed_is_passed_by() {
    let gone = mock!(Client::describe_task_definition)
        .match_requests(|input| input.task_definition() == Some(arn("web:3").as_str()))
        .then_http_response(|| refusal("ClientException", "Unable to describe task definition."));
    let rules = [
        knows("web", registered(described("web:4", "app:v9", &[]), 60)),
        newest(&["web:4", "web:3", "web:2"]),
        gone,
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
        knows("web:1", described_of_push("web:1", 1)),
    ];
    let done = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!(done.task_definition, arn("web:2"));
}

#[tokio::test]
async fn a_revision_that_was_made_to_roll_back_is_looked_past() {
    let pinned = described(
        "web:3",
        &format!("app@{}", digest(1)),
        &[("ecr-deploy:rolled-back", "web:2")],
    );
    let rules = [
        knows("web", registered(pinned, 60)),
        newest(&["web:3", "web:2"]),
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
        knows("web:1", described_of_push("web:1", 1)),
    ];
    let done = asked(RolloutSettings::default(), "web:3", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!(
        (done.task_definition, done.source, done.repeated),
        (arn("web:2"), arn("web:3"), true)
    );
}

#[tokio::test]
async fn a_deregistered_revision_is_never_the_wanted_one_even_where_it_is_in_use() {
    let mut deregistered = registered(described_of_push("web:2", 2), 30);
    deregistered["taskDefinition"]["status"] = json!("INACTIVE");
    let rules = [
        knows("web", described_of_push("web:1", 1)),
        knows("web:2", deregistered),
        registers("web:3"),
    ];
    let done = asked(RolloutSettings::default(), "web:2", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!(
        (done.task_definition, done.source, done.repeated),
        (arn("web:3"), arn("web:2"), true)
    );
}

#[tokio::test]
async fn of_two_that_register_the_same_at_once_the_lower_revision_counts_and_the_duplicate_stays() {
    let rules = [
        knows("web", described_of_push("web:1", 1)),
        registers("web:3"),
        knows("web:2", described_of_push("web:2", 2)),
    ];
    let wire = Wire::default();
    let done = asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
    let last = ["RegisterTaskDefinition", "DescribeTaskDefinition"];
    assert_eq!(
        wire.operations()[1..],
        last,
        "nothing is called to take the duplicate away"
    );
}

#[tokio::test]
async fn after_several_lost_answers_the_lowest_revision_counts() {
    let rules = [
        knows("web", described_of_push("web:1", 1)),
        registers("web:5"),
        knows("web:2", described("web:2", "app:v9", &[])),
        knows("web:3", described_of_push("web:3", 2)),
        knows("web:4", described_of_push("web:4", 2)),
    ];
    let done = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:3"), true));
}

#[tokio::test]
async fn a_duplicate_that_a_list_does_not_hold_yet_counts_where_it_is_the_lowest() {
    let rules = [
        knows("web", registered(described_of_push("web:5", 2), 31)),
        newest(&["web:3", "web:1"]),
        knows("web:4", registered(described("web:4", "app:v9", &[]), 31)),
        knows("web:3", registered(described_of_push("web:3", 2), 30)),
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
        knows("web:1", described_of_push("web:1", 1)),
    ];
    let done = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
}

#[tokio::test]
async fn of_what_a_list_does_not_hold_the_twenty_newest_are_read() {
    let mut rules = vec![
        knows("web", registered(described("web:99", "app:v9", &[]), 31)),
        newest(&["web:98", "web:30"]),
        registers("web:100"),
    ];
    for short in ["web:98", "web:30", "web:9"] {
        rules.push(knows(short, registered(described(short, "app:v9", &[]), 31)));
    }
    let gone = mock!(Client::describe_task_definition)
        .then_http_response(|| refusal("ClientException", "Unable to describe task definition."));
    rules.push(gone.clone());
    let done = asked(RolloutSettings::default(), "web:9", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:100"), false));
    assert_eq!(gone.num_calls(), 20);
}

#[tokio::test]
async fn somebody_elses_registration_at_the_same_moment_is_left_alone() {
    let rules = [
        knows("web", described_of_push("web:1", 1)),
        registers("web:3"),
        knows("web:2", described("web:2", "app:v9", &[])),
    ];
    let wire = Wire::default();
    let done = asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:3"), false));
}

#[tokio::test]
async fn of_duplicates_that_are_found_the_lowest_counts() {
    let rules = [
        knows("web", registered(described_of_push("web:4", 2), 31)),
        newest(&["web:4", "web:3", "web:2", "web:1"]),
        knows("web:3", registered(described("web:3", "app:v9", &[]), 31)),
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
        knows("web:1", described_of_push("web:1", 1)),
    ];
    let done = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
}

#[tokio::test]
async fn a_duplicate_is_found_however_many_others_came_between() {
    let mut rules = vec![
        knows("web", described_of_push("web:1", 1)),
        registers("web:31"),
        knows("web:2", registered(described_of_push("web:2", 2), 30)),
    ];
    for number in 3..31 {
        let short: &'static str = format!("web:{number}").leak();
        rules.push(knows(short, registered(described(short, "app:v9", &[]), 30)));
    }
    let wire = Wire::default();
    let done = asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), true));
}

#[tokio::test]
async fn a_revision_of_this_push_that_records_another_push_of_the_sidecar_is_not_the_wanted_one() {
    let mut of_older_sidecar = described_of_push("web:3", 2);
    let sidecar = json!({"key": "ecr-deploy:push/sidecar", "value": "2026-05-04T11:00:00Z 0a"});
    of_older_sidecar["tags"].as_array_mut().unwrap().push(sidecar);
    let rules = [
        knows("web", of_older_sidecar),
        newest(&["web:3", "web:2", "web:1"]),
        knows("web:2", described_of_push("web:2", 1)),
        knows("web:1", described_of_push("web:1", 1)),
        registers("web:4"),
    ];
    let done = asked(RolloutSettings::default(), "web:2", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:4"), true));
}

#[tokio::test]
async fn where_no_revision_of_this_push_is_there_one_is_registered() {
    let rules = [
        knows("web", described("web:3", "app:v9", &[])),
        newest(&["web:3", "web:1"]),
        no_such("web:2"),
        knows("web:1", described_of_push("web:1", 1)),
        registers("web:4"),
    ];
    let done = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:4"), false));
}

#[tokio::test]
async fn a_push_that_has_had_another_revision_is_a_repeated_one() {
    // A person's revision came after ours: it does not have the document that is wanted, and it is younger than the push.
    let mut of_a_person = described("web:3", "app:v9", &[]);
    of_a_person["taskDefinition"]["registeredAt"] = json!(at(60).as_second());
    of_a_person["taskDefinition"]["networkMode"] = json!("host");
    let asked_of = async |ours: Value| {
        let rules = [
            knows("web", of_a_person.clone()),
            newest(&["web:3", "web:2"]),
            knows("web:2", ours),
            no_such("web:1"),
            registers("web:4"),
        ];
        let done = asked(RolloutSettings::default(), "web:3", &rules, &Wire::default())
            .await
            .unwrap();
        assert_eq!(done.task_definition, arn("web:4"));
        done.repeated
    };
    assert!(asked_of(described_of_push("web:2", 2)).await);
    assert!(!asked_of(described_of_push("web:2", 1)).await);
}

#[tokio::test]
async fn a_family_of_which_nothing_was_registered_since_the_push_is_not_searched() {
    let wire = Wire::default();
    let rules = [knows("web", described_of_push("web:1", 1)), registers("web:2")];
    assert!(
        !asked(RolloutSettings::default(), "web:1", &rules, &wire)
            .await
            .unwrap()
            .repeated
    );
    assert_eq!(wire.operations(), ["DescribeTaskDefinition", "RegisterTaskDefinition"]);
}

#[tokio::test]
async fn a_family_whose_revisions_are_all_deregistered_is_read_by_the_one_in_use() {
    let rules = [
        no_such("web"),
        knows("web:1", described_of_push("web:1", 1)),
        newest(&[]),
        registers("web:2"),
    ];
    let done = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:2"), false));
}

#[tokio::test]
async fn what_cannot_be_done_is_an_error_by_name() {
    let other = asked(
        RolloutSettings::default(),
        "web:1",
        &[knows("web", described("web:1", "other:v1", &[]))],
        &Wire::default(),
    )
    .await;
    let other = other.unwrap_err();
    let says = "no container of web:1 runs the repository app of 123456789012 in eu-west-1";
    assert_eq!(
        (other.name(), other.to_string().as_str()),
        ("Deploy.InvalidInput", says)
    );

    let gone = mock!(Client::describe_task_definition)
        .then_http_response(|| refusal("ClientException", "Unable to describe task definition."));
    assert_eq!(
        asked(RolloutSettings::default(), "web:1", &[gone], &Wire::default())
            .await
            .unwrap_err()
            .name(),
        "Deploy.NotFound"
    );

    let refused =
        mock!(Client::register_task_definition).then_http_response(|| refusal("ClientException", "Role is not valid"));
    let rules = [knows("web", described("web:1", "app:v1", &[])), refused];
    let refused = asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
        .await
        .unwrap_err();
    assert!(
        refused.name() == "Deploy.Rejected" && refused.to_string().contains("Role is not valid"),
        "{refused}"
    );

    let denied = mock!(Client::describe_task_definition).then_http_response(|| refusal("AccessDeniedException", "no"));
    assert_eq!(
        asked(RolloutSettings::default(), "web:1", &[denied], &Wire::default())
            .await
            .unwrap_err()
            .name(),
        "Deploy.Rejected"
    );
}

#[tokio::test]
async fn peer_10_too_many_concurrent_attempts_are_tried_again_by_the_state_machine() {
    let busy = mock!(Client::register_task_definition).then_http_response(|| {
        refusal(
            "ClientException",
            "Too many concurrent attempts to create a new revision of the specified family.",
        )
    });
    let rules = [knows("web", described("web:1", "app:v1", &[])), busy];
    assert_eq!(
        asked(RolloutSettings::default(), "web:1", &rules, &Wire::default())
            .await
            .unwrap_err()
            .name(),
        "Deploy.Unavailable"
    );
}

#[tokio::test]
async fn a_revision_for_a_rollback_is_the_last_good_document_pinned_to_the_old_digest() {
    let old = described(
        "web:1",
        "app:v2",
        &[("team", "shop"), ("ecr-deploy:digest/app", &digest(1).to_string())],
    );
    let rules = [
        knows("web", described_of_push("web:2", 2)),
        knows("web:1", old),
        registers("web:3"),
    ];
    let (done, wire) = asked_to_roll_back("web:1", Some(1), &rules).await;
    let done = done.unwrap();
    assert_eq!(
        (done.task_definition, done.source, done.repeated),
        (arn("web:3"), arn("web:1"), false)
    );
    let registered = &wire.bodies("RegisterTaskDefinition")[0];
    let container = json!({"name": "web", "image": format!("{REGISTRY}/app@{}", digest(1)), "essential": true});
    assert_eq!(registered["containerDefinitions"], json!([container]));
    assert_eq!(
        registered["networkMode"], "awsvpc",
        "the rest of the document is the old one's"
    );
    let tags = registered["tags"].as_array().unwrap();
    for (key, value) in [
        ("ecr-deploy:rolled-back", "web:2"),
        ("ecr-deploy:source", "web:1"),
        ("team", "shop"),
    ] {
        assert!(tags.contains(&json!({"key": key, "value": value})), "{tags:?}");
    }
}

#[tokio::test]
async fn a_revision_for_a_rollback_is_a_copy_where_the_last_good_one_was_deregistered() {
    let mut deregistered = described_of_push("web:1", 1);
    deregistered["taskDefinition"]["status"] = json!("INACTIVE");
    let rules = [
        knows("web", described_of_push("web:2", 2)),
        knows("web:1", deregistered),
        registers("web:3"),
    ];
    let (done, wire) = asked_to_roll_back("web:1", None, &rules).await;
    assert_eq!(done.unwrap().task_definition, arn("web:3"));
    let registered = &wire.bodies("RegisterTaskDefinition")[0];
    let container = json!({"name": "web", "image": format!("{REGISTRY}/app:v1"), "essential": true});
    assert_eq!(registered["containerDefinitions"], json!([container]));
    let tags = registered["tags"].as_array().unwrap();
    assert!(
        tags.contains(&json!({"key": "ecr-deploy:rolled-back", "value": "web:2"})),
        "{tags:?}"
    );
}

#[tokio::test]
async fn a_revision_that_an_interrupted_attempt_has_registered_for_the_rollback_is_used_again() {
    let made = |short: &str, image: u32, rolled_back: &str| {
        let tags = [("ecr-deploy:rolled-back", rolled_back)];
        described(short, &format!("app@{}", digest(image)), &tags)
    };
    for (newest, counts, repeated) in [
        (made("web:3", 1, "web:2"), arn("web:3"), true),
        (made("web:3", 1, "web:0"), arn("web:4"), false),
        (made("web:3", 5, "web:2"), arn("web:4"), false),
    ] {
        let rules = [
            knows("web", newest),
            knows("web:1", described("web:1", "app:v2", &[])),
            registers("web:4"),
        ];
        let (done, _) = asked_to_roll_back("web:1", Some(1), &rules).await;
        let done = done.unwrap();
        assert_eq!((done.task_definition, done.repeated), (counts, repeated));
    }
}

#[tokio::test]
async fn of_two_that_register_for_the_same_rollback_at_once_the_lower_revision_counts() {
    let tags = [("ecr-deploy:rolled-back", "web:2")];
    let rules = [
        knows("web", described_of_push("web:2", 2)),
        knows("web:1", described("web:1", "app:v2", &[])),
        knows("web:3", described("web:3", &format!("app@{}", digest(1)), &tags)),
        registers("web:4"),
    ];
    let (done, _) = asked_to_roll_back("web:1", Some(1), &rules).await;
    let done = done.unwrap();
    assert_eq!((done.task_definition, done.repeated), (arn("web:3"), true));
}

#[tokio::test]
async fn a_copy_for_a_rollback_needs_no_container_of_the_repository_and_a_pinned_one_does() {
    for (digest, ends) in [(None, Ok(arn("web:3"))), (Some(1), Err("Deploy.InvalidInput"))] {
        let rules = [
            knows("web", described_of_push("web:2", 2)),
            knows("web:1", described("web:1", "other:v1", &[])),
            registers("web:3"),
        ];
        let (done, _) = asked_to_roll_back("web:1", digest, &rules).await;
        let done = done.map(|done| done.task_definition);
        assert_eq!(done.as_ref().map_err(Error::name), ends.as_ref().map_err(|name| *name));
    }
}

/// A revision that has so many tags of its own.
fn tagged(count: usize) -> Value {
    let names: Vec<String> = (0..count).map(|number| format!("team-{number}")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "shop")).collect();
    described("web:1", "app:v1", &tags)
}

#[tokio::test]
async fn ecs_is_never_sent_more_tags_than_it_takes() {
    for count in [0, 40, 47, 48, 49, 50] {
        let wire = Wire::default();
        let rules = [knows("web", tagged(count)), registers("web:2")];
        asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
        let sent = &wire.bodies("RegisterTaskDefinition")[0]["tags"];
        assert!(sent.as_array().unwrap().len() <= 50, "{count}: {sent}");
    }
}

/// With 50 tags of the user's own, the new revision has these and none of ours.
#[tokio::test]
async fn where_the_users_tags_leave_no_room_at_all_the_revision_is_known_by_its_document_and_its_time() {
    let copy = |image: &str, at: i64| {
        let mut copy = registered(tagged(50), at);
        copy["taskDefinition"]["taskDefinitionArn"] = json!(arn("web:2"));
        copy["taskDefinition"]["containerDefinitions"][0]["image"] = json!(format!("{REGISTRY}/{image}"));
        copy
    };
    let retagged = |mut revision: Value| {
        revision["tags"][0]["value"] = json!("another");
        revision
    };
    for (newest, sends, says) in [
        (tagged(50), 1, "nothing is there yet"),
        (copy("app:v2", 3), 0, "registered for this push"),
        (copy("app:v2", -60), 1, "the same tag, of an earlier push"),
        (copy("app:v3", 3), 1, "another image"),
        (retagged(copy("app:v2", 3)), 1, "somebody else's"),
    ] {
        let wire = Wire::default();
        // After the registration the numbers between are read.
        let rules = [
            knows("web", newest.clone()),
            knows("web:1", tagged(50)),
            knows("web:2", newest),
            registers("web:3"),
        ];
        let done = asked(RolloutSettings::default(), "web:1", &rules, &wire).await.unwrap();
        let sent = wire.bodies("RegisterTaskDefinition");
        assert_eq!(sent.len(), sends, "{says}");
        let revision = if sends == 0 { "web:2" } else { "web:3" };
        assert_eq!(done.task_definition, arn(revision), "{says}");
        for body in sent {
            let keys = body["tags"].as_array().unwrap().iter();
            assert_eq!(
                keys.filter(|tag| tag["key"].as_str().unwrap().starts_with("team-"))
                    .count(),
                50
            );
        }
    }
}

#[test]
fn wanted_is_the_same_document_of_this_very_push() {
    let wanted = definition(&described_of_push("web:1", 1)).with_image(&pushed(2), ImageForm::Tag);
    let is = |candidate: &Value| is_wanted(&definition(candidate), &wanted, &pushed(2));
    assert!(is(&described_of_push("web:2", 2)));
    assert!(
        !is(&described("web:2", "app:v2", &[])),
        "somebody else's, that no push is recorded on"
    );
    let mut other_document = described_of_push("web:2", 2);
    other_document["taskDefinition"]["networkMode"] = json!("host");
    assert!(!is(&other_document));
    let mut of_another_push = described_of_push("web:2", 3);
    of_another_push["taskDefinition"]["containerDefinitions"][0]["image"] = json!(format!("{REGISTRY}/app:v2"));
    assert!(!is(&of_another_push), "the same tag, pushed again");
}

// With `base: 'newest'`.

const NEWEST: RolloutSettings = RolloutSettings {
    rollout_timeout: jiff::SignedDuration::from_mins(30),
    image_reference: ImageForm::Tag,
    rollback: RollbackSetting::Automatic,
    base: BaseSetting::Newest,
    tags: None,
};

/// A revision of ours that says what it was made from and up to where the family was known.
fn of_ours(short: &str, number: u32, source: &str) -> Value {
    let push = pushed(number).push.to_string();
    let tags = [("ecr-deploy:push/app", push.as_str()), ("ecr-deploy:source", source)];
    registered(described(short, &format!("app:v{number}"), &tags), -3600)
}

/// A revision of somebody else's with more memory, an environment and a container, and the image of long ago.
fn applied(short: &str, seconds: i64) -> Value {
    let mut applied = registered(described(short, "app:v0", &[("team", "shop")]), seconds);
    applied["taskDefinition"]["memory"] = json!("1024");
    let containers = applied["taskDefinition"]["containerDefinitions"]
        .as_array_mut()
        .unwrap();
    containers[0]["environment"] = json!([{"name": "LEVEL", "value": "debug"}]);
    containers.push(json!({"name": "log", "image": "fluent-bit:3"}));
    applied
}

#[tokio::test]
async fn a_newer_document_of_somebody_elses_gets_the_image_and_a_repeated_event_registers_nothing() {
    let rules = [
        knows("web", applied("web:3", -100)),
        knows("web:2", of_ours("web:2", 1, "web:1 base 1 seen 1")),
        registers("web:4"),
    ];
    let wire = Wire::default();
    let done = asked(NEWEST, "web:2", &rules, &wire).await.unwrap();
    assert_eq!(
        (done.task_definition, done.source, done.repeated),
        (arn("web:4"), arn("web:2"), false)
    );
    let note = done.base.unwrap();
    let differs = ["memory", "environment of web", "container log, which is new"];
    assert_eq!(
        (note.task_definition.as_str(), note.differs.as_slice()),
        ("web:3", &differs.map(str::to_owned)[..])
    );
    assert_eq!(
        wire.operations(),
        [
            "DescribeTaskDefinition",
            "DescribeTaskDefinition",
            "RegisterTaskDefinition"
        ],
        "the newest one and the one that runs"
    );
    let sent = wire.bodies("RegisterTaskDefinition").remove(0);
    assert_eq!(
        (&sent["memory"], &sent["containerDefinitions"][1]["name"]),
        (&json!("1024"), &json!("log"))
    );
    assert_eq!(sent["containerDefinitions"][0]["image"], format!("{REGISTRY}/app:v2"));

    // The same event again, before the service was moved, after it, and after a rollback.
    let mut made = applied("web:4", 3);
    made["taskDefinition"]["containerDefinitions"][0]["image"] = json!(format!("{REGISTRY}/app:v2"));
    made["tags"] = sent["tags"].clone();
    for in_use in ["web:2", "web:4"] {
        let rules = [
            knows("web", made.clone()),
            knows("web:4", made.clone()),
            knows("web:3", applied("web:3", -100)),
            knows("web:2", of_ours("web:2", 1, "web:1 base 1 seen 1")),
            newest(&["web:4", "web:3", "web:2", "web:1"]),
        ];
        let wire = Wire::default();
        let again = asked(NEWEST, in_use, &rules, &wire).await.unwrap();
        assert_eq!(
            (again.task_definition, again.repeated),
            (arn("web:4"), true),
            "{in_use}"
        );
        assert!(wire.bodies("RegisterTaskDefinition").is_empty());
        assert_eq!(again.base.is_some(), in_use == "web:2", "what runs has it already");
    }
}

/// The revisions above the running one, those of them that are to be read, and the revision that is copied.
#[tokio::test]
async fn the_newest_revision_of_somebody_elses_is_found_with_few_reads() {
    let inactive = |mut described: Value| {
        described["taskDefinition"]["status"] = json!("INACTIVE");
        described
    };
    let rolled_back = described(
        "web:6",
        "app:v1",
        &[("ecr-deploy:source", "web:5"), ("ecr-deploy:rolled-back", "web:5")],
    );
    for (running, others, copied, reads) in [
        // Nothing but ours since: the record tells it.
        (of_ours("web:9", 1, "web:8 base 3 seen 8"), vec![], "web:9", 1),
        // A revision of another service of the family, which has taken somebody's newer one.
        (
            of_ours("web:5", 1, "web:4 base 3 seen 4"),
            vec![of_ours("web:9", 1, "web:8 base 7 seen 8"), applied("web:7", -100)],
            "web:7",
            3,
        ),
        // One that registered at the same moment as that: between what was seen and its own number.
        (
            of_ours("web:5", 1, "web:4 base 3 seen 4"),
            vec![of_ours("web:9", 1, "web:8 base 3 seen 7"), applied("web:8", -100)],
            "web:8",
            3,
        ),
        // One that was deregistered is passed by.
        (
            of_ours("web:5", 1, "web:4 base 3 seen 4"),
            vec![
                of_ours("web:8", 1, "web:5 base 3 seen 5"),
                inactive(applied("web:7", -100)),
                applied("web:6", -200),
            ],
            "web:6",
            4,
        ),
        // Without records: by the sources, down to one of somebody else's.
        (
            of_ours("web:5", 1, "web:4"),
            vec![
                applied("web:6", -100),
                of_ours("web:4", 1, "web:3"),
                applied("web:3", -3600),
            ],
            "web:6",
            4,
        ),
        // It descends from the newest one by its source.
        (of_ours("web:5", 1, "web:4"), vec![applied("web:4", -100)], "web:5", 2),
        // The running revision is somebody else's, and newer than all others.
        (applied("web:5", -100), vec![], "web:5", 1),
        // A copy that was made to roll back is ours.
        (
            of_ours("web:5", 1, "web:4 base 3 seen 4"),
            vec![rolled_back],
            "web:5",
            2,
        ),
    ] {
        let short: &'static str = definition(&running).arn().short().to_owned().leak();
        let top = others.iter().max_by_key(|it| it["taskDefinition"]["revision"].as_u64());
        let top = top
            .filter(|top| top["taskDefinition"]["revision"].as_u64() > running["taskDefinition"]["revision"].as_u64());
        let next = definition(top.unwrap_or(&running)).arn().revision() + 1;
        let next = format!("web:{next}");
        let mut rules = vec![
            knows("web", top.unwrap_or(&running).clone()),
            knows(short, running.clone()),
            registers(next.leak()),
        ];
        for other in &others {
            rules.push(knows(definition(other).arn().short().to_owned().leak(), other.clone()));
        }
        let wire = Wire::default();
        let done = asked(NEWEST, short, &rules, &wire).await.unwrap();
        let note = done.base.as_ref().map(|note| note.task_definition.as_str());
        assert_eq!(note.unwrap_or(short), copied, "{done:?}");
        assert_eq!(
            wire.bodies("DescribeTaskDefinition").len(),
            reads,
            "{copied} of {others:?}"
        );
        assert_eq!(done.source, arn(short), "it is made for what runs");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_family_with_very_many_revisions_only_the_newest_are_read_and_then_it_is_known() {
    let mut rules = vec![registers("web:301")];
    for number in 1..=300_u32 {
        let short: &'static str = format!("web:{number}").leak();
        let ours = registered(
            described(
                short,
                "app:v1",
                &[("ecr-deploy:source", &format!("web:{}", number - 1))],
            ),
            -3600,
        );
        if number == 300 {
            rules.push(knows("web", ours.clone()));
        }
        rules.push(knows(short, ours));
    }
    let wire = Wire::default();
    let done = asked(NEWEST, "web:300", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.base), (arn("web:301"), None));
    assert_eq!(wire.bodies("DescribeTaskDefinition").len(), 101);
    let tags = &wire.bodies("RegisterTaskDefinition")[0]["tags"];
    let source = tags
        .as_array()
        .unwrap()
        .iter()
        .find(|tag| tag["key"] == "ecr-deploy:source")
        .unwrap();
    assert_eq!(source["value"], "web:300 base 200 seen 300");
}

#[tokio::test]
async fn above_a_revision_that_has_long_been_left_only_the_newest_are_read() {
    let mut rules = vec![registers("web:301")];
    for number in 1..=300_u32 {
        let short: &'static str = format!("web:{number}").leak();
        let tags: &[(&str, &str)] = if number == 1 {
            &[]
        } else {
            &[("ecr-deploy:source", "web:1")]
        };
        let revision = registered(described(short, "app:v1", tags), -3600);
        if number == 300 {
            rules.push(knows("web", revision.clone()));
        }
        rules.push(knows(short, revision));
    }
    let wire = Wire::default();
    let done = asked(NEWEST, "web:1", &rules, &wire).await.unwrap();
    assert_eq!((done.task_definition, done.base), (arn("web:301"), None));
    // Two are the family's newest and the one that runs.
    assert_eq!(wire.bodies("DescribeTaskDefinition").len(), 102);
}

#[tokio::test]
async fn a_newer_revision_of_somebody_elses_is_found_beneath_one_that_is_gone() {
    let ours = described("web:4", "app:v1", &[("ecr-deploy:source", "web:1")]);
    let rules = [
        knows("web", registered(ours, -3600)),
        no_such("web:3"),
        knows("web:2", registered(described("web:2", "app:v1", &[]), -3600)),
        knows("web:1", registered(described("web:1", "app:v1", &[]), -3600)),
        registers("web:5"),
    ];
    let wire = Wire::default();
    let done = asked(NEWEST, "web:1", &rules, &wire).await.unwrap();
    assert_eq!(done.task_definition, arn("web:5"));
    let tags = &wire.bodies("RegisterTaskDefinition")[0]["tags"];
    let source = tags
        .as_array()
        .unwrap()
        .iter()
        .find(|tag| tag["key"] == "ecr-deploy:source");
    assert_eq!(source.unwrap()["value"], "web:1 base 2 seen 4");
}

#[tokio::test]
async fn a_rollback_copies_what_was_good_whatever_is_newer() {
    let rules = [
        knows("web", applied("web:3", -100)),
        knows("web:1", of_ours("web:1", 1, "web:0 base 0 seen 0")),
        newest(&["web:3", "web:2", "web:1"]),
        registers("web:4"),
    ];
    let wire = Wire::default();
    let rollback = RollbackCopy {
        digest: Some(digest(1)),
        rolls_back: arn("web:2"),
    };
    let done = asked_for(NEWEST, "web:1", Some(rollback), &rules, &wire).await.unwrap();
    assert_eq!((done.source, done.base), (arn("web:1"), None));
    assert_eq!(wire.bodies("RegisterTaskDefinition")[0]["memory"], Value::Null);
}
