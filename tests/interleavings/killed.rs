//! Any step killed at any point and run again, and any answer lost after it took effect: the same end as without.

use crate::situations::{SITUATIONS, Situation, outcome};
use crate::support::all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use walker::account::{list, short};
use walker::caller::{Call, Mishap};
use walker::run;

/// The result of a situation.
struct End {
    calls: Vec<Call>,
    standing: Value,
}

/// Plays a situation out, to the end of all that has begun.
async fn play(situation: &Situation, mishap: Option<(usize, Mishap)>) -> Result<End, String> {
    let played = situation.play();
    let walked = played.walk(mishap).await;
    played.account.settle();
    let standing = played.account.standing();
    let web = list(&standing["services"])
        .iter()
        .find(|service| service["service"] == "web");
    let on = web.map_or("nothing", |web| short(&web["taskDefinition"]));
    // Asked again after its own update took effect, "Update service" finds the service there already.
    let is_wanted =
        |outcome: &str| outcome == "ALREADY_DEPLOYED" && mishap.is_some() && situation.ends == Some("DEPLOYED");
    let outcome = outcome(&walked.services);
    let ended_so = outcome.as_deref() == situation.ends || outcome.as_deref().is_some_and(is_wanted);
    if !ended_so || on != situation.on {
        return Err(format!(
            "web is on {on} and not on {}, or did not end {:?}: {:?}\nstates: {:?}\n{standing:#}",
            situation.on, situation.ends, walked.services, played.path
        ));
    }
    Ok(End {
        calls: walked.caller.calls(),
        standing,
    })
}

/// The calls at which something is to happen: all of them, but of the visits that a state gets one after the other only the
/// first and the last one, since a read is like the one before it.
fn points(calls: &[Call]) -> Vec<usize> {
    let mut visits: BTreeMap<&Call, Vec<usize>> = BTreeMap::new();
    for (number, call) in calls.iter().enumerate() {
        visits.entry(call).or_default().push(number);
    }
    let chosen = visits.into_values().flat_map(|numbers| {
        let last = numbers.len().saturating_sub(1);
        let is_chosen = move |place: usize| place == 0 || place == last;
        numbers
            .into_iter()
            .enumerate()
            .filter_map(move |(place, number)| is_chosen(place).then_some(number))
    });
    let mut chosen: Vec<usize> = chosen.collect();
    chosen.sort_unstable();
    chosen
}

/// The mishaps of a call: one that only reads leaves nothing behind, so it does not matter when it is cut.
fn mishaps(call: &Call) -> &'static [Mishap] {
    let reads = ["Describe", "List"].iter().any(|verb| call.operation.starts_with(verb));
    if reads {
        &[Mishap::KilledAfter]
    } else {
        &[Mishap::KilledBefore, Mishap::KilledAfter, Mishap::AnswerLost]
    }
}

fn check(situation: &Situation) -> Result<(), String> {
    let smooth = run(play(situation, None))?;
    let mut problems = Vec::new();
    for number in points(&smooth.calls) {
        let call = &smooth.calls[number];
        for mishap in mishaps(call) {
            let at = format!("{mishap:?} at call {number}, {} in {:?}", call.operation, call.state);
            match run(play(situation, Some((number, *mishap)))) {
                Err(problem) => problems.push(format!("{at}: {problem}")),
                Ok(end) if end.standing != smooth.standing => {
                    problems.push(format!(
                        "{at}: {:#}\nbut without it: {:#}",
                        end.standing, smooth.standing
                    ));
                }
                Ok(_) => {}
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("\n\n"))
    }
}

#[test]
fn a_step_killed_at_any_call_and_run_again_and_an_answer_lost_change_nothing_in_the_end() {
    all(SITUATIONS, |situation| situation.name, check);
}

/// So that no situation goes missing with what it is about.
#[test]
fn the_situations_take_every_function_through_every_call_it_makes() {
    let mut seen = BTreeSet::new();
    for situation in SITUATIONS {
        let played = situation.play();
        let walked = run(played.walk(None));
        seen.extend(
            walked
                .caller
                .calls()
                .into_iter()
                .map(|call| (call.state, call.operation)),
        );
    }
    let reads = [
        "DescribeServices",
        "DescribeTaskDefinition",
        "ListServiceDeployments",
        "DescribeServiceRevisions",
    ];
    let both = |state: &str, more: &[&str]| -> Vec<(String, String)> {
        let operations = reads.iter().chain(more);
        operations
            .map(|operation| (state.to_owned(), (*operation).to_owned()))
            .collect()
    };
    let wanted = [
        both("Update service", &["UpdateService"]),
        both("Check stability", &["ListTasks", "DescribeTasks"]),
        both("Check rollback", &["ListTasks", "DescribeTasks"]),
        both(
            "Roll back",
            &["UpdateService", "StopServiceDeployment", "DescribeImages"],
        ),
    ];
    for wanted in wanted.concat() {
        assert!(
            seen.contains(&wanted),
            "no situation has {} call {}: {seen:#?}",
            wanted.0,
            wanted.1
        );
    }
}
