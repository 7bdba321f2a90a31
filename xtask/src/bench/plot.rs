//! A plot is a few panels side by side, both axes logarithmic, as SVG that is readable on light and on dark.

use std::fmt::Write;

/// One panel: a title, and what was measured, by its place on the horizontal axis.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 200.0;
/// Room for the labels: left, top, right and bottom.
const ROOM: (f64, f64, f64, f64) = (48.0, 28.0, 12.0, 36.0);

/// An axis from one power of ten to another.
struct Axis {
    from: i32,
    to: i32,
}

impl Axis {
    #[expect(clippy::cast_possible_truncation, reason = "powers of ten of what can be measured")]
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let logarithms: Vec<f64> = values.map(|value| value.max(1e-3).log10()).collect();
        let from = logarithms.iter().copied().fold(f64::INFINITY, f64::min).floor() as i32;
        let to = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil() as i32;
        Self {
            from,
            to: to.max(from + 1),
        }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value.max(1e-3).log10() - f64::from(self.from)) / f64::from(self.to - self.from)
    }

    /// Each power of ten with its label.
    fn marks(&self) -> impl Iterator<Item = (f64, String)> {
        (self.from..=self.to).map(|power| (10_f64.powi(power), label(power)))
    }
}

fn label(power: i32) -> String {
    match power {
        ..0 => format!("0.{}1", "0".repeat(usize::try_from(-power - 1).unwrap_or_default())),
        0..3 => format!("1{}", "0".repeat(usize::try_from(power).unwrap_or_default())),
        _ => format!("1{},000", "0".repeat(usize::try_from(power - 3).unwrap_or_default())),
    }
}

/// Draws the panels; `across` names the horizontal axis.
pub(crate) fn plot(across: &str, panels: &[Panel]) -> String {
    let width: f64 = panels.iter().map(|_| WIDTH).sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <style>text{{fill:#24292f}}.grid{{stroke:#d0d7de}}.line{{stroke:#0969da}}.dot{{fill:#0969da}}\
         @media (prefers-color-scheme:dark){{text{{fill:#e6edf3}}.grid{{stroke:#444c56}}.line{{stroke:#58a6ff}}.dot{{fill:#58a6ff}}}}</style>\n"
    );
    let mut left = 0.0;
    for panel in panels {
        draw(&mut svg, left, across, panel);
        left += WIDTH;
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, left: f64, across: &str, panel: &Panel) {
    let (x, y) = (
        Axis::around(panel.points.iter().map(|point| point.0)),
        Axis::around(panel.points.iter().map(|point| point.1)),
    );
    let (room_left, top, room_right, bottom) = ROOM;
    let (begin, end) = (left + room_left, left + WIDTH - room_right);
    let floor = HEIGHT - bottom;
    let place = |point: (f64, f64)| {
        (
            begin + x.place(point.0) * (end - begin),
            floor - y.place(point.1) * (floor - top),
        )
    };
    let mut line = |text: String| {
        let _ = writeln!(svg, "{text}");
    };
    let middle = f64::midpoint(begin, end);
    line(format!(
        "<text x=\"{middle:.0}\" y=\"16\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>",
        panel.title
    ));
    line(format!(
        "<text x=\"{middle:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{across}</text>",
        HEIGHT - 4.0
    ));
    for (mark, label) in x.marks() {
        let (at, _) = place((mark, 1.0));
        line(format!("<path class=\"grid\" d=\"M{at:.1} {top}V{floor}\"/>"));
        line(format!(
            "<text x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"middle\" font-size=\"9\">{label}</text>",
            floor + 13.0
        ));
    }
    for (mark, label) in y.marks() {
        let (_, at) = place((1.0, mark));
        line(format!("<path class=\"grid\" d=\"M{begin} {at:.1}H{end}\"/>"));
        line(format!(
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"9\">{label}</text>",
            begin - 5.0,
            at + 3.0
        ));
    }
    let places: Vec<(f64, f64)> = panel.points.iter().copied().map(place).collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    line(format!(
        "<path class=\"line\" fill=\"none\" stroke-width=\"2\" d=\"M{}\"/>",
        path.join("L")
    ));
    for (x, y) in places {
        line(format!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_tenfold_each_time_is_a_straight_line_between_the_corners() {
        let panel = Panel {
            title: "calls",
            points: vec![(10.0, 1.0), (100.0, 10.0), (1000.0, 100.0)],
        };
        let svg = plot("services", &[panel]);
        assert!(svg.contains("d=\"M48.0 164.0L128.0 96.0L208.0 28.0\""), "{svg}");
        for text in [">calls<", ">services<", ">10<", ">100<", ">1,000<"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }

    #[test]
    fn powers_of_ten_are_written_out() {
        assert_eq!(
            [-2, -1, 0, 2, 3, 4].map(label),
            ["0.01", "0.1", "1", "100", "1,000", "10,000"]
        );
    }
}
