//! The table of what keeps a run from beginning, each with what to do.

use super::*;
use crate::arguments::{Arguments, Command};
use clap::Parser;
use ecr_deploy::function::config::{Config, StageSettings};

const ROLE: &str = "arn:aws:iam::123456789012:role/app-execution";

fn typed(words: &str) -> VerifyArguments {
    let words = format!("ecr-deploy verify --cluster sandbox {words}");
    match Arguments::try_parse_from(words.split_whitespace()).unwrap().command {
        Command::Verify(it) => it,
        other => panic!("{other:?}"),
    }
}

/// The facts with which a run may begin; each row changes something.
struct Case {
    words: &'static str,
    installation: Installation,
    hold: Option<&'static str>,
    cluster: Option<Cluster>,
    there: Vec<Part>,
}

fn case() -> Case {
    let machine = |name: &str| format!("arn:aws:states:eu-west-1:123456789012:stateMachine:{name}");
    Case {
        words: "",
        installation: Installation {
            push: machine("Push"),
            deploy_image: machine("DeployImage"),
            deploy_service: machine("DeployService"),
            sweep: None,
            hold_parameter: "/ecr-deploy/ecr-deploy/hold".to_owned(),
            dead_letter_queue_url: String::new(),
            trigger: Some("putImage".to_owned()),
            pass_roles: Some(vec!["arn:aws:iam::123456789012:role/app-*".to_owned()]),
            settings: Config::default(),
        },
        hold: None,
        cluster: Some(Cluster {
            is_active: true,
            instances: 1,
            has_providers: false,
        }),
        there: Vec::new(),
    }
}

fn said(case: &Case) -> Option<(&'static str, String)> {
    let arguments = typed(case.words);
    let tags = Tags::of(&arguments.tag).unwrap();
    let stages = Stages::read(&case.installation.settings).unwrap();
    let place = Place::beside(&case.installation, "eu-west-1", &arguments.cluster);
    let refused = refusal(&Facts {
        arguments: &arguments,
        tags: &tags,
        installation: &case.installation,
        stages: &stages,
        hold: case.hold,
        cluster: case.cluster.as_ref(),
        there: &case.there,
        place: &place,
    })?;
    Some((refused.name(), refused.to_string()))
}

