//! A hold of everything, which no other scenario could live with: an installation of its own.

use crate::support::Person::{Operator, Reader};
use crate::support::{Installed, run};
use ecr_deploy_cli::commands::Status;

#[test]
fn while_everything_is_on_hold_nothing_is_deployed() {
    run(async {
        let it = &Installed::anew();
        it.services("shop/web", "web", &["production"]).await;
        it.aws.push_simulated("shop/web", "v2", None).unwrap();
        it.says_to(Operator, &["hold", "--all", "--why", "audit, until Monday"])
            .ended(0)
            .says(&["everything is on hold: root - audit, until Monday"]);
        it.types(Operator, "deploy shop/web:v2")
            .ended(5)
            .says(&["ALL_ON_HOLD", "audit, until Monday"]);
        it.types(Reader, "status")
            .ended(0)
            .says(&["Everything is on hold: root - audit, until Monday", "production/web"]);
        it.types(Operator, "unhold --all")
            .ended(0)
            .says(&["everything is no longer on hold"]);
        let status: Status = it.types(Reader, "status --output json").ended(0).document();
        assert_eq!(status.all_on_hold, None);
        assert_eq!(status.services[0].images[0].waiting.as_ref().unwrap().tag, "v2");
        it.types(Operator, "deploy shop/web:v2").ended(0);
    });
}
