//! Several at the same moment: each is held up at every call, and goes on in an order that a test chooses.

use crate::situations::{SITUATIONS, Situation};
use crate::support::all;
use futures::future::LocalBoxFuture;
use futures::poll;
use serde_json::Value;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use walker::account::Account;
use walker::caller::{Caller, Grain, Stage};
use walker::machine::STOPPED;
use walker::run;

/// Lets callers go on one at a time until all have ended. `choose` is asked for one of so many that can go on, of which
/// the first is the one that went on last, if that can.
pub(crate) async fn interleave<T>(
    account: &Account,
    mut acts: Vec<(Arc<Caller>, LocalBoxFuture<'_, T>)>,
    mut choose: impl FnMut(usize) -> usize,
) -> Vec<T> {
    let mut ended: Vec<Option<T>> = acts.iter().map(|_| None).collect();
    let mut last = 0;
    loop {
        for (place, (caller, act)) in acts.iter_mut().enumerate() {
            while ended[place].is_none() {
                if let Poll::Ready(end) = poll!(&mut *act) {
                    ended[place] = Some(end);
                } else if caller.stage() == Stage::Going {
                    // It waits for a timer of the SDK's.
                    tokio::time::advance(Duration::from_millis(100)).await;
                } else {
                    break;
                }
            }
        }
        let held = || (0..acts.len()).filter(|place| ended[*place].is_none());
        let moment = |place: usize| match acts[place].0.stage() {
            Stage::Until(moment) => moment,
            _ => account.now(),
        };
        let Some(earliest) = held().map(moment).min() else {
            break;
        };
        account.pass_until(earliest);
        let mut ready: Vec<usize> = held().filter(|place| moment(*place) <= account.now()).collect();
        ready.sort_by_key(|place| *place != last);
        last = ready[choose(ready.len())];
        acts[last].0.permit();
    }
    ended.into_iter().flatten().collect()
}

/// Plays something once for every way of choosing in which another than the one before is chosen at most `changes` times.
/// Returns how many ways there were.
fn every_way(changes: usize, mut play: impl FnMut(&mut dyn FnMut(usize) -> usize)) -> usize {
    let mut ways = 0;
    // The choice, and of how many.
    let mut path: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut step = 0;
        play(&mut |options| {
            if step == path.len() {
                path.push((0, options));
            }
            step += 1;
            path[step - 1].0
        });
        ways += 1;
        path.truncate(step);
        let next = loop {
            let Some((chosen, options)) = path.pop() else {
                break None;
            };
            let spent = path.iter().filter(|(chosen, _)| *chosen > 0).count();
            if chosen + 1 < options && spent < changes {
                break Some((chosen + 1, options));
            }
        };
        match next {
            Some(next) => path.push(next),
            None => return ways,
        }
    }
}

/// A step that two do at the same moment.
struct Duplicate {
    state: &'static str,
    /// How often at most another one goes on than the one before.
    changes: usize,
    situation: &'static str,
}

const DUPLICATES: &[Duplicate] = &[
    Duplicate {
        state: "Register revision",
        changes: 2,
        situation: "a new tag",
    },
    Duplicate {
        state: "Register revision",
        changes: 2,
        situation: "a tag that is pushed again",
    },
    Duplicate {
        state: "Register revision",
        changes: 2,
        situation: "a revision that somebody registered and nobody uses is the newest",
    },
    Duplicate {
        state: "Update service",
        changes: 3,
        situation: "a new tag",
    },
    Duplicate {
        state: "Update service",
        changes: 3,
        situation: "somebody moves the service to another revision after this one was registered",
    },
    Duplicate {
        state: "Roll back",
        changes: 1,
        situation: "a broken image without a circuit breaker",
    },
    Duplicate {
        state: "Roll back",
        changes: 1,
        situation: "a broken image where there is no service deployments API",
    },
    Duplicate {
        state: "Register rollback revision",
        changes: 2,
        situation: "a broken image under the tag that ran",
    },
    Duplicate {
        state: "Register rollback revision",
        changes: 2,
        situation: "a broken image, and the good revision was deregistered",
    },
];

/// Has so many do the step at the same moment, and lets all that has begun come to its end. Returns what they returned,
/// and what there is.
async fn play(
    situation: &Situation,
    state: &'static str,
    count: usize,
    choose: impl FnMut(usize) -> usize,
) -> (Vec<Value>, Value) {
    let played = situation.play();
    let stopped = played.walk_to(Some(state), None).await.ended.unwrap_err();
    assert_eq!(stopped.error, STOPPED, "{stopped:?}");
    let arguments: Value = serde_json::from_str(&stopped.cause).unwrap();
    let callers: Vec<Arc<Caller>> = (0..count)
        .map(|_| Caller::new(&played.account, Grain::Calls, None))
        .collect();
    let functions: Vec<_> = callers.iter().map(|caller| played.functions(caller)).collect();
    let now = played.account.timestamp();
    let acts = callers.iter().zip(&functions).map(|(caller, functions)| {
        let act: LocalBoxFuture<'_, _> = Box::pin(functions.invoke(&arguments, now));
        (caller.clone(), act)
    });
    let returned = interleave(&played.account, acts.collect(), choose).await;
    let returned = returned.into_iter().map(|returned| match returned {
        Ok(value) => value,
        Err(error) => panic!("{}: {error}", error.name()),
    });
    let returned = returned.collect();
    played.account.settle();
    (returned, played.account.standing())
}

fn check(duplicate: &Duplicate) -> Result<(), String> {
    let situation = SITUATIONS.iter().find(|it| it.name == duplicate.situation).unwrap();
    let (_, alone) = run(play(situation, duplicate.state, 1, |_| 0));
    let mut problems = Vec::new();
    let ways = every_way(duplicate.changes, |choose| {
        let mut order = Vec::new();
        let (returned, standing) = run(play(situation, duplicate.state, 2, |options| {
            order.push(choose(options));
            order[order.len() - 1]
        }));
        let revisions: Vec<&Value> = returned.iter().map(|it| &it["taskDefinition"]).collect();
        if revisions[0] != revisions[1] {
            problems.push(format!("{order:?}: they go on with different revisions: {revisions:?}"));
        } else if standing != alone {
            problems.push(format!("{order:?}: {standing:#}\nbut of one alone: {alone:#}"));
        }
    });
    assert!(ways > 4, "only {ways} ways: is nobody held up?");
    let failed = problems.len();
    problems.truncate(1);
    problems.pop().map_or(Ok(()), |problem| {
        Err(format!("{failed} of {ways} ways, such as {problem}"))
    })
}

#[test]
fn a_step_done_twice_at_the_same_moment_does_as_much_as_once() {
    all(DUPLICATES, |it| it.state, check);
}
