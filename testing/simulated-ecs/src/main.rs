//! `simulated-ecs [--port N] [--<setting> VALUE …]`: prints its URL, then serves until it is ended.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value};
use simulated_ecs::{Settings, SimulatedEcs};

const USAGE: &str = "\
usage: simulated-ecs [--port N] [--<setting> VALUE …]
  --port 0                    a free port (the default)
  --speed 20                  simulated seconds in a real one
  --seed 1                    decides everything random
  --latency-milliseconds 0    real milliseconds that every call takes
  --throttling true           the documented token buckets refuse calls
  --weather '{\"faults\": …}'   faults and second deployers, as for POST /_simulation/faults
  --address, --account, --region, --partition, --container-instances, --call-log
The first line it prints is its URL: the value for AWS_ENDPOINT_URL_ECS and AWS_ENDPOINT_URL_ECR.";

/// `latency-milliseconds` to `latencyMilliseconds`: an option is a member of the settings.
fn camel_case(option: &str) -> String {
    let mut words = option.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        name + &initial.to_ascii_uppercase() + rest
    })
}

/// A number, a truth value or an object where the text is one; a text otherwise.
fn value(option: &str, text: String) -> Value {
    let is_text = ["account", "region", "partition", "address"].contains(&option);
    if is_text {
        Value::String(text)
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }
}

fn settings(mut arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
    let mut members = Map::new();
    while let Some(argument) = arguments.next() {
        let option = argument
            .strip_prefix("--")
            .ok_or_else(|| format!("{argument} is not an option\n{USAGE}"))?;
        if option == "help" {
            return Err(USAGE.to_owned());
        }
        let given = arguments
            .next()
            .ok_or_else(|| format!("--{option} needs a value\n{USAGE}"))?;
        members.insert(camel_case(option), value(option, given));
    }
    serde_json::from_value(Value::Object(members)).map_err(|error| format!("{error}\n{USAGE}"))
}

fn main() -> ExitCode {
    let started = settings(std::env::args().skip(1))
        .and_then(|settings| SimulatedEcs::start(settings).map_err(|error| error.to_string()))
        .and_then(|ecs| {
            let mut out = std::io::stdout();
            writeln!(out, "{}", ecs.url())
                .and_then(|()| out.flush())
                .map_err(|error| error.to_string())?;
            Ok(ecs)
        });
    match started {
        Ok(ecs) => {
            ecs.join();
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}
