//! A hold: a service, or all of them, stay as they are until somebody says otherwise.
//!
//! One rule reads both kinds: the tag [`crate::domain::service::ServiceTags::HOLD`] of a service, and the parameter of
//! the stack that holds everything, see [`crate::contract::Hold`].

use jiff::Timestamp;

/// The text that says that there is no hold, in whatever case: a parameter cannot be empty.
pub const NONE: &str = "none";

/// Why something is on hold at `now`, by the text that holds it; `None` where that is [`NONE`], or names a time that has
/// come: `until 2026-12-24T06:00:00Z`. Where the time cannot be read the hold stays: somebody wanted one.
#[must_use]
pub fn hold(text: &str, now: Timestamp) -> Option<&str> {
    let text = text.trim();
    let until = text.strip_prefix("until ").and_then(|rest| rest.split(' ').next());
    let until = until.and_then(|time| time.parse::<Timestamp>().ok());
    let is_over = until.is_some_and(|until| until <= now) || text.eq_ignore_ascii_case(NONE);
    (!is_over).then_some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that builds nonsense should panic")]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_at_the_time_that_it_names_and_else_when_it_is_none() {
        let now: Timestamp = "2026-12-24T06:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("until 2026-12-24T06:00:00Z audit", None),
            ("until 2026-12-24T06:00:00Z", None),
            ("until 2026-12-24T07:00:00+02:00 in another zone", None),
            (" until 2026-12-24T06:00:00Z audit\n", None),
            (
                "until 2026-12-24T06:00:01Z audit",
                Some("until 2026-12-24T06:00:01Z audit"),
            ),
            ("until the audit is over", Some("until the audit is over")),
            ("until 2026-12-24 christmas", Some("until 2026-12-24 christmas")),
            ("Until 2020-01-01T00:00:00Z", Some("Until 2020-01-01T00:00:00Z")),
            ("ann - freeze", Some("ann - freeze")),
            ("", Some("")),
            (" ", Some("")),
            ("none", None),
            ("None\n", None),
            ("none of your business", Some("none of your business")),
        ] {
            assert_eq!(hold(text, now), expected, "{text:?}");
        }
    }
}
