use super::*;

/// A push that failed with this error and message, with services of these outcomes.
fn push(error: &str, message: &str, outcomes: &[&str]) -> Push {
    let service = |(number, outcome): (usize, &&str)| Deployed {
        outcome: (*outcome).to_owned(),
        execution: (*outcome != "NOT_STARTED").then(String::new),
        ..Deployed::not_started("production", &format!("web-{number}"))
    };
    let services: Vec<Deployed> = outcomes.iter().enumerate().map(service).collect();
    let failed = services.iter().any(|it| it.outcome == "Deploy.RolledBack");
    Push {
        push: "shop-web-v2-6a69650c-1fc1-4eb1-8c94-cfb37be29cff".to_owned(),
        execution: String::new(),
        image: Some(Image {
            repository: "shop/web".to_owned(),
            tag: "v2".to_owned(),
            digest: String::new(),
            pushed_at: Timestamp::UNIX_EPOCH,
            by: None,
        }),
        outcome: match error {
            _ if failed => Outcome::RolledBack,
            "Deploy.NotStable" => Outcome::NeedsAttention,
            _ if services.is_empty() => Outcome::Refused,
            _ => Outcome::Failed,
        },
        started: Timestamp::UNIX_EPOCH,
        ended: Some(Timestamp::UNIX_EPOCH),
        message: Some(message.to_owned()),
        error: Some(error.to_owned()),
        services,
        skipped: Vec::new(),
    }
}

#[test]
fn the_reason_of_a_red_push_is_told_unless_each_failure_stands_in_a_row() {
    let one = "shop/web:v2: 1 of 2 services failed.\n- web-0 in production: it is back";
    let two = "shop/web:v2: 2 of 3 services failed.\n- web-0 in production: it is back\n- web-1 in production: no role";
    let family = "shop/web:v2: 1 of 2 services and 1 of 1 family failed.\n- web-0 in production: it is back";
    for (error, message, outcomes, is_told) in [
        (
            "Deploy.ServicesFailed",
            one,
            vec!["Deploy.RolledBack", "DEPLOYED"],
            false,
        ),
        (
            "Deploy.ServicesFailed",
            one,
            vec!["Deploy.RolledBack", "NOT_STARTED"],
            false,
        ),
        (
            "Deploy.ServicesFailed",
            two,
            vec!["Deploy.RolledBack", "NOT_STARTED"],
            true,
        ),
        (
            "Deploy.ServicesFailed",
            family,
            vec!["Deploy.RolledBack", "DEPLOYED"],
            true,
        ),
        (
            "Deploy.ServicesFailed",
            "in other words",
            vec!["Deploy.RolledBack"],
            true,
        ),
        ("Deploy.ServicesFailed", one, vec!["NOT_STARTED"], true),
        (
            "Deploy.NotStable",
            "web is not stable",
            vec!["DEPLOYED", "NOT_STARTED"],
            true,
        ),
        ("Ecr.EcrException", "not authorized", vec!["DEPLOYED"], true),
        ("Ecr.EcrException", "not authorized", vec!["Deploy.RolledBack"], true),
        ("Deploy.InvalidInput", "bad event", vec![], true),
    ] {
        let said = push(error, message, &outcomes).said();
        assert_eq!(
            said,
            if is_told {
                format!("{error}: {message}")
            } else {
                String::new()
            }
        );
    }
}

#[test]
fn the_advice_names_the_command_that_helps_and_not_why_where_that_has_no_more_to_tell() {
    let unknown = NotDeployed {
        resource: "api in production".to_owned(),
        reason: "UNKNOWN_STAGE".to_owned(),
        message: "its tag names no stage".to_owned(),
        count: 1,
    };
    let (retry, deploy) = ("ecr-deploy retry 6a69650c", "ecr-deploy deploy shop/web:v2");
    let why = "ecr-deploy why 6a69650c";
    for (error, outcomes, skipped, expected) in [
        (
            "Deploy.ServicesFailed",
            vec!["Deploy.RolledBack"],
            vec![],
            vec![why, retry],
        ),
        ("Deploy.NotStable", vec!["DEPLOYED"], vec![], vec![retry]),
        ("Deploy.ServicesFailed", vec!["Deploy.Rejected"], vec![], vec![retry]),
        ("Deploy.ServicesFailed", vec!["NOT_STARTED"], vec![], vec![retry]),
        ("Ecr.EcrException", vec!["DEPLOYED"], vec![], vec![retry]),
        ("Deploy.ServicesFailed", vec!["DEPLOYED"], vec![unknown], vec![deploy]),
        ("Deploy.InvalidInput", vec![], vec![], vec![deploy]),
        ("Deploy.Unavailable", vec![], vec![], vec![retry]),
    ] {
        let push = Push {
            skipped,
            ..push(error, "", &outcomes)
        };
        let advice = push.advice(false);
        let commands: Vec<&str> = advice.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert_eq!(commands, expected, "{advice}");
        assert!(!advice.contains("0 services"), "{advice}");
    }
    let no_image = Push {
        image: None,
        ..push("Deploy.InvalidInput", "", &[])
    };
    assert!(
        no_image.advice(false).contains("ecr-deploy deploy IMAGE"),
        "{}",
        no_image.advice(false)
    );
}
