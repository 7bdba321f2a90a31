//! Which push it was, and which of two is the newer one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A push, by its own time and the id of its event. The later one is the newer one; of two at the same time, the one whose id
/// is the higher.
///
/// Written as `<RFC 3339 time> <event id>`, as the tags of a revision have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PushId {
    at: Timestamp,
    event: String,
}

impl PushId {
    pub(crate) fn new(at: Timestamp, event: &str) -> Self {
        let event = event.to_owned();
        Self { at, event }
    }

    /// True if a sweep began it, as its event was lost or the service was held: the sweep gives it an id of its own.
    pub(crate) fn is_of_sweep(&self) -> bool {
        self.event.starts_with("sweep-")
    }

    /// When the image was pushed.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }
}

impl fmt::Display for PushId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.at, self.event)
    }
}

impl From<PushId> for String {
    fn from(push: PushId) -> Self {
        push.to_string()
    }
}

impl TryFrom<String> for PushId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let push = text
            .split_once(' ')
            .and_then(|(at, event)| Some(Self::new(at.parse().ok()?, event)));
        push.filter(|push| !push.event.is_empty() && !push.event.contains(' '))
            .ok_or_else(|| format!("{text:?} is not a time and an id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_ordered_by_time_and_then_by_id_and_read_back_as_they_are_written() {
        let push = |text: &str| PushId::try_from(text.to_owned()).unwrap();
        let texts = [
            "2026-01-01T00:00:00Z 1b",
            "2026-01-01T00:00:00.5Z 0a",
            "2026-01-01T00:00:01Z 0a",
            "2026-01-01T00:00:01Z 1b",
        ];
        let pushes = texts.map(push);
        assert!(pushes.is_sorted());
        assert_eq!(pushes.map(|push| push.to_string()), texts);
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z ",
            "now 1b",
            "2026-01-01T00:00:00Z 1 b",
        ] {
            assert!(PushId::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
