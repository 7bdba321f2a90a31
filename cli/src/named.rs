//! A push or an execution by the name that somebody types.

use crate::aws::Account;
use crate::error::Error;
use crate::execution::{AMONG, Execution, Executions, Listed};
use crate::image::Named;
use crate::installation::Installation;
use crate::report::Image;
use ecr_deploy::domain::push::name::{is_of, is_of_repository};
use ecr_deploy::domain::push::{Push, PushedImage, parse_push};
use serde_json::Value;

/// The execution that a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Of a push: the ARN.
    Push(String),
    /// Of one service in a push: the ARN.
    Service(String),
}

/// Where an execution is looked for, by what somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// It is this one.
    Known(Found),
    /// The newest push of an image, `shop/web:v2`.
    Newest(Named),
    /// The one push, or execution of a service, that is called so, or has this in its name.
    Part(String),
}

fn place(installation: &Installation, text: &str) -> Result<Place, Error> {
    if text.starts_with("arn:") {
        let is_of = |machine: &str| text.starts_with(&Installation::execution(machine, ""));
        return if is_of(&installation.deploy_image) {
            Ok(Place::Known(Found::Push(text.to_owned())))
        } else if is_of(&installation.deploy_service) {
            Ok(Place::Known(Found::Service(text.to_owned())))
        } else {
            Err(Error::NotFound(format!(
                "{text} is no execution of deploy-image or deploy-service of this installation. Name another stack by --stack, or \
                 list the pushes: ecr-deploy history"
            )))
        };
    }
    // No execution has one of these in its name, and each image has.
    if text.contains([':', '@']) {
        return text.parse().map(Place::Newest);
    }
    Ok(Place::Part(text.to_owned()))
}

/// True if an event is of a push of the image that somebody names.
fn is_of_image(event: &Value, named: &Named) -> bool {
    let Ok(Push::Tagged(image) | Push::Untold(image)) = parse_push(event) else {
        return false;
    };
    let PushedImage {
        repository,
        tag,
        digest,
        ..
    } = &image;
    *repository == named.repository
        && named.tag.as_ref().is_none_or(|it| it == tag)
        && named.digest.as_ref().is_none_or(|it| it == digest)
        && named.registry.as_ref().is_none_or(|it| *it == image.registry())
}

/// The execution that somebody means by an ARN, a name, a part of a name that no other has, or by `shop/web:v2`: its newest push.
///
/// # Errors
///
/// [`Error::NotFound`] where there is none, [`Error::Usage`] where there are several.
pub async fn execution(account: &Account, executions: &Executions, text: &str) -> Result<Found, Error> {
    let installation = &account.installation;
    match place(installation, text)? {
        Place::Known(found) => Ok(found),
        Place::Newest(image) => {
            image.assert_in(&account.region)?;
            let repository = image.repository.as_str();
            let is_candidate = |it: &Listed| match &image.tag {
                Some(tag) => is_of(&it.name, repository, tag.as_str()),
                None => is_of_repository(&it.name, repository),
            };
            let listed = executions
                .list(&installation.deploy_image, (usize::MAX, AMONG), None, is_candidate)
                .await?;
            for it in listed {
                let read = executions.read(&it.arn).await?;
                let is_plan = read.input["plan"] == true;
                if is_of_image(&read.input, &image) && !is_plan {
                    return Ok(Found::Push(it.arn));
                }
            }
            Err(none(text))
        }
        Place::Part(part) => {
            if let Some(found) = called(installation, executions, &part).await? {
                return Ok(found);
            }
            let is_candidate = |it: &Listed| it.name.contains(&part);
            let pushes = executions
                .list(&installation.deploy_image, (10, AMONG), None, is_candidate)
                .await?;
            if !pushes.is_empty() {
                return only(&pushes, text).map(Found::Push);
            }
            let services = executions
                .list(&installation.deploy_service, (10, AMONG), None, is_candidate)
                .await?;
            only(&services, text).map(Found::Service)
        }
    }
}

