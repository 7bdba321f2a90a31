//! Which tags go to which services: the stages of a storm, the tags that its pushes have for them, and what is held.

use super::kinds::Kind;
use super::pushes::{Push, TAGGING, deliveries};
use super::{CLUSTERS, DOOMED, Service, happens, weighted};
use crate::stages::{HOLD_TAG, OFF, STAGE_TAG, Stage, version};
use fastrand::Rng;
use local_aws::{ACCOUNT, REGION};
use serde_json::{Value, json};
use simulated_ecs::{Behaviour, Scheduled};

/// How many stages there are: none is the default of one that owns all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    One,
    Two,
    Three,
}

const LAYOUTS: [(u32, Layout); 3] = [(15, Layout::One), (45, Layout::Two), (40, Layout::Three)];

/// The stages of a storm.
pub(super) fn stages(rng: &mut Rng) -> Vec<Stage> {
    let stage = |name: &str, clusters: &[&str], tags: &[&str]| Stage {
        name: name.to_owned(),
        clusters: clusters.iter().map(|name| (*name).to_owned()).collect(),
        opt_in: false,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        after: None,
        soak: None,
    };
    let [north, south, west, doomed] = CLUSTERS;
    let everything_else = ["*", "!pr-*", "!release*", "!latest", "semver:*"];
    let named = ["main-*", "main", "semver:*"];
    let of_staging = if rng.bool() { &everything_else[..] } else { &named[..] };
    let production = stage("production", &[north], &["semver:>=1.0.0", "release-*"]);
    let mut stages = match weighted(rng, &LAYOUTS).unwrap_or(Layout::One) {
        Layout::One => Vec::new(),
        Layout::Two => vec![stage("staging", &[south, west, doomed], of_staging), production],
        Layout::Three => vec![
            stage("previews", &[west, doomed], &["pr-*", "main"]),
            stage("staging", &[south], of_staging),
            production,
        ],
    };
    if let Some(production) = stages.last_mut()
        && happens(rng, 75)
    {
        production.after = Some("staging".to_owned());
        production.soak = rng.bool().then(|| format!("{}s", rng.u32(1..=4)));
    }
    if !stages.is_empty() && happens(rng, 60) {
        stages.push(Stage {
            opt_in: true,
            ..stage("asked", &[], &["main-*", "pr-*", "release*"])
        });
    }
    stages
}

/// Gives the pushes tags that only some stages take: of a pull request, of the main branch, of a release.
pub(super) fn tags(rng: &mut Rng, pushes: &mut [Push]) {
    let kinds = [(52, "v1."), (28, "main-"), (20, "pr-")];
    for (number, push) in pushes.iter_mut().enumerate() {
        // A mutable tag stays, if not always: some stages take it.
        if !push.tag.starts_with('v') && rng.bool() {
            continue;
        }
        let number = number + 2;
        push.tag = match weighted(rng, &kinds).unwrap_or_default() {
            "v1." => format!("v1.{number}.0"),
            kind => format!("{kind}{number}"),
        };
    }
}

/// Later than this, in milliseconds, the tag of an image is a push of its own, whatever came between.
const OF_ITS_OWN: i64 = 63_000;

/// A later push to the same repository: a new tag for an image that went only where production is not, which promotes
/// what staging runs by then; or, after a release, an image of a lower version.
///
/// A new tag within a minute is the same push. So it comes where no other image of the repository has come since.
pub(super) fn later(rng: &mut Rng, stages: &[Stage], pushes: &mut Vec<Push>) {
    let is_for_production = |tag: &str| {
        stages
            .iter()
            .any(|stage| stage.name == "production" && stage.takes(tag))
    };
    for place in 0..pushes.len() {
        let push = pushes[place].clone();
        let at = push.at
            + if rng.bool() {
                rng.i64(12_000..30_000)
            } else {
                OF_ITS_OWN + rng.i64(0..8_000)
            };
        let of_repository: Vec<&Push> = pushes.iter().filter(|it| it.repository == push.repository).collect();
        let others = of_repository.iter().filter(|it| it.image != push.image);
        let has_between = others.clone().any(|other| (push.at..=at).contains(&other.at));
        let is_promotion = push.tag.starts_with("main")
            && !of_repository
                .iter()
                .any(|it| it.image == push.image && is_for_production(&it.tag));
        // Between the tags of one push comes no other image.
        let is_between = of_repository.iter().any(|first| {
            let tags = of_repository
                .iter()
                .filter(|it| it.image == first.image && it.at - first.at < OF_ITS_OWN);
            let last = tags.map(|it| it.at).max().unwrap_or(first.at);
            (first.at - 2 * TAGGING..=last + 2 * TAGGING).contains(&at) && (first.image != push.image || !is_promotion)
        });
        let is_between = is_between || of_repository.iter().any(|other| (at - other.at).abs() <= 2 * TAGGING);
        let is_same_push = is_promotion && has_between && at - push.at < OF_ITS_OWN;
        if is_between || is_same_push || !happens(rng, 60) {
            continue;
        }
        let (image, tag, behaviour) = if is_promotion {
            (push.image, format!("release-{place}"), push.behaviour)
        } else if version(&push.tag).is_some() && push.behaviour == Behaviour::Good {
            let images = pushes.iter().map(|push| push.image).max();
            let image = images.unwrap_or_default() + 1;
            (image, format!("v1.0.{place}"), Behaviour::Good)
        } else {
            continue;
        };
        pushes.push(Push {
            at,
            image,
            tag,
            behaviour,
            deliveries: deliveries(rng),
            repository: push.repository,
        });
    }
    pushes.sort_by_key(|push| push.at);
}

