//! The state transitions and history events of a push whose rollouts take three minutes.

use walker::cost::walk;
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
