//! Walks the real definitions of the state machines with the real functions, against the simulated ECS, all inside of one
//! process. Tests hold up a caller at any call, kill it, and lose an answer; the benchmark counts what a push costs.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "made for tests: a walk that cannot go on panics"
)]

pub mod account;
pub mod caller;
pub mod cost;
pub mod functions;
pub mod machine;
mod scope;
pub mod step_functions;
pub mod warm;

/// Runs a walk. Its clock stands still and goes on by itself when all wait for it, so that the SDK's pauses between two
/// attempts take no time.
pub fn run<T>(walk: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(walk)
}