/// Gives some services a tag of their own from the beginning: a hold, that is over or not, another stage, `off`, or a stage that
/// is mistyped.
pub(super) fn tag_services(rng: &mut Rng, stages: &[Stage], services: &mut [Service]) {
    for service in services {
        let own = weighted(
            rng,
            &[
                (74, None),
                (6, Some((HOLD_TAG, "ann: freeze until the audit"))),
                (3, Some((HOLD_TAG, "until 2020-01-01T00:00:00Z long over"))),
                (2, Some((HOLD_TAG, "until 2999-01-01T00:00:00Z for ever"))),
                (5, Some((STAGE_TAG, OFF))),
                (8, Some((STAGE_TAG, ""))),
                (2, Some((STAGE_TAG, "stagign"))),
            ],
        );
        // A service that ECS does not deploy would keep back for ever what comes after its stage.
        let is_deployed_otherwise = matches!(service.kind, Kind::CodeDeploy | Kind::External);
        let off = Some((STAGE_TAG, OFF)).filter(|_| is_deployed_otherwise && happens(rng, 70));
        let Some((key, value)) = own.flatten().or(off) else {
            continue;
        };
        let asked = stages.iter().find(|stage| stage.opt_in).filter(|_| rng.bool());
        let value = match value {
            "" => asked
                .or_else(|| rng.choice(stages))
                .map_or(OFF, |stage| stage.name.as_str()),
            value => value,
        };
        if let Some(tags) = service.request["tags"].as_array_mut() {
            tags.push(json!({"key": key, "value": value}));
        }
    }
}

/// Holds that somebody sets, and mostly lifts again; and services that somebody takes out of every stage.
pub(super) fn tagged_meanwhile(rng: &mut Rng, services: &[Service], length: i64) -> Vec<Scheduled> {
    let scheduled = |at: i64, operation: &str, request: Value| Scheduled {
        at_milliseconds: Some(at),
        after: None,
        operation: operation.to_owned(),
        request,
    };
    let mut holds = Vec::new();
    for service in services {
        let arn = format!(
            "arn:aws:ecs:{REGION}:{ACCOUNT}:service/{}/{}",
            service.cluster(),
            service.name()
        );
        let is_held = service.request["tags"]
            .as_array()
            .is_some_and(|tags| tags.iter().any(|tag| tag["key"] == HOLD_TAG));
        if service.cluster() != DOOMED && happens(rng, 4) {
            let tags = json!([{"key": STAGE_TAG, "value": OFF}]);
            let at = rng.i64(0..length);
            holds.push(scheduled(at, "TagResource", json!({"resourceArn": arn, "tags": tags})));
        }
        // One in the cluster that is deleted would be refused in other words.
        if service.cluster() == DOOMED || !happens(rng, if is_held { 50 } else { 15 }) {
            continue;
        }
        let at = rng.i64(0..length);
        if !is_held {
            let tags = json!([{"key": HOLD_TAG, "value": "bob: looks into something"}]);
            holds.push(scheduled(at, "TagResource", json!({"resourceArn": arn, "tags": tags})));
        }
        if is_held || happens(rng, 70) {
            let lifted = at + rng.i64(5_000..length / 2);
            let request = json!({"resourceArn": arn, "tagKeys": [HOLD_TAG]});
            holds.push(scheduled(lifted, "UntagResource", request));
        }
    }
    holds
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_storms_of_the_tests_have_all_that_stages_bring() {
        // Those of `cargo xtask test`: one of them has a single stage that owns all.
        let storms = [3, 5, 13].map(|seed| Scenario::new(seed, 40));
        let owning = |storm: &Scenario| storm.stages.iter().filter(|stage| !stage.opt_in).count();
        let layouts: BTreeSet<usize> = storms.iter().map(owning).collect();
        assert_eq!(layouts, [0, 2, 3].into(), "{layouts:?}");
        for storm in &storms {
            let deeds: BTreeSet<&str> = storm.weather.schedule.iter().map(|it| it.operation.as_str()).collect();
            let is_held = deeds.contains("TagResource") && deeds.contains("UntagResource");
            assert!(is_held || storm.stages.is_empty(), "{}: {deeds:?}", storm.seed);
        }
        let mut all = storms.iter().flat_map(|storm| &storm.stages);
        assert!(all.clone().any(|stage| stage.after.is_some() && stage.soak.is_some()));
        assert!(all.any(|stage| stage.opt_in));
        let staged = storms.iter().filter(|storm| !storm.stages.is_empty());
        let tags: Vec<&str> = staged
            .flat_map(|storm| &storm.pushes)
            .map(|push| push.tag.as_str())
            .collect();
        for kind in ["pr-", "main-", "release-", "v1.0."] {
            assert!(tags.iter().any(|tag| tag.starts_with(kind)), "{kind}: {tags:?}");
        }
        assert!(tags.iter().filter(|tag| version(tag).is_some()).count() > 5, "{tags:?}");
    }

    #[test]
    fn a_promotion_tags_an_image_that_production_has_not_had() {
        for seed in 0..30 {
            let storm = Scenario::new(seed, 40);
            for promotion in storm.pushes.iter().filter(|push| push.tag.starts_with("release-")) {
                let of_image = storm.pushes.iter().filter(|push| push.image == promotion.image);
                let of_image: Vec<&Push> = of_image.collect();
                let [first, ..] = of_image.as_slice() else {
                    unreachable!()
                };
                assert!(promotion.at - first.at >= 10_000, "{seed}: {of_image:?}");
                let production = storm.stages.iter().find(|stage| stage.name == "production").unwrap();
                let known = of_image.iter().filter(|push| production.takes(&push.tag)).count();
                assert_eq!(known, 1, "{seed}: {of_image:?}");
            }
        }
    }
}
