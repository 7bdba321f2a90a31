use super::*;
use crate::health::tests::{Account, assert_found, service};
use ecr_deploy::function::config::{Config, StageSettings};
use find_task_definitions::stage::Stages;

fn trail(name: &str, is_logging: bool, has_pushes: bool) -> Trail {
    Trail {
        name: name.to_owned(),
        is_logging,
        has_pushes,
    }
}

fn schedule(revision: &str) -> Schedule {
    Schedule {
        name: "the schedule default/nightly".to_owned(),
        family: revision.split(':').next().unwrap_or_default().to_owned(),
        revision: revision.to_owned(),
        repositories: vec!["shop/web".to_owned()],
    }
}

#[test]
fn a_trigger_that_needs_a_trail_needs_one_that_is_on_and_records_pushes() {
    let with = |trails: Vec<Trail>| Account::with(|it| it.trails = Some(trails));
    assert_found(vec![
        (
            with(Vec::new()),
            Level::Error,
            "trails",
            "no trail of CloudTrail covers this region",
            "or set the trigger to imageAction",
        ),
        (
            with(vec![trail("data", true, false), trail("all", false, true)]),
            Level::Error,
            "trails",
            "the trail all is switched off",
            "aws cloudtrail start-logging --name all",
        ),
        (
            with(vec![trail("data", true, false), trail("audit", true, false)]),
            Level::Error,
            "trails",
            "no trail records management events that write to ECR: data, audit",
            "let one of them record management events",
        ),
    ]);
    let healthy = with(vec![trail("data", true, false), trail("all", true, true)]);
    assert_eq!(healthy.findings(), []);
    let by_itself = Account::with(|it| (it.trigger, it.trails) = (Some("imageAction"), Some(Vec::new())));
    assert_eq!(by_itself.findings(), []);
}

#[test]
fn a_schedule_on_a_revision_is_found_where_a_stage_takes_what_it_runs() {
    let everywhere = |it: &mut Account| {
        let settings = Config {
            stages: vec![StageSettings::all(&["v*"])],
            ..Config::default()
        };
        it.stages = Stages::read(&settings).unwrap();
    };
    assert_found(vec![
        (
            Account::with(|it| {
                everywhere(it);
                it.schedules = vec![schedule("report:3")];
            }),
            Level::Warning,
            "schedules",
            "the schedule default/nightly runs report:3 with shop/web, and no push moves it",
            "name the family report without a number",
        ),
        (
            Account::with(|it| it.schedules = vec![schedule("web:3")]),
            Level::Warning,
            "schedules",
            "runs web:3 with shop/web",
            "a family that no service runs",
        ),
    ]);
    // No stage selects a family without a service, or somebody has switched the service off.
    let foreign = Account::with(|it| it.schedules = vec![schedule("report:3")]);
    assert_eq!(foreign.findings(), []);
    let off = Account::with(|it| {
        everywhere(it);
        it.services.push(service("jobs/report", "shop/web"));
        it.services[1].stage = Some("off".to_owned());
        it.schedules = vec![schedule("report:3")];
    });
    assert_eq!(off.findings(), []);
}

#[test]
fn a_quota_is_found_where_a_push_to_every_service_would_wait_for_it() {
    let quota = |value: f64| {
        Some(Quota {
            code: "L-1".to_owned(),
            value,
        })
    };
    let with = |functions: f64, (at_once, a_second): (f64, f64)| {
        Account::with(|it| {
            it.services = (0..30)
                .map(|number| service(&format!("production/web-{number}"), "shop/web"))
                .collect();
            it.quotas = Quotas {
                functions: quota(functions),
                transitions_at_once: quota(at_once),
                transitions_a_second: quota(a_second),
            };
        })
    };
    assert_eq!(with(30.0, (100.0, 26.0)).findings(), []);
    assert_found(vec![
        (
            with(29.0, (5000.0, 5000.0)),
            Level::Warning,
            "quotas",
            "functions of Lambda that run at once is 29 here, and a push to all 30 services",
            "--service-code lambda --quota-code L-1 --desired-value 1000",
        ),
        (
            with(1000.0, (100.0, 25.0)),
            Level::Warning,
            "quotas",
            "is 100 at once and 25 more a second here, and a push to all 30 services begins with 360",
            "--service-code states --quota-code L-1 --desired-value 36",
        ),
    ]);
    // Nobody knows.
    assert_eq!(Account::with(|it| it.quotas = Quotas::default()).findings(), []);
}
