//! The settings of a simulation.

use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use crate::names::{Milliseconds, Names};
use crate::weather::Weather;

/// Everything a test or a person may choose. The default is AWS in fine weather, twenty times as fast.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on: loopback, unless a container has to reach it.
    pub address: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Account id in every ARN, twelve digits.
    pub account: String,
    /// Region in every ARN.
    pub region: String,
    /// Partition in every ARN.
    pub partition: String,
    /// How many simulated seconds pass in a real one. Everything ECS does by itself (starting a task, baking, forgetting
    /// a stopped task) takes this much less time; timestamps, rate limits and latencies are real time.
    pub speed: f64,
    /// Decides everything random. The same seed and the same calls give the same run.
    pub seed: u64,
    /// Real milliseconds that every call takes before it is carried out.
    pub latency_milliseconds: u64,
    /// True if the documented token buckets refuse calls with `ThrottlingException`.
    pub throttling: bool,
    /// How many container instances each cluster has: one task of a daemon service runs on each.
    pub container_instances: u32,
    /// True if every call is kept with its time and subject, to be read at `/_simulation/calls?log=true`.
    pub call_log: bool,
    /// Faults and second deployers.
    pub weather: Weather,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            partition: "aws".to_owned(),
            speed: 20.0,
            seed: 1,
            latency_milliseconds: 0,
            throttling: false,
            container_instances: 3,
            call_log: false,
            weather: Weather::default(),
        }
    }
}

impl Settings {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        if !self.speed.is_finite() || self.speed <= 0.0 {
            return Err(format!("speed {} is not above 0", self.speed));
        }
        self.weather.check().map_err(|message| format!("weather: {message}"))
    }

    pub(crate) fn names(&self) -> Names {
        Names {
            partition: self.partition.clone(),
            region: self.region.clone(),
            account: self.account.clone(),
        }
    }

    /// The real moment that lies this many simulated seconds after another one. Never that moment itself.
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds are the resolution of the simulation
    pub(crate) fn after(&self, moment: Milliseconds, seconds: f64) -> Milliseconds {
        moment + ((seconds * 1000.0 / self.speed) as i64).max(1)
    }
}
