//! The findings about pushes: those that did not arrive, and the tags of the newest.

use super::{Begun, Facts, Finding, Level, finding, owners, some};
use ecr_deploy::domain::push::name::is_of;
use find_task_definitions::stage::Owner;
use jiff::SignedDuration;

/// How long after a push its execution may begin: `EventBridge` delivers by CloudTrail within minutes.
const DELIVERY: SignedDuration = SignedDuration::from_mins(15);

/// The newest image of each repository that a stage takes, and that should have started an execution.
pub(super) fn events(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(since) = facts.known_since else {
        return Vec::new();
    };
    let until = facts.now.saturating_sub(DELIVERY).unwrap_or(facts.now);
    let mut lost = Vec::new();
    for (name, repository) in facts.repositories {
        let due = repository
            .images
            .iter()
            .filter(|it| since < it.pushed_at && it.pushed_at < until);
        let taken = due.filter(|it| it.deployable.iter().any(|tag| is_taken(facts, name, tag)));
        let Some(newest) = taken.max_by_key(|it| it.pushed_at) else {
            continue;
        };
        let skew = newest
            .pushed_at
            .saturating_sub(SignedDuration::from_mins(1))
            .unwrap_or(newest.pushed_at);
        let has_begun = |it: &Begun| it.at >= skew && newest.deployable.iter().any(|tag| is_of(&it.name, name, tag));
        if !facts.pushes.iter().any(has_begun) {
            lost.push((format!("{name}:{}", newest.deployable[0]), newest.pushed_at));
        }
    }
    let Some((first, at)) = lost.first() else {
        return Vec::new();
    };
    let images: Vec<String> = lost.iter().map(|(image, _)| image.clone()).collect();
    if facts.pushes.is_empty() {
        let fix = if facts.trigger == Some("putImage") {
            "the trigger putImage needs a trail of CloudTrail that records management events: aws cloudtrail describe-trails; or set \
             the trigger to imageAction"
        } else {
            "look at the rule of EventBridge and at the dead-letter queue: docs/operations.md, Lost events"
        };
        let says = format!(
            "no push arrives: {first} was pushed at {}, and started nothing",
            crate::output::time(*at)
        );
        return vec![finding(Level::Error, "events", says, fix, Vec::new())];
    }
    let says = format!("the newest push started nothing: {}", some(&images));
    let fix = format!("ecr-deploy deploy {first}; docs/operations.md, Lost events, tells where its event may be");
    vec![finding(Level::Warning, "events", says, fix, Vec::new())]
}

/// True if a stage that owns a service of the repository takes the tag.
fn is_taken(facts: &Facts<'_>, repository: &str, tag: &str) -> bool {
    facts.services.iter().any(|service| {
        owners(facts, service).any(|(image, owner)| {
            image.repository == repository && matches!(owner, Owner::Stage(stage) if stage.decide(tag).takes())
        })
    })
}

pub(super) fn tags(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut mutable = Vec::new();
    for (name, repository) in facts.repositories {
        if facts.kept_out.contains(name) {
            continue;
        }
        if repository.is_mutable == Some(true) {
            mutable.push(name.clone());
        }
        let tagged = repository.images.iter().filter(|it| !it.deployable.is_empty());
        let Some(newest) = tagged.max_by_key(|it| it.pushed_at) else {
            continue;
        };
        if !newest.deployable.iter().any(|tag| is_taken(facts, name, tag)) {
            let says = format!(
                "no stage takes the newest image of {name}, which has the tags {}",
                newest.deployable.join(", ")
            );
            let fix = "if it should be deployed, change the tags of the stage, or push another tag";
            found.push(finding(Level::Note, "tags", says, fix, Vec::new()));
        }
    }
    if !mutable.is_empty() {
        let says = format!("tags can be pushed over in {}", some(&mutable));
        let fix = "make the tags immutable, or set imageReference to digest: then a task that starts later cannot run other contents";
        found.push(finding(Level::Note, "mutable", says, fix, Vec::new()));
    }
    found
}
