//! Growth: what a search costs in larger and larger accounts, by the real binary in a process of its own.

use super::account::{Account, LATENCY, Size, Wire};
use super::plot::{Panel, plot};
use super::table::{megabytes, seconds};
use crate::Failure;
use crate::lambda::{self, Built};
use local_aws::tools;

/// The picture, in the repository.
pub(crate) const PICTURE: &str = "growth.svg";

/// The cost of one search.
struct Point {
    services: u32,
    calls: u64,
    seconds: f64,
    processor: f64,
    megabytes: f64,
}

/// Measures, draws the picture, and returns the table.
pub(crate) fn measure() -> Result<String, Failure> {
    let built = lambda::build()?;
    let points = [10, 100, 1000, 10_000].map(|services| point(&built, services));
    let points = points.into_iter().collect::<Result<Vec<_>, _>>()?;
    draw(&points)?;
    let mut table =
        "**Growth of the search: a fresh process, the buckets without an end; it keeps to its own rates**\n\n\
        | services | calls | time | of it processor | memory |\n|---|---|---|---|---|\n"
            .to_owned();
    for point in points {
        let (time, processor) = (seconds(point.seconds), seconds(point.processor));
        let (services, calls, memory) = (point.services, point.calls, point.megabytes);
        table.extend([format!(
            "| {services} | {calls} | {time} | {processor} | {memory:.0} MB |\n"
        )]);
    }
    Ok(format!(
        "{table}\n![Growth: calls, seconds, processor seconds and memory by services]({PICTURE})\n\n"
    ))
}

fn point(built: &Built, services: u32) -> Result<Point, Failure> {
    let families = (services / 10).min(1000);
    let wire = Wire {
        latency: LATENCY,
        throttling: false,
    };
    let size = Size {
        services,
        families,
        matching: families.min(10),
    };
    let account = Account::new(wire, size)?;
    account.forget_calls();
    let (event, url) = (account.event("v2"), account.url());
    let start = lambda::cold_start(built.command(), "find-task-definitions", &event, &url)?;
    Ok(Point {
        services,
        calls: account.calls().total(),
        seconds: start.time.as_secs_f64(),
        processor: start.processor.as_secs_f64(),
        megabytes: megabytes(start.resident_kilobytes * 1024),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a picture")]
fn draw(points: &[Point]) -> Result<(), Failure> {
    let panel = |title: &'static str, of: fn(&Point) -> f64| Panel {
        title,
        points: points
            .iter()
            .map(|point| (f64::from(point.services), of(point)))
            .collect(),
    };
    let picture = plot(
        "services",
        &[
            panel("calls", |point| point.calls as f64),
            panel("seconds", |point| point.seconds),
            panel("processor seconds", |point| point.processor),
            panel("MB of memory", |point| point.megabytes),
        ],
    );
    let path = tools::workspace().join("docs").join(PICTURE);
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| std::fs::write(&path, picture))
        .map_err(|error| format!("{}: {error}", path.display()))
}
