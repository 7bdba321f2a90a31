//! `cargo xtask storm`: which storms are played.

use crate::Failure;
use clap::Args;
use prepare::prerequisites;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The arguments of `cargo xtask storm`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The seed: a number, or `today` for the UTC date as a number, which it is if none is given. Several are played two
    /// at a time.
    #[arg(long = "seed", value_name = "N")]
    seeds: Vec<Seed>,
    /// How many services there are.
    #[arg(long, default_value_t = 200)]
    services: usize,
    /// Fail where the seeds together do not exercise every rule about stages and holds, and every fault.
    #[arg(long, conflicts_with = "judge")]
    exercise: bool,
    /// Judge the storm that left this folder once more, and play none.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["seeds", "services"])]
    judge: Option<PathBuf>,
}

/// A seed, or the word `today`.
#[derive(Debug, Clone, Copy)]
struct Seed(Option<u64>);

impl std::str::FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "today" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|seed| Self(Some(seed)))
                .map_err(|_| "give a number, or `today`".to_owned()),
        }
    }
}

impl Seed {
    #[expect(clippy::disallowed_methods, reason = "the seed of the day is the day's")]
    fn number(self) -> u64 {
        self.0.unwrap_or_else(|| {
            let today = jiff::Timestamp::now().strftime("%Y%m%d").to_string();
            today.parse().unwrap_or_default()
        })
    }
}

/// Plays each seed, and judges what it leaves.
///
/// # Errors
///
/// Names each seed that failed, and the command that plays it again; also when the local AWS does not do its part.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(folder) = &arguments.judge {
        return storm::judge_again(folder);
    }
    prerequisites::check()?;
    let seeds = match arguments.seeds.as_slice() {
        [] => &[Seed(None)],
        seeds => seeds,
    };
    let mut known = BTreeSet::new();
    let seeds = seeds.iter().map(|seed| seed.number());
    // Each has a folder of its own.
    let seeds: Vec<u64> = seeds.filter(|seed| known.insert(*seed)).collect();
    storm::play(&seeds, arguments.services, arguments.exercise)
}
