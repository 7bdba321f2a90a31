use super::account::{Quotas, Schedule, Trail};
use super::services::matches_arn;
use super::*;
use ecr_deploy::function::config::{Config, StageSettings};

fn at(hour: u32) -> Timestamp {
    format!("2026-11-29T{hour:02}:00:00Z").parse().unwrap()
}

/// Stages by their names, each for the clusters with its name, and with these tags.
fn stages(named: &[(&str, &[&str])]) -> Stages {
    let stage = |(name, tags): &(&str, &[&str])| StageSettings {
        name: name.parse().unwrap(),
        clusters: vec![format!("{name}*")],
        ..StageSettings::all(tags)
    };
    let stages = named.iter().map(stage).collect();
    Stages::read(&Config {
        stages,
        ..Config::default()
    })
    .unwrap()
}

pub(super) fn service(name: &str, repository: &str) -> Subject {
    let (cluster, service) = name.split_once('/').unwrap();
    Subject {
        cluster: cluster.to_owned(),
        service: service.to_owned(),
        family: service.to_owned(),
        revision: format!("{service}:1"),
        roles: vec!["arn:aws:iam::123456789012:role/app-task".to_owned()],
        images: vec![RunImage {
            repository: repository.to_owned(),
            tag: Some("v1".to_owned()),
            digest: None,
        }],
        stage: None,
        hold: None,
        controller: Controller::Ecs,
        has_hooks: false,
    }
}

fn image(tag: &str, hour: u32) -> StoredImage {
    StoredImage {
        digest: format!("sha256:{tag}"),
        tags: vec![tag.to_owned()],
        deployable: vec![tag.to_owned()],
        pushed_at: at(hour),
        is_archived: false,
        is_restoring: false,
    }
}

/// A healthy account: one service in production, whose image was deployed at ten; it is twelve.
pub(super) struct Account {
    pub(super) bootstrap: Option<u32>,
    pub(super) is_installed: bool,
    pub(super) pass_roles: Option<Vec<String>>,
    pub(super) trigger: Option<&'static str>,
    pub(super) stages: Stages,
    pub(super) clusters: Vec<String>,
    pub(super) missing: Vec<String>,
    pub(super) all_on_hold: Option<&'static str>,
    pub(super) services: Vec<Subject>,
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) kept_out: BTreeSet<String>,
    pub(super) pushes: Vec<Begun>,
    pub(super) trails: Option<Vec<Trail>>,
    pub(super) schedules: Vec<Schedule>,
    pub(super) quotas: Quotas,
}

impl Account {
    fn healthy() -> Self {
        let repository = Repository {
            is_mutable: Some(false),
            images: vec![image("v1", 10)],
        };
        Self {
            bootstrap: Some(21),
            is_installed: true,
            pass_roles: Some(vec!["arn:aws:iam::123456789012:role/app-*".to_owned()]),
            trigger: Some("putImage"),
            stages: stages(&[("production", &["v*"])]),
            clusters: Vec::new(),
            missing: Vec::new(),
            all_on_hold: None,
            services: vec![service("production/web", "shop/web")],
            repositories: BTreeMap::from([("shop/web".to_owned(), repository)]),
            kept_out: BTreeSet::new(),
            pushes: vec![Begun {
                name: "shop-web-v1-04caef66-e52b-4c4d-bbb5-547b85fec1f8".to_owned(),
                at: at(10),
            }],
            trails: None,
            schedules: Vec::new(),
            quotas: Quotas::default(),
        }
    }

    pub(super) fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut it = Self::healthy();
        change(&mut it);
        it
    }

    fn web(&mut self) -> &mut Subject {
        &mut self.services[0]
    }

    fn repository(&mut self) -> &mut Repository {
        self.repositories.get_mut("shop/web").unwrap()
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        findings(&Facts {
            bootstrap: self.bootstrap.map_or(Bootstrap::Missing, Bootstrap::Version),
            is_installed: self.is_installed,
            known_since: self.is_installed.then(|| at(1)),
            trigger: self.trigger,
            pass_roles: self.pass_roles.as_deref(),
            stages: &self.stages,
            clusters: &self.clusters,
            missing_clusters: &self.missing,
            all_on_hold: self.all_on_hold,
            services: &self.services,
            repositories: &self.repositories,
            kept_out: &self.kept_out,
            pushes: &self.pushes,
            trails: self.trails.as_deref(),
            schedules: &self.schedules,
            quotas: &self.quotas,
            now: at(12),
        })
    }
}

#[test]
fn a_healthy_account_has_no_findings() {
    assert_eq!(Account::healthy().findings(), []);
}

