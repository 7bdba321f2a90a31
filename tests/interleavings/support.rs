//! Tables of cases, on all processors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Checks every case of a table, on all processors, and tells of each that fails.
pub(crate) fn all<Case: Sync>(
    cases: &[Case],
    name: impl Fn(&Case) -> &str + Sync,
    check: impl Fn(&Case) -> Result<(), String> + Sync,
) {
    let (next, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let checked = catch_unwind(AssertUnwindSafe(|| check(case)));
            if let Err(problem) = checked.unwrap_or_else(|_| Err("it panicked, see above".to_owned())) {
                let mut problems = problems.lock().unwrap_or_else(PoisonError::into_inner);
                problems.push(format!("## {}\n{problem}", name(case)));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        problems.is_empty(),
        "{} of {} failed:\n\n{}",
        problems.len(),
        cases.len(),
        problems.join("\n\n")
    );
}
