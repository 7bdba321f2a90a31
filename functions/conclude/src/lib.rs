//! Ends an execution: says how, then succeeds, throws, or sends a redriven one back to what failed. Decides, too,
//! whether a wave may begin and which parameters are written.

pub mod ended;
pub mod message;
pub mod metrics;
pub mod parameters;
pub mod push;
pub mod service;
pub mod sum_up;

use ecr_deploy::contract::{
    Conclude, End, EndOfPush, ImageConclusion, ImageSummary, NextWave, ParametersToWrite, ServiceConclusion,
    ServiceSummary, SumUp,
};
use ecr_deploy::domain::image::EcrRegistry;
use ecr_deploy::domain::service::title;
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
    /// Before the parameters of a service are written.
    Parameters(ParametersToWrite),
    /// After the end of a push's execution that could not tell it.
    Ended(EndOfPush),
}

/// Answers the state that invokes it:
///
/// - "Conclude" of *deploy-service* and of *deploy-image*: ends the execution. It throws where a `Fail` state would
///   only fail, since "Redrive from failure" runs a Task again that threw.
/// - "Sum up" of both: says how the execution ends.
/// - "On hold?": says whether the next wave may begin.
/// - "Write parameters?": says which parameters are written.
/// - *tell-end*: says how an execution ended that could not tell it.
///
/// It asks AWS nothing.
///
/// `log` gets the line with the metrics of an end, see [`metrics`].
///
/// # Errors
///
/// Only "Conclude" throws an outcome: `Deploy.RolledBack`, `Deploy.RollBackFailed`, `Deploy.NotRolledBack` or
/// `Deploy.ServicesFailed`, or for a service that was not changed the error of its update. Every state:
/// `Deploy.InvalidInput` when the input cannot be read, and "Conclude" also when something that was planned has no
/// result.
pub fn handle(config: &Config, request: Request<Value>, log: impl Fn(&Value)) -> Result<Conclusion, Error> {
    let Request { execution, now, input } = request.typed::<Conclude>()?;
    let told = |line: Option<Value>| line.iter().for_each(&log);
    Ok(match input {
        Conclude::Service(end) => {
            log_image(&end.image);
            log_service(&title(&end.cluster, &end.service));
            Conclusion::Service(service::conclude(&end, execution.redrive_count)?)
        }
        Conclude::Image(end) => {
            end.image.iter().for_each(log_image);
            let conclusion = push::conclude(&end, execution.redrive_count, config.tag_latest)?;
            Conclusion::Image(as_tagged_here(&execution.id, conclusion))
        }
        Conclude::Wave(due) => {
            log_image(&due.image);
            Conclusion::Wave(push::next_wave(due, now))
        }
        Conclude::SumUp(SumUp { started_at, end }) => match end {
            End::Service(end) => {
                log_image(&end.image);
                log_service(&title(&end.cluster, &end.service));
                let summary = sum_up_service(&end, started_at, now);
                told(metrics::of_service(&end, &summary, &execution.id, now));
                Conclusion::ServiceSummary(summary)
            }
            End::Image(end) => {
                end.image.iter().for_each(log_image);
                let concluded = |conclusion| as_tagged_here(&execution.id, conclusion);
                let mut summary = sum_up_image(&end, config.tag_latest, started_at, now, concluded);
                if config.sends_messages {
                    summary.message = message::of_summary(&summary, &execution.id, end.attempt);
                }
                if let Some(state) = summary.state {
                    let (image, error) = (end.image.as_ref(), summary.error.as_deref());
                    told(metrics::of_push(state, image, error, &execution.id, now));
                }
                Conclusion::ImageSummary(summary)
            }
        },
        Conclude::Parameters(found) => {
            log_image(&found.image);
            Conclusion::Parameters(parameters::to_write(&found))
        }
        Conclude::Ended(ended) => {
            let detail = ended::told(&ended);
            if let Some(detail) = &detail {
                detail.image.iter().for_each(log_image);
                let (image, error) = (detail.image.as_ref(), detail.error.as_deref());
                told(metrics::of_push(detail.state, image, error, &ended.execution, now));
            }
            let to_people = detail.as_ref().filter(|_| config.sends_messages);
            let message = to_people.and_then(message::of_event);
            Conclusion::Ended(EndOfPush { detail, message })
        }
    })
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
