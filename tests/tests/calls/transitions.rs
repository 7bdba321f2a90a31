//! The state transitions of a push whose rollouts take three minutes.

use crate::support::run;
use crate::walk::walk;

#[test]
fn probe() {
    for services in [1, 10, 100] {
        eprintln!("{services}: {:?}", run(walk(services)));
    }
}
