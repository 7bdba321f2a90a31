//! The cost of a push in money, counted on a walk of the real state machines.

use super::table::seconds;
use std::collections::BTreeMap;
use walker::{cost, run};

/// US dollars for a state transition of a Standard workflow in us-east-1, after the free ones:
/// <https://aws.amazon.com/step-functions/pricing/>, November 2026.
const TRANSITION: f64 = 0.025 / 1000.0;
/// US dollars for a request to a function, in us-east-1: <https://aws.amazon.com/lambda/pricing/>, November 2026.
const REQUEST: f64 = 0.20 / 1e6;
/// US dollars for a second of a gigabyte on arm64, the default of the setting `architecture`, in us-east-1: the same page.
const GIGABYTE_SECOND: f64 = 0.000_013_333_4;
/// US dollars for a byte of logs, in us-east-1: <https://aws.amazon.com/cloudwatch/pricing/>, November 2026.
const LOGGED_BYTE: f64 = 0.50 / 1e9;
/// The bytes of an event in the log besides what it tells: its type, its time, the execution's ARN, and 26 that are added to each.
/// An estimate: see <https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html>.
const BYTES_OF_EVENT: f64 = 400.0;
/// The memory of each step's function, in gigabytes, as the stack sets it.
const MEMORY: f64 = 0.125;
const MEMORY_OF_FIND: f64 = 0.25;
/// The state whose function has more of it.
const FIND: &str = "Find task definitions";

/// Walks pushes to more and more services; returns the table.
pub(crate) fn measure() -> String {
    let mut table = "**Money, in us-east-1: a push whose rollouts take about three minutes, without the free tier and without cold starts**\n\n\
        The state machines log all events with their data. What goes from step to step is counted; 400 bytes for each event, and 1,100 \
        around each answer, are estimated. Omitted are the functions' own logs, the keeping of logs, and traces.\n\n\
        | services | until all are stable | transitions | history events: push, each service | invocations | GB-seconds | logs of executions | cost: transitions, functions, logs | in all |\n\
        |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for services in [1, 10, 100] {
        let walked = run(cost::walk(services));
        let (invocations, gigabyte_seconds) = used(&walked.invocations);
        #[expect(clippy::cast_precision_loss, reason = "bytes of one push")]
        let logged = walked.logged_bytes as f64 + f64::from(walked.all_events) * BYTES_OF_EVENT;
        let costs = [
            f64::from(walked.transitions) * TRANSITION,
            f64::from(invocations) * REQUEST + gigabyte_seconds * GIGABYTE_SECOND,
            logged * LOGGED_BYTE,
        ];
        let (cost, costs) = (
            costs.iter().sum::<f64>(),
            costs.map(|cost| format!("${cost:.4}")).join(", "),
        );
        #[expect(clippy::cast_precision_loss, reason = "seconds of one push")]
        let time = seconds(walked.seconds as f64);
        let line = format!(
            "| {services} | {time} | {} | {}, {} | {invocations} | {gigabyte_seconds:.2} | {:.2} MB | {costs} | ${cost:.4} |\n",
            walked.transitions,
            walked.events,
            walked.service_events,
            logged / 1e6,
        );
        table += &line;
    }
    table + "\n"
}

/// Invocations, and the gigabyte-seconds that they are billed.
fn used(invocations: &BTreeMap<String, (u32, i64)>) -> (u32, f64) {
    let count = invocations.values().map(|(count, _)| count).sum();
    let gigabyte_seconds = invocations.iter().map(|(state, (_, milliseconds))| {
        let memory = if state == FIND { MEMORY_OF_FIND } else { MEMORY };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one push")]
        let time = *milliseconds as f64 / 1000.0;
        time * memory
    });
    (count, gigabyte_seconds.sum())
}
