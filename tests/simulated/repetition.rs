//! Two pushes of one repository in any order, and one that a person starts once more: at each stage of what came before it.
//!
//! Every interleaving, call by call, is tried in `tests/interleavings`; here it is the real machines and functions, side by side.

use crate::redrive::{child, execution, rollouts, until_entered};
use crate::support::{LIMIT, Scene, object, outcome, scenarios, short};
use futures::future::join_all;
use local_aws::pause;
use serde_json::{Map, Value, json};
use simulated_ecs::Seed;
use std::time::{Duration, Instant};

scenarios![
    a_newer_push_wins_at_whatever_stage_of_the_older_one_it_comes,
    an_older_push_that_comes_late_changes_nothing,
    a_push_that_a_person_starts_once_more_at_whatever_stage_changes_nothing,
];

/// How far the first delivery is when the second one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Both come at once.
    AtOnce,
    /// The plan is made, and the revision is being registered: ECS refuses that, or where the event is the same one, keeps
    /// its answer back.
    Registering,
    RollingOut,
    RollingBack,
    Ended,
}

/// Two deliveries.
struct Meeting {
    scene: &'static str,
    stage: Stage,
    /// The tags of the older and of the newer push; one push when they are the same.
    older: &'static str,
    newer: &'static str,
    /// True if the newer push is the first to be told of.
    is_newer_first: bool,
    /// How the older push may end, or the first delivery of the one push: outcomes or errors; `""` where the service is skipped.
    older_ends: &'static [&'static str],
    /// How the newer one may, or the second delivery.
    newer_ends: &'static [&'static str],
    /// The image that runs in the end.
    runs: &'static str,
}

const NEWER_COMES: &[Meeting] = &[
    Meeting {
        scene: "newer-at-once",
        stage: Stage::AtOnce,
        // Whichever is quicker.
        older_ends: &["SUPERSEDED", "DEPLOYED", ""],
        ..NEWER_SECOND
    },
    Meeting {
        scene: "newer-registering",
        stage: Stage::Registering,
        older_ends: &["SUPERSEDED"],
        ..NEWER_SECOND
    },
    Meeting {
        scene: "newer-rollout",
        stage: Stage::RollingOut,
        older_ends: &["SUPERSEDED"],
        ..NEWER_SECOND
    },
    Meeting {
        scene: "newer-rollback",
        stage: Stage::RollingBack,
        older: "crash-older",
        // The newer one waits for its slot, and may have it before the older one has read the end of its own rollback.
        older_ends: &["Deploy.RolledBack", "ROLL_BACK_SUPERSEDED"],
        ..NEWER_SECOND
    },
    Meeting {
        scene: "newer-after",
        stage: Stage::Ended,
        older_ends: &["DEPLOYED"],
        ..NEWER_SECOND
    },
    Meeting {
        scene: "bad-newer-rollout",
        stage: Stage::RollingOut,
        newer: "crash-newer",
        older_ends: &["SUPERSEDED"],
        newer_ends: &["Deploy.RolledBack"],
        runs: "v1",
        ..NEWER_SECOND
    },
];

const NEWER_SECOND: Meeting = Meeting {
    scene: "",
    stage: Stage::AtOnce,
    older: "older",
    newer: "newer",
    is_newer_first: false,
    older_ends: &[],
    newer_ends: &["DEPLOYED"],
    runs: "newer",
};

const OLDER_COMES: &[Meeting] = &[
    Meeting {
        scene: "older-at-once",
        stage: Stage::AtOnce,
        // Whichever is quicker.
        older_ends: &["SUPERSEDED", "DEPLOYED", ""],
        ..OLDER_SECOND
    },
    Meeting {
        scene: "older-registering",
        stage: Stage::Registering,
        // It may be quicker than the one that is held up.
        older_ends: &["SUPERSEDED", "DEPLOYED"],
        ..OLDER_SECOND
    },
    Meeting {
        scene: "older-rollout",
        stage: Stage::RollingOut,
        older_ends: &[""],
        ..OLDER_SECOND
    },
    Meeting {
        scene: "older-after",
        stage: Stage::Ended,
        older_ends: &[""],
        ..OLDER_SECOND
    },
    // The newer one has failed, so that the older one is what there is to deploy.
    Meeting {
        scene: "older-rollback",
        stage: Stage::RollingBack,
        newer: "crash-newer",
        older_ends: &["DEPLOYED"],
        newer_ends: &["Deploy.RolledBack"],
        runs: "older",
        ..OLDER_SECOND
    },
];

