//! The state transitions and history events of a push whose rollouts take three minutes.

use ecr_deploy::function::config::Config;
use walker::cost::{walk, walk_with};
use walker::run;

#[test]
fn what_a_push_takes_of_step_functions_grows_with_its_services() {
    // Services; transitions of all executions, events of the push's own, events of one service's. One transition of each push
    // is that of "Read hold".
    for (services, expected) in [(1, (60, 51, 152)), (10, (489, 141, 152)), (100, (3887, 1053, 125))] {
        let walked = run(walk(services));
        let counted = (walked.transitions, walked.events, walked.service_events);
        assert_eq!(counted, expected, "{services} services: {walked:?}");
        let updates = walked.invocations["Update service"].0;
        assert_eq!(updates, services, "{walked:?}");
    }
}

/// docs/performance.md says these numbers.
#[test]
fn a_message_costs_two_transitions_of_a_push_and_the_parameters_nine_of_each_service() {
    const CALLS: [&str; 3] = ["Send message", "Read parameters", "Write parameter"];
    for services in [1, 10] {
        let plain = run(walk(services)).transitions;
        // With messages, with parameters; what comes on top: transitions, and calls of each kind.
        for (sends_messages, writes_parameters, transitions, calls) in [
            (true, false, 2, [1, 0, 0]),
            (false, true, 9 * services, [0, services, 5 * services]),
            (true, true, 2 + 9 * services, [1, services, 5 * services]),
        ] {
            let config = Config {
                sends_messages,
                writes_parameters,
                ..Config::default()
            };
            let walked = run(walk_with(services, config));
            let called = CALLS.map(|state| walked.entered.get(state).copied().unwrap_or_default());
            assert_eq!((walked.transitions - plain, called), (transitions, calls), "{walked:?}");
        }
    }
}
