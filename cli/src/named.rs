//! A push or an execution by the name that somebody types.

use crate::aws::Account;
use crate::error::Error;
use crate::execution::{AMONG, Execution, Executions, Listed};
use crate::installation::Installation;
use crate::report::Image;
use ecr_deploy::domain::push::name::is_of;

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
    /// The newest push of an image, `shop/web:v2`: the repository and the tag.
    Newest(String, String),
    /// The one push, or execution of a service, with this in its name.
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
    Ok(match text.split_once(':') {
        Some((repository, tag)) => Place::Newest(repository.to_owned(), tag.to_owned()),
        None => Place::Part(text.to_owned()),
    })
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
        Place::Newest(repository, tag) => {
            let is_candidate = |it: &Listed| is_of(&it.name, &repository, &tag);
            let listed = executions
                .list(&installation.deploy_image, (usize::MAX, AMONG), None, is_candidate)
                .await?;
            for it in listed {
                let read = executions.read(&it.arn).await?;
                let is_plan = read.input["plan"] == true;
                if Image::of_event(&read.input).is_some_and(|image| image.name() == text) && !is_plan {
                    return Ok(Found::Push(it.arn));
                }
            }
            Err(none(text))
        }
        Place::Part(part) => {
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
        assert_eq!(
            known("shop/web:v1.2"),
            Place::Newest("shop/web".to_owned(), "v1.2".to_owned())
        );
        assert_eq!(known("0a1b2c3d"), Place::Part("0a1b2c3d".to_owned()));
        let other = place(&installation(), &arn("Image-2")).unwrap_err();
        assert!(other.to_string().contains("--stack"), "{other}");
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