const OLDER_SECOND: Meeting = Meeting {
    is_newer_first: true,
    ..NEWER_SECOND
};

const DUPLICATES: &[Meeting] = &[
    Meeting {
        scene: "duplicate-at-once",
        stage: Stage::AtOnce,
        ..ONE_PUSH
    },
    Meeting {
        scene: "duplicate-registering",
        stage: Stage::Registering,
        ..ONE_PUSH
    },
    Meeting {
        scene: "duplicate-rollout",
        stage: Stage::RollingOut,
        ..ONE_PUSH
    },
    Meeting {
        scene: "duplicate-after",
        stage: Stage::Ended,
        ..ONE_PUSH
    },
    Meeting {
        scene: "duplicate-bad-rollout",
        stage: Stage::RollingOut,
        ..BAD_PUSH
    },
    Meeting {
        scene: "duplicate-rollback",
        stage: Stage::RollingBack,
        ..BAD_PUSH
    },
    Meeting {
        scene: "duplicate-bad-after",
        stage: Stage::Ended,
        ..BAD_PUSH
    },
];

const ONE_PUSH: Meeting = Meeting {
    older: "newer",
    older_ends: &["DEPLOYED", "ALREADY_DEPLOYED"],
    newer_ends: &["DEPLOYED", "ALREADY_DEPLOYED"],
    ..NEWER_SECOND
};

const BAD_PUSH: Meeting = Meeting {
    older: "crash",
    newer: "crash",
    older_ends: &["Deploy.RolledBack"],
    newer_ends: &["Deploy.RolledBack"],
    runs: "v1",
    ..ONE_PUSH
};

async fn a_newer_push_wins_at_whatever_stage_of_the_older_one_it_comes() {
    join_all(NEWER_COMES.iter().map(meet)).await;
}

async fn an_older_push_that_comes_late_changes_nothing() {
    join_all(OLDER_COMES.iter().map(meet)).await;
}

async fn a_push_that_a_person_starts_once_more_at_whatever_stage_changes_nothing() {
    join_all(DUPLICATES.iter().map(meet)).await;
}

async fn meet(row: &Meeting) {
    let scene = Scene::new(row.scene);
    let v1 = scene.push("v1");
    let stop_first = json!({"minimumHealthyPercent": 0, "maximumPercent": 100});
    let going_back = object(json!({"deploymentConfiguration": stop_first}));
    scene.seed(Seed {
        service: if row.stage == Stage::RollingBack {
            going_back
        } else {
            Map::new()
        },
        ..Seed::default()
    });
    let older = scene.push(row.older);
    let newer = if row.older == row.newer {
        older.clone()
    } else {
        scene.push(row.newer)
    };
    let (first, second) = if row.is_newer_first {
        (&newer, &older)
    } else {
        (&older, &newer)
    };
    let going_back_to = scene.image("v1");
    let held = scene.image(if row.is_newer_first { row.newer } else { row.older });
    if row.stage == Stage::Registering && row.older == row.newer {
        scene.hold("RegisterTaskDefinition", &held);
    } else if row.stage == Stage::Registering {
        scene.refuse("RegisterTaskDefinition", &held);
    }
    // The rollout lasts until the second one has read it.
    let lasting = match row.stage {
        Stage::RollingOut => Some(&held),
        Stage::RollingBack => Some(&going_back_to),
        _ => None,
    };
    if let Some(image) = lasting {
        scene.hold_tasks(image);
    }
    let begun = scene.start(first).await;
    match row.stage {
        Stage::AtOnce => {}
        Stage::Registering => {
            let is_registering = |scene: &Scene| !scene.calls("RegisterTaskDefinition").is_empty();
            scene.until("the registration", is_registering).await;
        }
        Stage::RollingOut => until_entered(&scene, &child(&scene, &begun).await.arn, "Wait for rollout").await,
        Stage::RollingBack => until_entered(&scene, &child(&scene, &begun).await.arn, "Wait for rollback").await,
        Stage::Ended => drop(scene.end(&begun).await),
    }
    let then = scene.start(second).await;
    if row.stage == Stage::Registering {
        // The second one passes the first one by.
        until_updated_or_ended(&scene, &then).await;
        scene.release(&held);
    }
    if let Some(image) = lasting {
        scene.until_waiting_or_ended(&then).await;
        scene.release_tasks(image);
    }

    let (first, second) = (scene.end(&begun).await, scene.end(&then).await);
    let (of_older, of_newer) = if row.is_newer_first {
        (second, first)
    } else {
        (first, second)
    };
    for (which, ending, allowed) in [
        ("older", &of_older, row.older_ends),
        ("newer", &of_newer, row.newer_ends),
    ] {
        let ended = ending.children.first().map(outcome).unwrap_or_default();
        assert!(
            allowed.contains(&ended.as_str()),
            "{}: the {which} ended {ended}: {ending:#?}",
            row.scene
        );
    }
    let service = scene.state();
    let runs = [(&v1, "v1"), (&older, row.older), (&newer, row.newer)]
        .into_iter()
        .rfind(|(_, tag)| *tag == row.runs);
    assert_eq!(
        service["imageDigests"],
        json!([runs.unwrap().0.digest]),
        "{}: {service:#}",
        row.scene
    );

    assert_one_revision_each(row, &scene);
    assert_one_rollout_each(row, &scene);
}

