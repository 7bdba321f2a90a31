//! Ends an execution: says how, then succeeds, throws, or sends a redriven one back to what failed.

pub mod push;
pub mod service;
pub mod sum_up;

use ecr_deploy::contract::{
    Conclude, End, ImageConclusion, ImageSummary, NextWave, ServiceConclusion, ServiceSummary, SumUp,
};
use ecr_deploy::domain::image::EcrRegistry;
use ecr_deploy::error::Error;
use ecr_deploy::function::config::Config;
use ecr_deploy::function::runtime::{Request, log_image, log_service};
use serde::Serialize;
use serde_json::Value;
use sum_up::{sum_up_image, sum_up_service};

/// The output of "Conclude", as the execution it ends needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Conclusion {
    /// Of one service's execution.
    Service(ServiceConclusion),
    /// Of a push's execution.
    Image(ImageConclusion),
    /// Before a push's next wave.
    Wave(NextWave),
    /// Before the end of one service's execution.
    ServiceSummary(ServiceSummary),
    /// Before the end of a push's execution, or of one of its waves.
    ImageSummary(ImageSummary),
}

/// Ends an execution: the step "Conclude"; or, at the step "On hold?", says whether its next wave may begin. It is the last
/// Task of both state machines and throws where a `Fail` state would only fail, since a Task that threw is what "Redrive from failure" runs again. It asks AWS nothing.
///
/// # Errors
///
/// `Deploy.RolledBack`, `Deploy.RollBackFailed`, `Deploy.ServicesFailed`, or what the service's update threw.
pub fn handle(config: &Config, request: Request<Value>) -> Result<Conclusion, Error> {
    let Request { execution, now, input } = request.typed::<Conclude>()?;
    match input {
        Conclude::Service(end) => {
            log_image(&end.image);
            log_service(&ecr_deploy::domain::service::title(&end.cluster, &end.service));
            service::conclude(&end, execution.redrive_count).map(Conclusion::Service)
        }
        Conclude::Image(end) => {
            if let Some(image) = &end.image {
                log_image(image);
            }
            let conclusion = push::conclude(&end, execution.redrive_count, config.tag_latest)?;
            Ok(Conclusion::Image(as_tagged_here(&execution.id, conclusion)))
        }
        Conclude::Wave(due) => {
            log_image(&due.image);
            Ok(Conclusion::Wave(push::next_wave(due, now)))
        }
        Conclude::SumUp(SumUp { started_at, end }) => Ok(match end {
            End::Service(end) => {
                log_image(&end.image);
                log_service(&ecr_deploy::domain::service::title(&end.cluster, &end.service));
                Conclusion::ServiceSummary(sum_up_service(&end, started_at, now))
            }
            End::Image(end) => {
                end.image.iter().for_each(log_image);
                let concluded = |conclusion| as_tagged_here(&execution.id, conclusion);
                let summary = sum_up_image(&end, config.tag_latest, started_at, now, concluded);
                Conclusion::ImageSummary(summary)
            }
        }),
    }
}

/// The conclusion, with the tags that the execution can put on the image.
fn as_tagged_here(execution: &str, conclusion: ImageConclusion) -> ImageConclusion {
    match registry_of(execution) {
        Some(here) => push::tagged_only(&here, conclusion),
        None => conclusion,
    }
}

/// The registry of the account and region of an execution: `arn:aws:states:eu-west-1:123456789012:execution:…`.
fn registry_of(execution: &str) -> Option<EcrRegistry> {
    let mut parts = execution.split(':').skip(3);
    Some(EcrRegistry {
        region: parts.next()?.parse().ok()?,
        account: parts.next()?.parse().ok()?,
    })
}
