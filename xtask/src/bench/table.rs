//! How a measurement is shown.

use std::time::Duration;

/// Measurements of the same thing, never none.
pub(crate) struct Spread(Vec<Duration>);

impl Spread {
    pub(crate) fn of(times: &[Duration]) -> Self {
        let mut times = times.to_vec();
        times.sort();
        Self(times)
    }

    pub(crate) fn median(&self) -> Duration {
        self.at(self.0.len() / 2)
    }

    fn at(&self, place: usize) -> Duration {
        self.0.get(place).copied().unwrap_or_default()
    }

    /// `118 / 121 / 130 ms`, or one number of what was measured once.
    pub(crate) fn milliseconds(&self) -> String {
        let shown = |time: Duration| format!("{:.0}", time.as_secs_f64() * 1000.0);
        format!("{} ms", self.show(shown))
    }

    /// `0.12 / 0.13 / 0.15 s`, or one number of what was measured once.
    pub(crate) fn seconds(&self) -> String {
        let shown = |time: Duration| digits(time.as_secs_f64());
        format!("{} s", self.show(shown))
    }

    fn show(&self, shown: impl Fn(Duration) -> String) -> String {
        if self.0.len() == 1 {
            return shown(self.at(0));
        }
        let marks = [self.at(0), self.median(), self.at(self.0.len().saturating_sub(1))];
        marks.map(shown).join(" / ")
    }
}

/// Numbers of the same thing, never none: `44`, or where they differ `700 / 775 / 801`.
pub(crate) fn numbers(mut numbers: Vec<u64>) -> String {
    numbers.sort_unstable();
    let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
    let (least, most) = (at(0), at(numbers.len().saturating_sub(1)));
    if least == most {
        least.to_string()
    } else {
        format!("{least} / {} / {most}", at(numbers.len() / 2))
    }
}

/// How many times as much one is as the other.
pub(crate) fn ratio(one: f64, other: f64) -> String {
    let ratio = one / other;
    if ratio < 10.0 {
        format!("{ratio:.2}")
    } else {
        format!("{ratio:.0}")
    }
}

/// A time of which three digits matter.
pub(crate) fn seconds(seconds: f64) -> String {
    format!("{} s", digits(seconds))
}

fn digits(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.3}")
    } else {
        format!("{seconds:.1}")
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are shown with two digits")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_shown_by_its_ends_and_its_median() {
        let times = [3, 1, 2].map(Duration::from_millis);
        assert_eq!(Spread::of(&times).milliseconds(), "1 / 2 / 3 ms");
        assert_eq!(Spread::of(&times[..1]).seconds(), "0.003 s");
    }

    #[test]
    fn numbers_are_shown_once_where_all_are_the_same() {
        assert_eq!(numbers(vec![44, 44, 44]), "44");
        assert_eq!(numbers(vec![801, 700, 775]), "700 / 775 / 801");
    }

    #[test]
    fn a_ratio_has_three_digits_at_most() {
        assert_eq!([ratio(121.0, 100.0), ratio(243.0, 10.0)], ["1.21", "24"]);
    }
}