/// Waits until somebody has updated the scene's service, or this execution left it alone.
async fn until_updated_or_ended(scene: &Scene, arn: &str) {
    let begun = Instant::now();
    while scene.calls("UpdateService").is_empty() && !execution(scene, arn).await.has_ended() {
        assert!(begun.elapsed() < LIMIT, "{arn} does nothing");
        pause(Duration::from_millis(50)).await;
    }
}

/// Of each (revision in use, push) there is one revision. Where two register at one moment there may be duplicates of it, and no
/// service is moved to them.
fn assert_one_revision_each(row: &Meeting, scene: &Scene) {
    let revisions = scene.revisions(&scene.family());
    let is_duplicate = |place: &usize| {
        let mut lower = revisions[..*place].iter();
        lower.any(|lower| lower["tags"] == revisions[*place]["tags"])
    };
    let duplicates: Vec<&Value> = (0..revisions.len())
        .filter(is_duplicate)
        .map(|place| &revisions[place]["revision"])
        .collect();
    let at_one_moment = matches!(row.stage, Stage::AtOnce | Stage::Registering);
    assert!(duplicates.is_empty() || at_one_moment, "{}: {revisions:#?}", row.scene);
    for target in rollouts(&scene.state()) {
        let is_of = |number: &&Value| target == format!("{}:{number}", scene.family());
        assert!(
            !duplicates.iter().any(is_of),
            "{}: moved to the duplicate {target}",
            row.scene
        );
    }
}

/// Each push has one rollout, one after the other. At once, an update may come after a read that is outdated, and is put
/// right in the same step.
fn assert_one_rollout_each(row: &Meeting, scene: &Scene) {
    let (service, revisions) = (scene.state(), scene.revisions(&scene.family()));
    let image = |revision: &str| {
        let number: u64 = revision.rsplit(':').next().unwrap().parse().unwrap();
        let found = revisions.iter().find(|it| it["revision"] == number);
        found.map(|it| it["images"][0].clone()).unwrap_or_default()
    };
    let targets = rollouts(&service);
    let images: Vec<Value> = targets.iter().map(|target| image(target)).collect();
    let mut distinct = images.clone();
    distinct.dedup();
    let is_once_each = distinct
        .iter()
        .enumerate()
        .all(|(place, image)| !distinct[..place].contains(image));
    assert!(
        row.stage == Stage::AtOnce || is_once_each,
        "{}: no flapping: {images:?} by {targets:?} to {}",
        row.scene,
        short(&service["taskDefinition"])
    );
    if row.older == row.newer {
        assert_eq!(
            targets.len(),
            2,
            "{}: one deployment for the push: {targets:?}",
            row.scene
        );
    }
}
