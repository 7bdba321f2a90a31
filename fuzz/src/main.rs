//! libFuzzer, with the check of the target that `FUZZ_TARGET` names. `cargo xtask fuzz` builds and starts it.

#![no_main]

use std::sync::LazyLock;

static CHECK: LazyLock<fuzz::Check> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let target = fuzz::TARGETS.iter().find(|(target, _)| *target == name);
    target.expect("FUZZ_TARGET should name a target").1
});

libfuzzer_sys::fuzz_target!(|input| CHECK(input));
