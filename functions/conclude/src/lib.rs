//! Ends an execution: succeeds, throws, or sends a redriven one back to what failed.

pub mod outcome;

use outcome::{conclude_image, conclude_service};
use serde::Serialize;
use serde_json::Value;
use shared::config::Config;
use shared::contract::{Conclude, ImageConclusion, ServiceConclusion};
use shared::error::Error;
use shared::runtime::{Request, log_image, log_service};

/// What "Conclude" puts out, as the execution it ends needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Conclusion {
    /// Of one service's execution.
    Service(ServiceConclusion),
    /// Of a push's execution.
    Image(ImageConclusion),
}

/// Ends an execution: the step "Conclude". It is the last Task of both state machines and throws where a `Fail` state
/// would only fail, since a Task that threw is what "Redrive from failure" runs again. It asks AWS nothing.
///
/// # Errors
///
/// `Deploy.RolledBack`, `Deploy.RollBackFailed`, `Deploy.ServicesFailed`, or what the service's update threw.
pub fn handle(config: &Config, request: Request<Value>) -> Result<Conclusion, Error> {
    let Request { execution, input, .. } = request.typed::<Conclude>()?;
    match input {
        Conclude::Service(end) => {
            log_image(&end.image);
            log_service(&shared::service::title(&end.cluster, &end.service));
            conclude_service(&end, execution.redrive_count).map(Conclusion::Service)
        }
        Conclude::Image(end) => {
            if let Some(image) = &end.image {
                log_image(image);
            }
            conclude_image(&end, execution.redrive_count, config.tag_latest).map(Conclusion::Image)
        }
    }
}