/// An account, and its only finding: the level, the check, and a part of the message and of the fix.
pub(super) type Case = (Account, Level, &'static str, &'static str, &'static str);

pub(super) fn assert_found(cases: Vec<Case>) {
    for (account, level, check, says, fix) in cases {
        let found = account.findings();
        let [only] = found.as_slice() else {
            panic!("{says}: {found:#?}")
        };
        assert_eq!((only.level, only.check.as_str()), (level, check), "{only:?}");
        assert!(only.message.contains(says), "{only:?}");
        assert!(only.fix.contains(fix), "{only:?}");
    }
}

#[test]
fn what_a_push_needs_is_found_where_it_lacks() {
    use Level::{Error, Note, Warning};
    let text = |text: &str| text.to_owned();
    assert_found(vec![
        (
            Account::with(|it| it.web().roles.push(text("arn:aws:iam::123456789012:role/other"))),
            Error,
            "roles",
            "role/other is not in passRoles, so these cannot be deployed: production/web",
            "add it to passRoles",
        ),
        (
            Account::with(|it| it.pass_roles = None),
            Note,
            "roles",
            "does not tell its passRoles",
            "deploy the stack again",
        ),
        (
            Account::with(|it| it.pushes.clear()),
            Error,
            "events",
            "no push arrives: shop/web:v1 was pushed at 2026-11-29 10:00:00 UTC",
            "a trail of CloudTrail",
        ),
        (
            Account::with(|it| {
                it.pushes.clear();
                it.trigger = Some("imageAction");
            }),
            Error,
            "events",
            "no push arrives",
            "the dead-letter queue",
        ),
        (
            Account::with(|it| it.pushes[0].name = text("shop-api-v1-04caef66")),
            Warning,
            "events",
            "the newest push started nothing: shop/web:v1",
            "ecr-deploy deploy shop/web:v1",
        ),
        (
            Account::with(|it| it.pushes[0].at = at(9)),
            Warning,
            "events",
            "started nothing",
            "ecr-deploy deploy",
        ),
        (
            Account::with(|it| it.bootstrap = None),
            Note,
            "bootstrap",
            "no bootstrap stack",
            "cdk bootstrap",
        ),
        (
            Account::with(|it| it.bootstrap = Some(5)),
            Note,
            "bootstrap",
            "has version 5, and 6 is needed",
            "cdk bootstrap",
        ),
    ]);
}

#[test]
fn a_stage_or_a_cluster_that_owns_nothing_and_a_hold_are_found() {
    use Level::{Error, Note, Warning};
    let text = |text: &str| text.to_owned();
    assert_found(vec![
        (
            Account::with(|it| it.stages = stages(&[("production", &["v*"]), ("staging", &["v*"])])),
            Warning,
            "stages",
            "the stage staging owns no service",
            "ecr-deploy:stage=staging",
        ),
        (
            Account::with(|it| it.services.push(service("other/web", "shop/web"))),
            Warning,
            "stages",
            "no stage selects other/web",
            "add a stage",
        ),
        (
            Account::with(|it| {
                let odd = Subject {
                    stage: Some(text("prod")),
                    ..service("production/odd", "shop/web")
                };
                it.services.push(odd);
            }),
            Error,
            "stages",
            "names no stage that there is: production/odd",
            "production, or to off",
        ),
        (
            Account::with(|it| it.all_on_hold = Some("audit")),
            Warning,
            "hold",
            "everything is on hold: audit",
            "unhold --all",
        ),
        (
            Account::with(|it| it.web().hold = Some(text("audit"))),
            Note,
            "hold",
            "production/web is on hold: audit",
            "unhold production/web",
        ),
        (
            Account::with(|it| {
                it.clusters = vec![text("production"), text("gone")];
                it.missing = vec![text("gone")];
            }),
            Warning,
            "clusters",
            "names gone, and there is no such cluster",
            "correct the setting",
        ),
        (
            Account::with(|it| it.clusters = vec![text("production"), text("empty")]),
            Warning,
            "clusters",
            "no service of the cluster empty runs an image",
            "correct its image",
        ),
    ]);
}

#[test]
fn what_does_not_do_what_somebody_may_expect_is_found() {
    use Level::{Error, Note, Warning};
    let text = |text: &str| text.to_owned();
    assert_found(vec![
        (
            Account::with(|it| it.repository().images.push(image("x", 11))),
            Note,
            "tags",
            "no stage takes the newest image of shop/web, which has the tags x",
            "change the tags",
        ),
        (
            Account::with(|it| it.repository().is_mutable = Some(true)),
            Note,
            "mutable",
            "tags can be pushed over in shop/web",
            "imageReference to digest",
        ),
        (
            Account::with(|it| it.web().controller = Controller::CodeDeploy),
            Warning,
            "controllers",
            "does not deploy itself: production/web",
            "controller ECS",
        ),
        (
            Account::with(|it| it.web().has_hooks = true),
            Note,
            "hooks",
            "may wait at lifecycle hooks",
            "ecr-deploy continue",
        ),
        (
            Account::with(|it| it.repository().images[0].is_archived = true),
            Error,
            "images",
            "with shop/web:v1, which is archived",
            "--target-storage-class STANDARD",
        ),
        (
            Account::with(|it| it.repository().images[0].is_restoring = true),
            Error,
            "images",
            "with shop/web:v1, which is being restored from the archive",
            "wait for up to 20 minutes",
        ),
        (
            Account::with(|it| it.web().images[0].digest = Some(text("sha256:gone"))),
            Error,
            "images",
            "with shop/web@sha256:gone, which is not in ECR any more",
            "lifecycle policy",
        ),
    ]);
}

#[test]
fn before_installing_the_account_is_checked_and_no_stage() {
    let account = Account::with(|it| {
        it.is_installed = false;
        it.bootstrap = None;
        it.pushes.clear();
        it.web().roles.push("arn:aws:iam::123456789012:role/other".to_owned());
        it.services.push(service("other/web", "shop/web"));
    });
    let found: Vec<_> = account
        .findings()
        .into_iter()
        .map(|it| format!("{} {}", it.level.name(), it.check))
        .collect();
    assert_eq!(found, ["ERROR bootstrap", "ERROR installation", "ERROR roles"]);
    let unknown = Account::with(|it| {
        it.is_installed = false;
        it.pass_roles = None;
    });
    let unknown = unknown.findings();
    assert!(unknown[1].fix.contains("--pass-role"), "{unknown:?}");
}

#[test]
fn a_service_that_no_stage_owns_needs_no_role() {
    let account = Account::with(|it| {
        let role = "arn:aws:iam::123456789012:role/other".to_owned();
        let off = Subject {
            stage: Some("off".to_owned()),
            roles: vec![role],
            ..service("production/off", "shop/web")
        };
        it.services.push(off);
    });
    assert_eq!(account.findings(), []);
}

#[test]
fn a_push_of_the_last_minutes_or_from_before_the_list_may_still_come() {
    for hour in [0, 12] {
        let account = Account::with(|it| {
            it.pushes.clear();
            it.repository().images = vec![image("v1", hour)];
        });
        assert_eq!(account.findings(), [], "{hour}");
    }
}

#[test]
fn a_pattern_of_iam_matches_as_iam_matches() {
    let role = "arn:aws:iam::123456789012:role/app-task";
    for (pattern, expected) in [
        (role, true),
        ("arn:aws:iam::123456789012:role/app-*", true),
        ("arn:aws:iam::*:role/app-tas?", true),
        ("*", true),
        ("arn:aws:iam::123456789012:role/app", false),
        ("arn:aws:iam::123456789012:role/app-task?", false),
        ("arn:aws:iam::123456789012:role/*-web", false),
        ("", false),
    ] {
        assert_eq!(matches_arn(pattern, role), expected, "{pattern}");
    }
}

#[test]
fn the_sum_counts_each_level() {
    let found = Account::with(|it| {
        it.bootstrap = None;
        it.all_on_hold = Some("audit");
    });
    assert_eq!(sum(&found.findings()), "0 errors, 1 warning, 1 note");
}

#[test]
fn an_artifact_is_no_push_that_is_missed_and_a_repository_that_is_kept_out_has_none() {
    let signed = |it: &mut Account| {
        let signature = StoredImage {
            deployable: Vec::new(),
            ..image("sha256-0a.sig", 11)
        };
        it.repository().images.push(signature);
    };
    assert_eq!(Account::with(signed).findings(), []);
    let kept_out = |it: &mut Account| {
        it.kept_out.insert("shop/other".to_owned());
        it.services.push(service("production/other", "shop/other"));
        let repository = Repository {
            is_mutable: Some(true),
            images: vec![image("v1", 11), image("x", 12)],
        };
        it.repositories.insert("shop/other".to_owned(), repository);
    };
    assert_found(vec![(
        Account::with(kept_out),
        Level::Note,
        "repositories",
        "from being deployed of shop/other",
        "name it in the setting repositories",
    )]);
}

#[test]
fn a_command_of_a_fix_stands_in_a_line_of_its_own() {
    let archived = Account::with(|it| it.repository().images[0].is_archived = true);
    let found = archived.findings();
    let [only] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(only.shown_fix(), "the command below");
    let text = commands(&found);
    assert!(text.lines().any(|line| line == format!("  {}", only.fix)), "{text}");
    assert_eq!(commands(&Account::healthy().findings()), "");
}