#[test]
fn a_run_begins_on_instances_by_a_capacity_provider_or_on_fargate() {
    let cluster = |instances, has_providers| {
        Some(Cluster {
            is_active: true,
            instances,
            has_providers,
        })
    };
    let fargate = "--subnets subnet-1,subnet-2 --execution-role arn:aws:iam::123456789012:role/app-execution";
    for (words, cluster) in [
        ("", cluster(1, false)),
        ("", cluster(0, true)),
        (fargate, cluster(0, false)),
    ] {
        let begun = Case {
            words,
            cluster,
            ..case()
        };
        assert_eq!(said(&begun), None, "{words}");
    }
    assert_eq!(typed(fargate).subnets, ["subnet-1", "subnet-2"]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row after the other")]
fn a_run_that_could_show_nothing_or_would_meet_something_is_refused_with_what_to_do() {
    let settings = |change: fn(&mut Config)| {
        let mut it = case();
        change(&mut it.installation.settings);
        it
    };
    let rows = [
        (
            Case {
                words: "--public-ip",
                ..case()
            },
            "Command.Usage",
            "name its --subnets",
        ),
        (
            Case {
                words: "--subnets subnet-1",
                ..case()
            },
            "Command.Usage",
            "by --execution-role",
        ),
        (
            Case {
                words: "--subnets subnet-1 --execution-role arn:aws:iam::123456789012:role/other",
                ..case()
            },
            "Command.Rejected",
            "role/other is not in passRoles",
        ),
        (
            Case {
                cluster: None,
                ..case()
            },
            "Command.NotFound",
            "there is no cluster sandbox in eu-west-1",
        ),
        (
            Case {
                cluster: Some(Cluster {
                    is_active: false,
                    instances: 1,
                    has_providers: true,
                }),
                ..case()
            },
            "Command.NotFound",
            "there is no cluster sandbox",
        ),
        (
            Case {
                cluster: Some(Cluster {
                    is_active: true,
                    instances: 0,
                    has_providers: false,
                }),
                ..case()
            },
            "Command.Rejected",
            "Name the subnets",
        ),
        (
            Case {
                hold: Some("audit"),
                ..case()
            },
            "Command.Rejected",
            "ecr-deploy unhold --all",
        ),
        (
            settings(|it| it.clusters = vec!["production".parse().unwrap()]),
            "Command.Rejected",
            "clusters production alone: name one of them, or add sandbox",
        ),
        (
            settings(|it| it.repositories = vec!["shop/web".parse().unwrap()]),
            "Command.Rejected",
            "add it to the setting repositories",
        ),
        (
            settings(|it| it.stages[0].clusters = vec!["production".to_owned()]),
            "Command.Rejected",
            "no stage selects the service ecr-deploy-verify in sandbox. Name one by --stage: all",
        ),
        (
            Case {
                words: "--stage preview",
                ..case()
            },
            "Command.Usage",
            "there is no stage preview; there are all",
        ),
        (
            Case {
                words: "--stage off",
                ..case()
            },
            "Command.Usage",
            "out of every stage",
        ),
        (
            settings(|it| it.stages = vec![StageSettings::all(&["main-*"])]),
            "Command.Rejected",
            "the stage all does not take the tag v1.0.1: name tags that it takes by --tag",
        ),
        (
            settings(|it| it.stages[0].rollback = RollbackSetting::None),
            "Command.Rejected",
            "takes nothing back",
        ),
        (
            Case {
                there: vec![Part::Service, Part::Revision(7), Part::Repository],
                ..case()
            },
            "Command.Rejected",
            "  aws ecs deregister-task-definition --region eu-west-1 --task-definition ecr-deploy-verify:7\n",
        ),
    ];
    for (case, name, advice) in rows {
        let (found, text) = said(&case).unwrap();
        assert_eq!(found, name, "{text}");
        assert!(text.contains(advice), "no {advice:?} in {text}");
    }
}

#[test]
fn a_stage_that_is_named_takes_its_own_tags_wherever_it_is() {
    let mut it = Case {
        words: "--stage preview --tag pr-*",
        ..case()
    };
    it.installation.settings.stages.push(StageSettings {
        name: "preview".parse().unwrap(),
        opt_in: true,
        ..StageSettings::all(&["pr-*"])
    });
    assert_eq!(said(&it), None);
    it.words = "--stage preview";
    assert!(said(&it).unwrap().1.contains("does not take the tag v1.0.1"));
}

#[test]
fn tags_have_one_star() {
    let tags = Tags::of("main-*-a").unwrap();
    assert_eq!((tags.good.as_str(), tags.broken.as_str()), ("main-1-a", "main-2-a"));
    for pattern in ["v1", "v*.*", "", "a b*"] {
        assert_eq!(Tags::of(pattern).unwrap_err().name(), "Command.Usage", "{pattern}");
    }
}

#[test]
fn each_part_has_the_command_that_removes_it() {
    let place = Place::beside(&case().installation, "eu-west-1", "sandbox");
    for (part, name, command) in [
        (
            Part::Service,
            "the service ecr-deploy-verify",
            "--cluster sandbox --service ecr-deploy-verify --force",
        ),
        (
            Part::Revision(2),
            "the revision ecr-deploy-verify:2",
            "--task-definition ecr-deploy-verify:2",
        ),
        (
            Part::Repository,
            "the repository ecr-deploy-verify",
            "--repository-name ecr-deploy-verify --force",
        ),
        (
            Part::Parameters,
            "its SSM parameters",
            "/ecr-deploy/sandbox/ecr-deploy-verify/ecr-deploy-verify/digest",
        ),
    ] {
        assert_eq!(part.name(), name);
        assert!(part.command(&place).ends_with(command) || part.command(&place).contains(command));
        assert!(part.command(&place).contains("--region eu-west-1"));
    }
}

#[test]
fn the_policy_has_a_role_and_parameters_only_where_they_are_there_and_one_star_for_what_has_no_resource() {
    let mut installation = case().installation;
    let place = Place::beside(&installation, "eu-west-1", "sandbox");
    let sids = |installation: &Installation, role: Option<&str>| -> Vec<String> {
        let policy = crate::verify::policy::policy(&place, installation, "/ecr-deploy/ecr-deploy/installation", role);
        let statements = policy["Statement"].as_array().unwrap().clone();
        let is_wide = |it: &&serde_json::Value| it["Resource"] == "*";
        let wide: Vec<_> = statements.iter().filter(is_wide).map(|it| it["Sid"].clone()).collect();
        assert_eq!(wide, ["ListTasks", "RemoveRevisions"]);
        statements
            .iter()
            .map(|it| it["Sid"].as_str().unwrap().to_owned())
            .collect()
    };
    let plain = sids(&installation, None);
    assert!(!plain.contains(&"PassExecutionRole".to_owned()) && !plain.contains(&"RemoveParameters".to_owned()));
    installation.settings.writes_parameters = true;
    let all = sids(&installation, Some(ROLE));
    assert!(all.contains(&"PassExecutionRole".to_owned()) && all.contains(&"RemoveParameters".to_owned()));
    assert_eq!(all.len(), plain.len() + 2);
}