/// The execution that is called exactly so. Among those with this text in their names it may be one of many.
async fn called(installation: &Installation, executions: &Executions, name: &str) -> Result<Option<Found>, Error> {
    // The beginning of an id is no name.
    if name.len() <= 8 || !is_name(name) {
        return Ok(None);
    }
    for (machine, found) in [
        (&installation.deploy_image, Found::Push as fn(String) -> Found),
        (&installation.deploy_service, Found::Service),
    ] {
        let arn = Installation::execution(machine, name);
        match executions.read(&arn).await {
            Ok(_) => return Ok(Some(found(arn))),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// True if an execution can be called so.
fn is_name(text: &str) -> bool {
    const LONGEST: usize = 80;
    text.len() <= LONGEST
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}

fn none(text: &str) -> Error {
    Error::NotFound(format!("there is no push {text}. List the pushes: ecr-deploy history"))
}

/// The one that is meant: the only one, or the one that is called exactly so.
fn only(found: &[Listed], text: &str) -> Result<String, Error> {
    if let Some(exact) = found.iter().find(|it| it.name == text) {
        return Ok(exact.arn.clone());
    }
    match found {
        [] => Err(none(text)),
        [only] => Ok(only.arn.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|it| it.name.as_str()).collect();
            Err(Error::Usage(format!(
                "{text} is in the names of several pushes; name one of them: {}",
                names.join(", ")
            )))
        }
    }
}

/// The same, where only a push will do.
///
/// # Errors
///
/// Those of [`execution`]; [`Error::Usage`] for the execution of a service.
pub async fn push(account: &Account, executions: &Executions, text: &str) -> Result<String, Error> {
    match execution(account, executions, text).await? {
        Found::Push(arn) => Ok(arn),
        Found::Service(arn) => Err(of_service(text, &executions.read(&arn).await?)),
    }
}

/// The error where a push is meant, and the execution of a service is named.
fn of_service(text: &str, execution: &Execution) -> Error {
    if let Some(push) = execution.push() {
        let push = push.rsplit(':').next().unwrap_or(push);
        return Error::Usage(format!("{text} is the execution of one service. Name its push: {push}"));
    }
    let (cluster, service) = execution.service();
    Error::Usage(format!(
        "{text} is part of no push: somebody took {cluster}/{service} back by it. To see how that went: ecr-deploy why {text}"
    ))
}

/// The error for the execution of a plan, which is none of a push.
#[must_use]
pub fn of_plan(execution: &Execution) -> Error {
    let image = Image::of_event(&execution.input).map_or_else(|| "IMAGE".to_owned(), |image| image.name());
    Error::Usage(format!(
        "{} is the execution of a plan, which deploys nothing. To see what a push would change: ecr-deploy plan {image}",
        execution.name
    ))
}

/// Returns the part of a push's name that distinguishes it in a table: the first eight letters of the event's id. The
/// whole name, where it does not end in such an id: somebody has started it by hand.
#[must_use]
pub fn short(name: &str) -> &str {
    let id = name.len().checked_sub(36).and_then(|at| name.get(at..));
    let is_id = |id: &str| {
        id.char_indices().all(|(at, letter)| match at {
            8 | 13 | 18 | 23 => letter == '-',
            _ => letter.is_ascii_hexdigit(),
        })
    };
    id.filter(|id| is_id(id)).map_or(name, |id| &id[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Status;
    use ecr_deploy::function::config::Config;

    fn installation() -> Installation {
        let machine = |name: &str| format!("arn:aws:states:eu-west-1:123456789012:stateMachine:{name}");
        Installation {
            push: machine("Push-1"),
            deploy_image: machine("Image-1"),
            deploy_service: machine("Service-1"),
            sweep: None,
            hold_parameter: String::new(),
            dead_letter_queue_url: String::new(),
            trigger: None,
            pass_roles: None,
            settings: Config::default(),
        }
    }

    #[test]
    fn an_execution_is_named_by_its_arn_its_image_or_a_part_of_its_name() {
        let arn = |machine: &str| format!("arn:aws:states:eu-west-1:123456789012:execution:{machine}:x");
        let known = |text: &str| place(&installation(), text).unwrap();
        assert_eq!(known(&arn("Image-1")), Place::Known(Found::Push(arn("Image-1"))));
        assert_eq!(known(&arn("Service-1")), Place::Known(Found::Service(arn("Service-1"))));
        let digest = format!("sha256:{}", "0a".repeat(32));
        for image in [
            "shop/web:v1.2".to_owned(),
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web:v2".to_owned(),
            format!("shop/web:v2@{digest}"),
            format!("shop/web@{digest}"),
        ] {
            assert_eq!(known(&image), Place::Newest(image.parse().unwrap()));
        }
        assert_eq!(place(&installation(), "shop/web:").unwrap_err().name(), "Command.Usage");
        assert_eq!(known("0a1b2c3d"), Place::Part("0a1b2c3d".to_owned()));
        let other = place(&installation(), &arn("Image-2")).unwrap_err();
        assert!(other.to_string().contains("--stack"), "{other}");
    }

    #[test]
    fn an_image_that_is_named_in_full_is_that_of_its_push() {
        let event = include_str!("../../statemachine/examples/put-image-event.json");
        let event: Value = serde_json::from_str(event).unwrap();
        let Push::Tagged(pushed) = parse_push(&event).unwrap() else {
            panic!("the example is a push")
        };
        let (registry, repository, tag, digest) = (pushed.registry(), &pushed.repository, &pushed.tag, &pushed.digest);
        let host = format!("{}.dkr.ecr.{}.amazonaws.com", registry.account, registry.region);
        let other = "0b".repeat(32);
        for (named, expected) in [
            (format!("{repository}:{tag}"), true),
            (format!("{host}/{repository}:{tag}"), true),
            (format!("{repository}:{tag}@{digest}"), true),
            (format!("{repository}@{digest}"), true),
            (format!("{repository}:other"), false),
            (format!("{repository}:{tag}@sha256:{other}"), false),
            (
                format!(
                    "210987654321.dkr.ecr.{}.amazonaws.com/{repository}:{tag}",
                    registry.region
                ),
                false,
            ),
        ] {
            assert_eq!(is_of_image(&event, &named.parse().unwrap()), expected, "{named}");
        }
    }

    #[test]
    fn a_part_of_several_names_is_refused_with_the_names() {
        let listed = |name: &str| Listed {
            arn: format!("arn:{name}"),
            name: name.to_owned(),
            status: Status::Succeeded,
            started: "2026-11-29T10:00:00Z".parse().unwrap(),
            ended: None,
        };
        assert_eq!(only(&[listed("web-v1")], "v1").unwrap(), "arn:web-v1");
        assert_eq!(
            only(&[listed("web-v1-2"), listed("web-v1")], "web-v1").unwrap(),
            "arn:web-v1"
        );
        let several = only(&[listed("web-v1"), listed("web-v12")], "v1").unwrap_err();
        assert!(several.to_string().contains("web-v1, web-v12"), "{several}");
        assert_eq!(only(&[], "v1").unwrap_err().name(), "Command.NotFound");
    }

    #[test]
    fn the_execution_of_a_service_is_no_push_and_leads_to_its_own_where_there_is_one() {
        let execution = |input: serde_json::Value| Execution {
            arn: "arn:web-v1".to_owned(),
            name: "web-v1".to_owned(),
            status: Status::Failed,
            input,
            output: None,
            failure: None,
            started: "2026-11-29T10:00:00Z".parse().unwrap(),
            ended: None,
            redrives: 0,
        };
        let push = "arn:aws:states:eu-west-1:123456789012:execution:Image-1:shop-web-v1";
        for (input, expected) in [
            (
                serde_json::json!({"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": push}),
                "Name its push: shop-web-v1",
            ),
            (
                serde_json::json!({"cluster": "production", "service": "web"}),
                "somebody took production/web back by it",
            ),
        ] {
            let error = of_service("web-v1", &execution(input));
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_push_is_told_from_others_by_the_beginning_of_its_events_id() {
        for (name, expected) in [
            ("shop-web-v2-0a1b2c3d-e52b-4c4d-bbb5-547b85fec1f8", "0a1b2c3d"),
            ("by-hand", "by-hand"),
            (
                "by-hand-with-a-name-that-is-rather-long-indeed",
                "by-hand-with-a-name-that-is-rather-long-indeed",
            ),
        ] {
            assert_eq!(short(name), expected);
        }
    }
}
