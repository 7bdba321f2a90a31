use super::*;
use crate::testing::pushed;

#[test]
fn a_push_from_the_future_is_refused_with_both_times() {
    let now = |text: &str| text.parse::<Timestamp>().unwrap();
    let image = PushedImage {
        push: PushId::new(now("2018-03-18T00:00:00Z"), "0a1b").unwrap(),
        ..pushed(1)
    };
    for at in ["2018-03-17T23:55:00Z", "2018-03-18T00:00:00Z", "2026-01-01T00:00:00Z"] {
        image.refuse_from_the_future(now(at)).unwrap();
    }
    let error = image.refuse_from_the_future(now("2018-03-17T23:54:59Z")).unwrap_err();
    assert_eq!(error.name(), "Deploy.InvalidInput");
    let message = error.to_string();
    assert!(
        message.contains("2018-03-18T00:00:00Z") && message.contains("2018-03-17T23:54:59Z"),
        "{message}"
    );
}

#[test]
fn pushes_are_ordered_by_their_own_time_then_by_event() {
    let push = |text: &str| PushId::try_from(text.to_owned()).unwrap();
    assert!(push("2026-01-01T00:00:00Z b") < push("2026-01-01T00:00:01Z a"));
    assert!(push("2026-01-01T00:00:00Z a") < push("2026-01-01T00:00:00Z b"));
    assert!(push("2026-01-01T00:00:00.5Z a") > push("2026-01-01T00:00:00Z b"));
    assert!(PushId::try_from("2026-01-01T00:00:00Z".to_owned()).is_err());
}
