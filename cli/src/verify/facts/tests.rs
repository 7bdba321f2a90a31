//! The table of the facts: what was seen, and what that says of each.

use super::*;

/// A run in which every fact holds.
fn whole() -> Seen {
    let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
    Seen {
        trigger: Some("putImage".to_owned()),
        caller: "arn:aws:iam::123456789012:user/ann".to_owned(),
        arrival: Some(Arrival::After(4, Some("arn:aws:iam::123456789012:user/ann".to_owned()))),
        digests: Some(Digests {
            index: digest("a"),
            listed: vec![digest("b"), digest("c")],
            recorded: Some(digest("c")),
        }),
        beside: Some(Second {
            first_ran: true,
            names_first: true,
            refusal: None,
            failure: None,
        }),
        after: Some(Second {
            first_ran: false,
            names_first: true,
            refusal: Some("StepFunctions.ExecutionAlreadyExistsException".to_owned()),
            failure: None,
        }),
        broken: Some(Broken {
            outcome: "Deploy.RolledBack".to_owned(),
            message: "3 stopped: verify exited with code 1 (3 times)".to_owned(),
            method: Some("STOPPED_DEPLOYMENT".to_owned()),
            before: Some(digest("c")),
            after: Some(digest("c")),
        }),
        redriven: Some(Redriven {
            count: 1,
            first: "verify-v2-0".to_owned(),
            second: "verify-v2-1".to_owned(),
            outcome: "Deploy.RolledBack".to_owned(),
        }),
    }
}

fn judged(seen: &Seen, fact: Fact) -> (Holds, String) {
    let all = judge(seen);
    let it = all.into_iter().find(|it| it.fact == fact).unwrap();
    (it.holds, it.seen)
}

#[test]
fn every_fact_holds_in_a_run_that_saw_what_is_expected() {
    for it in judge(&whole()) {
        assert_eq!(it.holds, Holds::Holds, "{it:?}");
    }
}

#[test]
fn nothing_is_said_of_what_a_run_did_not_come_to() {
    let none = Seen {
        trigger: Some("putImage".to_owned()),
        ..Seen::default()
    };
    for it in judge(&none) {
        assert_eq!(
            (it.holds, it.seen.as_str()),
            (Holds::NotSeen, "the run did not come so far")
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row after the other")]
fn what_was_seen_decides_on_each_fact() {
    use Fact::{
        DuplicateOfEnded, DuplicateOfRunning, ExitCodeIsTold, IndexIsRecorded, PushStartsExecution, PusherIsNamed,
        SameDigestAfterRollback, StopNeedsNoBreaker,
    };
    use Holds::{DoesNotHold, Holds as Yes, NotSeen};
    type Change = fn(&mut Seen);
    let rows: [(Change, Fact, Holds, &str); 17] = [
        (|_| {}, PushStartsExecution, Yes, "4 s after the push"),
        (
            |it| it.arrival = Some(Arrival::Never(300)),
            PushStartsExecution,
            DoesNotHold,
            "within 300 s: a trail",
        ),
        (
            |it| it.arrival = Some(Arrival::Never(300)),
            PusherIsNamed,
            NotSeen,
            "did not come so far",
        ),
        (
            |it| it.arrival = Some(Arrival::After(4, None)),
            PusherIsNamed,
            DoesNotHold,
            "it names nobody",
        ),
        (
            |it| it.caller = "arn:aws:iam::1:root".to_owned(),
            PusherIsNamed,
            DoesNotHold,
            "STS tells arn:aws:iam::1:root",
        ),
        (
            |it| it.trigger = Some("imageAction".to_owned()),
            PusherIsNamed,
            NotSeen,
            "whose event names nobody",
        ),
        (
            |it| {
                let digests = it.digests.as_mut().unwrap();
                digests.recorded = Some(digests.index.clone());
            },
            IndexIsRecorded,
            Yes,
            "that of the index",
        ),
        (|_| {}, IndexIsRecorded, Yes, "the image for its processor"),
        (
            |it| it.digests.as_mut().unwrap().recorded = None,
            IndexIsRecorded,
            NotSeen,
            "no record",
        ),
        (
            |it| it.digests.as_mut().unwrap().recorded = Some("sha256:d".to_owned()),
            IndexIsRecorded,
            DoesNotHold,
            "it has sha256:d",
        ),
        (
            |it| it.beside.as_mut().unwrap().first_ran = false,
            DuplicateOfRunning,
            NotSeen,
            "had ended before",
        ),
        (
            |_| {},
            DuplicateOfEnded,
            Yes,
            "refused its name: StepFunctions.ExecutionAlreadyExistsException",
        ),
        (
            |it| {
                let after = it.after.as_mut().unwrap();
                (after.names_first, after.failure) = (false, Some("StepFunctions.Other: no".to_owned()));
            },
            DuplicateOfEnded,
            DoesNotHold,
            "StepFunctions.Other: no",
        ),
        (
            |it| it.broken.as_mut().unwrap().message.clear(),
            ExitCodeIsTold,
            DoesNotHold,
            "Deploy.RolledBack: ",
        ),
        (
            |it| it.broken.as_mut().unwrap().method = Some("UPDATED_SERVICE".to_owned()),
            StopNeedsNoBreaker,
            DoesNotHold,
            "by UPDATED_SERVICE",
        ),
        (
            |it| it.broken.as_mut().unwrap().after = None,
            SameDigestAfterRollback,
            NotSeen,
            "no digest of its tasks",
        ),
        (
            |it| it.broken.as_mut().unwrap().after = Some("sha256:d".to_owned()),
            SameDigestAfterRollback,
            DoesNotHold,
            "sha256:d, and before sha256:c",
        ),
    ];
    for (change, fact, holds, said) in rows {
        let mut seen = whole();
        change(&mut seen);
        let (judged, what) = judged(&seen, fact);
        assert_eq!(judged, holds, "{fact:?}: {what}");
        assert!(what.contains(said), "{fact:?}: no {said:?} in {what:?}");
    }
}

#[test]
fn a_redrive_that_started_nothing_or_under_another_name_does_not_hold() {
    for (second, count, runs, reads) in [
        ("verify-v2-1", 1, Holds::Holds, Holds::Holds),
        ("verify-v2-0", 1, Holds::DoesNotHold, Holds::DoesNotHold),
        ("verify-v2-7", 1, Holds::Holds, Holds::DoesNotHold),
        ("verify-v2-0", 0, Holds::DoesNotHold, Holds::DoesNotHold),
    ] {
        let mut seen = whole();
        let redriven = seen.redriven.as_mut().unwrap();
        (redriven.second, redriven.count) = (second.to_owned(), count);
        assert_eq!(judged(&seen, Fact::RedriveRunsTaskAgain).0, runs, "{second}");
        assert_eq!(judged(&seen, Fact::RedriveCountIsRead).0, reads, "{second}");
    }
}

#[test]
fn every_fact_is_in_the_list_once_before_those_that_nobody_tells() {
    let told: Vec<Fact> = OPEN.iter().map_while(|it| it.told).collect();
    assert!(told.is_sorted_by(|one, next| one < next), "{told:?}");
    assert!(OPEN.iter().skip(told.len()).all(|it| it.told.is_none()));
    assert_eq!(told.len(), judge(&Seen::default()).len());
}
