//! The checks for every save: formatting, lints, unit tests, contracts, the CDK app. Nothing of it starts a local AWS.

use crate::Failure;
use crate::steps::{self, Lacking};
use std::time::Instant;

/// Runs everything; the CDK app beside the Rust code.
///
/// # Errors
///
/// Names each step that failed; what it said stands above.
pub(crate) fn run() -> Result<(), Failure> {
    let begun = Instant::now();
    let lacking = Lacking::here();
    let rust = || {
        steps::formatting().run()?;
        steps::lints(&lacking).run()?;
        steps::unit_tests(&lacking).run()
    };
    let (rust, cdk) = std::thread::scope(|scope| {
        let cdk = scope.spawn(|| steps::cdk().run_quietly());
        (
            rust(),
            cdk.join()
                .unwrap_or_else(|_| Err("the CDK app: its thread panicked".to_owned())),
        )
    });
    match (rust, cdk) {
        (Ok(()), Ok(())) => {
            eprintln!("\nEverything passed in {} s.", begun.elapsed().as_secs());
            Ok(())
        }
        (rust, cdk) => Err([rust.err(), cdk.err()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n\n")),
    }
}
